/* SPDX-License-Identifier: BSD-2-Clause */
/* What is found in whole frames: fields, bounds, tunnels, checksums, limits. */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define V4UDP "4500 001e 0000 0000 4011 0000 0a000001 0a000002 1111 2222 000a 0000 4142"

struct bed {
	struct dissect *d;
	struct frame_buf f;
	struct pkt p[DISSECT_PKTS];
};

static int setup(void **state)
{
	static struct bed bed;
	struct dissect_conf conf = {.checksums = true};
	*state = &bed;
	return dissect_create(&conf, &bed.d);
}

static int teardown(void **state)
{
	struct bed *b = *state;
	dissect_free(&b->d);
	assert_null(b->d);
	dissect_free(&b->d); /* nothing is fine */
	return 0;
}

static uint32_t go(struct bed *b, uint16_t link)
{
	memset(b->p, 0x5a, sizeof(b->p)); /* nothing may be left over */
	return dissect_frame(b->d, link, b->f.b, b->f.len, b->f.len, 7, 3, b->p);
}

static void assert_event(const struct pkt *p, const char *name)
{
	int e = dissect_event_by_name(name);
	assert_true(e >= 0);
	assert_true(dissect_event_in(p, (unsigned)e));
}

static void assert_v4(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT];
	assert_string_equal(addr_text(a, buf), text);
}

static void test_tcp(void **state)
{
	struct bed *b = *state;
	frame_ip4(&b->f, 6,
		  "0050 1234 01020304 05060708 b0ff 1000 4d5c 0009 020405b4 030307 04020101 "
		  "080a 0000000a 0000000b 00*2 4243");
	b->f.b[14 + 1] = 0x28;
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	const struct pkt *p = &b->p[0];
	assert_int_equal(p->ip_ver, 4);
	assert_int_equal(p->number, 3);
	assert_int_equal(p->stamp_ns, 7);
	assert_ptr_equal(p->frame, b->f.b);
	assert_ptr_equal(p->eth, b->f.b);
	assert_int_equal(p->ethertype, 0x0800);
	assert_ptr_equal(p->ip, b->f.b + 14);
	assert_int_equal(p->ip_hlen, 20);
	assert_int_equal(p->ip_len, b->f.len - 14);
	assert_int_equal(p->tos, 0x28);
	assert_int_equal(p->ttl, 64);
	assert_int_equal(p->ip_id_lo, 0x1234);
	assert_false(p->fragment);
	assert_v4(&p->src, "10.0.0.1");
	assert_v4(&p->dst, "10.0.0.2");
	assert_int_equal(p->sport, 80);
	assert_int_equal(p->dport, 0x1234);
	assert_int_equal(p->l4_hlen, 44);
	assert_int_equal(p->payload_len, 2);
	assert_memory_equal(p->payload, "BC", 2);
	assert_int_equal(p->tcp.seq, 0x01020304);
	assert_int_equal(p->tcp.ack, 0x05060708);
	assert_int_equal(p->tcp.flags, 0xff);
	assert_int_equal(p->tcp.win, 0x1000);
	assert_int_equal(p->tcp.urg, 9);
	assert_true(p->tcp.has_mss && p->tcp.mss == 0x5b4);
	assert_true(p->tcp.has_wscale && p->tcp.wscale == 7);
	assert_true(p->tcp.has_sack_ok && !p->tcp.has_sack && !p->tcp.has_tfo);
	assert_true(p->tcp.has_ts && p->tcp.ts_val == 10 && p->tcp.ts_ecr == 11);
}

static void test_tcp_options(void **state)
{
	struct bed *b = *state;
	frame_ip4(&b->f, 6, "0050 1234 00*7 8018 00*5 0101 080a 00000001 00000002");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_true(b->p[0].tcp.has_ts && b->p[0].tcp.ts_val == 1 && b->p[0].tcp.ts_ecr == 2);
	frame_ip4(&b->f, 6, "0050 1234 00*7 8018 00*5 0101 050a 00000001 00000002");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_true(b->p[0].tcp.has_sack && b->p[0].tcp.sack_len == 8);
	assert_int_equal(load_be32(b->p[0].tcp.sack + 4), 2);
	frame_ip4(&b->f, 6, "0050 1234 00*7 8018 00*5 220a 01*7 0303 0f");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_true(b->p[0].tcp.has_tfo && b->p[0].tcp.tfo_len == 8);
}

static void test_padding_and_cut(void **state)
{
	struct bed *b = *state;
	frame_ip4(&b->f, 17, "1111 2222 000a 0000 4142");
	frame_hex(&b->f, "ff*17"); /* Ethernet's padding is no part of the packet */
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_int_equal(b->p[0].payload_len, 2);
	assert_int_equal(b->p[0].ip_len, 30);
	b->f.len = 14 + 29; /* one byte of the packet is missing */
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_int_equal(b->p[0].ip_ver, 0);
	assert_true(b->p[0].invalid);
	assert_null(b->p[0].l4);
	assert_event(&b->p[0], "ipv4.trunc_pkt");
}

static void test_vlan(void **state)
{
	struct bed *b = *state;
	frame_eth(&b->f, 0x88a8, "e001 8100 2002 9100 0fff 0800 " V4UDP);
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	const struct pkt *p = &b->p[0];
	assert_int_equal(p->n_vlan, 3);
	assert_int_equal(p->vlan[0], 1);
	assert_int_equal(p->vlan[1], 2);
	assert_int_equal(p->vlan[2], 0xfff);
	assert_int_equal(p->ethertype, 0x0800);
	assert_int_equal(p->dport, 0x2222);
}

static void test_ip6_chain(void **state)
{
	struct bed *b = *state;
	frame_ip6(&b->f, 0,
		  "3c00 05020000 0000 2b00 05020000 0000 3300 0200 00000000 "
		  "1101 0000 00000000 00000000 1111 2222 000a 0000 4142");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	const struct pkt *p = &b->p[0];
	assert_int_equal(p->ip_ver, 6);
	assert_int_equal(p->exthdrs, EXTHDR_HOP | EXTHDR_DST | EXTHDR_ROUTING | EXTHDR_AUTH);
	assert_int_equal(p->ip_hlen, 40 + 24 + 12);
	assert_int_equal(p->proto, 17);
	assert_int_equal(p->sport, 0x1111);
	assert_int_equal(p->payload_len, 2);
	assert_int_equal(p->ttl, 64);
}

static void test_icmp(void **state)
{
	struct bed *b = *state;
	frame_ip4(&b->f, 1, "0800 0000 0102 0304 4142");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_true(b->p[0].has_icmp_id);
	assert_int_equal(b->p[0].icmp_type, 8);
	assert_int_equal(b->p[0].icmp_id, 0x0102);
	assert_int_equal(b->p[0].icmp_seq, 0x0304);
	assert_int_equal(b->p[0].payload_len, 2);
	frame_ip6(&b->f, 58, "0200 0000 00000500 60000000 0000 3b40 00*31");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_true(b->p[0].has_icmp6_mtu && b->p[0].icmp6_mtu == 1280);
	assert_false(b->p[0].has_icmp_id);
}

static void test_ip4_options(void **state)
{
	struct bed *b = *state;
	frame_eth(&b->f, 0x0800,
		  "4900 0024 0000 0000 40fe 0000 0a000001 0a000002 "
		  "830704 00000000 94040000 01 88040001");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_int_equal(b->p[0].ip_opts,
			 IPOPT_ANY | IPOPT_LSRR | IPOPT_RTRALT | IPOPT_NOP | IPOPT_SATID);
	assert_int_equal(b->p[0].ip_hlen, 36);
}

static void test_checksums(void **state)
{
	struct bed *b = *state;
	frame_ip4(&b->f, 17, "1111 2222 000a 0001 4142");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_false(b->p[0].bad_ip_csum);
	assert_true(b->p[0].bad_l4_csum);
	/* The right sum, found by trying: exactly one of them all (0 means none) is. */
	unsigned good = 0;
	for (uint32_t sum = 1; sum < 0x10000; sum++) {
		store_be16(b->f.b + 40, (uint16_t)sum);
		go(b, LINK_ETHERNET);
		good += !b->p[0].bad_l4_csum;
	}
	assert_int_equal(good, 1);
	store_be16(b->f.b + 40, 0);
	go(b, LINK_ETHERNET);
	assert_false(b->p[0].bad_l4_csum);
	b->f.b[14 + 8]--;
	go(b, LINK_ETHERNET);
	assert_true(b->p[0].bad_ip_csum);
	frame_ip6(&b->f, 17, "1111 2222 000a 0000 4142");
	go(b, LINK_ETHERNET);
	assert_true(b->p[0].bad_l4_csum);
	/* By hand: 20010db8..01 + ..02, UDP, 10 bytes, ports, length, "AB" */
	uint32_t sum = 2 * (0x2001 + 0x0db8) + 1 + 2 + 17 + 10 + 0x1111 + 0x2222 + 10 + 0x4142;
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(b->f.b + 60, (uint16_t)~sum);
	go(b, LINK_ETHERNET);
	assert_false(b->p[0].bad_l4_csum);
	frame_ip4(&b->f, 132, "1111 2222 00000000 00000000 01020304");
	go(b, LINK_ETHERNET);
	assert_true(b->p[0].bad_l4_csum);
}

static void test_no_checksums(void **state)
{
	struct bed *b = *state;
	struct dissect_conf conf = {.checksums = false};
	struct dissect *d;
	assert_int_equal(dissect_create(&conf, &d), 0);
	frame_ip4(&b->f, 17, "1111 2222 000a 0001 4142");
	b->f.b[14 + 8]--;
	dissect_frame(d, LINK_ETHERNET, b->f.b, b->f.len, b->f.len, 0, 1, b->p);
	assert_false(b->p[0].bad_ip_csum || b->p[0].bad_l4_csum);
	dissect_free(&d);
}

static void tunnel(struct bed *b, const char *hex, uint8_t proto, enum dissect_tunnel kind,
		   uint8_t ver)
{
	frame_ip4(&b->f, proto, hex);
	assert_int_equal(go(b, LINK_ETHERNET), 2);
	assert_int_equal(b->p[0].depth, 0);
	assert_int_equal(b->p[0].proto, proto);
	assert_int_equal(b->p[1].depth, 1);
	assert_int_equal(b->p[1].tunnel, kind);
	assert_int_equal(b->p[1].ip_ver, ver);
	assert_int_equal(b->p[1].proto, 17);
	assert_int_equal(b->p[1].dport, 0x2222);
	assert_null(b->p[1].eth);
	assert_ptr_equal(b->p[1].frame, b->f.b);
	if (proto == 17)
		assert_int_equal(b->p[0].sport, 0x7777);
	else
		assert_int_equal(b->p[0].payload_len, 0); /* seen once, inside */
}

static void test_tunnels(void **state)
{
	struct bed *b = *state;
#define V6UDP "60000000 000a 1140 00*14 01 00*14 02 1111 2222 000a 0000 4142"
	tunnel(b, V4UDP, 4, TUNNEL_IPIP, 4);
	tunnel(b, V6UDP, 41, TUNNEL_6IN4, 6);
	tunnel(b, "0000 0800 " V4UDP, 47, TUNNEL_GRE, 4);
	tunnel(b, "3000 86dd 00*7 " V6UDP, 47, TUNNEL_GRE, 6);
	tunnel(b, "3001 880b 00*7 ff03 0021 " V4UDP, 47, TUNNEL_GRE, 4);
	tunnel(b, "0000 6558 02*11 8100 0009 0800 " V4UDP, 47, TUNNEL_GRE, 4);
	assert_int_equal(b->p[1].vlan[0], 9);
	tunnel(b, "1000 88be 00*3 1007 0000 00*3 02*11 0800 " V4UDP, 47, TUNNEL_ERSPAN, 4);
	assert_int_equal(b->p[1].vlan[0], 7);
	tunnel(b, "7777 12b5 003c 0000 08000000 00000100 02*11 0800 " V4UDP, 17, TUNNEL_VXLAN, 4);
	tunnel(b, "7777 17c1 002e 0000 0000 0800 00000100 " V4UDP, 17, TUNNEL_GENEVE, 4);
	tunnel(b, "7777 0dd8 003a 0000 " V6UDP, 17, TUNNEL_TEREDO, 6);
	tunnel(b, "7777 0dd8 0042 0000 0000 1234 56789abc " V6UDP, 17, TUNNEL_TEREDO, 6);
}

static void test_teredo_ports(void **state)
{
	struct bed *b = *state;
	struct dissect_conf conf = {.teredo_any = true};
	struct dissect *d;
	frame_ip4(&b->f, 17, "7777 1000 003a 0000 " V6UDP);
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_int_equal(dissect_create(&conf, &d), 0);
	assert_int_equal(dissect_frame(d, LINK_ETHERNET, b->f.b, b->f.len, b->f.len, 0, 1, b->p),
			 2);
	dissect_free(&d);
	frame_ip4(&b->f, 17, "0dd8 1000 003a 0000 " V6UDP); /* from the server */
	assert_int_equal(go(b, LINK_ETHERNET), 2);
}

static void test_not_teredo(void **state)
{
	struct bed *b = *state;
	/* A byte too many, a broken header inside, a next header of nothing, authentication. */
	static const char *const hex[] = {
		"7777 0dd8 0047 0000 0001 0000 00*8 " V6UDP,
		"7777 0dd8 003b 0000 " V6UDP "00",
		"7777 0dd8 003a 0000 60000000 000a 1140 00*14 01 00*14 02 1111 2222 ffff 0000 4142",
		"7777 0dd8 003a 0000 60000000 000a fe40 00*14 01 00*14 02 1111 2222 000a 0000 4142",
	};
	for (size_t i = 0; i < ARRAY_LEN(hex); i++) {
		frame_ip4(&b->f, 17, hex[i]);
		assert_int_equal(go(b, LINK_ETHERNET), 1);
		for (unsigned e = 0; e < DISSECT_EVENT_WORDS; e++)
			assert_int_equal(b->p[0].events[e], 0);
	}
}

static void test_depth(void **state)
{
	struct bed *b = *state;
	char hex[1024];
	struct writer w = writer_of(hex, sizeof(hex));
	for (unsigned left = 8; left > 0; left--)
		write_fmt(&w, "4500 %04x 0000 0000 4004 0000 0a000001 0a000002 ", left * 20 + 30);
	write_str(&w, V4UDP);
	frame_eth(&b->f, 0x0800, hex);
	uint32_t n = go(b, LINK_ETHERNET);
	assert_int_equal(n, DISSECT_DEPTH + 1);
	assert_int_equal(b->p[n - 1].depth, DISSECT_DEPTH);
	assert_event(&b->p[n - 1], "too_many_layers");
	/* The same of tags that nest without end, in one packet. */
	frame_eth(&b->f, 0x88e7, "");
	for (unsigned i = 0; i < 2000; i++)
		frame_hex(&b->f, "00*15 88e7");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_event(&b->p[0], "too_many_layers");
	assert_true(b->p[0].invalid);
}

static void test_unknown(void **state)
{
	struct bed *b = *state;
	frame_ip4(&b->f, 89, "4142");
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_int_equal(b->p[0].proto, 89);
	assert_null(b->p[0].l4);
	assert_int_equal(b->p[0].payload_len, 2);
	assert_int_equal(go(b, 9999), 1);
	assert_int_equal(b->p[0].ip_ver, 0);
	assert_true(b->p[0].invalid);
	b->f.len = 0;
	assert_int_equal(go(b, LINK_ETHERNET), 1);
	assert_event(&b->p[0], "ethernet.pkt_too_small");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_options),
		cmocka_unit_test(test_padding_and_cut),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_ip6_chain),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_ip4_options),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_no_checksums),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_teredo_ports),
		cmocka_unit_test(test_not_teredo),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_unknown),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
