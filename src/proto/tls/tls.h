/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of TLS share: hellos (tls_hello.c), certificates (x509.c), records (tls.c). */
#ifndef SKEP_PROTO_TLS_H
#define SKEP_PROTO_TLS_H

#include "proto/proto_priv.h"

struct part { /* of a hello's raw bytes */
	uint32_t at, len;
};

/* A hello message, kept whole; fingerprints are made when somebody asks. */
struct tls_hello {
	uint8_t *raw; /* body, behind the handshake header; NULL: SSLv2 */
	uint32_t len;
	uint16_t version; /* as in its head */
	uint16_t real;    /* what supported_versions says, else version */
	bool server, has_ext, has_sni, multiple_sni, bad_sni_type, bad_sni_len;
	struct part random, session, ciphers, ext, sni, alpn, groups, formats, sigalgs;
	char *ja3; /* JA3 or JA3S, lazily */
	uint32_t ja3_len;
	char ja3_hash[33], ja4[40];
};

struct x509 { /* spans into the certificate */
	struct span serial, issuer, subject, san;
	int64_t not_before, not_after; /* seconds since the epoch */
};

struct tls_chain {    /* a certificate message */
	uint8_t *raw; /* list of (24-bit length, certificate) */
	uint32_t len, n;
	struct x509 x; /* of the first */
	bool parsed;
	char *subject, *issuer, *serial; /* texts, lazily */
	char fingerprint[60];
};

struct tls_tx {
	struct app_tx tx;
	struct tls_hello *hello[2];
	struct tls_chain *chain[2];
	uint16_t version[2]; /* of the sides' hellos; the server's is what holds */
	uint32_t saw;        /* enum app_tls_state */
	bool resumed, bare;
	uint8_t from; /* enum app_proto it was upgraded from */
};

enum tls_event {
	TLS_INVALID_SSLV2_HEADER,
	TLS_INVALID_TLS_HEADER,
	TLS_INVALID_RECORD_TYPE,
	TLS_INVALID_RECORD_VERSION,
	TLS_INVALID_RECORD_LENGTH,
	TLS_INVALID_HANDSHAKE,
	TLS_HANDSHAKE_LENGTH,
	TLS_INVALID_CERTIFICATE,
	TLS_CERT_LENGTH,
	TLS_CERT_VERSION,
	TLS_CERT_SERIAL,
	TLS_CERT_ALGORITHM,
	TLS_CERT_NAME,
	TLS_CERT_DATE,
	TLS_CERT_EXTENSIONS,
	TLS_CERT_DER,
	TLS_CERT_SUBJECT,
	TLS_CERT_ISSUER,
	TLS_CERT_VALIDITY,
	TLS_ERROR_MESSAGE,
	TLS_INVALID_SSL_RECORD,
	TLS_HEARTBEAT,
	TLS_HEARTBEAT_INVALID,
	TLS_HEARTBEAT_OVERFLOW,
	TLS_HEARTBEAT_LEAK,
	TLS_MULTIPLE_SNI,
	TLS_SNI_TYPE,
	TLS_SNI_LENGTH
};

/* Reads h->raw; false: broken. */
bool tls_hello_parse(struct tls_hello *h);
/* JA3 or JA3S; false: memory is out. JA4. */
bool tls_ja3(struct app_ctx *c, struct tls_hello *h);
void tls_ja4(struct app_ctx *c, struct tls_hello *h);
/* Entry of a list of short texts (8-bit length each); 1: no such entry. */
int tls_alpn(const struct tls_hello *h, uint32_t index, struct span *ret);

/* Takes a certificate apart as far as we need it. -1, or the event that says what is wrong. */
int x509_parse(const uint8_t *der, uint32_t len, struct x509 *ret);
/* A name as "C=US, O=x, CN=y". */
void x509_name(struct span name, struct writer *w);
/* The index-th DNS name, mail address or address among the alternative names; 1: no such. */
int x509_alt(struct span san, uint32_t index, struct span *ret);
/* Seconds as "2015-10-14T00:00:00". */
void x509_time(int64_t s, char ret[24]);

/* The index-th certificate of a chain; texts of the first are made by tls_chain_texts. */
int tls_cert(const struct tls_chain *c, uint32_t index, struct span *ret);
void tls_chain_texts(struct app_ctx *x, struct tls_chain *c);
bool tls_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o);

#endif
