/* SPDX-License-Identifier: BSD-2-Clause */
/* Records out of bytes: whatever the pieces they come in, and whatever stands between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/test/say.h"

struct bed {
	struct say s;
	struct sensor_parser p;
	struct sensor_record r;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bed));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void feed(struct sensor_parser *p, const uint8_t *data, size_t len)
{
	size_t room;
	void *at = sensor_room(p, &room);

	assert_true(room >= len);
	memcpy(at, data, len);
	sensor_filled(p, len);
}

static void every_type(struct say *s)
{
	for (unsigned type = SENSOR_HELLO; type < SENSOR_TYPES; type++)
		say_plain(s, type);
}

static void test_every_type(void **state)
{
	struct bed *b = *state;

	b->s.boot_ns = 77;
	every_type(&b->s);
	feed(&b->p, b->s.buf, b->s.len);
	for (unsigned type = SENSOR_HELLO; type < SENSOR_TYPES; type++) {
		uint32_t n_texts;

		say_fixed(type, &n_texts);
		assert_true(sensor_next(&b->p, &b->r));
		assert_int_equal(b->r.type, type);
		assert_int_equal(b->r.seq, type - SENSOR_HELLO);
		assert_int_equal(b->r.boot_ns, 77);
		assert_int_equal(b->r.n_texts, n_texts);
		if (n_texts > 2)
			assert_memory_equal(b->r.texts[2].data, "three", 5);
		assert_string_not_equal(sensor_type_text(type), "?");
	}
	assert_false(sensor_next(&b->p, &b->r));
	assert_int_equal(b->p.records, SENSOR_TYPES - 1);
	assert_int_equal(b->p.junk_bytes + b->p.malformed + b->p.gaps, 0);
	assert_string_equal(sensor_type_text(0), "?");
	assert_string_equal(sensor_type_text(SENSOR_TYPES), "?");
}

/* The bytes with junk between, cut in two at every place: the same records, the same counts. */
static void test_every_cut(void **state)
{
	struct bed *b = *state;
	uint32_t junk = 0;

	for (unsigned type = SENSOR_HELLO; type < SENSOR_TYPES; type++) {
		say_plain(&b->s, type);
		say_bytes(&b->s, "MON", type % 4);
		junk += type % 4;
	}
	say_plain(&b->s, SENSOR_BEAT);
	for (uint32_t cut = 0; cut <= b->s.len; cut++) {
		unsigned n = 0;

		memset(&b->p, 0, sizeof(b->p));
		feed(&b->p, b->s.buf, cut);
		while (sensor_next(&b->p, &b->r))
			n++;
		feed(&b->p, b->s.buf + cut, b->s.len - cut);
		while (sensor_next(&b->p, &b->r))
			n++;
		assert_int_equal(n, SENSOR_TYPES);
		assert_int_equal(b->p.junk_bytes, junk);
		assert_int_equal(b->p.malformed + b->p.gaps, 0);
	}
}

static void test_byte_by_byte_for_long(void **state)
{
	struct bed *b = *state;
	uint64_t n = 0;

	every_type(&b->s);
	for (unsigned round = 0; round < 200; round++) { /* more than the buffer holds */
		for (uint32_t i = 0; i < b->s.len; i++) {
			feed(&b->p, b->s.buf + i, 1);
			while (sensor_next(&b->p, &b->r))
				n++;
		}
	}
	assert_int_equal(n, 200 * (SENSOR_TYPES - 1));
	assert_int_equal(b->p.junk_bytes + b->p.malformed + b->p.gaps,
			 0); /* each round begins with a hello */
}

/* Shorter or longer than it must be, with the length in its head right for that. */
static void test_lengths(void **state)
{
	struct bed *b = *state;

	for (unsigned type = SENSOR_HELLO; type < SENSOR_TYPES; type++) {
		for (int by = -1; by <= 1; by += 2) {
			struct sensor_head *head;

			memset(&b->s, 0, sizeof(b->s));
			memset(&b->p, 0, sizeof(b->p));
			say_plain(&b->s, type);
			head = (void *)b->s.buf;
			head->len = (uint16_t)(head->len + by);
			say_bytes(&b->s, "", 1);
			feed(&b->p, b->s.buf, by > 0 ? b->s.len : b->s.len - 2);
			assert_false(sensor_next(&b->p, &b->r));
			assert_int_equal(b->p.malformed, 1);
			assert_int_equal(b->p.records, 0);
			memset(&b->s, 0, sizeof(b->s)); /* and what follows is heard */
			say_plain(&b->s, SENSOR_BEAT);
			feed(&b->p, b->s.buf, b->s.len);
			assert_true(sensor_next(&b->p, &b->r));
			assert_int_equal(b->r.type, SENSOR_BEAT);
		}
	}
}

static void one_text(struct bed *b, unsigned type, const void *fixed, uint32_t len,
		     uint32_t text_len)
{
	static const uint8_t zeroes[SENSOR_PAYLOAD];
	struct sensor_text t = {zeroes, text_len};

	memset(&b->s, 0, sizeof(b->s));
	memset(&b->p, 0, sizeof(b->p));
	say_record(&b->s, type, fixed, len, 1, &t);
	feed(&b->p, b->s.buf, b->s.len);
}

static void test_limits(void **state)
{
	struct bed *b = *state;
	struct sensor_state st = {.what = SENSOR_CLOCK};
	struct sensor_data d = {.stream = SENSOR_IN, .echo = 1};
	uint32_t most = SENSOR_PAYLOAD - 2 - sizeof(st);

	one_text(b, SENSOR_STATE, &st, sizeof(st), most);
	assert_true(sensor_next(&b->p, &b->r));
	assert_int_equal(b->r.texts[0].len, most);
	one_text(b, SENSOR_STATE, &st, sizeof(st), most + 1);
	assert_false(sensor_next(&b->p, &b->r));
	assert_int_equal(b->p.malformed, 1);
	one_text(b, SENSOR_DATA, &d, sizeof(d), 4096);
	assert_true(sensor_next(&b->p, &b->r));
	one_text(b, SENSOR_DATA, &d, sizeof(d), 4097);
	assert_false(sensor_next(&b->p, &b->r));
}

struct field {
	unsigned type;
	uint32_t at;
	int8_t good, bad;
};
#define FIELD(t, s, f, good, bad)                             \
	{                                                     \
		t, (uint32_t)offsetof(struct s, f), good, bad \
	}
static const struct field fields[] = {
	FIELD(SENSOR_HELLO, sensor_hello, version, SENSOR_VERSION, SENSOR_VERSION + 1),
	FIELD(SENSOR_HELLO, sensor_hello, mode, SENSOR_AUDIT, 3),
	FIELD(SENSOR_HELLO, sensor_hello, mode, SENSOR_BPF, 0),
	FIELD(SENSOR_HELLO, sensor_hello, first, 1, 2),
	FIELD(SENSOR_VISIT, sensor_visit, ver, 6, 5),
	FIELD(SENSOR_VISIT, sensor_visit, visit, 1, 0),
	FIELD(SENSOR_EXEC, sensor_exec, p.tty, 9, -2),
	FIELD(SENSOR_DATA, sensor_data, stream, SENSOR_ERR, 4),
	FIELD(SENSOR_DATA, sensor_data, stream, SENSOR_OUT, 0),
	FIELD(SENSOR_DATA, sensor_data, echo, 1, 2),
	FIELD(SENSOR_LOGIN, sensor_login, ok, 1, 2),
	FIELD(SENSOR_CONNECT, sensor_connect, ver, 4, 0),
	FIELD(SENSOR_FILE, sensor_file, op, SENSOR_MODE, SENSOR_MODE + 1),
	FIELD(SENSOR_FILE, sensor_file, op, SENSOR_WRITTEN, 0),
	FIELD(SENSOR_KERNEL, sensor_kernel, what, SENSOR_PROGRAM, 3),
	FIELD(SENSOR_STATE, sensor_state, what, SENSOR_UNHOOKED, SENSOR_UNHOOKED + 1),
	FIELD(SENSOR_STATE, sensor_state, what, SENSOR_LINK_UP, 0),
};

static bool with_field(struct bed *b, const struct field *f, int8_t value)
{
	uint32_t at;

	memset(&b->s, 0, sizeof(b->s));
	memset(&b->p, 0, sizeof(b->p));
	say_plain(&b->s, f->type);
	at = (uint32_t)sizeof(struct sensor_head) + f->at;
	if (value < 0)
		memset(b->s.buf + at, 0xff, 3);
	b->s.buf[at] = (uint8_t)value;
	if (value < 0)
		b->s.buf[at + 3] = 0xff;
	feed(&b->p, b->s.buf, b->s.len);
	return sensor_next(&b->p, &b->r);
}

static void test_enums(void **state)
{
	struct bed *b = *state;

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++) {
		assert_true(with_field(b, &fields[i], fields[i].good));
		assert_false(with_field(b, &fields[i], fields[i].bad));
		assert_int_equal(b->p.malformed, 1);
	}
}

static void test_names_end(void **state)
{
	struct bed *b = *state;
	struct sensor_signal g;
	struct sensor_visit v;

	memset(&g, 'x', sizeof(g));
	g.p.tty = -1;
	say_record(&b->s, SENSOR_SIGNAL, &g, sizeof(g), 0, NULL);
	memset(&v, 'x', sizeof(v));
	v.ver = 4;
	say_record(&b->s, SENSOR_VISIT, &v, sizeof(v), 0, NULL);
	feed(&b->p, b->s.buf, b->s.len);
	assert_true(sensor_next(&b->p, &b->r));
	assert_int_equal(strlen(b->r.u.signal.p.comm), SENSOR_COMM - 1);
	assert_int_equal(strlen(b->r.u.signal.to_comm), SENSOR_COMM - 1);
	assert_true(sensor_next(&b->p, &b->r));
	assert_int_equal(strlen(b->r.u.visit.comm), SENSOR_COMM - 1);
	assert_int_equal(b->r.u.visit.peer[3], 'x');
	for (unsigned i = 4; i < 16; i++) /* IPv4 has no more */
		assert_int_equal(b->r.u.visit.peer[i] | b->r.u.visit.local[i], 0);
}

static void test_gaps(void **state)
{
	struct bed *b = *state;

	b->s.seq = 5; /* what was said before we listened is no gap */
	say_plain(&b->s, SENSOR_BEAT);
	b->s.seq += 3;
	say_plain(&b->s, SENSOR_BEAT);
	b->s.seq = 0; /* a new life */
	say_plain(&b->s, SENSOR_HELLO);
	say_plain(&b->s, SENSOR_BEAT);
	feed(&b->p, b->s.buf, b->s.len);
	while (sensor_next(&b->p, &b->r))
		;
	assert_int_equal(b->p.records, 4);
	assert_int_equal(b->p.gaps, 3);
	b->s.len = 0;
	b->s.seq = 1; /* a new life, its hello did not come */
	say_plain(&b->s, SENSOR_BEAT);
	b->s.seq = UINT64_MAX; /* nothing overflows */
	say_plain(&b->s, SENSOR_BEAT);
	b->s.seq = UINT64_MAX - 1;
	say_plain(&b->s, SENSOR_BEAT);
	feed(&b->p, b->s.buf, b->s.len);
	assert_true(sensor_next(&b->p, &b->r));
	assert_int_equal(b->p.gaps, 4);
	while (sensor_next(&b->p, &b->r))
		;
	assert_true(b->p.gaps == UINT64_MAX);
}

/* Nothing but junk for long: it neither fills the buffer nor stays uncounted. */
static void test_junk(void **state)
{
	struct bed *b = *state;
	uint64_t all = 0, rng = 1;

	for (unsigned i = 0; i < 3000; i++) {
		uint8_t bytes[997];
		size_t room;

		for (unsigned j = 0; j < sizeof(bytes); j++) {
			rng = rng * 6364136223846793005u + 1442695040888963407u;
			bytes[j] = (uint8_t)(rng >> 40);
		}
		memcpy(bytes + i % 900, "MON1", 4);
		(void)sensor_room(&b->p, &room);
		assert_true(room >= sizeof(bytes));
		feed(&b->p, bytes, sizeof(bytes));
		all += sizeof(bytes);
		while (sensor_next(&b->p, &b->r))
			;
		assert_true(b->p.records == 0);
	}
	assert_int_equal(b->p.junk_bytes + (b->p.len - b->p.at), all);
	assert_true(b->p.malformed >= 2990 && b->p.malformed <= 3010);
	assert_true(b->p.len - b->p.at <= sizeof(struct sensor_head) + SENSOR_PAYLOAD);
}

/* A million made-up records, as fast as they come: each is there once, and memory is what it was. */
static void test_million(void **state)
{
	struct bed *b = *state;
	uint64_t n = 0, sent = 0, lost = 0;

	while (sent < 1000000) {
		b->s.len = 0;
		for (unsigned type = SENSOR_BEAT; type < SENSOR_TYPES; type++, sent++) {
			if (sent % 1000 == 999) { /* taken away */
				b->s.seq++;
				lost++;
			} else {
				say_plain(&b->s, type);
			}
		}
		feed(&b->p, b->s.buf, b->s.len);
		while (sensor_next(&b->p, &b->r))
			n++;
	}
	assert_int_equal(n, sent - lost);
	assert_int_equal(b->p.records, n);
	assert_in_range(b->p.gaps, lost - 1, lost); /* the last may have nothing behind it */
	assert_int_equal(b->p.junk_bytes + b->p.malformed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_type, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte_for_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enums, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gaps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_junk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_million, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
