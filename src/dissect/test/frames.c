/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames from text. Sums with code of its own, so that a wrong one in dissect is seen. */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

static int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);
	return c != 0 && at != NULL ? (int)(at - digits) : -1;
}

static void put(struct frame_buf *f, uint8_t byte)
{
	if (f->len == FRAME_CAP)
		abort();
	f->b[f->len++] = byte;
}

void frame_hex(struct frame_buf *f, const char *hex)
{
	while (*hex != 0) {
		if (*hex == ' ') {
			hex++;
		} else if (*hex == '*') {
			char *end;
			for (long n = strtol(hex + 1, &end, 10); n > 0; n--)
				put(f, f->b[f->len - 1]);
			hex = end;
		} else {
			if (digit(hex[0]) < 0 || digit(hex[1]) < 0)
				abort();
			put(f, (uint8_t)(digit(hex[0]) << 4 | digit(hex[1])));
			hex += 2;
		}
	}
}

void frame_eth(struct frame_buf *f, uint16_t type, const char *hex)
{
	f->len = 0;
	frame_hex(f, "020000000002 020000000001");
	put(f, (uint8_t)(type >> 8));
	put(f, (uint8_t)type);
	frame_hex(f, hex);
}

static void finish_ip4(struct frame_buf *f)
{
	uint8_t *ip = f->b + 14;
	uint32_t sum = 0;
	store_be16(ip + 2, (uint16_t)(f->len - 14));
	store_be16(ip + 10, 0);
	for (unsigned i = 0; i < 20; i += 2)
		sum += load_be16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 10, (uint16_t)~sum);
}

void frame_ip4(struct frame_buf *f, uint8_t proto, const char *hex)
{
	frame_eth(f, 0x0800, "4500 0000 1234 0000 4000 0000 0a000001 0a000002");
	f->b[14 + 9] = proto;
	frame_hex(f, hex);
	finish_ip4(f);
}

void frame_ip6(struct frame_buf *f, uint8_t next, const char *hex)
{
	frame_eth(f, 0x86dd, "60000000 0000 0040 20010db8 00*10 01 20010db8 00*10 02");
	f->b[14 + 6] = next;
	frame_hex(f, hex);
	store_be16(f->b + 14 + 4, (uint16_t)(f->len - 54));
}

void frame_frag4(struct frame_buf *f, uint16_t id, uint32_t off, bool more, const uint8_t *data,
		 uint32_t len)
{
	frame_ip4(f, 17, "");
	store_be16(f->b + 14 + 4, id);
	store_be16(f->b + 14 + 6, (uint16_t)(off / 8 | (more ? 0x2000 : 0)));
	for (uint32_t i = 0; i < len; i++)
		put(f, data[i]);
	finish_ip4(f);
}

void frame_frag6(struct frame_buf *f, uint32_t id, uint32_t off, bool more, const uint8_t *data,
		 uint32_t len)
{
	frame_ip6(f, 44, "1100 0000 00000000");
	store_be16(f->b + 54 + 2, (uint16_t)(off | more));
	store_be32(f->b + 54 + 4, id);
	for (uint32_t i = 0; i < len; i++)
		put(f, data[i]);
	store_be16(f->b + 14 + 4, (uint16_t)(f->len - 54));
}
