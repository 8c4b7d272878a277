/* SPDX-License-Identifier: BSD-2-Clause */
/* scrub, inside: what its files share. */
#ifndef SKEP_SCRUB_PRIV_H
#define SKEP_SCRUB_PRIV_H

#include "scrub/scrub.h"

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };
#define TCP_HLEN 20u

struct scrub {
	struct scrub_conf conf;
	struct inspect *inspect;
	struct scrub_stats stats;
	/* ---- the frame in hand ---- */
	const struct frame *f;
	const struct layers *l;
	struct scrub_seen *seen;
	bool whole;   /* a packet with its transport header was looked at */
	bool patched; /* payload holds what is to leave instead of the frame's */
	uint32_t payload_len;
	uint8_t payload[FRAME_MAX];
	struct frame *out[SCRUB_FRAMES];
};

#endif
