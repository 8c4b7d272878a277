/* SPDX-License-Identifier: BSD-2-Clause */
/* What the back ends of port share. */
#ifndef SKEP_PORT_PRIV_H
#define SKEP_PORT_PRIV_H

#include "port/port.h"

#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define HEADROOM 4u /* a VLAN tag that the kernel took out goes back in front */
#define CONTROL_BYTES 128u
#define TX_QUEUE (2 * PORT_BATCH)
#define MEMORY_QUEUE 256u

_Static_assert(sizeof(struct vnet) == sizeof(struct virtio_net_hdr), "the header as it travels");

/* Buffers for one burst, shared by all ports of a process. */
struct port_pool {
	struct frame frames[PORT_BATCH];
	struct vnet headers[PORT_BATCH];
	struct iovec iov[PORT_BATCH][2];
	struct mmsghdr msgs[PORT_BATCH];
	uint8_t control[PORT_BATCH][CONTROL_BYTES] __attribute__((aligned(16)));
	uint8_t *bytes; /* PORT_BATCH times BUFFER_BYTES */
};
#define BUFFER_BYTES (HEADROOM + FRAME_MAX + 60u)

struct memory_queue {
	struct frame frames[MEMORY_QUEUE];
	uint32_t first, n;
};

struct port {
	struct port_pool *pool;
	int fd;
	uint16_t index;
	uint8_t kind; /* enum port_kind */
	char name[PORT_NAME];
	struct port_stats stats;
	uint32_t n_tx;
	struct vnet tx_headers[TX_QUEUE];
	struct iovec tx_iov[TX_QUEUE][2];
	struct mmsghdr tx_msgs[TX_QUEUE];
	struct memory_queue *in, *out; /* memory back end */
};

/* Where burst buffer i begins, behind its headroom. */
static inline uint8_t *pool_buffer(struct port_pool *pool, uint32_t i)
{
	return pool->bytes + (size_t)i * BUFFER_BYTES + HEADROOM;
}

/* The three back ends: receive a burst into the pool; send what is queued (n_tx becomes 0). */
int packet_port_recv(struct port *p);
void packet_port_flush(struct port *p);
int tap_port_recv(struct port *p);
void tap_port_flush(struct port *p);
MUST_USE int memory_port_create(struct arena *arena, struct port *p);
int memory_port_recv(struct port *p);
void memory_port_flush(struct port *p);

#endif
