/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one record per visit, whatever heard it: the guest's monitor, its modified shell by syslog, the
 * wire for what is said in clear text. Keeps asciicast v2, what was typed and run, credentials, files by
 * SHA-256, and lines for tools written for Cowrie. Writes below one folder (collector's); cmd reads it.
 *
 *   sessions/YYYY-MM-DD/ID.cast       asciicast v2 (only if something was shown or typed)
 *   sessions/YYYY-MM-DD/ID.json       the record (docs/session-schema.json), written anew when it grew
 *   sessions/YYYY-MM-DD/list.jsonl    a line per visit that ended without output or command (scans, guesses)
 *   sessions/YYYY-MM-DD/cowrie.json   events as Cowrie's JSON output has them
 *   files/XX/SHA256                   content, mode 0400; files/index.jsonl: first sight of each
 *   log/GUEST/YYYY-MM-DD.log          syslog's (module syslog)
 */
#ifndef SKEP_SESSION_H
#define SKEP_SESSION_H

#include "conf/conf.h"
#include "event/event.h"
#include "sensor/sensor.h"
#include "syslog/syslog.h"

#define SESSION_ID_TEXT 16 /* "1kd3f8…": 11 digits of base 32, so that names sort by time */

/* ---- writing: collector ------------------------------------------------------------------------ */

struct session_guest {
	char name[EVENT_NAME];
	struct addr inside, inside6;
};
struct session_book_conf {
	struct conf_sessions conf; /* disk_bytes: for sessions alone, without syslog's lines */
	char sensor[CONF_NAME];    /* name of this installation's sensor */
	int dir;                   /* the folder, borrowed */
	uint32_t n_guests;
	struct session_guest guests[CONF_GUESTS];
	void (*emit)(void *ctx, const struct event *e);
	void *ctx;
};
struct session_book;
/* Takes all its memory, and makes what folders are missing. The caller closes it. */
MUST_USE int session_book_open(const struct session_book_conf *conf, struct session_book **ret);
/* Every open session ends, as "stopped". */
void session_book_close(struct session_book **b);
/* Writes out, ends what is over, keeps the budgets (*ret_days removed); about four times a second. */
MUST_USE int session_book_tick(struct session_book *b, int64_t now_wall_ns, uint32_t *ret_days);

/* A record of the guest's monitor. Returns the session it belongs to; 0: none. */
uint64_t session_record(struct session_book *b, uint32_t guest, const struct sensor_record *r,
			int64_t now_wall_ns);
/* The guest's machine ended: its sessions end. */
void session_guest_gone(struct session_book *b, uint32_t guest, int64_t now_wall_ns);
/* Its monitor says that it started anew: what only the guest told of ends. A conversation that the wire still hears
 * goes on, whatever a guest says; it has no visit any more. */
void session_monitor_anew(struct session_book *b, uint32_t guest, int64_t now_wall_ns);
/* A syslog line. Is it the modified shell's (docs/INSIDE.md)? Then *ret says what was typed. */
struct session_shell {
	uint32_t pid, ppid, uid, seq;
	bool end; /* tells how that command ended: status; else its beginning: line */
	int32_t status;
	char user[32], tty[16], cwd[256];
	char line[SYSLOG_LINE];
	uint32_t line_len;
	bool cut;
};
bool session_shell_parse(const struct syslog_line *l, struct session_shell *ret);
/* Is it the rest of a line that was cut? It is kept with the syslog lines, and is no command of its own. */
bool session_shell_rest(const struct syslog_line *l);
uint64_t session_syslog(struct session_book *b, uint32_t guest, const struct syslog_line *l,
			const struct session_shell *shell, int64_t now_wall_ns);

/* A rule hit at the wall, an event of kind EVENT_ALERT: a marker in the session that it is of. 0: none known. */
uint64_t session_alert(struct session_book *b, uint32_t guest, const struct event *e);

/* ---- the same for what is heard on the wire (module talk) -------------------------------------- */

struct session_open {
	uint32_t guest;
	uint64_t flow_id;
	char service[16];           /* "telnet", "ftp", "smtp", "shell" ... */
	uint8_t direction;          /* enum event_direction */
	struct addr client, server; /* as the guest's side sees them */
	uint16_t client_port, server_port;
	int64_t start_ns;
};
/* 0: no room, or off. */
uint64_t session_begin(struct session_book *b, const struct session_open *o);
void session_output(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns);
void session_input(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns);
void session_size(struct session_book *b, uint64_t id, uint16_t cols, uint16_t rows, int64_t ns);
void session_command(struct session_book *b, uint64_t id, const char *line, size_t len, int64_t ns);
void session_login(struct session_book *b, uint64_t id, const char *user, size_t user_len,
		   const char *secret, size_t secret_len, int ok /* -1: not known */, int64_t ns);
/* What the client says it is ("SSH-2.0-Go"), as the protocol has it. */
void session_client(struct session_book *b, uint64_t id, const char *version, size_t len,
		    int64_t ns);
void session_mark(struct session_book *b, uint64_t id, const char *label, int64_t ns);
void session_end(struct session_book *b, uint64_t id, const char *why, int64_t ns);
/* A file: begun, pieces in order, ended (complete or cut). 0: not kept. how: "fetched", "uploaded", "written". */
struct session_file_open {
	uint64_t session; /* 0: none */
	uint32_t guest;
	const char *how, *name, *source; /* name and source are foreign text */
	uint64_t size;                   /* 0: not known */
};
uint64_t session_file_begin(struct session_book *b, const struct session_file_open *o, int64_t ns);
void session_file_data(struct session_book *b, uint64_t file, const void *data, size_t len);
void session_file_end(struct session_book *b, uint64_t file, bool complete, int64_t ns);

/* ---- reading: cmd ------------------------------------------------------------------------------------ */

struct session_row { /* what a list shows; texts are foreign bytes */
	uint64_t id;
	int64_t start_ns, end_ns; /* end 0: still open */
	char guest[EVENT_NAME], service[16],
		heard[48]; /* heard: by which layers: "monitor shell" */
	struct addr peer;
	uint16_t peer_port, server_port;
	char user[64], secret[64];
	uint32_t logins_failed, logins_ok, commands, files, alerts;
	uint64_t input, output, incident, flow_id; /* bytes; 0: none, not known */
	bool has_cast;
};
typedef bool session_row_fn(void *ctx, const struct session_row *r);
/* Sessions that began between the times, oldest first; stops when fn says false. */
MUST_USE int session_list(const char *dir, int64_t from_ns, int64_t to_ns, session_row_fn *fn,
			  void *ctx);
/* By id or the beginning of one that is unique. SKEP_ENOTFOUND; -EEXIST: several begin so. Paths may be
 * NULL; "" where there is no such file. */
MUST_USE int session_find(const char *dir, const char *id, struct session_row *ret, char *cast,
			  char *json, size_t size);
const char *session_id_text(uint64_t id, char buf[SESSION_ID_TEXT]);
MUST_USE int session_id_parse(const char *s, uint64_t *ret);

struct session_file_row {
	char sha256[65], type[48], name[128], how[16], guest[EVENT_NAME];
	uint64_t size, session;
	int64_t first_ns;
	uint32_t times; /* seen */
	bool kept;      /* its content is still there */
};
typedef bool session_file_fn(void *ctx, const struct session_file_row *r);
/* Every content that was ever seen, the first seen first; stops when fn says false. */
MUST_USE int session_files(const char *dir, session_file_fn *fn, void *ctx);

#endif
