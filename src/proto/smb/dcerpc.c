/* SPDX-License-Identifier: BSD-2-Clause */
/* DCE/RPC: one transaction per call, put together from its fragments; binds name the interfaces. */
#include "proto/smb/dcerpc.h"

#include <stdio.h>

#define OPEN_CALLS 32u

struct dce_tx {
	struct app_tx tx;
	struct dce_call call;
};

struct dce {
	struct dce_state is;
	bool dead[2];
	bool lost[2];                    /* a gap: where the next fragment begins is to be found */
	struct dce_tx *open[OPEN_CALLS]; /* calls that may go on, by call id */
};

static uint16_t get16(bool little, const uint8_t *p)
{
	return little ? (uint16_t)(p[0] | p[1] << 8) : load_be16(p);
}

static uint32_t get32(bool little, const uint8_t *p)
{
	return little ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
				(uint32_t)p[3] << 24
		      : load_be32(p);
}

bool dce_head_read(const uint8_t *d, uint32_t len, struct dce_head *ret)
{
	if (len < DCE_HEAD || d[0] != 5 || d[1] > 1 || d[2] > 20)
		return false;
	bool little = (d[4] & 0xf0) == 0x10;
	*ret = (struct dce_head){.type = d[2],
				 .flags = d[3],
				 .little = little,
				 .frag_len = get16(little, d + 8),
				 .auth_len = get16(little, d + 10),
				 .call_id = get32(little, d + 12)};
	return ret->frag_len >= DCE_HEAD;
}

bool dce_is_request(uint8_t type)
{
	return type == DCE_REQUEST || type == DCE_BIND || type == DCE_ALTER || type == DCE_AUTH3;
}

/* ---- interfaces ------------------------------------------------------------------------------- */

/* On the wire the first three fields have the sender's byte order. */
static void uuid_read(bool little, const uint8_t *d, uint8_t ret[16])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	for (unsigned i = 0; i < 16; i++)
		ret[i] = d[little ? order[i] : i];
}

/* Keeps for c what the last bind of s says. */
static void keep_bound(struct app *a, const struct dce_state *s, struct dce_call *c)
{
	uint32_t n = s->n - s->asked;
	if (c->bound == NULL && c->n_bound == 0) {
		c->bound = (struct dce_iface *)(void *)app_copy(
			a, (const uint8_t *)&s->iface[s->asked], n * (uint32_t)sizeof(*c->bound));
		c->n_bound = c->bound == NULL ? 0 : n;
	} else if (c->n_bound == n) { /* now with the answers */
		memcpy(c->bound, &s->iface[s->asked], n * sizeof(*c->bound));
	}
}

static void bind_read(struct dce_state *s, const struct dce_head *h, const uint8_t *d, uint32_t len)
{
	uint32_t at = 28;
	if (len < at)
		return;
	if (h->type == DCE_BIND)
		s->n = 0;
	s->asked = s->n;
	for (unsigned left = d[24]; left > 0 && s->n < DCE_IFACES && len - at >= 24; left--) {
		struct dce_iface *i = &s->iface[s->n++];
		*i = (struct dce_iface){.ctx = get16(h->little, d + at),
					.major = get16(h->little, d + at + 20),
					.minor = get16(h->little, d + at + 22)};
		uuid_read(h->little, d + at + 4, i->uuid);
		uint32_t syntaxes = (uint32_t)d[at + 2] * 20;
		at += 24;
		if (syntaxes > len - at)
			return;
		at += syntaxes;
	}
}

static void ack_read(struct dce_state *s, const struct dce_head *h, const uint8_t *d, uint32_t len)
{
	if (len < 26)
		return;
	uint32_t at = 26u + get16(h->little, d + 24); /* behind the secondary address */
	at = (at + 3) & ~3u;
	if (at > len || len - at < 4)
		return;
	uint32_t n = d[at];
	at += 4;
	for (uint32_t i = s->asked; i < s->n && n > 0 && len - at >= 24; i++, n--) {
		s->iface[i].result = get16(h->little, d + at);
		s->iface[i].answered = true;
		at += 24;
	}
}

static void call_iface(const struct dce_state *s, struct dce_call *c)
{
	for (uint32_t i = s->n; i > 0; i--) {
		const struct dce_iface *f = &s->iface[i - 1];
		if (f->ctx != c->ctx || (f->answered && f->result != 0))
			continue;
		memcpy(c->iface, f->uuid, 16);
		c->iface[16] = (uint8_t)(f->major >> 8);
		c->iface[17] = (uint8_t)f->major;
		c->has_iface = true;
		return;
	}
}

/* ---- calls ------------------------------------------------------------------------------------ */

void dce_fragment(struct app *a, struct dce_state *s, struct dce_call *c, unsigned dir,
		  const struct dce_head *h, const uint8_t *d, uint32_t len)
{
	uint32_t from = 24, end = len;
	bool call = h->type == DCE_REQUEST || h->type == DCE_RESPONSE || h->type == DCE_FAULT;
	c->call_id = h->call_id;
	c->type[dir] = h->type;
	if (h->type == DCE_BIND || h->type == DCE_ALTER)
		bind_read(s, h, d, len);
	else if (h->type == DCE_BIND_ACK || h->type == DCE_ALTER_ACK)
		ack_read(s, h, d, len);
	if (h->type == DCE_BIND || h->type == DCE_ALTER ||
	    (c->n_bound > 0 && (h->type == DCE_BIND_ACK || h->type == DCE_ALTER_ACK)))
		keep_bound(a, s, c);
	if (call && len >= 24) {
		if (h->type == DCE_REQUEST) {
			c->ctx = get16(h->little, d + 20);
			c->opnum = get16(h->little, d + 22);
			c->has_opnum = true;
			if ((h->flags & 0x80) != 0) /* names an object */
				from += 16;
			call_iface(s, c);
		}
		uint32_t trailer = h->auth_len > 0 ? 8u + h->auth_len : 0;
		if (len == h->frag_len && trailer > 0 && from <= len && trailer <= len - from)
			end = len - trailer;
		if (from < end)
			bytes_add(a, &c->stub[dir], d + from, end - from, body_max(a, dir));
	}
	if (c->frags[dir] < UINT32_MAX)
		c->frags[dir]++;
	if (!call || (h->flags & DCE_LAST) != 0)
		c->done[dir] = len == h->frag_len;
}

void dce_call_free(struct app *a, struct dce_call *c)
{
	bytes_free(a, &c->stub[0]);
	bytes_free(a, &c->stub[1]);
	slab_free(a->ctx->slab, c->bound);
	c->bound = NULL;
	c->n_bound = 0;
}

int dce_buffer(const struct dce_call *c, enum app_buffer b, unsigned dir, uint32_t index,
	       struct span *ret)
{
	if (b == BUF_DCE_STUB_DATA)
		return bytes_give(&c->stub[dir], index, ret);
	if (b == BUF_DCE_IFACE && c->has_iface)
		return span_give(c->iface, DCE_IFACE_BYTES, index, ret);
	return 1;
}

/* ---- over TCP ---------------------------------------------------------------------------------- */

static int dce_open(struct app *a)
{
	a->state = slab_zalloc(a->ctx->slab, sizeof(struct dce));
	return a->state == NULL ? SKEP_EFULL : 0;
}

static void dce_close(struct app *a)
{
	slab_free(a->ctx->slab, a->state);
	a->state = NULL;
}

static struct dce_tx *call_of(struct app *a, unsigned dir, const struct dce_head *h, int64_t now_ns)
{
	struct dce *s = a->state;
	struct dce_tx **slot = &s->open[h->call_id % OPEN_CALLS], *t = *slot;
	bool anew = dir == TO_SERVER && (h->type != DCE_REQUEST || (h->flags & DCE_FIRST) != 0);
	if (t != NULL && t->call.call_id == h->call_id && !t->call.done[dir] && !anew)
		return t;
	if (t != NULL) /* gives way */
		t->tx.progress[TO_SERVER] = t->tx.progress[TO_CLIENT] = APP_DONE;
	*slot = NULL;
	t = (struct dce_tx *)app_tx_new(a, sizeof(*t), now_ns);
	if (t == NULL)
		return NULL;
	t->call.type[0] = t->call.type[1] = DCE_NONE;
	if (dir == TO_CLIENT) {
		t->tx.toclient_only = true;
		t->tx.progress[TO_SERVER] = APP_DONE;
	}
	*slot = t;
	return t;
}

static void whole_fragment(struct app *a, unsigned dir, const struct dce_head *h, const uint8_t *d,
			   int64_t now_ns)
{
	struct dce *s = a->state;
	struct dce_tx *t = call_of(a, dir, h, now_ns);
	struct dce_call none = {0};
	if (t == NULL) { /* interfaces are learnt all the same */
		dce_fragment(a, &s->is, &none, dir, h, d, h->frag_len);
		dce_call_free(a, &none);
		return;
	}
	dce_fragment(a, &s->is, &t->call, dir, h, d, h->frag_len);
	if (t->call.done[dir])
		t->tx.progress[dir] = APP_DONE;
	if (h->type == DCE_AUTH3)
		t->tx.progress[TO_CLIENT] = APP_DONE; /* has no answer */
	if (t->tx.progress[TO_SERVER] == APP_DONE && t->tx.progress[TO_CLIENT] == APP_DONE)
		s->open[h->call_id % OPEN_CALLS] = NULL;
}

/* A gap: calls under way in this direction have no more to say. */
static void lose(struct dce *s, unsigned dir)
{
	s->lost[dir] = true;
	for (unsigned i = 0; i < OPEN_CALLS; i++) {
		struct dce_tx *t = s->open[i];
		if (t == NULL || t->call.frags[dir] == 0)
			continue;
		t->call.done[dir] = true;
		t->tx.progress[dir] = APP_DONE;
	}
}

/* Behind a gap: do these DCE_HEAD bytes begin a fragment of this direction? */
static bool head_likely(const uint8_t *d, unsigned dir)
{
	struct dce_head h;
	return d[0] == 5 && d[1] == 0 && (d[4] & 0xef) == 0 && d[5] == 0 &&
	       dce_head_read(d, DCE_HEAD, &h) && h.type != 1 &&
	       (h.type >= 17 || dce_is_request(h.type) == (dir == TO_SERVER));
}

static uint32_t dce_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns)
{
	struct dce *s = a->state;
	uint32_t at = 0;
	struct dce_head h;
	if ((flags & APP_GAP) != 0) {
		lose(s, dir);
		return len;
	}
	while (!s->dead[dir] && len - at >= DCE_HEAD) {
		if (s->lost[dir] && !head_likely(data + at, dir)) {
			at++;
			continue;
		}
		s->lost[dir] = false;
		if (!dce_head_read(data + at, len - at, &h)) {
			s->dead[dir] = true;
			break;
		}
		if (h.frag_len > len - at)
			break;
		whole_fragment(a, dir, &h, data + at, now_ns);
		at += h.frag_len;
	}
	if ((flags & APP_EOF) != 0) {
		for (unsigned i = 0; i < OPEN_CALLS; i++)
			if (s->open[i] != NULL)
				s->open[i]->tx.progress[dir] = APP_DONE;
	}
	return s->dead[dir] || flags != 0 ? len : at;
}

static void dce_tx_free(struct app *a, struct app_tx *tx)
{
	struct dce_tx *t = (struct dce_tx *)tx;
	struct dce *s = a->state;
	if (a->proto == APP_DCERPC && s != NULL && s->open[t->call.call_id % OPEN_CALLS] == t)
		s->open[t->call.call_id % OPEN_CALLS] = NULL;
	dce_call_free(a, &t->call);
}

static int dce_tx_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b,
			 unsigned dir, uint32_t index, struct span *ret, uint64_t *ret_base,
			 bool *ret_complete)
{
	return dce_buffer(&((const struct dce_tx *)tx)->call, b, dir, index, ret);
}

static bool dce_number(const struct app *a, const struct app_tx *tx, enum app_number n,
		       unsigned dir, uint32_t index, uint64_t *ret)
{
	const struct dce_call *c = &((const struct dce_tx *)tx)->call;
	if (n != NUM_DCERPC_OPNUM || index != 0 || !c->has_opnum)
		return false;
	*ret = c->opnum;
	return true;
}

static const char *type_text(uint8_t type)
{
	static const char *const names[] = {
		"REQUEST",   "PING",     "RESPONSE",      "FAULT",
		"WORKING",   "NOCALL",   "REJECT",        "ACK",
		"CL_CANCEL", "FACK",     "CANCEL_ACK",    "BIND",
		"BINDACK",   "BINDNAK",  "ALTER_CONTEXT", "ALTER_CONTEXT_RESP",
		"AUTH3",     "SHUTDOWN", "CO_CANCEL",     "ORPHANED"};
	return type < ARRAY_LEN(names) ? names[type] : "UNKNOWN";
}

static void eve_ifaces(const struct dce_call *c, json_t *o)
{
	if (c->n_bound == 0)
		return;
	json_t *list = json_array();
	for (uint32_t i = 0; i < c->n_bound; i++) {
		const struct dce_iface *f = &c->bound[i];
		char text[40], version[16];
		struct writer w = writer_of(text, sizeof(text)),
			      v = writer_of(version, sizeof(version));
		for (unsigned k = 0; k < 16; k++)
			write_fmt(&w, k == 4 || k == 6 || k == 8 || k == 10 ? "-%02x" : "%02x",
				  f->uuid[k]);
		write_fmt(&v, "%u.%u", f->major, f->minor);
		json_t *item = json_object();
		json_object_set_new(item, "uuid", json_string(text));
		json_object_set_new(item, "version", json_string(version));
		if (f->answered)
			json_object_set_new(item, "ack_result", json_integer(f->result));
		json_array_append_new(list, item);
	}
	json_object_set_new(o, "interfaces", list);
}

static void eve_side(const struct dce_call *c, unsigned dir, bool opnum, json_t *o, const char *key)
{
	json_t *side = json_object();
	if (opnum)
		json_object_set_new(side, "opnum", json_integer(c->opnum));
	json_object_set_new(side, "frag_cnt", json_integer(c->frags[dir]));
	json_object_set_new(side, "stub_data_size", json_integer(c->stub[dir].n));
	json_object_set_new(o, key, side);
}

void dce_eve(const struct dce_call *c, bool smb, json_t *o)
{
	if (c->type[TO_SERVER] != DCE_NONE)
		json_object_set_new(o, "request", json_string(type_text(c->type[TO_SERVER])));
	if (c->type[TO_SERVER] == DCE_REQUEST) {
		if (smb)
			json_object_set_new(o, "opnum", json_integer(c->opnum));
		eve_side(c, TO_SERVER, !smb, o, "req");
	} else if (c->type[TO_SERVER] == DCE_BIND || c->type[TO_SERVER] == DCE_ALTER) {
		eve_ifaces(c, o);
	}
	json_object_set_new(o, "response",
			    json_string(c->type[TO_CLIENT] == DCE_NONE
						? "UNREPLIED"
						: type_text(c->type[TO_CLIENT])));
	if (c->type[TO_CLIENT] == DCE_RESPONSE)
		eve_side(c, TO_CLIENT, false, o, "res");
	json_object_set_new(o, "call_id", json_integer(c->call_id));
}

static bool dce_tx_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	dce_eve(&((const struct dce_tx *)tx)->call, false, o);
	json_object_set_new(o, "rpc_version", json_string("5.0"));
	return true;
}

const struct app_ops app_dcerpc = {
	.proto = APP_DCERPC,
	.eve_key = "dcerpc",
	.tcp = true,
	.open = dce_open,
	.close = dce_close,
	.feed = dce_feed,
	.tx_free = dce_tx_free,
	.buffer = dce_tx_buffer,
	.number = dce_number,
	.eve = dce_tx_eve,
};
