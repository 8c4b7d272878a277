/* SPDX-License-Identifier: BSD-2-Clause */
/* What the messages between our processes hold (role.h has the list). A part of role.h, which includes it. */
#ifndef SKEP_ROLE_MESSAGES_H
#define SKEP_ROLE_MESSAGES_H

#include "capture/capture.h"
#include "conf/conf.h"
#include "deliver/deliver.h"
#include "event/event.h"
#include "judge/judge.h"
#include "sink/sink.h"

struct start_wall {
	struct judge_conf
		judge; /* one port descriptor per judge.ports[i]; judge.scrub is not looked at */
	uint8_t rules_mode; /* enum conf_rules_mode */
	uint8_t copies;     /* 1: there is a collector */
	uint64_t rules_memory;
	int64_t rules_hold_ns;
};
struct start_recorder {
	struct conf_recorder conf;
	uint32_t n_ports;
	struct capture_interface ports[CAPTURE_PORTS]; /* by wall port index */
};
struct start_keeper {
	char guest[CONF_NAME];
	uint8_t sshd;
	uint32_t stop_grace_ms;
	uint64_t
		overlay_max_bytes; /* size of node "overlay-file" at which the guest pauses; 0: no disk */
};
#define HUB_SOURCES 32
struct start_hub {
	struct conf_store conf;
	uint32_t n_sources;
	struct {
		uint8_t role;          /* enum role: decides which kinds it may say */
		char name[EVENT_NAME]; /* role or guest name */
	} sources[HUB_SOURCES];
	uint64_t boot_id;
	uint8_t with_alerter, pad[7];
};
struct start_ledger {
	struct conf_store conf;
	char sensor[CONF_NAME];
};
struct start_sink {
	struct sink_conf conf;
};
struct start_collector {
	struct conf_sessions conf;
	char sensor[CONF_NAME];
	uint64_t cursors[2]; /* as the one before last said; 0: there was none */
	uint8_t tls;         /* what syslogds send is encrypted: the wire has no copy of that */
	uint32_t n_guests;
	struct {
		char name[EVENT_NAME];
		uint8_t kind;                   /* enum conf_guest_kind */
		uint8_t monitor, shell, syslog; /* what its image has */
		struct addr inside, inside6;
	} guests[CONF_GUESTS]; /* guest i is port i + 1 of the wall */
};
struct msg_monitor { /* a guest's machine started (with its port), or ended */
	uint16_t guest;
	uint8_t runs, pad;
};
struct msg_heard { /* when each layer of a guest last told something (boot clock); 0: never */
	struct {
		int64_t monitor_ns, shell_ns, syslog_ns;
	} guests[CONF_GUESTS];
	uint64_t cursors[2]; /* up to where the copies are read; the next collector goes on there */
};
enum { ALERTER_LOCATION = 1, ALERTER_NAMES = 2, ALERTER_SIGNATURES = 4 };
struct start_alerter {
	struct conf_alerts conf; /* URLs that are passwords (chats, webhooks) are not in it */
	uint64_t marks
		[CONF_DESTINATIONS]; /* deliver_mark of them as they are; 0: as they are here */
	char sensor[CONF_NAME], name[CONF_NAME];
	int64_t since_ns; /* wall clock: when this honeynet began */
	uint8_t has;      /* ALERTER_ bits: which descriptors follow */
	uint8_t pad[3];
	uint32_t
		retry_ms; /* first wait before a second try, the others are multiples; 0: as it comes (15 s) */
};
struct start_courier {
	struct conf_alerts conf;
};
/* A new alerter says first of all what its predecessor dealt with (again 1), and then drops every event until
 * hub answers with such a message itself: what lies in the channel before that may have gaps, where the
 * predecessor took events that it did not live to deal with. Behind the answer comes all after id, in order;
 * what it dealt with meanwhile may be among it, and is dropped by its id. A new hub says it unasked. */
struct msg_seen {
	uint64_t id; /* of the newest event whose consequences are on the disk; 0: none */
	uint8_t again, pad[7];
};
struct msg_deliver {
	uint64_t
		number; /* courier answers a number that it knows with what became of it, and does not send twice */
	uint64_t
		mark; /* deliver_mark of the destination: over a reload the same number may be another one's */
	uint32_t size;
	uint8_t destination, pad[3];
};
struct msg_alert_test {
	uint8_t destination; /* 255: all */
	uint8_t pad[7];
};
struct msg_ready {
	uint32_t pid;
};
struct msg_port {
	struct judge_port port;
	uint16_t index;
	uint16_t has_fd;
};
struct msg_host {
	uint32_t n;
	struct prefix host[CONF_PREFIXES];
};
struct msg_rules_done {
	int32_t result; /* 0, or why the rules stay as they were */
	uint32_t swaps; /* that were made so far */
	uint64_t rules, failed, warnings;
	int64_t load_ns, swap_ns; /* read beside the frames; frames waited */
};
enum qemu_state { QEMU_STARTED, QEMU_DIED, QEMU_STOP };
struct msg_qemu {
	uint8_t state; /* QEMU_STOP: ask the guest to shut down, then quit */
	uint8_t kvm;
	int32_t exit_code, signal;
	uint32_t restarts, backoff_s;
};
struct msg_guest {
	char state[EVENT_NAME]; /* last QMP run state: "running", "paused", "shutdown" ... */
};

#endif
