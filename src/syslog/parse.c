/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One message. RFC 5424 is a grammar, RFC 3164 a description of what was seen in 2001, and what is sent today is
 * looser than either: a part that is not what it should be is text, and so is all behind it.
 */
#include "syslog/syslog_priv.h"

#include <string.h>

#define PRI_DEFAULT 13 /* user.notice */
#define PRI_MAX 191
#define YEAR_MIN 1970
#define YEAR_MAX 2200 /* nanoseconds since 1970 fit */

struct text { /* what is left of the message */
	const char *at, *end;
};

static char peek(const struct text *t, size_t n)
{
	return (size_t)(t->end - t->at) > n ? t->at[n] : '\0';
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* least..most digits into *ret; takes nothing if there are fewer. */
static bool take_number(struct text *t, unsigned least, unsigned most, unsigned *ret)
{
	unsigned n = 0, v = 0;
	while (n < most && digit(peek(t, n)))
		v = v * 10 + (unsigned)(t->at[n++] - '0');
	if (n < least)
		return false;
	t->at += n;
	*ret = v;
	return true;
}

static bool take_char(struct text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

/* Up to the next blank (or the end), which is taken too; false: nothing there. */
static bool take_word(struct text *t, char *ret, size_t size)
{
	size_t n = 0;
	while (t->at + n < t->end && t->at[n] != ' ')
		n++;
	size_t kept = n < size ? n : size - 1;
	memcpy(ret, t->at, kept);
	ret[kept] = '\0';
	if (kept == 1 && ret[0] == '-')
		ret[0] = '\0';
	t->at += n;
	return take_char(t, ' ') || n > 0;
}

static void take_pri(struct text *t, struct syslog_line *ret)
{
	struct text try = *t;
	unsigned pri;
	if (!take_char(&try, '<') || !take_number(&try, 1, 3, &pri) || !take_char(&try, '>') ||
	    pri > PRI_MAX)
		pri = PRI_DEFAULT;
	else
		*t = try;
	ret->facility = (uint8_t)(pri >> 3);
	ret->severity = pri & 7;
}

/* ---- time ------------------------------------------------------------------------------------- */

struct moment {
	unsigned year, month, day, hour, minute, second;
	int64_t frac_ns, zone_s;
};

/* Days since 1970 of a date of the Gregorian calendar (years begin in March here). */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = y / 400, of_era = y % 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool sound(const struct moment *m)
{
	return m->month >= 1 && m->month <= 12 && m->day >= 1 && m->day <= 31 && m->hour < 24 &&
	       m->minute < 60 && m->second <= 60;
}

static int64_t ns_of(const struct moment *m, unsigned year)
{
	int64_t s = days_of(year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 +
		    m->second - m->zone_s;
	return s * NS_PER_SEC + m->frac_ns;
}

static bool take_clock(struct text *t, struct moment *m)
{
	if (!take_number(t, 1, 2, &m->hour) || !take_char(t, ':') ||
	    !take_number(t, 2, 2, &m->minute) || !take_char(t, ':') ||
	    !take_number(t, 2, 2, &m->second))
		return false;
	if ((peek(t, 0) == '.' || peek(t, 0) == ',') && digit(peek(t, 1))) {
		int64_t unit = NS_PER_SEC;
		for (t->at++; digit(peek(t, 0)); t->at++) {
			unit /= 10;
			m->frac_ns += (*t->at - '0') * unit;
		}
	}
	return true;
}

/* "Z", "+02:00", "-0500", or nothing. */
static void take_zone(struct text *t, struct moment *m)
{
	struct text try = *t;
	unsigned h = 0, min = 0;
	char sign = peek(t, 0);
	if (take_char(t, 'Z') || (sign != '+' && sign != '-'))
		return;
	try.at++;
	if (!take_number(&try, 2, 2, &h))
		return;
	(void)take_char(&try, ':');
	if (!take_number(&try, 2, 2, &min) || h > 23 || min > 59)
		return;
	m->zone_s = (int64_t)(h * 3600 + min * 60) * (sign == '-' ? -1 : 1);
	*t = try;
}

/* "2026-11-28T10:34:25.123456+00:00", "2026-11-28 10:34:25" */
static bool take_iso(struct text *t, struct syslog_line *ret)
{
	struct text try = *t;
	struct moment m = {0};
	if (!take_number(&try, 4, 4, &m.year) || !take_char(&try, '-') ||
	    !take_number(&try, 2, 2, &m.month) || !take_char(&try, '-') ||
	    !take_number(&try, 2, 2, &m.day) || (!take_char(&try, 'T') && !take_char(&try, ' ')) ||
	    !take_clock(&try, &m) || !sound(&m) || m.year < YEAR_MIN || m.year > YEAR_MAX)
		return false;
	take_zone(&try, &m);
	*t = try;
	ret->time_ns = ns_of(&m, m.year);
	ret->has_time = true;
	return true;
}

static bool take_month(struct text *t, unsigned *ret)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	for (unsigned i = 0; i < 12; i++) {
		unsigned k = 0;
		while (k < 3 &&
		       ((unsigned char)peek(t, k) | 0x20) == (unsigned char)names[i * 3 + k])
			k++;
		if (k < 3)
			continue;
		t->at += 3;
		*ret = i + 1;
		return true;
	}
	return false;
}

/* The year that brings it nearest to now. */
static int64_t guess_year(const struct moment *m, int64_t now_ns)
{
	int64_t year = YEAR_MIN + now_ns / (INT64_C(31556952) * NS_PER_SEC);
	unsigned now = year < YEAR_MIN ? YEAR_MIN : year > YEAR_MAX ? YEAR_MAX : (unsigned)year;
	int64_t best = ns_of(m, now);
	for (unsigned y = now - 1; y <= now + 1; y++) {
		int64_t t = ns_of(m, y); /* in seconds: now may be anything */
		int64_t off = t / NS_PER_SEC - now_ns / NS_PER_SEC;
		int64_t least = best / NS_PER_SEC - now_ns / NS_PER_SEC;
		if ((off < 0 ? -off : off) < (least < 0 ? -least : least))
			best = t;
	}
	return best;
}

/* "Nov 28 10:34:25", "Nov  1 2026 10:34:25.123", "*Mar  1 18:46:11.123 UTC:" as routers say. */
static bool take_bsd(struct text *t, int64_t now_ns, struct syslog_line *ret)
{
	struct text try = *t;
	struct moment m = {0};
	if (peek(&try, 0) == '*' || peek(&try, 0) == '.')
		try.at++;
	if (!take_month(&try, &m.month) || !take_char(&try, ' '))
		return false;
	(void)take_char(&try, ' ');
	if (!take_number(&try, 1, 2, &m.day) || !take_char(&try, ' '))
		return false;
	struct text year = try;
	if (take_number(&year, 4, 4, &m.year) && take_char(&year, ' '))
		try = year;
	else
		m.year = 0;
	if (!take_clock(&try, &m) || !sound(&m) ||
	    (m.year != 0 && (m.year < YEAR_MIN || m.year > YEAR_MAX)))
		return false;
	(void)take_char(&try, ':');
	*t = try;
	ret->time_ns = m.year != 0 ? ns_of(&m, m.year) : guess_year(&m, now_ns);
	ret->has_time = true;
	return true;
}

/* ---- RFC 5424 ----------------------------------------------------------------------------------- */

/* "-", or elements [id name="value" ...] one after the other. What they say is not kept. */
static bool take_structured(struct text *t)
{
	struct text try = *t;
	bool quoted = false;
	if (take_char(t, '-'))
		return true;
	if (peek(&try, 0) != '[')
		return false;
	while (take_char(&try, '[')) {
		for (; try.at < try.end && (quoted || *try.at != ']'); try.at++) {
			if (quoted && *try.at == '\\' && try.at + 1 < try.end)
				try.at++;
			else if (*try.at == '"')
				quoted = !quoted;
		}
		if (!take_char(&try, ']'))
			return false;
	}
	*t = try;
	return true;
}

static bool take_5424(struct text *t, struct syslog_line *ret)
{
	struct text try = *t;
	unsigned version;
	if (!take_number(&try, 1, 3, &version) || version == 0 || !take_char(&try, ' '))
		return false;
	struct syslog_line l = *ret;
	if (!take_char(&try, '-') && !take_iso(&try, &l))
		return false;
	if (!take_char(&try, ' ') || !take_word(&try, l.host, sizeof(l.host)) ||
	    !take_word(&try, l.app, sizeof(l.app)) || !take_word(&try, l.pid, sizeof(l.pid)) ||
	    !take_word(&try, l.msgid, sizeof(l.msgid)))
		return false;
	if (take_structured(&try))
		(void)take_char(&try, ' ');
	if (try.end - try.at >= 3 && memcmp(try.at, "\xef\xbb\xbf", 3) == 0)
		try.at += 3;
	*ret = l;
	ret->rfc5424 = true;
	*t = try;
	return true;
}

/* ---- RFC 3164 ------------------------------------------------------------------------------------- */

static bool host_char(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
	       c == '-' || c == '_' || c == ':';
}

/* A word that could be a name or an address, with a blank behind. With a colon at its end it is a tag. */
static void take_host(struct text *t, struct syslog_line *ret)
{
	size_t n = 0;
	while (t->at + n < t->end && host_char(t->at[n]))
		n++;
	if (n == 0 || n >= sizeof(ret->host) || peek(t, n) != ' ' || t->at[n - 1] == ':')
		return;
	memcpy(ret->host, t->at, n);
	ret->host[n] = '\0';
	t->at += n + 1;
}

/* "name:", "name[pid]:", "name[pid]" and a blank; anything else is text already. */
static void take_tag(struct text *t, struct syslog_line *ret)
{
	struct text try = *t;
	size_t n = 0, p = 0;
	while (try.at + n < try.end && (unsigned char)try.at[n] > ' ' && try.at[n] != ':' &&
	       try.at[n] != '[')
		n++;
	if (n == 0 || n >= sizeof(ret->app))
		return;
	const char *pid = try.at + n + 1;
	bool bracket = peek(&try, n) == '[';
	if (bracket) {
		while (pid + p < try.end && (unsigned char)pid[p] > ' ' && pid[p] != ']')
			p++;
		if (pid + p == try.end || pid[p] != ']' || p >= sizeof(ret->pid))
			return;
	}
	try.at += bracket ? n + p + 2 : n;
	if (!take_char(&try, ':') && !(bracket && (try.at == try.end || *try.at == ' ')))
		return;
	memcpy(ret->app, t->at, n);
	ret->app[n] = '\0';
	if (bracket)
		memcpy(ret->pid, pid, p);
	ret->pid[p] = '\0';
	(void)take_char(&try, ' ');
	*t = try;
}

static void take_3164(struct text *t, int64_t now_ns, struct syslog_line *ret)
{
	if (take_bsd(t, now_ns, ret) || take_iso(t, ret)) {
		(void)take_char(t, ' ');
		take_host(t, ret);
	}
	take_tag(t, ret);
}

void syslog_parse(const void *data, size_t len, int64_t now_wall_ns, struct syslog_line *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (len > SYSLOG_LINE) {
		len = SYSLOG_LINE;
		ret->cut = true;
	}
	struct text t = {data, data};
	if (len > 0)
		t.end += len;
	while (t.end > t.at && (t.end[-1] == '\n' || t.end[-1] == '\0'))
		t.end--; /* senders that take the end of a line or string along */
	take_pri(&t, ret);
	if (!take_5424(&t, ret))
		take_3164(&t, now_wall_ns, ret);
	ret->text = t.at;
	ret->len = (uint32_t)(t.end - t.at);
}

/* ---- names ---------------------------------------------------------------------------------------- */

const char *syslog_facility_text(unsigned facility)
{
	static const char *const names[] = {
		"kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
		"uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
		"local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};
	return facility < ARRAY_LEN(names) ? names[facility] : "?";
}

const char *syslog_severity_text(unsigned severity)
{
	static const char *const names[] = {"emerg",   "alert",  "crit", "err",
					    "warning", "notice", "info", "debug"};
	return severity < ARRAY_LEN(names) ? names[severity] : "?";
}
