/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames by hand. */
#include "prove/prove_priv.h"

#include <string.h>

enum { KIND_V4 = 0x0800, KIND_V6 = 0x86dd, KIND_VLAN = 0x8100 };
enum { V6_FRAGMENT = 44 };

static void put(struct pkt *p, const void *data, uint32_t len)
{
	if (len > sizeof(p->b) - p->len)
		len = (uint32_t)sizeof(p->b) - p->len;
	if (len > 0)
		memcpy(p->b + p->len, data, len);
	p->len += len;
}

static void put16(struct pkt *p, uint16_t v)
{
	uint8_t b[2];
	store_be16(b, v);
	put(p, b, sizeof(b));
}

static void put_ethernet(struct pkt *p, const struct head *h, uint16_t kind)
{
	p->len = 0;
	put(p, h->to_mac.b, sizeof(h->to_mac.b));
	put(p, h->from_mac.b, sizeof(h->from_mac.b));
	for (unsigned i = 0; i < h->n_tags; i++) {
		put16(p, i == 0 && h->tag_kind != 0 ? h->tag_kind : KIND_VLAN);
		put16(p, h->tags[i]);
	}
	put16(p, kind);
}

static void pad(struct pkt *p)
{
	static const uint8_t zeroes[60];
	if (p->len < sizeof(zeroes))
		put(p, zeroes, (uint32_t)sizeof(zeroes) - p->len);
}

void frame_raw(struct pkt *p, const struct head *h, uint16_t kind, const void *data, uint32_t len)
{
	put_ethernet(p, h, kind);
	put(p, data, len);
	pad(p);
}

static void put_v4(struct pkt *p, const struct head *h, uint32_t len)
{
	uint8_t b[60] = {0};
	uint32_t hl = 20 + (h->n_options <= 40 ? h->n_options : 0);
	b[0] = (uint8_t)(0x40 | hl / 4);
	store_be16(b + 2, (uint16_t)(hl + len));
	store_be16(b + 4, h->id);
	store_be16(b + 6, h->frag);
	b[8] = h->ttl;
	b[9] = h->proto;
	memcpy(b + 12, h->from.b, 4);
	memcpy(b + 16, h->to.b, 4);
	if (hl > 20)
		memcpy(b + 20, h->options, hl - 20);
	store_be16(b + 10, (uint16_t)(~packet_sum(b, hl, 0) ^ (h->bad_ip_sum ? 0x5555 : 0)));
	put(p, b, hl);
}

static void put_v6(struct pkt *p, const struct head *h, uint32_t len)
{
	uint8_t b[40] = {0x60}, f[8] = {h->proto};
	bool fragment = h->frag != 0;
	uint32_t more = h->n_options + (fragment ? (uint32_t)sizeof(f) : 0);
	store_be16(b + 4, (uint16_t)(len + more));
	b[6] = h->n_options > 0 ? h->next : fragment ? V6_FRAGMENT : h->proto;
	b[7] = h->ttl;
	memcpy(b + 8, h->from.b, 16);
	memcpy(b + 24, h->to.b, 16);
	put(p, b, sizeof(b));
	if (h->n_options > 0)
		put(p, h->options, h->n_options);
	if (fragment) {
		/* as IPv4 has it: 0x2000 more, offset in units of 8 */
		store_be16(f + 2, (uint16_t)((h->frag & 0x1fff) << 3 | (h->frag >> 13 & 1)));
		store_be32(f + 4, h->id);
		put(p, f, sizeof(f));
	}
}

void frame_ip(struct pkt *p, const struct head *h, const void *payload, uint32_t len)
{
	put_ethernet(p, h, h->from.ver == 6 ? KIND_V6 : KIND_V4);
	if (h->from.ver == 6)
		put_v6(p, h, len);
	else
		put_v4(p, h, len);
	put(p, payload, len);
	pad(p);
}

static uint16_t l4_sum(const struct head *h, const uint8_t *l4, uint32_t len)
{
	uint8_t b[40] = {0};
	unsigned n = h->from.ver == 6 ? 16 : 4;
	memcpy(b, h->from.b, n);
	memcpy(b + n, h->to.b, n);
	store_be16(b + 2 * n, (uint16_t)len);
	b[2 * n + 3] = h->proto;
	uint16_t sum = (uint16_t)~packet_sum(l4, len, packet_sum(b, 2 * n + 4, 0));
	if (h->bad_l4_sum)
		sum ^= 0x5555;
	return sum == 0 && h->proto == PROVE_UDP ? 0xffff : sum;
}

uint32_t frame_udp_part(uint8_t *out, const struct head *h, uint16_t sport, uint16_t dport,
			const void *data, uint32_t len)
{
	memset(out, 0, 8);
	store_be16(out, sport);
	store_be16(out + 2, dport);
	store_be16(out + 4, (uint16_t)(8 + len));
	if (len > 0)
		memcpy(out + 8, data, len);
	store_be16(out + 6, l4_sum(h, out, 8 + len));
	return 8 + len;
}

uint32_t frame_tcp_part(uint8_t *out, const struct head *h, const struct tcp_head *t,
			const void *data, uint32_t len)
{
	/* With a SYN a maximum segment size, as any stack sends it: without one it is a scanner's. */
	uint32_t hl = (t->flags & TCP_SYN) != 0 ? 24 : 20;
	memset(out, 0, hl);
	store_be16(out, t->sport);
	store_be16(out + 2, t->dport);
	store_be32(out + 4, t->seq);
	store_be32(out + 8, t->ack);
	out[12] = (uint8_t)(hl / 4 << 4);
	out[13] = t->flags;
	store_be16(out + 14, 64240);
	store_be16(out + 18, t->urgent);
	if (hl > 20)
		store_be32(out + 20, 2u << 24 | 4u << 16 | 1460);
	if (len > 0)
		memcpy(out + hl, data, len);
	store_be16(out + 16, l4_sum(h, out, hl + len));
	return hl + len;
}

void frame_udp(struct pkt *p, struct head *h, uint16_t sport, uint16_t dport, const void *data,
	       uint32_t len)
{
	uint8_t l4[PROVE_FRAME];
	h->proto = PROVE_UDP;
	frame_ip(p, h, l4, frame_udp_part(l4, h, sport, dport, data, len));
}

void frame_tcp(struct pkt *p, struct head *h, const struct tcp_head *t, const void *data,
	       uint32_t len)
{
	uint8_t l4[PROVE_FRAME];
	h->proto = PROVE_TCP;
	frame_ip(p, h, l4, frame_tcp_part(l4, h, t, data, len));
}

void frame_icmp(struct pkt *p, struct head *h, uint8_t type, uint8_t code, uint32_t rest,
		const void *data, uint32_t len)
{
	uint8_t l4[PROVE_FRAME] = {type, code};
	h->proto = h->from.ver == 6 ? PROVE_ICMP6 : PROVE_ICMP;
	store_be32(l4 + 4, rest);
	if (len > 0)
		memcpy(l4 + 8, data, len);
	uint16_t sum =
		h->from.ver == 6
			? l4_sum(h, l4, 8 + len)
			: (uint16_t)(~packet_sum(l4, 8 + len, 0) ^ (h->bad_l4_sum ? 0x5555 : 0));
	store_be16(l4 + 2, sum);
	frame_ip(p, h, l4, 8 + len);
}
