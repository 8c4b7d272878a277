/* SPDX-License-Identifier: BSD-2-Clause */
/* Both sides of a conversation in SSH. */
#include "rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	rig_play(APP_SSH, true, 0, data, size);
	return 0;
}
