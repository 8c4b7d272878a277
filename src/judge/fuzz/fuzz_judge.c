/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any sequence of frames at any ports: whatever passes must be something that may. A guest's frame
 * that leaves for the outside bears its public address and no off-limits destination; one that goes
 * to a guest was sent by one or to its public address; the limits hold; answers go to who asked.
 *
 * Thrice: with the built-in policy, with one that has every way to end elsewhere and a sink, and with that where guests
 * have their real addresses on the network outside. There frames to and from the outside stay as they are, and the
 * only neighbour messages that pass are a guest's own question for the router, and the answer.
 *
 * Input: frames one after the other, each: port, vnet flags, length (2, big endian), bytes.
 */
#include "judge/judge.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FRAMES 64u
#define CAP 4096u
#define TCP_MAX 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bed {
	struct judge *j;
	struct wall_stats stats;
	struct policy_off_limits off;
	unsigned outbound_tcp;
};

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void on_event(void *ctx, const struct event *e)
{
	struct bed *b = ctx;
	must(event_valid(e));
	b->outbound_tcp += e->kind == EVENT_CONNECTION && e->direction == DIR_OUTBOUND &&
			   e->verdict == VERDICT_FORWARD && e->u.connection.tuple.proto == 6 &&
			   e->u.connection.tuple.dport != 53;
}

static struct addr addr_of(const char *text)
{
	struct addr a = {0};
	must(addr_parse(text, &a) == 0);
	return a;
}

static void set_guest(struct judge_port *p, const char *name, uint8_t kind, uint8_t n)
{
	text_copy(p->name, sizeof(p->name), name);
	p->kind = kind;
	p->up = 1;
	p->mac = (struct mac){{2, 0, 0, 0, 1, n}};
	p->inside = addr_of("10.99.0.0");
	p->inside.b[3] = n;
	p->inside6 = addr_of("fd99::");
	p->inside6.b[15] = n;
	if (kind == JUDGE_LOGHOST)
		return;
	p->public = addr_of("203.0.113.0");
	p->public.b[3] = n;
	p->public6 = addr_of("2001:db8:113::");
	p->public6.b[15] = n;
}

static void configure(struct judge_conf *c)
{
	memset(c, 0, sizeof(*c));
	c->n_ports = 4;
	text_copy(c->ports[0].name, sizeof(c->ports[0].name), "outside");
	c->ports[0].up = 1;
	c->ports[0].mac = (struct mac){{2, 0, 0, 0, 0, 1}};
	c->ports[0].peer_mac = (struct mac){{2, 0, 0, 0, 0, 2}};
	set_guest(&c->ports[1], "web1", JUDGE_HONEYPOT, 10);
	set_guest(&c->ports[2], "loghost", JUDGE_LOGHOST, 20);
	set_guest(&c->ports[3], "db1", JUDGE_HONEYPOT, 11);
	must(prefix_parse("10.99.0.0/24", &c->network.inside) == 0);
	must(prefix_parse("fd99::/64", &c->network.inside6) == 0);
	c->network.gateway = addr_of("10.99.0.1");
	c->network.gateway6 = addr_of("fe80::1");
	c->network.gateway_mac = (struct mac){{2, 0, 0, 0, 0, 3}};
	c->wall.flows = 32;
	c->wall.event_rate = 1000;
	c->wall.limits.tcp = (struct conf_limit){1, {{TCP_MAX, 3600 * NS_PER_SEC}}};
	c->wall.tcp_idle_ns = c->wall.udp_idle_ns = c->wall.icmp_idle_ns = 60 * NS_PER_SEC;
	c->wall.half_open_ns = 30 * NS_PER_SEC;
	c->boot_id = 1;
}

/* Scans find a honeypot, mail the sink, and what is left counts in windows of its own. */
static void configure_policy(struct judge_conf *c)
{
	struct conf_policy *p = c->wall.policy;
	text_copy(c->ports[4].name, sizeof(c->ports[4].name), "sink");
	c->ports[4].kind = JUDGE_SINK;
	c->ports[4].up = 1;
	c->ports[4].mac = (struct mac){{2, 0, 0, 0, 0, 9}};
	c->n_ports = 5;
	p[0].act = ACT_REFLECT;
	p[0].n_to = 1;
	must(prefix_parse("198.51.100.0/24", &p[0].to[0]) == 0);
	text_copy(p[0].reflect_to, sizeof(p[0].reflect_to), "db1");
	p[1].act = ACT_REDIRECT;
	p[1].proto = 6;
	p[1].n_ports = 1;
	p[1].ports[0] = (struct conf_ports){1, 79};
	p[2].act = ACT_LIMIT;
	p[2].proto = 17;
	p[2].per = PER_DESTINATION;
	p[2].packets = (struct conf_limit){1, {{4, 60 * NS_PER_SEC}}};
	p[3].act = ACT_LIMIT;
	c->wall.n_policy = 4;
}

/* The same addresses on both sides. */
static void configure_bridged(struct judge_conf *c)
{
	c->bridged = true;
	for (uint32_t i = 1; i < 4; i++) {
		c->ports[i].public = c->ports[i].inside;
		c->ports[i].public6 = c->ports[i].inside6;
	}
}

static void check_neighbour(const struct judge_conf *c, const struct frame *f,
			    const struct neigh *n, const struct judge_result *r)
{
	bool v6 = n->kind == NEIGH_NS || n->kind == NEIGH_NA;
	const struct judge_port *p = &c->ports[f->port != 0 ? f->port : r->out_port];
	const struct addr *gate = v6 ? &c->network.gateway6 : &c->network.gateway;
	must(c->bridged && p->kind != JUDGE_SINK);
	if (f->port != 0) {
		must(r->out_port == 0 && (n->kind == NEIGH_ARP_REQUEST || n->kind == NEIGH_NS));
		must(addr_eq(&n->sender, v6 ? &p->inside6 : &p->inside));
		must(addr_eq(&n->target, gate) && memcmp(f->data + 6, p->mac.b, 6) == 0);
		must(f->len <= 86);
	} else {
		must(r->out_port != 0 && (n->kind == NEIGH_ARP_REPLY || n->kind == NEIGH_NA));
		must(addr_eq(v6 ? &n->target : &n->sender, gate));
		must(memcmp(f->data, p->mac.b, 6) == 0);
	}
}

static void check_passed(const struct bed *b, const struct judge_conf *c, const struct frame *f,
			 const struct layers *was, const struct judge_result *r)
{
	struct layers l;
	struct neigh n;
	packet_decode(f, &l);
	must(r->out_port < c->n_ports && r->out_port != f->port);
	packet_neigh(f, &l, &n);
	if (n.kind != NEIGH_NONE) {
		check_neighbour(c, f, &n, r);
		return;
	}
	must(packet_checksums_ok(f, &l) && (l.odd & ODD_BAD_IP_CSUM) == 0);
	must(l.ip_ver != 0 && l.ip_ver == was->ip_ver);
	const struct judge_port *in = &c->ports[f->port], *out = &c->ports[r->out_port];
	const struct addr *own = l.ip_ver == 4 ? &in->inside : &in->inside6;
	const struct addr *public = l.ip_ver == 4 ? &in->public : &in->public6;
	const struct addr *there = l.ip_ver == 4 ? &out->inside : &out->inside6;
	if (f->port != 0)
		must(addr_eq(&was->src, own));
	if (c->bridged && out->kind != JUDGE_SINK && f->port != 0 && r->out_port == 0)
		must(memcmp(f->data + 6, in->mac.b, 6) == 0 && (f->data[0] & 1) == 0);
	if (out->kind == JUDGE_SINK)
		must(addr_eq(&l.dst, &was->dst) && r->direction != DIR_INBOUND);
	else if (r->out_port != 0)
		must(addr_eq(&l.dst, there));
	if (f->port != 0 && r->out_port == 0) {
		must(addr_eq(&l.src, public));
		must(r->direction == DIR_INBOUND || !policy_is_off_limits(&b->off, &l.dst));
	}
	if (in->kind == JUDGE_LOGHOST || r->direction != DIR_OUTBOUND)
		must(!(r->first && in->kind == JUDGE_LOGHOST));
}

/* The copy bears the addresses that the guest concerned sees, and is sound. */
static void check_copy(const struct judge_conf *c, struct frame *f, const struct judge_result *r)
{
	struct layers l;
	must(r->copy->to == JUDGE_COPY_SYSLOG || r->copy->to == JUDGE_COPY_TALK);
	must(r->copy->guest > 0 && r->copy->guest < c->n_ports);
	must(r->copy->peer_guest == 0xffff || r->copy->peer_guest < c->n_ports);
	must(r->copy->flow_id == r->flow_id);
	const struct judge_port *g = &c->ports[r->copy->guest];
	must(g->kind == JUDGE_HONEYPOT || g->kind == JUDGE_LOGHOST);
	judge_copy_view(r->copy, f);
	packet_decode(f, &l);
	must(packet_checksums_ok(f, &l));
	must(addr_eq(r->copy->from_guest ? &l.src : &l.dst,
		     l.ip_ver == 4 ? &g->inside : &g->inside6));
}

static void on_tally(void *ctx, const struct judge_tally *t)
{
	const struct judge_conf *c = ctx;
	must(t->guest > 0 && t->guest < c->n_ports && t->direction != DIR_OUTBOUND);
	must(addr_eq(&t->inside, t->inside.ver == 4 ? &c->ports[t->guest].inside
						    : &c->ports[t->guest].inside6));
}

static void run(struct bed *b, const struct judge_conf *c, const uint8_t *data, size_t size)
{
	static uint8_t bytes[CAP + 256];
	struct reader in = reader_of(data, size);
	int64_t now = NS_PER_SEC;
	for (unsigned n = 0; n < MAX_FRAMES && reader_left(&in) > 4; n++) {
		uint8_t port = read_u8(&in), flags = read_u8(&in);
		size_t len = read_be16(&in) % CAP;
		len = len < reader_left(&in) ? len : reader_left(&in);
		const uint8_t *p = read_bytes(&in, len);
		struct frame f = {.data = bytes,
				  .len = (uint32_t)len,
				  .cap = sizeof(bytes),
				  .port = port & 3};
		struct layers was;
		struct judge_result r;
		if (p != NULL)
			memcpy(bytes, p, len);
		if ((flags & 1) != 0)
			f.vnet = (struct vnet){.flags = VNET_NEEDS_CSUM,
					       .gso_type = flags >> 4 & 1,
					       .gso_size = 100,
					       .csum_start = 34,
					       .csum_offset = (flags & 2) != 0 ? 16 : 6};
		packet_decode(&f, &was);
		judge_frame(b->j, now, &f, &r);
		must((r.verdict == VERDICT_FORWARD) == (r.reason == REASON_NONE));
		must(r.n_replies <= JUDGE_REPLIES);
		for (uint32_t i = 0; i < r.n_replies; i++)
			must(r.reply_port[i] == f.port);
		if (r.verdict == VERDICT_FORWARD)
			check_passed(b, c, &f, &was, &r);
		must(r.copy == NULL || r.verdict == VERDICT_FORWARD);
		if (r.copy != NULL)
			check_copy(c, &f, &r);
		now += (int64_t)(port >> 2) * NS_PER_SEC / 4;
		judge_tick(b->j, now);
	}
	judge_finish(b->j, now);
	/* 64 frames of at most 16 s: under an hour, so two guests have one budget each. */
	must(b->outbound_tcp <= 2 * TCP_MAX);
}

static void play(const uint8_t *data, size_t size, bool policy, bool bridged)
{
	static struct judge_conf conf;
	struct bed b = {0};
	struct arena arena;
	void *limits = calloc(1, judge_limits_bytes());
	configure(&conf);
	if (policy)
		configure_policy(&conf);
	if (bridged)
		configure_bridged(&conf);
	policy_off_limits_make(&conf.wall, NULL, 0, &b.off);
	must(limits != NULL && arena_create(judge_arena_bytes(&conf), &arena) == 0);
	conf.copies = (struct judge_copies){.syslog = 1, .inside = 1, .talk = 1};
	must(judge_create(&arena, &conf, limits, &b.stats, on_event, &b, NS_PER_SEC, &b.j) == 0);
	judge_listen(b.j, &(struct judge_listener){.tally = on_tally, .ctx = &conf});
	run(&b, &conf, data, size);
	arena_destroy(&arena);
	free(limits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	play(data, size, false, false);
	play(data, size, true, false);
	play(data, size, true, true);
	return 0;
}
