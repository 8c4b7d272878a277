/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From events to messages. The engine decides; what it decides, what it remembers, and up to which event,
 * is one transaction. Only then hub may forget those events.
 *
 * The engine's clock is the events' own; between events it goes on a second behind ours, and only while hub
 * has nothing for us: no event may come from before it.
 */
#include "role/alerter/alerter_priv.h"
#include "role/outlet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BURST 256
#define BATCH 2048u /* events; hub keeps some thousands */
#define BATCH_NS (200 * NS_PER_MS)
#define FAILED_NS NS_PER_SEC /* until a commit that failed is tried again */
#define UNSAVED 1024u        /* events; more hub does not keep for a disk that takes nothing */
#define AHEAD_US UINT64_C(2000000)
#define PRUNE_NS (600 * NS_PER_SEC)
#define KEEP_NS (30 * 86400 * NS_PER_SEC)
#define KEEP_ITEMS 10000u

/* Something is to be written, if not at once. */
static void touch(struct alerter *a)
{
	if (a->first_ns == 0)
		a->first_ns = clock_boot_ns();
}

/* ---- what the engine says ------------------------------------------------------------------------- */

static void find_facts(const struct alerter *a, const struct alert_input *in, struct facts_of *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->hops = 255;
	if (in->source.ver != 0)
		facts_of(a->facts, &in->source, in->syn.ttl != 0 ? &in->syn : NULL, ret);
}

static int write_form(struct alerter *a, const struct alert_message *m,
		      const struct facts_of *facts, struct writer *w)
{
	*w = writer_of(a->body, NOTIFY_BODY);
	if (a->start.conf.to[m->destination].kind == DEST_KEEP)
		return notify_text(&a->from, &a->start.conf, m, facts, w);
	return notify_body(&a->from, &a->start.conf, m, facts, w);
}

static void on_send(void *ctx, const struct alert_message *m)
{
	struct alerter *a = ctx;
	struct alert_message less = *m;
	struct outbox_item i = {.number = m->number,
				.incident = m->incident,
				.weight = m->weight,
				.bypass = m->bypass,
				.at_ns = m->at_ns,
				.source = m->what.source};
	struct facts_of facts;
	struct writer w;
	char line[NOTIFY_SHORT];
	if (m->destination >= a->start.conf.n_to)
		return;
	const struct conf_destination *d = &a->start.conf.to[m->destination];
	find_facts(a, &m->what, &facts);
	int err = write_form(a, &less, &facts, &w);
	if (err == SKEP_ETRUNC) { /* without what an intruder typed */
		less.n_commands = 0;
		less.what.text[0] = '\0';
		err = write_form(a, &less, &facts, &w);
	}
	text_copy(i.destination, sizeof(i.destination), d->name);
	text_copy(i.class, sizeof(i.class), conf_alert_class_text((enum conf_alert_class)m->class));
	text_copy(i.kind, sizeof(i.kind), alert_kind_text((enum alert_kind)m->kind));
	text_copy(i.guest, sizeof(i.guest), m->what.guest);
	notify_short(&a->from, &a->start.conf, m, &facts, line);
	text_copy(i.summary, sizeof(i.summary), line);
	if (err != 0) {
		i.state = OUTBOX_FAILED;
		text_copy(i.answer, sizeof(i.answer), "the message can't be written in this form");
		w.len = 0;
		tell_notice(a, "failed", &i, "too-long");
	} else if (d->kind == DEST_KEEP) {
		i.state = OUTBOX_KEPT;
	}
	i.done_ns = i.state == OUTBOX_WAITING ? 0 : m->at_ns;
	if (outbox_add(a->box, &i, w.buf, w.len) != 0)
		a->dropped++;
	if (m->bypass != 0) /* what can't wait is tried at once, also where others failed lately */
		a->routes[m->destination].not_before_ns = 0;
	a->urgent = true;
}

static void on_held(void *ctx, const struct alert_held *h)
{
	struct alerter *a = ctx;
	struct outbox_log l = {
		.at_ns = h->at_ns, .source = h->source, .incident = h->incident, .n = h->n};
	if (h->destination < a->start.conf.n_to)
		text_copy(l.destination, sizeof(l.destination),
			  a->start.conf.to[h->destination].name);
	text_copy(l.class, sizeof(l.class), conf_alert_class_text((enum conf_alert_class)h->class));
	text_copy(l.why, sizeof(l.why), alert_why_text((enum alert_why)h->why));
	const struct conf_alerts *c = &a->start.conf;
	if (h->quiet > 0 && h->quiet <= c->n_quiet) /* as `skep alerts preview` has it */
		snprintf(l.rule, sizeof(l.rule), "%u%s%s", h->quiet,
			 c->quiet[h->quiet - 1].comment[0] != '\0' ? " " : "",
			 c->quiet[h->quiet - 1].comment);
	else
		text_copy(l.rule, sizeof(l.rule), alert_quiet_text(h->quiet));
	text_copy(l.guest, sizeof(l.guest), h->guest);
	if (outbox_held(a->box, &l) != 0)
		log_line(LOG_DEBUG, "a line of the log is lost");
	tell_held(a, h);
	touch(a);
}

static void on_place(void *ctx, const struct addr *addr, uint32_t *ret_as, char ret_country[4])
{
	const struct alerter *a = ctx;
	struct facts_of f = {0};
	facts_of(a->facts, addr, NULL, &f);
	*ret_as = f.as;
	memcpy(ret_country, f.country, sizeof(f.country));
}

static int32_t on_local(void *ctx, int64_t wall_ns)
{
	time_t t = (time_t)(wall_ns / NS_PER_SEC);
	struct tm tm;
	(void)ctx;
	return localtime_r(&t, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

/* ---- begin ---------------------------------------------------------------------------------------- */

static void on_slot(void *ctx, uint64_t slot, const void *data, size_t size)
{
	struct alerter *a = ctx;
	if (beat_slot(slot))
		beat_load(a, slot, data, size);
	else if (alert_load(a->engine, slot, data, size) != 0)
		log_line(LOG_DEBUG, "slot %llu is of another version: left out",
			 (unsigned long long)slot);
}

static int value_of(struct alerter *a, const char *name, uint64_t *ret)
{
	int err = outbox_get(a->box, name, ret);
	return err == SKEP_ENOTFOUND ? 0 : err;
}

/* Ids are times: those of a clock that was ahead would make us deaf until it is that late again. */
static uint64_t not_ahead(uint64_t id)
{
	uint64_t now_us = (uint64_t)(clock_wall_ns() / 1000);
	if (id <= now_us + AHEAD_US)
		return id;
	log_line(LOG_WARN, "the clock was ahead by %llu s when the last events came",
		 (unsigned long long)((id - now_us) / 1000000));
	return now_us;
}

static void forsake(struct alerter *a)
{
	const char *names[CONF_DESTINATIONS];
	uint32_t n, all = 0;
	int err;
	for (uint32_t i = 0; i < a->start.conf.n_to; i++)
		names[i] = a->start.conf.to[i].name;
	do { /* as many as go into one commit at a time */
		n = 0;
		err = outbox_forsake(a->box, names, a->start.conf.n_to, clock_wall_ns(), &n);
		all += n;
	} while (err == SKEP_EFULL && n > 0 && outbox_commit(a->box) == 0);
	if (all == 0)
		return;
	log_line(LOG_WARN, "%u alerts waited for destinations that are not there any more", all);
	touch(a);
}

int intake_prepare(struct alerter *a)
{
	a->out = (struct alert_out){on_send, on_held, on_place, on_local, a};
	a->from = (struct notify_from){a->start.sensor, a->start.name, a->domain, on_local, a};
	int err = arena_create(alert_bytes() + 4096, &a->arena);
	if (err == 0)
		err = alert_create(&a->arena, &a->start.conf, &a->out, &a->engine);
	if (err == 0)
		err = outbox_slots(a->box, on_slot, a);
	if (err == 0)
		err = value_of(a, "event", &a->on_disk);
	if (err == 0)
		err = value_of(a, "beat", &a->beat.n);
	a->newest = a->on_disk = not_ahead(a->on_disk);
	if (err == 0)
		forsake(a);
	return err;
}

/* ---- events --------------------------------------------------------------------------------------- */

static void send_seen(struct alerter *a, bool again)
{
	const struct msg_seen m = {.id = a->on_disk, .again = again};
	if (ipc_send(a->hub, MSG_SEEN, &m, sizeof(m), NULL, 0) != 0)
		return; /* once more in a moment */
	a->asked = true;
	a->seen = a->on_disk;
}

void intake_ask(struct alerter *a)
{
	if (!a->asked)
		send_seen(a, true);
}

static void take_event(struct alerter *a, const void *payload)
{
	struct event e;
	struct alert_input in;
	memcpy(&e, payload, sizeof(e)); /* the frame may not be aligned */
	if (!a->in_order || !event_valid(&e) || e.id <= a->newest)
		return;
	a->newest = e.id;
	a->fresh++;
	touch(a);
	if (e.kind == EVENT_SEAL)
		beat_seal(a, &e.u.seal);
	if (e.kind != EVENT_NOTICE && alert_input_of(&e, &in))
		alert_event(a->engine, &in);
}

bool intake_take(struct alerter *a)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct ipc_msg m;
	for (int i = 0; i < BURST; i++) {
		int err = ipc_recv(a->hub, &role_messages, ROLE_BIT(ROLE_HUB),
				   ROLE_BIT(ROLE_ALERTER), buf, sizeof(buf), &m);
		if (err == SKEP_EPEER)
			continue;
		a->caught_up = err == -EAGAIN;
		if (err != 0)
			return err == -EAGAIN;
		a->last_event_ns = clock_boot_ns();
		if (m.type == MSG_EVENT)
			take_event(a, m.payload);
		if (m.type == MSG_SEEN) { /* maybe of a new hub, with a new clock */
			a->in_order = true;
			a->newest = not_ahead(a->newest);
		}
		ipc_msg_done(&m);
		/* The engine may say a lot of one event. */
		if (outbox_pending(a->box) > OUTBOX_MEMORY / 2)
			break;
	}
	return true;
}

void intake_tick(struct alerter *a)
{
	int64_t boot = clock_boot_ns(), wall = clock_wall_ns();
	if (boot - a->ticked_ns < NS_PER_SEC || !a->in_order || !a->caught_up)
		return;
	/* An empty channel may be one that hub has not filled yet. */
	if (boot - a->last_event_ns < NS_PER_SEC && wall / 1000 - (int64_t)a->newest > 2000000)
		return;
	a->ticked_ns = boot;
	/* After a clock that was set back, hub's ids are ahead of it, and so is the engine. */
	int64_t ids = (int64_t)a->newest * 1000 +
		      (int64_t)outlet_pace((uint64_t)(boot - a->last_event_ns));
	alert_tick(a->engine, (ids > wall && a->last_event_ns != 0 ? ids : wall) - NS_PER_SEC);
}

void intake_test(struct alerter *a, uint8_t destination)
{
	struct alert_message m = {.kind = ALERT_TEST, .class = ALERT_HEALTH, .weight = 9};
	int64_t wall = clock_wall_ns();
	m.at_ns = m.since_ns = m.what.time_ns = wall;
	m.what.class = ALERT_HEALTH;
	m.what.kind = EVENT_HEALTH;
	m.what.id = (uint64_t)wall / 1000;
	text_copy(m.what.what, sizeof(m.what.what), "test");
	text_copy(m.what.text, sizeof(m.what.text), "This is a test. Nothing has happened.");
	for (uint8_t i = 0; i < a->start.conf.n_to; i++) {
		if (destination != UINT8_MAX && destination != i)
			continue;
		m.destination = i;
		m.number = ALERTER_TEST | (m.what.id + i);
		on_send(a, &m);
	}
}

void intake_plain(struct alerter *a, uint8_t destination, const struct outbox_item *refused)
{
	struct alert_message m = {.kind = ALERT_FIRST,
				  .class = ALERT_HEALTH,
				  .weight = refused->weight,
				  .bypass = refused->bypass,
				  .destination = destination,
				  .incident = refused->incident,
				  .at_ns = clock_wall_ns()};
	if ((refused->number & ALERTER_TEST) != 0) /* it has nothing of an intruder in it */
		return;
	m.number = ALERTER_TEST | (uint64_t)m.at_ns / 1000;
	m.what.class = ALERT_HEALTH;
	m.what.kind = EVENT_HEALTH;
	m.what.id = (uint64_t)m.at_ns / 1000;
	m.what.time_ns = refused->at_ns;
	m.what.incident = refused->incident;
	m.what.source = refused->source;
	text_copy(m.what.guest, sizeof(m.what.guest), refused->guest);
	text_copy(m.what.what, sizeof(m.what.what), "refused");
	snprintf(m.what.text, sizeof(m.what.text),
		 "an alert (%s) was refused here, maybe for what an intruder typed: skep alerts "
		 "show %llu",
		 refused->class, (unsigned long long)refused->number);
	on_send(a, &m);
}

/* ---- to the disk ---------------------------------------------------------------------------------- */

static void on_save(void *ctx, uint64_t slot, const void *data, size_t size)
{
	struct alerter *a = ctx;
	if (outbox_slot(a->box, slot, data, size) != 0)
		log_line(LOG_DEBUG, "a slot of the engine is not kept");
}

int64_t intake_next_ns(const struct alerter *a)
{
	if (a->first_ns == 0 && !a->urgent)
		return a->asked && a->seen == a->on_disk ? INT64_MAX : clock_boot_ns() + BATCH_NS;
	if (a->failed_commits > 0 || a->last_error != 0)
		return a->committed_ns + FAILED_NS;
	return a->urgent || a->fresh >= BATCH ? 0 : a->first_ns + BATCH_NS;
}

/* The disk takes nothing for long: hub keeps some thousand events that are not dealt with, and would drop what is new. What
 * is in memory only is then all that can be had; it is lost if we die before the disk is well. */
static void let_go(struct alerter *a)
{
	if (a->last_error == 0 || a->fresh < UNSAVED)
		return;
	a->on_disk = a->newest;
	a->fresh = 0;
}

void intake_commit(struct alerter *a, bool now)
{
	let_go(a);
	if (a->asked && a->seen != a->on_disk)
		send_seen(a, false);
	if ((a->first_ns == 0 && !a->urgent) || (!now && clock_boot_ns() < intake_next_ns(a)))
		return;
	alert_save(a->engine, on_save, a);
	int err = outbox_set(a->box, "event", a->newest);
	if (err == 0)
		err = outbox_commit(a->box);
	a->committed_ns = clock_boot_ns();
	a->last_error = err;
	if (err != 0) {
		a->failed_commits++;
		a->failed_error = err;
		return;
	}
	a->on_disk = a->newest;
	a->fresh = 0;
	a->first_ns = 0;
	a->urgent = false;
	if (a->asked && a->seen != a->on_disk)
		send_seen(a, false);
}

void intake_prune(struct alerter *a)
{
	int64_t now = clock_boot_ns();
	if (a->pruned_ns != 0 && now - a->pruned_ns < PRUNE_NS)
		return;
	a->pruned_ns = now;
	int err = outbox_housekeep(a->box, clock_wall_ns() - KEEP_NS, KEEP_ITEMS);
	if (err != 0)
		log_line(LOG_DEBUG, "old alerts stay for now: %s", err_text(err));
}
