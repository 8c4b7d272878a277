/* SPDX-License-Identifier: BSD-2-Clause */
/* skep inspect: captures through the rule engine, events out. */
#include "inspect/inspect.h"
#include "capture/capture.h"
#include "cmd/cmd.h"
#include "cmd/rules/ruleset.h"
#include "inspect/eve.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_NS (NS_PER_SEC / 4)
#define LOOK_EVERY 4096u /* frames between looks at the clock */
#define PROBLEMS_SHOWN 20
#define MEMORY_LEAST (UINT64_C(8) << 20)
#define MEMORY_MOST (UINT64_C(1) << 40)
#define TOP_RULES 10u
#define TOP_PROFILE 40u

enum {
	OPT_INLINE = 256,
	OPT_MIDSTREAM,
	OPT_CHECKSUMS,
	OPT_PROFILE,
	OPT_NO_CACHE,
	OPT_PAYLOAD,
	OPT_HASHES,
	OPT_ANOMALIES,
	OPT_ALERTS_ONLY,
	OPT_JSON,
	OPT_MEMORY
};

static const char help[] =
	"usage: skep inspect -r CAPTURE ... [-S RULES ...] [OPTION ...]\n"
	"Reads captures as the guest would have seen them, and writes what it finds to eve.json.\n"
	"Needs no rights and no running honeynet.\n\n"
	"  -r, --read FILE ...    pcap or pcapng, in this order; a folder: all in it; \"-\": "
	"standard input\n"
	"  -S, --rules FILE ...   rules of Suricata or Snort; a folder: all *.rules and *.config "
	"in "
	"it;\n"
	"                         FILE.config: classification, reference or threshold lines\n"
	"  -c, --config FILE      variables: lines HOME_NET=[10.0.0.0/8], or YAML with vars: as "
	"in\n"
	"                         suricata.yaml. Without: addresses any, ports the usual ones\n"
	"  -o, --output DIR       where eve.json goes (default: here); an older one is replaced\n"
	"      --inline           judge as a wall would: drop and reject stop what follows\n"
	"      --midstream        follow TCP whose beginning is missing\n"
	"      --checksums        leave out packets whose checksums are wrong\n"
	"      --payload          alerts carry the packet's payload\n"
	"      --hashes           SHA-256 of files\n"
	"      --anomalies        events for malformed packets and streams as well\n"
	"      --alerts-only      no events but alerts\n"
	"      --memory SIZE      for all conversations together, such as 64M or 2G (default "
	"512M)\n"
	"      --profile          print what each rule cost\n"
	"      --no-cache         compile the rules anew\n"
	"      --json             print the summary as JSON\n\n"
	"Exit code 0: all was read; 1: something in captures or rules was bad (the rest is done);\n"
	"2: bad usage.\n"
	"Example: skep inspect -r dump.pcap -S /var/lib/suricata/rules/suricata.rules -o out\n";

struct job {
	struct ruleset_paths captures, rules;
	const char *conf, *dir;
	bool inline_mode, midstream, checksums, profile, no_cache, payload, hashes, anomalies,
		alerts_only, json;

	struct ruleset loaded;
	struct ruleset_vars vars;
	struct inspect *inspect;
	struct eve *eve;
	uint64_t *hits; /* alerts by rule */
	size_t memory;  /* 0: the default */
	char path[PATH_MAX];
	int fd, signals;
	bool progress, stopped;
	uint64_t bad_captures, read_captures, frames, bytes_all, bytes_done;
	int64_t started_ns, shown_ns, load_ns, first_ns, last_ns;
};

/* ---- rules and output --------------------------------------------------------------------------- */

static void show(struct job *j, const char *text)
{
	if (j->progress)
		fprintf(stderr, "\rskep inspect: %s\033[K", text);
}

static void unshow(struct job *j)
{
	if (j->progress && j->shown_ns != 0)
		fprintf(stderr, "\r\033[K");
	j->shown_ns = 0;
}

static int load_rules(struct job *j)
{
	char cache[PATH_MAX];
	int code = ruleset_vars_read("inspect", j->conf, &j->vars);
	if (code != 0 || j->rules.n == 0)
		return code;
	int64_t begin = clock_boot_ns();
	show(j, "reading the rules");
	j->shown_ns = begin;
	bool cached = !j->no_cache && ruleset_cache_dir(cache, sizeof(cache));
	j->loaded.most = PROBLEMS_SHOWN;
	code = ruleset_load(&j->loaded, "inspect", &j->rules, &j->vars, cached ? cache : NULL);
	unshow(j);
	if (code != 0)
		return code;
	j->load_ns = clock_boot_ns() - begin;
	uint32_t n = rule_set_count(j->loaded.set);
	j->hits = calloc((size_t)n + 1, sizeof(*j->hits));
	return j->hits != NULL ? 0 : cmd_fail(1, "inspect: out of memory");
}

static int open_output(struct job *j)
{
	const char *dir = j->dir != NULL ? j->dir : ".";
	if (mkdir(dir, 0750) < 0 && errno != EEXIST)
		return cmd_fail(1, "inspect: %s: %s", dir, strerror(errno));
	if (snprintf(j->path, sizeof(j->path), "%s%seve.json", j->dir != NULL ? dir : "",
		     j->dir != NULL ? "/" : "") >= (int)sizeof(j->path))
		return cmd_fail(1, "inspect: %s: name too long", dir);
	/* What intruders said is not for every user of the machine. */
	j->fd = open(j->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0640);
	if (j->fd < 0)
		return cmd_fail(1, "inspect: %s: %s", j->path, strerror(errno));
	struct eve_conf conf = {.fd = j->fd,
				.rules = j->loaded.set,
				.hits = j->hits,
				.payload = j->payload,
				.anomalies = j->anomalies,
				.alerts_only = j->alerts_only,
				.inline_mode = j->inline_mode};
	int err = eve_create(&conf, &j->eve);
	return err != 0 ? cmd_fail(1, "inspect: %s", err_text(err)) : 0;
}

static int make_inspect(struct job *j)
{
	struct inspect_conf conf = {
		.dissect = {.checksums = j->checksums, .inline_mode = j->inline_mode},
		.stream = {.midstream = j->midstream,
			   .inline_mode = j->inline_mode,
			   .checksums = j->checksums,
			   .policy = POLICY_BSD},
		.app = {.hash_files = j->hashes},
		.engine = {.inline_mode = j->inline_mode,
			   .profile = j->profile,
			   .midstream = j->midstream},
		.rules = j->loaded.set,
		.memory_bytes = j->memory,
		.sink = eve_sink(j->eve),
	};
	int err = inspect_create(&conf, &j->inspect);
	return err != 0 ? cmd_fail(1, "inspect: %s", err_text(err)) : 0;
}

/* ---- captures ----------------------------------------------------------------------------------- */

/* From here on an interrupt ends the reading, and what was found is still written. */
static void watch_signals(struct job *j)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	j->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void look_up(struct job *j, const struct capture_reader *r)
{
	struct signalfd_siginfo info;
	struct inspect_stats s;
	if (j->signals >= 0 && read(j->signals, &info, sizeof(info)) == sizeof(info))
		j->stopped = true;
	if (eve_error(j->eve) != 0)
		j->stopped = true;
	int64_t now = j->progress ? clock_boot_ns() : 0;
	if (now == 0 || now - j->started_ns < NS_PER_SEC || now - j->shown_ns < PROGRESS_NS)
		return;
	j->shown_ns = now;
	inspect_read_stats(j->inspect, &s);
	uint64_t done = j->bytes_done + capture_bytes_read(r);
	double seconds = (double)(now - j->started_ns) / 1e9;
	fprintf(stderr, "\rskep inspect: ");
	if (j->bytes_all > done)
		fprintf(stderr, "%2.0f %%, ", 100.0 * (double)done / (double)j->bytes_all);
	fprintf(stderr, "%llu packets (%.0f thousand a second), %llu alerts\033[K",
		(unsigned long long)s.frames, (double)s.frames / seconds / 1000,
		(unsigned long long)s.alerts);
}

/* What an unreadable first few bytes may mean, in words that help. */
static const char *why_no_capture(const char *path, int err)
{
	uint8_t magic[4] = {0};
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (err == SKEP_ETRUNC && fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0)
		return "is empty";
	if (fd < 0 || read(fd, magic, sizeof(magic)) < 4)
		return err == SKEP_ETRUNC ? "ends within its first header" : NULL;
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return "is compressed: `zcat FILE | skep inspect -r - ...`";
	if (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd)
		return "is compressed: `zstdcat FILE | skep inspect -r - ...`";
	if (err == SKEP_ETRUNC)
		return "ends within its first header";
	return err == SKEP_EFORMAT ? "is no capture (neither pcap nor pcapng)" : NULL;
}

static void read_frames(struct job *j, struct capture_reader *r, const char *path)
{
	struct capture_frame f;
	uint64_t n = 0;
	int err;
	while ((err = capture_next_any(r, &f)) == 0) {
		if (j->first_ns == 0)
			j->first_ns = f.stamp_ns;
		if (f.stamp_ns > j->last_ns)
			j->last_ns = f.stamp_ns;
		inspect_frame(j->inspect, f.link, f.data, f.len, f.wire_len, f.stamp_ns);
		n++;
		if (++j->frames % LOOK_EVERY != 0)
			continue;
		look_up(j, r);
		if (j->stopped)
			return;
	}
	if (err == SKEP_ENOTFOUND)
		return;
	unshow(j);
	j->bad_captures++;
	if (err == SKEP_ETRUNC)
		cmd_fail(1, "inspect: %s ends within packet %llu; those before it were inspected",
			 path, (unsigned long long)n + 1);
	else if (err == SKEP_EFORMAT)
		cmd_fail(1,
			 "inspect: %s is damaged at byte %llu, after packet %llu; what comes after "
			 "is "
			 "left out",
			 path, (unsigned long long)capture_bytes_read(r), (unsigned long long)n);
	else
		cmd_fail(1, "inspect: %s: %s", path, err_text(err));
}

static void read_capture(struct job *j, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	struct capture_reader *r = NULL;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err = fd < 0 ? -errno : capture_open_any(fd, &r);
	const char *name = standard ? "standard input" : path;
	if (err != 0) {
		const char *why = standard ? NULL : why_no_capture(path, err);
		if (standard && err == SKEP_ETRUNC)
			why = "is empty";
		else if (standard && err == SKEP_EFORMAT)
			why = "is no capture (neither pcap nor pcapng)";
		unshow(j);
		if (why != NULL)
			cmd_fail(1, "inspect: %s %s", name, why);
		else
			cmd_fail(1, "inspect: %s: %s", name, err_text(err));
		j->bad_captures++;
	} else {
		j->read_captures++;
		read_frames(j, r, name);
		j->bytes_done += capture_bytes_read(r);
	}
	capture_reader_free(&r);
	if (!standard)
		fd_close(&fd);
}

/* ---- the end ------------------------------------------------------------------------------------ */

struct ranked {
	uint32_t rule;
	uint64_t value;
};

static int by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return x->rule < y->rule ? -1 : 1;
}

/* Rules with a value, most first; the caller frees. */
static struct ranked *rank(const struct job *j, bool profile, uint32_t *ret_n)
{
	uint32_t n = j->loaded.set != NULL ? rule_set_count(j->loaded.set) : 0, found = 0;
	struct ranked *r = calloc((size_t)n + 1, sizeof(*r));
	for (uint32_t i = 0; r != NULL && i < n; i++) {
		struct rule_profile p = {.ns = 0};
		if (profile)
			rule_engine_profile(inspect_engine(j->inspect), i, &p);
		uint64_t value = profile ? (uint64_t)p.ns : j->hits[i];
		if (value > 0)
			r[found++] = (struct ranked){i, value};
	}
	if (found > 1)
		qsort(r, found, sizeof(*r), by_value);
	*ret_n = found;
	return r;
}

static void print_msg(const struct rule_info *info)
{
	char text[256];
	struct writer w = writer_of(text, sizeof(text));
	if (info->msg != NULL)
		write_escaped(&w, info->msg, strlen(info->msg));
	printf("  %s\n", text);
}

static void print_profile(const struct job *j)
{
	uint32_t n;
	struct ranked *r = rank(j, true, &n);
	printf("\n%10s %12s %10s %10s %8s  rule\n", "sid", "us", "checks", "matches", "given up");
	for (uint32_t i = 0; r != NULL && i < n && i < TOP_PROFILE; i++) {
		struct rule_info info;
		struct rule_profile p;
		rule_set_info(j->loaded.set, r[i].rule, &info);
		rule_engine_profile(inspect_engine(j->inspect), r[i].rule, &p);
		printf("%10u %12lld %10llu %10llu %8llu", info.sid, (long long)p.ns / 1000,
		       (unsigned long long)p.checks, (unsigned long long)p.matches,
		       (unsigned long long)p.budget_exceeded);
		print_msg(&info);
	}
	if (n > TOP_PROFILE)
		printf("... and %u more\n", n - TOP_PROFILE);
	free(r);
}

static json_t *summary_json(const struct job *j, const struct inspect_stats *s,
			    const struct eve_counts *c, int64_t ns)
{
	struct rule_set_stats rs = {.rules = 0};
	if (j->loaded.set != NULL)
		rule_set_read_stats(j->loaded.set, &rs);
	return json_pack(
		"{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:I,s:s,s:b}", "captures",
		(json_int_t)j->read_captures, "bad_captures", (json_int_t)j->bad_captures,
		"packets", (json_int_t)s->frames, "bytes", (json_int_t)s->bytes, "flows",
		(json_int_t)s->stream.flows, "alerts", (json_int_t)c->alerts, "events",
		(json_int_t)c->events, "events_lost", (json_int_t)c->lost, "rules",
		(json_int_t)rs.rules, "rules_failed", (json_int_t)j->loaded.errors, "given_up",
		(json_int_t)s->engine.budget_exceeded, "memory_peak", (json_int_t)s->memory.peak,
		"seconds", (double)ns / 1e9, "load_seconds", (double)j->load_ns / 1e9, "dropped",
		(json_int_t)s->dropped, "output", j->path, "stopped", (int)j->stopped);
}

static void print_summary(const struct job *j, const struct inspect_stats *s,
			  const struct eve_counts *c, int64_t ns)
{
	char size[32], time[32], load[32];
	struct writer w = writer_of(size, sizeof(size));
	text_bytes(&w, s->bytes);
	snprintf(time, sizeof(time), "%.2f s", (double)ns / 1e9);
	snprintf(load, sizeof(load), "%.2f s", (double)j->load_ns / 1e9);
	uint32_t n = 0;
	struct ranked *r = rank(j, false, &n);
	printf("%llu packets (%s) of %llu capture%s in %s, %llu conversations\n",
	       (unsigned long long)s->frames, size, (unsigned long long)j->read_captures,
	       j->read_captures == 1 ? "" : "s", time, (unsigned long long)s->stream.flows);
	if (j->loaded.set != NULL)
		printf("%llu alerts of %u rules (%u loaded in %s, %llu refused)\n",
		       (unsigned long long)c->alerts, n, rule_set_count(j->loaded.set), load,
		       (unsigned long long)j->loaded.errors);
	for (uint32_t i = 0; r != NULL && i < n && i < TOP_RULES; i++) {
		struct rule_info info;
		rule_set_info(j->loaded.set, r[i].rule, &info);
		printf("%10llu x %u", (unsigned long long)r[i].value, info.sid);
		print_msg(&info);
	}
	if (n > TOP_RULES)
		printf("           ... and %u more rules\n", n - TOP_RULES);
	free(r);
	printf("%llu events in %s\n", (unsigned long long)c->events, j->path);
	if (s->dropped > 0)
		printf("%llu packets stopped with their conversation\n",
		       (unsigned long long)s->dropped);
	if (s->engine.budget_exceeded + s->engine.pcre_limit > 0)
		printf("%llu checks were given up as too costly; --profile shows whose\n",
		       (unsigned long long)(s->engine.budget_exceeded + s->engine.pcre_limit));
	if (c->lost + s->engine.alerts_lost > 0)
		printf("%llu events did not fit and are missing\n",
		       (unsigned long long)(c->lost + s->engine.alerts_lost));
}

static int finish(struct job *j)
{
	struct inspect_stats s;
	struct eve_counts c;
	bool stopped = j->stopped && eve_error(j->eve) == 0;
	inspect_finish(j->inspect);
	int64_t ns = clock_boot_ns() - j->started_ns;
	inspect_read_stats(j->inspect, &s);
	int64_t span = j->last_ns > j->first_ns ? j->last_ns - j->first_ns : 0;
	if (!j->alerts_only)
		eve_write_stats(j->eve, &s, j->last_ns, (uint64_t)(span / NS_PER_SEC));
	eve_read_counts(j->eve, &c);
	unshow(j);
	int err = eve_close(&j->eve);
	if (close(fd_take(&j->fd)) < 0 && err == 0)
		err = -errno;
	if (err != 0)
		return cmd_fail(1, "inspect: writing %s: %s; the events are not complete", j->path,
				err_text(err));
	if (j->json) {
		json_t *o = summary_json(j, &s, &c, ns);
		json_dumpf(o, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(o);
	} else {
		print_summary(j, &s, &c, ns);
	}
	if (j->profile && j->loaded.set != NULL && !j->json)
		print_profile(j);
	if (stopped)
		return cmd_fail(1, "inspect: interrupted; what was read until then is in %s",
				j->path);
	return j->bad_captures + j->loaded.errors + j->loaded.unreadable > 0 ? 1 : 0;
}

/* ---- usage -------------------------------------------------------------------------------------- */

static const struct option options[] = {
	{"read", required_argument, NULL, 'r'},
	{"rules", required_argument, NULL, 'S'},
	{"config", required_argument, NULL, 'c'},
	{"output", required_argument, NULL, 'o'},
	{"inline", no_argument, NULL, OPT_INLINE},
	{"midstream", no_argument, NULL, OPT_MIDSTREAM},
	{"checksums", no_argument, NULL, OPT_CHECKSUMS},
	{"profile", no_argument, NULL, OPT_PROFILE},
	{"no-cache", no_argument, NULL, OPT_NO_CACHE},
	{"payload", no_argument, NULL, OPT_PAYLOAD},
	{"hashes", no_argument, NULL, OPT_HASHES},
	{"anomalies", no_argument, NULL, OPT_ANOMALIES},
	{"alerts-only", no_argument, NULL, OPT_ALERTS_ONLY},
	{"json", no_argument, NULL, OPT_JSON},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool *flag_of(struct job *j, int option)
{
	switch (option) {
	case OPT_INLINE:
		return &j->inline_mode;
	case OPT_MIDSTREAM:
		return &j->midstream;
	case OPT_CHECKSUMS:
		return &j->checksums;
	case OPT_PROFILE:
		return &j->profile;
	case OPT_NO_CACHE:
		return &j->no_cache;
	case OPT_PAYLOAD:
		return &j->payload;
	case OPT_HASHES:
		return &j->hashes;
	case OPT_ANOMALIES:
		return &j->anomalies;
	case OPT_ALERTS_ONLY:
		return &j->alerts_only;
	default: /* OPT_JSON */
		return &j->json;
	}
}

/* A capture that is not there is told now, not after the rules were read; the others are still done. */
static int add_capture(struct job *j, const char *path)
{
	static const char *const endings[] = {".pcap", ".pcapng", ".cap", ".pcap-ng", NULL};
	if (strcmp(path, "-") == 0)
		return ruleset_add_file(&j->captures, path);
	int err = ruleset_add(&j->captures, path, endings);
	if (err == -ENOMEM)
		return err;
	if (err == SKEP_ENOTFOUND)
		cmd_fail(1, "inspect: %s: no *.pcap, *.pcapng or *.cap in this folder", path);
	else if (err != 0)
		cmd_fail(1, "inspect: %s: %s", path, err_text(err));
	j->bad_captures += err != 0;
	return 0;
}

static int add_rules(struct job *j, const char *path)
{
	static const char *const endings[] = {".rules", ".config", NULL};
	int err = ruleset_add(&j->rules, path, endings);
	if (err == -ENOMEM)
		return err;
	if (err == SKEP_ENOTFOUND)
		cmd_fail(1, "inspect: %s: no *.rules in this folder", path);
	else if (err != 0)
		cmd_fail(1, "inspect: %s: %s", path, err_text(err));
	j->loaded.unreadable += err != 0;
	return 0;
}

/* "64M"; false: no size, or one that no machine has or nothing can be done with. */
static bool parse_size(const char *text, size_t *ret)
{
	uint64_t n = 0, unit = 1;
	const char *p = text;
	for (; *p >= '0' && *p <= '9' && n < MEMORY_MOST; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (*p == 'K' || *p == 'k')
		unit = 1024;
	else if (*p == 'M' || *p == 'm')
		unit = 1024 * 1024;
	else if (*p == 'G' || *p == 'g')
		unit = 1024 * 1024 * 1024;
	p += unit > 1;
	if (p == text || *p != '\0' || n > MEMORY_MOST / unit || n * unit < MEMORY_LEAST)
		return false;
	*ret = (size_t)(n * unit);
	return true;
}

/* -1: go on; else the exit code. Words without an option belong to the -r or -S before them. */
static int parse(struct job *j, int argc, char **argv)
{
	int option, list = 0, err = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "-r:S:c:o:h", options, NULL)) != -1 && err == 0) {
		switch (option) {
		case 'h':
			fputs(help, stdout);
			return 0;
		case '?':
			return cmd_fail(2, "inspect: `skep inspect --help` lists the options");
		case 'c':
			j->conf = optarg;
			break;
		case 'o':
			j->dir = optarg;
			break;
		case OPT_MEMORY:
			if (!parse_size(optarg, &j->memory))
				return cmd_fail(
					2, "inspect: --memory: '%s' is no size from 8M to 1024G",
					optarg);
			break;
		case 'r':
		case 'S':
		case 1:
			list = option == 1 ? list : option;
			if (list == 0)
				return cmd_fail(
					2,
					"inspect: what is '%s'? Captures come after -r, rules "
					"after -S",
					optarg);
			err = list == 'r' ? add_capture(j, optarg) : add_rules(j, optarg);
			break;
		default:
			*flag_of(j, option) = true;
		}
	}
	if (err != 0)
		return cmd_fail(1, "inspect: %s", err_text(err));
	if (j->captures.n == 0 && j->bad_captures == 0)
		return cmd_fail(2,
				"inspect: name a capture with -r; `skep inspect --help` says more");
	if (j->dir != NULL && j->dir[0] == '\0')
		return cmd_fail(2, "inspect: -o wants the name of a folder");
	return j->captures.n > 0 ? -1 : 1;
}

static int run(struct job *j)
{
	struct stat st;
	j->progress = isatty(STDERR_FILENO);
	j->started_ns = clock_boot_ns();
	int code = load_rules(j);
	if (code != 0)
		return code;
	bool files = true;
	for (size_t i = 0; i < j->captures.n; i++) {
		bool file = stat(j->captures.path[i], &st) == 0 && S_ISREG(st.st_mode);
		j->bytes_all += file ? (uint64_t)st.st_size : 0;
		files = files && file;
	}
	/* On a pipe we might wait for ever and never look: there an interrupt just ends us. */
	if (files)
		watch_signals(j);
	code = open_output(j);
	if (code == 0)
		code = make_inspect(j);
	if (code != 0)
		return code;
	j->started_ns = clock_boot_ns();
	for (size_t i = 0; i < j->captures.n && !j->stopped; i++)
		read_capture(j, j->captures.path[i]);
	return finish(j);
}

int cmd_inspect(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	if (j == NULL)
		return cmd_fail(1, "inspect: out of memory");
	j->fd = j->signals = -1;
	int code = parse(j, argc, argv);
	if (code < 0)
		code = run(j);
	inspect_free(&j->inspect);
	if (j->eve != NULL && eve_close(&j->eve) != 0)
		code = 1;
	ruleset_free(&j->loaded);
	ruleset_vars_free(&j->vars);
	ruleset_paths_free(&j->captures);
	ruleset_paths_free(&j->rules);
	fd_close(&j->fd);
	fd_close(&j->signals);
	free(j->hits);
	free(j);
	return code;
}
