/* SPDX-License-Identifier: BSD-2-Clause */
/* The request URI as a server reads it: parts, escapes, separators, dots; and the host. */
#include "proto/http/http_priv.h"

#include <string.h>

#define HOST_MAX 255u

/* host, host:port, [v6]:port; a user's name before it is nobody's. */
static void split_authority(struct http_tx *t, const uint8_t *text, struct http_str a)
{
	const uint8_t *p = text + a.off, *at = memrchr(p, '@', a.len);
	if (at != NULL) {
		a.off += (uint32_t)(at + 1 - p);
		a.len -= (uint32_t)(at + 1 - p);
		p = at + 1;
	}
	t->uri.has_host = true;
	t->uri.host = a;
	const uint8_t *close = a.len != 0 && *p == '[' ? memchr(p, ']', a.len) : NULL;
	const uint8_t *from = close != NULL ? close : p;
	const uint8_t *colon = memchr(from, ':', a.len - (size_t)(from - p));
	if (colon == NULL)
		return;
	t->uri.host.len = (uint32_t)(colon - p);
	t->uri.port.off = a.off + (uint32_t)(colon + 1 - p);
	t->uri.port.len = a.len - t->uri.host.len - 1;
}

void http_uri_split(struct http_tx *t)
{
	struct http_msg *m = &t->msg[TO_SERVER];
	struct http_str u = m->part[1], a;
	const uint8_t *text = m->text.p, *p = text + u.off;
	uint32_t at = 0, len = u.len, k;
	if (t->method == METHOD_CONNECT) {
		split_authority(t, text, u);
		return;
	}
	for (k = 0; k < len && ((p[k] | 0x20) >= 'a' && (p[k] | 0x20) <= 'z'); k++)
		;
	if (k != 0 && len - k > 3 && memcmp(p + k, "://", 3) == 0) {
		at = k + 3;
		a.off = u.off + at;
		while (at < len && p[at] != '/' && p[at] != '?' && p[at] != '#')
			at++;
		a.len = u.off + at - a.off;
		split_authority(t, text, a);
	}
	t->uri.path.off = u.off + at;
	while (at < len && p[at] != '?' && p[at] != '#')
		at++;
	t->uri.path.len = u.off + at - t->uri.path.off;
	if (at < len && p[at] == '?') {
		t->uri.has_query = true;
		t->uri.query.off = u.off + ++at;
		while (at < len && p[at] != '#')
			at++;
		t->uri.query.len = u.off + at - t->uri.query.off;
	}
	if (at < len) {
		t->uri.has_fragment = true;
		t->uri.fragment.off = u.off + at + 1;
		t->uri.fragment.len = len - at - 1;
	}
}

/* ---- escapes -------------------------------------------------------------------------------------- */

/* What a code point becomes in one byte. */
static uint8_t best_fit(uint32_t cp)
{
	if (cp < 0x100)
		return (uint8_t)cp;
	if (cp >= 0xff01 && cp <= 0xff5e) /* full width */
		return (uint8_t)(cp - 0xff01 + 0x21);
	static const struct {
		uint16_t cp;
		uint8_t to;
	} fits[] = {{0x0131, 'i'},  {0x0152, 'O'},  {0x0153, 'o'}, {0x0160, 'S'}, {0x0161, 's'},
		    {0x017d, 'Z'},  {0x017e, 'z'},  {0x2010, '-'}, {0x2013, '-'}, {0x2014, '-'},
		    {0x2018, '\''}, {0x2019, '\''}, {0x201c, '"'}, {0x201d, '"'}, {0x2044, '/'},
		    {0x2215, '/'},  {0x2216, '\\'}, {0x2217, '*'}, {0x2236, ':'}, {0x223c, '~'}};
	for (unsigned i = 0; i < ARRAY_LEN(fits); i++)
		if (fits[i].cp == cp)
			return fits[i].to;
	return '?';
}

static bool hex2(const uint8_t *p, uint8_t *ret)
{
	int a = http_hex(p[0]), b = http_hex(p[1]);
	if (a < 0 || b < 0)
		return false;
	*ret = (uint8_t)(a << 4 | b);
	return true;
}

/* One byte of an escaped text; *at moves on. wide: %uHHHH counts as well. */
static uint8_t unescape(const uint8_t *p, uint32_t len, uint32_t *at, bool wide, bool *ret_escaped)
{
	uint32_t i = *at;
	uint8_t a, b;
	*ret_escaped = false;
	*at = i + 1;
	if (p[i] != '%')
		return p[i];
	if (wide && len - i >= 6 && (p[i + 1] | 0x20) == 'u' && hex2(p + i + 2, &a) &&
	    hex2(p + i + 4, &b)) {
		*at = i + 6;
		*ret_escaped = true;
		return best_fit((uint32_t)a << 8 | b);
	}
	if (len - i >= 3 && hex2(p + i + 1, &a)) {
		*at = i + 3;
		*ret_escaped = true;
		return a;
	}
	return '%';
}

/* For each byte that was made: from where, and up to where. from NULL: nobody asks. */
struct uri_map {
	uint32_t *from, *end;
};

static void map_set(const struct uri_map *m, uint32_t to, uint32_t from, uint32_t end)
{
	if (m->from == NULL)
		return;
	m->from[to] = from;
	m->end[to] = end;
}

/* Byte `to` is made of the n bytes that now are at `at`. */
static void map_join(const struct uri_map *m, uint32_t to, uint32_t at, uint32_t n)
{
	if (m->from != NULL)
		map_set(m, to, m->from[at], m->end[at + n - 1]);
}

static void map_move(const struct uri_map *m, uint32_t to, uint32_t from, uint32_t n)
{
	if (m->from == NULL || n == 0)
		return;
	memmove(m->from + to, m->from + from, n * sizeof(*m->from));
	memmove(m->end + to, m->end + from, n * sizeof(*m->end));
}

static uint32_t decode_path(const uint8_t *p, uint32_t len, uint8_t *out, const struct uri_map *m)
{
	uint32_t n = 0;
	bool slash = false, escaped;
	for (uint32_t at = 0; at < len;) {
		uint32_t was = at;
		uint8_t ch = unescape(p, len, &at, true, &escaped);
		if (ch == '\\')
			ch = '/';
		if (ch == '/' && slash)
			continue;
		slash = ch == '/';
		map_set(m, n, was, at);
		out[n++] = ch;
	}
	return n;
}

/* UTF-8 to single bytes where it is well formed (or overlong); other bytes stay. */
static uint32_t flatten_utf8(uint8_t *p, uint32_t len, const struct uri_map *m)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < len;) {
		uint32_t k = p[i] < 0x80             ? 1
			     : (p[i] & 0xe0) == 0xc0 ? 2
			     : (p[i] & 0xf0) == 0xe0 ? 3
			     : (p[i] & 0xf8) == 0xf0 ? 4
						     : 1;
		uint32_t cp = k == 1 ? p[i] : p[i] & (0x7fu >> k), j = 1;
		while (j < k && i + j < len && (p[i + j] & 0xc0) == 0x80)
			cp = cp << 6 | (p[i + j++] & 0x3f);
		if (j < k) {
			map_join(m, n, i, 1);
			p[n++] = p[i++];
			continue;
		}
		map_join(m, n, i, k);
		p[n++] = best_fit(cp);
		i += k;
	}
	return n;
}

/* "." and ".." segments go (RFC 3986, 5.2.4), in place. */
static uint32_t remove_dots(uint8_t *p, uint32_t len, const struct uri_map *m)
{
	uint32_t n = 0, i = 0;
	while (i < len) {
		uint32_t end = i;
		bool slash = p[i] == '/';
		uint32_t from = i + slash;
		for (end = from; end < len && p[end] != '/'; end++)
			;
		uint32_t seg = end - from;
		bool one = seg == 1 && p[from] == '.';
		bool two = seg == 2 && p[from] == '.' && p[from + 1] == '.';
		if (!one && !two) {
			memmove(p + n, p + i, end - i);
			map_move(m, n, i, end - i);
			n += end - i;
			i = end;
			continue;
		}
		if (two) {
			while (n != 0 && p[n - 1] != '/')
				n--;
			if (n != 0)
				n--;
		}
		if (end == len && slash) { /* a last dot leaves its slash */
			map_join(m, n, i, end - i);
			p[n++] = '/';
		}
		i = end;
		if (!slash && i < len) /* a leading dot takes the slash behind it along */
			i++;
	}
	return n;
}

static uint32_t add_path(struct http_tx *t, uint8_t *out, uint32_t cap, const struct uri_map *m)
{
	const uint8_t *text = t->msg[TO_SERVER].text.p;
	struct http_str path = t->uri.path;
	uint32_t len = path.len < cap ? path.len : cap;
	uint32_t n = decode_path(text + path.off, len, out, m);
	n = flatten_utf8(out, n, m);
	n = remove_dots(out, n, m);
	for (uint32_t i = 0; m->from != NULL && i < n; i++)
		map_set(m, i, m->from[i] + path.off, m->end[i] + path.off);
	return n;
}

uint32_t http_path_normal(struct http_tx *t, uint8_t *out, uint32_t cap)
{
	static const struct uri_map none;
	return t->msg[TO_SERVER].text.p != NULL ? add_path(t, out, cap, &none) : 0;
}

static bool twice(const uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i + 2 < len; i++)
		if (p[i] == '%' && http_hex(p[i + 1]) >= 0 && http_hex(p[i + 2]) >= 0)
			return true;
	return false;
}

/* The path is followed by what stands behind it. */
static uint32_t add_rest(struct http_tx *t, uint8_t *out, uint32_t n, const struct uri_map *m)
{
	const uint8_t *text = t->msg[TO_SERVER].text.p;
	struct http_str query = t->uri.query, fragment = t->uri.fragment;
	bool escaped;
	if (t->uri.has_query) {
		map_set(m, n, query.off - 1, query.off);
		out[n++] = '?';
	}
	for (uint32_t at = 0; at < query.len;) {
		uint32_t was = at;
		out[n] = unescape(text + query.off, query.len, &at, false, &escaped);
		map_set(m, n++, query.off + was, query.off + at);
	}
	if (!t->uri.has_fragment)
		return n;
	map_set(m, n, fragment.off - 1, fragment.off);
	out[n++] = '#';
	for (uint32_t i = 0; i < fragment.len; i++) {
		map_set(m, n, fragment.off + i, fragment.off + i + 1);
		out[n++] = text[fragment.off + i];
	}
	return n;
}

static uint32_t normal(struct http_tx *t, uint8_t *out, uint32_t cap, const struct uri_map *m)
{
	const struct http_msg *msg = &t->msg[TO_SERVER];
	if (msg->text.p == NULL || cap < msg->part[1].len || t->method == METHOD_CONNECT)
		return 0;
	uint32_t n = add_path(t, out, cap, m);
	if (m->from == NULL && twice(out, n))
		app_tx_event(&t->tx, EV_DOUBLE_ENCODED);
	return add_rest(t, out, n, m);
}

uint32_t http_uri_normal(struct http_tx *t, uint8_t *out, uint32_t cap)
{
	static const struct uri_map none;
	return normal(t, out, cap, &none);
}

uint32_t http_uri_map(struct http_tx *t, uint8_t *out, uint32_t cap, uint32_t *from, uint32_t *end)
{
	struct uri_map m = {from, end};
	return normal(t, out, cap, &m);
}

/* ---- host ----------------------------------------------------------------------------------------- */

/* The Host header without its port. */
static bool header_host(const struct http_tx *t, struct span *ret, struct span *ret_port)
{
	struct span v = http_known_value(&t->msg[TO_SERVER], HDR_HOST);
	ret_port->data = NULL;
	ret_port->len = 0;
	if (v.data == NULL)
		return false;
	const uint8_t *close = v.len != 0 && *v.data == '[' ? memchr(v.data, ']', v.len) : NULL;
	const uint8_t *from = close != NULL ? close : v.data;
	const uint8_t *colon = memchr(from, ':', v.len - (size_t)(from - v.data));
	*ret = v;
	if (colon != NULL) {
		ret->len = (uint32_t)(colon - v.data);
		ret_port->data = colon + 1;
		ret_port->len = v.len - ret->len - 1;
	}
	while (ret->len != 0 && http_is_space(ret->data[ret->len - 1]))
		ret->len--;
	return true;
}

bool http_host_of(const struct http_tx *t, struct span *ret)
{
	struct span port;
	if (t->uri.has_host) {
		*ret = http_span(&t->msg[TO_SERVER], t->uri.host);
		return true;
	}
	return header_host(t, ret, &port);
}

uint32_t http_host_normal(const struct http_tx *t, uint8_t *out, uint32_t cap)
{
	struct span h;
	if (!http_host_of(t, &h))
		return 0;
	while (h.len != 0 && h.data[h.len - 1] == '.')
		h.len--;
	uint32_t n = h.len < cap ? h.len : cap;
	for (uint32_t i = 0; i < n; i++)
		out[i] = http_lower(h.data[i]);
	return n;
}

static bool host_fits(struct span h)
{
	uint32_t label = 0;
	if (h.len == 0 || h.len > HOST_MAX)
		return false;
	if (h.data[0] == '[')
		return h.data[h.len - 1] == ']';
	for (uint32_t i = 0; i < h.len; i++) {
		uint8_t ch = http_lower(h.data[i]);
		if (ch == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' ||
		      ch == '_'))
			return false;
		if (++label > 63)
			return false;
	}
	return true;
}

/* 0: no port, or none that is one. */
static uint16_t port_number(struct span p, bool *ret_bad)
{
	uint32_t v = 0;
	*ret_bad = p.data != NULL;
	for (uint32_t i = 0; i < p.len; i++) {
		if (p.data[i] < '0' || p.data[i] > '9' || v > 65535)
			return 0;
		v = v * 10 + (p.data[i] - '0');
	}
	if (v == 0 || v > 65535)
		return 0;
	*ret_bad = false;
	return (uint16_t)v;
}

static bool same_host(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (uint32_t i = 0; i < a.len; i++)
		if (http_lower(a.data[i]) != http_lower(b.data[i]))
			return false;
	return true;
}

void http_host_check(struct http_conn *c, struct http_tx *t)
{
	struct http_msg *m = &t->msg[TO_SERVER];
	struct span in_uri = {NULL, 0}, in_header, port = {NULL, 0}, header_port;
	bool bad, header = header_host(t, &in_header, &header_port);
	uint16_t number = 0;
	if (!header && m->version == 11)
		app_tx_event(&t->tx, EV_HOST_MISSING);
	if (t->uri.has_host) {
		in_uri = http_span(m, t->uri.host);
		if (t->uri.port.off != 0)
			port = http_span(m, t->uri.port);
		t->port = port_number(port, &bad);
		if (bad)
			app_tx_event(&t->tx, EV_AUTHORITY_PORT_INVALID);
		if (!host_fits(in_uri))
			app_tx_event(&t->tx, EV_URI_HOST_INVALID);
	}
	if (header) {
		number = port_number(header_port, &bad);
		if (bad || !host_fits(in_header))
			app_tx_event(&t->tx, EV_HEADER_HOST_INVALID);
		if (t->uri.has_host && !same_host(in_uri, in_header))
			app_tx_event(&t->tx, EV_HOST_AMBIGUOUS);
		if (!t->uri.has_host)
			t->port = number;
		else if (t->port != 0 && number != 0 && number != t->port)
			app_tx_event(&t->tx, EV_HOST_AMBIGUOUS);
	}
	if (t->port != 0 && t->method != METHOD_CONNECT && c->app->flow != NULL &&
	    c->app->flow->port[1] != t->port)
		app_tx_event(&t->tx, EV_PORT_MISMATCH);
}
