/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * facts: what is known of an address without asking anybody: country and AS by a database on this
 * machine (libloc, or a user's own .mmdb), a name by the operator's own table, the operating system
 * by how it greets (p0f's signatures). Each with the age of its data. Used by alerter and cmd.
 *
 * Nothing here touches the network: a look-up could be seen by whom it is about.
 */
#ifndef SKEP_FACTS_H
#define SKEP_FACTS_H

#include "event/event.h"

struct facts;
struct facts_of {
	char country[4];                    /* ISO 3166, "" if not known */
	uint32_t as;                        /* 0: not known */
	char as_name[64];                   /* foreign bytes */
	uint8_t anonymous, hosting, pad[2]; /* marked so: proxy or Tor exit; satellite is neither */
	int64_t place_ns;                   /* when the database was made; 0: there is none */
	char name[64];                      /* by the operator's table; "" */
	char os[48];                        /* "Linux 3.11 and newer", "" ; printable ASCII */
	int64_t os_ns;                      /* when the signatures were made; 0: there are none */
	uint8_t hops;                       /* guessed distance; 255: not known */
};

/* Descriptors (-1: none) stay the caller's and may be closed afterwards; bad data is left out and
 * said in why (may be empty). Only -ENOMEM is an error. */
MUST_USE int facts_open(int location, int names, int signatures, char *why, size_t why_size,
			struct facts **ret);
/* syn may be NULL. Bounded, allocates nothing of ours. */
void facts_of(struct facts *f, const struct addr *a, const struct event_syn *syn,
	      struct facts_of *ret);
void facts_close(struct facts **f);
/* Opens location ("auto": where libloc and geoipupdate put theirs), names ("" for neither), and p0f's
 * signatures: the caller's descriptors, -1 for what is not there or may not be read. */
void facts_find(const char *location, const char *names, int ret_fds[3]);

#endif
