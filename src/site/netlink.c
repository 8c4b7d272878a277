/* SPDX-License-Identifier: BSD-2-Clause */
/* A question to the kernel's routing tables and its answer, message by message. */
#include "site/site_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES 65536 /* the kernel fills at most 32 KiB at a time */

void attrs_read(struct attrs *ret, const void *data, size_t len)
{
	*ret = (struct attrs){0};
	const uint8_t *at = data;
	while (len >= sizeof(struct rtattr)) {
		const struct rtattr *a = (const void *)at;
		size_t step = RTA_ALIGN((size_t)a->rta_len), type = a->rta_type & NLA_TYPE_MASK;
		if (a->rta_len < sizeof(*a) || a->rta_len > len)
			return;
		if (type < RTA_SLOTS)
			ret->at[type] = a;
		if (step >= len)
			return;
		at += step;
		len -= step;
	}
}

uint32_t attr_u32(const struct attrs *a, size_t type)
{
	uint32_t v = 0;
	if (a->at[type] != NULL && RTA_PAYLOAD(a->at[type]) >= sizeof(v))
		memcpy(&v, RTA_DATA(a->at[type]), sizeof(v));
	return v;
}

struct addr attr_addr(const struct attrs *a, size_t type, uint8_t family)
{
	const struct rtattr *r = a->at[type];
	if (r != NULL && family == AF_INET && RTA_PAYLOAD(r) == 4)
		return addr_from_v4(RTA_DATA(r));
	if (r != NULL && family == AF_INET6 && RTA_PAYLOAD(r) == 16)
		return addr_from_v6(RTA_DATA(r));
	return (struct addr){0};
}

/* 1: more to come, 0: that was all, else an error. */
static int take(const uint8_t *buf, size_t len, bool all, netlink_each_fn *each, void *ctx,
		bool *ret_torn)
{
	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)buf;
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
			return SKEP_EFORMAT;
		if ((h->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
			*ret_torn = true;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(h);
			return h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? SKEP_EFORMAT : e->error;
		}
		each(ctx, h, NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN);
		if (!all)
			return 0;
		size_t step = NLMSG_ALIGN((size_t)h->nlmsg_len);
		if (step >= len)
			break;
		buf += step;
		len -= step;
	}
	return 1;
}

static int ask(const struct nlmsghdr *request, netlink_each_fn *each, void *ctx, bool *ret_torn)
{
	_Alignas(struct nlmsghdr) uint8_t buf[ANSWER_BYTES];
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	bool all = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	CLEANUP(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || sendto(fd, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel,
			     sizeof(kernel)) < 0)
		return -errno;
	for (;;) {
		struct sockaddr_nl from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *)&from,
				     &from_len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (from_len != sizeof(from) || from.nl_pid != 0)
			continue; /* not the kernel */
		if ((size_t)n > sizeof(buf))
			return SKEP_ETRUNC;
		int r = take(buf, (size_t)n, all, each, ctx, ret_torn);
		if (r <= 0)
			return r;
	}
}

int netlink_ask(const struct nlmsghdr *request, netlink_each_fn *each, void *ctx)
{
	bool torn = false;
	int err = ask(request, each, ctx, &torn);
	return err == 0 && torn ? -EAGAIN : err;
}
