/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep up: from nothing to a honeypot that answers. Builds missing images, starts super as a daemon
 * and listens to its progress, then knocks at the honeypots from the lab until ssh answers. On the real
 * wire: see up_wire.h.
 */
#include "cmd/alerts/alerts.h"
#include "cmd/up_wire.h"
#include "guest/guest.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_S 300
#define KNOCK_MS 3000
#define SSH_PORT 22

struct options {
	const char *conf;
	bool foreground, no_wait, confirm;
	long timeout_s;
	struct up_wire wire;
};

static void usage(void)
{
	printf("usage: skep up [-c FILE] [--foreground] [--no-wait] [--timeout SECONDS]\n"
	       "       skep up --confirm\n\n"
	       "Starts the honeynet; with no configuration file: the lab, on this machine only.\n"
	       "  --foreground  stay, log to standard error (for service managers)\n"
	       "  --no-wait     return before the honeypots answer\n"
	       "  --timeout     how long to wait for them (%d s)\n"
	       "On the real wire (mode nat or bridge) it shows what it will take before it does, "
	       "and takes it back\n"
	       "after uplink.confirm, unless somebody comes in by a new connection and says:\n"
	       "  --confirm     it may stay\n"
	       "With --foreground a configuration that was confirmed before needs no word again.\n"
	       "  --take-my-link  mode bridge: take even the link that this host itself uses "
	       "(asks again)\n"
	       "  --yes           don't ask again\n",
	       WAIT_S);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"foreground", no_argument, NULL, 'f'},
					      {"no-wait", no_argument, NULL, 'n'},
					      {"timeout", required_argument, NULL, 't'},
					      {"confirm", no_argument, NULL, 'C'},
					      {"take-my-link", no_argument, NULL, 'T'},
					      {"yes", no_argument, NULL, 'y'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	*o = (struct options){.timeout_s = WAIT_S};
	for (int ch; (ch = getopt_long(argc, argv, "c:fnt:h", longs, NULL)) != -1;) {
		char *end;
		switch (ch) {
		case 'c':
			o->conf = optarg;
			break;
		case 'f':
			o->foreground = true;
			break;
		case 'n':
			o->no_wait = true;
			break;
		case 'C':
			o->confirm = true;
			break;
		case 'T':
			o->wire.take_link++;
			break;
		case 'y':
			o->wire.yes = true;
			break;
		case 't':
			o->timeout_s = strtol(optarg, &end, 10);
			if (*end != '\0' || o->timeout_s < 1 || o->timeout_s > 86400)
				return cmd_fail(2, "up: --timeout takes seconds (1 to 86400)");
			break;
		case 'h':
			usage();
			return -1;
		default:
			return cmd_fail(2, "up: `skep up --help` lists the options");
		}
	}
	return optind < argc ? cmd_fail(2, "up: '%s' is too much", argv[optind]) : 0;
}

static bool has_image(const struct conf_guest *g)
{
	return strcmp(g->image, "none") != 0;
}

/* ---- images ------------------------------------------------------------------------------------ */

static int build_images(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_guests; i++) {
		struct guest_image img;
		char why[512] = "";
		if (!has_image(&c->guests[i]) || guest_image_find(c, c->guests[i].image, &img) == 0)
			continue;
		printf("building the guest image '%s' (once; minutes)\n", c->guests[i].image);
		fflush(stdout);
		int err = guest_image_build(c, c->guests[i].image, false, STDOUT_FILENO, why,
					    sizeof(why));
		if (err != 0)
			return cmd_fail(1,
					"up: image '%s' was not built: %s\n"
					"  cure: see the lines above, then: skep image build %s",
					c->guests[i].image, why[0] ? why : err_text(err),
					c->guests[i].image);
	}
	return 0;
}

/* ---- super as a daemon --------------------------------------------------------------------------- */

static void daemon_main(const struct conf *c, const struct super_start *how)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (setsid() < 0 || fork() != 0)
		_exit(0);
	if (chdir("/") < 0 || null < 0 || dup2(null, 0) < 0)
		_exit(1);
	exit(role_super(c, how));
}

/* Prints its progress; 0 once it runs. */
static int follow_start(int fd)
{
	char line[1400];
	FILE *f = fdopen(fd, "r");
	int result = -1;
	while (f != NULL && result < 0 && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "say ", 4) == 0)
			printf("  %s\n", line + 4);
		else if (strncmp(line, "ok", 2) == 0)
			result = 0;
		else if (strncmp(line, "fail ", 5) == 0)
			result = cmd_fail(1, "up: %s", line + 5);
		fflush(stdout);
	}
	if (f != NULL)
		fclose(f);
	return result >= 0 ? result : cmd_fail(1, "up: it ended while starting; see `skep doctor`");
}

static int start_daemon(const struct conf *c, struct super_start *how)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC) < 0)
		return cmd_fail(1, "up: %s", err_text(-errno));
	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return cmd_fail(1, "up: %s", err_text(-errno));
	if (pid == 0) {
		close(p[0]);
		how->report_fd = p[1];
		daemon_main(c, how);
	}
	close(p[1]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return follow_start(p[0]);
}

/* ---- knocking ------------------------------------------------------------------------------------ */

static socklen_t sockaddr_of(const struct addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->ver == 4) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, a->b, 4);
		return sizeof(*v4);
	}
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, a->b, 16);
	return sizeof(*v6);
}

static bool ready(int fd, short what, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = what};
	return poll(&p, 1, timeout_ms) == 1 && (p.revents & what) != 0;
}

/* Does an ssh server greet? As the router, so that the intruder's own visits stay his. */
static bool ssh_answers(const struct conf *c, const struct addr *to)
{
	struct sockaddr_storage sa;
	char banner[4] = "";
	socklen_t len = sockaddr_of(&c->lab.router, 0, &sa);
	CLEANUP(fd_close)
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0)
		return false;
	len = sockaddr_of(to, SSH_PORT, &sa);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
		return false;
	return ready(fd, POLLOUT, KNOCK_MS) && ready(fd, POLLIN, KNOCK_MS) &&
	       recv(fd, banner, sizeof(banner), MSG_PEEK) == (ssize_t)sizeof(banner) &&
	       memcmp(banner, "SSH-", sizeof(banner)) == 0;
}

static void progress(const char *name, int64_t start_ns, bool tty, int64_t *said_ns)
{
	int64_t now = clock_boot_ns();
	if (!tty && now - *said_ns < 15 * NS_PER_SEC)
		return;
	*said_ns = now;
	printf("%swaiting for ssh on %s: %lld s%s", tty ? "\r  " : "  ", name,
	       (long long)((now - start_ns) / NS_PER_SEC), tty ? "  " : "\n");
	fflush(stdout);
}

static int wait_for(const struct conf *c, const struct conf_guest *g, int64_t start_ns,
		    int64_t end_ns)
{
	bool tty = isatty(STDOUT_FILENO);
	int64_t said_ns = clock_boot_ns();
	while (!ssh_answers(c, &g->public)) {
		if (super_running(c) == 0)
			return cmd_fail(1, "up: the honeynet ended; see %s/super.log", c->run_dir);
		if (clock_boot_ns() > end_ns)
			return cmd_fail(
				1,
				"up: %s does not answer ssh yet. It goes on running:\n"
				"  skep status             does its QEMU run, or start again "
				"and again?\n"
				"  skep guest console %s   what its console last said\n"
				"  %s/qemu-%s.log   what QEMU said\n"
				"On a slow machine without KVM give it longer: skep up "
				"--timeout 900",
				g->name, g->name, c->run_dir, g->name);
		progress(g->name, start_ns, tty, &said_ns);
		nanosleep(&(struct timespec){2, 0}, NULL);
	}
	printf("%s%s answers ssh after %lld s\n", tty ? "\r  " : "  ", g->name,
	       (long long)((clock_boot_ns() - start_ns) / NS_PER_SEC));
	return 0;
}

static int wait_all(const struct conf *c, long timeout_s)
{
	char name[CONF_NAME + 8];
	int64_t start = clock_boot_ns();
	snprintf(name, sizeof(name), "%s-lab", c->name);
	CLEANUP(fd_close) int lab = -1;
	int err = netns_open(name, &lab);
	if (err == 0)
		err = netns_enter(lab);
	if (err != 0)
		return cmd_fail(1, "up: namespace %s: %s", name, err_text(err));
	for (uint32_t i = 0; i < c->n_guests; i++) {
		struct guest_image img;
		const struct conf_guest *g = &c->guests[i];
		if (!has_image(g) || g->public.ver != 4 ||
		    guest_image_find(c, g->image, &img) != 0 || !img.sshd)
			continue;
		int code = wait_for(c, g, start, start + timeout_s * NS_PER_SEC);
		if (code != 0)
			return code;
	}
	return 0;
}

/* ---- what now ------------------------------------------------------------------------------------ */

/* Where intruders find a guest. In mode bridge its own addresses are its public ones. */
static void explain_guest(const struct conf *c, const struct conf_guest *g)
{
	char text[ADDR_TEXT];
	bool bare = c->mode == MODE_BRIDGE && g->kind == GUEST_HONEYPOT;
	const struct addr *four = bare ? &g->inside : &g->public;
	const struct addr *six = bare ? &g->inside6 : &g->public6;
	printf("  %-10s %s, image %s", g->name, g->kind == GUEST_LOGHOST ? "loghost" : "honeypot",
	       g->image);
	if (g->shared)
		printf(", at this host's address");
	if (four->ver != 0)
		printf(", at %s", addr_text(four, text));
	if (six->ver != 0 && (c->mode != MODE_LAB || four->ver == 0))
		printf("%s %s", four->ver != 0 ? " and" : ", at", addr_text(six, text));
	printf("\n");
}

static void explain(const struct conf *c, bool again)
{
	char text[ADDR_TEXT];
	bool first = true;
	printf("\nThe honeynet '%s' %s.\n", c->name, again ? "runs already" : "runs");
	for (uint32_t i = 0; i < c->n_guests; i++)
		explain_guest(c, &c->guests[i]);
	printf("look:    sudo skep status          sudo skep events -f\n");
	if (c->mode != MODE_LAB)
		printf("names:   sudo skep guest creds     (passwords of the honeypots, key of the "
		       "loghost)\n");
	if (again && c->mode != MODE_LAB)
		up_wire_explain(c);
	for (uint32_t i = 0; i < c->n_guests && first && c->mode == MODE_LAB; i++) {
		struct guest_identity id;
		const struct conf_guest *g = &c->guests[i];
		if (!has_image(g) || g->public.ver != 4 ||
		    guest_identity_read(c, g->name, &id) != 0 || id.n_accounts == 0)
			continue;
		printf("attack:  sudo skep demo, or by hand, password '%s':\n"
		       "         sudo ip netns exec %s-lab ssh %s@%s\n",
		       id.accounts[0].password, c->name, id.accounts[0].user,
		       addr_text(&g->public, text));
		first = false;
	}
	printf("stop:    sudo skep down\n");
}

/* The lab that `make up` began, say, when init has just written another configuration. */
static int check_mode(const struct conf *c)
{
	static const char *const names[] = {
		[MODE_LAB] = "lab", [MODE_NAT] = "nat", [MODE_BRIDGE] = "bridge"};
	char *text = NULL;
	if (cmd_ask(c, "{\"do\":\"status\"}", &text) != 0)
		return 0; /* it ends, or begins */
	json_t *all = json_loads(text, 0, NULL);
	const char *mode = json_string_value(json_object_get(all, "mode"));
	int code = 0;
	if (mode != NULL && strcmp(mode, names[c->mode]) != 0)
		code = cmd_fail(
			1,
			"up: the honeynet '%s' runs already, in mode %s, and the configuration "
			"says %s now.\n  cure: sudo skep down, then sudo skep up",
			c->name, mode, names[c->mode]);
	json_decref(all);
	free(text);
	return code;
}

static int start(const struct conf *c, struct options *o)
{
	struct super_start how = {.report_fd = -1, .service = o->foreground};
	o->wire.service = o->foreground;
	how.by_ssh = site_ssh_here(&how.session) == 0;
	if (c->mode != MODE_LAB) {
		int code = up_wire_show(c, &o->wire, &how.take_link);
		if (code != 0)
			return code;
	}
	if (o->foreground)
		return role_super(c, &how);
	printf("starting the honeynet '%s'\n", c->name);
	int code = start_daemon(c, &how);
	if (code == 0 && c->mode != MODE_LAB)
		up_wire_explain(c);
	if (code == 0 && !o->no_wait)
		code = c->mode == MODE_LAB ? wait_all(c, o->timeout_s)
					   : up_wire_wait(c, o->timeout_s);
	if (code == 0)
		explain(c, false);
	return code;
}

int cmd_up(int argc, char **argv)
{
	struct options o = {0};
	struct conf *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return cmd_fail(1, "up: no memory");
	int code = parse(argc, argv, &o);
	if (code != 0) {
		free(c);
		return code < 0 ? 0 : code;
	}
	char why[320];
	code = cmd_conf(o.conf, c);
	if (code == 0)
		code = cmd_need_root("up");
	if (code == 0 && alerts_check(c, why, sizeof(why)) != 0)
		code = cmd_fail(2, "up: %s", why);
	if (code == 0 && o.confirm) {
		code = up_wire_confirm(c);
	} else if (code == 0 && super_running(c) != 0) {
		code = check_mode(c);
		if (code == 0)
			explain(c, true);
	} else if (code == 0) {
		code = build_images(c);
		if (code == 0)
			code = start(c, &o);
	}
	free(c);
	return code;
}
