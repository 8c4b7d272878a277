/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: what guests may do outwards. Three tools: limits (never more than N new conversations in
 * any period of a length; shared memory, survives the wall), buckets (packet and byte rates) and the
 * list of destinations that are off limits. Pure. Used by wall (through judge).
 */
#ifndef SKEP_POLICY_H
#define SKEP_POLICY_H

#include "conf/conf.h"

/* ---- limits ------------------------------------------------------------------------------- */

enum policy_class {
	POLICY_TCP,
	POLICY_UDP,
	POLICY_ICMP,
	POLICY_OTHER,
	POLICY_DNS,
	POLICY_LATERAL,
	POLICY_CLASSES
};
/* "tcp": the word events and the configuration use. */
const char *policy_class_text(enum policy_class c);

#define POLICY_SLOTS 32u  /* guests remembered */
#define POLICY_RING 4096u /* most conversations one window can count */

/* The shared file: see limits.c. */
struct policy_limits;

enum policy_state { POLICY_FRESH, POLICY_KEPT, POLICY_CORRUPT };

/* Size of the shared file. */
size_t policy_limits_bytes(void);
/* Takes mem (policy_limits_bytes long, caller's) for what it holds, if every field makes sense at
 * now_ns; otherwise empties it. ret_state tells which. Never fails: a broken file must not keep the
 * wall from starting, and an empty one still limits. */
struct policy_limits *policy_limits_at(void *mem, int64_t now_ns, enum policy_state *ret_state);
/* The slot of a guest, by name; taken if new. Names in keep (n of them) are never pushed out. */
MUST_USE int policy_slot(struct policy_limits *p, const char *guest, const char *const *keep,
			 size_t n, unsigned *ret_slot);

/* How full the window is that decides: the one that refused, else the one with the least left. */
struct policy_use {
	uint32_t used, max, window_s; /* max 0 and window_s 0: no limit applies */
};
/* One new conversation: allowed by every window of l? Only then it is counted, in all of them. */
bool policy_charge(struct policy_limits *p, unsigned slot, enum policy_class class,
		   const struct conf_limit *l, int64_t now_ns, struct policy_use *ret);
/* The tightest window now, charging nothing. */
void policy_read(const struct policy_limits *p, unsigned slot, enum policy_class class,
		 const struct conf_limit *l, int64_t now_ns, struct policy_use *ret);

/* ---- rules ------------------------------------------------------------------------------------ */

/* A new conversation that a guest wants to begin. */
struct policy_ask {
	const char *guest, *guest_class;
	uint8_t class; /* enum policy_class: one of the first four */
	bool lateral, resolver;
	uint16_t dport;
	struct addr dst; /* as asked */
};
/* The rule that decides, or NULL: none does. */
const struct conf_policy *policy_match(const struct conf_policy *rules, uint32_t n,
				       const struct policy_ask *a);
/* Has it windows of its own? */
bool policy_counts(const struct conf_policy *p);

/* ---- meters: what such windows count, per guest, in the same shared file ----------------------- */

#define POLICY_METERS 128u /* per guest: rules, or destinations of them */
#define POLICY_SLICES 16u
#define POLICY_NO_METER 0xffffu

struct policy_meter_key {
	uint64_t rule;
	struct addr dst;
	uint8_t class, used, pad[2];
};
struct policy_amount {
	uint64_t connections, packets, bytes;
};
enum policy_metered { POLICY_METER_ROOM, POLICY_METER_OVER, POLICY_METER_FULL };

/* The meter of rule p (at index rule) for a conversation of that class to dst. */
void policy_meter_key_of(const struct conf_policy *p, unsigned rule, enum policy_class class,
			 const struct addr *dst, struct policy_meter_key *ret);
/* Is there room for a in every window (kinds that are 0 in a are not asked)? hint: where the meter was
 * last; POLICY_NO_METER at first. ret is set to the window that says no. FULL: all meters are in use. */
enum policy_metered policy_meter_has(struct policy_limits *p, unsigned slot,
				     const struct conf_policy *rule,
				     const struct policy_meter_key *key,
				     const struct policy_amount *a, int64_t now_ns, uint16_t *hint,
				     struct policy_use *ret);
/* The same, and counts it in all of them if there is. */
enum policy_metered policy_meter_take(struct policy_limits *p, unsigned slot,
				      const struct conf_policy *rule,
				      const struct policy_meter_key *key,
				      const struct policy_amount *a, int64_t now_ns, uint16_t *hint,
				      struct policy_use *ret);
/* The tightest window of connections. */
void policy_meter_read(struct policy_limits *p, unsigned slot, const struct conf_policy *rule,
		       const struct policy_meter_key *key, int64_t now_ns, struct policy_use *ret);

/* ---- orders of the operator at run time --------------------------------------------------------- */

#define POLICY_NETS 64u
enum policy_lockdown { LOCKDOWN_OFF, LOCKDOWN_OUTBOUND, LOCKDOWN_ALL };

struct policy_net {
	struct prefix net;
	int64_t until_ns; /* boot clock; 0: for good */
};
struct policy_override {
	char guest[CONF_NAME];
	uint8_t act; /* enum conf_act, but ACT_REFLECT */
	int64_t until_ns;
};
struct policy_now {
	uint64_t generation; /* grows with every change */
	uint32_t n_fences, n_ignored, n_overrides;
	uint8_t lockdown; /* enum policy_lockdown */
	struct policy_net fences[POLICY_NETS], ignored[POLICY_NETS];
	struct policy_override overrides[CONF_GUESTS];
};

/* "limit": the word of the configuration; and back: SKEP_ENOTFOUND. */
const char *policy_act_text(uint8_t act);
MUST_USE int policy_act_parse(const char *text, uint8_t *ret);
/* Counts and values in range? */
bool policy_now_sound(const struct policy_now *p);
enum policy_over { POLICY_OVER_NONE, POLICY_OVER_FENCE, POLICY_OVER_IGNORE, POLICY_OVER_OVERRIDE };
/* Takes out one order whose time is over, if there is one. */
enum policy_over policy_now_expire(struct policy_now *p, int64_t now_ns, struct policy_net *ret_net,
				   struct policy_override *ret_override);
/* SKEP_EFULL; or SKEP_ENOTFOUND. One that is there already gets the new time. */
MUST_USE int policy_net_add(struct policy_net *nets, uint32_t *n, const struct prefix *net,
			    int64_t until_ns);
MUST_USE int policy_net_remove(struct policy_net *nets, uint32_t *n, const struct prefix *net);
MUST_USE int policy_override_set(struct policy_now *p, const char *guest, uint8_t act,
				 int64_t until_ns);
MUST_USE int policy_override_reset(struct policy_now *p, const char *guest);
/* NULL: none. */
const struct policy_override *policy_override_of(const struct policy_now *p, const char *guest);

/* ---- buckets ------------------------------------------------------------------------------- */

/* Up to a quarter of a second's worth at once, then per_second. *bucket_ns is its whole state (zero:
 * full). per_second 0: no cap. One item that alone is larger than the burst passes a full bucket.
 * Takes n if there is room. */
bool policy_bucket_take(int64_t *bucket_ns, uint64_t per_second, uint64_t n, int64_t now_ns);
/* Would it be taken? (per_second and n as above.) */
bool policy_bucket_has(int64_t bucket_ns, uint64_t per_second, uint64_t n, int64_t now_ns);

/* The same with the price of one item and the burst given as times: for a few things a second. */
bool policy_rate_take(int64_t *bucket_ns, int64_t price_ns, int64_t burst_ns, int64_t now_ns);

/* ---- off limits ------------------------------------------------------------------------------ */

#define POLICY_RANGES 256u

struct policy_range {
	uint8_t lo[16], hi[16]; /* network order; IPv4 in the first four */
};

struct policy_off_limits {
	uint32_t n[2]; /* IPv4, IPv6; sorted, not overlapping */
	struct policy_range range[2][POLICY_RANGES];
	uint32_t n_allowed;
	struct prefix allowed[CONF_PREFIXES];
};

/* Private, loopback, link-local, metadata, multicast, reserved and tunnel ranges of both versions,
 * plus the operator's and the host's. The documentation ranges are not among them: they are the
 * lab's Internet. */
void policy_off_limits_make(const struct conf_wall *wall, const struct prefix *host, size_t n_host,
			    struct policy_off_limits *ret);
bool policy_is_off_limits(const struct policy_off_limits *o, const struct addr *dst);

#endif
