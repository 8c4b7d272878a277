/* SPDX-License-Identifier: BSD-2-Clause */
/* main: one binary; `skep VERB` for people, `skep --role NAME` for super. */
#include "cmd/cmd.h"
#include "role/compiler.h"
#include "role/role.h"

#include <stdio.h>
#include <string.h>

const struct cmd_verb cmd_verbs[] = {
	{"init", cmd_init, "look at this host, ask three questions, write a configuration"},
	{"up", cmd_up, "start the honeynet (with no configuration: the lab)"},
	{"down", cmd_down, "stop it and leave the host as it was"},
	{"status", cmd_status, "what runs, what was seen, what was stopped"},
	{"doctor", cmd_doctor, "what this machine can do, and the cure where it can't"},
	{"check", cmd_check, "validate a configuration"},
	{"config", cmd_config, "print an example, the JSON Schema or the reference"},
	{"demo", cmd_demo, "play a break-in against the running lab"},
	{"events", cmd_events, "search and follow events"},
	{"alerts", cmd_alerts, "who is told of what; what was sent, held back, and would be"},
	{"sessions", cmd_sessions, "who was in the guests, and what he did there"},
	{"replay", cmd_replay, "play a session in this terminal, as it looked"},
	{"files", cmd_files, "what was fetched, uploaded and written in guests"},
	{"log", cmd_log, "syslog lines of guests; hold them against the loghost's own"},
	{"prove", cmd_prove, "prove that containment holds: send what must not pass"},
	{"evidence", cmd_evidence, "were the event files changed? hold them against their seals"},
	{"pcap", cmd_pcap, "extract packets from the captures"},
	{"inspect", cmd_inspect, "captures through the rule engine, events out"},
	{"rules", cmd_rules, "check, list, count, update and reload rules"},
	{"scrub", cmd_scrub, "rules in the way of frames between two interfaces, without guests"},
	{"policy", cmd_policy, "show the containment policy, overrule it for a guest"},
	{"fence", cmd_fence, "networks nothing is exchanged with"},
	{"lockdown", cmd_lockdown, "nothing crosses the wall any more, at once"},
	{"guest", cmd_guest, "list guests, show credentials and consoles"},
	{"image", cmd_image, "build and list guest images"},
	{NULL, NULL, NULL},
};

static const struct {
	const char *name;
	int (*run)(void);
} roles[] = {
	{"wall", role_wall},       {"recorder", role_recorder},   {"keeper", role_keeper},
	{"hub", role_hub},         {"ledger", role_ledger},       {"compiler", role_compiler},
	{"sink", role_sink},       {"collector", role_collector}, {"courier", role_courier},
	{"alerter", role_alerter},
};

static void usage(FILE *out)
{
	fprintf(out, "usage: skep VERB [OPTION ...]\n\n");
	for (const struct cmd_verb *v = cmd_verbs; v->name != NULL; v++)
		fprintf(out, "  %-8s  %s\n", v->name, v->help);
	fprintf(out, "\n`skep VERB --help` says more. `skep --version` prints the version.\n");
}

static int run_role(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].run();
	return cmd_fail(2, "no role is called '%s'", name);
}

static int unknown_verb(const char *name)
{
	const char *near = NULL;
	unsigned best = 3;
	for (const struct cmd_verb *v = cmd_verbs; v->name != NULL; v++) {
		unsigned d = text_distance(name, v->name);
		if (d < best) {
			best = d;
			near = v->name;
		}
	}
	if (near != NULL)
		return cmd_fail(2, "no verb is called '%s'; did you mean '%s'?", name, near);
	return cmd_fail(2, "no verb is called '%s'; `skep --help` lists them", name);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return run_role(argv[2]);
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		printf("skep %s\n", SKEP_VERSION);
		return 0;
	}
	for (const struct cmd_verb *v = cmd_verbs; v->name != NULL; v++)
		if (strcmp(v->name, argv[1]) == 0)
			return v->run(argc - 1, argv + 1);
	return unknown_verb(argv[1]);
}
