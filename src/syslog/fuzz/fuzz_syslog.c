/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as one message, and as a stream in any pieces: what is parsed lies in the input, names are
 * terminated, and the messages of a stream are the same however it is cut.
 *
 * Input: a byte for the length of pieces, then the bytes.
 */
#include "syslog/compare.h"
#include "syslog/syslog.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void one(const uint8_t *data, size_t size)
{
	struct syslog_line l;
	char as[256];
	syslog_parse(data, size, INT64_C(1795863600) * NS_PER_SEC, &l);
	must(l.facility < 24 && l.severity < 8 && l.len <= SYSLOG_LINE);
	must((const uint8_t *)l.text >= data && (const uint8_t *)l.text + l.len <= data + size);
	must(memchr(l.host, '\0', sizeof(l.host)) != NULL &&
	     memchr(l.app, '\0', sizeof(l.app)) != NULL &&
	     memchr(l.pid, '\0', sizeof(l.pid)) != NULL &&
	     memchr(l.msgid, '\0', sizeof(l.msgid)) != NULL);
	size_t n = syslog_as_rsyslog((const char *)data, size, as, sizeof(as));
	must(n < sizeof(as) && as[n] == '\0');
	for (size_t i = 0; i < n; i++)
		must((uint8_t)as[i] >= 0x20 && (uint8_t)as[i] < 0x80);
}

struct sum {
	uint64_t hash, messages;
};

static void take(void *ctx, const char *data, size_t len, bool cut)
{
	struct sum *s = ctx;
	must(len > 0 && len <= SYSLOG_LINE);
	const uint64_t key[2] = {s->hash, s->messages};
	s->hash = hash_keyed(key, data, len) + cut;
	s->messages++;
	one((const uint8_t *)data, len);
}

static struct sum stream(const uint8_t *data, size_t size, size_t piece)
{
	struct syslog_framer *f = calloc(1, sizeof(*f));
	struct sum s = {0, 0};
	must(f != NULL);
	for (size_t at = 0; at < size; at += piece)
		syslog_stream(f, data + at, size - at < piece ? size - at : piece, take, &s);
	syslog_stream_end(f, take, &s);
	free(f);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	one(data + 1, size - 1);
	struct sum a = stream(data + 1, size - 1, size),
		   b = stream(data + 1, size - 1, 1 + data[0]);
	must(a.hash == b.hash && a.messages == b.messages);
	return 0;
}
