/* SPDX-License-Identifier: BSD-2-Clause */
/* FTP behind translated addresses: what lines say is set right, and a client's transfer is let through once. */
#include "judge/judge_priv.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

static const char *const client_of[2] = {"198.51.100.66", "2001:db8:66::66"};
static const char *const in_of[2] = {"10.99.0.11", "fd99::11"};
static const char *const pub_of[2] = {"203.0.113.11", "2001:db8:113::11"};

/* A control conversation with DB1: it serves, or is the client. Both begin to count anew behind the handshake. */
struct talk {
	struct world *w;
	bool v6, serves;
	uint16_t sport;
	uint32_t guest, far; /* next sequence numbers, each as its sender counts */
	int32_t shift;       /* of what the guest has said, outside */
};

static struct talk begin_with(struct world *w, bool v6, bool serves)
{
	struct talk t = {.w = w, .v6 = v6, .serves = serves, .sport = 40000};
	const struct spec syn = {.port = serves ? OUTSIDE : DB1,
				 .src = serves ? client_of[v6] : in_of[v6],
				 .dst = serves ? pub_of[v6] : client_of[v6],
				 .sport = t.sport,
				 .dport = 21};
	world_handshake(w, &syn, serves ? DB1 : OUTSIDE, serves ? in_of[v6] : client_of[v6], 21,
			serves ? client_of[v6] : pub_of[v6]);
	t.guest = serves ? 5001 : 1001;
	t.far = serves ? 1001 : 5001;
	return t;
}

static struct talk begin(bool v6, bool serves)
{
	return begin_with(world_new(), v6, serves);
}

static struct spec guest_segment(const struct talk *t, const char *text)
{
	return (struct spec){.port = DB1,
			     .src = in_of[t->v6],
			     .dst = client_of[t->v6],
			     .sport = t->serves ? 21 : t->sport,
			     .dport = t->serves ? t->sport : 21,
			     .flags = TCP_ACK | TCP_PSH,
			     .seq = t->guest,
			     .ack = t->far,
			     .payload = (uint32_t)strlen(text),
			     .body = text};
}

static struct spec far_segment(const struct talk *t, const char *text)
{
	return (struct spec){.port = OUTSIDE,
			     .src = client_of[t->v6],
			     .dst = pub_of[t->v6],
			     .sport = t->serves ? t->sport : 21,
			     .dport = t->serves ? 21 : t->sport,
			     .flags = TCP_ACK | TCP_PSH,
			     .seq = t->far,
			     .ack = t->guest + (uint32_t)t->shift,
			     .payload = (uint32_t)strlen(text),
			     .body = text};
}

/* What came out is text, at the sequence number that its receiver waits for. */
static void came_out(const struct talk *t, const char *text, uint32_t seq)
{
	const struct world *w = t->w;
	uint32_t len = w->l.l3_end - w->l.payload;
	assert_int_equal(len, strlen(text));
	assert_memory_equal(w->f.data + w->l.payload, text, len);
	assert_int_equal(w->l.seq, seq);
	assert_int_equal(w->f.len, w->l.l3_end);
}

static void guest_says(struct talk *t, const char *text, const char *becomes)
{
	struct spec s = guest_segment(t, text);
	assert_int_equal(world_send(t->w, &s), REASON_NONE);
	came_out(t, becomes, t->guest + (uint32_t)t->shift);
	assert_int_equal(t->w->l.ack, t->far);
	/* It gets lost, and is sent again. */
	assert_int_equal(world_send(t->w, &s), REASON_NONE);
	came_out(t, becomes, t->guest + (uint32_t)t->shift);
	t->guest += (uint32_t)strlen(text);
	t->shift += (int32_t)strlen(becomes) - (int32_t)strlen(text);
}

static void far_says(struct talk *t, const char *text)
{
	struct spec s = far_segment(t, text);
	assert_int_equal(world_send(t->w, &s), REASON_NONE);
	came_out(t, text, t->far);
	assert_int_equal(t->w->l.ack, t->guest);
	t->far += (uint32_t)strlen(text);
}

static struct spec data_syn(bool v6, uint16_t dport)
{
	static uint32_t isn;
	return (struct spec){.port = DB1,
			     .src = in_of[v6],
			     .dst = client_of[v6],
			     .sport = 20,
			     .dport = dport,
			     .seq = ++isn,
			     .flags = TCP_SYN};
}

static void no_budget(struct world *w)
{
	w->conf.wall.limits.tcp = (struct conf_limit){1, {{0, 3600 * NS_PER_SEC}}};
	world_restart(w);
}

static void passive_answers_name_the_public_address(void **state)
{
	struct talk t = begin(false, true);
	guest_says(&t, "220 ready\r\n", "220 ready\r\n");
	far_says(&t, "PASV\r\n");
	guest_says(&t, "227 Entering Passive Mode (10,99,0,11,195,80).\r\n",
		   "227 Entering Passive Mode (203,0,113,11,195,80).\r\n");
	assert_int_equal(t.shift, 2);
	far_says(&t, "LIST\r\n");
	guest_says(&t, "150 here it comes\r\n", "150 here it comes\r\n");
	far_says(&t, "PASV\r\n");
	guest_says(&t, "226 done\r\n227 =10,99,0,11,4,1\r\n",
		   "226 done\r\n227 =203,0,113,11,4,1\r\n");
	assert_int_equal(t.shift, 4);
	far_says(&t, "QUIT\r\n");
	/* An acknowledgement of what came before the change is of that. */
	guest_says(&t, "221 bye\r\n", "221 bye\r\n");
	world_free(t.w);
}

static void other_addresses_and_lines_stay(void **state)
{
	struct talk t = begin(false, true);
	static const char *const lines[] = {
		"227 Entering Passive Mode (10,99,0,10,195,80).\r\n", /* another guest's */
		"227 Entering Passive Mode (10,99,0,11,195,80)",      /* its end is to come */
		".\r\n",
		"228 Entering Passive Mode (10,99,0,11,195,80)\r\n",
		"227-Entering Passive Mode (10,99,0,11,195,80)\r\n",
		"227 Entering Passive Mode (10,99,0,11,256,80)\r\n",
		"227 Entering Passive Mode (10,99,0,111,195,80)\r\n",
		"227 10,99,0,11\r\n",
		"229 Entering Extended Passive Mode (|||2048|)\r\n",
		"PORT 10,99,0,11,195,80\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		guest_says(&t, lines[i], lines[i]);
	assert_int_equal(t.shift, 0);
	world_free(t.w);
	/* Nor is it anybody's business on another port. */
	struct world *w = world_new();
	const struct spec syn = {.port = OUTSIDE,
				 .src = client_of[0],
				 .dst = pub_of[0],
				 .sport = 4000,
				 .dport = 2121};
	world_handshake(w, &syn, DB1, in_of[0], 2121, client_of[0]);
	const struct spec s = {.port = DB1,
			       .src = in_of[0],
			       .dst = client_of[0],
			       .sport = 2121,
			       .dport = 4000,
			       .seq = 5001,
			       .ack = 1001,
			       .flags = TCP_ACK,
			       .payload = 28,
			       .body = "227 Hello (10,99,0,11,4,1)\r\n"};
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_memory_equal(w->f.data + w->l.payload, s.body, 28);
	world_free(w);
}

static void a_guest_as_client_names_the_public_address(void **state)
{
	struct talk t = begin(false, false);
	guest_says(&t, "PORT 10,99,0,11,195,80\r\n", "PORT 203,0,113,11,195,80\r\n");
	far_says(&t, "200 fine\r\n");
	guest_says(&t, "eprt |1|10.99.0.11|2048|\r\n", "eprt |1|203.0.113.11|2048|\r\n");
	far_says(&t, "200 fine\r\n");
	guest_says(&t, "EPRT |1|10.99.0.12|2048|\r\n", "EPRT |1|10.99.0.12|2048|\r\n");
	world_free(t.w);
	t = begin(true, false);
	guest_says(&t, "EPRT |2|fd99::11|2048|\r\n", "EPRT |2|2001:db8:113::11|2048|\r\n");
	far_says(&t, "200 fine\r\n");
	guest_says(&t, "EPRT !2!fd99:0:0::11!2048!\r\n", "EPRT !2!2001:db8:113::11!2048!\r\n");
	guest_says(&t, "QUIT\r\n", "QUIT\r\n");
	world_free(t.w);
}

/* Checksums that are to be completed by others, and super-frames. */
static void offloads_stay_right(void **state)
{
	struct talk t = begin(false, true);
	struct spec s = guest_segment(&t, "227 ok (10,99,0,11,195,80)\r\n");
	s.partial = true;
	assert_int_equal(world_send(t.w, &s), REASON_NONE);
	assert_int_equal(t.w->f.vnet.flags, VNET_NEEDS_CSUM);
	uint32_t at = t.w->f.vnet.csum_start;
	store_be16(t.w->f.data + at + 16,
		   (uint16_t)~packet_sum(t.w->f.data + at, t.w->f.len - at, 0));
	t.w->f.vnet = (struct vnet){0};
	packet_decode(&t.w->f, &t.w->l);
	assert_true(packet_checksums_ok(&t.w->f, &t.w->l));
	came_out(&t, "227 ok (203,0,113,11,195,80)\r\n", t.guest);
	t.guest += s.payload;
	t.shift = 2;
	s = guest_segment(&t, "226 done\r\n");
	s.partial = true;
	assert_int_equal(world_send(t.w, &s), REASON_NONE);
	assert_int_equal(t.w->l.seq, t.guest + 2);
	/* A segment that would get too long for a link stays as it is. */
	static char big[1461];
	memset(big, ' ', 1460);
	memcpy(big, "227 ok (10,99,0,11,195,80)\r\n", 28);
	memcpy(big + 1458, "\r\n", 2);
	t.guest += 10;
	guest_says(&t, big, big);
	world_free(t.w);
}

/* Blocks of numbers that were not shifted back would make the guest think the wrong bytes arrived. */
static void selective_acknowledgements_are_blanked(void **state)
{
	struct talk t = begin(false, true);
	guest_says(&t, "227 ok (10,99,0,11,195,80)\r\n", "227 ok (203,0,113,11,195,80)\r\n");
	struct spec s = far_segment(&t, "............NOOP\r\n");
	world_make(t.w, &s);
	/* The first bytes become options: two NOPs and a block. */
	uint8_t *tcp = t.w->f.data + 34;
	static const uint8_t options[12] = {1, 1, 5, 10, 0, 0, 0x13, 0x89, 0, 0, 0x13, 0x99};
	memcpy(tcp + 20, options, sizeof(options));
	tcp[12] = 8 << 4;
	store_be16(tcp + 16, 0);
	uint32_t len = t.w->f.len - 34, sum = 0;
	for (uint32_t i = 0; i < 8; i += 2)
		sum += load_be16(t.w->f.data + 26 + i);
	store_be16(tcp + 16, (uint16_t)~packet_sum(tcp, len, sum + len + 6));
	assert_int_equal(world_judge(t.w), REASON_NONE);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(t.w->f.data[34 + 20 + i], 1);
	assert_int_equal(t.w->l.ack, t.guest);
	world_free(t.w);
}

/* Rules see what the guest said, whatever the wall makes of it on the way out. */
static void rules_and_addresses_go_together(void **state)
{
	struct world *w = world_new();
	world_rules(
		w,
		"alert tcp any any -> any any (msg:\"inside\"; content:\"(10,99,0,11\"; sid:1;)\n"
		"rewrite tcp any any -> any any (msg:\"longer\"; content:\"ready\"; "
		"replace:\"not ready\"; sid:2;)\n",
		false);
	struct talk t = begin_with(w, false, true);
	struct spec s = guest_segment(&t, "220 ready\r\n");
	assert_int_equal(world_send(w, &s), REASON_NONE);
	assert_true(w->r.changed);
	t.guest += s.payload;
	t.shift = 4;
	s = far_segment(&t, "PASV\r\n");
	assert_int_equal(world_send(w, &s), REASON_NONE);
	struct frame *out = w->r.changed ? w->r.frames[0] : &w->f;
	packet_decode(out, &w->l);
	assert_int_equal(w->l.ack, t.guest);
	t.far += s.payload;
	s = guest_segment(&t, "227 ok (10,99,0,11,195,80)\r\n");
	assert_int_equal(world_send(w, &s), REASON_NONE);
	out = w->r.changed ? w->r.frames[0] : &w->f;
	packet_decode(out, &w->l);
	assert_true(packet_checksums_ok(out, &w->l));
	assert_memory_equal(out->data + w->l.payload, "227 ok (203,0,113,11,195,80)\r\n", 30);
	assert_int_equal(w->l.seq, t.guest + 4);
	assert_int_equal(w->counts[EVENT_ALERT], 2);
	t.guest += s.payload;
	t.shift = 6;
	s = far_segment(&t, "NOOP\r\n");
	assert_int_equal(world_send(w, &s), REASON_NONE);
	out = w->r.changed ? w->r.frames[0] : &w->f;
	packet_decode(out, &w->l);
	assert_int_equal(w->l.ack, t.guest);
	world_free(w);
}

static const char *announce(bool v6, uint16_t port)
{
	static char text[80];
	if (v6)
		snprintf(text, sizeof(text), "EPRT |2|2001:db8:66::66|%u|\r\n", port);
	else
		snprintf(text, sizeof(text), "PORT 198,51,100,66,%u,%u\r\n", port >> 8, port & 255);
	return text;
}

static void an_active_transfer_is_part_of_its_conversation(void **state)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct world *w = world_new();
		no_budget(w);
		struct talk t = begin_with(w, v6, true);
		struct spec syn = data_syn(v6, 2048);
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		world_wait(w, 400 * NS_PER_SEC);
		far_says(&t, announce(v6, 2048));
		syn = data_syn(v6, 2049); /* another port */
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		syn = data_syn(v6, 2048);
		syn.dst = v6 ? "2001:db8:66::67" : "198.51.100.67"; /* another host */
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		syn = data_syn(v6, 2048);
		syn.port = WEB1; /* another guest */
		syn.src = v6 ? "2001:db8:113::10" : "10.99.0.10";
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		syn = data_syn(v6, 2048);
		world_handshake(w, &syn, OUTSIDE, client_of[v6], 2048, pub_of[v6]);
		const struct event *e = world_event(w, EVENT_CONNECTION);
		assert_int_equal(e->direction, DIR_OUTBOUND);
		assert_int_equal(e->verdict, VERDICT_FORWARD);
		assert_int_equal(e->u.connection.limit_max, 0); /* not charged */
		syn = data_syn(v6, 2048);                       /* once */
		syn.sport = 2000;
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		/* Said again, it is good again; but not for ever. */
		t.w = w;
		far_says(&t, announce(v6, 2048));
		world_wait(w, 61 * NS_PER_SEC);
		syn = data_syn(v6, 2048);
		syn.sport = 2001;
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		world_free(w);
	}
}

static void nobody_else_is_reached_by_it(void **state)
{
	static const struct {
		const char *line;
		const char *dst;
		uint16_t port;
	} forged[] = {
		{"PORT 192,0,2,80,8,0\r\n", "192.0.2.80", 2048},
		{"EPRT |1|192.0.2.80|2048|\r\n", "192.0.2.80", 2048},
		{"EPRT |2|2001:db8:66::66|2048|\r\n", "198.51.100.66", 2048},
		{"PORT 198,51,100,66,0,22\r\n", "198.51.100.66", 22},
		{"PORT 198,51,100,66,3,255\r\n", "198.51.100.66", 1023},
		{"PORT 198,51,100,66,8,256\r\n", "198.51.100.66", 2304},
		{"PORT 198,51,100,66,8\r\n", "198.51.100.66", 2048},
		{"PORT 198,51,100,66,8,0", "198.51.100.66", 2048},
		{"PORTS 198,51,100,66,8,0\r\n", "198.51.100.66", 2048},
		{"NOOP PORT 198,51,100,66,8,0\r\n", "198.51.100.66", 2048},
		{"227 ok (198,51,100,66,8,0)\r\n", "198.51.100.66", 2048},
		{"EPRT |1|198.51.100.66|67584|\r\n", "198.51.100.66", 2048},
		{"EPRT |1|198.51.100.66|02048\r\n", "198.51.100.66", 2048},
		{"EPRT ||198.51.100.66|2048|\r\n", "198.51.100.66", 2048},
	};
	for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
		struct world *w = world_new();
		no_budget(w);
		struct talk t = begin_with(w, false, true);
		far_says(&t, forged[i].line);
		struct spec syn = data_syn(false, forged[i].port);
		syn.dst = forged[i].dst;
		assert_int_equal(world_send(w, &syn), REASON_LIMIT);
		world_free(w);
	}
}

/* Two segments that are a command only together are none. */
static void split_commands_open_nothing(void **state)
{
	struct world *w = world_new();
	no_budget(w);
	struct talk t = begin_with(w, false, true);
	far_says(&t, "PO");
	far_says(&t, "RT 198,51,100,66,8,0\r\n");
	far_says(&t, "PORT 198,51,100,6");
	far_says(&t, "6,8,0\r\n");
	struct spec syn = data_syn(false, 2048);
	assert_int_equal(world_send(w, &syn), REASON_LIMIT);
	/* Among others in one segment it is one. */
	far_says(&t, "TYPE I\r\nPORT 198,51,100,66,8,1\r\nRETR x\r\n");
	syn = data_syn(false, 2049);
	assert_int_equal(world_send(w, &syn), REASON_NONE);
	world_free(w);
}

/* Who never showed that he gets what the guest says has no say. */
static void half_open_conversations_open_nothing(void **state)
{
	struct world *w = world_new();
	no_budget(w);
	struct spec s = {.port = OUTSIDE,
			 .src = client_of[0],
			 .dst = pub_of[0],
			 .sport = 40000,
			 .dport = 21,
			 .seq = 1000,
			 .flags = TCP_SYN};
	assert_int_equal(world_send(w, &s), REASON_NONE);
	s.flags = TCP_ACK;
	s.seq = 1001;
	s.body = announce(false, 2048);
	s.payload = (uint32_t)strlen(s.body);
	assert_int_equal(world_send(w, &s), REASON_NO_FLOW);
	const struct spec answer = {.port = DB1,
				    .src = in_of[0],
				    .dst = client_of[0],
				    .sport = 21,
				    .dport = 40000,
				    .seq = 5000,
				    .ack = 1001,
				    .flags = TCP_SYN | TCP_ACK};
	assert_int_equal(world_send(w, &answer), REASON_NONE);
	s.ack = 4711;
	assert_int_equal(world_send(w, &s), REASON_NONE);
	struct spec syn = data_syn(false, 2048);
	assert_int_equal(world_send(w, &syn), REASON_LIMIT);
	world_free(w);
}

static void an_operators_word_goes_first(void **state)
{
	struct world *w = world_new();
	struct talk t = begin_with(w, false, true);
	struct policy_now now = {.generation = 1, .lockdown = LOCKDOWN_OUTBOUND};
	far_says(&t, announce(false, 2048));
	assert_int_equal(judge_orders(w->j, &now, w->now), 0);
	struct spec syn = data_syn(false, 2048);
	assert_int_equal(world_send(w, &syn), REASON_LOCKDOWN);
	now.generation++;
	now.lockdown = LOCKDOWN_OFF;
	now.n_overrides = 1;
	now.overrides[0].act = ACT_DROP;
	text_copy(now.overrides[0].guest, sizeof(now.overrides[0].guest), "db1");
	assert_int_equal(judge_orders(w->j, &now, w->now), 0);
	assert_int_equal(world_send(w, &syn), REASON_POLICY);
	now.generation++;
	now.n_overrides = 0;
	assert_int_equal(judge_orders(w->j, &now, w->now), 0);
	assert_int_equal(world_send(w, &syn), REASON_NONE); /* it was not used up in vain */
	far_says(&t, announce(false, 2049));
	struct prefix host;
	assert_int_equal(prefix_parse("198.51.100.66/32", &host), 0);
	judge_host(w->j, &host, 1, w->now);
	syn = data_syn(false, 2049);
	assert_int_equal(world_send(w, &syn), REASON_OFF_LIMITS);
	world_free(w);
}

static void announcements_are_few(void **state)
{
	struct world *w = world_new();
	no_budget(w);
	struct talk t = begin_with(w, false, true);
	unsigned passed = 0;
	for (uint16_t i = 0; i < 500; i++) {
		far_says(&t, announce(false, (uint16_t)(3000 + i)));
		struct spec syn = data_syn(false, (uint16_t)(3000 + i));
		passed += world_send(w, &syn) == REASON_NONE;
	}
	assert_in_range(passed, 1, 21);
	for (uint16_t i = 0; i < 60; i++) { /* ten minutes more */
		world_wait(w, 10 * NS_PER_SEC);
		far_says(&t, announce(false, (uint16_t)(4000 + i)));
		struct spec syn = data_syn(false, (uint16_t)(4000 + i));
		passed += world_send(w, &syn) == REASON_NONE;
	}
	assert_in_range(passed, 22, 41);
	world_free(w);
}

/* Who answers as somebody else, with the guest's help, gets nothing that the policy does not give anyway. */
static void a_policys_word_stays(void **state)
{
	static const uint8_t acts[] = {ACT_DROP, ACT_REJECT, ACT_REDIRECT};
	for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
		struct world *w = world_new();
		w->conf.wall.policy[w->conf.wall.n_policy++].act = acts[i];
		no_budget(w);
		struct talk t = begin_with(w, false, true);
		far_says(&t, announce(false, 2048));
		struct spec syn = data_syn(false, 2048);
		assert_int_equal(world_send(w, &syn), REASON_POLICY);
		world_free(w);
	}
	struct world *w = world_new();
	struct conf_policy *p = &w->conf.wall.policy[w->conf.wall.n_policy++];
	p->act = ACT_LIMIT;
	p->connections = (struct conf_limit){1, {{1, 3600 * NS_PER_SEC}}};
	no_budget(w);
	struct talk t = begin_with(w, false, true);
	for (uint16_t i = 0; i < 2; i++) {
		far_says(&t, announce(false, (uint16_t)(2048 + i)));
		struct spec syn = data_syn(false, (uint16_t)(2048 + i));
		assert_int_equal(world_send(w, &syn), i == 0 ? REASON_NONE : REASON_LIMIT);
	}
	world_free(w);
}

static void another_guest_inherits_no_transfer(void **state)
{
	struct world *w = world_new();
	no_budget(w);
	struct talk t = begin_with(w, false, true);
	far_says(&t, announce(false, 2048));
	assert_int_equal(judge_port_set(w->j, DB1, &w->conf.ports[DB1], w->now), 0);
	struct spec syn = data_syn(false, 2048);
	assert_int_equal(world_send(w, &syn), REASON_LIMIT);
	world_free(w);
}

/* Also where the outside knows it by another port. */
static void what_waited_is_shifted(void **state)
{
	struct world *w = world_new();
	struct conf_forward *fw = &w->conf.forwards[w->conf.n_forwards++];
	memset(fw, 0, sizeof(*fw));
	fw->public = world_addr("203.0.113.11");
	fw->proto = 6;
	fw->public_port = 2121;
	fw->guest_port = 21;
	text_copy(fw->guest, sizeof(fw->guest), "db1");
	world_restart(w);
	const struct spec syn = {.port = OUTSIDE,
				 .src = client_of[0],
				 .dst = pub_of[0],
				 .sport = 40000,
				 .dport = 2121};
	world_handshake(w, &syn, DB1, in_of[0], 21, client_of[0]);
	struct talk t = {.w = w, .serves = true, .sport = 40000, .guest = 5001, .far = 1001};
	guest_says(&t, "227 ok (10,99,0,11,195,80).\r\n", "227 ok (203,0,113,11,195,80).\r\n");
	guest_says(&t, "150 here\r\n", "150 here\r\n");
	uint32_t seq = w->l.seq;
	packet_set_seq_ack(&w->f, &w->l, seq - (uint32_t)t.shift, w->l.ack);
	ftp_released(w->j, &w->f);
	packet_decode(&w->f, &w->l);
	assert_int_equal(w->l.seq, seq);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passive_answers_name_the_public_address),
		cmocka_unit_test(other_addresses_and_lines_stay),
		cmocka_unit_test(a_guest_as_client_names_the_public_address),
		cmocka_unit_test(offloads_stay_right),
		cmocka_unit_test(selective_acknowledgements_are_blanked),
		cmocka_unit_test(rules_and_addresses_go_together),
		cmocka_unit_test(an_active_transfer_is_part_of_its_conversation),
		cmocka_unit_test(nobody_else_is_reached_by_it),
		cmocka_unit_test(split_commands_open_nothing),
		cmocka_unit_test(half_open_conversations_open_nothing),
		cmocka_unit_test(an_operators_word_goes_first),
		cmocka_unit_test(announcements_are_few),
		cmocka_unit_test(a_policys_word_stays),
		cmocka_unit_test(another_guest_inherits_no_transfer),
		cmocka_unit_test(what_waited_is_shifted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
