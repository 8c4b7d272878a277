/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is told of what: destinations, quiet rules, classes. */
#include "conf/rows_priv.h"

#include <string.h>

#define DEST(member) FIELD(struct conf_destination, member)
#define QUIET(member) FIELD(struct conf_quiet, member)
#define CLASS(member) FIELD(struct conf_alert_class_row, member)
#define MOST 1000000

static const struct row_choice class_choices[] = {{"escape", ALERT_ESCAPE},
						  {"silence", ALERT_SILENCE},
						  {"outbound", ALERT_OUTBOUND},
						  {"login", ALERT_LOGIN},
						  {"limit", ALERT_LIMIT},
						  {"rule-high", ALERT_RULE_HIGH},
						  {"rule-medium", ALERT_RULE_MEDIUM},
						  {"rule-low", ALERT_RULE_LOW},
						  {"inbound", ALERT_INBOUND},
						  {"health", ALERT_HEALTH},
						  {NULL, 0}};
static const struct row_choice kind_choices[] = {{"keep", DEST_KEEP},
						 {"smtp", DEST_SMTP},
						 {"sendmail", DEST_SENDMAIL},
						 {"slack", DEST_SLACK},
						 {"discord", DEST_DISCORD},
						 {"teams", DEST_TEAMS},
						 {"ntfy", DEST_NTFY},
						 {"webhook", DEST_WEBHOOK},
						 {"syslog", DEST_SYSLOG},
						 {"command", DEST_COMMAND},
						 {NULL, 0}};
static const struct row_choice auth_choices[] = {{"auto", AUTH_AUTO},
						 {"plain", AUTH_PLAIN},
						 {"login", AUTH_LOGIN},
						 {"xoauth2", AUTH_XOAUTH2},
						 {NULL, 0}};
/* enum event_direction, which is above us. */
static const struct row_choice direction_choices[] = {
	{"any", 0}, {"inbound", 1}, {"outbound", 2}, {"lateral", 3}, {NULL, 0}};
static const struct row_choice quiet_protos[] = {
	{"any", 0}, {"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"other", CONF_OTHER}, {NULL, 0}};

/* clang-format off */
const struct row conf_destination_rows[] = {
	{"name", ROW_NAME, DEST(name), .min = 1, .max = CONF_NAME - 1, .text = "",
	 .help = "unique name of the destination; must be given"},
	{"kind", ROW_ENUM, DEST(kind), .text = "keep", .choices = kind_choices, .live = true,
	 .help = "keep: kept to be read with `skep alerts`; smtp, sendmail: mail; slack, discord, teams, ntfy: their webhooks; webhook: JSON; syslog: RFC 5424; command: a program of yours; must be given"},
	{"short", ROW_BOOL, DEST(short_form), .text = "false", .live = true,
	 .help = "one line of at most 160 characters, for pagers and SMS gateways"},
	{"url", ROW_TEXT, DEST(url), .form = &form_url, .min = 1, .max = CONF_URL - 1, .text = "none", .empty = "none", .live = true,
	 .help = "where to: smtp://HOST:587 (STARTTLS), smtps://HOST:465, https://... of webhooks, tls://HOST:6514, tcp:// or udp:// of syslog"},
	{"to", ROW_TEXTS, DEST(to), COUNT(struct conf_destination, n_to), .item = CONF_MAIL, .form = &form_mail,
	 .min = 3, .max = CONF_MAIL - 1, .text = "", .live = true, .help = "mail: who gets it"},
	{"from", ROW_TEXT, DEST(from), .form = &form_mail, .min = 3, .max = CONF_MAIL - 1, .text = "none", .empty = "none", .live = true,
	 .help = "mail: who it is from"},
	{"user", ROW_TEXT, DEST(user), .min = 1, .max = CONF_MAIL - 1, .text = "none", .empty = "none", .live = true,
	 .help = "smtp: user to log in as"},
	{"secret", ROW_PATH, DEST(secret), .min = 2, .max = CONF_PATH - 1, .text = "none", .empty = "none", .live = true,
	 .help = "file with the password (smtp), the token (ntfy), the key that signs (webhook) or the refresh token (oauth_url); readable by root only"},
	{"auth", ROW_ENUM, DEST(auth), .text = "auto", .choices = auth_choices, .live = true,
	 .help = "smtp: how to log in; auto: as the server offers"},
	{"oauth_url", ROW_TEXT, DEST(oauth_url), .form = &form_url, .min = 1, .max = CONF_URL - 1, .text = "none", .empty = "none", .live = true,
	 .help = "auth xoauth2: where a refresh token is changed for an access token; none: secret is the access token itself"},
	{"oauth_client", ROW_TEXT, DEST(oauth_client), .min = 1, .max = CONF_MAIL - 1, .text = "none", .empty = "none", .live = true,
	 .help = "the client's id there"},
	{"oauth_secret", ROW_PATH, DEST(oauth_secret), .min = 2, .max = CONF_PATH - 1, .text = "none", .empty = "none", .live = true,
	 .help = "file with the client's secret, where it has one"},
	{"ca", ROW_PATH, DEST(ca), .min = 2, .max = CONF_PATH - 1, .text = "none", .empty = "none", .live = true,
	 .help = "file with further certificates to trust, PEM; none: those of the system only"},
	{"insecure", ROW_BOOL, DEST(insecure), .text = "false", .live = true,
	 .help = "TLS may be missing: what is told can then be read and changed on its way; never with a password over the network"},
	{"command", ROW_TEXTS, DEST(command), COUNT(struct conf_destination, n_command), .item = CONF_PATH,
	 .min = 1, .max = CONF_PATH - 1, .text = "", .live = true,
	 .help = "command: program and its arguments; gets the message on its standard input, as a user without rights"},
	{"template", ROW_TEXT, DEST(template), .min = 1, .max = CONF_TEMPLATE - 1, .text = "none", .empty = "none", .lines = true, .live = true,
	 .help = "webhook: JSON of your own with {{places}}; none: the built-in form"},
	{"watch", ROW_BOOL, DEST(watch), .text = "false", .live = true,
	 .help = "a second machine (syslog, webhook or command): gets the heartbeat, each new seal of the evidence and each escape at once"},
	{"digest", ROW_BOOL, DEST(digest), .text = "true", .live = true,
	 .help = "gets the digests of incidents and of the day"},
	{"weight", ROW_UINT, DEST(weight), .max = 9, .text = "0", .text_other = "6", .live = true,
	 .help = "only classes of at least this weight, 9 the heaviest"},
	{"classes", ROW_NAMES, DEST(classes), COUNT(struct conf_destination, n_classes), .max = CONF_NAME - 1, .text = "", .live = true,
	 .help = "only these classes, whatever their weight; empty: by weight"},
	{"guests", ROW_NAMES, DEST(guests), COUNT(struct conf_destination, n_guests), .max = CONF_NAME - 1, .text = "", .live = true,
	 .help = "only these guests; empty: all"},
	{"hours", ROW_TEXT, DEST(hours), .form = &form_hours, .min = 11, .max = CONF_HOURS - 1, .text = "always", .empty = "always", .live = true,
	 .help = "local time; outside these hours it gets only what is never throttled"},
	{"window", ROW_DURATION, DEST(throttle.window_ns), .min = SECOND, .max = 30 * DAY, .text = "15m",
	 .empty = "none", .live = true,
	 .help = "of one class, guest and source at most one message in this time; the next says what was held back"},
	{"hour", ROW_UINT, DEST(throttle.hour), .max = MOST, .text = "none", .text_other = "6", .empty = "none",
	 .unit = "messages", .live = true, .help = "at most so many in any hour"},
	{"day", ROW_UINT, DEST(throttle.day), .max = MOST, .text = "none", .text_other = "20", .empty = "none",
	 .unit = "messages", .live = true, .help = "at most so many in any day"},
	{"total", ROW_UINT, DEST(throttle.total), .max = MOST, .text = "none", .empty = "none",
	 .unit = "messages", .live = true, .help = "at most so many at all"},
};
const size_t conf_destination_rows_n = ARRAY_LEN(conf_destination_rows);

const struct row conf_quiet_rows[] = {
	{"comment", ROW_TEXT, QUIET(comment), .min = 1, .max = CONF_MAIL - 1, .text = "none", .empty = "none", .live = true,
	 .help = "why; shown with what the rule held back"},
	{"until", ROW_TEXT, QUIET(until), .form = &form_until, .min = 10, .max = 31, .text = "always", .empty = "always", .live = true,
	 .help = "local time at which the rule ends; a day alone is included"},
	{"direction", ROW_ENUM, QUIET(direction), .text = "any", .choices = direction_choices, .live = true, .help = "direction"},
	{"proto", ROW_ENUM, QUIET(proto), .text = "any", .choices = quiet_protos, .live = true, .help = "protocol"},
	{"ports", ROW_PORTS, QUIET(ports), COUNT(struct conf_quiet, n_ports), .text = "", .live = true,
	 .help = "destination ports; empty: all"},
	{"guests", ROW_NAMES, QUIET(guests), COUNT(struct conf_quiet, n_guests), .max = CONF_NAME - 1, .text = "", .live = true,
	 .help = "names of guests; empty: all"},
	{"sources", ROW_PREFIXES, QUIET(sources), COUNT(struct conf_quiet, n_sources), .text = "", .live = true,
	 .help = "networks of the other side, whoever began; empty: all"},
	{"as", ROW_TEXTS, QUIET(as), COUNT(struct conf_quiet, n_as), .item = CONF_NUMBER, .form = &form_number,
	 .min = 1, .max = 10, .text = "", .live = true, .help = "numbers of AS of the other side, needs alerts.location; empty: all"},
	{"countries", ROW_TEXTS, QUIET(countries), COUNT(struct conf_quiet, n_countries), .item = 4, .form = &form_country,
	 .min = 2, .max = 2, .text = "", .live = true, .help = "countries of the other side, needs alerts.location; empty: all"},
	{"sids", ROW_TEXTS, QUIET(sids), COUNT(struct conf_quiet, n_sids), .item = CONF_NUMBER, .form = &form_number,
	 .min = 1, .max = 10, .text = "", .live = true, .help = "numbers of rules; empty: all"},
	{"classes", ROW_NAMES, QUIET(classes), COUNT(struct conf_quiet, n_classes), .max = CONF_NAME - 1, .text = "", .live = true,
	 .help = "classes of alerts; empty: all"},
	{"to", ROW_NAMES, QUIET(to), COUNT(struct conf_quiet, n_to), .max = CONF_NAME - 1, .text = "", .live = true,
	 .help = "only these destinations are spared; empty: all"},
	{"hours", ROW_TEXT, QUIET(hours), .form = &form_hours, .min = 11, .max = CONF_HOURS - 1, .text = "always", .empty = "always", .live = true,
	 .help = "only in these hours, local time"},
};
const size_t conf_quiet_rows_n = ARRAY_LEN(conf_quiet_rows);

const struct row conf_class_rows[] = {
	{"class", ROW_ENUM, CLASS(class), .text = "escape", .choices = class_choices, .live = true,
	 .help = "class that comes otherwise than built in; must be given"},
	{"weight", ROW_UINT, CLASS(weight), .max = 9, .text = "default", .word = "default", .word_value = UINT8_MAX, .live = true,
	 .help = "its weight, 9 the heaviest"},
	{"bypass", ROW_BOOL, CLASS(bypass), .text = "default", .word = "default", .word_value = UINT8_MAX, .live = true,
	 .help = "never throttled, never quiet by hours"},
	{"to", ROW_NAMES, CLASS(to), COUNT(struct conf_alert_class_row, n_to), .max = CONF_NAME - 1, .text = "", .live = true,
	 .help = "only to these destinations; empty: to all that take it"},
	{"window", ROW_DURATION, CLASS(throttle.window_ns), .min = SECOND, .max = 30 * DAY, .text = "default", .empty = "none", .word = "default", .word_value = UINT64_MAX, .live = true,
	 .help = "of one guest and source at most one message in this time"},
	{"hour", ROW_UINT, CLASS(throttle.hour), .max = MOST, .text = "default", .empty = "none", .word = "default", .word_value = UINT32_MAX,
	 .unit = "messages", .live = true, .help = "at most so many in any hour to a destination"},
	{"day", ROW_UINT, CLASS(throttle.day), .max = MOST, .text = "default", .empty = "none", .word = "default", .word_value = UINT32_MAX,
	 .unit = "messages", .live = true, .help = "at most so many in any day"},
	{"total", ROW_UINT, CLASS(throttle.total), .max = MOST, .text = "default", .empty = "none", .word = "default", .word_value = UINT32_MAX,
	 .unit = "messages", .live = true, .help = "at most so many at all"},
};
const size_t conf_class_rows_n = ARRAY_LEN(conf_class_rows);
/* clang-format on */

static const char *choice_text(const struct row_choice *c, uint32_t value)
{
	for (; c->name != NULL; c++)
		if (c->value == value)
			return c->name;
	return "";
}

const char *conf_alert_class_text(enum conf_alert_class c)
{
	return choice_text(class_choices, c);
}

const char *conf_destination_kind_text(enum conf_destination_kind k)
{
	return choice_text(kind_choices, k);
}

enum conf_alert_class conf_alert_class_of(const char *text)
{
	for (const struct row_choice *c = class_choices; c->name != NULL; c++)
		if (strcmp(c->name, text) == 0)
			return (enum conf_alert_class)c->value;
	return ALERT_CLASSES;
}

void rows_alerts_default(struct conf_alerts *ret)
{
	struct conf_destination *d = &ret->to[0];
	ret->n_to = 1;
	rows_default(conf_destination_rows, conf_destination_rows_n, d, false);
	text_copy(d->name, sizeof(d->name), "local");
}
