/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal's parser (after the state machine that ECMA-48 terminals have in common), with a list of what may pass.
 * A list, because a terminal knows more than anybody can name.
 */
#include "cmd/visit/safe.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MOST 9999ul

enum { GROUND, ESCAPE, CSI, STRING, STRING_ESCAPE };

/* Soft reset, out of the other screen, cursor on and of its own shape, wrap forward only, no colours reversed, no margins
 * at the sides, plain letters, whole screen. */
const char safe_reset[] =
	"\033[!p\033[?1049l\033[?25h\033[0 q\033[?7h\033[?45l\033[?5l\033[?69l\033[?1l\033[?6l"
	"\033[?2026l\033[4l\033[20l\033>\033[r\033[0m\033(B\017";

struct safe_to {
	safe_out_fn *out;
	void *ctx;
};

static void put(const struct safe *s, const struct safe_to *to, const void *data, size_t len,
		bool control)
{
	if (!control || !s->text_only)
		to->out(to->ctx, data, len);
}

static void add(struct safe *s, uint8_t b)
{
	if (s->len < SAFE_SEQUENCE - 1)
		s->seq[s->len++] = (char)b;
	else
		s->too_long = true;
}

static void begin(struct safe *s, uint8_t state)
{
	s->at = state;
	s->len = 0;
	s->too_long = false;
	if (state == CSI) {
		add(s, 0x1b);
		add(s, '[');
	} else if (state == ESCAPE) {
		add(s, 0x1b);
	}
}

/* ---- control sequences -------------------------------------------------------------------------------- */

/* Modes that change what is drawn; others change what is typed, or the terminal itself. */
static bool mode_passes(unsigned long mode)
{
	static const unsigned short modes[] = {1,  5,  6,  7,   8,    12,   25,   45,  47,
					       66, 69, 95, 117, 1047, 1048, 1049, 2026};
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i] == mode)
			return true;
	return false;
}

/* Those of the modes that may pass: "CSI ? 25 ; 1000 h" becomes "CSI ? 25 h". */
static void put_modes(const struct safe *s, const struct safe_to *to)
{
	char buf[SAFE_SEQUENCE];
	struct writer w = writer_of(buf, sizeof(buf));
	unsigned n = 0;
	write_str(&w, "\033[?");
	for (const char *at = s->seq + 3; *at >= '0' && *at <= ';';) {
		char *end;
		unsigned long v = strtoul(at, &end, 10);
		if (end > at && mode_passes(v))
			write_fmt(&w, "%s%lu", n++ > 0 ? ";" : "", v);
		at = *end == ';' || *end == ':' ? end + 1 : end;
		if (end == at && *at == ':')
			break;
	}
	write_fmt(&w, "%c", s->seq[s->len - 1]);
	if (n > 0)
		put(s, to, buf, w.len, true);
}

/* No huge numbers: a terminal would repeat, or scroll, for as long as it takes. */
static bool numbers_are_small(const struct safe *s)
{
	for (const char *at = s->seq + 2; *at != '\0'; at++) {
		unsigned long v = 0;
		for (; *at >= '0' && *at <= '9'; at++) {
			v = v * 10 + (unsigned long)(*at - '0');
			if (v > NUMBER_MOST)
				return false;
		}
		if (*at == '\0')
			break;
	}
	return true;
}

/* Inserting, and what a line's end is; others would lock the keyboard, or show twice what is typed. */
static bool is_drawing_mode(const struct safe *s)
{
	return (s->len == 4 && s->seq[2] == '4') ||
	       (s->len == 5 && s->seq[2] == '2' && s->seq[3] == '0');
}

static bool has_many_numbers(const struct safe *s)
{
	return memchr(s->seq, ';', s->len) != NULL;
}

/* s->seq is terminated and ends with its final byte. */
static void csi_ends(const struct safe *s, const struct safe_to *to)
{
	char last = s->seq[s->len - 1], first = s->seq[2], before = s->seq[s->len - 2];
	if (s->too_long || !numbers_are_small(s))
		return;
	if (first == '?') {
		if (last == 'h' || last == 'l')
			put_modes(s, to);
		else if ((last == 'J' || last == 'K') && before != '$')
			put(s, to, s->seq, s->len, true);
		return;
	}
	if (first >= '<' && first <= '>')
		return; /* all of these ask, or change what keys send */
	bool fine = false;
	if (before == ' ')
		fine = last == 'q' || last == '@' || last == 'A';
	else if (before == '!')
		fine = last == 'p';
	else if (before == '"')
		fine = last == 'q';
	else if (before == '$')
		fine = strchr("rtvxz{", last) != NULL;
	else if (before == '*')
		fine = last == 'x';
	else if (before == '\'')
		fine = last == '}' || last == '~';
	else if (before < 0x20 || before > 0x2f)
		fine = strchr("@ABCDEFGHIJKLMPSXZ`abdefgmrsu", last) != NULL ||
		       ((last == 'h' || last == 'l') && is_drawing_mode(s)) ||
		       (last == 'T' && !has_many_numbers(s));
	if (last == 'J' && first == '3')
		return; /* the lines that have left the screen are the operator's */
	if (fine)
		put(s, to, s->seq, s->len, true);
}

static void in_csi(struct safe *s, uint8_t b, const struct safe_to *to)
{
	if (b < 0x20) { /* controls within work as if they stood before */
		if (b == '\n' || b == '\r' || b == '\b' || b == '\t' || b == 0x0b || b == 0x0c)
			put(s, to, &b, 1, b != '\n');
		return;
	}
	if (b >= 0x7f)
		return;
	add(s, b);
	if (b < 0x40)
		return;
	s->seq[s->len] = '\0';
	s->at = GROUND;
	csi_ends(s, to);
}

/* ---- escape sequences ----------------------------------------------------------------------------------- */

static void in_escape(struct safe *s, uint8_t b, const struct safe_to *to)
{
	if (b < 0x20) {
		if (b == '\n' || b == '\r' || b == '\b' || b == '\t')
			put(s, to, &b, 1, b != '\n');
		return;
	}
	if (s->len == 1 && b == '[') {
		begin(s, CSI);
		return;
	}
	if (s->len == 1 && memchr("]PX^_k", b, 6) != NULL) {
		begin(s, STRING); /* OSC, DCS, SOS, PM, APC, screen's title: none of these draws */
		s->osc = b == ']';
		return;
	}
	add(s, b);
	if (b < 0x30)
		return; /* an intermediate byte */
	s->at = GROUND;
	bool fine = false;
	if (s->len == 2)
		fine = memchr("78DEHMNOc=>no|}~", b, 16) != NULL;
	else if (s->len == 3 && memchr("()*+-./", s->seq[1], 7) != NULL)
		fine = b < 0x7f;
	else if (s->len == 3 && s->seq[1] == '#')
		fine = memchr("34568", b, 5) != NULL;
	if (fine && !s->too_long)
		put(s, to, s->seq, s->len, true);
}

/* ---- everything else -------------------------------------------------------------------------------------- */

static void control(struct safe *s, uint8_t b, const struct safe_to *to)
{
	if (b == 0x1b) {
		begin(s, ESCAPE);
		return;
	}
	if (b == '\n' || b == '\t')
		put(s, to, &b, 1, false);
	else if (b == 7 || b == '\b' || b == '\r' || b == 0x0b || b == 0x0c || b == 0x0e ||
		 b == 0x0f)
		put(s, to, &b, 1, true);
}

/* C1 controls, which UTF-8 has as two bytes: what they mean is said in seven bits. */
static void control_c1(struct safe *s, uint8_t c, const struct safe_to *to)
{
	if (c == 0x9b) {
		begin(s, CSI);
	} else if (c == 0x90 || c == 0x98 || c == 0x9d || c == 0x9e || c == 0x9f) {
		begin(s, STRING);
		s->osc = c == 0x9d;
	} else if (c == 0x84 || c == 0x85 || c == 0x88 || c == 0x8d) {
		begin(s, ESCAPE);
		in_escape(s, (uint8_t)(c - 0x40), to);
	}
}

static void put_character(struct safe *s, const struct safe_to *to)
{
	if (s->len_utf8 == 2 && s->utf8[0] == 0xc2 && s->utf8[1] < 0xa0)
		control_c1(s, s->utf8[1], to);
	else
		put(s, to, s->utf8, s->len_utf8, false);
}

static const char unknown[] = "\xef\xbf\xbd";

/* A byte of 0x80 and above. What is no UTF-8 at all is shown as what it is: one unknown character. */
static void high(struct safe *s, uint8_t b, const struct safe_to *to)
{
	bool follows = (b & 0xc0) == 0x80;
	if (s->have_utf8 > 0 && follows) {
		s->utf8[s->have_utf8++] = b;
		if (s->have_utf8 == s->len_utf8) {
			s->have_utf8 = 0;
			put_character(s, to);
		}
		return;
	}
	if (s->have_utf8 > 0 || follows)
		put(s, to, unknown, 3, false);
	s->have_utf8 = 0;
	if (follows)
		return;
	if (b < 0xc2 || b > 0xf4) {
		put(s, to, unknown, 3, false);
		return;
	}
	s->len_utf8 = b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : 2;
	s->utf8[s->have_utf8++] = b;
}

static void in_string(struct safe *s, uint8_t b)
{
	bool c1_end = s->have_utf8 == 1 && b == 0x9c; /* ST as U+009C */
	s->have_utf8 = b == 0xc2;
	if ((b == 7 && s->osc) || b == 0x18 || b == 0x1a || c1_end) {
		s->at = GROUND;
		s->have_utf8 = 0;
	} else if (b == 0x1b) {
		s->at = STRING_ESCAPE;
		s->have_utf8 = 0;
	}
}

static void one_byte(struct safe *s, uint8_t b, const struct safe_to *to)
{
	if (s->at == STRING) {
		in_string(s, b);
		return;
	}
	if (b < 0x80 && s->have_utf8 > 0) { /* a character that never ended */
		put(s, to, unknown, 3, false);
		s->have_utf8 = 0;
	}
	if (s->at == STRING_ESCAPE) {
		s->at = GROUND;
		if (b == '\\')
			return;
		begin(s, ESCAPE); /* the escape ended the string and begins another */
	}
	if (b == 0x18 || b == 0x1a) {
		s->at = GROUND;
	} else if (b == 0x1b) {
		begin(s, ESCAPE);
	} else if (s->at == ESCAPE) {
		in_escape(s, b, to);
	} else if (s->at == CSI) {
		in_csi(s, b, to);
	} else if (b >= 0x80) {
		high(s, b, to);
	} else if (b < 0x20 || b == 0x7f) {
		control(s, b, to);
	} else {
		put(s, to, &b, 1, false);
	}
}

/* Runs of plain letters, most of it, go out in one piece. */
void safe_feed(struct safe *s, const void *data, size_t len, safe_out_fn *out, void *ctx)
{
	const struct safe_to to = {out, ctx};
	const uint8_t *at = data, *end = at + len;
	while (at < end) {
		const uint8_t *run = at;
		while (s->at == GROUND && s->have_utf8 == 0 && at < end && *at >= 0x20 &&
		       *at < 0x7f)
			at++;
		if (at > run)
			put(s, &to, run, (size_t)(at - run), false);
		if (at < end)
			one_byte(s, *at++, &to);
	}
}
