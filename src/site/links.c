/* SPDX-License-Identifier: BSD-2-Clause */
/* Links, addresses, default routes and neighbours, as rtnetlink tells them. */
#include "site/site_priv.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

/* ---- links --------------------------------------------------------------------------------- */

static void copy_text(char *dst, size_t size, const struct rtattr *a)
{
	size_t n = a != NULL ? strnlen(RTA_DATA(a), RTA_PAYLOAD(a)) : 0;
	if (n >= size)
		n = size - 1;
	if (n > 0)
		memcpy(dst, RTA_DATA(a), n);
	dst[n] = '\0';
}

static void add_link(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct site *s = ctx;
	const struct ifinfomsg *m = body;
	struct attrs a, info;
	if (h->nlmsg_type != RTM_NEWLINK || len < sizeof(*m))
		return;
	if (s->n_links == SITE_LINKS) {
		s->truncated = 1;
		return;
	}
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	struct site_link *l = &s->links[s->n_links++];
	*l = (struct site_link){.index = (uint32_t)m->ifi_index,
				.master = attr_u32(&a, IFLA_MASTER),
				.mtu = attr_u32(&a, IFLA_MTU),
				.up = (m->ifi_flags & (IFF_UP | IFF_RUNNING)) ==
				      (IFF_UP | IFF_RUNNING),
				.no_carrier = (m->ifi_flags & (IFF_UP | IFF_RUNNING)) == IFF_UP,
				.loopback = (m->ifi_flags & IFF_LOOPBACK) != 0};
	copy_text(l->name, sizeof(l->name), a.at[IFLA_IFNAME]);
	const struct rtattr *mac = a.at[IFLA_ADDRESS];
	if (m->ifi_type == ARPHRD_ETHER && mac != NULL && RTA_PAYLOAD(mac) == sizeof(l->mac)) {
		l->ethernet = 1;
		memcpy(&l->mac, RTA_DATA(mac), sizeof(l->mac));
	}
	if (a.at[IFLA_LINKINFO] == NULL)
		return;
	attrs_read(&info, RTA_DATA(a.at[IFLA_LINKINFO]), RTA_PAYLOAD(a.at[IFLA_LINKINFO]));
	copy_text(l->kind, sizeof(l->kind), info.at[IFLA_INFO_KIND]);
	/* Of a veth it is the other end, with a number of another namespace it is no link of here. */
	if (strcmp(l->kind, "veth") != 0 && a.at[IFLA_LINK_NETNSID] == NULL)
		l->lower = attr_u32(&a, IFLA_LINK);
}

int survey_links(struct site *s)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETLINK,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	return netlink_ask(&q.h, add_link, s);
}

/* ---- addresses ----------------------------------------------------------------------------- */

static bool link_local(const struct addr *a)
{
	if (a->ver == 4)
		return a->b[0] == 169 && a->b[1] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static void add_address(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct site *s = ctx;
	const struct ifaddrmsg *m = body;
	struct attrs a;
	if (h->nlmsg_type != RTM_NEWADDR || len < sizeof(*m))
		return;
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	struct addr own = attr_addr(&a, IFA_LOCAL, m->ifa_family);
	if (own.ver == 0)
		own = attr_addr(&a, IFA_ADDRESS, m->ifa_family);
	if (own.ver == 0 || m->ifa_prefixlen > (own.ver == 4 ? 32 : 128))
		return;
	if (s->n_addresses == SITE_ADDRESSES) {
		s->truncated = 1;
		return;
	}
	uint32_t flags = a.at[IFA_FLAGS] != NULL ? attr_u32(&a, IFA_FLAGS) : m->ifa_flags;
	s->addresses[s->n_addresses++] = (struct site_address){
		.prefix = {own, m->ifa_prefixlen},
		.link = m->ifa_index,
		.dynamic = (flags & IFA_F_PERMANENT) == 0,
		.temporary = own.ver == 6 && (flags & IFA_F_TEMPORARY) != 0,
		.link_local = link_local(&own),
		.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0,
	};
}

int survey_addresses(struct site *s)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETADDR,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	return netlink_ask(&q.h, add_address, s);
}

/* ---- default routes ------------------------------------------------------------------------ */

struct best { /* the default route of each kind with the least metric */
	struct site *site;
	uint32_t metric, metric6;
};

/* RTA_VIA: a gateway of the other family (IPv4 by an IPv6 router). */
static struct addr via(const struct attrs *a, uint8_t family)
{
	struct addr gateway = attr_addr(a, RTA_GATEWAY, family);
	const struct rtattr *r = a->at[RTA_VIA];
	struct rtvia v;
	if (gateway.ver != 0 || r == NULL || RTA_PAYLOAD(r) < sizeof(v) + 16)
		return gateway;
	memcpy(&v, RTA_DATA(r), sizeof(v));
	return v.rtvia_family == AF_INET6 ? addr_from_v6((uint8_t *)RTA_DATA(r) + sizeof(v))
					  : gateway;
}

/* Of several next hops the first. */
static struct addr next_hop(const struct attrs *a, uint8_t family, uint32_t *ret_link)
{
	const struct rtattr *many = a->at[RTA_MULTIPATH];
	struct rtnexthop hop;
	struct attrs inner;
	*ret_link = attr_u32(a, RTA_OIF);
	if (many == NULL || RTA_PAYLOAD(many) < sizeof(hop))
		return via(a, family);
	memcpy(&hop, RTA_DATA(many), sizeof(hop));
	if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > RTA_PAYLOAD(many))
		return (struct addr){0};
	*ret_link = (uint32_t)hop.rtnh_ifindex;
	attrs_read(&inner, (uint8_t *)RTA_DATA(many) + sizeof(hop), hop.rtnh_len - sizeof(hop));
	return via(&inner, family);
}

static void look_at_route(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct best *b = ctx;
	const struct rtmsg *m = body;
	struct attrs a;
	uint32_t link;
	if (h->nlmsg_type != RTM_NEWROUTE || len < sizeof(*m) || m->rtm_dst_len != 0 ||
	    m->rtm_type != RTN_UNICAST || (m->rtm_flags & RTNH_F_DEAD) != 0)
		return;
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	uint32_t table = a.at[RTA_TABLE] != NULL ? attr_u32(&a, RTA_TABLE) : m->rtm_table;
	struct addr gateway = next_hop(&a, m->rtm_family, &link);
	uint32_t metric = attr_u32(&a, RTA_PRIORITY);
	bool six = m->rtm_family == AF_INET6;
	if (table != RT_TABLE_MAIN || link == 0 || (!six && m->rtm_family != AF_INET) ||
	    metric >= (six ? b->metric6 : b->metric))
		return;
	*(six ? &b->metric6 : &b->metric) = metric;
	*(six ? &b->site->uplink6 : &b->site->uplink) = link;
	*(six ? &b->site->gateway6 : &b->site->gateway) = gateway;
}

int survey_routes(struct site *s)
{
	struct best b = {.site = s, .metric = UINT32_MAX, .metric6 = UINT32_MAX};
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETROUTE,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	return netlink_ask(&q.h, look_at_route, &b);
}

/* ---- neighbours ---------------------------------------------------------------------------- */

struct neighbour_query {
	struct nlmsghdr h;
	struct ndmsg m;
	struct rtattr dst;
	uint8_t addr[16];
};

struct neighbour {
	bool known, stale;
	struct mac mac;
};

static struct neighbour_query query(uint16_t type, uint32_t link, const struct addr *a)
{
	size_t n = a->ver == 4 ? 4 : 16;
	struct neighbour_query q = {
		.h = {.nlmsg_len = (uint32_t)(offsetof(struct neighbour_query, addr) + n),
		      .nlmsg_type = type,
		      .nlmsg_flags = NLM_F_REQUEST},
		.m = {.ndm_family = a->ver == 4 ? AF_INET : AF_INET6, .ndm_ifindex = (int)link},
		.dst = {.rta_type = NDA_DST, .rta_len = (uint16_t)RTA_LENGTH(n)},
	};
	memcpy(q.addr, a->b, n);
	return q;
}

static void look_at_neighbour(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct neighbour *n = ctx;
	const struct ndmsg *m = body;
	struct attrs a;
	if (h->nlmsg_type != RTM_NEWNEIGH || len < sizeof(*m) ||
	    (m->ndm_state &
	     (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)) == 0)
		return;
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	const struct rtattr *mac = a.at[NDA_LLADDR];
	if (mac == NULL || RTA_PAYLOAD(mac) != sizeof(n->mac))
		return;
	memcpy(&n->mac, RTA_DATA(mac), sizeof(n->mac));
	n->known = true;
	n->stale = m->ndm_state == NUD_STALE;
}

static void ignore(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	(void)ctx, (void)h, (void)body, (void)len;
}

static int find_neighbour(uint32_t link, const struct addr *a, struct neighbour *ret)
{
	struct neighbour n = {0};
	if (link == 0 || (a->ver != 4 && a->ver != 6))
		return -EINVAL;
	struct neighbour_query q = query(RTM_GETNEIGH, link, a);
	int err = netlink_ask(&q.h, look_at_neighbour, &n);
	if (err != 0 && err != -ENOENT)
		return err;
	*ret = n;
	return n.known ? 0 : -EAGAIN;
}

int site_neighbour_known(uint32_t link, const struct addr *a, struct mac *ret)
{
	struct neighbour n;
	int err = find_neighbour(link, a, &n);
	if (err == 0)
		*ret = n.mac;
	return err;
}

int site_neighbour(uint32_t link, const struct addr *a, struct mac *ret)
{
	struct neighbour n = {0};
	int known = find_neighbour(link, a, &n), err;
	if (known == 0)
		*ret = n.mac;
	if (known != -EAGAIN && !n.stale)
		return known;
	/* "Use it": the kernel asks for it now, whatever a firewall thinks of datagrams. (Not what an operator
	 * wrote down: that would make it forget that it is for ever.) */
	struct neighbour_query q = query(RTM_NEWNEIGH, link, a);
	q.h.nlmsg_flags |= NLM_F_CREATE | NLM_F_ACK;
	q.m.ndm_flags = NTF_USE;
	q.m.ndm_state = NUD_NONE;
	err = netlink_ask(&q.h, ignore, NULL);
	return known == 0 || err == 0 || err == -EPERM ? known : err;
}
