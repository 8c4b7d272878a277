/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two hosts in network namespaces of their own and something between them, for measuring:
 *
 *   wall_pair bridge           the kernel's bridge
 *   wall_pair bare             this program, moving frames from port to port and judging nothing
 *   wall_pair wall SKEP        the wall role of that binary, started as super starts it
 *   wall_pair forward A B      no hosts: as `bare`, between two interfaces that are there; until it is killed
 *
 * Prints one line of JSON when ready and stays until stdin closes; an input line "stats" is answered
 * with the wall's counters. The namespaces have no names: nothing stays behind, however it ends.
 */
#include "port/port.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum ns { NS_MIDDLE, NS_OUT, NS_IN, NS_COUNT };
#define EVENTS_BYTES (4u << 20)
#define READY_MS 10000
#define OUT_MAC "02:00:00:00:01:01" /* the outside host */
#define OWN_MAC "02:00:00:00:01:02" /* the wall, on that side */
#define IN_MAC "02:00:00:00:02:01"  /* the inside host */

struct pair {
	int ns[NS_COUNT];
	pid_t middle; /* process between the two, 0 for the bridge */
	int control, events;
	struct wall_stats *stats;
};

static void need(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "wall_pair: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void enter(const struct pair *p, enum ns which)
{
	need(setns(p->ns[which], CLONE_NEWNET) == 0, "setns");
}

static void links(const struct pair *p, enum ns which, const char *commands)
{
	char why[256] = "";
	int err = link_batch(p->ns[which], commands, why, sizeof(why));
	if (err != 0)
		fprintf(stderr, "wall_pair: %s: %s\n", err_text(err), why);
	need(err == 0, "ip");
}

static void make_hosts(struct pair *p)
{
	char text[512];
	for (int i = 0; i < NS_COUNT; i++) {
		need(unshare(CLONE_NEWNET) == 0, "unshare (root is needed)");
		p->ns[i] = open("/proc/self/ns/net", O_RDONLY);
		need(p->ns[i] >= 0, "namespace");
		need(sysctl_set("net/ipv6/conf/all/disable_ipv6", i == NS_MIDDLE ? "1" : "0") == 0,
		     "sysctl");
		/* Addresses are used at once: nobody else is there to have them. */
		need(sysctl_set("net/ipv6/conf/default/accept_dad", "0") == 0, "sysctl");
	}
	enter(p, NS_MIDDLE);
	snprintf(text, sizeof(text),
		 "link add pout address %s type veth peer name eth0 address %s netns "
		 "/proc/%d/fd/%d\n"
		 "link add pin type veth peer name eth0 address %s netns /proc/%d/fd/%d\n"
		 "link set pout up\nlink set pin up\n",
		 OWN_MAC, OUT_MAC, (int)getpid(), p->ns[NS_OUT], IN_MAC, (int)getpid(),
		 p->ns[NS_IN]);
	links(p, NS_MIDDLE, text);
	links(p, NS_OUT, "link set lo up\nlink set eth0 up\n");
	links(p, NS_IN, "link set lo up\nlink set eth0 up\n");
	enter(p, NS_MIDDLE);
}

/* One network on both sides. */
static void address_flat(struct pair *p)
{
	links(p, NS_OUT,
	      "addr add 203.0.113.1/24 dev eth0\n"
	      "addr add 2001:db8:113::1/64 dev eth0 nodad\n");
	links(p, NS_IN,
	      "addr add 203.0.113.10/24 dev eth0\n"
	      "addr add 2001:db8:113::10/64 dev eth0 nodad\n");
	enter(p, NS_MIDDLE);
}

/* As in the lab: the wall is a router with a translated address behind it. */
static void address_routed(struct pair *p)
{
	links(p, NS_OUT,
	      "addr add 203.0.113.1/24 dev eth0\n"
	      "addr add 2001:db8:113::1/64 dev eth0 nodad\n");
	links(p, NS_IN,
	      "addr add 10.99.0.10/24 dev eth0\n"
	      "route add default via 10.99.0.1\n"
	      "addr add 2001:db8:113::10/128 dev eth0 nodad\n"
	      "route add default via fe80::1 dev eth0\n");
	enter(p, NS_MIDDLE);
}

static void open_ports(const char *a, const char *b, int ret_fds[2])
{
	int err = port_open_packet(a, &ret_fds[0]);
	if (err == 0)
		err = port_open_packet(b, &ret_fds[1]);
	errno = err < 0 ? -err : 0;
	need(err == 0, "packet socket");
}

/* ---- bare forwarder ---------------------------------------------------------------------------- */

static void forward_all(const int port_fds[2])
{
	struct arena arena;
	struct port_pool *pool;
	struct port *ports[2];
	need(arena_create(PORT_POOL_BYTES + 2 * PORT_BYTES, &arena) == 0, "arena");
	need(port_pool_create(&arena, &pool) == 0, "pool");
	for (uint16_t i = 0; i < 2; i++)
		need(port_attach(&arena, pool, PORT_PACKET, port_fds[i], i, "", &ports[i]) == 0,
		     "attach");
	for (;;) {
		struct pollfd fds[2] = {{port_fds[0], POLLIN, 0}, {port_fds[1], POLLIN, 0}};
		poll(fds, 2, -1);
		for (int i = 0; i < 2; i++) {
			struct frame *frames;
			int n = fds[i].revents != 0 ? port_recv(ports[i], &frames) : 0;
			for (int k = 0; k < n; k++)
				port_send(ports[!i], &frames[k]);
			port_flush(ports[!i]);
		}
	}
}

static void start_bare(struct pair *p)
{
	int fds[2];
	open_ports("pout", "pin", fds);
	p->middle = fork();
	need(p->middle >= 0, "fork");
	if (p->middle == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		forward_all(fds);
	}
}

/* ---- the wall ---------------------------------------------------------------------------------- */

static struct addr addr_of(const char *text)
{
	struct addr a;
	need(addr_parse(text, &a) == 0, text);
	return a;
}

static struct mac mac_of(const char *text)
{
	struct mac m;
	need(mac_parse(text, &m) == 0, text);
	return m;
}

/* The defaults of the lab, without limits and caps: what is measured is the way, not the policy. */
static void describe(struct start_wall *m, const struct conf *c)
{
	struct judge_conf *j = &m->judge;
	j->network = c->network;
	j->wall = c->wall;
	struct conf_limits *l = &j->wall.limits;
	l->tcp.n = l->udp.n = l->icmp.n = l->other.n = l->dns.n = l->lateral.n = l->neigh.n = 0;
	memset(&j->wall.caps, 0, sizeof(j->wall.caps));
	j->n_ports = 2;
	j->ports[0] = (struct judge_port){.name = "outside",
					  .kind = JUDGE_OUTSIDE,
					  .up = 1,
					  .mac = mac_of(OWN_MAC),
					  .peer_mac = mac_of(OUT_MAC)};
	j->ports[1] = (struct judge_port){.name = "web1",
					  .kind = JUDGE_HONEYPOT,
					  .up = 1,
					  .mac = mac_of(IN_MAC),
					  .inside = addr_of("10.99.0.10"),
					  .public = addr_of("203.0.113.10"),
					  .inside6 = addr_of("2001:db8:113::10"),
					  .public6 = addr_of("2001:db8:113::10")};
}

static void wait_ready(struct pair *p)
{
	struct pollfd fd = {p->control, POLLIN, 0};
	_Alignas(8) uint8_t buf[512];
	struct ipc_msg m;
	need(poll(&fd, 1, READY_MS) == 1, "the wall says nothing");
	int err = ipc_recv(p->control, &role_messages, ROLE_BIT(ROLE_WALL), ROLE_BIT(ROLE_SUPER),
			   buf, sizeof(buf), &m);
	need(err == 0 && m.type == MSG_READY, "the wall did not start");
	ipc_msg_done(&m);
}

static void start_wall(struct pair *p, const char *skep)
{
	static struct start_wall m;
	static struct conf c;
	int control[2], events[2], fds[8] = {-1}, pidfd;
	void *stats;
	char *argv[] = {(char *)(uintptr_t) "skep", (char *)(uintptr_t) "--role",
			(char *)(uintptr_t) "wall", NULL};
	conf_defaults(&c);
	describe(&m, &c);
	m.rules_mode = RULES_OFF;
	need(ipc_pair(EVENTS_BYTES, control) == 0 && ipc_pair(EVENTS_BYTES, events) == 0,
	     "channel");
	need(shm_create("limits", judge_limits_bytes(), &fds[1]) == 0, "limits");
	need(shm_create("stats", sizeof(struct wall_stats), &fds[2]) == 0, "stats");
	need(shm_create("marks", mark_ring_bytes(), &fds[3]) == 0, "marks");
	need(shm_map(fds[2], sizeof(struct wall_stats), false, &stats) == 0, "stats");
	/* As with a collector: what is copied is copied, though nobody reads it. */
	m.copies = 1;
	m.judge.copies = (struct judge_copies){.syslog = 1, .inside = 1, .talk = 1};
	for (unsigned i = 4; i < 6; i++)
		need(shm_create("copies", copy_ring_bytes(), &fds[i]) == 0, "copies");
	fds[0] = events[1];
	open_ports("pout", "pin", fds + 6);
	struct spawn s = {.path = skep,
			  .argv = argv,
			  .uid = c.uid_base + ROLE_WALL,
			  .netns = SPAWN_NETNS_EMPTY,
			  .cgroup = -1,
			  .die_with_parent = true,
			  .no_dump = true};
	for (size_t i = 0; i < SPAWN_FDS; i++)
		s.fds[i] = -1;
	s.fds[ROLE_SUPER_FD] = control[1];
	s.n_fds = ROLE_SUPER_FD + 1;
	int err = spawn_child(&s, &p->middle, &pidfd);
	if (err != 0)
		fprintf(stderr, "wall_pair: %s: %s\n", skep, err_text(err));
	need(err == 0, "spawn");
	p->control = control[0];
	p->events = events[0];
	p->stats = stats;
	need(ipc_send(p->control, MSG_START_WALL, &m, sizeof(m), fds, 8) == 0, "start message");
	wait_ready(p);
}

/* ---- until stdin closes ------------------------------------------------------------------------- */

static void say_stats(const struct pair *p)
{
	const struct wall_stats *s = p->stats;
	if (s == NULL) {
		printf("{}\n");
	} else {
		printf("{\"frames\": %llu, \"forwarded\": %llu, \"flows\": %llu, \"kernel_drops\": "
		       "%llu, "
		       "\"send_failed\": %llu, \"reasons\": [",
		       (unsigned long long)s->frames, (unsigned long long)s->forwarded,
		       (unsigned long long)s->flows_total, (unsigned long long)s->kernel_drops,
		       (unsigned long long)s->send_failed);
		for (size_t i = 0; i < ARRAY_LEN(s->reasons); i++)
			printf("%s%llu", i > 0 ? ", " : "", (unsigned long long)s->reasons[i]);
		printf("]}\n");
	}
	fflush(stdout);
}

static void stay(const struct pair *p)
{
	struct pollfd fds[2] = {{0, POLLIN, 0}, {p->events, POLLIN, 0}};
	char line[64];
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		static uint8_t event[65536];
		while (p->events >= 0 && recv(p->events, event, sizeof(event), MSG_DONTWAIT) > 0)
			; /* a hub that keeps up */
		if (fds[0].revents == 0)
			continue;
		ssize_t n = read(0, line, sizeof(line));
		if (n <= 0)
			return;
		say_stats(p);
	}
}

int main(int argc, char **argv)
{
	struct pair p = {.control = -1, .events = -1};
	const char *kind = argc > 1 ? argv[1] : "";
	if (strcmp(kind, "forward") == 0 && argc == 4) {
		int fds[2];
		open_ports(argv[2], argv[3], fds);
		printf("ready\n");
		fflush(stdout);
		forward_all(fds);
	}
	bool wall = strcmp(kind, "wall") == 0 && argc == 3;
	need(wall || strcmp(kind, "bare") == 0 || strcmp(kind, "bridge") == 0,
	     "bridge | bare | wall SKEP | forward A B");
	signal(SIGPIPE, SIG_IGN);
	make_hosts(&p);
	if (wall) {
		address_routed(&p);
		start_wall(&p, argv[2]);
	} else {
		address_flat(&p);
	}
	if (strcmp(kind, "bare") == 0)
		start_bare(&p);
	if (strcmp(kind, "bridge") == 0)
		links(&p, NS_MIDDLE,
		      "link add br0 type bridge\nlink set br0 up\n"
		      "link set pout master br0\nlink set pin master br0\n");
	printf("{\"middle\": %d, \"outside\": \"/proc/%d/fd/%d\", \"inside\": "
	       "\"/proc/%d/fd/%d\"}\n",
	       (int)p.middle, (int)getpid(), p.ns[NS_OUT], (int)getpid(), p.ns[NS_IN]);
	fflush(stdout);
	stay(&p);
	if (wall)
		(void)!ipc_send(p.control, MSG_STOP, NULL, 0, NULL, 0);
	else if (p.middle > 0)
		kill(p.middle, SIGKILL);
	for (unsigned i = 0; p.middle > 0 && i < 200; i++) {
		if (waitpid(p.middle, NULL, WNOHANG) == p.middle)
			return 0;
		usleep(10000);
	}
	if (p.middle > 0)
		kill(p.middle, SIGKILL);
	return 0;
}
