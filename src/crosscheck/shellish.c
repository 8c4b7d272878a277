/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program's path and arguments say: is it a shell, and was it given something to run? */
#include "crosscheck/crosscheck_priv.h"

#include <string.h>

struct word {
	const char *s;
	size_t len;
};

static struct word base_of(struct word w)
{
	const char *slash = w.len ? memrchr(w.s, '/', w.len) : NULL;

	if (slash)
		w = (struct word){slash + 1, w.len - (size_t)(slash + 1 - w.s)};
	if (w.len && w.s[0] == '-') /* a login shell's name */
		w = (struct word){w.s + 1, w.len - 1};
	return w;
}

static bool is(struct word w, const char *s)
{
	return w.len == strlen(s) && !memcmp(w.s, s, w.len);
}

static bool is_shell(struct word w)
{
	static const char *const names[] = {"sh",   "bash", "dash", "ash",   "rbash",
					    "zsh",  "ksh",  "mksh", "ksh93", "csh",
					    "tcsh", "fish", "yash", "posh"};

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (is(w, names[i]))
			return true;
	}
	return false;
}

static bool next_word(const struct sensor_text *argv, size_t *at, struct word *ret)
{
	const char *from = (const char *)argv->data + *at, *end;

	if (*at >= argv->len)
		return false;
	end = memchr(from, 0, argv->len - *at);
	*ret = (struct word){from, end ? (size_t)(end - from) : argv->len - *at};
	*at += ret->len + 1;
	return true;
}

bool path_is_system(const struct sensor_text *path)
{
	static const char *const dirs[] = {"/bin/",   "/sbin/", "/usr/", "/lib/",
					   "/lib64/", "/opt/",  "/snap/"};

	for (unsigned i = 0; i < ARRAY_LEN(dirs); i++) {
		size_t n = strlen(dirs[i]);

		if (path->len > n && !memcmp(path->data, dirs[i], n))
			return true;
	}
	return false;
}

/* Nothing but blanks, empty commands and remarks: a shell need not tell of that. */
static bool is_blank(struct word w)
{
	for (size_t i = 0; i < w.len; i++) {
		if (w.s[i] == '#')
			return true;
		if (!strchr(" \t\n;", w.s[i]) || !w.s[i])
			return false;
	}
	return true;
}

/* bash's way: letters behind a dash or plus; some take a word after them. */
static void options(const struct sensor_text *argv, size_t at, struct shellish *ret)
{
	struct word w, next;
	bool wants = false, from_input = false;

	while (next_word(argv, &at, &w)) {
		if (w.len < 2 || (w.s[0] != '-' && w.s[0] != '+') || is(w, "--")) {
			if (is(w, "--") || is(w, "-")) {
				if (!next_word(argv, &at, &w))
					break;
			}
			if (wants)
				ret->command = !is_blank(w);
			ret->script = !wants && !from_input;
			return;
		}
		if (is(w, "--version") || is(w, "--help"))
			ret->script = true;
		if (is(w, "--rcfile") || is(w, "--init-file"))
			(void)next_word(argv, &at, &next);
		if (w.s[1] == '-')
			continue;
		wants |= w.s[0] == '-' && memchr(w.s, 'c', w.len) != NULL;
		from_input |= memchr(w.s, 's', w.len) != NULL;
		ret->script |= memchr(w.s, 'n', w.len) != NULL;
		if (w.s[w.len - 1] == 'o' || w.s[w.len - 1] == 'O')
			(void)next_word(argv, &at, &next);
	}
	ret->script |= wants; /* -c and nothing behind it: an error */
}

struct shellish shellish_of(const struct sensor_text *path, const struct sensor_text *argv,
			    bool memfd)
{
	struct shellish ret = {.system = !memfd && path_is_system(path)};
	struct word name = {NULL, 0}, file;
	size_t at = 0;

	if (!next_word(argv, &at, &name))
		return ret;
	file = base_of((struct word){(const char *)path->data, path->len});
	name = base_of(name);
	/* Whatever it calls itself: a shell of the system, by its file; another one also by its name. */
	ret.shell = is_shell(file) || (is_shell(name) && (!ret.system || is(file, "busybox")));
	if (is(name, "busybox")) {
		if (!next_word(argv, &at, &name))
			return ret;
		ret.shell = is_shell(base_of(name));
		ret.system = false; /* ours leads elsewhere: one that runs is not ours */
	} else if (is(file, "busybox")) {
		ret.system = false;
	}
	if (ret.shell)
		options(argv, at, &ret);
	return ret;
}
