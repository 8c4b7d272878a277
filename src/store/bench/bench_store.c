/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast events are stored, in batches as ledger makes them: connection events of a scan, each with
 * another source, which is the costliest for the indexes. And how long a search takes then. */
#include "base/digest.h"
#include "store/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 500
#define BATCHES 100

static bool on_row(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	(void)id;
	(void)time_ns;
	(void)json;
	++*(unsigned *)ctx;
	return true;
}

static void fill(struct event *e, uint64_t n)
{
	struct event_tuple *t = &e->u.connection.tuple;
	*e = event_new(EVENT_CONNECTION);
	e->id = e->flow_id = (uint64_t)e->time_ns / 1000 + n;
	e->incident = 4711;
	e->direction = DIR_INBOUND;
	event_say(e, "INBOUND TCP from somewhere to the honeypot, forwarded");
	t->proto = 6;
	random_fill(t->src.b, 4);
	t->src.ver = 4;
	t->in_src = t->src;
	t->dst = addr_from_v4("\xcb\x00\x71\x0a");
	t->in_dst = addr_from_v4("\x0a\x63\x00\x0a");
	t->dport = t->in_dport = 22;
	text_copy(t->guest, EVENT_NAME, "web1");
	snprintf(t->community_id, EVENT_NAME, "1:%027llx=", (unsigned long long)n);
	snprintf(t->inside_community_id, EVENT_NAME, "1:%026llxi=", (unsigned long long)n);
}

/* What the seals cost: the same bytes through the digest alone. */
static void print_digest(uint64_t bytes, int64_t added_ns)
{
	static const char piece[65536];
	struct sha256 sha;
	uint8_t sum[32];
	sha256_begin(&sha);
	int64_t start = clock_boot_ns();
	for (uint64_t at = 0; at < bytes; at += sizeof(piece))
		sha256_add(&sha, piece, sizeof(piece));
	sha256_end(&sha, sum);
	int64_t took = clock_boot_ns() - start;
	printf("seal           %8.0f MB/s      %6.2f us/event  (%.2f %% of store_add)\n",
	       (double)bytes * 1e3 / (double)took, (double)took / 1e3 / (BATCH * BATCHES),
	       100.0 * (double)took / (double)added_ns);
}

int main(void)
{
	char dir[] = "/tmp/skep-bench-XXXXXX", command[64];
	struct store *s = NULL;
	struct event *batch = calloc(BATCH, sizeof(*batch));
	unsigned found = 0;
	int err = batch == NULL || mkdtemp(dir) == NULL ? -1 : store_open(dir, "bench", 0, 0, &s);
	int64_t start = clock_boot_ns();
	for (uint64_t i = 0; i < BATCHES && err == 0; i++) {
		for (uint64_t k = 0; k < BATCH; k++)
			fill(&batch[k], i * BATCH + k);
		err = store_add(s, batch, BATCH);
	}
	int64_t added = clock_boot_ns() - start;
	printf("store_add      %8.0f events/s  %6.1f us/event  (batches of %d)\n",
	       BATCH * BATCHES * 1e9 / (double)added, (double)added / 1e3 / (BATCH * BATCHES),
	       BATCH);
	struct event_seal seals[STORE_SEALS];
	if (err == 0 && store_seals(s, start, 0, seals) == 1)
		print_digest(seals[0].bytes, added);
	const struct store_query q = {
		.addr = addr_from_v4("\xcb\x00\x71\x0a"), .newest_first = true, .limit = 50};
	start = clock_boot_ns();
	if (err == 0)
		err = store_search(dir, &q, on_row, &found);
	printf("store_search   %8.1f ms       (%u of %d events, by address)\n",
	       (double)(clock_boot_ns() - start) / 1e6, found, BATCH * BATCHES);
	store_close(&s);
	free(batch);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0 || found != 50)
		err = err != 0 ? err : -1;
	return err == 0 ? 0 : 1;
}
