/* SPDX-License-Identifier: BSD-2-Clause */
/* A flow's protocol: found, fed, changed, given up; and the list of its transactions. */
#include "proto/ftp/ftp_priv.h"
#include "proto/proto_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TX 512u
#define TX_MOST \
	64u /* max_tx so many times: complete ones that came at once, and nobody has seen yet */
#define DETECT_BYTES \
	(100u * 1024) /* so much of one side waits for the other side to say something */
#define DETECT_DATAGRAMS 3u
#define SWEEP_LOOKS 32u /* unfinished transactions that one sweep passes */
#define NO_DIR 2u

/* ---- context ---------------------------------------------------------------------------------- */

int app_ctx_create(const struct app_conf *conf, struct slab *slab, struct app_ctx **ret)
{
	struct app_ctx *c = calloc(1, sizeof(*c));
	uint8_t *scratch = malloc(APP_SCRATCH);
	if (c == NULL || scratch == NULL) {
		free(c);
		free(scratch);
		return -ENOMEM;
	}
	if (conf != NULL)
		c->conf = *conf;
	if (c->conf.request_body == 0)
		c->conf.request_body = 100 * 1024;
	if (c->conf.response_body == 0)
		c->conf.response_body = 100 * 1024;
	if (c->conf.max_tx == 0)
		c->conf.max_tx = MAX_TX;
	c->slab = slab;
	c->scratch = scratch;
	*ret = c;
	return 0;
}

void app_ctx_free(struct app_ctx **c)
{
	if (*c == NULL)
		return;
	free((*c)->scratch);
	free(*c);
	*c = NULL;
}

void app_ctx_set_stream(struct app_ctx *c, struct stream *s)
{
	c->stream = s;
}

void app_ctx_set_full(struct app_ctx *c, app_full_fn *fn, void *ctx)
{
	c->full = fn;
	c->full_ctx = ctx;
}

void app_ctx_set_framing(struct app_ctx *c, app_frame_fn *fn, void *ctx)
{
	c->frame = fn;
	c->frame_ctx = ctx;
}

_Static_assert(sizeof(struct app) <= 192, "docs/PERFORMANCE.md says what a conversation takes");

struct app *app_open(struct app_ctx *c, struct stream_flow *f)
{
	struct app *a = slab_zalloc(c->slab, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->ctx = c;
	a->flow = f;
	a->first_dir = NO_DIR;
	f->app = a;
	return a;
}

/* ---- transactions ------------------------------------------------------------------------------- */

/* Nothing was said in this direction, or all. */
static bool at_rest(const struct app_tx *tx, unsigned dir)
{
	return tx->progress[dir] == 0 || tx->progress[dir] == APP_DONE;
}

/* A flow that asks and asks: the oldest question that still waits for its answer waits no longer. Was
 * the new one refused instead, five hundred idle ones would hide it. Each is asked once. */
static void give_way(struct app *a)
{
	struct app_tx *tx = a->tx_gave != NULL ? a->tx_gave->next : a->tx_first;
	for (; tx != NULL && tx != a->tx_last; tx = tx->next) {
		bool over = tx->progress[0] == APP_DONE && tx->progress[1] == APP_DONE;
		a->tx_gave = tx;
		if (over || !at_rest(tx, 0) || !at_rest(tx, 1))
			continue; /* or being said right now */
		tx->progress[0] = tx->progress[1] = APP_DONE;
		return;
	}
}

struct app_tx *app_tx_new(struct app *a, size_t size, int64_t now_ns)
{
	uint32_t most = a->ctx->conf.max_tx;
	if (a->tx_open >= most)
		give_way(a);
	if (a->tx_open / TX_MOST >= most) {
		a->full = true;
		return NULL;
	}
	struct app_tx *tx = slab_zalloc(a->ctx->slab, size);
	if (tx == NULL)
		return NULL;
	tx->id = a->tx_next_id++;
	tx->stamp_ns = now_ns;
	tx->proto = a->proto;
	if (a->tx_last != NULL)
		a->tx_last->next = tx;
	else
		a->tx_first = tx;
	a->tx_last = tx;
	a->tx_open++;
	return tx;
}

void app_tx_event(struct app_tx *tx, unsigned event)
{
	if (event < APP_EVENT_WORDS * 64)
		tx->events[event / 64] |= UINT64_C(1) << (event % 64);
}

void app_flow_event(struct app *a, enum app_flow_event e)
{
	a->events[0] |= UINT64_C(1) << e;
}

static void rules_free(struct app_tx *tx, app_free_fn *free_rules, void *ctx)
{
	for (unsigned d = 0; d < 2; d++) {
		if (tx->rules[d] != NULL && free_rules != NULL)
			free_rules(ctx, tx->rules[d]);
		tx->rules[d] = NULL;
	}
}

static void tx_free(struct app *a, struct app_tx *tx)
{
	const struct app_ops *ops = app_ops_of(tx->proto);
	if (ops != NULL && ops->tx_free != NULL)
		ops->tx_free(a, tx);
	for (struct app_file *f = tx->files, *next; f != NULL; f = next) {
		next = f->next;
		app_body_free(a, f->body);
		slab_free(a->ctx->slab, f);
	}
	slab_free(a->ctx->slab, tx);
}

/* A transaction that was taken out of the list. */
static void tx_gone(struct app *a, struct app_tx *tx, bool all)
{
	const struct app_ops *ops = app_ops_of(tx->proto);
	a->tx_open--;
	if (all || ops == NULL || ops->keep == NULL || !ops->keep(a, tx)) {
		tx_free(a, tx);
		return;
	}
	if (a->kept != NULL)
		tx_free(a, a->kept);
	tx->next = NULL;
	a->kept = tx;
}

const struct app_tx *app_last(const struct app *a)
{
	const struct app_ops *ops = app_ops_of(a->proto);
	if (ops == NULL || ops->keep == NULL)
		return NULL;
	if (a->kept != NULL && a->kept->proto == a->proto)
		return a->kept;
	const struct app_tx *tx = a->tx_first;
	while (tx != NULL && tx->proto != a->proto)
		tx = tx->next;
	return tx;
}

static bool tx_over(const struct app_tx *tx)
{
	for (unsigned d = 0; d < 2; d++) {
		bool never = d == TO_SERVER ? tx->toclient_only : tx->toserver_only;
		if (!never && (tx->progress[d] != APP_DONE || !tx->inspected[d]))
			return false;
	}
	return true;
}

void app_sweep(struct app *a, app_free_fn *free_rules, void *ctx, bool all)
{
	struct app_tx **at = &a->tx_first, *before = NULL;
	for (uint32_t passed = 0; *at != NULL && (all || passed < SWEEP_LOOKS);) {
		struct app_tx *tx = *at;
		if (!all && !tx_over(tx)) {
			passed++;
			before = tx;
			at = &tx->next;
			continue;
		}
		*at = tx->next;
		if (a->tx_last == tx)
			a->tx_last = before;
		if (a->tx_gave == tx)
			a->tx_gave = before;
		rules_free(tx, free_rules, ctx);
		tx_gone(a, tx, all);
	}
}

static void state_close(struct app *a)
{
	const struct app_ops *ops = app_ops_of(a->proto);
	if (ops != NULL && ops->close != NULL && a->state != NULL)
		ops->close(a);
	a->state = NULL;
}

void app_close(struct stream_flow *f, app_free_fn *free_rules, void *ctx)
{
	struct app *a = f->app;
	if (a == NULL)
		return;
	app_sweep(a, free_rules, ctx, true);
	if (a->kept != NULL)
		tx_free(a, a->kept);
	state_close(a);
	slab_free(a->ctx->slab, a->parent_name);
	slab_free(a->ctx->slab, a);
	f->app = NULL;
}

/* ---- which protocol ------------------------------------------------------------------------------- */

static void give_up(struct app *a)
{
	a->proto = APP_FAILED;
	a->failed = true;
	a->flow->side[0].no_app = a->flow->side[1].no_app = true;
}

/* Protocols in which the client speaks first: a flow that begins with the server is not taken. */
static bool client_first(unsigned proto)
{
	return proto == APP_HTTP || proto == APP_TLS || proto == APP_DCERPC;
}

static void settle_on(struct app *a, enum app_proto proto)
{
	if (a->expect != APP_UNKNOWN && proto != a->expect)
		app_flow_event(a, a->expect == APP_TLS ? FLOW_EVENT_NO_TLS_AFTER_STARTTLS
						       : FLOW_EVENT_UNEXPECTED);
	a->expect = APP_UNKNOWN;
	/* after a change of protocol the server may well go first */
	if (a->first_dir == TO_CLIENT && client_first(proto) && !a->reversed &&
	    a->before == APP_UNKNOWN) {
		app_flow_event(a, FLOW_EVENT_WRONG_DIRECTION);
		give_up(a);
		return;
	}
	a->proto = (uint8_t)proto;
	const struct app_ops *ops = app_ops_of(proto);
	if (ops == NULL) { /* known by name only */
		a->wants_none = true;
		return;
	}
	if (ops->open != NULL && ops->open(a) < 0)
		give_up(a);
}

/* One direction has told what it is (APP_FAILED: nothing we know; APP_UNKNOWN: it said nothing). */
static void direction_is(struct app *a, unsigned dir, enum app_proto p)
{
	unsigned other = dir ^ 1;
	a->detected[dir] = true;
	a->proto_dir[dir] = (uint8_t)p;
	unsigned o = a->detected[other] ? a->proto_dir[other] : APP_UNKNOWN;
	if (a->proto == APP_POP3 || a->proto == APP_IMAP)
		return; /* their greeting told; commands look like those of FTP, SMTP */
	if (a->proto != APP_UNKNOWN) { /* decided by the other side already */
		if (p == APP_FAILED)
			app_flow_event(a, FLOW_EVENT_ONE_DIRECTION);
		else if (p != APP_UNKNOWN && p != a->proto)
			app_flow_event(a, FLOW_EVENT_MISMATCH_BOTH);
		return;
	}
	if (p != APP_FAILED && p != APP_UNKNOWN) {
		if (o == APP_FAILED)
			app_flow_event(a, FLOW_EVENT_ONE_DIRECTION);
		settle_on(a, p);
	} else if (a->detected[other]) {
		if (a->expect == APP_TLS)
			app_flow_event(a, FLOW_EVENT_NO_TLS_AFTER_STARTTLS);
		give_up(a);
	}
}

/* Looks at what a direction has so far. False: undecided, its bytes have to wait. */
static bool detect_side(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			unsigned flags)
{
	enum app_proto p = APP_FAILED;
	enum probe r = PROBE_NO;
	if ((flags & APP_GAP) == 0 && len != 0)
		r = detect_stream(a->flow, dir, data, len, &p);
	if (r == PROBE_NO && a->flow->midstream && a->tries[0] == 0 && len != 0 &&
	    (flags & APP_GAP) == 0 && !a->detected[dir ^ 1]) {
		/* picked up in the middle: who began may be the server */
		r = detect_stream(a->flow, dir ^ 1, data, len, &p);
		a->reversed = r == PROBE_YES;
	}
	if (r == PROBE_MORE && (flags & APP_EOF) == 0)
		return false;
	direction_is(a, dir, r == PROBE_YES ? p : len == 0 ? APP_UNKNOWN : APP_FAILED);
	return true;
}

void app_switch(struct app *a, enum app_proto expect)
{
	a->switching = true;
	a->expect = (uint8_t)expect;
}

static void begin_anew(struct app *a)
{
	state_close(a);
	a->before = a->proto;
	a->proto = APP_UNKNOWN;
	a->switching = a->wants_none = false;
	a->detected[0] = a->detected[1] = false;
	a->proto_dir[0] = a->proto_dir[1] = APP_UNKNOWN;
	a->first_dir = NO_DIR;
}

/* ---- bytes ---------------------------------------------------------------------------------------- */

/* Hands bytes to the protocol; after a change of protocol the rest is left for detection. */
static uint32_t hand_over(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			  unsigned flags, int64_t now_ns)
{
	const struct app_ops *ops = app_ops_of(a->proto);
	if (ops == NULL || ops->feed == NULL || a->wants_none || a->failed)
		return len;
	uint32_t n = ops->feed(a, dir ^ a->reversed, data, len, flags, now_ns);
	if (n > len)
		n = len;
	if (a->switching) {
		begin_anew(a);
		return n;
	}
	if (a->failed) {
		state_close(a);
		a->flow->side[0].no_app = a->flow->side[1].no_app = true;
		return len;
	}
	return (flags & (APP_EOF | APP_GAP)) != 0 ? len : n;
}

/* The side that spoke first has waited for the other to be understood: it is heard first now. */
static void catch_up(struct app *a, unsigned dir, int64_t now_ns)
{
	struct stream_side *s = &a->flow->side[dir];
	if (s->data == NULL || s->no_app || s->app_done < s->base ||
	    s->app_done >= s->base + s->len)
		return;
	if (!a->detected[dir] && !detect_side(a, dir, s->data + (s->app_done - s->base),
					      (uint32_t)(s->base + s->len - s->app_done), 0))
		return;
	if (a->proto == APP_FAILED)
		return;
	a->feed_off = s->app_done;
	s->app_done += hand_over(a, dir, s->data + (s->app_done - s->base),
				 (uint32_t)(s->base + s->len - s->app_done), 0, now_ns);
}

/* What to do with bytes of a direction whose protocol is open still. True: go on and parse. */
static bool find(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, unsigned flags,
		 int64_t now_ns)
{
	if (a->first_dir == NO_DIR && len != 0) {
		a->first_dir = (uint8_t)dir;
		if (ftp_data_claim(a))
			return true;
	}
	bool was_open = a->proto == APP_UNKNOWN;
	if (!a->detected[dir] && !detect_side(a, dir, data, len, flags))
		return false; /* all that is waited for is short */
	if (a->proto == APP_UNKNOWN) {
		if (len <= DETECT_BYTES || !a->flow->tcp)
			return false;
		app_flow_event(a, FLOW_EVENT_SKIPPED); /* the other side keeps silent */
		give_up(a);
		return false;
	}
	if (was_open && a->first_dir != dir && a->proto != APP_FAILED)
		catch_up(a, dir ^ 1, now_ns);
	return true;
}

uint32_t app_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, unsigned flags,
		  int64_t now_ns)
{
	uint32_t done = 0;
	for (unsigned rounds = 0; rounds < 4; rounds++) { /* each protocol change is a round */
		if (a->failed || a->wants_none)
			return len;
		const uint8_t *at = data != NULL ? data + done : NULL;
		if (a->proto == APP_UNKNOWN || !a->detected[dir]) {
			if (len == done && (flags & APP_EOF) == 0)
				return len;
			if (!find(a, dir, at, len - done, flags, now_ns))
				return a->failed || (flags & (APP_EOF | APP_GAP)) != 0 ? len : done;
		}
		uint8_t proto = a->proto;
		a->feed_off = a->flow->side[dir].app_done + done;
		done += hand_over(a, dir, at, len - done, flags, now_ns);
		if (proto == a->proto || done == len)
			return done;
	}
	return done;
}

static void datagram_is(struct app *a, unsigned dir, const uint8_t *data, uint32_t len)
{
	enum app_proto p = APP_FAILED;
	unsigned talk = dir;
	if (detect_datagram(a->flow, dir, data, len, &p, &talk) == PROBE_YES) {
		if (talk != dir && a->first_dir == dir)
			a->reversed = true;
		direction_is(a, dir, p);
		return;
	}
	if (++a->tries[dir] < DETECT_DATAGRAMS)
		return;
	a->detected[dir] = true;
	a->proto_dir[dir] = APP_FAILED;
	if (a->detected[dir ^ 1] && a->proto == APP_UNKNOWN)
		give_up(a);
}

void app_datagram(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, int64_t now_ns)
{
	if (a->failed || a->wants_none || len == 0)
		return;
	if (a->first_dir == NO_DIR)
		a->first_dir = (uint8_t)dir;
	if (a->proto == APP_UNKNOWN && !a->detected[dir])
		datagram_is(a, dir, data, len);
	const struct app_ops *ops = app_ops_of(a->proto);
	if (ops != NULL && ops->udp && ops->feed != NULL)
		ops->feed(a, dir ^ a->reversed, data, len, 0, now_ns);
}

/* ---- what transactions hold ------------------------------------------------------------------------- */

int app_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
	       uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete)
{
	const struct app_ops *ops = app_ops_of(tx->proto);
	if (ops == NULL || ops->buffer == NULL)
		return 1;
	uint64_t base = 0;
	bool complete = true;
	int r = ops->buffer(a, tx, b, dir, index, ret, &base, &complete);
	if (ret_base != NULL)
		*ret_base = base;
	if (ret_complete != NULL)
		*ret_complete = complete;
	return r;
}

uint32_t app_wire(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		  uint32_t index, uint64_t off, uint32_t len, struct app_piece *pieces,
		  uint32_t max)
{
	const struct app_ops *ops = app_ops_of(tx->proto);
	if (ops == NULL || ops->wire == NULL || len == 0)
		return 0;
	return ops->wire(a, tx, b, dir, index, off, len, pieces, max);
}

bool app_is_framed(const struct app *a, const struct app_tx *tx, unsigned dir)
{
	(void)a;
	const struct app_ops *ops = app_ops_of(tx->proto);
	return ops != NULL && ops->is_framed != NULL && ops->is_framed(tx, dir);
}

uint64_t app_head_begins(const struct app *a, unsigned dir)
{
	const struct app_ops *ops = app_ops_of(a->proto);
	if (ops == NULL || ops->head_begins == NULL || a->state == NULL || a->failed)
		return UINT64_MAX;
	return ops->head_begins(a, dir);
}

bool app_number(const struct app *a, const struct app_tx *tx, enum app_number n, unsigned dir,
		uint32_t index, uint64_t *ret)
{
	const struct app_ops *ops = app_ops_of(tx->proto);
	return ops != NULL && ops->number != NULL && ops->number(a, tx, n, dir, index, ret);
}

bool app_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *ret_object)
{
	const struct app_ops *ops = app_ops_of(tx->proto);
	return ops != NULL && ops->eve != NULL && ops->eve(a, tx, dir, ret_object);
}
