/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * YAML text -> a small tree with positions, through libyaml's events. Only the plain part of YAML:
 * no anchors, aliases, tags or second documents, so nothing in a file can mean more than it shows.
 * Depth, size and the number of values are bounded.
 */
#include "conf/conf_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 8
#define NODES_MAX 16384
#define PROBLEMS_MAX 50

struct tree {
	struct arena *arena;
	struct problems *p;
	struct node *open[DEPTH_MAX]; /* containers around the current event */
	struct node *key[DEPTH_MAX];  /* maps: the key that waits for its value */
	bool has_key[DEPTH_MAX];
	unsigned depth, nodes;
	struct node *root;
	unsigned documents;
};

void problem_add(struct problems *p, uint32_t line, uint32_t column, const char *cure,
		 const char *fmt, ...)
{
	struct conf_error e = {.line = line, .column = column};
	va_list ap;
	if (p->n >= PROBLEMS_MAX)
		return;
	text_copy(e.file, sizeof(e.file), p->file);
	text_copy(e.cure, sizeof(e.cure), cure != NULL ? cure : "");
	va_start(ap, fmt);
	vsnprintf(e.what, sizeof(e.what), fmt, ap);
	va_end(ap);
	if (p->n++ == 0 && p->first != NULL)
		*p->first = e;
	if (p->more != NULL)
		p->more(p->ctx, &e);
}

const char *problem_quote(char buf[64], const char *text)
{
	struct writer w = writer_of(buf, 60);
	write_escaped(&w, text, strlen(text));
	if (w.full)
		memcpy(buf + w.len, "...", 4); /* 59 at most, so it fits */
	return buf;
}

static int refuse(struct tree *t, const yaml_mark_t *m, const char *what, const char *cure)
{
	problem_add(t->p, (uint32_t)m->line + 1, (uint32_t)m->column + 1, cure, "%s", what);
	return SKEP_EFORMAT;
}

static struct node *make_node(struct tree *t, enum node_kind kind, const yaml_mark_t *m)
{
	struct node *n = ++t->nodes <= NODES_MAX ? arena_alloc(t->arena, 1, sizeof(*n)) : NULL;
	if (n == NULL) {
		(void)refuse(t, m, "the file holds more values than any configuration needs",
			     "shorten it");
		return NULL;
	}
	n->kind = kind;
	n->line = (uint32_t)m->line + 1;
	n->column = (uint32_t)m->column + 1;
	return n;
}

static void add_child(struct node *parent, struct node *n)
{
	if (parent->last != NULL)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

/* A scalar in key position of the innermost map. */
static int take_key(struct tree *t, struct node *n)
{
	struct node *map = t->open[t->depth - 1];
	const struct node *twin = tree_child(map, n->text);
	char buf[64], cure[64];
	if (twin != NULL) {
		snprintf(cure, sizeof(cure), "remove one; the first is in line %u", twin->key_line);
		problem_add(t->p, n->line, n->column, cure, "'%s' is given twice",
			    problem_quote(buf, n->text));
	}
	t->key[t->depth - 1] = n;
	t->has_key[t->depth - 1] = true;
	return 0;
}

static int place(struct tree *t, struct node *n)
{
	if (t->depth == 0) {
		t->root = n;
		return 0;
	}
	struct node *parent = t->open[t->depth - 1];
	if (parent->kind == NODE_MAP) {
		const struct node *key = t->key[t->depth - 1];
		n->key = key->text;
		n->key_line = key->line;
		n->key_column = key->column;
		t->has_key[t->depth - 1] = false;
	}
	add_child(parent, n);
	return 0;
}

static bool wants_key(const struct tree *t)
{
	const struct node *inner = t->depth > 0 ? t->open[t->depth - 1] : NULL;
	return inner != NULL && inner->kind == NODE_MAP && !t->has_key[t->depth - 1];
}

static int on_scalar(struct tree *t, const yaml_event_t *e)
{
	size_t len = e->data.scalar.length;
	const char *text = (const char *)e->data.scalar.value;
	if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL)
		return refuse(t, &e->start_mark, "anchors and tags (&, !) are not taken here",
			      "write the value itself, in quotes if it begins with & or !");
	if (memchr(text, '\0', len) != NULL)
		return refuse(t, &e->start_mark, "a value holds a NUL character", "remove it");
	struct node *n = make_node(t, NODE_SCALAR, &e->start_mark);
	char *copy = n != NULL ? arena_alloc(t->arena, len + 1, 1) : NULL;
	if (n != NULL && copy == NULL)
		return refuse(t, &e->start_mark, "the file is too large", "shorten it");
	if (n == NULL)
		return SKEP_EFORMAT;
	memcpy(copy, text, len);
	n->text = copy;
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return wants_key(t) ? take_key(t, n) : place(t, n);
}

static int on_open(struct tree *t, const yaml_event_t *e, enum node_kind kind)
{
	bool marked = kind == NODE_MAP ? e->data.mapping_start.anchor != NULL ||
						 e->data.mapping_start.tag != NULL
				       : e->data.sequence_start.anchor != NULL ||
						 e->data.sequence_start.tag != NULL;
	if (marked)
		return refuse(t, &e->start_mark, "anchors and tags (&, !) are not taken here",
			      "remove the anchor or tag");
	if (wants_key(t))
		return refuse(t, &e->start_mark, "a list or map can't be a key",
			      "write `name: value`");
	if (t->depth >= DEPTH_MAX)
		return refuse(t, &e->start_mark, "nested deeper than any setting",
			      "compare with `skep config example`");
	struct node *n = make_node(t, kind, &e->start_mark);
	if (n == NULL)
		return SKEP_EFORMAT;
	(void)place(t, n);
	t->open[t->depth] = n;
	t->has_key[t->depth++] = false;
	return 0;
}

static int on_document(struct tree *t, const yaml_event_t *e)
{
	if (t->documents++ > 0)
		return refuse(t, &e->start_mark, "a second document begins here",
			      "keep one document in a file: remove the --- line");
	if (e->data.document_start.tag_directives.start !=
	    e->data.document_start.tag_directives.end)
		return refuse(t, &e->start_mark, "%TAG is not taken here", "remove the line");
	return 0;
}

static int on_event(struct tree *t, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(t, e);
	case YAML_ALIAS_EVENT:
		return refuse(t, &e->start_mark, "aliases (*) are not taken here",
			      "write the value itself, in quotes if it begins with *");
	case YAML_SCALAR_EVENT:
		return on_scalar(t, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(t, e, NODE_LIST);
	case YAML_MAPPING_START_EVENT:
		return on_open(t, e, NODE_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		t->depth--;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* libyaml's own complaint, with a position even where it only knows a byte offset. */
static void yaml_problem(struct tree *t, const yaml_parser_t *y, const char *text, size_t len)
{
	yaml_mark_t m = y->problem_mark;
	const char *what = y->problem != NULL ? y->problem : "not readable as YAML";
	const char *cure = "mend the YAML here; `skep config example` shows the form";
	if (y->error == YAML_READER_ERROR) {
		m.line = m.column = 0;
		for (size_t i = 0; i < y->problem_offset && i < len; i++) {
			m.column++;
			if (text[i] == '\n') {
				m.line++;
				m.column = 0;
			}
		}
		cure = "save the file as UTF-8 text";
	} else if (strstr(what, "cannot start any token") != NULL) {
		cure = "indent with spaces, not tabs, and put quotes around special characters";
	} else if (strstr(what, "mapping values are not allowed") != NULL) {
		cure = "check the indentation, and quote values that hold a colon and a space";
	} else if (strstr(what, "could not find expected ':'") != NULL) {
		cure = "write `name: value`, with a space after the colon";
	}
	problem_add(t->p, (uint32_t)m.line + 1, (uint32_t)m.column + 1, cure, "%s", what);
}

static int run_parser(struct tree *t, yaml_parser_t *y, const char *text, size_t len)
{
	bool done = false;
	int r = 0;
	while (!done && r == 0) {
		yaml_event_t e;
		if (yaml_parser_parse(y, &e) == 0) {
			yaml_problem(t, y, text, len);
			return SKEP_EFORMAT;
		}
		done = e.type == YAML_STREAM_END_EVENT;
		r = on_event(t, &e);
		yaml_event_delete(&e);
	}
	return r;
}

int tree_read(const char *text, size_t len, struct arena *arena, struct problems *p,
	      struct node **ret_root)
{
	struct tree t = {.arena = arena, .p = p};
	yaml_parser_t y;
	if (yaml_parser_initialize(&y) == 0)
		return SKEP_EFULL;
	yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y, (const unsigned char *)text, len);
	int r = run_parser(&t, &y, text, len);
	yaml_parser_delete(&y);
	if (r == 0)
		*ret_root = t.root;
	return r;
}

const struct node *tree_child(const struct node *map, const char *key)
{
	if (map == NULL || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

const struct node *tree_path(const struct node *root, const char *path)
{
	char part[64];
	const struct node *n = root;
	while (n != NULL && path[0] != '\0') {
		size_t len = strcspn(path, ".");
		if (len >= sizeof(part))
			return NULL;
		memcpy(part, path, len);
		part[len] = '\0';
		n = tree_child(n, part);
		path += len + (path[len] == '.');
	}
	return n;
}
