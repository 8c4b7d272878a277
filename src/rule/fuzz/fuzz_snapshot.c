/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of compiled databases holds foreign bytes: the rules load all the same, and match. */
#include "rule/rule.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char rules[] = "alert udp any any -> any any (content:\"needle\"; sid:1;)\n";

static struct rule_set *load(const char *dir)
{
	struct rule_vars *vars = NULL;
	struct rule_set *set = NULL;
	if (rule_vars_create(&vars) < 0)
		abort();
	struct rule_set_conf conf = {.vars = vars, .cache_dir = dir};
	if (rule_set_create(&conf, &set) < 0 ||
	    rule_set_read(set, "fuzz", rules, strlen(rules)) < 0 || rule_set_finish(set) < 0)
		abort();
	rule_vars_free(&vars);
	return set;
}

/* Puts bytes over the one file of dir (from an offset given by the first two), or removes it. */
static void spoil(const char *dir, const uint8_t *data, size_t size, bool remove)
{
	DIR *d = opendir(dir);
	if (d == NULL)
		abort();
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		if (remove) {
			(void)unlinkat(dirfd(d), e->d_name, 0);
			continue;
		}
		int fd = openat(dirfd(d), e->d_name, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			abort();
		off_t at = (off_t)(data[0] << 8 | data[1]) % 4096;
		if (pwrite(fd, data + 2, size - 2, at) < 0 ||
		    ((data[0] & 0x80) != 0 && ftruncate(fd, at + (off_t)size - 2) < 0))
			abort();
		(void)close(fd);
	}
	(void)closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/tmp/fuzz_snapshot.XXXXXX";
	if (size < 3)
		return 0;
	if (mkdtemp(dir) == NULL)
		abort();
	struct rule_set *set = load(dir);
	rule_set_free(&set);
	spoil(dir, data, size, false);
	set = load(dir);
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
	rule_set_free(&set);
	spoil(dir, NULL, 0, true);
	(void)rmdir(dir);
	return 0;
}
