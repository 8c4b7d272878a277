/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uplink: what a honeynet takes of a host's real wire, and what stays the host's: made from a survey and the
 * configuration alone, so that `skep up` can show it before anything is touched, and super does just that.
 * Beside it what outlives a run: which start was confirmed, and what was rolled back.
 */
#ifndef SKEP_UPLINK_H
#define SKEP_UPLINK_H

#include "conf/conf.h"
#include "site/site.h"
#include "steer/steer.h"

#define UPLINK_LINE 256

struct uplink_plan {
	char link[CONF_LINK];
	uint32_t index, mtu;
	struct mac mac;
	uint8_t up;
	struct addr own, own6; /* the uplink's addresses that a shared guest has; ver 0: none */
	struct addr gateway, gateway6; /* ver 0: none, or by the link itself */
	uint32_t n_yielded; /* aliases that are addresses of the host's by now: they are its own */
	struct steer_plan steer;
};

/* before: the last plan (its addresses are kept as long as the uplink has them; an alias that has become an
 * address of the host's is left to it), or NULL. why: what is wrong, with its
 * cure. Mode lab has no plan: -EINVAL. */
MUST_USE int uplink_plan(const struct conf *c, const struct site *site,
			 const struct uplink_plan *before, struct uplink_plan *ret, char *why,
			 size_t why_size);
/* Adds a port that stays the host's, once. SKEP_EFULL: too many. */
MUST_USE int uplink_keep(struct steer_plan *p, uint8_t proto, uint16_t port);
/* Adds what of ports (bits, as site_listening has them) is a login's of the host's: one that moved is kept too. How many. */
uint32_t uplink_keep_logins(struct steer_plan *p, const struct site *site,
			    const uint8_t ports[SITE_PORT_BYTES]);
/* Mode bridge: why the host itself needs this link (its addresses, its default route, the operator's session). ret
 * is empty if it does not. */
void uplink_in_use(const struct site *site, uint32_t index, char *ret, size_t size);
bool uplink_shared(const struct conf *c);
/* "tcp 22 80, udp 68" */
void uplink_write_kept(struct writer *w, const struct steer_plan *p);

/* ---- what outlives a run (STATE/confirmed, STATE/rollback.log) ---- */

/* Has a start with this very uplink part been confirmed? Then the ports that were kept by it are kept again. */
bool uplink_was_confirmed(const struct conf *c, struct steer_plan *kept);
MUST_USE int uplink_confirm(const struct conf *c, const struct steer_plan *kept);
void uplink_note_rollback(const struct conf *c, const char *text);
/* The last rollback, if nothing was confirmed since. */
bool uplink_rolled_back(const struct conf *c, char ret[UPLINK_LINE]);

#endif
