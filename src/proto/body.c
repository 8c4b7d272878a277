/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing buffers, files, and the small helpers that protocols share. */
#include "base/digest.h"
#include "proto/proto_priv.h"

#include <string.h>

#define FILES_MAX 256u /* of one transaction: every packet walks them */

/* A file and what only this file needs of it. Protocols see the first member. */
struct file_own {
	struct app_file f; /* first: the two are one block */
	struct sha256 sha;
};

uint8_t *app_copy(struct app *a, const uint8_t *data, uint32_t len)
{
	if (len == 0)
		return NULL;
	uint8_t *p = slab_alloc(a->ctx->slab, len);
	if (p != NULL)
		memcpy(p, data, len);
	return p;
}

/* Makes room for len more bytes behind b->len; false: none, and the oldest bytes were not touched. */
static bool body_room(struct app *a, struct app_body *b, uint32_t len, uint32_t most)
{
	uint32_t need = b->len + len;
	if (need <= b->cap)
		return true;
	uint32_t want = need < most / 2 ? need * 2 : most;
	if (want < 256)
		want = 256;
	uint8_t *p = slab_grow(a->ctx->slab, b->data, want);
	if (p == NULL)
		return false;
	b->data = p;
	size_t size = slab_size(p);
	b->cap = size > most ? most : (uint32_t)size;
	if (b->cap < need)
		b->cap = need;
	return true;
}

/* Bytes leave at the front in strides, so that each is moved a few times at most. */
static void add(struct app *a, struct app_body *b, const uint8_t *data, uint32_t len, uint32_t max)
{
	b->total += len;
	if (len >= max) { /* these bytes alone fill it */
		b->base += b->len + (uint64_t)(len - max);
		b->len = 0;
		data += len - max;
		len = max;
	}
	uint32_t most = max + max / 4;
	if (b->len + len > most) {
		uint32_t drop = b->len + len - max;
		memmove(b->data, b->data + drop, b->len - drop);
		b->len -= drop;
		b->base += drop;
	}
	if (len == 0)
		return;
	if (!body_room(a, b, len,
		       most)) { /* memory is out: what is new is lost, offsets stay true */
		b->base += b->len + (uint64_t)len;
		b->len = 0;
		return;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

/* What comes at once may be more than is kept (a gap that closes, a decoder): then in portions, each of which is
 * looked at before it goes. */
void app_body_add(struct app *a, struct app_body *b, const uint8_t *data, uint32_t len,
		  uint32_t max)
{
	if (max == 0 || max > SLAB_MAX / 2)
		max = max == 0 ? 1 : SLAB_MAX / 2;
	uint32_t portion = max / 2 > 0 ? max / 2 : 1;
	do {
		if (b->unseen >= portion && a->ctx->full != NULL) {
			b->unseen = 0;
			a->ctx->full(a->ctx->full_ctx, a);
		}
		uint32_t room = portion - (b->unseen < portion ? b->unseen : 0);
		uint32_t n = a->ctx->full != NULL && len > room ? room : len;
		add(a, b, data, n, max);
		b->unseen += n;
		data += n;
		len -= n;
	} while (len > 0);
}

void app_body_free(struct app *a, struct app_body *b)
{
	slab_free(a->ctx->slab, b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

struct app_file *app_file_open(struct app *a, struct app_tx *tx, unsigned dir, const uint8_t *name,
			       uint32_t name_len)
{
	struct app_file **at = &tx->files;
	uint32_t before = 0;
	for (; *at != NULL; at = &(*at)->next)
		before++;
	a->full |= before == FILES_MAX;
	if (before == FILES_MAX)
		return NULL;
	struct file_own *o = slab_alloc(a->ctx->slab, sizeof(*o) + sizeof(struct app_body));
	if (o == NULL)
		return NULL;
	memset(o, 0, sizeof(*o) + sizeof(struct app_body));
	struct app_file *f = &o->f;
	f->body = (struct app_body *)(o + 1);
	f->name_len = (uint16_t)(name_len < sizeof(f->name) ? name_len : sizeof(f->name) - 1);
	if (f->name_len != 0)
		memcpy(f->name, name, f->name_len);
	f->dir = (uint8_t)dir;
	f->file_id = ++a->files_made;
	if (a->ctx->conf.hash_files)
		sha256_begin(&o->sha);
	*at = f;
	return f;
}

void app_file_add(struct app *a, struct app_file *f, const uint8_t *data, uint32_t len,
		  uint32_t max)
{
	if (f->closed)
		return;
	f->size += len;
	if (a->ctx->conf.hash_files)
		sha256_add(&((struct file_own *)f)->sha, data, len);
	app_body_add(a, f->body, data, len, max);
}

void app_file_close(struct app *a, struct app_file *f, bool whole)
{
	if (f->closed)
		return;
	f->closed = true;
	f->truncated = !whole;
	f->body->complete = true;
	if (a->ctx->conf.hash_files && whole && !f->gaps) {
		sha256_end(&((struct file_own *)f)->sha, f->sha256);
		f->hashed = true;
	}
}

/* Length of the well-formed UTF-8 sequence at p, or 0. */
static uint32_t utf8_len(const uint8_t *p, uint32_t left)
{
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t n = p[0] < 0x80                   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : (p[0] & 0xf0) == 0xe0       ? 3
						   : 4;
	if (n == 1)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > left)
		return 0;
	uint32_t c = p[0] & (0x7fu >> n);
	for (uint32_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

json_t *app_json_bytes(const uint8_t *data, uint32_t len)
{
	uint32_t at = 0;
	while (at < len) {
		uint32_t n = utf8_len(data + at, len - at);
		if (n == 0)
			break;
		at += n;
	}
	if (at == len)
		return json_stringn_nocheck(len != 0 ? (const char *)data : "", len);
	char text[4096]; /* longer foreign text is cut */
	struct writer w = writer_of(text, sizeof(text));
	for (uint32_t i = 0; i < len && w.len + 5 < sizeof(text); i++) {
		uint8_t c = data[i];
		if (c >= 0x20 && c < 0x7f)
			w.buf[w.len++] = (char)c;
		else
			write_fmt(&w, "\\x%02x", c);
	}
	return json_stringn_nocheck(text, w.len);
}
