/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mode bridge: guests are on the real network, and send by its router, whose link address the wall learns from
 * what it answers to a guest. The proof's own address is nobody's out there, so its question is stopped by the fence;
 * therefore it is asked first in the name of a guest who may, as that does itself now and then. What the
 * router says is then told to the proof's guest: the truth, so no other guest is led astray.
 */
#include "prove/prove_priv.h"

#include <string.h>

#define TRIES 20
#define TRY_MS 60

static const struct mac everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static const struct addr *gateway_of(const struct prove *p, int v6)
{
	return v6 ? &p->c->network.gateway6 : &p->c->network.gateway;
}

/* ---- what is heard ------------------------------------------------------------------------------------- */

/* Does the gateway say here where it is? */
static bool is_told(const struct prove *p, const uint8_t *b, uint32_t len, int *ret_v6)
{
	static const uint8_t arp_reply[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2};
	bool arp = len >= 42 && memcmp(b + 12, arp_reply, sizeof(arp_reply)) == 0;
	bool na = len >= 78 && load_be16(b + 12) == 0x86dd && b[20] == PROVE_ICMP6 && b[54] == 136;
	*ret_v6 = na;
	return (arp && gateway_of(p, 0)->ver != 0 && memcmp(b + 28, gateway_of(p, 0)->b, 4) == 0) ||
	       (na && gateway_of(p, 1)->ver != 0 && memcmp(b + 62, gateway_of(p, 1)->b, 16) == 0);
}

void router_overhear(struct prove *p, const struct ear *e, bool outgoing, const uint8_t *b,
		     uint32_t len)
{
	int v6;
	/* the question, as the wall lets it out */
	if (e->kind == EAR_OUTSIDE && !outgoing && memcmp(b + 6, p->own->mac.b, 6) == 0)
		p->gate_asked = true;
	if (!is_told(p, b, len, &v6))
		return;
	if (e->kind == EAR_OUTSIDE && outgoing) { /* from the wire, to the wall */
		memcpy(p->gate[v6].b, b + 6, sizeof(p->gate[v6].b));
		p->gate_known[v6] = true;
	} else if (e->kind == EAR_OWN) {
		p->gate_told[v6] = true;
	}
}

/* ---- what is said --------------------------------------------------------------------------------------- */

static void write_arp(uint8_t *b, uint8_t op, const struct mac *sha, const struct addr *spa,
		      const struct mac *tha, const struct addr *tpa)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0};
	memset(b, 0, 28);
	memcpy(b, head, sizeof(head));
	b[7] = op;
	memcpy(b + 8, sha->b, 6);
	memcpy(b + 14, spa->b, 4);
	if (tha != NULL)
		memcpy(b + 18, tha->b, 6);
	memcpy(b + 24, tpa->b, 4);
}

/* p->pkt: "where is the gateway?" */
static void ask(struct prove *p, int v6, const struct prove_port *as)
{
	const struct addr *g = gateway_of(p, v6);
	uint8_t b[28];
	if (!v6) {
		struct head h = {.to_mac = everybody, .from_mac = as->mac};
		write_arp(b, 1, &as->mac, &as->inside, NULL, g);
		frame_raw(&p->pkt, &h, 0x0806, b, sizeof(b));
		return;
	}
	struct addr group = case_addr("ff02::1:ff00:0");
	struct head h = {.to_mac = {{0x33, 0x33, 0xff, g->b[13], g->b[14], g->b[15]}},
			 .from_mac = as->mac,
			 .from = as->inside6,
			 .ttl = 255};
	memcpy(group.b + 13, g->b + 13, 3);
	h.to = group;
	memcpy(b, g->b, 16);
	b[16] = 1;
	b[17] = 1;
	memcpy(b + 18, as->mac.b, 6);
	frame_icmp(&p->pkt, &h, 135, 0, 0, b, 24);
}

/* p->pkt: the answer that the router gives to the proof's guest. */
static void answer(struct prove *p, int v6)
{
	const struct addr *g = gateway_of(p, v6);
	uint8_t b[28];
	if (!v6) {
		struct head h = {.to_mac = p->own->mac, .from_mac = p->gate[0]};
		write_arp(b, 2, &p->gate[0], g, &p->own->mac, &p->own->inside);
		frame_raw(&p->pkt, &h, 0x0806, b, sizeof(b));
		return;
	}
	struct head h = {.to_mac = p->own->mac,
			 .from_mac = p->gate[1],
			 .from = *g,
			 .to = p->own->inside6,
			 .ttl = 255};
	memcpy(b, g->b, 16);
	b[16] = 2;
	b[17] = 1;
	memcpy(b + 18, p->gate[1].b, 6);
	frame_icmp(&p->pkt, &h, 136, 0, 0xe0000000, b, 24);
}

static const struct prove_port *asker(const struct prove *p, int v6)
{
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		if (!g->sink && (v6 ? &g->inside6 : &g->inside)->ver != 0)
			return g;
	}
	return NULL;
}

static void find(struct prove *p, int v6)
{
	const struct prove_port *as = asker(p, v6);
	const struct addr *own = v6 ? &p->own->inside6 : &p->own->inside;
	if (as == NULL || own->ver == 0 || gateway_of(p, v6)->ver == 0)
		return;
	for (int i = 0; i < TRIES && !p->gate_known[v6]; i++) {
		ask(p, v6, as);
		wire_send_as_wall(p);
		run_await(p, &p->gate_known[v6], TRY_MS);
	}
	for (int i = 0; i < TRIES && p->gate_known[v6] && !p->gate_told[v6]; i++) {
		ask(p, v6, p->own);
		p->gate_asked = false;
		wire_send_quietly(p);
		run_await(p, &p->gate_asked, TRY_MS);
		answer(p, v6);
		wire_send_outside(p);
		run_await(p, &p->gate_told[v6], TRY_MS);
	}
}

void router_find(struct prove *p)
{
	for (int v6 = 0; v6 < 2; v6++) {
		find(p, v6);
		if (p->gate_told[v6])
			continue;
		*(v6 ? &p->me.inside6 : &p->me.inside) = (struct addr){0};
		*(v6 ? &p->me.public6 : &p->me.public) = (struct addr){0};
	}
	p->peer = p->gate_told[0] ? p->gate[0] : p->gate[1];
	p->called = false;
	p->rows[0].sent = 0; /* that were no fences */
}
