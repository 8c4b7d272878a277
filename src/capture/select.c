/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packets pass. A term is one view of a conversation (the outside or the inside addresses);
 * packets that belong to a conversation without showing its ports pass too: later fragments by
 * their addresses, and ICMP errors by the packet they quote.
 */
#include "capture/capture.h"

#include <string.h>

#define PROTO_ICMP 1
#define PROTO_ICMP6 58

static bool proto_fits(uint8_t want, uint8_t proto)
{
	return want == 0 || want == proto || (want == PROTO_ICMP && proto == PROTO_ICMP6);
}

/* a and b against the two ends, in this order. Ports are known only with `ports`. */
static bool ends_fit(const struct capture_term *t, const struct layers *l, bool forth, bool ports)
{
	const struct addr *x = forth ? &l->src : &l->dst, *y = forth ? &l->dst : &l->src;
	uint16_t xp = forth ? l->sport : l->dport, yp = forth ? l->dport : l->sport;
	if (t->a.ver != 0 && !addr_eq(&t->a, x))
		return false;
	if (t->b.ver != 0 && !addr_eq(&t->b, y))
		return false;
	if (!ports || t->icmp)
		return true;
	return (t->a_port == 0 || t->a_port == xp) && (t->b_port == 0 || t->b_port == yp);
}

static bool term_fits_layers(const struct capture_term *t, const struct layers *l)
{
	bool ports = !l->fragment || l->first_fragment;
	if (!proto_fits(t->proto, l->proto))
		return false;
	return ends_fit(t, l, true, ports) || ends_fit(t, l, false, ports);
}

struct view { /* one packet, taken apart as far as the filter needs it */
	const struct capture_packet *packet;
	const char *interface;
	struct layers l, quoted;
	bool has_quoted;
};

static bool term_fits(const struct capture_term *t, const struct view *v)
{
	if (t->interface[0] != '\0' && strcmp(t->interface, v->interface) != 0)
		return false;
	if (t->a.ver == 0 && t->proto == 0 && t->a_port == 0)
		return true; /* the interface alone */
	if (v->l.ip_ver == 0)
		return false;
	return term_fits_layers(t, &v->l) || (v->has_quoted && term_fits_layers(t, &v->quoted));
}

static bool has_addr(const struct addr *a, const struct view *v)
{
	struct frame f = {.data = (uint8_t *)(uintptr_t)v->packet->data,
			  .len = v->packet->len,
			  .cap = v->packet->len};
	struct neigh n;
	if (v->l.ip_ver != 0 && (addr_eq(a, &v->l.src) || addr_eq(a, &v->l.dst)))
		return true;
	if (v->has_quoted && (addr_eq(a, &v->quoted.src) || addr_eq(a, &v->quoted.dst)))
		return true;
	packet_neigh(&f, &v->l, &n);
	return n.kind != NEIGH_NONE && (addr_eq(a, &n.sender) || addr_eq(a, &n.target));
}

static bool has_port(uint16_t port, const struct layers *l)
{
	return (l->proto == 6 || l->proto == 17 || l->proto == 132) &&
	       (!l->fragment || l->first_fragment) && (l->sport == port || l->dport == port);
}

static bool has_community(const char *want, const struct layers *l)
{
	char id[COMMUNITY_ID_TEXT];
	bool icmp = l->proto == PROTO_ICMP || l->proto == PROTO_ICMP6;
	if (l->ip_ver == 0 || (l->fragment && !l->first_fragment))
		return false;
	packet_community_id(&l->src, &l->dst, l->proto, icmp ? l->icmp_type : l->sport,
			    icmp ? l->icmp_code : l->dport, id);
	return strcmp(id, want) == 0;
}

/* Does one of the alternatives fit? */
static bool one_fits(const struct capture_filter *f, const struct view *v)
{
	if (f->n_terms == 0 && f->community_id[0] == '\0')
		return true;
	if (f->community_id[0] != '\0' &&
	    (has_community(f->community_id, &v->l) ||
	     (v->has_quoted && has_community(f->community_id, &v->quoted))))
		return true;
	for (size_t i = 0; i < f->n_terms; i++)
		if (term_fits(&f->terms[i], v))
			return true;
	return false;
}

static bool looks_inside(const struct capture_filter *f)
{
	return f->addr.ver != 0 || f->net_port != 0 || f->proto != 0 || f->n_terms > 0 ||
	       f->community_id[0] != '\0';
}

bool capture_select(const struct capture_filter *f, const struct capture_packet *p,
		    const char *interface)
{
	struct view v = {.packet = p, .interface = interface};
	if ((f->from_ns != 0 && p->stamp_ns < f->from_ns) ||
	    (f->to_ns != 0 && p->stamp_ns > f->to_ns) ||
	    (f->interface[0] != '\0' && strcmp(f->interface, interface) != 0))
		return false;
	if (!looks_inside(f))
		return true;
	struct frame frame = {.data = (uint8_t *)(uintptr_t)p->data, .len = p->len, .cap = p->len};
	packet_decode(&frame, &v.l);
	v.has_quoted = v.l.icmp_error && packet_decode_quoted(&frame, &v.l, &v.quoted) == 0;
	if (f->proto != 0 && (v.l.ip_ver == 0 || !proto_fits(f->proto, v.l.proto)))
		return false;
	if (f->addr.ver != 0 && !has_addr(&f->addr, &v))
		return false;
	if (f->net_port != 0 && !has_port(f->net_port, &v.l) &&
	    !(v.has_quoted && has_port(f->net_port, &v.quoted)))
		return false;
	return one_fits(f, &v);
}

static bool same_term(const struct capture_term *x, const struct capture_term *y)
{
	return addr_eq(&x->a, &y->a) && addr_eq(&x->b, &y->b) && x->a_port == y->a_port &&
	       x->b_port == y->b_port && x->proto == y->proto && x->icmp == y->icmp &&
	       strcmp(x->interface, y->interface) == 0;
}

static int add_term(struct capture_filter *f, const struct capture_term *t)
{
	for (size_t i = 0; i < f->n_terms; i++)
		if (same_term(&f->terms[i], t))
			return 0;
	if (f->n_terms >= CAPTURE_TERMS)
		return SKEP_EFULL;
	f->terms[f->n_terms++] = *t;
	return 0;
}

int capture_filter_add(struct capture_filter *f, const struct event_tuple *t)
{
	struct capture_term out = {
		.a = t->src,
		.b = t->dst,
		.a_port = t->sport,
		.b_port = t->dport,
		.proto = t->proto,
		.icmp = t->proto == PROTO_ICMP || t->proto == PROTO_ICMP6,
	};
	struct capture_term in = out;
	if (t->src.ver == 0 && t->dst.ver == 0 && t->in_src.ver == 0 && t->in_dst.ver == 0)
		return SKEP_EFORMAT; /* would fit everything */
	in.a = t->in_src;
	in.b = t->in_dst;
	in.a_port = t->in_sport;
	in.b_port = t->in_dport;
	int err = t->src.ver != 0 || t->dst.ver != 0 ? add_term(f, &out) : 0;
	if (err == 0 && (t->in_src.ver != 0 || t->in_dst.ver != 0))
		err = add_term(f, &in);
	return err;
}
