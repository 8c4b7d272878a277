/* SPDX-License-Identifier: BSD-2-Clause */
/* What each class weighs and how often it may speak, unless the operator says otherwise; and words. */
#include "alert/alert_priv.h"

#include <string.h>

#define MIN (60 * NS_PER_SEC)

/* clang-format off */
static const struct alert_class defaults[] = { /* weight, bypass, {window, hour, day, total} */
	[ALERT_ESCAPE]      = {9, 1, {0,        0,  0, 0}},
	[ALERT_SILENCE]     = {8, 0, {15 * MIN, 6, 30, 0}},
	[ALERT_OUTBOUND]    = {7, 0, {60 * MIN, 10, 50, 0}},
	[ALERT_LOGIN]       = {6, 0, {15 * MIN, 10, 50, 0}},
	[ALERT_LIMIT]       = {5, 0, {60 * MIN, 6, 20, 0}},
	[ALERT_RULE_HIGH]   = {5, 0, {15 * MIN, 10, 50, 0}},
	[ALERT_RULE_MEDIUM] = {3, 0, {60 * MIN, 5, 20, 0}},
	[ALERT_RULE_LOW]    = {1, 0, {360 * MIN, 2, 10, 0}},
	[ALERT_INBOUND]     = {2, 0, {60 * MIN, 4, 20, 0}},
	[ALERT_HEALTH]      = {4, 0, {60 * MIN, 6, 20, 0}},
};
/* clang-format on */
_Static_assert(ARRAY_LEN(defaults) == ALERT_CLASSES, "each class has its defaults");

static const struct conf_alert_class_row *row_of(const struct conf_alerts *c,
						 enum conf_alert_class class)
{
	for (uint32_t i = 0; i < c->n_classes && i < ALERT_CLASSES; i++)
		if (c->classes[i].class == class)
			return &c->classes[i];
	return NULL;
}

struct alert_class alert_class_of(const struct conf_alerts *c, enum conf_alert_class class)
{
	struct alert_class r = defaults[class < ALERT_CLASSES ? class : ALERT_HEALTH];
	const struct conf_alert_class_row *row = row_of(c, class);
	if (row == NULL)
		return r;
	if (row->weight <= 9)
		r.weight = row->weight;
	if (row->bypass <= 1)
		r.bypass = row->bypass;
	if (row->throttle.window_ns >= 0)
		r.throttle.window_ns = row->throttle.window_ns;
	if (row->throttle.hour != UINT32_MAX)
		r.throttle.hour = row->throttle.hour;
	if (row->throttle.day != UINT32_MAX)
		r.throttle.day = row->throttle.day;
	if (row->throttle.total != UINT32_MAX)
		r.throttle.total = row->throttle.total;
	return r;
}

static bool has_name(const char (*names)[CONF_NAME], uint32_t n, uint32_t max, const char *name)
{
	for (uint32_t i = 0; i < n && i < max; i++)
		if (strncmp(names[i], name, CONF_NAME) == 0)
			return true;
	return false;
}

bool alert_takes(const struct conf_alerts *c, const struct conf_destination *to,
		 enum conf_alert_class class)
{
	const struct conf_alert_class_row *row = row_of(c, class);
	if (to->watch != 0 && class == ALERT_ESCAPE)
		return true;
	if (row != NULL && row->n_to > 0 &&
	    !has_name(row->to, row->n_to, CONF_DESTINATIONS, to->name))
		return false;
	if (to->n_classes > 0)
		return has_name(to->classes, to->n_classes, ALERT_CLASSES,
				conf_alert_class_text(class));
	return alert_class_of(c, class).weight >= to->weight;
}

const char *alert_why_text(enum alert_why w)
{
	static const char *const words[] = {"sent",  "quiet", "window", "hour", "day",
					    "total", "hours", "merged", "full"};
	_Static_assert(ARRAY_LEN(words) == ALERT_WHYS, "a word for each");
	return w < ALERT_WHYS ? words[w] : "?";
}

const char *alert_kind_text(enum alert_kind k)
{
	static const char *const words[] = {"first", "more", "incident", "day", "budget", "test"};
	_Static_assert(ARRAY_LEN(words) == ALERT_KINDS, "a word for each");
	return k < ALERT_KINDS ? words[k] : "?";
}
