/* SPDX-License-Identifier: BSD-2-Clause */
/* A conversation in HTTP for tests: bytes in, whole or in pieces; buffers and events out. */
#ifndef SKEP_PROTO_HTTP_TEST_SAY_H
#define SKEP_PROTO_HTTP_TEST_SAY_H

#include "proto/proto_priv.h"

#define SAY_MAX (1u << 20)

struct talk {
	struct slab *slab;
	struct app_ctx *ctx;
	struct app *app;
	struct stream_flow flow;
	uint32_t cut; /* bytes a piece; 0: whole */
	uint8_t *held[2];
	uint32_t len[2], done[2];
};

void talk_begin(struct talk *t, uint32_t cut);
/* Bytes of a direction. */
void talk_say(struct talk *t, unsigned dir, const void *data, uint32_t len);
void talk_str(struct talk *t, unsigned dir, const char *text);
void talk_gap(struct talk *t, unsigned dir, uint32_t len);
void talk_eof(struct talk *t, unsigned dir);
/* Ends the flow; all memory must be back. */
void talk_end(struct talk *t);
struct app_tx *talk_tx(struct talk *t, unsigned n);
bool talk_event(const struct app_tx *tx, const char *name);
/* The buffer's instance is exactly this text (NULL: there is none). */
bool talk_is(struct talk *t, unsigned n, enum app_buffer b, unsigned dir, uint32_t index,
	     const char *text);

/* A conversation: what both say, and what must come of it. */
struct want {
	unsigned tx;
	enum app_buffer buffer;
	unsigned dir;
	uint32_t index;
	const char *text; /* NULL: absent */
};
struct script {
	const char *what;
	const char *say[2];
	struct want want[14];  /* ends at text NULL and buffer 0 */
	const char *events[5]; /* of transaction 0 */
	const char *not_events[3];
	unsigned n_tx; /* 0: 1 */
};

/* Runs each whole and cut; a wrong result ends the test. */
void run_all(const struct script *s, size_t n);

#endif
