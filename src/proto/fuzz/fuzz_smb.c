/* SPDX-License-Identifier: BSD-2-Clause */
/* Any talk of SMB, and RPC without it: nothing leaks, nothing outside is read, and cuts don't matter. */
#include "proto/test/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= 16384)
		talk_fuzz(APP_SMB, APP_DCERPC, data, size);
	return 0;
}
