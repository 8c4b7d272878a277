/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a recording is, and what of it is on the screen. To go back is to play from the beginning, at once. */
#include "cmd/visit/player_priv.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void player_write(struct player *p, const void *data, size_t len)
{
	const char *at = data;
	while (len > 0 && !p->failed) {
		ssize_t n = write(STDOUT_FILENO, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd f = {.fd = STDOUT_FILENO, .events = POLLOUT};
			(void)poll(&f, 1, 1000);
			continue;
		}
		if (n <= 0) {
			p->failed = p->quit = true;
			return;
		}
		at += n;
		len -= (size_t)n;
	}
}

static void on_safe(void *ctx, const void *data, size_t len)
{
	player_write(ctx, data, len);
}

/* Typed lines of a talk without echo: told apart by being bold. */
static void show_input(struct player *p, const struct cast_event *e)
{
	struct safe s = {.text_only = true};
	const char *at = p->c->data + e->off, *end = at + e->len;
	if (p->o->keys)
		player_write(p, "\033[1m", 4);
	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		safe_feed(&s, at, (size_t)((nl != NULL ? nl : end) - at), on_safe, p);
		if (nl != NULL)
			player_write(p, "\r\n", 2);
		at = nl != NULL ? nl + 1 : end;
	}
	if (p->o->keys)
		player_write(p, "\033[22m", 5);
}

/* "$ uname -a" of `ssh host uname -a`, which nobody's terminal has ever shown. */
static void show_mark(struct player *p, const struct cast_event *e)
{
	struct safe s = {.text_only = true};
	const char *at = p->c->data + e->off;
	player_write(p, p->o->keys ? "\033[1m$ " : "$ ", p->o->keys ? 6 : 2);
	safe_feed(&s, at, strcspn(at, "\n"), on_safe, p);
	player_write(p, p->o->keys ? "\033[22m\r\n" : "\r\n", p->o->keys ? 7 : 2);
}

static void show(struct player *p, const struct cast_event *e)
{
	if (e->code == 'o' && p->o->raw)
		player_write(p, p->c->data + e->off, e->len);
	else if (e->code == 'o')
		safe_feed(&p->safe, p->c->data + e->off, e->len, on_safe, p);
	else if (e->code == 'i' && p->o->input)
		show_input(p, e);
	else if (e->code == 'm' && p->marks)
		show_mark(p, e);
}

static void play_until(struct player *p, int64_t us)
{
	for (; p->next < p->c->n && p->at[p->next] <= us && !p->failed; p->next++)
		show(p, &p->c->events[p->next]);
	p->us = us < p->end_us ? us : p->end_us;
}

static void again(struct player *p)
{
	static const char clear[] = "\033[2J\033[H";
	player_write(p, safe_reset, strlen(safe_reset));
	player_write(p, clear, strlen(clear));
	memset(&p->safe, 0, sizeof(p->safe));
	p->next = 0;
	p->drawn = false;
}

void player_seek(struct player *p, int64_t us)
{
	if (us < 0)
		us = 0;
	if (us < p->us || p->drawn)
		again(p);
	play_until(p, us);
}

void player_status(struct player *p, const char *text)
{
	char buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	/* Beyond the last row there is none: the cursor stops there. */
	write_fmt(&w, "\033[r\033[9999;1H\033[0;7m ");
	write_escaped(&w, text, strlen(text) < 200 ? strlen(text) : 200);
	write_str(&w, " \033[0m\033[K");
	player_write(p, buf, w.len);
	p->drawn = true;
}

/* ---- searching --------------------------------------------------------------------------------------------- */

static void on_word(void *ctx, const void *data, size_t len)
{
	struct player *p = ctx;
	if (p->words_len + len + 1 > p->words_room) {
		size_t room = (p->words_len + len + 1) * 2;
		char *more = realloc(p->words, room);
		if (more == NULL)
			return;
		p->words = more;
		p->words_room = room;
	}
	memcpy(p->words + p->words_len, data, len);
	p->words_len += len;
}

static bool read_words(struct player *p)
{
	struct safe s = {.text_only = true};
	if (p->word_at != NULL)
		return true;
	p->word_at = calloc(p->c->n + 1, sizeof(*p->word_at));
	if (p->word_at == NULL)
		return false;
	for (size_t i = 0; i < p->c->n; i++) {
		const struct cast_event *e = &p->c->events[i];
		p->word_at[i] = p->words_len;
		if (e->code == 'o')
			safe_feed(&s, p->c->data + e->off, e->len, on_word, p);
		else if (e->code == 'm' || (e->code == 'i' && p->o->input)) {
			on_word(p, "\n", 1);
			on_word(p, p->c->data + e->off, e->len);
			on_word(p, "\n", 1);
		}
	}
	on_word(p, "", 1);
	for (size_t i = 0; i + 1 < p->words_len; i++)
		if (p->words[i] == '\0')
			p->words[i] = ' ';
	p->word_at[p->c->n] = p->words_len;
	return p->words != NULL;
}

bool player_find(struct player *p, const char *query)
{
	if (query[0] == '\0' || !read_words(p))
		return false;
	const char *hit = strcasestr(p->words + p->word_at[p->next], query);
	if (hit == NULL)
		return false;
	/* It is there once the event has been played that its last letter is in. */
	size_t last = (size_t)(hit - p->words) + strlen(query) - 1, i = p->next;
	while (i + 1 < p->c->n && p->word_at[i + 1] <= last)
		i++;
	player_seek(p, p->at[i]);
	return true;
}

void player_mark(struct player *p, bool back)
{
	int64_t to = -1;
	for (size_t i = 0; i < p->c->n; i++) {
		if (p->c->events[i].code != 'm')
			continue;
		if (back && p->at[i] < p->us - 500000)
			to = p->at[i];
		if (!back && p->at[i] > p->us && to < 0)
			to = p->at[i];
	}
	if (to >= 0)
		player_seek(p, to);
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

static int plan(struct player *p)
{
	int64_t saved = 0, last = 0;
	p->marks = p->o->input;
	p->at = calloc(p->c->n + 1, sizeof(*p->at));
	if (p->at == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < p->c->n; i++) {
		int64_t us = p->c->events[i].us;
		if (p->o->max_idle_us > 0 && us - last > p->o->max_idle_us)
			saved += us - last - p->o->max_idle_us;
		last = us;
		p->marks = p->marks && p->c->events[i].code != 'i';
		p->at[i] = us - saved;
	}
	p->end_us = p->c->n > 0 ? p->at[p->c->n - 1] : 0;
	return 0;
}

/* Recorded time to the time it is played at. */
static int64_t planned(const struct player *p, int64_t us)
{
	for (size_t i = 0; i < p->c->n; i++)
		if (p->c->events[i].us >= us)
			return p->at[i];
	return p->end_us;
}

static void play_plainly(struct player *p)
{
	while (p->next < p->c->n && !p->failed) {
		int64_t wait = p->at[p->next] - p->us;
		if (wait > 0 && p->speed > 0) {
			int64_t ns = (int64_t)((double)wait * 1000 / p->speed);
			const struct timespec pause = {ns / NS_PER_SEC, ns % NS_PER_SEC};
			nanosleep(&pause, NULL);
		}
		play_until(p, p->at[p->next]);
	}
}

int player_run(const struct cast *c, const struct player_options *o)
{
	struct player p = {.c = c, .o = o, .speed = o->speed};
	int rc = plan(&p);
	if (rc == 0 && o->from_us > 0 && !o->keys) {
		/* What comes before is needed for the screen, not for the time. */
		play_until(&p, planned(&p, o->from_us));
	} else if (rc == 0 && o->from_us > 0) {
		again(&p);
		player_seek(&p, planned(&p, o->from_us));
	} else if (rc == 0 && o->keys) {
		again(&p);
	}
	if (rc == 0 && o->search != NULL) {
		text_copy(p.query, sizeof(p.query), o->search);
		rc = player_find(&p, o->search) ? 0 : 1;
		p.paused = o->keys;
	}
	if (rc == 0 && o->keys)
		rc = player_interact(&p);
	else if (rc == 0)
		play_plainly(&p);
	free(p.at);
	free(p.words);
	free(p.word_at);
	return rc == 0 && p.failed ? -EIO : rc;
}
