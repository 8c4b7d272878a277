/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as text, for people who try the monitor out. */
#include "monitor/monitor.h"

#include <string.h>

static const char *const names[SENSOR_TYPES] = {
	[SENSOR_HELLO] = "hello",         [SENSOR_BEAT] = "beat",     [SENSOR_VISIT] = "visit",
	[SENSOR_VISIT_END] = "visit-end", [SENSOR_EXEC] = "exec",     [SENSOR_EXIT] = "exit",
	[SENSOR_DATA] = "data",           [SENSOR_SIZE] = "size",     [SENSOR_LOGIN] = "login",
	[SENSOR_CONNECT] = "connect",     [SENSOR_FILE] = "file",     [SENSOR_CONTENT] = "content",
	[SENSOR_CRED] = "cred",           [SENSOR_KERNEL] = "kernel", [SENSOR_SIGNAL] = "signal",
	[SENSOR_STATE] = "state",         [SENSOR_LOST] = "lost",
};
/* Size of the fixed part, and whether it begins with struct sensor_proc. */
struct print_form {
	uint16_t size;
	bool proc;
};
static const struct print_form forms[SENSOR_TYPES] = {
	[SENSOR_HELLO] = {sizeof(struct sensor_hello), false},
	[SENSOR_BEAT] = {sizeof(struct sensor_beat), false},
	[SENSOR_VISIT] = {sizeof(struct sensor_visit), false},
	[SENSOR_VISIT_END] = {sizeof(struct sensor_visit_end), false},
	[SENSOR_EXEC] = {sizeof(struct sensor_exec), true},
	[SENSOR_EXIT] = {sizeof(struct sensor_exit), true},
	[SENSOR_DATA] = {sizeof(struct sensor_data), true},
	[SENSOR_SIZE] = {sizeof(struct sensor_size), true},
	[SENSOR_LOGIN] = {sizeof(struct sensor_login), true},
	[SENSOR_CONNECT] = {sizeof(struct sensor_connect), true},
	[SENSOR_FILE] = {sizeof(struct sensor_file), true},
	[SENSOR_CONTENT] = {sizeof(struct sensor_content), false},
	[SENSOR_CRED] = {sizeof(struct sensor_cred), true},
	[SENSOR_KERNEL] = {sizeof(struct sensor_kernel), true},
	[SENSOR_SIGNAL] = {sizeof(struct sensor_signal), true},
	[SENSOR_STATE] = {sizeof(struct sensor_state), false},
	[SENSOR_LOST] = {sizeof(struct sensor_lost), false},
};

static void print_text(FILE *out, const uint8_t *at, size_t len)
{
	fputs(" \"", out);
	for (size_t i = 0; i < len; i++) {
		if (at[i] < 0x20 || at[i] > 0x7e || at[i] == '"' || at[i] == '\\')
			fprintf(out, "\\x%02x", at[i]);
		else
			fputc(at[i], out);
	}
	fputc('"', out);
}

static void print_words(FILE *out, const uint8_t *at, size_t len)
{
	for (; len >= 4; at += 4, len -= 4) {
		uint32_t v;

		memcpy(&v, at, sizeof(v));
		fprintf(out, " %x", v);
	}
}

void print_record(FILE *out, const struct sensor_head *h, const uint8_t *payload)
{
	const struct print_form *f = h->type < SENSOR_TYPES ? &forms[h->type] : &forms[0];
	const uint8_t *at = payload, *end = payload + h->len;
	struct sensor_proc p;

	fprintf(out, "%llu %llu.%06llu %s", (unsigned long long)h->seq,
		(unsigned long long)(h->boot_ns / NS_PER_SEC),
		(unsigned long long)(h->boot_ns % NS_PER_SEC / 1000),
		h->type < SENSOR_TYPES && names[h->type] ? names[h->type] : "?");
	if (f->size == 0 || h->len < f->size) {
		fputc('\n', out);
		return;
	}
	if (f->proc) {
		memcpy(&p, at, sizeof(p));
		fprintf(out, " visit=%llu pid=%u ppid=%u sid=%u uid=%u euid=%u tty=%d",
			(unsigned long long)p.visit, p.pid, p.ppid, p.sid, p.uid, p.euid, p.tty);
		print_text(out, (const uint8_t *)p.comm, strnlen(p.comm, sizeof(p.comm)));
		at += sizeof(p);
	}
	print_words(out, at, (size_t)(payload + f->size - at));
	for (at = payload + f->size; end - at >= 2;) {
		uint16_t n;

		memcpy(&n, at, sizeof(n));
		at += 2;
		if (n > end - at)
			break;
		print_text(out, at, n);
		at += n;
	}
	fputc('\n', out);
}
