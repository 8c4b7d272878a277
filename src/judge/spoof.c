/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may speak: a guest with its own MAC and addresses only; the outside with anything but ours. */
#include "judge/judge_priv.h"

#include <string.h>

static bool all_zero(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b[i] != 0)
			return false;
	return true;
}

static bool is_guests_mac(const struct judge *j, const uint8_t *b)
{
	struct mac m;
	memcpy(m.b, b, sizeof(m.b));
	return binding_mac(j, &m) != FLOW_NO_PORT;
}

enum reason spoof_mac(struct way *w)
{
	const uint8_t *src = w->f->data + 6;
	bool own = memcmp(src, w->in->p.mac.b, 6) == 0;
	/* From outside our own MAC is a loop or a lie; a group address is never a source. */
	bool fine = is_guest(w) ? own || weak(w->j, WEAK_SPOOF_MAC)
				: !own && (src[0] & 1) == 0 && !all_zero(src, 6) &&
					  !(w->j->conf.bridged && is_guests_mac(w->j, src));
	if (fine)
		return REASON_NONE;
	report_anomaly(w, ANOMALY_SPOOFED_MAC);
	return REASON_SPOOFED_MAC;
}

static bool is_link_local(const struct addr *a)
{
	if (a->ver == 4)
		return a->b[0] == 169 && a->b[1] == 254;
	return a->ver == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

static bool is_hosts_own(const struct judge *j, const struct addr *a)
{
	for (uint32_t i = 0; i < j->conf.n_host; i++)
		if (addr_eq(&j->conf.host[i].addr, a))
			return true;
	return false;
}

static bool is_multicast(const struct addr *a)
{
	return a->ver == 6 ? a->b[0] == 0xff : a->ver == 4 && a->b[0] >= 224;
}

static bool dhcp(const struct layers *l)
{
	if (l->proto != PROTO_UDP)
		return false;
	uint16_t lo = l->ip_ver == 4 ? 67 : 546;
	return (l->sport == lo || l->sport == lo + 1) && (l->dport == lo || l->dport == lo + 1);
}

static enum reason guest_addr(const struct way *w)
{
	const struct addr *src = &w->l.src;
	const struct addr *own = src->ver == 4 ? &w->in->p.inside : &w->in->p.inside6;
	if (addr_eq(src, own) || weak(w->j, WEAK_SPOOF_ADDR))
		return REASON_NONE;
	/* Address configuration and its chatter: never passed, but no lie either. */
	bool chatter = (src->ver == 6 && is_link_local(src)) || all_zero(src->b, 16);
	if (chatter && is_multicast(&w->l.dst))
		return REASON_MULTICAST;
	return REASON_SPOOFED_ADDR;
}

/* Private networks, and what providers use among themselves. */
static bool is_private(const struct addr *a)
{
	const uint8_t *b = a->b;
	if (a->ver == 6)
		return (b[0] & 0xfe) == 0xfc;
	return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
	       (b[0] == 100 && (b[1] & 0xc0) == 64);
}

/* A public address is not asked from somebody's inside, unless that is where the host is or where guests may go. */
static bool is_somebodys_inside(const struct judge *j, const struct addr *src,
				const struct addr *dst)
{
	if (!is_private(src) || is_private(dst) || !policy_is_off_limits(&j->off_limits, src))
		return false;
	for (uint32_t i = 0; i < j->conf.n_host; i++)
		if (prefix_has(&j->conf.host[i], src))
			return false;
	return true;
}

/* Whose name is it that a guest would answer to? An answer to a question made up is as good as a question. Errors
 * are not answered, and routers on the way have any address. */
static bool is_made_up(const struct way *w)
{
	const struct addr *src = &w->l.src;
	if (w->l.icmp_error)
		return false;
	return (src->ver == 4 && is_link_local(src)) || is_hosts_own(w->j, src) ||
	       is_somebodys_inside(w->j, src, &w->l.dst);
}

static enum reason outside_addr(const struct way *w)
{
	const struct judge *j = w->j;
	const struct addr *src = &w->l.src;
	if (weak(j, WEAK_INBOUND))
		return REASON_NONE;
	const struct prefix *inside =
		src->ver == 4 ? &j->conf.network.inside : &j->conf.network.inside6;
	if (binding_answers_outside(j, src) || binding_inside(j, src) != FLOW_NO_PORT ||
	    is_multicast(src) || is_made_up(w))
		return REASON_SPOOFED_ADDR;
	if (src->ver == 4) {
		/* Bridged, it is where our neighbours are. */
		if (src->b[0] == 0 || src->b[0] == 127 ||
		    (!j->conf.bridged && prefix_has(inside, src)))
			return REASON_SPOOFED_ADDR;
		return REASON_NONE;
	}
	/* Without translation the inside network is the public one and its router has an address in
	 * it, so there only bound addresses are ours; :: and ::1 are nobody's. */
	if (all_zero(src->b, 15) && src->b[15] <= 1)
		return REASON_SPOOFED_ADDR;
	return is_link_local(src) ? REASON_NOT_FOR_US : REASON_NONE;
}

enum reason spoof_addr(struct way *w)
{
	if (w->l.src.ver == 0)
		return REASON_NONE; /* not found: malformed, as the next step says */
	if (dhcp(&w->l))
		return REASON_DHCP;
	if (is_sink(w)) /* it answers in the name of whoever was asked; flows bind it */
		return is_multicast(&w->l.dst) ? REASON_MULTICAST : REASON_NONE;
	enum reason r = is_guest(w) ? guest_addr(w) : outside_addr(w);
	if (r == REASON_SPOOFED_ADDR)
		report_anomaly(w, ANOMALY_SPOOFED_ADDR);
	return r;
}
