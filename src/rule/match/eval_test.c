/* SPDX-License-Identifier: BSD-2-Clause */
/* What a rule asks of packet, flow and transaction as a whole: its header, and its tests. */
#include "rule/match/eval_priv.h"

#include <string.h>
#include <strings.h>

#define RECORDS_MAX 64u /* instances of a number that are looked at */
#define FILES_MAX 64u

/* ---- header ------------------------------------------------------------------------------------- */

static bool proto_fits(const struct rule *r, const struct pkt *p)
{
	switch ((enum rule_proto)r->proto) {
	case PROTO_ANY_IP:
		return p->ip_ver != 0;
	case PROTO_ONLY_TCP:
	case PROTO_TCP_PKT:
	case PROTO_TCP_STREAM:
		return p->proto == 6 && p->ip_ver != 0;
	case PROTO_ONLY_UDP:
		return p->proto == 17 && p->ip_ver != 0;
	case PROTO_ONLY_ICMP:
		return p->ip_ver == 4 ? p->proto == 1 : p->ip_ver == 6 && p->proto == 58;
	case PROTO_ONLY_ICMP4:
		return p->ip_ver == 4 && p->proto == 1;
	case PROTO_ONLY_ICMP6:
		return p->ip_ver == 6 && p->proto == 58;
	case PROTO_ONLY_SCTP:
		return p->ip_ver != 0 && p->proto == 132;
	case PROTO_ONLY_IP4:
		return p->ip_ver == 4;
	case PROTO_ONLY_IP6:
		return p->ip_ver == 6;
	case PROTO_NUMBER:
		return p->ip_ver != 0 && p->proto == r->proto_number;
	case PROTO_APP:
		return p->ip_ver != 0;
	case PROTO_PKTHDR:
		return true;
	case PROTO_ARP:
		return p->ethertype == 0x0806;
	}
	return false;
}

static bool has_ports(const struct pkt *p)
{
	return p->proto == 6 || p->proto == 17 || p->proto == 132;
}

static bool ends_fit(const struct rule *r, const struct view *v, bool swapped)
{
	const struct pkt *p = v->p;
	uint16_t sp = swapped ? v->dport : v->sport, dp = swapped ? v->sport : v->dport;
	if (!r->sport.any || !r->dport.any || r->sport.n_no > 0 || r->dport.n_no > 0) {
		if (!has_ports(p) || !port_set_has(&r->dport, dp) || !port_set_has(&r->sport, sp))
			return false;
	}
	if (r->src.any && r->dst.any && r->src.n_no == 0 && r->dst.n_no == 0)
		return true;
	if (p->ip_ver == 0)
		return false;
	return addr_set_has(&r->src, swapped ? v->dst : v->src) &&
	       addr_set_has(&r->dst, swapped ? v->src : v->dst);
}

/* dcerpc rules also look into SMB, ftp rules not into ftp-data. */
static enum answer app_fits(const struct rule *r, const struct view *v)
{
	const struct app *a = v->app;
	const struct app_tx *tx = v->tx;
	const struct stream_flow *f = v->flow;
	if (r->app == APP_UNKNOWN)
		return YES;
	if (a == NULL) /* nothing was said yet in order, or nobody will read it */
		return f != NULL && f->tcp && !f->side[0].no_app && !f->side[1].no_app ? WAIT : NO;
	uint8_t have = tx != NULL ? tx->proto : a->proto;
	if (have == r->app || (r->app == APP_DCERPC && have == APP_SMB))
		return YES;
	return have == APP_UNKNOWN ? WAIT : NO;
}

enum answer eval_header(const struct rule_engine *e, const struct rule *r, const struct view *v)
{
	const struct plan *pl = r->plan;
	if (v->flow != NULL && (pl->dirs & (1u << v->dir)) == 0)
		return NO;
	if (!proto_fits(r, v->p))
		return NO;
	enum answer a = r->proto == PROTO_APP ? app_fits(r, v) : YES;
	if (a == NO)
		return NO;
	if (!ends_fit(r, v, false) && !(r->both_ways && ends_fit(r, v, true)))
		return NO;
	return a;
}

/* ---- tests of packets ------------------------------------------------------------------------------ */

bool eval_tcp_flags(const struct rule_test *t, const struct pkt *p)
{
	if (p->proto != 6 || p->l4_hlen == 0)
		return false;
	uint8_t have = (uint8_t)(p->tcp.flags & ~t->u.flags.mask), set = t->u.flags.set;
	switch (t->u.flags.mode) {
	case '+':
		return (have & set) == set;
	case '*':
		return (have & set) != 0;
	case '!':
		return (have & set) == 0;
	default:
		return have == set;
	}
}

static bool fragbits(const struct rule_test *t, const struct pkt *p)
{
	if (p->ip_ver != 4 || p->ip == NULL || p->ip_hlen < 20)
		return false;
	uint16_t f = load_be16(p->ip + 6);
	uint16_t have =
		(uint16_t)((f & 0x2000 ? 1 : 0) | (f & 0x4000 ? 2 : 0) | (f & 0x8000 ? 4 : 0));
	uint16_t set = t->u.fragbits.bits;
	switch (t->u.fragbits.mode) {
	case '+':
		return (have & set) == set;
	case '*':
		return (have & set) != 0;
	case '!':
		return (have & set) == 0;
	default:
		return have == set;
	}
}

static bool number_if(bool has, const struct rule_test *t, uint64_t x)
{
	return has && rule_number_fits(&t->u.number, x);
}

static bool vlan_id(const struct rule_test *t, const struct pkt *p)
{
	unsigned n = p->n_vlan < DISSECT_VLANS ? p->n_vlan : DISSECT_VLANS, fit = 0;
	if (t->u.num.index < RULE_ALL_INDEX)
		return t->u.num.index < n && rule_number_fits(&t->u.num.v, p->vlan[t->u.num.index]);
	for (unsigned i = 0; i < n; i++)
		fit += rule_number_fits(&t->u.num.v, p->vlan[i]) ? 1 : 0;
	return t->u.num.index == RULE_ALL_INDEX ? n > 0 && fit == n : fit > 0;
}

static bool packet_test(const struct rule_test *t, const struct view *v, bool *ret_known)
{
	const struct pkt *p = v->p;
	bool tcp = p->proto == 6 && p->l4_hlen > 0;
	bool icmp = (p->proto == 1 || p->proto == 58) && p->l4_len > 0;
	*ret_known = true;
	switch ((int)t->kind) {
	case TEST_TTL:
		return number_if(p->ip_ver != 0, t, p->ttl);
	case TEST_TOS:
		return number_if(p->ip_ver != 0, t, p->tos);
	case TEST_IP_ID:
		return number_if(p->ip_ver == 4, t, p->ip_id_lo);
	case TEST_IP_PROTO:
		return number_if(p->ip_ver != 0, t, p->proto);
	case TEST_IPOPTS:
		return p->ip_ver == 4 &&
		       (t->u.number.lo == IPOPT_ANY ? p->ip_opts != 0
						    : (p->ip_opts & t->u.number.lo) != 0);
	case TEST_FRAGBITS:
		return fragbits(t, p);
	case TEST_FRAGOFFSET:
		return number_if(p->ip_ver == 4, t, p->frag_off / 8u);
	case TEST_SAMEIP:
		return p->ip_ver != 0 && addr_eq(&p->src, &p->dst);
	case TEST_TCP_FLAGS:
		return eval_tcp_flags(t, p);
	case TEST_TCP_SEQ:
		return number_if(tcp, t, p->tcp.seq);
	case TEST_TCP_ACK:
		return number_if(tcp, t, p->tcp.ack);
	case TEST_TCP_WINDOW:
		return number_if(tcp, t, p->tcp.win);
	case TEST_TCP_MSS:
		return number_if(tcp && p->tcp.has_mss, t, p->tcp.mss);
	case TEST_TCP_WSCALE:
		return number_if(tcp && p->tcp.has_wscale, t, p->tcp.wscale);
	case TEST_ITYPE:
		return number_if(icmp, t, p->icmp_type);
	case TEST_ICODE:
		return number_if(icmp, t, p->icmp_code);
	case TEST_ICMP_ID:
		return number_if(icmp && p->has_icmp_id, t, p->icmp_id);
	case TEST_ICMP_SEQ:
		return number_if(icmp && p->has_icmp_id, t, p->icmp_seq);
	case TEST_ICMP6_MTU:
		return number_if(p->has_icmp6_mtu, t, p->icmp6_mtu);
	case TEST_DSIZE:
		return number_if(true, t, p->payload_len);
	case TEST_VLAN_ID:
		return vlan_id(t, p);
	case TEST_VLAN_LAYERS:
		return number_if(true, t, p->n_vlan);
	case TEST_TUNNEL:
		return p->depth > 0;
	case TEST_DECODE_EVENT:
		return dissect_event_in(p, t->u.event.event);
	case TEST_STREAM_EVENT: {
		unsigned ev = t->u.event.event;
		return v->r != NULL && ev < 64 * STREAM_EVENT_WORDS &&
		       (v->r->events[ev / 64] >> ev % 64 & 1) != 0;
	}
	case TEST_RPC: {
		const uint8_t *d = p->payload;
		uint32_t at = p->proto == 6 ? 4 : 0;
		if (d == NULL || p->payload_len < at + 24 || load_be32(d + at + 4) != 0)
			return false;
		return load_be32(d + at + 12) == t->u.rpc.program &&
		       (t->u.rpc.any_version || load_be32(d + at + 16) == t->u.rpc.version) &&
		       (t->u.rpc.any_procedure || load_be32(d + at + 20) == t->u.rpc.procedure);
	}
	default:
		*ret_known = false;
		return false;
	}
}

/* ---- tests of flows -------------------------------------------------------------------------------- */

static bool flow_test(uint32_t want, const struct view *v)
{
	if ((want & (FLOW_TO_SERVER | FLOW_TO_CLIENT | FLOW_ESTABLISHED)) != 0 && v->flow == NULL)
		return false;
	if ((want & FLOW_TO_SERVER) != 0 && v->dir != TO_SERVER)
		return false;
	if ((want & FLOW_TO_CLIENT) != 0 && v->dir != TO_CLIENT)
		return false;
	bool established = v->flow != NULL && v->flow->established;
	/* What completes the handshake comes before it is complete. */
	if (v->where == WHERE_PACKET && v->p->payload_len == 0 && v->fr != NULL && v->flow->tcp)
		established = v->fr->established;
	if ((want & FLOW_ESTABLISHED) != 0 && !established)
		return false;
	if ((want & FLOW_NOT_ESTABLISHED) != 0 && established)
		return false;
	if ((want & FLOW_ONLY_STREAM) != 0 && v->where == WHERE_PACKET)
		return false;
	if ((want & FLOW_NO_STREAM) != 0 && v->where != WHERE_PACKET)
		return false;
	bool frag = v->p->rebuilt || v->p->fragment;
	return !((want & FLOW_ONLY_FRAG) != 0 && !frag) && !((want & FLOW_NO_FRAG) != 0 && frag);
}

/* Of both directions: 's' to the server, 'c' to the client, 'e' either, 'b' their sum. */
static bool sides_fit(uint8_t side, const struct rule_number *n, uint64_t s, uint64_t c)
{
	switch (side) {
	case 's':
		return rule_number_fits(n, s);
	case 'c':
		return rule_number_fits(n, c);
	case 'e':
		return rule_number_fits(n, s) || rule_number_fits(n, c);
	default:
		return rule_number_fits(n, s + c);
	}
}

/* With its SYN, as Suricata counts. */
static uint64_t side_size(const struct stream_side *s)
{
	return s->next_seq - s->isn;
}

bool eval_stream_size(const struct rule_test *t, const struct stream_flow *f)
{
	const struct rule_number *n = &t->u.size.n;
	if (f == NULL || !f->tcp)
		return false;
	uint64_t s = side_size(&f->side[TO_CLIENT]), c = side_size(&f->side[TO_SERVER]);
	if (t->u.size.side == 'b')
		return rule_number_fits(n, s) && rule_number_fits(n, c);
	return sides_fit(t->u.size.side, n, s, c);
}

static enum answer app_proto_test(const struct rule_test *t, const struct view *v)
{
	if (v->app == NULL)
		return NO;
	const struct app *a = v->app;
	uint8_t want = t->u.app.app;
	if (t->u.app.mode == 's' || t->u.app.mode == 'c' || t->u.app.mode == 'e') {
		bool s = a->proto_dir[TO_SERVER] == want, c = a->proto_dir[TO_CLIENT] == want;
		bool hit = t->u.app.mode == 's' ? s : t->u.app.mode == 'c' ? c : s || c;
		return hit ? YES : WAIT;
	}
	uint8_t have = t->u.app.mode == 'o' && a->before != APP_UNKNOWN ? a->before : a->proto;
	if (want == APP_FAILED)
		return a->failed || have == APP_FAILED ? YES : WAIT;
	if (have == APP_UNKNOWN)
		return t->negated ? NO : WAIT;
	return have == want ? YES : NO;
}

static enum answer answer_flow(struct rule_engine *e, const struct rule_test *t,
			       const struct view *v)
{
	const struct stream_flow *f = v->flow;
	switch ((int)t->kind) {
	case TEST_FLOW:
		return flow_test(t->u.flow, v) ? YES : NO;
	case TEST_STREAM_SIZE:
		return eval_stream_size(t, f) ? YES : NO;
	case TEST_FLOW_AGE:
		return f != NULL && rule_number_fits(
					    &t->u.number,
					    (uint64_t)((f->last_ns - f->start_ns) / NS_PER_SEC))
			       ? YES
			       : NO;
	case TEST_FLOW_PKTS:
		return f != NULL && sides_fit(t->u.count.side, &t->u.count.n, f->pkts[0],
					      f->pkts[1])
			       ? YES
			       : NO;
	case TEST_FLOW_BYTES:
		return f != NULL && sides_fit(t->u.count.side, &t->u.count.n, f->bytes[0],
					      f->bytes[1])
			       ? YES
			       : NO;
	case TEST_APP_PROTO:
		return app_proto_test(t, v);
	case TEST_FLOWBITS:
	case TEST_FLOWINT:
	case TEST_XBITS:
	case TEST_HOSTBITS:
		return state_test(e, v, t) ? YES : v->tx != NULL ? WAIT : NO;
	case TEST_BYPASS:
	case TEST_RANDOM:
		return YES;
	default:
		return NO;
	}
}

/* ---- tests of transactions --------------------------------------------------------------------------- */

static bool over(const struct view *v)
{
	return v->final || v->tx == NULL || v->tx->progress[v->dir] == APP_DONE;
}

static enum answer any_number(const struct view *v, enum app_number n, uint32_t index,
			      const struct rule_number *want)
{
	if (v->tx == NULL || v->app == NULL)
		return NO;
	uint64_t x;
	for (uint32_t i = index; i < index + RECORDS_MAX; i++) {
		if (!app_number(v->app, v->tx, n, v->dir, i, &x))
			break;
		if (rule_number_fits(want, x))
			return YES;
	}
	return over(v) ? NO : WAIT;
}

static enum answer urilen(const struct rule_test *t, const struct view *v)
{
	struct span s;
	if (v->tx == NULL || v->app == NULL)
		return NO;
	enum app_buffer b = t->u.urilen.raw ? BUF_HTTP_URI_RAW : BUF_HTTP_URI;
	if (app_buffer(v->app, v->tx, b, TO_SERVER, 0, &s, NULL, NULL) != 0)
		return over(v) ? NO : WAIT;
	return rule_number_fits(&t->u.urilen.n, s.len) ? YES : NO;
}

static bool file_fits(const struct rule_test *t, const struct app_file *f)
{
	const char *text = t->u.text.text;
	uint32_t len = t->u.text.len, have = f->name_len;
	if (t->kind == TEST_FILE_SIZE)
		return rule_number_fits(&t->u.number, f->size);
	if (have > sizeof(f->name))
		have = sizeof(f->name);
	const char *from = f->name;
	if (t->kind == TEST_FILE_EXT) {
		if (have <= len || f->name[have - len - 1] != '.')
			return false;
		from = f->name + have - len;
		return strncasecmp(from, text, len) == 0;
	}
	return eval_find((const uint8_t *)from, have, (const uint8_t *)text, len,
			 t->u.text.nocase) != NULL;
}

static enum answer files(const struct rule_test *t, const struct view *v)
{
	if (v->tx == NULL)
		return NO;
	unsigned n = 0;
	for (const struct app_file *f = v->tx->files; f != NULL && n++ < FILES_MAX; f = f->next) {
		bool settled = t->kind != TEST_FILE_SIZE || f->closed || t->u.number.op == '>' ||
			       t->u.number.op == 'g';
		if (f->dir == v->dir && settled && file_fits(t, f) != t->negated)
			return YES;
	}
	return over(v) ? NO : WAIT;
}

static enum answer ssl_version(const struct rule_test *t, const struct view *v)
{
	uint64_t x;
	if (v->tx == NULL || !app_number(v->app, v->tx, NUM_TLS_VERSION, v->dir, 0, &x))
		return v->tx == NULL || over(v) ? NO : WAIT;
	unsigned bit = x == 0x0002                  ? 0
		       : x >= 0x0300 && x <= 0x0304 ? (unsigned)(x - 0x0300) + 1
						    : 15;
	uint16_t b = (uint16_t)(1u << bit);
	if ((t->u.ssl.off & b) != 0)
		return NO;
	return t->u.ssl.on == 0 || (t->u.ssl.on & b) != 0 ? YES : NO;
}

static enum answer ssl_state(const struct rule_test *t, const struct view *v)
{
	if (v->tx == NULL)
		return NO;
	uint64_t x = 0;
	if (v->app == NULL || !app_number(v->app, v->tx, NUM_TLS_STATE, v->dir, 0, &x))
		x = 0;
	_Static_assert((int)TLS_SAW_CLIENT_HELLO == (int)SSL_CLIENT_HELLO &&
			       (int)TLS_SAW_SERVER_KEYX == (int)SSL_SERVER_KEYX,
		       "proto's bits are those of rules");
	uint16_t have = (uint16_t)x;
	if ((have & t->u.ssl.off) != 0)
		return NO;
	if (t->u.ssl.on == 0 || (have & t->u.ssl.on) != 0)
		return YES;
	return over(v) ? NO : WAIT;
}

static enum answer iface(const struct rule_test *t, const struct view *v)
{
	struct span s;
	if (v->tx == NULL || v->app == NULL)
		return NO;
	for (uint32_t i = 0; i < RECORDS_MAX; i++) {
		if (app_buffer(v->app, v->tx, BUF_DCE_IFACE, v->dir, i, &s, NULL, NULL) != 0)
			break;
		if (s.len < 16 || memcmp(s.data, t->u.iface.uuid, 16) != 0)
			continue;
		if (!t->u.iface.has_version)
			return YES;
		if (s.len >= 18 && rule_number_fits(&t->u.iface.version, load_be16(s.data + 16)))
			return YES;
	}
	return over(v) ? NO : WAIT;
}

static enum answer app_event(const struct rule_test *t, const struct view *v)
{
	unsigned ev = t->u.event.event;
	const struct app *a = v->app;
	if (a == NULL)
		return NO;
	if (t->u.event.proto == APP_UNKNOWN)
		return ev < 128 && (a->events[ev / 64] >> ev % 64 & 1) != 0 &&
				       (a->events_told[ev / 64] >> ev % 64 & 1) == 0
			       ? YES
			       : NO;
	const struct app_tx *tx = v->tx;
	if (tx == NULL || tx->proto != t->u.event.proto || ev >= 64 * APP_EVENT_WORDS)
		return NO;
	uint64_t fresh = tx->events[ev / 64] & ~tx->events_told[ev / 64];
	return (fresh >> ev % 64 & 1) != 0 ? YES : NO;
}

static enum answer answer_tx(const struct rule_test *t, const struct view *v)
{
	switch ((int)t->kind) {
	case TEST_URILEN:
		return urilen(t, v);
	case TEST_NUMBER:
		return t->u.num.n < NUM_NUMBERS
			       ? any_number(v, t->u.num.n, t->u.num.index, &t->u.num.v)
			       : NO;
	case TEST_DCE_OPNUM:
		return any_number(v, NUM_DCERPC_OPNUM, 0, &t->u.number);
	case TEST_DNS_RRTYPE:
		return any_number(v, NUM_DNS_RRTYPE, 0, &t->u.number);
	case TEST_SSL_VERSION:
		return ssl_version(t, v);
	case TEST_SSL_STATE:
		return ssl_state(t, v);
	case TEST_FILE_EXT:
	case TEST_FILE_NAME:
	case TEST_FILE_SIZE:
		return files(t, v);
	case TEST_DCE_IFACE:
		return iface(t, v);
	case TEST_APP_EVENT:
		return app_event(t, v);
	default:
		return NO;
	}
}

enum answer eval_tests(struct rule_engine *e, const struct rule *r, const struct view *v)
{
	enum answer all = YES;
	for (uint32_t i = 0; i < r->n_tests; i++) {
		const struct rule_test *t = &r->tests[i];
		bool known;
		bool yes = packet_test(t, v, &known);
		enum answer a = yes ? YES : NO;
		if (!known && t->kind >= TEST_FLOW && t->kind <= TEST_APP_PROTO)
			a = answer_flow(e, t, v);
		else if (!known && (t->kind == TEST_BYPASS || t->kind == TEST_RANDOM))
			a = YES;
		else if (!known)
			a = answer_tx(t, v);
		bool files_own = t->kind >= TEST_FILE_EXT && t->kind <= TEST_FILE_SIZE;
		if (t->negated && !files_own && a != WAIT)
			a = a == YES ? NO : YES;
		bool grows = t->kind >= TEST_STREAM_SIZE && t->kind <= TEST_FLOW_BYTES;
		if (a == NO && v->tx != NULL && grows)
			a = WAIT;
		if (a == NO)
			return NO;
		if (a == WAIT)
			all = WAIT;
	}
	return all;
}
