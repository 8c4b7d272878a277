/* SPDX-License-Identifier: BSD-2-Clause */
/* Small databases, made by hand: what the tests expect is in them. */
#ifndef SKEP_FACTS_TEST_PLACES_H
#define SKEP_FACTS_TEST_PLACES_H

/* Each returns a new descriptor of an unnamed file. 1.2.3.0/24 is NZ, AS 64500 "Example Net", anonymous;
 * 2001:db8:5::/48 is PE, AS 64501 "Andes" (and in MaxMind's format hosting, said as others say it). */
int places_mmdb(void);
int places_libloc(void);

#endif
