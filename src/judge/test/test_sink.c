/* SPDX-License-Identifier: BSD-2-Clause */
/* The sink's port: what is redirected there, what comes back, and that it begins nothing. */
#include "judge/test/world.h"

#include <string.h>

#define SINK 4
static const struct mac mac_sink = {{2, 0, 0, 0, 0, 0x44}};

static struct world *new_world(void)
{
	struct world *w = world_new();
	struct judge_port *p = &w->conf.ports[SINK];
	w->conf.n_ports = SINK + 1;
	text_copy(p->name, sizeof(p->name), "sink");
	p->kind = JUDGE_SINK;
	p->up = 1;
	p->mac = mac_sink;
	world_restart(w);
	return w;
}

static const struct spec query = {.port = WEB1,
				  .src = "10.99.0.10",
				  .dst = "192.0.2.53",
				  .proto = 17,
				  .sport = 5353,
				  .dport = 53,
				  .payload = 40};
static const struct spec mail = {.port = WEB1,
				 .src = "2001:db8:113::10",
				 .dst = "2001:db8:80::80",
				 .sport = 40000,
				 .dport = 25,
				 .seq = 100,
				 .flags = TCP_SYN};

static void names_and_mail_go_there_and_answers_back(void **state)
{
	struct world *w = new_world();
	(void)state;
	assert_int_equal(world_send(w, &query), REASON_NONE);
	assert_int_equal(w->r.out_port, SINK);
	assert_true(world_has(&w->l.src, "10.99.0.10")); /* the guest's own, inside address */
	assert_true(world_has(&w->l.dst, "192.0.2.53"));
	assert_int_equal(w->l.dport, 53);
	assert_memory_equal(w->f.data, mac_sink.b, 6);
	const struct event *e = world_event(w, EVENT_CONNECTION);
	assert_int_equal(e->verdict, VERDICT_REDIRECT);
	assert_int_equal(e->reason, REASON_NONE);
	assert_int_equal(e->direction, DIR_OUTBOUND);
	assert_string_equal(e->u.connection.tuple.guest, "web1");
	assert_int_equal(e->u.connection.tuple.dport, 53);
	assert_int_equal(w->stats.ports[WEB1].used[0], 0);
	const struct spec answer = {.port = SINK,
				    .src = "192.0.2.53",
				    .dst = "10.99.0.10",
				    .proto = 17,
				    .sport = 53,
				    .dport = 5353,
				    .payload = 60,
				    .smac = &mac_sink,
				    .dmac = &mac_gateway};
	assert_int_equal(world_send(w, &answer), REASON_NONE);
	assert_int_equal(w->r.out_port, WEB1);
	assert_true(world_has(&w->l.src, "192.0.2.53"));

	assert_int_equal(world_send(w, &mail), REASON_NONE);
	assert_int_equal(w->r.out_port, SINK);
	const struct spec accept = {.port = SINK,
				    .src = "2001:db8:80::80",
				    .dst = "2001:db8:113::10",
				    .sport = 25,
				    .dport = 40000,
				    .ack = 101,
				    .flags = TCP_SYN | TCP_ACK,
				    .smac = &mac_sink,
				    .dmac = &mac_gateway};
	assert_int_equal(world_send(w, &accept), REASON_NONE);
	assert_int_equal(w->r.out_port, WEB1);
	assert_true(world_has(&w->l.dst, "2001:db8:113::10"));
	world_free(w);
}

static void it_begins_nothing(void **state)
{
	static const struct spec tries[] = {
		{.src = "192.0.2.53",
		 .dst = "10.99.0.10",
		 .sport = 1,
		 .dport = 22,
		 .flags = TCP_SYN},
		{.src = "192.0.2.53",
		 .dst = "198.51.100.66",
		 .sport = 1,
		 .dport = 80,
		 .flags = TCP_SYN},
		{.src = "10.99.0.10", .dst = "198.51.100.66", .proto = 17, .sport = 1, .dport = 9},
		{.src = "192.0.2.53", .dst = "10.99.0.10", .proto = 17, .sport = 53, .dport = 5354},
		{.src = "192.0.2.53", .dst = "198.51.100.66", .proto = 1, .sport = 7},
		{.src = "192.0.2.53", .dst = "224.0.0.1", .proto = 17, .sport = 1, .dport = 9},
	};
	struct world *w = new_world();
	(void)state;
	assert_int_equal(world_send(w, &query), REASON_NONE);
	uint32_t n = w->n_events;
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct spec s = tries[i];
		s.port = SINK;
		s.smac = &mac_sink;
		s.dmac = &mac_gateway;
		enum reason r = world_send(w, &s);
		assert_true(r == REASON_NO_FLOW || r == REASON_MULTICAST);
		assert_int_equal(w->r.n_replies, 0);
	}
	assert_int_equal(w->n_events, n);
	world_free(w);
}

static void nobody_reaches_it_past_the_gateway(void **state)
{
	struct world *w = new_world();
	struct spec s = query;
	(void)state;
	s.dmac = &mac_sink;
	assert_int_equal(world_send(w, &s), REASON_NOT_FOR_US);
	/* What is off limits stays so, the sink there or not. */
	s = query;
	s.dst = "10.0.0.53";
	assert_int_equal(world_send(w, &s), REASON_OFF_LIMITS);
	s = mail;
	s.dst = "fd00::25";
	assert_int_equal(world_send(w, &s), REASON_OFF_LIMITS);
	/* A loghost begins nothing, there neither. */
	s = query;
	s.port = LOGHOST;
	s.src = "10.99.0.20";
	assert_int_equal(world_send(w, &s), REASON_LOGHOST);
	world_free(w);
}

static void without_it_mail_is_dropped(void **state)
{
	struct world *w = new_world();
	struct judge_port p = w->conf.ports[SINK];
	(void)state;
	p.up = 0;
	assert_int_equal(judge_port_set(w->j, SINK, &p, w->now), 0);
	assert_int_equal(world_send(w, &mail), REASON_SMTP);
	assert_int_equal(world_send(w, &query), REASON_NONE);
	assert_int_equal(w->r.out_port, OUTSIDE);
	world_free(w);
}

static void budgets_hold(void **state)
{
	struct world *w = new_world();
	struct spec s = mail, q = query;
	unsigned mails = 0, queries = 0;
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		s.sport = (uint16_t)(20000 + i);
		q.sport = (uint16_t)(20000 + i);
		mails += world_send(w, &s) == REASON_NONE;
		queries += world_send(w, &q) == REASON_NONE;
		w->now += NS_PER_SEC / 10;
	}
	assert_int_equal(mails, 20);
	assert_int_equal(queries, 100);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_mail_go_there_and_answers_back),
		cmocka_unit_test(it_begins_nothing),
		cmocka_unit_test(nobody_reaches_it_past_the_gateway),
		cmocka_unit_test(without_it_mail_is_dropped),
		cmocka_unit_test(budgets_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
