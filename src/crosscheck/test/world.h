/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest that is played: facts of its layers, a clock that goes when it is told, the findings. */
#ifndef SKEP_CROSSCHECK_WORLD_H
#define SKEP_CROSSCHECK_WORLD_H

#include "crosscheck/crosscheck.h"

#define FOUND 256u
#define VISITOR_PORT 40000u

struct world {
	struct crosscheck *c;
	struct sensor_parser *stream;
	int64_t now_ns, booted_ns; /* the guest's time is ours, unless guest_ns was set */
	int64_t set_ns;            /* what the guest's clock was set by */
	bool beats;
	int64_t beat_ns;
	uint64_t hooks;
	uint32_t n;
	struct event found[FOUND];
};

int world_setup(void **state); /* guest 0 runs, its monitor said hello and beats */
int world_teardown(void **state);
/* Time goes on: ticks and beats. */
void world_run(struct world *w, double seconds);
/* One record; text may be NULL. */
void world_say(struct world *w, struct sensor_record *r);
void world_hello(struct world *w, bool first, uint8_t boot);
void world_visit(struct world *w, uint64_t visit);
/* argv: words with blanks between. */
void world_exec(struct world *w, uint64_t visit, uint32_t pid, uint32_t ppid, const char *path,
		const char *argv);
void world_data(struct world *w, uint64_t visit, uint32_t pid, enum sensor_stream stream,
		const char *text);
void world_state(struct world *w, enum sensor_state_what what, int64_t value, const char *text);
void world_signal(struct world *w, uint32_t from, const char *to, uint32_t sig);
void world_exit(struct world *w, uint32_t pid, const char *comm, int32_t status);
void world_line(struct world *w, uint32_t pid, uint32_t ppid, const char *line);
void world_wire(struct world *w, uint64_t flow, uint64_t bytes_in);
/* How many findings of that layer and kind of finding there are (NULL: any). */
uint32_t world_found(const struct world *w, const char *layer, const char *what);
/* Exactly one, of that kind; forgets it. */
struct event world_one(struct world *w, enum event_kind kind, const char *layer, const char *what);
/* None at all. */
void world_quiet(const struct world *w);

#endif
