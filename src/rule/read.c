/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading: files into rules, a rule into header and options, options to their keywords. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX 4000000u

/* ---- header ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t action;
} actions[] = {
	{"alert", ACTION_ALERT},
	{"pass", ACTION_PASS},
	{"drop", ACTION_DROP},
	{"block", ACTION_DROP},
	{"sdrop", ACTION_DROP},
	{"reject", ACTION_REJECT},
	{"rejectsrc", ACTION_REJECT},
	{"rejectdst", ACTION_REJECT_DST},
	{"rejectboth", ACTION_REJECT_BOTH},
	{"rewrite", ACTION_REWRITE},
	{"react", ACTION_REJECT},
	{"log", ACTION_LOG},
	{"config", ACTION_CONFIG},
};

static const struct {
	const char *name;
	uint8_t proto;
	uint8_t number;
} protos[] = {
	{"ip", PROTO_ANY_IP, 0},
	{"any", PROTO_ANY_IP, 0},
	{"ip4", PROTO_ONLY_IP4, 0},
	{"ipv4", PROTO_ONLY_IP4, 0},
	{"ip6", PROTO_ONLY_IP6, 0},
	{"ipv6", PROTO_ONLY_IP6, 0},
	{"tcp", PROTO_ONLY_TCP, 0},
	{"tcp-pkt", PROTO_TCP_PKT, 0},
	{"tcp-stream", PROTO_TCP_STREAM, 0},
	{"udp", PROTO_ONLY_UDP, 0},
	{"icmp", PROTO_ONLY_ICMP, 0},
	{"icmpv4", PROTO_ONLY_ICMP4, 0},
	{"icmpv6", PROTO_ONLY_ICMP6, 0},
	{"sctp", PROTO_ONLY_SCTP, 0},
	{"pkthdr", PROTO_PKTHDR, 0},
	{"arp", PROTO_ARP, 0},
	{"igmp", PROTO_NUMBER, 2},
	{"gre", PROTO_NUMBER, 47},
	{"esp", PROTO_NUMBER, 50},
	{"ah", PROTO_NUMBER, 51},
	{"file", PROTO_ANY_IP, 0},
};

static bool action_find(struct slice word, uint8_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (slice_is(word, actions[i].name)) {
			*ret = actions[i].action;
			return true;
		}
	return false;
}

static const char *near(struct slice word, const char *best, unsigned *least, const char *name)
{
	char text[64];
	if (word.len >= sizeof(text))
		return best;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	unsigned d = text_distance(text, name);
	if (d >= *least)
		return best;
	*least = d;
	return name;
}

/* One word of the header off rest: up to space, an arrow or the opening parenthesis, but brackets
 * hold together. */
static struct slice header_word(struct slice *rest)
{
	struct slice s = slice_trim(*rest);
	size_t n = 0;
	int open = 0;
	for (; n < s.len; n++) {
		char c = s.at[n];
		open += c == '[' ? 1 : c == ']' && open > 0 ? -1 : 0;
		if (open > 0)
			continue;
		bool arrow = n + 1 < s.len &&
			     (memcmp(s.at + n, "->", 2) == 0 || memcmp(s.at + n, "<>", 2) == 0 ||
			      memcmp(s.at + n, "<-", 2) == 0 || memcmp(s.at + n, "=>", 2) == 0);
		if (arrow && n == 0)
			n = 2;
		if (arrow || c == '(')
			break;
		if (isspace((unsigned char)c) && !(n > 0 && s.at[n - 1] == '!'))
			break;
	}
	*rest = (struct slice){s.at + n, s.len - n};
	s.len = n;
	return slice_trim(s);
}

static int header_proto(struct reading *r, struct slice word)
{
	struct rule *rule = r->rule;
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		if (slice_is(word, protos[i].name)) {
			rule->proto = protos[i].proto;
			rule->proto_number = protos[i].number;
			return 0;
		}
	char text[64] = "";
	if (word.len < sizeof(text))
		for (size_t i = 0; i < word.len; i++)
			text[i] = (char)tolower((unsigned char)word.at[i]);
	enum app_proto app =
		slice_is(word, "ssl") ? APP_TLS : app_proto_by_name(text, strlen(text));
	if (app != APP_PROTOS && app != APP_UNKNOWN && app != APP_FAILED) {
		rule->proto = PROTO_APP;
		rule->app = (uint8_t)app;
		return 0;
	}
	const char *best = NULL;
	unsigned least = 3;
	for (size_t i = 0; i < ARRAY_LEN(protos); i++)
		best = near(word, best, &least, protos[i].name);
	for (unsigned i = APP_HTTP; i < APP_PROTOS; i++)
		best = near(word, best, &least, app_proto_text((enum app_proto)i));
	return read_fail(r, word.at, "unknown protocol '%.*s'%s%s%s",
			 (int)(word.len < 40 ? word.len : 40), word.at,
			 best ? "; did you mean '" : "", best ? best : "", best ? "'?" : "");
}

static int header_addr(struct reading *r, struct slice word, struct addr_set *ret)
{
	struct reader_state *st = reader_of_set(r->set);
	struct addr_cache *c = &st->addrs[text_hash(word.at, word.len) % READ_CACHE];
	struct expr_problem p;
	if (c->text != NULL && strlen(c->text) == word.len &&
	    memcmp(c->text, word.at, word.len) == 0) {
		*ret = c->set;
		return 0;
	}
	int e = addr_set_parse(r->set->pool, r->set->vars, word, ret, &p);
	if (e == -ENOMEM)
		return read_nomem(r);
	if (e < 0)
		return read_fail(r, p.at, "address: %s", p.text);
	c->text = read_intern(r, word);
	c->set = *ret;
	return c->text != NULL ? 0 : -ENOMEM;
}

static int header_ports(struct reading *r, struct slice word, struct port_set *ret)
{
	struct reader_state *st = reader_of_set(r->set);
	struct port_cache *c = &st->ports[text_hash(word.at, word.len) % READ_CACHE];
	struct expr_problem p;
	if (c->text != NULL && strlen(c->text) == word.len &&
	    memcmp(c->text, word.at, word.len) == 0) {
		*ret = c->set;
		return 0;
	}
	int e = port_set_parse(r->set->pool, r->set->vars, word, ret, &p);
	if (e == -ENOMEM)
		return read_nomem(r);
	if (e < 0)
		return read_fail(r, p.at, "port: %s", p.text);
	c->text = read_intern(r, word);
	c->set = *ret;
	return c->text != NULL ? 0 : -ENOMEM;
}

static int header_rest(struct reading *r, struct slice *rest)
{
	struct rule *rule = r->rule;
	struct slice w[5];
	for (unsigned i = 0; i < 5; i++) {
		static const char *const what[] = {"source address", "source port", "direction",
						   "destination address", "destination port"};
		w[i] = header_word(rest);
		if (w[i].len == 0)
			return read_fail(r, rest->at, "the header ends before its %s", what[i]);
	}
	if (slice_is(w[2], "<>"))
		rule->both_ways = true;
	else if (slice_is(w[2], "=>"))
		rule->transactional = true;
	else if (slice_is(w[2], "<-"))
		return read_fail(r, w[2].at,
				 "'<-' is no direction: swap both sides and write '->'");
	else if (!slice_is(w[2], "->"))
		return read_fail(r, w[2].at, "'%.*s' is no direction: write '->', '<>' or '=>'",
				 (int)(w[2].len < 40 ? w[2].len : 40), w[2].at);
	if (rule->transactional && rule->proto != PROTO_APP)
		return read_fail(r, w[2].at, "'=>' needs an application protocol in the header");
	int e = header_addr(r, w[0], &rule->src);
	if (e == 0)
		e = header_ports(r, w[1], &rule->sport);
	if (e == 0)
		e = header_addr(r, w[3], &rule->dst);
	return e < 0 ? e : header_ports(r, w[4], &rule->dport);
}

/* Up to the opening parenthesis, which is taken off rest as well. */
static int read_header(struct reading *r, struct slice *rest)
{
	struct rule *rule = r->rule;
	struct slice word = header_word(rest);
	if (!action_find(word, &rule->action)) {
		const char *best = NULL;
		unsigned least = 3;
		for (size_t i = 0; i < ARRAY_LEN(actions); i++)
			best = near(word, best, &least, actions[i].name);
		return read_fail(r, word.at, "unknown action '%.*s'%s%s%s",
				 (int)(word.len < 40 ? word.len : 40), word.at,
				 best ? "; did you mean '" : "", best ? best : "",
				 best ? "'?" : "");
	}
	word = header_word(rest);
	if (word.len == 0)
		return read_fail(r, rest->at, "the header has no protocol");
	int e = header_proto(r, word);
	if (e < 0)
		return e;
	*rest = slice_trim(*rest);
	if (rest->len > 0 && rest->at[0] == '(') {
		rule->src.any = rule->dst.any = rule->sport.any = rule->dport.any = true;
		r->snort3 = true;
	} else {
		e = header_rest(r, rest);
		if (e < 0)
			return e;
	}
	*rest = slice_trim(*rest);
	if (rest->len == 0 || rest->at[0] != '(')
		return read_fail(r, rest->at, "'(' is missing after the header");
	*rest = (struct slice){rest->at + 1, rest->len - 1};
	return 0;
}

/* ---- options ------------------------------------------------------------------------------------ */

/* Where the option that begins s ends: at its ';'. Inside quotes a ';' does not end it, unless that
 * leaves no end at all. */
static size_t option_end(struct slice s)
{
	size_t i = 0, first = s.len, colon = 0;
	while (colon < s.len && s.at[colon] != ':' && s.at[colon] != ';')
		colon++;
	for (i = colon + 1; i < s.len && (isspace((unsigned char)s.at[i]) || s.at[i] == '!'); i++)
		;
	bool quoted = colon < s.len && s.at[colon] == ':' && i < s.len && s.at[i] == '"';
	for (i = quoted ? i + 1 : 0; i < s.len; i++) {
		char c = s.at[i];
		if (c == '\\') {
			i++;
			continue;
		}
		if (c == ';') {
			if (!quoted)
				return i;
			if (first == s.len)
				first = i;
		}
		if (c != '"' || !quoted)
			continue;
		size_t next = i + 1;
		while (next < s.len && isspace((unsigned char)s.at[next]))
			next++;
		if (next < s.len && (s.at[next] == ';' || s.at[next] == ','))
			quoted = false;
	}
	return first;
}

static const struct keyword *option_keyword(struct slice name)
{
	char text[READ_NAME];
	if (name.len >= sizeof(text))
		return NULL;
	for (size_t i = 0; i < name.len; i++)
		text[i] = (char)tolower((unsigned char)name.at[i]);
	return keyword_find(text, name.len);
}

static int unknown_keyword(struct reading *r, struct slice name)
{
	char text[READ_NAME];
	size_t n = name.len < sizeof(text) - 1 ? name.len : sizeof(text) - 1;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)tolower((unsigned char)name.at[i]);
	text[n] = '\0';
	const char *best = keyword_near(text);
	return read_fail(r, name.at, "unknown keyword '%s'%s%s%s", text,
			 best ? "; did you mean '" : "", best ? best : "", best ? "'?" : "");
}

static int split_options(struct reading *r, struct slice rest)
{
	for (rest = slice_trim(rest); rest.len > 0; rest = slice_trim(rest)) {
		size_t end = option_end(rest);
		if (end == rest.len)
			return read_fail(r, rest.at, "no ';' ends this option");
		struct slice o = slice_trim((struct slice){rest.at, end});
		rest = (struct slice){rest.at + end + 1, rest.len - end - 1};
		if (o.len == 0)
			continue;
		if (r->n_options == READ_OPTIONS)
			return read_fail(r, o.at, "more than %u options", READ_OPTIONS);
		struct read_option *x = &r->options[r->n_options++];
		x->value = o;
		x->name = slice_cut(&x->value, ':');
		if (x->value.at != NULL)
			x->value = slice_trim(x->value);
		x->k = option_keyword(x->name);
		if (x->k == NULL)
			return unknown_keyword(r, x->name);
	}
	return 0;
}

/* Snort 3 writes modifiers inside contents and buffers before them; older rules the other way. */
static bool is_snort3(const struct reading *r)
{
	bool content = false;
	for (uint32_t i = 0; i < r->n_options; i++) {
		const struct read_option *o = &r->options[i];
		if (o->k->dialects == SURICATA && o->k->family == FAMILY_BUFFER)
			return false;
		if (o->k->dialects == SNORT3)
			return true;
		if (o->k->read == kw_modifier && (!content || o->value.at != NULL))
			return true;
		if (o->k->read == kw_content) {
			struct slice v = o->value;
			content = true;
			while (v.len > 0 && v.at[v.len - 1] != '"' && v.at[v.len - 1] != ',')
				v.len--;
			if (v.len > 0 && v.len < o->value.len)
				return true;
		}
		content |= o->k->read == kw_pcre;
	}
	return false;
}

static int run_options(struct reading *r)
{
	r->snort3 = r->snort3 || is_snort3(r);
	for (uint32_t i = 0; i < r->n_options; i++) {
		const struct read_option *o = &r->options[i];
		r->kw = o->k;
		r->at = o->name.at;
		if (o->k->read == NULL)
			return read_fail(r, r->at, "%s is not supported: %s", o->k->name,
					 o->k->why);
		if (o->k->takes == TAKES_VALUE && o->value.len == 0)
			return read_fail(r, r->at, "%s needs a value: write %s:...;", o->k->name,
					 o->k->name);
		if (o->k->takes == TAKES_NOTHING && o->value.len > 0)
			return read_fail(r, o->value.at, "%s takes no value", o->k->name);
		int e = o->k->read(r, o->k, o->value);
		if (e < 0 || r->failed || r->skipped)
			return e;
	}
	return 0;
}

/* ---- putting it together ------------------------------------------------------------------------ */

static void *keep(struct reading *r, const void *from, uint32_t n, size_t size)
{
	if (n == 0 || r->failed)
		return NULL;
	void *copy = rule_pool_alloc(r->set->pool, n * size);
	if (copy == NULL) {
		read_nomem(r);
		return NULL;
	}
	memcpy(copy, from, n * size);
	return copy;
}

static int assemble_lists(struct reading *r)
{
	struct rule *rule = r->rule;
	uint32_t n = 0;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		struct rule_list *l = &r->lists[i];
		if (l->n == 0)
			continue;
		l->m = rule_pool_alloc(r->set->pool, l->n * sizeof(*l->m));
		if (l->m == NULL)
			return read_nomem(r);
		l->n = 0;
		for (uint32_t j = 0; j < r->n_m; j++)
			if (r->m[j].list == i)
				l->m[l->n++] = r->m[j].m;
		l->transforms =
			keep(r, r->transforms[i], l->n_transforms, sizeof(struct rule_transform));
		r->lists[n++] = *l;
	}
	rule->n_lists = n;
	rule->lists = keep(r, r->lists, n, sizeof(*r->lists));
	return r->failed ? -ENOMEM : 0;
}

static int assemble(struct reading *r)
{
	struct rule *rule = r->rule;
	int e = assemble_lists(r);
	if (e < 0)
		return e;
	rule->tests = keep(r, r->tests, r->n_tests, sizeof(*r->tests));
	rule->n_tests = r->n_tests;
	rule->sets = keep(r, r->sets, r->n_sets, sizeof(*r->sets));
	rule->n_sets = r->n_sets;
	rule->thresholds = keep(r, r->thresholds, r->n_thresholds, sizeof(*r->thresholds));
	rule->n_thresholds = r->n_thresholds;
	rule->references = keep(r, r->references, r->n_references, sizeof(char *));
	rule->n_references = r->n_references;
	rule->metadata = keep(r, r->metadata, r->n_metadata * 2, sizeof(char *));
	rule->n_metadata = r->n_metadata;
	rule->n_byte_vars = r->n_vars;
	rule->text = slice_copy(r, r->text);
	rule->file = read_intern(r, (struct slice){r->file, strlen(r->file)});
	rule->line = r->line;
	rule->fast_list = rule->fast_match = -1;
	return r->failed ? -ENOMEM : 0;
}

/* ---- the set's table of sids -------------------------------------------------------------------- */

static uint32_t sid_slot(const struct rule_set *s, const struct reader_state *st, uint32_t gid,
			 uint32_t sid)
{
	uint64_t key = ((uint64_t)gid << 32 | sid) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t at = (uint32_t)(key >> 29) & (st->cap_sids - 1);
	while (st->sids[at] != 0) {
		const struct rule *old = s->rules[st->sids[at] - 1];
		if (old->gid == gid && old->sid == sid)
			break;
		at = (at + 1) & (st->cap_sids - 1);
	}
	return at;
}

static int grow_rules(struct rule_set *s, struct reader_state *st)
{
	if (s->n >= RULES_MAX)
		return -ENOMEM;
	uint32_t cap = s->cap != 0 ? s->cap * 2 : 512;
	struct rule **rules = realloc(s->rules, cap * sizeof(struct rule *));
	if (rules == NULL)
		return -ENOMEM;
	s->rules = rules;
	uint32_t *sids = calloc(cap * 2, sizeof(*sids));
	if (sids == NULL)
		return -ENOMEM;
	free(st->sids);
	st->sids = sids;
	st->cap_sids = cap * 2;
	s->cap = cap;
	for (uint32_t i = 0; i < s->n; i++)
		st->sids[sid_slot(s, st, s->rules[i]->gid, s->rules[i]->sid)] = i + 1;
	return 0;
}

static int enter(struct reading *r)
{
	struct rule_set *s = r->set;
	struct reader_state *st = reader_of_set(s);
	struct rule *rule = r->rule;
	if (s->n == s->cap && grow_rules(s, st) < 0)
		return read_nomem(r);
	uint32_t slot = sid_slot(s, st, rule->gid, rule->sid);
	if (st->sids[slot] == 0) {
		s->rules[s->n] = rule;
		st->sids[slot] = ++s->n;
		return 0;
	}
	struct rule **old = &s->rules[st->sids[slot] - 1];
	if ((*old)->rev >= rule->rev)
		return read_fail(
			r, r->text.at,
			"sid %u is there already (%s:%u, rev %u): this one (rev %u) is not "
			"newer",
			rule->sid, (*old)->file, (*old)->line, (*old)->rev, rule->rev);
	read_warn(r, r->text.at, "sid %u replaces %s:%u: rev %u is newer than rev %u", rule->sid,
		  (*old)->file, (*old)->line, rule->rev, (*old)->rev);
	*old = rule;
	return 0;
}

/* ---- files -------------------------------------------------------------------------------------- */

static int parse_text(struct reading *r)
{
	struct slice rest = slice_trim(r->text);
	r->text = rest;
	int e = read_header(r, &rest);
	if (e < 0)
		return e;
	if (rest.len == 0 || rest.at[rest.len - 1] != ')')
		return read_fail(r, r->text.at + r->text.len - 1, "the rule does not end with ')'");
	rest.len--;
	e = split_options(r, rest);
	if (e == 0)
		e = run_options(r);
	if (e == 0 && !r->failed && !r->skipped)
		e = read_check(r);
	if (e == 0 && !r->failed && !r->skipped)
		e = assemble(r);
	if (e == 0 && !r->failed && !r->skipped)
		e = enter(r);
	return e;
}

static int read_rule(struct rule_set *s, const char *name, uint32_t line, uint32_t column,
		     struct slice text, uint32_t n_breaks)
{
	struct reader_state *st = reader_of_set(s);
	struct reading *r = &st->r;
	memset(r, 0, offsetof(struct reading, options));
	r->set = s;
	r->file = name;
	r->line = line;
	r->column = column;
	r->text = text;
	r->breaks = st->breaks;
	r->n_breaks = n_breaks;
	r->list = r->content = -1;
	r->n_vars = 0;
	r->rule = rule_pool_alloc(s->pool, sizeof(*r->rule));
	if (r->rule == NULL)
		return -ENOMEM;
	r->rule->gid = 1;
	r->rule->rev = 0;
	r->rule->priority = 3;
	int e = parse_text(r);
	if (r->skipped)
		s->stats.disabled++;
	else if (e < 0 || r->failed)
		s->stats.failed++;
	return e == -ENOMEM ? e : 0;
}

/* Is this a commented-out rule? */
static bool is_disabled(struct slice s)
{
	uint8_t action;
	while (s.len > 0 && (s.at[0] == '#' || isspace((unsigned char)s.at[0]))) {
		s.at++;
		s.len--;
	}
	size_t n = 0;
	while (n < s.len && isalpha((unsigned char)s.at[n]))
		n++;
	return n < s.len && isspace((unsigned char)s.at[n]) &&
	       action_find((struct slice){s.at, n}, &action) && memchr(s.at, '(', s.len) != NULL;
}

static bool begins_rule(struct slice s)
{
	uint8_t action;
	return action_find(slice_word(&s), &action);
}

struct lines { /* a file, line by line */
	struct slice rest;
	uint32_t line; /* of what rest begins with */
};

static struct slice next_line(struct lines *l)
{
	const char *end = memchr(l->rest.at, '\n', l->rest.len);
	struct slice s = l->rest;
	if (end != NULL)
		s.len = (size_t)(end - s.at);
	size_t eaten = s.len + (end != NULL);
	l->rest = (struct slice){l->rest.at + eaten, l->rest.len - eaten};
	l->line++;
	if (s.len > 0 && s.at[s.len - 1] == '\r')
		s.len--;
	return s;
}

static bool continued(struct slice *s)
{
	struct slice t = slice_trim(*s);
	if (t.len == 0 || t.at[t.len - 1] != '\\')
		return false;
	s->len = (size_t)(t.at + t.len - 1 - s->at);
	return true;
}

/* Does a rule go on in the next line without a backslash (as Snort 3 allows)? */
static bool unfinished(struct slice rule, const struct lines *l)
{
	struct slice t = slice_trim(rule);
	struct lines peek = *l;
	if (t.len == 0 || t.at[t.len - 1] == ')' || !begins_rule(t) || peek.rest.len == 0)
		return false;
	struct slice next = slice_trim(next_line(&peek));
	/* A paragraph's end, a comment or another rule: this one is broken, the next is not to blame. */
	return next.len > 0 && next.at[0] != '#' && !begins_rule(next) &&
	       (next.at[0] == '(' || memchr(t.at, '(', t.len) != NULL);
}

/* The rule that begins with first, its lines joined in the state's buffer. false: too long. */
static bool join(struct reader_state *st, struct lines *l, struct slice first, struct slice *ret,
		 uint32_t *ret_breaks)
{
	uint32_t begin = l->line - 1, n = 0;
	size_t len = 0;
	struct slice s = first;
	bool fits = true;
	for (;;) {
		bool more = continued(&s);
		if (len + s.len + 1 <= READ_TEXT)
			memcpy(st->joined + len, s.at, s.len);
		else
			fits = false;
		len += fits ? s.len : 0;
		if (!more) {
			more = fits && unfinished((struct slice){st->joined, len}, l);
			if (more && len + 1 < READ_TEXT)
				st->joined[len++] = ' ';
		}
		if (!more || l->rest.len == 0)
			break;
		if (n < ARRAY_LEN(st->breaks))
			st->breaks[n++] = (struct text_break){(uint32_t)len, l->line - begin, 1};
		s = next_line(l);
	}
	*ret = (struct slice){st->joined, len};
	*ret_breaks = n;
	return fits;
}

static int read_line(struct rule_set *s, const char *name, struct lines *l, struct slice first)
{
	struct reader_state *st = reader_of_set(s);
	uint32_t line = l->line;
	struct slice text = slice_trim(first);
	uint32_t n_breaks = 0;
	uint32_t column = (uint32_t)(text.at - first.at) + 1;
	if (text.at[text.len - 1] == ')' && text.len <= READ_TEXT)
		return read_rule(s, name, line, column, text, 0);
	bool fits = join(st, l, (struct slice){text.at, first.len - (size_t)(text.at - first.at)},
			 &text, &n_breaks);
	if (fits)
		return read_rule(s, name, line, column, text, n_breaks);
	struct reading *r = &st->r;
	memset(r, 0, offsetof(struct reading, options));
	r->set = s;
	r->file = name;
	r->line = line;
	r->column = column;
	read_fail(r, NULL, "the rule is longer than %u bytes", READ_TEXT);
	s->stats.failed++;
	return 0;
}

int rule_set_read(struct rule_set *s, const char *name, const char *text, size_t len)
{
	if (s->reading == NULL)
		return -EBUSY;
	int64_t start = clock_boot_ns();
	struct lines l = {{text, len}, 0};
	int e = 0;
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		l.rest = (struct slice){text + 3, len - 3};
	while (l.rest.len > 0 && e == 0) {
		struct slice line = next_line(&l);
		struct slice t = slice_trim(line);
		if (t.len == 0)
			continue;
		if (t.at[0] == '#') {
			s->stats.disabled += is_disabled(t);
			continue;
		}
		e = read_line(s, name, &l, line);
	}
	s->stats.parse_ns += clock_boot_ns() - start;
	return e;
}
