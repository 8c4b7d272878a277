/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP whose bodies rules make shorter and longer: conversations made up at random (lengths, chunks with extensions
 * and trailers, no body at all, HEAD, 100, 1.0, pipelined), cut, lost and reordered on the way. The receiver's
 * parser is the test's own: every message comes, with the head it had but for how its body is counted, and with
 * the body that the rules make of it. SKEP_SEED, SKEP_RUNS.
 */
#include "short.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/test/frames.h"

#define RUNS 500
#define STEPS 300000
#define HOLD (3600 * NS_PER_SEC)
#define MESSAGES 6u
#define SHORT_RUNS 6u
#define SHORT_STEPS 2500
#define BODY_MAX 4096u

static const struct {
	const char *what, *by;
} changes[] = {{"EVIL", "good"}, {"HURT", ""}, {"BOTNT", "ok"}, {"VIRUS", "a much longer word"}};

#define RULE(buffer, what, by, sid)                                                        \
	"rewrite http any any -> any any (" buffer "; content:\"" what "\"; replace:\"" by \
	"\"; sid:" sid ";)\n"
static const char rules[] = RULE("http.response_body", "EVIL", "good", "1")
	RULE("http.response_body", "HURT", "", "2") RULE("http.response_body", "BOTNT", "ok", "3")
		RULE("http.response_body", "VIRUS", "a much longer word", "4")
			RULE("http.request_body", "EVIL", "good", "5")
				RULE("http.request_body", "HURT", "", "6")
					RULE("http.request_body", "BOTNT", "ok", "7")
						RULE("http.request_body", "VIRUS",
						     "a much longer word", "8");

enum words { HARMLESS = 7, SAME_LENGTH = 8, ANY_LENGTH = 11 }; /* so many of them */
enum kind { NO_BODY, LENGTH, CHUNKS, KINDS };

struct message {
	enum kind kind;
	enum words words;
	char head[512]; /* without how the body is counted */
	uint8_t body[BODY_MAX];
	uint32_t len;
	const char *trailer;
	bool headless;         /* the answer to HEAD: a length, no body */
	uint32_t begins, ends; /* in its side's out */
};

struct chat {
	struct world w;
	struct message said[2][MESSAGES];
	uint32_t n;
	bool harmless; /* 304 with a length: some read what follows as a body, so rules find nothing there */
};

/* ---- what is said --------------------------------------------------------------------------------- */

static uint32_t put(uint8_t *to, uint32_t at, const char *text)
{
	memcpy(to + at, text, strlen(text));
	return at + (uint32_t)strlen(text);
}

/* Words, of which rules change some. */
static uint32_t word(struct world *w, uint8_t *to, uint32_t at, enum words which)
{
	static const char *const words[] = {"EVI",  "some words. ", "\r\n", "0\r\n\r\n",
					    "5",    "HUR",          "BO",   "EVIL",
					    "HURT", "BOTNT",        "VIRUS"};
	return put(to, at, words[dice_below(&w->dice, which)]);
}

static uint32_t write_chunks(struct world *w, struct message *m, uint8_t *to, uint32_t at)
{
	char line[64];
	for (uint32_t chunks = 1 + dice_below(&w->dice, 5); chunks > 0; chunks--) {
		uint32_t before = m->len;
		for (uint32_t k = 1 + dice_below(&w->dice, 8); k > 0; k--)
			m->len = word(w, m->body, m->len, m->words);
		static const char *const ways[] = {"%x\r\n", "%X\r\n", "%04x\r\n",
						   "%x;name=value\r\n"};
		(void)snprintf(line, sizeof(line), ways[dice_below(&w->dice, 4)], m->len - before);
		at = put(to, at, line);
		memcpy(to + at, m->body + before, m->len - before);
		at = put(to, at + m->len - before, "\r\n");
	}
	m->trailer = dice_below(&w->dice, 3) == 0 ? "X-After: all\r\n" : "";
	at = put(to, at, "0\r\n");
	at = put(to, at, m->trailer);
	return put(to, at, "\r\n");
}

static void write_message(struct world *w, unsigned dir, struct message *m)
{
	uint8_t *to = w->out[dir];
	uint32_t at = w->ends[dir].out_len;
	char line[64];
	m->begins = at;
	m->len = 0;
	m->trailer = "";
	at = put(to, at, m->head);
	if (m->kind == CHUNKS) {
		at = put(to, at, "Transfer-Encoding: chunked\r\nX-Z: z\r\n\r\n");
		at = write_chunks(w, m, to, at);
	} else if (m->kind == LENGTH) {
		for (uint32_t k = dice_below(&w->dice, 20); k > 0; k--)
			m->len = word(w, m->body, m->len, m->words);
		(void)snprintf(line, sizeof(line), "Content-Length: %u\r\nX-Z: z\r\n\r\n", m->len);
		at = put(to, at, line);
		m->len = m->headless ? 0 : m->len;
		memcpy(to + at, m->body, m->len);
		at += m->len;
	} else {
		at = put(to, at, "X-Z: z\r\n\r\n");
	}
	w->ends[dir].out_len = m->ends = at;
}

/* A request and its answer. */
static void write_pair(struct chat *c, uint32_t k)
{
	struct world *w = &c->w;
	struct message *q = &c->said[0][k], *a = &c->said[1][k];
	static const char *const methods[] = {"GET", "HEAD", "POST", "PUT"};
	uint32_t method = dice_below(&w->dice, 4);
	bool modern = dice_below(&w->dice, 4) > 0;
	memset(q, 0, sizeof(*q));
	memset(a, 0, sizeof(*a));
	q->words = a->words = c->harmless ? HARMLESS : modern ? ANY_LENGTH : SAME_LENGTH;
	q->kind = method < 2 ? NO_BODY : modern ? LENGTH + dice_below(&w->dice, 2) : LENGTH;
	(void)snprintf(q->head, sizeof(q->head), "%s /%u HTTP/1.%u\r\nHost: x\r\nX-N: <%u>\r\n",
		       methods[method], k, modern, k);
	write_message(w, 0, q);
	static const char *const status[] = {"200 OK", "404 Not Found", "204 No Content",
					     "304 Not Modified"};
	uint32_t s = dice_below(&w->dice, 6);
	s = s < 4 ? s : 0;
	a->kind = s >= 2                  ? NO_BODY
		  : modern && method != 1 ? LENGTH + dice_below(&w->dice, 2)
					  : LENGTH;
	a->headless = method == 1 || (s == 3 && c->harmless);
	if (a->headless)
		a->kind = LENGTH;
	bool go_on = modern && method >= 2 && dice_below(&w->dice, 3) == 0;
	(void)snprintf(a->head, sizeof(a->head), "%sHTTP/1.%u %s\r\nX-N: <%u>\r\n",
		       !go_on        ? ""
		       : c->harmless ? "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
				     : "HTTP/1.1 100 Continue\r\n\r\n",
		       modern, status[s], k);
	write_message(w, 1, a);
}

/* ---- what is got ---------------------------------------------------------------------------------- */

static uint32_t expected(const uint8_t *in, uint32_t len, uint8_t *out)
{
	uint32_t n = 0;
	for (uint32_t at = 0; at < len;) {
		size_t k = 0;
		while (k < ARRAY_LEN(changes) &&
		       (strlen(changes[k].what) > len - at ||
			memcmp(in + at, changes[k].what, strlen(changes[k].what)) != 0))
			k++;
		if (k == ARRAY_LEN(changes)) {
			out[n++] = in[at++];
			continue;
		}
		n = put(out, n, changes[k].by);
		at += (uint32_t)strlen(changes[k].what);
	}
	return n;
}

struct text {
	const uint8_t *p;
	uint32_t at, len;
};

static bool take(struct text *r, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);
	if (r->len - r->at < n || memcmp(r->p + r->at, text, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool take_number(struct text *r, unsigned base, uint32_t *ret)
{
	uint32_t n = 0, digits = 0;
	for (; r->at < r->len && digits < 7; r->at++, digits++) {
		uint8_t ch = r->p[r->at];
		unsigned v = ch >= '0' && ch <= '9'   ? ch - 48u
			     : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10u
			     : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10u
						      : 99u;
		if (v >= base)
			break;
		n = n * base + v;
	}
	*ret = n;
	return digits > 0;
}

static bool take_bytes(struct text *r, uint32_t n, uint8_t *body, uint32_t *len)
{
	if (r->len - r->at < n || *len + n > 4 * BODY_MAX)
		return false;
	memcpy(body + *len, r->p + r->at, n);
	*len += n;
	r->at += n;
	return true;
}

static bool take_chunks(struct text *r, const char *trailer, uint8_t *body, uint32_t *len)
{
	uint32_t n = 0;
	do {
		if (!take_number(r, 16, &n))
			return false;
		(void)take(r, ";name=value");
		if (!take(r, "\r\n"))
			return false;
		if (n > 0 && (!take_bytes(r, n, body, len) || !take(r, "\r\n")))
			return false;
	} while (n > 0);
	return take(r, trailer) && take(r, "\r\n");
}

static bool got_message(struct text *r, const struct message *m)
{
	static uint8_t body[4 * BODY_MAX], want[4 * BODY_MAX];
	uint32_t len = 0, n = 0, want_len = expected(m->body, m->len, want);
	if (!take(r, m->head))
		return false;
	if (take(r, "Transfer-Encoding: chunked\r\nX-Z: z\r\n\r\n")) {
		if (m->kind == NO_BODY || m->headless || !take_chunks(r, m->trailer, body, &len))
			return false;
	} else if (take(r, "Content-Length: ")) {
		if (m->kind != LENGTH || !take_number(r, 10, &n) ||
		    !take(r, "\r\nX-Z: z\r\n\r\n") ||
		    !take_bytes(r, m->headless ? 0 : n, body, &len))
			return false;
	} else if (m->kind != NO_BODY || !take(r, "X-Z: z\r\n\r\n")) {
		return false;
	}
	return len == want_len && memcmp(body, want, len) == 0;
}

/* ---- the course of it ----------------------------------------------------------------------------- */

/* Nobody answers what he was not asked, and the client hangs up last. */
static void manners(struct chat *c)
{
	struct world *w = &c->w;
	char name[24];
	uint32_t k = 0;
	for (; k < c->n; k++) {
		(void)snprintf(name, sizeof(name), "X-N: <%u>\r\n", k);
		if (memmem(w->ends[1].in, w->ends[1].got, name, strlen(name)) == NULL)
			break;
	}
	w->ends[1].kept = k == c->n ? 0 : w->ends[1].out_len + 1 - c->said[1][k].begins;
	w->ends[0].kept = w->ends[0].fin != NO_FIN && w->ends[0].got > w->ends[0].fin ? 0 : 1;
}

static void show(const struct chat *c, uint64_t seed, unsigned dir)
{
	const struct end *e = &c->w.ends[!dir];
	fail_msg("seed %llu, direction %u, stopped %llu: said\n%.*s\ngot %u of %d\n%.*s",
		 (unsigned long long)seed, dir, (unsigned long long)c->w.stopped,
		 (int)c->w.ends[dir].out_len, (const char *)c->w.out[dir], e->got, (int)e->fin,
		 (int)e->got, (const char *)e->in);
}

static void check(const struct chat *c, uint64_t seed, unsigned dir)
{
	const struct end *e = &c->w.ends[!dir];
	struct text r = {.p = e->in, .len = e->fin};
	for (uint32_t k = 0; k < c->n; k++)
		if (!got_message(&r, &c->said[dir][k]))
			show(c, seed, dir);
	if (r.at != r.len)
		show(c, seed, dir);
}

static void begin(struct chat *c, uint64_t seed)
{
	struct world *w = &c->w;
	world_start(w, seed);
	w->stopped = 0;
	c->harmless = dice_below(&w->dice, 8) == 0;
	c->n = 1 + dice_below(&w->dice, MESSAGES);
	for (uint32_t k = 0; k < c->n; k++)
		write_pair(c, k);
}

/* False: it did not come to an end in so many steps. */
static bool go(struct chat *c, uint32_t steps)
{
	struct world *w = &c->w;
	for (; steps > 0 && !(end_done(&w->ends[0]) && end_done(&w->ends[1])); steps--) {
		manners(c);
		world_step(w);
	}
	return steps > 0;
}

static void bodies_of_any_length(void **state)
{
	struct chat *c = calloc(1, sizeof(*c));
	const char *v = getenv("SKEP_SEED"), *u = getenv("SKEP_RUNS");
	uint64_t first = v != NULL ? strtoull(v, NULL, 10) : 1;
	uint64_t runs = u != NULL ? strtoull(u, NULL, 10) : RUNS;
	struct scrub_stats st;
	box_begin(&c->w.box, rules, HOLD);
	for (uint64_t seed = first; seed < first + runs; seed++) {
		begin(c, seed);
		if (!go(c, STEPS))
			show(c, seed, c->w.ends[0].fin == NO_FIN ? 1 : 0);
		check(c, seed, 0);
		check(c, seed, 1);
		world_finish(&c->w);
	}
	scrub_read_stats(c->w.box.scrub, &st);
	print_message("# edits %llu held %llu late %llu\n", (unsigned long long)st.edits,
		      (unsigned long long)st.held, (unsigned long long)st.late);
	assert_true(st.edits > runs && st.late == 0);
	box_end(&c->w.box);
	free(c);
}

/* The first byte last. True: it passes. */
static bool says(struct world *w, unsigned dir, uint32_t n)
{
	bool fine = true;
	for (uint32_t first = 1; first < 2; first--) {
		struct frame *f = frame_new(FRAME_MAX);
		w->seg = (struct seg){.seq = w->ends[dir].iss + 1 + first,
				      .ack = w->ends[!dir].iss + 1,
				      .flags = TCP_ACK,
				      .len = first ? n - 1 : 1};
		memcpy(w->seg.data, w->out[dir] + first, w->seg.len);
		build_seg(f, &w->how[dir], &w->seg);
		fine = world_through(w, dir, f);
		assert_true(fine || !first);
		frame_free(f);
	}
	return fine;
}

/* More requests at once than the parser keeps: the rest is not read, and does not pass. */
static void more_than_can_be_read(void **state)
{
	struct chat *c = calloc(1, sizeof(*c));
	struct world *w = &c->w;
	w->box.max_tx = 1;
	box_begin(&w->box, "drop http any any -> any any (http.uri; content:\"EVIL\"; sid:1;)",
		  HOLD);
	for (uint32_t requests = 1; requests < 250; requests += 30) {
		uint32_t n = 0;
		world_start(w, requests);
		for (uint32_t k = 0; k < requests; k++)
			n = put(w->out[0], n, "GET / HTTP/1.1\n\n");
		n = put(w->out[0], n, "GET /EVIL HTTP/1.1\n\n");
		assert_false(says(w, 0, n));
		world_finish(w);
	}
	box_end(&w->box);
	free(c);
}

/* More headers than the parser keeps. */
static void more_headers_than_are_kept(void **state)
{
	struct chat *c = calloc(1, sizeof(*c));
	struct world *w = &c->w;
	char name[24];
	box_begin(&w->box, "drop http any any -> any any (http.header; content:\"EVIL\"; sid:1;)",
		  HOLD);
	for (uint32_t many = 0; many < 2; many++) {
		uint32_t n = put(w->out[0], 0, "GET / HTTP/1.1\r\n");
		world_start(w, many);
		for (uint32_t k = 0; k < 16 + many * 1024; k++) {
			(void)snprintf(name, sizeof(name), "%x:\n", k);
			n = put(w->out[0], n, name);
		}
		n = put(w->out[0], n, "X: EVIL\r\n\r\n");
		assert_false(says(w, 0, n));
		world_finish(w);
	}
	box_end(&w->box);
	free(c);
}

/* A body, all of which is there at once, and which is longer than what is kept of one. */
static void longer_than_what_is_kept(void **state)
{
	struct chat *c = calloc(1, sizeof(*c));
	struct world *w = &c->w;
	static const char *const heads[] = {
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6000\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: x\r\n"
		"Transfer-Encoding: chunked\r\n\r\n1770\r\n"};
	w->box.body = 300;
	box_begin(&w->box,
		  "drop http any any -> any any (http.request_body; content:\"EVIL\"; sid:1;)",
		  HOLD);
	for (uint32_t at = 0; at < 6000; at += 37) {
		const char *head = heads[at % ARRAY_LEN(heads)];
		uint32_t n = (uint32_t)strlen(head);
		world_start(w, at);
		memcpy(w->out[0], head, n);
		memset(w->out[0] + n, 'x', 6002);
		if (at % 3 != 0)
			memcpy(w->out[0] + n + at, "EVIL", 4);
		if (says(w, 0, n + 6002) != (at % 3 == 0))
			fail_msg("at %u", at);
		world_finish(w);
	}
	box_end(&w->box);
	free(c);
}

static bool has_a_word(const struct end *e)
{
	for (size_t k = 0; k < ARRAY_LEN(changes); k++)
		if (memmem(e->in, e->got, changes[k].what, strlen(changes[k].what)) != NULL)
			return true;
	return false;
}

/* Each request for memory refused, alone and with all behind it: then less passes, and nothing as it was. */
static void whenever_memory_is_short(void **state)
{
	struct chat *c = calloc(1, sizeof(*c));
	uint64_t whole = 0, broken = 0;
	for (unsigned all = 0; all < 2; all++)
		for (uint64_t kind = 1; kind <= SHORT_RUNS; kind++) {
			uint64_t asked = 0;
			for (uint64_t n = 0; n <= asked; n++) {
				box_begin(&c->w.box, rules, HOLD);
				begin(c, kind);
				short_at(n, all);
				bool done = go(c, SHORT_STEPS);
				asked = n == 0 ? short_asked() : asked;
				short_at(0, false);
				for (unsigned d = 0; d < 2; d++)
					if (has_a_word(&c->w.ends[d])) {
						print_message("request %llu refused\n",
							      (unsigned long long)n);
						show(c, kind, !d);
					}
				whole += done;
				broken += !done;
				world_finish(&c->w);
				box_end(&c->w.box);
			}
		}
	print_message("# whole %llu broken %llu\n", (unsigned long long)whole,
		      (unsigned long long)broken);
	assert_true(broken > 100);
	free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_of_any_length),
		cmocka_unit_test(more_than_can_be_read),
		cmocka_unit_test(more_headers_than_are_kept),
		cmocka_unit_test(longer_than_what_is_kept),
		cmocka_unit_test(whenever_memory_is_short),
	};
	return cmocka_run_group_tests_name("scrub_bodies", tests, NULL, NULL);
}
