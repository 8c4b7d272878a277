/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tell.c -- each command line goes to the log host.
 *
 * Part of a changed GNU Bash; like it, free software under the GNU General Public License, version 3 or
 * (at your option) any later version. There is no warranty.
 *
 * One UDP datagram (RFC 3164) when a complete command line is about to run, one when it is over, to port 514
 * of the machine that /etc/hosts calls `loghost`. None there: nothing is done at all. It never waits, keeps
 * no descriptor open, changes no variable, and fails silently.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* bash's own headers need this order. */
#include "bashansi.h"

#include "shell.h"

#include "builtins/common.h"
#include "execute_cmd.h"
#if defined(READLINE)
#include <readline/readline.h>
#endif
#include "tell.h"

#define TEXT_MAX 4096     /* of a command line */
#define DATAGRAM_MAX 1200 /* goes through any link in one piece */
#define SAID_MAX 16384
#define OPEN_MAX 32
#define FILE_MAX 65536
#define PRIORITY 182 /* local6.info */
#define PORT 514

int tell_mode = TELL_ON;

static struct {
	size_t n;
	int cut;
	char text[TEXT_MAX];
} lines; /* what was read of the next command */

static struct {
	pid_t pid; /* whose this is: a child has begun nothing */
	int n;
	unsigned seq[OPEN_MAX];
} begun;

/* The texts that were told last. What is found in them need not be told when it is evaluated. */
static struct {
	size_t n;
	char text[SAID_MAX];
} said;

static unsigned last_seq;
int tell_next_file = -1;

/* ---- small readers of files: no name service, nothing that waits ---------------------------------- */

static char *read_small(const char *path, size_t *n)
{
	char *text = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (text = malloc(FILE_MAX + 1)) != NULL) {
		ssize_t got, all = 0;
		while (all < FILE_MAX && (got = read(fd, text + all, FILE_MAX - all)) > 0)
			all += got;
		text[all] = '\0';
		*n = all;
	}
	close(fd);
	return text;
}

static struct sockaddr_storage hosts[2];
static int n_hosts = -1; /* not looked for yet */

static void add_host(const char *addr)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&hosts[n_hosts];
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&hosts[n_hosts];

	memset(&hosts[n_hosts], 0, sizeof(hosts[n_hosts]));
	if (inet_pton(AF_INET, addr, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(PORT);
		n_hosts++;
	} else if (inet_pton(AF_INET6, addr, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(PORT);
		n_hosts++;
	}
}

static void find_hosts(void)
{
	size_t n = 0;
	char *save, *save2, *line, *text = read_small("/etc/hosts", &n);

	n_hosts = 0;
	for (line = text ? strtok_r(text, "\n", &save) : NULL; line && n_hosts < 2;
	     line = strtok_r(NULL, "\n", &save)) {
		char *addr, *word;
		line[strcspn(line, "#")] = '\0';
		addr = strtok_r(line, " \t\r", &save2);
		while (addr && (word = strtok_r(NULL, " \t\r", &save2)) != NULL)
			if (strcmp(word, "loghost") == 0) {
				add_host(addr);
				break;
			}
	}
	free(text);
}

static int known(void)
{
	int e = errno;

	if (n_hosts < 0)
		find_hosts();
	errno = e;
	return n_hosts > 0;
}

/* ---- the line ------------------------------------------------------------------------------------ */

static struct {
	size_t n;
	char text[DATAGRAM_MAX + 1];
} out;

static void put(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out.text + out.n, sizeof(out.text) - out.n, format, ap);
	va_end(ap);
	if (n > 0)
		out.n += (size_t)n < sizeof(out.text) - out.n ? (size_t)n
							      : sizeof(out.text) - out.n - 1;
}

static int plain(unsigned char c, int blank)
{
	return (c > ' ' || (blank && c == ' ')) && c < 0x7f && c != '%';
}

/* Returns how many bytes of s were put; none that would need more than `room` altogether. */
static size_t put_escaped(const char *s, size_t len, size_t room, int blank)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, end = out.n + room;

	if (end > DATAGRAM_MAX)
		end = DATAGRAM_MAX;
	for (i = 0; i < len; i++) {
		unsigned char c = s[i];
		if (out.n + (plain(c, blank) ? 1 : 3) > end)
			break;
		if (plain(c, blank))
			out.text[out.n++] = c;
		else {
			out.text[out.n++] = '%';
			out.text[out.n++] = hex[c >> 4];
			out.text[out.n++] = hex[c & 15];
		}
	}
	out.text[out.n] = '\0';
	return i;
}

static void put_user(uid_t uid)
{
	static char name[33];
	static uid_t of = (uid_t)-1;
	char want[24], *save, *line, *text;
	size_t n = 0;

	if (of != uid) {
		snprintf(want, sizeof(want), "%lu", (unsigned long)uid);
		snprintf(name, sizeof(name), "-");
		text = read_small("/etc/passwd", &n);
		for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
		     line = strtok_r(NULL, "\n", &save)) {
			char *end = strchr(line, ':'), *id = end ? strchr(end + 1, ':') : NULL;
			if (id == NULL || strncmp(id + 1, want, strlen(want)) != 0 ||
			    id[1 + strlen(want)] != ':')
				continue;
			*end = '\0';
			snprintf(name, sizeof(name), "%.31s", line);
			break;
		}
		free(text);
		of = uid;
	}
	put(" user=");
	put_escaped(name, strlen(name), 93, 0);
}

/* The controlling terminal, from field 7 of /proc/self/stat: no look into /dev. */
static void put_tty(pid_t pid)
{
	static pid_t of;
	static unsigned dev;
	unsigned major, minor;

	if (of != pid) {
		char *at;
		int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), tty = 0;
		char buf[512];
		ssize_t got = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
		if (fd >= 0)
			close(fd);
		buf[got > 0 ? got : 0] = '\0';
		at = strrchr(buf, ')');
		if (at == NULL || sscanf(at + 1, " %*c %*d %*d %*d %d", &tty) != 1)
			tty = 0;
		dev = tty;
		of = pid;
	}
	major = (dev >> 8) & 0xfff;
	minor = (dev & 0xff) | ((dev >> 12) & 0xfff00);
	if (major >= 136 && major <= 143)
		put(" tty=pts/%u", (major - 136) * 256 + minor);
	else if (major == 4)
		put(minor < 64 ? " tty=tty%u" : " tty=ttyS%u", minor < 64 ? minor : minor - 64);
	else
		put(dev == 0 ? " tty=-" : " tty=%u:%u", major, minor);
}

static void put_head(pid_t pid)
{
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char name[65] = "";
	time_t now = time(NULL);
	struct tm tm = {0};
	size_t i;

	gmtime_r(&now, &tm);
	gethostname(name, sizeof(name) - 1);
	for (i = 0; name[i]; i++)
		if (!plain(name[i], 0))
			name[i] = '?';
	out.n = 0;
	put("<%d>%s %2d %02d:%02d:%02d %s sh[%ld]: pid=%ld", PRIORITY, months[tm.tm_mon],
	    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, name[0] ? name : "-", (long)pid,
	    (long)pid);
}

static void out_send(void)
{
	int i, fd;

	for (i = 0; i < n_hosts; i++) {
		socklen_t len = hosts[i].ss_family == AF_INET ? sizeof(struct sockaddr_in)
							      : sizeof(struct sockaddr_in6);
		fd = socket(hosts[i].ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			continue;
		if (sendto(fd, out.text, out.n, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (struct sockaddr *)&hosts[i], len) >= 0)
			i = n_hosts;
		close(fd);
	}
}

static void begin(const char *text, size_t len, int cut)
{
	char cwd[256] = "-", *full;
	pid_t pid = getpid();
	uid_t uid = geteuid();
	size_t at, took, done;

	put_head(pid);
	put(" ppid=%ld uid=%lu", (long)getppid(), (unsigned long)uid);
	put_user(uid);
	put_tty(pid);
	if ((full = getcwd(NULL, 0)) != NULL)
		snprintf(cwd, sizeof(cwd), "%s", full);
	free(full);
	put(" seq=%u cwd=", ++last_seq);
	put_escaped(cwd, strlen(cwd), 3 * sizeof(cwd), 0);
	at = out.n;
	put("%s line=", cut ? " cut=1" : "");
	done = put_escaped(text, len, DATAGRAM_MAX, 1);
	if (done < len && !cut) { /* the rest follows */
		out.n = at;
		put(" cut=1 line=");
		done = put_escaped(text, len, DATAGRAM_MAX, 1);
	}
	out_send();
	for (; done < len; done += took) {
		put_head(pid);
		put(" seq=%u more=%lu text=", last_seq, (unsigned long)done);
		took = put_escaped(text + done, len - done, DATAGRAM_MAX, 0);
		out_send();
	}
}

/* ---- what has begun ------------------------------------------------------------------------------ */

int tell_depth(void)
{
	pid_t pid = getpid();

	if (begun.pid != pid) {
		begun.pid = pid;
		begun.n = 0;
	}
	return begun.n;
}

static void push(void)
{
	int n = tell_depth();

	if (n < OPEN_MAX)
		begun.seq[n] = last_seq;
	begun.n++;
}

static void end_all(int depth, int status, int sig)
{
	int e = errno;

	while (tell_depth() > depth) {
		if (--begun.n >= OPEN_MAX)
			continue;
		put_head(begun.pid);
		put(" seq=%u status=%d", begun.seq[begun.n],
		    status > 128 && sig == status - 128 ? sig : (status & 255) << 8);
		out_send();
	}
	errno = e;
}

void tell_done(int depth)
{
	if (begun.n > depth)
		end_all(depth, last_command_exit_value, last_command_exit_signal);
}

void tell_leave(char *depth)
{
	tell_done((int)(intptr_t)depth);
}

void tell_exit(int status)
{
	if (begun.n > 0)
		end_all(0, status,
			status == last_command_exit_value ? last_command_exit_signal : 0);
}

void tell_anew(void)
{
	tell_mode = TELL_ON;
	last_seq = 0;
	lines.n = 0;
	lines.cut = 0;
	tell_next_file = -1;
	tell_depth();
}

/* ---- reading ------------------------------------------------------------------------------------- */

void tell_line(const char *line)
{
	size_t len;

	if (tell_mode != TELL_ON || line == NULL || !known())
		return;
	len = strlen(line);
	if (lines.n > 0 && lines.n < TEXT_MAX && lines.text[lines.n - 1] != '\n')
		lines.text[lines.n++] = '\n';
	if (len > TEXT_MAX - lines.n) {
		len = TEXT_MAX - lines.n;
		lines.cut = 1;
	}
	memcpy(lines.text + lines.n, line, len);
	lines.n += len;
}

void tell_reading(void)
{
	if (tell_mode == TELL_ON) {
		lines.n = 0;
		lines.cut = 0;
	}
}

char *tell_save(void)
{
	char *saved;

	if (lines.n == 0)
		return NULL;
	saved = malloc(sizeof(lines));
	if (saved != NULL)
		memcpy(saved, &lines, sizeof(lines));
	return saved;
}

void tell_restore(char *saved)
{
	memcpy(&lines, saved, sizeof(lines));
	free(saved);
}

static void remember(const char *text, size_t len)
{
	if (len + 1 > SAID_MAX - said.n) {
		size_t keep = SAID_MAX / 2 < said.n ? SAID_MAX / 2 : said.n;
		memmove(said.text, said.text + said.n - keep, keep);
		said.n = keep;
	}
	memcpy(said.text + said.n, text, len);
	said.n += len;
	said.text[said.n++] = '\0';
}

static int was_said(const char *s)
{
	size_t len = strlen(s);

	while (len > 0 && strchr(" \t\n", s[len - 1]) != NULL)
		len--;
	return len == 0 || (said.n >= len && memmem(said.text, said.n, s, len) != NULL);
}

static void tell_text(const char *text, size_t len, int cut)
{
	int e = errno;

	while (len > 0 && strchr(" \t\n", text[0]) != NULL)
		text++, len--;
	while (len > 0 && strchr(" \t\n", text[len - 1]) != NULL)
		len--;
	if (len > 0 && known()) {
		begin(text, len, cut);
		push();
		remember(text, len);
	}
	errno = e;
}

void tell_command(int is_command)
{
	if (tell_mode != TELL_ON)
		return;
	if (is_command || interactive)
		tell_text(lines.text, lines.n, lines.cut);
	lines.n = 0;
	lines.cut = 0;
}

/* ---- whose words they are ------------------------------------------------------------------------ */

int tell_mode_of(const char *string, const char *from, int is_plain)
{
	int mode = tell_next_file;

	tell_next_file = -1;
	if (mode >= 0)
		return mode;
	if (from && (strcmp(from, "-c") == 0 || strcmp(from, "fc") == 0))
		return TELL_ON;
	if (tell_mode == TELL_OFF || !is_plain)
		return tell_mode == TELL_OFF ? TELL_OFF : TELL_INSIDE;
	if (from == NULL) /* what mapfile calls for each line */
		return TELL_INSIDE;
	if (strcmp(from, "command substitution") == 0 || strcmp(from, "process substitution") == 0)
		return TELL_INSIDE;
#if defined(READLINE)
	if (RL_ISSTATE(RL_STATE_COMPLETING))
		return TELL_INSIDE;
#endif
	return was_said(string) ? TELL_INSIDE : TELL_ON;
}

/* When the machine started, by its present clock. */
static time_t boot_time(void)
{
	struct timespec now = {0}, up = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return now.tv_sec - up.tv_sec - 1;
}

/*
 * A script of the system's own: root's, only root's to write, where packages put theirs, and as it was when the
 * machine started. Whatever is put there later is told line by line.
 */
static int is_systems(int fd)
{
	static const char *const below[] = {"/usr/",  "/etc/",          "/lib",         "/bin/",
					    "/sbin/", "/var/lib/dpkg/", "/run/systemd/"};
	char link[40], path[512];
	struct stat st;
	ssize_t n;
	size_t i;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0 || st.st_ctime > boot_time())
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	if (strncmp(path, "/usr/local/", 11) == 0)
		return 0;
	for (i = 0; i < sizeof(below) / sizeof(below[0]); i++)
		if (strncmp(path, below[i], strlen(below[i])) == 0)
			return 1;
	return 0;
}

/* Is it what each new account gets? */
static int is_usual(const char *name, const char *text, size_t len)
{
	static const char *const dirs[] = {"/etc/skel/", "/usr/share/base-files/dot"};
	const char *base = strrchr(name, '/');
	size_t i, n = 0;
	int same = 0;

	base = base ? base + 1 : name;
	if (base[0] != '.' || strlen(base) > 64)
		return 0;
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && !same; i++) {
		char path[128], *usual;
		snprintf(path, sizeof(path), "%s%s", dirs[i], base);
		usual = read_small(path, &n);
		same = usual && n == len && memcmp(usual, text, n) == 0;
		free(usual);
	}
	return same;
}

int tell_file(int fd, const char *name, const char *text, long len)
{
	int e = errno, off;

	off = !known() || is_systems(fd) || is_usual(name, text, len);
	errno = e;
	return off ? TELL_OFF : TELL_ON;
}

void tell_script(int fd, const char *name)
{
	int e = errno;
	char *text, *args;
	size_t len;

	tell_mode = TELL_ON;
	if (known() && is_systems(fd)) {
		WORD_LIST *list = list_rest_of_args();
		args = list ? string_list(list) : NULL;
		len = strlen(name) + (args ? strlen(args) : 0) + 2;
		text = malloc(len);
		if (text != NULL) {
			snprintf(text, len, "%s%s%s", name, args ? " " : "", args ? args : "");
			len = strlen(text);
			tell_text(text, len > TEXT_MAX ? TEXT_MAX : len, len > TEXT_MAX);
		}
		free(text);
		free(args);
		if (list)
			dispose_words(list);
		tell_mode = TELL_OFF;
	}
	errno = e;
}

/*
 * `ssh HOST COMMAND`, cron and at start a session with a shell for one command, which would then take the
 * shell's place; nobody would be left to tell its status.
 */
int tell_stays(void)
{
	return subshell_environment == 0 && command_execution_string != NULL && begun.n > 0 &&
	       begun.pid == getpid() && getsid(0) == begun.pid;
}
