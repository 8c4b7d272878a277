/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot with foreign bytes in it: refused, or the rules match as they should. */
#include "rule/rule.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char rules[] = "alert udp any any -> any any (content:\"needle\"; sid:1;)\n";

struct bed { /* what all inputs share, left to the end of the process */
	struct rule_vars *vars;
	struct slab *slab;
	uint8_t good[1u << 16]; /* the snapshot as it should be */
	size_t len;
};

#define HEAD 88u  /* ends with the sum of what follows */
#define ENTRY 40u /* in front of a database, whose own bytes belong to the library */

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("snapshot", MFD_CLOEXEC);
	if (fd < 0 || pwrite(fd, data, len, 0) != (ssize_t)len)
		abort();
	return fd;
}

static struct rule_set *load(const struct bed *b, int snapshot)
{
	struct rule_set *set = NULL;
	struct rule_set_conf conf = {.vars = b->vars, .snapshot = snapshot};
	if (rule_set_create(&conf, &set) < 0 ||
	    rule_set_read(set, "fuzz", rules, strlen(rules)) < 0)
		abort();
	if (rule_set_finish(set) < 0)
		rule_set_free(&set);
	return set;
}

static const struct bed *ready(void)
{
	static struct bed *b;
	if (b != NULL)
		return b;
	b = calloc(1, sizeof(*b));
	if (b == NULL || rule_vars_create(&b->vars) < 0 || slab_create(1u << 20, &b->slab) < 0)
		abort();
	int fd = file_of("", 0);
	struct rule_set *set = load(b, 0);
	if (set == NULL || rule_set_write_snapshot(set, fd) < 0)
		abort();
	ssize_t n = pread(fd, b->good, sizeof(b->good), 0);
	if (n <= 0 || (size_t)n == sizeof(b->good))
		abort();
	b->len = (size_t)n;
	rule_set_free(&set);
	(void)close(fd);
	return b;
}

static void match(const struct bed *b, const struct rule_set *set)
{
	struct rule_engine_conf ec = {0};
	struct rule_engine *e = NULL;
	if (rule_engine_create(set, &ec, b->slab, &e) < 0)
		abort();
	struct pkt p = {.ip_ver = 4, .proto = 17, .l4_hlen = 8};
	p.src = addr_from_v4("\x0a\x00\x00\x01");
	p.dst = addr_from_v4("\x0a\x00\x00\x02");
	p.payload = (const uint8_t *)"a needle";
	p.payload_len = 8;
	struct stream_result r = {0};
	struct rule_hit hits[RULE_HITS];
	if (rule_packet(e, &p, &r, hits) != 1)
		abort();
	rule_engine_free(&e);
}

/* Foreign bytes over the entry's head, and a sum that fits them. */
static int with_sum(const struct bed *b, const uint8_t *data, size_t size)
{
	static uint8_t copy[sizeof(b->good)];
	uint32_t at = data[1] % ENTRY;
	size_t n = size - 2 < ENTRY - at ? size - 2 : ENTRY - at;
	memcpy(copy, b->good, b->len);
	memcpy(copy + HEAD + at, data + 2, n);
	if (EVP_Digest(copy + HEAD, b->len - HEAD, copy + HEAD - 32, NULL, EVP_sha256(), NULL) != 1)
		abort();
	return file_of(copy, b->len);
}

/* Foreign bytes anywhere; a bit says whether the file ends behind them. */
static int spoilt(const struct bed *b, const uint8_t *data, size_t size)
{
	off_t at = (off_t)(data[0] << 8 | data[1]) % 4096;
	int fd = file_of(b->good, b->len);
	if (pwrite(fd, data + 2, size - 2, at) < 0 ||
	    ((data[0] & 0x80) != 0 && ftruncate(fd, at + (off_t)size - 2) < 0))
		abort();
	return fd;
}

/* The first two bytes say what is done with the rest, and where. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	const struct bed *b = ready();
	int fd = (data[0] & 0x40) != 0 ? with_sum(b, data, size) : spoilt(b, data, size);
	struct rule_set *set = load(b, fd);
	if (set != NULL)
		match(b, set);
	rule_set_free(&set);
	(void)close(fd);
	return 0;
}
