/* SPDX-License-Identifier: BSD-2-Clause */
/* skep init: the plan as a configuration. Only what differs from the defaults, with a word why. */
#include "cmd/init/init.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOGHOST_PORT 24
#define FIRST 10 /* last byte of the first honeypot's inside address */
#define LOGHOST 20

static struct addr host_of(const struct prefix *net, uint8_t n)
{
	struct addr a = net->addr;
	a.b[a.ver == 4 ? 3 : 15] = n;
	return a;
}

static void write_addr(struct writer *w, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT];
	const char *quote = a->ver == 6 ? "\"" : "";
	write_fmt(w, "%s%s%s%s\n", key, quote, addr_text(a, text), quote);
}

static void write_uplink(struct writer *w, const struct init_site *i, const struct init_plan *p)
{
	const struct site_link *l = init_link(i, p);
	bool is_default = p->place != PLACE_BRIDGE && l != NULL && l->index == i->s.uplink;
	write_fmt(w, "\nuplink:\n  interface: %s%s%s\n",
		  is_default  ? "auto"
		  : l != NULL ? l->name
			      : "",
		  is_default ? "   # now " : "", is_default ? l->name : "");
	if (p->n_keep == 0)
		return;
	write_str(w, "  # Stays the host's, like all that listens when the honeynet starts. "
		     "Written down, it does so\n"
		     "  # also when the honeynet starts first.\n  keep:\n");
	for (uint32_t n = 0; n < p->n_keep; n++)
		write_fmt(w, "    - %s\n", p->keep[n]);
}

static bool is_public(const struct addr *a)
{
	return a->ver == 4 && a->b[0] != 10 && a->b[0] != 127 &&
	       !(a->b[0] == 172 && (a->b[1] & 0xf0) == 16) && !(a->b[0] == 192 && a->b[1] == 168) &&
	       !(a->b[0] == 169 && a->b[1] == 254) && !(a->b[0] == 100 && (a->b[1] & 0xc0) == 64);
}

static void write_network(struct writer *w, const struct init_site *i, const struct init_plan *p)
{
	char text[PREFIX_TEXT];
	bool bridge = p->place == PLACE_BRIDGE;
	struct addr gateway = bridge ? p->gateway : host_of(&p->inside, 1);
	bool theirs = is_public(&i->nameserver) && !prefix_has(&p->inside, &i->nameserver);
	struct addr resolver = theirs ? i->nameserver : addr_from_v4((const uint8_t[]){9, 9, 9, 9});
	write_fmt(w, "\nnetwork:%s\n",
		  bridge ? "   # that of the card, as it is" : "   # as guests see it");
	if (p->inside.addr.ver != 0) {
		write_fmt(w, "  inside: %s\n", prefix_text(&p->inside, text));
		write_addr(w, "  gateway: ", &gateway);
	}
	if (p->inside6.addr.ver != 0)
		write_fmt(w, "  inside6: \"%s\"\n", prefix_text(&p->inside6, text));
	if (bridge && p->gateway6.ver != 0)
		write_addr(w, "  gateway6: ", &p->gateway6);
	write_addr(w, "  resolver: ", &resolver);
}

static void write_sink(struct writer *w, const struct init_site *i)
{
	const struct addr *a = &i->nameserver;
	bool loopback = a->ver == 4 ? a->b[0] == 127 : load_be32(a->b) == 0;
	/* One that can't be reached at all would keep the honeynet from starting. */
	if (a->ver == 0 || (!loopback && (a->ver == 4 ? i->s.uplink : i->s.uplink6) == 0))
		return;
	write_str(w, "\nsink:\n  dns:\n    # This host's own name server, asked for what guests "
		     "ask. `none`: answers are made up.\n");
	write_addr(w, "    upstream: ", a);
}

static void write_honeypot(struct writer *w, const struct init_plan *p, uint32_t n)
{
	struct addr inside = host_of(&p->inside, (uint8_t)(FIRST + n));
	bool bridge = p->place == PLACE_BRIDGE;
	write_fmt(w, "  - name: web%u\n", n + 1);
	if (p->place == PLACE_SHARED) {
		struct addr inside6 = host_of(&p->inside6, FIRST);
		write_str(w, "    shared: true   # it has the host's own addresses\n");
		write_addr(w, "    inside: ", &inside);
		write_addr(w, "    inside6: ", &inside6);
		return;
	}
	if (!bridge)
		write_addr(w, "    inside: ", &inside);
	if (n < p->n4)
		write_addr(w, bridge ? "    inside: " : "    public: ", &p->four[n].addr);
	if (n < p->n6)
		write_addr(w, "    inside6: ", &p->six[n].addr);
	if (n < p->n6 && !bridge)
		write_addr(w, "    public6: ", &p->six[n].addr);
}

static void write_guests(struct writer *w, const struct init_plan *p)
{
	uint32_t n = p->n4 > p->n6 ? p->n4 : p->n6;
	struct addr inside = host_of(&p->inside, LOGHOST);
	write_str(w, "\nguests:\n");
	if (p->place == PLACE_SHARED)
		n = 1;
	for (uint32_t g = 0; g < n; g++)
		write_honeypot(w, p, g);
	if (p->place == PLACE_BRIDGE)
		return;
	write_str(w, "  - name: loghost\n    kind: loghost\n");
	write_addr(w, "    inside: ", &inside);
	if (p->place == PLACE_SHARED) {
		struct addr inside6 = host_of(&p->inside6, LOGHOST);
		write_addr(w, "    inside6: ", &inside6);
	}
}

static bool listens(const struct init_site *i, uint16_t port)
{
	for (uint32_t n = 0; n < i->s.n_sockets; n++)
		if (i->s.sockets[n].proto == 6 && i->s.sockets[n].port == port &&
		    !site_is_local(&i->s.sockets[n]))
			return true;
	return false;
}

/* The loghost's ssh, for where the operator is now, if that is known. */
static void write_forwards(struct writer *w, const struct init_site *i, const struct init_plan *p)
{
	char text[ADDR_TEXT];
	const struct addr *from = &i->session.remote;
	bool shared = p->place == PLACE_SHARED;
	if ((shared && listens(i, LOGHOST_PORT)) || (!shared && p->n4 == 0)) {
		write_str(w, "\nforwards: []\n");
		return;
	}
	write_fmt(w,
		  "\nforwards:   # the loghost's ssh (by key)\n  - port: %u\n    guest: loghost\n",
		  LOGHOST_PORT);
	if (!shared)
		write_addr(w, "    public: ", &p->four[0].addr);
	if (i->has_session && from->ver == 4)
		write_fmt(w, "    sources: [%s/32]   # where you are now\n", addr_text(from, text));
	else if (i->has_session && shared)
		write_fmt(w, "    sources: [\"%s/128\"]   # where you are now\n",
			  addr_text(from, text));
}

static void write_mail(struct writer *w, const char *to)
{
	char host[64] = "", from[CONF_MAIL];
	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	snprintf(from, sizeof(from), "skep@%s", host);
	write_str(w, "  - name: mail\n    kind: smtp\n"
		     "    # This machine's own mail server. Elsewhere: smtp://HOST:587, with "
		     "`user` and a "
		     "file `secret`,\n    # and without `insecure`. `skep alerts test` tries it.\n"
		     "    url: smtp://localhost:25\n    insecure: true   # no TLS within this "
		     "machine\n");
	write_fmt(w, "    to: [\"%s\"]\n    from: \"%s\"\n", to,
		  conf_is_mail(from) ? from : "skep@localhost");
}

/* By whose it is. */
static const char *webhook_kind(const char *url)
{
	static const struct {
		const char *part, *kind;
	} known[] = {{"://hooks.slack.com/", "slack"},
		     {"discord.com/api/webhooks/", "discord"},
		     {"discordapp.com/api/webhooks/", "discord"},
		     {".logic.azure.com", "teams"},
		     {".powerplatform.com", "teams"},
		     {".webhook.office.com/", "teams"},
		     {"://ntfy.", "ntfy"}};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strstr(url, known[i].part) != NULL)
			return known[i].kind;
	return "webhook";
}

static void write_told(struct writer *w, const struct init_plan *p)
{
	if (p->mail[0] == '\0' && p->webhook[0] == '\0')
		return;
	write_str(w, "\n# Who is told of what: docs/ALERTS.md.\ndestinations:\n"
		     "  - name: local   # all of it is kept as well: `skep alerts log`\n    kind: "
		     "keep\n");
	if (p->mail[0] != '\0')
		write_mail(w, p->mail);
	if (p->webhook[0] == '\0')
		return;
	write_fmt(w, "  - name: hook\n    kind: %s\n    url: \"%s\"\n", webhook_kind(p->webhook),
		  p->webhook);
	if (strncmp(p->webhook, "http://", 7) == 0)
		write_str(w,
			  "    insecure: true   # no TLS: what is told can be read on its way\n");
}

void init_write(struct writer *w, const struct init_site *i, const struct init_plan *p)
{
	static const char *const modes[PLACES] = {"lab", "nat", "nat", "bridge"};
	write_fmt(w,
		  "# Written by `skep init`. `skep check` tells whether it is good, `skep config "
		  "reference` lists\n"
		  "# every setting.\n\nmode: %s\n",
		  modes[p->place]);
	write_told(w, p);
	if (p->place == PLACE_LAB)
		return;
	write_uplink(w, i, p);
	write_network(w, i, p);
	write_guests(w, p);
	if (p->place != PLACE_BRIDGE)
		write_forwards(w, i, p);
	write_sink(w, i);
}
