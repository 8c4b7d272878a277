/* SPDX-License-Identifier: BSD-2-Clause */
/* A conversation whose protocol is to be found: transport, server port, then what is said. */
#include "rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 3)
		rig_play(APP_UNKNOWN, (data[0] & 1) != 0, load_be16(data + 1), data + 3, size - 3);
	return 0;
}
