/* SPDX-License-Identifier: BSD-2-Clause */
/* FTP's control connection: one transaction per command with all its replies. */
#include "proto/ftp/ftp_priv.h"

#include <ctype.h>

#define LINE_MAX_LEN 4096u
#define REPLIES_MAX 64u

enum ftp_event { FTP_REQUEST_TOO_LONG, FTP_RESPONSE_TOO_LONG, FTP_TOO_MANY };
static const char *const ftp_events[] = {"request_command_too_long", "response_command_too_long",
					 "too_many_transactions", NULL};

enum verb {
	VERB_OTHER,
	VERB_NONE,
	VERB_PORT,
	VERB_EPRT,
	VERB_PASV,
	VERB_EPSV,
	VERB_RETR,
	VERB_STOR,
	VERB_AUTH_TLS
};

struct ftp_reply {
	struct ftp_reply *next;
	uint8_t code[3];
	bool has_code;
	uint32_t len;
	uint8_t text[];
};

struct ftp_tx {
	struct app_tx tx;
	uint8_t verb; /* enum verb */
	bool truncated, reply_truncated, active;
	uint16_t port;
	struct bytes command, data;
	struct ftp_reply *first, *last;
	uint32_t n_replies;
	bool done;
};

struct ftp {
	struct ftp_tx *wait; /* oldest that has no final reply */
	uint16_t port;       /* agreed for the next transfer; 0: none */
	bool active;
	bool skip[2]; /* the rest of a line that was too long */
	bool multi;   /* inside "123-..." */
	uint8_t multi_code[3];
};

static int ftp_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct ftp));
	return a->state == NULL ? SKEP_EFULL : 0;
}

static void ftp_close(struct app *a)
{
	slab_free(a->ctx->slab, a->state);
	a->state = NULL;
}

static uint8_t verb_of(struct span word, struct span rest)
{
	static const struct {
		const char *name;
		uint8_t verb;
	} verbs[] = {{"PORT", VERB_PORT}, {"EPRT", VERB_EPRT}, {"PASV", VERB_PASV},
		     {"EPSV", VERB_EPSV}, {"RETR", VERB_RETR}, {"STOR", VERB_STOR}};
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (word.len == 4 && memcmp(word.data, verbs[i].name, 4) == 0)
			return verbs[i].verb;
	}
	if (word.len == 4 && memcmp(word.data, "AUTH", 4) == 0 &&
	    begins(rest.data, rest.len, "TLS"))
		return VERB_AUTH_TLS;
	return VERB_OTHER;
}

/* "h1,h2,h3,h4,p1,p2" as in PORT and in the answer to PASV. */
static uint16_t port_of_six(struct span s)
{
	uint32_t v[6];
	for (unsigned i = 0; i < 6; i++) {
		if (i > 0 && (s.len == 0 || s.data[0] != ','))
			return 0;
		if (i > 0)
			s.data++, s.len--;
		s = span_trim(s);
		if (!span_number(&s, 255, &v[i]))
			return 0;
	}
	return (uint16_t)(v[4] << 8 | v[5]);
}

/* "|1|192.0.2.1|6275|" of EPRT, "|||6275|" of the answer to EPSV. */
static uint16_t port_of_bars(struct span s)
{
	uint32_t port = 0;
	if (s.len < 4)
		return 0;
	uint8_t bar = s.data[0];
	for (unsigned n = 0; n < 3; n++) {
		const uint8_t *p = s.len == 0 ? NULL : memchr(s.data, bar, s.len);
		if (p == NULL)
			return 0;
		s.len -= (uint32_t)(p + 1 - s.data);
		s.data = p + 1;
	}
	if (!span_number(&s, 65535, &port) || s.len == 0 || s.data[0] != bar)
		return 0;
	return (uint16_t)port;
}

static void request_line(struct app *a, struct span line, bool whole, int64_t now_ns)
{
	struct ftp *f = a->state;
	struct span word = span_trim(line), rest;
	uint8_t upper[16];
	uint32_t n = 0;
	while (n < word.len && word.data[n] != ' ')
		n++;
	rest = (struct span){word.data + n, word.len - n};
	if (rest.len > 0)
		rest.data++, rest.len--;
	word.len = n;
	if (word.len == 0 && whole)
		return;
	if (n <= sizeof(upper)) {
		for (uint32_t i = 0; i < n; i++)
			upper[i] = (uint8_t)toupper(word.data[i]);
		word.data = upper;
	}
	struct ftp_tx *t = (struct ftp_tx *)app_tx_new(a, sizeof(*t), now_ns);
	if (t == NULL)
		return;
	bytes_set(a, &t->command, word.data, word.len, LINE_MAX_LEN);
	bytes_set(a, &t->data, rest.data, rest.len, LINE_MAX_LEN);
	t->verb = verb_of(word, rest);
	t->truncated = !whole;
	if (!whole)
		app_tx_event(&t->tx, FTP_REQUEST_TOO_LONG);
	if (f->wait == NULL)
		f->wait = t;
	if (t->verb == VERB_PORT || t->verb == VERB_EPRT) {
		t->port = t->verb == VERB_PORT ? port_of_six(rest) : port_of_bars(rest);
		t->active = true;
		if (t->port != 0) {
			f->port = t->port;
			f->active = true;
		}
	} else if ((t->verb == VERB_RETR || t->verb == VERB_STOR) && f->port != 0 && rest.len > 0) {
		ftp_expect(a, f->active, f->port, t->verb == VERB_STOR, rest, now_ns);
		f->port = 0;
	}
	t->tx.progress[TO_SERVER] = APP_DONE;
}

static void add_reply(struct app *a, struct ftp_tx *t, struct span line, bool has_code)
{
	if (t->n_replies >= REPLIES_MAX)
		return;
	struct span text = line;
	if (has_code) {
		uint32_t n = line.len > 3 ? 4 : 3;
		text = (struct span){line.data + n, line.len - n};
	}
	struct ftp_reply *r = slab_alloc(a->ctx->slab, sizeof(*r) + text.len);
	if (r == NULL)
		return;
	*r = (struct ftp_reply){.has_code = has_code, .len = text.len};
	if (has_code)
		memcpy(r->code, line.data, 3);
	memcpy(r->text, text.data, text.len);
	if (t->last == NULL)
		t->first = r;
	else
		t->last->next = r;
	t->last = r;
	t->n_replies++;
}

/* The port that the server waits at. */
static void passive(struct ftp *f, struct ftp_tx *t, struct span line)
{
	const uint8_t *p = memchr(line.data, '(', line.len);
	struct span s = line;
	if (p != NULL) {
		s = (struct span){p + 1, line.len - (uint32_t)(p + 1 - line.data)};
	} else {
		s.data += 4, s.len -= 4;
		while (s.len > 0 && (s.data[0] < '0' || s.data[0] > '9'))
			s.data++, s.len--;
	}
	uint16_t port = t->verb == VERB_PASV ? port_of_six(s) : port_of_bars(s);
	if (port == 0)
		return;
	t->port = f->port = port;
	f->active = false;
}

/* The oldest command without a final reply; without one (a greeting), a transaction of its own. */
static struct ftp_tx *reply_tx(struct app *a, int64_t now_ns)
{
	struct ftp *f = a->state;
	if (f->wait != NULL)
		return f->wait;
	struct ftp_tx *t = (struct ftp_tx *)app_tx_new(a, sizeof(*t), now_ns);
	if (t == NULL)
		return NULL;
	t->verb = VERB_NONE;
	t->tx.toclient_only = true;
	t->tx.progress[TO_SERVER] = APP_DONE;
	f->wait = t;
	return t;
}

static void reply_done(struct ftp *f, struct ftp_tx *t)
{
	t->done = true;
	t->tx.progress[TO_CLIENT] = APP_DONE;
	f->wait = (struct ftp_tx *)t->tx.next;
	f->multi = false;
}

/* True if the next byte belongs to TLS. */
static bool reply_line(struct app *a, struct span line, bool whole, int64_t now_ns)
{
	struct ftp *f = a->state;
	if (line.len == 0 && whole && !f->multi)
		return false;
	struct ftp_tx *t = reply_tx(a, now_ns);
	if (t == NULL)
		return false;
	bool code = line.len >= 3 && isdigit(line.data[0]) && isdigit(line.data[1]) &&
		    isdigit(line.data[2]) &&
		    (line.len == 3 || line.data[3] == ' ' || line.data[3] == '-');
	bool ends = code && (line.len == 3 || line.data[3] == ' ');
	if (!whole) {
		t->reply_truncated = true;
		app_tx_event(&t->tx, FTP_RESPONSE_TOO_LONG);
	}
	add_reply(a, t, line, code);
	if (code && line.len > 4 &&
	    memcmp(line.data, t->verb == VERB_PASV ? "227" : "229", 3) == 0 &&
	    (t->verb == VERB_PASV || t->verb == VERB_EPSV))
		passive(f, t, line);
	if (code && !ends && !f->multi) {
		f->multi = true;
		memcpy(f->multi_code, line.data, 3);
		return false;
	}
	if (f->multi && (!ends || memcmp(f->multi_code, line.data, 3) != 0))
		return false;
	f->multi = false;
	if (code && line.data[0] == '1')
		return false; /* preliminary: the transfer begins */
	bool tls = t->verb == VERB_AUTH_TLS && code && memcmp(line.data, "234", 3) == 0;
	reply_done(f, t);
	return tls;
}

static void over(struct app *a, unsigned dir)
{
	struct ftp *f = a->state;
	if (dir == TO_SERVER)
		return;
	for (struct ftp_tx *t = f->wait; t != NULL; t = (struct ftp_tx *)t->tx.next)
		t->tx.progress[TO_SERVER] = t->tx.progress[TO_CLIENT] = APP_DONE;
	f->wait = NULL;
}

static uint32_t ftp_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct ftp *f = a->state;
	uint32_t at = 0;
	struct line l;
	if ((flags & APP_GAP) != 0) {
		f->skip[dir] = true; /* up to the next line's beginning */
		return len;
	}
	while (at < len) {
		if (f->skip[dir]) {
			const uint8_t *nl = memchr(data + at, '\n', len - at);
			if (nl == NULL) {
				at = len;
				break;
			}
			at = (uint32_t)(nl + 1 - data);
			f->skip[dir] = false;
			continue;
		}
		if (!line_next(data + at, len - at, LINE_MAX_LEN, (flags & APP_EOF) != 0, &l))
			break;
		at += l.used;
		f->skip[dir] = !l.whole;
		if (dir == TO_SERVER) {
			request_line(a, l.text, l.whole, now_ns);
		} else if (reply_line(a, l.text, l.whole, now_ns)) {
			app_switch(a, APP_TLS);
			return at;
		}
	}
	if ((flags & APP_EOF) != 0) {
		over(a, dir);
		at = len;
	}
	return at;
}

static void ftp_tx_free(struct app *a, struct app_tx *tx)
{
	struct ftp_tx *t = (struct ftp_tx *)tx;
	struct ftp *f = a->state;
	if (a->proto == APP_FTP && f != NULL && f->wait == t)
		f->wait = (struct ftp_tx *)tx->next;
	bytes_free(a, &t->command);
	bytes_free(a, &t->data);
	while (t->first != NULL) {
		struct ftp_reply *r = t->first;
		t->first = r->next;
		slab_free(a->ctx->slab, r);
	}
}

static const char *mode_of(const struct ftp_tx *t)
{
	if (t->verb == VERB_PORT || t->verb == VERB_EPRT)
		return "active";
	return t->verb == VERB_PASV || t->verb == VERB_EPSV ? "passive" : NULL;
}

static int ftp_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	const struct ftp_tx *t = (const struct ftp_tx *)tx;
	const char *text = NULL;
	if (b == BUF_FTP_COMMAND)
		return dir == TO_SERVER ? bytes_give(&t->command, index, ret) : 1;
	if (b == BUF_FTP_COMMAND_DATA)
		return dir == TO_SERVER ? bytes_give(&t->data, index, ret) : 1;
	if (b == BUF_FTP_MODE)
		text = mode_of(t);
	else if (b == BUF_FTP_REPLY_RECEIVED && dir == TO_CLIENT)
		text = t->first != NULL ? "yes" : "no";
	if (text != NULL)
		return span_give(text, strlen(text), index, ret);
	if ((b != BUF_FTP_REPLY && b != BUF_FTP_COMPLETION_CODE) || dir != TO_CLIENT)
		return 1;
	const struct ftp_reply *r = t->first;
	for (; r != NULL; r = r->next) {
		if ((b == BUF_FTP_REPLY ? r->len > 0 : r->has_code) && index-- == 0)
			break;
	}
	if (r == NULL)
		return 1;
	*ret = b == BUF_FTP_REPLY ? (struct span){r->text, r->len} : (struct span){r->code, 3};
	return 0;
}

static bool ftp_number(const struct app *a, const struct app_tx *tx, enum app_number n,
		       unsigned dir, uint32_t index, uint64_t *ret)
{
	const struct ftp_tx *t = (const struct ftp_tx *)tx;
	if (n == NUM_FTP_MODE && index == 0 && mode_of(t) != NULL) {
		*ret = t->active ? 1 : 0;
		return true;
	}
	if (n == NUM_FTP_DYN_PORT && index == 0 && t->port != 0) {
		*ret = t->port;
		return true;
	}
	if (n == NUM_FTP_REPLY && index == 0) {
		*ret = t->first != NULL;
		return true;
	}
	return false;
}

static bool ftp_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct ftp_tx *t = (const struct ftp_tx *)tx;
	json_bytes(o, "command", t->command.p, t->command.n);
	json_bytes(o, "command_data", t->data.p, t->data.n);
	if (t->command.n > 0)
		json_object_set_new(o, "command_truncated", json_boolean(t->truncated));
	json_t *codes = json_array(), *texts = json_array();
	for (const struct ftp_reply *r = t->first; r != NULL; r = r->next) {
		if (r->has_code)
			json_array_append_new(codes, app_json_bytes(r->code, 3));
		if (r->len > 0)
			json_array_append_new(texts, app_json_bytes(r->text, r->len));
	}
	if (json_array_size(codes) > 0)
		json_object_set(o, "completion_code", codes);
	if (json_array_size(texts) > 0)
		json_object_set(o, "reply", texts);
	json_decref(codes);
	json_decref(texts);
	if (t->port != 0)
		json_object_set_new(o, "dynamic_port", json_integer(t->port));
	if (mode_of(t) != NULL)
		json_object_set_new(o, "mode", json_string(mode_of(t)));
	json_object_set_new(o, "reply_received", json_string(t->first != NULL ? "yes" : "no"));
	json_object_set_new(o, "reply_truncated", json_boolean(t->reply_truncated));
	return true;
}

const struct app_ops app_ftp = {
	.proto = APP_FTP,
	.eve_key = "ftp",
	.events = ftp_events,
	.tcp = true,
	.open = ftp_open,
	.close = ftp_close,
	.feed = ftp_feed,
	.tx_free = ftp_tx_free,
	.buffer = ftp_buffer,
	.number = ftp_number,
	.eve = ftp_eve,
};
