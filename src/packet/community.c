/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Community ID v1. Uses libcrypto's low-level SHA-1: it works on the stack, while the calls that
 * replaced it allocate, which the wall's sealed heap forbids.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "packet/packet_priv.h"

#include <openssl/sha.h>
#include <string.h>

struct type_pair {
	uint8_t v6, type, answer;
};

/* ICMP types that come as question and answer: both sides make one conversation. */
static const struct type_pair pairs[] = {
	{0, 8, 0},     {0, 13, 14},   {0, 15, 16},   {0, 17, 18},   {0, 10, 9},    {1, 128, 129},
	{1, 133, 134}, {1, 135, 136}, {1, 130, 131}, {1, 139, 140}, {1, 144, 145},
};

static bool icmp_answer(bool v6, uint16_t type, uint16_t *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		if (pairs[i].v6 != v6)
			continue;
		if (pairs[i].type == type) {
			*ret = pairs[i].answer;
			return true;
		}
		if (pairs[i].answer == type) {
			*ret = pairs[i].type;
			return true;
		}
	}
	return false;
}

static void base64(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;
		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		*out++ = digits[v >> 18];
		*out++ = digits[(v >> 12) & 63];
		*out++ = i + 1 < n ? digits[(v >> 6) & 63] : '=';
		*out++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*out = '\0';
}

void packet_community_id(const struct addr *src, const struct addr *dst, uint8_t proto,
			 uint16_t sport, uint16_t dport, char ret[COMMUNITY_ID_TEXT])
{
	bool v6 = src->ver == 6, one_way = false;
	bool ports = proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
	size_t n = v6 ? 16 : 4;
	if (proto == PROTO_ICMP || proto == PROTO_ICMP6) {
		ports = true;
		one_way = !icmp_answer(proto == PROTO_ICMP6, sport, &dport);
	}
	int order = memcmp(src->b, dst->b, n);
	if (!one_way && (order > 0 || (order == 0 && ports && sport > dport))) {
		const struct addr *a = src;
		src = dst;
		dst = a;
		uint16_t p = sport;
		sport = dport;
		dport = p;
	}
	uint8_t key[2 + 16 + 16 + 2 + 4] = {0, 0}, *at = key + 2; /* seed 0 */
	memcpy(at, src->b, n);
	memcpy(at + n, dst->b, n);
	at += 2 * n;
	*at++ = proto;
	*at++ = 0;
	if (ports) {
		store_be16(at, sport);
		store_be16(at + 2, dport);
		at += 4;
	}
	uint8_t digest[SHA_DIGEST_LENGTH];
	SHA_CTX sha;
	SHA1_Init(&sha);
	SHA1_Update(&sha, key, (size_t)(at - key));
	SHA1_Final(digest, &sha);
	ret[0] = '1';
	ret[1] = ':';
	base64(digest, sizeof(digest), ret + 2);
}
