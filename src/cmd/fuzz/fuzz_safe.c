/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes through the filter before the operator's terminal: what comes out passes it unchanged (so nothing came
 * together out of pieces that were left over), does not depend on where it was cut, and is valid UTF-8 without the
 * controls that ask or reach out. The first byte is the size of the pieces.
 */
#include "cmd/visit/safe.h"

#include <stdlib.h>
#include <string.h>

#define MOST 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct out {
	uint8_t *data;
	size_t len;
};

static void take(void *ctx, const void *data, size_t len)
{
	struct out *o = ctx;
	if (o->len + len > 4 * MOST)
		abort(); /* at most three bytes for one */
	memcpy(o->data + o->len, data, len);
	o->len += len;
}

static void filter(const uint8_t *data, size_t size, size_t piece, bool text_only, struct out *o)
{
	struct safe s = {.text_only = text_only};
	o->len = 0;
	for (size_t at = 0; at < size; at += piece)
		safe_feed(&s, data + at, size - at < piece ? size - at : piece, take, o);
}

static void same(const struct out *a, const struct out *b)
{
	if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t never[] = {0, 5, 0x11, 0x13, 0x18, 0x1a, 0x7f};
	struct out a, b;
	if (size < 2 || size > MOST)
		return 0;
	a.data = malloc(4 * MOST);
	b.data = malloc(4 * MOST);
	if (a.data == NULL || b.data == NULL)
		abort();
	filter(data + 1, size - 1, size, false, &a);
	filter(data + 1, size - 1, data[0] % 32u + 1, false, &b);
	same(&a, &b);
	for (size_t i = 0; i < sizeof(never); i++)
		if (memchr(a.data, never[i], a.len) != NULL)
			abort();
	filter(a.data, a.len < MOST ? a.len : MOST, MOST, false, &b);
	if (a.len <= MOST)
		same(&a, &b);
	filter(data + 1, size - 1, size, true, &a);
	if (memchr(a.data, 0x1b, a.len) != NULL)
		abort();
	free(a.data);
	free(b.data);
	return 0;
}
