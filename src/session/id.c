/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers of sessions: 42 bits of milliseconds since the epoch, 11 bits that count within one; so they grow
 * with time, stay below 2^53 (every JSON reader keeps them exact) and need no state that outlives us.
 * As text: 11 digits of base 32 (Crockford's, small letters), whose order is theirs.
 */
#include "session/session_priv.h"

#include <errno.h>
#include <string.h>

uint64_t id_next(uint64_t last, int64_t now_wall_ns)
{
	uint64_t ms = now_wall_ns > 0 ? (uint64_t)(now_wall_ns / NS_PER_MS) : 0;
	uint64_t id = (ms & ((UINT64_C(1) << 42) - 1)) << 11;
	return id > last ? id : last + 1;
}

const char *session_id_text(uint64_t id, char buf[SESSION_ID_TEXT])
{
	return event_session_text(id, buf);
}

int session_id_parse(const char *s, uint64_t *ret)
{
	return event_session_parse(s, ret);
}
