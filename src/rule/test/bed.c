/* SPDX-License-Identifier: BSD-2-Clause */
#include "bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void problem(void *ctx, const struct rule_problem *p)
{
	if (!p->warning)
		print_message("%s:%u:%u: %s\n", p->file, p->line, p->column, p->text);
}

void bed_open(struct bed *b, const char *rules, const int *snapshot, uint32_t budget)
{
	memset(b, 0, sizeof(*b));
	struct rule_vars *vars = NULL;
	assert_int_equal(rule_vars_create(&vars), 0);
	struct rule_set_conf conf = {.vars = vars,
				     .snapshot = snapshot != NULL ? *snapshot : 0,
				     .budget = budget,
				     .problem = problem};
	assert_int_equal(rule_set_create(&conf, &b->set), 0);
	assert_int_equal(rule_set_read(b->set, "test", rules, strlen(rules)), 0);
	assert_int_equal(rule_set_finish(b->set), 0);
	rule_vars_free(&vars);
	struct rule_set_stats s;
	rule_set_read_stats(b->set, &s);
	assert_int_equal(s.failed, 0);
	assert_int_equal(slab_create(64u << 20, &b->slab), 0);
	struct rule_engine_conf ec = {.profile = true};
	assert_int_equal(rule_engine_create(b->set, &ec, b->slab, &b->engine), 0);
	struct app_conf ac = {0};
	assert_int_equal(app_ctx_create(&ac, b->slab, &b->apps), 0);
	for (unsigned d = 0; d < 2; d++) {
		b->data[d] = malloc(BED_STREAM);
		assert_non_null(b->data[d]);
	}
	b->now_ns = 1000 * NS_PER_SEC;
	bed_flow(b, true, 40000, 80);
}

static void drop_flow(struct bed *b)
{
	if (b->flow.app != NULL)
		app_close(&b->flow, rule_tx_free, b->engine);
	rule_flow_free(b->engine, &b->flow);
}

void bed_close(struct bed *b)
{
	drop_flow(b);
	app_ctx_free(&b->apps);
	rule_engine_free(&b->engine);
	rule_set_free(&b->set);
	struct slab_stats s;
	slab_read_stats(b->slab, &s);
	assert_int_equal(s.used, 0);
	slab_free_all(&b->slab);
	free(b->data[0]);
	free(b->data[1]);
}

void bed_flow(struct bed *b, bool tcp, uint16_t client_port, uint16_t server_port)
{
	drop_flow(b);
	struct stream_flow *f = &b->flow;
	memset(f, 0, sizeof(*f));
	f->addr[0] = addr_from_v4("\x0a\x00\x00\x01");
	f->addr[1] = addr_from_v4("\x0a\x00\x00\x02");
	f->port[0] = client_port;
	f->port[1] = server_port;
	f->proto = tcp ? 6 : 17;
	f->ip_ver = 4;
	f->id = 1;
	f->tcp = tcp;
	f->established = true;
	f->state = STREAM_ESTABLISHED;
	f->side[0].data = b->data[0];
	f->side[1].data = b->data[1];
}

static void count(struct bed *b)
{
	for (uint32_t i = 0; i < b->n_hits; i++) {
		struct rule_info info;
		rule_set_info(b->set, b->hits[i].rule, &info);
		if (b->hits[i].alert && info.sid < ARRAY_LEN(b->fired))
			b->fired[info.sid]++;
	}
}

static struct pkt packet(struct bed *b, unsigned dir)
{
	struct pkt p = {.stamp_ns = b->now_ns,
			.number = ++b->frames,
			.ip_ver = 4,
			.proto = b->flow.proto,
			.ttl = 64,
			.src = b->flow.addr[dir],
			.dst = b->flow.addr[1 - dir],
			.sport = b->flow.port[dir],
			.dport = b->flow.port[1 - dir],
			.l4_hlen = b->flow.tcp ? 20 : 8};
	p.tcp.flags = 0x18;
	return p;
}

void bed_packet(struct bed *b, const struct pkt *p)
{
	struct stream_result r = {0};
	b->n_hits = rule_packet(b->engine, p, &r, b->hits);
	count(b);
}

void bed_udp(struct bed *b, const void *data, uint32_t len)
{
	if (b->flow.tcp)
		bed_flow(b, false, 40000, 53);
	struct pkt p = packet(b, TO_SERVER);
	p.payload = data;
	p.payload_len = len;
	struct stream_result r = {.flow = &b->flow, .dir = TO_SERVER};
	if (b->flow.app != NULL)
		app_datagram(b->flow.app, TO_SERVER, data, len, b->now_ns);
	b->n_hits = rule_packet(b->engine, &p, &r, b->hits);
	count(b);
}

void bed_app(struct bed *b)
{
	assert_non_null(app_open(b->apps, &b->flow));
}

static void feed(struct bed *b, unsigned dir, unsigned flags)
{
	struct stream_side *s = &b->flow.side[dir];
	uint64_t end = s->base + s->len;
	if (b->flow.app != NULL)
		s->app_done += app_feed(b->flow.app, dir, s->data + (s->app_done - s->base),
					(uint32_t)(end - s->app_done), flags, b->now_ns);
}

void bed_say(struct bed *b, unsigned dir, const void *data, uint32_t len)
{
	struct stream_side *s = &b->flow.side[dir];
	uint64_t end = s->base + s->len;
	assert_true(end + len <= BED_STREAM);
	memcpy(b->data[dir] + end, data, len);
	s->len += len;
	feed(b, dir, 0);
	struct pkt p = packet(b, dir);
	p.payload = data;
	p.payload_len = len;
	struct stream_result r = {.flow = &b->flow, .dir = dir, .added = true, .off = end};
	r.grown[dir] = true;
	b->n_hits = rule_packet(b->engine, &p, &r, b->hits);
	count(b);
	uint64_t keep = s->raw_done;
	if (b->flow.app != NULL && s->app_done < keep)
		keep = s->app_done;
	s->data = b->data[dir] + keep; /* what nobody wants any more is gone */
	s->len = (uint32_t)(end + len - keep);
	s->base = keep;
}

void bed_end(struct bed *b)
{
	for (unsigned d = 0; d < 2; d++)
		feed(b, d, APP_EOF);
	for (unsigned d = 0; d < 2; d++) {
		struct pkt p = packet(b, d);
		b->n_hits = rule_flow_end(b->engine, &p, &b->flow, d, b->hits);
		count(b);
	}
}

uint32_t bed_fired(const struct bed *b, uint32_t sid)
{
	return b->fired[sid];
}

void bed_forget(struct bed *b)
{
	memset(b->fired, 0, sizeof(b->fired));
}
