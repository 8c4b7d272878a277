/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include <stdlib.h>
#include <string.h>

const struct mac mac_wall = {{2, 0, 0, 0, 0, 1}}, mac_peer = {{2, 0, 0, 0, 0, 2}};
const struct mac mac_gateway = {{2, 0, 0, 0, 0, 3}}, mac_web1 = {{2, 0, 0, 0, 1, 1}};
const struct mac mac_loghost = {{2, 0, 0, 0, 1, 2}}, mac_db1 = {{2, 0, 0, 0, 1, 3}};

struct addr world_addr(const char *text)
{
	struct addr a = {0};
	if (text != NULL)
		assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

bool world_has(const struct addr *a, const char *text)
{
	struct addr b = world_addr(text);
	return addr_eq(a, &b);
}

static struct prefix pfx(const char *text)
{
	struct prefix p = {0};
	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void keep(void *ctx, const struct event *e)
{
	struct world *w = ctx;
	assert_true(event_valid(e));
	if (w->n_events < WORLD_EVENTS)
		w->events[w->n_events] = *e;
	w->n_events++;
	w->counts[e->kind]++;
}

static void set_port(struct judge_conf *c, uint16_t i, const char *name, uint8_t kind,
		     const struct mac *mac, const char *inside, const char *public,
		     const char *inside6, const char *public6)
{
	struct judge_port *p = &c->ports[i];
	text_copy(p->name, sizeof(p->name), name);
	p->kind = kind;
	p->up = 1;
	p->mac = *mac;
	p->inside = world_addr(inside);
	p->public = world_addr(public);
	p->inside6 = world_addr(inside6);
	p->public6 = world_addr(public6);
}

static void set_limits(struct conf_limits *l)
{
	const int64_t hour = 3600 * NS_PER_SEC;
	l->tcp = (struct conf_limit){1, {{20, hour}}};
	l->udp = (struct conf_limit){1, {{20, hour}}};
	l->icmp = (struct conf_limit){1, {{50, hour}}};
	l->other = (struct conf_limit){1, {{10, hour}}};
	l->dns = (struct conf_limit){1, {{100, hour}}};
	l->lateral = (struct conf_limit){1, {{30, hour}}};
	l->neigh = (struct conf_limit){1, {{60, 60 * NS_PER_SEC}}};
}

static void configure(struct judge_conf *c)
{
	c->n_ports = 4;
	set_port(c, OUTSIDE, "outside", JUDGE_OUTSIDE, &mac_wall, NULL, NULL, NULL, NULL);
	c->ports[OUTSIDE].peer_mac = mac_peer;
	set_port(c, WEB1, "web1", JUDGE_HONEYPOT, &mac_web1, "10.99.0.10", "203.0.113.10",
		 "2001:db8:113::10", "2001:db8:113::10");
	set_port(c, LOGHOST, "loghost", JUDGE_LOGHOST, &mac_loghost, "10.99.0.20", NULL,
		 "2001:db8:113::20", NULL);
	/* Translated in both versions. */
	set_port(c, DB1, "db1", JUDGE_HONEYPOT, &mac_db1, "10.99.0.11", "203.0.113.11", "fd99::11",
		 "2001:db8:113::11");
	c->n_forwards = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct conf_forward *fw = &c->forwards[i];
		fw->public = world_addr(i == 0 ? "203.0.113.10" : "2001:db8:113::10");
		fw->public_port = 24;
		fw->guest_port = 22;
		fw->proto = 6;
		text_copy(fw->guest, sizeof(fw->guest), "loghost");
		fw->n_sources = 1;
		fw->sources[0] = pfx(i == 0 ? "198.51.100.0/24" : "2001:db8:66::/64");
	}
	c->network.inside = pfx("10.99.0.0/24");
	c->network.inside6 = pfx("2001:db8:113::/64");
	c->network.gateway = world_addr("10.99.0.1");
	c->network.gateway6 = world_addr("fe80::1");
	c->network.resolver = world_addr("192.0.2.53");
	c->network.gateway_mac = mac_gateway;
	c->wall.flows = 4096;
	c->wall.event_rate = 500;
	set_limits(&c->wall.limits);
	c->wall.tcp_idle_ns = 3600 * NS_PER_SEC;
	c->wall.udp_idle_ns = 60 * NS_PER_SEC;
	c->wall.icmp_idle_ns = 30 * NS_PER_SEC;
	c->wall.half_open_ns = 30 * NS_PER_SEC;
	c->n_host = 1;
	c->host[0] = pfx("203.0.113.200/32");
	c->boot_id = UINT64_C(1790000000000);
}

static void create(struct world *w)
{
	assert_int_equal(arena_create(judge_arena_bytes(&w->conf), &w->arena), 0);
	assert_int_equal(
		judge_create(&w->arena, &w->conf, w->limits, &w->stats, keep, w, w->now, &w->j), 0);
}

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	w->limits = calloc(1, judge_limits_bytes());
	w->now = 1000 * NS_PER_SEC;
	configure(&w->conf);
	create(w);
	return w;
}

static void on_problem(void *ctx, const struct rule_problem *p)
{
	(void)ctx;
	if (!p->warning)
		fail_msg("%u:%u: %s", p->line, p->column, p->text);
}

void world_rules(struct world *w, const char *rules, bool ids)
{
	struct scrub_conf c = {.ids = ids};
	c.inspect.memory_bytes = (size_t)64 << 20;
	c.inspect.stream.flows = 4096;
	scrub_free(&w->conf.scrub);
	rule_set_free(&w->rules);
	if (rules != NULL) {
		struct rule_vars *vars = NULL;
		assert_int_equal(rule_vars_create(&vars), 0);
		struct rule_set_conf rc = {.vars = vars, .problem = on_problem};
		assert_int_equal(rule_set_create(&rc, &w->rules), 0);
		assert_int_equal(rule_set_read(w->rules, "test", rules, strlen(rules)), 0);
		assert_int_equal(rule_set_finish(w->rules), 0);
		rule_vars_free(&vars);
	}
	c.inspect.rules = w->rules;
	assert_int_equal(scrub_create(&c, &w->conf.scrub), 0);
	world_restart(w);
}

void world_restart(struct world *w)
{
	arena_destroy(&w->arena);
	create(w);
}

void world_crash(struct world *w)
{
	w->conf.boot_id += 1000;
	world_restart(w);
}

void world_free(struct world *w)
{
	scrub_free(&w->conf.scrub);
	rule_set_free(&w->rules);
	arena_destroy(&w->arena);
	free(w->limits);
	free(w);
}

/* ---- frames: written here from the RFCs, not with packet's own builders ----------------------- */

static uint32_t add_up(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static size_t put_transport(uint8_t *p, const struct spec *s, uint8_t proto, size_t *ret_csum)
{
	size_t head = 8;
	*ret_csum = 0;
	if (proto == 6) {
		head = 20;
		store_be16(p, s->sport);
		store_be16(p + 2, s->dport);
		store_be32(p + 4, s->seq);
		store_be32(p + 8, s->ack);
		p[12] = 5 << 4;
		p[13] = s->flags;
		store_be16(p + 14, 0xffff);
		*ret_csum = 16;
	} else if (proto == 17) {
		store_be16(p, s->sport);
		store_be16(p + 2, s->dport);
		store_be16(p + 4, (uint16_t)(8 + s->payload));
		*ret_csum = 6;
	} else if (proto == 1 || proto == 58) {
		p[0] = s->type != 0 || s->flags == 1 ? s->type : proto == 1 ? 8 : 128;
		p[1] = s->code;
		store_be16(p + 4, s->sport);
		store_be16(p + 6, s->dport);
		*ret_csum = 2;
	} else {
		head = 0;
	}
	return head;
}

static void put_csum(struct frame *f, const struct spec *s, size_t l3, size_t l4, size_t len,
		     size_t csum, uint8_t proto, bool v6)
{
	uint32_t sum = 0;
	const uint8_t *ip = f->data + l3;
	if (csum == 0)
		return;
	if (proto != 1) { /* pseudo header */
		sum = v6 ? add_up(ip + 8, 32, 0) : add_up(ip + 12, 8, 0);
		sum += (uint32_t)len + proto;
	}
	if (s->partial) {
		f->vnet.flags = VNET_NEEDS_CSUM;
		f->vnet.csum_start = (uint16_t)l4;
		f->vnet.csum_offset = (uint16_t)csum;
		store_be16(f->data + l4 + csum, fold(sum));
		return;
	}
	uint16_t all = (uint16_t)~fold(add_up(f->data + l4, len, sum));
	if (s->bad_csum)
		all ^= 0x0100;
	store_be16(f->data + l4 + csum, all == 0 && proto == 17 ? 0xffff : all);
}

static size_t put_ip(uint8_t *ip, const struct spec *s, const struct addr *src,
		     const struct addr *dst, uint8_t proto, size_t len)
{
	uint8_t ttl = s->ttl != 0 ? s->ttl : 64;
	bool frag = s->frag_more || s->frag_offset != 0;
	if (src->ver == 4) {
		ip[0] = 0x45;
		store_be16(ip + 2, (uint16_t)(20 + len));
		store_be16(ip + 4, s->frag_id);
		store_be16(ip + 6, (uint16_t)(s->frag_offset / 8 | (s->frag_more ? 0x2000 : 0)));
		ip[8] = ttl;
		ip[9] = proto;
		memcpy(ip + 12, src->b, 4);
		memcpy(ip + 16, dst->b, 4);
		store_be16(ip + 10, (uint16_t)~fold(add_up(ip, 20, 0)));
		return 20;
	}
	ip[0] = 0x60;
	store_be16(ip + 4, (uint16_t)(len + (frag ? 8 : 0)));
	ip[6] = frag ? 44 : proto;
	ip[7] = ttl;
	memcpy(ip + 8, src->b, 16);
	memcpy(ip + 24, dst->b, 16);
	if (!frag)
		return 40;
	memset(ip + 40, 0, 8);
	ip[40] = proto;
	store_be16(ip + 42, (uint16_t)(s->frag_offset | (s->frag_more ? 1 : 0)));
	store_be32(ip + 44, s->frag_id);
	return 48;
}

void world_make(struct world *w, const struct spec *s)
{
	struct frame *f = &w->f;
	struct addr src = world_addr(s->src), dst = world_addr(s->dst);
	const struct mac *own[] = {&mac_peer, &mac_web1, &mac_loghost, &mac_db1};
	const struct mac *smac = s->smac != NULL ? s->smac : own[s->port];
	const struct mac *dmac = s->dmac != NULL      ? s->dmac
				 : s->port == OUTSIDE ? &mac_wall
						      : &mac_gateway;
	uint8_t proto = s->proto != 0 ? s->proto : 6;
	size_t csum = 0, head = 0, l3 = 14;
	bool v6 = src.ver == 6;
	size_t ip_len = v6 ? (s->frag_more || s->frag_offset ? 48 : 40) : 20, l4 = l3 + ip_len;
	memset(w->data, 0, 2048);
	*f = (struct frame){
		.data = w->data, .cap = WORLD_FRAME, .port = s->port, .stamp_ns = w->now};
	memcpy(f->data, dmac->b, 6);
	memcpy(f->data + 6, smac->b, 6);
	store_be16(f->data + 12, v6 ? 0x86dd : 0x0800);
	if (s->frag_offset == 0)
		head = put_transport(f->data + l4, s, proto, &csum);
	for (uint32_t i = 0; i < s->payload; i++)
		f->data[l4 + head + i] = (uint8_t)(i * 7);
	if (s->body != NULL)
		memcpy(f->data + l4 + head, s->body, s->payload);
	size_t len = head + s->payload;
	put_ip(f->data + l3, s, &src, &dst, proto, len);
	f->len = (uint32_t)(l4 + len);
	put_csum(f, s, l3, l4, len, csum, proto, v6);
	if (s->gso_size != 0) {
		f->vnet.gso_type = v6 ? 4 : 1;
		f->vnet.gso_size = s->gso_size;
		f->vnet.hdr_len = (uint16_t)(l4 + head);
	}
}

static void check_forwarded(struct world *w, uint8_t ttl_before, const uint8_t macs[12])
{
	uint16_t out = w->r.out_port;
	bool routed = w->f.port == OUTSIDE || memcmp(macs, mac_gateway.b, 6) == 0;
	assert_in_range(out, 0, w->conf.n_ports - 1);
	assert_true(packet_checksums_ok(&w->f, &w->l));
	assert_int_equal(w->l.odd & ODD_BAD_IP_CSUM, 0);
	/* What was begun outside passes as through a wire. */
	assert_int_equal(w->l.ttl, ttl_before - (routed && w->r.direction != DIR_INBOUND));
	if (!routed) {
		assert_memory_equal(w->f.data, macs, 12);
		return;
	}
	if (out == OUTSIDE && w->any_hop)
		return;
	const struct mac *dst = out == OUTSIDE ? &mac_peer : &w->conf.ports[out].mac;
	assert_memory_equal(w->f.data, dst->b, 6);
	assert_memory_equal(w->f.data + 6, out == OUTSIDE ? mac_wall.b : mac_gateway.b, 6);
}

enum reason world_judge(struct world *w)
{
	uint8_t macs[12];
	struct layers before;
	uint64_t frames = w->stats.frames, sum = 0, sum_after = 0;
	for (unsigned i = 0; i < REASONS; i++)
		sum += w->stats.reasons[i];
	memcpy(macs, w->f.data, 12);
	packet_decode(&w->f, &before);
	judge_frame(w->j, w->now, &w->f, &w->r);
	packet_decode(&w->f, &w->l);
	for (unsigned i = 0; i < REASONS; i++)
		sum_after += w->stats.reasons[i];
	assert_int_equal(w->stats.frames, frames + 1); /* one outcome, one counter */
	assert_int_equal(sum_after, sum + 1);
	assert_int_equal(w->r.verdict == VERDICT_FORWARD, w->r.reason == REASON_NONE);
	for (uint32_t i = 0; i < w->r.n_replies; i++)
		assert_true(w->r.reply_port[i] == w->f.port || /* only ever to who asked */
			    w->r.verdict == VERDICT_REJECT);
	if (w->r.verdict == VERDICT_FORWARD && !w->wire)
		check_forwarded(w, before.ttl, macs);
	return w->r.reason;
}

enum reason world_send(struct world *w, const struct spec *s)
{
	world_make(w, s);
	return world_judge(w);
}

void world_wait(struct world *w, int64_t ns)
{
	int64_t end = w->now + ns;
	int64_t step = ns / 1000 > NS_PER_SEC / 10 ? ns / 1000 : NS_PER_SEC / 10;
	while (w->now < end) {
		w->now = w->now + step < end ? w->now + step : end;
		judge_tick(w->j, w->now);
	}
}

const struct event *world_event(const struct world *w, enum event_kind kind)
{
	uint32_t n = w->n_events < WORLD_EVENTS ? w->n_events : WORLD_EVENTS;
	while (n-- > 0)
		if (w->events[n].kind == kind)
			return &w->events[n];
	return NULL;
}

void world_forget_events(struct world *w)
{
	w->n_events = 0;
	memset(w->counts, 0, sizeof(w->counts));
}

void world_handshake(struct world *w, const struct spec *syn, uint16_t far_port,
		     const char *far_src, uint16_t far_sport, const char *far_dst)
{
	struct spec s = *syn;
	s.flags = TCP_SYN;
	s.seq = 1000;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(w->r.out_port, far_port);
	struct spec back = {.port = far_port,
			    .src = far_src,
			    .dst = far_dst,
			    .sport = far_sport,
			    .dport = w->l.sport,
			    .flags = TCP_SYN | TCP_ACK,
			    .seq = 5000,
			    .ack = 1001};
	if (far_port != OUTSIDE && syn->port != OUTSIDE && syn->dmac != NULL)
		back.dmac = syn->smac;
	assert_int_equal(world_send(w, &back), REASON_NONE);
	s.flags = TCP_ACK;
	s.seq = 1001;
	s.ack = 5001;
	assert_int_equal(world_send(w, &s), REASON_NONE);
}
