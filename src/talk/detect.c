/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose words are these? Found by what is said, with the port as a hint; what is encrypted, binary or just not of
 * interest is let go of as soon as that is clear. To wait costs memory, so nobody waits for long.
 */
#include "talk/talk_priv.h"

#include <string.h>
#include <strings.h>

#define LONGEST 4096u /* bytes of one side that may wait for the other */
#define IAC 255

static uint16_t server_port(const struct talk_conv *c)
{
	return c->flow->port[c->swap ? 0 : 1];
}

/* Does it begin with the word? TALK_WAIT: it may yet. */
static enum talk_guess begins(const struct talk_view *v, const char *word)
{
	size_t n = strlen(word), have = v->len < n ? v->len : n;
	if (v->len == 0 || strncasecmp((const char *)v->data, word, have) != 0)
		return TALK_FOREIGN;
	return have == n ? TALK_KNOWN : v->over ? TALK_FOREIGN : TALK_WAIT;
}

static bool begins_with(const struct talk_view *v, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (begins(v, words[i]) == TALK_KNOWN)
			return true;
	return false;
}

static bool may_begin_with(const struct talk_view *v, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (begins(v, words[i]) != TALK_FOREIGN)
			return true;
	return false;
}

static bool has(const struct talk_view *v, const char *word)
{
	return v->len > 0 && memmem(v->data, v->len, word, strlen(word)) != NULL;
}

static bool has_line(const struct talk_view *v)
{
	return v->len > 0 &&
	       (memchr(v->data, '\n', v->len) != NULL || memchr(v->data, '\r', v->len) != NULL);
}

/* Bytes that a terminal or a line of text may have. */
static bool is_text(const struct talk_view *v)
{
	uint32_t high = 0;
	for (uint32_t i = 0; i < v->len; i++) {
		uint8_t b = v->data[i];
		if (b == 0x7f || (b < 0x20 && (b < 7 || b > 13) && b != 0x1b))
			return false;
		high += b >= 0x80;
	}
	return high * 3 <= v->len;
}

/* ---- those that are known by how they begin ------------------------------------------------------------- */

static const char *const http_words[] = {"GET ",    "POST ",  "PUT ",     "HEAD ",  "OPTIONS ",
					 "DELETE ", "PATCH ", "CONNECT ", "TRACE ", "PROPFIND ",
					 "MKCOL ",  "MOVE ",  "COPY "};
static const char *const smtp_words[] = {"EHLO", "HELO", "LHLO"};
static const char *const irc_words[] = {"NICK ", "CAP LS"};

/* Telnet's "I will", "will you?" ... */
static enum talk_guess negotiates(const struct talk_view *v)
{
	if (v->len == 0 || v->data[0] != IAC)
		return TALK_FOREIGN;
	if (v->len == 1)
		return v->over ? TALK_FOREIGN : TALK_WAIT;
	return v->data[1] >= 0xf0 ? TALK_KNOWN : TALK_FOREIGN;
}

static bool is_encrypted(const struct talk_view *v)
{
	return (v->len > 0 && v->data[0] == 0x16) || begins(v, "SSH-") == TALK_KNOWN;
}

static enum talk_guess known(const struct talk_proto *p, const struct talk_proto **ret)
{
	*ret = p;
	return TALK_KNOWN;
}

/* Port 514 by TCP: syslog begins with "<" or a length, rsh with the number of a port and a zero byte. */
static enum talk_guess port_514(const struct talk_view *client, const struct talk_proto **ret)
{
	if (client->len == 0)
		return TALK_WAIT;
	for (uint32_t i = 0; i < client->len && i < 8; i++) {
		uint8_t b = client->data[i];
		if (b == 0)
			return known(&talk_rsh, ret);
		if (b < '0' || b > '9')
			return known(&talk_syslog, ret);
	}
	return client->len < 8 && !client->over ? TALK_WAIT : known(&talk_syslog, ret);
}

static enum talk_guess by_port(const struct talk_conv *c, const struct talk_view v[2],
			       const struct talk_proto **ret)
{
	const struct talk_view *client = &v[BY_CLIENT];
	switch (server_port(c)) {
	case 514:
		return port_514(client, ret);
	case 512:
	case 513:
		if (client->len == 0)
			return TALK_WAIT;
		if (server_port(c) == 513 && client->data[0] == 0)
			return known(&talk_rlogin, ret);
		if (server_port(c) == 512 && memchr(client->data, 0, client->len) != NULL)
			return known(&talk_rexec, ret);
		return TALK_FOREIGN;
	case 23:
	case 2323:
		return is_text(&v[BY_SERVER]) ? known(&talk_telnet, ret) : TALK_FOREIGN;
	default:
		return TALK_FOREIGN;
	}
}

/* A server that greets: what the client says then tells one from the other. */
static enum talk_guess greeted(const struct talk_view v[2], const struct talk_proto **ret)
{
	const struct talk_view *client = &v[BY_CLIENT], *server = &v[BY_SERVER];
	if (begins(server, "+OK") == TALK_KNOWN)
		return known(&talk_pop3, ret);
	if (begins(server, "* OK") == TALK_KNOWN || begins(server, "* PREAUTH") == TALK_KNOWN)
		return known(&talk_imap, ret);
	if (begins(server, "220") != TALK_KNOWN)
		return TALK_FOREIGN;
	if (!has_line(client))
		return TALK_WAIT;
	if (begins_with(client, smtp_words, ARRAY_LEN(smtp_words)) || has(server, "SMTP"))
		return known(&talk_smtp, ret);
	return known(&talk_ftp, ret);
}

/* ---- shells, and other text ------------------------------------------------------------------------------- */

static bool looks_like_shell(const struct talk_view *out, const struct talk_view *typed)
{
	static const char *const signs[] = {
		"$ ", "# ", "uid=", "sh: ", "not found", "bash-", "/bin/"};
	static const char *const words[] = {
		"id",    "whoami", "uname", "ls",      "cd ",    "pwd",    "cat ",     "wget ",
		"curl ", "ps",     "w\n",   "sh",      "bash",   "python", "echo ",    "export ",
		"unset", "exec ",  "tftp ", "busybox", "chmod ", "/bin/",  "ifconfig", "ip ",
		"sudo ", "su",     "dd ",   "rm ",     "cp ",    "mkdir ", "nohup ",   "history"};
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (has(out, signs[i]))
			return true;
	return begins_with(typed, words, ARRAY_LEN(words));
}

/* Ends with a prompt: it is a shell, and the other side types. */
static bool prompts(const struct talk_view *v)
{
	uint32_t n = v->len;
	if (n > 0 && v->data[n - 1] == ' ')
		n--;
	return n > 0 && v->data[n - 1] != 0 && strchr("$#>%", v->data[n - 1]) != NULL;
}

/* Between guests either may be the intruder; else it is the one who is no guest. */
static enum talk_side typist_of(const struct talk_conv *c, const struct talk_view v[2])
{
	if (c->direction != DIR_LATERAL)
		return c->guest_is[BY_CLIENT] ? BY_SERVER : BY_CLIENT;
	if (prompts(&v[BY_CLIENT]))
		return BY_SERVER;
	if (prompts(&v[BY_SERVER]))
		return BY_CLIENT;
	return (c->first != c->swap) ? BY_SERVER : BY_CLIENT;
}

static enum talk_guess text(struct talk_conv *c, const struct talk_view v[2],
			    const struct talk_proto **ret)
{
	const struct talk_view *client = &v[BY_CLIENT], *server = &v[BY_SERVER];
	if (begins_with(client, irc_words, ARRAY_LEN(irc_words))) {
		c->typist = BY_CLIENT;
		return known(&talk_irc, ret);
	}
	c->typist = (uint8_t)typist_of(c, v);
	const struct talk_view *typed = &v[c->typist], *out = &v[c->typist ^ 1u];
	if (!has_line(typed) || !(has_line(out) || prompts(out))) {
		bool over = client->over || server->over;
		return over || client->len > LONGEST || server->len > LONGEST ? TALK_FOREIGN
									      : TALK_WAIT;
	}
	return known(looks_like_shell(out, typed) ? &talk_shell : &talk_text, ret);
}

enum talk_guess talk_detect(struct talk_conv *c, const struct talk_view v[2],
			    const struct talk_proto **ret)
{
	const struct talk_view *client = &v[BY_CLIENT], *server = &v[BY_SERVER];
	if (is_encrypted(client) || is_encrypted(server))
		return TALK_FOREIGN;
	enum talk_guess g = by_port(c, v, ret);
	if (g != TALK_FOREIGN)
		return g;
	if (!c->t->conf.sessions)
		return TALK_FOREIGN;
	g = negotiates(client);
	if (g == TALK_FOREIGN)
		g = negotiates(server);
	if (g != TALK_FOREIGN) {
		*ret = &talk_telnet;
		return g;
	}
	if (begins_with(client, http_words, ARRAY_LEN(http_words)))
		return known(&talk_http, ret);
	if (begins_with(client, smtp_words, ARRAY_LEN(smtp_words)))
		return known(&talk_smtp, ret);
	if (may_begin_with(client, http_words, ARRAY_LEN(http_words)) && server->len == 0)
		return TALK_WAIT;
	g = greeted(v, ret);
	if (g != TALK_FOREIGN)
		return g;
	if (begins(server, "SSH-") == TALK_WAIT || begins(client, "SSH-") == TALK_WAIT)
		return TALK_WAIT;
	if (!is_text(client) || !is_text(server))
		return TALK_FOREIGN;
	return text(c, v, ret);
}
