/* SPDX-License-Identifier: BSD-2-Clause */
/* session, inside: what its files share. Included only in this folder. */
#ifndef SKEP_SESSION_PRIV_H
#define SKEP_SESSION_PRIV_H

#include "session/cast_priv.h"
#include "session/entry_priv.h"
#include "session/files_priv.h"
#include "session/lines_priv.h"
#include "session/session.h"

#define SLOTS 4096u /* open sessions of all guests; each guest has its share */
#define PIDS 4096u  /* processes remembered of each guest */
#define PID_WAYS 4u
#define DAY_SHARE 4u /* of a budget of the disk, that one guest may fill in a day */
#define PARKED 64u   /* shell lines that wait for their process to become known */

enum layer { LAYER_MONITOR, LAYER_SHELL, LAYER_WIRE, LAYER_SYSLOG, LAYERS };

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
	bool kept, told, dirty, gone; /* gone: its day was deleted */
	int64_t refused_ns;           /* too many were kept then; 0: never */
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
	bool service; /* it and its children: what sshd runs by itself */
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
#define CONNECTED 32u /* connections remembered of each guest, for rule hits in them */
struct connected {
	struct addr to;
	uint16_t port;
	uint64_t session; /* 0: free */
	int64_t ns;
};
struct guest_book {
	uint32_t n_connected;
	struct connected connected[CONNECTED];
	uint32_t open, newest, oldest; /* slot plus one */
	uint32_t blocks;
	bool has_offset, has_shell; /* has_shell: its modified shell was heard in this boot */
	int64_t offset_ns;          /* host's wall clock less guest's time since boot */
	int64_t offset_at_ns, monitor_ns;
	struct budget budgets[BUDGETS];
	uint32_t suppressed[BUDGETS];
	int64_t told_ns; /* suppressed ones were told */
	bool has_pids;   /* pids is not empty */
	int64_t day;     /* since 1970; of day_bytes: what was written of it then */
	uint64_t day_bytes;
	int64_t content_day; /* the same of content of files */
	uint64_t content_bytes;
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
/* So much was written of that guest. */
void book_wrote(struct session_book *b, uint32_t guest, uint64_t bytes);
/* It has filled its share of the budget today: no more recordings and records of it begin. */
bool book_is_over(const struct session_book *b, uint32_t guest);
uint32_t book_slot(const struct session_book *b, const struct session *s);
bool book_may(struct session_book *b, uint32_t guest, enum budget_kind what, int64_t ns);
/* NULL: pid is not known. */
struct pid_row *book_pid(struct session_book *b, uint32_t guest, uint32_t pid);
struct pid_row *book_pid_add(struct session_book *b, uint32_t guest, uint32_t pid);
/* Whose it is; what is remembered of it in another session is forgotten. s may be NULL: nobody's. */
void book_pid_of(struct pid_row *row, const struct session *s);

#include "session/note_priv.h"

/* ---- alert.c ---- */
/* A process of s has begun a connection. */
void alert_connected(struct session_book *b, const struct session *s, const struct addr *to,
		     uint16_t port, int64_t ns);

#endif
