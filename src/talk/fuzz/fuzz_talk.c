/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any conversation on any port: nothing is told of a session or a file that is not open, and all memory comes back.
 *
 * Input: a byte of settings (who began, IPv6, lateral), a byte that picks the port, then pieces: a byte (bit 0: who;
 * bits 1 and 2: says, loses, a frame as it is, time goes by), a byte of length, so many bytes.
 */
#include "talk/test/wire.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_syslog(void *ctx, uint32_t guest, uint64_t flow_id, const char *data, size_t len,
		      bool cut)
{
	(void)ctx;
	(void)guest;
	(void)flow_id;
	(void)cut;
	if (len > SYSLOG_LINE || memchr(data, 0, len) == data + len)
		abort();
}

static void raw_frame(struct talk *t, const struct wire *w, const void *data, uint32_t len)
{
	const struct copy_head h = {
		.stamp_ns = w->now_ns,
		.flow_id = 11,
		.guest = (uint16_t)(len % 3),
		.peer_guest = 2,
		.kind = COPY_FRAME_WHOLE,
		.direction = (uint8_t)(len % 5),
		.from_guest = len % 2,
		.len = len,
	};
	talk_frame(t, &h, data);
}

static void one_piece(struct wire *w, unsigned op, const uint8_t *data, uint32_t len)
{
	unsigned side = op & 1u;
	switch (op >> 1 & 3u) {
	case 0:
		wire_say(w, side, data, len);
		break;
	case 1:
		wire_lose(w, side, len);
		break;
	case 2:
		raw_frame(w->t, w, data, len);
		break;
	default:
		w->now_ns += (int64_t)len * NS_PER_SEC;
		talk_tick(w->t, w->now_ns);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ports[] = {23,  21,  25,   110,  143, 80, 513,
					 514, 512, 4444, 6667, 443, 22, 50000};
	if (size < 2)
		return 0;
	struct session_book *b = book_new();
	const struct talk_conf conf = {
		.book = b,
		.sessions = (data[0] & 8) == 0,
		.memory_bytes = (size_t)4 << 20,
		.syslog = on_syslog,
	};
	struct talk *t = NULL;
	if (talk_create(&conf, &t) != 0)
		abort();
	struct wire w = {
		.t = t,
		.v6 = (data[0] & 1) != 0,
		.by_guest = (data[0] & 2) != 0,
		.direction = (data[0] & 4) != 0 ? DIR_LATERAL : DIR_INBOUND,
		.port = {40000, ports[data[1] % ARRAY_LEN(ports)]},
		.host = {66, 10},
	};
	wire_open(&w);
	for (size_t at = 2; at + 2 <= size;) {
		unsigned op = data[at];
		uint32_t len = data[at + 1];
		at += 2;
		if (len > size - at)
			len = (uint32_t)(size - at);
		one_piece(&w, op, data + at, len);
		at += len;
	}
	wire_close(&w);
	talk_free(&t);
	book_free(b);
	return 0;
}
