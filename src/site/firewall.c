/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose firewall is at work: by the names of tables and chains that each is known to make. */
#include "site/site_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES (1u << 20)
#define LIST_TIMEOUT_MS 10000
#define BY_THE_STACK "works in the host's stack, which the honeynet's frames do not enter"

struct found {
	bool ufw, docker, firewalld, forward_drop;
	uint32_t n_other;
	char last[SITE_NAME];      /* the table just seen: chains come table by table */
	char other[SITE_TEXT / 2]; /* names of some tables */
};

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void look_at_chain(struct found *f, const char *table, const char *chain)
{
	if (starts(chain, "ufw-") || starts(chain, "ufw6-"))
		f->ufw = true;
	else if (strcmp(chain, "DOCKER") == 0 || starts(chain, "DOCKER-") ||
		 starts(table, "docker-"))
		f->docker = true;
	else if (strcmp(table, "firewalld") == 0)
		f->firewalld = true;
}

static void add_other(struct found *f, const char *family, const char *table)
{
	char name[SITE_NAME];
	struct writer w = writer_of(name, sizeof(name));
	write_escaped(&w, family, strlen(family));
	write_str(&w, " ");
	write_escaped(&w, table, strlen(table));
	if (strcmp(f->last, name) == 0)
		return;
	text_copy(f->last, sizeof(f->last), name);
	size_t len = strlen(f->other);
	struct writer all = writer_of(f->other + len, sizeof(f->other) - len);
	if (f->n_other++ > 0)
		write_str(&all, ", ");
	write_str(&all, name);
	if (all.full)
		text_copy(f->other + sizeof(f->other) - 4, 4, "...");
}

static void look_at_nft(struct found *f, const json_t *chain)
{
	const char *family = "", *table = "", *name = "", *hook = "", *policy = "";
	json_t *c = (json_t *)(uintptr_t)chain;
	if (json_unpack(c, "{s?s, s?s, s?s, s?s, s?s}", "family", &family, "table", &table, "name",
			&name, "hook", &hook, "policy", &policy) != 0)
		return;
	look_at_chain(f, table, name);
	if (strcmp(hook, "forward") == 0 && strcmp(policy, "drop") == 0)
		f->forward_drop = true;
	if (strcmp(table, "firewalld") != 0 && !starts(table, "docker-"))
		add_other(f, family, table);
}

static void blind(struct list *l, const char *name, const char *why)
{
	struct site_finding *x = finding_add(l, SITE_BLIND);
	if (x == NULL)
		return;
	text_copy(x->name, sizeof(x->name), name);
	text_copy(x->what, sizeof(x->what), why);
}

/* ret: the output, the caller's to free. */
static int list_of(const char *const *argv, char **ret)
{
	char *out = malloc(LIST_BYTES);
	if (out == NULL)
		return -ENOMEM;
	int code = run_program(argv, NULL, out, LIST_BYTES, LIST_TIMEOUT_MS);
	if (code == 0) {
		*ret = out;
		return 0;
	}
	free(out);
	return code < 0 ? code : -ENOENT;
}

static void read_nft(struct list *l, struct found *f)
{
	static const char *const argv[] = {"nft", "-j", "list", "chains", NULL};
	char *text;
	if (list_of(argv, &text) != 0) {
		blind(l, "nftables", "`nft` is not installed, or may not look (root)");
		return;
	}
	const char *begin = strchr(text, '{');
	json_t *all = begin != NULL ? json_loads(begin, 0, NULL) : NULL;
	const json_t *rows = json_object_get(all, "nftables");
	if (!json_is_array(rows))
		blind(l, "nftables", "`nft -j list chains` says something unknown");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *chain = json_object_get(json_array_get(rows, i), "chain");
		if (chain != NULL)
			look_at_nft(f, chain);
	}
	json_decref(all);
	free(text);
}

/* Has the kernel legacy tables in this namespace? Asking iptables-legacy would make them. */
static bool legacy_tables(const char *names)
{
	char path[64], line[64] = "";
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", names);
	FILE *f = fopen(path, "re");
	bool some = f != NULL && fgets(line, sizeof(line), f) != NULL;
	if (f != NULL)
		fclose(f);
	return some;
}

static void read_legacy(struct list *l, struct found *f, const char *names, const char *program)
{
	const char *const argv[] = {program, NULL};
	char *text, *rest = NULL, table[32] = "";
	if (!legacy_tables(names))
		return;
	if (list_of(argv, &text) != 0) {
		blind(l, "legacy iptables",
		      "the kernel has such tables, but the program is missing");
		return;
	}
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		char chain[64] = "", policy[16] = "";
		if (line[0] == '*')
			text_copy(table, sizeof(table), line + 1);
		if (sscanf(line, ":%63s %15s", chain, policy) != 2)
			continue;
		look_at_chain(f, table, chain);
		if (strcmp(table, "filter") == 0 && strcmp(chain, "FORWARD") == 0 &&
		    strcmp(policy, "DROP") == 0)
			f->forward_drop = true;
		add_other(f, "legacy", table);
	}
	free(text);
}

static void add_firewall(struct list *l, bool there, const char *name, const char *what)
{
	struct site_finding *x = there ? finding_add(l, SITE_FIREWALL) : NULL;
	if (x == NULL)
		return;
	text_copy(x->name, sizeof(x->name), name);
	text_copy(x->what, sizeof(x->what), what);
}

void find_firewalls(struct list *l)
{
	struct found f = {0};
	char what[SITE_TEXT];
	read_nft(l, &f);
	read_legacy(l, &f, "ip_tables_names", "iptables-legacy-save");
	read_legacy(l, &f, "ip6_tables_names", "ip6tables-legacy-save");
	add_firewall(l, f.ufw, "ufw", BY_THE_STACK);
	add_firewall(l, f.docker, "Docker", BY_THE_STACK);
	add_firewall(l, f.firewalld, "firewalld", BY_THE_STACK);
	snprintf(what, sizeof(what), "%s%s", f.other,
		 f.forward_drop ? "; forwarding is dropped, but nothing of ours is forwarded" : "");
	add_firewall(l, f.n_other > 0, f.n_other > 1 ? "tables" : "table", what);
}
