/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asciicast v2. A header, then one line per event: seconds since the recording's beginning, what, text. Lines are
 * made in a buffer and appended whole. Text is UTF-8: a character that ends in the next piece waits for it,
 * what is none becomes U+FFFD. Nobody's recording grows past conf.session_bytes; its last marker says so.
 */
#include "session/session_priv.h"

#include <string.h>

#define PIECE 2048u /* bytes of text in one line; escaped at most six times as long */
#define LINE_MOST (PIECE * 6 + 256)
#define LABEL_MOST 512u
#define LAST_WORDS 256u

const char *cast_name(const struct session *s, uint32_t i, char buf[CAST_NAME])
{
	char id[SESSION_ID_TEXT];
	struct writer w = writer_of(buf, CAST_NAME);
	write_str(&w, session_id_text(s->id, id));
	if (i > 0)
		write_fmt(&w, "-%u", i + 1);
	write_str(&w, ".cast");
	return buf;
}

static uint32_t number_of(const struct session *s, const struct cast *c)
{
	return (uint32_t)(c - s->casts);
}

/* ---- buffers: fewer than recordings; the one that was used longest ago is written out ----------- */

/* len bytes of the buffer didn't get into the file. If nothing did, not even its header, it begins anew. */
static void lose(struct cast *c, uint32_t len)
{
	c->lost += len;
	c->bytes -= len;
	if (c->written == 0) {
		c->began = false;
		c->last_us = 0;
	}
}

static void flush(struct session_book *b, struct cast_buf *f)
{
	struct session *s = &b->slots[f->owner - 1];
	struct cast *c = &s->casts[f->cast];
	char name[CAST_NAME];
	uint64_t written = 0;
	uint32_t len = f->len;
	f->len = 0;
	if (len == 0)
		return;
	if (!s->kept || s->gone || b->folder.no_room) {
		b->folder.lost_bytes += b->folder.no_room ? len : 0;
		lose(c, len);
		return;
	}
	int dir = folder_day(&b->folder, s->day);
	int err = dir < 0 ? dir
			  : append_lines(dir, cast_name(s, f->cast, name), f->data, len, &written);
	if (err != 0 && b->folder.err == 0)
		b->folder.err = err;
	folder_used(&b->folder, s->day,
		    (int64_t)on_disk(c->written + written) - (int64_t)on_disk(c->written));
	book_wrote(b, s->guest, written);
	c->written += written;
	b->folder.lost_bytes += len - written;
	lose(c, len - (uint32_t)written);
}

static void give_back(struct session_book *b, struct cast_buf *f)
{
	if (f->owner != 0)
		b->slots[f->owner - 1].casts[f->cast].buf = 0;
	f->owner = 0;
	f->len = 0;
}

static struct cast_buf *buffer_of(struct session_book *b, struct session *s, struct cast *c)
{
	struct cast_buf *oldest = NULL;
	if (c->buf != 0)
		return &b->bufs[c->buf - 1];
	for (uint32_t i = 0; i < b->fresh_bufs; i++) {
		struct cast_buf *f = &b->bufs[i];
		if (oldest == NULL || f->owner == 0 || f->used < oldest->used)
			oldest = f;
		if (f->owner == 0)
			break;
	}
	if ((oldest == NULL || oldest->owner != 0) && b->fresh_bufs < CAST_BUFS)
		oldest = &b->bufs[b->fresh_bufs++];
	if (oldest->owner != 0) {
		flush(b, oldest);
		give_back(b, oldest);
	}
	oldest->owner = book_slot(b, s) + 1;
	oldest->cast = number_of(s, c);
	c->buf = (uint16_t)(oldest - b->bufs + 1);
	return oldest;
}

/* A writer at the buffer's end with room for a line. */
static struct writer line_begin(struct session_book *b, struct session *s, struct cast *c)
{
	struct cast_buf *f = buffer_of(b, s, c);
	if (f->len + LINE_MOST > CAST_BUF) {
		if (!s->kept)
			book_keep(b, s, s->last_ns); /* nobody makes a scan of 16 kB */
		flush(b, f);
	}
	f->used = ++b->clock;
	return writer_of(f->data + f->len, CAST_BUF - f->len);
}

static void line_end(struct session_book *b, struct cast *c, const struct writer *w)
{
	struct cast_buf *f = &b->bufs[c->buf - 1];
	if (w->full) {
		c->lost += w->len;
		return;
	}
	f->len += (uint32_t)w->len;
	c->bytes += w->len;
}

/* ---- lines -------------------------------------------------------------------------------------------- */

static void write_header(struct session_book *b, struct session *s, struct cast *c)
{
	char title[192], peer[ADDR_TEXT] = "?";
	struct writer t = writer_of(title, sizeof(title)), w = line_begin(b, s, c);
	const char *user = s->user;
	if (s->peer.ver != 0)
		addr_text(&s->peer, peer);
	write_escaped(&t, user, strlen(user));
	write_fmt(&t, "%s%s at %s (%s)", user[0] != '\0' ? " from " : "", peer,
		  b->conf.guests[s->guest].name, s->service);
	write_fmt(&w,
		  "{\"version\":2,\"width\":%u,\"height\":%u,\"timestamp\":%lld,"
		  "\"title\":",
		  c->cols, c->rows, (long long)(c->base_ns / NS_PER_SEC));
	json_text(&w, title, strlen(title), JSON_LABEL);
	write_str(&w, ",\"env\":{\"TERM\":\"xterm-256color\"}}\n");
	line_end(b, c, &w);
}

static void write_stamp(struct writer *w, struct cast *c, char code, int64_t ns)
{
	int64_t us = ns > c->base_ns ? (ns - c->base_ns) / 1000 : 0;
	if (us < c->last_us)
		us = c->last_us;
	c->last_us = us;
	write_fmt(w, "[%lld.%06lld,\"%c\",", (long long)(us / 1000000), (long long)(us % 1000000),
		  code);
}

static void write_line(struct session_book *b, struct session *s, struct cast *c, char code,
		       const void *text, size_t len, int64_t ns)
{
	struct writer w = line_begin(b, s, c);
	write_stamp(&w, c, code, ns);
	json_text(&w, text, len, code == 'm' ? JSON_LABEL : JSON_REPLACE);
	write_str(&w, "]\n");
	line_end(b, c, &w);
}

/* False: it is full. A gap is told where it is. */
static bool may_write(struct session_book *b, struct session *s, struct cast *c, size_t len,
		      int64_t ns)
{
	char words[LAST_WORDS];
	struct writer w = writer_of(words, sizeof(words));
	if (c->full)
		return false;
	bool over = book_is_over(b, s->guest);
	if (over || c->bytes + len * 6 + 2 * LAST_WORDS > b->conf.conf.session_bytes) {
		if (over)
			write_str(&w, "recording cut: this guest's share of the disk for a day is "
				      "used up");
		else
			write_fmt(&w, "recording cut: it has reached %llu bytes",
				  (unsigned long long)b->conf.conf.session_bytes);
		write_line(b, s, c, 'm', words, w.len, ns);
		c->full = true;
		s->dirty = true;
		return false;
	}
	if (c->lost > 0) {
		write_fmt(&w, "%llu bytes of this recording are lost", (unsigned long long)c->lost);
		c->lost = 0;
		write_line(b, s, c, 'm', words, w.len, ns);
	}
	return true;
}

/* Its first line, and markers of what was run before anything was to be seen. */
static void begin(struct session_book *b, struct session *s, struct cast *c, int64_t ns)
{
	if (c->began)
		return;
	c->began = true;
	c->base_ns = ns;
	if (c->cols == 0 || c->rows == 0) {
		c->cols = 80;
		c->rows = 24;
	}
	s->dirty = true;
	write_header(b, s, c);
	uint32_t n = s->n_marks < ARRAY_LEN(s->marks) ? s->n_marks : ARRAY_LEN(s->marks);
	for (uint32_t i = s->n_marks - n; i < s->n_marks; i++) {
		struct entry *e = entry_at(b, s, s->marks[i % ARRAY_LEN(s->marks)]);
		struct bytes t = e != NULL ? entry_text(e, 0) : (struct bytes){"", 0};
		if (t.len > 0)
			write_line(b, s, c, 'm', t.data, t.len < LABEL_MOST ? t.len : LABEL_MOST,
				   ns);
	}
	s->n_marks = 0;
}

struct cast *cast_of(struct session *s, int32_t tty)
{
	for (uint32_t i = 0; i < s->n_casts; i++)
		if (s->casts[i].tty == tty)
			return &s->casts[i];
	if (s->n_casts == CASTS_EACH)
		return NULL;
	struct cast *c = &s->casts[s->n_casts++];
	*c = (struct cast){.tty = tty};
	return c;
}

/* How many bytes at the end are the beginning of a character. */
static size_t unfinished(const uint8_t *p, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		bool more = false;
		if (p[len - n] < 0x80)
			return 0;
		if (p[len - n] >= 0xc0)
			return text_utf8(p + len - n, n, &more) == 0 && more ? n : 0;
	}
	return 0;
}

void cast_data(struct session_book *b, struct session *s, struct cast *c, bool input,
	       const void *data, size_t len, int64_t ns)
{
	uint8_t piece[PIECE], *carry = c->carry[input];
	const uint8_t *p = data;
	while (len > 0) {
		size_t had = c->carry_len[input];
		size_t take = len < PIECE - had ? len : PIECE - had;
		memcpy(piece, carry, had);
		memcpy(piece + had, p, take);
		p += take;
		len -= take;
		size_t keep = unfinished(piece, had + take), n = had + take - keep;
		memcpy(carry, piece + n, keep);
		c->carry_len[input] = (uint8_t)keep;
		begin(b, s, c, ns);
		if (n == 0)
			continue;
		if (!may_write(b, s, c, n, ns))
			return;
		write_line(b, s, c, input ? 'i' : 'o', piece, n, ns);
	}
}

void cast_size(struct session_book *b, struct session *s, struct cast *c, uint16_t cols,
	       uint16_t rows, int64_t ns)
{
	char text[16];
	struct writer w = writer_of(text, sizeof(text));
	if (cols == 0 || rows == 0 || cols > 9999 || rows > 9999)
		return; /* no terminal has that; and who draws it would need the memory */
	if (c->cols == cols && c->rows == rows)
		return;
	c->cols = cols;
	c->rows = rows;
	if (!c->began || !may_write(b, s, c, sizeof(text), ns))
		return;
	write_fmt(&w, "%ux%u", cols, rows);
	write_line(b, s, c, 'r', text, w.len, ns);
}

void cast_mark(struct session_book *b, struct session *s, struct cast *c, const void *label,
	       size_t len, int64_t ns)
{
	if (len > LABEL_MOST)
		len = LABEL_MOST;
	if (c->began && may_write(b, s, c, len, ns))
		write_line(b, s, c, 'm', label, len, ns);
}

void cast_end(struct session_book *b, struct session *s, struct cast *c)
{
	for (int input = 0; input < 2; input++) {
		if (c->carry_len[input] > 0 && c->began && may_write(b, s, c, 4, s->last_ns))
			write_line(b, s, c, input ? 'i' : 'o', c->carry[input], c->carry_len[input],
				   s->last_ns);
		c->carry_len[input] = 0;
	}
	if (c->buf != 0) {
		struct cast_buf *f = &b->bufs[c->buf - 1];
		flush(b, f);
		give_back(b, f);
	}
}

void cast_flush_all(struct session_book *b)
{
	for (uint32_t i = 0; i < b->fresh_bufs; i++) {
		struct cast_buf *f = &b->bufs[i];
		if (f->owner == 0 || !b->slots[f->owner - 1].kept)
			continue; /* may still turn out to be a mere guess */
		flush(b, f);
	}
}
