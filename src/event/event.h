/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * event: the record that roles hand to hub, and its JSON forms. A closed list of kinds with typed
 * fields; a plain struct of fixed size without pointers, so it travels as it is between processes
 * of one binary and is checked by event_valid on arrival. Used by every role.
 *
 * Two streams (docs/EVENTS.md): eve.json is strictly Suricata EVE, skep.json is ours.
 */
#ifndef SKEP_EVENT_H
#define SKEP_EVENT_H

#include "event/told.h"
#include "event/words.h"

enum event_kind {
	EVENT_CONNECTION = 1, /* skep: a new conversation, at its first packet */
	EVENT_LIMIT,          /* skep: a budget was used up, or packets over a cap were dropped */
	EVENT_GUEST,          /* skep: a guest changed state */
	EVENT_HEALTH,         /* skep: a role, a table, a loss, the disk */
	EVENT_INCIDENT,       /* skep: what one intruder did to one guest; maps to flows */
	EVENT_SINK,           /* skep: what contained traffic said to the sink */
	EVENT_CONTAINMENT, /* skep: an operator changed what may pass, or the time of it was over */
	EVENT_FLOW,        /* eve: a conversation ended */
	EVENT_ANOMALY,  /* eve: malformed traffic, counted per flow or source, never per packet */
	EVENT_STATS,    /* eve: counters */
	EVENT_ALERT,    /* eve: a rule matched */
	EVENT_DROP,     /* eve: a rule stopped a conversation or a packet */
	EVENT_SESSION,  /* skep: a visit began, grew, ended */
	EVENT_COMMAND,  /* skep: something was run, or typed */
	EVENT_LOGIN,    /* skep: credentials were tried */
	EVENT_SYSLOG,   /* skep: a line that a guest sent to its loghost */
	EVENT_FILE,     /* skep: a file was fetched, uploaded, written, deleted */
	EVENT_ACTIVITY, /* skep: something else that a process in a guest did */
	EVENT_SILENCE,  /* skep: a layer that should tell of a guest says nothing */
	EVENT_MISMATCH, /* skep: one layer saw what another did not */
	EVENT_ESCAPE,   /* skep: somebody broke, or tried to break, out of a guest's machine */
	EVENT_NOTICE,   /* skep: a message was sent, held back, given up */
	EVENT_SEAL,     /* skep: a digest of an event file up to here */
	EVENT_KINDS
};

struct event_connection {
	struct event_tuple tuple;
	uint32_t limit_used, limit_max,
		limit_window_s; /* tightest window; max 0: no limit applies */
	struct event_syn syn;
};

struct event_limit {
	char guest[EVENT_NAME];
	char what[EVENT_NAME]; /* "tcp", "udp", "icmp", "other", "dns", "flow-pps", "guest-bytes" */
	uint64_t flow_id;      /* caps per flow; else 0 */
	uint64_t dropped;      /* packets since the last event of this kind; 0: just reached */
	uint32_t used, max, window_s;
};

#define INCIDENT_FLOWS 24
struct event_incident {
	char guest[EVENT_NAME];
	char state[EVENT_NAME]; /* "open", "update", "quiet" */
	struct addr peer;       /* the intruder's address */
	int64_t start_ns, last_ns;
	uint64_t flows_total;
	uint32_t n_flows;   /* entries of flow_ids that are new since the last event */
	uint32_t ambiguous; /* 1: outbound flows were joined to several open incidents */
	uint64_t flow_ids[INCIDENT_FLOWS];
};

struct event_flow {
	struct event_tuple tuple;
	int64_t start_ns, end_ns;
	uint64_t pkts_toserver, pkts_toclient, bytes_toserver,
		bytes_toclient; /* IP frames with L2 */
	uint8_t tcp_flags_ts, tcp_flags_tc;
	char state[EVENT_NAME];      /* "new", "established", "closed" */
	char end_reason[EVENT_NAME]; /* "timeout", "forced", "shutdown" */
};

struct event_anomaly {
	struct event_tuple tuple; /* what is known of it; addresses may be none */
	char name[48];            /* "decoder.ipv4.trunc_pkt" ... */
	uint64_t count;
};

struct event {
	uint64_t id;       /* given by hub: unique in this installation, grows with time; else 0 */
	int64_t time_ns;   /* wall clock of what happened, given by the role */
	uint64_t flow_id;  /* 0: none; unique across restarts; below 2^53 */
	uint64_t incident; /* given by hub; 0: none */
	uint16_t kind;     /* enum event_kind */
	uint8_t direction; /* enum event_direction */
	uint8_t verdict;   /* enum verdict */
	uint8_t reason;    /* enum reason */
	uint8_t priority;  /* 0 routine, 1 notable, 2 urgent: what is shed last */
	uint8_t pad[2];
	char text
		[EVENT_TEXT]; /* one sentence for people; may hold foreign bytes, escaped on output */
	union {
		struct event_connection connection;
		struct event_limit limit;
		struct event_guest guest;
		struct event_health health;
		struct event_incident incident;
		struct event_sink sink;
		struct event_flow flow;
		struct event_anomaly anomaly;
		struct event_stats stats;
		struct event_containment containment;
		struct event_alert alert;
		struct event_drop drop;
		struct event_session session;
		struct event_command command;
		struct event_login login;
		struct event_syslog syslog;
		struct event_file file;
		struct event_activity activity;
		struct event_silence silence; /* EVENT_SILENCE, EVENT_MISMATCH */
		struct event_escape escape;
		struct event_notice notice;
		struct event_seal seal;
	} u;
};

/* An empty record of that kind, stamped now. */
struct event event_new(enum event_kind kind);
/* Sets text. */
void event_say(struct event *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Everything in range and every text terminated? Receivers call it before anything else. */
bool event_valid(const struct event *e);
const char *event_kind_text(enum event_kind kind); /* "connection" */
/* The conversation a record speaks of, or NULL for kinds that have none. Points into e. */
struct event_tuple *event_tuple_of(struct event *e);
/* The visit it speaks of, or NULL for kinds that have none. Points into e. */
const struct event_visit *event_visit_of(const struct event *e);
/* The guest concerned, "" if none. Points into e. */
const char *event_guest_of(const struct event *e);
/* A visit's id as people and file names have it: 11 digits of base 32, in their order. */
#define EVENT_SESSION_TEXT 16
const char *event_session_text(uint64_t id, char buf[EVENT_SESSION_TEXT]);
/* Back: SKEP_EFORMAT. */
MUST_USE int event_session_parse(const char *text, uint64_t *ret);
/* "TCP", "IPv6-ICMP" (Suricata's names), or the number as three digits; returns buf. */
#define EVENT_PROTO 16
const char *event_proto_text(uint8_t proto, char buf[EVENT_PROTO]);
/* Back: SKEP_ENOTFOUND. */
MUST_USE int event_proto_parse(const char *text, uint8_t *ret);
/* "2026-11-23T20:01:02.123456+0000", always UTC; returns buf. */
#define EVENT_TIME 40
const char *event_time_text(int64_t time_ns, char buf[EVENT_TIME]);
/* Back: SKEP_EFORMAT if it is not what event_time_text writes. */
MUST_USE int event_time_parse(const char *text, int64_t *ret_ns);
/* Days from the epoch to a date (proleptic Gregorian); month 1..12, day 1..31. */
int64_t event_days(int year, int month, int day);
/* Does it belong to eve.json (else skep.json)? */
bool event_is_eve(enum event_kind kind);
/* One JSON object (no newline), valid UTF-8 whatever the bytes; caller frees. NULL: out of memory. */
char *event_json(const struct event *e, const char *sensor);
/* The JSON Schema of skep.json, versioned; static. */
const char *event_schema(void);

#endif
