/* SPDX-License-Identifier: BSD-2-Clause */
/* Variables, and expressions of addresses and ports: [10.0.0.0/8,!10.1.2.3,$OTHERS], !80, 1024: ...
 * Both are sets of ranges of big-endian numbers; ports are numbers of two bytes. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARS_MAX 512u
#define DEPTH_MAX 12u       /* groups in groups, variables in variables */
#define ELEMENTS_MAX 20000u /* of one expression, its variables written out */
#define RANGES_MAX 8192u
#define PORT_VER 1u /* addr.ver of a port */

struct rule_var {
	char *name, *value;
	bool ports;
};
struct rule_vars {
	struct rule_var *v;
	uint32_t n, cap;
};

static const struct rule_var usual[] = {
	{(char *)"HOME_NET", (char *)"any", false},
	{(char *)"EXTERNAL_NET", (char *)"any", false},
	{(char *)"HTTP_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"SMTP_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"SQL_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"DNS_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"TELNET_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"FTP_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"SSH_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"SIP_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"SNMP_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"AIM_SERVERS", (char *)"$EXTERNAL_NET", false},
	{(char *)"DC_SERVERS", (char *)"$HOME_NET", false},
	{(char *)"DNP3_SERVER", (char *)"$HOME_NET", false},
	{(char *)"DNP3_CLIENT", (char *)"$HOME_NET", false},
	{(char *)"MODBUS_CLIENT", (char *)"$HOME_NET", false},
	{(char *)"MODBUS_SERVER", (char *)"$HOME_NET", false},
	{(char *)"ENIP_CLIENT", (char *)"$HOME_NET", false},
	{(char *)"ENIP_SERVER", (char *)"$HOME_NET", false},
	{(char *)"HTTP_PORTS", (char *)"80", true},
	{(char *)"SHELLCODE_PORTS", (char *)"!80", true},
	{(char *)"ORACLE_PORTS", (char *)"1521", true},
	{(char *)"SSH_PORTS", (char *)"22", true},
	{(char *)"DNP3_PORTS", (char *)"20000", true},
	{(char *)"MODBUS_PORTS", (char *)"502", true},
	{(char *)"FILE_DATA_PORTS", (char *)"[$HTTP_PORTS,110,143]", true},
	{(char *)"FTP_PORTS", (char *)"21", true},
	{(char *)"GENEVE_PORTS", (char *)"6081", true},
	{(char *)"VXLAN_PORTS", (char *)"4789", true},
	{(char *)"TEREDO_PORTS", (char *)"3544", true},
	{(char *)"GTP_PORTS", (char *)"[2123,2152,3386]", true},
	{(char *)"SIP_PORTS", (char *)"[5060,5061,5600]", true},
	{(char *)"SMTP_PORTS", (char *)"25", true},
	{(char *)"MAIL_PORTS", (char *)"[110,143]", true},
};

/* ---- variables ---------------------------------------------------------------------------------- */

static const struct rule_var *find(const struct rule_vars *v, bool ports, struct slice name)
{
	for (uint32_t i = 0; i < v->n; i++)
		if (v->v[i].ports == ports && strlen(v->v[i].name) == name.len &&
		    memcmp(v->v[i].name, name.at, name.len) == 0)
			return &v->v[i];
	return NULL;
}

static int put(struct rule_vars *v, bool ports, const char *name, const char *value)
{
	struct rule_var *old =
		(struct rule_var *)find(v, ports, (struct slice){name, strlen(name)});
	if (old == NULL && v->n == v->cap) {
		if (v->cap >= VARS_MAX)
			return SKEP_EFULL;
		uint32_t cap = v->cap != 0 ? v->cap * 2 : 64;
		struct rule_var *more = realloc(v->v, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		v->v = more;
		v->cap = cap;
	}
	char *copy = strdup(value);
	char *name_copy = old == NULL ? strdup(name) : NULL;
	if (copy == NULL || (old == NULL && name_copy == NULL)) {
		free(copy);
		free(name_copy);
		return -ENOMEM;
	}
	if (old != NULL) {
		free(old->value);
		old->value = copy;
	} else {
		v->v[v->n++] = (struct rule_var){name_copy, copy, ports};
	}
	return 0;
}

void rule_vars_free(struct rule_vars **v)
{
	if (*v == NULL)
		return;
	for (uint32_t i = 0; i < (*v)->n; i++) {
		free((*v)->v[i].name);
		free((*v)->v[i].value);
	}
	free((*v)->v);
	free(*v);
	*v = NULL;
}

static int copy_all(const struct rule_var *from, uint32_t n, struct rule_vars **ret)
{
	struct rule_vars *v = calloc(1, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int r = put(v, from[i].ports, from[i].name, from[i].value);
		if (r < 0) {
			rule_vars_free(&v);
			return r;
		}
	}
	*ret = v;
	return 0;
}

int rule_vars_create(struct rule_vars **ret)
{
	return copy_all(usual, ARRAY_LEN(usual), ret);
}

int rule_vars_copy(const struct rule_vars *from, struct rule_vars **ret)
{
	return copy_all(from->v, from->n, ret);
}

int rule_vars_set(struct rule_vars *v, bool ports, const char *name, const char *value)
{
	if (name[0] == '\0')
		return SKEP_EFORMAT;
	for (const char *c = name; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-' && *c != '.')
			return SKEP_EFORMAT;
	/* Variables it names may be set later: then only the rule that uses it can tell. */
	struct expr_problem p;
	if (strchr(value, '$') == NULL) {
		struct addr_set a;
		struct port_set s;
		struct slice text = {value, strlen(value)};
		int r = ports ? port_set_parse(NULL, v, text, &s, &p)
			      : addr_set_parse(NULL, v, text, &a, &p);
		if (r < 0)
			return r;
	}
	return put(v, ports, name, value);
}

/* ---- ranges ------------------------------------------------------------------------------------- */

struct ranges {
	struct addr_range *r;
	uint32_t n, cap;
};
struct expr {
	bool any;
	struct ranges yes, no;
};
struct eval {
	const struct rule_vars *vars;
	bool ports;
	uint32_t elements;
	int depth;
	struct expr_problem *p;
	const char
		*outside; /* where the outermost text is at: problems in variables are told there */
};

static int order(const void *a, const void *b)
{
	const struct addr_range *x = a, *y = b;
	if (x->lo.ver != y->lo.ver)
		return x->lo.ver < y->lo.ver ? -1 : 1;
	return memcmp(x->lo.b, y->lo.b, 16);
}

static int ranges_add(struct ranges *s, const struct addr_range *r)
{
	if (s->n == s->cap) {
		if (s->n >= RANGES_MAX)
			return SKEP_EFULL;
		uint32_t cap = s->cap != 0 ? s->cap * 2 : 16;
		struct addr_range *more = realloc(s->r, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		s->r = more;
		s->cap = cap;
	}
	s->r[s->n++] = *r;
	return 0;
}

static int ranges_add_all(struct ranges *s, const struct ranges *more)
{
	int r = 0;
	for (uint32_t i = 0; i < more->n && r == 0; i++)
		r = ranges_add(s, &more->r[i]);
	return r;
}

static size_t width(const struct addr *a)
{
	return a->ver == 4 ? 4 : a->ver == 6 ? 16 : 2;
}

/* The next (by 1) or previous (by -1) number; false: there is none. */
static bool step(struct addr *a, int by)
{
	for (size_t i = width(a); i-- > 0;) {
		a->b[i] = (uint8_t)(a->b[i] + by);
		if (a->b[i] != (by > 0 ? 0 : 0xff))
			return true;
	}
	return false;
}

/* Sorts, and joins what overlaps or touches. */
static void tidy(struct ranges *s)
{
	if (s->n < 2)
		return;
	qsort(s->r, s->n, sizeof(*s->r), order);
	uint32_t n = 0;
	for (uint32_t i = 1; i < s->n; i++) {
		struct addr_range *last = &s->r[n];
		struct addr after = last->hi;
		bool top = !step(&after, 1);
		if (last->lo.ver == s->r[i].lo.ver &&
		    (top || memcmp(s->r[i].lo.b, after.b, 16) <= 0)) {
			if (memcmp(s->r[i].hi.b, last->hi.b, 16) > 0)
				last->hi = s->r[i].hi;
		} else {
			s->r[++n] = s->r[i];
		}
	}
	s->n = n + 1;
}

/* Adds to ret what is in a but in none of no (tidy). */
static int subtract(const struct addr_range *a, const struct ranges *no, struct ranges *ret)
{
	struct addr_range left = *a;
	for (uint32_t i = 0; i < no->n; i++) {
		const struct addr_range *x = &no->r[i];
		if (x->lo.ver != left.lo.ver || memcmp(x->hi.b, left.lo.b, 16) < 0)
			continue;
		if (memcmp(x->lo.b, left.hi.b, 16) > 0)
			break;
		if (memcmp(x->lo.b, left.lo.b, 16) > 0) {
			struct addr_range before = {left.lo, x->lo};
			(void)step(&before.hi, -1);
			int r = ranges_add(ret, &before);
			if (r < 0)
				return r;
		}
		if (memcmp(x->hi.b, left.hi.b, 16) >= 0)
			return 0;
		left.lo = x->hi;
		(void)step(&left.lo, 1);
	}
	return ranges_add(ret, &left);
}

/* An expression as plain ranges. */
static int flatten(const struct eval *e, struct expr *x, struct ranges *ret)
{
	tidy(&x->no);
	struct ranges all = x->yes;
	struct addr_range whole[2] = {{{.ver = 4}, {.ver = 4}}, {{.ver = 6}, {.ver = 6}}};
	memset(whole[0].hi.b, 0xff, 4);
	memset(whole[1].hi.b, 0xff, 16);
	struct addr_range ports = {{.ver = PORT_VER}, {.ver = PORT_VER, .b = {0xff, 0xff}}};
	if (x->any)
		all = e->ports ? (struct ranges){&ports, 1, 0} : (struct ranges){whole, 2, 0};
	int r = 0;
	for (uint32_t i = 0; i < all.n && r == 0; i++)
		r = subtract(&all.r[i], &x->no, ret);
	return r;
}

static void expr_free(struct expr *x)
{
	free(x->yes.r);
	free(x->no.r);
}

/* ---- evaluation --------------------------------------------------------------------------------- */

static int bad(struct eval *e, struct slice s, const char *what)
{
	if (e->p->text[0] == '\0') {
		e->p->at = e->outside != NULL ? e->outside : s.at;
		snprintf(e->p->text, sizeof(e->p->text), "'%.*s' %s",
			 (int)(s.len < 60 ? s.len : 60), s.at != NULL ? s.at : "", what);
	}
	return SKEP_EFORMAT;
}

static bool port_number(struct slice s, uint16_t *ret)
{
	uint64_t x = 0;
	if (!slice_u64(s, 65535, &x))
		return false;
	*ret = (uint16_t)x;
	return true;
}

static int port_leaf(struct eval *e, struct slice s, struct addr_range *ret)
{
	struct slice rest = s;
	struct slice lo = slice_cut(&rest, ':');
	uint16_t a = 0, b = 65535;
	bool range = rest.at != NULL;
	if ((lo.len > 0 || !range) && !port_number(lo, &a))
		return bad(e, s, "is not a port: write 80, 80:90, 1024:, [80,443], $NAME or any");
	if (!range)
		b = a;
	else if (slice_trim(rest).len > 0 && !port_number(slice_trim(rest), &b))
		return bad(e, s, "is not a range of ports");
	if (a > b)
		return bad(e, s, "is a range whose end is before its beginning");
	*ret = (struct addr_range){.lo.ver = PORT_VER, .hi.ver = PORT_VER};
	store_be16(ret->lo.b, a);
	store_be16(ret->hi.b, b);
	return 0;
}

static bool parse_addr(struct slice s, struct addr *ret)
{
	char text[64];
	if (s.at == NULL || s.len == 0 || s.len >= sizeof(text))
		return false;
	memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	return addr_parse(text, ret) == 0;
}

/* Length of a prefix: a number, or an IPv4 mask. */
static bool mask_bits(struct slice s, unsigned ver, unsigned *ret)
{
	uint64_t n = 0;
	struct addr mask;
	if (slice_u64(s, ver == 4 ? 32 : 128, &n)) {
		*ret = (unsigned)n;
		return true;
	}
	if (ver != 4 || !parse_addr(s, &mask) || mask.ver != 4)
		return false;
	uint32_t m = load_be32(mask.b);
	unsigned ones = m == 0 ? 0 : 32u - (unsigned)__builtin_ctz(m);
	if (m != (ones == 0 ? 0 : ~UINT32_C(0) << (32 - ones)))
		return false;
	*ret = ones;
	return true;
}

static int addr_leaf(struct eval *e, struct slice s, struct addr_range *ret)
{
	struct slice rest = s;
	memset(ret, 0, sizeof(*ret));
	if (memchr(s.at, '/', s.len) != NULL) {
		unsigned bits = 0;
		struct slice base = slice_cut(&rest, '/');
		if (!parse_addr(base, &ret->lo) || !mask_bits(slice_trim(rest), ret->lo.ver, &bits))
			return bad(e, s, "is not an address with a prefix length");
		ret->hi = ret->lo;
		for (unsigned i = bits; i < (ret->lo.ver == 4 ? 32u : 128u); i++) {
			ret->lo.b[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
			ret->hi.b[i / 8] |= (uint8_t)(0x80u >> (i % 8));
		}
		return 0;
	}
	if (memchr(s.at, '-', s.len) != NULL) {
		struct slice lo = slice_cut(&rest, '-');
		if (!parse_addr(lo, &ret->lo) || !parse_addr(slice_trim(rest), &ret->hi) ||
		    ret->lo.ver != ret->hi.ver)
			return bad(e, s, "is not a range of addresses");
		if (memcmp(ret->lo.b, ret->hi.b, 16) > 0)
			return bad(e, s, "is a range whose end is before its beginning");
		return 0;
	}
	if (!parse_addr(s, &ret->lo))
		return bad(e, s,
			   "is not an address: write 10.0.0.1, 10.0.0.0/8, a-b, [..,..], $NAME or "
			   "any");
	ret->hi = ret->lo;
	return 0;
}

static int merge(struct eval *e, struct slice s, struct expr *acc, struct expr *sub, bool negated,
		 bool sole)
{
	if (sub->any && sub->no.n == 0) {
		if (negated)
			return bad(e, s, "leaves nothing: it is not any");
		acc->any = true;
		return 0;
	}
	if (sub->no.n == 0)
		return ranges_add_all(negated ? &acc->no : &acc->yes, &sub->yes);
	if (sole && !negated) {
		acc->any = sub->any;
		int r = ranges_add_all(&acc->yes, &sub->yes);
		return r < 0 ? r : ranges_add_all(&acc->no, &sub->no);
	}
	if (sole && sub->any)
		return ranges_add_all(&acc->yes, &sub->no);
	return flatten(e, sub, negated ? &acc->no : &acc->yes);
}

static int evaluate(struct eval *e, struct slice s, struct expr *acc, bool sole);

/* Where the element that begins s ends: at a comma outside of brackets. */
static size_t element(struct slice s)
{
	int open = 0;
	for (size_t i = 0; i < s.len; i++) {
		open += s.at[i] == '[' ? 1 : s.at[i] == ']' ? -1 : 0;
		if (s.at[i] == ',' && open == 0)
			return i;
	}
	return s.len;
}

static int group(struct eval *e, struct slice s, struct expr *sub)
{
	if (s.at[s.len - 1] != ']')
		return bad(e, s, "has no closing bracket");
	struct slice in = slice_trim((struct slice){s.at + 1, s.len - 2});
	bool sole = element(in) == in.len;
	for (;;) {
		size_t n = element(in);
		struct slice one = slice_trim((struct slice){in.at, n});
		if (one.len == 0)
			return bad(e, s, "has an empty element");
		int r = evaluate(e, one, sub, sole);
		if (r < 0 || n == in.len)
			return r;
		in = (struct slice){in.at + n + 1, in.len - n - 1};
	}
}

static int variable(struct eval *e, struct slice s, struct expr *sub)
{
	struct slice name = {s.at + 1, s.len - 1};
	const struct rule_var *v = find(e->vars, e->ports, name);
	if (v == NULL)
		return bad(e, s,
			   e->ports ? "is no variable of ports that is set"
				    : "is no variable of addresses that is set");
	bool outermost = e->outside == NULL;
	if (outermost)
		e->outside = s.at;
	int r = evaluate(e, slice_trim((struct slice){v->value, strlen(v->value)}), sub, true);
	if (outermost)
		e->outside = NULL;
	return r;
}

/* Only exclusions: from everything. */
static void complete(struct expr *x)
{
	if (!x->any && x->yes.n == 0 && x->no.n > 0)
		x->any = true;
}

static int evaluate(struct eval *e, struct slice s, struct expr *acc, bool sole)
{
	struct slice whole = s;
	bool negated = false;
	if (++e->elements > ELEMENTS_MAX)
		return bad(e, s, "is too long, its variables written out");
	if (e->depth >= (int)DEPTH_MAX)
		return bad(e, s, "is nested too deeply (or a variable names itself)");
	while (s.len > 0 && s.at[0] == '!') {
		negated = !negated;
		s = slice_trim((struct slice){s.at + 1, s.len - 1});
	}
	if (s.len == 0)
		return bad(e, whole, "is empty");
	struct expr sub = {0};
	int r = 0;
	e->depth++;
	if (s.at[0] == '[') {
		r = group(e, s, &sub);
	} else if (s.at[0] == '$') {
		r = variable(e, s, &sub);
	} else if (slice_is(s, "any")) {
		sub.any = true;
	} else {
		struct addr_range leaf;
		r = e->ports ? port_leaf(e, s, &leaf) : addr_leaf(e, s, &leaf);
		if (r == 0)
			r = ranges_add(&sub.yes, &leaf);
	}
	e->depth--;
	complete(&sub);
	if (r == 0)
		r = merge(e, whole, acc, &sub, negated, sole);
	expr_free(&sub);
	return r;
}

static int finish(struct eval *e, struct slice s, struct expr *x)
{
	complete(x);
	tidy(&x->yes);
	tidy(&x->no);
	if (x->any)
		x->yes.n = 0;
	if (x->no.n == 0)
		return 0;
	struct ranges left = {0};
	int r = flatten(e, x, &left);
	if (r == 0 && left.n == 0)
		r = bad(e, s, "leaves nothing: all that is named is excluded too");
	free(left.r);
	return r;
}

static int parse(struct eval *e, struct slice s, struct expr *x)
{
	e->p->text[0] = '\0';
	e->p->at = s.at;
	int r = s.len == 0 ? bad(e, s, "is missing") : evaluate(e, s, x, true);
	if (r == 0)
		r = finish(e, s, x);
	if (r == SKEP_EFULL)
		r = bad(e, s, "has too many ranges");
	return r;
}

static struct addr_range *keep(struct rule_pool *pool, const struct ranges *s, int *r)
{
	if (s->n == 0 || *r < 0)
		return NULL;
	struct addr_range *copy = rule_pool_alloc(pool, s->n * sizeof(*copy));
	if (copy == NULL)
		*r = -ENOMEM;
	else
		memcpy(copy, s->r, s->n * sizeof(*copy));
	return copy;
}

static struct port_range *keep_ports(struct rule_pool *pool, const struct ranges *s, int *r)
{
	if (s->n == 0 || *r < 0)
		return NULL;
	struct port_range *copy = rule_pool_alloc(pool, s->n * sizeof(*copy));
	if (copy == NULL) {
		*r = -ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < s->n; i++)
		copy[i] = (struct port_range){load_be16(s->r[i].lo.b), load_be16(s->r[i].hi.b)};
	return copy;
}

int addr_set_parse(struct rule_pool *pool, const struct rule_vars *v, struct slice s,
		   struct addr_set *ret, struct expr_problem *p)
{
	struct eval e = {.vars = v, .p = p};
	struct expr x = {0};
	int r = parse(&e, slice_trim(s), &x);
	if (r == 0 && pool != NULL)
		*ret = (struct addr_set){.any = x.any,
					 .n_yes = x.yes.n,
					 .n_no = x.no.n,
					 .yes = keep(pool, &x.yes, &r),
					 .no = keep(pool, &x.no, &r)};
	expr_free(&x);
	return r;
}

int port_set_parse(struct rule_pool *pool, const struct rule_vars *v, struct slice s,
		   struct port_set *ret, struct expr_problem *p)
{
	struct eval e = {.vars = v, .p = p, .ports = true};
	struct expr x = {0};
	int r = parse(&e, slice_trim(s), &x);
	if (r == 0 && pool != NULL)
		*ret = (struct port_set){.any = x.any,
					 .n_yes = x.yes.n,
					 .n_no = x.no.n,
					 .yes = keep_ports(pool, &x.yes, &r),
					 .no = keep_ports(pool, &x.no, &r)};
	expr_free(&x);
	return r;
}

/* ---- membership --------------------------------------------------------------------------------- */

static bool addr_in(const struct addr_range *r, uint32_t n, const struct addr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (r[i].lo.ver == a->ver && memcmp(a->b, r[i].lo.b, 16) >= 0 &&
		    memcmp(a->b, r[i].hi.b, 16) <= 0)
			return true;
	return false;
}

bool addr_set_has(const struct addr_set *s, const struct addr *a)
{
	return (s->any || addr_in(s->yes, s->n_yes, a)) && !addr_in(s->no, s->n_no, a);
}

static bool port_in(const struct port_range *r, uint32_t n, uint16_t port)
{
	for (uint32_t i = 0; i < n; i++)
		if (port >= r[i].lo && port <= r[i].hi)
			return true;
	return false;
}

bool port_set_has(const struct port_set *s, uint16_t port)
{
	return (s->any || port_in(s->yes, s->n_yes, port)) && !port_in(s->no, s->n_no, port);
}
