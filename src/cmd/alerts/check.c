/* SPDX-License-Identifier: BSD-2-Clause */
/* What other verbs ask of alerts: are the templates good, and what to do about a server's answer. */
#include "cmd/alerts/alerts.h"

#include <stdio.h>
#include <string.h>

int alerts_check(const struct conf *c, char *why, size_t why_size)
{
	for (uint32_t i = 0; i < c->alerts.n_to; i++) {
		const struct conf_destination *d = &c->alerts.to[i];
		char what[192] = "";
		if (d->template[0] == '\0' ||
		    notify_template_check(d->template, what, sizeof(what)) == 0)
			continue;
		snprintf(why, why_size, "the template of destination '%s' is not usable: %s",
			 d->name, what);
		return 1;
	}
	return 0;
}

static bool has(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

const char *alerts_cure(const struct conf_destination *d, const char *answer)
{
	if (d->kind == DEST_COMMAND)
		return "run the command by hand, as a user without rights, with a text on its "
		       "standard input";
	if (d->kind == DEST_SENDMAIL)
		return "is a mail server installed that has /usr/sbin/sendmail? Its own log says "
		       "more";
	if (has(answer, "secret"))
		return "`secret` names a file that root can read; chmod 600 it";
	if (has(answer, "resolve"))
		return "does the name in `url` exist, and does this machine have a name server?";
	if (has(answer, "certificate") || has(answer, "SSL") || has(answer, "TLS"))
		return "name the server's authority with `ca`, or use the name that its "
		       "certificate has";
	if (has(answer, "535") || has(answer, "login") || has(answer, "auth") ||
	    has(answer, "401") || has(answer, "403"))
		return "look at `user`, `secret` and `auth`: the server does not believe them";
	if (has(answer, "refused") || has(answer, "connect"))
		return d->kind == DEST_SMTP ? "does a server listen there? Try another port: 587 "
					      "(STARTTLS), 465 (TLS)"
					    : "does a server listen there? Is the port right?";
	if (has(answer, "time") || has(answer, "unreachable"))
		return d->kind == DEST_SMTP
			       ? "nothing answers: many providers block port 25; use "
				 "587 or 465, and look at the firewall"
			       : "nothing answers: look at the firewall, and at the name "
				 "in `url`";
	if (has(answer, "404") || has(answer, "410"))
		return "that webhook is gone: make a new one and write its `url`";
	if (has(answer, "429") || has(answer, "421") || has(answer, "45"))
		return "the server wants it later; it is tried again by itself";
	if (has(answer, "55"))
		return "the server refuses the sender or who it is for: look at `from` and `to`";
	return "docs/ALERTS.md, \"When nothing arrives\"";
}
