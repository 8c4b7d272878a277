/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads ARP and the ICMPv6 neighbour and multicast-listener messages. The kind is told for every
 * frame that claims to be one, so that none is forwarded as ordinary ICMPv6; sender and target are
 * filled only when the message is valid by RFC 4861 6.1 and 7.1.
 */
#include "packet/packet_priv.h"

#include <string.h>

#define OPTIONS_MAX 16
enum nd_option { ND_SOURCE_MAC = 1, ND_TARGET_MAC = 2 };

static void read_arp(const uint8_t *p, struct neigh *ret)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4}; /* Ethernet, IPv4 */
	uint16_t op = load_be16(p + 6);
	if (memcmp(p, head, sizeof(head)) != 0 || (op != 1 && op != 2))
		return;
	ret->kind = op == 1 ? NEIGH_ARP_REQUEST : NEIGH_ARP_REPLY;
	memcpy(ret->sender_mac.b, p + 8, 6);
	ret->sender = addr_from_v4(p + 14);
	ret->target = addr_from_v4(p + 24);
}

static enum neigh_kind kind_of(uint8_t type)
{
	switch (type) {
	case ICMP6_RS:
		return NEIGH_RS;
	case ICMP6_RA:
		return NEIGH_RA;
	case ICMP6_NS:
		return NEIGH_NS;
	case ICMP6_NA:
		return NEIGH_NA;
	case ICMP6_REDIRECT:
		return NEIGH_REDIRECT;
	default:
		break;
	}
	if ((type >= ICMP6_MLD_FIRST && type <= ICMP6_MLD_LAST) || type == ICMP6_MLD2)
		return NEIGH_MLD;
	return NEIGH_NONE;
}

/* Bytes before the options of a neighbour message. */
static uint32_t fixed_len(enum neigh_kind kind)
{
	switch (kind) {
	case NEIGH_RS:
		return 8;
	case NEIGH_RA:
		return 16;
	case NEIGH_REDIRECT:
		return 40;
	case NEIGH_NS:
	case NEIGH_NA:
	case NEIGH_NONE:
	case NEIGH_ARP_REQUEST:
	case NEIGH_ARP_REPLY:
	case NEIGH_MLD:
		break;
	}
	return 24;
}

/* Finds the link-layer address among the options; false if an option is malformed. */
static bool read_options(struct reader r, uint8_t wanted, struct mac *ret)
{
	for (unsigned i = 0; i < OPTIONS_MAX && reader_left(&r) > 0; i++) {
		uint8_t type = read_u8(&r), words = read_u8(&r);
		if (words == 0)
			return false;
		const uint8_t *body = read_bytes(&r, words * 8u - 2);
		if (body == NULL)
			return false;
		if (type == wanted && words == 1)
			memcpy(ret->b, body, 6);
	}
	return reader_left(&r) == 0;
}

static void read_nd(const struct frame *f, const struct layers *l, struct neigh *ret)
{
	const uint8_t *p = f->data + l->l4;
	uint32_t len = l->l3_end - l->l4, fixed = fixed_len(ret->kind);
	if (l->ttl != 255 || l->icmp_code != 0 || l->fragment || len < fixed)
		return;
	struct mac mac = {{0}};
	uint8_t wanted = ret->kind == NEIGH_NA || ret->kind == NEIGH_REDIRECT ? ND_TARGET_MAC
									      : ND_SOURCE_MAC;
	if (!read_options(reader_of(p + fixed, len - fixed), wanted, &mac))
		return;
	bool has_target =
		ret->kind == NEIGH_NS || ret->kind == NEIGH_NA || ret->kind == NEIGH_REDIRECT;
	if (has_target && p[8] == 0xff)
		return; /* a group is nobody's address */
	ret->sender = l->src;
	ret->sender_mac = mac;
	if (has_target)
		ret->target = addr_from_v6(p + 8);
}

void packet_neigh(const struct frame *f, const struct layers *l, struct neigh *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (l->ethertype == TYPE_ARP && l->l3 != 0) {
		read_arp(f->data + l->l3, ret);
		return;
	}
	if (l->ip_ver != 6 || l->proto != PROTO_ICMP6 || l->l4 == 0)
		return;
	ret->kind = kind_of(l->icmp_type);
	if (ret->kind != NEIGH_NONE && ret->kind != NEIGH_MLD)
		read_nd(f, l, ret);
	else if (ret->kind == NEIGH_MLD)
		ret->sender = l->src;
}
