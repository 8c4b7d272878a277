/* SPDX-License-Identifier: BSD-2-Clause */
/* What io.bpf.c heard, on its way: a program that writes letter by letter makes one record, not thousands. */
#include "monitor/monitor.h"

#include <stdlib.h>
#include <string.h>

#define TOGETHER_NS (20 * (uint64_t)NS_PER_MS)
#define MOST 4096u

struct monitor_data { /* what waits for more of its kind; len 0: nothing */
	uint64_t boot_ns;
	uint16_t len;
	struct {
		struct sensor_data d;
		uint16_t len;
		uint8_t bytes[MOST];
	} __attribute__((packed)) r;
};

void data_flush(struct monitor *m)
{
	struct monitor_data *w = m->data;

	if (!w || w->len == 0)
		return;
	w->r.len = w->len;
	w->len = 0;
	(void)ship_put(&m->ship, SENSOR_DATA, w->boot_ns, &w->r, sizeof(w->r) - MOST + w->r.len);
}

/* May d, which comes right behind, be told as one with what waits? */
static bool together(const struct monitor_data *w, const struct sensor_data *d, uint64_t boot_ns)
{
	const struct sensor_data *had = &w->r.d;

	return d->skipped == 0 && d->stream == had->stream && d->echo == had->echo &&
	       d->p.visit == had->p.visit && d->p.tty == had->p.tty && d->p.pid == had->p.pid &&
	       boot_ns - w->boot_ns < TOGETHER_NS;
}

void data_take(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len)
{
	struct sensor_data d;
	uint16_t n;

	if (len < sizeof(d) + sizeof(n))
		return;
	memcpy(&d, payload, sizeof(d));
	memcpy(&n, payload + sizeof(d), sizeof(n));
	if (n > MOST || n != len - sizeof(d) - sizeof(n))
		return;
	if (!m->data)
		m->data = calloc(1, sizeof(*m->data));
	struct monitor_data *w = m->data;

	if (w && n == 0) /* the end of a stream of which something was left out */
		data_flush(m);
	if (!w || n == 0) {
		(void)ship_put(&m->ship, h->type, h->boot_ns, payload, len);
		return;
	}
	if (w->len > 0 && (n > MOST - w->len || !together(w, &d, h->boot_ns)))
		data_flush(m);
	if (w->len == 0) {
		w->boot_ns = h->boot_ns;
		w->r.d = d;
	}
	memcpy(w->r.bytes + w->len, payload + sizeof(d) + sizeof(n), n);
	w->len = (uint16_t)(w->len + n);
}
