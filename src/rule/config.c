/* SPDX-License-Identifier: BSD-2-Clause */
/* classification.config, reference.config, threshold.config. */
#include "rule/read_priv.h"

#include <errno.h>

int rule_set_read_config(struct rule_set *s, const char *name, const char *text, size_t len)
{
	(void)s;
	(void)name;
	(void)text;
	(void)len;
	return 0;
}

int read_apply_thresholds(struct rule_set *s)
{
	(void)s;
	return 0;
}
