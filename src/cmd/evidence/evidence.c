/* SPDX-License-Identifier: BSD-2-Clause */
/* skep evidence: were the event files changed since they were written? */
#include "cmd/cmd.h"
#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_SEALS = 256, OPT_STATE, OPT_SENSOR, OPT_JSON };
#define FILES 16

struct view {
	const char *conf, *state, *sensor;
	const char *seals[FILES];
	uint32_t n_seals;
	bool json;
	char dir[CONF_PATH + 16];
	uint64_t kept, others; /* seals kept elsewhere: of this sensor, of others */
	uint64_t lines;
	uint64_t unsealed; /* bytes */
	char line[SEAL_LINE_MAX + 2];
};

static const char help[] =
	"usage: skep evidence verify [OPTION ...]\n"
	"Holds the event files against their seals: digests that were made while they were\n"
	"written. Names each file, and the bytes of it, that is not as it was sealed. Only seals\n"
	"that were kept on another machine (see skep-watch) prove it against who was root here.\n"
	"Exit code 0: all agree, 1: they don't, 2: it can't be told.\n\n"
	"      --seals FILE       what the second machine kept: lines of its log, or of the file "
	"of\n"
	"                         seals that skep-watch writes; may be given several times\n"
	"      --sensor NAME      only seals of this sensor count; the configuration's unless "
	"given\n"
	"      --state DIR        state folder with the files, or a copy of it\n"
	"      --json             one JSON object a line: what was found, and a summary\n"
	"  -c, --config FILE      which honeynet\n";

/* ---- seals from elsewhere ------------------------------------------------------------------------ */

static int take_line(struct view *v, struct seal_check *c, const char *line, size_t len)
{
	struct seal_known k[SEAL_LINE_SEALS];
	int err = 0;
	size_t n = seal_parse(line, len, k);
	v->lines++;
	for (size_t i = 0; i < n && err == 0; i++) {
		if (v->sensor != NULL && k[i].sensor[0] != '\0' &&
		    strcmp(k[i].sensor, v->sensor) != 0) {
			v->others++;
			continue;
		}
		k[i].outside = true;
		v->kept++;
		err = seal_check_add(c, &k[i]);
	}
	return err;
}

static int read_seals(struct view *v, struct seal_check *c, const char *path)
{
	FILE *f = fopen(path, "re");
	bool inside = false; /* of a line that is longer than any of ours */
	int err = f == NULL ? -errno : 0;
	while (err == 0 && fgets(v->line, sizeof(v->line), f) != NULL) {
		size_t n = strlen(v->line);
		bool ends = n > 0 && v->line[n - 1] == '\n';
		if (!inside)
			err = take_line(v, c, v->line, n);
		inside = !ends;
	}
	if (err == 0 && ferror(f))
		err = -EIO;
	if (f != NULL)
		fclose(f);
	return err;
}

static int read_all(struct view *v, struct seal_check *c)
{
	for (uint32_t i = 0; i < v->n_seals; i++) {
		int err = read_seals(v, c, v->seals[i]);
		if (err != 0)
			return cmd_fail(2, "evidence verify: %s: %s", v->seals[i], err_text(err));
	}
	if (v->n_seals > 0 && v->kept == 0 && v->others > 0)
		return cmd_fail(2,
				"evidence verify: all %llu seals in there are of other sensors "
				"than '%s' (--sensor)",
				(unsigned long long)v->others, v->sensor);
	if (v->n_seals > 0 && v->kept == 0)
		return cmd_fail(2, "evidence verify: none of the %llu lines in there has a seal",
				(unsigned long long)v->lines);
	return 0;
}

/* ---- telling ----------------------------------------------------------------------------------------- */

/* "2026-11-28 12:03:04"; the day is what people look for first. */
static const char *when(const struct seal_known *k, char buf[EVENT_TIME])
{
	if (k == NULL || strlen(k->time) < 19)
		return "a time that is not known";
	snprintf(buf, EVENT_TIME, "%.10s %.8s", k->time, k->time + 11);
	return buf;
}

static const char *what_text(enum seal_finding f)
{
	static const char *const texts[] = {"altered", "truncated", "missing", "swapped",
					    "chain",   "dropped",   "unsealed"};
	return f < ARRAY_LEN(texts) ? texts[f] : "?";
}

static void tell_json(const struct seal_report *r)
{
	json_t *o = json_pack("{s:s, s:s, s:I, s:I}", "finding", what_text(r->what), "file",
			      r->file, "from", (json_int_t)r->from, "to", (json_int_t)r->to);
	if (r->other != NULL)
		json_object_set_new(o, "sealed_as", json_string(r->other));
	if (r->seal != NULL) {
		json_object_set_new(o, "seal", json_integer((json_int_t)r->seal->seal.n));
		json_object_set_new(o, "sealed", json_string(r->seal->time));
		json_object_set_new(o, "kept_elsewhere", json_boolean(r->seal->outside));
	}
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void tell(void *ctx, const struct seal_report *r)
{
	struct view *v = ctx;
	char time[EVENT_TIME];
	unsigned long long from = r->from, to = r->to;
	const char *whose = r->seal != NULL && r->seal->outside ? "" : " (by the files' own seal)";
	if (r->what == SEAL_UNSEALED)
		v->unsealed += r->to - r->from;
	if (v->json) {
		tell_json(r);
		return;
	}
	switch (r->what) {
	case SEAL_ALTERED:
		printf("%s: bytes %llu..%llu are not what was sealed at %s%s\n", r->file, from, to,
		       when(r->seal, time), whose);
		break;
	case SEAL_TRUNCATED:
		printf("%s: has only %llu bytes: %llu were sealed at %s%s\n", r->file, from, to,
		       when(r->seal, time), whose);
		break;
	case SEAL_MISSING:
		printf("%s: is missing: %llu bytes of it were sealed at %s%s\n", r->file, to,
		       when(r->seal, time), whose);
		break;
	case SEAL_SWAPPED:
		printf("%s: holds what was sealed as %s%s\n", r->file, r->other, whose);
		break;
	case SEAL_CHAIN:
		if (strcmp(r->file, r->seal->seal.file) == 0)
			printf("%s: the file of the day before, which its seals name, is "
			       "missing%s\n",
			       r->file, whose);
		else
			printf("%s: is not the whole file that the seals of %s name as the day "
			       "before%s\n",
			       r->file, r->seal->seal.file, whose);
		break;
	case SEAL_DROPPED:
		printf("%s: is not kept any more (old days are removed within the time and disk "
		       "budget)\n",
		       r->file);
		break;
	case SEAL_UNSEALED:
		break; /* in the summary */
	}
}

static int sum_up(const struct view *v, const struct seal_summary *s)
{
	char bytes[32], unsealed[32];
	struct writer w = writer_of(bytes, sizeof(bytes)),
		      u = writer_of(unsealed, sizeof(unsealed));
	bool nothing = s->own + s->outside == 0 && s->faults == 0;
	text_bytes(&w, s->bytes);
	text_bytes(&u, v->unsealed);
	if (v->json) {
		json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "finding", "summary",
				      "files", (json_int_t)s->files, "bytes", (json_int_t)s->bytes,
				      "own_seals", (json_int_t)s->own, "kept_seals",
				      (json_int_t)s->outside, "faults", (json_int_t)s->faults,
				      "unsealed_bytes", (json_int_t)v->unsealed);
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else if (!nothing) {
		printf("%llu files, %s, %llu seals of their own and %llu kept elsewhere: %s\n",
		       (unsigned long long)s->files, bytes, (unsigned long long)s->own,
		       (unsigned long long)s->outside,
		       s->faults > 0 ? "ALTERED" : "nothing was changed");
		if (v->unsealed > 0)
			printf("The last %s are not sealed yet.\n", unsealed);
		if (s->outside == 0)
			printf("Who was root here can have changed the files and their own seals: "
			       "--seals FILE "
			       "takes those that a second machine kept.\n");
	}
	if (nothing)
		return cmd_fail(2, "evidence verify: there are no seals yet in %s", v->dir);
	return s->faults > 0;
}

/* ---- options ------------------------------------------------------------------------------------------- */

static int verify(struct view *v)
{
	struct seal_check *c = NULL;
	struct seal_summary s;
	CLEANUP(fd_close) int dirfd = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 && errno == EACCES)
		return cmd_fail(2, "%s may be read by root only: run `sudo skep evidence verify`",
				v->dir);
	if (dirfd < 0 && errno == ENOENT)
		return cmd_fail(2, "there are no events in %s: `sudo skep up` starts the honeynet",
				v->dir);
	int err = dirfd < 0 ? -errno : seal_check_create(&c);
	int rc = err == 0 ? read_all(v, c) : 0;
	if (err == 0 && rc == 0)
		err = seal_check_own(c, dirfd);
	if (err == 0 && rc == 0)
		err = seal_check_run(c, dirfd, tell, v, &s);
	if (err == -EACCES)
		rc = cmd_fail(
			2,
			"the files in %s may be read by root only: run `sudo skep evidence verify`",
			v->dir);
	else if (err != 0)
		rc = cmd_fail(2, "evidence verify: %s: %s", v->dir, err_text(err));
	else if (rc == 0)
		rc = sum_up(v, &s);
	seal_check_free(&c);
	return rc;
}

static const struct option options[] = {
	{"seals", required_argument, NULL, OPT_SEALS},
	{"sensor", required_argument, NULL, OPT_SENSOR},
	{"state", required_argument, NULL, OPT_STATE},
	{"json", no_argument, NULL, OPT_JSON},
	{"config", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 0: go on; 1: done; 2: bad usage. */
static int parse(int argc, char **argv, struct view *v)
{
	int o;
	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (o) {
		case 'h':
			fputs(help, stdout);
			return 1;
		case 'c':
			v->conf = optarg;
			break;
		case OPT_JSON:
			v->json = true;
			break;
		case OPT_STATE:
			v->state = optarg;
			break;
		case OPT_SENSOR:
			v->sensor = optarg;
			break;
		case OPT_SEALS:
			if (v->n_seals == FILES)
				return cmd_fail(2, "evidence verify: at most %d files of seals",
						FILES);
			v->seals[v->n_seals++] = optarg;
			break;
		default:
			fprintf(stderr, "`skep evidence --help` lists the options\n");
			return 2;
		}
	}
	if (argc - optind != 1 || strcmp(argv[optind], "verify") != 0)
		return cmd_fail(2, "evidence: what? `skep evidence verify`, with the options that "
				   "`skep evidence --help` lists");
	return 0;
}

int cmd_evidence(int argc, char **argv)
{
	struct view *v = calloc(1, sizeof(*v));
	struct conf *c = calloc(1, sizeof(*c));
	int rc = v == NULL || c == NULL ? cmd_fail(2, "evidence: no memory") : parse(argc, argv, v);
	bool done = rc == 1;
	/* A copy of the files may lie on a machine without any configuration, of whatever sensor. */
	if (rc == 0 && (v->state == NULL || v->conf != NULL)) {
		rc = cmd_conf(v->conf, c);
		v->sensor = v->sensor == NULL ? c->sensor : v->sensor;
	}
	if (rc == 0) {
		snprintf(v->dir, sizeof(v->dir), "%s/events",
			 v->state != NULL ? v->state : c->state_dir);
		rc = verify(v);
	}
	free(c);
	free(v);
	return done ? 0 : rc;
}
