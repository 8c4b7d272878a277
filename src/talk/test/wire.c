/* SPDX-License-Identifier: BSD-2-Clause */
#include "talk/test/wire.h"

#include <string.h>

#define FIN 1u
#define SYN 2u
#define ACK 16u

static const uint8_t net6[15] = {0x20, 1, 0xd, 0xb8};

static uint32_t put_ip(uint8_t *at, bool v6, uint8_t from, uint8_t to, uint8_t proto, uint32_t len)
{
	if (v6) {
		memset(at, 0, 40);
		at[0] = 0x60;
		store_be16(at + 4, (uint16_t)len);
		at[6] = proto;
		at[7] = 64;
		memcpy(at + 8, net6, 15);
		memcpy(at + 24, net6, 15);
		at[23] = from;
		at[39] = to;
		return 40;
	}
	memset(at, 0, 20);
	at[0] = 0x45;
	store_be16(at + 2, (uint16_t)(len + 20));
	at[8] = 64;
	at[9] = proto;
	memcpy(at + 12, "\x0a\x1e\x00", 3);
	memcpy(at + 16, "\x0a\x1e\x00", 3);
	at[15] = from;
	at[19] = to;
	return 20;
}

static uint32_t put_ethernet(uint8_t *at, bool v6)
{
	memset(at, 2, 12);
	store_be16(at + 12, v6 ? 0x86dd : 0x0800);
	return 14;
}

static void send_tcp(struct wire *w, unsigned side, uint8_t flags, const void *data, uint32_t len)
{
	uint8_t frame[2048];
	uint32_t n = put_ethernet(frame, w->v6);
	n += put_ip(frame + n, w->v6, w->host[side], w->host[side ^ 1u], 6, 20 + len);
	uint8_t *tcp = frame + n;
	memset(tcp, 0, 20);
	store_be16(tcp, w->port[side]);
	store_be16(tcp + 2, w->port[side ^ 1u]);
	store_be32(tcp + 4, w->seq[side]);
	store_be32(tcp + 8, (flags & ACK) != 0 ? w->seq[side ^ 1u] : 0);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	store_be16(tcp + 14, 65535);
	if (len > 0)
		memcpy(tcp + 20, data, len);
	w->now_ns += NS_PER_MS;
	const struct copy_head h = {
		.stamp_ns = w->now_ns,
		.flow_id = w->flow_id,
		.guest = 1,
		.peer_guest = w->direction == DIR_LATERAL ? 2 : 0xffff,
		.kind = COPY_FRAME_WHOLE,
		.direction = w->direction,
		.from_guest = (side == CLIENT) == w->by_guest,
		.begun_by_guest = w->by_guest,
		.len = n + 20 + len,
	};
	talk_frame(w->t, &h, frame);
	w->seq[side] += len + ((flags & (SYN | FIN)) != 0 ? 1 : 0);
}

void wire_open(struct wire *w)
{
	w->flow_id = w->flow_id != 0 ? w->flow_id : 7;
	w->now_ns = w->now_ns != 0 ? w->now_ns : NS_PER_SEC;
	w->seq[CLIENT] = 1000;
	w->seq[SERVER] = 2000000000;
	send_tcp(w, CLIENT, SYN, NULL, 0);
	send_tcp(w, SERVER, SYN | ACK, NULL, 0);
	send_tcp(w, CLIENT, ACK, NULL, 0);
}

void wire_say(struct wire *w, unsigned side, const void *data, uint32_t len)
{
	for (uint32_t at = 0; at < len;) {
		uint32_t n = len - at < 1400 ? len - at : 1400;
		send_tcp(w, side, ACK, (const uint8_t *)data + at, n);
		send_tcp(w, side ^ 1u, ACK, NULL, 0);
		at += n;
	}
}

void wire_lose(struct wire *w, unsigned side, uint32_t len)
{
	w->seq[side] += len;
	send_tcp(w, side ^ 1u, ACK, NULL, 0);
}

void wire_close(struct wire *w)
{
	send_tcp(w, CLIENT, ACK | FIN, NULL, 0);
	send_tcp(w, SERVER, ACK | FIN, NULL, 0);
	send_tcp(w, CLIENT, ACK, NULL, 0);
}

void wire_datagram(struct talk *t, bool v6, uint16_t guest, uint16_t port, const void *data,
		   uint32_t len)
{
	uint8_t frame[16384];
	uint32_t n = put_ethernet(frame, v6);
	n += put_ip(frame + n, v6, 10, 20, 17, 8 + len);
	store_be16(frame + n, 40000);
	store_be16(frame + n + 2, port);
	store_be16(frame + n + 4, (uint16_t)(8 + len));
	store_be16(frame + n + 6, 0);
	memcpy(frame + n + 8, data, len);
	const struct copy_head h = {
		.stamp_ns = NS_PER_SEC,
		.flow_id = 9,
		.guest = guest,
		.peer_guest = 2,
		.kind = COPY_FRAME_WHOLE,
		.direction = DIR_LATERAL,
		.from_guest = 1,
		.begun_by_guest = 1,
		.len = n + 8 + len,
	};
	talk_frame(t, &h, frame);
}
