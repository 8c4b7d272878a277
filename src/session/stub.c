/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for what follows. */
#include "session/session_priv.h"

#include <stdlib.h>

struct session_book {
	struct session_book_conf conf;
};

int session_book_open(const struct session_book_conf *conf, struct session_book **ret)
{
	struct session_book *b = calloc(1, sizeof(*b));
	b->conf = *conf;
	*ret = b;
	return 0;
}
void session_book_close(struct session_book **b)
{
	free(*b);
	*b = NULL;
}
int session_book_tick(struct session_book *b, int64_t now_wall_ns, uint32_t *ret_days)
{
	*ret_days = 0;
	return 0;
}
uint64_t session_record(struct session_book *b, uint32_t guest, const struct sensor_record *r,
			int64_t now_wall_ns)
{
	return 0;
}
void session_guest_gone(struct session_book *b, uint32_t guest, int64_t now_wall_ns)
{
}
bool session_shell_parse(const struct syslog_line *l, struct session_shell *ret)
{
	return false;
}
uint64_t session_syslog(struct session_book *b, uint32_t guest, const struct syslog_line *l,
			const struct session_shell *shell, int64_t now_wall_ns)
{
	return 0;
}
uint64_t session_begin(struct session_book *b, const struct session_open *o)
{
	return 0;
}
void session_output(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns)
{
}
void session_input(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns)
{
}
void session_size(struct session_book *b, uint64_t id, uint16_t cols, uint16_t rows, int64_t ns)
{
}
void session_command(struct session_book *b, uint64_t id, const char *line, size_t len, int64_t ns)
{
}
void session_login(struct session_book *b, uint64_t id, const char *user, size_t user_len,
		   const char *secret, size_t secret_len, int ok, int64_t ns)
{
}
void session_client(struct session_book *b, uint64_t id, const char *version, size_t len,
		    int64_t ns)
{
}
void session_mark(struct session_book *b, uint64_t id, const char *label, int64_t ns)
{
}
void session_end(struct session_book *b, uint64_t id, const char *why, int64_t ns)
{
}
uint64_t session_file_begin(struct session_book *b, const struct session_file_open *o, int64_t ns)
{
	return 0;
}
void session_file_data(struct session_book *b, uint64_t file, const void *data, size_t len)
{
}
void session_file_end(struct session_book *b, uint64_t file, bool complete, int64_t ns)
{
}
int session_list(const char *dir, int64_t from_ns, int64_t to_ns, session_row_fn *fn, void *ctx)
{
	return 0;
}
int session_find(const char *dir, const char *id, struct session_row *ret, char *cast, char *json,
		 size_t size)
{
	return SKEP_ENOTFOUND;
}
int session_files(const char *dir, session_file_fn *fn, void *ctx)
{
	return 0;
}
