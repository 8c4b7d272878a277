/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of the headers of a packet. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <string.h>

struct rule_test *read_test_add(struct reading *r, enum test_kind kind)
{
	if (r->n_tests == READ_TESTS) {
		read_fail(r, r->at, "more than %u tests", READ_TESTS);
		return NULL;
	}
	struct rule_test *t = &r->tests[r->n_tests];
	memset(t, 0, sizeof(*t));
	t->kind = (uint8_t)kind;
	r->test_at[r->n_tests++] = r->at;
	return t;
}

struct rule_test *read_set_add(struct reading *r, enum test_kind kind)
{
	if (r->n_sets == READ_TESTS) {
		read_fail(r, r->at, "more than %u settings", READ_TESTS);
		return NULL;
	}
	struct rule_test *t = &r->sets[r->n_sets++];
	memset(t, 0, sizeof(*t));
	t->kind = (uint8_t)kind;
	return t;
}

static uint64_t most_of(enum test_kind kind)
{
	switch ((unsigned)kind) {
	case TEST_TTL:
	case TEST_TOS:
	case TEST_ITYPE:
	case TEST_ICODE:
	case TEST_TCP_WSCALE:
	case TEST_IP_PROTO:
		return 255;
	case TEST_IP_ID:
	case TEST_ICMP_ID:
	case TEST_ICMP_SEQ:
	case TEST_TCP_MSS:
	case TEST_TCP_WINDOW:
	case TEST_DSIZE:
		return 65535;
	case TEST_VLAN_LAYERS:
		return 3;
	default:
		return UINT32_MAX;
	}
}

/* Most of them: a number of the packet (arg: enum test_kind). */
int kw_number_test(struct reading *r, const struct keyword *k, struct slice v)
{
	struct rule_number n;
	v = slice_trim(slice_unquote(v));
	bool negated = false;
	if (v.len > 1 && v.at[0] == '!' && v.at[1] != '=') {
		bool range = memchr(v.at, '-', v.len) != NULL || memchr(v.at, '>', v.len) != NULL;
		if (range) {
			negated = true;
			v = slice_trim((struct slice){v.at + 1, v.len - 1});
		}
	}
	int e = read_number(r, v, most_of((enum test_kind)k->arg), &n);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, (enum test_kind)k->arg);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.number = n;
	t->negated = negated;
	return 0;
}

int kw_tcp_window(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_number n;
	int e = read_number(r, v, 65535, &n);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_TCP_WINDOW);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.number = n;
	return 0;
}

int kw_ip_proto(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {{"icmp", 1},  {"igmp", 2},    {"ipip", 4},       {"ip-in-ip", 4}, {"tcp", 6},
		     {"igrp", 9},  {"udp", 17},    {"ipv6", 41},      {"gre", 47},     {"esp", 50},
		     {"ah", 51},   {"icmpv6", 58}, {"ipv6-icmp", 58}, {"eigrp", 88},   {"ospf", 89},
		     {"pim", 103}, {"vrrp", 112},  {"l2tp", 115},     {"sctp", 132}};
	struct rule_number n = {.op = '='};
	struct slice name = v;
	v = slice_unquote(v);
	if (v.len > 0 && strchr("!<>=", v.at[0]) != NULL)
		name = slice_trim((struct slice){v.at + 1, v.len - 1});
	size_t i = 0;
	while (i < ARRAY_LEN(names) && !slice_is(name, names[i].name))
		i++;
	if (i < ARRAY_LEN(names)) {
		n.op = name.at != v.at ? (uint8_t)v.at[0] : '=';
		n.lo = n.hi = names[i].number;
	} else {
		int e = read_number(r, v, 255, &n);
		if (e < 0)
			return e;
	}
	struct rule_test *t = read_test_add(r, TEST_IP_PROTO);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.number = n;
	return 0;
}

int kw_ipopts(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	static const struct {
		const char *name;
		uint16_t bit;
	} names[] = {{"rr", IPOPT_RR},     {"lsrr", IPOPT_LSRR},   {"lsrre", IPOPT_LSRR},
		     {"ssrr", IPOPT_SSRR}, {"satid", IPOPT_SATID}, {"nop", IPOPT_NOP},
		     {"ts", IPOPT_TS},     {"sec", IPOPT_SEC},     {"esec", IPOPT_ESEC},
		     {"eol", IPOPT_EOL},   {"cipso", IPOPT_CIPSO}, {"rtralt", IPOPT_RTRALT},
		     {"any", IPOPT_ANY}};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!slice_is(v, names[i].name))
			continue;
		struct rule_test *t = read_test_add(r, TEST_IPOPTS);
		if (t == NULL)
			return SKEP_EFORMAT;
		t->u.number = (struct rule_number){.op = '&', .lo = names[i].bit};
		return 0;
	}
	return read_fail(
		r, v.at,
		"ipopts: unknown option '%.*s' (rr, lsrr, ssrr, satid, nop, ts, sec, esec, "
		"eol, cipso, rtralt, any)",
		(int)(v.len < 40 ? v.len : 40), v.at);
}

/* A mode sign and letters: *ret_mode '=' if there is none. */
static int letters(struct reading *r, struct slice v, const char *known, const uint8_t *bits,
		   uint16_t *ret, uint8_t *ret_mode)
{
	*ret = 0;
	*ret_mode = '=';
	bool seen = false;
	for (size_t i = 0; i < v.len; i++) {
		char c = v.at[i];
		if (isspace((unsigned char)c))
			continue;
		if (strchr("+*!", c) != NULL) {
			if (*ret_mode != '=')
				return read_fail(r, v.at + i, "%s: two modes", r->kw->name);
			*ret_mode = (uint8_t)c;
			continue;
		}
		const char *at = strchr(known, toupper((unsigned char)c));
		if (at == NULL || c == '\0')
			return read_fail(r, v.at + i, "%s: unknown letter '%c' (%s)", r->kw->name,
					 isprint((unsigned char)c) ? c : '?', known);
		*ret |= bits[at - known];
		seen = true;
	}
	return seen ? 0 : read_fail(r, v.at, "%s: no letter (%s)", r->kw->name, known);
}

int kw_fragbits(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	static const uint8_t bits[] = {1, 2, 4};
	uint16_t set;
	uint8_t mode;
	int e = letters(r, v, "MDR", bits, &set, &mode);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_FRAGBITS);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.fragbits.bits = set;
	t->u.fragbits.mode = mode;
	return 0;
}

int kw_fragoffset(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_number n;
	int e = read_number(r, v, 8191, &n);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_FRAGOFFSET);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.number = n;
	return 0;
}

int kw_sameip(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	return read_test_add(r, TEST_SAMEIP) != NULL ? 0 : SKEP_EFORMAT;
}

/* flags:S,CE  flags:A+  flags:!F  flags:0; 1 and 2 are the old names of C and E. */
int kw_tcp_flags(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	static const char known[] = "FSRPAUECWN12"; /* W, N: no flag */
	static const uint8_t bits[] = {1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 128, 64};
	struct slice mask = slice_unquote(v), set = slice_cut(&mask, ',');
	uint16_t s = 0, m = 0;
	uint8_t mode = '=', dummy;
	int e = 0;
	for (size_t i = 0; i < set.len; i++)
		if (toupper((unsigned char)set.at[i]) == 'W' ||
		    toupper((unsigned char)set.at[i]) == 'N')
			return read_fail(r, set.at + i, "flags: unknown letter '%c' (FSRPAUEC120)",
					 set.at[i]);
	struct slice none = set;
	if (none.len > 0 && none.at[0] == '!')
		none = slice_trim((struct slice){none.at + 1, none.len - 1});
	if (slice_is(none, "0"))
		mode = none.at != set.at ? '!' : '=';
	else
		e = letters(r, set, known, bits, &s, &mode);
	if (e == 0 && mask.at != NULL)
		e = letters(r, slice_trim(mask), known, bits, &m, &dummy);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_TCP_FLAGS);
	if (t == NULL)
		return SKEP_EFORMAT;
	if (slice_is(none, "0") && mode == '!') { /* some flag is set */
		mode = '*';
		s = 0xff;
	}
	t->u.flags.set = (uint8_t)s;
	t->u.flags.mask = (uint8_t)m;
	t->u.flags.mode = mode;
	return 0;
}

/* vlan.id:100; vlan.id:<100,1; vlan.id:100,all */
int kw_vlan_id(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct slice number = slice_cut(&v, ',');
	struct rule_number n;
	uint64_t layer = RULE_ANY_INDEX;
	int e = read_number(r, number, 4095, &n);
	if (e < 0)
		return e;
	if (v.at != NULL) {
		struct slice l = slice_trim(v);
		if (slice_is(l, "all"))
			layer = RULE_ALL_INDEX;
		else if (!slice_is(l, "any") && !slice_u64(l, 2, &layer))
			return read_fail(r, l.at, "vlan.id: the tag is 0 to 2, any or all");
	}
	struct rule_test *t = read_test_add(r, TEST_VLAN_ID);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.num.v = n;
	t->u.num.index = (uint32_t)layer;
	return 0;
}

/* rpc:PROGRAM,VERSION|*,PROCEDURE|* */
int kw_rpc(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	uint64_t x[3] = {0, 0, 0};
	bool any[3] = {false, true, true};
	for (unsigned i = 0; i < 3 && v.at != NULL; i++) {
		struct slice one = slice_cut(&v, ',');
		any[i] = slice_is(one, "*");
		if ((any[i] && i == 0) || (!any[i] && !slice_u64(one, UINT32_MAX, &x[i])))
			return read_fail(r, one.at,
					 "rpc: write rpc:PROGRAM,VERSION,PROCEDURE; '*' is any");
	}
	if (v.at != NULL)
		return read_fail(r, v.at, "rpc: more than three values");
	struct rule_test *t = read_test_add(r, TEST_RPC);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.rpc.program = (uint32_t)x[0];
	t->u.rpc.version = (uint32_t)x[1];
	t->u.rpc.procedure = (uint32_t)x[2];
	t->u.rpc.any_version = any[1];
	t->u.rpc.any_procedure = any[2];
	return 0;
}
