/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a frame is, as far as steering needs to know. Compiled into the programs of the kernel, and
 * for the fuzzer and the unit tests. Every byte is hostile: each read is bounded by the frame, the walk
 * through extension headers by a number.
 */
#ifndef SKEP_STEER_PARSE_H
#define SKEP_STEER_PARSE_H

#include "steer/seen.h"

#ifdef __bpf__
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#else
struct __sk_buff { /* stands for the kernel's */
	const __u8 *bytes;
	__u32 len;
};
#endif

#define PARSE_EXTENSIONS 8
#define PARSE_ETHERNET 14

static inline int seen_load(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
#ifdef __bpf__
	return bpf_skb_load_bytes(skb, at, to, n);
#else
	if (at > skb->len || n > skb->len - at)
		return -1;
	__builtin_memcpy(to, skb->bytes + at, n);
	return 0;
#endif
}

static inline __u16 seen_be16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

static inline void seen_v4(struct steer_addr *to, const __u8 *four)
{
	__builtin_memset(to, 0, sizeof(*to));
	__builtin_memcpy(to->b, four, 4);
	to->ver = 4;
}

static inline void seen_v6(struct steer_addr *to, const __u8 *sixteen)
{
	__builtin_memset(to, 0, sizeof(*to));
	__builtin_memcpy(to->b, sixteen, 16);
	to->ver = 6;
}

/* Steps over extension headers; *at is where the next header begins, s->proto what it is. */
static inline int seen_walk(struct __sk_buff *skb, __u32 *at, struct seen *s)
{
	__u8 x[8];
#ifdef __bpf__ /* Linux 6.1 knows loops, but not each one that has a call in it */
#pragma clang loop unroll(full)
#endif
	for (int i = 0; i <= PARSE_EXTENSIONS; i++) {
		if (!seen_is_extension(s->proto) || s->part == PART_LATER)
			return 0;
		if (i == PARSE_EXTENSIONS || seen_load(skb, *at, x, sizeof(x)) != 0)
			return -1;
		if (s->proto == 44) {
			s->id = (__u32)seen_be16(x + 4) << 16 | seen_be16(x + 6);
			if ((seen_be16(x + 2) & 0xfff8) != 0)
				s->part = PART_LATER;
			else if (x[3] & 1)
				s->part = PART_FIRST;
		}
		*at += seen_extension_len(s->proto, x[1]);
		s->proto = x[0];
	}
	return -1;
}

static inline void seen_l4(struct __sk_buff *skb, struct seen *s)
{
	__u8 b[8];
	if (s->part == PART_LATER)
		return;
	if (s->proto == PROTO_TCP || s->proto == PROTO_UDP) {
		s->no_l4 = seen_load(skb, s->l4, b, 4) != 0;
		if (s->no_l4)
			return;
		s->sport = seen_be16(b);
		s->dport = seen_be16(b + 2);
	} else if (s->proto == PROTO_ICMP || s->proto == PROTO_ICMP6) {
		s->no_l4 = seen_load(skb, s->l4, b, 8) != 0;
		if (s->no_l4)
			return;
		s->type = b[0];
		s->echo_id = seen_be16(b + 4);
	}
}

/* An IP packet at an offset: of a frame, or quoted in an error. */
static inline void seen_ip(struct __sk_buff *skb, __u32 at, struct seen *s)
{
	__u8 h[40];
	s->what = SEEN_BROKEN;
	if (seen_load(skb, at, h, 20) != 0)
		return;
	if (h[0] >> 4 == 4) {
		__u16 part = seen_be16(h + 6);
		__u32 header = (h[0] & 15u) * 4;
		if (header < 20)
			return;
		seen_v4(&s->src, h + 12);
		seen_v4(&s->dst, h + 16);
		s->proto = h[9];
		s->id = seen_be16(h + 4);
		s->part = part & 0x1fff ? PART_LATER : part & 0x2000 ? PART_FIRST : PART_WHOLE;
		s->l4 = at + header;
	} else if (h[0] >> 4 == 6) {
		if (seen_load(skb, at, h, 40) != 0)
			return;
		seen_v6(&s->src, h + 8);
		seen_v6(&s->dst, h + 24);
		s->proto = h[6];
		at += 40;
		s->no_l4 = seen_walk(skb, &at, s) != 0;
		s->l4 = at;
	} else {
		return;
	}
	s->what = SEEN_IP;
	if (!s->no_l4)
		seen_l4(skb, s);
}

static inline void seen_arp(struct __sk_buff *skb, struct seen *s)
{
	__u8 a[28];
	s->what = SEEN_BROKEN;
	if (seen_load(skb, PARSE_ETHERNET, a, sizeof(a)) != 0)
		return;
	if (seen_be16(a) != 1 || seen_be16(a + 2) != 0x0800 || a[4] != 6 || a[5] != 4)
		return;
	s->arp_op = seen_be16(a + 6);
	__builtin_memcpy(s->arp_mac, a + 8, 6);
	seen_v4(&s->src, a + 14);
	seen_v4(&s->dst, a + 24);
	s->what = SEEN_ARP;
}

/* Looks at an Ethernet frame. A tag inside the frame makes it SEEN_OTHER; one beside it the caller knows. */
static inline void seen_frame(struct __sk_buff *skb, struct seen *s)
{
	__u8 e[PARSE_ETHERNET];
	__builtin_memset(s, 0, sizeof(*s));
	if (seen_load(skb, 0, e, sizeof(e)) != 0)
		return;
	__builtin_memcpy(s->mac_src, e + 6, 6);
	__u16 type = seen_be16(e + 12);
	if (type == 0x0806) {
		seen_arp(skb, s);
	} else if (type == 0x0800 || type == 0x86dd) {
		seen_ip(skb, PARSE_ETHERNET, s);
		if (s->what == SEEN_IP && (s->src.ver == 4) != (type == 0x0800))
			s->what = SEEN_BROKEN;
	}
}

#endif
