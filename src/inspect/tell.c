/* SPDX-License-Identifier: BSD-2-Clause */
/* What the pipeline tells its sink besides alerts: oddities, transactions, files; and the counters. */
#include "inspect/inspect_priv.h"

#include <string.h>

static void tell_words(struct inspect *i, const struct pkt *p, const struct stream_flow *f,
		       const uint64_t *words, unsigned n, const char *layer,
		       const char *(*name)(unsigned event))
{
	for (unsigned w = 0; w < n; w++)
		for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
			const char *text = name(w * 64 + (unsigned)__builtin_ctzll(bits));
			if (text != NULL)
				i->conf.sink.anomaly(i->conf.sink.ctx, p, f, layer, text);
		}
}

static bool any(const uint64_t *words, unsigned n)
{
	uint64_t all = 0;
	for (unsigned w = 0; w < n; w++)
		all |= words[w];
	return all != 0;
}

void inspect_tell_packet(struct inspect *i, const struct pkt *p, const struct stream_result *r)
{
	bool decode = any(p->events, DISSECT_EVENT_WORDS);
	bool stream = any(r->events, STREAM_EVENT_WORDS);
	i->decode_errors += p->invalid;
	if (i->conf.sink.anomaly == NULL || !(decode || stream))
		return;
	if (decode)
		tell_words(i, p, r->flow, p->events, DISSECT_EVENT_WORDS, "decode",
			   dissect_event_name);
	if (stream)
		tell_words(i, p, r->flow, r->events, STREAM_EVENT_WORDS, "stream",
			   stream_event_name);
}

static void tell_app_events(struct inspect *i, const struct stream_flow *f, enum app_proto proto,
			    const uint64_t *words, unsigned n)
{
	for (unsigned w = 0; w < n; w++)
		for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
			unsigned event = w * 64 + (unsigned)__builtin_ctzll(bits);
			const char *text = app_event_name(proto, event);
			if (text != NULL)
				i->conf.sink.anomaly(i->conf.sink.ctx, NULL, f, "applayer", text);
		}
}

static void tell_files(struct inspect *i, struct stream_flow *f, struct app_tx *tx, bool over)
{
	for (struct app_file *file = tx->files; file != NULL; file = file->next) {
		if (file->told || !(file->closed || over))
			continue;
		file->told = true;
		if (i->conf.sink.file != NULL)
			i->conf.sink.file(i->conf.sink.ctx, f, tx, file, i->now_ns);
	}
}

static bool direction_over(const struct app_tx *tx, unsigned dir)
{
	return tx->progress[dir] == APP_DONE ||
	       (dir == TO_SERVER ? tx->toclient_only : tx->toserver_only);
}

static void tell_tx(struct inspect *i, struct stream_flow *f, struct app_tx *tx, unsigned dir)
{
	if (i->conf.sink.tx != NULL)
		i->conf.sink.tx(i->conf.sink.ctx, f, tx, dir, i->now_ns);
}

/* DNS is told as question and as answer; the others once, when both sides have spoken. */
static void tell_one(struct inspect *i, struct stream_flow *f, struct app_tx *tx, bool over)
{
	if (tx->proto == APP_DNS) {
		for (unsigned dir = 0; dir < 2; dir++) {
			uint8_t bit = (uint8_t)(1u << dir);
			bool silent = dir == TO_SERVER ? tx->toclient_only : tx->toserver_only;
			if ((tx->told & bit) != 0 || !(over || direction_over(tx, dir)))
				continue;
			tx->told |= bit;
			if (!silent && tx->progress[dir] == APP_DONE)
				tell_tx(i, f, tx, dir);
		}
	} else if (over || (direction_over(tx, TO_SERVER) && direction_over(tx, TO_CLIENT))) {
		tx->told = TOLD_ALL;
		tell_tx(i, f, tx, TO_SERVER);
	}
	if (tx->told == TOLD_ALL && i->conf.sink.anomaly != NULL)
		tell_app_events(i, f, (enum app_proto)tx->proto, tx->events, APP_EVENT_WORDS);
}

void inspect_tell_txs(struct inspect *i, struct stream_flow *f, bool over)
{
	struct app *a = f->app;
	if (a == NULL)
		return;
	for (struct app_tx *tx = a->tx_first; tx != NULL; tx = tx->next) {
		if (tx->files != NULL)
			tell_files(i, f, tx, over);
		if (tx->told != TOLD_ALL)
			tell_one(i, f, tx, over);
		for (unsigned dir = 0; dir < 2 && i->engine == NULL; dir++)
			tx->inspected[dir] |= direction_over(tx, dir);
	}
	if (over && i->conf.sink.anomaly != NULL)
		tell_app_events(i, f, APP_UNKNOWN, a->events, ARRAY_LEN(a->events));
}

void inspect_read_stats(const struct inspect *i, struct inspect_stats *ret)
{
	*ret = (struct inspect_stats){
		.frames = i->frames,
		.bytes = i->bytes,
		.packets = i->packets,
		.decode_errors = i->decode_errors,
		.alerts = i->alerts,
		.dropped = i->dropped,
		.stream = i->ended,
	};
	memcpy(ret->apps, i->apps, sizeof(ret->apps));
	if (i->stream != NULL)
		stream_read_stats(i->stream, &ret->stream);
	if (i->engine != NULL)
		rule_engine_read_stats(i->engine, &ret->engine);
	slab_read_stats(i->slab, &ret->memory);
}

struct rule_engine *inspect_engine(const struct inspect *i)
{
	return i->engine;
}
