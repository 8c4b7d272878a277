/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests, fuzzing and benches of stream: packets made by hand, and a consumer that collects. */
#ifndef SKEP_STREAM_TALK_H
#define SKEP_STREAM_TALK_H

#include "stream/stream.h"

#define TALK_MOST 70000u

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

struct talk {
	struct slab *slab;
	struct stream *s;
	struct stream_conf conf;
	struct pkt p; /* the last one sent; options set here stay */
	struct stream_result r;
	uint8_t header[20];
	uint16_t client_port;
	uint32_t isn[2];
	uint8_t out[2][TALK_MOST];
	uint32_t len[2], lost[2];
	uint64_t events[STREAM_EVENT_WORDS]; /* of all packets since the last look */
	uint32_t ended;
	char reason[16];
	int64_t now_ns;
	bool lazy; /* consumes nothing */
};

/* A stream with these settings and a slab of so many bytes. */
void talk_begin(struct talk *t, const struct stream_conf *conf, size_t slab_bytes);
/* Ends it; all memory must have come back. */
void talk_end(struct talk *t);
/* One TCP packet; seq and ack count from the ISNs (the SYN is 0, the first byte 1). */
void talk_tcp(struct talk *t, unsigned dir, uint32_t seq, uint32_t ack, uint8_t flags,
	      const char *data, uint32_t len);
/* With text as data. */
void talk_text(struct talk *t, unsigned dir, uint32_t seq, uint32_t ack, const char *text);
/* SYN, SYN/ACK, ACK. */
void talk_handshake(struct talk *t);
/* Was the event set since the last such question? Asking forgets all. */
bool talk_event(struct talk *t, const char *name);
/* Any event at all? */
bool talk_any_event(struct talk *t);
/* Takes what the last result released. */
void talk_consume(struct talk *t, struct stream_flow *f);

#endif
