/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of terminals' bytes, sshd's talk and files between the kernel's ring and the serial port. */
#include "monitor/auth.h"
#include "monitor/login.h"
#include "monitor/monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct monitor *fresh(void)
{
	struct monitor *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->ship.fd = -1;
	return m;
}

/* The next record that was shipped; NULL: there is none. */
static const uint8_t *next(struct monitor *m, struct sensor_head *ret)
{
	struct ship *s = &m->ship;

	if (s->at == s->len)
		return NULL;
	memcpy(ret, s->buf + s->at, sizeof(*ret));
	const uint8_t *payload = s->buf + s->at + sizeof(*ret);

	s->at += (uint32_t)sizeof(*ret) + ret->len;
	assert_true(s->at <= s->len);
	return payload;
}

/* Text number n behind a struct of that size, as a string of the caller's. */
static const char *text(const uint8_t *payload, size_t fixed, int n, char out[256])
{
	const uint8_t *at = payload + fixed;
	uint16_t len;

	for (;; n--) {
		memcpy(&len, at, sizeof(len));
		if (n == 0)
			break;
		at += 2 + len;
	}
	assert_true(len < 256);
	memcpy(out, at + 2, len);
	out[len] = 0;
	return out;
}

/* ---- data --------------------------------------------------------------------------------------------- */

static void say_skipped(struct monitor *m, uint8_t stream, int tty, uint64_t ms, const char *bytes,
			uint32_t skipped)
{
	struct {
		struct sensor_data d;
		uint16_t len;
		char bytes[4096];
	} __attribute__((packed))
	r = {.d = {.p = {.visit = 7, .tty = tty}, .stream = stream, .echo = 1}};
	struct sensor_head h = {.type = SENSOR_DATA, .boot_ns = ms * NS_PER_MS};

	r.d.skipped = skipped;
	r.len = (uint16_t)strlen(bytes);
	memcpy(r.bytes, bytes, r.len);
	data_take(m, &h, (uint8_t *)&r, sizeof(r.d) + 2 + r.len);
}

static void say(struct monitor *m, uint8_t stream, int tty, uint64_t ms, const char *bytes)
{
	say_skipped(m, stream, tty, ms, bytes, 0);
}

static void expect_data(struct monitor *m, const char *want)
{
	struct sensor_head h;
	const uint8_t *p = next(m, &h);
	char out[256];

	assert_non_null(p);
	assert_int_equal(h.type, SENSOR_DATA);
	assert_string_equal(text(p, sizeof(struct sensor_data), 0, out), want);
}

static void data_is_told_together(void **state)
{
	struct monitor *m = fresh();
	struct sensor_head h;

	say(m, SENSOR_OUT, 1, 100, "a");
	say(m, SENSOR_OUT, 1, 101, "\r\n");
	say(m, SENSOR_OUT, 1, 119, "b");
	assert_null(next(m, &h));
	say(m, SENSOR_OUT, 1, 121, "late");
	expect_data(m, "a\r\nb");
	say(m, SENSOR_IN, 1, 122, "typed");
	expect_data(m, "late");
	say(m, SENSOR_IN, 2, 122, "elsewhere");
	expect_data(m, "typed");
	say_skipped(m, SENSOR_IN, 2, 122, "later", 5);
	expect_data(m, "elsewhere");
	say_skipped(m, SENSOR_IN, 2, 122, "", 9);
	expect_data(m, "later");
	expect_data(m, "");
	data_flush(m);
	assert_null(next(m, &h));
	free(m->data);
	free(m);
}

static void data_has_an_end(void **state)
{
	struct monitor *m = fresh();
	struct sensor_head h;
	char line[1001];
	uint64_t sum = 0;

	memset(line, 'x', 1000);
	line[1000] = 0;
	for (int i = 0; i < 20; i++)
		say(m, SENSOR_OUT, 1, 5, line);
	data_flush(m);
	for (const uint8_t *p; (p = next(m, &h));) {
		assert_true(h.len <= sizeof(struct sensor_data) + 2 + 4096);
		sum += h.len - sizeof(struct sensor_data) - 2;
	}
	assert_int_equal(sum, 20000);
	/* A length that is not true is no record. */
	struct {
		struct sensor_data d;
		uint16_t len;
		char bytes[8];
	} __attribute__((packed)) r = {.len = 4000};

	h.type = SENSOR_DATA;
	data_take(m, &h, (uint8_t *)&r, sizeof(r));
	data_take(m, &h, (uint8_t *)&r, 3);
	data_flush(m);
	assert_null(next(m, &h));
	free(m->data);
	free(m);
}

/* ---- logins ------------------------------------------------------------------------------------------- */

static uint8_t *put_u32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (24 - 8 * i));
	return at + 4;
}

static uint8_t *put_string(uint8_t *at, const char *s)
{
	at = put_u32(at, (uint32_t)strlen(s));
	memcpy(at, s, strlen(s));
	return at + strlen(s);
}

/* As sshd reads: the length, then the rest; and writes: length and type, then the rest. */
static bool message(struct login_talk *t, bool writes, uint8_t type, const uint8_t *body,
		    size_t len, bool *ok)
{
	uint8_t all[2048];
	size_t first = writes ? 5 : 4;

	put_u32(all, (uint32_t)len + 1);
	all[4] = type;
	memcpy(all + 5, body, len);
	bool found = login_feed(t, writes, all, first, first, ok);

	return found | login_feed(t, writes, all + first, len + 5 - first, len + 5 - first, ok);
}

static bool ask(struct login_talk *t, uint8_t type, const char *s)
{
	uint8_t body[1100];
	bool ok;

	return message(t, false, type, body, (size_t)(put_string(body, s) - body), &ok);
}

static bool answer(struct login_talk *t, uint8_t type, uint32_t v, bool *ok)
{
	uint8_t body[8];

	put_u32(put_u32(body, v), 0);
	return message(t, true, type, body, 8, ok);
}

static void login_by_password(void **state)
{
	struct login_talk t = {0};
	bool ok = true;

	assert_false(ask(&t, 8, "root"));
	assert_false(answer(&t, 9, 1, &ok));
	assert_false(ask(&t, 12, "letmein"));
	assert_true(answer(&t, 13, 0, &ok));
	assert_false(ok);
	assert_int_equal(t.user_len, 4);
	assert_memory_equal(t.user, "root", 4);
	assert_memory_equal(t.secret, "letmein", 7);
	assert_string_equal(t.method, "password");
	/* The answer was for that one; none without a question. */
	assert_false(answer(&t, 13, 1, &ok));
	assert_false(ask(&t, 12, ""));
	assert_true(answer(&t, 13, 1, &ok));
	assert_true(ok);
	assert_int_equal(t.secret_len, 0);
}

static void login_by_questions(void **state)
{
	struct login_talk t = {0};
	uint8_t body[256], *at;
	bool ok = false;

	ask(&t, 8, "joe");
	at = put_string(put_u32(body, 1), "bear");
	message(&t, false, 108, body, (size_t)(at - body), &ok);
	assert_false(answer(&t, 109, 0, &ok));
	/* One question more, then none. */
	at = put_u32(put_u32(put_string(put_string(put_u32(body, 0), ""), ""), 0), 1);
	assert_false(message(&t, true, 107, body, (size_t)(at - body), &ok));
	at = put_u32(put_u32(put_string(put_string(put_u32(body, 0), ""), ""), 0), 0);
	assert_true(message(&t, true, 107, body, (size_t)(at - body), &ok));
	assert_true(ok);
	assert_string_equal(t.method, "keyboard-interactive");
	assert_memory_equal(t.secret, "bear", 4);
	at = put_string(put_u32(body, 1), "bad");
	message(&t, false, 108, body, (size_t)(at - body), &ok);
	at = put_u32(put_u32(put_string(put_string(put_u32(body, UINT32_MAX), ""), ""), 0), 0);
	assert_true(message(&t, true, 107, body, (size_t)(at - body), &ok));
	assert_false(ok);
}

static void login_by_key(void **state)
{
	struct login_talk t = {0};
	uint8_t body[256],
		*at = put_string(put_string(put_string(put_u32(body, 1), ""), ""), "abc");
	size_t len = (size_t)(put_u32(at, 1) - body);
	bool ok = false;

	ask(&t, 8, "root");
	message(&t, false, 22, body, len, &ok);
	assert_true(answer(&t, 23, 0, &ok));
	assert_false(ok);
	message(&t, false, 22, body, len, &ok);
	assert_false(answer(&t, 23, 1, &ok));
	message(&t, false, 24, body, len, &ok);
	assert_true(answer(&t, 25, 0, &ok)); /* no error */
	assert_true(ok);
	assert_string_equal(t.method, "publickey");
	/* sha256("abc") in base64 */
	assert_int_equal(t.secret_len, 50);
	assert_memory_equal(t.secret, "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0", 50);
}

static void login_believes_nothing(void **state)
{
	struct login_talk t = {0};
	uint8_t junk[1500];
	bool ok;

	memset(junk, 0xff, sizeof(junk));
	assert_false(login_feed(&t, false, junk, sizeof(junk), sizeof(junk), &ok));
	memset(&t, 0, sizeof(t));
	/* Longer than is kept, and only its beginning is there: not believed, but what follows is. */
	put_u32(junk, 5001);
	junk[4] = 12;
	put_u32(junk + 5, 4996);
	assert_false(login_feed(&t, false, junk, 1024, 5005, &ok));
	assert_false(answer(&t, 13, 1, &ok));
	ask(&t, 12, "short");
	assert_true(answer(&t, 13, 1, &ok));
	/* A string that claims more than there is. */
	junk[0] = junk[1] = junk[2] = 0;
	junk[3] = 5;
	junk[4] = 12;
	put_u32(junk + 5, 600);
	assert_false(login_feed(&t, false, junk, 9, 9, &ok));
	assert_false(answer(&t, 13, 1, &ok));
	/* The end of a call is not there: no memory is read that is not. */
	assert_false(login_feed(&t, true, junk, 0, 100000, &ok));
}

static void login_is_a_record(void **state)
{
	struct monitor *m = fresh();
	const uint8_t said[] = {0, 0, 0, 8, 12, 0, 0, 0, 3, 'a', 'b', 'c'},
		      yes[] = {0, 0, 0, 5, 13, 0, 0, 0, 1};
	uint8_t payload[sizeof(struct monitor_auth) + 64];
	struct monitor_auth a = {.p = {.visit = 3, .pid = 9}, .inode = 5, .size = sizeof(said)};
	struct sensor_head h = {.type = SENSOR_LOGIN, .boot_ns = 5};
	char out[256];

	memcpy(payload, &a, sizeof(a));
	memcpy(payload + sizeof(a), said, sizeof(said));
	login_take(m, &h, payload, sizeof(a) + sizeof(said));
	a.writes = 1;
	a.size = sizeof(yes);
	a.p.pid = 10; /* somebody else's */
	memcpy(payload, &a, sizeof(a));
	memcpy(payload + sizeof(a), yes, sizeof(yes));
	login_take(m, &h, payload, sizeof(a) + sizeof(yes));
	assert_null(next(m, &h));
	a.p.pid = 9;
	memcpy(payload, &a, sizeof(a));
	login_take(m, &h, payload, sizeof(a) + sizeof(yes));
	const uint8_t *p = next(m, &h);
	struct sensor_login l;

	assert_non_null(p);
	memcpy(&l, p, sizeof(l));
	assert_int_equal(l.ok, 1);
	assert_int_equal(l.p.visit, 3);
	assert_string_equal(text(p, sizeof(l), 1, out), "abc");
	assert_string_equal(text(p, sizeof(l), 2, out), "password");
	free(m->logins);
	free(m);
}

static void digests(void **state)
{
	static const uint8_t empty[4] = {0xe3, 0xb0, 0xc4, 0x42}, two[4] = {0x24, 0x8d, 0x6a, 0x61};
	uint8_t d[32];

	digest_sha256("", 0, d);
	assert_memory_equal(d, empty, 4);
	/* FIPS 180: 56 bytes, which need a second block. */
	digest_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, d);
	assert_memory_equal(d, two, 4);
}

/* ---- files -------------------------------------------------------------------------------------------- */

static char *make_file(char path[64], size_t size)
{
	strcpy(path, "/tmp/skt-content-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	return path;
}

static void tell_file(struct monitor *m, uint8_t op, const char *path, const char *second)
{
	uint8_t payload[512] = {0};
	struct sensor_file f = {.p = {.visit = 7, .pid = 8}, .op = op};
	struct sensor_head h = {.type = SENSOR_FILE};
	struct stat s;

	if (stat(second[0] ? second : path, &s) == 0)
		f.inode = s.st_ino;
	memcpy(payload, &f, sizeof(f));
	const uint8_t *end = payload + sizeof(payload);
	uint8_t *at = ship_text(payload + sizeof(f), end, path, strlen(path));

	at = ship_text(at, end, second, strlen(second));
	file_take(m, &h, payload, (size_t)(at - payload));
	assert_non_null(next(m, &h));
	assert_int_equal(h.type, SENSOR_FILE);
}

/* Bytes of contents that came until all was told; the flags of the last piece. */
static uint64_t gather(struct monitor *m, uint32_t *ret_flags, int *ret_files)
{
	struct sensor_head h;
	struct sensor_content c;
	uint64_t bytes = 0, now = NS_PER_SEC;

	*ret_files = 0;
	for (bool more = true; more; now += NS_PER_SEC) {
		memset(m->ship.buckets, 0, sizeof(m->ship.buckets));
		more = content_tick(m, now);
		for (const uint8_t *p; (p = next(m, &h));) {
			assert_int_equal(h.type, SENSOR_CONTENT);
			memcpy(&c, p, sizeof(c));
			assert_int_equal(c.visit, 7);
			uint16_t path, len;

			memcpy(&path, p + sizeof(c), 2);
			memcpy(&len, p + sizeof(c) + 2 + path, 2);
			assert_int_equal(h.len, sizeof(c) + 4 + path + len);
			assert_true((path > 0) == (c.offset == 0));
			bytes += len;
			*ret_flags = c.flags;
			*ret_files += (c.flags & SENSOR_CONTENT_LAST) != 0;
		}
	}
	return bytes;
}

static void end_content(struct monitor *m)
{
	free(m->content);
	free(m);
}

static void content_comes_once(void **state)
{
	struct monitor *m = fresh();
	uint32_t flags = 0;
	int files;
	char path[64], other[80];

	tell_file(m, SENSOR_WRITTEN, make_file(path, 20000), "");
	assert_int_equal(unlink(path), 0); /* too late */
	assert_int_equal(gather(m, &flags, &files), 20000);
	assert_int_equal(flags, SENSOR_CONTENT_LAST);
	assert_int_equal(files, 1);
	tell_file(m, SENSOR_WRITTEN, make_file(path, 10), "");
	tell_file(m, SENSOR_WRITTEN, path, "");
	snprintf(other, sizeof(other), "%s-other", path);
	assert_int_equal(rename(path, other), 0);
	tell_file(m, SENSOR_RENAMED, path, other);
	assert_int_equal(gather(m, &flags, &files), 10);
	assert_int_equal(files, 1);
	/* Neither what is empty, nor no file, nor deleted, nor a link to elsewhere. */
	tell_file(m, SENSOR_DELETED, other, "");
	assert_int_equal(truncate(other, 0), 0);
	tell_file(m, SENSOR_WRITTEN, other, "");
	tell_file(m, SENSOR_WRITTEN, "/tmp", "");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(symlink("/etc/passwd", other), 0);
	tell_file(m, SENSOR_WRITTEN, other, "");
	tell_file(m, SENSOR_WRITTEN, "relative", "");
	assert_int_equal(gather(m, &flags, &files), 0);
	unlink(other);
	end_content(m);
}

static void content_is_cut(void **state)
{
	struct monitor *m = fresh();
	uint32_t flags = 0;
	int files;
	char path[64];

	tell_file(m, SENSOR_WRITTEN, make_file(path, 33u << 20), "");
	assert_int_equal(gather(m, &flags, &files), 32u << 20);
	assert_int_equal(flags, SENSOR_CONTENT_LAST | SENSOR_CONTENT_CUT);
	unlink(path);
	end_content(m);
}

static void content_is_counted(void **state)
{
	struct monitor *m = fresh();
	uint32_t flags = 0;
	int files;
	char path[64];

	for (int i = 0; i < 200; i++) {
		tell_file(m, SENSOR_WRITTEN, make_file(path, 100), "");
		unlink(path);
	}
	assert_int_equal(m->ship.lost[SENSOR_CONTENT], 200 - 128);
	assert_int_equal(m->ship.lost_bytes, 7200);
	assert_int_equal(gather(m, &flags, &files), 12800);
	assert_int_equal(files, 128);
	end_content(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_told_together), cmocka_unit_test(data_has_an_end),
		cmocka_unit_test(login_by_password),     cmocka_unit_test(login_by_questions),
		cmocka_unit_test(login_by_key),          cmocka_unit_test(login_believes_nothing),
		cmocka_unit_test(login_is_a_record),     cmocka_unit_test(digests),
		cmocka_unit_test(content_comes_once),    cmocka_unit_test(content_is_cut),
		cmocka_unit_test(content_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
