/* SPDX-License-Identifier: BSD-2-Clause */
/* SipHash-1-3 after J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF" (2012). */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

uint64_t hash_keyed(const uint64_t key[2], const void *data, size_t len)
{
	struct sip s = {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
	const uint8_t *p = data;
	size_t left = len;
	for (; left >= 8; left -= 8, p += 8) {
		uint64_t m; /* little endian, as the only machines we build for are */
		memcpy(&m, p, 8);
		sip_word(&s, m);
	}
	uint64_t last = 0;
	if (left > 0)
		memcpy(&last, p, left);
	sip_word(&s, last | (uint64_t)(len & 0xff) << 56);
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void random_fill(void *buf, size_t len)
{
	uint8_t *p = buf;
	while (len > 0) {
		ssize_t n = getrandom(p, len > 256 ? 256 : len, 0);
		if (n < 0)
			abort(); /* without randomness keys would be guessable: fail closed */
		p += n;
		len -= (size_t)n;
	}
}
