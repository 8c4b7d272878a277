/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of the modified shell, which come by syslog (docs/INSIDE.md) -> sessions. A line names a process: whose visit that
 * is the monitor knows, by another way and perhaps a little later, so an unknown one waits half a second. In a
 * guest without a monitor the lines make sessions of their own, one per terminal.
 */
#include "session/session_priv.h"

#include <string.h>

#define WAIT_NS (500 * NS_PER_MS)
#define MONITOR_NS \
	(10 * NS_PER_SEC) /* so long after its last record a monitor is thought to be there */
#define LOCAL6 22

/* ---- reading a line ---------------------------------------------------------------------------- */

/* %XX back into bytes; returns how many. */
static size_t decode(struct bytes in, char *ret, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < in.len && n < size; i++) {
		char c = in.data[i];
		if (c == '%' && in.len - i > 2 && text_hex(in.data[i + 1]) >= 0 &&
		    text_hex(in.data[i + 2]) >= 0) {
			c = (char)(text_hex(in.data[i + 1]) << 4 | text_hex(in.data[i + 2]));
			i += 2;
		}
		ret[n++] = c;
	}
	return n;
}

static void decode_text(struct bytes in, char *ret, size_t size)
{
	char buf[512];
	text_of(ret, size, (struct bytes){buf, decode(in, buf, sizeof(buf))});
}

static bool number(struct bytes in, uint64_t most, uint64_t *ret)
{
	uint64_t v = 0;
	if (in.len == 0 || in.len > 10)
		return false;
	for (size_t i = 0; i < in.len; i++) {
		if (in.data[i] < '0' || in.data[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(in.data[i] - '0');
	}
	if (v > most)
		return false;
	*ret = v;
	return true;
}

enum { KEY_PID = 1, KEY_PPID = 2, KEY_UID = 4, KEY_SEQ = 8, KEY_STATUS = 16, KEY_LINE = 32 };

static bool key_is(struct bytes key, const char *name)
{
	return key.len == strlen(name) && memcmp(key.data, name, key.len) == 0;
}

/* One key; returns its bit, 0 for others, -1: malformed. */
static int take_key(struct bytes key, struct bytes value, struct session_shell *ret)
{
	const struct {
		const char *name;
		uint32_t *to;
		int bit;
	} numbers[] = {{"pid", &ret->pid, KEY_PID},
		       {"ppid", &ret->ppid, KEY_PPID},
		       {"uid", &ret->uid, KEY_UID},
		       {"seq", &ret->seq, KEY_SEQ}};
	uint64_t v;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (!key_is(key, numbers[i].name))
			continue;
		if (!number(value, UINT32_MAX, &v))
			return -1;
		*numbers[i].to = (uint32_t)v;
		return numbers[i].bit;
	}
	if (key_is(key, "status")) {
		if (!number(value, INT32_MAX, &v))
			return -1;
		ret->status = (int32_t)v;
		return KEY_STATUS;
	}
	if (key_is(key, "user"))
		decode_text(value, ret->user, sizeof(ret->user));
	else if (key_is(key, "tty"))
		decode_text(value, ret->tty, sizeof(ret->tty));
	else if (key_is(key, "cwd"))
		decode_text(value, ret->cwd, sizeof(ret->cwd));
	else if (key_is(key, "cut"))
		ret->cut = true;
	return 0;
}

bool session_shell_parse(const struct syslog_line *l, struct session_shell *ret)
{
	const char *at = l->text, *end = l->text + l->len;
	int seen = 0;
	if (l->facility != LOCAL6 || strcmp(l->app, "sh") != 0 || l->len == 0)
		return false;
	memset(ret, 0, offsetof(struct session_shell, line));
	ret->line_len = 0;
	ret->cut = l->cut;
	while (at < end && (seen & KEY_LINE) == 0) {
		if (*at == ' ') {
			at++;
			continue;
		}
		const char *eq = memchr(at, '=', (size_t)(end - at));
		if (eq == NULL)
			return false;
		struct bytes key = {at, (size_t)(eq - at)};
		const char *blank = memchr(eq, ' ', (size_t)(end - eq));
		struct bytes value = {eq + 1, (size_t)((blank != NULL ? blank : end) - eq - 1)};
		if (key_is(key, "line")) { /* the last: all that follows */
			value.len = (size_t)(end - eq - 1);
			ret->line_len = (uint32_t)decode(value, ret->line, sizeof(ret->line));
			seen |= KEY_LINE;
			break;
		}
		int bit = take_key(key, value, ret);
		if (bit < 0)
			return false;
		seen |= bit;
		at = value.data + value.len;
	}
	ret->end = (seen & KEY_STATUS) != 0 && (seen & KEY_LINE) == 0;
	int must = KEY_PID | KEY_SEQ | (ret->end ? KEY_STATUS : KEY_LINE);
	return (seen & must) == must;
}

bool session_shell_rest(const struct syslog_line *l)
{
	static const char more[] = " more=";
	return l->facility == LOCAL6 && strcmp(l->app, "sh") == 0 && l->len > 4 &&
	       memcmp(l->text, "pid=", 4) == 0 &&
	       memmem(l->text, l->len, more, sizeof(more) - 1) != NULL;
}

/* ---- whose it is ---------------------------------------------------------------------------------- */

static int32_t tty_number(const char *tty)
{
	uint64_t v;
	if (strncmp(tty, "pts/", 4) != 0 || !number(bytes_of(tty + 4), 1u << 20, &v))
		return -1;
	return (int32_t)v;
}

/* Without a monitor: a number of our own for what is done at one terminal, or by one script. */
static struct session *own_session(struct session_book *b, uint32_t guest,
				   const struct session_shell *sh, int64_t ns)
{
	int32_t tty = tty_number(sh->tty);
	uint64_t visit = UINT64_C(1) << 63;
	visit |= tty >= 0 ? UINT64_C(1) << 62 | (uint64_t)tty : sh->ppid;
	struct session *s = book_visit(b, guest, visit);
	if (s != NULL)
		return s;
	s = book_new(b, guest, ns);
	book_set_visit(b, s, visit);
	text_copy(s->service, sizeof(s->service), "shell");
	return s;
}

/* False: wait, its process may become known. *ret NULL: it belongs to no visit. */
static bool whose(struct session_book *b, uint32_t guest, const struct session_shell *sh,
		  int64_t now, bool last_chance, struct session **ret)
{
	struct pid_row *row = book_pid(b, guest, sh->pid);
	bool monitor =
		b->guests[guest].monitor_ns != 0 && now - b->guests[guest].monitor_ns < MONITOR_NS;
	if (row == NULL && sh->ppid != 0)
		row = book_pid(b, guest, sh->ppid);
	*ret = NULL;
	if (row != NULL && row->session == 0)
		return true;
	if (row != NULL)
		*ret = book_find(b, row->session);
	if (*ret != NULL)
		return true;
	if (monitor && !last_chance)
		return false;
	*ret = own_session(b, guest, sh, now);
	return true;
}

/* ---- what is typed, and how it ended ------------------------------------------------------------- */

static void ended(struct session_book *b, uint32_t guest, const struct session_shell *sh)
{
	struct pid_row *row = book_pid(b, guest, sh->pid);
	struct session *s = row != NULL ? book_find(b, row->session) : NULL;
	struct entry *e = s != NULL && row->line != 0 ? entry_at(b, s, row->line) : NULL;
	if (e == NULL || e->pid != sh->pid || e->seq != sh->seq)
		return;
	e->status = sh->status;
	e->flags |= ENTRY_ENDED;
	s->dirty = true;
}

/* The monitor told of this shell as `bash -c LINE`: that is the same command. */
static uint32_t same_as(struct session_book *b, const struct session *s, const struct pid_row *row,
			const struct session_shell *sh)
{
	const struct entry *e = entry_at(b, s, row->run);
	if (e == NULL || e->pid != sh->pid || e->kind != ENTRY_COMMAND || sh->line_len == 0)
		return 0;
	struct bytes ran = entry_text(e, 0);
	return memmem(ran.data, ran.len, " -c ", 4) != NULL &&
			       memmem(ran.data, ran.len, sh->line, sh->line_len) != NULL
		       ? row->run
		       : 0;
}

static uint64_t began(struct session_book *b, uint32_t guest, const struct session_shell *sh,
		      struct session *s, int64_t ns)
{
	struct note n = {.s = s,
			 .guest = guest,
			 .pid = sh->pid,
			 .ppid = sh->ppid,
			 .uid = sh->uid,
			 .tty = tty_number(sh->tty),
			 .layer = LAYER_SHELL,
			 .ns = ns,
			 .quiet = s == NULL};
	struct note_command c = {.line = {sh->line, sh->line_len},
				 .cwd = bytes_of(sh->cwd),
				 .exe = bytes_of(""),
				 .user = bytes_of(sh->user),
				 .seq = sh->seq,
				 .cut = sh->cut,
				 .typed = true};
	struct pid_row *row = book_pid_add(b, guest, sh->pid);
	book_pid_of(row, s);
	if (s != NULL) {
		book_touch(b, s, LAYER_SHELL, ns);
		c.instead = same_as(b, s, row, sh);
		n.service = n.quiet = row->service;
		c.typed = !n.service;
	}
	if (s != NULL && s->user[0] == '\0')
		text_copy(s->user, sizeof(s->user), sh->user);
	uint32_t ref = note_command(b, &n, &c);
	row->line = ref;
	row->line_seq = sh->seq;
	return s != NULL ? s->id : 0;
}

static bool park(struct session_book *b, uint32_t guest, const struct session_shell *sh, int64_t ns)
{
	uint32_t own = 0;
	for (uint32_t i = 0; i < PARKED; i++)
		own += b->parked[i].used && b->parked[i].guest == guest;
	/* A guest that makes lines up must not take the places that another's wait in. */
	for (uint32_t i = 0; i < PARKED && own < PARKED / b->conf.n_guests; i++) {
		struct parked *p = &b->parked[i];
		if (p->used)
			continue;
		p->used = true;
		p->guest = guest;
		p->since_ns = ns;
		memcpy(&p->shell, sh, sizeof(*sh));
		return true;
	}
	return false;
}

/* An earlier line of the same process still waits: places are taken in no order. */
static bool is_behind(const struct session_book *b, const struct parked *p)
{
	for (uint32_t i = 0; i < PARKED; i++) {
		const struct parked *q = &b->parked[i];
		if (q->used && q->guest == p->guest && q->shell.pid == p->shell.pid &&
		    q->since_ns < p->since_ns)
			return true;
	}
	return false;
}

void shell_parked(struct session_book *b, int64_t now_ns)
{
	for (uint32_t i = 0; i < PARKED; i++) {
		struct parked *p = &b->parked[i];
		struct session *s;
		bool late = now_ns - p->since_ns > WAIT_NS || now_ns < p->since_ns;
		if (!p->used || is_behind(b, p) || !whose(b, p->guest, &p->shell, now_ns, late, &s))
			continue;
		p->used = false;
		if (p->shell.end)
			ended(b, p->guest, &p->shell);
		else
			began(b, p->guest, &p->shell, s, p->since_ns);
	}
}

/* An earlier line of that process still waits: this one must not overtake it. */
static bool waits(const struct session_book *b, uint32_t guest, uint32_t pid)
{
	for (uint32_t i = 0; i < PARKED; i++)
		if (b->parked[i].used && b->parked[i].guest == guest &&
		    b->parked[i].shell.pid == pid)
			return true;
	return false;
}

uint64_t session_syslog(struct session_book *b, uint32_t guest, const struct syslog_line *l,
			const struct session_shell *shell, int64_t now_wall_ns)
{
	struct session *s = NULL;
	if (guest >= b->conf.n_guests || !b->conf.conf.on)
		return 0;
	b->now_ns = now_wall_ns;
	if (shell == NULL)
		return auth_line(b, guest, l, now_wall_ns);
	b->guests[guest].has_shell = true;
	bool behind = waits(b, guest, shell->pid);
	if (behind && park(b, guest, shell, now_wall_ns))
		return 0;
	if (shell->end) {
		ended(b, guest, shell);
		return 0;
	}
	if (!whose(b, guest, shell, now_wall_ns, behind, &s)) {
		if (park(b, guest, shell, now_wall_ns))
			return 0;
		(void)whose(b, guest, shell, now_wall_ns, true, &s);
	}
	return began(b, guest, shell, s, now_wall_ns);
}
