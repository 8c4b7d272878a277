/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of the conversation a packet belongs to, and of the bits rules leave there. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <string.h>

/* ---- flow --------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t bit;
} flow_words[] = {
	{"to_server", FLOW_TO_SERVER},     {"toserver", FLOW_TO_SERVER},
	{"from_client", FLOW_TO_SERVER},   {"fromclient", FLOW_TO_SERVER},
	{"to_client", FLOW_TO_CLIENT},     {"toclient", FLOW_TO_CLIENT},
	{"from_server", FLOW_TO_CLIENT},   {"fromserver", FLOW_TO_CLIENT},
	{"established", FLOW_ESTABLISHED}, {"not_established", FLOW_NOT_ESTABLISHED},
	{"stateless", FLOW_STATELESS},     {"only_stream", FLOW_ONLY_STREAM},
	{"onlystream", FLOW_ONLY_STREAM},  {"no_stream", FLOW_NO_STREAM},
	{"nostream", FLOW_NO_STREAM},      {"only_frag", FLOW_ONLY_FRAG},
	{"no_frag", FLOW_NO_FRAG},
};

int kw_flow(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	uint32_t bits = 0;
	for (uint32_t i = 0; i < r->n_tests; i++)
		if (r->tests[i].kind == TEST_FLOW)
			return read_fail(r, r->at, "flow is given twice");
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		size_t i = 0;
		while (i < ARRAY_LEN(flow_words) && !slice_is(one, flow_words[i].name))
			i++;
		if (i == ARRAY_LEN(flow_words))
			return read_fail(r, one.at, "flow: unknown word '%.*s'",
					 (int)(one.len < 40 ? one.len : 40), one.at);
		if (bits & flow_words[i].bit)
			return read_fail(r, one.at, "flow: '%.*s' is given twice", (int)one.len,
					 one.at);
		bits |= flow_words[i].bit;
	}
	static const uint32_t either[][2] = {
		{FLOW_TO_SERVER, FLOW_TO_CLIENT},   {FLOW_ESTABLISHED, FLOW_NOT_ESTABLISHED},
		{FLOW_ESTABLISHED, FLOW_STATELESS}, {FLOW_NOT_ESTABLISHED, FLOW_STATELESS},
		{FLOW_ONLY_STREAM, FLOW_NO_STREAM}, {FLOW_ONLY_FRAG, FLOW_NO_FRAG}};
	for (size_t i = 0; i < ARRAY_LEN(either); i++)
		if ((bits & either[i][0]) && (bits & either[i][1]))
			return read_fail(r, r->at, "flow: two words exclude each other");
	struct rule_test *t = read_test_add(r, TEST_FLOW);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.flow = bits;
	return 0;
}

/* ---- bits --------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t op;
	uint8_t of; /* 1: flowbits, 2: xbits and hostbits */
} bit_words[] = {
	{"set", BITS_SET, 3},     {"unset", BITS_UNSET, 3},       {"toggle", BITS_TOGGLE, 3},
	{"isset", BITS_ISSET, 3}, {"isnotset", BITS_ISNOTSET, 3}, {"setx", BITS_SETX, 1},
	{"reset", BITS_RESET, 1},
};

static bool bits_asks(uint8_t op)
{
	return op == BITS_ISSET || op == BITS_ISNOTSET || op == BITS_ISSET_ANY ||
	       op == BITS_ISNOTSET_ANY;
}

static int bit_op(struct reading *r, struct slice word, uint8_t of, uint8_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(bit_words); i++)
		if (slice_is(word, bit_words[i].name) && (bit_words[i].of & of)) {
			*ret = bit_words[i].op;
			return 0;
		}
	return read_fail(r, word.at != NULL ? word.at : r->at,
			 "%s: unknown action '%.*s' (set, unset, toggle, isset, isnotset%s)",
			 r->kw->name, (int)(word.len < 40 ? word.len : 40), word.at,
			 of == 1 ? ", noalert" : "");
}

static int bit_names(struct reading *r, struct slice names, struct rule_bits *b)
{
	bool any = memchr(names.at, '|', names.len) != NULL;
	bool all = memchr(names.at, '&', names.len) != NULL;
	if (any && all)
		return read_fail(r, names.at, "%s: '|' and '&' can't be mixed", r->kw->name);
	if (any && !bits_asks(b->op))
		return read_fail(r, names.at, "%s: '|' only with isset and isnotset", r->kw->name);
	if (any)
		b->op = b->op == BITS_ISSET ? BITS_ISSET_ANY : BITS_ISNOTSET_ANY;
	while (names.at != NULL) {
		struct slice one = slice_cut(&names, any ? '|' : '&');
		if (b->n == RULE_BITS)
			return read_fail(r, one.at, "%s: more than %d names", r->kw->name,
					 RULE_BITS);
		int e = read_bit(r, one, &b->ids[b->n]);
		if (e < 0)
			return e;
		b->n++;
	}
	return 0;
}

static int add_bits(struct reading *r, enum test_kind kind, const struct rule_bits *b)
{
	struct rule_test *t = bits_asks(b->op) ? read_test_add(r, kind) : read_set_add(r, kind);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.bits = *b;
	return 0;
}

int kw_flowbits(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_bits b = {0};
	struct slice word = slice_cut(&v, ',');
	if (slice_is(word, "noalert")) {
		if (v.at != NULL)
			return read_fail(r, v.at, "flowbits: noalert takes no name");
		r->rule->noalert = true;
		return 0;
	}
	int e = bit_op(r, word, 1, &b.op);
	if (e < 0)
		return e;
	struct slice names = slice_cut(&v, ',');
	if (b.op == BITS_RESET)
		return read_fail(r, word.at,
				 "flowbits: reset is not supported, name bits to unset");
	if (names.at == NULL || names.len == 0)
		return read_fail(r, word.at, "flowbits: the name is missing");
	e = bit_names(r, names, &b);
	if (e == 0 && v.at != NULL) {
		uint16_t group = 0;
		e = read_bit(r, slice_trim(v), &group);
		b.group = (uint16_t)(group + 1);
	}
	return e < 0 ? e : add_bits(r, TEST_FLOWBITS, &b);
}

/* xbits:set,NAME,track ip_pair,expire 60 */
int kw_xbits(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_bits b = {0};
	if (slice_is(v, "noalert")) {
		r->rule->noalert = true;
		return 0;
	}
	int e = bit_op(r, slice_cut(&v, ','), 2, &b.op);
	if (e < 0)
		return e;
	struct slice name = slice_cut(&v, ',');
	e = read_bit(r, name, &b.ids[0]);
	b.n = 1;
	while (e == 0 && v.at != NULL) {
		struct slice one = slice_cut(&v, ','), rest = one, word = slice_word(&rest);
		uint64_t x = 0;
		if (slice_is(word, "track") && slice_is(rest, "ip_src"))
			b.track = 's';
		else if (slice_is(word, "track") && slice_is(rest, "ip_dst"))
			b.track = 'd';
		else if (slice_is(word, "track") && slice_is(rest, "ip_pair"))
			b.track = 'p';
		else if (slice_is(word, "track") && slice_is(rest, "tx"))
			return read_fail(r, rest.at,
					 "xbits: bits of transactions are not supported");
		else if (slice_is(word, "expire") && slice_u64(rest, UINT32_MAX, &x) && x > 0)
			b.expire_s = (uint32_t)x;
		else
			return read_fail(r, one.at,
					 "xbits: '%.*s' is none of track ip_src|ip_dst|ip_pair, "
					 "expire SECONDS",
					 (int)(one.len < 40 ? one.len : 40), one.at);
	}
	if (e == 0 && b.track == 0)
		e = read_fail(r, r->at, "xbits: track is missing");
	if (b.expire_s == 0)
		b.expire_s = 30;
	return e < 0 ? e : add_bits(r, TEST_XBITS, &b);
}

/* hostbits:set,NAME[,src|dst|both] */
int kw_hostbits(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_bits b = {.n = 1, .track = 's'};
	if (slice_is(v, "noalert")) {
		r->rule->noalert = true;
		return 0;
	}
	int e = bit_op(r, slice_cut(&v, ','), 2, &b.op);
	if (e == 0)
		e = read_bit(r, slice_cut(&v, ','), &b.ids[0]);
	if (e < 0)
		return e;
	if (v.at != NULL) {
		struct slice side = slice_trim(v);
		if (!slice_is(side, "src") && !slice_is(side, "dst") && !slice_is(side, "both"))
			return read_fail(r, side.at, "hostbits: the host is src, dst or both");
		b.track = (uint8_t)(slice_is(side, "both") ? 'p'
							   : tolower((unsigned char)side.at[0]));
	}
	return add_bits(r, TEST_HOSTBITS, &b);
}

/* ---- counters ----------------------------------------------------------------------------------- */

int kw_flowint(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	static const struct {
		const char *name;
		uint8_t op;
	} ops[] = {
		{"=", FLOWINT_SET},       {"+", FLOWINT_ADD},           {"-", FLOWINT_SUB},
		{"<", FLOWINT_LT},        {"<=", FLOWINT_LE},           {"==", FLOWINT_EQ},
		{"!=", FLOWINT_NE},       {">=", FLOWINT_GE},           {">", FLOWINT_GT},
		{"isset", FLOWINT_ISSET}, {"isnotset", FLOWINT_NOTSET}, {"notset", FLOWINT_NOTSET}};
	struct rule_flowint f = {0};
	int e = read_bit(r, slice_cut(&v, ','), &f.id);
	if (e < 0)
		return e;
	struct slice op = slice_cut(&v, ',');
	size_t i = 0;
	while (i < ARRAY_LEN(ops) && !slice_is(op, ops[i].name))
		i++;
	if (i == ARRAY_LEN(ops))
		return read_fail(r, op.at != NULL ? op.at : r->at,
				 "flowint: unknown operation '%.*s' (= + - < <= == != >= > isset "
				 "isnotset)",
				 (int)(op.len < 40 ? op.len : 40), op.at != NULL ? op.at : "");
	f.op = ops[i].op;
	bool unary = f.op == FLOWINT_ISSET || f.op == FLOWINT_NOTSET;
	if (unary != (v.at == NULL))
		return read_fail(r, op.at, "flowint: '%.*s' %s", (int)op.len, op.at,
				 unary ? "takes no value" : "needs a value");
	v = slice_trim(v);
	uint64_t x = 0;
	if (!unary && slice_u64(v, UINT32_MAX, &x)) {
		f.value = (uint32_t)x;
	} else if (!unary) {
		uint16_t other = 0;
		if (v.len == 0 || isdigit((unsigned char)v.at[0]) || v.at[0] == '-')
			return read_fail(r, v.at, "flowint: '%.*s' is no 32-bit number", (int)v.len,
					 v.at);
		e = read_bit(r, v, &other);
		f.other = (uint16_t)(other + 1);
	}
	bool sets = f.op == FLOWINT_SET || f.op == FLOWINT_ADD || f.op == FLOWINT_SUB;
	struct rule_test *t = e < 0  ? NULL
			      : sets ? read_set_add(r, TEST_FLOWINT)
				     : read_test_add(r, TEST_FLOWINT);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.flowint = f;
	return 0;
}

/* ---- sizes -------------------------------------------------------------------------------------- */

static bool side_of(struct slice s, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t side;
	} sides[] = {{"server", 's'},   {"client", 'c'},   {"both", 'b'},      {"either", 'e'},
		     {"toserver", 's'}, {"toclient", 'c'}, {"to_server", 's'}, {"to_client", 'c'}};
	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		if (slice_is(s, sides[i].name)) {
			*ret = sides[i].side;
			return true;
		}
	return false;
}

/* stream_size:server,<,5; Snort 3 also: stream_size:<5,to_server. */
int kw_stream_size(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct slice rest = v, first = slice_cut(&rest, ',');
	struct rule_number n;
	uint8_t side = 'e';
	int e = 0;
	if (side_of(first, &side)) {
		char text[64];
		struct slice op = slice_cut(&rest, ','), x = slice_trim(rest);
		struct writer w = writer_of(text, sizeof(text));
		if (rest.at == NULL)
			return read_fail(r, v.at, "stream_size: write stream_size:SIDE,<,BYTES");
		static const char *const known[] = {"<", ">", "=", "!=", "<=", ">=", "!"};
		bool fine = false;
		for (size_t i = 0; i < ARRAY_LEN(known); i++)
			fine |= slice_is(op, known[i]);
		uint64_t dummy;
		if (!fine || !slice_u64(x, UINT32_MAX, &dummy))
			return read_fail(r, op.at, "stream_size: '%.*s,%.*s' is no comparison",
					 (int)(op.len < 20 ? op.len : 20), op.at,
					 (int)(x.len < 20 ? x.len : 20), x.at);
		write_fmt(&w, "%.*s%.*s", (int)op.len, op.at, (int)x.len, x.at);
		e = read_number(r, (struct slice){text, w.len}, UINT32_MAX, &n);
	} else {
		if (rest.at != NULL && !side_of(slice_trim(rest), &side))
			return read_fail(r, rest.at,
					 "stream_size: the side is server, client, both or either");
		e = read_number(r, first, UINT32_MAX, &n);
	}
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_STREAM_SIZE);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.size.side = side;
	t->u.size.n = n;
	return 0;
}

/* flow.pkts:toserver,>10 and flow.pkts_toserver:>10; arg: test and, above, the side. */
int kw_flow_count(struct reading *r, const struct keyword *k, struct slice v)
{
	struct rule_number n;
	uint8_t side = (uint8_t)(k->arg >> 8);
	if (side == 0) {
		struct slice first = slice_cut(&v, ',');
		if (v.at == NULL || !side_of(first, &side))
			return read_fail(r, first.at,
					 "%s: write %s:toserver|toclient|both|either,NUMBER",
					 k->name, k->name);
	}
	int e = read_number(r, v, UINT64_MAX, &n);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, (enum test_kind)(k->arg & 0xff));
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.count.side = side;
	t->u.count.n = n;
	return 0;
}

int kw_bypass(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	return read_set_add(r, TEST_BYPASS) != NULL ? 0 : SKEP_EFORMAT;
}
