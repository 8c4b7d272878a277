/* SPDX-License-Identifier: BSD-2-Clause */
/* The recorder as a process, confined as in life, on a veth pair in a network namespace: what a
 * second socket saw is in the captures, in order and commented; through kill -9, a port made again,
 * and the loss of super. Needs root; skipped without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "role/role.h"
#include "sys/sys.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEST_TYPE 0x88b5 /* local experimental */
#define RING (32u << 20) /* holds all that a test sends, however late the recorder runs */
#define SMALL_RING (4u << 20)

struct rig {
	char path[64];
	int folder, marks_fd, super, child_end, events[2], rings[2];
	struct mark_ring *marks;
	pid_t pid;
	uint64_t ring_bytes, file_bytes, disk_bytes;
	int wall[2], end[2]; /* sockets on port<i> and end<i> */
};

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return 0; /* each test skips */
	return system("sysctl -qw net.ipv6.conf.default.disable_ipv6=1;"
		      "for i in 0 1; do ip link add port$i type veth peer name end$i && "
		      "ip link set port$i up && ip link set end$i up || exit 1; done");
}

static int plain_socket(const char *ifname, bool wall)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(ifname)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)), 0);
	if (wall)
		assert_int_equal(
			setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int open_ring(unsigned i, uint64_t ring_bytes)
{
	char name[IF_NAMESIZE];
	int fd = -1;
	snprintf(name, sizeof(name), "port%u", i);
	assert_int_equal(capture_ring_open(name, ring_bytes, &fd), 0);
	return fd;
}

static void rig_make_with(struct rig *g, uint64_t ring_bytes)
{
	void *mem;
	if (if_nametoindex("port0") == 0)
		skip();
	*g = (struct rig){.path = "/tmp/skt-c-XXXXXX",
			  .ring_bytes = ring_bytes,
			  .file_bytes = 64 << 20,
			  .disk_bytes = UINT64_C(1) << 30};
	assert_non_null(mkdtemp(g->path));
	g->folder = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(shm_create("marks", mark_ring_bytes(), &g->marks_fd), 0);
	assert_int_equal(shm_map(g->marks_fd, mark_ring_bytes(), true, &mem), 0);
	g->marks = mark_ring_at(mem);
	assert_int_equal(ipc_pair(1 << 20, g->events), 0);
	for (unsigned i = 0; i < 2; i++) {
		char port[8], end[8];
		snprintf(port, sizeof(port), "port%u", i);
		snprintf(end, sizeof(end), "end%u", i);
		g->rings[i] = open_ring(i, ring_bytes);
		g->wall[i] = plain_socket(port, true);
		g->end[i] = plain_socket(end, false);
	}
}

static void rig_make(struct rig *g)
{
	rig_make_with(g, RING);
}

static void rig_start(struct rig *g)
{
	struct start_recorder start = {
		.conf = {.on = 1,
			 .disk_bytes = g->disk_bytes,
			 .file_bytes = g->file_bytes,
			 .file_age_ns = 3600 * NS_PER_SEC,
			 .ring_bytes = g->ring_bytes},
		.n_ports = 2,
		.ports = {{"outside", "the world"}, {"web1", "guest web1"}},
	};
	int pair[2];
	struct ipc_msg m;
	struct msg_ready ready;
	assert_int_equal(ipc_pair(1 << 20, pair), 0);
	fflush(NULL);
	g->pid = fork();
	assert_true(g->pid >= 0);
	if (g->pid == 0) {
		dup2(pair[1], ROLE_SUPER_FD);
		closefrom(ROLE_SUPER_FD + 1);
		_exit(role_recorder());
	}
	close(pair[1]);
	g->super = pair[0];
	int fds[] = {g->events[1], g->marks_fd, g->folder, g->rings[0], g->rings[1]};
	assert_int_equal(ipc_send(g->super, MSG_START_RECORDER, &start, sizeof(start), fds, 5), 0);
	struct pollfd pfd = {.fd = g->super, .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_int_equal(ipc_recv(g->super, &role_messages, ROLE_BIT(ROLE_RECORDER),
				  ROLE_BIT(ROLE_SUPER), &ready, sizeof(ready), &m),
			 0);
	assert_int_equal(m.type, MSG_READY);
}

/* Waits for the child; returns its exit code, or 128 + signal. */
static int rig_reap(struct rig *g)
{
	int status;
	assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
	close(g->super);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void rig_stop(struct rig *g)
{
	struct ipc_msg m;
	assert_int_equal(ipc_send(g->super, MSG_STOP, NULL, 0, NULL, 0), 0);
	struct pollfd pfd = {.fd = g->super, .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_int_equal(ipc_recv(g->super, &role_messages, ROLE_BIT(ROLE_RECORDER),
				  ROLE_BIT(ROLE_SUPER), NULL, 0, &m),
			 0);
	assert_int_equal(m.type, MSG_DONE);
	assert_int_equal(rig_reap(g), 0);
}

static void rig_remove(struct rig *g)
{
	DIR *d = fdopendir(g->folder);
	struct dirent *e;
	while ((e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(g->path);
	munmap((void *)g->marks, mark_ring_bytes());
	close(g->marks_fd);
	for (unsigned i = 0; i < 2; i++) {
		close(g->events[i]);
		close(g->rings[i]);
		close(g->wall[i]);
		close(g->end[i]);
	}
}

static size_t frame_of(uint32_t n, uint8_t out[1600])
{
	size_t len = 60 + n * 7 % 1400;
	memset(out, 2, 12);
	store_be16(out + 12, TEST_TYPE);
	store_be32(out + 14, n);
	for (size_t i = 18; i < len; i++)
		out[i] = (uint8_t)(n + i);
	return len;
}

static void send_frame(int fd, uint32_t n)
{
	uint8_t buf[1600];
	size_t len = frame_of(n, buf);
	assert_int_equal(write(fd, buf, len), len);
}

/* What the wall does with a frame: marks each fourth. */
static void wall_marks(struct rig *g, unsigned port)
{
	uint8_t buf[1600];
	char control[256];
	struct iovec iov = {buf, sizeof(buf)};
	for (;;) {
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(g->wall[port], &msg, 0);
		struct timespec ts = {0};
		if (len < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_type == SCM_TIMESTAMPNS)
				memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		uint32_t n = load_be32(buf + 14);
		if (load_be16(buf + 12) != TEST_TYPE || n % 4 != 0)
			continue;
		struct mark m = {.stamp_ns = ts.tv_sec * NS_PER_SEC + ts.tv_nsec,
				 .flow_id = n,
				 .len = (uint32_t)len,
				 .hash = capture_hash(buf, (size_t)len),
				 .port = (uint16_t)port,
				 .verdict = VERDICT_DROP,
				 .reason = REASON_SPOOFED_MAC,
				 .direction = DIR_OUTBOUND};
		mark_put(g->marks, &m);
	}
}

/* Frame n of the traffic: in and out of both ports. */
static void traffic(struct rig *g, uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n < to; n++) {
		unsigned port = n / 2 % 2;
		send_frame(n % 3 == 0 ? g->wall[port] : g->end[port], n);
		wall_marks(g, port);
		if (n % 64 == 0)
			usleep(500);
	}
}

#define SEEN_MAX 20000u
struct seen {
	uint8_t times[SEEN_MAX];
	uint32_t frames, comments, out_of_order;
	int64_t last_ns;
};

static void check_packet(struct seen *s, const struct capture_packet *p, const char *name)
{
	uint8_t want[1600];
	char comment[64];
	if (p->len < 18 || load_be16(p->data + 12) != TEST_TYPE)
		return;
	uint32_t n = load_be32(p->data + 14);
	assert_true(n < SEEN_MAX);
	assert_int_equal(p->len, frame_of(n, want));
	assert_memory_equal(p->data, want, p->len);
	assert_string_equal(name, n / 2 % 2 == 0 ? "outside" : "web1");
	assert_int_equal(p->outbound, n % 3 == 0);
	if (n % 4 == 0 && n % 3 != 0) {
		snprintf(comment, sizeof(comment), "OUTBOUND drop spoofed-mac flow=%u", n);
		if (n == 0)
			strcpy(comment, "OUTBOUND drop spoofed-mac");
		assert_non_null(p->comment);
		assert_string_equal(p->comment, comment);
		s->comments++;
	} else {
		assert_null(p->comment);
	}
	s->out_of_order += p->stamp_ns < s->last_ns;
	s->last_ns = p->stamp_ns;
	s->times[n]++;
	s->frames++;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

/* Reads every capture; returns the number of files. None may be left open. */
static unsigned read_all(struct rig *g, struct seen *s)
{
	struct dirent **list;
	unsigned files = 0;
	int n = scandirat(g->folder, ".", &list, NULL, by_name);
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < n; i++) {
		struct capture_reader *r;
		struct capture_packet p;
		const char *name;
		bool part;
		int err;
		if (!capture_file_name(list[i]->d_name, &part)) {
			free(list[i]);
			continue;
		}
		assert_false(part);
		int fd = openat(g->folder, list[i]->d_name, O_RDONLY);
		assert_int_equal(capture_open(fd, &r), 0);
		while ((err = capture_next(r, &p, &name)) == 0)
			check_packet(s, &p, name);
		assert_int_equal(err, SKEP_ENOTFOUND);
		capture_reader_free(&r);
		close(fd);
		files++;
		free(list[i]);
	}
	free(list);
	return files;
}

static struct seen seen;

static void each_exactly_once(uint32_t frames)
{
	for (uint32_t n = 0; n < frames; n++)
		assert_int_equal(seen.times[n], 1);
	assert_int_equal(seen.frames, frames);
}

static void records_everything(void **state)
{
	struct rig g;
	(void)state;
	rig_make(&g);
	rig_start(&g);
	traffic(&g, 0, 16000); /* more than stays in the page cache */
	rig_stop(&g);
	assert_int_equal(read_all(&g, &seen), 1);
	each_exactly_once(16000);
	assert_int_equal(seen.comments, 16000 / 4 - 16000 / 12 - 1);
	/* The kernel stamps an incoming frame before it queues it: one that is sent meanwhile may
	 * overtake it. Rare. */
	assert_in_range(seen.out_of_order, 0, 100);
	rig_remove(&g);
}

/* Each new file, and each removal, happens behind the filter. */
static void turns_files(void **state)
{
	struct rig g;
	(void)state;
	rig_make(&g);
	g.file_bytes = 1 << 20;
	rig_start(&g);
	traffic(&g, 0, 8000);
	rig_stop(&g);
	assert_true(read_all(&g, &seen) >= 5);
	each_exactly_once(8000);
	g.disk_bytes = 4 << 20;
	rig_start(&g);
	traffic(&g, 8000, 16000);
	rig_stop(&g);
	assert_in_range(read_all(&g, &seen), 3, 5);
	assert_int_equal(seen.times[0], 0);
	assert_int_equal(seen.times[15999], 1);
	rig_remove(&g);
}

/* Frames that come while there is no recorder wait in the ring, which super keeps open. */
static void survives_kill(void **state)
{
	struct rig g;
	(void)state;
	rig_make(&g);
	rig_start(&g);
	traffic(&g, 0, 2000);
	usleep(500000); /* flushed by now */
	assert_int_equal(kill(g.pid, SIGKILL), 0);
	assert_int_equal(rig_reap(&g), 128 + SIGKILL);
	traffic(&g, 2000, 3000);
	rig_start(&g);
	traffic(&g, 3000, 4000);
	rig_stop(&g);
	assert_int_equal(read_all(&g, &seen), 2);
	each_exactly_once(4000);
	rig_remove(&g);
}

static void port_made_again(void **state)
{
	struct rig g;
	struct msg_port port = {.index = 1, .has_fd = 1};
	(void)state;
	rig_make(&g);
	rig_start(&g);
	traffic(&g, 0, 1000);
	usleep(100000);
	assert_int_equal(
		system("ip link del port1 && ip link add port1 type veth peer name end1 && "
		       "ip link set port1 up && ip link set end1 up"),
		0);
	close(g.rings[1]);
	close(g.wall[1]);
	close(g.end[1]);
	g.rings[1] = open_ring(1, RING);
	g.wall[1] = plain_socket("port1", true);
	g.end[1] = plain_socket("end1", false);
	assert_int_equal(ipc_send(g.super, MSG_PORT, &port, sizeof(port), &g.rings[1], 1), 0);
	traffic(&g, 1000, 2000);
	usleep(100000);
	rig_stop(&g);
	assert_int_equal(read_all(&g, &seen), 1);
	each_exactly_once(2000);
	rig_remove(&g);
}

/* super dies: the file is ended in good order all the same. */
static void loses_super(void **state)
{
	struct rig g;
	(void)state;
	rig_make(&g);
	rig_start(&g);
	traffic(&g, 0, 500);
	shutdown(g.super, SHUT_RDWR);
	assert_int_equal(rig_reap(&g), 0);
	assert_int_equal(read_all(&g, &seen), 1);
	each_exactly_once(500);
	rig_remove(&g);
}

/* Too much at once while the recorder stands still: counted, told, and the rest is right. */
static void tells_losses(void **state)
{
	struct rig g;
	struct event e;
	struct ipc_msg m;
	uint64_t told = 0;
	(void)state;
	rig_make_with(&g, SMALL_RING);
	rig_start(&g);
	assert_int_equal(kill(g.pid, SIGSTOP), 0);
	for (uint32_t n = 1; n < 16000; n += 12) /* all to one port, from its far end */
		for (uint32_t i = 0; i < 8; i++)
			send_frame(g.end[0], n);
	assert_int_equal(kill(g.pid, SIGCONT), 0);
	usleep(500000);
	rig_stop(&g);
	while (ipc_recv(g.events[0], &role_messages, ROLE_BIT(ROLE_RECORDER), ROLE_BIT(ROLE_HUB),
			&e, sizeof(e), &m) == 0) {
		assert_true(event_valid(&e));
		if (e.kind == EVENT_HEALTH && strcmp(e.u.health.what, "lost") == 0)
			told += e.u.health.count;
	}
	assert_int_equal(read_all(&g, &seen), 1);
	assert_true(told > 0);
	assert_int_equal(seen.frames + told, (16000 + 10) / 12 * 8);
	rig_remove(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_everything), cmocka_unit_test(turns_files),
		cmocka_unit_test(survives_kill),      cmocka_unit_test(port_made_again),
		cmocka_unit_test(loses_super),        cmocka_unit_test(tells_losses),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
