/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines to stderr, whole lines at once, and descriptors that close themselves. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BURST 5
#define QUIET_NS (10 * NS_PER_SEC)

/* Set once by each process at its start; every line needs it and no caller should carry it. */
static struct {
	const char *name;
	enum log_level most;
} setup = {"skep", LOG_INFO};

void log_setup(const char *name, enum log_level most)
{
	setup.name = name;
	setup.most = most;
}

static void write_line(const char *fmt, va_list ap, uint32_t suppressed)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof(buf) - 1);
	write_fmt(&w, "%s: ", setup.name);
	int n = vsnprintf(buf + w.len, sizeof(buf) - 1 - w.len, fmt, ap);
	w.len += n > 0 ? (size_t)n : 0;
	if (w.len > sizeof(buf) - 64)
		w.len = sizeof(buf) - 64;
	buf[w.len] = '\0';
	if (suppressed > 0)
		write_fmt(&w, " (%u like it were suppressed)", suppressed);
	buf[w.len++] = '\n';
	if (write(STDERR_FILENO, buf, w.len) < 0)
		return; /* nobody to tell */
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	if (level > setup.most)
		return;
	va_start(ap, fmt);
	write_line(fmt, ap, 0);
	va_end(ap);
}

void log_limited(struct log_site *site, enum log_level level, const char *fmt, ...)
{
	int64_t now = clock_boot_ns();
	va_list ap;
	if (level > setup.most)
		return;
	if (now - site->last_ns >= QUIET_NS)
		site->burst = 0;
	if (site->burst >= BURST) {
		site->suppressed++;
		return;
	}
	site->burst++;
	site->last_ns = now;
	va_start(ap, fmt);
	write_line(fmt, ap, site->suppressed);
	va_end(ap);
	site->suppressed = 0;
}
