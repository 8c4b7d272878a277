/* SPDX-License-Identifier: BSD-2-Clause */
/* The bodies of events about what happens inside guests, by collector. A part of event.h. */
#ifndef SKEP_EVENT_INSIDE_H
#define SKEP_EVENT_INSIDE_H

#include "event/bodies.h"

#define EVENT_USER 64
#define EVENT_PLACE 192 /* paths, cut */
#define EVENT_SHA256 65

/* Whose visit. hub finds flow and incident by the conversation. */
struct event_visit {
	char guest[EVENT_NAME];
	uint64_t session; /* 0: none (a daemon, cron) */
	struct addr peer,
		server; /* the visitor, and where he came in, as the guest sees them; ver 0: none */
	uint16_t peer_port, server_port;
	uint8_t proto, pad[3];
};

struct event_session {
	struct event_visit visit;
	char state[EVENT_NAME];   /* "begin", "update", "end" */
	char service[EVENT_NAME]; /* "ssh", "telnet" ... */
	char heard[48]; /* layers: "monitor", "shell", "wire", "syslog", with blanks between */
	char user[EVENT_USER];
	int64_t start_ns;
	uint64_t input, output; /* bytes */
	uint32_t commands, files, logins_ok, logins_failed;
	char why[EVENT_NAME]; /* end: "closed", "stopped", "guest", "limit" */
};

struct event_command {
	struct event_visit visit;
	char layer[EVENT_NAME]; /* who heard it: "shell", "monitor", "wire" */
	char user[EVENT_USER], tty[16], cwd[EVENT_PLACE], exe[EVENT_PLACE];
	uint32_t pid, ppid, uid;
	int32_t status; /* wait status; -1: not known (yet) */
	uint8_t cut, pad[1];
	uint16_t line_len;
	char line[EVENT_EXCERPT]; /* foreign bytes */
};

struct event_login {
	struct event_visit visit;
	char service[EVENT_NAME], method[EVENT_NAME];
	char user[EVENT_USER], secret[EVENT_USER];
	int8_t ok; /* 1, 0; -1: not known */
	uint8_t pad[7];
};

struct event_syslog {
	char guest[EVENT_NAME];
	uint8_t facility, severity, cut, pad;
	uint16_t line_len;
	char app[EVENT_USER], host[EVENT_USER]; /* as claimed */
	char line[EVENT_EXCERPT];
};

struct event_file {
	struct event_visit visit;
	char what[EVENT_NAME]; /* "fetched", "uploaded", "written", "deleted", "renamed" */
	char path[EVENT_PLACE], to[EVENT_PLACE], type[48];
	char sha256[EVENT_SHA256]; /* empty: content not kept */
	uint8_t known;             /* 1: not its first sight */
	uint8_t pad[6];
	uint64_t size;
};

struct event_activity {
	struct event_visit visit;
	char what[EVENT_NAME];    /* "connect", "privilege", "module", "bpf", "signal" */
	char detail[EVENT_PLACE]; /* foreign bytes */
	char comm[16];
	uint32_t pid, uid;
	struct addr addr; /* connect: to where */
	uint16_t port;
	uint8_t proto, pad[5];
};

/* EVENT_SILENCE: a layer says nothing that should. EVENT_MISMATCH: two layers say different things. */
struct event_silence {
	struct event_visit visit;
	char layer[EVENT_NAME]; /* "monitor", "shell", "syslog", "wire", "loghost" */
	char what
		[EVENT_NAME]; /* "stopped", "killed", "unhooked", "gap", "network", "disk", "clock",
				   "replaced", "history", "missing", "altered", "back" */
	char other[EVENT_NAME]; /* mismatch: the layer that did see it */
	uint64_t count;
	char detail[EVENT_PLACE];
};

#endif
