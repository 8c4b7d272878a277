/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory back end for tests: two byte rings of whole frames. A full ring refuses, as a kernel queue
 * does. */
#include "port/port_priv.h"

#include <string.h>

struct record {
	uint32_t len;
	struct vnet vnet;
	int64_t stamp_ns;
};

static void ring_write(struct ring *r, const void *data, uint32_t len)
{
	uint32_t at = (r->head + r->used) % r->size, first = r->size - at;
	if (first > len)
		first = len;
	memcpy(r->mem + at, data, first);
	memcpy(r->mem, (const uint8_t *)data + first, len - first);
	r->used += len;
}

static void ring_read(struct ring *r, void *data, uint32_t len)
{
	uint32_t first = r->size - r->head;
	if (first > len)
		first = len;
	memcpy(data, r->mem + r->head, first);
	memcpy((uint8_t *)data + first, r->mem, len - first);
	r->head = (r->head + len) % r->size;
	r->used -= len;
}

static bool ring_put(struct ring *r, const struct record *rec, const void *data)
{
	if (rec->len > r->size || sizeof(*rec) + rec->len > r->size - r->used)
		return false;
	ring_write(r, rec, sizeof(*rec));
	ring_write(r, data, rec->len);
	return true;
}

int memory_attach(struct arena *arena, struct port *p)
{
	p->in.size = p->out.size = PORT_MEMORY_RING;
	p->in.mem = arena_alloc(arena, 1, p->in.size);
	p->out.mem = arena_alloc(arena, 1, p->out.size);
	return p->in.mem != NULL && p->out.mem != NULL ? 0 : SKEP_EFULL;
}

static int memory_recv(struct port *p)
{
	size_t n = 0;
	while (n < PORT_BATCH && p->in.used > 0) {
		struct record rec;
		uint8_t *data = slot_data(p->pool, n);
		ring_read(&p->in, &rec, sizeof(rec));
		ring_read(&p->in, data, rec.len);
		take_frame(p, n, data, rec.len, &rec.vnet, rec.stamp_ns);
		n++;
	}
	return (int)n;
}

static void memory_flush(struct port *p)
{
	for (size_t i = 0; i < p->n_tx; i++) {
		struct iovec *iov = p->tx_iovs[i];
		struct record rec = {.len = (uint32_t)iov[1].iov_len, .vnet = p->tx_vnets[i]};
		if (!ring_put(&p->out, &rec, iov[1].iov_base)) {
			p->stats.tx_failed++;
			continue;
		}
		p->stats.tx_frames++;
		p->stats.tx_bytes += rec.len;
	}
}

int port_memory_put(struct port *p, const struct frame *f)
{
	struct record rec = {.len = f->len, .vnet = f->vnet, .stamp_ns = f->stamp_ns};
	if (f->len > FRAME_MAX)
		return SKEP_ERANGE;
	return ring_put(&p->in, &rec, f->data) ? 0 : SKEP_EFULL;
}

int port_memory_get(struct port *p, struct frame *ret)
{
	struct record rec;
	struct ring *r = &p->out;
	if (r->used == 0)
		return SKEP_ENOTFOUND;
	struct ring peek = *r;
	ring_read(&peek, &rec, sizeof(rec));
	if (rec.len > ret->cap)
		return SKEP_ETRUNC; /* it stays, for a caller with more room */
	ring_read(&peek, ret->data, rec.len);
	*r = peek;
	ret->len = rec.len;
	ret->vnet = rec.vnet;
	ret->stamp_ns = rec.stamp_ns;
	ret->port = p->index;
	return 0;
}

const struct port_ops memory_ops = {memory_recv, memory_flush, NULL};
