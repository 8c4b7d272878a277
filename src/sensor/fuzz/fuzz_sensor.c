/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a monitor's stream: in pieces and at once they give the same records and counts, every byte is
 * in a record, in the junk or still waiting, and texts lie within the buffer.
 *
 * Input: a byte for the size of pieces, then the stream.
 */
#include "sensor/sensor.h"

#include <stdlib.h>
#include <string.h>

struct run {
	struct sensor_parser p;
	uint64_t sum, bytes; /* of all records */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void look(struct run *run, const struct sensor_record *r)
{
	const uint64_t key[2] = {run->sum, 1};
	const uint8_t *from = run->p.buf, *to = run->p.buf + run->p.at;

	must(r->type > 0 && r->type < SENSOR_TYPES && r->n_texts <= SENSOR_TEXTS);
	run->sum = hash_keyed(key, &r->u, sizeof(r->u)) + r->type + r->seq + r->boot_ns;
	for (uint32_t i = 0; i < r->n_texts; i++) {
		const struct sensor_text *t = &r->texts[i];
		const uint64_t again[2] = {run->sum, i};

		must(t->data >= from && t->data + t->len <= to);
		run->sum = hash_keyed(again, t->data, t->len);
	}
	if (r->type == SENSOR_EXEC)
		must(memchr(r->u.exec.p.comm, 0, SENSOR_COMM) != NULL);
}

static void drain(struct run *run)
{
	struct sensor_record r;
	uint32_t before = run->p.at;
	uint64_t junk = run->p.junk_bytes;

	while (sensor_next(&run->p, &r))
		look(run, &r);
	run->bytes += run->p.at - before - (run->p.junk_bytes - junk);
}

static void stream(struct run *run, const uint8_t *data, size_t size, size_t piece)
{
	while (size) {
		size_t room, n = size < piece ? size : piece;
		void *at = sensor_room(&run->p, &room);

		must(room > 0);
		n = n < room ? n : room;
		memcpy(at, data, n);
		sensor_filled(&run->p, n);
		data += n;
		size -= n;
		drain(run);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *a, *b;

	if (size < 1 || size > 1u << 18)
		return 0;
	a = calloc(1, sizeof(*a));
	b = calloc(1, sizeof(*b));
	must(a && b);
	stream(a, data + 1, size - 1, SENSOR_BUFFER);
	stream(b, data + 1, size - 1, data[0] % 61u + 1u);
	must(a->sum == b->sum && a->p.records == b->p.records && a->p.gaps == b->p.gaps);
	must(a->p.junk_bytes == b->p.junk_bytes && a->p.malformed == b->p.malformed);
	must(a->bytes + a->p.junk_bytes + (a->p.len - a->p.at) == size - 1);
	free(a);
	free(b);
	return 0;
}
