/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filter lets through: each criterion alone and joined, both views of a conversation, and
 * packets that belong to it without showing its ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"

#include <string.h>

#define GUEST "10.99.0.10"
#define PUBLIC "203.0.113.10"
#define WEB "192.0.2.80"

static uint8_t buf[256];

static struct addr ip(const char *s)
{
	struct addr a;
	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static struct capture_packet packet(size_t len)
{
	return (struct capture_packet){
		.stamp_ns = 1000, .data = buf, .len = (uint32_t)len, .orig_len = (uint32_t)len};
}

static size_t put_ip4(uint8_t *p, const char *src, const char *dst, uint8_t proto, uint16_t frag,
		      size_t payload)
{
	struct addr s = ip(src), d = ip(dst);
	uint32_t sum = 0;
	memset(p, 0, 20);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)(20 + payload));
	store_be16(p + 4, 77);
	store_be16(p + 6, frag);
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, s.b, 4);
	memcpy(p + 16, d.b, 4);
	for (int i = 0; i < 20; i += 2)
		sum += load_be16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(p + 10, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	return 20;
}

static void put_eth(uint16_t type)
{
	memset(buf, 0, sizeof(buf));
	memset(buf, 2, 12);
	store_be16(buf + 12, type);
}

static struct capture_packet tcp4(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	put_eth(0x0800);
	put_ip4(buf + 14, src, dst, 6, 0x4000, 20);
	store_be16(buf + 34, sport);
	store_be16(buf + 36, dport);
	buf[46] = 0x50;
	buf[47] = 0x02;
	return packet(54);
}

/* The second fragment of a UDP datagram. */
static struct capture_packet later_fragment(const char *src, const char *dst)
{
	put_eth(0x0800);
	put_ip4(buf + 14, src, dst, 17, 10, 40);
	return packet(74);
}

/* "Unreachable" from `from` to the source of the quoted TCP packet. */
static struct capture_packet icmp_error(const char *from, const char *src, uint16_t sport,
					const char *dst, uint16_t dport)
{
	put_eth(0x0800);
	put_ip4(buf + 14, from, src, 1, 0, 8 + 20 + 8);
	buf[34] = 3;
	buf[35] = 1;
	put_ip4(buf + 42, src, dst, 6, 0x4000, 20);
	store_be16(buf + 62, sport);
	store_be16(buf + 64, dport);
	return packet(70);
}

static struct capture_packet arp(const char *sender, const char *target)
{
	struct addr s = ip(sender), t = ip(target);
	put_eth(0x0806);
	store_be16(buf + 14, 1);
	store_be16(buf + 16, 0x0800);
	buf[18] = 6;
	buf[19] = 4;
	store_be16(buf + 20, 1);
	memcpy(buf + 28, s.b, 4);
	memcpy(buf + 38, t.b, 4);
	return packet(60);
}

static bool passes(const struct capture_filter *f, struct capture_packet p)
{
	return capture_select(f, &p, "outside");
}

static void everything(void **state)
{
	struct capture_filter f = {0};
	struct capture_packet p = {.data = buf, .len = 3};
	(void)state;
	assert_true(passes(&f, tcp4(GUEST, 1, WEB, 80)));
	assert_true(passes(&f, p)); /* not even a whole Ethernet header */
	f.net_port = 80;
	assert_false(passes(&f, p));
}

static void times_and_interfaces(void **state)
{
	struct capture_filter f = {.from_ns = 500, .to_ns = 1500};
	struct capture_packet p = tcp4(GUEST, 1, WEB, 80);
	(void)state;
	assert_true(passes(&f, p));
	p.stamp_ns = 499;
	assert_false(passes(&f, p));
	p.stamp_ns = 1501;
	assert_false(passes(&f, p));
	p.stamp_ns = 1500;
	assert_true(passes(&f, p));
	strcpy(f.interface, "web1");
	assert_false(capture_select(&f, &p, "outside"));
	assert_true(capture_select(&f, &p, "web1"));
}

static void addresses_ports_protocols(void **state)
{
	struct capture_filter f = {.addr = ip(WEB)};
	(void)state;
	assert_true(passes(&f, tcp4(GUEST, 1, WEB, 80)));
	assert_true(passes(&f, tcp4(WEB, 80, GUEST, 1)));
	assert_false(passes(&f, tcp4(GUEST, 1, PUBLIC, 80)));
	assert_true(passes(&f, arp(GUEST, WEB)));
	assert_true(passes(&f, arp(WEB, GUEST)));
	assert_false(passes(&f, arp(GUEST, PUBLIC)));
	assert_true(passes(&f, icmp_error("192.0.2.1", GUEST, 1, WEB, 80)));
	assert_true(passes(&f, later_fragment(WEB, GUEST)));
	f = (struct capture_filter){.net_port = 80};
	assert_true(passes(&f, tcp4(GUEST, 1, WEB, 80)));
	assert_true(passes(&f, tcp4(WEB, 80, GUEST, 1)));
	assert_false(passes(&f, tcp4(GUEST, 1, WEB, 81)));
	assert_true(passes(&f, icmp_error("192.0.2.1", GUEST, 1, WEB, 80)));
	assert_false(passes(&f, later_fragment(WEB, GUEST)));
	assert_false(passes(&f, arp(GUEST, WEB)));
	f = (struct capture_filter){.proto = 1};
	assert_true(passes(&f, icmp_error("192.0.2.1", GUEST, 1, WEB, 80)));
	assert_false(passes(&f, tcp4(GUEST, 1, WEB, 80)));
	assert_false(passes(&f, arp(GUEST, WEB)));
	f = (struct capture_filter){.proto = 6, .addr = ip(WEB), .net_port = 80};
	assert_true(passes(&f, tcp4(GUEST, 1, WEB, 80)));
	assert_false(passes(&f, tcp4(GUEST, 80, PUBLIC, 1)));
}

static void both_views_of_a_flow(void **state)
{
	struct capture_filter f = {0};
	struct event_tuple t = {.src = ip(PUBLIC),
				.dst = ip(WEB),
				.in_src = ip(GUEST),
				.in_dst = ip(WEB),
				.sport = 61000,
				.dport = 80,
				.in_sport = 40000,
				.in_dport = 80,
				.proto = 6};
	(void)state;
	assert_int_equal(capture_filter_add(&f, &t), 0);
	assert_int_equal(f.n_terms, 2);
	assert_int_equal(capture_filter_add(&f, &t), 0); /* known already */
	assert_int_equal(f.n_terms, 2);
	assert_true(passes(&f, tcp4(PUBLIC, 61000, WEB, 80)));
	assert_true(passes(&f, tcp4(WEB, 80, PUBLIC, 61000)));
	assert_true(passes(&f, tcp4(GUEST, 40000, WEB, 80)));
	assert_true(passes(&f, tcp4(WEB, 80, GUEST, 40000)));
	assert_false(passes(&f, tcp4(GUEST, 40001, WEB, 80)));
	assert_false(passes(&f, tcp4(GUEST, 61000, WEB, 80))); /* a mix of both */
	assert_false(passes(&f, tcp4(GUEST, 80, WEB, 40000))); /* ports swapped */
	assert_false(passes(&f, arp(GUEST, WEB)));
	assert_true(passes(&f, icmp_error("192.0.2.1", PUBLIC, 61000, WEB, 80)));
	assert_false(passes(&f, icmp_error("192.0.2.1", PUBLIC, 61001, WEB, 80)));
	t.proto = 17;
	t.in_sport++;
	assert_false(passes(&f, later_fragment(GUEST, WEB)));
	assert_int_equal(capture_filter_add(&f, &t), 0);
	assert_true(passes(&f, later_fragment(GUEST, WEB)));
	for (int i = 0, err = 0; err == 0; i++) {
		t.in_sport = (uint16_t)i;
		err = capture_filter_add(&f, &t);
		assert_true(err == 0 || (err == SKEP_EFULL && i >= CAPTURE_TERMS / 2));
	}
	t = (struct event_tuple){.proto = 6};
	f.n_terms = 0;
	assert_int_equal(capture_filter_add(&f, &t), SKEP_EFORMAT); /* would fit everything */
}

static void community_ids(void **state)
{
	struct capture_filter f = {0};
	struct addr a = ip(GUEST), b = ip(WEB);
	(void)state;
	packet_community_id(&a, &b, 6, 40000, 80, f.community_id);
	assert_true(passes(&f, tcp4(GUEST, 40000, WEB, 80)));
	assert_true(passes(&f, tcp4(WEB, 80, GUEST, 40000)));
	assert_false(passes(&f, tcp4(GUEST, 40001, WEB, 80)));
	assert_true(passes(&f, icmp_error("192.0.2.1", GUEST, 40000, WEB, 80)));
	/* A term is an alternative to it. */
	struct capture_term t = {.a = ip(PUBLIC)};
	f.terms[f.n_terms++] = t;
	assert_true(passes(&f, tcp4(GUEST, 40000, WEB, 80)));
	assert_true(passes(&f, tcp4(GUEST, 5, PUBLIC, 6)));
	assert_false(passes(&f, tcp4(GUEST, 5, WEB, 6)));
}

static void guest_terms(void **state)
{
	struct capture_filter f = {.n_terms = 2};
	struct capture_packet p = arp(GUEST, WEB);
	(void)state;
	strcpy(f.terms[0].interface, "web1");
	f.terms[1] = (struct capture_term){
		.interface = "outside", .a = ip(PUBLIC), .a_port = 24, .proto = 6};
	assert_true(capture_select(&f, &p, "web1"));
	assert_false(capture_select(&f, &p, "outside"));
	assert_true(passes(&f, tcp4(WEB, 5000, PUBLIC, 24)));
	assert_true(passes(&f, tcp4(PUBLIC, 24, WEB, 5000)));
	assert_false(passes(&f, tcp4(PUBLIC, 5000, WEB, 24)));
	p = tcp4(WEB, 5000, PUBLIC, 24);
	assert_false(capture_select(&f, &p, "loghost"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything),
		cmocka_unit_test(times_and_interfaces),
		cmocka_unit_test(addresses_ports_protocols),
		cmocka_unit_test(both_views_of_a_flow),
		cmocka_unit_test(community_ids),
		cmocka_unit_test(guest_terms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
