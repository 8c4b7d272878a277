/* SPDX-License-Identifier: BSD-2-Clause */
/* Stand-ins for modules that are not here yet, so that collector can be linked; each goes with its module. */
#include "role/collector/collector_priv.h"

#include <string.h>

int crosscheck_create(const struct crosscheck_conf *conf, struct crosscheck **ret)
{
	(void)conf;
	*ret = NULL;
	return 0;
}

void crosscheck_free(struct crosscheck **c)
{
	*c = NULL;
}

void crosscheck_guest(struct crosscheck *c, uint32_t guest, bool runs, int64_t now_ns)
{
	(void)c, (void)guest, (void)runs, (void)now_ns;
}

void crosscheck_record(struct crosscheck *c, uint32_t guest, const struct sensor_record *r,
		       uint64_t session, int64_t now_ns)
{
	(void)c, (void)guest, (void)r, (void)session, (void)now_ns;
}

void crosscheck_stream(struct crosscheck *c, uint32_t guest, const struct sensor_parser *p,
		       int64_t now_ns)
{
	(void)c, (void)guest, (void)p, (void)now_ns;
}

void crosscheck_shell(struct crosscheck *c, uint32_t guest, uint32_t pid, uint32_t ppid,
		      const char *line, size_t len, int64_t now_ns)
{
	(void)c, (void)guest, (void)pid, (void)ppid, (void)line, (void)len, (void)now_ns;
}

void crosscheck_syslog(struct crosscheck *c, uint32_t guest, const char *app, int64_t now_ns)
{
	(void)c, (void)guest, (void)app, (void)now_ns;
}

void crosscheck_wire(struct crosscheck *c, uint32_t guest, const struct crosscheck_wire *w,
		     int64_t now_ns)
{
	(void)c, (void)guest, (void)w, (void)now_ns;
}

void crosscheck_tick(struct crosscheck *c, int64_t now_ns)
{
	(void)c, (void)now_ns;
}
