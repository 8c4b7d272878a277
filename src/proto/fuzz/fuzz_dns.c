/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS messages, as datagrams or in a stream (first byte), both directions. */
#include "rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		rig_play(APP_DNS, (data[0] & 1) != 0, 53, data + 1, size - 1);
	return 0;
}
