/* SPDX-License-Identifier: BSD-2-Clause */
/* What a compiler leaves as its report: refused, or every text and name in it can be read to its end. */
#include "role/compiler_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Most inputs should get past the head: it is made here, its numbers are the input's. */
static int fill(int fd, const uint8_t *data, size_t size)
{
	struct compiler_head h = {.version = COMPILER_VERSION,
				  .len = size - 5,
				  .errors = data[1],
				  .warnings = data[2],
				  .n_problems = data[3],
				  .n_rules = data[4]};
	memcpy(h.magic, COMPILER_OUT_MAGIC, sizeof(h.magic));
	if ((data[0] & 1) != 0)
		return write(fd, data + 1, size - 1) == (ssize_t)size - 1;
	return write(fd, &h, sizeof(h)) == (ssize_t)sizeof(h) &&
	       write(fd, data + 5, size - 5) == (ssize_t)size - 5;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct compiler_file files[] = {{"a.rules", "", 0, false},
						     {"b.rules", "", 0, false}};
	const struct compiler_job job = {.files = files, .n_files = ARRAY_LEN(files)};
	struct compiler_report r = {.memory = NULL};
	int result = 0;
	size_t sum = 0;
	int fd = size < 5 ? -1 : memfd_create("report", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	if (fill(fd, data, size) && compiler_read_report(&job, fd, &r, &result) == 0) {
		for (uint32_t i = 0; i < r.n_problems; i++)
			sum += strlen(r.problems[i].file) + strlen(r.problems[i].text);
		for (uint32_t i = 0; i < r.n_rules; i++)
			sum += strlen(r.rules[i].file) + strlen(r.rules[i].msg) +
			       strlen(r.rules[i].classtype) +
			       strlen(rule_action_text(r.rules[i].action));
		if (sum > 64 * (size + 1))
			abort();
	}
	compiler_report_free(&r);
	(void)close(fd);
	return 0;
}
