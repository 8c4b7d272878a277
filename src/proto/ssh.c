/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SSH (RFC 4253): the banners, the key exchange proposals and their fingerprints (HASSH, HASSHserver).
 * One transaction a flow, over when both sides have switched to new keys.
 */
#include "base/digest.h"
#include "proto/proto_priv.h"

#include <string.h>

#define BANNER_MAX 255u
#define LINE_MAX_ALL 8192u /* of other lines before a banner, each */
#define PACKET_MAX 65536u  /* one packet before encryption */
#define KEX_LISTS 10u

enum ssh_event { SSH_INVALID_BANNER, SSH_LONG_BANNER, SSH_INVALID_RECORD, SSH_LONG_KEX };
static const char *const events[] = {"invalid_banner", "long_banner", "invalid_record",
				     "long_kex_record", NULL};
enum message { MSG_KEXINIT = 20, MSG_NEWKEYS = 21 };

struct ssh_side {
	uint8_t *banner; /* slab; behind "SSH-" */
	uint32_t len, proto_len, software_at, software_len;
	char *hassh; /* the string; slab */
	uint32_t hassh_len;
	char hash[33];
};
struct ssh_tx {
	struct app_tx tx;
	struct ssh_side side[2];
};
struct ssh_state {
	struct ssh_tx *tx; /* NULL once it was swept */
	uint32_t skip[2];
	bool banner[2], in_line[2], over[2]; /* in_line: inside an overlong line */
};

static struct ssh_tx *tx_of(struct app *a, int64_t now_ns)
{
	struct ssh_state *s = a->state;
	if (s->tx == NULL)
		s->tx = (struct ssh_tx *)app_tx_new(a, sizeof(*s->tx), now_ns);
	return s->tx;
}

static void event(struct app *a, enum ssh_event e, int64_t now_ns)
{
	struct ssh_tx *t = tx_of(a, now_ns);
	if (t != NULL)
		app_tx_event(&t->tx, e);
}

static void reach(struct ssh_tx *t, unsigned dir, uint8_t progress)
{
	if (t != NULL && t->tx.progress[dir] < progress)
		t->tx.progress[dir] = progress;
}

static void side_over(struct app *a, unsigned dir)
{
	struct ssh_state *s = a->state;
	s->over[dir] = true;
	reach(s->tx, dir, APP_DONE);
	if (s->over[0] && s->over[1])
		a->wants_none = true;
}

/* ---- banner ------------------------------------------------------------------------------------------------ */

/* A line without its end. True: it was the banner. */
static bool take_line(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	if (len < 4 || memcmp(d, "SSH-", 4) != 0)
		return false;
	struct ssh_tx *t = tx_of(a, now_ns);
	if (t == NULL)
		return true;
	if (len > BANNER_MAX) {
		event(a, SSH_LONG_BANNER, now_ns);
		len = BANNER_MAX;
	}
	struct ssh_side *s = &t->side[dir];
	d += 4;
	len -= 4;
	const uint8_t *dash = len != 0 ? memchr(d, '-', len) : NULL;
	if (dash == NULL || dash == d) {
		event(a, SSH_INVALID_BANNER, now_ns);
	} else {
		s->banner = app_copy(a, d, len);
		s->len = s->banner != NULL ? len : 0;
		s->proto_len = s->banner != NULL ? (uint32_t)(dash - d) : 0;
		s->software_at = s->proto_len + 1;
		uint32_t end = s->software_at;
		while (end < s->len && s->banner[end] != ' ' && s->banner[end] != '\r')
			end++;
		s->software_len = s->len != 0 ? end - s->software_at : 0;
	}
	reach(t, dir, SSH_GOT_BANNER);
	return true;
}

/* Reads lines up to the banner. Returns the bytes taken. */
static uint32_t lines(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct ssh_state *s = a->state;
	uint32_t at = 0;
	while (at < len && !s->banner[dir]) {
		const uint8_t *end = memchr(d + at, '\n', len - at);
		uint32_t n = end != NULL ? (uint32_t)(end - d) - at : len - at;
		if (end == NULL && n < LINE_MAX_ALL)
			return at;
		if (end != NULL && n > LINE_MAX_ALL)
			n = LINE_MAX_ALL; /* the same as if it had come in pieces */
		if (n >= LINE_MAX_ALL) {
			if (!s->in_line[dir])
				s->banner[dir] = take_line(a, dir, d + at, LINE_MAX_ALL, now_ns);
			s->in_line[dir] = true;
			at += LINE_MAX_ALL;
			if (s->banner[dir])
				s->skip[dir] = UINT32_MAX; /* its line has no end we wait for */
			continue;
		}
		uint32_t text = n != 0 && d[at + n - 1] == '\r' ? n - 1 : n;
		if (!s->in_line[dir])
			s->banner[dir] = take_line(a, dir, d + at, text, now_ns);
		s->in_line[dir] = false;
		at += n + 1;
	}
	return at;
}

/* ---- key exchange ------------------------------------------------------------------------------------------ */

static void take_kexinit(struct app *a, unsigned dir, const uint8_t *d, uint32_t len,
			 int64_t now_ns)
{
	struct reader r = reader_of(d, len), lists[KEX_LISTS];
	read_bytes(&r, 16);
	for (unsigned i = 0; i < KEX_LISTS; i++) {
		uint32_t n = read_be32(&r);
		const uint8_t *p = read_bytes(&r, n);
		lists[i] = reader_of(p, p != NULL ? n : 0);
	}
	struct ssh_tx *t = tx_of(a, now_ns);
	if (r.bad)
		event(a, SSH_INVALID_RECORD, now_ns);
	if (r.bad || t == NULL || t->side[dir].hassh != NULL)
		return;
	struct ssh_side *s = &t->side[dir];
	/* key exchange; then cipher, MAC and compression of the side's own direction */
	const unsigned own = dir == TO_SERVER ? 0 : 1, pick[4] = {0, 2 + own, 4 + own, 6 + own};
	uint32_t size = 0;
	for (unsigned i = 0; i < 4; i++)
		size += (uint32_t)reader_left(&lists[pick[i]]) + (i != 0 ? 1 : 0);
	s->hassh = slab_alloc(a->ctx->slab, (size_t)size + 1);
	if (s->hassh == NULL)
		return;
	for (unsigned i = 0; i < 4; i++) {
		size_t n = reader_left(&lists[pick[i]]);
		if (i != 0)
			s->hassh[s->hassh_len++] = ';';
		if (n != 0)
			memcpy(s->hassh + s->hassh_len, lists[pick[i]].at, n);
		s->hassh_len += (uint32_t)n;
	}
	uint8_t md5[16];
	digest_md5(s->hassh, s->hassh_len, md5);
	digest_hex(md5, 16, s->hash);
	reach(t, dir, SSH_GOT_KEX);
}

/* One packet. Returns the bytes taken; 0: more are needed. */
static uint32_t packet(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct ssh_state *s = a->state;
	if (len < 6)
		return 0;
	uint32_t size = load_be32(d);
	if (size < 2 || size > PACKET_MAX || d[4] > size - 1) {
		event(a,
		      size > PACKET_MAX && d[5] == MSG_KEXINIT ? SSH_LONG_KEX : SSH_INVALID_RECORD,
		      now_ns);
		side_over(a, dir);
		return len;
	}
	uint8_t type = d[5];
	if (type == MSG_NEWKEYS) {
		side_over(a, dir);
		return len;
	}
	if (type != MSG_KEXINIT) { /* nobody reads it */
		uint32_t have = len - 4 < size ? len - 4 : size;
		s->skip[dir] = size - have;
		return 4 + have;
	}
	if (len - 4 < size)
		return 0;
	take_kexinit(a, dir, d + 6, size - 1 - d[4] > 1 ? size - 2 - d[4] : 0, now_ns);
	return 4 + size;
}

/* ---- the flow ---------------------------------------------------------------------------------------------- */

static uint32_t ssh_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct ssh_state *s = a->state;
	uint32_t at = 0;
	if ((flags & APP_GAP) != 0) {
		if (s->banner[dir] && len <= s->skip[dir])
			s->skip[dir] -= len;
		else
			side_over(a, dir);
		return len;
	}
	while (at < len && !s->over[dir]) {
		uint32_t n;
		if (!s->banner[dir]) {
			n = lines(a, dir, data + at, len - at, now_ns);
		} else if (s->skip[dir] != 0) {
			n = s->skip[dir] < len - at ? s->skip[dir] : len - at;
			s->skip[dir] -= n;
		} else {
			n = packet(a, dir, data + at, len - at, now_ns);
		}
		if (n == 0)
			break;
		at += n;
	}
	if (s->over[dir])
		at = len;
	if ((flags & APP_EOF) != 0)
		side_over(a, dir);
	return at;
}

static int ssh_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct ssh_state));
	return a->state != NULL ? 0 : -1;
}

static void ssh_close(struct app *a)
{
	slab_free(a->ctx->slab, a->state);
	a->state = NULL;
}

static void ssh_tx_free(struct app *a, struct app_tx *tx)
{
	struct ssh_tx *t = (struct ssh_tx *)tx;
	struct ssh_state *s = a->proto == APP_SSH ? a->state : NULL;
	for (unsigned d = 0; d < 2; d++) {
		slab_free(a->ctx->slab, t->side[d].banner);
		slab_free(a->ctx->slab, t->side[d].hassh);
	}
	if (s != NULL && s->tx == t)
		s->tx = NULL;
}

static bool ssh_tx_keep(struct app *a, struct app_tx *tx)
{
	struct ssh_state *s = a->proto == APP_SSH ? a->state : NULL;
	const struct ssh_tx *t = (const struct ssh_tx *)tx;
	if (t->side[0].banner == NULL && t->side[1].banner == NULL)
		return false; /* an oddity behind the handshake */
	if (s != NULL && s->tx == t)
		s->tx = NULL;
	return true;
}

static int ssh_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	const struct ssh_side *s = &((const struct ssh_tx *)tx)->side[dir];
	if (index != 0)
		return 1;
	switch ((unsigned)b) {
	case BUF_SSH_PROTO:
		*ret = (struct span){s->banner, s->proto_len};
		return s->proto_len == 0;
	case BUF_SSH_SOFTWARE:
		*ret = (struct span){s->banner + s->software_at, s->software_len};
		return s->software_len == 0;
	case BUF_SSH_HASSH:
	case BUF_SSH_HASSH_SERVER:
		*ret = (struct span){(const uint8_t *)s->hash, 32};
		return s->hassh == NULL || (b == BUF_SSH_HASSH) != (dir == TO_SERVER);
	case BUF_SSH_HASSH_STRING:
	case BUF_SSH_HASSH_SERVER_STRING:
		*ret = (struct span){(const uint8_t *)s->hassh, s->hassh_len};
		return s->hassh == NULL || (b == BUF_SSH_HASSH_STRING) != (dir == TO_SERVER);
	default:
		return 1;
	}
}

static void put_side(const struct ssh_side *s, const char *key, json_t *o)
{
	if (s->proto_len == 0 && s->hassh == NULL)
		return;
	json_t *side = json_object();
	if (s->proto_len != 0) {
		json_object_set_new(side, "proto_version", app_json_bytes(s->banner, s->proto_len));
		json_object_set_new(side, "software_version",
				    app_json_bytes(s->banner + s->software_at, s->software_len));
	}
	if (s->hassh != NULL) {
		json_t *h = json_object();
		json_object_set_new(h, "hash", json_string(s->hash));
		json_object_set_new(h, "string",
				    app_json_bytes((const uint8_t *)s->hassh, s->hassh_len));
		json_object_set_new(side, "hassh", h);
	}
	json_object_set_new(o, key, side);
}

static bool ssh_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct ssh_tx *t = (const struct ssh_tx *)tx;
	put_side(&t->side[TO_SERVER], "client", o);
	put_side(&t->side[TO_CLIENT], "server", o);
	return json_object_size(o) != 0;
}

const struct app_ops app_ssh = {
	.proto = APP_SSH,
	.eve_key = "ssh",
	.events = events,
	.tcp = true,
	.open = ssh_open,
	.close = ssh_close,
	.feed = ssh_feed,
	.tx_free = ssh_tx_free,
	.keep = ssh_tx_keep,
	.buffer = ssh_buffer,
	.eve = ssh_eve,
};
