/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests and fuzzing of talk: conversations as the wall copies them, and a book that notes what it is told. */
#ifndef SKEP_TALK_WIRE_H
#define SKEP_TALK_WIRE_H

#include "talk/talk.h"

#define CLIENT 0u
#define SERVER 1u

struct wire { /* one conversation; caller's, zeroed but for the first part */
	struct talk *t;
	bool v6, by_guest; /* the guest began it */
	uint16_t port[2];
	uint8_t host[2]; /* last byte of the address; 10: the guest, 66: outside */
	uint8_t direction;
	/* since then: */
	uint32_t seq[2];
	uint64_t flow_id;
	int64_t now_ns;
};
void wire_open(struct wire *w);
void wire_say(struct wire *w, unsigned side, const void *data, uint32_t len);
/* Bytes that were sent and acknowledged, but never copied. */
void wire_lose(struct wire *w, unsigned side, uint32_t len);
void wire_close(struct wire *w);
void wire_datagram(struct talk *t, bool v6, uint16_t guest, uint16_t port, const void *data,
		   uint32_t len);

/* What the book was told, as text: of each session what was shown and typed, then the rest in its order. */
struct session_book *book_new(void);
const char *book_text(struct session_book *b);
void book_free(struct session_book *b);

#endif
