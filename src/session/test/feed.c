/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feed DIR: plays what standard input says into a book in DIR, for tests in other languages. Lines:
 *   visit N PEER PORT LOCAL      end N          wait MS
 *   login N USER SECRET OK       size N TTY COLS ROWS
 *   out|in|hidden N TTY HEX      exec N PID PPID TTY WORD...   exit N PID STATUS
 *   shell TEXT                   file N PID NUMBER PATH HEX
 *   wire-begin SERVICE PEER PORT LOCAL   wire-out|wire-in|wire-command HEX   wire-end
 */
#include "session/test/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS 16

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static size_t unhex(char *s)
{
	size_t n = strlen(s) / 2;
	for (size_t i = 0; i < n; i++)
		s[i] = (char)(digit(s[2 * i]) << 4 | digit(s[2 * i + 1]));
	return n;
}

static uint64_t num(const char *s)
{
	return s != NULL ? strtoull(s, NULL, 10) : 0;
}

static void monitor(struct rig *r, char **w, uint32_t n)
{
	uint64_t visit = num(w[1]);
	if (strcmp(w[0], "visit") == 0 && n == 5) {
		char id[SESSION_ID_TEXT];
		puts(session_id_text(
			rig_visit(r, visit, w[2], (uint16_t)num(w[3]), (uint16_t)num(w[4])), id));
	} else if (strcmp(w[0], "end") == 0) {
		rig_visit_end(r, visit);
	} else if (strcmp(w[0], "login") == 0 && n == 5) {
		rig_login(r, visit, w[2], w[3], num(w[4]) != 0);
	} else if (strcmp(w[0], "size") == 0 && n == 5) {
		rig_size(r, visit, (int)strtol(w[2], NULL, 10), (uint16_t)num(w[3]),
			 (uint16_t)num(w[4]));
	} else if (strcmp(w[0], "out") == 0 && n == 4) {
		rig_data(r, visit, (int)strtol(w[2], NULL, 10), SENSOR_OUT, true, w[3],
			 unhex(w[3]));
	} else if ((strcmp(w[0], "in") == 0 || strcmp(w[0], "hidden") == 0) && n == 4) {
		rig_data(r, visit, (int)strtol(w[2], NULL, 10), SENSOR_IN, w[0][0] == 'i', w[3],
			 unhex(w[3]));
	} else if (strcmp(w[0], "exec") == 0 && n > 5) {
		w[n] = NULL;
		rig_exec(r, visit, (uint32_t)num(w[2]), (uint32_t)num(w[3]),
			 (int)strtol(w[4], NULL, 10), (const char *const *)(w + 5));
	} else if (strcmp(w[0], "exit") == 0 && n == 4) {
		rig_exit(r, visit, (uint32_t)num(w[2]), (int)strtol(w[3], NULL, 10));
	} else if (strcmp(w[0], "file") == 0 && n == 6) {
		rig_content(r, visit, (uint32_t)num(w[2]), num(w[3]), w[4], w[5], unhex(w[5]));
	} else {
		fprintf(stderr, "feed: what is %s?\n", w[0]);
		exit(1);
	}
}

static void wire(struct rig *r, char **w, uint32_t n, uint64_t *id)
{
	if (strcmp(w[0], "wire-begin") == 0 && n == 5) {
		struct session_open o = {.flow_id = 42, .start_ns = r->now};
		text_copy(o.service, sizeof(o.service), w[1]);
		if (addr_parse(w[2], &o.client) != 0 || addr_parse("10.0.0.2", &o.server) != 0)
			abort();
		o.client_port = (uint16_t)num(w[3]);
		o.server_port = (uint16_t)num(w[4]);
		*id = session_begin(r->book, &o);
	} else if (strcmp(w[0], "wire-out") == 0 && n == 2) {
		session_output(r->book, *id, w[1], unhex(w[1]), r->now);
	} else if (strcmp(w[0], "wire-in") == 0 && n == 2) {
		session_input(r->book, *id, w[1], unhex(w[1]), r->now);
	} else if (strcmp(w[0], "wire-command") == 0 && n == 2) {
		session_command(r->book, *id, w[1], unhex(w[1]), r->now);
	} else if (strcmp(w[0], "wire-client") == 0 && n == 2) {
		session_client(r->book, *id, w[1], unhex(w[1]), r->now);
	} else if (strcmp(w[0], "wire-end") == 0) {
		session_end(r->book, *id, "closed", r->now);
	}
}

int main(int argc, char **argv)
{
	struct rig *r = calloc(1, sizeof(*r));
	char *line = NULL, *w[WORDS + 1];
	size_t cap = 0;
	uint64_t id = 0;
	if (r == NULL || argc != 2)
		return 2;
	rig_open(r, 1);
	rig_remove(r);
	text_copy(r->dir, sizeof(r->dir), argv[1]);
	r->conf.dir = r->fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->fd < 0)
		return 2;
	rig_again(r);
	while (getline(&line, &cap, stdin) > 0) {
		uint32_t n = 0;
		char *save = NULL;
		if (strncmp(line, "shell ", 6) == 0) {
			line[strcspn(line, "\n")] = '\0';
			rig_shell(r, line + 6);
			continue;
		}
		for (char *x = strtok_r(line, " \n", &save); x != NULL && n < WORDS;
		     x = strtok_r(NULL, " \n", &save))
			w[n++] = x;
		if (n == 0)
			continue;
		if (strcmp(w[0], "wait") == 0 && n == 2)
			rig_wait(r, (int64_t)num(w[1]) * NS_PER_MS);
		else if (strncmp(w[0], "wire-", 5) == 0)
			wire(r, w, n, &id);
		else if (n > 1)
			monitor(r, w, n);
	}
	free(line);
	rig_close(r);
	fd_close(&r->fd);
	int bad = r->invalid > 0;
	free(r);
	return bad;
}
