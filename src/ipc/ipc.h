/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipc: messages and descriptors between our own processes, over SOCK_SEQPACKET pairs. The receiver
 * trusts nothing: type, direction and exact size are checked against one table before a handler
 * sees a message; left-over bytes or descriptors are an error. No pointer ever crosses.
 *
 * super makes every pair and keeps both ends, so that either side can be restarted without its
 * peer noticing; a role learns of its peer's death from super, never by EOF.
 */
#ifndef SKEP_IPC_H
#define SKEP_IPC_H

#include "base/base.h"

#define IPC_FDS 48 /* most descriptors in one message */

struct ipc_row {
	uint16_t type;     /* enum message of role/role.h */
	uint16_t from, to; /* bit masks of 1 << enum role */
	uint32_t size;     /* exact payload size, bytes */
	uint16_t fds_min, fds_max;
	const char *name;
};

struct ipc_table {
	const struct ipc_row *rows;
	size_t n;
};

/* Received message. payload points into the caller's buffer; fds are owned by the caller: each is
 * taken (fd_take) or closed by ipc_msg_done. */
struct ipc_msg {
	uint16_t type;
	uint32_t size;
	const void *payload;
	int fds[IPC_FDS];
	size_t n_fds;
};

/* A connected pair, close-on-exec, with buffers of about buffer_bytes each way. */
MUST_USE int ipc_pair(size_t buffer_bytes, int ret_fds[2]);
/* Sends one message; descriptors stay the caller's. -EAGAIN when the queue is full (never blocks),
 * -EPIPE when nobody holds the other end. Allocates nothing. */
MUST_USE int ipc_send(int fd, uint16_t type, const void *payload, size_t size, const int *fds,
		      size_t n_fds);
/* Receives one message without blocking into buf. 0 and *ret; -EAGAIN: none; -EPIPE: peer gone;
 * SKEP_EPEER: it broke the table (its descriptors are closed). from/to: single role bits. */
MUST_USE int ipc_recv(int fd, const struct ipc_table *table, uint16_t from, uint16_t to, void *buf,
		      size_t buf_size, struct ipc_msg *ret);
void ipc_msg_done(struct ipc_msg *m);
/* Checks raw bytes against the table, as ipc_recv does (for tests and fuzzing). */
MUST_USE int ipc_check(const struct ipc_table *table, uint16_t from, uint16_t to, const void *data,
		       size_t len, size_t n_fds, struct ipc_msg *ret);

#endif
