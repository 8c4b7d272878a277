/* SPDX-License-Identifier: BSD-2-Clause */
/* Syslog by TCP: messages out of one stream. Whose they are the wall says, by the port that they came in by. */
#include "talk/talk_priv.h"

struct syslog_state {
	struct syslog_framer framer;
};

static void on_message(void *ctx, const char *data, size_t len, bool cut)
{
	struct talk_conv *c = ctx;
	c->t->stats.syslog++;
	uint32_t sender = c->guest_is[BY_CLIENT] ? c->guest : c->peer_guest;
	c->t->conf.syslog(c->t->conf.ctx, sender, c->flow_id, data, len, cut);
}

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct syslog_state *s = c->state;
	if (by == BY_CLIENT)
		syslog_stream(&s->framer, data, len, on_message, c);
}

/* Lost bytes: what was begun ends here; the rest of it comes as a message of its own. */
static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct syslog_state *s = c->state;
	if (by == BY_CLIENT)
		syslog_stream_end(&s->framer, on_message, c);
}

static void on_end(struct talk_conv *c)
{
	on_gap(c, BY_CLIENT);
}

const struct talk_proto talk_syslog = {
	.service = "syslog",
	.state_bytes = sizeof(struct syslog_state),
	.late = true,
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
