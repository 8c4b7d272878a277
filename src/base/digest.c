/* SPDX-License-Identifier: BSD-2-Clause */
#define OPENSSL_SUPPRESS_DEPRECATED 1
#include "base/digest.h"

/* None of these can fail: the structs are ours, and MD5 is in libcrypto's core, not a provider's. */

void sha256_begin(struct sha256 *s)
{
	(void)SHA256_Init(&s->ctx);
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	(void)SHA256_Update(&s->ctx, data, len);
}

void sha256_end(struct sha256 *s, uint8_t ret[32])
{
	(void)SHA256_Final(ret, &s->ctx);
}

void md5_begin(struct md5 *s)
{
	(void)MD5_Init(&s->ctx);
}

void md5_add(struct md5 *s, const void *data, size_t len)
{
	(void)MD5_Update(&s->ctx, data, len);
}

void md5_end(struct md5 *s, uint8_t ret[16])
{
	(void)MD5_Final(ret, &s->ctx);
}

void digest_sha256(const void *data, size_t len, uint8_t ret[32])
{
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, data, len);
	sha256_end(&s, ret);
}

void digest_sha1(const void *data, size_t len, uint8_t ret[20])
{
	SHA_CTX ctx;
	(void)SHA1_Init(&ctx);
	(void)SHA1_Update(&ctx, data, len);
	(void)SHA1_Final(ret, &ctx);
}

void digest_md5(const void *data, size_t len, uint8_t ret[16])
{
	struct md5 s;
	md5_begin(&s);
	md5_add(&s, data, len);
	md5_end(&s, ret);
}

void digest_hex(const uint8_t *data, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[data[i] >> 4];
		ret[2 * i + 1] = digits[data[i] & 15];
	}
	ret[2 * n] = '\0';
}
