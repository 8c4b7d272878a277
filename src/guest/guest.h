/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest: images, identities, QEMU's command line, QMP. super uses the first three, keeper the last;
 * what QEMU and the guest say is hostile.
 */
#ifndef SKEP_GUEST_H
#define SKEP_GUEST_H

#include "conf/conf.h"

/* ---- images (CACHE/images/NAME/) ----------------------------------------------------------- */

struct guest_image {
	char dir[CONF_PATH + 64];
	char kernel[CONF_PATH + 96], initrd[CONF_PATH + 96],
		disk[CONF_PATH + 96]; /* disk may be "" */
	char append[256];             /* kernel command line */
	char version[64];             /* hash of recipe and package versions */
	uint64_t memory_min_bytes;
	bool sshd, syslogd;
	bool monitor, shell; /* what inside/ has for it: the monitor, the shell that tells */
};
/* Reads manifest.json of a built image; SKEP_ENOTFOUND if it was never built or the recipe changed. */
MUST_USE int guest_image_find(const struct conf *c, const char *name, struct guest_image *ret);
/* Hash of a recipe's files, in hex: changes when any of them does. SKEP_ENOTFOUND: no such recipe. */
MUST_USE int guest_recipe_version(const char *name, char *ret, size_t size);
/* Folder with the recipes (images/ of the source tree, or DATADIR/skep/images when installed). */
const char *guest_recipe_dir(void);
/* Builds by running the recipe; lines of progress go to out (a FILE-less descriptor). why: cause. */
MUST_USE int guest_image_build(const struct conf *c, const char *name, bool again, int out,
			       char *why, size_t why_size);

/* ---- identity: drawn at a guest's first start, kept below STATE/guests/NAME/ ---------------- */

struct guest_account {
	char user[32], password[32];
};
struct guest_identity {
	char hostname[32];
	struct mac mac;
	uint32_t n_accounts;
	struct guest_account accounts[8]; /* [0] is the weakest one */
	char ssh_key[CONF_PATH + 64];     /* loghost: the operator's private key file; else "" */
	char dir[CONF_PATH + 64]; /* STATE/guests/NAME: vmlinuz, initrd, disk.raw, overlay.qcow2 */
	char machine[40], volume[40]; /* UUIDs of the machine and its disk */
};
/* Finds or draws it, with the guest's disk (image plus identity) and an overlay. Slow the first time
 * (copies the image, makes keys). Runs as root, before the guest ever ran: nothing hostile is read. */
MUST_USE int guest_prepare(const struct conf *c, const struct conf_guest *g,
			   const struct guest_image *img, struct guest_identity *ret, char *why,
			   size_t why_size);
MUST_USE int guest_identity_read(const struct conf *c, const char *name,
				 struct guest_identity *ret);

/* Gives up what a guest wrote: next start makes its disk anew, with the same identity. The guest must
 * not run. */
MUST_USE int guest_reset(const struct conf *c, const char *name);

/* ---- QEMU ------------------------------------------------------------------------------------- */

/* Descriptors QEMU gets, as numbers in the child. -1: none. kernel and initrd are always -1: QEMU
 * opens both by path only. */
struct guest_fds {
	int tap, qmp, console, kernel, initrd, disk, overlay;
	int monitor;  /* socket that the monitor's serial port leads to */
	uint32_t mtu; /* of what the tap leads to; 0: the usual 1500 */
};
/* Opens what a start of g's QEMU needs: disk (read-only) and overlay (-1 where the image has none);
 * owned by the caller. The rest of *ret is left as it is. Runs as root and reads nothing. */
MUST_USE int guest_open_files(const struct conf *c, const struct conf_guest *g,
			      const struct guest_image *img, struct guest_fds *ret);
#define GUEST_JAIL 32
#define GUEST_ARGV 96
struct guest_command {
	const char *argv[GUEST_ARGV];
	char text[8192]; /* storage behind argv */
	size_t used;
	const char *jail[GUEST_JAIL]; /* host paths QEMU must be able to read, for spawn.jail; its
					 kernel and initramfs are among them (guest_prepare made them
					 readable for the guest's gid) */
};
/* Fills cmd; kvm or TCG. fds name the numbers in the child. argv[0] is the program's path. *ret points
 * into itself: not to be copied. */
MUST_USE int guest_command_line(const struct conf_guest *g, const struct guest_image *img,
				const struct guest_identity *id, const struct guest_fds *fds,
				bool kvm, struct guest_command *ret);
/* Does a probe guest reach user space under KVM? Answers from STATE/kvm-probe.json when kernel, QEMU
 * and boot are the same; else starts one and waits up to 6 s. *ret_why explains a no. */
MUST_USE int guest_probe_kvm(const struct conf *c, bool *ret_ok, char *why, size_t why_size);

/* ---- QMP (QEMU's qmp-spec), client side over a connected socket -------------------------------- */

#define QMP_LINE_MAX 65536
enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT, QMP_OTHER };
struct qmp_message {
	enum qmp_kind kind;
	uint64_t id;     /* of the command answered; 0: none */
	char name[48];   /* event name or error class */
	char text[256];  /* error description, or the event's short data; foreign bytes */
	char status[32]; /* "status" of query-status / RunState of events; may be "" */
};
/* Parses one line; everything in it is hostile. */
MUST_USE int qmp_parse(const char *line, size_t len, struct qmp_message *ret);
/* Writes {"execute": ...} with an id into buf. args may be NULL (JSON object text of our own). */
MUST_USE int qmp_command(char *buf, size_t size, const char *verb, const char *args, uint64_t id);

#endif
