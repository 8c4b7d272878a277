/* SPDX-License-Identifier: BSD-2-Clause */
#include "netns_bed.h"

#include <errno.h>
#include <fcntl.h>
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
	bed_enter(b, NS_WALL);
}

int bed_socket(const struct bed *b, int which, int family, int type)
{
	bed_enter(b, which);
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	need(fd >= 0, "socket");
	bed_enter(b, NS_WALL);
	return fd;
}

static struct port *open_port(struct bed *b, int which, const char *ifname, uint16_t index)
{
	struct port *p = NULL;
	int fd = -1;
	bed_enter(b, which);
	need(port_open_packet(ifname, &fd) == 0, ifname);
	bed_enter(b, NS_WALL);
	need(port_attach(&b->arena, b->pool, PORT_PACKET, fd, index, ifname, &p) == 0, "attach");
	return p;
}

static void make_links(struct bed *b)
{
	char text[256];
	for (int side = NS_A; side <= NS_B; side++) {
		char c = side == NS_A ? 'a' : 'b';
		snprintf(text, sizeof(text),
			 "ip link add %c1 type veth peer name %c0 netns /proc/%d/fd/%d", c, c,
			 (int)getpid(), b->ns[side]);
		bed_run(b, NS_WALL, text);
		snprintf(text, sizeof(text),
			 "ip link set lo up && ip link set %c0 address 02:00:00:00:00:0%c && "
			 "ip link set %c0 up && ip addr add 10.0.0.%d/24 dev %c0 && "
			 "ip addr add fd00::%d/64 dev %c0 nodad",
			 c, c, c, side, c, side, c);
		bed_run(b, side, text);
		/* The other host answers no ARP here: the addresses may be translated. */
		for (int n = 1; n < 10; n++) {
			char other = side == NS_A ? 'b' : 'a';
			if (n == side)
				continue;
			snprintf(text, sizeof(text),
				 "ip neigh replace 10.0.0.%d lladdr 02:00:00:00:00:0%c dev %c0 && "
				 "ip neigh replace fd00::%d lladdr 02:00:00:00:00:0%c dev %c0",
				 n, other, c, n, other, c);
			bed_run(b, side, text);
		}
	}
	bed_run(b, NS_WALL,
		"sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set a1 up && ip link set "
		"b1 up");
}

int bed_setup(struct bed *b)
{
	memset(b, 0, sizeof(*b));
	if (geteuid() != 0)
		return skip("not root: no namespaces, no packet sockets");
	for (int i = 0; i < NS_COUNT; i++) {
		if (unshare(CLONE_NEWNET) != 0)
			return skip("no network namespaces");
		b->ns[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		need(b->ns[i] >= 0, "namespace");
	}
	bed_enter(b, NS_WALL);
	if (system("ip link add probe0 type veth peer name probe1 && ip link del probe0") != 0)
		return skip("no veth, or no ip program");
	make_links(b);
	need(arena_create(PORT_POOL_BYTES + 8 * PORT_BYTES, &b->arena) == 0, "arena");
	need(port_pool_create(&b->arena, &b->pool) == 0, "pool");
	b->a = open_port(b, NS_WALL, "a1", 0);
	b->b = open_port(b, NS_WALL, "b1", 1);
	b->ha = open_port(b, NS_A, "a0", 2);
	b->hb = open_port(b, NS_B, "b0", 3);
	return 0;
}

void bed_teardown(struct bed *b)
{
	struct port *all[] = {b->a, b->b, b->ha, b->hb};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		close(port_fd(all[i]));
	for (int i = 0; i < NS_COUNT; i++)
		close(b->ns[i]);
	arena_destroy(&b->arena);
}

static void forward_from(struct bed *b, struct port *in, struct port *out)
{
	struct frame *frames;
	int n = port_recv(in, &frames);
	for (int i = 0; i < n; i++) {
		struct frame *f = &frames[i];
		if (b->edit != NULL)
			b->edit(f, out == b->b);
		if (f->len > b->largest)
			b->largest = f->len;
		b->partial += (f->vnet.flags & VNET_NEEDS_CSUM) != 0;
		b->forwarded++;
		port_send(out, f);
	}
	port_flush(out);
}

void bed_forward(struct bed *b, int ms)
{
	struct pollfd fds[] = {{port_fd(b->a), POLLIN, 0}, {port_fd(b->b), POLLIN, 0}};
	if (poll(fds, 2, ms) <= 0)
		return;
	forward_from(b, b->a, b->b);
	forward_from(b, b->b, b->a);
}
