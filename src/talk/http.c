/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP/1: who logs in (Basic, forms), and what is carried as a file: what a guest fetches, what is uploaded. Pages
 * that a guest shows to visitors are its own and not kept. There is a session only when one of these happens.
 */
#include "talk/talk_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REQUESTS 8u /* asked and not answered yet: more are counted, not known */
#define FORM 512u

enum { START, HEADER, LENGTH, CHUNK, CHUNK_DATA, CHUNK_END, TRAILER, TO_END };

struct request {
	char target[TALK_NAME], host[TALK_WORD];
	bool head, connect;
};

struct half {
	struct talk_line line;
	uint8_t at;
	bool chunked, has_length;
	uint64_t left, file;
	char type[TALK_WORD];
};

struct http {
	struct half half[2];
	struct request request[REQUESTS];
	uint32_t asked, answered;
	unsigned status;
	char agent[2 * TALK_WORD];
	char method[16], user[TALK_WORD], secret[TALK_WORD], form[FORM];
	uint16_t form_len;
	bool waits, is_form;
};

/* ---- logging in ----------------------------------------------------------------------------------------- */

static void result(struct talk_conv *c, struct http *s, int ok)
{
	if (s->waits) {
		conv_login(c, s->user, s->secret, ok);
		conv_client(c, s->agent);
	}
	s->waits = false;
}

static void basic(struct talk_conv *c, struct http *s, const char *at)
{
	char both[2 * TALK_WORD];
	size_t len;
	while (*at == ' ')
		at++;
	if (strncasecmp(at, "basic ", 6) != 0)
		return;
	at += 6;
	while (*at == ' ')
		at++;
	line_unbase64(at, both, sizeof(both), &len);
	char *colon = strchr(both, ':');
	if (colon == NULL)
		return;
	*colon = '\0';
	result(c, s, -1);
	text_copy(s->user, sizeof(s->user), both);
	text_copy(s->secret, sizeof(s->secret), colon + 1);
	s->waits = true;
}

static void unescape(const char *at, size_t len, char ret[TALK_WORD])
{
	size_t n = 0;
	for (size_t i = 0; i < len && n + 1 < TALK_WORD; i++) {
		int high = -1, low = -1;
		if (at[i] == '%' && i + 2 < len) {
			high = text_hex(at[i + 1]);
			low = text_hex(at[i + 2]);
		}
		char b = at[i] == '+' ? ' ' : at[i];
		if (high >= 0 && low >= 0) {
			b = (char)(high << 4 | low);
			i += 2;
		}
		ret[n++] = b == '\0' ? '?' : b;
	}
	ret[n] = '\0';
}

static bool is_one_of(const char *key, size_t len, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && strncasecmp(names[i], key, len) == 0)
			return true;
	return false;
}

/* "user=root&pass=1234": only if there is a secret in it. */
static void form(struct talk_conv *c, struct http *s)
{
	static const char *const users[] = {"user",  "username", "login", "log",
					    "email", "name",     "uname"};
	static const char *const secrets[] = {"pass", "password", "passwd", "pwd", "psw", "secret"};
	bool found = false;
	char user[TALK_WORD] = "", secret[TALK_WORD] = "";
	for (const char *at = s->form, *end = s->form + s->form_len; at < end;) {
		const char *amp = memchr(at, '&', (size_t)(end - at));
		size_t len = (size_t)((amp != NULL ? amp : end) - at);
		const char *eq = memchr(at, '=', len);
		if (eq != NULL) {
			size_t key = (size_t)(eq - at), value = len - key - 1;
			if (is_one_of(at, key, users, ARRAY_LEN(users)))
				unescape(eq + 1, value, user);
			if (is_one_of(at, key, secrets, ARRAY_LEN(secrets))) {
				unescape(eq + 1, value, secret);
				found = true;
			}
		}
		at += len + 1;
	}
	if (found) {
		conv_login(c, user, secret, -1);
		conv_client(c, s->agent);
	}
	s->form_len = 0;
}

/* ---- bodies ---------------------------------------------------------------------------------------------- */

static const char *base_name(const char *target)
{
	const char *slash = strrchr(target, '/');
	return slash != NULL && slash[1] != '\0' ? slash + 1 : target;
}

/* The request that the server's present answer belongs to, or the client's body. */
static const struct request *request_of(const struct http *s, enum talk_side by)
{
	static const struct request unknown;
	uint32_t n = by == BY_CLIENT ? s->asked - 1 : s->answered;
	if (s->asked == 0 || n >= s->asked || s->asked - n > REQUESTS)
		return &unknown;
	return &s->request[n % REQUESTS];
}

static bool wanted(const struct talk_conv *c, const struct http *s, enum talk_side by)
{
	if (by == BY_CLIENT)
		return !s->is_form;
	return c->guest_is[BY_CLIENT] && (s->status == 200 || s->status == 206);
}

static void open_file(struct talk_conv *c, struct http *s, enum talk_side by)
{
	char source[2 * TALK_NAME];
	struct writer w = writer_of(source, sizeof(source));
	const struct request *r = request_of(s, by);
	struct half *h = &s->half[by];
	if (h->file != 0 || !wanted(c, s, by))
		return;
	write_fmt(&w, "http://%s%s", r->host, r->target);
	h->file = conv_file(c, by == BY_CLIENT ? "uploaded" : "fetched", base_name(r->target),
			    source, h->has_length && !h->chunked ? h->left : 0);
}

static void body(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct http *s = c->state;
	if (len == 0)
		return;
	if (by == BY_CLIENT && s->is_form) {
		uint32_t room = FORM - s->form_len, n = len < room ? len : room;
		memcpy(s->form + s->form_len, data, n);
		s->form_len = (uint16_t)(s->form_len + n);
		return;
	}
	open_file(c, s, by);
	conv_file_data(c, s->half[by].file, data, len);
}

static void message_ends(struct talk_conv *c, enum talk_side by, bool complete)
{
	struct http *s = c->state;
	struct half *h = &s->half[by];
	conv_file_end(c, &h->file, complete);
	if (by == BY_CLIENT && s->is_form)
		form(c, s);
	if (by == BY_SERVER && s->answered < s->asked)
		s->answered++;
	if (by == BY_CLIENT)
		s->is_form = false;
	h->at = START;
	h->chunked = h->has_length = false;
	h->left = 0;
}

/* ---- heads ------------------------------------------------------------------------------------------------ */

static void first_line(struct talk_conv *c, enum talk_side by, const struct talk_line *l)
{
	struct http *s = c->state;
	const char *at = l->text, *end = l->text + l->len;
	char word[16];
	if (l->len == 0)
		return; /* blank lines between messages */
	s->half[by].at = HEADER;
	if (by == BY_SERVER) {
		line_word(&at, end, word, sizeof(word));
		if (strncmp(word, "HTTP/1", 6) != 0)
			conv_let_go(c, NULL);
		line_word(&at, end, word, sizeof(word));
		s->status = (unsigned)strtoul(word, NULL, 10);
		return;
	}
	struct request *r = &s->request[s->asked++ % REQUESTS];
	memset(r, 0, sizeof(*r));
	line_word(&at, end, s->method, sizeof(s->method));
	line_word(&at, end, r->target, sizeof(r->target));
	r->head = strcmp(s->method, "HEAD") == 0;
	r->connect = strcmp(s->method, "CONNECT") == 0;
	s->is_form = false;
	s->agent[0] = '\0';
}

static bool header_is(const char *text, const char *name, const char **ret_value)
{
	size_t n = strlen(name);
	if (strncasecmp(text, name, n) != 0 || text[n] != ':')
		return false;
	*ret_value = text + n + 1;
	return true;
}

static void header(struct talk_conv *c, enum talk_side by, const struct talk_line *l)
{
	struct http *s = c->state;
	struct half *h = &s->half[by];
	const char *v, *end = l->text + l->len;
	if (header_is(l->text, "content-length", &v)) {
		h->has_length = true;
		h->left = strtoull(v, NULL, 10);
	} else if (header_is(l->text, "transfer-encoding", &v)) {
		h->chunked = strcasestr(v, "chunked") != NULL;
	} else if (by == BY_CLIENT && header_is(l->text, "host", &v)) {
		line_word(&v, end, s->request[(s->asked - 1) % REQUESTS].host, TALK_WORD);
	} else if (by == BY_CLIENT && header_is(l->text, "user-agent", &v)) {
		text_copy(s->agent, sizeof(s->agent), v + strspn(v, " "));
	} else if (by == BY_CLIENT && header_is(l->text, "authorization", &v)) {
		basic(c, s, v);
	} else if (by == BY_CLIENT && header_is(l->text, "content-type", &v)) {
		s->is_form = strcasestr(v, "x-www-form-urlencoded") != NULL;
	}
}

/* The empty line: how does the body go? */
static void head_ends(struct talk_conv *c, enum talk_side by)
{
	struct http *s = c->state;
	struct half *h = &s->half[by];
	if (by == BY_SERVER) {
		const struct request *r = request_of(s, by);
		if (s->status == 101 || (r->connect && s->status / 100 == 2)) {
			conv_let_go(c, "another protocol from here");
			return;
		}
		if (s->status / 100 == 1) { /* the answer is yet to come */
			h->at = START;
			h->chunked = h->has_length = false;
			return;
		}
		result(c, s, s->status == 401 || s->status == 403 ? 0 : 1);
		if (r->head || s->status == 204 || s->status == 304) {
			message_ends(c, by, true);
			return;
		}
	}
	if (h->chunked)
		h->at = CHUNK;
	else if (h->has_length)
		h->at = LENGTH;
	else
		h->at = by == BY_SERVER ? TO_END : LENGTH;
	if (h->at == LENGTH && h->left == 0)
		message_ends(c, by, true);
}

static void line_is_there(struct talk_conv *c, enum talk_side by)
{
	struct http *s = c->state;
	struct half *h = &s->half[by];
	switch (h->at) {
	case START:
		first_line(c, by, &h->line);
		break;
	case HEADER:
		if (h->line.len > 0)
			header(c, by, &h->line);
		else
			head_ends(c, by);
		break;
	case CHUNK:
		h->left = strtoull(h->line.text, NULL, 16);
		h->at = h->left > 0 ? CHUNK_DATA : TRAILER;
		break;
	case CHUNK_END:
		h->at = CHUNK;
		break;
	default: /* TRAILER */
		if (h->line.len == 0)
			message_ends(c, by, true);
	}
}

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct http *s = c->state;
	struct half *h = &s->half[by];
	while (len > 0 && !c->done) {
		uint32_t n = len;
		if (h->at == TO_END) {
			body(c, by, data, len);
			return;
		}
		if (h->at == LENGTH || h->at == CHUNK_DATA) {
			n = h->left < len ? (uint32_t)h->left : len;
			body(c, by, data, n);
			h->left -= n;
			if (h->left == 0 && h->at == CHUNK_DATA)
				h->at = CHUNK_END;
			else if (h->left == 0)
				message_ends(c, by, true);
		} else {
			n = 1;
			if (line_byte(&h->line, data[0])) {
				line_is_there(c, by);
				line_clear(&h->line);
			}
		}
		data += n;
		len -= n;
	}
}

/* Where a message ends can't be known any more. */
static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct http *s = c->state;
	(void)by;
	conv_file_end(c, &s->half[0].file, false);
	conv_file_end(c, &s->half[1].file, false);
	conv_let_go(c, "gap");
}

static void on_end(struct talk_conv *c)
{
	struct http *s = c->state;
	for (unsigned by = 0; by < 2; by++) {
		bool fin = c->flow->side[c->swap ? by ^ 1u : by].fin;
		conv_file_end(c, &s->half[by].file, s->half[by].at == TO_END && fin);
	}
	result(c, s, -1);
}

const struct talk_proto talk_http = {
	.service = "http",
	.state_bytes = sizeof(struct http),
	.late = true,
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
