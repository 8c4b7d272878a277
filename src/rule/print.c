/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule printed from what was understood of it. */
#include "rule/read_priv.h"

void rule_set_print(const struct rule_set *s, uint32_t index, struct writer *w)
{
	write_str(w, s->rules[index]->text);
}
