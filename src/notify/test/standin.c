/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/alert.h"

const char *alert_why_text(enum alert_why w)
{
	static const char *const n[] = {"sent", "quiet", "window", "hour", "day", "total", "hours", "merged", "full"};
	return n[w];
}

const char *alert_kind_text(enum alert_kind k)
{
	static const char *const n[] = {"first", "more", "incident-end", "day-end", "budget", "test"};
	return n[k];
}
