/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs in the kernel, attached with traffic control (classifiers in direct-action mode):
 *   skep_in     what comes by the uplink: to the wall, or on to the host's stack
 *   skep_out    what leaves by the uplink: of the wall, known by its mark; or of the host, remembered
 *   skep_wall   what comes from the wall: the second fence, then out by the uplink
 *   skep_inner  what goes to the wall: nothing but what skep_in sent there
 * Only helpers that Linux 5.8 has; no type information of the running kernel is needed. What is not
 * ours leaves with TC_ACT_UNSPEC, so that others' classifiers behind us have their say.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "steer/kernel.h"
#include "steer/parse.h"

#define NS_PER_SEC 1000000000ull
#define PART_AGE_NS (60 * NS_PER_SEC) /* a datagram's fragments are together or never */
#define OTHER_HOST 3                  /* skb->pkt_type: not to our link address */
#define TCP_RST 4

/* ---- maps: sizes that depend on a constant of steer.h are set before loading --------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct steer_set);
} settings SEC(".maps");

struct { /* when steer_beat was last called */
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} beat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct steer_addr);
	__type(value, __u32);
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} kept SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct steer_key);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct steer_part_key);
	__type(value, struct steer_part);
} parts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STEER_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

const char _license[] SEC("license") = "Dual BSD/GPL";

/* ---- common ------------------------------------------------------------------------------------------ */

static inline const struct steer_set *the_settings(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&settings, &zero);
}

static inline void count(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &what);
	if (n)
		(*n)++;
}

/* Nobody calls steer_beat any more (or has yet). */
static inline int is_dead(const struct steer_set *set)
{
	__u32 zero = 0;
	__u64 now = bpf_ktime_get_boot_ns(), *last = bpf_map_lookup_elem(&beat, &zero);
	return !last || *last == 0 || (now > *last && now - *last > set->silence_ns);
}

static inline __u32 kind_of(const struct steer_addr *a)
{
	__u32 *kind = bpf_map_lookup_elem(&own, a);
	return kind ? *kind : 0;
}

static inline int is_kept(__u8 proto, __u16 port, __u8 ver)
{
	__u32 key = steer_kept_key(proto, port);
	if (proto == PROTO_UDP && ver == 4 && (port == 67 || port == 68))
		return 1;
	if (proto == PROTO_UDP && ver == 6 && (port == 546 || port == 547))
		return 1;
	return bpf_map_lookup_elem(&kept, &key) != 0;
}

/* Has the host this conversation? Frames of it, in either direction, keep it known. */
static inline int is_flow(const struct steer_set *set, const struct steer_key *key, int refresh)
{
	__u64 now = bpf_ktime_get_boot_ns(), *seen = bpf_map_lookup_elem(&flows, key);
	if (!seen || (now > *seen && now - *seen > set->host_idle_ns))
		return 0;
	if (refresh && now > *seen && now - *seen > NS_PER_SEC)
		*seen = now;
	return 1;
}

/* The conversation of a packet that goes to (or, out: comes from) an address here. */
static inline void key_of(const struct seen *s, int out, struct steer_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->local = out ? s->src : s->dst;
	key->remote = out ? s->dst : s->src;
	key->proto = s->proto;
	if (s->proto == PROTO_TCP || s->proto == PROTO_UDP) {
		key->local_port = out ? s->sport : s->dport;
		key->remote_port = out ? s->dport : s->sport;
	} else if (s->proto == PROTO_ICMP || s->proto == PROTO_ICMP6) {
		key->local_port = s->echo_id;
	}
}

/* Is this packet, to or from a shared address, of a conversation that is the host's? */
static inline int is_hosts(const struct steer_set *set, const struct seen *s, int out, int refresh)
{
	struct steer_key key;
	if (seen_is_tunnel(s->proto))
		return 1;
	key_of(s, out, &key);
	if ((s->proto == PROTO_TCP || s->proto == PROTO_UDP) &&
	    is_kept(s->proto, key.local_port, key.local.ver))
		return 1;
	return is_flow(set, &key, refresh);
}

/* Is this error about something that is the host's? What it quotes goes the other way. Of what can't be read, the
 * wall says nothing. */
static inline int quotes_hosts(struct __sk_buff *skb, const struct steer_set *set,
			       const struct seen *s, int out)
{
	struct seen q;
	__builtin_memset(&q, 0, sizeof(q));
	seen_ip(skb, s->l4 + 8, &q);
	if (q.what != SEEN_IP || q.no_l4 || q.part == PART_LATER)
		return out;
	if ((q.proto == PROTO_ICMP || q.proto == PROTO_ICMP6) && !seen_is_echo_request(&q))
		return 0;
	return is_hosts(set, &q, !out, 0);
}

static inline void part_key(const struct seen *s, struct steer_part_key *key)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->src = s->src;
	key->dst = s->dst;
	key->id = s->id;
	key->proto =
		s->src.ver == 4 ? s->proto : 0; /* IPv6: the chain is whole in the first only */
}

static inline void part_remember(const struct seen *s, int wall)
{
	struct steer_part_key key;
	struct steer_part part = {.seen_ns = bpf_ktime_get_boot_ns(), .wall = wall};
	part_key(s, &key);
	bpf_map_update_elem(&parts, &key, &part, BPF_ANY);
}

/* 1 or 0 as the first fragment went; -1: there was none. */
static inline int part_went(const struct seen *s)
{
	struct steer_part_key key;
	part_key(s, &key);
	struct steer_part *part = bpf_map_lookup_elem(&parts, &key);
	if (!part || bpf_ktime_get_boot_ns() - part->seen_ns > PART_AGE_NS)
		return -1;
	return part->wall != 0;
}

static inline int same_mac(const __u8 *a, const __u8 *b)
{
	int differ = 0;
	for (int i = 0; i < 6; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/* ---- from the wire ----------------------------------------------------------------------------------- */

/* To a shared address: the wall's? */
static inline int shared_in(struct __sk_buff *skb, const struct steer_set *set,
			    const struct seen *s)
{
	if (s->no_l4 || seen_is_link(s))
		return 0;
	if (s->part == PART_LATER)
		return part_went(s) != 0;
	if (seen_is_error(s))
		return !quotes_hosts(skb, set, s, 0);
	if (seen_is_echo_request(s))
		return 1;
	return !is_hosts(set, s, 0, 1);
}

/* A neighbour solicitation that asks for an alias, whomever it is sent to. */
static inline int asks_for_alias(struct __sk_buff *skb, const struct seen *s)
{
	__u8 target[16];
	struct steer_addr a;
	if (s->proto != PROTO_ICMP6 || s->type != 135 || s->no_l4 || s->src.ver != 6)
		return 0;
	if (seen_load(skb, s->l4 + 8, target, sizeof(target)) != 0)
		return 0;
	seen_v6(&a, target);
	return kind_of(&a) == STEER_ALIAS;
}

static inline int ours_in(struct __sk_buff *skb, const struct steer_set *set)
{
	struct seen s;
	if (skb->vlan_present || skb->pkt_type == OTHER_HOST)
		return 0;
	seen_frame(skb, &s);
	if (s.what != SEEN_ARP && s.what != SEEN_IP)
		return 0;
	__u32 kind = kind_of(&s.dst);
	if (kind == STEER_ALIAS)
		return 1;
	if (s.what == SEEN_ARP)
		return 0;
	if (kind != STEER_SHARED)
		return asks_for_alias(skb, &s);
	int wall = shared_in(skb, set, &s);
	if (s.part == PART_FIRST)
		part_remember(&s, wall);
	return wall;
}

SEC("tc")
int skep_in(struct __sk_buff *skb)
{
	const struct steer_set *set = the_settings();
	if (!set)
		return TC_ACT_UNSPEC;
	if (is_dead(set)) {
		count(STEER_IN_DEAD);
		return set->bridge ? TC_ACT_SHOT : TC_ACT_UNSPEC;
	}
	if (!set->bridge && !ours_in(skb, set)) {
		count(STEER_IN_HOST);
		return TC_ACT_UNSPEC;
	}
	count(STEER_IN_WALL);
	skb->mark = set->mark;
	return bpf_redirect(set->inner, 0);
}

SEC("tc")
int skep_inner(struct __sk_buff *skb)
{
	const struct steer_set *set = the_settings();
	if (!set || skb->mark != set->mark)
		return TC_ACT_SHOT; /* the host's own stack, as it greets every link */
	skb->mark = 0;
	return TC_ACT_OK;
}

/* ---- from the host ------------------------------------------------------------------------------------ */

/* What the host begins, and what it has begun. A reset begins nothing: a host in whose name the wall
 * speaks may send one while nobody beats. */
static inline void remember(struct __sk_buff *skb, const struct steer_set *set)
{
	struct seen s;
	struct steer_key key;
	__u8 flags = 0;
	__u64 now = bpf_ktime_get_boot_ns();
	if (skb->vlan_present)
		return;
	seen_frame(skb, &s);
	if (s.what != SEEN_IP || s.no_l4 || s.part == PART_LATER || seen_is_link(&s))
		return;
	if (kind_of(&s.src) != STEER_SHARED)
		return;
	if ((s.proto == PROTO_ICMP || s.proto == PROTO_ICMP6) && !seen_is_echo_request(&s))
		return;
	if (s.proto == PROTO_TCP &&
	    (seen_load(skb, s.l4 + 13, &flags, 1) != 0 || (flags & TCP_RST)))
		return;
	if (is_hosts(set, &s, 1, 1))
		return;
	key_of(&s, 1, &key);
	bpf_map_update_elem(&flows, &key, &now, BPF_ANY);
}

SEC("tc")
int skep_out(struct __sk_buff *skb)
{
	const struct steer_set *set = the_settings();
	if (!set)
		return TC_ACT_UNSPEC;
	if (skb->mark == set->mark) {
		skb->mark = 0;
		return TC_ACT_OK;
	}
	if (set->bridge) {
		count(STEER_OUT_STOPPED);
		return TC_ACT_SHOT;
	}
	remember(skb, set);
	count(STEER_OUT_HOST);
	return TC_ACT_UNSPEC;
}

/* ---- from the wall ------------------------------------------------------------------------------------ */

static inline int arp_may_leave(const struct steer_set *set, const struct seen *s)
{
	__u32 kind = kind_of(&s->src);
	if (!set->bridge && !same_mac(s->arp_mac, set->mac))
		return 0;
	if (kind == 0) /* is an address of ours free? */
		return (s->src.b[0] | s->src.b[1] | s->src.b[2] | s->src.b[3]) == 0 &&
		       s->arp_op == 1 && kind_of(&s->dst) == STEER_ALIAS;
	/* That a shared address is there, the host says itself. */
	return kind == STEER_ALIAS || s->arp_op == 1;
}

/* Solicitations and advertisements: for an alias only, and no other link address than the uplink's. */
static inline int neighbour_may_leave(struct __sk_buff *skb, const struct steer_set *set,
				      const struct seen *s)
{
	__u8 target[16], option[8];
	struct steer_addr a;
	int advertises = s->type == 136;
	if (seen_load(skb, s->l4 + 8, target, sizeof(target)) != 0)
		return 0;
	seen_v6(&a, target);
	if (kind_of(&s->src) != STEER_ALIAS || (advertises && kind_of(&a) != STEER_ALIAS))
		return 0;
	if (set->bridge)
		return 1;
	if (skb->len == s->l4 + 24)
		return 1;
	return skb->len == s->l4 + 32 && seen_load(skb, s->l4 + 24, option, 8) == 0 &&
	       option[0] == (advertises ? 2 : 1) && option[1] == 1 &&
	       same_mac(option + 2, set->mac);
}

/* From a shared address: not in the host's name. */
static inline int shared_may_leave(struct __sk_buff *skb, const struct steer_set *set,
				   const struct seen *s)
{
	if (s->part == PART_LATER)
		return part_went(s) == 1;
	int fine;
	if (seen_is_error(s))
		fine = !quotes_hosts(skb, set, s, 1);
	else if (seen_is_echo_reply(s))
		fine = 1; /* the host may ping with the id that another pings it with */
	else
		fine = !is_hosts(set, s, 1, 0);
	if (s->part == PART_FIRST)
		part_remember(s, fine);
	return fine;
}

static inline int may_leave(struct __sk_buff *skb, const struct steer_set *set)
{
	struct seen s;
	if (skb->vlan_present)
		return 0;
	seen_frame(skb, &s);
	if (!set->bridge && !same_mac(s.mac_src, set->mac))
		return 0;
	if (s.what == SEEN_ARP)
		return arp_may_leave(set, &s);
	if (s.what != SEEN_IP || s.no_l4)
		return 0;
	if (s.part != PART_LATER && s.proto == PROTO_ICMP6 && s.src.ver == 6 &&
	    (s.type == 135 || s.type == 136))
		return neighbour_may_leave(skb, set, &s);
	if (seen_is_link(&s) || seen_is_dhcp(&s))
		return 0;
	__u32 kind = kind_of(&s.src);
	if (kind == STEER_SHARED && !set->bridge)
		return shared_may_leave(skb, set, &s);
	return kind != 0;
}

SEC("tc")
int skep_wall(struct __sk_buff *skb)
{
	const struct steer_set *set = the_settings();
	if (!set || is_dead(set) || !may_leave(skb, set)) {
		count(STEER_OUT_FENCED);
		return TC_ACT_SHOT;
	}
	count(STEER_OUT_WALL);
	skb->mark = set->mark;
	return bpf_redirect(set->uplink, 0);
}
