/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session, inside: content of files, kept once by SHA-256 (files.c), and what kind of file it is (type.c).
 * Included only in this folder.
 */
#ifndef SKEP_SESSION_FILES_PRIV_H
#define SKEP_SESSION_FILES_PRIV_H

#include "base/base.h"
#include "base/digest.h"

#define FILES_OPEN 64u
#define FILE_MEMORY 65536u /* smaller ones are written once their hash is known */
#define FILE_HEAD 512u
#define FILE_TEXT 256
#define FILES_KNOWN 65536u
#define FILE_WAYS 4u

struct open_file {
	uint64_t id;              /* 0: free */
	uint64_t session, number; /* number: the monitor's; 0: the wire's */
	uint32_t guest, pid;
	char how[16], name[FILE_TEXT], source[FILE_TEXT];
	uint64_t size, len; /* as announced; so far */
	bool cut;           /* something is missing */
	bool full;          /* no more of it is kept */
	int64_t start_ns, last_ns;
	struct sha256 sha;
	int fd; /* -1: still in memory */
	char tmp[32];
	uint8_t *memory; /* FILE_MEMORY */
};
struct file_store {
	int dir; /* files/ */
	uint64_t budget_bytes, file_bytes, index_most;
	uint64_t used, index_bytes, last_id;
	int err;
	uint64_t removed, refused;
	struct open_file open[FILES_OPEN];
	uint64_t known[FILES_KNOWN]; /* first 8 bytes of hashes; 0: free */
	uint8_t known_next[FILES_KNOWN / FILE_WAYS];
	char line[8192];
};
struct file_done {
	char sha256[65];
	char type[48];
	uint64_t size;
	bool known, kept, complete;
};

MUST_USE int files_open(struct file_store *f, int top, uint64_t budget_bytes, uint64_t file_bytes,
			struct arena *arena);
void files_close(struct file_store *f);
/* A free one, zeroed but for its number; the one that was quiet for longest is ended for it by evict. */
struct open_file *files_begin(struct file_store *f, int64_t ns);
struct open_file *files_find(struct file_store *f, uint64_t id);
struct open_file *files_number(struct file_store *f, uint32_t guest, uint64_t number);
/* Of the guest that has most open, the one that was quiet for longest; NULL: there is a free one. */
struct open_file *files_oldest(struct file_store *f);
void files_data(struct file_store *f, struct open_file *o, const void *data, size_t len);
/* Keeps it, tells what it is, frees the slot. guest: name; session: text or "". */
MUST_USE int files_end(struct file_store *f, struct open_file *o, const char *guest,
		       const char *session, int64_t ns, struct file_done *ret);
void files_drop(struct file_store *f, struct open_file *o);
/* What kind of content it is, by its beginning: "ELF x86-64 program" ... */
const char *file_type(const uint8_t *head, size_t len, char *buf, size_t size);

#endif
