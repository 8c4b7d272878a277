/* SPDX-License-Identifier: BSD-2-Clause */
/* skep replay: a session as it looked, in this terminal. */
#include "cmd/visit/player.h"
#include "cmd/visit/visit.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define IDLE_US 3000000

enum { OPT_SPEED = 256, OPT_IDLE, OPT_FROM, OPT_SEARCH, OPT_RAW, OPT_TERMINAL, OPT_INPUT };

struct args {
	struct player_options play;
	const char *conf, *what;
	unsigned terminal;
	bool input_said;
};

static const char help[] =
	"usage: skep replay [OPTION ...] ID|FILE.cast\n"
	"Plays a session that `skep sessions` lists (the beginning of its id is enough), or a "
	"recording\n(asciicast v2) by its path. Keys: space pause, arrows 5 s, `,` `.` 1 s, + - "
	"speed, / search,\nn next, m M markers (commands), 0 beginning, q quit. Not to a terminal: "
	"plain bytes.\n\n"
	"      --speed X      so many times as fast; 0: all at once (not to a terminal)\n"
	"      --max-idle S   longer pauses are cut to S seconds; 0: none is (3 on a terminal)\n"
	"      --from T       begin there: seconds, or minutes:seconds\n"
	"      --search TEXT  begin where this was shown\n"
	"      --terminal N   the session's N-th terminal\n"
	"      --input        show what was typed (default where nothing echoed it)\n"
	"      --raw          every byte: also what reaches beyond the screen, or asks the "
	"terminal\n"
	"                     for something that would then be typed here\n"
	"  -c, --config FILE  which honeynet\n";

static const struct option options[] = {
	{"speed", required_argument, NULL, OPT_SPEED},
	{"max-idle", required_argument, NULL, OPT_IDLE},
	{"from", required_argument, NULL, OPT_FROM},
	{"search", required_argument, NULL, OPT_SEARCH},
	{"terminal", required_argument, NULL, OPT_TERMINAL},
	{"input", no_argument, NULL, OPT_INPUT},
	{"raw", no_argument, NULL, OPT_RAW},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool number(const char *s, double most, double *ret)
{
	char *end;
	if (s[0] < '0' || s[0] > '9')
		return false;
	*ret = strtod(s, &end);
	return *end == '\0' && *ret <= most;
}

/* "90", "1:30", "1:02:03". */
static bool offset(const char *s, int64_t *ret_us)
{
	double all = 0, part;
	char buf[32], *save = NULL;
	unsigned n = 0;
	if (s[0] == ':' || !text_copy(buf, sizeof(buf), s))
		return false;
	for (char *at = strtok_r(buf, ":", &save); at != NULL; at = strtok_r(NULL, ":", &save)) {
		if (!number(at, 1e6, &part) || ++n > 3)
			return false;
		all = all * 60 + part;
	}
	*ret_us = (int64_t)(all * 1e6);
	return n > 0;
}

static bool set(struct args *a, int option, const char *value)
{
	double v;
	switch (option) {
	case OPT_SPEED:
		return number(value, 1000, &a->play.speed);
	case OPT_IDLE:
		if (!number(value, 1e6, &v))
			return false;
		a->play.max_idle_us = (int64_t)(v * 1e6);
		return true;
	case OPT_FROM:
		return offset(value, &a->play.from_us);
	case OPT_SEARCH:
		a->play.search = value;
		return value[0] != '\0';
	case OPT_TERMINAL:
		if (!number(value, 9, &v) || v < 1)
			return false;
		a->terminal = (unsigned)v;
		return true;
	case OPT_INPUT:
		a->play.input = a->input_said = true;
		return true;
	case OPT_RAW:
		a->play.raw = true;
		return true;
	default:
		a->conf = value;
		return true;
	}
}

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct args *a)
{
	int o;
	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (o == '?') {
			fprintf(stderr, "`skep replay --help` lists the options\n");
			return 2;
		}
		if (o == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (!set(a, o, optarg))
			return cmd_fail(2,
					"replay: '%s' is no such value; see `skep replay --help`",
					optarg);
	}
	if (optind + 1 != argc)
		return cmd_fail(2, "replay: one session is expected: `skep replay ID`");
	a->what = argv[optind];
	if (a->play.keys && a->play.speed <= 0)
		return cmd_fail(2, "replay: --speed 0 is for files and pipes; on a terminal press "
				   "q, or use --from");
	return 0;
}

/* Did nothing come back of what was typed? Terminals echo; telnet and rlogin are terminals without a number. */
static bool lacks_echo(const struct session_row *r, const char *json_path)
{
	char *text = NULL;
	size_t len;
	bool tty = false;
	if (strcmp(r->service, "telnet") == 0 || strcmp(r->service, "rlogin") == 0)
		return false;
	if (json_path[0] == '\0' || visit_read(json_path, &text, &len) != 0)
		return false;
	json_t *o = json_loadb(text, len, 0, NULL);
	const json_t *cast = json_array_get(json_object_get(o, "casts"), 0);
	tty = json_is_integer(json_object_get(cast, "tty"));
	json_decref(o);
	free(text);
	return !tty;
}

/* ID.cast, ID-2.cast ... beside it. */
static bool nth_terminal(char *path, unsigned n)
{
	size_t len = strlen(path);
	if (n < 2)
		return true;
	if (len < 5 || len + 4 > VISIT_PATH)
		return false;
	snprintf(path + len - 5, 8, "-%u.cast", n % 10);
	return access(path, R_OK) == 0;
}

static int find(struct args *a, char path[VISIT_PATH])
{
	struct conf *conf = calloc(1, sizeof(*conf));
	struct session_row row;
	struct visit_files files;
	char dir[VISIT_DIR];
	if (strchr(a->what, '/') != NULL || strstr(a->what, ".cast") != NULL) {
		free(conf);
		text_copy(path, VISIT_PATH, a->what);
		return 0;
	}
	int rc = conf == NULL ? 2 : visit_dir(a->conf, conf, dir);
	free(conf);
	if (rc == 0)
		rc = visit_look_up(dir, a->what, &row, &files);
	if (rc != 0)
		return rc;
	text_copy(path, VISIT_PATH, files.cast);
	if (path[0] == '\0')
		return cmd_fail(
			1,
			"nothing was shown or typed in that session, so there is nothing to "
			"play: `skep sessions show %s` has the rest",
			a->what);
	if (!nth_terminal(path, a->terminal))
		return cmd_fail(1, "that session had no terminal %u", a->terminal);
	if (!a->input_said)
		a->play.input = lacks_echo(&row, files.json);
	return 0;
}

/* A screen that is too small can't look as it did. */
static void warn_of_size(const struct cast *c)
{
	struct winsize w;
	unsigned cols = c->cols, rows = c->rows;
	for (size_t i = 0; i < c->n; i++) {
		unsigned x, y;
		if (c->events[i].code != 'r' ||
		    sscanf(c->data + c->events[i].off, "%5ux%5u", &x, &y) != 2)
			continue;
		cols = x > cols ? x : cols;
		rows = y > rows ? y : rows;
	}
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || (w.ws_col >= cols && w.ws_row >= rows))
		return;
	printf("It was recorded on up to %u columns and %u rows, this terminal has %u and %u: some "
	       "of it will look odd.\n",
	       cols, rows, w.ws_col, w.ws_row);
	fflush(stdout);
	sleep(2);
}

static int play(const char *path, const struct player_options *o)
{
	struct cast cast;
	int err = cast_load(path, &cast);
	if (err == SKEP_EFORMAT)
		return cmd_fail(1, "%s is no recording (asciicast v2)", path);
	if (err != 0)
		return visit_unreadable(path, err);
	if (o->keys)
		warn_of_size(&cast);
	int rc = player_run(&cast, o);
	cast_free(&cast);
	if (rc == 1)
		return cmd_fail(1, "'%s' was not shown in that session", o->search);
	return rc == 0 ? 0 : cmd_fail(1, "the replay was broken off: %s", err_text(rc));
}

int visit_play(const char *dir, const struct session_row *row, double speed)
{
	bool keys = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	char id[SESSION_ID_TEXT];
	struct session_row same;
	struct visit_files files;
	session_id_text(row->id, id);
	int rc = visit_look_up(dir, id, &same, &files);
	if (rc != 0 || files.cast[0] == '\0')
		return rc;
	const struct player_options o = {
		.speed = keys ? speed : 0,
		.max_idle_us = NS_PER_SEC / 1000,
		.input = lacks_echo(row, files.json),
		.keys = keys,
		.name = id,
	};
	return play(files.cast, &o);
}

int cmd_replay(int argc, char **argv)
{
	bool keys = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct args a = {.terminal = 1,
			 .play = {.speed = 1, .keys = keys, .max_idle_us = keys ? IDLE_US : 0}};
	char path[VISIT_PATH];
	int rc = parse(argc, argv, &a);
	if (rc != 0)
		return rc == 1 ? 0 : rc;
	rc = find(&a, path);
	if (rc != 0)
		return rc;
	if (!keys)
		signal(SIGPIPE, SIG_DFL); /* `| head` ends us, quietly */
	a.play.name = a.what;
	return play(path, &a.play);
}
