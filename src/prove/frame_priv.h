/* SPDX-License-Identifier: BSD-2-Clause */
/* prove: frames by hand, so that the proof does not believe the code that it tries. */
#ifndef SKEP_FRAME_PRIV_H
#define SKEP_FRAME_PRIV_H

#include "base/base.h"

#define PROVE_FRAME 10240u

enum { PROVE_ICMP = 1, PROVE_TCP = 6, PROVE_UDP = 17, PROVE_ICMP6 = 58 };

struct pkt {
	uint8_t b[PROVE_FRAME];
	uint32_t len;
};
struct head { /* what goes around a payload */
	struct mac to_mac, from_mac;
	uint16_t tags[3], tag_kind; /* n_tags VLAN tags, the first of tag_kind */
	unsigned n_tags;
	struct addr from, to; /* of one version */
	uint8_t proto, ttl;
	uint16_t id,
		frag; /* IPv4: flags and offset as on the wire. IPv6: a fragment header if frag is set */
	bool bad_ip_sum, bad_l4_sum;
	const uint8_t *
		options; /* IPv4 options, or IPv6 extension headers (next: the first one's number) */
	unsigned n_options;
	uint8_t next;
};
struct tcp_head {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t urgent;
};
/* Each writes the whole frame. data may be NULL with len 0. */
void frame_raw(struct pkt *p, const struct head *h, uint16_t kind, const void *data, uint32_t len);
void frame_ip(struct pkt *p, const struct head *h, const void *payload, uint32_t len);
void frame_udp(struct pkt *p, struct head *h, uint16_t sport, uint16_t dport, const void *data,
	       uint32_t len);
void frame_tcp(struct pkt *p, struct head *h, const struct tcp_head *t, const void *data,
	       uint32_t len);
/* ICMP of either version; rest: the four bytes behind the checksum. */
void frame_icmp(struct pkt *p, struct head *h, uint8_t type, uint8_t code, uint32_t rest,
		const void *data, uint32_t len);
/* The transport part alone (for fragments): its length. */
uint32_t frame_udp_part(uint8_t *out, const struct head *h, uint16_t sport, uint16_t dport,
			const void *data, uint32_t len);
uint32_t frame_tcp_part(uint8_t *out, const struct head *h, const struct tcp_head *t,
			const void *data, uint32_t len);

#endif
