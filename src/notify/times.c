/* SPDX-License-Identifier: BSD-2-Clause */
/* Times as people, mails and machines read them. */
#include "notify/notify_priv.h"

#include <time.h>

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct moment {
	struct tm tm;
	int32_t ahead_min; /* of UTC */
};

static struct moment moment_of(const struct notify_from *from, int64_t ns)
{
	struct moment t = {0};
	int32_t ahead_s = from->local != NULL ? from->local(from->ctx, ns) : 0;
	if (ahead_s > 86400 || ahead_s < -86400)
		ahead_s = 0;
	t.ahead_min = ahead_s / 60;
	time_t s = (time_t)((ns > 0 ? ns / NS_PER_SEC : 0) + t.ahead_min * 60);
	if (s < 0)
		s = 0;
	if (gmtime_r(&s, &t.tm) == NULL)
		t.tm = (struct tm){.tm_mday = 1, .tm_year = 70};
	return t;
}

static void put_zone(struct writer *w, int32_t ahead_min)
{
	int32_t a = ahead_min < 0 ? -ahead_min : ahead_min;
	write_fmt(w, "%c%02d%02d", ahead_min < 0 ? '-' : '+', a / 60, a % 60);
}

static void put_date(struct writer *w, const struct tm *t)
{
	write_fmt(w, "%04d-%02d-%02d", t->tm_year + 1900, t->tm_mon + 1, t->tm_mday);
}

void put_stamp(struct writer *w, const struct notify_from *from, int64_t ns)
{
	struct moment t = moment_of(from, ns);
	put_date(w, &t.tm);
	write_fmt(w, " %02d:%02d:%02d ", t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec);
	put_zone(w, t.ahead_min);
}

void put_age(struct writer *w, const struct notify_from *from, int64_t made_ns, int64_t now_ns)
{
	struct moment t = moment_of(from, made_ns);
	long long old =
		made_ns > 0 && now_ns > made_ns ? (now_ns - made_ns) / NS_PER_SEC / 86400 : 0;
	put_date(w, &t.tm);
	if (old > 0)
		write_fmt(w, " (%lld day%s old)", old, old == 1 ? "" : "s");
}

void put_mail_date(struct writer *w, const struct notify_from *from, int64_t ns)
{
	struct moment t = moment_of(from, ns);
	write_fmt(w, "%s, %02d %s %04d %02d:%02d:%02d ", days[t.tm.tm_wday], t.tm.tm_mday,
		  months[t.tm.tm_mon], t.tm.tm_year + 1900, t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec);
	put_zone(w, t.ahead_min);
}

void put_utc(struct writer *w, int64_t ns)
{
	struct moment t = moment_of(&(struct notify_from){0}, ns);
	put_date(w, &t.tm);
	write_fmt(w, "T%02d:%02d:%02d.%06dZ", t.tm.tm_hour, t.tm.tm_min, t.tm.tm_sec,
		  (int)(ns > 0 ? ns / 1000 % 1000000 : 0));
}
