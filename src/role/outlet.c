/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings of events, one for each lane; what is acknowledged leaves from their heads. */
#include "role/outlet.h"
#include "role/role.h"

#include <errno.h>

uint64_t outlet_pace(uint64_t passed)
{
	return passed / 16 * 15 + passed % 16 * 15 / 16;
}

uint64_t outlet_id(uint64_t last, uint64_t wall_us, uint64_t passed_us)
{
	uint64_t least = last == 0 ? 1 : last + 1 + outlet_pace(passed_us);
	return wall_us > least ? wall_us : least;
}

size_t outlet_bytes(uint32_t routine, uint32_t notable)
{
	return ((size_t)routine + notable + OUTLET_ESCAPES) * sizeof(struct event) + 1024;
}

int outlet_create(struct arena *arena, int fd, bool acks, uint32_t routine, uint32_t notable,
		  struct outlet *ret)
{
	const uint32_t sizes[OUTLET_LANES] = {routine, notable, OUTLET_ESCAPES};
	struct outlet o = {.fd = fd, .acks = acks, .says_again = acks};
	if (notable <= OUTLET_URGENT)
		return SKEP_ERANGE;
	for (int i = 0; i < OUTLET_LANES; i++) {
		o.lanes[i].size = sizes[i];
		o.lanes[i].slots = arena_alloc(arena, sizes[i], sizeof(struct event));
		if (o.lanes[i].slots == NULL)
			return SKEP_EFULL;
	}
	*ret = o;
	return 0;
}

static enum outlet_lane lane_of(const struct event *e)
{
	if (e->kind == EVENT_ESCAPE)
		return OUTLET_ESCAPE;
	return e->priority == 0 ? OUTLET_ROUTINE : OUTLET_NOTABLE;
}

void outlet_push(struct outlet *o, const struct event *e)
{
	enum outlet_lane lane = lane_of(e);
	uint32_t n = o->lanes[lane].n, size = o->lanes[lane].size;
	uint32_t room = lane == OUTLET_NOTABLE && e->priority < 2 ? OUTLET_URGENT : 0;
	if (n + room >= size) {
		o->lost++;
		return;
	}
	o->lanes[lane].slots[(o->lanes[lane].head + n) % size] = *e;
	o->lanes[lane].n++;
}

/* The oldest that was not sent; NULL: all were. */
static const struct event *first_of(const struct outlet *o, int lane)
{
	uint32_t sent = o->lanes[lane].sent;
	if (sent == o->lanes[lane].n)
		return NULL;
	return &o->lanes[lane].slots[(o->lanes[lane].head + sent) % o->lanes[lane].size];
}

/* The lane whose turn it is, so that ids go out in order; -1: none. */
static int next_lane(const struct outlet *o)
{
	const struct event *best = NULL;
	int ret = -1;
	for (int i = 0; i < OUTLET_LANES; i++) {
		const struct event *e = first_of(o, i);
		if (e == NULL || (best != NULL && best->id < e->id))
			continue;
		best = e;
		ret = i;
	}
	return ret;
}

static void pop(struct outlet *o, int lane)
{
	o->lanes[lane].head = (o->lanes[lane].head + 1) % o->lanes[lane].size;
	o->lanes[lane].n--;
	if (o->lanes[lane].sent > 0)
		o->lanes[lane].sent--;
}

/* False: the channel is full. */
static bool say_again(struct outlet *o)
{
	const struct msg_seen m = {.again = 1};
	if (!o->says_again)
		return true;
	int err = ipc_send(o->fd, MSG_SEEN, &m, sizeof(m), NULL, 0);
	o->says_again = err == -EAGAIN || err == -ENOBUFS;
	return !o->says_again;
}

void outlet_send(struct outlet *o)
{
	int lane;
	if (!say_again(o))
		return;
	while ((lane = next_lane(o)) >= 0) {
		int err = ipc_send(o->fd, MSG_EVENT, first_of(o, lane), sizeof(struct event), NULL,
				   0);
		if (err == -EAGAIN || err == -ENOBUFS)
			return;
		if (err != 0)
			o->lost++;
		o->lanes[lane].sent++;
		if (!o->acks)
			pop(o, lane);
	}
}

void outlet_seen(struct outlet *o, uint64_t id, bool again)
{
	for (int i = 0; i < OUTLET_LANES; i++) {
		/* A new consumer may know events that it never acknowledged, even such that are to go out again. */
		while (o->lanes[i].n > 0 && (again || o->lanes[i].sent > 0) &&
		       o->lanes[i].slots[o->lanes[i].head].id <= id)
			pop(o, i);
		if (again)
			o->lanes[i].sent = 0;
	}
	o->says_again |= again;
}

bool outlet_waiting(const struct outlet *o)
{
	return o->says_again || next_lane(o) >= 0;
}

uint32_t outlet_load(const struct outlet *o)
{
	return o->lanes[OUTLET_NOTABLE].n * 100u / o->lanes[OUTLET_NOTABLE].size;
}
