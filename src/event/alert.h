/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of event.h: between whom a conversation is, and what rules say of it. */
#ifndef SKEP_EVENT_ALERT_H
#define SKEP_EVENT_ALERT_H

#include "base/base.h"

#define EVENT_NAME 32 /* guest, port and role names, with terminator */

/* One conversation as both sides see it. Initiator first. Without NAT inside equals outside. */
struct event_tuple {
	struct addr src, dst;                      /* as seen outside (public addresses) */
	struct addr in_src, in_dst;                /* as seen at the guest's port */
	uint16_t sport, dport, in_sport, in_dport; /* ICMP: sport = type, dport = code */
	uint16_t icmp_id;                          /* ICMP echo only */
	uint8_t proto, pad;
	char guest[EVENT_NAME];      /* the guest concerned (initiator if lateral) */
	char peer_guest[EVENT_NAME]; /* lateral: the other guest; else empty */
	char in_port[EVENT_NAME];    /* name of the port the first packet came in by */
	/* Community ID v1 of either view; filled by hub, so that the wall hashes nothing. */
	char community_id[EVENT_NAME], inside_community_id[EVENT_NAME];
};

struct event_alert {              /* text: the rule's msg */
	struct event_tuple tuple; /* of the packet: its sender is src */
	uint32_t gid, sid, rev, severity;
	uint8_t blocked;  /* 1: it was stopped or changed */
	uint8_t toclient; /* 1: sent by the one who did not begin */
	char class[64];   /* description of the rule's class; may be empty */
	char app_proto[16];
};

struct event_drop {
	struct event_tuple tuple; /* of the packet */
	uint32_t len;             /* bytes of it, from its IP header on */
	uint8_t toclient;
};

#endif
