/* SPDX-License-Identifier: BSD-2-Clause */
/* The "http" object of events. */
#include "proto/http/http_priv.h"

#include <string.h>

static void add(json_t *o, const char *key, struct span s)
{
	if (s.data != NULL && s.len != 0)
		json_object_set_new_nocheck(o, key, app_json_bytes(s.data, s.len));
}

static void add_number(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new_nocheck(o, key, json_integer((json_int_t)n));
}

static struct span part(const struct http_msg *m, unsigned i)
{
	struct span none = {NULL, 0};
	return m->text.p != NULL ? http_span(m, m->part[i]) : none;
}

static bool number_at(const uint8_t **p, const uint8_t *end, uint64_t *ret)
{
	const uint8_t *from = *p;
	uint64_t v = 0;
	for (; *p != end && **p >= '0' && **p <= '9' && *p - from < 18; (*p)++)
		v = v * 10 + (uint64_t)(**p - '0');
	*ret = v;
	return *p != from;
}

/* "bytes 0-99/1234"; sizes may be unknown: "*". Which parts were there: 1 the range, 2 the size. */
unsigned http_range(struct span v, uint64_t ret[3])
{
	const uint8_t *p = v.data, *end = v.data + v.len;
	unsigned have = 0;
	if (!http_istarts(p, v.len, "bytes"))
		return 0;
	p += 5;
	while (p != end && (http_is_space(*p) || *p == '='))
		p++;
	if (number_at(&p, end, &ret[0]) && p != end && *p == '-') {
		p++;
		have |= number_at(&p, end, &ret[1]) ? 1 : 0;
	}
	while (p != end && *p != '/')
		p++;
	if (p != end) {
		p++;
		have |= number_at(&p, end, &ret[2]) ? 2 : 0;
	}
	return have;
}

static void add_range(json_t *o, struct span v)
{
	uint64_t n[3];
	if (v.data == NULL || v.len == 0)
		return;
	json_t *r = json_object();
	unsigned have = http_range(v, n);
	add(r, "raw", v);
	if ((have & 1) != 0) {
		add_number(r, "start", n[0]);
		add_number(r, "end", n[1]);
	}
	if ((have & 2) != 0)
		add_number(r, "size", n[2]);
	json_object_set_new_nocheck(o, "content_range", r);
}

static void add_type(json_t *o, struct span v)
{
	if (v.data == NULL)
		return;
	const uint8_t *semi = memchr(v.data, ';', v.len);
	if (semi != NULL)
		v.len = (uint32_t)(semi - v.data);
	while (v.len != 0 && http_is_space(v.data[v.len - 1]))
		v.len--;
	add(o, "http_content_type", v);
}

bool http_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct http_tx *t = (const struct http_tx *)tx;
	const struct http_msg *q = &t->msg[TO_SERVER], *r = &t->msg[TO_CLIENT];
	uint8_t host[256];
	struct span h = {host, http_host_normal(t, host, sizeof(host))};
	add(o, "hostname", h);
	if (t->port != 0)
		add_number(o, "http_port", t->port);
	add(o, "url", part(q, 1));
	add(o, "http_user_agent", http_known_value(q, HDR_USER_AGENT));
	add_type(o, http_known_value(r, HDR_CONTENT_TYPE));
	add_range(o, http_known_value(r, HDR_CONTENT_RANGE));
	add(o, "http_refer", http_known_value(q, HDR_REFERER));
	add(o, "http_method", part(q, 0));
	struct span proto = part(q, 2);
	add(o, "protocol", proto.len != 0 ? proto : part(r, 0));
	if (r->number != 0)
		add_number(o, "status", r->number);
	else
		add(o, "status_string", part(r, 1));
	if (r->number > 300 && r->number < 304)
		add(o, "redirect", http_known_value(r, HDR_LOCATION));
	add_number(o, "length", r->wire_len);
	return true;
}
