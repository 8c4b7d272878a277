/* SPDX-License-Identifier: BSD-2-Clause */
/* What every role does alike: wait for its start message, send events without ever blocking. */
#include "role/role.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define START_TIMEOUT_MS 10000

int role_wait_start(enum role self, uint16_t type, void *payload, size_t size, int *fds,
		    size_t max_fds, size_t *ret_n)
{
	struct pollfd pfd = {.fd = ROLE_SUPER_FD, .events = POLLIN};
	struct ipc_msg m;
	if (poll(&pfd, 1, START_TIMEOUT_MS) <= 0)
		return SKEP_ETIMEOUT;
	int err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER), ROLE_BIT(self),
			   payload, size, &m);
	if (err != 0)
		return err;
	if (m.type != type || m.size != size || m.n_fds > max_fds) {
		ipc_msg_done(&m);
		return SKEP_EPEER;
	}
	memmove(payload, m.payload, size);
	for (size_t i = 0; i < m.n_fds; i++)
		fds[i] = fd_take(&m.fds[i]);
	*ret_n = m.n_fds;
	return 0;
}

void role_emit(int events_fd, const struct event *e, uint64_t *lost)
{
	if (*lost > 0) {
		struct event note = event_new(EVENT_HEALTH);
		note.priority = 1;
		text_copy(note.u.health.what, sizeof(note.u.health.what), "lost");
		note.u.health.count = *lost;
		note.u.health.exit_code = note.u.health.signal = -1;
		event_say(&note, "%llu events were lost: the event queue was full",
			  (unsigned long long)*lost);
		if (ipc_send(events_fd, MSG_EVENT, &note, sizeof(note), NULL, 0) == 0)
			*lost = 0;
	}
	if (ipc_send(events_fd, MSG_EVENT, e, sizeof(*e), NULL, 0) != 0)
		(*lost)++;
}
