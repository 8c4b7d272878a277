/* SPDX-License-Identifier: BSD-2-Clause */
/* A rule printed from what was understood of it: read again, it is the same rule. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/reader_priv.h"

#include <ctype.h>
#include <pcre2.h>
#include <string.h>

/* ---- header ------------------------------------------------------------------------------------- */

static void print_addr_range(struct writer *w, const struct addr_range *r)
{
	char lo[ADDR_TEXT], hi[ADDR_TEXT];
	write_str(w, addr_text(&r->lo, lo));
	if (!addr_eq(&r->lo, &r->hi))
		write_fmt(w, "-%s", addr_text(&r->hi, hi));
}

static void print_addrs(struct writer *w, const struct addr_set *s)
{
	if (s->any && s->n_no == 0) {
		write_str(w, "any");
		return;
	}
	bool group = (s->any ? 0 : s->n_yes) + s->n_no > 1;
	write_str(w, group ? "[" : "");
	for (uint32_t i = 0; i < s->n_yes; i++) {
		write_str(w, i > 0 ? "," : "");
		print_addr_range(w, &s->yes[i]);
	}
	for (uint32_t i = 0; i < s->n_no; i++) {
		write_str(w, i + s->n_yes > 0 ? ",!" : "!");
		print_addr_range(w, &s->no[i]);
	}
	write_str(w, group ? "]" : "");
}

static void print_port_range(struct writer *w, const struct port_range *r)
{
	write_fmt(w, "%u", r->lo);
	if (r->lo != r->hi)
		write_fmt(w, ":%u", r->hi);
}

static void print_ports(struct writer *w, const struct port_set *s)
{
	if (s->any && s->n_no == 0) {
		write_str(w, "any");
		return;
	}
	bool group = (s->any ? 0 : s->n_yes) + s->n_no > 1;
	write_str(w, group ? "[" : "");
	for (uint32_t i = 0; i < s->n_yes; i++) {
		write_str(w, i > 0 ? "," : "");
		print_port_range(w, &s->yes[i]);
	}
	for (uint32_t i = 0; i < s->n_no; i++) {
		write_str(w, i + s->n_yes > 0 ? ",!" : "!");
		print_port_range(w, &s->no[i]);
	}
	write_str(w, group ? "]" : "");
}

static const char *proto_text(const struct rule *r)
{
	static const char *const names[] = {[PROTO_ANY_IP] = "ip",
					    [PROTO_ONLY_TCP] = "tcp",
					    [PROTO_ONLY_UDP] = "udp",
					    [PROTO_ONLY_ICMP] = "icmp",
					    [PROTO_ONLY_ICMP4] = "icmpv4",
					    [PROTO_ONLY_ICMP6] = "icmpv6",
					    [PROTO_ONLY_SCTP] = "sctp",
					    [PROTO_TCP_PKT] = "tcp-pkt",
					    [PROTO_TCP_STREAM] = "tcp-stream",
					    [PROTO_PKTHDR] = "pkthdr",
					    [PROTO_ONLY_IP4] = "ipv4",
					    [PROTO_ONLY_IP6] = "ipv6",
					    [PROTO_ARP] = "arp"};
	if (r->proto == PROTO_APP)
		return app_proto_text((enum app_proto)r->app);
	if (r->proto == PROTO_NUMBER)
		return r->proto_number == 2    ? "igmp"
		       : r->proto_number == 47 ? "gre"
		       : r->proto_number == 50 ? "esp"
					       : "ah";
	return names[r->proto];
}

/* ---- contents ----------------------------------------------------------------------------------- */

void print_bytes(struct writer *w, const uint8_t *bytes, uint32_t len)
{
	bool hex = false;
	for (uint32_t i = 0; i < len; i++) {
		bool plain = isprint(bytes[i]) && strchr("\"\\;:|", bytes[i]) == NULL;
		if (plain == hex) {
			write_str(w, "|");
			hex = !hex;
		} else if (hex) {
			write_str(w, " ");
		}
		if (plain)
			write_fmt(w, "%c", bytes[i]);
		else
			write_fmt(w, "%02x", bytes[i]);
	}
	write_str(w, hex ? "|" : "");
}

static void print_value(struct writer *w, const struct rule_value *v)
{
	if (v->is_var)
		write_fmt(w, "v%u", v->var);
	else
		write_fmt(w, "%lld", (long long)v->value);
}

static void print_position(struct writer *w, const char *name, bool has, const struct rule_value *v)
{
	if (!has)
		return;
	write_fmt(w, " %s:", name);
	print_value(w, v);
	write_str(w, ";");
}

static void print_content(struct writer *w, const struct match_content *c)
{
	write_fmt(w, " content:%s\"", c->negated ? "!" : "");
	print_bytes(w, c->bytes, c->len);
	write_str(w, "\";");
	write_str(w, c->nocase ? " nocase;" : "");
	write_str(w, c->rawbytes ? " rawbytes;" : "");
	print_position(w, "offset", c->has_offset, &c->offset);
	print_position(w, "depth", c->has_depth, &c->depth);
	print_position(w, "distance", c->has_distance, &c->distance);
	print_position(w, "within", c->has_within, &c->within);
	write_str(w, c->starts ? " startswith;" : "");
	write_str(w, c->ends ? " endswith;" : "");
	if (c->fast_only)
		write_str(w, " fast_pattern:only;");
	else if (c->chop_len > 0)
		write_fmt(w, " fast_pattern:%u,%u;", c->chop_offset, c->chop_len);
	else if (c->fast)
		write_str(w, " fast_pattern;");
	if (c->has_replace) {
		write_str(w, " replace:\"");
		print_bytes(w, c->replace, c->replace_len);
		write_str(w, "\";");
	}
}

static void print_pcre(struct writer *w, const struct match_pcre *p)
{
	static const struct {
		uint32_t option;
		char flag;
	} flags[] = {{PCRE2_CASELESS, 'i'}, {PCRE2_MULTILINE, 'm'}, {PCRE2_DOTALL, 's'},
		     {PCRE2_EXTENDED, 'x'}, {PCRE2_ANCHORED, 'A'},  {PCRE2_DOLLAR_ENDONLY, 'E'},
		     {PCRE2_UNGREEDY, 'G'}};
	write_fmt(w, " pcre:%s\"/%s/", p->negated ? "!" : "", p->pattern);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (p->options & flags[i].option)
			write_fmt(w, "%c", flags[i].flag);
	write_fmt(w, "%s%s", p->relative ? "R" : "", p->raw ? "B" : "");
	for (unsigned i = 0; i < p->n_captures; i++)
		write_fmt(w, ",pkt:c%u", i);
	write_str(w, "\";");
}

/* ---- numbers in the data ------------------------------------------------------------------------ */

static void print_byte_tail(struct writer *w, const struct match_byte *b)
{
	static const char *const bases[] = {
		[BYTE_HEX] = "hex", [BYTE_DEC] = "dec", [BYTE_OCT] = "oct"};
	write_str(w, b->relative ? ",relative" : "");
	write_str(w, b->little ? ",endian little" : "");
	if (b->base != BYTE_BINARY)
		write_fmt(w, ",string %s", bases[b->base]);
	write_str(w, b->dce ? ",dce" : "");
	if (b->has_bitmask)
		write_fmt(w, ",bitmask 0x%llx", (unsigned long long)b->bitmask);
	if (b->multiplier > 0)
		write_fmt(w, ",multiplier %u", b->multiplier);
	write_str(w, b->align ? ",align" : "");
	if (b->align_to > 0)
		write_fmt(w, ",align %u", b->align_to);
	write_str(w, b->from_beginning ? ",from_beginning" : b->from_end ? ",from_end" : "");
	if (b->post_offset != 0 || b->has_post_offset_var)
		write_fmt(w, ",post_offset %s%d", b->has_post_offset_var ? "v" : "",
			  b->post_offset);
	write_str(w, ";");
}

static void print_byte(struct writer *w, const struct match *m)
{
	static const char *const ops[] = {
		[BYTE_EQ] = "=",  [BYTE_LT] = "<", [BYTE_GT] = ">",  [BYTE_LE] = "<=",
		[BYTE_GE] = ">=", [BYTE_NE] = "!", [BYTE_AND] = "&", [BYTE_OR] = "^"};
	const struct match_byte *b = &m->u.byte;
	bool math = m->kind == MATCH_BYTE_MATH;
	write_str(w, math                         ? " byte_math:bytes "
		     : m->kind == MATCH_BYTE_TEST ? " byte_test:"
		     : m->kind == MATCH_BYTE_JUMP ? " byte_jump:"
						  : " byte_extract:");
	print_value(w, &b->nbytes);
	if (m->kind == MATCH_BYTE_TEST) {
		write_fmt(w, ",%s%s,", b->negated ? "!" : "", ops[b->op]);
		print_value(w, &b->value);
	}
	write_str(w, math ? ",offset " : ",");
	print_value(w, &b->offset);
	if (math) {
		bool twice = b->op == '<' || b->op == '>';
		write_fmt(w, ",oper %c", b->op);
		if (twice)
			write_fmt(w, "%c", b->op);
		write_str(w, ",rvalue ");
		print_value(w, &b->value);
		write_fmt(w, ",result v%u", b->result);
	}
	if (m->kind == MATCH_BYTE_EXTRACT)
		write_fmt(w, ",v%u", b->result);
	print_byte_tail(w, b);
}

static void print_isdataat(struct writer *w, const struct match_isdataat *d)
{
	write_fmt(w, " isdataat:%s", d->negated ? "!" : "");
	print_value(w, &d->at);
	write_fmt(w, "%s%s;", d->relative ? ",relative" : "", d->rawbytes ? ",rawbytes" : "");
}

static void print_base64(struct writer *w, const struct match_base64 *b)
{
	const char *sep = ":";
	write_str(w, " base64_decode");
	if (b->has_bytes) {
		write_fmt(w, "%sbytes %u", sep, b->bytes);
		sep = ",";
	}
	if (b->offset > 0) {
		write_fmt(w, "%soffset %u", sep, b->offset);
		sep = ",";
	}
	write_fmt(w, "%s%s;", b->relative ? sep : "", b->relative ? "relative" : "");
}

static void print_bsize(struct writer *w, const struct match_bsize *b, bool payload)
{
	write_str(w, payload ? " bufferlen:" : " bsize:");
	/* A range from 0 on, both ends included, is only there with <=>. */
	if (b->op == 'r' && b->lo.value < 0) {
		write_fmt(w, "%lld<=>%lld;", (long long)b->lo.value + 1,
			  (long long)b->hi.value - 1);
		return;
	}
	if (b->op == 'r' && b->hi.value > UINT32_MAX) {
		write_fmt(w, "%lld<=>%lld;", (long long)b->lo.value + 1,
			  (long long)b->hi.value - 1);
		return;
	}
	write_str(w, b->op == '<'   ? "<"
		     : b->op == '>' ? ">"
		     : b->op == 'l' ? "<="
		     : b->op == 'g' ? ">="
		     : b->op == '!' ? "!"
				    : "");
	print_value(w, &b->lo);
	if (b->op == 'r') {
		write_str(w, "<>");
		print_value(w, &b->hi);
	}
	write_str(w, ";");
}

static void print_asn1(struct writer *w, const struct match *m)
{
	uint32_t f = m->u.asn1.flags;
	const char *sep = ":";
	write_str(w, " asn1");
	if (f & ASN1_BITSTRING) {
		write_fmt(w, "%sbitstring_overflow", sep);
		sep = ",";
	}
	if (f & ASN1_DOUBLE) {
		write_fmt(w, "%sdouble_overflow", sep);
		sep = ",";
	}
	if (f & ASN1_OVERSIZE) {
		write_fmt(w, "%soversize_length %u", sep, m->u.asn1.oversize);
		sep = ",";
	}
	write_fmt(w, "%s%s_offset %d;", sep, f & ASN1_RELATIVE ? "relative" : "absolute",
		  m->u.asn1.offset);
}

static void print_entropy(struct writer *w, const struct match *m)
{
	uint8_t op = m->u.entropy.op;
	write_fmt(w, " entropy:value %s%s%.6f;",
		  op == '!'                ? "!"
		  : op == 'l' || op == '<' ? "<"
		  : op == 'g' || op == '>' ? ">"
					   : "",
		  op == '!' || op == 'l' || op == 'g' || op == '=' ? "=" : "", m->u.entropy.value);
}

static void print_match(struct writer *w, const struct match *m, bool payload)
{
	switch (m->kind) {
	case MATCH_CONTENT:
		print_content(w, &m->u.content);
		break;
	case MATCH_PCRE:
		print_pcre(w, &m->u.pcre);
		break;
	case MATCH_ISDATAAT:
		print_isdataat(w, &m->u.isdataat);
		break;
	case MATCH_BASE64_DECODE:
		print_base64(w, &m->u.base64);
		break;
	case MATCH_BSIZE:
		print_bsize(w, &m->u.bsize, payload);
		break;
	case MATCH_ABSENT:
		write_fmt(w, " absent%s;", m->u.absent.or_else ? ":or_else" : "");
		break;
	case MATCH_BER_DATA:
		write_fmt(w, " ber_data:0x%02x;", m->u.ber.type);
		break;
	case MATCH_BER_SKIP:
		write_fmt(w, " ber_skip:0x%02x%s;", m->u.ber.type,
			  m->u.ber.optional ? ",optional" : "");
		break;
	case MATCH_ASN1:
		print_asn1(w, m);
		break;
	case MATCH_ENTROPY:
		print_entropy(w, m);
		break;
	default:
		print_byte(w, m);
	}
}

/* ---- lists -------------------------------------------------------------------------------------- */

static void print_transform(struct writer *w, const struct rule_transform *t)
{
	static const char *const modes[] = {"rfc4648", "rfc2045", "strict"};
	uint32_t n = 0;
	const struct keyword *k = keyword_table(&n);
	while (n > 0 && !(k->read == kw_transform && k->arg == t->kind)) {
		k++;
		n--;
	}
	if (n == 0)
		return;
	write_fmt(w, " %s", k->name);
	if (t->kind == TRANSFORM_XOR) {
		write_str(w, ":\"");
		for (uint32_t i = 0; i < t->arg_len; i++)
			write_fmt(w, "%02x", t->arg[i]);
		write_str(w, "\"");
	} else if (t->kind == TRANSFORM_PCREXFORM) {
		write_fmt(w, ":\"%s\"", (const char *)t->arg);
	} else if (t->kind == TRANSFORM_FROM_BASE64) {
		write_fmt(w, ":mode %s,offset %d", modes[t->mode], t->b);
		if (t->a > 0)
			write_fmt(w, ",bytes %d", t->a);
	} else if (t->kind == TRANSFORM_SUBSLICE) {
		write_fmt(w, ":%d,%d", t->a, t->b);
	} else if (t->a > 0) {
		write_fmt(w, ":max-size %d", t->a);
	}
	write_str(w, ";");
}

static void print_list(struct writer *w, const struct rule_list *l, bool first)
{
	bool payload = l->buffer == BUF_PAYLOAD;
	const char *name = app_buffer_row((enum app_buffer)l->buffer)->name;
	if (l->header != NULL)
		write_fmt(w, " %s:field %s;",
			  l->buffer == BUF_HTTP_HEADER ? "http_header" : "http_raw_header",
			  l->header);
	else if (l->dirs != 0)
		write_fmt(w, " %s:%s;", name, l->dirs == BUFFER_TS ? "to_server" : "to_client");
	else if (l->buffer == BUF_FTP_MODE || l->buffer == BUF_FTPDATA_COMMAND ||
		 l->buffer == BUF_FTP_REPLY_RECEIVED) {
		for (uint32_t i = 0; i < l->n; i++)
			write_fmt(w, " %s:%.*s;", name, (int)l->m[i].u.content.len,
				  (const char *)l->m[i].u.content.bytes);
		return;
	} else if (!payload || !first)
		write_fmt(w, " %s;", name);
	for (uint32_t i = 0; i < l->n_transforms; i++)
		print_transform(w, &l->transforms[i]);
	for (uint32_t i = 0; i < l->n; i++)
		print_match(w, &l->m[i], payload);
}

/* ---- what a rule says about itself -------------------------------------------------------------- */

static void print_text(struct writer *w, const char *text)
{
	for (; *text != '\0'; text++)
		write_fmt(w, "%s%c", strchr("\"\\;", *text) != NULL ? "\\" : "", *text);
}

static void print_thresholds(struct writer *w, const struct rule *r)
{
	static const char *const types[] = {[THRESHOLD_LIMIT] = "limit",
					    [THRESHOLD_THRESHOLD] = "threshold",
					    [THRESHOLD_BOTH] = "both",
					    [THRESHOLD_BACKOFF] = "backoff"};
	for (uint32_t i = 0; i < r->n_thresholds; i++) {
		const struct rule_threshold *t = &r->thresholds[i];
		if (t->kind == THRESHOLD_DETECTION_FILTER)
			write_str(w, " detection_filter:");
		else if (t->kind < ARRAY_LEN(types) && types[t->kind] != NULL)
			write_fmt(w, " threshold:type %s,", types[t->kind]);
		else
			continue; /* a threshold.config's */
		const char *track = t->track == 's'   ? "by_src"
				    : t->track == 'd' ? "by_dst"
				    : t->track == 'b' ? "by_both"
				    : t->track == 'f' ? "by_flow"
						      : "by_rule";
		write_fmt(w, "track %s,count %u", track, t->count);
		if (t->seconds > 0)
			write_fmt(w, ",seconds %u", t->seconds);
		if (t->multiplier > 0)
			write_fmt(w, ",multiplier %u", t->multiplier);
		write_str(w, ";");
	}
}

static void print_tag(struct writer *w, const struct rule *r)
{
	write_fmt(w, " tag:%s", r->tag_host != 0 ? "host" : "session");
	if (r->tag_count > 0)
		write_fmt(w, ",%u,packets", r->tag_count);
	if (r->tag_seconds > 0)
		write_fmt(w, ",%u,seconds", r->tag_seconds);
	if (r->tag_bytes > 0)
		write_fmt(w, ",%u,bytes", r->tag_bytes);
	if (r->tag_host != 0)
		write_str(w, r->tag_host == 's' ? ",src" : ",dst");
	write_str(w, ";");
}

static void print_quoted(struct writer *w, const char *text)
{
	bool quote = strchr(text, ';') != NULL;
	write_fmt(w, "%s%s%s", quote ? "\"" : "", text, quote ? "\"" : "");
}

static void print_meta(struct writer *w, const struct rule *r)
{
	print_thresholds(w, r);
	if (r->tag)
		print_tag(w, r);
	if (r->target != 0)
		write_fmt(w, " target:%s;", r->target == 1 ? "src_ip" : "dest_ip");
	for (uint32_t i = 0; i < r->n_references; i++) {
		write_str(w, " reference:");
		print_quoted(w, r->references[i]);
		write_str(w, ";");
	}
	if (r->classtype != NULL) {
		write_str(w, " classtype:");
		print_quoted(w, r->classtype);
		write_str(w, ";");
	}
	if (r->has_priority)
		write_fmt(w, " priority:%u;", r->priority);
	bool quote = false;
	for (uint32_t i = 0; i < r->n_metadata * 2; i++)
		quote |= strchr(r->metadata[i], ';') != NULL;
	for (uint32_t i = 0; i < r->n_metadata; i++) {
		const char *value = r->metadata[i * 2 + 1];
		write_str(w, i > 0 ? ", " : quote ? " metadata:\"" : " metadata:");
		write_fmt(w, "%s%s%s", r->metadata[i * 2], value[0] != '\0' ? " " : "", value);
	}
	if (r->n_metadata > 0)
		write_str(w, quote ? "\";" : ";");
	write_str(w, r->noalert ? " noalert;" : "");
	write_str(w, r->say ? " alert;" : "");
	if (r->gid != 1)
		write_fmt(w, " gid:%u;", r->gid);
	write_fmt(w, " sid:%u;", r->sid);
	if (r->rev != 0)
		write_fmt(w, " rev:%u;", r->rev);
}

void rule_set_print(const struct rule_set *s, uint32_t index, struct writer *w)
{
	const struct rule *r = s->rules[index];
	write_fmt(w, "%s %s ", rule_action_text((enum rule_action)r->action), proto_text(r));
	print_addrs(w, &r->src);
	write_str(w, " ");
	print_ports(w, &r->sport);
	write_str(w, r->transactional ? " => " : r->both_ways ? " <> " : " -> ");
	print_addrs(w, &r->dst);
	write_str(w, " ");
	print_ports(w, &r->dport);
	write_str(w, " (msg:\"");
	print_text(w, r->msg);
	write_str(w, "\";");
	for (uint32_t i = 0; i < r->n_tests; i++)
		print_test(s, &r->tests[i], w);
	write_str(w, r->prefilter ? " prefilter;" : "");
	for (uint32_t i = 0; i < r->n_lists; i++)
		print_list(w, &r->lists[i], i == 0);
	for (uint32_t i = 0; i < r->n_sets; i++)
		print_test(s, &r->sets[i], w);
	print_meta(w, r);
	write_str(w, ")");
}
