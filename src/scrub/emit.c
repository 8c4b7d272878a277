/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of a translated stream. Numbers in place change checksums incrementally (packet_set_bytes); a frame
 * whose length changes is summed anew.
 */
#include "scrub/emit_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MSS_LEAST 536u /* RFC 9293 3.7.1 */
#define IP_MAX 65535u
#define IP6_FIXED 40u
#define OPT_END 0u
#define OPT_NOP 1u
#define OPT_SACK 5u
#define FLAG_CWR 0x80u

struct emit {
	struct frame own[SCRUB_FRAMES];
	struct frame *list[SCRUB_FRAMES];
	uint32_t n, n_own;
	uint8_t data[SCRUB_FRAMES][FRAME_MAX];
};

int emit_create(struct emit **ret)
{
	struct emit *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < SCRUB_FRAMES; i++) {
		e->own[i].data = e->data[i];
		e->own[i].cap = FRAME_MAX;
	}
	*ret = e;
	return 0;
}

void emit_free(struct emit **e)
{
	free(*e);
	*e = NULL;
}

void emit_clear(struct emit *e)
{
	e->n = e->n_own = 0;
}

uint32_t emit_frames(struct emit *e, struct frame ***ret)
{
	*ret = e->list;
	return e->n;
}

int emit_add(struct emit *e, struct frame *f)
{
	if (e->n == SCRUB_FRAMES)
		return SKEP_EFULL;
	e->list[e->n++] = f;
	return 0;
}

/* ---- in place ------------------------------------------------------------------------------------- */

static bool is_partial(const struct frame *f)
{
	return (f->vnet.flags & VNET_NEEDS_CSUM) != 0;
}

/* Translates the blocks of one SACK option of len bytes; those that vanish make room for NOPs behind. */
static void translate_blocks(uint8_t *opt, uint32_t len, const struct xlate *peer)
{
	uint32_t at = 2;
	for (uint32_t i = 2; i + 8 <= len; i += 8) {
		uint32_t left = load_be32(opt + i), right = load_be32(opt + i + 4);
		if (!xlate_sack(peer, &left, &right))
			continue;
		store_be32(opt + at, left);
		store_be32(opt + at + 4, right);
		at += 8;
	}
	if (at == 2)
		at = 0;
	else
		opt[1] = (uint8_t)at;
	memset(opt + at, OPT_NOP, len - at);
}

static void translate_sack(struct frame *f, const struct layers *l, const struct xlate *peer)
{
	uint32_t start = l->l4 + 20, n = l->payload > start ? l->payload - start : 0;
	uint8_t opts[40];
	bool found = false;
	if (n == 0 || n > sizeof(opts))
		return;
	memcpy(opts, f->data + start, n);
	for (uint32_t i = 0; i < n && opts[i] != OPT_END;) {
		uint32_t len = opts[i] == OPT_NOP ? 1 : i + 1 < n ? opts[i + 1] : 0;
		if (len == 0 || len > n - i || (len == 1 && opts[i] != OPT_NOP))
			break; /* nobody can read on from here */
		if (opts[i] == OPT_SACK) {
			translate_blocks(opts + i, len, peer);
			found = true;
		}
		i += len;
	}
	if (found)
		packet_set_bytes(f, l, start, opts, n);
}

void emit_headers(struct frame *f, struct layers *l, const struct xlate *own,
		  const struct xlate *peer)
{
	bool bare = l->l3_end == l->payload && (l->tcp_flags & (TCP_SYN | TCP_FIN)) == 0;
	bool acks = (l->tcp_flags & TCP_ACK) != 0;
	uint32_t seq = xlate_seq(own, l->seq, bare || (l->tcp_flags & TCP_RST) != 0);
	uint32_t ack = acks ? xlate_ack(peer, l->ack) : l->ack;
	if (acks && peer != NULL)
		translate_sack(f, l, peer);
	if (seq != l->seq || ack != l->ack)
		packet_set_seq_ack(f, l, seq, ack);
}

static void set_flags(struct frame *f, const struct layers *l, uint8_t drop)
{
	f->data[l->l4 + 13] &= (uint8_t)~drop;
}

void emit_cut(struct frame *f, struct layers *l, uint32_t front, uint32_t back)
{
	uint32_t len = l->l3_end - l->payload;
	front = front < len ? front : len;
	back = back < len - front ? back : len - front;
	if (front + back == 0)
		return;
	uint8_t *p = f->data + l->payload;
	memmove(p, p + front, len - front - back);
	store_be32(f->data + l->l4 + 4, l->seq + front);
	if (back > 0)
		set_flags(f, l, TCP_FIN | TCP_PSH);
	len -= front + back;
	uint16_t gso = f->vnet.gso_type != 0 && len > f->vnet.gso_size ? f->vnet.gso_size : 0;
	packet_finish_tcp(f, l, len, is_partial(f), gso);
}

void emit_bare(struct frame *f, struct layers *l, uint32_t seq)
{
	uint8_t *tcp = f->data + l->l4;
	store_be32(tcp + 4, seq);
	tcp[13] =
		(tcp[13] & (uint8_t) ~(TCP_FIN | TCP_SYN | TCP_PSH | TCP_URG | FLAG_CWR)) | TCP_ACK;
	store_be16(tcp + 18, 0);
	packet_finish_tcp(f, l, 0, is_partial(f), 0);
}

void emit_probe(struct frame *f, struct layers *l, const struct xlate *x)
{
	emit_bare(f, l, xlate_old(x));
}

void emit_reset(struct frame *f, struct layers *l, uint32_t seq)
{
	uint8_t *tcp = f->data + l->l4;
	store_be32(tcp + 4, seq);
	tcp[12] = 0x50; /* without options */
	tcp[13] = TCP_RST | (tcp[13] & TCP_ACK);
	store_be16(tcp + 14, 0);
	store_be16(tcp + 18, 0);
	l->payload = l->l4 + 20;
	packet_finish_tcp(f, l, 0, is_partial(f), 0);
}

/* ---- frames of a stream's bytes ------------------------------------------------------------------- */

static uint32_t segment_size(const struct frame *head, const struct layers *l, uint16_t mss)
{
	if (mss != 0)
		return mss;
	if (head->vnet.gso_type != 0 && head->vnet.gso_size != 0)
		return head->vnet.gso_size;
	uint32_t len = l->l3_end > l->payload ? l->l3_end - l->payload : 0;
	len = len < IP_MAX ? len : IP_MAX;
	return len > MSS_LEAST ? len : MSS_LEAST;
}

/* Bytes of payload that one frame can carry: whole segments, if it carries several. */
static uint32_t frame_room(const struct layers *l, uint32_t mss, bool syn)
{
	uint32_t headers = l->payload - l->l3 - (l->ip_ver == 6 ? IP6_FIXED : 0);
	uint32_t room = IP_MAX - headers;
	if (syn || room < mss)
		return room < mss ? room
				  : mss; /* the kernel would repeat the SYN in each segment */
	return room - room % mss;
}

/* One frame of n bytes from out offset `from` on. nth: segments made before it. */
static int emit_one(struct frame *f, const struct frame *head, const struct layers *layers,
		    const struct emit_what *w, int64_t from, uint32_t n, uint32_t mss, uint32_t nth)
{
	struct layers l = *layers;
	memcpy(f->data, head->data, l.payload);
	f->stamp_ns = head->stamp_ns;
	f->port = head->port;
	int err = xlate_read(w->x, &w->kept, from, f->data + l.payload, n);
	if (err != 0)
		return err;
	uint8_t *ip = f->data + l.l3, *tcp = f->data + l.l4;
	bool last = from + n + w->fin >= w->to, syn = (tcp[13] & TCP_SYN) != 0 && nth == 0;
	uint8_t flags = tcp[13] & (uint8_t) ~(TCP_FIN | TCP_PSH | TCP_URG | TCP_SYN);
	if (nth > 0)
		flags &= (uint8_t)~FLAG_CWR;
	flags |= (uint8_t)((syn ? TCP_SYN : 0) | (last && w->fin ? TCP_FIN : 0) |
			   (last && w->push ? TCP_PSH : 0));
	tcp[13] = flags;
	store_be32(tcp + 4, xlate_number(w->x, from - syn));
	store_be16(tcp + 18, 0);
	if (l.ip_ver == 4)
		store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + nth));
	packet_finish_tcp(f, &l, n, is_partial(head), n > mss ? (uint16_t)mss : 0);
	return 0;
}

int emit_stream(struct emit *e, const struct frame *head, const struct layers *l,
		const struct emit_what *w, int64_t *ret_done)
{
	int64_t at = w->from, end = w->to - w->fin; /* of the bytes */
	uint32_t mss = segment_size(head, l, w->mss), nth = 0;
	*ret_done = at;
	if (l->l4 == 0 || l->fragment || l->l3 > FRAME_MAX - IP_MAX - IP6_FIXED ||
	    l->payload - l->l3 > IP_MAX / 2)
		return SKEP_EFORMAT;
	while (at < end || (w->fin && at == end)) {
		bool syn = nth == 0 && (head->data[l->l4 + 13] & TCP_SYN) != 0;
		uint32_t room = frame_room(l, mss, syn);
		uint32_t n = end - at < room ? (uint32_t)(end - at) : room;
		if (e->n == SCRUB_FRAMES || e->n_own == SCRUB_FRAMES)
			return SKEP_EFULL;
		struct frame *f = &e->own[e->n_own];
		int err = emit_one(f, head, l, w, at, n, mss, nth);
		if (err != 0)
			return err;
		e->n_own++;
		e->list[e->n++] = f;
		nth += n == 0 ? 1 : (n + mss - 1) / mss;
		at += n;
		*ret_done = at == end ? w->to : at;
		if (at == end)
			break;
	}
	return 0;
}
