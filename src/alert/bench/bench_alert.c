/* SPDX-License-Identifier: BSD-2-Clause */
/* A million inputs: a scan by many sources, rule hits and logins among them, eight destinations. */
#include "alert/test/play.h"

#include <stdio.h>
#include <string.h>

#define EVENTS 1000000u
#define BATCH 1000u

struct sums {
	uint64_t sent, held, slots;
};

static void on_send(struct play *p, const struct alert_message *m)
{
	(void)m;
	((struct sums *)p->ctx)->sent++;
}

static void on_held(struct play *p, const struct alert_held *h)
{
	((struct sums *)p->ctx)->held += h->n;
}

static void on_slot(void *ctx, uint64_t slot, const void *data, size_t size)
{
	(void)slot;
	(void)data;
	(void)size;
	((struct sums *)ctx)->slots++;
}

static void one(struct play *p, uint32_t i)
{
	char from[32];
	snprintf(from, sizeof(from), "198.%u.%u.%u", 18 + i % 2, i / 7 % 256, i / 1792 % 256);
	if (i % 50 == 0)
		play_rule(p, "web1", from, 1 + i % 3, i % 10);
	else if (i % 500 == 1)
		play_login(p, "web1", from, "root");
	else
		play_inbound(p, "web1", from, (uint16_t)i, false);
	play_wait(p, 59000); /* a minute in all */
}

int main(void)
{
	static struct play p;
	struct sums sums = {0};
	play_conf(&p.conf);
	for (uint32_t i = 2; i < CONF_DESTINATIONS; i++) {
		p.conf.to[i] = p.conf.to[0];
		p.conf.to[i].name[0] = (char)('a' + i);
	}
	p.conf.n_to = CONF_DESTINATIONS;
	p.send = on_send;
	p.held = on_held;
	p.ctx = &sums;
	play_open(&p);
	int64_t begin = clock_boot_ns();
	for (uint32_t i = 0; i < EVENTS; i++) {
		one(&p, i);
		if (i % BATCH == BATCH - 1)
			alert_save(p.alert, on_slot, &sums);
	}
	int64_t took = clock_boot_ns() - begin;
	printf("%u events to %d destinations in %.2f s (%.0f a second): %llu messages, %llu held "
	       "back, %llu slots "
	       "saved; engine: %.1f MB\n",
	       EVENTS, CONF_DESTINATIONS, (double)took / 1e9, EVENTS / ((double)took / 1e9),
	       (unsigned long long)sums.sent, (unsigned long long)sums.held,
	       (unsigned long long)sums.slots, (double)alert_bytes() / 1e6);
	play_close(&p);
	return took < 60 * NS_PER_SEC ? 0 : 1;
}
