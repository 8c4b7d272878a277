/* SPDX-License-Identifier: BSD-2-Clause */
#include "proto/proto_priv.h"

#include <string.h>

/* Passes a name without following pointers. 0: broken; len + 1: goes on behind the end. */
static uint32_t name_end(const uint8_t *d, uint32_t len, uint32_t at)
{
	for (unsigned labels = 0; labels < 128; labels++) {
		if (at >= len)
			return len + 1;
		if (d[at] == 0)
			return at + 1;
		if (d[at] >= 0xc0)
			return at + 2 <= len ? at + 2 : len + 1;
		if (d[at] >= 0x40)
			return 0;
		at += 1 + (uint32_t)d[at];
	}
	return 0;
}

bool dns_looks(const uint8_t *d, uint32_t len, bool cut, bool strict, bool *ret_response)
{
	if (len < 12)
		return false;
	uint16_t flags = load_be16(d + 2);
	uint32_t n[4], all = 0;
	for (unsigned i = 0; i < 4; i++)
		all += n[i] = load_be16(d + 4 + 2 * i);
	*ret_response = (flags & 0x8000) != 0;
	unsigned opcode = flags >> 11 & 15;
	if (opcode >= 7 || all == 0 || (!cut && all * 2 > len - 12))
		return false;
	uint32_t at = 12;
	for (uint32_t i = 0; i < n[0] && i < 4; i++) {
		uint32_t e = name_end(d, len, at);
		if (e == 0)
			return false;
		if (e + 4 > len)
			return cut && !strict;
		at = e + 4;
	}
	if (!strict)
		return n[0] != 0 || *ret_response || n[1] != 0;
	if (opcode != 0 || n[0] != 1 || (flags & 0x40) != 0 || load_be16(d + at - 2) != 1)
		return false;
	if (!*ret_response && (n[1] != 0 || n[2] != 0 || n[3] > 2 || (flags & 0x048f) != 0))
		return false;
	for (uint32_t i = n[0]; i < all && i < 64; i++) {
		uint32_t e = name_end(d, len, at);
		if (e == 0 || e + 10 > len)
			return false;
		at = e + 10 + load_be16(d + e + 8);
		if (at > len)
			return false;
	}
	return all > 64 || at == len;
}
