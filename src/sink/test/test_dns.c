/* SPDX-License-Identifier: BSD-2-Clause */
/* The name server: made-up answers, the upstream resolver, budget, tunnels, and rubbish. */
#include "sink/sink_priv.h"
#include "sink/test/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

static size_t ask_udp(struct fake *f, unsigned guest, const char *name, uint16_t type, uint8_t *out)
{
	uint8_t q[300];
	struct sink_ends e = fake_ends(guest, 5353);
	size_t n = fake_query(name, type, q);
	return sink_datagram(f->sink, SINK_DNS, &e, q, n, f->now, out);
}

static void answers_are_made_up_and_stay(void **state)
{
	uint8_t a[SINK_ANSWER], b[SINK_ANSWER], q[300];
	struct fake *f = fake_new(false);
	(void)state;
	size_t question = fake_query("c2.evil.example", 1, q);
	size_t n = ask_udp(f, 0, "c2.evil.example", 1, a);
	assert_int_equal(n, question + 16);
	assert_int_equal(load_be16(a), 0x1234);
	assert_int_equal(load_be16(a + 2), 0x8180); /* answer, recursion wanted and had, no error */
	assert_int_equal(load_be16(a + 6), 1);
	assert_memory_equal(a + 12, q + 12, question - 12);
	const uint8_t *ip = a + question + 12;
	assert_true(memcmp(ip, "\xc0\x00\x02", 3) == 0 || memcmp(ip, "\xc6\x33\x64", 3) == 0);
	assert_true(ip[3] >= 1 && ip[3] <= 254);
	/* The same name in other letters, for another guest, later. */
	f->now += 3600 * NS_PER_SEC;
	assert_int_equal(ask_udp(f, 1, "C2.Evil.EXAMPLE", 1, b), n);
	assert_memory_equal(b + question, a + question, 16);
	assert_memory_equal(b + 12,
			    "\x02"
			    "C2\x04"
			    "Evil",
			    8);

	assert_int_equal(ask_udp(f, 0, "c2.evil.example", 28, a), question + 28);
	assert_memory_equal(a + question + 12, "\x20\x01\x0d\xb8", 4);
	assert_int_equal(ask_udp(f, 0, "evil.example", 15, a),
			 fake_query("evil.example", 15, q) + 21);
	assert_int_equal(ask_udp(f, 0, "evil.example", 16, a), fake_query("evil.example", 16, q));
	assert_int_equal(load_be16(a + 2) & 15, 0);
	n = fake_query("1.0.0.10.in-addr.arpa", 12, q);
	assert_true(ask_udp(f, 0, "1.0.0.10.in-addr.arpa", 12, a) > n);
	assert_non_null(memmem(a + n, 60,
			       "\x07"
			       "example\x03"
			       "net",
			       13));
	const struct event *e = fake_event(f, "query", 0);
	assert_non_null(strstr(e->text, "PTR 1.0.0.10.in-addr.arpa: host-"));
	assert_int_equal(f->asks, 0);
	fake_free(f);
}

static void rubbish_is_told_and_harmless(void **state)
{
	uint8_t q[600], out[SINK_ANSWER];
	struct fake *f = fake_new(false);
	struct sink_ends e = fake_ends(0, 5353);
	size_t n = fake_query("www.example.org", 1, q);
	(void)state;
	for (size_t len = 0; len < n; len++) { /* cut anywhere */
		size_t got = sink_datagram(f->sink, SINK_DNS, &e, q, len, f->now, out);
		assert_int_equal(got, len < 12 ? 0 : 12);
		if (got > 0)
			assert_int_equal(load_be16(out + 2) & 15, 1);
	}
	q[2] = 0x80; /* an answer: never answered, or two of us would talk for ever */
	assert_int_equal(sink_datagram(f->sink, SINK_DNS, &e, q, n, f->now, out), 0);
	q[2] = 0x28; /* update */
	assert_int_equal(sink_datagram(f->sink, SINK_DNS, &e, q, n, f->now, out), 12);
	assert_int_equal(load_be16(out + 2) & 15, 4);
	q[2] = 1;
	q[12] = 0xc0; /* a pointer where nothing can be pointed to */
	q[13] = 12;
	assert_int_equal(sink_datagram(f->sink, SINK_DNS, &e, q, n, f->now, out), 12);
	memset(q + 12, 1, sizeof(q) - 12); /* longer than a name may be */
	assert_int_equal(sink_datagram(f->sink, SINK_DNS, &e, q, sizeof(q), f->now, out), 12);
	assert_non_null(fake_event(f, "bytes", 0));
	fake_free(f);
}

/* What a resolver would say to the query that was asked. */
static size_t resolver_says(const struct fake *f, uint8_t *out, size_t extra)
{
	memcpy(out, f->asked, f->n_asked);
	memset(out + f->n_asked, 7, extra);
	out[2] = 0x81;
	out[3] = 0x80;
	out[7] = 1;
	return f->n_asked + extra;
}

static void upstream_is_asked_and_believed_only_then(void **state)
{
	uint8_t out[SINK_ANSWER], said[SINK_ANSWER], q[300];
	struct fake *f = fake_new(true);
	(void)state;
	assert_int_equal(ask_udp(f, 0, "www.example.org", 1, out), 0);
	assert_int_equal(f->asks, 1);
	size_t n = fake_query("www.example.org", 1, q);
	assert_int_equal(f->n_asked, n);
	assert_memory_equal(f->asked + 12, q + 12, n - 12);
	size_t len = resolver_says(f, said, 16);
	said[0] ^= 1; /* another id */
	sink_answered(f->sink, said, len, f->now);
	said[0] ^= 1;
	said[13] ^= 1; /* another name */
	sink_answered(f->sink, said, len, f->now);
	said[13] ^= 1;
	said[2] = 1; /* no answer */
	sink_answered(f->sink, said, len, f->now);
	said[2] = 0x81;
	assert_int_equal(f->n_replied, 0);
	sink_answered(f->sink, said, len, f->now);
	assert_int_equal(f->n_replied, len);
	assert_int_equal(load_be16(f->replied), 0x1234);
	f->n_replied = 0; /* once */
	sink_answered(f->sink, said, len, f->now);
	assert_int_equal(f->n_replied, 0);
	/* What does not fit is to be asked for again by TCP. */
	ask_udp(f, 0, "big.example.org", 16, out);
	sink_answered(f->sink, said, resolver_says(f, said, 900), f->now);
	assert_int_equal(f->n_replied, fake_query("big.example.org", 16, q));
	assert_int_equal(f->replied[2] & 2, 2);
	/* Silence is an error in the end. */
	ask_udp(f, 0, "silent.example.org", 1, out);
	f->now += 5 * NS_PER_SEC;
	f->n_replied = 0;
	sink_tick(f->sink, f->now);
	assert_int_equal(load_be16(f->replied + 2) & 15, 2);
	fake_free(f);
}

static void upstream_by_tcp(void **state)
{
	uint8_t q[2][302], said[SINK_ANSWER];
	char out[SINK_ANSWER + 2];
	const uint8_t *p;
	struct fake *f = fake_new(true);
	struct sink_session *t = fake_open(f, SINK_DNS_TCP, 0);
	(void)state;
	size_t n = fake_query("a.example.org", 1, q[0] + 2);
	store_be16(q[0], (uint16_t)n);
	memcpy(q[1], q[0], n + 2);
	/* two at once: the second waits in the kernel until the first has its answer */
	assert_int_equal(sink_feed(f->sink, t, q[0], 1, f->now), 1);
	assert_int_equal(sink_feed(f->sink, t, q[0] + 1, n + 1, f->now), n + 1);
	assert_int_equal(sink_feed(f->sink, t, q[1], n + 2, f->now), 0);
	sink_answered(f->sink, said, resolver_says(f, said, 3000), f->now);
	assert_ptr_equal(f->ready, t);
	assert_int_equal(sink_out(t, &p), 2 + n + 3000);
	assert_int_equal(load_be16(p), n + 3000);
	sink_sent(t, 2 + n + 3000);
	assert_int_equal(sink_feed(f->sink, t, q[1], n + 2, f->now), n + 2);
	/* It goes before its answer comes; its place is another's then. */
	sink_close(f->sink, t, f->now);
	struct sink_session *other = fake_open(f, SINK_DNS_TCP, 0);
	assert_ptr_equal(other, t);
	sink_answered(f->sink, said, resolver_says(f, said, 16), f->now);
	assert_int_equal(sink_out(other, &p), 0);
	/* A message longer than any question. */
	fake_say(f, other, "\x7f\xff", 2, 0, out, sizeof(out));
	fake_say(f, other, "xx", 2, 0, out, sizeof(out));
	assert_true(sink_over(other));
	fake_free(f);
}

static void a_budget_is_kept_in_any_minute(void **state)
{
	uint8_t out[SINK_ANSWER];
	struct fake *f = fake_new(false);
	unsigned fine = 0;
	(void)state;
	for (int i = 0; i < 150; i++) {
		f->now += NS_PER_SEC / 10;
		ask_udp(f, 0, "www.example.org", 1, out);
		fine += (load_be16(out + 2) & 15) == 0;
	}
	assert_int_equal(fine, 100);
	assert_int_equal(load_be16(out + 2) & 15, 5);
	assert_non_null(fake_event(f, "budget", 0));
	assert_null(fake_event(f, "budget", 1));
	ask_udp(f, 1, "www.example.org", 1, out);
	assert_int_equal(load_be16(out + 2) & 15, 0); /* the other guest's is its own */
	f->now += 44 * NS_PER_SEC;                    /* 59 s after the first */
	ask_udp(f, 0, "www.example.org", 1, out);
	assert_int_equal(load_be16(out + 2) & 15, 5);
	f->now += 2 * NS_PER_SEC;
	ask_udp(f, 0, "www.example.org", 1, out);
	assert_int_equal(load_be16(out + 2) & 15, 0);
	fake_free(f);
}

static void entropy_is_right(void **state)
{
	uint8_t all[256];
	(void)state;
	for (unsigned i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	assert_int_equal(guard_entropy(all, 0), 0);
	assert_int_equal(guard_entropy(all, 1), 0);
	assert_in_range(guard_entropy(all, 2), 999, 1001);
	assert_in_range(guard_entropy(all, 256), 7998, 8001);
	assert_in_range(guard_entropy((const uint8_t *)"aab", 3), 915, 922); /* 0.918 */
	assert_in_range(guard_entropy(all, 100), 6640, 6647);                /* 6.644 */
}

/* Names as dnscat2, iodine and dns2tcp make them. */
static void name_of(char *ret, size_t size, unsigned kind, uint64_t n)
{
	static const char base32[] = "abcdefghijklmnopqrstuvwxyz012345";
	const uint64_t key[2] = {kind, 99};
	struct writer w = writer_of(ret, size);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t word[2] = {n, i}, h = hash_keyed(key, word, sizeof(word));
		if (kind == 0)
			write_fmt(&w, "%016llx%s", (unsigned long long)h, i == 1 ? "." : "");
		for (unsigned k = 0; kind == 1 && k < 12; k++)
			write_fmt(&w, "%c", base32[h >> 5 * k & 31]);
		if (kind == 2 && i == 0) /* a poll: a counter and a few bytes */
			write_fmt(&w, "%018llx", (unsigned long long)(h >> 1));
	}
	write_str(&w, ".t.evil.example");
}

static void tunnels_are_suspected(void **state)
{
	uint8_t out[SINK_ANSWER];
	char name[200];
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct fake *f = fake_new(true);
		unsigned at = 0;
		for (unsigned i = 0; i < 60; i++) {
			f->now += NS_PER_SEC;
			name_of(name, sizeof(name), kind, i);
			size_t n = ask_udp(f, 0, name, 16, out);
			if (fake_event(f, "suspicion", 0) != NULL && at == 0)
				at = i;
			assert_int_equal(n > 0, at > 0); /* from then on nothing goes upstream */
		}
		assert_in_range(at, 10, 40);
		const struct event *e = fake_event(f, "suspicion", 0);
		assert_int_equal(e->priority, 2);
		assert_non_null(strstr(e->text, " evil.example,"));
		assert_null(fake_event(f, "suspicion", 1)); /* once in a window */
		fake_free(f);
	}
}

static void ordinary_names_are_not(void **state)
{
	static const char *const hosts[] = {
		"www",
		"mail",
		"ftp.de",
		"static-content-delivery-network-01",
		"security",
		"api.v2",
		"ec2-54-12-34-56.us-west-2.compute",
		"d3a8f2c91b7e44",
		"e1234.dscb",
		"ns1",
		"imap",
		"images-eu",
		"fonts",
		"a-very-long-but-sensible-host-name-of-a-cloud-provider.eu-central-1",
	};
	static const char *const domains[] = {"debian.org", "amazonaws.com", "shop.co.uk",
					      "cdn.net"};
	uint8_t out[SINK_ANSWER];
	char name[200];
	struct fake *f = fake_new(false);
	(void)state;
	for (unsigned round = 0; round < 20; round++)
		for (unsigned i = 0; i < ARRAY_LEN(hosts); i++)
			for (unsigned d = 0; d < ARRAY_LEN(domains); d++) {
				f->now += NS_PER_SEC;
				snprintf(name, sizeof(name), "%s.%s", hosts[i], domains[d]);
				ask_udp(f, 0, name, 1, out);
			}
	/* A spam bot asks a block list, a scanner for reverse names: many, but short or of .arpa. */
	for (unsigned i = 0; i < 500; i++) {
		f->now += NS_PER_SEC;
		snprintf(name, sizeof(name), "%u.%u.113.203.zen.blocklist.org", i % 250, i / 250);
		ask_udp(f, 0, name, 1, out);
		snprintf(name, sizeof(name),
			 "%x.%x.%x.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", i & 15,
			 i >> 4 & 15, i >> 8 & 15);
		ask_udp(f, 0, name, 12, out);
	}
	assert_null(fake_event(f, "suspicion", 0));
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_made_up_and_stay),
		cmocka_unit_test(rubbish_is_told_and_harmless),
		cmocka_unit_test(upstream_is_asked_and_believed_only_then),
		cmocka_unit_test(upstream_by_tcp),
		cmocka_unit_test(a_budget_is_kept_in_any_minute),
		cmocka_unit_test(entropy_is_right),
		cmocka_unit_test(tunnels_are_suspected),
		cmocka_unit_test(ordinary_names_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
