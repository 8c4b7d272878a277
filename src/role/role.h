/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role: one file per process (super.c, wall.c, recorder.c, keeper.c, hub.c, ledger.c, sink.c,
 * collector/) and the one
 * table of messages between them (messages.c). The only place, with cmd, that logs and exits.
 *
 * Every role starts as `skep --role NAME` with descriptor 3 connected to super. super sends its
 * start message; the role answers MSG_READY once it is confined and working. Event channels: one
 * pair per role, whose read ends all go to hub. super holds both ends of everything.
 */
#ifndef SKEP_ROLE_H
#define SKEP_ROLE_H

#include "ipc/ipc.h"
#include "role/messages.h"
#include "site/site.h"

#include <sys/types.h>

#define ROLE_SUPER_FD 3
enum role {
	ROLE_SUPER,
	ROLE_WALL,
	ROLE_RECORDER,
	ROLE_KEEPER,
	ROLE_HUB,
	ROLE_LEDGER,
	ROLE_SINK,
	ROLE_COLLECTOR,
	ROLE_ALERTER,
	ROLE_COURIER,
	ROLES
};
#define ROLE_BIT(r) ((uint16_t)(1u << (r)))
/* "wall": as in `skep --role wall`. */
const char *role_text(enum role r);

enum message {
	MSG_START_WALL = 1, /* super -> wall: struct start_wall; fds: events, limits, stats, marks,
			       copies of syslog and of talk (with copies), texts and snapshot of
			       the rules (unless rules_mode is off), then one per port */
	MSG_START_RECORDER, /* fds: events, marks, capture folder, then one passive socket per port */
	MSG_START_KEEPER,   /* fds: events, console log (a plain file, kept under 256 KiB) */
	MSG_START_HUB, /* fds: ledger, alerter (with_alerter), then the read end of each source (in the order
			  of sources) */
	MSG_START_LEDGER, /* fds: hub, store folder */
	MSG_START_SINK,   /* fds: events, one socket per enum sink_service (bound to every
			     address, TCP ones listen), then one connected to the
			     upstream resolver if there is any */
	MSG_READY,        /* role -> super: struct msg_ready */
	MSG_STOP,         /* super -> role: end in good order */
	MSG_PORT,   /* super -> wall, recorder: struct msg_port; fd: the port's new descriptor */
	MSG_QEMU,   /* super -> keeper: struct msg_qemu; fds: QMP, console (when started) */
	MSG_GUEST,  /* keeper -> super: struct msg_guest */
	MSG_EVENT,  /* role -> hub, hub -> ledger, hub -> alerter: struct event */
	MSG_DONE,   /* role -> super: everything is written, ending now */
	MSG_ORDERS, /* super -> wall: struct policy_now, all of it */
	MSG_RULES,  /* super -> wall: go over to these; fds: texts, snapshot */
	MSG_HOST,   /* super -> wall: struct msg_host, what is off limits as the host's own */
	MSG_START_COLLECTOR, /* fds: events, copies of syslog, copies of talk (both read-only), the folder */
	MSG_HEARD,           /* collector -> super: struct msg_heard, about once a second */
	MSG_MONITOR, /* super -> collector: struct msg_monitor; fd: the guest's serial port (started) */
	MSG_START_ALERTER, /* struct start_alerter; fds: events, hub, courier, folder, then (by has) location,
			      names, signatures */
	MSG_START_COURIER, /* struct start_courier; fds: alerter, struct deliver_secrets in a sealed memfd */
	MSG_SEEN, /* alerter -> hub: struct msg_seen, up to where events are safely dealt with; hub -> alerter: from
		     here on it is all, in order (see there) */
	MSG_DELIVER, /* alerter -> courier; alerter -> super (a command, sendmail): struct msg_deliver; fd: body,
			a sealed memfd */
	MSG_DELIVERED, /* courier, super -> alerter: struct deliver_result */
	MSG_COURIER, /* super -> alerter: a new courier started: what was under way may not have gone */
	MSG_ALERT_TEST, /* super -> alerter: struct msg_alert_test */
	MSG_RULES_DONE, /* wall -> super: struct msg_rules_done; also at the start, before ready */
};
extern const struct ipc_table role_messages;

/* Starts a role's process (this very binary), confined as far as it can be from outside, in a network
 * namespace without links; uid 0 stays root. files: that it may have open (0: the usual number). All results are the caller's. */
MUST_USE int role_spawn(enum role role, uid_t uid, uint32_t files, pid_t *ret_pid, int *ret_pidfd,
			int *ret_control);
/* The ids by which other tools know a conversation, both views. */
void role_community_ids(struct event *e);

/* Entry points: each returns the process's exit code. */
int role_wall(void);
int role_recorder(void);
int role_keeper(void);
int role_hub(void);
int role_ledger(void);
int role_sink(void);
int role_collector(void);
int role_alerter(void);
int role_courier(void);
struct super_start {
	int report_fd; /* -1: none, and the log goes to standard error */
	bool service; /* nobody is there to ask: a configuration that was confirmed before needs no word again */
	bool take_link; /* mode bridge: even a link that the host itself uses */
	bool by_ssh;    /* session: the one that the start was asked for in */
	struct site_session session;
};
/* super runs in this process until a `down` on its control socket, or SIGTERM. While it starts it
 * writes lines to report_fd, if that is not -1: "say TEXT", at last "ok" or "fail TEXT"; then its log
 * goes to RUN/super.log. On the real wire it ends by itself if nobody confirms the start. */
int role_super(const struct conf *c, const struct super_start *how);
/* Pid of the super that runs for this configuration (by the lock on RUN/super.pid); 0: none. */
pid_t super_running(const struct conf *c);
/* Did a run end without cleaning up? */
bool super_leftovers(const struct conf *c);
/* Removes what such a run left: processes, namespaces, cgroups, run files. -EALREADY: one runs. */
MUST_USE int super_heal(const struct conf *c);

/* Shared by the roles: waits for the start message (at most 10 s). buf holds the payload. */
MUST_USE int role_wait_start(enum role self, uint16_t type, void *payload, size_t size, int *fds,
			     size_t max_fds, size_t *ret_n);
/* Sends an event, or counts it in *lost and reports the count once there is room again. */
void role_emit(int events_fd, const struct event *e, uint64_t *lost);

#endif
