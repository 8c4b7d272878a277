/* SPDX-License-Identifier: BSD-2-Clause */
/* One line for a pager: what, where, who; what was held back stands even when the rest must be cut. */
#include "notify/notify_priv.h"

#include <string.h>

void short_line(const struct letter *l, char ret[NOTIFY_SHORT])
{
	char tail[64], sensor[4 * CONF_NAME];
	const struct alert_message *m = l->m;
	struct writer t = writer_of(tail, sizeof(tail)), w = writer_of(ret, NOTIFY_SHORT);
	struct writer s = writer_of(sensor, 33);
	uint64_t n = held_sum(m);
	if (n > 0 && m->kind != ALERT_DAY_END)
		write_fmt(&t, " +%llu held", (unsigned long long)n);
	if (m->budget != 0)
		write_str(&t, m->budget == ALERT_TOTAL ? " LAST ONE" : " last for now");
	put_plain(&s, l->from->sensor, strlen(l->from->sensor));
	write_fmt(&w, "%s %s: ", sensor, say_title(m));
	say_core(&w, l, NOTIFY_SHORT - 1 - w.len - t.len);
	write_str(&w, tail);
}
