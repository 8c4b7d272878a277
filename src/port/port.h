/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port: where frames enter and leave the wall. One interface, three back ends: an AF_PACKET socket,
 * a tap's char device, and memory (tests). Frames keep their virtio-net header, so super-frames
 * stay whole and partial checksums stay partial; a VLAN tag that the kernel stripped is put back
 * into the bytes. Used by wall (and recorder for its passive sockets). After port_attach nothing
 * allocates. Needs no privilege: descriptors come from super.
 */
#ifndef SKEP_PORT_H
#define SKEP_PORT_H

#include "packet/packet.h"
#include "sys/sys.h"

#define PORT_BATCH 64
#define PORT_MEMORY_RING (1u << 20)
/* Arena bytes a pool and a port take (touched only on use); a memory port has two rings more. */
#define PORT_POOL_BYTES (PORT_BATCH * (FRAME_MAX + 128u) + 65536u)
#define PORT_BYTES 16384u
#define PORT_MEMORY_BYTES (PORT_BYTES + 2u * PORT_MEMORY_RING)
#define PORT_NAME 32

enum port_kind { PORT_PACKET, PORT_TAP, PORT_MEMORY };

struct port_stats {
	uint64_t rx_frames, rx_bytes, tx_frames, tx_bytes;
	uint64_t rx_kernel_drops; /* the kernel's own count */
	uint64_t tx_failed;       /* the kernel took it not: queue full, link down */
	uint64_t rx_bad;          /* without a whole virtio-net header, or too long */
};

struct port; /* opaque; lives in the arena it was made from */

/* Opens a promiscuous AF_PACKET socket with virtio-net headers, aux data and ns stamps on
 * interface ifname of the current network namespace; bound and non-blocking. Needs CAP_NET_RAW:
 * super calls it and passes the descriptor on. */
MUST_USE int port_open_packet(const char *ifname, int *ret_fd);
/* Makes (or takes) a tap with virtio-net header in the current namespace; its link is left down.
 * The descriptor is for QEMU, or for port_attach with PORT_TAP; the tap ends with it. */
MUST_USE int port_open_tap(const char *ifname, int *ret_fd);

/* Bursts share one set of buffers between all ports of a process. */
struct port_pool;
MUST_USE int port_pool_create(struct arena *arena, struct port_pool **ret_pool);
/* Wraps a descriptor (not owned). index is what frame.port will be. */
MUST_USE int port_attach(struct arena *arena, struct port_pool *pool, enum port_kind kind, int fd,
			 uint16_t index, const char *name, struct port **ret_port);
/* Points the port at a new descriptor (a guest's tap was made again). Not owned. */
void port_reattach(struct port *p, int fd);
int port_fd(const struct port *p);

/* Receives up to PORT_BATCH frames; never blocks. Returns their number (0: none) or an error
 * (-ENETDOWN ...). The frames and their bytes are valid until the next port_recv on any port of
 * the pool. cap leaves room to grow by 256 bytes where len <= FRAME_MAX - 256. */
int port_recv(struct port *p, struct frame **ret_frames);
/* Queues f to leave by p. The bytes are sent at port_flush at the latest, and must stay valid until
 * then. Fails only by counting tx_failed. */
void port_send(struct port *p, struct frame *f);
void port_flush(struct port *p);
void port_read_stats(struct port *p, struct port_stats *ret);

/* Memory back end: what a test puts in (SKEP_EFULL when its ring is), and what the code under test
 * sent. */
MUST_USE int port_memory_put(struct port *p, const struct frame *f);
/* Next sent frame copied to *ret (caller's data/cap); SKEP_ENOTFOUND: none; SKEP_ETRUNC: it is longer
 * than cap, and stays. */
MUST_USE int port_memory_get(struct port *p, struct frame *ret);

/* The system calls this module makes after start: rows for confine_final (sys/sys.h). */
extern const struct syscall_row port_syscalls[];

#endif
