/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules that replace, inline, and foreign bytes of both sides: the first byte says how they are cut, the second
 * which side says the first piece. What rule_edits and rule_hold promise must hold, and what was to be replaced
 * in the stream must not leave.
 */
#include "rule/rule.h"

#include <stdlib.h>
#include <string.h>

#define BYTES 8192u
#define EDITS 2048u

static const char rules[] =
	"rewrite tcp any any -> any any (content:\"evil\"; replace:\"ok\"; sid:1;)\n"
	"alert tcp any any -> any any (content:\"ab\"; replace:\"Q\"; content:\"cd\"; distance:0; "
	"within:20; replace:\"longer\"; sid:2;)\n"
	"alert tcp any any -> any any (content:\"zz\"; nocase; replace:\"\"; pcre:\"/^[0-9]/R\"; "
	"sid:3;)\n"
	"alert http any any -> any any (http.uri; content:\"/x\"; replace:\"/y\"; sid:4;)\n"
	"alert http any any -> any any (http.uri.raw; content:\"%2e\"; nocase; replace:\"-\"; "
	"sid:5;)\n"
	"alert http any any -> any any (http.header; content:\"X: 1\"; replace:\"X: 22\"; sid:6;)\n"
	"alert http any any -> any any (http.request_body; content:\"bb\"; replace:\"BB\"; "
	"sid:7;)\n"
	"alert http any any -> any any (file.data; content:\"ff\"; replace:\"FF\"; sid:8;)\n"
	"alert http any any -> any any (http.response_body; content:\"r1\"; replace:\"R1\"; "
	"content:\"r2\"; distance:0; sid:9;)\n"
	"alert http any any -> any any (http.host; content:\"h\"; replace:\"HHH\"; sid:10;)\n"
	"alert http any any -> any any (http.cookie; content:\"c=1\"; replace:\"\"; sid:11;)\n"
	"alert http any any -> any any (http.stat_msg; content:\"OK\"; replace:\"KO\"; sid:12;)\n"
	"rewrite udp any any -> any any (content:\"evil\"; replace:\"good\"; sid:13;)\n"
	"rewrite tcp-pkt any any -> any any (content:\"pkt\"; replace:\"packet\"; sid:14;)\n"
	"alert http any any -> any any (content:\"//\"; replace:\"/\"; sid:15;)\n"
	"alert http any any -> any any (file.data; content:\"gg\"; replace:\"ggg\"; sid:16;)\n";

struct side {
	uint8_t data[BYTES], out[8 * BYTES];
	uint64_t n_out, gone;
	struct rule_edit edits[EDITS];
	uint32_t n;
};
struct fuzz {
	struct slab *slab;
	struct rule_set *set;
	struct rule_engine *engine;
	struct app_ctx *apps;
	struct side side[2];
};

static bool open_fuzz(struct fuzz *f)
{
	struct rule_vars *vars = NULL;
	if (rule_vars_create(&vars) < 0)
		return false;
	struct rule_set_conf conf = {.vars = vars};
	struct rule_engine_conf ec = {.inline_mode = true};
	struct app_conf ac = {0};
	bool ok = rule_set_create(&conf, &f->set) == 0 &&
		  rule_set_read(f->set, "fuzz", rules, strlen(rules)) == 0 &&
		  rule_set_finish(f->set) == 0 && slab_create(64u << 20, &f->slab) == 0 &&
		  rule_engine_create(f->set, &ec, f->slab, &f->engine) == 0 &&
		  app_ctx_create(&ac, f->slab, &f->apps) == 0;
	rule_vars_free(&vars);
	return ok;
}

static void must(bool x)
{
	if (!x)
		abort();
}

static void take(struct fuzz *z, unsigned dir, uint64_t end)
{
	const struct rule_edit *e = NULL;
	struct side *s = &z->side[dir];
	uint32_t n = rule_edits(z->engine, &e);
	for (uint32_t i = 0; i < n; i++) {
		must(e[i].where == WHERE_STREAM && e[i].dir == dir && e[i].off >= s->gone &&
		     e[i].off + e[i].len <= end);
		must(i == 0 || e[i].off >= e[i - 1].off + e[i - 1].len);
		must(s->n < EDITS);
		uint32_t k = s->n++;
		for (; k > 0 && s->edits[k - 1].off > e[i].off; k--)
			s->edits[k] = s->edits[k - 1];
		must(k == 0 || s->edits[k - 1].off + s->edits[k - 1].len <= e[i].off);
		must(k + 1 == s->n || e[i].off + e[i].len <= s->edits[k + 1].off);
		s->edits[k] = e[i];
	}
}

static void leave(struct fuzz *z, struct stream_flow *f, unsigned dir, uint64_t to)
{
	struct side *s = &z->side[dir];
	uint32_t done = 0;
	while (s->gone < to) {
		const struct rule_edit *e = &s->edits[done];
		if (done == s->n || e->off != s->gone) {
			s->out[s->n_out++] = s->data[s->gone++];
			continue;
		}
		must(e->off + e->len <= to && s->n_out + e->n < sizeof(s->out));
		if (e->n > 0)
			memcpy(s->out + s->n_out, e->bytes, e->n);
		s->n_out += e->n;
		s->gone += e->len;
		done++;
	}
	memmove(s->edits, s->edits + done, (s->n - done) * sizeof(s->edits[0]));
	s->n -= done;
	rule_gone(z->engine, f, dir, s->gone);
}

static bool stopped(const struct rule_hit *h, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (h[i].action == ACTION_DROP)
			return true;
	return false;
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

/* false: the conversation is dropped. */
static bool say(struct fuzz *z, struct stream_flow *f, unsigned dir, const uint8_t *d, uint32_t len)
{
	struct stream_side *s = &f->side[dir];
	struct rule_hit hits[RULE_HITS];
	memcpy(z->side[dir].data + s->base + s->len, d, len);
	s->len += len;
	if (f->app != NULL)
		s->app_done += app_feed(f->app, dir, s->data + (s->app_done - s->base),
					(uint32_t)(s->base + s->len - s->app_done), 0, 0);
	struct stream_result r = {.flow = f, .dir = dir, .added = true};
	r.off = s->base + s->len - len;
	r.grown[dir] = true;
	struct pkt p = packet(f, dir);
	p.payload = d;
	p.payload_len = len;
	if (stopped(hits, rule_packet(z->engine, &p, &r, hits)))
		return false;
	uint64_t end = s->base + s->len;
	take(z, dir, end);
	uint64_t hold = rule_hold(z->engine, f, dir);
	must(hold >= z->side[dir].gone && hold <= end);
	must((hold == end && z->side[dir].n == 0) || rule_rewrites(z->engine, f, dir));
	leave(z, f, dir, hold);
	uint64_t keep = s->raw_done < s->app_done || f->app == NULL ? s->raw_done : s->app_done;
	s->data += keep - s->base;
	s->len = (uint32_t)(end - keep);
	s->base = keep;
	return true;
}

static void play(struct fuzz *z, const uint8_t *d, uint32_t len, uint32_t cut, unsigned dir)
{
	struct stream_flow f = {.proto = 6, .ip_ver = 4, .id = 1, .tcp = true, .established = true};
	f.addr[0] = addr_from_v4("\x0a\x00\x00\x01");
	f.addr[1] = addr_from_v4("\x0a\x00\x00\x02");
	f.port[0] = 1000;
	f.port[1] = 80;
	for (unsigned k = 0; k < 2; k++) {
		f.side[k].data = z->side[k].data;
		z->side[k].n = 0;
		z->side[k].n_out = z->side[k].gone = 0;
	}
	(void)app_open(z->apps, &f);
	bool lives = true;
	for (uint32_t at = 0; at < len && lives;) {
		uint32_t n = cut < len - at ? cut : len - at;
		for (uint32_t k = 0; k < n; k++)
			if (d[at + k] == 0x01) { /* the other side speaks */
				n = k;
				break;
			}
		if (n > 0)
			lives = say(z, &f, dir, d + at, n);
		at += n;
		if (at < len && d[at] == 0x01) {
			leave(z, &f, dir, f.side[dir].base + f.side[dir].len);
			dir ^= 1u;
			at++;
		}
	}
	for (unsigned k = 0; k < 2 && lives; k++) {
		leave(z, &f, k, f.side[k].base + f.side[k].len);
		must(memmem(z->side[k].out, z->side[k].n_out, "evil", 4) == NULL);
	}
	if (f.app != NULL)
		app_close(&f, rule_tx_free, z->engine);
	rule_flow_free(z->engine, &f);
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
	if (size < 3 || size > BYTES)
		return 0;
	struct fuzz *z = ready(&used);
	play(z, data + 2, (uint32_t)size - 2, 1u + data[0], data[1] & 1u);
	struct stream_flow f = {.proto = 17, .ip_ver = 4, .id = 1};
	struct pkt p = packet(&f, TO_SERVER);
	struct rule_hit hits[RULE_HITS];
	struct stream_result r = {.flow = &f};
	const struct rule_edit *e = NULL;
	p.payload = data + 2;
	p.payload_len = (uint32_t)size - 2;
	(void)rule_packet(z->engine, &p, &r, hits);
	uint32_t n = rule_edits(z->engine, &e);
	for (uint32_t i = 0; i < n; i++)
		must(e[i].where == WHERE_PACKET && e[i].off + e[i].len <= p.payload_len &&
		     e[i].n == e[i].len);
	rule_flow_free(z->engine, &f);
	struct slab_stats st;
	slab_read_stats(z->slab, &st);
	must(st.used == used);
	return 0;
}
