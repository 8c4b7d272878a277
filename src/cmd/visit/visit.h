/* SPDX-License-Identifier: BSD-2-Clause */
/* What `skep sessions`, `skep replay` and `skep files` share. */
#ifndef SKEP_CMD_VISIT_H
#define SKEP_CMD_VISIT_H

#include "cmd/cmd.h"
#include "session/session.h"

#define VISIT_DIR (CONF_PATH + 16)
#define VISIT_PATH (VISIT_DIR + 128)

struct visit_files { /* of one session; "" where there is none */
	char cast[VISIT_PATH], json[VISIT_PATH];
};
/* Reads the configuration (path NULL: as cmd_conf) and names the folder of its sessions. 0, or an exit code. */
MUST_USE int visit_dir(const char *conf_path, struct conf *conf, char dir[VISIT_DIR]);
/* The session that begins so. 0, or an exit code after saying why. */
MUST_USE int visit_look_up(const char *dir, const char *id, struct session_row *ret,
			   struct visit_files *ret_files);
/* Says that a folder or file can't be read; returns the exit code. */
int visit_unreadable(const char *path, int err);
/* "2026-11-23 20:01:02", UTC. */
const char *visit_time(int64_t ns, char buf[EVENT_TIME]);
/* Foreign text, harmless, in at least so many columns. */
void visit_print(const char *text, int columns);
/* A file, whole, terminated; at most 64 MiB. The caller frees it. */
MUST_USE int visit_read(const char *path, char **ret, size_t *ret_len);

/* Plays a session here: with keys on a terminal, else all at once. 0, or an exit code. */
int visit_play(const char *dir, const struct session_row *row, double speed);

/* The words after `skep sessions`. */
int visit_list(int argc, char **argv);
int visit_show(int argc, char **argv);
int visit_export(int argc, char **argv);

#endif
