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

#include "capture/capture.h"
#include "conf/conf.h"
#include "event/event.h"
#include "ipc/ipc.h"
#include "judge/judge.h"
#include "sink/sink.h"
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
	MSG_START_HUB, /* fds: ledger, then the read end of each source (in the order of sources) */
	MSG_START_LEDGER, /* fds: hub, store folder */
	MSG_START_SINK,   /* fds: events, one socket per enum sink_service (bound to every
			     address, TCP ones listen), then one connected to the
			     upstream resolver if there is any */
	MSG_READY,        /* role -> super: struct msg_ready */
	MSG_STOP,         /* super -> role: end in good order */
	MSG_PORT,   /* super -> wall, recorder: struct msg_port; fd: the port's new descriptor */
	MSG_QEMU,   /* super -> keeper: struct msg_qemu; fds: QMP, console (when started) */
	MSG_GUEST,  /* keeper -> super: struct msg_guest */
	MSG_EVENT,  /* role -> hub, hub -> ledger: struct event */
	MSG_DONE,   /* role -> super: everything is written, ending now */
	MSG_ORDERS, /* super -> wall: struct policy_now, all of it */
	MSG_RULES,  /* super -> wall: go over to these; fds: texts, snapshot */
	MSG_HOST,   /* super -> wall: struct msg_host, what is off limits as the host's own */
	MSG_START_COLLECTOR, /* fds: events, copies of syslog, copies of talk (both read-only), the folder */
	MSG_HEARD,      /* collector -> super: struct msg_heard, about once a second */
	MSG_MONITOR,    /* super -> collector: struct msg_monitor; fd: the guest's serial port (started) */
	MSG_RULES_DONE, /* wall -> super: struct msg_rules_done; also at the start, before ready */
};
extern const struct ipc_table role_messages;

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
	uint8_t tls; /* syslog is encrypted: the wire has no copy */
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
