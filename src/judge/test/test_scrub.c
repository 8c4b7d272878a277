/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules in the way of frames: every action, protocol and direction, and what stays stopped. */
#include "world.h"

#include <string.h>

#define CLIENT "198.51.100.66"

static const char rules[] =
	"drop tcp any any -> any any (msg:\"evil tcp\"; content:\"evil\"; sid:1; rev:3;)\n"
	"reject tcp any any -> any any (msg:\"rejected\"; content:\"nasty\"; sid:2;)\n"
	"drop udp any any -> any any (msg:\"evil udp\"; content:\"evil\"; sid:3;)\n"
	"reject udp any any -> any any (msg:\"nasty udp\"; content:\"nasty\"; sid:4;)\n"
	"drop icmp any any -> any any (msg:\"evil ping\"; content:\"evil\"; sid:5;)\n"
	"reject icmp any any -> any any (msg:\"nasty ping\"; content:\"nasty\"; sid:6;)\n"
	"alert udp any any -> any any (msg:\"seen\"; content:\"seen\"; sid:7;)\n"
	"pass udp any any -> any any (msg:\"fine\"; content:\"evil fine\"; sid:8;)\n"
	"rejectdst tcp any any -> any any (msg:\"to the server\"; content:\"todst\"; sid:9;)\n"
	"rejectsrc tcp any any -> any any (msg:\"to the client\"; content:\"tosrc\"; sid:10;)\n";

static struct world *begin(void)
{
	struct world *w = world_new();
	world_rules(w, rules, false);
	return w;
}

/* ---- one conversation of either version and direction, in terms of who says what ------------------- */

struct talk {
	struct world *w;
	struct spec side[2]; /* what the client's and the server's frames have in common */
	uint32_t seq[2], first[2];
	uint8_t proto;
};

static const struct {
	const char *name;
	struct spec client,
		server; /* ports of the wall and addresses as each of them writes them */
	uint8_t direction;
} ways[] = {
	{"in4",
	 {.port = OUTSIDE, .src = CLIENT, .dst = "203.0.113.10"},
	 {.port = WEB1, .src = "10.99.0.10", .dst = CLIENT},
	 DIR_INBOUND},
	{"in6",
	 {.port = OUTSIDE, .src = "2001:db8:66::66", .dst = "2001:db8:113::11"},
	 {.port = DB1, .src = "fd99::11", .dst = "2001:db8:66::66"},
	 DIR_INBOUND},
	{"out4",
	 {.port = WEB1, .src = "10.99.0.10", .dst = "192.0.2.80"},
	 {.port = OUTSIDE, .src = "192.0.2.80", .dst = "203.0.113.10"},
	 DIR_OUTBOUND},
	{"out6",
	 {.port = DB1, .src = "fd99::11", .dst = "2001:db8:80::80"},
	 {.port = OUTSIDE, .src = "2001:db8:80::80", .dst = "2001:db8:113::11"},
	 DIR_OUTBOUND},
	{"lateral",
	 {.port = WEB1, .src = "10.99.0.10", .dst = "10.99.0.11", .dmac = &mac_db1},
	 {.port = DB1, .src = "10.99.0.11", .dst = "10.99.0.10", .dmac = &mac_web1},
	 DIR_LATERAL},
};

static struct talk talk_of(struct world *w, unsigned way, uint8_t proto, uint16_t sport,
			   uint16_t dport)
{
	struct talk t = {.w = w, .proto = proto, .seq = {1000, 5000}};
	t.side[0] = ways[way].client;
	t.side[1] = ways[way].server;
	for (unsigned d = 0; d < 2; d++) {
		bool v6 = strchr(t.side[d].src, ':') != NULL;
		t.side[d].proto = proto == 1 && v6 ? 58 : proto;
		t.side[d].sport = proto == 1 ? 77 : d == 0 ? sport : dport;
		t.side[d].dport = proto == 1 ? 1 : d == 0 ? dport : sport;
	}
	if (proto == 1) {
		t.side[1].flags = 1; /* an echo reply, type 0 */
		t.side[1].type = t.side[1].proto == 58 ? 129 : 0;
	}
	return t;
}

/* What d says at an offset of its stream (or as a datagram). */
static enum reason say_at(struct talk *t, unsigned d, uint32_t at, const char *text, size_t len)
{
	struct spec s = t->side[d];
	s.body = text;
	s.payload = (uint32_t)len;
	if (t->proto == 6) {
		s.flags = TCP_ACK | TCP_PSH;
		s.seq = t->first[d] + at;
		s.ack = t->seq[!d];
	}
	return world_send(t->w, &s);
}

static enum reason say(struct talk *t, unsigned d, const char *text)
{
	uint32_t at = t->seq[d] - t->first[d], len = (uint32_t)strlen(text);
	enum reason r = say_at(t, d, at, text, len);
	if (r == REASON_NONE && t->proto == 6)
		t->seq[d] += len;
	return r;
}

static void open_talk(struct talk *t)
{
	if (t->proto != 6)
		return;
	struct spec s = t->side[0];
	s.flags = TCP_SYN;
	s.seq = t->seq[0]++;
	assert_int_equal(world_send(t->w, &s), REASON_NONE);
	s = t->side[1];
	s.flags = TCP_SYN | TCP_ACK;
	s.seq = t->seq[1]++;
	s.ack = t->seq[0];
	assert_int_equal(world_send(t->w, &s), REASON_NONE);
	s = t->side[0];
	s.flags = TCP_ACK;
	s.seq = t->seq[0];
	s.ack = t->seq[1];
	assert_int_equal(world_send(t->w, &s), REASON_NONE);
	t->first[0] = t->seq[0];
	t->first[1] = t->seq[1];
}

/* ---- drop ---------------------------------------------------------------------------------------------- */

static void expect_dead(struct talk *t)
{
	struct world *w = t->w;
	uint64_t forwarded = w->stats.forwarded;
	/* Sent again, in other pieces, other data, by the other side, for longer than any stack tries. */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(say(t, 0, "and evil again"), REASON_RULE_FLOW);
		assert_int_equal(say(t, 0, "harmless"), REASON_RULE_FLOW);
		assert_int_equal(say(t, 1, "answer"), REASON_RULE_FLOW);
		assert_int_equal(w->r.verdict, VERDICT_DROP);
		world_wait(w, 20 * NS_PER_SEC);
	}
	assert_int_equal(w->stats.forwarded, forwarded);
}

static void drop_everywhere(void **state)
{
	static const uint8_t protos[] = {6, 17, 1};
	struct world *w = begin();
	for (unsigned way = 0; way < ARRAY_LEN(ways); way++)
		for (unsigned p = 0; p < ARRAY_LEN(protos); p++)
			for (unsigned d = 0; d < 2; d++) {
				uint16_t port = (uint16_t)(2000 + way * 100 + p * 10 + d);
				struct talk t = talk_of(w, way, protos[p], port, 8080);
				for (unsigned k = 0; k < 2 && protos[p] == 1; k++)
					t.side[k].sport = port;
				open_talk(&t);
				world_forget_events(w);
				assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
				assert_int_equal(say(&t, 1, "hello yourself"), REASON_NONE);
				assert_int_equal(say(&t, d, "some evil words"), REASON_RULE);
				assert_int_equal(w->r.n_replies, 0);
				const struct event *e = world_event(w, EVENT_ALERT);
				assert_non_null(e);
				assert_int_equal(e->u.alert.blocked, 1);
				assert_int_equal(e->u.alert.toclient, d);
				assert_int_equal(e->direction, ways[way].direction);
				assert_int_equal(e->flow_id, w->r.flow_id);
				assert_non_null(world_event(w, EVENT_DROP));
				if (ways[way].direction != DIR_LATERAL)
					assert_int_equal(addr_eq(&e->u.alert.tuple.src,
								 &e->u.alert.tuple.in_src),
							 ways[way].client.port == OUTSIDE ? d == 0
											  : d == 1);
				expect_dead(&t);
			}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
