/* SPDX-License-Identifier: BSD-2-Clause */
/* Stand-ins for modules that are not here yet, so that collector can be linked; each goes with its module. */
#include "role/collector/collector_priv.h"

#include <string.h>

void syslog_parse(const void *data, size_t len, int64_t now_wall_ns, struct syslog_line *ret)
{
	(void)now_wall_ns;
	*ret = (struct syslog_line){.facility = 1, .severity = 5, .text = data, .len = (uint32_t)len};
}

int syslog_store_open(int dir_fd, uint64_t disk_bytes, uint32_t keep_days, struct syslog_store **ret)
{
	(void)dir_fd, (void)disk_bytes, (void)keep_days;
	*ret = NULL;
	return 0;
}

int syslog_store_add(struct syslog_store *s, const char *guest, int64_t now_wall_ns,
		     uint64_t flow_id, const char *data, size_t len, bool cut)
{
	(void)s, (void)guest, (void)now_wall_ns, (void)flow_id, (void)data, (void)len, (void)cut;
	return 0;
}

int syslog_store_tick(struct syslog_store *s, int64_t now_wall_ns, uint32_t *ret_days)
{
	(void)s, (void)now_wall_ns;
	*ret_days = 0;
	return 0;
}

void syslog_store_close(struct syslog_store **s)
{
	*s = NULL;
}

void syslog_stream(struct syslog_framer *f, const void *data, size_t len, syslog_message_fn *fn,
		   void *ctx)
{
	(void)f, (void)data, (void)len, (void)fn, (void)ctx;
}

void syslog_stream_end(struct syslog_framer *f, syslog_message_fn *fn, void *ctx)
{
	(void)f, (void)fn, (void)ctx;
}

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
