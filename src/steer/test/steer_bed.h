/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server on the wire, in three network namespaces of this process alone:
 *   the Internet: net0 --- up0 :the host: sk0 --- sk1 :the wall
 * They have no names and end with the process. The wall's end has the uplink's link address.
 */
#ifndef SKEP_TEST_STEER_BED_H
#define SKEP_TEST_STEER_BED_H

#include "steer/steer.h"

enum { NS_HOST, NS_NET, NS_WALL, NS_COUNT };
enum { LINK_NET, LINK_UP, LINK_INNER, LINK_WALL, LINKS };

struct bed {
	int ns[NS_COUNT];
	int raw[LINKS]; /* packet sockets on the ends */
	struct steer *s;
	struct steer_plan plan; /* shared 10.0.0.1, 2001:db8::1; alias ...9; kept 22/tcp, 123/udp */
};

/* 0; or 77 with the reason printed, when this machine or user can't. */
int bed_setup(struct bed *b);
void bed_teardown(struct bed *b);
void bed_enter(const struct bed *b, int which);
/* Runs one shell command in a namespace; aborts the test if it fails. */
void bed_run(const struct bed *b, int which, const char *command);
/* What a shell command prints in the host's namespace, cut to size. */
void bed_output(const struct bed *b, const char *command, char *buf, size_t size);
/* Opens steer on the bed with its plan, and beats once. */
void bed_open(struct bed *b, enum steer_form form);
void bed_close(struct bed *b);
struct addr bed_addr(const char *text);

/* ---- frames by hand -------------------------------------------------------------------------------- */

#define NET_MAC                  \
	{                        \
		2, 0, 0, 0, 0, 2 \
	}
#define UP_MAC                   \
	{                        \
		2, 0, 0, 0, 0, 1 \
	}
#define ODD_MAC                     \
	{                           \
		2, 0, 0, 0, 0, 0x66 \
	}

struct shape {
	const char *src, *dst; /* texts of either version */
	uint8_t proto;
	uint16_t sport, dport; /* TCP, UDP; of ICMP: dport is the id */
	uint8_t type, flags;   /* ICMP; TCP */
	bool more;             /* fragments */
	uint16_t offset, id;
	unsigned extensions;       /* IPv6: so many before the payload */
	const struct shape *quote; /* ICMP error about that packet */
	const char *target;        /* neighbour discovery */
	uint8_t option;            /* ... with a link address as option of that type */
	struct mac option_mac;
	uint16_t arp; /* operation; src and dst are sender and target */
	struct mac arp_mac;
	struct mac from, to; /* zero: as the direction says */
	uint16_t ethertype;  /* 0: as the version says */
	bool tagged;
	unsigned cut; /* so many bytes less at the end */
};

enum way {
	WAY_IN,
	WAY_OUT,
	WAY_HOST
}; /* from the wire; from the wall; from the host to the wire */
enum fate { TO_WALL, TO_HOST, DEAD, SENT, FENCED, HOST_SENT, HOST_STOPPED, LOST };

/* Sends such a frame and says what steer counted it as. */
enum fate bed_send(struct bed *b, enum way way, const struct shape *shape);
/* Did the last frame of bed_send come out at the end of the link, as it went in? */
bool bed_arrived(const struct bed *b, int link);
bool bed_stayed_away(const struct bed *b, int link);

#endif
