/* SPDX-License-Identifier: BSD-2-Clause */
/* Cost of decoding and of a translation (address, port, TTL, MACs), beside the cost of copying the
 * same frames in the same run: the ratio holds on any machine, the nanoseconds don't. */
#include "packet/packet.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define FRAMES 512u /* more than one cache line's worth of luck, less than the cache */
#define ROUNDS 400u
#define REPEATS 7

struct bed {
	uint8_t bytes[FRAMES][1600], copy[FRAMES][1600];
	uint32_t len;
	struct frame f[FRAMES];
};

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void make_frames(struct bed *b, int ver, uint32_t len, bool partial)
{
	memset(b, 0, sizeof(*b));
	b->len = len;
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t *p = b->bytes[i], *ip = p + ETH_HLEN;
		uint32_t header = ver == 4 ? 20 : 40, total = len - ETH_HLEN;
		store_be16(p + 12, ver == 4 ? 0x0800 : 0x86dd);
		if (ver == 4) {
			ip[0] = 0x45;
			store_be16(ip + 2, (uint16_t)total);
			ip[8] = 64;
			ip[9] = 6;
			store_be32(ip + 12, 0x0a000000 + i);
			store_be32(ip + 16, 0x0b000000 + i);
			store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
		} else {
			ip[0] = 0x60;
			store_be16(ip + 4, (uint16_t)(total - 40));
			ip[6] = 6;
			ip[7] = 64;
			store_be32(ip + 8, 0x20010db8);
			store_be32(ip + 24, 0x20010db9);
		}
		uint8_t *tcp = ip + header;
		tcp[12] = 0x50;
		tcp[13] = TCP_ACK;
		b->f[i] = (struct frame){.data = p, .len = len, .cap = 1600};
		if (partial)
			b->f[i].vnet = (struct vnet){.flags = VNET_NEEDS_CSUM,
						     .csum_start = (uint16_t)(ETH_HLEN + header),
						     .csum_offset = 16};
	}
}

typedef void work_fn(struct bed *b, uint32_t i, uint64_t *sink);

static void work_copy(struct bed *b, uint32_t i, uint64_t *sink)
{
	memcpy(b->copy[i], b->bytes[i], b->len);
	*sink += b->copy[i][b->len - 1];
}

static void work_decode(struct bed *b, uint32_t i, uint64_t *sink)
{
	struct layers l;
	packet_decode(&b->f[i], &l);
	*sink += l.sport + l.odd;
}

static void work_nat(struct bed *b, uint32_t i, uint64_t *sink)
{
	static const struct mac m = {{2, 0, 0, 0, 0, 1}};
	struct layers l;
	struct frame *f = &b->f[i];
	packet_decode(f, &l);
	struct addr to = l.src;
	to.b[3] ^= 0x55;
	packet_set_addr(f, &l, true, &to);
	packet_set_port(f, &l, true, (uint16_t)(l.sport + 1));
	packet_set_macs(f, &m, &m);
	f->data[ETH_HLEN + (l.ip_ver == 4 ? 8 : 7)] = 64;
	l.ttl = 64;
	*sink += packet_lower_ttl(f, &l);
}

static void work_sums(struct bed *b, uint32_t i, uint64_t *sink)
{
	struct layers l;
	packet_decode(&b->f[i], &l);
	*sink += packet_checksums_ok(&b->f[i], &l);
}

static double cost(struct bed *b, work_fn *work, uint64_t *sink)
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
	static struct bed bed;
	static const struct {
		const char *name;
		work_fn *work;
	} jobs[] = {
		{"decode", work_decode},
		{"checksums", work_sums},
		{"decode+nat edit", work_nat},
	};
	uint64_t sink = 0;
	printf("%-18s %4s %6s %8s %10s %12s\n", "job", "ip", "bytes", "ns", "bytes/ns",
	       "of a memcpy");
	for (int ver = 4; ver <= 6; ver += 2)
		for (unsigned size = 0; size < 2; size++) {
			uint32_t len = size == 0 ? (ver == 4 ? 60 : 78) : 1500;
			make_frames(&bed, ver, len, false);
			double copy = cost(&bed, work_copy, &sink);
			printf("%-18s %4d %6u %8.1f %10.1f %12.1f\n", "memcpy", ver, len, copy,
			       len / copy, 1.0);
			for (size_t j = 0; j < ARRAY_LEN(jobs); j++) {
				double ns = cost(&bed, jobs[j].work, &sink);
				printf("%-18s %4d %6u %8.1f %10.1f %12.1f\n", jobs[j].name, ver,
				       len, ns, len / ns, ns / copy);
			}
			make_frames(&bed, ver, len, true);
			double ns = cost(&bed, work_nat, &sink);
			printf("%-18s %4d %6u %8.1f %10.1f %12.1f\n", "nat edit, partial", ver, len,
			       ns, len / ns, ns / copy);
		}
	return sink == 0; /* nothing was measured */
}
