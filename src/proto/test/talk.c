/* SPDX-License-Identifier: BSD-2-Clause */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool fact)
{
	if (!fact)
		abort();
}

void talk_open(struct talk *t, enum app_proto proto, bool tcp)
{
	memset(t, 0, sizeof(*t));
	must(slab_create((size_t)8 << 20, &t->slab) == 0);
	must(app_ctx_create(&(struct app_conf){.hash_files = true}, t->slab, &t->ctx) == 0);
	t->flow.tcp = tcp;
	t->flow.id = 1;
	t->flow.proto = tcp ? 6 : 17;
	t->flow.addr[0] = addr_from_v4((const uint8_t[]){192, 0, 2, 1});
	t->flow.addr[1] = addr_from_v4((const uint8_t[]){192, 0, 2, 2});
	t->app = app_open(t->ctx, &t->flow);
	must(t->app != NULL);
	if (proto == APP_UNKNOWN)
		return;
	const struct app_ops *ops = app_ops_of(proto);
	t->app->proto = (uint8_t)proto;
	t->app->detected[0] = t->app->detected[1] = true;
	t->app->first_dir = 0;
	must(ops != NULL && (ops->open == NULL || ops->open(t->app) == 0));
}

static void offer(struct talk *t, unsigned dir, unsigned flags)
{
	/* a copy of its own: reading past the end shows */
	uint32_t n = t->n_held[dir];
	uint8_t *copy = malloc(n + 1);
	must(copy != NULL);
	if (n > 0)
		memcpy(copy, t->held[dir], n);
	uint8_t *exact = realloc(copy, n == 0 ? 1 : n);
	must(exact != NULL);
	uint32_t done = app_feed(t->app, dir, exact, n, flags, t->now_ns);
	must(done <= n);
	free(exact);
	memmove(t->held[dir], t->held[dir] + done, n - done);
	t->n_held[dir] = n - done;
}

void talk_say(struct talk *t, unsigned dir, const void *data, uint32_t len, uint32_t cut)
{
	const uint8_t *p = data;
	if (!t->flow.tcp) {
		app_datagram(t->app, dir, p, len, t->now_ns);
		return;
	}
	if (cut == 0)
		cut = len;
	for (uint32_t at = 0; at < len; at += cut) {
		uint32_t n = len - at < cut ? len - at : cut;
		t->now_ns += 1000;
		t->held[dir] = realloc(t->held[dir], t->n_held[dir] + n);
		must(t->held[dir] != NULL);
		memcpy(t->held[dir] + t->n_held[dir], p + at, n);
		t->n_held[dir] += n;
		offer(t, dir, 0);
	}
}

void talk_gap(struct talk *t, unsigned dir, uint32_t len)
{
	uint32_t lost =
		t->n_held[dir] + len; /* as in inspect: what was not taken is missing as well */
	t->n_held[dir] = 0;
	if (lost != 0)
		(void)app_feed(t->app, dir, NULL, lost, APP_GAP, t->now_ns);
}

void talk_end(struct talk *t)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		if (t->held[dir] == NULL)
			t->held[dir] = malloc(1);
		offer(t, dir, APP_EOF);
	}
}

void talk_close(struct talk *t)
{
	struct slab_stats st;
	app_close(&t->flow, NULL, NULL);
	slab_free(t->slab, t->ctx->ftp_expected);
	slab_read_stats(t->slab, &st);
	must(st.used == 0);
	app_ctx_free(&t->ctx);
	slab_free_all(&t->slab);
	free(t->held[0]);
	free(t->held[1]);
}

static void tell_buffer(const struct talk *t, const struct app_tx *tx, enum app_buffer b,
			unsigned dir, FILE *out)
{
	struct span s;
	uint64_t base = 0;
	bool complete = false;
	for (uint32_t i = 0; app_buffer(t->app, tx, b, dir, i, &s, &base, &complete) == 0; i++) {
		must(i < 1000);
		fprintf(out, "  %s%s[%u]+%llu%s: ", dir == 0 ? ">" : "<", app_buffer_row(b)->name,
			i, (unsigned long long)base, complete ? "" : "...");
		for (uint32_t k = 0; k < s.len; k++)
			fprintf(out, s.data[k] >= 32 && s.data[k] < 127 ? "%c" : "\\x%02x",
				s.data[k]);
		fputc('\n', out);
	}
}

static void tell_json(json_t *o, const char *key, FILE *out)
{
	char *text = json_dumps(o, JSON_SORT_KEYS | JSON_COMPACT);
	must(text != NULL);
	fprintf(out, "  %s %s\n", key, text);
	free(text);
	json_decref(o);
}

char *talk_tell(const struct talk *t)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	must(out != NULL);
	for (const struct app_tx *tx = t->app->tx_first; tx != NULL; tx = tx->next) {
		fprintf(out, "tx %llu progress %u %u\n", (unsigned long long)tx->id,
			tx->progress[0], tx->progress[1]);
		for (unsigned e = 0; app_event_name(tx->proto, e) != NULL; e++)
			if ((tx->events[e / 64] >> (e % 64) & 1) != 0)
				fprintf(out, "  event %s\n", app_event_name(tx->proto, e));
		for (unsigned b = 0; b < APP_BUFFERS; b++)
			for (unsigned dir = 0; dir < 2; dir++)
				tell_buffer(t, tx, b, dir, out);
		uint64_t v;
		for (unsigned n = 0; n < NUM_NUMBERS; n++)
			if (app_number(t->app, tx, n, 0, 0, &v))
				fprintf(out, "  number %u = %llu\n", n, (unsigned long long)v);
		for (const struct app_file *f = tx->files; f != NULL; f = f->next)
			fprintf(out, "  file %.*s size %llu dir %u%s%s%s hash %02x%02x\n",
				f->name_len, f->name, (unsigned long long)f->size, f->dir,
				f->closed ? " closed" : "", f->truncated ? " truncated" : "",
				f->gaps ? " gaps" : "", f->sha256[0], f->sha256[1]);
		json_t *o = json_object();
		if (app_eve(t->app, tx, 0, o))
			tell_json(o, app_eve_key(tx->proto), out);
		else
			json_decref(o);
		o = json_object();
		if (app_eve_email(tx, o))
			tell_json(o, "email", out);
		else
			json_decref(o);
	}
	fclose(out);
	return text;
}

char *talk_run(enum app_proto proto, bool tcp, const struct said *s, uint32_t n, uint32_t cut)
{
	struct talk t;
	talk_open(&t, proto, tcp);
	for (uint32_t i = 0; i < n; i++) {
		if (s[i].data == NULL)
			talk_gap(&t, s[i].dir, s[i].len);
		else
			talk_say(&t, s[i].dir, s[i].data, s[i].len, cut);
	}
	if (tcp)
		talk_end(&t);
	char *text = talk_tell(&t);
	talk_close(&t);
	return text;
}

char *talk_cuts(enum app_proto proto, const struct said *s, uint32_t n)
{
	static const uint32_t cuts[] = {1, 2, 3, 5, 7, 16, 100, 1000, 4095};
	char *whole = talk_run(proto, true, s, n, 0);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		char *text = talk_run(proto, true, s, n, cuts[i]);
		if (strcmp(text, whole) != 0)
			fprintf(stderr, "cut at %u:\n%s\nwhole:\n%s\n", cuts[i], text, whole);
		must(strcmp(text, whole) == 0);
		free(text);
	}
	for (uint32_t i = 0; i < n; i++) { /* ends early */
		struct said *some = malloc((i + 1) * sizeof(*some));
		must(some != NULL);
		memcpy(some, s, (i + 1) * sizeof(*some));
		uint32_t step = s[i].len / 500 + 1;
		for (uint32_t len = 0; s[i].data != NULL && len < s[i].len; len += step) {
			some[i].len = len;
			free(talk_run(proto, true, some, i + 1, 0));
		}
		free(some);
	}
	return whole;
}

static void fuzz_records(struct talk *t, const uint8_t *data, size_t size, uint32_t cut)
{
	while (size > 3) {
		uint32_t n = load_be16(data + 1);
		uint8_t flags = data[0];
		data += 3;
		size -= 3;
		if (n > size)
			n = (uint32_t)size;
		if ((flags & 0x82) == 0x82) {
			talk_gap(t, flags & 1, n + 1);
			continue;
		}
		talk_say(t, flags & 1, data, n, cut);
		data += n;
		size -= n;
	}
}

void talk_fuzz(enum app_proto tcp, enum app_proto other, const uint8_t *data, size_t size)
{
	char *text[2];
	if (size < 1)
		return;
	bool second = (data[0] & 1) != 0, stream = !second || other != tcp;
	for (unsigned i = 0; i < 2; i++) {
		struct talk t;
		talk_open(&t, second ? other : tcp, stream);
		fuzz_records(&t, data + 1, size - 1, i == 0 ? 0 : (data[0] >> 1) % 16u + 1);
		if (stream)
			talk_end(&t);
		text[i] = talk_tell(&t);
		talk_close(&t);
	}
	must(strcmp(text[0], text[1]) == 0);
	free(text[0]);
	free(text[1]);
}
