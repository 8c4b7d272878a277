/* SPDX-License-Identifier: BSD-2-Clause */
/* judge: protections by name, for the test build that leaves single ones out. */
#ifndef SKEP_JUDGE_WEAK_PRIV_H
#define SKEP_JUDGE_WEAK_PRIV_H

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
	WEAKS
};

#endif
