/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frames, one after the other: every pointer handed out lies in the frame or in what was rebuilt,
 * lengths agree, and the same frames give the same packets again.
 *
 * Input: a byte of flags, then frames: link type (1), length (2, big-endian), bytes.
 */
#include "dissect/dissect.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* Reads every byte, so that a sanitizer sees one that is not there. */
static uint64_t check(const struct pkt *p, uint64_t h)
{
	must(p->n_vlan <= DISSECT_VLANS && p->depth <= DISSECT_DEPTH);
	must(p->src.ver == p->ip_ver && p->dst.ver == p->ip_ver);
	must((p->ip != NULL) == (p->ip_ver != 0));
	must(p->ip_hlen <= p->ip_len);
	must(!p->fragment || (p->l4 == NULL && p->payload == NULL));
	must(!p->rebuilt || p->ip_ver != 0);
	if (p->ip != NULL)
		h = mix(h, p->ip, p->ip_len);
	if (p->l4 != NULL) {
		must(p->l4 >= p->ip + p->ip_hlen && p->l4 + p->l4_len <= p->ip + p->ip_len);
		must(p->l4_hlen <= p->l4_len);
	}
	if (p->payload != NULL)
		must(p->payload >= p->ip && p->payload + p->payload_len <= p->ip + p->ip_len);
	else
		must(p->payload_len == 0);
	if (p->tcp.sack != NULL)
		must(p->tcp.sack + p->tcp.sack_len <= p->l4 + p->l4_hlen);
	if (p->eth != NULL)
		must(p->eth >= p->frame && p->eth + 14 <= p->frame + p->frame_len);
	h = mix(h, p->events, sizeof(p->events));
	h = mix(h, &p->sport, sizeof(p->sport));
	h = mix(h, &p->payload_len, sizeof(p->payload_len));
	return mix(h, &p->proto, 1);
}

static uint64_t run(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(data, size);
	uint8_t flags = read_u8(&r);
	struct dissect_conf conf = {.checksums = flags & 1, .inline_mode = flags & 2};
	if (flags & 4) {
		conf.frag_packets = 2;
		conf.frag_bytes = 4096;
	}
	struct dissect *d;
	must(dissect_create(&conf, &d) == 0);
	uint64_t h = 1;
	for (unsigned i = 0; i < FRAMES_MAX && reader_left(&r) >= 3; i++) {
		uint16_t link = read_u8(&r), len = read_be16(&r);
		if (link == 250)
			link = LINK_SLL2;
		if (len > reader_left(&r))
			len = (uint16_t)reader_left(&r);
		const uint8_t *bytes = read_bytes(&r, len);
		uint8_t *exact = malloc(len > 0 ? len : 1);
		must(exact != NULL);
		if (len > 0)
			memcpy(exact, bytes, len);
		struct pkt p[DISSECT_PKTS];
		uint32_t n = dissect_frame(d, link, exact, len, len, i * NS_PER_SEC, i + 1, p);
		must(n >= 1 && n <= DISSECT_PKTS);
		for (uint32_t k = 0; k < n; k++)
			h = check(&p[k], h);
		free(exact);
	}
	dissect_free(&d);
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	must(run(data, size) == run(data, size));
	return 0;
}
