/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of syslog.h: the host's copy held against the loghost's own files. Pure: lines go in, differences come
 * out. Two lines are the same if rsyslog would have written the host's copy as the loghost's file has it, and they
 * came at about the same time; how often a text occurs counts. Hostile input, bounded memory.
 */
#ifndef SKEP_SYSLOG_COMPARE_H
#define SKEP_SYSLOG_COMPARE_H

#include "syslog/syslog.h"

enum syslog_difference_kind {
	SYSLOG_ONLY_HOST,    /* the loghost has it no more, or never had */
	SYSLOG_ONLY_LOGHOST, /* nobody sent it */
	SYSLOG_ALTERED,      /* one of each, near in time and alike */
	SYSLOG_MOVED         /* the same text at another time */
};
struct syslog_difference {
	enum syslog_difference_kind kind;
	int64_t host_ns, loghost_ns; /* 0: not there */
	/* As rsyslog writes it; foreign bytes. Borrowed. */
	const char *host, *loghost;
	uint32_t host_len, loghost_len;
};
struct syslog_compare_result {
	uint64_t host, loghost, same; /* lines of the time asked for */
	uint64_t differences;
	uint64_t in_flight; /* too new to be missed */
	uint64_t lost;      /* that the host's copy says are missing in it */
	uint64_t bad;       /* lines of the loghost's files that rsyslog never wrote */
	int64_t clock_ns;   /* by how much the loghost's clock is ahead */
};

struct syslog_compare;
MUST_USE int syslog_compare_create(size_t memory_bytes, struct syslog_compare **ret);
void syslog_compare_free(struct syslog_compare **c);
/* SKEP_EFULL: more than memory_bytes. */
MUST_USE int syslog_compare_host(struct syslog_compare *c, const struct syslog_kept *k);
/* A line of the loghost's file without its newline (docs/LOG.md). */
MUST_USE int syslog_compare_loghost(struct syslog_compare *c, const char *line, size_t len);
/* Differences of lines from from_ns to to_ns, in order of time; lines since settled_ns are in flight. Lines of
 * both sides from some minutes around these times must have been given. Once. */
typedef void syslog_difference_fn(void *ctx, const struct syslog_difference *d);
MUST_USE int syslog_compare_run(struct syslog_compare *c, int64_t from_ns, int64_t to_ns,
				int64_t settled_ns, syslog_difference_fn *fn, void *ctx,
				struct syslog_compare_result *ret);

/* A message as the loghost's rsyslog writes it (images/loghost): control and eight-bit bytes as #NNN (octal), a
 * zero byte or newline at its end left out. Terminated; returns its length, at most size - 1. */
size_t syslog_as_rsyslog(const char *raw, size_t len, char *ret, size_t size);

#endif
