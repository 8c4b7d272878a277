/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep init, its parts: init.c asks, answer.c reads an answer, propose.c finds defaults and says what is wrong
 * with a plan, show.c shows site and plan to people, write.c makes the configuration.
 */
#ifndef SKEP_INIT_H
#define SKEP_INIT_H

#include "conf/conf.h"
#include "site/site.h"

#define INIT_ADDRESSES 8 /* of each kind: so many honeypots */
#define INIT_WHY 256
#define INIT_TEXT 32768

enum init_place { PLACE_LAB, PLACE_ALIAS, PLACE_SHARED, PLACE_BRIDGE, PLACES };
extern const char *const init_places[PLACES];

struct init_site { /* what was found */
	struct site s;
	struct site_provider provider;
	struct site_session session; /* this very one */
	bool has_session;
	struct site_finding findings[SITE_FINDINGS];
	size_t n_findings;
	struct addr nameserver; /* the host's first; ver 0: none */
};

struct init_plan { /* what was answered */
	enum init_place place;
	char link[CONF_LINK]; /* empty: that of the default route */
	uint32_t n4, n6;
	struct prefix four[INIT_ADDRESSES],
		six[INIT_ADDRESSES];   /* the honeypots'; with host bits */
	struct addr gateway, gateway6; /* bridge */
	uint32_t n_keep;
	char keep[CONF_KEEP][CONF_KEEP_TEXT]; /* shared */
	struct prefix inside, inside6;
	char mail[CONF_MAIL], webhook[CONF_URL]; /* who is told of alerts; empty: nobody */
	char note[INIT_WHY]; /* what should be known before it is begun; empty: nothing */
};

/* ---- answer.c ---- */

/* Words of an answer into the plan: addresses, `via` a router, a link, ports to keep. Negative: why says what
 * was not understood, and the plan is half filled. */
MUST_USE int init_answer(const struct init_site *i, const char *text, struct init_plan *p,
			 char why[INIT_WHY]);
MUST_USE int init_place_of(const char *word, enum init_place *ret);
/* A mail address or the URL of a webhook: who is told of alerts. */
MUST_USE int init_told(const char *word, struct init_plan *p);
/* Adds a port that stays the host's; what is there already, or does not fit, is left out. */
void init_keep(struct init_plan *p, uint8_t proto, uint16_t port);

/* ---- propose.c ---- */

/* The link that a plan is about: the named one, else the uplink; NULL: there is none. */
const struct site_link *init_link(const struct init_site *i, const struct init_plan *p);
/* A card that nothing uses yet; NULL: none. */
const struct site_link *init_card(const struct init_site *i);
/* Can the honeynet stand there at all? */
MUST_USE int init_possible(const struct init_site *i, enum init_place place, char why[INIT_WHY]);
enum init_place init_best(const struct init_site *i);
/* A free IPv6 address for a honeypot in the uplink's network. -ENOENT: there is no such network. */
MUST_USE int init_free6(const struct init_site *i, struct addr *ret);
/* Fills in what need not be asked, then checks it all. Negative: why. */
MUST_USE int init_complete(const struct init_site *i, struct init_plan *p, char why[INIT_WHY]);
bool init_has_address(const struct init_site *i, const struct site_link *l, uint8_t ver);

/* ---- show.c ---- */

void init_show_site(const struct init_site *i);
void init_show_plan(const struct init_site *i, const struct init_plan *p, const char *file);
void init_show_next(const struct init_plan *p, const char *file, bool is_default);

/* ---- write.c ---- */

void init_write(struct writer *w, const struct init_site *i, const struct init_plan *p);

#endif
