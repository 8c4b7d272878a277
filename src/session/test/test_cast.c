/* SPDX-License-Identifier: BSD-2-Clause */
/* Recordings: whatever the bytes and however they are cut, the text is the same, and each line is a line. */
#include "session/test/rig.h"

#include "session/session_priv.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct heard { /* what a recording says */
	char out[65536], in[65536];
	size_t n_out, n_in;
	uint32_t lines, marks, sizes;
	double last;
	bool fine;
	json_t *header;
};

static void read_line(struct heard *h, const char *line)
{
	json_t *o = json_loads(line, JSON_ALLOW_NUL, NULL);
	h->lines++;
	if (h->lines == 1) {
		h->header = o;
		h->fine = json_is_object(o);
		return;
	}
	double at = json_number_value(json_array_get(o, 0));
	const char *code = json_string_value(json_array_get(o, 1));
	const json_t *text = json_array_get(o, 2);
	h->fine = h->fine && json_array_size(o) == 3 && at >= h->last && code != NULL &&
		  strlen(code) == 1 && strchr("oimr", code[0]) != NULL && json_is_string(text);
	h->last = at;
	if (h->fine && (code[0] == 'o' || code[0] == 'i')) {
		size_t *n = code[0] == 'o' ? &h->n_out : &h->n_in, len = json_string_length(text);
		char *to = code[0] == 'o' ? h->out : h->in;
		if (*n + len <= sizeof(h->out)) {
			memcpy(to + *n, json_string_value(text), len);
			*n += len;
		}
	}
	h->marks += h->fine && code[0] == 'm';
	h->sizes += h->fine && code[0] == 'r';
	json_decref(o);
}

static struct heard *read_cast(struct rig *r, uint64_t id, const char *ending)
{
	struct heard *h = calloc(1, sizeof(*h));
	char name[48], text[SESSION_ID_TEXT];
	assert_non_null(h);
	snprintf(name, sizeof(name), "%s%s.cast", session_id_text(id, text), ending);
	char *all = rig_read(r, rig_day(r, name));
	size_t len = strlen(all);
	assert_true(len == 0 || all[len - 1] == '\n');
	char *save = NULL;
	for (char *line = strtok_r(all, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		read_line(h, line);
	free(all);
	return h;
}

static void forget(struct heard *h)
{
	json_decref(h->header);
	free(h);
}

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	assert_non_null(r);
	rig_open(r, 1);
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;
	rig_remove(r);
	free(r);
	return 0;
}

/* Pieces of that length; returns what the recording has. */
static struct heard *in_pieces(struct rig *r, uint64_t visit, const uint8_t *data, size_t len,
			       size_t piece)
{
	uint64_t id = rig_visit(r, visit, "198.51.100.7", (uint16_t)visit, 22);
	for (size_t at = 0; at < len; at += piece)
		rig_data(r, visit, 0, SENSOR_OUT, true, data + at,
			 len - at < piece ? len - at : piece);
	rig_visit_end(r, visit);
	rig_wait(r, 4 * NS_PER_SEC);
	struct heard *h = read_cast(r, id, "");
	assert_true(h->fine);
	return h;
}

static void test_pieces(void **state)
{
	struct rig *r = *state;
	static const char hard[] =
		"a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9d\xff\xc3(\xe2\x82(\xf0\x9f\x90(\xed\xa0\x80"
		"\xc0\x80\xf5\x80\x80\x80\x80\xc2\x9b\x1b[31m\\\"\x7f\r\n\xe2\x82";
	static const char want[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9d" /* what was right */
				   "\xef\xbf\xbd\xef\xbf\xbd("             /* ff, c3 ( */
				   "\xef\xbf\xbd("                         /* e2 82 ( */
				   "\xef\xbf\xbd("                         /* f0 9f 90 ( */
				   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"  /* a surrogate */
				   "\xef\xbf\xbd\xef\xbf\xbd"              /* an overlong form */
				   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
				   "\xc2\x9b\x1b[31m\\\"\x7f\r\n"
				   "\xef\xbf\xbd"; /* it never became whole */
	for (size_t piece = 1; piece < sizeof(hard); piece++) {
		struct heard *h =
			in_pieces(r, piece, (const uint8_t *)hard, sizeof(hard) - 1, piece);
		assert_int_equal(h->n_out, sizeof(want) - 1);
		assert_memory_equal(h->out, want, sizeof(want) - 1);
		forget(h);
	}
}

static void test_long(void **state)
{
	struct rig *r = *state;
	uint8_t data[9000];
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i % 3 == 0 ? 0xe2 : i % 3 == 1 ? 0x82 : 0xac);
	for (size_t piece = 2047; piece < 2051; piece++) {
		struct heard *h = in_pieces(r, piece, data, sizeof(data), piece);
		assert_int_equal(h->n_out, sizeof(data));
		assert_memory_equal(h->out, data, sizeof(data));
		forget(h);
	}
	memset(data, 0, sizeof(data)); /* what grows most */
	struct heard *h = in_pieces(r, 1, data, sizeof(data), 4096);
	assert_int_equal(h->n_out, sizeof(data));
	assert_memory_equal(h->out, data, sizeof(data));
	forget(h);
}

static void test_header(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_visit(r, 1, "2001:db8::7", 1, 22);
	rig_login(r, 1, "ro\"ot\x1b", "x", true);
	rig_size(r, 1, 0, 0, 0);
	rig_size(r, 1, 0, 60000, 60000); /* nobody's terminal */
	rig_size(r, 1, 0, 120, 40);
	rig_size(r, 1, 0, 121, 41);
	rig_data(r, 1, 0, SENSOR_OUT, true, "x", 1);
	rig_size(r, 1, 0, 121, 41);
	rig_size(r, 1, 0, 80, 24);
	rig_data(r, 1, 0, SENSOR_IN, true, "y", 1);
	rig_wait(r, NS_PER_SEC);
	struct heard *h = read_cast(r, id, "");
	assert_true(h->fine);
	assert_int_equal(json_integer_value(json_object_get(h->header, "version")), 2);
	assert_int_equal(json_integer_value(json_object_get(h->header, "width")), 121);
	assert_int_equal(json_integer_value(json_object_get(h->header, "height")), 41);
	assert_int_equal(json_integer_value(json_object_get(h->header, "timestamp")),
			 RIG_START / NS_PER_SEC);
	assert_string_equal(json_string_value(json_object_get(h->header, "title")),
			    "ro\"ot\\x1b from 2001:db8::7 at web (ssh)");
	assert_int_equal(h->sizes, 1);
	assert_int_equal(h->n_in, 1);
	forget(h);
}

/* Another terminal in the same visit has a recording of its own; the fifth has none and is counted. */
static void test_terminals(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_visit(r, 1, "198.51.100.7", 1, 22);
	for (int tty = 0; tty < 5; tty++)
		rig_data(r, 1, tty, SENSOR_OUT, true, &"01234"[tty], 1);
	rig_wait(r, NS_PER_SEC);
	for (int i = 0; i < 4; i++) {
		char ending[8] = "";
		if (i > 0)
			snprintf(ending, sizeof(ending), "-%d", i + 1);
		struct heard *h = read_cast(r, id, ending);
		assert_true(h->fine && h->n_out == 1 && h->out[0] == '0' + i);
		forget(h);
	}
	struct heard *h = read_cast(r, id, "-5");
	assert_int_equal(h->lines, 0);
	forget(h);
	assert_int_equal(book_find(r->book, id)->skipped, 1);
}

static void test_cut(void **state)
{
	struct rig *r = *state;
	rig_close(r);
	r->conf.conf.session_bytes = 65536;
	rig_again(r);
	uint64_t id = rig_visit(r, 1, "198.51.100.7", 1, 22);
	char noise[1000];
	memset(noise, '~', sizeof(noise));
	for (int i = 0; i < 200; i++)
		rig_data(r, 1, 0, SENSOR_OUT, true, noise, sizeof(noise));
	rig_size(r, 1, 0, 90, 30);
	rig_wait(r, NS_PER_SEC);
	struct heard *h = read_cast(r, id, "");
	assert_true(h->fine && h->n_out > 50000 && h->n_out < 65536);
	assert_int_equal(h->marks, 1);
	assert_int_equal(h->sizes, 0);
	forget(h);
	char name[48], text[SESSION_ID_TEXT];
	snprintf(name, sizeof(name), "%s.cast", session_id_text(id, text));
	char *all = rig_read(r, rig_day(r, name));
	assert_true(strlen(all) <= 65536);
	assert_non_null(strstr(all, "recording cut"));
	free(all);
}

/* What the guest could not keep is told where it is missing. */
static void test_gap(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_visit(r, 1, "198.51.100.7", 1, 22);
	struct sensor_record rec = {.type = SENSOR_DATA, .boot_ns = r->boot_ns, .n_texts = 1};
	rec.u.data.p.visit = 1;
	rec.u.data.stream = SENSOR_OUT;
	rec.u.data.skipped = 70000;
	rec.texts[0] = (struct sensor_text){(const uint8_t *)"z", 1};
	rig_data(r, 1, 0, SENSOR_OUT, true, "a", 1);
	session_record(r->book, 0, &rec, r->now);
	rig_wait(r, NS_PER_SEC);
	struct heard *h = read_cast(r, id, "");
	assert_true(h->fine && h->marks == 1 && h->n_out == 2);
	forget(h);
	assert_int_equal(book_find(r->book, id)->output, 70002);
}

/* More recordings than buffers, at once. */
static void test_buffers(void **state)
{
	struct rig *r = *state;
	uint64_t ids[700];
	char word[16];
	for (int turn = 0; turn < 3; turn++)
		for (uint64_t v = 0; v < 700; v++) {
			if (turn == 0)
				ids[v] = rig_visit(r, v + 1, "198.51.100.7", (uint16_t)(v + 1), 22);
			snprintf(word, sizeof(word), "%d:%d ", turn, (int)v);
			rig_data(r, v + 1, 0, SENSOR_OUT, true, word, strlen(word));
		}
	rig_wait(r, 2 * NS_PER_SEC);
	for (int v = 0; v < 700; v += 23) {
		char want[48];
		snprintf(want, sizeof(want), "0:%d 1:%d 2:%d ", v, v, v);
		struct heard *h = read_cast(r, ids[v], "");
		assert_true(h->fine);
		assert_int_equal(h->n_out, strlen(want));
		assert_memory_equal(h->out, want, strlen(want));
		forget(h);
	}
}

/* A password that isn't shown: recorded as input, and listed. */
static void test_hidden(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_visit(r, 1, "198.51.100.7", 1, 22);
	static const char *const typed[] = {"hun", "tex\x7f", "r2\r", "\r"};
	rig_data(r, 1, 0, SENSOR_OUT, true, "Password: ", 10);
	for (size_t i = 0; i < ARRAY_LEN(typed); i++)
		rig_data(r, 1, 0, SENSOR_IN, false, typed[i], strlen(typed[i]));
	rig_data(r, 1, 0, SENSOR_IN, true, "id\r", 3);
	rig_visit_end(r, 1);
	rig_wait(r, 4 * NS_PER_SEC);
	char name[48], text[SESSION_ID_TEXT];
	snprintf(name, sizeof(name), "%s.json", session_id_text(id, text));
	char *all = rig_read(r, rig_day(r, name));
	json_t *o = json_loads(all, 0, NULL);
	const json_t *hidden = json_object_get(o, "hidden");
	assert_int_equal(json_array_size(hidden), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(hidden, 0), "text")),
			    "hunter2");
	json_decref(o);
	free(all);
	struct heard *h = read_cast(r, id, "");
	assert_int_equal(h->n_in, 14);
	forget(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_header, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_terminals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gap, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_buffers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hidden, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
