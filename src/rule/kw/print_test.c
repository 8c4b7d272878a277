/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of packet, flow and transaction printed as rules write them: the way back of kw_header,
 * kw_flow and kw_app. */
#include "rule/reader_priv.h"

#include <string.h>
#include <time.h>

static void print_number(struct writer *w, const struct rule_number *n)
{
	const char *sign = n->op == '!'   ? "!"
			   : n->op == '<' ? "<"
			   : n->op == '>' ? ">"
			   : n->op == 'l' ? "<="
			   : n->op == 'g' ? ">="
			   : n->op == '&' ? "&"
					  : "";
	write_fmt(w, "%s%llu", sign, (unsigned long long)n->lo);
	if (n->op == 'r' || n->op == 'R')
		write_fmt(w, "%s%llu", n->op == 'r' ? "<>" : "<=>", (unsigned long long)n->hi);
}

static void print_words(struct writer *w, uint32_t bits, const char *const *names, size_t n,
			const char *before, bool *first)
{
	for (size_t i = 0; i < n; i++)
		if (bits >> i & 1) {
			write_fmt(w, "%s%s%s", *first ? "" : ",", before, names[i]);
			*first = false;
		}
}

static void print_letters(struct writer *w, uint32_t bits, const char *letters, uint8_t mode)
{
	if (mode != '=')
		write_fmt(w, "%c", mode);
	for (size_t i = 0; letters[i] != '\0'; i++)
		if (bits >> i & 1)
			write_fmt(w, "%c", letters[i]);
	if (bits == 0)
		write_str(w, "0");
}

/* ---- the flow's --------------------------------------------------------------------------------- */

static void print_flow(struct writer *w, uint32_t bits)
{
	static const char *const names[] = {"to_server",       "to_client", "established",
					    "not_established", "stateless", "only_stream",
					    "no_stream",       "only_frag", "no_frag"};
	bool first = true;
	write_str(w, " flow:");
	print_words(w, bits, names, ARRAY_LEN(names), "", &first);
	write_str(w, ";");
}

static void print_bits(const struct rule_set *s, struct writer *w, const struct rule_test *t)
{
	static const char *const ops[] = {"set",   "unset",    "toggle", "isset", "isnotset",
					  "isset", "isnotset", "setx",   "reset"};
	const struct rule_bits *b = &t->u.bits;
	bool any = b->op == BITS_ISSET_ANY || b->op == BITS_ISNOTSET_ANY;
	const char *name = t->kind == TEST_FLOWBITS ? "flowbits"
			   : t->kind == TEST_XBITS  ? "xbits"
						    : "hostbits";
	write_fmt(w, " %s:%s,", name, ops[b->op]);
	for (unsigned i = 0; i < b->n; i++)
		write_fmt(w, "%s%s", i == 0 ? "" : any ? "|" : "&", s->bit_names[b->ids[i]]);
	if (t->kind == TEST_FLOWBITS && b->group != 0)
		write_fmt(w, ",%s", s->bit_names[b->group - 1]);
	if (t->kind == TEST_XBITS)
		write_fmt(w, ",track %s,expire %u",
			  b->track == 's'   ? "ip_src"
			  : b->track == 'd' ? "ip_dst"
					    : "ip_pair",
			  b->expire_s);
	if (t->kind == TEST_HOSTBITS)
		write_str(w, b->track == 's' ? ",src" : b->track == 'd' ? ",dst" : ",both");
	write_str(w, ";");
}

static void print_flowint(const struct rule_set *s, struct writer *w, const struct rule_flowint *f)
{
	static const char *const ops[] = {
		"=", "+", "-", "<", "<=", "==", "!=", ">=", ">", "isset", "isnotset"};
	write_fmt(w, " flowint:%s,%s", s->bit_names[f->id], ops[f->op]);
	if (f->op == FLOWINT_ISSET || f->op == FLOWINT_NOTSET)
		write_str(w, ";");
	else if (f->other != 0)
		write_fmt(w, ",%s;", s->bit_names[f->other - 1]);
	else
		write_fmt(w, ",%u;", f->value);
}

static const char *side_text(uint8_t side)
{
	return side == 's'   ? "toserver"
	       : side == 'c' ? "toclient"
	       : side == 'b' ? "both"
			     : "either";
}

/* ---- the protocols' ----------------------------------------------------------------------------- */

static void print_app(struct writer *w, const struct rule_test *t)
{
	const char *mode = t->u.app.mode == 's'   ? ",toserver"
			   : t->u.app.mode == 'c' ? ",toclient"
			   : t->u.app.mode == 'f' ? ",final"
			   : t->u.app.mode == 'o' ? ",original"
			   : t->u.app.mode == 'e' ? ",either"
						  : "";
	const char *name = t->u.app.app == APP_FAILED    ? "failed"
			   : t->u.app.app == APP_UNKNOWN ? "unknown"
							 : app_proto_text(t->u.app.app);
	write_fmt(w, " app-layer-protocol:%s%s%s;", t->negated ? "!" : "", name, mode);
}

static void print_event(struct writer *w, const struct rule_test *t)
{
	const char *name = t->kind == TEST_APP_EVENT
				   ? app_event_name(t->u.event.proto, t->u.event.event)
			   : t->kind == TEST_STREAM_EVENT ? stream_event_name(t->u.event.event)
							  : dissect_event_name(t->u.event.event);
	const char *kind = t->kind == TEST_APP_EVENT      ? "app-layer"
			   : t->kind == TEST_STREAM_EVENT ? "stream"
							  : "decode";
	bool prefix = t->kind == TEST_APP_EVENT && t->u.event.proto != APP_UNKNOWN;
	write_fmt(w, " %s-event:%s%s%s;", kind, prefix ? app_proto_text(t->u.event.proto) : "",
		  prefix ? "." : "", name != NULL ? name : "");
}

static void print_day(struct writer *w, uint64_t when)
{
	time_t seconds = (time_t)when;
	struct tm tm;
	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	write_fmt(w, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		  tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static void print_app_number(struct writer *w, const struct rule_test *t)
{
	const struct rule_number *n = &t->u.num.v;
	uint8_t what = t->u.num.n;
	if (what == NUM_TLS_VERSION) {
		write_fmt(w, " tls.version:0x%04llx;", (unsigned long long)n->lo);
		return;
	}
	if (what == NUM_TLS_NOT_BEFORE || what == NUM_TLS_NOT_AFTER) {
		write_str(w, what == NUM_TLS_NOT_BEFORE ? " tls_cert_notbefore:"
							: " tls_cert_notafter:");
		write_str(w, n->op == 'l' ? "<" : n->op == 'g' ? ">" : "");
		print_day(w, n->lo);
		if (n->op == 'R') {
			write_str(w, "<>");
			print_day(w, n->hi);
		}
		write_str(w, ";");
		return;
	}
	write_str(w, what == NUM_DNS_OPCODE     ? " dns.opcode:"
		     : what == NUM_DNS_RCODE    ? " dns.rcode:"
		     : what == NUM_DNS_RRTYPE   ? " dns.rrtype:"
		     : what == NUM_SMB_VERSION  ? " smb.version:"
		     : what == NUM_FTP_DYN_PORT ? " ftp.dynamic_port:"
						: " tls.cert_chain_len:");
	write_str(w, t->negated ? "!" : "");
	print_number(w, n);
	write_str(w, ";");
}

static void print_ssl(struct writer *w, const struct rule_test *t)
{
	static const char *const versions[] = {"sslv2",  "sslv3",  "tls1.0",
					       "tls1.1", "tls1.2", "tls1.3"};
	static const char *const states[] = {"client_hello", "server_hello", "client_keyx",
					     "server_keyx", "unknown"};
	bool version = t->kind == TEST_SSL_VERSION, first = true;
	const char *const *names = version ? versions : states;
	size_t n = version ? ARRAY_LEN(versions) : ARRAY_LEN(states);
	write_str(w, version ? " ssl_version:" : " ssl_state:");
	print_words(w, t->u.ssl.on, names, n, "", &first);
	print_words(w, t->u.ssl.off, names, n, "!", &first);
	write_str(w, ";");
}

static void print_opnum(struct writer *w, const struct rule_number *n)
{
	const struct rule_number *all = n->op == '|' ? n->list : n;
	uint64_t count = n->op == '|' ? n->hi : 1;
	write_str(w, " dce_opnum:");
	for (uint64_t i = 0; i < count; i++) {
		write_str(w, i > 0 ? "," : "");
		if (all[i].op == 'R')
			write_fmt(w, "%llu-%llu", (unsigned long long)all[i].lo,
				  (unsigned long long)all[i].hi);
		else
			print_number(w, &all[i]);
	}
	write_str(w, ";");
}

static void print_iface(struct writer *w, const struct rule_test *t)
{
	write_str(w, " dce_iface:");
	for (unsigned i = 0; i < 16; i++)
		write_fmt(w, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			  t->u.iface.uuid[i]);
	if (t->u.iface.has_version) {
		write_str(w, ",version ");
		print_number(w, &t->u.iface.version);
	}
	write_str(w, t->u.iface.any_frag ? ",any_frag;" : ";");
}

static void print_rpc(struct writer *w, const struct rule_test *t)
{
	write_fmt(w, " rpc:%u,", t->u.rpc.program);
	if (t->u.rpc.any_version)
		write_str(w, "*,");
	else
		write_fmt(w, "%u,", t->u.rpc.version);
	if (t->u.rpc.any_procedure)
		write_str(w, "*;");
	else
		write_fmt(w, "%u;", t->u.rpc.procedure);
}

static void print_file_text(struct writer *w, const struct rule_test *t)
{
	write_fmt(w, " %s:%s\"", t->kind == TEST_FILE_EXT ? "fileext" : "filename",
		  t->negated ? "!" : "");
	print_bytes(w, (const uint8_t *)t->u.text.text, t->u.text.len);
	write_str(w, "\";");
}

/* ---- the packet's ------------------------------------------------------------------------------- */

static void print_ipopts(struct writer *w, uint64_t bit)
{
	static const char *const names[] = {"rr",   "eol",  "nop",   "ts",    "sec",    "esec",
					    "lsrr", "ssrr", "satid", "cipso", "rtralt", "any"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (bit >> i & 1)
			write_fmt(w, " ipopts:%s;", names[i]);
}

static void print_tcp_flags(struct writer *w, const struct rule_test *t)
{
	static const char letters[] = "FSRPAUEC";
	write_str(w, " flags:");
	print_letters(w, t->u.flags.set, letters, t->u.flags.mode);
	if (t->u.flags.mask != 0) {
		write_str(w, ",");
		print_letters(w, t->u.flags.mask, letters, '=');
	}
	write_str(w, ";");
}

static void print_vlan(struct writer *w, const struct rule_test *t)
{
	write_str(w, " vlan.id:");
	print_number(w, &t->u.num.v);
	if (t->u.num.index == RULE_ALL_INDEX)
		write_str(w, ",all;");
	else if (t->u.num.index == RULE_ANY_INDEX)
		write_str(w, ";");
	else
		write_fmt(w, ",%u;", t->u.num.index);
}

static const char *number_name(uint8_t kind)
{
	switch (kind) {
	case TEST_TTL:
		return "ttl";
	case TEST_TOS:
		return "tos";
	case TEST_IP_ID:
		return "id";
	case TEST_IP_PROTO:
		return "ip_proto";
	case TEST_FRAGOFFSET:
		return "fragoffset";
	case TEST_TCP_SEQ:
		return "seq";
	case TEST_TCP_ACK:
		return "ack";
	case TEST_TCP_WINDOW:
		return "window";
	case TEST_TCP_MSS:
		return "tcp.mss";
	case TEST_TCP_WSCALE:
		return "tcp.wscale";
	case TEST_ITYPE:
		return "itype";
	case TEST_ICODE:
		return "icode";
	case TEST_ICMP_ID:
		return "icmp_id";
	case TEST_ICMP_SEQ:
		return "icmp_seq";
	case TEST_ICMP6_MTU:
		return "icmpv6.mtu";
	case TEST_DSIZE:
		return "dsize";
	case TEST_VLAN_LAYERS:
		return "vlan.layers";
	case TEST_FLOW_AGE:
		return "flow.age";
	case TEST_FILE_SIZE:
		return "filesize";
	default:
		return NULL;
	}
}

static void print_sizes(struct writer *w, const struct rule_test *t)
{
	if (t->kind == TEST_STREAM_SIZE) {
		write_str(w, " stream_size:");
		print_number(w, &t->u.size.n);
		write_fmt(w, ",%s;", side_text(t->u.size.side));
	} else if (t->kind == TEST_URILEN) {
		write_str(w, " urilen:");
		print_number(w, &t->u.urilen.n);
		write_str(w, t->u.urilen.raw ? ",raw;" : t->u.urilen.norm ? ",norm;" : ";");
	} else {
		write_fmt(w, " flow.%s:%s,", t->kind == TEST_FLOW_PKTS ? "pkts" : "bytes",
			  side_text(t->u.count.side));
		print_number(w, &t->u.count.n);
		write_str(w, ";");
	}
}

static void print_simple(struct writer *w, const struct rule_test *t)
{
	const char *name = number_name(t->kind);
	if (name != NULL) {
		write_fmt(w, " %s:%s", name, t->negated ? "!" : "");
		print_number(w, &t->u.number);
		write_str(w, ";");
	} else if (t->kind == TEST_SAMEIP) {
		write_str(w, " sameip;");
	} else if (t->kind == TEST_BYPASS) {
		write_str(w, " bypass;");
	} else if (t->kind == TEST_FRAGBITS) {
		write_str(w, " fragbits:");
		print_letters(w, t->u.fragbits.bits, "MDR", t->u.fragbits.mode);
		write_str(w, ";");
	} else if (t->kind == TEST_IPOPTS) {
		print_ipopts(w, t->u.number.lo);
	}
}

void print_test(const struct rule_set *s, const struct rule_test *t, struct writer *w)
{
	switch (t->kind) {
	case TEST_FLOW:
		print_flow(w, t->u.flow);
		break;
	case TEST_FLOWBITS:
	case TEST_XBITS:
	case TEST_HOSTBITS:
		print_bits(s, w, t);
		break;
	case TEST_FLOWINT:
		print_flowint(s, w, &t->u.flowint);
		break;
	case TEST_APP_PROTO:
		print_app(w, t);
		break;
	case TEST_APP_EVENT:
	case TEST_STREAM_EVENT:
	case TEST_DECODE_EVENT:
		print_event(w, t);
		break;
	case TEST_NUMBER:
		print_app_number(w, t);
		break;
	case TEST_SSL_VERSION:
	case TEST_SSL_STATE:
		print_ssl(w, t);
		break;
	case TEST_DCE_OPNUM:
		print_opnum(w, &t->u.number);
		break;
	case TEST_DCE_IFACE:
		print_iface(w, t);
		break;
	case TEST_RPC:
		print_rpc(w, t);
		break;
	case TEST_FILE_NAME:
	case TEST_FILE_EXT:
		print_file_text(w, t);
		break;
	case TEST_TCP_FLAGS:
		print_tcp_flags(w, t);
		break;
	case TEST_VLAN_ID:
		print_vlan(w, t);
		break;
	case TEST_STREAM_SIZE:
	case TEST_URILEN:
	case TEST_FLOW_PKTS:
	case TEST_FLOW_BYTES:
		print_sizes(w, t);
		break;
	default:
		print_simple(w, t);
	}
}
