/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs share: finding the configuration, asking super, complaining. */
#include "cmd/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (4u << 20)

int cmd_fail(int code, const char *fmt, ...)
{
	va_list ap;
	fprintf(stderr, "skep: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

int cmd_need_root(const char *verb)
{
	if (geteuid() == 0)
		return 0;
	return cmd_fail(1, "%s needs root: run `sudo skep %s`", verb, verb);
}

bool cmd_colour(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static void print_error(void *ctx, const struct conf_error *e)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));
	(void)ctx;
	conf_error_text(&w, e);
	fprintf(stderr, "%s\n", buf);
}

int cmd_conf(const char *path, struct conf *ret)
{
	struct conf_error err;
	if (path == NULL)
		path = getenv("SKEP_CONF");
	if (path == NULL && access(CMD_CONF_FILE, F_OK) == 0)
		path = CMD_CONF_FILE;
	if (path == NULL) {
		conf_defaults(ret);
		return 0;
	}
	return conf_read_file(path, ret, &err, print_error, NULL) == 0 ? 0 : 2;
}

static int read_answer(int fd, char **ret)
{
	size_t len = 0, cap = 65536;
	char *buf = malloc(cap);
	while (buf != NULL) {
		ssize_t n = read(fd, buf + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len + 1 < cap)
			continue;
		char *more = cap < ANSWER_MAX ? realloc(buf, cap * 2) : NULL;
		if (more == NULL) {
			free(buf);
			return -EMSGSIZE;
		}
		buf = more;
		cap *= 2;
	}
	if (buf == NULL)
		return -ENOMEM;
	buf[len] = '\0';
	*ret = buf;
	return 0;
}

#define ASK_FDS 4

/* The descriptors go with the first byte. */
static int send_request(int fd, const char *request, const int *fds, size_t n_fds)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(ASK_FDS * sizeof(int))] = {0};
	size_t len = strlen(request);
	struct iovec iov = {(char *)(uintptr_t)request, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	if (n_fds > ASK_FDS)
		return -EINVAL;
	if (n_fds > 0) {
		m.msg_control = room;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(h), fds, n_fds * sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

/* Connects and sends; the answer will come on *ret_fd. */
static int request(const struct conf *c, const char *text, const int *fds, size_t n_fds,
		   int *ret_fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = 10}; /* a super that stands still takes nobody in */
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", c->run_dir) >=
	    (int)sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return errno == ECONNREFUSED ? -ENOENT : -errno;
	int err = send_request(fd, text, fds, n_fds);
	if (err != 0)
		return err;
	if (shutdown(fd, SHUT_WR) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

int cmd_request(const struct conf *c, const char *text, int *ret_fd)
{
	return request(c, text, NULL, 0, ret_fd);
}

int cmd_ask_with(const struct conf *c, const char *text, const int *fds, size_t n_fds,
		 char **ret_answer)
{
	CLEANUP(fd_close) int fd = -1;
	int err = request(c, text, fds, n_fds, &fd);
	return err != 0 ? err : read_answer(fd, ret_answer);
}

int cmd_ask(const struct conf *c, const char *text, char **ret_answer)
{
	return cmd_ask_with(c, text, NULL, 0, ret_answer);
}

int cmd_parse_time(const char *s, int64_t *ret_ns)
{
	static const struct {
		char unit;
		int64_t ns;
	} units[] = {{'s', NS_PER_SEC},
		     {'m', 60 * NS_PER_SEC},
		     {'h', 3600 * NS_PER_SEC},
		     {'d', 86400 * NS_PER_SEC}};
	char *end;
	errno = 0;
	long long n = strtoll(s, &end, 10);
	for (size_t i = 0; i < ARRAY_LEN(units) && end != s && n >= 0 && n < 100000; i++) {
		if (end[0] != units[i].unit || end[1] != '\0')
			continue;
		*ret_ns = clock_wall_ns() - n * units[i].ns;
		return 0;
	}
	struct tm tm = {0};
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL) {
		memset(&tm, 0, sizeof(tm));
		rest = strptime(s, "%Y-%m-%d", &tm);
	}
	if (rest == NULL)
		return SKEP_EFORMAT;
	int64_t frac = 0;
	if (*rest == '.') {
		int64_t unit = NS_PER_SEC;
		for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
			unit /= 10;
			frac += (*rest - '0') * unit;
		}
	}
	if (*rest != '\0' && strcmp(rest, "Z") != 0 && strcmp(rest, "+0000") != 0)
		return SKEP_EFORMAT;
	*ret_ns = (int64_t)timegm(&tm) * NS_PER_SEC + frac;
	return 0;
}
