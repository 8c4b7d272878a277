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
				/* Echoes between the same two are one conversation to a rule. */
				if (protos[p] == 1)
					world_wait(w, 100 * NS_PER_SEC);
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

/* ---- reject ------------------------------------------------------------------------------------------ */

static struct layers reply(const struct world *w, unsigned i)
{
	struct layers l;
	assert_true(i < w->r.n_replies);
	packet_decode(w->r.replies[i], &l);
	assert_true(packet_checksums_ok(w->r.replies[i], &l));
	assert_int_equal(l.odd, 0);
	return l;
}

/* A reset that this side takes: from whom it talks to, exactly what it waits for. */
static void expect_reset(struct talk *t, unsigned d, unsigned n)
{
	struct layers l = reply(t->w, n);
	const struct spec *s = &t->side[d];
	assert_int_equal(t->w->r.reply_port[n], s->port);
	assert_int_equal(l.proto, 6);
	assert_true((l.tcp_flags & TCP_RST) != 0);
	assert_true(world_has(&l.dst, s->src) && world_has(&l.src, s->dst));
	assert_int_equal(l.dport, s->sport);
	assert_int_equal(l.sport, s->dport);
	assert_int_equal(l.seq, t->seq[!d]);
	const uint8_t *dst = t->w->r.replies[n]->data;
	const struct mac *own[] = {&mac_peer, &mac_web1, &mac_loghost, &mac_db1};
	assert_memory_equal(dst, own[s->port]->b, 6);
}

static void reject_tcp(void **state)
{
	static const struct {
		const char *text;
		bool tell[2]; /* with d as sender: sender, receiver */
	} rows[] = {
		{"very nasty", {true, true}}, {"todst", {false, true}}, {"tosrc", {true, true}}};
	struct world *w = begin();
	for (unsigned way = 0; way < ARRAY_LEN(ways); way++)
		for (unsigned k = 0; k < ARRAY_LEN(rows); k++)
			for (unsigned d = 0; d < 2; d++) {
				uint16_t port = (uint16_t)(2000 + way * 100 + k * 10 + d);
				struct talk t = talk_of(w, way, 6, port, 8080);
				unsigned n = 0;
				open_talk(&t);
				world_wait(w, NS_PER_SEC);
				assert_int_equal(say(&t, d, "hello"), REASON_NONE);
				assert_int_equal(say(&t, d, rows[k].text), REASON_RULE);
				assert_int_equal(w->r.verdict, VERDICT_REJECT);
				if (rows[k].tell[0])
					expect_reset(&t, d, n++);
				if (rows[k].tell[1])
					expect_reset(&t, !d, n++);
				assert_int_equal(w->r.n_replies, n);
				assert_int_equal(say(&t, d, "and on"), REASON_RULE_FLOW);
				assert_int_equal(say(&t, !d, "and back"), REASON_RULE_FLOW);
			}
	world_free(w);
}

static void reject_others(void **state)
{
	static const uint8_t protos[] = {17, 1};
	struct world *w = begin();
	for (unsigned way = 0; way < ARRAY_LEN(ways); way++)
		for (unsigned p = 0; p < ARRAY_LEN(protos); p++)
			for (unsigned d = 0; d < 2; d++) {
				struct talk t = talk_of(w, way, protos[p],
							(uint16_t)(100 + way * 10 + d), 9000);
				for (unsigned k = 0; k < 2 && protos[p] == 1; k++)
					t.side[k].sport = (uint16_t)(way * 10 + d);
				const struct spec *s = &t.side[d];
				/* Echoes between the same two are one conversation to a rule. */
				world_wait(w, 100 * NS_PER_SEC);
				assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
				assert_int_equal(say(&t, d, "something nasty"), REASON_RULE);
				assert_int_equal(w->r.verdict, VERDICT_REJECT);
				if (protos[p] == 1 && d == 1) /* about an answer nothing is said */
					assert_true(w->r.n_replies <= 1);
				else
					assert_int_equal(w->r.n_replies, 1);
				struct layers l = reply(w, 0), q;
				bool v4 = l.ip_ver == 4, udp = protos[p] == 17;
				assert_int_equal(w->r.reply_port[0], s->port);
				assert_int_equal(l.icmp_type, v4 ? 3 : 1);
				assert_int_equal(l.icmp_code, v4 ? (udp ? 3 : 13) : (udp ? 4 : 1));
				assert_true(world_has(&l.src, s->dst) && world_has(&l.dst, s->src));
				assert_int_equal(packet_decode_quoted(w->r.replies[0], &l, &q), 0);
				assert_true(world_has(&q.src, s->src) && world_has(&q.dst, s->dst));
				assert_int_equal(q.sport, s->sport);
				assert_int_equal(say(&t, d, "harmless"), REASON_RULE_FLOW);
				assert_int_equal(say(&t, !d, "harmless"), REASON_RULE_FLOW);
			}
	world_free(w);
}

/* ---- streams -------------------------------------------------------------------------------------------- */

static void split_over_segments(void **state)
{
	struct world *w = begin();
	static const char text[] = "xxevilxx";
	for (unsigned cut = 1; cut < 8; cut++)
		for (unsigned order = 0; order < 2; order++) {
			struct talk t = talk_of(w, order ? 0 : 4, 6, (uint16_t)(3000 + cut), 8080);
			open_talk(&t);
			enum reason r[2];
			if (order == 0) {
				r[0] = say_at(&t, 0, 0, text, cut);
				r[1] = say_at(&t, 0, cut, text + cut, 8 - cut);
			} else {
				r[0] = say_at(&t, 0, cut, text + cut, 8 - cut);
				r[1] = say_at(&t, 0, 0, text, cut);
			}
			bool split = cut > 2 && cut < 6;
			assert_int_equal(r[0],
					 split || (cut <= 2) == (order == 0) ? REASON_NONE : r[0]);
			assert_true(r[0] == REASON_RULE || r[1] == REASON_RULE);
			assert_int_equal(say_at(&t, 0, 0, text, 8), REASON_RULE_FLOW);
			assert_int_equal(say_at(&t, 0, cut, text + cut, 8 - cut), REASON_RULE_FLOW);
		}
	world_free(w);
}

static void no_part_of_a_stream(void **state)
{
	struct world *w = begin();
	struct talk t = talk_of(w, 0, 6, 3000, 8080);
	open_talk(&t);
	assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
	/* What lies far outside of the window. */
	assert_int_equal(say_at(&t, 0, 50000000, "evil", 4), REASON_STREAM);
	assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
	world_free(w);
}

/* ---- other things ------------------------------------------------------------------------------------------ */

static void alert_and_pass(void **state)
{
	struct world *w = begin();
	struct talk t = talk_of(w, 0, 17, 4000, 53);
	assert_int_equal(say(&t, 0, "evil fine"), REASON_NONE);
	assert_int_equal(w->counts[EVENT_ALERT], 0);
	t = talk_of(w, 0, 17, 4001, 53);
	assert_int_equal(say(&t, 0, "seen"), REASON_NONE);
	const struct event *e = world_event(w, EVENT_ALERT);
	assert_non_null(e);
	assert_int_equal(e->u.alert.sid, 7);
	assert_int_equal(e->u.alert.blocked, 0);
	assert_string_equal(e->text, "seen");
	assert_string_equal(e->u.alert.tuple.guest, "web1");
	assert_true(world_has(&e->u.alert.tuple.in_dst, "10.99.0.10"));
	assert_true(world_has(&e->u.alert.tuple.dst, "203.0.113.10"));
	/* The one that says most is told at a bounded rate, the other one all the same. */
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(say(&t, 1, "seen"), REASON_NONE);
	assert_in_range(w->counts[EVENT_ALERT], 10, 30);
	t = talk_of(w, 0, 17, 4002, 53);
	uint32_t before = w->counts[EVENT_ALERT];
	assert_int_equal(say(&t, 0, "evil"), REASON_RULE);
	assert_int_equal(w->counts[EVENT_ALERT], before + 1);
	world_free(w);
}

static void fragments(void **state)
{
	struct world *w = begin();
	struct spec a = {.port = OUTSIDE,
			 .src = CLIENT,
			 .dst = "203.0.113.10",
			 .proto = 17,
			 .sport = 5000,
			 .dport = 53,
			 .frag_id = 9,
			 .frag_more = true,
			 .payload = 24,
			 .body = "0123456789abcdef012345ev"};
	struct spec b = {.port = OUTSIDE,
			 .src = CLIENT,
			 .dst = "203.0.113.10",
			 .proto = 17,
			 .frag_id = 9,
			 .frag_offset = 32,
			 .payload = 10,
			 .body = "ilxxxxxxxx"};
	/* Checksum and length of the whole datagram: 8 + 34 bytes. */
	for (unsigned round = 0; round < 2; round++) {
		a.frag_id = b.frag_id = (uint16_t)(9 + round);
		a.sport = (uint16_t)(5000 + round);
		b.body = round == 0 ? "ilxxxxxxxx" : "en ending.";
		world_make(w, &a);
		uint8_t *udp = w->f.data + 34;
		store_be16(udp + 4, 42);
		store_be16(udp + 6, 0);
		assert_int_equal(world_judge(w), REASON_NONE);
		assert_int_equal(world_send(w, &b), round == 0 ? REASON_RULE : REASON_NONE);
	}
	/* Its receiver has the beginning of what was stopped, and takes the first copy of each piece: another
	 * one, which looks better and belongs to another conversation, must not bring the end. */
	a.frag_id = b.frag_id = 9;
	a.sport = 5002;
	b.body = "ilxxxxxxxx";
	a.body = "0123456789abcdef01234567";
	for (unsigned round = 0; round < 3; round++) {
		world_make(w, &a);
		store_be16(w->f.data + 34 + 4, 42);
		store_be16(w->f.data + 34 + 6, 0);
		assert_int_equal(world_judge(w), REASON_FRAGMENT);
		assert_int_equal(world_send(w, &b), REASON_FRAGMENT);
		world_wait(w, 25 * NS_PER_SEC);
		a.sport++;
	}
	a.body = "0123456789abcdef012345ev";
	/* A wrong checksum over the whole: nobody would take it in. */
	a.frag_id = b.frag_id = 20;
	a.sport = 5020;
	world_make(w, &a);
	store_be16(w->f.data + 34 + 4, 42);
	store_be16(w->f.data + 34 + 6, 0x1234);
	assert_int_equal(world_judge(w), REASON_NONE);
	assert_int_equal(world_send(w, &b), REASON_BAD_CSUM);
	world_free(w);
}

/* What the receiver has forgotten by now is not what its second copy is looked at with. */
static void fragments_of_long_ago(void **state)
{
	for (int64_t wait = 10; wait < 130; wait += 10) {
		struct world *w = begin();
		struct spec s = {.port = OUTSIDE,
				 .src = CLIENT,
				 .dst = "203.0.113.10",
				 .proto = 17,
				 .sport = 5000,
				 .dport = 53,
				 .frag_id = 9,
				 .frag_more = true,
				 .payload = 24};
		enum reason r[2];
		for (unsigned i = 0; i < 2; i++) {
			s.body = i == 0 ? "0123456789abcdef01234567" : "0123456789abcdef012345ev";
			world_make(w, &s);
			store_be16(w->f.data + 34 + 4, 42);
			store_be16(w->f.data + 34 + 6, 0);
			r[i] = world_judge(w);
			if (i == 0)
				world_wait(w, wait * NS_PER_SEC);
		}
		s.frag_offset = 32;
		s.frag_more = false;
		s.payload = 10;
		s.body = "ilxxxxxxxx";
		assert_int_equal(r[0], REASON_NONE);
		enum reason end = world_send(w, &s);
		if (wait < 60 ? r[1] == REASON_NONE : r[1] == REASON_NONE && end == REASON_NONE)
			fail_msg("after %d s: %d, %d", (int)wait, r[1], end);
		world_free(w);
	}
}

static void errors_pass(void **state)
{
	struct world *w = begin();
	struct talk t = talk_of(w, 2, 17, 6000, 9999);
	assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
	/* The router outside says that nobody is there. */
	uint8_t quoted[28];
	memcpy(quoted, w->f.data + 14, sizeof(quoted));
	struct spec err = {.port = OUTSIDE,
			   .src = "192.0.2.80",
			   .dst = "203.0.113.10",
			   .proto = 1,
			   .type = 3,
			   .code = 3,
			   .body = quoted,
			   .payload = sizeof(quoted)};
	assert_int_equal(world_send(w, &err), REASON_NONE);
	assert_int_equal(w->r.out_port, WEB1);
	assert_int_equal(say(&t, 0, "evil"), REASON_RULE);
	assert_int_equal(world_send(w, &err), REASON_NO_FLOW); /* of what is dead nothing is said */
	world_free(w);
}

/* What an error quotes is not what a rule can change: then it does not pass. */
static void errors_are_looked_at(void **state)
{
	struct world *w = world_new();
	world_rules(
		w, "rewrite icmp any any -> any any (content:\"evil\"; replace:\"good\"; sid:1;)\n",
		false);
	for (unsigned proto = 6; proto <= 17; proto += 11) {
		struct talk t = talk_of(w, 2, (uint8_t)proto, 6000, 9999);
		open_talk(&t);
		assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
		uint8_t quoted[48] = {0};
		memcpy(quoted, w->f.data + 14, 40);
		for (unsigned evil = 0; evil < 2; evil++) {
			if (evil)
				memcpy(quoted + 40, "evil", 4);
			struct spec err = {.port = OUTSIDE,
					   .src = "192.0.2.80",
					   .dst = "203.0.113.10",
					   .proto = 1,
					   .type = 3,
					   .code = 3,
					   .body = quoted,
					   .payload = sizeof(quoted)};
			assert_int_equal(world_send(w, &err), evil ? REASON_RULE : REASON_NONE);
		}
	}
	world_free(w);
}

static void ids_only_watches(void **state)
{
	struct world *w = world_new();
	world_rules(w, rules, true);
	struct talk t = talk_of(w, 0, 6, 3000, 8080);
	open_talk(&t);
	assert_int_equal(say(&t, 0, "evil nasty"), REASON_NONE);
	assert_int_equal(say(&t, 1, "more"), REASON_NONE);
	assert_int_equal(say(&t, 0, "more"), REASON_NONE);
	const struct event *e = world_event(w, EVENT_ALERT);
	assert_non_null(e);
	assert_int_equal(e->u.alert.blocked, 0);
	assert_int_equal(w->counts[EVENT_DROP], 0);
	world_free(w);
}

/* The same ends again: another conversation, unless a rule ended the first. */
static void ends_again(void **state)
{
	struct world *w = begin();
	struct talk t = talk_of(w, 4, 6, 3000, 8080);
	for (unsigned i = 0; i < 3; i++) {
		t.seq[0] = 1000 + i * 100000;
		t.seq[1] = 5000 + i * 100000;
		open_talk(&t);
		assert_int_equal(say(&t, 0, "hello ev"), REASON_NONE);
	}
	assert_int_equal(say(&t, 0, "il"), REASON_RULE);
	struct spec s = t.side[0];
	s.flags = TCP_SYN;
	s.seq = 77777;
	assert_int_equal(world_send(w, &s), REASON_RULE_FLOW);
	/* The wall forgets it (its table is small), scrub does not. */
	world_wait(w, 200 * NS_PER_SEC);
	assert_int_equal(world_send(w, &s), REASON_RULE_FLOW);
	world_free(w);
}

/* ---- replace ------------------------------------------------------------------------------------------- */

static const char replacing[] =
	"rewrite udp any any -> any any (msg:\"udp\"; content:\"evil\"; replace:\"good\"; sid:1;)\n"
	"rewrite icmp any any -> any any (msg:\"icmp\"; content:\"evil\"; replace:\"good\"; "
	"sid:2;)\n"
	"rewrite tcp any any -> any any (msg:\"tcp\"; content:\"evil\"; replace:\"rather good\"; "
	"sid:3;)\n"
	"rewrite udp any any -> any any (msg:\"odd\"; content:\"length\"; replace:\"x\"; sid:4;)\n";

/* What leaves: all payloads one after the other. */
static uint32_t payload_out(const struct world *w, char *to, uint32_t cap)
{
	uint32_t n = 0;
	struct frame *const one[] = {(struct frame *)&w->f};
	struct frame *const *frames = w->r.changed ? w->r.frames : one;
	for (uint32_t i = 0; i < (w->r.changed ? w->r.n_frames : 1); i++) {
		struct layers l;
		packet_decode(frames[i], &l);
		assert_int_equal(l.odd, 0);
		assert_true(packet_checksums_ok(frames[i], &l));
		uint32_t len = l.l3_end - l.payload;
		assert_true(n + len < cap);
		memcpy(to + n, frames[i]->data + l.payload, len);
		n += len;
	}
	to[n] = '\0';
	return n;
}

static void replace_datagrams(void **state)
{
	static const uint8_t protos[] = {17, 1};
	struct world *w = world_new();
	char got[256];
	world_rules(w, replacing, false);
	for (unsigned way = 0; way < ARRAY_LEN(ways); way++)
		for (unsigned p = 0; p < ARRAY_LEN(protos); p++)
			for (unsigned d = 0; d < 2; d++)
				for (unsigned partial = 0; partial < 2; partial++) {
					struct talk t = talk_of(w, way, protos[p], 4000, 53);
					t.side[d].partial = partial != 0;
					world_forget_events(w);
					assert_int_equal(say(&t, 0, "hello"), REASON_NONE);
					assert_false(w->r.rewritten);
					assert_int_equal(say(&t, d, "so evil, evil!"), REASON_NONE);
					(void)payload_out(w, got, sizeof(got));
					assert_string_equal(got, "so good, good!");
					assert_true(w->r.rewritten);
					const struct event *e = world_event(w, EVENT_ALERT);
					assert_non_null(e);
					assert_int_equal(e->verdict, VERDICT_REWRITE);
				}
	/* Another length does not fit a datagram: then it is a drop. */
	struct talk t = talk_of(w, 0, 17, 4001, 53);
	assert_int_equal(say(&t, 0, "some length"), REASON_RULE);
	world_free(w);
}

static void replace_streams(void **state)
{
	struct world *w = world_new();
	char got[256];
	world_rules(w, replacing, false);
	for (unsigned way = 0; way < ARRAY_LEN(ways); way++) {
		struct talk t = talk_of(w, way, 6, (uint16_t)(3000 + way), 8080);
		open_talk(&t);
		assert_int_equal(say(&t, 0, "so ev"), REASON_NONE);
		assert_true(w->r.changed);
		(void)payload_out(w, got, sizeof(got));
		assert_string_equal(got, "so ");
		assert_int_equal(say(&t, 0, "il, or not"), REASON_NONE);
		(void)payload_out(w, got, sizeof(got));
		assert_string_equal(got, "rather good, or not");
		/* The answer acknowledges what its sender got, and leaves with what the other one said. */
		struct spec s = t.side[1];
		s.flags = TCP_ACK;
		s.seq = t.seq[1];
		s.ack = t.seq[0] + 7;
		s.body = "yes";
		s.payload = 3;
		assert_int_equal(world_send(w, &s), REASON_NONE);
		assert_int_equal(w->l.ack, t.seq[0]);
		(void)payload_out(w, got, sizeof(got));
		assert_string_equal(got, "yes");
		t.seq[1] += 3;
		/* What follows is numbered as the receiver counts. */
		assert_int_equal(say(&t, 0, "more"), REASON_NONE);
		assert_int_equal(w->l.seq, t.seq[0] - 4 + 7);
	}
	world_free(w);
}

/* A router says that a segment was too long: its sender finds it among those that he sent. */
static void quoted_numbers(void **state)
{
	struct world *w = world_new();
	world_rules(w, replacing, false);
	struct talk t = talk_of(w, 2, 6, 3000, 8080);
	open_talk(&t);
	assert_int_equal(say(&t, 0, "so evil"), REASON_NONE);
	uint32_t seq = t.seq[0];
	assert_int_equal(say(&t, 0, "more"), REASON_NONE);
	assert_int_equal(w->l.seq, seq + 7);
	uint8_t quoted[28];
	memcpy(quoted, w->f.data + 14, sizeof(quoted));
	const struct spec err = {.port = OUTSIDE,
				 .src = "192.0.2.200",
				 .dst = "203.0.113.10",
				 .proto = 1,
				 .type = 3,
				 .code = 4,
				 .body = quoted,
				 .payload = sizeof(quoted)};
	assert_int_equal(world_send(w, &err), REASON_NONE);
	assert_int_equal(w->r.out_port, WEB1);
	assert_int_equal(load_be32(w->f.data + 14 + 20 + 8 + 20 + 4), seq);
	assert_true(packet_checksums_ok(&w->f, &w->l));
	world_free(w);
}

struct sent {
	struct world *w;
	uint32_t n;
	char text[64];
};

static void send_held(void *ctx, uint16_t port, struct frame *f)
{
	struct sent *s = ctx;
	struct layers l;
	packet_decode(f, &l);
	assert_true(packet_checksums_ok(f, &l));
	assert_int_equal(port, WEB1);
	assert_memory_equal(f->data, mac_web1.b, 6);
	assert_true(world_has(&l.dst, "10.99.0.10"));
	memcpy(s->text, f->data + l.payload, l.l3_end - l.payload);
	s->text[l.l3_end - l.payload] = '\0';
	s->n++;
}

static void waiting_has_an_end(void **state)
{
	struct world *w = world_new();
	struct sent s = {.w = w};
	world_rules(w, replacing, false);
	struct talk t = talk_of(w, 0, 6, 3000, 8080);
	open_talk(&t);
	assert_int_equal(say(&t, 0, "so ev"), REASON_NONE);
	judge_release(w->j, w->now + 100 * NS_PER_MS, send_held, &s);
	assert_int_equal(s.n, 0);
	w->now += 201 * NS_PER_MS;
	judge_release(w->j, w->now, send_held, &s);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.text, "ev");
	assert_int_equal(say(&t, 0, "il"), REASON_RULE);
	assert_int_equal(say(&t, 0, "il"), REASON_RULE_FLOW);
	world_free(w);
}

/* What waits when a lockdown begins stays; and what a rule has ended is not judged anew by an order. */
static void orders_and_rules(void **state)
{
	struct world *w = world_new();
	struct sent s = {.w = w};
	static struct policy_now now;
	world_rules(w, replacing, false);
	struct talk t = talk_of(w, 0, 6, 3000, 8080);
	open_talk(&t);
	assert_int_equal(say(&t, 0, "so ev"), REASON_NONE);
	memset(&now, 0, sizeof(now));
	now.generation = 256;
	now.lockdown = LOCKDOWN_ALL;
	assert_int_equal(judge_orders(w->j, &now, w->now), 0);
	w->now += 201 * NS_PER_MS;
	judge_release(w->j, w->now, send_held, &s);
	assert_int_equal(s.n, 0);
	now.generation = 512;
	now.lockdown = LOCKDOWN_OFF;
	assert_int_equal(judge_orders(w->j, &now, w->now), 0);
	assert_int_equal(say(&t, 0, "il"), REASON_RULE);
	now.generation = 768;
	assert_int_equal(judge_orders(w->j, &now, w->now), 0);
	assert_int_equal(say(&t, 0, "il"), REASON_RULE_FLOW);
	world_free(w);
}

/* The oldest trick against web servers, in pieces: rewritten, and the conversation goes on. */
static void unicode_attack(void **state)
{
	static const char unicode[] =
		"rewrite http any any -> any any (msg:\"IIS unicode\"; http.uri.raw; "
		"content:\"..%c0%af..\"; nocase; replace:\"/nothing/h\"; sid:1;)\n";
	static const char request[] =
		"GET /scripts/..%c0%af../winnt/system32/cmd.exe?/c+dir HTTP/1.0\r\nHost: x\r\n\r\n";
	char all[512], got[256];
	struct world *w = world_new();
	world_rules(w, unicode, false);
	for (uint32_t cut = 1; cut < sizeof(request) - 1; cut += 7) {
		char part[256];
		struct talk t = talk_of(w, 2, 6, (uint16_t)(3000 + cut), 80);
		w->conf.wall.limits.tcp.w[0].max = 1000;
		all[0] = '\0';
		world_restart(w);
		open_talk(&t);
		for (unsigned k = 0; k < 2; k++) {
			text_copy(part, sizeof(part), request + (k == 0 ? 0 : cut));
			if (k == 0)
				part[cut] = '\0';
			assert_int_equal(say(&t, 0, part), REASON_NONE);
			(void)payload_out(w, got, sizeof(got));
			assert_true(strlen(all) + strlen(got) < sizeof(all));
			memcpy(all + strlen(all), got, strlen(got) + 1);
		}
		assert_string_equal(all, "GET /scripts//nothing/h/winnt/system32/cmd.exe?/c+dir "
					 "HTTP/1.0\r\nHost: x\r\n\r\n");
		assert_int_equal(say(&t, 1, "HTTP/1.0 404 Not Found\r\n\r\n"), REASON_NONE);
	}
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drop_everywhere),     cmocka_unit_test(reject_tcp),
		cmocka_unit_test(reject_others),       cmocka_unit_test(split_over_segments),
		cmocka_unit_test(no_part_of_a_stream), cmocka_unit_test(alert_and_pass),
		cmocka_unit_test(fragments),           cmocka_unit_test(fragments_of_long_ago),
		cmocka_unit_test(errors_pass),         cmocka_unit_test(errors_are_looked_at),
		cmocka_unit_test(ids_only_watches),    cmocka_unit_test(ends_again),
		cmocka_unit_test(replace_datagrams),   cmocka_unit_test(replace_streams),
		cmocka_unit_test(quoted_numbers),      cmocka_unit_test(waiting_has_an_end),
		cmocka_unit_test(orders_and_rules),    cmocka_unit_test(unicode_attack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
