/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * super's part in rules: has them read at the start, keeps what the wall was given for the wall's next life,
 * and passes new ones on, which `skep rules reload` brings over the control socket.
 */
#include "role/super/super_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS (300 * NS_PER_SEC)
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK)

static void say_problem(void *ctx, const char *text)
{
	super_say(ctx, "rules: %s", text);
}

int super_rules_start(struct super *s, char *why, size_t why_size)
{
	if (s->c->rules.mode == RULES_OFF)
		return 0;
	super_say(s, "rules");
	int err = book_of_conf(s->c, say_problem, s, &s->book, why, why_size);
	if (err != 0 && why[0] == '\0') {
		struct writer w = writer_of(why, why_size);
		write_fmt(&w, "rules: %s", err_text(err));
	}
	return err;
}

/* ---- a reload ---------------------------------------------------------------------------------------- */

static void answer(struct super *s, json_t *a)
{
	char *text = a != NULL ? json_dumps(a, JSON_COMPACT) : NULL;
	if (text != NULL && send(s->reload.client, text, strlen(text), MSG_NOSIGNAL) < 0)
		log_line(LOG_DEBUG, "nobody waits for the reload");
	free(text);
	json_decref(a);
	fd_close(&s->reload.client);
	fd_close(&s->reload.texts);
	fd_close(&s->reload.snapshot);
}

static void refuse(struct super *s, const char *text)
{
	answer(s, json_pack("{s:s}", "error", text));
}

/* Nobody may change the texts under the wall's eyes. */
static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & SEALS) == SEALS;
}

const char *super_rules_reload(struct super *s, int *client, int *texts, int *snapshot)
{
	const struct child *wall = child_of(s, ROLE_WALL);
	const int fds[] = {*texts, *snapshot};
	if (s->c->rules.mode == RULES_OFF)
		return "rules are off in this honeynet (rules.mode)";
	if (*texts < 0 || *snapshot < 0 || !is_sealed(*texts))
		return "no rules came with the request";
	if (s->reload.client >= 0)
		return "a reload is under way";
	if (wall == NULL || wall->state != CHILD_READY)
		return "the wall is not ready; try again in a moment";
	int err = ipc_send(wall->control, MSG_RULES, NULL, 0, fds, 2);
	if (err != 0)
		return err_text(err);
	s->reload.client = fd_take(client);
	s->reload.texts = fd_take(texts);
	s->reload.snapshot = fd_take(snapshot);
	s->reload.since_ns = clock_boot_ns();
	return NULL;
}

void super_rules_done(struct super *s, const struct msg_rules_done *d)
{
	const struct child *wall = child_of(s, ROLE_WALL);
	if (s->reload.client < 0 && (wall == NULL || wall->state != CHILD_STARTING))
		return; /* nobody asked */
	if (s->reload.client < 0) {
		if (d->failed > 0)
			super_say(s, "%llu rules in force, %llu did not load",
				  (unsigned long long)d->rules, (unsigned long long)d->failed);
		else
			super_say(s, "%llu rules in force", (unsigned long long)d->rules);
		return;
	}
	log_line(LOG_INFO, "rules reloaded: %s, %llu rules", err_text(d->result),
		 (unsigned long long)d->rules);
	if (d->result == 0) { /* what the wall's next life begins with */
		book_close(&s->book);
		s->book.texts = fd_take(&s->reload.texts);
		s->book.snapshot = fd_take(&s->reload.snapshot);
	}
	answer(s, d->result != 0 ? json_pack("{s:s}", "error", err_text(d->result))
				 : json_pack("{s:b,s:I,s:I,s:I,s:I,s:I}", "ok", 1, "rules",
					     (json_int_t)d->rules, "failed", (json_int_t)d->failed,
					     "warnings", (json_int_t)d->warnings, "load_us",
					     (json_int_t)(d->load_ns / 1000), "swap_us",
					     (json_int_t)(d->swap_ns / 1000)));
}

void super_rules_wall_died(struct super *s)
{
	if (s->reload.client >= 0)
		refuse(s, "the wall died; it starts again with the rules it had");
}

void super_rules_tick(struct super *s, int64_t now)
{
	if (s->reload.client >= 0 && now - s->reload.since_ns > PATIENCE_NS)
		refuse(s, "the wall does not answer");
}

void super_rules_close(struct super *s)
{
	if (s->reload.client >= 0)
		refuse(s, "the honeynet stops");
	book_close(&s->book);
}
