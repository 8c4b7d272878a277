/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Syslog between guests: what a honeypot is told of its loghost, and what the loghost is told at each of its starts:
 * which guests there are now, how much of its disk their lines may take, and the keys for TLS. These are made here,
 * once, for whichever guest is prepared first.
 */
#include "guest/guest_priv.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATE "late/"           /* images/common/init-disk copies what is below it over the disk */
#define LOGHOST_NAME "loghost" /* what its certificate is for */
#define OWN_BYTES (32u << 20)
#define CERT_FROM "20240101000000Z" /* a guest's clock may be off by much */
#define CERT_TO "20540101000000Z"

const struct conf_guest *guest_loghost(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (c->guests[i].kind == GUEST_LOGHOST && c->guests[i].inside.ver != 0)
			return &c->guests[i];
	return NULL;
}

/* ---- keys for TLS ------------------------------------------------------------------------------ */

struct pair {
	EVP_PKEY *key;
	X509 *cert;
};

static void pair_free(struct pair *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->cert);
}

static bool extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e != NULL && X509_add_ext(cert, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

/* issuer: NULL for a CA that signs itself. */
static bool make_pair(struct pair *p, const struct pair *issuer, const char *name)
{
	uint64_t serial;
	random_fill(&serial, sizeof(serial));
	p->key = EVP_EC_gen("P-256");
	p->cert = X509_new();
	if (p->key == NULL || p->cert == NULL)
		return false;
	const struct pair *by = issuer != NULL ? issuer : p;
	X509_NAME *subject = X509_get_subject_name(p->cert);
	return X509_set_version(p->cert, 2) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(p->cert), serial >> 1) == 1 &&
	       ASN1_TIME_set_string_X509(X509_getm_notBefore(p->cert), CERT_FROM) == 1 &&
	       ASN1_TIME_set_string_X509(X509_getm_notAfter(p->cert), CERT_TO) == 1 &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
					  -1, -1, 0) == 1 &&
	       X509_set_issuer_name(p->cert, X509_get_subject_name(by->cert)) == 1 &&
	       X509_set_pubkey(p->cert, p->key) == 1 &&
	       extend(p->cert, by->cert, NID_basic_constraints,
		      issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
	       (issuer == NULL ||
		extend(p->cert, by->cert, NID_subject_alt_name, "DNS:" LOGHOST_NAME)) &&
	       X509_sign(p->cert, by->key, EVP_sha256()) > 0;
}

/* The certificate or the key as a PEM file. */
static int write_pem(const char *dir, const char *name, const struct pair *p, bool key)
{
	char path[GUEST_PATH];
	char *text = NULL;
	int err = path_join(path, sizeof(path), dir, name);
	BIO *b = BIO_new(BIO_s_mem());
	if (b == NULL || (key ? PEM_write_bio_PrivateKey(b, p->key, NULL, NULL, 0, NULL, NULL)
			      : PEM_write_bio_X509(b, p->cert)) != 1)
		err = -ENOMEM;
	if (err == 0) {
		long len = BIO_get_mem_data(b, &text);
		err = file_write(path, text, (size_t)len, 0600, 0, 0);
	}
	BIO_free(b);
	return err;
}

int syslog_keys(const struct conf *c, char ret_dir[GUEST_PATH])
{
	const struct conf_guest *log = guest_loghost(c);
	char dir[CONF_PATH + 64], last[GUEST_PATH + 16];
	if (log == NULL)
		return SKEP_ENOTFOUND;
	identity_dir(c, log->name, dir);
	int err = path_join(ret_dir, GUEST_PATH, dir, "tls");
	if (err != 0)
		return err;
	snprintf(last, sizeof(last), "%s/loghost.pem", ret_dir);
	if (access(last, F_OK) == 0)
		return 0;
	CLEANUP(pair_free) struct pair ca = {NULL, NULL};
	CLEANUP(pair_free) struct pair server = {NULL, NULL};
	err = folder_make(ret_dir, 0700);
	if (err == 0 && (!make_pair(&ca, NULL, "Log CA") || !make_pair(&server, &ca, LOGHOST_NAME)))
		err = SKEP_EUNSUPPORTED;
	if (err == 0)
		err = write_pem(ret_dir, "ca.key", &ca, true);
	if (err == 0)
		err = write_pem(ret_dir, "ca.pem", &ca, false);
	if (err == 0)
		err = write_pem(ret_dir, "loghost.key", &server, true);
	return err == 0 ? write_pem(ret_dir, "loghost.pem", &server, false) : err;
}

static void add_pem(struct tree *t, const char *dir, const char *name, const char *to, mode_t mode)
{
	char path[GUEST_PATH + 16];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	tree_from(t, to, mode, 0, path);
}

/* ---- what a honeypot is told -------------------------------------------------------------------- */

void syslog_client(const struct conf *c, const struct conf_guest *g, struct tree *t)
{
	static const char *const selectors[] = {"*.info;mail.none;authpriv.none;cron.none",
						"authpriv.*"};
	const struct conf_guest *log = guest_loghost(c);
	char a[ADDR_TEXT], dir[GUEST_PATH], text[2048];
	struct writer w = writer_of(text, sizeof(text));
	if (log == NULL || log == g)
		return;
	addr_text(&log->inside, a);
	write_str(&w, "# central log host\n");
	if (!c->loghost.tls) {
		for (size_t i = 0; i < ARRAY_LEN(selectors); i++)
			write_fmt(&w, "%s\t@%s\n", selectors[i], a);
		tree_text(t, "etc/rsyslog.d/90-remote.conf", 0644, 0, "%s", text);
		return;
	}
	write_str(&w, "global(DefaultNetstreamDriverCAFile=\"/etc/ssl/loghost-ca.pem\")\n");
	for (size_t i = 0; i < ARRAY_LEN(selectors); i++)
		write_fmt(&w,
			  "%s\taction(type=\"omfwd\" target=\"%s\" port=\"6514\" protocol=\"tcp\"\n"
			  "\tStreamDriver=\"ossl\" StreamDriverMode=\"1\"\n"
			  "\tStreamDriverAuthMode=\"x509/name\" StreamDriverPermittedPeers=\"%s\"\n"
			  "\tqueue.type=\"LinkedList\" queue.size=\"10000\" "
			  "action.resumeRetryCount=\"-1\")\n",
			  selectors[i], a, LOGHOST_NAME);
	tree_text(t, "etc/rsyslog.d/90-remote.conf", 0644, 0, "%s", text);
	int err = syslog_keys(c, dir);
	t->err = t->err != 0 ? t->err : err;
	if (t->err == 0)
		add_pem(t, dir, "ca.pem", "etc/ssl/loghost-ca.pem", 0644);
}

/* ---- what the loghost is told at each start ------------------------------------------------------- */

static void add_hosts(const struct conf *c, const struct identity *id, struct tree *t)
{
	char a[ADDR_TEXT], text[8192];
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost\n", id->pub.hostname);
	for (uint32_t i = 0; i < c->n_guests; i++) {
		const struct conf_guest *g = &c->guests[i];
		if (g->kind == GUEST_LOGHOST)
			continue;
		if (g->inside.ver != 0)
			write_fmt(&w, "%s\t%s\n", addr_text(&g->inside, a), g->name);
		if (g->inside6.ver != 0)
			write_fmt(&w, "%s\t%s\n", addr_text(&g->inside6, a), g->name);
	}
	tree_add(t, LATE "etc/hosts", S_IFREG | 0644, 0, text, w.len);
}

int loghost_tree(const struct conf *c, const struct conf_guest *g, const struct identity *id,
		 struct tree *t)
{
	static const char *const folders[] = {"late", LATE "etc", LATE "etc/rsyslog.d",
					      LATE "etc/tls"};
	char dir[GUEST_PATH];
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		tree_folder(t, folders[i], 0755, 0);
	add_hosts(c, id, t);
	/* Beside the lines the overlay holds the file system's journal and the system's own logs; and what comes in
	 * until keep-room looks again. */
	uint64_t lines =
		g->overlay_max_bytes > 2 * OWN_BYTES ? g->overlay_max_bytes - OWN_BYTES : OWN_BYTES;
	tree_text(t, LATE "etc/keep", 0644, 0, "LIMIT_KB=%llu\n",
		  (unsigned long long)(lines / 2 >> 10));
	if (!c->loghost.tls) {
		tree_text(t, LATE "etc/rsyslog.d/tls.conf", 0644, 0, "# loghost.tls is off\n");
		return t->err;
	}
	tree_text(t, LATE "etc/rsyslog.d/tls.conf", 0644, 0,
		  "input(type=\"imtcp\" port=\"6514\" ruleset=\"remote\"\n"
		  "\tstreamDriver.name=\"ossl\" streamDriver.mode=\"1\" "
		  "streamDriver.authMode=\"anon\"\n"
		  "\tstreamDriver.CAFile=\"/etc/tls/ca.pem\"\n"
		  "\tstreamDriver.certFile=\"/etc/tls/loghost.pem\"\n"
		  "\tstreamDriver.keyFile=\"/etc/tls/loghost.key\")\n");
	int err = syslog_keys(c, dir);
	t->err = t->err != 0 ? t->err : err;
	if (t->err == 0) {
		add_pem(t, dir, "ca.pem", LATE "etc/tls/ca.pem", 0644);
		add_pem(t, dir, "loghost.pem", LATE "etc/tls/loghost.pem", 0644);
		add_pem(t, dir, "loghost.key", LATE "etc/tls/loghost.key", 0600);
	}
	return t->err;
}
