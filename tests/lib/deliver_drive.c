/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deliver_drive CONFIG [courier SKEP UID]: deliveries of a script, for tests/golden/test_deliver.py. Without
 * courier they are made in this process; else by that binary's role, to which this is super and alerter.
 *
 * CONFIG has lines "new KIND", "KEY VALUE" of that destination, "timeouts CONNECT_MS WHOLE_MS".
 * Commands come on standard input: "send DESTINATION NUMBER FILE", "probe DESTINATION NUMBER", "again" (a new
 * alerter: what was told and not read is lost), "pid", "end". Each result is a line of JSON.
 */
#include "deliver/deliver_priv.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct drive {
	struct start_courier start;
	struct deliver_secrets secrets;
	struct deliver *d;
	long connect_ms, whole_ms;
	int super[2], alerter[2];
	pid_t pid;
	int pidfd;
};

static void die(const char *what)
{
	fprintf(stderr, "deliver_drive: %s\n", what);
	exit(1);
}

static bool set_text(const char *key, const char *name, char *field, size_t size, const char *value)
{
	if (strcmp(key, name) != 0)
		return false;
	if (!text_copy(field, size, value))
		die("a value is too long");
	return true;
}

static int kind_of(const char *text)
{
	static const char *const kinds[] = {"keep",  "smtp", "sendmail", "slack",  "discord",
					    "teams", "ntfy", "webhook",  "syslog", "command"};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i], text) == 0)
			return (int)i;
	die("a kind nobody knows");
	return 0;
}

static void set(struct drive *v, struct conf_destination *to, const char *key, const char *value)
{
	static const char *const auths[] = {"auto", "plain", "login", "xoauth2"};
	bool done =
		set_text(key, "url", to->url, sizeof(to->url), value) ||
		set_text(key, "from", to->from, sizeof(to->from), value) ||
		set_text(key, "user", to->user, sizeof(to->user), value) ||
		set_text(key, "secret", to->secret, sizeof(to->secret), value) ||
		set_text(key, "ca", to->ca, sizeof(to->ca), value) ||
		set_text(key, "oauth_url", to->oauth_url, sizeof(to->oauth_url), value) ||
		set_text(key, "oauth_client", to->oauth_client, sizeof(to->oauth_client), value) ||
		set_text(key, "oauth_secret", to->oauth_secret, sizeof(to->oauth_secret), value);
	if (strcmp(key, "to") == 0 && to->n_to < CONF_MAILS)
		done = text_copy(to->to[to->n_to++], CONF_MAIL, value);
	if (strcmp(key, "insecure") == 0)
		to->insecure = done = true;
	for (size_t i = 0; strcmp(key, "auth") == 0 && i < ARRAY_LEN(auths); i++)
		if (strcmp(auths[i], value) == 0) {
			to->auth = (uint8_t)i;
			done = true;
		}
	if (!done)
		die(key);
}

static void read_config(struct drive *v, const char *path)
{
	char line[1024];
	struct conf_alerts *c = &v->start.conf;
	FILE *in = fopen(path, "r");
	if (in == NULL)
		die("no configuration");
	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *value = strchr(line, ' ');
		if (value == NULL)
			die(line);
		*value++ = '\0';
		if (strcmp(line, "new") == 0) {
			if (c->n_to >= CONF_DESTINATIONS)
				die("too many destinations");
			c->to[c->n_to++].kind = (uint8_t)kind_of(value);
		} else if (strcmp(line, "timeouts") == 0) {
			char *rest = value;
			v->connect_ms = strtol(value, &rest, 10);
			v->whole_ms = strtol(rest, NULL, 10);
		} else if (c->n_to > 0) {
			set(v, &c->to[c->n_to - 1], line, value);
		}
	}
	fclose(in);
}

static void print(const struct deliver_result *r)
{
	printf("{\"number\": %llu, \"to\": %u, \"outcome\": %u, \"code\": %d, \"after\": %u, "
	       "\"text\": \"",
	       (unsigned long long)r->number, r->destination, r->outcome, r->code, r->after_s);
	for (const char *p = r->text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\' || (uint8_t)*p < 0x20 || (uint8_t)*p >= 0x7f)
			printf("\\u00%02x", (uint8_t)*p);
		else
			putchar(*p);
	}
	printf("\"}\n");
	fflush(stdout);
}

/* ---- in this process ------------------------------------------------------------------------------- */

static void own_result(struct drive *v, int err, uint8_t to, uint64_t number)
{
	if (err != 0) {
		struct deliver_result r = {
			.number = number, .destination = to, .outcome = 99, .code = err};
		print(&r);
	}
}

static void work(struct drive *v)
{
	struct deliver_result r;
	if (deliver_work(v->d, 0, 60000) != 0)
		die("deliver_work");
	while (deliver_next(v->d, &r))
		print(&r);
}

/* ---- as super and alerter ---------------------------------------------------------------------------- */

static int sealed(const void *data, size_t size)
{
	int fd = memfd_create("drive", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		die("memfd");
	return fd;
}

static void start_courier(struct drive *v, const char *skep, uid_t uid)
{
	char buf[64];
	struct ipc_msg m;
	char *const argv[] = {(char *)(uintptr_t) "skep", (char *)(uintptr_t) "--role",
			      (char *)(uintptr_t) "courier", NULL};
	struct spawn s = {.path = skep,
			  .argv = argv,
			  .uid = uid,
			  .netns = -1,
			  .cgroup = -1,
			  .die_with_parent = true,
			  .no_dump = true};
	if (ipc_pair(1 << 20, v->super) != 0 || ipc_pair(1 << 20, v->alerter) != 0)
		die("ipc_pair");
	for (size_t i = 0; i < SPAWN_FDS; i++)
		s.fds[i] = -1;
	s.fds[ROLE_SUPER_FD] = v->super[1];
	s.n_fds = ROLE_SUPER_FD + 1;
	if (spawn_child(&s, &v->pid, &v->pidfd) != 0)
		die("spawn");
	int fds[2] = {v->alerter[1], sealed(&v->secrets, sizeof(v->secrets))};
	if (ipc_send(v->super[0], MSG_START_COURIER, &v->start, sizeof(v->start), fds, 2) != 0)
		die("the start message does not fit");
	struct pollfd p = {.fd = v->super[0], .events = POLLIN};
	if (poll(&p, 1, 60000) != 1 ||
	    ipc_recv(v->super[0], &role_messages, ROLE_BIT(ROLE_COURIER), ROLE_BIT(ROLE_SUPER), buf,
		     sizeof(buf), &m) != 0 ||
	    m.type != MSG_READY)
		die("courier is not ready");
	close(fds[1]);
}

static void send_over(struct drive *v, uint8_t to, uint64_t number, const void *data, size_t size)
{
	struct msg_deliver m = {.number = number,
				.mark = deliver_mark(&v->start.conf.to[to]),
				.size = (uint32_t)size,
				.destination = to};
	int fd = sealed(data, size);
	if (ipc_send(v->alerter[0], MSG_DELIVER, &m, sizeof(m), &fd, 1) != 0)
		die("a message does not fit");
	close(fd);
}

static void hear(struct drive *v, bool tell)
{
	char buf[1024];
	struct ipc_msg m;
	while (ipc_recv(v->alerter[0], &role_messages, ROLE_BIT(ROLE_COURIER),
			ROLE_BIT(ROLE_ALERTER), buf, sizeof(buf), &m) == 0) {
		if (m.type != MSG_DELIVERED)
			die("an odd message");
		if (tell)
			print(m.payload);
		ipc_msg_done(&m);
	}
}

static void wait_courier(struct drive *v)
{
	struct pollfd p[3] = {{.fd = 0, .events = POLLIN},
			      {.fd = v->alerter[0], .events = POLLIN},
			      {.fd = v->pidfd, .events = POLLIN}};
	if (poll(p, 3, -1) < 0)
		die("poll");
	if (p[2].revents != 0) {
		int status = 0;
		waitpid(v->pid, &status, 0);
		printf("{\"died\": %d, \"signal\": %d}\n", WEXITSTATUS(status), WTERMSIG(status));
		exit(3);
	}
	hear(v, true);
}

static int end_courier(struct drive *v)
{
	int status = -1;
	if (ipc_send(v->super[0], MSG_STOP, NULL, 0, NULL, 0) != 0)
		die("stop");
	if (waitpid(v->pid, &status, 0) != v->pid || status != 0)
		die("courier did not end well");
	return 0;
}

/* ---- commands -------------------------------------------------------------------------------------------- */

static void send_one(struct drive *v, const char *args)
{
	static char data[256 << 10];
	char *rest;
	uint8_t to = (uint8_t)strtoul(args, &rest, 10);
	uint64_t number = strtoull(rest, &rest, 10);
	FILE *in = fopen(rest + 1, "rb");
	if (in == NULL)
		die(rest);
	size_t size = fread(data, 1, sizeof(data), in);
	fclose(in);
	if (v->d == NULL)
		send_over(v, to, number, data, size);
	else
		own_result(v, deliver_start(v->d, to, number, data, size), to, number);
}

static bool command(struct drive *v, const char *line)
{
	char *rest;
	if (strncmp(line, "send ", 5) == 0)
		send_one(v, line + 5);
	else if (strncmp(line, "probe ", 6) == 0) {
		uint8_t to = (uint8_t)strtoul(line + 6, &rest, 10);
		uint64_t number = strtoull(rest, &rest, 10);
		own_result(v, deliver_probe(v->d, to, number), to, number);
	} else if (strcmp(line, "again") == 0) {
		hear(v, false);
	} else if (strcmp(line, "pid") == 0) {
		printf("{\"pid\": %d}\n", (int)v->pid);
		fflush(stdout);
	} else {
		return false;
	}
	return true;
}

/* Line by line without stdio, whose buffer poll would not see. */
static bool commands(struct drive *v)
{
	char line[512];
	size_t n = 0;
	struct pollfd p = {.fd = 0, .events = POLLIN};
	while (poll(&p, 1, 0) == 1) {
		while (n < sizeof(line) - 1) {
			if (read(0, line + n, 1) != 1)
				return false;
			if (line[n] == '\n')
				break;
			n++;
		}
		line[n] = '\0';
		n = 0;
		if (!command(v, line))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static struct drive v;
	char why[256];
	if (argc != 2 && argc != 5)
		die("arguments");
	read_config(&v, argv[1]);
	if (deliver_secrets_read(&v.start.conf, &v.secrets, why, sizeof(why)) != 0)
		die(why);
	if (argc == 5) {
		start_courier(&v, argv[3], (uid_t)strtoul(argv[4], NULL, 10));
	} else {
		if (deliver_create(&v.start.conf, &v.secrets, &v.d) != 0)
			die("deliver_create");
		if (v.whole_ms != 0)
			deliver_timeouts(v.d, v.connect_ms, v.whole_ms);
	}
	printf("{\"ready\": true}\n");
	fflush(stdout);
	while (commands(&v))
		if (v.d != NULL)
			work(&v);
		else
			wait_courier(&v);
	if (v.d == NULL)
		return end_courier(&v);
	deliver_destroy(&v.d);
	return 0;
}
