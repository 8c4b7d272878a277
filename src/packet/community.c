/* SPDX-License-Identifier: BSD-2-Clause */
/* Community ID version 1, after github.com/corelight/community-id-spec. */
#include "packet/packet_priv.h"

#include <openssl/evp.h>
#include <string.h>

/* ICMP types that come as question and answer, so that both directions get one id. */
static const uint8_t pairs4[][2] = {{8, 0},   {0, 8},   {13, 14}, {14, 13}, {15, 16},
				    {16, 15}, {17, 18}, {18, 17}, {10, 9},  {9, 10}};
static const uint8_t pairs6[][2] = {{128, 129}, {129, 128}, {133, 134}, {134, 133},
				    {135, 136}, {136, 135}, {130, 131}, {131, 130},
				    {144, 145}, {145, 144}, {139, 140}, {140, 139}};

/* The pseudo destination port of an ICMP message; false if its type has no counterpart. */
static bool icmp_counterpart(bool v6, uint16_t type, uint16_t *ret_port)
{
	const uint8_t(*pairs)[2] = v6 ? pairs6 : pairs4;
	size_t n = v6 ? ARRAY_LEN(pairs6) : ARRAY_LEN(pairs4);
	for (size_t i = 0; i < n; i++)
		if (pairs[i][0] == type) {
			*ret_port = pairs[i][1];
			return true;
		}
	return false;
}

void packet_community_id(const struct addr *src, const struct addr *dst, uint8_t proto,
			 uint16_t sport, uint16_t dport, char ret[COMMUNITY_ID_TEXT])
{
	size_t n = src->ver == 4 ? 4 : 16;
	bool one_way = false;
	uint8_t buf[2 + 16 + 16 + 2 + 4], digest[EVP_MAX_MD_SIZE], *p = buf + 2;
	unsigned digest_len = 0;
	if (proto == IP_ICMP || proto == IP_ICMP6)
		one_way = !icmp_counterpart(proto == IP_ICMP6, sport, &dport);
	int order = memcmp(src->b, dst->b, n);
	if (!one_way && (order > 0 || (order == 0 && sport > dport))) {
		const struct addr *a = src;
		uint16_t port = sport;
		src = dst;
		dst = a;
		sport = dport;
		dport = port;
	}
	store_be16(buf, 0); /* seed */
	memcpy(p, src->b, n);
	memcpy(p + n, dst->b, n);
	p += 2 * n;
	p[0] = proto;
	p[1] = 0;
	p += 2;
	if (proto == IP_TCP || proto == IP_UDP || proto == IP_SCTP || proto == IP_ICMP ||
	    proto == IP_ICMP6) {
		store_be16(p, sport);
		store_be16(p + 2, dport);
		p += 4;
	}
	memset(ret, 0, COMMUNITY_ID_TEXT);
	if (EVP_Digest(buf, (size_t)(p - buf), digest, &digest_len, EVP_sha1(), NULL) != 1)
		return;
	memcpy(ret, "1:", 2);
	EVP_EncodeBlock((uint8_t *)ret + 2, digest, 20);
}
