/* SPDX-License-Identifier: BSD-2-Clause */
/* super's part of the real wire: super_uplink.c, super_confirm.c, super_guardian.c. */
#ifndef SKEP_SUPER_WIRE_H
#define SKEP_SUPER_WIRE_H

#include "role/uplink.h"

#include <jansson.h>

struct super;

/* The real wire: what is taken of it, and by what. Mode lab: plan.index is 0, and all of it unused. */
struct uplink_run {
	struct site *site; /* as it was last seen; room for the next look */
	struct uplink_plan plan;
	char inner[CONF_LINK]; /* the host's end of the wall's link */
	struct steer *steer;   /* NULL: not open (yet, or any more) */
	int trouble,
		blind; /* what the last look found wrong, in general and of the host's networks */
	bool lost;     /* our programs were taken off the link */
	bool untold;   /* the wall does not know the host's networks of now */
	struct mac peer, peer6; /* routers' link addresses; all zero: not known yet */
	int64_t looked_ns, mended_ns;
	uint8_t listened
		[SITE_PORT_BYTES]; /* as at the last look; what is new is looked at more closely */
	uint32_t noted; /* index of the link that the run file names last as having our programs */
};

/* A start on the real wire lasts only if somebody proves that he can still come in. */
struct confirm_run {
	bool wanted;
	int64_t since_ns, until_ns;
	uint32_t n_known; /* sessions that were open before: they prove nothing */
	struct site_session known[SITE_SESSIONS + 1];
};

/* super_uplink.c; in mode lab each does nothing. */
/* Looks at the host and plans what is taken of it; changes nothing. */
MUST_USE int uplink_find(struct super *s, char *why, size_t why_size);
/* The wall's link to the host's namespace. */
MUST_USE int uplink_build(struct super *s, char *why, size_t why_size);
/* From here on frames come and go by the real wire. */
MUST_USE int uplink_open(struct super *s, char *why, size_t why_size);
/* Once a second or more often: sign of life, and what has changed out there. */
void uplink_tick(struct super *s, int64_t now);
/* All is the host's again. */
void uplink_close(struct super *s);
json_t *uplink_json(const struct super *s);

/* super_confirm.c */
void confirm_begin(struct super *s);
void confirm_tick(struct super *s, int64_t now);
json_t *confirm_answer(struct super *s, const json_t *request);
json_t *confirm_json(const struct super *s);

/* super_guardian.c: a child that waits for our end and cleans up what we then left. */
MUST_USE int guardian_start(struct super *s);
void guardian_died(struct super *s);
/* Another one, if there is none: also where starting it failed. */
void guardian_tick(struct super *s, int64_t now);
/* Last of all: there is nothing left to clean up, and who waits for our end finds nobody. */
void guardian_end(struct super *s);
/* What it does then: removes all that super left, but for the limits; -EALREADY: another one runs. */
MUST_USE int state_bury(const struct conf *c);

#endif
