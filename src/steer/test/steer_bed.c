/* SPDX-License-Identifier: BSD-2-Clause */
#include "steer_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void need(bool fact, const char *what)
{
	if (!fact) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		abort();
	}
}

static int skip(const char *why)
{
	printf("SKIP: %s (%s)\n", why, strerror(errno));
	return 77;
}

void bed_enter(const struct bed *b, int which)
{
	need(setns(b->ns[which], CLONE_NEWNET) == 0, "setns");
}

void bed_run(const struct bed *b, int which, const char *command)
{
	bed_enter(b, which);
	need(system(command) == 0, command);
	bed_enter(b, NS_HOST);
}

void bed_output(const struct bed *b, const char *command, char *buf, size_t size)
{
	bed_enter(b, NS_HOST);
	FILE *p = popen(command, "r");
	need(p != NULL, command);
	size_t n = fread(buf, 1, size - 1, p);
	buf[n] = '\0';
	pclose(p);
}

struct addr bed_addr(const char *text)
{
	struct addr a;
	need(addr_parse(text, &a) == 0, text);
	return a;
}

static int raw_on(const struct bed *b, int which, const char *ifname)
{
	bed_enter(b, which);
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(ifname)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	need(fd >= 0 && bind(fd, (struct sockaddr *)&ll, sizeof(ll)) == 0, ifname);
	need(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) == 0, "raw");
	bed_enter(b, NS_HOST);
	return fd;
}

static void make_links(struct bed *b)
{
	char text[512];
	for (int i = 0; i < NS_COUNT; i++)
		bed_run(b, i,
			"sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
			"net.ipv6.conf.default.disable_ipv6=1 && ip link set lo up");
	snprintf(text, sizeof(text),
		 "ip link add up0 address 02:00:00:00:00:01 type veth peer name net0 address "
		 "02:00:00:00:00:02 netns /proc/%d/fd/%d && "
		 "ip link add sk0 type veth peer name sk1 address 02:00:00:00:00:01 netns "
		 "/proc/%d/fd/%d && ip link set up0 up && ip link set sk0 up",
		 (int)getpid(), b->ns[NS_NET], (int)getpid(), b->ns[NS_WALL]);
	bed_run(b, NS_HOST, text);
	bed_run(b, NS_NET, "ip link set net0 up");
	bed_run(b, NS_WALL, "ip link set sk1 up");
	b->raw[LINK_NET] = raw_on(b, NS_NET, "net0");
	b->raw[LINK_UP] = raw_on(b, NS_HOST, "up0");
	b->raw[LINK_INNER] = raw_on(b, NS_HOST, "sk0");
	b->raw[LINK_WALL] = raw_on(b, NS_WALL, "sk1");
}

static void make_plan(struct bed *b)
{
	b->plan = (struct steer_plan){.n_alias = 2, .n_shared = 2, .n_kept = 2};
	b->plan.alias[0] = bed_addr("10.0.0.9");
	b->plan.alias[1] = bed_addr("2001:db8::9");
	b->plan.shared[0] = bed_addr("10.0.0.1");
	b->plan.shared[1] = bed_addr("2001:db8::1");
	b->plan.kept[0] = (struct steer_port){6, 22};
	b->plan.kept[1] = (struct steer_port){17, 123};
}

int bed_setup(struct bed *b)
{
	char why[512] = "";
	memset(b, 0, sizeof(*b));
	if (geteuid() != 0)
		return skip("not root: no namespaces, no programs for the kernel");
	for (int i = NS_COUNT; i-- > 0;) {
		if (unshare(CLONE_NEWNET) != 0)
			return skip("no network namespaces");
		b->ns[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		need(b->ns[i] >= 0, "namespace");
	}
	if (system("ip link add probe0 type veth peer name probe1 && ip link del probe0") != 0)
		return skip("no veth, or no ip program");
	int err = steer_probe(why, sizeof(why));
	if (err == -EPERM || err == -ENOSYS) {
		errno = -err;
		return skip(why);
	}
	if (err != 0)
		fprintf(stderr, "%s\n", why);
	need(err == 0, "steer_probe");
	make_links(b);
	make_plan(b);
	return 0;
}

void bed_teardown(struct bed *b)
{
	bed_close(b);
	for (int i = 0; i < LINKS; i++)
		close(b->raw[i]);
	for (int i = 0; i < NS_COUNT; i++)
		close(b->ns[i]);
}

void bed_open(struct bed *b, enum steer_form form)
{
	char why[512] = "";
	bed_close(b);
	bed_enter(b, NS_HOST);
	int err = steer_open(form, "up0", "sk0", &b->plan, NULL, 0, &b->s, why, sizeof(why));
	if (err != 0)
		fprintf(stderr, "%s\n", why);
	need(err == 0, "steer_open");
	steer_beat(b->s, clock_boot_ns());
}

void bed_close(struct bed *b)
{
	steer_close(b->s);
	b->s = NULL;
}

/* ---- frames by hand -------------------------------------------------------------------------------- */

struct out {
	uint8_t b[2048];
	uint32_t len;
};

static void put(struct out *o, const void *p, uint32_t n)
{
	memcpy(o->b + o->len, p, n);
	o->len += n;
}

static void put16(struct out *o, uint16_t v)
{
	store_be16(o->b + o->len, v);
	o->len += 2;
}

static void put_ip(struct out *o, const struct shape *s);

static void put_icmp(struct out *o, const struct shape *s)
{
	struct addr target;
	uint8_t head[8] = {s->type};
	store_be16(head + 4, s->dport);
	put(o, head, 8);
	if (s->target != NULL) {
		target = bed_addr(s->target);
		put(o, target.b, 16);
	}
	if (s->option != 0) {
		put(o, (uint8_t[2]){s->option, 1}, 2);
		put(o, s->option_mac.b, 6);
	}
	if (s->quote != NULL)
		put_ip(o, s->quote);
}

static void put_l4(struct out *o, const struct shape *s)
{
	uint8_t tcp[16] = {[8] = 0x50, [9] = s->flags}, rest[32] = {0};
	if (s->offset != 0) {
		put(o, rest, 32);
	} else if (s->proto == 6 || s->proto == 17) {
		put16(o, s->sport);
		put16(o, s->dport);
		put(o, tcp, s->proto == 6 ? 16 : 4);
	} else if (s->proto == 1 || s->proto == 58) {
		put_icmp(o, s);
	} else {
		put(o, rest, 32);
	}
}

static void put_v4(struct out *o, const struct shape *s)
{
	struct addr src = bed_addr(s->src), dst = bed_addr(s->dst);
	uint32_t at = o->len;
	uint8_t h[20] = {0x45, [8] = 64, [9] = s->proto};
	store_be16(h + 4, s->id);
	store_be16(h + 6, (uint16_t)(s->offset / 8 | (s->more ? 0x2000 : 0)));
	memcpy(h + 12, src.b, 4);
	memcpy(h + 16, dst.b, 4);
	put(o, h, 20);
	put_l4(o, s);
	store_be16(o->b + at + 2, (uint16_t)(o->len - at));
}

static void put_v6(struct out *o, const struct shape *s)
{
	static const uint8_t kinds[] = {0, 60, 43, 51, 135};
	struct addr src = bed_addr(s->src), dst = bed_addr(s->dst);
	bool part = s->more || s->offset != 0;
	uint32_t at = o->len, next = at + 6;
	uint8_t h[40] = {0x60, [7] = 255}, x[16] = {0};
	memcpy(h + 8, src.b, 16);
	memcpy(h + 24, dst.b, 16);
	put(o, h, 40);
	for (unsigned i = 0; i < s->extensions; i++) {
		o->b[next] = kinds[i < 5 ? i : 1];
		next = o->len;
		x[1] = i == 1; /* one of them is longer */
		put(o, x, i == 1 ? 16 : 8);
	}
	if (part) {
		o->b[next] = 44;
		next = o->len;
		uint8_t f[8] = {0};
		store_be16(f + 2, (uint16_t)(s->offset | s->more));
		store_be16(f + 6, s->id);
		put(o, f, 8);
	}
	o->b[next] = s->proto;
	put_l4(o, s);
	store_be16(o->b + at + 4, (uint16_t)(o->len - at - 40));
}

static void put_ip(struct out *o, const struct shape *s)
{
	if (bed_addr(s->src).ver == 4)
		put_v4(o, s);
	else
		put_v6(o, s);
}

static void put_arp(struct out *o, const struct shape *s)
{
	struct addr src = bed_addr(s->src), dst = bed_addr(s->dst);
	put(o, (uint8_t[6]){0, 1, 8, 0, 6, 4}, 6);
	put16(o, s->arp);
	put(o, s->arp_mac.b, 6);
	put(o, src.b, 4);
	put(o, (uint8_t[6]){0}, 6);
	put(o, dst.b, 4);
}

static void build(struct out *o, const struct shape *s, enum way way)
{
	static const struct mac none, net = {NET_MAC}, up = {UP_MAC};
	struct mac to = way == WAY_IN ? up : net, from = way == WAY_IN ? net : up;
	if (memcmp(&s->to, &none, sizeof(none)) != 0)
		to = s->to;
	if (memcmp(&s->from, &none, sizeof(none)) != 0)
		from = s->from;
	o->len = 0;
	put(o, to.b, 6);
	put(o, from.b, 6);
	if (s->tagged) {
		put16(o, 0x8100);
		put16(o, 7);
	}
	if (s->ethertype != 0)
		put16(o, s->ethertype);
	else
		put16(o, s->arp != 0 ? 0x0806 : bed_addr(s->src).ver == 4 ? 0x0800 : 0x86dd);
	if (s->arp != 0)
		put_arp(o, s);
	else
		put_ip(o, s);
	o->len -= s->cut;
}

static void drain(const struct bed *b)
{
	uint8_t x[64];
	for (int i = 0; i < LINKS; i++)
		while (recv(b->raw[i], x, sizeof(x), 0) >= 0)
			;
}

static struct out *last(void)
{
	static struct out o;
	return &o;
}

enum fate bed_send(struct bed *b, enum way way, const struct shape *shape)
{
	static const int from[] = {
		[WAY_IN] = LINK_NET, [WAY_OUT] = LINK_WALL, [WAY_HOST] = LINK_UP};
	struct out *o = last();
	struct steer_stats was, now;
	build(o, shape, way);
	drain(b);
	steer_read(b->s, &was);
	/* what a classifier drops on its way out, the sender hears of */
	need(send(b->raw[from[way]], o->b, o->len, 0) == (ssize_t)o->len || errno == ENOBUFS,
	     "send");
	for (unsigned tries = 0; tries < 2000; tries++) {
		steer_read(b->s, &now);
		const uint64_t news[] = {
			[TO_WALL] = now.in_wall - was.in_wall,
			[TO_HOST] = now.in_host - was.in_host,
			[DEAD] = now.in_dead - was.in_dead,
			[SENT] = now.out_wall - was.out_wall,
			[FENCED] = now.out_fenced - was.out_fenced,
			[HOST_SENT] = now.out_host - was.out_host,
			[HOST_STOPPED] = now.out_stopped - was.out_stopped,
		};
		for (unsigned i = 0; i < ARRAY_LEN(news); i++)
			if (news[i] != 0)
				return (enum fate)i;
		usleep(1000);
	}
	return LOST;
}

static bool arrives(const struct bed *b, int link, int ms)
{
	static uint8_t got[2048];
	const struct out *o = last();
	struct pollfd p = {b->raw[link], POLLIN, 0};
	while (poll(&p, 1, ms) == 1) {
		ssize_t n = recv(p.fd, got, sizeof(got), 0);
		if (n == (ssize_t)o->len && memcmp(got, o->b, o->len) == 0)
			return true;
	}
	return false;
}

bool bed_arrived(const struct bed *b, int link)
{
	return arrives(b, link, 2000);
}

bool bed_stayed_away(const struct bed *b, int link)
{
	return !arrives(b, link, 50);
}
