/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames for packet's tests, built and summed by code that shares nothing with packet's own. */
#ifndef SKEP_TEST_FRAMES_H
#define SKEP_TEST_FRAMES_H

#include "packet/packet.h"

struct spec {
	int ver, tags;
	uint8_t proto; /* 6, 17, 132; 1 stands for ICMP of either version */
	uint8_t icmp_type;
	uint8_t tcp_flags;
	uint32_t data_len;
	bool partial, no_udp_sum, options;
	uint16_t frag_offset; /* in units of 8 bytes */
	bool more_fragments, frag_header;
};

struct frame *frame_new(uint32_t cap);
void frame_free(struct frame *f);
/* A random frame after s, every checksum right (or partial). */
void frame_make(struct frame *f, const struct spec *s);
/* A copy whose buffer ends where the frame is cut, so that a sanitizer sees any read behind it. */
struct frame *frame_cut(const struct frame *f, uint32_t len);
/* Does to a partial checksum what the kernel does before the frame leaves the machine. */
void frame_complete(struct frame *f);
/* All checksums of an unfragmented frame, summed the slow way. */
bool frame_sums_right(const struct frame *f, const struct layers *l);
uint16_t slow_sum(const uint8_t *p, size_t len, uint32_t start);
struct addr random_addr(int ver);
uint32_t random_u32(void);

#endif
