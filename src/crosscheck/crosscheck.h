/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crosscheck: what one layer saw and another didn't. Four layers tell of a guest: its modified shell (by
 * syslog), its monitor (by serial port), the syslog lines themselves, and the wire; each distrusts the one below.
 * Facts go in with their time (always the host's wall clock), findings come out. Pure: no I/O, no clock of its
 * own, bounded memory. Used by collector.
 */
#ifndef SKEP_CROSSCHECK_H
#define SKEP_CROSSCHECK_H

#include "event/event.h"
#include "sensor/sensor.h"

struct crosscheck_conf {
	uint32_t n_guests;
	struct {
		char name[EVENT_NAME];
		bool sensor; /* its image has a monitor */
		bool shell;  /* ... and the modified shell */
		bool syslog; /* it has a loghost to send to */
	} guests[32];
	/* Takes a finding: an event of kind EVENT_SILENCE or EVENT_MISMATCH. */
	void (*emit)(void *ctx, const struct event *e);
	void *ctx;
};
struct crosscheck;
MUST_USE int crosscheck_create(const struct crosscheck_conf *conf, struct crosscheck **ret);
void crosscheck_free(struct crosscheck **c);

/* Its QEMU runs, or not any more. While it doesn't nothing is missed. */
void crosscheck_guest(struct crosscheck *c, uint32_t guest, bool runs, int64_t now_ns);
/* Every record of the monitor. session: whose it is, 0: none. */
void crosscheck_record(struct crosscheck *c, uint32_t guest, const struct sensor_record *r,
		       uint64_t session, int64_t now_ns);
/* Its stream was damaged, or has a gap (totals of the parser). */
void crosscheck_stream(struct crosscheck *c, uint32_t guest, const struct sensor_parser *p,
		       int64_t now_ns);
/* A command line that the modified shell told by syslog: its beginning, not how it ended. */
void crosscheck_shell(struct crosscheck *c, uint32_t guest, uint32_t pid, uint32_t ppid,
		      const char *line, size_t len, int64_t now_ns);
/* Any other syslog line of the guest. */
void crosscheck_syslog(struct crosscheck *c, uint32_t guest, const char *app, int64_t now_ns);
/* Traffic of a conversation from outside (or lateral) to a shell service of the guest, once a second at most:
 * totals of payload bytes to the guest and from it. ends: it is over. */
struct crosscheck_wire {
	uint64_t flow_id;
	struct addr peer;
	uint16_t peer_port, port;
	uint64_t bytes_in, bytes_out;
	bool ends;
};
void crosscheck_wire(struct crosscheck *c, uint32_t guest, const struct crosscheck_wire *w,
		     int64_t now_ns);
/* About four times a second. */
void crosscheck_tick(struct crosscheck *c, int64_t now_ns);

#endif
