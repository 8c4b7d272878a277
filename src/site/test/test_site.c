/* SPDX-License-Identifier: BSD-2-Clause */
/* site against the real kernel, in a network namespace of its own. The test runs itself again as the program
 * that somebody starts from an ssh session. Needs root. */
#include "site/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
/* cmocka wants the three above first */
#include <cmocka.h>

#define SKIPPED 77

static struct addr addr_of(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct site *survey(void)
{
	struct site *s = malloc(sizeof(*s));
	assert_non_null(s);
	assert_int_equal(site_survey(s), 0);
	return s;
}

static const struct site_address *address(const struct site *s, const char *text)
{
	struct addr a = addr_of(text);
	for (uint32_t i = 0; i < s->n_addresses; i++)
		if (addr_eq(&s->addresses[i].prefix.addr, &a))
			return &s->addresses[i];
	return NULL;
}

static const struct site_socket *socket_at(const struct site *s, uint8_t proto, const char *text,
					   uint16_t port)
{
	struct addr a = addr_of(text);
	const struct site_socket *found = NULL;
	for (uint32_t i = 0; i < s->n_sockets; i++) {
		if (s->sockets[i].proto != proto || s->sockets[i].port != port ||
		    !addr_eq(&s->sockets[i].addr, &a))
			continue;
		assert_null(found); /* each only once */
		found = &s->sockets[i];
	}
	return found;
}

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int bound(int type, const char *text, uint16_t port)
{
	struct addr a = addr_of(text);
	int one = 1, fd = socket(a.ver == 4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&v4.sin_addr, a.b, 4);
	memcpy(&v6.sin6_addr, a.b, 16);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	assert_int_equal(a.ver == 4 ? bind(fd, (struct sockaddr *)&v4, sizeof(v4))
				    : bind(fd, (struct sockaddr *)&v6, sizeof(v6)),
			 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* ---- links, addresses, routes ------------------------------------------------------------- */

static int set_up(void **state)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	run("ip link set lo up && ip link add uplink type veth peer name router &&"
	    "ip link set uplink address 02:00:00:00:00:01 && ip link set uplink mtu 1400 &&"
	    "ip link set router address 02:00:00:00:00:02 &&"
	    "ip link add br0 type bridge && ip link add card type veth peer name far &&"
	    "ip link set card master br0 && ip link add link far name stands type macvlan &&"
	    "ip tuntap add tun0 mode tun &&"
	    "ip link set uplink up && ip link set router up");
	return 0;
}

static void test_links(void **state)
{
	struct site *s = survey();
	for (int i = 0; i < 100 && !site_link(s, "uplink")->up;
	     i++) { /* the kernel takes its time */
		usleep(50000);
		free(s);
		s = survey();
	}
	const struct site_link *up = site_link(s, "uplink"), *card = site_link(s, "card");
	const struct site_link *tun = site_link(s, "tun0"), *lo = site_link(s, "lo");
	static const struct mac mac = {{2, 0, 0, 0, 0, 1}};
	assert_non_null(up);
	assert_memory_equal(&up->mac, &mac, 6);
	assert_int_equal(up->mtu, 1400);
	assert_int_equal(up->ethernet, 1);
	assert_int_equal(up->up, 1);
	assert_int_equal(up->loopback, 0);
	assert_int_equal(up->master, 0);
	assert_string_equal(up->kind, "veth");
	assert_ptr_equal(site_link_at(s, up->index), up);
	assert_non_null(card);
	assert_int_equal(card->master, site_link(s, "br0")->index);
	assert_int_equal(card->up, 0);
	assert_int_equal(site_link(s, "stands")->lower, site_link(s, "far")->index);
	assert_int_equal(card->lower, 0);
	assert_string_equal(site_link(s, "br0")->kind, "bridge");
	assert_int_equal(tun->ethernet, 0);
	assert_int_equal(lo->loopback, 1);
	assert_int_equal(lo->ethernet, 0);
	assert_null(site_link(s, "none"));
	assert_null(site_link_at(s, 0));
	free(s);
}

static void test_addresses(void **state)
{
	run("ip addr add 192.0.2.10/24 dev uplink valid_lft 900 preferred_lft 900 &&"
	    "ip addr add 192.0.2.11/32 dev uplink && ip addr add 10.1.1.1 peer 10.1.1.2 dev card &&"
	    "ip addr add 2001:db8::10/64 dev uplink nodad &&"
	    "ip addr add 2001:db8::11/128 dev uplink valid_lft 900 preferred_lft 900 nodad");
	struct site *s = survey();
	const struct site_address *a = address(s, "192.0.2.10");
	assert_non_null(a);
	assert_int_equal(a->prefix.len, 24);
	assert_int_equal(a->dynamic, 1);
	assert_int_equal(a->link_local, 0);
	assert_int_equal(a->link, site_link(s, "uplink")->index);
	a = address(s, "192.0.2.11");
	assert_int_equal(a->prefix.len, 32);
	assert_int_equal(a->dynamic, 0);
	assert_int_equal(a->temporary, 0); /* "secondary" has the same bit */
	assert_non_null(address(s, "10.1.1.1"));
	assert_null(address(s, "10.1.1.2")); /* the peer's */
	a = address(s, "2001:db8::10");
	assert_int_equal(a->prefix.len, 64);
	assert_int_equal(a->dynamic, 0);
	assert_int_equal(a->tentative, 0);
	assert_int_equal(address(s, "2001:db8::11")->dynamic, 1);
	assert_int_equal(address(s, "fe80::ff:fe00:1")->link_local, 1);
	assert_int_equal(address(s, "::1")->prefix.len, 128);
	free(s);
}

static void test_routes(void **state)
{
	struct site *s = survey();
	struct addr want = addr_of("192.0.2.1"), want6 = addr_of("fe80::ff:fe00:2");
	assert_int_equal(s->uplink, 0);
	assert_int_equal(s->uplink6, 0);
	assert_int_equal(s->gateway.ver, 0);
	free(s);
	run("ip route add default via 192.0.2.9 metric 200 &&"
	    "ip route add default via 192.0.2.1 metric 100 &&"
	    "ip route add default via 192.0.2.8 table 77 &&"
	    "ip -6 route add unreachable default metric 1 &&"
	    "ip -6 route add default via fe80::ff:fe00:2 dev uplink metric 50");
	s = survey();
	assert_int_equal(s->uplink, site_link(s, "uplink")->index);
	assert_int_equal(s->uplink6, s->uplink);
	assert_true(addr_eq(&s->gateway, &want));
	assert_true(addr_eq(&s->gateway6, &want6));
	free(s);
	/* IPv4 by an IPv6 router; several next hops; by the link alone */
	run("ip route flush default && ip -4 route add default via inet6 fe80::ff:fe00:2 dev "
	    "uplink");
	s = survey();
	assert_true(addr_eq(&s->gateway, &want6));
	free(s);
	run("ip route flush default && ip route add default nexthop via 192.0.2.1 nexthop via "
	    "192.0.2.9");
	s = survey();
	assert_true(addr_eq(&s->gateway, &want));
	assert_int_equal(s->uplink, site_link(s, "uplink")->index);
	free(s);
	run("ip route flush default && ip route add default dev uplink");
	s = survey();
	assert_int_equal(s->uplink, site_link(s, "uplink")->index);
	assert_int_equal(s->gateway.ver, 0);
	free(s);
}

static void test_many(void **state)
{
	/* more than fits is cut, and said */
	run("for i in $(seq 1 1100); do echo addr add 10.9.$((i / 250)).$((i % 250 + 1))/32 dev "
	    "card; done |"
	    "ip -batch -");
	struct site *s = survey();
	assert_int_equal(s->n_addresses, SITE_ADDRESSES);
	assert_int_equal(s->truncated, 1);
	free(s);
	run("ip addr flush dev card");
	s = survey();
	assert_int_equal(s->truncated, 0);
	free(s);
}

/* ---- neighbours ---------------------------------------------------------------------------- */

static void test_neighbour(void **state)
{
	struct site *s = survey();
	uint32_t link = site_link(s, "uplink")->index;
	struct addr known = addr_of("192.0.2.1"), other = addr_of("192.0.2.77"),
		    known6 = addr_of("fe80::2");
	static const struct mac want = {{2, 0, 0, 0, 0, 2}};
	struct mac mac = {0};
	run("ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:02 dev uplink &&"
	    "ip neigh add fe80::2 lladdr 02:00:00:00:00:02 dev uplink");
	assert_int_equal(site_neighbour(link, &known, &mac), 0);
	assert_memory_equal(&mac, &want, 6);
	mac = (struct mac){0};
	assert_int_equal(site_neighbour(link, &known6, &mac), 0);
	assert_memory_equal(&mac, &want, 6);
	assert_int_equal(site_neighbour_known(link, &known, &mac), 0);
	assert_int_equal(site_neighbour_known(link, &other, &mac), -EAGAIN);
	run("test -z \"$(ip neigh show 192.0.2.77)\""); /* that one only looks */
	/* unknown: it asks, by ARP, and does not wait */
	assert_int_equal(site_neighbour(link, &other, &mac), -EAGAIN);
	run("ip neigh show 192.0.2.77 dev uplink | grep -qE 'INCOMPLETE|FAILED'");
	assert_int_equal(site_neighbour(link, &other, &mac), -EAGAIN);
	assert_int_equal(site_neighbour(0, &known, &mac), -EINVAL);
	assert_true(site_neighbour(9999, &known, &mac) < 0);
	free(s);
}

/* ---- sockets and sessions ------------------------------------------------------------------ */

static void test_sockets(void **state)
{
	int fds[] = {bound(SOCK_STREAM, "0.0.0.0", 22),    bound(SOCK_STREAM, "::", 22),
		     bound(SOCK_STREAM, "127.0.0.1", 631), bound(SOCK_STREAM, "::1", 631),
		     bound(SOCK_STREAM, "192.0.2.10", 80), bound(SOCK_STREAM, "192.0.2.10", 80),
		     bound(SOCK_DGRAM, "0.0.0.0", 53),     bound(SOCK_DGRAM, "2001:db8::10", 53),
		     bound(SOCK_DGRAM, "127.0.0.1", 5353)};
	struct sockaddr_in peer = {.sin_family = AF_INET,
				   .sin_port = htons(9),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	assert_int_equal(connect(fds[8], (struct sockaddr *)&peer, sizeof(peer)), 0);
	prctl(PR_SET_NAME, "listener");
	struct site *s = survey();
	const struct site_socket *ssh = socket_at(s, 6, "0.0.0.0", 22);
	assert_non_null(ssh);
	assert_int_equal(ssh->pid, getpid());
	assert_string_equal(ssh->name, "listener");
	assert_non_null(socket_at(s, 6, "::", 22));
	assert_non_null(socket_at(s, 6, "127.0.0.1", 631));
	assert_non_null(socket_at(s, 6, "::1", 631));
	assert_non_null(socket_at(s, 6, "192.0.2.10", 80));
	assert_non_null(socket_at(s, 17, "0.0.0.0", 53));
	assert_non_null(socket_at(s, 17, "2001:db8::10", 53));
	assert_null(socket_at(s, 17, "127.0.0.1", 5353)); /* it has a partner: not a server's */
	assert_null(socket_at(s, 17, "0.0.0.0", 22));
	assert_int_equal(s->n_sockets, 7);
	assert_int_equal(s->n_sessions, 0);
	free(s);
	struct site network;
	assert_int_equal(site_survey_network(&network), 0);
	assert_int_equal(network.n_sockets, 0);
	assert_true(network.n_links > 3);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

/* A process of that name that holds the connection; ends with us. */
static pid_t holder(const char *name)
{
	int ready[2];
	char c;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, name);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Both of its ends are this host's. */
static void has_connection(uint8_t proto, const char *local, uint16_t local_port,
			   uint16_t remote_port)
{
	struct site_session all[64];
	struct addr want = addr_of(local);
	size_t n = 0, found = 0, one = 0;
	assert_int_equal(site_connections(proto, all, ARRAY_LEN(all), &n), 0);
	for (size_t i = 0; i < n; i++)
		found += addr_eq(&all[i].local, &want) && all[i].local_port == local_port &&
			 all[i].remote_port == remote_port;
	assert_int_equal(found, 1);
	assert_int_equal(site_connections(proto, all, 1, &one), 0);
	assert_int_equal(one, 1); /* no more than there is room for */
}

static void test_datagrams(void **state)
{
	static const char *const at[] = {"192.0.2.10", "::1"};
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct addr a = addr_of(at[i]);
		int fd = bound(SOCK_DGRAM, at[i], 5600);
		struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(5601)};
		struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(5601)};
		memcpy(&four.sin_addr, a.b, 4);
		memcpy(&six.sin6_addr, a.b, 16);
		assert_int_equal(a.ver == 4 ? connect(fd, (struct sockaddr *)&four, sizeof(four))
					    : connect(fd, (struct sockaddr *)&six, sizeof(six)),
				 0);
		has_connection(17, at[i], 5600, 5601);
		close(fd);
	}
}

static void test_sessions(void **state)
{
	/* by an IPv6 listener that serves IPv4: the session is one of IPv4 */
	int listener = bound(SOCK_STREAM, "::", 2222);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(2222)}, from;
	socklen_t len = sizeof(from);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "192.0.2.10", &to.sin_addr);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(getsockname(client, (struct sockaddr *)&from, &len), 0);
	int served = accept(listener, NULL, NULL);
	assert_true(served >= 0);
	close(client); /* the far end's is none of the host's sessions; it is half closed then */
	close(served);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	getsockname(client, (struct sockaddr *)&from, &len);
	served = accept(listener, NULL, NULL);
	struct site *s = survey();
	assert_int_equal(s->n_sessions, 0); /* of somebody, but not of an sshd */
	free(s);
	has_connection(6, "192.0.2.10", 2222, ntohs(from.sin_port));
	fcntl(client, F_SETFD, FD_CLOEXEC);
	static const char *const names[] = {"sshd", "sshd-session", "dropbear"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		pid_t pid = holder(names[i]);
		s = survey();
		struct addr want = addr_of("192.0.2.10");
		uint32_t n = 0;
		for (uint32_t k = 0; k < s->n_sessions; k++) {
			const struct site_session *e = &s->sessions[k];
			if (e->local_port != 2222)
				continue; /* the holder has the client's end as well */
			assert_true(addr_eq(&e->local, &want));
			assert_true(addr_eq(&e->remote, &want));
			assert_int_equal(e->remote_port, ntohs(from.sin_port));
			assert_int_equal(e->pid, pid);
			n++;
		}
		assert_int_equal(n, 1);
		free(s);
		end(pid);
	}
	close(client);
	close(served);
	close(listener);
}

/* ---- the session we were started from ------------------------------------------------------ */

static int here(void)
{
	struct site_session s;
	char a[ADDR_TEXT], b[ADDR_TEXT];
	int err = site_ssh_here(&s);
	if (err != 0)
		printf("%d\n", err);
	else
		printf("%s %u %s %u\n", addr_text(&s.remote, a), s.remote_port,
		       addr_text(&s.local, b), s.local_port);
	return 0;
}

/* What the program says when it is started by this shell text. */
static void says(const char *shell, const char *want)
{
	char line[256] = "";
	unsetenv("SSH_CONNECTION");
	int out[2];
	assert_int_equal(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		execl("/bin/sh", "sh", "-c", shell, NULL);
		_exit(127);
	}
	close(out[1]);
	FILE *f = fdopen(out[0], "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	waitpid(pid, NULL, 0);
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, want);
}

static void test_here(void **state)
{
	char self[256] = "", shell[1024];
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	static const struct {
		const char *shell, *want;
	} cases[] = {
		{"SSH_CONNECTION='198.51.100.7 4711 192.0.2.10 22' %s here",
		 "198.51.100.7 4711 192.0.2.10 22"},
		/* below sudo, which takes it away, and shells */
		{"SSH_CONNECTION='198.51.100.7 4711 192.0.2.10 22' sh -c 'env -i sh -c \"env -i %s "
		 "here; :\"; :'",
		 "198.51.100.7 4711 192.0.2.10 22"},
		/* the nearest one counts */
		{"SSH_CONNECTION='198.51.100.7 4711 192.0.2.10 22' sh -c "
		 "'SSH_CONNECTION=\"2001:db8::7 5 fe80::1%%eth0 2222\" %s here; :'",
		 "2001:db8::7 5 fe80::1 2222"},
		{"SSH_CONNECTION='198.51.100.7 0 192.0.2.10 22' %s here", "-2"},
		{"SSH_CONNECTION='198.51.100.7 4711 192.0.2.10 70000' %s here", "-2"},
		{"SSH_CONNECTION='somewhere 4711 192.0.2.10 22' %s here", "-2"},
		{"SSH_CONNECTION= %s here", "-2"},
		{"%s here", "-2"},
	};
	/* The tests themselves may have been started from an ssh session: that one would be found. */
	struct site_session mine;
	size_t n = site_ssh_here(&mine) == 0 ? 3 : ARRAY_LEN(cases);
	for (size_t i = 0; i < n; i++) {
		snprintf(shell, sizeof(shell), cases[i].shell, self);
		says(shell, cases[i].want);
	}
}

/* ---- firewalls, programs, providers -------------------------------------------------------- */

static struct site_finding findings[SITE_FINDINGS];

/* Looks again; the one of that name, or NULL. */
static const struct site_finding *finding(const char *name)
{
	size_t n = 0;
	assert_int_equal(site_findings("uplink", findings, SITE_FINDINGS, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (strncmp(findings[i].name, name, strlen(name)) == 0)
			return &findings[i];
	return NULL;
}

static void test_firewalls(void **state)
{
	size_t n = 99;
	assert_int_equal(site_findings("none", findings, SITE_FINDINGS, &n), -ENODEV);
	assert_int_equal(site_findings("uplink", findings, SITE_FINDINGS, &n), 0);
	assert_int_equal(n, 0);
	assert_null(finding("ufw"));
	if (system("nft list tables") != 0)
		skip();
	run("nft 'add table ip filter; add chain ip filter ufw-user-input'");
	assert_int_equal(finding("ufw")->kind, SITE_FIREWALL);
	assert_int_equal(finding("ufw")->in_way, 0);
	assert_null(finding("Docker"));
	assert_null(strstr(finding("table")->what, "forwarding"));
	run("nft 'add chain ip filter DOCKER-USER; add table inet firewalld; add chain inet "
	    "firewalld x;"
	    "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'");
	assert_non_null(finding("Docker"));
	assert_non_null(finding("firewalld"));
	assert_non_null(strstr(finding("table")->what, "ip filter"));
	assert_non_null(strstr(finding("table")->what, "forwarding is dropped"));
	/* more of them than fit */
	run("nft flush ruleset; for i in $(seq 1 60); do echo \"add table ip t$i; add chain ip t$i "
	    "c\"; done |"
	    "nft -f -");
	assert_non_null(strstr(finding("tables")->what, "ip t1, ip t2,"));
	assert_non_null(strstr(finding("tables")->what, "..."));
	assert_null(finding("ufw"));
	run("nft flush ruleset");
	assert_null(finding("table"));
}

static void test_legacy(void **state)
{
	if (system("iptables-legacy -N DOCKER 2>/dev/null && iptables-legacy -P FORWARD DROP") != 0)
		skip();
	assert_non_null(finding("Docker"));
	assert_non_null(strstr(finding("table")->what, "legacy filter"));
	assert_non_null(strstr(finding("table")->what, "forwarding is dropped"));
	run("iptables-legacy -X DOCKER && iptables-legacy -P FORWARD ACCEPT");
	assert_null(finding("Docker"));
}

static void test_filters(void **state)
{
	if (system("tc qdisc add dev uplink ingress 2>/dev/null") != 0)
		skip();
	assert_int_equal(finding("qdisc ingress")->in_way, 1);
	assert_string_equal(finding("qdisc ingress")->cure, "tc qdisc del dev uplink ingress");
	run("tc qdisc del dev uplink ingress && tc qdisc add dev uplink clsact");
	assert_null(finding("qdisc"));
	if (system("tc filter add dev uplink egress pref 7 bpf bytecode '1,6 0 0 0,' "
		   "2>/dev/null") != 0)
		skip();
	assert_int_equal(finding("tc filter bpf")->in_way, 0);
	assert_string_equal(finding("tc filter bpf")->cure, "");
	run("tc filter del dev uplink egress pref 7;"
	    "tc filter add dev uplink egress pref 1 bpf bytecode '1,6 0 0 0,'");
	assert_int_equal(finding("tc filter bpf")->in_way, 1);
	assert_string_equal(finding("tc filter bpf")->cure,
			    "tc filter del dev uplink egress pref 1");
	run(finding("tc filter")->cure);
	assert_null(finding("tc filter"));
	run("tc qdisc del dev uplink clsact");
}

/* A program that lets everything by, on the uplink as long as the descriptor is open. Negative: not here. */
static int attach(uint32_t program, uint32_t where)
{
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2},
				  {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr load = {.prog_type = program, .insn_cnt = ARRAY_LEN(code)}, link = {0};
	load.insns = (uint64_t)(uintptr_t)code;
	load.license = (uint64_t)(uintptr_t) "";
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (fd < 0)
		return -1;
	link.link_create.prog_fd = (uint32_t)fd;
	link.link_create.target_ifindex = if_nametoindex("uplink");
	link.link_create.attach_type = where;
	int at = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof(link));
	close(fd);
	return at;
}

static void test_programs(void **state)
{
	int xdp = attach(BPF_PROG_TYPE_XDP, BPF_XDP);
	if (xdp < 0)
		skip();
	assert_int_equal(finding("XDP program")->in_way, 1);
	assert_string_equal(finding("XDP program")->cure, "ip link set dev uplink xdp off");
	close(xdp);
	assert_null(finding("XDP"));
	int tcx = attach(BPF_PROG_TYPE_SCHED_CLS, 46);
	if (tcx < 0)
		skip();
	assert_int_equal(finding("tcx at ingress")->in_way, 1);
	close(tcx);
	assert_null(finding("tcx"));
}

static struct site_provider provider(const char *dmi)
{
	struct site_provider p;
	struct site *s = survey();
	assert_int_equal(site_provider(s, dmi, &p), 0);
	free(s);
	return p;
}

static void test_provider(void **state)
{
	char dir[] = "/tmp/skep-site-XXXXXX", command[256];
	assert_non_null(mkdtemp(dir));
	struct site_provider p = provider(dir);
	assert_string_equal(p.vendor, "");
	assert_int_equal(p.filters_macs, 0);
	assert_int_equal(p.metadata, 0);
	assert_int_equal(p.lone, 0); /* 192.0.2.10/24 is there as well */
	snprintf(command, sizeof(command), "echo 'Hetzner' >%s/sys_vendor", dir);
	run(command);
	p = provider(dir);
	assert_string_equal(p.vendor, "Hetzner");
	assert_int_equal(p.filters_macs, 1);
	assert_int_equal(p.metadata, 1);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	run(command);
	/* as small rented servers have it */
	run("ip addr flush dev uplink && ip addr add 203.0.113.5/32 dev uplink &&"
	    "ip addr add 2001:db8:5::5/128 dev uplink nodad &&"
	    "ip route replace default via 203.0.113.1 dev uplink onlink &&"
	    "ip -6 route replace default via fe80::1 dev uplink metric 10 &&"
	    "ip route add 169.254.169.254 via 203.0.113.1 dev uplink onlink");
	p = provider(dir);
	assert_string_equal(p.vendor, "");
	assert_int_equal(p.metadata, 1);
	assert_int_equal(p.lone, 1);
	assert_int_equal(p.lone6, 1);
	assert_int_equal(p.filters_macs, 1);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "here") == 0)
		return here();
	if (geteuid() != 0)
		return SKIPPED;
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),     cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_routes),    cmocka_unit_test(test_many),
		cmocka_unit_test(test_neighbour), cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_sessions),  cmocka_unit_test(test_here),
		cmocka_unit_test(test_datagrams), cmocka_unit_test(test_here),
		cmocka_unit_test(test_firewalls), cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_filters),   cmocka_unit_test(test_programs),
		cmocka_unit_test(test_provider),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
