/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands on disk may be anything: a record, a list, an index. Reading it ends, and rows are within their bounds. */
#include "session/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {"sessions/2026-11-28/38h1k3pg000.json",
				    "sessions/2026-11-28/list.jsonl", "files/index.jsonl"};
static const char *const folders[] = {"", "sessions", "sessions/2026-11-28", "files"};

static void must(bool fact)
{
	if (!fact)
		abort();
}

static const char *at(const char *dir, const char *name)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static bool row(void *ctx, const struct session_row *r)
{
	must(memchr(r->user, 0, sizeof(r->user)) != NULL &&
	     memchr(r->heard, 0, sizeof(r->heard)) != NULL &&
	     memchr(r->guest, 0, sizeof(r->guest)) != NULL && r->id < UINT64_C(1) << 55);
	return true;
}

static bool file_row(void *ctx, const struct session_file_row *r)
{
	must(strlen(r->sha256) == 64 && memchr(r->name, 0, sizeof(r->name)) != NULL &&
	     r->times > 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[32];
	text_copy(dir, sizeof(dir),
		  access("/dev/shm", W_OK) == 0 ? "/dev/shm/skep-session-XXXXXX"
						: "/tmp/skep-session-XXXXXX");
	struct session_row r;
	char cast[128], json[128];
	must(mkdtemp(dir) != NULL);
	for (size_t i = 1; i < ARRAY_LEN(folders); i++)
		must(mkdir(at(dir, folders[i]), 0700) == 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		CLEANUP(fd_close)
		int fd = open(at(dir, files[i]), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	}
	must(session_list(dir, 0, INT64_MAX / 2, row, NULL) == 0);
	int err = session_find(dir, "38h1k3pg000", &r, cast, json, sizeof(cast));
	must(err == 0 || err == SKEP_ENOTFOUND);
	must(session_files(dir, file_row, NULL) == 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlink(at(dir, files[i]));
	for (size_t i = ARRAY_LEN(folders); i > 0; i--)
		rmdir(at(dir, folders[i - 1]));
	return 0;
}
