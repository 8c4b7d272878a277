/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the parts of a message stood in the stream. Only for src/proto/http. */
#ifndef SKEP_PROTO_HTTP_WIRE_H
#define SKEP_PROTO_HTTP_WIRE_H

#include "proto/proto_priv.h"

#define HTTP_RUNS 64u
struct http_run { /* bytes of the body that stood together in the stream */
	uint64_t body, at;
	uint64_t len;
};
struct http_places {
	/* Where it stood in the stream: text[0]; text[heads] and what follows, up to heads_end. */
	uint64_t line_at, heads_at;
	uint32_t heads, heads_end;
	struct http_run *runs; /* of the body, the last ones; slab */
	uint16_t n_runs, cap_runs;
	uint64_t body_len; /* bytes of the body without framing */
	bool no_wire;      /* what rules see of the body is not what was sent */
	bool framed;       /* by a length or in chunks */
	bool reframed;     /* somebody else sees to that */
	bool telling;      /* ... and is told where the body stands */
};

#endif
