/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS over UDP and TCP (RFC 1035). Each message is a transaction of its own: a request tells nothing of
 * its response. A message is parsed once; the records' names stand decoded behind the transaction, in
 * the same block as a copy of the message.
 */
#include "proto/dns/dns.h"

#include <string.h>

enum dns_event {
	DNS_MALFORMED,
	DNS_NOT_REQUEST,
	DNS_NOT_RESPONSE,
	DNS_Z_FLAG,
	DNS_OPCODE,
	DNS_NAME_LONG,
	DNS_LOOP,
	DNS_LABELS,
	DNS_ADDITIONALS,
	DNS_AUTHORITIES
};
static const char *const events[] = {"malformed_data",
				     "not_request",
				     "not_response",
				     "z_flag_set",
				     "invalid_opcode",
				     "name_too_long",
				     "infinite_loop",
				     "too_many_labels",
				     "invalid_additionals",
				     "invalid_authorities",
				     "unsolicited_response", /* never set: older rules name them */
				     "flooded",
				     "state_memcap_reached",
				     NULL};

struct dns_state {    /* TCP only */
	bool lost[2]; /* a gap: where messages begin is not known */
};

/* What parsing one message collects before it is known how much to keep. */
struct work {
	const uint8_t *d;
	uint32_t len, at;
	struct dns_rr rr[DNS_RECORDS];
	uint32_t n;
	uint8_t *names; /* APP_SCRATCH bytes */
	uint32_t names_len;
	uint32_t events; /* bits of enum dns_event */
};

/* Passes a name without following pointers. 0: broken; len + 1: goes on behind the end. */
static uint32_t name_end(const uint8_t *d, uint32_t len, uint32_t at)
{
	for (unsigned labels = 0; labels < 256; labels++) {
		if (at >= len)
			return len + 1;
		if (d[at] == 0)
			return at + 1;
		if (d[at] >= 0xc0)
			return at + 2 <= len ? at + 2 : len + 1;
		if (d[at] >= 0x40)
			return 0;
		at += 1 + (uint32_t)d[at];
	}
	return 0;
}

enum probe dns_looks(const uint8_t *d, uint32_t len, uint32_t size, bool strict, bool *ret_response)
{
	if (len < 12)
		return len < size && size >= 12 ? PROBE_MORE : PROBE_NO;
	uint16_t flags = load_be16(d + 2);
	uint32_t n[4], all = 0;
	for (unsigned i = 0; i < 4; i++)
		all += n[i] = load_be16(d + 4 + 2 * i);
	*ret_response = (flags & 0x8000) != 0;
	unsigned opcode = flags >> 11 & 15;
	if (opcode >= 7 || all == 0 || all * 2 > size - 12)
		return PROBE_NO;
	if (!strict && n[0] == 0 && !*ret_response && n[1] == 0)
		return PROBE_NO;
	uint32_t at = 12;
	for (uint32_t i = 0; i < n[0] && i < 4; i++) {
		uint32_t e = name_end(d, len, at);
		if (e == 0)
			return PROBE_NO;
		if (e + 4 > len)
			return len < size ? PROBE_MORE : PROBE_NO;
		at = e + 4;
	}
	if (!strict)
		return PROBE_YES;
	if (opcode != 0 || n[0] != 1 || (flags & 0x40) != 0 || load_be16(d + at - 2) != 1)
		return PROBE_NO;
	if (!*ret_response && (n[1] != 0 || n[2] != 0 || n[3] > 2 || (flags & 0x048f) != 0))
		return PROBE_NO;
	for (uint32_t i = n[0]; i < all && i < 64; i++) {
		uint32_t e = name_end(d, len, at);
		if (e == 0 || e + 10 > len)
			return PROBE_NO;
		at = e + 10 + load_be16(d + e + 8);
		if (at > len)
			return PROBE_NO;
	}
	return all > 64 || at == len ? PROBE_YES : PROBE_NO;
}

/* ---- one message ----------------------------------------------------------------------------------- */

uint32_t dns_name(const uint8_t *d, uint32_t len, uint32_t at, uint8_t *out, uint32_t *ret_len,
		  unsigned *ret_trouble)
{
	uint32_t end = 0, n = 0, jumps = 0, labels = 0;
	for (;;) {
		if (at >= len)
			return 0;
		uint8_t c = d[at];
		if (c == 0) {
			at++;
			break;
		}
		if (c >= 0xc0) {
			if (at + 2 > len)
				return 0;
			if (end == 0)
				end = at + 2;
			at = load_be16(d + at) & 0x3fff;
			if (at >= len)
				return 0;
			if (++jumps > 255) {
				*ret_trouble |= 1u << DNS_LOOP;
				break;
			}
			continue;
		}
		if (c >= 0x40 || at + 1 + c > len)
			return 0;
		if (++labels > 255) {
			*ret_trouble |= 1u << DNS_LABELS;
			break;
		}
		uint32_t dot = n != 0 ? 1 : 0;
		if (n + dot + c > DNS_NAME) {
			*ret_trouble |= 1u << DNS_NAME_LONG;
			if (end == 0)
				end = name_end(d, len, at);
			break;
		}
		if (dot != 0)
			out[n++] = '.';
		memcpy(out + n, d + at + 1, c);
		n += c;
		at += 1 + (uint32_t)c;
	}
	*ret_len = n;
	return end != 0 ? end : at;
}

/* One question or record. False: the message ends or breaks here. */
static bool record(struct work *w, unsigned section)
{
	struct dns_rr r = {.section = (uint8_t)section, .name = w->names_len};
	uint32_t name_len = 0;
	if (APP_SCRATCH - w->names_len < DNS_NAME)
		return true; /* names of a bomb: later ones are not kept, nor their records */
	uint32_t e = dns_name(w->d, w->len, w->at, w->names + w->names_len, &name_len, &w->events);
	uint32_t fixed = section == DNS_QUESTION ? 4 : 10;
	if (e == 0 || e > w->len || w->len - e < fixed)
		return false;
	r.name_len = (uint16_t)name_len;
	r.type = load_be16(w->d + e);
	r.class = load_be16(w->d + e + 2);
	w->at = e + fixed;
	if (section != DNS_QUESTION) {
		r.ttl = load_be32(w->d + e + 4);
		r.data = e + 10;
		r.data_len = load_be16(w->d + e + 8);
		if (w->len - w->at < r.data_len)
			return false;
		w->at += r.data_len;
	}
	if (w->n < DNS_RECORDS) {
		w->names_len += name_len;
		w->rr[w->n++] = r;
	}
	return true;
}

static void parse(struct work *w)
{
	w->at = 12;
	for (unsigned s = 0; s < DNS_SECTIONS; s++) {
		uint32_t many = load_be16(w->d + 4 + 2 * s);
		for (uint32_t i = 0; i < many && w->n < DNS_RECORDS; i++) {
			if (record(w, s))
				continue;
			w->events |= 1u << (s == DNS_AUTHORITY    ? DNS_AUTHORITIES
					    : s == DNS_ADDITIONAL ? DNS_ADDITIONALS
								  : DNS_MALFORMED);
			return;
		}
	}
}

/* Something that has no transaction of its own to be told with. */
static void loose_event(struct app *a, unsigned dir, enum dns_event e, int64_t now_ns)
{
	struct app_tx *tx = a->tx_last;
	if (tx == NULL || tx->proto != APP_DNS) {
		struct dns_tx *t = (struct dns_tx *)app_tx_new(a, sizeof(*t), now_ns);
		if (t == NULL)
			return;
		tx = &t->tx;
		t->bare = true;
		tx->progress[0] = tx->progress[1] = APP_DONE;
		tx->toserver_only = dir == TO_SERVER;
		tx->toclient_only = dir == TO_CLIENT;
	}
	app_tx_event(tx, e);
}

static void message(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct work w = {.d = d, .len = len, .names = a->ctx->scratch};
	bool response = len >= 12 && (d[2] & 0x80) != 0;
	if (len < 12) {
		loose_event(a, dir, DNS_MALFORMED, now_ns);
		return;
	}
	if (response != (dir == TO_CLIENT)) {
		loose_event(a, dir, response ? DNS_NOT_REQUEST : DNS_NOT_RESPONSE, now_ns);
		return;
	}
	parse(&w);
	if ((w.events & 1u << DNS_MALFORMED) != 0) {
		loose_event(a, dir, DNS_MALFORMED, now_ns);
		return;
	}
	size_t rr = w.n * sizeof(w.rr[0]);
	struct dns_tx *t =
		(struct dns_tx *)app_tx_new(a, sizeof(*t) + rr + w.names_len + len, now_ns);
	if (t == NULL)
		return;
	t->rr = (struct dns_rr *)(t + 1);
	t->n = w.n;
	t->names = (uint8_t *)t->rr + rr;
	t->msg = t->names + w.names_len;
	t->len = len;
	t->flags = load_be16(d + 2);
	t->response = response;
	if (rr != 0)
		memcpy(t->rr, w.rr, rr);
	if (w.names_len != 0)
		memcpy(t->names, w.names, w.names_len);
	memcpy(t->msg, d, len);
	t->tx.progress[0] = t->tx.progress[1] = APP_DONE;
	t->tx.toserver_only = !response;
	t->tx.toclient_only = response;
	if ((t->flags & 0x40) != 0)
		w.events |= 1u << DNS_Z_FLAG;
	if ((t->flags >> 11 & 15) >= 7)
		w.events |= 1u << DNS_OPCODE;
	t->tx.events[0] = w.events;
}

/* ---- the flow ---------------------------------------------------------------------------------------- */

static int dns_open(struct app *a)
{
	if (!a->flow->tcp)
		return 0;
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct dns_state));
	return a->state != NULL ? 0 : -1;
}

static void dns_close(struct app *a)
{
	slab_free(a->ctx->slab, a->state);
	a->state = NULL;
}

/* After a gap: could a message of this size begin with this head? Asks nothing of what comes later, so
 * that the answer is the same however the data are cut. */
static bool head_likely(const uint8_t *d, uint32_t size, unsigned dir)
{
	uint16_t flags = load_be16(d + 2);
	uint32_t records = (uint32_t)load_be16(d + 6) + load_be16(d + 8) + load_be16(d + 10);
	return (flags & 0x7840) == 0 && ((flags & 0x8000) != 0) == (dir == TO_CLIENT) &&
	       load_be16(d + 4) == 1 && size >= 17 + records * 11;
}

static uint32_t dns_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct dns_state *s = a->state;
	if (s == NULL) {
		message(a, dir, data, len, now_ns);
		return len;
	}
	if ((flags & APP_GAP) != 0) {
		s->lost[dir] = true;
		return len;
	}
	uint32_t at = 0;
	while (len - at >= 2) {
		uint32_t size = load_be16(data + at), have = len - at - 2;
		if (s->lost[dir]) { /* byte by byte to where a message seems to begin */
			if (have < 12)
				return at;
			if (!head_likely(data + at + 2, size, dir)) {
				at++;
				continue;
			}
			s->lost[dir] = false;
		}
		if (have < size)
			return at;
		if (size != 0)
			message(a, dir, data + at + 2, size, now_ns);
		at += 2 + size;
	}
	return at;
}

/* ---- what rules ask ----------------------------------------------------------------------------------- */

/* Does the record's data hold a name? Told by its type, so that counting names costs nothing. */
static bool names_one(const struct dns_rr *r)
{
	return r->data_len != 0 &&
	       (r->type == DNS_CNAME || r->type == DNS_PTR || r->type == DNS_NS ||
		r->type == DNS_MX || r->type == DNS_SOA || r->type == DNS_SRV);
}

/* That name, decoded into the context's scratch; empty if it is broken. */
static struct span data_name(const struct app *a, const struct dns_tx *t, const struct dns_rr *r)
{
	uint32_t skip = r->type == DNS_MX ? 2 : r->type == DNS_SRV ? 6 : 0, n = 0;
	unsigned trouble = 0;
	if (r->data_len <= skip ||
	    dns_name(t->msg, t->len, r->data + skip, a->ctx->scratch, &n, &trouble) == 0)
		n = 0;
	return (struct span){a->ctx->scratch, n};
}

/* The index-th name of the sections first..last; with data: also names that records give. */
static int nth(const struct app *a, const struct dns_tx *t, unsigned first, unsigned last,
	       bool data, uint32_t index, struct span *ret)
{
	for (uint32_t i = 0; i < t->n; i++) {
		const struct dns_rr *r = &t->rr[i];
		if (r->section < first || r->section > last)
			continue;
		if (index-- == 0) {
			*ret = (struct span){t->names + r->name, r->name_len};
			return 0;
		}
		if (data && names_one(r) && index-- == 0) {
			*ret = data_name(a, t, r);
			return 0;
		}
	}
	return 1;
}

static int dns_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	const struct dns_tx *t = (const struct dns_tx *)tx;
	if (t->response != (dir == TO_CLIENT))
		return 1;
	switch ((unsigned)b) {
	case BUF_DNS_QUERY:
		return t->response ? 1 : nth(a, t, DNS_QUESTION, DNS_QUESTION, false, index, ret);
	case BUF_DNS_QUERY_NAME:
	case BUF_DNS_QUERIES_RRNAME:
		return nth(a, t, DNS_QUESTION, DNS_QUESTION, false, index, ret);
	case BUF_DNS_ANSWER_NAME:
	case BUF_DNS_ANSWERS_RRNAME:
		return nth(a, t, DNS_ANSWER, DNS_ANSWER, false, index, ret);
	case BUF_DNS_AUTHORITIES_RRNAME:
		return nth(a, t, DNS_AUTHORITY, DNS_AUTHORITY, false, index, ret);
	case BUF_DNS_ADDITIONALS_RRNAME:
		return nth(a, t, DNS_ADDITIONAL, DNS_ADDITIONAL, false, index, ret);
	case BUF_DNS_RESPONSE_RRNAME:
		return t->response ? nth(a, t, DNS_ANSWER, DNS_ADDITIONAL, true, index, ret) : 1;
	default:
		return 1;
	}
}

static bool dns_number(const struct app *a, const struct app_tx *tx, enum app_number n,
		       unsigned dir, uint32_t index, uint64_t *ret)
{
	const struct dns_tx *t = (const struct dns_tx *)tx;
	if (t->bare || t->response != (dir == TO_CLIENT))
		return false;
	if (n == NUM_DNS_RRTYPE) {
		if (index >= t->n || t->rr[index].section > DNS_ANSWER)
			return false;
		*ret = t->rr[index].type;
		return true;
	}
	if (index != 0 || (n != NUM_DNS_OPCODE && n != NUM_DNS_RCODE))
		return false;
	*ret = n == NUM_DNS_OPCODE ? t->flags >> 11 & 15u : t->flags & 15u;
	return true;
}

const struct app_ops app_dns = {
	.proto = APP_DNS,
	.eve_key = "dns",
	.events = events,
	.tcp = true,
	.udp = true,
	.open = dns_open,
	.close = dns_close,
	.feed = dns_feed,
	.buffer = dns_buffer,
	.number = dns_number,
	.eve = dns_eve,
};
