/* SPDX-License-Identifier: BSD-2-Clause */
/* skep config: what can be set, as an example, a JSON Schema, a page, or the values in force. */
#include "cmd/cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (256u << 10)

static void help(FILE *out)
{
	fprintf(out, "usage: skep config example | schema | reference | show [-c FILE]\n\n"
		     "  example    a commented file with every setting at its default\n"
		     "  schema     a JSON Schema (draft 2020-12) for editors\n"
		     "  reference  the settings as a Markdown page\n"
		     "  show       the values in force, as a file\n");
}

static int print(const char *what, const struct conf *c)
{
	char *buf = malloc(TEXT_MAX);
	if (buf == NULL)
		return cmd_fail(1, "out of memory");
	struct writer w = writer_of(buf, TEXT_MAX);
	if (strcmp(what, "example") == 0)
		conf_write_example(&w);
	else if (strcmp(what, "schema") == 0)
		conf_write_schema(&w);
	else if (strcmp(what, "reference") == 0)
		conf_write_reference(&w);
	else
		conf_write_values(&w, c);
	bool bad = w.full || fputs(buf, stdout) == EOF || fflush(stdout) == EOF;
	free(buf);
	return bad ? cmd_fail(1, "can't write it out") : 0;
}

int cmd_config(int argc, char **argv)
{
	static const char *const words[] = {"example", "schema", "reference", "show"};
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct conf c;
	const char *path = NULL;
	int o;
	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (o == 'h') {
			help(stdout);
			return 0;
		}
		if (o != 'c')
			return cmd_fail(2, "`skep config --help` shows the options");
		path = optarg;
	}
	const char *what = optind + 1 == argc ? argv[optind] : "";
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(what, words[i]) != 0)
			continue;
		if (i == 3 && cmd_conf(path, &c) != 0)
			return 1;
		return print(what, &c);
	}
	help(stderr);
	return 2;
}
