/* SPDX-License-Identifier: BSD-2-Clause */
/* The form in which messages are kept: names of folders and days, and the line of a message. */
#include "syslog/syslog_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool store_name_ok(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	return n > 0 && n < STORE_NAME && name[n] == '\0' && name[0] != '-';
}

bool store_day_ok(const char *name, const char *rest)
{
	static const char shape[] = "dddd-dd-dd";
	for (size_t i = 0; shape[i] != '\0'; i++)
		if (shape[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != shape[i])
			return false;
	return strcmp(name + sizeof(shape) - 1, rest) == 0;
}

static struct tm civil(int64_t time_ns)
{
	struct tm tm = {0};
	time_t s = (time_t)(time_ns / NS_PER_SEC) - (time_ns % NS_PER_SEC < 0);
	if (gmtime_r(&s, &tm) == NULL || tm.tm_year > 8099 || tm.tm_year < -1900)
		memset(&tm, 0, sizeof(tm));
	return tm;
}

void store_day_text(int64_t time_ns, char ret[STORE_DAY])
{
	struct tm tm = civil(time_ns);
	strftime(ret, STORE_DAY, "%Y-%m-%d.log", &tm);
}

void store_time_text(int64_t time_ns, char ret[STORE_TIME])
{
	struct tm tm = civil(time_ns);
	int64_t frac = time_ns % NS_PER_SEC;
	size_t n = strftime(ret, STORE_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	frac += frac < 0 ? NS_PER_SEC : 0;
	snprintf(ret + n, STORE_TIME - n, ".%06dZ", (int)(frac / 1000));
}

static bool two(const char *s, int least, int most, int *ret)
{
	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return false;
	*ret = (s[0] - '0') * 10 + s[1] - '0';
	return *ret >= least && *ret <= most;
}

/* Exactly what store_time_text writes, or rsyslog (with "+00:00" for the Z). */
int store_time_parse(const char *s, size_t len, int64_t *ret_ns)
{
	struct tm tm = {0};
	int century, year;
	int64_t us = 0;
	if (len < 27 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' ||
	    s[16] != ':' || s[19] != '.' || !two(s, 19, 21, &century) ||
	    !two(s + 2, 0, 99, &year) || !two(s + 5, 1, 12, &tm.tm_mon) ||
	    !two(s + 8, 1, 31, &tm.tm_mday) || !two(s + 11, 0, 23, &tm.tm_hour) ||
	    !two(s + 14, 0, 59, &tm.tm_min) || !two(s + 17, 0, 60, &tm.tm_sec))
		return SKEP_EFORMAT;
	for (size_t i = 20; i < 26; i++) {
		if (s[i] < '0' || s[i] > '9')
			return SKEP_EFORMAT;
		us = us * 10 + (s[i] - '0');
	}
	if (!(len == 27 && s[26] == 'Z') && !(len == 32 && memcmp(s + 26, "+00:00", 6) == 0))
		return SKEP_EFORMAT;
	tm.tm_year = century * 100 + year - 1900;
	tm.tm_mon--;
	*ret_ns = (int64_t)timegm(&tm) * NS_PER_SEC + us * 1000;
	return 0;
}

/* ---- lines ------------------------------------------------------------------------------------- */

size_t store_line_write(char *buf, size_t size, const struct syslog_kept *k)
{
	char when[STORE_TIME];
	struct syslog_line l;
	struct writer w = writer_of(buf, size);
	syslog_parse(k->raw, k->len, k->time_ns, &l);
	store_time_text(k->time_ns, when);
	write_fmt(&w, "%s %llu %s.%s%s ", when, (unsigned long long)k->flow_id,
		  syslog_facility_text(l.facility), syslog_severity_text(l.severity),
		  k->cut ? "+cut" : "");
	write_escaped(&w, k->raw, k->len);
	write_str(&w, "\n");
	return w.len;
}

/* Undoes write_escaped. */
static int unescape(const char *s, size_t len, char raw[SYSLOG_LINE], uint32_t *ret)
{
	size_t n = 0;
	for (size_t i = 0; i < len; n++) {
		int high = -1, low = -1;
		if (n == SYSLOG_LINE || (unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f)
			return SKEP_EFORMAT;
		if (s[i] != '\\') {
			raw[n] = s[i++];
		} else if (len - i >= 2 && s[i + 1] == '\\') {
			raw[n] = '\\';
			i += 2;
		} else {
			if (len - i >= 4 && s[i + 1] == 'x') {
				high = text_hex(s[i + 2]);
				low = text_hex(s[i + 3]);
			}
			if (high < 0 || low < 0)
				return SKEP_EFORMAT;
			raw[n] = (char)(high << 4 | low);
			i += 4;
		}
	}
	*ret = (uint32_t)n;
	return 0;
}

static bool is(const char *word, const char *s, size_t len)
{
	return strlen(word) == len && memcmp(word, s, len) == 0;
}

/* "local6.info", "local6.info+cut" */
static int read_pri(const char *s, size_t len, struct syslog_kept *k)
{
	const char *dot = memchr(s, '.', len);
	unsigned f = 0, v = 0;
	k->cut = len > 4 && memcmp(s + len - 4, "+cut", 4) == 0;
	len -= k->cut ? 4 : 0;
	if (dot == NULL || (size_t)(dot - s) >= len)
		return SKEP_EFORMAT;
	while (f < 24 && !is(syslog_facility_text(f), s, (size_t)(dot - s)))
		f++;
	while (v < 8 && !is(syslog_severity_text(v), dot + 1, len - (size_t)(dot + 1 - s)))
		v++;
	if (f == 24 || v == 8)
		return SKEP_EFORMAT;
	k->facility = (uint8_t)f;
	k->severity = (uint8_t)v;
	return 0;
}

static bool read_u64(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*ret = v;
	return len > 0 && len < 20; /* what twenty digits hold may not fit */
}

/* "# TIME lost N" */
static int read_note(const char *line, size_t len, struct syslog_kept *ret)
{
	struct syslog_kept k = {.raw = ""};
	const size_t head = 2 + 27 + 6;
	if (len <= head || line[1] != ' ' || memcmp(line + 29, " lost ", 6) != 0 ||
	    store_time_parse(line + 2, 27, &k.time_ns) != 0 ||
	    !read_u64(line + head, len - head, &k.lost))
		return SKEP_EFORMAT;
	*ret = k;
	return 0;
}

int store_line_read(const char *line, size_t len, char raw[SYSLOG_LINE], struct syslog_kept *ret)
{
	struct syslog_kept k = {.raw = raw};
	const char *end = line + len, *part[3], *at = line;
	size_t n[3];
	if (len > 0 && line[0] == '#')
		return read_note(line, len, ret);
	for (size_t i = 0; i < 3; i++) {
		const char *blank = memchr(at, ' ', (size_t)(end - at));
		if (blank == NULL)
			return SKEP_EFORMAT;
		part[i] = at;
		n[i] = (size_t)(blank - at);
		at = blank + 1;
	}
	if (store_time_parse(part[0], n[0], &k.time_ns) != 0 ||
	    !read_u64(part[1], n[1], &k.flow_id) || read_pri(part[2], n[2], &k) != 0)
		return SKEP_EFORMAT;
	int err = unescape(at, (size_t)(end - at), raw, &k.len);
	if (err == 0)
		*ret = k;
	return err;
}
