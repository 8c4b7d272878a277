/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any configuration, any inputs, any state: what is sent is sound, numbers grow, nothing is written past its end.
 *
 * Input: six bytes of configuration, then steps: a byte says what (an input, time, a restart with some bytes of
 * the saved state changed), the next ones how.
 */
#include "alert/alert.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 64
#define SLOT_BYTES 8192
#define STEPS 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct saved {
	uint64_t slot;
	size_t size;
	uint8_t data[SLOT_BYTES];
};
struct run {
	struct conf_alerts conf;
	struct arena arena;
	struct alert *alert;
	uint64_t number, now_us;
	struct saved saved[SLOTS];
	uint32_t n_saved;
	bool hostile; /* the state was not ours: numbers may be anything */
};

static void must(bool fact)
{
	if (!fact)
		abort();
}

static bool ended(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

static void on_send(void *ctx, const struct alert_message *m)
{
	struct run *r = ctx;
	must(m->number > r->number || r->hostile);
	r->number = m->number;
	must(m->destination < r->conf.n_to && m->kind < ALERT_KINDS && m->class <= ALERT_CLASSES);
	must(m->n_counts <= ALERT_COUNTS && m->n_commands <= ALERT_COMMANDS && m->weight <= 9);
	for (uint32_t i = 0; i < m->n_counts; i++)
		must(m->counts[i].why < ALERT_WHYS && m->counts[i].class <= ALERT_CLASSES);
	for (uint32_t i = 0; i < m->n_commands; i++)
		must(ended(m->commands[i], ALERT_COMMAND));
	must(ended(m->what.text, EVENT_TEXT) && ended(m->what.what, ALERT_WHAT) &&
	     ended(m->what.guest, EVENT_NAME) && ended(m->what.state, EVENT_NAME));
}

static void on_held(void *ctx, const struct alert_held *h)
{
	struct run *r = ctx;
	must(h->destination < r->conf.n_to && h->why < ALERT_WHYS && h->n > 0);
	must(h->class <= ALERT_CLASSES);
}

static void on_place(void *ctx, const struct addr *a, uint32_t *ret_as, char ret_country[4])
{
	(void)ctx;
	*ret_as = a->b[3];
	memcpy(ret_country, "DE\0", 4);
}

static int32_t on_local(void *ctx, int64_t wall_ns)
{
	(void)ctx;
	return wall_ns / (86400 * NS_PER_SEC) % 2 != 0 ? 3600 : 7200;
}

static void configure(struct conf_alerts *c, struct reader *in)
{
	static const char *const hours[] = {"", "07:00-23:00", "23:00-07:00", "nonsense"};
	static const char *const untils[] = {"", "2026-11-03", "2026-11-03 18:00", "2026-99-99"};
	uint8_t a = read_u8(in), b = read_u8(in), d = read_u8(in), q = read_u8(in);
	c->on = c->incidents = 1;
	c->quiet_own = a & 1;
	text_copy(c->digest, sizeof(c->digest), (a & 2) != 0 ? "07:00" : (a & 4) != 0 ? "xx" : "");
	c->new_source_ns = (int64_t)d * 3600 * NS_PER_SEC;
	c->n_to = 1 + b % 3;
	for (uint32_t i = 0; i < c->n_to; i++) {
		struct conf_destination *t = &c->to[i];
		t->name[0] = (char)('a' + i);
		t->digest = (uint8_t)(b >> 2 & 1);
		t->weight = (uint8_t)(i * 3);
		t->watch = (uint8_t)(b >> 3 & 1);
		text_copy(t->hours, sizeof(t->hours), hours[b >> 4 & 3]);
		t->throttle = (struct conf_throttle){(int64_t)read_u8(in) * NS_PER_SEC, b >> 6,
						     d >> 4, d >> 5};
	}
	c->n_quiet = q & 1;
	c->quiet[0].proto = (uint8_t)((q & 2) != 0 ? CONF_OTHER : 0);
	c->quiet[0].n_countries = q >> 2 & 1;
	text_copy(c->quiet[0].countries[0], 4, "DE");
	text_copy(c->quiet[0].until, sizeof(c->quiet[0].until), untils[q >> 3 & 3]);
	text_copy(c->quiet[0].hours, sizeof(c->quiet[0].hours), hours[q >> 5 & 3]);
	c->n_classes = 1;
	c->classes[0] = (struct conf_alert_class_row){
		.class = q % ALERT_CLASSES, .weight = 255, .bypass = 255};
	c->classes[0].throttle = (struct conf_throttle){-1, UINT32_MAX, q, UINT32_MAX};
}

static void make(struct run *r)
{
	const struct alert_out out = {on_send, on_held, on_place, on_local, r};
	must(arena_create(alert_bytes(), &r->arena) == 0);
	must(alert_create(&r->arena, &r->conf, &out, &r->alert) == 0);
}

static void step_input(struct run *r, struct reader *in)
{
	static const char *const states[] = {"open", "quiet"};
	struct alert_input x;
	uint8_t a = read_u8(in), b = read_u8(in), c = read_u8(in);
	memset(&x, 0, sizeof(x));
	x.id = r->now_us += 1 + c;
	x.time_ns = (int64_t)x.id * 1000;
	x.class = a % (ALERT_CLASSES + 1);
	x.kind = (uint8_t)(x.class == ALERT_INBOUND || x.class == ALERT_OUTBOUND ? EVENT_CONNECTION
			   : x.class < ALERT_CLASSES                             ? EVENT_LOGIN
			   : (b & 1) != 0                                        ? EVENT_INCIDENT
										 : EVENT_COMMAND);
	x.incident = b >> 4;
	x.direction = b & 3;
	x.verdict = a >> 4 & 1;
	x.proto = (uint8_t)((c & 1) != 0 ? 6 : 17);
	x.port = c;
	uint8_t ip[16] = {192, 0, 2, (uint8_t)(c >> 4)};
	x.source = (c & 8) != 0 ? addr_from_v6(ip) : addr_from_v4(ip);
	text_copy(x.guest, sizeof(x.guest), (a & 32) != 0 ? "web1" : "db1");
	text_copy(x.state, sizeof(x.state), states[b >> 1 & 1]);
	memset(x.text, 'a' + c % 26, c);
	alert_event(r->alert, &x);
}

static void on_save(void *ctx, uint64_t slot, const void *data, size_t size)
{
	struct run *r = ctx;
	uint32_t i = 0;
	while (i < r->n_saved && r->saved[i].slot != slot)
		i++;
	if (size > SLOT_BYTES || i == SLOTS)
		return;
	r->n_saved += i == r->n_saved;
	r->saved[i].slot = slot;
	r->saved[i].size = size;
	if (size > 0)
		memcpy(r->saved[i].data, data, size);
}

static void step_restart(struct run *r, struct reader *in)
{
	alert_save(r->alert, on_save, r);
	arena_destroy(&r->arena);
	make(r);
	for (uint8_t n = read_u8(in) % 16; n > 0 && r->n_saved > 0; n--) {
		struct saved *s = &r->saved[read_u8(in) % r->n_saved];
		uint16_t at = read_be16(in);
		uint8_t value = read_u8(in);
		if (s->size > 0)
			s->data[at % s->size] = value;
		r->hostile = true;
	}
	for (uint32_t i = 0; i < r->n_saved; i++)
		if (r->saved[i].size > 0 &&
		    alert_load(r->alert, r->saved[i].slot, r->saved[i].data, r->saved[i].size) != 0)
			must(r->hostile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;
	struct run *r = &run;
	struct reader in = reader_of(data, size);
	memset(r, 0, sizeof(*r));
	configure(&r->conf, &in);
	r->now_us = UINT64_C(1793520000000000);
	make(r);
	for (unsigned i = 0; i < STEPS && reader_left(&in) > 0; i++) {
		uint8_t what = read_u8(&in) % 8;
		if (what < 5) {
			step_input(r, &in);
		} else if (what < 7) {
			uint64_t minutes = read_u8(&in);
			r->now_us += minutes * minutes * 6000000;
			alert_tick(r->alert, (int64_t)r->now_us * 1000);
			must(r->hostile || alert_next_ns(r->alert) > (int64_t)r->now_us * 1000);
		} else {
			step_restart(r, &in);
		}
	}
	arena_destroy(&r->arena);
	return 0;
}
