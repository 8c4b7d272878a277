/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold between the parts of a rule: sizes, directions, protocols. */
#include "rule/reader_priv.h"

#include <ctype.h>
#include <string.h>

static uint32_t flow_bits(const struct reading *r)
{
	for (uint32_t i = 0; i < r->n_tests; i++)
		if (r->tests[i].kind == TEST_FLOW)
			return r->tests[i].u.flow;
	return 0;
}

/* ---- contents ----------------------------------------------------------------------------------- */

static bool moves(const struct match *m)
{
	switch (m->kind) {
	case MATCH_CONTENT:
	case MATCH_PCRE:
	case MATCH_BYTE_JUMP:
	case MATCH_BYTE_EXTRACT:
	case MATCH_BYTE_MATH:
	case MATCH_BYTE_TEST:
	case MATCH_BER_DATA:
	case MATCH_BER_SKIP:
	case MATCH_BASE64_DECODE:
	case MATCH_ISDATAAT:
		return true;
	default:
		return false;
	}
}

static bool moved_before(const struct reading *r, uint32_t at)
{
	for (uint32_t i = 0; i < at; i++)
		if (r->m[i].list == r->m[at].list && moves(&r->m[i].m))
			return true;
	return false;
}

/* Buffers of hexadecimal digits in one case: a content in the other means the same digits. */
static void mend_case(unsigned buffer, struct match_content *c)
{
	static const uint8_t lower[] = {BUF_TLS_FINGERPRINT, BUF_JA3_HASH, BUF_JA3S_HASH,
					BUF_SSH_HASSH, BUF_SSH_HASSH_SERVER};
	bool hex = buffer == BUF_TLS_SERIAL;
	for (size_t i = 0; i < ARRAY_LEN(lower); i++)
		hex = hex || buffer == lower[i];
	for (uint32_t i = 0; hex && i < c->len; i++)
		if (buffer == BUF_TLS_SERIAL ? islower(c->bytes[i]) : isupper(c->bytes[i]))
			c->nocase = true;
}

static int check_content(struct reading *r, uint32_t at)
{
	struct read_match *m = &r->m[at];
	struct match_content *c = &m->m.u.content;
	mend_case(r->lists[m->list].buffer, c);
	bool relative = c->has_distance || c->has_within;
	if (c->negated && c->fast && (relative || c->has_offset || c->has_depth))
		return read_fail(r, m->at,
				 "fast_pattern can't be a negated content with a position");
	if (c->fast_only && (relative || c->has_offset || c->has_depth || c->negated))
		return read_fail(r, m->at,
				 "fast_pattern:only can't be used with negation or a position");
	if (relative && !moved_before(r, at) && !r->lists[m->list].base64_data)
		read_warn(r, m->at,
			  "distance or within, but nothing stands before this content in "
			  "its buffer: taken from its beginning");
	if (r->lists[m->list].buffer == BUF_HTTP_HOST) {
		for (uint32_t i = 0; i < c->len && !c->nocase; i++)
			if (isupper(c->bytes[i]))
				return read_fail(r, m->at,
						 "http.host is lower case: '%c' never matches",
						 c->bytes[i]);
	}
	return 0;
}

/* The least bytes a buffer must have for its contents. */
static uint64_t least_bytes(const struct reading *r, uint8_t list, uint64_t *ret_ends)
{
	uint64_t least = 0;
	*ret_ends = UINT64_MAX;
	for (uint32_t i = 0; i < r->n_m; i++) {
		const struct match_content *c = &r->m[i].m.u.content;
		if (r->m[i].list != list || r->m[i].m.kind != MATCH_CONTENT || c->negated)
			continue;
		uint64_t end = c->len;
		if (c->has_offset && !c->offset.is_var)
			end += (uint64_t)c->offset.value;
		least = end > least ? end : least;
		if (c->starts && c->ends && c->len < *ret_ends)
			*ret_ends = c->len;
	}
	return least;
}

static int check_bsize(struct reading *r, uint32_t at)
{
	const struct match_bsize *b = &r->m[at].m.u.bsize;
	uint64_t whole, least = least_bytes(r, r->m[at].list, &whole);
	if (b->lo.is_var || b->hi.is_var || r->lists[r->m[at].list].n_transforms > 0)
		return 0;
	int64_t most = b->op == '='   ? b->lo.value
		       : b->op == '<' ? b->lo.value - 1
		       : b->op == 'l' ? b->lo.value
		       : b->op == 'r' ? b->hi.value - 1
				      : INT64_MAX;
	if (most < (int64_t)least)
		return read_fail(
			r, r->m[at].at,
			"the contents need %llu bytes of the buffer, but its size is at most "
			"%lld",
			(unsigned long long)least, (long long)most);
	if (whole != UINT64_MAX && b->op == '=' && b->lo.value != (int64_t)whole)
		return read_fail(
			r, r->m[at].at,
			"a content is the whole buffer with %llu bytes, but its size is %lld",
			(unsigned long long)whole, (long long)b->lo.value);
	return 0;
}

static int check_dsize(struct reading *r)
{
	for (uint32_t i = 0; i < r->n_tests; i++) {
		const struct rule_test *t = &r->tests[i];
		const struct rule_number *n = &t->u.number;
		if (t->kind != TEST_DSIZE || t->negated)
			continue;
		uint64_t most = n->op == '='   ? n->lo
				: n->op == '<' ? n->lo - 1
				: n->op == 'l' ? n->lo
				: n->op == 'r' ? n->hi - 1
				: n->op == 'R' ? n->hi
					       : UINT64_MAX;
		for (uint32_t l = 0; l < r->n_lists; l++) {
			uint64_t whole;
			if (r->lists[l].buffer == BUF_PAYLOAD && r->lists[l].n > 0 &&
			    least_bytes(r, (uint8_t)l, &whole) > most)
				return read_fail(r, r->test_at[i],
						 "the contents need more bytes than dsize lets be");
		}
	}
	return 0;
}

static int check_matches(struct reading *r)
{
	int e = 0;
	for (uint32_t i = 0; i < r->n_m && e == 0; i++) {
		if (r->m[i].m.kind == MATCH_CONTENT)
			e = check_content(r, i);
		else if (r->m[i].m.kind == MATCH_BSIZE)
			e = check_bsize(r, i);
	}
	return e < 0 ? e : check_dsize(r);
}

/* ---- what is replaced ----------------------------------------------------------------------------- */

static bool over_tcp_only(const struct rule *rule)
{
	return rule->proto == PROTO_ONLY_TCP || rule->proto == PROTO_TCP_PKT ||
	       rule->proto == PROTO_TCP_STREAM ||
	       (rule->proto == PROTO_APP && rule->app == APP_HTTP);
}

static bool over_tcp(const struct rule *rule)
{
	return over_tcp_only(rule) || rule->proto == PROTO_ANY_IP ||
	       rule->proto == PROTO_ONLY_IP4 || rule->proto == PROTO_ONLY_IP6 ||
	       rule->proto == PROTO_APP;
}

static bool is_grown(unsigned buffer)
{
	return buffer == BUF_FILE_DATA || buffer == BUF_HTTP_REQUEST_BODY ||
	       buffer == BUF_HTTP_RESPONSE_BODY;
}

/* Why what was found there can't be replaced where it was sent; NULL: it can. */
static const char *not_replaced(const struct reading *r, uint32_t at)
{
	const struct match_content *c = &r->m[at].m.u.content;
	const struct rule_list *l = &r->lists[r->m[at].list];
	const struct app_buffer_row *row = app_buffer_row((enum app_buffer)l->buffer);
	if (c->negated)
		return "its content is negated";
	if (l->n_transforms > 0)
		return "its buffer is transformed";
	if (l->base64_data || l->buffer == BUF_BASE64)
		return "its content is in decoded base64";
	switch (l->buffer) {
	case BUF_PAYLOAD:
		return c->len != c->replace_len && !over_tcp(r->rule)
			       ? "its length is another, and only TCP can have that"
			       : NULL;
	case BUF_HTTP_HEADER_NAMES:
	case BUF_HTTP_START:
	case BUF_FILE_NAME:
	case BUF_FILE_EXT:
		return "its buffer is made from several places";
	case BUF_FILE_DATA:
		return NULL;
	default:
		break;
	}
	if (row->protos != NULL && row->protos[0] == APP_HTTP && row->protos[1] == 0)
		return NULL;
	return "only payload and the buffers of HTTP lead back to what was sent";
}

static void warn_sometimes(struct reading *r, uint32_t at)
{
	const struct match_content *c = &r->m[at].m.u.content;
	unsigned buffer = r->lists[r->m[at].list].buffer;
	if (buffer == BUF_PAYLOAD && c->len != c->replace_len && !over_tcp_only(r->rule))
		read_warn(r, r->m[at].at,
			  "replace: of another length: acts as drop in what is not TCP");
	else if (is_grown(buffer) && c->len != c->replace_len)
		read_warn(r, r->m[at].at,
			  "replace: acts as drop in a body that is compressed, or whose framing "
			  "can't take another length");
	else if (is_grown(buffer))
		read_warn(r, r->m[at].at, "replace: acts as drop in a body that is compressed%s",
			  buffer == BUF_FILE_DATA ? ", and outside HTTP" : "");
}

static void check_replaces(struct reading *r)
{
	uint8_t n[READ_LISTS] = {0};
	bool any = false;
	for (uint32_t i = 0; i < r->n_m; i++) {
		struct match_content *c = &r->m[i].m.u.content;
		if (r->m[i].m.kind != MATCH_CONTENT || !c->has_replace)
			continue;
		any = true;
		const char *why = not_replaced(r, i);
		if (why == NULL && n[r->m[i].list] == RULE_REPLACES)
			why = "there are too many for one buffer";
		c->replace_drops = why != NULL;
		if (why != NULL) {
			read_warn(r, r->m[i].at, "replace: %s: the rule acts as drop", why);
			continue;
		}
		c->replace_no = n[r->m[i].list]++;
		warn_sometimes(r, i);
	}
	uint8_t a = r->rule->action;
	if (any && a != ACTION_ALERT && a != ACTION_REWRITE && a != ACTION_LOG)
		read_warn(r, r->text.at, "replace: %s: nothing is replaced", rule_action_text(a));
	if (!any && r->rule->action == ACTION_REWRITE)
		read_warn(r, r->text.at, "rewrite, but nothing is replaced: it only alerts");
}

/* ---- buffers against direction and protocol ----------------------------------------------------- */

static int check_direction(struct reading *r, uint32_t flow)
{
	if (r->rule->transactional) {
		if (flow & (FLOW_TO_SERVER | FLOW_TO_CLIENT))
			return read_fail(r, r->text.at,
					 "'=>' looks at both directions: flow can't name one");
		return 0;
	}
	unsigned all = BUFFER_TS | BUFFER_TC;
	const char *other = NULL;
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct app_buffer_row *row =
			app_buffer_row((enum app_buffer)r->lists[i].buffer);
		unsigned dirs = row->flags & (BUFFER_TS | BUFFER_TC);
		if (r->lists[i].n == 0 || (row->flags & BUFFER_PACKET))
			continue;
		if ((flow & FLOW_TO_SERVER) && !(dirs & BUFFER_TS))
			return read_fail(
				r, r->list_at[i],
				"%s is in what the server says, the rule's flow is to_server",
				row->name);
		if ((flow & FLOW_TO_CLIENT) && !(dirs & BUFFER_TC))
			return read_fail(
				r, r->list_at[i],
				"%s is in what the client says, the rule's flow is to_client",
				row->name);
		if ((all & dirs) == 0)
			return read_fail(
				r, r->list_at[i],
				"%s and %s are in different directions: write '=>' in the header",
				other, row->name);
		if ((all & dirs) != all)
			other = row->name;
		all &= dirs;
	}
	return 0;
}

static bool is_in(const uint8_t *list, size_t n, enum app_proto p)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == p)
			return true;
	return false;
}

static bool on_tcp(enum app_proto p)
{
	static const uint8_t not [] = {APP_TFTP, APP_DHCP, APP_NTP, APP_SNMP, APP_QUIC, APP_IKE};
	return !is_in(not, ARRAY_LEN(not ), p);
}

static bool on_udp(enum app_proto p)
{
	static const uint8_t these[] = {APP_DNS, APP_SIP,  APP_DCERPC, APP_TFTP, APP_DHCP,
					APP_NTP, APP_SNMP, APP_QUIC,   APP_IKE,  APP_KRB5,
					APP_NFS, APP_ENIP, APP_DNP3,   APP_LDAP, APP_BITTORRENT};
	return is_in(these, ARRAY_LEN(these), p);
}

static bool carried(uint8_t proto, enum app_proto app)
{
	switch (proto) {
	case PROTO_ONLY_TCP:
	case PROTO_TCP_STREAM:
		return on_tcp(app);
	case PROTO_ONLY_UDP:
		return on_udp(app);
	case PROTO_ANY_IP:
	case PROTO_ONLY_IP4:
	case PROTO_ONLY_IP6:
	case PROTO_APP:
		return true;
	default:
		return false;
	}
}

/* HTTP's buffers are also there for rules about file data in it, SMB's DCERPC ... */
static bool speaks(const uint8_t *protos, uint8_t app)
{
	for (; protos != NULL && *protos != 0; protos++)
		if (*protos == app)
			return true;
	return false;
}

/* Which of its protocols a rule can be about; the only one becomes the rule's. */
static int check_protocols(struct reading *r)
{
	struct rule *rule = r->rule;
	bool can[APP_PROTOS];
	const char *first = NULL;
	for (unsigned i = 0; i < APP_PROTOS; i++)
		can[i] = rule->proto == PROTO_APP ? i == rule->app : carried(rule->proto, i);
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct app_buffer_row *row =
			app_buffer_row((enum app_buffer)r->lists[i].buffer);
		if (r->lists[i].n == 0 || row->protos == NULL)
			continue;
		unsigned left = 0;
		for (unsigned p = 0; p < APP_PROTOS; p++) {
			can[p] = can[p] && speaks(row->protos, (uint8_t)p);
			left += can[p];
		}
		if (left == 0 && first != NULL)
			return read_fail(r, r->list_at[i], "%s and %s are of different protocols",
					 first, row->name);
		if (left == 0)
			return read_fail(r, r->list_at[i],
					 "%s is not there in what the rule's header names",
					 row->name);
		first = row->name;
	}
	if (first == NULL)
		return 0;
	unsigned n = 0, only = 0;
	for (unsigned p = 0; p < APP_PROTOS; p++)
		if (can[p]) {
			n++;
			only = p;
		}
	if (n == 1)
		rule->app = (uint8_t)only;
	return 0;
}

/* Tests whose protocol is known: urilen is about HTTP. */
static int check_tests(struct reading *r)
{
	struct rule *rule = r->rule;
	for (uint32_t i = 0; i < r->n_tests; i++) {
		const struct rule_test *t = &r->tests[i];
		uint8_t app = APP_UNKNOWN;
		if (t->kind == TEST_URILEN)
			app = APP_HTTP;
		else if (t->kind == TEST_NUMBER && t->u.num.n <= NUM_DNS_RRTYPE)
			app = APP_DNS;
		else if (t->kind == TEST_NUMBER &&
			 (t->u.num.n == NUM_TLS_VERSION || t->u.num.n == NUM_TLS_CHAIN_LEN ||
			  t->u.num.n == NUM_TLS_NOT_BEFORE || t->u.num.n == NUM_TLS_NOT_AFTER))
			app = APP_TLS;
		else if (t->kind == TEST_SSL_STATE || t->kind == TEST_SSL_VERSION)
			app = APP_TLS;
		else if (t->kind == TEST_APP_EVENT)
			app = t->u.event.proto;
		if (app == APP_UNKNOWN)
			continue;
		if (!carried(rule->proto, app) && rule->proto != PROTO_TCP_PKT)
			return read_fail(r, r->test_at[i], "this is about %s, the header is not",
					 app_proto_text(app));
		if (rule->app == APP_UNKNOWN)
			rule->app = app;
		else if (rule->app != app)
			return read_fail(r, r->test_at[i], "this is about %s, the rule about %s",
					 app_proto_text(app), app_proto_text(rule->app));
	}
	return 0;
}

static int check_empty(struct reading *r)
{
	for (uint32_t i = 0; i < r->n_lists; i++) {
		const struct rule_list *l = &r->lists[i];
		bool other = false;
		for (uint32_t j = 0; j < r->n_lists; j++)
			other |= j != i && r->lists[j].buffer == l->buffer && r->lists[j].n > 0;
		if (l->n > 0 || other || l->buffer == BUF_PAYLOAD)
			continue;
		const char *name = app_buffer_row((enum app_buffer)l->buffer)->name;
		bool forgiven = r->snort3 || l->buffer == BUF_FILE_DATA || l->buffer == BUF_BASE64;
		if (!forgiven)
			return read_fail(r, r->list_at[i], "%s: nothing is looked for in it", name);
		read_warn(r, r->list_at[i], "%s: nothing is looked for in it", name);
	}
	return 0;
}

int read_check(struct reading *r)
{
	struct rule *rule = r->rule;
	uint32_t flow = flow_bits(r);
	if (!r->has_sid)
		return read_fail(r, r->text.at, "the rule has no sid");
	if (rule->msg == NULL)
		rule->msg = (char *)"";
	if (rule->proto == PROTO_PKTHDR && r->n_m > 0)
		return read_fail(r, r->m[0].at, "pkthdr rules can't look into data");
	if (flow & (FLOW_ONLY_STREAM | FLOW_ESTABLISHED) &&
	    (rule->proto == PROTO_ONLY_ICMP4 || rule->proto == PROTO_ONLY_ICMP6) &&
	    (flow & FLOW_ONLY_STREAM))
		return read_fail(r, r->text.at,
				 "ICMP has no streams: flow:only_stream never holds");
	int e = check_empty(r);
	if (e == 0)
		e = check_matches(r);
	if (e == 0)
		e = check_direction(r, flow);
	if (e == 0)
		e = check_protocols(r);
	if (e == 0)
		e = check_tests(r);
	if (e == 0)
		check_replaces(r);
	return e;
}
