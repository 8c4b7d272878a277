/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building an image: its recipe (a shell script) runs in a folder beside the result, which takes its
 * place by a rename when everything went well. One build at a time; the kernel that all images share
 * is built before the first one and whenever its recipe changed.
 */
#include "guest/guest_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KERNEL ".kernel"
#define REMOVE_MS 120000
/* An older kernel may have left the mirror, and the Debian image installs the very same package. */
#define KERNEL_DAYS 7

struct build {
	const char *recipes, *name;
	char version[64];
	char top[GUEST_PATH]; /* CACHE/images */
	char out[GUEST_PATH + 32], work[GUEST_PATH + 32];
	int fd; /* progress */
};

static void remove_tree(const char *path)
{
	const char *argv[] = {"rm", "-rf", "--one-file-system", path, NULL};
	(void)run_program(argv, NULL, NULL, 0, REMOVE_MS);
}

/* Runs script with the environment lib.sh names; returns its exit code or an error. */
static int run_script(const struct build *b, const char *script)
{
	char env[10][GUEST_PATH + 64];
	/* A build may need the way to the mirror that the operator uses. */
	static const char *const kept[] = {"http_proxy", "https_proxy", "no_proxy",
					   "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"};
	char kept_text[ARRAY_LEN(kept)][512];
	char *envp[ARRAY_LEN(env) + ARRAY_LEN(kept) + 1];
	char *argv[] = {(char[]){"sh"}, (char *)(uintptr_t)script, NULL};
	size_t n = 0, k = 0;
	snprintf(env[k++], sizeof(env[0]), "OUT=%s", b->out);
	snprintf(env[k++], sizeof(env[0]), "WORK=%s", b->work);
	snprintf(env[k++], sizeof(env[0]), "KERNEL=%s/%s", b->top, KERNEL);
	snprintf(env[k++], sizeof(env[0]), "RECIPES=%s", b->recipes);
	snprintf(env[k++], sizeof(env[0]), "PACKAGES=%s/../packages", b->top);
	snprintf(env[k++], sizeof(env[0]), "INSIDE=%s", inside_dir());
	snprintf(env[k++], sizeof(env[0]), "NAME=%s", b->name);
	snprintf(env[k++], sizeof(env[0]), "VERSION=%s", b->version);
	snprintf(env[k++], sizeof(env[0]), "HOME=/root");
	snprintf(env[k++], sizeof(env[0]), "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	for (; n < k; n++)
		envp[n] = env[n];
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const char *v = getenv(kept[i]);
		if (v == NULL || snprintf(kept_text[i], sizeof(kept_text[i]), "%s=%s", kept[i],
					  v) >= (int)sizeof(kept_text[i]))
			continue;
		envp[n++] = kept_text[i];
	}
	envp[n] = NULL;
	posix_spawn_file_actions_t fa;
	pid_t pid;
	int status, err = posix_spawn_file_actions_init(&fa);
	if (err != 0)
		return -err;
	err = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&fa, b->fd, 1);
	if (err == 0)
		err = posix_spawn_file_actions_adddup2(&fa, b->fd, 2);
	if (err == 0)
		err = posix_spawn(&pid, "/bin/sh", &fa, NULL, argv, envp);
	posix_spawn_file_actions_destroy(&fa);
	if (err != 0)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What was built takes the place of what was there. */
static int put_in_place(const struct build *b, const char *target)
{
	char old[GUEST_PATH + 64];
	snprintf(old, sizeof(old), "%s.old", b->out);
	remove_tree(old);
	if (rename(target, old) < 0 && errno != ENOENT)
		return -errno;
	if (rename(b->out, target) < 0)
		return -errno;
	remove_tree(old);
	return 0;
}

static int build_one(struct build *b, const char *script, const char *result, char *why,
		     size_t why_size)
{
	char target[GUEST_PATH + 32];
	struct writer w = writer_of(why, why_size);
	snprintf(target, sizeof(target), "%s/%s", b->top, result);
	snprintf(b->out, sizeof(b->out), "%s/.new-%s", b->top, b->name);
	snprintf(b->work, sizeof(b->work), "%s/.work-%s", b->top, b->name);
	remove_tree(b->out);
	remove_tree(b->work);
	int err = folder_make(b->out, 0755);
	if (err == 0)
		err = folder_make(b->work, 0755);
	if (err == 0) {
		int code = run_script(b, script);
		err = code > 0 ? -ECANCELED : code;
		if (code > 0)
			write_fmt(&w, "the recipe %s failed (exit %d); its last lines say why",
				  script, code);
	}
	if (err == 0)
		err = put_in_place(b, target);
	remove_tree(b->work);
	remove_tree(b->out);
	return err;
}

/* The kernel is as good as its recipe; a recipe of an image counts the same files in. */
static int need_kernel(struct build *b, bool again, char *why, size_t why_size)
{
	char stamp[GUEST_PATH + 32], script[GUEST_PATH], *text = NULL, version[64];
	size_t len = 0;
	struct stat st;
	snprintf(stamp, sizeof(stamp), "%s/%s/version", b->top, KERNEL);
	int err = guest_recipe_version("common", version, sizeof(version));
	if (err != 0)
		return err;
	bool same =
		file_read(stamp, sizeof(version), &text, &len) == 0 && strcmp(text, version) == 0;
	free(text);
	bool young = stat(stamp, &st) == 0 && time(NULL) - st.st_mtime < KERNEL_DAYS * 86400;
	if (same && young && !again)
		return 0;
	struct build k = *b;
	k.name = "kernel";
	err = path_join(script, sizeof(script), b->recipes, "common/kernel");
	if (err == 0)
		err = build_one(&k, script, KERNEL, why, why_size);
	return err == 0 ? file_write(stamp, version, strlen(version), 0644, 0, 0) : err;
}

int guest_image_build(const struct conf *c, const char *name, bool again, int out, char *why,
		      size_t why_size)
{
	struct guest_image img;
	struct build b = {.recipes = guest_recipe_dir(), .name = name, .fd = out};
	char path[GUEST_PATH + 32];
	struct writer w = writer_of(why, why_size);
	int err = guest_recipe_version(name, b.version, sizeof(b.version));
	if (err != 0 || strcmp(name, "common") == 0) {
		write_fmt(&w, "there is no recipe of that name in %s", b.recipes);
		return err != 0 ? err : SKEP_ENOTFOUND;
	}
	err = path_join(b.top, sizeof(b.top), c->cache_dir, "images");
	if (err == 0)
		err = folder_make(b.top, 0755);
	if (err == 0)
		err = path_join(path, sizeof(path), b.top, ".lock");
	if (err != 0)
		return err;
	CLEANUP(fd_close) int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return -errno;
	if (!again && guest_image_find(c, name, &img) == 0)
		return 0; /* perhaps by whom we waited for */
	err = need_kernel(&b, again, why, why_size);
	if (err == 0)
		err = path_join(path, sizeof(path), b.recipes, name);
	if (err != 0)
		return err;
	char script[GUEST_PATH + 64];
	snprintf(script, sizeof(script), "%s/build", path);
	return build_one(&b, script, name, why, why_size);
}
