/* SPDX-License-Identifier: BSD-2-Clause */
/* skep events: what happened inside guests, and what is told of the watch itself, in a line for people. */
#include "cmd/events.h"

#include <string.h>

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s != NULL ? s : "";
}

static uint64_t count_of(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));
	return v > 0 ? (uint64_t)v : 0;
}

/* lead, the text, tail; nothing at all if there is no text. */
static void write_some(struct writer *w, const char *lead, const json_t *o, const char *key,
		       const char *tail)
{
	const char *s = text_of(o, key);
	if (s[0] == '\0')
		return;
	write_str(w, lead);
	write_escaped(w, s, strlen(s));
	write_str(w, tail);
}

static void write_count(struct writer *w, const json_t *o, const char *key, const char *one,
			const char *many)
{
	uint64_t n = count_of(o, key);
	if (n > 0)
		write_fmt(w, ", %llu %s", (unsigned long long)n, n == 1 ? one : many);
}

static void write_session(struct writer *w, const json_t *o)
{
	write_some(w, "", o, "state", " ");
	write_some(w, "", o, "service", "");
	write_some(w, " ", o, "user", "");
	if (text_of(o, "client_ip")[0] != '\0') {
		write_str(w, " from ");
		events_end(w, o, "client_ip", "client_port");
	}
	write_count(w, o, "logins_failed", "failed login", "failed logins");
	write_count(w, o, "commands", "command", "commands");
	write_count(w, o, "files", "file", "files");
	if (count_of(o, "output") > 0) {
		write_str(w, ", ");
		text_bytes(w, count_of(o, "output"));
		write_str(w, " shown");
	}
	write_some(w, " (", o, "why", ")");
	write_some(w, " #", o, "session", "");
}

static void write_command(struct writer *w, const json_t *o)
{
	write_some(w, "[", o, "layer", "] ");
	write_some(w, "", o, "user", " ");
	write_some(w, "", o, "cwd", count_of(o, "uid") == 0 ? " # " : " $ ");
	write_some(w, "", o, "line", "");
	if (json_is_true(json_object_get(o, "cut")))
		write_str(w, " ...");
	if (count_of(o, "exit_code") > 0)
		write_fmt(w, " -> %llu", (unsigned long long)count_of(o, "exit_code"));
	if (count_of(o, "signal") > 0)
		write_fmt(w, " -> signal %llu", (unsigned long long)count_of(o, "signal"));
}

static void write_login(struct writer *w, const json_t *o)
{
	const json_t *ok = json_object_get(o, "ok");
	write_some(w, "", o, "service", "");
	write_some(w, " ", o, "method", "");
	write_str(w, ": ");
	write_some(w, "", o, "user", "");
	write_some(w, " / ", o, "secret", "");
	if (json_is_boolean(ok))
		write_str(w, json_is_true(ok) ? " accepted" : " refused");
}

static void write_file(struct writer *w, const json_t *o)
{
	write_some(w, "", o, "what", " ");
	write_some(w, "", o, "path", "");
	write_some(w, " > ", o, "to", "");
	write_str(w, ", ");
	text_bytes(w, count_of(o, "size"));
	write_some(w, ", ", o, "type", "");
	write_some(w, ", sha256 ", o, "sha256", "");
}

static void write_process(struct writer *w, const json_t *o)
{
	write_some(w, "", o, "what", " ");
	write_some(w, "", o, "comm", "");
	write_fmt(w, "[%llu]", (unsigned long long)count_of(o, "pid"));
	write_some(w, " ", o, "dest_proto", "");
	if (text_of(o, "dest_ip")[0] != '\0') {
		write_str(w, " > ");
		events_end(w, o, "dest_ip", "dest_port");
	}
	write_some(w, ": ", o, "detail", "");
}

static void write_silence(struct writer *w, const json_t *o)
{
	write_some(w, "", o, "layer", " ");
	write_some(w, "", o, "what", "");
	write_some(w, ", which ", o, "other", " saw");
	if (count_of(o, "count") > 1)
		write_fmt(w, ", %llu times", (unsigned long long)count_of(o, "count"));
	write_some(w, ": ", o, "detail", "");
}

static void write_notice(struct writer *w, const json_t *o)
{
	write_some(w, "", o, "what", "");
	write_count(w, o, "count", "event", "events");
	write_some(w, " to ", o, "destination", "");
	write_some(w, ": ", o, "class", "");
	write_some(w, " (", o, "why", ")");
	if (count_of(o, "number") > 0)
		write_fmt(w, " #%llu", (unsigned long long)count_of(o, "number"));
	write_some(w, ": ", o, "answer", "");
}

static void write_seal(struct writer *w, const json_t *o)
{
	write_some(w, "", o, "file", "");
	write_fmt(w, " %llu, ", (unsigned long long)count_of(o, "n"));
	text_bytes(w, count_of(o, "bytes"));
	write_some(w, ", sha256 ", o, "sha256", "");
}

/* What is told of the watch itself: its sentence, if it has one. A seal without its digest says nothing. */
static bool events_told(struct writer *w, const json_t *body, const char *kind, const char *text)
{
	bool notice = strcmp(kind, "notice") == 0, seal = strcmp(kind, "seal") == 0;
	if (seal)
		write_seal(w, body);
	if (notice && text[0] == '\0')
		write_notice(w, body);
	else if (notice)
		write_escaped(w, text, strlen(text));
	return notice || seal;
}

bool events_inside(struct writer *w, const json_t *body, const char *kind, const char *text)
{
	if (strcmp(kind, "session") == 0) {
		write_session(w, body);
	} else if (strcmp(kind, "command") == 0) {
		write_command(w, body);
	} else if (strcmp(kind, "login") == 0) {
		write_login(w, body);
	} else if (strcmp(kind, "syslog") == 0) {
		write_some(w, "", body, "app", ": ");
		write_some(w, "", body, "line", "");
	} else if (strcmp(kind, "file") == 0) {
		write_file(w, body);
	} else if (strcmp(kind, "process") == 0) {
		write_process(w, body);
	} else if (strcmp(kind, "silence") == 0 || strcmp(kind, "mismatch") == 0) {
		/* Its sentence says it better than its words. */
		if (text[0] == '\0')
			write_silence(w, body);
		write_escaped(w, text, strlen(text));
	} else {
		return events_told(w, body, kind, text);
	}
	return true;
}
