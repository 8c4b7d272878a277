/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng blocks (draft-ietf-opsawg-pcapng), in the byte order of this machine. A block is its type,
 * its length, its body, and its length again; options are pairs of code and length with values
 * padded to four bytes.
 */
#include "capture/capture_priv.h"

#include <string.h>
#include <sys/utsname.h>

struct block {
	uint8_t *out;
	size_t size, len;
	bool full;
};

static void put_bytes(struct block *b, const void *data, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;
	if (b->full || padded > b->size - b->len) {
		b->full = true;
		return;
	}
	if (n > 0)
		memcpy(b->out + b->len, data, n);
	memset(b->out + b->len + n, 0, padded - n);
	b->len += padded;
}

static void put_u32(struct block *b, uint32_t v)
{
	put_bytes(b, &v, sizeof(v));
}

/* 64-bit times are two words, the upper one first, whatever the byte order. */
static void put_stamp(struct block *b, int64_t ns)
{
	uint64_t v = ns > 0 ? (uint64_t)ns : 0;
	put_u32(b, (uint32_t)(v >> 32));
	put_u32(b, (uint32_t)v);
}

static void put_option(struct block *b, uint16_t code, const void *data, size_t n)
{
	uint16_t head[2] = {code, (uint16_t)n};
	if (n > UINT16_MAX) {
		b->full = true;
		return;
	}
	put_bytes(b, head, sizeof(head));
	put_bytes(b, data, n);
}

static void put_text(struct block *b, uint16_t code, const char *text, size_t max)
{
	size_t n = strnlen(text, max);
	if (n > 0)
		put_option(b, code, text, n);
}

static struct block block_begin(uint8_t *out, size_t size, uint32_t type)
{
	struct block b = {.out = out, .size = size};
	put_u32(&b, type);
	put_u32(&b, 0);
	return b;
}

static size_t block_end(struct block *b)
{
	uint32_t total = (uint32_t)b->len + 4;
	put_u32(b, total);
	if (b->full)
		return 0;
	memcpy(b->out + 4, &total, sizeof(total));
	return b->len;
}

size_t capture_encode_section(uint8_t *out, size_t size)
{
	static const char appl[] = "skep";
	struct block b = block_begin(out, size, BLOCK_SECTION);
	uint16_t version[2] = {1, 0};
	uint64_t unknown = UINT64_MAX;
	struct utsname u;
	char os[sizeof(u.sysname) + sizeof(u.release) + 1];

	put_u32(&b, PCAPNG_MAGIC);
	put_bytes(&b, version, sizeof(version));
	put_bytes(&b, &unknown, sizeof(unknown));
	if (uname(&u) == 0) {
		struct writer w = writer_of(os, sizeof(os));
		write_str(&w, u.sysname);
		write_str(&w, " ");
		write_str(&w, u.release);
		put_text(&b, SHB_OS, os, sizeof(os));
	}
	put_option(&b, SHB_USERAPPL, appl, sizeof(appl) - 1);
	put_option(&b, OPT_END, NULL, 0);
	return block_end(&b);
}

size_t capture_encode_interface(uint8_t *out, size_t size, const struct capture_interface *i)
{
	struct block b = block_begin(out, size, BLOCK_INTERFACE);
	uint16_t link[2] = {LINKTYPE_ETHERNET, 0};
	uint8_t resolution = 9; /* 10^-9 s */

	put_bytes(&b, link, sizeof(link));
	put_u32(&b, CAPTURE_SNAP);
	put_text(&b, IF_NAME, i->name, sizeof(i->name));
	put_text(&b, IF_DESCRIPTION, i->description, sizeof(i->description));
	put_option(&b, IF_TSRESOL, &resolution, sizeof(resolution));
	put_option(&b, OPT_END, NULL, 0);
	return block_end(&b);
}

size_t capture_encode_packet(uint8_t *out, size_t size, const struct capture_packet *p)
{
	struct block b = block_begin(out, size, BLOCK_PACKET);
	uint32_t flags = p->outbound ? EPB_OUTBOUND : EPB_INBOUND;

	put_u32(&b, p->interface);
	put_stamp(&b, p->stamp_ns);
	put_u32(&b, p->len);
	put_u32(&b, p->orig_len);
	put_bytes(&b, p->data, p->len);
	if (p->comment != NULL)
		put_text(&b, OPT_COMMENT, p->comment, UINT16_MAX);
	put_option(&b, EPB_FLAGS, &flags, sizeof(flags));
	if (p->drops > 0)
		put_option(&b, EPB_DROPCOUNT, &p->drops, sizeof(p->drops));
	put_option(&b, OPT_END, NULL, 0);
	return block_end(&b);
}

size_t capture_encode_statistics(uint8_t *out, size_t size, uint32_t interface, int64_t start_ns,
				 int64_t end_ns, uint64_t received, uint64_t dropped)
{
	struct block b = block_begin(out, size, BLOCK_STATISTICS);
	const uint16_t times[2] = {ISB_STARTTIME, 8}, ends[2] = {ISB_ENDTIME, 8};

	put_u32(&b, interface);
	put_stamp(&b, end_ns);
	put_bytes(&b, times, sizeof(times));
	put_stamp(&b, start_ns);
	put_bytes(&b, ends, sizeof(ends));
	put_stamp(&b, end_ns);
	put_option(&b, ISB_IFRECV, &received, sizeof(received));
	put_option(&b, ISB_IFDROP, &dropped, sizeof(dropped));
	put_option(&b, OPT_END, NULL, 0);
	return block_end(&b);
}
