/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: where a honeynet is to stand: what uplink, addresses and routers this host has, who is logged in, which
 * ports are its own, whose firewall is at work, what its provider may refuse. Only looks, changes nothing. Used by
 * `skep init`, `skep doctor` and super (in the host's network namespace).
 */
#ifndef SKEP_SITE_H
#define SKEP_SITE_H

#include "base/base.h"

#define SITE_LINKS 512
#define SITE_ADDRESSES 1024
#define SITE_SOCKETS 1024
#define SITE_SESSIONS 256
#define SITE_NAME 64
#define SITE_PORT_BYTES (65536 / 8)

struct site_link {
	char name[16];
	uint32_t index, master; /* master: of a bridge or bond it is part of, 0: none */
	uint32_t lower;         /* link that it stands on (VLAN, macvlan), 0: none */
	struct mac mac;
	uint32_t mtu;
	uint8_t ethernet, up, loopback;
	uint8_t no_carrier; /* set up, but down: unplugged */
	char kind[16];      /* "veth", "bridge", "vlan" ...; empty: hardware */
};

struct site_address {
	struct prefix prefix; /* the address itself with the network's length */
	uint32_t link;        /* index */
	uint8_t dynamic;      /* with a lifetime: DHCP or router advertisement */
	uint8_t temporary, link_local, tentative;
};

struct site_socket {      /* listening; UDP: bound and not connected */
	uint8_t proto;    /* 6 or 17 */
	struct addr addr; /* unspecified: all; ver 6 unspecified may mean both */
	uint16_t port;
	uint32_t pid;         /* 0: the kernel's, or not visible */
	char name[SITE_NAME]; /* of the program */
};

struct site_session { /* an established TCP connection of an sshd, or one that ssh_here names */
	struct addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t pid;
};

struct site {
	uint32_t n_links, n_addresses, n_sockets, n_sessions;
	struct site_link links[SITE_LINKS];
	struct site_address addresses[SITE_ADDRESSES];
	struct site_socket sockets[SITE_SOCKETS];
	struct site_session sessions[SITE_SESSIONS];
	uint32_t uplink, uplink6;      /* link index of the default routes; 0: none */
	struct addr gateway, gateway6; /* ver 0: none, or by the link itself */
	uint8_t truncated;             /* there was more than fits */
};

/* All of it, of the current network namespace. Heap-free but for buffers of its own. */
MUST_USE int site_survey(struct site *ret);
/* The same without sockets and sessions: cheap enough to look again every second. */
MUST_USE int site_survey_network(struct site *ret);
/* TCP ports at which somebody listens, at loopback addresses alone or not: bit PORT % 8 of byte PORT / 8. Cheap. */
MUST_USE int site_listening(uint8_t ret[SITE_PORT_BYTES]);
/* At a loopback address alone: nobody comes to it from outside. */
bool site_is_local(const struct site_socket *s);
/* Of an sshd, or held for whom it may concern by the service manager. */
bool site_is_login(const struct site_socket *s);
/* Is it an address of this host's, on whatever link? */
bool site_has(const struct site *s, const struct addr *a);
/* Borrowed from the survey; NULL: none of that name or index. */
const struct site_link *site_link(const struct site *s, const char *name);
const struct site_link *site_link_at(const struct site *s, uint32_t index);
/* The host's own conversations as its sockets have them: TCP (6) that is open, UDP (17) that is connected. pid is 0. What
 * does not fit is left out. */
MUST_USE int site_connections(uint8_t proto, struct site_session *ret, size_t max, size_t *ret_n);
/* The session that the calling process was started from: SSH_CONNECTION of it or of an ancestor, however deep
 * below sudo or a shell; pid: the first process of it, as far up as it can be seen. -ENOENT: not by ssh; -ESRCH: below a
 * screen or tmux that knows of no session, though somebody may look at it by one. */
MUST_USE int site_ssh_here(struct site_session *ret);
/* The same two ends, whoever holds it. */
bool site_same_session(const struct site_session *a, const struct site_session *b);
/* Link address of a neighbour on a link as the kernel knows it; makes the kernel ask for it (CAP_NET_ADMIN) if it is
 * unknown or has not been heard of for long, without waiting. -EAGAIN: not known yet. */
MUST_USE int site_neighbour(uint32_t link, const struct addr *a, struct mac *ret);
/* The same, but only looks. */
MUST_USE int site_neighbour_known(uint32_t link, const struct addr *a, struct mac *ret);

/* ---- whose rules and programs are at work ------------------------------------------------- */

#define SITE_FINDINGS 32
#define SITE_TEXT 160

enum site_finding_kind {
	SITE_FIREWALL, /* rules of the host's stack: what is steered does not come by */
	SITE_PROGRAM,  /* something at the uplink itself, before or beside ours */
	SITE_BLIND,    /* what could not be looked at; name says what, what says why */
};

struct site_finding {
	uint8_t kind;         /* enum site_finding_kind */
	uint8_t in_way;       /* it may take, stop or change what is the honeynet's */
	char name[SITE_NAME]; /* "ufw", "XDP program 17" ...; made of printable characters */
	char what[SITE_TEXT];
	char cure[SITE_TEXT]; /* exact command, if it is in the way */
};

/* Firewalls of the current network namespace (asks `nft`, and `iptables-legacy-save` if the kernel has
 * legacy tables here), and programs of others at the link. Blocks until they answer. */
MUST_USE int site_findings(const char *uplink, struct site_finding *ret, size_t max, size_t *ret_n);

struct site_provider {
	char vendor[SITE_NAME]; /* of the machine: "Hetzner" ...; empty: not known */
	uint8_t filters_macs; /* a cloud: frames with other link addresses are likely not delivered */
	uint8_t metadata; /* there is a route of its own to 169.254.169.254, or the vendor serves it */
	uint8_t lone,
		lone6; /* the uplink's address is a /32 or /128: its router is not in its network */
};

/* What the provider may be like. dmi: "/sys/class/dmi/id", or another folder in tests. */
MUST_USE int site_provider(const struct site *s, const char *dmi, struct site_provider *ret);

#endif
