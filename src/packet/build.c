/* SPDX-License-Identifier: BSD-2-Clause */
/* The few small frames the wall says itself, always as an answer to one that came in. */
#include "packet/packet_priv.h"

#include <string.h>

#define TTL_OWN 64
#define ICMP4_QUOTE 548 /* RFC 1812 4.3.2.3: no more than 576 bytes in all */
#define ICMP6_QUOTE 1192

static void ether(struct frame *out, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(out->data, dst, 6);
	memcpy(out->data + 6, src, 6);
	store_be16(out->data + 12, type);
}

static bool has_room(const struct frame *out, uint32_t len)
{
	return out->cap >= len && out->cap - len >= 128;
}

static void finish(struct frame *out, uint32_t len)
{
	out->len = len < 60 ? 60 : len; /* shortest Ethernet frame, without its check sequence */
	if (len < 60)
		memset(out->data + len, 0, 60 - len);
	out->vnet = (struct vnet){0};
}

int packet_build_arp_reply(struct frame *out, const struct mac *own, const struct addr *ip,
			   const struct mac *to, const struct addr *to_ip)
{
	uint8_t *p = out->data + ETH_HLEN;
	if (!has_room(out, 60))
		return SKEP_ETRUNC;
	ether(out, to->b, own->b, ETH_ARP);
	memcpy(p, (uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2}, 8);
	memcpy(p + 8, own->b, 6);
	memcpy(p + 14, ip->b, 4);
	memcpy(p + 18, to->b, 6);
	memcpy(p + 24, to_ip->b, 4);
	finish(out, ETH_HLEN + 28);
	return 0;
}

/* IPv6 header for len bytes of ICMPv6, and the checksum over them. */
static void finish_icmp6(struct frame *out, const struct addr *src, const struct addr *dst,
			 uint8_t hops, uint32_t len)
{
	uint8_t *ip = out->data + ETH_HLEN, *icmp = ip + 40;
	struct layers l = {.ip_ver = 6, .src = *src, .dst = *dst};
	memset(ip, 0, 8);
	ip[0] = 0x60;
	store_be16(ip + 4, (uint16_t)len);
	ip[6] = IP_ICMP6;
	ip[7] = hops;
	memcpy(ip + 8, src->b, 16);
	memcpy(ip + 24, dst->b, 16);
	store_be16(icmp + 2, 0);
	uint16_t sum = packet_sum(icmp, len, packet_pseudo_sum(&l, IP_ICMP6, len));
	store_be16(icmp + 2, (uint16_t)~sum);
	finish(out, ETH_HLEN + 40 + len);
}

int packet_build_na(struct frame *out, const struct mac *own, const struct addr *target,
		    const struct mac *to, const struct addr *to_ip, bool router)
{
	static const struct addr all_nodes = {.ver = 6, .b = {0xff, 2, [15] = 1}};
	bool solicited = !addr_eq(to_ip, &all_nodes);
	uint8_t *p = out->data + ETH_HLEN + 40;
	if (!has_room(out, ETH_HLEN + 40 + 32))
		return SKEP_ETRUNC;
	ether(out, to->b, own->b, ETH_IP6);
	memset(p, 0, 32);
	p[0] = 136;
	p[4] = (uint8_t)((router ? 0x80 : 0) | (solicited ? 0x40 : 0) | 0x20);
	memcpy(p + 8, target->b, 16);
	p[24] = 2; /* target link-layer address */
	p[25] = 1;
	memcpy(p + 26, own->b, 6);
	finish_icmp6(out, target, to_ip, 255, 32);
	return 0;
}

/* IPv4 header for len bytes of payload; its checksum too. */
static void put_ip4(uint8_t *ip, const struct addr *src, const struct addr *dst, uint8_t proto,
		    uint32_t len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	store_be16(ip + 2, (uint16_t)(20 + len));
	store_be16(ip + 6, 0x4000);
	ip[8] = TTL_OWN;
	ip[9] = proto;
	memcpy(ip + 12, src->b, 4);
	memcpy(ip + 16, dst->b, 4);
	store_be16(ip + 10, (uint16_t)~packet_sum(ip, 20, 0));
}

int packet_build_rst(struct frame *out, const struct frame *f, const struct layers *l)
{
	uint32_t ip_len = l->ip_ver == 4 ? 20 : 40;
	if (l->proto != IP_TCP || l->payload == 0 || l->tcp_flags & TCP_RST)
		return SKEP_EFORMAT;
	if (!has_room(out, ETH_HLEN + ip_len + 20))
		return SKEP_ETRUNC;
	ether(out, f->data + 6, f->data, l->ip_ver == 4 ? ETH_IP4 : ETH_IP6);
	uint8_t *ip = out->data + ETH_HLEN, *tcp = ip + ip_len;
	struct layers back = {.ip_ver = l->ip_ver, .src = l->dst, .dst = l->src};
	memset(tcp, 0, 20);
	store_be16(tcp, l->dport);
	store_be16(tcp + 2, l->sport);
	tcp[12] = 5 << 4;
	if (l->tcp_flags & TCP_ACK) {
		store_be32(tcp + 4, l->ack);
		tcp[13] = TCP_RST;
	} else {
		uint32_t len = l->l3_end - l->payload;
		len += (l->tcp_flags & TCP_SYN ? 1 : 0) + (l->tcp_flags & TCP_FIN ? 1 : 0);
		store_be32(tcp + 8, l->seq + len);
		tcp[13] = TCP_RST | TCP_ACK;
	}
	uint16_t sum = packet_sum(tcp, 20, packet_pseudo_sum(&back, IP_TCP, 20));
	store_be16(tcp + 16, (uint16_t)~sum);
	if (l->ip_ver == 4) {
		put_ip4(ip, &back.src, &back.dst, IP_TCP, 20);
	} else {
		memset(ip, 0, 8);
		ip[0] = 0x60;
		store_be16(ip + 4, 20);
		ip[6] = IP_TCP;
		ip[7] = TTL_OWN;
		memcpy(ip + 8, back.src.b, 16);
		memcpy(ip + 24, back.dst.b, 16);
	}
	finish(out, ETH_HLEN + ip_len + 20);
	return 0;
}

int packet_build_icmp_error(struct frame *out, const struct frame *f, const struct layers *l,
			    const struct addr *from, uint8_t type, uint8_t code)
{
	bool v4 = l->ip_ver == 4;
	uint32_t ip_len = v4 ? 20 : 40, most = v4 ? ICMP4_QUOTE - 20 : ICMP6_QUOTE;
	if (l->ip_ver == 0 || from->ver != l->ip_ver || l->icmp_error)
		return SKEP_EFORMAT; /* never an error about an error: RFC 1122 3.2.2 */
	uint32_t quote = l->l3_end - l->l3 < most ? l->l3_end - l->l3 : most;
	if (!has_room(out, ETH_HLEN + ip_len + 8 + quote))
		return SKEP_ETRUNC;
	ether(out, f->data + 6, f->data, v4 ? ETH_IP4 : ETH_IP6);
	uint8_t *icmp = out->data + ETH_HLEN + ip_len;
	memset(icmp, 0, 8);
	icmp[0] = type;
	icmp[1] = code;
	memcpy(icmp + 8, f->data + l->l3, quote);
	if (!v4) {
		finish_icmp6(out, from, &l->src, TTL_OWN, 8 + quote);
		return 0;
	}
	store_be16(icmp + 2, (uint16_t)~packet_sum(icmp, 8 + quote, 0));
	put_ip4(out->data + ETH_HLEN, from, &l->src, IP_ICMP, 8 + quote);
	finish(out, ETH_HLEN + ip_len + 8 + quote);
	return 0;
}
