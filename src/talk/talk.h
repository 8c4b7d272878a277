/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * talk: what is said in clear text on the wire, as sessions: telnet, FTP, SMTP, POP3, IMAP, HTTP logins, shells
 * on any port, files by FTP and HTTP; and syslog messages on their way to the loghost. Takes the wall's copies
 * of frames, puts streams in order (inspect, without rules), reads a few protocols, hands on to session.
 * Hostile input; all memory from one slab. Used by collector.
 */
#ifndef SKEP_TALK_H
#define SKEP_TALK_H

#include "capture/capture.h"
#include "session/session.h"

struct talk_conf {
	struct session_book *book; /* borrowed */
	bool sessions;             /* else syslog only */
	size_t memory_bytes;       /* 0: 64 MiB */
	/* A whole syslog message that guest sent. */
	void (*syslog)(void *ctx, uint32_t guest, uint64_t flow_id, const char *data, size_t len,
		       bool cut);
	void *ctx;
};
struct talk;
MUST_USE int talk_create(const struct talk_conf *conf, struct talk **ret);
void talk_free(struct talk **t);
/* One copy of kind COPY_FRAME_WHOLE; guest: index of the guest (its port less one). */
void talk_frame(struct talk *t, const struct copy_head *h, const void *frame);
/* Time-outs; about ten times a second. */
void talk_tick(struct talk *t, int64_t now_wall_ns);

struct talk_stats {
	uint64_t frames, flows, sessions, syslog, files, refused;
};
/* Counters so far; refused: for want of memory or room. */
void talk_read_stats(const struct talk *t, struct talk_stats *ret);

#endif
