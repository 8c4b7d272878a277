/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where no guest may go, whatever the budget says: places that are somebody's inside. The ranges are
 * sorted and joined once; a look-up is a binary search.
 */
#include "policy/policy.h"

#include <string.h>

static const char *const built_in[] = {
	"0.0.0.0/8",       /* this network */
	"10.0.0.0/8",      /* private */
	"100.64.0.0/10",   /* carrier-grade NAT: also some clouds' metadata */
	"127.0.0.0/8",     /* loopback */
	"169.254.0.0/16",  /* link-local, 169.254.169.254 metadata included */
	"172.16.0.0/12",   /* private */
	"192.0.0.0/24",    /* protocol assignments */
	"192.88.99.0/24",  /* 6to4 relays */
	"192.168.0.0/16",  /* private */
	"198.18.0.0/15",   /* benchmarks */
	"224.0.0.0/4",     /* multicast */
	"240.0.0.0/4",     /* reserved, broadcast */
	"::/96",           /* unspecified, loopback, IPv4-compatible */
	"::ffff:0:0/96",   /* IPv4-mapped */
	"::ffff:0:0:0/96", /* IPv4-translated */
	"64:ff9b::/96",    /* NAT64 */
	"64:ff9b:1::/48",  /* NAT64, local */
	"100::/64",        /* discard */
	"2001::/32",       /* Teredo */
	"2001:10::/28",    /* ORCHID */
	"2002::/16",       /* 6to4 */
	"5f00::/16",       /* segment routing */
	"fc00::/7",        /* unique local, fd00:ec2::254 metadata included */
	"fe80::/10",       /* link-local */
	"fec0::/10",       /* site-local */
	"ff00::/8",        /* multicast */
};

static struct policy_range range_of(const struct prefix *p)
{
	struct policy_range r;
	unsigned bytes = p->addr.ver == 4 ? 4 : 16;
	memset(&r, 0, sizeof(r));
	for (unsigned i = 0; i < bytes; i++) {
		unsigned bits = p->len >= (i + 1) * 8 ? 8 : p->len > i * 8 ? p->len - i * 8 : 0;
		uint8_t host = (uint8_t)(0xff >> bits);
		r.lo[i] = p->addr.b[i] & (uint8_t)~host;
		r.hi[i] = r.lo[i] | host;
	}
	return r;
}

/* Adds and keeps the list sorted by start; joins follow once all are in. */
static void add(struct policy_off_limits *o, const struct prefix *p)
{
	if (p->addr.ver != 4 && p->addr.ver != 6)
		return;
	unsigned v = p->addr.ver == 6;
	struct policy_range r = range_of(p), *list = o->range[v];
	if (o->n[v] == POLICY_RANGES)
		return;
	uint32_t at = o->n[v]++;
	while (at > 0 && memcmp(list[at - 1].lo, r.lo, sizeof(r.lo)) > 0) {
		list[at] = list[at - 1];
		at--;
	}
	list[at] = r;
}

static void join(struct policy_off_limits *o, unsigned v)
{
	struct policy_range *list = o->range[v];
	uint32_t n = 0;
	for (uint32_t i = 0; i < o->n[v]; i++) {
		if (n > 0 && memcmp(list[i].lo, list[n - 1].hi, sizeof(list[i].lo)) <= 0) {
			if (memcmp(list[i].hi, list[n - 1].hi, sizeof(list[i].hi)) > 0)
				memcpy(list[n - 1].hi, list[i].hi, sizeof(list[i].hi));
		} else {
			list[n++] = list[i];
		}
	}
	o->n[v] = n;
}

void policy_off_limits_make(const struct conf_wall *wall, const struct prefix *host, size_t n_host,
			    struct policy_off_limits *ret)
{
	_Static_assert(ARRAY_LEN(built_in) + 2 * CONF_PREFIXES <= POLICY_RANGES, "all fit");
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
		struct prefix p;
		if (prefix_parse(built_in[i], &p) == 0)
			add(ret, &p);
	}
	for (uint32_t i = 0; i < wall->n_off_limits && i < CONF_PREFIXES; i++)
		add(ret, &wall->off_limits[i]);
	for (size_t i = 0; i < n_host && i < CONF_PREFIXES; i++)
		add(ret, &host[i]);
	join(ret, 0);
	join(ret, 1);
	for (uint32_t i = 0; i < wall->n_allowed && i < CONF_PREFIXES; i++)
		ret->allowed[ret->n_allowed++] = wall->allowed[i];
}

static bool in_ranges(const struct policy_range *list, uint32_t n, const uint8_t b[16])
{
	uint32_t lo = 0, hi = n; /* the last range that starts at or before b is below lo */
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (memcmp(list[mid].lo, b, 16) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && memcmp(b, list[lo - 1].hi, 16) <= 0;
}

bool policy_is_off_limits(const struct policy_off_limits *o, const struct addr *dst)
{
	if (dst->ver != 4 && dst->ver != 6)
		return true;
	for (uint32_t i = 0; i < o->n_allowed; i++)
		if (prefix_has(&o->allowed[i], dst))
			return false;
	unsigned v = dst->ver == 6;
	return in_ranges(o->range[v], o->n[v], dst->b);
}
