/* SPDX-License-Identifier: BSD-2-Clause */
/* skep pcap: extract packets from the captures into one pcapng file. */
#include "capture/capture.h"
#include "cmd/cmd.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define TUPLES 48
#define SLACK_NS (2 * NS_PER_SEC) /* around the times of events */
#define PROGRESS_NS NS_PER_SEC
#define BLOCK_ROOM (20u << 20) /* the longest packet a reader returns, and its options */

enum { OPT_FLOW = 256, OPT_ALERT, OPT_COMMUNITY, OPT_SINCE, OPT_UNTIL, OPT_COUNT };

static const char help[] =
	"usage: skep pcap [OPTION ...] [CAPTURE ...]\n"
	"Extracts packets from the honeynet's captures (or the files named) in order of time, as\n"
	"pcapng. Works while the honeynet runs. Packets pass that fit every option given.\n\n"
	"  -o, --output FILE      where to; \"-\" or none: standard output\n"
	"      --flow ID          one conversation (flow_id of its events), seen outside and "
	"inside\n"
	"      --alert ID         the conversation that an alert speaks of (ID as in `skep events "
	"-k "
	"alert`)\n"
	"      --community-id X   likewise, by Community ID\n"
	"  -g, --guest NAME       at the guest's port, or outside from and to its addresses\n"
	"  -a, --addr ADDRESS     either end, ARP and quotes in ICMP errors included\n"
	"  -p, --port N           either end\n"
	"  -P, --proto P          tcp, udp, icmp (both versions) or a number\n"
	"  -i, --interface NAME   one port: outside, sink, or a guest's name\n"
	"      --since T          2026-11-23T20:01:02, 2026-11-23, or 10m, 2h, 3d ago\n"
	"      --until T          likewise\n"
	"      --count            print the number of packets that fit, write nothing\n"
	"  -c, --config FILE      which honeynet\n\n"
	"Exit code 0: packets were found; 1: none, or a capture is damaged.\n"
	"Example: skep pcap --flow 7306840931328001 -o - | tshark -r -\n";

struct input {
	char *path;
	int fd;
	struct capture_reader *reader;
	struct capture_packet packet; /* the next one; valid while `open` */
	const char *interface;
	int64_t first_ns;
	dev_t dev;
	ino_t ino;
	bool open;
};

struct job {
	struct capture_filter filter;
	struct conf conf;
	const char *conf_path, *output, *guest;
	uint64_t flow_id, alert_id;
	bool count;
	struct input *inputs; /* by first_ns */
	size_t n_inputs, cap_inputs;

	FILE *out;
	struct capture_interface *interfaces; /* written so far */
	uint32_t n_interfaces, cap_interfaces;
	uint8_t *block;
	uint64_t seen, found, written_bytes;
	uint32_t damaged, read_files;
	int64_t started_ns, shown_ns;
	bool progress;
};

/* ---- inputs ----------------------------------------------------------------------------- */

static void input_close(struct input *in)
{
	capture_reader_free(&in->reader);
	fd_close(&in->fd);
	in->open = false;
}

/* Takes the next packet; closes the input at its end. */
static void input_advance(struct job *j, struct input *in)
{
	int err = capture_next(in->reader, &in->packet, &in->interface);
	if (err == 0) {
		j->seen++;
		return;
	}
	size_t len = strlen(in->path);
	bool part = len > 5 && strcmp(in->path + len - 5, ".part") == 0;
	if (err != SKEP_ENOTFOUND && !(part && err == SKEP_ETRUNC)) {
		cmd_fail(1, "pcap: %s: %s; what comes after is left out", in->path, err_text(err));
		j->damaged++;
	}
	input_close(in);
}

/* The recorder may finish a file between our look at the folder and the opening. */
static int open_path(char *path)
{
	size_t len = strlen(path);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0 || errno != ENOENT || len < 5 || strcmp(path + len - 5, ".part") != 0)
		return fd;
	path[len - 5] = '\0';
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

static int input_open(struct job *j, struct input *in)
{
	in->fd = open_path(in->path);
	if (in->fd < 0)
		return -errno;
	int err = capture_open(in->fd, &in->reader);
	if (err != 0) {
		fd_close(&in->fd);
		return err;
	}
	in->open = true;
	input_advance(j, in);
	return 0;
}

/* Looks at the first packet, to know when the file begins, and closes it again. */
static int input_peek(struct job *j, struct input *in)
{
	struct stat st;
	int err = input_open(j, in);
	if (err != 0 && err != SKEP_ETRUNC)
		return err;
	if (stat(in->path, &st) == 0) {
		in->dev = st.st_dev;
		in->ino = st.st_ino;
	}
	in->first_ns = in->open ? in->packet.stamp_ns : INT64_MAX;
	j->seen -= in->open;
	input_close(in);
	return 0;
}

static int add_input(struct job *j, const char *path)
{
	if (j->n_inputs == j->cap_inputs) {
		size_t cap = j->cap_inputs > 0 ? j->cap_inputs * 2 : 64;
		struct input *more = realloc(j->inputs, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		j->inputs = more;
		j->cap_inputs = cap;
	}
	char *copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	j->inputs[j->n_inputs++] = (struct input){.path = copy, .fd = -1};
	return 0;
}

/* Every capture that may hold packets of the wanted time. */
static int find_inputs(struct job *j)
{
	char dir[CONF_PATH + 16], path[CONF_PATH + 300];
	snprintf(dir, sizeof(dir), "%s/captures", j->conf.state_dir);
	DIR *d = opendir(dir);
	if (d == NULL && (errno == EACCES || errno == EPERM))
		return cmd_fail(1, "pcap: %s may only be read by root: run `sudo skep pcap ...`",
				dir);
	if (d == NULL)
		return cmd_fail(1,
				"pcap: there are no captures: %s: %s; start the honeynet with "
				"`skep up`, or name capture files",
				dir, strerror(errno));
	const struct dirent *e;
	int err = 0;
	while (err == 0 && (e = readdir(d)) != NULL) {
		struct stat st;
		bool part;
		if (!capture_file_name(e->d_name, &part))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		/* A file's last change is when its last packets were written. */
		if (stat(path, &st) == 0 && !part && j->filter.from_ns != 0 &&
		    ((int64_t)st.st_mtim.tv_sec + 1) * NS_PER_SEC < j->filter.from_ns)
			continue;
		err = add_input(j, path);
	}
	closedir(d);
	return err != 0 ? cmd_fail(1, "pcap: %s", err_text(err)) : 0;
}

static int by_time(const void *a, const void *b)
{
	const struct input *x = a, *y = b;
	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return strcmp(x->path, y->path);
}

static int prepare_inputs(struct job *j, int argc, char **argv)
{
	int err = 0;
	for (int i = 0; i < argc && err == 0; i++)
		err = add_input(j, argv[i]);
	if (err != 0)
		return cmd_fail(1, "pcap: %s", err_text(err));
	if (argc == 0 && (err = find_inputs(j)) != 0)
		return err;
	for (size_t i = 0; i < j->n_inputs; i++) {
		struct input *in = &j->inputs[i];
		err = input_peek(j, in);
		if (err == -ENOENT && argc == 0) {
			in->first_ns = INT64_MAX; /* made way for newer ones meanwhile */
		} else if (err == SKEP_EFORMAT) {
			return cmd_fail(1,
					"pcap: %s is not a pcapng file; convert it with "
					"`editcap -F pcapng`",
					in->path);
		} else if (err != 0) {
			return cmd_fail(1, "pcap: %s: %s", in->path, err_text(err));
		}
	}
	if (j->n_inputs > 0)
		qsort(j->inputs, j->n_inputs, sizeof(j->inputs[0]), by_time);
	while (j->n_inputs > 0 && j->inputs[j->n_inputs - 1].first_ns == INT64_MAX)
		free(j->inputs[--j->n_inputs].path);
	return 0;
}

/* ---- output ----------------------------------------------------------------------------- */

static int put_block(struct job *j, size_t len)
{
	if (len == 0)
		return SKEP_ETRUNC;
	j->written_bytes += len;
	return fwrite(j->block, 1, len, j->out) == len ? 0 : errno != 0 ? -errno : -EIO;
}

/* Index of the interface in the output; described there before its first packet. */
static int put_interface(struct job *j, const char *name, const char *description,
			 uint32_t *ret_index)
{
	for (uint32_t i = 0; i < j->n_interfaces; i++) {
		if (strcmp(j->interfaces[i].name, name) != 0 ||
		    strcmp(j->interfaces[i].description, description) != 0)
			continue;
		*ret_index = i;
		return 0;
	}
	if (j->n_interfaces == j->cap_interfaces) {
		uint32_t cap = j->cap_interfaces > 0 ? j->cap_interfaces * 2 : 16;
		struct capture_interface *more = realloc(j->interfaces, cap * sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		j->interfaces = more;
		j->cap_interfaces = cap;
	}
	struct capture_interface *i = &j->interfaces[j->n_interfaces];
	*i = (struct capture_interface){.name = ""};
	text_copy(i->name, sizeof(i->name), name);
	text_copy(i->description, sizeof(i->description), description);
	*ret_index = j->n_interfaces++;
	return put_block(j, capture_encode_interface(j->block, BLOCK_ROOM, i));
}

static int put_packet(struct job *j, const struct input *in)
{
	struct capture_packet p = in->packet;
	j->found++;
	if (j->count)
		return 0;
	int err = put_interface(j, in->interface, capture_interface_description(in->reader),
				&p.interface);
	if (err != 0)
		return err;
	return put_block(j, capture_encode_packet(j->block, BLOCK_ROOM, &p));
}

static int open_output(struct job *j)
{
	bool to_stdout = j->output == NULL || strcmp(j->output, "-") == 0;
	struct stat st;
	if (j->count)
		return 0;
	if (to_stdout && isatty(STDOUT_FILENO))
		return cmd_fail(2, "pcap: packets are not for a terminal: name a file with "
				   "`-o FILE`, or pipe into `tshark -r -`");
	j->block = malloc(BLOCK_ROOM);
	if (j->block == NULL)
		return cmd_fail(1, "pcap: out of memory");
	for (size_t i = 0; !to_stdout && stat(j->output, &st) == 0 && i < j->n_inputs; i++)
		if (st.st_dev == j->inputs[i].dev && st.st_ino == j->inputs[i].ino)
			return cmd_fail(2,
					"pcap: %s is one of the captures that are read; "
					"choose another name",
					j->output);
	if (to_stdout) {
		j->out = stdout;
	} else {
		/* What intruders said is not for every user of the machine. */
		int fd = open(j->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
		j->out = fd >= 0 ? fdopen(fd, "wb") : NULL;
		if (j->out == NULL)
			return cmd_fail(1, "pcap: %s: %s", j->output, strerror(errno));
	}
	errno = 0;
	int err = put_block(j, capture_encode_section(j->block, BLOCK_ROOM));
	return err != 0 ? cmd_fail(1, "pcap: writing: %s", err_text(err)) : 0;
}

/* ---- the work --------------------------------------------------------------------------- */

static void show_progress(struct job *j, int64_t stamp_ns)
{
	int64_t now = j->progress && j->seen % 1024 == 0 ? clock_boot_ns() : 0;
	if (now == 0 || now - j->started_ns < PROGRESS_NS || now - j->shown_ns < PROGRESS_NS / 4)
		return;
	j->shown_ns = now;
	char age[64];
	struct writer w = writer_of(age, sizeof(age));
	text_duration(&w, clock_wall_ns() - stamp_ns);
	fprintf(stderr, "\rskep pcap: %llu of %llu packets, now at those of %s ago\033[K",
		(unsigned long long)j->found, (unsigned long long)j->seen, age);
}

/* The open input with the oldest packet; opens those that begin before it. NULL: all is read. */
static struct input *next_input(struct job *j, size_t *opened)
{
	for (;;) {
		struct input *best = NULL;
		for (size_t i = 0; i < *opened; i++)
			if (j->inputs[i].open &&
			    (best == NULL || j->inputs[i].packet.stamp_ns < best->packet.stamp_ns))
				best = &j->inputs[i];
		struct input *next = *opened < j->n_inputs ? &j->inputs[*opened] : NULL;
		if (next == NULL || (best != NULL && best->packet.stamp_ns < next->first_ns))
			return best;
		(*opened)++;
		int err = input_open(j, next);
		j->read_files += err == 0;
		if (err != 0 && err != -ENOENT) {
			cmd_fail(1, "pcap: %s: %s", next->path, err_text(err));
			j->damaged++;
		}
	}
}

static int extract(struct job *j)
{
	struct input *in;
	size_t opened = 0;
	int err = 0;
	j->started_ns = clock_boot_ns();
	j->progress = isatty(STDERR_FILENO);
	while (err == 0 && (in = next_input(j, &opened)) != NULL) {
		/* Frames of a file are nearly in order: a second late is late enough. */
		if (j->filter.to_ns != 0 && in->packet.stamp_ns > j->filter.to_ns + NS_PER_SEC) {
			input_close(in);
			continue;
		}
		show_progress(j, in->packet.stamp_ns);
		if (capture_select(&j->filter, &in->packet, in->interface))
			err = put_packet(j, in);
		input_advance(j, in);
	}
	if (j->shown_ns != 0)
		fprintf(stderr, "\r\033[K");
	errno = 0;
	if (err == 0 && j->out != NULL && fflush(j->out) != 0)
		err = errno != 0 ? -errno : -EIO;
	if (err != 0)
		return cmd_fail(1, "pcap: writing %s: %s",
				j->out == stdout ? "to standard output" : j->output, err_text(err));
	return 0;
}

static int summary(const struct job *j)
{
	char size[64];
	struct writer w = writer_of(size, sizeof(size));
	text_bytes(&w, j->written_bytes);
	if (j->count)
		printf("%llu\n", (unsigned long long)j->found);
	else
		fprintf(stderr, "skep pcap: %llu of %llu packets of %u capture%s%s%s (%s)\n",
			(unsigned long long)j->found, (unsigned long long)j->seen, j->read_files,
			j->read_files == 1 ? "" : "s", j->out == stdout ? "" : " written to ",
			j->out == stdout ? "" : j->output, size);
	return j->found > 0 && j->damaged == 0 ? 0 : 1;
}

/* ---- what is wanted --------------------------------------------------------------------- */

static void narrow(struct capture_filter *f, int64_t from_ns, int64_t to_ns)
{
	if (from_ns > f->from_ns)
		f->from_ns = from_ns;
	if (to_ns != 0 && (f->to_ns == 0 || to_ns < f->to_ns))
		f->to_ns = to_ns;
}

struct alert { /* the one that was asked for */
	uint64_t id, flow_id;
	bool found;
};

static bool on_alert(void *ctx, uint64_t id, int64_t time_ns, const char *json)
{
	struct alert *a = ctx;
	(void)time_ns;
	json_t *o = id == a->id ? json_loads(json, 0, NULL) : NULL;
	const char *kind = json_string_value(json_object_get(o, "event_type"));
	a->found = kind != NULL && strcmp(kind, "alert") == 0;
	a->flow_id = (uint64_t)json_integer_value(json_object_get(o, "flow_id"));
	json_decref(o);
	return false;
}

/* From an alert to its conversation. */
static int want_alert(struct job *j)
{
	char dir[CONF_PATH + 16];
	struct alert a = {.id = j->alert_id};
	struct store_query q = {.after_id = j->alert_id - 1, .limit = 1};
	snprintf(dir, sizeof(dir), "%s/events", j->conf.state_dir);
	int err = store_search(dir, &q, on_alert, &a);
	if (err != 0)
		return cmd_fail(1, "pcap: the events in %s can't be read: %s%s", dir, err_text(err),
				geteuid() != 0 ? "; run `sudo skep pcap ...`" : "");
	if (!a.found)
		return cmd_fail(1,
				"pcap: no alert is called %llu; `skep events -k alert` shows "
				"them with their ids behind #",
				(unsigned long long)j->alert_id);
	if (a.flow_id == 0)
		return cmd_fail(1,
				"pcap: alert %llu is about a packet without a conversation; "
				"`--addr` and `--since` find it",
				(unsigned long long)j->alert_id);
	j->flow_id = a.flow_id;
	return 0;
}

/* Both views of the conversation, out of the events. */
static int want_flow(struct job *j)
{
	struct event_tuple tuples[TUPLES];
	char dir[CONF_PATH + 16];
	struct store_query q = {.flow_id = j->flow_id};
	int64_t from_ns = 0, to_ns = 0;
	size_t n = 0;
	bool by_id = j->flow_id != 0;
	if (j->filter.community_id[0] != '\0')
		q.community_id = j->filter.community_id;
	snprintf(dir, sizeof(dir), "%s/events", j->conf.state_dir);
	int err = store_flow_tuples(dir, &q, tuples, TUPLES, &n, &from_ns, &to_ns);
	if (by_id && err != 0)
		return cmd_fail(1, "pcap: the events in %s can't be read: %s%s", dir, err_text(err),
				geteuid() != 0 ? "; run `sudo skep pcap ...`" : "");
	if (by_id && n == 0)
		return cmd_fail(1,
				"pcap: no event has flow %llu%s; `skep events -k connection` "
				"shows flows and their ids",
				(unsigned long long)j->flow_id,
				q.community_id != NULL ? " and that Community ID" : "");
	for (size_t i = 0; err == 0 && i < n; i++)
		err = capture_filter_add(&j->filter, &tuples[i]);
	if (by_id && err == 0) {
		/* A single event: it has begun, but not ended. */
		bool ended = to_ns - from_ns > NS_PER_MS;
		narrow(&j->filter, from_ns - SLACK_NS, ended ? to_ns + SLACK_NS : 0);
		/* The tuples say it all, and a flow's id names one conversation only. */
		j->filter.community_id[0] = '\0';
	}
	return by_id && err != 0 ? cmd_fail(1, "pcap: %s", err_text(err)) : 0;
}

static int add_term(struct job *j, struct capture_term t)
{
	if (j->filter.n_terms >= CAPTURE_TERMS)
		return SKEP_EFULL;
	j->filter.terms[j->filter.n_terms++] = t;
	return 0;
}

static int want_guest(struct job *j)
{
	const struct conf_guest *g = conf_guest(&j->conf, j->guest);
	struct capture_term outside = {.interface = "outside"}, port = {.interface = ""};
	if (g == NULL) {
		struct writer w;
		char names[512];
		w = writer_of(names, sizeof(names));
		for (uint32_t i = 0; i < j->conf.n_guests; i++)
			write_fmt(&w, "%s%s", i > 0 ? ", " : "", j->conf.guests[i].name);
		return cmd_fail(2, "pcap: no guest is called '%s'; there are: %s", j->guest, names);
	}
	text_copy(port.interface, sizeof(port.interface), g->name);
	int err = add_term(j, port);
	const struct addr *own[] = {&g->public, &g->public6};
	for (size_t i = 0; i < ARRAY_LEN(own) && err == 0; i++) {
		outside.a = *own[i];
		if (outside.a.ver != 0)
			err = add_term(j, outside);
	}
	for (uint32_t i = 0; i < j->conf.n_forwards && err == 0; i++) {
		const struct conf_forward *f = &j->conf.forwards[i];
		outside.a = f->public;
		outside.a_port = f->public_port;
		outside.proto = f->proto;
		if (strcmp(f->guest, g->name) == 0)
			err = add_term(j, outside);
	}
	return err != 0 ? cmd_fail(1, "pcap: %s", err_text(err)) : 0;
}

static bool parse_number(const char *s, uint64_t most, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end != '\0' || errno != 0 || v > most)
		return false;
	*ret = v;
	return true;
}

static bool parse_proto(const char *s, uint8_t *ret)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} names[] = {{"tcp", 6},     {"udp", 17},   {"icmp", 1}, {"icmp6", 58},
		     {"icmpv6", 58}, {"sctp", 132}, {"igmp", 2}};
	uint64_t n;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i].name, s) == 0) {
			*ret = names[i].proto;
			return true;
		}
	if (!parse_number(s, 255, &n) || n == 0)
		return false;
	*ret = (uint8_t)n;
	return true;
}

/* false: the value is no good. */
static bool set_option(struct job *j, int option, const char *value)
{
	struct capture_filter *f = &j->filter;
	uint64_t n;
	switch (option) {
	case 'c':
		j->conf_path = value;
		return true;
	case 'o':
		j->output = value;
		return value[0] != '\0';
	case 'g':
		j->guest = value;
		return true;
	case 'a':
		return addr_parse(value, &f->addr) == 0;
	case 'p':
		if (!parse_number(value, 65535, &n) || n == 0)
			return false;
		f->net_port = (uint16_t)n;
		return true;
	case 'P':
		return parse_proto(value, &f->proto);
	case 'i':
		return text_copy(f->interface, sizeof(f->interface), value);
	case OPT_FLOW:
		return parse_number(value, UINT64_MAX, &j->flow_id) && j->flow_id > 0;
	case OPT_ALERT:
		return parse_number(value[0] == '#' ? value + 1 : value, UINT64_MAX,
				    &j->alert_id) &&
		       j->alert_id > 0;
	case OPT_COMMUNITY:
		return strncmp(value, "1:", 2) == 0 &&
		       text_copy(f->community_id, sizeof(f->community_id), value);
	case OPT_SINCE:
		return cmd_parse_time(value, &f->from_ns) == 0;
	case OPT_UNTIL:
		return cmd_parse_time(value, &f->to_ns) == 0;
	default: /* OPT_COUNT */
		j->count = true;
		return true;
	}
}

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'},
	{"output", required_argument, NULL, 'o'},
	{"guest", required_argument, NULL, 'g'},
	{"addr", required_argument, NULL, 'a'},
	{"port", required_argument, NULL, 'p'},
	{"proto", required_argument, NULL, 'P'},
	{"interface", required_argument, NULL, 'i'},
	{"flow", required_argument, NULL, OPT_FLOW},
	{"alert", required_argument, NULL, OPT_ALERT},
	{"community-id", required_argument, NULL, OPT_COMMUNITY},
	{"since", required_argument, NULL, OPT_SINCE},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"count", no_argument, NULL, OPT_COUNT},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* -1: go on; else the exit code. */
static int parse(struct job *j, int argc, char **argv)
{
	int option;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:o:g:a:p:P:i:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (option == '?')
			return cmd_fail(2, "pcap: `skep pcap --help` lists the options");
		if (!set_option(j, option, optarg))
			return cmd_fail(2,
					"pcap: '%s' is no good there; `skep pcap --help` tells "
					"what each option takes",
					optarg);
	}
	if (j->filter.from_ns != 0 && j->filter.to_ns != 0 && j->filter.from_ns > j->filter.to_ns)
		return cmd_fail(2, "pcap: --since is later than --until: swap them");
	return -1;
}

static int run(struct job *j, int n_files, char **files)
{
	bool ask_events = j->flow_id != 0 || j->alert_id != 0 || j->filter.community_id[0] != '\0';
	int err = 0;
	if (n_files == 0 || ask_events || j->guest != NULL || j->conf_path != NULL)
		err = cmd_conf(j->conf_path, &j->conf);
	if (err == 0 && j->alert_id != 0)
		err = want_alert(j);
	if (err == 0 && ask_events)
		err = want_flow(j);
	if (err == 0 && j->guest != NULL) {
		if (ask_events)
			return cmd_fail(2, "pcap: --guest goes not with --flow or --community-id; "
					   "use --interface for one port");
		err = want_guest(j);
	}
	if (err == 0)
		err = prepare_inputs(j, n_files, files);
	if (err == 0)
		err = open_output(j);
	if (err == 0)
		err = extract(j);
	return err != 0 ? err : summary(j);
}

int cmd_pcap(int argc, char **argv)
{
	struct job *j = calloc(1, sizeof(*j));
	if (j == NULL)
		return cmd_fail(1, "pcap: out of memory");
	int code = parse(j, argc, argv);
	if (code < 0)
		code = run(j, argc - optind, argv + optind);
	for (size_t i = 0; i < j->n_inputs; i++) {
		input_close(&j->inputs[i]);
		free(j->inputs[i].path);
	}
	if (j->out != NULL && j->out != stdout && fclose(j->out) != 0 && code == 0)
		code = cmd_fail(1, "pcap: writing %s: %s", j->output, strerror(errno));
	free(j->inputs);
	free(j->interfaces);
	free(j->block);
	free(j);
	return code;
}
