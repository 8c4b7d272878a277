/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened in a session, whoever heard it: to its recording, its record, Cowrie's lines and an event. One place,
 * so that the layers differ in what they know and not in what becomes of it.
 */
#include "session/session_priv.h"

#include <string.h>

static struct entry head_of(const struct note *n, enum entry_kind kind)
{
	return (struct entry){.kind = (uint8_t)kind,
			      .layer = (uint8_t)n->layer,
			      .time_ns = n->ns,
			      .pid = n->pid,
			      .ppid = n->ppid,
			      .uid = n->uid,
			      .tty = n->tty,
			      .ok = -1};
}

static struct event event_of(struct session_book *b, const struct note *n, enum event_kind kind,
			     uint8_t priority)
{
	struct event e = event_new(kind);
	e.time_ns = n->ns;
	e.priority = priority;
	if (n->s != NULL) {
		e.flow_id = n->s->flow_id;
		e.direction = n->s->direction;
	}
	return e;
}

/* The recording that a marker belongs into: its terminal's, or the first. */
static struct cast *cast_for_mark(struct session *s, int32_t tty)
{
	for (uint32_t i = 0; i < s->n_casts; i++)
		if (s->casts[i].tty == tty && s->casts[i].began)
			return &s->casts[i];
	return s->n_casts > 0 && s->casts[0].began ? &s->casts[0] : NULL;
}

static void mark(struct session_book *b, const struct note *n, struct bytes label, uint32_t ref)
{
	struct session *s = n->s;
	struct cast *c = cast_for_mark(s, n->tty);
	if (c != NULL)
		cast_mark(b, s, c, label.data, label.len, n->ns);
	else if (ref != 0)
		s->marks[s->n_marks++ % ARRAY_LEN(s->marks)] = ref;
}

/* ---- what is seen and typed ----------------------------------------------------------------------- */

static void end_hidden(struct session_book *b, const struct note *n, struct cast *c)
{
	struct entry head = head_of(n, ENTRY_SECRET);
	struct bytes t = {(const char *)c->hidden, c->hidden_len};
	if (t.len > 0)
		entry_add(b, n->s, &head, &t, 1, NULL);
	c->hidden_len = 0;
}

/* A line that is typed without being shown is a password, or what was hoped to be one. */
static void note_hidden(struct session_book *b, const struct note *n, struct cast *c,
			const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\r' || p[i] == '\n')
			end_hidden(b, n, c);
		else if ((p[i] == 0x7f || p[i] == 8) && c->hidden_len > 0)
			c->hidden_len--;
		else if (c->hidden_len < sizeof(c->hidden))
			c->hidden[c->hidden_len++] = p[i];
	}
}

void note_data(struct session_book *b, const struct note *n, bool input, bool hidden,
	       const void *data, size_t len, uint64_t skipped)
{
	struct session *s = n->s;
	struct cast *c = cast_of(s, n->tty);
	if (s->counts_layer == 0)
		s->counts_layer = (uint8_t)(n->layer + 1);
	if (s->counts_layer == n->layer + 1) {
		*(input ? &s->input : &s->output) += len + skipped;
		s->dirty = true;
	}
	if (c == NULL) { /* a terminal too many */
		s->skipped += len + skipped;
		return;
	}
	if (skipped > 0) {
		s->skipped += skipped;
		c->lost += skipped;
	}
	if (input && hidden && n->tty >= 0)
		note_hidden(b, n, c, data, len);
	else if (input && c->hidden_len > 0)
		end_hidden(b, n, c);
	cast_data(b, s, c, input, data, len, n->ns);
}

/* ---- commands -------------------------------------------------------------------------------------- */

static void tell_command(struct session_book *b, const struct note *n, const struct note_command *c)
{
	struct event e = event_of(b, n, EVENT_COMMAND, n->quiet ? 0 : 1);
	struct event_command *v = &e.u.command;
	static const char *const layers[LAYERS] = {"monitor", "shell", "wire", "syslog"};
	tell_visit(b, n->s, n->guest, &v->visit);
	text_copy(v->layer, sizeof(v->layer), layers[n->layer]);
	text_of(v->user, sizeof(v->user), c->user);
	text_of(v->cwd, sizeof(v->cwd), c->cwd);
	text_of(v->exe, sizeof(v->exe), c->exe);
	if (n->tty >= 0) {
		struct writer w = writer_of(v->tty, sizeof(v->tty));
		write_fmt(&w, "pts/%d", n->tty);
	}
	v->pid = n->pid;
	v->ppid = n->ppid;
	v->uid = n->uid;
	v->status = -1;
	size_t len = c->line.len < sizeof(v->line) ? c->line.len : sizeof(v->line);
	v->cut = c->cut || len < c->line.len;
	v->line_len = (uint16_t)len;
	if (len > 0)
		memcpy(v->line, c->line.data, len);
	char some[160];
	text_of(some, sizeof(some), c->line);
	event_say(&e, "%s on %s: %s", c->typed ? "typed" : "ran", b->conf.guests[n->guest].name,
		  some);
	tell(b, n->guest, BUDGET_COMMAND, &e);
}

/* The marker of another entry still waits: this one takes its place. */
static bool took_over(struct session *s, uint32_t other, uint32_t ref)
{
	for (uint32_t i = 0; other != 0 && i < ARRAY_LEN(s->marks) && i < s->n_marks; i++)
		if (s->marks[i] == other) {
			s->marks[i] = ref;
			return true;
		}
	return other != 0; /* it is written: once is enough */
}

uint32_t note_command(struct session_book *b, const struct note *n, const struct note_command *c)
{
	struct session *s = n->s;
	uint32_t ref = 0;
	if (s != NULL) {
		struct entry head = head_of(n, ENTRY_COMMAND);
		struct bytes texts[4] = {c->line, c->cwd, c->exe, c->user};
		head.seq = c->seq;
		head.of = c->of;
		head.cut = c->cut;
		head.ok = c->typed ? 1 : 0;
		head.flags = n->service ? ENTRY_OWN : 0;
		if (!n->service) {
			*(c->typed ? &s->lines : &s->runs) += 1;
			book_keep(b, s, n->ns);
		}
		entry_add(b, s, &head, texts, 4, &ref);
		if (!n->quiet && !took_over(s, c->instead, ref))
			mark(b, n, c->line, ref);
		/* Tools that read Cowrie's lines want what was typed; a program that was run without a line of
		 * a shell is the nearest there is. */
		if (!n->quiet && (c->typed || !b->guests[n->guest].has_shell))
			cowrie_command(b, s, c->line, n->ns);
	}
	tell_command(b, n, c);
	return ref;
}

/* ---- logins ------------------------------------------------------------------------------------------ */

void note_login(struct session_book *b, const struct note *n, struct bytes user,
		struct bytes secret, struct bytes method, int ok)
{
	struct session *s = n->s;
	if (s != NULL) {
		struct entry head = head_of(n, ENTRY_LOGIN);
		struct bytes texts[3] = {user, secret, method};
		head.ok = (int8_t)ok;
		entry_add(b, s, &head, texts, 3, NULL);
		s->logins_ok += ok == 1;
		s->logins_failed += ok == 0;
		if (ok == 1 || s->logins_ok == 0) {
			text_of(s->user, sizeof(s->user), user);
			text_of(s->secret, sizeof(s->secret), secret);
		}
		s->dirty = true;
		cowrie_login(b, s, user, secret, ok == 1, n->ns);
		if (ok == 1)
			book_keep(b, s, n->ns);
	}
	struct event e = event_of(b, n, EVENT_LOGIN, ok == 1 ? 2 : 0);
	struct event_login *v = &e.u.login;
	tell_visit(b, s, n->guest, &v->visit);
	text_copy(v->service, sizeof(v->service), s != NULL ? s->service : "");
	text_of(v->method, sizeof(v->method), method);
	text_of(v->user, sizeof(v->user), user);
	text_of(v->secret, sizeof(v->secret), secret);
	v->ok = (int8_t)ok;
	event_say(&e, "login to %s as %s by %s: %s", b->conf.guests[n->guest].name, v->user,
		  v->method[0] != '\0' ? v->method : "password",
		  ok == 1   ? "let in"
		  : ok == 0 ? "refused"
			    : "outcome not known");
	tell(b, n->guest, BUDGET_LOGIN, &e);
}

/* ---- the rest ------------------------------------------------------------------------------------------ */

void note_activity(struct session_book *b, const struct note *n, const char *what,
		   struct bytes detail, struct bytes comm, const struct addr *addr, uint16_t port,
		   uint8_t proto)
{
	bool connect = strcmp(what, "connect") == 0;
	if (n->s != NULL) {
		struct entry head = head_of(n, ENTRY_ACTIVITY);
		struct bytes texts[3] = {bytes_of(what), detail, comm};
		if (addr != NULL)
			head.addr = *addr;
		head.port = port;
		head.flags = proto;
		n->s->connects += connect && !n->service;
		if (!connect)
			book_keep(b, n->s, n->ns);
		entry_add(b, n->s, &head, texts, 3, NULL);
	}
	struct event e = event_of(b, n, EVENT_ACTIVITY, n->quiet ? 0 : connect ? 1 : 2);
	struct event_activity *v = &e.u.activity;
	tell_visit(b, n->s, n->guest, &v->visit);
	text_copy(v->what, sizeof(v->what), what);
	text_of(v->detail, sizeof(v->detail), detail);
	text_of(v->comm, sizeof(v->comm), comm);
	v->pid = n->pid;
	v->uid = n->uid;
	if (addr != NULL)
		v->addr = *addr;
	v->port = port;
	v->proto = proto;
	char to[ADDR_TEXT] = "";
	if (v->addr.ver != 0)
		addr_text(&v->addr, to);
	event_say(&e, "%s (pid %u) on %s: %s %s%s", v->comm, n->pid, b->conf.guests[n->guest].name,
		  what, to, v->detail);
	tell(b, n->guest, BUDGET_ACTIVITY, &e);
}

void note_file(struct session_book *b, const struct note *n, const struct note_file *f)
{
	if (n->s != NULL) {
		struct entry head = head_of(n, ENTRY_FILE);
		struct bytes texts[4] = {bytes_of(f->what), f->path, f->to,
					 bytes_of(f->sha256 != NULL ? f->sha256 : "")};
		if (f->content)
			texts[2] = bytes_of(f->url != NULL ? f->url : "");
		head.ok = f->content;
		head.bytes = f->size;
		head.flags = f->known ? ENTRY_KNOWN : 0;
		n->s->files += f->content;
		if (f->content)
			book_keep(b, n->s, n->ns);
		entry_add(b, n->s, &head, texts, 4, NULL);
		if (f->content)
			cowrie_file(b, n->s, f, n->ns);
	}
	struct event e = event_of(b, n, EVENT_FILE, f->content ? 1 : 0);
	struct event_file *v = &e.u.file;
	tell_visit(b, n->s, n->guest, &v->visit);
	text_copy(v->what, sizeof(v->what), f->what);
	text_of(v->path, sizeof(v->path), f->path);
	text_of(v->to, sizeof(v->to), f->to);
	text_copy(v->type, sizeof(v->type), f->type != NULL ? f->type : "");
	text_copy(v->sha256, sizeof(v->sha256), f->sha256 != NULL ? f->sha256 : "");
	v->known = f->known;
	v->size = f->size;
	event_say(&e, "file %s on %s: %s%s%s%s", f->what, b->conf.guests[n->guest].name, v->path,
		  v->to[0] != '\0' ? " to " : "", v->to, f->known ? ", seen before" : "");
	tell(b, n->guest, BUDGET_FILE, &e);
}
