/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shell against monitor. A line by syslog needs a process that the monitor saw; a shell that the monitor saw
 * taking commands must tell lines. The two ways differ in speed, so nothing is judged before WAIT_NS.
 */
#include "crosscheck/crosscheck_priv.h"

#include <string.h>

#define WAIT_NS (5 * NS_PER_SEC)
#define EARLY_NS \
	(10 * NS_PER_SEC) /* so much earlier a line may come than the record of its shell */
#define IDLE_NS \
	(30 * NS_PER_SEC) /* a shell that has done nothing yet may be slow in getting there */
#define FLOOD 100u        /* programs a second: neither is complete then */
#define CHILDREN 2u       /* programs that somebody else's program ran: it is a shell */

static struct proc *seen(struct guest *g, const struct sensor_proc *p, int64_t now_ns)
{
	struct proc *e = proc_get(g, p->pid);

	e->seen_ns = now_ns;
	if (p->visit)
		e->visit = p->visit;
	return e;
}

static bool told_lines(const struct proc *p)
{
	return p->line_ns && (!p->exec_ns || p->line_ns >= p->exec_ns - EARLY_NS);
}

static void expect_line(struct guest *g, struct proc *p, const struct sensor_record *r,
			bool foreign, int64_t now_ns)
{
	struct expect *x;
	struct writer w;

	if (p->told_of || told_lines(p) || expect_has(g, EXPECT_LINE, p->pid))
		return;
	x = expect_new(g);
	if (!x)
		return;
	*x = (struct expect){.kind = EXPECT_LINE,
			     .foreign = foreign,
			     .pid = p->pid,
			     .since_ns = now_ns,
			     .due_ns = now_ns + WAIT_NS,
			     .visit = p->visit};
	w = writer_of(x->detail, sizeof(x->detail));
	write_escaped(&w, r->texts[0].data, r->texts[0].len);
	write_str(&w, ": ");
	for (size_t i = 0; i < r->texts[2].len; i++) {
		uint8_t b = r->texts[2].data[i];

		write_escaped(&w, b ? (const char *)&b : " ", 1);
	}
}

/* That process has run something, or is over: what it had to tell it has told, but for the way here. */
static void acted(struct guest *g, uint32_t pid, int64_t now_ns)
{
	for (unsigned i = 0; i < EXPECTS; i++) {
		struct expect *x = &g->expects[i];

		if (x->kind == EXPECT_LINE && x->pid == pid && !x->acted_ns)
			x->acted_ns = now_ns;
	}
}

static bool flooded(struct guest *g, int64_t now_ns)
{
	if (now_ns - g->second_ns >= NS_PER_SEC || now_ns < g->second_ns) {
		g->second_ns = now_ns;
		g->execs = 0;
	}
	return ++g->execs > FLOOD;
}

/* The child of a shell that was typed to, or of a program that the visitor brought. */
static void child_began(struct guest *g, const struct sensor_record *r, bool shell, int64_t now_ns)
{
	struct proc *parent = proc_find(g, r->u.exec.p.ppid);
	const struct visit *v = parent ? visit_known(g, parent->visit) : NULL;

	if (!v || parent->told_of)
		return;
	if (parent->shell && v->typed_ns > parent->exec_ns)
		expect_line(g, parent, r, false, now_ns);
	if (parent->foreign && !parent->shell && !shell && parent->children < CHILDREN &&
	    ++parent->children == CHILDREN)
		expect_line(g, parent, r, true, now_ns);
}

static void exec_seen(struct guest *g, const struct sensor_record *r, int64_t now_ns)
{
	const struct sensor_exec *e = &r->u.exec;
	struct proc *p = seen(g, &e->p, now_ns);
	struct shellish s = shellish_of(&r->texts[0], &r->texts[2], e->flags & SENSOR_EXEC_MEMFD);
	bool flood = flooded(g, now_ns), anew = p->exec_ns == 0;

	if (anew) {
		p->exec_ns = now_ns;
		p->children = 0;
	}
	if (e->p.visit == 0 || !g->shell)
		return;
	if (!flood)
		child_began(g, r, s.shell, now_ns);
	acted(g, e->p.ppid, now_ns);
	if (!anew)
		acted(g, e->p.pid, now_ns);
	p->foreign = !s.system;
	p->shell = s.shell && s.system && !s.script;
	if (flood || !s.shell)
		return;
	if (!s.system || (s.command && !s.script))
		expect_line(g, p, r, !s.system, now_ns);
}

static void data_seen(struct guest *g, const struct sensor_record *r, int64_t now_ns)
{
	struct visit *v = visit_known(g, r->u.data.p.visit);
	const struct sensor_text *t = &r->texts[0];

	if (!v || r->u.data.stream != SENSOR_IN)
		return;
	for (size_t i = 0; i < t->len; i++) {
		if (t->data[i] == '\n' || t->data[i] == '\r') {
			if (v->word)
				v->typed_ns = now_ns;
			v->word = false;
		} else if (t->data[i] > ' ' && t->data[i] < 0x7f) {
			v->word = true;
		}
	}
}

static void visit_seen(struct guest *g, const struct sensor_visit *s, uint64_t session)
{
	struct visit *v = visit_get(g, s->visit);

	v->parent = s->parent;
	v->session = session;
	v->ver = s->ver;
	memcpy(v->peer, s->peer, sizeof(v->peer));
	memcpy(v->local, s->local, sizeof(v->local));
	v->peer_port = s->peer_port;
	v->local_port = s->local_port;
}

/* Something was done in that visit, and so in the one that it belongs to. */
static void visit_acts(struct guest *g, uint64_t visit, uint64_t session, bool acts)
{
	for (unsigned depth = 0; depth < 8; depth++) {
		struct visit *v = visit_known(g, visit);

		if (!v)
			return;
		if (session && !v->session && depth == 0)
			v->session = session;
		v->acts |= acts;
		visit = v->parent;
	}
}

static void login_seen(struct guest *g, const struct sensor_login *l, int64_t now_ns)
{
	struct visit *v = visit_known(g, l->p.visit);

	if (v && l->ok)
		v->login = true;
	if (!l->ok || !g->syslog)
		return;
	if (now_ns - g->login_line_ns < WAIT_NS && now_ns >= g->login_line_ns) {
		g->login_lines = true; /* its line was faster */
		return;
	}
	if (!g->login_due_ns) {
		g->login_due_ns = now_ns + WAIT_NS;
		g->login_visit = l->p.visit;
	}
}

void compare_record(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		    uint64_t session, int64_t now_ns)
{
	const struct sensor_proc *p = &r->u.exec.p; /* first in all that have one */

	(void)c;
	switch (r->type) {
	case SENSOR_VISIT:
		visit_seen(g, &r->u.visit, session);
		return;
	case SENSOR_EXEC:
		visit_acts(g, p->visit, session, true);
		exec_seen(g, r, now_ns);
		return;
	case SENSOR_EXIT:
		acted(g, p->pid, now_ns);
		if (proc_find(g, p->pid) && !proc_find(g, p->pid)->line_ns)
			seen(g, p, now_ns);
		return;
	case SENSOR_DATA:
		visit_acts(g, p->visit, session, true);
		data_seen(g, r, now_ns);
		acted(g, p->pid, now_ns);
		seen(g, p, now_ns);
		return;
	case SENSOR_LOGIN:
		visit_acts(g, p->visit, session, false);
		login_seen(g, &r->u.login, now_ns);
		return;
	case SENSOR_SIZE:
	case SENSOR_CONNECT:
	case SENSOR_FILE:
	case SENSOR_CRED:
		visit_acts(g, p->visit, session, true);
		seen(g, p, now_ns);
		return;
	default:
		return;
	}
}

static uint64_t hash_line(const char *line, size_t len)
{
	static const uint64_t key[2] = {
		1, 2}; /* who finds a second text only keeps his own line quiet */

	return hash_keyed(key, line, len) | 1;
}

/* The monitor tells what daemons do over and over only the first times: a line that was seen outside of any visit
 * may come again. */
static bool habit(const struct guest *g, uint64_t line)
{
	for (unsigned i = 0; i < HABITS; i++) {
		if (g->habits[i] == line)
			return true;
	}
	return false;
}

static void habit_add(struct guest *g, const struct proc *p, uint64_t line)
{
	if (p && p->seen_ns && p->visit == 0 && !habit(g, line))
		g->habits[g->habit++ % HABITS] = line;
}

void compare_line(struct guest *g, uint32_t pid, uint32_t ppid, const char *line, size_t len,
		  int64_t now_ns)
{
	struct proc *p = proc_get(g, pid);
	struct expect *x;
	struct writer w;

	p->line_ns = now_ns;
	habit_add(g, p, hash_line(line, len));
	if (!g->sensor || p->seen_ns || expect_has(g, EXPECT_SIGHT, pid))
		return;
	x = expect_new(g);
	if (!x)
		return;
	*x = (struct expect){.kind = EXPECT_SIGHT,
			     .pid = pid,
			     .ppid = ppid,
			     .since_ns = now_ns,
			     .due_ns = now_ns + WAIT_NS};
	x->line = hash_line(line, len);
	w = writer_of(x->detail, sizeof(x->detail));
	write_escaped(&w, line, len);
}

/* A subshell that runs nothing itself leaves no trace but its parent's. */
static bool was_seen(struct guest *g, const struct expect *x)
{
	const struct proc *p = proc_find(g, x->pid);

	habit_add(g, p, x->line);
	if ((p && p->seen_ns) || habit(g, x->line))
		return true;
	p = proc_find(g, x->ppid);
	return p && (p->seen_ns || p->line_ns); /* its parent is judged by its own lines */
}

/* Does the monitor say enough for its silence to mean something? */
static bool monitor_speaks(const struct guest *g, const struct expect *x, int64_t now_ns)
{
	const struct life *l = &g->life;

	return l->began && !l->missing && now_ns >= l->blind_until_ns &&
	       x->since_ns >= l->listen_ns;
}

static void judge_sight(struct crosscheck *c, struct guest *g, const struct expect *x,
			int64_t now_ns)
{
	struct finding f = finding_of(RULE_SHELL_ONLY, "monitor", "missing");

	if (was_seen(g, x) || !monitor_speaks(g, x, now_ns))
		return;
	f.kind = EVENT_MISMATCH;
	f.priority = 1;
	f.other = "shell";
	text_copy(f.detail, sizeof(f.detail), x->detail);
	finding_say(&f, "the shell told of a command by process %u that the monitor never saw: %s",
		    x->pid, x->detail);
	tell_finding(c, g, &f, now_ns);
}

static void judge_line(struct crosscheck *c, struct guest *g, const struct expect *x,
		       int64_t now_ns)
{
	struct finding f = finding_of(RULE_MONITOR_ONLY, "shell", "missing");
	struct proc *p = proc_find(g, x->pid);
	struct visit *v = visit_known(g, x->visit);

	if (!p || told_lines(p) || p->told_of)
		return;
	/* Nothing could come from a guest without network, and that is told. */
	if (!x->foreign && (g->link_down || x->since_ns < g->link_up_ns + WAIT_NS))
		return;
	p->told_of = true;
	if (v && x->foreign && v->told_foreign)
		return;
	if (v && x->foreign)
		v->told_foreign = true;
	f.kind = EVENT_MISMATCH;
	f.priority = 1;
	f.other = "monitor";
	finding_visit(g, &f, x->visit, 0);
	text_copy(f.detail, sizeof(f.detail), x->detail);
	finding_say(&f,
		    x->foreign ? "commands are run by a program that is no shell of ours: %s"
			       : "a shell ran commands and told nothing: %s",
		    x->detail);
	tell_finding(c, g, &f, now_ns);
}

void compare_tick(struct crosscheck *c, struct guest *g, int64_t now_ns)
{
	for (unsigned i = 0; i < EXPECTS; i++) {
		struct expect *x = &g->expects[i];

		if (x->kind == EXPECT_NONE || now_ns < x->due_ns)
			continue;
		if (x->kind == EXPECT_LINE && now_ns - x->since_ns < IDLE_NS &&
		    (!x->acted_ns || now_ns - x->acted_ns < WAIT_NS))
			continue;
		if (x->kind == EXPECT_SIGHT)
			judge_sight(c, g, x, now_ns);
		else
			judge_line(c, g, x, now_ns);
		x->kind = EXPECT_NONE;
	}
}
