/* SPDX-License-Identifier: BSD-2-Clause */
/* The ssh session that the calling process was started from. */
#include "site/site_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH 64
#define ENVIRON_BYTES (512u << 10)
#define VARIABLE "SSH_CONNECTION="

/* "ADDRESS PORT ADDRESS PORT": theirs, ours. */
static int parse(const char *text, struct site_session *ret)
{
	char remote[ADDR_TEXT + 20], local[ADDR_TEXT + 20];
	unsigned remote_port, local_port;
	struct site_session s = {0};
	if (sscanf(text, "%65s %5u %65s %5u", remote, &remote_port, local, &local_port) != 4 ||
	    remote_port == 0 || remote_port > UINT16_MAX || local_port == 0 ||
	    local_port > UINT16_MAX)
		return SKEP_EFORMAT;
	remote[strcspn(remote, "%")] = '\0'; /* fe80::1%eth0 */
	local[strcspn(local, "%")] = '\0';
	if (addr_parse(remote, &s.remote) != 0 || addr_parse(local, &s.local) != 0)
		return SKEP_EFORMAT;
	s.remote_port = (uint16_t)remote_port;
	s.local_port = (uint16_t)local_port;
	*ret = s;
	return 0;
}

static int search(const char *environ_text, size_t len, struct site_session *ret)
{
	for (size_t at = 0; at < len;) {
		const char *v = environ_text + at;
		size_t n = strnlen(v, len - at);
		if (n < len - at && strncmp(v, VARIABLE, strlen(VARIABLE)) == 0 &&
		    parse(v + strlen(VARIABLE), ret) == 0)
			return 0;
		at += n + 1;
	}
	return -ENOENT;
}

static int search_process(uint32_t pid, char *buf, struct site_session *ret)
{
	char path[64];
	size_t len = 0;
	snprintf(path, sizeof(path), "/proc/%u/environ", pid);
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT; /* not ours to look at: so it says nothing */
	for (ssize_t n; len < ENVIRON_BYTES && (n = read(fd, buf + len, ENVIRON_BYTES - len)) > 0;)
		len += (size_t)n;
	int err = search(buf, len, ret);
	if (err == 0)
		ret->pid = pid;
	return err;
}

static uint32_t parent_of(uint32_t pid)
{
	char path[64], line[128];
	unsigned parent = 0;
	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "PPid: %u", &parent) == 1)
			break;
	fclose(f);
	return parent;
}

/* A server that people come and go to: what is below it says nothing of who looks at it now. */
static bool is_multiplexer(uint32_t pid)
{
	char path[64], name[32] = "";
	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return false;
	bool is = fgets(name, sizeof(name), f) != NULL &&
		  (strcmp(name, "screen\n") == 0 || strncmp(name, "tmux", 4) == 0);
	fclose(f);
	return is;
}

bool site_same_session(const struct site_session *a, const struct site_session *b)
{
	return addr_eq(&a->local, &b->local) && addr_eq(&a->remote, &b->remote) &&
	       a->local_port == b->local_port && a->remote_port == b->remote_port;
}

int site_ssh_here(struct site_session *ret)
{
	struct site_session s;
	bool found = false, multiplexer = false;
	char *buf = malloc(ENVIRON_BYTES);
	if (buf == NULL)
		return -ENOMEM;
	/* The nearest one counts: a shell in tmux has the session that looks at it, its server that of long ago. */
	uint32_t pid = (uint32_t)getpid();
	for (int i = 0; i < DEPTH && pid > 1; i++, pid = parent_of(pid)) {
		multiplexer = multiplexer || is_multiplexer(pid);
		if (search_process(pid, buf, &s) != 0)
			continue;
		if (found && !site_same_session(&s, ret))
			break;
		*ret = s;
		found = true;
	}
	free(buf);
	return found ? 0 : multiplexer ? -ESRCH : -ENOENT;
}
