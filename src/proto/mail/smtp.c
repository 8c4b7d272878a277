/* SPDX-License-Identifier: BSD-2-Clause */
/* SMTP: one transaction per mail. Commands and replies are lines; what stands between DATA and the
 * lonely dot goes to mime.c. */
#include "proto/mail/mime.h"

#include <ctype.h>

#define LINE_MAX_LEN 4096u /* longer lines are cut */
#define COMMAND_LIMIT 510u /* RFC 5321 without the line's end */
#define VALUE_MAX 1024u
#define RCPT_MAX 128u
#define PENDING 64u /* commands without a reply */

enum smtp_event {
	SMTP_INVALID_REPLY,
	SMTP_UNMATCHED_REPLY,
	SMTP_LONG_COMMAND,
	SMTP_LONG_REPLY,
	SMTP_INVALID_PIPELINE,
	SMTP_BDAT_EXCEEDED,
	SMTP_NO_WELCOME,
	SMTP_TLS_REJECTED,
	SMTP_DATA_REJECTED,
	SMTP_FAILED_CHANGE,
	SMTP_MIME, /* enum mime_event from here on */
	SMTP_DUPLICATE = SMTP_MIME + 10,
	SMTP_UNPARSABLE,
	SMTP_TRUNCATED_LINE
};
static const char *const smtp_events[] = {"invalid_reply",
					  "unable_to_match_reply_with_request",
					  "max_command_line_len_exceeded",
					  "max_reply_line_len_exceeded",
					  "invalid_pipelined_sequence",
					  "bdat_chunk_len_exceeded",
					  "no_server_welcome_message",
					  "tls_rejected",
					  "data_command_rejected",
					  "failed_protocol_change",
					  "mime_parse_failed",
					  "mime_malformed_msg",
					  "mime_invalid_base64",
					  "mime_invalid_qp",
					  "mime_long_line",
					  "mime_long_enc_line",
					  "mime_long_header_name",
					  "mime_long_header_value",
					  "mime_long_boundary",
					  "mime_long_filename",
					  "duplicate_fields",
					  "unparsable_content",
					  "truncated_line",
					  NULL};

enum smtp_mode { MODE_COMMAND, MODE_DATA, MODE_BDAT };
enum smtp_command { COMMAND_OTHER, COMMAND_STARTTLS, COMMAND_DATA, COMMAND_BDAT, COMMAND_EHLO };

struct smtp_tx {
	struct app_tx tx;
	struct bytes helo, mail_from;
	struct mime_items rcpt;
	struct mime *mail;
	uint32_t mime_told;
	bool done;
};

struct smtp {
	struct smtp_tx *cur;
	struct bytes helo; /* said once, true for all mails */
	uint8_t mode;      /* enum smtp_mode */
	bool pipelining, welcomed, early, bdat_last;
	bool skip[2]; /* the rest of a line that was too long */
	bool mid;     /* inside a line of mail */
	bool in_reply;
	uint32_t bdat_left;
	uint8_t pending[PENDING];
	uint32_t n_pending, first_pending;
};

static int smtp_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct smtp));
	return a->state == NULL ? SKEP_EFULL : 0;
}

static void smtp_close(struct app *a)
{
	struct smtp *s = a->state;
	if (s != NULL)
		bytes_free(a, &s->helo);
	slab_free(a->ctx->slab, s);
	a->state = NULL;
}

static void event(struct smtp *s, unsigned e)
{
	if (s->cur != NULL)
		app_tx_event(&s->cur->tx, e);
}

static void mail_done(struct app *a, struct smtp_tx *t, bool whole)
{
	if (t->mail != NULL)
		mime_end(a, t->mail, whole);
	t->done = true;
	t->tx.progress[TO_SERVER] = APP_DONE;
}

/* The transaction that a command belongs to, made if need be. */
static struct smtp_tx *command_tx(struct app *a, struct span line, int64_t now_ns)
{
	struct smtp *s = a->state;
	bool ends = begins(line.data, line.len, "RSET") || begins(line.data, line.len, "QUIT");
	if (s->cur != NULL && !s->cur->done)
		return s->cur;
	if (ends && a->tx_next_id > 0)
		return s->cur; /* still about the mail before, which may be gone */
	if (s->cur != NULL)
		s->cur->tx.progress[TO_CLIENT] = APP_DONE;
	s->cur = (struct smtp_tx *)app_tx_new(a, sizeof(*s->cur), now_ns);
	if (s->cur != NULL)
		bytes_set(a, &s->cur->helo, s->helo.p, s->helo.n, VALUE_MAX);
	return s->cur;
}

static void push(struct smtp *s, uint8_t command)
{
	if (s->n_pending > 0) {
		uint8_t last = s->pending[(s->first_pending + s->n_pending - 1) % PENDING];
		if (last == COMMAND_STARTTLS || last == COMMAND_DATA)
			event(s, SMTP_INVALID_PIPELINE);
	}
	if (s->n_pending < PENDING)
		s->pending[(s->first_pending + s->n_pending++) % PENDING] = command;
}

/* The word behind "MAIL FROM:". */
static struct span argument(struct span line, uint32_t skip)
{
	struct span s = {line.data + skip, line.len - skip};
	uint32_t n = 0;
	s = span_trim(s);
	while (n < s.len && s.data[n] != ' ' && s.data[n] != '\t')
		n++;
	s.len = n;
	return s;
}

static void add_rcpt(struct app *a, struct smtp_tx *t, struct span s)
{
	if (s.len == 0 || t->rcpt.n >= RCPT_MAX)
		return;
	uint32_t n = s.len > VALUE_MAX ? VALUE_MAX : s.len;
	struct mime_item *i = slab_alloc(a->ctx->slab, sizeof(*i) + n);
	if (i == NULL)
		return;
	*i = (struct mime_item){.len = n};
	memcpy(i->text, s.data, n);
	if (t->rcpt.last == NULL)
		t->rcpt.first = i;
	else
		t->rcpt.last->next = i;
	t->rcpt.last = i;
	t->rcpt.n++;
}

static void begin_mail(struct app *a, struct smtp_tx *t)
{
	if (t->mail == NULL)
		t->mail = mime_open(a, &t->tx, TO_SERVER);
	if (t->tx.progress[TO_SERVER] < SMTP_GOT_ENVELOPE)
		t->tx.progress[TO_SERVER] = SMTP_GOT_ENVELOPE;
}

static void command_data(struct app *a, struct smtp *s, struct smtp_tx *t)
{
	push(s, COMMAND_DATA);
	if (t->mail != NULL)
		event(s, SMTP_UNPARSABLE);
	begin_mail(a, t);
	s->early = s->pipelining;
	if (s->early) { /* the server need not be waited for */
		s->mode = MODE_DATA;
		s->mid = false;
	}
}

static void command_bdat(struct app *a, struct smtp *s, struct smtp_tx *t, struct span line)
{
	struct span arg = span_trim((struct span){line.data + 4, line.len - 4});
	uint32_t n;
	push(s, COMMAND_BDAT);
	if (!span_number(&arg, UINT32_MAX, &n))
		return;
	arg = span_trim(arg);
	begin_mail(a, t);
	s->bdat_last = begins(arg.data, arg.len, "LAST");
	s->bdat_left = n;
	if (n > 0)
		s->mode = MODE_BDAT;
	else if (s->bdat_last)
		mail_done(a, t, true);
}

static void command_line(struct app *a, struct span line, bool whole, int64_t now_ns)
{
	struct smtp *s = a->state;
	struct smtp_tx *t = command_tx(a, line, now_ns);
	if (t == NULL) {
		push(s, COMMAND_OTHER);
		return;
	}
	if (line.len > COMMAND_LIMIT)
		event(s, SMTP_LONG_COMMAND);
	if (!whole)
		event(s, SMTP_TRUNCATED_LINE);
	if (begins(line.data, line.len, "STARTTLS")) {
		push(s, COMMAND_STARTTLS);
	} else if (begins(line.data, line.len, "DATA")) {
		command_data(a, s, t);
	} else if (begins(line.data, line.len, "BDAT")) {
		command_bdat(a, s, t, line);
	} else if (begins(line.data, line.len, "EHLO") || begins(line.data, line.len, "HELO")) {
		struct span v = argument(line, 4);
		push(s, COMMAND_EHLO);
		if (s->helo.n > 0)
			event(s, SMTP_DUPLICATE);
		bytes_set(a, &s->helo, v.data, v.len, VALUE_MAX);
		bytes_set(a, &t->helo, v.data, v.len, VALUE_MAX);
	} else if (begins(line.data, line.len, "MAIL FROM:")) {
		struct span v = argument(line, 10);
		push(s, COMMAND_OTHER);
		if (t->mail_from.n > 0)
			event(s, SMTP_DUPLICATE);
		else
			bytes_set(a, &t->mail_from, v.data, v.len, VALUE_MAX);
	} else if (begins(line.data, line.len, "RCPT TO:")) {
		push(s, COMMAND_OTHER);
		add_rcpt(a, t, argument(line, 8));
	} else {
		push(s, COMMAND_OTHER);
		if (!t->done &&
		    (begins(line.data, line.len, "RSET") || begins(line.data, line.len, "QUIT")))
			mail_done(a, t, false);
	}
}

/* ---- the mail itself --------------------------------------------------------------------------- */

static void mail_line(struct app *a, struct smtp *s, struct span line, bool start, unsigned eol)
{
	struct smtp_tx *t = s->cur;
	if (t == NULL || t->mail == NULL)
		return;
	mime_line(a, t->mail, line, start, eol);
	for (uint32_t fresh = t->mail->events & ~t->mime_told; fresh != 0; fresh &= fresh - 1)
		event(s, SMTP_MIME + (unsigned)__builtin_ctz(fresh));
	t->mime_told = t->mail->events;
	if (t->mail->headers_done && t->tx.progress[TO_SERVER] < SMTP_GOT_HEADERS)
		t->tx.progress[TO_SERVER] = SMTP_GOT_HEADERS;
}

/* Takes one line or piece of a line of mail. Returns the bytes used; 0: wait for more. last: nothing
 * follows these bytes. */
static uint32_t mail_piece(struct app *a, struct smtp *s, const uint8_t *data, uint32_t len,
			   bool last)
{
	uint32_t max = s->mid ? len : LINE_MAX_LEN, n, eol = 0;
	const uint8_t *nl = memchr(data, '\n', len > max ? max : len);
	bool start = !s->mid;
	if (nl != NULL) {
		n = (uint32_t)(nl - data);
		eol = n > 0 && data[n - 1] == '\r' ? 2 : 1;
		n = n + 1 - eol;
		s->mid = false;
	} else {
		n = len > max ? max : len;
		if (!s->mid && len < max && !last)
			return 0;
		if (n > 0 && data[n - 1] == '\r' && !(last && n == len))
			n--; /* half a line's end */
		if (n == 0)
			return 0;
		s->mid = true;
	}
	struct span line = {data, n};
	if (start && s->mode == MODE_DATA && n > 0 && data[0] == '.') {
		if (n == 1 && eol > 0) {
			s->mode = MODE_COMMAND;
			if (s->cur != NULL)
				mail_done(a, s->cur, true);
			return n + eol;
		}
		line.data++, line.len--; /* a dot was put in front of it */
	}
	mail_line(a, s, line, start, eol);
	return n + eol;
}

static uint32_t bdat_piece(struct app *a, struct smtp *s, const uint8_t *data, uint32_t len,
			   bool last)
{
	bool all = len >= s->bdat_left;
	uint32_t n = mail_piece(a, s, data, all ? s->bdat_left : len, last || all);
	s->bdat_left -= n;
	if (s->bdat_left > 0)
		return n;
	s->mode = MODE_COMMAND;
	if (n > 0 && data[n - 1] != '\n')
		event(s, SMTP_BDAT_EXCEEDED); /* the chunk ends inside a line */
	if (s->bdat_last && s->cur != NULL)
		mail_done(a, s->cur, true);
	return n;
}

static uint32_t feed_client(struct app *a, const uint8_t *data, uint32_t len, bool eof,
			    int64_t now_ns)
{
	struct smtp *s = a->state;
	uint32_t at = 0, n;
	struct line l;
	while (at < len) {
		if (s->mode != MODE_COMMAND) {
			n = s->mode == MODE_DATA ? mail_piece(a, s, data + at, len - at, eof)
						 : bdat_piece(a, s, data + at, len - at, eof);
			if (n == 0)
				break;
			at += n;
			continue;
		}
		if (s->skip[TO_SERVER]) {
			const uint8_t *nl = memchr(data + at, '\n', len - at);
			at = nl == NULL ? len : (uint32_t)(nl + 1 - data);
			s->skip[TO_SERVER] = nl == NULL;
			continue;
		}
		if (!line_next(data + at, len - at, LINE_MAX_LEN, eof, &l))
			break;
		at += l.used;
		s->skip[TO_SERVER] = !l.whole;
		command_line(a, l.text, l.whole, now_ns);
	}
	return at;
}

/* ---- replies ---------------------------------------------------------------------------------- */

static bool has_word(struct span s, const char *word)
{
	size_t n = strlen(word);
	for (uint32_t i = 0; i + n <= s.len; i++) {
		if (begins(s.data + i, s.len - i, word))
			return true;
	}
	return false;
}

static uint8_t pop(struct smtp *s)
{
	uint8_t command = s->pending[s->first_pending];
	s->first_pending = (s->first_pending + 1) % PENDING;
	s->n_pending--;
	return command;
}

static bool waits_for_data(const struct smtp *s)
{
	for (uint32_t i = 0; i < s->n_pending; i++)
		if (s->pending[(s->first_pending + i) % PENDING] == COMMAND_DATA)
			return true;
	return false;
}

/* The reply to a command is complete. True if the next byte belongs to TLS. */
static bool reply_done(struct app *a, struct smtp *s, unsigned code)
{
	if (s->n_pending == 0) {
		if (code != 421) /* the server may leave at any time */
			event(s, SMTP_UNMATCHED_REPLY);
		return false;
	}
	uint8_t command = pop(s);
	/* "Start mail input": for DATA only, whatever replies were missed before. */
	if (code == 354 && waits_for_data(s))
		while (command != COMMAND_DATA)
			command = pop(s);
	if (command == COMMAND_STARTTLS) {
		if (code == 220)
			return true;
		event(s, SMTP_TLS_REJECTED);
	} else if (command == COMMAND_DATA) {
		if (code == 354 && !s->early) {
			s->mode = MODE_DATA;
			s->mid = false;
		} else if (code != 354) {
			event(s, SMTP_DATA_REJECTED);
			if (s->mode == MODE_DATA)
				s->mode = MODE_COMMAND;
		}
	}
	return false;
}

/* The reply to the lonely dot answers no command. */
static bool reply_line(struct app *a, struct span line, bool whole)
{
	struct smtp *s = a->state;
	unsigned code = 0;
	for (uint32_t i = 0; i < 3 && i < line.len; i++)
		code = isdigit(line.data[i]) ? code * 10 + (unsigned)(line.data[i] - '0') : 1000;
	bool valid = line.len >= 3 && code >= 200 && code < 560 && code % 100 < 60;
	bool ends = line.len < 4 || line.data[3] != '-';
	if (line.len > COMMAND_LIMIT)
		event(s, SMTP_LONG_REPLY);
	if (!valid) {
		event(s, SMTP_INVALID_REPLY);
		return false;
	}
	if (s->n_pending > 0 && s->pending[s->first_pending] == COMMAND_EHLO &&
	    has_word(line, "PIPELINING"))
		s->pipelining = true;
	if (!ends)
		return false;
	if (!s->welcomed) {
		s->welcomed = true;
		if (code == 220)
			return false;
		event(s, SMTP_NO_WELCOME);
	}
	if (s->cur != NULL && s->cur->done && s->n_pending == 0) {
		s->cur->tx.progress[TO_CLIENT] = APP_DONE;
		return false;
	}
	return reply_done(a, s, code);
}

static uint32_t feed_server(struct app *a, const uint8_t *data, uint32_t len, bool eof)
{
	struct smtp *s = a->state;
	uint32_t at = 0;
	struct line l;
	while (at < len) {
		if (s->skip[TO_CLIENT]) {
			const uint8_t *nl = memchr(data + at, '\n', len - at);
			at = nl == NULL ? len : (uint32_t)(nl + 1 - data);
			s->skip[TO_CLIENT] = nl == NULL;
			continue;
		}
		if (!line_next(data + at, len - at, LINE_MAX_LEN, eof, &l))
			break;
		at += l.used;
		s->skip[TO_CLIENT] = !l.whole;
		if (l.text.len > 0 && reply_line(a, l.text, l.whole)) {
			if (s->cur != NULL)
				s->cur->tx.progress[TO_SERVER] = s->cur->tx.progress[TO_CLIENT] =
					APP_DONE;
			app_switch(a, APP_TLS);
			return at;
		}
	}
	return at;
}

static void gap(struct smtp *s, unsigned dir, uint32_t len)
{
	if (dir == TO_CLIENT || s->mode == MODE_COMMAND) {
		s->skip[dir] = true;
		return;
	}
	if (s->cur != NULL && s->cur->mail != NULL && s->cur->mail->file != NULL)
		s->cur->mail->file->gaps = true;
	s->mid = true;
	if (s->mode == MODE_BDAT && len >= s->bdat_left) {
		s->mode = MODE_COMMAND;
		s->skip[dir] = true;
	} else if (s->mode == MODE_BDAT) {
		s->bdat_left -= len;
	}
}

static uint32_t smtp_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			  unsigned flags, int64_t now_ns)
{
	struct smtp *s = a->state;
	bool eof = (flags & APP_EOF) != 0;
	uint32_t at = len;
	if ((flags & APP_GAP) != 0)
		gap(s, dir, len);
	else if (dir == TO_SERVER)
		at = feed_client(a, data, len, eof, now_ns);
	else
		at = feed_server(a, data, len, eof);
	if (!eof || a->state != s)
		return at;
	if (s->cur != NULL) {
		if (dir == TO_SERVER && !s->cur->done)
			mail_done(a, s->cur, false);
		if (dir == TO_CLIENT)
			s->cur->tx.progress[TO_CLIENT] = APP_DONE;
	}
	return len;
}

/* ---- telling ---------------------------------------------------------------------------------- */

static void smtp_tx_free(struct app *a, struct app_tx *tx)
{
	struct smtp_tx *t = (struct smtp_tx *)tx;
	struct smtp *s = a->state;
	if (a->proto == APP_SMTP && s != NULL && s->cur == t)
		s->cur = NULL;
	bytes_free(a, &t->helo);
	bytes_free(a, &t->mail_from);
	while (t->rcpt.first != NULL) {
		struct mime_item *i = t->rcpt.first;
		t->rcpt.first = i->next;
		slab_free(a->ctx->slab, i);
	}
	mime_free(a, t->mail);
	t->mail = NULL;
}

static int smtp_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b,
		       unsigned dir, uint32_t index, struct span *ret, uint64_t *ret_base,
		       bool *ret_complete)
{
	const struct smtp_tx *t = (const struct smtp_tx *)tx;
	if (dir != TO_SERVER)
		return 1;
	if (b == BUF_SMTP_HELO)
		return bytes_give(&t->helo, index, ret);
	if (b == BUF_SMTP_MAIL_FROM)
		return bytes_give(&t->mail_from, index, ret);
	if (b == BUF_SMTP_RCPT_TO) {
		const struct mime_item *i = t->rcpt.first;
		while (i != NULL && index-- > 0)
			i = i->next;
		return i == NULL ? 1 : span_give(i->text, i->len, 0, ret);
	}
	if (b == BUF_FILE_DATA || b == BUF_FILE_NAME)
		return file_give(tx, b, dir, index, ret, ret_base, ret_complete);
	return t->mail == NULL ? 1 : mime_buffer(t->mail, b, index, ret);
}

static bool smtp_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct smtp_tx *t = (const struct smtp_tx *)tx;
	json_bytes(o, "helo", t->helo.p, t->helo.n);
	json_bytes(o, "mail_from", t->mail_from.p, t->mail_from.n);
	if (t->rcpt.first != NULL) {
		json_t *list = json_array();
		for (const struct mime_item *i = t->rcpt.first; i != NULL; i = i->next)
			json_array_append_new(list, app_json_bytes(i->text, i->len));
		json_object_set_new(o, "rcpt_to", list);
	}
	return true;
}

bool app_eve_email(const struct app_tx *tx, json_t *ret_object)
{
	const struct smtp_tx *t = (const struct smtp_tx *)tx;
	if (tx->proto != APP_SMTP || t->mail == NULL)
		return false;
	mime_eve(t->mail, ret_object);
	return true;
}

const struct app_ops app_smtp = {
	.proto = APP_SMTP,
	.eve_key = "smtp",
	.events = smtp_events,
	.tcp = true,
	.open = smtp_open,
	.close = smtp_close,
	.feed = smtp_feed,
	.tx_free = smtp_tx_free,
	.buffer = smtp_buffer,
	.eve = smtp_eve,
};
