/* SPDX-License-Identifier: BSD-2-Clause */
/* skep doctor: the way out of alerts: secrets that only root reads, programs that are there, servers that answer. */
#include "cmd/alerts/alerts.h"
#include "cmd/doctor/doctor.h"
#include "deliver/deliver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENCE_NS (20 * NS_PER_SEC)
#define SENDMAIL "/usr/sbin/sendmail"

static const char *label(const struct conf_destination *d, char buf[48])
{
	snprintf(buf, 48, "alerts %s", d->name);
	return buf;
}

/* False: it can't be used, which was said. */
static bool check_file(struct report *r, const struct conf_destination *d, const char *path,
		       bool secret)
{
	char name[48], cure[FIX_TEXT];
	struct stat st;
	if (path[0] == '\0')
		return true;
	if (access(path, R_OK) != 0 && !r->root && errno == EACCES) {
		say(r, LEVEL_WARN, label(d, name), "sudo skep doctor",
		    "%s can't be looked at without root", path);
		return false;
	}
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
		say(r, LEVEL_FAIL, label(d, name),
		    secret ? "write the password into it, and chmod 600" : "put the file there",
		    "%s is missing", path);
		return false;
	}
	if (secret && (st.st_mode & 077) != 0) {
		snprintf(cure, sizeof(cure), "chmod 600 %s", path);
		say_fix(r, LEVEL_WARN, label(d, name), cure, "others can read %s", path);
	}
	return true;
}

/* Without a server: is the program there? */
static void check_program(struct report *r, const struct conf_destination *d)
{
	char name[48];
	const char *path = d->kind == DEST_SENDMAIL ? SENDMAIL : d->command[0];
	if (access(path, X_OK) == 0)
		say(r, LEVEL_OK, label(d, name), NULL, "%s is there", path);
	else
		say(r, LEVEL_FAIL, label(d, name),
		    d->kind == DEST_SENDMAIL ? "apt-get install postfix (or nullmailer, msmtp-mta)"
					     : "install it, or correct `command`",
		    "%s is missing", path);
}

static bool needs_server(const struct conf_destination *d)
{
	return d->kind != DEST_KEEP && d->kind != DEST_SENDMAIL && d->kind != DEST_COMMAND;
}

static void say_answer(struct report *r, const struct conf_destination *d,
		       const struct deliver_result *a)
{
	char name[48], text[DELIVER_TEXT * 4];
	struct writer w = writer_of(text, sizeof(text));
	write_escaped(&w, a->text, strnlen(a->text, sizeof(a->text)));
	if (a->outcome == DELIVER_OK)
		say(r, LEVEL_OK, label(d, name), NULL, "%s answers%s%.200s", d->url,
		    text[0] != '\0' ? ": " : "", text);
	else
		say(r, a->outcome == DELIVER_LATER ? LEVEL_WARN : LEVEL_FAIL, label(d, name),
		    alerts_cure(d, a->text), "%s: %.300s", d->url, text);
}

/* All at once; who does not answer in time is told, too. */
static void probe(struct report *r, struct deliver *d, uint32_t asked)
{
	const struct conf_alerts *c = &r->c->alerts;
	int64_t until = clock_boot_ns() + PATIENCE_NS;
	struct deliver_result a;
	char name[48];
	for (uint32_t i = 0; i < c->n_to; i++) {
		int err = (asked & 1u << i) != 0
				  ? deliver_probe(d, (uint8_t)i, DELIVER_UNKEPT | (i + 1))
				  : 0;
		if (err == 0)
			continue;
		say(r, LEVEL_WARN, label(&c->to[i], name), alerts_cure(&c->to[i], ""),
		    "%s could not be tried: %s", c->to[i].url, err_text(err));
		asked &= ~(1u << i);
	}
	while (asked != 0 && clock_boot_ns() < until) {
		if (deliver_work(d, -1, 500) != 0)
			break;
		while (deliver_next(d, &a))
			if (a.destination < c->n_to && (asked & 1u << a.destination) != 0) {
				say_answer(r, &c->to[a.destination], &a);
				asked &= ~(1u << a.destination);
			}
	}
	for (uint32_t i = 0; i < c->n_to; i++)
		if ((asked & 1u << i) != 0)
			say(r, LEVEL_WARN, label(&c->to[i], name), alerts_cure(&c->to[i], "time"),
			    "%s does not answer", c->to[i].url);
}

static void check_servers(struct report *r, uint32_t asked)
{
	struct deliver_secrets *secrets = calloc(1, sizeof(*secrets));
	struct deliver *d = NULL;
	char why[256];
	/* What can't be read was said before. */
	int err = secrets == NULL ? -ENOMEM : 0;
	if (err == 0 && deliver_secrets_read(&r->c->alerts, secrets, why, sizeof(why)) == 0)
		why[0] = '\0';
	if (err == 0)
		err = deliver_create(&r->c->alerts, secrets, &d);
	if (err == 0)
		probe(r, d, asked);
	else
		say(r, LEVEL_WARN, "alerts", "try again", "servers can't be tried: %s",
		    err_text(err));
	deliver_destroy(&d);
	if (secrets != NULL)
		explicit_bzero(secrets, sizeof(*secrets));
	free(secrets);
}

void check_alerts_out(struct report *r)
{
	const struct conf_alerts *c = &r->c->alerts;
	uint32_t asked = 0, leaving = 0;
	char why[320];
	if (!c->on) {
		say(r, LEVEL_WARN, "alerts", "set alerts.enabled: true", "are off");
		return;
	}
	if (alerts_check(r->c, why, sizeof(why)) != 0)
		say(r, LEVEL_FAIL, "alerts", "skep check", "%s", why);
	for (uint32_t i = 0; i < c->n_to && i < CONF_DESTINATIONS; i++) {
		const struct conf_destination *d = &c->to[i];
		bool fine = check_file(r, d, d->secret, true) &&
			    check_file(r, d, d->oauth_secret, true) &&
			    check_file(r, d, d->ca, false);
		leaving += d->kind != DEST_KEEP;
		if (d->kind == DEST_SENDMAIL || d->kind == DEST_COMMAND)
			check_program(r, d);
		else if (needs_server(d) && fine)
			asked |= 1u << i;
	}
	if (asked != 0)
		check_servers(r, asked);
	if (leaving == 0)
		say(r, LEVEL_OK, "alerts", NULL,
		    "stay on this machine (`skep alerts`); docs/ALERTS.md: how to be told");
}
