/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP (RFC 826), neighbour discovery (RFC 4861) and multicast listener (RFC 2710, 3810) messages. */
#include "packet/packet_priv.h"

#include <string.h>

static void read_arp(const struct frame *f, const struct layers *l, struct neigh *ret)
{
	static const uint8_t ethernet_ip4[] = {0, 1, 8, 0, 6, 4};
	const uint8_t *p = f->data + l->l3;
	if (l->odd & ODD_TRUNC_ARP || memcmp(p, ethernet_ip4, sizeof(ethernet_ip4)) != 0)
		return;
	uint16_t op = load_be16(p + 6);
	if (op != 1 && op != 2)
		return;
	ret->kind = op == 1 ? NEIGH_ARP_REQUEST : NEIGH_ARP_REPLY;
	memcpy(ret->sender_mac.b, p + 8, 6);
	ret->sender = addr_from_v4(p + 14);
	ret->target = addr_from_v4(p + 24);
}

/* Looks for the source (or, in an advertisement, target) link-layer address option. */
static void read_options(struct reader *r, uint8_t wanted, struct neigh *ret)
{
	while (reader_left(r) >= 8) {
		uint8_t type = read_u8(r), len = read_u8(r);
		const uint8_t *body = read_bytes(r, (size_t)len * 8 - 2);
		if (len == 0 || body == NULL)
			return;
		if (type == wanted && len == 1)
			memcpy(ret->sender_mac.b, body, 6);
	}
}

static void read_nd(const struct frame *f, const struct layers *l, struct neigh *ret)
{
	static const enum neigh_kind kinds[] = {NEIGH_RS, NEIGH_RA, NEIGH_NS, NEIGH_NA,
						NEIGH_REDIRECT};
	uint8_t type = l->icmp_type;
	struct reader r = reader_of(f->data + l->payload, l->l3_end - l->payload);
	if ((type >= 130 && type <= 132) || type == 143) {
		ret->kind = NEIGH_MLD;
		ret->sender = l->src;
		return;
	}
	if (type < 133 || type > 137)
		return;
	ret->kind = kinds[type - 133];
	ret->sender = l->src;
	if (type == 135 || type == 136) {
		const uint8_t *target = read_bytes(&r, 16);
		if (target != NULL)
			ret->target = addr_from_v6(target);
		read_options(&r, type == 135 ? 1 : 2, ret);
	}
}

void packet_neigh(const struct frame *f, const struct layers *l, struct neigh *ret)
{
	*ret = (struct neigh){0};
	if (l->ethertype == ETH_ARP && l->l3 != 0)
		read_arp(f, l, ret);
	else if (l->ip_ver == 6 && l->proto == IP_ICMP6 && l->payload != 0 && !l->fragment)
		read_nd(f, l, ret);
}
