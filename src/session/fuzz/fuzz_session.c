/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anything that any layer may tell, in any order: every event is valid, and no file holds a byte that a terminal should
 * not see, or a line that is no JSON.
 *
 * Input: steps. A byte says what (a record, a syslog line, the wire, time), one or two how long, then that many
 * bytes: a record's type, its fixed part, its texts.
 */
#include "session/test/rig.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static const size_t fixed[SENSOR_TYPES] = {[SENSOR_HELLO] = sizeof(struct sensor_hello),
					   [SENSOR_BEAT] = sizeof(struct sensor_beat),
					   [SENSOR_VISIT] = sizeof(struct sensor_visit),
					   [SENSOR_VISIT_END] = sizeof(struct sensor_visit_end),
					   [SENSOR_EXEC] = sizeof(struct sensor_exec),
					   [SENSOR_EXIT] = sizeof(struct sensor_exit),
					   [SENSOR_DATA] = sizeof(struct sensor_data),
					   [SENSOR_SIZE] = sizeof(struct sensor_size),
					   [SENSOR_LOGIN] = sizeof(struct sensor_login),
					   [SENSOR_CONNECT] = sizeof(struct sensor_connect),
					   [SENSOR_FILE] = sizeof(struct sensor_file),
					   [SENSOR_CONTENT] = sizeof(struct sensor_content),
					   [SENSOR_CRED] = sizeof(struct sensor_cred),
					   [SENSOR_KERNEL] = sizeof(struct sensor_kernel),
					   [SENSOR_SIGNAL] = sizeof(struct sensor_signal),
					   [SENSOR_STATE] = sizeof(struct sensor_state),
					   [SENSOR_LOST] = sizeof(struct sensor_lost)};

/* As the parser hands it out: a type in range, comm terminated, visits of a few numbers so that they meet. */
static void record(struct rig *r, struct reader *in)
{
	struct sensor_record rec = {.boot_ns = r->boot_ns};
	uint8_t type = read_u8(in);
	rec.type = (uint16_t)(1 + type % (SENSOR_TYPES - 1));
	size_t n = fixed[rec.type] < reader_left(in) ? fixed[rec.type] : reader_left(in);
	memcpy(&rec.u, read_bytes(in, n), n);
	if (rec.type >= SENSOR_EXEC && rec.type != SENSOR_CONTENT && rec.type != SENSOR_STATE &&
	    rec.type != SENSOR_LOST) {
		rec.u.exec.p.visit &= 7;
		rec.u.exec.p.comm[SENSOR_COMM - 1] = '\0';
	}
	rec.u.visit.visit &=
		rec.type == SENSOR_VISIT || rec.type == SENSOR_VISIT_END ? 7 : UINT64_MAX;
	rec.u.visit.comm[SENSOR_COMM - 1] &= (char)(rec.type == SENSOR_VISIT ? 0 : -1);
	if (rec.type == SENSOR_SIGNAL)
		rec.u.signal.to_comm[SENSOR_COMM - 1] = '\0';
	if (rec.type == SENSOR_CONTENT) {
		rec.u.content.visit &= 7;
		rec.u.content.offset &= 0xffff;
		rec.u.content.file &= 7;
	}
	while (rec.n_texts < SENSOR_TEXTS && reader_left(in) > 0) {
		size_t len = read_u8(in);
		len = len < reader_left(in) ? len : reader_left(in);
		rec.texts[rec.n_texts++] = (struct sensor_text){read_bytes(in, len), (uint32_t)len};
	}
	(void)session_record(r->book, 0, &rec, r->now);
}

static void line(struct rig *r, const uint8_t *p, size_t len)
{
	static struct session_shell sh;
	struct syslog_line l;
	char text[SYSLOG_LINE];
	struct writer w = writer_of(text, sizeof(text));
	bool sshd = len > 0 && p[0] == '!'; /* else the shell */
	write_str(&w, sshd ? "<86>Nov 28 10:00:00 web sshd[40]: "
			   : "<182>Nov 28 10:00:00 web sh[50]: ");
	p += sshd;
	len -= sshd;
	memcpy(text + w.len, p, len);
	syslog_parse(text, w.len + len, r->now, &l);
	bool shell = session_shell_parse(&l, &sh);
	(void)session_syslog(r->book, 0, &l, shell ? &sh : NULL, r->now);
}

static void wire(struct rig *r, uint64_t *id, uint64_t *file, const uint8_t *p, size_t len)
{
	struct session_open o = {.service = "telnet", .server_port = 23, .start_ns = r->now};
	struct session_file_open f = {.session = *id, .how = "uploaded", .source = ""};
	char text[260];
	uint8_t what = len > 0 ? p[0] : 0;
	const char *rest = (const char *)p + (len > 0);
	size_t n = len > 0 ? len - 1 : 0;
	snprintf(text, sizeof(text), "%.*s", (int)n, rest);
	f.name = text;
	o.client_port = (uint16_t)(n > 0 ? rest[0] & 3 : 0);
	o.client = addr_from_v4("\xc6\x33\x64\x07");
	switch (what % 10) {
	case 0:
		*id = session_begin(r->book, &o);
		break;
	case 1:
		session_output(r->book, *id, rest, n, r->now);
		break;
	case 2:
		session_input(r->book, *id, rest, n, r->now);
		break;
	case 3:
		session_size(r->book, *id, (uint16_t)(n * 3), (uint16_t)n, r->now);
		break;
	case 4:
		session_command(r->book, *id, rest, n, r->now);
		break;
	case 5:
		session_login(r->book, *id, rest, n / 2, rest + n / 2, n - n / 2, (int)(n % 3) - 1,
			      r->now);
		break;
	case 6:
		session_mark(r->book, *id, text, r->now);
		session_client(r->book, *id, rest, n, r->now);
		break;
	case 7:
		*file = session_file_begin(r->book, &f, r->now);
		break;
	case 8:
		session_file_data(r->book, *file, rest, n);
		break;
	case 9:
		session_file_end(r->book, *file, n % 2 != 0, r->now);
		session_end(r->book, n % 3 == 0 ? *id : 0, "closed", r->now);
		break;
	}
}

static bool parse_lines(char *text)
{
	char *save = NULL;
	bool fine = true;
	for (char *l = strtok_r(text, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		json_t *o = json_loads(l, JSON_ALLOW_NUL, NULL);
		fine = fine && o != NULL;
		json_decref(o);
	}
	free(text);
	return fine;
}

static bool read_back(void *ctx, const struct session_row *row)
{
	struct rig *r = ctx;
	char id[SESSION_ID_TEXT], name[32];
	static const char *const endings[] = {".cast", "-2.cast", "-3.cast", "-4.cast"};
	session_id_text(row->id, id);
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		snprintf(name, sizeof(name), "%s%s", id, endings[i]);
		must(parse_lines(rig_read(r, rig_day(r, name))));
	}
	return true;
}

static bool seen(void *ctx, const struct session_file_row *row)
{
	return strlen(row->sha256) == 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct reader in = reader_of(data, size);
	uint64_t id = 0, file = 0;
	must(r != NULL);
	rig_open(r, 1);
	while (reader_left(&in) > 1) {
		uint8_t what = read_u8(&in);
		size_t len = read_u8(&in);
		len = (what & 0x80) != 0 ? len * 8 : len;
		len = len < reader_left(&in) ? len : reader_left(&in);
		const uint8_t *p = read_bytes(&in, len);
		struct reader part = reader_of(p, len);
		if ((what & 7) < 4)
			record(r, &part);
		else if ((what & 7) == 4)
			line(r, p, len);
		else if ((what & 7) < 7)
			wire(r, &id, &file, p, len);
		else
			rig_wait(r, (int64_t)len * 10 * NS_PER_MS);
	}
	rig_wait(r, NS_PER_SEC);
	rig_close(r);
	must(r->invalid == 0);
	must(rig_dirty(r) == 0);
	must(parse_lines(rig_read(r, rig_day(r, "cowrie.json"))));
	must(parse_lines(rig_read(r, rig_day(r, "list.jsonl"))));
	must(session_list(r->dir, 0, INT64_MAX / 2, read_back, r) == 0);
	must(session_files(r->dir, seen, NULL) == 0);
	rig_remove(r);
	free(r);
	return 0;
}
