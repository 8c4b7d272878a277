/* SPDX-License-Identifier: BSD-2-Clause */
/* The status screen: 80 columns, most important first; colour only says again what words say. */
#include "cmd/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIDTH 80
#define LABEL 10
#define BAR 8
#define TOP_REASONS 5
#define SILENT_S 10 /* a monitor has a beat every two seconds */

enum paint { PLAIN, BOLD, DIM, GOOD, BAD, WARN };

struct screen {
	bool colour;
};

static void put(const struct screen *s, enum paint p, const char *text)
{
	static const char *const codes[] = {"",         "\x1b[1m",  "\x1b[2m",
					    "\x1b[32m", "\x1b[31m", "\x1b[33m"};
	if (s->colour && p != PLAIN)
		printf("%s%s\x1b[0m", codes[p], text);
	else
		printf("%s", text);
}

static void label(const struct screen *s, const char *text)
{
	char buf[LABEL + 1];
	snprintf(buf, sizeof(buf), "%-*s", LABEL, text);
	put(s, BOLD, buf);
}

static const char *str(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));
	return v != NULL ? v : "";
}

static json_int_t num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *bytes(json_int_t n, char *buf, size_t size)
{
	struct writer w = writer_of(buf, size);
	text_bytes(&w, n > 0 ? (uint64_t)n : 0);
	return buf;
}

static void print_list(const json_t *list, const char *before)
{
	size_t i;
	json_t *a;
	json_array_foreach(list, i, a) printf("%s%s", i == 0 ? before : " ", json_string_value(a));
}

static enum paint state_paint(const char *state)
{
	if (strcmp(state, "running") == 0 || strcmp(state, "port") == 0)
		return GOOD;
	return strcmp(state, "starting") == 0 || strcmp(state, "paused") == 0 ? WARN : BAD;
}

static void print_head(const struct screen *s, const json_t *all)
{
	char buf[128];
	struct writer w = writer_of(buf, sizeof(buf));
	write_fmt(&w, " (%s), up ", str(all, "mode"));
	text_duration(&w, clock_wall_ns() - num(all, "since"));
	put(s, BOLD, "honeynet ");
	put(s, BOLD, str(all, "name"));
	printf("%s\n\n", buf);
}

static void print_guests(const struct screen *s, const json_t *all)
{
	size_t i;
	json_t *g;
	char buf[32];
	label(s, "guests");
	put(s, DIM,
	    "           state     accel  inside          public          memory restarts\n");
	json_array_foreach(json_object_get(all, "guests"), i, g)
	{
		const char *public = str(g, "public"), *accel = str(g, "accel");
		char state[16];
		printf("  %-18.18s ", str(g, "name"));
		snprintf(state, sizeof(state), "%-9.9s", str(g, "state"));
		put(s, state_paint(str(g, "state")), state);
		printf(" %-6s %-15s %-15s %6s %4lld\n", *accel ? accel : "-", str(g, "inside"),
		       *public ? public : "-",
		       num(g, "pss") > 0 ? bytes(num(g, "pss"), buf, sizeof(buf)) : "-",
		       (long long)num(g, "restarts"));
	}
	if (!json_is_true(json_object_get(all, "kvm")) && *str(all, "accel_why") != '\0')
		printf("  %-.*s: %.*s\n", 10, "no KVM", WIDTH - 12, str(all, "accel_why"));
}

/* One layer of a guest: when it last told something. */
static void print_layer(const struct screen *s, const char *name, const json_t *seconds, bool beats,
			bool *first)
{
	char buf[64];
	if (!json_is_number(seconds))
		return;
	double ago = json_number_value(seconds);
	struct writer w = writer_of(buf, sizeof(buf));
	write_fmt(&w, "%s ", name);
	if (ago < 0)
		write_str(&w, "not yet");
	else if (ago < 10)
		write_fmt(&w, "%.0f s ago", ago);
	else
		text_duration(&w, (int64_t)ago * NS_PER_SEC);
	if (ago >= 10)
		write_str(&w, " ago");
	printf("%s", *first ? "" : ", ");
	put(s, beats && ago >= SILENT_S ? BAD : PLAIN, buf);
	*first = false;
}

static void print_heard(const struct screen *s, const json_t *all)
{
	const json_t *how = json_object_get(all, "sessions");
	size_t i;
	json_t *g;
	bool any = false;
	json_array_foreach(json_object_get(all, "guests"), i, g)
	{
		const json_t *h = json_object_get(g, "heard");
		bool first = true;
		if (!json_is_object(h))
			continue;
		if (!any) {
			printf("\n");
			label(s, "heard by");
			printf("\n");
		}
		any = true;
		printf("  %-18.18s ", str(g, "name"));
		print_layer(s, "shell", json_object_get(h, "shell"), false, &first);
		print_layer(s, "monitor", json_object_get(h, "monitor"), true, &first);
		print_layer(s, "syslog", json_object_get(h, "syslog"), false, &first);
		printf("%s\n", first ? "the wire alone" : "");
	}
	if (json_is_true(json_object_get(how, "tls")))
		printf("  syslog is encrypted on its way to the loghost: no copy of it is kept "
		       "here\n");
	if (!json_is_true(json_object_get(how, "on")))
		printf("  what happens inside guests is not kept (sessions.enabled)\n");
}

static void print_roles(const struct screen *s, const json_t *all)
{
	size_t i;
	json_t *r;
	json_int_t total = 0;
	char buf[32];
	printf("\n");
	label(s, "roles");
	json_array_foreach(json_object_get(all, "roles"), i, r)
	{
		char state[16];
		total += num(r, "pss");
		if (i % 2 == 0)
			printf("%s", i == 0 ? "\n  " : "  ");
		printf("%-16.16s %7lld ", str(r, "name"), (long long)num(r, "pid"));
		if (num(r, "restarts") > 0)
			snprintf(state, sizeof(state), "%.8s(%lld)", str(r, "state"),
				 (long long)num(r, "restarts"));
		else
			snprintf(state, sizeof(state), "%.8s", str(r, "state"));
		put(s, state_paint(str(r, "state")), state);
		printf("%*s", i % 2 == 0 ? (int)(14 - strlen(state)) : 1, i % 2 == 0 ? "" : "\n");
	}
	if (i % 2 == 1)
		printf("\n");
	printf("  memory of all roles: %s\n", bytes(total, buf, sizeof(buf)));
}

static void print_traffic(const struct screen *s, const json_t *wall)
{
	printf("\n");
	label(s, "traffic");
	printf(" %lld in, %lld out, %lld lateral conversations; ", (long long)num(wall, "inbound"),
	       (long long)num(wall, "outbound"), (long long)num(wall, "lateral"));
	char buf[64];
	snprintf(buf, sizeof(buf), "%lld limited", (long long)num(wall, "limited"));
	put(s, num(wall, "limited") > 0 ? WARN : PLAIN, buf);
	printf("\n           %lld frames, %lld forwarded; %lld of %lld flows open\n",
	       (long long)num(wall, "frames"), (long long)num(wall, "forwarded"),
	       (long long)num(wall, "flows_active"), (long long)num(wall, "flows_capacity"));
	if (num(wall, "kernel_drops") + num(wall, "events_lost") > 0) {
		snprintf(buf, sizeof(buf), "%lld frames and %lld events lost under load",
			 (long long)num(wall, "kernel_drops"), (long long)num(wall, "events_lost"));
		printf("           ");
		put(s, BAD, buf);
		printf("\n");
	}
}

static void print_rules(const struct screen *s, const json_t *wall)
{
	const json_t *r = json_object_get(wall, "rules");
	char buf[96];
	label(s, "rules");
	if (num(r, "memory_limit") == 0) { /* a wall that looks has memory to look with */
		put(s, WARN, " off");
		printf("\n");
		return;
	}
	printf(" %lld in force; %lld alerts; frames: %lld stopped, %lld changed\n",
	       (long long)num(r, "in_force"), (long long)num(r, "alerts"),
	       (long long)(num(r, "dropped") + num(r, "rejected")), (long long)num(r, "rewritten"));
	if (num(r, "memory_refused") + num(r, "late") == 0)
		return;
	snprintf(buf, sizeof(buf), "%lld times memory was short, %lld replacements came too late",
		 (long long)num(r, "memory_refused"), (long long)num(r, "late"));
	printf("           ");
	put(s, BAD, buf);
	printf("\n");
}

/* Who is told, and whether that works. */
static void print_alerts(const struct screen *s, const json_t *all)
{
	const json_t *a = json_object_get(all, "alerts");
	char buf[160];
	label(s, "alerts");
	if (!json_is_true(json_object_get(a, "on"))) {
		put(s, WARN, " off");
		printf("\n");
		return;
	}
	print_list(json_object_get(a, "destinations"), " to ");
	printf("; %lld sent, %lld waiting\n", (long long)num(a, "sent"),
	       (long long)num(a, "waiting"));
	if (num(a, "failing") + num(a, "failed") == 0 &&
	    !json_is_true(json_object_get(a, "unreadable")))
		return;
	if (json_is_true(json_object_get(a, "unreadable")))
		snprintf(buf, sizeof(buf), "the outbox can't be read");
	else
		snprintf(
			buf, sizeof(buf), "%lld can't be delivered%s%s, %lld given up: skep alerts",
			(long long)num(a, "failing"), str(a, "failing_to")[0] != '\0' ? " to " : "",
			str(a, "failing_to"), (long long)num(a, "failed"));
	printf("           ");
	put(s, BAD, buf);
	printf("\n");
}

static void print_reasons(const struct screen *s, const json_t *wall)
{
	const char *key, *top[TOP_REASONS] = {0};
	json_int_t most[TOP_REASONS] = {0};
	json_t *v;
	json_object_foreach(json_object_get(wall, "reasons"), key, v)
	{
		json_int_t n = json_integer_value(v);
		if (strcmp(key, "none") == 0 || strcmp(key, "replied") == 0)
			continue;
		for (size_t k = 0; k < TOP_REASONS; k++) {
			if (n <= most[k])
				continue;
			memmove(&most[k + 1], &most[k], (TOP_REASONS - 1 - k) * sizeof(most[0]));
			memmove(&top[k + 1], &top[k], (TOP_REASONS - 1 - k) * sizeof(top[0]));
			most[k] = n;
			top[k] = key;
			break;
		}
	}
	label(s, "dropped");
	if (top[0] == NULL)
		printf(" nothing");
	for (size_t k = 0; k < TOP_REASONS && top[k] != NULL; k++)
		printf("%s%s %lld", k == 0 ? " " : ", ", top[k], (long long)most[k]);
	printf("\n");
}

/* The length of the window that `max` is of, in words. */
static const char *window_of(const struct conf_limit *l, json_int_t max, char *buf, size_t size)
{
	struct writer w = writer_of(buf, size);
	for (uint32_t i = 0; i < l->n && i < CONF_WINDOWS; i++) {
		if ((json_int_t)l->w[i].max != max)
			continue;
		if (l->w[i].window_ns == 3600 * NS_PER_SEC)
			return "this hour";
		write_str(&w, "in ");
		text_duration(&w, l->w[i].window_ns);
		return buf;
	}
	return "";
}

static void print_bar(const struct screen *s, const char *name, const json_t *limit,
		      const struct conf_limit *conf)
{
	json_int_t used = num(limit, "used"), max = num(limit, "max");
	char bar[BAR + 3] = "[", win[64];
	if (max <= 0)
		return;
	for (int i = 0; i < BAR; i++)
		bar[1 + i] = used * BAR > i * max ? '#' : '.';
	bar[BAR + 1] = ']';
	printf("%s ", name);
	put(s, used >= max ? BAD : used * 4 >= max * 3 ? WARN : GOOD, bar);
	printf(" %lld/%lld %s", (long long)used, (long long)max,
	       window_of(conf, max, win, sizeof(win)));
}

static bool all_zero(const json_t *limits)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)limits, key, v)
	{
		if (num(v, "max") > 0)
			return false;
	}
	return true;
}

static void print_limits(const struct screen *s, const struct conf *c, const json_t *wall)
{
	static const char *const names[] = {"tcp", "udp", "icmp", "other"};
	const struct conf_limit *conf[] = {&c->wall.limits.tcp, &c->wall.limits.udp,
					   &c->wall.limits.icmp, &c->wall.limits.other};
	size_t i;
	json_t *p;
	json_array_foreach(json_object_get(wall, "ports"), i, p)
	{
		json_t *limits = json_object_get(p, "limits");
		if (i == 0)
			continue;
		label(s, i == 1 ? "limits" : "");
		printf(" %-10.10s ", str(p, "name"));
		if (all_zero(limits)) {
			printf("may begin nothing\n");
			continue;
		}
		for (size_t k = 0; k < 4; k++) {
			if (k == 2)
				printf("\n%*s", LABEL + 12, "");
			if (k % 2 == 1)
				printf("   ");
			print_bar(s, names[k], json_object_get(limits, names[k]), conf[k]);
		}
		printf("\n");
	}
}

static void print_disk(const struct screen *s, const json_t *all)
{
	const json_t *cap = json_object_get(all, "captures"), *ev = json_object_get(all, "events");
	char a[32], b[32], lost[64];
	label(s, "captures");
	printf(" %lld files, %s of %s, ", (long long)num(cap, "files"),
	       bytes(num(cap, "bytes"), a, sizeof(a)), bytes(num(cap, "budget"), b, sizeof(b)));
	snprintf(lost, sizeof(lost), "%lld frames lost", (long long)num(cap, "lost"));
	put(s, num(cap, "lost") > 0 ? BAD : PLAIN, num(cap, "lost") > 0 ? lost : "nothing lost");
	printf("\n");
	label(s, "events");
	printf(" %lld stored, %s of %s\n", (long long)num(ev, "stored"),
	       bytes(num(ev, "bytes"), a, sizeof(a)), bytes(num(ev, "budget"), b, sizeof(b)));
}

static void print_forwards(const struct screen *s, const json_t *all)
{
	size_t i;
	json_t *f;
	json_array_foreach(json_object_get(all, "forwards"), i, f)
	{
		const char *to = str(f, "public");
		bool six = strchr(to, ':') != NULL;
		if (to[0] == '\0')
			to = "the host's address,";
		label(s, i == 0 ? "forwards" : "");
		printf(" %s%s%s port %lld/%s leads to %s port %lld\n", six ? "[" : "", to,
		       six ? "]" : "", (long long)num(f, "port"), str(f, "proto"), str(f, "guest"),
		       (long long)num(f, "guest_port"));
	}
}

static void print_last(const struct screen *s, const json_t *all)
{
	size_t n = json_array_size(json_object_get(all, "last"));
	printf("\n");
	label(s, "last");
	if (n == 0)
		printf(" nothing notable yet");
	printf("\n");
	while (n-- > 0) { /* newest at the bottom, as in a log */
		const json_t *e = json_array_get(json_object_get(all, "last"), n);
		const char *when = str(e, "timestamp");
		char text[512];
		struct writer w = writer_of(text, sizeof(text));
		write_escaped(&w, str(e, "text"), strlen(str(e, "text")));
		printf("  %.8s  ", strlen(when) > 19 ? when + 11 : when);
		if (strlen(text) > WIDTH - 12)
			memcpy(text + WIDTH - 14, "..", 3);
		put(s, num(e, "priority") >= 2 ? WARN : PLAIN, text);
		printf("\n");
	}
	printf("\n");
	put(s, DIM, "more: skep events -f, skep pcap, skep guest creds, skep status --json\n");
}

/* Only what is out of the ordinary. */
static void print_orders(const struct screen *s, const json_t *orders)
{
	const char *lockdown = str(orders, "lockdown");
	size_t i;
	json_t *o;
	if (lockdown[0] != '\0' && strcmp(lockdown, "off") != 0) {
		label(s, "lockdown");
		put(s, BAD,
		    strcmp(lockdown, "all") == 0 ? "nothing crosses the wall"
						 : "nothing that guests begin goes out");
		printf("  (skep lockdown off)\n");
	}
	json_array_foreach(json_object_get(orders, "fences"), i, o)
	{
		label(s, i == 0 ? "fence" : "");
		printf("%s%s\n", str(o, "prefix"), num(o, "until") > 0 ? "  for a time" : "");
	}
	json_array_foreach(json_object_get(orders, "overrides"), i, o)
	{
		label(s, i == 0 ? "override" : "");
		printf("%s: %s%s\n", str(o, "guest"), str(o, "verdict"),
		       num(o, "until") > 0 ? "  for a time" : "");
	}
}

/* The real wire: what is taken of it, and how long that stays without anybody's word. */
static void print_uplink(const struct screen *s, const json_t *all)
{
	const json_t *u = json_object_get(all, "uplink"), *k = json_object_get(all, "confirm");
	const json_t *f = json_object_get(u, "frames");
	if (!json_is_object(u))
		return;
	label(s, "uplink");
	printf("%s", str(u, "link"));
	print_list(json_object_get(u, "alias"), ", all to ");
	print_list(json_object_get(u, "shared"), ", shared: ");
	printf("\n");
	if (!json_is_true(json_object_get(u, "up")))
		put(s, BAD, "  the link is down\n");
	if (!json_is_true(json_object_get(u, "steered")))
		put(s, BAD, "  nothing is steered: our programs are gone from the link\n");
	if (json_array_size(json_object_get(u, "shared")) > 0)
		printf("  kept for the host: %s\n", str(u, "kept"));
	printf("  in: %lld to the wall, %lld to the host  out: %lld of the wall, %lld fenced\n",
	       (long long)num(f, "in_wall"), (long long)num(f, "in_host"),
	       (long long)num(f, "out_wall"), (long long)num(f, "out_fenced"));
	if (json_is_true(json_object_get(k, "confirmed")))
		return;
	put(s, WARN, "  NOT CONFIRMED");
	printf(": taken back in %lld s, unless a new connection says\n"
	       "  sudo skep up --confirm\n",
	       (long long)num(k, "seconds_left"));
}

void status_print(const struct conf *c, const json_t *all, bool colour)
{
	const struct screen s = {colour};
	const json_t *wall = json_object_get(all, "wall");
	print_head(&s, all);
	print_uplink(&s, all);
	print_guests(&s, all);
	print_heard(&s, all);
	print_roles(&s, all);
	print_traffic(&s, wall);
	print_rules(&s, wall);
	print_alerts(&s, all);
	print_reasons(&s, wall);
	print_orders(&s, json_object_get(all, "orders"));
	print_limits(&s, c, wall);
	print_disk(&s, all);
	print_forwards(&s, all);
	print_last(&s, all);
}
