/* SPDX-License-Identifier: BSD-2-Clause */
/* PKWARE's APPNOTE: stored, with its "traditional" encryption, which every unzip knows. */
#include "cmd/visit/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define HEAD 30u
#define CENTRAL 46u
#define END 22u
#define SALT 12u

struct keys {
	uint32_t k[3];
};

static uint32_t crc_step(uint32_t crc, uint8_t b)
{
	/* zlib's is pre- and post-conditioned; the cipher wants the bare step. */
	return (uint32_t)crc32(crc ^ 0xffffffffu, &b, 1) ^ 0xffffffffu;
}

static void update(struct keys *k, uint8_t b)
{
	k->k[0] = crc_step(k->k[0], b);
	k->k[1] = (k->k[1] + (k->k[0] & 0xff)) * 134775813u + 1;
	k->k[2] = crc_step(k->k[2], (uint8_t)(k->k[1] >> 24));
}

static uint8_t encrypt(struct keys *k, uint8_t b)
{
	uint32_t t = (k->k[2] & 0xffff) | 2;
	uint8_t out = b ^ (uint8_t)((t * (t ^ 1)) >> 8);
	update(k, b);
	return out;
}

static void le16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)v;
	at[1] = (uint8_t)(v >> 8);
}

static void le32(uint8_t *at, uint32_t v)
{
	le16(at, v);
	le16(at + 2, v >> 16);
}

/* What both headers have: version, flags, method, time, check sum, sizes, length of the name. */
static void common(uint8_t *at, uint32_t crc, uint32_t len, size_t name)
{
	le16(at, 20);
	le16(at + 2, 1); /* encrypted */
	le16(at + 4, 0); /* stored */
	le16(at + 6, 0);
	le16(at + 8, 0x21); /* 1980-01-01: when it came here its record says */
	le32(at + 10, crc);
	le32(at + 14, len + SALT);
	le32(at + 18, len);
	le16(at + 22, (uint32_t)name);
}

int zip_write(int fd, const char *name, const void *data, uint32_t len, int64_t time_ns)
{
	size_t n = strlen(name), body = (size_t)len + SALT;
	size_t size = HEAD + n + body + CENTRAL + n + END;
	uint8_t *zip = calloc(1, size), *at = zip, salt[SALT];
	const uint8_t *bytes = data;
	uint32_t crc = (uint32_t)crc32(0, data, len);
	struct keys k = {{0x12345678, 0x23456789, 0x34567890}};
	(void)time_ns;
	if (zip == NULL || len > UINT32_MAX - 4096) {
		free(zip);
		return -ENOMEM;
	}
	le32(at, 0x04034b50);
	common(at + 4, crc, len, n);
	memcpy(at + HEAD, name, n);
	at += HEAD + n;
	for (const char *p = ZIP_PASSWORD; *p != '\0'; p++)
		update(&k, (uint8_t)*p);
	random_fill(salt, sizeof(salt));
	salt[SALT - 1] = (uint8_t)(crc >> 24); /* by which a wrong password is noticed */
	for (size_t i = 0; i < SALT; i++)
		*at++ = encrypt(&k, salt[i]);
	for (uint32_t i = 0; i < len; i++)
		*at++ = encrypt(&k, bytes[i]);
	uint32_t central = (uint32_t)(at - zip);
	le32(at, 0x02014b50);
	le16(at + 4, 20);
	common(at + 6, crc, len, n);
	memcpy(at + CENTRAL, name, n);
	at += CENTRAL + n;
	le32(at, 0x06054b50);
	le16(at + 8, 1);
	le16(at + 10, 1);
	le32(at + 12, (uint32_t)(CENTRAL + n));
	le32(at + 16, central);
	int err = fd_write(fd, zip, size);
	free(zip);
	return err;
}
