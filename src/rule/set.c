/* SPDX-License-Identifier: BSD-2-Clause */
/* The set: its memory, its names, its order, and what it tells about its rules. */
#include "rule/reader_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256u * 1024)
#define BITS_MAX 60000u

/* ---- pool --------------------------------------------------------------------------------------- */

struct chunk {
	struct chunk *next;
	size_t size, used; /* of what follows */
};
struct rule_pool {
	struct chunk *chunks;
	uint64_t bytes;
};

void *rule_pool_alloc(struct rule_pool *p, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	struct chunk *c = p->chunks;
	if (c == NULL || size > c->size - c->used) {
		size_t room = size > CHUNK / 4 ? size : CHUNK;
		struct chunk *more = calloc(1, sizeof(*more) + room);
		if (more == NULL)
			return NULL;
		more->size = room;
		p->bytes += sizeof(*more) + room;
		if (room != CHUNK && c != NULL) { /* the one in use stays in front */
			more->next = c->next;
			c->next = more;
		} else {
			more->next = c;
			p->chunks = more;
		}
		c = more;
	}
	void *at = (uint8_t *)(c + 1) + c->used;
	c->used += size;
	return at;
}

char *rule_pool_text(struct rule_pool *p, const char *s, size_t len)
{
	char *copy = rule_pool_alloc(p, len + 1);
	if (copy != NULL)
		memcpy(copy, s, len);
	return copy;
}

static void pool_free(struct rule_pool *p)
{
	while (p != NULL && p->chunks != NULL) {
		struct chunk *c = p->chunks;
		p->chunks = c->next;
		free(c);
	}
	free(p);
}

/* ---- names -------------------------------------------------------------------------------------- */

struct reader_state *reader_of_set(struct rule_set *s)
{
	return s->reading;
}

uint32_t text_hash(const char *s, size_t len)
{
	/* Rules are the operator's: no key needed, but every probe below is bounded by the table. */
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)s[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ (h >> 29));
}

static bool same(const char *text, struct slice s)
{
	return strncmp(text, s.at, s.len) == 0 && text[s.len] == '\0';
}

static int grow_interned(struct reader_state *st)
{
	uint32_t cap = st->cap_interned != 0 ? st->cap_interned * 2 : 4096;
	char **more = calloc(cap, sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < st->cap_interned; i++) {
		if (st->interned[i] == NULL)
			continue;
		uint32_t at = text_hash(st->interned[i], strlen(st->interned[i])) & (cap - 1);
		while (more[at] != NULL)
			at = (at + 1) & (cap - 1);
		more[at] = st->interned[i];
	}
	free(st->interned);
	st->interned = more;
	st->cap_interned = cap;
	return 0;
}

char *read_intern(struct reading *r, struct slice s)
{
	struct reader_state *st = reader_of_set(r->set);
	if (s.at == NULL || memchr(s.at, '\0', s.len) != NULL)
		return slice_copy(r, s);
	if (st->n_interned >= st->cap_interned / 2 && grow_interned(st) < 0) {
		read_nomem(r);
		return NULL;
	}
	uint32_t at = text_hash(s.at, s.len) & (st->cap_interned - 1);
	while (st->interned[at] != NULL) {
		if (same(st->interned[at], s))
			return st->interned[at];
		at = (at + 1) & (st->cap_interned - 1);
	}
	st->interned[at] = slice_copy(r, s);
	if (st->interned[at] != NULL)
		st->n_interned++;
	return st->interned[at];
}

static int grow_bits(struct rule_set *s, struct reader_state *st)
{
	uint32_t cap = st->cap_bits != 0 ? st->cap_bits * 2 : 1024;
	uint32_t *more = calloc(cap, sizeof(*more));
	char **names = realloc(s->bit_names, cap / 2 * sizeof(*names));
	if (names != NULL)
		s->bit_names = names;
	if (more == NULL || names == NULL) {
		free(more);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < s->n_bits; i++) {
		uint32_t at = text_hash(s->bit_names[i], strlen(s->bit_names[i])) & (cap - 1);
		while (more[at] != 0)
			at = (at + 1) & (cap - 1);
		more[at] = i + 1;
	}
	free(st->bits);
	st->bits = more;
	st->cap_bits = cap;
	s->cap_bits = cap / 2;
	return 0;
}

int read_bit(struct reading *r, struct slice name, uint16_t *ret)
{
	struct rule_set *s = r->set;
	struct reader_state *st = reader_of_set(s);
	if (name.at == NULL || name.len == 0)
		return read_fail(r, r->at, "%s: the name is missing", r->kw->name);
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.at[i] <= ' ')
			return read_fail(r, name.at, "%s: space in the name '%.*s'", r->kw->name,
					 (int)name.len, name.at);
	if (s->n_bits >= s->cap_bits && grow_bits(s, st) < 0)
		return read_nomem(r);
	uint32_t at = text_hash(name.at, name.len) & (st->cap_bits - 1);
	while (st->bits[at] != 0) {
		if (same(s->bit_names[st->bits[at] - 1], name)) {
			*ret = (uint16_t)(st->bits[at] - 1);
			return 0;
		}
		at = (at + 1) & (st->cap_bits - 1);
	}
	if (s->n_bits >= BITS_MAX)
		return read_fail(r, name.at, "%s: more than %u names in the set", r->kw->name,
				 BITS_MAX);
	char *copy = read_intern(r, name);
	if (copy == NULL)
		return read_nomem(r);
	s->bit_names[s->n_bits] = copy;
	st->bits[at] = ++s->n_bits;
	*ret = (uint16_t)(s->n_bits - 1);
	return 0;
}

/* ---- the set ------------------------------------------------------------------------------------ */

static void reader_free(struct reader_state *st)
{
	if (st == NULL)
		return;
	free(st->joined);
	free(st->interned);
	free(st->sids);
	free(st->lines);
	free(st->bits);
	free(st);
}

int rule_set_create(const struct rule_set_conf *conf, struct rule_set **ret)
{
	struct rule_set *s = calloc(1, sizeof(*s));
	struct reader_state *st = calloc(1, sizeof(*st));
	if (s == NULL || st == NULL) {
		free(s);
		free(st);
		return -ENOMEM;
	}
	s->conf = *conf;
	s->reading = st;
	s->pool = calloc(1, sizeof(*s->pool));
	st->joined = malloc(READ_TEXT);
	int r = s->pool == NULL || st->joined == NULL ? -ENOMEM
		: conf->vars != NULL                  ? rule_vars_copy(conf->vars, &s->vars)
						      : rule_vars_create(&s->vars);
	if (r < 0) {
		rule_set_free(&s);
		return r;
	}
	s->conf.vars = s->vars;
	*ret = s;
	return 0;
}

void rule_set_free(struct rule_set **s)
{
	if (*s == NULL)
		return;
	if ((*s)->compiled != NULL)
		rule_compile_free(*s);
	reader_free((*s)->reading);
	rule_vars_free(&(*s)->vars);
	pool_free((*s)->pool);
	free((*s)->rules);
	free((*s)->classes);
	free((*s)->bit_names);
	free(*s);
	*s = NULL;
}

/* Rules that change a flowbit stand before those that ask for it. */
static int bits_rank(const struct rule *r)
{
	bool asks = false;
	for (uint32_t i = 0; i < r->n_tests; i++)
		asks |= r->tests[i].kind == TEST_FLOWBITS;
	bool sets = false;
	for (uint32_t i = 0; i < r->n_sets; i++)
		sets |= r->sets[i].kind == TEST_FLOWBITS;
	return sets ? (asks ? 1 : 0) : (asks ? 2 : 3);
}

static int action_rank(enum rule_action a)
{
	switch ((unsigned)a) {
	case ACTION_PASS:
		return 0;
	case ACTION_DROP:
		return 1;
	case ACTION_REJECT:
	case ACTION_REJECT_DST:
	case ACTION_REJECT_BOTH:
		return 2;
	default:
		return 3;
	}
}

static int before(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
	int d = action_rank(x->action) - action_rank(y->action);
	if (d == 0)
		d = bits_rank(x) - bits_rank(y);
	if (d == 0)
		d = x->priority < y->priority ? -1 : x->priority > y->priority;
	if (d == 0)
		d = x->index < y->index ? -1 : x->index > y->index;
	return d;
}

int rule_set_finish(struct rule_set *s)
{
	int r = read_apply_thresholds(s);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < s->n; i++)
		s->rules[i]->index = i;
	if (s->n > 1)
		qsort(s->rules, s->n, sizeof(struct rule *), before);
	for (uint32_t i = 0; i < s->n; i++)
		s->rules[i]->index = i;
	reader_free(s->reading);
	s->reading = NULL;
	s->stats.rules = s->n;
	s->stats.memory_bytes = s->pool->bytes + s->cap * sizeof(struct rule *);
	int64_t start = clock_boot_ns();
	r = rule_compile(s);
	s->stats.compile_ns += clock_boot_ns() - start;
	return r;
}

void rule_set_read_stats(const struct rule_set *s, struct rule_set_stats *ret)
{
	*ret = s->stats;
	ret->rules = s->n;
}

uint32_t rule_set_count(const struct rule_set *s)
{
	return s->n;
}

const char *rule_action_text(enum rule_action a)
{
	static const char *const texts[ACTIONS] = {
		[ACTION_ALERT] = "alert",
		[ACTION_PASS] = "pass",
		[ACTION_DROP] = "drop",
		[ACTION_REJECT] = "reject",
		[ACTION_REJECT_DST] = "rejectdst",
		[ACTION_REJECT_BOTH] = "rejectboth",
		[ACTION_REWRITE] = "rewrite",
		[ACTION_LOG] = "log",
		[ACTION_CONFIG] = "config",
	};
	return (unsigned)a < ACTIONS ? texts[a] : "";
}

void rule_set_info(const struct rule_set *s, uint32_t index, struct rule_info *ret)
{
	const struct rule *r = s->rules[index];
	const char *category = "";
	for (uint32_t i = 0; i < s->n_classes && r->classtype != NULL; i++)
		if (strcmp(s->classes[i].name, r->classtype) == 0)
			category = s->classes[i].description;
	*ret = (struct rule_info){
		.action = r->action,
		.gid = r->gid,
		.sid = r->sid,
		.rev = r->rev,
		.severity = r->priority,
		.msg = r->msg != NULL ? r->msg : "",
		.classtype = r->classtype != NULL ? r->classtype : "",
		.category = category,
		.file = r->file,
		.line = r->line,
		.text = r->text,
		.n_metadata = r->n_metadata,
		.metadata = (const char *const *)r->metadata,
		.n_references = r->n_references,
		.references = (const char *const *)r->references,
		.target = r->target,
	};
}
