/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any two halves of a conversation: nothing breaks, no memory stays, and what comes out does not depend
 * on how the bytes were cut.
 *
 * Input: options (1: end of both directions, 2: a gap in the answers), size of the pieces, then what
 * the client says, "\n====\n", and what the server says.
 */
#include "proto/proto_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MARK "\n====\n"
#define KEPT (4u << 20)

static void must(bool fact)
{
	if (!fact)
		abort();
}

static uint64_t mix(uint64_t h, const void *data, uint32_t len)
{
	static const uint64_t key[2] = {1, 2};
	return (h << 7 | h >> 57) ^ hash_keyed(key, data, len) ^ len;
}

static uint64_t look(struct app *a)
{
	uint64_t h = 0;
	for (struct app_tx *tx = a->tx_first; tx != NULL; tx = tx->next) {
		for (unsigned b = BUF_HTTP_URI; b <= BUF_FILE_EXT; b++)
			for (unsigned k = 0; k < 12; k++) {
				struct span s;
				bool complete;
				uint64_t base;
				if (app_buffer(a, tx, b, k & 1, k / 2, &s, &base, &complete) != 0)
					continue;
				h = mix(h, s.data, s.len) + b + complete;
			}
		h = mix(h, tx->progress, sizeof(tx->progress));
		h = mix(h, tx->events, sizeof(tx->events));
		json_t *o = json_object();
		if (app_eve(a, tx, 0, o)) {
			char *text = json_dumps(o, JSON_SORT_KEYS);
			must(text != NULL);
			h = mix(h, text, (uint32_t)strlen(text));
			free(text);
		}
		json_decref(o);
	}
	return h;
}

static void say(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, uint32_t cut)
{
	uint32_t done = 0, have = 0;
	while (have < len) {
		have = cut != 0 && cut < len - have ? have + cut : len;
		uint32_t n = app_feed(a, dir, data + done, have - done, 0, 1);
		must(n <= have - done);
		done += n;
	}
	if (done < len) /* the rest is in hand still when the end comes */
		app_feed(a, dir, data + done, len - done, APP_EOF, 1);
}

static uint64_t talk(const uint8_t *const part[2], const uint32_t len[2], unsigned options,
		     uint32_t cut)
{
	struct app_conf conf = {.request_body = KEPT, .response_body = KEPT};
	struct stream_flow flow = {.tcp = true, .port = {40000, 80}};
	struct slab *slab = NULL;
	struct app_ctx *ctx = NULL;
	struct slab_stats stats;
	must(slab_create(24u << 20, &slab) == 0 && app_ctx_create(&conf, slab, &ctx) == 0);
	struct app *a = app_open(ctx, &flow);
	must(a != NULL);
	a->proto = APP_HTTP;
	a->detected[0] = a->detected[1] = true;
	must(app_http.open(a) == 0);
	say(a, TO_SERVER, part[0], len[0], cut);
	uint32_t half = (options & 2) != 0 ? len[1] / 2 : len[1];
	say(a, TO_CLIENT, part[1], half, cut);
	if ((options & 2) != 0) {
		app_feed(a, TO_CLIENT, NULL, 7, APP_GAP, 1);
		say(a, TO_CLIENT, part[1] + half, len[1] - half, cut);
	}
	for (unsigned d = 0; d < 2 && (options & 1) != 0; d++)
		app_feed(a, d, NULL, 0, APP_EOF, 1);
	uint64_t h = look(a);
	app_close(&flow, NULL, NULL);
	slab_read_stats(slab, &stats);
	must(stats.used == 0);
	app_ctx_free(&ctx);
	slab_free_all(&slab);
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 16384)
		return 0;
	unsigned options = data[0];
	uint32_t cut = data[1] % 64 + 1u;
	const uint8_t *mark = memmem(data + 2, size - 2, MARK, strlen(MARK));
	const uint8_t *part[2] = {data + 2, mark != NULL ? mark + strlen(MARK) : data + size};
	uint32_t len[2] = {(uint32_t)((mark != NULL ? mark : data + size) - part[0]),
			   (uint32_t)(data + size - part[1])};
	uint64_t whole = talk(part, len, options, 0);
	uint64_t pieces = talk(part, len, options, cut);
	/* brotli gives what it has when input ends, and nothing before an error inside one input */
	bool brotli = false;
	for (size_t i = 0; i + 1 < size; i++)
		brotli |= (data[i] | 0x20) == 'b' && (data[i + 1] | 0x20) == 'r';
	must(whole == pieces || brotli);
	return 0;
}
