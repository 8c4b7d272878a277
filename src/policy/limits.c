/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits that slide. For each guest and class one ring holds the moments of the last 4096 allowed
 * conversations. A window (N, length) allows one more if the Nth last of them is further back than
 * its length, so any number of windows share one ring, and no period of that length, wherever it
 * begins, ever holds more than N. A refused attempt leaves no trace here.
 *
 * The rings live in a file that super keeps: the wall may die at any instruction. So a stamp is
 * written before the count that makes it valid, and on start every field is checked; a stamp that is
 * older than the one before it or in the future (the host was restarted: its boot clock began anew)
 * means the file is not ours.
 */
#include "policy/policy_priv.h"

#include <string.h>

#define LIMITS_MAGIC 0x736b65706c696d31ull /* "skeplim1" */
#define LIMITS_VERSION 2u

_Static_assert((POLICY_RING & (POLICY_RING - 1)) == 0, "the ring index is a mask");

const char *policy_class_text(enum policy_class c)
{
	static const char *const names[] = {"tcp", "udp", "icmp", "other", "dns", "lateral"};
	_Static_assert(ARRAY_LEN(names) == POLICY_CLASSES, "a name for each class");
	return c < POLICY_CLASSES ? names[c] : "?";
}

size_t policy_limits_bytes(void)
{
	return sizeof(struct policy_limits);
}

/* ---- taking over a file ---------------------------------------------------------------------- */

static uint64_t ring_held(const struct ring *r)
{
	return r->count < POLICY_RING ? r->count : POLICY_RING;
}

static int64_t ring_back(const struct ring *r, uint64_t nth_last)
{
	return r->stamp_ns[(r->count - nth_last) & (POLICY_RING - 1)];
}

static bool ring_sound(const struct ring *r, int64_t now_ns)
{
	if (r->count > UINT64_MAX / 2)
		return false;
	int64_t newer = now_ns;
	for (uint64_t i = 1; i <= ring_held(r); i++) {
		int64_t stamp = ring_back(r, i);
		if (stamp > newer || stamp < 0)
			return false;
		newer = stamp;
	}
	return true;
}

static bool name_sound(const char name[CONF_NAME])
{
	size_t len = strnlen(name, CONF_NAME);
	if (len == CONF_NAME)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return true;
}

static bool slot_sound(const struct slot *s, int64_t now_ns)
{
	if (!name_sound(s->guest))
		return false;
	for (unsigned c = 0; c < POLICY_CLASSES; c++)
		if (!ring_sound(&s->rings[c], now_ns) ||
		    (s->guest[0] == '\0' && s->rings[c].count != 0))
			return false;
	for (unsigned i = 0; i < POLICY_METERS; i++)
		if (!meter_sound(&s->meters[i], now_ns))
			return false;
	return true;
}

static bool file_sound(const struct policy_limits *p, int64_t now_ns)
{
	if (p->magic != LIMITS_MAGIC || p->version != LIMITS_VERSION || p->slots != POLICY_SLOTS ||
	    p->classes != POLICY_CLASSES || p->ring != POLICY_RING || p->bytes != sizeof(*p))
		return false;
	for (unsigned i = 0; i < POLICY_SLOTS; i++) {
		if (!slot_sound(&p->slot[i], now_ns))
			return false;
		for (unsigned k = 0; k < i; k++)
			if (p->slot[i].guest[0] != '\0' &&
			    strcmp(p->slot[i].guest, p->slot[k].guest) == 0)
				return false;
	}
	return true;
}

struct policy_limits *policy_limits_at(void *mem, int64_t now_ns, enum policy_state *ret_state)
{
	struct policy_limits *p = mem;
	if (file_sound(p, now_ns)) {
		*ret_state = POLICY_KEPT;
		return p;
	}
	bool blank = p->magic == 0 && p->version == 0 && p->bytes == 0;
	memset(p, 0, sizeof(*p));
	p->version = LIMITS_VERSION;
	p->slots = POLICY_SLOTS;
	p->classes = POLICY_CLASSES;
	p->ring = POLICY_RING;
	p->bytes = sizeof(*p);
	p->magic = LIMITS_MAGIC;
	*ret_state = blank ? POLICY_FRESH : POLICY_CORRUPT;
	return p;
}

/* ---- slots ------------------------------------------------------------------------------------ */

static bool listed(const char *name, const char *const *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, keep[i]) == 0)
			return true;
	return false;
}

/* When it was last charged; a free slot is older than any other. */
static int64_t slot_last_ns(const struct slot *s)
{
	int64_t last = s->guest[0] == '\0' ? -1 : 0;
	for (unsigned c = 0; c < POLICY_CLASSES; c++)
		if (s->rings[c].count > 0 && ring_back(&s->rings[c], 1) > last)
			last = ring_back(&s->rings[c], 1);
	return last;
}

int policy_slot(struct policy_limits *p, const char *guest, const char *const *keep, size_t n,
		unsigned *ret_slot)
{
	struct slot *best = NULL;
	if (guest[0] == '\0' || strlen(guest) >= CONF_NAME)
		return SKEP_ERANGE;
	for (unsigned i = 0; i < POLICY_SLOTS; i++) {
		struct slot *s = &p->slot[i];
		if (strcmp(s->guest, guest) == 0) {
			*ret_slot = i;
			return 0;
		}
		if (s->guest[0] != '\0' && listed(s->guest, keep, n))
			continue;
		if (best == NULL || slot_last_ns(s) < slot_last_ns(best))
			best = s;
	}
	if (best == NULL)
		return SKEP_EFULL;
	memset(best, 0, sizeof(*best));
	text_copy(best->guest, sizeof(best->guest), guest);
	*ret_slot = (unsigned)(best - p->slot);
	return 0;
}

/* ---- charging ---------------------------------------------------------------------------------- */

static uint32_t window_max(const struct conf_window *w)
{
	return w->max < POLICY_RING ? w->max : POLICY_RING;
}

static bool window_open(const struct ring *r, const struct conf_window *w, int64_t now_ns)
{
	uint32_t max = window_max(w);
	if (max == 0)
		return false;
	return r->count < max || now_ns - ring_back(r, max) > w->window_ns;
}

/* How many of the last conversations lie within the window: stamps never decrease, so a binary
 * search finds the first that does not. */
static uint32_t window_used(const struct ring *r, const struct conf_window *w, int64_t now_ns)
{
	uint64_t in = 0, out = ring_held(r) + 1;
	while (out - in > 1) {
		uint64_t mid = in + (out - in) / 2;
		if (now_ns - ring_back(r, mid) <= w->window_ns)
			in = mid;
		else
			out = mid;
	}
	return (uint32_t)in;
}

static void use_of(const struct ring *r, const struct conf_window *w, int64_t now_ns,
		   struct policy_use *ret)
{
	ret->max = window_max(w);
	ret->used = window_used(r, w, now_ns);
	ret->window_s = (uint32_t)(w->window_ns / NS_PER_SEC);
}

void policy_read(const struct policy_limits *p, unsigned slot, enum policy_class class,
		 const struct conf_limit *l, int64_t now_ns, struct policy_use *ret)
{
	*ret = (struct policy_use){0};
	for (uint32_t i = 0; i < l->n && i < CONF_WINDOWS; i++) {
		struct policy_use u;
		use_of(&p->slot[slot].rings[class], &l->w[i], now_ns, &u);
		if (i == 0 || (int64_t)u.max - u.used < (int64_t)ret->max - ret->used)
			*ret = u;
	}
}

bool policy_charge(struct policy_limits *p, unsigned slot, enum policy_class class,
		   const struct conf_limit *l, int64_t now_ns, struct policy_use *ret)
{
	struct ring *r = &p->slot[slot].rings[class];
	if (r->count > 0 && now_ns < ring_back(r, 1)) /* never: but stamps must not decrease */
		now_ns = ring_back(r, 1);
	for (uint32_t i = 0; i < l->n && i < CONF_WINDOWS; i++) {
		if (!window_open(r, &l->w[i], now_ns)) {
			use_of(r, &l->w[i], now_ns, ret);
			return false;
		}
	}
	r->stamp_ns[r->count & (POLICY_RING - 1)] = now_ns;
	__atomic_store_n(&r->count, r->count + 1, __ATOMIC_RELEASE);
	policy_read(p, slot, class, l, now_ns, ret);
	return true;
}
