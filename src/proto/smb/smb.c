/* SPDX-License-Identifier: BSD-2-Clause */
/* SMB's records over TCP, and what both generations of it share. */
#include "proto/smb/smb.h"

#define WHOLE (72u * 1024) /* longer records are not waited for */
#define LOOK 512u          /* of those, so many bytes are */

static const char *const smb_events[] = {"internal_error",
					 "malformed_data",
					 "record_overflow",
					 "malformed_ntlmssp_request",
					 "malformed_ntlmssp_response",
					 "duplicate_negotiate",
					 "negotiate_malformed_dialects",
					 "file_overlap",
					 "request_to_client",
					 "response_to_server",
					 "read_request_too_large",
					 "read_response_too_large",
					 "write_request_too_large",
					 "negprot_max_read_size_too_small",
					 "negprot_max_write_size_too_small",
					 "negotiate_max_read_size_too_large",
					 "negotiate_max_write_size_too_large",
					 "read_queue_size_exceeded",
					 "read_queue_cnt_exceeded",
					 "write_queue_size_exceeded",
					 "write_queue_cnt_exceeded",
					 "unusual_ntlmssp_order",
					 "too_many_transactions",
					 "name_too_long",
					 NULL};

static int smb_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct smb));
	return a->state == NULL ? SKEP_EFULL : 0;
}

static void smb_close(struct app *a)
{
	struct smb *s = a->state;
	if (s == NULL)
		return;
	bytes_free(a, &s->dialects);
	for (unsigned i = 0; i < SMB_TREES; i++)
		bytes_free(a, &s->trees[i].share);
	for (unsigned i = 0; i < SMB_FILES; i++) {
		bytes_free(a, &s->files[i].name);
		slab_free(a->ctx->slab, s->files[i].rpc);
	}
	slab_free(a->ctx->slab, s);
	a->state = NULL;
}

struct smb_tx *smb_tx_new(struct app *a, uint8_t ver, uint16_t command, int64_t now_ns)
{
	struct smb_tx *t = (struct smb_tx *)app_tx_new(a, sizeof(*t), now_ns);
	if (t == NULL)
		return NULL;
	t->ver = ver;
	t->command = command;
	return t;
}

void smb_done(struct smb_tx *t)
{
	if (t != NULL)
		t->tx.progress[TO_SERVER] = t->tx.progress[TO_CLIENT] = APP_DONE;
}

/* ---- text -------------------------------------------------------------------------------------- */

static uint32_t utf8_put(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	p[0] = (uint8_t)(0xe0 | c >> 12);
	p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c & 0x3f));
	return 3;
}

void smb_text(struct app *a, struct bytes *b, const uint8_t *d, uint32_t len, bool utf16)
{
	uint8_t out[SMB_NAME + 4];
	uint32_t n = 0;
	for (uint32_t i = 0; i + utf16 < len && n < SMB_NAME; i += 1 + utf16) {
		uint32_t c = utf16 ? le16(d + i) : d[i];
		if (c == 0)
			break;
		if (utf16)
			n += utf8_put(out + n, c);
		else
			out[n++] = (uint8_t)c;
	}
	bytes_set(a, b, out, n, SMB_NAME);
}

void smb_ntlmssp(struct app *a, struct smb_tx *t, const uint8_t *d, uint32_t len)
{
	const uint8_t *p = len == 0 ? NULL : memmem(d, len, "NTLMSSP", 8);
	if (p == NULL)
		return;
	len -= (uint32_t)(p - d);
	if (len < 12 || le32(p + 8) != 3)
		return;
	t->ntlmssp = true;
	if (len < 64) {
		app_tx_event(&t->tx, SMB_BAD_NTLM_REQUEST);
		return;
	}
	bool utf16 = (le32(p + 60) & 1) != 0;
	struct bytes *to[3] = {&t->domain, &t->user, &t->host};
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *f = p + 28 + 8 * i;
		uint32_t n = le16(f), at = le32(f + 4);
		if (at > len || n > len - at) {
			app_tx_event(&t->tx, SMB_BAD_NTLM_REQUEST);
			continue;
		}
		smb_text(a, to[i], p + at, n, utf16);
	}
	if ((le32(p + 60) & 0x02000000) != 0 && len >= 72) {
		memcpy(t->ntlm_version, p + 64, 4);
		t->has_ntlm_version = true;
	}
}

/* ---- requests that wait ---------------------------------------------------------------------------- */

struct smb_wait *smb_wait_add(struct app *a, uint64_t key, uint16_t command, struct smb_tx *tx)
{
	struct smb *s = a->state;
	struct smb_wait *w = NULL;
	for (unsigned i = 0; i < SMB_PENDING; i++) {
		struct smb_wait *c = &s->waits[i];
		if (w == NULL || (w->used && (!c->used || c->age < w->age)))
			w = c;
	}
	if (w->used)
		smb_done(w->tx);
	*w = (struct smb_wait){
		.used = true, .key = key, .command = command, .age = s->clock++, .tx = tx};
	return w;
}

bool smb_wait_take(struct app *a, uint64_t key, uint16_t command, struct smb_wait *ret)
{
	struct smb *s = a->state;
	for (unsigned i = 0; i < SMB_PENDING; i++) {
		struct smb_wait *w = &s->waits[i];
		if (w->used && w->key == key && w->command == command) {
			*ret = *w;
			w->used = false;
			return true;
		}
	}
	return false;
}

/* ---- trees, open files ------------------------------------------------------------------------------ */

uint32_t smb_tree_find(const struct smb *s, uint32_t id)
{
	for (uint32_t i = 0; i < SMB_TREES; i++)
		if (s->trees[i].used && s->trees[i].id == id)
			return i;
	return SMB_NONE;
}

void smb_tree_add(struct app *a, uint32_t id, bool pipe, const struct bytes *share)
{
	struct smb *s = a->state;
	uint32_t at = smb_tree_find(s, id);
	for (uint32_t i = 0, best = 0; at == SMB_NONE && i <= SMB_TREES; i++) {
		if (i == SMB_TREES)
			at = best;
		else if (s->trees[best].used &&
			 (!s->trees[i].used || s->trees[i].age < s->trees[best].age))
			best = i;
	}
	bytes_set(a, &s->trees[at].share, share->p, share->n, SMB_NAME);
	s->trees[at].used = true;
	s->trees[at].pipe = pipe;
	s->trees[at].id = id;
	s->trees[at].age = s->clock++;
}

struct smb_open *smb_open_find(struct smb *s, const uint8_t fid[16])
{
	for (unsigned i = 0; i < SMB_FILES; i++)
		if (s->files[i].used && memcmp(s->files[i].fid, fid, 16) == 0)
			return &s->files[i];
	return NULL;
}

static void rpc_end(struct app *a, struct smb_open *f)
{
	if (f->rpc != NULL)
		smb_done(f->rpc->call);
	slab_free(a->ctx->slab, f->rpc);
	f->rpc = NULL;
}

void smb_open_close(struct app *a, struct smb_open *f)
{
	for (unsigned dir = 0; dir < 2; dir++) {
		struct smb_tx *t = f->tx[dir];
		if (t == NULL)
			continue;
		if (t->tx.files != NULL)
			app_file_close(a, t->tx.files, !t->tx.files->gaps);
		smb_done(t);
	}
	rpc_end(a, f);
	bytes_free(a, &f->name);
	*f = (struct smb_open){0};
}

struct smb_open *smb_open_add(struct app *a, const uint8_t fid[16], uint32_t tree, bool pipe,
			      const struct bytes *name)
{
	struct smb *s = a->state;
	struct smb_open *f = smb_open_find(s, fid);
	for (unsigned i = 0; f == NULL && i < SMB_FILES; i++)
		if (!s->files[i].used)
			f = &s->files[i];
	if (f == NULL) {
		f = &s->files[0];
		for (unsigned i = 1; i < SMB_FILES; i++)
			if (s->files[i].age < f->age)
				f = &s->files[i];
	}
	if (f->used)
		smb_open_close(a, f);
	f->used = true;
	f->pipe = pipe;
	f->tree = tree;
	f->age = s->clock++;
	memcpy(f->fid, fid, 16);
	if (name != NULL)
		bytes_set(a, &f->name, name->p, name->n, SMB_NAME);
	return f;
}

void smb_open_pipe(struct app *a, const uint8_t fid[16], uint32_t tree)
{
	struct smb_open *f = smb_open_find(a->state, fid);
	if (f == NULL)
		f = smb_open_add(a, fid, tree, true, NULL);
	f->pipe = true;
}

/* ---- contents ------------------------------------------------------------------------------------ */

static void like_it(struct smb_tx *t, const struct smb_tx *like)
{
	t->session = like->session;
	t->tree = like->tree;
	t->id = like->id;
}

/* The call that a fragment belongs to. */
static struct smb_tx *rpc_call(struct app *a, struct smb_open *f, const struct smb_tx *like,
			       unsigned dir, const struct dce_head *h, int64_t now_ns)
{
	struct smb_tx *t = f->rpc->call;
	bool anew = dir == TO_SERVER && (h->type != DCE_REQUEST || (h->flags & DCE_FIRST) != 0);
	if (t != NULL && t->call->call_id == h->call_id && !anew && !t->call->done[dir])
		return t;
	if (t != NULL)
		smb_done(t);
	f->rpc->call = NULL;
	t = smb_tx_new(a, like->ver, like->command, now_ns);
	if (t == NULL)
		return NULL;
	t->call = slab_zalloc(a->ctx->slab, sizeof(*t->call));
	like_it(t, like);
	t->kind = SMB_RPC;
	bytes_set(a, &t->name, f->name.p, f->name.n, SMB_NAME);
	if (t->call == NULL) {
		smb_done(t);
		return NULL;
	}
	t->call->type[0] = t->call->type[1] = DCE_NONE;
	t->call->call_id = h->call_id;
	if (dir == TO_CLIENT)
		t->tx.progress[TO_SERVER] = APP_DONE;
	f->rpc->call = t;
	return t;
}

static void rpc_step(struct smb_open *f, unsigned dir)
{
	struct smb_tx *t = f->rpc->call;
	if (t != NULL && t->call->done[dir])
		t->tx.progress[dir] = APP_DONE;
}

/* RPC written to or read from a pipe: fragments, the last of which may go on in the next. */
static void rpc_data(struct app *a, struct smb_open *f, const struct smb_tx *like, unsigned dir,
		     const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct dce_head h;
	if (f->rpc == NULL)
		f->rpc = slab_zalloc(a->ctx->slab, sizeof(*f->rpc));
	if (f->rpc == NULL)
		return;
	struct dce_state *is = &f->rpc->is;
	if (is->more[dir] > 0) {
		uint32_t n = is->more[dir] < len ? is->more[dir] : len;
		struct smb_tx *t = f->rpc->call;
		if (t != NULL)
			bytes_add(a, &t->call->stub[dir], d, n, body_max(a, dir));
		is->more[dir] -= n;
		if (t != NULL && is->more[dir] == 0 && is->more_last[dir])
			t->call->done[dir] = true;
		rpc_step(f, dir);
		d += n;
		len -= n;
	}
	while (dce_head_read(d, len, &h)) {
		uint32_t n = h.frag_len < len ? h.frag_len : len;
		struct smb_tx *t = rpc_call(a, f, like, dir, &h, now_ns);
		if (t != NULL)
			dce_fragment(a, is, t->call, dir, &h, d, n);
		is->more[dir] = h.frag_len - n;
		is->more_last[dir] = (h.flags & DCE_LAST) != 0;
		rpc_step(f, dir);
		d += n;
		len -= n;
	}
}

static void file_data(struct app *a, struct smb_open *f, const struct smb_tx *like, unsigned dir,
		      uint64_t at, const uint8_t *d, uint32_t len, int64_t now_ns)
{
	struct smb_tx *t = f->tx[dir];
	if (t == NULL) {
		t = f->tx[dir] = smb_tx_new(a, like->ver, like->command, now_ns);
		if (t == NULL)
			return;
		like_it(t, like);
		t->kind = SMB_FILE;
		t->tx.toserver_only = dir == TO_SERVER;
		t->tx.toclient_only = dir == TO_CLIENT;
		t->tx.progress[TO_SERVER] = t->tx.progress[TO_CLIENT] = APP_GOT_MESSAGE;
		memcpy(t->fid, f->fid, 16);
		bytes_set(a, &t->name, f->name.p, f->name.n, SMB_NAME);
		(void)app_file_open(a, &t->tx, dir, t->name.p, t->name.n);
		f->at[dir] = at;
		if (at != 0 && t->tx.files != NULL)
			t->tx.files->gaps = true;
	}
	if (t->tx.files == NULL)
		return;
	if (at > f->at[dir]) {
		t->tx.files->gaps = true;
	} else if (at < f->at[dir]) {
		uint64_t over = f->at[dir] - at;
		app_tx_event(&t->tx, SMB_FILE_OVERLAP);
		if (over >= len)
			return;
		d += over;
		len -= (uint32_t)over;
		at += over;
	}
	app_file_add(a, t->tx.files, d, len, body_max(a, dir));
	f->at[dir] = at + len;
}

void smb_data(struct app *a, const struct smb_tx *like, const uint8_t fid[16], unsigned dir,
	      uint64_t at, const uint8_t *d, uint32_t len, uint32_t more, int64_t now_ns)
{
	struct smb *s = a->state;
	struct smb_open *f = smb_open_find(s, fid);
	if (f == NULL) { /* opened before we looked */
		uint32_t tree = smb_tree_find(s, like->tree);
		f = smb_open_add(a, fid, like->tree, tree != SMB_NONE && s->trees[tree].pipe, NULL);
	}
	struct dce_head h;
	if (!f->pipe && f->tx[0] == NULL && f->tx[1] == NULL &&
	    smb_tree_find(s, f->tree) == SMB_NONE && dce_head_read(d, len, &h))
		f->pipe = true; /* its share was not seen, but RPC is what it says */
	if (len > 0 && f->pipe)
		rpc_data(a, f, like, dir, d, len, now_ns);
	else if (len + more > 0)
		file_data(a, f, like, dir, at, d, len, now_ns);
	if (!f->pipe && more > 0) {
		s->bulk_on[dir] = true;
		s->bulk[dir] = more;
		memcpy(s->bulk_fid[dir], fid, 16);
	}
}

/* ---- records ------------------------------------------------------------------------------------- */

static void record(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, uint32_t more,
		   int64_t now_ns)
{
	if (len >= 32 && memcmp(d, "\xffSMB", 4) == 0) {
		smb1_message(a, dir, d, len, more, now_ns);
		return;
	}
	for (unsigned n = 0; n < 64 && len >= 64 && memcmp(d, "\xfeSMB", 4) == 0; n++) {
		uint32_t next = smb2_message(a, dir, d, len, more, now_ns);
		if (next < 64 || next > len)
			return;
		d += next;
		len -= next;
	}
}

/* The rest of a long record: of a file as long as that lasts. */
static uint32_t bulk(struct app *a, unsigned dir, const uint8_t *d, uint32_t len)
{
	struct smb *s = a->state;
	uint32_t n = len < s->skip[dir] ? len : s->skip[dir], of_file = 0;
	struct smb_open *f = s->bulk_on[dir] ? smb_open_find(s, s->bulk_fid[dir]) : NULL;
	if (s->bulk_on[dir])
		of_file = n < s->bulk[dir] ? n : s->bulk[dir];
	if (f != NULL && f->tx[dir] != NULL && f->tx[dir]->tx.files != NULL && of_file > 0) {
		struct app_file *file = f->tx[dir]->tx.files;
		if (d == NULL)
			file->gaps = true;
		else
			app_file_add(a, file, d, of_file, body_max(a, dir));
		f->at[dir] += of_file;
	}
	s->bulk[dir] -= of_file;
	s->skip[dir] -= n;
	if (s->skip[dir] == 0 || s->bulk[dir] == 0)
		s->bulk_on[dir] = false;
	return n;
}

static void all_over(struct app *a)
{
	struct smb *s = a->state;
	for (unsigned i = 0; i < SMB_FILES; i++)
		if (s->files[i].used)
			smb_open_close(a, &s->files[i]);
	for (unsigned i = 0; i < SMB_PENDING; i++) {
		if (s->waits[i].used)
			smb_done(s->waits[i].tx);
		s->waits[i].used = false;
	}
}

/* Behind a gap: bytes before the next thing that looks like a record with a message. */
static uint32_t to_record(struct smb *s, unsigned dir, const uint8_t *d, uint32_t len)
{
	for (uint32_t at = 4; len >= 8 && at <= len - 4; at++) {
		const uint8_t *p = memmem(d + at, len - at, "SMB", 3);
		if (p == NULL || p - d < 5) {
			if (p == NULL)
				break;
			continue;
		}
		at = (uint32_t)(p - d);
		uint32_t n = load_be32(p - 5);
		if ((p[-1] == 0xff && n >= 32 && n <= 0xffffff) ||
		    (p[-1] >= 0xfc && p[-1] <= 0xfe && n >= 48 && n <= 0xffffff)) {
			s->lost[dir] = false;
			return at - 5;
		}
	}
	return len < 7 ? 0 : len - 7;
}

static uint32_t smb_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct smb *s = a->state;
	uint32_t at = 0;
	if ((flags & APP_GAP) != 0) {
		s->lost[dir] |= bulk(a, dir, NULL, len) < len;
		return len;
	}
	while (at < len && !s->dead[dir]) {
		const uint8_t *d = data + at;
		uint32_t left = len - at;
		if (s->skip[dir] > 0) {
			at += bulk(a, dir, d, left);
			continue;
		}
		if (s->lost[dir]) {
			at += to_record(s, dir, d, left);
			if (s->lost[dir])
				break;
			continue;
		}
		if (left < 4)
			break;
		uint32_t n = (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
		if (d[0] != 0 && (d[0] < 0x81 || d[0] > 0x85)) {
			s->dead[dir] = true; /* no record begins here */
			break;
		}
		uint32_t want = n > WHOLE ? LOOK : n;
		if (left - 4 < want)
			break;
		if (d[0] == 0) {
			s->skip[dir] = n - want; /* what bulk() will take */
			s->bulk[dir] = 0;
			s->bulk_on[dir] = false;
			record(a, dir, d + 4, want, n - want, now_ns);
		} else {
			s->skip[dir] = n - want;
		}
		at += 4 + want;
	}
	if ((flags & APP_EOF) != 0 && dir == TO_CLIENT)
		all_over(a);
	return s->dead[dir] || (flags & APP_EOF) != 0 ? len : at;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void smb_tx_free(struct app *a, struct app_tx *tx)
{
	struct smb_tx *t = (struct smb_tx *)tx;
	struct smb *s = a->proto == APP_SMB ? a->state : NULL;
	for (unsigned i = 0; s != NULL && i < SMB_PENDING; i++)
		if (s->waits[i].tx == t)
			s->waits[i].tx = NULL;
	for (unsigned i = 0; s != NULL && i < SMB_FILES; i++) {
		struct smb_open *f = &s->files[i];
		f->tx[0] = f->tx[0] == t ? NULL : f->tx[0];
		f->tx[1] = f->tx[1] == t ? NULL : f->tx[1];
		if (f->rpc != NULL && f->rpc->call == t)
			f->rpc->call = NULL;
	}
	struct bytes *all[] = {&t->name, &t->user, &t->domain,  &t->host,
			       &t->lm,   &t->os,   &t->dialects};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		bytes_free(a, all[i]);
	if (t->call != NULL)
		dce_call_free(a, t->call);
	slab_free(a->ctx->slab, t->call);
	t->call = NULL;
}

static int smb_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	const struct smb_tx *t = (const struct smb_tx *)tx;
	if (b == BUF_FILE_DATA || b == BUF_FILE_NAME)
		return file_give(tx, b, dir, index, ret, ret_base, ret_complete);
	if (t->call != NULL)
		return dce_buffer(t->call, b, dir, index, ret);
	if (b == BUF_SMB_SHARE || b == BUF_SMB_NAMED_PIPE)
		return t->kind == SMB_TREE && t->pipe == (b == BUF_SMB_NAMED_PIPE)
			       ? bytes_give(&t->name, index, ret)
			       : 1;
	if (b == BUF_SMB_NTLMSSP_USER)
		return bytes_give(&t->user, index, ret);
	return b == BUF_SMB_NTLMSSP_DOMAIN ? bytes_give(&t->domain, index, ret) : 1;
}

static bool smb_number(const struct app *a, const struct app_tx *tx, enum app_number n,
		       unsigned dir, uint32_t index, uint64_t *ret)
{
	const struct smb_tx *t = (const struct smb_tx *)tx;
	if (index != 0)
		return false;
	if (n == NUM_SMB_VERSION) {
		*ret = t->ver;
		return true;
	}
	if (n != NUM_DCERPC_OPNUM || t->call == NULL || !t->call->has_opnum)
		return false;
	*ret = t->call->opnum;
	return true;
}

const struct app_ops app_smb = {
	.proto = APP_SMB,
	.eve_key = "smb",
	.events = smb_events,
	.tcp = true,
	.open = smb_open,
	.close = smb_close,
	.feed = smb_feed,
	.tx_free = smb_tx_free,
	.buffer = smb_buffer,
	.number = smb_number,
	.eve = smb_eve,
};
