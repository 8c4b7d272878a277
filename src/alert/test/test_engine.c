/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds of any stream: a restart at any point changes nothing, a flood pushes out nothing that matters. */
#include "play.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MESSAGES 4096
#ifdef SKEP_SANITIZE
#define SEEDS 1 /* slow there, and the same */
#else
#define SEEDS 3
#endif

struct record {
	struct alert_message all[MESSAGES];
	uint32_t n, sent[CONF_DESTINATIONS];
	uint64_t held[ALERT_WHYS];
	uint64_t events, seed, one_in;
	uint32_t restarts;
};

static void on_send(struct play *p, const struct alert_message *m)
{
	struct record *r = p->ctx;
	assert_true(m->n_counts <= ALERT_COUNTS && m->n_commands <= ALERT_COMMANDS);
	r->sent[m->destination]++;
	r->all[r->n++ % MESSAGES] = *m;
}

static void on_held(struct play *p, const struct alert_held *h)
{
	struct record *r = p->ctx;
	r->held[h->why] += h->n;
}

static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* alerter saves after each batch, and may be started anew after any. */
static void on_each(struct play *p)
{
	struct record *r = p->ctx;
	r->events++;
	if (r->one_in == 0 || draw(&r->seed) % r->one_in != 0)
		return;
	if (draw(&r->seed) % 4 != 0) {
		play_save(p);
		return;
	}
	play_restart(p);
	r->restarts++;
}

static void play(const struct stream *s, struct record *r, bool stored)
{
	static struct play p;
	memset(&p, 0, sizeof(p));
	play_conf(&p.conf);
	if (s->conf != NULL)
		s->conf(&p.conf);
	p.send = on_send;
	p.held = on_held;
	p.each = on_each;
	p.ctx = r;
	p.stored = stored;
	play_open(&p);
	s->run(&p);
	play_save(&p);
	play_close(&p);
}

static void differ(const char *name, const struct record *a, const struct record *b)
{
	if (a->n != b->n)
		fail_msg("%s: %u messages without restarts, %u with", name, a->n, b->n);
	for (uint32_t i = 0; i < a->n && i < MESSAGES; i++)
		if (memcmp(&a->all[i], &b->all[i], sizeof(a->all[i])) != 0)
			fail_msg("%s: message %u differs", name, i + 1);
	for (int w = 0; w < ALERT_WHYS; w++)
		assert_int_equal(a->held[w], b->held[w]);
}

static void restarts_change_nothing(void **state)
{
	static struct record plain, broken;
	(void)state;
	for (const struct stream *s = play_streams; s->name != NULL; s++) {
		memset(&plain, 0, sizeof(plain));
		play(s, &plain, false);
		assert_true(plain.n > 0);
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			memset(&broken, 0, sizeof(broken));
			broken.seed = seed * 0x9e3779b97f4a7c15;
			broken.one_in = plain.events / 60 + 1;
			play(s, &broken, false);
			assert_true(broken.restarts > 0 || plain.events < 20);
			differ(s->name, &plain, &broken);
		}
	}
}

/* A preview of what was stored is what was sent. */
static void replay_is_the_same(void **state)
{
	static struct record live, stored;
	(void)state;
	for (const struct stream *s = play_streams; s->name != NULL; s++) {
		if (strcmp(s->name, "brute") ==
		    0) /* takes long, and has nothing that the others have not */
			continue;
		memset(&live, 0, sizeof(live));
		memset(&stored, 0, sizeof(stored));
		play(s, &live, false);
		play(s, &stored, true);
		assert_true(live.n > 0);
		differ(s->name, &live, &stored);
	}
}

/* ---- floods --------------------------------------------------------------------------------------------- */

static void start(struct play *p, struct record *r)
{
	memset(p, 0, sizeof(*p));
	memset(r, 0, sizeof(*r));
	play_conf(&p->conf);
	p->send = on_send;
	p->held = on_held;
	p->ctx = r;
	play_open(p);
}

/* `skep up` in the lab is no new source. */
static void own_knocks(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	assert_int_equal(addr_parse("203.0.113.1", &p.conf.knocks[0]), 0);
	assert_int_equal(addr_parse("2001:db8:113::1", &p.conf.knocks[1]), 0);
	play_inbound(&p, "web1", "203.0.113.1", 22, false);
	play_inbound(&p, "web1", "2001:db8:113::1", 22, false);
	assert_int_equal(r.n, 0);
	play_inbound(&p, "web1", "203.0.113.2", 22, false);
	assert_true(r.n > 0);
	play_outbound(&p, "web1", "203.0.113.1", 6,
		      22); /* a guest that goes there is another thing */
	assert_int_equal(r.all[r.n - 1].class, ALERT_OUTBOUND);
	play_close(&p);
}

/* Names of its own server are nothing; a conversation with port 53 of another is one like any. */
static void own_names(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	assert_int_equal(addr_parse("192.0.2.53", &p.conf.resolvers[0]), 0);
	assert_int_equal(addr_parse("2001:db8:53::53", &p.conf.resolvers[1]), 0);
	play_outbound(&p, "web1", "192.0.2.53", 17, 53);
	play_outbound(&p, "web1", "2001:db8:53::53", 6, 53);
	assert_int_equal(r.n, 0);
	play_outbound(&p, "web1", "198.51.100.53", 6, 53);
	assert_true(r.n > 0);
	assert_int_equal(r.all[r.n - 1].class, ALERT_OUTBOUND);
	play_close(&p);
}

/* A million sources push each other out, but neither the incident's thread nor a window. */
static void flood_of_sources(void **state)
{
	static struct play p;
	static struct record r;
	char from[40];
	(void)state;
	start(&p, &r);
	play_open_incident(&p, "web1", "198.51.100.66");
	play_login(&p, "web1", "198.51.100.66", "root");
	uint64_t incident = p.incident;
	p.incident = 0;
	for (uint32_t i = 0; i < 200000; i++) {
		snprintf(from, sizeof(from), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
		play_inbound(&p, "web1", from, 22, false);
	}
	p.incident = incident;
	play_wait(&p, MINUTE);
	play_login(&p, "web1", "198.51.100.66", "root");
	play_wait(&p, 15 * MINUTE);
	play_login(&p, "web1", "198.51.100.66", "root");
	const struct alert_message *last = &r.all[r.n - 1], *mail = &r.all[r.n - 2];
	assert_int_equal(last->kind, ALERT_MORE);
	assert_int_equal(mail->kind, ALERT_MORE);
	assert_int_equal(mail->n_counts, 1);
	assert_int_equal(mail->counts[0].why, ALERT_WINDOW);
	assert_int_equal(mail->counts[0].n, 1);
	assert_int_equal(mail->thread, r.all[0].number);
	/* Each new source, but four, was over the budget of the hour. */
	alert_tick(p.alert, p.now_ns + MINUTE);
	assert_int_equal(r.held[ALERT_HOUR], 200000 - 4);
	play_close(&p);
}

/* An escape passes whatever goes on. */
static void escape_in_a_flood(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	for (uint32_t i = 0; i < 1000; i++) {
		play_outbound(&p, "web1", "192.0.2.1", 6, (uint16_t)i);
		if (i % 100 == 99)
			play_escape(&p, "web1");
	}
	uint32_t escapes = 0;
	for (uint32_t i = 0; i < r.n; i++)
		escapes += r.all[i].class == ALERT_ESCAPE && r.all[i].bypass != 0;
	assert_int_equal(escapes, 2 * 10);
	play_close(&p);
}

/* The configuration changes: a destination keeps its budget and its threads, wherever it stands now. */
static void destinations_change_places(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	p.conf.to[1].throttle = (struct conf_throttle){0, 0, 0, 2};
	play_restart(&p);
	play_open_incident(&p, "web1", "198.51.100.66");
	play_login(&p, "web1", "198.51.100.66", "root");
	uint64_t first = r.all[1].number;
	assert_int_equal(r.all[1].destination, 1);
	play_save(&p);
	p.conf.to[2] = p.conf.to[0];
	p.conf.to[0] = p.conf.to[1];
	text_copy(p.conf.to[1].name, CONF_NAME, "new");
	p.conf.n_to = 3;
	play_restart(&p);
	memset(&r, 0, sizeof(r));
	play_wait(&p, HOUR);
	play_login(&p, "web1", "198.51.100.66", "root");
	assert_int_equal(r.n, 3);
	assert_int_equal(r.all[0].thread, first);
	assert_int_equal(r.all[0].kind, ALERT_BUDGET); /* its second of two */
	assert_int_equal(r.all[1].thread, 0);
	assert_int_equal(r.all[1].kind, ALERT_FIRST);
	play_close(&p);
}

/* "In any hour": however the messages lie, never more than six in 60 minutes. */
static void budgets_slide(void **state)
{
	static struct play p;
	static struct record r;
	uint64_t seed = 7;
	(void)state;
	start(&p, &r);
	p.conf.to[1].throttle.window_ns = 0;
	p.conf.to[1].throttle.day = 0;
	for (uint32_t i = 0; i < 3000; i++) {
		play_open_incident(&p, "web1", "198.51.100.66");
		play_login(&p, "web1", "198.51.100.66", "root");
		play_wait(&p, (int64_t)(draw(&seed) % (uint64_t)(5 * MINUTE)));
	}
	int64_t at[MESSAGES];
	uint32_t n = 0;
	for (uint32_t i = 0; i < r.n && i < MESSAGES; i++)
		if (r.all[i].destination == 1)
			at[n++] = r.all[i].at_ns;
	assert_true(n > 200);
	for (uint32_t i = 6; i < n; i++)
		assert_true(at[i] - at[i - 6] >= HOUR);
	play_close(&p);
}

static void a_source_comes_back(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	text_copy(p.conf.digest, sizeof(p.conf.digest), "");
	play_inbound(&p, "web1", "198.51.100.66", 22, true);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.all[0].seen_ns, 0);
	int64_t first = r.all[0].at_ns;
	play_wait(&p, 29 * DAY);
	play_inbound(&p, "web1", "198.51.100.66", 22, true);
	assert_int_equal(r.n, 1); /* no news */
	play_open_incident(&p, "web1", "198.51.100.66");
	play_login(&p, "web1", "198.51.100.66", "root");
	assert_int_equal(r.n, 3);
	assert_int_equal(r.all[1].seen_ns, first);
	assert_int_equal(r.all[1].seen_times, 1);
	p.incident = 0;
	play_wait(&p, 30 * DAY);
	play_inbound(&p, "web1", "198.51.100.66", 22, true);
	assert_int_equal(r.n, 4);
	assert_int_equal(r.all[3].class, ALERT_INBOUND);
	assert_int_equal(r.all[3].seen_times, 2);
	play_close(&p);
}

/* Outside the hours, or over a budget, the first conversation outwards is not lost: the next is told once they allow. */
static void outbound_waits_for_its_time(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	text_copy(p.conf.to[1].hours, CONF_HOURS, "07:00-23:00");
	play_restart(&p);
	int64_t local_s = p.now_ns / NS_PER_SEC + AHEAD_S;
	play_wait(&p, (24 * 3600 - local_s % 86400 + 3 * 3600) % 86400 * SECOND); /* 03:00 */
	play_open_incident(&p, "web1", "198.51.100.66");
	play_outbound(&p, "web1", "192.0.2.1", 6, 4444);
	assert_int_equal(r.sent[1], 0);
	play_wait(&p, 4 * HOUR + MINUTE);
	play_outbound(&p, "web1", "192.0.2.1", 6, 4444);
	assert_int_equal(r.sent[1], 1);
	assert_int_equal(r.all[r.n - 1].class, ALERT_OUTBOUND);
	assert_int_equal(r.all[r.n - 1].counts[0].why, ALERT_HOURS);
	play_outbound(&p, "web1", "192.0.2.1", 6, 4445);
	assert_int_equal(r.sent[1], 1);
	play_close(&p);
}

/* A hundred visitors log into web1: that uses up the budget, but does not hide the one login on db1. */
static void a_loud_guest_hides_no_other(void **state)
{
	static struct play p;
	static struct record r;
	char from[40];
	(void)state;
	start(&p, &r);
	for (uint32_t i = 0; i < 100; i++) {
		snprintf(from, sizeof(from), "2001:db8::%x", i);
		play_open_incident(&p, "web1", from);
		play_login(&p, "web1", from, "root");
		play_outbound(&p, "web1", "192.0.2.1", 6, 4444);
	}
	assert_int_equal(r.sent[0], 10 + 10);
	play_open_incident(&p, "db1", "198.51.100.66");
	for (uint32_t i = 0; i < 3; i++) {
		play_login(&p, "db1", "198.51.100.66", "root");
		play_outbound(&p, "db1", "192.0.2.1", 6, 4444);
	}
	assert_int_equal(r.sent[0], 10 + 10 + 2);
	play_open_incident(&p, "db1", "198.51.100.67");
	play_login(&p, "db1", "198.51.100.67", "root");
	assert_int_equal(r.sent[0], 10 + 10 + 2);
	play_close(&p);
}

/* A thousand visitors at once, each in an incident of his own: neither a thousand messages, nor a thousand digests. */
static void a_botnet(void **state)
{
	static struct play p;
	static struct record r;
	char from[40];
	(void)state;
	start(&p, &r);
	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(from, sizeof(from), "2001:db8::%x", i);
		play_open_incident(&p, "web1", from);
		play_rule(&p, "web1", from, 2, 1000);
		play_rule(&p, "web1", from, 2, 1000);
	}
	play_wait(&p, 13 * HOUR);
	alert_tick(p.alert, p.now_ns);
	uint32_t digests = 0, told = 0;
	for (uint32_t i = 0; i < r.n; i++) {
		digests += r.all[i].kind == ALERT_INCIDENT_END;
		told += r.all[i].kind == ALERT_FIRST;
	}
	assert_int_equal(told, 5);
	assert_int_equal(digests, 5 + 4);
	play_close(&p);
}

/* Days without us: as many digests as days, up to eight, each at its time. */
static void digests_come_late(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	play_health(&p, "wall", "died");
	assert_int_equal(r.n, 1);
	play_wait(&p, 3 * DAY);
	alert_tick(p.alert, p.now_ns);
	assert_int_equal(r.n, 4);
	for (uint32_t i = 1; i < r.n; i++) {
		assert_int_equal(r.all[i].kind, ALERT_DAY_END);
		assert_int_equal((r.all[i].at_ns / NS_PER_SEC + AHEAD_S) % 86400, 7 * 3600);
		assert_true(alert_next_ns(p.alert) > p.now_ns);
	}
	assert_int_equal(r.all[1].sent, 1);
	assert_int_equal(r.all[2].sent, 0);
	play_wait(&p, 365 * DAY);
	alert_tick(p.alert, p.now_ns);
	assert_true(r.n <= 4 + 10);
	play_close(&p);
}

/* hub was started anew and says nothing of it any more: half a day later the incident is over. */
static void an_incident_falls_silent(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	play_open_incident(&p, "web1", "198.51.100.66");
	for (int i = 0; i < 3; i++)
		play_login(&p, "web1", "198.51.100.66", "root");
	int64_t last = p.now_ns;
	assert_int_equal(r.n, 2);
	p.incident = 0;
	play_health(&p, "hub", "died");
	assert_int_equal(r.n, 3);
	assert_int_equal(alert_next_ns(p.alert) / MINUTE, p.now_ns / MINUTE + 1);
	alert_tick(p.alert, p.now_ns + MINUTE);
	assert_int_equal(alert_next_ns(p.alert), last + 12 * HOUR);
	play_restart(&p);
	alert_tick(p.alert, last + 12 * HOUR - 1);
	assert_int_equal(r.n, 3);
	alert_tick(p.alert, last + 12 * HOUR);
	assert_int_equal(r.n, 4);
	assert_int_equal(r.all[3].kind, ALERT_INCIDENT_END);
	assert_int_equal(r.all[3].thread, r.all[0].number);
	assert_int_equal(r.all[3].sent, 1);
	assert_int_equal(r.all[3].counts[0].n, 2);
	play_close(&p);
}

/* For a while the clock was a year ahead: what came then does not quiet the year until then. */
static void the_clock_was_wrong(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	int64_t right = p.now_ns;
	p.now_ns += 365 * DAY;
	for (int i = 0; i < 10; i++) {
		play_open_incident(&p, "web1", "198.51.100.66");
		play_login(&p, "web1", "198.51.100.66", "root");
		play_health(&p, "wall", "died");
	}
	play_inbound(&p, "web1", "198.51.100.66", 22, true);
	assert_int_equal(r.all[r.n - 1].class, ALERT_INBOUND);
	play_save(&p);
	p.now_ns = right;
	play_restart(&p);
	memset(&r, 0, sizeof(r));
	play_health(&p, "wall", "died");
	assert_int_equal(r.n, 1);
	play_open_incident(&p, "web1", "198.51.100.66");
	play_login(&p, "web1", "198.51.100.66", "root");
	assert_int_equal(r.n, 3);
	assert_true(r.all[0].at_ns - right < MINUTE);
	assert_true(alert_next_ns(p.alert) - right < DAY);
	p.incident = 0;
	play_inbound(&p, "web1", "198.51.100.66", 22, true);
	play_wait(&p, 31 * DAY);
	memset(&r, 0, sizeof(r));
	play_inbound(&p, "web1", "198.51.100.66", 22, true);
	assert_int_equal(r.all[r.n - 1].class, ALERT_INBOUND);
	play_close(&p);
}

static void knock(struct play *p, uint32_t i)
{
	char from[40];
	snprintf(from, sizeof(from), "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
	play_inbound(p, "web1", from, 22, false);
}

/* Who gives way is the one seen longest ago, after a restart as well. */
static void the_oldest_gives_way(void **state)
{
	static struct play p;
	static struct record r;
	const uint32_t most = 65536;
	(void)state;
	start(&p, &r);
	p.conf.to[0].throttle.window_ns = 0;
	for (uint32_t i = 0; i < most; i++)
		knock(&p, i);
	play_save(&p);
	play_wait(&p, MINUTE);
	for (uint32_t i = 0; i < 100; i++) /* these are the newest now */
		knock(&p, i);
	play_restart(&p);
	for (uint32_t i = 0; i < 50; i++)
		knock(&p, most + i);
	alert_tick(p.alert, p.now_ns + MINUTE);
	memset(r.held, 0, sizeof(r.held));
	play_wait(&p, 2 * MINUTE);
	for (uint32_t i = 0; i < 100; i++)
		knock(&p, i);
	for (uint32_t i = 150; i < 200; i++)
		knock(&p, i);
	alert_tick(p.alert, p.now_ns + MINUTE);
	assert_int_equal(r.held[ALERT_MERGED], 150);
	assert_int_equal(r.held[ALERT_HOUR], 0);
	for (uint32_t i = 100; i < 150; i++) /* and these gave way */
		knock(&p, i);
	alert_tick(p.alert, p.now_ns + 2 * MINUTE);
	assert_int_equal(r.held[ALERT_MERGED], 150);
	assert_int_equal(r.held[ALERT_HOUR], 50);
	play_close(&p);
}

/* What only quiet rules held back is not worth a digest. */
static void quiet_is_no_reason(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	start(&p, &r);
	play_open_incident(&p, "web1", "198.51.100.66");
	play_login(&p, "web1", "198.51.100.66", "root");
	play_outbound(&p, "web1", "203.0.113.53", 17, 53);
	play_quiet_incident(&p, "web1", "198.51.100.66");
	assert_int_equal(r.n, 2);
	play_close(&p);
}

/* The budget of a class is used up: said, but no word of the destination's. Two hours later it is as before. */
static void budget_of_a_class(void **state)
{
	static struct play p;
	static struct record r;
	(void)state;
	memset(&p, 0, sizeof(p));
	memset(&r, 0, sizeof(r));
	play_conf(&p.conf);
	p.conf.n_to = p.conf.n_classes = 1;
	p.conf.classes[0] =
		(struct conf_alert_class_row){.class = ALERT_LOGIN, .weight = 255, .bypass = 255};
	p.conf.classes[0].throttle = (struct conf_throttle){0, 2, 0, 5};
	p.send = on_send;
	p.held = on_held;
	p.ctx = &r;
	play_open(&p);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 3; i++)
			play_login(&p, "web1", "198.51.100.66", "root");
		play_wait(&p, 70 * MINUTE);
	}
	assert_int_equal(r.n, 5);
	assert_int_equal(r.all[0].budget, 0);
	assert_int_equal(r.all[1].budget, ALERT_HOUR);
	assert_int_equal(r.all[2].counts[0].why, ALERT_HOUR);
	assert_int_equal(r.all[2].counts[0].n, 1);
	assert_int_equal(r.all[3].budget, ALERT_HOUR);
	assert_int_equal(r.all[4].budget, ALERT_TOTAL);
	assert_int_equal(r.all[4].kind, ALERT_MORE);
	assert_int_equal(r.all[4].quiet_until_ns, 0);
	play_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts_change_nothing),
		cmocka_unit_test(replay_is_the_same),
		cmocka_unit_test(own_knocks),
		cmocka_unit_test(own_names),
		cmocka_unit_test(flood_of_sources),
		cmocka_unit_test(escape_in_a_flood),
		cmocka_unit_test(destinations_change_places),
		cmocka_unit_test(budgets_slide),
		cmocka_unit_test(a_source_comes_back),
		cmocka_unit_test(outbound_waits_for_its_time),
		cmocka_unit_test(a_loud_guest_hides_no_other),
		cmocka_unit_test(a_botnet),
		cmocka_unit_test(digests_come_late),
		cmocka_unit_test(an_incident_falls_silent),
		cmocka_unit_test(the_clock_was_wrong),
		cmocka_unit_test(the_oldest_gives_way),
		cmocka_unit_test(quiet_is_no_reason),
		cmocka_unit_test(budget_of_a_class),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
