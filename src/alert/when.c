/* SPDX-License-Identifier: BSD-2-Clause */
/* Local time: of hours, expiries and digests. What it is ahead of UTC is asked once in a quarter of an hour. */
#include "alert/alert_priv.h"

#include <string.h>

#define QUARTER_NS (15 * MINUTE_NS)

int32_t minute_parse(const char *text)
{
	uint16_t minute;
	return text[0] != '\0' && conf_clock_parse(text, &minute) == 0 ? minute : -1;
}

bool hours_parse(const char *text, struct hours *ret)
{
	uint16_t from, to;
	*ret = (struct hours){-1, -1};
	if (text[0] == '\0')
		return true;
	if (conf_hours_parse(text, &from, &to) != 0)
		return false;
	*ret = (struct hours){(int16_t)from, (int16_t)to};
	return true;
}

bool hours_has(const struct hours *h, int32_t minute)
{
	if (h->from < 0)
		return true;
	if (h->from < h->to)
		return minute >= h->from && minute < h->to;
	return minute >= h->from || minute < h->to;
}

int32_t local_offset(struct alert *a, int64_t ns)
{
	if (a->out.local == NULL)
		return 0;
	int64_t at = ns / QUARTER_NS;
	if (at != a->offset_at) {
		a->offset = a->out.local(a->out.ctx, at * QUARTER_NS);
		a->offset_at = at;
	}
	return a->offset;
}

int64_t next_minute(struct alert *a, int64_t ns, int32_t minute)
{
	int64_t local = ns / NS_PER_SEC + local_offset(a, ns);
	int64_t at = local / DAY_S * DAY_S + (int64_t)minute * 60;
	if (at <= local)
		at += DAY_S;
	/* The clocks may be changed between now and then. */
	int64_t guess = (at - local_offset(a, ns)) * NS_PER_SEC;
	int64_t then = (at - local_offset(a, guess)) * NS_PER_SEC;
	return then > ns ? then : guess + DAY_S * NS_PER_SEC;
}
