/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a line of the store (somebody may have been at the files): refused, or a message that is written as
 * the same line again; and the same bytes as a line of the loghost's file.
 */
#include "syslog/compare.h"
#include "syslog/syslog_priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void ignore(void *ctx, const struct syslog_difference *d)
{
	(void)ctx;
	must(d->host_len + d->loghost_len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char again[STORE_LINE], raw[SYSLOG_LINE], raw2[SYSLOG_LINE];
	struct syslog_kept k = {.len = 0}, k2 = {.len = 0};
	struct syslog_compare_result r;
	struct syslog_compare *c = NULL;
	const char *line = (const char *)data;
	if (size > STORE_LINE)
		return 0;
	must(syslog_compare_create(1 << 20, &c) == 0);
	must(syslog_compare_loghost(c, line, size) == 0);
	if (store_line_read(line, size, raw, &k) == 0 && k.lost == 0) {
		size_t n = store_line_write(again, sizeof(again), &k);
		must(n > 1 && again[n - 1] == '\n');
		must(store_line_read(again, n - 1, raw2, &k2) == 0);
		must(k2.len == k.len && memcmp(k.raw, k2.raw, k.len) == 0 && k2.cut == k.cut &&
		     k2.time_ns == k.time_ns && k2.flow_id == k.flow_id);
		must(syslog_compare_host(c, &k) == 0);
	}
	must(syslog_compare_run(c, INT64_MIN, INT64_MAX, INT64_MAX, ignore, NULL, &r) == 0);
	syslog_compare_free(&c);
	return 0;
}
