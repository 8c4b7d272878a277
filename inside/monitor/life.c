/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of life.bpf.c's records on their way: daemons' habits are told once in a while. */
#include "monitor/monitor.h"

#include <stdlib.h>
#include <string.h>

#define QUIET_HABITS 64
#define QUIET_PIDS 64
#define QUIET_OFTEN 4 /* so often one may do the same before it counts as a habit */
#define QUIET_NS (600 * (uint64_t)NS_PER_SEC)

struct monitor_quiet {
	struct {
		uint64_t hash, since_ns;
		uint32_t n;
	} habits[QUIET_HABITS];
	uint32_t pids[QUIET_PIDS]; /* whose beginning was not told, nor is their end */
};

static uint64_t hash(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3ull;
	return h;
}

/* The same program with the same words by the same kind of parent, in no visit, over and over. */
static bool habit(struct monitor_quiet *q, uint64_t what, uint64_t now)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < QUIET_HABITS; i++) {
		if (q->habits[i].hash == what) {
			if (now - q->habits[i].since_ns > QUIET_NS) {
				q->habits[i].since_ns = now;
				q->habits[i].n = 0;
			}
			return ++q->habits[i].n > QUIET_OFTEN;
		}
		if (q->habits[i].since_ns < q->habits[oldest].since_ns)
			oldest = i;
	}
	q->habits[oldest].hash = what;
	q->habits[oldest].since_ns = now;
	q->habits[oldest].n = 1;
	return false;
}

void life_exec(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len)
{
	struct sensor_exec e;

	if (len < sizeof(e))
		return;
	memcpy(&e, payload, sizeof(e));
	if (!m->quiet)
		m->quiet = calloc(1, sizeof(*m->quiet));
	if (e.p.visit == 0 && m->quiet) {
		uint64_t what = hash(0xcbf29ce484222325ull, payload + sizeof(e), len - sizeof(e));

		what = hash(what, &e.p.uid, sizeof(e.p.uid));
		if (habit(m->quiet, what, h->boot_ns)) {
			m->quiet->pids[e.p.pid % QUIET_PIDS] = e.p.pid;
			return;
		}
	}
	(void)ship_put(&m->ship, h->type, h->boot_ns, payload, len);
	content_exec(m, &e);
}

void life_exit(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len)
{
	struct sensor_exit e;

	if (len < sizeof(e))
		return;
	memcpy(&e, payload, sizeof(e));
	if (m->quiet && m->quiet->pids[e.p.pid % QUIET_PIDS] == e.p.pid) {
		m->quiet->pids[e.p.pid % QUIET_PIDS] = 0;
		return;
	}
	(void)ship_put(&m->ship, h->type, h->boot_ns, payload, len);
}
