/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classifiers at the two sides of a link. Ours are known by priority and handle together with the
 * program's name, so a stranger's is never touched. The handle also tells whoever cleans up after a
 * killed owner whether clsact was made by it or had been there before.
 */
#include "steer/steer_priv.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define PRIORITY 1 /* before all that choose none; among equal ones the last to come is the first */
#define HANDLE_FOUND 0x5ce9
#define HANDLE_MADE 0x15ce9
#define NAME "skep_"

/* The library refuses what is not zero behind the last member, gaps too: so nothing is copied by value. */
static struct bpf_tc_hook *hook_of(struct bpf_tc_hook *h, int link, unsigned point)
{
	memset(h, 0, sizeof(*h));
	h->sz = sizeof(*h);
	h->ifindex = link;
	h->attach_point = (enum bpf_tc_attach_point)point;
	return h;
}

static struct bpf_tc_opts *opts_of(struct bpf_tc_opts *o, bool made)
{
	memset(o, 0, sizeof(*o));
	o->sz = sizeof(*o);
	o->priority = PRIORITY;
	o->handle = made ? HANDLE_MADE : HANDLE_FOUND;
	return o;
}

/* The id of the program there under one of our handles, whose it may be; 0: none. */
static uint32_t found(int link, enum bpf_tc_attach_point point, bool made)
{
	struct bpf_tc_hook h;
	struct bpf_tc_opts o;
	return bpf_tc_query(hook_of(&h, link, point), opts_of(&o, made)) == 0 ? o.prog_id : 0;
}

static bool is_skeps(uint32_t id)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	CLEANUP(fd_close) int fd = id == 0 ? -1 : bpf_prog_get_fd_by_id(id);
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
	       strncmp(info.name, NAME, strlen(NAME)) == 0;
}

static uint32_t id_of(int prog)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	return bpf_obj_get_info_by_fd(prog, &info, &size) == 0 ? info.id : 0;
}

int tc_put(struct tc_place *p)
{
	struct bpf_tc_hook h;
	struct bpf_tc_opts o;
	if (is_skeps(found(p->link->index, p->point, true)) ||
	    is_skeps(found(p->link->index, p->point, false)))
		return -EEXIST;
	opts_of(&o, p->link->made)->prog_fd = p->prog;
	int err = bpf_tc_attach(hook_of(&h, p->link->index, p->point), &o);
	p->there = err == 0;
	return err == -EEXIST ? -EBUSY : err;
}

int tc_check(const struct tc_place *p)
{
	uint32_t id = id_of(p->prog);
	if (id == 0 || found(p->link->index, p->point, p->link->made) != id)
		return -ENOENT;
	return 0;
}

static int detach(int link, enum bpf_tc_attach_point point, bool made)
{
	struct bpf_tc_hook h;
	struct bpf_tc_opts o;
	return bpf_tc_detach(hook_of(&h, link, point), opts_of(&o, made));
}

void tc_drop(struct tc_place *p)
{
	if (p->there && tc_check(p) == 0)
		(void)detach(p->link->index, p->point, p->link->made);
	p->there = false;
}

/* ---- what the kernel has on a link ------------------------------------------------------------------ */

struct answer {
	union {
		struct nlmsghdr first;
		char bytes[32768];
	} u;
	unsigned len;
};

/* Asks, and takes the first datagram of the answer: one is enough to know whether there is anything. */
static int ask(uint16_t type, uint16_t flags, int link, uint32_t parent, struct answer *ret)
{
	struct {
		struct nlmsghdr h;
		struct tcmsg t;
	} m = {.h = {.nlmsg_len = sizeof(m),
		     .nlmsg_type = type,
		     .nlmsg_flags = NLM_F_REQUEST | flags},
	       .t = {.tcm_family = AF_UNSPEC, .tcm_ifindex = link, .tcm_parent = parent}};
	struct timeval patience = {.tv_sec = 2};
	CLEANUP(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, &m, sizeof(m), 0) < 0)
		return -errno;
	ssize_t got = recv(fd, &ret->u, sizeof(ret->u), 0);
	if (got < 0)
		return -errno;
	ret->len = (unsigned)got;
	return 0;
}

/* Number of classifiers on one side, at most as many as one datagram holds; or an error. */
static int count_filters(int link, uint32_t side)
{
	struct answer a;
	int n = 0;
	int err = ask(RTM_GETTFILTER, NLM_F_DUMP, link, TC_H_MAKE(TC_H_CLSACT, side), &a);
	if (err != 0)
		return err;
	for (struct nlmsghdr *h = &a.u.first; NLMSG_OK(h, a.len); h = NLMSG_NEXT(h, a.len)) {
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		n += h->nlmsg_type == RTM_NEWTFILTER;
	}
	return n;
}

/* In its place there may be the older kind, which takes what is meant for the way out as well. */
static bool is_clsact(int link)
{
	struct answer a;
	if (ask(RTM_GETQDISC, NLM_F_ECHO, link, TC_H_CLSACT, &a) != 0)
		return false;
	struct nlmsghdr *h = &a.u.first;
	if (!NLMSG_OK(h, a.len) || h->nlmsg_type != RTM_NEWQDISC ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(struct tcmsg)))
		return false;
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(struct tcmsg)));
	struct rtattr *r = TCA_RTA(NLMSG_DATA(h));
	for (; RTA_OK(r, left); r = RTA_NEXT(r, left))
		if (r->rta_type == TCA_KIND)
			return RTA_PAYLOAD(r) == sizeof("clsact") &&
			       memcmp(RTA_DATA(r), "clsact", sizeof("clsact")) == 0;
	return false;
}

int tc_prepare(struct tc_link *l)
{
	struct bpf_tc_hook h;
	int err = bpf_tc_hook_create(hook_of(&h, l->index, BPF_TC_INGRESS | BPF_TC_EGRESS));
	l->made = err == 0;
	if (err == -EEXIST)
		return is_clsact(l->index) ? 0 : -EBUSY;
	return err;
}

static void leave(int link)
{
	struct bpf_tc_hook h;
	if (count_filters(link, TC_H_MIN_INGRESS) == 0 && count_filters(link, TC_H_MIN_EGRESS) == 0)
		(void)bpf_tc_hook_destroy(hook_of(&h, link, BPF_TC_INGRESS | BPF_TC_EGRESS));
}

void tc_leave(struct tc_link *l)
{
	if (l->made)
		leave(l->index);
	l->made = false;
}

void tc_unguard(int link)
{
	struct bpf_tc_hook h;
	struct bpf_tc_opts o;
	opts_of(&o, false)->priority = STEER_GUARD_PRIORITY;
	o.handle = STEER_GUARD_HANDLE;
	if (bpf_tc_query(hook_of(&h, link, BPF_TC_EGRESS), &o) != 0 || !is_skeps(o.prog_id))
		return;
	opts_of(&o, false)->priority = STEER_GUARD_PRIORITY;
	o.handle = STEER_GUARD_HANDLE;
	(void)bpf_tc_detach(hook_of(&h, link, BPF_TC_EGRESS), &o);
}

int tc_clean(int link)
{
	static const enum bpf_tc_attach_point points[] = {BPF_TC_INGRESS, BPF_TC_EGRESS};
	bool was_made = false;
	int err = 0;
	tc_unguard(link);
	for (size_t i = 0; i < 2 * ARRAY_LEN(points); i++) {
		bool made = i % 2 == 1;
		if (!is_skeps(found(link, points[i / 2], made)))
			continue;
		int e = detach(link, points[i / 2], made);
		was_made = was_made || made;
		err = e == 0 ? err : e;
	}
	if (was_made && err == 0)
		leave(link);
	return err;
}
