/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule says about itself, and how often it may speak. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VERSION_LIKE 80007u /* the release whose behaviour this engine has: 8.0.7 */

static int number(struct reading *r, struct slice v, uint64_t least, uint64_t most, uint32_t *ret)
{
	uint64_t x = 0;
	v = slice_unquote(v);
	if (!slice_u64(v, most, &x) || x < least)
		return read_fail(r, v.at != NULL ? v.at : r->at,
				 "%s: '%.*s' is not a number from %llu to %llu", r->kw->name,
				 (int)(v.len < 40 ? v.len : 40), v.at != NULL ? v.at : "",
				 (unsigned long long)least, (unsigned long long)most);
	*ret = (uint32_t)x;
	return 0;
}

int kw_msg(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	if (v.at[0] != '"')
		return read_fail(r, v.at, "msg must stand in quotes");
	if (v.len < 2 || v.at[v.len - 1] != '"')
		return read_fail(r, v.at, "msg: the closing quote is missing");
	if (r->rule->msg != NULL)
		return read_fail(r, r->at, "msg is given twice");
	v = slice_unquote(v);
	char *text = slice_copy(r, v);
	if (text == NULL)
		return -ENOMEM;
	size_t n = 0;
	for (size_t i = 0; i < v.len; i++) {
		if (text[i] == '\\' && i + 1 < v.len && strchr("\"\\;:", text[i + 1]) != NULL)
			i++;
		text[n++] = text[i];
	}
	text[n] = '\0';
	r->rule->msg = text;
	return 0;
}

int kw_sid(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	if (r->has_sid)
		return read_fail(r, r->at, "sid is given twice");
	int e = number(r, v, 1, UINT32_MAX, &r->rule->sid);
	r->has_sid = e == 0;
	return e;
}

int kw_gid(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	return number(r, v, 0, UINT32_MAX, &r->rule->gid);
}

int kw_rev(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	return number(r, v, 0, UINT32_MAX, &r->rule->rev);
}

int kw_priority(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	if (r->rule->has_priority)
		read_warn(r, r->at, "priority is given twice: the last holds");
	int e = number(r, v, 1, 255, &r->rule->priority);
	r->rule->has_priority = e == 0;
	return e;
}

int kw_classtype(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	const struct rule_set *s = r->set;
	v = slice_unquote(v);
	if (r->rule->classtype != NULL)
		return read_fail(r, r->at, "classtype is given twice");
	r->rule->classtype = read_intern(r, v);
	if (r->rule->classtype == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_classes; i++)
		if (slice_is(v, s->classes[i].name)) {
			if (!r->rule->has_priority)
				r->rule->priority = s->classes[i].priority;
			return 0;
		}
	/* Without a classification.config every class is unknown: that is told once, elsewhere. */
	if (s->n_classes > 0)
		read_warn(r, v.at, "classtype '%.*s' is in no classification.config", (int)v.len,
			  v.at);
	return 0;
}

int kw_reference(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct slice rest = slice_unquote(v), kind = slice_cut(&rest, ',');
	if (kind.len == 0 || rest.at == NULL || slice_trim(rest).len == 0)
		return read_fail(r, v.at, "reference: write reference:KIND,TEXT");
	if (r->n_references == READ_PAIRS)
		return read_fail(r, r->at, "more than %u references", READ_PAIRS);
	char text[1024];
	struct writer w = writer_of(text, sizeof(text));
	rest = slice_trim(rest);
	write_fmt(&w, "%.*s,%.*s", (int)kind.len, kind.at, (int)rest.len, rest.at);
	if (w.full)
		return read_fail(r, v.at, "reference: too long");
	r->references[r->n_references] = read_intern(r, (struct slice){text, w.len});
	return r->references[r->n_references++] != NULL ? 0 : -ENOMEM;
}

static int add_metadata(struct reading *r, struct slice key, struct slice value)
{
	if (r->n_metadata * 2 + 2 > READ_PAIRS)
		return read_fail(r, r->at, "more than %u pairs of metadata", READ_PAIRS / 2);
	char *a = read_intern(r, key), *b = read_intern(r, value);
	if (a == NULL || b == NULL)
		return -ENOMEM;
	r->metadata[r->n_metadata * 2] = a;
	r->metadata[r->n_metadata * 2 + 1] = b;
	r->n_metadata++;
	return 0;
}

int kw_metadata(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	v = slice_unquote(v);
	while (v.at != NULL) {
		struct slice value = slice_cut(&v, ',');
		if (value.len == 0)
			continue;
		struct slice key = slice_word(&value);
		int e = add_metadata(r, key, value);
		if (e < 0)
			return e;
	}
	return 0;
}

/* Snort 3's service: http,ssl. Kept as metadata: protocols are found by content. */
int kw_service(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		if (one.len == 0)
			return read_fail(r, one.at, "service: a name is missing");
		int e = add_metadata(r, (struct slice){"service", 7}, one);
		if (e < 0)
			return e;
	}
	return 0;
}

int kw_target(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	if (slice_is(v, "src_ip"))
		r->rule->target = 1;
	else if (slice_is(v, "dest_ip"))
		r->rule->target = 2;
	else
		return read_fail(r, v.at, "target is src_ip or dest_ip");
	return 0;
}

int kw_noalert(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	r->rule->noalert = true;
	return 0;
}

int kw_alert(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	r->rule->noalert = false;
	r->rule->say = true;
	return 0;
}

int kw_prefilter(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	(void)v;
	/* After a content the same as fast_pattern; else the test before it may choose rules. */
	if (r->content >= 0 && r->content == (int)r->n_m - 1 && !r->has_fast) {
		r->m[r->content].m.u.content.fast = true;
		r->has_fast = true;
	}
	r->rule->prefilter = true;
	return 0;
}

/* What is accepted and changes nothing; arg 1: worth a warning. */
int kw_ignored(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)v;
	if (k->arg == 1)
		read_warn(r, r->at, "%s has no effect here", k->name);
	return 0;
}

/* ---- tag ---------------------------------------------------------------------------------------- */

static int tag_metric(struct reading *r, struct slice unit, uint32_t n)
{
	struct rule *rule = r->rule;
	if (slice_is(unit, "packets"))
		rule->tag_count = n;
	else if (slice_is(unit, "seconds"))
		rule->tag_seconds = n;
	else if (slice_is(unit, "bytes"))
		rule->tag_bytes = n;
	else
		return read_fail(r, unit.at != NULL ? unit.at : r->at,
				 "tag counts packets, seconds or bytes");
	return 0;
}

/* tag:session,5,packets; tag:host,100,seconds,src; Snort 3: tag:session,packets 5. */
int kw_tag(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct slice kind = slice_cut(&v, ',');
	if (r->rule->tag)
		return read_fail(r, r->at, "tag is given twice");
	if (!slice_is(kind, "session") && !slice_is(kind, "host") && !slice_is(kind, "host_src") &&
	    !slice_is(kind, "host_dst"))
		return read_fail(r, kind.at, "tag is about session or host");
	r->rule->tag = true;
	r->rule->tag_host = slice_is(kind, "session") ? 0 : slice_is(kind, "host_dst") ? 'd' : 's';
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ','), rest = one;
		struct slice word = slice_word(&rest);
		uint32_t n = 0;
		int e = 0;
		if (slice_is(word, "src") || slice_is(word, "dst")) {
			if (r->rule->tag_host == 0)
				return read_fail(r, word.at, "tag: only host has a direction");
			r->rule->tag_host = (uint8_t)tolower((unsigned char)word.at[0]);
		} else if (one.len > 0 && isdigit((unsigned char)one.at[0])) {
			e = number(r, one, 0, UINT32_MAX, &n);
			if (e == 0)
				e = tag_metric(r, slice_cut(&v, ','), n);
		} else {
			e = number(r, rest, 0, UINT32_MAX, &n);
			if (e == 0)
				e = tag_metric(r, word, n);
		}
		if (e < 0)
			return e;
	}
	read_warn(r, r->at, "tag: packets that follow the alert are not recorded");
	if (r->rule->tag_count + r->rule->tag_seconds + r->rule->tag_bytes == 0)
		r->rule->tag_count = 256;
	return 0;
}

/* ---- thresholds --------------------------------------------------------------------------------- */

static bool threshold_track(struct slice v, char *ret)
{
	static const struct {
		const char *name;
		char track;
	} tracks[] = {{"by_src", 's'},  {"by_dst", 'd'},  {"by_rule", 'r'},
		      {"by_both", 'b'}, {"by_flow", 'f'}, {"by_either", 'e'}};
	for (size_t i = 0; i < ARRAY_LEN(tracks); i++)
		if (slice_is(v, tracks[i].name)) {
			*ret = tracks[i].track;
			return true;
		}
	return false;
}

static bool threshold_type(struct slice v, uint8_t *ret)
{
	static const char *const names[] = {[THRESHOLD_LIMIT] = "limit",
					    [THRESHOLD_THRESHOLD] = "threshold",
					    [THRESHOLD_BOTH] = "both",
					    [THRESHOLD_BACKOFF] = "backoff"};
	for (unsigned i = THRESHOLD_LIMIT; i < ARRAY_LEN(names); i++)
		if (names[i] != NULL && slice_is(v, names[i])) {
			*ret = (uint8_t)i;
			return true;
		}
	return false;
}

static int threshold_part(struct reading *r, struct rule_threshold *t, struct slice one)
{
	struct slice v = one, name = slice_word(&v);
	bool detection = t->kind == THRESHOLD_DETECTION_FILTER;
	if (slice_is(name, "type") && !detection) {
		if (!threshold_type(v, &t->kind))
			return read_fail(r, v.at, "%s: type is limit, threshold, both or backoff",
					 r->kw->name);
		return 0;
	}
	if (slice_is(name, "track")) {
		if (!threshold_track(v, &t->track) || t->track == 'e')
			return read_fail(r, v.at,
					 "%s: track is by_src, by_dst, by_both, by_rule or by_flow",
					 r->kw->name);
		return 0;
	}
	if (slice_is(name, "count"))
		return number(r, v, 1, UINT32_MAX, &t->count);
	if (slice_is(name, "seconds"))
		return number(r, v, 1, UINT32_MAX, &t->seconds);
	if (slice_is(name, "multiplier"))
		return number(r, v, 1, UINT32_MAX, &t->multiplier);
	return read_fail(r, one.at, "%s: unknown part '%.*s'", r->kw->name,
			 (int)(one.len < 40 ? one.len : 40), one.at);
}

static int threshold(struct reading *r, struct slice v, uint8_t kind)
{
	struct rule_threshold t = {.kind = kind};
	bool detection = kind == THRESHOLD_DETECTION_FILTER;
	for (uint32_t i = 0; i < r->n_thresholds; i++)
		if (detection || r->thresholds[i].kind == THRESHOLD_DETECTION_FILTER)
			return read_fail(r, r->at,
					 "detection_filter stands alone: no second one, no "
					 "threshold");
	if (r->n_thresholds == ARRAY_LEN(r->thresholds))
		return read_fail(r, r->at, "more than %zu thresholds", ARRAY_LEN(r->thresholds));
	while (v.at != NULL) {
		int e = threshold_part(r, &t, slice_cut(&v, ','));
		if (e < 0)
			return e;
	}
	const char *missing = t.kind == THRESHOLD_NONE ? "type"
			      : t.track == 0           ? "track"
			      : t.count == 0           ? "count"
			      : t.kind == THRESHOLD_BACKOFF
				      ? (t.multiplier == 0 ? "multiplier" : NULL)
			      : t.seconds == 0 ? "seconds"
					       : NULL;
	if (missing != NULL)
		return read_fail(r, r->at, "%s: %s is missing", r->kw->name, missing);
	r->thresholds[r->n_thresholds++] = t;
	return 0;
}

int kw_threshold(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	return threshold(r, v, THRESHOLD_NONE);
}

int kw_detection_filter(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	return threshold(r, v, THRESHOLD_DETECTION_FILTER);
}

/* ---- requires ----------------------------------------------------------------------------------- */

static bool version_number(struct slice v, uint32_t *ret)
{
	uint32_t part[3] = {0, 0, 0};
	for (unsigned i = 0; i < 3 && v.at != NULL; i++) {
		uint64_t x = 0;
		struct slice one = slice_cut(&v, '.');
		size_t n = 0;
		while (n < one.len && isdigit((unsigned char)one.at[n]))
			n++;
		if (!slice_u64((struct slice){one.at, n}, 99, &x))
			return false;
		part[i] = (uint32_t)x;
	}
	*ret = part[0] * 10000 + part[1] * 100 + part[2];
	return true;
}

/* ">= 7.0.3 < 8 | >= 8.0.1": is one of the alternatives met? -1: not understood. */
static int version_met(struct slice v)
{
	static const char *const signs[] = {"<=", ">=", "<", ">"};
	bool any = false;
	const uint32_t ours = VERSION_LIKE / 10000 * 10000 + VERSION_LIKE % 100;
	while (v.at != NULL) {
		struct slice all = slice_cut(&v, '|');
		bool met = true;
		while (all.len > 0) {
			size_t op = 0;
			while (op < ARRAY_LEN(signs) && !slice_has(all, signs[op]))
				op++;
			if (op == ARRAY_LEN(signs))
				return -1;
			size_t n = strlen(signs[op]);
			all = slice_trim((struct slice){all.at + n, all.len - n});
			uint32_t x;
			if (!version_number(slice_word(&all), &x))
				return -1;
			met &= op == 0   ? ours <= x
			       : op == 1 ? ours >= x
			       : op == 2 ? ours < x
					 : ours > x;
		}
		any |= met;
	}
	return any;
}

/* requires: version >= 7.0.3, feature x, keyword y. A rule that is not for us is left out. */
int kw_requires(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	while (v.at != NULL) {
		struct slice rest = slice_cut(&v, ','), all = rest, name = slice_word(&rest);
		bool met = false;
		if (slice_is(name, "version")) {
			int m = version_met(rest);
			if (m < 0)
				return read_fail(r, rest.at,
						 "requires: '%.*s' is no comparison of versions",
						 (int)rest.len, rest.at);
			met = m > 0;
		} else if (slice_is(name, "keyword")) {
			const struct keyword *x = keyword_find(rest.at, rest.len);
			met = x != NULL && x->read != NULL;
		} else if (!slice_is(name, "feature")) {
			return read_fail(r, all.at, "requires: unknown part '%.*s'",
					 (int)(all.len < 40 ? all.len : 40), all.at);
		}
		if (!met) {
			r->skipped = true;
			read_warn(r, all.at, "the rule is left out: it requires '%.*s'",
				  (int)all.len, all.at);
			return 0;
		}
	}
	return 0;
}
