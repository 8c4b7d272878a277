/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * super: builds the house, starts the roles and the guests, and brings back what dies. It keeps both
 * ends of every channel and reads not one byte that a guest or the wire had a hand in.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PATIENCE_NS (20 * NS_PER_SEC)
#define RULES_PATIENCE_NS (180 * NS_PER_SEC) /* a wall reads rules before it is ready */
#define BEAT_PATIENCE_NS (30 * NS_PER_SEC)
#define TICK_MS 1000
#define TRIM_NS (60 * NS_PER_SEC)
#define POLLED (6 + 2 * SUPER_CHILDREN + CONF_GUESTS + SUPER_HELPERS + CONF_DESTINATIONS)
#define CAP(name) (UINT64_C(1) << CAP_##name)

void super_say(const struct super *s, const char *fmt, ...)
{
	char buf[600];
	va_list ap;
	struct writer w = writer_of(buf, sizeof(buf) - 1);
	write_str(&w, "say ");
	va_start(ap, fmt);
	vsnprintf(buf + w.len, sizeof(buf) - 1 - w.len, fmt, ap);
	va_end(ap);
	log_line(LOG_INFO, "%s", buf + w.len);
	size_t len = strlen(buf);
	buf[len++] = '\n';
	if (s->report >= 0 && write(s->report, buf, len) < 0)
		log_line(LOG_DEBUG, "nobody listens to the start");
}

static void report(struct super *s, const char *word, const char *text)
{
	char buf[1200];
	int n = snprintf(buf, sizeof(buf), "%s %s\n", word, text);
	if (s->report >= 0 && write(s->report, buf, (size_t)n) < 0)
		log_line(LOG_DEBUG, "nobody listens to the start");
	fd_close(&s->report);
}

void super_reap(pid_t *pid, int *pidfd, int *ret_exit, int *ret_sig)
{
	int status = 0;
	while (waitpid(*pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	*ret_sig = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
	*pid = 0;
	fd_close(pidfd);
}

/* ---- one turn of the loop -------------------------------------------------------------------- */

enum watch_kind {
	WATCH_SIGNAL,
	WATCH_CONTROL,
	WATCH_CHILD,
	WATCH_CHANNEL,
	WATCH_GUEST,
	WATCH_HELPER,
	WATCH_PROVE,
	WATCH_GUARDIAN,
	WATCH_COMMAND
};
struct watch {
	enum watch_kind kind;
	size_t index;
};
struct turn {
	struct pollfd p[POLLED];
	struct watch w[POLLED];
	nfds_t n;
};

static void watch(struct turn *t, int fd, enum watch_kind kind, size_t index)
{
	if (fd < 0 || t->n == POLLED)
		return;
	t->p[t->n] = (struct pollfd){.fd = fd, .events = POLLIN};
	t->w[t->n++] = (struct watch){kind, index};
}

static void watch_all(const struct super *s, struct turn *t)
{
	t->n = 0;
	watch(t, s->signals, WATCH_SIGNAL, 0);
	watch(t, s->listener, WATCH_CONTROL, 0);
	watch(t, s->guardian_fd, WATCH_GUARDIAN, 0);
	/* channels first: what a role said before it died is heard before its death */
	for (size_t i = 0; i < s->n_children; i++)
		watch(t, s->children[i].control, WATCH_CHANNEL, i);
	for (size_t i = 0; i < s->n_children; i++)
		watch(t, s->children[i].pidfd, WATCH_CHILD, i);
	for (size_t i = 0; i < s->c->n_guests; i++)
		watch(t, s->guests[i].pidfd, WATCH_GUEST, i);
	for (size_t i = 0; i < s->n_helpers; i++)
		watch(t, s->helpers[i].pidfd, WATCH_HELPER, i);
	for (size_t i = 0; i < CONF_DESTINATIONS; i++)
		watch(t, s->alerts.commands[i].pidfd, WATCH_COMMAND, i);
	/* It has said all it had to say: only its end matters. */
	watch(t, s->prove.hold, WATCH_PROVE, 0);
	if (s->prove.hold >= 0 && t->n > 0)
		t->p[t->n - 1].events = 0;
}

static void take_signal(struct super *s)
{
	struct signalfd_siginfo si;
	if (read(s->signals, &si, sizeof(si)) != (ssize_t)sizeof(si) || si.ssi_signo == SIGHUP)
		return;
	if (s->leave) /* asked twice: don't wait for the guests */
		s->stop_now = true;
	s->leave = true;
}

static void handle(struct super *s, const struct watch *w)
{
	switch (w->kind) {
	case WATCH_SIGNAL:
		take_signal(s);
		break;
	case WATCH_CONTROL:
		control_serve(s);
		break;
	case WATCH_CHANNEL:
		child_read(s, &s->children[w->index]);
		break;
	case WATCH_CHILD:
		child_died(s, &s->children[w->index]);
		break;
	case WATCH_GUEST:
		guest_died(s, &s->guests[w->index]);
		break;
	case WATCH_HELPER:
		lab_helper_died(s, &s->helpers[w->index]);
		break;
	case WATCH_PROVE:
		prove_check(s);
		break;
	case WATCH_GUARDIAN:
		guardian_died(s);
		break;
	case WATCH_COMMAND:
		command_ended(s, w->index);
		break;
	}
}

static void sooner(int64_t now, int64_t at, int *timeout_ms)
{
	int64_t ms = at <= now ? 0 : (at - now) / NS_PER_MS + 1;
	if (ms < *timeout_ms)
		*timeout_ms = (int)ms;
}

static int next_due(const struct super *s, int timeout_ms)
{
	int64_t now = clock_boot_ns();
	if (s->stopping)
		return timeout_ms;
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].state == CHILD_DOWN)
			sooner(now, s->children[i].start_at_ns, &timeout_ms);
	for (size_t i = 0; i < s->c->n_guests; i++)
		if (s->guests[i].state == RUN_DOWN)
			sooner(now, s->guests[i].start_at_ns, &timeout_ms);
	for (size_t i = 0; i < s->n_helpers; i++)
		if (s->helpers[i].pidfd < 0)
			sooner(now, s->helpers[i].start_at_ns, &timeout_ms);
	return timeout_ms;
}

static void turn(struct super *s, int timeout_ms)
{
	struct turn t;
	watch_all(s, &t);
	int n = poll(t.p, t.n, next_due(s, timeout_ms));
	for (nfds_t i = 0; n > 0 && i < t.n; i++)
		if (t.p[i].revents != 0)
			handle(s, &t.w[i]);
}

/* ---- supervision ------------------------------------------------------------------------------- */

static void restart_child(struct super *s, struct child *ch)
{
	char who[CHILD_TEXT];
	int err = child_start(s, ch);
	if (err == 0)
		return;
	log_line(LOG_ERROR, "%s does not start: %s", child_text(ch, who), err_text(err));
	if (ch->pidfd < 0) /* else its end is noticed as any other */
		ch->start_at_ns = clock_boot_ns() + NS_PER_SEC;
}

static int64_t start_patience(const struct child *ch)
{
	return ch->role == ROLE_WALL ? RULES_PATIENCE_NS : START_PATIENCE_NS;
}

static void check_stuck(struct super *s, struct child *ch, int64_t now)
{
	char who[CHILD_TEXT];
	int64_t beat = s->stats->beat_boot_ns;
	if (ch->state == CHILD_STARTING && now - ch->started_ns > start_patience(ch)) {
		log_line(LOG_ERROR, "%s is not ready after %d s: killed", child_text(ch, who),
			 (int)(start_patience(ch) / NS_PER_SEC));
		kill(ch->pid, SIGKILL);
	}
	if (ch->renew && ch->state == CHILD_STOPPING && now > ch->start_at_ns) {
		log_line(LOG_ERROR, "%s does not end: killed", child_text(ch, who));
		kill(ch->pid, SIGKILL);
	}
	if (ch->role != ROLE_WALL || ch->state != CHILD_READY)
		return;
	if (beat < ch->started_ns)
		beat = ch->started_ns;
	if (now - beat > BEAT_PATIENCE_NS) {
		super_health(s, "wall", "stuck", (uint64_t)((now - beat) / NS_PER_SEC), -1, -1, 2,
			     "the wall gave no sign of life; it is killed and started again");
		kill(ch->pid, SIGKILL);
	}
}

static void supervise(struct super *s)
{
	int64_t now = clock_boot_ns();
	for (size_t i = 0; i < s->n_children; i++) {
		struct child *ch = &s->children[i];
		if (ch->state == CHILD_DOWN && now >= ch->start_at_ns)
			restart_child(s, ch);
		else
			check_stuck(s, ch, now);
	}
	for (size_t i = 0; i < s->c->n_guests; i++)
		if (s->guests[i].state == RUN_DOWN && now >= s->guests[i].start_at_ns)
			guest_start(s, &s->guests[i]);
	for (size_t i = 0; i < s->n_helpers; i++)
		if (s->helpers[i].pidfd < 0 && now >= s->helpers[i].start_at_ns &&
		    lab_helper_start(s, &s->helpers[i]) != 0)
			s->helpers[i].start_at_ns = now + 10 * NS_PER_SEC;
	super_rules_tick(s, now);
	guardian_tick(s, now);
	uplink_tick(s, now);
	confirm_tick(s, now);
	command_tick(s, now);
	if (s->prove.port.up != 0 && now > s->prove.until_ns)
		prove_end(s);
	if (now - s->checked_ns > TRIM_NS) {
		state_trim_logs(s);
		s->checked_ns = now;
	}
}

/* ---- start -------------------------------------------------------------------------------------- */

static int open_signals(struct super *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : 0;
}

/* What super itself can do without from here on, it and all its children lose. */
static int give_up(const struct super *s)
{
	const uint64_t keep =
		(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(DAC_READ_SEARCH) | CAP(FOWNER) | CAP(FSETID) |
		 CAP(KILL) | CAP(SETGID) | CAP(SETUID) | CAP(SETPCAP) | CAP(NET_ADMIN) |
		 CAP(NET_RAW) | CAP(NET_BIND_SERVICE) | CAP(SYS_ADMIN) | CAP(SYS_CHROOT) |
		 CAP(SYS_PTRACE) | CAP(MKNOD) | CAP(SYS_RESOURCE));
	/* Each child of ours sets no_new_privs itself; a sendmail must do without. */
	return s->alerts.setid ? confine_parent(keep) : confine_early(keep, false);
}

static int start_roles(struct super *s, char *why, size_t why_size)
{
	char who[CHILD_TEXT];
	struct writer w = writer_of(why, why_size);
	int err = spawn_table(s);
	for (size_t i = 0; i < s->n_children && err == 0; i++) {
		struct child *ch = &s->children[i];
		if (ch->role == ROLE_COURIER && !alerts_need_courier(&s->alerts.conf)) {
			ch->state = CHILD_ENDED;
			continue;
		}
		err = child_start(s, ch);
		for (int64_t end = clock_boot_ns() + start_patience(ch);
		     err == 0 && ch->state == CHILD_STARTING;) {
			turn(s, 100);
			if (clock_boot_ns() > end)
				err = SKEP_ETIMEOUT;
		}
		if (err == 0 && ch->state != CHILD_READY)
			err = SKEP_EPEER;
		if (err != 0)
			write_fmt(&w, "role %s did not become ready: %s", child_text(ch, who),
				  err == SKEP_EPEER ? "it ended" : err_text(err));
	}
	return err;
}

static int start_guests(struct super *s, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	int err = 0;
	for (uint32_t i = 0; i < s->c->n_guests && err == 0; i++) {
		if (s->guests[i].state != RUN_DOWN)
			continue;
		err = guest_start(s, &s->guests[i]);
		if (err != 0)
			write_fmt(&w, "QEMU of %s does not start: %s", s->guests[i].conf->name,
				  err_text(err));
	}
	return err;
}

static int start_house(struct super *s, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	bool healed = state_heal(s);
	int err = state_note(s, "up %d", (int)getpid());
	s->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (err == 0 && s->home < 0)
		err = -errno;
	if (err == 0)
		err = open_signals(s);
	if (err == 0)
		err = give_up(s);
	if (err == 0)
		err = state_memory(s);
	if (err != 0) {
		write_fmt(&w, "start: %s", err_text(err));
		return err;
	}
	err = state_folders(s, why, why_size);
	if (err == 0)
		err = uplink_find(s, why, why_size);
	if (err == 0 && s->c->mode != MODE_LAB && (err = guardian_start(s)) != 0)
		write_fmt(&w, "guardian: %s", err_text(err));
	if (err == 0)
		err = guests_prepare(s, why, why_size);
	if (err == 0)
		err = super_rules_start(s, why, why_size);
	if (err == 0)
		super_say(s, "namespaces, links and ports");
	if (err == 0)
		err = net_build(s, why, why_size);
	if (err == 0)
		err = net_sockets(s, why, why_size);
	if (err == 0)
		super_say(s, "roles");
	if (err == 0)
		err = start_roles(s, why, why_size);
	if (err == 0)
		super_health(s, "super", "started", 1, -1, -1, healed ? 2 : 1,
			     healed ? "the honeynet starts; an earlier run had ended without "
				      "cleaning up, its leftovers were removed"
				    : "the honeynet starts");
	if (err == 0)
		super_say(s, "guests");
	if (err == 0)
		err = start_guests(s, why, why_size);
	if (err == 0)
		err = s->c->mode == MODE_LAB ? lab_start(s, why, why_size)
					     : uplink_open(s, why, why_size);
	if (err == 0 && (err = control_open(s)) != 0)
		write_fmt(&w, "control socket: %s", err_text(err));
	return err;
}

/* ---- end ---------------------------------------------------------------------------------------- */

static bool all_ended(const struct super *s, enum role role)
{
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].role == role && s->children[i].pidfd >= 0)
			return false;
	return true;
}

static void stop_role(struct super *s, enum role role, int64_t patience_ns)
{
	char who[CHILD_TEXT];
	int64_t end = clock_boot_ns() + patience_ns;
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].role == role)
			child_stop(&s->children[i]);
	while (!all_ended(s, role) && clock_boot_ns() < end)
		turn(s, 100);
	for (size_t i = 0; i < s->n_children; i++)
		if (s->children[i].role == role && s->children[i].pidfd >= 0) {
			log_line(LOG_WARN, "%s does not end: killed",
				 child_text(&s->children[i], who));
			kill(s->children[i].pid, SIGKILL);
		}
	while (!all_ended(s, role))
		turn(s, 100);
}

static bool guests_ended(const struct super *s)
{
	for (uint32_t i = 0; i < s->c->n_guests; i++)
		if (s->guests[i].pidfd >= 0)
			return false;
	return true;
}

static void stop_guests(struct super *s)
{
	int64_t end = clock_boot_ns() + (STOP_GRACE_MS + 3000) * NS_PER_MS;
	if (guests_stop(s, s->stop_now))
		return;
	while (!guests_ended(s) && !s->stop_now && clock_boot_ns() < end)
		turn(s, 100);
	while (!guests_stop(s, true))
		turn(s, 100);
}

/* In the order of the flow of events, so that the last of them is still written. */
static void stop_house(struct super *s)
{
	s->stopping = true;
	uplink_close(s);
	super_rules_close(s);
	prove_end(s);
	super_health(s, "super", "stopped", 1, -1, -1, 1, "the honeynet stops");
	stop_guests(s);
	lab_stop(s);
	stop_role(s, ROLE_KEEPER, 3 * NS_PER_SEC);
	stop_role(s, ROLE_WALL, 5 * NS_PER_SEC);
	stop_role(s, ROLE_SINK, 3 * NS_PER_SEC);
	stop_role(s, ROLE_RECORDER, 10 * NS_PER_SEC);
	stop_role(s, ROLE_COLLECTOR, 10 * NS_PER_SEC);
	stop_role(s, ROLE_HUB, 10 * NS_PER_SEC);
	stop_role(s, ROLE_ALERTER, 10 * NS_PER_SEC);
	stop_role(s, ROLE_COURIER, 5 * NS_PER_SEC);
	command_close(s);
	stop_role(s, ROLE_LEDGER, 30 * NS_PER_SEC);
}

static struct super *super_new(const struct conf *c, const struct super_start *how)
{
	struct super *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->c = c;
	s->how = how;
	s->report = how->report_fd;
	s->guardian_fd = -1;
	s->lock = s->home = s->net = s->lab = s->made = s->signals = s->listener = -1;
	s->limits = s->stats_fd = s->marks = s->marks_ro = s->store_dir = s->capture_dir = -1;
	s->copies[0] = s->copies[1] = s->copies_ro[0] = s->copies_ro[1] = s->inside_dir = -1;
	s->book.texts = s->book.snapshot = -1;
	s->reload.client = s->reload.texts = s->reload.snapshot = -1;
	s->prove.hold = -1;
	s->hub_ledger[0] = s->hub_ledger[1] = s->own_events[0] = s->own_events[1] = -1;
	for (size_t i = 0; i < JUDGE_PORTS; i++)
		s->port_fds[i] = -1;
	s->sink = -1;
	for (size_t i = 0; i < ARRAY_LEN(s->sink_fds); i++)
		s->sink_fds[i] = -1;
	s->since_ns = clock_wall_ns();
	alerts_init(s);
	return s;
}

static int fail(struct super *s, const char *why)
{
	char text[900], kept[CONF_PATH + 64] = "";
	bool daemon = s->report >= 0;
	log_line(LOG_ERROR, "%s", why);
	stop_house(s);
	if (daemon)
		state_keep_log(s->c, kept, sizeof(kept));
	fd_close(&s->net);
	fd_close(&s->lab);
	fd_close(&s->sink);
	state_clean(s->c, !s->fresh_limits); /* a start that fails gives no fresh budget either */
	guardian_end(s);
	snprintf(text, sizeof(text), "%s%s%s", why, kept[0] ? "; its log: " : "", kept);
	report(s, "fail", text);
	free(s);
	return 1;
}

int role_super(const struct conf *c, const struct super_start *how)
{
	char why[700] = "";
	struct super *s = super_new(c, how);
	log_setup("super", LOG_INFO);
	int err = s == NULL ? -ENOMEM : state_lock(s);
	if (err != 0) {
		log_line(LOG_ERROR, "%s: %s", c->run_dir,
			 err == -EALREADY ? "a honeynet runs here already" : err_text(err));
		if (s != NULL)
			report(s, "fail",
			       err == -EALREADY ? "a honeynet runs here already" : err_text(err));
		free(s);
		return 1;
	}
	if (s->report >= 0)
		err = state_log(s);
	if (err == 0)
		err = start_house(s, why, sizeof(why));
	if (err != 0)
		return fail(s, why[0] ? why : err_text(err));
	log_line(LOG_INFO, "the honeynet '%s' runs", c->name);
	confirm_begin(s);
	report(s, "ok", "");
	while (!s->leave) {
		turn(s, TICK_MS);
		supervise(s);
	}
	log_line(LOG_INFO, "stopping");
	stop_house(s);
	fd_close(&s->listener);
	state_clean(c, false);
	guardian_end(s);
	free(s);
	return 0;
}
