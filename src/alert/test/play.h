/* SPDX-License-Identifier: BSD-2-Clause */
/* A script of events against an engine with a clock of its own. */
#ifndef SKEP_ALERT_TEST_PLAY_H
#define SKEP_ALERT_TEST_PLAY_H

#include "alert/alert.h"

#define SECOND NS_PER_SEC
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* Clocks here are an hour ahead of UTC. */
#define AHEAD_S 3600

struct play {
	struct conf_alerts conf;
	struct arena arena;
	struct alert *alert;
	int64_t now_ns;
	uint64_t incident; /* of the next events */
	uint64_t next_flow;
	bool stored; /* events go through the JSON of the store, as in a preview */
	/* What comes out. */
	void (*send)(struct play *p, const struct alert_message *m);
	void (*held)(struct play *p, const struct alert_held *h);
	void (*each)(struct play *p); /* before each event; may be NULL */
	struct disk *disk;            /* what was saved; made when it is needed */
	void *ctx;
};

/* Two destinations: mail (everything, digests) and pager (short, weight 6, 6 an hour, 20 a day). */
void play_conf(struct conf_alerts *c);
void play_open(struct play *p);
/* Saves what changed, as alerter does after each batch. */
void play_save(struct play *p);
/* A new engine with what was saved up to now. */
void play_restart(struct play *p);
void play_close(struct play *p);

/* Each moves no clock. */
void play_event(struct play *p, const struct event *e);
void play_wait(struct play *p, int64_t ns);
struct event play_connection(struct play *p, enum event_direction d, const char *guest,
			     const char *other, uint8_t proto, uint16_t port);
void play_inbound(struct play *p, const char *guest, const char *source, uint16_t port, bool open);
void play_outbound(struct play *p, const char *guest, const char *to, uint8_t proto, uint16_t port);
void play_lateral(struct play *p, const char *guest, const char *to, uint16_t port);
/* Opens an incident and makes it that of what follows; source "": the guest acts by itself. */
void play_open_incident(struct play *p, const char *guest, const char *source);
void play_quiet_incident(struct play *p, const char *guest, const char *source);
void play_login(struct play *p, const char *guest, const char *source, const char *user);
void play_command(struct play *p, const char *guest, const char *line);
void play_rule(struct play *p, const char *guest, const char *source, uint32_t severity,
	       uint32_t sid);
void play_limit(struct play *p, const char *guest);
void play_escape(struct play *p, const char *guest);
void play_health(struct play *p, const char *role, const char *what);
void play_silence(struct play *p, const char *guest);

/* Streams by name; false: there is none. */
struct stream {
	const char *name;
	void (*conf)(struct conf_alerts *c);
	void (*run)(struct play *p);
};
extern const struct stream play_streams[];
const struct stream *play_stream(const char *name);

#endif
