/* SPDX-License-Identifier: BSD-2-Clause */
/* The containment policy in the judge: each verdict's frames, orders, and what is told of them. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define SINK 4
#define WEB "192.0.2.80"
#define WEB6 "2001:db8:80::80"

static const struct mac mac_sink = {{2, 0, 0, 0, 0, 9}};

static struct conf_policy *add_rule(struct world *w, uint8_t act)
{
	struct conf_policy *p = &w->conf.wall.policy[w->conf.wall.n_policy++];
	memset(p, 0, sizeof(*p));
	p->act = act;
	return p;
}

static void add_sink(struct world *w)
{
	struct judge_port *p = &w->conf.ports[SINK];
	memset(p, 0, sizeof(*p));
	text_copy(p->name, sizeof(p->name), "sink");
	p->kind = JUDGE_SINK;
	p->up = 1;
	p->mac = mac_sink;
	w->conf.n_ports = 5;
}

static struct spec syn_to(const char *dst, uint16_t dport)
{
	static uint16_t sport = 2000;
	return (struct spec){.port = WEB1,
			     .src = strchr(dst, ':') != NULL ? "2001:db8:113::10" : "10.99.0.10",
			     .dst = dst,
			     .sport = sport++,
			     .dport = dport,
			     .flags = TCP_SYN,
			     .seq = 1000};
}

/* Judges without the world's checks, which know no sink. */
static enum reason judge_raw(struct world *w, const struct spec *s)
{
	world_make(w, s);
	judge_frame(w->j, w->now, &w->f, &w->r);
	packet_decode(&w->f, &w->l);
	if (w->r.verdict == VERDICT_FORWARD)
		assert_true(packet_checksums_ok(&w->f, &w->l));
	return w->r.reason;
}

static const struct event *last_connection(const struct world *w)
{
	const struct event *e = world_event(w, EVENT_CONNECTION);
	assert_non_null(e);
	return e;
}

static void what_no_rule_matches_is_dropped(void **state)
{
	struct world *w = world_new();
	struct spec s = syn_to(WEB, 80);
	(void)state;
	add_rule(w, ACT_FORWARD)->proto = 17;
	world_restart(w);
	assert_int_equal(world_send(w, &s), REASON_POLICY);
	assert_int_equal(w->r.verdict, VERDICT_DROP);
	assert_int_equal(w->r.n_replies, 0);
	assert_int_equal(world_send(w, &s), REASON_POLICY);
	assert_int_equal(w->counts[EVENT_CONNECTION], 1); /* told once */
	s.proto = 17;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	/* What must not be reached stays so. */
	s.dst = "10.7.7.7";
	assert_int_equal(world_send(w, &s), REASON_OFF_LIMITS);
	world_free(w);
}

static void check_refusal(struct world *w, const struct spec *s, uint8_t proto, uint8_t type,
			  uint8_t code, const char *from)
{
	struct layers l;
	assert_int_equal(world_send(w, s), REASON_POLICY);
	assert_int_equal(w->r.verdict, VERDICT_REJECT);
	assert_int_equal(w->r.n_replies, 1);
	assert_int_equal(w->r.reply_port[0], s->port);
	packet_decode(w->r.replies[0], &l);
	assert_int_equal(l.proto, proto);
	assert_true(world_has(&l.src, from));
	assert_true(world_has(&l.dst, s->src));
	assert_true(packet_checksums_ok(w->r.replies[0], &l));
	if (proto == 6) {
		assert_int_equal(l.tcp_flags, TCP_RST | TCP_ACK);
		assert_int_equal(l.ack, s->seq + 1);
		assert_int_equal(l.sport, s->dport);
	} else {
		assert_int_equal(l.icmp_type, type);
		assert_int_equal(l.icmp_code, code);
	}
}

static void reject_is_said_aloud(void **state)
{
	struct world *w = world_new();
	struct spec s = syn_to(WEB, 23), s6 = syn_to(WEB6, 23);
	(void)state;
	add_rule(w, ACT_REJECT);
	world_restart(w);
	check_refusal(w, &s, 6, 0, 0, WEB);
	check_refusal(w, &s, 6, 0, 0, WEB); /* and again, when it tries again */
	check_refusal(w, &s6, 6, 0, 0, WEB6);
	assert_int_equal(w->counts[EVENT_CONNECTION], 2);
	assert_int_equal(last_connection(w)->verdict, VERDICT_REJECT);
	s.proto = s6.proto = 17;
	s.flags = s6.flags = 0;
	check_refusal(w, &s, 1, 3, 3, WEB);
	check_refusal(w, &s6, 58, 1, 4, WEB6);
	s.proto = s6.proto = 47;
	s.payload = s6.payload = 20;
	check_refusal(w, &s, 1, 3, 13, WEB);
	check_refusal(w, &s6, 58, 1, 1, WEB6);
	world_free(w);
}

static void answer_from_sink(struct world *w, const struct spec *asked, uint16_t sport,
			     uint16_t dport)
{
	struct spec back = {.port = SINK,
			    .src = asked->dst,
			    .dst = asked->src,
			    .sport = sport,
			    .dport = dport,
			    .flags = TCP_SYN | TCP_ACK,
			    .seq = 5000,
			    .ack = 1001,
			    .smac = &mac_sink};
	assert_int_equal(judge_raw(w, &back), REASON_NONE);
	assert_int_equal(w->r.out_port, asked->port);
	assert_true(world_has(&w->l.src, asked->dst));
	assert_int_equal(w->l.sport, asked->dport);
	assert_int_equal(w->l.dport, asked->sport);
	assert_memory_equal(w->f.data, mac_web1.b, 6);
	assert_memory_equal(w->f.data + 6, mac_gateway.b, 6);
}

static void mail_ends_in_the_sink(void **state)
{
	struct world *w = world_new();
	struct spec s = syn_to(WEB, 25);
	(void)state;
	assert_int_equal(judge_raw(w, &s), REASON_SMTP);
	add_sink(w);
	world_restart(w);
	for (unsigned i = 0; i < 20; i++) {
		s = syn_to(WEB, 25);
		assert_int_equal(judge_raw(w, &s), REASON_NONE);
		assert_int_equal(w->r.out_port, SINK);
		assert_true(world_has(&w->l.dst, WEB));
		assert_true(world_has(&w->l.src, "10.99.0.10"));
		assert_int_equal(w->l.dport, 25);
		assert_memory_equal(w->f.data, mac_sink.b, 6);
	}
	answer_from_sink(w, &s, 25, s.sport);
	const struct event *e = last_connection(w);
	assert_int_equal(e->verdict, VERDICT_REDIRECT);
	assert_int_equal(e->reason, REASON_NONE);
	assert_true(world_has(&e->u.connection.tuple.dst, WEB));
	s = syn_to(WEB, 25);
	assert_int_equal(judge_raw(w, &s), REASON_LIMIT);
	/* It begins nothing, and speaks only where it was asked. */
	struct spec own = {.port = SINK,
			   .src = WEB,
			   .dst = "10.99.0.10",
			   .sport = 1,
			   .dport = 2,
			   .flags = TCP_SYN,
			   .smac = &mac_sink};
	assert_int_equal(judge_raw(w, &own), REASON_NO_FLOW);
	own.src = "10.99.0.11";
	own.dst = "198.51.100.1";
	assert_int_equal(judge_raw(w, &own), REASON_NO_FLOW);
	world_free(w);
}

static void ports_of_the_sink(void **state)
{
	static const struct {
		uint8_t proto;
		uint16_t asked, there;
	} map[] = {{6, 465, 25}, {6, 587, 25},  {6, 80, 80},   {6, 8000, 80},  {6, 8080, 80},
		   {6, 443, 9},  {6, 53, 53},   {17, 53, 53},  {17, 123, 123}, {6, 123, 9},
		   {17, 25, 9},  {17, 9999, 9}, {6, 31337, 9}, {17, 80, 9}};
	struct world *w = world_new();
	(void)state;
	add_sink(w);
	add_rule(w, ACT_REDIRECT);
	world_restart(w);
	for (size_t i = 0; i < ARRAY_LEN(map); i++) {
		struct spec s = syn_to("198.51.100.7", map[i].asked);
		s.proto = map[i].proto;
		assert_int_equal(judge_raw(w, &s), REASON_NONE);
		assert_int_equal(w->r.out_port, SINK);
		assert_int_equal(w->l.dport, map[i].there);
		assert_int_equal(w->l.sport, s.sport);
	}
	/* A scanner sends to all ports from one of its own: all arrive, each with an answer. */
	struct spec s = syn_to("198.51.100.7", 0);
	for (uint16_t port = 3000; port < 3005; port++) {
		s.dport = port;
		assert_int_equal(judge_raw(w, &s), REASON_NONE);
		answer_from_sink(w, &s, 9, w->l.sport);
	}
	world_free(w);
}

static void redirected_to_an_address(void **state)
{
	struct world *w = world_new();
	struct conf_policy *p = add_rule(w, ACT_REDIRECT);
	struct spec s = syn_to(WEB, 8080);
	(void)state;
	p->redirect_to = world_addr("198.51.100.99");
	p->redirect_port = 80;
	world_restart(w);
	world_handshake(w, &s, OUTSIDE, "198.51.100.99", 80, "203.0.113.10");
	/* The answer came as from who was asked. */
	struct spec data = {.port = OUTSIDE,
			    .src = "198.51.100.99",
			    .dst = "203.0.113.10",
			    .sport = 80,
			    .dport = s.sport,
			    .flags = TCP_ACK,
			    .payload = 10,
			    .seq = 5001};
	assert_int_equal(world_send(w, &data), REASON_NONE);
	assert_true(world_has(&w->l.src, WEB));
	assert_int_equal(w->l.sport, 8080);
	/* It counts; and it is of one version only. */
	for (unsigned i = 1; i < 20; i++) {
		s = syn_to(WEB, 8080);
		assert_int_equal(world_send(w, &s), REASON_NONE);
	}
	s = syn_to(WEB, 8080);
	assert_int_equal(world_send(w, &s), REASON_LIMIT);
	s = syn_to(WEB6, 8080);
	assert_int_equal(world_send(w, &s), REASON_POLICY);
	world_free(w);
}

static void reflected_by_another_honeypot(void **state)
{
	struct world *w = world_new();
	struct conf_policy *p = add_rule(w, ACT_REFLECT);
	struct spec s = syn_to("10.20.30.40", 445); /* off limits, but it does not get there */
	(void)state;
	text_copy(p->reflect_to, sizeof(p->reflect_to), "db1");
	world_restart(w);
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(w->r.out_port, DB1);
	assert_true(world_has(&w->l.dst, "10.99.0.11"));
	assert_true(world_has(&w->l.src, "10.99.0.10"));
	assert_int_equal(w->l.dport, 445);
	const struct event *e = last_connection(w);
	assert_int_equal(e->verdict, VERDICT_REFLECT);
	assert_string_equal(e->u.connection.tuple.peer_guest, "db1");
	assert_true(world_has(&e->u.connection.tuple.dst, "10.20.30.40"));
	/* The other one answers a neighbour; it must look as if it came from far. */
	struct spec back = {.port = DB1,
			    .src = "10.99.0.11",
			    .dst = "10.99.0.10",
			    .sport = 445,
			    .dport = s.sport,
			    .flags = TCP_SYN | TCP_ACK,
			    .seq = 9,
			    .ack = 1001,
			    .dmac = &mac_web1};
	assert_int_equal(judge_raw(w, &back), REASON_NONE);
	assert_int_equal(w->r.out_port, WEB1);
	assert_true(world_has(&w->l.src, "10.20.30.40"));
	assert_int_equal(w->l.ttl, 63);
	assert_memory_equal(w->f.data + 6, mac_gateway.b, 6);
	/* db1 itself has nobody to pose for it. */
	struct spec own = syn_to(WEB, 80);
	own.port = DB1;
	own.src = "10.99.0.11";
	assert_int_equal(world_send(w, &own), REASON_POLICY);
	world_free(w);
}

static void windows_of_a_rule(void **state)
{
	struct world *w = world_new();
	struct conf_policy *p = add_rule(w, ACT_LIMIT);
	const int64_t minute = 60 * NS_PER_SEC;
	struct spec s = {
		.port = WEB1, .src = "10.99.0.10", .dst = WEB, .proto = 17, .sport = 5, .dport = 9};
	(void)state;
	p->per = PER_DESTINATION;
	p->connections = (struct conf_limit){1, {{2, minute}}};
	p->packets = (struct conf_limit){2, {{3, NS_PER_SEC}, {5, minute}}};
	world_restart(w);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(world_send(w, &s), REASON_LIMIT); /* the fourth packet in a second */
	assert_int_equal(w->r.verdict, VERDICT_LIMIT);
	assert_non_null(world_event(w, EVENT_LIMIT));
	w->now += 2 * NS_PER_SEC;
	s.sport = 6; /* another conversation, the same destination */
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.sport = 7;
	assert_int_equal(world_send(w, &s), REASON_LIMIT);
	s.sport = 5;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	w->now += 2 * NS_PER_SEC;
	assert_int_equal(world_send(w, &s), REASON_LIMIT); /* five in the minute */
	/* Another destination, and the wall dies: what was used stays used. */
	s.dst = "192.0.2.81";
	assert_int_equal(world_send(w, &s), REASON_NONE);
	world_crash(w);
	s.dst = WEB;
	assert_int_equal(world_send(w, &s), REASON_LIMIT);
	world_wait(w, minute + 4 * NS_PER_SEC);
	s.sport = 8;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	world_free(w);
}

/* ---- orders ---------------------------------------------------------------------------------------- */

static void order(struct world *w, struct policy_now *now)
{
	now->generation += 256;
	assert_int_equal(judge_orders(w->j, now, w->now), 0);
	assert_int_equal(w->stats.orders, now->generation);
}

static void a_fence_is_at_once(void **state)
{
	struct world *w = world_new();
	static struct policy_now now;
	struct spec s = syn_to(WEB, 80), other = syn_to("192.0.2.81", 80);
	struct prefix p;
	(void)state;
	memset(&now, 0, sizeof(now));
	world_handshake(w, &s, OUTSIDE, WEB, 80, "203.0.113.10");
	world_handshake(w, &other, OUTSIDE, "192.0.2.81", 80, "203.0.113.10");
	assert_int_equal(prefix_parse(WEB, &p), 0);
	assert_int_equal(policy_net_add(now.fences, &now.n_fences, &p, w->now + NS_PER_SEC), 0);
	order(w, &now);
	s.flags = other.flags = TCP_ACK;
	assert_int_equal(world_send(w, &s), REASON_NO_FLOW); /* the open one has ended */
	assert_int_equal(world_send(w, &other), REASON_NONE);
	s = syn_to(WEB, 80);
	assert_int_equal(world_send(w, &s), REASON_FENCE);
	struct spec in = {.port = OUTSIDE,
			  .src = WEB,
			  .dst = "203.0.113.11",
			  .sport = 1,
			  .dport = 2,
			  .flags = TCP_SYN};
	assert_int_equal(world_send(w, &in), REASON_FENCE);
	/* It ends by itself, as an event, and the same attempt may now pass. */
	world_forget_events(w);
	world_wait(w, NS_PER_SEC);
	const struct event *e = world_event(w, EVENT_CONTAINMENT);
	assert_non_null(e);
	assert_string_equal(e->u.containment.state, "expired");
	assert_true(world_has(&e->u.containment.net.addr, WEB));
	assert_int_equal(world_send(w, &s), REASON_NONE);
	world_free(w);
}

/* Guests live in 10.99.0.0/24: such a fence is about the others in 10/8, whatever is ordered next. */
static void a_fence_around_a_guest_ends_nothing_of_its_own(void **state)
{
	struct world *w = world_new();
	static struct policy_now now;
	struct spec out = syn_to(WEB, 80);
	struct spec in = {.port = OUTSIDE,
			  .src = "198.51.100.7",
			  .dst = "203.0.113.11",
			  .proto = 17,
			  .sport = 1,
			  .dport = 2};
	struct prefix p;
	(void)state;
	memset(&now, 0, sizeof(now));
	world_handshake(w, &out, OUTSIDE, WEB, 80, "203.0.113.10");
	assert_int_equal(world_send(w, &in), REASON_NONE);
	assert_int_equal(prefix_parse("10.0.0.0/8", &p), 0);
	assert_int_equal(policy_net_add(now.fences, &now.n_fences, &p, 0), 0);
	order(w, &now);
	out.flags = TCP_ACK;
	assert_int_equal(world_send(w, &out), REASON_NONE);
	uint64_t begun = w->stats.inbound;
	assert_int_equal(world_send(w, &in), REASON_NONE);
	assert_int_equal(w->stats.inbound, begun); /* the same conversation */
	/* Who came from there does not come any longer. */
	assert_int_equal(prefix_parse("198.51.100.0/28", &p), 0);
	assert_int_equal(policy_net_add(now.fences, &now.n_fences, &p, 0), 0);
	order(w, &now);
	assert_int_equal(world_send(w, &in), REASON_FENCE);
	assert_int_equal(world_send(w, &out), REASON_NONE);
	world_free(w);
}

/* Where it ended counts as well as whom the guest asked for. */
static void a_fence_ends_what_was_redirected_there(void **state)
{
	struct world *w = world_new();
	static struct policy_now now;
	struct conf_policy *p = add_rule(w, ACT_REDIRECT);
	struct spec s = {
		.port = WEB1, .src = "10.99.0.10", .dst = WEB, .proto = 17, .sport = 5, .dport = 9};
	struct prefix net;
	(void)state;
	memset(&now, 0, sizeof(now));
	p->redirect_to = world_addr("198.51.100.7");
	world_restart(w);
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_int_equal(prefix_parse("198.51.100.0/28", &net), 0);
	assert_int_equal(policy_net_add(now.fences, &now.n_fences, &net, 0), 0);
	order(w, &now);
	assert_int_equal(world_send(w, &s), REASON_FENCE);
	world_free(w);
}

static void lockdown_lets_nothing_cross(void **state)
{
	struct world *w = world_new();
	static struct policy_now now;
	struct spec in = {.port = OUTSIDE,
			  .src = "198.51.100.66",
			  .dst = "203.0.113.10",
			  .sport = 4000,
			  .dport = 22};
	struct spec out = syn_to(WEB, 80);
	(void)state;
	memset(&now, 0, sizeof(now));
	world_handshake(w, &in, WEB1, "10.99.0.10", 22, "198.51.100.66");
	world_handshake(w, &out, OUTSIDE, WEB, 80, "203.0.113.10");
	struct spec answer = {.port = WEB1,
			      .src = "10.99.0.10",
			      .dst = "198.51.100.66",
			      .sport = 22,
			      .dport = 4000,
			      .flags = TCP_ACK,
			      .payload = 5};
	in.flags = out.flags = TCP_ACK;
	for (uint8_t how = LOCKDOWN_OUTBOUND; how <= LOCKDOWN_ALL; how++) {
		enum reason inbound = how == LOCKDOWN_ALL ? REASON_LOCKDOWN : REASON_NONE;
		now.lockdown = how;
		order(w, &now);
		assert_int_equal(w->stats.lockdown, how);
		assert_int_equal(world_send(w, &answer), inbound);
		assert_int_equal(world_send(w, &in), inbound);
		assert_int_equal(world_send(w, &out), REASON_LOCKDOWN);
		assert_int_equal(w->r.verdict, VERDICT_DROP);
		struct spec more = syn_to(WEB, 81);
		assert_int_equal(world_send(w, &more), REASON_LOCKDOWN);
		now.lockdown = LOCKDOWN_OFF;
		order(w, &now);
		assert_int_equal(world_send(w, &more), REASON_NONE); /* judged anew */
	}
	assert_int_equal(world_send(w, &answer), REASON_NONE);
	assert_int_equal(world_send(w, &out), REASON_NONE);
	world_free(w);
}

static void overrides_and_roach_motel(void **state)
{
	struct world *w = world_new();
	static struct policy_now now;
	struct spec out = syn_to(WEB, 80);
	struct spec in = {.port = OUTSIDE,
			  .src = "198.51.100.66",
			  .dst = "203.0.113.10",
			  .sport = 4000,
			  .dport = 22};
	struct spec log = {.port = WEB1,
			   .src = "10.99.0.10",
			   .dst = "10.99.0.20",
			   .proto = 17,
			   .sport = 514,
			   .dport = 514,
			   .payload = 30};
	(void)state;
	memset(&now, 0, sizeof(now));
	world_handshake(w, &in, WEB1, "10.99.0.10", 22, "198.51.100.66");
	world_handshake(w, &out, OUTSIDE, WEB, 80, "203.0.113.10");
	assert_int_equal(policy_override_set(&now, "web1", ACT_DROP, w->now + NS_PER_SEC), 0);
	order(w, &now);
	out.flags = in.flags = TCP_ACK;
	assert_int_equal(world_send(w, &out), REASON_NO_FLOW);
	assert_int_equal(world_send(w, &in), REASON_NONE);
	assert_int_equal(world_send(w, &log), REASON_NONE);
	struct spec more = syn_to(WEB, 81);
	assert_int_equal(world_send(w, &more), REASON_POLICY);
	world_wait(w, NS_PER_SEC);
	assert_int_equal(world_send(w, &more), REASON_NONE);
	w->conf.ports[WEB1].roach_motel = 1;
	world_restart(w);
	more = syn_to(WEB, 82);
	assert_int_equal(world_send(w, &more), REASON_ROACH_MOTEL);
	assert_int_equal(world_send(w, &log), REASON_NONE);
	in.flags = TCP_SYN;
	in.sport++;
	assert_int_equal(world_send(w, &in), REASON_NONE);
	world_free(w);
}

static void ignored_is_silent_and_counted(void **state)
{
	struct world *w = world_new();
	static struct policy_now now;
	struct spec in = {.port = OUTSIDE,
			  .src = "198.51.100.66",
			  .dst = "203.0.113.10",
			  .sport = 4000,
			  .dport = 22,
			  .flags = TCP_SYN};
	struct spec out = syn_to("198.51.100.66", 80);
	struct prefix p;
	(void)state;
	memset(&now, 0, sizeof(now));
	assert_int_equal(prefix_parse("192.0.2.0/24", &p), 0);
	assert_int_equal(policy_net_add(now.ignored, &now.n_ignored, &p, 0), 0);
	assert_int_equal(prefix_parse("198.51.100.0/24", &p), 0);
	assert_int_equal(policy_net_add(now.ignored, &now.n_ignored, &p, 0), 0);
	order(w, &now);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(world_send(w, &in), REASON_IGNORED);
	in.flags = TCP_ACK;
	assert_int_equal(world_send(w, &in), REASON_IGNORED);
	assert_int_equal(w->r.n_replies, 0);
	assert_int_equal(w->n_events, 0);
	assert_int_equal(w->stats.ignored[CONF_PREFIXES + 1], 4);
	/* Its answers to a guest are not ignored; and counts follow their network. */
	world_handshake(w, &out, OUTSIDE, "198.51.100.66", 80, "203.0.113.10");
	assert_int_equal(prefix_parse("192.0.2.0/24", &p), 0);
	assert_int_equal(policy_net_remove(now.ignored, &now.n_ignored, &p), 0);
	order(w, &now);
	assert_int_equal(w->stats.ignored[CONF_PREFIXES], 4);
	assert_int_equal(w->stats.ignored[CONF_PREFIXES + 1], 0);
	now.lockdown = 9;
	assert_int_equal(judge_orders(w->j, &now, w->now), SKEP_ERANGE);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_rule_matches_is_dropped),
		cmocka_unit_test(reject_is_said_aloud),
		cmocka_unit_test(mail_ends_in_the_sink),
		cmocka_unit_test(ports_of_the_sink),
		cmocka_unit_test(redirected_to_an_address),
		cmocka_unit_test(reflected_by_another_honeypot),
		cmocka_unit_test(windows_of_a_rule),
		cmocka_unit_test(a_fence_is_at_once),
		cmocka_unit_test(a_fence_around_a_guest_ends_nothing_of_its_own),
		cmocka_unit_test(a_fence_ends_what_was_redirected_there),
		cmocka_unit_test(lockdown_lets_nothing_cross),
		cmocka_unit_test(overrides_and_roach_motel),
		cmocka_unit_test(ignored_is_silent_and_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
