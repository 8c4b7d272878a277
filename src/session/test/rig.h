/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: a book in a folder of its own, records as a guest's monitor sends them, and what is on disk. */
#ifndef SKEP_SESSION_TEST_RIG_H
#define SKEP_SESSION_TEST_RIG_H

#include "session/session.h"

#define RIG_START (INT64_C(1795860000) * NS_PER_SEC) /* 2026-11-28 */

struct rig {
	char dir[64];
	int fd;
	struct session_book_conf conf;
	struct session_book *book;
	int64_t now;
	uint64_t boot_ns;
	/* events, counted; the last of each kind */
	uint32_t n_events, by_kind[EVENT_KINDS];
	uint32_t invalid;
	struct event last[EVENT_KINDS];
};

/* Makes the folder; guests named "web", "db" ... */
void rig_open(struct rig *r, uint32_t guests);
/* Another book in the same folder. */
void rig_again(struct rig *r);
void rig_close(struct rig *r);
void rig_remove(struct rig *r);
/* Lets time pass, a tick every 250 ms. Returns the last tick's result. */
int rig_wait(struct rig *r, int64_t ns);

uint64_t rig_visit(struct rig *r, uint64_t visit, const char *peer, uint16_t port,
		   uint16_t local_port);
void rig_visit_end(struct rig *r, uint64_t visit);
/* argv: words, NULL at the end; its file is /bin/x. */
void rig_exec(struct rig *r, uint64_t visit, uint32_t pid, uint32_t ppid, int tty,
	      const char *const *argv);
void rig_run(struct rig *r, uint64_t visit, uint32_t pid, uint32_t ppid, int tty, const char *exe,
	     const char *const *argv);
void rig_connect(struct rig *r, uint64_t visit, uint32_t pid, const char *to, uint16_t port);
void rig_exit(struct rig *r, uint64_t visit, uint32_t pid, int status);
void rig_data(struct rig *r, uint64_t visit, int tty, enum sensor_stream stream, bool echo,
	      const void *data, size_t len);
void rig_size(struct rig *r, uint64_t visit, int tty, uint16_t cols, uint16_t rows);
void rig_login(struct rig *r, uint64_t visit, const char *user, const char *secret, bool ok);
void rig_content(struct rig *r, uint64_t visit, uint32_t pid, uint64_t file, const char *path,
		 const void *data, size_t len);
/* A line as the modified shell sends it. */
uint64_t rig_shell(struct rig *r, const char *text);

/* A file below the folder, terminated; "" if there is none. The caller frees it. */
char *rig_read(struct rig *r, const char *path);
/* The path of the day's file, of a buffer that the next call overwrites. */
const char *rig_day(struct rig *r, const char *name);
uint64_t rig_bytes(struct rig *r);
/* Walks all files: how many have bytes that no terminal should see. */
uint32_t rig_dirty(struct rig *r);

#endif
