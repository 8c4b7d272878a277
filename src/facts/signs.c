/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads p0f's signatures (version 3 of p0f.fp): of the section of first packets what we can compare. */
#include "facts/facts_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 8
enum { F_VER, F_TTL, F_IP_OPTIONS, F_MSS, F_WINDOW, F_LAYOUT, F_QUIRKS, F_DATA };
#define WINDOW_TIMES 1000u

struct word {
	const char *text;
	uint32_t value;
};

static bool word_of(const struct word *words, size_t n, struct span s, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(s, words[i].text)) {
			*ret = words[i].value;
			return true;
		}
	return false;
}

/* ---- fields ------------------------------------------------------------------------------------------ */

static bool read_any(struct span s, uint32_t most, int32_t *ret)
{
	uint32_t v = 0;

	if (span_is(s, "*")) {
		*ret = SIGN_ANY;
		return true;
	}
	if (!span_number(s, most, &v))
		return false;
	*ret = (int32_t)v;
	return true;
}

static bool read_ttl(struct span s, struct sign *ret)
{
	uint32_t v = 0, more = 0;

	if (s.len > 0 && s.at[s.len - 1] == '-') {
		ret->ttl_any = 1;
		s.len--;
	}
	struct span first = span_cut(&s, "+"); /* 54+10: what it was, and from how far away */

	if (!span_number(first, 255, &v) || (s.len > 0 && !span_number(s, 255, &more)))
		return false;
	ret->ttl = (uint8_t)(v + more);
	return v + more > 0 && v + more <= 255;
}

static bool read_window(struct span s, struct sign *ret)
{
	struct span form = s, size = span_cut(&form, ","), times = size;
	uint32_t v = 0, least = 1, most = WINDOW_TIMES;

	if (span_is(size, "*")) {
		ret->form = WINDOW_ANY;
	} else if (span_is(size, "mss*max")) {
		ret->form = WINDOW_MOST;
	} else {
		struct span head = span_cut(&times, "*%");

		if (span_is(head, "mss")) {
			ret->form = WINDOW_MSS;
		} else if (span_is(head, "mtu")) {
			ret->form = WINDOW_MTU;
		} else if (size.len > 0 && size.at[0] == '%') {
			ret->form = WINDOW_MODULO;
			least = 2, most = 65535;
		} else {
			ret->form = WINDOW_IS;
			times = size, least = 0, most = 65535;
		}
		if (!span_number(times, most, &v) || v < least)
			return false;
	}
	ret->window = (int32_t)v;
	return read_any(form, 255, &ret->wscale);
}

static bool put_option(struct sign *ret, uint32_t v)
{
	if (ret->n_options == EVENT_SYN_OPTIONS)
		return false;
	ret->options[ret->n_options++] = (uint8_t)v;
	return true;
}

static bool read_layout(struct span s, struct sign *ret)
{
	static const struct word kinds[] = {{"nop", 1}, {"mss", 2},  {"ws", 3},
					    {"sok", 4}, {"sack", 5}, {"ts", 8}};
	uint32_t v = 0;

	while (s.len > 0) {
		struct span one = span_cut(&s, ","), n = one;

		if (one.len > 4 && memcmp(one.at, "eol+", 4) == 0) {
			n.at += 4, n.len -= 4;
			return s.len == 0 && span_number(n, 255, &v) && put_option(ret, 0) &&
			       put_option(ret, v);
		}
		if (one.len > 1 && one.at[0] == '?') {
			n.at++, n.len--;
			if (!span_number(n, 255, &v))
				return false;
		} else if (!word_of(kinds, ARRAY_LEN(kinds), one, &v)) {
			return false;
		}
		if (!put_option(ret, v))
			return false;
	}
	return true;
}

static bool read_quirks(struct span s, struct sign *ret)
{
	static const struct word quirks[] = {
		{"df", SIGN_DF},       {"id+", SIGN_ID_MORE}, {"id-", SIGN_ID_NONE},
		{"ecn", SYN_ECN},      {"0+", SYN_ZERO},      {"flow", SYN_FLOW},
		{"seq-", SYN_SEQ0},    {"ack+", SYN_ACK},     {"ack-", SIGN_ACK0},
		{"uptr+", SYN_URGENT}, {"urgf+", SYN_URG},    {"pushf+", SYN_PUSH},
		{"ts1-", SYN_TS0},     {"ts2+", SYN_TS2},     {"opt+", SYN_EOL},
		{"exws", SYN_WSCALE},  {"bad", SYN_BAD},
	};
	uint32_t v = 0;

	while (s.len > 0) {
		if (!word_of(quirks, ARRAY_LEN(quirks), span_cut(&s, ","), &v))
			return false;
		ret->quirks |= v;
	}
	return true;
}

static bool read_version_data(struct span ver, struct span data, struct sign *ret)
{
	static const struct word vers[] = {{"*", 0}, {"4", 4}, {"6", 6}};
	static const struct word datas[] = {{"0", 0}, {"+", 1}, {"*", 2}};
	uint32_t v = 0, d = 0;

	if (!word_of(vers, ARRAY_LEN(vers), ver, &v) || !word_of(datas, ARRAY_LEN(datas), data, &d))
		return false;
	ret->ver = (uint8_t)v;
	ret->data = (int8_t)(d == 2 ? SIGN_ANY : (int)d);
	return true;
}

static bool read_sign(struct span s, struct sign *ret)
{
	struct span f[FIELDS];
	uint32_t options = 0;

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < FIELDS; i++)
		f[i] = span_cut(&s, ":");
	if (s.len > 0 || !span_number(f[F_IP_OPTIONS], 255, &options))
		return false;
	ret->ip_options = options > 0;
	return read_version_data(f[F_VER], f[F_DATA], ret) && read_ttl(f[F_TTL], ret) &&
	       read_any(f[F_MSS], 65535, &ret->mss) && read_window(f[F_WINDOW], ret) &&
	       read_layout(f[F_LAYOUT], ret) && read_quirks(f[F_QUIRKS], ret);
}

/* ---- labels ------------------------------------------------------------------------------------------- */

static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.at[i] < ' ' || (uint8_t)s.at[i] > '~')
			return false;
	return true;
}

/* s:unix:Linux:3.1-3.10 */
static bool read_label(struct span s, struct sign_label *ret)
{
	struct span type = span_cut(&s, ":"), class = span_cut(&s, ":"), name = span_cut(&s, ":");
	struct writer w = writer_of(ret->text, sizeof(ret->text));

	if (!(span_is(type, "s") || span_is(type, "g")) || name.len == 0 || !is_plain(name) ||
	    !is_plain(s))
		return false;
	ret->generic = span_is(type, "g");
	ret->tool = span_is(class, "!");
	write_fmt(&w, "%.*s", (int)name.len, name.at);
	if (s.len > 0)
		write_fmt(&w, "%s%.*s", ret->generic && s.at[0] != '(' ? ", like " : " ",
			  (int)s.len, s.at);
	return true;
}

/* ---- the file ------------------------------------------------------------------------------------------ */

struct place_in {
	bool inside, labelled; /* in the section; a label is valid */
	uint8_t own;
};

static bool read_setting(struct signs *s, struct place_in *in, struct span line)
{
	struct span key = span_cut(&line, "="), value = span_trim(line);

	key = span_trim(key);
	if (span_is(key, "label")) {
		in->labelled =
			s->n_labels < SIGNS_LABELS && read_label(value, &s->labels[s->n_labels]);
		s->n_labels += in->labelled;
		return in->labelled;
	}
	if (!span_is(key, "sig"))
		return span_is(key, "sys");
	if (!in->labelled || s->n == SIGNS_MOST || !read_sign(value, &s->signs[s->n]))
		return false;
	s->signs[s->n].label = (uint16_t)(s->n_labels - 1);
	s->signs[s->n].own = in->own;
	s->n++;
	return true;
}

static void read_text(struct signs *s, const char *text, size_t len, bool own, struct writer *why)
{
	struct place_in in = {.own = own};
	struct span all = {text, len};
	uint32_t line = 0, bad = 0, first = 0, sections = 0;

	while (all.len > 0) {
		struct span one = span_trim(span_cut(&all, "\n"));

		line++;
		if (one.len == 0 || one.at[0] == ';')
			continue;
		if (one.at[0] == '[') {
			in.inside = span_is(one, "[tcp:request]");
			in.labelled = false;
			sections += in.inside;
		} else if (in.inside && !read_setting(s, &in, one) && bad++ == 0) {
			first = line;
		}
	}
	why_lines(why, "signatures", bad, first);
	if (sections == 0)
		why_say(why, "signatures", "no section [tcp:request]");
}

int signs_read(const char *text, size_t len, int64_t made_ns, struct writer *why,
	       struct signs **ret)
{
	struct signs *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->made_ns = made_ns;
	if (text != NULL)
		read_text(s, text, len, false, why);
	const char *own = signs_own(&s->own_ns);

	read_text(s, own, strlen(own), true, why);
	*ret = s;
	return 0;
}
