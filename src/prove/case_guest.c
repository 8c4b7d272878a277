/* SPDX-License-Identifier: BSD-2-Clause */
/* Sideways to the other guests, and from outside in. */
#include "prove/prove_priv.h"

#include <string.h>

#define OVER 12u
#define LIMIT_MOST 3000u

const struct prove_port *case_guest(const struct prove *p, bool loghost)
{
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		if (g->loghost == loghost && !g->sink && g->up && g->inside.ver != 0 &&
		    g->link[0] != '\0')
			return g;
	}
	return NULL;
}

static struct head beside(const struct prove *p, const struct prove_port *g, const struct addr *to)
{
	struct head h = case_head(p, to);
	h.to_mac = g->mac;
	return h;
}

/* ---- honeypots --------------------------------------------------------------------------------- */

static const struct prove_port *neighbour(struct prove *p)
{
	const struct prove_port *g = case_guest(p, false);
	if (g == NULL)
		run_skip(p, "there is no other honeypot that runs");
	return g;
}

void case_allowed_lateral(struct prove *p)
{
	const struct prove_port *g = neighbour(p);
	const struct conf_limit *l = &p->c->wall.limits.lateral;
	if (g == NULL)
		return;
	struct expect e = expect_of(p, PROVE_UDP, 9, &g->inside);
	if (!expect_passes(&e)) {
		run_skip(p, "the policy allows none");
		return;
	}
	for (uint32_t i = 0; i < l->n && i < CONF_WINDOWS; i++)
		if (l->w[i].max == 0) {
			run_skip(p, "the limit allows none");
			return;
		}
	run_expect(p, 1, 1);
	case_udp(p, beside(p, g, &g->inside));
}

void case_lateral_limit(struct prove *p)
{
	const struct prove_port *g = neighbour(p);
	const struct conf_limit *l = &p->c->wall.limits.lateral;
	uint32_t most = UINT32_MAX;
	if (g == NULL)
		return;
	struct expect udp = expect_of(p, PROVE_UDP, 9, &g->inside);
	struct expect tcp = expect_of(p, PROVE_TCP, 9, &g->inside);
	if (udp.rule != NULL && udp.rule != tcp.rule) {
		run_skip(p, "several rules of the policy decide");
		return;
	}
	l = expect_limit(p, &udp, l);
	for (uint32_t i = 0; l != NULL && i < l->n && i < CONF_WINDOWS; i++)
		if (l->w[i].window_ns >= 60 * NS_PER_SEC && l->w[i].max < most)
			most = l->w[i].max;
	if (l == NULL)
		return;
	if (most > LIMIT_MOST) {
		run_skip(p, "no limit that could be filled");
		return;
	}
	run_forget(p);
	run_expect(p, 0, most);
	for (uint32_t i = 0; i < most + OVER; i++) {
		bool v6 = i % 2 != 0 && g->inside6.ver != 0 && p->own->inside6.ver != 0;
		struct head h = beside(p, g, v6 ? &g->inside6 : &g->inside);
		if (i % 3 == 0)
			case_syn(p, h, (uint16_t)(1 + i));
		else
			case_udp_to(p, h, (uint16_t)(1 + i));
		run_pace(p);
	}
}

/* One guest's address at another's MAC, and the other way round: the wall is no hub. */
void case_lateral_mac(struct prove *p)
{
	const struct prove_port *g = neighbour(p);
	if (g == NULL)
		return;
	case_udp(p, beside(p, g, &p->target));
	case_syn(p, beside(p, g, &p->target), 80);
	if (p->own->inside6.ver != 0)
		case_udp(p, beside(p, g, &p->target6));
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++)
		if (&p->conf->ports[i] != g && p->conf->ports[i].inside.ver != 0)
			case_udp(p, beside(p, g, &p->conf->ports[i].inside));
}

/* ---- loghost -------------------------------------------------------------------------------------- */

static const struct prove_port *loghost(struct prove *p)
{
	const struct prove_port *g = case_guest(p, true);
	if (g == NULL)
		run_skip(p, "no loghost runs");
	return g;
}

void case_loghost(struct prove *p)
{
	static const uint16_t ports[] = {22,  24,  23,  25,   53,   80,   443,
					 513, 515, 601, 2514, 6514, 8080, 65535};
	const struct prove_port *g = loghost(p);
	if (g == NULL)
		return;
	for (int v6 = 0; v6 < (g->inside6.ver != 0 && p->own->inside6.ver != 0 ? 2 : 1); v6++) {
		struct head h = beside(p, g, v6 ? &g->inside6 : &g->inside);
		for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
			if (ports[i] != 6514 || !p->conf->c->loghost.tls) /* syslog over TLS */
				case_syn(p, h, ports[i]);
			case_udp_to(p, h, ports[i]);
		}
		case_ping(p, h);
		h.to_mac = p->gate[0]; /* the way round */
		case_syn(p, h, 22);
		case_ping(p, h);
	}
}

void case_loghost_router(struct prove *p)
{
	const struct prove_port *g = loghost(p), *o = case_guest(p, false);
	if (g == NULL)
		return;
	case_udp(p, beside(p, g, &p->target));
	case_syn(p, beside(p, g, &p->target), 22);
	case_ping(p, beside(p, g, &p->target));
	if (p->own->inside6.ver != 0)
		case_udp(p, beside(p, g, &p->target6));
	if (o != NULL)
		case_syn(p, beside(p, g, &o->inside), 22);
}

/* ---- from outside ------------------------------------------------------------------------------------ */

struct mac case_inward(const struct prove *p, const struct addr *to)
{
	for (uint32_t i = 1; i < p->conf->n_ports && p->bridged; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		if (addr_eq(&g->public, to) || addr_eq(&g->public6, to))
			return g->mac;
	}
	return p->conf->ports[0].mac;
}

void case_from_outside(struct prove *p, const struct addr *from, const struct addr *to)
{
	uint8_t mark[PROVE_MARK];
	struct head h = {.to_mac = case_inward(p, to),
			 .from_mac = p->peer,
			 .from = *from,
			 .to = *to,
			 .ttl = 64};
	if (from->ver == 0 || from->ver != to->ver)
		return;
	wire_mark(p, mark);
	frame_udp(&p->pkt, &h, p->next_port++, 9, mark, sizeof(mark));
	run_row(p)->sent++;
	wire_send_outside(p);
}

void case_inbound(struct prove *p)
{
	static const char *const liars[] = {"127.0.0.1", "224.0.0.1", "0.0.0.0", "::1",
					    "::",        "ff02::1",   "fe80::1"};
	p->inbound = true;
	for (uint32_t i = 1; i < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		const struct addr *const to[] = {&g->public, &g->public6};
		for (size_t k = 0; k < ARRAY_LEN(to); k++) {
			for (size_t n = 0; n < ARRAY_LEN(liars); n++) {
				struct addr from = case_addr(liars[n]);
				case_from_outside(p, &from, to[k]);
			}
			if (!p->bridged) /* there it is a neighbour as any other */
				case_from_outside(p, &p->c->network.gateway, to[k]);
			for (uint32_t n = 1; n < p->conf->n_ports; n++) {
				case_from_outside(p, &p->conf->ports[n].inside, to[k]);
				case_from_outside(p, &p->conf->ports[n].inside6, to[k]);
				case_from_outside(p, &p->conf->ports[n].public, to[k]);
			}
		}
		if (!addr_eq(&g->inside, &g->public)) /* an address that is none outside */
			case_from_outside(p, &p->caller, &g->inside);
		if (g->loghost)
			case_from_outside(p, &p->caller, &g->public);
	}
}
