/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads pcapng and classic pcap, believing nothing: a block longer than 16 MiB, or whose two lengths differ, ends
 * the file; options are bounded by their block and packets by theirs; blocks of other kinds (simple
 * packets have no time and no flags, name resolution, custom ...) are stepped over. Several
 * sections in one file may differ in byte order.
 */
#include "capture/capture_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_MIN (256u << 10)
#define INTERFACES_MAX 4096u
#define COMMENT_MAX 512u
#define READ_ANY (256u << 10)
#define CLASSIC_US 0xa1b2c3d4u
#define CLASSIC_NS 0xa1b23c4du
#define CLASSIC_PATCHED 0xa1b2cd34u /* 24-byte packet headers, of an old patch to libpcap */
#define CLASSIC_HEADER 24u
#define CLASSIC_PACKET_MAX (1u << 20) /* longer ones are taken for damage */

struct interface {
	struct capture_interface about;
	uint16_t link;
	uint8_t resolution; /* as in if_tsresol */
	int64_t offset_s;
};

struct capture_reader {
	int fd;
	bool swap, end, started;
	bool classic, nanoseconds;
	uint16_t link;       /* classic: of all packets */
	uint32_t head;       /* classic: bytes before each packet */
	int64_t last_ns;     /* stamp of the last packet, for those that have none */
	uint64_t read_bytes; /* of the file, so far */
	uint8_t *buf;
	size_t cap, at, len;          /* window of the file: bytes at .. len are unread */
	struct interface *interfaces; /* of all sections so far */
	uint32_t n_interfaces, cap_interfaces, section_first;
	uint32_t last; /* interface of the last packet */
	char comment[COMMENT_MAX];
};

struct block {
	uint32_t type, len; /* len: of the body */
	const uint8_t *body;
};

static uint16_t get16(const struct capture_reader *r, const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return r->swap ? __builtin_bswap16(v) : v;
}

static uint32_t get32(const struct capture_reader *r, const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return r->swap ? __builtin_bswap32(v) : v;
}

static uint64_t get64(const struct capture_reader *r, const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return r->swap ? __builtin_bswap64(v) : v;
}

/* Makes n bytes available at r->at. SKEP_ENOTFOUND: the file ended before the first of them. */
static int fill(struct capture_reader *r, size_t n)
{
	if (r->len - r->at >= n)
		return 0;
	memmove(r->buf, r->buf + r->at, r->len - r->at);
	r->len -= r->at;
	r->at = 0;
	if (n > r->cap) {
		size_t cap = r->cap;
		while (cap < n)
			cap *= 2;
		uint8_t *more = realloc(r->buf, cap);
		if (more == NULL)
			return -ENOMEM;
		r->buf = more;
		r->cap = cap;
	}
	while (r->len < n && !r->end) {
		ssize_t got = read(r->fd, r->buf + r->len, r->cap - r->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		r->end = got == 0;
		r->read_bytes += (uint64_t)got;
		r->len += (size_t)got;
	}
	if (r->len >= n)
		return 0;
	return r->len == 0 ? SKEP_ENOTFOUND : SKEP_ETRUNC;
}

/* A section header tells the byte order of all that follows, its own length included. */
static int learn_order(struct capture_reader *r)
{
	uint32_t magic;
	int err = fill(r, 12);
	if (err != 0)
		return err == SKEP_ENOTFOUND ? SKEP_ETRUNC : err;
	memcpy(&magic, r->buf + r->at + 8, sizeof(magic));
	if (magic != PCAPNG_MAGIC && magic != __builtin_bswap32(PCAPNG_MAGIC))
		return SKEP_EFORMAT;
	r->swap = magic != PCAPNG_MAGIC;
	r->section_first = r->n_interfaces;
	return 0;
}

static int next_block(struct capture_reader *r, struct block *ret)
{
	int err = fill(r, 8);
	if (err != 0)
		return err;
	uint32_t type = get32(r, r->buf + r->at);
	if (type == BLOCK_SECTION) { /* the same in both orders */
		err = learn_order(r);
		if (err != 0)
			return err;
	} else if (!r->started) {
		return SKEP_EFORMAT;
	}
	uint32_t total = get32(r, r->buf + r->at + 4);
	if (total < PCAPNG_BLOCK_MIN || total % 4 != 0 || total > PCAPNG_BLOCK_MAX)
		return SKEP_EFORMAT;
	err = fill(r, total);
	if (err != 0)
		return err;
	const uint8_t *p = r->buf + r->at;
	if (get32(r, p + total - 4) != total)
		return SKEP_EFORMAT;
	r->started = true;
	r->at += total;
	*ret = (struct block){type, total - PCAPNG_BLOCK_MIN, p + 8};
	return 0;
}

/* Next option of the list in [*at, end); false: no more, or damaged (the rest is ignored). */
static bool next_option(const struct capture_reader *r, const uint8_t **at, const uint8_t *end,
			uint16_t *ret_code, const uint8_t **ret_value, uint16_t *ret_len)
{
	if (end - *at < 4)
		return false;
	uint16_t code = get16(r, *at), len = get16(r, *at + 2);
	if (code == OPT_END || len > end - *at - 4)
		return false;
	*ret_code = code;
	*ret_len = len;
	*ret_value = *at + 4;
	size_t step = 4 + (((size_t)len + 3) & ~(size_t)3);
	*at = step < (size_t)(end - *at) ? *at + step : end;
	return true;
}

/* Text of a file for our own use: cut at size, no NUL inside. */
static void copy_text(char *dst, size_t size, const uint8_t *from, uint16_t len)
{
	size_t n = len < size - 1 ? len : size - 1;
	memcpy(dst, from, n);
	dst[n] = '\0';
}

static int add_interface(struct capture_reader *r, const struct block *b)
{
	if (b->len < 8)
		return SKEP_EFORMAT;
	if (r->n_interfaces >= INTERFACES_MAX)
		return SKEP_EFULL;
	if (r->n_interfaces == r->cap_interfaces) {
		uint32_t cap = r->cap_interfaces > 0 ? r->cap_interfaces * 2 : 8;
		struct interface *more = realloc(r->interfaces, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		r->interfaces = more;
		r->cap_interfaces = cap;
	}
	struct interface *i = &r->interfaces[r->n_interfaces++];
	*i = (struct interface){.link = get16(r, b->body), .resolution = 6};
	const uint8_t *at = b->body + 8, *end = b->body + b->len, *value;
	uint16_t code, len;
	while (next_option(r, &at, end, &code, &value, &len)) {
		if (code == IF_NAME)
			copy_text(i->about.name, sizeof(i->about.name), value, len);
		else if (code == IF_DESCRIPTION)
			copy_text(i->about.description, sizeof(i->about.description), value, len);
		else if (code == IF_TSRESOL && len == 1)
			i->resolution = value[0];
		else if (code == IF_TSOFFSET && len == 8)
			i->offset_s = (int64_t)get64(r, value);
	}
	return 0;
}

/* Units of the interface -> ns since the epoch; what does not fit becomes the nearest that does. */
static int64_t stamp_of(const struct interface *i, uint64_t units)
{
	unsigned exponent = i->resolution & 0x7f;
	__int128 ns = units;
	if ((i->resolution & 0x80) != 0) {
		ns = exponent < 64 ? (__int128)(((unsigned __int128)units * NS_PER_SEC) >> exponent)
				   : 0;
	} else {
		for (; exponent < 9; exponent++)
			ns *= 10;
		for (; exponent > 9 && ns > 0; exponent--)
			ns /= 10;
	}
	ns += (__int128)i->offset_s * NS_PER_SEC;
	return ns > INT64_MAX ? INT64_MAX : ns < 0 ? 0 : (int64_t)ns;
}

/* The packet of a block, without its options. */
static int packet_of(const struct capture_reader *r, const struct block *b,
		     struct capture_packet *ret)
{
	if (b->len < 20)
		return SKEP_EFORMAT;
	uint32_t in_section = get32(r, b->body), len = get32(r, b->body + 12);
	if (in_section >= r->n_interfaces - r->section_first || len > b->len - 20)
		return SKEP_EFORMAT;
	uint32_t interface = r->section_first + in_section;
	uint64_t units = (uint64_t)get32(r, b->body + 4) << 32 | get32(r, b->body + 8);
	*ret = (struct capture_packet){
		.interface = interface,
		.stamp_ns = stamp_of(&r->interfaces[interface], units),
		.data = b->body + 20,
		.len = len,
		.orig_len = get32(r, b->body + 16),
	};
	return 0;
}

static int read_packet(struct capture_reader *r, const struct block *b, struct capture_packet *ret)
{
	int err = packet_of(r, b, ret);
	if (err != 0)
		return err;
	size_t padded = ((size_t)ret->len + 3) & ~(size_t)3;
	const uint8_t *end = b->body + b->len, *value;
	const uint8_t *at = padded < b->len - 20 ? ret->data + padded : end;
	uint16_t code, n;
	while (next_option(r, &at, end, &code, &value, &n)) {
		if (code == OPT_COMMENT && ret->comment == NULL) {
			copy_text(r->comment, sizeof(r->comment), value, n);
			ret->comment = r->comment;
		} else if (code == EPB_FLAGS && n == 4) {
			ret->outbound = (get32(r, value) & 3) == EPB_OUTBOUND;
		} else if (code == EPB_DROPCOUNT && n == 8) {
			ret->drops = get64(r, value);
		}
	}
	return 0;
}

/* The header of a classic file; SKEP_EFORMAT: it is none. */
static int learn_classic(struct capture_reader *r)
{
	for (unsigned i = 0; i < 2; i++) {
		r->swap = i == 1;
		uint32_t m = get32(r, r->buf);
		if (m != CLASSIC_US && m != CLASSIC_NS && m != CLASSIC_PATCHED)
			continue;
		int err = fill(r, CLASSIC_HEADER);
		if (err != 0)
			return err;
		r->classic = true;
		r->nanoseconds = m == CLASSIC_NS;
		r->head = m == CLASSIC_PATCHED ? 24 : 16;
		r->link = (uint16_t)get32(r, r->buf + 20); /* above: length of a checksum */
		r->at = CLASSIC_HEADER;
		return 0;
	}
	return SKEP_EFORMAT;
}

static int open_reader(int fd, size_t cap, bool classic_too, struct capture_reader **ret)
{
	struct capture_reader *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	r->fd = fd;
	r->cap = cap;
	r->buf = malloc(r->cap);
	int err = r->buf != NULL ? fill(r, 12) : -ENOMEM;
	if (err == 0 && get32(r, r->buf) == BLOCK_SECTION)
		err = learn_order(r);
	else if (err == 0)
		err = classic_too ? learn_classic(r) : SKEP_EFORMAT;
	if (err != 0) {
		capture_reader_free(&r);
		return err == SKEP_ENOTFOUND ? SKEP_ETRUNC : err;
	}
	*ret = r;
	return 0;
}

int capture_open(int fd, struct capture_reader **ret)
{
	return open_reader(fd, READ_MIN, false, ret);
}

int capture_open_any(int fd, struct capture_reader **ret)
{
	return open_reader(fd, READ_ANY, true, ret);
}

int capture_next(struct capture_reader *r, struct capture_packet *ret,
		 const char **ret_interface_name)
{
	struct capture_packet p;
	struct block b;
	int err;
	while ((err = next_block(r, &b)) == 0) {
		if (b.type == BLOCK_INTERFACE)
			err = add_interface(r, &b);
		else if (b.type == BLOCK_PACKET)
			err = read_packet(r, &b, &p);
		if (err != 0)
			return err;
		if (b.type != BLOCK_PACKET || r->interfaces[p.interface].link != LINKTYPE_ETHERNET)
			continue;
		r->last = p.interface;
		*ret = p;
		*ret_interface_name = r->interfaces[p.interface].about.name;
		return 0;
	}
	return err;
}

static int next_classic(struct capture_reader *r, struct capture_frame *ret)
{
	int err = fill(r, r->head);
	if (err != 0)
		return err;
	uint32_t len = get32(r, r->buf + r->at + 8);
	if (len > CLASSIC_PACKET_MAX)
		return SKEP_EFORMAT;
	err = fill(r, r->head + len);
	if (err != 0)
		return err;
	const uint8_t *p = r->buf + r->at;
	int64_t fraction = get32(r, p + 4);
	ret->stamp_ns = get32(r, p) * NS_PER_SEC + (r->nanoseconds ? fraction : fraction * 1000);
	ret->wire_len = get32(r, p + 12);
	ret->data = p + r->head;
	ret->len = len;
	ret->link = r->link;
	r->at += r->head + len;
	return 0;
}

/* Simple packet blocks: of the section's first interface, without a time of their own. False: of no
 * interface, or without a length; such a one is stepped over, the blocks behind it are whole. */
static bool simple_packet(const struct capture_reader *r, const struct block *b,
			  struct capture_packet *ret)
{
	if (b->len < 4 || r->section_first >= r->n_interfaces)
		return false;
	uint32_t wire = get32(r, b->body);
	*ret = (struct capture_packet){
		.interface = r->section_first,
		.stamp_ns = r->last_ns,
		.data = b->body + 4,
		.len = wire < b->len - 4 ? wire : b->len - 4,
		.orig_len = wire,
	};
	return true;
}

int capture_next_any(struct capture_reader *r, struct capture_frame *ret)
{
	struct capture_packet p;
	struct block b;
	int err;
	if (r->classic)
		return next_classic(r, ret);
	while ((err = next_block(r, &b)) == 0) {
		if (b.type == BLOCK_INTERFACE)
			err = add_interface(r, &b);
		else if (b.type == BLOCK_PACKET)
			err = packet_of(r, &b, &p);
		else if (b.type == BLOCK_SIMPLE && !simple_packet(r, &b, &p))
			continue;
		if (err != 0)
			return err;
		if (b.type != BLOCK_PACKET && b.type != BLOCK_SIMPLE)
			continue;
		r->last_ns = p.stamp_ns;
		*ret = (struct capture_frame){.stamp_ns = p.stamp_ns,
					      .data = p.data,
					      .len = p.len,
					      .wire_len = p.orig_len,
					      .link = r->interfaces[p.interface].link};
		return 0;
	}
	return err;
}

uint64_t capture_bytes_read(const struct capture_reader *r)
{
	return r->read_bytes - (r->len - r->at);
}

const char *capture_interface_description(const struct capture_reader *r)
{
	return r->last < r->n_interfaces ? r->interfaces[r->last].about.description : "";
}

void capture_reader_free(struct capture_reader **r)
{
	if (*r == NULL)
		return;
	free((*r)->buf);
	free((*r)->interfaces);
	free(*r);
	*r = NULL;
}
