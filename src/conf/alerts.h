/* SPDX-License-Identifier: BSD-2-Clause */
/* conf: who is told of what, and how often. A part of conf.h, which includes it. */
#ifndef SKEP_CONF_ALERTS_H
#define SKEP_CONF_ALERTS_H

#include "conf/policy.h"

#define CONF_DESTINATIONS 8
#define CONF_QUIET 32
#define CONF_MAIL 128 /* a mail address */
#define CONF_MAILS 8
#define CONF_URL 256
#define CONF_TEMPLATE 1024
#define CONF_COMMAND 8 /* words of a command */
#define CONF_HOURS 16  /* "07:00-23:00", local time; may go over midnight; empty: always */
#define CONF_NUMBER 12 /* a sid or an AS number as text */

/* What is worth an alert, heaviest first: the order of weight. */
enum conf_alert_class {
	ALERT_ESCAPE, /* somebody broke, or tried to break, out of a guest's machine */
	ALERT_SILENCE, /* a layer that should tell of a guest says nothing, or another thing than the rest */
	ALERT_OUTBOUND,    /* the first outbound conversation of a guest in an incident */
	ALERT_LOGIN,       /* a login that succeeded */
	ALERT_LIMIT,       /* a limit of the policy was reached */
	ALERT_RULE_HIGH,   /* a rule of severity 1 matched */
	ALERT_RULE_MEDIUM, /* 2 */
	ALERT_RULE_LOW,    /* 3 and above */
	ALERT_INBOUND,     /* a source that was not seen before */
	ALERT_HEALTH,      /* disk, losses, a role that died, an undelivered alert */
	ALERT_CLASSES
};

/* clang-format off */
enum conf_destination_kind {
	DEST_KEEP,     /* kept in the outbox only: `skep alerts show` */
	DEST_SMTP, DEST_SENDMAIL,
	DEST_SLACK, DEST_DISCORD, DEST_TEAMS, DEST_NTFY, DEST_WEBHOOK,
	DEST_SYSLOG, DEST_COMMAND,
	DEST_KINDS
};
enum conf_auth { AUTH_AUTO, AUTH_PLAIN, AUTH_LOGIN, AUTH_XOAUTH2 };
/* clang-format on */

/* How often: 0 means no such bound. */
struct conf_throttle {
	int64_t window_ns; /* of one class, guest and source at most one message in this time */
	uint32_t hour, day, total;
};

struct conf_destination {
	char name[CONF_NAME]; /* unique */
	uint8_t kind;         /* enum conf_destination_kind */
	uint8_t short_form;   /* one line of at most 160 characters: pagers, SMS gateways */
	uint8_t watch;        /* gets the heartbeat, each seal and each escape at once */
	uint8_t digest;       /* gets the digests of incidents and days */
	uint8_t insecure;     /* TLS may be missing (never for a password over the network) */
	uint8_t auth;         /* enum conf_auth */
	char url[CONF_URL];   /* smtp://HOST:587 (STARTTLS), smtps://HOST:465; https://...;
				 tls://HOST:6514, tcp://, udp:// of syslog */
	uint32_t n_to;
	char to[CONF_MAILS][CONF_MAIL]; /* mail */
	char from[CONF_MAIL];
	char user[CONF_MAIL];
	char secret
		[CONF_PATH]; /* file with the password, token, HMAC key or (with oauth_url) refresh
				   token; empty: none */
	char ca[CONF_PATH];  /* further certificates to trust, PEM; empty: the system's only */
	char oauth_url[CONF_URL], oauth_client[CONF_MAIL], oauth_secret[CONF_PATH];
	uint32_t n_command;
	char command[CONF_COMMAND]
		    [CONF_PATH]; /* run by super, as a user of its own; message on standard input */
	char template[CONF_TEMPLATE]; /* webhook: JSON with {{places}}; empty: the built-in one */
	uint32_t n_classes;
	char classes[ALERT_CLASSES][CONF_NAME]; /* only these; empty: by weight */
	uint8_t weight;                         /* only classes of at least this weight, 0..9 */
	uint32_t n_guests;
	char guests[CONF_POLICY_GUESTS][CONF_NAME]; /* only these; empty: all */
	char hours[CONF_HOURS];                     /* outside these only what is never throttled */
	struct conf_throttle
		throttle; /* hour, day, total: of this destination; window: at least this */
};

/* What the operator wants otherwise for a class than it comes with (alert/defaults.c). */
struct conf_alert_class_row {
	uint8_t class;  /* enum conf_alert_class */
	uint8_t weight; /* 0..9; 255: as it comes */
	uint8_t bypass; /* never throttled, never quiet by hours: 0, 1; 255: as it comes */
	uint32_t n_to;
	char to[CONF_DESTINATIONS][CONF_NAME]; /* only to these; empty: to all that take it */
	struct conf_throttle throttle;         /* UINT32_MAX, window -1: as it comes */
};

/* Nothing is sent, to all or to some, of what matches all that is given. */
struct conf_quiet {
	char comment[CONF_MAIL];
	char until[32];    /* "2026-12-31" or "2026-12-31 18:00", local time; empty: for good */
	uint8_t direction; /* enum event_direction; 0: any */
	uint8_t proto;     /* 0: any; 1 for both ICMPs */
	uint32_t n_ports, n_guests, n_sources, n_as, n_countries, n_sids, n_classes, n_to;
	struct conf_ports ports[CONF_POLICY_PORTS];
	char guests[CONF_POLICY_GUESTS][CONF_NAME];
	struct prefix sources[CONF_POLICY_NETS]; /* the other side's address, whoever began */
	char as[8][CONF_NUMBER];
	char countries[16][4];
	char sids[16][CONF_NUMBER];
	char to[CONF_DESTINATIONS][CONF_NAME]; /* only these are spared; empty: all */
	char classes[ALERT_CLASSES][CONF_NAME];
	char hours[CONF_HOURS];
};

struct conf_alerts {
	uint8_t on;
	uint8_t incidents;        /* a digest when an incident is over, if anything was held back */
	char digest[8];           /* time of the day's digest, "07:00"; empty: none */
	int64_t heartbeat_ns;     /* to destinations with watch */
	int64_t give_up_ns;       /* a message that can't be delivered for so long is given up */
	int64_t new_source_ns;    /* a source is new when it was not seen for so long */
	char location[CONF_PATH]; /* "auto", a libloc or .mmdb database; empty: none */
	char names
		[CONF_PATH]; /* names of addresses in the form of hosts(5); empty: none. Nobody is asked. */
	struct addr knocks
		[2]; /* not a setting: where `skep up` knocks at honeypots from, in the lab its router; ver 0 */
	struct addr resolvers
		[2];       /* not a setting: the name servers that guests are told; ver 0: none */
	uint8_t quiet_own; /* the built-in quiet rules: the guest's own DNS, ident, NTP, our own probes */
	uint32_t n_to, n_classes, n_quiet;
	struct conf_destination to[CONF_DESTINATIONS];
	struct conf_alert_class_row classes[ALERT_CLASSES];
	struct conf_quiet quiet[CONF_QUIET];
};

/* "escape", "rule-high"; "" for none of them. */
const char *conf_alert_class_text(enum conf_alert_class c);
const char *conf_destination_kind_text(enum conf_destination_kind k);
/* ALERT_CLASSES: there is none of that name. */
enum conf_alert_class conf_alert_class_of(const char *text);
/* Is it a mail address, a URL, as settings take them? */
bool conf_is_mail(const char *text);
bool conf_is_url(const char *text);
/* "07:00": minutes since midnight. SKEP_EFORMAT. */
MUST_USE int conf_clock_parse(const char *text, uint16_t *ret_minute);
/* "23:00-07:00": from the first minute, up to before the other; from > to goes over midnight. */
MUST_USE int conf_hours_parse(const char *text, uint16_t *ret_from, uint16_t *ret_to);
/* "2026-12-31" (that day included) or "2026-12-31 18:00": on a clock that shows local time, in ns since
 * 1970-01-01 00:00 of that clock. */
MUST_USE int conf_until_parse(const char *text, int64_t *ret_local_ns);

#endif
