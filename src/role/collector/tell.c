/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of collector. A guest can cause any number of them: what is beyond its budget is kept in the
 * records all the same, and told as a count.
 */
#include "role/collector/collector_priv.h"

#include <string.h>

#define LOSSES_NS (2 * NS_PER_SEC)

void budget_set(struct budget *b, double most, double per_s, int64_t now_ns)
{
	*b = (struct budget){most, most, per_s, now_ns};
}

static void refill(struct budget *b, int64_t now_ns)
{
	if (now_ns <= b->ns)
		return;
	b->left += (double)(now_ns - b->ns) / 1e9 * b->per_s;
	if (b->left > b->most)
		b->left = b->most;
	b->ns = now_ns;
}

bool budget_take(struct budget *b, double n, int64_t now_ns)
{
	refill(b, now_ns);
	if (b->left < n)
		return false;
	b->left -= n;
	return true;
}

static struct feed *feed_of(struct collector *c, const char *guest)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (strcmp(c->guests[i].name, guest) == 0)
			return &c->guests[i];
	return NULL;
}

/* Visits, logins and findings are few, or bounded by those who make them. */
static bool is_bulk(const struct event *e)
{
	return e->kind == EVENT_COMMAND || e->kind == EVENT_FILE || e->kind == EVENT_ACTIVITY ||
	       e->kind == EVENT_LOGIN || e->kind == EVENT_SESSION;
}

static bool is_anothers(const struct collector *c, const struct feed *f, const struct addr *a)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (&c->guests[i] != f && a->ver != 0 &&
		    (addr_eq(a, &c->guests[i].inside) || addr_eq(a, &c->guests[i].inside6)))
			return true;
	return false;
}

/* That somebody came in at another guest's address is a lie, by which hub would find that one's conversation. */
static bool is_stolen(const struct collector *c, const struct feed *f, const struct event *e)
{
	const struct event_visit *v = event_visit_of(e);
	return f != NULL && v != NULL && is_anothers(c, f, &v->server);
}

void tell_event(void *ctx, const struct event *told)
{
	struct collector *c = ctx;
	struct event own;
	const struct event *e = told;
	struct feed *f = feed_of(c, event_guest_of(e));
	if (is_stolen(c, f, e)) {
		own = *told;
		struct event_visit *v = (struct event_visit *)(uintptr_t)event_visit_of(&own);
		v->server = (struct addr){0};
		v->server_port = 0;
		e = &own;
	}
	if (f != NULL && is_bulk(e) && !budget_take(&f->facts, 1, clock_boot_ns())) {
		f->facts_held++;
		return;
	}
	role_emit(c->events, e, &c->events_lost);
}

static void health(struct collector *c, const char *what, uint64_t count, const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = 1;
	text_copy(e.u.health.role, sizeof(e.u.health.role), "collector");
	text_copy(e.u.health.what, sizeof(e.u.health.what), what);
	e.u.health.count = count;
	e.u.health.exit_code = e.u.health.signal = -1;
	event_say(&e, "%s", text);
	role_emit(c->events, &e, &c->events_lost);
}

static void count(struct collector *c, const char *what, uint64_t *n, const char *of,
		  const char *whose)
{
	char text[EVENT_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	if (*n == 0)
		return;
	write_fmt(&w, "%llu %s%s", (unsigned long long)*n, of, whose);
	health(c, what, *n, text);
	*n = 0;
}

static void guest_losses(struct collector *c, struct feed *f)
{
	uint64_t junk = f->parser.junk_bytes - f->junk_told, gaps = f->parser.gaps - f->gaps_told;
	f->junk_told = f->parser.junk_bytes;
	f->gaps_told = f->parser.gaps;
	count(c, "lost", &junk, "bytes were no records of a monitor: of ", f->name);
	count(c, "lost", &gaps, "records never came: of the monitor of ", f->name);
	count(c, "suppressed", &f->facts_held,
	      "commands and other facts are in the recordings, but were not told as events: of ",
	      f->name);
	count(c, "suppressed", &f->lines_held,
	      "syslog lines are kept, but were not told as events: of ", f->name);
}

void tell_losses(struct collector *c, int64_t now_ns, bool all)
{
	char text[EVENT_TEXT];
	uint64_t days = c->days;
	if (!all && now_ns - c->told_ns < LOSSES_NS)
		return;
	c->told_ns = now_ns;
	for (uint32_t i = 0; i < c->n_guests; i++)
		guest_losses(c, &c->guests[i]);
	count(c, "lost", &c->copies_lost, "copies of frames came faster than they were read", "");
	count(c, "refused", &c->foreign, "copies of frames speak of no guest", "");
	count(c, "dropped", &days,
	      "old days of recordings and syslog lines were removed to keep within the budget", "");
	c->days = 0;
	if (c->store_error != 0) {
		struct writer w = writer_of(text, sizeof(text));
		write_fmt(&w, "what happens inside guests can't be written: %s",
			  err_text(c->store_error));
		health(c, "disk", 1, text);
		c->store_error = 0;
	}
}
