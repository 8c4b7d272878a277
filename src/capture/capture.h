/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture: pcapng files (draft-ietf-opsawg-pcapng): written as a ring by recorder, read by
 * `skep pcap`; the lossy ring of verdict marks that the wall writes and recorder joins; and the kernel's
 * passive rings that recorder reads.
 */
#ifndef SKEP_CAPTURE_H
#define SKEP_CAPTURE_H

#include "event/event.h"
#include "packet/packet.h"

/* ---- marks: wall -> recorder ------------------------------------------------------------ */

/* What became of one frame. Made for frames that were dropped or changed beyond routing, and for
 * the first of a conversation. Joined by port, stamp, length and hash. */
struct mark {
	int64_t stamp_ns; /* frame.stamp_ns: the kernel gives every listener the same one */
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

/* Finds the mark of a frame. Fixed size, from the arena. */
struct mark_table;
size_t mark_table_bytes(void); /* what it takes from the arena, at most */
MUST_USE int mark_table_create(struct arena *arena, struct mark_table **ret);
/* Takes in what the wall has marked since the last call (bounded). *lost as in mark_get. */
void mark_table_fill(struct mark_table *t, const struct mark_ring *ring, uint64_t *cursor,
		     uint64_t *lost);
/* Takes the mark of the frame p that came in by port: same stamp (or, for a frame with a stamp of
 * its own, the nearest within 5 ms), length and hash. */
struct capture_packet;
bool mark_table_take(struct mark_table *t, uint16_t port, const struct capture_packet *p,
		     struct mark *ret);
/* The comment of a marked frame: "OUTBOUND limit flow=123", "drop spoofed-mac",
 * "INBOUND forward new flow=5". Always terminated. */
#define MARK_TEXT 128
void mark_text(const struct mark *m, char ret[MARK_TEXT]);

#include "capture/copies.h"

/* ---- passive rings ---------------------------------------------------------------------- */

/* Opens a passive AF_PACKET socket with a TPACKET_V3 receive ring of about ring_bytes on interface
 * ifname of the current network namespace; it sees both directions. Needs CAP_NET_RAW: super calls
 * it and passes the descriptor on. */
MUST_USE int capture_ring_open(const char *ifname, uint64_t ring_bytes, int *ret_fd);

struct capture_ring {                       /* caller's; plain state of one attached ring */
	int fd;                             /* not owned; -1: none */
	uint8_t *mem;                       /* the mapped ring */
	uint32_t blocks, at;                /* number of blocks; the one that is read */
	uint32_t frames_left, frame_offset; /* in the open block; 0 frames: none is open */
	bool synced;                        /* `at` is known to be the kernel's oldest */
};
/* Maps the ring of a descriptor made with the same ring_bytes. Allocates nothing. */
MUST_USE int capture_ring_attach(struct capture_ring *r, int fd, uint64_t ring_bytes);
void capture_ring_detach(struct capture_ring *r);
/* The oldest frame, without taking it. false: none yet. ret->data is borrowed from the ring until
 * capture_ring_pop, or from scratch (CAPTURE_SNAP bytes, caller's) where a VLAN tag had to be put
 * back into the bytes. Sets stamp_ns, own_stamp, data, len, orig_len and outbound. */
bool capture_ring_peek(struct capture_ring *r, uint8_t *scratch, struct capture_packet *ret);
void capture_ring_pop(struct capture_ring *r);
/* Are more than so many quarters (0..3) of the blocks waiting to be taken? */
bool capture_ring_pressed(const struct capture_ring *r, unsigned quarters);
/* Frames that the kernel dropped for want of room, since the last call. */
uint64_t capture_ring_drops(const struct capture_ring *r);
/* Frames are complete in the ring at most this long after their stamp. */
#define CAPTURE_RETIRE_MS 20

/* ---- writing -------------------------------------------------------------------------------- */

#define CAPTURE_PORTS 32
#define CAPTURE_SNAP 131072u /* longest frame that is written, bytes */
struct capture_interface {
	char name[32], description[64];
};

struct capture_packet {
	uint32_t interface; /* index into the file's interfaces */
	int64_t stamp_ns;
	const uint8_t *data; /* borrowed */
	uint32_t len, orig_len;
	bool own_stamp;      /* from a ring: not the stamp that other listeners got */
	bool outbound;       /* epb_flags: sent by the wall through this port */
	const char *comment; /* NULL: none */
	uint64_t drops;      /* lost since the last packet of this interface */
};

/* One pcapng block each, into out (host byte order); the number of bytes, or 0 if it does not fit. */
size_t capture_encode_section(uint8_t *out, size_t size);
size_t capture_encode_interface(uint8_t *out, size_t size, const struct capture_interface *i);
size_t capture_encode_packet(uint8_t *out, size_t size, const struct capture_packet *p);
size_t capture_encode_statistics(uint8_t *out, size_t size, uint32_t interface, int64_t start_ns,
				 int64_t end_ns, uint64_t received, uint64_t dropped);

struct capture_totals { /* since the writer was made */
	uint64_t packets, bytes;
	uint64_t dropped; /* packets that did not get to the disk */
	uint64_t files, removed, adopted;
};

struct capture_writer;
/* Starts a ring in folder dir_fd (borrowed): files NAME-YYYYmmddTHHMMSS-N.pcapng, closed by size or
 * age, oldest removed to stay under disk_bytes in all. A file being written ends in ".part"; those
 * that an earlier writer left are cut at their last whole block and renamed first. */
MUST_USE int capture_writer_create(struct arena *arena, int dir_fd, const char *name,
				   const struct capture_interface *ports, size_t n_ports,
				   uint64_t file_bytes, int64_t file_age_ns, uint64_t disk_bytes,
				   struct capture_writer **ret);
/* Bytes that capture_writer_create takes from the arena, at most. */
size_t capture_writer_bytes(void);
/* Appends; buffered (1 MiB), no allocation. An error (-ENOSPC after trying to remove old files)
 * means that this packet is dropped and counted; the file stays whole, later calls try again. */
MUST_USE int capture_write(struct capture_writer *w, const struct capture_packet *p);
/* Notes a loss on an interface: goes into its next packet and the statistics block. */
void capture_note_drops(struct capture_writer *w, uint32_t interface, uint64_t n);
/* Writes the buffer out; closes the file if it is old enough (now: wall clock). */
MUST_USE int capture_flush(struct capture_writer *w, int64_t now_ns);
/* Writes the statistics blocks and ends the file. The writer is done. */
MUST_USE int capture_close(struct capture_writer *w);
void capture_read_totals(const struct capture_writer *w, struct capture_totals *ret);
/* Is it the name of one of our files? *ret_part: still being written (or left so). */
bool capture_file_name(const char *file, bool *ret_part);

/* ---- reading ---------------------------------------------------------------------------------- */

struct capture_reader;
/* Opens one pcapng file (little or big endian); the whole file is hostile. Heap-allocated; fd is
 * borrowed. SKEP_EFORMAT: not pcapng. */
MUST_USE int capture_open(int fd, struct capture_reader **ret);
/* Next Ethernet packet: 0, SKEP_ENOTFOUND at the end, SKEP_EFORMAT / SKEP_ETRUNC (a cut last
 * block). *ret borrows from the reader until the next call; interface counts through the file. */
MUST_USE int capture_next(struct capture_reader *r, struct capture_packet *ret,
			  const char **ret_interface_name);
/* Description of the interface of the last packet. Borrowed. */
const char *capture_interface_description(const struct capture_reader *r);
void capture_reader_free(struct capture_reader **r);

struct capture_frame { /* of a capture from anywhere */
	int64_t stamp_ns;
	const uint8_t *data; /* borrowed until the next call */
	uint32_t len, wire_len;
	uint16_t link; /* LINKTYPE_ value */
};
/* As capture_open and capture_next, fast, for captures of any program: classic pcap (micro- and
 * nanoseconds, both byte orders) and pcapng, every link type; comments and the like are not read. */
MUST_USE int capture_open_any(int fd, struct capture_reader **ret);
MUST_USE int capture_next_any(struct capture_reader *r, struct capture_frame *ret);
/* Bytes of the file behind us. */
uint64_t capture_bytes_read(const struct capture_reader *r);

/* ---- selecting -------------------------------------------------------------------------------- */

#define CAPTURE_TERMS 128
struct capture_term {            /* all that is set must fit */
	char interface[32];      /* empty: any */
	struct addr a, b;        /* ends, in either order; b none: a is one of the ends */
	uint16_t a_port, b_port; /* 0: any; ports go with their address */
	uint8_t proto;           /* 0: any */
	uint8_t icmp; /* ports are ICMP type and code of the first packet: not compared */
};
struct capture_filter {                       /* zeroed: everything */
	struct addr addr;                     /* either end, ARP and ND included; ver 0: any */
	uint16_t net_port;                    /* either end; 0: any */
	uint8_t proto;                        /* 6, 17, 1 (both ICMP versions); 0: any */
	int64_t from_ns, to_ns;               /* 0: open */
	char interface[32];                   /* empty: any */
	char community_id[COMMUNITY_ID_TEXT]; /* joined with the terms: one of them must fit */
	size_t n_terms;
	struct capture_term terms[CAPTURE_TERMS];
};
/* Does the packet pass? */
bool capture_select(const struct capture_filter *f, const struct capture_packet *p,
		    const char *interface);
/* Adds the outside and the inside view of a conversation. SKEP_EFULL. */
MUST_USE int capture_filter_add(struct capture_filter *f, const struct event_tuple *t);

#endif
