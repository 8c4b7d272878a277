/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside guest only: the files that make an installation unique, and the two ways to write them. */
#ifndef SKEP_GUEST_PRIV_H
#define SKEP_GUEST_PRIV_H

#include "guest/guest.h"

#include <sys/types.h>

#define GUEST_PATH (CONF_PATH + 128)

/* dir/name; SKEP_ERANGE if it does not fit. */
MUST_USE int path_join(char *ret, size_t size, const char *dir, const char *name);
/* The whole file as text, terminated; caller frees. At most max bytes. */
MUST_USE int file_read(const char *path, size_t max, char **ret, size_t *ret_len);
/* Writes a file beside path and renames it into place. */
MUST_USE int file_write(const char *path, const void *data, size_t len, mode_t mode, uid_t uid,
			gid_t gid);
/* Copies a file, holes staying holes. */
MUST_USE int file_copy(const char *from, const char *to, mode_t mode, gid_t gid);
/* mkdir -p; the last part gets mode, the others 0711. */
MUST_USE int folder_make(const char *path, mode_t mode);

/* Folder with what goes into guests as it was built: monitor/monitor, version. */
const char *inside_dir(void);

/* ---- a small tree in memory ------------------------------------------------------------------ */

#define TREE_FILES 128
struct tree_file {
	char path[96]; /* without a leading '/' */
	mode_t mode;   /* with its type: folder, file, symbolic link */
	uid_t uid, gid;
	size_t offset, len; /* in tree.data */
};
struct tree {
	size_t n;
	struct tree_file files[TREE_FILES];
	char *data; /* owned */
	size_t used, size;
	int err; /* sticky: the first thing that did not fit */
};
MUST_USE int tree_create(size_t size, struct tree **ret);
void tree_free(struct tree **t);
void tree_add(struct tree *t, const char *path, mode_t mode, uid_t uid, const void *data,
	      size_t len);
void tree_text(struct tree *t, const char *path, mode_t mode, uid_t uid, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
void tree_folder(struct tree *t, const char *path, mode_t mode, uid_t uid);
/* Reads a host file into the tree. */
void tree_from(struct tree *t, const char *path, mode_t mode, uid_t uid, const char *host);

/* Appends the tree as a cpio archive (newc) to the file, after padding. */
MUST_USE int cpio_append(const struct tree *t, int fd);
/* Writes the tree into an ext4 file system that nobody has mounted, with debugfs. work: a folder for
 * temporary files. */
MUST_USE int ext4_write(const struct tree *t, const char *disk, const char *work, char *why,
			size_t why_size);

/* ---- identity ---------------------------------------------------------------------------------- */

struct identity {
	struct guest_identity pub;
	char machine_id[36];
	char hashes[8][160]; /* of the passwords; "" where there is none */
	char network[256];   /* what the disk was made for */
};
/* Draws names, passwords and numbers. */
MUST_USE int identity_draw(const struct conf_guest *g, struct identity *ret);
MUST_USE int identity_save(const struct identity *id);
/* dir: STATE/guests/NAME. */
MUST_USE int identity_load(const char *dir, struct identity *ret);
void identity_dir(const struct conf *c, const char *name, char ret[CONF_PATH + 64]);
/* Private and public host keys below dir/keys, made once; the operator's key for a loghost. */
MUST_USE int identity_keys(struct identity *id, const struct conf_guest *g, bool dropbear,
			   char *why, size_t why_size);
/* Everything that the guest's image lacks: names, network, users, keys. base: folder with the image's
 * own passwd, shadow, group and skel. */
MUST_USE int identity_tree(const struct conf *c, const struct conf_guest *g,
			   const struct identity *id, const char *base, struct tree *t);
/* The loghost that guests send to, or NULL. */
const struct conf_guest *guest_loghost(const struct conf *c);
/* What a honeypot's syslogd is told of it. */
void syslog_client(const struct conf *c, const struct conf_guest *g, struct tree *t);
/* What a loghost is told at each start, below late/: the guests' names, its keys, limits. */
MUST_USE int loghost_tree(const struct conf *c, const struct conf_guest *g,
			  const struct identity *id, struct tree *t);
/* A CA and the loghost's certificate for TLS, made once: ca.pem, ca.key, loghost.pem, loghost.key below *ret_dir. */
MUST_USE int syslog_keys(const struct conf *c, char ret_dir[GUEST_PATH]);
/* What of the configuration is written into a disk, as one line. */
void identity_network(const struct conf *c, const struct conf_guest *g, char *ret, size_t size);

#endif
