/* SPDX-License-Identifier: BSD-2-Clause */
#include "say.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S TO_SERVER
#define C TO_CLIENT

static void must(bool fact)
{
	if (!fact)
		abort();
}

void talk_begin(struct talk *t, uint32_t cut)
{
	struct app_conf conf = {0};
	memset(t, 0, sizeof(*t));
	t->cut = cut;
	must(slab_create(64u << 20, &t->slab) == 0);
	must(app_ctx_create(&conf, t->slab, &t->ctx) == 0);
	t->flow.tcp = true;
	t->flow.port[0] = 40000;
	t->flow.port[1] = 80;
	t->app = app_open(t->ctx, &t->flow);
	must(t->app != NULL);
	t->app->proto = APP_HTTP;
	t->app->detected[0] = t->app->detected[1] = true;
	must(app_http.open(t->app) == 0);
	for (unsigned d = 0; d < 2; d++) {
		t->held[d] = malloc(SAY_MAX);
		must(t->held[d] != NULL);
	}
}

static void feed(struct talk *t, unsigned dir, unsigned flags)
{
	/* A copy of the exact size: what is read beyond it is seen by the sanitizer. */
	uint32_t n = t->len[dir] - t->done[dir];
	uint8_t *exact = malloc(n != 0 ? n : 1);
	must(exact != NULL);
	memcpy(exact, t->held[dir] + t->done[dir], n);
	t->done[dir] += app_feed(t->app, dir, exact, n, flags, 1);
	must(t->done[dir] <= t->len[dir]);
	free(exact);
}

void talk_say(struct talk *t, unsigned dir, const void *data, uint32_t len)
{
	const uint8_t *p = data;
	while (len != 0) {
		uint32_t n = t->cut != 0 && t->cut < len ? t->cut : len;
		must(n <= SAY_MAX - t->len[dir]);
		memcpy(t->held[dir] + t->len[dir], p, n);
		t->len[dir] += n;
		p += n;
		len -= n;
		feed(t, dir, 0);
	}
}

void talk_str(struct talk *t, unsigned dir, const char *text)
{
	talk_say(t, dir, text, (uint32_t)strlen(text));
}

void talk_gap(struct talk *t, unsigned dir, uint32_t len)
{
	app_feed(t->app, dir, NULL, len, APP_GAP, 1);
	t->done[dir] = t->len[dir];
}

void talk_eof(struct talk *t, unsigned dir)
{
	feed(t, dir, APP_EOF);
}

void talk_end(struct talk *t)
{
	struct slab_stats s;
	app_close(&t->flow, NULL, NULL);
	slab_read_stats(t->slab, &s);
	must(s.used == 0);
	app_ctx_free(&t->ctx);
	slab_free_all(&t->slab);
	free(t->held[0]);
	free(t->held[1]);
}

struct app_tx *talk_tx(struct talk *t, unsigned n)
{
	struct app_tx *tx = t->app->tx_first;
	while (tx != NULL && n-- != 0)
		tx = tx->next;
	return tx;
}

bool talk_event(const struct app_tx *tx, const char *name)
{
	enum app_proto p;
	int e = app_event_by_name(name, strlen(name), &p);
	must(e >= 0 && p == APP_HTTP);
	return tx != NULL && (tx->events[e / 64] >> (e % 64) & 1) != 0;
}

bool talk_is(struct talk *t, unsigned n, enum app_buffer b, unsigned dir, uint32_t index,
	     const char *text)
{
	struct app_tx *tx = talk_tx(t, n);
	struct span s = {NULL, 0};
	int r = tx != NULL ? app_buffer(t->app, tx, b, dir, index, &s, NULL, NULL) : 1;
	if (text == NULL && r != 0)
		return true;
	bool same =
		text != NULL && r == 0 && s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
	if (!same)
		fprintf(stderr, "transaction %u, %s: \"%.*s\", not \"%s\"\n", n,
			app_buffer_row(b)->name, r == 0 ? (int)s.len : 4,
			r == 0 ? (const char *)s.data : "none", text != NULL ? text : "none");
	return same;
}

static const uint32_t cuts[] = {0, 1, 2, 3, 7};

static void run(const struct script *s)
{
	for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
		struct talk t;
		bool good = true;
		talk_begin(&t, cuts[k]);
		for (unsigned d = 0; d < 2; d++)
			if (s->say[d] != NULL)
				talk_str(&t, d, s->say[d]);
		talk_eof(&t, S);
		talk_eof(&t, C);
		for (const struct want *w = s->want; w->buffer != 0; w++)
			good &= talk_is(&t, w->tx, w->buffer, w->dir, w->index, w->text);
		for (const char *const *e = s->events; *e != NULL; e++)
			if (!talk_event(talk_tx(&t, 0), *e))
				fail_msg("%s, cut %u: no event %s", s->what, cuts[k], *e);
		for (const char *const *e = s->not_events; *e != NULL; e++)
			if (talk_event(talk_tx(&t, 0), *e))
				fail_msg("%s, cut %u: event %s", s->what, cuts[k], *e);
		unsigned n = 0;
		while (talk_tx(&t, n) != NULL) {
			assert_int_equal(talk_tx(&t, n)->progress[S], APP_DONE);
			n++;
		}
		if (n != (s->n_tx != 0 ? s->n_tx : 1))
			fail_msg("%s, cut %u: %u transactions", s->what, cuts[k], n);
		if (!good)
			fail_msg("%s, cut %u", s->what, cuts[k]);
		talk_end(&t);
	}
}

void run_all(const struct script *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run(&s[i]);
}
