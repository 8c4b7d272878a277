/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * monitor: the process in a guest that loads the programs, and tells the host what they see. One thread,
 * one loop (main.c); nothing in it waits for the host. Kernel's side: *.bpf.c.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "base/base.h" /* macros only: linked statically, without any library of ours */
#include "monitor/shared.h"

#include <stdio.h>

#define MONITOR_FILES 48

/* ---- ship.c: records to the host ------------------------------------------------------------------- */

#define SHIP_SIZE (256u << 10)
#define SHIP_KEPT (16u << 10) /* of it, for what must not be lost to a flood */

struct ship_bucket {
	uint64_t level; /* in 1/1000 of a record or byte */
	uint64_t then_ns;
};
struct ship {
	int fd;      /* of the port; -1: not there (yet) */
	FILE *print; /* instead: text */
	uint64_t seq, told, lost_all;
	uint64_t lost[SENSOR_TYPES], lost_bytes; /* since they were last told */
	struct ship_bucket buckets[SENSOR_TYPES];
	uint32_t at, len; /* what waits lies in buf from at to len */
	uint8_t buf[SHIP_SIZE];
};
/* Takes a record, or counts it as lost: too many of its kind, or the host is slow. boot_ns 0: now. false: lost. */
bool ship_put(struct ship *s, uint16_t type, uint64_t boot_ns, const void *payload, size_t len);
/* Counts n records as lost by others (the ring), bytes of them data. */
void ship_lost(struct ship *s, uint16_t type, uint64_t n, uint64_t bytes);
/* Puts a SENSOR_LOST if something was. */
void ship_tell_lost(struct ship *s);
/* Writes what waits, as far as that goes without waiting. Opens the port if need be. */
void ship_flush(struct ship *s);
/* Bytes that wait: who sends in bulk (content.c) does so only while few do. */
uint32_t ship_waiting(const struct ship *s);
/* A text (u16 length, bytes) at at, cut to what is left up to end; returns the place behind it. */
uint8_t *ship_text(uint8_t *at, const uint8_t *end, const void *text, size_t len);
uint64_t boot_now(void);
int64_t wall_now(void);

/* ---- hooks.c: the programs --------------------------------------------------------------------------- */

#define HOOK_PROGRAMS 64
#define HOOKS_PATH 64
struct bpf_object;
struct bpf_link;
struct ring_buffer;
struct hooks {
	struct bpf_object *object;
	struct ring_buffer *ring;
	struct monitor_shared *shared;
	struct {
		struct bpf_link *link;
		const char *program;
		uint32_t id; /* of the link, as it was */
		enum sensor_hook hook;
	} links[HOOK_PROGRAMS];
	uint32_t n_links;
	uint64_t attached;             /* bit per hook */
	char pins[HOOKS_PATH];         /* folder with the names that outlive us; empty: none */
	bool debug;                    /* libbpf and the verifier write to stderr */
	char logs[HOOK_PROGRAMS][512]; /* of the verifier: not empty where it refused */
};
typedef int (*hooks_take)(void *context, void *record, size_t size);
/* Loads and attaches what this kernel can; take is called by ring_buffer__consume. -ENOTSUP: no BTF. */
MUST_USE int hooks_open(struct hooks *h, hooks_take take, void *context);
/* A map of the programs by name; -1: there is none. */
int hooks_map(const struct hooks *h, const char *name);
/* Hooks that are still there. */
uint64_t hooks_check(struct hooks *h);
/* Does things that hooks must notice (begins a program, ends it ...): hooks that did. Takes 1 ms or so. */
uint64_t hooks_prove(struct hooks *h);

/* ---- pins.c: what outlives the process ---------------------------------------------------------------- */

/* Sets h->pins, made by the programs' own hash, and takes away those of other versions. */
void pins_open(struct hooks *h, const void *programs, size_t size);
/* Takes away all but the version named but (NULL: all). */
void pins_remove(const char *but);
/* The object's maps will be those with names, or get names. */
void pins_maps(struct hooks *h);
/* Gives all links names. */
void pins_links(struct hooks *h);
/* Were these all that there are? */
bool pins_whole(const struct hooks *h, uint32_t n);
struct bpf_link *pins_link(const struct hooks *h, const char *program);
int pins_map(const struct hooks *h, const char *name);

/* ---- watch.c: states ------------------------------------------------------------------------------- */

struct watched_file {
	char path[128];
	uint64_t dev, inode, ctime_ns, size;
	bool there;
};
struct watch {
	struct ship *ship;
	int links, clock;  /* descriptors to poll */
	int64_t clock_off; /* wall clock minus raw clock */
	uint64_t up;       /* bit per link */
	bool disk_full;
	struct watched_file files[MONITOR_FILES];
	uint32_t n_files;
};
MUST_USE int watch_open(struct watch *w, struct ship *ship);
void watch_files(struct watch *w);
void watch_links(struct watch *w);
void watch_clock(struct watch *w);
/* Permille of / in use; tells when it fills up, and when there is room again. */
uint32_t watch_disk(struct watch *w);

/* ---- print.c --------------------------------------------------------------------------------------- */

/* One line of text for a record; foreign bytes escaped. */
void print_record(FILE *out, const struct sensor_head *h, const uint8_t *payload);

/* ---- main.c ---------------------------------------------------------------------------------------- */

struct monitor {
	struct ship ship;
	struct hooks hooks;
	struct watch watch;
	enum sensor_mode mode;
	uint64_t alive;  /* hooks that have been seen alive */
	uint64_t proved; /* by the last hooks_prove */
	uint64_t cpu_us;
	uint32_t beats, taken; /* taken: records in this round */
	bool more;             /* something that goes on by itself is not through */
	struct monitor_quiet *quiet;
	struct monitor_audit *audit;
	int audit_fd; /* -1: not by audit */
	struct monitor_data *data;
	struct monitor_logins *logins;
	struct monitor_content *content;
};

/* What is done with records of a type on their way from the ring to the host. payload may be changed. */
struct monitor_handler {
	uint16_t type;
	void (*take)(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len);
};

/* ---- life.c: handlers for life.bpf.c ----------------------------------------------------------------- */

/* Daemons that begin the same program over and over are told once in a while. */
void life_exec(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len);
void life_exit(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len);

/* ---- audit.c: without programs ------------------------------------------------------------------------- */

/* Asks the kernel to tell of each program that is begun, to m->audit_fd. */
MUST_USE int audit_open(struct monitor *m);
/* Reads what it told, without waiting. */
void audit_read(struct monitor *m);

/* ---- data.c, login.c, content.c: handlers for io.bpf.c and file.bpf.c --------------------------------- */

void data_take(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len);
/* Tells what still waits for more of its kind: before any other record, and at the end of a round. */
void data_flush(struct monitor *m);
void login_take(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len);
void file_take(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len);
/* Takes the file of a program that has no name. */
void content_exec(struct monitor *m, const struct sensor_exec *e);
/* Sends on; true: there is more. */
bool content_tick(struct monitor *m, uint64_t now_ns);

#endif
