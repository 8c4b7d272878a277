/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line of QEMU's machine protocol (docs/interop/qmp-spec of QEMU) in either direction. QEMU may
 * be in an intruder's hands: lines are bounded, unknown shapes are QMP_OTHER, nothing is believed.
 */
#include "guest/guest.h"

#include <jansson.h>
#include <string.h>

/* jansson parses recursively up to its own fixed depth (JSON_PARSER_MAX_DEPTH), and the line length
 * bounds what it can allocate. */
static void copy_string(char *dst, size_t size, const json_t *value)
{
	const char *s = json_string_value(value);
	if (s != NULL)
		text_copy(dst, size, s);
}

static void read_event(const json_t *root, struct qmp_message *m)
{
	const json_t *data = json_object_get(root, "data");
	m->kind = QMP_EVENT;
	copy_string(m->name, sizeof(m->name), json_object_get(root, "event"));
	copy_string(m->status, sizeof(m->status), json_object_get(data, "status"));
	static const char *const details[] = {"reason", "action", "node-name", "device", "info"};
	struct writer w = writer_of(m->text, sizeof(m->text));
	for (size_t i = 0; i < ARRAY_LEN(details); i++) {
		const char *s = json_string_value(json_object_get(data, details[i]));
		if (s != NULL)
			write_fmt(&w, "%s%s=%s", w.len > 0 ? " " : "", details[i], s);
	}
}

static void read_answer(const json_t *root, struct qmp_message *m)
{
	const json_t *error = json_object_get(root, "error"), *id = json_object_get(root, "id");
	json_int_t n = json_integer_value(id);
	m->kind = error != NULL ? QMP_ERROR : QMP_RETURN;
	m->id = n > 0 ? (uint64_t)n : 0;
	copy_string(m->name, sizeof(m->name), json_object_get(error, "class"));
	copy_string(m->text, sizeof(m->text), json_object_get(error, "desc"));
	const json_t *value = json_object_get(root, "return");
	copy_string(m->status, sizeof(m->status), json_object_get(value, "status"));
}

int qmp_parse(const char *line, size_t len, struct qmp_message *ret)
{
	struct qmp_message m = {.kind = QMP_OTHER};
	json_error_t err;
	if (len > QMP_LINE_MAX)
		return SKEP_ETRUNC;
	json_t *root = json_loadb(line, len, 0, &err);
	if (root == NULL)
		return SKEP_EFORMAT;
	if (!json_is_object(root)) {
		json_decref(root);
		return SKEP_EFORMAT;
	}
	if (json_object_get(root, "QMP") != NULL)
		m.kind = QMP_GREETING;
	else if (json_is_string(json_object_get(root, "event")))
		read_event(root, &m);
	else if (json_object_get(root, "return") != NULL || json_object_get(root, "error") != NULL)
		read_answer(root, &m);
	json_decref(root);
	*ret = m;
	return 0;
}

int qmp_command(char *buf, size_t size, const char *verb, const char *args, uint64_t id)
{
	struct writer w = writer_of(buf, size);
	write_fmt(&w, "{\"execute\":\"%s\"", verb);
	if (args != NULL)
		write_fmt(&w, ",\"arguments\":%s", args);
	write_fmt(&w, ",\"id\":%llu}\n", (unsigned long long)id);
	return w.full ? SKEP_ETRUNC : 0;
}
