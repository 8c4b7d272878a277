/* SPDX-License-Identifier: BSD-2-Clause */
/* prove: the cases (case_*.c). A part of prove_priv.h, which includes it. */
#ifndef SKEP_CASE_PRIV_H
#define SKEP_CASE_PRIV_H

#include "prove/prove_priv.h"

struct prove_case {
	const char *name, *promise;
	void (*run)(struct prove *p);
	int arg;
};
extern const struct prove_case prove_cases[];

/* A marked datagram from somebody outside. */
void case_from_outside(struct prove *p, const struct addr *from, const struct addr *to);
/* The link address to which somebody outside sends what is for `to`. */
struct mac case_inward(const struct prove *p, const struct addr *to);
/* From the proof's guest to `to` by way of the gateway. */
struct head case_head(const struct prove *p, const struct addr *to);
struct addr case_addr(const char *text);
/* One marked UDP datagram, SYN or echo request with h around it, on a conversation of its own. */
void case_udp(struct prove *p, struct head h);
void case_udp_to(struct prove *p, struct head h, uint16_t dport);
void case_syn(struct prove *p, struct head h, uint16_t dport);
void case_flags(struct prove *p, struct head h, uint8_t flags, uint16_t dport);
void case_ping(struct prove *p, struct head h);
/* Of the row that is being tried. */
int case_arg(const struct prove *p);
/* The first honeypot (or loghost) beside the proof, or NULL. */
const struct prove_port *case_guest(const struct prove *p, bool loghost);

void case_allowed(struct prove *p);
void case_allowed_lateral(struct prove *p);
void case_limit(struct prove *p);
void case_tunnel(struct prove *p);
void case_dns(struct prove *p);
void case_packet_rate(struct prove *p);
void case_byte_rate(struct prove *p);
void case_ping_rate(struct prove *p);
void case_super_frame(struct prove *p);

void case_spoof_mac(struct prove *p);
void case_mac_flood(struct prove *p);
void case_spoof_addr(struct prove *p);
void case_off_limits(struct prove *p);
void case_host(struct prove *p);
void case_honeynet(struct prove *p);
void case_smtp(struct prove *p);
void case_multicast(struct prove *p);
void case_storm(struct prove *p);
void case_unknown_mac(struct prove *p);

void case_ethertype(struct prove *p);
void case_vlan(struct prove *p);
void case_neigh(struct prove *p);
void case_ttl(struct prove *p);
void case_tcp_state(struct prove *p);
void case_malformed(struct prove *p);
void case_checksum(struct prove *p);
void case_icmp_type(struct prove *p);
void case_fragment(struct prove *p);
void case_oversize(struct prove *p);

void case_lateral_limit(struct prove *p);
void case_loghost(struct prove *p);
void case_loghost_router(struct prove *p);
void case_lateral_mac(struct prove *p);
void case_inbound(struct prove *p);

void case_fence_list(struct prove *p);
void case_ignored(struct prove *p);
void case_roach_motel(struct prove *p);
void case_lockdown(struct prove *p);
void case_sink(struct prove *p);
void case_policy(struct prove *p);
void case_elsewhere(struct prove *p);

void case_steer(struct prove *p);

void case_rule_packet(struct prove *p);
void case_rule_stream(struct prove *p);
void case_rule_fragment(struct prove *p);

#endif
