/* SPDX-License-Identifier: BSD-2-Clause */
/* A conversation for tests: says bytes in pieces, as a stream would, and tells as text what the
 * parser made of them. */
#ifndef SKEP_PROTO_TALK_H
#define SKEP_PROTO_TALK_H

#include "proto/proto_priv.h"

struct talk {
	struct slab *slab;
	struct app_ctx *ctx;
	struct stream_flow flow;
	struct app *app;
	uint8_t *held[2]; /* what the parser has not taken yet */
	uint32_t n_held[2];
	int64_t now_ns;
};

/* A flow of this protocol, known from the start. */
void talk_open(struct talk *t, enum app_proto proto, bool tcp);
/* Says len bytes in pieces of cut bytes (0: at once). */
void talk_say(struct talk *t, unsigned dir, const void *data, uint32_t len, uint32_t cut);
/* len bytes are missing, and with them those that the parser had not taken. */
void talk_gap(struct talk *t, unsigned dir, uint32_t len);
/* Both directions are over. */
void talk_end(struct talk *t);
void talk_close(struct talk *t);
/* Everything that all transactions tell; the caller frees. */
char *talk_tell(const struct talk *t);

struct said {
	unsigned dir;
	const void *data;
	uint32_t len;
};
#define SAY(dir, text)                      \
	{                                   \
		dir, text, sizeof(text) - 1 \
	}
/* Says it all, ends, and tells; the caller frees. */
char *talk_run(enum app_proto proto, bool tcp, const struct said *s, uint32_t n, uint32_t cut);
/* Aborts if the result depends on how what is said is cut; or if any beginning of it does harm.
 * Returns the result; the caller frees. */
char *talk_cuts(enum app_proto proto, const struct said *s, uint32_t n);
/* One input of a fuzz target: options, then records of direction and flags (1), length (2), bytes.
 * Aborts if cutting the pieces otherwise changes what comes out. */
void talk_fuzz(enum app_proto tcp, enum app_proto other, const uint8_t *data, size_t size);

#endif
