/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steer: what belongs to the honeynet on a real uplink goes to the wall; everything else stays the host's.
 * Two programs of traffic control at the uplink and two at the host's end of the wall's link decide, in the
 * kernel, before the host's stack: no address, route, rule or setting of the host is touched, its connection
 * tracking sees nothing of a flood, and nobody else's firewall can stop or be opened for what is ours. Used
 * by super, as root, in the host's network namespace. super itself reads no frame.
 *
 *   wire -> uplink ingress -> ours? -> inner (egress) -> the wall's port
 *   the wall's port -> inner ingress -> with an address of ours? -> uplink (egress) -> wire
 *
 * Ours are, in form STEER_NAT:
 *   - an alias address: all of it, and the ARP and neighbour solicitations that ask for it (the wall answers,
 *     in the uplink's name);
 *   - a shared address (the host's own): TCP and UDP to every port that is not kept; echo requests; errors
 *     about what is not the host's; other protocols. The host's are: kept ports; conversations that the host began
 *     (seen leaving by the uplink, forgotten after STEER_HOST_IDLE_S of silence); tunnels (IP in IP, GRE, IPsec, L2TP),
 *     whoever speaks first; neighbour discovery, router advertisements, MLD, DHCP and DHCPv6; later fragments
 *     as their first one.
 * In form STEER_BRIDGE: everything, and nothing else may leave by the uplink.
 *
 * Tagged frames, and what is to another link address, are the host's. So is what cannot be parsed; to an alias
 * that is the wall's.
 *
 * A second fence: from the wall nothing leaves but with one of these addresses as its source (frames, ARP,
 * neighbour discovery; none is link-local, a router's could be among them), with the uplink's link address
 * (STEER_NAT), untagged, and not in the name of a kept port or of a conversation of the host; no router's,
 * group's or DHCP's messages. What is stopped is counted. To the wall goes nothing but what came by the uplink:
 * the host's stack, which greets every link, is not heard there.
 *
 * Fail safe: steer_beat must be called once a second. Before the first, and after STEER_SILENCE_S without one,
 * nothing is steered: in STEER_NAT all goes to the host as if we were not there, in STEER_BRIDGE nothing passes.
 */
#ifndef SKEP_STEER_H
#define SKEP_STEER_H

#include "base/base.h"

#define STEER_ADDRESSES 64
#define STEER_PORTS 1024
#define STEER_HOST_FLOWS 65536 /* oldest go first */
#define STEER_HOST_IDLE_S 7200
#define STEER_SILENCE_S 5
/* Place of the guard of `skep prove` at the uplink's egress: before ours, as the newest of the same priority. */
#define STEER_GUARD_PRIORITY 1
#define STEER_GUARD_HANDLE 0x5cea

enum steer_form { STEER_NAT, STEER_BRIDGE };

struct steer_port {    /* of the host: stays its own on shared addresses */
	uint8_t proto; /* 6 or 17 */
	uint16_t port;
};

struct steer_flow { /* a conversation that the host has open at the start (an operator's ssh session) */
	uint8_t proto; /* 6 or 17 */
	struct addr local, remote;
	uint16_t local_port, remote_port;
};

struct steer_plan { /* what is ours; may change while it runs */
	uint32_t n_alias, n_shared;
	struct addr alias[STEER_ADDRESSES], shared[STEER_ADDRESSES];
	uint32_t n_kept;
	struct steer_port kept[STEER_PORTS];
};

struct steer_stats { /* totals in frames (super-frames count once) since steer_open */
	uint64_t in_wall, in_host,
		in_dead; /* from the wire: to the wall, to the host, while nobody beat */
	uint64_t out_wall, out_fenced;  /* from the wall: sent, stopped */
	uint64_t out_host, out_stopped; /* of the host: passed; stopped (STEER_BRIDGE) */
};

struct steer; /* heap; owns descriptors of programs and maps */

/* Whether this kernel can: loads the programs, attaches nothing. why: the reason if not. */
MUST_USE int steer_probe(char *why, size_t why_size);
/* Loads and attaches; adds the clsact queueing discipline to the uplink if it has none. uplink and inner are names of
 * Ethernet links in the current network namespace. flows: of the host's own that are open already. On error
 * nothing is left behind, and why says what was wrong. -EEXIST: there are programs of a skep, see steer_clean;
 * -EBUSY: somebody else's classifier or queueing discipline is where ours must be; -EPERM: not root enough;
 * SKEP_EUNSUPPORTED: no Ethernet. Needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN (or CAP_BPF). */
MUST_USE int steer_open(enum steer_form form, const char *uplink, const char *inner,
			const struct steer_plan *plan, const struct steer_flow *flows,
			size_t n_flows, struct steer **ret, char *why, size_t why_size);
/* Takes over the new plan and the uplink's present link address; multicast groups of IPv6 aliases are joined and
 * left on the way. Frames that pass meanwhile find the old or the new entry of an address. On error the old plan may
 * be in force in parts: call again. */
MUST_USE int steer_change(struct steer *s, const struct steer_plan *plan);
void steer_beat(struct steer *s, int64_t now_boot_ns);
void steer_read(const struct steer *s, struct steer_stats *ret);
/* What frames from the wall bear at the uplink's egress (skb->mark, SO_MARK), and what those must that go to it. */
uint32_t steer_mark(const struct steer *s);
/* Is everything still in place? -ENOENT: somebody has taken a program off (or a link is gone): what is left of them
 * does no harm; close and open again. */
MUST_USE int steer_check(const struct steer *s);
/* Detaches and frees; NULL is fine. */
void steer_close(struct steer *s);
/* What a killed owner left on a link of the current namespace: our programs, and the queueing discipline if nobody
 * else uses it. Fine if there is nothing, or no such link. */
MUST_USE int steer_clean(const char *uplink);
/* Takes a proof's guard off, if there is one. */
void steer_unguard(const char *uplink);

#endif
