/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syslog: lines as guests send them (RFC 3164 and RFC 5424; over TCP also RFC 6587's octet counting), parsed without
 * believing any of it; kept by guest and day; held against the loghost's own files. Used by collector, and
 * for reading by `skep log`.
 */
#ifndef SKEP_SYSLOG_H
#define SKEP_SYSLOG_H

#include "base/base.h"

#define SYSLOG_LINE 8192 /* longer ones are cut, and say so */
#define SYSLOG_WORD 64

struct syslog_line {
	uint8_t facility, severity; /* 1, 5 (user.notice) where none is given */
	bool has_time, rfc5424, cut;
	int64_t time_ns; /* as claimed, UTC, year guessed from now; valid with has_time */
	/* Claims, cut and terminated; may be empty. Foreign bytes. */
	char host[SYSLOG_WORD], app[SYSLOG_WORD], pid[SYSLOG_WORD], msgid[SYSLOG_WORD];
	const char *text; /* borrowed from the input */
	uint32_t len;
};
/* One message. Anything is a message: what is not understood is text. */
void syslog_parse(const void *data, size_t len, int64_t now_wall_ns, struct syslog_line *ret);

/* One TCP stream of messages: octet counted or ended by newline (or zero byte), as each message begins. */
struct syslog_framer { /* caller's, zeroed */
	char buf[SYSLOG_LINE];
	uint32_t len;
	uint64_t left; /* octet counting: bytes of this message to come; 0: by newline */
	bool counted, counting, line, cut;
};
/* Feeds bytes; calls fn for each whole message. A message longer than SYSLOG_LINE is cut. */
typedef void syslog_message_fn(void *ctx, const char *data, size_t len, bool cut);
void syslog_stream(struct syslog_framer *f, const void *data, size_t len, syslog_message_fn *fn,
		   void *ctx);
/* What is left at the stream's end; of a counted message that is not whole too, as cut. */
void syslog_stream_end(struct syslog_framer *f, syslog_message_fn *fn, void *ctx);

/* ---- kept by guest and day: DIR/GUEST/YYYY-MM-DD.log --------------------------------------- */

/* One line per message: "TIME FLOW FACILITY.SEVERITY ESCAPED" (docs/LOG.md): host's time of arrival, flow id,
 * and the message with every byte that is no printable ASCII as \xNN, backslash doubled. "# TIME lost N" stands
 * where some are missing. */
struct syslog_store;
MUST_USE int syslog_store_open(int dir_fd, uint64_t disk_bytes, uint32_t keep_days,
			       struct syslog_store **ret);
/* guest: a name of the configuration. -EDQUOT: the guest's share of the day (a quarter of the budget) is used up; any
 * other error: the disk does not take it. Either way this one line is lost, and the caller says so. */
MUST_USE int syslog_store_add(struct syslog_store *s, const char *guest, int64_t now_wall_ns,
			      uint64_t flow_id, const char *data, size_t len, bool cut);
/* Writes out; removes the oldest days beyond the budget (*ret_days of them). About every second. An error (a
 * full disk) means that lines wait in memory; the next call tries again. */
MUST_USE int syslog_store_tick(struct syslog_store *s, int64_t now_wall_ns, uint32_t *ret_days);
void syslog_store_close(struct syslog_store **s);
/* So many messages (or frames, if one can't tell) of the guest, NULL: of any, were lost before they came here: the
 * store says so, every few seconds. What it refused itself (-EDQUOT, SKEP_EFULL, a full disk) it counts already. */
void syslog_store_lost(struct syslog_store *s, const char *guest, uint64_t n);

/* What the writing side needs of a role's filter, beside syscalls_heap. */
struct syscall_row;
const struct syscall_row *syslog_syscalls(void);

/* Reading back (cmd): every kept line of a guest (NULL: all) between the times; stops when fn says false. */
struct syslog_kept {
	const char *guest;
	int64_t time_ns;
	uint64_t flow_id;
	uint8_t facility, severity;
	const char *raw; /* the message as it came, unescaped; len bytes */
	uint32_t len;
	bool cut;
	uint64_t lost; /* not 0: no message, but so many that are missing here */
};
typedef bool syslog_read_fn(void *ctx, const struct syslog_kept *k);
MUST_USE int syslog_store_read(const char *dir, const char *guest, int64_t from_ns, int64_t to_ns,
			       syslog_read_fn *fn, void *ctx);

/* "authpriv", "err" ... */
const char *syslog_facility_text(unsigned facility);
const char *syslog_severity_text(unsigned severity);

#endif
