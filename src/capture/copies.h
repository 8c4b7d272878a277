/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of capture.h: copies of frames, wall -> collector. Only what passed, as it left (rules may have replaced bytes,
 * or made several frames of one), with the conversation it belongs to; the guest is known by its port. Two rings: one
 * for syslog, so that no talk pushes it out. Single writer, single reader, in shared memory; the writer never
 * waits and overwrites the oldest; the reader trusts nothing in it.
 *
 * Addresses and ports are those that the guest concerned sees, both ways: where the wall translates, they are put back
 * in the copy. `guest` is: of syslog its sender; of anything else who was asked, if a guest was, otherwise who
 * asked. TCP's and UDP's checksums mean nothing (a guest may leave them to its virtual card); lengths may be those
 * of a super-frame; link addresses are as they left.
 */
#ifndef SKEP_CAPTURE_COPIES_H
#define SKEP_CAPTURE_COPIES_H

#include "base/base.h"

#define COPY_FRAME 65664u /* longest frame that is copied, bytes from the Ethernet header on */
#define COPY_RING_BYTES (8u << 20)

enum copy_kind {
	COPY_FRAME_WHOLE = 1,
	COPY_ALERT, /* a struct event of kind EVENT_ALERT instead of a frame; of the head kind and len count */
	COPY_TALLY, /* no frame: totals of a conversation, once a second at most, and at its end */
};
struct copy_head {
	int64_t stamp_ns; /* wall clock */
	uint64_t flow_id;
	uint16_t guest;          /* port of the guest concerned */
	uint16_t peer_guest;     /* lateral: of the other one; 0xffff: none */
	uint8_t kind, direction; /* enums copy_kind, event_direction */
	uint8_t from_guest;      /* 1: sent by `guest` */
	uint8_t begun_by_guest;
	uint32_t len; /* bytes of frame that follow */
	/* COPY_TALLY: */
	uint64_t bytes_to, bytes_from; /* payload with headers, to and from `guest` */
	struct addr peer, inside;      /* the other end, and the guest, as the guest sees them */
	uint16_t peer_port, port;      /* port: the guest's */
	uint8_t proto, ended, pad[2];
};
/* Fixed size: longer frames are cut. h->len bytes of frame are read. */
struct copy_ring;
size_t copy_ring_bytes(void);
struct copy_ring *copy_ring_at(void *shared_memory);
void copy_put(struct copy_ring *ring, const struct copy_head *h, const void *frame);
/* The next one after *cursor (start with 0) into h and frame (COPY_FRAME bytes, caller's). false: none (or, of a ring
 * that lies, none within a bounded time). *lost grows by what was overwritten before it could be read. What h says
 * is in range: len, kind, direction, flags, address versions; guest and peer_guest are any numbers. */
bool copy_get(const struct copy_ring *ring, uint64_t *cursor, struct copy_head *h, void *frame,
	      uint64_t *lost);

#endif
