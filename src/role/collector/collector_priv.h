/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collector's own parts: collector.c its life and loop; serial.c what the guests' monitors send; copies.c what the
 * wall copied; tell.c events, their budgets, and what was lost.
 */
#ifndef SKEP_COLLECTOR_PRIV_H
#define SKEP_COLLECTOR_PRIV_H

#include "crosscheck/crosscheck.h"
#include "role/role.h"
#include "sensor/sensor.h"
#include "session/session.h"
#include "syslog/syslog.h"
#include "talk/talk.h"

/* So many at once, then this much a second. */
struct budget {
	double left, most, per_s;
	int64_t ns; /* boot clock, when it was last looked at */
};

struct feed { /* one guest */
	char name[EVENT_NAME];
	struct addr inside, inside6;
	bool honeypot, runs;
	int fd;                                  /* its monitor's serial port; -1: none */
	struct budget read;                      /* bytes of it */
	struct budget lines, facts;              /* events: of syslog; of what visitors do */
	uint64_t lines_held, facts_held;         /* beyond them, not yet told */
	int64_t monitor_ns, shell_ns, syslog_ns; /* boot clock: last heard */
	uint64_t junk_told, gaps_told;
	struct sensor_parser parser;
};

struct collector {
	int events, folder, log_folder;
	uint64_t events_lost;
	uint32_t n_guests;
	struct feed *guests;
	struct session_book *book;
	struct crosscheck *check;
	struct talk *talk;
	struct syslog_store *store;
	const struct copy_ring *rings[2]; /* by enum judge_copy_to */
	uint64_t cursors[2], copies_lost;
	uint64_t foreign; /* copies that speak of no guest */
	uint32_t days;    /* removed to keep the budgets, not yet told */
	int store_error;
	uint8_t *frame; /* COPY_FRAME bytes */
	int64_t ticked_ns, told_ns, heard_ns, stored_ns;
	bool stop, orphan;
};

/* serial.c */
/* Takes what came by the guest's serial port, a bounded part of it. True: there is more, and it may be read now. */
bool serial_read(struct collector *c, uint32_t guest, int64_t now_ns);
/* May it be read at all now? */
bool serial_ready(struct feed *f, int64_t now_ns);
/* Its machine started (fd: its port, now ours; -1: none) or ended. */
void serial_change(struct collector *c, uint32_t guest, bool runs, int fd, int64_t now_ns);

/* copies.c */
/* Takes a bounded part of what the wall copied. True: there is more. */
bool copies_read(struct collector *c);
/* A syslog message on the wire; talk's callback. */
void copies_syslog(void *ctx, uint32_t guest, uint64_t flow_id, const char *data, size_t len,
		   bool cut);

/* tell.c */
void budget_set(struct budget *b, double most, double per_s, int64_t now_ns);
/* Takes n of it; false, and nothing taken: there is not so much. */
bool budget_take(struct budget *b, double n, int64_t now_ns);
/* Events of session and crosscheck; their callback. */
void tell_event(void *ctx, const struct event *e);
/* What was lost and held back, every now and then. */
void tell_losses(struct collector *c, int64_t now_ns, bool all);

#endif
