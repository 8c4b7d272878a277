/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines that a second machine kept: who fills its log may be anybody. */
#include "store/seal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_known k[SEAL_LINE_SEALS];
	size_t n = seal_parse((const char *)data, size, k);
	if (n > SEAL_LINE_SEALS)
		abort();
	for (size_t i = 0; i < n; i++) {
		const struct event_seal *s = &k[i].seal;
		bool fine = strlen(s->sha256) == EVENT_SHA256 - 1 && strlen(s->file) < EVENT_NAME &&
			    (s->previous[0] == '\0' || strlen(s->previous) == EVENT_SHA256 - 1) &&
			    strpbrk(s->file, "/\x1b\n ") == NULL &&
			    strpbrk(k[i].time, "\x1b\n\"") == NULL &&
			    strpbrk(k[i].sensor, "\x1b\n\"/") == NULL;
		if (!fine)
			abort();
	}
	return 0;
}
