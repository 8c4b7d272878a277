/* SPDX-License-Identifier: BSD-2-Clause */
/* FTP's data connections: known by what the control connection announced, never by their content. */
#include "proto/ftp/ftp_priv.h"

#define EXPECTED 256u /* announcements that are remembered at once */

struct ftp_table { /* by tag % EXPECTED; an older one gives way */
	uint32_t next_tag;
	struct {
		uint32_t tag;
		struct ftp_expected *is;
	} slot[EXPECTED];
};

struct ftp_data_tx {
	struct app_tx tx;
};

void ftp_expect(struct app *a, bool active, uint16_t port, bool store, struct span name,
		int64_t now_ns)
{
	struct app_ctx *c = a->ctx;
	const struct stream_flow *f = a->flow;
	if (c->stream == NULL || f == NULL)
		return;
	if (c->ftp_expected == NULL)
		c->ftp_expected = slab_zalloc(c->slab, sizeof(struct ftp_table));
	struct ftp_table *t = c->ftp_expected;
	struct ftp_expected *e = slab_alloc(c->slab, sizeof(*e));
	if (t == NULL || e == NULL) {
		slab_free(c->slab, e);
		return;
	}
	uint32_t tag = ++t->next_tag;
	e->store = store;
	e->name_len = name.len > FTP_NAME_MAX ? FTP_NAME_MAX : name.len;
	memcpy(e->name, name.data, e->name_len);
	slab_free(c->slab, t->slot[tag % EXPECTED].is);
	t->slot[tag % EXPECTED].tag = tag;
	t->slot[tag % EXPECTED].is = e;
	/* Addresses are the control connection's, whatever PORT says: others are bounces. */
	const struct addr *from = &f->addr[active ? 1 : 0], *to = &f->addr[active ? 0 : 1];
	if (stream_expect(c->stream, from, to, 0, port, f->id, tag, now_ns) != 0) {
		slab_free(c->slab, e);
		t->slot[tag % EXPECTED].is = NULL;
	}
}

bool ftp_data_claim(struct app *a)
{
	struct app_ctx *c = a->ctx;
	struct ftp_table *t = c->ftp_expected;
	uint64_t parent;
	uint32_t tag;
	if (t == NULL || c->stream == NULL || a->flow == NULL ||
	    !stream_expected(c->stream, a->flow, &parent, &tag))
		return false;
	if (t->slot[tag % EXPECTED].tag != tag)
		return false;
	a->expect_tag = tag;
	if (t->slot[tag % EXPECTED].is == NULL)
		return false;
	slab_free(c->slab, a->parent_name);
	a->parent_name = t->slot[tag % EXPECTED].is;
	t->slot[tag % EXPECTED].is = NULL;
	a->proto = a->proto_dir[0] = a->proto_dir[1] = APP_FTP_DATA;
	a->detected[0] = a->detected[1] = true;
	return true;
}

static void finish(struct app *a, struct app_tx *tx, bool whole)
{
	for (struct app_file *f = tx->files; f != NULL; f = f->next) {
		if (!f->closed)
			app_file_close(a, f, whole && !f->gaps);
	}
	tx->progress[TO_SERVER] = tx->progress[TO_CLIENT] = APP_DONE;
}

static struct app_tx *data_tx(struct app *a, unsigned dir, int64_t now_ns)
{
	const struct ftp_expected *e = a->parent_name;
	if (a->tx_next_id > 0)
		return a->tx_first; /* the one there is, or was */
	struct app_tx *tx = app_tx_new(a, sizeof(struct ftp_data_tx), now_ns);
	if (tx == NULL)
		return NULL;
	tx->progress[TO_SERVER] = tx->progress[TO_CLIENT] = 1;
	(void)app_file_open(a, tx, dir, e == NULL ? NULL : e->name, e == NULL ? 0 : e->name_len);
	return tx;
}

static uint32_t data_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			  unsigned flags, int64_t now_ns)
{
	struct app_tx *tx = len == 0 ? a->tx_first : data_tx(a, dir, now_ns);
	struct app_file *f = tx == NULL ? NULL : tx->files;
	bool ours = f != NULL && f->dir == dir && !f->closed;
	if (ours && (flags & APP_GAP) != 0)
		f->gaps = true;
	else if (ours && len > 0)
		app_file_add(a, f, data, len, body_max(a, dir));
	if ((flags & APP_EOF) != 0 && (ours || (tx != NULL && f == NULL)))
		finish(a, tx, true);
	return len;
}

static int data_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b,
		       unsigned dir, uint32_t index, struct span *ret, uint64_t *ret_base,
		       bool *ret_complete)
{
	const struct ftp_expected *e = a->parent_name;
	if (b == BUF_FTPDATA_COMMAND && e != NULL)
		return span_give(e->store ? "stor" : "retr", 4, index, ret);
	return file_give(tx, b, dir, index, ret, ret_base, ret_complete);
}

static bool data_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct ftp_expected *e = a->parent_name;
	if (e == NULL)
		return false;
	json_bytes(o, "filename", e->name, e->name_len);
	json_object_set_new(o, "command", json_string(e->store ? "STOR" : "RETR"));
	return true;
}

const struct app_ops app_ftp_data = {
	.proto = APP_FTP_DATA,
	.eve_key = "ftp_data",
	.tcp = true,
	.feed = data_feed,
	.buffer = data_buffer,
	.eve = data_eve,
};
