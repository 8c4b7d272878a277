/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot with foreign bytes in it: refused, or the rules match as they should. */
#include "rule/rule.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char rules[] = "alert udp any any -> any any (content:\"needle\"; sid:1;)\n";

static struct rule_set *load(int snapshot)
{
	struct rule_vars *vars = NULL;
	struct rule_set *set = NULL;
	if (rule_vars_create(&vars) < 0)
		abort();
	struct rule_set_conf conf = {.vars = vars, .snapshot = snapshot};
	if (rule_set_create(&conf, &set) < 0 ||
	    rule_set_read(set, "fuzz", rules, strlen(rules)) < 0)
		abort();
	if (rule_set_finish(set) < 0)
		rule_set_free(&set);
	rule_vars_free(&vars);
	return set;
}

static void match(const struct rule_set *set)
{
	struct rule_engine_conf ec = {0};
	struct rule_engine *e = NULL;
	struct slab *slab = NULL;
	if (slab_create(16u << 20, &slab) < 0 || rule_engine_create(set, &ec, slab, &e) < 0)
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
	slab_free_all(&slab);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = size < 3 ? -1 : memfd_create("snapshot", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	struct rule_set *set = load(0);
	if (set == NULL || rule_set_write_snapshot(set, fd) < 0)
		abort();
	rule_set_free(&set);
	/* The place is given by the first two bytes; a bit says whether the file ends there. */
	off_t at = (off_t)(data[0] << 8 | data[1]) % 4096;
	if (pwrite(fd, data + 2, size - 2, at) < 0 ||
	    ((data[0] & 0x80) != 0 && ftruncate(fd, at + (off_t)size - 2) < 0))
		abort();
	set = load(fd);
	if (set != NULL)
		match(set);
	rule_set_free(&set);
	(void)close(fd);
	return 0;
}
