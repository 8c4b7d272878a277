/* SPDX-License-Identifier: BSD-2-Clause */
/* POP3 and IMAP only as far as their change to TLS (RFC 2595): who asks for it, and whether it is granted.
 * After a few lines without it there will be none, and nothing of the flow is looked at any more. */
#include "proto/apps_priv.h"

#define LINE_MAX_LEN 512u
#define TAG_MAX 32u
#define LINES 32u /* of the client, until it logs on or asks */

struct starttls {
	bool asked, skip[2];
	uint8_t lines, tag_len;
	uint8_t tag[TAG_MAX]; /* what the answer begins with (IMAP) */
};

static int starttls_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct starttls));
	return a->state == NULL ? SKEP_EFULL : 0;
}

static void starttls_close(struct app *a)
{
	slab_free(a->ctx->slab, a->state);
	a->state = NULL;
}

static void client_line(struct app *a, struct starttls *s, struct span line)
{
	if (s->lines++ == LINES)
		a->wants_none = true;
	s->asked = false;
	if (a->proto == APP_POP3) {
		s->asked = line.len == 4 && begins(line.data, line.len, "STLS");
		return;
	}
	const uint8_t *space = line.len == 0 ? NULL : memchr(line.data, ' ', line.len);
	uint32_t tag = space == NULL ? 0 : (uint32_t)(space - line.data);
	if (tag == 0 || tag > TAG_MAX || line.len - tag != 9 || !begins(space, 9, " STARTTLS"))
		return;
	memcpy(s->tag, line.data, tag);
	s->tag_len = (uint8_t)tag;
	s->asked = true;
}

/* True if the next byte belongs to TLS. */
static bool server_line(const struct app *a, struct starttls *s, struct span line)
{
	if (a->proto == APP_POP3) {
		s->asked = false;
		return begins(line.data, line.len, "+OK");
	}
	if (line.len <= s->tag_len || memcmp(line.data, s->tag, s->tag_len) != 0)
		return false; /* something else that the server tells */
	s->asked = false;
	return begins(line.data + s->tag_len, line.len - s->tag_len, " OK");
}

static uint32_t starttls_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			      unsigned flags, int64_t now_ns)
{
	struct starttls *s = a->state;
	uint32_t at = 0;
	struct line l;
	(void)now_ns;
	if ((flags & APP_GAP) != 0) {
		s->skip[dir] = true;
		return len;
	}
	if (dir == TO_CLIENT && !s->asked) /* answers to what is not asked here */
		return len;
	while (at < len && !a->wants_none) {
		if (s->skip[dir]) {
			const uint8_t *nl = memchr(data + at, '\n', len - at);
			at = nl == NULL ? len : (uint32_t)(nl + 1 - data);
			s->skip[dir] = nl == NULL;
			continue;
		}
		if (!line_next(data + at, len - at, LINE_MAX_LEN, (flags & APP_EOF) != 0, &l))
			break;
		at += l.used;
		s->skip[dir] = !l.whole;
		if (dir == TO_SERVER) {
			client_line(a, s, l.text);
		} else if (s->asked && server_line(a, s, l.text)) {
			app_switch(a, APP_TLS);
			return at;
		}
	}
	return at;
}

const struct app_ops app_pop3 = {
	.proto = APP_POP3,
	.tcp = true,
	.open = starttls_open,
	.close = starttls_close,
	.feed = starttls_feed,
};
const struct app_ops app_imap = {
	.proto = APP_IMAP,
	.tcp = true,
	.open = starttls_open,
	.close = starttls_close,
	.feed = starttls_feed,
};
