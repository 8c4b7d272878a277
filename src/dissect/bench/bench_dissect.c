/* SPDX-License-Identifier: BSD-2-Clause */
/* Cost of taking frames apart, beside the cost of copying the same frames in the same run. */
#include "dissect/dissect.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FRAMES 512u
#define ROUNDS 1000u
#define REPEATS 7

struct bed {
	uint8_t bytes[FRAMES][1600], copy[FRAMES][1600];
	uint32_t len;
	struct dissect *d;
};

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

enum what { TCP4, TCP4_STAMPS, UDP4, TCP6, VLAN_TCP4, VXLAN_TCP4, FRAGS4, WHATS };

static uint8_t *put_ip(uint8_t *p, int ver, uint32_t len, uint8_t proto, uint32_t i)
{
	if (ver == 4) {
		p[0] = 0x45;
		store_be16(p + 2, (uint16_t)len);
		p[8] = 64;
		p[9] = proto;
		store_be32(p + 12, 0x0a000000 + i);
		store_be32(p + 16, 0x0b000000 + i);
		return p + 20;
	}
	p[0] = 0x60;
	store_be16(p + 4, (uint16_t)(len - 40));
	p[6] = proto;
	p[7] = 64;
	store_be32(p + 8, 0x20010db8);
	store_be32(p + 24, 0x20010db9);
	return p + 40;
}

static void put_tcp(uint8_t *p, bool stamps)
{
	store_be16(p, 40000);
	store_be16(p + 2, 80);
	p[12] = stamps ? 0x80 : 0x50;
	p[13] = 0x10;
	if (stamps)
		store_be32(p + 20, 0x0101080a);
}

static uint8_t *put_udp(uint8_t *p, uint16_t port, uint32_t len)
{
	store_be16(p, 40000);
	store_be16(p + 2, port);
	store_be16(p + 4, (uint16_t)len);
	return p + 8;
}

static void make(struct bed *b, enum what what)
{
	memset(b->bytes, 0, sizeof(b->bytes));
	b->len = 300;
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t *p = b->bytes[i], *at = p + 14, *end = p + b->len;
		uint16_t type = what == TCP6 ? 0x86dd : 0x0800;
		store_be16(p + 12, type);
		if (what == VLAN_TCP4) {
			store_be16(p + 12, 0x8100);
			store_be16(p + 16, type);
			at += 4;
		}
		if (what == UDP4) {
			at = put_ip(at, 4, (uint32_t)(end - at), 17, i);
			put_udp(at, 5000, (uint32_t)(end - at));
			continue;
		}
		if (what == FRAGS4) { /* pairs that make a datagram */
			uint8_t *ip = at;
			put_ip(at, 4, 20 + 256, 17, i / 2);
			store_be16(ip + 4, (uint16_t)(i / 2));
			store_be16(ip + 6, i % 2 == 0 ? 0x2000 : 256 / 8);
			put_udp(ip + 20, 5000, 512);
			continue;
		}
		if (what == VXLAN_TCP4) {
			at = put_ip(at, 4, (uint32_t)(end - at), 17, i);
			at = put_udp(at, 4789, (uint32_t)(end - at));
			at[0] = 8;
			at += 8;
			store_be16(at + 12, type);
			at += 14;
		}
		at = put_ip(at, what == TCP6 ? 6 : 4, (uint32_t)(end - at), 6, i);
		put_tcp(at, what == TCP4_STAMPS);
	}
}

static void work_copy(struct bed *b, uint32_t i, uint64_t *sink)
{
	memcpy(b->copy[i], b->bytes[i], b->len);
	*sink += b->copy[i][b->len - 1] + 1u;
}

static void work_dissect(struct bed *b, uint32_t i, uint64_t *sink)
{
	struct pkt p[DISSECT_PKTS];
	uint32_t n = dissect_frame(b->d, LINK_ETHERNET, b->bytes[i], b->len, b->len, 0, i, p);
	*sink += p[n - 1].sport + n;
}

static double cost(struct bed *b, void (*work)(struct bed *, uint32_t, uint64_t *), uint64_t *sink)
{
	double best = 1e9;
	for (unsigned r = 0; r < REPEATS; r++) {
		int64_t start = now_ns();
		for (unsigned n = 0; n < ROUNDS; n++)
			for (uint32_t i = 0; i < FRAMES; i++)
				work(b, i, sink);
		double ns = (double)(now_ns() - start) / (ROUNDS * FRAMES);
		best = ns < best ? ns : best;
	}
	return best;
}

int main(void)
{
	static const char *const names[WHATS] = {"tcp4",      "tcp4+stamps", "udp4",  "tcp6",
						 "vlan tcp4", "vxlan tcp4",  "frags4"};
	static struct bed bed;
	uint64_t sink = 0;
	for (int sums = 0; sums < 2; sums++) {
		struct dissect_conf conf = {.checksums = sums};
		if (dissect_create(&conf, &bed.d) != 0)
			return 1;
		printf("%-14s %9s %6s %8s %12s\n", "frames", "checksums", "bytes", "ns",
		       "of a memcpy");
		for (unsigned what = 0; what < WHATS; what++) {
			make(&bed, what);
			double copy = cost(&bed, work_copy, &sink);
			double ns = cost(&bed, work_dissect, &sink);
			printf("%-14s %9s %6u %8.1f %12.1f\n", names[what], sums ? "yes" : "no",
			       bed.len, ns, ns / copy);
		}
		dissect_free(&bed.d);
	}
	return sink == 0; /* nothing was measured */
}
