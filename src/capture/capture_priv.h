/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside capture: numbers of the pcapng format, and the folder of files behind the writer. */
#ifndef SKEP_CAPTURE_PRIV_H
#define SKEP_CAPTURE_PRIV_H

#include "capture/capture.h"

enum pcapng_block {
	BLOCK_INTERFACE = 1,
	BLOCK_SIMPLE = 3,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

enum pcapng_option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_TSOFFSET = 14,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
};

#define PCAPNG_MAGIC 0x1a2b3c4du
#define PCAPNG_BLOCK_MIN 12u         /* type, length, length again */
#define PCAPNG_BLOCK_MAX (16u << 20) /* longer ones are taken for damage */
#define LINKTYPE_ETHERNET 1u
#define EPB_INBOUND 1u
#define EPB_OUTBOUND 2u

/* ---- the folder (files.c) ------------------------------------------------------------------- */

#define FILE_NAME_MAX 96
#define FILES_SCAN 32768u

/* Calls fn for each of our files in the folder, in no order. Allocates nothing. */
struct file_scan {
	int dir_fd; /* own description, so that its offset is ours */
	uint8_t buf[FILES_SCAN] __attribute__((aligned(8)));
};
MUST_USE int files_each(struct file_scan *s, void (*fn)(void *ctx, const char *name, bool part),
			void *ctx);
/* Sum of the sizes of all our files, finished or not. */
MUST_USE int files_total(struct file_scan *s, uint64_t *ret_bytes);
/* Removes the oldest finished file; SKEP_ENOTFOUND: there is none. */
MUST_USE int files_remove_oldest(struct file_scan *s);
/* Cuts each left-over ".part" at its last whole block and gives it its final name. scratch is
 * scratch_size bytes, at least 64 KiB. Returns the number adopted, or an error. */
int files_adopt(struct file_scan *s, uint8_t *scratch, size_t scratch_size);
/* Removes ".part" from the name of a file. */
MUST_USE int files_finish(int dir_fd, const char *part_name);

#endif
