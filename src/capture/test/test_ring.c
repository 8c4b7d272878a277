/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive rings on a veth pair and a tap, in a network namespace of this process: both directions,
 * tags, super-frames, the stamps that wall and recorder share, a ring taken over, a ring too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RING (4u << 20)
#define TEST_TYPE 0x88b5 /* local experimental */

static uint8_t scratch[CAPTURE_SNAP];

static int setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return 0; /* each test skips */
	return system("ip link add port0 type veth peer name end0 && "
		      "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
		      "ip link set port0 up && ip link set end0 up");
}

static void need_namespace(void)
{
	if (if_nametoindex("port0") == 0)
		skip();
}

/* A plain socket like the wall's: virtio-net header, ns stamps, incoming only if `wall`. */
static int plain_socket(const char *ifname, bool wall)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(ifname)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	int buffer = 32 << 20;
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)), 0);
	if (wall)
		assert_int_equal(
			setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

#define VNET ((ssize_t)sizeof(struct virtio_net_hdr))
/* Next frame of our type with its stamp; its length or -1. */
static ssize_t plain_receive(int fd, uint8_t *buf, size_t size, int64_t *ret_stamp)
{
	char control[256];
	struct iovec iov = {buf, size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &msg, 0);
	*ret_stamp = 0;
	for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c != NULL;
	     c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			*ret_stamp = ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
		}
	return n > VNET ? n - VNET : -1;
}

static size_t frame_of(uint32_t n, size_t len, uint8_t *out)
{
	memset(out, 0, len);
	memset(out, 2, 12);
	store_be16(out + 12, TEST_TYPE);
	store_be32(out + 14, n);
	for (size_t i = 18; i < len; i++)
		out[i] = (uint8_t)(n + i);
	return len;
}

static void plain_send(int fd, uint32_t n, size_t len)
{
	static uint8_t buf[70000];
	struct virtio_net_hdr *h = (void *)buf;
	memset(h, 0, sizeof(*h));
	frame_of(n, len, buf + sizeof(*h));
	assert_int_equal(write(fd, buf, sizeof(*h) + len), sizeof(*h) + len);
}

static bool is_test_frame(const struct capture_packet *p)
{
	return p->len >= 60 && load_be16(p->data + 12) == TEST_TYPE;
}

/* Next test frame of the ring, waiting up to a second. The caller pops it. */
static bool ring_next(struct capture_ring *r, struct capture_packet *ret)
{
	for (int i = 0; i < 200; i++) {
		while (capture_ring_peek(r, scratch, ret)) {
			if (is_test_frame(ret) || ret->len > 1600 ||
			    load_be16(ret->data + 12) == ETH_P_8021Q)
				return true;
			capture_ring_pop(r);
		}
		struct pollfd pfd = {.fd = r->fd, .events = POLLIN};
		poll(&pfd, 1, 5);
	}
	return false;
}

static struct capture_ring ring_on(const char *ifname, uint64_t bytes)
{
	struct capture_ring r;
	int fd = -1;
	assert_int_equal(capture_ring_open(ifname, bytes, &fd), 0);
	assert_int_equal(capture_ring_attach(&r, fd, bytes), 0);
	return r;
}

static void ring_off(struct capture_ring *r)
{
	int fd = r->fd;
	capture_ring_detach(r);
	close(fd);
}

/* The stamp of each frame is the same for a socket like the wall's: marks find their frame. */
static void same_stamps(const char *wall_if, int sender, unsigned frames)
{
	struct capture_ring r = ring_on(wall_if, RING);
	int wall = plain_socket(wall_if, true);
	static uint8_t buf[70000];
	struct capture_packet p;
	int64_t stamp, last = 0;
	for (unsigned n = 0; n < frames; n++) {
		plain_send(sender, n, 60 + n % 1400);
		if (n % 16 == 0)
			usleep(300);
	}
	for (unsigned n = 0; n < frames; n++) {
		ssize_t len = plain_receive(wall, buf, sizeof(buf), &stamp);
		if (len >= 0 && load_be16(buf + VNET + 12) != TEST_TYPE) {
			n--;
			continue;
		}
		assert_int_equal(len, 60 + n % 1400);
		assert_true(ring_next(&r, &p));
		assert_int_equal(load_be32(p.data + 14), n);
		assert_int_equal(p.len, len);
		assert_int_equal(p.orig_len, len);
		assert_memory_equal(p.data, buf + VNET, (size_t)len);
		assert_false(p.outbound);
		assert_false(p.own_stamp);
		assert_int_equal(p.stamp_ns, stamp);
		assert_true(stamp >= last);
		last = stamp;
		capture_ring_pop(&r);
	}
	assert_int_equal(capture_ring_drops(&r), 0);
	ring_off(&r);
	close(wall);
}

static void stamps_veth(void **state)
{
	(void)state;
	need_namespace();
	int end = plain_socket("end0", false);
	same_stamps("port0", end, 2000);
	close(end);
}

static void stamps_tap(void **state)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	(void)state;
	need_namespace();
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	if (tap < 0)
		skip();
	strcpy(ifr.ifr_name, "tap0");
	assert_int_equal(ioctl(tap, TUNSETIFF, &ifr), 0);
	assert_int_equal(system("ip link set tap0 up"), 0);
	same_stamps("tap0", tap, 2000);
	close(tap);
}

static void fill_table(struct mark_table *t, const struct mark *m)
{
	static uint64_t room[200000];
	struct mark_ring *ring = mark_ring_at(room);
	uint64_t cursor = 0, lost = 0;
	assert_true(mark_ring_bytes() <= sizeof(room));
	memset(room, 0, sizeof(room));
	mark_put(ring, m);
	mark_table_fill(t, ring, &cursor, &lost);
}

/* Segments of a local TCP still carry their time of departure, and are stamped by each listener for
 * itself: the ring must tell, and the join must find their mark all the same. */
static void stamps_of_local_tcp(void **state)
{
	static uint8_t buf[70000];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct mark_table *table;
	struct capture_packet p;
	struct arena arena;
	struct mark got;
	int64_t stamp = 0;
	ssize_t len = -1;
	(void)state;
	need_namespace();
	assert_int_equal(system("ip addr add 10.9.9.1/24 dev end0 && ip neigh add 10.9.9.2 dev "
				"end0 lladdr 02:02:02:02:02:02"),
			 0);
	assert_int_equal(arena_create(mark_table_bytes(), &arena), 0);
	assert_int_equal(mark_table_create(&arena, &table), 0);
	struct capture_ring r = ring_on("port0", RING);
	int wall = plain_socket("port0", true);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, "10.9.9.2", &to.sin_addr);
	assert_int_equal(connect(s, (struct sockaddr *)&to, sizeof(to)), -1);
	for (int i = 0; i < 200 && len < 0; i++, usleep(1000)) {
		len = plain_receive(wall, buf, sizeof(buf), &stamp);
		if (len >= 0 && load_be16(buf + VNET + 12) != ETH_P_IP)
			len = -1;
	}
	assert_true(len > 0);
	bool found = false;
	for (int i = 0; i < 200 && !found; i++, usleep(1000)) {
		while (!found && capture_ring_peek(&r, scratch, &p)) {
			found = load_be16(p.data + 12) == ETH_P_IP;
			if (!found)
				capture_ring_pop(&r);
		}
	}
	assert_true(found);
	assert_int_equal(p.len, len);
	assert_true(p.own_stamp || p.stamp_ns == stamp);
	struct mark m = {.stamp_ns = stamp,
			 .len = (uint32_t)len,
			 .hash = capture_hash(buf + VNET, (size_t)len),
			 .port = 3,
			 .verdict = VERDICT_DROP};
	fill_table(table, &m);
	assert_false(mark_table_take(table, 2, &p, &got));
	assert_true(mark_table_take(table, 3, &p, &got));
	assert_memory_equal(&got, &m, sizeof(m));
	assert_false(mark_table_take(table, 3, &p, &got)); /* once */
	p.own_stamp = true;
	m.stamp_ns = p.stamp_ns + 6 * NS_PER_MS;
	fill_table(table, &m);
	assert_false(mark_table_take(table, 3, &p, &got)); /* too far away */
	m.stamp_ns = p.stamp_ns - 4 * NS_PER_MS;
	fill_table(table, &m);
	m.stamp_ns = p.stamp_ns + 1;
	fill_table(table, &m);
	assert_true(mark_table_take(table, 3, &p, &got));
	assert_int_equal(got.stamp_ns, p.stamp_ns + 1); /* the nearest */
	p.own_stamp = false;
	m.stamp_ns = p.stamp_ns + 2;
	fill_table(table, &m);
	p.stamp_ns++;
	assert_true(mark_table_take(table, 3, &p, &got)); /* the exact one of before */
	assert_false(mark_table_take(table, 3, &p, &got));
	close(s);
	close(wall);
	ring_off(&r);
	arena_destroy(&arena);
}

/* What the wall sends is there too, and says so. */
static void both_directions(void **state)
{
	struct capture_packet p;
	(void)state;
	need_namespace();
	struct capture_ring r = ring_on("port0", RING);
	int wall = plain_socket("port0", true), end = plain_socket("end0", false);
	for (uint32_t n = 0; n < 200; n++)
		plain_send(n % 2 == 0 ? wall : end, n, 60 + n);
	for (uint32_t n = 0; n < 200; n++) {
		uint8_t want[400];
		assert_true(ring_next(&r, &p));
		assert_int_equal(load_be32(p.data + 14), n);
		assert_int_equal(p.outbound, n % 2 == 0);
		assert_memory_equal(p.data, want, frame_of(n, 60 + n, want));
		capture_ring_pop(&r);
	}
	ring_off(&r);
	close(wall);
	close(end);
}

/* A tag that the kernel took out of the bytes is put back. */
static void tags(void **state)
{
	static uint8_t buf[VNET + 64];
	struct capture_packet p;
	(void)state;
	need_namespace();
	struct capture_ring r = ring_on("port0", RING);
	int end = plain_socket("end0", false);
	uint8_t *f = buf + VNET;
	memset(f, 2, 12);
	store_be16(f + 12, ETH_P_8021Q);
	store_be16(f + 14, 0x2064);
	store_be16(f + 16, TEST_TYPE);
	memset(f + 18, 0x5a, 46);
	assert_int_equal(write(end, buf, sizeof(buf)), sizeof(buf));
	assert_true(ring_next(&r, &p));
	assert_int_equal(p.len, 64);
	assert_int_equal(p.orig_len, 64);
	assert_memory_equal(p.data, f, 64);
	capture_ring_pop(&r);
	ring_off(&r);
	close(end);
}

/* Super-frames stay whole: a TCP segment of 60 000 bytes goes through as one. */
static void super_frames(void **state)
{
	static uint8_t buf[VNET + 60054];
	struct virtio_net_hdr *h = (void *)buf;
	uint8_t *f = buf + VNET;
	struct capture_packet p;
	(void)state;
	need_namespace();
	struct capture_ring r = ring_on("port0", RING);
	int wall = plain_socket("port0", true);
	*h = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				     .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				     .hdr_len = 54,
				     .gso_size = 1448,
				     .csum_start = 34,
				     .csum_offset = 16};
	memset(f, 2, 12);
	store_be16(f + 12, ETH_P_IP);
	f[14] = 0x45;
	store_be16(f + 16, 60040);
	f[22] = 64;
	f[23] = 6;
	memset(f + 26, 10, 8);
	f[46] = 0x50;
	f[47] = 0x10;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(write(wall, buf, sizeof(buf)), sizeof(buf));
	for (unsigned i = 0; i < 40; i++) {
		assert_true(ring_next(&r, &p));
		assert_int_equal(p.len, 60054);
		assert_memory_equal(p.data, f, 60054);
		assert_true(p.outbound);
		capture_ring_pop(&r);
	}
	assert_int_equal(capture_ring_drops(&r), 0);
	ring_off(&r);
	close(wall);
}

/* A recorder that was killed leaves a ring in use: the next one begins with the oldest frame that
 * was not handed back. */
static void taken_over(void **state)
{
	struct capture_packet p;
	(void)state;
	need_namespace();
	struct capture_ring r = ring_on("port0", RING);
	int end = plain_socket("end0", false), fd = r.fd;
	uint32_t n = 0, want = 0;
	for (; n < 400; n++)
		plain_send(end, n, 1500);
	for (; want < 250; want++) {
		assert_true(ring_next(&r, &p));
		assert_int_equal(load_be32(p.data + 14), want);
		capture_ring_pop(&r);
	}
	capture_ring_detach(&r); /* super still holds the socket: nothing is lost */
	for (; n < 600; n++)
		plain_send(end, n, 1500);
	assert_int_equal(capture_ring_attach(&r, fd, RING), 0);
	assert_true(ring_next(&r, &p));
	/* Frames of the block that was being read come once more. */
	want = load_be32(p.data + 14);
	assert_in_range(want, 1, 250);
	for (; want < 600; want++) {
		assert_true(ring_next(&r, &p));
		assert_int_equal(load_be32(p.data + 14), want);
		capture_ring_pop(&r);
	}
	assert_int_equal(capture_ring_drops(&r), 0);
	ring_off(&r);
	close(end);
}

/* A reader that is too late loses the newest frames, and can tell how many. */
static void too_late(void **state)
{
	struct capture_packet p;
	(void)state;
	need_namespace();
	struct capture_ring r = ring_on("port0", 0); /* the smallest: 2 MiB */
	int end = plain_socket("end0", false);
	uint32_t got = 0;
	assert_false(capture_ring_pressed(&r, 2));
	for (uint32_t n = 0; n < 3000; n++)
		plain_send(end, n, 1500);
	assert_true(capture_ring_peek(&r, scratch, &p));
	assert_true(capture_ring_pressed(&r, 2));
	for (; ring_next(&r, &p) && load_be16(p.data + 12) == TEST_TYPE; got++) {
		assert_int_equal(load_be32(p.data + 14), got);
		capture_ring_pop(&r);
	}
	assert_in_range(got, 1000, 1500);
	assert_int_equal(capture_ring_drops(&r), 3000 - got);
	assert_int_equal(capture_ring_drops(&r), 0); /* told once */
	assert_false(capture_ring_pressed(&r, 2));
	ring_off(&r);
	close(end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_veth),
		cmocka_unit_test(stamps_tap),
		cmocka_unit_test(stamps_of_local_tcp),
		cmocka_unit_test(both_directions),
		cmocka_unit_test(tags),
		cmocka_unit_test(super_frames),
		cmocka_unit_test(taken_over),
		cmocka_unit_test(too_late),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
