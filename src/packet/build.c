/* SPDX-License-Identifier: BSD-2-Clause */
/* The few small frames the wall itself says: ARP and neighbour answers, resets, ICMP errors. */
#include "packet/packet_priv.h"

#include <string.h>

#define HOP_LIMIT 64
#define V4_ERROR_MAX 576u  /* RFC 1812 4.3.2.3 */
#define V6_ERROR_MAX 1280u /* RFC 4443 2.4 c */

static const struct mac all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};

static int start_frame(struct frame *out, uint32_t len)
{
	if (len > out->cap)
		return SKEP_ETRUNC;
	memset(out->data, 0, len);
	out->len = len;
	memset(&out->vnet, 0, sizeof(out->vnet));
	return 0;
}

static void put_link(struct frame *out, const struct mac *dst, const struct mac *src, uint16_t type)
{
	packet_set_macs(out, dst, src);
	store_be16(out->data + 12, type);
}

int packet_build_arp_reply(struct frame *out, const struct mac *own, const struct addr *ip,
			   const struct mac *to, const struct addr *to_ip)
{
	if (ip->ver != 4 || to_ip->ver != 4)
		return SKEP_EFORMAT;
	int err = start_frame(out, ETH_HLEN + ARP_LEN);
	if (err != 0)
		return err;
	put_link(out, to, own, TYPE_ARP);
	uint8_t *p = out->data + ETH_HLEN;
	static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 2};
	memcpy(p, head, sizeof(head));
	memcpy(p + 8, own->b, 6);
	memcpy(p + 14, ip->b, 4);
	memcpy(p + 18, to->b, 6);
	memcpy(p + 24, to_ip->b, 4);
	return 0;
}

/* Writes the IP header for l4_len bytes behind it and returns the offset of L4 in the frame. */
static uint32_t put_ip(uint8_t *data, uint32_t l3, const struct addr *src, const struct addr *dst,
		       uint8_t proto, uint8_t hops, uint32_t l4_len)
{
	uint8_t *p = data + l3;
	if (src->ver == 4) {
		p[0] = 0x45;
		store_be16(p + 2, (uint16_t)(IP4_HLEN + l4_len));
		store_be16(p + 6, 0x4000); /* don't fragment: then the id of 0 is fine (RFC 6864) */
		p[8] = hops;
		p[9] = proto;
		memcpy(p + 12, src->b, 4);
		memcpy(p + 16, dst->b, 4);
		store_be16(p + 10, (uint16_t)~packet_sum(p, IP4_HLEN, 0));
		return l3 + IP4_HLEN;
	}
	p[0] = 0x60;
	store_be16(p + 4, (uint16_t)l4_len);
	p[6] = proto;
	p[7] = hops;
	memcpy(p + 8, src->b, 16);
	memcpy(p + 24, dst->b, 16);
	return l3 + IP6_HLEN;
}

/* Computes the checksum of the L4 packet of len bytes at l4 (its field is zero now). */
static void put_l4_sum(uint8_t *l4, uint32_t len, const struct addr *src, const struct addr *dst,
		       uint8_t proto)
{
	uint16_t start = proto_has_pseudo(proto) ? pseudo_sum(src, dst, proto, len) : 0;
	store_be16(l4 + proto_csum_offset(proto), (uint16_t)~packet_sum(l4, len, start));
}

int packet_build_na(struct frame *out, const struct mac *own, const struct addr *target,
		    const struct mac *to, const struct addr *to_ip, bool router)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	const uint32_t na_len = 32;
	if (target->ver != 6 || to_ip->ver != 6)
		return SKEP_EFORMAT;
	int err = start_frame(out, ETH_HLEN + IP6_HLEN + na_len);
	if (err != 0)
		return err;
	/* A question from :: (duplicate address detection) is answered to everybody. */
	static const struct addr nobody = {.ver = 6};
	struct addr dst = addr_eq(to_ip, &nobody) ? addr_from_v6(all_nodes) : *to_ip;
	bool to_all = memcmp(dst.b, all_nodes, 16) == 0;
	put_link(out, to_all ? &all_nodes_mac : to, own, TYPE_IPV6);
	uint32_t l4 = put_ip(out->data, ETH_HLEN, target, &dst, PROTO_ICMP6, 255, na_len);
	uint8_t *p = out->data + l4;
	p[0] = ICMP6_NA;
	p[4] = (uint8_t)((router ? 0x80 : 0) | (to_all ? 0 : 0x40) | 0x20); /* R, S, O */
	memcpy(p + 8, target->b, 16);
	p[24] = 2; /* target link-layer address */
	p[25] = 1;
	memcpy(p + 26, own->b, 6);
	put_l4_sum(p, na_len, target, &dst, PROTO_ICMP6);
	return 0;
}

/* Starts an answer to f: its link header (tags included) with the MACs swapped. */
static int start_answer(struct frame *out, const struct frame *f, const struct layers *l,
			uint32_t l3_len)
{
	int err = start_frame(out, l->l3 + l3_len);
	if (err != 0)
		return err;
	memcpy(out->data, f->data + 6, 6);
	memcpy(out->data + 6, f->data, 6);
	memcpy(out->data + 12, f->data + 12, l->l3 - 12);
	return 0;
}

static uint32_t ip_header_len(const struct addr *a)
{
	return a->ver == 4 ? IP4_HLEN : IP6_HLEN;
}

int packet_build_rst(struct frame *out, const struct frame *f, const struct layers *l)
{
	if (l->proto != PROTO_TCP || l->l4 == 0 || l->fragment || l->ip_ver == 0 ||
	    (l->tcp_flags & TCP_RST) != 0)
		return SKEP_EFORMAT;
	int err = start_answer(out, f, l, ip_header_len(&l->src) + TCP_HLEN);
	if (err != 0)
		return err;
	uint32_t l4 = put_ip(out->data, l->l3, &l->dst, &l->src, PROTO_TCP, HOP_LIMIT, TCP_HLEN);
	uint8_t *p = out->data + l4;
	store_be16(p, l->dport);
	store_be16(p + 2, l->sport);
	p[12] = (TCP_HLEN / 4) << 4;
	if (l->tcp_flags & TCP_ACK) {
		store_be32(p + 4, l->ack);
		p[13] = TCP_RST;
	} else {
		uint32_t len = l->l3_end > l->payload ? l->l3_end - l->payload : 0;
		len += (l->tcp_flags & TCP_SYN ? 1 : 0) + (l->tcp_flags & TCP_FIN ? 1 : 0);
		store_be32(p + 8, l->seq + len);
		p[13] = TCP_RST | TCP_ACK;
	}
	put_l4_sum(p, TCP_HLEN, &l->dst, &l->src, PROTO_TCP);
	return 0;
}

/* RFC 1122 3.2.2, RFC 4443 2.4 e: never about an error, a later fragment, a group, or to nobody. */
static bool may_have_error(const struct frame *f, const struct layers *l)
{
	static const uint8_t zero[16];
	if (l->ip_ver == 0 || l->l3_end <= l->l3 || l->icmp_error || (f->data[0] & 1) != 0 ||
	    (l->fragment && !l->first_fragment))
		return false;
	if ((l->odd & (ODD_LAND | ODD_BAD_IP | ODD_TRUNC_IP)) != 0)
		return false;
	if (l->ip_ver == 4)
		return (l->dst.b[0] & 0xf0) != 0xe0 && l->dst.b[0] != 255 &&
		       memcmp(l->src.b, zero, 4) != 0;
	return l->dst.b[0] != 0xff && memcmp(l->src.b, zero, 16) != 0;
}

int packet_build_icmp_error(struct frame *out, const struct frame *f, const struct layers *l,
			    const struct addr *from, uint8_t type, uint8_t code)
{
	if (from->ver != l->ip_ver || !may_have_error(f, l))
		return SKEP_EFORMAT;
	uint32_t header = ip_header_len(from);
	uint32_t most = (l->ip_ver == 4 ? V4_ERROR_MAX : V6_ERROR_MAX) - header - ICMP_HLEN;
	uint32_t quoted = l->l3_end - l->l3;
	if (quoted > most)
		quoted = most;
	int err = start_answer(out, f, l, header + ICMP_HLEN + quoted);
	if (err != 0)
		return err;
	uint8_t proto = l->ip_ver == 4 ? PROTO_ICMP : PROTO_ICMP6;
	uint32_t len = ICMP_HLEN + quoted;
	uint32_t l4 = put_ip(out->data, l->l3, from, &l->src, proto, HOP_LIMIT, len);
	uint8_t *p = out->data + l4;
	p[0] = type;
	p[1] = code;
	memcpy(p + ICMP_HLEN, f->data + l->l3, quoted);
	put_l4_sum(p, len, from, &l->src, proto);
	return 0;
}
