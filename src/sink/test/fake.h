/* SPDX-License-Identifier: BSD-2-Clause */
/* A sink in memory: what it tells, asks and answers late is kept, time is the test's. */
#ifndef SKEP_SINK_FAKE_H
#define SKEP_SINK_FAKE_H

#include "sink/sink.h"

#define FAKE_EVENTS 2048

struct fake {
	struct arena arena;
	struct sink *sink;
	int64_t now;
	struct event *events; /* the latest FAKE_EVENTS */
	uint32_t n_events;
	uint8_t asked[SINK_ANSWER], replied[SINK_ANSWER];
	size_t n_asked, n_replied;
	uint32_t asks, readies;
	struct sink_session *ready;
};

/* Two guests, 10.99.0.10 "web1" and 10.99.0.11 "db1"; 16 connections of 8 KiB. */
struct fake *fake_new(bool upstream);
void fake_free(struct fake *f);
struct sink_ends fake_ends(unsigned guest, uint16_t cport);
struct sink_session *fake_open(struct fake *f, enum sink_service v, unsigned guest);
/* Feeds all of it (in pieces of at most piece bytes; 0: at once) and takes the output, terminated. */
void fake_say(struct fake *f, struct sink_session *t, const void *data, size_t len, size_t piece,
	      char *ret, size_t size);
/* The n-th latest event of that kind (0: the latest), or NULL. */
const struct event *fake_event(const struct fake *f, const char *what, uint32_t n);
/* A query for name (dotted); returns its length. */
size_t fake_query(const char *name, uint16_t type, uint8_t *out);

#endif
