/* SPDX-License-Identifier: BSD-2-Clause */
/* The wall's own frames, neighbour messages, community ids, sums. */
#include "frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct mac own = {{2, 0, 0, 0, 0, 1}}, peer = {{2, 0, 0, 0, 0, 2}};

static struct addr addr_of(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void test_sum(void **state)
{
	uint8_t buf[300];
	for (unsigned round = 0; round < 3000; round++) {
		uint32_t at = random_u32() % 8, len = random_u32() % 280, start = random_u32();
		for (uint32_t i = 0; i < len; i++)
			buf[at + i] = (uint8_t)(round % 3 == 0 ? 0xff : random_u32());
		start >>= round % 32;
		assert_int_equal(packet_sum(buf + at, len, start) % 0xffff,
				 slow_sum(buf + at, len, start) % 0xffff);
	}
	assert_int_equal(packet_sum(buf, 0, 0), 0);
	assert_int_equal(packet_sum("\0\0", 2, 0), 0);
	assert_int_equal(packet_sum("\x12", 1, 0), 0x1200);
}

static void test_arp(void **state)
{
	struct frame *f = frame_new(2048);
	struct addr a = addr_of("10.99.0.1"), b = addr_of("10.99.0.10");
	struct layers l;
	struct neigh n;
	assert_int_equal(packet_build_arp_reply(f, &own, &a, &peer, &b), 0);
	packet_decode(f, &l);
	assert_int_equal(l.odd, 0);
	packet_neigh(f, &l, &n);
	assert_int_equal(n.kind, NEIGH_ARP_REPLY);
	assert_memory_equal(&n.sender_mac, &own, 6);
	assert_true(addr_eq(&n.sender, &a));
	assert_true(addr_eq(&n.target, &b));
	assert_memory_equal(f->data, peer.b, 6);
	f->data[21] = 1;
	packet_neigh(f, &l, &n);
	assert_int_equal(n.kind, NEIGH_ARP_REQUEST);
	f->data[21] = 3; /* RARP */
	packet_neigh(f, &l, &n);
	assert_int_equal(n.kind, NEIGH_NONE);
	f->data[21] = 1;
	f->data[18] = 8; /* length of a MAC */
	packet_neigh(f, &l, &n);
	assert_int_equal(n.kind, NEIGH_NONE);
	for (uint32_t len = 0; len < f->len; len++) {
		struct frame *cut = frame_cut(f, len);
		packet_decode(cut, &l);
		assert_int_not_equal(l.odd, 0);
		packet_neigh(cut, &l, &n);
		assert_int_equal(n.kind, NEIGH_NONE);
		frame_free(cut);
	}
	struct addr six = addr_of("fe80::1");
	assert_int_equal(packet_build_arp_reply(f, &own, &six, &peer, &b), SKEP_EFORMAT);
	f->cap = 41;
	assert_int_equal(packet_build_arp_reply(f, &own, &a, &peer, &b), SKEP_ETRUNC);
	frame_free(f);
}

static void test_na(void **state)
{
	struct frame *f = frame_new(2048);
	struct addr target = addr_of("fe80::1"), to = addr_of("2001:db8:113::10");
	struct addr nobody = {.ver = 6};
	struct layers l;
	struct neigh n;
	assert_int_equal(packet_build_na(f, &own, &target, &peer, &to, true), 0);
	packet_decode(f, &l);
	assert_int_equal(l.odd, 0);
	assert_int_equal(l.ttl, 255);
	assert_true(frame_sums_right(f, &l));
	assert_true(addr_eq(&l.dst, &to));
	assert_int_equal(f->data[l.l4 + 4], 0xe0);
	assert_memory_equal(f->data, peer.b, 6);
	packet_neigh(f, &l, &n);
	assert_int_equal(n.kind, NEIGH_NA);
	assert_true(addr_eq(&n.target, &target));
	assert_memory_equal(&n.sender_mac, &own, 6);

	/* Duplicate address detection asks from ::, and everybody is answered. */
	assert_int_equal(packet_build_na(f, &own, &target, &peer, &nobody, false), 0);
	packet_decode(f, &l);
	assert_true(frame_sums_right(f, &l));
	struct addr all = addr_of("ff02::1");
	assert_true(addr_eq(&l.dst, &all));
	assert_int_equal(f->data[0], 0x33);
	assert_int_equal(f->data[l.l4 + 4], 0x20);
	f->cap = 85;
	assert_int_equal(packet_build_na(f, &own, &target, &peer, &to, true), SKEP_ETRUNC);
	frame_free(f);
}

static void test_neigh_valid(void **state)
{
	struct frame *f = frame_new(2048);
	struct addr target = addr_of("fe80::1"), to = addr_of("fe80::2");
	struct layers l;
	struct neigh n;
	assert_int_equal(packet_build_na(f, &own, &target, &peer, &to, true), 0);
	packet_decode(f, &l);
	const struct {
		uint8_t type;
		enum neigh_kind kind;
	} kinds[] = {{133, NEIGH_RS},       {134, NEIGH_RA},  {135, NEIGH_NS},  {136, NEIGH_NA},
		     {137, NEIGH_REDIRECT}, {130, NEIGH_MLD}, {143, NEIGH_MLD}, {128, NEIGH_NONE}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		f->data[l.l4] = kinds[i].type;
		packet_decode(f, &l);
		packet_neigh(f, &l, &n);
		assert_int_equal(n.kind, kinds[i].kind);
	}
	f->data[l.l4] = 135;
	f->data[l.l4 + 24] = 1;
	packet_decode(f, &l);
	packet_neigh(f, &l, &n);
	assert_memory_equal(&n.sender_mac, &own, 6);
	assert_true(addr_eq(&n.target, &target) && addr_eq(&n.sender, &target));

	/* Each of these is told to be a solicitation, and none is one to answer. */
	struct layers far = l;
	far.ttl = 254;
	packet_neigh(f, &far, &n);
	assert_int_equal(n.kind, NEIGH_NS);
	assert_int_equal(n.target.ver, 0);
	f->data[l.l4 + 25] = 0; /* an option of no length */
	packet_neigh(f, &l, &n);
	assert_int_equal(n.target.ver, 0);
	f->data[l.l4 + 25] = 2; /* ... that ends outside */
	packet_neigh(f, &l, &n);
	assert_int_equal(n.target.ver, 0);
	f->data[l.l4 + 25] = 1;
	f->data[l.l4 + 8] = 0xff;
	packet_neigh(f, &l, &n);
	assert_int_equal(n.target.ver, 0);
	frame_free(f);
}

static void test_rst(void **state)
{
	struct frame *f = frame_new(FRAME_MAX), *out = frame_new(2048);
	for (unsigned i = 0; i < 400; i++) {
		static const uint8_t flags[] = {TCP_SYN, TCP_ACK, TCP_SYN | TCP_ACK,
						TCP_FIN | TCP_ACK};
		struct spec s = {.ver = i % 2 == 0 ? 4 : 6, .proto = 6, .tags = (int)(i / 2 % 3)};
		struct layers l, r;
		s.tcp_flags = flags[i % 4];
		s.data_len = random_u32() % 50;
		frame_make(f, &s);
		packet_decode(f, &l);
		assert_int_equal(packet_build_rst(out, f, &l), 0);
		packet_decode(out, &r);
		assert_int_equal(r.odd & ~(uint32_t)ODD_VLAN, 0);
		assert_true(frame_sums_right(out, &r));
		assert_true(addr_eq(&r.src, &l.dst) && addr_eq(&r.dst, &l.src));
		assert_int_equal(r.sport, l.dport);
		assert_int_equal(r.dport, l.sport);
		assert_memory_equal(out->data, f->data + 6, 6);
		assert_memory_equal(out->data + 12, f->data + 12, 4u * (unsigned)s.tags + 2);
		if (s.tcp_flags & TCP_ACK) {
			assert_int_equal(r.tcp_flags, TCP_RST);
			assert_int_equal(r.seq, l.ack);
		} else {
			assert_int_equal(r.tcp_flags, TCP_RST | TCP_ACK);
			assert_int_equal(r.seq, 0);
			assert_int_equal(r.ack, l.seq + s.data_len + 1);
		}
		assert_int_equal(packet_build_rst(f, out, &r), SKEP_EFORMAT); /* never to a reset */
	}
	struct layers l;
	const struct spec udp = {.ver = 4, .proto = 17};
	frame_make(f, &udp);
	packet_decode(f, &l);
	assert_int_equal(packet_build_rst(out, f, &l), SKEP_EFORMAT);
	frame_free(f);
	frame_free(out);
}

static void test_error(void **state)
{
	struct frame *f = frame_new(FRAME_MAX), *out = frame_new(2048);
	for (unsigned i = 0; i < 200; i++) {
		struct spec s = {.ver = i % 2 == 0 ? 4 : 6, .proto = 17, .tags = (int)(i % 3)};
		struct layers l, e, q;
		s.data_len = random_u32() % 3000;
		frame_make(f, &s);
		packet_decode(f, &l);
		struct addr from = random_addr(s.ver);
		assert_int_equal(packet_build_icmp_error(out, f, &l, &from, s.ver == 4 ? 11 : 3, 0),
				 0);
		packet_decode(out, &e);
		assert_int_equal(e.odd & ~(uint32_t)ODD_VLAN, 0);
		assert_true(frame_sums_right(out, &e));
		assert_true(e.icmp_error);
		assert_true(e.l3_end - e.l3 <= (s.ver == 4 ? 576u : 1280u));
		assert_true(addr_eq(&e.src, &from) && addr_eq(&e.dst, &l.src));
		assert_int_equal(packet_decode_quoted(out, &e, &q), 0);
		assert_true(addr_eq(&q.src, &l.src) && addr_eq(&q.dst, &l.dst));
		assert_int_equal(q.sport, l.sport);
		assert_int_equal(q.dport, l.dport);
		assert_int_equal(q.proto, 17);
		/* Nothing is said about an error, or by somebody of the other version. */
		assert_int_equal(packet_build_icmp_error(f, out, &e, &from, 3, 0), SKEP_EFORMAT);
		struct addr other = random_addr(s.ver == 4 ? 6 : 4);
		frame_make(f, &s);
		packet_decode(f, &l);
		assert_int_equal(packet_build_icmp_error(out, f, &l, &other, 3, 0), SKEP_EFORMAT);
		f->data[0] |= 1; /* or to a group */
		assert_int_equal(packet_build_icmp_error(out, f, &l, &from, 3, 0), SKEP_EFORMAT);
		f->data[0] &= 0xfe;
		out->cap = 60;
		assert_int_equal(packet_build_icmp_error(out, f, &l, &from, 3, 0), SKEP_ETRUNC);
		out->cap = 2048;
	}
	frame_free(f);
	frame_free(out);
}

static void test_community(void **state)
{
	/* The first four are the specification's own baseline. */
	static const struct {
		const char *src, *dst;
		uint8_t proto;
		uint16_t sport, dport;
		const char *id;
	} rows[] = {
		{"128.232.110.120", "66.35.250.204", 6, 34855, 80,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"192.168.1.52", "8.8.8.8", 17, 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{"192.168.0.89", "192.168.0.1", 1, 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{"192.168.170.8", "192.168.170.56", 132, 7, 80, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
	};
	char id[COMMUNITY_ID_TEXT];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr src = addr_of(rows[i].src), dst = addr_of(rows[i].dst);
		packet_community_id(&src, &dst, rows[i].proto, rows[i].sport, rows[i].dport, id);
		assert_string_equal(id, rows[i].id);
		packet_community_id(&dst, &src, rows[i].proto, rows[i].dport, rows[i].sport, id);
		assert_string_equal(id, rows[i].id);
	}
	/* An ICMP error is no conversation: its direction counts. */
	struct addr a = addr_of("192.168.0.89"), b = addr_of("192.168.0.1");
	char back[COMMUNITY_ID_TEXT];
	packet_community_id(&a, &b, 1, 3, 1, id);
	packet_community_id(&b, &a, 1, 3, 1, back);
	assert_string_not_equal(id, back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sum),       cmocka_unit_test(test_arp),
		cmocka_unit_test(test_na),        cmocka_unit_test(test_neigh_valid),
		cmocka_unit_test(test_rst),       cmocka_unit_test(test_error),
		cmocka_unit_test(test_community),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
