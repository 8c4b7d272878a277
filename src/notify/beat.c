/* SPDX-License-Identifier: BSD-2-Clause */
/* What the second machine hears: that we live, and the newest digest of each event file. */
#include "notify/notify_priv.h"

#include <string.h>

static const char *word(const struct notify_beat *b, char ret[EVENT_NAME])
{
	struct writer w = writer_of(ret, EVENT_NAME);
	put_atom(&w, b->why, sizeof(b->why));
	return ret;
}

static void put_sha(struct writer *w, const char *name, const char *sha)
{
	char clean[4 * EVENT_SHA256];
	struct writer c = writer_of(clean, sizeof(clean));
	put_plain(&c, sha, EVENT_SHA256);
	if (c.len > 0)
		syslog_param(w, name, clean);
}

static void beat_line(const struct notify_from *from, const struct notify_beat *b, struct writer *w)
{
	char why[EVENT_NAME], file[4 * EVENT_NAME], since[48];
	struct writer s = writer_of(since, sizeof(since));
	bool seals = false;
	put_utc(&s, b->since_ns);
	syslog_head(w, from, b->at_ns, 0, word(b, why));
	write_fmt(w, "[skep@32473 n=\"%llu\"", (unsigned long long)b->n);
	syslog_param(w, "why", why);
	syslog_param(w, "since", since);
	write_fmt(w, " every=\"%lld\" waiting=\"%u\" event=\"%llu\"]",
		  (long long)(b->every_ns / NS_PER_SEC), b->waiting,
		  (unsigned long long)b->last_event);
	for (size_t i = 0; i < ARRAY_LEN(b->seals); i++) {
		const struct event_seal *e = &b->seals[i];
		struct writer f = writer_of(file, sizeof(file));
		if (e->file[0] == '\0')
			continue;
		put_plain(&f, e->file, sizeof(e->file));
		write_fmt(w, "[seal%zu@32473", i + 1);
		syslog_param(w, "file", file);
		write_fmt(w, " n=\"%llu\" bytes=\"%llu\"", (unsigned long long)e->n,
			  (unsigned long long)e->bytes);
		put_sha(w, "sha256", e->sha256);
		put_sha(w, "previous", e->previous);
		write_str(w, "]");
		seals = true;
	}
	write_fmt(w, " %s %llu%s", why, (unsigned long long)b->n, seals ? ", with seals" : "");
}

static json_t *plain(const char *s, size_t size)
{
	char text[4 * EVENT_SHA256];
	struct writer w = writer_of(text, sizeof(text));
	put_plain(&w, s, size);
	return w.len > 0 ? json_string(text) : json_null();
}

static json_t *seals_of(const struct notify_beat *b)
{
	json_t *a = json_array();
	for (size_t i = 0; i < ARRAY_LEN(b->seals); i++) {
		const struct event_seal *e = &b->seals[i];
		if (e->file[0] == '\0')
			continue;
		json_array_append_new(a, json_pack("{s:o,s:I,s:I,s:o,s:o}", "file",
						   plain(e->file, sizeof(e->file)), "n",
						   (json_int_t)(e->n & INT64_MAX), "bytes",
						   (json_int_t)(e->bytes & INT64_MAX), "sha256",
						   plain(e->sha256, sizeof(e->sha256)), "previous",
						   plain(e->previous, sizeof(e->previous))));
	}
	return a;
}

static int beat_json(const struct notify_from *from, const struct notify_beat *b, struct writer *w)
{
	char why[EVENT_NAME], at[48], since[48];
	struct writer t = writer_of(at, sizeof(at)), s = writer_of(since, sizeof(since));
	put_utc(&t, b->at_ns);
	put_utc(&s, b->since_ns);
	return put_json(json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:o,s:o,s:I,s:I,s:o}", "schema",
				  "skep-beat-1", "why", word(b, why), "n",
				  (json_int_t)(b->n & INT64_MAX), "time", at, "since", since,
				  "every_s", (json_int_t)(b->every_ns / NS_PER_SEC), "sensor",
				  plain(from->sensor, CONF_NAME), "honeynet",
				  plain(from->name, CONF_NAME), "waiting", (json_int_t)b->waiting,
				  "last_event", (json_int_t)(b->last_event & INT64_MAX), "seals",
				  seals_of(b)),
			w);
}

int notify_beat(const struct notify_from *from, const struct conf_destination *to,
		const struct notify_beat *b, struct writer *w)
{
	switch ((enum conf_destination_kind)to->kind) {
	case DEST_WEBHOOK:
		return beat_json(from, b, w);
	case DEST_SYSLOG:
	case DEST_COMMAND:
	case DEST_KEEP:
		beat_line(from, b, w);
		return w->full ? SKEP_ETRUNC : 0;
	case DEST_SMTP:
	case DEST_SENDMAIL:
	case DEST_SLACK:
	case DEST_DISCORD:
	case DEST_TEAMS:
	case DEST_NTFY:
	case DEST_KINDS:
	default:
		return SKEP_EUNSUPPORTED; /* nobody wants one a minute to read */
	}
}
