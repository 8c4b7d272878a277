/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loghost's files, as it shows them: somebody may be root there. ssh runs as a child that knows the loghost's
 * drawn host key; what it says goes no further than a bounded buffer.
 */
#include "cmd/log/log.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FETCH_MAX (512u << 20)
#define FETCH_NS (300 * NS_PER_SEC)
#define SAID_MAX 2048
#define ARG 512
#define PATH (CONF_PATH + 128)
#define END "# end of what there is"
#define DAY_NS (86400 * NS_PER_SEC)

void log_day_text(int64_t ns, char ret[LOG_DAY])
{
	time_t s = (time_t)(ns / NS_PER_SEC);
	struct tm tm = {0};
	gmtime_r(&s, &tm);
	strftime(ret, LOG_DAY, "%Y-%m-%d", &tm);
}

int log_day_parse(const char *s, int64_t *ret_ns)
{
	struct tm tm = {0};
	const char *end = strptime(s, "%Y-%m-%d", &tm);
	if (end == NULL || *end != '\0' || tm.tm_year < 70 || tm.tm_year > 300)
		return SKEP_EFORMAT;
	*ret_ns = (int64_t)timegm(&tm) * NS_PER_SEC;
	return 0;
}

/* The minutes of the days around that may hold lines of this one, if the loghost's clock is a little off. */
struct days {
	char day[LOG_DAY], before[LOG_DAY], after[LOG_DAY];
};

static struct days days_of(int64_t day_ns)
{
	struct days d;
	log_day_text(day_ns, d.day);
	log_day_text(day_ns - DAY_NS, d.before);
	log_day_text(day_ns + DAY_NS, d.after);
	return d;
}

static bool wanted(const struct days *d, const char *line, size_t len)
{
	if (len < 16)
		return true;
	if (strncmp(line, d->before, 10) == 0)
		return strncmp(line + 10, "T23:5", 5) == 0;
	if (strncmp(line, d->after, 10) == 0)
		return strncmp(line + 10, "T00:0", 5) == 0;
	return true;
}

/* ---- a folder that somebody fetched --------------------------------------------------------------- */

static int read_file(const char *path, const char *before, const struct days *d, log_line_fn *fn,
		     void *ctx)
{
	char *line = NULL, *all = NULL;
	size_t cap = 0, head = strlen(before);
	ssize_t n;
	int err = 0;
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0; /* no file of a loghost's */
	if (st.st_size > FETCH_MAX)
		return -EFBIG;
	FILE *f = fdopen(fd, "r");
	if (f == NULL)
		return -errno;
	fd = -1; /* is the stream's now */
	while (err == 0 && (n = getline(&line, &cap, f)) > 0) {
		n -= line[n - 1] == '\n';
		if (!wanted(d, line, (size_t)n))
			continue;
		if (head == 0) {
			err = fn(ctx, line, (size_t)n);
			continue;
		}
		int len = asprintf(&all, "%s%.*s", before, (int)n, line);
		err = len < 0 ? -ENOMEM : fn(ctx, all, (size_t)len);
		free(all);
		all = NULL;
	}
	free(line);
	fclose(f);
	return err;
}

static int from_folder(const char *from, const char *guest, const struct days *d, log_line_fn *fn,
		       void *ctx, struct writer *why)
{
	char folder[PATH], path[PATH + 300];
	struct dirent *e;
	int err = 0;
	snprintf(folder, sizeof(folder), "%s/%s", from, guest);
	DIR *dir = opendir(folder);
	if (dir == NULL && errno == ENOENT && access(from, F_OK) == 0)
		return 0; /* the loghost never heard of that guest */
	if (dir == NULL) {
		write_fmt(why, "%s: %s", folder, err_text(-errno));
		return -errno;
	}
	while (err == 0 && (e = readdir(dir)) != NULL) {
		bool removed = strcmp(e->d_name, "removed") == 0;
		if (!removed && strncmp(e->d_name, d->day, 10) != 0 &&
		    strncmp(e->d_name, d->before, 10) != 0 && strncmp(e->d_name, d->after, 10) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		err = read_file(path, removed ? "# removed " : "", d, fn, ctx);
		if (err != 0) { /* names of files are the loghost's, too */
			write_escaped(why, path, strlen(path));
			write_fmt(why, ": %s", err_text(err));
		}
	}
	closedir(dir);
	return err;
}

/* ---- ssh -------------------------------------------------------------------------------------------- */

struct pipe_end {
	int fd;
	char *buf;
	size_t len, max, cap;
};

/* false: it is over. What is too much is left unread, which ends the other side as well. */
static bool drain(struct pipe_end *p)
{
	if (p->len == p->cap && p->cap < p->max) {
		size_t cap = p->cap > 0 ? p->cap * 2 : 65536;
		cap = cap < p->max ? cap : p->max;
		char *more = realloc(p->buf, cap + 1);
		if (more == NULL)
			return false;
		p->buf = more;
		p->cap = cap;
	}
	if (p->len == p->cap)
		return false;
	ssize_t n = read(p->fd, p->buf + p->len, p->cap - p->len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	p->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* Reads both pipes to their ends; -EMSGSIZE, SKEP_ETIMEOUT. */
static int drain_both(struct pipe_end *out, struct pipe_end *said)
{
	int64_t end_ns = clock_boot_ns() + FETCH_NS;
	while (out->fd >= 0 || said->fd >= 0) {
		struct pollfd p[2] = {{.fd = out->fd, .events = POLLIN},
				      {.fd = said->fd, .events = POLLIN}};
		if (clock_boot_ns() > end_ns)
			return SKEP_ETIMEOUT;
		if (poll(p, 2, 1000) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents != 0 && !drain(out))
			fd_close(&out->fd);
		if (p[1].revents != 0 && !drain(said))
			fd_close(&said->fd);
	}
	return out->len == FETCH_MAX ? -EMSGSIZE : 0;
}

static int run_ssh(char *const *argv, int netns, struct pipe_end *out, struct pipe_end *said)
{
	int a[2], b[2], pidfd = -1, status = 0;
	pid_t pid;
	if (pipe2(a, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(b, O_CLOEXEC) < 0) {
		close(a[0]);
		close(a[1]);
		return -errno;
	}
	struct spawn s = {.path = "/usr/bin/ssh",
			  .argv = argv,
			  .netns = netns,
			  .cgroup = -1,
			  .die_with_parent = true,
			  .fds = {-1, a[1], b[1]},
			  .n_fds = 3};
	int err = spawn_child(&s, &pid, &pidfd);
	close(a[1]);
	close(b[1]);
	out->fd = a[0];
	said->fd = b[0];
	if (err == 0)
		err = drain_both(out, said);
	fd_close(&out->fd);
	fd_close(&said->fd);
	if (pidfd >= 0) {
		if (err != 0)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		close(pidfd);
	}
	if (err == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		err = -EHOSTUNREACH;
	return err;
}

/* Public host keys, in a file that ssh reads: the loghost's and nobody else's. */
static int known_hosts(const struct guest_identity *id, char *ret, size_t size)
{
	static const char *const types[] = {"ed25519", "ecdsa", "rsa"};
	char path[PATH], key[4096];
	snprintf(ret, size, "%s/.known-XXXXXX", id->dir);
	CLEANUP(fd_close) int fd = mkstemp(ret);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		snprintf(path, sizeof(path), "%s/keys/ssh_host_%s_key.pub", id->dir, types[i]);
		CLEANUP(fd_close) int in = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = in < 0 ? -1 : read(in, key, sizeof(key) - 1);
		if (n <= 0)
			continue;
		key[n] = '\0';
		if (dprintf(fd, "loghost %s", key) < 0)
			return -EIO;
	}
	return 0;
}

static const struct conf_forward *way_to(const struct conf *c, const struct conf_guest *loghost)
{
	for (uint32_t i = 0; i < c->n_forwards; i++) {
		const struct conf_forward *f = &c->forwards[i];
		if (strcmp(f->guest, loghost->name) == 0 && f->proto == 6 && f->guest_port == 22)
			return f;
	}
	return NULL;
}

/* How an operator gets there himself, where this program can't. */
static int no_way(const struct conf *c, const struct conf_guest *loghost,
		  const struct guest_identity *id, struct writer *why)
{
	const struct conf_forward *f = way_to(c, loghost);
	if (f == NULL)
		write_fmt(why, "no forward leads to port 22 of %s", loghost->name);
	else
		write_fmt(why,
			  "this host is not outside its own wall. From where the loghost lets you "
			  "in:\n  scp -r -i %s -P %u ops@ADDRESS:/var/log/remote DIR\nand here: "
			  "skep log diff --from DIR",
			  id->ssh_key, f->public_port);
	return SKEP_ENOTFOUND;
}

static void script_of(const char *guest, const struct days *d, char *ret, size_t size)
{
	snprintf(ret, size,
		 "cd /var/log/remote/%s && {\ncat %s*.log\ngrep -h '^%sT23:5' %s*.log\n"
		 "grep -h '^%sT00:0' %s*.log\ngrep ' %s' removed | sed 's/^/# removed /'\n"
		 "} 2>/dev/null\necho '" END "'",
		 guest, d->day, d->before, d->before, d->after, d->after, d->day);
}

static int each_line(const char *buf, size_t len, log_line_fn *fn, void *ctx)
{
	const char *end = buf + len;
	int err = 0;
	for (const char *at = buf; at < end && err == 0;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((nl != NULL ? nl : end) - at);
		if (n == sizeof(END) - 1 && memcmp(at, END, n) == 0)
			return nl != NULL && nl + 1 == end ? 0 : SKEP_EPEER;
		err = fn(ctx, at, n);
		at += n + 1;
	}
	return err != 0 ? err : SKEP_EPEER; /* it broke off */
}

static int over_ssh(const struct conf *c, const struct conf_guest *loghost,
		    const struct guest_identity *id, const char *script, struct pipe_end *out,
		    struct writer *why)
{
	char known[PATH], option[PATH + 32], port[8], user[64], a[ADDR_TEXT], lab[CONF_NAME + 8];
	const struct conf_forward *f = way_to(c, loghost);
	struct pipe_end said = {.fd = -1, .max = SAID_MAX};
	CLEANUP(fd_close) int netns = -1;
	if (f == NULL || f->public.ver == 0 || c->mode != MODE_LAB)
		return no_way(c, loghost, id, why);
	snprintf(lab, sizeof(lab), "%s-lab", c->name);
	int err = netns_open(lab, &netns);
	if (err != 0) {
		write_str(why, "the honeynet does not run: `sudo skep up` first, or --from DIR");
		return err;
	}
	err = known_hosts(id, known, sizeof(known));
	snprintf(option, sizeof(option), "UserKnownHostsFile=%s", known);
	snprintf(port, sizeof(port), "%u", f->public_port);
	snprintf(user, sizeof(user), "%s@%s", id->n_accounts > 0 ? id->accounts[0].user : "ops",
		 addr_text(&f->public, a));
	const char *argv[] = {"ssh",       "-F",
			      "/dev/null", "-T",
			      "-i",        id->ssh_key,
			      "-p",        port,
			      "-o",        option,
			      "-o",        "GlobalKnownHostsFile=/dev/null",
			      "-o",        "StrictHostKeyChecking=yes",
			      "-o",        "HostKeyAlias=loghost",
			      "-o",        "IdentitiesOnly=yes",
			      "-o",        "BatchMode=yes",
			      "-o",        "LogLevel=ERROR",
			      "-o",        "ConnectTimeout=20",
			      "-o",        "ServerAliveInterval=20",
			      user,        script,
			      NULL};
	if (err == 0)
		err = run_ssh((char *const *)(uintptr_t)argv, netns, out, &said);
	(void)unlink(known);
	if (err != 0) {
		write_fmt(why, "ssh to the loghost: %s: ", err_text(err));
		write_escaped(why, said.buf, said.len);
	}
	free(said.buf);
	return err;
}

int log_fetch(const struct conf *c, const struct conf_guest *loghost, const char *guest,
	      int64_t day_ns, const char *from, log_line_fn *fn, void *ctx, char *why,
	      size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	struct days d = days_of(day_ns);
	struct guest_identity id;
	struct pipe_end out = {.fd = -1, .max = FETCH_MAX};
	char script[ARG];
	if (from != NULL)
		return from_folder(from, guest, &d, fn, ctx, &w);
	int err = guest_identity_read(c, loghost->name, &id);
	if (err != 0) {
		write_fmt(&w, "%s has no identity yet: %s", loghost->name, err_text(err));
		return err;
	}
	script_of(guest, &d, script, sizeof(script));
	err = over_ssh(c, loghost, &id, script, &out, &w);
	if (err == 0) {
		err = each_line(out.buf, out.len, fn, ctx);
		if (err != 0)
			write_fmt(&w, "what %s sent: %s", loghost->name, err_text(err));
	}
	free(out.buf);
	return err;
}
