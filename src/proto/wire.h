/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of proto.h: from what a protocol's buffers hold back to the bytes of the stream, for who changes them on the
 * way. */
#ifndef SKEP_PROTO_WIRE_H
#define SKEP_PROTO_WIRE_H

#include "proto/proto.h"

/* Where bytes off .. off + len of that buffer stand in the direction's stream: pieces in order, at most max
 * (a body's chunks, a name whose escapes were undone). pieces[i].len may differ from what it stands for, if one
 * byte of the buffer was several on the wire. 0: it does not map back (made up, decompressed, joined, too
 * many pieces, too long ago). */
struct app_piece {
	uint64_t off; /* in the stream */
	uint32_t len; /* on the wire */
};
uint32_t app_wire(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		  uint32_t index, uint64_t off, uint32_t len, struct app_piece *pieces,
		  uint32_t max);
/* Told when a growing buffer of the flow has taken so much at once that the oldest of it will go: who wants to see it
 * must look now, in the midst of app_feed. */
typedef void app_full_fn(void *ctx, struct app *a);
void app_ctx_set_full(struct app_ctx *c, app_full_fn *fn, void *ctx);
/* What who rewrites bodies is told while messages are read, in order. */
enum app_frame {
	APP_FRAME_HEAD,  /* a head is complete */
	APP_FRAME_BODY,  /* these bytes are body, as it was sent */
	APP_FRAME_COUNT, /* these count it: the line of a chunk, the end of one */
	APP_FRAME_END    /* the body is over */
};
struct app_frame_at {
	uint8_t kind, dir; /* enum app_frame; of the talk */
	uint64_t off;      /* in the stream (BODY, COUNT) */
	uint32_t len;
	struct app_piece
		length; /* HEAD: Content-Length, from name to value; len 0: none, or not in one piece */
	bool chunked;   /* the body comes in chunks; else by length, or there is none */
	bool chunkable; /* there is one that both sides could have in chunks, and it is not encoded */
};
/* HEAD returns true if the body will be framed anew: then it may have any length (app_is_framed says no), and the
 * rest is told, too; else it is not. Other kinds: the result is ignored. */
typedef bool app_frame_fn(void *ctx, const struct app *a, const struct app_frame_at *f);
void app_ctx_set_framing(struct app_ctx *c, app_frame_fn *fn, void *ctx);
/* Is the body of that direction counted on the wire (a length before it, or chunks)? Then its length can't be
 * changed alone. */
bool app_is_framed(const struct app *a, const struct app_tx *tx, unsigned dir);
/* Stream offset from which on the message in hand of that direction is incomplete in its head (first line and
 * headers); UINT64_MAX: none is, a body is going on or nothing has begun. */
uint64_t app_head_begins(const struct app *a, unsigned dir);
#endif
