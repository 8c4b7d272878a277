/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of protocols, transactions and files as a whole; and events. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* ---- protocol ----------------------------------------------------------------------------------- */

/* app-layer-protocol:[!]http[,to_server|to_client|final|original|either] */
int kw_app_proto(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	static const struct {
		const char *name;
		uint8_t mode;
	} modes[] = {{"to_server", 's'}, {"toserver", 's'}, {"to_client", 'c'}, {"toclient", 'c'},
		     {"final", 'f'},     {"original", 'o'}, {"either", 'e'},    {"direction", 0}};
	struct slice name = slice_cut(&v, ',');
	bool negated = name.len > 0 && name.at[0] == '!';
	uint8_t mode = 0;
	if (negated)
		name = slice_trim((struct slice){name.at + 1, name.len - 1});
	char text[32] = "";
	for (size_t i = 0; i < name.len && name.len < sizeof(text); i++)
		text[i] = (char)tolower((unsigned char)name.at[i]);
	enum app_proto app = slice_is(name, "failed")    ? APP_FAILED
			     : slice_is(name, "unknown") ? APP_UNKNOWN
							 : app_proto_by_name(text, strlen(text));
	if (app == APP_PROTOS)
		return read_fail(r, name.at, "app-layer-protocol: unknown protocol '%.*s'",
				 (int)(name.len < 40 ? name.len : 40), name.at);
	if (v.at != NULL) {
		struct slice m = slice_trim(v);
		size_t i = 0;
		while (i < ARRAY_LEN(modes) && !slice_is(m, modes[i].name))
			i++;
		if (i == ARRAY_LEN(modes))
			return read_fail(
				r, m.at,
				"app-layer-protocol: '%.*s' is none of toserver, toclient, "
				"final, original, either",
				(int)(m.len < 40 ? m.len : 40), m.at);
		mode = modes[i].mode;
	}
	if (r->rule->proto == PROTO_APP && mode == 0 && !negated && r->rule->app != app)
		return read_fail(r, name.at, "app-layer-protocol: the rule's header is about %s",
				 app_proto_text((enum app_proto)r->rule->app));
	struct rule_test *t = read_test_add(r, TEST_APP_PROTO);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->negated = negated;
	t->u.app.app = (uint8_t)app;
	t->u.app.mode = mode;
	return 0;
}

static int event_test(struct reading *r, enum test_kind kind, int event, enum app_proto app)
{
	struct rule_test *t = read_test_add(r, kind);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.event.proto = (uint8_t)app;
	t->u.event.event = (uint16_t)event;
	return 0;
}

/* app-layer-event (arg 0), decode-event (1), stream-event (2). */
int kw_app_event(struct reading *r, const struct keyword *k, struct slice v)
{
	char text[96] = "";
	v = slice_unquote(v);
	if (v.len >= sizeof(text))
		return read_fail(r, v.at, "%s: unknown event", k->name);
	memcpy(text, v.at, v.len);
	enum app_proto app = APP_UNKNOWN;
	int event = -1;
	enum test_kind kind = TEST_APP_EVENT;
	if (k->arg == 0) {
		event = app_event_by_name(text, v.len, &app);
	} else if (k->arg == 2) {
		kind = TEST_STREAM_EVENT;
		event = stream_event_by_name(slice_has(v, "stream.") ? text + 7 : text);
	} else if (slice_has(v, "stream.")) { /* older rules */
		kind = TEST_STREAM_EVENT;
		event = stream_event_by_name(text + 7);
	} else {
		kind = TEST_DECODE_EVENT;
		event = dissect_event_by_name(slice_has(v, "decoder.") ? text + 8 : text);
	}
	if (event < 0)
		return read_fail(r, v.at, "%s: unknown event '%.*s'", k->name,
				 (int)(v.len < 60 ? v.len : 60), v.at);
	return event_test(r, kind, event, app);
}

/* ---- numbers of transactions -------------------------------------------------------------------- */

static int number_test(struct reading *r, unsigned what, const struct rule_number *n, bool negated)
{
	struct rule_test *t = read_test_add(r, TEST_NUMBER);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->negated = negated;
	t->u.num.n = (uint8_t)what;
	t->u.num.v = *n;
	return 0;
}

static bool dns_name(unsigned what, struct slice v, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint16_t number;
	} types[] = {{"a", 1},       {"ns", 2},     {"cname", 5},  {"soa", 6},  {"null", 10},
		     {"ptr", 12},    {"hinfo", 13}, {"mx", 15},    {"txt", 16}, {"aaaa", 28},
		     {"srv", 33},    {"naptr", 35}, {"opt", 41},   {"ds", 43},  {"rrsig", 46},
		     {"dnskey", 48}, {"svcb", 64},  {"https", 65}, {"spf", 99}, {"axfr", 252},
		     {"any", 255}},
	  codes[] = {{"noerror", 0},  {"formerr", 1}, {"servfail", 2},
		     {"nxdomain", 3}, {"notimp", 4},  {"refused", 5}};
	for (size_t i = 0; what == NUM_DNS_RRTYPE && i < ARRAY_LEN(types); i++)
		if (slice_is(v, types[i].name)) {
			*ret = types[i].number;
			return true;
		}
	for (size_t i = 0; what == NUM_DNS_RCODE && i < ARRAY_LEN(codes); i++)
		if (slice_is(v, codes[i].name)) {
			*ret = codes[i].number;
			return true;
		}
	return false;
}

int kw_app_number(struct reading *r, const struct keyword *k, struct slice v)
{
	struct rule_number n = {.op = '='};
	bool negated = v.len > 1 && v.at[0] == '!' && v.at[1] != '=';
	if (negated)
		v = slice_trim((struct slice){v.at + 1, v.len - 1});
	uint64_t most = k->arg == NUM_DNS_OPCODE ? 15 : 65535;
	if (dns_name(k->arg, v, &n.lo)) {
		n.hi = n.lo;
	} else {
		int e = read_number(r, v, most, &n);
		if (e < 0)
			return e;
	}
	if (negated && n.op == '=') {
		n.op = '!';
		negated = false;
	}
	return number_test(r, k->arg, &n, negated);
}

/* smb.version:1 or 2: the first number of the dialect family. */
int kw_smb_version(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	uint64_t x = 0;
	if (!slice_u64(v, 2, &x) || x == 0)
		return read_fail(r, v.at, "smb.version is 1 or 2");
	return number_test(r, NUM_SMB_VERSION, &(struct rule_number){.op = '=', .lo = x, .hi = x},
			   false);
}

static const struct {
	const char *name;
	uint16_t number, bit;
} tls_versions[] = {
	{"1.0", 0x0301, SSL_TLS10},    {"1.1", 0x0302, SSL_TLS11},    {"1.2", 0x0303, SSL_TLS12},
	{"1.3", 0x0304, SSL_TLS13},    {"tls1.0", 0x0301, SSL_TLS10}, {"tls1.1", 0x0302, SSL_TLS11},
	{"tls1.2", 0x0303, SSL_TLS12}, {"tls1.3", 0x0304, SSL_TLS13}, {"sslv2", 0x0200, SSL_V2},
	{"sslv3", 0x0300, SSL_V3},
};

static int tls_version_row(struct slice v)
{
	for (size_t i = 0; i < ARRAY_LEN(tls_versions); i++)
		if (slice_is(v, tls_versions[i].name))
			return (int)i;
	return -1;
}

int kw_tls_version(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_number n = {.op = '='};
	v = slice_unquote(v);
	int row = tls_version_row(v);
	uint64_t x = 0;
	if (row < 0 && !(slice_has(v, "0x") && slice_u64(v, 65535, &x)))
		return read_fail(r, v.at,
				 "tls.version: '%.*s' is none of 1.0, 1.1, 1.2, 1.3, 0x0301 ...",
				 (int)(v.len < 40 ? v.len : 40), v.at);
	n.lo = n.hi = row >= 0 ? tls_versions[row].number : x;
	return number_test(r, NUM_TLS_VERSION, &n, false);
}

/* ssl_version:sslv3,tls1.0 or with ! before each; "|" and "," both stand between them. */
static int ssl_words(struct reading *r, struct slice v, enum test_kind kind)
{
	static const struct {
		const char *name;
		uint16_t bit;
	} states[] = {{"client_hello", SSL_CLIENT_HELLO},
		      {"server_hello", SSL_SERVER_HELLO},
		      {"client_keyx", SSL_CLIENT_KEYX},
		      {"server_keyx", SSL_SERVER_KEYX},
		      {"unknown", SSL_UNKNOWN}};
	uint16_t on = 0, off = 0;
	char sep = memchr(v.at, '|', v.len) != NULL ? '|' : ',';
	while (v.at != NULL) {
		struct slice one = slice_unquote(slice_cut(&v, sep));
		bool negated = one.len > 0 && one.at[0] == '!';
		uint16_t bit = 0;
		if (negated)
			one = slice_trim((struct slice){one.at + 1, one.len - 1});
		int row = tls_version_row(one);
		if (kind == TEST_SSL_VERSION && row >= 0)
			bit = tls_versions[row].bit;
		for (size_t i = 0; kind == TEST_SSL_STATE && i < ARRAY_LEN(states); i++)
			if (slice_is(one, states[i].name))
				bit = states[i].bit;
		if (bit == 0)
			return read_fail(r, one.at, "%s: unknown word '%.*s'", r->kw->name,
					 (int)(one.len < 40 ? one.len : 40), one.at);
		on |= negated ? 0 : bit;
		off |= negated ? bit : 0;
	}
	if (on & off)
		return read_fail(r, r->at, "%s: wanted and not wanted", r->kw->name);
	struct rule_test *t = read_test_add(r, kind);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.ssl.on = on;
	t->u.ssl.off = off;
	return 0;
}

int kw_ssl_version(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	return ssl_words(r, v, TEST_SSL_VERSION);
}

int kw_ssl_state(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	return ssl_words(r, v, TEST_SSL_STATE);
}

/* Days from 1970 to the first of a month. Not timegm: it reads the file of the time zone, which the
 * rule compiler's filter of system calls does not let it. */
static uint64_t days_of(int year, int month)
{
	static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int y = year - 1; /* leap days up to the year before */
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int days = (year - 1970) * 365 + y / 4 - y / 100 + y / 400 - 477 + before[month - 1] +
		   (leap && month > 2);
	return (uint64_t)days;
}

/* A day, or a day and a time: 2015-10-22, 2015-10-22 12:00[:00] (also with T), 2015. */
static bool date_of(struct slice v, uint64_t *ret)
{
	static const struct {
		char sep;
		int least, most;
	} parts[] = {{0, 1970, 2200}, {'-', 1, 12}, {'-', 1, 31},
		     {' ', 0, 23},    {':', 0, 59}, {':', 0, 59}};
	int x[6] = {0, 1, 1, 0, 0, 0};
	size_t i = 0;
	for (unsigned p = 0; p < 6 && i < v.len; p++) {
		if (p > 0) {
			bool fits = v.at[i] == parts[p].sep || (p == 3 && v.at[i] == 'T');
			if (!fits)
				return false;
			i++;
		}
		size_t from = i;
		x[p] = 0;
		while (i < v.len && isdigit((unsigned char)v.at[i]) && i - from < 4)
			x[p] = x[p] * 10 + (v.at[i++] - '0');
		if (i == from || x[p] < parts[p].least || x[p] > parts[p].most)
			return false;
	}
	if (i != v.len || v.len == 0)
		return false;
	*ret = (days_of(x[0], x[1]) + (uint64_t)x[2] - 1) * 86400 + (uint64_t)x[3] * 3600 +
	       (uint64_t)x[4] * 60 + (uint64_t)x[5];
	return true;
}

/* tls_cert_notbefore:<2015-10-22; a day<>another. The days themselves are in. */
int kw_tls_date(struct reading *r, const struct keyword *k, struct slice v)
{
	struct rule_number n = {.op = '='};
	struct slice rest = v, lo = v;
	if (v.len > 0 && (v.at[0] == '<' || v.at[0] == '>')) {
		n.op = v.at[0] == '<' ? 'l' : 'g';
		lo = slice_trim((struct slice){v.at + 1, v.len - 1});
	} else {
		lo = slice_cut(&rest, '<');
		if (rest.at != NULL) {
			n.op = 'R';
			if (rest.len == 0 || rest.at[0] != '>')
				return read_fail(r, rest.at, "%s: write DAY<>DAY", k->name);
			rest = slice_trim((struct slice){rest.at + 1, rest.len - 1});
		}
	}
	if (!date_of(lo, &n.lo))
		return read_fail(r, lo.at, "%s: '%.*s' is no day like 2015-10-22", k->name,
				 (int)(lo.len < 40 ? lo.len : 40), lo.at);
	n.hi = n.lo;
	if (n.op == 'R' && (!date_of(rest, &n.hi) || n.hi <= n.lo))
		return read_fail(r, rest.at, "%s: '%.*s' is no later day", k->name,
				 (int)(rest.len < 40 ? rest.len : 40), rest.at);
	return number_test(r, k->arg, &n, false);
}

/* ---- urilen ------------------------------------------------------------------------------------- */

int kw_urilen(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct slice number = slice_cut(&v, ',');
	struct rule_number n;
	uint64_t lo = 0, hi = 0;
	struct slice b = number, a = slice_cut(&b, '<');
	int e = 0;
	/* Snort 2 counts both ends in, Suricata neither: N<>N+1 can only mean the former. */
	if (b.len > 1 && b.at[0] == '>' && slice_u64(a, 65535, &lo) &&
	    slice_u64(slice_trim((struct slice){b.at + 1, b.len - 1}), 65535, &hi) && hi == lo + 1)
		n = (struct rule_number){.op = 'R', .lo = lo, .hi = hi};
	else
		e = read_number(r, number, 65535, &n);
	bool norm = false, raw = false;
	if (e == 0 && v.at != NULL) {
		struct slice how = slice_trim(v);
		norm = slice_is(how, "norm");
		raw = slice_is(how, "raw");
		if (!norm && !raw)
			return read_fail(r, how.at, "urilen: '%.*s' is neither norm nor raw",
					 (int)(how.len < 40 ? how.len : 40), how.at);
	}
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_URILEN);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.urilen.n = n;
	t->u.urilen.raw = raw;
	t->u.urilen.norm = norm;
	return 0;
}

/* ---- DCERPC ------------------------------------------------------------------------------------- */

/* dce_opnum:0,3-7,9 */
int kw_dce_opnum(struct reading *r, const struct keyword *k, struct slice v)
{
	struct rule_number all[64];
	uint32_t n = 0;
	v = slice_unquote(v);
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		if (n == ARRAY_LEN(all))
			return read_fail(r, one.at, "%s: more than %zu values", k->name,
					 ARRAY_LEN(all));
		struct slice rest = one, lo = slice_cut(&rest, '-');
		struct rule_number *x = &all[n++];
		*x = (struct rule_number){.op = '='};
		if (rest.at != NULL && lo.len > 0) {
			x->op = 'R';
			if (!slice_u64(lo, 65535, &x->lo) ||
			    !slice_u64(slice_trim(rest), 65535, &x->hi) || x->lo > x->hi)
				return read_fail(r, one.at, "%s: '%.*s' is no range", k->name,
						 (int)(one.len < 40 ? one.len : 40), one.at);
			continue;
		}
		int e = read_number(r, one, 65535, x);
		if (e < 0)
			return e;
	}
	struct rule_test *t = read_test_add(r, TEST_DCE_OPNUM);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.number = all[0];
	if (n > 1) {
		struct rule_number *list = rule_pool_alloc(r->set->pool, n * sizeof(*list));
		if (list == NULL)
			return read_nomem(r);
		memcpy(list, all, n * sizeof(*list));
		t->u.number = (struct rule_number){.op = '|', .hi = n, .list = list};
	}
	return 0;
}

static bool uuid_of(struct slice v, uint8_t ret[16])
{
	unsigned n = 0;
	for (size_t i = 0; i < v.len; i++) {
		char c = (char)tolower((unsigned char)v.at[i]);
		if (c == '-' && (i == 8 || i == 13 || i == 18 || i == 23))
			continue;
		if (!isxdigit((unsigned char)c) || n == 32)
			return false;
		unsigned d =
			isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
		ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | d : d << 4);
		n++;
	}
	return n == 32 && v.len == 36;
}

/* dce_iface:[uuid ]UUID[,version =1][,any_frag]; also Snort 2's bare ",=1". */
int kw_dce_iface(struct reading *r, const struct keyword *k, struct slice v)
{
	struct slice id = slice_cut(&v, ',');
	if (slice_has(id, "uuid"))
		id = slice_trim((struct slice){id.at + 4, id.len - 4});
	if (id.len > 0 && id.at[0] == '=')
		id = slice_trim((struct slice){id.at + 1, id.len - 1});
	struct rule_test x = {.kind = TEST_DCE_IFACE};
	if (!uuid_of(id, x.u.iface.uuid))
		return read_fail(r, id.at, "%s: '%.*s' is no UUID", k->name,
				 (int)(id.len < 40 ? id.len : 40), id.at);
	while (v.at != NULL) {
		struct slice one = slice_cut(&v, ',');
		if (slice_is(one, "any_frag")) {
			x.u.iface.any_frag = true;
			continue;
		}
		if (slice_has(one, "version"))
			one = slice_trim((struct slice){one.at + 7, one.len - 7});
		int e = read_number(r, one, 65535, &x.u.iface.version);
		if (e < 0)
			return e;
		x.u.iface.has_version = true;
	}
	struct rule_test *t = read_test_add(r, TEST_DCE_IFACE);
	if (t == NULL)
		return SKEP_EFORMAT;
	*t = x;
	return 0;
}

/* ---- files -------------------------------------------------------------------------------------- */

/* filename:"x", fileext:"exe"; file.name without a value is a buffer. */
int kw_file_text(struct reading *r, const struct keyword *k, struct slice v)
{
	if (v.len == 0)
		return kw_buffer(r, k, v);
	bool negated = v.at[0] == '!';
	uint32_t len = 0;
	if (negated)
		v = slice_trim((struct slice){v.at + 1, v.len - 1});
	int e = read_content_bytes(r, slice_unquote(v), &len);
	struct rule_test *t =
		e < 0 ? NULL
		      : read_test_add(r, k->arg == BUF_FILE_EXT ? TEST_FILE_EXT : TEST_FILE_NAME);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->negated = negated;
	t->u.text.text = rule_pool_text(r->set->pool, (const char *)r->bytes, len);
	t->u.text.len = len;
	t->u.text.nocase = true;
	return t->u.text.text != NULL ? 0 : read_nomem(r);
}

int kw_filesize(struct reading *r, const struct keyword *k, struct slice v)
{
	(void)k;
	struct rule_number n;
	int e = read_number(r, v, UINT64_MAX, &n);
	struct rule_test *t = e < 0 ? NULL : read_test_add(r, TEST_FILE_SIZE);
	if (t == NULL)
		return SKEP_EFORMAT;
	t->u.number = n;
	return 0;
}
