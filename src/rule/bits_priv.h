/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of tests of packet, flow and transaction, and what comparisons and bits are made of. */
#ifndef SKEP_RULE_BITS_PRIV_H
#define SKEP_RULE_BITS_PRIV_H

#include "rule/rule.h"

enum test_kind {
	TEST_TTL,
	TEST_TOS,
	TEST_IP_ID,
	TEST_IP_PROTO,
	TEST_IPOPTS,
	TEST_FRAGBITS,
	TEST_FRAGOFFSET,
	TEST_SAMEIP,
	TEST_TCP_FLAGS,
	TEST_TCP_SEQ,
	TEST_TCP_ACK,
	TEST_TCP_WINDOW,
	TEST_TCP_MSS,
	TEST_TCP_WSCALE,
	TEST_ITYPE,
	TEST_ICODE,
	TEST_ICMP_ID,
	TEST_ICMP_SEQ,
	TEST_ICMP6_MTU,
	TEST_DSIZE,
	TEST_VLAN_ID,
	TEST_VLAN_LAYERS,
	TEST_FLOW,
	TEST_FLOWBITS,
	TEST_FLOWINT,
	TEST_XBITS,
	TEST_HOSTBITS,
	TEST_STREAM_SIZE,
	TEST_FLOW_AGE,
	TEST_FLOW_PKTS,
	TEST_FLOW_BYTES,
	TEST_APP_PROTO,
	TEST_APP_EVENT,
	TEST_DECODE_EVENT,
	TEST_STREAM_EVENT,
	TEST_URILEN,
	TEST_NUMBER,
	TEST_SSL_VERSION,
	TEST_SSL_STATE,
	TEST_FILE_EXT,
	TEST_FILE_NAME,
	TEST_FILE_SIZE,
	TEST_DCE_OPNUM,
	TEST_DCE_IFACE,
	TEST_RPC,
	TEST_BYPASS,
	TEST_TUNNEL,
	TEST_RANDOM,
	TEST_DNS_RRTYPE,
	TEST_IPREP,
	TEST_REGION
};

/* Comparison of a number: op '=' '!' '<' '>' 'l' (<=) 'g' (>=) 'r' (lo < x < hi) 'R' (lo <= x <= hi)
 * '&' (any of the bits lo) '|' (any of the hi comparisons at list). A test's negated turns it over. */
struct rule_number {
	uint8_t op;
	uint64_t lo, hi;
	const struct rule_number *list;
};
bool rule_number_fits(const struct rule_number *n, uint64_t x);

enum flow_bits { /* TEST_FLOW */
		 FLOW_TO_SERVER = 1,
		 FLOW_TO_CLIENT = 2,
		 FLOW_ESTABLISHED = 4,
		 FLOW_NOT_ESTABLISHED = 8,
		 FLOW_STATELESS = 16,
		 FLOW_ONLY_STREAM = 32,
		 FLOW_NO_STREAM = 64,
		 FLOW_ONLY_FRAG = 128,
		 FLOW_NO_FRAG = 256
};
enum bits_op {
	BITS_SET,
	BITS_UNSET,
	BITS_TOGGLE,
	BITS_ISSET,
	BITS_ISNOTSET,
	BITS_ISSET_ANY,
	BITS_ISNOTSET_ANY,
	BITS_SETX,
	BITS_RESET
};
#define RULE_BITS 16
struct rule_bits { /* flowbits, xbits, hostbits; isset with several names: any (|) or all (&) */
	uint8_t op, n;
	uint8_t track; /* xbits: 's' ip_src, 'd' ip_dst, 'p' ip_pair */
	uint32_t expire_s;
	uint16_t ids[RULE_BITS]; /* numbers that the set gives to names */
	uint16_t group;          /* Snort's flowbits group + 1; 0: none */
};
enum flowint_op {
	FLOWINT_SET,
	FLOWINT_ADD,
	FLOWINT_SUB,
	FLOWINT_LT,
	FLOWINT_LE,
	FLOWINT_EQ,
	FLOWINT_NE,
	FLOWINT_GE,
	FLOWINT_GT,
	FLOWINT_ISSET,
	FLOWINT_NOTSET
};
struct rule_flowint {
	uint8_t op;
	uint16_t id, other; /* other: variable + 1 instead of value; 0: value */
	uint32_t value;
};

#endif
