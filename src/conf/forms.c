/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts that are more than printable: mail addresses, URLs, times, numbers. */
#include "conf/conf_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DAY_NS (86400 * NS_PER_SEC)
#define MINUTE_NS (60 * NS_PER_SEC)

/* ---- times --------------------------------------------------------------------------------------- */

/* n digits at p. */
static bool digits(const char *p, size_t n, unsigned *ret)
{
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)p[i]))
			return false;
		*ret = *ret * 10 + (unsigned)(p[i] - '0');
	}
	return true;
}

/* "07:00" at p, whatever follows. */
static bool clock_at(const char *p, uint16_t *ret)
{
	unsigned h, m;
	if (!digits(p, 2, &h) || p[2] != ':' || !digits(p + 3, 2, &m) || h > 23 || m > 59)
		return false;
	*ret = (uint16_t)(h * 60 + m);
	return true;
}

int conf_clock_parse(const char *text, uint16_t *ret_minute)
{
	uint16_t at;
	if (strlen(text) != 5 || !clock_at(text, &at))
		return SKEP_EFORMAT;
	*ret_minute = at;
	return 0;
}

int conf_hours_parse(const char *text, uint16_t *ret_from, uint16_t *ret_to)
{
	uint16_t from, to;
	if (strlen(text) != 11 || !clock_at(text, &from) || text[5] != '-')
		return SKEP_EFORMAT;
	/* 24:00 ends a day, and begins none. */
	if (strcmp(text + 6, "24:00") == 0)
		to = 24 * 60;
	else if (!clock_at(text + 6, &to))
		return SKEP_EFORMAT;
	if (from == to)
		return SKEP_EFORMAT; /* all day, or never? */
	*ret_from = from;
	*ret_to = to;
	return 0;
}

static bool is_leap(unsigned y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days since 1970-01-01; -1: there is no such day. */
static int64_t day_number(unsigned y, unsigned m, unsigned d)
{
	static const uint8_t length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t n = 0;
	if (y < 1970 || y > 2199 || m < 1 || m > 12 || d < 1)
		return -1;
	if (d > length[m - 1] + (m == 2 && is_leap(y) ? 1u : 0u))
		return -1;
	for (unsigned i = 1970; i < y; i++)
		n += is_leap(i) ? 366 : 365;
	for (unsigned i = 1; i < m; i++)
		n += length[i - 1] + (i == 2 && is_leap(y) ? 1 : 0);
	return n + d - 1;
}

int conf_until_parse(const char *text, int64_t *ret_local_ns)
{
	unsigned y, m, d;
	uint16_t minute;
	size_t len = strlen(text);
	if ((len != 10 && len != 16) || !digits(text, 4, &y) || text[4] != '-' ||
	    !digits(text + 5, 2, &m) || text[7] != '-' || !digits(text + 8, 2, &d))
		return SKEP_EFORMAT;
	int64_t day = day_number(y, m, d);
	if (day < 0)
		return SKEP_EFORMAT;
	if (len == 10) {
		*ret_local_ns = (day + 1) * DAY_NS;
		return 0;
	}
	if (text[10] != ' ' || !clock_at(text + 11, &minute))
		return SKEP_EFORMAT;
	*ret_local_ns = day * DAY_NS + minute * MINUTE_NS;
	return 0;
}

static bool is_clock(const char *text)
{
	uint16_t m;
	return conf_clock_parse(text, &m) == 0;
}

static bool is_hours(const char *text)
{
	uint16_t from, to;
	return conf_hours_parse(text, &from, &to) == 0;
}

static bool is_until(const char *text)
{
	int64_t ns;
	return conf_until_parse(text, &ns) == 0;
}

/* ---- addresses ----------------------------------------------------------------------------------- */

static bool is_host_byte(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.';
}

/* A name or an IPv4 address: labels of letters, digits and '-'. */
static bool is_host(const char *p, size_t len)
{
	if (len == 0 || len > 253 || p[0] == '-' || p[0] == '.' || p[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_host_byte(p[i]) || (p[i] == '.' && i + 1 < len && p[i + 1] == '.'))
			return false;
	return true;
}

/* One @; a local part of plain characters (RFC 5322's dot-atom); no option of a program. */
bool conf_is_mail(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				"!#$%&'*+-/=?^_`{|}~.");
	if (n == 0 || n > 64 || text[n] != '@' || text[0] == '-' || text[0] == '.' ||
	    text[n - 1] == '.')
		return false;
	for (size_t i = 1; i < n; i++)
		if (text[i] == '.' && text[i - 1] == '.')
			return false;
	return strlen(text) < CONF_MAIL && is_host(text + n + 1, strlen(text + n + 1));
}

/* The host of "scheme://host:port/path" without brackets; NULL: none. */
static const char *url_host(const char *url, size_t *ret_len, const char **ret_rest)
{
	const char *p = strstr(url, "://");
	if (p == NULL || p == url || strspn(url, "abcdefghijklmnopqrstuvwxyz") != (size_t)(p - url))
		return NULL;
	p += 3;
	if (p[0] == '[') {
		*ret_len = strcspn(p + 1, "]");
		*ret_rest = p + 1 + *ret_len + 1;
		return p[1 + *ret_len] == ']' ? p + 1 : NULL;
	}
	*ret_len = strcspn(p, ":/?#");
	*ret_rest = p + *ret_len;
	return p;
}

static bool is_port_and_path(const char *p)
{
	if (p[0] == ':') {
		size_t n = strspn(p + 1, "0123456789");
		unsigned port = 0;
		for (size_t i = 1; i <= n && n <= 5; i++)
			port = port * 10 + (unsigned)(p[i] - '0');
		if (n == 0 || n > 5 || port == 0 || port > 65535)
			return false;
		p += 1 + n;
	}
	return p[0] == '\0' || p[0] == '/' || p[0] == '?';
}

/* No user, no fragment: both have settings of their own, or no meaning. */
bool conf_is_url(const char *text)
{
	size_t len;
	const char *rest, *host = url_host(text, &len, &rest);
	struct addr a;
	char in[ADDR_TEXT];
	for (const char *p = text; *p != '\0'; p++)
		if (*p < 0x21 || *p > 0x7e)
			return false;
	if (host == NULL || strlen(text) >= CONF_URL || strpbrk(text, " \"\\<>^`{|}#") != NULL)
		return false;
	if (host[-1] == '[') {
		if (len >= sizeof(in))
			return false;
		memcpy(in, host, len);
		in[len] = '\0';
		return addr_parse(in, &a) == 0 && a.ver == 6 && is_port_and_path(rest);
	}
	return is_host(host, len) && is_port_and_path(rest);
}

bool form_is_near(const char *url)
{
	size_t len;
	const char *rest, *host = url_host(url, &len, &rest);
	struct addr a;
	char name[ADDR_TEXT];
	if (host == NULL || len >= sizeof(name))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (strcmp(name, "localhost") == 0)
		return true;
	if (addr_parse(name, &a) < 0)
		return false;
	static const uint8_t near6[16] = {[15] = 1};
	return a.ver == 4 ? a.b[0] == 127 : memcmp(a.b, near6, sizeof(near6)) == 0;
}

/* ---- the rest ------------------------------------------------------------------------------------ */

static bool is_number(const char *text)
{
	size_t n = strspn(text, "0123456789");
	return n > 0 && text[n] == '\0' && text[0] != '0' &&
	       (n < 10 || (n == 10 && strcmp(text, "4294967295") <= 0));
}

static bool is_country(const char *text)
{
	return strlen(text) == 2 && isupper((unsigned char)text[0]) &&
	       isupper((unsigned char)text[1]);
}

static bool is_location(const char *text)
{
	return strcmp(text, "auto") == 0 || (text[0] == '/' && strstr(text, "/../") == NULL);
}

const struct row_form_of
	form_mail = {conf_is_mail, "a mail address such as ann@example.org",
		     "^[^@ \\\\\"]+@[A-Za-z0-9.-]+$",
		     "a list of mail addresses such as [ann@example.org]"},
	form_url = {conf_is_url,
		    "a URL such as https://example.org/hook, without user and password",
		    "^[a-z]+://[!#-\\[\\]-~]+$"},
	form_hours = {is_hours,
		      "hours of the day such as 07:00-23:00, or 22:00-06:00 over midnight",
		      "^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$"},
	form_until = {is_until, "a day such as 2026-12-31, or a time such as \"2026-12-31 18:00\"",
		      "^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-2][0-9]:[0-5][0-9])?$"},
	form_clock = {is_clock, "a time of the day such as 07:00", "^[0-2][0-9]:[0-5][0-9]$"},
	form_number = {is_number, "a list of whole numbers such as [2001219, 2019876]",
		       "^[1-9][0-9]*$"},
	form_country = {is_country,
			"a list of countries, each two capital letters, such as [DE, SE]",
			"^[A-Z]{2}$"},
	form_location = {is_location, "auto, or the absolute path of a database", "^(auto|/.*)$"};
