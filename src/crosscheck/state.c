/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor says of daemons, signals, network, disk, clock and watched files. */
#include "crosscheck/crosscheck_priv.h"

#include <signal.h>
#include <string.h>

#define EXPLAIN_NS (4 * NS_PER_SEC) /* for a daemon that comes back, a link that does, a shutdown */
#define SHUTDOWN_NS (60 * NS_PER_SEC)
#define DAEMON_NS (5 * NS_PER_SEC) /* a daemon's first process may leave it to a child and end */
#define CLOCK_OFF_NS (5 * NS_PER_SEC)
#define AGAIN_NS (3 * NS_PER_SEC)

static bool text_is(const struct sensor_text *t, const char *s)
{
	return t->len == strlen(s) && !memcmp(t->data, s, t->len);
}

static bool text_has(const struct sensor_text *t, const char *s)
{
	return t->len && memmem(t->data, t->len, s, strlen(s)) != NULL;
}

static bool ends_with(const struct sensor_text *t, const char *s)
{
	size_t n = strlen(s);

	return t->len >= n && !memcmp(t->data + t->len - n, s, n);
}

/* ---- daemons and signals -------------------------------------------------------------------------- */

static void daemon_began(struct crosscheck *c, struct guest *g, const struct sensor_exec *e,
			 int64_t now_ns)
{
	struct finding f = finding_of(RULE_BACK, "syslog", "back");
	bool was;

	g->rsyslogd = e->p.pid;
	g->rsyslogd_exec_ns = now_ns;
	was = tell_cancel(g, RULE_STOPPED);
	if (!g->syslog_stopped)
		return;
	g->syslog_stopped = false;
	f.priority = 1;
	finding_say(&f, "the syslog daemon runs again");
	if (!was)
		tell_finding(c, g, &f, now_ns);
}

/* A shutdown begins: by its tools, or by what systemd runs for it. Root alone can, and who says so and stays
 * has bought himself a minute. */
static bool is_shutdown(const struct sensor_record *r)
{
	const struct sensor_text *path = &r->texts[0], *argv = &r->texts[2];
	static const char *const tools[] = {"shutdown", "poweroff", "reboot", "halt"};
	const uint8_t *end = argv->len ? memchr(argv->data, 0, argv->len) : NULL;
	struct sensor_text name = {argv->data, end ? (uint32_t)(end - argv->data) : argv->len};

	if (r->u.exec.p.euid != 0 || text_has(argv, "--help"))
		return false;
	if (ends_with(path, "/systemd-shutdown"))
		return true;
	if (ends_with(path, "/systemd-update-utmp"))
		return text_has(argv, "shutdown");
	if (!path_is_system(path))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(tools); i++) {
		const uint8_t *last = name.len ? memrchr(name.data, '/', name.len) : NULL;
		struct sensor_text base = name;

		if (last)
			base = (struct sensor_text){last + 1,
						    name.len - (uint32_t)(last + 1 - name.data)};
		if (text_is(&base, tools[i]))
			return true;
		if (text_is(&base, "systemctl") && text_has(argv, tools[i]))
			return true;
	}
	return false;
}

static void exec_state(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		       int64_t now_ns)
{
	const struct sensor_exec *e = &r->u.exec;

	if (ends_with(&r->texts[0], "/rsyslogd"))
		daemon_began(c, g, e, now_ns);
	else if (ends_with(&r->texts[0], "/sshd") && e->p.visit == 0 &&
		 text_has(&r->texts[2], "-D"))
		g->sshd = e->p.pid;
	else if (is_shutdown(r))
		g->shutdown_until_ns = now_ns + SHUTDOWN_NS;
}

static void exit_state(struct crosscheck *c, struct guest *g, const struct sensor_exit *e,
		       int64_t now_ns)
{
	struct finding f = finding_of(RULE_STOPPED, "syslog", "stopped");

	if (strcmp(e->p.comm, "rsyslogd") != 0 || (g->rsyslogd && e->p.pid != g->rsyslogd))
		return;
	if (e->status == 0 && g->rsyslogd && now_ns - g->rsyslogd_exec_ns < DAEMON_NS &&
	    g->rsyslogd_signal_ns < g->rsyslogd_exec_ns) {
		g->rsyslogd = 0; /* a child goes on */
		return;
	}
	g->rsyslogd = 0;
	g->syslog_stopped = true;
	finding_say(&f, "the guest's syslog daemon ended%s",
		    (e->status & 0x7f) == SIGKILL ? ", killed" : "");
	tell_later(c, g, &f, EXPLAIN_NS, now_ns);
}

/* Which layer goes silent when that program does; NULL: none. */
static const char *layer_of(const struct guest *g, const struct sensor_signal *s)
{
	if (!strcmp(s->to_comm, "monitor"))
		return "monitor";
	if (!strcmp(s->to_comm, "rsyslogd") || !strcmp(s->to_comm, "syslogd"))
		return "syslog";
	if (!strcmp(s->to_comm, "sshd") && (!g->sshd || g->sshd == s->to))
		return strcmp(s->p.comm, "sshd") != 0 ? "wire" : NULL;
	return NULL;
}

static bool kills(uint32_t sig)
{
	return sig == SIGKILL || sig == SIGTERM || sig == SIGINT || sig == SIGQUIT ||
	       sig == SIGABRT || sig == SIGSEGV || sig == SIGBUS || sig == SIGILL ||
	       sig == SIGFPE || sig == SIGTRAP;
}

static void signal_state(struct crosscheck *c, struct guest *g, const struct sensor_signal *s,
			 uint64_t session, int64_t now_ns)
{
	bool stops =
		s->sig == SIGSTOP || s->sig == SIGTSTP || s->sig == SIGTTIN || s->sig == SIGTTOU;
	struct finding f = finding_of(RULE_SIGNAL, layer_of(g, s), stops ? "stopped" : "killed");

	if (!f.layer || (!stops && !kills(s->sig)))
		return;
	if (!strcmp(s->to_comm, "rsyslogd"))
		g->rsyslogd_signal_ns = now_ns;
	finding_visit(g, &f, s->p.visit, session);
	finding_detail(&f, s->p.comm, strlen(s->p.comm));
	finding_say(&f, "%s was sent signal %u by process %u", s->to_comm, s->sig, s->p.pid);
	if (s->p.pid == 1) /* a service that is stopped or started anew, or a shutdown */
		tell_later(c, g, &f, EXPLAIN_NS, now_ns);
	else
		tell_finding(c, g, &f, now_ns);
}

/* ---- network, disk, clock, files ------------------------------------------------------------------- */

static void came_back(struct crosscheck *c, struct guest *g, const char *layer, const char *text,
		      int64_t now_ns)
{
	struct finding f = finding_of(RULE_BACK, layer, "back");

	f.priority = 1;
	finding_say(&f, "%s", text);
	tell_finding(c, g, &f, now_ns);
}

static void link_state(struct crosscheck *c, struct guest *g, bool up,
		       const struct sensor_text *name, int64_t now_ns)
{
	const char *layer = g->syslog ? "syslog" : "wire";
	struct finding f = finding_of(RULE_NETWORK, layer, "network");

	if (text_is(name, "lo"))
		return;
	if (up) {
		if (!tell_cancel(g, RULE_NETWORK) && g->link_down)
			came_back(c, g, layer, "the guest's network is up again", now_ns);
		g->link_up_ns = now_ns;
		g->link_down = false;
		return;
	}
	g->link_down = true;
	finding_detail(&f, name->data, name->len);
	finding_say(&f, "the guest's network was taken down: %s", f.detail);
	tell_later(c, g, &f, AGAIN_NS, now_ns);
}

static void disk_state(struct crosscheck *c, struct guest *g, bool full, int64_t now_ns)
{
	struct finding f = finding_of(RULE_DISK, "syslog", "disk");

	if (full == g->disk_full)
		return;
	g->disk_full = full;
	if (full) {
		finding_say(&f, "the guest's disk is full: its own logs can't be written");
		tell_finding(c, g, &f, now_ns);
	} else {
		came_back(c, g, "syslog", "the guest's disk has room again", now_ns);
	}
}

static void file_state(struct crosscheck *c, struct guest *g, const struct sensor_text *path,
		       int64_t now_ns)
{
	const char *layer = text_has(path, "monitor")                              ? "monitor"
			    : text_has(path, "syslog") || ends_with(path, "hosts") ? "syslog"
										   : "shell";
	struct finding f = finding_of(RULE_REPLACED, layer, "replaced");

	finding_detail(&f, path->data, path->len);
	finding_say(&f, "a file that the %s depends on was changed: %s", layer, f.detail);
	tell_finding(c, g, &f, now_ns);
}

static void other_state(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
			int64_t now_ns)
{
	const struct sensor_state *s = &r->u.state;
	struct finding f = finding_of(RULE_CLOCK, "monitor", "clock");
	struct writer w = writer_of(f.detail, sizeof(f.detail));

	switch (s->what) {
	case SENSOR_LINK_UP:
	case SENSOR_LINK_DOWN:
		link_state(c, g, s->what == SENSOR_LINK_UP, &r->texts[0], now_ns);
		break;
	case SENSOR_DISK_FULL:
	case SENSOR_DISK_FREE:
		disk_state(c, g, s->what == SENSOR_DISK_FULL, now_ns);
		break;
	case SENSOR_WATCHED:
		file_state(c, g, &r->texts[0], now_ns);
		break;
	case SENSOR_CLOCK:
		if (s->value <= CLOCK_OFF_NS && s->value >= -CLOCK_OFF_NS)
			break;
		g->life.offset_ns = (int64_t)((uint64_t)g->life.offset_ns +
					      (uint64_t)s->value); /* no news for the next beat */
		f.priority = 1;
		write_fmt(&w, "%+lld s", (long long)(s->value / NS_PER_SEC));
		finding_say(&f, "the guest's clock was set: %s", f.detail);
		tell_finding(c, g, &f, now_ns);
		break;
	default:
		break;
	}
}

/* ---- history ------------------------------------------------------------------------------------------- */

void history_found(struct crosscheck *c, struct guest *g, uint64_t visit, uint64_t session,
		   const char *line, size_t len, int64_t now_ns)
{
	struct finding f = finding_of(RULE_HISTORY, "shell", "history");

	/* Shell and monitor may both tell of it. */
	if (g->history_visit == visit && now_ns - g->history_ns < AGAIN_NS &&
	    now_ns >= g->history_ns)
		return;
	g->history_visit = visit;
	g->history_ns = now_ns;
	f.priority = 1;
	finding_visit(g, &f, visit, session);
	finding_detail(&f, line, len);
	finding_say(&f, "a visitor keeps what he types out of the shell's history");
	tell_finding(c, g, &f, now_ns);
}

void state_record(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		  uint64_t session, int64_t now_ns)
{
	const struct sensor_text *argv = &r->texts[2];

	switch (r->type) {
	case SENSOR_EXEC:
		exec_state(c, g, r, now_ns);
		if (history_argv((const char *)argv->data, argv->len))
			history_found(c, g, r->u.exec.p.visit, session, (const char *)argv->data,
				      argv->len, now_ns);
		break;
	case SENSOR_EXIT:
		exit_state(c, g, &r->u.exit, now_ns);
		break;
	case SENSOR_SIGNAL:
		signal_state(c, g, &r->u.signal, session, now_ns);
		break;
	case SENSOR_STATE:
		other_state(c, g, r, now_ns);
		break;
	default:
		break;
	}
}
