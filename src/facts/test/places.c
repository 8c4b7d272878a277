/* SPDX-License-Identifier: BSD-2-Clause */
#include "places.h"

#include "base/base.h"

#include <libloc/database.h>
#include <libloc/format.h>
#include <libloc/libloc.h>
#include <libloc/network.h>
#include <libloc/writer.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STRING = 2, U16 = 5, U32 = 6, MAP = 7, U64 = 9, ARRAY = 11, BOOLEAN = 14 };
#define NODES 256u

struct out {
	uint8_t b[8192];
	size_t n;
};

static void byte(struct out *o, size_t v)
{
	o->b[o->n++] = (uint8_t)v;
}

static void head(struct out *o, unsigned type, size_t size)
{
	byte(o, (type > 7 ? 0 : type) << 5 | (size < 29 ? size : 29));
	if (type > 7)
		byte(o, type - 7);
	if (size >= 29)
		byte(o, size - 29);
}

static void text(struct out *o, const char *s)
{
	head(o, STRING, strlen(s));
	while (*s != '\0')
		byte(o, (uint8_t)*s++);
}

static void number(struct out *o, const char *key, unsigned type, uint32_t v)
{
	text(o, key);
	head(o, type, 4 - (type == U16) * 2);
	for (int shift = type == U16 ? 8 : 24; shift >= 0; shift -= 8)
		byte(o, v >> shift & 0xff);
}

static void pair(struct out *o, const char *key, const char *value)
{
	text(o, key);
	text(o, value);
}

static void flag(struct out *o, const char *key)
{
	text(o, key);
	head(o, BOOLEAN, 1);
}

static uint32_t maxmind(struct out *data)
{
	uint32_t at = (uint32_t)data->n;

	head(data, MAP, 4);
	text(data, "country");
	head(data, MAP, 1);
	pair(data, "iso_code", "NZ");
	number(data, "autonomous_system_number", U32, 64500);
	pair(data, "autonomous_system_organization", "Example Net");
	text(data, "traits");
	head(data, MAP, 1);
	flag(data, "is_anonymous_proxy");
	return at;
}

static uint32_t another(struct out *data)
{
	uint32_t at = (uint32_t)data->n;

	head(data, MAP, 4);
	pair(data, "country", "PE");
	pair(data, "asn", "AS64501");
	pair(data, "as_name", "Andes");
	flag(data, "is_hosting_provider");
	return at;
}

struct tree {
	uint32_t n, to[NODES][2]; /* 0: nothing; a node; or from NODES on: data */
};

static void grow(struct tree *t, const uint8_t net[16], unsigned len, uint32_t data)
{
	uint32_t at = 0;

	for (unsigned i = 0; i + 1 < len; i++) {
		uint32_t *next = &t->to[at][net[i / 8] >> (7 - i % 8) & 1];

		if (*next == 0)
			*next = t->n++;
		at = *next;
	}
	t->to[at][net[(len - 1) / 8] >> (7 - (len - 1) % 8) & 1] = NODES + data;
}

static void metadata(struct out *o, uint32_t nodes)
{
	static const char mark[] = "\xab\xcd\xefMaxMind.com";

	memcpy(o->b + o->n, mark, sizeof(mark) - 1);
	o->n += sizeof(mark) - 1;
	head(o, MAP, 9);
	text(o, "languages");
	head(o, ARRAY, 0);
	text(o, "description");
	head(o, MAP, 0);
	number(o, "node_count", U32, nodes);
	number(o, "record_size", U16, 24);
	number(o, "ip_version", U16, 6);
	pair(o, "database_type", "Test");
	number(o, "binary_format_major_version", U16, 2);
	number(o, "binary_format_minor_version", U16, 0);
	number(o, "build_epoch", U64, 1700000000);
}

int places_mmdb(void)
{
	static const uint8_t v4[16] = {[12] = 1, 2, 3}, v6[16] = {0x20, 1, 0xd, 0xb8, 0, 5};
	struct tree t = {.n = 1};
	struct out data = {.n = 0}, o = {.n = 0};

	grow(&t, v4, 120, maxmind(&data));
	grow(&t, v6, 48, another(&data));
	for (uint32_t i = 0; i < t.n * 2; i++) {
		uint32_t to = t.to[i / 2][i % 2];
		uint32_t v = to == 0 ? t.n : to < NODES ? to : t.n + 16 + to - NODES;

		byte(&o, v >> 16);
		byte(&o, v >> 8 & 0xff);
		byte(&o, v & 0xff);
	}
	o.n += 16;
	memcpy(o.b + o.n, data.b, data.n);
	o.n += data.n;
	metadata(&o, t.n);
	int fd = memfd_create("test.mmdb", MFD_CLOEXEC);

	return fd >= 0 && write(fd, o.b, o.n) == (ssize_t)o.n ? fd : -1;
}

static bool add(struct loc_writer *w, const char *net, const char *country, uint32_t number_as,
		const char *name, uint32_t flags)
{
	struct loc_network *n = NULL;
	struct loc_as *as = NULL;

	if (loc_writer_add_network(w, &n, net) != 0 || loc_writer_add_as(w, &as, number_as) != 0)
		return false;
	bool fine = loc_network_set_country_code(n, country) == 0 &&
		    loc_network_set_asn(n, number_as) == 0 && loc_as_set_name(as, name) == 0 &&
		    (flags == 0 || loc_network_set_flag(n, flags) == 0);

	loc_network_unref(n);
	loc_as_unref(as);
	return fine;
}

int places_libloc(void)
{
	int fd = memfd_create("test.db", MFD_CLOEXEC), own = dup(fd);
	FILE *f = fdopen(own, "r+");
	struct loc_ctx *ctx = NULL;
	struct loc_writer *w = NULL;

	if (f == NULL || loc_new(&ctx) != 0 || loc_writer_new(ctx, &w, NULL, NULL) != 0)
		return -1;
	bool fine = add(w, "1.2.3.0/24", "NZ", 64500, "Example Net",
			LOC_NETWORK_FLAG_ANONYMOUS_PROXY) &&
		    add(w, "2001:db8:5::/48", "PE", 64501, "Andes", 0) &&
		    loc_writer_write(w, f, LOC_DATABASE_VERSION_UNSET) == 0;

	loc_writer_unref(w);
	loc_unref(ctx);
	return fclose(f) == 0 && fine ? fd : -1;
}
