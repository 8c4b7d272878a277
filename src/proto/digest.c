/* SPDX-License-Identifier: BSD-2-Clause */
#include "proto/digest.h"

#include <string.h>

static uint32_t rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static uint32_t ror(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void sha256_block(uint32_t h[8], const uint8_t *p)
{
	static const uint32_t k[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
		0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
		0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
		0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
		0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
		0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
		0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
		0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
		0xc67178f2,
	};
	uint32_t w[64], v[8];
	for (int i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (int i = 16; i < 64; i++) {
		uint32_t a = ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t b = ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + a + w[i - 7] + b;
	}
	memcpy(v, h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
		uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
		uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += v[i];
}

void sha256_begin(struct sha256 *s)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	memcpy(s->h, start, sizeof(start));
	s->total = 0;
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t have = s->total % 64;
	s->total += len;
	if (have != 0) {
		size_t n = len < 64 - have ? len : 64 - have;
		if (n != 0)
			memcpy(s->block + have, p, n);
		if (have + n < 64)
			return;
		sha256_block(s->h, s->block);
		p += n;
		len -= n;
	}
	for (; len >= 64; p += 64, len -= 64)
		sha256_block(s->h, p);
	if (len != 0)
		memcpy(s->block, p, len);
}

void sha256_end(struct sha256 *s, uint8_t ret[32])
{
	uint64_t bits = s->total * 8;
	size_t have = s->total % 64;
	s->block[have++] = 0x80;
	if (have > 56) {
		memset(s->block + have, 0, 64 - have);
		sha256_block(s->h, s->block);
		have = 0;
	}
	memset(s->block + have, 0, 56 - have);
	store_be32(s->block + 56, (uint32_t)(bits >> 32));
	store_be32(s->block + 60, (uint32_t)bits);
	sha256_block(s->h, s->block);
	for (int i = 0; i < 8; i++)
		store_be32(ret + 4 * i, s->h[i]);
}

void digest_sha256(const void *data, size_t len, uint8_t ret[32])
{
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, data, len);
	sha256_end(&s, ret);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80];
	for (int i = 0; i < 16; i++)
		w[i] = load_be32(p + 4 * i);
	for (int i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
			     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
			     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
				      : (b ^ c ^ d) + 0xca62c1d6;
		uint32_t t = rol(a, 5) + f + e + w[i];
		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

static void md5_block(uint32_t h[4], const uint8_t *p)
{
	static const uint8_t turn[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};
	static const uint32_t k[64] = {
		0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
		0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
		0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
		0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
		0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
		0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
		0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
		0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
		0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
		0xeb86d391,
	};
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3];
	for (unsigned i = 0; i < 64; i++) {
		uint32_t f, g;
		if (i < 16)
			f = (b & c) | (~b & d), g = i;
		else if (i < 32)
			f = (d & b) | (~d & c), g = (5 * i + 1) % 16;
		else if (i < 48)
			f = b ^ c ^ d, g = (3 * i + 5) % 16;
		else
			f = c ^ (b | ~d), g = 7 * i % 16;
		f += a + k[i] + load_le32(p + (size_t)4 * g);
		a = d;
		d = c;
		c = b;
		b += rol(f, turn[i / 16 * 4 + i % 4]);
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
}

/* Runs a block function over one piece and its padding; the length is written big- or little-endian. */
static void one_piece(void (*block)(uint32_t *, const uint8_t *), uint32_t *h, const uint8_t *p,
		      size_t len, bool little)
{
	uint64_t bits = (uint64_t)len * 8;
	for (; len >= 64; p += 64, len -= 64)
		block(h, p);
	uint8_t end[128] = {0};
	if (len != 0)
		memcpy(end, p, len);
	end[len] = 0x80;
	size_t size = len < 56 ? 64 : 128;
	for (unsigned i = 0; i < 8; i++)
		end[size - 8 + i] = (uint8_t)(bits >> (little ? 8 * i : 56 - 8 * i));
	block(h, end);
	if (size == 128)
		block(h, end + 64);
}

void digest_sha1(const void *data, size_t len, uint8_t ret[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	one_piece(sha1_block, h, data, len, false);
	for (int i = 0; i < 5; i++)
		store_be32(ret + 4 * i, h[i]);
}

void digest_md5(const void *data, size_t len, uint8_t ret[16])
{
	uint32_t h[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	one_piece(md5_block, h, data, len, true);
	for (unsigned i = 0; i < 16; i++)
		ret[i] = (uint8_t)(h[i / 4] >> (8 * (i % 4)));
}

void md5_begin(struct md5 *s)
{
	*s = (struct md5){.h = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
}

void md5_add(struct md5 *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t have = s->total % 64;
	s->total += len;
	if (have != 0) {
		size_t n = len < 64 - have ? len : 64 - have;
		memcpy(s->block + have, p, n);
		p += n;
		len -= n;
		if (have + n < 64)
			return;
		md5_block(s->h, s->block);
	}
	for (; len >= 64; p += 64, len -= 64)
		md5_block(s->h, p);
	if (len != 0)
		memcpy(s->block, p, len);
}

void md5_end(struct md5 *s, uint8_t ret[16])
{
	static const uint8_t fill[64] = {0x80};
	uint64_t bits = s->total * 8;
	size_t have = s->total % 64;
	uint8_t size[8];
	for (unsigned i = 0; i < 8; i++)
		size[i] = (uint8_t)(bits >> (8 * i));
	md5_add(s, fill, have < 56 ? 56 - have : 120 - have);
	md5_add(s, size, 8);
	for (unsigned i = 0; i < 16; i++)
		ret[i] = (uint8_t)(s->h[i / 4] >> (8 * (i % 4)));
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
