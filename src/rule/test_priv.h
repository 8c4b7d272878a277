/* SPDX-License-Identifier: BSD-2-Clause */
/* One test of packet, flow or transaction as a whole. */
#ifndef SKEP_RULE_TEST_PRIV_H
#define SKEP_RULE_TEST_PRIV_H

#include "rule/bits_priv.h"

#define RULE_ANY_INDEX 255u
#define RULE_ALL_INDEX 254u

enum ssl_bits { /* TEST_SSL_VERSION */
		SSL_V2 = 1,
		SSL_V3 = 2,
		SSL_TLS10 = 4,
		SSL_TLS11 = 8,
		SSL_TLS12 = 16,
		SSL_TLS13 = 32
};
enum ssl_state_bits { /* TEST_SSL_STATE */
		      SSL_CLIENT_HELLO = 1,
		      SSL_SERVER_HELLO = 2,
		      SSL_CLIENT_KEYX = 4,
		      SSL_SERVER_KEYX = 8,
		      SSL_UNKNOWN = 16
};

struct rule_test {
	uint8_t kind; /* enum test_kind */
	bool negated;
	union {
		struct rule_number number; /* most */
		struct {
			uint8_t set, mask, mode;
		} flags; /* mode '=' exact, '+' at least, '*' any, '!' none */
		struct {
			uint16_t bits;
			uint8_t mode;
		} fragbits;    /* bits 1 M, 2 D, 4 R */
		uint32_t flow; /* enum flow_bits */
		struct rule_bits bits;
		struct rule_flowint flowint;
		struct {
			uint8_t side;
			struct rule_number n;
		} size; /* side 's','c','b' both,'e' either */
		struct {
			uint8_t side;
			struct rule_number n;
		} count; /* flow.pkts/bytes: 's','c','e','b' sum */
		struct {
			uint8_t app;
			uint8_t mode;
		} app; /* mode: 0 flow's, 's','c' a direction's, 'f' final, 'o' original, 'e' either */
		struct {
			uint8_t proto;
			uint16_t event;
		} event; /* app event; decode and stream: event */
		struct {
			uint8_t n;
			struct rule_number v;
			uint32_t index;
		} num; /* TEST_NUMBER: n enum app_number. TEST_VLAN_ID: index of the tag, outermost 0,
			* or RULE_ANY_INDEX, RULE_ALL_INDEX */
		struct {
			char *text;
			uint32_t len;
			bool nocase;
		} text;
		struct {
			struct rule_number n;
			bool raw, norm;
		} urilen;
		struct {
			uint8_t uuid[16];
			struct rule_number version;
			bool any_frag, has_version;
		} iface;
		struct {
			uint16_t on, off;
		} ssl; /* bits per version or state: one of on (0: any), none of off */
		struct {
			uint32_t program, version, procedure;
			bool any_version, any_procedure;
		} rpc;
	} u;
};

#endif
