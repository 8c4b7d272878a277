/* SPDX-License-Identifier: BSD-2-Clause */
/* Bridged guests and their neighbours, inside judge only (lan.c). A part of judge_priv.h, which includes it. */
#ifndef SKEP_JUDGE_LAN_PRIV_H
#define SKEP_JUDGE_LAN_PRIV_H

#include "judge/judge_priv.h"

/* The router's link address; NULL: not known. And is that address the router's? */
const struct mac *lan_router(const struct judge *j, uint8_t ver);
bool lan_is_router(const struct judge *j, const struct addr *a);
/* Somebody outside has begun f. */
void lan_met(struct judge *j, const struct flow *f, int64_t now_ns);
/* What a guest is told for an address on the link; NULL: nothing. */
const struct mac *lan_known(const struct judge *j, const struct addr *a);
/* A guest asks for the router. */
enum reason lan_ask(struct way *w, const struct neigh *n);
/* An answer from outside. */
enum reason lan_told(struct way *w, const struct neigh *n);

#endif
