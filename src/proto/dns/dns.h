/* SPDX-License-Identifier: BSD-2-Clause */
/* What dns.c (messages) and dns_eve.c (events) share. */
#ifndef SKEP_PROTO_DNS_H
#define SKEP_PROTO_DNS_H

#include "proto/proto_priv.h"

#define DNS_NAME 1025u   /* longest name, in text */
#define DNS_RECORDS 128u /* of a message; later ones are passed over */

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_NULL = 10,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_SSHFP = 44
};

struct dns_rr {
	uint8_t section; /* enum dns_section */
	uint16_t type, class, name_len, data_len;
	uint32_t ttl, name, data; /* name: offset in names; data: offset in msg */
};
struct dns_tx {
	struct app_tx tx;
	struct dns_rr *rr; /* n of them; all three lie behind the struct */
	uint8_t *names, *msg;
	uint32_t n, len;
	uint16_t flags;
	bool response, bare; /* bare: carries an event only */
};

/* Decodes the name at offset at into out (DNS_NAME bytes). Returns the offset behind it (0: broken);
 * oddities set bits of events in *ret_trouble. */
uint32_t dns_name(const uint8_t *d, uint32_t len, uint32_t at, uint8_t *out, uint32_t *ret_len,
		  unsigned *ret_trouble);
bool dns_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o);

#endif
