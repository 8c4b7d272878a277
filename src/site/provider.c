/* SPDX-License-Identifier: BSD-2-Clause */
/* What the provider of this machine may be like: from what the firmware says of itself, and from addresses. */
#include "site/site_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const files[] = {"sys_vendor",  "product_name",   "board_vendor",
				    "bios_vendor", "chassis_vendor", "chassis_asset_tag"};

/* What occurs in one of them, and whose it is. All are clouds: what is known of each is that frames with link
 * addresses other than the machine's go nowhere, and that a service answers at 169.254.169.254. */
static const struct vendor {
	const char *sign, *name;
} vendors[] = {
	{"Amazon", "Amazon EC2"},
	{"Google", "Google Cloud"},
	{"7783-7084-3265-9085-8269-3286-77", "Microsoft Azure"},
	{"OracleCloud", "Oracle Cloud"},
	{"DigitalOcean", "DigitalOcean"},
	{"Hetzner", "Hetzner"},
	{"Vultr", "Vultr"},
	{"Linode", "Linode"},
	{"Akamai", "Linode"},
	{"OVH", "OVH"},
	{"Scaleway", "Scaleway"},
	{"UpCloud", "UpCloud"},
	{"Exoscale", "Exoscale"},
	{"Alibaba", "Alibaba Cloud"},
	{"Tencent", "Tencent Cloud"},
	{"IONOS", "IONOS"},
	{"netcup", "netcup"},
	{"OpenStack", "OpenStack"},
};

static void look_at_file(const char *dmi, const char *file, struct site_provider *p)
{
	char path[256], text[128];
	if (snprintf(path, sizeof(path), "%s/%s", dmi, file) >= (int)sizeof(path))
		return;
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return;
	text[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(vendors) && p->vendor[0] == '\0'; i++)
		if (strcasestr(text, vendors[i].sign) != NULL)
			text_copy(p->vendor, sizeof(p->vendor), vendors[i].name);
}

static void look_at_route(void *ctx, const struct nlmsghdr *h, const void *body, size_t len)
{
	static const uint8_t metadata[4] = {169, 254, 169, 254};
	struct site_provider *p = ctx;
	const struct rtmsg *m = body;
	struct attrs a;
	if (h->nlmsg_type != RTM_NEWROUTE || len < sizeof(*m) || m->rtm_family != AF_INET ||
	    m->rtm_dst_len != 32 || m->rtm_type != RTN_UNICAST)
		return;
	attrs_read(&a, (const uint8_t *)body + NLMSG_ALIGN(sizeof(*m)), len - sizeof(*m));
	struct addr to = attr_addr(&a, RTA_DST, AF_INET);
	if (to.ver == 4 && memcmp(to.b, metadata, 4) == 0)
		p->metadata = 1;
}

/* The only global address of its kind is alone in its network, and there is a router. */
static uint8_t lone(const struct site *s, uint32_t link, uint8_t ver)
{
	uint8_t some = 0;
	for (uint32_t i = 0; i < s->n_addresses; i++) {
		const struct site_address *a = &s->addresses[i];
		if (link == 0 || a->link != link || a->prefix.addr.ver != ver || a->link_local)
			continue;
		if (a->prefix.len != (ver == 4 ? 32 : 128))
			return 0;
		some = 1;
	}
	return some;
}

int site_provider(const struct site *s, const char *dmi, struct site_provider *ret)
{
	struct site_provider p = {0};
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
	} q = {.h = {.nlmsg_len = sizeof(q),
		     .nlmsg_type = RTM_GETROUTE,
		     .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	       .m = {.rtm_family = AF_INET}};
	int err = -EAGAIN;
	for (int i = 0; i < 5 && err == -EAGAIN; i++)
		err = netlink_ask(&q.h, look_at_route, &p);
	if (err != 0)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		look_at_file(dmi, files[i], &p);
	p.lone = lone(s, s->uplink, 4);
	p.lone6 = lone(s, s->uplink6, 6);
	p.filters_macs = p.vendor[0] != '\0' || p.lone;
	if (p.vendor[0] != '\0')
		p.metadata = 1;
	*ret = p;
	return 0;
}
