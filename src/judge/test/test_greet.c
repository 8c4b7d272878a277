/* SPDX-License-Identifier: BSD-2-Clause */
/* What the event of an inbound SYN says of its sender: SYNs of systems and tools, byte by byte. */
#include "world.h"

#include <string.h>

#define OPTIONS_MOST 40u

struct greeting {
	const char *what;
	bool v6;
	uint8_t ttl, tos, flags; /* flags: beside SYN */
	uint16_t id, bits;       /* IPv4: id, and flags with offset; IPv6 id: flow label */
	uint16_t window, urgent;
	uint32_t seq, ack, data;
	uint8_t n, options[OPTIONS_MOST];
	struct event_syn is;
};

/* clang-format off */
static const struct greeting greetings[] = {
	{"Linux", false, 53, 0, 0, 0x1c46, 0x4000, 64240, 0, 77, 0, 0,
	 20, {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
	 {53, 1, 5, 7, 64240, 1460, {2, 4, 8, 1, 3}, SYN_ID}},
	{"Linux, IPv6", true, 64, 0, 0, 0x1234, 0, 64800, 0, 77, 0, 0,
	 20, {2, 4, 5, 0xa0, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
	 {64, 0, 5, 7, 64800, 1440, {2, 4, 8, 1, 3}, SYN_FLOW}},
	{"Windows", false, 113, 2, 0xc0, 0x0102, 0x4000, 64240, 0, 77, 0, 0,
	 12, {2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2},
	 {113, 1, 6, 8, 64240, 1460, {2, 1, 3, 1, 1, 4}, SYN_ID | SYN_ECN}},
	{"macOS", false, 54, 0, 0, 0, 0x4000, 65535, 0, 77, 0, 0,
	 24, {2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0},
	 {54, 1, 9, 6, 65535, 1460, {2, 1, 3, 1, 1, 8, 4, 0, 1}, 0}},
	{"masscan", false, 243, 0, 0, 0x7777, 0, 1024, 0, 77, 0, 0, 0, {0},
	 {243, 0, 0, 255, 1024, 0, {0}, 0}},
	{"no DF and no id", false, 64, 0, 0, 0, 0, 512, 0, 0, 5, 0, 0, {0},
	 {64, 0, 0, 255, 512, 0, {0}, SYN_ID | SYN_SEQ0 | SYN_ACK}},
	{"the reserved bit, an urgent pointer, data", false, 64, 0, TCP_PSH, 1, 0x8000, 512, 9, 77, 0, 3, 0, {0},
	 {64, 0, 0, 255, 512, 0, {0}, SYN_ZERO | SYN_URGENT | SYN_PUSH | SYN_DATA}},
	{"URG", false, 64, 0, TCP_URG, 1, 0, 512, 9, 77, 0, 0, 0, {0}, {64, 0, 0, 255, 512, 0, {0}, SYN_URG}},
	{"no time, the other's time, a scale too large", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 16, {8, 10, 0, 0, 0, 0, 1, 0, 0, 0, 3, 3, 15, 0, 0, 7},
	 {64, 1, 4, 15, 1, 0, {8, 3, 0, 2}, SYN_ID | SYN_TS0 | SYN_TS2 | SYN_WSCALE | SYN_EOL}},
	{"an MSS of the wrong length", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 4, {2, 3, 5, 1}, {64, 1, 1, 255, 1, 0, {2}, SYN_ID | SYN_BAD}},
	{"an option that goes on behind the end", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 4, {1, 99, 4, 0}, {64, 1, 2, 255, 1, 0, {1, 99}, SYN_ID | SYN_BAD}},
	{"an unknown option", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 4, {1, 99, 3, 0}, {64, 1, 2, 255, 1, 0, {1, 99}, SYN_ID}},
	{"an option of no length", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 4, {99, 0, 1, 1}, {64, 1, 1, 255, 1, 0, {99}, SYN_ID | SYN_BAD}},
	{"a kind and nothing more", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 4, {1, 1, 1, 99}, {64, 1, 4, 255, 1, 0, {1, 1, 1, 99}, SYN_ID | SYN_BAD}},
	{"more than there is room for", false, 64, 0, 0, 1, 0x4000, 1, 0, 77, 0, 0,
	 20, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
	 {64, 1, 16, 255, 1, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, SYN_ID | SYN_MANY}},
};
/* clang-format on */

static void make(struct world *w, const struct greeting *g)
{
	uint8_t body[OPTIONS_MOST + 8] = {0};
	struct spec s = {.port = OUTSIDE,
			 .src = g->v6 ? "2001:db8:80::80" : "192.0.2.80",
			 .dst = g->v6 ? "2001:db8:113::11" : "203.0.113.11",
			 .sport = 40000,
			 .dport = 22,
			 .seq = g->seq,
			 .ack = g->ack,
			 .ttl = g->ttl,
			 .flags = (uint8_t)(TCP_SYN | g->flags),
			 .payload = g->n + g->data,
			 .body = body};

	memcpy(body, g->options, g->n);
	world_make(w, &s);
	struct layers l;

	packet_decode(&w->f, &l);
	uint8_t *ip = w->f.data + l.l3, *tcp = w->f.data + l.l4;

	if (g->v6) {
		ip[0] = (uint8_t)(ip[0] | g->tos >> 4);
		ip[1] = (uint8_t)(g->tos << 4);
		store_be16(ip + 2, g->id);
	} else {
		ip[1] = g->tos;
		store_be16(ip + 4, g->id);
		store_be16(ip + 6, g->bits);
	}
	tcp[12] = (uint8_t)((20 + g->n) / 4 << 4);
	tcp[13] = (uint8_t)(TCP_SYN | g->flags);
	store_be16(tcp + 14, g->window);
	store_be16(tcp + 18, g->urgent);
	packet_decode(&w->f, &l);
	packet_finish_tcp(&w->f, &l, g->data, false, 0);
}

static void each_greeting(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		const struct greeting *g = &greetings[i];
		struct world *w = world_new();

		make(w, g);
		(void)world_judge(w);
		const struct event *e = world_event(w, EVENT_CONNECTION);

		if (e == NULL)
			fail_msg("%s: no event", g->what);
		const struct event_syn *syn = &e->u.connection.syn;

		if (memcmp(syn, &g->is, sizeof(*syn)) != 0)
			fail_msg(
				"%s: ttl %u df %u window %u mss %u scale %u %u options, quirks %#x",
				g->what, syn->ttl, syn->df, syn->window, syn->mss, syn->wscale,
				syn->n_options, syn->quirks);
		assert_true(event_valid(e));
		world_free(w);
	}
}

/* With IPv4's options nothing comes in; destination options of IPv6 are a mark, whatever is in them. */
static void extension_headers(void **state)
{
	static const uint8_t header[8] = {6, 0, 1, 4}; /* TCP follows; padding */
	struct world *w = world_new();
	const struct greeting g = {.v6 = true, .ttl = 64, .window = 512, .seq = 7};

	make(w, &g);
	uint8_t *ip = w->f.data + ETH_HLEN;

	memmove(ip + 48, ip + 40, w->f.len - ETH_HLEN - 40);
	memcpy(ip + 40, header, sizeof(header));
	ip[6] = 60;
	w->f.len += 8;
	store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + 8));
	assert_int_equal(world_judge(w), REASON_NONE);
	const struct event *e = world_event(w, EVENT_CONNECTION);

	assert_non_null(e);
	assert_int_equal(e->u.connection.syn.quirks, SYN_IP_OPTIONS);
	assert_int_equal(e->u.connection.syn.window, 512);
	world_free(w);
}

/* Refused ones greet as well; guests and other protocols don't. */
static void who_greets(void **state)
{
	struct world *w = world_new();
	const struct spec closed = {.port = OUTSIDE,
				    .src = "192.0.2.80",
				    .dst = "203.0.113.99",
				    .sport = 1,
				    .dport = 2,
				    .flags = TCP_SYN};
	const struct spec udp = {.port = OUTSIDE,
				 .src = "192.0.2.80",
				 .dst = "203.0.113.11",
				 .proto = 17,
				 .sport = 1,
				 .dport = 2};
	const struct spec out = {.port = DB1,
				 .src = "10.99.0.11",
				 .dst = "192.0.2.80",
				 .sport = 1,
				 .dport = 2,
				 .flags = TCP_SYN};

	assert_int_not_equal(world_send(w, &closed), REASON_NONE);
	if (world_event(w, EVENT_CONNECTION) != NULL)
		assert_int_equal(world_event(w, EVENT_CONNECTION)->u.connection.syn.ttl, 64);
	world_forget_events(w);
	assert_int_equal(world_send(w, &udp), REASON_NONE);
	assert_int_equal(world_event(w, EVENT_CONNECTION)->u.connection.syn.ttl, 0);
	world_forget_events(w);
	assert_int_equal(world_send(w, &out), REASON_NONE);
	assert_int_equal(world_event(w, EVENT_CONNECTION)->direction, DIR_OUTBOUND);
	assert_int_equal(world_event(w, EVENT_CONNECTION)->u.connection.syn.ttl, 0);
	world_free(w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_greeting),
		cmocka_unit_test(extension_headers),
		cmocka_unit_test(who_greets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
