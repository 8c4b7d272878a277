/* SPDX-License-Identifier: BSD-2-Clause */
/* Three network namespaces of this process alone: host A - a0|a1 - wall - b1|b0 - host B. They have
 * no names and end with the process. */
#ifndef SKEP_TEST_NETNS_BED_H
#define SKEP_TEST_NETNS_BED_H

#include "port/port.h"

enum { NS_WALL, NS_A, NS_B, NS_COUNT };

struct bed {
	int ns[NS_COUNT];
	struct arena arena;
	struct port_pool *pool;
	struct port *a, *b;   /* the wall's ends */
	struct port *ha, *hb; /* raw sockets on the hosts' ends */
	/* What forwarding does to a frame before it goes; NULL: nothing. */
	void (*edit)(struct frame *f, bool towards_b);
	uint32_t largest; /* longest frame forwarded */
	unsigned partial, forwarded;
};

/* 0; or 77 with the reason printed, when this machine or user can't. */
int bed_setup(struct bed *b);
void bed_teardown(struct bed *b);
void bed_enter(const struct bed *b, int which);
/* Runs one shell command in a namespace; aborts the test if it fails. */
void bed_run(const struct bed *b, int which, const char *command);
/* Moves what is there between the wall's ports, waiting at most ms for something. */
void bed_forward(struct bed *b, int ms);
/* A socket made in a namespace, non-blocking. */
int bed_socket(const struct bed *b, int which, int family, int type);

#endif
