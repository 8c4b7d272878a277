/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's copy against the loghost's files. First equal texts find each other in order of time, which also
 * tells how far the two clocks are apart; then again, now only near in time by that. What is left over is on one
 * side only, unless one of each is near and alike: then the line was altered.
 */
#include "syslog/compare.h"
#include "syslog/syslog_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT 8192                  /* of longer lines only this much is held against each other */
#define NEAR_NS (120 * NS_PER_SEC) /* queues and slow guests; days later is another line */
#define ALIKE_NS (10 * NS_PER_SEC)
#define STEPS 256       /* neighbours that are looked at for one altered line */
#define PAIRINGS 10000u /* after so many differences nobody looks for pairs any more */

struct entry {
	int64_t time_ns;
	uint64_t hash;
	size_t text; /* offset */
	uint32_t len;
	bool loghost;
	bool partial; /* the host's copy of a message that never came whole: rsyslog drops these */
	bool matched, told;
	uint32_t moved;   /* number that it shares with the same text at another time; 0: none */
	uint32_t partner; /* 1 + index of that one */
};
struct syslog_compare {
	uint64_t key[2];
	size_t memory, used, size;
	char *text;
	struct entry *all;
	uint32_t n, cap, n_moved;
	uint32_t *
		left; /* indices of what is left over, in order of time; in the end the altered ones */
	uint32_t n_left;
	uint64_t lost, bad;
	int64_t clock_ns;
	char work[TEXT + 8];
};

int syslog_compare_create(size_t memory_bytes, struct syslog_compare **ret)
{
	struct syslog_compare *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	random_fill(c->key, sizeof(c->key));
	c->memory = memory_bytes;
	*ret = c;
	return 0;
}

void syslog_compare_free(struct syslog_compare **c)
{
	if (*c != NULL) {
		free((*c)->text);
		free((*c)->all);
		free((*c)->left);
	}
	free(*c);
	*c = NULL;
}

size_t syslog_as_rsyslog(const char *raw, size_t len, char *ret, size_t size)
{
	size_t n = 0;
	if (len > 0 && raw[len - 1] == '\0')
		len--;
	if (len > 0 && raw[len - 1] == '\n')
		len--;
	for (size_t i = 0; i < len && n + 1 < size; i++) {
		uint8_t b = (uint8_t)raw[i];
		if (b >= 0x20 && b < 0x80) {
			ret[n++] = (char)b;
			continue;
		}
		const char octal[] = {'#', (char)('0' + (b >> 6)), (char)('0' + (b >> 3 & 7)),
				      (char)('0' + (b & 7))};
		for (size_t k = 0; k < sizeof(octal) && n + 1 < size; k++)
			ret[n++] = octal[k];
	}
	if (size > 0)
		ret[n] = '\0';
	return n;
}

static int grow(struct syslog_compare *c, size_t len)
{
	if (c->used + len > c->size) {
		size_t size = (c->used + len) * 2;
		char *more = size < c->memory ? realloc(c->text, size) : NULL;
		if (more == NULL)
			return size < c->memory ? -ENOMEM : SKEP_EFULL;
		c->text = more;
		c->size = size;
	}
	if (c->n < c->cap)
		return 0;
	uint32_t cap = c->cap > 0 ? c->cap * 2 : 1024;
	struct entry *more = (size_t)cap * sizeof(*more) < c->memory
				     ? realloc(c->all, (size_t)cap * sizeof(*more))
				     : NULL;
	if (more == NULL)
		return (size_t)cap * sizeof(*more) < c->memory ? -ENOMEM : SKEP_EFULL;
	c->all = more;
	c->cap = cap;
	return 0;
}

static int add(struct syslog_compare *c, const struct entry *e, const char *text)
{
	if (e->len == 0)
		return 0; /* rsyslog keeps an empty datagram as an empty line; nobody misses it */
	int err = grow(c, e->len);
	if (err != 0)
		return err;
	struct entry *to = &c->all[c->n++];
	*to = *e;
	to->text = c->used;
	to->hash = hash_keyed(c->key, text, e->len);
	memcpy(c->text + c->used, text, e->len);
	c->used += e->len;
	return 0;
}

int syslog_compare_host(struct syslog_compare *c, const struct syslog_kept *k)
{
	if (k->lost > 0) {
		c->lost += k->lost;
		return 0;
	}
	const struct entry e = {
		.time_ns = k->time_ns,
		.len = (uint32_t)syslog_as_rsyslog(k->raw, k->len, c->work, TEXT + 1),
		.partial = k->cut && k->len < SYSLOG_LINE,
	};
	return add(c, &e, c->work);
}

/* "2026-11-28T10:42:56.047207+00:00 10.99.0.10 <13>..." */
int syslog_compare_loghost(struct syslog_compare *c, const char *line, size_t len)
{
	const size_t stamp = 32;
	struct entry e = {.loghost = true};
	const char *blank = len > stamp + 1 && line[stamp] == ' '
				    ? memchr(line + stamp + 1, ' ', len - stamp - 1)
				    : NULL;
	/* None of its times is before 1970; with such a one the differences below would not fit. */
	if (blank == NULL || store_time_parse(line, stamp, &e.time_ns) != 0 || e.time_ns < 0) {
		c->bad++;
		return 0;
	}
	size_t n = (size_t)(line + len - blank) - 1;
	e.len = (uint32_t)(n < TEXT ? n : TEXT);
	return add(c, &e, blank + 1);
}

/* ---- equal texts -------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->loghost != y->loghost)
		return x->loghost ? 1 : -1;
	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static int by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

struct group { /* entries of one text: the host's, then the loghost's */
	struct entry *host, *loghost;
	uint32_t n_host, n_loghost;
};

/* The group that begins at entry at; returns where the next one does. */
static uint32_t group_at(struct syslog_compare *c, uint32_t at, struct group *ret)
{
	uint32_t end = at;
	*ret = (struct group){.host = &c->all[at]};
	while (end < c->n && c->all[end].hash == c->all[at].hash) {
		if (c->all[end].loghost)
			ret->n_loghost++;
		else
			ret->n_host++;
		end++;
	}
	ret->loghost = ret->host + ret->n_host;
	return end;
}

/* The middle of what lies between the two times of texts that occur once on each side. */
static int measure_clock(struct syslog_compare *c)
{
	struct group g;
	uint32_t n = 0;
	int64_t *apart = malloc((c->n + 1) * sizeof(*apart));
	if (apart == NULL)
		return -ENOMEM;
	for (uint32_t at = 0; at < c->n;) {
		at = group_at(c, at, &g);
		if (g.n_host == 1 && g.n_loghost == 1)
			apart[n++] = g.loghost->time_ns - g.host->time_ns;
	}
	qsort(apart, n, sizeof(*apart), by_number);
	c->clock_ns = n > 0 ? apart[n / 2] : 0;
	free(apart);
	return 0;
}

static void match_group(struct syslog_compare *c, const struct group *g)
{
	uint32_t h = 0, l = 0;
	while (h < g->n_host && l < g->n_loghost) {
		int64_t off = g->loghost[l].time_ns - c->clock_ns - g->host[h].time_ns;
		if (off <= NEAR_NS && off >= -NEAR_NS)
			g->host[h++].matched = g->loghost[l++].matched = true;
		else if (off < 0)
			l++;
		else
			h++;
	}
	/* What is left of both is the same text at another time. */
	for (h = l = 0; h < g->n_host && l < g->n_loghost;) {
		if (g->host[h].matched)
			h++;
		else if (g->loghost[l].matched)
			l++;
		else
			g->host[h++].moved = g->loghost[l++].moved = ++c->n_moved;
	}
}

/* ---- what is left over --------------------------------------------------------------------------- */

/* How many bytes at the beginning and at the end are the same, in percent of the longer one. */
static unsigned likeness(const struct syslog_compare *c, const struct entry *a,
			 const struct entry *b)
{
	const char *x = c->text + a->text, *y = c->text + b->text;
	uint32_t least = a->len < b->len ? a->len : b->len, most = a->len + b->len - least;
	uint32_t head = 0, tail = 0;
	while (head < least && x[head] == y[head])
		head++;
	while (tail < least - head && x[a->len - 1 - tail] == y[b->len - 1 - tail])
		tail++;
	return (unsigned)((uint64_t)(head + tail) * 100 / most);
}

static bool left_over(const struct entry *e)
{
	return !e->matched && !e->told && !e->partial;
}

/* Lists what is left over, and joins what has moved. */
static int list_left(struct syslog_compare *c)
{
	uint32_t *first = calloc((size_t)c->n_moved + 1, sizeof(*first));
	c->left = malloc(((size_t)c->n + 1) * sizeof(*c->left));
	if (first == NULL || c->left == NULL) {
		free(first);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < c->n; i++) {
		struct entry *e = &c->all[i];
		if (e->moved == 0 && left_over(e))
			c->left[c->n_left++] = i;
		if (e->moved == 0)
			continue;
		if (first[e->moved] == 0) {
			first[e->moved] = i + 1;
			continue;
		}
		e->partner = first[e->moved];
		c->all[e->partner - 1].partner = i + 1;
	}
	free(first);
	return 0;
}

/* Place in left of the first entry that is not before index at. */
static uint32_t place_of(const struct syslog_compare *c, uint32_t at)
{
	uint32_t low = 0, high = c->n_left;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (c->left[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* 1 + index of the one on the other side that is near and most like it; 0: none. */
static uint32_t alike(const struct syslog_compare *c, uint32_t at)
{
	const struct entry *e = &c->all[at];
	int64_t here = e->time_ns - (e->loghost ? c->clock_ns : 0);
	uint32_t place = place_of(c, at), best = 0;
	unsigned most = 50;
	for (uint32_t i = place > STEPS ? place - STEPS : 0; i < c->n_left && i < place + STEPS;
	     i++) {
		const struct entry *o = &c->all[c->left[i]];
		int64_t off = o->time_ns - (o->loghost ? c->clock_ns : 0) - here;
		if (o->loghost == e->loghost || !left_over(o) || off > ALIKE_NS || off < -ALIKE_NS)
			continue;
		unsigned like = likeness(c, e, o);
		if (like >= most) {
			most = like + 1;
			best = c->left[i] + 1;
		}
	}
	return best;
}

struct report {
	struct syslog_compare *c;
	int64_t from_ns, to_ns, settled_ns;
	syslog_difference_fn *fn;
	void *ctx;
	struct syslog_compare_result *ret;
};

/* By the host's clock. */
static int64_t host_time(const struct syslog_compare *c, const struct entry *e)
{
	return e->loghost ? e->time_ns - c->clock_ns : e->time_ns;
}

static bool asked_for(const struct report *r, const struct entry *e)
{
	int64_t t = host_time(r->c, e);
	return t >= r->from_ns && t < r->to_ns;
}

static void tell(const struct report *r, const struct entry *a, const struct entry *b)
{
	const struct entry *h = a->loghost ? b : a, *l = a->loghost ? a : b;
	struct syslog_difference d = {.kind = SYSLOG_ONLY_LOGHOST};
	if (h != NULL) {
		d.host = r->c->text + h->text;
		d.host_len = h->len;
		d.host_ns = h->time_ns;
		d.kind = SYSLOG_ONLY_HOST;
	}
	if (l != NULL) {
		d.loghost = r->c->text + l->text;
		d.loghost_len = l->len;
		d.loghost_ns = l->time_ns;
	}
	if (h != NULL && l != NULL)
		d.kind = h->moved != 0 ? SYSLOG_MOVED : SYSLOG_ALTERED;
	r->ret->differences++;
	r->fn(r->ctx, &d);
}

static void report_one(const struct report *r, uint32_t at)
{
	struct syslog_compare *c = r->c;
	struct entry *e = &c->all[at];
	if (!left_over(e) || !asked_for(r, e))
		return;
	uint32_t with = e->partner;
	if (e->moved == 0 && r->ret->differences < PAIRINGS)
		with = alike(c, at);
	struct entry *o = with > 0 ? &c->all[with - 1] : NULL;
	e->told = true;
	if (o != NULL)
		o->told = true;
	if (o == NULL && host_time(c, e) >= r->settled_ns)
		r->ret->in_flight++;
	else
		tell(r, e, o);
}

int syslog_compare_run(struct syslog_compare *c, int64_t from_ns, int64_t to_ns, int64_t settled_ns,
		       syslog_difference_fn *fn, void *ctx, struct syslog_compare_result *ret)
{
	struct syslog_compare_result got = {.lost = c->lost, .bad = c->bad};
	const struct report r = {c, from_ns, to_ns, settled_ns, fn, ctx, &got};
	struct group g;
	if (c->n > 0)
		qsort(c->all, c->n, sizeof(*c->all), by_text);
	int err = measure_clock(c);
	for (uint32_t at = 0; at < c->n && err == 0;) {
		at = group_at(c, at, &g);
		match_group(c, &g);
	}
	if (c->n > 0)
		qsort(c->all, c->n, sizeof(*c->all), by_time);
	err = err == 0 ? list_left(c) : err;
	for (uint32_t i = 0; i < c->n && err == 0; i++) {
		const struct entry *e = &c->all[i];
		if (asked_for(&r, e) && e->loghost)
			got.loghost++;
		else if (asked_for(&r, e))
			got.host++;
		got.same += asked_for(&r, e) && !e->loghost && e->matched;
	}
	for (uint32_t i = 0; i < c->n && err == 0; i++)
		report_one(&r, i);
	got.clock_ns = c->clock_ns;
	if (err == 0)
		*ret = got;
	return err;
}
