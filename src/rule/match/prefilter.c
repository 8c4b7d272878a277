/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many literals at once: one Hyperscan database for each distinct set of literals. Compiling is what
 * costs and what is done in a confined process, so the databases of a rule set can be written to a
 * descriptor and taken from there. A snapshot that is not exactly of these literals, flags, version of
 * the library and kind of CPU is not used.
 */
#include "rule/match/engine_priv.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOT_MAGIC "skepHSdb"
#define SNAPSHOT_VERSION 2u
#define SNAPSHOT_MAX (UINT64_C(1) << 30)

/* ---- literals ----------------------------------------------------------------------------------------- */

static int literal_order(const void *a, const void *b)
{
	const struct literal *x = a, *y = b;
	if (x->nocase != y->nocase)
		return x->nocase ? 1 : -1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	int c = memcmp(x->bytes, y->bytes, x->len);
	if (c != 0)
		return c;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static bool literal_same(const struct literal *a, const struct literal *b)
{
	return a->nocase == b->nocase && a->len == b->len &&
	       memcmp(a->bytes, b->bytes, a->len) == 0;
}

static int literals_key(const struct literal *l, uint32_t n, uint8_t ret[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	for (uint32_t i = 0; ok && i < n; i++) {
		uint8_t head[3] = {(uint8_t)l[i].nocase, (uint8_t)(l[i].len >> 8),
				   (uint8_t)l[i].len};
		ok = EVP_DigestUpdate(md, head, 3) == 1 &&
		     EVP_DigestUpdate(md, l[i].bytes, l[i].len) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, ret, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok ? 0 : -ENOMEM;
}

/* The database of these distinct literals: an old one if there is the same. */
static int database_of(struct compiled *c, const struct literal *l, uint32_t n, uint32_t *ret)
{
	uint8_t key[32];
	int rc = literals_key(l, n, key);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < c->n_databases; i++)
		if (memcmp(c->databases[i].key, key, sizeof(key)) == 0) {
			*ret = i;
			return 0;
		}
	if (c->n_databases == c->cap_databases) {
		uint32_t cap = c->cap_databases == 0 ? 64 : 2 * c->cap_databases;
		struct database *d = realloc(c->databases, cap * sizeof(*d));
		if (d == NULL)
			return -ENOMEM;
		c->databases = d;
		c->cap_databases = cap;
	}
	struct literal *own = malloc(n * sizeof(*own));
	if (own == NULL)
		return -ENOMEM;
	memcpy(own, l, n * sizeof(*own));
	struct database *d = &c->databases[c->n_databases];
	*d = (struct database){.literals = own, .n = n};
	memcpy(d->key, key, sizeof(key));
	*ret = c->n_databases++;
	return 0;
}

void mpm_free(struct mpm *m)
{
	if (m == NULL)
		return;
	free(m->first);
	free(m->rules);
	free(m);
}

int mpm_add(struct compiled *c, struct literal *l, uint32_t n, struct mpm **ret)
{
	*ret = NULL;
	if (n == 0)
		return 0;
	qsort(l, n, sizeof(*l), literal_order);
	struct mpm *m = calloc(1, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	m->first = malloc((n + 1) * sizeof(*m->first));
	m->rules = malloc(n * sizeof(*m->rules));
	struct literal *distinct = malloc(n * sizeof(*distinct));
	if (m->first == NULL || m->rules == NULL || distinct == NULL) {
		free(distinct);
		mpm_free(m);
		return -ENOMEM;
	}
	m->min_len = UINT32_MAX;
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || !literal_same(&l[i], &l[i - 1])) {
			m->first[m->n] = i;
			distinct[m->n++] = l[i];
		}
		m->rules[i] = l[i].rule;
		m->min_len = l[i].len < m->min_len ? l[i].len : m->min_len;
		m->max_len = l[i].len > m->max_len ? l[i].len : m->max_len;
	}
	m->first[m->n] = n;
	int rc = database_of(c, distinct, m->n, &m->database);
	free(distinct);
	if (rc < 0) {
		mpm_free(m);
		return rc;
	}
	c->bytes += sizeof(*m) + 4ull * (m->n + n);
	*ret = m;
	return 0;
}

/* Every byte as \xNN: the library's calls for literals stop at a leading zero byte. */
static char *escape_all(const struct database *d, const char **ret_text)
{
	size_t size = 0, at = 0;
	for (uint32_t i = 0; i < d->n; i++)
		size += 4u * d->literals[i].len + 1;
	char *all = malloc(size + 1);
	if (all == NULL)
		return NULL;
	for (uint32_t i = 0; i < d->n; i++) {
		struct writer w = writer_of(all + at, size + 1 - at);
		for (uint32_t k = 0; k < d->literals[i].len; k++)
			write_fmt(&w, "\\x%02x", d->literals[i].bytes[k]);
		ret_text[i] = all + at;
		at += w.len + 1;
	}
	return all;
}

static bool leading_zero(const struct database *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (d->literals[i].bytes[0] == 0)
			return true;
	return false;
}

static int compile_with(struct database *d, const char **text, unsigned *flags, unsigned *ids,
			size_t *lens)
{
	for (uint32_t i = 0; i < d->n; i++) {
		text[i] = (const char *)d->literals[i].bytes;
		lens[i] = d->literals[i].len;
		ids[i] = i;
		flags[i] = HS_FLAG_SINGLEMATCH | (d->literals[i].nocase ? HS_FLAG_CASELESS : 0u);
	}
	hs_compile_error_t *err = NULL;
	hs_error_t h;
	if (leading_zero(d)) {
		char *all = escape_all(d, text);
		if (all == NULL)
			return -ENOMEM;
		h = hs_compile_multi(text, flags, ids, d->n, HS_MODE_BLOCK, NULL, &d->hs, &err);
		free(all);
	} else {
		h = hs_compile_lit_multi(text, flags, ids, lens, d->n, HS_MODE_BLOCK, NULL, &d->hs,
					 &err);
	}
	/* Its compiler says want of memory in words only. */
	bool memory = h == HS_NOMEM || (err != NULL && err->message != NULL &&
					strstr(err->message, "memory") != NULL);
	hs_free_compile_error(err);
	return h == HS_SUCCESS ? 0 : memory ? -ENOMEM : SKEP_EFORMAT;
}

static int compile_one(struct database *d)
{
	const char **text = calloc(d->n, sizeof(*text));
	unsigned *flags = calloc(d->n, sizeof(*flags)), *ids = calloc(d->n, sizeof(*ids));
	size_t *lens = calloc(d->n, sizeof(*lens));
	int rc = -ENOMEM;
	if (text != NULL && flags != NULL && ids != NULL && lens != NULL)
		rc = compile_with(d, text, flags, ids, lens);
	free(text);
	free(flags);
	free(ids);
	free(lens);
	return rc;
}

/* ---- the snapshot -------------------------------------------------------------------------------------- */

struct snapshot_head {
	char magic[8];
	uint32_t version, n;
	uint64_t len;      /* of what follows the head */
	uint8_t about[32]; /* the library and the CPU that it is for */
	uint8_t sum[32]; /* of what follows the head: against accidents, it proves nobody's hand */
};
struct snapshot_entry {
	uint8_t key[32];
	uint64_t len;
};

static int about_here(uint8_t ret[32])
{
	hs_platform_info_t cpu = {0};
	if (hs_populate_platform(&cpu) != HS_SUCCESS)
		return SKEP_EUNSUPPORTED;
	char about[160];
	struct writer w = writer_of(about, sizeof(about));
	write_fmt(&w, "%u %s %u %llu %zu", SNAPSHOT_VERSION, hs_version(), cpu.tune,
		  (unsigned long long)cpu.cpu_features, sizeof(void *));
	return EVP_Digest(about, w.len, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}

static int read_all(int fd, uint8_t *d, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pread(fd, d, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : SKEP_ETRUNC;
		d += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Takes the databases out of a checked body. All or none. */
static int snapshot_take(struct compiled *c, const uint8_t *body, uint64_t len)
{
	struct reader r = reader_of(body, len);
	for (uint32_t i = 0; i < c->n_databases; i++) {
		struct snapshot_entry h;
		const uint8_t *p = read_bytes(&r, sizeof(h));
		if (p == NULL)
			return SKEP_ETRUNC;
		memcpy(&h, p, sizeof(h));
		if (memcmp(h.key, c->databases[i].key, 32) != 0 || h.len > reader_left(&r))
			return SKEP_EFORMAT;
		p = read_bytes(&r, (size_t)h.len);
		if (p == NULL || hs_deserialize_database((const char *)p, (size_t)h.len,
							 &c->databases[i].hs) != HS_SUCCESS)
			return SKEP_EFORMAT;
	}
	return reader_left(&r) == 0 ? 0 : SKEP_EFORMAT;
}

static int snapshot_read(struct compiled *c, int fd)
{
	struct snapshot_head h;
	struct stat st;
	uint8_t about[32], sum[32];
	int rc = about_here(about);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0)
		rc = read_all(fd, (uint8_t *)&h, sizeof(h), 0);
	if (rc < 0)
		return rc;
	if (!S_ISREG(st.st_mode) || memcmp(h.magic, SNAPSHOT_MAGIC, 8) != 0 ||
	    h.version != SNAPSHOT_VERSION || memcmp(h.about, about, sizeof(about)) != 0 ||
	    h.n != c->n_databases || h.len > SNAPSHOT_MAX ||
	    h.len + sizeof(h) != (uint64_t)st.st_size)
		return SKEP_EFORMAT;
	/* A copy, so that nobody changes what was checked. */
	uint8_t *body = malloc(h.len + 1);
	if (body == NULL)
		return -ENOMEM;
	rc = read_all(fd, body, h.len, sizeof(h));
	if (rc == 0 && (EVP_Digest(body, h.len, sum, NULL, EVP_sha256(), NULL) != 1 ||
			memcmp(sum, h.sum, 32) != 0))
		rc = SKEP_EFORMAT;
	if (rc == 0)
		rc = snapshot_take(c, body, h.len);
	free(body);
	return rc;
}

static int snapshot_body(const struct compiled *c, int fd, struct snapshot_head *h)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int rc = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < c->n_databases; i++) {
		struct snapshot_entry entry = {0};
		char *d = NULL;
		size_t len = 0;
		if (hs_serialize_database(c->databases[i].hs, &d, &len) != HS_SUCCESS) {
			rc = -ENOMEM;
			break;
		}
		memcpy(entry.key, c->databases[i].key, 32);
		entry.len = len;
		rc = fd_write(fd, &entry, sizeof(entry));
		if (rc == 0)
			rc = fd_write(fd, d, len);
		if (rc == 0 && (EVP_DigestUpdate(md, &entry, sizeof(entry)) != 1 ||
				EVP_DigestUpdate(md, d, len) != 1))
			rc = -ENOMEM;
		free(d);
		h->len += sizeof(entry) + len;
	}
	if (rc == 0 && EVP_DigestFinal_ex(md, h->sum, NULL) != 1)
		rc = -ENOMEM;
	EVP_MD_CTX_free(md);
	return rc;
}

/* The head comes last: what was not written to the end has none. */
int rule_set_write_snapshot(const struct rule_set *s, int fd)
{
	const struct compiled *c = s->compiled;
	struct snapshot_head h = {.version = 0};
	if (c == NULL)
		return -EINVAL;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	int rc = fd_write(fd, &h, sizeof(h));
	if (rc == 0)
		rc = snapshot_body(c, fd, &h);
	if (rc == 0)
		rc = about_here(h.about);
	memcpy(h.magic, SNAPSHOT_MAGIC, 8);
	h.version = SNAPSHOT_VERSION;
	h.n = c->n_databases;
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	return rc == 0 ? fd_write(fd, &h, sizeof(h)) : rc;
}

int prefilter_finish(struct compiled *c, int snapshot, struct rule_set_stats *stats)
{
	stats->databases = c->n_databases;
	int rc = snapshot != 0 ? snapshot_read(c, snapshot) : 0;
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < c->n_databases; i++) {
		struct database *d = &c->databases[i];
		rc = d->hs == NULL ? compile_one(d) : 0;
		if (rc < 0)
			return rc;
		size_t size = 0;
		if (hs_database_size(d->hs, &size) == HS_SUCCESS)
			c->bytes += size;
		stats->patterns += d->n;
		free(d->literals);
		d->literals = NULL;
	}
	if (snapshot != 0)
		stats->databases_cached = c->n_databases;
	return 0;
}

/* ---- scanning -------------------------------------------------------------------------------------- */

static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
		      void *ctx)
{
	struct rule_engine *e = ctx;
	const struct mpm *m = e->scanning;
	if (id >= m->n)
		return 0;
	for (uint32_t i = m->first[id]; i < m->first[id + 1]; i++)
		cand_add(e, m->rules[i], 0);
	return 0;
}

void mpm_scan(struct rule_engine *e, const struct mpm *m, const uint8_t *data, uint32_t len)
{
	if (m == NULL || len < m->min_len)
		return;
	e->scanning = m;
	e->stats.scans++;
	e->stats.scan_bytes += len;
	(void)hs_scan(e->c->databases[m->database].hs, (const char *)data, len, 0, e->scratch,
		      on_literal, e);
}
