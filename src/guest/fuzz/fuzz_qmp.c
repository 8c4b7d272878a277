/* SPDX-License-Identifier: BSD-2-Clause */
/* Any line from QEMU: parsing ends, and every text of the result is terminated. */
#include "guest/guest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp_message m;
	if (qmp_parse((const char *)data, size, &m) != 0)
		return 0;
	if (memchr(m.name, 0, sizeof(m.name)) == NULL ||
	    memchr(m.text, 0, sizeof(m.text)) == NULL ||
	    memchr(m.status, 0, sizeof(m.status)) == NULL || m.kind > QMP_OTHER)
		abort();
	return 0;
}
