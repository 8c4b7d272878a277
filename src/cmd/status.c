/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep status: what runs, what was seen, what was stopped. Asks super, and adds what any root may
 * read beside it: memory, captures, the store.
 */
#include "cmd/status.h"

#include "capture/capture.h"
#include "cmd/cmd.h"
#include "outbox/outbox.h"
#include "role/role.h"
#include "role/uplink.h"
#include "store/store.h"
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTABLE 5
#define LOOK_BACK 400
#define COUNTS 4096

struct found {
	json_t *last;
	uint64_t lost;
	size_t n;
};

static void add_memory(json_t *all, const char *list)
{
	size_t i;
	json_t *o;
	uint64_t pss;
	json_array_foreach(json_object_get(all, list), i, o)
	{
		pid_t pid = (pid_t)json_integer_value(json_object_get(o, "pid"));
		if (pid > 0 && proc_memory(pid, &pss) == 0)
			json_object_set_new(o, "pss", json_integer((json_int_t)pss));
	}
}

/* Adds up the regular files of a folder; captures: only what the recorder made. */
static void add_folder(json_t *all, const char *key, const char *dir, bool captures,
		       uint64_t budget)
{
	uint64_t files = 0, bytes = 0;
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	bool part;
	while (d != NULL && (e = readdir(d)) != NULL) {
		if ((captures && !capture_file_name(e->d_name, &part)) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		files++;
		bytes += (uint64_t)st.st_blocks * 512;
	}
	if (d != NULL)
		closedir(d);
	json_object_set_new(all, key,
			    json_pack("{s:I, s:I, s:I}", "files", (json_int_t)files, "bytes",
				      (json_int_t)bytes, "budget", (json_int_t)budget));
}

static bool take_notable(void *ctx, uint64_t id, int64_t time_ns, const char *text)
{
	struct found *f = ctx;
	json_t *e = json_loads(text, 0, NULL);
	(void)id, (void)time_ns;
	if (json_integer_value(json_object_get(e, "priority")) >= 1 && f->n < NOTABLE) {
		json_array_append(f->last, e);
		f->n++;
	}
	json_decref(e);
	return f->n < NOTABLE;
}

static bool take_losses(void *ctx, uint64_t id, int64_t time_ns, const char *text)
{
	struct found *f = ctx;
	json_t *e = json_loads(text, 0, NULL), *h = json_object_get(e, "health");
	const char *role = json_string_value(json_object_get(h, "role"));
	const char *what = json_string_value(json_object_get(h, "what"));
	(void)id, (void)time_ns;
	if (role != NULL && what != NULL && strcmp(role, "recorder") == 0 &&
	    strcmp(what, "lost") == 0)
		f->lost += (uint64_t)json_integer_value(json_object_get(h, "count"));
	json_decref(e);
	return true;
}

static void add_store(json_t *all, const char *dir, int64_t since_ns)
{
	struct store_query recent = {.limit = LOOK_BACK, .newest_first = true};
	struct store_query health = {.kind = "health", .from_ns = since_ns};
	struct found f = {.last = json_array()};
	struct store_count *counts = calloc(COUNTS, sizeof(*counts));
	size_t n = 0;
	uint64_t total = 0;
	if (counts != NULL && store_counts(dir, 0, counts, COUNTS, &n) == 0)
		for (size_t i = 0; i < n; i++)
			total += counts[i].n;
	free(counts);
	if (store_search(dir, &recent, take_notable, &f) != 0 ||
	    store_search(dir, &health, take_losses, &f) != 0)
		json_object_set_new(all, "store_error", json_true());
	json_object_set_new(all, "last", f.last);
	json_object_set_new(json_object_get(all, "captures"), "lost",
			    json_integer((json_int_t)f.lost));
	json_object_set_new(json_object_get(all, "events"), "stored",
			    json_integer((json_int_t)total));
}

/* What became of messages: of all that the outbox still has. */
struct told {
	json_int_t sent, waiting, failing, failed;
	char who[CONF_NAME]; /* a destination that fails */
};

static bool take_message(void *ctx, const struct outbox_item *i)
{
	struct told *t = ctx;
	bool fails = i->state == OUTBOX_WAITING && i->tries > 0;
	t->sent += i->state == OUTBOX_SENT || i->state == OUTBOX_KEPT;
	t->waiting += i->state == OUTBOX_WAITING;
	t->failing += fails;
	t->failed += i->state == OUTBOX_FAILED;
	if (fails)
		text_copy(t->who, sizeof(t->who), i->destination);
	return true;
}

static void add_messages(json_t *all, const char *dir)
{
	json_t *alerts = json_object_get(all, "alerts");
	struct told t = {0};
	if (!json_is_true(json_object_get(alerts, "on")))
		return;
	int err = outbox_items(dir, 0, take_message, &t);
	if (err != 0 && err != -ENOENT)
		json_object_set_new(alerts, "unreadable", json_true());
	json_object_set_new(alerts, "sent", json_integer(t.sent));
	json_object_set_new(alerts, "waiting", json_integer(t.waiting));
	json_object_set_new(alerts, "failing", json_integer(t.failing));
	json_object_set_new(alerts, "failed", json_integer(t.failed));
	json_object_set_new(alerts, "failing_to", json_string(t.who));
}

static json_t *collect(const struct conf *c, int *ret_err)
{
	char dir[CONF_PATH + 16], *text = NULL;
	*ret_err = cmd_ask(c, "{\"do\":\"status\"}", &text);
	if (*ret_err != 0)
		return NULL;
	json_t *all = json_loads(text, 0, NULL);
	free(text);
	if (!json_is_object(all)) {
		*ret_err = SKEP_EFORMAT;
		json_decref(all);
		return NULL;
	}
	add_memory(all, "roles");
	add_memory(all, "guests");
	snprintf(dir, sizeof(dir), "%s/captures", c->state_dir);
	add_folder(all, "captures", dir, true, c->recorder.disk_bytes);
	snprintf(dir, sizeof(dir), "%s/events", c->state_dir);
	add_folder(all, "events", dir, false, c->store.disk_bytes);
	add_store(all, dir, json_integer_value(json_object_get(all, "since")));
	snprintf(dir, sizeof(dir), "%s/alerts", c->state_dir);
	add_messages(all, dir);
	json_object_set_new(all, "running", json_true());
	return all;
}

static int not_running(const struct conf *c, bool json)
{
	char back[UPLINK_LINE];
	bool rolled = c->mode != MODE_LAB && uplink_rolled_back(c, back);
	if (json) {
		json_t *o = json_pack("{s:b, s:s, s:b, s:s?}", "running", 0, "name", c->name,
				      "leftovers", super_leftovers(c), "rolled_back",
				      rolled ? back : NULL);
		char *text = json_dumps(o, 0);
		printf("%s\n", text != NULL ? text : "{}");
		free(text);
		json_decref(o);
		return 1;
	}
	if (super_leftovers(c))
		printf("The honeynet '%s' died without cleaning up.\n"
		       "  sudo skep up    starts it again\n"
		       "  sudo skep down  removes what it left\n",
		       c->name);
	else
		printf("The honeynet '%s' does not run. Start it with: sudo skep up\n", c->name);
	if (rolled)
		printf("Taken back: %s\n", back);
	return 1;
}

static int run(const char *path, bool json)
{
	struct conf *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return cmd_fail(1, "status: no memory");
	int err, code = cmd_conf(path, c);
	if (code == 0 && super_running(c) == 0)
		code = not_running(c, json);
	else if (code == 0)
		code = cmd_need_root("status");
	if (code != 0) {
		free(c);
		return code;
	}
	json_t *all = collect(c, &err);
	if (all == NULL && err == -ENOENT) {
		code = cmd_fail(1, "status: it is still starting, or just stopping; try again");
	} else if (all == NULL) {
		code = cmd_fail(1, "status: super does not answer: %s; see %s/super.log",
				err_text(err), c->run_dir);
	} else if (json) {
		char *text = json_dumps(all, JSON_INDENT(1));
		printf("%s\n", text != NULL ? text : "{}");
		free(text);
	} else {
		status_print(c, all, cmd_colour());
	}
	json_decref(all);
	free(c);
	return code;
}

int cmd_status(int argc, char **argv)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"json", no_argument, NULL, 'j'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	const char *path = NULL;
	bool json = false;
	for (int ch; (ch = getopt_long(argc, argv, "c:jh", longs, NULL)) != -1;) {
		if (ch == 'c') {
			path = optarg;
		} else if (ch == 'j') {
			json = true;
		} else if (ch == 'h') {
			printf("usage: skep status [-c FILE] [--json]\n\n"
			       "What runs, what was seen, what was stopped. Exit 1 when it does "
			       "not "
			       "run.\n");
			return 0;
		} else {
			return cmd_fail(2, "status: `skep status --help` lists the options");
		}
	}
	if (optind < argc)
		return cmd_fail(2, "status: '%s' is too much", argv[optind]);
	return run(path, json);
}
