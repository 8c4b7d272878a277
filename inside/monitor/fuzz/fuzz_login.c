/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any talk of sshd's halves, in calls of any size of which any part is there: what is found lies within its
 * bounds, and nothing is found that was not asked for. Input: for each call a byte of direction and how much
 * is missing, a byte of size, the bytes.
 */
#include "monitor/login.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct login_talk t = {0};

	while (size >= 2) {
		size_t have = data[1] < size - 2 ? data[1] : size - 2, missing = data[0] >> 1;
		bool writes = data[0] & 1, ok = false, asked = t.pending;
		/* A copy of its own, so that the sanitizer sees each byte too many. */
		uint8_t *call = malloc(have ? have : 1);

		if (!call)
			return 0;
		memcpy(call, data + 2, have);
		bool found = login_feed(&t, writes, call, have, have + missing * 64, &ok);

		free(call);
		must(!found || (writes && asked && !t.pending));
		must(t.user_len <= LOGIN_TEXT && t.secret_len <= LOGIN_TEXT);
		must(memchr(t.method, 0, sizeof(t.method)) != NULL);
		must(t.asked.have <= LOGIN_MESSAGE && t.answered.have <= LOGIN_MESSAGE);
		data += 2 + have;
		size -= 2 + have;
	}
	return 0;
}
