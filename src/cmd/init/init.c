/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep init: from a bare host to a configuration in at most three answers, each with a default that fits what was
 * found. Shows the plan, what it will touch and what not, before anything is written; touches nothing itself.
 */
#include "cmd/init/init.h"
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 5
#define LINE 1024
#define DMI "/sys/class/dmi/id"

struct options {
	const char *file, *mode, *interface;
	char addresses[LINE], keep[LINE];
	const char *mail, *webhook;
	bool yes, force, is_default;
};

static void usage(void)
{
	printf("usage: skep init [--mode WHERE] [--address LIST] [--keep LIST] [--interface LINK]\n"
	       "                 [--mail ADDRESS] [--webhook URL] [-o FILE] [--force] [--yes]\n\n"
	       "Looks at this host, asks at most three questions, shows the plan and what it will\n"
	       "touch, and writes a configuration. Changes nothing else.\n\n"
	       "  --mode WHERE      lab: on this machine only\n"
	       "                    alias: addresses of its own beside this host's\n"
	       "                    shared: this host's address, all ports but the host's own\n"
	       "                    bridge: a network card of its own\n"
	       "  --address LIST    alias, bridge: the honeypots' addresses; bridge: with length "
	       "and\n"
	       "                    router, as \"192.0.2.10/24 via 192.0.2.1\"\n"
	       "  --keep LIST       shared: ports that stay the host's although nothing listens\n"
	       "                    there now, as tcp/2222\n"
	       "  --interface LINK  the link, if not that of the default route\n"
	       "  --mail ADDRESS    who is told of alerts, by this machine's mail server\n"
	       "  --webhook URL     the same by Slack, Discord, Teams, ntfy or a webhook of yours\n"
	       "  --yes             ask nothing: defaults where no option answers\n"
	       "  -o, --output FILE where to write; -: to standard output\n"
	       "                    (else $SKEP_CONF, else " CMD_CONF_FILE ")\n"
	       "  --force           overwrite FILE\n\n"
	       "Exit 0: written. 1: not written. 2: wrong usage.\n");
}

/* Lists may be given in several options. */
static int add_words(char words[LINE], const char *more)
{
	size_t len = strlen(words);
	struct writer w = writer_of(words + len, LINE - len);
	write_fmt(&w, " %s", more);
	return w.full ? cmd_fail(2, "init: that list is too long") : 0;
}

static int take_option(int ch, struct options *o)
{
	switch (ch) {
	case 'm':
		o->mode = optarg;
		return 0;
	case 'a':
		return add_words(o->addresses, optarg);
	case 'k':
		return add_words(o->keep, optarg);
	case 'i':
		o->interface = optarg;
		return 0;
	case 'o':
		o->file = optarg;
		return 0;
	case 'M':
		o->mail = optarg;
		return 0;
	case 'W':
		o->webhook = optarg;
		return 0;
	case 'y':
		o->yes = true;
		return 0;
	case 'f':
		o->force = true;
		return 0;
	case 'h':
		usage();
		return -1;
	default:
		return cmd_fail(2, "init: `skep init --help` lists the options");
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"mode", required_argument, NULL, 'm'},
					      {"address", required_argument, NULL, 'a'},
					      {"keep", required_argument, NULL, 'k'},
					      {"interface", required_argument, NULL, 'i'},
					      {"mail", required_argument, NULL, 'M'},
					      {"webhook", required_argument, NULL, 'W'},
					      {"output", required_argument, NULL, 'o'},
					      {"yes", no_argument, NULL, 'y'},
					      {"force", no_argument, NULL, 'f'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	for (int ch; (ch = getopt_long(argc, argv, "i:o:yh", longs, NULL)) != -1;) {
		int code = take_option(ch, o);
		if (code != 0)
			return code;
	}
	if (optind < argc)
		return cmd_fail(2, "init: '%s' is too much", argv[optind]);
	if (o->file == NULL)
		o->file = getenv("SKEP_CONF");
	o->is_default = o->file == NULL;
	if (o->mode != NULL && strcmp(o->mode, "nat") == 0) /* as the file has it */
		o->mode = o->addresses[0] != '\0' ? "alias" : "shared";
	if (o->file == NULL)
		o->file = CMD_CONF_FILE;
	return 0;
}

/* ---- the file ---------------------------------------------------------------------------------- */

static bool to_stdout(const struct options *o)
{
	return strcmp(o->file, "-") == 0;
}

/* The folder of the file, made if only it is missing. */
static int make_folder(const char *file)
{
	char folder[4096];
	if (!text_copy(folder, sizeof(folder), file))
		return -ENAMETOOLONG;
	char *slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

static int file_fine(const struct options *o)
{
	struct stat st;
	if (to_stdout(o))
		return 0;
	if (lstat(o->file, &st) == 0 && !o->force)
		return cmd_fail(
			1,
			"init: %s exists and stays as it is\n"
			"  cure: look at it (skep check %s), write elsewhere (-o FILE), or --force",
			o->file, o->file);
	if (geteuid() != 0 && o->is_default)
		return cmd_need_root("init");
	return 0;
}

/* Beside it first: whoever looks sees the old one or the whole new one. */
static int put_file(const struct options *o, const char *text, size_t len, mode_t mode)
{
	char beside[4096];
	int err = make_folder(o->file);
	if (err != 0)
		return err;
	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", o->file) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	CLEANUP(fd_close) int fd = mkstemp(beside);
	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%s", text) != (int)len)
		err = -EIO;
	if (err == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		err = -errno;
	/* link never takes another's place, rename does */
	if (err == 0 && (o->force ? rename(beside, o->file) : link(beside, o->file)) < 0)
		err = -errno;
	if (err != 0 || !o->force)
		unlink(beside);
	return err;
}

static int put(const struct options *o, const struct init_site *i, const struct init_plan *p)
{
	struct conf_error e;
	struct conf *c = malloc(sizeof(*c));
	char *text = malloc(INIT_TEXT);
	/* Who knows the URL of a webhook may write there. */
	mode_t mode = p->webhook[0] != '\0' ? 0600 : 0644;
	int code = 1, err;
	if (c != NULL && text != NULL) {
		struct writer w = writer_of(text, INIT_TEXT);
		init_write(&w, i, p);
		if (w.full || conf_read(o->file, text, w.len, c, &e, NULL, NULL) != 0)
			cmd_fail(1,
				 "init: what it would write is not valid (a fault of skep's): line "
				 "%u: %s",
				 w.full ? 0 : e.line, w.full ? "too long" : e.what);
		else if (to_stdout(o))
			code = fputs(text, stdout) < 0 ? 1 : 0;
		else if ((err = put_file(o, text, w.len, mode)) == -EACCES && geteuid() != 0)
			cmd_fail(1, "init: %s can't be written: run `sudo skep init`, or -o FILE",
				 o->file);
		else if (err != 0)
			cmd_fail(1, "init: %s: %s", o->file, err_text(err));
		else
			code = 0;
	}
	free(text);
	free(c);
	return code;
}

/* ---- questions --------------------------------------------------------------------------------- */

/* An answer without its line's end; empty: the default is wanted. False: there is nobody. */
static bool read_answer(char line[LINE])
{
	if (fgets(line, LINE, stdin) == NULL)
		return false;
	size_t len = strcspn(line, "\n");
	if (line[len] != '\n' && len == LINE - 1) { /* the rest belongs to it */
		int ch;
		while ((ch = getchar()) != EOF && ch != '\n')
			;
	}
	line[len] = '\0';
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
		line[--len] = '\0';
	size_t skip = strspn(line, " \t");
	memmove(line, line + skip, len - skip + 1);
	return true;
}

static int nobody(void)
{
	return cmd_fail(1, "init: no answer came; nothing was written (--yes takes the defaults)");
}

static int ask_place(const struct init_site *i, enum init_place best, enum init_place *ret)
{
	static const char *const what[PLACES] = {
		"on this machine only, with a small Internet of its own",
		"addresses of its own beside this host's",
		"this host's address: all ports but the host's own",
		"a network card of its own",
	};
	char line[LINE], why[INIT_WHY];
	printf("\n1. Where shall the honeynet stand?\n");
	for (unsigned n = 0; n < PLACES; n++) {
		bool can = init_possible(i, (enum init_place)n, why) == 0;
		printf("   %u  %-7s %s\n", n + 1, init_places[n], what[n]);
		if (!can)
			printf("              (not here: %s)\n", why);
	}
	for (int t = 0; t < TRIES; t++) {
		printf("   [%s] ", init_places[best]);
		fflush(stdout);
		if (!read_answer(line))
			return nobody();
		*ret = best;
		if (line[0] != '\0' && init_place_of(line, ret) != 0)
			printf("   one of lab, alias, shared, bridge, or its number\n");
		else if (init_possible(i, *ret, why) != 0)
			printf("   not here: %s\n", why);
		else
			return 0;
	}
	return cmd_fail(1, "init: nothing was written");
}

/* The second question, and what is taken if the answer is empty ("": it must be answered). */
static void second(const struct init_site *i, enum init_place place, char proposal[LINE])
{
	struct addr a;
	char text[ADDR_TEXT];
	const struct site_link *card = init_card(i);
	proposal[0] = '\0';
	if (place == PLACE_ALIAS) {
		printf("\n2. Which addresses are the honeypots'? They must lead to this host, and "
		       "be nobody's:\n"
		       "   IPv4, IPv6, or both; the first of each are the first honeypot's\n");
		if (init_free6(i, &a) == 0)
			text_copy(proposal, LINE, addr_text(&a, text));
	} else if (place == PLACE_SHARED) {
		printf("\n2. Which ports stay this host's although nothing listens there now? "
		       "(tcp/2222, ...)\n");
		text_copy(proposal, LINE, "none");
	} else {
		printf("\n2. Which card, and which addresses on its network? Such as\n"
		       "   %s 192.0.2.10/24 via 192.0.2.1, 2001:db8::10/64 via fe80::1\n",
		       card != NULL ? card->name : "eth1");
	}
}

static int complete(const struct init_site *i, const char *answer, const struct init_plan *begun,
		    struct init_plan *ret, char why[INIT_WHY])
{
	*ret = *begun;
	int err = init_answer(i, answer, ret, why);
	return err == 0 ? init_complete(i, ret, why) : err;
}

static int ask_rest(const struct init_site *i, const struct init_plan *begun, struct init_plan *ret)
{
	char line[LINE], proposal[LINE], why[INIT_WHY];
	second(i, begun->place, proposal);
	for (int t = 0; t < TRIES; t++) {
		printf(proposal[0] != '\0' ? "   [%s] " : "   %s", proposal);
		fflush(stdout);
		if (!read_answer(line))
			return nobody();
		if (complete(i, line[0] != '\0' ? line : proposal, begun, ret, why) == 0)
			return 0;
		printf("   %s\n", why);
	}
	return cmd_fail(1, "init: nothing was written");
}

/* Yes, no, or who is told of alerts, which means yes. */
static int confirm(const struct options *o, struct init_plan *p)
{
	char line[LINE];
	bool told = p->mail[0] != '\0' || p->webhook[0] != '\0';
	printf("\n3. Write it?%s\n", told ? ""
					  : " (A mail address or the URL of a webhook: yes, and "
					    "alerts go there.)");
	for (int t = 0; t < TRIES; t++) {
		printf("   [yes] ");
		fflush(stdout);
		if (!read_answer(line))
			return nobody();
		bool address = strpbrk(line, "@:") != NULL;
		if (line[0] == '\0' || (!address && (line[0] == 'y' || line[0] == 'Y')))
			return 0;
		if (!address)
			break;
		if (init_told(line, p) == 0)
			return 0;
		printf("   neither a mail address nor an https:// URL\n");
	}
	return cmd_fail(1, "init: %s was not written", o->file);
}

/* As the options say. */
static int take_told(const struct options *o, struct init_plan *p)
{
	if (o->mail != NULL && (!conf_is_mail(o->mail) || init_told(o->mail, p) != 0))
		return cmd_fail(2, "init: --mail takes an address such as ann@example.org");
	if (o->webhook != NULL && (conf_is_mail(o->webhook) || init_told(o->webhook, p) != 0))
		return cmd_fail(2,
				"init: --webhook takes an https:// URL without user and password");
	return 0;
}

/* ---- all of it ----------------------------------------------------------------------------------- */

static void find_nameserver(struct init_site *i)
{
	char line[256], text[ADDR_TEXT];
	FILE *f = fopen("/etc/resolv.conf", "re");
	while (f != NULL && i->nameserver.ver == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "nameserver %45s", text) == 1 &&
		    addr_parse(text, &i->nameserver) != 0)
			i->nameserver = (struct addr){0};
	if (f != NULL)
		fclose(f);
}

static int look(struct init_site *i)
{
	const struct init_plan uplink = {.place = PLACE_SHARED};
	int err = site_survey(&i->s);
	if (err == 0)
		err = site_provider(&i->s, DMI, &i->provider);
	if (err != 0)
		return cmd_fail(1, "init: this host's network can't be read: %s", err_text(err));
	i->has_session = site_ssh_here(&i->session) == 0;
	const struct site_link *l = init_link(i, &uplink);
	if (l != NULL && geteuid() == 0 &&
	    site_findings(l->name, i->findings, SITE_FINDINGS, &i->n_findings) != 0)
		i->n_findings = 0;
	find_nameserver(i);
	return 0;
}

static int begin(const struct options *o, const struct init_site *i, struct init_plan *p)
{
	char why[INIT_WHY];
	enum init_place place;
	if (o->interface != NULL && (site_link(&i->s, o->interface) == NULL ||
				     !text_copy(p->link, sizeof(p->link), o->interface)))
		return cmd_fail(2, "init: no link is called '%s' (ip link lists them)",
				o->interface);
	if (o->mode != NULL && init_place_of(o->mode, &place) != 0)
		return cmd_fail(2, "init: --mode takes lab, alias, shared or bridge");
	if (o->mode != NULL) {
		p->place = place;
		return 0;
	}
	enum init_place best = o->addresses[0] != '\0' ? PLACE_ALIAS
			       : o->keep[0] != '\0'    ? PLACE_SHARED
						       : init_best(i);
	if (!o->yes)
		return ask_place(i, best, &p->place);
	p->place = best;
	return init_possible(i, best, why) == 0
		       ? 0
		       : cmd_fail(1, "init: %s: not here: %s", init_places[best], why);
}

static int plan(const struct options *o, const struct init_site *i, struct init_plan *ret)
{
	char why[INIT_WHY] = "", free6[ADDR_TEXT] = "";
	struct init_plan begun = {0};
	struct addr a;
	int code = begin(o, i, &begun);
	if (code != 0)
		return code;
	const char *given = begun.place == PLACE_SHARED ? o->keep : o->addresses;
	const char *other = begun.place == PLACE_SHARED ? o->addresses : o->keep;
	if (other[0] != '\0' || (begun.place == PLACE_LAB && given[0] != '\0'))
		return cmd_fail(2, "init: %s has no use for%s", init_places[begun.place],
				other[0] != '\0' ? other : given);
	if (begun.place != PLACE_LAB && given[0] == '\0' && !o->yes)
		return ask_rest(i, &begun, ret);
	if (begun.place == PLACE_ALIAS && given[0] == '\0' && init_free6(i, &a) == 0)
		given = addr_text(&a, free6);
	if (complete(i, given, &begun, ret, why) != 0)
		return cmd_fail(1, "init: %s", why);
	return 0;
}

static int run(const struct options *o, struct init_site *i)
{
	struct init_plan p;
	int code = look(i);
	if (code != 0)
		return code;
	/* What people read must not get among what is piped on. */
	if (to_stdout(o) && !o->yes)
		return cmd_fail(2, "init: `-o -` asks nothing: add --yes");
	if (!to_stdout(o))
		init_show_site(i);
	code = plan(o, i, &p);
	if (code == 0)
		code = take_told(o, &p);
	if (code == 0 && !to_stdout(o))
		init_show_plan(i, &p, o->file);
	if (code == 0 && !o->yes)
		code = confirm(o, &p);
	if (code == 0)
		code = put(o, i, &p);
	if (code == 0 && !to_stdout(o)) {
		printf("\nwrote %s\n", o->file);
		init_show_next(&p, o->file, o->is_default);
	}
	return code;
}

int cmd_init(int argc, char **argv)
{
	struct options o = {0};
	int code = parse(argc, argv, &o);
	if (code != 0)
		return code < 0 ? 0 : code;
	code = file_fine(&o);
	if (code != 0)
		return code;
	struct init_site *i = calloc(1, sizeof(*i));
	if (i == NULL)
		return cmd_fail(1, "init: no memory");
	code = run(&o, i);
	free(i);
	return code;
}
