/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep scrub: the wall alone, between two interfaces. This process is its parent, as super is in a
 * honeynet: it opens the ports, has the rules read, starts the wall without rights, writes what it tells,
 * and starts it again if it dies. While there is no wall nothing crosses.
 */
#include "cmd/wall/scrub.h"
#include "cmd/cmd.h"
#include "cmd/rules/ruleset.h"
#include "port/port.h"
#include "role/role.h"
#include "role/rules/book.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_BYTES (4u << 20)
#define BACKOFF_NS (500 * NS_PER_MS)
#define STOP_PATIENCE_NS (5 * NS_PER_SEC)
#define EVENTS_AT_ONCE 256

enum { OPT_IDS = 256 };

static const char help[] =
	"usage: skep scrub -i A:B [-S RULES ...] [OPTION ...]\n"
	"Forwards frames between the interfaces A and B as a wire would, and holds every one "
	"against the\n"
	"rules: drop, reject and replace act on it. Prints `ready` when it forwards. Needs "
	"root.\n\n"
	"  -i, --interfaces A:B   the two ends. They need no address, and are set promiscuous\n"
	"  -S, --rules FILE ...   rules of Suricata or Snort; a folder: all *.rules and *.config "
	"in "
	"it.\n"
	"                         Without: rules.files of the configuration\n"
	"  -v, --vars FILE        variables, with -S: lines HOME_NET=[10.0.0.0/8], or YAML with "
	"vars:\n"
	"                         as in suricata.yaml. Without: addresses any, ports the usual "
	"ones\n"
	"  -c, --config CONF      a honeynet's configuration: section rules, wall.flows, "
	"wall.event_rate\n"
	"  -o, --output DIR       eve.json and skep.json go there; without, alerts are printed\n"
	"      --ids              only watch: alerts, but everything passes as it came\n\n"
	"Signals: USR1 prints counters, HUP reads the rules anew (conversations keep their state), "
	"TERM and\n"
	"INT end it with a summary. If the process or its wall ends, nothing crosses any more.\n"
	"Exit code 0: ended as asked; 1: it could not work; 2: bad usage.\n"
	"Example: skep scrub -i eth1:eth2 -S /etc/skep/rules -o /var/log/scrub\n";

struct job {
	const char *interfaces, *conf_path, *vars_path, *dir;
	bool ids, ready, stopping, failed;
	char name[2][CONF_NAME];
	struct conf conf;
	struct ruleset_paths paths; /* -S */
	struct book book, next;     /* next: on its way to the wall */
	FILE *eve, *skep;
	int ports[2], events[2], limits, stats_fd, marks, signals;
	int control, pidfd;
	pid_t pid;
	const struct wall_stats *stats;
	uint64_t alerts, written, deaths;
	int64_t started_ns, start_at_ns;
};

/* ---- rules ------------------------------------------------------------------------------------------ */

static void on_problem(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "skep: rules: %s\n", text);
}

static int read_book(struct job *j, struct book *ret)
{
	char why[700] = "", cache[CONF_PATH * 8];
	struct ruleset_vars vars = {.vars = NULL};
	int err;
	*ret = (struct book){.texts = -1, .snapshot = -1};
	if (j->paths.n == 0) {
		err = book_of_conf(&j->conf, on_problem, j, ret, why, sizeof(why));
	} else {
		int code = ruleset_vars_read("scrub", j->vars_path, &vars);
		const struct book_conf c = {.paths = &j->paths,
					    .vars = vars.list,
					    .n_vars = vars.n,
					    .cache = ruleset_cache_dir(cache, sizeof(cache)) ? cache
											     : NULL,
					    .say = on_problem,
					    .ctx = j};
		err = code == 0 ? book_make(&c, ret, why, sizeof(why)) : code;
		ruleset_vars_free(&vars);
		if (code != 0)
			return code;
	}
	return err == 0 ? 0 : cmd_fail(1, "scrub: %s", why[0] != '\0' ? why : err_text(err));
}

static void reload(struct job *j)
{
	if (j->next.texts >= 0 || !j->ready) {
		cmd_fail(0, "scrub: the rules are being read already");
		return;
	}
	const int code = read_book(j, &j->next);
	const int fds[] = {j->next.texts, j->next.snapshot};
	if (code == 0 && ipc_send(j->control, MSG_RULES, NULL, 0, fds, 2) == 0)
		return;
	cmd_fail(0, "scrub: the old rules stay");
	book_close(&j->next);
}

static void rules_done(struct job *j, const struct msg_rules_done *d)
{
	if (j->ready && j->next.texts < 0)
		return; /* nobody asked */
	if (d->result != 0) {
		cmd_fail(0, "scrub: new rules can't be used, the old ones stay: %s",
			 err_text(d->result));
	} else {
		printf("%llu rules in force", (unsigned long long)d->rules);
		if (d->failed > 0)
			printf(", %llu did not load", (unsigned long long)d->failed);
		if (d->swaps > 0)
			printf(", taken over in %.1f ms", (double)d->swap_ns / 1e6);
		printf("\n");
		fflush(stdout);
	}
	if (j->next.texts < 0)
		return;
	if (d->result == 0) {
		book_close(&j->book);
		j->book.texts = fd_take(&j->next.texts);
		j->book.snapshot = fd_take(&j->next.snapshot);
	}
	book_close(&j->next);
}

/* ---- the wall --------------------------------------------------------------------------------------- */

static int send_start(const struct job *j)
{
	struct start_wall *m = calloc(1, sizeof(*m));
	const int fds[] = {j->events[1],  j->limits,        j->stats_fd, j->marks,
			   j->book.texts, j->book.snapshot, j->ports[0], j->ports[1]};
	if (m == NULL)
		return -ENOMEM;
	m->judge.bridge = true;
	m->judge.n_ports = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct judge_port *p = &m->judge.ports[i];
		(void)text_copy(p->name, sizeof(p->name), j->name[i]);
		p->kind = i == 0 ? JUDGE_OUTSIDE : JUDGE_HONEYPOT; /* on a wire it means nothing */
		p->up = 1;
	}
	m->judge.network = j->conf.network;
	m->judge.wall = j->conf.wall;
	m->rules_mode = j->ids ? RULES_IDS : RULES_INLINE;
	m->rules_memory = j->conf.rules.memory_bytes;
	m->rules_hold_ns = j->conf.rules.hold_ns;
	int err = ipc_send(j->control, MSG_START_WALL, m, sizeof(*m), fds, ARRAY_LEN(fds));
	free(m);
	return err;
}

static int start_wall(struct job *j)
{
	j->ready = false;
	int err = role_spawn(ROLE_WALL, j->conf.uid_base + ROLE_WALL, 0, &j->pid, &j->pidfd,
			     &j->control);
	if (err == 0)
		err = send_start(j);
	if (err != 0 && j->pidfd >= 0)
		kill(j->pid, SIGKILL);
	return err;
}

static void wall_died(struct job *j)
{
	int status = 0;
	while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
		;
	fd_close(&j->pidfd);
	fd_close(&j->control);
	book_close(&j->next);
	if (j->stopping)
		return;
	if (!j->ready && j->deaths == 0) {
		j->failed = true; /* it said why */
		return;
	}
	j->deaths++;
	j->ready = false;
	j->start_at_ns = clock_boot_ns() + BACKOFF_NS;
	cmd_fail(0, "scrub: the wall died (%s %d); nothing crosses until it is back",
		 WIFSIGNALED(status) ? "signal" : "code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void hear_wall(struct job *j)
{
	_Alignas(8) uint8_t buf[512];
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(j->control, &role_messages, ROLE_BIT(ROLE_WALL),
			       ROLE_BIT(ROLE_SUPER), buf, sizeof(buf), &m)) == 0) {
		if (m.type == MSG_RULES_DONE) {
			struct msg_rules_done d;
			memcpy(&d, m.payload, sizeof(d));
			rules_done(j, &d);
		}
		if (m.type == MSG_READY) {
			j->ready = true;
			printf("ready\n");
			fflush(stdout);
		}
		ipc_msg_done(&m);
	}
	if (err == -EAGAIN)
		return;
	if (err == SKEP_EPEER)
		kill(j->pid, SIGKILL);
	fd_close(&j->control); /* the pidfd tells the rest */
}

/* ---- events ----------------------------------------------------------------------------------------- */

static void write_event(struct job *j, struct event *e)
{
	FILE *out = event_is_eve((enum event_kind)e->kind) ? j->eve : j->skep;
	j->alerts += e->kind == EVENT_ALERT;
	if (out == NULL) {
		if (e->kind == EVENT_ALERT)
			scrub_print_alert(stdout, e);
		return;
	}
	role_community_ids(e);
	e->id = (uint64_t)clock_wall_ns() / 1000 + j->written;
	char *line = event_json(e, j->conf.sensor);
	if (line != NULL)
		fprintf(out, "%s\n", line);
	free(line);
	j->written++;
}

static void flush_output(struct job *j)
{
	if (j->eve == NULL) {
		fflush(stdout);
		return;
	}
	if (fflush(j->eve) != 0 || fflush(j->skep) != 0)
		cmd_fail(0, "scrub: writing to %s: %s", j->dir, strerror(errno));
}

static void hear_events(struct job *j)
{
	struct event e;
	_Alignas(8) uint8_t buf[sizeof(e) + 64];
	struct ipc_msg m;
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		if (ipc_recv(j->events[0], &role_messages, ROLE_BIT(ROLE_WALL), ROLE_BIT(ROLE_HUB),
			     buf, sizeof(buf), &m) != 0)
			break;
		memcpy(&e, m.payload, sizeof(e));
		if (event_valid(&e))
			write_event(j, &e);
		ipc_msg_done(&m);
	}
	flush_output(j);
}

/* ---- the loop --------------------------------------------------------------------------------------- */

static void counters(const struct job *j)
{
	struct wall_stats *s = malloc(sizeof(*s));
	if (s == NULL)
		return;
	memcpy(s, (const void *)j->stats, sizeof(*s));
	scrub_print_counters(stdout, s, (clock_boot_ns() - j->started_ns) / NS_PER_SEC, j->ids);
	free(s);
}

static void take_signal(struct job *j)
{
	struct signalfd_siginfo si;
	if (read(j->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGUSR1)
		counters(j);
	else if (si.ssi_signo == SIGHUP)
		reload(j);
	else if (!j->stopping) {
		j->stopping = true;
		if (j->control < 0 || ipc_send(j->control, MSG_STOP, NULL, 0, NULL, 0) != 0)
			kill(j->pid, SIGTERM);
	}
}

static void turn(struct job *j, int timeout_ms)
{
	struct pollfd p[] = {{.fd = j->signals, .events = POLLIN},
			     {.fd = j->events[0], .events = POLLIN},
			     {.fd = j->control, .events = POLLIN},
			     {.fd = j->pidfd, .events = POLLIN}};
	if (poll(p, ARRAY_LEN(p), timeout_ms) <= 0)
		return;
	if (p[0].revents != 0)
		take_signal(j);
	if (p[1].revents != 0)
		hear_events(j);
	if (p[2].revents != 0)
		hear_wall(j);
	if (p[3].revents != 0 && p[2].revents == 0) /* its last words first */
		wall_died(j);
}

static void run(struct job *j)
{
	int64_t end = 0;
	while (!j->failed && (!j->stopping || j->pidfd >= 0)) {
		turn(j, 200);
		int64_t now = clock_boot_ns();
		if (j->stopping && end == 0)
			end = now + STOP_PATIENCE_NS;
		if (j->stopping && now > end && j->pidfd >= 0)
			kill(j->pid, SIGKILL);
		if (!j->stopping && j->pidfd < 0 && now >= j->start_at_ns) {
			int err = start_wall(j);
			if (err != 0)
				cmd_fail(0, "scrub: the wall does not start: %s", err_text(err));
			if (err != 0)
				j->start_at_ns = now + BACKOFF_NS;
		}
	}
	hear_events(j);
}

/* ---- start ------------------------------------------------------------------------------------------ */

static int open_ports(struct job *j)
{
	for (unsigned i = 0; i < 2; i++) {
		int code = scrub_check_link(j->name[i]);
		if (code != 0)
			return code;
		int err = port_open_packet(j->name[i], &j->ports[i]);
		if (err != 0)
			return cmd_fail(1, "scrub: %s: %s", j->name[i], err_text(err));
	}
	return 0;
}

static FILE *open_stream(const struct job *j, const char *name)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/%s", j->dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	/* What intruders said is not for every user of the machine. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	return fd < 0 ? NULL : fdopen(fd, "a");
}

static int open_output(struct job *j)
{
	if (j->dir == NULL)
		return 0;
	if (mkdir(j->dir, 0750) < 0 && errno != EEXIST)
		return cmd_fail(1, "scrub: %s: %s", j->dir, strerror(errno));
	j->eve = open_stream(j, "eve.json");
	j->skep = j->eve != NULL ? open_stream(j, "skep.json") : NULL;
	return j->skep != NULL ? 0 : cmd_fail(1, "scrub: %s: %s", j->dir, strerror(errno));
}

static int open_memory(struct job *j)
{
	void *mem;
	sigset_t set;
	int err = ipc_pair(EVENTS_BYTES, j->events);
	if (err == 0)
		err = shm_create("skep-limits", judge_limits_bytes(), &j->limits);
	if (err == 0)
		err = shm_create("skep-stats", sizeof(struct wall_stats), &j->stats_fd);
	if (err == 0)
		err = shm_map(j->stats_fd, sizeof(struct wall_stats), false, &mem);
	if (err == 0)
		err = shm_create("skep-marks", mark_ring_bytes(), &j->marks);
	if (err != 0)
		return cmd_fail(1, "scrub: %s", err_text(err));
	j->stats = mem;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return cmd_fail(1, "scrub: %s", strerror(errno));
	j->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return j->signals >= 0 ? 0 : cmd_fail(1, "scrub: %s", strerror(errno));
}

static int scrub(struct job *j)
{
	int code = cmd_need_root("scrub");
	if (code == 0)
		code = cmd_conf(j->conf_path, &j->conf);
	if (code == 0)
		code = open_ports(j);
	if (code == 0)
		code = open_output(j);
	if (code == 0)
		code = open_memory(j);
	if (code == 0)
		code = read_book(j, &j->book);
	if (code != 0)
		return code;
	j->started_ns = clock_boot_ns();
	int err = start_wall(j);
	if (err != 0)
		return cmd_fail(1, "scrub: the wall does not start: %s", err_text(err));
	run(j);
	if (j->failed)
		return cmd_fail(1, "scrub: the wall could not start");
	counters(j);
	if (j->dir != NULL)
		printf("%llu alerts in %s/eve.json\n", (unsigned long long)j->alerts, j->dir);
	return 0;
}

/* ---- usage ------------------------------------------------------------------------------------------ */

static const struct option options[] = {
	{"interfaces", required_argument, NULL, 'i'},
	{"rules", required_argument, NULL, 'S'},
	{"vars", required_argument, NULL, 'v'},
	{"config", required_argument, NULL, 'c'},
	{"output", required_argument, NULL, 'o'},
	{"ids", no_argument, NULL, OPT_IDS},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int take_interfaces(struct job *j)
{
	const char *colon = j->interfaces != NULL ? strchr(j->interfaces, ':') : NULL;
	if (colon == NULL || colon == j->interfaces || colon[1] == '\0' ||
	    (size_t)(colon - j->interfaces) >= sizeof(j->name[0]) ||
	    strlen(colon + 1) >= sizeof(j->name[1]))
		return cmd_fail(2, "scrub: name two interfaces: -i eth1:eth2");
	memcpy(j->name[0], j->interfaces, (size_t)(colon - j->interfaces));
	(void)text_copy(j->name[1], sizeof(j->name[1]), colon + 1);
	if (strcmp(j->name[0], j->name[1]) == 0)
		return cmd_fail(2, "scrub: -i %s: two different interfaces", j->interfaces);
	if (j->vars_path != NULL && j->paths.n == 0)
		return cmd_fail(2, "scrub: -v belongs to -S; a configuration has rules.vars");
	return -1;
}

static int add_rules(struct job *j, const char *path)
{
	static const char *const endings[] = {".rules", ".config", NULL};
	int err = ruleset_add(&j->paths, path, endings);
	if (err == SKEP_ENOTFOUND)
		return cmd_fail(1, "scrub: %s: no *.rules in this folder", path);
	return err != 0 ? cmd_fail(1, "scrub: %s: %s", path, err_text(err)) : -1;
}

/* -1: go on; else the exit code. Words without an option belong to the -S before them. */
static int parse(struct job *j, int argc, char **argv)
{
	int option, code = -1;
	bool rules = false;
	optind = 1;
	while (code < 0 &&
	       (option = getopt_long(argc, argv, "-i:S:v:c:o:h", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'i':
			j->interfaces = optarg;
			break;
		case 'v':
			j->vars_path = optarg;
			break;
		case 'c':
			j->conf_path = optarg;
			break;
		case 'o':
			j->dir = optarg;
			break;
		case OPT_IDS:
			j->ids = true;
			break;
		case 1:
		case 'S':
			rules |= option == 'S';
			code = rules ? add_rules(j, optarg)
				     : cmd_fail(2, "scrub: what is '%s'? Rules come after -S",
						optarg);
			break;
		default:
			return cmd_fail(2, "scrub: `skep scrub --help` lists the options");
		}
	}
	return code >= 0 ? code : take_interfaces(j);
}

static void close_all(struct job *j)
{
	int *const fds[] = {&j->ports[0], &j->ports[1], &j->events[0], &j->events[1], &j->limits,
			    &j->stats_fd, &j->marks,    &j->signals,   &j->control,   &j->pidfd};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fd_close(fds[i]);
	if (j->stats != NULL)
		(void)munmap((void *)(uintptr_t)j->stats, sizeof(*j->stats));
	if (j->eve != NULL)
		(void)fclose(j->eve);
	if (j->skep != NULL)
		(void)fclose(j->skep);
	book_close(&j->book);
	book_close(&j->next);
	ruleset_paths_free(&j->paths);
}

int cmd_scrub(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	if (j == NULL)
		return cmd_fail(1, "scrub: out of memory");
	j->ports[0] = j->ports[1] = j->events[0] = j->events[1] = -1;
	j->limits = j->stats_fd = j->marks = j->signals = j->control = j->pidfd = -1;
	j->book = j->next = (struct book){.texts = -1, .snapshot = -1};
	int code = parse(j, argc, argv);
	if (code < 0)
		code = scrub(j);
	close_all(j);
	free(j);
	return code;
}
