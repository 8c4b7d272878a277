/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to crosscheck: what is remembered of a guest, and who looks at it. */
#ifndef SKEP_CROSSCHECK_PRIV_H
#define SKEP_CROSSCHECK_PRIV_H

#include "crosscheck/tell_priv.h"

/* ---- what is remembered of a guest (tables.c) --------------------------------------------------------- */

#define WAYS 4u
#define PROC_SETS 1024u
#define VISIT_SETS 128u
#define EXPECTS 64u
#define WIRES 128u
#define HABITS 64u

struct proc {
	uint32_t pid; /* 0: free */
	bool shell;   /* began as a shell that takes commands from its input */
	bool told_of; /* a finding was made of it */
	bool foreign; /* its program lies where programs of the system don't */
	uint8_t children;
	int64_t seen_ns; /* by the monitor, last; 0: never */
	int64_t exec_ns; /* its first program; 0: not seen */
	int64_t line_ns; /* its last line by syslog; 0: none */
	uint64_t visit;
	uint32_t used; /* for the oldest to give way */
};

struct visit {
	uint64_t visit, parent, session; /* visit 0: free */
	uint8_t ver;
	uint8_t peer[16], local[16];
	uint16_t peer_port, local_port;
	bool acts;  /* something was run, shown or typed in it */
	bool login; /* somebody was let in */
	bool told_foreign, told_wire;
	bool word;        /* something was typed since the last end of a line */
	int64_t typed_ns; /* last end of a line that was not blank */
	uint32_t used;
};

enum expect_kind { EXPECT_NONE, EXPECT_LINE /* from a shell */, EXPECT_SIGHT /* by the monitor */ };
struct expect {
	uint8_t kind;
	bool foreign;
	uint32_t pid, ppid;
	int64_t since_ns, due_ns;
	int64_t acted_ns; /* a shell: has run something by then; 0: not that we know */
	uint64_t visit;
	uint64_t line; /* hash of what the shell told */
	char detail[EVENT_PLACE];
};

struct wire {
	uint64_t flow_id; /* 0: free */
	struct addr peer;
	uint16_t peer_port, port;
	uint64_t bytes_in;
	int64_t due_ns; /* 0: judged, or not enough yet */
	int64_t last_ns;
	bool judged, ends;
};

struct life { /* of the monitor */
	bool began, missing, had_hello;
	int64_t last_ns;   /* any record */
	int64_t listen_ns; /* first record since the guest runs */
	uint8_t boot_id[16];
	uint64_t hooks;
	int64_t blind_until_ns; /* it said that it lost records */
	/* its clock, against itself and against ours */
	bool clock_known;
	int64_t offset_ns, boot_base_ns, boot_best_ns;
	uint32_t beats;
	/* totals of the stream */
	uint64_t damage;
};

struct guest {
	char name[EVENT_NAME];
	bool sensor, shell, syslog;
	bool runs;
	int64_t runs_ns, shutdown_until_ns;
	struct life life;
	uint32_t sshd, rsyslogd; /* pids of the daemons; 0: not known */
	int64_t rsyslogd_exec_ns, rsyslogd_signal_ns;
	bool syslog_stopped, link_down, disk_full;
	int64_t link_up_ns; /* last time it came up again */
	bool login_lines;   /* logins have been seen to make lines */
	int64_t login_line_ns, login_due_ns;
	uint64_t login_visit;
	int64_t history_ns;
	uint64_t history_visit;
	int64_t second_ns; /* how many programs began in this second: a flood is not judged */
	uint32_t execs;
	uint32_t tick;
	struct proc procs[PROC_SETS][WAYS];
	struct visit visits[VISIT_SETS][WAYS];
	struct expect expects[EXPECTS];
	struct wire wires[WIRES];
	uint64_t habits[HABITS]; /* lines that daemons' shells run over and over */
	uint32_t habit;
	struct held held[HELD];
	struct allowance allowances[RULES];
};

struct crosscheck {
	void (*emit)(void *ctx, const struct event *e);
	void *ctx;
	int64_t ticked_ns;
	uint32_t n_guests;
	struct guest *guests; /* owned */
};

/* The entry, or NULL. */
struct proc *proc_find(struct guest *g, uint32_t pid);
struct visit *visit_known(struct guest *g, uint64_t visit);
struct visit *visit_by_peer(struct guest *g, const struct addr *peer, uint16_t port);
/* The entry, a new one if need be; the one that was not used for longest gives way. */
struct proc *proc_get(struct guest *g, uint32_t pid);
struct visit *visit_get(struct guest *g, uint64_t visit);
void proc_forget(struct proc *p);
/* Free if there is one, or NULL. */
struct expect *expect_new(struct guest *g);
bool expect_has(const struct guest *g, enum expect_kind kind, uint32_t pid);

/* A boot ends: what was to come from it will not. What was found stays to be told. */
void guest_anew(struct guest *g);

/* ---- who looks ---------------------------------------------------------------------------------------- */

/* life.c: is the monitor there, is it whole? */
void life_record(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		 int64_t now_ns);
void life_tick(struct crosscheck *c, struct guest *g, int64_t now_ns);
/* state.c: what it says of signals, daemons, network, disk, clock, watched files. */
void state_record(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		  uint64_t session, int64_t now_ns);
/* A visitor keeps himself out of the history; told once if two layers say so. */
void history_found(struct crosscheck *c, struct guest *g, uint64_t visit, uint64_t session,
		   const char *line, size_t len, int64_t now_ns);
/* compare.c: shell against monitor. */
void compare_record(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		    uint64_t session, int64_t now_ns);
void compare_line(struct guest *g, uint32_t pid, uint32_t ppid, const char *line, size_t len,
		  int64_t now_ns);
void compare_tick(struct crosscheck *c, struct guest *g, int64_t now_ns);
/* wire.c: wire against monitor; syslog against monitor. */
void wire_tally(struct guest *g, const struct crosscheck_wire *w, int64_t now_ns);
void wire_tick(struct crosscheck *c, struct guest *g, int64_t now_ns);
/* history.c: does a command line keep itself out of the history? */
bool history_line(const char *line, size_t len);
/* The same for a program's arguments, zero bytes between. */
bool history_argv(const char *argv, size_t len);
/* shellish.c: what an exec's path and arguments say about it. */
struct shellish {
	bool shell;   /* a shell by its name */
	bool system;  /* ... that lies where the system's programs do */
	bool command; /* it was given a command that is not blank */
	bool script;  /* it was given a file to run, or nothing at all to do */
};
struct shellish shellish_of(const struct sensor_text *path, const struct sensor_text *argv,
			    bool memfd);
/* Does the program lie where programs of the system do? */
bool path_is_system(const struct sensor_text *path);

#endif
