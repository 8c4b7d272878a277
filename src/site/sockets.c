/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who listens, and who is logged in by ssh. Sockets come from /proc/net, their owners from what
 * processes have open. (sock_diag would be one question less, but its modules are not everywhere.)
 */
#include "site/site_priv.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTEN 0x0a
#define TCP_ESTABLISHED 0x01
#define UDP_UNCONNECTED 0x07
#define CANDIDATES 65536u /* established connections looked at */
#define PROCESSES 65536u
#define SOCKET_LINK "socket:["

/* A connection that may be a session, or (is_session false) a socket in the survey. */
struct candidate {
	uint64_t inode;
	uint32_t index; /* in site.sockets, or connections */
	bool connection;
};

struct hunt {
	struct site *site;
	struct site_session *connections; /* owned; pid 0: not of an sshd */
	struct candidate *candidates;     /* owned; sorted by inode for the search */
	size_t n_connections, n_candidates, room;
	bool datagrams; /* connected sockets of UDP count as connections too */
};

static void free_hunt(struct hunt *h)
{
	free(h->connections);
	free(h->candidates);
}

static void add_candidate(struct hunt *h, uint64_t inode, size_t index, bool connection)
{
	if (inode != 0 && h->n_candidates < h->room)
		h->candidates[h->n_candidates++] =
			(struct candidate){inode, (uint32_t)index, connection};
}

/* An address as /proc writes it: words of the machine's own byte order. IPv4 in IPv6 becomes IPv4. */
static int parse_addr(const char *hex, struct addr *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t b[16];
	size_t len = strlen(hex);
	if (len != 8 && len != 32)
		return SKEP_EFORMAT;
	for (size_t i = 0; i < len / 8; i++) {
		char word[9] = "";
		memcpy(word, hex + 8 * i, 8);
		uint32_t v = (uint32_t)strtoul(word, NULL, 16);
		memcpy(b + 4 * i, &v, 4);
	}
	if (len == 8)
		*ret = addr_from_v4(b);
	else if (memcmp(b, mapped, sizeof(mapped)) == 0)
		*ret = addr_from_v4(b + 12);
	else
		*ret = addr_from_v6(b);
	return 0;
}

/* Many workers may listen on one port, each with a socket of its own (SO_REUSEPORT). */
static void add_socket(struct hunt *h, uint8_t proto, const struct site_session *at, uint64_t inode)
{
	struct site *s = h->site;
	uint32_t i = 0;
	while (i < s->n_sockets &&
	       (s->sockets[i].proto != proto || s->sockets[i].port != at->local_port ||
		!addr_eq(&s->sockets[i].addr, &at->local)))
		i++;
	if (i == SITE_SOCKETS) {
		s->truncated = 1;
		return;
	}
	if (i == s->n_sockets)
		s->sockets[s->n_sockets++] = (struct site_socket){
			.proto = proto, .addr = at->local, .port = at->local_port};
	add_candidate(h, inode, i, false);
}

static void take_line(struct hunt *h, uint8_t proto, const char *line)
{
	char local[33], remote[33];
	unsigned local_port, remote_port, state;
	unsigned long long inode;
	struct site_session c = {0};
	if (sscanf(line, "%*d: %32[0-9A-F]:%4X %32[0-9A-F]:%4X %2X %*s %*s %*s %*u %*d %llu", local,
		   &local_port, remote, &remote_port, &state, &inode) != 6 ||
	    parse_addr(local, &c.local) != 0 || parse_addr(remote, &c.remote) != 0)
		return;
	c.local_port = (uint16_t)local_port;
	c.remote_port = (uint16_t)remote_port;
	if (local_port != 0 && state == (proto == 6 ? TCP_LISTEN : UDP_UNCONNECTED)) {
		add_socket(h, proto, &c, inode);
	} else if (state == TCP_ESTABLISHED && (proto == 6 || h->datagrams)) {
		if (h->n_connections == CANDIDATES) {
			h->site->truncated = 1;
			return;
		}
		h->connections[h->n_connections] = c;
		add_candidate(h, inode, h->n_connections++, true);
	}
}

static int read_table(struct hunt *h, uint8_t proto, const char *name)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", name);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT ? 0 : -errno; /* a kernel without IPv6 */
	while (fgets(line, sizeof(line), f) != NULL)
		take_line(h, proto, line);
	fclose(f);
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* ---- whose they are -------------------------------------------------------------------------- */

static bool is_ssh(const char *name)
{
	return strcmp(name, "sshd") == 0 || strncmp(name, "sshd-", 5) == 0 ||
	       strcmp(name, "dropbear") == 0;
}

static void name_of(int proc, char name[SITE_NAME])
{
	name[0] = '\0';
	CLEANUP(fd_close) int fd = openat(proc, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, name, SITE_NAME - 1) : 0;
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static void own(struct hunt *h, const struct candidate *c, uint32_t pid, const char *name)
{
	if (c->connection) {
		struct site_session *s = &h->connections[c->index];
		if (is_ssh(name) && s->pid == 0)
			s->pid = pid;
		return;
	}
	/* The first process often only holds it for another (systemd's sockets). */
	struct site_socket *s = &h->site->sockets[c->index];
	if (s->pid > 1)
		return;
	s->pid = pid;
	text_copy(s->name, sizeof(s->name), name);
}

static void look_at_fd(struct hunt *h, int dir, const char *fd, uint32_t pid, const char *name)
{
	char text[64];
	ssize_t n = readlinkat(dir, fd, text, sizeof(text) - 1);
	size_t skip = strlen(SOCKET_LINK);
	if (n <= (ssize_t)skip || memcmp(text, SOCKET_LINK, skip) != 0)
		return;
	text[n] = '\0';
	struct candidate key = {.inode = strtoull(text + skip, NULL, 10)}, *end;
	struct candidate *c = bsearch(&key, h->candidates, h->n_candidates, sizeof(key), by_inode);
	if (c == NULL)
		return;
	end = h->candidates + h->n_candidates;
	while (c > h->candidates && c[-1].inode == key.inode)
		c--;
	for (; c < end && c->inode == key.inode; c++)
		own(h, c, pid, name);
}

static void look_at_process(struct hunt *h, int proc, const char *pid)
{
	char name[SITE_NAME];
	CLEANUP(fd_close) int at = openat(proc, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fds = at >= 0 ? openat(at, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *dir = fds >= 0 ? fdopendir(fds) : NULL; /* owns fds from now on */
	if (dir == NULL) {
		fd_close(&fds);
		return;
	}
	name_of(at, name);
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		if (e->d_name[0] != '.')
			look_at_fd(h, dirfd(dir), e->d_name, (uint32_t)strtoul(pid, NULL, 10),
				   name);
	closedir(dir);
}

static int look_at_all(struct hunt *h)
{
	DIR *proc = opendir("/proc");
	uint32_t n = 0;
	if (proc == NULL)
		return -errno;
	for (const struct dirent *e; (e = readdir(proc)) != NULL;) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (n++ == PROCESSES) {
			h->site->truncated = 1;
			break;
		}
		look_at_process(h, dirfd(proc), e->d_name);
	}
	closedir(proc);
	return 0;
}

static void keep_sessions(struct hunt *h)
{
	struct site *s = h->site;
	for (size_t i = 0; i < h->n_connections; i++) {
		if (h->connections[i].pid == 0)
			continue;
		if (s->n_sessions == SITE_SESSIONS) {
			s->truncated = 1;
			return;
		}
		s->sessions[s->n_sessions++] = h->connections[i];
	}
}

int site_connections(uint8_t proto, struct site_session *ret, size_t max, size_t *ret_n)
{
	CLEANUP(free_hunt)
	struct hunt h = {.site = calloc(1, sizeof(struct site)), .datagrams = true};
	h.connections = calloc(CANDIDATES, sizeof(*h.connections));
	int err = h.site == NULL || h.connections == NULL ? -ENOMEM : 0;
	if (err == 0)
		err = read_table(&h, proto, proto == 6 ? "tcp" : "udp");
	if (err == 0)
		err = read_table(&h, proto, proto == 6 ? "tcp6" : "udp6");
	size_t n = h.n_connections < max ? h.n_connections : max;
	if (err == 0 && n > 0)
		memcpy(ret, h.connections, n * sizeof(*ret));
	if (err == 0)
		*ret_n = n;
	free(h.site);
	return err;
}

/* Those that listen come first in the kernel's tables: however many connections there are, no more is read. */
static int read_listening(const char *name, uint8_t ret[SITE_PORT_BYTES])
{
	char path[64], line[512];
	unsigned port, state;
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", name);
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return errno == ENOENT ? 0 : -errno;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%*d: %*32[0-9A-F]:%4X %*32[0-9A-F]:%*4X %2X", &port, &state) != 2)
			continue; /* the heading */
		if (state != TCP_LISTEN)
			break;
		ret[port / 8 % SITE_PORT_BYTES] |= (uint8_t)(1u << port % 8);
	}
	fclose(f);
	return 0;
}

int site_listening(uint8_t ret[SITE_PORT_BYTES])
{
	memset(ret, 0, SITE_PORT_BYTES);
	int err = read_listening("tcp", ret);
	return err == 0 ? read_listening("tcp6", ret) : err;
}

bool site_is_local(const struct site_socket *s)
{
	static const struct addr six = {.ver = 6, .b = {[15] = 1}};
	return s->addr.ver == 4 ? s->addr.b[0] == 127 : addr_eq(&s->addr, &six);
}

bool site_is_login(const struct site_socket *s)
{
	return s->proto == 6 && (s->pid == 1 || is_ssh(s->name));
}

int survey_sockets(struct site *s)
{
	static const struct {
		uint8_t proto;
		const char *name;
	} tables[] = {{6, "tcp"}, {6, "tcp6"}, {17, "udp"}, {17, "udp6"}};
	CLEANUP(free_hunt) struct hunt h = {.site = s, .room = CANDIDATES * 2};
	h.connections = calloc(CANDIDATES, sizeof(*h.connections));
	h.candidates = calloc(h.room, sizeof(*h.candidates));
	if (h.connections == NULL || h.candidates == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		int err = read_table(&h, tables[i].proto, tables[i].name);
		if (err != 0)
			return err;
	}
	qsort(h.candidates, h.n_candidates, sizeof(*h.candidates), by_inode);
	int err = look_at_all(&h);
	if (err == 0)
		keep_sessions(&h);
	return err;
}
