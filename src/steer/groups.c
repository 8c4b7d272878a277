/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an uplink must let through besides its own frames: all (STEER_BRIDGE), or the solicitations for
 * IPv6 aliases. The latter are joined twice: at the link, so that they come in, and with the host's
 * stack, so that it reports them to switches which forward multicast only on demand; where the host
 * has no IPv6 on that link, the second fails and nothing is lost but that. Addresses, routes and
 * settings stay as they are, and the kernel takes it all back when the descriptors are closed.
 */
#include "steer/steer_priv.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int groups_open(int link, bool promiscuous, struct groups *ret)
{
	struct groups g = {.link = link, .packet = -1, .reports = -1};
	struct packet_mreq m = {.mr_ifindex = link, .mr_type = PACKET_MR_PROMISC};
	/* Protocol 0: it receives nothing, it only holds memberships. */
	g.packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (g.packet < 0)
		return -errno;
	if (promiscuous &&
	    setsockopt(g.packet, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)) < 0) {
		int err = -errno;
		fd_close(&g.packet);
		return err;
	}
	g.reports = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*ret = g;
	return 0;
}

void groups_close(struct groups *g)
{
	fd_close(&g->packet);
	fd_close(&g->reports);
}

/* The solicited-node group depends on the last three bytes only. */
static bool same_group(const struct addr *a, const struct addr *b)
{
	return b->ver == 6 && memcmp(a->b + 13, b->b + 13, 3) == 0;
}

/* Is there an address of a's group among the first n aliases of the plan? */
static bool has_group(const struct steer_plan *plan, uint32_t n, const struct addr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (same_group(a, &plan->alias[i]))
			return true;
	return false;
}

static int member(const struct groups *g, const struct addr *a, bool join)
{
	struct packet_mreq m = {.mr_ifindex = g->link,
				.mr_type = PACKET_MR_MULTICAST,
				.mr_alen = 6,
				.mr_address = {0x33, 0x33, 0xff, a->b[13], a->b[14], a->b[15]}};
	struct ipv6_mreq m6 = {.ipv6mr_interface = (unsigned)g->link};
	memcpy(m6.ipv6mr_multiaddr.s6_addr, (uint8_t[13]){0xff, 2, [11] = 1, [12] = 0xff}, 13);
	memcpy(m6.ipv6mr_multiaddr.s6_addr + 13, a->b + 13, 3);
	if (g->reports >= 0)
		(void)setsockopt(g->reports, IPPROTO_IPV6,
				 join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &m6, sizeof(m6));
	if (setsockopt(g->packet, SOL_PACKET, join ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP,
		       &m, sizeof(m)) < 0)
		return -errno;
	return 0;
}

/* Each group once: for the first alias of it in a, if b has none. */
static int all_members(const struct groups *g, const struct steer_plan *a,
		       const struct steer_plan *b, bool join)
{
	int err = 0;
	for (uint32_t i = 0; i < a->n_alias; i++) {
		const struct addr *x = &a->alias[i];
		if (x->ver != 6 || has_group(a, i, x) || has_group(b, b->n_alias, x))
			continue;
		int e = member(g, x, join);
		err = e == 0 ? err : e;
	}
	return err;
}

int groups_change(const struct groups *g, const struct steer_plan *before,
		  const struct steer_plan *now)
{
	int err = all_members(g, now, before, true);
	int e = all_members(g, before, now, false);
	return err != 0 ? err : e;
}
