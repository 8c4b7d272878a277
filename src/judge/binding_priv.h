/* SPDX-License-Identifier: BSD-2-Clause */
/* Which address lives at which port, and who is next on the way (binding.c), inside judge only. A part of judge_priv.h,
 * which includes it. */
#ifndef SKEP_JUDGE_BINDING_PRIV_H
#define SKEP_JUDGE_BINDING_PRIV_H

#include "judge/judge_priv.h"

/* Prepares ports and forwards from conf. */
MUST_USE int binding_setup(struct judge *j);
/* Does it make sense at that index? */
bool binding_fits(const struct judge *j, uint16_t index, const struct judge_port *p);
/* Takes the port's settings over and finds its limit slot. */
MUST_USE int binding_set(struct judge *j, uint16_t index, const struct judge_port *p);
/* The guest's port whose inside (or public) address it is; FLOW_NO_PORT: none. */
uint16_t binding_inside(const struct judge *j, const struct addr *a);
uint16_t binding_public(const struct judge *j, const struct addr *a);
/* Is the wall responsible for this address on the outside? */
bool binding_answers_outside(const struct judge *j, const struct addr *a);
/* The guest's public address of that version. */
const struct addr *binding_public_of(const struct port_state *s, uint8_t ver);
/* The router that what guests begin goes to, by version; NULL: not known. */
const struct mac *binding_router(const struct judge *j, uint8_t ver);
/* Where frames of f go on the outside. */
const struct mac *binding_hop(const struct judge *j, const struct flow *f);
/* The link addresses of what goes on from one port to another as by way of a router; false: not known. */
bool binding_link(const struct judge *j, const struct flow *f, uint16_t in, uint16_t out,
		  struct mac *ret_dst, struct mac *ret_src);
/* The forward that is asked for; NULL: none whose guest is here. */
const struct conf_forward *binding_forward(const struct judge *j, const struct flow_key *asked,
					   uint16_t *ret_port);
/* The sink's port; FLOW_NO_PORT: none, or it is down. */
uint16_t binding_sink(const struct judge *j);
/* Port of the guest of that name; FLOW_NO_PORT: none. */
uint16_t binding_name(const struct judge *j, const char *name);
/* Port of the guest with that MAC; FLOW_NO_PORT: none. */
uint16_t binding_mac(const struct judge *j, const struct mac *m);

#endif
