/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel has no type information of itself: its audit, with less. Programs that are run, with words,
 * folder and user; no visits, no data. Speaks the kernel's own protocol, and takes the place of auditd only
 * if there is none.
 */
#include "monitor/monitor.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AUDIT_EVENTS 4 /* records of several events come mixed, of few at a time */
#define AUDIT_ARGS 4000
#ifndef AUDIT_MESSAGE_TEXT_MAX
#define AUDIT_MESSAGE_TEXT_MAX 8970
#endif

struct audit_event {
	uint64_t serial;
	bool ran; /* a program was begun, not only tried */
	struct sensor_exec e;
	char exe[512], cwd[512];
	uint32_t n_exe, n_cwd, n_args;
	uint8_t args[AUDIT_ARGS];
};
struct monitor_audit {
	uint32_t next;
	struct audit_event events[AUDIT_EVENTS];
};

/* ---- text of records --------------------------------------------------------------------------------- */

/* What follows `key=` as a word of its own; NULL: no such word. */
static const char *value_of(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = text; (at = strstr(at, key)); at += len)
		if ((at == text || at[-1] == ' ') && at[len] == '=')
			return at + len + 1;
	return NULL;
}

static long number_of(const char *text, const char *key, long missing)
{
	const char *v = value_of(text, key);

	return v ? strtol(v, NULL, 10) : missing;
}

static int digit(char c)
{
	const char *hex = "0123456789ABCDEF", *at = c ? strchr(hex, c) : NULL;

	return at ? (int)(at - hex) : -1;
}

/* A text is quoted, or in hexadecimal digits where it has bytes that are not to be trusted. Returns its size. */
static uint32_t text_of(const char *v, void *ret, size_t room)
{
	uint8_t *out = ret;
	uint32_t n = 0;

	if (!v)
		return 0;
	if (*v == '"') {
		for (v++; *v && *v != '"' && n < room; v++)
			out[n++] = (uint8_t)*v;
		return n;
	}
	for (; digit(v[0]) >= 0 && digit(v[1]) >= 0 && n < room; v += 2)
		out[n++] = (uint8_t)(digit(v[0]) << 4 | digit(v[1]));
	return n;
}

/* ---- events ------------------------------------------------------------------------------------------- */

static void read_call(struct audit_event *e, const char *text)
{
	const char *tty = value_of(text, "tty");
	struct sensor_proc *p = &e->e.p;

	e->ran = value_of(text, "success") && strncmp(value_of(text, "success"), "yes", 3) == 0;
	p->pid = (uint32_t)number_of(text, "pid", 0);
	p->ppid = (uint32_t)number_of(text, "ppid", 0);
	p->uid = (uint32_t)number_of(text, "uid", -1);
	p->euid = (uint32_t)number_of(text, "euid", -1);
	p->tty = tty && strncmp(tty, "pts", 3) == 0 ? (int32_t)strtol(tty + 3, NULL, 10) : -1;
	(void)text_of(value_of(text, "comm"), p->comm, sizeof(p->comm) - 1);
	e->n_exe = text_of(value_of(text, "exe"), e->exe, sizeof(e->exe));
}

static void read_words(struct audit_event *e, const char *text)
{
	e->e.argc = (uint32_t)number_of(text, "argc", 0);
	for (uint32_t i = 0; i < e->e.argc; i++) {
		char key[16];
		const char *v;

		snprintf(key, sizeof(key), "a%u", i);
		v = value_of(text, key);
		/* Long ones come in parts, under other names. */
		if (!v || e->n_args >= AUDIT_ARGS - 1) {
			e->e.flags |= SENSOR_EXEC_CUT;
			return;
		}
		e->n_args += text_of(v, e->args + e->n_args, AUDIT_ARGS - 1 - e->n_args);
		e->args[e->n_args++] = 0;
	}
}

static void tell(struct monitor *m, struct audit_event *e)
{
	uint8_t buf[SENSOR_PAYLOAD], *at = buf + sizeof(e->e);
	const struct sensor_head h = {.type = SENSOR_EXEC, .boot_ns = boot_now()};

	if (e->ran && e->e.p.ppid != (uint32_t)getpid()) {
		memcpy(buf, &e->e, sizeof(e->e));
		at = ship_text(at, buf + sizeof(buf), e->exe, e->n_exe);
		at = ship_text(at, buf + sizeof(buf), e->cwd, e->n_cwd);
		at = ship_text(at, buf + sizeof(buf), e->args, e->n_args);
		life_exec(m, &h, buf, (size_t)(at - buf));
	}
	memset(e, 0, sizeof(*e));
}

static struct audit_event *event_of(struct monitor_audit *a, uint64_t serial)
{
	struct audit_event *e;

	for (uint32_t i = 0; i < AUDIT_EVENTS; i++)
		if (a->events[i].serial == serial)
			return &a->events[i];
	e = &a->events[a->next++ % AUDIT_EVENTS];
	memset(e, 0, sizeof(*e));
	e->serial = serial;
	return e;
}

/* text: "audit(1700000000.123:45): arch=..." */
static void read_record(struct monitor *m, uint16_t type, const char *text)
{
	const char *colon = strchr(text, ':'), *body = strstr(text, "): ");
	struct audit_event *e;

	if (!colon || strncmp(text, "audit(", 6) != 0)
		return;
	e = event_of(m->audit, strtoull(colon + 1, NULL, 10));
	if (type == AUDIT_EOE)
		tell(m, e);
	else if (!body)
		return;
	else if (type == AUDIT_SYSCALL)
		read_call(e, body + 3);
	else if (type == AUDIT_EXECVE)
		read_words(e, body + 3);
	else if (type == AUDIT_CWD)
		e->n_cwd = text_of(value_of(body + 3, "cwd"), e->cwd, sizeof(e->cwd));
}

void audit_read(struct monitor *m)
{
	union {
		struct nlmsghdr n;
		char bytes[AUDIT_MESSAGE_TEXT_MAX + NLMSG_HDRLEN + 1];
	} b;

	for (int i = 0; i < 1024; i++) {
		ssize_t got = recv(m->audit_fd, &b, sizeof(b) - 1, MSG_DONTWAIT);

		if (got < (ssize_t)NLMSG_HDRLEN)
			return;
		b.bytes[got] = 0;
		read_record(m, b.n.nlmsg_type, b.bytes + NLMSG_HDRLEN);
	}
}

/* ---- the kernel ----------------------------------------------------------------------------------------- */

static int ask(int fd, uint16_t type, const void *data, size_t len)
{
	struct {
		struct nlmsghdr n;
		uint8_t data[sizeof(struct audit_rule_data) + 64];
	} q = {.n = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(len),
		     .nlmsg_type = type,
		     .nlmsg_flags = NLM_F_REQUEST}};

	if (len > sizeof(q.data))
		return -EMSGSIZE;
	memcpy(q.data, data, len);
	return send(fd, &q, q.n.nlmsg_len, 0) < 0 ? -errno : 0;
}

static int add_rule(int fd, const uint32_t call, uint32_t arch)
{
	struct audit_rule_data r = {
		.flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS, .field_count = 1};

	r.fields[0] = AUDIT_ARCH;
	r.values[0] = arch;
	r.fieldflags[0] = AUDIT_EQUAL;
	r.mask[AUDIT_WORD(call)] |= AUDIT_BIT(call);
	return ask(fd, AUDIT_ADD_RULE, &r, sizeof(r));
}

int audit_open(struct monitor *m)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK};
	struct audit_status s = {.mask = AUDIT_STATUS_ENABLED | AUDIT_STATUS_PID |
					 AUDIT_STATUS_BACKLOG_LIMIT,
				 .enabled = 1,
				 .backlog_limit = 1024};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT),
	    size = 1 << 20, r;

	m->audit = calloc(1, sizeof(*m->audit));
	if (fd < 0 || !m->audit || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	s.pid = (uint32_t)getpid();
	r = ask(fd, AUDIT_SET, &s, sizeof(s));
	/* 64 bits; what a 32-bit program begins by its own calls is 11 and 358 there. */
	r = r ? r : add_rule(fd, SYS_execve, AUDIT_ARCH_X86_64);
	r = r ? r : add_rule(fd, SYS_execveat, AUDIT_ARCH_X86_64);
	r = r ? r : add_rule(fd, 11, AUDIT_ARCH_I386);
	r = r ? r : add_rule(fd, 358, AUDIT_ARCH_I386);
	m->audit_fd = fd;
	return r;
}
