/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What collector gets to hear: syslog on its way to the loghost, what is said in clear text to or by a guest, and
 * how much was said to a guest's services. Decided once, when a conversation opens; of one that is not copied
 * a frame costs one test. The copies are the wall's work; here it is said which, whose, and with which
 * addresses (capture/copies.h has the rule).
 */
#include "judge/judge_priv.h"

#include <string.h>

#define SYSLOG_PORT 514
#define UNIT 32u                   /* bytes of payload; a frame without counts as one */
#define BUDGET ((1u << 20) / UNIT) /* per direction of a conversation */
#define TCP_HEAD 32u               /* with the usual timestamps */

enum { TO_SYSLOG = 1, TO_TALK = 2, TALLY = 4, TALLY_ENDED = 8, UNTOLD = 16 };
#define TOLD_NS (60 * NS_PER_SEC)

/* By convention nothing in clear text is said there. */
static bool is_encrypted(uint16_t port)
{
	static const uint16_t ports[] = {22,   443,  465,  563,  636,  853,  989,  990,
					 992,  993,  994,  995,  2222, 3269, 5061, 5223,
					 5671, 5986, 6514, 6697, 8443, 8883, 9443, 22222};
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* The side whose guest is concerned: who sends syslog; else who was asked, if a guest was. */
static unsigned view_side(const struct flow *f)
{
	return (f->copy & TO_SYSLOG) != 0 || f->direction == DIR_OUTBOUND ? 0 : 1;
}

static bool is_guest_port(const struct judge *j, uint16_t port)
{
	return port < j->conf.n_ports &&
	       (j->ports[port].p.kind == JUDGE_HONEYPOT || j->ports[port].p.kind == JUDGE_LOGHOST);
}

void copy_opened(const struct judge *j, struct flow *f)
{
	const struct judge_copies *c = &j->conf.copies;
	uint8_t proto = f->key[0].proto;
	bool out = f->direction == DIR_OUTBOUND;
	uint16_t port = out ? f->key[0].dport : f->key[1].sport;
	bool to_loghost = !out && j->ports[f->key[1].port].p.kind == JUDGE_LOGHOST;
	if (to_loghost && f->direction == DIR_LATERAL && port == SYSLOG_PORT) {
		if (c->syslog && (proto == PROTO_TCP || proto == PROTO_UDP))
			f->copy = TO_SYSLOG;
		return;
	}
	if (!c->inside || proto != PROTO_TCP)
		return;
	if (c->talk && !is_encrypted(port))
		f->copy = TO_TALK;
	if (!out && !to_loghost)
		f->copy |= TALLY;
}

/* A shell that tells each line from a socket of its own makes a conversation of each: the lines are kept, so the
 * datagrams of a guest to its loghost are told as such once a minute. */
bool copy_is_told(struct judge *j, struct flow *f, int64_t now_ns)
{
	struct port_state *from = &j->ports[f->key[0].port];
	if ((f->copy & TO_SYSLOG) == 0 || f->key[0].proto != PROTO_UDP)
		return true;
	if (from->syslog_told_ns == 0 || now_ns - from->syslog_told_ns >= TOLD_NS) {
		from->syslog_told_ns = now_ns;
		return true;
	}
	f->copy |= UNTOLD;
	return false;
}

bool copy_was_told(const struct flow *f)
{
	return (f->copy & UNTOLD) == 0;
}

/* ---- totals ------------------------------------------------------------------------------------------ */

static uint64_t payload_of(const struct flow *f, unsigned side)
{
	uint64_t heads = ETH_HLEN + (f->key[1].src.ver == 4 ? 20 : 40) + TCP_HEAD;
	heads *= f->pkts[side];
	return f->bytes[side] > heads ? f->bytes[side] - heads : 0;
}

static void tell(const struct judge *j, const struct flow *f, bool ended)
{
	const struct flow_key *k = &f->key[1]; /* as the guest sees it: it was asked */
	const struct judge_tally t = {
		.flow_id = f->id,
		.guest = k->port,
		.peer_guest =
			is_guest_port(j, f->key[0].port) ? f->key[0].port : (uint16_t)FLOW_NO_PORT,
		.direction = f->direction,
		.ended = ended,
		.inside = k->src,
		.peer = k->dst,
		.port = k->sport,
		.peer_port = k->dport,
		.to_guest = payload_of(f, 0),
		.from_guest = payload_of(f, 1),
	};
	j->listener.tally(j->listener.ctx, &t);
}

/* At its first frame in each second of the clock; and once when it is over. */
static void tally(const struct judge *j, struct flow *f, int64_t now_ns)
{
	uint32_t second = (uint32_t)(now_ns / NS_PER_SEC);
	bool ends = f->class == FLOW_CLOSING;
	if (!ends)
		f->copy &= (uint8_t)~TALLY_ENDED; /* a reset that somebody had made up */
	if ((f->seen & FLOW_SEEN_ESTABLISHED) == 0 || (f->copy & TALLY_ENDED) != 0 ||
	    (!ends && second == f->tally_s))
		return;
	f->tally_s = second;
	if (ends)
		f->copy |= TALLY_ENDED;
	tell(j, f, ends);
}

void copy_ended(const struct judge *j, const struct flow *f)
{
	if ((f->copy & TALLY) != 0 && (f->copy & TALLY_ENDED) == 0 && j->listener.tally != NULL &&
	    (f->seen & FLOW_SEEN_ESTABLISHED) != 0)
		tell(j, f, true);
}

/* ---- frames ------------------------------------------------------------------------------------------ */

/* Without budget only the end is told. */
static bool take_budget(struct flow *f, unsigned side, const struct layers *l)
{
	uint32_t payload = l->payload != 0 && l->payload < l->l3_end ? l->l3_end - l->payload : 0;
	uint32_t units = payload == 0 ? 1 : (payload + UNIT - 1) / UNIT;
	if (f->copied[side] + units > BUDGET)
		return (l->tcp_flags & (TCP_FIN | TCP_RST)) != 0;
	f->copied[side] = (uint16_t)(f->copied[side] + units);
	return true;
}

static bool is_mirrored(const struct flow_key *a, const struct flow_key *b)
{
	return addr_eq(&a->src, &b->dst) && addr_eq(&a->dst, &b->src) && a->sport == b->dport &&
	       a->dport == b->sport;
}

static const struct judge_copy *fill(struct judge *j, const struct flow *f, unsigned side)
{
	struct judge_copy *c = &j->copy;
	unsigned view = view_side(f);
	const struct flow_key *k = &f->key[view];
	uint16_t peer = f->key[!view].port;
	c->flow_id = f->id;
	c->to = (f->copy & TO_SYSLOG) != 0 ? JUDGE_COPY_SYSLOG : JUDGE_COPY_TALK;
	c->guest = k->port;
	c->peer_guest = is_guest_port(j, peer) ? peer : (uint16_t)FLOW_NO_PORT;
	c->direction = f->direction;
	c->from_guest = side == view;
	c->begun_by_guest = view == 0;
	c->translated = side == view && !is_mirrored(&f->key[0], &f->key[1]);
	c->src = k->src;
	c->dst = k->dst;
	c->sport = k->sport;
	c->dport = k->dport;
	return c;
}

void copy_frame(struct way *w, struct flow *f, unsigned side)
{
	struct judge *j = w->j;
	if ((f->copy & TALLY) != 0 && j->listener.tally != NULL)
		tally(j, f, w->now_ns);
	if ((f->copy & (TO_SYSLOG | TO_TALK)) == 0 ||
	    ((f->copy & TO_TALK) != 0 && !take_budget(f, side, &w->l)))
		return;
	w->ret->copy = fill(j, f, side);
}

/* It leaves by port: whoever gets it would answer with the reverse. */
void copy_released(struct judge *j, uint16_t port, const struct frame *f)
{
	struct layers l;
	struct flow_key key;
	unsigned side;
	if (j->listener.released == NULL)
		return;
	packet_decode(f, &l);
	if (l.proto != PROTO_TCP || l.l4 == 0)
		return;
	memset(&key, 0, sizeof(key));
	key.src = l.dst;
	key.dst = l.src;
	key.sport = l.dport;
	key.dport = l.sport;
	key.port = port;
	key.proto = l.proto;
	struct flow *flow = flow_find(j->table, &key, &side);
	if (flow != NULL && (flow->copy & (TO_SYSLOG | TO_TALK)) != 0)
		j->listener.released(j->listener.ctx, fill(j, flow, !side), f);
}

void judge_listen(struct judge *j, const struct judge_listener *l)
{
	j->listener = *l;
}

void judge_copy_view(const struct judge_copy *c, struct frame *f)
{
	struct layers l;
	if (!c->translated)
		return;
	packet_decode(f, &l);
	if (l.ip_ver != c->src.ver || l.ip_ver == 0)
		return;
	packet_set_addr(f, &l, true, &c->src);
	packet_set_addr(f, &l, false, &c->dst);
	if (l.l4 == 0 || (l.fragment && !l.first_fragment))
		return;
	packet_set_port(f, &l, true, c->sport);
	packet_set_port(f, &l, false, c->dport);
}
