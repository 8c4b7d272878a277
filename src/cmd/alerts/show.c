/* SPDX-License-Identifier: BSD-2-Clause */
/* skep alerts show: one message, as it was written for its destination. */
#include "cmd/alerts/alerts.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char alerts_show_help[] =
	"usage: skep alerts show NUMBER [OPTION ...]\n"
	"Prints one message of the outbox (`skep alerts log` lists their numbers): the plain\n"
	"part of a mail, else what the destination gets. Nothing in it can do anything to the\n"
	"terminal.\n\n"
	"      --raw              the message byte for byte, all of it\n"
	"  -c, --config FILE      which honeynet\n";

#define MARK "Content-Type: text/plain"

static const char *find(const char *at, const char *end, const char *what)
{
	return memmem(at, (size_t)(end - at), what, strlen(what));
}

/* The plain part of a mail of ours; the whole of anything else. */
static const char *plain_part(const char *body, size_t len, size_t *ret_len)
{
	const char *end = body + len, *at = find(body, end, MARK);
	*ret_len = len;
	if (len < 6 || memcmp(body, "From: ", 6) != 0 || at == NULL)
		return body;
	const char *rn = find(at, end, "\r\n\r\n"), *n = find(at, end, "\n\n");
	if (rn == NULL && n == NULL)
		return body;
	at = rn != NULL && (n == NULL || rn < n) ? rn + 4 : n + 2;
	const char *stop = find(at, end, "\n--=_");
	*ret_len = (size_t)((stop != NULL ? stop : end) - at);
	return at;
}

/* Quoted-printable is undone in place; what it is not stays. */
static size_t unquote(char *s, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len;) {
		if (s[i] == '=' && i + 2 < len && s[i + 1] == '\r' && s[i + 2] == '\n') {
			i += 3;
		} else if (s[i] == '=' && i + 1 < len && s[i + 1] == '\n') {
			i += 2;
		} else if (s[i] == '=' && i + 2 < len && text_hex(s[i + 1]) >= 0 &&
			   text_hex(s[i + 2]) >= 0) {
			s[n++] = (char)(text_hex(s[i + 1]) << 4 | text_hex(s[i + 2]));
			i += 3;
		} else {
			s[n++] = s[i++];
		}
	}
	return n;
}

static void print_head(const struct outbox_item *i)
{
	static const char *const states[] = {"waits", "sent", "given up", "kept"};
	char when[EVENT_TIME];
	printf("#%llu to ", (unsigned long long)i->number);
	alerts_print(i->destination, 0);
	printf(", decided %s, %s", alerts_time(i->at_ns, when),
	       i->state < ARRAY_LEN(states) ? states[i->state] : "?");
	if (i->done_ns > 0)
		printf(" %s", alerts_time(i->done_ns, when));
	if (i->tries > 1)
		printf(", %u tries", i->tries);
	if (i->answer[0] != '\0') {
		fputs(": ", stdout);
		alerts_print(i->answer, 0);
	}
	fputs("\n\n", stdout);
}

static int show(const char *dir, uint64_t number, bool raw)
{
	struct outbox_item i;
	void *body = NULL;
	size_t len = 0, n;
	int err = outbox_body(dir, number, &i, &body, &len);
	if (err == SKEP_ENOTFOUND)
		return cmd_fail(1, "alerts show: there is no message %llu (any more)",
				(unsigned long long)number);
	if (err != 0)
		return alerts_unreadable("alerts show", dir, err);
	if (raw) {
		fwrite(body, 1, len, stdout);
	} else {
		print_head(&i);
		const char *at = plain_part(body, len, &n);
		char *text = malloc(n + 1);
		if (text != NULL) {
			memcpy(text, at, n);
			/* Only the part of a mail is quoted. */
			alerts_print_text(text, at != body ? unquote(text, n) : n);
			free(text);
		}
	}
	free(body);
	return ferror(stdout) != 0 || fflush(stdout) != 0 ? 1 : 0;
}

int alerts_show(int argc, char **argv)
{
	static const struct option options[] = {{"raw", no_argument, NULL, 'r'},
						{"config", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *path = NULL, *word;
	char dir[ALERTS_DIR];
	bool raw = false;
	uint64_t number;
	for (int o; (o = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
		if (o == 'h') {
			fputs(alerts_show_help, stdout);
			return 0;
		}
		if (o == '?') {
			fprintf(stderr, "`skep alerts show --help` lists the options\n");
			return 2;
		}
		raw |= o == 'r';
		path = o == 'c' ? optarg : path;
	}
	word = optind + 1 == argc ? argv[optind] : "";
	if (!alerts_number(word[0] == '#' ? word + 1 : word, UINT64_MAX, &number))
		return cmd_fail(2, "alerts show: name one message by its number");
	struct conf *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return cmd_fail(1, "alerts show: no memory");
	int rc = alerts_conf(path, c, dir);
	if (rc == 0)
		rc = show(dir, number, raw);
	free(c);
	return rc;
}
