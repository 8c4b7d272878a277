/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of compiled databases holds foreign bytes: the rules load all the same, and match. */
#include "rule/rule.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char rules[] = "alert udp any any -> any any (content:\"needle\"; sid:1;)\n";

struct bed {
	struct rule_vars *vars;
	struct slab *slab;
	uint8_t good[1u << 16]; /* the file as it should be */
	size_t len;
};

static struct rule_set *load(const struct bed *b, const char *dir)
{
	struct rule_set *set = NULL;
	struct rule_set_conf conf = {.vars = b->vars, .cache_dir = dir};
	if (rule_set_create(&conf, &set) < 0 ||
	    rule_set_read(set, "fuzz", rules, strlen(rules)) < 0 || rule_set_finish(set) < 0)
		abort();
	return set;
}

/* The one file of dir; false: none. */
static bool name_in(const char *dir, char *ret, size_t size)
{
	DIR *d = opendir(dir);
	bool any = false;
	if (d == NULL)
		abort();
	for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		if (e->d_name[0] == '.')
			continue;
		struct writer w = writer_of(ret, size);
		write_fmt(&w, "%s/%s", dir, e->d_name);
		any = !w.full;
	}
	(void)closedir(d);
	return any;
}

static void read_good(struct bed *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, b->good, sizeof(b->good));
	if (n <= 0 || (size_t)n == sizeof(b->good))
		abort();
	b->len = (size_t)n;
	(void)close(fd);
}

/* A good file with the input's bytes over it, from the place that the first two give. */
static void spoil(const struct bed *b, const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	off_t at = (off_t)(data[0] << 8 | data[1]) % 4096;
	if (fd < 0 || pwrite(fd, b->good, b->len, 0) != (ssize_t)b->len ||
	    pwrite(fd, data + 2, size - 2, at) < 0 ||
	    ((data[0] & 0x80) != 0 && ftruncate(fd, at + (off_t)size - 2) < 0))
		abort();
	(void)close(fd);
}

static void must_match(const struct bed *b, const struct rule_set *set)
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

/* What all inputs share, left to the end of the process. */
static const struct bed *ready(const char *dir, char *path, size_t size)
{
	static struct bed *b;
	if (b == NULL) {
		b = calloc(1, sizeof(*b));
		if (b == NULL || rule_vars_create(&b->vars) < 0 ||
		    slab_create(16u << 20, &b->slab) < 0)
			abort();
		b->len = 0;
	}
	if (b->len == 0) {
		struct rule_set *set = load(b, dir);
		rule_set_free(&set);
		if (!name_in(dir, path, size))
			abort();
		read_good(b, path);
	}
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char dir[] = "/tmp/fuzz_snapshot.XXXXXX", path[512];
	if (size < 3)
		return 0;
	/* The same name again, so that nothing stays behind; mkdtemp only chooses it. */
	if (path[0] == '\0' ? mkdtemp(dir) == NULL : mkdir(dir, 0700) < 0)
		abort();
	const struct bed *b = ready(dir, path, sizeof(path));
	spoil(b, path, data, size);
	struct rule_set *set = load(b, dir);
	must_match(b, set);
	rule_set_free(&set);
	(void)unlink(path);
	(void)rmdir(dir);
	return 0;
}
