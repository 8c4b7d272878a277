/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule is about (addresses, ports), and one buffer with all that is asked of it. */
#ifndef SKEP_RULE_BUFFER_PRIV_H
#define SKEP_RULE_BUFFER_PRIV_H

#include "rule/content_priv.h"

enum rule_proto {
	PROTO_ANY_IP,
	PROTO_ONLY_TCP,
	PROTO_ONLY_UDP,
	PROTO_ONLY_ICMP,
	PROTO_ONLY_ICMP4,
	PROTO_ONLY_ICMP6,
	PROTO_ONLY_SCTP,
	PROTO_TCP_PKT,
	PROTO_TCP_STREAM,
	PROTO_PKTHDR,
	PROTO_ONLY_IP4,
	PROTO_ONLY_IP6,
	PROTO_NUMBER,
	PROTO_APP,
	PROTO_ARP
};

struct addr_range {
	struct addr lo, hi; /* same version, inclusive */
};
struct addr_set { /* matches if (any or in yes) and not in no */
	bool any;
	uint32_t n_yes, n_no;
	struct addr_range *yes, *no;
};
struct port_range {
	uint16_t lo, hi;
};
struct port_set {
	bool any;
	uint32_t n_yes, n_no;
	struct port_range *yes, *no;
};
bool addr_set_has(const struct addr_set *s, const struct addr *a);
bool port_set_has(const struct port_set *s, uint16_t port);

enum transform {
	TRANSFORM_NONE,
	TRANSFORM_DOTPREFIX,
	TRANSFORM_STRIP_WS,
	TRANSFORM_COMPRESS_WS,
	TRANSFORM_TO_LOWER,
	TRANSFORM_TO_UPPER,
	TRANSFORM_TO_MD5,
	TRANSFORM_TO_SHA1,
	TRANSFORM_TO_SHA256,
	TRANSFORM_URL_DECODE,
	TRANSFORM_XOR,
	TRANSFORM_PCREXFORM,
	TRANSFORM_HEADER_LOWER,
	TRANSFORM_STRIP_PSEUDO,
	TRANSFORM_FROM_BASE64,
	TRANSFORM_DOMAIN,
	TRANSFORM_TLD,
	TRANSFORM_LUA_UNSUPPORTED,
	TRANSFORM_GUNZIP,
	TRANSFORM_ZLIB_DEFLATE,
	TRANSFORM_SUBSLICE
};
#define RULE_TRANSFORMS 8
struct rule_transform {
	uint8_t kind; /* enum transform */
	uint8_t *arg; /* xor key; regex text of pcrexform, terminated */
	uint32_t arg_len;
	int32_t a, b; /* from_base64: bytes, offset; subslice: offset, bytes */
	uint8_t mode; /* from_base64: 0 rfc4648, 1 rfc2045, 2 strict */
	void *code;   /* pcre2_code, made at finish */
};

/* All that is asked of one instance of one buffer. */
struct rule_list {
	uint16_t buffer; /* enum app_buffer; BUF_PAYLOAD: packet or stream */
	uint8_t n_transforms;
	struct rule_transform *transforms; /* n_transforms; NULL: none */
	uint32_t n;
	struct match *m;
	char *header;     /* Snort 3's http_header:field name, lower case; NULL: none */
	uint8_t dirs;     /* of a '=>' rule: BUFFER_TS or BUFFER_TC, to look at one only; 0: any */
	bool base64_data; /* the rest matches what the last base64_decode made of another list */
};

#endif
