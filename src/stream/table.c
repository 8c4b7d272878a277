/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of flows: a pool of fixed size, chains of a keyed hash, and a list for each class of
 * time-outs, in the order of the last packet (to a second), so that a sweep looks at what is over and
 * at one more. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/stream_priv.h"

#define FLOWS_DEFAULT 65536u
#define FLOWS_MOST (1u << 24)
#define RELIST_NS NS_PER_SEC
#define RECLAIM_FLOWS 16u

enum ip_proto { IP_ICMP = 1, IP_TCP = 6, IP_UDP = 17, IP_ESP = 50, IP_ICMP6 = 58, IP_SCTP = 132 };

static int64_t or_default(int64_t ns, int64_t seconds)
{
	return ns ? ns : seconds * NS_PER_SEC;
}

static void conf_defaults(struct stream_conf *c)
{
	c->flows = c->flows ? c->flows : FLOWS_DEFAULT;
	c->depth = c->depth ? c->depth : 1 << 20;
	c->window = c->window ? c->window : 256 << 10;
	c->tcp_new_ns = or_default(c->tcp_new_ns, 60);
	c->tcp_est_ns = or_default(c->tcp_est_ns, 600);
	c->tcp_closed_ns = or_default(c->tcp_closed_ns, 10);
	c->udp_ns = or_default(c->udp_ns, 60);
	c->icmp_ns = or_default(c->icmp_ns, 30);
	c->other_ns = or_default(c->other_ns, 60);
}

static void lists_init(struct stream *s)
{
	const struct stream_conf *c = &s->conf;
	const int64_t timeouts[LISTS] = {
		[LIST_CLOSED] = c->tcp_closed_ns, [LIST_TCP_NEW] = c->tcp_new_ns,
		[LIST_OTHER] = c->other_ns,       [LIST_ICMP] = c->icmp_ns,
		[LIST_UDP] = c->udp_ns,           [LIST_TCP_EST] = c->tcp_est_ns,
		[LIST_DEAD] = c->tcp_est_ns};

	for (unsigned i = 0; i < LISTS; i++) {
		s->list[i].head = s->list[i].tail = NIL;
		s->list[i].timeout_ns = timeouts[i];
	}
}

int stream_create(const struct stream_conf *conf, struct slab *slab, struct stream **ret)
{
	struct stream *s;
	uint32_t n_buckets = 64;
	size_t bytes;
	int err;

	if (conf->flows > FLOWS_MOST || conf->policy > POLICY_WINDOWS)
		return SKEP_ERANGE;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->conf = *conf;
	s->slab = slab;
	conf_defaults(&s->conf);
	lists_init(s);
	/* Twice as many as flows: in a flood most searches find nothing. */
	while (n_buckets / 2 < s->conf.flows)
		n_buckets *= 2;
	s->mask = n_buckets - 1;
	s->free_head = NIL;
	random_fill(s->secret, sizeof(s->secret));
	bytes = (size_t)s->conf.flows * sizeof(*s->slots) + (size_t)n_buckets * 4 +
		(size_t)s->conf.flows * sizeof(*s->links) +
		sizeof(struct expect) * EXPECT_SETS * EXPECT_WAYS + 4096;
	err = arena_create(bytes, &s->arena);
	if (err) {
		free(s);
		return err;
	}
	s->slots = arena_alloc(&s->arena, s->conf.flows, sizeof(*s->slots));
	s->buckets = arena_alloc(&s->arena, n_buckets, sizeof(*s->buckets));
	s->expect = arena_alloc(&s->arena, (size_t)EXPECT_SETS * EXPECT_WAYS, sizeof(*s->expect));
	s->links = arena_alloc(&s->arena, s->conf.flows, sizeof(*s->links));
	if (!s->slots || !s->buckets || !s->expect || !s->links) {
		arena_destroy(&s->arena);
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

/* ---- keys ---------------------------------------------------------------------------- */

/* Who answers a query of this ICMP type; others have a key of their own type both ways. */
static uint16_t icmp_counterpart(uint8_t proto, uint8_t type)
{
	static const uint8_t v4[][2] = {{8, 0}, {13, 14}, {15, 16}, {17, 18}, {10, 9}};
	static const uint8_t v6[][2] = {{128, 129}, {133, 134}, {135, 136}, {139, 140}, {144, 145}};
	const uint8_t(*t)[2] = proto == IP_ICMP ? v4 : v6;

	for (unsigned i = 0; i < ARRAY_LEN(v4); i++) {
		if (t[i][0] == type)
			return t[i][1];
		if (t[i][1] == type)
			return t[i][0];
	}
	return type;
}

static bool has_flow(const struct pkt *p)
{
	if (!p->ip_ver || p->fragment || p->invalid)
		return false;
	return p->proto == IP_TCP || p->proto == IP_UDP || p->proto == IP_ICMP ||
	       p->proto == IP_ICMP6 || p->proto == IP_SCTP || p->proto == IP_ESP;
}

static void key_pack(struct flow_key *k, const struct addr *a, const struct addr *b, uint16_t pa,
		     uint16_t pb, bool v6)
{
	if (v6) {
		memcpy(&k->w[0], a->b, 16);
		memcpy(&k->w[2], b->b, 16);
	} else {
		uint32_t x, y;

		memcpy(&x, a->b, 4);
		memcpy(&y, b->b, 4);
		k->w[0] = (uint64_t)x << 32 | y;
		k->w[1] = k->w[2] = k->w[3] = 0;
	}
	k->w[4] = (uint64_t)pa << 16 | pb;
}

/* The same key for both directions: the smaller end comes first. Returns whether that swapped. */
static bool key_of(struct flow_key *k, const struct addr *src, const struct addr *dst, uint16_t sp,
		   uint16_t dp, uint8_t proto, uint8_t ver, const struct pkt *p)
{
	int c = memcmp(src->b, dst->b, ver == 6 ? 16 : 4);
	bool swap = c > 0 || (!c && sp > dp);

	if (swap)
		key_pack(k, dst, src, dp, sp, ver == 6);
	else
		key_pack(k, src, dst, sp, dp, ver == 6);
	k->w[4] |= (uint64_t)proto << 32 | (uint64_t)ver << 40;
	k->w[5] = (uint64_t)p->n_vlan << 48;
	for (unsigned i = 0; i < p->n_vlan && i < DISSECT_VLANS; i++)
		k->w[5] |= (uint64_t)p->vlan[i] << (16 * i);
	return swap;
}

/* Inline each echo id is a conversation of its own: what is done to one ping shall not touch the next. (Suricata, whom
 * we follow offline, takes all of them for one.) */
static void key_add_id(const struct stream *s, struct flow_key *k, uint16_t id)
{
	if (s->conf.inline_mode)
		k->w[4] |= (uint64_t)id << 48;
}

/* An ICMP error belongs to the flow of the packet it quotes. False: no error, or quotes too little. */
static bool key_of_quoted(const struct stream *s, struct flow_key *k, const struct pkt *p,
			  bool *ret_swapped)
{
	const uint8_t *q = p->l4 ? p->l4 + 8 : NULL;
	uint32_t ihl, len = p->l4_len < 8 ? 0 : p->l4_len - 8;
	struct addr src, dst;
	uint8_t proto;
	uint16_t sp = 0, dp = 0;

	if (p->proto != IP_ICMP || p->ip_ver != 4 || !q || len < 28)
		return false;
	if (p->icmp_type != 3 && p->icmp_type != 4 && p->icmp_type != 5 && p->icmp_type != 11 &&
	    p->icmp_type != 12)
		return false;
	ihl = (q[0] & 15u) * 4;
	if (q[0] >> 4 != 4 || ihl < 20 || len < ihl + 8)
		return false;
	src = addr_from_v4(q + 12);
	dst = addr_from_v4(q + 16);
	proto = q[9];
	if (proto == IP_TCP || proto == IP_UDP || proto == IP_SCTP) {
		sp = load_be16(q + ihl);
		dp = load_be16(q + ihl + 2);
	} else if (proto == IP_ICMP) {
		sp = q[ihl];
		dp = icmp_counterpart(proto, q[ihl]);
	} else {
		return false;
	}
	/* It goes back: the direction is that of an answer. */
	*ret_swapped = !key_of(k, &src, &dst, sp, dp, proto, 4, p);
	if (proto == IP_ICMP)
		key_add_id(s, k, load_be16(q + ihl + 4));
	return true;
}

static bool key_of_pkt(const struct stream *s, struct flow_key *k, const struct pkt *p)
{
	uint16_t sp = p->sport, dp = p->dport;

	if (p->proto == IP_ICMP || p->proto == IP_ICMP6) {
		sp = p->icmp_type;
		dp = icmp_counterpart(p->proto, p->icmp_type);
	}
	bool swapped = key_of(k, &p->src, &p->dst, sp, dp, p->proto, p->ip_ver, p);
	if (p->has_icmp_id)
		key_add_id(s, k, p->icmp_id);
	return swapped;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* A folded multiplication keyed with 256 random bits: a third of SipHash's time. Nobody outside sees
 * a bucket, so the secret can't be worked out from what we do. */
static uint32_t hash_of(const struct stream *s, const struct flow_key *k)
{
	uint64_t h = fold(k->w[0] ^ s->secret[0], k->w[4] ^ s->secret[1]);

	if (k->w[1] | k->w[2] | k->w[3])
		h = fold(h ^ k->w[1], fold(k->w[2] ^ s->secret[2], k->w[3] ^ s->secret[3]));
	h = fold(h ^ k->w[5] ^ s->secret[2], s->secret[3] | 1);
	return (uint32_t)(h ^ h >> 32);
}

static inline bool key_eq(const struct flow_key *a, const struct flow_key *b)
{
	uint64_t diff = 0;

	for (unsigned i = 0; i < ARRAY_LEN(a->w); i++)
		diff |= a->w[i] ^ b->w[i];
	return !diff;
}

/* Chains lie in an array of their own, small enough for the cache: the slots, which are not, are
 * looked at only where the whole hash is the same. */
static struct slot *table_find(struct stream *s, const struct flow_key *k, uint32_t hash)
{
	for (uint32_t i = s->buckets[hash & s->mask]; i; i = s->links[i - 1].next)
		if (s->links[i - 1].hash == hash && key_eq(&s->slots[i - 1].key, k))
			return &s->slots[i - 1];
	return NULL;
}

static void chain_add(struct stream *s, uint32_t i, uint32_t hash)
{
	s->links[i] = (struct link){hash, s->buckets[hash & s->mask]};
	s->buckets[hash & s->mask] = i + 1;
}

static void chain_remove(struct stream *s, uint32_t i)
{
	uint32_t *at = &s->buckets[s->links[i].hash & s->mask];

	while (*at != i + 1)
		at = &s->links[*at - 1].next;
	*at = s->links[i].next;
}

/* ---- time-out lists -------------------------------------------------------------------- */

static void list_remove(struct stream *s, struct slot *sl)
{
	s->n_dead -= sl->list == LIST_DEAD;
	if (sl->prev == NIL)
		s->list[sl->list].head = sl->next;
	else
		s->slots[sl->prev].next = sl->next;
	if (sl->next == NIL)
		s->list[sl->list].tail = sl->prev;
	else
		s->slots[sl->next].prev = sl->prev;
}

static void list_append(struct stream *s, struct slot *sl, uint8_t list)
{
	uint32_t i = (uint32_t)(sl - s->slots), tail = s->list[list].tail;

	s->n_dead += list == LIST_DEAD;
	sl->list = list;
	sl->listed_ns = s->now_ns;
	sl->prev = tail;
	sl->next = NIL;
	if (tail == NIL)
		s->list[list].head = i;
	else
		s->slots[tail].next = i;
	s->list[list].tail = i;
}

static uint8_t list_for(const struct stream *s, const struct slot *sl)
{
	const struct stream_flow *f = &sl->f;

	if (f->dead && s->conf.inline_mode)
		return LIST_DEAD;
	if (f->proto == IP_UDP)
		return LIST_UDP;
	if (f->proto == IP_ICMP || f->proto == IP_ICMP6)
		return LIST_ICMP;
	if (f->proto != IP_TCP)
		return LIST_OTHER;
	if (f->state >= STREAM_TIME_WAIT)
		return LIST_CLOSED;
	return f->tcp && tcb_of(sl)->opened ? LIST_TCP_EST : LIST_TCP_NEW;
}

/* To the end of its list, but not for every packet: a second's difference is none. */
static void touch(struct stream *s, struct slot *sl)
{
	uint8_t list = list_for(s, sl);

	sl->f.last_ns = s->now_ns;
	if (list == sl->list && s->now_ns - sl->listed_ns < RELIST_NS)
		return;
	list_remove(s, sl);
	list_append(s, sl, list);
}

static bool timed_out(const struct stream *s, const struct slot *sl)
{
	return s->now_ns - sl->f.last_ns >= s->list[sl->list].timeout_ns;
}

/* ---- birth and end --------------------------------------------------------------------- */

static void flow_end(struct stream *s, struct slot *sl, const char *reason)
{
	uint32_t i = (uint32_t)(sl - s->slots);

	sl->f.done = true;
	if (sl->f.tcp) {
		sl->f.established = tcb_of(sl)->opened;
		for (unsigned d = 0; d < 2; d++) {
			tcb_of(sl)->half[d].flush = true;
			side_release(s, sl, d, NULL);
		}
	}
	if (s->conf.ended)
		s->conf.ended(s->conf.ctx, &sl->f, reason);
	tcp_free(s, sl);
	chain_remove(s, i);
	list_remove(s, sl);
	sl->in_use = false;
	sl->next = s->free_head;
	s->free_head = i;
	s->stats.active--;
}

/* Who has to go when the table is full: the one longest silent among the closed; if there is none,
 * among the half-open, then other protocols, ICMP, UDP, and at last established connections. Blocked
 * ones are forgotten after all others, but never hold more than half of the table. */
static bool evict(struct stream *s)
{
	bool many_dead = s->n_dead > s->conf.flows / 2;

	for (unsigned i = 0; i < LISTS; i++) {
		uint32_t h = s->list[many_dead ? LIST_DEAD - i : i].head;

		if (h == NIL)
			continue;
		flow_end(s, &s->slots[h], "evicted");
		s->stats.evicted++;
		return true;
	}
	return false;
}

static bool end_oldest(struct stream *s, unsigned list, uint32_t most, const struct slot *keep)
{
	uint32_t n = 0;

	for (; n < most; n++) {
		uint32_t h = s->list[list].head;

		if (h == NIL || &s->slots[h] == keep)
			break;
		flow_end(s, &s->slots[h], "evicted");
		s->stats.evicted++;
	}
	return n > 0;
}

bool table_reclaim(struct stream *s, const struct slot *keep)
{
	return end_oldest(s, LIST_CLOSED, RECLAIM_FLOWS, keep);
}

bool table_make_way(struct stream *s, const struct slot *keep)
{
	return table_reclaim(s, keep) || end_oldest(s, LIST_TCP_NEW, 1, keep);
}

static struct slot *slot_take(struct stream *s)
{
	struct slot *sl;

	if (s->free_head == NIL && s->fresh == s->conf.flows && !evict(s))
		return NULL;
	if (s->free_head != NIL) {
		sl = &s->slots[s->free_head];
		s->free_head = sl->next;
	} else {
		sl = &s->slots[s->fresh++];
	}
	return sl;
}

static struct slot *flow_begin(struct stream *s, const struct pkt *p, const struct flow_key *k,
			       uint32_t hash, bool swapped)
{
	struct slot *sl = slot_take(s);
	/* An answer to a SYN that was not seen: who sent it is the server. */
	bool answer = p->proto == IP_TCP && s->conf.midstream &&
		      (p->tcp.flags & (FL_SYN | FL_ACK | FL_RST)) == (FL_SYN | FL_ACK);
	struct stream_flow *f;

	if (!sl)
		return NULL;
	f = &sl->f;
	memset(f, 0, sizeof(*f));
	sl->key = *k;
	chain_add(s, (uint32_t)(sl - s->slots), hash);
	sl->swapped = swapped != answer;
	sl->in_use = true;
	f->addr[answer] = p->src;
	f->addr[!answer] = p->dst;
	f->port[answer] = p->sport;
	f->port[!answer] = p->dport;
	if (p->proto == IP_ICMP || p->proto == IP_ICMP6) {
		f->port[0] = p->icmp_type;
		f->port[1] = p->icmp_code;
		f->icmp_id = p->icmp_id;
	}
	f->proto = p->proto;
	f->ip_ver = p->ip_ver;
	f->n_vlan = p->n_vlan;
	memcpy(f->vlan, p->vlan, sizeof(f->vlan));
	f->id = ++s->next_id;
	f->start_ns = f->last_ns = p->stamp_ns;
	list_append(s, sl, list_for(s, sl));
	s->stats.flows++;
	s->stats.active++;
	return sl;
}

/* ---- packets --------------------------------------------------------------------------- */

static void other_packet(struct stream_flow *f, unsigned dir)
{
	if (f->established || dir == TO_SERVER)
		return;
	f->established = true;
	f->state = STREAM_ESTABLISHED;
}

/* ICMP errors never begin a flow; they count in the one they are about. */
static void error_packet(struct stream *s, const struct pkt *p, const struct flow_key *k,
			 bool swapped, struct stream_result *ret)
{
	struct slot *sl = table_find(s, k, hash_of(s, k));

	if (!sl)
		return;
	ret->flow = &sl->f;
	ret->dir = swapped != sl->swapped;
	ret->refuse = sl->f.dead && s->conf.inline_mode;
	sl->f.pkts[ret->dir]++;
	sl->f.bytes[ret->dir] += p->frame_wire;
}

static bool is_icmp4_error(const struct pkt *p)
{
	return p->proto == IP_ICMP &&
	       (p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 5 || p->icmp_type == 11 ||
		p->icmp_type == 12);
}

void stream_packet(struct stream *s, const struct pkt *p, struct stream_result *ret)
{
	struct flow_key k;
	struct slot *sl;
	uint32_t hash;
	bool swapped;
	struct step st;

	memset(ret, 0, sizeof(*ret));
	if (p->stamp_ns > s->now_ns)
		s->now_ns = p->stamp_ns;
	if (!has_flow(p))
		return;
	if (is_icmp4_error(p)) {
		if (key_of_quoted(s, &k, p, &swapped))
			error_packet(s, p, &k, swapped, ret);
		return;
	}
	swapped = key_of_pkt(s, &k, p);
	hash = hash_of(s, &k);
	sl = table_find(s, &k, hash);
	if (sl && timed_out(s, sl)) {
		flow_end(s, sl, "timeout");
		sl = NULL;
	} else if (sl && p->proto == IP_TCP && (p->tcp.flags & FL_SYN) &&
		   tcp_reuses(sl, p, swapped != sl->swapped)) {
		flow_end(s, sl, "reused");
		sl = NULL;
	}
	if (!sl) {
		sl = flow_begin(s, p, &k, hash, swapped);
		ret->first = true;
		if (!sl) {
			s->stats.refused++;
			ret->refuse = s->conf.inline_mode;
			return;
		}
	}
	ret->flow = &sl->f;
	ret->dir = swapped != sl->swapped;
	sl->f.pkts[ret->dir]++;
	sl->f.bytes[ret->dir] += p->frame_wire;
	ret->refuse = sl->f.dead && s->conf.inline_mode;
	st = (struct step){s, sl, p, ret, ret->dir, false};
	if (p->proto == IP_TCP)
		tcp_packet(&st);
	else
		other_packet(&sl->f, ret->dir);
	touch(s, sl);
}

bool stream_more(struct stream *s, struct stream_flow *f, struct stream_result *ret)
{
	struct slot *sl = slot_of(f);

	ret->grown[0] = ret->grown[1] = false;
	if (!f->tcp || !tcb_of(sl)->pending)
		return false;
	tcb_of(sl)->pending = false;
	side_release(s, sl, 0, ret);
	side_release(s, sl, 1, ret);
	return ret->grown[0] || ret->grown[1];
}

void stream_settle(struct stream *s, struct stream_flow *f)
{
	struct slot *sl = slot_of(f);

	if (f->done) {
		flow_end(s, sl, "ended");
		return;
	}
	if (f->dead && s->conf.inline_mode && sl->list != LIST_DEAD) {
		list_remove(s, sl);
		list_append(s, sl, LIST_DEAD);
	}
	if (!f->tcp)
		return;
	if (f->dead)
		f->side[0].no_app = f->side[0].no_raw = f->side[1].no_app = f->side[1].no_raw =
			true;
	side_settle(s, sl, 0);
	side_settle(s, sl, 1);
}

uint32_t stream_sweep(struct stream *s, int64_t now_ns, uint32_t budget)
{
	uint32_t n = 0;

	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
	for (unsigned i = 0; i < LISTS; i++) {
		while (n < budget && s->list[i].head != NIL) {
			struct slot *sl = &s->slots[s->list[i].head];

			/* Others behind it may be over, by less than RELIST_NS: next time. */
			if (!timed_out(s, sl))
				break;
			flow_end(s, sl, "timeout");
			n++;
		}
	}
	return n;
}

void stream_each(struct stream *s, void (*fn)(void *ctx, struct stream_flow *f), void *ctx)
{
	for (uint32_t i = 0; i < s->fresh; i++)
		if (s->slots[i].in_use)
			fn(ctx, &s->slots[i].f);
}

struct stream_flow *stream_find(struct stream *s, const struct pkt *p, unsigned *ret_dir)
{
	struct flow_key k;
	struct slot *sl;
	bool swapped;

	if (!has_flow(p))
		return NULL;
	if (!is_icmp4_error(p))
		swapped = key_of_pkt(s, &k, p);
	else if (!key_of_quoted(s, &k, p, &swapped))
		return NULL;
	sl = table_find(s, &k, hash_of(s, &k));
	if (!sl)
		return NULL;
	*ret_dir = swapped != sl->swapped;
	return &sl->f;
}

void stream_free(struct stream **s)
{
	if (!*s)
		return;
	for (unsigned i = 0; i < LISTS; i++)
		while ((*s)->list[i].head != NIL)
			flow_end(*s, &(*s)->slots[(*s)->list[i].head], "finished");
	arena_destroy(&(*s)->arena);
	free(*s);
	*s = NULL;
}

void stream_read_stats(const struct stream *s, struct stream_stats *ret)
{
	*ret = s->stats;
}
