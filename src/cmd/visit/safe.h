/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an intruder's program said to his terminal, made fit for the operator's: all that draws stays as it is, byte
 * for byte; what asks the terminal something (its answer would be typed into our own input), or does something
 * beyond the screen (clipboard, printer, title, links, mouse, other character sets) is left out.
 */
#ifndef SKEP_CMD_VISIT_SAFE_H
#define SKEP_CMD_VISIT_SAFE_H

#include "base/base.h"

#define SAFE_SEQUENCE 256 /* a longer one is left out */

struct safe { /* caller's, zeroed; one for a stream */
	uint8_t at, len_utf8, have_utf8;
	uint16_t len;
	bool osc; /* within a string that a bell ends */
	bool too_long,
		text_only; /* text_only: no sequences at all, lines and words, for searching */
	uint8_t utf8[4];
	char seq[SAFE_SEQUENCE];
};
typedef void safe_out_fn(void *ctx, const void *data, size_t len);
/* Calls out with what may be shown; sequences come out whole. */
void safe_feed(struct safe *s, const void *data, size_t len, safe_out_fn *out, void *ctx);
/* Sets a terminal back after such a stream, whatever it ended with. */
extern const char safe_reset[];

#endif
