/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast frames get into files, and the longest time that one call held the recorder up: rings
 * of 4 MiB last that long at the given rate. One line per frame size. Argument: folder. */
#include "capture/capture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOTAL (UINT64_C(256) << 20)

static void clean(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(path);
}

static int bench(const char *folder, uint32_t len)
{
	static const struct capture_interface port = {"outside", "bench"};
	static uint8_t data[65536];
	struct capture_packet p = {.data = data, .len = len, .orig_len = len};
	struct capture_writer *w;
	struct arena arena;
	char path[256];
	int64_t worst = 0, start;
	uint64_t n = TOTAL / len;

	snprintf(path, sizeof(path), "%s/skt-bench-XXXXXX", folder);
	if (mkdtemp(path) == NULL || arena_create(capture_writer_bytes(), &arena) != 0)
		return 1;
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	int err = capture_writer_create(&arena, dir, "bench", &port, 1, 64 << 20, 3600 * NS_PER_SEC,
					UINT64_C(1) << 30, &w);
	start = clock_boot_ns();
	for (uint64_t i = 0; i < n && err == 0; i++) {
		int64_t before = clock_boot_ns();
		p.stamp_ns = clock_wall_ns();
		err = capture_write(w, &p);
		int64_t took = clock_boot_ns() - before;
		worst = took > worst ? took : worst;
	}
	int64_t all = clock_boot_ns() - start;
	if (err == 0)
		err = capture_close(w);
	if (err == 0)
		printf("capture_write %5u B: %6.0f ns/op  %5.0f MB/s  longest call %.1f ms\n", len,
		       (double)all / (double)n, (double)(n * len) * 1e3 / (double)all,
		       (double)worst / 1e6);
	else
		printf("capture_write: %s\n", err_text(err));
	close(dir);
	arena_destroy(&arena);
	clean(path);
	return err != 0;
}

int main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "/var/tmp";
	return bench(folder, 100) + bench(folder, 1514) + bench(folder, 65226);
}
