/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a configuration. What is accepted must be written and read back to the same. */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(void *ctx, const struct conf_error *e)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));
	(void)ctx;
	conf_error_text(&w, e);
	if (w.full || e->what[0] == '\0')
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t room = 1 << 18;
	struct conf c, again;
	struct conf_error err;
	if (conf_read("fuzz", (const char *)data, size, &c, &err, check_error, NULL) < 0)
		return 0;
	char *buf = malloc(room);
	if (buf == NULL)
		return 0;
	struct writer w = writer_of(buf, room);
	conf_write_values(&w, &c);
	if (w.full || conf_read("again", buf, w.len, &again, &err, NULL, NULL) < 0 ||
	    memcmp(&c, &again, sizeof(c)) != 0)
		abort();
	free(buf);
	return 0;
}
