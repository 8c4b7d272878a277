/* SPDX-License-Identifier: BSD-2-Clause */
/* Words that events, marks and counters share: which way, what became of it, and why. */
#ifndef SKEP_EVENT_WORDS_H
#define SKEP_EVENT_WORDS_H

enum event_direction { DIR_NONE, DIR_INBOUND, DIR_OUTBOUND, DIR_LATERAL };

/* What became of a packet or conversation (design: containment verdicts). */
/* clang-format off */
enum verdict { VERDICT_FORWARD, VERDICT_LIMIT, VERDICT_DROP, VERDICT_REJECT, VERDICT_REDIRECT,
	       VERDICT_REFLECT, VERDICT_REWRITE, VERDICTS };
/* clang-format on */

/* Why. One list for marks, counters and events; text by reason_text. */
/* clang-format off */
enum reason {
	REASON_NONE,           /* forwarded */
	REASON_REPLIED,        /* answered by the wall itself (ARP, ND) and not passed on */
	REASON_MALFORMED, REASON_VLAN, REASON_ETHERTYPE, REASON_NOT_FOR_US,
	REASON_SPOOFED_MAC, REASON_SPOOFED_ADDR, REASON_NEIGH_BUDGET, REASON_NEIGH_REFUSED,
	REASON_DHCP, REASON_MULTICAST, REASON_TTL, REASON_FRAGMENT, REASON_BAD_CSUM,
	REASON_OFF_LIMITS, REASON_CLOSED,      /* no forward or binding leads there */
	REASON_SOURCE_NOT_LISTED, REASON_LOGHOST, /* loghost rules */
	REASON_NO_FLOW,        /* TCP or ICMP that belongs to no known conversation */
	REASON_LIMIT,          /* new conversations per window */
	REASON_CAP_GUEST, REASON_CAP_FLOW,     /* packet or byte rate */
	REASON_TABLE_FULL, REASON_PORT_DOWN, REASON_SEND_FAILED, REASON_SMTP, REASON_ICMP_TYPE,
	REASON_RULE,           /* a rule's drop or reject, or a replacement that came too late */
	REASON_RULE_FLOW,      /* of a conversation that a rule has ended */
	REASON_STREAM,         /* does not fit its TCP stream: nobody would have looked at it */
	REASON_NO_MEMORY,      /* inspection has no memory for it */
	REASON_HELD,           /* its bytes wait in the wall, and leave in another frame */
	REASON_FENCE,          /* fence list */
	REASON_POLICY,         /* a rule of the containment policy */
	REASON_ROACH_MOTEL,    /* in, but never out */
	REASON_LOCKDOWN, REASON_IGNORED, /* inbound, on the ignore list */
	REASON_NO_NEXT_HOP,    /* the outside has no router whose link address is known */
	REASONS
};
/* clang-format on */
const char *reason_text(enum reason r);             /* "spoofed-mac" */
const char *verdict_text(enum verdict v);           /* "forward" */
const char *direction_text(enum event_direction d); /* "INBOUND"; "NONE" */

#endif
