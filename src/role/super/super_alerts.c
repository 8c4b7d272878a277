/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What alerter and courier are given, and how they go over to another configuration. alerter reads what intruders
 * say, and gets neither a password nor a network; courier has both, and gets finished messages only.
 *
 * Secrets are read here, as root, at each start of courier; they leave in a sealed file in memory, and nothing of
 * them stays.
 */
#include "facts/facts.h"
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HUB_BYTES (4u << 20)
#define COURIER_BYTES (256u << 10)
#define EVERY_DESTINATION 255
#define RENEW_PATIENCE_NS (20 * NS_PER_SEC)

void alerts_init(struct super *s)
{
	struct alerts_run *a = &s->alerts;
	a->conf = s->c->alerts;
	a->setid = alerts_need_setid(&a->conf);
	a->dir = a->hub[0] = a->hub[1] = a->courier[0] = a->courier[1] = -1;
	for (size_t i = 0; i < ARRAY_LEN(a->commands); i++)
		a->commands[i].pidfd = -1;
}

int alerts_channels(struct super *s)
{
	int err = ipc_pair(HUB_BYTES, s->alerts.hub);
	return err != 0 ? err : ipc_pair(COURIER_BYTES, s->alerts.courier);
}

/* By the outbox alone, by super, or by courier. */
static bool is_courier(uint8_t kind)
{
	return kind != DEST_KEEP && kind != DEST_SENDMAIL && kind != DEST_COMMAND;
}

bool alerts_need_courier(const struct conf_alerts *c)
{
	for (uint32_t i = 0; i < c->n_to; i++)
		if (is_courier(c->to[i].kind))
			return true;
	return false;
}

bool alerts_need_setid(const struct conf_alerts *c)
{
	for (uint32_t i = 0; i < c->n_to && c->on; i++)
		if (c->to[i].kind == DEST_SENDMAIL)
			return true;
	return false;
}

/* ---- start messages --------------------------------------------------------------------------- */

/* Who knows the URL of a chat's or a webhook may write there: for courier only. ntfy's topic stands in the message. */
static void take_urls(struct start_alerter *m)
{
	for (uint32_t i = 0; i < m->conf.n_to && i < CONF_DESTINATIONS; i++) {
		struct conf_destination *d = &m->conf.to[i];
		m->marks[i] = deliver_mark(d);
		if (d->kind == DEST_SLACK || d->kind == DEST_DISCORD || d->kind == DEST_TEAMS ||
		    d->kind == DEST_WEBHOOK)
			memset(d->url, 0, sizeof(d->url));
	}
}

int alerts_start_alerter(struct super *s, const struct child *ch)
{
	static const uint8_t bits[3] = {ALERTER_LOCATION, ALERTER_NAMES, ALERTER_SIGNATURES};
	const struct alerts_run *a = &s->alerts;
	int fds[7] = {ch->events[1], a->hub[1], a->courier[0], a->dir}, known[3];
	size_t n = 4;
	struct start_alerter *m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->conf = a->conf;
	take_urls(m);
	memcpy(m->sensor, s->c->sensor, sizeof(m->sensor));
	memcpy(m->name, s->c->name, sizeof(m->name));
	m->since_ns = s->since_ns;
	facts_find(a->conf.location, a->conf.names, known);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i] < 0)
			continue;
		m->has |= bits[i];
		fds[n++] = known[i];
	}
	int err = ipc_send(ch->control, MSG_START_ALERTER, m, sizeof(*m), fds, n);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		fd_close(&known[i]);
	free(m);
	return err;
}

static void say_secret(struct super *s, const char *text)
{
	log_line(LOG_WARN, "alerts: %s", text);
	super_health(s, "courier", "secret", 1, -1, -1, 1, text);
}

/* May others read it too? */
static void check_mode(struct super *s, const struct conf_destination *d, const char *path)
{
	char text[EVENT_TEXT];
	struct stat st;
	if (path[0] == '\0' || stat(path, &st) < 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return;
	snprintf(text, sizeof(text), "%s: others can read the secret %s; `chmod 600` mends that",
		 d->name, path);
	say_secret(s, text);
}

/* What can't be read is told, and its destination goes without: no server takes that, and the message waits. */
static void read_secrets(struct super *s, struct deliver_secrets *ret)
{
	const struct conf_alerts *c = &s->alerts.conf;
	char why[EVENT_TEXT - 32] = "", text[EVENT_TEXT];
	if (deliver_secrets_read(c, ret, why, sizeof(why)) != 0) {
		snprintf(text, sizeof(text), "%s; it goes without", why);
		say_secret(s, text);
	}
	for (uint32_t i = 0; i < c->n_to; i++) {
		check_mode(s, &c->to[i], c->to[i].secret);
		check_mode(s, &c->to[i], c->to[i].oauth_secret);
	}
}

int alerts_start_courier(struct super *s, const struct child *ch)
{
	struct deliver_secrets *secrets = calloc(1, sizeof(*secrets));
	CLEANUP(fd_close) int sealed = -1;
	if (secrets == NULL)
		return -ENOMEM;
	read_secrets(s, secrets);
	int err = sealed_create("secrets", secrets, sizeof(*secrets), &sealed);
	explicit_bzero(secrets, sizeof(*secrets));
	free(secrets);
	if (err != 0)
		return err;
	const int fds[] = {s->alerts.courier[1], sealed};
	return ipc_send(ch->control, MSG_START_COURIER, &s->alerts.conf,
			sizeof(struct start_courier), fds, 2);
}
_Static_assert(sizeof(struct start_courier) == sizeof(struct conf_alerts), "it is just that");

void alerts_courier_ready(struct super *s)
{
	const struct child *to = child_of(s, ROLE_ALERTER);
	if (to == NULL || to->control < 0)
		return; /* a new one asks again for whatever is not done */
	int err = ipc_send(to->control, MSG_COURIER, NULL, 0, NULL, 0);
	if (err != 0)
		log_line(LOG_WARN, "telling alerter of a new courier: %s", err_text(err));
}

/* ---- requests ---------------------------------------------------------------------------------- */

static json_t *refuse(const char *why)
{
	return json_pack("{s:s}", "error", why);
}

json_t *alerts_test_answer(struct super *s, const json_t *request)
{
	const struct conf_alerts *c = &s->alerts.conf;
	const struct child *to = child_of(s, ROLE_ALERTER);
	const char *name = json_string_value(json_object_get(request, "destination"));
	struct msg_alert_test m = {.destination = EVERY_DESTINATION};
	if (!c->on || to == NULL)
		return refuse("alerts are off in this honeynet (alerts.enabled)");
	for (uint32_t i = 0; i < c->n_to && name != NULL; i++)
		if (strcmp(c->to[i].name, name) == 0)
			m.destination = (uint8_t)i;
	if (name != NULL && m.destination == EVERY_DESTINATION)
		return refuse("the running honeynet has no such destination");
	if (to->state != CHILD_READY)
		return refuse("alerter is not ready; try again in a moment");
	int err = ipc_send(to->control, MSG_ALERT_TEST, &m, sizeof(m), NULL, 0);
	return err != 0 ? refuse(err_text(err))
			: json_pack("{s:b, s:i}", "ok", 1, "destinations",
				    name != NULL ? 1 : (int)c->n_to);
}

/* Of another version of this program it may have the same size: what would lead astray here is looked at. */
static bool sound(const struct conf_alerts *c)
{
	bool ok = c->on == 1 && c->n_to <= CONF_DESTINATIONS && c->n_classes <= ALERT_CLASSES &&
		  c->n_quiet <= CONF_QUIET;
	for (uint32_t i = 0; i < c->n_to && ok; i++) {
		const struct conf_destination *d = &c->to[i];
		ok = d->kind < DEST_KINDS && d->n_to <= CONF_MAILS &&
		     d->n_command <= CONF_COMMAND &&
		     memchr(d->name, '\0', sizeof(d->name)) != NULL &&
		     memchr(d->secret, '\0', sizeof(d->secret)) != NULL &&
		     memchr(d->oauth_secret, '\0', sizeof(d->oauth_secret)) != NULL &&
		     memchr(d->from, '\0', sizeof(d->from)) != NULL;
		for (uint32_t k = 0; k < d->n_command && ok; k++)
			ok = memchr(d->command[k], '\0', sizeof(d->command[k])) != NULL;
		for (uint32_t k = 0; k < d->n_to && ok; k++)
			ok = memchr(d->to[k], '\0', sizeof(d->to[k])) != NULL;
	}
	return ok && memchr(c->location, '\0', sizeof(c->location)) != NULL &&
	       memchr(c->names, '\0', sizeof(c->names)) != NULL;
}

/* Ends in good order and begins anew; one that is down begins at once. */
static void renew(struct child *ch, bool needed)
{
	child_stop(ch);
	ch->renew = needed && ch->state == CHILD_STOPPING;
	ch->start_at_ns = clock_boot_ns() + RENEW_PATIENCE_NS;
	if (needed && ch->state == CHILD_ENDED) {
		ch->state = CHILD_DOWN;
		ch->start_at_ns = 0;
	}
}

json_t *alerts_reload_answer(struct super *s, int fd)
{
	struct child *alerter = child_of(s, ROLE_ALERTER), *courier = child_of(s, ROLE_COURIER);
	struct conf_alerts *c = malloc(sizeof(*c));
	const char *why = NULL;
	int err = c == NULL ? -ENOMEM : fd < 0 ? SKEP_EPEER : sealed_read(fd, c, sizeof(*c));
	if (err != 0)
		why = err == SKEP_EPEER ? "no configuration of this version came with the request"
					: err_text(err);
	else if (!s->alerts.conf.on || alerter == NULL || courier == NULL)
		why = "alerts are off in this honeynet; `skep down`, `skep up` takes them up";
	else if (!sound(c))
		why = "alerts can't be turned off while the honeynet runs, or this is no "
		      "configuration "
		      "of this version";
	else if (alerts_need_setid(c) && !s->alerts.setid)
		why = "a first destination by sendmail needs `skep down`, `skep up`";
	if (why == NULL) {
		s->alerts.conf = *c;
		/* What lies in the outbox goes by names, and by the new ones' ways. */
		renew(courier, alerts_need_courier(c));
		renew(alerter, true);
		log_line(LOG_INFO, "alerts: %u destinations, by a new configuration", c->n_to);
	}
	json_t *a = why != NULL ? refuse(why)
				: json_pack("{s:b, s:i}", "ok", 1, "destinations", (int)c->n_to);
	free(c);
	return a;
}

json_t *alerts_json(const struct super *s)
{
	const struct conf_alerts *c = &s->alerts.conf;
	json_t *all = json_array();
	for (uint32_t i = 0; i < c->n_to && c->on; i++)
		json_array_append_new(all, json_string(c->to[i].name));
	return json_pack("{s:b, s:o}", "on", c->on != 0, "destinations", all);
}
