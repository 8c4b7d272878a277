/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SKEP_FACTS_PRIV_H
#define SKEP_FACTS_PRIV_H

#include "facts/facts.h"

#define FACTS_HOPS_UNKNOWN 255u

/* ---- place.c: country and AS ---------------------------------------------------------------- */

struct place;
/* NULL and a word in why: it is no database. -ENOMEM. */
MUST_USE int place_open(int fd, struct writer *why, struct place **ret);
void place_of(struct place *p, const struct addr *a, struct facts_of *ret);
void place_close(struct place **p);

/* ---- names.c: the operator's own table ------------------------------------------------------- */

#define NAMES_MOST 10000u
#define NAMES_BYTES (2u << 20)
struct names;
MUST_USE int names_read(const char *text, size_t len, struct writer *why, struct names **ret);
/* "" if it is not in it. */
const char *names_of(const struct names *n, const struct addr *a);
void names_close(struct names **n);

/* ---- signs.c, greet.c: who greets like that --------------------------------------------------- */

#define SIGNS_MOST 2048u
#define SIGNS_BYTES (1u << 20)
#define SIGNS_LABELS 512u
#define SIGN_ANY (-1)
/* clang-format off */
enum sign_window { WINDOW_ANY, WINDOW_IS, WINDOW_MODULO, WINDOW_MSS, WINDOW_MTU,
		   WINDOW_MOST /* the largest multiple of the MSS that fits */ };
/* What p0f tells of the IP id by more than one word, beside enum event_syn_quirk. */
enum sign_quirk { SIGN_DF = 1 << 20, SIGN_ID_MORE = 1 << 21, SIGN_ID_NONE = 1 << 22, SIGN_ACK0 = 1 << 23 };
/* clang-format on */
struct sign {
	int32_t mss, window, wscale; /* SIGN_ANY; window: by its form, or how many times */
	uint32_t quirks;             /* enum event_syn_quirk, enum sign_quirk */
	uint16_t label;
	uint8_t ver; /* 0: both */
	uint8_t ttl, ttl_any, form, ip_options;
	int8_t data; /* 1: must have some; SIGN_ANY */
	uint8_t n_options, options[EVENT_SYN_OPTIONS];
	uint8_t own; /* built in */
};
struct sign_label {
	char text[sizeof(((struct facts_of *)NULL)->os)];
	uint8_t generic, tool;
};
struct signs {
	int64_t made_ns, own_ns;
	uint32_t n, n_labels;
	struct sign_label labels[SIGNS_LABELS];
	struct sign signs[SIGNS_MOST];
};
/* made_ns: date of the text. The built-in signatures come behind; text may be NULL. */
MUST_USE int signs_read(const char *text, size_t len, int64_t made_ns, struct writer *why,
			struct signs **ret);
/* The p0f-like text of our own ones, and when it was made. */
const char *signs_own(int64_t *ret_made_ns);
/* Fills os, os_ns and hops. ver: of the address. */
void signs_match(const struct signs *s, uint8_t ver, const struct event_syn *syn,
		 struct facts_of *ret);

/* ---- shared ------------------------------------------------------------------------------------ */

struct span {
	const char *at;
	size_t len;
};
/* Cuts the part of s up to the first of these bytes (which is eaten too) off; all of it if there is none. */
struct span span_cut(struct span *s, const char *stops);
/* Without blanks at both ends. */
struct span span_trim(struct span s);
bool span_is(struct span s, const char *word);
/* Decimal, at most most; false: it is none. */
bool span_number(struct span s, uint32_t most, uint32_t *ret);
/* A date that a file claims; 0 would mean that there is no such data. */
int64_t made_at(int64_t seconds);
/* "names: 3 lines left out, the first is line 7"; none: nothing. */
void why_lines(struct writer *why, const char *what, uint32_t n, uint32_t first);
void why_say(struct writer *why, const char *what, const char *text);

#endif
