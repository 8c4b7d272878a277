/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines for tools that read Cowrie's JSON log. Names of events and fields are Cowrie's own; what has no counterpart
 * here (key exchange, kippo's ttylog format) is left out, and `ttylog` names an asciicast.
 */
#include "session/session_priv.h"

#include <string.h>

static struct writer begin(struct session_book *b, const struct session *s, const char *event)
{
	char id[SESSION_ID_TEXT], a[ADDR_TEXT];
	struct writer w = writer_of(b->scratch, SCRATCH);
	write_fmt(&w, "{\"eventid\":\"cowrie.%s\",\"session\":\"%s\"", event,
		  session_id_text(s->id, id));
	write_fmt(&w, ",\"src_ip\":\"%s\"", s->peer.ver != 0 ? addr_text(&s->peer, a) : "0.0.0.0");
	return w;
}

static void end(struct session_book *b, const struct session *s, struct writer *w,
		const char *message, int64_t ns)
{
	char t[EVENT_TIME];
	if (book_is_over(b, s->guest)) {
		b->guests[s->guest].suppressed[BUDGET_COWRIE]++;
		return;
	}
	if (!book_may(b, s->guest, BUDGET_COWRIE, b->now_ns))
		return;
	event_time_text(ns, t);
	t[26] = '\0'; /* without the zone, which is always UTC */
	json_member(w, "message", message, strlen(message), JSON_LABEL);
	json_member(w, "sensor", b->conf.sensor, strlen(b->conf.sensor), JSON_LABEL);
	write_fmt(w, ",\"timestamp\":\"%sZ\"}", t);
	if (w->full)
		return;
	book_wrote(b, s->guest, w->len);
	lines_put(&b->folder, &b->folder.cowrie, day_of(ns), w->buf, w->len);
}

void cowrie_connect(struct session_book *b, const struct session *s)
{
	char from[ADDR_TEXT] = "0.0.0.0", to[ADDR_TEXT] = "0.0.0.0", id[SESSION_ID_TEXT];
	char text[256];
	struct writer w = begin(b, s, "session.connect"), m = writer_of(text, sizeof(text));
	if (s->peer.ver != 0)
		addr_text(&s->peer, from);
	if (s->server.ver != 0)
		addr_text(&s->server, to);
	write_fmt(&w, ",\"src_port\":%u,\"dst_ip\":\"%s\",\"dst_port\":%u", s->peer_port, to,
		  s->server_port);
	json_member(&w, "protocol", s->service, strlen(s->service), JSON_LABEL);
	write_fmt(&m, "New connection: %s:%u (%s:%u) [session: %s]", from, s->peer_port, to,
		  s->server_port, session_id_text(s->id, id));
	end(b, s, &w, text, s->start_ns);
}

void cowrie_client(struct session_book *b, const struct session *s)
{
	char text[256];
	struct writer w = begin(b, s, "client.version"), m = writer_of(text, sizeof(text));
	json_member(&w, "version", s->client, strlen(s->client), JSON_FEED);
	write_fmt(&m, "Remote %s version: %s", s->service, s->client);
	end(b, s, &w, text, s->last_ns);
}

void cowrie_size(struct session_book *b, const struct session *s, uint16_t cols, uint16_t rows,
		 int64_t ns)
{
	char text[64];
	struct writer w = begin(b, s, "client.size"), m = writer_of(text, sizeof(text));
	write_fmt(&w, ",\"width\":%u,\"height\":%u", cols, rows);
	write_fmt(&m, "Terminal Size: %u %u", cols, rows);
	end(b, s, &w, text, ns);
}

static void write_some(struct writer *w, struct bytes t)
{
	char some[256];
	text_of(some, sizeof(some), t);
	write_str(w, some);
}

void cowrie_login(struct session_book *b, const struct session *s, struct bytes user,
		  struct bytes secret, bool ok, int64_t ns)
{
	char text[768];
	struct writer w = begin(b, s, ok ? "login.success" : "login.failed");
	struct writer m = writer_of(text, sizeof(text));
	json_member(&w, "username", user.data, user.len, JSON_FEED);
	json_member(&w, "password", secret.data, secret.len, JSON_FEED);
	write_str(&m, "login attempt [");
	write_some(&m, user);
	write_str(&m, "/");
	write_some(&m, secret);
	write_fmt(&m, "] %s", ok ? "succeeded" : "failed");
	end(b, s, &w, text, ns);
}

void cowrie_command(struct session_book *b, const struct session *s, struct bytes line, int64_t ns)
{
	char text[768];
	struct writer w = begin(b, s, "command.input"), m = writer_of(text, sizeof(text));
	json_member(&w, "input", line.data, line.len, JSON_FEED);
	write_str(&m, "CMD: ");
	write_some(&m, line);
	end(b, s, &w, text, ns);
}

void cowrie_file(struct session_book *b, const struct session *s, const struct note_file *f,
		 int64_t ns)
{
	bool up = strcmp(f->what, "uploaded") == 0;
	char text[1024], out[96];
	struct bytes url = bytes_of(f->url != NULL ? f->url : "");
	struct writer w = begin(b, s, up ? "session.file_upload" : "session.file_download");
	struct writer m = writer_of(text, sizeof(text)), o = writer_of(out, sizeof(out));
	const char *sha = f->sha256 != NULL ? f->sha256 : "";
	if (strlen(sha) == 64)
		write_fmt(&o, "files/%.2s/%s", sha, sha);
	if (up)
		json_member(&w, "filename", f->path.data, f->path.len, JSON_FEED);
	else
		json_member(&w, "url", url.data, url.len, JSON_FEED);
	if (!up)
		json_member(&w, "destfile", f->path.data, f->path.len, JSON_FEED);
	write_fmt(&w, ",\"outfile\":\"%s\",\"shasum\":\"%s\",\"duplicate\":%s", out, sha,
		  f->known ? "true" : "false");
	write_str(&m, up            ? "Uploaded file \""
		      : url.len > 0 ? "Downloaded URL ("
				    : "Saved contents of (");
	write_some(&m, up || url.len == 0 ? f->path : url);
	write_fmt(&m, "%s %s", up ? "\" to" : ") with SHA-256", up ? out : sha);
	end(b, s, &w, text, ns);
}

void cowrie_closed(struct session_book *b, const struct session *s, int64_t ns)
{
	char text[256], name[CAST_NAME], day[DAY_TEXT];
	double seconds = ns > s->start_ns ? (double)(ns - s->start_ns) / 1e9 : 0;
	for (uint32_t i = 0; i < s->n_casts && s->kept; i++) {
		const struct cast *c = &s->casts[i];
		if (!c->began)
			continue;
		struct writer w = begin(b, s, "log.closed"), m = writer_of(text, sizeof(text));
		double took = ns > c->base_ns ? (double)(ns - c->base_ns) / 1e9 : 0;
		cast_name(s, i, name);
		day_text(s->day, day);
		write_fmt(&w, ",\"ttylog\":\"sessions/%s/%s\",\"size\":%llu,\"duration\":%.6f", day,
			  name, (unsigned long long)c->bytes, took);
		write_fmt(&w, ",\"duplicate\":false");
		write_fmt(&m, "Closing TTY Log: sessions/%s/%s after %.0f seconds", day, name,
			  took);
		end(b, s, &w, text, ns);
	}
	struct writer w = begin(b, s, "session.closed"), m = writer_of(text, sizeof(text));
	write_fmt(&w, ",\"duration\":%.6f", seconds);
	write_fmt(&m, "Connection lost after %.0f seconds", seconds);
	end(b, s, &w, text, ns);
}
