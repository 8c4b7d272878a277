/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Only in the test build skep-weak: which protections are left out. Never installed, never shipped.
 * The wall is started with an empty environment but for this one variable.
 */
#include "judge/judge_priv.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[WEAKS] = {
	[WEAK_SPOOF_MAC] = "spoof_mac",
	[WEAK_SPOOF_ADDR] = "spoof_addr",
	[WEAK_OFF_LIMITS] = "off_limits",
	[WEAK_LIMITS] = "limits",
	[WEAK_FRAGMENTS] = "fragments",
	[WEAK_CHECKSUM] = "checksum",
	[WEAK_VLAN] = "vlan",
	[WEAK_ETHERTYPE] = "ethertype",
	[WEAK_MULTICAST] = "multicast",
	[WEAK_NOT_FOR_US] = "not_for_us",
	[WEAK_LATERAL] = "lateral",
	[WEAK_LOGHOST] = "loghost",
	[WEAK_CAPS] = "caps",
	[WEAK_TCP_STATE] = "tcp_state",
	[WEAK_TTL] = "ttl",
	[WEAK_ICMP_TYPE] = "icmp_type",
	[WEAK_NEIGH] = "neigh",
	[WEAK_MALFORMED] = "malformed",
	[WEAK_SMTP] = "smtp",
	[WEAK_INBOUND] = "inbound",
	[WEAK_RULES] = "rules",
	[WEAK_FENCE] = "fence",
	[WEAK_IGNORE] = "ignore",
	[WEAK_ROACH_MOTEL] = "roach_motel",
	[WEAK_LOCKDOWN] = "lockdown",
	[WEAK_POLICY] = "policy",
	[WEAK_SINK] = "sink",
};

uint32_t weaken_asked(void)
{
	const char *asked = getenv("SKEP_TEST_WEAKEN");
	uint32_t bits = 0;
	while (asked != NULL && *asked != '\0') {
		size_t len = strcspn(asked, ",");
		for (unsigned i = 0; i < WEAKS; i++)
			if (strlen(names[i]) == len && strncmp(names[i], asked, len) == 0)
				bits |= UINT32_C(1) << i;
		asked += len + (asked[len] == ',');
	}
	return bits;
}
