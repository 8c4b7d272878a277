/* SPDX-License-Identifier: BSD-2-Clause */
/* SMB1 (MS-CIFS, MS-SMB): words and bytes, some commands chained. */
#include "proto/smb/smb.h"

#define HEAD 32u
#define CHAIN 8u

enum {
	CLOSE = 0x04,
	TRANS = 0x25,
	OPEN_ANDX = 0x2d,
	READ_ANDX = 0x2e,
	WRITE_ANDX = 0x2f,
	NEGOTIATE = 0x72,
	SESSION_SETUP = 0x73,
	TREE_CONNECT = 0x75,
	NT_CREATE = 0xa2
};

struct msg {
	const uint8_t *d;
	uint32_t len, more;
	uint8_t command, flags;
	bool unicode, nt_status;
	uint32_t status;
	uint16_t tree, user;
	uint64_t key; /* pid and mid */
	const uint8_t *words, *bytes;
	uint32_t n_words, n_bytes; /* 16-bit words; bytes that are there */
	int64_t now_ns;
};

static uint16_t word(const struct msg *m, uint32_t i)
{
	return i < m->n_words ? le16(m->words + (size_t)2 * i) : 0;
}

/* Words and bytes of the command at offset at of the message. */
static bool block(struct msg *m, uint32_t at)
{
	if (at >= m->len)
		return false;
	m->n_words = m->d[at];
	if (m->len - at - 1 < m->n_words * 2)
		return false;
	m->words = m->d + at + 1;
	at += 1 + m->n_words * 2;
	m->bytes = m->d + m->len;
	m->n_bytes = 0;
	if (m->len - at < 2)
		return true;
	uint32_t n = le16(m->d + at);
	m->bytes = m->d + at + 2;
	m->n_bytes = n > m->len - at - 2 ? m->len - at - 2 : n;
	return true;
}

/* The next terminated text of bytes, from *at on; UTF-16 is aligned to the header. */
static struct span text(const struct msg *m, uint32_t *at, bool unicode)
{
	struct span s = {m->bytes + *at, 0};
	if (unicode && ((size_t)(m->bytes + *at - m->d) & 1) != 0 && *at < m->n_bytes) {
		(*at)++;
		s.data++;
	}
	uint32_t step = unicode ? 2 : 1;
	while (m->n_bytes - *at >= step) {
		const uint8_t *p = m->bytes + *at;
		*at += step;
		if (p[0] == 0 && (!unicode || p[1] == 0))
			break;
		s.len += step;
	}
	return s;
}

static struct smb_tx *request_tx(struct app *a, const struct msg *m, uint8_t kind)
{
	struct smb_tx *t = smb_tx_new(a, 1, m->command, m->now_ns);
	if (t == NULL)
		return NULL;
	t->kind = kind;
	t->session = m->user;
	t->id = m->key & 0xffff;
	t->tree = m->tree;
	t->tx.progress[TO_SERVER] = APP_DONE;
	(void)smb_wait_add(a, m->command == NEGOTIATE ? 0 : m->key, m->command, t);
	return t;
}

static void fid_of(uint16_t fid, uint8_t ret[16])
{
	memset(ret, 0, 16);
	ret[0] = (uint8_t)fid;
	ret[1] = (uint8_t)(fid >> 8);
}

static struct smb_tx like(const struct msg *m)
{
	return (struct smb_tx){.ver = 1,
			       .command = m->command,
			       .session = m->user,
			       .tree = m->tree,
			       .id = m->key & 0xffff};
}

/* ---- requests --------------------------------------------------------------------------------- */

static void negotiate_request(struct app *a, const struct msg *m)
{
	struct smb *s = a->state;
	struct smb_tx *t = request_tx(a, m, SMB_NEGOTIATE);
	uint32_t at = 0;
	if (t == NULL)
		return;
	if (s->negotiated)
		app_tx_event(&t->tx, SMB_DUPLICATE_NEGOTIATE);
	bytes_free(a, &s->dialects);
	while (at < m->n_bytes) {
		if (m->bytes[at++] != 2) {
			app_tx_event(&t->tx, SMB_BAD_DIALECTS);
			break;
		}
		struct span d = text(m, &at, false);
		bytes_add(a, &s->dialects, d.data, d.len, SMB_NAME);
		bytes_add(a, &s->dialects, (const uint8_t *)"", 1, SMB_NAME);
	}
	bytes_set(a, &t->dialects, s->dialects.p, s->dialects.n, SMB_NAME);
}

static void session_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_SESSION);
	uint32_t at = 0;
	struct span s;
	if (t == NULL)
		return;
	if (m->n_words == 12) { /* with a security blob */
		at = word(m, 7);
		if (at > m->n_bytes) {
			app_tx_event(&t->tx, SMB_MALFORMED);
			return;
		}
		smb_ntlmssp(a, t, m->bytes, at);
	} else if (m->n_words == 13) { /* two hashes, user and domain in clear */
		at = (uint32_t)word(m, 7) + word(m, 8);
		if (at > m->n_bytes) {
			app_tx_event(&t->tx, SMB_MALFORMED);
			return;
		}
		s = text(m, &at, m->unicode);
		smb_text(a, &t->user, s.data, s.len, m->unicode);
		s = text(m, &at, m->unicode);
		smb_text(a, &t->domain, s.data, s.len, m->unicode);
	} else {
		return;
	}
	s = text(m, &at, m->unicode);
	smb_text(a, &t->os, s.data, s.len, m->unicode);
	s = text(m, &at, m->unicode);
	smb_text(a, &t->lm, s.data, s.len, m->unicode);
}

static void tree_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_TREE);
	uint32_t at = word(m, 3);
	if (t == NULL)
		return;
	if (m->n_words < 4 || at > m->n_bytes) {
		app_tx_event(&t->tx, SMB_MALFORMED);
		return;
	}
	struct span s = text(m, &at, m->unicode);
	smb_text(a, &t->name, s.data, s.len, m->unicode);
	t->pipe = t->name.n >= 4 && begins(t->name.p + t->name.n - 4, 4, "IPC$");
}

static void create_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_CREATE);
	uint32_t at = 0;
	if (t == NULL)
		return;
	struct span s = text(m, &at, m->unicode);
	smb_text(a, &t->name, s.data, s.len, m->unicode);
	if (m->command != NT_CREATE || m->n_words < 24)
		return;
	t->access = le32(m->words + 15);
	t->disposition = le32(m->words + 35);
}

static void close_request(struct app *a, const struct msg *m)
{
	struct smb_tx *t = request_tx(a, m, SMB_OTHER);
	if (t == NULL)
		return;
	fid_of(word(m, 0), t->fid);
	struct smb_open *f = smb_open_find(a->state, t->fid);
	if (f == NULL)
		return;
	bytes_set(a, &t->name, f->name.p, f->name.n, SMB_NAME);
	smb_open_close(a, f);
}

static void read_request(struct app *a, const struct msg *m)
{
	struct smb_wait *w = smb_wait_add(a, m->key, m->command, NULL);
	fid_of(word(m, 2), w->fid);
	w->at = word(m, 3) | (uint64_t)word(m, 4) << 16;
	if (m->n_words >= 12)
		w->at |= (uint64_t)word(m, 10) << 32 | (uint64_t)word(m, 11) << 48;
}

/* Data of n bytes at offset at of the message, as far as they are there. */
static void data(struct app *a, const struct msg *m, const uint8_t fid[16], unsigned dir,
		 uint64_t pos, uint32_t at, uint32_t n)
{
	struct smb_tx l = like(m);
	uint32_t more = 0;
	if (at < HEAD || at > m->len)
		return;
	if (n > m->len - at) {
		more = n - (m->len - at);
		more = more > m->more ? m->more : more;
		n = m->len - at;
	}
	smb_data(a, &l, fid, dir, pos, m->d + at, n, more, m->now_ns);
}

static void write_request(struct app *a, const struct msg *m)
{
	uint8_t fid[16];
	if (m->n_words < 12)
		return;
	uint64_t pos = word(m, 3) | (uint64_t)word(m, 4) << 16;
	if (m->n_words >= 14)
		pos |= (uint64_t)word(m, 12) << 32 | (uint64_t)word(m, 13) << 48;
	fid_of(word(m, 2), fid);
	data(a, m, fid, TO_SERVER, pos, word(m, 11), word(m, 10) | (uint32_t)word(m, 9) << 16);
}

static void trans_request(struct app *a, const struct msg *m)
{
	uint8_t fid[16];
	if (m->n_words < 16 || word(m, 14) != 0x26) { /* not TransactNmPipe */
		struct smb_tx *t = request_tx(a, m, SMB_OTHER);
		uint32_t at = 0;
		if (t != NULL && m->n_words >= 14) {
			struct span s = text(m, &at, m->unicode);
			smb_text(a, &t->name, s.data, s.len, m->unicode);
		}
		return;
	}
	fid_of(word(m, 15), fid);
	struct smb_wait *w = smb_wait_add(a, m->key, m->command, NULL);
	memcpy(w->fid, fid, 16);
	smb_open_pipe(a, fid, m->tree);
	data(a, m, fid, TO_SERVER, 0, word(m, 12), word(m, 11));
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
	case OPEN_ANDX:
	case NT_CREATE:
		create_request(a, m);
		break;
	case CLOSE:
		close_request(a, m);
		break;
	case READ_ANDX:
		read_request(a, m);
		break;
	case WRITE_ANDX:
		write_request(a, m);
		break;
	case TRANS:
		trans_request(a, m);
		break;
	default:
		(void)request_tx(a, m, SMB_OTHER);
	}
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void answer_to(struct app *a, const struct msg *m, struct smb_tx *t)
{
	struct smb *s = a->state;
	uint32_t at = 0, tree;
	if (t->kind == SMB_NEGOTIATE) {
		s->negotiated = true;
		t->dialect = s->dialect = word(m, 0);
	} else if (t->kind == SMB_SESSION) {
		t->session = m->user;
	} else if (t->kind == SMB_TREE && m->status == 0) {
		struct span service = text(m, &at, false);
		t->tree = m->tree;
		t->pipe = begins(service.data, service.len, "IPC");
		t->share_type = t->pipe ? 2 : begins(service.data, service.len, "LPT") ? 3 : 1;
		smb_tree_add(a, m->tree, t->pipe, &t->name);
	} else if (t->kind == SMB_CREATE && m->status == 0 && m->n_words >= 4) {
		bool nt = m->command == NT_CREATE;
		fid_of(nt ? le16(m->words + 5) : word(m, 2), t->fid);
		if (nt && m->n_words >= 34)
			t->size = le64(m->words + 55);
		t->opened = true;
		tree = smb_tree_find(s, m->tree);
		(void)smb_open_add(a, t->fid, m->tree, tree != SMB_NONE && s->trees[tree].pipe,
				   &t->name);
	}
}

static void answer(struct app *a, const struct msg *m)
{
	struct smb_wait w;
	if (!smb_wait_take(a, m->command == NEGOTIATE ? 0 : m->key, m->command, &w))
		return;
	if (w.tx != NULL) {
		w.tx->status = m->status;
		w.tx->answered = true;
		answer_to(a, m, w.tx);
		w.tx->tx.progress[TO_CLIENT] = APP_DONE;
		return;
	}
	if (m->command == READ_ANDX && m->n_words >= 8)
		data(a, m, w.fid, TO_CLIENT, w.at, word(m, 6),
		     word(m, 5) | (uint32_t)word(m, 7) << 16);
	else if (m->command == TRANS && m->n_words >= 10)
		data(a, m, w.fid, TO_CLIENT, 0, word(m, 7), word(m, 6));
}

static bool chained(uint8_t command)
{
	return command == SESSION_SETUP || command == TREE_CONNECT || command == NT_CREATE ||
	       command == OPEN_ANDX || command == READ_ANDX || command == WRITE_ANDX ||
	       command == 0x24 || command == 0x74;
}

void smb1_message(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, uint32_t more,
		  int64_t now_ns)
{
	uint16_t flags2 = le16(d + 10);
	bool is_answer = (d[9] & 0x80) != 0;
	uint32_t at = HEAD;
	struct msg m = {.d = d,
			.len = len,
			.more = more,
			.command = d[4],
			.flags = d[9],
			.unicode = (flags2 & 0x8000) != 0,
			.nt_status = (flags2 & 0x4000) != 0,
			.status = le32(d + 5),
			.tree = le16(d + 24),
			.user = le16(d + 28),
			.key = (uint64_t)le16(d + 12) << 32 | (uint64_t)le16(d + 26) << 16 |
			       le16(d + 30),
			.now_ns = now_ns};
	if (is_answer != (dir == TO_CLIENT)) {
		struct smb_tx *t = smb_tx_new(a, 1, m.command, now_ns);
		if (t != NULL) {
			app_tx_event(&t->tx,
				     is_answer ? SMB_RESPONSE_TO_SERVER : SMB_REQUEST_TO_CLIENT);
			smb_done(t);
		}
		return;
	}
	for (unsigned n = 0; n < CHAIN; n++) {
		if (!block(&m, at)) {
			m.n_words = m.n_bytes = 0;
			m.words = m.bytes = d + len;
		}
		if (is_answer)
			answer(a, &m);
		else
			request(a, &m);
		if (!chained(m.command) || m.n_words < 2 || m.words[0] == 0xff || word(&m, 1) <= at)
			return;
		m.command = m.words[0];
		at = word(&m, 1);
	}
}
