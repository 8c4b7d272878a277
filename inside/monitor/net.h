/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the kernel's sockets that are read; see kernel.h. */
#ifndef MONITOR_NET_H
#define MONITOR_NET_H

#include "monitor/kernel.h"

struct in6_addr {
	uint8_t b[16];
};

struct sock_common {
	uint32_t skc_daddr, skc_rcv_saddr;
	uint16_t skc_dport, skc_num, skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} CORE;

struct sock {
	struct sock_common __sk_common;
	uint16_t sk_type, sk_protocol;
} CORE;

/* What connect(2) was given, as the kernel copied it. */
struct sockaddr_any {
	uint16_t family, port; /* port: network order */
	uint32_t v4;           /* IPv6: flow information */
	struct in6_addr v6;
};

#endif
