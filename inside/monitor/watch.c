/* SPDX-License-Identifier: BSD-2-Clause */
/* States: files that watch the intruder and that he would like to change, links, clock, disk. */
#include "monitor/monitor.h"

#include <errno.h>
#include <glob.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const char *const files[] = {
	"/bin/bash",
	"/bin/sh",
	"/usr/bin/bash",
	"/usr/bin/dash",
	"/usr/sbin/rsyslogd",
	"/usr/sbin/sshd",
	"/usr/sbin/dropbear",
	"/bin/busybox",
	"/proc/self/exe",
	"/etc/ld.so.preload",
	"/etc/rsyslog.conf",
	"/etc/rsyslog.d",
	"/etc/hosts",
	"/etc/ssh/sshd_config",
	"/etc/ssh/sshd_config.d",
	"/etc/pam.d/sshd",
	"/etc/systemd/system/monitor.service",
	"/usr/lib/systemd/system/monitor.service",
	"/etc/passwd",
	"/etc/shadow",
};
static const char *const patterns[] = {"/etc/rsyslog.d/*.conf", "/etc/ssh/sshd_config.d/*.conf"};

#define CLOCK_STEP (500 * NS_PER_MS)
#define DISK_FULL 985u
#define DISK_FREE 950u

static void tell(struct watch *w, enum sensor_state_what what, int64_t value, const char *name)
{
	struct {
		struct sensor_state s;
		uint8_t text[2 + 256];
	} r = {.s = {.what = what, .value = value}};
	const uint8_t *end = ship_text(r.text, r.text + sizeof(r.text), name, strlen(name));

	(void)ship_put(w->ship, SENSOR_STATE, 0, &r, (size_t)(end - (uint8_t *)&r));
}

/* ---- files ------------------------------------------------------------------------------------------ */

static void look(const char *path, struct watched_file *ret)
{
	struct stat st;

	ret->there = stat(path, &st) == 0;
	if (!ret->there)
		return;
	ret->dev = st.st_dev;
	ret->inode = st.st_ino;
	ret->size = (uint64_t)st.st_size;
	ret->ctime_ns = (uint64_t)st.st_ctim.tv_sec * NS_PER_SEC + (uint64_t)st.st_ctim.tv_nsec;
}

static void add_file(struct watch *w, const char *path)
{
	struct watched_file *f = &w->files[w->n_files];
	ssize_t n;

	if (w->n_files == MONITOR_FILES || strlen(path) >= sizeof(f->path))
		return;
	memset(f, 0, sizeof(*f));
	memcpy(f->path, path, strlen(path) + 1);
	if (strcmp(path, "/proc/self/exe") ==
	    0) { /* where the monitor lies; its name, since it may be moved */
		n = readlink(path, f->path, sizeof(f->path) - 1);
		f->path[n > 0 ? n : 0] = 0;
	}
	look(f->path, f);
	w->n_files++;
}

/* Looking every two seconds costs 20 system calls, and sees what comes in whatever way: by another name of
 * the file, by a mount over it. The time of change can't be set back without the clock. */
void watch_files(struct watch *w)
{
	for (uint32_t i = 0; i < w->n_files; i++) {
		struct watched_file *f = &w->files[i], now = {0};

		look(f->path, &now);
		if (now.there == f->there && now.dev == f->dev && now.inode == f->inode &&
		    now.size == f->size && now.ctime_ns == f->ctime_ns)
			continue;
		memcpy(now.path, f->path, sizeof(now.path));
		*f = now;
		tell(w, SENSOR_WATCHED, now.there, f->path);
	}
}

/* ---- links ------------------------------------------------------------------------------------------ */

static void link_record(struct watch *w, const struct nlmsghdr *n)
{
	const struct ifinfomsg *i = NLMSG_DATA(n);
	char name[IF_NAMESIZE];
	bool up = n->nlmsg_type == RTM_NEWLINK && (i->ifi_flags & IFF_UP) &&
		  (i->ifi_flags & IFF_RUNNING);
	uint32_t bit = (uint32_t)i->ifi_index;

	if (n->nlmsg_len < NLMSG_LENGTH(sizeof(*i)) || bit >= 64 || up == (w->up >> bit & 1))
		return;
	w->up ^= 1ull << bit;
	if (!if_indextoname(bit, name))
		snprintf(name, sizeof(name), "link %u", bit);
	tell(w, up ? SENSOR_LINK_UP : SENSOR_LINK_DOWN, 0, name);
}

/* An address or a route taken away stops the network as well. */
static void address_record(struct watch *w, const struct nlmsghdr *n)
{
	const struct ifaddrmsg *a = NLMSG_DATA(n);
	char name[IF_NAMESIZE];

	if (n->nlmsg_len < NLMSG_LENGTH(sizeof(*a)) || a->ifa_scope != RT_SCOPE_UNIVERSE ||
	    !if_indextoname(a->ifa_index, name))
		return;
	tell(w, SENSOR_LINK_DOWN, 1, name);
}

void watch_links(struct watch *w)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	ssize_t got = recv(w->links, buf, sizeof(buf), MSG_DONTWAIT);
	int len = (int)got;

	for (const struct nlmsghdr *n = (void *)buf; got > 0 && NLMSG_OK(n, (uint32_t)len);
	     n = NLMSG_NEXT(n, len)) {
		if (n->nlmsg_type == RTM_NEWLINK || n->nlmsg_type == RTM_DELLINK)
			link_record(w, n);
		else if (n->nlmsg_type == RTM_DELADDR)
			address_record(w, n);
	}
}

static int open_links(void)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK,
				.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
	struct {
		struct nlmsghdr n;
		struct ifinfomsg i;
	} ask = {.n = {.nlmsg_len = sizeof(ask),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	/* What is up already comes as an answer, and is told as if it came up now. */
	if (fd >= 0 &&
	    (bind(fd, (struct sockaddr *)&a, sizeof(a)) || send(fd, &ask, sizeof(ask), 0) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- clock and disk ----------------------------------------------------------------------------------- */

static int64_t clock_offset(void)
{
	struct timespec raw;

	clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
	return wall_now() - (raw.tv_sec * NS_PER_SEC + raw.tv_nsec);
}

static int open_clock(void)
{
	/* Far away: it only ends when somebody sets the clock. */
	const struct itimerspec far = {.it_value = {.tv_sec = INT32_MAX}};
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 &&
	    timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Also called at each beat: a clock that is made to run slower is seen when it is half a second behind. */
void watch_clock(struct watch *w)
{
	uint64_t ignored;
	ssize_t n = w->clock >= 0 ? read(w->clock, &ignored, sizeof(ignored)) : -1;
	int64_t off = clock_offset(), by = off - w->clock_off;

	if (n < 0 && errno == ECANCELED) {
		close(w->clock);
		w->clock = open_clock();
	}
	if (by < CLOCK_STEP && by > -CLOCK_STEP)
		return;
	w->clock_off = off;
	tell(w, SENSOR_CLOCK, by, "");
}

uint32_t watch_disk(struct watch *w)
{
	struct statvfs s;
	uint64_t used;

	if (statvfs("/", &s) || s.f_blocks == 0) /* an initramfs has no size */
		return 0;
	used = 1000 - (uint64_t)s.f_bavail * 1000 / s.f_blocks;
	if (s.f_bavail > s.f_blocks)
		used = 0;
	if (!w->disk_full && used >= DISK_FULL)
		tell(w, SENSOR_DISK_FULL, (int64_t)used, "/");
	if (w->disk_full && used < DISK_FREE)
		tell(w, SENSOR_DISK_FREE, (int64_t)used, "/");
	w->disk_full = used >= DISK_FULL || (w->disk_full && used >= DISK_FREE);
	return (uint32_t)used;
}

int watch_open(struct watch *w, struct ship *ship)
{
	w->ship = ship;
	w->clock_off = clock_offset();
	w->clock = open_clock();
	w->links = open_links();
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		add_file(w, files[i]);
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		glob_t g = {0};

		if (glob(patterns[i], 0, NULL, &g) == 0)
			for (size_t k = 0; k < g.gl_pathc; k++)
				add_file(w, g.gl_pathv[k]);
		globfree(&g);
	}
	return w->clock < 0 || w->links < 0 ? -errno : 0;
}
