/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MD5, SHA-1 and SHA-256 without the heap, for fingerprints and files. libcrypto's low-level calls, which
 * it calls deprecated in favour of ones that allocate.
 */
#ifndef SKEP_BASE_DIGEST_H
#define SKEP_BASE_DIGEST_H

#include "base/base.h"

#include <openssl/md5.h>
#include <openssl/sha.h>

struct sha256 {
	SHA256_CTX ctx;
};
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_end(struct sha256 *s, uint8_t ret[32]);

struct md5 {
	MD5_CTX ctx;
};
void md5_begin(struct md5 *s);
void md5_add(struct md5 *s, const void *data, size_t len);
void md5_end(struct md5 *s, uint8_t ret[16]);

/* Of one piece. */
void digest_sha256(const void *data, size_t len, uint8_t ret[32]);
void digest_sha1(const void *data, size_t len, uint8_t ret[20]);
void digest_md5(const void *data, size_t len, uint8_t ret[16]);
/* Lower-case hexadecimal digits of n bytes, terminated; ret holds 2 n + 1. */
void digest_hex(const uint8_t *data, size_t n, char *ret);

#endif
