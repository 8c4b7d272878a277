/* SPDX-License-Identifier: BSD-2-Clause */
/* The bodies of some kinds of events. A part of event.h, which includes it. */
#ifndef SKEP_EVENT_BODIES_H
#define SKEP_EVENT_BODIES_H

#include "event/alert.h"

#define EVENT_TEXT 256    /* free text, with terminator; already harmless UTF-8 is not assumed */
#define EVENT_EXCERPT 512 /* foreign bytes as they came, a zero byte included */

/* How somebody greets by TCP (inbound, first packet): his operating system may show by it. */
#define EVENT_SYN_OPTIONS 16
struct event_syn {
	uint8_t ttl;                   /* as it arrived; 0: not known */
	uint8_t df, n_options, wscale; /* wscale 255: none */
	uint16_t window, mss;          /* mss 0: none */
	uint8_t options
		[EVENT_SYN_OPTIONS]; /* kinds in their order; behind 0 (the end) how many bytes of padding follow */
	uint32_t quirks; /* enum event_syn_quirk */
};
/* clang-format off */
enum event_syn_quirk { SYN_ID = 1 /* DF and an IP id, or none and none */, SYN_ECN = 2, SYN_FLOW = 4 /* IPv6 flow label */,
		       SYN_SEQ0 = 8, SYN_ACK = 16 /* ack number without ACK */, SYN_URG = 32, SYN_PUSH = 64,
		       SYN_TS0 = 128 /* own timestamp 0 */, SYN_TS2 = 256 /* peer's is not */, SYN_EOL = 512 /* data behind EOL */,
		       SYN_BAD = 1024 /* malformed options */, SYN_WSCALE = 2048 /* over 14 */, SYN_DATA = 4096,
		       SYN_URGENT = 8192 /* urgent pointer without URG */, SYN_ZERO = 16384 /* IPv4's reserved bit */,
		       SYN_IP_OPTIONS = 32768 /* or extension headers */, SYN_MANY = 65536 /* more options than there is room for */ };
/* clang-format on */

struct event_guest {
	char guest[EVENT_NAME];
	char state
		[EVENT_NAME]; /* "starting", "running", "died", "restarting", "stopped", "failed" */
	char accel[EVENT_NAME]; /* "kvm", "tcg" or empty */
	uint32_t restarts, backoff_s;
};

struct event_health {
	char role[EVENT_NAME];
	char what
		[EVENT_NAME]; /* "started", "died", "restarted", "lost", "suppressed", "full", "disk" */
	uint64_t count;
	int32_t exit_code, signal; /* for "died"; -1: does not apply */
};

struct event_sink {
	char guest[EVENT_NAME];
	char service[EVENT_NAME]; /* "smtp", "http", "dns", "ntp", "tcp", "udp" */
	char what[EVENT_NAME]; /* "mail", "login", "request", "query", "suspicion", "bytes" ... */
	struct addr client, server; /* server: whom the guest meant */
	uint16_t cport, sport;      /* sport 0: not known; hub finds it by the conversation */
	uint8_t proto, pad;
	uint16_t excerpt_len;
	uint64_t bytes, count; /* count: how often, or which part of an excerpt in several events */
	char excerpt[EVENT_EXCERPT];
};

struct event_containment {
	char what[EVENT_NAME];  /* "fence", "ignore", "lockdown", "override" */
	char state[EVENT_NAME]; /* "on", "off", "expired" */
	char guest[EVENT_NAME]; /* override */
	char order[EVENT_NAME]; /* override: the verdict; lockdown: "all", "outbound" */
	struct prefix net;      /* fence, ignore; addr.ver 0: none */
	int64_t until_ns;       /* wall clock; 0: for good */
};

/* Counters with fixed meaning; EVE has room for few, skep status shows all from wall_stats. */
struct event_stats {
	int64_t uptime_s;
	uint64_t pkts, bytes, ipv4, ipv6, tcp, udp, icmpv4, icmpv6, arp, invalid;
	uint64_t accepted, blocked, flows_total, flows_active, memuse, kernel_drops;
};

#endif
