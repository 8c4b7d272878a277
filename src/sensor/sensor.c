/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds records in the bytes of a serial port; records.c looks into them. */
#include "sensor/sensor_priv.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are taken as they come");
_Static_assert(sizeof(struct sensor_head) == 24, "both ends must agree");
_Static_assert(SENSOR_BUFFER >= 2 * (sizeof(struct sensor_head) + SENSOR_PAYLOAD),
	       "a whole record must fit behind a half one");

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

void *sensor_room(struct sensor_parser *p, size_t *ret_size)
{
	if (p->at) {
		memmove(p->buf, p->buf + p->at, p->len - p->at);
		p->len -= p->at;
		p->at = 0;
	}
	*ret_size = SENSOR_BUFFER - p->len;
	return p->buf + p->len;
}

void sensor_filled(struct sensor_parser *p, size_t n)
{
	size_t room = SENSOR_BUFFER - p->len;

	p->len += (uint32_t)(n < room ? n : room);
}

static void skip_junk(struct sensor_parser *p, uint32_t n)
{
	p->at += n;
	p->junk_bytes = add_capped(p->junk_bytes, n);
}

/* Goes to the next magic. False: what is left may be the beginning of one, no more. */
static bool find_magic(struct sensor_parser *p)
{
	const uint32_t magic = SENSOR_MAGIC;
	const uint8_t *at = p->buf + p->at, *hit;
	uint32_t left = p->len - p->at, tail;

	hit = left >= sizeof(magic) ? memmem(at, left, &magic, sizeof(magic)) : NULL;
	if (hit) {
		skip_junk(p, (uint32_t)(hit - at));
		return true;
	}
	for (tail = left < 3 ? left : 3; tail; tail--) {
		if (!memcmp(at + left - tail, &magic, tail))
			break;
	}
	skip_junk(p, left - tail);
	return false;
}

/* What had a magic and is no record: the search goes on behind the magic, since its length can't be
 * believed either. */
static void refuse(struct sensor_parser *p)
{
	p->malformed = add_capped(p->malformed, 1);
	skip_junk(p, sizeof(uint32_t));
}

static void count_gap(struct sensor_parser *p, const struct sensor_record *r)
{
	bool anew = r->type == SENSOR_HELLO || r->seq < p->next_seq;

	/* A life's first records may be missing as well; only what was said before we listened is not. */
	if (p->began)
		p->gaps = add_capped(p->gaps, anew ? r->seq : r->seq - p->next_seq);
	p->began = true;
	p->next_seq = add_capped(r->seq, 1);
}

bool sensor_next(struct sensor_parser *p, struct sensor_record *ret)
{
	struct sensor_head head;

	for (;;) {
		if (!find_magic(p))
			return false;
		if (p->len - p->at < sizeof(head))
			return false;
		memcpy(&head, p->buf + p->at, sizeof(head));
		if (!sensor_head_fits(&head)) {
			refuse(p);
			continue;
		}
		if (p->len - p->at < sizeof(head) + head.len)
			return false;
		if (!sensor_parse(&head, p->buf + p->at + sizeof(head), ret)) {
			refuse(p);
			continue;
		}
		p->at += (uint32_t)sizeof(head) + head.len;
		p->records = add_capped(p->records, 1);
		count_gap(p, ret);
		return true;
	}
}
