/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any sound TCP frame under any translation: what leaves decodes clean, its checksums are right, and what was
 * translated there comes back no further than it was.
 *
 * Input: number of edits, which function, mss (2), acknowledged (2), then per edit: off (2), len, n; then
 * the frame.
 */
#include "scrub/emit_priv.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 6u
#define EDIT 4u
#define KEPT 70000u
#define BROKEN                                                                                     \
	(ODD_TRUNC_ETH | ODD_TRUNC_IP | ODD_BAD_IP | ODD_BAD_IP_CSUM | ODD_TRUNC_L4 | ODD_BAD_L4 | \
	 ODD_FRAGMENT_SMALL | ODD_EXT_DEPTH)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void check_frame(const struct frame *f, const struct layers *l)
{
	struct layers again;
	packet_decode(f, &again);
	must((again.odd & BROKEN) == 0 && again.proto == 6 && again.l4 == l->l4);
	must(packet_checksums_ok(f, &again));
	must(again.l3_end <= f->len && f->len <= f->cap);
}

static void check_ways(const struct xlate *x)
{
	int64_t last = INT64_MIN, back = INT64_MIN;
	for (int64_t in = 0; in < 2000; in += 7) {
		int64_t out = xlate_out(x, in), again = xlate_in(x, out);
		must(out >= last && again >= back && again <= xlate_emitted(x));
		must(xlate_out(x, again) <= out || again <= xlate_in(x, xlate_out_acked(x)));
		last = out;
		back = again;
	}
}

static struct xlate *translation(struct slab *slab, const uint8_t **at, const uint8_t *end,
				 unsigned n, int64_t acked)
{
	static const uint8_t bytes[256];
	struct xlate *x;
	must(xlate_create(slab, 1000, 0, &x) == 0);
	for (unsigned i = 0; i < n && end - *at >= (ptrdiff_t)EDIT; i++, *at += EDIT) {
		const uint8_t *p = *at;
		int err = xlate_edit(x, load_be16(p) % 4096, p[2], bytes, p[3]);
		must(err == 0 || err == SKEP_ERANGE);
		if (i == n / 2)
			xlate_emit(x, load_be16(p) % 2048);
	}
	xlate_emit(x, KEPT - 1000);
	xlate_acked(x, acked);
	check_ways(x);
	return x;
}

static void stream(struct emit *e, const struct frame *f, const struct layers *l,
		   const struct xlate *x, uint16_t mss)
{
	static uint8_t kept[KEPT];
	struct emit_what w = {.x = x, .kept = {0, kept, KEPT}, .push = true, .mss = mss};
	struct frame **list;
	int64_t from = xlate_seq_off(x, l->seq), done;
	if (from < 0 || from > 60000)
		from = 0;
	xlate_span(x, from, from + (l->l3_end - l->payload), &w.from, &w.to);
	int err = emit_stream(e, f, l, &w, &done);
	must(err == 0 || err == SKEP_EFULL || (err == SKEP_EFORMAT && l->fragment) ||
	     l->payload - l->l3 > 30000);
	must(done <= w.to && done >= w.from);
	for (uint32_t i = 0, n = emit_frames(e, &list); i < n; i++)
		check_frame(list[i], l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	const uint8_t *at = data + HEAD, *end = data + size;
	struct slab *slab;
	must(slab_create(8 << 20, &slab) == 0);
	struct xlate *x = translation(slab, &at, end, data[0] & 31, load_be16(data + 4));
	struct frame f = {.len = (uint32_t)(end - at), .cap = FRAME_MAX};
	struct layers l;
	f.data = malloc(FRAME_MAX);
	if (f.len > 0 && f.len <= FRAME_MAX)
		memcpy(f.data, at, f.len);
	else
		f.len = 0;
	if (data[1] & 8) /* as a card's offloads have it; its place is decode's to check */
		f.vnet = (struct vnet){1, 0, 0, 0, 34, 16};
	packet_decode(&f, &l);
	struct emit *e;
	must(emit_create(&e) == 0);
	if (l.proto == 6 && l.l4 != 0 && !l.fragment && (l.odd & BROKEN) == 0 &&
	    packet_checksums_ok(&f, &l)) {
		emit_headers(&f, &l, data[1] & 16 ? x : NULL, data[1] & 32 ? x : NULL);
		check_frame(&f, &l);
		uint32_t len = l.l3_end - l.payload;
		stream(e, &f, &l, x, load_be16(data + 2));
		if ((data[1] & 3) == 0)
			emit_cut(&f, &l, load_be16(data + 2), len / 2);
		else if ((data[1] & 3) == 1)
			emit_probe(&f, &l, x);
		else if ((data[1] & 3) == 2)
			emit_reset(&f, &l, 5);
		check_frame(&f, &l);
	}
	emit_free(&e);
	xlate_free(&x);
	slab_free_all(&slab);
	free(f.data);
	return 0;
}
