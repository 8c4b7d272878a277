/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs in the kernel and steer.c share: the layout of the maps. Compiled for both, so
 * nothing of libc here. Ports and ids are in host order.
 */
#ifndef SKEP_STEER_KERNEL_H
#define SKEP_STEER_KERNEL_H

#include <linux/types.h>

struct steer_addr { /* struct addr of base, byte for byte */
	__u8 b[16];
	__u8 ver;
	__u8 pad[3];
};

enum { STEER_ALIAS = 1, STEER_SHARED = 2 }; /* values of the map `own`, keyed by address */

struct steer_set { /* the one element of the map `settings` */
	__u64 silence_ns, host_idle_ns;
	__u32 bridge, inner, uplink, mark;
	__u8 mac[6]; /* the uplink's */
	__u8 pad[2];
};

struct steer_key { /* of the map `flows`: a conversation of the host; value: when it was last seen */
	struct steer_addr local, remote;
	__u16 local_port, remote_port; /* echo requests: the id, 0; other protocols: 0, 0 */
	__u8 proto;
	__u8 pad[3];
};

struct steer_part_key { /* of the map `parts`: a datagram in fragments */
	struct steer_addr src, dst;
	__u32 id;
	__u8 proto;
	__u8 pad[3];
};

struct steer_part { /* what became of its first fragment */
	__u64 seen_ns;
	__u64 wall; /* 1: from or to the wall; 0: the host's, or stopped */
};

enum { /* of the map `counters` */
       STEER_IN_WALL,
       STEER_IN_HOST,
       STEER_IN_DEAD,
       STEER_OUT_WALL,
       STEER_OUT_FENCED,
       STEER_OUT_HOST,
       STEER_OUT_STOPPED,
       STEER_COUNTERS,
};

/* Key of the map `kept`. */
static inline __u32 steer_kept_key(__u8 proto, __u16 port)
{
	return (__u32)proto << 16 | port;
}

#endif
