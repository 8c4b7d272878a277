/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/visit/cast.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_MOST ((size_t)1 << 30)
#define LINE_MOST (1 << 20)
#define SECONDS_MOST 1e9
#define SIDE_MOST 9999

/* Room for n more of size; doubles. */
static bool grow(void **p, size_t *cap, size_t need, size_t size)
{
	if (need <= *cap)
		return true;
	size_t more = *cap > 0 ? *cap * 2 : 1024;
	while (more < need)
		more *= 2;
	void *q = more * size <= 2 * DATA_MOST ? realloc(*p, more * size) : NULL;
	if (q == NULL)
		return false;
	*p = q;
	*cap = more;
	return true;
}

static bool add(struct cast *c, double seconds, char code, const char *text, size_t len)
{
	int64_t us = seconds > 0 && seconds < SECONDS_MOST ? (int64_t)(seconds * 1e6) : 0;
	if (c->n > 0 && us < c->events[c->n - 1].us)
		us = c->events[c->n - 1].us;
	if (c->len + len + 1 > DATA_MOST ||
	    !grow((void **)&c->data, &c->room, c->len + len + 1, 1) ||
	    !grow((void **)&c->events, &c->cap, c->n + 1, sizeof(*c->events)))
		return false;
	memcpy(c->data + c->len, text, len);
	c->data[c->len + len] = '\0';
	c->events[c->n++] = (struct cast_event){us, c->len, (uint32_t)len, code};
	c->len += len + 1;
	return true;
}

static bool read_event(struct cast *c, const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	const json_t *when = json_array_get(o, 0), *code = json_array_get(o, 1),
		     *text = json_array_get(o, 2);
	bool fits = true;
	if (json_is_number(when) && json_string_length(code) == 1 && json_is_string(text))
		fits = add(c, json_number_value(when), json_string_value(code)[0],
			   json_string_value(text), json_string_length(text));
	else
		c->bad++;
	json_decref(o);
	return fits;
}

static bool read_header(struct cast *c, const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, 0, NULL);
	json_int_t cols = json_integer_value(json_object_get(o, "width"));
	json_int_t rows = json_integer_value(json_object_get(o, "height"));
	bool fine = json_integer_value(json_object_get(o, "version")) == 2;
	c->cols = cols > 0 && cols <= SIDE_MOST ? (unsigned)cols : 80;
	c->rows = rows > 0 && rows <= SIDE_MOST ? (unsigned)rows : 24;
	json_decref(o);
	return fine;
}

int cast_load(const char *path, struct cast *ret)
{
	struct cast c = {0};
	char *line = malloc(LINE_MOST);
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (line == NULL)
		err = -ENOMEM;
	if (err == 0 && (fgets(line, LINE_MOST, f) == NULL || !read_header(&c, line, strlen(line))))
		err = SKEP_EFORMAT;
	while (err == 0 && fgets(line, LINE_MOST, f) != NULL) {
		size_t len = strlen(line);
		if (len > 1 && !read_event(&c, line, len))
			err = -EFBIG;
	}
	if (f != NULL)
		fclose(f);
	free(line);
	if (err != 0)
		cast_free(&c);
	else
		*ret = c;
	return err;
}

void cast_free(struct cast *c)
{
	free(c->events);
	free(c->data);
	memset(c, 0, sizeof(*c));
}
