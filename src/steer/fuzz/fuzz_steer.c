/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frame through the parser that runs in the kernel: what it claims to have read lies inside the frame, and
 * of a frame that the wall's own decoder finds nothing odd with, both say the same.
 */
#include "packet/packet.h"
#include "steer/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void check_inside(const struct seen *s, uint32_t len)
{
	if (s->what != SEEN_IP || s->no_l4 || s->part == PART_LATER)
		return;
	uint32_t least = s->proto == PROTO_TCP || s->proto == PROTO_UDP      ? 4
			 : s->proto == PROTO_ICMP || s->proto == PROTO_ICMP6 ? 8
									     : 0;
	must(s->l4 >= PARSE_ETHERNET + 20);
	must(least == 0 || s->l4 + least <= len);
}

static bool same_addr(const struct steer_addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*b)) == 0;
}

static void check_same(const struct seen *s, const struct layers *l)
{
	if (l->odd != 0 || l->ip_ver == 0)
		return;
	must(s->what == SEEN_IP);
	must(same_addr(&s->src, &l->src) && same_addr(&s->dst, &l->dst));
	must(s->proto == l->proto);
	if (s->no_l4 || s->part == PART_LATER)
		return;
	if (l->l4 != 0 && (l->proto == PROTO_TCP || l->proto == PROTO_UDP))
		must(s->l4 == l->l4 && s->sport == l->sport && s->dport == l->dport);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t copy[FRAME_MAX];
	if (size > sizeof(copy))
		return 0;
	struct __sk_buff skb = {data, (uint32_t)size};
	struct seen s, q;
	seen_frame(&skb, &s);
	check_inside(&s, skb.len);
	(void)seen_is_link(&s);
	if (seen_is_error(&s)) {
		memset(&q, 0, sizeof(q));
		seen_ip(&skb, s.l4 + 8, &q);
		check_inside(&q, skb.len);
	}
	memcpy(copy, data, size);
	struct frame f = {.data = copy, .len = (uint32_t)size, .cap = sizeof(copy)};
	struct layers l;
	packet_decode(&f, &l);
	check_same(&s, &l);
	return 0;
}
