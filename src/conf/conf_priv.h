/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside conf only: rows, values, the tree of a YAML file, and how problems are collected. */
#ifndef SKEP_CONF_PRIV_H
#define SKEP_CONF_PRIV_H

#include "conf/conf.h"

enum row_type {
	ROW_BOOL,
	ROW_ENUM,
	ROW_UINT,
	ROW_BYTES,
	ROW_DURATION,
	ROW_NAME,
	ROW_PATH,
	ROW_LINK, /* a network link, as the kernel calls it */
	ROW_ADDR,
	ROW_PREFIX,
	ROW_MAC,
	ROW_LIMIT,
	ROW_PREFIXES, /* with choices: also these words */
	ROW_NAMES,
	ROW_PORTS,
	ROW_BYTE_LIMIT,
	ROW_TEXTS, /* a list of short texts in arrays of row.item bytes */
	ROW_TEXT,  /* one text; several lines where row.lines */
	ROW_TYPES
};

struct row_choice {
	const char *name;
	uint32_t value;
};

/* What a text must look like beyond being printable. */
struct row_form_of {
	bool (*is)(const char *text);
	const char *like;    /* "a mail address such as ..." */
	const char *pattern; /* the same for the JSON Schema */
	const char *list;    /* a list of them; NULL: like */
};

/* One setting. The default is text, read by the same code as the operator's file. */
struct row {
	const char *path; /* "wall.limits.tcp"; in lists only the key */
	enum row_type type;
	size_t offset, size; /* of the field in its struct */
	size_t count_offset; /* lists but limits: the uint32_t that counts the items */
	size_t item;         /* ROW_TEXTS: bytes of each */
	uint64_t min, max;   /* number, bytes, ns, text length; addresses: the only version, or 0 */
	const char *text;    /* default */
	const char *text_other; /* default of loghosts and of short forms, where it differs */
	const char *empty;      /* word that means "not set" (all zero), or NULL */
	const char *
		word; /* numbers: word that means word_value, which is out of range else, or NULL */
	uint64_t word_value;
	const struct row_choice *choices;
	const struct row_form_of *form; /* ROW_TEXT, ROW_TEXTS; NULL: any */
	const char *unit;               /* for people, or NULL */
	const char *help;
	bool live;  /* a change needs no restart */
	bool lines; /* ROW_TEXT: line ends are taken, too */
};

struct row_group {
	const char *path, *help;
};

extern const struct row conf_rows[], conf_guest_rows[], conf_forward_rows[], conf_policy_rows[];
extern const size_t conf_rows_n, conf_guest_rows_n, conf_forward_rows_n, conf_policy_rows_n;
/* rows_alerts.c: the lists that belong to the group `alerts`. */
extern const struct row conf_destination_rows[], conf_quiet_rows[], conf_class_rows[];
extern const size_t conf_destination_rows_n, conf_quiet_rows_n, conf_class_rows_n;
extern const struct row_group conf_groups[];
extern const size_t conf_groups_n;

/* The settings of one item, for lists that the built-in lab fills. */
struct row_preset {
	const char *key, *text;
};
#define PRESET_KEYS 12

/* What a value of this row looks like: "a size such as 512MB". */
const char *row_form(const struct row *row);
/* If path ("wall.limits.tcp") begins with prefix ("" or "wall."): the length of the key that follows,
 * which *ret_key points to inside path; else 0. */
size_t row_key_in(const char *path, const char *prefix, const char **ret_key);
/* Sets the field of row in base from text; lists take items apart at commas. SKEP_EFORMAT,
 * SKEP_ERANGE or SKEP_EFULL (too many items); base may then hold a part. */
MUST_USE int row_set(const struct row *row, void *base, const char *text);
/* Empties a list row, then one item at a time. */
void row_clear(const struct row *row, void *base);
MUST_USE int row_append(const struct row *row, void *base, const char *text);
bool row_is_list(const struct row *row);
/* A limit: its items are windows, and it has no count of its own. */
bool row_is_limit(const struct row *row);
/* Most items of a list. */
size_t row_most(const struct row *row);
/* The value as text that row_set reads back; items of lists are separated by ", ". */
void row_write(struct writer *w, const struct row *row, const void *base);
/* The same for a number of this row's type. */
void row_write_number(struct writer *w, const struct row *row, uint64_t value);
/* Sets every row of a table to its default; other picks the second default where there is one. */
void rows_default(const struct row *rows, size_t n, void *base, bool other);
/* The built-in destination: messages are kept to be read. */
void rows_alerts_default(struct conf_alerts *ret);
/* What follows from settings, and is none itself. */
void conf_derive(struct conf *c);
/* forms.c: what texts must look like. */
extern const struct row_form_of form_mail, form_url, form_hours, form_until, form_clock,
	form_number, form_country, form_location;
/* Does the URL lead to this machine itself? */
bool form_is_near(const char *url);

/* ---- tree of a file: bounded, in one arena --------------------------------------------------- */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };
struct node {
	enum node_kind kind;
	bool plain;            /* scalar without quotes */
	uint32_t line, column; /* from 1 */
	uint32_t key_line, key_column;
	const char *key;  /* in a map; else NULL */
	const char *text; /* scalar */
	struct node *first, *last, *next;
};

/* Collects problems: the first goes to *first, each (up to 50) to more. */
struct problems {
	const char *file;
	struct conf_error *first;
	void (*more)(void *ctx, const struct conf_error *e);
	void *ctx;
	uint32_t n;
};
/* Adds one; line 0: the whole file. cure may be NULL to keep none. */
void problem_add(struct problems *p, uint32_t line, uint32_t column, const char *cure,
		 const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Foreign text for messages: escaped, cut at 48 bytes; storage is buf. */
const char *problem_quote(char buf[64], const char *text);

/* Reads text into nodes of arena; problems of syntax are added to p. *ret_root may be NULL: an
 * empty file. SKEP_EFORMAT when the file is not usable. */
MUST_USE int tree_read(const char *text, size_t len, struct arena *arena, struct problems *p,
		       struct node **ret_root);
const struct node *tree_child(const struct node *map, const char *key);
/* Node at "wall.limits.tcp", or NULL. */
const struct node *tree_path(const struct node *root, const char *path);

/* ---- checks between rows --------------------------------------------------------------------- */

struct check {
	struct problems *p;
	const struct conf *c;
	const struct node *root;                /* may be NULL */
	const struct node *guests[CONF_GUESTS]; /* NULL: from the built-in lab */
	const struct node *forwards[CONF_FORWARDS];
	const struct node *policy[CONF_POLICY];
	const struct node *destinations[CONF_DESTINATIONS], *quiet[CONF_QUIET],
		*classes[ALERT_CLASSES];
};
/* Where to point: the key of the item, else the item, else the setting at path, else the file. */
void check_at(const struct check *k, const struct node *item, const char *key, const char *path,
	      uint32_t *ret_line, uint32_t *ret_column);
#define COMPLAIN(k, item, key, path, cure, ...)                         \
	do {                                                            \
		uint32_t line_, column_;                                \
		check_at(k, item, key, path, &line_, &column_);         \
		problem_add((k)->p, line_, column_, cure, __VA_ARGS__); \
	} while (0)
/* Adds a problem for each pair of values that does not fit together. */
void check_all(struct check *k);
/* The same for what the modes on the real wire need, and what only they may have. */
void check_uplink(const struct check *k);
/* The same for the rules of the policy. */
void check_policy(const struct check *k);
/* A guest's name, or the class of one. */
bool check_is_guest(const struct conf *c, const char *name);
/* The same for who is told of what. */
void check_alerts(const struct check *k);

#endif
