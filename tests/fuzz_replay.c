/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target over its seeds without a fuzzing engine, so that each test run replays them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return -1;
	/* Exact-size heap copy, so that a sanitizer sees reads past the end. */
	size_t cap = 1 << 20, len;
	uint8_t *all = malloc(cap);
	len = all != NULL ? fread(all, 1, cap, f) : 0;
	fclose(f);
	uint8_t *exact = malloc(len > 0 ? len : 1);
	if (exact != NULL && all != NULL) {
		memcpy(exact, all, len);
		LLVMFuzzerTestOneInput(exact, len);
	}
	free(exact);
	free(all);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned done = 0;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *d;
		while (dir != NULL && (d = readdir(dir)) != NULL) {
			char path[4096];
			if (d->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], d->d_name);
			done += replay_file(path) == 0;
		}
		if (dir != NULL)
			closedir(dir);
	}
	printf("%u seeds replayed\n", done);
	return done > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
