/* SPDX-License-Identifier: BSD-2-Clause */
/* A download over a wire's two ends: what a frame costs without scrub (checks alone), with every byte inspected but
 * no rules, with some that never match, and with one that may replace. In the same run: the ratios hold anywhere. */
#include "judge/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOTAL (UINT64_C(256) << 20)
#define REPEATS 3

static const char few[] =
	"drop tcp any any -> any any (msg:\"a\"; content:\"this is nowhere\"; sid:1;)\n"
	"drop tcp any any -> any any (msg:\"b\"; content:\"nor is this one\"; nocase; sid:2;)\n"
	"alert http any any -> any any (msg:\"c\"; http.uri; content:\"/cmd.exe\"; sid:3;)\n";
static const char replacing[] = "rewrite tcp any any -> any any (msg:\"d\"; content:\"this is "
				"nowhere\"; replace:\"x\"; sid:4;)\n";

struct bed {
	struct judge *j;
	struct scrub *scrub;
	struct rule_set *set;
	struct wall_stats stats;
	struct arena arena;
	void *limits;
	int64_t now;
	uint32_t seq[2];
	uint8_t data[FRAME_MAX];
};

static void must(bool fact)
{
	if (!fact)
		abort();
}

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

static void begin(struct bed *b, bool with, const char *rules)
{
	static struct judge_conf c;
	memset(b, 0, offsetof(struct bed, data));
	memset(&c, 0, sizeof(c));
	if (rules != NULL) {
		struct rule_vars *vars = NULL;
		must(rule_vars_create(&vars) == 0);
		struct rule_set_conf rc = {.vars = vars};
		must(rule_set_create(&rc, &b->set) == 0);
		must(rule_set_read(b->set, "bench", rules, strlen(rules)) == 0);
		must(rule_set_finish(b->set) == 0);
		rule_vars_free(&vars);
	}
	struct scrub_conf sc = {.inspect = {.rules = b->set}};
	sc.inspect.stream.flows = 1024;
	if (with)
		must(scrub_create(&sc, &b->scrub) == 0);
	c.scrub = b->scrub;
	c.n_ports = 2;
	c.bridge = true;
	text_copy(c.ports[0].name, sizeof(c.ports[0].name), "left");
	text_copy(c.ports[1].name, sizeof(c.ports[1].name), "right");
	c.ports[0].up = c.ports[1].up = 1;
	c.ports[1].kind = JUDGE_HONEYPOT;
	c.wall.flows = 32;
	c.wall.event_rate = 500;
	c.boot_id = 1;
	b->now = 1;
	b->limits = calloc(1, judge_limits_bytes());
	must(b->limits != NULL && arena_create(judge_arena_bytes(&c), &b->arena) == 0);
	must(judge_create(&b->arena, &c, b->limits, &b->stats, ignore, NULL, 1, &b->j) == 0);
}

static void end(struct bed *b)
{
	scrub_free(&b->scrub);
	rule_set_free(&b->set);
	arena_destroy(&b->arena);
	free(b->limits);
}

/* Sends len bytes (whatever is in the buffer), its checksum left to the card, as the kernel hands it over. */
static void send(struct bed *b, uint16_t port, uint8_t flags, uint32_t len, uint32_t segment)
{
	uint8_t *p = b->data, *ip = p + ETH_HLEN, *tcp = ip + 20;
	struct judge_result r;
	memset(p, 0, ETH_HLEN + 40);
	p[0] = p[6] = 2;
	p[5] = (uint8_t)port;
	store_be16(p + 12, 0x0800);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(40 + len));
	ip[8] = 64;
	ip[9] = 6;
	store_be32(ip + 12, port == 0 ? 0xc0000201 : 0xc6336402);
	store_be32(ip + 16, port == 0 ? 0xc6336402 : 0xc0000201);
	store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
	store_be16(tcp, port == 0 ? 40000 : 80);
	store_be16(tcp + 2, port == 0 ? 80 : 40000);
	store_be32(tcp + 4, b->seq[port]);
	store_be32(tcp + 8, b->seq[!port]);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	store_be16(tcp + 14, 0xffff);
	store_be16(tcp + 16, packet_sum(ip + 12, 8, 6 + 20 + len));
	struct frame f = {.data = p, .len = ETH_HLEN + 40 + len, .cap = FRAME_MAX, .port = port};
	f.vnet = (struct vnet){.flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 16};
	if (len > segment) {
		f.vnet.gso_type = 1;
		f.vnet.gso_size = (uint16_t)segment;
		f.vnet.hdr_len = 54;
	}
	b->now += 1000;
	judge_frame(b->j, b->now, &f, &r);
	must(r.verdict == VERDICT_FORWARD);
	b->seq[port] += len + ((flags & TCP_SYN) != 0);
}

static double download(bool with, const char *rules, uint32_t len)
{
	static struct bed b;
	double best = 1e18;
	for (unsigned k = 0; k < REPEATS; k++) {
		begin(&b, with, rules);
		send(&b, 0, TCP_SYN, 0, 1448);
		send(&b, 1, TCP_SYN | TCP_ACK, 0, 1448);
		send(&b, 0, TCP_ACK, 0, 1448);
		for (uint32_t i = 54; i < FRAME_MAX; i++)
			b.data[i] = (uint8_t)(i * 2654435761u >> 13);
		uint64_t frames = TOTAL / (len > 4096 ? 1448 * 16 : len * 8), n = 0;
		int64_t start = clock_ns();
		for (; n < frames; n++) {
			send(&b, 1, TCP_ACK, len, 1448);
			if (len > 4096 || n % 2 == 1)
				send(&b, 0, TCP_ACK, 0, 1448);
		}
		double ns = (double)(clock_ns() - start) / (double)frames;
		best = ns < best ? ns : best;
		end(&b);
	}
	return best;
}

int main(void)
{
	static const uint32_t sizes[] = {1448, 1448 * 40};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		double none = download(false, NULL, sizes[i]);
		const double others[] = {download(true, NULL, sizes[i]),
					 download(true, few, sizes[i]),
					 download(true, replacing, sizes[i])};
		static const char *const names[] = {"no rules", "3 rules", "may replace"};
		printf("wire, %5u byte frames: no scrub    %9.1f ns/frame\n", sizes[i], none);
		for (size_t k = 0; k < ARRAY_LEN(others); k++)
			printf("wire, %5u byte frames: %-11s %9.1f ns/frame  %6.2f Gbit/s  "
			       "(x%.1f)\n",
			       sizes[i], names[k], others[k], sizes[i] * 8.0 / others[k],
			       others[k] / none);
	}
	return 0;
}
