/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: where a honeynet is to stand: what uplink, addresses and routers this host has, who is logged in, which
 * ports are its own, whose firewall is at work, what its provider may refuse. Only looks, changes nothing. Used by
 * `skep init`, `skep doctor` and super (in the host's network namespace).
 */
#ifndef SKEP_SITE_H
#define SKEP_SITE_H

#include "base/base.h"

#define SITE_LINKS 64
#define SITE_ADDRESSES 256
#define SITE_SOCKETS 1024
#define SITE_SESSIONS 256
#define SITE_NAME 64

struct site_link {
	char name[16];
	uint32_t index, master; /* master: of a bridge or bond it is part of, 0: none */
	struct mac mac;
	uint32_t mtu;
	uint8_t ethernet, up, loopback;
	char kind[16]; /* "veth", "bridge", "vlan" ...; empty: hardware */
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
/* Borrowed from the survey; NULL: none of that name or index. */
const struct site_link *site_link(const struct site *s, const char *name);
const struct site_link *site_link_at(const struct site *s, uint32_t index);
/* The session that the calling process was started from: SSH_CONNECTION of it or of an ancestor, however deep
 * below sudo or a shell. -ENOENT: not by ssh. */
MUST_USE int site_ssh_here(struct site_session *ret);
/* Link address of a neighbour on a link as the kernel knows it; makes the kernel ask for it (CAP_NET_ADMIN) if it is
 * unknown, without waiting. -EAGAIN: not known yet. */
MUST_USE int site_neighbour(uint32_t link, const struct addr *a, struct mac *ret);

#endif
