/* SPDX-License-Identifier: BSD-2-Clause */
/* The way in: facts go to those who look at them. */
#include "crosscheck/crosscheck_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Nobody called for so long: we did not run ourselves, and what came late then is nobody's silence. */
#define ASLEEP_NS (3 * NS_PER_SEC)

int crosscheck_create(const struct crosscheck_conf *conf, struct crosscheck **ret)
{
	struct crosscheck *c;

	if (conf->n_guests > ARRAY_LEN(conf->guests) || !conf->emit)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->guests = calloc(conf->n_guests ? conf->n_guests : 1, sizeof(*c->guests));
	if (!c->guests) {
		free(c);
		return -ENOMEM;
	}
	c->emit = conf->emit;
	c->ctx = conf->ctx;
	c->n_guests = conf->n_guests;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		struct guest *g = &c->guests[i];

		text_copy(g->name, sizeof(g->name), conf->guests[i].name);
		g->sensor = conf->guests[i].sensor;
		g->shell = conf->guests[i].shell;
		g->syslog = conf->guests[i].syslog;
	}
	*ret = c;
	return 0;
}

void crosscheck_free(struct crosscheck **c)
{
	if (!*c)
		return;
	free((*c)->guests);
	free(*c);
	*c = NULL;
}

static struct guest *guest_of(struct crosscheck *c, uint32_t guest)
{
	return guest < c->n_guests ? &c->guests[guest] : NULL;
}

void guest_anew(struct guest *g)
{
	memset(&g->life, 0, sizeof(g->life));
	memset(g->procs, 0, sizeof(g->procs));
	memset(g->visits, 0, sizeof(g->visits));
	memset(g->expects, 0, sizeof(g->expects));
	memset(g->wires, 0, sizeof(g->wires));
	memset(g->held, 0, sizeof(g->held));
	g->sshd = g->rsyslogd = 0;
	g->rsyslogd_exec_ns = g->login_due_ns = g->shutdown_until_ns = 0;
	g->syslog_stopped = g->link_down = g->disk_full = false;
}

void crosscheck_guest(struct crosscheck *c, uint32_t guest, bool runs, int64_t now_ns)
{
	struct guest *g = guest_of(c, guest);

	if (!g || g->runs == runs)
		return;
	guest_anew(g);
	g->runs = runs;
	g->runs_ns = now_ns;
}

void crosscheck_record(struct crosscheck *c, uint32_t guest, const struct sensor_record *r,
		       uint64_t session, int64_t now_ns)
{
	struct guest *g = guest_of(c, guest);

	if (!g)
		return;
	life_record(c, g, r, now_ns);
	state_record(c, g, r, session, now_ns);
	compare_record(c, g, r, session, now_ns);
}

void crosscheck_stream(struct crosscheck *c, uint32_t guest, const struct sensor_parser *p,
		       int64_t now_ns)
{
	struct guest *g = guest_of(c, guest);
	uint64_t damage = count_add(count_add(p->junk_bytes, p->malformed), p->gaps);
	struct finding f = finding_of(RULE_GAP, "monitor", "gap");
	char text[EVENT_PLACE];
	struct writer w = writer_of(text, sizeof(text));

	if (!g)
		return;
	if (damage <= g->life.damage) { /* the same, or the parser began anew */
		g->life.damage = damage;
		return;
	}
	f.count = damage - g->life.damage;
	g->life.damage = damage;
	write_fmt(&w, "so far %llu records missing, %llu malformed, %llu bytes of junk",
		  (unsigned long long)p->gaps, (unsigned long long)p->malformed,
		  (unsigned long long)p->junk_bytes);
	finding_detail(&f, text, w.len);
	finding_say(&f,
		    "what the monitor sends is damaged: somebody else writes there, or took away");
	tell_finding(c, g, &f, now_ns);
}

void crosscheck_shell(struct crosscheck *c, uint32_t guest, uint32_t pid, uint32_t ppid,
		      const char *line, size_t len, int64_t now_ns)
{
	struct guest *g = guest_of(c, guest);

	if (!g)
		return;
	compare_line(g, pid, ppid, line, len, now_ns);
	if (history_line(line, len)) {
		struct proc *p = proc_find(g, pid);

		if (!p)
			p = proc_find(g, ppid);
		history_found(c, g, p ? p->visit : 0, 0, line, len, now_ns);
	}
}

void crosscheck_syslog(struct crosscheck *c, uint32_t guest, const char *app, int64_t now_ns)
{
	struct guest *g = guest_of(c, guest);

	(void)c;
	if (!g || strncmp(app, "sshd", 4) != 0)
		return;
	g->login_line_ns = now_ns;
	if (g->login_due_ns)
		g->login_lines = true;
	g->login_due_ns = 0;
}

void crosscheck_wire(struct crosscheck *c, uint32_t guest, const struct crosscheck_wire *w,
		     int64_t now_ns)
{
	struct guest *g = guest_of(c, guest);

	if (g && g->sensor)
		wire_tally(g, w, now_ns);
}

/* Nobody was late but us. */
static void guest_slept(struct guest *g, int64_t since_ns)
{
	g->life.last_ns += since_ns;
	g->runs_ns += since_ns;
	g->life.clock_known = false;
	if (g->login_due_ns)
		g->login_due_ns += since_ns;
	for (unsigned i = 0; i < EXPECTS; i++)
		g->expects[i].due_ns += since_ns;
	for (unsigned i = 0; i < HELD; i++)
		g->held[i].due_ns += since_ns;
	for (unsigned i = 0; i < WIRES; i++) {
		if (g->wires[i].due_ns)
			g->wires[i].due_ns += since_ns;
	}
}

void crosscheck_tick(struct crosscheck *c, int64_t now_ns)
{
	int64_t since = now_ns - c->ticked_ns;
	bool slept = c->ticked_ns && (since > ASLEEP_NS || since < 0);

	c->ticked_ns = now_ns;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		struct guest *g = &c->guests[i];

		if (slept)
			guest_slept(g, since);
		if (g->runs) {
			life_tick(c, g, now_ns);
			compare_tick(c, g, now_ns);
			wire_tick(c, g, now_ns);
		}
		tell_tick(c, g, now_ns);
	}
}
