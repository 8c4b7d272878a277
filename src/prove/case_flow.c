/* SPDX-License-Identifier: BSD-2-Clause */
/* What is allowed, and how much of it. */
#include "prove/prove_priv.h"

#include <string.h>

#define OVER 12u         /* attempts beyond a limit */
#define LIMIT_MOST 3000u /* larger limits would take too long to fill */
#define RATE_TIMES 4u    /* so many seconds' worth at once */
#define RATE_MOST 12000u
#define SUPER_SEGMENT 100u /* bytes */
#define SUPER_SEGMENTS 90u

enum class { CLASS_TCP, CLASS_UDP, CLASS_ICMP, CLASS_OTHER };

/* ---- what a case begins with ------------------------------------------------------------------- */

struct addr case_addr(const char *text)
{
	struct addr a = {0};
	if (addr_parse(text, &a) != 0)
		a.ver = 0;
	return a;
}

struct head case_head(const struct prove *p, const struct addr *to)
{
	return (struct head){.to_mac = p->gate[to->ver == 6],
			     .from_mac = p->own->mac,
			     .from = to->ver == 6 ? p->own->inside6 : p->own->inside,
			     .to = *to,
			     .ttl = 64,
			     .id = (uint16_t)p->serial};
}

void case_udp_to(struct prove *p, struct head h, uint16_t dport)
{
	uint8_t mark[PROVE_MARK];
	wire_mark(p, mark);
	frame_udp(&p->pkt, &h, p->next_port++, dport, mark, sizeof(mark));
	wire_send(p);
}

void case_udp(struct prove *p, struct head h)
{
	case_udp_to(p, h, 9);
}

void case_flags(struct prove *p, struct head h, uint8_t flags, uint16_t dport)
{
	struct tcp_head t = {.sport = p->next_port++, .dport = dport, .flags = flags};
	t.seq = wire_seq(p);
	t.ack = (flags & TCP_ACK) != 0 ? 1 : 0;
	frame_tcp(&p->pkt, &h, &t, NULL, 0);
	wire_send(p);
}

void case_syn(struct prove *p, struct head h, uint16_t dport)
{
	case_flags(p, h, TCP_SYN, dport);
}

void case_ping(struct prove *p, struct head h)
{
	uint8_t mark[PROVE_MARK];
	wire_mark(p, mark);
	uint32_t rest = (uint32_t)p->next_port++ << 16 | 1;
	frame_icmp(&p->pkt, &h, h.from.ver == 6 ? 128 : 8, 0, rest, mark, sizeof(mark));
	wire_send(p);
}

int case_arg(const struct prove *p)
{
	const char *name = p->rows[p->row].name;
	for (const struct prove_case *k = prove_cases; k->name != NULL; k++)
		if (k->name == name)
			return k->arg;
	return 0;
}

/* ---- allowed ----------------------------------------------------------------------------------- */

static struct expect expect_class(const struct prove *p, enum class class, const struct addr *to)
{
	static const uint8_t protos[] = {PROVE_TCP, PROVE_UDP, PROVE_ICMP, 47};
	return expect_of(p, protos[class], class == CLASS_TCP ? 80 : 9, to);
}

static const struct conf_limit *limit_of(struct prove *p, enum class class, bool v6)
{
	const struct conf_limits *l = &p->c->wall.limits;
	const struct conf_limit *const of[] = {&l->tcp, &l->udp, &l->icmp, &l->other};
	struct expect e = expect_class(p, class, &p->target);
	struct expect e6 = expect_class(p, class, &p->target6);
	if (v6 && e.rule != e6.rule) {
		run_skip(p, "another rule of the policy decides over IPv6");
		return NULL;
	}
	return expect_limit(p, v6 ? &e6 : &e, of[class]);
}

/* How many conversations may still be begun while the proof runs; false: it can't be told. */
static bool budget(struct prove *p, const struct conf_limit *l, uint32_t used, uint32_t *ret)
{
	uint32_t max = UINT32_MAX;
	if (l == NULL)
		return false;
	for (uint32_t i = 0; i < l->n && i < CONF_WINDOWS; i++)
		if (l->w[i].window_ns >= 60 * NS_PER_SEC && l->w[i].max < max)
			max = l->w[i].max;
	if (max > LIMIT_MOST) {
		run_skip(p, l->n == 0           ? "no limit is set"
			    : max == UINT32_MAX ? "its windows are shorter than the proof"
						: "the limit is too large to be filled");
		return false;
	}
	*ret = max > used ? max - used : 0;
	return true;
}

static void one_of(struct prove *p, enum class class, bool v6)
{
	struct head h = case_head(p, v6 ? &p->target6 : &p->target);
	if (class == CLASS_TCP)
		case_syn(p, h, 80);
	else if (class == CLASS_UDP)
		case_udp(p, h);
	else
		case_ping(p, h);
}

static bool has_address(struct prove *p, bool v6)
{
	if (v6 ? p->own->inside6.ver != 0 && p->own->public6.ver != 0 && p->target6.ver != 0
	       : p->own->inside.ver != 0 && p->own->public.ver != 0)
		return true;
	run_skip(p, "the configuration leaves no IPv%d address for the proof", v6 ? 6 : 4);
	return false;
}

/* arg: class * 2 + v6 */
void case_allowed(struct prove *p)
{
	enum class class = (enum class)(case_arg(p) / 2);
	bool v6 = case_arg(p) % 2 != 0;
	const struct conf_limits *all = &p->c->wall.limits;
	const struct conf_limit *const of[] = {&all->tcp, &all->udp, &all->icmp};
	struct expect e = expect_class(p, class, v6 ? &p->target6 : &p->target);
	const struct conf_limit *l =
		e.rule != NULL && e.rule->connections.n > 0 ? &e.rule->connections : of[class];
	if (!has_address(p, v6))
		return;
	if (!expect_passes(&e) && e.act != ACT_REDIRECT) {
		run_skip(p, "nothing of the kind is allowed now");
		return;
	}
	for (uint32_t i = 0; i < l->n && i < CONF_WINDOWS && e.act != ACT_FORWARD; i++)
		if (l->w[i].max <= p->used[class]) {
			run_skip(p, "its limit allows no more than %u", l->w[i].max);
			return;
		}
	run_expect(p, 1, 1);
	one_of(p, class, v6);
	run_settle(p);
	p->used[class] += run_row(p)->arrived;
	if (run_row(p)->sunk > 0)
		text_copy(run_row(p)->note, sizeof(run_row(p)->note),
			  "the policy leads it into the sink");
}

/* ---- limits ------------------------------------------------------------------------------------- */

/* arg: class * 2 + v6 */
void case_limit(struct prove *p)
{
	enum class class = (enum class)(case_arg(p) / 2);
	bool v6 = case_arg(p) % 2 != 0;
	uint32_t left;
	if (!has_address(p, v6) || !budget(p, limit_of(p, class, v6), p->used[class], &left))
		return;
	run_forget(p);
	run_expect(p, 0, left);
	for (uint32_t i = 0; i < left + OVER; i++) {
		one_of(p, class, v6);
		run_pace(p);
	}
	run_settle(p);
	p->used[class] += run_row(p)->arrived;
}

static void one_tunnel(struct prove *p, uint8_t proto, unsigned n)
{
	uint8_t in[128] = {0};
	struct addr to = case_addr("192.0.2.100"), inner = case_addr("192.0.2.99");
	struct pkt *inside = &p->pkt;
	to.b[3] = (uint8_t)(to.b[3] + n % 100);
	if (proto == 41)
		inner = case_addr("2001:db8:80::99");
	struct head h = case_head(p, &to), hi = case_head(p, &inner);
	h.proto = proto;
	uint32_t at = proto == 47 ? 4 : 0; /* GRE's own header */
	uint8_t mark[PROVE_MARK];
	wire_mark(p, mark);
	if (proto == 4 || proto == 41 || proto == 47) {
		frame_udp(inside, &hi, 1, 9, mark, sizeof(mark));
		if (at != 0)
			store_be16(in + 2, 0x0800);
		uint32_t len = 14 + (proto == 41 ? 48u : 28u) + PROVE_MARK;
		memcpy(in + at, inside->b + 14, len - 14);
		at += len - 14;
	} else {
		at = 12;
		memcpy(in + at, mark, sizeof(mark));
		at += PROVE_MARK;
	}
	frame_ip(&p->pkt, &h, in, at);
	wire_send(p);
}

/* arg: the IP protocol; 0: others than the named ones */
void case_tunnel(struct prove *p)
{
	static const uint8_t others[] = {132, 33, 50, 51, 136, 2, 89, 103, 112, 253, 255, 0};
	int proto = case_arg(p);
	uint32_t left;
	if (!has_address(p, false) ||
	    !budget(p, limit_of(p, CLASS_OTHER, false), p->used[3], &left))
		return;
	run_expect(p, 0, left);
	for (uint32_t i = 0; i < left + OVER; i++) {
		one_tunnel(p, proto != 0 ? (uint8_t)proto : others[i % ARRAY_LEN(others)], i);
		run_pace(p);
	}
	run_settle(p);
	p->used[CLASS_OTHER] += run_row(p)->arrived;
}

/* Data in the names of questions to the only resolver there is. */
void case_dns(struct prove *p)
{
	const struct addr *to = &p->c->network.resolver;
	uint32_t left;
	if (to->ver == 0) {
		run_skip(p, "guests have no resolver");
		return;
	}
	struct expect e = expect_of(p, PROVE_UDP, 53, to);
	if (!has_address(p, false) ||
	    !budget(p, expect_limit(p, &e, &p->c->wall.limits.dns), 0, &left))
		return;
	run_expect(p, 0, e.sink ? 0 : left);
	run_expect_sink(p, 0, e.sink ? left : 0);
	p->flooded = true;
	for (uint32_t i = 0; i < left + OVER; i++) {
		uint8_t q[128] = {0, PROVE_DNS_ID, 1, 0, 0, 1};
		struct head h = case_head(p, to);
		q[12] = PROVE_MARK;
		wire_mark(p, q + 13);
		memcpy(q + 13 + PROVE_MARK, "\7example\0\0\1\0\1", 13);
		frame_udp(&p->pkt, &h, p->next_port++, 53, q, 13 + PROVE_MARK + 13);
		wire_send(p);
		run_pace(p);
	}
}

/* ---- rates --------------------------------------------------------------------------------------- */

/* Until it is quiet. */
static void hear_out(struct prove *p)
{
	for (int quiet = 0; quiet < 5; quiet++) {
		uint32_t before = run_row(p)->arrived;
		wire_hear(p, 50);
		if (run_row(p)->arrived != before)
			quiet = -1;
	}
}

/* Never more than a second's worth per second and a quarter of it at once, over any time. size: units a
 * frame counts as. */
static void expect_rate(struct prove *p, uint64_t per_second, uint64_t size)
{
	hear_out(p);
	p->flooded = true;
	uint64_t took_ns = p->arrived_ns > p->sent_ns ? (uint64_t)(p->arrived_ns - p->sent_ns) : 0;
	uint64_t units = per_second * (took_ns / 1000) / 1000000 + per_second / 4;
	uint64_t most = units / size + 2;
	run_row(p)->most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
	struct writer w = writer_of(run_row(p)->note, sizeof(run_row(p)->note));
	if (run_row(p)->arrived > most)
		write_fmt(&w, "outside: all within %llu ms",
			  (unsigned long long)(took_ns / NS_PER_MS));
}

static void rate(struct prove *p, uint64_t per_second, uint32_t frames, uint32_t size)
{
	uint8_t data[1400] = {0};
	struct head h = case_head(p, &p->target);
	run_expect(p, 1, UINT32_MAX);
	for (uint32_t i = 0; i < frames; i++) {
		wire_mark(p, data);
		frame_udp(&p->pkt, &h, p->fence_port, 9, data, size);
		wire_send(p);
		if (i % 64 == 63)
			wire_hear(p, 0);
	}
	expect_rate(p, per_second, size > PROVE_MARK ? size + 42 : 1);
}

static bool rates_tried(struct prove *p, uint64_t a, uint64_t b, uint64_t *ret)
{
	*ret = a != 0 && (b == 0 || a < b) ? a : b;
	if (!p->fenced || p->fence_answer || p->own->inside.ver == 0)
		run_skip(p, "no conversation is allowed that could go too fast");
	else if (*ret == 0)
		run_skip(p, "no cap is set");
	else
		return true;
	return false;
}

void case_packet_rate(struct prove *p)
{
	const struct conf_caps *c = &p->c->wall.caps;
	uint64_t cap;
	if (!rates_tried(p, c->flow_pps, c->guest_pps, &cap))
		return;
	if (p->fence_ping)
		run_skip(p, "no UDP is allowed");
	else if (cap * RATE_TIMES > RATE_MOST)
		run_skip(p, "the cap is too high to be tried from here");
	else
		rate(p, cap, (uint32_t)cap * RATE_TIMES, PROVE_MARK);
}

void case_byte_rate(struct prove *p)
{
	const struct conf_caps *c = &p->c->wall.caps;
	uint64_t cap;
	if (!rates_tried(p, c->flow_bytes, c->guest_bytes, &cap))
		return;
	uint64_t frames = cap * RATE_TIMES / 1442 + 1;
	if (p->fence_ping)
		run_skip(p, "no UDP is allowed");
	else if (frames > RATE_MOST)
		run_skip(p, "the cap is too high to be tried from here");
	else
		rate(p, cap, (uint32_t)frames, 1400);
}

/* One ping that goes on and on, with whatever it carries. */
void case_ping_rate(struct prove *p)
{
	const struct conf_caps *c = &p->c->wall.caps;
	uint8_t mark[PROVE_MARK];
	uint64_t cap;
	struct head h = case_head(p, &p->target);
	uint32_t id = (uint32_t)p->next_port++ << 16;
	if (!rates_tried(p, c->flow_pps, c->guest_pps, &cap))
		return;
	if (cap * RATE_TIMES > RATE_MOST) {
		run_skip(p, "the cap is too high to be tried from here");
		return;
	}
	run_expect(p, 0, UINT32_MAX);
	for (uint32_t i = 0; i < cap * RATE_TIMES; i++) {
		wire_mark(p, mark);
		frame_icmp(&p->pkt, &h, 8, 0, id | (i & 0xffff), mark, sizeof(mark));
		wire_send(p);
		if (i % 64 == 63)
			wire_hear(p, 0);
	}
	p->used[CLASS_ICMP]++;
	expect_rate(p, cap, 1);
}

/* A segmentation request counts as what the card would make of it. */
void case_super_frame(struct prove *p)
{
	const struct conf_caps *c = &p->c->wall.caps;
	uint8_t data[SUPER_SEGMENTS * SUPER_SEGMENT] = {0};
	struct talk k;
	uint64_t cap;
	if (!rates_tried(p, c->flow_pps, c->guest_pps, &cap))
		return;
	if (!talk_open(p, &k)) {
		run_skip(p, "no TCP conversation is allowed any more");
		return;
	}
	p->used[CLASS_TCP]++;
	run_expect(p, 0, UINT32_MAX);
	for (uint64_t i = 0; i <= cap * RATE_TIMES / SUPER_SEGMENTS && i < RATE_MOST; i++) {
		wire_mark(p, data);
		k.t.flags = TCP_ACK | TCP_PSH;
		frame_tcp(&p->pkt, &k.h, &k.t, data, sizeof(data));
		wire_send_super(p, SUPER_SEGMENT);
		k.t.seq += (uint32_t)sizeof(data);
		wire_hear(p, 0);
	}
	expect_rate(p, cap, SUPER_SEGMENTS);
	if (run_row(p)->sent == 0)
		run_skip(p, "this kernel takes no segmentation requests from the proof");
}
