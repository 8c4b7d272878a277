/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ID.json, the record of a session: docs/session-schema.json. Its first line is all but the lists (and a comma), so
 * that whoever lists thousands reads one line of each. Written anew beside the old one and renamed: whole or
 * not at all. A visit that did nothing has just that first line, with its logins, in list.jsonl.
 */
#include "session/session_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUT_BUF 32768u
#define LIST_LOGINS 8u

struct out {
	int fd, err;
	size_t len;
	uint64_t total;
	char buf[OUT_BUF];
};

static void out_flush(struct out *o)
{
	if (o->err == 0 && o->len > 0)
		o->err = fd_write(o->fd, o->buf, o->len);
	o->total += o->len;
	o->len = 0;
}

static void out_put(struct out *o, const struct writer *w)
{
	if (o->err == 0 && w->full)
		o->err = SKEP_ETRUNC;
	if (o->len + w->len > sizeof(o->buf))
		out_flush(o);
	if (o->err != 0 || w->len > sizeof(o->buf))
		return;
	memcpy(o->buf + o->len, w->buf, w->len);
	o->len += w->len;
}

static void put_z(struct writer *w, const char *key, const char *s)
{
	if (s[0] != '\0')
		json_member(w, key, s, strlen(s), JSON_BYTES);
}

static void put_ends(struct writer *w, const struct session *s)
{
	char a[ADDR_TEXT];
	if (s->peer.ver != 0)
		write_fmt(w, ",\"peer\":\"%s\",\"peer_port\":%u", addr_text(&s->peer, a),
			  s->peer_port);
	if (s->server.ver != 0)
		write_fmt(w, ",\"server\":\"%s\"", addr_text(&s->server, a));
	if (s->server_port != 0)
		write_fmt(w, ",\"server_port\":%u", s->server_port);
	if (s->direction != DIR_NONE)
		put_z(w, "direction", direction_text((enum event_direction)s->direction));
	if (s->flow_id != 0)
		write_fmt(w, ",\"flow_id\":%llu", (unsigned long long)s->flow_id);
}

static void put_casts(struct writer *w, const struct session *s)
{
	char name[CAST_NAME];
	bool first = true;
	write_str(w, ",\"casts\":[");
	for (uint32_t i = 0; i < s->n_casts; i++) {
		const struct cast *c = &s->casts[i];
		if (!c->began)
			continue;
		write_fmt(w, "%s{\"file\":\"%s\"", first ? "" : ",", cast_name(s, i, name));
		first = false;
		json_time(w, "start", c->base_ns);
		if (c->tty >= 0)
			write_fmt(w, ",\"tty\":%d", c->tty);
		write_fmt(w, ",\"bytes\":%llu,\"cut\":%s}", (unsigned long long)c->bytes,
			  c->full ? "true" : "false");
	}
	write_str(w, "]");
}

/* end_ns 0: it goes on. */
static void put_head(struct writer *w, struct session_book *b, const struct session *s,
		     int64_t end_ns, const char *why)
{
	char id[SESSION_ID_TEXT], heard[48];
	write_fmt(w, "{\"version\":1,\"id\":\"%s\"", session_id_text(s->id, id));
	put_z(w, "sensor", b->conf.sensor);
	put_z(w, "guest", b->conf.guests[s->guest].name);
	put_z(w, "service", s->service);
	put_z(w, "heard", heard_text(s->heard, heard));
	json_time(w, "start", s->start_ns);
	if (end_ns != 0) {
		json_time(w, "end", end_ns);
		put_z(w, "why", why);
	} else {
		write_str(w, ",\"end\":null");
	}
	put_ends(w, s);
	if (s->parent != 0)
		write_fmt(w, ",\"parent\":\"%s\"", session_id_text(s->parent, id));
	put_z(w, "user", s->user);
	put_z(w, "secret", s->secret);
	put_z(w, "client", s->client);
	write_fmt(w,
		  ",\"counts\":{\"logins_ok\":%u,\"logins_failed\":%u,\"lines\":%u,\"runs\":%u,"
		  "\"files\":%u,\"connects\":%u,\"alerts\":%u,\"input\":%llu,\"output\":%llu,"
		  "\"skipped\":%llu,\"unlisted\":%u}",
		  s->logins_ok, s->logins_failed, s->lines, s->runs, s->files, s->connects,
		  s->alerts, (unsigned long long)s->input, (unsigned long long)s->output,
		  (unsigned long long)s->skipped, s->dropped);
	put_casts(w, s);
}

/* ---- lists --------------------------------------------------------------------------------------- */

static void put_t(struct writer *w, const char *key, const struct entry *e, uint32_t i)
{
	struct bytes t = entry_text(e, i);
	if (t.len > 0)
		json_member(w, key, t.data, t.len, JSON_BYTES);
}

static void put_process(struct writer *w, const struct entry *e)
{
	static const char *const layers[LAYERS] = {"monitor", "shell", "wire", "syslog"};
	write_fmt(w, ",\"layer\":\"%s\"", layers[e->layer % LAYERS]);
	if (e->pid != 0)
		write_fmt(w, ",\"pid\":%u,\"ppid\":%u,\"uid\":%u", e->pid, e->ppid, e->uid);
	if (e->tty >= 0)
		write_fmt(w, ",\"tty\":%d", e->tty);
}

static void put_command(struct writer *w, const struct entry *e)
{
	write_fmt(w, ",\"typed\":%s", e->ok == 1 ? "true" : "false");
	put_t(w, "line", e, 0);
	put_t(w, "cwd", e, 1);
	put_t(w, "exe", e, 2);
	put_t(w, "user", e, 3);
	if (e->of != 0)
		write_fmt(w, ",\"of\":%u", e->of);
	if ((e->flags & ENTRY_OWN) != 0)
		write_str(w, ",\"own\":true");
	if ((e->flags & ENTRY_ENDED) != 0)
		write_fmt(w, ",\"status\":%d", e->status);
}

static void put_login(struct writer *w, const struct entry *e)
{
	put_t(w, "user", e, 0);
	put_t(w, "secret", e, 1);
	put_t(w, "method", e, 2);
	if (e->ok >= 0)
		write_fmt(w, ",\"ok\":%s", e->ok == 1 ? "true" : "false");
}

static void put_activity(struct writer *w, const struct entry *e)
{
	char a[ADDR_TEXT];
	put_t(w, "what", e, 0);
	put_t(w, "detail", e, 1);
	put_t(w, "comm", e, 2);
	if (e->addr.ver != 0)
		write_fmt(w, ",\"addr\":\"%s\",\"port\":%u,\"proto\":%u", addr_text(&e->addr, a),
			  e->port, e->flags);
}

static void put_entry(struct writer *w, const struct entry *e)
{
	write_fmt(w, "{\"n\":%u", e->n);
	json_time(w, "time", e->time_ns);
	put_process(w, e);
	switch ((enum entry_kind)e->kind) {
	case ENTRY_COMMAND:
		put_command(w, e);
		break;
	case ENTRY_LOGIN:
		put_login(w, e);
		break;
	case ENTRY_FILE:
		put_t(w, "what", e, 0);
		put_t(w, "path", e, 1);
		put_t(w, e->ok == 1 ? "source" : "to", e, 2);
		put_t(w, "sha256", e, 3);
		json_count(w, "size", e->bytes);
		break;
	case ENTRY_SECRET:
		put_t(w, "text", e, 0);
		break;
	case ENTRY_ACTIVITY:
		put_activity(w, e);
		break;
	case ENTRY_NONE:
		break;
	}
	write_fmt(w, "%s}", e->cut ? ",\"cut\":true" : "");
}

static void put_lists(struct session_book *b, const struct session *s, struct out *o)
{
	static const struct {
		enum entry_kind kind;
		const char *key;
	} lists[] = {{ENTRY_LOGIN, "logins"},
		     {ENTRY_COMMAND, "commands"},
		     {ENTRY_SECRET, "hidden"},
		     {ENTRY_FILE, "files"},
		     {ENTRY_ACTIVITY, "activity"}};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct writer w = writer_of(b->scratch, SCRATCH);
		uint64_t at = 0;
		bool first = true;
		write_fmt(&w, "%s\"%s\":[", i > 0 ? ",\n" : "", lists[i].key);
		out_put(o, &w);
		for (const struct entry *e; (e = entry_next(b, s, &at)) != NULL;) {
			if (e->kind != lists[i].kind)
				continue;
			w = writer_of(b->scratch, SCRATCH);
			write_str(&w, first ? "\n" : ",\n");
			put_entry(&w, e);
			out_put(o, &w);
			first = false;
		}
		w = writer_of(b->scratch, SCRATCH);
		write_str(&w, "]");
		out_put(o, &w);
	}
}

/* ---- whole records ------------------------------------------------------------------------------- */

static int write_out(struct session_book *b, struct session *s, int64_t end_ns, const char *why,
		     int fd, uint64_t *ret_bytes)
{
	struct out o;
	o.fd = fd;
	o.err = 0;
	o.len = 0;
	o.total = 0;
	struct writer w = writer_of(b->scratch, SCRATCH);
	put_head(&w, b, s, end_ns, why);
	write_str(&w, ",\n");
	out_put(&o, &w);
	put_lists(b, s, &o);
	w = writer_of(b->scratch, SCRATCH);
	write_str(&w, "}\n");
	out_put(&o, &w);
	out_flush(&o);
	*ret_bytes = o.total;
	return o.err;
}

int record_write(struct session_book *b, struct session *s, int64_t end_ns, const char *why)
{
	char id[SESSION_ID_TEXT], name[32], tmp[32];
	uint64_t bytes = 0;
	s->dirty = false;
	s->written_ns = b->now_ns;
	if (s->gone)
		return 0;
	struct writer w = writer_of(name, sizeof(name)), t = writer_of(tmp, sizeof(tmp));
	write_fmt(&w, "%s.json", session_id_text(s->id, id));
	write_fmt(&t, ".%s.tmp", id);
	int dir = folder_day(&b->folder, s->day);
	if (dir < 0)
		return dir;
	CLEANUP(fd_close)
	int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	int err = write_out(b, s, end_ns, why, fd, &bytes);
	if (err == 0 && renameat(dir, tmp, dir, name) != 0)
		err = -errno;
	if (err != 0) {
		(void)unlinkat(dir, tmp, 0);
		return err;
	}
	folder_used(&b->folder, s->day,
		    (int64_t)on_disk(bytes) - (int64_t)on_disk(s->record_bytes));
	book_wrote(b, s->guest, bytes > s->record_bytes ? bytes - s->record_bytes : 0);
	s->record_bytes = bytes;
	return 0;
}

void record_list(struct session_book *b, struct session *s, int64_t end_ns, const char *why)
{
	struct writer w = writer_of(b->scratch, SCRATCH);
	uint64_t at = 0;
	uint32_t n = 0;
	put_head(&w, b, s, end_ns, why);
	write_str(&w, ",\"logins\":[");
	for (const struct entry *e; n < LIST_LOGINS && (e = entry_next(b, s, &at)) != NULL;) {
		if (e->kind != ENTRY_LOGIN)
			continue;
		/* Short ones are for lists: a huge password does not belong into this line. */
		if (e->size > 1024)
			continue;
		write_str(&w, n++ > 0 ? "," : "");
		put_entry(&w, e);
	}
	write_str(&w, "]}");
	if (w.full)
		return;
	book_wrote(b, s->guest, w.len);
	lines_put(&b->folder, &b->folder.list, s->day, w.buf, w.len);
}

/* ---- after a death ---------------------------------------------------------------------------------- */

/* The first line says that it goes on: it doesn't. The rest is copied. */
static void mend_one(int dir, const char *name, int64_t now_ns)
{
	static const char open_end[] = ",\"end\":null";
	struct out o;
	struct stat st;
	char tmp[48], head[8192];
	CLEANUP(fd_close) int in = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (in < 0 || fstat(in, &st) != 0)
		return;
	ssize_t n = read(in, head, sizeof(head) - 1);
	head[n > 0 ? n : 0] = '\0';
	char *at = strstr(head, open_end), *nl = strchr(head, '\n');
	if (at == NULL || nl == NULL || at > nl)
		return;
	struct writer t = writer_of(tmp, sizeof(tmp));
	write_fmt(&t, ".%s.tmp", name);
	CLEANUP(fd_close)
	int to = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (to < 0)
		return;
	o.fd = to;
	o.err = 0;
	o.len = 0;
	o.total = 0;
	char text[8192 + 128];
	struct writer w = writer_of(text, sizeof(text));
	int64_t last = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
	*at = '\0';
	write_str(&w, head);
	json_time(&w, "end", last < now_ns ? last : now_ns);
	write_str(&w, ",\"why\":\"lost\"");
	write_str(&w, at + strlen(open_end));
	out_put(&o, &w);
	while (o.err == 0 && (n = read(in, text, sizeof(text) - 1)) > 0) {
		w = (struct writer){.buf = text, .size = sizeof(text), .len = (size_t)n};
		out_put(&o, &w);
	}
	out_flush(&o);
	if (o.err != 0 || n < 0 || renameat(dir, tmp, dir, name) != 0)
		(void)unlinkat(dir, tmp, 0);
}

void record_mend(struct session_book *b, int64_t now_ns)
{
	for (uint32_t i = b->folder.n_days > 2 ? b->folder.n_days - 2 : 0; i < b->folder.n_days;
	     i++) {
		uint64_t id;
		char name[DAY_TEXT];
		int fd = openat(b->folder.sessions, day_text(b->folder.days[i].day, name),
				O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
		if (d == NULL) {
			fd_close(&fd);
			continue;
		}
		for (struct dirent *e; (e = readdir(d)) != NULL;) {
			char stem[32];
			size_t n = strlen(e->d_name);
			if (n < 6 || n > 24 || strcmp(e->d_name + n - 5, ".json") != 0)
				continue;
			memcpy(stem, e->d_name, n - 5);
			stem[n - 5] = '\0';
			if (session_id_parse(stem, &id) == 0)
				mend_one(dirfd(d), e->d_name, now_ns);
		}
		closedir(d);
	}
}
