/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to those who deliver them: courier, and super for commands and sendmail. One destination waits for
 * none of the others. One that fails is left alone for a while that doubles, and so is the message: then a
 * server that is down is asked once, not once a message, and a message that nobody takes does not stand in
 * the way of the next.
 */
#include "role/alerter/alerter_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATE_NS (30 * 60 * NS_PER_SEC) /* whoever has it would have answered by then */
#define FULL_NS (100 * NS_PER_MS)      /* the channel takes nothing now */
#define ASKED_NS \
	(3600 *  \
	 NS_PER_SEC) /* a server may ask us to wait so long, not for a day: nobody would know */
/* In first waits (15 s): */
#define MOST 60     /* the longest wait */
#define REFUSED 240 /* what was refused for good is tried again once an hour ... */
#define REFUSALS 3  /* ... so often in all */
#define OUTAGE 60   /* an outage of which the others are told */
#define TOLD 240    /* messages that were given up are told so often at most */

/* ---- waits ---------------------------------------------------------------------------------------- */

/* Doubles from the first wait up to the longest, a tenth more or less by number and try. */
static int64_t wait_of(const struct alerter *a, uint64_t number, uint32_t tries, uint32_t after_s)
{
	static const uint64_t key[2] = {0x736b6570, 0x77616974};
	const uint64_t what[2] = {number, tries};
	int64_t wait = a->wait_first_ns << (tries < 7 ? tries : 7);
	if (wait > MOST * a->wait_first_ns)
		wait = MOST * a->wait_first_ns;
	wait = wait / 10 * 9 + (int64_t)(hash_keyed(key, what, sizeof(what)) % 1000) * wait / 5000;
	int64_t asked = (int64_t)after_s * NS_PER_SEC;
	if (asked > ASKED_NS)
		asked = ASKED_NS;
	return asked > wait ? asked : wait;
}

/* ---- handing on ----------------------------------------------------------------------------------- */

static int hand(struct alerter *a, uint8_t destination, uint64_t number, const void *body,
		size_t len)
{
	enum conf_destination_kind kind =
		(enum conf_destination_kind)a->start.conf.to[destination].kind;
	bool ours = kind == DEST_SENDMAIL || kind == DEST_COMMAND;
	uint64_t mark = a->start.marks[destination];
	const struct msg_deliver m = {
		.number = number,
		.mark = mark != 0 ? mark : deliver_mark(&a->start.conf.to[destination]),
		.size = (uint32_t)len,
		.destination = destination};
	CLEANUP(fd_close) int fd = -1;
	int err = sealed_create("alert", body, len, &fd);
	if (err == 0)
		err = ipc_send(ours ? ROLE_SUPER_FD : a->courier, MSG_DELIVER, &m, sizeof(m), &fd,
			       1);
	if (err != 0)
		return err;
	a->routes[destination].number = number;
	a->routes[destination].handed_ns = clock_boot_ns();
	return 0;
}

/* One more: it was not there, or it is in hand. Else when to look again. */
static int64_t hand_beat(struct alerter *a, uint8_t destination)
{
	struct route *r = &a->routes[destination];
	struct writer w = writer_of(a->body, NOTIFY_BODY);
	/* Unlike any other number, also if it is tried again: courier answers numbers that it knows. */
	uint64_t number = ALERTER_BEAT | a->beat.n << 16 | (uint64_t)(r->beat_tries & 0xfff) << 4 |
			  destination;
	int err = notify_beat(&a->from, &a->start.conf.to[destination], &a->beat, &w);
	if (err == 0)
		err = hand(a, destination, number, w.buf, w.len);
	if (err == -EAGAIN || err == -ENOBUFS)
		return clock_boot_ns() + FULL_NS;
	if (err != 0)
		log_line(LOG_WARN, "the beat to %s can't be sent: %s",
			 a->start.conf.to[destination].name, err_text(err));
	r->beat = false;
	return INT64_MAX;
}

static int64_t hand_item(struct alerter *a, uint8_t destination)
{
	struct route *r = &a->routes[destination];
	void *body = NULL;
	size_t len = 0;
	int64_t next = INT64_MAX, wall = clock_wall_ns(), boot = clock_boot_ns();
	int err = outbox_due(a->box, a->start.conf.to[destination].name, wall, &r->item, &body,
			     &len, &next);
	if (err == SKEP_ENOTFOUND)
		return next == INT64_MAX ? INT64_MAX : boot + (next - wall);
	if (err == 0)
		err = hand(a, destination, r->item.number, body, len);
	free(body);
	if (err == 0)
		return INT64_MAX;
	if (err != -EAGAIN && err != -ENOBUFS)
		log_line(LOG_DEBUG, "%s: %s", a->start.conf.to[destination].name, err_text(err));
	return boot + (err == -EAGAIN || err == -ENOBUFS ? FULL_NS : NS_PER_SEC);
}

static int64_t send_route(struct alerter *a, uint8_t destination, int64_t now_ns)
{
	struct route *r = &a->routes[destination];
	if (a->start.conf.to[destination].kind == DEST_KEEP)
		return INT64_MAX;
	if (r->number != 0 && now_ns - r->handed_ns > LATE_NS)
		r->number = 0;
	if (r->number != 0)
		return INT64_MAX;
	if (r->beat && now_ns >= r->beat_at_ns) {
		int64_t again = hand_beat(a, destination);
		if (r->number != 0 || again != INT64_MAX)
			return again;
	}
	if (now_ns < r->not_before_ns)
		return r->not_before_ns;
	int64_t next = hand_item(a, destination);
	return r->beat && r->number == 0 && r->beat_at_ns < next ? r->beat_at_ns : next;
}

int64_t send_due(struct alerter *a)
{
	int64_t now = clock_boot_ns(), next = INT64_MAX;
	for (uint8_t i = 0; i < a->start.conf.n_to; i++) {
		int64_t at = send_route(a, i, now);
		if (at < next)
			next = at;
	}
	return next;
}

bool send_idle(const struct alerter *a)
{
	for (uint32_t i = 0; i < a->start.conf.n_to; i++)
		if (a->routes[i].number != 0 || (a->routes[i].beat && a->routes[i].beat_tries == 0))
			return false;
	return true;
}

/* ---- what became of them -------------------------------------------------------------------------- */

/* Others are told of an outage once, and of what was given up now and then. Not of what only says such things
 * itself: it would never end. */
static void tell_failed(struct alerter *a, struct route *r, bool given_up)
{
	char text[EVENT_TEXT];
	int64_t now = clock_boot_ns();
	if (given_up)
		r->failed += strcmp(r->item.class, conf_alert_class_text(ALERT_HEALTH)) != 0;
	if (r->failed > 0 &&
	    (r->told_failed_ns == 0 || now - r->told_failed_ns > TOLD * a->wait_first_ns)) {
		snprintf(text, sizeof(text), "%u alerts to %s were given up: %.160s", r->failed,
			 r->item.destination, r->item.answer);
		log_line(LOG_WARN, "%u alerts to %s were given up", r->failed, r->item.destination);
		tell_health(a, 2, "undelivered", r->failed, text);
		r->failed = 0;
		r->told_failed_ns = now;
		r->told = true;
	}
	if (r->told || r->failing_ns == 0 || now - r->failing_ns < OUTAGE * a->wait_first_ns)
		return;
	r->told = true;
	snprintf(text, sizeof(text), "alerts to %s can't be delivered for %lld minutes: %.160s",
		 r->item.destination, (long long)((now - r->failing_ns) / (60 * NS_PER_SEC)),
		 r->item.answer);
	log_line(LOG_WARN, "alerts to %s can't be delivered", r->item.destination);
	tell_health(a, 2, "undelivered", 1, text);
}

static void was_sent(struct alerter *a, struct route *r)
{
	if (r->told)
		log_line(LOG_INFO, "alerts to %s are delivered again", r->item.destination);
	r->fails = 0;
	r->failing_ns = r->not_before_ns = 0;
	r->told = false;
	if (outbox_done(a->box, r->item.number, OUTBOX_SENT, clock_wall_ns(), r->item.answer) != 0)
		a->dropped++;
	tell_notice(a, "sent", &r->item, "");
}

static void was_not_sent(struct alerter *a, struct route *r, const struct deliver_result *res)
{
	int64_t wall = clock_wall_ns(), now = clock_boot_ns();
	bool refused = res->outcome == DELIVER_NEVER;
	int64_t give_up = a->start.conf.give_up_ns;
	bool late = give_up > 0 && wall - r->item.at_ns >= give_up;
	if (r->fails == 0)
		r->failing_ns = now;
	r->not_before_ns = now + wait_of(a, r->item.number, r->fails, refused ? 0 : res->after_s);
	r->fails++;
	int err;
	if (late || (refused && r->item.refused + 1 >= REFUSALS)) {
		err = outbox_done(a->box, r->item.number, OUTBOX_FAILED, wall, r->item.answer);
		tell_notice(a, "failed", &r->item, refused ? "refused" : "given-up");
		tell_failed(a, r, true);
	} else {
		int64_t wait = refused ? REFUSED * a->wait_first_ns
				       : wait_of(a, r->item.number, r->item.tries, res->after_s);
		err = outbox_later(a->box, r->item.number, wall + wait, refused, r->item.answer);
		if (refused && r->item.refused == 0)
			intake_plain(a, res->destination, &r->item);
		tell_failed(a, r, false);
	}
	if (err != 0)
		a->dropped++;
}

static void beat_result(struct alerter *a, struct route *r, const struct deliver_result *res)
{
	if ((r->number >> 16 & 0x7fffffffffff) != (a->beat.n & 0x7fffffffffff))
		return; /* a newer one took its place */
	r->beat = false;
	if (res->outcome == DELIVER_OK)
		return;
	r->beat = true;
	r->beat_at_ns = clock_boot_ns() + wait_of(a, r->number, r->beat_tries, res->after_s);
	r->beat_tries++;
}

void send_result(struct alerter *a, const struct deliver_result *res)
{
	struct route *r = &a->routes[res->destination % CONF_DESTINATIONS];
	if (res->destination >= a->start.conf.n_to || r->number == 0 || r->number != res->number)
		return;
	if ((res->number & ALERTER_BEAT) != 0) {
		beat_result(a, r, res);
	} else {
		memcpy(r->item.answer, res->text, sizeof(r->item.answer));
		r->item.answer[sizeof(r->item.answer) - 1] = '\0';
		if (res->outcome == DELIVER_OK)
			was_sent(a, r);
		else
			was_not_sent(a, r, res);
		a->urgent = true;
	}
	r->number = 0;
}

void send_results(struct alerter *a, int fd, enum role from)
{
	_Alignas(8) char buf[sizeof(struct deliver_result) + 64];
	struct deliver_result r;
	struct ipc_msg m;
	for (int i = 0; i < 64; i++) {
		int err = ipc_recv(fd, &role_messages, ROLE_BIT(from), ROLE_BIT(ROLE_ALERTER), buf,
				   sizeof(buf), &m);
		if (err == SKEP_EPEER)
			continue;
		if (err != 0)
			return;
		if (m.type == MSG_DELIVERED) {
			memcpy(&r, m.payload, sizeof(r));
			send_result(a, &r);
		}
		ipc_msg_done(&m);
	}
}

void send_again(struct alerter *a)
{
	for (uint32_t i = 0; i < a->start.conf.n_to; i++) {
		struct route *r = &a->routes[i];
		enum conf_destination_kind kind =
			(enum conf_destination_kind)a->start.conf.to[i].kind;
		if (r->number == 0 || kind == DEST_SENDMAIL || kind == DEST_COMMAND)
			continue;
		if ((r->number & ALERTER_BEAT) != 0)
			r->beat = true;
		r->number = 0;
	}
}
