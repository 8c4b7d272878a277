/* SPDX-License-Identifier: BSD-2-Clause */
/* skep image: build guest images from their recipes, list what there is. */
#include "cmd/cmd.h"
#include "guest/guest.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int build(const struct conf *c, const char *name, bool again)
{
	struct guest_image img;
	char why[512] = "";
	int err = cmd_need_root("image");
	if (err != 0)
		return err;
	if (!again && guest_image_find(c, name, &img) == 0) {
		printf("image %s is already built (%s); --again builds it anew\n", name, img.dir);
		return 0;
	}
	int64_t begin = clock_boot_ns();
	fflush(stdout);
	err = guest_image_build(c, name, again, STDOUT_FILENO, why, sizeof(why));
	if (err != 0)
		return cmd_fail(1, "image %s: %s", name, why[0] != '\0' ? why : err_text(err));
	printf("image %s: built in %lld s\n", name,
	       (long long)((clock_boot_ns() - begin) / NS_PER_SEC));
	return 0;
}

static int list(const struct conf *c)
{
	DIR *d = opendir(guest_recipe_dir());
	struct dirent *e;
	if (d == NULL)
		return cmd_fail(1, "no recipes in %s", guest_recipe_dir());
	while ((e = readdir(d)) != NULL) {
		struct guest_image img;
		if (e->d_name[0] == '.' || strchr(e->d_name, '.') != NULL ||
		    strcmp(e->d_name, "common") == 0)
			continue;
		int err = guest_image_find(c, e->d_name, &img);
		printf("%-12s %s%s%s\n", e->d_name,
		       err == 0 ? img.dir : "not built, or its recipe changed",
		       err == 0 && img.monitor ? ", with monitor" : "",
		       err == 0 && img.shell ? ", with shell that tells" : "");
	}
	closedir(d);
	return 0;
}

static const char usage_text[] =
	"usage: skep image VERB [-c FILE]\n\n"
	"  build NAME       build debian, loghost or tiny, if it is not "
	"there or its recipe changed\n"
	"                   (--again: in any case)\n"
	"  list             what is built, where, and what in it tells of intruders\n";

int cmd_image(int argc, char **argv)
{
	const char *path = NULL, *words[2] = {NULL, NULL};
	size_t n = 0;
	bool again = false, bad = false;
	struct conf c;
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage_text, stdout);
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--again") == 0)
			again = true;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			path = argv[++i];
		else if (argv[i][0] != '-' && n < ARRAY_LEN(words))
			words[n++] = argv[i];
		else
			bad = true;
	}
	bool is_list = n == 1 && strcmp(words[0], "list") == 0;
	bool is_build = n == 2 && strcmp(words[0], "build") == 0;
	if (bad || (!is_list && !is_build))
		return fputs(usage_text, stderr) < 0 ? 1 : 2;
	int err = cmd_conf(path, &c);
	if (err != 0)
		return err;
	return is_list ? list(&c) : build(&c, words[1], again);
}
