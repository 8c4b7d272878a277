/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rate caps. The whole state of a bucket is the moment at which it will be full again (the generic
 * cell rate algorithm): eight bytes per flow and cap, no refilling, no rounding that adds up.
 */
#include "policy/policy.h"

#define BURST_NS (NS_PER_SEC / 4)
#define ITEM_MAX (UINT64_C(1) << 32) /* n * 1e9 stays within 64 bits */

static int64_t cost_ns(uint64_t per_second, uint64_t n)
{
	if (n > ITEM_MAX)
		n = ITEM_MAX;
	return (int64_t)(n * (uint64_t)NS_PER_SEC / per_second);
}

bool policy_bucket_has(int64_t bucket_ns, uint64_t per_second, uint64_t n, int64_t now_ns)
{
	if (per_second == 0 || bucket_ns <= now_ns)
		return true;
	return bucket_ns - now_ns + cost_ns(per_second, n) <= BURST_NS;
}

bool policy_bucket_take(int64_t *bucket_ns, uint64_t per_second, uint64_t n, int64_t now_ns)
{
	if (per_second == 0)
		return true;
	if (!policy_bucket_has(*bucket_ns, per_second, n, now_ns))
		return false;
	if (*bucket_ns < now_ns)
		*bucket_ns = now_ns;
	*bucket_ns += cost_ns(per_second, n);
	return true;
}

bool policy_rate_take(int64_t *bucket_ns, int64_t price_ns, int64_t burst_ns, int64_t now_ns)
{
	int64_t from = *bucket_ns > now_ns ? *bucket_ns : now_ns;
	if (from > now_ns && from + price_ns - now_ns > burst_ns)
		return false;
	*bucket_ns = from + price_ns;
	return true;
}
