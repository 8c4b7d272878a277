/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of fixed size: sets of a few entries, the one that was not used for longest gives way. A guest can push
 * out what it made itself, and nothing of its neighbours. */
#include "crosscheck/crosscheck_priv.h"

#include <string.h>

struct proc *proc_find(struct guest *g, uint32_t pid)
{
	struct proc *set = g->procs[pid % PROC_SETS];

	for (unsigned i = 0; pid && i < WAYS; i++) {
		if (set[i].pid == pid) {
			set[i].used = ++g->tick;
			return &set[i];
		}
	}
	return NULL;
}

struct proc *proc_get(struct guest *g, uint32_t pid)
{
	struct proc *p = proc_find(g, pid), *set = g->procs[pid % PROC_SETS];

	if (p)
		return p;
	p = set;
	for (unsigned i = 1; i < WAYS; i++) {
		if (set[i].used < p->used)
			p = &set[i];
	}
	*p = (struct proc){.pid = pid, .used = ++g->tick};
	return p;
}

/* Its number may come again. */
void proc_forget(struct proc *p)
{
	*p = (struct proc){0};
}

struct visit *visit_known(struct guest *g, uint64_t visit)
{
	struct visit *set = g->visits[visit % VISIT_SETS];

	for (unsigned i = 0; visit && i < WAYS; i++) {
		if (set[i].visit == visit) {
			set[i].used = ++g->tick;
			return &set[i];
		}
	}
	return NULL;
}

struct visit *visit_get(struct guest *g, uint64_t visit)
{
	struct visit *v = visit_known(g, visit), *set = g->visits[visit % VISIT_SETS];

	if (v)
		return v;
	v = set;
	for (unsigned i = 1; i < WAYS; i++) {
		if (set[i].used < v->used)
			v = &set[i];
	}
	*v = (struct visit){.visit = visit, .used = ++g->tick};
	return v;
}

struct visit *visit_by_peer(struct guest *g, const struct addr *peer, uint16_t port)
{
	struct visit *newest = NULL;

	for (unsigned s = 0; s < VISIT_SETS; s++) {
		for (unsigned i = 0; i < WAYS; i++) {
			struct visit *v = &g->visits[s][i];

			if (v->visit && v->peer_port == port && v->ver == peer->ver &&
			    !memcmp(v->peer, peer->b, sizeof(v->peer)) &&
			    (!newest || v->used > newest->used))
				newest = v;
		}
	}
	return newest;
}

struct expect *expect_new(struct guest *g)
{
	for (unsigned i = 0; i < EXPECTS; i++) {
		if (g->expects[i].kind == EXPECT_NONE)
			return &g->expects[i];
	}
	return NULL;
}

bool expect_has(const struct guest *g, enum expect_kind kind, uint32_t pid)
{
	for (unsigned i = 0; i < EXPECTS; i++) {
		if (g->expects[i].kind == kind && g->expects[i].pid == pid)
			return true;
	}
	return false;
}
