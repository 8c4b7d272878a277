/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folders and run files. RUN/super.pid is locked for as long as super lives; RUN/made names what was
 * made, each line written before the thing is: so after a kill -9 the next `up` or `down` knows what
 * to remove, and touches nothing else. A process is named by pid and start time, within one boot.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MADE_MAX 65536
#define LOG_MAX (4 << 20)
#define END_STEP_NS (50 * NS_PER_MS)
#define END_STEPS 60 /* 3 s to end by itself: recorder and ledger write out what they hold */
#define KILL_STEPS 40
#define BURIAL_STEPS 200
#define DIR_WORLD 0711
#define DIR_OWN 0750

static const char *const run_files[] = {"control.sock", "made",      "made.new",
					"super.log",    "super.pid", NULL};

struct path {
	char text[CONF_PATH + 64];
};

static struct path run_path(const struct conf *c, const char *file)
{
	struct path p;
	snprintf(p.text, sizeof(p.text), "%s/%s", c->run_dir, file);
	return p;
}

/* ---- is one running? ------------------------------------------------------------------------ */

/* By the lock: whose pid the file has, or 0 if nobody holds it. */
static pid_t lock_holder(const struct conf *c)
{
	char buf[32] = "";
	CLEANUP(fd_close) int fd = open(run_path(c, "super.pid").text, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
		return 0;
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	long pid = n > 0 ? strtol(buf, NULL, 10) : 0;
	return pid > 1 ? (pid_t)pid : 1;
}

/* A lock whose owner is dead is held by who cleans up after it: that takes seconds. */
pid_t super_running(const struct conf *c)
{
	pid_t pid = lock_holder(c);
	for (int i = 0; i < BURIAL_STEPS && pid > 1 && proc_ended(pid); i++) {
		nanosleep(&(struct timespec){0, END_STEP_NS}, NULL);
		pid = lock_holder(c);
	}
	return pid;
}

bool super_leftovers(const struct conf *c)
{
	return super_running(c) == 0 && access(run_path(c, "made").text, F_OK) == 0;
}

static int make_path(const char *path, mode_t mode)
{
	char part[CONF_PATH + 64];
	if (!text_copy(part, sizeof(part), path))
		return -ENAMETOOLONG;
	for (char *s = strchr(part + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*s = '/';
	}
	if (mkdir(part, mode) < 0 && errno != EEXIST)
		return -errno;
	return chmod(part, mode) < 0 ? -errno : 0;
}

/* -EAGAIN: whoever had the lock took the file away with it. */
static int try_lock(const struct conf *c, int *ret_fd)
{
	struct path p = run_path(c, "super.pid");
	struct stat ours, now;
	int err = make_path(c->run_dir, DIR_WORLD);
	if (err != 0)
		return err;
	CLEANUP(fd_close) int fd = open(p.text, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EALREADY : -errno;
	if (fstat(fd, &ours) < 0 || stat(p.text, &now) < 0 || ours.st_ino != now.st_ino)
		return -EAGAIN;
	*ret_fd = fd_take(&fd);
	return 0;
}

int state_lock(struct super *s)
{
	char buf[32];
	CLEANUP(fd_close) int fd = -1;
	int err = super_running(s->c) != 0 ? -EALREADY : try_lock(s->c, &fd);
	for (int i = 0; i < BURIAL_STEPS && err == -EAGAIN; i++)
		err = try_lock(s->c, &fd);
	if (err != 0)
		return err;
	int n = snprintf(buf, sizeof(buf), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, buf, (size_t)n) != n)
		return -errno;
	s->lock = fd_take(&fd);
	return 0;
}

/* ---- what was made -------------------------------------------------------------------------- */

static void boot_id(char *buf, size_t size)
{
	CLEANUP(fd_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

int state_note(struct super *s, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		return SKEP_ERANGE;
	line[n++] = '\n';
	if (s->made < 0) {
		char boot[64], head[80];
		s->made = open(run_path(s->c, "made").text,
			       O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
		boot_id(boot, sizeof(boot));
		int len = snprintf(head, sizeof(head), "boot %s\n", boot);
		if (s->made < 0 || write(s->made, head, (size_t)len) != len)
			return -errno;
	}
	return write(s->made, line, (size_t)n) == n ? 0 : -errno;
}

/* Is the process of a line "pid N START NAME" gone? */
static bool line_is_over(const char *line)
{
	int pid;
	unsigned long long start;
	return sscanf(line, "pid %d %llu", &pid, &start) == 2 && proc_kill(pid, start, 0) != 0;
}

/* Restarts over months would fill the file: writes it anew without what is gone. */
static int compact_made(struct super *s)
{
	struct path from = run_path(s->c, "made"), to = run_path(s->c, "made.new");
	struct stat st;
	char line[256];
	if (fstat(s->made, &st) < 0 || st.st_size < MADE_MAX / 4)
		return 0;
	FILE *in = fopen(from.text, "re"), *out = fopen(to.text, "we");
	int err = in == NULL || out == NULL ? -errno : 0;
	while (err == 0 && fgets(line, sizeof(line), in) != NULL)
		if (!line_is_over(line) && fputs(line, out) < 0)
			err = -EIO;
	if (in != NULL)
		fclose(in);
	if (out != NULL && fclose(out) != 0)
		err = -EIO;
	if (err == 0 && rename(to.text, from.text) < 0)
		err = -errno;
	int fd = err == 0 ? open(from.text, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
	if (fd < 0)
		return err != 0 ? err : -errno;
	fd_close(&s->made);
	s->made = fd;
	return 0;
}

int state_note_pid(struct super *s, pid_t pid, const char *name)
{
	uint64_t start;
	int err = compact_made(s);
	if (err == 0)
		err = proc_start_time(pid, &start);
	if (err != 0)
		return err;
	return state_note(s, "pid %d %llu %s", (int)pid, (unsigned long long)start, name);
}

static bool still_there(const char *made, bool kill_it)
{
	bool any = false;
	int pid;
	unsigned long long start;
	for (const char *at = strstr(made, "\npid "); at != NULL; at = strstr(at + 1, "\npid "))
		if (sscanf(at, "\npid %d %llu", &pid, &start) == 2 && pid > 1 &&
		    proc_kill(pid, start, kill_it ? SIGKILL : 0) == 0)
			any = true;
	return any;
}

static void end_processes(const char *made)
{
	for (int i = 0; i < END_STEPS + KILL_STEPS && still_there(made, i >= END_STEPS); i++)
		nanosleep(&(struct timespec){0, END_STEP_NS}, NULL);
}

/* Calls fn with the rest of each line that begins with what. */
static void each_line(const char *made, const char *what, int (*fn)(const char *name))
{
	size_t len = strlen(what);
	for (const char *at = strstr(made, what); at != NULL; at = strstr(at + 1, what)) {
		char name[256];
		size_t n = strcspn(at + len, "\n");
		if (at == made || at[-1] != '\n' || n >= sizeof(name))
			continue;
		memcpy(name, at + len, n);
		name[n] = '\0';
		int err = fn(name);
		if (err != 0)
			log_line(LOG_WARN, "removing %s%s: %s", what, name, err_text(err));
	}
}

static int remove_cgroup(const char *name)
{
	return cgroup_remove(name);
}

static int drop_cgroup(const char *name)
{
	return cgroup_drop(name);
}

static int remove_netns(const char *name)
{
	return netns_remove(name);
}

/* Its other end is in a namespace of ours; so this goes first. */
static int remove_link(const char *name)
{
	char command[64], why[128] = "";
	if (if_nametoindex(name) == 0)
		return 0;
	snprintf(command, sizeof(command), "link del %.15s\n", name);
	return link_batch(-1, command, why, sizeof(why));
}

static int remove_steer(const char *name)
{
	return steer_clean(name);
}

/* The same link, if it has another name now. */
static int remove_steer_at(const char *index)
{
	char name[IF_NAMESIZE];
	unsigned long n = strtoul(index, NULL, 10);
	return n == 0 || if_indextoname((unsigned)n, name) == NULL ? 0 : steer_clean(name);
}

/* A link that nobody had set up before us. */
static int lower_link(const char *name)
{
	char command[64], why[128] = "";
	if (if_nametoindex(name) == 0)
		return 0;
	snprintf(command, sizeof(command), "link set %.15s down\n", name);
	return link_batch(-1, command, why, sizeof(why));
}

/* What was made in the host's namespace is removed there, wherever we are. If nobody lives there any more, there
 * is nothing left of it. */
static void clean_home(const char *made)
{
	unsigned long long number = 0;
	const char *at = strstr(made, "\nhome ");
	if (at == NULL || sscanf(at, "\nhome %llu", &number) != 1)
		return;
	CLEANUP(fd_close) int here = -1;
	if (netns_number(-1) != number) {
		CLEANUP(fd_close) int home = -1;
		here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (here < 0 || netns_find(number, &home) != 0 || netns_enter(home) != 0)
			return;
	}
	if (strstr(made, "\nunsteered ") == NULL) {
		each_line(made, "steer ", remove_steer);
		each_line(made, "steer-index ", remove_steer_at);
	}
	each_line(made, "link ", remove_link);
	each_line(made, "raised ", lower_link);
	if (here >= 0 && netns_enter(here) != 0)
		log_line(LOG_ERROR, "can't go back to the namespace that we came from");
}

static void remove_www(const struct conf *c)
{
	struct path dir = run_path(c, "www");
	DIR *d = opendir(dir.text);
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(dir.text);
}

static void remove_qemu_logs(const struct conf *c)
{
	DIR *d = opendir(c->run_dir);
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "qemu-", 5) == 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
}

static void clean_made(const struct conf *c)
{
	char boot[64], head[80], *made = calloc(1, MADE_MAX);
	CLEANUP(fd_close) int fd = open(run_path(c, "made").text, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || made == NULL ? -1 : read(fd, made, MADE_MAX - 1);
	if (n > 0) {
		boot_id(boot, sizeof(boot));
		snprintf(head, sizeof(head), "boot %s\n", boot);
		if (strncmp(made, head, strlen(head)) == 0) {
			end_processes(made);
			clean_home(made);
			each_line(made, "cgroup ", remove_cgroup);
			each_line(made, "cgroup-above ", drop_cgroup);
			each_line(made, "netns ", remove_netns);
		}
	}
	free(made);
}

void state_clean(const struct conf *c, bool keep_limits)
{
	clean_made(c);
	remove_www(c);
	remove_qemu_logs(c);
	if (!keep_limits)
		unlink(run_path(c, "limits").text);
	for (size_t i = 0; run_files[i] != NULL; i++)
		unlink(run_path(c, run_files[i]).text);
	rmdir(c->run_dir); /* stays if something else lives there */
}

static int try_take_lock(const struct conf *c, int *ret_fd)
{
	CLEANUP(fd_close) int fd = open(run_path(c, "super.pid").text, O_RDWR | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EALREADY : -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* So that no `up` begins meanwhile. Who merely looks whether one runs has the lock for a moment, and so has a child of
 * super's that is about to be another program; another super has it for long. */
static int take_lock(const struct conf *c, int *ret_fd)
{
	int err = try_take_lock(c, ret_fd);
	for (int i = 0; i < BURIAL_STEPS && err == -EALREADY; i++) {
		pid_t pid = lock_holder(c);
		if (pid > 1 && !proc_ended(pid))
			break;
		nanosleep(&(struct timespec){0, END_STEP_NS}, NULL);
		err = try_take_lock(c, ret_fd);
	}
	return err;
}

int super_heal(const struct conf *c)
{
	CLEANUP(fd_close) int fd = -1;
	int err = take_lock(c, &fd);
	if (err != 0)
		return err;
	state_clean(c, false);
	return 0;
}

int state_bury(const struct conf *c)
{
	char kept[CONF_PATH + 64];
	CLEANUP(fd_close) int fd = -1;
	if (access(run_path(c, "made").text, F_OK) < 0)
		return 0; /* it ended in good order */
	int err = take_lock(c, &fd);
	if (err != 0)
		return err;
	state_keep_log(c, kept, sizeof(kept));
	state_clean(c, true);
	uplink_note_rollback(c, "super died: what it left was removed, and all is as before");
	return 0;
}

bool state_heal(const struct super *s)
{
	struct path made = run_path(s->c, "made");
	if (access(made.text, F_OK) < 0)
		return false;
	clean_made(s->c);
	remove_www(s->c);
	unlink(made.text);
	return true;
}

int state_log(const struct super *s)
{
	CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CLEANUP(fd_close)
	int fd = open(run_path(s->c, "super.log").text,
		      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (null < 0 || fd < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		return -errno;
	return 0;
}

void state_keep_log(const struct conf *c, char *ret, size_t size)
{
	snprintf(ret, size, "%s/super.failed.log", c->state_dir);
	if (rename(run_path(c, "super.log").text, ret) < 0) {
		/* another file system: the tail is what matters */
		char buf[65536];
		CLEANUP(fd_close)
		int in = open(run_path(c, "super.log").text, O_RDONLY | O_CLOEXEC);
		CLEANUP(fd_close)
		int out = open(ret, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
		if (in >= 0 && lseek(in, -(off_t)sizeof(buf), SEEK_END) < 0 &&
		    lseek(in, 0, SEEK_SET) < 0)
			return;
		ssize_t n = in < 0 || out < 0 ? -1 : read(in, buf, sizeof(buf));
		if (n > 0 && write(out, buf, (size_t)n) != n)
			ret[0] = '\0';
	}
}

/* ---- folders --------------------------------------------------------------------------------- */

/* A folder and all in it. Links are not followed. */
static int give_tree(const char *path, uid_t uid)
{
	char *const paths[] = {(char *)(uintptr_t)path, NULL};
	int err = 0;
	FTS *t = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (t == NULL)
		return -errno;
	for (FTSENT *e; (e = fts_read(t)) != NULL;)
		if (e->fts_info != FTS_DP && lchown(e->fts_path, uid, uid) < 0)
			err = -errno;
	fts_close(t);
	return err;
}

/* A folder of one role: its files change hands with it when uid_base was changed. */
static int role_folder(const struct conf *c, const char *name, enum role role, int *ret_fd)
{
	uid_t uid = c->uid_base + role;
	struct path p;
	struct stat st;
	snprintf(p.text, sizeof(p.text), "%s/%s", c->state_dir, name);
	int err = make_path(p.text, DIR_OWN);
	if (err != 0)
		return err;
	CLEANUP(fd_close) int fd = open(p.text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != uid)
		err = give_tree(p.text, uid);
	if (err == 0)
		*ret_fd = fd_take(&fd);
	return err;
}

int state_folders(struct super *s, char *why, size_t why_size)
{
	const struct conf *c = s->c;
	struct writer w = writer_of(why, why_size);
	struct path guests;
	snprintf(guests.text, sizeof(guests.text), "%s/guests", c->state_dir);
	const char *at = c->state_dir;
	int err = make_path(c->state_dir, DIR_WORLD);
	if (err == 0)
		err = make_path(at = c->cache_dir, DIR_WORLD);
	if (err == 0)
		err = make_path(at = guests.text, DIR_WORLD);
	if (err == 0)
		err = role_folder(c, at = "events", ROLE_LEDGER, &s->store_dir);
	if (err == 0)
		err = role_folder(c, at = "captures", ROLE_RECORDER, &s->capture_dir);
	if (err == 0 && c->sessions.on)
		err = role_folder(c, at = "inside", ROLE_COLLECTOR, &s->inside_dir);
	if (err == 0 && c->alerts.on)
		err = role_folder(c, at = "alerts", ROLE_ALERTER, &s->alerts.dir);
	if (err != 0)
		write_fmt(&w, "folder %s: %s", at, err_text(err));
	return err;
}

/* Shared memory that another role may only look at. */
static int shared_ro(const char *name, size_t size, int *ret_fd, int *ret_ro)
{
	char self[64];
	int err = shm_create(name, size, ret_fd);
	if (err != 0)
		return err;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", *ret_fd);
	*ret_ro = open(self, O_RDONLY | O_CLOEXEC);
	return *ret_ro < 0 ? -errno : 0;
}

int state_memory(struct super *s)
{
	struct stat st;
	void *mem;
	CLEANUP(fd_close)
	int fd = open(run_path(s->c, "limits").text, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	s->fresh_limits = st.st_size == 0;
	if ((size_t)st.st_size != judge_limits_bytes() &&
	    (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)judge_limits_bytes()) < 0))
		return -errno;
	s->limits = fd_take(&fd);
	int err = shm_create("skep-stats", sizeof(struct wall_stats), &s->stats_fd);
	if (err == 0)
		err = shm_map(s->stats_fd, sizeof(struct wall_stats), false, &mem);
	if (err != 0)
		return err;
	s->stats = mem;
	err = shared_ro("skep-marks", mark_ring_bytes(), &s->marks, &s->marks_ro);
	for (unsigned i = 0; i < ARRAY_LEN(s->copies) && err == 0 && s->c->sessions.on; i++)
		err = shared_ro("skep-copies", copy_ring_bytes(), &s->copies[i], &s->copies_ro[i]);
	return err;
}

void state_trim_logs(const struct super *s)
{
	DIR *d = opendir(s->c->run_dir);
	struct dirent *e;
	struct stat st;
	while (d != NULL && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);
		if (len < 4 || strcmp(e->d_name + len - 4, ".log") != 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || st.st_size < LOG_MAX)
			continue;
		CLEANUP(fd_close)
		int fd = openat(dirfd(d), e->d_name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && ftruncate(fd, 0) < 0)
			log_line(LOG_WARN, "cannot shorten %s", e->d_name);
	}
	if (d != NULL)
		closedir(d);
}
