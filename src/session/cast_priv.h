/* SPDX-License-Identifier: BSD-2-Clause */
/* session, inside: asciicast v2 (cast.c). A part of session_priv.h. */
#ifndef SKEP_SESSION_CAST_PRIV_H
#define SKEP_SESSION_CAST_PRIV_H

#include "base/base.h"

struct session;
struct session_book;

#define CASTS_EACH 4u /* terminals of one session that are recorded */
#define CAST_BUFS 256u
#define CAST_BUF 16384u

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

#endif
