/* SPDX-License-Identifier: BSD-2-Clause */
/* What stays between rules while a set is read, and the functions of keywords. */
#ifndef SKEP_RULE_READER_PRIV_H
#define SKEP_RULE_READER_PRIV_H

#include "rule/read_priv.h"

#define READ_CACHE 256u
struct addr_cache {
	char *text;
	struct addr_set set;
};
struct port_cache {
	char *text;
	struct port_set set;
};
struct suppress_line {     /* of threshold.config */
	uint32_t gid, sid; /* 0: all */
	struct rule_threshold t;
};
struct reader_state {
	struct reading r;
	char *joined; /* READ_TEXT bytes */
	struct text_break breaks[512];
	char **interned;
	uint32_t n_interned, cap_interned; /* power of two */
	uint32_t *sids, cap_sids;          /* rule index + 1 by gid and sid; power of two */
	struct addr_cache addrs[READ_CACHE];
	struct port_cache ports[READ_CACHE];
	struct suppress_line *lines;
	uint32_t n_lines, cap_lines;
	uint64_t bit_hash[2];
	uint32_t *bits, cap_bits; /* bit number + 1 by name; power of two */
};
struct reader_state *reader_of_set(struct rule_set *s);
uint32_t text_hash(const char *s, size_t len);

/* Addresses and ports of a rule's header, with variables (vars.c). *ret_at, *ret_text: what is wrong
 * and where, when the result is SKEP_EFORMAT. */
struct expr_problem {
	const char *at;
	char text[160];
};
int addr_set_parse(struct rule_pool *pool, const struct rule_vars *v, struct slice s,
		   struct addr_set *ret, struct expr_problem *p);
int port_set_parse(struct rule_pool *pool, const struct rule_vars *v, struct slice s,
		   struct port_set *ret, struct expr_problem *p);
MUST_USE int rule_vars_copy(const struct rule_vars *from, struct rule_vars **ret);
/* Parts of rule_set_print: a test, the bytes of a content. */
void print_test(const struct rule_set *s, const struct rule_test *t, struct writer *w);
void print_bytes(struct writer *w, const uint8_t *bytes, uint32_t len);
/* Gives threshold.config's lines to the rules they are about. */
int read_apply_thresholds(struct rule_set *s);

/* ---- keyword functions, one family a file ------------------------------------------------------- */

kw_fn kw_content, kw_modifier, kw_buffer, kw_nocase, kw_position, kw_fast_pattern, kw_starts,
	kw_ends, kw_rawbytes, kw_replace, kw_pkt_data, kw_base64_data, kw_absent, kw_bsize,
	kw_entropy, kw_value_content, kw_sip_list, kw_js_data, kw_word;
kw_fn kw_pcre, kw_transform;
kw_fn kw_byte_test, kw_byte_jump, kw_byte_extract, kw_byte_math, kw_isdataat, kw_base64_decode,
	kw_ber, kw_asn1;
kw_fn kw_number_test, kw_ip_proto, kw_ipopts, kw_fragbits, kw_fragoffset, kw_sameip, kw_tcp_flags,
	kw_tcp_window, kw_vlan_id, kw_rpc;
kw_fn kw_flow, kw_flowbits, kw_flowint, kw_xbits, kw_hostbits, kw_stream_size, kw_flow_count,
	kw_bypass;
kw_fn kw_app_proto, kw_app_event, kw_urilen, kw_app_number, kw_tls_version, kw_tls_date,
	kw_ssl_version, kw_ssl_state, kw_dce_opnum, kw_dce_iface, kw_file_text, kw_filesize,
	kw_smb_version;
kw_fn kw_msg, kw_sid, kw_gid, kw_rev, kw_priority, kw_classtype, kw_reference, kw_metadata,
	kw_target, kw_tag, kw_threshold, kw_detection_filter, kw_noalert, kw_alert, kw_prefilter,
	kw_service, kw_requires, kw_ignored;

#endif
