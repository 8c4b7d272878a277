/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of sshd about logins, for guests that have no monitor: who was tried, from where, and whether he got in (but no
 * password). A user's name is whatever the visitor likes, so the ends are read from the line's right.
 */
#include "session/session_priv.h"

#include <string.h>

#define MONITOR_NS (10 * NS_PER_SEC)
#define LINE_MOST 512u

struct auth {
	int ok; /* 1, 0; -1: the connection is over */
	struct bytes method, user;
	struct addr peer;
	uint16_t port;
};

static bool after(struct bytes *t, const char *word)
{
	size_t n = strlen(word);
	if (t->len < n || memcmp(t->data, word, n) != 0)
		return false;
	t->data += n;
	t->len -= n;
	return true;
}

/* The last place of word. */
static const char *last_of(struct bytes t, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = t.len < n ? 0 : t.len - n + 1; i > 0; i--)
		if (memcmp(t.data + i - 1, word, n) == 0)
			return t.data + i - 1;
	return NULL;
}

/* "... ADDRESS port N ..." -> ret, and how much is before the address (0: none). */
static size_t read_ends(struct bytes t, struct auth *ret)
{
	char addr[ADDR_TEXT];
	const char *port = last_of(t, " port ");
	uint32_t n = 0;
	if (port == NULL)
		return 0;
	for (const char *p = port + 6; p < t.data + t.len && *p >= '0' && *p <= '9' && n < 65536;
	     p++)
		n = n * 10 + (uint32_t)(*p - '0');
	struct bytes before = {t.data, (size_t)(port - t.data)};
	const char *blank = last_of(before, " ");
	if (blank == NULL || n == 0 || n > UINT16_MAX)
		return 0;
	text_of(addr, sizeof(addr), (struct bytes){blank + 1, (size_t)(port - blank - 1)});
	if (addr_parse(addr, &ret->peer) != 0)
		return 0;
	ret->port = (uint16_t)n;
	return (size_t)(blank - t.data) + 1;
}

static bool auth_parse(const struct syslog_line *l, struct auth *ret)
{
	static const char from[] = " from ";
	struct bytes t = {l->text, l->len < LINE_MOST ? l->len : LINE_MOST};
	if (strncmp(l->app, "sshd", 4) != 0)
		return false;
	ret->ok = after(&t, "Accepted ") ? 1 : after(&t, "Failed ") ? 0 : -1;
	size_t n = read_ends(t, ret);
	if (ret->ok < 0)
		return n > 0 &&
		       (after(&t, "Disconnected from ") || after(&t, "Connection closed by "));
	const char *blank = memchr(t.data, ' ', t.len);
	if (n < sizeof(from) || blank == NULL || (size_t)(blank - t.data) > n)
		return false;
	ret->method = (struct bytes){t.data, (size_t)(blank - t.data)};
	t = (struct bytes){blank, n - ret->method.len};
	if (!after(&t, " for "))
		return false;
	(void)after(&t, "invalid user ");
	if (t.len < sizeof(from) - 1 || memcmp(t.data + t.len - 6, from, 6) != 0)
		return false;
	ret->user = (struct bytes){t.data, t.len - 6};
	return true;
}

uint64_t auth_line(struct session_book *b, uint32_t guest, const struct syslog_line *l, int64_t ns)
{
	struct auth a = {0};
	const struct session_guest *g = &b->conf.guests[guest];
	bool monitor =
		b->guests[guest].monitor_ns != 0 && ns - b->guests[guest].monitor_ns < MONITOR_NS;
	if (monitor || !auth_parse(l, &a))
		return 0;
	struct session *s = book_tuple(b, guest, &a.peer, a.port, 22);
	if (a.ok < 0) {
		if (s != NULL)
			s->shut_ns = ns;
		return s != NULL ? s->id : 0;
	}
	if (s == NULL) {
		s = book_new(b, guest, ns);
		s->peer = a.peer;
		s->server = a.peer.ver == 6 ? g->inside6 : g->inside;
		s->peer_port = a.port;
		s->server_port = 22;
		text_copy(s->service, sizeof(s->service), "ssh");
		book_set_tuple(b, s);
		cowrie_connect(b, s);
	}
	book_touch(b, s, LAYER_SYSLOG, ns);
	uint32_t pid = 0;
	for (const char *p = l->pid; *p >= '0' && *p <= '9' && pid < 100000000; p++)
		pid = pid * 10 + (uint32_t)(*p - '0');
	if (pid != 0 && a.ok == 1) /* the shell is its child */
		book_pid_of(book_pid_add(b, guest, pid), s);
	struct note n = {
		.s = s, .guest = guest, .pid = pid, .tty = -1, .layer = LAYER_SYSLOG, .ns = ns};
	note_login(b, &n, a.user, bytes_of(""), a.method, a.ok);
	return s->id;
}
