/* SPDX-License-Identifier: BSD-2-Clause */
/* SMB2 and SMB3 (MS-SMB2). Offsets in messages count from the header's first byte. */
#include "proto/smb/smb.h"

#define HEAD 64u
#define PIPE_TRANSCEIVE 0x0011c017u

enum {
	NEGOTIATE,
	SESSION_SETUP,
	LOGOFF,
	TREE_CONNECT,
	TREE_DISCONNECT,
	CREATE,
	CLOSE,
	FLUSH,
	READ,
	WRITE,
	LOCK,
	IOCTL
};

struct msg {
	const uint8_t *d;
	uint32_t len, more;
	uint16_t command;
	uint32_t status, tree;
	uint64_t id, session;
	unsigned dir;
	int64_t now_ns;
};

/* A field of this message that offset and length describe; empty if it is not inside. */
static struct span field(const struct msg *m, uint32_t at, uint32_t len)
{
	if (at < HEAD || at > m->len || len > m->len - at)
		return (struct span){NULL, 0};
	return (struct span){m->d + at, len};
}

static struct smb_tx *request_tx(struct app *a, const struct msg *m, uint8_t kind)
{
	struct smb_tx *t = smb_tx_new(a, 2, m->command, m->now_ns);
	if (t == NULL)
		return NULL;
	t->kind = kind;
	t->session = m->session;
	t->id = m->id;
	t->tree = m->tree;
	t->tx.progress[TO_SERVER] = APP_DONE;
	(void)smb_wait_add(a, m->id, m->command, t);
	return t;
}

static void malformed(struct smb_tx *t)
{
	app_tx_event(&t->tx, SMB_MALFORMED);
}

static void negotiate_request(struct app *a, const struct msg *m)
{
	struct smb *s = a->state;
	struct smb_tx *t = request_tx(a, m, SMB_NEGOTIATE);
	if (t == NULL)
		return;
	if (m->len < HEAD + 36) {
		malformed(t);
		return;
	}
	if (s->negotiated)
		app_tx_event(&t->tx, SMB_DUPLICATE_NEGOTIATE);
	uint32_t n = le16(m->d + HEAD + 2), at = HEAD + 36;
	for (; n > 0 && n <= 64 && m->len - at >= 2; n--, at += 2) {
		char text[16];
		struct writer w = writer_of(text, sizeof(text));
		uint16_t v = le16(m->d + at);
		if (v == 0x02ff)
			write_str(&w, "2.??");
		else
			write_fmt(&w, "%x.%02x", v >> 8, v & 0xff);
		bytes_add(a, &t->dialects, (const uint8_t *)text, w.len + 1, SMB_NAME);
	}
	if (n > 0)
		app_tx_event(&t->tx, SMB_BAD_DIALECTS);
}

static void session_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_SESSION);
	if (t == NULL)
		return;
	if (m->len < HEAD + 24) {
		malformed(t);
		return;
	}
	struct span blob = field(m, le16(m->d + HEAD + 12), le16(m->d + HEAD + 14));
	smb_ntlmssp(a, t, blob.data, blob.len);
}

static bool is_ipc(const struct bytes *b)
{
	return b->n >= 4 && begins(b->p + b->n - 4, 4, "IPC$");
}

static void tree_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_TREE);
	if (t == NULL)
		return;
	if (m->len < HEAD + 8) {
		malformed(t);
		return;
	}
	struct span path = field(m, le16(m->d + HEAD + 4), le16(m->d + HEAD + 6));
	smb_text(a, &t->name, path.data, path.len, true);
	t->pipe = is_ipc(&t->name);
}

static void create_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_CREATE);
	if (t == NULL)
		return;
	if (m->len < HEAD + 48) {
		malformed(t);
		return;
	}
	struct span name = field(m, le16(m->d + HEAD + 44), le16(m->d + HEAD + 46));
	smb_text(a, &t->name, name.data, name.len, true);
	t->access = le32(m->d + HEAD + 24);
	t->disposition = le32(m->d + HEAD + 36);
}

static void close_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_OTHER);
	if (t == NULL || m->len < HEAD + 24)
		return;
	memcpy(t->fid, m->d + HEAD + 8, 16);
	struct smb_open *f = smb_open_find(a->state, t->fid);
	if (f == NULL)
		return;
	bytes_set(a, &t->name, f->name.p, f->name.n, SMB_NAME);
	smb_open_close(a, f);
}

static void read_request(struct app *a, const struct msg *m)
{
	struct smb_wait *w = smb_wait_add(a, m->id, m->command, NULL);
	if (m->len < HEAD + 32)
		return;
	w->at = le64(m->d + HEAD + 8);
	memcpy(w->fid, m->d + HEAD + 16, 16);
}

static struct smb_tx like(const struct msg *m)
{
	return (struct smb_tx){.ver = 2,
			       .command = m->command,
			       .session = m->session,
			       .tree = m->tree,
			       .id = m->id};
}

static void write_request(struct app *a, const struct msg *m)
{
	struct smb_tx l = like(m);
	if (m->len < HEAD + 48)
		return;
	uint32_t at = le16(m->d + HEAD + 2), n = le32(m->d + HEAD + 4), more = 0;
	if (at < HEAD + 48 || at > m->len)
		return;
	if (n > m->len - at) {
		more = n - (m->len - at);
		more = more > m->more ? m->more : more;
		n = m->len - at;
	}
	smb_data(a, &l, m->d + HEAD + 16, TO_SERVER, le64(m->d + HEAD + 8), m->d + at, n, more,
		 m->now_ns);
}

static void ioctl_request(struct app *a, const struct msg *m)
{
	struct smb_tx l = like(m);
	if (m->len < HEAD + 56) {
		(void)request_tx(a, m, SMB_OTHER);
		return;
	}
	if (le32(m->d + HEAD + 4) != PIPE_TRANSCEIVE) {
		(void)request_tx(a, m, SMB_OTHER);
		return;
	}
	struct smb_wait *w = smb_wait_add(a, m->id, m->command, NULL);
	memcpy(w->fid, m->d + HEAD + 8, 16);
	smb_open_pipe(a, w->fid, m->tree);
	struct span in = field(m, le32(m->d + HEAD + 24), le32(m->d + HEAD + 28));
	if (in.len > 0)
		smb_data(a, &l, m->d + HEAD + 8, TO_SERVER, 0, in.data, in.len, 0, m->now_ns);
}

static void request(struct app *a, const struct msg *m)
{
	switch (m->command) {
	case NEGOTIATE:
		negotiate_request(a, m);
		break;
	case SESSION_SETUP:
		session_request(a, m);
		break;
	case TREE_CONNECT:
		tree_request(a, m);
		break;
	case CREATE:
		create_request(a, m);
		break;
	case CLOSE:
		close_request(a, m);
		break;
	case READ:
		read_request(a, m);
		break;
	case WRITE:
		write_request(a, m);
		break;
	case IOCTL:
		ioctl_request(a, m);
		break;
	default:
		(void)request_tx(a, m, SMB_OTHER);
	}
}

/* ---- answers ------------------------------------------------------------------------------------ */

static void create_answer(struct app *a, const struct msg *m, struct smb_tx *t)
{
	const struct smb *s = a->state;
	if (m->len < HEAD + 80)
		return;
	memcpy(t->fid, m->d + HEAD + 64, 16);
	t->size = le64(m->d + HEAD + 48);
	t->opened = true;
	uint32_t tree = smb_tree_find(s, m->tree);
	bool pipe = tree != SMB_NONE && s->trees[tree].pipe;
	(void)smb_open_add(a, t->fid, m->tree, pipe, &t->name);
}

static void answer_to(struct app *a, const struct msg *m, struct smb_tx *t)
{
	struct smb *s = a->state;
	const uint8_t *d = m->d + HEAD;
	if (t->kind == SMB_NEGOTIATE && m->len >= HEAD + 36) {
		s->negotiated = true;
		s->dialect = le16(d + 4);
	} else if (t->kind == SMB_SESSION) {
		t->session = m->session;
	} else if (t->kind == SMB_TREE && m->len >= HEAD + 8 && m->status == 0) {
		t->share_type = d[2];
		t->pipe = d[2] == 2;
		t->tree = m->tree;
		smb_tree_add(a, m->tree, t->pipe, &t->name);
	} else if (t->kind == SMB_CREATE && m->status == 0) {
		create_answer(a, m, t);
	}
}

/* Contents that were asked for: of a file, or of a pipe. */
static void contents(struct app *a, const struct msg *m, const struct smb_wait *w)
{
	struct smb_tx l = like(m);
	uint32_t at, n, more = 0;
	if (m->command == READ && m->len >= HEAD + 16) {
		at = m->d[HEAD + 2];
		n = le32(m->d + HEAD + 4);
	} else if (m->command == IOCTL && m->len >= HEAD + 48) {
		at = le32(m->d + HEAD + 32);
		n = le32(m->d + HEAD + 36);
	} else {
		return;
	}
	if (at < HEAD + 16 || at > m->len)
		return;
	if (n > m->len - at) {
		more = n - (m->len - at);
		more = more > m->more ? m->more : more;
		n = m->len - at;
	}
	smb_data(a, &l, w->fid, TO_CLIENT, w->at, m->d + at, n, more, m->now_ns);
}

static void answer(struct app *a, const struct msg *m)
{
	struct smb *s = a->state;
	struct smb_wait w;
	uint32_t flags = le32(m->d + 16);
	if ((flags & 2) != 0 && m->status == 0x103) /* it will take a while */
		return;
	if (!smb_wait_take(a, m->id, m->command, &w)) {
		if (m->command != NEGOTIATE)
			return;
		/* a client that began with SMB1's negotiation */
		if (!smb_wait_take(a, 0, 0x72, &w))
			return;
		if (w.tx != NULL)
			w.tx->ver = 2, w.tx->command = NEGOTIATE;
	}
	if (w.tx == NULL) {
		if (m->status == 0 || m->status == 0x80000005) /* or: there is more */
			contents(a, m, &w);
		return;
	}
	w.tx->status = m->status;
	w.tx->answered = true;
	answer_to(a, m, w.tx);
	w.tx->dialect = s->dialect;
	w.tx->tx.progress[TO_CLIENT] = APP_DONE;
}

uint32_t smb2_message(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, uint32_t more,
		      int64_t now_ns)
{
	uint32_t next = le32(d + 20), flags = le32(d + 16);
	bool is_answer = (flags & 1) != 0;
	struct msg m = {.d = d,
			.len = next >= HEAD && next <= len ? next : len,
			.more = next == 0 ? more : 0,
			.command = le16(d + 12),
			.status = le32(d + 8),
			.tree = (flags & 2) != 0 ? 0 : le32(d + 36),
			.id = le64(d + 24),
			.session = le64(d + 40),
			.dir = dir,
			.now_ns = now_ns};
	if (le16(d + 4) != 64)
		return 0;
	if (is_answer != (dir == TO_CLIENT)) {
		struct smb_tx *t = smb_tx_new(a, 2, m.command, now_ns);
		if (t != NULL) {
			app_tx_event(&t->tx,
				     is_answer ? SMB_RESPONSE_TO_SERVER : SMB_REQUEST_TO_CLIENT);
			smb_done(t);
		}
		return next;
	}
	if (is_answer)
		answer(a, &m);
	else
		request(a, &m);
	return next;
}
