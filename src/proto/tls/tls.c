/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS and SSL: records, and of the handshake what travels in the clear. One transaction a flow, over
 * when both sides have gone on to encryption. Records of handshakes are waited for until they are
 * whole; those of data are passed over by their length.
 */
#include "proto/tls/tls.h"
#include "base/digest.h"

#include <string.h>

#define RECORD_MAX (16384u + 2048u)
#define CHAIN_MAX 64u               /* certificates of a chain that are looked at */
#define HANDSHAKE_MAX (128u * 1024) /* one message, over several records */

static const char *const events[] = {[TLS_INVALID_SSLV2_HEADER] = "invalid_sslv2_header",
				     [TLS_INVALID_TLS_HEADER] = "invalid_tls_header",
				     [TLS_INVALID_RECORD_TYPE] = "invalid_record_type",
				     [TLS_INVALID_RECORD_VERSION] = "invalid_record_version",
				     [TLS_INVALID_RECORD_LENGTH] = "invalid_record_length",
				     [TLS_INVALID_HANDSHAKE] = "invalid_handshake_message",
				     [TLS_HANDSHAKE_LENGTH] = "handshake_invalid_length",
				     [TLS_INVALID_CERTIFICATE] = "invalid_certificate",
				     [TLS_CERT_LENGTH] = "certificate_invalid_length",
				     [TLS_CERT_VERSION] = "certificate_invalid_version",
				     [TLS_CERT_SERIAL] = "certificate_invalid_serial",
				     [TLS_CERT_ALGORITHM] =
					     "certificate_invalid_algorithmidentifier",
				     [TLS_CERT_NAME] = "certificate_invalid_x509name",
				     [TLS_CERT_DATE] = "certificate_invalid_date",
				     [TLS_CERT_EXTENSIONS] = "certificate_invalid_extensions",
				     [TLS_CERT_DER] = "certificate_invalid_der",
				     [TLS_CERT_SUBJECT] = "certificate_invalid_subject",
				     [TLS_CERT_ISSUER] = "certificate_invalid_issuer",
				     [TLS_CERT_VALIDITY] = "certificate_invalid_validity",
				     [TLS_ERROR_MESSAGE] = "error_message_encountered",
				     [TLS_INVALID_SSL_RECORD] = "invalid_ssl_record",
				     [TLS_HEARTBEAT] = "heartbeat_message",
				     [TLS_HEARTBEAT_INVALID] = "invalid_heartbeat_message",
				     [TLS_HEARTBEAT_OVERFLOW] = "overflow_heartbeat_message",
				     [TLS_HEARTBEAT_LEAK] = "dataleak_heartbeat_mismatch",
				     [TLS_MULTIPLE_SNI] = "multiple_sni_extensions",
				     [TLS_SNI_TYPE] = "invalid_sni_type",
				     [TLS_SNI_LENGTH] = "invalid_sni_length",
				     /* never set: rules name them */
				     "certificate_missing_element",
				     "certificate_unknown_element",
				     "certificate_invalid_string",
				     "too_many_records_in_packet",
				     NULL};

enum record { REC_CCS = 20, REC_ALERT, REC_HANDSHAKE, REC_DATA, REC_HEARTBEAT };
enum handshake {
	HS_CLIENT_HELLO = 1,
	HS_SERVER_HELLO,
	HS_CERTIFICATE = 11,
	HS_SERVER_KEYX,
	HS_HELLO_DONE = 14,
	HS_CLIENT_KEYX = 16
};

struct side {
	uint32_t skip; /* bytes of a record that nobody needs */
	uint8_t *hs;   /* beginning of a handshake message; the rest is in later records */
	uint32_t hs_len, hs_cap;
	bool begun, encrypted, done;
};
struct tls_state {
	struct tls_tx *tx; /* NULL once it was swept */
	struct side side[2];
	uint32_t heartbeat; /* length the client's last request had; 0: none */
	bool sslv2, done;   /* done: the handshake was told */
};

/* ---- the transaction ----------------------------------------------------------------------------------- */

static struct tls_tx *tx_of(struct app *a, int64_t now_ns)
{
	struct tls_state *s = a->state;
	if (s->tx != NULL)
		return s->tx;
	s->tx = (struct tls_tx *)app_tx_new(a, sizeof(*s->tx), now_ns);
	if (s->tx == NULL)
		return NULL;
	s->tx->from = a->before;
	if (s->done) { /* the handshake's own is gone: this one carries an event */
		s->tx->bare = true;
		s->tx->tx.progress[0] = s->tx->tx.progress[1] = APP_DONE;
	}
	return s->tx;
}

static void event(struct app *a, enum tls_event e, int64_t now_ns)
{
	struct tls_tx *t = tx_of(a, now_ns);
	if (t != NULL)
		app_tx_event(&t->tx, e);
}

static void reach(struct app *a, struct tls_tx *t, unsigned dir, uint8_t progress)
{
	struct tls_state *s = a->state;
	if (t == NULL)
		return;
	if (t->tx.progress[dir] < progress)
		t->tx.progress[dir] = progress;
	if (t->tx.progress[0] >= TLS_GOT_HANDSHAKE && t->tx.progress[1] >= TLS_GOT_HANDSHAKE) {
		t->tx.progress[0] = t->tx.progress[1] = APP_DONE;
		s->done = true;
	}
}

/* What follows can't be understood: no more of this flow. */
static void broken(struct app *a, enum tls_event e, enum tls_event also, int64_t now_ns)
{
	struct tls_state *s = a->state;
	event(a, e, now_ns);
	event(a, also, now_ns);
	if (s->tx != NULL)
		s->tx->tx.progress[0] = s->tx->tx.progress[1] = APP_DONE;
	s->done = true;
	a->wants_none = true;
}

static void hello_free(struct app *a, struct tls_hello **h)
{
	if (*h == NULL)
		return;
	slab_free(a->ctx->slab, (*h)->raw);
	slab_free(a->ctx->slab, (*h)->ja3);
	slab_free(a->ctx->slab, *h);
	*h = NULL;
}

static void chain_free(struct app *a, struct tls_chain **c)
{
	if (*c == NULL)
		return;
	slab_free(a->ctx->slab, (*c)->raw);
	slab_free(a->ctx->slab, (*c)->subject);
	slab_free(a->ctx->slab, (*c)->issuer);
	slab_free(a->ctx->slab, (*c)->serial);
	slab_free(a->ctx->slab, *c);
	*c = NULL;
}

static void tls_tx_free(struct app *a, struct app_tx *tx)
{
	struct tls_tx *t = (struct tls_tx *)tx;
	struct tls_state *s = a->proto == APP_TLS ? a->state : NULL;
	for (unsigned d = 0; d < 2; d++) {
		hello_free(a, &t->hello[d]);
		chain_free(a, &t->chain[d]);
	}
	if (s != NULL && s->tx == t)
		s->tx = NULL;
}

/* Of a chain that is kept, events tell the first certificate only. */
static void chain_trim(struct app *a, struct tls_chain *c)
{
	struct span first;
	if (c == NULL || c->n < 2 || tls_cert(c, 0, &first) != 0)
		return;
	uint32_t len = (uint32_t)(first.data - c->raw) + first.len;
	uint8_t *raw = app_copy(a, c->raw, len);
	if (raw == NULL)
		return;
	struct span *all[] = {&c->x.serial, &c->x.issuer, &c->x.subject, &c->x.san};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i]->data != NULL)
			all[i]->data = raw + (all[i]->data - c->raw);
	slab_free(a->ctx->slab, c->raw);
	c->raw = raw;
	c->len = len;
	c->n = 1;
}

static bool tls_tx_keep(struct app *a, struct app_tx *tx)
{
	struct tls_tx *t = (struct tls_tx *)tx;
	struct tls_state *s = a->proto == APP_TLS ? a->state : NULL;
	if (t->bare || t->saw == 0)
		return false;
	for (unsigned d = 0; d < 2; d++)
		chain_trim(a, t->chain[d]);
	if (s != NULL && s->tx == t)
		s->tx = NULL;
	return true;
}

/* ---- handshake messages ---------------------------------------------------------------------------------- */

static void take_hello(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct tls_tx *t = tx_of(a, now_ns);
	if (t == NULL || t->hello[dir] != NULL || t->bare)
		return;
	struct tls_hello *h = slab_zalloc(a->ctx->slab, sizeof(*h));
	if (h == NULL)
		return;
	h->raw = app_copy(a, d, len);
	h->len = len;
	h->server = dir == TO_CLIENT;
	if (h->raw == NULL || !tls_hello_parse(h)) {
		event(a, len < 38 ? TLS_HANDSHAKE_LENGTH : TLS_INVALID_HANDSHAKE, now_ns);
		if (h->raw == NULL || len < 38) {
			hello_free(a, &h);
			reach(a, t, dir, TLS_GOT_HELLO);
			return;
		}
	}
	if (h->multiple_sni)
		event(a, TLS_MULTIPLE_SNI, now_ns);
	if (h->bad_sni_type)
		event(a, TLS_SNI_TYPE, now_ns);
	if (h->bad_sni_len)
		event(a, TLS_SNI_LENGTH, now_ns);
	t->hello[dir] = h;
	t->version[dir] = h->real;
	t->saw |= dir == TO_SERVER ? TLS_SAW_CLIENT_HELLO : TLS_SAW_SERVER_HELLO;
	const struct tls_hello *c = t->hello[TO_SERVER];
	if (h->server && c != NULL && c->raw != NULL && c->session.len != 0 && h->real < 0x0304)
		t->resumed =
			c->session.len == h->session.len &&
			memcmp(c->raw + c->session.at, h->raw + h->session.at, c->session.len) == 0;
	reach(a, t, dir, TLS_GOT_HELLO);
}

int tls_cert(const struct tls_chain *c, uint32_t index, struct span *ret)
{
	for (uint32_t at = 0; at + 3 <= c->len;) {
		uint32_t n = (uint32_t)c->raw[at] << 16 | load_be16(c->raw + at + 1);
		if (n > c->len - at - 3)
			return 1;
		if (index-- == 0) {
			*ret = (struct span){c->raw + at + 3, n};
			return 0;
		}
		at += 3 + n;
	}
	return 1;
}

static void take_chain(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct tls_tx *t = tx_of(a, now_ns);
	if (t == NULL || t->bare || t->chain[dir] != NULL)
		return;
	reach(a, t, dir, TLS_GOT_CERT);
	uint32_t n = len >= 3 ? (uint32_t)d[0] << 16 | load_be16(d + 1) : 0;
	if (len < 3 || n > len - 3) {
		event(a, TLS_INVALID_CERTIFICATE, now_ns);
		event(a, TLS_CERT_LENGTH, now_ns);
		return;
	}
	if (n < 3)
		return; /* "no certificate" is an empty list */
	struct tls_chain *c = slab_zalloc(a->ctx->slab, sizeof(*c));
	if (c == NULL)
		return;
	c->raw = app_copy(a, d + 3, n);
	c->len = c->raw != NULL ? n : 0;
	struct span first, s;
	if (c->len == 0 || tls_cert(c, 0, &first) != 0) {
		event(a, TLS_INVALID_CERTIFICATE, now_ns);
		event(a, TLS_CERT_LENGTH, now_ns);
		chain_free(a, &c);
		return;
	}
	while (c->n < CHAIN_MAX && tls_cert(c, c->n, &s) == 0)
		c->n++;
	int bad = x509_parse(first.data, first.len, &c->x);
	c->parsed = bad < 0;
	if (bad >= 0) {
		event(a, TLS_INVALID_CERTIFICATE, now_ns);
		event(a, (enum tls_event)bad, now_ns);
	}
	t->chain[dir] = c;
}

static void handshake(struct app *a, unsigned dir, unsigned type, const uint8_t *d, uint32_t len,
		      int64_t now_ns)
{
	struct tls_tx *t = tx_of(a, now_ns);
	if (t == NULL)
		return;
	switch (type) {
	case HS_CLIENT_HELLO:
	case HS_SERVER_HELLO:
		if ((type == HS_CLIENT_HELLO) == (dir == TO_SERVER))
			take_hello(a, dir, d, len, now_ns);
		else
			event(a, TLS_INVALID_HANDSHAKE, now_ns);
		break;
	case HS_CERTIFICATE:
		take_chain(a, dir, d, len, now_ns);
		break;
	case HS_SERVER_KEYX:
		t->saw |= TLS_SAW_SERVER_KEYX;
		break;
	case HS_CLIENT_KEYX:
		t->saw |= TLS_SAW_CLIENT_KEYX;
		reach(a, t, dir, TLS_GOT_CERT);
		break;
	case HS_HELLO_DONE:
		reach(a, t, dir, TLS_GOT_CERT);
		break;
	default:
		break;
	}
}

/* Keeps the beginning of a message that goes on in another record. */
static bool hold(struct app *a, struct side *s, const uint8_t *d, uint32_t len)
{
	if (s->hs_len + len > s->hs_cap) {
		uint8_t *p = slab_grow(a->ctx->slab, s->hs, (size_t)2 * (s->hs_len + len));
		if (p == NULL)
			return false;
		s->hs = p;
		s->hs_cap = (uint32_t)slab_size(p);
	}
	memcpy(s->hs + s->hs_len, d, len);
	s->hs_len += len;
	return true;
}

static uint32_t message_len(const uint8_t *d)
{
	return load_be32(d) & 0xffffffu;
}

/* Completes a held message from d; returns how many bytes of d it took. */
static uint32_t complete_held(struct app *a, unsigned dir, struct side *s, const uint8_t *d,
			      uint32_t len, int64_t now_ns)
{
	uint32_t used = 0;
	while (used < len) {
		uint32_t want = s->hs_len < 4 ? 4 : 4 + message_len(s->hs);
		uint32_t n = want - s->hs_len < len - used ? want - s->hs_len : len - used;
		if (!hold(a, s, d + used, n)) {
			s->hs_len = 0;
			return len;
		}
		used += n;
		if (s->hs_len >= 4 && s->hs_len == 4 + message_len(s->hs)) {
			handshake(a, dir, s->hs[0], s->hs + 4, s->hs_len - 4, now_ns);
			s->hs_len = 0;
			return used;
		}
		if (s->hs_len >= 4 && message_len(s->hs) > HANDSHAKE_MAX)
			return used;
	}
	return used;
}

static void handshake_record(struct app *a, unsigned dir, const uint8_t *d, uint32_t len,
			     int64_t now_ns)
{
	struct tls_state *st = a->state;
	struct side *s = &st->side[dir];
	uint32_t at = 0;
	while (at < len) {
		if (s->hs_len == 0 && len - at >= 4 && len - at - 4 >= message_len(d + at)) {
			uint32_t n = message_len(d + at);
			handshake(a, dir, d[at], d + at + 4, n, now_ns);
			at += 4 + n;
			continue;
		}
		at += complete_held(a, dir, s, d + at, len - at, now_ns);
		if (s->hs_len >= 4 && message_len(s->hs) > HANDSHAKE_MAX) {
			s->hs_len = 0;
			broken(a, TLS_INVALID_HANDSHAKE, TLS_HANDSHAKE_LENGTH, now_ns);
			return;
		}
	}
}

/* ---- records ------------------------------------------------------------------------------------------------ */

static void heartbeat(struct app *a, unsigned dir, const uint8_t *d, uint32_t have, uint32_t len,
		      int64_t now_ns)
{
	struct tls_state *s = a->state;
	if (s->side[dir].encrypted) { /* only lengths can be compared */
		if (dir == TO_SERVER) {
			s->heartbeat = len;
		} else if (s->heartbeat != 0) {
			if (len > s->heartbeat)
				event(a, TLS_HEARTBEAT_LEAK, now_ns);
			s->heartbeat = 0;
		}
		return;
	}
	event(a, TLS_HEARTBEAT, now_ns);
	if (have < 3 || d[0] < 1 || d[0] > 2) {
		event(a, TLS_HEARTBEAT_INVALID, now_ns);
		return;
	}
	uint32_t said = load_be16(d + 1);
	if (d[0] == 1) {
		s->heartbeat = len;
		if (said + 3 > len)
			event(a, TLS_HEARTBEAT_OVERFLOW, now_ns);
	} else if (s->heartbeat != 0) {
		if (len > s->heartbeat)
			event(a, TLS_HEARTBEAT_LEAK, now_ns);
		s->heartbeat = 0;
	}
}

/* A side goes on to encryption. */
static void encrypted(struct app *a, unsigned dir)
{
	struct tls_state *s = a->state;
	s->side[dir].encrypted = true;
	slab_free(a->ctx->slab, s->side[dir].hs);
	s->side[dir].hs = NULL;
	s->side[dir].hs_len = s->side[dir].hs_cap = 0;
	if (!s->done)
		reach(a, s->tx, dir, TLS_GOT_HANDSHAKE);
}

/* One record whose whole body is there (or that nobody needs whole). */
static void record(struct app *a, unsigned dir, unsigned type, const uint8_t *d, uint32_t len,
		   int64_t now_ns)
{
	struct tls_state *s = a->state;
	if (!s->done)
		tx_of(a, now_ns);
	switch (type) {
	case REC_CCS:
	case REC_DATA:
		encrypted(a, dir);
		break;
	case REC_HANDSHAKE:
		if (!s->side[dir].encrypted)
			handshake_record(a, dir, d, len, now_ns);
		break;
	case REC_ALERT:
		if (!s->side[dir].encrypted && len >= 2 && d[0] == 2)
			event(a, TLS_ERROR_MESSAGE, now_ns);
		break;
	default:
		break;
	}
}

/* A record of SSL 2: the client's hello for any version, or a conversation in it. Returns the bytes
 * taken, 0: more are needed. */
static uint32_t sslv2_record(struct app *a, unsigned dir, const uint8_t *d, uint32_t len,
			     int64_t now_ns)
{
	struct tls_state *s = a->state;
	uint32_t head = (d[0] & 0x80) != 0 ? 2 : 3;
	if (len < head + 1)
		return 0;
	uint32_t size = load_be16(d) & (head == 2 ? 0x7fffu : 0x3fffu);
	if (size == 0) {
		broken(a, TLS_INVALID_SSLV2_HEADER, TLS_INVALID_SSLV2_HEADER, now_ns);
		return len;
	}
	if (len - head < size)
		return 0;
	struct tls_tx *t = tx_of(a, now_ns);
	const uint8_t *m = d + head;
	if (t == NULL || t->hello[dir] != NULL || t->version[dir] != 0)
		return head + size;
	if (dir == TO_SERVER && m[0] == 1) {
		if (size < 9 ||
		    (uint32_t)9 + load_be16(m + 3) + load_be16(m + 5) + load_be16(m + 7) > size)
			event(a, TLS_INVALID_SSLV2_HEADER, now_ns);
		t->version[dir] = size >= 3 ? load_be16(m + 1) : 2;
		t->saw |= TLS_SAW_CLIENT_HELLO;
		s->sslv2 = t->version[dir] == 2;
		reach(a, t, dir, TLS_GOT_HELLO);
	} else if (dir == TO_CLIENT && m[0] == 4) {
		t->version[dir] = 2;
		t->saw |= TLS_SAW_SERVER_HELLO;
		reach(a, t, dir, TLS_GOT_HANDSHAKE);
		reach(a, t, dir ^ 1, TLS_GOT_HANDSHAKE);
	}
	return head + size;
}

/* Checks a record's head. False: nothing behind it can be trusted. */
static bool head_fits(struct app *a, const uint8_t *d, int64_t now_ns)
{
	if (d[0] < REC_CCS || d[0] > REC_HEARTBEAT) {
		broken(a, TLS_INVALID_RECORD_TYPE, TLS_INVALID_TLS_HEADER, now_ns);
		return false;
	}
	if (d[1] != 3 && d[1] != 0x7f) {
		broken(a, TLS_INVALID_RECORD_VERSION, TLS_INVALID_TLS_HEADER, now_ns);
		return false;
	}
	if (load_be16(d + 3) > RECORD_MAX) {
		broken(a, TLS_INVALID_RECORD_LENGTH, TLS_INVALID_TLS_HEADER, now_ns);
		return false;
	}
	return true;
}

/* Takes one record off data. 0: more is needed. */
static uint32_t one_record(struct app *a, unsigned dir, const uint8_t *d, uint32_t len,
			   int64_t now_ns)
{
	struct tls_state *s = a->state;
	struct side *side = &s->side[dir];
	if ((d[0] & 0x80) != 0 && (!side->begun || s->sslv2))
		return sslv2_record(a, dir, d, len, now_ns);
	if (len < 5)
		return 0;
	if (!head_fits(a, d, now_ns))
		return len;
	uint32_t size = load_be16(d + 3), have = len - 5 < size ? len - 5 : size;
	bool passes = d[0] == REC_DATA || (d[0] == REC_HANDSHAKE && side->encrypted);
	uint32_t need = passes ? 0 : d[0] == REC_HEARTBEAT ? (size < 3 ? size : 3) : size;
	if (have < need)
		return 0;
	if (d[0] == REC_HEARTBEAT)
		heartbeat(a, dir, d + 5, have, size, now_ns);
	else
		record(a, dir, d[0], d + 5, passes ? 0 : size, now_ns);
	side->skip = size - have;
	return 5 + have;
}

static void side_over(struct app *a, unsigned dir)
{
	struct tls_state *s = a->state;
	s->side[dir].done = true;
	if (s->tx != NULL)
		s->tx->tx.progress[dir] = APP_DONE;
	if (s->side[0].done && s->side[1].done)
		s->done = true;
}

static uint32_t tls_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct tls_state *s = a->state;
	struct side *side = &s->side[dir];
	uint32_t at = 0;
	if ((flags & APP_GAP) !=
	    0) { /* where records begin is lost, unless the gap ends in this one */
		if (len <= side->skip) {
			side->skip -= len;
			return len;
		}
		side_over(a, dir);
		side_over(a, dir ^ 1);
		a->wants_none = true;
		return len;
	}
	while (at < len && !a->wants_none) {
		if (side->skip != 0) {
			uint32_t n = side->skip < len - at ? side->skip : len - at;
			side->skip -= n;
			at += n;
			continue;
		}
		uint32_t n = one_record(a, dir, data + at, len - at, now_ns);
		if (n == 0)
			break;
		side->begun = true;
		at += n;
	}
	if ((flags & APP_EOF) != 0)
		side_over(a, dir);
	return at;
}

static int tls_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct tls_state));
	return a->state != NULL ? 0 : -1;
}

static void tls_close(struct app *a)
{
	struct tls_state *s = a->state;
	slab_free(a->ctx->slab, s->side[0].hs);
	slab_free(a->ctx->slab, s->side[1].hs);
	slab_free(a->ctx->slab, s);
	a->state = NULL;
}

/* ---- what rules ask --------------------------------------------------------------------------------------- */

static int text_of(const char *s, struct span *ret)
{
	if (s == NULL || s[0] == '\0')
		return 1;
	*ret = (struct span){(const uint8_t *)s, (uint32_t)strlen(s)};
	return 0;
}

static int chain_buffer(const struct app *a, struct tls_chain *c, enum app_buffer b, uint32_t index,
			struct span *ret)
{
	if (b == BUF_TLS_CERTS)
		return index < c->n ? tls_cert(c, index, ret) : 1;
	if (b == BUF_TLS_SUBJECTALT)
		return c->parsed ? x509_alt(c->x.san, index, ret) : 1;
	if (index != 0 || (!c->parsed && b != BUF_TLS_FINGERPRINT))
		return 1;
	tls_chain_texts(a->ctx, c);
	switch ((unsigned)b) {
	case BUF_TLS_SUBJECT:
		return text_of(c->subject, ret);
	case BUF_TLS_ISSUER:
		return text_of(c->issuer, ret);
	case BUF_TLS_SERIAL:
		return text_of(c->serial, ret);
	default:
		return text_of(c->fingerprint, ret);
	}
}

static int hello_buffer(const struct app *a, struct tls_hello *h, enum app_buffer b, uint32_t index,
			struct span *ret)
{
	const uint8_t *raw = h->raw;
	if (b == BUF_TLS_ALPN)
		return tls_alpn(h, index, ret);
	if (index != 0)
		return 1;
	switch ((unsigned)b) {
	case BUF_TLS_SNI:
		*ret = (struct span){raw + h->sni.at, h->sni.len};
		return h->server || h->sni.len == 0;
	case BUF_TLS_RANDOM:
		*ret = (struct span){raw + 2, 32};
		return 0;
	case BUF_TLS_RANDOM_TIME:
		*ret = (struct span){raw + 2, 4};
		return 0;
	case BUF_TLS_RANDOM_BYTES:
		*ret = (struct span){raw + 6, 28};
		return 0;
	case BUF_JA4_HASH:
		tls_ja4(a->ctx, h);
		return text_of(h->ja4, ret);
	default:
		break;
	}
	bool ja3 = b == BUF_JA3_HASH || b == BUF_JA3_STRING;
	bool ja3s = b == BUF_JA3S_HASH || b == BUF_JA3S_STRING;
	if ((!ja3 && !ja3s) || h->server != ja3s || !tls_ja3(a->ctx, h))
		return 1;
	return text_of(b == BUF_JA3_HASH || b == BUF_JA3S_HASH ? h->ja3_hash : h->ja3, ret);
}

static int tls_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	const struct tls_tx *t = (const struct tls_tx *)tx;
	bool cert = b == BUF_TLS_SUBJECT || b == BUF_TLS_ISSUER || b == BUF_TLS_SERIAL ||
		    b == BUF_TLS_FINGERPRINT || b == BUF_TLS_CERTS || b == BUF_TLS_SUBJECTALT;
	if (cert)
		return t->chain[dir] != NULL ? chain_buffer(a, t->chain[dir], b, index, ret) : 1;
	return t->hello[dir] != NULL ? hello_buffer(a, t->hello[dir], b, index, ret) : 1;
}

static bool tls_number(const struct app *a, const struct app_tx *tx, enum app_number n,
		       unsigned dir, uint32_t index, uint64_t *ret)
{
	const struct tls_tx *t = (const struct tls_tx *)tx;
	const struct tls_chain *c = t->chain[dir];
	if (index != 0)
		return false;
	switch ((unsigned)n) {
	case NUM_TLS_VERSION:
		*ret = t->version[dir];
		return *ret != 0;
	case NUM_TLS_STATE:
		*ret = t->saw;
		return true;
	case NUM_TLS_CHAIN_LEN:
		*ret = c != NULL ? c->n : 0;
		return c != NULL;
	case NUM_TLS_NOT_BEFORE:
		*ret = c != NULL ? (uint64_t)c->x.not_before : 0;
		return c != NULL && c->parsed;
	case NUM_TLS_NOT_AFTER:
		*ret = c != NULL ? (uint64_t)c->x.not_after : 0;
		return c != NULL && c->parsed;
	default:
		return false;
	}
}

const struct app_ops app_tls = {
	.proto = APP_TLS,
	.eve_key = "tls",
	.events = events,
	.tcp = true,
	.open = tls_open,
	.close = tls_close,
	.feed = tls_feed,
	.tx_free = tls_tx_free,
	.keep = tls_tx_keep,
	.buffer = tls_buffer,
	.number = tls_number,
	.eve = tls_eve,
};
