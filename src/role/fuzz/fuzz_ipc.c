/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw bytes as a message of the real table, for each pair of roles; an event that gets through must
 * print as it is. First two bytes of the input: sender, receiver and number of descriptors.
 */
#include "role/role.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_msg m;
	struct event e;
	if (size < 2)
		return 0;
	uint16_t from = ROLE_BIT(data[0] % ROLES), to = ROLE_BIT(data[0] / 16 % ROLES);
	if (ipc_check(&role_messages, from, to, data + 2, size - 2, data[1] % 32, &m) != 0)
		return 0;
	if (m.size != size - 2 - 8)
		abort();
	if (m.type != MSG_EVENT)
		return 0;
	memcpy(&e, m.payload, sizeof(e));
	if (!event_valid(&e))
		return 0;
	char *json = event_json(&e, "fuzz");
	free(json);
	return 0;
}
