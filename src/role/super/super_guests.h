/* SPDX-License-Identifier: BSD-2-Clause */
/* super's part of guests: super_guests.c, their QEMUs. */
#ifndef SKEP_SUPER_GUESTS_H
#define SKEP_SUPER_GUESTS_H

#include "event/event.h"
#include "guest/guest.h"
#include "role/messages.h"

#include <sys/types.h>

struct super;
struct child;

enum run_state { RUN_NONE, RUN_DOWN, RUN_UP };

struct guest_run {
	const struct conf_guest *conf;
	enum run_state state; /* RUN_NONE: a bare port without QEMU */
	struct guest_image image;
	struct guest_identity identity;
	struct mac mac;
	char ifname[16], cgroup_path[CONF_NAME * 2 + 2];
	int tap, cgroup;
	int qmp, console; /* keeper's ends; kept so that a new keeper can have them */
	int monitor;      /* collector's, likewise; -1: it has no such port */
	pid_t pid;
	int pidfd;
	uint32_t restarts;
	int64_t backoff_ns, started_ns, start_at_ns;
	char said[EVENT_NAME]; /* run state as the keeper last heard it */
	bool kvm, ran;         /* ran: reached "running" in this life */
	struct child *keeper;
};

MUST_USE int guests_prepare(struct super *s, char *why, size_t why_size);
/* An error is logged, and start_at_ns set. */
int guest_start(struct super *s, struct guest_run *g);
/* What the keeper heard from it. */
void guest_said(struct super *s, struct guest_run *g, const char *state);
void guest_died(struct super *s, struct guest_run *g);
/* Asks all to power down (or kills them); true once none is left. */
bool guests_stop(struct super *s, bool now);
/* Tells collector, if there is one, that a guest's machine runs or not. */
void guest_tell_collector(struct super *s, const struct guest_run *g);
/* Tells a (new) keeper about its QEMU. */
void guest_tell_keeper(struct guest_run *g, enum qemu_state state, int exit_code, int sig);

#endif
