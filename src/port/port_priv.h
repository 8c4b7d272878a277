/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside port only: the shape of a port and of the buffers that all ports of a process share. */
#ifndef SKEP_PORT_PRIV_H
#define SKEP_PORT_PRIV_H

#include "port/port.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define SLOT_HEAD 64u /* room before a frame, so that a stripped VLAN tag can go back in */
#define SLOT_SIZE (SLOT_HEAD + FRAME_MAX + 64u)
#define CONTROL_SIZE 128u /* tpacket_auxdata and a timespec, each with its header */
#define RECV_TRIES 4

_Static_assert(sizeof(struct vnet) == 10, "struct vnet is virtio_net_hdr");

struct port_pool {
	struct frame frames[PORT_BATCH];
	struct vnet vnets[PORT_BATCH];
	struct mmsghdr msgs[PORT_BATCH];
	struct iovec iovs[PORT_BATCH][2];
	/* Unions align each control buffer like a cmsghdr. */
	union {
		struct cmsghdr align;
		uint8_t bytes[CONTROL_SIZE];
	} control[PORT_BATCH];
	uint8_t *slots; /* PORT_BATCH of SLOT_SIZE */
};

/* A byte ring of whole frames, each behind its record header. */
struct ring {
	uint8_t *mem;
	uint32_t size, head, used;
};

struct port_ops {
	int (*recv)(struct port *p);              /* fills pool->frames; number or error */
	void (*flush)(struct port *p);            /* sends tx[0..n_tx), counts each frame */
	uint64_t (*kernel_drops)(struct port *p); /* since the last call */
};

struct port {
	const struct port_ops *ops;
	struct port_pool *pool;
	int fd;
	uint16_t index;
	char name[PORT_NAME];
	struct port_stats stats;
	unsigned batch; /* frames to ask for at once */
	size_t n_tx;
	struct vnet tx_vnets[PORT_BATCH];
	struct iovec tx_iovs[PORT_BATCH][2];
	struct mmsghdr tx_msgs[PORT_BATCH];
	struct ring in, out; /* memory back end only */
};

extern const struct port_ops packet_ops, tap_ops, memory_ops;

/* Where a received frame of slot i begins before any tag is put back. */
uint8_t *slot_data(struct port_pool *pool, size_t i);
/* Makes frame n of the burst from what slot i holds, and counts it. */
void take_frame(struct port *p, size_t n, uint8_t *data, uint32_t len, const struct vnet *vnet,
		int64_t stamp_ns);
MUST_USE int memory_attach(struct arena *arena, struct port *p);

#endif
