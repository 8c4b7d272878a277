/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside site only: what its files need of each other. */
#ifndef SKEP_SITE_PRIV_H
#define SKEP_SITE_PRIV_H

#include "site/site.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define RTA_SLOTS 64

/* Attributes of a message by type; what occurs twice: the last. Types from RTA_SLOTS on are left out. */
struct attrs {
	const struct rtattr *at[RTA_SLOTS];
};

/* One message of an answer, whole: body has len bytes. */
typedef void netlink_each_fn(void *ctx, const struct nlmsghdr *h, const void *body, size_t len);

/* Asks rtnetlink and calls each for every message of the answer. request is a whole message (its flags say
 * whether all or one is asked for). -EAGAIN: it changed while it was read. */
MUST_USE int netlink_ask(const struct nlmsghdr *request, netlink_each_fn *each, void *ctx);
void attrs_read(struct attrs *ret, const void *data, size_t len);
uint32_t attr_u32(const struct attrs *a, size_t type);                     /* 0: not there */
struct addr attr_addr(const struct attrs *a, size_t type, uint8_t family); /* ver 0: not there */

MUST_USE int survey_links(struct site *s);
MUST_USE int survey_addresses(struct site *s);
MUST_USE int survey_routes(struct site *s);
MUST_USE int survey_sockets(struct site *s);

struct list { /* of findings, the caller's */
	struct site_finding *at;
	size_t max, n;
};
struct site_finding *finding_add(struct list *l, enum site_finding_kind kind); /* NULL: full */
void find_firewalls(struct list *l);

#endif
