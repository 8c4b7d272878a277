/* SPDX-License-Identifier: BSD-2-Clause */
/* scrub, inside: what its files share. */
#ifndef SKEP_SCRUB_PRIV_H
#define SKEP_SCRUB_PRIV_H

#include "scrub/emit_priv.h"
#include "scrub/scrub.h"
#include "scrub/xlate_priv.h"

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };
#define HEAD_BYTES 256u

/* The headers behind which bytes of a direction can leave without a frame of their own: as many bytes as they
 * were ever long, at most HEAD_BYTES. */
struct talk_head {
	struct layers l;
	struct vnet vnet;
	uint16_t in_port, out_port;
	uint16_t room; /* bytes there are */
	uint8_t bytes[];
};

/* Bytes that wait: oldest first. */
struct talk;
struct wait {
	struct talk *talk;
	struct wait *older, *newer;
	int64_t since_ns; /* 0: nothing waits */
	int64_t at, end;  /* in offsets: of the first that waits, behind the last */
	int64_t first_ns; /* it waits at that place since then */
	uint32_t tries;
};
struct waits {
	struct wait *oldest, *newest;
};

/* Where the body of a message stands, as far as it has not left. bodies.c */
struct talk_run {
	uint64_t off;
	uint32_t len;
	uint8_t kind;
};
struct talk_runs {
	struct talk_run *at; /* in order; slab */
	uint32_t n, cap;
	uint64_t end;      /* of the body so far */
	uint32_t counting; /* bodies counted anew whose end has not left */
	bool by_length;    /* it came with a length */
	bool broken;       /* there was no room */
};

/* A TCP conversation of which at least one direction may be changed. In stream_flow.user. */
struct talk {
	struct stream_flow *flow;
	struct xlate *x[2];  /* NULL: that direction leaves as it comes */
	struct wait wait[2]; /* held: what leaves when it is time */
	/* In offset up to which the wall has acknowledged in the receiver's name: that is for the wall to bring. */
	int64_t promised[2];
	struct wait owed[2];
	struct talk_head *head[2]; /* slab; NULL: none yet */
	uint32_t most[2]; /* bytes of the longest IP packet of a direction, as it is on the wire */
	struct talk_runs runs[2];
};

struct scrub {
	struct scrub_conf conf;
	struct inspect *inspect;
	struct emit *emit;
	struct scrub_stats stats;
	uint32_t n_talks;
	bool may_rewrite; /* a conversation was seen that rules may change */
	struct waits holds, owed;
	/* ---- the frame in hand ---- */
	const struct frame *f;
	const struct layers *l;
	struct scrub_seen *seen;
	int64_t now_ns;
	bool whole;             /* a packet with its transport header was looked at */
	struct stream_flow *of; /* whose conversation it is, known before stream has it; NULL */
	int64_t end, sent;      /* then: what was in order, and had been sent, of its direction */
	uint32_t ack;           /* as the frame has it */
	struct stream_result r;
	uint32_t patch_at, patch_len; /* offset in the frame; bytes that leave instead of its own */
	uint8_t patch[FRAME_MAX];
	struct frame *out[1];
	bool has_back; /* the receiver's answer, in its name */
	struct frame back;
	uint8_t back_bytes[HEAD_BYTES + 64];
};

/* ---- talk.c ------------------------------------------------------------------------------------------ */

/* Notes what is known before stream has the packet, and gives it the acknowledgement that it understands. */
void talk_before(struct scrub *s, struct pkt *p);
/* Takes over what rules want to be changed and held back. False: it can't be done, so it must not pass. */
MUST_USE bool talk_seen(struct scrub *s, const struct inspect_seen *x);
/* The frames that leave instead of f: emit has them. */
void talk_leave(struct scrub *s, const struct scrub_seen *seen, struct frame *f, struct layers *l,
		uint16_t out_port);
/* An ICMP error about a segment of such a conversation: what it quotes is numbered as its sender counts. */
void talk_quoted(struct scrub *s, const struct inspect_seen *x);
void talk_quote(const struct scrub_seen *seen, struct frame *f, const struct layers *l);
void talk_forget(struct scrub *s, struct stream_flow *f);
/* The state of a conversation, made if need be. NULL: no memory. */
struct talk *talk_of(struct scrub *s, struct stream_flow *f);
/* The sequence number that the receiver of a direction waits for. */
uint32_t talk_next(const struct stream_flow *f, unsigned dir, uint32_t seq);

/* ---- back.c ------------------------------------------------------------------------------------------ */

/* An answer to a segment of the direction that its receiver did not get; first: a byte of it. */
void back_say(struct scrub *s, const struct talk *t, unsigned dir, uint64_t first);
/* The same, acknowledging what came before this offset. */
void back_promise(struct scrub *s, const struct talk *t, unsigned dir, uint64_t upto);

/* ---- bodies.c ---------------------------------------------------------------------------------------- */

/* For app_ctx_set_framing; ctx: the scrub. */
bool bodies_frame(void *ctx, const struct app *a, const struct app_frame_at *f);
/* Makes the edits for what will leave up to *limit, which it lowers where something must wait. False: it can't be
 * done. */
MUST_USE bool bodies_leave(struct scrub *s, struct talk *t, unsigned dir, int64_t *limit);
void bodies_free(struct scrub *s, struct talk *t);

#endif
