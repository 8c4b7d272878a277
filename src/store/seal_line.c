/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Seals in lines: of our own event files, and of what a second machine kept. Texts of intruders stand in both,
 * so that only fields count, never words in a text.
 */
#include "store/store_priv.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PARAM 80 /* a value of ours; longer ones are none */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* ---- one seal ----------------------------------------------------------------------------------- */

static bool is_digest(const char *s)
{
	return strlen(s) == EVENT_SHA256 - 1 && strspn(s, "0123456789abcdef") == EVENT_SHA256 - 1;
}

static bool is_ours(const struct event_seal *s)
{
	bool named = strncmp(s->file, "eve-", 4) == 0 || strncmp(s->file, "skep-", 5) == 0;
	return named && day_of_name(s->file) != 0 && is_digest(s->sha256) &&
	       (s->previous[0] == '\0' || is_digest(s->previous)) && s->n <= NUMBER_MAX &&
	       s->bytes <= NUMBER_MAX;
}

/* Times and names go to terminals: what is not of these characters is left out. */
static void keep_word(char *ret, size_t size, const char *s)
{
	static const char fine[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+";
	ret[0] = '\0';
	if (s != NULL && strspn(s, fine) == strlen(s) && !text_copy(ret, size, s))
		ret[0] = '\0';
}

static bool number_of(const char *s, uint64_t *ret)
{
	size_t n = strlen(s);
	if (n == 0 || n > 16 || strspn(s, "0123456789") != n)
		return false;
	*ret = strtoull(s, NULL, 10);
	return true;
}

/* ---- JSON --------------------------------------------------------------------------------------- */

static bool json_number(const json_t *v, uint64_t *ret)
{
	if (json_is_string(v))
		return number_of(json_string_value(v), ret);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

static bool json_text(const json_t *o, const char *key, char *ret, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s == NULL || text_copy(ret, size, s);
}

static size_t seal_of(const json_t *o, const struct seal_known *who, struct seal_known *ret)
{
	struct seal_known k = *who;
	struct event_seal *s = &k.seal;
	bool good = json_is_object(o) && json_text(o, "file", s->file, sizeof(s->file)) &&
		    json_text(o, "sha256", s->sha256, sizeof(s->sha256)) &&
		    json_text(o, "previous", s->previous, sizeof(s->previous)) &&
		    json_number(json_object_get(o, "bytes"), &s->bytes) &&
		    json_number(json_object_get(o, "n"), &s->n);
	if (!good || !is_ours(s))
		return 0;
	*ret = k;
	return 1;
}

static size_t parse_json(const char *line, size_t len, struct seal_known ret[SEAL_LINE_SEALS])
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *beat = json_object_get(o, "beat");
	const char *kind = json_string_value(json_object_get(o, "event_type"));
	struct seal_known who = {0};
	size_t n = 0;
	if (kind != NULL && strcmp(kind, "seal") != 0) { /* another event of ours */
		json_decref(o);
		return 0;
	}
	const char *time = json_string_value(json_object_get(o, "timestamp"));
	keep_word(who.time, sizeof(who.time),
		  time != NULL ? time : json_string_value(json_object_get(o, "time")));
	keep_word(who.sensor, sizeof(who.sensor), json_string_value(json_object_get(o, "sensor")));
	n += seal_of(json_object_get(o, "seal"), &who, &ret[n]);
	n += seal_of(o, &who, &ret[n]);
	const json_t *lists[] = {json_object_get(o, "seals"), json_object_get(beat, "seals")};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (size_t k = 0; k < json_array_size(lists[i]) && n < SEAL_LINE_SEALS; k++)
			n += seal_of(json_array_get(lists[i], k), &who, &ret[n]);
	json_decref(o);
	return n;
}

/* ---- RFC 5424 ------------------------------------------------------------------------------------ */

struct text {
	const char *at, *end;
};

/* A word up to a space; "" at the end. */
static void next_word(struct text *t, char *ret, size_t size)
{
	const char *begin = t->at;
	while (t->at < t->end && *t->at != ' ')
		t->at++;
	size_t n = (size_t)(t->at - begin);
	if (t->at < t->end)
		t->at++;
	ret[0] = '\0';
	if (n < size) {
		memcpy(ret, begin, n);
		ret[n] = '\0';
	}
}

/* NAME="VALUE" of an element; false: it is over, or not well-formed. */
static bool next_param(struct text *t, char name[PARAM], char value[PARAM])
{
	size_t n = 0;
	while (t->at < t->end && *t->at == ' ')
		t->at++;
	while (t->at < t->end && *t->at != '=' && *t->at != ']' && *t->at != '"' && n + 1 < PARAM)
		name[n++] = *t->at++;
	name[n] = '\0';
	if (n == 0 || t->end - t->at < 2 || t->at[0] != '=' || t->at[1] != '"')
		return false;
	t->at += 2;
	for (n = 0; t->at < t->end && *t->at != '"'; t->at++) {
		if (*t->at == '\\' && t->at + 1 < t->end)
			t->at++;
		if (n + 1 < PARAM)
			value[n++] = *t->at;
	}
	value[n] = '\0';
	if (t->at == t->end)
		return false;
	t->at++;
	return true;
}

static void take_param(struct seal_known *k, const char *name, const char *value, unsigned *seen)
{
	struct event_seal *s = &k->seal;
	if (strcmp(name, "file") == 0)
		*seen |= text_copy(s->file, sizeof(s->file), value) ? 1 : 0;
	else if (strcmp(name, "sha256") == 0)
		*seen |= text_copy(s->sha256, sizeof(s->sha256), value) ? 2 : 0;
	else if (strcmp(name, "bytes") == 0)
		*seen |= number_of(value, &s->bytes) ? 4 : 0;
	else if (strcmp(name, "n") == 0)
		*seen |= number_of(value, &s->n) ? 8 : 0;
	else if (strcmp(name, "previous") == 0)
		text_copy(s->previous, sizeof(s->previous), value);
}

static size_t parse_5424(const char *line, size_t len, struct seal_known ret[SEAL_LINE_SEALS])
{
	struct text t = {line, line + len};
	struct seal_known who = {0};
	char word[EVENT_TEXT], name[PARAM], value[PARAM];
	size_t n = 0;
	for (int i = 0; i < 6; i++) { /* <PRI>1 TIME HOST APP PROCID MSGID */
		next_word(&t, word, sizeof(word));
		if (i == 0 && (word[0] != '<' || word[strlen(word) - 1] != '1'))
			return 0;
		if (i == 1)
			keep_word(who.time, sizeof(who.time), word);
		if (i == 2)
			keep_word(who.sensor, sizeof(who.sensor), word);
	}
	while (t.at < t.end && *t.at == '[' && n < SEAL_LINE_SEALS) {
		struct seal_known k = who;
		unsigned seen = 0;
		while (t.at < t.end && *t.at != ' ' && *t.at != ']')
			t.at++; /* SD-ID */
		while (next_param(&t, name, value)) {
			if (strcmp(name, "sensor") == 0)
				keep_word(who.sensor, sizeof(who.sensor), value);
			take_param(&k, name, value, &seen);
		}
		if (t.at == t.end || *t.at != ']')
			return n;
		t.at++;
		memcpy(k.sensor, who.sensor, sizeof(k.sensor));
		if (seen == 15 && is_ours(&k.seal))
			ret[n++] = k;
	}
	return n;
}

size_t seal_parse(const char *line, size_t len, struct seal_known ret[SEAL_LINE_SEALS])
{
	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
		len--;
	if (len == 0 || len > SEAL_LINE_MAX)
		return 0;
	return line[0] == '{' ? parse_json(line, len, ret) : parse_5424(line, len, ret);
}
