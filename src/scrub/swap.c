/* SPDX-License-Identifier: BSD-2-Clause */
/* Other rules in full flight. */
#include "scrub/scrub_priv.h"

struct rule_engine *scrub_swap(struct scrub *s, struct rule_engine *engine)
{
	/* Conversations that are under way may be changed from now on. */
	s->may_rewrite = true;
	return inspect_swap(s->inspect, engine);
}
