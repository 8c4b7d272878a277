/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any talk of an FTP control conversation with a guest whose address is translated. Each side gets the bytes of the
 * other at the numbers that it waits for, whatever became longer; nothing but the guest's own address is changed; and
 * without a budget the guest reaches nobody but the client, at no port of the system.
 *
 * Input: one byte (bit 0: IPv6, bit 1: the guest is the client), then segments: first byte's bit 7 who speaks (set:
 * the guest), the rest and the second byte its length, bytes. A length of 0 from the guest: it begins a conversation
 * to the port that the next two bytes say.
 */
#include "judge/judge_priv.h"

#include <stdlib.h>

#define CAP 4096u
#define HEAD 74u /* the longest: IPv6 and TCP */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct mac mac_wall = {{2, 0, 0, 0, 0, 1}}, mac_peer = {{2, 0, 0, 0, 0, 2}};
static const struct mac mac_gate = {{2, 0, 0, 0, 0, 3}}, mac_guest = {{2, 0, 0, 0, 1, 1}};

struct bed {
	struct judge *j;
	struct wall_stats stats;
	struct addr inside, public, client;
	bool client_in;  /* the guest is the client */
	uint32_t seq[2]; /* next of the guest and of the outside, as each counts */
	uint32_t got;    /* what the outside waits for */
	uint32_t begun;
	int64_t now;
	struct judge_result r;
	struct frame f;
	uint8_t bytes[CAP + 2048];
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

static struct addr addr_of(const char *text)
{
	struct addr a = {0};
	must(addr_parse(text, &a) == 0);
	return a;
}

static void configure(struct judge_conf *c, const struct bed *b)
{
	memset(c, 0, sizeof(*c));
	c->n_ports = 2;
	text_copy(c->ports[0].name, sizeof(c->ports[0].name), "outside");
	c->ports[0].up = c->ports[1].up = 1;
	c->ports[0].mac = mac_wall;
	c->ports[0].peer_mac = mac_peer;
	text_copy(c->ports[1].name, sizeof(c->ports[1].name), "web1");
	c->ports[1].kind = JUDGE_HONEYPOT;
	c->ports[1].mac = mac_guest;
	c->ports[1].inside = c->ports[1].inside6 = b->inside;
	c->ports[1].public = c->ports[1].public6 = b->public;
	must(prefix_parse("10.99.0.0/24", &c->network.inside) == 0);
	must(prefix_parse("fd99::/64", &c->network.inside6) == 0);
	c->network.gateway = addr_of("10.99.0.1");
	c->network.gateway6 = addr_of("fe80::1");
	c->network.gateway_mac = mac_gate;
	c->wall.flows = 64;
	c->wall.event_rate = 1000;
	/* One is for the conversation itself, if the guest begins it. */
	c->wall.limits.tcp = (struct conf_limit){1, {{b->client_in, 3600 * NS_PER_SEC}}};
	c->wall.tcp_idle_ns = c->wall.udp_idle_ns = c->wall.icmp_idle_ns = 3600 * NS_PER_SEC;
	c->wall.half_open_ns = 30 * NS_PER_SEC;
	c->boot_id = 1;
}

static void send(struct bed *b, bool guest, uint16_t sport, uint16_t dport, uint8_t flags,
		 uint32_t seq, uint32_t ack, const uint8_t *data, uint32_t len)
{
	const struct addr *src = guest ? &b->inside : &b->client;
	const struct addr *dst = guest ? &b->client : &b->public;
	bool v6 = src->ver == 6;
	struct layers l;
	uint8_t *p = b->bytes + ETH_HLEN;
	memset(b->bytes, 0, HEAD);
	b->f = (struct frame){.data = b->bytes, .cap = sizeof(b->bytes), .port = guest};
	b->f.len = ETH_HLEN + (v6 ? 60 : 40) + len;
	packet_set_macs(&b->f, guest ? &mac_gate : &mac_wall, guest ? &mac_guest : &mac_peer);
	store_be16(b->bytes + 12, v6 ? ETHERTYPE_V6 : ETHERTYPE_V4);
	p[0] = v6 ? 0x60 : 0x45;
	store_be16(p + (v6 ? 4 : 2), (uint16_t)((v6 ? 20 : 40) + len));
	p[v6 ? 6 : 9] = PROTO_TCP;
	p[v6 ? 7 : 8] = 64;
	memcpy(p + (v6 ? 8 : 12), src->b, v6 ? 16 : 4);
	memcpy(p + (v6 ? 24 : 16), dst->b, v6 ? 16 : 4);
	p += v6 ? 40 : 20;
	store_be16(p, sport);
	store_be16(p + 2, dport);
	store_be32(p + 4, seq);
	store_be32(p + 8, ack);
	p[12] = 5 << 4;
	p[13] = flags;
	if (len > 0)
		memcpy(p + 20, data, len);
	packet_decode(&b->f, &l);
	packet_finish_tcp(&b->f, &l, len, false, 0);
	judge_frame(b->j, b->now, &b->f, &b->r);
	if (b->r.verdict != VERDICT_FORWARD)
		return;
	packet_decode(&b->f, &l);
	must(packet_checksums_ok(&b->f, &l) && (l.odd & ODD_BAD_IP_CSUM) == 0);
	must(l.ip_ver == src->ver);
}

static void shake(struct bed *b)
{
	bool in = b->client_in;
	uint16_t s = 4000, d = 21;
	send(b, in, s, d, TCP_SYN, 1000, 0, NULL, 0);
	must(b->r.verdict == VERDICT_FORWARD);
	send(b, !in, d, s, TCP_SYN | TCP_ACK, 5000, 1001, NULL, 0);
	send(b, in, s, d, TCP_ACK, 1001, 5001, NULL, 0);
	must(b->r.verdict == VERDICT_FORWARD);
	b->seq[0] = b->got = in ? 1001 : 5001;
	b->seq[1] = in ? 5001 : 1001;
}

/* Twice: it got lost. */
static void guest_says(struct bed *b, const uint8_t *data, uint32_t len)
{
	struct layers l;
	uint32_t out = 0;
	for (unsigned i = 0; i < 2; i++) {
		send(b, true, b->client_in ? 4000 : 21, b->client_in ? 21 : 4000, TCP_ACK,
		     b->seq[0], b->seq[1], data, len);
		must(b->r.verdict == VERDICT_FORWARD && b->r.out_port == 0);
		packet_decode(&b->f, &l);
		must(l.seq == b->got && l.ack == b->seq[1]);
		must(i == 0 || l.l3_end - l.payload == out);
		out = l.l3_end - l.payload;
		/* Ends stay what they were, and what lies between is an address. */
		const uint8_t *p = b->f.data + l.payload;
		uint32_t head = 0, tail = 0;
		while (head < len && head < out && p[head] == data[head])
			head++;
		while (tail < len - head && tail < out - head &&
		       p[out - 1 - tail] == data[len - 1 - tail])
			tail++;
		must(head + tail + ADDR_TEXT >= len && head + tail + ADDR_TEXT >= out);
		must(head == len || len >= 12);
	}
	b->seq[0] += len;
	b->got += out;
}

static void far_says(struct bed *b, const uint8_t *data, uint32_t len)
{
	struct layers l;
	send(b, false, b->client_in ? 21 : 4000, b->client_in ? 4000 : 21, TCP_ACK, b->seq[1],
	     b->got, data, len);
	must(b->r.verdict == VERDICT_FORWARD && b->r.out_port == 1);
	packet_decode(&b->f, &l);
	must(l.ack == b->seq[0] && l.seq == b->seq[1] && l.l3_end - l.payload == len);
	must(len == 0 || memcmp(b->f.data + l.payload, data, len) == 0);
	b->seq[1] += len;
}

/* Passes only if the client has announced it. */
static void guest_begins(struct bed *b, uint16_t port)
{
	send(b, true, (uint16_t)(20000 + b->begun++), port, TCP_SYN, 1, 0, NULL, 0);
	if (b->r.verdict == VERDICT_FORWARD)
		must(!b->client_in && port >= 1024 && b->r.direction == DIR_OUTBOUND);
	const struct addr was = b->client;
	b->client.b[b->client.ver == 4 ? 3 : 15] ^= 1;
	send(b, true, (uint16_t)(20000 + b->begun++), port, TCP_SYN, 1, 0, NULL, 0);
	must(b->r.verdict != VERDICT_FORWARD);
	b->client = was;
}

static void talk(struct bed *b, const uint8_t *data, size_t size)
{
	struct reader in = reader_of(data, size);
	for (unsigned n = 0; n < 64 && reader_left(&in) >= 2; n++) {
		uint16_t head = read_be16(&in);
		size_t len = head & 0x7fff;
		len = len < reader_left(&in) ? len : reader_left(&in);
		len = len < CAP - HEAD ? len : CAP - HEAD;
		if ((head & 0x8000) != 0 && len == 0) {
			guest_begins(b, read_be16(&in));
			continue;
		}
		const uint8_t *p = read_bytes(&in, len);
		if ((head & 0x8000) != 0)
			guest_says(b, p, (uint32_t)len);
		else
			far_says(b, p, (uint32_t)len);
		b->now += NS_PER_SEC / 10;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct judge_conf conf;
	static struct bed b;
	struct arena arena;
	if (size == 0)
		return 0;
	bool v6 = (data[0] & 1) != 0;
	memset(&b, 0, sizeof(b));
	b.client_in = (data[0] & 2) != 0;
	b.inside = addr_of(v6 ? "fd99::11" : "10.99.0.11");
	b.public = addr_of(v6 ? "2001:db8:113::11" : "203.0.113.11");
	b.client = addr_of(v6 ? "2001:db8:66::66" : "198.51.100.66");
	b.now = NS_PER_SEC;
	configure(&conf, &b);
	void *limits = calloc(1, judge_limits_bytes());
	must(limits != NULL && arena_create(judge_arena_bytes(&conf), &arena) == 0);
	must(judge_create(&arena, &conf, limits, &b.stats, on_event, &b, b.now, &b.j) == 0);
	shake(&b);
	talk(&b, data + 1, size - 1);
	judge_finish(b.j, b.now);
	arena_destroy(&arena);
	free(limits);
	return 0;
}
