/* SPDX-License-Identifier: BSD-2-Clause */
/* judge: protections that a test can leave out. A part of judge_priv.h, which includes it. */
#ifndef SKEP_WEAKEN_PRIV_H
#define SKEP_WEAKEN_PRIV_H

#include "judge/judge_priv.h"

/* Protections that the test build skep-weak can leave out, one by one (SKEP_TEST_WEAKEN, weaken.c), so that a
 * test sees that the proof of containment notices. In any other build they are all there, always. */
enum weak {
	WEAK_SPOOF_MAC,
	WEAK_SPOOF_ADDR,
	WEAK_OFF_LIMITS,
	WEAK_LIMITS,
	WEAK_FRAGMENTS,
	WEAK_CHECKSUM,
	WEAK_VLAN,
	WEAK_ETHERTYPE,
	WEAK_MULTICAST,
	WEAK_NOT_FOR_US,
	WEAK_LATERAL,
	WEAK_LOGHOST,
	WEAK_CAPS,
	WEAK_TCP_STATE,
	WEAK_TTL,
	WEAK_ICMP_TYPE,
	WEAK_NEIGH,
	WEAK_MALFORMED,
	WEAK_SMTP,
	WEAK_INBOUND,
	WEAK_RULES,
	WEAK_FENCE,
	WEAK_IGNORE,
	WEAK_ROACH_MOTEL,
	WEAK_LOCKDOWN,
	WEAK_POLICY,
	WEAK_SINK,
	WEAKS
};

#ifdef SKEP_WEAKEN
/* The bits that SKEP_TEST_WEAKEN names. */
uint32_t weaken_asked(void);
static inline bool weak(const struct judge *j, enum weak what)
{
	return (j->weakened >> what & 1) != 0;
}
#else
static inline bool weak(const struct judge *j, enum weak what)
{
	(void)j;
	(void)what;
	return false;
}
#endif

#endif
