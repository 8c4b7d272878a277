/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever has no server of its own: it is listened to and never answered. And the time of day. */
#include "sink/sink_priv.h"

#include <string.h>

size_t any_feed(struct sink *s, struct sink_session *t, const uint8_t *data, size_t len)
{
	struct any *a = &t->u.any;
	size_t n = sizeof(a->head) - a->n;
	(void)s;
	if (n > len)
		n = len;
	memcpy(a->head + a->n, data, n);
	a->n += (uint32_t)n;
	return len;
}

static void tell_bytes(struct sink *s, enum sink_service v, const struct sink_ends *e,
		       const uint8_t *head, size_t n, uint64_t bytes)
{
	char dump[EVENT_EXCERPT];
	const char *guess = tell_guess(head, n);
	struct telling what = {.what = "bytes", .bytes = bytes, .count = 1, .excerpt = dump};
	what.len = tell_dump(head, n, dump);
	sink_tell(s, v, e, &what, "%llu bytes%s%s", (unsigned long long)bytes,
		  guess[0] != '\0' ? ", they look like " : "", guess);
}

void any_end(struct sink *s, struct sink_session *t)
{
	static const struct telling connect = {.what = "connect", .count = 1};
	if (t->bytes > 0)
		tell_bytes(s, t->v, &t->ends, t->u.any.head, t->u.any.n, t->bytes);
	else
		sink_tell(s, t->v, &t->ends, &connect, "connected and said nothing");
}

void any_datagram(struct sink *s, const struct sink_ends *e, const uint8_t *data, size_t len)
{
	tell_bytes(s, SINK_ANY, e, data, len, len);
}
