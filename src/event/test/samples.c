/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints events of every kind with ordinary, extreme and hostile values, one JSON text a line, each
 * after the name of its stream: test_schema.py holds them to the schemas. Exit 1 if a sample is not
 * one that a receiver would accept, for then it would prove nothing.
 */
#include "event/event.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const hostile[] = {
	"",
	"web1",
	"\xff\xfe\x80\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xf8\x88\x80",
	"\x01\x02\x1b[31m\x7f\t\n\r\"\\/",
	"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x9d \xe2\x80\xae",
	"\xf0\x9f\x90", /* cut */
	("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	 "\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
};

static int failed;

static void print(const struct event *e)
{
	char *json = event_json(e, "sensor \"\xff\"");
	if (!event_valid(e) || json == NULL || strchr(json, '\n') != NULL)
		failed = 1;
	else
		printf("%s %s\n", event_is_eve((enum event_kind)e->kind) ? "eve" : "skep", json);
	free(json);
}

static void fill_tuple(struct event_tuple *t, uint8_t proto, bool v6, const char *name)
{
	const uint8_t four[4] = {198, 51, 100, 66};
	const uint8_t six[16] = {0x20, 1, 0xd, 0xb8};
	t->src = t->in_src = t->dst = t->in_dst = v6 ? addr_from_v6(six) : addr_from_v4(four);
	t->dst.b[3] = 255;
	t->proto = proto;
	t->sport = t->in_dport = UINT16_MAX;
	t->icmp_id = UINT16_MAX;
	text_copy(t->guest, sizeof(t->guest), name);
	text_copy(t->peer_guest, sizeof(t->peer_guest), name);
	text_copy(t->in_port, sizeof(t->in_port), name);
	text_copy(t->community_id, EVENT_NAME, "1:wCb3OG7yAFWelaUydu0D+125CLM=");
	text_copy(t->inside_community_id, EVENT_NAME, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
}

static struct event base(enum event_kind kind, unsigned i, const char *text)
{
	struct event e = event_new(kind);
	e.id = i == 0 ? 0 : (UINT64_C(1) << 53) - 1;
	e.incident = e.flow_id = e.id;
	e.time_ns = i == 0 ? 0 : i == 1 ? INT64_MAX : INT64_C(1795464062123456789);
	e.direction = (uint8_t)(i % (DIR_LATERAL + 1));
	e.verdict = (uint8_t)(i % VERDICTS);
	e.reason = (uint8_t)(i % REASONS);
	e.priority = (uint8_t)(i % 3);
	event_say(&e, "%s%s%s", text, text, text);
	return e;
}

static void tuples(unsigned i, const char *text)
{
	static const uint8_t protos[] = {0, 1, 2, 6, 17, 47, 58, 132, 255};
	for (size_t p = 0; p < ARRAY_LEN(protos); p++)
		for (int v6 = 0; v6 < 2; v6++) {
			struct event e = base(EVENT_CONNECTION, i, text);
			fill_tuple(&e.u.connection.tuple, protos[p], v6 != 0, text);
			e.u.connection.limit_max = i % 2 != 0 ? UINT32_MAX : 0;
			e.u.connection.limit_used = e.u.connection.limit_window_s = UINT32_MAX;
			if (i % 2 != 0) {
				memset(&e.u.connection.syn, 0xff, sizeof(e.u.connection.syn));
				e.u.connection.syn.n_options = EVENT_SYN_OPTIONS;
			}
			print(&e);
			e = base(EVENT_FLOW, i, text);
			fill_tuple(&e.u.flow.tuple, protos[p], v6 != 0, text);
			e.u.flow.start_ns = i % 2 != 0 ? INT64_MAX : 0;
			e.u.flow.bytes_toclient = e.u.flow.pkts_toserver = UINT64_MAX;
			e.u.flow.tcp_flags_ts = 0xff;
			text_copy(e.u.flow.state, EVENT_NAME, text);
			text_copy(e.u.flow.end_reason, EVENT_NAME, text);
			print(&e);
			e = base(EVENT_ANOMALY, i, text);
			if (i % 2 != 0)
				fill_tuple(&e.u.anomaly.tuple, protos[p], v6 != 0, text);
			text_copy(e.u.anomaly.name, sizeof(e.u.anomaly.name), text);
			e.u.anomaly.count = UINT64_MAX;
			print(&e);
			e = base(EVENT_ALERT, i, text);
			fill_tuple(&e.u.alert.tuple, protos[p], v6 != 0, text);
			e.u.alert.sid = e.u.alert.gid = e.u.alert.rev = UINT32_MAX;
			e.u.alert.severity = i;
			e.u.alert.blocked = e.u.alert.toclient = i % 2;
			text_copy(e.u.alert.class, sizeof(e.u.alert.class), text);
			text_copy(e.u.alert.app_proto, sizeof(e.u.alert.app_proto), text);
			print(&e);
			e = base(EVENT_DROP, i, text);
			fill_tuple(&e.u.drop.tuple, protos[p], v6 != 0, text);
			e.u.drop.len = UINT32_MAX;
			print(&e);
		}
}

static void others(unsigned i, const char *text)
{
	struct event e = base(EVENT_LIMIT, i, text);
	text_copy(e.u.limit.guest, EVENT_NAME, text);
	text_copy(e.u.limit.what, EVENT_NAME, text);
	e.u.limit.flow_id = e.flow_id;
	e.u.limit.dropped = UINT64_MAX;
	e.u.limit.max = UINT32_MAX;
	print(&e);
	e = base(EVENT_GUEST, i, text);
	text_copy(e.u.guest.guest, EVENT_NAME, text);
	text_copy(e.u.guest.state, EVENT_NAME, text);
	text_copy(e.u.guest.accel, EVENT_NAME, text);
	e.u.guest.restarts = UINT32_MAX;
	print(&e);
	e = base(EVENT_HEALTH, i, text);
	text_copy(e.u.health.role, EVENT_NAME, text);
	text_copy(e.u.health.what, EVENT_NAME, text);
	e.u.health.count = UINT64_MAX;
	e.u.health.exit_code = INT32_MIN;
	e.u.health.signal = INT32_MAX;
	print(&e);
	e = base(EVENT_INCIDENT, i, text);
	text_copy(e.u.incident.guest, EVENT_NAME, text);
	text_copy(e.u.incident.state, EVENT_NAME, i % 2 != 0 ? "quiet" : "open");
	if (i % 2 != 0)
		e.u.incident.peer = addr_from_v4("\xc6\x33\x64\x42");
	e.u.incident.last_ns = INT64_MAX;
	e.u.incident.flows_total = UINT64_MAX;
	e.u.incident.ambiguous = i % 2;
	e.u.incident.n_flows = i % 2 != 0 ? INCIDENT_FLOWS : 0;
	for (uint32_t n = 0; n < e.u.incident.n_flows; n++)
		e.u.incident.flow_ids[n] = (UINT64_C(1) << 53) - 1 - n;
	print(&e);
	e = base(EVENT_CONTAINMENT, i, text);
	text_copy(e.u.containment.what, EVENT_NAME, text);
	text_copy(e.u.containment.state, EVENT_NAME, text);
	text_copy(e.u.containment.guest, EVENT_NAME, text);
	text_copy(e.u.containment.order, EVENT_NAME, text);
	if (i % 2 != 0) {
		e.u.containment.net.addr = addr_from_v4("\xc6\x33\x64\x42");
		e.u.containment.net.len = 32;
		e.u.containment.until_ns = INT64_MAX;
	}
	print(&e);
	e = base(EVENT_SINK, i, text);
	text_copy(e.u.sink.guest, EVENT_NAME, text);
	text_copy(e.u.sink.service, EVENT_NAME, text);
	text_copy(e.u.sink.what, EVENT_NAME, text);
	if (i % 2 != 0) {
		e.u.sink.client = e.u.sink.server = addr_from_v4("\xc6\x33\x64\x42");
		e.u.sink.cport = e.u.sink.sport = UINT16_MAX;
		e.u.sink.proto = 6;
		e.u.sink.bytes = e.u.sink.count = UINT64_MAX;
		e.u.sink.excerpt_len = i % 4 == 1 ? EVENT_EXCERPT : 1;
		memset(e.u.sink.excerpt, i % 3 == 0 ? 0xff : i % 3 == 1 ? 0 : '\\', EVENT_EXCERPT);
	}
	print(&e);
	e = base(EVENT_STATS, i, text);
	e.u.stats.uptime_s = INT64_MAX;
	e.u.stats.pkts = e.u.stats.kernel_drops = e.u.stats.memuse = UINT64_MAX;
	print(&e);
}

static void fill_visit(struct event_visit *v, unsigned i, const char *text)
{
	text_copy(v->guest, sizeof(v->guest), text);
	if (i % 2 == 0)
		return;
	v->session = (UINT64_C(1) << 53) - 1 - i;
	v->peer = v->server = addr_from_v4("\xc6\x33\x64\x42");
	v->peer_port = v->server_port = UINT16_MAX;
	v->proto = i % 4 == 1 ? 6 : 255;
}

static void inside(unsigned i, const char *text)
{
	struct event e = base(EVENT_SESSION, i, text);
	fill_visit(&e.u.session.visit, i, text);
	text_copy(e.u.session.state, EVENT_NAME, i % 2 != 0 ? "begin" : "end");
	text_copy(e.u.session.service, EVENT_NAME, text);
	text_copy(e.u.session.heard, sizeof(e.u.session.heard),
		  i % 2 != 0 ? "monitor shell " : text);
	text_copy(e.u.session.user, EVENT_USER, text);
	text_copy(e.u.session.why, EVENT_NAME, text);
	e.u.session.start_ns = INT64_MAX;
	e.u.session.input = UINT64_MAX;
	e.u.session.commands = UINT32_MAX;
	print(&e);
	e = base(EVENT_COMMAND, i, text);
	fill_visit(&e.u.command.visit, i, text);
	text_copy(e.u.command.layer, EVENT_NAME, text);
	text_copy(e.u.command.user, EVENT_USER, text);
	text_copy(e.u.command.tty, sizeof(e.u.command.tty), text);
	text_copy(e.u.command.cwd, EVENT_PLACE, text);
	memset(e.u.command.exe, 0xff, EVENT_PLACE - 1);
	e.u.command.status = i % 4 == 0 ? -1 : i % 4 == 1 ? INT32_MAX : i % 4 == 2 ? 9 : 256;
	e.u.command.pid = e.u.command.uid = UINT32_MAX;
	e.u.command.line_len = i % 2 != 0 ? EVENT_EXCERPT : 0;
	memset(e.u.command.line, i % 3 == 0 ? 0xff : i % 3 == 1 ? 0 : '\\', EVENT_EXCERPT);
	print(&e);
	e = base(EVENT_LOGIN, i, text);
	fill_visit(&e.u.login.visit, i, text);
	text_copy(e.u.login.service, EVENT_NAME, text);
	text_copy(e.u.login.method, EVENT_NAME, text);
	text_copy(e.u.login.user, EVENT_USER, text);
	memset(e.u.login.secret, 0x80, EVENT_USER - 1);
	e.u.login.ok = (int8_t)((int)(i % 3) - 1);
	print(&e);
	e = base(EVENT_SYSLOG, i, text);
	text_copy(e.u.syslog.guest, EVENT_NAME, text);
	text_copy(e.u.syslog.app, EVENT_USER, text);
	text_copy(e.u.syslog.host, EVENT_USER, text);
	e.u.syslog.facility = 23;
	e.u.syslog.severity = 7;
	e.u.syslog.cut = i % 2;
	e.u.syslog.line_len = EVENT_EXCERPT;
	memset(e.u.syslog.line, 0xff, EVENT_EXCERPT);
	print(&e);
}

static void deeds(unsigned i, const char *text)
{
	struct event e = base(EVENT_FILE, i, text);
	fill_visit(&e.u.file.visit, i, text);
	text_copy(e.u.file.what, EVENT_NAME, text);
	memset(e.u.file.path, 0xff, EVENT_PLACE - 1);
	text_copy(e.u.file.to, EVENT_PLACE, text);
	text_copy(e.u.file.type, sizeof(e.u.file.type), text);
	if (i % 2 != 0)
		memset(e.u.file.sha256, 'a', EVENT_SHA256 - 1);
	e.u.file.size = UINT64_MAX;
	print(&e);
	e = base(EVENT_ACTIVITY, i, text);
	fill_visit(&e.u.activity.visit, i, text);
	text_copy(e.u.activity.what, EVENT_NAME, text);
	memset(e.u.activity.detail, 0xff, EVENT_PLACE - 1);
	text_copy(e.u.activity.comm, sizeof(e.u.activity.comm), text);
	if (i % 2 != 0)
		e.u.activity.addr = addr_from_v4("\xc6\x33\x64\x42");
	e.u.activity.port = UINT16_MAX;
	e.u.activity.proto = 6;
	print(&e);
	for (int k = EVENT_SILENCE; k <= EVENT_MISMATCH; k++) {
		e = base((enum event_kind)k, i, text);
		fill_visit(&e.u.silence.visit, i, text);
		text_copy(e.u.silence.layer, EVENT_NAME, text);
		text_copy(e.u.silence.what, EVENT_NAME, text);
		text_copy(e.u.silence.other, EVENT_NAME, k == EVENT_MISMATCH ? text : "");
		text_copy(e.u.silence.detail, EVENT_PLACE, text);
		e.u.silence.count = UINT64_MAX;
		print(&e);
	}
}

static void told(unsigned i, const char *text)
{
	struct event e = base(EVENT_ESCAPE, i, text);
	text_copy(e.u.escape.guest, EVENT_NAME, text);
	text_copy(e.u.escape.what, EVENT_NAME, i % 2 != 0 ? "filter" : text);
	memset(e.u.escape.detail, 0xff, i % 2 != 0 ? EVENT_PLACE - 1 : 0);
	e.u.escape.signal = i % 2 != 0 ? 31 : -1;
	e.u.escape.pid = UINT32_MAX;
	print(&e);
	e = base(EVENT_NOTICE, i, text);
	text_copy(e.u.notice.what, EVENT_NAME, i % 2 != 0 ? "held" : text);
	text_copy(e.u.notice.destination, EVENT_NAME, text);
	text_copy(e.u.notice.class, EVENT_NAME, text);
	text_copy(e.u.notice.guest, EVENT_NAME, text);
	text_copy(e.u.notice.why, EVENT_NAME, text);
	memset(e.u.notice.answer, 0xff, i % 2 != 0 ? EVENT_PLACE - 1 : 0);
	e.u.notice.number = i % 2 != 0 ? UINT64_MAX : 0;
	e.u.notice.count = UINT64_MAX;
	print(&e);
	e = base(EVENT_SEAL, i, text);
	text_copy(e.u.seal.file, EVENT_NAME, text);
	memset(e.u.seal.sha256, i % 3 == 0 ? 0xff : 'a', EVENT_SHA256 - 1);
	memset(e.u.seal.previous, 'b', i % 2 != 0 ? EVENT_SHA256 - 1 : 0);
	e.u.seal.n = e.u.seal.bytes = UINT64_MAX;
	print(&e);
}

int main(void)
{
	for (unsigned i = 0; i < 2 * REASONS; i++) {
		const char *text = hostile[i % ARRAY_LEN(hostile)];
		others(i, text);
		inside(i, text);
		deeds(i, text);
		told(i, text);
		if (i < 2 * ARRAY_LEN(hostile))
			tuples(i, text);
	}
	return failed;
}
