/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A case's way to its verdict. That nothing arrives can't be waited for; so after the frames of a case go two
 * fences, harmless frames of a conversation that is allowed: the wall takes a port's frames in their order and
 * sends what may pass at the end of each burst, so when the second fence has been heard outside, everything
 * before the first has been judged, and what was let pass has left.
 */
#include "prove/prove_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOST_MOST 256u
#define FENCE_TRIES 120 /* a starved machine is not a dead wall */
#define FENCE_MS 100
#define NO_FENCE_MS 500
#define PACE_FRAMES 20u
#define SETTLE_FRAMES 200u
#define SERIALS_MOST 60000u
#define FORGET_MS 2100 /* the built-in rules count floods over two seconds */

struct prove_row *run_row(struct prove *p)
{
	return &p->rows[p->row];
}

void run_skip(struct prove *p, const char *fmt, ...)
{
	struct prove_row *r = run_row(p);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->note, sizeof(r->note), fmt, ap);
	va_end(ap);
	r->verdict = PROVE_SKIPPED;
}

void run_expect(struct prove *p, uint32_t least, uint32_t most)
{
	run_row(p)->least = least;
	run_row(p)->most = most;
}

void run_expect_sink(struct prove *p, uint32_t least, uint32_t most)
{
	run_row(p)->sink_least = least;
	run_row(p)->sink_most = most;
}

static void hear_for(struct prove *p, int64_t ms)
{
	for (int64_t end = clock_boot_ns() + ms * NS_PER_MS; clock_boot_ns() < end;)
		wire_hear(p, 5);
}

bool run_await(struct prove *p, const bool *what, int64_t ms)
{
	for (int64_t end = clock_boot_ns() + ms * NS_PER_MS; !*what && clock_boot_ns() < end;)
		wire_hear(p, 5);
	return *what;
}

void run_forget(struct prove *p)
{
	if (p->flooded && p->c->rules.mode == RULES_INLINE)
		hear_for(p, FORGET_MS);
	p->flooded = false;
}

/* ---- fences -------------------------------------------------------------------------------------- */

static bool heard_in_time(struct prove *p, uint32_t serial)
{
	bool heard = false;
	for (int64_t end = clock_boot_ns() + FENCE_MS * NS_PER_MS; !heard && clock_boot_ns() < end;
	     heard = wire_seen(p, serial))
		wire_hear(p, 10);
	return heard;
}

static void build_fence(struct prove *p)
{
	uint8_t mark[PROVE_MARK];
	struct head h = case_head(p, p->own->inside.ver != 0 ? &p->target : &p->target6);
	wire_mark(p, mark);
	if (p->fence_answer) {
		h = case_head(p, &p->caller);
		frame_udp(&p->pkt, &h, 9, p->fence_port, mark, sizeof(mark));
	} else if (p->fence_ping) {
		frame_icmp(&p->pkt, &h, h.from.ver == 6 ? 128 : 8, 0, (uint32_t)p->fence_port << 16,
			   mark, sizeof(mark));
	} else {
		frame_udp(&p->pkt, &h, p->fence_port, 9, mark, sizeof(mark));
	}
}

/* One fence, as often as it takes (a case may have used up the packet rate). */
static bool fence(struct prove *p)
{
	size_t row = p->row;
	bool heard = false;
	bool inbound = p->inbound;
	p->inbound = false;
	for (int i = 0; i < FENCE_TRIES && !heard; i++) {
		uint32_t serial = p->serial & 0xffff;
		p->row = 0;
		build_fence(p);
		p->rows[0].sent++;
		wire_send_quietly(p);
		heard = heard_in_time(p, serial);
		p->row = row;
	}
	p->inbound = inbound;
	return heard;
}

/* One of the other way: somebody outside speaks to the proof's guest (who may answer). */
static bool be_called_once(struct prove *p)
{
	uint8_t mark[PROVE_MARK];
	struct head h = {.to_mac = case_inward(p, &p->own->public),
			 .from_mac = p->peer,
			 .from = p->caller,
			 .to = p->own->public,
			 .ttl = 60};
	uint32_t serial = p->serial & 0xffff;
	size_t row = p->row;
	bool inbound = p->inbound;
	p->row = 0;
	p->inbound = true;
	wire_mark(p, mark);
	frame_udp(&p->pkt, &h, p->fence_port, 9, mark, sizeof(mark));
	p->rows[0].sent++;
	wire_send_outside(p);
	bool heard = heard_in_time(p, serial);
	p->inbound = inbound;
	p->row = row;
	return heard;
}

static bool be_called(struct prove *p)
{
	bool heard = false;
	for (int i = 0; i < FENCE_TRIES && !heard && p->own->public.ver != 0; i++)
		heard = be_called_once(p);
	p->called = false;
	return heard;
}

void run_settle(struct prove *p)
{
	if (p->fenced && !p->dead) {
		p->dead = !fence(p) || !fence(p);
	} else {
		hear_for(p, NO_FENCE_MS);
	}
	if (p->called && p->fenced && !p->dead && p->own->public.ver != 0)
		p->dead = !be_called(p) || !be_called(p);
	wire_hear(p, 0);
	p->unsettled = 0;
}

void run_pace(struct prove *p)
{
	const struct conf_caps *c = &p->c->wall.caps;
	uint64_t ms = c->guest_pps == 0 ? 0 : PACE_FRAMES * 2000 / c->guest_pps;
	if (p->unsettled % PACE_FRAMES == PACE_FRAMES - 1)
		hear_for(p, (int64_t)ms);
	if (p->unsettled >= SETTLE_FRAMES)
		run_settle(p);
}

/* ---- a row ----------------------------------------------------------------------------------------- */

static void write_note(struct prove_row *r, const char *text)
{
	text_copy(r->note, sizeof(r->note), text);
}

static void judge_row(struct prove *p)
{
	struct prove_row *r = run_row(p);
	if (r->verdict == PROVE_SKIPPED)
		return;
	if (r->arrived > r->most || r->sunk > r->sink_most || p->strayed > 0) {
		r->verdict = PROVE_LEAK;
	} else if (r->sunk < r->sink_least) {
		r->verdict = PROVE_BROKEN;
		write_note(r, "what the policy sends to the sink did not arrive there");
	} else if (r->arrived + r->sunk < r->least) {
		r->verdict = PROVE_BROKEN;
		write_note(r, "what is allowed did not arrive: the rest proves nothing");
	} else if (p->dead) {
		r->verdict = PROVE_BROKEN;
		write_note(r, "the wall lets nothing pass any more");
	} else {
		r->verdict = PROVE_HELD;
	}
}

static void try_case(struct prove *p, const struct prove_case *c)
{
	p->row = p->n_rows++;
	struct prove_row *r = run_row(p);
	*r = (struct prove_row){.name = c->name, .promise = c->promise, .sink_most = UINT32_MAX};
	p->inbound = false;
	p->sent_ns = p->arrived_ns = 0;
	p->talk_port = 0;
	p->want.to.ver = 0;
	p->strayed = 0;
	p->n_asked = 0;
	if (p->conf->tell != NULL)
		p->conf->tell(p->conf->ctx, r, false);
	if (p->serial > SERIALS_MOST)
		run_skip(p, "too many frames were sent already: try it alone with --only");
	else
		c->run(p);
	run_settle(p);
	judge_row(p);
	if (p->conf->tell != NULL)
		p->conf->tell(p->conf->ctx, r, true);
}

static bool wanted(const struct prove_conf *c, const struct prove_case *k)
{
	for (size_t i = 0; i < c->n_only; i++)
		if (strcmp(c->only[i], k->name) == 0)
			return true;
	return c->n_only == 0;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

static bool documented(const struct addr *a)
{
	static const char *const nets[] = {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24",
					   "2001:db8::/32", "3fff::/20"};
	for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
		struct prefix n;
		if (prefix_parse(nets[i], &n) == 0 && prefix_has(&n, a))
			return true;
	}
	return false;
}

static bool in_any(const struct prefix *nets, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (prefix_has(&nets[i], a))
			return true;
	return false;
}

/* May the proof's guest and somebody with this address talk to each other, as far as it can be told? */
static bool is_free(const struct prove *p, const struct addr *a)
{
	const struct prove_conf *c = p->conf;
	struct prefix host[HOST_MOST];
	size_t n = 0;
	if (in_any(c->fences, c->n_fences, a) || in_any(c->ignored, c->n_ignored, a))
		return false;
	if (!p->real)
		return true;
	for (uint32_t i = 1; i < c->n_ports; i++)
		if (addr_eq(&c->ports[i].public, a) || addr_eq(&c->ports[i].public6, a))
			return false;
	return link_prefixes(host, HOST_MOST, &n) == 0 && !in_any(host, n, a) &&
	       !in_any(p->c->wall.off_limits, p->c->wall.n_off_limits, a) &&
	       !prefix_has(&p->c->network.inside, a) && !prefix_has(&p->c->network.inside6, a);
}

static struct addr first_free(const struct prove *p, const char *const *texts, size_t n)
{
	struct addr a = {0};
	for (size_t i = 0; i < n; i++) {
		a = case_addr(texts[i]);
		if (is_free(p, &a))
			break;
	}
	return a;
}

/* Documentation addresses: nobody has them. */
static void choose_targets(struct prove *p)
{
	static const char *const v4[] = {"192.0.2.80", "198.51.100.80", "203.0.113.80",
					 "192.0.2.180"};
	static const char *const v6[] = {"2001:db8:80::80", "2001:db8:ff80::80", "3fff:80::80"};
	p->target = p->conf->sink.ver != 0                   ? p->conf->sink
		    : !p->real && documented(&p->c->lab.web) ? p->c->lab.web
							     : first_free(p, v4, ARRAY_LEN(v4));
	p->target6 = p->conf->sink6.ver != 0                   ? p->conf->sink6
		     : !p->real && documented(&p->c->lab.web6) ? p->c->lab.web6
							       : first_free(p, v6, ARRAY_LEN(v6));
}

/* Somebody outside who is nobody in the lab, and whom nobody fenced or ignores. */
static void choose_callers(struct prove *p)
{
	static const char *const v4[] = {"198.51.100.67", "192.0.2.67", "198.51.100.130",
					 "192.0.2.130", "203.0.113.67"};
	static const char *const v6[] = {"2001:db8:66::67", "2001:db8:ff66::67", "3fff:66::67"};
	p->caller = first_free(p, v4, ARRAY_LEN(v4));
	p->caller6 = first_free(p, v6, ARRAY_LEN(v6));
}

static struct prove *prove_new(const struct prove_conf *c)
{
	struct prove *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->conf = c;
	p->c = c->c;
	p->me = c->ports[c->n_ports - 1];
	p->own = &p->me;
	p->wall_ns = p->far_ns = p->own_ns = -1;
	p->tx = p->super_tx = p->outside_tx = p->wall_tx = -1;
	p->guard_prog = p->guard_map = -1;
	p->real = c->c->mode != MODE_LAB;
	p->bridged = c->c->mode == MODE_BRIDGE;
	p->peer = c->far.peer;
	p->gate[0] = p->gate[1] = c->c->network.gateway_mac;
	random_fill(p->token, sizeof(p->token));
	random_fill(&p->next_port, sizeof(p->next_port));
	p->next_port = (uint16_t)(20000 + p->next_port % 20000);
	p->fence_port = p->next_port++;
	p->n_rows = 1; /* the fences */
	p->serial = 1;
	p->rows[0] = (struct prove_row){.name = "fence",
					.promise = "what is allowed is heard, between all the rest",
					.least = 1,
					.most = UINT32_MAX,
					.sink_most = UINT32_MAX};
	choose_targets(p);
	choose_callers(p);
	return p;
}

/* The first fence opens its conversation, which counts as one. */
static void first_fence(struct prove *p)
{
	bool silent = p->conf->roach_motel || p->conf->lockdown;
	p->row = 0;
	p->fenced = !silent && fence(p);
	if (!p->fenced && !silent) {
		p->fence_ping = true;
		p->fenced = fence(p);
	}
	if (p->fenced) {
		p->used[p->fence_ping ? 2 : 1]++;
		return;
	}
	p->fence_ping = false;
	p->fence_answer = true;
	p->fenced = be_called(p) && fence(p);
}

static int take_rows(const struct prove *p, struct prove_result *ret)
{
	ret->n = p->n_rows;
	ret->outside = p->outside;
	ret->escaped = p->escaped;
	ret->rows = calloc(ret->n, sizeof(*ret->rows));
	if (ret->rows == NULL)
		return -ENOMEM;
	memcpy(ret->rows, p->rows, ret->n * sizeof(*ret->rows));
	ret->rows[0].verdict = p->fenced && !p->dead ? PROVE_HELD : PROVE_BROKEN;
	bool lost = p->bridged && !p->gate_told[0] && !p->gate_told[1];
	if (ret->rows[0].verdict == PROVE_BROKEN)
		text_copy(ret->rows[0].note, sizeof(ret->rows[0].note),
			  p->dead ? "the wall let nothing pass any more: ended early"
			  : lost  ? "the network's router does not answer: nothing can begin"
				  : "neither UDP nor ping nor an answer passes: silence proves "
				    "nothing");
	return 0;
}

int prove_run(const struct prove_conf *c, struct prove_result *ret)
{
	struct writer w = writer_of(ret->why, sizeof(ret->why));
	struct prove *p = c->n_ports < 2 || c->n_ports > PROVE_PORTS ? NULL : prove_new(c);
	if (p == NULL)
		return -ENOMEM;
	int err = wire_open(p, ret->why, sizeof(ret->why));
	if (err == 0) {
		char why[200] = "";
		ret->guard = guard_set(p, why, sizeof(why)) == 0;
		if (!ret->guard && c->c->mode != MODE_LAB) {
			write_fmt(&w, "no guard on the uplink, so nothing is sent: %s", why);
			err = SKEP_EUNSUPPORTED;
		}
	}
	if (err == 0 && p->bridged)
		router_find(p);
	if (err == 0) {
		first_fence(p);
		for (const struct prove_case *k = prove_cases; k->name != NULL; k++)
			if (wanted(c, k) && p->n_rows < PROVE_ROWS && !p->dead)
				try_case(p, k);
		if (ret->guard && guard_read(p, &ret->guarded) != 0)
			ret->guard = false;
		err = take_rows(p, ret);
	}
	guard_end(p);
	wire_close(p);
	free(p);
	return err;
}

const char *prove_case(size_t i, const char **ret_promise)
{
	for (size_t k = 0; prove_cases[k].name != NULL; k++)
		if (k == i) {
			*ret_promise = prove_cases[k].promise;
			return prove_cases[k].name;
		}
	return NULL;
}

enum prove_verdict prove_judge(const struct prove_result *r)
{
	enum prove_verdict worst = PROVE_HELD;
	bool any = false;
	if (r->escaped > 0)
		return PROVE_LEAK;
	for (size_t i = 0; i < r->n; i++) {
		if (r->rows[i].verdict == PROVE_LEAK)
			return PROVE_LEAK;
		if (r->rows[i].verdict == PROVE_BROKEN)
			worst = PROVE_BROKEN;
		any = any || (i > 0 && r->rows[i].verdict == PROVE_HELD); /* row 0: the fences */
	}
	return any ? worst : PROVE_BROKEN;
}

const char *prove_verdict_text(enum prove_verdict v)
{
	static const char *const names[] = {"held", "LEAK", "skipped", "BROKEN"};
	return names[v];
}
