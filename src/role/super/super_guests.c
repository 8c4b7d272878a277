/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests' QEMUs: each with a uid, an empty network, a jail and a cgroup of its own, and nothing
 * but descriptors. super starts and ends them; what they say goes to their keeper only.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QEMU "/usr/bin/qemu-system-x86_64"
#define FIRST_FD 3
#define BACKOFF_FIRST_NS NS_PER_SEC
#define BACKOFF_MOST_NS (300 * NS_PER_SEC)
#define SETTLED_NS (60 * NS_PER_SEC)
#define QEMU_FILES 512

/* ---- before the first start --------------------------------------------------------------- */

static int decide_accel(struct super *s)
{
	char why[200] = "";
	s->kvm = s->c->accel == ACCEL_KVM;
	if (s->c->accel == ACCEL_KVM)
		text_copy(s->accel_why, sizeof(s->accel_why), "asked for by the configuration");
	if (s->c->accel == ACCEL_TCG)
		text_copy(s->accel_why, sizeof(s->accel_why), "KVM is off by configuration");
	if (s->c->accel != ACCEL_AUTO)
		return 0;
	super_say(s, "looking whether KVM really runs a guest here");
	int err = guest_probe_kvm(s->c, &s->kvm, why, sizeof(why));
	if (err != 0)
		s->kvm = false;
	text_copy(s->accel_why, sizeof(s->accel_why),
		  err != 0      ? err_text(err)
		  : s->kvm      ? "a probe guest reached user space"
		  : why[0] != 0 ? why
				: "the probe guest did not reach user space");
	return 0;
}

static int prepare_one(struct super *s, struct guest_run *g, char *why, size_t why_size)
{
	char cause[256] = "";
	struct writer w = writer_of(why, why_size);
	int err = guest_image_find(s->c, g->conf->image, &g->image);
	if (err != 0) {
		write_fmt(&w,
			  "guest %s: image '%s' is not built (%s); build it with: skep image "
			  "build %s",
			  g->conf->name, g->conf->image, err_text(err), g->conf->image);
		return err;
	}
	super_say(s, "guest %s: preparing its disk and identity", g->conf->name);
	err = guest_prepare(s->c, g->conf, &g->image, &g->identity, cause, sizeof(cause));
	if (err != 0) {
		write_fmt(&w, "guest %s: %s", g->conf->name, cause[0] ? cause : err_text(err));
		return err;
	}
	g->mac = g->identity.mac;
	err = state_note(s, "cgroup %s", g->cgroup_path);
	if (err == 0)
		err = state_note(s, "cgroup-above %s", s->c->name);
	if (err == 0)
		err = cgroup_create(g->cgroup_path, &g->cgroup);
	if (err == -ENOENT) /* no v2 hierarchy: uid and namespaces must do */
		err = 0;
	if (err != 0)
		write_fmt(&w, "guest %s: cgroup: %s", g->conf->name, err_text(err));
	return err;
}

int guests_prepare(struct super *s, char *why, size_t why_size)
{
	bool any = false;
	int err = 0;
	for (uint32_t i = 0; i < s->c->n_guests; i++) {
		struct guest_run *g = &s->guests[i];
		*g = (struct guest_run){.conf = &s->c->guests[i],
					.tap = -1,
					.cgroup = -1,
					.qmp = -1,
					.console = -1,
					.monitor = -1,
					.pidfd = -1};
		snprintf(g->ifname, sizeof(g->ifname), "tap%u", i);
		snprintf(g->cgroup_path, sizeof(g->cgroup_path), "%s/%s", s->c->name,
			 g->conf->name);
		g->mac = g->conf->mac;
		g->state = strcmp(g->conf->image, "none") == 0 ? RUN_NONE : RUN_DOWN;
		any = any || g->state == RUN_DOWN;
	}
	if (any)
		err = decide_accel(s);
	for (uint32_t i = 0; i < s->c->n_guests && err == 0; i++)
		if (s->guests[i].state == RUN_DOWN)
			err = prepare_one(s, &s->guests[i], why, why_size);
	return err;
}

/* ---- a life ------------------------------------------------------------------------------------ */

static int open_log(const struct super *s, const struct guest_run *g, int *ret)
{
	char path[CONF_PATH + 64];
	snprintf(path, sizeof(path), "%s/qemu-%s.log", s->c->run_dir, g->conf->name);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	*ret = fd;
	return 0;
}

/* Gives fd (if it is one) the next number in the child; returns that number, or -1. */
static int give(struct spawn *sp, int fd)
{
	if (fd < 0)
		return -1;
	sp->fds[sp->n_fds] = fd;
	return (int)sp->n_fds++;
}

static void close_files(struct guest_fds *f)
{
	fd_close(&f->kernel);
	fd_close(&f->initrd);
	fd_close(&f->disk);
	fd_close(&f->overlay);
}

static int spawn_qemu(struct super *s, struct guest_run *g, int qmp, int console, int monitor)
{
	struct guest_command cmd;
	CLEANUP(close_files)
	struct guest_fds files = {.kernel = -1, .initrd = -1, .disk = -1, .overlay = -1};
	CLEANUP(fd_close) int log = -1;
	uint32_t index = (uint32_t)(g - s->guests);
	int err = guest_open_files(s->c, g->conf, &g->image, &files);
	if (err == 0)
		err = open_log(s, g, &log);
	if (err != 0)
		return err;
	struct spawn sp = {.path = QEMU,
			   .uid = s->c->uid_base + UID_QEMU + index,
			   .netns = SPAWN_NETNS_EMPTY,
			   .cgroup = g->cgroup,
			   .private_ipc = true,
			   .die_with_parent = true,
			   .fenced = true,
			   .no_dump = true,
			   .max_files = QEMU_FILES,
			   .fds = {-1, log, log},
			   .n_fds = FIRST_FD};
	struct guest_fds child = {.tap = give(&sp, g->tap), .mtu = net_mtu(s)};
	child.qmp = give(&sp, qmp);
	child.console = give(&sp, console);
	child.monitor = give(&sp, monitor);
	child.kernel = give(&sp, files.kernel);
	child.initrd = give(&sp, files.initrd);
	child.disk = give(&sp, files.disk);
	child.overlay = give(&sp, files.overlay);
	err = guest_command_line(g->conf, &g->image, &g->identity, &child, s->kvm, &cmd);
	if (err != 0)
		return err;
	sp.argv = (char *const *)(uintptr_t)cmd.argv;
	sp.jail = cmd.jail;
	err = spawn_child(&sp, &g->pid, &g->pidfd);
	return err != 0 ? err : state_note_pid(s, g->pid, g->conf->name);
}

/* Wall and recorder keep their sockets on the tap; the wall is told whether somebody lives there. */
static void tell_wall(struct super *s, const struct guest_run *g)
{
	port_tell(s, (uint32_t)(g - s->guests) + 1);
}

static void guest_event(struct super *s, const struct guest_run *g, const char *state,
			uint8_t priority, const char *text)
{
	struct event e = event_new(EVENT_GUEST);
	e.priority = priority;
	text_copy(e.u.guest.guest, sizeof(e.u.guest.guest), g->conf->name);
	text_copy(e.u.guest.state, sizeof(e.u.guest.state), state);
	text_copy(e.u.guest.accel, sizeof(e.u.guest.accel), g->kvm ? "kvm" : "tcg");
	e.u.guest.restarts = g->restarts;
	e.u.guest.backoff_s = (uint32_t)(g->backoff_ns / NS_PER_SEC);
	event_say(&e, "%s %s", g->conf->name, text);
	role_emit(s->own_events[1], &e, &s->own_lost);
}

void guest_said(struct super *s, struct guest_run *g, const char *state)
{
	/* only the first time in a life: pauses and the like are the keeper's to tell */
	if (!g->ran && strcmp(state, "running") == 0) {
		g->ran = true;
		guest_event(s, g, "running", 1, g->kvm ? "runs, with KVM" : "runs, emulated");
	}
	text_copy(g->said, sizeof(g->said), state);
}

void guest_tell_keeper(struct guest_run *g, enum qemu_state state, int exit_code, int sig)
{
	struct msg_qemu m = {.state = (uint8_t)state,
			     .kvm = 0,
			     .exit_code = exit_code,
			     .signal = sig,
			     .restarts = g->restarts,
			     .backoff_s = (uint32_t)(g->backoff_ns / NS_PER_SEC)};
	int fds[2] = {g->qmp, g->console};
	if (g->keeper->control < 0)
		return;
	m.kvm = g->kvm;
	int err = ipc_send(g->keeper->control, MSG_QEMU, &m, sizeof(m), fds,
			   state == QEMU_STARTED ? 2 : 0);
	if (err != 0)
		log_line(LOG_WARN, "telling keeper of %s: %s", g->conf->name, err_text(err));
}

void guest_tell_collector(struct super *s, const struct guest_run *g)
{
	const struct child *to = child_of(s, ROLE_COLLECTOR);
	const struct msg_monitor m = {.guest = (uint16_t)(g - s->guests),
				      .runs = g->state == RUN_UP};
	if (to == NULL || to->control < 0)
		return;
	int err = ipc_send(to->control, MSG_MONITOR, &m, sizeof(m), &g->monitor,
			   m.runs && g->monitor >= 0 ? 1 : 0);
	if (err != 0)
		log_line(LOG_WARN, "telling collector of %s: %s", g->conf->name, err_text(err));
}

/* A socket for the serial port of its monitor, if it has one and somebody listens. Reads on it never wait, whoever
 * has this end. */
static int monitor_pair(const struct super *s, struct guest_run *g, int *ret_theirs)
{
	int pair[2];
	if (!s->c->sessions.on || !g->conf->monitor || !g->image.monitor)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	g->monitor = pair[0];
	*ret_theirs = pair[1];
	return fcntl(g->monitor, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static void later(struct guest_run *g)
{
	int64_t now = clock_boot_ns();
	if (g->started_ns != 0 && now - g->started_ns > SETTLED_NS)
		g->backoff_ns = 0;
	g->backoff_ns = g->backoff_ns == 0 ? BACKOFF_FIRST_NS : g->backoff_ns * 2;
	if (g->backoff_ns > BACKOFF_MOST_NS)
		g->backoff_ns = BACKOFF_MOST_NS;
	g->start_at_ns = now + g->backoff_ns;
}

int guest_start(struct super *s, struct guest_run *g)
{
	int qmp[2], console[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp) < 0)
		return -errno;
	CLEANUP(fd_close) int qmp_theirs = qmp[1];
	g->qmp = qmp[0];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console) < 0)
		return -errno;
	CLEANUP(fd_close) int console_theirs = console[1];
	g->console = console[0];
	CLEANUP(fd_close) int monitor_theirs = -1;
	int err = monitor_pair(s, g, &monitor_theirs);
	g->kvm = s->kvm;
	g->said[0] = '\0';
	g->ran = false;
	if (err == 0)
		err = spawn_qemu(s, g, qmp_theirs, console_theirs, monitor_theirs);
	if (err != 0) {
		log_line(LOG_ERROR, "guest %s does not start: %s", g->conf->name, err_text(err));
		guest_event(s, g, "failed", 2, "does not start");
		fd_close(&g->qmp);
		fd_close(&g->console);
		fd_close(&g->monitor);
		if (g->pidfd >= 0)
			kill(g->pid, SIGKILL);
		later(g);
		return err;
	}
	guest_event(s, g, "starting", 0, "starts");
	g->state = RUN_UP;
	g->started_ns = clock_boot_ns();
	tell_wall(s, g);
	guest_tell_keeper(g, QEMU_STARTED, -1, -1);
	guest_tell_collector(s, g);
	return 0;
}

void guest_died(struct super *s, struct guest_run *g)
{
	char text[128];
	int code, sig;
	pid_t pid = g->pid;
	super_reap(&g->pid, &g->pidfd, &code, &sig);
	if (sig == SIGSYS) { /* its own sandbox, or the filter behind it */
		snprintf(text, sizeof(text),
			 "%s: QEMU was ended for a system call that it may not make",
			 g->conf->name);
		super_escape(s, g->conf->name, "filter", text, sig, pid);
	}
	g->state = RUN_DOWN;
	fd_close(&g->qmp);
	fd_close(&g->console);
	fd_close(&g->monitor);
	guest_tell_collector(s, g);
	if (!s->stopping) {
		g->restarts++;
		later(g);
		snprintf(text, sizeof(text),
			 "died: QEMU ended with %s %d; it starts again in %lld s",
			 sig >= 0 ? "signal" : "code", sig >= 0 ? sig : code,
			 (long long)(g->backoff_ns / NS_PER_SEC));
		log_line(LOG_WARN, "%s %s", g->conf->name, text);
		guest_event(s, g, "died", 2, text);
		tell_wall(s, g);
	}
	guest_tell_keeper(g, QEMU_DIED, code, sig);
}

bool guests_stop(struct super *s, bool now)
{
	bool none = true;
	for (uint32_t i = 0; i < s->c->n_guests; i++) {
		struct guest_run *g = &s->guests[i];
		if (g->pidfd < 0)
			continue;
		none = false;
		if (now || g->keeper->control < 0)
			kill(g->pid, SIGKILL);
		else
			guest_tell_keeper(g, QEMU_STOP, -1, -1);
	}
	return none;
}
