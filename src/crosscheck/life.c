/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the monitor there, is it whole, and does its clock go as ours does? */
#include "crosscheck/crosscheck_priv.h"

#include <string.h>

#define BEAT_LATE_NS (INT64_C(3) * SENSOR_BEAT_MS * NS_PER_MS)
#define HELLO_LATE_NS (120 * NS_PER_SEC)
#define CLOCK_OFF_NS (5 * NS_PER_SEC)
#define BEATS 8u /* in which the least delayed shows where the guest's clock is */
#define BOOT_LATEST_NS \
	(600 * NS_PER_SEC) /* a first monitor comes up within that time of its boot */
#define BLIND_NS (10 * NS_PER_SEC)

static void say_hooks(struct finding *f, uint64_t hooks)
{
	static const char *const names[HOOKS] = {
		[HOOK_EXEC] = "exec",     [HOOK_EXIT] = "exit",       [HOOK_FORK] = "fork",
		[HOOK_ACCEPT] = "accept", [HOOK_TTY] = "tty",         [HOOK_PIPE] = "pipe",
		[HOOK_UNIX] = "unix",     [HOOK_CONNECT] = "connect", [HOOK_FILE] = "file",
		[HOOK_UNLINK] = "unlink", [HOOK_RENAME] = "rename",   [HOOK_CRED] = "cred",
		[HOOK_MODULE] = "module", [HOOK_BPF] = "bpf",         [HOOK_SIGNAL] = "signal",
	};
	struct writer w = writer_of(f->detail, sizeof(f->detail));

	for (unsigned i = 0; i < HOOKS; i++) {
		if (hooks >> i & 1)
			write_fmt(&w, "%s%s", w.len ? " " : "", names[i]);
	}
}

/* Hooks that were there and are no more. Each is told once, unless it comes back in between. */
static void hooks_now(struct crosscheck *c, struct guest *g, uint64_t gone, int64_t now_ns)
{
	struct finding f = finding_of(RULE_UNHOOKED, "monitor", "unhooked");

	gone &= g->life.hooks;
	g->life.hooks &= ~gone;
	if (!gone)
		return;
	say_hooks(&f, gone);
	finding_say(&f, "programs of the monitor were taken out of the kernel: %s", f.detail);
	tell_finding(c, g, &f, now_ns);
}

static void say_clock(struct crosscheck *c, struct guest *g, int64_t off_ns, const char *what,
		      int64_t now_ns)
{
	struct finding f = finding_of(RULE_CLOCK, "monitor", "clock");
	struct writer w = writer_of(f.detail, sizeof(f.detail));

	f.priority = 1;
	write_fmt(&w, "%+lld s", (long long)(off_ns / NS_PER_SEC));
	finding_say(&f, "%s: %s", what, f.detail);
	tell_finding(c, g, &f, now_ns);
}

static int64_t minus(int64_t a, int64_t b)
{
	int64_t d;

	if (__builtin_sub_overflow(a, b, &d))
		return a > b ? INT64_MAX : INT64_MIN;
	return d;
}

static bool far(int64_t d)
{
	return d > CLOCK_OFF_NS || d < -CLOCK_OFF_NS;
}

/* The clock on the wall against the time since boot: somebody set it. */
static void clock_set(struct crosscheck *c, struct guest *g, int64_t offset_ns, int64_t now_ns)
{
	int64_t off = minus(offset_ns, g->life.offset_ns);

	if (g->life.clock_known && !far(off))
		return;
	g->life.offset_ns = offset_ns;
	if (g->life.clock_known)
		say_clock(c, g, off, "the guest's clock was set", now_ns);
}

/* Its time since boot against ours: it goes too slowly, too fast, or not at all. A beat may come late but not
 * early, so of several the earliest counts. */
static void clock_pace(struct crosscheck *c, struct guest *g, int64_t boot_ns, int64_t now_ns)
{
	struct life *l = &g->life;
	int64_t d = minus(boot_ns, now_ns), off;

	if (!l->clock_known) {
		l->boot_base_ns = l->boot_best_ns = d;
		l->beats = 0;
		l->clock_known = true;
		return;
	}
	if (!l->beats || d > l->boot_best_ns)
		l->boot_best_ns = d;
	if (++l->beats < BEATS)
		return;
	l->beats = 0;
	off = minus(l->boot_best_ns, l->boot_base_ns);
	if (!far(off))
		return;
	l->boot_base_ns = l->boot_best_ns;
	say_clock(c, g, off, "the guest's time does not go as ours", now_ns);
}

static void beat(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		 int64_t now_ns)
{
	const struct sensor_beat *b = &r->u.beat;
	int64_t boot_ns = r->boot_ns > INT64_MAX ? INT64_MAX : (int64_t)r->boot_ns;

	hooks_now(c, g, ~b->hooks, now_ns);
	g->life.hooks |= b->hooks;
	clock_set(c, g, minus(b->wall_ns, boot_ns), now_ns);
	clock_pace(c, g, boot_ns, now_ns);
}

/* The guest booted anew, as the monitor says. A boot that nobody had asked for is told: a crash, or a lie by which
 * what was found would be forgotten; what waits is told before it is. */
static void boot(struct crosscheck *c, struct guest *g, int64_t now_ns)
{
	struct finding f = finding_of(RULE_RESTARTED, "monitor", "restarted");
	bool asked = !g->life.began || now_ns < g->shutdown_until_ns;
	uint64_t damage = g->life.damage;

	for (unsigned i = 0; i < HELD && !asked; i++) {
		if (g->held[i].used)
			tell_finding(c, g, &g->held[i].f, now_ns);
	}
	guest_anew(g);
	g->life.damage = damage;
	if (asked)
		return;
	f.priority = 1;
	finding_say(&f, "the guest says that it booted anew, and nobody had asked it to");
	tell_finding(c, g, &f, now_ns);
}

/* Another boot of the guest is none of an intruder's tricks. But a monitor that says so long after the boot
 * was begun by somebody else. */
static void hello(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		  int64_t now_ns)
{
	const struct sensor_hello *h = &r->u.hello;
	struct life *l = &g->life;
	struct finding f = finding_of(RULE_RESTARTED, "monitor", "restarted");
	bool known = l->had_hello && !memcmp(l->boot_id, h->boot_id, sizeof(l->boot_id));
	bool late = h->first && l->began && r->boot_ns > BOOT_LATEST_NS;

	if (h->first && !known && !late) {
		boot(c, g, now_ns);
	} else {
		finding_say(&f, "the monitor was started again while the guest ran");
		tell_finding(c, g, &f, now_ns);
	}
	l->had_hello = true;
	l->clock_known = false;
	l->hooks = h->hooks;
	memcpy(l->boot_id, h->boot_id, sizeof(l->boot_id));
}

static void lost(struct crosscheck *c, struct guest *g, const struct sensor_lost *lost,
		 int64_t now_ns)
{
	struct finding f = finding_of(RULE_LOST, "monitor", "gap");
	struct writer w = writer_of(f.detail, sizeof(f.detail));

	f.count = 0;
	f.priority = 1;
	for (unsigned i = 1; i < SENSOR_TYPES; i++) {
		uint64_t n = lost->by_type[i];

		f.count = count_add(f.count, n);
		if (n)
			write_fmt(&w, "%s%llu %s", w.len ? ", " : "", (unsigned long long)n,
				  sensor_type_text(i));
	}
	if (lost->bytes)
		write_fmt(&w, "%s%llu bytes", w.len ? ", " : "", (unsigned long long)lost->bytes);
	if (!w.len)
		return;
	g->life.blind_until_ns = now_ns + BLIND_NS;
	finding_say(&f, "more happened than the monitor could tell");
	tell_finding(c, g, &f, now_ns);
}

void life_record(struct crosscheck *c, struct guest *g, const struct sensor_record *r,
		 int64_t now_ns)
{
	struct finding back = finding_of(RULE_BACK, "monitor", "back");

	if (r->type == SENSOR_HELLO)
		hello(c, g, r, now_ns);
	if (!g->life.began) {
		g->life.began = true;
		g->life.listen_ns = now_ns;
	}
	g->life.last_ns = now_ns;
	if (r->type == SENSOR_BEAT)
		beat(c, g, r, now_ns);
	else if (r->type == SENSOR_LOST)
		lost(c, g, &r->u.lost, now_ns);
	else if (r->type == SENSOR_STATE && r->u.state.what == SENSOR_UNHOOKED)
		hooks_now(c, g, (uint64_t)r->u.state.value, now_ns);
	(void)tell_cancel(g, RULE_MISSING);
	if (!g->life.missing)
		return;
	g->life.missing = false;
	back.priority = 1;
	finding_say(&back, "the monitor tells again");
	tell_finding(c, g, &back, now_ns);
}

void life_tick(struct crosscheck *c, struct guest *g, int64_t now_ns)
{
	struct life *l = &g->life;
	struct finding f = finding_of(RULE_MISSING, "monitor", "missing");

	if (!g->sensor || l->missing || now_ns < g->shutdown_until_ns)
		return;
	if (l->began ? now_ns - l->last_ns < BEAT_LATE_NS : now_ns - g->runs_ns < HELLO_LATE_NS)
		return;
	l->missing = true;
	if (l->began)
		finding_say(&f, "the monitor has said nothing for %lld s",
			    (long long)((now_ns - l->last_ns) / NS_PER_SEC));
	else
		finding_say(&f, "the monitor has said nothing since the guest was started");
	tell_finding(c, g, &f, now_ns);
}
