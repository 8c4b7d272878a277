/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a rule replaces in what HTTP servers answer: requests are changed so that the answer can be. It is asked
 * for uncompressed; where its length may change, by HTTP/1.0 and with the end of the connection as its end, and
 * the length in its head gives way to that.
 */
#include "rule/match/eval_priv.h"

#include <string.h>
#include <strings.h>

#define HEADERS 1024u

struct asking {
	struct rule_engine *e;
	const struct view *v;
	struct app_tx *tx;
	const struct rule *rule;
};

/* The header field of that name (with its colon), as "name: value". */
static bool field(const struct asking *q, unsigned dir, const char *name, uint32_t *ret_index,
		  struct span *ret)
{
	size_t n = strlen(name);
	for (uint32_t i = 0; i < HEADERS; i++) {
		if (app_buffer(q->v->app, q->tx, BUF_HTTP_HEADER_ONE, dir, i, ret, NULL, NULL) != 0)
			return false;
		if (ret->len >= n && strncasecmp((const char *)ret->data, name, n) == 0) {
			*ret_index = i;
			return true;
		}
	}
	return false;
}

/* The whole of a buffer becomes text. now: before anything else of this packet. false: it can't be. */
static bool change(const struct asking *q, enum app_buffer b, unsigned dir, uint32_t index,
		   const char *text, bool now)
{
	struct app_piece at;
	struct span s;
	const struct view *v = q->v;
	unsigned wire = dir ^ (v->app->reversed ? 1u : 0u);
	if (app_buffer(v->app, q->tx, b, dir, index, &s, NULL, NULL) != 0 || s.len == 0 ||
	    app_wire(v->app, q->tx, b, dir, index, 0, s.len, &at, 1) != 1 ||
	    at.off < v->fr->side[wire].gone)
		return false;
	const struct rule_edit x = {.rule = q->rule->index,
				    .where = WHERE_STREAM,
				    .dir = (uint8_t)wire,
				    .off = at.off,
				    .len = at.len,
				    .n = (uint32_t)strlen(text),
				    .bytes = (const uint8_t *)text};
	return replace_also(q->e, v, &x, now);
}

static bool is_text(const struct asking *q, enum app_buffer b, const char *text)
{
	struct span s;
	return app_buffer(q->v->app, q->tx, b, TO_SERVER, 0, &s, NULL, NULL) == 0 &&
	       s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

/* An answer that ends with the connection; false: it can't be had. */
static bool ask_open_end(const struct asking *q)
{
	struct span s;
	uint32_t i = 0;
	if (field(q, TO_SERVER, "upgrade:", &i, &s) || is_text(q, BUF_HTTP_METHOD, "HEAD") ||
	    is_text(q, BUF_HTTP_METHOD, "CONNECT"))
		return false;
	if (field(q, TO_SERVER, "connection:", &i, &s) &&
	    !change(q, BUF_HTTP_CONNECTION, TO_SERVER, 0, "close", false))
		return false;
	return is_text(q, BUF_HTTP_PROTOCOL, "HTTP/1.0") ||
	       (is_text(q, BUF_HTTP_PROTOCOL, "HTTP/1.1") &&
		change(q, BUF_HTTP_PROTOCOL, TO_SERVER, 0, "HTTP/1.0", false));
}

static bool head_is_there(const struct asking *q, unsigned dir)
{
	struct span s;
	return app_buffer(q->v->app, q->tx, BUF_HTTP_HEADER_RAW, dir, 0, &s, NULL, NULL) == 0;
}

void replace_ask(struct rule_engine *e, const struct view *v, struct app_tx *tx)
{
	struct asking q = {.e = e, .v = v, .tx = tx};
	struct span s;
	uint32_t i = 0;
	bool resizes = false;
	if (tx->proto != APP_HTTP || e->c->replaced_body[TO_CLIENT].n == 0 || !v->flow->tcp ||
	    (tx->asked && (!tx->open_end || tx->unframed)))
		return;
	q.rule = hold_answers(e, v->flow, &resizes);
	if (q.rule == NULL)
		return;
	if (!tx->asked && head_is_there(&q, TO_SERVER)) {
		tx->asked = true;
		(void)change(&q, BUF_HTTP_ACCEPT_ENC, TO_SERVER, 0, "identity", false);
		tx->open_end = resizes && !e->conf.reframes && ask_open_end(&q);
	}
	if (!tx->open_end || tx->unframed || !head_is_there(&q, TO_CLIENT))
		return;
	if (!field(&q, TO_CLIENT, "transfer-encoding:", &i, &s) &&
	    field(&q, TO_CLIENT, "content-length:", &i, &s))
		tx->unframed =
			change(&q, BUF_HTTP_HEADER_ONE, TO_CLIENT, i, "Connection: close", true);
	tx->open_end = tx->unframed; /* asked once */
}
