/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that take a message by their standard input: the operator's command, or sendmail. alerter names the
 * destination and hands over the message, which nobody here reads; what is run stands in the configuration alone.
 * It runs as a user of its own, one for each destination at a time, for a bounded time.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define SENDMAIL "/usr/sbin/sendmail"
#define PATIENCE_NS (60 * NS_PER_SEC)
#define BODY_MAX (1u << 20)
#define WORDS (CONF_COMMAND + CONF_MAILS + 6)

static void answer(struct super *s, uint8_t destination, uint64_t number,
		   enum deliver_outcome outcome, int code, const char *text)
{
	const struct child *to = child_of(s, ROLE_ALERTER);
	struct deliver_result r = {.number = number,
				   .destination = destination,
				   .outcome = (uint8_t)outcome,
				   .code = code};
	text_copy(r.text, sizeof(r.text), text);
	if (to == NULL || to->control < 0)
		return; /* its successor asks again */
	int err = ipc_send(to->control, MSG_DELIVERED, &r, sizeof(r), NULL, 0);
	if (err != 0)
		log_line(LOG_WARN, "telling alerter what became of a message: %s", err_text(err));
}

/* ---- what is run --------------------------------------------------------------------------------- */

struct words {
	char *argv[WORDS + 1];
	size_t n;
};

static void add(struct words *w, const char *word)
{
	if (w->n < WORDS)
		w->argv[w->n++] = (char *)(uintptr_t)word;
	w->argv[w->n] = NULL;
}

/* The recipients as words: what the message's head says decides nothing. */
static void words_of(const struct conf_destination *d, struct words *w)
{
	if (d->n_command == 0)
		add(w, SENDMAIL);
	for (uint32_t i = 0; i < d->n_command; i++)
		add(w, d->command[i]);
	if (d->kind != DEST_SENDMAIL)
		return;
	add(w, "-i");
	if (d->from[0] != '\0') {
		add(w, "-f");
		add(w, d->from);
	}
	add(w, "--");
	for (uint32_t i = 0; i < d->n_to; i++)
		add(w, d->to[i]);
}

static int run(struct super *s, const struct conf_destination *d, int body, struct command_run *r)
{
	struct words w = {.n = 0};
	CLEANUP(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || lseek(body, 0, SEEK_SET) < 0)
		return -errno;
	words_of(d, &w);
	const struct spawn sp = {.path = w.argv[0],
				 .by_path = true,
				 .argv = w.argv,
				 .uid = s->c->uid_base + UID_COMMAND,
				 .netns = -1,
				 .cgroup = -1,
				 .no_dump = true,
				 .setid = d->kind == DEST_SENDMAIL,
				 .fds = {body, null, null},
				 .n_fds = 3};
	int err = spawn_child(&sp, &r->pid, &r->pidfd);
	return err != 0 ? err : state_note_pid(s, r->pid, "command");
}

/* ---- a message ------------------------------------------------------------------------------------ */

static bool was_done(const struct alerts_run *a, uint64_t number)
{
	for (size_t i = 0; i < COMMANDS_KNOWN; i++)
		if (number != 0 && a->done[i] == number)
			return true;
	return false;
}

static void begin(struct super *s, const struct msg_deliver *m, int body)
{
	struct alerts_run *a = &s->alerts;
	struct command_run *r = &a->commands[m->destination];
	const struct conf_destination *d = &a->conf.to[m->destination];
	*r = (struct command_run){.pidfd = -1,
				  .number = m->number,
				  .until_ns = clock_boot_ns() + PATIENCE_NS,
				  .whole = d->kind == DEST_COMMAND};
	int err = run(s, d, body, r);
	if (err != 0 &&
	    r->pidfd >= 0) /* it runs, and can't be remembered: a crash would leave it behind */
		log_line(LOG_WARN, "command of '%s': %s", d->name, err_text(err));
	else if (err != 0)
		answer(s, m->destination, m->number, DELIVER_LATER, 0, err_text(err));
}

void command_deliver(struct super *s, struct ipc_msg *msg)
{
	struct alerts_run *a = &s->alerts;
	struct msg_deliver m;
	size_t size = 0;
	memcpy(&m, msg->payload, sizeof(m));
	const struct conf_destination *d =
		m.destination < a->conf.n_to ? &a->conf.to[m.destination] : NULL;
	if (d == NULL || deliver_mark(d) != m.mark) {
		answer(s, m.destination, m.number, DELIVER_LATER, 0, "of another configuration");
		return;
	}
	if (d->kind != DEST_SENDMAIL && (d->kind != DEST_COMMAND || d->n_command == 0)) {
		answer(s, m.destination, m.number, DELIVER_NEVER, 0,
		       "not a destination with a command");
		return;
	}
	if (was_done(a, m.number)) {
		answer(s, m.destination, m.number, DELIVER_OK, 0, "taken before");
		return;
	}
	const struct command_run *r = &a->commands[m.destination];
	if (r->pidfd >= 0 && r->number == m.number)
		return; /* it is at it; a new alerter hears the end as the old one would have */
	if (r->pidfd >= 0) {
		answer(s, m.destination, m.number, DELIVER_LATER, 0,
		       "its command is still at the one before");
		return;
	}
	if (msg->n_fds != 1 || sealed_size(msg->fds[0], &size) != 0 || size != m.size ||
	    size > BODY_MAX) {
		answer(s, m.destination, m.number, DELIVER_NEVER, 0,
		       "no sealed message came with it");
		return;
	}
	begin(s, &m, msg->fds[0]);
}

/* EX_DATAERR, EX_NOUSER: it will never take this one. Whatever else may be mended, until alerts.give_up. */
static enum deliver_outcome outcome_of(int code)
{
	if (code == EX_OK)
		return DELIVER_OK;
	return code == EX_DATAERR || code == EX_NOUSER ? DELIVER_NEVER : DELIVER_LATER;
}

void command_ended(struct super *s, size_t index)
{
	struct alerts_run *a = &s->alerts;
	struct command_run *r = &a->commands[index];
	char text[64];
	int code, sig;
	/* What an operator's script left in the background goes with it, while its number is still its own;
	 * a sendmail may deliver from there. */
	if (r->whole)
		kill(-r->pid, SIGKILL);
	super_reap(&r->pid, &r->pidfd, &code, &sig);
	enum deliver_outcome outcome = sig >= 0 ? DELIVER_LATER : outcome_of(code);
	if (r->late)
		snprintf(text, sizeof(text), "took over %d s: killed",
			 (int)(PATIENCE_NS / NS_PER_SEC));
	else if (sig >= 0)
		snprintf(text, sizeof(text), "its command died of signal %d", sig);
	else
		snprintf(text, sizeof(text), "its command ended with code %d", code);
	if (outcome == DELIVER_OK)
		a->done[a->n_done++ % COMMANDS_KNOWN] = r->number;
	answer(s, (uint8_t)index, r->number, outcome, code > 0 ? code : 0, text);
}

void command_tick(struct super *s, int64_t now)
{
	for (size_t i = 0; i < CONF_DESTINATIONS; i++) {
		struct command_run *r = &s->alerts.commands[i];
		if (r->pidfd < 0 || r->late || now < r->until_ns)
			continue;
		r->late = true;
		kill(-r->pid, SIGKILL);
	}
}

void command_close(struct super *s)
{
	for (size_t i = 0; i < CONF_DESTINATIONS; i++) {
		struct command_run *r = &s->alerts.commands[i];
		if (r->pidfd < 0)
			continue;
		r->late = true;
		kill(-r->pid, SIGKILL);
		command_ended(s, i);
	}
}
