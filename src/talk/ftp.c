/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FTP (RFC 959, 2428): who logs in, what is asked, and the data connections that are announced. What goes
 * over those is a file, fetched or uploaded; which one the latest command says.
 */
#include "talk/talk_priv.h"

#include <stdlib.h>
#include <string.h>

enum { IDLE, FETCH, STORE, LISTING };

struct ftp {
	struct ftp *next, **back; /* all of talk's */
	uint64_t id, session;     /* of the control connection */
	struct addr server;
	struct talk_line line[2];
	char user[TALK_WORD], secret[TALK_WORD], name[TALK_NAME];
	uint8_t doing;
	bool waits; /* for what comes of a PASS */
};

struct ftp_data {
	uint64_t file;
	bool open, dull; /* dull: a list of names, or unasked */
	char name[TALK_NAME];
};

/* ---- data connections -------------------------------------------------------------------------------- */

static struct ftp *parent_of(struct talk *t, uint64_t id)
{
	for (struct ftp *f = t->ftp; f != NULL; f = f->next)
		if (f->id == id)
			return f;
	return NULL;
}

bool ftp_claims(struct talk_conv *c)
{
	uint64_t parent;
	uint32_t tag;
	if (c->t->ftp == NULL || !stream_expected(c->t->stream, c->flow, &parent, &tag))
		return false;
	c->parent = parent;
	return true;
}

/* Addresses are the control connection's, whatever a command says: others are bounces. */
static void expect(struct talk_conv *c, bool active, uint16_t port)
{
	unsigned client = c->swap ? 1 : 0;
	const struct addr *from = &c->flow->addr[active ? client ^ 1u : client];
	const struct addr *to = &c->flow->addr[active ? client : client ^ 1u];
	if (port == 0 ||
	    stream_expect(c->t->stream, from, to, 0, port, c->flow->id, 0, c->t->now_ns) != 0)
		c->t->stats.refused++;
}

static void data_opens(struct talk_conv *c, struct ftp_data *s)
{
	char source[TALK_NAME + ADDR_TEXT + 16], addr[ADDR_TEXT];
	struct writer w = writer_of(source, sizeof(source));
	struct ftp *p = parent_of(c->t, c->parent);
	s->open = true;
	if (p == NULL || p->doing == IDLE || p->doing == LISTING) {
		s->dull = true;
		return;
	}
	text_copy(s->name, sizeof(s->name), p->name);
	/* The announcing side's server, not this connection's: it may be called back. */
	write_fmt(&w, "ftp://%s/%s", addr_text(&p->server, addr), s->name);
	bool lent = p->session != 0; /* its end is the control connection's */
	if (lent)
		c->session = p->session;
	s->file = conv_file(c, p->doing == FETCH ? "fetched" : "uploaded", s->name, source, 0);
	if (lent)
		c->session = 0;
	p->doing = IDLE;
}

static void on_data_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct ftp_data *s = c->state;
	(void)by;
	if (!s->open)
		data_opens(c, s);
	conv_file_data(c, s->file, data, len);
	if (s->dull)
		conv_let_go(c, NULL);
}

static void on_data_gap(struct talk_conv *c, enum talk_side by)
{
	struct ftp_data *s = c->state;
	(void)by;
	conv_file_end(c, &s->file, false);
	conv_let_go(c, NULL);
}

static void on_data_end(struct talk_conv *c)
{
	struct ftp_data *s = c->state;
	conv_file_end(c, &s->file, c->flow->side[0].fin || c->flow->side[1].fin);
}

const struct talk_proto talk_ftp_data = {
	.service = "ftp-data",
	.state_bytes = sizeof(struct ftp_data),
	.late = true,
	.data = on_data_data,
	.gap = on_data_gap,
	.end = on_data_end,
};

/* ---- the control connection ---------------------------------------------------------------------------- */

/* The last of the numbers between commas: "h1,h2,h3,h4,p1,p2". */
static uint16_t port_of_six(const char *s)
{
	unsigned v[6], n = 0;
	while (*s != '\0' && (*s < '0' || *s > '9'))
		s++;
	for (; n < 6 && *s >= '0' && *s <= '9'; n++) {
		char *end;
		unsigned long x = strtoul(s, &end, 10);
		if (x > 255)
			return 0;
		v[n] = (unsigned)x;
		s = *end == ',' ? end + 1 : end;
	}
	return n == 6 ? (uint16_t)(v[4] << 8 | v[5]) : 0;
}

/* EPSV's "|||port|", EPRT's "|2|2001:db8::1|port|": what lies between the last two bars. */
static uint16_t port_of_bars(const char *s)
{
	const char *last = strrchr(s, '|');
	if (last == NULL || last == s)
		return 0;
	const char *at = last;
	while (at > s && at[-1] != '|')
		at--;
	unsigned long v = strtoul(at, NULL, 10);
	return at > s && v < 65536 ? (uint16_t)v : 0;
}

static void transfer(struct talk_conv *c, struct ftp *s, uint8_t doing)
{
	const struct talk_line *l = &s->line[BY_CLIENT];
	const char *name = l->text + strcspn(l->text, " ");
	while (*name == ' ')
		name++;
	s->doing = doing;
	s->session = conv_session(c);
	text_copy(s->name, sizeof(s->name), name);
}

static void secret_is(struct talk_conv *c, struct ftp *s)
{
	const char *at = s->line[BY_CLIENT].text + 4;
	if (s->waits)
		conv_login(c, s->user, s->secret, -1);
	text_copy(s->secret, sizeof(s->secret), *at == ' ' ? at + 1 : at);
	s->waits = true;
}

static void asked(struct talk_conv *c, struct ftp *s)
{
	const struct talk_line *l = &s->line[BY_CLIENT];
	const char *at = l->text, *end = l->text + l->len;
	char word[TALK_WORD];
	if (line_begins(l, "PASS")) {
		secret_is(c, s);
		return;
	}
	conv_command(c, l->text, l->len);
	line_word(&at, end, word, sizeof(word));
	if (line_begins(l, "USER"))
		line_word(&at, end, s->user, sizeof(s->user));
	else if (line_begins(l, "PORT"))
		expect(c, true, port_of_six(at));
	else if (line_begins(l, "EPRT"))
		expect(c, true, port_of_bars(at));
	else if (line_begins(l, "RETR"))
		transfer(c, s, FETCH);
	else if (line_begins(l, "STOR") || line_begins(l, "APPE") || line_begins(l, "STOU"))
		transfer(c, s, STORE);
	else if (line_begins(l, "LIST") || line_begins(l, "NLST") || line_begins(l, "MLSD"))
		transfer(c, s, LISTING);
	else if (line_begins(l, "AUTH"))
		c->crypt[0] = c->crypt[1] = true;
}

static void answered(struct talk_conv *c, struct ftp *s)
{
	const struct talk_line *l = &s->line[BY_SERVER];
	if (l->len < 3 || l->text[3] == '-' || l->text[0] < '1' || l->text[0] > '5')
		return;
	if (memcmp(l->text, "227", 3) == 0)
		expect(c, false, port_of_six(l->text + 3));
	else if (memcmp(l->text, "229", 3) == 0)
		expect(c, false, port_of_bars(l->text));
	if (s->waits && (l->text[0] == '2' || l->text[0] >= '4')) {
		conv_login(c, s->user, s->secret, l->text[0] == '2' ? 1 : 0);
		s->waits = false;
	}
}

static void join(struct talk_conv *c, struct ftp *s)
{
	struct ftp **first = (struct ftp **)&c->t->ftp;
	s->id = c->flow->id;
	s->session = c->session;
	s->server = c->flow->addr[c->swap ? 0 : 1];
	s->next = *first;
	s->back = first;
	if (s->next != NULL)
		s->next->back = &s->next;
	*first = s;
}

static void on_data(struct talk_conv *c, enum talk_side by, const uint8_t *data, uint32_t len)
{
	struct ftp *s = c->state;
	if (s->id == 0)
		join(c, s);
	if (by == BY_CLIENT)
		conv_input(c, data, len);
	else
		conv_output(c, data, len);
	for (uint32_t i = 0; i < len; i++) {
		if (!line_byte(&s->line[by], data[i]))
			continue;
		if (by == BY_CLIENT)
			asked(c, s);
		else
			answered(c, s);
		line_clear(&s->line[by]);
	}
}

static void on_gap(struct talk_conv *c, enum talk_side by)
{
	struct ftp *s = c->state;
	line_clear(&s->line[by]);
}

static void on_end(struct talk_conv *c)
{
	struct ftp *s = c->state;
	if (s->waits)
		conv_login(c, s->user, s->secret, -1);
	if (s->id == 0)
		return;
	*s->back = s->next;
	if (s->next != NULL)
		s->next->back = s->back;
}

const struct talk_proto talk_ftp = {
	.service = "ftp",
	.state_bytes = sizeof(struct ftp),
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
};
