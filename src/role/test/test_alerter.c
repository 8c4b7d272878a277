/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold whatever happens to alerter: each event's message arrives at each destination, and once.
 */
#include "alert/alert.h"
#include "alerting.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* ---- tests -------------------------------------------------------------------------------------- */

static void an_event_becomes_a_message_and_a_notice(void **state)
{
	struct rig *r = *state;
	const struct msg_alert_test test = {.destination = 255};
	start_hub(r);
	start_alerter(r);
	escape(r, 0);
	login(r, 1);
	wait_all(r, 2);
	assert_true(r->beats >= 1); /* it has started */
	assert_int_equal(
		ipc_send(r->alerter_super[0], MSG_ALERT_TEST, &test, sizeof(test), NULL, 0), 0);
	for (int i = 0; i < 200 && (r->tests < 2 || r->notices_sent < 6); i++)
		play(r, 50);
	assert_int_equal(r->tests, 2);
	assert_int_equal(r->notices_sent, 6);
	uint64_t beats = r->beats;
	struct event seal = event_new(EVENT_SEAL);
	text_copy(seal.u.seal.file, EVENT_NAME, "skep-20260101.json");
	memset(seal.u.seal.sha256, 'a', sizeof(seal.u.seal.sha256) - 1);
	assert_int_equal(ipc_send(r->hub_ledger[1], MSG_EVENT, &seal, sizeof(seal), NULL, 0), 0);
	for (int i = 0; i < 200 && r->beats == beats; i++)
		play(r, 50);
	assert_int_equal(r->beats, beats + 1);
	assert_true(r->sealed);
	beats = r->beats;
	stop_alerter(r);
	assert_true(r->beats > beats); /* and it has stopped */
	assert_int_equal(r->beats_bad, 0);
	assert_int_equal(repeated(r, 2), 0);
	struct found f = outbox(r);
	assert_int_equal(f.n, 6);
	assert_int_equal(f.states[OUTBOX_SENT], 6);
}

/* A life of up to 100 ms, from its very start; events come now and then. */
static void short_life(struct rig *r, unsigned *seed, uint32_t most, uint32_t *n)
{
	spawn_alerter(r);
	int64_t end = clock_boot_ns() + rand_r(seed) % 100000 * INT64_C(1000);
	while (clock_boot_ns() < end) {
		/* hub keeps 64 escapes for an alerter that is away. */
		if (*n < most && missing(r, *n) < 40)
			some_event(r, (*n)++);
		play(r, 3);
	}
	kill_role(&r->alerter);
}

/* One that ends within a few milliseconds of an event. */
static void sudden_death(struct rig *r, unsigned *seed, uint32_t *n)
{
	start_alerter(r);
	play(r, 5);
	if (missing(r, *n) < 40)
		some_event(r, (*n)++);
	int64_t end = clock_boot_ns() + rand_r(seed) % 4000 * INT64_C(1000);
	while (clock_boot_ns() < end)
		play(r, 0);
	kill_role(&r->alerter);
}

static void kills_at_any_moment_lose_and_repeat_nothing(void **state)
{
	struct rig *r = *state;
	uint32_t kills = getenv("SKEP_SOAK") != NULL ? 1000 : 100, n = 0;
	unsigned seed = (unsigned)clock_boot_ns();
	print_message("seed %u\n", seed);
	start_hub(r);
	for (uint32_t k = 0; k < kills; k++) {
		if (k % 4 == 0)
			short_life(r, &seed, 2 * kills, &n);
		else
			sudden_death(r, &seed, &n);
	}
	start_alerter(r);
	wait_all(r, n);
	play(r, 1200);
	assert_int_equal(repeated(r, n), 0);
	assert_int_equal(r->lost, 0);
	assert_int_equal(r->beats_bad, 0);
	print_message("%u kills, %u events, %u handed on, %u of them again\n", kills, n, r->handed,
		      r->again);
	assert_true(n >= kills / 4); /* or nothing was put to the test */
	stop_alerter(r);
	struct found f = outbox(r);
	assert_int_equal(f.states[OUTBOX_WAITING] + f.states[OUTBOX_FAILED], 0);
}

/* The courier is the real one, and dies as well now and then. */
static void with_the_real_courier_too(void **state)
{
	struct rig *r = *state;
	uint32_t rounds = getenv("SKEP_SOAK") != NULL ? 500 : 40, n = 0, couriers = 0;
	unsigned seed = (unsigned)clock_boot_ns();
	print_message("seed %u\n", seed);
	start_hub(r);
	start_courier(r);
	for (uint32_t k = 0; k < rounds; k++) {
		if (k == rounds / 2) { /* so far it lived, and remembered */
			start_alerter(r);
			wait_all(r, n);
			play(r, 300);
			assert_int_equal(repeated(r, n), 0);
			kill_role(&r->alerter);
		}
		sudden_death(r, &seed, &n);
		if (k > rounds / 2 && k % 4 == 0) {
			kill_role(&r->real);
			start_courier(r);
			couriers++;
		}
	}
	start_alerter(r);
	for (uint32_t k = 0; k < rounds / 8; k++) { /* alerter lives, courier dies */
		some_event(r, n++);
		play(r, rand_r(&seed) % 12);
		kill_role(&r->real);
		start_courier(r);
		couriers++;
	}
	wait_all(r, n);
	play(r, 1500);
	print_message("%u events, %u requests; %u couriers killed, %u messages twice\n", n,
		      r->handed, couriers, repeated(r, n));
	/* What it had sent, and had not heard the answer to: one at each destination. */
	assert_true(repeated(r, n) <= 2 * couriers);
	assert_int_equal(r->lost, 0);
	stop_alerter(r);
}

static bool on_line(void *ctx, const struct outbox_log *l)
{
	if (strcmp(l->why, "window") == 0)
		*(uint32_t *)ctx += l->n;
	return true;
}

static void a_restart_forgets_no_throttle(void **state)
{
	struct rig *r = *state;
	uint32_t held = 0;
	r->start.conf.n_classes = 0; /* of one source a login in 15 minutes */
	start_hub(r);
	start_alerter(r);
	login(r, 0);
	wait_all(r, 1);
	play(r, 300);
	kill_role(&r->alerter);
	start_alerter(r);
	login(r, 256); /* the same source */
	escape(r, 2);
	for (int i = 0; i < 600 && (r->sent[0][2] == 0 || r->sent[1][2] == 0); i++)
		play(r, 50);
	stop_alerter(r);
	assert_int_equal(r->sent[0][2], 1);
	assert_int_equal(r->sent[0][256] + r->sent[1][256], 0);
	assert_int_equal(outbox_logs(r->dir, 0, on_line, &held), 0);
	assert_int_equal(held, 2); /* from either destination */
}

static void a_new_courier_gets_what_the_last_one_had(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	start_alerter(r);
	wait_all(r, 0);
	r->silent = true;
	escape(r, 0);
	for (int i = 0; i < 200 && (r->last.number == 0 || r->last.number >> 63 != 0); i++)
		play(r, 20);
	uint64_t number = r->last.number;
	assert_true(number != 0 && number >> 63 == 0);
	play(r, 200);
	r->silent = false;
	r->last.number = 0;
	assert_int_equal(ipc_send(r->alerter_super[0], MSG_COURIER, NULL, 0, NULL, 0), 0);
	wait_all(r, 1);
	assert_int_equal(repeated(r, 1), 0);
}

static void a_server_that_is_down_is_asked_seldom_and_then_gets_all_once(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	start_alerter(r);
	r->outcome = DELIVER_LATER;
	for (uint32_t n = 0; n < 30; n++)
		some_event(r, n);
	play(r, 3000);
	/* 20 ms, doubled up to 1.2 s: at most nine tries of each destination in this time, beats beside. */
	assert_true(r->handed - r->beats >= 4);
	assert_true(r->handed - r->beats <= 24);
	assert_int_equal(r->undelivered > 0, 1); /* others were told */
	kill_role(&r->alerter);
	start_alerter(r);
	play(r, 300);
	r->outcome = DELIVER_OK;
	wait_all(r, 30);
	play(r, 1500);
	assert_int_equal(repeated(r, 30), 0);
	assert_int_equal(r->lost, 0);
	stop_alerter(r);
	struct found f = outbox(r);
	assert_int_equal(f.states[OUTBOX_SENT], f.n);
}

/* Where others failed, and the next try is minutes away, an escape is tried at once. */
static void an_escape_waits_for_no_server_that_was_down(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	r->start.retry_ms = 120000;
	r->start.conf.heartbeat_ns = 0;
	start_alerter(r);
	r->outcome = DELIVER_LATER;
	uint32_t before = r->handed;
	login(r, 1);
	for (int i = 0; i < 600 && r->handed < before + 2; i++)
		play(r, 20);
	play(r, 200);
	r->outcome = DELIVER_OK;
	escape(r, 2);
	for (int i = 0; i < 600 && (r->sent[0][2] == 0 || r->sent[1][2] == 0); i++)
		play(r, 50);
	assert_int_equal(r->sent[0][2], 1);
	assert_int_equal(r->sent[1][2], 1);
	kill_role(&r->alerter);
}

static void what_is_refused_for_good_is_given_up_and_told(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	r->start.retry_ms = 2;
	r->start.conf.to[1].weight =
		9; /* this one takes escapes only: it hears of the other's trouble not */
	start_alerter(r);
	r->outcome = DELIVER_NEVER;
	escape(r, 0);
	for (int i = 0; i < 200 && r->notices_failed < 2; i++)
		play(r, 50);
	assert_true(r->notices_failed >= 2);
	assert_true(r->undelivered >= 1);
	kill_role(&r->alerter);
	struct found f = outbox(r);
	assert_true(f.states[OUTBOX_FAILED] >= 2);
	assert_true(f.tries >= 6);
	assert_string_equal(f.answer, "503 not now");
}

/* A filter that does not like what an intruder typed is no way to silence us. */
static void what_is_refused_for_its_words_is_told_without_them(void **state)
{
	struct rig *r = *state;
	start_hub(r);
	start_alerter(r);
	r->picky = true;
	escape(r, 0);
	for (int i = 0; i < 200 && r->plain < 2; i++)
		play(r, 50);
	assert_int_equal(r->plain, 2); /* each destination once */
	assert_int_equal(missing(r, 1), 1);
	kill_role(&r->alerter);
}

static void what_nobody_takes_for_too_long_is_given_up(void **state)
{
	struct rig *r = *state;
	r->start.conf.give_up_ns = NS_PER_SEC / 2;
	r->start.conf.heartbeat_ns = 0;
	start_hub(r);
	start_alerter(r);
	r->outcome = DELIVER_LATER;
	escape(r, 0);
	for (int i = 0; i < 200 && r->notices_failed < 2; i++)
		play(r, 50);
	assert_int_equal(r->notices_failed, 2);
	r->outcome = DELIVER_OK; /* and what comes then goes out again */
	escape(r, 1);
	for (int i = 0; i < 200 && (r->sent[0][1] == 0 || r->sent[1][1] == 0); i++)
		play(r, 50);
	assert_int_equal(r->sent[0][0] + r->sent[1][0], 0);
	assert_int_equal(r->sent[0][1] + r->sent[1][1], 2);
}

struct memory_use {
	uint64_t heap, tables; /* KiB in memory: of malloc's; the rest that is anonymous */
};

/* Tables of fixed size count as they are touched. */
static struct memory_use memory_of(pid_t pid)
{
	struct memory_use use = {0};
	char path[64], line[512];
	uint64_t kib;
	bool heap = false, anonymous = false;
	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[0] < 'A' || line[0] > 'Z') {
			heap = strstr(line, "[heap]") != NULL;
			anonymous = strchr(line, '/') == NULL && strchr(line, '[') == NULL;
		} else if (sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
			use.heap += heap ? kib : 0;
			use.tables += anonymous ? kib : 0;
		}
	}
	fclose(f);
	return use;
}

static void scan(struct rig *r, uint32_t n)
{
	struct event e = event_new(EVENT_CONNECTION);
	struct event_tuple *t = &e.u.connection.tuple;
	const uint8_t source[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
	e.flow_id = n + 1;
	e.direction = DIR_INBOUND;
	e.verdict = VERDICT_FORWARD;
	t->proto = 6;
	t->sport = t->in_sport = 40000;
	t->dport = t->in_dport = (uint16_t)n;
	t->src = t->in_src = addr_from_v4(source);
	t->dst = addr_from_v4("\xcb\x00\x71\x0a");
	t->in_dst = addr_from_v4("\x0a\x63\x00\x0a");
	text_copy(t->guest, EVENT_NAME, "web1");
	send_event(r, WALL, &e);
}

/* As fast as a million a minute, from ever new sources, with escapes in between. */
static void a_flood_delays_no_escape_and_grows_no_memory(void **state)
{
	struct rig *r = *state;
	int seconds = getenv("SKEP_SOAK") != NULL ? 60 : 10;
	uint32_t escapes = 0, sent = 0;
	int64_t told[256], most = 0;
	struct memory_use hub = {0}, alerter = {0}, hub_end, alerter_end;
	start_hub(r);
	start_alerter(r);
	int64_t begin = clock_boot_ns(), end = begin + seconds * NS_PER_SEC, now;
	while ((now = clock_boot_ns()) < end) {
		uint32_t due = (uint32_t)((now - begin) / NS_PER_MS * 1000000 / 60000);
		while (sent < due)
			scan(r, sent++);
		if (now - begin > escapes * NS_PER_SEC / 3) {
			told[escapes] = clock_boot_ns();
			escape(r, escapes++);
		}
		if (alerter.tables == 0 && now - begin > seconds * NS_PER_SEC / 2) {
			hub = memory_of(r->hub);
			alerter = memory_of(r->alerter);
		}
		play(r, 1);
	}
	hub_end = memory_of(r->hub);
	alerter_end = memory_of(r->alerter);
	wait_all(r, escapes);
	for (uint32_t i = 0; i < escapes; i++)
		if (r->sent_ns[i] - told[i] > most)
			most = r->sent_ns[i] - told[i];
	print_message("%u events in %d s; the slowest of %u escapes took %lld ms\n", sent, seconds,
		      escapes, (long long)(most / NS_PER_MS));
	print_message("KiB of heap: hub %" PRIu64 " -> %" PRIu64 ", alerter %" PRIu64 " -> %" PRIu64
		      "; alerter's tables %" PRIu64 " -> %" PRIu64 "\n",
		      hub.heap, hub_end.heap, alerter.heap, alerter_end.heap, alerter.tables,
		      alerter_end.tables);
	assert_int_equal(repeated(r, escapes), 0);
	assert_true(most < NS_PER_SEC);
#ifndef SKEP_SANITIZE /* it keeps for a while what was freed */
	/* 7 bytes an event would be more. */
	assert_true(hub_end.heap <= hub.heap + 512 && alerter_end.heap <= alerter.heap + 512);
	assert_true(hub_end.tables < hub.tables + 4096);
	assert_true(alerter_end.tables < 4096 + alert_bytes() / 1024);
#endif
	stop_alerter(r);
}

static void fill(struct rig *r)
{
	char path[64], block[4096];
	snprintf(path, sizeof(path), "%s/filler", r->dir);
	CLEANUP(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	memset(block, 'x', sizeof(block));
	while (write(fd, block, sizeof(block)) > 0)
		;
}

/* Of interest to alerter, but no message. */
static void noise(struct rig *r)
{
	struct event e = event_new(EVENT_COMMAND);
	struct event_command *c = &e.u.command;
	e.priority = 2;
	text_copy(c->visit.guest, EVENT_NAME, "web1");
	c->visit.peer = addr_from_v4("\xc6\x33\x64\x07");
	c->visit.server = addr_from_v4("\xcb\x00\x71\x0a");
	c->visit.proto = 6;
	c->line[0] = 'w';
	c->line_len = 1;
	send_event(r, COLLECTOR, &e);
}

static void a_full_disk_silences_nobody(void **state)
{
	struct rig *r = *state;
	char path[64];
	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", r->dir, "tmpfs", 0, "size=1m,uid=61236,gid=61236") != 0)
		skip();
	r->mounted = true;
	start_hub(r);
	start_alerter(r);
	uint32_t n = 0;
	for (; n < 5; n++)
		some_event(r, n);
	wait_all(r, n);
	fill(r);
	for (; n < 40; n++) { /* until nothing fits any more, and further */
		some_event(r, n);
		play(r, 20);
	}
	wait_all(r, n);
	for (int i = 0; i < 200 && r->full == 0; i++)
		play(r, 50);
	assert_true(r->full > 0);
	/* It dies, and its successor begins on a full disk: the same is decided again, courier knows it. */
	kill_role(&r->alerter);
	start_alerter(r);
	for (; n < 60; n++)
		some_event(r, n);
	wait_all(r, n);
	/* More than hub keeps for it: what comes after that still gets through. */
	fill(r);
	for (; n < 120; n++)
		some_event(r, n);
	wait_all(r, n);
	for (int i = 0; i < 8000; i++) {
		noise(r);
		if (i % 100 == 99)
			play(r, 20);
	}
	for (; n < 122; n++) /* 120 is an escape, and has places of its own */
		some_event(r, n);
	wait_all(r, n);
	assert_int_equal(r->lost, 0);
	snprintf(path, sizeof(path), "%s/filler", r->dir);
	assert_int_equal(unlink(path), 0);
	for (; n < 125; n++)
		some_event(r, n);
	wait_all(r, n);
	play(r, 1500);
	assert_int_equal(repeated(r, n), 0);
	stop_alerter(r);
	struct found f = outbox(r);
	assert_true(f.states[OUTBOX_SENT] >= 2 * n);
	assert_int_equal(f.states[OUTBOX_WAITING], 0);
}

#define RIGGED(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(an_event_becomes_a_message_and_a_notice),
		RIGGED(kills_at_any_moment_lose_and_repeat_nothing),
		RIGGED(with_the_real_courier_too),
		RIGGED(a_restart_forgets_no_throttle),
		RIGGED(a_new_courier_gets_what_the_last_one_had),
		RIGGED(a_server_that_is_down_is_asked_seldom_and_then_gets_all_once),
		RIGGED(an_escape_waits_for_no_server_that_was_down),
		RIGGED(what_is_refused_for_good_is_given_up_and_told),
		RIGGED(what_is_refused_for_its_words_is_told_without_them),
		RIGGED(what_nobody_takes_for_too_long_is_given_up),
		RIGGED(a_flood_delays_no_escape_and_grows_no_memory),
		RIGGED(a_full_disk_silences_nobody),
	};
	cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
