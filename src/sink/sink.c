/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions: made, fed, timed out, ended; each server stands behind a row of three functions. */
#include "sink/sink_priv.h"

#include <errno.h>
#include <string.h>

#define LIFE_FACTOR 10 /* a session that is never idle ends after so many idle times */
#define TICK_NS (100 * NS_PER_MS)

static const struct {
	uint16_t port;
	void (*begin)(struct sink *s, struct sink_session *t);
	size_t (*feed)(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len);
	void (*end)(struct sink *s, struct sink_session *t);
} servers[SINK_SOCKETS] = {
	[SINK_SMTP] = {25, smtp_begin, smtp_feed, smtp_end},
	[SINK_HTTP] = {80, http_begin, http_feed, http_end},
	[SINK_DNS_TCP] = {53, NULL, dns_tcp_feed, dns_tcp_end},
	[SINK_ANY_TCP] = {9, NULL, any_feed, any_end},
	[SINK_DNS] = {53, NULL, NULL, NULL},
	[SINK_NTP] = {123, NULL, NULL, NULL},
	[SINK_ANY] = {9, NULL, NULL, NULL},
};

uint16_t sink_port(enum sink_service v)
{
	return v < SINK_SOCKETS ? servers[v].port : 0;
}

size_t sink_arena_bytes(const struct sink_conf *conf)
{
	return sizeof(struct sink) + conf->connections * sizeof(struct sink_session) +
	       (CONF_GUESTS + 1) * sizeof(struct guard) + PENDING * sizeof(struct pending) + 5 * 64;
}

int sink_create(struct arena *arena, const struct sink_conf *conf, const struct sink_io *io,
		int64_t now_ns, struct sink **ret)
{
	struct sink *s = arena_alloc(arena, 1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	if (conf->connections == 0 || conf->n_guests > CONF_GUESTS ||
	    conf->dns_budget > SINK_BUDGET || conf->idle_ns <= 0)
		return SKEP_ERANGE;
	s->conf = *conf;
	for (uint32_t i = 0; i < conf->n_guests; i++)
		s->conf.guests[i].name[EVENT_NAME - 1] = '\0';
	s->io = *io;
	s->now_ns = s->ticked_ns = now_ns;
	s->sessions = arena_alloc(arena, conf->connections, sizeof(*s->sessions));
	s->guards = arena_alloc(arena, CONF_GUESTS + 1, sizeof(*s->guards));
	s->pending = arena_alloc(arena, PENDING, sizeof(*s->pending));
	if (s->sessions == NULL || s->guards == NULL || s->pending == NULL)
		return -ENOMEM;
	random_fill(s->hash_key, sizeof(s->hash_key));
	*ret = s;
	return 0;
}

uint32_t sink_guest_of(const struct sink *s, const struct addr *client)
{
	uint32_t i = 0;
	while (i < s->conf.n_guests &&
	       !addr_eq(client->ver == 4 ? &s->conf.guests[i].inside : &s->conf.guests[i].inside6,
			client))
		i++;
	return i;
}

/* ---- output and lines ------------------------------------------------------------------------- */

void out_bytes(struct sink_session *t, const void *data, size_t len)
{
	if (len > out_room(t)) { /* OUT_ROOM was not kept: better an end than half an answer */
		t->over = true;
		return;
	}
	memcpy(t->out + t->n_out, data, len);
	t->n_out += (uint32_t)len;
}

void out_text(struct sink_session *t, const char *text)
{
	out_bytes(t, text, strlen(text));
}

size_t sink_out(const struct sink_session *t, const uint8_t **ret)
{
	*ret = t->out;
	return t->n_out;
}

void sink_sent(struct sink_session *t, size_t n)
{
	if (n > t->n_out)
		n = t->n_out;
	t->n_out -= (uint32_t)n;
	memmove(t->out, t->out + n, t->n_out);
}

void sink_line_clear(struct line *l)
{
	l->len = 0;
	l->cut = false;
	l->text[0] = '\0';
}

bool line_take(struct line *l, const uint8_t *data, size_t len, size_t *ret_n)
{
	const uint8_t *nl = memchr(data, '\n', len);
	size_t n = nl != NULL ? (size_t)(nl - data) : len, fits = sizeof(l->text) - 1 - l->len;
	l->cut |= n > fits;
	if (fits > n)
		fits = n;
	memcpy(l->text + l->len, data, fits);
	l->len += (uint32_t)fits;
	*ret_n = n + (nl != NULL);
	if (nl != NULL && l->len > 0 && l->text[l->len - 1] == '\r')
		l->len--;
	l->text[l->len] = '\0';
	return nl != NULL;
}

bool sink_line_begins(const char *text, const char *word)
{
	return strncasecmp(text, word, strlen(word)) == 0;
}

/* ---- sessions ------------------------------------------------------------------------------------ */

int sink_open(struct sink *s, enum sink_service v, const struct sink_ends *e, int64_t now_ns,
	      struct sink_session **ret)
{
	static const struct telling full = {.what = "full", .priority = 1, .count = 1};
	uint32_t guest = sink_guest_of(s, &e->client), i = 0;
	if (v >= SINK_TCP)
		return SKEP_ERANGE;
	s->now_ns = now_ns;
	if (s->n_sessions >= s->conf.connections ||
	    s->per_guest[guest] * 4 >= s->conf.connections) {
		sink_tell(s, v, e, &full, "no room for one more connection (sink.connections)");
		return SKEP_EFULL;
	}
	while (s->sessions[i].used)
		i++;
	struct sink_session *t = &s->sessions[i];
	uint32_t life = t->life + 1;
	memset(t, 0, sizeof(*t));
	t->used = true;
	t->life = life;
	t->v = v;
	t->guest = guest;
	t->ends = *e;
	t->begun_ns = t->last_ns = now_ns;
	s->n_sessions++;
	s->per_guest[guest]++;
	if (servers[v].begin != NULL)
		servers[v].begin(s, t);
	*ret = t;
	return 0;
}

uint32_t sink_index(const struct sink *s, const struct sink_session *t)
{
	return (uint32_t)(t - s->sessions);
}

size_t sink_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len,
		 int64_t now_ns)
{
	uint64_t left = s->conf.bytes - t->bytes;
	s->now_ns = now_ns;
	if (t->over || t->bytes >= s->conf.bytes) {
		t->over = true;
		return len;
	}
	size_t n = servers[t->v].feed(s, t, data, len < left ? len : left);
	t->bytes += n;
	if (n > 0)
		t->last_ns = now_ns;
	if (t->bytes >= s->conf.bytes)
		t->over = t->full = true;
	return n;
}

bool sink_over(const struct sink_session *t)
{
	return t->over;
}

void sink_close(struct sink *s, struct sink_session *t, int64_t now_ns)
{
	s->now_ns = now_ns;
	if (!t->used)
		return;
	servers[t->v].end(s, t);
	t->used = false;
	s->n_sessions--;
	s->per_guest[t->guest]--;
}

/* ---- datagrams ------------------------------------------------------------------------------------- */

size_t sink_datagram(struct sink *s, enum sink_service v, const struct sink_ends *e,
		     const uint8_t *data, size_t len, int64_t now_ns, uint8_t *out)
{
	s->now_ns = now_ns;
	if (v == SINK_DNS)
		return dns_query(s, v, e, NULL, data, len, now_ns, out);
	if (v == SINK_NTP)
		return ntp_datagram(s, e, data, len, out);
	if (v == SINK_ANY)
		any_datagram(s, e, data, len);
	return 0;
}

void sink_tick(struct sink *s, int64_t now_ns)
{
	s->now_ns = now_ns;
	if (now_ns - s->ticked_ns < TICK_NS)
		return;
	s->ticked_ns = now_ns;
	for (uint32_t i = 0, n = s->n_sessions; n > 0 && i < s->conf.connections; i++) {
		struct sink_session *t = &s->sessions[i];
		if (!t->used)
			continue;
		n--;
		if (!t->over && now_ns - t->last_ns < s->conf.idle_ns &&
		    now_ns - t->begun_ns < LIFE_FACTOR * s->conf.idle_ns)
			continue;
		t->n_out = t->over ? t->n_out : 0;
		/* One that is over has as long again for what it is still sent. */
		if (t->over && now_ns - t->last_ns >= s->conf.idle_ns)
			t->n_out = 0;
		t->over = true;
		s->io.ready(s->io.ctx, t);
	}
	upstream_tick(s, now_ns);
	sink_tell_tick(s, now_ns);
}
