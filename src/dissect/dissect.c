/* SPDX-License-Identifier: BSD-2-Clause */
/* Creation, and the packets of one frame. */
#include "dissect/dissect_priv.h"

#include <errno.h>
#include <stdlib.h>

#define FRAG_PACKETS 16384u
#define FRAG_BYTES (32u << 20)
#define FRAG_TIMEOUT (60 * NS_PER_SEC)

int dissect_create(const struct dissect_conf *conf, struct dissect **ret)
{
	struct dissect *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return -ENOMEM;
	d->conf = *conf;
	struct dissect_conf *c = &d->conf;
	c->frag_packets = c->frag_packets != 0 ? c->frag_packets : FRAG_PACKETS;
	c->frag_bytes = c->frag_bytes != 0 ? c->frag_bytes : FRAG_BYTES;
	c->frag_timeout_ns = c->frag_timeout_ns > 0 ? c->frag_timeout_ns : FRAG_TIMEOUT;
	c->vxlan_port = c->vxlan_port != 0 ? c->vxlan_port : 4789;
	c->teredo_port = c->teredo_port != 0 ? c->teredo_port : 3544;
	c->geneve_port = c->geneve_port != 0 ? c->geneve_port : 6081;
	size_t size = defrag_size(c) + (size_t)REBUILT_BUFFERS * REBUILT_MAX + 4096;
	int err = arena_create(size, &d->arena);
	if (err != 0) {
		free(d);
		return err;
	}
	d->defrag = defrag_create(c, &d->arena);
	d->rebuilt = arena_alloc(&d->arena, REBUILT_BUFFERS, REBUILT_MAX);
	if (d->defrag == NULL || d->rebuilt == NULL) {
		dissect_free(&d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void dissect_free(struct dissect **d)
{
	if (*d == NULL)
		return;
	arena_destroy(&(*d)->arena);
	free(*d);
	*d = NULL;
}

/* Zeroes in steps that become vector stores: for one block of this size compilers choose a string
 * instruction, whose start alone costs as much as the rest of a header. */
static inline void clear(struct pkt *p)
{
	const size_t step = (sizeof(*p) + 5) / 6; /* the last one may overlap */
	uint8_t *at = (uint8_t *)p;
	memset(at, 0, step);
	memset(at + step, 0, step);
	memset(at + 2 * step, 0, step);
	memset(at + 3 * step, 0, step);
	memset(at + 4 * step, 0, step);
	memset(at + sizeof(*p) - step, 0, step);
}

struct pkt *pkt_begin(struct walk *w, const struct pkt *from)
{
	if (w->n == DISSECT_PKTS)
		return NULL;
	struct pkt *p = &w->pkts[w->n++];
	clear(p);
	p->stamp_ns = from->stamp_ns;
	p->number = from->number;
	p->frame = from->frame;
	p->frame_len = from->frame_len;
	p->frame_wire = from->frame_wire;
	p->link = from->link;
	p->depth = from->depth;
	return p;
}

uint32_t dissect_frame(struct dissect *d, uint16_t link, const uint8_t *frame, uint32_t len,
		       uint32_t wire_len, int64_t stamp_ns, uint64_t number,
		       struct pkt ret[DISSECT_PKTS])
{
	struct walk w = {.d = d, .pkts = ret, .n = 1};
	struct pkt *p = ret;
	clear(p);
	p->stamp_ns = stamp_ns;
	p->number = number;
	p->frame = frame;
	p->frame_len = len;
	p->frame_wire = wire_len;
	p->link = link;
	d->rebuilt_used = 0;
	link_decode(&w, p, link, frame, len);
	return w.n;
}
