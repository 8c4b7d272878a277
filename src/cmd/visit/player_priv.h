/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SKEP_CMD_VISIT_PLAYER_PRIV_H
#define SKEP_CMD_VISIT_PLAYER_PRIV_H

#include "cmd/visit/player.h"
#include "cmd/visit/safe.h"

#define PLAYER_QUERY 64

struct player {
	const struct cast *c;
	const struct player_options *o;
	int64_t *at;        /* when each event is played: pauses are cut */
	int64_t end_us, us; /* us: where we are */
	size_t next;        /* event */
	double speed;
	bool paused, quit, failed;
	bool marks; /* nothing that was typed is known, so markers are shown: what was run */
	bool drawn; /* the bottom line is on the screen: it must be drawn anew before going on */
	struct safe safe;
	char query[PLAYER_QUERY];
	/* For searching: words as they were shown, and where in them each event begins. */
	char *words;
	size_t words_len, words_room, *word_at;
	/* keys.c */
	bool asking; /* a query is typed */
	uint8_t escape;
};

/* ---- player.c ---- */

void player_write(struct player *p, const void *data, size_t len);
/* Shows all that was up to there: onwards, or from the beginning if it lies behind. */
void player_seek(struct player *p, int64_t us);
/* Goes to the next place after here where it was shown (or is marked); false: nowhere. */
bool player_find(struct player *p, const char *query);
/* To the next marker, or the one before. */
void player_mark(struct player *p, bool back);
/* The line at the bottom. */
void player_status(struct player *p, const char *text);

/* ---- keys.c ---- */

/* Plays with keys until the end or q. */
int player_interact(struct player *p);

#endif
