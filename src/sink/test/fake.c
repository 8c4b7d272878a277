/* SPDX-License-Identifier: BSD-2-Clause */
#include "sink/test/fake.h"

#include <stdlib.h>
#include <string.h>

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void emit(void *ctx, const struct event *e)
{
	struct fake *f = ctx;
	must(event_valid(e) && e->kind == EVENT_SINK);
	f->events[f->n_events++ % FAKE_EVENTS] = *e;
}

static void ask(void *ctx, const uint8_t *data, size_t len)
{
	struct fake *f = ctx;
	must(len <= sizeof(f->asked));
	memcpy(f->asked, data, len);
	f->n_asked = len;
	f->asks++;
}

static void reply(void *ctx, enum sink_service v, const struct sink_ends *e, const uint8_t *data,
		  size_t len)
{
	struct fake *f = ctx;
	must(v == SINK_DNS && e->cport != 0 && len <= sizeof(f->replied));
	memcpy(f->replied, data, len);
	f->n_replied = len;
}

static void ready(void *ctx, struct sink_session *t)
{
	struct fake *f = ctx;
	f->readies++;
	f->ready = t;
}

static struct addr address(unsigned last)
{
	uint8_t b[4] = {10, 99, 0, (uint8_t)last};
	return addr_from_v4(b);
}

struct fake *fake_new(bool upstream)
{
	struct fake *f = calloc(1, sizeof(*f));
	must(f != NULL);
	f->events = calloc(FAKE_EVENTS, sizeof(*f->events));
	f->now = 1000 * NS_PER_SEC;
	struct sink_conf c = {.n_guests = 2,
			      .connections = 16,
			      .bytes = 8192,
			      .idle_ns = 60 * NS_PER_SEC,
			      .dns_budget = 100,
			      .dns_upstream = upstream,
			      .seed = {1, 2}};
	text_copy(c.guests[0].name, EVENT_NAME, "web1");
	text_copy(c.guests[1].name, EVENT_NAME, "db1");
	c.guests[0].inside = address(10);
	c.guests[1].inside = address(11);
	const struct sink_io io = {emit, ask, reply, ready, f};
	must(f->events != NULL && arena_create(sink_arena_bytes(&c), &f->arena) == 0);
	must(sink_create(&f->arena, &c, &io, f->now, &f->sink) == 0);
	return f;
}

void fake_free(struct fake *f)
{
	arena_destroy(&f->arena);
	free(f->events);
	free(f);
}

struct sink_ends fake_ends(unsigned guest, uint16_t cport)
{
	return (struct sink_ends){address(10 + guest), addr_from_v4("\xc0\x00\x02\x50"), cport};
}

struct sink_session *fake_open(struct fake *f, enum sink_service v, unsigned guest)
{
	struct sink_ends e = fake_ends(guest, 40000);
	struct sink_session *t = NULL;
	return sink_open(f->sink, v, &e, f->now, &t) == 0 ? t : NULL;
}

void fake_say(struct fake *f, struct sink_session *t, const void *data, size_t len, size_t piece,
	      char *ret, size_t size)
{
	const uint8_t *p = data, *out;
	size_t n, got = 0;
	for (size_t at = 0;;) {
		while ((n = sink_out(t, &out)) > 0) {
			size_t fits = size - 1 - got < n ? size - 1 - got : n;
			memcpy(ret + got, out, fits);
			got += fits;
			sink_sent(t, n);
		}
		if (at == len || sink_over(t))
			break;
		n = piece == 0 || piece > len - at ? len - at : piece;
		n = sink_feed(f->sink, t, p + at, n, f->now);
		if (n == 0 && sink_out(t, &out) == 0)
			break; /* it waits for something else */
		at += n;
	}
	ret[got] = '\0';
}

const struct event *fake_event(const struct fake *f, const char *what, uint32_t n)
{
	for (uint32_t i = f->n_events; i > 0 && f->n_events - i < FAKE_EVENTS; i--) {
		const struct event *e = &f->events[(i - 1) % FAKE_EVENTS];
		if (strcmp(e->u.sink.what, what) == 0 && n-- == 0)
			return e;
	}
	return NULL;
}

size_t fake_query(const char *name, uint16_t type, uint8_t *out)
{
	static const uint8_t head[12] = {0x12, 0x34, 1, 0, 0, 1};
	size_t at = sizeof(head);
	memcpy(out, head, sizeof(head));
	while (*name != '\0') {
		size_t n = strcspn(name, ".");
		out[at++] = (uint8_t)n;
		memcpy(out + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	out[at++] = 0;
	store_be16(out + at, type);
	store_be16(out + at + 2, 1);
	return at + 4;
}
