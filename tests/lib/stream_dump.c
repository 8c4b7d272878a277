/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream_dump CAPTURE: what the stream module puts in order, as one line for each TCP direction that
 * carried data, in hexadecimal: "client port server port dir gaps HEX". For tests, which hold it against
 * other people's reassembly.
 */
#include "capture/capture.h"
#include "stream/stream.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY ((size_t)256 << 20)

struct text { /* one direction, so far */
	uint8_t *at;
	size_t len, cap;
	unsigned gaps;
};
struct both {
	struct text dir[2];
};

static void add(struct text *t, const uint8_t *data, size_t len)
{
	while (t->len + len > t->cap) {
		t->cap = t->cap == 0 ? 65536 : t->cap * 2;
		t->at = realloc(t->at, t->cap);
		if (t->at == NULL)
			abort();
	}
	memcpy(t->at + t->len, data, len);
	t->len += len;
}

static void take(struct stream_flow *f)
{
	if (!f->tcp)
		return;
	if (f->user == NULL)
		f->user = calloc(1, sizeof(struct both));
	struct both *b = f->user;
	for (unsigned d = 0; d < 2 && b != NULL; d++) {
		struct stream_side *s = &f->side[d];
		s->no_app = true;
		if (s->raw_done < s->base) {
			b->dir[d].gaps += s->raw_done != 0 || s->base != 0;
			s->raw_done = s->base;
		}
		uint64_t end = s->base + s->len;
		if (end > s->raw_done)
			add(&b->dir[d], s->data + (s->raw_done - s->base), end - s->raw_done);
		s->raw_done = end > s->raw_done ? end : s->raw_done;
	}
}

static void ended(void *ctx, struct stream_flow *f, const char *reason)
{
	struct stream_result r = {.flow = f};
	(void)reason;
	do
		take(f);
	while (f->tcp && stream_more(*(struct stream **)ctx, f, &r));
	struct both *b = f->user;
	for (unsigned d = 0; d < 2 && b != NULL; d++) {
		char from[ADDR_TEXT], to[ADDR_TEXT];
		const struct text *t = &b->dir[d];
		if (t->len > 0) {
			printf("%s %u %s %u %u %u ", addr_text(&f->addr[0], from), f->port[0],
			       addr_text(&f->addr[1], to), f->port[1], d, t->gaps);
			for (size_t i = 0; i < t->len; i++)
				printf("%02x", t->at[i]);
			printf("\n");
		}
		free(t->at);
	}
	free(b);
	f->user = NULL;
}

static void one_frame(struct dissect *d, struct stream *s, const struct capture_frame *f,
		      uint64_t n)
{
	struct pkt pkts[DISSECT_PKTS];
	struct stream_result r;
	uint32_t k = dissect_frame(d, f->link, f->data, f->len, f->wire_len, f->stamp_ns, n, pkts);
	for (uint32_t i = 0; i < k; i++) {
		stream_packet(s, &pkts[i], &r);
		if (r.flow == NULL)
			continue;
		take(r.flow);
		stream_settle(s, r.flow);
	}
}

int main(int argc, char **argv)
{
	struct stream *s = NULL;
	struct slab *slab = NULL;
	struct dissect *d = NULL;
	struct capture_reader *in = NULL;
	struct capture_frame f;
	const struct dissect_conf dc = {0};
	const struct stream_conf sc = {.depth = UINT64_MAX, .ended = ended, .ctx = &s};
	uint64_t n = 0;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0 || capture_open_any(fd, &in) != 0 || dissect_create(&dc, &d) != 0 ||
	    slab_create(MEMORY, &slab) != 0 || stream_create(&sc, slab, &s) != 0) {
		fprintf(stderr, "usage: stream_dump CAPTURE\n");
		return 2;
	}
	while (capture_next_any(in, &f) == 0)
		one_frame(d, s, &f, ++n);
	stream_free(&s);
	dissect_free(&d);
	slab_free_all(&slab);
	capture_reader_free(&in);
	return 0;
}
