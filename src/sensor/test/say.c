/* SPDX-License-Identifier: BSD-2-Clause */
#include "sensor/test/say.h"

#include <string.h>

void say_bytes(struct say *s, const void *data, uint32_t len)
{
	if (len > sizeof(s->buf) - s->len)
		len = (uint32_t)sizeof(s->buf) - s->len;
	if (len)
		memcpy(s->buf + s->len, data, len);
	s->len += len;
}

void say_record(struct say *s, enum sensor_type type, const void *fixed, uint32_t fixed_len,
		uint32_t n, const struct sensor_text *texts)
{
	struct sensor_head head = {
		.magic = SENSOR_MAGIC,
		.type = (uint16_t)type,
		.len = (uint16_t)fixed_len,
		.seq = s->seq++,
		.boot_ns = s->boot_ns,
	};

	for (uint32_t i = 0; i < n; i++)
		head.len = (uint16_t)(head.len + 2 + texts[i].len);
	say_bytes(s, &head, sizeof(head));
	say_bytes(s, fixed, fixed_len);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t len = (uint16_t)texts[i].len;

		say_bytes(s, &len, sizeof(len));
		say_bytes(s, texts[i].data, len);
	}
}

uint32_t say_fixed(enum sensor_type type, uint32_t *ret_texts)
{
	static const struct {
		uint32_t fixed, texts;
	} of[SENSOR_TYPES] = {
		[SENSOR_HELLO] = {sizeof(struct sensor_hello), 1},
		[SENSOR_BEAT] = {sizeof(struct sensor_beat), 0},
		[SENSOR_VISIT] = {sizeof(struct sensor_visit), 0},
		[SENSOR_VISIT_END] = {sizeof(struct sensor_visit_end), 0},
		[SENSOR_EXEC] = {sizeof(struct sensor_exec), 3},
		[SENSOR_EXIT] = {sizeof(struct sensor_exit), 0},
		[SENSOR_DATA] = {sizeof(struct sensor_data), 1},
		[SENSOR_SIZE] = {sizeof(struct sensor_size), 0},
		[SENSOR_LOGIN] = {sizeof(struct sensor_login), 3},
		[SENSOR_CONNECT] = {sizeof(struct sensor_connect), 0},
		[SENSOR_FILE] = {sizeof(struct sensor_file), 2},
		[SENSOR_CONTENT] = {sizeof(struct sensor_content), 2},
		[SENSOR_CRED] = {sizeof(struct sensor_cred), 0},
		[SENSOR_KERNEL] = {sizeof(struct sensor_kernel), 1},
		[SENSOR_SIGNAL] = {sizeof(struct sensor_signal), 0},
		[SENSOR_STATE] = {sizeof(struct sensor_state), 1},
		[SENSOR_LOST] = {sizeof(struct sensor_lost), 0},
	};

	*ret_texts = of[type].texts;
	return of[type].fixed;
}

void say_plain(struct say *s, enum sensor_type type)
{
	static const struct sensor_text texts[] = {
		{(const uint8_t *)"one", 3},
		{(const uint8_t *)"two", 3},
		{(const uint8_t *)"three", 5},
	};
	union {
		uint8_t bytes[256];
		struct sensor_hello hello;
		struct sensor_visit visit;
		struct sensor_data data;
		struct sensor_connect connect;
		struct sensor_file file;
		struct sensor_kernel kernel;
		struct sensor_state state;
	} u;
	uint32_t n_texts, fixed = say_fixed(type, &n_texts);

	memset(&u, 0, sizeof(u));
	if (type == SENSOR_HELLO) {
		u.hello.version = SENSOR_VERSION;
		u.hello.mode = SENSOR_BPF;
	} else if (type == SENSOR_VISIT) {
		u.visit.visit = 1;
		u.visit.ver = 4;
	} else if (type == SENSOR_DATA) {
		u.data.stream = SENSOR_OUT;
	} else if (type == SENSOR_CONNECT) {
		u.connect.ver = 6;
	} else if (type == SENSOR_FILE) {
		u.file.op = SENSOR_WRITTEN;
	} else if (type == SENSOR_KERNEL) {
		u.kernel.what = SENSOR_MODULE;
	} else if (type == SENSOR_STATE) {
		u.state.what = SENSOR_LINK_UP;
	}
	say_record(s, type, u.bytes, fixed, n_texts, texts);
}
