/* SPDX-License-Identifier: BSD-2-Clause */
/* skep init: what was found and what is planned, for people. */
#include "cmd/init/init.h"

#include <stdio.h>
#include <string.h>

#define LINES_MOST 20 /* of a list; the rest is counted */

static void print_foreign(const char *text)
{
	char shown[4 * SITE_NAME];
	struct writer w = writer_of(shown, sizeof(shown));
	write_escaped(&w, text, strlen(text));
	fputs(shown, stdout);
}

static void show_addresses(const struct init_site *i, const struct site_link *l)
{
	char text[ADDR_TEXT];
	for (uint32_t n = 0; n < i->s.n_addresses; n++) {
		const struct site_address *a = &i->s.addresses[n];
		if (a->link == l->index && !a->link_local)
			printf(", %s/%u%s", addr_text(&a->prefix.addr, text), a->prefix.len,
			       a->dynamic ? " (may change)" : "");
	}
}

static void show_uplink(const struct init_site *i)
{
	const struct init_plan uplink = {.place = PLACE_SHARED};
	const struct site_link *l = init_link(i, &uplink);
	char text[ADDR_TEXT];
	if (l == NULL) {
		printf("  network   no default route\n");
		return;
	}
	printf("  network   %s%s", l->name, l->up ? "" : " (down)");
	show_addresses(i, l);
	if (i->s.gateway.ver != 0)
		printf(", router %s", addr_text(&i->s.gateway, text));
	if (i->s.gateway6.ver != 0)
		printf("%s%s", i->s.gateway.ver != 0 ? " and " : ", router ",
		       addr_text(&i->s.gateway6, text));
	printf("\n");
}

static void show_firewalls(const struct init_site *i)
{
	const char *before = "  firewall  ";
	for (size_t n = 0; n < i->n_findings; n++) {
		const struct site_finding *x = &i->findings[n];
		if (x->kind != SITE_FIREWALL)
			continue;
		printf("%s%s", before, x->name);
		before = ", ";
		if (strncmp(x->name, "table", 5) == 0)
			printf(" %s", x->what);
	}
	if (before[0] == ',')
		printf(": stays as it is, and need not be opened\n");
}

static void show_provider(const struct init_site *i)
{
	const struct site_provider *p = &i->provider;
	const char *alone = p->lone && p->lone6 ? "/32, /128" : p->lone ? "/32" : "/128";
	if (p->vendor[0] == '\0' && !p->metadata && !p->lone && !p->lone6)
		return;
	printf("  provider  %s", p->vendor[0] != '\0' ? p->vendor : "not known");
	if (p->lone || p->lone6)
		printf("; an address alone in its network (%s): fine", alone);
	if (p->metadata)
		printf("; 169.254.169.254 is off limits to guests");
	if (p->filters_macs)
		printf("; likely no frames for other link addresses (bridge)");
	printf("\n");
}

void init_show_site(const struct init_site *i)
{
	char text[ADDR_TEXT];
	printf("This host\n");
	show_uplink(i);
	const struct site_link *card = init_card(i);
	if (card != NULL)
		printf("  card      %s is not used\n", card->name);
	if (i->has_session)
		printf("  you       by ssh from %s, port %u here\n",
		       addr_text(&i->session.remote, text), i->session.local_port);
	else
		printf("  you       not by ssh\n");
	show_firewalls(i);
	show_provider(i);
	for (size_t n = 0; n < i->n_findings; n++)
		if (i->findings[n].in_way)
			printf("  in the way: %s, see `skep doctor`\n", i->findings[n].name);
}

/* ---- the plan -------------------------------------------------------------------------------- */

/* Programs behind a kept port, each once. */
static void show_programs(const struct init_site *i, const char *keep)
{
	uint8_t proto;
	uint16_t port;
	const char *last = "", *before = "  ";
	if (conf_keep_parse(keep, &proto, &port) != 0)
		return;
	for (uint32_t n = 0; n < i->s.n_sockets; n++) {
		const struct site_socket *x = &i->s.sockets[n];
		if (x->proto != proto || x->port != port || site_is_local(x) ||
		    strcmp(x->name, last) == 0)
			continue;
		printf("%s", before);
		print_foreign(x->name);
		last = x->name;
		before = ", ";
	}
	if (i->has_session && proto == 6 && port == i->session.local_port)
		printf("  (your session)");
}

static void show_kept(const struct init_site *i, const struct init_plan *p)
{
	printf("\nStays this host's\n");
	for (uint32_t n = 0; n < p->n_keep && n < LINES_MOST; n++) {
		printf("  %-10s", p->keep[n]);
		show_programs(i, p->keep[n]);
		printf("\n");
	}
	if (p->n_keep > LINES_MOST)
		printf("  and %u more ports\n", p->n_keep - LINES_MOST);
	printf("  and what listens when the honeynet starts, every ssh session, what this host "
	       "begins,\n"
	       "  neighbour discovery, DHCP\n");
}

static void show_honeypots(const struct init_plan *p, const char *where)
{
	uint32_t n = p->n4 > p->n6 ? p->n4 : p->n6;
	char text[ADDR_TEXT];
	for (uint32_t g = 0; g < n; g++) {
		printf("  web%-7u", g + 1);
		if (g < p->n4)
			printf("%s", addr_text(&p->four[g].addr, text));
		if (g < p->n6)
			printf("%s%s", g < p->n4 ? ", " : "", addr_text(&p->six[g].addr, text));
		printf("%s\n", where);
	}
}

static void show_touched(const struct init_plan *p, const char *link)
{
	printf("\nTouched while it runs, and taken back by `skep down`, or by itself if skep dies\n"
	       "  %s: two programs of traffic control%s; one more link, skepN\n",
	       link, p->place == PLACE_BRIDGE ? ", promiscuous, up" : "");
	printf("Never touched\n"
	       "  addresses, routes, firewalls, settings and services of this host\n");
}

void init_show_plan(const struct init_site *i, const struct init_plan *p, const char *file)
{
	const struct site_link *l = init_link(i, p);
	const char *link = l != NULL ? l->name : "";
	printf("\nThe honeynet\n");
	if (p->place == PLACE_LAB) {
		printf("  web1      203.0.113.10, in a small Internet of its own; nothing real is "
		       "touched\n"
		       "  loghost   takes its logs\n");
	} else if (p->place == PLACE_SHARED) {
		printf("  web1      the addresses of %s; all ports but those below\n"
		       "  loghost   takes its logs; ssh by port 24\n",
		       link);
		show_kept(i, p);
	} else if (p->place == PLACE_ALIAS) {
		show_honeypots(p, "");
		printf("  loghost   takes their logs%s\n", p->n4 > 0 ? "; ssh by port 24" : "");
		printf("\nStays this host's\n  all of its own addresses\n");
	} else {
		show_honeypots(p, ", as it is, not translated");
		printf("  and all else that comes by %s: it is the honeynet's alone\n", link);
	}
	if (p->place != PLACE_LAB)
		show_touched(p, link);
	if (p->note[0] != '\0')
		printf("\nMind: %s.\n", p->note);
	printf("\nTo be written: %s\n", file);
}

void init_show_next(const struct init_plan *p, const char *file, bool is_default)
{
	const char *c = is_default ? "" : " -c ", *name = is_default ? "" : file;
	printf("\nNext\n  sudo skep doctor%s%s\n  sudo skep up%s%s\n", c, name, c, name);
	if (p->mail[0] != '\0' || p->webhook[0] != '\0')
		printf("  sudo skep alerts test%s%s\n", c, name);
	if (p->place != PLACE_LAB)
		printf("  then, within two minutes and from a NEW connection (another ssh login):\n"
		       "  sudo skep up%s%s --confirm\n"
		       "Without it all is taken back by itself. `sudo skep down%s%s` does so at "
		       "any time.\n",
		       c, name, c, name);
}
