/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to crosscheck: findings, their budgets, how they become events (tell.c). */
#ifndef SKEP_CROSSCHECK_TELL_PRIV_H
#define SKEP_CROSSCHECK_TELL_PRIV_H

#include "crosscheck/crosscheck.h"

struct guest;

#define COUNT_MAX (UINT64_C(1) << 53) /* what a reader of JSON still takes exactly */

enum rule {
	RULE_MISSING,   /* no beat */
	RULE_RESTARTED, /* a second hello in one boot */
	RULE_GAP,       /* the stream is damaged */
	RULE_LOST,      /* the monitor says it could not tell */
	RULE_UNHOOKED,
	RULE_SIGNAL,  /* to the monitor, the syslog daemon or sshd */
	RULE_STOPPED, /* the syslog daemon ended */
	RULE_NETWORK,
	RULE_DISK,
	RULE_CLOCK,
	RULE_REPLACED,
	RULE_HISTORY,
	RULE_BACK,
	RULE_SHELL_ONLY,   /* the shell told of a process that the monitor never saw */
	RULE_MONITOR_ONLY, /* the monitor saw a shell that told nothing */
	RULE_WIRE_ONLY,    /* the wire carried what the monitor never saw */
	RULE_NO_LINE,      /* the monitor saw a login that syslog has no line of */
	RULES
};

struct finding {
	uint8_t rule, priority;
	uint16_t kind; /* EVENT_SILENCE, EVENT_MISMATCH */
	uint64_t session, flow_id, count;
	struct addr peer, server;
	uint16_t peer_port, server_port;
	const char *layer, *what, *other; /* literals */
	char detail[EVENT_PLACE];
	char text[EVENT_TEXT - 64]; /* the sentence, without the guest's name before it */
};

struct allowance { /* of one rule in one guest */
	uint32_t spent;
	int64_t since_ns;
	uint64_t held; /* happened, and not told yet */
	struct finding last;
};

#define HELD 8u
struct held { /* told when due, unless something explains it */
	bool used;
	int64_t due_ns;
	struct finding f;
};

/* Both may come from the guest: their sum, at most COUNT_MAX. */
uint64_t count_add(uint64_t a, uint64_t b);
/* A finding without a visit. what and the like must be literals. */
struct finding finding_of(enum rule rule, const char *layer, const char *what);
void finding_say(struct finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Foreign bytes as its detail, escaped. */
void finding_detail(struct finding *f, const void *data, size_t len);
void finding_visit(struct guest *g, struct finding *f, uint64_t visit, uint64_t session);
/* Tells it, or counts it if its rule was told often of late. */
void tell_finding(struct crosscheck *c, struct guest *g, const struct finding *f, int64_t now_ns);
/* Tells it later: after wait_ns, and not while the guest may be shutting down. */
void tell_later(struct crosscheck *c, struct guest *g, const struct finding *f, int64_t wait_ns,
		int64_t now_ns);
/* Something explains it. True if one was held. */
bool tell_cancel(struct guest *g, enum rule rule);
void tell_tick(struct crosscheck *c, struct guest *g, int64_t now_ns);

#endif
