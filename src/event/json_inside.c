/* SPDX-License-Identifier: BSD-2-Clause */
/* The bodies of events about what happens inside guests (event/inside.h): nearly all of it is foreign bytes. */
#include "event/event_priv.h"

#include <string.h>
#include <sys/wait.h>

static int put_bool(json_t *o, const char *key, bool v)
{
	return json_object_set_new(o, key, json_boolean(v));
}

static int put_proto(json_t *o, const char *key, uint8_t proto)
{
	char buf[EVENT_PROTO];
	return proto == 0 ? 0 : put_word(o, key, event_proto_text(proto, buf));
}

/* "monitor shell" -> ["monitor", "shell"] */
static int put_words(json_t *o, const char *key, const char *words)
{
	json_t *all = json_array();
	int bad = 0;
	for (const char *at = words; *at != '\0';) {
		char clean[4 * 48 + 1];
		size_t len = strcspn(at, " ");
		size_t n = event_utf8_bytes(at, len < 48 ? len : 48, clean, sizeof(clean));
		if (len > 0)
			bad |= json_array_append_new(all, json_stringn(clean, n));
		at += len + (at[len] == ' ' ? 1 : 0);
	}
	return bad | json_object_set_new(o, key, all);
}

static int put_visit(json_t *o, const struct event_visit *v)
{
	char id[EVENT_SESSION_TEXT];
	int bad = put_text(o, "guest", v->guest, sizeof(v->guest));
	bad |= v->session == 0 ? put_null(o, "session")
			       : put_word(o, "session", event_session_text(v->session, id));
	if (v->peer.ver == 0)
		return bad;
	bad |= put_proto(o, "proto", v->proto);
	bad |= put_addr(o, "client_ip", &v->peer);
	bad |= put_int(o, "client_port", v->peer_port);
	bad |= put_addr(o, "server_ip", &v->server);
	return bad | put_int(o, "server_port", v->server_port);
}

static int put_session(json_t *o, const struct event *e)
{
	const struct event_session *s = &e->u.session;
	int bad = put_visit(o, &s->visit);
	bad |= put_text(o, "state", s->state, sizeof(s->state));
	bad |= put_text(o, "service", s->service, sizeof(s->service));
	bad |= put_words(o, "heard", s->heard);
	bad |= put_some_text(o, "user", s->user, sizeof(s->user));
	bad |= put_time(o, "start", s->start_ns);
	bad |= put_int(o, "input", s->input);
	bad |= put_int(o, "output", s->output);
	bad |= put_int(o, "commands", s->commands);
	bad |= put_int(o, "files", s->files);
	bad |= put_int(o, "logins_ok", s->logins_ok);
	bad |= put_int(o, "logins_failed", s->logins_failed);
	return bad | put_some_text(o, "why", s->why, sizeof(s->why));
}

static int put_command(json_t *o, const struct event *e)
{
	const struct event_command *c = &e->u.command;
	int32_t status = c->status;
	bool ended = status >= 0;
	int bad = put_visit(o, &c->visit);
	bad |= put_text(o, "layer", c->layer, sizeof(c->layer));
	bad |= put_some_text(o, "user", c->user, sizeof(c->user));
	bad |= put_some_text(o, "tty", c->tty, sizeof(c->tty));
	bad |= put_some_text(o, "cwd", c->cwd, sizeof(c->cwd));
	bad |= put_some_text(o, "exe", c->exe, sizeof(c->exe));
	bad |= put_int(o, "pid", c->pid);
	bad |= put_int(o, "ppid", c->ppid);
	bad |= put_int(o, "uid", c->uid);
	bad |= put_code(o, "exit_code", ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	bad |= put_code(o, "signal", ended && WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	bad |= put_bool(o, "cut", c->cut != 0);
	size_t len = c->line_len < EVENT_EXCERPT ? c->line_len : EVENT_EXCERPT;
	return bad | put_bytes(o, "line", c->line, len);
}

static int put_login(json_t *o, const struct event *e)
{
	const struct event_login *l = &e->u.login;
	int bad = put_visit(o, &l->visit);
	bad |= put_text(o, "service", l->service, sizeof(l->service));
	bad |= put_some_text(o, "method", l->method, sizeof(l->method));
	bad |= put_text(o, "user", l->user, sizeof(l->user));
	bad |= put_text(o, "secret", l->secret, sizeof(l->secret));
	return bad | (l->ok < 0 ? put_null(o, "ok") : put_bool(o, "ok", l->ok != 0));
}

static int put_syslog(json_t *o, const struct event *e)
{
	const struct event_syslog *s = &e->u.syslog;
	int bad = put_text(o, "guest", s->guest, sizeof(s->guest));
	bad |= put_int(o, "facility", s->facility);
	bad |= put_int(o, "severity", s->severity);
	bad |= put_some_text(o, "host", s->host, sizeof(s->host));
	bad |= put_some_text(o, "app", s->app, sizeof(s->app));
	bad |= put_bool(o, "cut", s->cut != 0);
	size_t len = s->line_len < EVENT_EXCERPT ? s->line_len : EVENT_EXCERPT;
	return bad | put_bytes(o, "line", s->line, len);
}

static int put_file(json_t *o, const struct event *e)
{
	const struct event_file *f = &e->u.file;
	int bad = put_visit(o, &f->visit);
	bad |= put_text(o, "what", f->what, sizeof(f->what));
	bad |= put_text(o, "path", f->path, sizeof(f->path));
	bad |= put_some_text(o, "to", f->to, sizeof(f->to));
	bad |= put_some_text(o, "type", f->type, sizeof(f->type));
	bad |= put_some_text(o, "sha256", f->sha256, sizeof(f->sha256));
	bad |= put_bool(o, "known", f->known != 0);
	return bad | put_int(o, "size", f->size);
}

static int put_activity(json_t *o, const struct event *e)
{
	const struct event_activity *a = &e->u.activity;
	int bad = put_visit(o, &a->visit);
	bad |= put_text(o, "what", a->what, sizeof(a->what));
	bad |= put_some_text(o, "detail", a->detail, sizeof(a->detail));
	bad |= put_text(o, "comm", a->comm, sizeof(a->comm));
	bad |= put_int(o, "pid", a->pid);
	bad |= put_int(o, "uid", a->uid);
	if (a->addr.ver == 0)
		return bad;
	bad |= put_proto(o, "dest_proto", a->proto);
	bad |= put_addr(o, "dest_ip", &a->addr);
	return bad | put_int(o, "dest_port", a->port);
}

static int put_silence(json_t *o, const struct event *e)
{
	const struct event_silence *s = &e->u.silence;
	int bad = put_visit(o, &s->visit);
	bad |= put_text(o, "layer", s->layer, sizeof(s->layer));
	bad |= put_text(o, "what", s->what, sizeof(s->what));
	bad |= put_some_text(o, "other", s->other, sizeof(s->other));
	bad |= put_int(o, "count", s->count);
	return bad | put_some_text(o, "detail", s->detail, sizeof(s->detail));
}

int json_inside(json_t *o, const struct event *e)
{
	switch (e->kind) {
	case EVENT_SESSION:
		return put_session(o, e);
	case EVENT_COMMAND:
		return put_command(o, e);
	case EVENT_LOGIN:
		return put_login(o, e);
	case EVENT_SYSLOG:
		return put_syslog(o, e);
	case EVENT_FILE:
		return put_file(o, e);
	case EVENT_ACTIVITY:
		return put_activity(o, e);
	case EVENT_SILENCE:
	case EVENT_MISMATCH:
		return put_silence(o, e);
	default:
		return -1;
	}
}
