/* SPDX-License-Identifier: BSD-2-Clause */
/* The one interface over three back ends: packet.c, tap.c, memory.c. */
#include "port/port_priv.h"

#include <string.h>

int port_pool_create(struct arena *arena, struct port_pool **ret_pool)
{
	struct port_pool *pool = arena_alloc(arena, 1, sizeof(*pool));
	if (pool == NULL)
		return SKEP_EFULL;
	pool->bytes = arena_alloc(arena, PORT_BATCH, BUFFER_BYTES);
	if (pool->bytes == NULL)
		return SKEP_EFULL;
	*ret_pool = pool;
	return 0;
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
	p->kind = (uint8_t)kind;
	text_copy(p->name, sizeof(p->name), name);
	if (kind == PORT_MEMORY) {
		int err = memory_port_create(arena, p);
		if (err != 0)
			return err;
	}
	*ret_port = p;
	return 0;
}

void port_reattach(struct port *p, int fd)
{
	p->fd = fd;
}

int port_fd(const struct port *p)
{
	return p->fd;
}

int port_recv(struct port *p, struct frame **ret_frames)
{
	int n = p->kind == PORT_PACKET ? packet_port_recv(p)
		: p->kind == PORT_TAP  ? tap_port_recv(p)
				       : memory_port_recv(p);
	for (int i = 0; i < n; i++)
		p->stats.rx_bytes += p->pool->frames[i].len;
	if (n > 0)
		p->stats.rx_frames += (uint64_t)n;
	*ret_frames = p->pool->frames;
	return n;
}

void port_send(struct port *p, struct frame *f)
{
	if (p->n_tx == TX_QUEUE)
		port_flush(p);
	uint32_t i = p->n_tx++;
	p->tx_headers[i] = f->vnet;
	p->tx_iov[i][0] = (struct iovec){&p->tx_headers[i], sizeof(struct vnet)};
	p->tx_iov[i][1] = (struct iovec){f->data, f->len};
}

void port_flush(struct port *p)
{
	if (p->n_tx == 0)
		return;
	if (p->kind == PORT_PACKET)
		packet_port_flush(p);
	else if (p->kind == PORT_TAP)
		tap_port_flush(p);
	else
		memory_port_flush(p);
	p->n_tx = 0;
}
