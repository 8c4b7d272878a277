/* SPDX-License-Identifier: BSD-2-Clause */
/* One outlet with a real channel; this test is the consumer that is slow, dead, back again. */
#include "role/outlet.h"
#include "role/role.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUTINE 512u
#define NOTABLE 300u /* 44 for priority 1 */

struct rig {
	struct arena arena;
	struct outlet o;
	int pair[2];
	uint64_t next_id;
	unsigned again; /* how often "from here on it is all" was heard */
};

static void make(struct rig *r, bool acks)
{
	memset(r, 0, sizeof(*r));
	assert_int_equal(ipc_pair(256 << 10, r->pair), 0);
	assert_int_equal(arena_create(outlet_bytes(ROUTINE, NOTABLE), &r->arena), 0);
	assert_int_equal(outlet_create(&r->arena, r->pair[0], acks, ROUTINE, NOTABLE, &r->o), 0);
}

static void unmake(struct rig *r)
{
	fd_close(&r->pair[0]);
	fd_close(&r->pair[1]);
	arena_destroy(&r->arena);
}

static uint64_t push(struct rig *r, enum event_kind kind, uint8_t priority)
{
	struct event e = event_new(kind);
	e.id = ++r->next_id;
	e.priority = priority;
	outlet_push(&r->o, &e);
	return e.id;
}

/* The next event's id and kind; 0: none is there. */
static uint64_t take(struct rig *r, uint16_t *ret_kind)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct ipc_msg m;
	struct event e;
	int err = ipc_recv(r->pair[1], &role_messages, ROLE_BIT(ROLE_HUB), ROLE_BIT(ROLE_ALERTER),
			   buf, sizeof(buf), &m);
	if (err == -EAGAIN)
		return 0;
	assert_int_equal(err, 0);
	ipc_msg_done(&m);
	if (m.type == MSG_SEEN) {
		r->again++;
		return take(r, ret_kind);
	}
	memcpy(&e, m.payload, sizeof(e));
	if (ret_kind != NULL)
		*ret_kind = e.kind;
	return e.id;
}

/* Sends and takes until nothing is left; each id must be greater than the one before. */
static unsigned take_all(struct rig *r, uint64_t after, uint64_t *ret_last)
{
	unsigned n = 0;
	do {
		uint64_t id;
		outlet_send(&r->o);
		while ((id = take(r, NULL)) != 0) {
			assert_true(id > after);
			after = id;
			n++;
		}
	} while (outlet_waiting(&r->o));
	if (ret_last != NULL)
		*ret_last = after;
	return n;
}

static void ids_go_out_in_order_whatever_the_lane(void **state)
{
	struct rig r;
	uint64_t last;
	(void)state;
	make(&r, false);
	push(&r, EVENT_HEALTH, 2);
	push(&r, EVENT_CONNECTION, 0);
	push(&r, EVENT_ESCAPE, 2);
	push(&r, EVENT_CONNECTION, 0);
	push(&r, EVENT_ESCAPE, 0);
	push(&r, EVENT_LOGIN, 1);
	assert_int_equal(take_all(&r, 0, &last), 6);
	assert_int_equal(last, 6);
	assert_false(outlet_waiting(&r.o));
	assert_int_equal(r.o.lost, 0);
	unmake(&r);
}

static void a_flood_pushes_out_only_its_own_kind(void **state)
{
	struct rig r;
	uint64_t last;
	(void)state;
	make(&r, true);
	for (unsigned i = 0; i < 100000; i++)
		push(&r, EVENT_CONNECTION, 0);
	assert_int_equal(r.o.lost, 100000 - ROUTINE);
	for (unsigned i = 0; i < 1000; i++)
		push(&r, EVENT_ALERT, 1);
	assert_int_equal(r.o.lost, 100000 - ROUTINE + 1000 - (NOTABLE - OUTLET_URGENT));
	for (unsigned i = 0; i < 1000; i++)
		push(&r, EVENT_SILENCE, 2);
	uint64_t lost = r.o.lost;
	assert_int_equal(lost, 100000 - ROUTINE + 1000 - (NOTABLE - OUTLET_URGENT) + 1000 -
				       OUTLET_URGENT);
	uint64_t escape = push(&r, EVENT_ESCAPE, 2);
	assert_int_equal(r.o.lost, lost);
	assert_int_equal(outlet_load(&r.o), 100);
	assert_int_equal(take_all(&r, 0, &last), ROUTINE + NOTABLE + 1);
	assert_int_equal(last, escape);
	unmake(&r);
}

static void what_is_not_acknowledged_goes_out_again(void **state)
{
	struct rig r;
	(void)state;
	make(&r, true);
	for (unsigned i = 0; i < 20; i++)
		push(&r, i % 3 == 0 ? EVENT_ALERT : EVENT_CONNECTION, i % 3 == 0);
	assert_int_equal(take_all(&r, 0, NULL), 20);
	outlet_seen(&r.o, 12, false);
	assert_int_equal(take_all(&r, 20, NULL), 0);
	/* It had dealt with 15 when it died. */
	outlet_seen(&r.o, 15, true);
	assert_true(outlet_waiting(&r.o));
	uint64_t id = push(&r, EVENT_ESCAPE, 2);
	assert_int_equal(take_all(&r, 15, NULL), 6);
	outlet_seen(&r.o, id, false);
	outlet_seen(&r.o, id, true);
	assert_int_equal(take_all(&r, id, NULL), 0);
	assert_int_equal(r.o.lost, 0);
	unmake(&r);
}

/* What lies in the channel has a gap: what the dead one took. The successor waits for the word that it has none. */
static void a_consumer_that_dies_amid_a_flood_misses_nothing(void **state)
{
	struct rig r;
	uint64_t id, dealt = 4;
	(void)state;
	make(&r, true);
	for (unsigned i = 0; i < ROUTINE; i++)
		push(&r, EVENT_CONNECTION, 0);
	outlet_send(&r.o);
	assert_true(outlet_waiting(&r.o)); /* more than the channel holds */
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(take(&r, NULL), i + 1);
	assert_int_equal(r.again, 1); /* a new hub says it */
	/* Ten were taken, four dealt with; it dies and comes back. */
	outlet_seen(&r.o, dealt, true);
	do {
		outlet_send(&r.o);
		while ((id = take(&r, NULL)) != 0) {
			if (r.again < 2 || id <= dealt)
				continue;
			assert_int_equal(id, dealt + 1);
			dealt = id;
		}
	} while (outlet_waiting(&r.o));
	assert_int_equal(dealt, ROUTINE);
	assert_int_equal(r.again, 2);
	unmake(&r);
}

static void senseless_acknowledgements_do_no_harm(void **state)
{
	struct rig r;
	(void)state;
	make(&r, true);
	push(&r, EVENT_LOGIN, 1);
	outlet_seen(&r.o, UINT64_MAX, false); /* it was not even sent */
	assert_int_equal(take_all(&r, 0, NULL), 1);
	outlet_seen(&r.o, 0, false);
	outlet_seen(&r.o, UINT64_MAX, true);
	outlet_seen(&r.o, 0, true);
	assert_int_equal(take_all(&r, 0, NULL), 0);
	assert_int_equal(r.again, 2);
	for (unsigned i = 0; i < 3 * ROUTINE; i++) {
		uint64_t id = push(&r, EVENT_CONNECTION, 0);
		assert_int_equal(take_all(&r, id - 1, NULL), 1);
		outlet_seen(&r.o, id, false);
	}
	assert_int_equal(r.o.lost, 0);
	unmake(&r);
}

static void a_channel_that_is_gone_costs_what_was_for_it(void **state)
{
	struct rig r;
	(void)state;
	make(&r, false);
	fd_close(&r.pair[1]);
	push(&r, EVENT_LOGIN, 1);
	outlet_send(&r.o);
	assert_false(outlet_waiting(&r.o));
	assert_int_equal(r.o.lost, 1);
	unmake(&r);
}

/* The clock was a day ahead, and is set right: ids neither stand still nor go back, and it catches up. */
static void ids_go_on(void **state)
{
	const uint64_t day = UINT64_C(86400) * 1000000;
	uint64_t wall = 10 * day, id = outlet_id(0, wall, 0);
	(void)state;
	assert_int_equal(id, wall);
	for (uint64_t passed = 1; passed < 100; passed++) { /* a right clock gives the time */
		wall += passed;
		id = outlet_id(id, wall, passed);
		assert_int_equal(id, wall);
	}
	assert_int_equal(outlet_id(id, wall, 0), id + 1);
	wall -= day;
	uint64_t ahead = id;
	for (uint64_t s = 0; s < 3600; s++) {
		wall += 1000000;
		id = outlet_id(id, wall, 1000000);
	}
	assert_in_range(id - ahead, 3300 * UINT64_C(1000000), 3599 * UINT64_C(1000000));
	wall += 17 * day;
	id = outlet_id(id, wall, 17 * day);
	assert_int_equal(id, wall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_go_on),
		cmocka_unit_test(ids_go_out_in_order_whatever_the_lane),
		cmocka_unit_test(a_flood_pushes_out_only_its_own_kind),
		cmocka_unit_test(what_is_not_acknowledged_goes_out_again),
		cmocka_unit_test(a_consumer_that_dies_amid_a_flood_misses_nothing),
		cmocka_unit_test(senseless_acknowledgements_do_no_harm),
		cmocka_unit_test(a_channel_that_is_gone_costs_what_was_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
