/* SPDX-License-Identifier: BSD-2-Clause */
/* session, inside: what its files share. Included only in this folder. */
#ifndef SKEP_SESSION_PRIV_H
#define SKEP_SESSION_PRIV_H

#include "session/files_priv.h"
#include "session/lines_priv.h"
#include "session/session.h"

#define SLOTS 4096u /* open sessions of all guests; each guest has its share */
#define BLOCK_BYTES 4096u
#define BLOCKS 8192u    /* for what records list; each guest has its share */
#define BLOCKS_EACH 64u /* of one session */
#define CASTS_EACH 4u   /* terminals of one session that are recorded */
#define CAST_BUFS 256u
#define CAST_BUF 16384u
#define PIDS 4096u /* processes remembered of each guest */
#define PID_WAYS 4u
#define PARKED 64u /* shell lines that wait for their process to become known */

enum layer { LAYER_MONITOR, LAYER_SHELL, LAYER_WIRE, LAYERS };

/* ---- entry.c: what a record lists, in blocks of bounded number ---------------------------------- */

enum entry_kind {
	ENTRY_NONE,
	ENTRY_COMMAND,
	ENTRY_LOGIN,
	ENTRY_FILE,
	ENTRY_SECRET,
	ENTRY_ACTIVITY
};
#define ENTRY_TEXTS 4
struct entry {
	uint16_t size; /* all of it, a multiple of 8 */
	uint8_t kind, layer;
	uint8_t cut, flags, n_texts;
	int8_t ok;
	uint32_t n,
		of; /* its number in the session from 1; of: the typed line it belongs to, or 0 */
	int64_t time_ns;
	uint32_t pid, ppid, uid, seq;
	int32_t tty, status; /* tty -1: none; status: only with ENTRY_ENDED */
	uint64_t bytes;
	struct addr addr;
	uint16_t port, text_len[ENTRY_TEXTS];
	char text[]; /* the texts, one behind the other */
};
#define ENTRY_ENDED 1u
#define ENTRY_KNOWN 2u /* a file seen before */
#define ENTRY_MOST (BLOCK_BYTES - 16u)
struct bytes {
	const char *data;
	size_t len;
};
struct block {
	uint32_t next, used;
	uint8_t data[BLOCK_BYTES - 8];
};

/* ---- cast.c: asciicast v2 ------------------------------------------------------------------------ */

struct cast {
	int32_t tty; /* number of the pts; -1: pipes; -2: the wire */
	bool began, full;
	uint16_t cols, rows;
	uint16_t buf;                      /* number of its buffer plus one; 0: none */
	uint8_t carry_len[2], carry[2][4]; /* output, input: beginning of a character */
	uint8_t hidden_len, hidden[64];    /* what is typed without being shown, this line so far */
	int64_t base_ns, last_us;          /* time of its beginning, of its last line (from that) */
	uint64_t bytes, written, lost;     /* made; of them in the file; not written */
};
struct cast_buf {
	uint32_t owner, cast; /* slot plus one, 0: free */
	uint32_t len;
	uint64_t used; /* when, by book.clock */
	char data[CAST_BUF];
};

/* ---- one session --------------------------------------------------------------------------------- */

enum index_kind { BY_ID, BY_VISIT, BY_TUPLE, INDEXES };
struct session {
	uint64_t id;            /* 0: free */
	uint32_t next[INDEXES]; /* slot plus one */
	uint32_t newer, older;  /* of the same guest, slot plus one */
	uint32_t hash[INDEXES];
	uint32_t guest, day;
	uint64_t visit, parent, flow_id; /* parent: a session's id */
	uint8_t heard;                   /* bit per layer */
	uint8_t direction, proto;
	bool monitor_open, wire_open;
	bool kept, refused, told, dirty,
		gone; /* refused: too many are kept; gone: its day was deleted */
	char service[16], user[64], secret[64], client[64];
	struct addr peer, server;
	uint16_t peer_port, server_port;
	int64_t start_ns, last_ns, written_ns, told_ns, shut_ns;
	uint32_t logins_failed, logins_ok, lines, runs, files, connects, alerts, dropped;
	uint64_t input, output, skipped, record_bytes;
	uint8_t counts_layer; /* whose bytes are counted, plus one */
	uint32_t block_first, block_last, n_blocks, n_entries; /* blocks: number plus one */
	uint32_t marks[8], n_marks; /* entries whose markers wait for a recording */
	uint32_t n_casts;
	struct cast casts[CASTS_EACH];
};

struct pid_row {
	uint32_t pid;
	uint32_t run, line, line_seq; /* entries; 0: none */
	uint64_t session;             /* 0: of no visit */
	uint64_t used;                /* by book.clock; 0: free */
	char comm[16];
};
struct budget { /* tokens, refilled by time */
	int64_t last_ns;
	double left;
};
enum budget_kind {
	BUDGET_SESSION,
	BUDGET_COMMAND,
	BUDGET_LOGIN,
	BUDGET_FILE,
	BUDGET_ACTIVITY,
	BUDGET_LIST,
	BUDGET_CONTENT,
	BUDGET_COWRIE,
	BUDGET_KEEP,
	BUDGETS
};
struct guest_book {
	uint32_t open, newest, oldest; /* slot plus one */
	uint32_t blocks;
	bool has_offset;
	int64_t offset_ns; /* host's wall clock less guest's time since boot */
	int64_t offset_at_ns, monitor_ns;
	struct budget budgets[BUDGETS];
	uint32_t suppressed[BUDGETS];
	int64_t told_ns; /* suppressed ones were told */
	struct pid_row pids[PIDS];
};
struct parked { /* a shell's line whose process nobody knows yet */
	bool used;
	uint32_t guest;
	int64_t since_ns;
	struct session_shell shell;
};

struct session_book {
	struct session_book_conf conf;
	struct arena arena;
	uint64_t key[2];
	uint64_t clock, last_id;
	uint32_t share, blocks_share;
	uint32_t heads[INDEXES][SLOTS];
	struct session *slots; /* SLOTS */
	/* Given back, as a chain; and how many were ever used: memory is touched no sooner. */
	uint32_t free_slots, fresh_slots;
	struct block *blocks; /* BLOCKS */
	uint32_t free_blocks, fresh_blocks;
	struct cast_buf *bufs; /* CAST_BUFS */
	uint32_t fresh_bufs;
	struct guest_book *guests; /* conf.n_guests */
	struct parked *parked;     /* PARKED */
	struct folder folder;
	struct file_store *files;
	char *scratch;  /* SCRATCH bytes: one line of JSON */
	int64_t now_ns; /* of the last call */
};
#define SCRATCH 65536u

/* ---- id.c ---- */
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
/* ,"key":"TIME" */
void json_time(struct writer *w, const char *key, int64_t ns);
/* JSON_BYTES back into bytes, terminated and cut; returns the length. */
size_t json_unescape(const char *s, char *ret, size_t size);

/* ---- read.c ---- */
struct json_t;
/* A member that json_time wrote; 0: none. */
int64_t json_time_value(const struct json_t *o, const char *key);

/* ---- book.c ---- */
struct session *book_find(struct session_book *b, uint64_t id);
struct session *book_visit(struct session_book *b, uint32_t guest, uint64_t visit);
/* The open one between these ends, NULL: none. */
struct session *book_tuple(struct session_book *b, uint32_t guest, const struct addr *peer,
			   uint16_t peer_port, uint16_t server_port);
/* A new one; makes room if need be. guest is in range. */
struct session *book_new(struct session_book *b, uint32_t guest, int64_t ns);
void book_set_visit(struct session_book *b, struct session *s, uint64_t visit);
void book_set_tuple(struct session_book *b, struct session *s);
void book_end(struct session_book *b, struct session *s, const char *why, int64_t ns);
/* Heard just now, by that layer. */
void book_touch(struct session_book *b, struct session *s, enum layer layer, int64_t ns);
/* It is more than a scan or a guess: it gets a record of its own. */
void book_keep(struct session_book *b, struct session *s, int64_t ns);
uint32_t book_slot(const struct session_book *b, const struct session *s);
bool book_may(struct session_book *b, uint32_t guest, enum budget_kind what, int64_t ns);
/* NULL: pid is not known. */
struct pid_row *book_pid(struct session_book *b, uint32_t guest, uint32_t pid);
struct pid_row *book_pid_add(struct session_book *b, uint32_t guest, uint32_t pid);

/* ---- entry.c ---- */
/* Adds one (head's sizes are set here; texts are cut to fit); NULL: no room, counted. */
struct entry *entry_add(struct session_book *b, struct session *s, const struct entry *head,
			const struct bytes *texts, uint32_t n_texts, uint32_t *ret_ref);
struct entry *entry_at(struct session_book *b, const struct session *s, uint32_t ref);
/* All of them, in order: start with *at 0; NULL: no more. */
struct entry *entry_next(struct session_book *b, const struct session *s, uint64_t *at);
struct bytes entry_text(const struct entry *e, uint32_t i);
void entry_free_all(struct session_book *b, struct session *s);

/* ---- cast.c ---- */
/* The recording of that terminal, begun if need be; NULL: no more room. */
struct cast *cast_of(struct session *s, int32_t tty);
void cast_data(struct session_book *b, struct session *s, struct cast *c, bool input,
	       const void *data, size_t len, int64_t ns);
void cast_size(struct session_book *b, struct session *s, struct cast *c, uint16_t cols,
	       uint16_t rows, int64_t ns);
void cast_mark(struct session_book *b, struct session *s, struct cast *c, const void *label,
	       size_t len, int64_t ns);
/* Characters that never became whole; then writes. */
void cast_end(struct session_book *b, struct session *s, struct cast *c);
void cast_flush_all(struct session_book *b);
/* Its name in its day's folder. */
#define CAST_NAME 32
const char *cast_name(const struct session *s, uint32_t i, char buf[CAST_NAME]);

/* ---- note.c: what happened in a session, whoever heard it ---- */
struct note {
	struct session *s; /* NULL: of no visit */
	uint32_t guest, pid, ppid, uid;
	int32_t tty;
	enum layer layer;
	int64_t ns;
	bool quiet; /* routine: priority 0, no marker */
};
void note_data(struct session_book *b, const struct note *n, bool input, bool hidden,
	       const void *data, size_t len, uint64_t skipped);
struct note_command {
	struct bytes line, cwd, exe, user;
	uint32_t seq, of;
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

/* ---- shell.c ---- */
/* Lines that waited long enough, or whose process is known now. */
void shell_parked(struct session_book *b, int64_t now_ns);

#endif
