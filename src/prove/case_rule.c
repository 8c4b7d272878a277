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
#define HOLD_MS 500 /* the longest that the wall holds bytes back */

enum trick {
	TRICK_WHOLE,
	TRICK_SPLIT,
	TRICK_REVERSED,
	TRICK_OVERLAP,
	TRICK_AGAIN,
	TRICK_TTL,
	TRICK_SUM
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
}

static void play(struct prove *p, struct talk *k, enum trick trick, const uint8_t *all, uint32_t n)
{
	uint8_t ttl = k->h.ttl, chaff[SAID];
	memset(chaff, 'c', sizeof(chaff));
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
	case TRICK_TTL: /* chaff that the receiver never gets, then the truth */
		k->h.ttl = 2;
		segment(p, k, chaff, 0, n);
		k->h.ttl = ttl;
		segment(p, k, all, 0, n);
		break;
	case TRICK_SUM:
		k->h.bad_l4_sum = true;
		segment(p, k, chaff, 0, n);
		k->h.bad_l4_sum = false;
		segment(p, k, all, 0, n);
		break;
	}
}

static bool passed_whole(const struct prove *p)
{
	const struct heard_stream *s = &p->stream;
	for (uint32_t i = 0; i + PATTERN_LEN <= PROVE_STREAM; i++)
		if ((memcmp(s->newest + i, PATTERN, PATTERN_LEN) == 0 ||
		     memcmp(s->oldest + i, PATTERN, PATTERN_LEN) == 0) &&
		    memchr(s->have + i, 0, PATTERN_LEN) == NULL)
			return true;
	return false;
}

/* arg: enum trick */
void case_rule_stream(struct prove *p)
{
	uint8_t all[SAID];
	struct talk k;
	int arg = 0;
	for (const struct prove_case *c = prove_cases; c->name != NULL; c++)
		if (c->name == run_row(p)->name)
			arg = c->arg;
	memset(all, '.', sizeof(all));
	memcpy(all + LEAD, PATTERN, PATTERN_LEN);
	if (!talk_open(p, &k)) {
		run_skip(p, "no TCP conversation is allowed any more");
		return;
	}
	p->used[0]++;
	play(p, &k, (enum trick)arg, all, sizeof(all));
	for (int64_t end = clock_boot_ns() + HOLD_MS * NS_PER_MS; clock_boot_ns() < end;)
		wire_hear(p, 50);
	run_settle(p);
	run_row(p)->arrived = passed_whole(p);
	if (run_row(p)->arrived > 0 && !p->conf->rules)
		unloaded(p);
}
