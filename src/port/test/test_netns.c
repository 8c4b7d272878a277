/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AF_PACKET and tap back ends between real network stacks. Needs root; skips (77) without.
 */
#include "netns_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STREAM_BYTES (8u << 20)

static struct bed *bed_of(void **state)
{
	struct bed *b = *state;
	struct frame *ignored;
	b->edit = NULL;
	b->largest = b->partial = b->forwarded = 0;
	struct port *all[] = {b->a, b->b, b->ha, b->hb};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		while (port_recv(all[i], &ignored) > 0)
			;
	return b;
}

/* ---- frames by hand ------------------------------------------------------------------------- */

#define MARK 0xA5C3

static void put16(struct frame *f, uint16_t v)
{
	store_be16(f->data + f->len, v);
	f->len += 2;
}

/* A TCP segment or UDP datagram from A to B with n bytes of data, its checksum partial. */
static void make_frame(struct frame *f, unsigned tags, bool tcp, uint32_t n)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa};
	uint32_t header = tcp ? 20 : 8;
	memset(f->data, 0, 128);
	memcpy(f->data, macs, 12);
	f->len = 12;
	for (unsigned i = 0; i < tags; i++) {
		put16(f, i + 1 < tags ? 0x88a8 : 0x8100);
		put16(f, (uint16_t)(100 + i));
	}
	put16(f, 0x0800);
	uint8_t *ip = f->data + f->len;
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(20 + header + n));
	ip[8] = 64;
	ip[9] = tcp ? 6 : 17;
	memcpy(ip + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
	store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
	uint8_t *l4 = ip + 20;
	store_be16(l4, MARK);
	store_be16(l4 + 2, 9999);
	if (tcp) {
		l4[12] = 0x50;
		l4[13] = TCP_ACK;
	} else {
		store_be16(l4 + 4, (uint16_t)(8 + n));
	}
	uint16_t pseudo = packet_sum(ip + 12, 8, (uint32_t)ip[9] + header + n);
	store_be16(l4 + (tcp ? 16 : 6), pseudo);
	for (uint32_t i = 0; i < n; i++)
		l4[header + i] = (uint8_t)(i * 31);
	f->vnet = (struct vnet){.flags = VNET_NEEDS_CSUM, .csum_offset = tcp ? 16 : 6};
	f->vnet.csum_start = (uint16_t)(l4 - f->data);
	f->len = (uint32_t)(l4 - f->data) + header + n;
}

/* The next marked frame at p within some seconds, or NULL. */
static struct frame *wait_frame(struct bed *b, struct port *p)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		struct frame *frames;
		bed_forward(b, 10);
		int n = port_recv(p, &frames);
		for (int i = 0; i < n; i++) {
			struct layers l;
			packet_decode(&frames[i], &l);
			if (l.sport == MARK)
				return &frames[i];
		}
	}
	return NULL;
}

/* After the offload is done, by whoever does it: is the L4 checksum right? */
static bool whole_sum_right(struct frame *f)
{
	struct layers l;
	packet_decode(f, &l);
	if (f->vnet.flags & VNET_NEEDS_CSUM) {
		uint32_t at = f->vnet.csum_start;
		uint16_t sum = (uint16_t)~packet_sum(f->data + at, f->len - at, 0);
		store_be16(f->data + at + f->vnet.csum_offset, sum);
		f->vnet.flags = 0;
	}
	return l.odd == 0 || l.odd == ODD_VLAN ? packet_checksums_ok(f, &l) : false;
}

static void test_tags_survive(void **state)
{
	static uint8_t bytes[FRAME_MAX];
	struct bed *b = bed_of(state);
	for (unsigned tags = 0; tags <= 2; tags++)
		for (int tcp = 0; tcp <= 1; tcp++) {
			struct frame f = {.data = bytes, .cap = sizeof(bytes)};
			make_frame(&f, tags, tcp, 33);
			uint32_t len = f.len;
			port_send(b->ha, &f);
			port_flush(b->ha);
			struct frame *got = wait_frame(b, b->hb);
			assert_non_null(got);
			assert_int_equal(got->len, len);
			struct layers l;
			packet_decode(got, &l);
			assert_int_equal(l.odd, tags > 0 ? ODD_VLAN : 0);
			assert_int_equal(l.l3, 14 + 4 * tags);
			if (tags > 0)
				assert_int_equal(l.vlan_tci, 100);
			assert_true(got->stamp_ns > 0);
			assert_true(whole_sum_right(got));
		}
}

static void test_super_frame_whole(void **state)
{
	static uint8_t bytes[FRAME_MAX];
	struct bed *b = bed_of(state);
	for (unsigned tags = 0; tags <= 1; tags++) {
		struct frame f = {.data = bytes, .cap = sizeof(bytes)};
		struct layers l;
		make_frame(&f, tags, true, 65000);
		f.vnet.gso_type = 1;
		f.vnet.gso_size = 1448;
		f.vnet.hdr_len = (uint16_t)(14 + 4 * tags + 40);
		uint32_t len = f.len;
		port_send(b->ha, &f);
		port_flush(b->ha);
		struct frame *got = wait_frame(b, b->hb);
		assert_non_null(got);
		assert_int_equal(got->len, len);
		packet_decode(got, &l);
		assert_int_equal(l.odd, tags > 0 ? ODD_VLAN : 0);
		assert_int_equal(got->vnet.gso_type, 1);
		assert_int_equal(got->vnet.gso_size, 1448);
		assert_int_equal(got->vnet.csum_start, l.l4);
		assert_memory_equal(got->data + l.payload, bytes + l.payload, 65000);
		assert_true(whole_sum_right(got));
	}
}

/* ---- real stacks, translated on the way ------------------------------------------------------- */

/* A talks to .9 port 80 (or ::9); B has .2 (::2) and listens on 8080. */
static void translate(struct frame *f, bool towards_b)
{
	struct layers l;
	packet_decode(f, &l);
	if (l.ip_ver == 0 || l.odd != 0 || (l.proto != 6 && l.proto != 17))
		return;
	struct addr a = towards_b ? l.dst : l.src;
	a.b[a.ver == 4 ? 3 : 15] = towards_b ? 2 : 9;
	packet_set_addr(f, &l, !towards_b, &a);
	packet_set_port(f, &l, !towards_b, towards_b ? 8080 : 80);
	assert_true(packet_lower_ttl(f, &l));
}

static socklen_t sockaddr_of(int family, const char *text, uint16_t port,
			     struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;
		in->sin_port = htons(port);
		inet_pton(AF_INET, text, &in->sin_addr);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	in6->sin6_port = htons(port);
	inet_pton(AF_INET6, text, &in6->sin6_addr);
	return sizeof(*in6);
}

static void test_udp_translated(void **state)
{
	struct bed *b = bed_of(state);
	b->edit = translate;
	for (int v6 = 0; v6 <= 1; v6++) {
		int family = v6 ? AF_INET6 : AF_INET;
		struct sockaddr_storage ss;
		int from = bed_socket(b, NS_A, family, SOCK_DGRAM);
		int to = bed_socket(b, NS_B, family, SOCK_DGRAM);
		socklen_t len = sockaddr_of(family, v6 ? "::" : "0.0.0.0", 8080, &ss);
		assert_int_equal(bind(to, (struct sockaddr *)&ss, len), 0);
		len = sockaddr_of(family, v6 ? "fd00::9" : "10.0.0.9", 80, &ss);
		b->partial = 0;
		for (unsigned size = 1; size < 1400; size += 77) {
			char out[1400], in[1400];
			memset(out, (int)size, sizeof(out));
			assert_int_equal(sendto(from, out, size, 0, (struct sockaddr *)&ss, len),
					 size);
			ssize_t got = -1;
			for (unsigned i = 0; i < 100 && got < 0; i++) {
				bed_forward(b, 10);
				got = recv(to, in, sizeof(in), 0);
			}
			assert_int_equal(got, size); /* a wrong checksum never gets here */
			assert_memory_equal(in, out, size);
		}
		assert_true(b->partial > 0);
		close(from);
		close(to);
	}
}

static int connect_through(struct bed *b, int family, int *ret_server)
{
	struct sockaddr_storage ss;
	bool v6 = family == AF_INET6;
	int listener = bed_socket(b, NS_B, family, SOCK_STREAM), one = 1;
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	socklen_t len = sockaddr_of(family, v6 ? "::" : "0.0.0.0", 8080, &ss);
	assert_int_equal(bind(listener, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	int client = bed_socket(b, NS_A, family, SOCK_STREAM);
	len = sockaddr_of(family, v6 ? "fd00::9" : "10.0.0.9", 80, &ss);
	assert_int_equal(connect(client, (struct sockaddr *)&ss, len), -1);
	assert_int_equal(errno, EINPROGRESS);
	*ret_server = -1;
	for (unsigned i = 0; i < 300 && *ret_server < 0; i++) {
		bed_forward(b, 10);
		*ret_server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	close(listener);
	assert_true(*ret_server >= 0);
	return client;
}

static void test_tcp_translated(void **state)
{
	static uint8_t out[65536], in[65536];
	struct bed *b = bed_of(state);
	b->edit = translate;
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	for (int v6 = 0; v6 <= 1; v6++) {
		int server;
		b->largest = 0;
		int client = connect_through(b, v6 ? AF_INET6 : AF_INET, &server);
		uint32_t sent = 0, got = 0;
		for (unsigned idle = 0; got < STREAM_BYTES && idle < 300;) {
			uint32_t at = sent % sizeof(out);
			ssize_t n = sent < STREAM_BYTES
					    ? send(client, out + at, sizeof(out) - at, 0)
					    : 0;
			sent += n > 0 ? (uint32_t)n : 0;
			bed_forward(b, 10);
			at = got % sizeof(in);
			ssize_t r = recv(server, in + at, sizeof(in) - at, 0);
			if (r > 0)
				assert_memory_equal(in + at, out + at, (size_t)r);
			got += r > 0 ? (uint32_t)r : 0;
			idle = r > 0 ? 0 : idle + 1;
		}
		assert_int_equal(got, sent);
		assert_true(got >= STREAM_BYTES);
		assert_true(b->largest > 32000); /* super-frames came and went whole */
		close(client);
		close(server);
	}
}

/* ---- the tap ---------------------------------------------------------------------------------- */

static void test_tap(void **state)
{
	struct bed *b = bed_of(state);
	struct arena arena;
	struct port *tap;
	int fd;
	int err = port_open_tap("tap0", &fd);
	if (err == -ENOENT || err == -ENODEV || err == -EPERM || err == -EACCES) {
		printf("SKIP: no /dev/net/tun here\n");
		skip();
	}
	assert_int_equal(err, 0);
	assert_int_equal(arena_create(PORT_BYTES, &arena), 0);
	assert_int_equal(port_attach(&arena, b->pool, PORT_TAP, fd, 5, "tap0", &tap), 0);
	bed_run(b, NS_WALL,
		"ip link set tap0 up && ip addr add 10.9.0.1/24 dev tap0 && "
		"ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:77 dev tap0");
	int s = bed_socket(b, NS_WALL, AF_INET, SOCK_DGRAM);
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(AF_INET, "10.9.0.2", 7, &ss);
	assert_int_equal(connect(s, (struct sockaddr *)&ss, len), 0);
	char back[64];
	ssize_t got = -1;
	assert_int_equal(send(s, "to the tap and back", 19, 0), 19);
	for (unsigned i = 0; i < 100 && got < 0; i++) {
		struct frame *frames;
		int n = port_recv(tap, &frames);
		for (int k = 0; k < n; k++) {
			struct layers l;
			packet_decode(&frames[k], &l);
			if (l.proto != 17 || l.dport != 7)
				continue;
			assert_true(frames[k].vnet.flags & VNET_NEEDS_CSUM);
			assert_int_equal(frames[k].port, 5);
			struct addr src = l.src, dst = l.dst;
			uint16_t port = l.sport;
			struct mac to, from;
			memcpy(to.b, frames[k].data + 6, 6);
			memcpy(from.b, frames[k].data, 6);
			packet_set_macs(&frames[k], &to, &from);
			packet_set_addr(&frames[k], &l, true, &dst);
			packet_set_addr(&frames[k], &l, false, &src);
			packet_set_port(&frames[k], &l, true, 7);
			packet_set_port(&frames[k], &l, false, port);
			port_send(tap, &frames[k]);
		}
		port_flush(tap);
		got = recv(s, back, sizeof(back), 0);
		if (got < 0)
			usleep(10000);
	}
	assert_int_equal(got, 19);
	assert_memory_equal(back, "to the tap and back", 19);
	close(s);
	close(fd);
	arena_destroy(&arena);
}

/* ---- failing ---------------------------------------------------------------------------------- */

static unsigned count_marked(struct port *p)
{
	struct frame *frames;
	unsigned marked = 0;
	for (int n; (n = port_recv(p, &frames)) > 0;)
		for (int i = 0; i < n; i++) {
			struct layers l;
			packet_decode(&frames[i], &l);
			marked += l.sport == MARK;
		}
	return marked;
}

static void send_for(struct port *p, unsigned ms)
{
	static uint8_t bytes[256];
	struct frame f = {.data = bytes, .cap = sizeof(bytes)};
	make_frame(&f, 0, false, 20);
	for (unsigned i = 0; i < ms; i++) {
		port_send(p, &f);
		port_flush(p);
		usleep(1000);
	}
}

static void test_killed_means_silence(void **state)
{
	struct bed *b = bed_of(state);
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			bed_forward(b, 1000);
	assert_true(pid > 0);
	send_for(b->ha, 200);
	assert_true(count_marked(b->hb) > 100);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	(void)count_marked(b->hb);
	send_for(b->ha, 300);
	assert_int_equal(count_marked(b->hb), 0);
	/* What waited in the socket meanwhile goes on when somebody forwards again. */
	bed_forward(b, 100);
	assert_true(count_marked(b->hb) > 0);
}

static void test_link_down(void **state)
{
	struct bed *b = bed_of(state);
	struct port_stats before, after;
	struct frame *frames;
	bed_run(b, NS_WALL, "ip link set b1 down");
	port_read_stats(b->b, &before);
	assert_int_equal(port_recv(b->b, &frames), -ENETDOWN);
	send_for(b->ha, 5);
	for (unsigned i = 0; i < 5; i++)
		bed_forward(b, 10);
	port_read_stats(b->b, &after);
	assert_true(after.tx_failed >= before.tx_failed + 5);
	bed_run(b, NS_WALL, "ip link set b1 up");
	(void)!port_recv(b->b, &frames);
	unsigned got = 0;
	for (unsigned i = 0; i < 50 && got == 0; i++) {
		send_for(b->ha, 2);
		bed_forward(b, 20);
		got = count_marked(b->hb);
	}
	assert_true(got > 0);
	bed_run(b, NS_B,
		"ip addr replace fd00::2/64 dev b0 nodad && for i in 1 3 4 5 6 7 8 9; do ip neigh "
		"replace fd00::$i lladdr 02:00:00:00:00:0a dev b0; done");
}

/* Frames that can't go are passed over and counted, and those behind them still go. */
static void test_bad_ones_skipped(void **state)
{
	static uint8_t good[256], bad[4000];
	struct bed *b = bed_of(state);
	struct frame f = {.data = good, .cap = sizeof(good)},
		     big = {.data = bad, .cap = sizeof(bad)};
	struct port_stats before, after;
	make_frame(&f, 0, false, 20);
	make_frame(&big, 0, false, 3000); /* longer than the MTU, and no super-frame */
	port_read_stats(b->b, &before);
	port_send(b->b, &f);
	port_send(b->b, &big);
	port_send(b->b, &f);
	port_send(b->b, &big);
	port_send(b->b, &f);
	port_flush(b->b);
	port_read_stats(b->b, &after);
	assert_int_equal(after.tx_frames - before.tx_frames, 3);
	assert_int_equal(after.tx_failed - before.tx_failed, 2);
	assert_int_equal(count_marked(b->hb), 3);
}

static void test_flood_counted(void **state)
{
	static uint8_t bytes[1200];
	struct bed *b = bed_of(state);
	struct frame f = {.data = bytes, .cap = sizeof(bytes)};
	struct port_stats before, after;
	make_frame(&f, 0, false, 1000);
	port_read_stats(b->a, &before);
	for (unsigned i = 0; i < 60000; i++)
		port_send(b->ha, &f);
	port_flush(b->ha);
	unsigned got = count_marked(b->a);
	port_read_stats(b->a, &after);
	uint64_t lost = after.rx_kernel_drops - before.rx_kernel_drops;
	assert_true(got > 0 && lost > 0);
	assert_true(got + lost >= 60000);
}

int main(void)
{
	static struct bed bed;
	int err = bed_setup(&bed);
	if (err != 0)
		return err;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_tags_survive, &bed),
		cmocka_unit_test_prestate(test_super_frame_whole, &bed),
		cmocka_unit_test_prestate(test_udp_translated, &bed),
		cmocka_unit_test_prestate(test_tcp_translated, &bed),
		cmocka_unit_test_prestate(test_tap, &bed),
		cmocka_unit_test_prestate(test_killed_means_silence, &bed),
		cmocka_unit_test_prestate(test_link_down, &bed),
		cmocka_unit_test_prestate(test_bad_ones_skipped, &bed),
		cmocka_unit_test_prestate(test_flood_counted, &bed),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	bed_teardown(&bed);
	return failed;
}
