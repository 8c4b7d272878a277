/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hangs at the uplink itself. On its way in a frame meets XDP, then tcx, then filters of traffic control
 * by their order, and only then nftables' netdev hooks and the stack: what comes before ours may
 * take what is the honeynet's.
 */
#include "site/site_priv.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS, of newer headers */
#define TCX_EGRESS 47
#define OURS "skep" /* how names of our own programs begin */
#define OUR_PREF 1  /* ours end the search for what is the honeynet's: later ones don't matter */

struct place {
	struct list *l;
	const char *uplink;
	bool egress;
};

struct site_finding *finding_add(struct list *l, enum site_finding_kind kind)
{
	if (l->n == l->max)
		return NULL;
	struct site_finding *x = &l->at[l->n++];
	*x = (struct site_finding){.kind = (uint8_t)kind};
	return x;
}

static struct site_finding *in_way(struct place *p)
{
	struct site_finding *x = finding_add(p->l, SITE_PROGRAM);
	if (x != NULL)
		x->in_way = 1;
	return x;
}

/* ---- XDP ------------------------------------------------------------------------------------- */

static void look_at_link(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct place *p = ctx;
	struct attrs a, xdp;
	size_t head = NLMSG_ALIGN(sizeof(struct ifinfomsg));
	if (h->nlmsg_type != RTM_NEWLINK || len < head)
		return;
	attrs_read(&a, (const uint8_t *)body + head, len - head);
	if (a.at[IFLA_XDP] == NULL)
		return;
	attrs_read(&xdp, RTA_DATA(a.at[IFLA_XDP]), RTA_PAYLOAD(a.at[IFLA_XDP]));
	const struct rtattr *mode = xdp.at[IFLA_XDP_ATTACHED];
	uint8_t attached = 0;
	if (mode != NULL && RTA_PAYLOAD(mode) >= 1)
		memcpy(&attached, RTA_DATA(mode), 1);
	struct site_finding *x = attached != XDP_ATTACHED_NONE ? in_way(p) : NULL;
	if (x == NULL)
		return;
	snprintf(x->name, sizeof(x->name), "XDP program %u", attr_u32(&xdp, IFLA_XDP_PROG_ID));
	text_copy(x->what, sizeof(x->what),
		  "sees every frame before us, and may drop or take what is the honeynet's");
	snprintf(x->cure, sizeof(x->cure), "ip link set dev %s xdp off", p->uplink);
}

static int find_xdp(struct place *p, uint32_t link)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETLINK,
		     .nlmsg_flags = NLM_F_REQUEST},
	       .m = {.ifi_index = (int)link}};
	return netlink_ask(&q.h, look_at_link, p);
}

/* ---- traffic control ----------------------------------------------------------------------- */

static void kind_of(const struct attrs *a, char kind[16])
{
	size_t n = a->at[TCA_KIND] != NULL ? RTA_PAYLOAD(a->at[TCA_KIND]) : 0;
	n = n > 15 ? 15 : n;
	memcpy(kind, n > 0 ? RTA_DATA(a->at[TCA_KIND]) : "", n);
	kind[n] = '\0';
}

/* Name of a BPF classifier's program; printable. */
static void program_name(const struct attrs *a, const char *kind, struct writer *w)
{
	struct attrs options;
	if (a->at[TCA_OPTIONS] == NULL || strcmp(kind, "bpf") != 0)
		return;
	attrs_read(&options, RTA_DATA(a->at[TCA_OPTIONS]), RTA_PAYLOAD(a->at[TCA_OPTIONS]));
	const struct rtattr *name = options.at[TCA_BPF_NAME];
	if (name != NULL)
		write_escaped(w, RTA_DATA(name), strnlen(RTA_DATA(name), RTA_PAYLOAD(name)));
}

static void look_at_filter(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct place *p = ctx;
	const struct tcmsg *m = body;
	struct attrs a;
	char kind[16], name[32];
	struct writer w = writer_of(name, sizeof(name));
	if (h->nlmsg_type != RTM_NEWTFILTER || len < sizeof(*m) || m->tcm_handle == 0)
		return; /* handle 0: the head of a list */
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	kind_of(&a, kind);
	program_name(&a, kind, &w);
	if (strncmp(name, OURS, strlen(OURS)) == 0)
		return;
	struct site_finding *x = finding_add(p->l, SITE_PROGRAM);
	if (x == NULL)
		return;
	const char *where = p->egress ? "egress" : "ingress";
	uint32_t pref = m->tcm_info >> 16;
	snprintf(x->name, sizeof(x->name), "tc filter %s%s%s", kind, name[0] != '\0' ? " " : "",
		 name);
	x->in_way = pref <= OUR_PREF;
	if (x->in_way)
		snprintf(x->what, sizeof(x->what),
			 "of somebody else, at %s, pref %u, which is ours", where, pref);
	else
		snprintf(x->what, sizeof(x->what),
			 "at %s, pref %u: comes after ours and sees the host's frames as before",
			 where, pref);
	if (x->in_way)
		snprintf(x->cure, sizeof(x->cure), "tc filter del dev %s %s pref %u", p->uplink,
			 where, pref);
}

static int find_filters(struct place *p, uint32_t link, bool egress)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETTFILTER,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	       .m = {.tcm_ifindex = (int)link,
		     .tcm_parent =
			     TC_H_MAKE(TC_H_CLSACT, egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS)}};
	p->egress = egress;
	return netlink_ask(&q.h, look_at_filter, p);
}

/* The older queueing discipline for ingress alone stands where ours must. */
static void look_at_qdisc(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	struct place *p = ctx;
	const struct tcmsg *m = body;
	struct attrs a;
	char kind[16];
	if (h->nlmsg_type != RTM_NEWQDISC || len < sizeof(*m) ||
	    (uint32_t)m->tcm_ifindex != if_nametoindex(p->uplink))
		return;
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	kind_of(&a, kind);
	struct site_finding *x = strcmp(kind, "ingress") == 0 ? in_way(p) : NULL;
	if (x == NULL)
		return;
	text_copy(x->name, sizeof(x->name), "qdisc ingress");
	text_copy(x->what, sizeof(x->what), "stands where clsact must, which has both directions");
	snprintf(x->cure, sizeof(x->cure), "tc qdisc del dev %s ingress", p->uplink);
}

static int find_qdiscs(struct place *p)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETQDISC,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	return netlink_ask(&q.h, look_at_qdisc, p);
}

/* Programs of the newer kind (Linux 6.6), which come before all filters. */
static void find_tcx(struct place *p, uint32_t link, uint32_t type)
{
	union bpf_attr q = {0};
	q.query.target_fd = link; /* the index, for these types */
	q.query.attach_type = type;
	if (syscall(SYS_bpf, BPF_PROG_QUERY, &q, sizeof(q)) < 0 || q.query.prog_cnt == 0)
		return; /* also: not known to this kernel */
	struct site_finding *x = in_way(p);
	if (x == NULL)
		return;
	snprintf(x->name, sizeof(x->name), "tcx at %s", type == TCX_INGRESS ? "ingress" : "egress");
	snprintf(x->what, sizeof(x->what),
		 "%u program%s of somebody else come%s before all filters, also ours",
		 q.query.prog_cnt, q.query.prog_cnt == 1 ? "" : "s",
		 q.query.prog_cnt == 1 ? "s" : "");
	snprintf(x->cure, sizeof(x->cure), "bpftool net detach tcx_%s dev %s",
		 type == TCX_INGRESS ? "ingress" : "egress", p->uplink);
}

int site_findings(const char *uplink, struct site_finding *ret, size_t max, size_t *ret_n)
{
	struct list l = {ret, max, 0};
	struct place p = {.l = &l, .uplink = uplink};
	uint32_t link = if_nametoindex(uplink);
	if (link == 0)
		return -ENODEV;
	find_firewalls(&l);
	int err = find_xdp(&p, link);
	find_tcx(&p, link, TCX_INGRESS);
	find_tcx(&p, link, TCX_EGRESS);
	if (err == 0)
		err = find_qdiscs(&p);
	/* Without a queueing discipline of that kind there are no filters, and no such parent. */
	for (int egress = 0; egress < 2 && err == 0; egress++) {
		err = find_filters(&p, link, egress);
		if (err == -EINVAL || err == -ENOENT)
			err = 0;
	}
	if (err == 0)
		*ret_n = l.n;
	return err;
}
