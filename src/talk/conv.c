/* SPDX-License-Identifier: BSD-2-Clause */
/* What protocols tell of a conversation, on its way to the book of sessions. */
#include "talk/talk_priv.h"

#include <string.h>

#define OUT 1024u

uint64_t conv_session(struct talk_conv *c)
{
	struct talk *t = c->t;
	const struct stream_flow *f = c->flow;
	unsigned client = c->swap ? 1 : 0;
	if (c->session != 0 || c->done || !t->conf.sessions)
		return c->session;
	struct session_open o = {
		.guest = c->guest,
		.flow_id = c->flow_id,
		.direction = c->direction,
		.client = f->addr[client],
		.server = f->addr[client ^ 1u],
		.client_port = f->port[client],
		.server_port = f->port[client ^ 1u],
		.start_ns = f->start_ns,
	};
	text_copy(o.service, sizeof(o.service), c->proto->service);
	c->session = session_begin(t->conf.book, &o);
	if (c->session != 0)
		t->stats.sessions++;
	else
		t->stats.refused++;
	return c->session;
}

/* What was no terminal's has bare line feeds: on a terminal the next line would begin below the end of this. */
void conv_output(struct talk_conv *c, const void *data, uint32_t len)
{
	const uint8_t *at = data;
	uint8_t out[OUT];
	uint32_t n = 0;
	if (c->session == 0)
		return;
	if (c->proto->raw) {
		session_output(c->t->conf.book, c->session, data, len, c->t->now_ns);
		return;
	}
	for (uint32_t i = 0; i < len; i++) {
		if (n + 2 > OUT) {
			session_output(c->t->conf.book, c->session, out, n, c->t->now_ns);
			n = 0;
		}
		if (at[i] == '\n' && !c->cr)
			out[n++] = '\r';
		out[n++] = at[i];
		c->cr = at[i] == '\r';
	}
	if (n > 0)
		session_output(c->t->conf.book, c->session, out, n, c->t->now_ns);
}

void conv_input(struct talk_conv *c, const void *data, uint32_t len)
{
	if (c->session != 0 && len > 0)
		session_input(c->t->conf.book, c->session, data, len, c->t->now_ns);
}

void conv_command(struct talk_conv *c, const char *line, size_t len)
{
	if (c->session != 0 && len > 0)
		session_command(c->t->conf.book, c->session, line, len, c->t->now_ns);
}

void conv_login(struct talk_conv *c, const char *user, const char *secret, int ok)
{
	uint64_t id = conv_session(c);
	if (id != 0)
		session_login(c->t->conf.book, id, user, strlen(user), secret, strlen(secret), ok,
			      c->t->now_ns);
}

void conv_client(struct talk_conv *c, const char *version)
{
	if (c->session != 0 && version[0] != '\0')
		session_client(c->t->conf.book, c->session, version, strlen(version), c->t->now_ns);
}

void conv_mark(struct talk_conv *c, const char *label)
{
	if (c->session != 0)
		session_mark(c->t->conf.book, c->session, label, c->t->now_ns);
}

void conv_let_go(struct talk_conv *c, const char *why)
{
	if (why != NULL)
		conv_mark(c, why);
	c->done = true;
}

uint64_t conv_file(struct talk_conv *c, const char *how, const char *name, const char *source,
		   uint64_t size)
{
	const struct session_file_open o = {
		.session = conv_session(c),
		.guest = c->guest,
		.how = how,
		.name = name,
		.source = source,
		.size = size,
	};
	uint64_t file = session_file_begin(c->t->conf.book, &o, c->t->now_ns);
	if (file != 0)
		c->t->stats.files++;
	return file;
}

void conv_file_data(struct talk_conv *c, uint64_t file, const void *data, uint32_t len)
{
	if (file != 0 && len > 0)
		session_file_data(c->t->conf.book, file, data, len);
}

void conv_file_end(struct talk_conv *c, uint64_t *file, bool complete)
{
	if (*file != 0)
		session_file_end(c->t->conf.book, *file, complete, c->t->now_ns);
	*file = 0;
}
