/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory back end: what a test puts in comes out of port_recv; what is sent waits to be looked at. */
#include "port/port_priv.h"

#include <string.h>

static struct memory_queue *make_queue(struct arena *arena)
{
	struct memory_queue *q = arena_alloc(arena, 1, sizeof(*q));
	uint8_t *bytes = arena_alloc(arena, MEMORY_QUEUE, FRAME_MAX);
	if (q == NULL || bytes == NULL)
		return NULL;
	for (uint32_t i = 0; i < MEMORY_QUEUE; i++) {
		q->frames[i].data = bytes + (size_t)i * FRAME_MAX;
		q->frames[i].cap = FRAME_MAX;
	}
	return q;
}

int memory_port_create(struct arena *arena, struct port *p)
{
	p->in = make_queue(arena);
	p->out = make_queue(arena);
	return p->in != NULL && p->out != NULL ? 0 : SKEP_EFULL;
}

static int push(struct memory_queue *q, const struct frame *f)
{
	if (q->n == MEMORY_QUEUE)
		return SKEP_EFULL;
	if (f->len > FRAME_MAX)
		return SKEP_ERANGE;
	struct frame *slot = &q->frames[(q->first + q->n++) % MEMORY_QUEUE];
	memcpy(slot->data, f->data, f->len);
	slot->len = f->len;
	slot->vnet = f->vnet;
	slot->stamp_ns = f->stamp_ns;
	return 0;
}

/* Copies the oldest frame into f's own buffer. */
static int pop(struct memory_queue *q, struct frame *f)
{
	if (q->n == 0)
		return SKEP_ENOTFOUND;
	const struct frame *slot = &q->frames[q->first];
	if (slot->len > f->cap)
		return SKEP_ETRUNC;
	memcpy(f->data, slot->data, slot->len);
	f->len = slot->len;
	f->vnet = slot->vnet;
	f->stamp_ns = slot->stamp_ns;
	q->first = (q->first + 1) % MEMORY_QUEUE;
	q->n--;
	return 0;
}

int port_memory_put(struct port *p, const struct frame *f)
{
	return push(p->in, f);
}

int port_memory_get(struct port *p, struct frame *ret)
{
	return pop(p->out, ret);
}

int memory_port_recv(struct port *p)
{
	int n = 0;
	for (; n < PORT_BATCH; n++) {
		struct frame *f = &p->pool->frames[n];
		*f = (struct frame){.data = pool_buffer(p->pool, (uint32_t)n),
				    .cap = FRAME_MAX,
				    .port = p->index};
		if (pop(p->in, f) != 0)
			break;
	}
	return n;
}

void memory_port_flush(struct port *p)
{
	for (uint32_t i = 0; i < p->n_tx; i++) {
		struct frame f = {.data = p->tx_iov[i][1].iov_base,
				  .len = (uint32_t)p->tx_iov[i][1].iov_len,
				  .vnet = p->tx_headers[i]};
		if (push(p->out, &f) != 0) {
			p->stats.tx_failed++;
			continue;
		}
		p->stats.tx_frames++;
		p->stats.tx_bytes += f.len;
	}
}
