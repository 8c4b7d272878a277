/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anything as what a guest tells: findings are valid events, bounded by the time that passes, and no foreign byte
 * stands in their texts unescaped.
 *
 * Input: pieces, each a byte for what it is, two for its length, then its bytes: of the monitor's stream, a line of
 * the shell, a name in syslog, a tally of the wire, or time that passes.
 */
#include "crosscheck/crosscheck.h"

#include <stdlib.h>
#include <string.h>

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)

struct bed {
	struct crosscheck *c;
	struct sensor_parser *p;
	int64_t now_ns;
	uint64_t found, ticks;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void take(void *ctx, const struct event *e)
{
	struct bed *b = ctx;

	b->found++;
	must(event_valid(e));
	for (const char *s = e->text; *s; s++)
		must(*s >= ' ' && *s < 0x7f);
	for (const char *s = e->u.silence.detail; *s; s++)
		must(*s >= ' ' && *s < 0x7f);
}

static void stream(struct bed *b, const uint8_t *data, size_t len)
{
	struct sensor_record r;
	size_t room;
	void *at = sensor_room(b->p, &room);

	len = len < room ? len : room;
	memcpy(at, data, len);
	sensor_filled(b->p, len);
	while (sensor_next(b->p, &r))
		crosscheck_record(b->c, 0, &r, r.seq % 3, b->now_ns);
	crosscheck_stream(b->c, 0, b->p, b->now_ns);
}

static void tally(struct bed *b, const uint8_t *data, size_t len)
{
	struct crosscheck_wire w = {.flow_id = 1, .port = 22};

	if (len < 8)
		return;
	w.flow_id += data[0];
	w.peer = addr_from_v4(data + 1);
	w.peer_port = data[5];
	w.bytes_in = load_be16(data + 6) * 10u;
	w.ends = len > 8;
	crosscheck_wire(b->c, 0, &w, b->now_ns);
}

static void pass(struct bed *b, uint32_t ticks)
{
	for (uint32_t i = 0; i < ticks; i++) {
		b->now_ns += 250 * NS_PER_MS;
		crosscheck_tick(b->c, b->now_ns);
		b->ticks++;
	}
}

static void piece(struct bed *b, uint8_t what, const uint8_t *data, size_t len)
{
	char name[32] = "";

	switch (what % 6) {
	case 0:
		stream(b, data, len);
		break;
	case 1:
		crosscheck_shell(b->c, 0, what, what / 2u, (const char *)data, len, b->now_ns);
		break;
	case 2:
		memcpy(name, data, len < sizeof(name) - 1 ? len : sizeof(name) - 1);
		crosscheck_syslog(b->c, 0, name, b->now_ns);
		break;
	case 3:
		tally(b, data, len);
		break;
	case 4:
		pass(b, (uint32_t)(len % 256));
		break;
	default:
		crosscheck_guest(b->c, 0, len % 2, b->now_ns);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crosscheck_conf conf = {
		.n_guests = 1, .guests = {{"web", true, true, true}}, .emit = take};
	struct bed b = {.now_ns = START_NS, .p = calloc(1, sizeof(*b.p))};
	struct reader r = reader_of(data, size);

	conf.ctx = &b;
	must(b.p && crosscheck_create(&conf, &b.c) == 0);
	crosscheck_guest(b.c, 0, true, b.now_ns);
	while (reader_left(&r) >= 3) {
		uint8_t what = read_u8(&r);
		size_t len = read_be16(&r);

		len = len < reader_left(&r) ? len : reader_left(&r);
		piece(&b, what, read_bytes(&r, len), len);
	}
	pass(&b, 140);
	/* 17 rules, 6 at once and then one in 30 s. */
	must(b.found <= 17 * (6 + 6 * (1 + b.ticks / 120)));
	crosscheck_free(&b.c);
	free(b.p);
	return 0;
}
