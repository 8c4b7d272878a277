/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys while a recording plays. The terminal is set back however we end: signals come as a descriptor, so there is one
 * way out. Nothing that the recording could make the terminal send is obeyed but as a key: safe.c leaves out what
 * asks, and with --raw the operator wanted it.
 */
#include "cmd/visit/player_priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#define STEP_US 5000000
#define SMALL_STEP_US 1000000
#define SPEED_LEAST 0.125
#define SPEED_MOST 64

struct tty {
	struct termios old;
	sigset_t old_mask;
	int signals;
};

static const char keys_text[] =
	"space pause  arrows 5 s  , . 1 s  + - speed  / search  n next  m M marker  q quit";

static int tty_take(struct tty *t)
{
	sigset_t mask;
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &t->old) != 0)
		return -errno;
	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGTSTP);
	sigaddset(&mask, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &mask, &t->old_mask) != 0)
		return -errno;
	t->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	raw = t->old;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (t->signals < 0 || tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) {
		int err = -errno;
		fd_close(&t->signals);
		(void)sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
		return err;
	}
	return 0;
}

static void tty_give_back(struct player *p, struct tty *t)
{
	static const char last[] = "\033[9999;1H\033[K\r\n";
	p->failed = false;
	player_write(p, safe_reset, strlen(safe_reset));
	player_write(p, last, sizeof(last) - 1);
	/* What was typed ahead, or sent by the terminal, must not reach the shell. */
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &t->old);
	fd_close(&t->signals);
	/* A signal that ended the replay is still waiting: now it does what it does. */
	(void)sigprocmask(SIG_SETMASK, &t->old_mask, NULL);
}

/* ---- the bottom line ------------------------------------------------------------------------------------- */

static void tell(struct player *p, const char *what)
{
	char buf[256];
	long long at = p->us / 1000000, end = p->end_us / 1000000;
	struct writer w = writer_of(buf, sizeof(buf));
	write_fmt(&w, "%s  %lld:%02lld / %lld:%02lld  x%g  %s", p->o->name, at / 60, at % 60,
		  end / 60, end % 60, p->speed, what);
	player_status(p, buf);
}

static void ask(struct player *p)
{
	char buf[PLAYER_QUERY + 16];
	snprintf(buf, sizeof(buf), "search: %s_", p->query);
	player_status(p, buf);
}

static void pause_here(struct player *p, const char *what)
{
	p->paused = true;
	tell(p, what);
}

static void go_on(struct player *p)
{
	p->paused = false;
	if (p->drawn)
		player_seek(p, p->us);
}

static void moved(struct player *p)
{
	if (p->paused)
		tell(p, keys_text);
}

static void find(struct player *p)
{
	bool was = p->paused;
	if (!player_find(p, p->query)) {
		pause_here(p, "not found");
		return;
	}
	p->paused = was;
	pause_here(p, "found  n next  space go on");
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

static void query_key(struct player *p, char k)
{
	size_t len = strlen(p->query);
	if (k == '\r' || k == '\n') {
		p->asking = false;
		player_seek(p, p->us);
		find(p);
		return;
	}
	if (k == 0x1b || k == 3) {
		p->asking = false;
		moved(p);
		return;
	}
	if ((k == 0x7f || k == 8) && len > 0)
		p->query[len - 1] = '\0';
	else if (k >= 0x20 && k < 0x7f && len + 1 < sizeof(p->query)) {
		p->query[len] = k;
		p->query[len + 1] = '\0';
	}
	ask(p);
}

static void speed_by(struct player *p, double f)
{
	double s = p->speed * f;
	if (s >= SPEED_LEAST && s <= SPEED_MOST)
		p->speed = s;
	moved(p);
}

static void step(struct player *p, int64_t us)
{
	player_seek(p, p->us + us);
	moved(p);
}

static void key(struct player *p, char k)
{
	switch (k) {
	case 'q':
	case 3:
	case 4:
		p->quit = true;
		break;
	case ' ':
		if (p->paused)
			go_on(p);
		else
			pause_here(p, keys_text);
		break;
	case ',':
		step(p, -SMALL_STEP_US);
		break;
	case '.':
		step(p, SMALL_STEP_US);
		break;
	case '+':
	case '=':
		speed_by(p, 2);
		break;
	case '-':
		speed_by(p, 0.5);
		break;
	case '/':
		p->paused = p->asking = true;
		p->query[0] = '\0';
		ask(p);
		break;
	case 'n':
		find(p);
		break;
	case 'm':
	case 'M':
		player_mark(p, k == 'M');
		moved(p);
		break;
	case '0':
		player_seek(p, 0);
		moved(p);
		break;
	default:
		break;
	}
}

/* ESC [ C and ESC O C: right; D left, A up, B down. Others are swallowed whole. */
static void escape_key(struct player *p, char k)
{
	if (p->escape == 1) {
		p->escape = k == '[' || k == 'O' ? 2 : 0;
		return;
	}
	if (k >= 0x20 && k < 0x40)
		return;
	p->escape = 0;
	if (k == 'C' || k == 'D')
		step(p, k == 'C' ? STEP_US : -STEP_US);
	else if (k == 'A' || k == 'B')
		speed_by(p, k == 'A' ? 2 : 0.5);
}

static void read_keys(struct player *p)
{
	char buf[64];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	if (n <= 0 && errno != EAGAIN && errno != EINTR)
		p->quit = true;
	for (ssize_t i = 0; i < n && !p->quit; i++) {
		if (p->asking)
			query_key(p, buf[i]);
		else if (p->escape != 0)
			escape_key(p, buf[i]);
		else if (buf[i] == 0x1b)
			p->escape = 1;
		else
			key(p, buf[i]);
	}
}

/* Milliseconds until the next event is due; -1: only a key moves us. */
static int wait_ms(const struct player *p)
{
	if (p->paused)
		return -1;
	if (p->next >= p->c->n)
		return 0;
	double ms = (double)(p->at[p->next] - p->us) / 1000 / p->speed;
	return ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms + 1;
}

int player_interact(struct player *p)
{
	struct tty t;
	int err = tty_take(&t);
	if (err != 0)
		return err;
	if (p->paused)
		tell(p, "found  n next  space go on");
	int64_t last = clock_boot_ns();
	while (!p->quit) {
		struct pollfd f[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				      {.fd = t.signals, .events = POLLIN}};
		if (poll(f, 2, wait_ms(p)) < 0 && errno != EINTR)
			break;
		int64_t now = clock_boot_ns();
		if (!p->paused) {
			player_seek(p, p->us + (int64_t)((double)(now - last) / 1000 * p->speed));
			p->quit |= p->next >= p->c->n;
		}
		last = now;
		if (f[1].revents != 0)
			break;
		if (f[0].revents != 0)
			read_keys(p);
	}
	tty_give_back(p, &t);
	return 0;
}
