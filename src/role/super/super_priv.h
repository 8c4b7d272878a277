/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * super's own parts: super.c the loop; super_net.c namespaces, links, sockets; super_spawn.c the
 * roles; rules/reload.c rules; super_guests.c QEMU; super_lab.c the fake Internet; super_sink.c the sink;
 * super_uplink.c the real wire; super_confirm.c a start that nobody confirms; super_guardian.c who cleans up after
 * us; super_control.c the control socket; super_prove.c the port of `skep prove`;
 * super_alerts.c, super_command.c alerts;
 * super_state.c folders, run files and what an earlier run left behind.
 */
#ifndef SKEP_SUPER_PRIV_H
#define SKEP_SUPER_PRIV_H

#include "role/role.h"
#include "role/rules/book.h"
#include "role/rules/reload.h"
#include "role/super/super_alerts.h"
#include "role/super/super_guests.h"
#include "role/super/super_prove.h"
#include "role/super/super_wire.h"

#include <jansson.h>
#include <sys/types.h>

#define SUPER_CHILDREN (ROLES + CONF_GUESTS)
#define SUPER_HELPERS 4
#define UID_COMMAND 24
#define UID_QEMU 32
#define UID_KEEPER 64
#define UID_LAB 96
#define STOP_GRACE_MS 10000

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_STOPPING, CHILD_ENDED };

/* One role's process, over all its lives. */
struct child {
	enum role role;
	char name[EVENT_NAME]; /* "wall"; a keeper: its guest's name */
	uint32_t guest;        /* keeper: index of its guest */
	enum child_state state;
	bool renew; /* it ends to begin anew, with other settings */
	pid_t pid;
	int pidfd, control; /* -1: not running */
	int events[2];      /* [0] hub reads, [1] the role writes; kept over its lives */
	uint32_t restarts;
	int64_t backoff_ns, started_ns, died_ns, start_at_ns;
};

struct helper { /* a server of the lab's fake Internet */
	const char *name;
	pid_t pid;
	int pidfd;
	int64_t started_ns, backoff_ns, start_at_ns;
	uint32_t restarts;
};

struct super {
	const struct conf *c;
	const struct super_start *how;
	int report;               /* to `skep up`, or -1 */
	int lock, home, net, lab; /* namespaces: the host's, the wall's, the lab's */
	int made;                 /* run file of what has been made */
	int signals, listener;
	int limits, stats_fd, marks, marks_ro, store_dir, capture_dir, hub_ledger[2];
	int copies[2], copies_ro[2], inside_dir; /* collector's: by enum judge_copy_to */
	int own_events[2];
	uint64_t own_lost;
	const struct wall_stats *stats;
	struct msg_heard heard; /* as collector last said */
	int port_fds[JUDGE_PORTS];
	int sink;                       /* namespace of the sink */
	int sink_fds[SINK_SOCKETS + 1]; /* the last one: to the upstream resolver, or -1 */
	struct mac sink_mac;
	struct mac outside_mac, uplink_mac;
	struct prefix host[CONF_PREFIXES];
	uint32_t n_host;
	struct book book; /* what the wall is given at each start */
	struct {
		int client, texts, snapshot; /* client -1: none is under way */
		int64_t since_ns;
	} reload;
	struct child children[SUPER_CHILDREN];
	size_t n_children;
	struct guest_run guests[CONF_GUESTS];
	struct helper helpers[SUPER_HELPERS];
	size_t n_helpers;
	struct prove_run prove;
	struct uplink_run uplink;
	struct confirm_run confirm;
	struct alerts_run alerts;
	pid_t guardian;
	int guardian_fd;     /* -1: none */
	int64_t guardian_ns; /* when the last one was started */
	bool kvm, stopping, stop_now, leave;
	bool fresh_limits;        /* no limit state was left by an earlier run */
	struct policy_now orders; /* kept here, so that a new wall acts by them too */
	char accel_why[256];
	int64_t since_ns, checked_ns;
};

/* super_state.c */
MUST_USE int state_lock(struct super *s);
/* Removes what a killed run left, but for the limit state. Was there anything? */
bool state_heal(const struct super *s);
/* Standard output and error go to RUN/super.log from here on. */
MUST_USE int state_log(const struct super *s);
/* Saves the log of a failed start in STATE; ret: where. */
void state_keep_log(const struct conf *c, char *ret, size_t size);
MUST_USE int state_folders(struct super *s, char *why, size_t why_size);
/* Remembers what was made, before it is made: "netns NAME", "cgroup PATH", "pid N START NAME". */
MUST_USE int state_note(struct super *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
MUST_USE int state_note_pid(struct super *s, pid_t pid, const char *name);
MUST_USE int state_memory(struct super *s);
/* Keeps log files short. */
void state_trim_logs(const struct super *s);
/* Removes all that the run files name, then them; keep_limits: not the limit state. */
void state_clean(const struct conf *c, bool keep_limits);

/* super_net.c: all work in the namespaces and come back home. */
MUST_USE int net_build(struct super *s, char *why, size_t why_size);
struct mac net_mac(void);                /* a random one */
uint32_t net_mtu(const struct super *s); /* of guests' links */
/* A named namespace of our making, remembered before it is made. */
MUST_USE int net_namespace(struct super *s, const char *name, int *ret, char *why, size_t why_size);
/* Settings of the current namespace; those that this kernel has not are left out. */
MUST_USE int net_settings(const char *const (*rows)[2], size_t n);
MUST_USE int net_sockets(struct super *s, char *why, size_t why_size);
/* The wall's link of a port. */
const char *port_ifname(const struct super *s, uint32_t index);
/* Looks which networks are the host's own; *ret_changed: others than before. */
MUST_USE int net_host_prefixes(struct super *s, bool *ret_changed);
MUST_USE int net_rings(const struct super *s, int *ret_fds, size_t *ret_n);

/* super_spawn.c */
MUST_USE int spawn_table(struct super *s);
MUST_USE int child_start(struct super *s, struct child *ch);
void child_died(struct super *s, struct child *ch);
void child_stop(struct child *ch);
void child_read(struct super *s, struct child *ch);
#define CHILD_TEXT (EVENT_NAME + 16)
const char *child_text(const struct child *ch, char buf[CHILD_TEXT]);
struct child *child_of(struct super *s, enum role role);
bool super_has_loghost(const struct super *s);
/* All of them; and those that are recorded: all but the proof's, which is the last. */
uint32_t port_count(const struct super *s);
uint32_t port_recorded(const struct super *s);
void port_describe(const struct super *s, uint32_t index, struct judge_port *ret);
/* Tells the wall what a port is now. */
void port_tell(struct super *s, uint32_t index);
void super_health(struct super *s, const char *role, const char *what, uint64_t count,
		  int exit_code, int sig, uint8_t priority, const char *text);
/* A process did what its filter forbids. */
void super_escape(struct super *s, const char *guest, const char *what, const char *detail, int sig,
		  pid_t pid);

/* super_lab.c */
MUST_USE int lab_start(struct super *s, char *why, size_t why_size);
void lab_helper_died(struct super *s, struct helper *h);
MUST_USE int lab_helper_start(struct super *s, struct helper *h);
void lab_stop(struct super *s);

/* super_sink.c: the sink's namespace, its link to the wall, its sockets. */
MUST_USE int sink_build(struct super *s, char *why, size_t why_size);
void sink_start_message(const struct super *s, struct start_sink *ret);

/* super_control.c */
MUST_USE int control_open(struct super *s);
void control_serve(struct super *s);

/* orders/orders.c: what is in force, and answers to requests that change it; NULL: another request. */
json_t *orders_json(struct super *s);
json_t *orders_answer(struct super *s, const char *what, json_t *request);

/* super.c */
void super_say(const struct super *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Reaps a child whose pidfd is readable; its exit code and signal (-1: none). */
void super_reap(pid_t *pid, int *pidfd, int *ret_exit, int *ret_sig);

#endif
