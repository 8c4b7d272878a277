/* SPDX-License-Identifier: BSD-2-Clause */
/* Mail text: RFC 5322 headers and RFC 2045 parts. */
#include "proto/mail/mime.h"

#define LINE_LIMIT 998u /* RFC 5322 */
#define ENC_LIMIT 76u   /* RFC 2045 */
#define NAME_LIMIT 75u
#define VALUE_LIMIT 2000u
#define NAME_PIECES 16u

static void event(struct mime *m, enum mime_event e)
{
	m->events |= 1u << e;
}

struct mime *mime_open(struct app *a, struct app_tx *tx, unsigned dir)
{
	struct mime *m = slab_zalloc(a->ctx->slab, sizeof(*m));
	if (m == NULL)
		return NULL;
	m->tx = tx;
	m->dir = dir;
	m->headers = m->top = true;
	m->part.text = true;
	md5_begin(&m->md5);
	return m;
}

static void items_add(struct app *a, struct mime_items *l, struct span s)
{
	if (s.len == 0 || l->n >= MIME_ITEMS)
		return;
	struct mime_item *i = slab_alloc(a->ctx->slab, sizeof(*i) + s.len);
	if (i == NULL)
		return;
	*i = (struct mime_item){.len = s.len};
	memcpy(i->text, s.data, s.len);
	if (l->last == NULL)
		l->first = i;
	else
		l->last->next = i;
	l->last = i;
	l->n++;
}

static void items_free(struct app *a, struct mime_items *l)
{
	while (l->first != NULL) {
		struct mime_item *i = l->first;
		l->first = i->next;
		slab_free(a->ctx->slab, i);
	}
	*l = (struct mime_items){0};
}

/* ---- what a part holds ------------------------------------------------------------------------ */

static bool url_byte(uint8_t c)
{
	return c > ' ' && c < 0x7f && strchr("\"<>\\^`{|}", c) == NULL;
}

static void note_url(struct mime *m, struct span u)
{
	uint32_t n = 0, dots = 0, digits = 0;
	if (u.len > 0 && u.data[0] == '[')
		m->ipv6_url = true;
	for (; n < u.len && u.data[n] != '/' && u.data[n] != ':'; n++) {
		dots += u.data[n] == '.';
		digits += u.data[n] >= '0' && u.data[n] <= '9';
	}
	if (dots == 3 && dots + digits == n && digits >= 4)
		m->ipv4_url = true;
	if (u.len > 4 && n < u.len && strncasecmp((const char *)u.data + u.len - 4, ".exe", 4) == 0)
		m->exe_url = true;
}

/* URLs of one line of text, told without their scheme. */
static void scan_urls(struct app *a, struct mime *m, const uint8_t *text, uint32_t len)
{
	static const char *const schemes[] = {"http", "https", "ftp"};
	const uint8_t *at = text, *end = text + len;
	while (m->urls.n < MIME_ITEMS && end - at > 3) {
		const uint8_t *p = memmem(at, (size_t)(end - at), "://", 3);
		if (p == NULL)
			return;
		const uint8_t *u = p + 3;
		bool known = false;
		for (size_t i = 0; i < ARRAY_LEN(schemes) && !known; i++) {
			size_t n = strlen(schemes[i]);
			known = (size_t)(p - at) >= n && begins(p - n, n, schemes[i]);
		}
		at = u;
		while (at < end && url_byte(*at))
			at++;
		struct span s = {u, (uint32_t)(at - u)};
		if (known && s.len > 0) {
			items_add(a, &m->urls, s);
			note_url(m, s);
		}
	}
}

static void text_flush(struct app *a, struct mime *m)
{
	if (m->text_len > 3)
		scan_urls(a, m, m->text, m->text_len);
	m->text_len = 0;
}

static void emit_text(struct app *a, struct mime *m, const uint8_t *data, uint32_t len)
{
	while (len > 0) {
		const uint8_t *nl = memchr(data, '\n', len);
		uint32_t n = nl == NULL ? len : (uint32_t)(nl - data);
		uint32_t room = MIME_TEXT - m->text_len, put = n > room ? room : n;
		memcpy(m->text + m->text_len, data, put);
		m->text_len += put;
		if (nl != NULL && put == n)
			put++;
		if (nl != NULL || m->text_len == MIME_TEXT)
			text_flush(a, m);
		data += put;
		len -= put;
	}
}

/* Decoded bytes of the part's content. */
static void emit(struct app *a, struct mime *m, const uint8_t *data, uint32_t len)
{
	if (len == 0)
		return;
	if (m->file != NULL) {
		app_file_add(a, m->file, data, len, body_max(a, m->dir));
		return;
	}
	if (!m->part.text)
		return;
	md5_add(&m->md5, data, len);
	m->has_md5 = true;
	emit_text(a, m, data, len);
}

static void emit_eol(struct app *a, struct mime *m)
{
	if (m->eol == 2)
		emit(a, m, (const uint8_t *)"\r\n", 2);
	else if (m->eol == 1)
		emit(a, m, (const uint8_t *)"\n", 1);
	m->eol = 0;
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void decode_base64(struct app *a, struct mime *m, struct span s)
{
	uint8_t out[768];
	uint32_t n = 0;
	for (uint32_t i = 0; i < s.len; i++) {
		int v = base64_value(s.data[i]);
		if (s.data[i] == '=') { /* padding: what is left of the group is bytes */
			if (m->b64_n == 2)
				out[n++] = (uint8_t)(m->b64 >> 4);
			else if (m->b64_n == 3) {
				out[n++] = (uint8_t)(m->b64 >> 10);
				out[n++] = (uint8_t)(m->b64 >> 2);
			}
			m->b64 = m->b64_n = 0;
		} else if (v >= 0) {
			m->b64 = m->b64 << 6 | (uint32_t)v;
			if (++m->b64_n == 4) {
				out[n++] = (uint8_t)(m->b64 >> 16);
				out[n++] = (uint8_t)(m->b64 >> 8);
				out[n++] = (uint8_t)m->b64;
				m->b64 = m->b64_n = 0;
			}
		} else if (s.data[i] != ' ' && s.data[i] != '\t') {
			event(m, MIME_BAD_BASE64);
		}
		if (n + 3 > sizeof(out)) {
			emit(a, m, out, n);
			n = 0;
		}
	}
	emit(a, m, out, n);
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte behind "=" or "=X". */
static uint32_t qp_escape(struct mime *m, uint8_t c, uint8_t out[3])
{
	if (m->qp_n == 1) {
		m->qp[1] = c;
		m->qp_n = 2;
		return 0;
	}
	int hi = hex_value(m->qp[1]), lo = hex_value(c);
	m->qp_n = 0;
	if (hi >= 0 && lo >= 0) {
		out[0] = (uint8_t)(hi << 4 | lo);
		return 1;
	}
	event(m, MIME_BAD_QP);
	out[0] = '=', out[1] = m->qp[1], out[2] = c;
	return 3;
}

/* eol: the line ends here, hence "=" at its end joins it with the next. */
static void decode_qp(struct app *a, struct mime *m, struct span s, unsigned eol)
{
	uint8_t out[768];
	uint32_t n = 0;
	bool soft = false;
	for (uint32_t i = 0; i < s.len; i++) {
		if (m->qp_n > 0) {
			n += qp_escape(m, s.data[i], out + n);
		} else if (s.data[i] == '=') {
			m->qp_n = 1;
		} else {
			const uint8_t *p = memchr(s.data + i, '=', s.len - i);
			uint32_t k = p == NULL ? s.len - i : (uint32_t)(p - s.data) - i;
			emit(a, m, out, n);
			emit(a, m, s.data + i, k);
			n = 0;
			i += k - 1;
		}
		if (n + 3 > sizeof(out)) {
			emit(a, m, out, n);
			n = 0;
		}
	}
	if (eol > 0 && m->qp_n > 0) {
		soft = m->qp_n == 1 || m->qp[1] == ' ' || m->qp[1] == '\t';
		if (!soft) {
			event(m, MIME_BAD_QP);
			out[n++] = '=', out[n++] = m->qp[1];
		}
		m->qp_n = 0;
	}
	emit(a, m, out, n);
	m->eol = soft ? 0 : (uint8_t)eol;
}

static void body_line(struct app *a, struct mime *m, struct span s, bool start, unsigned eol)
{
	if (m->quiet)
		return;
	if (m->part.encoding == MIME_BASE64) {
		decode_base64(a, m, s);
		return;
	}
	if (start)
		emit_eol(a, m);
	if (m->part.encoding == MIME_QP) {
		decode_qp(a, m, s, eol);
		return;
	}
	emit(a, m, s.data, s.len);
	m->eol = (uint8_t)eol;
}

/* ---- headers ---------------------------------------------------------------------------------- */

bool mime_param(struct span v, const char *name, struct span *ret)
{
	uint32_t i = 0;
	size_t n = strlen(name);
	while (i < v.len) {
		bool quoted = false;
		while (i < v.len && (quoted || v.data[i] != ';')) {
			if (v.data[i] == '\\' && quoted && i + 1 < v.len)
				i++;
			else if (v.data[i] == '"')
				quoted = !quoted;
			i++;
		}
		i++;
		while (i < v.len && (v.data[i] == ' ' || v.data[i] == '\t'))
			i++;
		if (i >= v.len || !begins(v.data + i, v.len - i, name))
			continue;
		uint32_t j = i + (uint32_t)n;
		if (j < v.len && v.data[j] == '*') /* RFC 2231 */
			j++;
		while (j < v.len && (v.data[j] == ' ' || v.data[j] == '\t'))
			j++;
		if (j >= v.len || v.data[j] != '=')
			continue;
		struct span s = span_trim((struct span){v.data + j + 1, v.len - j - 1});
		uint32_t k = 0;
		if (s.len > 0 && s.data[0] == '"') {
			s.data++, s.len--;
			while (k < s.len && s.data[k] != '"')
				k++;
		} else {
			while (k < s.len && s.data[k] != ';' && s.data[k] != ' ' &&
			       s.data[k] != '\t')
				k++;
		}
		*ret = (struct span){s.data, k};
		return true;
	}
	return false;
}

static void add_name(struct mime *m, struct span s)
{
	uint32_t room = (uint32_t)sizeof(m->part.name) - 1 - m->part.name_len;
	if (s.len > room)
		event(m, MIME_LONG_FILENAME);
	s.len = s.len < room ? s.len : room;
	memcpy(m->part.name + m->part.name_len, s.data, s.len);
	m->part.name_len += s.len;
}

/* A name in one parameter, or in pieces: filename*0=..; filename*1=.. (RFC 2231). */
static void part_name(struct mime *m, struct span v, const char *param)
{
	struct span s;
	if (mime_param(v, param, &s)) {
		m->part.name_len = 0;
		add_name(m, s);
		return;
	}
	for (unsigned i = 0; i < NAME_PIECES; i++) {
		char piece[24];
		struct writer w = writer_of(piece, sizeof(piece));
		write_fmt(&w, "%s*%u", param, i);
		if (!mime_param(v, piece, &s))
			return;
		if (i == 0)
			m->part.name_len = 0;
		add_name(m, s);
	}
}

static void content_type(struct mime *m, struct span v)
{
	struct span s;
	m->part.multipart = begins(v.data, v.len, "multipart/");
	m->part.message = begins(v.data, v.len, "message/rfc822");
	m->part.text = begins(v.data, v.len, "text/plain") || begins(v.data, v.len, "text/html");
	if (m->part.multipart && mime_param(v, "boundary", &s)) {
		if (s.len > MIME_BOUNDARY)
			event(m, MIME_LONG_BOUNDARY);
		m->part.boundary_len = s.len > MIME_BOUNDARY ? MIME_BOUNDARY : s.len;
		memcpy(m->part.boundary, s.data, m->part.boundary_len);
	}
	if (m->part.name_len == 0)
		part_name(m, v, "name");
}

static void top_header(struct app *a, struct mime *m, struct span name, struct span v)
{
	static const struct {
		const char *name;
		size_t at;
	} rows[] = {{"from", offsetof(struct mime, from)},
		    {"to", offsetof(struct mime, to)},
		    {"cc", offsetof(struct mime, cc)},
		    {"subject", offsetof(struct mime, subject)},
		    {"date", offsetof(struct mime, date)},
		    {"message-id", offsetof(struct mime, message_id)},
		    {"x-mailer", offsetof(struct mime, x_mailer)}};
	if (name.len == 8 && begins(name.data, 8, "received"))
		items_add(a, &m->received, v);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes *b = (struct bytes *)(void *)((uint8_t *)m + rows[i].at);
		if (name.len == strlen(rows[i].name) && begins(name.data, name.len, rows[i].name) &&
		    b->n == 0)
			bytes_set(a, b, v.data, v.len, MIME_VALUE);
	}
}

static void header_done(struct app *a, struct mime *m)
{
	struct span all = {m->line.p, m->line.n};
	const uint8_t *colon = all.len == 0 ? NULL : memchr(all.data, ':', all.len);
	if (colon == NULL) {
		if (all.len > 0)
			event(m, MIME_MALFORMED);
		m->line.n = 0;
		return;
	}
	struct span name = {all.data, (uint32_t)(colon - all.data)};
	struct span v = span_trim((struct span){colon + 1, all.len - name.len - 1});
	name = span_trim(name);
	if (name.len > NAME_LIMIT)
		event(m, MIME_LONG_HEADER_NAME);
	if (v.len > VALUE_LIMIT)
		event(m, MIME_LONG_HEADER_VALUE);
	if (m->top)
		top_header(a, m, name, v);
	if (name.len == 12 && begins(name.data, 12, "content-type")) {
		content_type(m, v);
	} else if (name.len == 19 && begins(name.data, 19, "content-disposition")) {
		part_name(m, v, "filename");
	} else if (name.len == 25 && begins(name.data, 25, "content-transfer-encoding")) {
		m->part.encoding = begins(v.data, v.len, "base64")             ? MIME_BASE64
				   : begins(v.data, v.len, "quoted-printable") ? MIME_QP
									       : MIME_PLAIN;
	}
	m->line.n = 0;
}

static void new_part(struct mime *m)
{
	memset(&m->part, 0, offsetof(struct mime_part, name));
	m->part.text = true;
	m->headers = true;
	m->skip = m->quiet = false;
	m->b64 = m->b64_n = m->qp_n = m->eol = 0;
}

/* The empty line behind the headers of a part. */
static void headers_end(struct app *a, struct mime *m)
{
	bool nested = m->part.message && m->part.name_len == 0;
	header_done(a, m);
	nested = m->part.message && m->part.name_len == 0;
	m->headers = false;
	m->headers_done = true;
	m->top = false;
	if (m->part.multipart) {
		m->quiet = true; /* what stands before the first boundary is for no one */
		if (m->depth < MIME_DEPTH && m->part.boundary_len > 0) {
			m->stack[m->depth].len = m->part.boundary_len;
			memcpy(m->stack[m->depth].text, m->part.boundary, m->part.boundary_len);
			m->depth++;
		} else {
			event(m, MIME_MALFORMED);
		}
		return;
	}
	if (nested) {
		new_part(m); /* a mail inside: its headers follow */
		return;
	}
	if (m->part.name_len == 0)
		return;
	m->file = app_file_open(a, m->tx, m->dir, m->part.name, m->part.name_len);
	items_add(a, &m->attachments, (struct span){m->part.name, m->part.name_len});
}

static void header_line(struct app *a, struct mime *m, struct span s, bool start, unsigned eol)
{
	if (!start)
		return;
	if (s.len == 0 && eol > 0) {
		headers_end(a, m);
		return;
	}
	if (m->line.n > 0 && s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
		bytes_add(a, &m->line, s.data, s.len, MIME_VALUE);
		return;
	}
	header_done(a, m);
	bytes_add(a, &m->line, s.data, s.len, MIME_VALUE);
}

/* ---- parts ------------------------------------------------------------------------------------ */

static void part_end(struct app *a, struct mime *m, bool whole)
{
	if (m->headers)
		header_done(a, m);
	if (!m->quiet && m->part.encoding == MIME_BASE64 && m->b64_n > 0)
		decode_base64(a, m, (struct span){(const uint8_t *)"=", 1});
	text_flush(a, m);
	if (m->file != NULL)
		app_file_close(a, m->file, whole);
	m->file = NULL;
}

/* Is s "--boundary" or "--boundary--" of this part or one around it? */
static bool boundary(struct app *a, struct mime *m, struct span s)
{
	if (m->depth == 0 || s.len < 3 || s.data[0] != '-' || s.data[1] != '-')
		return false;
	s = span_trim((struct span){s.data + 2, s.len - 2});
	for (uint32_t i = m->depth; i > 0; i--) {
		uint32_t n = m->stack[i - 1].len;
		if (s.len < n || memcmp(s.data, m->stack[i - 1].text, n) != 0)
			continue;
		bool last = s.len == n + 2 && memcmp(s.data + n, "--", 2) == 0;
		if (s.len != n && !last && n != MIME_BOUNDARY)
			continue;
		part_end(a, m, true);
		new_part(m);
		m->depth = i;
		if (last) {
			m->depth = i - 1;
			m->headers = false;
			m->quiet = true;
		}
		return true;
	}
	return false;
}

void mime_line(struct app *a, struct mime *m, struct span line, bool start, unsigned eol)
{
	m->line_len = start ? line.len : m->line_len + line.len;
	if (m->line_len > LINE_LIMIT)
		event(m, MIME_LONG_LINE);
	if (!m->headers && !m->quiet && m->part.encoding != MIME_PLAIN && m->line_len > ENC_LIMIT)
		event(m, MIME_LONG_ENC_LINE);
	if (start && boundary(a, m, line))
		return;
	if (m->headers)
		header_line(a, m, line, start, eol);
	else
		body_line(a, m, line, start, eol);
}

void mime_end(struct app *a, struct mime *m, bool whole)
{
	uint8_t sum[16];
	if (m->ended)
		return;
	if (!m->headers && m->part.encoding != MIME_BASE64 && m->depth == 0)
		emit_eol(a, m);
	part_end(a, m, whole);
	m->ended = whole;
	m->headers_done = true;
	if (m->has_md5) {
		md5_end(&m->md5, sum);
		digest_hex(sum, 16, (char *)m->body_md5);
	}
	bytes_free(a, &m->line);
}

void mime_free(struct app *a, struct mime *m)
{
	if (m == NULL)
		return;
	bytes_free(a, &m->line);
	bytes_free(a, &m->from);
	bytes_free(a, &m->to);
	bytes_free(a, &m->cc);
	bytes_free(a, &m->subject);
	bytes_free(a, &m->date);
	bytes_free(a, &m->message_id);
	bytes_free(a, &m->x_mailer);
	items_free(a, &m->received);
	items_free(a, &m->urls);
	items_free(a, &m->attachments);
	slab_free(a->ctx->slab, m);
}

/* ---- telling ---------------------------------------------------------------------------------- */

static int item_give(const struct mime_items *l, uint32_t index, struct span *ret)
{
	const struct mime_item *i = l->first;
	while (i != NULL && index-- > 0)
		i = i->next;
	if (i == NULL)
		return 1;
	*ret = (struct span){i->text, i->len};
	return 0;
}

int mime_buffer(const struct mime *m, enum app_buffer b, uint32_t index, struct span *ret)
{
	const struct bytes *one = b == BUF_EMAIL_FROM         ? &m->from
				  : b == BUF_EMAIL_TO         ? &m->to
				  : b == BUF_EMAIL_CC         ? &m->cc
				  : b == BUF_EMAIL_SUBJECT    ? &m->subject
				  : b == BUF_EMAIL_DATE       ? &m->date
				  : b == BUF_EMAIL_MESSAGE_ID ? &m->message_id
				  : b == BUF_EMAIL_X_MAILER   ? &m->x_mailer
							      : NULL;
	if (one != NULL)
		return bytes_give(one, index, ret);
	if (b == BUF_EMAIL_URL)
		return item_give(&m->urls, index, ret);
	if (b == BUF_EMAIL_RECEIVED)
		return item_give(&m->received, index, ret);
	if (b == BUF_EMAIL_BODY_MD5 && m->body_md5[0] != 0)
		return span_give(m->body_md5, 32, index, ret);
	return 1;
}

static void eve_items(json_t *o, const char *key, const struct mime_items *l)
{
	if (l->first == NULL)
		return;
	json_t *list = json_array();
	for (const struct mime_item *i = l->first; i != NULL; i = i->next)
		json_array_append_new(list, app_json_bytes(i->text, i->len));
	json_object_set_new(o, key, list);
}

/* Addresses stand between commas that are not inside quotes. */
static void eve_addresses(json_t *o, const char *key, const struct bytes *b)
{
	uint32_t from = 0;
	bool quoted = false;
	if (b->n == 0)
		return;
	json_t *list = json_array();
	for (uint32_t i = 0; i <= b->n; i++) {
		if (i < b->n && b->p[i] == '"')
			quoted = !quoted;
		if (i < b->n && (quoted || b->p[i] != ','))
			continue;
		struct span s = span_trim((struct span){b->p + from, i - from});
		if (s.len > 0 && json_array_size(list) < MIME_ITEMS)
			json_array_append_new(list, app_json_bytes(s.data, s.len));
		from = i + 1;
	}
	json_object_set_new(o, key, list);
}

void mime_eve(const struct mime *m, json_t *o)
{
	json_object_set_new(o, "status",
			    json_string(m->ended          ? "PARSE_DONE"
					: m->headers_done ? "BODY_STARTED"
							  : "HEADER_STARTED"));
	json_bytes(o, "from", m->from.p, m->from.n);
	eve_addresses(o, "to", &m->to);
	eve_addresses(o, "cc", &m->cc);
	json_bytes(o, "subject", m->subject.p, m->subject.n);
	json_bytes(o, "date", m->date.p, m->date.n);
	json_bytes(o, "message_id", m->message_id.p, m->message_id.n);
	json_bytes(o, "x_mailer", m->x_mailer.p, m->x_mailer.n);
	eve_items(o, "received", &m->received);
	eve_items(o, "attachment", &m->attachments);
	eve_items(o, "url", &m->urls);
	if (m->exe_url)
		json_object_set_new(o, "has_exe_url", json_true());
	if (m->ipv4_url)
		json_object_set_new(o, "has_ipv4_url", json_true());
	if (m->ipv6_url)
		json_object_set_new(o, "has_ipv6_url", json_true());
	if (m->body_md5[0] != 0)
		json_bytes(o, "body_md5", m->body_md5, 32);
}
