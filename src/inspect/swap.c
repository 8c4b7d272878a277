/* SPDX-License-Identifier: BSD-2-Clause */
/* Other rules in full flight. */
#include "inspect/inspect_priv.h"

/* Without rules nobody wanted the data: from now on somebody does. */
static void want_raw(void *ctx, struct stream_flow *f)
{
	(void)ctx;
	for (unsigned d = 0; d < 2 && !f->dead; d++) {
		f->side[d].raw_done = f->side[d].base + f->side[d].len;
		f->side[d].no_raw = false;
	}
}

struct rule_engine *inspect_swap(struct inspect *i, struct rule_engine *engine)
{
	struct rule_engine *old = i->engine;
	i->engine = engine;
	if (old != NULL)
		rule_engine_adopt(engine, old, i->stream);
	else
		stream_each(i->stream, want_raw, NULL);
	return old;
}
