/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP for measuring, run inside a namespace:
 *
 *   udp_load sink PORT                    holds the port and reads nothing, until stdin closes
 *   udp_load echo PORT                    answers each datagram, until stdin closes
 *   udp_load blast ADDR PORT SECONDS [PPS]   small datagrams in 64 flows; prints how many it sent
 *   udp_load ping ADDR PORT ROUNDS        one at a time; prints p50 and p99 in microseconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FLOWS 64
#define BURST 32
#define PAYLOAD 18 /* a 60-byte frame over IPv4 */
#define ROUNDS_MAX 20000
#define LOST_MS 1000

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int fail(const char *what)
{
	fprintf(stderr, "udp_load: %s: %s\n", what, strerror(errno));
	return 1;
}

/* A whole number from 0 to most; ends the program on anything else. */
static long number(const char *text, long most)
{
	char *end;
	errno = 0;
	long n = strtol(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && n >= 0 && n <= most)
		return n;
	fprintf(stderr, "udp_load: not a number from 0 to %ld: %s\n", most, text);
	exit(2);
}

static struct sockaddr_in address(const char *ip, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)number(port, 65535))};
	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int hold(const char *port, int answer)
{
	struct sockaddr_in a = address("0.0.0.0", port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return fail("bind");
	printf("ready\n");
	fflush(stdout);
	struct pollfd fds[2] = {{0, POLLIN, 0}, {answer ? fd : -1, POLLIN, 0}};
	for (;;) {
		char buf[2048];
		if (poll(fds, 2, -1) < 0)
			return fail("poll");
		if (fds[0].revents != 0)
			return 0;
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
				     &len);
		if (n >= 0)
			(void)!sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

static int blast(const char *ip, const char *port, int64_t seconds, int64_t pps)
{
	static char payload[PAYLOAD];
	struct sockaddr_in a = address(ip, port);
	struct iovec iov = {payload, sizeof(payload)};
	struct mmsghdr msgs[BURST];
	int fds[FLOWS];
	uint64_t sent = 0;
	memset(msgs, 0, sizeof(msgs));
	for (int i = 0; i < BURST; i++) {
		msgs[i].msg_hdr.msg_iov = &iov;
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (int i = 0; i < FLOWS; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&a, sizeof(a)) != 0)
			return fail("connect");
	}
	int64_t start = now_ns(), now = start;
	for (int i = 0; (now = now_ns()) - start < seconds * 1000000000; i++) {
		if (pps > 0 && (int64_t)sent > (now - start) / 1000 * pps / 1000000) {
			struct timespec ts = {0, 50000};
			nanosleep(&ts, NULL);
			continue;
		}
		int n = sendmmsg(fds[i % FLOWS], msgs, BURST, 0);
		sent += n > 0 ? (uint64_t)n : 0;
	}
	printf("%llu %.6f\n", (unsigned long long)sent, (double)(now - start) / 1e9);
	return 0;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int ping(const char *ip, const char *port, int rounds)
{
	static int64_t took[ROUNDS_MAX];
	struct sockaddr_in a = address(ip, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), got = 0, lost = 0;
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return fail("connect");
	for (int i = 0; i < rounds && i < ROUNDS_MAX && lost < 10; i++) {
		struct pollfd p = {fd, POLLIN, 0};
		char buf[PAYLOAD] = {0};
		int64_t start = now_ns();
		(void)!send(fd, buf, sizeof(buf), 0);
		if (poll(&p, 1, LOST_MS) != 1 || recv(fd, buf, sizeof(buf), 0) < 0) {
			lost++;
			continue;
		}
		took[got++] = now_ns() - start;
	}
	if (got == 0)
		return fail("no answer");
	qsort(took, (size_t)got, sizeof(took[0]), compare);
	printf("%.1f %.1f %d\n", (double)took[got / 2] / 1e3,
	       (double)took[(size_t)got * 99 / 100] / 1e3, lost);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sink") == 0)
		return hold(argv[2], 0);
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return hold(argv[2], 1);
	if (argc >= 5 && strcmp(argv[1], "blast") == 0)
		return blast(argv[2], argv[3], number(argv[4], 3600),
			     argc > 5 ? number(argv[5], 100000000) : 0);
	if (argc == 5 && strcmp(argv[1], "ping") == 0)
		return ping(argv[2], argv[3], (int)number(argv[4], ROUNDS_MAX));
	fprintf(stderr, "udp_load sink|echo|blast|ping ...\n");
	return 2;
}
