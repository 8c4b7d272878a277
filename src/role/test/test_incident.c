/* SPDX-License-Identifier: BSD-2-Clause */
#include "role/incident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE (60 * NS_PER_SEC)

struct world {
	struct arena arena;
	struct incidents *t;
	int64_t now;
	uint64_t next_id, flow_id;
	unsigned opened, updated, quieted, flows_told;
	struct event last;
};

static uint64_t next_id(void *ctx)
{
	struct world *w = ctx;
	return w->next_id++;
}

static void take(void *ctx, const struct event *e)
{
	struct world *w = ctx;
	assert_true(event_valid(e));
	assert_int_equal(e->kind, EVENT_INCIDENT);
	assert_int_not_equal(e->incident, 0);
	bool opens = strcmp(e->u.incident.state, "open") == 0;
	assert_int_equal(e->id, opens ? e->incident : 0);
	w->opened += opens;
	w->updated += strcmp(e->u.incident.state, "update") == 0;
	w->quieted += strcmp(e->u.incident.state, "quiet") == 0;
	w->flows_told += e->u.incident.n_flows;
	w->last = *e;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	const struct incident_conf conf = {100, 50, 10 * MINUTE, next_id, take, w};
	w->now = 1000 * NS_PER_SEC;
	w->next_id = 1;
	w->flow_id = 1;
	assert_int_equal(arena_create(incident_bytes(&conf), &w->arena), 0);
	assert_int_equal(incident_create(&w->arena, &conf, &w->t), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	arena_destroy(&w->arena);
	free(w);
	return 0;
}

static struct addr peer(uint32_t n)
{
	uint8_t b[4];
	store_be32(b, 0xc6330000u + n);
	return addr_from_v4(b);
}

static struct event event(struct world *w, enum event_kind kind, enum event_direction d,
			  uint32_t who, uint64_t flow_id)
{
	struct event e = event_new(kind);
	struct event_tuple *t = event_tuple_of(&e);
	e.direction = (uint8_t)d;
	e.flow_id = flow_id;
	e.time_ns = w->now;
	if (t == NULL)
		return e;
	t->proto = 6;
	t->src = d == DIR_INBOUND ? peer(who) : addr_from_v4("\x0a\x63\x00\x0a");
	t->dst = d == DIR_INBOUND ? addr_from_v4("\x0a\x63\x00\x0a") : peer(who);
	text_copy(t->guest, EVENT_NAME, "web1");
	return e;
}

/* A new conversation; returns its incident. */
static uint64_t begin(struct world *w, enum event_direction d, uint32_t who, uint64_t *ret_flow)
{
	struct event e = event(w, EVENT_CONNECTION, d, who, w->flow_id);
	if (ret_flow != NULL)
		*ret_flow = w->flow_id;
	w->flow_id++;
	incident_event(w->t, w->now, &e);
	return e.incident;
}

static uint64_t end(struct world *w, enum event_direction d, uint32_t who, uint64_t flow,
		    const char *state)
{
	struct event e = event(w, EVENT_FLOW, d, who, flow);
	text_copy(e.u.flow.state, EVENT_NAME, state);
	incident_event(w->t, w->now, &e);
	return e.incident;
}

static void pass(struct world *w, int64_t ns)
{
	w->now += ns;
	incident_tick(w->t, w->now);
}

static void one_visitor_is_one_incident(void **state)
{
	struct world *w = *state;
	uint64_t flow;
	uint64_t in = begin(w, DIR_INBOUND, 1, &flow);
	assert_int_not_equal(in, 0);
	assert_int_equal(w->opened, 1);
	assert_int_equal(w->last.incident, in);
	assert_int_equal(begin(w, DIR_INBOUND, 1, NULL), in);
	assert_int_equal(end(w, DIR_INBOUND, 1, flow, "closed"), in);
	assert_int_equal(begin(w, DIR_OUTBOUND, 900, NULL), in);
	assert_int_equal(begin(w, DIR_LATERAL, 901, NULL), in);
	assert_int_equal(w->opened, 1);
	pass(w, 9 * NS_PER_SEC);
	assert_int_equal(w->updated, 0);
	pass(w, NS_PER_SEC);
	assert_int_equal(w->updated, 1);
	assert_int_equal(w->last.u.incident.n_flows, 4);
	assert_int_equal(w->last.u.incident.flows_total, 4);
	assert_int_equal(w->last.u.incident.ambiguous, 0);
	pass(w, 20 * NS_PER_SEC);
	assert_int_equal(w->updated, 1); /* nothing new, nothing said */
}

static void what_is_refused_opens_nothing(void **state)
{
	struct world *w = *state;
	struct event e = event(w, EVENT_CONNECTION, DIR_INBOUND, 1, 1);
	e.verdict = VERDICT_DROP;
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, 0);
	e = event(w, EVENT_ANOMALY, DIR_INBOUND, 1, 0);
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, 0);
	e = event(w, EVENT_FLOW, DIR_INBOUND, 1, 5);
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, 0);
	assert_int_equal(w->opened, 0);
	uint64_t in = begin(w, DIR_INBOUND, 1, NULL);
	e = event(w, EVENT_CONNECTION, DIR_INBOUND, 1, 9);
	e.verdict = VERDICT_DROP;
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, in); /* but belongs to a visit that is open */
}

static void what_came_in_is_overwritten(void **state)
{
	struct world *w = *state;
	struct event e = event(w, EVENT_HEALTH, DIR_NONE, 0, 0);
	e.incident = 4711;
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, 0);
}

static void silence_ends_an_incident(void **state)
{
	struct world *w = *state;
	uint64_t flow;
	uint64_t first = begin(w, DIR_INBOUND, 1, &flow);
	/* Not while a conversation goes on, however silent. */
	for (int i = 0; i < 30; i++)
		pass(w, MINUTE);
	assert_int_equal(w->quieted, 0);
	end(w, DIR_INBOUND, 1, flow, "closed");
	pass(w, 10 * MINUTE - 1);
	assert_int_equal(w->quieted, 0);
	pass(w, 1);
	assert_int_equal(w->quieted, 1);
	assert_int_equal(incident_open_count(w->t), 0);
	uint64_t second = begin(w, DIR_INBOUND, 1, NULL);
	assert_true(second != 0 && second != first);
}

static void an_end_that_was_lost_keeps_nothing_open_for_ever(void **state)
{
	struct world *w = *state;
	begin(w, DIR_INBOUND, 1, NULL);
	pass(w, 7 * 60 * MINUTE);
	assert_int_equal(w->quieted, 1);
	begin(w, DIR_INBOUND, 2, NULL);
	struct event e = event_new(EVENT_HEALTH);
	text_copy(e.u.health.role, EVENT_NAME, "wall");
	text_copy(e.u.health.what, EVENT_NAME, "died");
	incident_event(w->t, w->now, &e); /* and all conversations with it */
	pass(w, 10 * MINUTE);
	assert_int_equal(w->quieted, 2);
}

static void two_visitors_make_a_join_ambiguous(void **state)
{
	struct world *w = *state;
	uint64_t f1, f2;
	uint64_t real = begin(w, DIR_INBOUND, 1, &f1);
	end(w, DIR_INBOUND, 1, f1, "closed"); /* had a session */
	w->now += NS_PER_SEC;
	uint64_t scan = begin(w, DIR_INBOUND, 2, &f2);
	end(w, DIR_INBOUND, 2, f2, "new"); /* half open: more recent, but no session */
	assert_int_not_equal(real, scan);
	assert_int_equal(begin(w, DIR_OUTBOUND, 900, NULL), real);
	pass(w, 10 * NS_PER_SEC);
	assert_int_equal(w->last.incident != 0, 1);
	incident_finish(w->t, w->now);
	/* A third with a session of its own, later: most recently active wins. */
	w->now += NS_PER_SEC;
	uint64_t later = begin(w, DIR_INBOUND, 3, NULL);
	assert_int_equal(begin(w, DIR_OUTBOUND, 901, NULL), later);
	pass(w, 10 * NS_PER_SEC);
	assert_int_equal(w->last.incident, later);
	assert_int_equal(w->last.u.incident.ambiguous, 1);
}

static void a_guest_that_nobody_visits_has_an_incident_of_its_own(void **state)
{
	struct world *w = *state;
	uint64_t own = begin(w, DIR_OUTBOUND, 900, NULL);
	assert_int_not_equal(own, 0);
	assert_int_equal(w->last.u.incident.peer.ver, 0);
	assert_int_equal(begin(w, DIR_OUTBOUND, 901, NULL), own);
	struct event e = event_new(EVENT_LIMIT);
	text_copy(e.u.limit.guest, EVENT_NAME, "web1");
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, own);
	/* Then somebody comes: what follows is the visitor's, and not doubtful. */
	uint64_t visit = begin(w, DIR_INBOUND, 1, NULL);
	assert_int_equal(begin(w, DIR_OUTBOUND, 902, NULL), visit);
	pass(w, 10 * NS_PER_SEC);
	assert_int_equal(w->last.u.incident.ambiguous, 0);
}

static void every_flow_of_a_busy_visitor_is_told(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 100; i++)
		begin(w, DIR_INBOUND, 1, NULL);
	assert_int_equal(w->updated, 4);
	assert_int_equal(w->flows_told, 96);
	incident_finish(w->t, w->now);
	assert_int_equal(w->flows_told, 100);
	assert_int_equal(w->last.u.incident.flows_total, 100);
}

static void a_spoofed_scan_opens_a_bounded_number(void **state)
{
	struct world *w = *state;
	for (uint32_t i = 0; i < 100000; i++) {
		assert_int_not_equal(begin(w, DIR_INBOUND, i, NULL), 0);
		w->now += NS_PER_SEC / 1000;
		if (i % 1000 == 0)
			incident_tick(w->t, w->now);
	}
	/* 100 by the table's size, reached within 2 s, and one shared. */
	assert_int_equal(w->opened, 101);
	assert_int_equal(incident_open_count(w->t), 101);
	assert_int_equal(incident_overflowed(w->t), 100000 - 100);
	assert_true(w->updated < 200 + 11); /* a flood of flows is not a flood of events */
	/* Who shares it is not told apart. */
	assert_int_not_equal(begin(w, DIR_OUTBOUND, 900, NULL), 0);
}

static void the_rate_of_opening_is_bounded(void **state)
{
	struct world *w = *state;
	for (uint32_t i = 0; i < 60; i++)
		begin(w, DIR_INBOUND, i, NULL);
	assert_int_equal(w->opened, 51);
	w->now += NS_PER_SEC;
	begin(w, DIR_INBOUND, 500, NULL);
	assert_int_equal(w->opened, 52);
}

/* Who broke out is in there; it opens nothing of its own, and what is said of messages is no news of anybody. */
static void an_escape_is_its_visitors_and_a_notice_keeps_nothing_open(void **state)
{
	struct world *w = *state;
	struct event e = event_new(EVENT_ESCAPE);
	text_copy(e.u.escape.guest, EVENT_NAME, "web1");
	e.incident = 77;
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, 0);
	uint64_t flow, in = begin(w, DIR_INBOUND, 1, &flow);
	end(w, DIR_INBOUND, 1, flow, "closed");
	pass(w, 5 * MINUTE);
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, in);
	pass(w, 9 * MINUTE);
	assert_int_equal(w->quieted, 0);
	e = event_new(EVENT_NOTICE);
	text_copy(e.u.notice.guest, EVENT_NAME, "web1");
	e.incident = in;
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, in); /* alerter knows of which */
	e = event_new(EVENT_SEAL);
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, 0);
	pass(w, MINUTE);
	assert_int_equal(w->quieted, 1);
}

static void guests_of_any_name_can_not_overrun_the_table(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 1000; i++) {
		struct event e = event(w, EVENT_CONNECTION, DIR_OUTBOUND, 1, w->flow_id++);
		memset(e.u.connection.tuple.guest, 0, EVENT_NAME);
		e.u.connection.tuple.guest[0] = (char)(1 + i % 200);
		e.u.connection.tuple.guest[1] = (char)(1 + i / 200);
		incident_event(w->t, w->now, &e);
	}
	assert_int_equal(incident_open_count(w->t), 64);
	assert_int_not_equal(begin(w, DIR_INBOUND, 1, NULL), 0);
	for (uint32_t i = 0; i < 100; i++)
		pass(w, 7 * 60 * MINUTE);
	assert_int_equal(incident_open_count(w->t), 0);
	assert_int_equal(w->quieted, 65);
}

static struct event said(struct world *w, uint16_t cport, uint32_t server)
{
	struct event e = event_new(EVENT_SINK);
	e.direction = DIR_OUTBOUND;
	e.time_ns = w->now;
	e.u.sink.client = addr_from_v4("\x0a\x63\x00\x0a");
	e.u.sink.server = peer(server);
	e.u.sink.cport = cport;
	e.u.sink.proto = 6;
	text_copy(e.u.sink.guest, EVENT_NAME, "web1");
	incident_event(w->t, w->now, &e);
	return e;
}

static void what_the_sink_tells_finds_its_conversation(void **state)
{
	struct world *w = *state;
	struct event e = event(w, EVENT_CONNECTION, DIR_OUTBOUND, 900, 77);
	struct event_tuple *t = &e.u.connection.tuple;
	/* The sink alone opens nothing. */
	assert_int_equal(said(w, 40000, 900).incident, 0);
	begin(w, DIR_INBOUND, 1, NULL);
	begin(w, DIR_INBOUND, 2, NULL);
	e.verdict = VERDICT_REDIRECT;
	t->in_src = t->src;
	t->in_dst = t->dst;
	t->sport = t->in_sport = 40000;
	t->dport = t->in_dport = 4444;
	incident_event(w->t, w->now, &e);
	struct event got = said(w, 40000, 900);
	assert_int_equal(got.flow_id, 77);
	assert_int_equal(got.u.sink.sport, 4444);
	assert_int_equal(got.incident, e.incident);
	/* Another port, another server: by the guest alone. */
	got = said(w, 40001, 900);
	assert_int_equal(got.flow_id, 0);
	assert_int_equal(got.u.sink.sport, 0);
	assert_int_not_equal(got.incident, 0);
	assert_int_equal(said(w, 40000, 901).flow_id, 0);
	assert_int_equal(said(w, 0, 900).flow_id, 0);
	assert_int_not_equal(e.incident, 0);
	/* One that was not redirected is not the sink's. */
	e.verdict = VERDICT_FORWARD;
	e.flow_id = 78;
	t->in_sport = t->sport = 40002;
	incident_event(w->t, w->now, &e);
	assert_int_equal(said(w, 40002, 900).flow_id, 0);
}

/* ---- what collector tells ----------------------------------------------------------------------- */

/* A visitor comes in to port 22 from port 1000 + who. */
static uint64_t come(struct world *w, uint32_t who, uint64_t *ret_flow)
{
	struct event e = event(w, EVENT_CONNECTION, DIR_INBOUND, who, w->flow_id++);
	struct event_tuple *t = &e.u.connection.tuple;
	e.verdict = VERDICT_FORWARD;
	t->in_src = t->src;
	t->in_dst = addr_from_v4("\x0a\x63\x00\x0a");
	t->in_sport = t->sport = (uint16_t)(1000 + who);
	t->in_dport = t->dport = 22;
	incident_event(w->t, w->now, &e);
	if (ret_flow != NULL)
		*ret_flow = e.flow_id;
	return e.incident;
}

static struct event_visit visit_of(uint32_t who, uint64_t session)
{
	struct event_visit v = {.session = session,
				.peer_port = (uint16_t)(1000 + who),
				.server_port = 22,
				.proto = 6};
	text_copy(v.guest, sizeof(v.guest), "web1");
	v.peer = peer(who);
	v.server = addr_from_v4("\x0a\x63\x00\x0a");
	return v;
}

static struct event ran(struct world *w, const struct event_visit *v)
{
	struct event e = event_new(EVENT_COMMAND);
	e.time_ns = w->now;
	e.u.command.visit = *v;
	incident_event(w->t, w->now, &e);
	return e;
}

static void a_visit_is_found_by_its_conversation(void **state)
{
	struct world *w = *state;
	uint64_t flow1, flow2, first = come(w, 1, &flow1), second = come(w, 2, &flow2);
	struct event_visit v = visit_of(1, 11);
	struct event e = ran(w, &v);
	assert_int_not_equal(first, second);
	assert_int_equal(e.incident, first);
	assert_int_equal(e.flow_id, flow1);
	v = visit_of(2, 12);
	e = ran(w, &v);
	assert_int_equal(e.incident, second);
	assert_int_equal(e.flow_id, flow2);
	/* The session is enough from then on. */
	v = (struct event_visit){.session = 11};
	text_copy(v.guest, sizeof(v.guest), "web1");
	e = ran(w, &v);
	assert_int_equal(e.incident, first);
	assert_int_equal(e.flow_id, flow1);
	/* Another port of the first visitor: his incident, no flow. */
	v = visit_of(1, 13);
	v.peer_port = 7;
	e = ran(w, &v);
	assert_int_equal(e.incident, first);
	assert_int_equal(e.flow_id, 0);
	/* A guest that claims another's conversation gets neither that nor its incident. */
	v = visit_of(1, 15);
	text_copy(v.guest, sizeof(v.guest), "web2");
	e = ran(w, &v);
	assert_int_equal(e.incident, 0);
	assert_int_equal(e.flow_id, 0);
	/* Somebody whom the wall has never seen is nobody's. */
	v = visit_of(9, 14);
	e = ran(w, &v);
	assert_int_equal(e.incident, 0);
}

/* Numbers of sessions are milliseconds, shifted: many at once, of two visitors, are all known by them. */
static void sessions_are_told_apart(void **state)
{
	struct world *w = *state;
	uint64_t flow, in = come(w, 1, &flow);
	unsigned known = 0;
	assert_int_not_equal(come(w, 2, NULL), in);
	for (uint64_t n = 1; n <= 64; n++) {
		struct event_visit v = visit_of(1, n << 12);
		assert_int_equal(ran(w, &v).incident, in);
	}
	for (uint64_t n = 1; n <= 64; n++) {
		struct event_visit v = {.session = n << 12};
		text_copy(v.guest, sizeof(v.guest), "web1");
		known += ran(w, &v).flow_id == flow;
	}
	assert_true(known > 56); /* a few fall into one place */
}

static struct event begins(struct world *w, const struct event_visit *v, uint32_t to)
{
	struct event e = event_new(EVENT_ACTIVITY);
	e.time_ns = w->now;
	e.u.activity.visit = *v;
	text_copy(e.u.activity.what, EVENT_NAME, "connect");
	e.u.activity.addr = peer(to);
	e.u.activity.port = 80;
	e.u.activity.proto = 6;
	incident_event(w->t, w->now, &e);
	return e;
}

static struct event goes_out(struct world *w, uint32_t to)
{
	struct event e = event(w, EVENT_CONNECTION, DIR_OUTBOUND, to, w->flow_id++);
	struct event_tuple *t = &e.u.connection.tuple;
	t->in_src = t->src;
	t->in_dst = t->dst;
	t->dport = t->in_dport = 80;
	return e;
}

static void a_process_says_whose_a_conversation_is(void **state)
{
	struct world *w = *state;
	uint64_t first = come(w, 1, NULL), second = come(w, 2, NULL);
	struct event_visit one = visit_of(1, 11), two = visit_of(2, 12);
	struct event e = goes_out(w, 900);
	/* Nobody ever told of connections: no use in waiting. */
	assert_false(incident_waits(w->t, w->now, &e));
	(void)begins(w, &one, 900);
	assert_false(incident_waits(w->t, w->now, &e)); /* it is known */
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, first); /* although the second was active last */
	/* Found once; the next to the same place waits for its own word. */
	e = goes_out(w, 900);
	assert_true(incident_waits(w->t, w->now, &e));
	(void)begins(w, &two, 901);
	assert_true(incident_waits(w->t, w->now, &e));
	(void)begins(w, &two, 900);
	assert_false(incident_waits(w->t, w->now, &e));
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, second);
	/* What is long past says nothing. */
	(void)begins(w, &one, 902);
	w->now += 6 * NS_PER_SEC;
	e = goes_out(w, 902);
	assert_true(incident_waits(w->t, w->now, &e));
	incident_event(w->t, w->now, &e);
	assert_int_not_equal(e.incident, 0);
}

static void alone_nobody_waits(void **state)
{
	struct world *w = *state;
	uint64_t first = come(w, 1, NULL);
	struct event_visit one = visit_of(1, 11);
	(void)begins(w, &one, 900);
	struct event e = goes_out(w, 901);
	assert_false(incident_waits(w->t, w->now, &e));
	incident_event(w->t, w->now, &e);
	assert_int_equal(e.incident, first);
}

/* Daemons and logs go on for ever. */
static void what_a_guest_does_by_itself_keeps_nothing_open(void **state)
{
	struct world *w = *state;
	uint64_t flow, first = come(w, 1, &flow);
	struct event_visit nobody = {0};
	text_copy(nobody.guest, sizeof(nobody.guest), "web1");
	end(w, DIR_INBOUND, 1, flow, "closed");
	for (unsigned i = 0; i < 12; i++) {
		pass(w, MINUTE);
		struct event line = event_new(EVENT_SYSLOG), e = ran(w, &nobody);
		line.time_ns = w->now;
		text_copy(line.u.syslog.guest, EVENT_NAME, "web1");
		incident_event(w->t, w->now, &line);
		if (i < 9) {
			assert_int_equal(e.incident, first);
			assert_int_equal(line.incident, first);
		}
	}
	assert_int_equal(w->quieted, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_visitor_is_one_incident),
		TEST(what_is_refused_opens_nothing),
		TEST(what_came_in_is_overwritten),
		TEST(silence_ends_an_incident),
		TEST(an_end_that_was_lost_keeps_nothing_open_for_ever),
		TEST(two_visitors_make_a_join_ambiguous),
		TEST(a_guest_that_nobody_visits_has_an_incident_of_its_own),
		TEST(every_flow_of_a_busy_visitor_is_told),
		TEST(a_spoofed_scan_opens_a_bounded_number),
		TEST(the_rate_of_opening_is_bounded),
		TEST(what_the_sink_tells_finds_its_conversation),
		TEST(a_visit_is_found_by_its_conversation),
		TEST(sessions_are_told_apart),
		TEST(a_process_says_whose_a_conversation_is),
		TEST(alone_nobody_waits),
		TEST(what_a_guest_does_by_itself_keeps_nothing_open),
		TEST(an_escape_is_its_visitors_and_a_notice_keeps_nothing_open),
		TEST(guests_of_any_name_can_not_overrun_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
