/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from text, for the tests of dissect. */
#ifndef SKEP_DISSECT_TEST_FRAMES_H
#define SKEP_DISSECT_TEST_FRAMES_H

#include "dissect/dissect.h"

#define FRAME_CAP 70000

struct frame_buf {
	uint8_t b[FRAME_CAP];
	uint32_t len;
};

/* Appends hex digits (blanks are skipped; "*N" repeats the byte before N times more). */
void frame_hex(struct frame_buf *f, const char *hex);
/* Ethernet with a type; IPv4 (20 bytes, 10.0.0.1 to 10.0.0.2) and IPv6 in Ethernet, sums right. */
void frame_eth(struct frame_buf *f, uint16_t type, const char *hex);
void frame_ip4(struct frame_buf *f, uint8_t proto, const char *hex);
void frame_ip6(struct frame_buf *f, uint8_t next, const char *hex);
/* A fragment of len bytes at data. */
void frame_frag4(struct frame_buf *f, uint16_t id, uint32_t off, bool more, const uint8_t *data,
		 uint32_t len);
void frame_frag6(struct frame_buf *f, uint32_t id, uint32_t off, bool more, const uint8_t *data,
		 uint32_t len);

#endif
