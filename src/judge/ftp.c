/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FTP speaks of addresses in its lines. A guest behind a translated one names the inside: as a server in its
 * answer to PASV, as a client in PORT and EPRT. That is set right where frames leave, outermost, so that rules see
 * what the guest said. The text may get longer or shorter; what follows is shifted, and acknowledgements back.
 *
 * A client outside that announces where it waits for data (PORT, EPRT) asks for one conversation that the guest
 * begins: it is a part of the first and not counted. Only to the client's own address, to no port of the system,
 * once, for a minute, and not often: somebody who can fake whole conversations gets no scanner out of it. One more
 * than that is judged and counted as any other.
 *
 * A line counts if one segment carries all of it, as every real client and server sends it.
 */
#include "judge/judge_priv.h"

#include <string.h>

#define CONTROL_PORT 21
#define LEAST_PORT 1024
#define LINES_MAX 2048u     /* a segment that is longer carries no commands */
#define FRAME_LONGEST 1514u /* nothing is made longer than this, unless it is to be cut up anyway */
#define SHIFT_MAX 4096
#define EXPECT_NS (60 * NS_PER_SEC)
#define EXPECT_PRICE_NS (30 * NS_PER_SEC)
#define EXPECT_BURST_NS (20 * EXPECT_PRICE_NS)

/* ---- reading ---------------------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A number of at most five digits at *at, which moves behind it. */
static bool number(const uint8_t *p, uint32_t n, uint32_t *at, uint32_t most, uint32_t *ret)
{
	uint32_t v = 0, i = *at;
	while (i < n && is_digit(p[i]) && i - *at < 5)
		v = v * 10 + (p[i++] - '0');
	if (i == *at || (i < n && is_digit(p[i])) || v > most)
		return false;
	*at = i;
	*ret = v;
	return true;
}

/* h1,h2,h3,h4,p1,p2 */
static bool six_numbers(const uint8_t *p, uint32_t n, uint32_t at, struct ftp_said *ret)
{
	uint32_t v[6], i = at, end = 0;
	for (unsigned k = 0; k < 6; k++) {
		if (k > 0 && (i >= n || p[i++] != ','))
			return false;
		if (!number(p, n, &i, 255, &v[k]))
			return false;
		if (k == 3)
			end = i;
	}
	const uint8_t b[4] = {(uint8_t)v[0], (uint8_t)v[1], (uint8_t)v[2], (uint8_t)v[3]};
	*ret = (struct ftp_said){.addr = addr_from_v4(b),
				 .port = (uint16_t)(v[4] << 8 | v[5]),
				 .at = at,
				 .len = end - at,
				 .commas = true};
	return true;
}

/* |1|192.0.2.1|2048|, with any sign instead of the bar (RFC 2428). */
static bool extended(const uint8_t *p, uint32_t n, uint32_t at, struct ftp_said *ret)
{
	char text[ADDR_TEXT];
	uint32_t kind, port, i = at + 1, end;
	if (at >= n || p[at] < 33 || p[at] > 126 || is_digit(p[at]))
		return false;
	uint8_t bar = p[at];
	if (!number(p, n, &i, 2, &kind) || i >= n || p[i++] != bar)
		return false;
	for (end = i; end < n && p[end] != bar && end - i < sizeof(text) - 1; end++)
		text[end - i] = (char)p[end];
	text[end - i] = '\0';
	uint32_t begin = i;
	i = end + 1;
	if (end >= n || p[end] != bar || addr_parse(text, &ret->addr) != 0 ||
	    ret->addr.ver != (kind == 1 ? 4 : 6) || kind == 0 || !number(p, n, &i, 65535, &port) ||
	    i >= n || p[i] != bar)
		return false;
	ret->port = (uint16_t)port;
	ret->at = begin;
	ret->len = end - begin;
	ret->commas = false;
	return true;
}

/* Letters of a command in any case; the word ends with the space. */
static bool begins(const uint8_t *p, uint32_t n, const char *word)
{
	for (uint32_t i = 0; i < 5; i++) {
		if (i >= n)
			return false;
		uint8_t c = p[i] >= 'a' && p[i] <= 'z' ? (uint8_t)(p[i] - 32) : p[i];
		if (c != (uint8_t)word[i])
			return false;
	}
	return true;
}

static bool read_line(const uint8_t *p, uint32_t n, bool answer, struct ftp_said *ret)
{
	if (!answer && begins(p, n, "EPRT "))
		return extended(p, n, 5, ret);
	if (!answer)
		return begins(p, n, "PORT ") && six_numbers(p, n, 5, ret);
	if (n < 4 || memcmp(p, "227 ", 4) != 0)
		return false;
	for (uint32_t i = 4; i < n; i++)
		if (is_digit(p[i]) && !is_digit(p[i - 1]) && six_numbers(p, n, i, ret))
			return true;
	return false;
}

bool ftp_read(const uint8_t *bytes, uint32_t len, bool answer, struct ftp_said *ret)
{
	if (len > LINES_MAX)
		return false;
	for (uint32_t at = 0; at < len;) {
		const uint8_t *end = memchr(bytes + at, '\n', len - at);
		if (end == NULL)
			return false; /* the rest of it is to come: nobody knows what it will be */
		uint32_t line = (uint32_t)(end - (bytes + at));
		if (read_line(bytes + at, line, answer, ret)) {
			ret->at += at;
			return true;
		}
		at += line + 1;
	}
	return false;
}

/* ---- which conversations ------------------------------------------------------------------------- */

static unsigned guest_side(const struct flow *f)
{
	return f->direction == DIR_INBOUND ? 1 : 0;
}

bool ftp_is_control(const struct flow *f)
{
	if (f->key[0].proto != PROTO_TCP)
		return false;
	if (f->direction == DIR_INBOUND)
		return f->key[0].port == 0 && f->key[1].sport == CONTROL_PORT;
	return f->direction == DIR_OUTBOUND && f->key[1].port == 0 &&
	       f->key[1].sport == CONTROL_PORT;
}

static bool has_payload(const struct layers *l)
{
	return l->proto == PROTO_TCP && l->l4 != 0 && !l->fragment && l->payload != 0 &&
	       l->l3_end > l->payload;
}

/* ---- numbers --------------------------------------------------------------------------------------- */

static bool is_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static bool is_shifted(const struct flow_shift *s)
{
	return s->before != 0 || s->after != 0;
}

static uint32_t shifted(const struct flow_shift *s, uint32_t seq)
{
	return seq + (uint32_t)(is_after(seq, s->pos) ? s->after : s->before);
}

static uint32_t shifted_back(const struct flow_shift *s, uint32_t ack)
{
	bool after = is_after(ack - (uint32_t)s->before, s->pos);
	return ack - (uint32_t)(after ? s->after : s->before);
}

/* The segment at seq is longer by so much. What was sent before is changed in the same way when it is sent again,
 * and is not counted twice. */
static void note_shift(struct flow_shift *s, uint32_t seq, int change)
{
	if (s->before != s->after && !is_after(seq, s->pos))
		return;
	s->pos = seq;
	s->before = s->after;
	s->after = (int16_t)(s->after + change);
}

/* Selective acknowledgements would have to be shifted one by one; a control conversation does without. */
static void blank_sack(struct frame *f, const struct layers *l)
{
	static const uint8_t nothing[40] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
					    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
					    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	uint32_t at = l->l4 + 20;
	while (at < l->payload) {
		uint8_t kind = f->data[at];
		uint32_t len = kind == 1 ? 1 : at + 1 < l->payload ? f->data[at + 1] : 0;
		if (kind == 0 || len == 0 || len > l->payload - at || (kind != 1 && len < 2))
			return;
		if (kind == 5 && len <= sizeof(nothing))
			(void)packet_set_bytes(f, l, at, nothing, len);
		at += len;
	}
}

void ftp_arrived(struct way *w, const struct flow *f)
{
	if (!is_shifted(&f->shift) || is_guest(w) || w->l.l4 == 0 || w->l.proto != PROTO_TCP ||
	    (w->l.fragment && !w->l.first_fragment) || (w->l.tcp_flags & TCP_ACK) == 0)
		return;
	packet_set_seq_ack(w->f, &w->l, w->l.seq, shifted_back(&f->shift, w->l.ack));
	blank_sack(w->f, &w->l);
}

/* ---- what leaves ----------------------------------------------------------------------------------- */

/* The guest's own address in a line becomes to; how many bytes longer it is. */
static int rename_guest(struct frame *f, struct layers *l, const struct ftp_said *said,
			const struct addr *to)
{
	char text[ADDR_TEXT];
	addr_text(to, text);
	for (char *c = text; said->commas && *c != '\0'; c++)
		if (*c == '.')
			*c = ',';
	uint32_t len = (uint32_t)strlen(text), at = l->payload + said->at;
	uint32_t rest = l->l3_end - (at + said->len), whole = l->l3_end - l->payload;
	uint32_t end = l->l3_end - said->len + len;
	bool gso = f->vnet.gso_type != 0;
	if (end > f->cap || (end > FRAME_LONGEST && end > l->l3_end && !gso))
		return 0;
	memmove(f->data + at + len, f->data + at + said->len, rest);
	memcpy(f->data + at, text, len);
	packet_finish_tcp(f, l, whole - said->len + len, (f->vnet.flags & VNET_NEEDS_CSUM) != 0,
			  gso ? f->vnet.gso_size : 0);
	return (int)len - (int)said->len;
}

static void one_leaves(struct flow *f, struct frame *out)
{
	struct layers l;
	struct ftp_said said;
	unsigned g = guest_side(f);
	const struct addr *inside = &f->key[g].src, *public = &f->key[!g].dst;
	packet_decode(out, &l);
	if (l.proto != PROTO_TCP || l.l4 == 0 || (l.fragment && !l.first_fragment))
		return;
	uint32_t seq = l.seq;
	if (!addr_eq(inside, public) && has_payload(&l) && f->shift.after < SHIFT_MAX &&
	    f->shift.after > -SHIFT_MAX &&
	    ftp_read(out->data + l.payload, l.l3_end - l.payload, g == 1, &said) &&
	    addr_eq(&said.addr, inside)) {
		int change = rename_guest(out, &l, &said, public);
		if (change != 0)
			note_shift(&f->shift, seq, change);
	}
	if (is_shifted(&f->shift))
		packet_set_seq_ack(out, &l, shifted(&f->shift, seq), l.ack);
}

void ftp_leaves(struct way *w)
{
	struct judge_result *r = w->ret;
	struct flow *f = w->flow;
	if (f == NULL || !ftp_is_control(f))
		return;
	bool out = r->verdict == VERDICT_FORWARD && r->out_port == 0;
	if (out && !r->changed)
		one_leaves(f, w->f);
	for (uint32_t i = 0; out && r->changed && i < r->n_frames; i++)
		one_leaves(f, r->frames[i]);
	for (uint32_t i = 0; i < r->n_replies; i++)
		if (r->reply_port[i] == 0)
			one_leaves(f, r->replies[i]);
}

void ftp_released(struct judge *j, struct frame *out)
{
	struct layers l;
	unsigned side;
	packet_decode(out, &l);
	if (l.proto != PROTO_TCP || l.l4 == 0)
		return;
	const struct flow_key key = {.src = l.dst,
				     .dst = l.src,
				     .sport = l.dport,
				     .dport = l.sport,
				     .port = 0,
				     .proto = PROTO_TCP};
	struct flow *f = flow_find(j->table, &key, &side);
	if (f != NULL && ftp_is_control(f))
		one_leaves(f, out);
}

/* ---- data that a client waits for -------------------------------------------------------------------- */

static void expect(struct judge *j, uint16_t guest, const struct addr *client, uint16_t port,
		   int64_t now_ns)
{
	struct ftp_expect *at = &j->expect[0];
	for (unsigned i = 0; i < FTP_EXPECTS; i++) {
		struct ftp_expect *e = &j->expect[i];
		if (e->guest == guest && e->port == port && addr_eq(&e->client, client)) {
			at = e;
			break;
		}
		if (e->until_ns < at->until_ns)
			at = e; /* unused, or the oldest */
	}
	*at = (struct ftp_expect){
		.client = *client, .port = port, .guest = guest, .until_ns = now_ns + EXPECT_NS};
}

void ftp_heard(struct way *w, const struct flow *f)
{
	struct ftp_said said;
	const struct layers *l = &w->l;
	if (f->direction != DIR_INBOUND || is_guest(w) || !has_payload(l) ||
	    (f->seen & FLOW_SEEN_ESTABLISHED) == 0 || (f->seen & FLOW_SEEN_RST) != 0 ||
	    f->guest >= w->j->conf.n_ports ||
	    !ftp_read(w->f->data + l->payload, l->l3_end - l->payload, false, &said))
		return;
	/* Anybody else's address would be a bounce. */
	if (!addr_eq(&said.addr, &f->key[0].src) || said.port < LEAST_PORT ||
	    !policy_rate_take(&w->j->ports[f->guest].ftp_ns, EXPECT_PRICE_NS, EXPECT_BURST_NS,
			      w->now_ns))
		return;
	expect(w->j, f->guest, &said.addr, said.port, w->now_ns);
}

void ftp_forget(struct judge *j, uint16_t guest)
{
	for (unsigned i = 0; i < FTP_EXPECTS; i++)
		if (j->expect[i].guest == guest)
			j->expect[i] = (struct ftp_expect){0};
}

bool ftp_expected(struct judge *j, uint16_t guest, const struct flow_key *k, int64_t now_ns,
		  bool take)
{
	if (k->proto != PROTO_TCP)
		return false;
	for (unsigned i = 0; i < FTP_EXPECTS; i++) {
		struct ftp_expect *e = &j->expect[i];
		if (e->until_ns <= now_ns || e->guest != guest || e->port != k->dport ||
		    !addr_eq(&e->client, &k->dst))
			continue;
		if (take)
			*e = (struct ftp_expect){0};
		return true;
	}
	return false;
}
