/* SPDX-License-Identifier: BSD-2-Clause */
/* Cost of a request and its answer: headers alone, with all their buffers asked for, with a body. */
#include "proto/proto_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 200000u

static const char request[] =
	"GET /images/logo.png?size=large HTTP/1.1\r\nHost: www.example.com\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0\r\n"
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
	"Connection: keep-alive\r\nCookie: session=0123456789abcdef\r\n\r\n";
static const char answer[] =
	"HTTP/1.1 200 OK\r\nDate: Mon, 23 Apr 2018 09:32:11 GMT\r\nServer: Apache/2.4.18 "
	"(Ubuntu)\r\n"
	"Last-Modified: Wed, 14 Feb 2018 11:25:42 GMT\r\nETag: \"2c39-5652a5f199066\"\r\n"
	"Accept-Ranges: bytes\r\nContent-Length: %u\r\nContent-Type: text/html\r\n\r\n";

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static void measure(struct app_ctx *ctx, const char *what, uint32_t body, bool buffers)
{
	static char text[65536];
	static const enum app_buffer asked[] = {
		BUF_HTTP_URI,    BUF_HTTP_HEADER,    BUF_HTTP_HEADER_NAMES,
		BUF_HTTP_HOST,   BUF_HTTP_METHOD,    BUF_HTTP_USER_AGENT,
		BUF_HTTP_COOKIE, BUF_HTTP_STAT_CODE, BUF_FILE_DATA};
	struct stream_flow flow = {.tcp = true, .port = {40000, 80}};
	struct app *a = app_open(ctx, &flow);
	uint32_t len = (uint32_t)snprintf(text, sizeof(text), answer, body);
	memset(text + len, 'x', body);
	len += body;
	if (a == NULL)
		abort();
	int64_t from = now_ns();
	for (uint32_t i = 0; i < ROUNDS; i++) {
		app_feed(a, TO_SERVER, (const uint8_t *)request, sizeof(request) - 1, 0, 1);
		app_feed(a, TO_CLIENT, (const uint8_t *)text, len, 0, 1);
		for (unsigned k = 0; buffers && k < 2 * ARRAY_LEN(asked); k++) {
			struct span s;
			(void)app_buffer(a, a->tx_first, asked[k / 2], k & 1, 0, &s, NULL, NULL);
		}
		a->tx_first->inspected[0] = a->tx_first->inspected[1] = true;
		app_sweep(a, NULL, NULL, false);
		if (a->tx_first != NULL)
			abort();
	}
	printf("%-28s %6.0f ns a transaction\n", what, (double)(now_ns() - from) / ROUNDS);
	app_close(&flow, NULL, NULL);
}

int main(void)
{
	struct slab *slab;
	struct app_ctx *ctx;
	if (slab_create(64u << 20, &slab) < 0 || app_ctx_create(NULL, slab, &ctx) < 0)
		return 1;
	measure(ctx, "headers", 0, false);
	measure(ctx, "headers, buffers", 0, true);
	measure(ctx, "headers, 1 KB body", 1024, false);
	measure(ctx, "headers, 32 KB body", 32768, false);
	app_ctx_free(&ctx);
	slab_free_all(&slab);
	return 0;
}
