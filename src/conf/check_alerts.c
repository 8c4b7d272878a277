/* SPDX-License-Identifier: BSD-2-Clause */
/* Destinations, quiet rules and classes that can't be meant as they are written. */
#include "conf/conf_priv.h"

#include <stdio.h>
#include <string.h>

/* What each kind must and may have. */
struct need {
	const char *schemes[4]; /* of its URL; none: it takes no URL */
	const char *cure;
	bool mail, command, secret, template, watch;
};
static const struct need needs[DEST_KINDS] = {
	[DEST_KEEP] = {{NULL}, "remove it: nothing leaves this machine", .command = false},
	[DEST_SMTP] = {{"smtp", "smtps"},
		       "write smtp://HOST:587 (STARTTLS) or smtps://HOST:465",
		       .mail = true,
		       .secret = true},
	[DEST_SENDMAIL] = {{NULL}, "remove it, or write `kind: smtp`", .mail = true},
	[DEST_SLACK] = {{"https", "http"}, "write the https:// URL of its incoming webhook"},
	[DEST_DISCORD] = {{"https", "http"}, "write the https:// URL of its webhook"},
	[DEST_TEAMS] = {{"https", "http"}, "write the https:// URL of its workflow"},
	[DEST_NTFY] = {{"https", "http"}, "write https://HOST/TOPIC", .secret = true},
	[DEST_WEBHOOK] = {{"https", "http"},
			  "write an https:// URL",
			  .secret = true,
			  .template = true,
			  .watch = true},
	[DEST_SYSLOG] = {{"tls", "tcp", "udp"}, "write tls://HOST:6514", .watch = true},
	[DEST_COMMAND] = {{NULL}, "remove it", .command = true, .watch = true},
};

struct at { /* one item, for messages */
	const struct check *k;
	const struct node *item;
	const char *what;
};

static void complain(const struct at *at, const char *key, const char *cure, const char *what)
{
	const struct node *n = tree_child(at->item, key);
	if (n == NULL)
		n = at->item;
	problem_add(at->k->p, n != NULL ? n->line : 0, n != NULL ? n->column : 0, cure, "%s %s",
		    at->what, what);
}

/* The nearest of n names of size bytes each, as a cure. */
static void did_you_mean(const char *given, const char *names, size_t step, size_t n, char cure[96],
			 const char *otherwise)
{
	unsigned least = 4;
	snprintf(cure, 96, "%s", otherwise);
	for (size_t i = 0; i < n; i++) {
		const char *name = names + i * step;
		unsigned d = text_distance(name, given);
		if (d < least) {
			least = d;
			snprintf(cure, 96, "did you mean '%.40s'?", name);
		}
	}
}

static void check_guests(const struct at *at, const char (*guests)[CONF_NAME], uint32_t n)
{
	const struct conf *c = at->k->c;
	char cure[96], what[96];
	for (uint32_t i = 0; i < n; i++) {
		if (conf_guest(c, guests[i]) != NULL)
			continue;
		did_you_mean(guests[i], c->guests[0].name, sizeof(c->guests[0]), c->n_guests, cure,
			     "name guests of this file");
		snprintf(what, sizeof(what), "names an unknown guest '%s'", guests[i]);
		complain(at, "guests", cure, what);
	}
}

static void check_classes(const struct at *at, const char (*classes)[CONF_NAME], uint32_t n)
{
	char names[ALERT_CLASSES][CONF_NAME], cure[96], what[96];
	for (int i = 0; i < ALERT_CLASSES; i++)
		text_copy(names[i], CONF_NAME, conf_alert_class_text((enum conf_alert_class)i));
	for (uint32_t i = 0; i < n; i++) {
		if (conf_alert_class_of(classes[i]) != ALERT_CLASSES)
			continue;
		did_you_mean(classes[i], names[0], CONF_NAME, ALERT_CLASSES, cure,
			     "docs/ALERTS.md lists the classes");
		snprintf(what, sizeof(what), "names an unknown class '%s'", classes[i]);
		complain(at, "classes", cure, what);
	}
}

static void check_to(const struct at *at, const char (*to)[CONF_NAME], uint32_t n, const char *verb)
{
	const struct conf_alerts *a = &at->k->c->alerts;
	char cure[96], what[96];
	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = 0;
		while (t < a->n_to && strcmp(a->to[t].name, to[i]) != 0)
			t++;
		if (t < a->n_to)
			continue;
		did_you_mean(to[i], a->to[0].name, sizeof(a->to[0]), a->n_to, cure,
			     "name destinations of this file");
		snprintf(what, sizeof(what), "%s an unknown destination '%s'", verb, to[i]);
		complain(at, "to", cure, what);
	}
}

/* ---- destinations ------------------------------------------------------------------------------ */

static const char *scheme_of(const struct need *need, const char *url)
{
	for (size_t i = 0; i < ARRAY_LEN(need->schemes) && need->schemes[i] != NULL; i++) {
		size_t len = strlen(need->schemes[i]);
		if (strncmp(url, need->schemes[i], len) == 0 && strncmp(url + len, "://", 3) == 0)
			return need->schemes[i];
	}
	return NULL;
}

/* Its path has a last part: https://HOST has none. */
static bool has_topic(const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t n = strcspn(host, "?");
	return memchr(host, '/', n) != NULL && host[n - 1] != '/';
}

static void check_url(const struct at *at, const struct conf_destination *d,
		      const struct need *need)
{
	if (need->schemes[0] == NULL) {
		if (d->url[0] != '\0')
			complain(at, "url", need->cure, "takes no url");
		return;
	}
	const char *scheme = scheme_of(need, d->url);
	if (scheme == NULL) {
		complain(at, "url", need->cure,
			 d->url[0] != '\0' ? "can't be reached by such a url" : "has no url");
		return;
	}
	bool plain = strcmp(scheme, "http") == 0 || strcmp(scheme, "tcp") == 0 ||
		     strcmp(scheme, "udp") == 0;
	if (plain && !d->insecure && !form_is_near(d->url))
		complain(at, "url", "use TLS, or add `insecure: true`",
			 "would be told in clear text over the network");
	if (d->kind == DEST_NTFY && !has_topic(d->url))
		complain(at, "url", need->cure, "has no topic");
}

static void check_mail(const struct at *at, const struct conf_destination *d,
		       const struct need *need)
{
	if (need->mail && d->n_to == 0)
		complain(at, "to", "add `to: [ann@example.org]`", "has nobody to write to");
	if (need->mail && d->from[0] == '\0')
		complain(at, "from", "add `from: skep@example.org`", "has no sender");
	if (!need->mail && (d->n_to > 0 || d->from[0] != '\0'))
		complain(at, d->n_to > 0 ? "to" : "from", "remove it, or write `kind: smtp`",
			 "is no mail");
	if (need->command && (d->n_command == 0 || d->command[0][0] != '/'))
		complain(at, "command", "write `command: [/path/of/program, argument]`",
			 "has no program with an absolute path");
	if (!need->command && d->n_command > 0)
		complain(at, "command", "remove it, or write `kind: command`", "runs no command");
	if (!need->template && d->template[0] != '\0')
		complain(at, "template", "remove it, or write `kind: webhook`",
			 "has a form of its own");
	if (!need->watch && d->watch)
		complain(at, "watch", "use a destination of kind syslog, webhook or command",
			 "can't be the watch of a second machine");
}

static void check_oauth(const struct at *at, const struct conf_destination *d)
{
	bool any =
		d->oauth_url[0] != '\0' || d->oauth_client[0] != '\0' || d->oauth_secret[0] != '\0';
	if (any && (d->kind != DEST_SMTP || d->auth != AUTH_XOAUTH2)) {
		complain(at, "oauth_url", "add `auth: xoauth2`, or remove it",
			 "has settings that only xoauth2 takes");
		return;
	}
	if (any && (strncmp(d->oauth_url, "https://", 8) != 0 || d->oauth_client[0] == '\0'))
		complain(at, "oauth_url", "write both `oauth_url: https://...` and `oauth_client`",
			 "can't get an access token");
	if (d->auth == AUTH_XOAUTH2 && (d->user[0] == '\0' || d->secret[0] == '\0'))
		complain(at, "auth", "add `user` and `secret`", "has nobody to log in as");
}

static void check_secret(const struct at *at, const struct conf_destination *d,
			 const struct need *need)
{
	if (!need->secret && (d->secret[0] != '\0' || d->user[0] != '\0'))
		complain(at, d->secret[0] != '\0' ? "secret" : "user", "remove it",
			 "is a kind that does not log in");
	if (d->kind == DEST_SMTP && (d->secret[0] == '\0') != (d->user[0] == '\0'))
		complain(at, d->secret[0] != '\0' ? "secret" : "user",
			 "write both `user` and `secret`, or none",
			 "can't log in with one of both");
	if (d->kind != DEST_SMTP && (d->user[0] != '\0' || d->auth != AUTH_AUTO) && need->secret)
		complain(at, d->user[0] != '\0' ? "user" : "auth", "remove it",
			 "logs in by its secret alone");
	/* The key of a signature is never sent. */
	if (d->insecure && d->secret[0] != '\0' && d->kind != DEST_WEBHOOK && need->secret &&
	    !form_is_near(d->url))
		complain(at, "insecure", "remove it: a password needs TLS",
			 "would show its password to the network");
	check_oauth(at, d);
}

static void check_destination(const struct check *k, uint32_t i)
{
	const struct conf_alerts *a = &k->c->alerts;
	const struct conf_destination *d = &a->to[i];
	char what[64];
	struct at at = {k, k->destinations[i], what};
	const struct need *need = &needs[d->kind];
	snprintf(what, sizeof(what), "destination '%s'", d->name);
	for (uint32_t j = 0; j < i; j++)
		if (strcmp(a->to[j].name, d->name) == 0)
			complain(&at, "name", "give each destination its own name",
				 "is there twice");
	check_url(&at, d, need);
	check_mail(&at, d, need);
	check_secret(&at, d, need);
	check_guests(&at, d->guests, d->n_guests);
	check_classes(&at, d->classes, d->n_classes);
}

/* ---- the rest ---------------------------------------------------------------------------------- */

static void check_quiet(const struct check *k, uint32_t i)
{
	const struct conf_quiet *q = &k->c->alerts.quiet[i];
	char what[32];
	struct at at = {k, k->quiet[i], what};
	snprintf(what, sizeof(what), "quiet rule %u", i + 1);
	if (q->direction == 0 && q->proto == 0 && q->hours[0] == '\0' &&
	    q->n_ports + q->n_guests + q->n_sources + q->n_as + q->n_countries + q->n_sids +
			    q->n_classes ==
		    0)
		complain(&at, "comment",
			 "say what it is for, or set `alerts.enabled: false` to be told nothing",
			 "would silence everything");
	if (q->n_ports > 0 && q->proto != 0 && q->proto != 6 && q->proto != 17)
		complain(&at, "ports", "write `proto: tcp`, `udp` or `any`",
			 "has ports of a protocol without any");
	if ((q->n_as > 0 || q->n_countries > 0) && k->c->alerts.location[0] == '\0')
		complain(&at, q->n_as > 0 ? "as" : "countries", "set `alerts.location: auto`",
			 "needs to know where addresses are");
	check_guests(&at, q->guests, q->n_guests);
	check_classes(&at, q->classes, q->n_classes);
	check_to(&at, q->to, q->n_to, "spares");
}

static void check_class(const struct check *k, uint32_t i)
{
	const struct conf_alerts *a = &k->c->alerts;
	const struct conf_alert_class_row *c = &a->classes[i];
	char what[64];
	struct at at = {k, k->classes[i], what};
	snprintf(what, sizeof(what), "class '%s'",
		 conf_alert_class_text((enum conf_alert_class)c->class));
	for (uint32_t j = 0; j < i; j++)
		if (a->classes[j].class == c->class)
			complain(&at, "class", "write all of a class into one item",
				 "is there twice");
	check_to(&at, c->to, c->n_to, "goes to");
}

void check_alerts(const struct check *k)
{
	for (uint32_t i = 0; i < k->c->alerts.n_to; i++)
		check_destination(k, i);
	for (uint32_t i = 0; i < k->c->alerts.n_quiet; i++)
		check_quiet(k, i);
	for (uint32_t i = 0; i < k->c->alerts.n_classes; i++)
		check_class(k, i);
}
