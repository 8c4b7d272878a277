/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is heard on the wire (module talk) -> sessions, and files of whatever origin. A conversation that the
 * guest's monitor knows as a visit is one session with it.
 */
#include "session/session_priv.h"

#include <string.h>

#define WIRE_TTY (-2)

static struct session *heard(struct session_book *b, uint64_t id, int64_t ns)
{
	struct session *s = book_find(b, id);
	if (s != NULL) {
		b->now_ns = ns > b->now_ns ? ns : b->now_ns;
		book_touch(b, s, LAYER_WIRE, ns);
	}
	return s;
}

static struct note note_of(struct session *s, int64_t ns)
{
	return (struct note){
		.s = s, .guest = s->guest, .tty = WIRE_TTY, .layer = LAYER_WIRE, .ns = ns};
}

uint64_t session_begin(struct session_book *b, const struct session_open *o)
{
	if (o->guest >= b->conf.n_guests || !b->conf.conf.on || !b->conf.conf.wire)
		return 0;
	struct session *s = book_tuple(b, o->guest, &o->client, o->client_port, o->server_port);
	bool fresh = s == NULL;
	b->now_ns = o->start_ns > b->now_ns ? o->start_ns : b->now_ns;
	if (fresh) {
		s = book_new(b, o->guest, o->start_ns);
		s->peer = o->client;
		s->server = o->server;
		s->peer_port = o->client_port;
		s->server_port = o->server_port;
		book_set_tuple(b, s);
		text_of(s->service, sizeof(s->service), bytes_of(o->service));
	}
	s->flow_id = o->flow_id;
	s->direction = o->direction;
	s->wire_open = true;
	book_touch(b, s, LAYER_WIRE, o->start_ns);
	if (fresh)
		cowrie_connect(b, s);
	return s->id;
}

void session_output(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns)
{
	struct session *s = heard(b, id, ns);
	if (s == NULL)
		return;
	struct note n = note_of(s, ns);
	note_data(b, &n, false, false, data, len, 0);
}

void session_input(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns)
{
	struct session *s = heard(b, id, ns);
	if (s == NULL)
		return;
	struct note n = note_of(s, ns);
	note_data(b, &n, true, false, data, len, 0);
}

void session_size(struct session_book *b, uint64_t id, uint16_t cols, uint16_t rows, int64_t ns)
{
	struct session *s = heard(b, id, ns);
	struct cast *c = s != NULL ? cast_of(s, WIRE_TTY) : NULL;
	if (c == NULL)
		return;
	bool first = c->cols == 0;
	cast_size(b, s, c, cols, rows, ns);
	if (first && c->cols != 0)
		cowrie_size(b, s, c->cols, c->rows, ns);
}

void session_command(struct session_book *b, uint64_t id, const char *line, size_t len, int64_t ns)
{
	struct session *s = heard(b, id, ns);
	if (s == NULL)
		return;
	struct note n = note_of(s, ns);
	struct note_command c = {.line = {line, len}, .typed = true};
	c.exe = c.cwd = c.user = bytes_of("");
	note_command(b, &n, &c);
}

void session_login(struct session_book *b, uint64_t id, const char *user, size_t user_len,
		   const char *secret, size_t secret_len, int ok, int64_t ns)
{
	struct session *s = heard(b, id, ns);
	if (s == NULL)
		return;
	struct note n = note_of(s, ns);
	note_login(b, &n, (struct bytes){user, user_len}, (struct bytes){secret, secret_len},
		   bytes_of("password"), ok);
}

void session_client(struct session_book *b, uint64_t id, const char *version, size_t len,
		    int64_t ns)
{
	struct session *s = heard(b, id, ns);
	if (s == NULL || s->client[0] != '\0')
		return;
	text_of(s->client, sizeof(s->client), (struct bytes){version, len});
	s->dirty = true;
	cowrie_client(b, s);
}

void session_mark(struct session_book *b, uint64_t id, const char *label, int64_t ns)
{
	struct session *s = book_find(b, id);
	if (s == NULL)
		return;
	s->alerts++;
	s->dirty = true;
	for (uint32_t i = 0; i < s->n_casts; i++)
		if (s->casts[i].began) {
			cast_mark(b, s, &s->casts[i], label, strlen(label), ns);
			break;
		}
}

void session_end(struct session_book *b, uint64_t id, const char *why, int64_t ns)
{
	struct session *s = book_find(b, id);
	if (s == NULL)
		return;
	b->now_ns = ns > b->now_ns ? ns : b->now_ns;
	s->wire_open = false;
	if (ns > s->last_ns)
		s->last_ns = ns;
	/* The guest's monitor says when its last process ended, which may be long after the connection. */
	if ((s->heard & 1u << LAYER_MONITOR) == 0)
		book_end(b, s, why, ns);
	else if (!s->monitor_open)
		s->shut_ns = b->now_ns;
}

/* ---- files ----------------------------------------------------------------------------------------- */

/* A guest that fills its share today pushes out what was kept before, of others too: no more of it, then. */
static bool may_keep_content(struct session_book *b, uint32_t guest)
{
	struct guest_book *g = &b->guests[guest];
	int64_t today = b->now_ns / (86400 * NS_PER_SEC);
	if (g->content_day != today)
		g->content_bytes = 0;
	g->content_day = today;
	if (g->content_bytes <= b->files->budget_bytes / DAY_SHARE)
		return book_may(b, guest, BUDGET_CONTENT, b->now_ns);
	g->suppressed[BUDGET_CONTENT]++;
	return false;
}

uint64_t session_file_begin(struct session_book *b, const struct session_file_open *o, int64_t ns)
{
	if (o->guest >= b->conf.n_guests || !b->conf.conf.on || !may_keep_content(b, o->guest))
		return 0;
	struct open_file *f = files_oldest(b->files);
	if (f != NULL)
		session_file_end(b, f->id, false, ns);
	f = files_begin(b->files, ns);
	if (f == NULL)
		return 0;
	f->session = o->session;
	f->guest = o->guest;
	f->size = o->size;
	text_copy(f->how, sizeof(f->how), o->how);
	text_of(f->name, sizeof(f->name), bytes_of(o->name));
	text_of(f->source, sizeof(f->source), bytes_of(o->source));
	return f->id;
}

void session_file_data(struct session_book *b, uint64_t file, const void *data, size_t len)
{
	struct open_file *f = files_find(b->files, file);
	if (f != NULL)
		files_data(b->files, f, data, len);
}

/* Where it is from: the first word of a command line that looks like an address of the web. */
static void find_url(struct bytes line, char *ret, size_t size)
{
	static const char *const schemes[] = {"http://", "https://", "ftp://", "tftp://"};
	ret[0] = '\0';
	for (size_t i = 0; i < line.len; i++)
		for (size_t k = 0; k < ARRAY_LEN(schemes); k++) {
			size_t n = strlen(schemes[k]), at = i + n;
			if (line.len - i <= n || memcmp(line.data + i, schemes[k], n) != 0)
				continue;
			while (at < line.len && line.data[at] > ' ' && line.data[at] != '\'' &&
			       line.data[at] != '"')
				at++;
			text_of(ret, size, (struct bytes){line.data + i, at - i});
			return;
		}
}

static const struct {
	const char *comm, *how;
} ways[] = {{"wget", "fetched"},      {"curl", "fetched"},         {"tftp", "fetched"},
	    {"ftp", "fetched"},       {"ftpget", "fetched"},       {"lwp-download", "fetched"},
	    {"aria2c", "fetched"},    {"sftp-server", "uploaded"}, {"scp", "uploaded"},
	    {"rsync", "uploaded"},    {"rz", "uploaded"},          {"sshd", "uploaded"},
	    {"in.tftpd", "uploaded"}, {"vsftpd", "uploaded"},      {"proftpd", "uploaded"}};

/* The monitor knows who wrote it: that says how it came. */
static void find_how(struct session_book *b, struct open_file *f, const struct session *s)
{
	if (f->how[0] != '\0')
		return;
	const struct pid_row *row = f->pid != 0 ? book_pid(b, f->guest, f->pid) : NULL;
	text_copy(f->how, sizeof(f->how), "written");
	for (size_t i = 0; row != NULL && i < ARRAY_LEN(ways); i++)
		if (strcmp(row->comm, ways[i].comm) == 0)
			text_copy(f->how, sizeof(f->how), ways[i].how);
	if (row == NULL || s == NULL)
		return;
	const struct entry *e = NULL;
	uint64_t at = 0;
	/* Newest command of that process; it may have ended. */
	for (const struct entry *x; (x = entry_next(b, s, &at)) != NULL;)
		if (x->kind == ENTRY_COMMAND && x->pid == f->pid)
			e = x;
	if (e != NULL && f->source[0] == '\0')
		find_url(entry_text(e, 0), f->source, sizeof(f->source));
}

void session_file_end(struct session_book *b, uint64_t file, bool complete, int64_t ns)
{
	struct open_file *f = files_find(b->files, file);
	struct file_done done;
	char id[SESSION_ID_TEXT] = "", name[FILE_TEXT], how[16], source[FILE_TEXT];
	if (f == NULL)
		return;
	struct session *s = book_find(b, f->session);
	uint32_t guest = f->guest, pid = f->pid;
	bool monitor = f->pid != 0;
	find_how(b, f, s);
	f->cut = f->cut || !complete;
	text_copy(name, sizeof(name), f->name);
	text_copy(how, sizeof(how), f->how);
	text_copy(source, sizeof(source), f->source);
	if (s != NULL)
		session_id_text(s->id, id);
	int err = files_end(b->files, f, b->conf.guests[guest].name, id, ns, &done);
	if (err != 0 && b->files->err == 0)
		b->files->err = err;
	/* The index has its budget as well: another sight of the same is not free. */
	if (done.kept)
		b->guests[guest].content_bytes += on_disk(done.known ? 1 : done.size);
	struct note n = {.s = s,
			 .guest = guest,
			 .pid = pid,
			 .tty = monitor ? -1 : WIRE_TTY,
			 .layer = monitor ? LAYER_MONITOR : LAYER_WIRE,
			 .ns = ns};
	struct note_file nf = {.what = how,
			       .path = bytes_of(name),
			       .to = bytes_of(""),
			       .size = done.size,
			       .type = done.type,
			       .sha256 = done.sha256,
			       .url = source,
			       .known = done.known,
			       .content = true};
	note_file(b, &n, &nf);
}
