/* SPDX-License-Identifier: BSD-2-Clause */
#include "event/event.h"
#include "event/event_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void words_are_all_there_and_differ(void **state)
{
	(void)state;
	for (int i = 0; i < REASONS; i++)
		for (int k = 0; k < i; k++) {
			assert_string_not_equal(reason_text((enum reason)i), "?");
			assert_string_not_equal(reason_text((enum reason)i),
						reason_text((enum reason)k));
		}
	for (int i = 0; i < VERDICTS; i++)
		assert_string_not_equal(verdict_text((enum verdict)i), "?");
	for (int i = EVENT_CONNECTION; i < EVENT_KINDS; i++)
		assert_string_not_equal(event_kind_text((enum event_kind)i), "?");
	assert_string_equal(reason_text((enum reason)200), "?");
	assert_string_equal(verdict_text(VERDICT_LIMIT), "limit");
	assert_string_equal(direction_text(DIR_OUTBOUND), "OUTBOUND");
	assert_string_equal(reason_text(REASON_SPOOFED_MAC), "spoofed-mac");
}

static void times_are_utc_with_microseconds(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000000+0000"},
		{INT64_C(951782399999999999), "2000-02-28T23:59:59.999999+0000"},
		{INT64_C(951782400000000000), "2000-02-29T00:00:00.000000+0000"},
		{INT64_C(4107542400000001000), "2100-03-01T00:00:00.000001+0000"},
		{-1000, "1969-12-31T23:59:59.999999+0000"},
		{INT64_MAX, "2262-04-11T23:47:16.854775+0000"},
	};
	char buf[EVENT_TIME];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(event_time_text(rows[i].ns, buf), rows[i].text);
}

static void any_bytes_become_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"plain", "plain"},
		{"\xc3\xa9\xf0\x9f\x90\x9d", "\xc3\xa9\xf0\x9f\x90\x9d"},
		{"\xff", "\\xff"},
		{"a\\b", "a\\\\b"},
		{"\xc0\xaf", "\\xc0\\xaf"},          /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xe2\x82", "\\xe2\\x82"}, /* cut */
		{"\xe2\x82z", "\\xe2\\x82z"},
	};
	char buf[64];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = event_utf8(rows[i].in, 32, buf, sizeof(buf));
		assert_string_equal(buf, rows[i].out);
		assert_int_equal(n, strlen(rows[i].out));
	}
	/* Cut between characters, never inside one, and never past size. */
	assert_int_equal(event_utf8("a\xc3\xa9", 3, buf, 3), 1);
	assert_int_equal(event_utf8("\xff", 1, buf, 4), 0);
	assert_int_equal(event_utf8("abcdef", 3, buf, sizeof(buf)), 3);
}

static struct event flow_event(void)
{
	struct event e = event_new(EVENT_FLOW);
	e.u.flow.tuple.src = addr_from_v4("\xc6\x33\x64\x42");
	e.u.flow.tuple.dst = addr_from_v4("\xcb\x00\x71\x0a");
	e.u.flow.tuple.proto = 6;
	e.u.flow.tuple.sport = 40000;
	e.u.flow.tuple.dport = 22;
	e.u.flow.tcp_flags_ts = 0x1b;
	text_copy(e.u.flow.state, EVENT_NAME, "closed");
	return e;
}

static void whole_events_are_valid(void **state)
{
	(void)state;
	for (int k = EVENT_CONNECTION; k < EVENT_KINDS; k++) {
		struct event e = event_new((enum event_kind)k);
		if (k == EVENT_INCIDENT)
			text_copy(e.u.incident.state, EVENT_NAME, "open");
		assert_true(event_valid(&e));
		assert_true(e.time_ns > 0);
	}
	struct event e = flow_event();
	assert_true(event_valid(&e));
}

#define REFUSED(change)                        \
	do {                                   \
		struct event e = flow_event(); \
		change;                        \
		assert_false(event_valid(&e)); \
	} while (0)

static void hostile_events_are_refused(void **state)
{
	(void)state;
	REFUSED(e.kind = 0);
	REFUSED(e.kind = EVENT_KINDS);
	REFUSED(e.kind = UINT16_MAX);
	REFUSED(e.direction = DIR_LATERAL + 1);
	REFUSED(e.verdict = VERDICTS);
	REFUSED(e.reason = REASONS);
	REFUSED(e.priority = 3);
	REFUSED(e.time_ns = -1);
	REFUSED(e.id = UINT64_C(1) << 53);
	REFUSED(e.flow_id = UINT64_C(1) << 53);
	REFUSED(e.incident = UINT64_C(1) << 53);
	REFUSED(memset(e.text, 'x', sizeof(e.text)));
	REFUSED(memset(e.u.flow.state, 'x', EVENT_NAME));
	REFUSED(memset(e.u.flow.end_reason, 'x', EVENT_NAME));
	REFUSED(memset(e.u.flow.tuple.guest, 'x', EVENT_NAME));
	REFUSED(memset(e.u.flow.tuple.peer_guest, 'x', EVENT_NAME));
	REFUSED(memset(e.u.flow.tuple.in_port, 'x', EVENT_NAME));
	REFUSED(memset(e.u.flow.tuple.community_id, 'x', EVENT_NAME));
	REFUSED(text_copy(e.u.flow.tuple.community_id, EVENT_NAME, "1:short="));
	REFUSED(e.u.flow.tuple.src.ver = 5);
	REFUSED(e.u.flow.tuple.in_dst.ver = 255);
	REFUSED(e.u.flow.tuple.src.b[9] = 1);
	REFUSED(e.u.flow.tuple.src.pad[1] = 1);
	REFUSED(e.u.flow.start_ns = -1);
}

static void hostile_incidents_are_refused(void **state)
{
	struct event e = event_new(EVENT_INCIDENT);
	(void)state;
	assert_false(event_valid(&e)); /* no state */
	text_copy(e.u.incident.state, EVENT_NAME, "update");
	e.u.incident.n_flows = INCIDENT_FLOWS + 1;
	assert_false(event_valid(&e));
	e.u.incident.n_flows = 2;
	e.u.incident.flow_ids[0] = 7;
	assert_false(event_valid(&e)); /* the second is none */
	e.u.incident.flow_ids[1] = UINT64_MAX;
	assert_false(event_valid(&e));
	e.u.incident.flow_ids[1] = 8;
	assert_true(event_valid(&e));
}

static void the_flow_line_is_what_tools_expect(void **state)
{
	struct event e = flow_event();
	(void)state;
	e.time_ns = INT64_C(1795464062123456789);
	e.flow_id = 4711;
	e.u.flow.start_ns = e.time_ns - 61 * NS_PER_SEC;
	e.u.flow.end_ns = e.time_ns;
	char *json = event_json(&e, "hive");
	assert_non_null(json);
	json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	const char *when, *src, *proto, *kind, *flags;
	json_int_t id, port, age;
	int alerted;
	assert_int_equal(json_unpack(o, "{s:s,s:s,s:s,s:s,s:I,s:I,s:{s:I,s:b},s:{s:s}}",
				     "timestamp", &when, "src_ip", &src, "proto", &proto,
				     "event_type", &kind, "flow_id", &id, "dest_port", &port,
				     "flow", "age", &age, "alerted", &alerted, "tcp",
				     "tcp_flags_ts", &flags),
			 0);
	assert_string_equal(when, "2026-11-23T20:01:02.123456+0000");
	assert_string_equal(src, "198.51.100.66");
	assert_string_equal(proto, "TCP");
	assert_string_equal(kind, "flow");
	assert_string_equal(flags, "1b");
	assert_int_equal(id, 4711);
	assert_int_equal(port, 22);
	assert_int_equal(age, 61);
	assert_int_equal(alerted, 0);
	json_decref(o);
	free(json);
}

static void numbers_stay_exact(void **state)
{
	struct event e = event_new(EVENT_STATS);
	(void)state;
	e.u.stats.pkts = UINT64_MAX;
	char *json = event_json(&e, "");
	assert_non_null(strstr(json, "\"pkts\":9007199254740991"));
	free(json);
}

static void what_was_typed_is_harmless(void **state)
{
	struct event e = event_new(EVENT_COMMAND);
	(void)state;
	e.u.command.visit.session = 1;
	e.u.command.status = 256; /* exit 1 */
	e.u.command.line_len = 7;
	memcpy(e.u.command.line, "a\033[2J\xff\0", 7);
	char *json = event_json(&e, "");
	assert_non_null(strstr(json, "\"line\":\"a\\u001B[2J\\\\xff\\\\x00\""));
	assert_non_null(strstr(json, "\"session\":\"00000000001\""));
	assert_non_null(strstr(json, "\"exit_code\":1,\"signal\":null"));
	free(json);
	e.u.command.status = 9;
	json = event_json(&e, "");
	assert_non_null(strstr(json, "\"exit_code\":null,\"signal\":9"));
	free(json);
	e.u.command.line_len = EVENT_EXCERPT + 1;
	assert_false(event_valid(&e));
}

static void the_schema_is_the_checked_in_one(void **state)
{
	json_t *o = json_loads(event_schema(), JSON_REJECT_DUPLICATES, NULL);
	(void)state;
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "$id")),
			    "urn:skep:schema:skep-json:1");
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_all_there_and_differ),
		cmocka_unit_test(times_are_utc_with_microseconds),
		cmocka_unit_test(any_bytes_become_utf8),
		cmocka_unit_test(whole_events_are_valid),
		cmocka_unit_test(hostile_events_are_refused),
		cmocka_unit_test(hostile_incidents_are_refused),
		cmocka_unit_test(the_flow_line_is_what_tools_expect),
		cmocka_unit_test(numbers_stay_exact),
		cmocka_unit_test(what_was_typed_is_harmless),
		cmocka_unit_test(the_schema_is_the_checked_in_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
