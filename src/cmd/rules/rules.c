/* SPDX-License-Identifier: BSD-2-Clause */
/* skep rules: check, list and count rules, keep the set up to date, bring it to the running wall. */
#include "cmd/rules/rules.h"
#include "cmd/cmd.h"
#include "cmd/rules/ruleset.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
	"usage: skep rules check|list|stats [--json] [-c FILE] RULES ...\n"
	"       skep rules update SOURCE [-o DIR] [--insecure-http]\n"
	"       skep rules reload [-c CONF] [--json]\n"
	"       skep rules rehearse -r CAPTURE ... -S NEW ... [--old RULES ...]\n\n"
	"RULES are files, or folders with *.rules and *.config in them.\n\n"
	"  check    every rule loads, or is listed with file, line, column and reason\n"
	"  list     one line per rule: sid, action, protocol's file and message\n"
	"  stats    how many there are, of which kinds, and what they need\n"
	"  update   takes SOURCE (a file, a folder, a .tar.gz of rules, or an https URL of one of "
	"them)\n"
	"           into DIR/skep.rules (default /var/lib/skep/rules) if all of it can be used, "
	"and\n"
	"           prints what changed; the set before it stays as DIR/skep.rules.old\n"
	"  reload   reads what rules.files of the running honeynet's configuration names, and has "
	"the "
	"wall\n"
	"           go over to it between two frames; conversations keep their state\n"
	"  rehearse what would these rules have done to that traffic? `skep rules rehearse "
	"--help`\n\n"
	"  -c, --config FILE    variables, as for `skep inspect`; reload: the honeynet's "
	"configuration\n"
	"  -o, --output DIR     where `update` keeps the set\n"
	"      --json           for programs\n"
	"      --insecure-http  allow a source without encryption\n\n"
	"Exit code 0: all is well; 1: some rules don't load, or nothing was updated; 2: bad "
	"usage.\n"
	"Example: skep rules update /var/lib/suricata/rules/suricata.rules\n";

struct job {
	const char *conf, *output;
	bool json, insecure;
	struct ruleset_paths paths;
	struct ruleset loaded;
	struct ruleset_vars vars;
};

static int load(struct job *j, bool list)
{
	int code = ruleset_vars_read("rules", j->conf, &j->vars);
	j->loaded.most = UINT64_MAX;
	return code != 0 ? code : ruleset_read(&j->loaded, "rules", &j->paths, &j->vars, list);
}

static int verdict(const struct job *j)
{
	return j->loaded.errors + j->loaded.unreadable > 0 ? 1 : 0;
}

static int print_json(json_t *o)
{
	int bad = o == NULL || json_dumpf(o, stdout, JSON_INDENT(2)) != 0;
	putchar('\n');
	json_decref(o);
	return bad ? cmd_fail(1, "rules: out of memory") : 0;
}

/* ---- check, stats, list ------------------------------------------------------------------------- */

static int check(struct job *j)
{
	j->loaded.list = j->json ? json_array() : NULL;
	int code = load(j, false);
	if (code != 0)
		return code;
	unsigned long long n = j->loaded.report.stats.rules;
	if (j->json) {
		json_t *list = j->loaded.list;
		j->loaded.list = NULL;
		code = print_json(json_pack("{s:b,s:I,s:I,s:I,s:o}", "ok", verdict(j) == 0,
					    "loaded", (json_int_t)n, "failed",
					    (json_int_t)j->loaded.errors, "warnings",
					    (json_int_t)j->loaded.warnings, "problems", list));
		return code != 0 ? code : verdict(j);
	}
	printf("%llu rules of %zu file%s are good", n, j->loaded.n_files,
	       j->loaded.n_files == 1 ? "" : "s");
	if (j->loaded.errors > 0)
		printf(", %llu are not", (unsigned long long)j->loaded.errors);
	if (j->loaded.warnings > 0)
		printf(", %llu warning%s", (unsigned long long)j->loaded.warnings,
		       j->loaded.warnings == 1 ? "" : "s");
	printf("\n");
	return verdict(j);
}

static int stats(struct job *j)
{
	uint64_t by_action[ACTIONS] = {0};
	int code = load(j, true);
	if (code != 0)
		return code;
	const struct rule_set_stats s = j->loaded.report.stats;
	uint32_t n = j->loaded.report.n_rules;
	json_t *actions = json_object();
	for (uint32_t i = 0; i < n; i++)
		by_action[j->loaded.report.rules[i].action]++;
	for (unsigned a = 0; a < ACTIONS; a++)
		if (by_action[a] > 0)
			json_object_set_new(actions, rule_action_text((enum rule_action)a),
					    json_integer((json_int_t)by_action[a]));
	if (j->json) {
		code = print_json(json_pack(
			"{s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:o}", "loaded", (json_int_t)n, "failed",
			(json_int_t)j->loaded.errors, "disabled", (json_int_t)s.disabled, "files",
			(json_int_t)j->loaded.n_files, "warnings", (json_int_t)j->loaded.warnings,
			"memory_bytes", (json_int_t)s.memory_bytes, "parse_seconds",
			(double)s.parse_ns / 1e9, "actions", actions));
		return code != 0 ? code : verdict(j);
	}
	printf("%8u rules loaded, of %llu files, in %.2f s\n", n,
	       (unsigned long long)j->loaded.n_files, (double)s.parse_ns / 1e9);
	printf("%8llu refused, %llu switched off, %llu warnings\n",
	       (unsigned long long)j->loaded.errors, (unsigned long long)s.disabled,
	       (unsigned long long)j->loaded.warnings);
	for (unsigned a = 0; a < ACTIONS; a++)
		if (by_action[a] > 0)
			printf("%8llu %s\n", (unsigned long long)by_action[a],
			       rule_action_text((enum rule_action)a));
	json_decref(actions);
	return verdict(j);
}

static json_t *rule_json(const struct compiler_rule *r, const char *msg)
{
	return json_pack("{s:I,s:I,s:I,s:s,s:s,s:s,s:I,s:s,s:I}", "gid", (json_int_t)r->gid, "sid",
			 (json_int_t)r->sid, "rev", (json_int_t)r->rev, "action",
			 rule_action_text(r->action), "msg", msg, "classtype", r->classtype,
			 "severity", (json_int_t)r->severity, "file", r->file, "line",
			 (json_int_t)r->line);
}

static int list(struct job *j)
{
	int code = load(j, true);
	if (code != 0)
		return code;
	json_t *all = j->json ? json_array() : NULL;
	for (uint32_t i = 0; i < j->loaded.report.n_rules; i++) {
		const struct compiler_rule *r = &j->loaded.report.rules[i];
		char msg[1024];
		struct writer w = writer_of(msg, sizeof(msg));
		write_escaped(&w, r->msg, strlen(r->msg));
		if (all != NULL)
			json_array_append_new(all, rule_json(r, msg));
		else
			printf("%u:%u:%u %s %s (%s:%u)\n", r->gid, r->sid, r->rev,
			       rule_action_text(r->action), msg, r->file, r->line);
	}
	if (all != NULL)
		code = print_json(all);
	return code != 0 ? code : verdict(j);
}

/* ---- usage -------------------------------------------------------------------------------------- */

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'}, {"output", required_argument, NULL, 'o'},
	{"json", no_argument, NULL, 'j'},         {"insecure-http", no_argument, NULL, 'i'},
	{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

/* -1: go on; else the exit code. */
static int parse(struct job *j, int argc, char **argv)
{
	int option;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:o:h", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'c':
			j->conf = optarg;
			break;
		case 'o':
			j->output = optarg;
			break;
		case 'j':
			j->json = true;
			break;
		case 'i':
			j->insecure = true;
			break;
		default:
			return cmd_fail(2, "rules: `skep rules --help` lists the options");
		}
	}
	return -1;
}

static int with_files(struct job *j, int n, char **paths, int (*run)(struct job *j))
{
	static const char *const endings[] = {".rules", ".config", NULL};
	if (n == 0)
		return cmd_fail(2, "rules: name files or folders of rules");
	for (int i = 0; i < n; i++) {
		int err = ruleset_add(&j->paths, paths[i], endings);
		if (err == SKEP_ENOTFOUND)
			return cmd_fail(1, "rules: %s: no *.rules in this folder", paths[i]);
		if (err != 0)
			return cmd_fail(1, "rules: %s: %s", paths[i], err_text(err));
	}
	return run(j);
}

static int run(struct job *j, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct job *j);
	} verbs[] = {{"check", check}, {"list", list}, {"stats", stats}};
	if (argc == 0)
		return cmd_fail(2, "rules: say check, list, stats, update, reload or rehearse; "
				   "`skep rules --help`");
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, argv[0]) == 0)
			return with_files(j, argc - 1, argv + 1, verbs[i].run);
	if (strcmp(argv[0], "reload") == 0 && argc == 1)
		return rules_reload(j->conf, j->json);
	if (strcmp(argv[0], "reload") == 0)
		return cmd_fail(2,
				"rules: reload takes what the configuration names (rules.files)");
	if (strcmp(argv[0], "update") != 0)
		return cmd_fail(
			2, "rules: '%s' is none of check, list, stats, update, reload, rehearse",
			argv[0]);
	if (argc != 2)
		return cmd_fail(2, "rules: update wants one SOURCE: a file, a folder or a URL");
	return rules_update(argv[1], j->output, j->conf, j->insecure, j->json);
}

int cmd_rules(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "rehearse") == 0)
		return rules_rehearse(argc - 1, argv + 1);
	struct job j = {.conf = NULL};
	int code = parse(&j, argc, argv);
	if (code < 0)
		code = run(&j, argc - optind, argv + optind);
	ruleset_free(&j.loaded);
	ruleset_vars_free(&j.vars);
	ruleset_paths_free(&j.paths);
	return code;
}
