/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep demo: a break-in played with real tools from the lab's intruder namespace, then a short
 * account of what the honeynet saw of it, each line with the command that shows more.
 *
 * The tools talk to a machine that is meant to be broken into, so they run as nobody, inside the
 * lab's namespace, where nothing but the lab can be reached.
 */
#include "cmd/cmd.h"
#include "cmd/visit/visit.h"
#include "guest/guest.h"
#include "store/store.h"
#include "sys/sys.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OUT_SIZE 16384
#define ATTACKS 26
#define ATTACK_PORT 7001 /* first of the ports attacked, one per connection */
#define SEEN_WAIT_MS 8000
#define MONITOR_WAIT_MS 60000

struct demo {
	const struct conf *conf;
	const struct conf_guest *guest;
	struct guest_identity id;
	int netns;
	int64_t start_ns, attack_ns;
	bool nmap, curl, replay;
	char out[OUT_SIZE];
	char to[ADDR_TEXT], web[ADDR_TEXT];
};

/* What the events say about it. */
struct seen {
	int64_t attack_ns;
	char web[ADDR_TEXT];
	uint64_t incident, login_flow, fetch_flow;
	unsigned inbound, attacks, forwarded, limited;
	bool several; /* incidents: others visit as well */
};

static const char *const tools[][2] = {
	{"ssh", "openssh-client"}, {"sshpass", "sshpass"}, {"nmap", "nmap"}, {"curl", "curl"}};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: skep demo [--no-replay] [-c FILE]\n\n"
		"Plays a break-in against the running lab honeynet, from the intruder's side and "
		"with real\ntools: scan, guess a password, log in, run commands, fetch a file, "
		"attack outwards until\nthe limit stops it. Ends with what was seen of it.\n\n"
		"      --no-replay    leave out the replay of its own visit at the end\n"
		"  -c, --config FILE  configuration (else $SKEP_CONF, /etc/skep/skep.yaml, the "
		"lab)\n  -h, --help         this text\n");
}

static bool have(const char *program)
{
	const char *path = getenv("PATH");
	char dirs[4096], full[4352], *save = NULL;
	if (!text_copy(dirs, sizeof(dirs), path != NULL ? path : "/usr/bin:/bin"))
		return false;
	for (char *d = strtok_r(dirs, ":", &save); d != NULL; d = strtok_r(NULL, ":", &save)) {
		snprintf(full, sizeof(full), "%s/%s", d, program);
		if (access(full, X_OK) == 0)
			return true;
	}
	return false;
}

/* Says which tools are missing; false if it makes no sense without them. */
static bool find_tools(struct demo *d)
{
	bool usable = true, any = false;
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		if (have(tools[i][0]))
			continue;
		printf("%s%s", any ? ", " : "Missing here: ", tools[i][0]);
		any = true;
		usable = usable && i >= 2;
	}
	if (any) {
		printf(". To install: sudo apt-get install");
		for (size_t i = 0; i < ARRAY_LEN(tools); i++)
			if (!have(tools[i][0]))
				printf(" %s", tools[i][1]);
		printf("\n");
	}
	d->nmap = have("nmap");
	d->curl = have("curl");
	return usable;
}

static void step(const char *fmt, const char *arg)
{
	fputs("\n==> ", stdout);
	printf(fmt, arg);
	fputc('\n', stdout);
	fflush(stdout);
}

/* What a tool or the guest said: foreign bytes, a few lines of them, indented. */
static void show(const char *text, unsigned most_lines)
{
	char line[512];
	for (unsigned n = 0; *text != '\0' && n < most_lines; n++) {
		size_t len = strcspn(text, "\n");
		struct writer w = writer_of(line, sizeof(line));
		write_escaped(&w, text, len < 110 ? len : 110);
		if (len > 0)
			printf("      %s%s\n", line, len > 110 ? "..." : "");
		text += len + (text[len] == '\n');
	}
	if (*text != '\0')
		printf("      ...\n");
	fflush(stdout);
}

/* Runs a tool as nobody in the lab. Returns its exit code or an error; d->out has what it said. */
static int play(struct demo *d, const char *const *tool, int timeout_ms)
{
	const char *argv[64] = {"setpriv",        "--reuid=65534",  "--regid=65534",
				"--clear-groups", "--no-new-privs", "--inh-caps=-all"};
	size_t n = 6;
	for (size_t i = 0; tool[i] != NULL && n + 1 < ARRAY_LEN(argv); i++)
		argv[n++] = tool[i];
	argv[n] = NULL;
	d->out[0] = '\0';
	return run_program_in(d->netns, argv, NULL, d->out, sizeof(d->out), timeout_ms);
}

static int play_ssh(struct demo *d, const char *user, const char *password, const char *command,
		    int timeout_ms)
{
	char to[128];
	snprintf(to, sizeof(to), "%s@%s", user, d->to);
	const char *const argv[] = {"sshpass", "-p",
				    password,  "ssh",
				    "-F",      "/dev/null",
				    "-o",      "StrictHostKeyChecking=no",
				    "-o",      "UserKnownHostsFile=/dev/null",
				    "-o",      "LogLevel=ERROR",
				    "-o",      "PreferredAuthentications=password",
				    "-o",      "PubkeyAuthentication=no",
				    "-o",      "NumberOfPasswordPrompts=1",
				    "-o",      "ConnectTimeout=20",
				    to,        command,
				    NULL};
	return play(d, argv, timeout_ms);
}

static void scan(struct demo *d)
{
	step("The intruder looks at %s: which ports are open?", d->to);
	if (!d->nmap) {
		printf("      (left out: nmap is not installed)\n");
		return;
	}
	const char *const argv[] = {
		"nmap",          "-sT", "-Pn",    "-n", "-T4",
		"--max-retries", "1",   "--open", "-p", "21-25,80,110,143,443,445,3306,8080",
		d->to,           NULL};
	int rc = play(d, argv, 60000);
	if (rc != 0) {
		printf("      nmap: %s\n", rc < 0 ? err_text(rc) : "failed");
		return;
	}
	for (char *line = d->out; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		char *next = line + len + (line[len] == '\n');
		line[len] = '\0';
		if (strstr(line, "/tcp") != NULL)
			show(line, 1);
		line = next;
	}
}

static void look_at_web(struct demo *d)
{
	char url[96];
	snprintf(url, sizeof(url), "http://%s/", d->to);
	const char *const argv[] = {
		"curl", "-sS",       "-m", "20",
		"-o",   "/dev/null", "-w", "status %{http_code}, %{size_download} bytes",
		url,    NULL};
	if (!d->curl)
		return;
	step("A look at its web page, %s", url);
	(void)play(d, argv, 30000);
	show(d->out, 2);
}

/* Wrong passwords, then the right one. 0 once logged in. */
static int break_in(struct demo *d)
{
	static const char *const guesses[] = {"letmein", "qwerty", "toor"};
	const struct guest_account *a = &d->id.accounts[0];
	step("Guessing the password of %s over ssh", a->user);
	for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
		if (strcmp(guesses[i], a->password) == 0)
			continue;
		int rc = play_ssh(d, a->user, guesses[i], "true", 60000);
		printf("      %-10s %s\n", guesses[i],
		       rc != 0 && strstr(d->out, "denied") != NULL ? "refused" : "no answer");
		fflush(stdout);
	}
	int rc = play_ssh(d, a->user, a->password, "echo in", 60000);
	if (rc != 0) {
		printf("      %-10s refused as well\n", a->password);
		show(d->out, 4);
		return -EACCES;
	}
	printf("      %-10s lets us in\n", a->password);
	return 0;
}

static int in_guest(struct demo *d, const char *command, int timeout_ms)
{
	const struct guest_account *a = &d->id.accounts[0];
	return play_ssh(d, a->user, a->password, command, timeout_ms);
}

static void look_around(struct demo *d)
{
	static const char commands[] = "uname -a; id; tail -n 3 /etc/passwd";
	step("Inside: %s", commands);
	int rc = in_guest(d, commands, 60000);
	show(d->out, 8);
	if (rc != 0)
		printf("      (ended with %d)\n", rc);
}

static void fetch(struct demo *d)
{
	char command[512];
	/* Nothing comes once the limit is used up. Busybox' wget has no time-out that works everywhere. */
	snprintf(command, sizeof(command),
		 "cd /tmp && t=$(command -v timeout) && t=\"$t 10\"; "
		 "($t wget -q -O .update http://%s/ || "
		 "curl -s -m 10 -o .update http://%s/) && wc -c .update",
		 d->web, d->web);
	step("Inside: fetch a file from the fake Internet (%s)", d->web);
	if (in_guest(d, command, 60000) != 0 && d->out[0] == '\0')
		printf("      nothing came back\n");
	show(d->out, 4);
}

static void attack(struct demo *d)
{
	char command[768];
	/* bash has sockets of its own; a bare busybox has nc. Each try is one connection. */
	snprintf(command, sizeof(command),
		 "i=0; while [ $i -lt %d ]; do p=$((%d+i)); i=$((i+1)); "
		 "if command -v bash >/dev/null; then timeout 3 bash -c "
		 "\": </dev/tcp/%s/$p\" 2>/dev/null & else "
		 "nc -w 3 %s $p </dev/null >/dev/null 2>&1 & fi; done; wait",
		 ATTACKS, ATTACK_PORT, d->web, d->web);
	char text[16];
	snprintf(text, sizeof(text), "%d", ATTACKS);
	step("Inside: attack that server, %s connections, one port each", text);
	d->attack_ns = clock_wall_ns();
	int rc = in_guest(d, command, 120000);
	if (rc < 0)
		printf("      %s\n", err_text(rc));
}

/* ---- what was seen ------------------------------------------------------------------------ */

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s != NULL ? s : "";
}

static uint64_t number_of(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void count_outbound(struct seen *s, const json_t *e, const json_t *body, int64_t time_ns)
{
	uint64_t port = number_of(body, "dest_port");
	if (strcmp(text_of(body, "dest_ip"), s->web) != 0)
		return;
	if (port == 80)
		s->fetch_flow = number_of(e, "flow_id");
	if (time_ns < s->attack_ns || port < ATTACK_PORT || port >= ATTACK_PORT + ATTACKS)
		return;
	s->attacks++;
	if (strcmp(text_of(e, "verdict"), "forward") == 0)
		s->forwarded++;
	else if (strcmp(text_of(e, "verdict"), "limit") == 0)
		s->limited++;
}

static bool count_event(void *ctx, uint64_t id, int64_t time_ns, const char *text)
{
	struct seen *s = ctx;
	(void)id;
	json_t *e = json_loads(text, 0, NULL);
	const json_t *body = json_object_get(e, "connection");
	if (body != NULL && strcmp(text_of(e, "direction"), "INBOUND") == 0) {
		s->inbound++;
		uint64_t incident = number_of(e, "incident");
		s->several = s->several || (s->incident != 0 && s->incident != incident);
		s->incident = incident;
		if (number_of(body, "dest_port") == 22)
			s->login_flow = number_of(e, "flow_id");
	} else if (body != NULL && strcmp(text_of(e, "direction"), "OUTBOUND") == 0) {
		count_outbound(s, e, body, time_ns);
	}
	json_decref(e);
	return true;
}

/* Asks the store until the whole attack has arrived there. */
static int look_back(const struct demo *d, struct seen *ret)
{
	char dir[CONF_PATH + 16];
	snprintf(dir, sizeof(dir), "%s/events", d->conf->state_dir);
	struct store_query q = {
		.kind = "connection", .guest = d->guest->name, .from_ns = d->start_ns};
	int err = 0;
	for (int waited = 0; waited <= SEEN_WAIT_MS; waited += 200) {
		memset(ret, 0, sizeof(*ret));
		text_copy(ret->web, sizeof(ret->web), d->web);
		ret->attack_ns = d->attack_ns;
		err = store_search(dir, &q, count_event, ret);
		if (err == 0 && ret->attacks >= ATTACKS)
			break;
		struct timespec ts = {0, 200 * NS_PER_MS};
		nanosleep(&ts, NULL);
	}
	return err;
}

static void line(const char *what, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(const char *what, const char *fmt, ...)
{
	va_list ap;
	printf("  %s\n      ", what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fputc('\n', stdout);
}

static void tell_attack(const struct demo *d, const struct seen *s, const char *since)
{
	char what[256];
	uint32_t most = d->conf->wall.limits.tcp.n > 0 ? d->conf->wall.limits.tcp.w[0].max : 0;
	snprintf(what, sizeof(what),
		 "%u attacks on others were tried: %u left, %u were stopped by the limit",
		 s->attacks, s->forwarded, s->limited);
	line(what, "skep events --kind connection --guest %s --direction outbound --since %s",
	     d->guest->name, since);
	if (s->limited > 0)
		line("the ones that were stopped",
		     "skep events --kind connection --guest %s --verdict limit --since %s",
		     d->guest->name, since);
	if (most > 0 && s->limited > 0 && s->forwarded + 2 < most)
		printf("  (of the %u connections an hour, some were used before this demo: run it "
		       "again in an hour\n  to see all of them go)\n",
		       most);
}

static void tell(const struct demo *d, const struct seen *s)
{
	char what[256], since[32];
	time_t t = (time_t)(d->start_ns / NS_PER_SEC);
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%S", &tm);
	printf("\nWhat the honeynet saw of it\n\n");
	snprintf(what, sizeof(what), "%u connections from outside, %s", s->inbound,
		 s->several ? "the last of them in this incident" : "all one incident");
	if (s->incident != 0)
		line(what, "skep events --incident %" PRIu64, s->incident);
	else
		line("connections from outside",
		     "skep events --kind connection --guest %s --direction inbound --since %s",
		     d->guest->name, since);
	if (s->login_flow != 0)
		line("the last ssh session, packet by packet",
		     "skep pcap --flow %" PRIu64 " -o session.pcapng", s->login_flow);
	if (s->fetch_flow != 0)
		line("the file that was fetched", "skep pcap --flow %" PRIu64 " -o fetch.pcapng",
		     s->fetch_flow);
	tell_attack(d, s, since);
	line("what somebody would have been told of it, and what not", "skep alerts log --since %s",
	     since);
	line("the state of everything", "skep status");
}

/* ---- what he did, played ------------------------------------------------------------------------ */

struct best {
	const struct demo *d;
	struct session_row row;
	bool found;
};

/* Of our visits the one that showed most. */
static bool best_visit(void *ctx, const struct session_row *r)
{
	struct best *b = ctx;
	bool ours = strcmp(r->guest, b->d->guest->name) == 0 && r->start_ns >= b->d->start_ns;
	if (ours && r->has_cast && (!b->found || r->output > b->row.output)) {
		b->row = *r;
		b->found = true;
	}
	return true;
}

static void replay(const struct demo *d)
{
	char dir[VISIT_DIR], id[SESSION_ID_TEXT];
	struct best b = {.d = d};
	snprintf(dir, sizeof(dir), "%s/inside", d->conf->state_dir);
	for (int waited = 0; waited <= SEEN_WAIT_MS && !b.found; waited += 200) {
		const struct timespec ts = {0, 200 * NS_PER_MS};
		if (session_list(dir, d->start_ns, INT64_MAX, best_visit, &b) != 0)
			break;
		if (!b.found)
			nanosleep(&ts, NULL);
	}
	if (!b.found) {
		printf("\nNothing of what was done inside was recorded: `skep status` says which "
		       "layers of %s can hear\n",
		       d->guest->name);
		return;
	}
	line("who was in, by layers that hear what is done inside", "skep sessions");
	line("all of the visit that showed most", "skep sessions show %s",
	     session_id_text(b.row.id, id));
	line("... and as it looked: here it comes, four times as fast (q ends it)",
	     "skep replay %s", id);
	printf("\n");
	fflush(stdout);
	(void)visit_play(dir, &b.row, 4);
	printf("\n");
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int choose_guest(struct demo *d)
{
	for (uint32_t i = 0; i < d->conf->n_guests && d->guest == NULL; i++) {
		const struct conf_guest *g = &d->conf->guests[i];
		if (g->kind == GUEST_HONEYPOT && strcmp(g->image, "none") != 0 &&
		    g->public.ver == 4)
			d->guest = g;
	}
	if (d->guest == NULL)
		return cmd_fail(1, "no honeypot with a public IPv4 address is configured; give a "
				   "guest 'public' and run `sudo skep up` again");
	if (guest_identity_read(d->conf, d->guest->name, &d->id) < 0 || d->id.n_accounts == 0)
		return cmd_fail(1, "%s has no accounts yet; run `sudo skep up` first",
				d->guest->name);
	addr_text(&d->guest->public, d->to);
	addr_text(&d->conf->lab.web, d->web);
	return 0;
}

static int prepare(struct demo *d)
{
	char name[CONF_NAME + 8], *answer = NULL;
	if (d->conf->mode != MODE_LAB)
		return cmd_fail(1, "demo plays in the lab only (mode: lab). On the real wire "
				   "attack it from elsewhere, by "
				   "a name and password of `skep guest creds`");
	if (cmd_need_root("demo") != 0)
		return 1;
	if (cmd_ask(d->conf, "{\"do\":\"status\"}", &answer) < 0)
		return cmd_fail(1, "the honeynet is not running; start it with `sudo skep up`");
	free(answer);
	if (choose_guest(d) != 0)
		return 1;
	if (!find_tools(d))
		return cmd_fail(1, "demo needs ssh and sshpass");
	snprintf(name, sizeof(name), "%s-lab", d->conf->name);
	int err = netns_open(name, &d->netns);
	if (err < 0)
		return cmd_fail(1, "cannot enter the lab (%s): %s; run `sudo skep up` again", name,
				err_text(err));
	return 0;
}

/* Has the guest's monitor said anything yet? True also where it has none. */
static bool is_heard(const struct demo *d)
{
	char *answer = NULL;
	bool heard = true;
	size_t i;
	json_t *g;
	if (cmd_ask(d->conf, "{\"do\":\"status\"}", &answer) < 0)
		return true;
	json_t *all = json_loads(answer, 0, NULL);
	free(answer);
	json_array_foreach(json_object_get(all, "guests"), i, g)
	{
		const json_t *ago = json_object_get(json_object_get(g, "heard"), "monitor");
		if (strcmp(text_of(g, "name"), d->guest->name) == 0 && json_is_number(ago))
			heard = json_number_value(ago) >= 0;
	}
	json_decref(all);
	return heard;
}

/* A guest that has only just booted answers ssh before its monitor hears all: then there would be no replay. */
static void wait_for_monitor(const struct demo *d)
{
	const struct timespec ts = {0, 500 * NS_PER_MS};
	for (int waited = 0; waited < MONITOR_WAIT_MS && !is_heard(d); waited += 500) {
		if (waited == 0)
			printf("Waiting for the monitor in %s\n", d->guest->name);
		fflush(stdout);
		nanosleep(&ts, NULL);
	}
}

static int run_demo(struct demo *d)
{
	struct seen seen;
	wait_for_monitor(d);
	d->start_ns = clock_wall_ns();
	scan(d);
	look_at_web(d);
	if (break_in(d) != 0)
		return cmd_fail(1, "no way in: is the guest up? see `skep status`");
	look_around(d);
	fetch(d);
	attack(d);
	int err = look_back(d, &seen);
	if (err < 0)
		return cmd_fail(1, "the events cannot be read: %s; see `skep status`",
				err_text(err));
	if (seen.attacks == 0)
		return cmd_fail(1, "no event of the attack was found; see `skep status`");
	printf("      %u tried, %u left, the limit stopped %u\n", seen.attacks, seen.forwarded,
	       seen.limited);
	tell(d, &seen);
	if (d->replay)
		replay(d);
	return 0;
}

int cmd_demo(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"no-replay", no_argument, NULL, 'n'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *path = NULL;
	bool quick = false;
	struct conf conf;
	for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
		if (o == 'h') {
			usage(stdout);
			return 0;
		}
		if (o != 'c' && o != 'n') {
			usage(stderr);
			return 2;
		}
		quick |= o == 'n';
		path = o == 'c' ? optarg : path;
	}
	if (optind < argc)
		return cmd_fail(2, "demo takes no argument '%s'; see `skep demo --help`",
				argv[optind]);
	int rc = cmd_conf(path, &conf);
	if (rc != 0)
		return rc;
	struct demo *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return cmd_fail(1, "out of memory");
	d->conf = &conf;
	d->netns = -1;
	d->replay = !quick;
	rc = prepare(d);
	if (rc == 0)
		rc = run_demo(d);
	fd_close(&d->netns);
	free(d);
	return rc;
}
