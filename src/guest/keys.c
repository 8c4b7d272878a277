/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys: OpenSSH's own generator where sshd runs; for dropbear its file format, written from the same
 * numbers (two strings for Ed25519; strings and multiple-precision integers for RSA). */
#include "guest/guest_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEYGEN_MS 60000
#define RSA_BITS 2048
#define ED25519_LEN 32

static int keygen(const char *type, const char *comment, const char *path, char *why,
		  size_t why_size)
{
	char out[512];
	const char *argv[] = {"ssh-keygen", "-q",    "-t", type, "-N", "",
			      "-C",         comment, "-f", path, NULL};
	struct writer w = writer_of(why, why_size);
	if (access(path, F_OK) == 0)
		return 0;
	int code = run_program(argv, NULL, out, sizeof(out), KEYGEN_MS);
	if (code == 0)
		return 0;
	write_fmt(&w, "ssh-keygen (package openssh-client): %.200s",
		  code < 0 ? err_text(code) : out);
	return code < 0 ? code : -EIO;
}

/* ---- dropbear -------------------------------------------------------------------------------- */

struct blob {
	uint8_t b[4096];
	size_t n;
	bool bad;
};

static void blob_bytes(struct blob *o, const void *data, size_t len)
{
	if (len > sizeof(o->b) - o->n) {
		o->bad = true;
		return;
	}
	memcpy(o->b + o->n, data, len);
	o->n += len;
}

static void blob_string(struct blob *o, const void *data, size_t len)
{
	uint8_t head[4];
	store_be32(head, (uint32_t)len);
	blob_bytes(o, head, sizeof(head));
	blob_bytes(o, data, len);
}

/* SSH's mpint is OpenSSL's: length, then big-endian with a sign bit. */
static void blob_number(struct blob *o, const EVP_PKEY *key, const char *name)
{
	BIGNUM *n = NULL;
	uint8_t buf[1024];
	if (EVP_PKEY_get_bn_param(key, name, &n) != 1 || BN_bn2mpi(n, NULL) > (int)sizeof(buf))
		o->bad = true;
	else
		blob_bytes(o, buf, (size_t)BN_bn2mpi(n, buf));
	BN_clear_free(n);
}

static int dropbear_ed25519(struct blob *o)
{
	uint8_t both[2 * ED25519_LEN];
	size_t len = ED25519_LEN, len2 = ED25519_LEN;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bool ok = key != NULL && EVP_PKEY_get_raw_private_key(key, both, &len) == 1 &&
		  EVP_PKEY_get_raw_public_key(key, both + ED25519_LEN, &len2) == 1;
	blob_string(o, "ssh-ed25519", 11);
	blob_string(o, both, sizeof(both));
	EVP_PKEY_free(key);
	return ok && !o->bad ? 0 : SKEP_EUNSUPPORTED;
}

static int dropbear_rsa(struct blob *o)
{
	EVP_PKEY *key = EVP_RSA_gen(RSA_BITS);
	if (key == NULL)
		return SKEP_EUNSUPPORTED;
	blob_string(o, "ssh-rsa", 7);
	blob_number(o, key, OSSL_PKEY_PARAM_RSA_E);
	blob_number(o, key, OSSL_PKEY_PARAM_RSA_N);
	blob_number(o, key, OSSL_PKEY_PARAM_RSA_D);
	blob_number(o, key, OSSL_PKEY_PARAM_RSA_FACTOR1);
	blob_number(o, key, OSSL_PKEY_PARAM_RSA_FACTOR2);
	EVP_PKEY_free(key);
	return o->bad ? SKEP_EUNSUPPORTED : 0;
}

static int dropbear_key(const char *dir, const char *name, int (*make)(struct blob *o))
{
	char path[GUEST_PATH];
	struct blob o = {.n = 0};
	int err = path_join(path, sizeof(path), dir, name);
	if (err != 0 || access(path, F_OK) == 0)
		return err;
	err = make(&o);
	return err == 0 ? file_write(path, o.b, o.n, 0600, 0, 0) : err;
}

int identity_keys(struct identity *id, const struct conf_guest *g, bool dropbear, char *why,
		  size_t why_size)
{
	static const char *const types[] = {"rsa", "ecdsa", "ed25519"};
	char dir[GUEST_PATH], path[GUEST_PATH + 32], comment[64];
	int err = path_join(dir, sizeof(dir), id->pub.dir, "keys");
	if (err == 0)
		err = folder_make(dir, 0700);
	snprintf(comment, sizeof(comment), "root@%s", id->pub.hostname);
	for (size_t i = 0; i < ARRAY_LEN(types) && err == 0 && !dropbear; i++) {
		snprintf(path, sizeof(path), "%s/ssh_host_%s_key", dir, types[i]);
		err = keygen(types[i], comment, path, why, why_size);
	}
	if (err == 0 && dropbear)
		err = dropbear_key(dir, "dropbear_ed25519_host_key", dropbear_ed25519);
	if (err == 0 && dropbear)
		err = dropbear_key(dir, "dropbear_rsa_host_key", dropbear_rsa);
	if (err == 0 && g->kind == GUEST_LOGHOST) {
		err = path_join(id->pub.ssh_key, sizeof(id->pub.ssh_key), id->pub.dir, "ssh_key");
		if (err == 0)
			err = keygen("ed25519", "operator", id->pub.ssh_key, why, why_size);
	}
	return err;
}
