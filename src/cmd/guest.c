/* SPDX-License-Identifier: BSD-2-Clause */
/* skep guest: what guests there are, how to get into them, what their consoles said. */
#include "guest/guest.h"
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLLOW_US 300000

struct options {
	const char *conf, *name;
	bool json, follow;
};

/* ---- creds -------------------------------------------------------------------------------- */

static json_t *creds_json(const struct conf_guest *g, const struct guest_identity *id)
{
	char mac[MAC_TEXT], a[ADDR_TEXT];
	json_t *accounts = json_array();
	for (uint32_t i = 0; i < id->n_accounts; i++)
		json_array_append_new(accounts,
				      json_pack("{s:s, s:s}", "user", id->accounts[i].user,
						"password", id->accounts[i].password));
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", g->name, "hostname",
			      id->hostname, "mac", mac_text(&id->mac, mac), "ssh_key", id->ssh_key,
			      "accounts", accounts);
	if (g->public.ver != 0)
		json_object_set_new(j, "public", json_string(addr_text(&g->public, a)));
	return j;
}

static void creds_text(const struct conf_guest *g, const struct guest_identity *id)
{
	char a[ADDR_TEXT];
	printf("%s (%s%s%s)\n", g->name, id->hostname, g->public.ver != 0 ? ", " : "",
	       g->public.ver != 0 ? addr_text(&g->public, a) : "");
	for (uint32_t i = 0; i < id->n_accounts; i++)
		if (id->accounts[i].password[0] != '\0')
			printf("  %-12s %s\n", id->accounts[i].user, id->accounts[i].password);
		else
			printf("  %-12s key %s\n", id->accounts[i].user, id->ssh_key);
}

static int creds(const struct conf *c, const struct options *o)
{
	json_t *all = json_array();
	int err = cmd_need_root("guest creds"), shown = 0;
	for (uint32_t i = 0; i < c->n_guests && err == 0; i++) {
		const struct conf_guest *g = &c->guests[i];
		struct guest_identity id;
		if ((o->name != NULL && strcmp(o->name, g->name) != 0) ||
		    strcmp(g->image, "none") == 0)
			continue;
		int found = guest_identity_read(c, g->name, &id);
		shown++;
		if (found == SKEP_ENOTFOUND && !o->json)
			printf("%s: nothing is drawn before its first start (skep up)\n", g->name);
		else if (found != 0 && found != SKEP_ENOTFOUND)
			err = cmd_fail(1, "guest %s: identity.json: %s", g->name, err_text(found));
		else if (found == 0 && o->json)
			json_array_append_new(all, creds_json(g, &id));
		else if (found == 0)
			creds_text(g, &id);
	}
	/* One guest asked for: its object; else a list. */
	json_t *what = o->name != NULL ? json_array_get(all, 0) : all;
	if (err == 0 && shown == 0)
		err = cmd_fail(1, "there is no guest '%s'", o->name != NULL ? o->name : "");
	else if (err == 0 && o->json && what == NULL)
		err = cmd_fail(1, "nothing is drawn before the first start (skep up)");
	else if (err == 0 && o->json) {
		json_dumpf(what, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	return err;
}

/* ---- list ------------------------------------------------------------------------------------ */

static const char *text_of(const json_t *g, const char *key)
{
	const char *s = json_string_value(json_object_get(g, key));
	return s != NULL ? s : "";
}

static int list(const struct conf *c, const struct options *o)
{
	char *answer = NULL;
	int err = cmd_ask(c, "{\"do\":\"status\"}", &answer);
	json_t *j = err == 0 ? json_loads(answer, 0, NULL) : NULL;
	free(answer);
	if (err == -EACCES || err == -EPERM)
		return cmd_fail(1, "only root may ask: run `sudo skep guest list`");
	if (err != 0 && err != -ENOENT)
		return cmd_fail(1, "asking super: %s", err_text(err));
	if (o->json) {
		json_t *guests = json_object_get(j, "guests");
		if (guests != NULL)
			json_dumpf(guests, stdout, JSON_INDENT(2));
		puts(guests != NULL ? "" : "[]");
	}
	for (uint32_t i = 0; i < c->n_guests && !o->json; i++) {
		const struct conf_guest *g = &c->guests[i];
		const char *state = "not running", *accel = "";
		const json_t *row;
		size_t k;
		json_array_foreach(json_object_get(j, "guests"), k, row)
		{
			if (strcmp(text_of(row, "name"), g->name) == 0) {
				state = text_of(row, "state");
				accel = text_of(row, "accel");
			}
		}
		char a[ADDR_TEXT] = "-", b[ADDR_TEXT] = "-";
		printf("%-12s %-9s %-9s %-12s %-4s inside %-15s public %s\n", g->name,
		       g->kind == GUEST_LOGHOST ? "loghost" : "honeypot", g->image, state, accel,
		       g->inside.ver != 0 ? addr_text(&g->inside, a) : a,
		       g->public.ver != 0 ? addr_text(&g->public, b) : b);
	}
	json_decref(j);
	return 0;
}

/* ---- console ---------------------------------------------------------------------------------- */

/* Foreign bytes: lines stay lines, all else that is not plain text is shown as \xNN. */
static void show(const char *data, size_t len)
{
	char buf[4 * 4096 + 1];
	for (size_t at = 0; at < len;) {
		const char *nl = memchr(data + at, '\n', len - at);
		size_t n = nl != NULL ? (size_t)(nl - data) - at : len - at;
		bool whole = nl != NULL && n <= 4096;
		n = n > 4096 ? 4096 : n;
		size_t cut = whole && n > 0 && data[at + n - 1] == '\r' ? n - 1 : n;
		struct writer w = writer_of(buf, sizeof(buf));
		write_escaped(&w, data + at, cut);
		fputs(buf, stdout);
		if (whole)
			putchar('\n');
		at += n + whole;
	}
	fflush(stdout);
}

static int console(const struct conf *c, const struct options *o)
{
	char path[CONF_PATH + 128], buf[4096];
	if (o->name == NULL || conf_guest(c, o->name) == NULL)
		return cmd_fail(o->name == NULL ? 2 : 1,
				"which guest? skep guest console NAME [-f]");
	snprintf(path, sizeof(path), "%s/guests/%s/console.log", c->state_dir, o->name);
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return cmd_fail(1, "%s has not run yet", o->name);
	if (fd < 0 && errno == EACCES)
		return cmd_need_root("guest console");
	if (fd < 0)
		return cmd_fail(1, "%s: %s", path, err_text(-errno));
	off_t at = 0;
	for (;;) {
		struct stat st;
		ssize_t n = pread(fd, buf, sizeof(buf), at);
		if (n < 0 && errno != EINTR)
			return cmd_fail(1, "%s: %s", path, err_text(-errno));
		if (n > 0) {
			show(buf, (size_t)n);
			at += n;
			continue;
		}
		if (!o->follow)
			return 0;
		if (fstat(fd, &st) == 0 && st.st_size < at)
			at = 0; /* it is kept small: what was oldest is gone */
		usleep(FOLLOW_US);
	}
}

static int reset(const struct conf *c, const struct options *o)
{
	char *answer = NULL;
	int err = cmd_need_root("guest reset");
	if (err != 0)
		return err;
	if (o->name == NULL || conf_guest(c, o->name) == NULL)
		return cmd_fail(o->name == NULL ? 2 : 1, "which guest? skep guest reset NAME");
	err = cmd_ask(c, "{\"do\":\"status\"}", &answer);
	free(answer);
	if (err != -ENOENT)
		return cmd_fail(1, "the honeynet runs; stop it first: skep down");
	err = guest_reset(c, o->name);
	if (err != 0)
		return cmd_fail(1, "guest %s: %s", o->name, err_text(err));
	printf("%s: what was written to its disk is gone; the next start makes it anew, with the "
	       "same "
	       "users and keys\n",
	       o->name);
	return 0;
}

static const char usage_text[] =
	"usage: skep guest VERB [NAME] [-c FILE] [--json]\n\n"
	"  list             every guest: state, acceleration, addresses\n"
	"  creds [NAME]     the names and passwords that were drawn, the operator's key of a "
	"loghost\n"
	"  console NAME     what its console last said (-f: go on)\n"
	"  reset NAME       a fresh disk at the next start; the identity stays\n";

int cmd_guest(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct conf *c, const struct options *o);
	} verbs[] = {{"list", list}, {"creds", creds}, {"console", console}, {"reset", reset}};
	struct options o = {0};
	bool bad = argc < 2;
	struct conf c;
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return 0;
	}
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			o.json = true;
		else if (strcmp(argv[i], "-f") == 0)
			o.follow = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			o.conf = argv[++i];
		else if (argv[i][0] != '-' && o.name == NULL)
			o.name = argv[i];
		else
			bad = true;
	}
	for (size_t i = 0; i < ARRAY_LEN(verbs) && !bad; i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		int err = cmd_conf(o.conf, &c);
		return err != 0 ? err : verbs[i].run(&c, &o);
	}
	fputs(usage_text, stderr);
	return 2;
}
