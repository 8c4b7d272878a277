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

#endif
