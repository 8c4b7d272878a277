/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS messages as events tell them. */
#include "proto/dns/dns.h"

#include <string.h>

static const char *type_text(uint16_t type, char buf[8])
{
	static const char *const low[] = {
		[1] = "A",           [2] = "NS",        [3] = "MD",       [4] = "MF",
		[5] = "CNAME",       [6] = "SOA",       [7] = "MB",       [8] = "MG",
		[9] = "MR",          [10] = "NULL",     [11] = "WKS",     [12] = "PTR",
		[13] = "HINFO",      [14] = "MINFO",    [15] = "MX",      [16] = "TXT",
		[17] = "RP",         [18] = "AFSDB",    [19] = "X25",     [20] = "ISDN",
		[21] = "RT",         [22] = "NSAP",     [23] = "NSAPPTR", [24] = "SIG",
		[25] = "KEY",        [26] = "PX",       [27] = "GPOS",    [28] = "AAAA",
		[29] = "LOC",        [30] = "NXT",      [33] = "SRV",     [34] = "ATMA",
		[35] = "NAPTR",      [36] = "KX",       [37] = "CERT",    [38] = "A6",
		[39] = "DNAME",      [41] = "OPT",      [42] = "APL",     [43] = "DS",
		[44] = "SSHFP",      [45] = "IPSECKEY", [46] = "RRSIG",   [47] = "NSEC",
		[48] = "DNSKEY",     [49] = "DHCID",    [50] = "NSEC3",   [51] = "NSEC3PARAM",
		[52] = "TLSA",       [55] = "HIP",      [59] = "CDS",     [60] = "CDNSKEY",
		[61] = "OPENPGPKEY", [64] = "SVCB",     [65] = "HTTPS",   [99] = "SPF"};
	if (type < ARRAY_LEN(low) && low[type] != NULL)
		return low[type];
	switch (type) {
	case 249:
		return "TKEY";
	case 250:
		return "TSIG";
	case 252:
		return "AXFR";
	case 253:
		return "MAILB";
	case 254:
		return "MAILA";
	case 255:
		return "ANY";
	case 256:
		return "URI";
	default:
		break;
	}
	struct writer w = writer_of(buf, 8);
	write_fmt(&w, "%u", type);
	return buf;
}

static const char *rcode_text(unsigned rcode)
{
	static const char *const text[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
					   "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
					   "NXRRSET", "NOTAUTH", "NOTZONE"};
	static const char *const more[] = {"11", "12", "13", "14", "15"};
	return rcode < 11 ? text[rcode] : more[rcode < 16 ? rcode - 11 : 4];
}

/* Sets a member, unless memory is out. */
static void set(json_t *o, const char *key, json_t *value)
{
	if (value != NULL)
		json_object_set_new(o, key, value);
}

struct wire { /* a message being told */
	const struct app *a;
	const struct dns_tx *t;
};

static json_t *name_json(const struct wire *w, uint32_t at, uint32_t *ret_end)
{
	uint32_t n = 0;
	unsigned trouble = 0;
	*ret_end = dns_name(w->t->msg, w->t->len, at, w->a->ctx->scratch, &n, &trouble);
	return *ret_end != 0 ? app_json_bytes(w->a->ctx->scratch, n) : NULL;
}

static json_t *soa_json(const struct wire *w, const struct dns_rr *r)
{
	static const char *const key[] = {"serial", "refresh", "retry", "expire", "minimum"};
	uint32_t end;
	json_t *o = json_object();
	set(o, "mname", name_json(w, r->data, &end));
	if (end == 0)
		return o;
	set(o, "rname", name_json(w, end, &end));
	if (end == 0 || end + 20 > w->t->len)
		return o;
	for (unsigned i = 0; i < ARRAY_LEN(key); i++)
		set(o, key[i], json_integer(load_be32(w->t->msg + end + (size_t)4 * i)));
	return o;
}

static json_t *srv_json(const struct wire *w, const struct dns_rr *r)
{
	if (r->data_len < 7)
		return NULL;
	const uint8_t *d = w->t->msg + r->data;
	uint32_t end;
	json_t *o = json_object();
	set(o, "priority", json_integer(load_be16(d)));
	set(o, "weight", json_integer(load_be16(d + 2)));
	set(o, "port", json_integer(load_be16(d + 4)));
	set(o, "name", name_json(w, r->data + 6, &end));
	return o;
}

static json_t *sshfp_json(const struct wire *w, const struct dns_rr *r)
{
	if (r->data_len < 3 || r->data_len > 130)
		return NULL;
	const uint8_t *d = w->t->msg + r->data;
	char text[3 * 128 + 1] = "";
	for (unsigned i = 2; i < r->data_len; i++) {
		struct writer x = writer_of(text + (size_t)3 * (i - 2), 4);
		write_fmt(&x, i + 1 < r->data_len ? "%02x:" : "%02x", d[i]);
	}
	json_t *o = json_object();
	set(o, "fingerprint", json_string(text));
	set(o, "algo", json_integer(d[0]));
	set(o, "type", json_integer(d[1]));
	return o;
}

static json_t *addr_json(const uint8_t *d, bool v6)
{
	char text[ADDR_TEXT];
	struct addr a = v6 ? addr_from_v6(d) : addr_from_v4(d);
	return json_string(addr_text(&a, text));
}

/* Content of a record that is one text; NULL: it is not, or too short. */
static json_t *text_json(const struct wire *w, const struct dns_rr *r)
{
	const uint8_t *d = w->t->msg + r->data;
	uint32_t end;
	switch (r->type) {
	case DNS_A:
		return r->data_len == 4 ? addr_json(d, false) : NULL;
	case DNS_AAAA:
		return r->data_len == 16 ? addr_json(d, true) : NULL;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		return name_json(w, r->data, &end);
	case DNS_MX:
		return r->data_len > 2 ? name_json(w, r->data + 2, &end) : NULL;
	case DNS_TXT:
		return r->data_len > 0 && d[0] < r->data_len ? app_json_bytes(d + 1, d[0]) : NULL;
	case DNS_NULL:
		return app_json_bytes(d, r->data_len);
	default:
		return NULL;
	}
}

static json_t *record_json(const struct wire *w, const struct dns_rr *r)
{
	char buf[8];
	json_t *o = json_object();
	set(o, "rrname", app_json_bytes(w->t->names + r->name, r->name_len));
	set(o, "rrtype", json_string(type_text(r->type, buf)));
	if (r->section == DNS_QUESTION)
		return o;
	set(o, "ttl", json_integer(r->ttl));
	if (r->type == DNS_SOA && r->section != DNS_ADDITIONAL)
		set(o, "soa", soa_json(w, r));
	else if (r->type == DNS_SRV && r->section == DNS_ANSWER)
		set(o, "srv", srv_json(w, r));
	else if (r->type == DNS_SSHFP && r->section == DNS_ANSWER)
		set(o, "sshfp", sshfp_json(w, r));
	else
		set(o, "rdata", text_json(w, r));
	return o;
}

/* Answers once more, by type. */
static void group(const struct wire *w, json_t *grouped, const struct dns_rr *r)
{
	char buf[8];
	json_t *v = r->type == DNS_SOA     ? soa_json(w, r)
		    : r->type == DNS_SRV   ? srv_json(w, r)
		    : r->type == DNS_SSHFP ? sshfp_json(w, r)
					   : text_json(w, r);
	if (v == NULL)
		return;
	const char *key = type_text(r->type, buf);
	json_t *list = json_object_get(grouped, key);
	if (list == NULL) {
		list = json_array();
		set(grouped, key, list);
	}
	if (list != NULL)
		json_array_append_new(list, v);
}

static void flags_json(const struct dns_tx *t, json_t *o)
{
	static const struct {
		const char *key;
		uint16_t bit;
	} bits[] = {{"qr", 0x8000}, {"aa", 0x400}, {"tc", 0x200},
		    {"rd", 0x100},  {"ra", 0x80},  {"z", 0x40}};
	char text[8];
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "%x", t->flags);
	set(o, "flags", json_string(text));
	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		if ((t->flags & bits[i].bit) != 0)
			set(o, bits[i].key, json_true());
	set(o, "opcode", json_integer(t->flags >> 11 & 15));
	set(o, "rcode", json_string(rcode_text(t->flags & 15)));
}

bool dns_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	static const char *const key[] = {"queries", "answers", "authorities", "additionals"};
	const struct dns_tx *t = (const struct dns_tx *)tx;
	const struct wire w = {a, t};
	if (t->bare || t->response != (dir == TO_CLIENT))
		return false;
	set(o, "version", json_integer(3));
	set(o, "type", json_string(t->response ? "response" : "request"));
	set(o, "tx_id", json_integer((json_int_t)tx->id));
	set(o, "id", json_integer(load_be16(t->msg)));
	flags_json(t, o);
	json_t *lists[DNS_SECTIONS] = {NULL}, *grouped = json_object();
	for (uint32_t i = 0; i < t->n; i++) {
		const struct dns_rr *r = &t->rr[i];
		if (r->type == DNS_OPT && r->section == DNS_ADDITIONAL)
			continue;
		if (lists[r->section] == NULL) {
			lists[r->section] = json_array();
			set(o, key[r->section], lists[r->section]);
		}
		if (lists[r->section] != NULL)
			json_array_append_new(lists[r->section], record_json(&w, r));
		if (r->section == DNS_ANSWER)
			group(&w, grouped, r);
	}
	if (json_object_size(grouped) != 0)
		set(o, "grouped", grouped);
	else
		json_decref(grouped);
	return true;
}
