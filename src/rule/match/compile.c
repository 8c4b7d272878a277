/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From rules as read to rules as matched: their order, what each is held against, in which direction,
 * and by which of its literals it is found (its fast pattern).
 */
#include "rule/match/eval_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- order ----------------------------------------------------------------------------------------- */

static unsigned action_rank(uint8_t a)
{
	switch ((enum rule_action)a) {
	case ACTION_PASS:
		return 0;
	case ACTION_DROP:
		return 1;
	case ACTION_REJECT:
	case ACTION_REJECT_DST:
	case ACTION_REJECT_BOTH:
		return 2;
	case ACTION_ALERT:
	case ACTION_REWRITE:
	case ACTION_LOG:
	case ACTION_CONFIG:
	case ACTIONS:
		break;
	}
	return 3;
}

/* Those that set before those that also test, before those that only test, before the others. */
static unsigned bits_rank(const struct rule *r, enum test_kind kind)
{
	bool sets = false, tests = false;
	for (uint32_t i = 0; i < r->n_sets; i++)
		sets |= r->sets[i].kind == kind;
	for (uint32_t i = 0; i < r->n_tests; i++)
		tests |= r->tests[i].kind == kind;
	return sets ? (tests ? 1 : 0) : tests ? 2 : 3;
}

struct ordered {
	uint64_t key;
	uint32_t at;
	struct rule *r;
};

static int by_order(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int order_rules(struct rule_set *s)
{
	struct ordered *o = calloc(s->n + 1, sizeof(*o));
	if (o == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n; i++) {
		struct rule *r = s->rules[i];
		uint32_t prio = r->priority < 255 ? r->priority : 255;
		o[i].key = (uint64_t)action_rank(r->action) << 32 |
			   (uint64_t)bits_rank(r, TEST_FLOWBITS) << 24 |
			   (uint64_t)bits_rank(r, TEST_FLOWINT) << 20 |
			   (uint64_t)bits_rank(r, TEST_HOSTBITS) << 18 |
			   (uint64_t)bits_rank(r, TEST_XBITS) << 16 | prio;
		o[i].at = i;
		o[i].r = r;
	}
	qsort(o, s->n, sizeof(*o), by_order);
	for (uint32_t i = 0; i < s->n; i++) {
		s->rules[i] = o[i].r;
		s->rules[i]->index = i;
	}
	free(o);
	return 0;
}

/* ---- expressions --------------------------------------------------------------------------------------- */

static void *compile_regex(const char *text, uint32_t options, bool jit)
{
	int err = 0;
	PCRE2_SIZE at = 0;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &err, &at, NULL);
	if (code != NULL && jit)
		(void)pcre2_jit_compile(code,
					PCRE2_JIT_COMPLETE); /* without: slower, same answer */
	return code;
}

static bool compile_list(struct rule_list *l, bool jit)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct match *m = &l->m[i];
		if (m->kind != MATCH_PCRE || m->u.pcre.code != NULL)
			continue;
		m->u.pcre.code = compile_regex(m->u.pcre.pattern, m->u.pcre.options, jit);
		if (m->u.pcre.code == NULL)
			return false;
	}
	for (uint8_t i = 0; i < l->n_transforms; i++) {
		struct rule_transform *t = &l->transforms[i];
		if (t->kind != TRANSFORM_PCREXFORM || t->code != NULL || t->arg == NULL)
			continue;
		t->code = compile_regex((const char *)t->arg, 0, jit);
		if (t->code == NULL)
			return false;
	}
	return true;
}

static void free_list(struct rule_list *l)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->m[i].kind == MATCH_PCRE) {
			pcre2_code_free(l->m[i].u.pcre.code);
			l->m[i].u.pcre.code = NULL;
		}
	for (uint8_t i = 0; i < l->n_transforms; i++) {
		pcre2_code_free(l->transforms[i].code);
		l->transforms[i].code = NULL;
	}
}

/* ---- plans ---------------------------------------------------------------------------------------- */

/* Could more data after the end make a match of this expression go away? */
static bool regex_looks_at_end(const char *p)
{
	bool class = false;
	for (; *p != '\0'; p++) {
		if (*p == '\\') {
			if (p[1] == '\0')
				break;
			p++;
			if (!class && (*p == 'Z' || *p == 'z'))
				return true;
		} else if (class) {
			class = *p != ']';
		} else if (*p == '[') {
			class = true;
			if (p[1] == '^')
				p++;
			if (p[1] == ']')
				p++;
		} else if (*p == '$') {
			return true;
		} else if (p[0] == '(' && p[1] == '?' &&
			   (p[2] == '!' || (p[2] == '<' && p[3] == '!'))) {
			return true;
		}
	}
	return false;
}

static bool needs_whole(const struct rule_list *l)
{
	if (l->n_transforms > 0)
		return true;
	for (uint32_t i = 0; i < l->n; i++) {
		const struct match *m = &l->m[i];
		switch ((enum match_kind)m->kind) {
		case MATCH_CONTENT:
			if (m->u.content.negated || m->u.content.ends)
				return true;
			break;
		case MATCH_PCRE:
			if (m->u.pcre.negated || regex_looks_at_end(m->u.pcre.pattern))
				return true;
			break;
		case MATCH_ISDATAAT:
			if (m->u.isdataat.negated)
				return true;
			break;
		case MATCH_BSIZE:
			if (m->u.bsize.op != '>' && m->u.bsize.op != 'g')
				return true;
			break;
		case MATCH_BYTE_JUMP:
			if (m->u.byte.from_end)
				return true;
			break;
		case MATCH_ENTROPY:
		case MATCH_ABSENT:
			return true;
		case MATCH_BYTE_TEST:
		case MATCH_BYTE_EXTRACT:
		case MATCH_BYTE_MATH:
		case MATCH_BASE64_DECODE:
		case MATCH_BER_DATA:
		case MATCH_BER_SKIP:
		case MATCH_ASN1:
			break;
		}
	}
	return false;
}

enum list_class { LIST_PAYLOAD, LIST_PACKET, LIST_TX, LIST_CHILD };

static enum list_class class_of(const struct rule_list *l)
{
	if (l->base64_data || l->buffer == BUF_BASE64)
		return LIST_CHILD;
	if (l->buffer == BUF_PAYLOAD)
		return LIST_PAYLOAD;
	return (app_buffer_row(l->buffer)->flags & BUFFER_PACKET) != 0 ? LIST_PACKET : LIST_TX;
}

enum test_class { TESTS_PACKET, TESTS_FLOW, TESTS_TX, TESTS_EVENT };

static enum test_class test_class(const struct rule_test *t)
{
	if (t->kind == TEST_DECODE_EVENT || t->kind == TEST_STREAM_EVENT ||
	    t->kind == TEST_APP_EVENT)
		return TESTS_EVENT;
	if (t->kind <= TEST_VLAN_LAYERS || t->kind == TEST_STREAM_SIZE || t->kind == TEST_TUNNEL ||
	    t->kind == TEST_RPC)
		return TESTS_PACKET;
	if (t->kind >= TEST_URILEN && t->kind <= TEST_DCE_IFACE)
		return TESTS_TX;
	return t->kind == TEST_DNS_RRTYPE ? TESTS_TX : TESTS_FLOW;
}

static uint8_t transport_bit(uint64_t number)
{
	switch (number) {
	case 6:
		return 1u << T_TCP;
	case 17:
		return 1u << T_UDP;
	case 132:
		return 1u << T_SCTP;
	case 1:
	case 58:
		return 1u << T_ICMP;
	default:
		return 1u << T_OTHER;
	}
}

/* ip_proto narrows what "ip" is about. */
static uint8_t transports_by_test(const struct rule *r)
{
	uint8_t all = (1u << TRANSPORTS) - 1;
	for (uint32_t i = 0; i < r->n_tests; i++) {
		const struct rule_test *t = &r->tests[i];
		if (t->kind == TEST_IP_PROTO && !t->negated && t->u.number.op == '=')
			all &= (uint8_t)(transport_bit(t->u.number.lo) | 1u << T_OTHER);
	}
	return all;
}

static uint8_t transports_of(const struct rule *r)
{
	switch ((enum rule_proto)r->proto) {
	case PROTO_ONLY_TCP:
	case PROTO_TCP_PKT:
	case PROTO_TCP_STREAM:
		return 1u << T_TCP;
	case PROTO_ONLY_UDP:
		return 1u << T_UDP;
	case PROTO_ONLY_ICMP:
	case PROTO_ONLY_ICMP4:
	case PROTO_ONLY_ICMP6:
		return 1u << T_ICMP;
	case PROTO_ONLY_SCTP:
		return 1u << T_SCTP;
	case PROTO_NUMBER:
		return transport_bit(r->proto_number);
	case PROTO_APP:
		return 1u << T_TCP | 1u << T_UDP;
	case PROTO_ARP:
		return 1u << T_OTHER;
	case PROTO_ANY_IP:
	case PROTO_PKTHDR:
	case PROTO_ONLY_IP4:
	case PROTO_ONLY_IP6:
		break;
	}
	return (1u << TRANSPORTS) - 1;
}

static uint8_t flow_dirs(const struct rule *r, uint32_t *ret_flow)
{
	*ret_flow = 0;
	for (uint32_t i = 0; i < r->n_tests; i++)
		if (r->tests[i].kind == TEST_FLOW && !r->tests[i].negated)
			*ret_flow |= r->tests[i].u.flow;
	if ((*ret_flow & FLOW_TO_SERVER) != 0)
		return DIR_TS;
	return (*ret_flow & FLOW_TO_CLIENT) != 0 ? DIR_TC : DIR_TS | DIR_TC;
}

static uint8_t test_dirs(const struct rule_test *t)
{
	if (t->kind == TEST_URILEN)
		return DIR_TS;
	if (t->kind == TEST_NUMBER &&
	    (t->u.num.n == NUM_HTTP_STATUS || t->u.num.n == NUM_FTP_REPLY))
		return DIR_TC;
	return DIR_TS | DIR_TC;
}

static uint8_t dirs_of(const struct rule_list *l)
{
	uint8_t f = app_buffer_row(l->buffer)->flags & (BUFFER_TS | BUFFER_TC);
	return l->dirs != 0 ? f & l->dirs : f;
}

/* Directions in which the transaction is looked at, and that of each list. */
static void plan_tx_dirs(struct rule *r, struct plan *p)
{
	uint8_t all = DIR_TS | DIR_TC;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		if (class_of(&r->lists[i]) != LIST_TX)
			continue;
		uint8_t f = dirs_of(&r->lists[i]);
		all &= f;
	}
	for (uint32_t i = 0; i < r->n_tests; i++) {
		uint8_t f = test_dirs(&r->tests[i]);
		all &= f;
	}
	if (all != 0 && !r->transactional) {
		p->dirs &= all;
		return;
	}
	r->need |= NEED_BOTH_SEEN;
	p->dirs = DIR_TC;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		if (class_of(&r->lists[i]) != LIST_TX)
			continue;
		uint8_t f = dirs_of(&r->lists[i]);
		p->lists[i].dir = f == BUFFER_TS ? TO_SERVER : TO_CLIENT;
	}
}

/* Is anything sought at a given distance from the beginning of the payload? */
static bool wants_start(const struct rule *r)
{
	for (uint32_t i = 0; i < r->n_lists; i++)
		for (uint32_t k = 0; k < r->lists[i].n; k++) {
			const struct match *m = &r->lists[i].m[k];
			if (r->lists[i].buffer == BUF_PAYLOAD && m->kind == MATCH_CONTENT &&
			    (m->u.content.has_offset || m->u.content.has_depth ||
			     m->u.content.starts))
				return true;
		}
	return false;
}

/* Which view of TCP payload a rule gets; packets alone for other transports. */
static uint16_t payload_need(const struct rule *r, const struct plan *p, uint32_t flow,
			     bool packet_tests)
{
	if ((p->transports & 1u << T_TCP) == 0 || r->proto == PROTO_TCP_PKT || packet_tests ||
	    (flow & FLOW_NO_STREAM) != 0)
		return NEED_PACKET;
	if (r->proto == PROTO_TCP_STREAM || (flow & FLOW_ONLY_STREAM) != 0)
		return NEED_STREAM;
	return p->transports == 1u << T_TCP ? NEED_STREAM : NEED_STREAM | NEED_PACKET;
}

struct census { /* what a rule consists of */
	bool tx, payload, packet_list, packet_tests, flow_tests, app_proto, decode, stream,
		app_event, stream_size;
	bool other; /* flow tests but app-layer-protocol and flow */
};

static struct census count(const struct rule *r)
{
	struct census c = {0};
	for (uint32_t i = 0; i < r->n_lists; i++) {
		enum list_class k = class_of(&r->lists[i]);
		c.tx |= k == LIST_TX;
		c.payload |= k == LIST_PAYLOAD;
		c.packet_list |= k == LIST_PACKET;
	}
	for (uint32_t i = 0; i < r->n_tests; i++) {
		const struct rule_test *t = &r->tests[i];
		enum test_class k = test_class(t);
		c.tx |= k == TESTS_TX;
		c.packet_tests |= k == TESTS_PACKET && t->kind != TEST_STREAM_SIZE;
		c.stream_size |= t->kind == TEST_STREAM_SIZE;
		c.flow_tests |= k == TESTS_FLOW;
		c.decode |= t->kind == TEST_DECODE_EVENT;
		c.stream |= t->kind == TEST_STREAM_EVENT;
		c.app_event |= t->kind == TEST_APP_EVENT;
		c.app_proto |= t->kind == TEST_APP_PROTO;
		c.other |= k == TESTS_FLOW && t->kind != TEST_APP_PROTO && t->kind != TEST_FLOW;
	}
	return c;
}

/* An expression that begins with ^ and is not relative. */
static bool anchored(const struct rule *r)
{
	for (uint32_t i = 0; i < r->n_lists; i++)
		for (uint32_t k = 0; r->lists[i].buffer == BUF_PAYLOAD && k < r->lists[i].n; k++) {
			const struct match *m = &r->lists[i].m[k];
			if (m->kind == MATCH_PCRE && !m->u.pcre.relative &&
			    m->u.pcre.pattern[0] == '^')
				return true;
		}
	return false;
}

static uint16_t need_of(const struct rule *r, const struct plan *p, uint32_t flow)
{
	struct census c = count(r);
	if (c.decode)
		return NEED_DECODE;
	if (c.stream)
		return NEED_STREAMEV;
	if (c.app_event)
		return NEED_APP_EVENT;
	if (c.tx)
		return NEED_TX;
	if (c.packet_list)
		return NEED_PACKET;
	if (c.payload)
		return payload_need(r, p, flow, c.packet_tests);
	c.packet_tests |= c.stream_size;
	bool app = r->proto == PROTO_APP;
	if (!c.packet_tests && c.app_proto && !c.other && !app)
		return NEED_APP_ONCE;
	if (!c.packet_tests && !c.flow_tests && !app && r->sport.any && r->dport.any &&
	    r->sport.n_no == 0 && r->dport.n_no == 0 && r->proto != PROTO_PKTHDR &&
	    r->proto != PROTO_ARP)
		return NEED_FLOW_ONCE;
	return NEED_HEADER;
}

static uint32_t least_payload(const struct rule *r)
{
	uint32_t least = 0;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		if (r->lists[i].buffer != BUF_PAYLOAD || r->lists[i].base64_data)
			continue;
		least = least > 1 ? least : 1;
		for (uint32_t k = 0; k < r->lists[i].n; k++) {
			const struct match *m = &r->lists[i].m[k];
			if (m->kind == MATCH_CONTENT && !m->u.content.negated &&
			    m->u.content.len > least && r->lists[i].n_transforms == 0)
				least = m->u.content.len;
		}
	}
	return least;
}

static bool same_transforms(const struct rule_list *a, const struct rule_list *b)
{
	if (a->n_transforms != b->n_transforms)
		return false;
	for (uint8_t i = 0; i < a->n_transforms; i++) {
		const struct rule_transform *x = &a->transforms[i], *y = &b->transforms[i];
		if (x->kind != y->kind || x->arg_len != y->arg_len || x->a != y->a ||
		    x->b != y->b || x->mode != y->mode ||
		    (x->arg_len > 0 && memcmp(x->arg, y->arg, x->arg_len) != 0))
			return false;
	}
	return true;
}

/* A number for the list's transforms; false: too many different ones. */
static bool number_transforms(struct compiled *c, const struct rule_list *l, uint8_t *ret)
{
	*ret = 0;
	if (l->n_transforms == 0)
		return true;
	for (uint32_t i = 1; i <= c->n_xforms; i++)
		if (same_transforms(c->xforms[i], l)) {
			*ret = (uint8_t)i;
			return true;
		}
	if (c->n_xforms == XFORMS)
		return false;
	c->xforms[++c->n_xforms] = l;
	*ret = (uint8_t)c->n_xforms;
	return true;
}

/* false: the rule can't be matched. */
static bool plan_lists(struct compiled *c, struct rule *r, struct plan *p, bool jit)
{
	for (uint32_t i = 0; i < r->n_lists; i++) {
		struct plan_list *pl = &p->lists[i];
		pl->dir = 2;
		pl->whole = needs_whole(&r->lists[i]);
		pl->child = class_of(&r->lists[i]) == LIST_CHILD;
		p->whole |= pl->whole;
		if (!compile_list(&r->lists[i], jit) ||
		    !number_transforms(c, &r->lists[i], &pl->xform_id))
			return false;
	}
	return r->n_lists <= PLAN_LISTS;
}

static int plan(struct compiled *c, struct rule *r, struct rule_pool *pool, bool jit)
{
	struct plan *p = rule_pool_alloc(pool, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	p->lists = rule_pool_alloc(pool, (r->n_lists + 1) * sizeof(*p->lists));
	if (p->lists == NULL)
		return -ENOMEM;
	uint32_t flow;
	r->plan = p;
	r->fast_list = r->fast_match = -1;
	p->dirs = flow_dirs(r, &flow);
	p->transports = transports_of(r) & transports_by_test(r);
	p->payload_len = least_payload(r);
	p->starts = wants_start(r) || anchored(r);
	plan_replaces(r, p);
	r->need = 0;
	if (!plan_lists(c, r, p, jit))
		return SKEP_EUNSUPPORTED;
	r->need = need_of(r, p, flow);
	if ((r->need & NEED_TX) != 0) {
		plan_tx_dirs(r, p);
		c->payload_in_tx |= count(r).payload;
	}
	for (uint32_t i = 0; i < r->n_tests; i++)
		p->bits |= r->tests[i].kind >= TEST_FLOWBITS && r->tests[i].kind <= TEST_HOSTBITS;
	p->passes_flow = (r->need & (NEED_TX | NEED_FLOW_ONCE | NEED_APP_ONCE | NEED_STREAM)) != 0;
	return 0;
}

/* ---- fast patterns ------------------------------------------------------------------------------------- */

static unsigned byte_weight(uint8_t c)
{
	if (c == 0 || c == ' ' || c == 0xff || c == '\r' || c == '\n')
		return 2;
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '=')
		return 4;
	return c >= 'A' && c <= 'Z' ? 5 : 6;
}

static bool is_common(const struct match_content *m)
{
	static const char *const words[] = {"get ",
					    "post ",
					    "http/1.",
					    "http://",
					    "https://",
					    "user-agent: ",
					    "content-type: ",
					    "content-length: ",
					    "host: ",
					    "accept: ",
					    "mozilla/5.0",
					    "mozilla/4.0",
					    "text/html",
					    "application/",
					    "www.",
					    ".com",
					    ".php",
					    ".exe",
					    ".html",
					    "index.php",
					    "windows nt",
					    "connection: ",
					    "keep-alive",
					    "\r\n\r\n",
					    "<html",
					    "<script",
					    "function",
					    "document.",
					    "password",
					    "200 ok",
					    "referer",
					    "cookie: ",
					    "gzip",
					    "chunked",
					    "msie ",
					    ".net",
					    ".org",
					    "admin",
					    "login",
					    "object",
					    "multipart/form-data"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);
		const uint8_t *w = (const uint8_t *)words[i];
		if (m->len <= n
			    ? eval_find(w, n, m->bytes, m->len, true) != NULL
			    : m->len <= n + 3 && eval_find(m->bytes, m->len, w, n, true) != NULL)
			return true;
	}
	return false;
}

static unsigned strength(const struct match_content *m)
{
	unsigned sum = 0;
	uint32_t n = m->len < LITERAL_MAX ? m->len : LITERAL_MAX;
	for (uint32_t i = 0; i < n && i < 24; i++) {
		unsigned w = byte_weight(m->bytes[i]);
		if (i > 0 && m->bytes[i] == m->bytes[i - 1])
			w = 1;
		sum += i < 12 ? w : (w + 1) / 2;
	}
	if (is_common(m))
		sum /= 4;
	return sum + 1;
}

/* How good a place a buffer is to look for literals: small ones that come once are cheap. */
static unsigned buffer_weight(const struct rule_list *l)
{
	if (l->buffer == BUF_PAYLOAD)
		return 10;
	switch (l->buffer) {
	case BUF_HTTP_METHOD:
	case BUF_HTTP_STAT_CODE:
	case BUF_HTTP_STAT_MSG:
	case BUF_HTTP_PROTOCOL:
	case BUF_FTP_COMMAND:
		return 3;
	default:
		break;
	}
	return (app_buffer_row(l->buffer)->flags & BUFFER_GROWS) != 0 ? 9 : 11;
}

static bool may_be_fast(const struct rule *r, uint32_t i)
{
	const struct plan *p = r->plan;
	enum list_class k = class_of(&r->lists[i]);
	if ((r->need & NEED_TX) != 0)
		return k == LIST_TX &&
		       ((r->need & NEED_BOTH_SEEN) == 0 || p->lists[i].dir == TO_CLIENT);
	return (r->need & (NEED_PACKET | NEED_STREAM)) != 0 && k == LIST_PAYLOAD &&
	       r->lists[i].n_transforms == 0;
}

static void choose_fast(struct rule *r)
{
	unsigned best = 0;
	for (uint32_t i = 0; i < r->n_lists && i < INT16_MAX; i++) {
		if (!may_be_fast(r, i))
			continue;
		bool absent = false;
		for (uint32_t k = 0; k < r->lists[i].n; k++)
			absent |= r->lists[i].m[k].kind == MATCH_ABSENT;
		for (uint32_t k = 0; !absent && k < r->lists[i].n && k < INT16_MAX; k++) {
			const struct match_content *m = &r->lists[i].m[k].u.content;
			if (r->lists[i].m[k].kind != MATCH_CONTENT || m->negated || m->len == 0)
				continue;
			unsigned s = strength(m) * buffer_weight(&r->lists[i]);
			if (m->fast || m->fast_only)
				s += 1u << 24;
			s += replace_urgency(&r->lists[i], m);
			if (s > best) {
				best = s;
				r->fast_list = (int16_t)i;
				r->fast_match = (int16_t)k;
			}
		}
	}
}

/* ---- all of it --------------------------------------------------------------------------------------- */

static int64_t cpu_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void tell(const struct rule_set *s, const struct rule *r)
{
	if (s->conf.problem == NULL)
		return;
	struct rule_problem p = {.file = r->file,
				 .line = r->line,
				 .column = 1,
				 .text = "has an expression that does not compile, or too many "
					 "buffers; it is left out",
				 .sid = r->sid};
	s->conf.problem(s->conf.ctx, &p);
}

int rule_compile(struct rule_set *s)
{
	int64_t begin = cpu_ns();
	struct compiled *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	s->compiled = c;
	c->pool = s->pool;
	c->quick = calloc(s->n + 1, sizeof(*c->quick));
	int rc = c->quick == NULL ? -ENOMEM : s->conf.parse_only ? 0 : order_rules(s);
	c->bytes += (s->n + 1) * sizeof(*c->quick);
	for (uint32_t i = 0; rc == 0 && i < s->n; i++) {
		struct rule *r = s->rules[i];
		rc = plan(c, r, s->pool, !s->conf.parse_only && !s->conf.no_jit);
		if (rc == SKEP_EUNSUPPORTED) {
			r->need = 0;
			s->stats.failed++;
			tell(s, r);
			rc = 0;
			continue;
		}
		choose_fast(r);
		quick_of(r, &c->quick[i]);
		if (r->fast_list >= 0)
			s->stats.with_prefilter++;
		else
			s->stats.without_prefilter++;
	}
	if (rc == 0 && !s->conf.parse_only)
		rc = group_build(s, c);
	if (rc == 0 && !s->conf.parse_only)
		rc = prefilter_finish(c, s->conf.snapshot, &s->stats);
	s->stats.groups = c->n_groups;
	s->stats.memory_bytes += c->bytes;
	s->stats.compile_ns = cpu_ns() - begin;
	if (rc < 0)
		rule_compile_free(s);
	return rc;
}

static void free_fixed(struct fixed *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		free(f->classes[i].rules.at);
	free(f->classes);
}

static void free_compiled(struct compiled *c)
{
	for (uint32_t i = 0; i < c->n_databases; i++) {
		hs_free_database(c->databases[i].hs);
		free(c->databases[i].literals);
	}
	free(c->databases);
	holds_free(c);
	for (uint32_t i = 0; i < c->n_groups; i++) {
		struct group *g = &c->groups[i];
		mpm_free(g->packet);
		mpm_free(g->stream);
		mpm_free(g->gated);
		free(g->gate.sized.at);
		free(g->header.at);
		free(g->always_packet.at);
		free(g->always_stream.at);
		free(g->few.at);
		free_fixed(&g->fixed_packet);
		free_fixed(&g->fixed_stream);
	}
	free(c->groups);
	for (unsigned t = 0; t < TRANSPORTS; t++) {
		free(c->by_port[t][0]);
		free(c->by_port[t][1]);
	}
	for (uint32_t i = 0; i < c->n_tx_sets; i++) {
		mpm_free(c->tx_sets[i].mpm);
		free(c->tx_sets[i].literals);
	}
	free(c->tx_sets);
	for (unsigned a = 0; a < APP_PROTOS; a++)
		for (unsigned d = 0; d < 2; d++) {
			free(c->apps[a][d].sets);
			free(c->apps[a][d].always.at);
			free(c->apps[a][d].events.at);
		}
	free(c->flow_once.at);
	free(c->app_once.at);
	free(c->decode.at);
	free(c->stream_events.at);
	free(c->flow_events.at);
	free(c->quick);
	free(c);
}

void rule_compile_free(struct rule_set *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t k = 0; k < s->rules[i]->n_lists; k++)
			free_list(&s->rules[i]->lists[k]);
	if (s->compiled != NULL)
		free_compiled(s->compiled);
	s->compiled = NULL;
}
