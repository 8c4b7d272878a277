/* SPDX-License-Identifier: BSD-2-Clause */
/* What an event is to us, and that a stored line says the same: over all kinds, ordinary and hostile. */
#include "alert/alert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 20000

/* Pseudo-random and the same each time. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static const char *const texts[] = {
	"",
	"web1",
	"died",
	"open",
	"quiet",
	"update",
	"back",
	"running",
	"failed",
	"\\x41\\\\x41",
	"\xff\xfe\x80\xc0\xaf\xed\xa0\x80",
	"\x01\x1b[31m\x7f\t\n\r\"\\/",
	"\xc3\xa9\xe2\x82\xac",
	"\xf0\x9f\x90",
	"\\",
	"\\x",
	"\\x4",
	"a\\",
	"lost",
	"rules",
	"started",
	"stopped",
	"super",
	("0123456789012345678901234567890123456789012345678901234567890123456789\xe2\x82\xac\xff\\"
	 "\\"
	 "\\"),
};

static void some(uint64_t *seed, char *ret, size_t size)
{
	(void)text_copy(ret, size, texts[draw(seed) % ARRAY_LEN(texts)]);
	if (draw(seed) % 4 == 0)
		for (size_t i = 0; i + 1 < size; i++)
			ret[i] = (char)(draw(seed) % 8 == 0 ? '\\' : draw(seed));
	ret[size - 1] = '\0';
	memset(ret + strlen(ret), 0, size - strlen(ret));
}

static struct addr some_addr(uint64_t *seed)
{
	uint8_t b[16];
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)draw(seed);
	if (draw(seed) % 4 == 0) /* addr_text writes these in another form */
		memset(b, 0, 10), b[10] = b[11] = draw(seed) % 2 != 0 ? 0xff : 0;
	uint64_t how = draw(seed) % 5;
	if (how == 0)
		return (struct addr){0};
	return how < 3 ? addr_from_v4(b) : addr_from_v6(b);
}

static void some_tuple(uint64_t *seed, struct event_tuple *t)
{
	static const uint8_t protos[] = {1, 6, 17, 58, 132, 47, 0, 255, 99};
	t->src = some_addr(seed);
	t->dst = some_addr(seed);
	t->proto = protos[draw(seed) % ARRAY_LEN(protos)];
	t->sport = (uint16_t)draw(seed);
	t->dport = draw(seed) % 4 == 0 ? 514 : (uint16_t)draw(seed);
	some(seed, t->guest, sizeof(t->guest));
}

static void some_visit(uint64_t *seed, struct event_visit *v)
{
	some(seed, v->guest, sizeof(v->guest));
	v->session = draw(seed) % 3 == 0 ? 0 : draw(seed) >> 11;
	v->peer = some_addr(seed);
	v->proto = (uint8_t)draw(seed);
	v->server_port = (uint16_t)draw(seed);
	v->peer_port = (uint16_t)draw(seed);
}

static void some_syn(uint64_t *seed, struct event_syn *s)
{
	s->ttl = draw(seed) % 3 == 0 ? 0 : (uint8_t)draw(seed);
	s->df = (uint8_t)draw(seed);
	s->wscale = (uint8_t)draw(seed);
	s->window = (uint16_t)draw(seed);
	s->mss = (uint16_t)draw(seed);
	s->quirks = (uint32_t)draw(seed);
	s->n_options = (uint8_t)(draw(seed) % (EVENT_SYN_OPTIONS + 1));
	for (unsigned i = 0; i < EVENT_SYN_OPTIONS; i++)
		s->options[i] = (uint8_t)draw(seed);
}

static void some_told(uint64_t *seed, struct event *e)
{
	if (e->kind == EVENT_ESCAPE) {
		some(seed, e->u.escape.guest, EVENT_NAME);
		some(seed, e->u.escape.what, EVENT_NAME);
	} else if (e->kind == EVENT_SEAL) {
		some(seed, e->u.seal.file, EVENT_NAME);
	} else if (e->kind == EVENT_HEALTH) {
		some(seed, e->u.health.role, EVENT_NAME);
		some(seed, e->u.health.what, EVENT_NAME);
	} else if (e->kind == EVENT_GUEST) {
		some(seed, e->u.guest.guest, EVENT_NAME);
		some(seed, e->u.guest.state, EVENT_NAME);
	} else if (e->kind == EVENT_LIMIT) {
		some(seed, e->u.limit.guest, EVENT_NAME);
		some(seed, e->u.limit.what, EVENT_NAME);
		e->u.limit.dropped = draw(seed) % 2;
	} else if (e->kind == EVENT_INCIDENT) {
		static const char *const states[] = {"open", "update", "quiet"};
		some(seed, e->u.incident.guest, EVENT_NAME);
		text_copy(e->u.incident.state, EVENT_NAME, states[draw(seed) % 3]);
		e->u.incident.peer = some_addr(seed);
	}
}

static void some_body(uint64_t *seed, struct event *e)
{
	some_told(seed, e);
	if (event_tuple_of(e) != NULL)
		some_tuple(seed, event_tuple_of(e));
	if (event_visit_of(e) != NULL)
		some_visit(seed, (struct event_visit *)(uintptr_t)event_visit_of(e));
	if (e->kind == EVENT_CONNECTION) {
		some_syn(seed, &e->u.connection.syn);
	} else if (e->kind == EVENT_ALERT) {
		e->u.alert.severity = (uint32_t)(draw(seed) % 4 == 0 ? draw(seed) : draw(seed) % 5);
		e->u.alert.sid = (uint32_t)draw(seed);
		e->u.alert.gid = (uint32_t)draw(seed);
		e->u.alert.toclient = draw(seed) % 2;
	} else if (e->kind == EVENT_COMMAND) {
		some(seed, e->u.command.layer, EVENT_NAME);
		for (unsigned i = 0; i < EVENT_EXCERPT; i++)
			e->u.command.line[i] =
				(char)(draw(seed) % 3 == 0 ? '\\' : draw(seed) % 256);
		e->u.command.line_len = (uint16_t)(draw(seed) % (EVENT_EXCERPT + 1));
	} else if (e->kind == EVENT_LOGIN) {
		some(seed, e->u.login.user, EVENT_USER);
		e->u.login.ok = (int8_t)((int)(draw(seed) % 3) - 1);
	} else if (e->kind == EVENT_SILENCE || e->kind == EVENT_MISMATCH) {
		some(seed, e->u.silence.layer, EVENT_NAME);
		some(seed, e->u.silence.what, EVENT_NAME);
	}
}

static struct event some_event(uint64_t *seed)
{
	struct event e;
	memset(&e, 0, sizeof(e));
	e.kind = (uint16_t)(EVENT_CONNECTION + draw(seed) % (EVENT_KINDS - 1));
	e.id = draw(seed) >> 11;
	e.flow_id = draw(seed) % 3 == 0 ? 0 : draw(seed) >> 11;
	e.incident = draw(seed) % 3 == 0 ? 0 : draw(seed) >> 11;
	e.time_ns = (int64_t)(draw(seed) >> (draw(seed) % 2 != 0 ? 1 : 4));
	e.direction = (uint8_t)(draw(seed) % (DIR_LATERAL + 1));
	e.verdict = (uint8_t)(draw(seed) % VERDICTS);
	e.reason = (uint8_t)(draw(seed) % REASONS);
	e.priority = (uint8_t)(draw(seed) % 3);
	some(seed, e.text, sizeof(e.text));
	some_body(seed, &e);
	return e;
}

static void differ(const struct alert_input *a, const struct alert_input *b, const char *json)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;
	for (size_t i = 0; i < sizeof(*a); i++)
		if (x[i] != y[i])
			fail_msg("kind %u: byte %zu of the input differs (%02x, %02x): %s", a->kind,
				 i, x[i], y[i], json);
}

static void stored_line_is_the_event(void **state)
{
	uint64_t seed = 0x5eed;
	unsigned wanted[EVENT_KINDS] = {0};
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct event e = some_event(&seed);
		struct alert_input live, stored;
		if (!event_valid(&e))
			fail_msg("kind %u: the test's own event is not valid", e.kind);
		memset(&stored, 0x55, sizeof(stored));
		char *json = event_json(&e, "sensor");
		assert_non_null(json);
		bool interest = alert_input_of(&e, &live);
		int err = alert_input_json(e.id, json, &stored);
		assert_int_equal(interest, alert_wants(&e));
		if (err != (interest ? 0 : SKEP_ENOTFOUND))
			fail_msg("%d for kind %u, wanted %d: %s", err, e.kind, interest, json);
		wanted[e.kind] += interest;
		if (interest)
			differ(&live, &stored, json);
		free(json);
	}
	static const uint8_t kinds[] = {EVENT_CONNECTION, EVENT_LIMIT,    EVENT_GUEST,
					EVENT_HEALTH,     EVENT_INCIDENT, EVENT_ALERT,
					EVENT_COMMAND,    EVENT_LOGIN,    EVENT_SILENCE,
					EVENT_MISMATCH,   EVENT_ESCAPE,   EVENT_SEAL};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		assert_true(wanted[kinds[i]] > 50);
}

static void lines_that_are_none(void **state)
{
	static const char *const lines[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"event_type\":\"login\"}",
		"{\"event_type\":\"login\",\"timestamp\":\"2026-13-01T00:00:00.000000+0000\","
		"\"login\":{}}",
		"{\"event_type\":\"login\",\"timestamp\":\"2026-11-01T00:00:00.000000+0000\"}",
		"{\"event_type\":\"login\",\"timestamp\":\"2026-11-01T00:00:00.000000+0000\","
		"\"login\":[]}",
		"{\"event_type\":\"nothing\",\"timestamp\":\"2026-11-01T00:00:00.000000+0000\"}",
	};
	struct alert_input in;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_int_equal(alert_input_json(1, lines[i], &in), SKEP_EFORMAT);
}

/* ---- classes --------------------------------------------------------------------------------------- */

static struct event connection(enum event_direction d, enum reason r, uint16_t port)
{
	struct event e = event_new(EVENT_CONNECTION);
	e.direction = (uint8_t)d;
	e.reason = (uint8_t)r;
	e.verdict = r == REASON_NONE ? VERDICT_FORWARD : VERDICT_DROP;
	e.u.connection.tuple.proto = 6;
	e.u.connection.tuple.src = addr_from_v4("\xc6\x33\x64\x42");
	e.u.connection.tuple.dst = addr_from_v4("\xcb\x00\x71\x0a");
	e.u.connection.tuple.sport = 40000;
	e.u.connection.tuple.dport = port;
	return e;
}

static unsigned class_of(const struct event *e)
{
	struct alert_input in;
	return alert_input_of(e, &in) ? in.class : 99;
}

static void conversations(void **state)
{
	struct alert_input in;
	struct event e = connection(DIR_INBOUND, REASON_CLOSED, 22);
	(void)state;
	assert_int_equal(class_of(&e), ALERT_INBOUND);
	assert_true(alert_input_of(&e, &in));
	assert_true(addr_eq(&in.source, &e.u.connection.tuple.src));
	assert_int_equal(in.port, 22);
	e = connection(DIR_OUTBOUND, REASON_NONE, 6667);
	assert_int_equal(class_of(&e), ALERT_OUTBOUND);
	assert_true(alert_input_of(&e, &in));
	assert_true(addr_eq(&in.source, &e.u.connection.tuple.dst));
	e = connection(DIR_OUTBOUND, REASON_ROACH_MOTEL, 6667);
	assert_int_equal(class_of(&e), ALERT_OUTBOUND);
	e = connection(DIR_OUTBOUND, REASON_MULTICAST, 5353);
	assert_int_equal(class_of(&e), 99);
	e = connection(DIR_LATERAL, REASON_NONE, 22);
	assert_int_equal(class_of(&e), ALERT_OUTBOUND);
	e = connection(DIR_LATERAL, REASON_NONE, 514);
	assert_int_equal(class_of(&e), 99);
	e = event_new(EVENT_FLOW);
	assert_int_equal(class_of(&e), 99);
}

static unsigned health_class(const char *what, unsigned priority)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = (uint8_t)priority;
	text_copy(e.u.health.what, EVENT_NAME, what);
	return class_of(&e);
}

static void the_rest(void **state)
{
	(void)state;
	assert_int_equal(health_class("died", 1), ALERT_HEALTH);
	assert_int_equal(health_class("full", 2), ALERT_HEALTH);
	assert_int_equal(health_class("lost", 1), ALERT_HEALTH);
	assert_int_equal(health_class("undelivered", 1), ALERT_HEALTH);
	assert_int_equal(health_class("died", 0), 99);
	assert_int_equal(health_class("started", 2), 99);
	assert_int_equal(health_class("restarted", 2), 99);
	assert_int_equal(health_class("rules", 1), 99);
	struct event stop = event_new(EVENT_HEALTH);
	text_copy(stop.u.health.role, EVENT_NAME, "super");
	text_copy(stop.u.health.what, EVENT_NAME, "stopped");
	assert_int_equal(class_of(&stop), ALERT_CLASSES); /* of interest, but no alert */
	assert_int_equal(health_class("rules", 2), ALERT_HEALTH);
	struct event e = event_new(EVENT_LOGIN);
	e.u.login.ok = 0;
	assert_int_equal(class_of(&e), 99);
	e.u.login.ok = 1;
	assert_int_equal(class_of(&e), ALERT_LOGIN);
	e = event_new(EVENT_ALERT);
	static const unsigned by[] = {ALERT_RULE_LOW, ALERT_RULE_HIGH, ALERT_RULE_MEDIUM,
				      ALERT_RULE_LOW};
	for (unsigned s = 0; s < ARRAY_LEN(by); s++) {
		e.u.alert.severity = s;
		assert_int_equal(class_of(&e), by[s]);
	}
	e = event_new(EVENT_SILENCE);
	text_copy(e.u.silence.what, EVENT_NAME, "back");
	assert_int_equal(class_of(&e), 99);
	text_copy(e.u.silence.what, EVENT_NAME, "killed");
	assert_int_equal(class_of(&e), ALERT_SILENCE);
	e = event_new(EVENT_LIMIT);
	assert_int_equal(class_of(&e), ALERT_LIMIT);
	e.u.limit.dropped = 1;
	assert_int_equal(class_of(&e), 99);
	e = event_new(EVENT_ESCAPE);
	assert_int_equal(class_of(&e), ALERT_ESCAPE);
	e = event_new(EVENT_NOTICE); /* else each message would be a reason for another */
	assert_int_equal(class_of(&e), 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_line_is_the_event),
		cmocka_unit_test(lines_that_are_none),
		cmocka_unit_test(conversations),
		cmocka_unit_test(the_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
