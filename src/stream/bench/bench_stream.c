/* SPDX-License-Identifier: BSD-2-Clause */
/* Cost of a packet of bulk data in order, and of a small connection from its SYN to its last ACK. */
#include "stream/test/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BULK_PACKETS 2000000u
#define SMALL_FLOWS 200000u
#define UDP_PACKETS 2000000u

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void send(struct talk *t, unsigned dir, uint32_t seq, uint32_t ack, uint8_t flags,
		 uint32_t len)
{
	struct stream_flow *f;

	t->p.tcp.seq = seq;
	t->p.tcp.ack = ack;
	t->p.tcp.flags = flags;
	t->p.payload_len = len;
	t->p.sport = dir ? 80 : t->client_port;
	t->p.dport = dir ? t->client_port : 80;
	t->p.stamp_ns = t->now_ns += 1000;
	stream_packet(t->s, &t->p, &t->r);
	f = t->r.flow;
	if (!f || !f->tcp)
		return;
	for (unsigned i = 0; i < 2; i++)
		f->side[i].app_done = f->side[i].raw_done = f->side[i].base + f->side[i].len;
	stream_settle(t->s, f);
}

static void setup(struct talk *t, const struct stream_conf *conf)
{
	static const uint8_t body[1460], a[4] = {10, 0, 0, 1};

	talk_begin(t, conf, (size_t)256 << 20);
	t->conf.ended = NULL;
	t->lazy = true;
	t->p.ip_ver = 4;
	t->p.proto = 6;
	t->p.l4 = t->header;
	t->p.l4_hlen = 20;
	t->p.payload = body;
	t->p.src = t->p.dst = addr_from_v4(a);
	t->p.dst.b[3] = 2;
	t->p.tcp.win = 65535;
}

/* flight: bytes that are not acknowledged yet. */
static void bulk(struct talk *t, bool inline_mode, uint32_t flight)
{
	struct stream_conf conf = {.depth = UINT64_MAX, .inline_mode = inline_mode};
	int64_t at;
	uint32_t seq = 1;

	setup(t, &conf);
	t->client_port = 1;
	t->p.tcp.has_wscale = true;
	t->p.tcp.wscale = 7;
	send(t, 0, 0, 0, SYN, 0);
	t->p.src.b[3] = 2, t->p.dst.b[3] = 1;
	send(t, 1, 0, 1, SYN | ACK, 0);
	t->p.src.b[3] = 1, t->p.dst.b[3] = 2;
	send(t, 0, 1, 1, ACK, 0);
	t->p.src.b[3] = 2, t->p.dst.b[3] = 1;
	send(t, 1, 1, 1, ACK, 0);
	t->p.src.b[3] = 1, t->p.dst.b[3] = 2;
	at = cpu_ns();
	for (uint32_t i = 0; i < BULK_PACKETS; i++) {
		if (i % 3 < 2) {
			send(t, 0, seq, 1, ACK, 1460);
			seq += 1460;
			continue;
		}
		t->p.src.b[3] = 2, t->p.dst.b[3] = 1;
		send(t, 1, 1, seq > flight ? seq - flight : 1, ACK, 0);
		t->p.src.b[3] = 1, t->p.dst.b[3] = 2;
	}
	printf("bulk in order, %s, %u KB in flight: %.1f ns a packet\n",
	       inline_mode ? "inline" : "offline", flight >> 10,
	       (double)(cpu_ns() - at) / BULK_PACKETS);
	if (!t->r.flow || t->r.bad)
		abort();
	talk_end(t);
}

static void small(struct talk *t)
{
	struct stream_conf conf = {0};
	int64_t at;

	setup(t, &conf);
	at = cpu_ns();
	for (uint32_t i = 0; i < SMALL_FLOWS; i++) {
		static const struct {
			uint8_t dir, flags;
			uint16_t seq, ack, len;
		} script[] = {{0, SYN, 0, 0, 0},           {1, SYN | ACK, 0, 1, 0},
			      {0, ACK, 1, 1, 0},           {0, ACK | PSH, 1, 1, 300},
			      {1, ACK, 1, 301, 0},         {1, ACK | PSH, 1, 301, 900},
			      {0, ACK, 301, 901, 0},       {0, FIN | ACK, 301, 901, 0},
			      {1, FIN | ACK, 901, 302, 0}, {0, ACK, 302, 902, 0}};

		t->client_port = (uint16_t)i;
		for (unsigned k = 0; k < ARRAY_LEN(script); k++) {
			unsigned d = script[k].dir;

			store_be32(t->p.src.b, d ? 1 : 0x0a000000 + (i >> 16));
			store_be32(t->p.dst.b, d ? 0x0a000000 + (i >> 16) : 1);
			send(t, d, script[k].seq, script[k].ack, script[k].flags, script[k].len);
		}
	}
	printf("small connection of 10 packets: %.0f ns, %.1f ns a packet\n",
	       (double)(cpu_ns() - at) / SMALL_FLOWS, (double)(cpu_ns() - at) / SMALL_FLOWS / 10);
	talk_end(t);
}

static void udp(struct talk *t, uint32_t flows)
{
	struct stream_conf conf = {0};
	int64_t at;

	setup(t, &conf);
	t->p.proto = 17;
	at = cpu_ns();
	for (uint32_t i = 0; i < UDP_PACKETS; i++) {
		store_be32(t->p.src.b, i * 2654435761u % flows);
		send(t, 0, 0, 0, 0, 100);
	}
	printf("UDP over %u flows: %.1f ns a packet\n", flows,
	       (double)(cpu_ns() - at) / UDP_PACKETS);
	talk_end(t);
}

int main(void)
{
	static struct talk t;

	bulk(&t, false, 0);
	bulk(&t, true, 0);
	bulk(&t, true, 60 << 10);
	bulk(&t, true, 1000 << 10);
	small(&t);
	udp(&t, 1000);
	udp(&t, 1000000);
	return 0;
}
