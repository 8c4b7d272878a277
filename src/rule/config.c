/* SPDX-License-Identifier: BSD-2-Clause */
/* classification.config, reference.config, threshold.config. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* What the three files have in common with a rule: a text, and places in it. */
static struct reading *begin(struct rule_set *s, const char *name, uint32_t line, struct slice text)
{
	static const struct keyword word = {.name = "config"};
	struct reading *r = &reader_of_set(s)->r;
	memset(r, 0, offsetof(struct reading, options));
	r->set = s;
	r->file = name;
	r->line = line;
	r->column = 1;
	r->text = text;
	r->kw = &word;
	r->at = text.at;
	return r;
}

static int read_class(struct reading *r, struct slice v)
{
	struct rule_set *s = r->set;
	struct slice name = slice_cut(&v, ','), text = slice_cut(&v, ',');
	uint64_t priority = 0;
	if (name.len == 0 || v.at == NULL || !slice_u64(slice_trim(v), 255, &priority) ||
	    priority == 0)
		return read_fail(r, r->at, "write config classification: NAME,TEXT,PRIORITY");
	if (s->n_classes == s->cap_classes) {
		uint32_t cap = s->cap_classes != 0 ? s->cap_classes * 2 : 64;
		struct rule_class *more = realloc(s->classes, cap * sizeof(*more));
		if (more == NULL)
			return read_nomem(r);
		s->classes = more;
		s->cap_classes = cap;
	}
	struct rule_class c = {slice_copy(r, name), slice_copy(r, text), (uint32_t)priority};
	if (c.name == NULL || c.description == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_classes; i++)
		if (strcmp(s->classes[i].name, c.name) == 0) {
			s->classes[i] = c;
			return 0;
		}
	s->classes[s->n_classes++] = c;
	return 0;
}

/* ---- thresholds --------------------------------------------------------------------------------- */

static int unsigned_part(struct reading *r, struct slice v, uint32_t *ret)
{
	uint64_t x = 0;
	if (!slice_u64(v, UINT32_MAX, &x))
		return read_fail(r, v.at != NULL ? v.at : r->at, "'%.*s' is not a number",
				 (int)(v.len < 40 ? v.len : 40), v.at != NULL ? v.at : "");
	*ret = (uint32_t)x;
	return 0;
}

static bool one_of(struct slice v, const char *const *names, size_t n, size_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (names[i] != NULL && slice_is(v, names[i])) {
			*ret = i;
			return true;
		}
	return false;
}

static int track_part(struct reading *r, struct slice v, struct rule_threshold *t)
{
	static const char *const names[] = {"by_src",  "by_dst",  "by_rule",
					    "by_both", "by_flow", "by_either"};
	size_t i = 0;
	if (!one_of(v, names, ARRAY_LEN(names), &i) ||
	    (t->kind == THRESHOLD_SUPPRESS ? i >= 2 && i != 5 : i == 5))
		return read_fail(r, v.at, "track can't be '%.*s'", (int)v.len, v.at);
	t->track = "sdrbfe"[i];
	return 0;
}

static int action_part(struct reading *r, struct slice v, struct rule_threshold *t)
{
	for (unsigned i = 0; i < ACTIONS; i++)
		if (slice_is(v, rule_action_text((enum rule_action)i))) {
			t->new_action = (uint8_t)i;
			return 0;
		}
	return read_fail(r, v.at, "unknown action '%.*s'", (int)v.len, v.at);
}

static int part(struct reading *r, struct slice one, struct suppress_line *l)
{
	static const char *const types[] = {[THRESHOLD_LIMIT] = "limit",
					    [THRESHOLD_THRESHOLD] = "threshold",
					    [THRESHOLD_BOTH] = "both",
					    [THRESHOLD_BACKOFF] = "backoff"};
	struct slice v = one, name = slice_word(&v);
	struct rule_threshold *t = &l->t;
	size_t i = 0;
	if (slice_is(name, "gen_id"))
		return unsigned_part(r, v, &l->gid);
	if (slice_is(name, "sig_id"))
		return unsigned_part(r, v, &l->sid);
	if (slice_is(name, "type") && t->kind == THRESHOLD_NONE) {
		if (!one_of(v, types, ARRAY_LEN(types), &i))
			return read_fail(r, v.at, "type is limit, threshold, both or backoff");
		t->kind = (uint8_t)i;
		return 0;
	}
	if (slice_is(name, "track"))
		return track_part(r, v, t);
	if (slice_is(name, "count"))
		return unsigned_part(r, v, &t->count);
	if (slice_is(name, "seconds"))
		return unsigned_part(r, v, &t->seconds);
	if (slice_is(name, "multiplier"))
		return unsigned_part(r, v, &t->multiplier);
	if (slice_is(name, "timeout") && t->kind == THRESHOLD_RATE)
		return unsigned_part(r, v, &t->timeout_s);
	if (slice_is(name, "new_action") && t->kind == THRESHOLD_RATE)
		return action_part(r, v, t);
	if (slice_is(name, "ip") && t->kind == THRESHOLD_SUPPRESS) {
		struct expr_problem p;
		int e = addr_set_parse(r->set->pool, r->set->vars, v, &t->addrs, &p);
		return e == SKEP_EFORMAT ? read_fail(r, p.at, "%s", p.text) : e;
	}
	return read_fail(r, one.at, "unknown part '%.*s'", (int)(one.len < 40 ? one.len : 40),
			 one.at);
}

/* Pieces between commas, but brackets hold together. */
static struct slice next_part(struct slice *rest)
{
	int open = 0;
	for (size_t i = 0; i < rest->len; i++) {
		open += rest->at[i] == '[' ? 1 : rest->at[i] == ']' ? -1 : 0;
		if (rest->at[i] != ',' || open > 0)
			continue;
		struct slice one = {rest->at, i};
		*rest = (struct slice){rest->at + i + 1, rest->len - i - 1};
		return slice_trim(one);
	}
	struct slice one = slice_trim(*rest);
	*rest = (struct slice){NULL, 0};
	return one;
}

static int read_threshold(struct reading *r, struct slice v, uint8_t kind)
{
	struct reader_state *st = reader_of_set(r->set);
	struct suppress_line l = {.gid = 1, .t.kind = kind};
	while (v.at != NULL) {
		int e = part(r, next_part(&v), &l);
		if (e < 0)
			return e;
	}
	const struct rule_threshold *t = &l.t;
	bool counts =
		t->track != 0 && t->count > 0 && (t->seconds > 0 || t->kind == THRESHOLD_BACKOFF);
	if (t->kind == THRESHOLD_NONE || (kind != THRESHOLD_SUPPRESS && !counts))
		return read_fail(r, r->at, "type, track, count or seconds is missing");
	if (kind == THRESHOLD_SUPPRESS && (t->track != 0) != (t->addrs.any || t->addrs.n_yes > 0))
		return read_fail(r, r->at, "suppress: track and ip go together");
	if (st->n_lines == st->cap_lines) {
		uint32_t cap = st->cap_lines != 0 ? st->cap_lines * 2 : 64;
		struct suppress_line *more = realloc(st->lines, cap * sizeof(*more));
		if (more == NULL)
			return read_nomem(r);
		st->lines = more;
		st->cap_lines = cap;
	}
	st->lines[st->n_lines++] = l;
	return 0;
}

static int config_line(struct reading *r, struct slice line)
{
	struct slice rest = line, word = slice_word(&rest);
	if (slice_is(word, "config")) {
		struct slice what = slice_cut(&rest, ':');
		if (slice_is(what, "classification") && rest.at != NULL)
			return read_class(r, slice_trim(rest));
		if (slice_is(what, "reference"))
			return 0; /* addresses of references: events show them as written */
		return read_fail(r, what.at, "unknown line: config classification or reference");
	}
	static const struct {
		const char *name;
		uint8_t kind;
	} kinds[] = {{"threshold", THRESHOLD_NONE},
		     {"event_filter", THRESHOLD_NONE},
		     {"suppress", THRESHOLD_SUPPRESS},
		     {"rate_filter", THRESHOLD_RATE}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (slice_is(word, kinds[i].name) && rest.len > 0)
			return read_threshold(r, rest, kinds[i].kind);
	return read_fail(
		r, word.at,
		"unknown line '%.*s': config, threshold, event_filter, rate_filter, suppress",
		(int)(word.len < 40 ? word.len : 40), word.at);
}

int rule_set_read_config(struct rule_set *s, const char *name, const char *text, size_t len)
{
	if (s->reading == NULL)
		return -EBUSY;
	struct slice rest = {text, len};
	for (uint32_t n = 1; rest.at != NULL && rest.len > 0; n++) {
		const char *end = memchr(rest.at, '\n', rest.len);
		struct slice line = {rest.at, end != NULL ? (size_t)(end - rest.at) : rest.len};
		size_t eaten = line.len + (end != NULL);
		rest = (struct slice){rest.at + eaten, rest.len - eaten};
		struct slice t = slice_trim(line);
		if (t.len == 0 || t.at[0] == '#')
			continue;
		if (config_line(begin(s, name, n, line), t) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

int read_apply_thresholds(struct rule_set *s)
{
	struct reader_state *st = reader_of_set(s);
	for (uint32_t i = 0; i < st->n_lines; i++) {
		const struct suppress_line *l = &st->lines[i];
		for (uint32_t j = 0; j < s->n; j++) {
			struct rule *r = s->rules[j];
			if ((l->gid != 0 && r->gid != l->gid) || (l->sid != 0 && r->sid != l->sid))
				continue;
			uint32_t n = r->n_thresholds;
			struct rule_threshold *more =
				rule_pool_alloc(s->pool, (n + 1) * sizeof(*more));
			if (more == NULL)
				return -ENOMEM;
			if (n > 0)
				memcpy(more, r->thresholds, n * sizeof(*more));
			more[n] = l->t;
			r->thresholds = more;
			r->n_thresholds = n + 1;
			if (l->sid != 0 && l->gid != 0)
				break;
		}
	}
	return 0;
}
