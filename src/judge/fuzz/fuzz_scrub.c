/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ends of a wire with rules in between. Every frame has one outcome; whatever leaves has right checksums and
 * leaves by the other end; what a rule drops, or replaces, never arrives whole at a receiver for whom the first
 * copy of a byte stands.
 *
 * Input: records. First byte below 0x80: a frame as it is: port, length (2, big endian), bytes. From 0x80 on: a
 * segment of one conversation: bit 0 its direction, bit 1 with a VLAN tag, then offset, flags, length, bytes.
 */
#include "judge/judge.h"

#include <stdlib.h>
#include <string.h>

#define RECORDS 128u
#define CAP 4096u
#define STREAM 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
	"drop tcp any any -> any any (msg:\"a\"; content:\"evil\"; sid:1;)\n"
	"rewrite tcp any any -> any any (msg:\"b\"; content:\"harm\"; replace:\"good\"; sid:2;)\n"
	"rewrite tcp any any -> any any (msg:\"c\"; content:\"worm\"; replace:\"-\"; sid:3;)\n"
	"rewrite tcp any any -> any any (msg:\"d\"; content:\"bot\"; replace:\"a longer one\"; "
	"sid:4;)\n"
	"reject udp any any -> any any (msg:\"e\"; content:\"evil\"; sid:5;)\n"
	"rewrite udp any any -> any any (msg:\"f\"; content:\"harm\"; replace:\"good\"; sid:6;)\n"
	"rewrite http any any -> any any (msg:\"g\"; http.uri; content:\"/cmd\"; replace:\"/x\"; "
	"sid:7;)\n"
	"reject icmp any any -> any any (msg:\"h\"; content:\"evil\"; sid:8;)\n";

struct receiver {
	uint8_t got[STREAM];
	bool have[STREAM];
};
struct bed {
	struct judge *j;
	struct wall_stats stats;
	struct receiver to[2];
	int64_t now;
};

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void on_event(void *ctx, const struct event *e)
{
	(void)ctx;
	must(event_valid(e));
}

static struct rule_set *make_rules(void)
{
	struct rule_vars *vars = NULL;
	struct rule_set *set = NULL;
	must(rule_vars_create(&vars) == 0);
	struct rule_set_conf rc = {.vars = vars, .no_jit = true};
	must(rule_set_create(&rc, &set) == 0);
	must(rule_set_read(set, "fuzz", rules, strlen(rules)) == 0 && rule_set_finish(set) == 0);
	rule_vars_free(&vars);
	return set;
}

static void configure(struct judge_conf *c)
{
	c->n_ports = 2;
	c->bridge = true;
	text_copy(c->ports[0].name, sizeof(c->ports[0].name), "left");
	text_copy(c->ports[1].name, sizeof(c->ports[1].name), "right");
	c->ports[0].up = c->ports[1].up = 1;
	c->ports[1].kind = JUDGE_HONEYPOT;
	c->wall.flows = 32;
	c->wall.event_rate = 1000;
	c->boot_id = 1;
}

/* ---- the conversation ------------------------------------------------------------------------------- */

static const uint8_t ends[2][4] = {{192, 0, 2, 1}, {198, 51, 100, 2}};

static uint32_t isn(unsigned dir)
{
	return dir == 0 ? 0xffffff00u : 77;
}

static uint32_t make_segment(uint8_t *p, unsigned dir, uint32_t at, uint8_t flags,
			     const uint8_t *data, uint32_t len, bool tag)
{
	uint32_t l3 = ETH_HLEN;
	memset(p, 0, 64);
	memset(p, 2 + (int)dir, 12);
	p[0] = p[6] = 2;
	if (tag) {
		store_be32(p + 12, 0x81000005);
		l3 += 4;
	}
	store_be16(p + l3 - 2, 0x0800);
	uint8_t *ip = p + l3, *tcp = ip + 20;
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(40 + len));
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, ends[dir], 4);
	memcpy(ip + 16, ends[!dir], 4);
	store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
	store_be16(tcp, dir == 0 ? 40000 : 80);
	store_be16(tcp + 2, dir == 0 ? 80 : 40000);
	store_be32(tcp + 4, isn(dir) + at);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	store_be16(tcp + 14, 0x4000);
	if (len > 0)
		memcpy(tcp + 20, data, len);
	return l3 + 40 + len;
}

static void finish_segment(uint8_t *p, uint32_t len, bool tag, uint32_t ack)
{
	uint8_t *ip = p + ETH_HLEN + (tag ? 4 : 0), *tcp = ip + 20;
	uint32_t tcp_len = len - (uint32_t)(tcp - p);
	if ((tcp[13] & TCP_ACK) != 0)
		store_be32(tcp + 8, ack);
	uint16_t sum = packet_sum(ip + 12, 8, 6 + tcp_len);
	store_be16(tcp + 16, (uint16_t)~packet_sum(tcp, tcp_len, sum));
}

static uint32_t in_order(const struct receiver *r)
{
	uint32_t n = 0;
	while (n < STREAM && r->have[n])
		n++;
	return n;
}

static void arrives(struct bed *b, const struct frame *f, const struct layers *l)
{
	unsigned dir = l->dport == 40000;
	struct receiver *r = &b->to[!dir];
	if (l->proto != 6 || memcmp(l->src.b, ends[dir], 4) != 0 ||
	    memcmp(l->dst.b, ends[!dir], 4) != 0 || l->dport + l->sport != 40080 ||
	    (l->tcp_flags & (TCP_SYN | TCP_RST)) != 0 || l->fragment)
		return;
	for (uint32_t i = 0; i < l->l3_end - l->payload; i++) {
		uint32_t at = l->seq + i - isn(dir) - 1;
		if (at >= STREAM || r->have[at])
			continue;
		r->have[at] = true;
		r->got[at] = f->data[l->payload + i];
	}
	uint32_t n = in_order(r);
	must(memmem(r->got, n, "evil", 4) == NULL && memmem(r->got, n, "harm", 4) == NULL &&
	     memmem(r->got, n, "worm", 4) == NULL);
}

/* ---- frames --------------------------------------------------------------------------------------------- */

static void check_left(struct bed *b, const struct frame *f)
{
	struct layers l;
	packet_decode(f, &l);
	must(packet_checksums_ok(f, &l) && (l.odd & ODD_BAD_IP_CSUM) == 0);
	must(f->len <= f->cap);
	arrives(b, f, &l);
}

static void send_held(void *ctx, uint16_t port, struct frame *f)
{
	must(port < 2);
	check_left(ctx, f);
}

static void judge_one(struct bed *b, struct frame *f)
{
	struct judge_result r;
	uint64_t sum = 0, frames = b->stats.frames;
	judge_frame(b->j, b->now, f, &r);
	for (unsigned i = 0; i < REASONS; i++)
		sum += b->stats.reasons[i];
	must(sum == frames + 1 && b->stats.frames == sum);
	must((r.verdict == VERDICT_FORWARD) == (r.reason == REASON_NONE));
	must(r.n_replies <= JUDGE_REPLIES);
	if (r.verdict != VERDICT_FORWARD)
		return;
	must(r.out_port == (f->port ^ 1));
	if (!r.changed)
		check_left(b, f);
	for (uint32_t i = 0; r.changed && i < r.n_frames; i++)
		check_left(b, r.frames[i]);
}

static void run(struct bed *b, const uint8_t *data, size_t size)
{
	static uint8_t bytes[CAP + 512];
	struct reader in = reader_of(data, size);
	for (unsigned n = 0; n < RECORDS && reader_left(&in) >= 4; n++) {
		uint8_t kind = read_u8(&in);
		struct frame f = {.data = bytes, .cap = sizeof(bytes), .port = kind & 1};
		size_t len;
		const uint8_t *p;
		if (kind < 0x80) {
			len = read_be16(&in) % CAP;
			len = len < reader_left(&in) ? len : reader_left(&in);
			p = read_bytes(&in, len);
			if (p != NULL)
				memcpy(bytes, p, len);
			f.len = (uint32_t)len;
		} else {
			bool tag = (kind & 2) != 0;
			uint8_t at = read_u8(&in), flags = read_u8(&in);
			len = read_u8(&in);
			len = len < reader_left(&in) ? len : reader_left(&in);
			p = read_bytes(&in, len);
			f.len = make_segment(bytes, f.port, at, flags, p, (uint32_t)len, tag);
			finish_segment(bytes, f.len, tag,
				       isn(!f.port) + 1 + in_order(&b->to[f.port]));
		}
		judge_one(b, &f);
		b->now += (int64_t)(kind >> 2 & 15) * 20 * NS_PER_MS;
		judge_release(b->j, b->now, send_held, b);
		judge_tick(b->j, b->now);
	}
	judge_finish(b->j, b->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rule_set *set;
	struct judge_conf conf = {0};
	struct bed b = {.now = NS_PER_SEC};
	struct arena arena;
	void *limits = calloc(1, judge_limits_bytes());
	if (set == NULL)
		set = make_rules();
	struct scrub_conf sc = {.inspect = {.rules = set, .memory_bytes = 16 << 20}};
	sc.inspect.stream.flows = 16;
	sc.inspect.dissect.frag_packets = 8;
	sc.inspect.dissect.frag_bytes = 1 << 18;
	configure(&conf);
	must(scrub_create(&sc, &conf.scrub) == 0);
	must(limits != NULL && arena_create(judge_arena_bytes(&conf), &arena) == 0);
	must(judge_create(&arena, &conf, limits, &b.stats, on_event, &b, b.now, &b.j) == 0);
	run(&b, data, size);
	scrub_free(&conf.scrub);
	arena_destroy(&arena);
	free(limits);
	return 0;
}
