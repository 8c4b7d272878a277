/* SPDX-License-Identifier: BSD-2-Clause */
/* Files, headers, variables, numbering, order, configuration; and where mistakes are told. */
#include "reading.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define R(sid) "alert tcp any any -> any any (msg:\"m\"; content:\"abc\"; sid:" #sid ";)"

struct mistake {
	const char *text;
	uint32_t line, column;
	const char *problem;
};

static const struct mistake mistakes[] = {
	{"alrt tcp any any -> any any (sid:1;)", 1, 1, "did you mean 'alert'"},
	{"alert tcpp any any -> any any (sid:1;)", 1, 7, "did you mean 'tcp'"},
	{"alert tcp any any >> any any (sid:1;)", 1, 19, "no direction"},
	{"alert tcp any any <- any any (sid:1;)", 1, 19, "swap both sides"},
	{"alert tcp any any -> any (sid:1;)", 1, 26, "destination port"},
	{"alert tcp 10.0.0.300 any -> any any (sid:1;)", 1, 11, "not an address"},
	{"alert tcp 10.0.0.0/33 any -> any any (sid:1;)", 1, 11, "prefix length"},
	{"alert tcp $NOBODY any -> any any (sid:1;)", 1, 11, "no variable of addresses"},
	{"alert tcp !any any -> any any (sid:1;)", 1, 11, "leaves nothing"},
	{"alert tcp [10.0.0.1,!10.0.0.0/8] any -> any any (sid:1;)", 1, 11, "leaves nothing"},
	{"alert tcp [10.0.0.1,,10.0.0.2] any -> any any (sid:1;)", 1, 11, "empty element"},
	{"alert tcp any 70000 -> any any (sid:1;)", 1, 15, "not a port"},
	{"alert tcp any 90:80 -> any any (sid:1;)", 1, 15, "end is before"},
	{"alert tcp any $HTTP_PORT -> any any (sid:1;)", 1, 15, "no variable of ports"},
	{"alert tcp any any -> any any sid:1;", 1, 30, "'(' is missing"},
	{"alert tcp any any -> any any (sid:1;", 1, 36, "does not end with ')'"},
	{"alert tcp any any -> any any (sid:1)", 1, 31, "no ';'"},
	{"alert tcp any any -> any any (msg:\"x\";)", 1, 1, "no sid"},
	{"alert tcp any any -> any any (sid:0;)", 1, 35, "not a number"},
	{"alert tcp any any -> any any (sid:1; sid:2;)", 1, 38, "twice"},
	{"alert tcp any any -> any any (msg:\"x; sid:1;)", 1, 35, "closing quote"},
	{"alert tcp any any -> any any (conten:\"x\"; sid:1;)", 1, 31, "did you mean 'content'"},
	{"\n\n  alert tcp any any -> any any (content:\"|4\"; sid:1;)", 3, 43, "closing bar"},
	{"alert tcp any any -> any any ( \\\n  msg:\"x\"; \\\r\n  dsize:x; \\\n sid:1;)", 3, 9,
	 "not a number"},
	{"alert http any any => any any (flow:to_server; http.uri; content:\"x\"; sid:1;)", 1, 1,
	 "both directions"},
	{"alert tcp any any => any any (sid:1;)", 1, 19, "application protocol"},
	{"\xef\xbb\xbf"
	 "alert tcp any any -> any any (pcre:\"/a(/\"; sid:1;)",
	 1, 40, "pcre"},
	{R(7) "\n" R(7), 2, 1, "there already"},
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		const struct mistake *m = &mistakes[i];
		struct got g;
		struct rule_set *s = read_text(m->text, &g);
		if (strstr(g.error, m->problem) == NULL || g.line != m->line ||
		    g.column != m->column || g.errors != 1)
			fail_msg("%s\n  should say at %u:%u: %s\n  says at %u:%u: %s", m->text,
				 m->line, m->column, m->problem, g.line, g.column, g.error);
		struct rule_set_stats stats;
		rule_set_read_stats(s, &stats);
		assert_int_equal(stats.failed, 1);
		rule_set_free(&s);
	}
}

static void test_files(void **state)
{
	struct got g;
	struct rule_set_stats stats;
	struct rule_set *s =
		read_text("\xef\xbb\xbf# a comment (x)\r\n\r\n" R(1) "\r\n#" R(2) "\n  #  " R(
				  3) "\nalert tcp any any -> any any (msg:\"a\\;b\"; "
				     "\\\n\tcontent:\"x\"; \\\n"
				     "\tsid:4;)\nalert  tcp\tany any->any  any(sid : 5 ; rev:1;)\n"
				     "alert http\n(\n  msg:\"three\";\n  http_uri; "
				     "content:\"x\",nocase;\n  sid:6;\n)\n",
			  &g);
	rule_set_read_stats(s, &stats);
	assert_string_equal(g.error, "");
	assert_int_equal(rule_set_count(s), 4);
	assert_int_equal(stats.disabled, 2);
	assert_int_equal(stats.failed, 0);
	struct rule_info info;
	rule_set_info(s, 1, &info);
	assert_int_equal(info.sid, 4);
	assert_int_equal(info.line, 6);
	assert_string_equal(info.msg, "a;b");
	assert_string_equal(info.file, "test.rules");
	rule_set_free(&s);
	/* A rule without an end does not swallow the next. */
	s = read_text("alert tcp any any -> any any (msg:\"x\"; sid:1;\n" R(2), &g);
	assert_int_equal(rule_set_count(s), 1);
	assert_int_equal(g.line, 1);
	rule_set_free(&s);
	s = read_text("", &g);
	assert_int_equal(rule_set_count(s), 0);
	rule_set_free(&s);
	/* Longer than a rule may be. */
	size_t n = 80000;
	char *text = malloc(n);
	memset(text, 'a', n - 1);
	memcpy(text, "alert tcp any any -> any any (msg:\"", 35);
	text[n - 1] = '\0';
	s = read_text(text, &g);
	assert_non_null(strstr(g.error, "longer than"));
	free(text);
	rule_set_free(&s);
}

static void test_revisions(void **state)
{
	struct got g;
	struct rule_info info;
	struct rule_set *s = read_text("alert ip any any -> any any (sid:1; rev:2;)\n"
				       "drop ip any any -> any any (sid:1; rev:3;)\n"
				       "pass ip any any -> any any (sid:1; rev:1;)\n"
				       "pass ip any any -> any any (sid:1; gid:2;)\n",
				       &g);
	assert_int_equal(rule_set_count(s), 2);
	assert_int_equal(g.errors, 1);
	assert_int_equal(g.line, 3);
	assert_int_equal(g.warnings, 1);
	rule_set_info(s, 0, &info); /* pass comes first */
	assert_int_equal(info.gid, 2);
	rule_set_info(s, 1, &info);
	assert_int_equal(info.action, ACTION_DROP);
	assert_int_equal(info.rev, 3);
	rule_set_free(&s);
}

static void test_order(void **state)
{
	struct got g;
	struct rule_info info;
	struct rule_set *s = read_text("alert ip any any -> any any (sid:1;)\n"
				       "alert ip any any -> any any (flowbits:isset,a; sid:2;)\n"
				       "alert ip any any -> any any (flowbits:set,a; sid:3;)\n"
				       "reject ip any any -> any any (sid:4;)\n"
				       "drop ip any any -> any any (sid:5;)\n"
				       "alert ip any any -> any any (priority:1; sid:6;)\n",
				       &g);
	static const uint32_t order[] = {5, 4, 3, 2, 6, 1};
	for (uint32_t i = 0; i < ARRAY_LEN(order); i++) {
		rule_set_info(s, i, &info);
		assert_int_equal(info.sid, order[i]);
	}
	rule_set_free(&s);
}

static struct addr at(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void test_sets(void **state)
{
	struct rule_vars *v = NULL;
	assert_int_equal(rule_vars_create(&v), 0);
	assert_int_equal(
		rule_vars_set(v, false, "HOME_NET", "[10.0.0.0/8,!10.1.0.0/16,2001:db8::/32]"), 0);
	assert_int_equal(rule_vars_set(v, false, "EXTERNAL_NET", "!$HOME_NET"), 0);
	assert_int_equal(rule_vars_set(v, false, "LOOP", "$LOOP"), 0);
	assert_int_equal(rule_vars_set(v, true, "WEB", "[80,8000:8100,!8080]"), 0);
	assert_int_equal(rule_vars_set(v, true, "WEB2", "80:70"), SKEP_EFORMAT);
	assert_int_equal(rule_vars_set(v, false, "A B", "any"), SKEP_EFORMAT);
	struct got g = {0};
	struct rule_set_conf conf = {.vars = v, .parse_only = true};
	struct rule_set *s = NULL;
	assert_int_equal(rule_set_create(&conf, &s), 0);
	rule_vars_free(&v);
	static const char text[] = "alert tcp $HOME_NET $WEB -> $EXTERNAL_NET !$WEB (sid:1;)\n"
				   "alert tcp [1.2.3.4-1.2.3.9, ! 1.2.3.5] [:10,60000:] -> "
				   "[$EXTERNAL_NET,10.0.0.7] any (sid:2;)\n"
				   "alert tcp ![10.0.0.0/255.0.0.0,::1] any -> any any (sid:3;)\n"
				   "alert tcp $LOOP any -> any any (sid:4;)\n";
	assert_int_equal(rule_set_read(s, "t", text, sizeof(text) - 1), 0);
	assert_int_equal(rule_set_finish(s), 0);
	assert_int_equal(rule_set_count(s), 3);
	const struct rule *r = s->rules[0];
	struct addr in = at("10.2.3.4"), hole = at("10.1.2.3"), out = at("192.0.2.1"),
		    six = at("2001:db8::5"), loop = at("::1");
	assert_true(addr_set_has(&r->src, &in) && addr_set_has(&r->src, &six));
	assert_false(addr_set_has(&r->src, &hole) || addr_set_has(&r->src, &out));
	assert_false(addr_set_has(&r->dst, &in) || addr_set_has(&r->dst, &six));
	assert_true(addr_set_has(&r->dst, &hole) && addr_set_has(&r->dst, &out));
	assert_true(port_set_has(&r->sport, 80) && port_set_has(&r->sport, 8100));
	assert_false(port_set_has(&r->sport, 8080) || port_set_has(&r->sport, 8101));
	assert_true(port_set_has(&r->dport, 8080) && port_set_has(&r->dport, 0));
	assert_false(port_set_has(&r->dport, 80));
	r = s->rules[1];
	struct addr four = at("1.2.3.4"), five = at("1.2.3.5"), seven = at("10.0.0.7");
	assert_true(addr_set_has(&r->src, &four) && !addr_set_has(&r->src, &five));
	assert_true(addr_set_has(&r->dst, &seven) && !addr_set_has(&r->dst, &in));
	assert_true(port_set_has(&r->sport, 10) && port_set_has(&r->sport, 65535));
	assert_false(port_set_has(&r->sport, 11));
	r = s->rules[2];
	assert_true(addr_set_has(&r->src, &out) && addr_set_has(&r->src, &six));
	assert_false(addr_set_has(&r->src, &in) || addr_set_has(&r->src, &loop));
	rule_set_free(&s);
	(void)g;
}

static void test_config(void **state)
{
	struct rule_set_conf conf = {.parse_only = true};
	struct rule_set *s = NULL;
	assert_int_equal(rule_set_create(&conf, &s), 0);
	static const char classes[] =
		"# classes\nconfig classification: loud-noise,A loud noise,2\n"
		"config reference: url http://\n";
	static const char limits[] =
		"threshold gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 60\n"
		"suppress gen_id 1, sig_id 1, track by_src, ip [10.0.0.0/8,!10.0.0.1]\n"
		"suppress gen_id 1, sig_id 2\n"
		"rate_filter gen_id 1, sig_id 2, track by_rule, count 5, seconds 1, new_action "
		"drop, "
		"timeout 30\n";
	static const char rules[] = "alert ip any any -> any any (classtype:loud-noise; sid:1;)\n"
				    "alert ip any any -> any any (sid:2;)\n";
	assert_int_equal(rule_set_read_config(s, "c", classes, sizeof(classes) - 1), 0);
	assert_int_equal(rule_set_read_config(s, "t", limits, sizeof(limits) - 1), 0);
	assert_int_equal(rule_set_read(s, "r", rules, sizeof(rules) - 1), 0);
	assert_int_equal(rule_set_finish(s), 0);
	struct rule_info info;
	rule_set_info(s, 0, &info);
	assert_int_equal(info.sid, 1);
	assert_int_equal(info.severity, 2);
	assert_string_equal(info.category, "A loud noise");
	const struct rule *r = s->rules[0];
	assert_int_equal(r->n_thresholds, 2);
	assert_int_equal(r->thresholds[0].kind, THRESHOLD_LIMIT);
	assert_int_equal(r->thresholds[1].kind, THRESHOLD_SUPPRESS);
	assert_int_equal(r->thresholds[1].addrs.n_no, 1);
	r = s->rules[1];
	assert_int_equal(r->n_thresholds, 2);
	assert_int_equal(r->thresholds[1].kind, THRESHOLD_RATE);
	assert_int_equal(r->thresholds[1].new_action, ACTION_DROP);
	rule_set_free(&s);
}

static void test_warnings(void **state)
{
	struct got g;
	struct rule_set *s =
		read_text("alert tcp any any -> any any (content:\"a\"; distance:1; sid:1;)", &g);
	assert_int_equal(rule_set_count(s), 1);
	assert_non_null(strstr(g.warning, "nothing stands before"));
	rule_set_free(&s);
	s = read_text("alert tcp any any -> any any (requires: version < 7; sid:1;)", &g);
	assert_int_equal(rule_set_count(s), 0);
	assert_int_equal(g.errors, 0);
	assert_non_null(strstr(g.warning, "left out"));
	rule_set_free(&s);
}

/* The same rule in three kinds of writing. */
static void test_dialects(void **state)
{
	struct got g;
	struct rule_set *s = read_text(
		"alert tcp any any -> any any (msg:\"\"; http.uri; content:\"a\"; nocase; "
		"offset:1; "
		"http.header; content:\"b\"; fast_pattern; sid:1;)\n"
		"alert tcp any any -> any any (msg:\"\"; content:\"a\"; nocase; http_uri; "
		"offset:1; "
		"content:\"b\"; fast_pattern; http_header; sid:2;)\n"
		"alert tcp any any -> any any ( msg:\"\"; http_uri; content:\"a\",nocase,offset 1; "
		"http_header; content:\"b\",fast_pattern; sid:3; )\n",
		&g);
	assert_string_equal(g.error, "");
	assert_int_equal(rule_set_count(s), 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct rule *r = s->rules[i];
		assert_int_equal(r->app, APP_HTTP);
		uint32_t seen = 0;
		for (uint32_t j = 0; j < r->n_lists; j++) {
			assert_int_equal(r->lists[j].n, 1);
			const struct match_content *c = &r->lists[j].m[0].u.content;
			if (r->lists[j].buffer == BUF_HTTP_URI)
				seen += c->nocase && c->has_offset && c->offset.value == 1;
			else if (r->lists[j].buffer == BUF_HTTP_HEADER)
				seen += c->fast ? 16u : 0u;
		}
		assert_int_equal(seen, 17);
	}
	rule_set_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_files),
		cmocka_unit_test(test_revisions), cmocka_unit_test(test_order),
		cmocka_unit_test(test_sets),      cmocka_unit_test(test_config),
		cmocka_unit_test(test_warnings),  cmocka_unit_test(test_dialects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
