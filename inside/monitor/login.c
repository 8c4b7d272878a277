/* SPDX-License-Identifier: BSD-2-Clause */
/* The talk of sshd's halves -> records of who tried what. */
#include "monitor/login.h"
#include "monitor/auth.h"
#include "monitor/monitor.h"

#include <stdlib.h>
#include <string.h>

#define TALKS 16
#define LONGEST (256u * 1024) /* as sshd has it; what says more is no message */

enum message {
	PWNAM = 8,
	AUTHPASSWORD = 12,
	AUTHPASSWORD_ANSWER = 13,
	KEYALLOWED = 22,
	KEYALLOWED_ANSWER = 23,
	KEYVERIFY_ANSWER = 25,
	PAM_QUERY_ANSWER = 107,
	PAM_RESPOND = 108
};

/* ---- the body of a message -------------------------------------------------------------------------- */

struct body {
	const uint8_t *at;
	size_t left;
	bool bad; /* sticky */
};

static uint32_t take_u32(struct body *b)
{
	if (b->left < 4) {
		b->bad = true;
		return 0;
	}
	uint32_t v = (uint32_t)b->at[0] << 24 | (uint32_t)b->at[1] << 16 | (uint32_t)b->at[2] << 8 |
		     b->at[3];

	b->at += 4;
	b->left -= 4;
	return v;
}

static const uint8_t *take_string(struct body *b, uint32_t *ret_len)
{
	uint32_t n = take_u32(b);
	const uint8_t *at = b->at;

	*ret_len = 0;
	if (b->bad || n > b->left) {
		b->bad = true;
		return at;
	}
	b->at += n;
	b->left -= n;
	*ret_len = n;
	return at;
}

static uint32_t keep(uint8_t to[LOGIN_TEXT], const uint8_t *text, uint32_t len)
{
	uint32_t n = len < LOGIN_TEXT ? len : LOGIN_TEXT;

	memcpy(to, text, n);
	return n;
}

/* "SHA256:" and the digest in base64 without its padding, as ssh-keygen -l shows it. */
static uint32_t fingerprint(uint8_t to[LOGIN_TEXT], const uint8_t *key, uint32_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t d[33];
	uint32_t n = 7;

	digest_sha256(key, len, d);
	d[32] = 0;
	memcpy(to, "SHA256:", n);
	for (uint32_t bit = 0; bit < 256; bit += 6) {
		uint32_t two = (uint32_t)d[bit / 8] << 8 | d[bit / 8 + 1];

		to[n++] = (uint8_t)digits[two >> (10 - bit % 8) & 63];
	}
	return n;
}

static void set_method(struct login_talk *t, const char *name)
{
	t->pending = true;
	memset(t->method, 0, sizeof(t->method));
	memcpy(t->method, name, strlen(name));
}

/* ---- messages ---------------------------------------------------------------------------------------- */

static void take_question(struct login_talk *t, uint8_t type, struct body b)
{
	const uint8_t *text;
	uint32_t len;

	switch (type) {
	case PWNAM:
		text = take_string(&b, &len);
		if (!b.bad)
			t->user_len = keep(t->user, text, len);
		break;
	case PAM_RESPOND:
	case AUTHPASSWORD:
		if (type == PAM_RESPOND && take_u32(&b) != 1)
			break;
		text = take_string(&b, &len);
		if (b.bad)
			break;
		t->secret_len = keep(t->secret, text, len);
		set_method(t, type == PAM_RESPOND ? "keyboard-interactive" : "password");
		break;
	case KEYALLOWED:
		(void)take_u32(&b);
		(void)take_string(&b, &len);
		(void)take_string(&b, &len);
		text = take_string(&b, &len);
		if (b.bad)
			break;
		t->secret_len = fingerprint(t->secret, text, len);
		set_method(t, "publickey");
		break;
	default:
		break;
	}
}

static bool take_answer(struct login_talk *t, uint8_t type, struct body b, bool *ret_ok)
{
	uint32_t ok = take_u32(&b), len;

	if (b.bad || !t->pending)
		return false;
	switch (type) {
	case KEYALLOWED_ANSWER: /* allowed: the key itself is asked for next */
		if (ok)
			return false;
		break;
	case PAM_QUERY_ANSWER: /* 0 and no question more: that is all */
		(void)take_string(&b, &len);
		(void)take_string(&b, &len);
		(void)take_u32(&b);
		if (ok == 0 && take_u32(&b) > 0)
			return false;
		if (b.bad)
			return false;
		ok = ok == 0;
		break;
	case KEYVERIFY_ANSWER: /* an error, or none */
		ok = ok == 0;
		break;
	case AUTHPASSWORD_ANSWER:
		break;
	default:
		return false;
	}
	*ret_ok = ok != 0;
	t->pending = false;
	return true;
}

static bool complete(struct login_talk *t, bool writes, const struct login_half *h, bool *ret_ok)
{
	struct body b = {.at = h->bytes + 1, .left = h->have - 1};

	if (h->have == 0)
		return false;
	if (writes)
		return take_answer(t, h->bytes[0], b, ret_ok);
	if (h->whole)
		take_question(t, h->bytes[0], b);
	return false;
}

bool login_feed(struct login_talk *t, bool writes, const uint8_t *data, size_t have, size_t size,
		bool *ret_ok)
{
	struct login_half *h = writes ? &t->answered : &t->asked;
	bool found = false;

	for (size_t i = 0; i < size;) {
		if (h->left == 0) { /* a byte of the next length */
			if (i >= have) {
				h->got = 0;
				return found;
			}
			h->head = h->head << 8 | data[i++];
			if (++h->got < 4)
				continue;
			h->got = 0;
			h->have = 0;
			h->whole = true;
			h->left = h->head <= LONGEST ? h->head : 0;
			continue;
		}
		size_t n = size - i < h->left ? size - i : h->left, here = i < have ? have - i : 0;

		here = here < n ? here : n;
		if (here < n || n > LOGIN_MESSAGE - h->have)
			h->whole = false;
		if (here > LOGIN_MESSAGE - h->have)
			here = LOGIN_MESSAGE - h->have;
		memcpy(h->bytes + h->have, data + (here ? i : 0), here);
		h->have += (uint32_t)here;
		h->left -= (uint32_t)n;
		i += n;
		if (h->left == 0)
			found |= complete(t, writes, h, ret_ok);
	}
	return found;
}

/* ---- records ----------------------------------------------------------------------------------------- */

struct monitor_logins {
	struct {
		uint32_t pid;
		uint64_t inode, used;
		struct login_talk talk;
	} talks[TALKS];
	uint64_t used;
};

static struct login_talk *talk_of(struct monitor_logins *l, const struct monitor_auth *a)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < TALKS; i++) {
		if (l->talks[i].pid == a->p.pid && l->talks[i].inode == a->inode) {
			l->talks[i].used = ++l->used;
			return &l->talks[i].talk;
		}
		if (l->talks[i].used < l->talks[at].used)
			at = i;
	}
	memset(&l->talks[at], 0, sizeof(l->talks[at]));
	l->talks[at].pid = a->p.pid;
	l->talks[at].inode = a->inode;
	l->talks[at].used = ++l->used;
	return &l->talks[at].talk;
}

void login_take(struct monitor *m, const struct sensor_head *h, uint8_t *payload, size_t len)
{
	struct monitor_auth a;
	struct {
		struct sensor_login l;
		uint8_t texts[3 * (2 + LOGIN_TEXT)];
	} r = {0};
	bool ok = false;

	if (len < sizeof(a))
		return;
	memcpy(&a, payload, sizeof(a));
	if (!m->logins)
		m->logins = calloc(1, sizeof(*m->logins));
	if (!m->logins)
		return;
	struct login_talk *t = talk_of(m->logins, &a);

	if (!login_feed(t, a.writes, payload + sizeof(a), len - sizeof(a), a.size, &ok))
		return;
	const uint8_t *end = r.texts + sizeof(r.texts);
	uint8_t *at = ship_text(r.texts, end, t->user, t->user_len);

	at = ship_text(at, end, t->secret, t->secret_len);
	at = ship_text(at, end, t->method, strlen(t->method));
	r.l.p = a.p;
	r.l.ok = ok;
	(void)ship_put(&m->ship, SENSOR_LOGIN, h->boot_ns, &r, (size_t)(at - (uint8_t *)&r));
}
