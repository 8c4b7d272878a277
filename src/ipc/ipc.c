/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages over SOCK_SEQPACKET. The kernel keeps message borders, so a frame is a small head and
 * the payload; descriptors travel in the same message or not at all.
 */
#include "ipc/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IPC_MAGIC 0x5350u

struct head {
	uint16_t magic, type;
	uint32_t size;
};

int ipc_pair(size_t buffer_bytes, int ret_fds[2])
{
	int fds[2], size = (int)(buffer_bytes < (64u << 20) ? buffer_bytes : 64u << 20);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		/* Past the system's limit only root may go; otherwise take what is allowed. */
		if (setsockopt(fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	memcpy(ret_fds, fds, sizeof(fds));
	return 0;
}

int ipc_send(int fd, uint16_t type, const void *payload, size_t size, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(IPC_FDS * sizeof(int))];
	} control;
	struct head head = {IPC_MAGIC, type, (uint32_t)size};
	struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)payload, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = size > 0 ? 2 : 1};
	if (n_fds > IPC_FDS || size > UINT32_MAX)
		return SKEP_ERANGE;
	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	while (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

/* The one check: type, direction, exact size and number of descriptors against the table. */
static bool head_fits(const struct ipc_table *table, uint16_t from, uint16_t to,
		      const struct head *head, size_t payload_len, size_t n_fds)
{
	if (head->magic != IPC_MAGIC || head->size != payload_len)
		return false;
	for (size_t i = 0; i < table->n; i++) {
		const struct ipc_row *row = &table->rows[i];
		if (row->type == head->type)
			return (row->from & from) != 0 && (row->to & to) != 0 &&
			       row->size == head->size && n_fds >= row->fds_min &&
			       n_fds <= row->fds_max;
	}
	return false;
}

int ipc_check(const struct ipc_table *table, uint16_t from, uint16_t to, const void *data,
	      size_t len, size_t n_fds, struct ipc_msg *ret)
{
	struct head head;
	if (len < sizeof(head))
		return SKEP_EPEER;
	memcpy(&head, data, sizeof(head));
	if (!head_fits(table, from, to, &head, len - sizeof(head), n_fds))
		return SKEP_EPEER;
	*ret = (struct ipc_msg){.type = head.type, .size = head.size};
	ret->payload = (const char *)data + sizeof(head);
	return 0;
}

void ipc_msg_done(struct ipc_msg *m)
{
	for (size_t i = 0; i < m->n_fds; i++)
		fd_close(&m->fds[i]);
	m->n_fds = 0;
}

/* Collects the descriptors of a received message; false if the kernel had to cut some. */
static bool take_fds(struct msghdr *msg, struct ipc_msg *into)
{
	into->n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (into->n_fds < IPC_FDS)
				into->fds[into->n_fds++] = fd;
			else
				close(fd);
		}
	}
	return (msg->msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
}

int ipc_recv(int fd, const struct ipc_table *table, uint16_t from, uint16_t to, void *buf,
	     size_t buf_size, struct ipc_msg *ret)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(IPC_FDS * sizeof(int))];
	} control;
	struct head head;
	struct iovec iov[2] = {{&head, sizeof(head)}, {buf, buf_size}};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = control.room,
			     .msg_controllen = sizeof(control.room)};
	struct ipc_msg held;
	ssize_t n;
	while ((n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0)
		if (errno != EINTR)
			return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	bool whole = take_fds(&msg, &held);
	if (!whole || (size_t)n < sizeof(head) ||
	    !head_fits(table, from, to, &head, (size_t)n - sizeof(head), held.n_fds)) {
		ipc_msg_done(&held);
		return SKEP_EPEER;
	}
	*ret = held;
	ret->type = head.type;
	ret->size = head.size;
	ret->payload = buf;
	return 0;
}
