/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop: sleeps until something happens, gathers for a moment, tells the host. */
#include "monitor/monitor.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define GATHER_NS (30 * NS_PER_MS) /* records come in bunches: one awakening for all of one */
#define ROUND 4096                 /* records at once, before anything else gets its turn */
#define PROVE_BEATS 3
#define BEFORE "/run/monitor.boot"

static const struct monitor_handler handlers[] = {
	{SENSOR_EXEC, life_exec},   {SENSOR_EXIT, life_exit}, {SENSOR_DATA, data_take},
	{SENSOR_LOGIN, login_take}, {SENSOR_FILE, file_take},
};
/* Called in each round that had something to do, and at each beat. true: there is more to do, soon. */
static bool (*const ticks[])(struct monitor *m, uint64_t now_ns) = {content_tick};

static int take_record(void *context, void *record, size_t size)
{
	struct monitor *m = context;
	struct sensor_head *h = record;
	uint8_t *payload = (uint8_t *)record + sizeof(*h);

	if (size < sizeof(*h) || h->len > size - sizeof(*h) || h->type >= SENSOR_TYPES)
		return 0;
	m->taken++;
	if (h->type != SENSOR_DATA)
		data_flush(m);
	for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
		if (handlers[i].type != h->type)
			continue;
		handlers[i].take(m, h, payload, h->len);
		return m->taken < ROUND ? 0 : -EAGAIN;
	}
	(void)ship_put(&m->ship, h->type, h->boot_ns, payload, h->len);
	return m->taken < ROUND ? 0 : -EAGAIN;
}

/* ---- hello and beats ----------------------------------------------------------------------------------- */

static void read_boot_id(uint8_t ret[16])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	unsigned digits = 0;

	if (fd >= 0)
		close(fd);
	memset(ret, 0, 16);
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		const char *hex = "0123456789abcdef", *at = text[i] ? strchr(hex, text[i]) : NULL;

		if (!at)
			continue;
		ret[digits / 2] = (uint8_t)(ret[digits / 2] << 4 | (at - hex));
		digits++;
	}
}

/* Leaves a note for the next life. */
static bool first_of_boot(const uint8_t id[16])
{
	uint8_t old[16] = {0};
	int fd = open(BEFORE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool first = fd < 0 || read(fd, old, sizeof(old)) != sizeof(old) ||
		     memcmp(old, id, sizeof(old)) != 0;

	if (fd >= 0) {
		if (first && pwrite(fd, id, 16, 0) != 16)
			fprintf(stderr, "monitor: can't write %s\n", BEFORE);
		close(fd);
	}
	return first;
}

static void hello(struct monitor *m)
{
	struct {
		struct sensor_hello h;
		uint8_t text[2 + 65];
	} r = {.h = {.version = SENSOR_VERSION,
		     .mode = (uint8_t)m->mode,
		     .pid = (uint32_t)getpid()}};
	struct utsname u;
	const uint8_t *end;

	r.h.hooks = m->hooks.attached;
	r.h.wall_ns = wall_now();
	read_boot_id(r.h.boot_id);
	r.h.first = first_of_boot(r.h.boot_id);
	if (uname(&u))
		u.release[0] = 0;
	end = ship_text(r.text, r.text + sizeof(r.text), u.release, strlen(u.release));
	(void)ship_put(&m->ship, SENSOR_HELLO, 0, &r, (size_t)(end - (uint8_t *)&r));
}

/* What the ring had no room for. */
static void gather_lost(struct monitor *m)
{
	struct monitor_shared *s = m->hooks.shared;

	for (uint16_t i = 0; s && i < SENSOR_TYPES; i++) {
		uint64_t n = s->lost[i] - s->told[i];

		s->told[i] += n;
		ship_lost(&m->ship, i, n, 0);
	}
	if (s) {
		uint64_t n = s->lost_bytes - s->told_bytes;

		s->told_bytes += n;
		ship_lost(&m->ship, SENSOR_DATA, 0, n);
	}
	ship_tell_lost(&m->ship);
}

static uint64_t cpu_us(void)
{
	struct rusage a, b;

	getrusage(RUSAGE_SELF, &a);
	getrusage(RUSAGE_CHILDREN, &b);
	return (uint64_t)(a.ru_utime.tv_sec + a.ru_stime.tv_sec + b.ru_utime.tv_sec +
			  b.ru_stime.tv_sec) *
		       1000000 +
	       (uint64_t)(a.ru_utime.tv_usec + a.ru_stime.tv_usec + b.ru_utime.tv_usec +
			  b.ru_stime.tv_usec);
}

/* Whoever is root can write into the programs' maps: that they overlook us, and nobody else, is put right. */
static bool still_own(struct hooks *h)
{
	uint32_t self = (uint32_t)getpid(), was;

	if (!h->shared)
		return true;
	was = __atomic_exchange_n(&h->shared->self, self, __ATOMIC_SEQ_CST);
	return was == self;
}

/* false: hooks were taken off, and only a new life brings them back. */
static bool beat(struct monitor *m)
{
	struct sensor_beat b = {.wall_ns = wall_now()};
	uint64_t before = m->alive, there = m->hooks.attached, cpu = cpu_us();

	gather_lost(m);
	watch_files(&m->watch);
	watch_clock(&m->watch);
	b.disk_permille = watch_disk(&m->watch);
	if (m->mode == SENSOR_BPF) {
		there = hooks_check(&m->hooks);
		if (m->beats % PROVE_BEATS == 0)
			m->proved = hooks_prove(&m->hooks);
		m->alive = still_own(&m->hooks) ? there & m->proved : 0;
	}
	m->beats++;
	if (before & ~m->alive) {
		struct {
			struct sensor_state s;
			uint8_t text[2];
		} r = {.s = {.what = SENSOR_UNHOOKED, .value = (int64_t)(before & ~m->alive)}};

		(void)ship_put(&m->ship, SENSOR_STATE, 0, &r, sizeof(r));
	}
	b.hooks = m->alive;
	b.told = m->ship.told;
	b.lost = m->ship.lost_all;
	b.load = (uint32_t)(cpu - m->cpu_us);
	m->cpu_us = cpu;
	(void)ship_put(&m->ship, SENSOR_BEAT, 0, &b, sizeof(b));
	ship_flush(&m->ship);
	/* Those that hang there but are not called (ftrace switched off) no new life would help. */
	return there == m->hooks.attached;
}

/* ---- loop ---------------------------------------------------------------------------------------------- */

static void rest(void)
{
	const struct timespec t = {.tv_nsec = GATHER_NS};

	nanosleep(&t, NULL);
}

/* Takes what is in the ring. */
static void drain(struct monitor *m)
{
	m->taken = 0;
	if (m->hooks.ring)
		(void)ring_buffer__consume(m->hooks.ring);
	data_flush(m);
	m->more = false;
	for (size_t i = 0; i < ARRAY_LEN(ticks); i++)
		m->more |= ticks[i](m, boot_now());
	ship_flush(&m->ship);
}

static void set_asleep(struct monitor *m, uint32_t asleep)
{
	if (m->hooks.shared)
		__atomic_store_n(&m->hooks.shared->asleep, asleep, __ATOMIC_SEQ_CST);
}

/* Until somebody ends it. The exit status: 0, or 1 if a new life is needed. */
static int run(struct monitor *m, int beats, int signals)
{
	struct pollfd fds[] = {
		{beats, POLLIN, 0},
		{signals, POLLIN, 0},
		{m->watch.links, POLLIN, 0},
		{m->watch.clock, POLLIN, 0},
		{m->audit_fd, POLLIN, 0},
		{m->hooks.ring ? ring_buffer__epoll_fd(m->hooks.ring) : -1, POLLIN,
		 0}, /* the last */
	};
	bool well = true;

	while (well && !(fds[1].revents & POLLIN)) {
		uint64_t ignored;

		drain(m);
		if (m->taken == 0 && !m->more && ship_waiting(&m->ship) == 0)
			set_asleep(m, 1);
		/* While there is something to do, the ring is looked at without being asked to. */
		bool busy = m->taken > 0 || m->more;
		bool late = ship_waiting(&m->ship) > 0;

		if (poll(fds, busy || late ? ARRAY_LEN(fds) - 1 : ARRAY_LEN(fds),
			 busy || late ? (int)(GATHER_NS / NS_PER_MS) : -1) > 0 &&
		    (fds[5].revents & POLLIN))
			rest();
		set_asleep(m, 0);
		fds[5].revents = 0;
		if (fds[4].revents & POLLIN)
			audit_read(m);
		if (fds[2].revents & POLLIN)
			watch_links(&m->watch);
		if (fds[3].revents & POLLIN) {
			watch_clock(&m->watch);
			fds[3].fd = m->watch.clock;
		}
		if ((fds[0].revents & POLLIN) && read(beats, &ignored, sizeof(ignored)) > 0)
			well = beat(m);
	}
	drain(m);
	if (well)
		(void)beat(m);
	return well ? 0 : 1;
}

static int open_beats(void)
{
	const struct itimerspec t = {.it_interval = {.tv_sec = SENSOR_BEAT_MS / 1000,
						     .tv_nsec = SENSOR_BEAT_MS % 1000 * NS_PER_MS},
				     .it_value = {.tv_sec = 0, .tv_nsec = 1}};
	int fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	return fd >= 0 && timerfd_settime(fd, 0, &t, NULL) == 0 ? fd : -1;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The last to go when memory is short, the first to run when time is. */
static void important(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "-900", 4) != 4)
			fprintf(stderr, "monitor: may be killed when memory is short\n");
		close(fd);
	}
	if (setpriority(PRIO_PROCESS, 0, -10))
		fprintf(stderr, "monitor: has no priority: %s\n", strerror(errno));
	if (chdir("/"))
		fprintf(stderr, "monitor: can't change to /\n");
}

static void open_audit(struct monitor *m)
{
	int r = audit_open(m);

	m->mode = SENSOR_AUDIT;
	if (r)
		fprintf(stderr, "monitor: no audit either: %s\n", strerror(-r));
	else
		m->hooks.attached = m->alive = 1ull << HOOK_EXEC;
}

static int start(bool print, bool debug, bool audit)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int beats = open_beats(), signals = open_signals(), r;

	if (!m || beats < 0 || signals < 0)
		return 1;
	important();
	m->ship.fd = -1;
	m->ship.print = print ? stdout : NULL;
	m->hooks.debug = debug;
	m->mode = SENSOR_BPF;
	m->audit_fd = -1;
	r = audit ? -ENOTSUP : hooks_open(&m->hooks, take_record, m);
	if (r) {
		fprintf(stderr, "monitor: no programs: %s\n", strerror(-r));
		open_audit(m);
	}
	m->alive = m->proved = m->hooks.attached;
	hello(m);
	r = watch_open(&m->watch, &m->ship);
	if (r)
		fprintf(stderr, "monitor: does not see all: %s\n", strerror(-r));
	return run(m, beats, signals);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"version", no_argument, NULL, 'v'}, {"print", no_argument, NULL, 'p'},
		{"audit", no_argument, NULL, 'a'},   {"debug", no_argument, NULL, 'd'},
		{"nothing", no_argument, NULL, 'n'}, {"unload", no_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},    {NULL, 0, NULL, 0}};
	bool print = false, debug = false, audit = false;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'n': /* begun by hooks_prove */
			return 0;
		case 'v':
			printf("monitor %s, stream %d\n", MONITOR_VERSION, SENSOR_VERSION);
			return 0;
		case 'u':
			pins_remove(NULL);
			return 0;
		case 'a':
			audit = true;
			break;
		case 'p':
			print = true;
			break;
		case 'd':
			debug = true;
			break;
		default:
			fprintf(c == 'h' ? stdout : stderr,
				"monitor [--print] [--debug] [--audit]: tells the host what "
				"happens here\n"
				"  --print    to the terminal instead of the port " SENSOR_PORT "\n"
				"  --audit    by the kernel's audit, as where programs can't be "
				"loaded\n"
				"  --debug    what the kernel's verifier says, to stderr\n"
				"  --unload   takes away what is left in the kernel when none "
				"runs\n"
				"  --version\n");
			return c == 'h' ? 0 : 2;
		}
	}
	return start(print, debug, audit);
}
