/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows, limits and rules of the containment policy. A part of conf.h, which includes it. */
#ifndef SKEP_CONF_POLICY_H
#define SKEP_CONF_POLICY_H

#include "base/base.h"

#define CONF_NAME 32
#define CONF_PATH 128
#define CONF_WINDOWS 4
#define CONF_POLICY 32
#define CONF_POLICY_GUESTS 8
#define CONF_POLICY_NETS 16
#define CONF_POLICY_PORTS 16

/* clang-format off */
enum conf_act { ACT_FORWARD, ACT_LIMIT, ACT_DROP, ACT_REJECT, ACT_REDIRECT, ACT_REFLECT, ACT_REWRITE, ACTS };
/* clang-format on */
enum conf_per { PER_GUEST, PER_PROTO, PER_DESTINATION };
enum conf_to { TO_ANY, TO_OUTSIDE, TO_LATERAL, TO_RESOLVER };
#define CONF_OTHER 255 /* any protocol but TCP, UDP and ICMP */

/* At most max events in any period of window_ns; max 0: none at all. */
struct conf_window {
	uint32_t max;
	int64_t window_ns;
};
struct conf_limit {
	uint32_t n; /* 0: unlimited */
	struct conf_window w[CONF_WINDOWS];
};

struct conf_ports {
	uint16_t lo, hi;
};

/* One rule of the containment policy; first match wins (docs/POLICY.md). */
struct conf_policy {
	uint32_t n_guests, n_to, n_ports;           /* 0: any */
	char guests[CONF_POLICY_GUESTS][CONF_NAME]; /* names or classes */
	struct prefix to[CONF_POLICY_NETS];         /* addr.ver 0: a word, len is enum conf_to */
	struct conf_ports ports[CONF_POLICY_PORTS];
	uint8_t proto;                                 /* 0: any; 1 for both ICMPs; CONF_OTHER */
	uint8_t act, per;                              /* enum conf_act, enum conf_per */
	uint16_t redirect_port;                        /* 0: as asked */
	struct addr redirect_to;                       /* ver 0: the sink */
	char reflect_to[CONF_NAME];                    /* a honeypot */
	char rules[CONF_NAME];                         /* rewrite: a set of rules; empty: all */
	struct conf_limit connections, packets, bytes; /* n 0: no such window */
};

#endif
