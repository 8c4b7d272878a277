/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A capture from anywhere, of any form. Properties: what is returned lies inside the file and inside
 * sane bounds; reading ends; the Ethernet packets that the strict reader finds are among ours.
 */
#include "capture/capture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool right)
{
	if (!right)
		abort();
}

static uint64_t count_strict(int fd)
{
	struct capture_reader *r = NULL;
	struct capture_packet p;
	const char *name;
	uint64_t n = 0;
	must(lseek(fd, 0, SEEK_SET) == 0);
	if (capture_open(fd, &r) != 0)
		return 0;
	while (capture_next(r, &p, &name) == 0)
		n++;
	capture_reader_free(&r);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture_reader *r = NULL;
	struct capture_frame f;
	uint64_t ethernet = 0, n = 0, sum = 0;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	if (capture_open_any(fd, &r) == 0) {
		while (capture_next_any(r, &f) == 0) {
			must(f.len <= size && capture_bytes_read(r) <= size && ++n <= size);
			for (uint32_t i = 0; i < f.len; i++)
				sum += f.data[i];
			ethernet += f.link == 1;
		}
		capture_reader_free(&r);
	}
	must(count_strict(fd) <= ethernet);
	close(fd);
	return sum == UINT64_MAX;
}
