/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the book takes records: output of terminals, programs, visits that do nothing. Each with ticks. */
#include "session/test/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell(const char *what, uint64_t n, uint64_t bytes, int64_t begin)
{
	double s = (double)(clock_wall_ns() - begin) / 1e9;
	printf("%-28s %8.0f /s", what, (double)n / s);
	if (bytes > 0)
		printf("  %6.1f MB/s", (double)bytes / s / 1e6);
	putchar('\n');
}

int main(void)
{
	struct rig *r = calloc(1, sizeof(*r));
	char text[4096];
	if (r == NULL)
		return 1;
	memset(text, 'x', sizeof(text));
	rig_open(r, 1);
	int64_t begin = clock_wall_ns();
	for (uint64_t i = 0; i < 20000; i++) {
		if (i % 2000 == 0)
			rig_visit(r, 1 + i / 2000, "198.51.100.7", (uint16_t)(1 + i / 2000), 22);
		rig_data(r, 1 + i / 2000, 0, SENSOR_OUT, true, text, sizeof(text));
		if (i % 500 == 0)
			rig_wait(r, 250 * NS_PER_MS);
	}
	tell("output, 4 KiB each", 20000, 20000 * sizeof(text), begin);
	begin = clock_wall_ns();
	for (uint32_t i = 0; i < 100000; i++) {
		rig_exec(r, 1 + i % 10, 5000 + i, 1, 0,
			 (const char *const[]){"ls", "-l", "/tmp", NULL});
		if (i % 2500 == 0)
			rig_wait(r, 250 * NS_PER_MS);
	}
	tell("programs", 100000, 0, begin);
	begin = clock_wall_ns();
	for (uint64_t v = 100; v < 100100; v++) {
		rig_visit(r, v, "203.0.113.9", (uint16_t)v, 22);
		rig_login(r, v, "root", "123456", false);
		rig_visit_end(r, v);
		if (v % 250 == 0)
			rig_wait(r, 250 * NS_PER_MS);
	}
	tell("visits with a guess", 100000, 0, begin);
	printf("on disk: %.1f MB\n", (double)rig_bytes(r) / 1e6);
	rig_remove(r);
	free(r);
	return 0;
}
