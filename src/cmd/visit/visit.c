/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a session and its files, and saying why not. */
#include "cmd/visit/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST (1100ll << 20) /* sessions.file and sessions.recording may be 1 GB */
#define PRINT_MOST 4096

int visit_dir(const char *conf_path, struct conf *conf, char dir[VISIT_DIR])
{
	int rc = cmd_conf(conf_path, conf);
	if (rc == 0)
		snprintf(dir, VISIT_DIR, "%s/inside", conf->state_dir);
	return rc;
}

int visit_unreadable(const char *path, int err)
{
	if (err == -EACCES || err == -EPERM)
		return cmd_fail(1, "%s may be read by root only: run it with sudo", path);
	return cmd_fail(1, "%s can't be read: %s", path, err_text(err));
}

int visit_look_up(const char *dir, const char *id, struct session_row *ret,
		  struct visit_files *ret_files)
{
	int err = session_find(dir, id, ret, ret_files->cast, ret_files->json, VISIT_PATH);
	if (err == SKEP_ENOTFOUND || err == -ENOENT)
		return cmd_fail(
			1, "no session's id begins with '%s': `skep sessions --all` lists them",
			id);
	if (err == -EEXIST)
		return cmd_fail(1, "several sessions begin with '%s': give more of the id", id);
	return err == 0 ? 0 : visit_unreadable(dir, err);
}

const char *visit_time(int64_t ns, char buf[EVENT_TIME])
{
	event_time_text(ns, buf);
	buf[10] = ' ';
	buf[19] = '\0';
	return buf;
}

void visit_print(const char *text, int columns)
{
	char buf[PRINT_MOST];
	struct writer w = writer_of(buf, sizeof(buf));
	write_escaped(&w, text, strlen(text));
	printf("%-*s", columns, buf);
}

int visit_read(const char *path, char **ret, size_t *ret_len)
{
	struct stat st;
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > FILE_MOST)
		return -EFBIG;
	size_t size = (size_t)st.st_size, n = 0;
	char *text = malloc(size + 1);
	if (text == NULL)
		return -ENOMEM;
	while (n < size) {
		ssize_t got = read(fd, text + n, size - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	*ret = text;
	*ret_len = n;
	return 0;
}
