/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Around a drop rule. The marker rules (rules/skep-prove.rules, sid 9999001 and 9999002) drop what holds the
 * pattern; nobody else has a reason to say it.
 */
#include "prove/prove_priv.h"

#include <string.h>

#define PATTERN PROVE_PATTERN
#define PATTERN_LEN ((uint32_t)sizeof(PATTERN) - 1)
#define LEAD 32u /* bytes before the pattern */
#define SAID (LEAD + PATTERN_LEN + 4)
#define HOLD_MORE_MS 100 /* beyond what the wall holds bytes back at the longest */

enum trick {
	TRICK_WHOLE,
	TRICK_SPLIT,
	TRICK_REVERSED,
	TRICK_OVERLAP,
	TRICK_AGAIN,
	TRICK_TTL,
	TRICK_SUM,
	TRICK_PIECES,
	TRICK_URGENT,
	TRICK_RESET,
	TRICK_MIXED,
	TRICK_BACK
};

static void unloaded(struct prove *p)
{
	run_row(p)->arrived = 0;
	run_skip(
		p,
		"the marker rule is not loaded (rules/skep-prove.rules), or the wall has no rules");
}

/* Does the pattern pass where no trick is played? */
void case_rule_packet(struct prove *p)
{
	uint8_t data[PROVE_MARK + PATTERN_LEN];
	for (int v6 = 0; v6 < 2; v6++) {
		struct head h = case_head(p, v6 ? &p->target6 : &p->target);
		if (h.from.ver == 0)
			continue;
		wire_mark(p, data);
		memcpy(data + PROVE_MARK, PATTERN, PATTERN_LEN);
		frame_udp(&p->pkt, &h, p->next_port++, 9, data, sizeof(data));
		wire_send(p);
	}
	run_settle(p);
	if (run_row(p)->arrived > 0 && !p->conf->rules)
		unloaded(p);
}

/* In order and without overlap, as any sender may cut it; the pattern over the edge. */
void case_rule_fragment(struct prove *p)
{
	uint8_t data[PROVE_MARK + PATTERN_LEN + PROVE_MARK], l4[8 + sizeof(data)];
	uint32_t first = 8 + PROVE_MARK + 16, whole = 0;
	p->heard_pattern = false;
	for (int v6 = 0; v6 < 2; v6++) {
		struct head h = case_head(p, v6 ? &p->target6 : &p->target);
		if (h.from.ver == 0)
			continue;
		uint32_t serial = p->serial;
		h.proto = PROVE_UDP;
		h.id = (uint16_t)p->next_port++;
		wire_mark(p, data);
		memcpy(data + PROVE_MARK, PATTERN, PATTERN_LEN);
		wire_mark(p, data + PROVE_MARK + PATTERN_LEN);
		uint32_t len = frame_udp_part(l4, &h, p->next_port, 9, data, sizeof(data));
		h.frag = 0x2000;
		frame_ip(&p->pkt, &h, l4, first);
		wire_send(p);
		h.frag = (uint16_t)(first / 8);
		frame_ip(&p->pkt, &h, l4 + first, len - first);
		wire_send(p);
		run_settle(p);
		whole += (wire_seen(p, serial) && wire_seen(p, serial + 1)) || p->heard_pattern;
	}
	run_row(p)->arrived = whole;
	run_row(p)->note[0] = '\0';
	if (whole > 0 && !p->conf->rules)
		unloaded(p);
}

/* ---- in a conversation ------------------------------------------------------------------------------ */

static void segment(struct prove *p, struct talk *k, const uint8_t *all, uint32_t from,
		    uint32_t len)
{
	k->t.seq = TALK_FIRST + from;
	run_row(p)->sent++;
	talk_say(p, k, TCP_PSH | TCP_ACK, all + from, len);
	wire_hear(p, 0);
}

static void overlapping(struct prove *p, struct talk *k, const uint8_t *all, uint32_t n)
{
	uint8_t other[SAID];
	memcpy(other, all, n);
	memset(other + LEAD + 8, 'x', 8);
	segment(p, k, other, LEAD + 8, 16); /* ahead, with other bytes in it */
	segment(p, k, all, 0, LEAD + 8);
	segment(p, k, all, LEAD + 4, 20);
	segment(p, k, all, LEAD + 16, n - LEAD - 16);
	segment(p, k, all, 0, n);
}

/* What the receiver never gets, then the truth. */
static void chaffed(struct prove *p, struct talk *k, enum trick trick, const uint8_t *all,
		    uint32_t n)
{
	const struct head h = k->h;
	uint8_t chaff[SAID];
	memset(chaff, 'c', sizeof(chaff));
	if (trick == TRICK_TTL)
		k->h.ttl = 2;
	else
		k->h.bad_l4_sum = true;
	segment(p, k, chaff, 0, n);
	k->h = h;
	segment(p, k, all, 0, n);
}

static void in_fragments(struct prove *p, struct talk *k, const uint8_t *all, uint32_t n)
{
	uint8_t l4[20 + SAID];
	struct head h = k->h;
	uint32_t cut = 20 + LEAD + PROVE_CUT; /* of fragments' units */
	k->t.flags = TCP_PSH | TCP_ACK;
	k->t.seq = TALK_FIRST;
	h.proto = PROVE_TCP;
	h.id = p->next_port++;
	uint32_t len = frame_tcp_part(l4, &h, &k->t, all, n);
	h.frag = 0x2000;
	frame_ip(&p->pkt, &h, l4, cut);
	wire_send_quietly(p);
	h.frag = (uint16_t)(cut / 8);
	frame_ip(&p->pkt, &h, l4 + cut, len - cut);
	wire_send_quietly(p);
	run_row(p)->sent += 2;
	wire_hear(p, 0);
}

/* A byte too many, which who reads urgent data elsewhere never sees. */
static void urgent(struct prove *p, struct talk *k, const uint8_t *all, uint32_t n)
{
	uint8_t more[SAID + 1];
	uint32_t at = LEAD + 10;
	memcpy(more, all, at);
	more[at] = 'u';
	memcpy(more + at + 1, all + at, n - at);
	k->t.seq = TALK_FIRST;
	k->t.urgent = (uint16_t)(at + 1);
	run_row(p)->sent++;
	talk_say(p, k, TCP_PSH | TCP_ACK | TCP_URG, more, n + 1);
	k->t.urgent = 0;
	wire_hear(p, 0);
}

/* Resets that its receiver does not believe, each between two halves. */
static void with_reset(struct prove *p, struct talk *k, const uint8_t *all, uint32_t n)
{
	static const uint32_t off[] = {0x40000000, 0xf0000000};
	segment(p, k, all, 0, LEAD + 9);
	for (size_t i = 0; i < ARRAY_LEN(off); i++) {
		k->t.seq = TALK_FIRST + LEAD + 9 + off[i];
		talk_say(p, k, TCP_RST, NULL, 0);
	}
	segment(p, k, all, LEAD + 9, n - LEAD - 9);
	segment(p, k, all, 0, n);
}

static void mixed(struct prove *p, struct talk *k, const uint8_t *all, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) { /* 29 and 67 have no divisor in common */
		uint32_t at = i * 29 % n, len = 1 + i % 5;
		segment(p, k, all, at, len < n - at ? len : n - at);
		segment(p, k, all, at, 1);
	}
}

static void back(struct prove *p, struct talk *k, const uint8_t *all, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		k->far_t.seq = TALK_BACK + i;
		run_row(p)->sent++;
		talk_hear(p, k, TCP_PSH | TCP_ACK, all + i, 1);
		wire_hear(p, 0);
	}
	k->far_t.seq = TALK_BACK;
	talk_hear(p, k, TCP_PSH | TCP_ACK, all, n);
}

static void play(struct prove *p, struct talk *k, enum trick trick, const uint8_t *all, uint32_t n)
{
	switch (trick) {
	case TRICK_WHOLE:
		segment(p, k, all, 0, n);
		break;
	case TRICK_SPLIT:
		for (uint32_t i = 0; i < n; i++)
			segment(p, k, all, i, 1);
		break;
	case TRICK_REVERSED:
		for (uint32_t i = n; i > 0; i -= i < 4 ? i : 4)
			segment(p, k, all, i < 4 ? 0 : i - 4, i < 4 ? i : 4);
		break;
	case TRICK_OVERLAP:
		overlapping(p, k, all, n);
		break;
	case TRICK_AGAIN:
		for (int i = 0; i < 10; i++)
			segment(p, k, all, 0, n);
		segment(p, k, all, 0, LEAD + 10);
		segment(p, k, all, LEAD + 10, n - LEAD - 10);
		break;
	case TRICK_TTL:
	case TRICK_SUM:
		chaffed(p, k, trick, all, n);
		break;
	case TRICK_PIECES:
		in_fragments(p, k, all, n);
		break;
	case TRICK_URGENT:
		urgent(p, k, all, n);
		break;
	case TRICK_RESET:
		with_reset(p, k, all, n);
		break;
	case TRICK_MIXED:
		mixed(p, k, all, n);
		break;
	case TRICK_BACK:
		back(p, k, all, n);
		break;
	}
}

/* Who receives it can read it only up to the first byte that is missing. */
static bool has_pattern(const struct heard_stream *s)
{
	const uint8_t *gap = memchr(s->have, 0, PROVE_STREAM);
	size_t n = gap != NULL ? (size_t)(gap - s->have) : PROVE_STREAM;
	return memmem(s->newest, n, PATTERN, PATTERN_LEN) != NULL ||
	       memmem(s->oldest, n, PATTERN, PATTERN_LEN) != NULL;
}

/* Without the urgent byte: as who takes it out of the stream reads it. */
static void take_out(struct heard_stream *s)
{
	uint32_t at = LEAD + 10, rest = PROVE_STREAM - at - 1;
	memmove(s->newest + at, s->newest + at + 1, rest);
	memmove(s->oldest + at, s->oldest + at + 1, rest);
	memmove(s->have + at, s->have + at + 1, rest);
}

static enum trick trick_of(const struct prove *p)
{
	int arg = 0;
	for (const struct prove_case *c = prove_cases; c->name != NULL; c++)
		if (c->name == p->rows[p->row].name)
			arg = c->arg;
	return (enum trick)arg;
}

/* One conversation. Did the pattern come out, or bytes of which nobody knows which of them the receiver takes? */
static bool leaks(struct prove *p, struct talk *k, enum trick trick)
{
	uint8_t all[SAID];
	memset(all, '.', sizeof(all));
	memcpy(all + LEAD, PATTERN, PATTERN_LEN);
	p->heard_pattern = p->heard_rest = p->urgent_left = false;
	play(p, k, trick, all, sizeof(all));
	for (int64_t end = clock_boot_ns() + p->c->rules.hold_ns + HOLD_MORE_MS * NS_PER_MS;
	     clock_boot_ns() < end;)
		wire_hear(p, 20);
	run_settle(p);
	if (trick == TRICK_URGENT && p->urgent_left)
		take_out(&p->stream);
	return p->stream.differs || has_pattern(&p->stream) || has_pattern(&p->back) ||
	       p->heard_pattern || (trick == TRICK_PIECES && p->heard_rest);
}

/* arg: enum trick. Begun by the guest over IPv4, and by somebody outside over IPv6 (which no limit bounds). */
void case_rule_stream(struct prove *p)
{
	enum trick trick = trick_of(p);
	struct talk k;
	uint32_t n = 0;
	struct expect e = expect_of(p, PROVE_TCP, 80, &p->target);
	if (expect_passes(&e) && talk_open(p, &k)) {
		p->used[0]++;
		n++;
		run_row(p)->arrived += leaks(p, &k, trick);
	} else if (talk_be_called(p, false, &k)) {
		n++;
		run_row(p)->arrived += leaks(p, &k, trick);
	}
	if (talk_be_called(p, true, &k)) {
		n++;
		run_row(p)->arrived += leaks(p, &k, trick);
	}
	if (n == 0)
		run_skip(p, "no TCP conversation is allowed any more");
	if (run_row(p)->arrived > 0 && !p->conf->rules)
		unloaded(p);
}
