/* SPDX-License-Identifier: BSD-2-Clause */
/* What the wall copied: syslog first, which is little and must not wait behind talk. */
#include "role/collector/collector_priv.h"

#include <string.h>

#define TURN_COPIES 512u

static void take_tally(struct collector *c, uint32_t guest, const struct copy_head *h)
{
	const struct crosscheck_wire w = {.flow_id = h->flow_id,
					  .peer = h->peer,
					  .peer_port = h->peer_port,
					  .port = h->port,
					  .bytes_in = h->bytes_to,
					  .bytes_out = h->bytes_from,
					  .ends = h->ended};
	crosscheck_wire(c->check, guest, &w, clock_wall_ns());
}

static void take_alert(struct collector *c, const struct copy_head *h)
{
	struct event e;
	if (h->len != sizeof(e))
		return;
	memcpy(&e, c->frame, sizeof(e));
	if (!event_valid(&e) || e.kind != EVENT_ALERT)
		return;
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (strcmp(c->guests[i].name, e.u.alert.tuple.guest) == 0)
			(void)session_alert(c->book, i, &e);
}

static void take(struct collector *c, const struct copy_head *h)
{
	if (h->kind == COPY_ALERT) {
		take_alert(c, h);
		return;
	}
	if (h->guest == 0 || h->guest > c->n_guests) {
		c->foreign++;
		return;
	}
	if (h->kind == COPY_TALLY)
		take_tally(c, h->guest - 1u, h);
	else
		talk_frame(c->talk, h, c->frame);
}

bool copies_read(struct collector *c)
{
	struct copy_head h;
	bool more = false;
	for (size_t i = 0; i < ARRAY_LEN(c->rings); i++) {
		uint64_t lost = c->copies_lost;
		uint32_t n = 0;
		while (n < TURN_COPIES &&
		       copy_get(c->rings[i], &c->cursors[i], &h, c->frame, &c->copies_lost)) {
			take(c, &h);
			n++;
		}
		if (i == 0) /* syslog's own; whose they were nobody knows any more */
			syslog_store_lost(c->store, NULL, c->copies_lost - lost);
		more = more || n == TURN_COPIES;
	}
	return more;
}

static void tell_line(struct collector *c, struct feed *f, uint64_t flow_id,
		      const struct syslog_line *l, int64_t now_ns)
{
	if (!budget_take(&f->lines, 1, now_ns)) {
		f->lines_held++;
		return;
	}
	struct event e = event_new(EVENT_SYSLOG);
	struct event_syslog *s = &e.u.syslog;
	e.flow_id = flow_id;
	e.direction = DIR_LATERAL;
	text_copy(s->guest, sizeof(s->guest), f->name);
	s->facility = l->facility;
	s->severity = l->severity;
	text_copy(s->app, sizeof(s->app), l->app);
	text_copy(s->host, sizeof(s->host), l->host);
	s->line_len = (uint16_t)(l->len < sizeof(s->line) ? l->len : sizeof(s->line));
	s->cut = l->cut || l->len > sizeof(s->line);
	memcpy(s->line, l->text, s->line_len);
	event_say(&e, "%s wrote to its log", f->name);
	role_emit(c->events, &e, &c->events_lost);
}

/* Everything is kept; the shell's words are told as commands by the book, all else as lines. */
void copies_syslog(void *ctx, uint32_t guest, uint64_t flow_id, const char *data, size_t len,
		   bool cut)
{
	struct collector *c = ctx;
	struct syslog_line l;
	struct session_shell shell;
	int64_t now = clock_boot_ns(), wall = clock_wall_ns();
	if (guest >= c->n_guests)
		return;
	struct feed *f = &c->guests[guest];
	int err = syslog_store_add(c->store, f->name, wall, flow_id, data, len, cut);
	if (err != 0)
		c->store_error = err;
	syslog_parse(data, len, wall, &l);
	l.cut = l.cut || cut;
	if (session_shell_parse(&l, &shell)) {
		f->shell_ns = now;
		(void)session_syslog(c->book, guest, &l, &shell, wall);
		if (!shell.end)
			crosscheck_shell(c->check, guest, shell.pid, shell.ppid, shell.line,
					 shell.line_len, wall);
		return;
	}
	if (session_shell_rest(&l)) {
		f->shell_ns = now;
		return;
	}
	f->syslog_ns = now;
	(void)session_syslog(c->book, guest, &l, NULL, wall);
	crosscheck_syslog(c->check, guest, l.app, wall);
	tell_line(c, f, flow_id, &l, now);
}
