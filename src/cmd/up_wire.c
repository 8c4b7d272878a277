/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/up_wire.h"

#include "cmd/cmd.h"
#include "role/role.h"
#include "role/uplink.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- before ----------------------------------------------------------------------------------- */

static void print_addresses(const char *label, const struct addr *a, uint32_t n)
{
	char text[ADDR_TEXT];
	for (uint32_t i = 0; i < n; i++)
		printf("%s%s", i == 0 ? label : " ", addr_text(&a[i], text));
	if (n > 0)
		printf("\n");
}

static void print_plan(const struct conf *c, const struct site *site, const struct uplink_plan *p)
{
	char kept[8192] = "", text[ADDR_TEXT];
	struct writer w = writer_of(kept, sizeof(kept));
	printf("the real wire: mode %s at %s\n", c->mode == MODE_NAT ? "nat" : "bridge", p->link);
	if (c->mode == MODE_NAT)
		print_addresses("  to the honeynet  all to ", p->steer.alias, p->steer.n_alias);
	print_addresses("  to the honeynet  what is not kept, to ", p->steer.shared,
			p->steer.n_shared);
	if (c->mode == MODE_BRIDGE)
		printf("  to the honeynet  the whole link; nothing of this host leaves by it any "
		       "more\n"
		       "                   (many providers let only known link addresses pass: "
		       "then nothing comes back)\n");
	uplink_write_kept(&w, &p->steer);
	if (p->steer.n_shared > 0)
		printf("  stays this host's  %s; and whatever it begins itself\n", kept);
	else if (c->mode == MODE_NAT)
		printf("  stays this host's  all of its own addresses\n");
	for (uint32_t i = 0; i < site->n_sessions && c->mode == MODE_NAT; i++)
		printf("                   the ssh session from %s port %u\n",
		       addr_text(&site->sessions[i].remote, text), site->sessions[i].remote_port);
	printf("  is added         two programs (tc) at %s, a link skep0 (or another number), "
	       "namespaces %s and %s-sink\n"
	       "  is not touched   addresses, routes, firewall and settings of this host\n",
	       p->link, c->name, c->name);
	const struct site_link *l = site_link_at(site, p->index);
	if (l != NULL && l->no_carrier)
		printf("  mind             %s has no carrier: is its cable in? Until then nobody "
		       "gets to the honeynet\n",
		       p->link);
	else if (!p->up && c->mode == MODE_NAT)
		printf("  mind             %s is down: until it is set up nobody gets to the "
		       "honeynet\n",
		       p->link);
	if (!p->up && (l == NULL || !l->no_carrier) && c->mode == MODE_BRIDGE)
		printf("  is changed       %s is set up, and down again at the end\n", p->link);
}

/* Taking the link that one came by is meant only if it was said twice. */
static int ask_link(const struct up_wire *o, const char *link, const char *use, bool *ret_take)
{
	char line[64] = "";
	if (o->take_link == 0)
		return cmd_fail(
			1,
			"up: mode bridge takes '%s' away from this host, and %s.\n"
			"  cure: name another link (uplink.interface), or, at the machine's "
			"own console: skep up --take-my-link",
			link, use);
	if (!o->yes && o->take_link < 2) {
		if (!isatty(STDIN_FILENO))
			return cmd_fail(1,
					"up: '%s' is in use (%s); without a terminal to ask, say "
					"--take-my-link --yes",
					link, use);
		printf("'%s' will be taken away from this host, although %s.\n"
		       "Type its name to go on: ",
		       link, use);
		fflush(stdout);
		if (fgets(line, sizeof(line), stdin) == NULL)
			line[0] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, link) != 0)
			return cmd_fail(1, "up: nothing was touched");
	}
	*ret_take = true;
	return 0;
}

static int show(const struct conf *c, struct site *site, struct uplink_plan *p,
		const struct up_wire *o, bool *ret_take)
{
	char why[512] = "", use[128] = "", back[UPLINK_LINE];
	int err = site_survey(site);
	if (err != 0)
		return cmd_fail(1, "up: looking at this host's network: %s", err_text(err));
	err = uplink_plan(c, site, NULL, p, why, sizeof(why));
	if (err != 0)
		return cmd_fail(1, "up: %s", why);
	bool confirmed = uplink_was_confirmed(c, &p->steer) && o->service;
	print_plan(c, site, p);
	if (uplink_rolled_back(c, back))
		printf("  the last start did not stay: %s\n", back);
	if (c->mode != MODE_BRIDGE || confirmed)
		return 0;
	uplink_in_use(site, p->index, use, sizeof(use));
	return use[0] == '\0' ? 0 : ask_link(o, p->link, use, ret_take);
}

int up_wire_show(const struct conf *c, const struct up_wire *o, bool *ret_take_link)
{
	struct site *site = calloc(1, sizeof(*site));
	struct uplink_plan *p = calloc(1, sizeof(*p));
	int code = site == NULL || p == NULL ? cmd_fail(1, "up: no memory")
					     : show(c, site, p, o, ret_take_link);
	fflush(stdout);
	free(site);
	free(p);
	return code;
}

/* ---- after ------------------------------------------------------------------------------------ */

static json_t *ask(const struct conf *c, const char *request)
{
	char *text = NULL;
	if (cmd_ask(c, request, &text) != 0)
		return NULL;
	json_t *answer = json_loads(text, 0, NULL);
	free(text);
	return answer;
}

static bool any_machine(const struct conf *c)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (strcmp(c->guests[i].image, "none") != 0)
			return true;
	return false;
}

void up_wire_explain(const struct conf *c)
{
	json_t *all = ask(c, "{\"do\":\"status\"}"), *confirm = json_object_get(all, "confirm");
	long long left = json_integer_value(json_object_get(confirm, "seconds_left"));
	if (json_is_object(confirm) && !json_is_true(json_object_get(confirm, "confirmed")))
		printf("\nNOT CONFIRMED: in %lld s all of it is taken back, unless you come in "
		       "anew "
		       "and say so:\n"
		       "  1. leave this connection open\n"
		       "  2. from your own machine: a NEW ssh connection to this host\n"
		       "  3. there: sudo skep up --confirm\n",
		       left);
	if (json_is_object(all) && !json_is_true(json_object_get(all, "kvm")) && any_machine(c))
		printf("\nGuests are emulated (no KVM): they run slowly, and QEMU's makers do not "
		       "promise that nobody breaks\nout of the emulator (docs/THREATS.md).\n");
	json_decref(all);
}

/* How many machines do not run yet; -1: no answer. first: one of them. */
static int count_waiting(const struct conf *c, char *first, size_t size)
{
	size_t i;
	json_t *all = ask(c, "{\"do\":\"status\"}"), *g;
	int n = all == NULL ? -1 : 0;
	json_array_foreach(json_object_get(all, "guests"), i, g)
	{
		const char *state = json_string_value(json_object_get(g, "state"));
		const char *name = json_string_value(json_object_get(g, "name"));
		if (state == NULL || name == NULL || strcmp(state, "running") == 0 ||
		    strcmp(state, "port") == 0)
			continue;
		if (n++ == 0)
			text_copy(first, size, name);
	}
	json_decref(all);
	return n;
}

int up_wire_wait(const struct conf *c, long timeout_s)
{
	char name[CONF_NAME] = "";
	int64_t end = clock_boot_ns() + timeout_s * NS_PER_SEC;
	for (;;) {
		int n = count_waiting(c, name, sizeof(name));
		if (n == 0) {
			printf("  the guests' machines run; they boot now\n");
			return 0;
		}
		if (super_running(c) == 0)
			return cmd_fail(1, "up: the honeynet ended; see `skep status`");
		if (clock_boot_ns() > end)
			return cmd_fail(1,
					"up: %s does not run yet; look at `skep status` and "
					"%s/qemu-%s.log",
					name, c->run_dir, name);
		nanosleep(&(struct timespec){0, 200 * NS_PER_MS}, NULL);
	}
}

/* ---- skep up --confirm --------------------------------------------------------------------------- */

static json_t *session_json(const struct site_session *here)
{
	char local[ADDR_TEXT], remote[ADDR_TEXT];
	return json_pack("{s:s, s:i, s:s, s:i, s:i}", "local", addr_text(&here->local, local),
			 "local_port", here->local_port, "remote", addr_text(&here->remote, remote),
			 "remote_port", here->remote_port, "pid", (int)here->pid);
}

int up_wire_confirm(const struct conf *c)
{
	struct site_session here;
	char back[UPLINK_LINE];
	int err = site_ssh_here(&here);
	if (err != 0 && err != -ENOENT)
		return cmd_fail(1, "up: not confirmed: %s",
				err == -ESRCH ? "nobody can tell who looks at this screen or tmux; "
						"say it in a new ssh connection itself"
					      : err_text(err));
	json_t *request = json_pack("{s:s}", "do", "confirm");
	if (err == 0) /* else: the machine's own console */
		json_object_set_new(request, "session", session_json(&here));
	char *text = json_dumps(request, JSON_COMPACT);
	json_t *answer = text != NULL ? ask(c, text) : NULL;
	json_decref(request);
	free(text);
	const char *error = json_string_value(json_object_get(answer, "error"));
	const char *said = json_string_value(json_object_get(answer, "text"));
	int code = 0;
	if (answer == NULL && uplink_rolled_back(c, back))
		code = cmd_fail(1, "up: nothing runs that could be confirmed; %s", back);
	else if (answer == NULL)
		code = cmd_fail(1, "up: nothing runs that could be confirmed");
	else if (said == NULL)
		code = cmd_fail(1, "up: not confirmed: %s", error != NULL ? error : "no answer");
	else
		printf("%s\n", said);
	json_decref(answer);
	return code;
}
