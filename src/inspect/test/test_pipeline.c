/* SPDX-License-Identifier: BSD-2-Clause */
/* The pipeline with frames made by hand: what is told, when, how often; and what a flood may cost. */
#include "inspect/inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIN 1
#define SYN 2
#define PSH 8
#define ACK 16

#ifndef SKEP_SANITIZE
/* Counts what this process takes from the heap; the sanitizers need these names themselves. */
static unsigned long taken;
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	taken++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	taken++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	taken++;
	return __libc_realloc(p, n);
}
#endif

struct told {
	unsigned alerts, txs, files, flows, anomalies, eof_flows;
	char app[16], reason[32];
	uint32_t sids[16];
};

struct bed {
	struct inspect *i;
	struct rule_set *set;
	struct told told;
	int64_t now_ns;
	uint32_t seq[2];
	uint16_t ports[2];
	uint32_t client;
};

static void on_alert(void *ctx, const struct inspect_alert *a)
{
	struct bed *b = ctx;
	struct rule_info r;
	rule_set_info(b->set, a->hit.rule, &r);
	if (b->told.alerts < ARRAY_LEN(b->told.sids))
		b->told.sids[b->told.alerts] = r.sid;
	b->told.alerts++;
}

static void on_tx(void *ctx, const struct stream_flow *f, const struct app_tx *tx, unsigned dir,
		  int64_t now_ns)
{
	struct bed *b = ctx;
	(void)f;
	(void)dir;
	(void)now_ns;
	b->told.txs++;
	text_copy(b->told.app, sizeof(b->told.app), app_proto_text((enum app_proto)tx->proto));
}

static void on_file(void *ctx, const struct stream_flow *f, const struct app_tx *tx,
		    const struct app_file *file, int64_t now_ns)
{
	struct bed *b = ctx;
	(void)f;
	(void)tx;
	(void)file;
	(void)now_ns;
	b->told.files++;
}

static void on_flow_end(void *ctx, const struct stream_flow *f, const char *reason)
{
	struct bed *b = ctx;
	(void)f;
	b->told.flows++;
	text_copy(b->told.reason, sizeof(b->told.reason), reason);
}

static void on_anomaly(void *ctx, const struct pkt *p, const struct stream_flow *f,
		       const char *layer, const char *event)
{
	struct bed *b = ctx;
	assert_true(p != NULL || f != NULL);
	assert_true(strlen(layer) > 0 && strlen(event) > 0);
	b->told.anomalies++;
}

static void begin(struct bed *b, const char *rules, struct inspect_conf conf)
{
	memset(b, 0, sizeof(*b));
	if (rules != NULL) {
		struct rule_vars *vars = NULL;
		assert_int_equal(rule_vars_create(&vars), 0);
		struct rule_set_conf rc = {.vars = vars};
		assert_int_equal(rule_set_create(&rc, &b->set), 0);
		assert_int_equal(rule_set_read(b->set, "test", rules, strlen(rules)), 0);
		assert_int_equal(rule_set_finish(b->set), 0);
		rule_vars_free(&vars);
	}
	conf.rules = b->set;
	conf.sink = (struct inspect_sink){on_alert, on_tx, on_file, on_flow_end, on_anomaly, b};
	assert_int_equal(inspect_create(&conf, &b->i), 0);
	b->now_ns = 1700000000 * NS_PER_SEC;
	b->ports[0] = 40000;
	b->ports[1] = 21;
	b->client = 0x0a000001;
}

static void end(struct bed *b)
{
	inspect_free(&b->i);
	rule_set_free(&b->set);
}

/* A TCP segment from side 0 (client) or 1; sequence numbers follow what was sent. */
static enum rule_action say(struct bed *b, unsigned side, uint8_t flags, const char *text)
{
	uint8_t f[2000] = {0};
	size_t n = strlen(text);
	store_be16(f + 12, 0x0800);
	uint8_t *ip = f + 14, *tcp = ip + 20;
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(40 + n));
	ip[8] = 64;
	ip[9] = 6;
	store_be32(ip + 12, side == 0 ? b->client : 0x0a630001);
	store_be32(ip + 16, side == 0 ? 0x0a630001 : b->client);
	store_be16(tcp, b->ports[side]);
	store_be16(tcp + 2, b->ports[side ^ 1]);
	store_be32(tcp + 4, b->seq[side]);
	store_be32(tcp + 8, (flags & ACK) != 0 ? b->seq[side ^ 1] : 0);
	tcp[12] = 0x50;
	tcp[13] = flags;
	store_be16(tcp + 14, 60000);
	memcpy(tcp + 20, text, n);
	b->seq[side] += (uint32_t)n + ((flags & (SYN | FIN)) != 0);
	b->now_ns += NS_PER_MS;
	uint32_t len = (uint32_t)(54 + n);
	return inspect_frame(b->i, LINK_ETHERNET, f, len, len, b->now_ns);
}

static void shake(struct bed *b)
{
	b->seq[0] = 1000;
	b->seq[1] = 5000;
	say(b, 0, SYN, "");
	say(b, 1, SYN | ACK, "");
	say(b, 0, ACK, "");
}

static void talk(struct bed *b)
{
	shake(b);
	say(b, 1, ACK | PSH, "220 hello\r\n");
	say(b, 0, ACK | PSH, "USER someone\r\n");
	say(b, 1, ACK | PSH, "331 yes\r\n");
	say(b, 0, ACK, "");
}

static void tells_once(void **state)
{
	struct bed b;
	struct inspect_stats s;
	(void)state;
	begin(&b, NULL, (struct inspect_conf){.memory_bytes = 8u << 20});
	talk(&b);
	unsigned during = b.told.txs;
	assert_true(during >= 1);
	assert_string_equal(b.told.app, "ftp");
	say(&b, 0, ACK | FIN, "");
	say(&b, 1, ACK | FIN, "");
	say(&b, 0, ACK, "");
	inspect_finish(b.i);
	assert_int_equal(b.told.flows, 1);
	assert_int_equal(b.told.txs, during); /* nothing twice */
	assert_true(strlen(b.told.reason) > 0);
	inspect_read_stats(b.i, &s);
	assert_int_equal(s.frames, 10);
	assert_int_equal(s.apps[APP_FTP], 1);
	inspect_finish(b.i); /* harmless */
	end(&b);
}

/* What nobody acknowledged is heard when the traffic is over. */
static void hears_the_end(void **state)
{
	struct bed b;
	(void)state;
	begin(&b, "alert tcp any any -> any 21 (content:\"tail\"; sid:1;)",
	      (struct inspect_conf){.memory_bytes = 8u << 20});
	shake(&b);
	say(&b, 1, ACK | PSH, "220 hello\r\n");
	say(&b, 0, ACK | PSH, "USER a\r\n");
	say(&b, 0, ACK | PSH, "ta");
	say(&b, 0, ACK | PSH, "il\r\n");
	assert_int_equal(b.told.alerts, 0);
	inspect_finish(b.i);
	assert_int_equal(b.told.alerts, 1);
	assert_int_equal(b.told.flows, 1);
	end(&b);
}

static void inline_stops(void **state)
{
	struct bed b;
	struct inspect_stats s;
	(void)state;
	begin(&b, "drop tcp any any -> any 21 (content:\"stop me\"; sid:1;)",
	      (struct inspect_conf){.memory_bytes = 8u << 20,
				    .stream = {.inline_mode = true},
				    .dissect = {.inline_mode = true},
				    .engine = {.inline_mode = true}});
	shake(&b);
	assert_int_equal(say(&b, 0, ACK | PSH, "fine\r\n"), ACTION_ALERT);
	assert_int_equal(say(&b, 0, ACK | PSH, "stop me\r\n"), ACTION_DROP);
	assert_int_equal(say(&b, 0, ACK | PSH, "more\r\n"), ACTION_DROP);
	assert_int_equal(say(&b, 1, ACK, ""), ACTION_DROP);
	assert_int_equal(b.told.alerts, 1);
	inspect_read_stats(b.i, &s);
	assert_int_equal(s.dropped, 2);
	b.ports[0]++;
	shake(&b);
	assert_int_equal(say(&b, 0, ACK | PSH, "fine\r\n"), ACTION_ALERT);
	end(&b);
}

/* Many conversations that never end, and time that jumps: bounded, and all given back. */
static void flood(void **state)
{
	struct bed b;
	struct inspect_stats s, before;
	(void)state;
	begin(&b, NULL, (struct inspect_conf){.memory_bytes = 4u << 20, .stream = {.flows = 4096}});
	inspect_read_stats(b.i, &before);
	for (uint32_t n = 0; n < 20000; n++) {
		b.client = 0x0b000000 + n;
		b.now_ns += n % 7 == 0 ? -5 * NS_PER_SEC : NS_PER_SEC;
		shake(&b);
		say(&b, 1, ACK | PSH, "220 hello\r\n");
		say(&b, 0, ACK | PSH, "USER someone who goes on and on and never ends a line");
		b.seq[0] += 100; /* a hole */
		say(&b, 0, ACK | PSH, "behind the hole");
	}
	inspect_read_stats(b.i, &s);
	assert_true(s.memory.used <= 4u << 20);
	assert_true(s.stream.active <= 4096);
	inspect_finish(b.i);
	inspect_read_stats(b.i, &s);
	assert_true(s.memory.used <= before.memory.used);
	assert_int_equal(b.told.flows, s.stream.flows);
	end(&b);
}

static void no_sink(void **state)
{
	struct inspect_conf conf = {.memory_bytes = 4u << 20};
	struct bed b = {.now_ns = 1, .ports = {1, 2}, .client = 3};
	uint8_t byte = 0;
	(void)state;
	assert_int_equal(inspect_create(&conf, &b.i), 0);
	talk(&b);
	for (uint16_t link = 0; link < 300; link++)
		inspect_frame(b.i, link, &byte, link % 2, link, link);
	assert_null(inspect_engine(b.i));
	end(&b);
}

#ifndef SKEP_SANITIZE
/* Nothing is taken from the heap on the way of a packet, whatever rules ask and protocols hold. */
static void no_heap(void **state)
{
	static const char rules[] =
		"alert tcp any any -> any any (msg:\"c\"; content:\"GET\"; content:\"index\"; "
		"distance:0; sid:1;)\n"
		"alert http any any -> any any (msg:\"p\"; http.uri; "
		"pcre:\"/ind(ex|oor)\\.html/\"; "
		"flowbits:set,seen; sid:2;)\n"
		"alert http any any -> any any (msg:\"t\"; http.user_agent; to_md5; bsize:16; "
		"sid:3;)\n"
		"alert http any any -> any any (msg:\"x\"; http.uri; pcrexform:\"/([a-z]+)\"; "
		"content:\"index\"; sid:4;)\n"
		"alert http any any -> any any (msg:\"f\"; flowbits:isset,seen; file.data; "
		"content:\"needle\"; threshold:type limit, track by_src, count 1, seconds 60; "
		"sid:5;)\n"
		"alert tcp any any -> any any (msg:\"b\"; content:\"a=\"; base64_decode:relative; "
		"base64_data; content:\"hello\"; sid:6;)\n"
		"alert tcp any any -> any any (msg:\"m\"; content:\"HTTP/1.\"; "
		"byte_extract:1,0,v,relative,string,dec; content:\"200\"; distance:v; sid:7;)\n";
	struct bed b;
	begin(&b, rules, (struct inspect_conf){.app.hash_files = true});
	unsigned long before = taken;
	for (unsigned n = 0; n < 50; n++) {
		b.client++;
		b.ports[1] = 80;
		shake(&b);
		say(&b, 0, ACK | PSH,
		    "GET /index.html?a=aGVsbG8= HTTP/1.1\r\nHost: h\r\nUser-Agent: probe\r\n\r\n");
		say(&b, 1, ACK | PSH,
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		    "chunked\r\n\r\n6\r\nneedle\r\n0\r\n\r\n");
		say(&b, 0, ACK | FIN, "");
		say(&b, 1, ACK | FIN, "");
		say(&b, 0, ACK, "");
	}
	inspect_finish(b.i);
	assert_int_equal(taken, before);
	assert_true(b.told.alerts >= 50 * 6);
	assert_int_equal(b.told.files, 50);
	end(&b);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifndef SKEP_SANITIZE
		cmocka_unit_test(no_heap),
#endif
		cmocka_unit_test(tells_once),   cmocka_unit_test(hears_the_end),
		cmocka_unit_test(inline_stops), cmocka_unit_test(flood),
		cmocka_unit_test(no_sink),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
