/* SPDX-License-Identifier: BSD-2-Clause */
/* One value of one row: text -> field, and back. */
#include "conf/conf_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_MAX 64

struct unit {
	const char *name;
	uint64_t factor;
};
/* Largest first: writing takes the first that divides. */
static const struct unit byte_units[] = {
	{"GB", 1ull << 30}, {"MB", 1ull << 20}, {"KB", 1ull << 10}, {"", 1}};
static const struct unit time_units[] = {{"d", 86400000000000ull}, {"h", 3600000000000ull},
					 {"m", 60000000000ull},    {"s", 1000000000ull},
					 {"ms", 1000000ull},       {"ns", 1}};

static const char *const forms[ROW_TYPES] = {
	[ROW_BOOL] = "true or false",
	[ROW_ENUM] = "one of its words",
	[ROW_UINT] = "a whole number",
	[ROW_BYTES] = "a size such as 512MB (KB, MB, GB count in 1024s)",
	[ROW_DURATION] = "a time such as 90s, 15m, 1h or 7d",
	[ROW_NAME] = "a name of a-z, 0-9 and -, beginning with a letter or digit",
	[ROW_PATH] = "an absolute path of letters, digits and ._-/",
	[ROW_LINK] = "a network link such as eth0 or enp1s0.7",
	[ROW_ADDR] = "an IP address",
	[ROW_PREFIX] = "a network such as 10.0.0.0/24, host bits zero",
	[ROW_MAC] = "a unicast link address such as 52:54:00:12:34:56",
	[ROW_LIMIT] = "a limit such as 20/1h, a list such as [5/1m, 20/1h], or none",
	[ROW_PREFIXES] = "a list of networks such as [10.0.0.0/8, 2001:db8::/32]",
	[ROW_NAMES] = "a list of names such as [web1, db1]",
	[ROW_PORTS] = "a list of ports such as [80, 8000-8100]",
	[ROW_BYTE_LIMIT] = "a limit such as 10MB/1h, a list such as [1MB/1m, 10MB/1h], or none",
	[ROW_TEXTS] = "a list of texts such as [\"a\", \"b\"]",
	[ROW_TEXT] = "a text between quotes",
};

const char *row_form(const struct row *row)
{
	if (row->form != NULL && row->form->list != NULL && row_is_list(row))
		return row->form->list;
	if (row->form != NULL)
		return row->form->like;
	if (row->type == ROW_ADDR && row->min == 4)
		return "an IPv4 address";
	if (row->type == ROW_ADDR && row->min == 6)
		return "an IPv6 address";
	if (row->type == ROW_PREFIX && row->min == 6)
		return "a network such as 2001:db8::/64, host bits zero";
	if (row->type == ROW_PREFIXES && row->choices != NULL)
		return "a list of networks and words such as [outside, 10.0.0.0/8]";
	return forms[row->type];
}

bool row_is_limit(const struct row *row)
{
	return row->type == ROW_LIMIT || row->type == ROW_BYTE_LIMIT;
}

bool row_is_list(const struct row *row)
{
	return row_is_limit(row) || row->type == ROW_PREFIXES || row->type == ROW_NAMES ||
	       row->type == ROW_PORTS || row->type == ROW_TEXTS;
}

static size_t item_size(const struct row *row)
{
	return row->type == ROW_TEXTS      ? row->item
	       : row->type == ROW_PREFIXES ? sizeof(struct prefix)
	       : row->type == ROW_NAMES    ? CONF_NAME
					   : sizeof(struct conf_ports);
}

size_t row_most(const struct row *row)
{
	return row_is_limit(row) ? CONF_WINDOWS : row->size / item_size(row);
}

/* Digits, then the rest in *ret_rest. */
static int parse_digits(const char *s, uint64_t *ret, const char **ret_rest)
{
	char *end;
	if (!isdigit((unsigned char)s[0]))
		return SKEP_EFORMAT;
	errno = 0;
	*ret = strtoull(s, &end, 10);
	*ret_rest = end;
	return errno != 0 ? SKEP_ERANGE : 0;
}

static int parse_with_unit(const char *s, const struct unit *units, size_t n, uint64_t *ret)
{
	uint64_t v;
	const char *rest;
	int r = parse_digits(s, &v, &rest);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rest, units[i].name) != 0)
			continue;
		return __builtin_mul_overflow(v, units[i].factor, ret) ? SKEP_ERANGE : 0;
	}
	return SKEP_EFORMAT;
}

static int parse_number(const struct row *row, const char *s, uint64_t *ret)
{
	const char *rest;
	int r;
	if (row->type == ROW_BYTES)
		r = parse_with_unit(s, byte_units, ARRAY_LEN(byte_units), ret);
	else if (row->type == ROW_DURATION)
		r = parse_with_unit(s, time_units, ARRAY_LEN(time_units) - 1, ret);
	else if ((r = parse_digits(s, ret, &rest)) == 0 && rest[0] != '\0')
		r = SKEP_EFORMAT;
	if (r < 0)
		return r;
	return *ret < row->min || *ret > row->max ? SKEP_ERANGE : 0;
}

static void store_number(const struct row *row, void *base, uint64_t v)
{
	uint8_t *at = (uint8_t *)base + row->offset;
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;
	switch (row->size) {
	case 1:
		memcpy(at, &v8, 1);
		break;
	case 2:
		memcpy(at, &v16, 2);
		break;
	case 4:
		memcpy(at, &v32, 4);
		break;
	default:
		memcpy(at, &v, 8);
		break;
	}
}

static uint64_t load_number(const struct row *row, const void *base)
{
	const uint8_t *at = (const uint8_t *)base + row->offset;
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;
	switch (row->size) {
	case 1:
		return at[0];
	case 2:
		memcpy(&v16, at, 2);
		return v16;
	case 4:
		memcpy(&v32, at, 4);
		return v32;
	default:
		memcpy(&v64, at, 8);
		return v64;
	}
}

static int parse_choice(const struct row *row, const char *s, uint64_t *ret)
{
	for (const struct row_choice *c = row->choices; c->name != NULL; c++) {
		if (strcmp(c->name, s) != 0)
			continue;
		*ret = c->value;
		return 0;
	}
	return SKEP_EFORMAT;
}

static int parse_bool(const char *s, uint64_t *ret)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], s) != 0)
			continue;
		*ret = i % 2;
		return 0;
	}
	return SKEP_EFORMAT;
}

static int check_text(const struct row *row, const char *s, size_t size)
{
	size_t len = strlen(s);
	for (const char *p = s; *p != '\0'; p++) {
		bool common = (*p >= 'a' && *p <= 'z') || isdigit((unsigned char)*p) || *p == '-';
		bool both = (*p >= 'A' && *p <= 'Z') || *p == '.' || *p == '_';
		if (!common && !(both && (row->type == ROW_PATH || row->type == ROW_LINK)) &&
		    !(*p == '/' && row->type == ROW_PATH) && !(*p == ':' && row->type == ROW_LINK))
			return SKEP_EFORMAT;
	}
	if (row->type == ROW_LINK && strspn(s, ".") == len)
		return SKEP_EFORMAT; /* no name of a file in /sys */
	if (row->type == ROW_PATH ? s[0] != '/' || strstr(s, "/../") != NULL : s[0] == '-')
		return SKEP_EFORMAT;
	return len < row->min || len > row->max || len >= size ? SKEP_ERANGE : 0;
}

static int set_text(const struct row *row, void *base, const char *s)
{
	int r = check_text(row, s, row->size);
	if (r < 0)
		return r;
	memset((char *)base + row->offset, 0, row->size);
	memcpy((char *)base + row->offset, s, strlen(s));
	return 0;
}

static int set_prefix(const struct row *row, struct prefix *at, const char *s)
{
	int r = prefix_parse(s, at);
	if (r < 0)
		return SKEP_EFORMAT;
	if (row->type == ROW_PREFIX && at->addr.ver != row->min)
		return SKEP_EFORMAT;
	/* A network of guests has room for a gateway and a guest. */
	if (row->type == ROW_PREFIX && (at->len > row->max || at->len < 8))
		return SKEP_ERANGE;
	return 0;
}

static int append_window(const struct row *row, struct conf_limit *at, const char *s)
{
	uint64_t max, window;
	char head[ITEM_MAX];
	size_t len = strcspn(s, "/");
	if (s[len] != '/' || len >= sizeof(head))
		return SKEP_EFORMAT;
	memcpy(head, s, len);
	head[len] = '\0';
	/* The last of the units has no name. */
	size_t last = ARRAY_LEN(byte_units) - 1;
	int r = row->type == ROW_LIMIT ? parse_with_unit(head, &byte_units[last], 1, &max)
				       : parse_with_unit(head, byte_units, last + 1, &max);
	if (r < 0)
		return r;
	r = parse_with_unit(s + len + 1, time_units, ARRAY_LEN(time_units) - 1, &window);
	if (r < 0)
		return r;
	if (max > row->max || window < (uint64_t)NS_PER_SEC || window > 30 * time_units[0].factor)
		return SKEP_ERANGE;
	if (at->n >= CONF_WINDOWS)
		return SKEP_EFULL;
	at->w[at->n].max = (uint32_t)max;
	at->w[at->n++].window_ns = (int64_t)window;
	return 0;
}

static int parse_ports(const char *s, struct conf_ports *ret)
{
	uint64_t lo, hi;
	const char *rest;
	int r = parse_digits(s, &lo, &rest);
	hi = lo;
	if (r == 0 && rest[0] == '-')
		r = parse_digits(rest + 1, &hi, &rest);
	if (r < 0)
		return r;
	if (rest[0] != '\0')
		return SKEP_EFORMAT;
	if (lo > hi || hi > 65535)
		return SKEP_ERANGE;
	*ret = (struct conf_ports){(uint16_t)lo, (uint16_t)hi};
	return 0;
}

/* A word becomes a prefix without address. */
static int parse_prefix(const struct row *row, const char *s, struct prefix *ret)
{
	uint64_t word;
	if (row->choices == NULL || parse_choice(row, s, &word) < 0)
		return set_prefix(row, ret, s);
	ret->len = (uint8_t)word;
	return 0;
}

static int append_item(const struct row *row, void *base, const char *s)
{
	union {
		struct prefix prefix;
		struct conf_ports ports;
		char name[CONF_NAME];
	} item;
	uint32_t n;
	int r;
	memset(&item, 0, sizeof(item));
	memcpy(&n, (char *)base + row->count_offset, sizeof(n));
	if (row->type == ROW_PREFIXES)
		r = parse_prefix(row, s, &item.prefix);
	else if (row->type == ROW_PORTS)
		r = parse_ports(s, &item.ports);
	else
		r = s[0] == '\0' ? SKEP_EFORMAT : check_text(row, s, CONF_NAME);
	if (r < 0)
		return r;
	if (n >= row_most(row))
		return SKEP_EFULL;
	if (row->type == ROW_NAMES)
		text_copy(item.name, sizeof(item.name), s);
	memcpy((char *)base + row->offset + n * item_size(row), &item, item_size(row));
	n++;
	memcpy((char *)base + row->count_offset, &n, sizeof(n));
	return 0;
}

static bool has_form(const struct row *row, const char *s)
{
	return row->form == NULL || row->form->is(s);
}

/* Printable, with line ends where the row takes them. */
static int set_line(const struct row *row, void *base, const char *s)
{
	size_t len = strlen(s);
	for (const char *p = s; *p != '\0'; p++)
		if ((*p < 0x20 || *p > 0x7e) && !(row->lines && (*p == '\n' || *p == '\t')))
			return SKEP_EFORMAT;
	if (!has_form(row, s))
		return SKEP_EFORMAT;
	if (len < row->min || len > row->max || len >= row->size)
		return SKEP_ERANGE;
	memset((char *)base + row->offset, 0, row->size);
	memcpy((char *)base + row->offset, s, len);
	return 0;
}

/* Printable, and nothing that would need an escape between quotes. */
static int append_text(const struct row *row, void *base, const char *s)
{
	uint32_t n;
	size_t len = strlen(s);
	memcpy(&n, (char *)base + row->count_offset, sizeof(n));
	for (const char *p = s; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e || *p == '"' || *p == '\\')
			return SKEP_EFORMAT;
	if (!has_form(row, s))
		return SKEP_EFORMAT;
	if (len < row->min || len > row->max || len >= row->item)
		return SKEP_ERANGE;
	if (n >= row->size / row->item)
		return SKEP_EFULL;
	char *at = (char *)base + row->offset + n * row->item;
	memset(at, 0, row->item);
	memcpy(at, s, len);
	n++;
	memcpy((char *)base + row->count_offset, &n, sizeof(n));
	return 0;
}

void row_clear(const struct row *row, void *base)
{
	memset((char *)base + row->offset, 0, row->size);
	if (row_is_list(row) && !row_is_limit(row))
		memset((char *)base + row->count_offset, 0, sizeof(uint32_t));
}

int row_append(const struct row *row, void *base, const char *text)
{
	if (row->type == ROW_TEXTS)
		return append_text(row, base, text);
	if (!row_is_limit(row))
		return append_item(row, base, text);
	struct conf_limit limit;
	memcpy(&limit, (char *)base + row->offset, sizeof(limit));
	int r = append_window(row, &limit, text);
	memcpy((char *)base + row->offset, &limit, sizeof(limit));
	return r;
}

static int set_list(const struct row *row, void *base, const char *text)
{
	row_clear(row, base);
	if (row_is_limit(row) && text[0] == '\0')
		return SKEP_EFORMAT; /* nothing written must not mean "unlimited" */
	for (const char *p = text; *p != '\0';) {
		char item[ITEM_MAX];
		size_t len = strcspn(p, ",");
		if (len >= sizeof(item))
			return SKEP_EFORMAT;
		memcpy(item, p, len);
		item[len] = '\0';
		int r = row_append(row, base, item);
		if (r < 0)
			return r;
		p += len;
		p += strspn(p, ", ");
	}
	return 0;
}

static int set_addr(const struct row *row, void *at, const char *text)
{
	struct addr a = {0};
	if (addr_parse(text, &a) < 0 || (row->min != 0 && a.ver != row->min))
		return SKEP_EFORMAT;
	memcpy(at, &a, sizeof(a));
	return 0;
}

static int set_mac(void *at, const char *text)
{
	static const struct mac none = {0};
	struct mac m;
	/* Group addresses and the zero address can't be anybody's own. */
	if (mac_parse(text, &m) < 0 || (m.b[0] & 1) != 0 || memcmp(&m, &none, sizeof(m)) == 0)
		return SKEP_EFORMAT;
	memcpy(at, &m, sizeof(m));
	return 0;
}

static int set_prefix_row(const struct row *row, void *at, const char *text)
{
	struct prefix p = {0};
	int r = set_prefix(row, &p, text);
	if (r == 0)
		memcpy(at, &p, sizeof(p));
	return r;
}

static int set_number(const struct row *row, void *base, const char *text)
{
	uint64_t v = 0;
	int r = row->type == ROW_ENUM   ? parse_choice(row, text, &v)
		: row->type == ROW_BOOL ? parse_bool(text, &v)
					: parse_number(row, text, &v);
	if (r == 0)
		store_number(row, base, v);
	return r;
}

int row_set(const struct row *row, void *base, const char *text)
{
	void *at = (char *)base + row->offset;
	if (row->empty != NULL && strcmp(row->empty, text) == 0) {
		row_clear(row, base);
		return 0;
	}
	if (row->word != NULL && strcmp(row->word, text) == 0) {
		store_number(row, base, row->word_value);
		return 0;
	}
	switch (row->type) {
	case ROW_NAME:
	case ROW_PATH:
	case ROW_LINK:
		return set_text(row, base, text);
	case ROW_TEXT:
		return set_line(row, base, text);
	case ROW_ADDR:
		return set_addr(row, at, text);
	case ROW_PREFIX:
		return set_prefix_row(row, at, text);
	case ROW_MAC:
		return set_mac(at, text);
	case ROW_TEXTS: /* one: a text may have commas */
		row_clear(row, base);
		return text[0] != '\0' ? append_text(row, base, text) : 0;
	case ROW_LIMIT:
	case ROW_BYTE_LIMIT:
	case ROW_PREFIXES:
	case ROW_NAMES:
	case ROW_PORTS:
		return set_list(row, base, text);
	case ROW_BOOL:
	case ROW_ENUM:
	case ROW_UINT:
	case ROW_BYTES:
	case ROW_DURATION:
	case ROW_TYPES:
		break;
	}
	return set_number(row, base, text);
}

static void write_unit(struct writer *w, uint64_t v, const struct unit *units, size_t n)
{
	size_t i = 0;
	while (i + 1 < n && (v == 0 || v % units[i].factor != 0))
		i++;
	write_fmt(w, "%" PRIu64 "%s", v / units[i].factor, units[i].name);
}

void row_write_number(struct writer *w, const struct row *row, uint64_t v)
{
	if (row->type == ROW_BYTES)
		write_unit(w, v, byte_units, ARRAY_LEN(byte_units));
	else if (row->type == ROW_DURATION)
		write_unit(w, v, time_units, ARRAY_LEN(time_units));
	else
		write_fmt(w, "%" PRIu64, v);
}

static void write_limit(struct writer *w, const struct row *row, const void *at)
{
	struct conf_limit l;
	memcpy(&l, at, sizeof(l));
	for (uint32_t i = 0; i < l.n && i < CONF_WINDOWS; i++) {
		write_str(w, i > 0 ? ", " : "");
		if (row->type == ROW_LIMIT)
			write_fmt(w, "%" PRIu32, l.w[i].max);
		else
			write_unit(w, l.w[i].max, byte_units, ARRAY_LEN(byte_units));
		write_str(w, "/");
		write_unit(w, (uint64_t)l.w[i].window_ns, time_units, ARRAY_LEN(time_units));
	}
}

static void write_choice(struct writer *w, const struct row *row, uint64_t v)
{
	for (const struct row_choice *c = row->choices; c->name != NULL; c++)
		if (c->value == v)
			write_str(w, c->name);
}

static void write_prefix_item(struct writer *w, const struct row *row, const void *at)
{
	struct prefix p;
	char buf[PREFIX_TEXT];
	memcpy(&p, at, sizeof(p));
	if (p.addr.ver == 0 && row->choices != NULL)
		write_choice(w, row, p.len);
	else
		write_str(w, prefix_text(&p, buf));
}

static void write_items(struct writer *w, const struct row *row, const void *base)
{
	uint32_t n;
	memcpy(&n, (const char *)base + row->count_offset, sizeof(n));
	for (uint32_t i = 0; i < n && i < row_most(row); i++) {
		const char *at = (const char *)base + row->offset + i * item_size(row);
		write_str(w, i > 0 ? ", " : "");
		if (row->type == ROW_PREFIXES) {
			write_prefix_item(w, row, at);
		} else if (row->type == ROW_NAMES) {
			write_fmt(w, "%.*s", CONF_NAME, at);
		} else {
			struct conf_ports p;
			memcpy(&p, at, sizeof(p));
			write_fmt(w, p.lo == p.hi ? "%u" : "%u-%u", p.lo, p.hi);
		}
	}
}

static void write_texts(struct writer *w, const struct row *row, const void *base)
{
	uint32_t n;
	memcpy(&n, (const char *)base + row->count_offset, sizeof(n));
	for (uint32_t i = 0; i < n && i < row->size / row->item; i++)
		write_fmt(w, "%s%s", i > 0 ? ", " : "",
			  (const char *)base + row->offset + i * row->item);
}

static void write_address(struct writer *w, const struct row *row, const void *at)
{
	char buf[PREFIX_TEXT];
	if (row->type == ROW_ADDR) {
		struct addr a;
		memcpy(&a, at, sizeof(a));
		write_str(w, addr_text(&a, buf));
	} else if (row->type == ROW_PREFIX) {
		struct prefix p;
		memcpy(&p, at, sizeof(p));
		write_str(w, prefix_text(&p, buf));
	} else {
		struct mac m;
		memcpy(&m, at, sizeof(m));
		write_str(w, mac_text(&m, buf));
	}
}

static bool is_zero(const uint8_t *at, size_t n)
{
	size_t i = 0;
	while (i < n && at[i] == 0)
		i++;
	return i == n;
}

void row_write(struct writer *w, const struct row *row, const void *base)
{
	const uint8_t *at = (const uint8_t *)base + row->offset;
	if (row->empty != NULL && is_zero(at, row->size)) {
		write_str(w, row->empty);
		return;
	}
	if (row->word != NULL && load_number(row, base) == row->word_value) {
		write_str(w, row->word);
		return;
	}
	switch (row->type) {
	case ROW_NAME:
	case ROW_PATH:
	case ROW_LINK:
	case ROW_TEXT:
		write_fmt(w, "%.*s", (int)row->size, (const char *)at);
		return;
	case ROW_ADDR:
	case ROW_PREFIX:
	case ROW_MAC:
		write_address(w, row, at);
		return;
	case ROW_LIMIT:
	case ROW_BYTE_LIMIT:
		write_limit(w, row, at);
		return;
	case ROW_PREFIXES:
	case ROW_NAMES:
	case ROW_PORTS:
		write_items(w, row, base);
		return;
	case ROW_TEXTS:
		write_texts(w, row, base);
		return;
	case ROW_ENUM:
		write_choice(w, row, load_number(row, base));
		return;
	case ROW_BOOL:
		write_str(w, load_number(row, base) != 0 ? "true" : "false");
		return;
	case ROW_UINT:
	case ROW_BYTES:
	case ROW_DURATION:
	case ROW_TYPES:
		break;
	}
	row_write_number(w, row, load_number(row, base));
}
