/* SPDX-License-Identifier: BSD-2-Clause */
/* A shell on any port (bound, or called back), and other talk in lines that is none of the known protocols. */
#include "talk/talk_priv.h"

struct text {
	struct talk_login login;
	struct talk_line line;
};

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct text *s = c->state;
	if (by == c->typist) {
		login_keys(c, &s->login, &s->line, data, len, c->proto == &talk_shell);
		return;
	}
	conv_output(c, data, len);
	login_output(c, &s->login, data, len);
}

static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct text *s = c->state;
	if (by == c->typist)
		line_clear(&s->line);
}

static void on_end(struct talk_conv *c)
{
	struct text *s = c->state;
	login_end(c, &s->login);
}

const struct talk_proto talk_shell = {
	.service = "shell",
	.state_bytes = sizeof(struct text),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
const struct talk_proto talk_irc = {
	.service = "irc",
	.state_bytes = sizeof(struct text),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
const struct talk_proto talk_text = {
	.service = "text",
	.state_bytes = sizeof(struct text),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
