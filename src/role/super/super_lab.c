/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lab's fake Internet: one web server on its IPv4 and IPv6 address and one name server that
 * answers every question with the web server. Debian's busybox and dnsmasq, without rights, in a
 * jail; honeypots talk to them, so they are as untrusted as a guest.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTART_NS NS_PER_SEC
#define RESTART_MOST_NS (300 * NS_PER_SEC)
#define SETTLED_NS (60 * NS_PER_SEC)

static const struct {
	const char *name, *text;
} pages[] = {
	{"index.html", "<!doctype html><title>example</title><p>It works.\n"},
	{"tool.sh", "#!/bin/sh\n"
		    "# what an intruder would fetch; it only says who and where it is\n"
		    "id; uname -a; echo tool ran\n"},
	{"tool.tgz", "not an archive: a file that a downloader can fetch\n"},
};

static int write_pages(const struct super *s, char *dir, size_t size)
{
	snprintf(dir, size, "%s/www", s->c->run_dir);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	CLEANUP(fd_close) int d = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d < 0 || fchmod(d, 0755) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		size_t len = strlen(pages[i].text);
		CLEANUP(fd_close)
		int f = openat(d, pages[i].name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (f < 0 || fchmod(f, 0644) < 0 || write(f, pages[i].text, len) != (ssize_t)len)
			return -errno;
	}
	return 0;
}

static int start_web(struct super *s, struct helper *h, const struct addr *a, struct spawn *sp)
{
	char dir[CONF_PATH + 16], where[ADDR_TEXT + 8], text[ADDR_TEXT];
	char *argv[] = {(char *)"busybox",
			(char *)"httpd",
			(char *)"-f",
			(char *)"-p",
			where,
			(char *)"-h",
			dir,
			NULL};
	const char *jail[] = {"/lib",
			      "/lib64",
			      "/usr/lib",
			      "/usr/lib64",
			      "/etc/ld.so.cache",
			      "/usr/bin/busybox",
			      "/dev/null",
			      dir,
			      NULL};
	int err = write_pages(s, dir, sizeof(dir));
	if (err != 0)
		return err;
	snprintf(where, sizeof(where), a->ver == 6 ? "[%s]:80" : "%s:80", addr_text(a, text));
	sp->path = access("/usr/bin/busybox", X_OK) == 0 ? "/usr/bin/busybox" : "/bin/busybox";
	sp->argv = argv;
	sp->jail = jail;
	return spawn_child(sp, &h->pid, &h->pidfd);
}

static int start_names(struct super *s, struct helper *h, struct spawn *sp)
{
	const struct conf_lab *lab = &s->c->lab;
	char text[ADDR_TEXT], listen[ADDR_TEXT + 24], v4[ADDR_TEXT + 16], v6[ADDR_TEXT + 16] = "";
	char *argv[] = {(char *)"dnsmasq",
			(char *)"--keep-in-foreground",
			(char *)"--conf-file=/dev/null",
			(char *)"--no-resolv",
			(char *)"--no-hosts",
			(char *)"--no-poll",
			(char *)"--bind-interfaces",
			(char *)"--except-interface=nosuch",
			(char *)"--log-facility=-",
			(char *)"--quiet-dhcp",
			(char *)"--pid-file",
			(char *)"--user=",
			(char *)"--group=",
			(char *)"--local-ttl=60",
			listen,
			v4,
			v6,
			NULL};
	static const char *const jail[] = {
		"/lib",      "/lib64",       "/usr/lib",          "/usr/lib64", "/etc/ld.so.cache",
		"/dev/null", "/dev/urandom", "/usr/sbin/dnsmasq", NULL};
	snprintf(listen, sizeof(listen), "--listen-address=%s", addr_text(&lab->dns, text));
	snprintf(v4, sizeof(v4), "--address=/#/%s", addr_text(&lab->web, text));
	if (lab->web6.ver != 0)
		snprintf(v6, sizeof(v6), "--address=/#/%s", addr_text(&lab->web6, text));
	else
		argv[ARRAY_LEN(argv) - 2] = NULL;
	sp->path = "/usr/sbin/dnsmasq";
	sp->argv = argv;
	sp->jail = jail;
	return spawn_child(sp, &h->pid, &h->pidfd);
}

int lab_helper_start(struct super *s, struct helper *h)
{
	size_t index = (size_t)(h - s->helpers);
	CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct spawn sp = {.uid = s->c->uid_base + UID_LAB + (uid_t)index,
			   .netns = s->lab,
			   .cgroup = -1,
			   .private_ipc = true,
			   .die_with_parent = true,
			   .fenced = true,
			   .no_dump = true,
			   .fds = {-1, -1, null}, /* what a guest makes them say is nobody's log */
			   .n_fds = 3};
	int err;
	if (null < 0)
		return -errno;
	h->started_ns = clock_boot_ns();
	if (strcmp(h->name, "dns") == 0)
		err = start_names(s, h, &sp);
	else
		err = start_web(
			s, h, strcmp(h->name, "web6") == 0 ? &s->c->lab.web6 : &s->c->lab.web, &sp);
	return err != 0 ? err : state_note_pid(s, h->pid, h->name);
}

int lab_start(struct super *s, char *why, size_t why_size)
{
	const struct conf_lab *lab = &s->c->lab;
	struct writer w = writer_of(why, why_size);
	const struct {
		const char *name;
		bool wanted;
	} rows[] = {{"web", lab->web.ver != 0},
		    {"web6", lab->web6.ver != 0},
		    {"dns", lab->dns.ver != 0}};
	if (!lab->services)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct helper *h = &s->helpers[s->n_helpers];
		*h = (struct helper){.name = rows[i].name, .pidfd = -1};
		int err = rows[i].wanted ? lab_helper_start(s, h) : 0;
		if (err != 0) {
			write_fmt(&w,
				  "the lab's %s server: %s (install busybox and dnsmasq-base, "
				  "or set lab.services: false)",
				  rows[i].name, err_text(err));
			return err;
		}
		s->n_helpers++;
	}
	return 0;
}

void lab_helper_died(struct super *s, struct helper *h)
{
	char text[128];
	int code, sig;
	super_reap(&h->pid, &h->pidfd, &code, &sig);
	int64_t now = clock_boot_ns();
	if (s->stopping)
		return;
	h->backoff_ns = h->backoff_ns == 0 || now - h->started_ns > SETTLED_NS ? RESTART_NS
									       : h->backoff_ns * 2;
	if (h->backoff_ns > RESTART_MOST_NS)
		h->backoff_ns = RESTART_MOST_NS;
	h->start_at_ns = now + h->backoff_ns;
	h->restarts++;
	snprintf(text, sizeof(text), "the lab's %s server ended (exit %d, signal %d)", h->name,
		 code, sig);
	log_line(LOG_WARN, "%s", text);
	super_health(s, "lab", "died", h->restarts, code, sig, 1, text);
}

void lab_stop(struct super *s)
{
	for (size_t i = 0; i < s->n_helpers; i++)
		if (s->helpers[i].pidfd >= 0)
			kill(s->helpers[i].pid, SIGKILL);
}
