/* SPDX-License-Identifier: BSD-2-Clause */
/* What the three back ends share: buffers, the queue of frames to send, counters. */
#include "port/port_priv.h"

#include <string.h>

/* clang-format off */
const struct syscall_row port_syscalls[] = {
	{"recvmmsg", -1, 0},   /* packet.c */
	{"sendmmsg", -1, 0},
	{"getsockopt", -1, 0}, /* PACKET_STATISTICS in port_read_stats */
	{"readv", -1, 0},      /* tap.c */
	{"writev", -1, 0},
	{NULL, 0, 0},
};
/* clang-format on */

int port_pool_create(struct arena *arena, struct port_pool **ret_pool)
{
	struct port_pool *pool = arena_alloc(arena, 1, sizeof(*pool));
	uint8_t *slots = arena_alloc(arena, PORT_BATCH, SLOT_SIZE);
	if (pool == NULL || slots == NULL)
		return SKEP_EFULL;
	pool->slots = slots;
	for (size_t i = 0; i < PORT_BATCH; i++) {
		pool->iovs[i][0] = (struct iovec){&pool->vnets[i], sizeof(struct vnet)};
		pool->iovs[i][1] = (struct iovec){slot_data(pool, i), FRAME_MAX};
		struct msghdr *h = &pool->msgs[i].msg_hdr;
		h->msg_iov = pool->iovs[i];
		h->msg_iovlen = 2;
		h->msg_control = pool->control[i].bytes;
	}
	*ret_pool = pool;
	return 0;
}

uint8_t *slot_data(struct port_pool *pool, size_t i)
{
	return pool->slots + i * SLOT_SIZE + SLOT_HEAD;
}

void take_frame(struct port *p, size_t n, uint8_t *data, uint32_t len, const struct vnet *vnet,
		int64_t stamp_ns)
{
	struct frame *f = &p->pool->frames[n];
	f->data = data;
	f->len = len;
	f->cap = FRAME_MAX;
	f->vnet = *vnet;
	f->stamp_ns = stamp_ns;
	f->port = p->index;
	p->stats.rx_frames++;
	p->stats.rx_bytes += len;
}

int port_attach(struct arena *arena, struct port_pool *pool, enum port_kind kind, int fd,
		uint16_t index, const char *name, struct port **ret_port)
{
	struct port *p = arena_alloc(arena, 1, sizeof(*p));
	if (p == NULL)
		return SKEP_EFULL;
	p->pool = pool;
	p->fd = fd;
	p->index = index;
	p->batch = PORT_BATCH;
	text_copy(p->name, sizeof(p->name), name);
	for (size_t i = 0; i < PORT_BATCH; i++) {
		p->tx_iovs[i][0] = (struct iovec){&p->tx_vnets[i], sizeof(struct vnet)};
		p->tx_msgs[i].msg_hdr.msg_iov = p->tx_iovs[i];
		p->tx_msgs[i].msg_hdr.msg_iovlen = 2;
	}
	switch (kind) {
	case PORT_PACKET:
		p->ops = &packet_ops;
		break;
	case PORT_TAP:
		p->ops = &tap_ops;
		break;
	case PORT_MEMORY:
		p->ops = &memory_ops;
		p->fd = -1;
		break;
	}
	if (p->ops == NULL)
		return SKEP_ERANGE;
	int err = kind == PORT_MEMORY ? memory_attach(arena, p) : 0;
	if (err != 0)
		return err;
	*ret_port = p;
	return 0;
}

void port_reattach(struct port *p, int fd)
{
	/* What is queued belongs to the old descriptor, which may be gone. */
	p->stats.tx_failed += p->n_tx;
	p->n_tx = 0;
	p->fd = fd;
}

int port_fd(const struct port *p)
{
	return p->fd;
}

int port_recv(struct port *p, struct frame **ret_frames)
{
	int n = p->ops->recv(p);
	if (n >= 0)
		*ret_frames = p->pool->frames;
	return n;
}

void port_send(struct port *p, struct frame *f)
{
	if (f->len < ETH_HLEN || f->len > FRAME_MAX) {
		p->stats.tx_failed++;
		return;
	}
	struct vnet *v = &p->tx_vnets[p->n_tx];
	*v = f->vnet;
	/* Only a request for work travels on: what the kernel said of the frame as it came (its
	 * checksum was seen to be right) is not for the next receiver to believe. */
	v->flags &= VNET_NEEDS_CSUM;
	if (v->flags == 0)
		v->csum_start = v->csum_offset = 0;
	if (v->gso_type == 0)
		v->hdr_len = v->gso_size = 0;
	p->tx_iovs[p->n_tx][1] = (struct iovec){f->data, f->len};
	if (++p->n_tx == PORT_BATCH)
		port_flush(p);
}

void port_flush(struct port *p)
{
	if (p->n_tx == 0)
		return;
	p->ops->flush(p);
	p->n_tx = 0;
}

void port_read_stats(struct port *p, struct port_stats *ret)
{
	if (p->ops->kernel_drops != NULL)
		p->stats.rx_kernel_drops += p->ops->kernel_drops(p);
	*ret = p->stats;
}
