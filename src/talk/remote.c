/* SPDX-License-Identifier: BSD-2-Clause */
/* The r commands: rlogin (RFC 1282), and rsh and rexec, whose words before the talk end with zero bytes. */
#include "talk/talk_priv.h"

#include <string.h>

#define WORDS 4
#define WINDOW 12 /* rlogin: ff ff 's' 's' and four numbers */

struct remote {
	struct talk_login login;
	struct talk_line line;
	char word[WORDS][256];
	uint8_t n_words;
	uint16_t len;           /* of the word that comes */
	uint8_t window[WINDOW]; /* rlogin: bytes that may be the window's size */
	uint8_t n_window;
	bool greeted; /* the server's zero byte has gone by */
};

/* rlogin: "", user here, user there, terminal/speed; rsh: port, user here, user there, command; rexec: port, user,
 * password, command. */
static void words_are_there(struct talk_conv *c, struct remote *s)
{
	if (c->proto == &talk_rexec)
		conv_login(c, s->word[1], s->word[2], -1);
	else
		conv_login(c, s->word[2], "", -1);
	text_copy(s->login.user, sizeof(s->login.user), s->word[c->proto == &talk_rexec ? 1 : 2]);
	if (c->proto != &talk_rlogin)
		conv_command(c, s->word[3], strlen(s->word[3]));
}

static bool take_word(struct talk_conv *c, struct remote *s, uint8_t b)
{
	if (s->n_words >= WORDS)
		return false;
	char *word = s->word[s->n_words];
	if (b != 0) {
		if (s->len < sizeof(s->word[0]) - 1)
			word[s->len++] = (char)b;
		return true;
	}
	word[s->len] = '\0';
	s->len = 0;
	if (++s->n_words == WORDS)
		words_are_there(c, s);
	return true;
}

/* rlogin: is it part of a message about the window? */
static bool take_window(struct talk_conv *c, struct remote *s, uint8_t b)
{
	static const uint8_t magic[] = {0xff, 0xff, 's', 's'};
	if (c->proto != &talk_rlogin)
		return false;
	if (s->n_window < sizeof(magic) && b != magic[s->n_window]) {
		s->n_window = 0;
		return false;
	}
	s->window[s->n_window++] = b;
	if (s->n_window < WINDOW)
		return true;
	s->n_window = 0;
	uint16_t rows = load_be16(s->window + 4), cols = load_be16(s->window + 6);
	if (c->session != 0 && rows > 0 && cols > 0)
		session_size(c->t->conf.book, c->session, cols, rows, c->t->now_ns);
	return true;
}

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct remote *s = c->state;
	if (by == BY_SERVER) {
		uint32_t skip = !s->greeted && len > 0 && data[0] == 0 ? 1 : 0;
		s->greeted = true;
		conv_output(c, data + skip, len - skip);
		login_output(c, &s->login, data + skip, len - skip);
		return;
	}
	uint8_t keys[256];
	uint32_t n = 0;
	bool commands = c->proto == &talk_rlogin;
	for (uint32_t i = 0; i < len; i++) {
		if (take_word(c, s, data[i]) || take_window(c, s, data[i]))
			continue;
		keys[n++] = data[i];
		if (n == sizeof(keys)) {
			login_keys(c, &s->login, &s->line, keys, n, commands);
			n = 0;
		}
	}
	login_keys(c, &s->login, &s->line, keys, n, commands);
}

static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct remote *s = c->state;
	if (by != BY_CLIENT)
		return;
	line_clear(&s->line);
	s->n_window = 0;
}

static void on_end(struct talk_conv *c)
{
	struct remote *s = c->state;
	login_end(c, &s->login);
}

const struct talk_proto talk_rlogin = {
	.service = "rlogin",
	.state_bytes = sizeof(struct remote),
	.raw = true,
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
const struct talk_proto talk_rsh = {
	.service = "rsh",
	.state_bytes = sizeof(struct remote),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
const struct talk_proto talk_rexec = {
	.service = "rexec",
	.state_bytes = sizeof(struct remote),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
