/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flood: frames from as many spoofed sources as wanted, as fast as one CPU sends them (tests only).
 * flood IFACE SRC_MAC DST_MAC DST_IP COUNT PER_SECOND: each frame is a TCP SYN or a UDP datagram of
 * a flow of its own, from 11.0.0.0/8 upwards. PER_SECOND 0: no pause.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define FRAME 60

struct flood {
	uint8_t src_mac[6], dst_mac[6];
	struct in_addr dst;
};

static int parse_mac(const char *s, uint8_t *ret)
{
	unsigned b[6];
	if (sscanf(s, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		return -1;
	for (int i = 0; i < 6; i++)
		ret[i] = (uint8_t)b[i];
	return 0;
}

static uint32_t sum_words(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

/* The n-th frame: every fourth a UDP datagram, else a SYN. */
static void make_frame(const struct flood *f, uint32_t n, uint8_t *p)
{
	uint32_t src = htonl(0x0b000000u + n * 7u % 0x20000000u);
	int udp = n % 4 == 3;
	memset(p, 0, FRAME);
	memcpy(p, f->dst_mac, 6);
	memcpy(p + 6, f->src_mac, 6);
	p[12] = 0x08;
	uint8_t *ip = p + 14, *l4 = ip + 20;
	ip[0] = 0x45;
	ip[3] = udp ? 28 : 40;
	ip[8] = 64;
	ip[9] = udp ? 17 : 6;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &f->dst, 4);
	put_sum(ip + 10, sum_words(ip, 20));
	l4[0] = (uint8_t)(4 + (n >> 8) % 200);
	l4[1] = (uint8_t)n;
	l4[3] = udp ? 53 : 80;
	uint32_t pseudo = sum_words(ip + 12, 8) + ip[9] + ip[3] - 20u;
	if (udp) {
		l4[5] = 8; /* no UDP checksum */
		return;
	}
	l4[12] = 0x50;
	l4[13] = 0x02;
	l4[14] = 0xff;
	put_sum(l4 + 16, pseudo + sum_words(l4, 20));
}

static double now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void pace(double begin, uint32_t sent, double per_second)
{
	double ahead = begin + sent / per_second - now();
	if (ahead <= 0)
		return;
	struct timespec ts = {(time_t)ahead, (long)((ahead - (double)(time_t)ahead) * 1e9)};
	nanosleep(&ts, NULL);
}

static uint32_t send_all(const struct flood *f, int fd, uint32_t count, double per_second)
{
	static uint8_t buf[BATCH][FRAME];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH];
	uint32_t sent = 0, failed = 0;
	double begin = now();
	memset(msgs, 0, sizeof(msgs));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){buf[i], FRAME};
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count) {
		uint32_t n = count - sent < BATCH ? count - sent : BATCH;
		for (uint32_t i = 0; i < n; i++)
			make_frame(f, sent + i, buf[i]);
		int done = sendmmsg(fd, msgs, n, 0);
		if (done < 0 && ++failed > 100000)
			break;
		sent += done > 0 ? (uint32_t)done : 0;
		if (per_second > 0)
			pace(begin, sent, per_second);
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct flood f;
	if (argc != 7 || parse_mac(argv[2], f.src_mac) < 0 || parse_mac(argv[3], f.dst_mac) < 0 ||
	    inet_pton(AF_INET, argv[4], &f.dst) != 1) {
		fprintf(stderr, "usage: flood IFACE SRC_MAC DST_MAC DST_IP COUNT PER_SECOND\n");
		return 2;
	}
	struct sockaddr_ll sa = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(argv[1])};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || sa.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror(argv[1]);
		return 1;
	}
	uint32_t count = (uint32_t)strtoul(argv[5], NULL, 10);
	uint32_t sent = send_all(&f, fd, count, strtod(argv[6], NULL));
	printf("%u sent\n", sent);
	return sent == count ? 0 : 1;
}
