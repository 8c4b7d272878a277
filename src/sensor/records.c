/* SPDX-License-Identifier: BSD-2-Clause */
/* One record: its fixed part, its texts, and whether every field is what it may be. */
#include "sensor/sensor_priv.h"

#include <string.h>

#define DATA_MOST 4096u

struct shape {
	const char *name;
	uint16_t fixed, texts;
	bool proc; /* begins with struct sensor_proc */
};

static const struct shape shapes[SENSOR_TYPES] = {
	[SENSOR_HELLO] = {"hello", sizeof(struct sensor_hello), 1, false},
	[SENSOR_BEAT] = {"beat", sizeof(struct sensor_beat), 0, false},
	[SENSOR_VISIT] = {"visit", sizeof(struct sensor_visit), 0, false},
	[SENSOR_VISIT_END] = {"visit-end", sizeof(struct sensor_visit_end), 0, false},
	[SENSOR_EXEC] = {"exec", sizeof(struct sensor_exec), 3, true},
	[SENSOR_EXIT] = {"exit", sizeof(struct sensor_exit), 0, true},
	[SENSOR_DATA] = {"data", sizeof(struct sensor_data), 1, true},
	[SENSOR_SIZE] = {"size", sizeof(struct sensor_size), 0, true},
	[SENSOR_LOGIN] = {"login", sizeof(struct sensor_login), 3, true},
	[SENSOR_CONNECT] = {"connect", sizeof(struct sensor_connect), 0, true},
	[SENSOR_FILE] = {"file", sizeof(struct sensor_file), 2, true},
	[SENSOR_CONTENT] = {"content", sizeof(struct sensor_content), 2, false},
	[SENSOR_CRED] = {"cred", sizeof(struct sensor_cred), 0, true},
	[SENSOR_KERNEL] = {"kernel", sizeof(struct sensor_kernel), 1, true},
	[SENSOR_SIGNAL] = {"signal", sizeof(struct sensor_signal), 0, true},
	[SENSOR_STATE] = {"state", sizeof(struct sensor_state), 1, false},
	[SENSOR_LOST] = {"lost", sizeof(struct sensor_lost), 0, false},
};

const char *sensor_type_text(unsigned type)
{
	return type < SENSOR_TYPES && shapes[type].name ? shapes[type].name : "?";
}

static const struct shape *shape_of(unsigned type)
{
	return type < SENSOR_TYPES && shapes[type].name ? &shapes[type] : NULL;
}

bool sensor_head_fits(const struct sensor_head *head)
{
	const struct shape *s = shape_of(head->type);

	return s && head->len <= SENSOR_PAYLOAD && head->len >= s->fixed + s->texts * 2u &&
	       (s->texts || head->len == s->fixed);
}

static bool take_texts(const uint8_t *at, uint32_t left, uint32_t n, struct sensor_record *ret)
{
	uint16_t len;

	ret->n_texts = n;
	for (uint32_t i = 0; i < n; i++) {
		if (left < sizeof(len))
			return false;
		memcpy(&len, at, sizeof(len));
		at += sizeof(len);
		left -= (uint32_t)sizeof(len);
		if (len > left)
			return false;
		ret->texts[i] = (struct sensor_text){at, len};
		at += len;
		left -= len;
	}
	return !left;
}

/* IPv4 has four bytes; whatever stands behind them is nobody's business, and must not tell equal addresses
 * apart. */
static bool addr_fits(uint8_t ver, uint8_t addr[16])
{
	if (ver == 4)
		memset(addr + 4, 0, 12);
	return ver == 4 || ver == 6;
}

/* A copy, so that neither alignment nor packing is anybody's concern. */
static bool proc_fits(struct sensor_record *r)
{
	struct sensor_proc *p = &r->u.exec.p; /* first in every type that has one */

	p->comm[SENSOR_COMM - 1] = '\0';
	return p->tty >= -1;
}

static bool small_fits(struct sensor_record *r)
{
	switch (r->type) {
	case SENSOR_LOGIN:
		return r->u.login.ok <= 1;
	case SENSOR_CONNECT:
		return addr_fits(r->u.connect.ver, r->u.connect.addr);
	case SENSOR_FILE:
		return r->u.file.op >= SENSOR_WRITTEN && r->u.file.op <= SENSOR_MODE;
	case SENSOR_KERNEL:
		return r->u.kernel.what == SENSOR_MODULE || r->u.kernel.what == SENSOR_PROGRAM;
	case SENSOR_SIGNAL:
		r->u.signal.to_comm[SENSOR_COMM - 1] = '\0';
		return true;
	case SENSOR_STATE:
		return r->u.state.what >= SENSOR_LINK_UP && r->u.state.what <= SENSOR_UNHOOKED;
	default:
		return true;
	}
}

static bool fields_fit(struct sensor_record *r)
{
	struct sensor_hello *h = &r->u.hello;
	struct sensor_visit *v = &r->u.visit;
	struct sensor_data *d = &r->u.data;

	switch (r->type) {
	case SENSOR_HELLO:
		return h->version == SENSOR_VERSION && h->first <= 1 &&
		       (h->mode == SENSOR_BPF || h->mode == SENSOR_AUDIT);
	case SENSOR_BEAT:
		return r->u.beat.disk_permille <= 1000;
	case SENSOR_VISIT:
		v->comm[SENSOR_COMM - 1] = '\0';
		return v->visit && addr_fits(v->ver, v->peer) && addr_fits(v->ver, v->local);
	case SENSOR_DATA:
		return d->stream >= SENSOR_OUT && d->stream <= SENSOR_ERR && d->echo <= 1 &&
		       r->texts[0].len <= DATA_MOST;
	default:
		return small_fits(r);
	}
}

bool sensor_parse(const struct sensor_head *head, const uint8_t *payload, struct sensor_record *ret)
{
	const struct shape *s = shape_of(head->type);

	if (!s || head->len < s->fixed)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->type = head->type;
	ret->seq = head->seq;
	ret->boot_ns = head->boot_ns;
	memcpy(&ret->u, payload, s->fixed);
	if (!take_texts(payload + s->fixed, head->len - s->fixed, s->texts, ret))
		return false;
	return (!s->proc || proc_fits(ret)) && fields_fit(ret);
}
