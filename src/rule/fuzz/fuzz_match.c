/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fixed rules of every kind, foreign bytes. The first byte says how the rest is cut; the same bytes
 * cut in two ways must fire the same rules on the stream (whole candidates apart, they all come from
 * one direction here).
 */
#include "rule/rule.h"

#include <stdlib.h>
#include <string.h>

#define BYTES 65536u

static const char rules[] =
	"alert tcp any any -> any any (content:\"ab\"; content:\"cd\"; distance:1; within:4; "
	"sid:1;)\n"
	"alert tcp any any -> any any (content:\"ab\"; content:!\"ef\"; sid:2;)\n"
	"alert tcp any any -> any any (content:\"ab\"; byte_jump:1,0,relative; content:\"x\"; "
	"within:2; "
	"sid:3;)\n"
	"alert tcp any any -> any any (content:\"ab\"; byte_extract:1,0,n,relative; content:\"y\"; "
	"distance:n; sid:4;)\n"
	"alert tcp any any -> any any (content:\"ab\"; byte_test:4,>,1000,-2,relative,little; "
	"sid:5;)\n"
	"alert tcp any any -> any any (content:\"ab\"; base64_decode:relative; base64_data; "
	"content:\"z\"; sid:6;)\n"
	"alert tcp any any -> any any (content:\"ab\"; pcre:\"/^[a-f]+(g|h)*i/R\"; sid:7;)\n"
	"alert tcp any any -> any any (content:\"ab\"; isdataat:!4,relative; sid:8;)\n"
	"alert tcp any any -> any any (content:\"ab\"; content:\"ab\"; distance:0; content:\"ab\"; "
	"distance:0; content:\"no\"; within:2; sid:9;)\n"
	"alert udp any any -> any any (byte_math:bytes 2, offset 0, oper *, rvalue 3, result r; "
	"byte_jump:2,r,from_beginning; isdataat:2,relative; sid:10;)\n"
	"alert http any any -> any any (http.uri; content:\"a\"; url_decode; content:\"b\"; "
	"sid:11;)\n"
	"alert http any any -> any any (file.data; content:\"a\"; content:!\"b\"; sid:12;)\n"
	"alert http any any -> any any (http.header_names; content:\"Host\"; bsize:>3; sid:13;)\n"
	"alert dns any any -> any any (dns.query; dotprefix; content:\".a\"; sid:14;)\n"
	"alert tcp any any -> any any (content:\"GET \"; depth:4; content:\"ab\"; distance:0; "
	"sid:15;)\n"
	"alert udp any any -> any any (asn1:bitstring_overflow,double_overflow,oversize_length "
	"60000,absolute_offset 1; sid:16;)\n"
	"alert http any any -> any any (http.uri; gunzip; content:\"b\"; sid:17;)\n"
	"alert http any any -> any any (http.uri; zlib_deflate; content:\"b\"; sid:18;)\n";

struct fuzz {
	struct slab *slab;
	struct rule_set *set;
	struct rule_engine *engine;
	struct app_ctx *apps;
	uint8_t *data;
};

static bool open_fuzz(struct fuzz *f)
{
	struct rule_vars *vars = NULL;
	if (rule_vars_create(&vars) < 0)
		return false;
	struct rule_set_conf conf = {.vars = vars, .budget = 2000};
	struct rule_engine_conf ec = {0};
	struct app_conf ac = {0};
	bool ok = rule_set_create(&conf, &f->set) == 0 &&
		  rule_set_read(f->set, "fuzz", rules, strlen(rules)) == 0 &&
		  rule_set_finish(f->set) == 0 && slab_create(64u << 20, &f->slab) == 0 &&
		  rule_engine_create(f->set, &ec, f->slab, &f->engine) == 0 &&
		  app_ctx_create(&ac, f->slab, &f->apps) == 0;
	f->data = malloc(BYTES);
	rule_vars_free(&vars);
	return ok && f->data != NULL;
}

static void note(const struct rule_hit *h, uint32_t n, uint64_t *fired)
{
	for (uint32_t i = 0; i < n; i++)
		*fired |= UINT64_C(1) << h[i].rule;
}

static struct pkt packet(const struct stream_flow *f, unsigned dir)
{
	return (struct pkt){.ip_ver = 4,
			    .proto = f->proto,
			    .src = f->addr[dir],
			    .dst = f->addr[1 - dir],
			    .sport = f->port[dir],
			    .dport = f->port[1 - dir],
			    .l4_hlen = 8};
}

static uint64_t play(struct fuzz *z, const uint8_t *d, uint32_t len, uint32_t cut, bool parse)
{
	struct stream_flow f = {.proto = 6, .ip_ver = 4, .id = 1, .tcp = true, .established = true};
	struct rule_hit hits[RULE_HITS];
	uint64_t fired = 0;
	f.addr[0] = addr_from_v4("\x0a\x00\x00\x01");
	f.addr[1] = addr_from_v4("\x0a\x00\x00\x02");
	f.port[0] = 1000;
	f.port[1] = 80;
	memcpy(z->data, d, len);
	struct stream_side *s = &f.side[TO_SERVER];
	s->data = z->data;
	if (parse)
		(void)app_open(z->apps, &f);
	struct pkt p = packet(&f, TO_SERVER);
	for (uint32_t at = 0; at < len;) {
		uint32_t n = cut < len - at ? cut : len - at;
		s->len += n;
		if (f.app != NULL)
			s->app_done += app_feed(f.app, TO_SERVER, z->data + s->app_done,
						s->len - (uint32_t)s->app_done, 0, 0);
		struct stream_result r = {.flow = &f, .added = true};
		r.grown[TO_SERVER] = true;
		p.payload = z->data + at;
		p.payload_len = n;
		note(hits, rule_packet(z->engine, &p, &r, hits), &fired);
		at += n;
	}
	p = packet(&f, TO_SERVER);
	note(hits, rule_flow_end(z->engine, &p, &f, TO_SERVER, hits), &fired);
	if (f.app != NULL)
		app_close(&f, rule_tx_free, z->engine);
	rule_flow_free(z->engine, &f);
	return fired;
}

/* Compiling the rules takes far longer than any input: made once, and left to the end of the process. */
static struct fuzz *ready(uint64_t *ret_used)
{
	static struct fuzz *z;
	static uint64_t used;
	struct slab_stats st;
	if (z == NULL) {
		z = calloc(1, sizeof(*z));
		if (z == NULL || !open_fuzz(z))
			abort();
		slab_read_stats(z->slab, &st);
		used = st.used;
	}
	*ret_used = used;
	return z;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t used;
	if (size < 2 || size > 4096)
		return 0;
	struct fuzz *z = ready(&used);
	uint32_t len = (uint32_t)size - 1, cut = 1 + data[0];
	uint64_t whole = play(z, data + 1, len, len, false);
	if (play(z, data + 1, len, cut, false) != whole)
		abort();
	(void)play(z, data + 1, len, cut, true);
	struct stream_flow f = {.proto = 17, .ip_ver = 4, .id = 1};
	struct pkt p = packet(&f, TO_SERVER);
	struct rule_hit hits[RULE_HITS];
	struct stream_result r = {.flow = &f};
	p.payload = data + 1;
	p.payload_len = len;
	(void)rule_packet(z->engine, &p, &r, hits);
	rule_flow_free(z->engine, &f);
	struct slab_stats st;
	slab_read_stats(z->slab, &st);
	if (st.used != used)
		abort();
	return 0;
}
