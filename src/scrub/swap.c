/* SPDX-License-Identifier: BSD-2-Clause */
/* Other rules in full flight. */
#include "scrub/scrub_priv.h"

struct rule_engine *scrub_swap(struct scrub *s, struct rule_engine *engine)
{
	return inspect_swap(s->inspect, engine);
}
