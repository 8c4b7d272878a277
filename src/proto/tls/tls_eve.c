/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS handshakes as events tell them, and the texts of certificates. */
#include "base/digest.h"
#include "proto/tls/tls.h"

#include <string.h>

static char *keep(struct app_ctx *x, const struct writer *w)
{
	char *p = slab_alloc(x->slab, w->len + 1);
	if (p != NULL) {
		memcpy(p, w->buf, w->len);
		p[w->len] = '\0';
	}
	return p;
}

/* Two digits a byte, joined with colons. */
static void put_colons(struct writer *w, const uint8_t *d, uint32_t len, bool upper)
{
	for (uint32_t i = 0; i < len; i++)
		write_fmt(w, upper ? "%s%02X" : "%s%02x", i != 0 ? ":" : "", d[i]);
}

void tls_chain_texts(struct app_ctx *x, struct tls_chain *c)
{
	struct span first;
	if (c->fingerprint[0] != '\0' || tls_cert(c, 0, &first) != 0)
		return;
	uint8_t sha[20];
	digest_sha1(first.data, first.len, sha);
	struct writer w = writer_of(c->fingerprint, sizeof(c->fingerprint));
	put_colons(&w, sha, sizeof(sha), false);
	if (!c->parsed)
		return;
	w = writer_of((char *)x->scratch, APP_SCRATCH);
	x509_name(c->x.subject, &w);
	c->subject = keep(x, &w);
	w = writer_of((char *)x->scratch, APP_SCRATCH);
	x509_name(c->x.issuer, &w);
	c->issuer = keep(x, &w);
	w = writer_of((char *)x->scratch, APP_SCRATCH);
	put_colons(&w, c->x.serial.data, c->x.serial.len < 256 ? c->x.serial.len : 256, true);
	c->serial = keep(x, &w);
}

static void set(json_t *o, const char *key, json_t *value)
{
	if (value != NULL)
		json_object_set_new(o, key, value);
}

static void set_text(json_t *o, const char *key, const char *text)
{
	if (text != NULL)
		set(o, key, app_json_bytes((const uint8_t *)text, (uint32_t)strlen(text)));
}

static const char *version_text(uint16_t v, char buf[24])
{
	switch (v) {
	case 0x0002:
		return "SSLv2";
	case 0x0300:
		return "SSLv3";
	case 0x0301:
		return "TLSv1";
	case 0x0302:
		return "TLS 1.1";
	case 0x0303:
		return "TLS 1.2";
	case 0x0304:
		return "TLS 1.3";
	case 0:
		return "UNDETERMINED";
	default:
		break;
	}
	struct writer w = writer_of(buf, 24);
	if (v >> 8 == 0x7f)
		write_fmt(&w, "TLS 1.3 draft-%02u", v & 0xffu);
	else
		write_fmt(&w, "0x%04x", v);
	return buf;
}

static void put_time(json_t *o, const char *key, int64_t s)
{
	char text[24];
	if (s < INT64_C(-30610224000) || s >= INT64_C(32503680000)) /* years 1000 to 2999 */
		return;
	x509_time(s, text);
	set(o, key, json_string(text));
}

static void put_chain(const struct app *a, struct tls_chain *c, json_t *o)
{
	tls_chain_texts(a->ctx, c);
	set_text(o, "subject", c->subject);
	set_text(o, "issuerdn", c->issuer);
	set_text(o, "serial", c->serial);
	set_text(o, "fingerprint", c->fingerprint);
	if (!c->parsed)
		return;
	put_time(o, "notbefore", c->x.not_before);
	put_time(o, "notafter", c->x.not_after);
	json_t *alt = json_array();
	struct span s;
	for (uint32_t i = 0; i < 128 && x509_alt(c->x.san, i, &s) == 0; i++)
		json_array_append_new(alt, app_json_bytes(s.data, s.len));
	if (json_array_size(alt) != 0)
		set(o, "subjectaltname", alt);
	else
		json_decref(alt);
}

static void put_hello(const struct app *a, struct tls_hello *h, json_t *o)
{
	json_t *alpn = json_array();
	struct span s;
	for (uint32_t i = 0; i < 32 && tls_alpn(h, i, &s) == 0; i++)
		json_array_append_new(alpn, app_json_bytes(s.data, s.len));
	if (json_array_size(alpn) != 0)
		set(o, h->server ? "server_alpns" : "client_alpns", alpn);
	else
		json_decref(alpn);
	if (!tls_ja3(a->ctx, h))
		return;
	json_t *ja3 = json_object();
	set(ja3, "hash", json_string(h->ja3_hash));
	set(ja3, "string", json_string(h->ja3));
	set(o, h->server ? "ja3s" : "ja3", ja3);
	if (!h->server) {
		tls_ja4(a->ctx, h);
		set(o, "ja4", json_string(h->ja4));
	}
}

bool tls_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct tls_tx *t = (const struct tls_tx *)tx;
	char buf[24];
	if (t->bare || t->saw == 0)
		return false;
	struct tls_hello *h = t->hello[TO_SERVER];
	if (t->chain[TO_CLIENT] != NULL)
		put_chain(a, t->chain[TO_CLIENT], o);
	if (t->chain[TO_SERVER] != NULL) {
		json_t *client = json_object();
		put_chain(a, t->chain[TO_SERVER], client);
		set(o, "client", client);
	}
	if (t->resumed && t->chain[TO_CLIENT] == NULL)
		set(o, "session_resumed", json_true());
	if (h != NULL && h->sni.len != 0)
		set(o, "sni", app_json_bytes(h->raw + h->sni.at, h->sni.len));
	uint16_t v = t->version[TO_CLIENT] != 0 ? t->version[TO_CLIENT] : t->version[TO_SERVER];
	set(o, "version", json_string(version_text(v, buf)));
	for (unsigned d = 0; d < 2; d++)
		if (t->hello[d] != NULL)
			put_hello(a, t->hello[d], o);
	if (t->from != APP_UNKNOWN && t->from != APP_FAILED)
		set(o, "from_proto", json_string(app_proto_text(t->from)));
	return true;
}
