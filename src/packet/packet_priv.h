/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and helpers shared by the files of packet. */
#ifndef SKEP_PACKET_PRIV_H
#define SKEP_PACKET_PRIV_H

#include "packet/packet.h"

enum { ETH_IP4 = 0x0800, ETH_ARP = 0x0806, ETH_VLAN = 0x8100, ETH_QINQ = 0x88a8, ETH_IP6 = 0x86dd };
enum { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ICMP6 = 58, IP_SCTP = 132 };

/* IP header at l->l3; quoted: the end may be missing and addresses are not judged. */
void packet_decode_ip4(const struct frame *f, struct layers *l, bool quoted);
void packet_decode_ip6(const struct frame *f, struct layers *l, bool quoted);
/* Transport header at l->l4. */
void packet_decode_transport(const struct frame *f, struct layers *l);
/* Sum of the pseudo header of l's addresses for an L4 part of len bytes, folded. */
uint16_t packet_pseudo_sum(const struct layers *l, uint8_t proto, uint32_t len);

#endif
