/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's file -> snapshot: walks the tree of the file along the rows, collecting problems.
 * Nothing is taken from a file that has any.
 */
#include "conf/conf_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
/* 16384 nodes of under 100 bytes, each at most 64 more for alignment, and every text once. */
#define TREE_BYTES (8u << 20)
#define PATH_PART 64

struct reading {
	struct problems *p;
	struct conf *c;
	struct check check;
};

/* Rows of one map: those whose path begins with prefix ("" or "wall."). */
struct scope {
	const struct row *rows;
	size_t n;
	const char *prefix;
	void *base;
};

const struct conf_guest *conf_guest(const struct conf *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (strcmp(c->guests[i].name, name) == 0)
			return &c->guests[i];
	return NULL;
}

void conf_error_text(struct writer *w, const struct conf_error *e)
{
	write_str(w, e->file);
	if (e->line > 0)
		write_fmt(w, ":%u:%u", e->line, e->column);
	write_fmt(w, ": %s", e->what);
	if (e->cure[0] != '\0')
		write_fmt(w, "\n  cure: %s", e->cure);
}

/* Top-level lists of maps; each has rows of its own. */
static const char *const lists[] = {"guests",       "forwards", "policy",
				    "destinations", "quiet",    "alert_classes"};

static bool is_list_key(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (strcmp(lists[i], key) == 0)
			return true;
	return false;
}

static void consider(const char *key, const char *given, char best[PATH_PART], unsigned *distance)
{
	unsigned d = text_distance(key, given);
	if (d >= *distance)
		return;
	*distance = d;
	text_copy(best, PATH_PART, key);
}

/* The nearest key of this map, else a row elsewhere that ends in that very key. */
static void nearest(const struct scope *s, const char *given, char cure[256])
{
	char best[PATH_PART] = "", key[PATH_PART];
	unsigned distance = strlen(given) < 3 ? 2 : 4; /* two swapped letters count as 2 */
	for (size_t i = 0; i < s->n; i++) {
		const char *at;
		size_t len = row_key_in(s->rows[i].path, s->prefix, &at);
		if (len > 0 && len < sizeof(key)) {
			snprintf(key, sizeof(key), "%.*s", (int)len, at);
			consider(key, given, best, &distance);
		}
	}
	for (size_t i = 0; s->rows == conf_rows && s->prefix[0] == '\0' && i < ARRAY_LEN(lists);
	     i++)
		consider(lists[i], given, best, &distance);
	if (best[0] != '\0') {
		snprintf(cure, 256, "did you mean '%s'?", best);
		return;
	}
	for (size_t i = 0; i < conf_rows_n; i++) {
		const char *dot = strrchr(conf_rows[i].path, '.');
		if (dot == NULL || strcmp(dot + 1, given) != 0)
			continue;
		snprintf(cure, 256, "'%s' belongs elsewhere: %s", given, conf_rows[i].path);
		return;
	}
	snprintf(cure, 256, "`skep config reference` lists every setting");
}

static void unknown_key(struct reading *r, const struct scope *s, const struct node *n)
{
	char cure[256], quoted[64];
	size_t len = strlen(s->prefix);
	nearest(s, n->key, cure);
	if (len > 0)
		problem_add(r->p, n->key_line, n->key_column, cure, "no setting '%s' in '%.*s'",
			    problem_quote(quoted, n->key), (int)len - 1, s->prefix);
	else
		problem_add(r->p, n->key_line, n->key_column, cure, "no setting '%s'",
			    problem_quote(quoted, n->key));
}

static void range_cure(const struct row *row, char *buf, size_t size)
{
	struct writer w = writer_of(buf, size);
	if (row->type == ROW_NAME || row->type == ROW_PATH || row->type == ROW_LINK ||
	    row->type == ROW_TEXTS || row->type == ROW_TEXT) {
		write_fmt(&w, "use %llu to %llu characters", (unsigned long long)row->min,
			  (unsigned long long)row->max);
		return;
	}
	if (row->type == ROW_NAMES) {
		write_fmt(&w, "use names of at most %llu characters", (unsigned long long)row->max);
		return;
	}
	if (row->type == ROW_PORTS) {
		write_str(&w, "use ports from 0 to 65535, the lower one first");
		return;
	}
	if (row_is_limit(row)) {
		write_fmt(&w, "at most %llu in a period of 1s to 30d",
			  (unsigned long long)row->max);
		return;
	}
	if (row->type == ROW_PREFIX) {
		write_fmt(&w, "use a prefix length of 8 to %llu", (unsigned long long)row->max);
		return;
	}
	write_str(&w, "use ");
	row_write_number(&w, row, row->min);
	write_str(&w, " to ");
	row_write_number(&w, row, row->max);
	if (row->word != NULL)
		write_fmt(&w, ", or %s", row->word);
}

static void form_cure(const struct row *row, char *buf, size_t size)
{
	struct writer w = writer_of(buf, size);
	if (row->type == ROW_ENUM) {
		write_str(&w, "use ");
		for (const struct row_choice *c = row->choices; c->name != NULL; c++)
			write_fmt(&w, "%s%s",
				  c == row->choices ? ""
				  : c[1].name       ? ", "
						    : " or ",
				  c->name);
		return;
	}
	write_fmt(&w, "write %s", row_form(row));
	if (row->empty != NULL && !row_is_limit(row))
		write_fmt(&w, ", or %s", row->empty);
	if (row->word != NULL)
		write_fmt(&w, ", or %s", row->word);
}

static void bad_value(struct reading *r, const struct row *row, const struct node *n, int err)
{
	char cure[256], quoted[64];
	const char *text = problem_quote(quoted, n->text != NULL ? n->text : "");
	if (err == SKEP_ERANGE) {
		range_cure(row, cure, sizeof(cure));
		problem_add(r->p, n->line, n->column, cure, "%s: '%s' is out of range", row->path,
			    text);
	} else if (err == SKEP_EFULL) {
		snprintf(cure, sizeof(cure), "keep at most %zu", row_most(row));
		problem_add(r->p, n->line, n->column, cure, "%s: too many items", row->path);
	} else {
		form_cure(row, cure, sizeof(cure));
		problem_add(r->p, n->line, n->column, cure, "%s: '%s' can't be understood",
			    row->path, text);
	}
}

static void read_items(struct reading *r, const struct row *row, const struct node *list,
		       void *base)
{
	row_clear(row, base);
	if (list->first == NULL && row_is_limit(row))
		bad_value(r, row, list, SKEP_EFORMAT);
	for (const struct node *n = list->first; n != NULL; n = n->next) {
		int err = n->kind == NODE_SCALAR ? row_append(row, base, n->text) : SKEP_EFORMAT;
		if (err < 0)
			bad_value(r, row, n, err);
		if (err == SKEP_EFULL)
			return;
	}
}

static void read_value(struct reading *r, const struct row *row, const struct node *n, void *base)
{
	if (n->kind == NODE_LIST && row_is_list(row)) {
		read_items(r, row, n, base);
		return;
	}
	if (n->kind != NODE_SCALAR) {
		char cure[256];
		form_cure(row, cure, sizeof(cure));
		problem_add(r->p, n->line, n->column, cure, "%s does not take a %s", row->path,
			    n->kind == NODE_LIST ? "list" : "map");
		return;
	}
	if (n->text[0] == '\0') {
		problem_add(r->p, n->line, n->column, "give a value, or remove the line",
			    "%s has no value", row->path);
		return;
	}
	/* The comma form is for our own tables; in a file a list is a YAML list. */
	bool commas = row_is_list(row) && row->type != ROW_TEXTS && strchr(n->text, ',') != NULL;
	int err = commas ? SKEP_EFORMAT : row_set(row, base, n->text);
	if (err < 0)
		bad_value(r, row, n, err);
}

static bool is_blank(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain &&
	       (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

static const struct row *find_row(const struct scope *s, const char *key, bool *ret_group)
{
	*ret_group = false;
	for (size_t i = 0; i < s->n; i++) {
		const char *at;
		size_t len = row_key_in(s->rows[i].path, s->prefix, &at);
		if (len == 0 || strncmp(at, key, len) != 0 || key[len] != '\0')
			continue;
		*ret_group = at[len] == '.';
		return &s->rows[i];
	}
	return NULL;
}

/* Groups nest two deep ("wall.limits."), so one level of recursion per dot of our own rows. */
static void read_map(struct reading *r, const struct scope *s, const struct node *map)
{
	if (is_blank(map))
		return; /* a group whose lines are all commented out */
	if (map->kind != NODE_MAP) {
		problem_add(r->p, map->line, map->column, "write `name: value` lines, indented",
			    "settings are expected here");
		return;
	}
	bool top = s->rows == conf_rows && s->prefix[0] == '\0';
	for (const struct node *n = map->first; n != NULL; n = n->next) {
		bool group;
		const struct row *row = find_row(s, n->key, &group);
		if (row == NULL && top && is_list_key(n->key))
			continue; /* read_lists, read_policy, read_alerts */
		if (row == NULL) {
			unknown_key(r, s, n);
		} else if (group) {
			char prefix[PATH_PART];
			struct scope inner = *s;
			snprintf(prefix, sizeof(prefix), "%s%s.", s->prefix, n->key);
			inner.prefix = prefix;
			read_map(r, &inner, n);
		} else {
			read_value(r, row, n, s->base);
		}
	}
}

static void read_guest(struct reading *r, const struct node *n, struct conf_guest *g)
{
	const struct node *kind = tree_child(n, "kind");
	bool loghost = kind != NULL && kind->text != NULL && strcmp(kind->text, "loghost") == 0;
	struct scope s = {conf_guest_rows, conf_guest_rows_n, "", g};
	*g = (struct conf_guest){0};
	rows_default(conf_guest_rows, conf_guest_rows_n, g, loghost);
	read_map(r, &s, n);
	if (n->kind == NODE_MAP && tree_child(n, "name") == NULL)
		problem_add(r->p, n->line, n->column, "add `name: ...`", "a guest has no name");
}

static void read_forward(struct reading *r, const struct node *n, struct conf_forward *f)
{
	struct scope s = {conf_forward_rows, conf_forward_rows_n, "", f};
	*f = (struct conf_forward){0};
	rows_default(conf_forward_rows, conf_forward_rows_n, f, false);
	read_map(r, &s, n);
	if (n->kind == NODE_MAP && r->c->mode != MODE_NAT && tree_child(n, "public") == NULL)
		problem_add(r->p, n->line, n->column, "add `public: ADDRESS`",
			    "a forward has no public address");
	if (n->kind == NODE_MAP && tree_child(n, "guest") == NULL)
		problem_add(r->p, n->line, n->column, "add `guest: NAME`",
			    "a forward leads to no guest");
}

static void read_policy_rule(struct reading *r, const struct node *n, struct conf_policy *p)
{
	struct scope s = {conf_policy_rows, conf_policy_rows_n, "", p};
	*p = (struct conf_policy){0};
	rows_default(conf_policy_rows, conf_policy_rows_n, p, false);
	read_map(r, &s, n);
	if (n->kind == NODE_MAP && tree_child(n, "verdict") == NULL)
		problem_add(r->p, n->line, n->column, "add `verdict: ...`",
			    "a rule of the policy has no verdict");
}

/* The list under key, or NULL when the built-in one stays. */
static const struct node *find_list(struct reading *r, const struct node *root, const char *key)
{
	const struct node *list = tree_child(root, key);
	if (list == NULL || is_blank(list))
		return NULL;
	if (list->kind == NODE_LIST)
		return list;
	problem_add(r->p, list->line, list->column, "begin each item with `- `",
		    "%s must be a list", key);
	return NULL;
}

static void read_policy(struct reading *r, const struct node *root)
{
	const struct node *list = find_list(r, root, "policy");
	struct conf_wall *w = &r->c->wall;
	for (const struct node *n = list ? list->first : NULL; n != NULL; n = n->next) {
		if (w->n_policy == CONF_POLICY) {
			problem_add(r->p, n->line, n->column, "keep at most 32",
				    "too many rules of the policy");
			return;
		}
		r->check.policy[w->n_policy] = n;
		read_policy_rule(r, n, &w->policy[w->n_policy++]);
	}
}

static bool is_true(const struct node *n)
{
	return n != NULL && n->text != NULL &&
	       (strcmp(n->text, "true") == 0 || strcmp(n->text, "yes") == 0 ||
		strcmp(n->text, "on") == 0);
}

/* One item of a list of alerts: its defaults, then what the file says; the keys it must have. */
static void read_item(struct reading *r, const struct node *n, const struct scope *s, bool other,
		      const char *const must[2], const char *what)
{
	rows_default(s->rows, s->n, s->base, other);
	read_map(r, s, n);
	for (size_t i = 0; i < 2 && must[i] != NULL && n->kind == NODE_MAP; i++) {
		char cure[64];
		snprintf(cure, sizeof(cure), "add `%s: ...`", must[i]);
		if (tree_child(n, must[i]) == NULL)
			problem_add(r->p, n->line, n->column, cure, "%s has no %s", what, must[i]);
	}
}

static bool has_room(struct reading *r, const struct node *n, uint32_t have, uint32_t most,
		     const char *what)
{
	char cure[32];
	if (have < most)
		return true;
	snprintf(cure, sizeof(cure), "keep at most %u", most);
	problem_add(r->p, n->line, n->column, cure, "too many %s", what);
	return false;
}

static void read_destinations(struct reading *r, const struct node *list)
{
	struct conf_alerts *a = &r->c->alerts;
	memset(a->to, 0, sizeof(a->to));
	a->n_to = 0;
	for (const struct node *n = list->first; n != NULL; n = n->next) {
		if (!has_room(r, n, a->n_to, CONF_DESTINATIONS, "destinations"))
			return;
		struct scope s = {conf_destination_rows, conf_destination_rows_n, "",
				  &a->to[a->n_to]};
		r->check.destinations[a->n_to++] = n;
		read_item(r, n, &s, is_true(tree_child(n, "short")),
			  (const char *const[2]){"name", "kind"}, "a destination");
	}
}

static void read_alerts(struct reading *r, const struct node *root)
{
	struct conf_alerts *a = &r->c->alerts;
	const struct node *to = find_list(r, root, "destinations");
	const struct node *quiet = find_list(r, root, "quiet");
	const struct node *classes = find_list(r, root, "alert_classes");
	if (to != NULL)
		read_destinations(r, to);
	for (const struct node *n = quiet ? quiet->first : NULL; n != NULL; n = n->next) {
		if (!has_room(r, n, a->n_quiet, CONF_QUIET, "quiet rules"))
			break;
		struct scope s = {conf_quiet_rows, conf_quiet_rows_n, "", &a->quiet[a->n_quiet]};
		r->check.quiet[a->n_quiet++] = n;
		read_item(r, n, &s, false, (const char *const[2]){NULL, NULL}, "a quiet rule");
	}
	for (const struct node *n = classes ? classes->first : NULL; n != NULL; n = n->next) {
		if (!has_room(r, n, a->n_classes, ALERT_CLASSES, "classes of alerts"))
			break;
		struct scope s = {conf_class_rows, conf_class_rows_n, "",
				  &a->classes[a->n_classes]};
		r->check.classes[a->n_classes++] = n;
		read_item(r, n, &s, false, (const char *const[2]){"class", NULL},
			  "one of alert_classes");
	}
}

static void read_lists(struct reading *r, const struct node *root)
{
	const struct node *guests = find_list(r, root, "guests");
	const struct node *forwards = find_list(r, root, "forwards");
	if (guests != NULL)
		r->c->n_guests = 0;
	for (const struct node *n = guests ? guests->first : NULL; n != NULL; n = n->next) {
		if (r->c->n_guests == CONF_GUESTS) {
			problem_add(r->p, n->line, n->column, "keep at most 16", "too many guests");
			break;
		}
		r->check.guests[r->c->n_guests] = n;
		read_guest(r, n, &r->c->guests[r->c->n_guests++]);
	}
	if (forwards != NULL)
		r->c->n_forwards = 0;
	for (const struct node *n = forwards ? forwards->first : NULL; n != NULL; n = n->next) {
		if (r->c->n_forwards == CONF_FORWARDS) {
			problem_add(r->p, n->line, n->column, "keep at most 16",
				    "too many forwards");
			break;
		}
		r->check.forwards[r->c->n_forwards] = n;
		read_forward(r, n, &r->c->forwards[r->c->n_forwards++]);
	}
	/* The built-in ones lead to an address of the lab. With guests of one's own, those to guests that
	 * are gone go too. */
	if (r->c->mode != MODE_LAB && forwards == NULL)
		r->c->n_forwards = 0;
	for (uint32_t i = 0; guests != NULL && forwards == NULL && i < r->c->n_forwards;) {
		if (conf_guest(r->c, r->c->forwards[i].guest) != NULL) {
			i++;
			continue;
		}
		r->c->forwards[i] = r->c->forwards[--r->c->n_forwards];
		r->c->forwards[r->c->n_forwards] = (struct conf_forward){0};
	}
}

static void read_tree(struct reading *r, const struct node *root)
{
	struct scope s = {conf_rows, conf_rows_n, "", r->c};
	if (root != NULL)
		read_map(r, &s, root);
	read_lists(r, root);
	read_policy(r, root);
	read_alerts(r, root);
	for (uint32_t i = r->c->n_guests; i < CONF_GUESTS; i++)
		r->c->guests[i] = (struct conf_guest){0};
	for (uint32_t i = r->c->n_forwards; i < CONF_FORWARDS; i++)
		r->c->forwards[i] = (struct conf_forward){0};
	r->check.root = root;
	r->check.c = r->c;
	r->check.p = r->p;
	/* Checks between values make sense only where the values themselves do. */
	if (r->p->n == 0)
		check_all(&r->check);
}

int conf_read(const char *name, const char *text, size_t len, struct conf *ret,
	      struct conf_error *err, void (*more)(void *ctx, const struct conf_error *e),
	      void *ctx)
{
	struct conf c;
	struct problems p = {.file = name, .first = err, .more = more, .ctx = ctx};
	struct reading r = {.p = &p, .c = &c};
	struct node *root = NULL;
	CLEANUP(arena_destroy) struct arena arena = {0};
	if (len > FILE_MAX) {
		problem_add(&p, 0, 0, "a configuration is a few pages at most",
			    "larger than 1 MiB");
		return SKEP_EFORMAT;
	}
	int res = arena_create(TREE_BYTES, &arena);
	if (res < 0)
		return res;
	conf_defaults(&c);
	if (tree_read(text, len, &arena, &p, &root) == 0)
		read_tree(&r, root);
	if (p.n > 0)
		return SKEP_EFORMAT;
	conf_derive(&c);
	*ret = c;
	return 0;
}

static int read_all(int fd, char *buf, size_t size, size_t *ret_len)
{
	size_t len = 0;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int conf_read_file(const char *path, struct conf *ret, struct conf_error *err,
		   void (*more)(void *ctx, const struct conf_error *e), void *ctx)
{
	struct problems p = {.file = path, .first = err, .more = more, .ctx = ctx};
	CLEANUP(arena_destroy) struct arena arena = {0};
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;
	int res = fd < 0 ? -errno : arena_create(FILE_MAX + 64, &arena);
	char *buf = res == 0 ? arena_alloc(&arena, FILE_MAX + 1, 1) : NULL;
	if (res == 0)
		res = buf != NULL ? read_all(fd, buf, FILE_MAX + 1, &len) : -ENOMEM;
	if (res < 0) {
		const char *cure = res == -ENOENT   ? "`skep config example > FILE` writes one"
				   : res == -EACCES ? "run as a user who may read it"
						    : "name a readable file";
		problem_add(&p, 0, 0, cure, "can't be read: %s", err_text(res));
		return res;
	}
	return conf_read(path, buf, len, ret, err, more, ctx);
}
