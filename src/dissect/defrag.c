/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments put together. A datagram is kept in pages of 128 blocks of 8 bytes, the unit in which
 * fragments are cut, and each block remembers where the fragment began that gave it. So an overlap is
 * decided block by block, in time that depends on the fragment's own length only: no list to walk.
 */
#include "dissect/dissect_priv.h"

#define PAGE_BLOCKS 128u
#define PAGE_BYTES (PAGE_BLOCKS * 8)
#define DATA_PAGES 64u /* 65,536 bytes */
#define SWEEP_BUDGET 2u
#define NONE UINT32_MAX

struct page {
	uint8_t bytes[PAGE_BYTES];
	uint16_t owner[PAGE_BLOCKS]; /* first block of the fragment it is from, plus 1; 0: a hole */
};

struct key {
	struct addr src, dst;
	uint32_t id;
	uint16_t vlan[DISSECT_VLANS];
	uint8_t n_vlan, ver, proto, depth; /* proto: IPv4 only */
	uint8_t pad[2];
};
_Static_assert(sizeof(struct key) == 56, "keys are hashed as bytes: no holes");

struct datagram {
	struct key key;
	int64_t last_ns;
	uint32_t next_hash;     /* in its bucket, or in the list of free ones */
	uint32_t newer, older;  /* by use */
	uint32_t total;         /* bytes, once the last fragment has come; else 0 with !has_last */
	uint32_t blocks, reach; /* filled; end of the last filled one, in blocks */
	uint32_t head_page, head_len, nh_at;
	uint8_t nh, n_pages; /* n_pages: so many of pages are set, to a page or NONE */
	bool has_last;
	uint32_t bucket;
	uint32_t pages[DATA_PAGES];
};

struct defrag {
	uint64_t hash_key[2];
	bool first_wins;
	int64_t timeout_ns;
	struct datagram *grams;
	uint32_t *buckets, n_buckets; /* a power of two; index + 1, so that fresh memory is empty */
	uint32_t n_grams, fresh_gram, free_gram;
	struct page *pages;
	uint32_t *free_pages; /* a stack */
	uint32_t n_pages, fresh_page, n_free_pages;
	uint32_t newest, oldest;
};

static uint32_t page_count(const struct dissect_conf *c)
{
	uint64_t n = c->frag_bytes / PAGE_BYTES;
	return n < 2 ? 2 : n > (1u << 24) ? 1u << 24 : (uint32_t)n;
}

static uint32_t gram_count(const struct dissect_conf *c)
{
	return c->frag_packets < (1u << 24) ? c->frag_packets : 1u << 24;
}

static uint32_t bucket_count(const struct dissect_conf *c)
{
	uint32_t n = 16;
	while (n < gram_count(c))
		n *= 2;
	return n;
}

size_t defrag_size(const struct dissect_conf *c)
{
	return sizeof(struct defrag) + gram_count(c) * sizeof(struct datagram) +
	       bucket_count(c) * sizeof(uint32_t) +
	       page_count(c) * (sizeof(struct page) + sizeof(uint32_t)) + 8 * 64;
}

struct defrag *defrag_create(const struct dissect_conf *c, struct arena *arena)
{
	struct defrag *t = arena_alloc(arena, 1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->first_wins = c->inline_mode;
	t->timeout_ns = c->frag_timeout_ns;
	t->n_grams = gram_count(c);
	t->n_buckets = bucket_count(c);
	t->n_pages = page_count(c);
	t->grams = arena_alloc(arena, t->n_grams, sizeof(*t->grams));
	t->buckets = arena_alloc(arena, t->n_buckets, sizeof(*t->buckets));
	t->pages = arena_alloc(arena, t->n_pages, sizeof(*t->pages));
	t->free_pages = arena_alloc(arena, t->n_pages, sizeof(*t->free_pages));
	t->free_gram = t->newest = t->oldest = NONE;
	random_fill(t->hash_key, sizeof(t->hash_key));
	return t->grams == NULL || t->buckets == NULL || t->pages == NULL || t->free_pages == NULL
		       ? NULL
		       : t;
}

/* ---- datagrams by key and by age ----------------------------------------------------------------- */

static uint32_t bucket_of(const struct defrag *t, const struct key *k)
{
	return (uint32_t)hash_keyed(t->hash_key, k, sizeof(*k)) & (t->n_buckets - 1);
}

static void age_unlink(struct defrag *t, uint32_t i)
{
	struct datagram *g = &t->grams[i];
	if (g->newer != NONE)
		t->grams[g->newer].older = g->older;
	else
		t->newest = g->older;
	if (g->older != NONE)
		t->grams[g->older].newer = g->newer;
	else
		t->oldest = g->newer;
}

static void age_link(struct defrag *t, uint32_t i)
{
	struct datagram *g = &t->grams[i];
	g->newer = NONE;
	g->older = t->newest;
	if (t->newest != NONE)
		t->grams[t->newest].newer = i;
	else
		t->oldest = i;
	t->newest = i;
}

static void page_put(struct defrag *t, uint32_t page)
{
	if (page != NONE)
		t->free_pages[t->n_free_pages++] = page;
}

static void gram_drop(struct defrag *t, uint32_t i)
{
	struct datagram *g = &t->grams[i];
	uint32_t *link = &t->buckets[g->bucket];
	while (*link != i + 1)
		link = &t->grams[*link - 1].next_hash;
	*link = g->next_hash;
	age_unlink(t, i);
	page_put(t, g->head_page);
	for (unsigned n = 0; n < g->n_pages; n++)
		page_put(t, g->pages[n]);
	g->next_hash = t->free_gram;
	t->free_gram = i;
}

static uint32_t page_take(struct defrag *t, uint32_t keep)
{
	/* The oldest makes room, as in the systems we guard; never the one in hand. */
	while (t->n_free_pages == 0 && t->fresh_page == t->n_pages) {
		if (t->oldest == keep)
			return NONE;
		gram_drop(t, t->oldest);
	}
	uint32_t page = t->n_free_pages > 0 ? t->free_pages[--t->n_free_pages] : t->fresh_page++;
	memset(t->pages[page].owner, 0, sizeof(t->pages[page].owner));
	return page;
}

static bool expired(const struct defrag *t, const struct datagram *g, int64_t now)
{
	/* Stamps come from files: any two may lie farther apart than int64_t counts. */
	return now > g->last_ns && (uint64_t)now - (uint64_t)g->last_ns > (uint64_t)t->timeout_ns;
}

static uint32_t gram_new(struct defrag *t, const struct key *k, uint32_t bucket)
{
	if (t->free_gram == NONE && t->fresh_gram == t->n_grams)
		gram_drop(t, t->oldest);
	uint32_t i = t->free_gram;
	if (i != NONE)
		t->free_gram = t->grams[i].next_hash;
	else
		i = t->fresh_gram++;
	struct datagram *g = &t->grams[i];
	memset(g, 0, offsetof(struct datagram, pages));
	g->head_page = NONE;
	g->key = *k;
	g->bucket = bucket;
	g->next_hash = t->buckets[bucket];
	t->buckets[bucket] = i + 1;
	age_link(t, i);
	return i;
}

static uint32_t gram_find(struct defrag *t, const struct pkt *p)
{
	struct key k;
	memset(&k, 0, sizeof(k));
	k.src = p->src;
	k.dst = p->dst;
	k.id = p->frag_id;
	k.n_vlan = p->n_vlan;
	k.ver = p->ip_ver;
	k.proto = p->ip_ver == 4 ? p->proto : 0;
	k.depth = p->depth;
	memcpy(k.vlan, p->vlan, sizeof(k.vlan));
	for (unsigned i = 0; i < SWEEP_BUDGET; i++) {
		if (t->oldest == NONE || !expired(t, &t->grams[t->oldest], p->stamp_ns))
			break;
		gram_drop(t, t->oldest);
	}
	uint32_t bucket = bucket_of(t, &k), i = t->buckets[bucket];
	while (i != 0 && memcmp(&t->grams[i - 1].key, &k, sizeof(k)) != 0)
		i = t->grams[i - 1].next_hash;
	if (i != 0 && expired(t, &t->grams[i - 1], p->stamp_ns)) {
		gram_drop(t, i - 1);
		i = 0;
	}
	if (i == 0)
		return gram_new(t, &k, bucket);
	age_unlink(t, i - 1);
	age_link(t, i - 1);
	return i - 1;
}

/* ---- their contents ------------------------------------------------------------------------------- */

static bool head_keep(struct defrag *t, uint32_t i, const struct fragment *f)
{
	struct datagram *g = &t->grams[i];
	if (f->off != 0 || g->head_page != NONE)
		return true;
	if (f->head_len > PAGE_BYTES)
		return false;
	g->head_page = page_take(t, i);
	if (g->head_page == NONE)
		return false;
	memcpy(t->pages[g->head_page].bytes, f->head, f->head_len);
	g->head_len = f->head_len;
	g->nh_at = f->nh_at;
	g->nh = f->nh;
	return true;
}

/* Does the new fragment's byte stand, against those that are there? BSD: who began first wins, and
 * among equals who came first. */
static bool new_wins(const struct defrag *t, uint16_t owner, uint32_t first)
{
	return !t->first_wins && first + 1 < owner;
}

/* The page that holds a block; NONE: memory is out. */
static uint32_t page_of(struct defrag *t, uint32_t i, uint32_t block)
{
	struct datagram *g = &t->grams[i];
	const uint32_t n = block / PAGE_BLOCKS;
	while (g->n_pages <= n)
		g->pages[g->n_pages++] = NONE;
	if (g->pages[n] == NONE)
		g->pages[n] = page_take(t, i);
	return g->pages[n];
}

/* false: memory is out. */
static bool blocks_keep(struct defrag *t, uint32_t i, const struct fragment *f, bool *overlap)
{
	struct datagram *g = &t->grams[i];
	const uint32_t first = f->off / 8, count = (f->len + 7) / 8;
	for (uint32_t n = 0; n < count; n++) {
		uint32_t block = first + n, page = page_of(t, i, block);
		if (page == NONE)
			return false;
		struct page *pg = &t->pages[page];
		uint16_t *owner = &pg->owner[block % PAGE_BLOCKS];
		if (*owner != 0) {
			*overlap = true;
			if (!new_wins(t, *owner, first))
				continue;
		} else {
			g->blocks++;
		}
		*owner = (uint16_t)(first + 1);
		uint8_t *to = pg->bytes + (size_t)(block % PAGE_BLOCKS) * 8;
		const uint8_t *from = f->data + (size_t)n * 8;
		if (f->len - n * 8 >= 8)
			memcpy(to, from, 8); /* a constant size needs no call */
		else
			memcpy(to, from, f->len - n * 8);
	}
	if (count > 0 && first + count > g->reach)
		g->reach = first + count;
	return true;
}

static uint32_t rebuild(const struct defrag *t, const struct datagram *g, uint8_t *to)
{
	uint32_t len = g->head_len;
	memcpy(to, t->pages[g->head_page].bytes, len);
	for (uint32_t n = 0; n * PAGE_BYTES < g->total; n++) {
		uint32_t left = g->total - n * PAGE_BYTES;
		uint32_t bytes = left < PAGE_BYTES ? left : PAGE_BYTES;
		memcpy(to + len, t->pages[g->pages[n]].bytes, bytes);
		len += bytes;
	}
	if (g->key.ver == 4) {
		store_be16(to + 2, (uint16_t)len);
		store_be16(to + 6, 0);
		store_be16(to + 10, 0);
		store_be16(to + 10, (uint16_t)~sum_of(to, g->head_len, 0));
	} else {
		store_be16(to + 4, (uint16_t)(len - IP6_HLEN));
		to[g->nh_at] = g->nh;
	}
	return len;
}

static bool too_large(const struct pkt *p, uint32_t head_len, uint32_t end)
{
	return p->ip_ver == 4 ? head_len + end > 65535 : head_len - IP6_HLEN + end > 65535;
}

uint32_t defrag_add(struct defrag *t, struct pkt *p, const struct fragment *frag, uint8_t *to)
{
	const bool four = p->ip_ver == 4;
	struct fragment f = *frag;
	if (f.more)
		f.len &= ~7u; /* IPv4 only: hosts cut the rest away */
	if (too_large(p, f.head_len, f.off + f.len)) {
		set_event(p, four ? EV_IPV4_FRAG_PKT_TOO_LARGE : EV_IPV6_FRAG_PKT_TOO_LARGE);
		return 0;
	}
	if (f.more && f.len == 0)
		return 0;
	uint32_t i = gram_find(t, p), end = f.off + f.len;
	struct datagram *g = &t->grams[i];
	bool overlap = false;
	g->last_ns = p->stamp_ns;
	/* Nothing lies behind the last fragment: what says otherwise is left out, as hosts do. */
	if (f.more ? g->has_last && end > g->total
		   : g->reach > (end + 7) / 8 || (g->has_last && g->total != end)) {
		set_event(p, four ? EV_IPV4_FRAG_OVERLAP : EV_IPV6_FRAG_OVERLAP);
		return 0;
	}
	if (!head_keep(t, i, &f) || !blocks_keep(t, i, &f, &overlap)) {
		set_event(p, four ? EV_IPV4_FRAG_IGNORED : EV_IPV6_FRAG_IGNORED);
		return 0;
	}
	if (overlap)
		set_event(p, four ? EV_IPV4_FRAG_OVERLAP : EV_IPV6_FRAG_OVERLAP);
	if (!f.more) {
		g->has_last = true;
		g->total = end;
	}
	if (!g->has_last || g->head_page == NONE || g->blocks != (g->total + 7) / 8)
		return 0;
	uint32_t len = 0;
	if (too_large(p, g->head_len, g->total))
		set_event(p, four ? EV_IPV4_FRAG_PKT_TOO_LARGE : EV_IPV6_FRAG_PKT_TOO_LARGE);
	else if (to != NULL)
		len = rebuild(t, g, to);
	else
		p->unread = true;
	if (p->unread)
		set_event(p, EV_TOO_MANY_LAYERS);
	gram_drop(t, i);
	return len;
}

void defrag_step(struct walk *w, struct pkt *p, const struct fragment *f)
{
	struct dissect *d = w->d;
	uint8_t *to = NULL;
	if (w->n < DISSECT_PKTS && d->rebuilt_used < REBUILT_BUFFERS && w->layers < LAYERS_MAX)
		to = d->rebuilt + (size_t)d->rebuilt_used * REBUILT_MAX;
	uint32_t len = defrag_add(d->defrag, p, f, to);
	if (len == 0)
		return;
	const uint32_t layers = w->layers;
	struct pkt *q = pkt_begin(w, p);
	d->rebuilt_used++;
	q->rebuilt = true;
	q->tunnel = p->tunnel;
	q->eth = p->eth;
	q->ethertype = p->ethertype;
	q->n_vlan = p->n_vlan;
	memcpy(q->vlan, p->vlan, sizeof(q->vlan));
	(void)(p->ip_ver == 4 ? ip4_decode(w, q, to, len) : ip6_decode(w, q, to, len));
	w->layers = layers;
}
