/* SPDX-License-Identifier: BSD-2-Clause */
/* Mode bridge: guests with real addresses on the network outside, behind a router that is not ours. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static const struct mac mac_router = {{2, 0, 0, 0, 0, 0x21}}, mac_router6 = {{2, 0, 0, 0, 0, 0x26}};
static const struct mac mac_near = {{2, 0, 0, 0, 0, 0x30}}, mac_none;
static const struct mac mac_all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static const char *const far_of[2] = {"192.0.2.80", "2001:db8:80::80"};
static const char *const web_of[2] = {"203.0.113.10", "2001:db8:113::10"};
static const char *const db_of[2] = {"203.0.113.11", "2001:db8:113::11"};
static const char *const gate_of[2] = {"203.0.113.1", "2001:db8:113::1"};
static const char *const near_of[2] = {"203.0.113.7", "2001:db8:113::7"};

static void set_real(struct judge_port *p, const char *v4, const char *v6)
{
	p->inside = p->public = world_addr(v4);
	p->inside6 = p->public6 = world_addr(v6);
}

static struct world *lan_new(void)
{
	struct world *w = world_new();
	struct judge_conf *c = &w->conf;
	c->bridged = true;
	c->ports[OUTSIDE].peer_mac = mac_none;
	set_real(&c->ports[WEB1], web_of[0], web_of[1]);
	set_real(&c->ports[DB1], db_of[0], db_of[1]);
	c->n_forwards = 0;
	c->network.gateway = world_addr(gate_of[0]);
	c->network.gateway6 = world_addr(gate_of[1]);
	c->network.resolver = world_addr("203.0.113.53");
	assert_int_equal(prefix_parse("203.0.113.0/24", &c->network.inside), 0);
	assert_int_equal(prefix_parse("2001:db8:113::/64", &c->network.inside6), 0);
	w->wire = true; /* nobody's frames are to be changed: see judge() */
	world_restart(w);
	return w;
}

/* Sends it; what passes is what came, link header and hop limit included. */
static enum reason judge(struct world *w, const struct spec *s)
{
	static uint8_t before[2048];
	world_make(w, s);
	memcpy(before, w->f.data, w->f.len);
	uint32_t len = w->f.len;
	enum reason r = world_judge(w);
	if (r == REASON_NONE) {
		assert_int_equal(w->f.len, len);
		assert_memory_equal(w->f.data, before, len);
	}
	return r;
}

/* ---- neighbour messages ------------------------------------------------------------------------------ */

struct ask {
	uint16_t port;
	const struct mac *smac, *dmac;
	const char *sender, *target;
	bool reply;
	const struct mac *said; /* in the message; usual: smac */
};

static void make_arp(struct world *w, const struct ask *a)
{
	static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
	const struct mac *said = a->said != NULL ? a->said : a->smac;
	struct addr sender = world_addr(a->sender), target = world_addr(a->target);
	w->f = (struct frame){.data = w->data, .len = 60, .cap = WORLD_FRAME, .port = a->port};
	memset(w->data, 0xee, 60); /* what a guest hides in what nobody reads */
	memcpy(w->data, a->dmac->b, 6);
	memcpy(w->data + 6, a->smac->b, 6);
	store_be16(w->data + 12, 0x0806);
	memcpy(w->data + 14, head, sizeof(head));
	store_be16(w->data + 20, a->reply ? 2 : 1);
	memcpy(w->data + 22, said->b, 6);
	memcpy(w->data + 28, sender.b, 4);
	memcpy(w->data + 38, target.b, 4);
}

static void make_nd(struct world *w, const struct ask *a)
{
	const struct mac *said = a->said != NULL ? a->said : a->smac;
	struct addr target = world_addr(a->reply ? a->sender : a->target);
	uint8_t body[28] = {0};
	char group[64];
	snprintf(group, sizeof(group), "ff02::1:ff%02x:%02x%02x", target.b[13], target.b[14],
		 target.b[15]);
	memcpy(body, target.b, 16);
	body[16] = a->reply ? 2 : 1;
	body[17] = 1;
	memcpy(body + 18, said->b, 6);
	const struct spec s = {.port = a->port,
			       .src = a->sender,
			       .dst = a->reply || (a->dmac->b[0] & 1) == 0 ? a->target : group,
			       .proto = 58,
			       .type = a->reply ? 136 : 135,
			       .sport = a->reply ? 0x6000 : 0xbeef, /* flags; reserved */
			       .dport = a->reply ? 0 : 0xbeef,
			       .ttl = 255,
			       .payload = 24,
			       .body = body,
			       .smac = a->smac,
			       .dmac = a->dmac};
	world_make(w, &s);
}

static enum reason say(struct world *w, bool v6, const struct ask *a)
{
	if (v6)
		make_nd(w, a);
	else
		make_arp(w, a);
	return world_judge(w);
}

static struct ask guest_asks(bool v6, const char *target)
{
	static struct mac group;
	struct addr t = world_addr(target);
	group = (struct mac){{0x33, 0x33, 0xff, t.b[13], t.b[14], t.b[15]}};
	return (struct ask){.port = WEB1,
			    .smac = &mac_web1,
			    .dmac = v6 ? &group : &mac_all,
			    .sender = web_of[v6],
			    .target = target};
}

static struct ask router_answers(bool v6)
{
	return (struct ask){.port = OUTSIDE,
			    .smac = v6 ? &mac_router6 : &mac_router,
			    .dmac = &mac_web1,
			    .sender = gate_of[v6],
			    .target = web_of[v6],
			    .reply = true};
}

static void learn(struct world *w, bool v6)
{
	const struct ask q = guest_asks(v6, gate_of[v6]), a = router_answers(v6);
	assert_int_equal(say(w, v6, &q), REASON_NONE);
	assert_int_equal(w->r.out_port, OUTSIDE);
	assert_int_equal(say(w, v6, &a), REASON_NONE);
	assert_int_equal(w->r.out_port, WEB1);
}

static const struct mac *router_of(bool v6)
{
	return v6 ? &mac_router6 : &mac_router;
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void the_router_is_asked_for_and_answers(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = lan_new();
		const struct ask q = guest_asks(v6, gate_of[v6]);
		struct neigh n;
		assert_int_equal(say(w, v6, &q), REASON_NONE);
		assert_int_equal(w->r.out_port, OUTSIDE);
		assert_int_equal(w->r.n_replies, 0);
		packet_neigh(&w->f, &w->l, &n);
		assert_int_equal(n.kind, v6 ? NEIGH_NS : NEIGH_ARP_REQUEST);
		assert_true(world_has(&n.sender, web_of[v6]));
		assert_true(world_has(&n.target, gate_of[v6]));
		assert_memory_equal(n.sender_mac.b, mac_web1.b, 6);
		/* Nothing that the guest chose is left in it. */
		assert_int_equal(w->f.len, v6 ? 86 : 42);
		for (uint32_t i = 0; i < w->f.len; i++)
			assert_true(w->f.data[i] != 0xee && w->f.data[i] != 0xbe);
		assert_true(!v6 || packet_checksums_ok(&w->f, &w->l));
		const struct ask a = router_answers(v6);
		assert_int_equal(say(w, v6, &a), REASON_NONE);
		assert_int_equal(w->r.out_port, WEB1);
		assert_int_equal(w->f.len, v6 ? 86 : 42);
		/* One question, one answer. */
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED);
		world_free(w);
	}
}

static void a_guest_asks_in_its_own_name(void **state)
{
	struct world *w = lan_new();
	struct ask q = guest_asks(true, gate_of[1]);
	q.sender = "fe80::1234"; /* may be its own, or the router's: nobody knows */
	assert_int_equal(say(w, true, &q), REASON_NONE);
	assert_true(world_has(&w->l.src, web_of[1]));
	assert_true(packet_checksums_ok(&w->f, &w->l));
	q.sender = near_of[1];
	assert_int_equal(say(w, true, &q), REASON_SPOOFED_ADDR);
	q = guest_asks(false, gate_of[0]);
	q.sender = gate_of[0];
	assert_int_equal(say(w, false, &q), REASON_SPOOFED_ADDR);
	q = guest_asks(false, gate_of[0]);
	q.said = &mac_near;
	assert_int_equal(say(w, false, &q), REASON_SPOOFED_MAC);
	/* To one who is not the router it is not sent, nor are answers. */
	q = guest_asks(false, gate_of[0]);
	q.dmac = &mac_near;
	assert_int_equal(say(w, false, &q), REASON_NEIGH_REFUSED);
	q.reply = true;
	assert_int_equal(say(w, false, &q), REASON_NEIGH_REFUSED);
	learn(w, false);
	q = guest_asks(false, gate_of[0]);
	q.dmac = &mac_router; /* is it still there? */
	assert_int_equal(say(w, false, &q), REASON_NONE);
	/* Nor does it ask without end. */
	unsigned asked = 0;
	for (unsigned i = 0; i < 200; i++)
		asked += say(w, false, &q) == REASON_NONE;
	assert_in_range(asked, 1, 60);
	world_free(w);
}

static void only_the_router_answers(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = lan_new();
		struct ask a = router_answers(v6);
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED); /* nobody asked */
		const struct ask q = guest_asks(v6, gate_of[v6]);
		assert_int_equal(say(w, v6, &q), REASON_NONE);
		a.sender = near_of[v6];
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED);
		a = router_answers(v6);
		a.said = &mac_near;
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED);
		a = router_answers(v6);
		a.target = db_of[v6];
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED);
		a = router_answers(v6);
		a.dmac = &mac_db1; /* it did not ask */
		a.target = db_of[v6];
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED);
		world_wait(w, 6 * NS_PER_SEC);
		a = router_answers(v6);
		assert_int_equal(say(w, v6, &a), REASON_NEIGH_REFUSED); /* too late */
		world_free(w);
	}
}

static void the_outside_is_answered_for_guests(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = lan_new();
		static struct mac group = {{0x33, 0x33, 0xff, 0, 0, 0x10}};
		struct ask q = {.port = OUTSIDE,
				.smac = &mac_router,
				.dmac = v6 ? &group : &mac_all,
				.sender = gate_of[v6],
				.target = web_of[v6]};
		struct neigh n;
		struct layers l;
		assert_int_equal(say(w, v6, &q), REASON_REPLIED);
		assert_int_equal(w->r.reply_port[0], OUTSIDE);
		packet_decode(w->r.replies[0], &l);
		packet_neigh(w->r.replies[0], &l, &n);
		assert_memory_equal(n.sender_mac.b, mac_web1.b, 6);
		assert_memory_equal(w->r.replies[0]->data, mac_router.b, 6);
		assert_memory_equal(w->r.replies[0]->data + 6, mac_web1.b, 6);
		if (v6) /* it is no router */
			assert_int_equal(w->r.replies[0]->data[l.l4 + 4] & 0x80, 0);
		q.target = near_of[v6];
		assert_int_equal(say(w, v6, &q), REASON_NEIGH_REFUSED);
		world_free(w);
	}
}

static void frames_pass_as_they_are(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = lan_new();
		struct spec in = {.port = OUTSIDE,
				  .src = far_of[v6],
				  .dst = web_of[v6],
				  .sport = 4000,
				  .dport = 22,
				  .seq = 9,
				  .ttl = 1,
				  .flags = TCP_SYN,
				  .smac = router_of(v6),
				  .dmac = &mac_web1};
		assert_int_equal(judge(w, &in), REASON_NONE);
		assert_int_equal(w->r.out_port, WEB1);
		learn(w, v6);
		struct spec out = {.port = WEB1,
				   .src = web_of[v6],
				   .dst = far_of[v6],
				   .proto = 17,
				   .sport = 5,
				   .dport = 6,
				   .payload = 7,
				   .ttl = 2,
				   .dmac = router_of(v6)};
		assert_int_equal(judge(w, &out), REASON_NONE);
		assert_int_equal(w->r.out_port, OUTSIDE);
		assert_int_equal(w->r.direction, DIR_OUTBOUND);
		struct spec back = {.port = OUTSIDE,
				    .src = far_of[v6],
				    .dst = web_of[v6],
				    .proto = 17,
				    .sport = 6,
				    .dport = 5,
				    .payload = 7,
				    .smac = router_of(v6),
				    .dmac = &mac_web1};
		assert_int_equal(judge(w, &back), REASON_NONE);
		/* Between guests as well. */
		struct spec lateral = out;
		lateral.dst = db_of[v6];
		lateral.dmac = &mac_db1;
		assert_int_equal(judge(w, &lateral), REASON_NONE);
		assert_int_equal(w->r.out_port, DB1);
		/* The router would have nothing to say to a hop limit of 1 but this. */
		out.ttl = 1;
		assert_int_equal(judge(w, &out), REASON_TTL);
		assert_int_equal(w->r.n_replies, 1);
		struct layers l;
		packet_decode(w->r.replies[0], &l);
		assert_true(world_has(&l.src, gate_of[v6]));
		assert_memory_equal(w->r.replies[0]->data + 6, router_of(v6)->b, 6);
		world_free(w);
	}
}

static void out_only_by_the_router_in_only_to_guests(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = lan_new();
		struct spec out = {.port = WEB1,
				   .src = web_of[v6],
				   .dst = far_of[v6],
				   .proto = 17,
				   .sport = 5,
				   .dport = 6,
				   .payload = 7,
				   .dmac = router_of(v6)};
		assert_int_equal(judge(w, &out), REASON_NO_NEXT_HOP); /* not known yet */
		learn(w, v6);
		assert_int_equal(judge(w, &out), REASON_NONE);
		out.sport++;
		out.dmac = &mac_near;
		assert_int_equal(judge(w, &out), REASON_NOT_FOR_US);
		out.dmac = &mac_db1;
		assert_int_equal(judge(w, &out), REASON_NOT_FOR_US);
		out.dmac = &mac_gateway; /* of the other modes */
		assert_int_equal(judge(w, &out), REASON_NOT_FOR_US);
		/* By way of the router to another guest, a neighbour or itself: not there either. */
		out.dmac = router_of(v6);
		out.dst = db_of[v6];
		assert_int_equal(judge(w, &out), REASON_NOT_FOR_US);
		out.dst = near_of[v6];
		assert_int_equal(judge(w, &out), REASON_CLOSED);
		out.dst = gate_of[v6];
		assert_int_equal(judge(w, &out), REASON_CLOSED);
		out.dst = far_of[v6];
		out.src = near_of[v6];
		assert_int_equal(judge(w, &out), REASON_SPOOFED_ADDR);
		out.src = web_of[v6];
		out.smac = &mac_near;
		assert_int_equal(judge(w, &out), REASON_SPOOFED_MAC);
		struct spec in = {.port = OUTSIDE,
				  .src = far_of[v6],
				  .dst = web_of[v6],
				  .proto = 17,
				  .sport = 50,
				  .dport = 60,
				  .payload = 7,
				  .smac = router_of(v6),
				  .dmac = &mac_wall};
		assert_int_equal(judge(w, &in), REASON_NOT_FOR_US);
		in.dmac = &mac_db1; /* its address is another's */
		assert_int_equal(judge(w, &in), REASON_NOT_FOR_US);
		in.dmac = &mac_near;
		assert_int_equal(judge(w, &in), REASON_NOT_FOR_US);
		in.dmac = &mac_web1;
		in.smac = &mac_db1;
		assert_int_equal(judge(w, &in), REASON_SPOOFED_MAC);
		in.smac = router_of(v6);
		in.src = db_of[v6];
		assert_int_equal(judge(w, &in), REASON_SPOOFED_ADDR);
		world_free(w);
	}
}

static void a_neighbour_is_answered_and_no_more(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = lan_new();
		learn(w, v6);
		struct ask q = guest_asks(v6, near_of[v6]);
		assert_int_equal(say(w, v6, &q), REASON_NEIGH_REFUSED);
		struct spec in = {.port = OUTSIDE,
				  .src = near_of[v6],
				  .dst = web_of[v6],
				  .proto = 17,
				  .sport = 50,
				  .dport = 60,
				  .payload = 7,
				  .smac = &mac_near,
				  .dmac = &mac_web1};
		assert_int_equal(judge(w, &in), REASON_NONE);
		assert_int_equal(say(w, v6, &q), REASON_REPLIED);
		struct neigh n;
		struct layers l;
		packet_decode(w->r.replies[0], &l);
		packet_neigh(w->r.replies[0], &l, &n);
		assert_memory_equal(n.sender_mac.b, mac_near.b, 6);
		struct spec out = {.port = WEB1,
				   .src = web_of[v6],
				   .dst = near_of[v6],
				   .proto = 17,
				   .sport = 60,
				   .dport = 50,
				   .payload = 7,
				   .dmac = &mac_near};
		assert_int_equal(judge(w, &out), REASON_NONE);
		assert_int_equal(w->r.out_port, OUTSIDE);
		out.dmac = &mac_router;
		assert_int_equal(judge(w, &out), v6 ? REASON_NOT_FOR_US : REASON_NONE);
		out.dmac = &mac_near;
		out.dport = 51; /* its own idea */
		assert_int_equal(judge(w, &out), REASON_CLOSED);
		out.dst = far_of[v6]; /* nor is it a way out */
		assert_int_equal(judge(w, &out), REASON_NOT_FOR_US);
		world_free(w);
	}
}

static void the_host_is_no_neighbour(void **state)
{
	struct world *w = lan_new();
	struct spec in = {.port = OUTSIDE,
			  .src = "203.0.113.200",
			  .dst = web_of[0],
			  .proto = 17,
			  .sport = 50,
			  .dport = 60,
			  .payload = 7,
			  .smac = &mac_near,
			  .dmac = &mac_web1};
	assert_int_equal(judge(w, &in), REASON_SPOOFED_ADDR);
	in.src = "203.0.113.201";
	assert_int_equal(judge(w, &in), REASON_NONE);
	world_free(w);
}

/* Who speaks as the name server from the same link does not become it. */
static void the_resolver_stays_behind_the_router(void **state)
{
	struct world *w = lan_new();
	struct neigh n;
	struct layers l;
	learn(w, false);
	const struct spec in = {.port = OUTSIDE,
				.src = "203.0.113.53",
				.dst = web_of[0],
				.proto = 17,
				.sport = 50,
				.dport = 60,
				.payload = 7,
				.smac = &mac_near,
				.dmac = &mac_web1};
	assert_int_equal(judge(w, &in), REASON_NONE);
	struct ask q = guest_asks(false, "203.0.113.53");
	assert_int_equal(say(w, false, &q), REASON_REPLIED);
	packet_decode(w->r.replies[0], &l);
	packet_neigh(w->r.replies[0], &l, &n);
	assert_memory_equal(n.sender_mac.b, router_of(false)->b, 6);
	world_free(w);
}

static void what_the_network_says_to_all_does_not_pass(void **state)
{
	struct world *w = lan_new();
	static const struct mac nodes = {{0x33, 0x33, 0, 0, 0, 1}};
	const struct spec ra = {.port = OUTSIDE,
				.src = "fe80::1",
				.dst = "ff02::1",
				.proto = 58,
				.type = 134,
				.ttl = 255,
				.payload = 8,
				.smac = &mac_router,
				.dmac = &nodes};
	assert_int_equal(judge(w, &ra), REASON_NEIGH_REFUSED);
	struct spec to_one = ra;
	to_one.dst = web_of[1];
	to_one.dmac = &mac_web1;
	assert_int_equal(judge(w, &to_one), REASON_NEIGH_REFUSED);
	struct spec dhcp = {.port = OUTSIDE,
			    .src = gate_of[0],
			    .dst = web_of[0],
			    .proto = 17,
			    .sport = 67,
			    .dport = 68,
			    .payload = 300,
			    .smac = &mac_router,
			    .dmac = &mac_web1};
	assert_int_equal(judge(w, &dhcp), REASON_DHCP);
	dhcp.dst = "255.255.255.255";
	dhcp.dmac = &mac_all;
	assert_int_equal(judge(w, &dhcp), REASON_MULTICAST);
	/* Nor does it cost the router's questions, or become an anomaly. */
	for (unsigned i = 0; i < 1000; i++) {
		const struct ask q = {.port = OUTSIDE,
				      .smac = &mac_near,
				      .dmac = &mac_all,
				      .sender = near_of[0],
				      .target = "203.0.113.8"};
		assert_int_equal(say(w, false, &q), REASON_NEIGH_REFUSED);
	}
	const struct ask q = {.port = OUTSIDE,
			      .smac = &mac_router,
			      .dmac = &mac_all,
			      .sender = gate_of[0],
			      .target = web_of[0]};
	assert_int_equal(say(w, false, &q), REASON_REPLIED);
	assert_int_equal(w->counts[EVENT_ANOMALY], 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_router_is_asked_for_and_answers),
		cmocka_unit_test(a_guest_asks_in_its_own_name),
		cmocka_unit_test(only_the_router_answers),
		cmocka_unit_test(the_outside_is_answered_for_guests),
		cmocka_unit_test(frames_pass_as_they_are),
		cmocka_unit_test(out_only_by_the_router_in_only_to_guests),
		cmocka_unit_test(a_neighbour_is_answered_and_no_more),
		cmocka_unit_test(the_host_is_no_neighbour),
		cmocka_unit_test(the_resolver_stays_behind_the_router),
		cmocka_unit_test(what_the_network_says_to_all_does_not_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
