/* SPDX-License-Identifier: BSD-2-Clause */
/* Telnet: commands and options (RFC 854) are taken out of what is shown and typed; the window's size is told. */
#include "talk/talk_priv.h"

#include <string.h>

#define IAC 255
#define SB 250
#define SE 240
#define TTYPE 24
#define NAWS 31
#define OUT 1024u

enum { PLAIN, COMMAND, OPTION, SUB, SUB_COMMAND };

struct telnet {
	struct talk_login login;
	struct talk_line line;
	uint8_t at[2], n[2];
	uint8_t sub[2][16]; /* option and what is said of it, cut */
};

static void subnegotiated(struct talk_conv *c, const uint8_t *sub, uint8_t n)
{
	char terminal[16];
	if (sub[0] == TTYPE && n > 2 && sub[1] == 0) { /* IS */
		memcpy(terminal, sub + 2, n - 2u);
		terminal[n - 2] = '\0';
		conv_client(c, terminal);
	}
	if (sub[0] != NAWS || n != 5 || c->session == 0)
		return;
	uint16_t cols = load_be16(sub + 1), rows = load_be16(sub + 3);
	if (cols > 0 && rows > 0)
		session_size(c->t->conf.book, c->session, cols, rows, c->t->now_ns);
}

/* One byte through the protocol. True: it is data. */
static bool is_data(struct talk_conv *c, enum talk_side by, uint8_t b)
{
	struct telnet *s = c->state;
	uint8_t *at = &s->at[by], *n = &s->n[by];
	switch (*at) {
	case COMMAND:
		*at = b == SB ? SUB : b >= 251 && b <= 254 ? OPTION : PLAIN;
		*n = 0;
		return b == IAC;
	case OPTION:
		*at = PLAIN;
		return false;
	case SUB_COMMAND:
		*at = b == IAC ? SUB : PLAIN;
		if (b == SE && by == BY_CLIENT)
			subnegotiated(c, s->sub[by], *n);
		if (b != IAC)
			return false;
		break;
	case SUB:
		if (b == IAC) {
			*at = SUB_COMMAND;
			return false;
		}
		break;
	default:
		if (b != IAC)
			return true;
		*at = COMMAND;
		return false;
	}
	if (*n < sizeof(s->sub[by]))
		s->sub[by][(*n)++] = b;
	return false;
}

static void hand_on(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct telnet *s = c->state;
	if (len == 0)
		return;
	if (by == BY_CLIENT) {
		login_keys(c, &s->login, &s->line, data, len, true);
		return;
	}
	conv_output(c, data, len);
	login_output(c, &s->login, data, len);
}

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	uint8_t out[OUT];
	uint32_t n = 0;
	for (uint32_t i = 0; i < len; i++) {
		if (n == OUT) {
			hand_on(c, by, out, n);
			n = 0;
		}
		if (is_data(c, by, data[i]))
			out[n++] = data[i];
	}
	hand_on(c, by, out, n);
}

static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct telnet *s = c->state;
	s->at[by] = PLAIN;
	if (by == BY_CLIENT)
		line_clear(&s->line);
}

static void on_end(struct talk_conv *c)
{
	struct telnet *s = c->state;
	login_end(c, &s->login);
}

const struct talk_proto talk_telnet = {
	.service = "telnet",
	.state_bytes = sizeof(struct telnet),
	.raw = true,
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
