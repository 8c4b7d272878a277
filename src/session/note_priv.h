/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session, inside: what happened, whoever heard it (note.c), and where that goes: JSON, events, records, Cowrie's
 * lines. A part of session_priv.h, which includes it.
 */
#ifndef SKEP_SESSION_NOTE_PRIV_H
#define SKEP_SESSION_NOTE_PRIV_H

#include "session/session_priv.h"

/* ---- id.c ---- */
#define ID_DIGITS 11
/* A number above last, by the time. */
uint64_t id_next(uint64_t last, int64_t now_wall_ns);

/* ---- json.c: text -> JSON string, quoted. Control characters (C1 too) never stay as they are. ---- */
enum json_how {
	JSON_BYTES, /* reversible, as in events: other bytes become \xNN, a backslash is doubled */
	JSON_REPLACE, /* what is no UTF-8 becomes U+FFFD */
	JSON_FEED,    /* ... and a zero byte, which some readers of JSON refuse */
	JSON_LABEL,   /* ... and any control character */
};
void json_text(struct writer *w, const void *data, size_t len, enum json_how how);
/* ,"key":"text" */
void json_member(struct writer *w, const char *key, const void *data, size_t len,
		 enum json_how how);
/* ,"key":N. Foreign numbers may be any: a reader that finds one too big refuses the whole. */
void json_count(struct writer *w, const char *key, uint64_t n);
/* ,"key":"TIME" */
void json_time(struct writer *w, const char *key, int64_t ns);
/* JSON_BYTES back into bytes, terminated and cut; returns the length. */
size_t json_unescape(const char *s, char *ret, size_t size);

/* ---- read.c ---- */
struct json_t;
/* A member that json_time wrote; 0: none. */
int64_t json_time_value(const struct json_t *o, const char *key);

/* ---- note.c: what happened in a session, whoever heard it ---- */
struct note {
	struct session *s; /* NULL: of no visit */
	uint32_t guest, pid, ppid, uid;
	int32_t tty;
	enum layer layer;
	int64_t ns;
	bool quiet; /* routine: priority 0, no marker */
	bool service; /* what the service does by itself before anybody is in: is not counted, either */
};
void note_data(struct session_book *b, const struct note *n, bool input, bool hidden,
	       const void *data, size_t len, uint64_t skipped);
struct note_command {
	struct bytes line, cwd, exe, user;
	uint32_t seq, of;
	uint32_t instead; /* the entry whose marker says the same; 0: none */
	bool cut, typed;
};
/* Returns the entry's reference, 0: none. */
uint32_t note_command(struct session_book *b, const struct note *n, const struct note_command *c);
void note_login(struct session_book *b, const struct note *n, struct bytes user,
		struct bytes secret, struct bytes method, int ok);
void note_activity(struct session_book *b, const struct note *n, const char *what,
		   struct bytes detail, struct bytes comm, const struct addr *addr, uint16_t port,
		   uint8_t proto);
struct note_file {
	const char *what; /* "written" ... */
	struct bytes path, to;
	uint64_t size;
	const char *type, *sha256, *url; /* "" or NULL: none */
	bool known, content;
};
void note_file(struct session_book *b, const struct note *n, const struct note_file *f);

/* ---- tell.c: events ---- */
void tell_visit(const struct session_book *b, const struct session *s, uint32_t guest,
		struct event_visit *ret);
void tell_session(struct session_book *b, struct session *s, const char *state, const char *why,
		  int64_t ns);
/* Emits e if the guest's budget has room, else counts. Priority 2 has a budget of its own. */
void tell(struct session_book *b, uint32_t guest, enum budget_kind kind, struct event *e);
void tell_suppressed(struct session_book *b, uint32_t guest, int64_t ns);
void text_of(char *dst, size_t size, struct bytes t);
struct bytes bytes_of(const char *s);
const char *heard_text(uint8_t heard, char buf[48]);

/* ---- record.c ---- */
/* ID.json, whole or not at all. */
MUST_USE int record_write(struct session_book *b, struct session *s, int64_t end_ns,
			  const char *why);
/* The line in list.jsonl. */
void record_list(struct session_book *b, struct session *s, int64_t end_ns, const char *why);
/* Records that no end was written to (we died): says so in them. */
void record_mend(struct session_book *b, int64_t now_ns);

/* ---- cowrie.c ---- */
void cowrie_connect(struct session_book *b, const struct session *s);
void cowrie_client(struct session_book *b, const struct session *s);
void cowrie_login(struct session_book *b, const struct session *s, struct bytes user,
		  struct bytes secret, bool ok, int64_t ns);
void cowrie_command(struct session_book *b, const struct session *s, struct bytes line, int64_t ns);
void cowrie_file(struct session_book *b, const struct session *s, const struct note_file *f,
		 int64_t ns);
void cowrie_size(struct session_book *b, const struct session *s, uint16_t cols, uint16_t rows,
		 int64_t ns);
void cowrie_closed(struct session_book *b, const struct session *s, int64_t ns);

/* ---- auth.c ---- */
/* A line of sshd's about a login. Returns the session; 0: it is none, or the monitor tells it better. */
uint64_t auth_line(struct session_book *b, uint32_t guest, const struct syslog_line *l, int64_t ns);

/* ---- shell.c ---- */
/* Lines that waited long enough, or whose process is known now. */
void shell_parked(struct session_book *b, int64_t now_ns);

#endif
