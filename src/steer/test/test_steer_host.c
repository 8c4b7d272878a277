/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What steer does to a host: real stacks talk through it, others' classifiers stay, and afterwards all is as
 * it was, however its owner ended. Needs root and a kernel that takes the programs; skips (77) without.
 */
#include "steer_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define STATE_BYTES 16384
#define STREAM_BYTES (8u << 20)

/* All that steer could have left behind on the host. */
static const char *state_of(const struct bed *b, char buf[STATE_BYTES])
{
	bed_output(b,
		   "for l in up0 sk0; do tc qdisc show dev $l; tc filter show dev $l ingress; "
		   "tc filter show dev $l egress; ip -d link show $l; ip maddr show dev $l; done; "
		   "ip addr; ip -4 route show table all; ip -6 route show table all; ip rule; "
		   "ip neigh show nud permanent",
		   buf, STATE_BYTES);
	return buf;
}

static bool is_there(const struct bed *b, const char *command, const char *text)
{
	char buf[STATE_BYTES];
	bed_output(b, command, buf, sizeof(buf));
	return strstr(buf, text) != NULL;
}

#define UP_FILTERS "tc filter show dev up0 ingress; tc filter show dev up0 egress"

/* ---- before and after -------------------------------------------------------------------------------- */

static void test_nothing_stays(void **state)
{
	struct bed *b = *state;
	static char before[STATE_BYTES], after[STATE_BYTES];
	bed_close(b);
	state_of(b, before);
	for (int form = STEER_NAT; form <= STEER_BRIDGE; form++) {
		bed_open(b, (enum steer_form)form);
		assert_int_equal(steer_check(b->s), 0);
		assert_true(is_there(b, UP_FILTERS, "skep_in"));
		assert_true(is_there(b, UP_FILTERS, "skep_out"));
		assert_string_not_equal(state_of(b, after), before);
		bed_close(b);
		assert_string_equal(state_of(b, after), before);
	}
}

static void test_listens_for_what_it_must(void **state)
{
	struct bed *b = *state;
	struct steer_plan other;
	bed_open(b, STEER_BRIDGE);
	assert_true(is_there(b, "ip -d link show up0", "promiscuity 1"));
	bed_open(b, STEER_NAT);
	assert_true(is_there(b, "ip -d link show up0", "promiscuity 0"));
	assert_true(is_there(b, "ip maddr show dev up0", "33:33:ff:00:00:09"));
	assert_true(is_there(b, "ip maddr show dev up0", "ff02::1:ff00:9"));
	other = b->plan;
	other.n_alias = 3; /* two of one group, and one of them goes again */
	other.alias[2] = bed_addr("2001:db8:9::9");
	assert_int_equal(steer_change(b->s, &other), 0);
	other.alias[1] = bed_addr("2001:db8::8");
	assert_int_equal(steer_change(b->s, &other), 0);
	assert_true(is_there(b, "ip maddr show dev up0", "33:33:ff:00:00:09"));
	assert_true(is_there(b, "ip maddr show dev up0", "ff02::1:ff00:9"));
	assert_true(is_there(b, "ip maddr show dev up0", "33:33:ff:00:00:08"));
	other.n_alias = 2;
	assert_int_equal(steer_change(b->s, &other), 0);
	assert_false(is_there(b, "ip maddr show dev up0", "33:33:ff:00:00:09"));
	assert_false(is_there(b, "ip maddr show dev up0", "ff02::1:ff00:9"));
	bed_close(b);
	assert_false(is_there(b, "ip maddr show dev up0", "33:33:ff:00:00:08"));
}

static void open_and_die(struct bed *b, enum steer_form form)
{
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bed_open(b, form);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	char x;
	assert_int_equal(read(ready[0], &x, 1), 1);
	close(ready[0]);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_clean_after_a_kill(void **state)
{
	struct bed *b = *state;
	static char before[STATE_BYTES], after[STATE_BYTES], why[512];
	bed_close(b);
	state_of(b, before);
	for (int form = STEER_NAT; form <= STEER_BRIDGE; form++) {
		open_and_die(b, (enum steer_form)form);
		assert_true(is_there(b, UP_FILTERS, "skep_in"));
		assert_true(is_there(b, "ip -d link show up0", "promiscuity 0"));
		assert_int_equal(steer_open(STEER_NAT, "up0", "sk0", &b->plan, NULL, 0, &b->s, why,
					    sizeof(why)),
				 -EEXIST);
		assert_non_null(strstr(why, "skep"));
		assert_true(is_there(b, UP_FILTERS, "skep_in")); /* not this one's to take off */
		assert_int_equal(steer_clean("up0"), 0);
		assert_int_equal(steer_clean("sk0"), 0);
		assert_string_equal(state_of(b, after), before);
	}
	assert_int_equal(steer_clean("up0"), 0);
	assert_int_equal(steer_clean("no-such-link"), 0);
}

static void test_errors_leave_nothing(void **state)
{
	struct bed *b = *state;
	static char before[STATE_BYTES], after[STATE_BYTES];
	char why[512];
	bed_close(b);
	struct steer_plan bad = b->plan;
	bad.alias[0].ver = 5;
	state_of(b, before);
	assert_int_equal(
		steer_open(STEER_NAT, "nix0", "sk0", &b->plan, NULL, 0, &b->s, why, sizeof(why)),
		-ENODEV);
	assert_non_null(strstr(why, "nix0"));
	assert_int_equal(
		steer_open(STEER_NAT, "up0", "nix1", &b->plan, NULL, 0, &b->s, why, sizeof(why)),
		-ENODEV);
	assert_int_equal(
		steer_open(STEER_NAT, "lo", "sk0", &b->plan, NULL, 0, &b->s, why, sizeof(why)),
		SKEP_EUNSUPPORTED);
	assert_non_null(strstr(why, "Ethernet"));
	assert_int_equal(
		steer_open(STEER_NAT, "up0", "sk0", &bad, NULL, 0, &b->s, why, sizeof(why)),
		SKEP_ERANGE);
	/* an older queueing discipline without the outgoing side */
	bed_run(b, NS_HOST, "tc qdisc add dev up0 ingress");
	assert_int_equal(
		steer_open(STEER_NAT, "up0", "sk0", &b->plan, NULL, 0, &b->s, why, sizeof(why)),
		-EBUSY);
	assert_non_null(strstr(why, "ingress"));
	assert_null(b->s);
	assert_false(is_there(b, UP_FILTERS, "skep_"));
	bed_run(b, NS_HOST, "tc qdisc del dev up0 ingress");
	assert_string_equal(state_of(b, after), before);
}

/* ---- somebody else's ------------------------------------------------------------------------------- */

/* A classifier of a stranger: lets all go on, and counts. */
static int strange_program(const char *name)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "GPL", code, ARRAY_LEN(code), NULL);
	assert_true(fd >= 0);
	return fd;
}

static void attach_strange(const char *name, enum bpf_tc_attach_point point, uint32_t priority,
			   uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("up0"),
		    .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = priority);
	opts.prog_fd = strange_program(name);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	close(opts.prog_fd);
}

static void test_others_stay(void **state)
{
	struct bed *b = *state;
	static char before[STATE_BYTES], after[STATE_BYTES], why[512];
	bed_close(b);
	bed_run(b, NS_HOST, "tc qdisc add dev up0 clsact");
	attach_strange("stranger", BPF_TC_INGRESS, 1, 1);
	attach_strange("stranger_late", BPF_TC_INGRESS, 7, 1);
	attach_strange("stranger_out", BPF_TC_EGRESS, 9, 1);
	state_of(b, before);
	bed_open(b, STEER_NAT);
	struct shape s = {.src = "192.0.2.7", .dst = "10.0.0.9", .proto = 6, .dport = 80};
	assert_int_equal(bed_send(b, WAY_IN, &s), TO_WALL); /* we come first */
	bed_close(b);
	assert_string_equal(state_of(b, after), before);
	open_and_die(b, STEER_NAT);
	assert_int_equal(steer_clean("up0"), 0);
	assert_int_equal(steer_clean("sk0"), 0);
	assert_string_equal(state_of(b, after), before);
	/* a queueing discipline that was there stays, even with nothing on it */
	bed_run(b, NS_HOST, "tc qdisc del dev up0 clsact && tc qdisc add dev up0 clsact");
	state_of(b, before);
	bed_open(b, STEER_NAT);
	bed_close(b);
	assert_string_equal(state_of(b, after), before);
	open_and_die(b, STEER_NAT);
	assert_int_equal(steer_clean("sk0"), 0);
	assert_int_equal(
		steer_open(STEER_NAT, "up0", "sk0", &b->plan, NULL, 0, &b->s, why, sizeof(why)),
		-EEXIST); /* a skep's, though nobody's queueing discipline was made */
	assert_int_equal(steer_clean("up0"), 0);
	assert_string_equal(state_of(b, after), before);
	bed_run(b, NS_HOST, "tc qdisc del dev up0 clsact");
}

/* Comes while we are there: what we made stays for it. */
static void test_others_who_come_later(void **state)
{
	struct bed *b = *state;
	bed_open(b, STEER_NAT);
	attach_strange("stranger", BPF_TC_INGRESS, 1, 1);
	assert_int_equal(steer_check(b->s), 0);
	bed_close(b);
	assert_true(is_there(b, UP_FILTERS, "stranger"));
	assert_false(is_there(b, UP_FILTERS, "skep_"));
	bed_run(b, NS_HOST, "tc qdisc del dev up0 clsact");
}

/* Whoever has our very place, but is none of ours. */
static void test_our_place_is_taken(void **state)
{
	struct bed *b = *state;
	char why[512];
	bed_close(b);
	bed_run(b, NS_HOST, "tc qdisc add dev up0 clsact");
	attach_strange("stranger", BPF_TC_INGRESS, 1, 0x5ce9);
	assert_int_equal(
		steer_open(STEER_NAT, "up0", "sk0", &b->plan, NULL, 0, &b->s, why, sizeof(why)),
		-EBUSY);
	assert_int_equal(steer_clean("up0"), 0);
	assert_true(is_there(b, UP_FILTERS, "stranger"));
	assert_false(is_there(b, UP_FILTERS, "skep_"));
	bed_run(b, NS_HOST, "tc qdisc del dev up0 clsact");
}

static void test_check_sees_what_is_gone(void **state)
{
	static const char *const acts[] = {
		"tc filter del dev up0 ingress prio 1",
		"tc filter del dev up0 egress prio 1",
		"tc qdisc del dev up0 clsact",
		"tc qdisc del dev sk0 clsact",
	};
	struct bed *b = *state;
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		bed_open(b, STEER_NAT);
		assert_int_equal(steer_check(b->s), 0);
		bed_run(b, NS_HOST, acts[i]);
		assert_int_equal(steer_check(b->s), -ENOENT);
	}
	/* a stranger in our place is not us */
	bed_open(b, STEER_NAT);
	bed_run(b, NS_HOST, "tc filter del dev up0 ingress prio 1");
	attach_strange("skep_in", BPF_TC_INGRESS, 1, 0x15ce9);
	assert_int_equal(steer_check(b->s), -ENOENT);
	bed_close(b);
	bed_run(b, NS_HOST, "tc qdisc del dev up0 clsact");
	/* the link itself */
	bed_open(b, STEER_NAT);
	bed_run(b, NS_HOST,
		"ip link add sk8 type veth peer name sk9 && ip link set sk8 up && ip link set sk9 "
		"up");
	char why[256];
	bed_close(b);
	assert_int_equal(
		steer_open(STEER_NAT, "up0", "sk8", &b->plan, NULL, 0, &b->s, why, sizeof(why)), 0);
	assert_int_equal(steer_check(b->s), 0);
	bed_run(b, NS_HOST, "ip link del sk8");
	assert_int_equal(steer_check(b->s), -ENOENT);
	bed_close(b);
}

/* ---- real stacks -------------------------------------------------------------------------------------- */

static int stream_socket(const struct bed *b, int ns, bool v6)
{
	bed_enter(b, ns);
	int one = 1,
	    fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bed_enter(b, NS_HOST);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

static int datagram_socket(const struct bed *b, int ns, bool v6)
{
	bed_enter(b, ns);
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bed_enter(b, NS_HOST);
	assert_true(fd >= 0);
	return fd;
}

static socklen_t sockaddr_of(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct addr a = bed_addr(text);
	memset(ret, 0, sizeof(*ret));
	if (a.ver == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ret;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a.b, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a.b, 16);
	return sizeof(*in6);
}

static int listen_at(const struct bed *b, int ns, bool v6, uint16_t port)
{
	struct sockaddr_storage ss;
	int fd = stream_socket(b, ns, v6);
	socklen_t len = sockaddr_of(v6 ? "::" : "0.0.0.0", port, &ss);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void bring_up_stacks(struct bed *b)
{
	static const char *const commands[NS_COUNT] = {
		[NS_HOST] = "ip link set up0 addrgenmode none && "
			    "sysctl -qw net.ipv6.conf.up0.disable_ipv6=0 && "
			    "ip addr add 10.0.0.1/24 dev up0 && "
			    "ip addr add 2001:db8::1/64 dev up0 nodad",
		[NS_NET] = "ip link set net0 addrgenmode none && "
			   "sysctl -qw net.ipv6.conf.net0.disable_ipv6=0 && "
			   "ip addr add 10.0.0.2/24 dev net0 && "
			   "ip addr add 2001:db8::2/64 dev net0 nodad",
		/* What the wall and its guests would do: the aliases, and the host's address as well; the wall
		 * is told its neighbours. */
		[NS_WALL] = "ip link set sk1 addrgenmode none && "
			    "sysctl -qw net.ipv6.conf.sk1.disable_ipv6=0 && "
			    "for a in 1 9; do ip addr add 10.0.0.$a/24 dev sk1; "
			    "ip addr add 2001:db8::$a/64 dev sk1 nodad; done && "
			    "ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev sk1 && "
			    "ip neigh replace 2001:db8::2 lladdr 02:00:00:00:00:02 dev sk1",
	};
	for (int i = 0; i < NS_COUNT; i++)
		bed_run(b, i, commands[i]);
}

/* Which of the listeners takes a connection to that place? Both ends are given back. */
static int who_answers(const struct bed *b, int from, const char *to, uint16_t port,
		       const int *listeners, int n, int *ret_client, int *ret_server)
{
	struct sockaddr_storage ss;
	struct pollfd p[4];
	int fd = stream_socket(b, from, bed_addr(to).ver == 6);
	socklen_t len = sockaddr_of(to, port, &ss);
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), -1);
	assert_int_equal(errno, EINPROGRESS);
	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){listeners[i], POLLIN, 0};
	steer_beat(b->s, clock_boot_ns());
	assert_true(poll(p, (nfds_t)n, 10000) == 1);
	for (int i = 0; i < n; i++)
		if (p[i].revents != 0) {
			*ret_server =
				accept4(listeners[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
			*ret_client = fd;
			return i;
		}
	return -1;
}

/* Bytes through the connection, from a to z; the longest frame seen on the link meanwhile. */
static size_t stream(const struct bed *b, int a, int z, int link)
{
	static uint8_t out[65536], in[65536];
	size_t sent = 0, got = 0, longest = 0;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 251);
	for (unsigned idle = 0; got < STREAM_BYTES && idle < 500;) {
		struct pollfd p = {z, POLLIN, 0};
		uint8_t x[64];
		size_t at = sent % sizeof(out);
		ssize_t n = sent < STREAM_BYTES ? send(a, out + at, sizeof(out) - at, 0) : 0;
		sent += n > 0 ? (size_t)n : 0;
		steer_beat(b->s, clock_boot_ns());
		poll(&p, 1, 10);
		for (ssize_t f; (f = recv(b->raw[link], x, sizeof(x), MSG_TRUNC)) >= 0;)
			longest = (size_t)f > longest ? (size_t)f : longest;
		at = got % sizeof(in);
		n = recv(z, in, sizeof(in) - at, 0);
		if (n > 0)
			assert_memory_equal(in, out + at, (size_t)n);
		got += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
	}
	assert_true(got >= STREAM_BYTES);
	return longest;
}

static void test_real_stacks(void **state)
{
	struct bed *b = *state;
	bed_open(b, STEER_NAT);
	for (int v6 = 0; v6 <= 1; v6++) {
		static const char *const texts[2][3] = {
			{"10.0.0.1", "10.0.0.9", "10.0.0.2"},
			{"2001:db8::1", "2001:db8::9", "2001:db8::2"}};
		const char *shared = texts[v6][0], *alias = texts[v6][1], *net = texts[v6][2];
		int client = -1, server = -1;
		enum { HOST_22, WALL_22, HOST_80, WALL_80 };
		int at[] = {listen_at(b, NS_HOST, v6, 22), listen_at(b, NS_WALL, v6, 22),
			    listen_at(b, NS_HOST, v6, 80), listen_at(b, NS_WALL, v6, 80)};
		int in_net = listen_at(b, NS_NET, v6, 443);
		const struct {
			const char *to;
			uint16_t port;
			int who;
		} rows[] = {{shared, 22, HOST_22},
			    {shared, 80, WALL_80},
			    {alias, 22, WALL_22},
			    {alias, 80, WALL_80}};
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			assert_int_equal(who_answers(b, NS_NET, rows[i].to, rows[i].port, at, 4,
						     &client, &server),
					 rows[i].who);
			/* super-frames and partial checksums come through whole, both ways */
			size_t longest = stream(b, client, server, LINK_WALL);
			if (rows[i].who != HOST_22)
				assert_true(longest > 20000);
			longest = stream(b, server, client, LINK_NET);
			assert_true(longest > 20000);
			close(client);
			close(server);
		}
		/* the host, and a guest with the host's address, each begin something */
		for (int i = 0; i < 2; i++) {
			int from = i == 0 ? NS_HOST : NS_WALL;
			assert_int_equal(
				who_answers(b, from, net, 443, &in_net, 1, &client, &server), 0);
			stream(b, server, client, LINK_NET);
			stream(b, client, server, LINK_NET);
			close(client);
			close(server);
		}
		for (int i = 0; i < 4; i++)
			close(at[i]);
		close(in_net);
	}
	bed_close(b);
}

/* While nobody beats: in STEER_NAT the host is as if we were not there, in STEER_BRIDGE it hears nothing. */
static void test_the_host_without_a_beat(void **state)
{
	struct bed *b = *state;
	for (int form = STEER_NAT; form <= STEER_BRIDGE; form++)
		for (int v6 = 0; v6 <= 1; v6++) {
			struct sockaddr_storage ss;
			bed_open(b, (enum steer_form)form);
			steer_beat(b->s, clock_boot_ns() - (STEER_SILENCE_S + 1) * NS_PER_SEC);
			int at = datagram_socket(b, NS_HOST, v6),
			    fd = datagram_socket(b, NS_NET, v6);
			struct pollfd p = {at, POLLIN, 0};
			socklen_t len = sockaddr_of(v6 ? "::" : "0.0.0.0", 5000, &ss);
			assert_int_equal(bind(at, (struct sockaddr *)&ss, len), 0);
			len = sockaddr_of(v6 ? "2001:db8::1" : "10.0.0.1", 5000, &ss);
			/* the first of them made the host's link address known */
			assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&ss, len), 1);
			bool nat = form == STEER_NAT;
			assert_int_equal(poll(&p, 1, nat ? 10000 : 200), nat ? 1 : 0);
			close(fd);
			close(at);
		}
	bed_close(b);
}

int main(void)
{
	static struct bed bed;
	int err = bed_setup(&bed);
	if (err != 0)
		return err;
	bring_up_stacks(&bed);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(test_nothing_stays, &bed),
		cmocka_unit_test_prestate(test_listens_for_what_it_must, &bed),
		cmocka_unit_test_prestate(test_clean_after_a_kill, &bed),
		cmocka_unit_test_prestate(test_errors_leave_nothing, &bed),
		cmocka_unit_test_prestate(test_others_stay, &bed),
		cmocka_unit_test_prestate(test_others_who_come_later, &bed),
		cmocka_unit_test_prestate(test_our_place_is_taken, &bed),
		cmocka_unit_test_prestate(test_check_sees_what_is_gone, &bed),
		cmocka_unit_test_prestate(test_real_stacks, &bed),
		cmocka_unit_test_prestate(test_the_host_without_a_beat, &bed),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	bed_teardown(&bed);
	return failed;
}
