/* SPDX-License-Identifier: BSD-2-Clause */
/* Cost of a frame on an established flow and of one that opens a flow, beside that of decoding the
 * same frames alone in the same run: the ratio holds on any machine, the nanoseconds don't. */
#include "judge/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRAMES 512u
#define ROUNDS 200u
#define REPEATS 5
#define BYTES 1600u

struct bed {
	struct judge *j;
	int64_t now;
	uint8_t bytes[FRAMES][BYTES], work[BYTES];
	uint32_t len;
	bool partial;
};

static int64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void ignore(void *ctx, const struct event *e)
{
	(void)ctx;
	(void)e;
}

static struct addr addr_of(const char *text)
{
	struct addr a = {0};
	if (addr_parse(text, &a) != 0)
		abort();
	return a;
}

static struct judge *make_judge(struct arena *arena)
{
	static struct judge_conf c;
	static struct wall_stats stats;
	struct judge *j = NULL;
	void *limits = calloc(1, judge_limits_bytes());
	c.n_ports = 2;
	text_copy(c.ports[0].name, sizeof(c.ports[0].name), "outside");
	text_copy(c.ports[1].name, sizeof(c.ports[1].name), "web1");
	c.ports[0].up = c.ports[1].up = 1;
	c.ports[0].mac = (struct mac){{2, 0, 0, 0, 0, 1}};
	c.ports[0].peer_mac = (struct mac){{2, 0, 0, 0, 0, 2}};
	c.ports[1].mac = (struct mac){{2, 0, 0, 0, 1, 1}};
	c.ports[1].kind = JUDGE_HONEYPOT;
	c.ports[1].inside = addr_of("10.99.0.10");
	c.ports[1].public = addr_of("203.0.113.10");
	c.network.gateway_mac = (struct mac){{2, 0, 0, 0, 0, 3}};
	c.wall.flows = 1u << 18;
	c.wall.event_rate = 500;
	c.wall.tcp_idle_ns = c.wall.udp_idle_ns = c.wall.icmp_idle_ns = 3600 * NS_PER_SEC;
	c.wall.half_open_ns = 30 * NS_PER_SEC;
	c.boot_id = 1;
	if (limits == NULL || arena_create(judge_arena_bytes(&c), arena) != 0 ||
	    judge_create(arena, &c, limits, &stats, ignore, NULL, 1, &j) != 0)
		abort();
	return j;
}

/* A UDP frame from outside; source address and port from n. */
static void make_frame(struct bed *b, uint8_t *p, uint32_t n)
{
	static const uint8_t macs[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	uint8_t *ip = p + ETH_HLEN, *udp = ip + 20;
	uint32_t len = b->len - ETH_HLEN;
	memset(p, 0, 64);
	memcpy(p, macs, sizeof(macs));
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)len);
	ip[8] = 64;
	ip[9] = 17;
	store_be32(ip + 12, 0x40000000 + n);
	store_be32(ip + 16, 0xcb00710a);
	store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
	store_be16(udp, (uint16_t)n);
	store_be16(udp + 2, 53);
	store_be16(udp + 4, (uint16_t)(len - 20));
	uint16_t pseudo = packet_sum(ip + 12, 8, 17 + len - 20);
	uint16_t sum = (uint16_t)~packet_sum(udp, len - 20, pseudo);
	store_be16(udp + 6, b->partial ? pseudo : sum);
}

static struct frame frame_of(struct bed *b, const uint8_t *bytes)
{
	memcpy(b->work, bytes, b->len);
	struct frame f = {.data = b->work, .len = b->len, .cap = BYTES};
	if (b->partial)
		f.vnet =
			(struct vnet){.flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
	return f;
}

static void work_decode(struct bed *b, uint32_t i)
{
	struct layers l;
	struct frame f = frame_of(b, b->bytes[i]);
	packet_decode(&f, &l);
	if (l.odd != 0)
		abort();
}

static void work_known(struct bed *b, uint32_t i)
{
	struct judge_result r;
	struct frame f = frame_of(b, b->bytes[i]);
	judge_frame(b->j, b->now, &f, &r);
	if (r.verdict != VERDICT_FORWARD)
		abort();
}

static uint32_t next_stranger(void)
{
	static uint32_t n = 1u << 20;
	return n++;
}

static void work_new(struct bed *b, uint32_t i)
{
	struct judge_result r;
	(void)i;
	make_frame(b, b->bytes[0], next_stranger());
	struct frame f = frame_of(b, b->bytes[0]);
	judge_frame(b->j, b->now, &f, &r);
	if (!r.first)
		abort();
}

static double best_ns(struct bed *b, void (*work)(struct bed *b, uint32_t i))
{
	double best = 1e18;
	for (unsigned k = 0; k < REPEATS; k++) {
		int64_t start = clock_ns();
		for (unsigned r = 0; r < ROUNDS; r++)
			for (uint32_t i = 0; i < FRAMES; i++)
				work(b, i);
		double ns = (double)(clock_ns() - start) / (ROUNDS * FRAMES);
		best = ns < best ? ns : best;
		b->now += NS_PER_SEC;
	}
	return best;
}

int main(void)
{
	static struct bed b;
	struct arena arena;
	b.j = make_judge(&arena);
	b.now = NS_PER_SEC;
	static const struct {
		const char *name;
		uint32_t len;
		bool partial;
	} cases[] = {{"60 B", 60, false}, {"1514 B", 1514, false}, {"1514 B partial", 1514, true}};
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		b.len = cases[c].len;
		b.partial = cases[c].partial;
		for (uint32_t i = 0; i < FRAMES; i++)
			make_frame(&b, b.bytes[i], i + 1);
		double decode = best_ns(&b, work_decode), known = best_ns(&b, work_known);
		printf("judge known flow, %-15s %7.1f ns/frame  (copy and decode alone %.1f, "
		       "x%.1f)\n",
		       cases[c].name, known, decode, known / decode);
	}
	b.len = 60;
	b.partial = false;
	double made = best_ns(&b, work_new);
	printf("judge new flow,   %-15s %7.1f ns/frame  (table of 262144 full, one evicted each)\n",
	       "60 B", made);
	arena_destroy(&arena);
	return 0;
}
