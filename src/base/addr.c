/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4, IPv6 and hardware addresses. */
#include "base/base.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct addr addr_from_v4(const void *four_bytes)
{
	struct addr a = {.ver = 4};
	memcpy(a.b, four_bytes, 4);
	return a;
}

struct addr addr_from_v6(const void *sixteen_bytes)
{
	struct addr a = {.ver = 6};
	memcpy(a.b, sixteen_bytes, 16);
	return a;
}

int addr_parse(const char *s, struct addr *ret_addr)
{
	uint8_t raw[16];
	if (inet_pton(AF_INET, s, raw) == 1) {
		*ret_addr = addr_from_v4(raw);
		return 0;
	}
	if (inet_pton(AF_INET6, s, raw) != 1)
		return SKEP_EFORMAT;
	*ret_addr = addr_from_v6(raw);
	return 0;
}

/* First bytes and bits of a that count for a prefix of that length. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned len)
{
	unsigned bytes = len / 8, bits = len % 8;
	if (memcmp(a, b, bytes) != 0)
		return false;
	return bits == 0 || ((a[bytes] ^ b[bytes]) >> (8 - bits)) == 0;
}

static bool host_bits_zero(const struct addr *a, unsigned len)
{
	unsigned total = a->ver == 4 ? 32 : 128;
	for (unsigned i = len; i < total; i++)
		if (a->b[i / 8] & (0x80u >> i % 8))
			return false;
	return true;
}

int prefix_parse(const char *s, struct prefix *ret_prefix)
{
	char text[PREFIX_TEXT];
	struct prefix p;
	if (!text_copy(text, sizeof(text), s))
		return SKEP_EFORMAT;
	char *slash = strchr(text, '/');
	if (slash != NULL)
		*slash = '\0';
	int err = addr_parse(text, &p.addr);
	if (err != 0)
		return err;
	unsigned long most = p.addr.ver == 4 ? 32 : 128, len = most;
	if (slash != NULL) {
		char *end;
		if (slash[1] < '0' || slash[1] > '9')
			return SKEP_EFORMAT;
		len = strtoul(slash + 1, &end, 10);
		if (*end != '\0')
			return SKEP_EFORMAT;
	}
	if (len > most)
		return SKEP_ERANGE;
	p.len = (uint8_t)len;
	if (!host_bits_zero(&p.addr, p.len))
		return SKEP_EFORMAT;
	*ret_prefix = p;
	return 0;
}

int mac_parse(const char *s, struct mac *ret_mac)
{
	struct mac m;
	if (strlen(s) != MAC_TEXT - 1)
		return SKEP_EFORMAT;
	for (size_t i = 0; i < 6; i++) {
		int high = text_hex(s[i * 3]), low = text_hex(s[i * 3 + 1]);
		if (high < 0 || low < 0 || (i < 5 && s[i * 3 + 2] != ':'))
			return SKEP_EFORMAT;
		m.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret_mac = m;
	return 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return a->ver == b->ver && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	return p->addr.ver == a->ver && a->ver != 0 && same_bits(p->addr.b, a->b, p->len);
}

const char *addr_text(const struct addr *a, char buf[ADDR_TEXT])
{
	if (a->ver == 0 ||
	    inet_ntop(a->ver == 4 ? AF_INET : AF_INET6, a->b, buf, ADDR_TEXT) == NULL)
		text_copy(buf, ADDR_TEXT, "-");
	return buf;
}

const char *prefix_text(const struct prefix *p, char buf[PREFIX_TEXT])
{
	char a[ADDR_TEXT];
	snprintf(buf, PREFIX_TEXT, "%s/%u", addr_text(&p->addr, a), p->len);
	return buf;
}

bool mac_is_zero(const struct mac *m)
{
	static const struct mac zero;
	return memcmp(m, &zero, sizeof(zero)) == 0;
}

const char *mac_text(const struct mac *m, char buf[MAC_TEXT])
{
	snprintf(buf, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2], m->b[3],
		 m->b[4], m->b[5]);
	return buf;
}
