/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture: pcapng files (draft-ietf-opsawg-pcapng): written as a ring by recorder, read by
 * `skep pcap`; and the lossy ring of verdict marks that the wall writes and recorder joins.
 */
#ifndef SKEP_CAPTURE_H
#define SKEP_CAPTURE_H

#include "packet/packet.h"

/* ---- marks: wall -> recorder ------------------------------------------------------------ */

/* What became of one frame. Made for frames that were dropped or changed beyond routing, and for
 * the first of a conversation. Joined by port, stamp, length and hash. */
struct mark {
	int64_t stamp_ns;   /* frame.stamp_ns: the kernel gives every listener the same one */
	uint64_t flow_id;
	uint32_t len, hash; /* hash: capture_hash */
	uint16_t port;
	uint8_t verdict, reason, direction, first; /* enums of event.h; first: opened the flow */
	uint16_t pad;
};

/* Single writer, single reader, in shared memory; the writer never waits and overwrites the oldest.
 * Nothing that the reader finds in it is trusted. */
struct mark_ring;
#define MARK_RING_ENTRIES 16384u
size_t mark_ring_bytes(void);
struct mark_ring *mark_ring_at(void *shared_memory);
void mark_put(struct mark_ring *ring, const struct mark *m);
/* Copies the next mark after *cursor (start with 0). false: none. *lost grows by what was overwritten
 * before it could be read. */
bool mark_get(const struct mark_ring *ring, uint64_t *cursor, struct mark *ret, uint64_t *lost);
/* Hash of the first 64 bytes as they came in. */
uint32_t capture_hash(const void *data, size_t len);

/* ---- writing -------------------------------------------------------------------------------- */

#define CAPTURE_PORTS 32
struct capture_interface {
	char name[32], description[64];
};

struct capture_packet {
	uint32_t interface;      /* index into the file's interfaces */
	int64_t stamp_ns;
	const uint8_t *data;     /* borrowed */
	uint32_t len, orig_len;
	bool outbound;           /* epb_flags: sent by the wall through this port */
	const char *comment;     /* NULL: none */
	uint64_t drops;          /* lost since the last packet of this interface */
};

struct capture_writer;
/* Starts a ring in folder dir_fd (borrowed): files NAME-YYYYmmddTHHMMSS-N.pcapng, closed by size or
 * age, oldest removed to stay under disk_bytes in all. A file being written ends in ".part". */
MUST_USE int capture_writer_create(struct arena *arena, int dir_fd, const char *name,
				   const struct capture_interface *ports, size_t n_ports,
				   uint64_t file_bytes, int64_t file_age_ns, uint64_t disk_bytes,
				   struct capture_writer **ret);
/* Appends; buffered (1 MiB), no allocation. -ENOSPC after trying to remove old files. */
MUST_USE int capture_write(struct capture_writer *w, const struct capture_packet *p);
/* Writes the buffer out; closes the file if it is old enough (now: wall clock). */
MUST_USE int capture_flush(struct capture_writer *w, int64_t now_ns);
/* Statistics block for interface i, then the end of the file. */
MUST_USE int capture_close(struct capture_writer *w, const uint64_t *received,
			   const uint64_t *dropped);

/* ---- reading ---------------------------------------------------------------------------------- */

struct capture_reader;
/* Opens one pcapng file (little or big endian); the whole file is hostile. Heap-allocated. */
MUST_USE int capture_open(int fd, struct capture_reader **ret);
/* Next packet: 0, SKEP_ENOTFOUND at the end, SKEP_EFORMAT / SKEP_ETRUNC. *ret borrows from the reader
 * until the next call. interface_name is set too. */
MUST_USE int capture_next(struct capture_reader *r, struct capture_packet *ret,
			  const char **ret_interface_name);
void capture_reader_free(struct capture_reader **r);

#endif
