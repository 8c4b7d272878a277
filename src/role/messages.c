/* SPDX-License-Identifier: BSD-2-Clause */
/* The one table of messages between our processes: type, from -> to, exact size, descriptors. */
#include "role/role.h"

#define FROM_ANY                                                                   \
	(ROLE_BIT(ROLE_SUPER) | ROLE_BIT(ROLE_WALL) | ROLE_BIT(ROLE_RECORDER) |    \
	 ROLE_BIT(ROLE_KEEPER) | ROLE_BIT(ROLE_HUB) | ROLE_BIT(ROLE_LEDGER) |      \
	 ROLE_BIT(ROLE_SINK) | ROLE_BIT(ROLE_COLLECTOR) | ROLE_BIT(ROLE_ALERTER) | \
	 ROLE_BIT(ROLE_COURIER))
#define CHILDREN (FROM_ANY & ~ROLE_BIT(ROLE_SUPER))

static const struct ipc_row rows[] = {
	{MSG_START_WALL, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_WALL), sizeof(struct start_wall), 5,
	 8 + JUDGE_PORTS, "start-wall"},
	{MSG_START_RECORDER, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_RECORDER),
	 sizeof(struct start_recorder), 4, 3 + CAPTURE_PORTS, "start-recorder"},
	{MSG_START_KEEPER, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_KEEPER), sizeof(struct start_keeper),
	 2, 2, "start-keeper"},
	{MSG_START_HUB, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_HUB), sizeof(struct start_hub), 2,
	 2 + HUB_SOURCES, "start-hub"},
	{MSG_START_LEDGER, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_LEDGER), sizeof(struct start_ledger),
	 2, 2, "start-ledger"},
	{MSG_START_SINK, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_SINK), sizeof(struct start_sink),
	 1 + SINK_SOCKETS, 2 + SINK_SOCKETS, "start-sink"},
	{MSG_START_COLLECTOR, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_COLLECTOR),
	 sizeof(struct start_collector), 4, 4, "start-collector"},
	{MSG_MONITOR, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_COLLECTOR), sizeof(struct msg_monitor), 0,
	 1, "monitor"},
	{MSG_HEARD, ROLE_BIT(ROLE_COLLECTOR), ROLE_BIT(ROLE_SUPER), sizeof(struct msg_heard), 0, 0,
	 "heard"},
	{MSG_READY, CHILDREN, ROLE_BIT(ROLE_SUPER), sizeof(struct msg_ready), 0, 0, "ready"},
	{MSG_STOP, ROLE_BIT(ROLE_SUPER), CHILDREN, 0, 0, 0, "stop"},
	{MSG_PORT, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_WALL) | ROLE_BIT(ROLE_RECORDER),
	 sizeof(struct msg_port), 0, 1, "port"},
	{MSG_QEMU, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_KEEPER), sizeof(struct msg_qemu), 0, 2,
	 "qemu"},
	{MSG_GUEST, ROLE_BIT(ROLE_KEEPER), ROLE_BIT(ROLE_SUPER), sizeof(struct msg_guest), 0, 0,
	 "guest"},
	{MSG_EVENT, FROM_ANY, ROLE_BIT(ROLE_HUB) | ROLE_BIT(ROLE_LEDGER) | ROLE_BIT(ROLE_ALERTER),
	 sizeof(struct event), 0, 0, "event"},
	{MSG_ORDERS, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_WALL), sizeof(struct policy_now), 0, 0,
	 "orders"},
	{MSG_HOST, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_WALL), sizeof(struct msg_host), 0, 0,
	 "host"},
	{MSG_RULES, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_WALL), 0, 2, 2, "rules"},
	{MSG_RULES_DONE, ROLE_BIT(ROLE_WALL), ROLE_BIT(ROLE_SUPER), sizeof(struct msg_rules_done),
	 0, 0, "rules-done"},
	{MSG_START_ALERTER, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_ALERTER),
	 sizeof(struct start_alerter), 4, 7, "start-alerter"},
	{MSG_START_COURIER, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_COURIER),
	 sizeof(struct start_courier), 2, 2, "start-courier"},
	{MSG_SEEN, ROLE_BIT(ROLE_ALERTER) | ROLE_BIT(ROLE_HUB),
	 ROLE_BIT(ROLE_HUB) | ROLE_BIT(ROLE_ALERTER), sizeof(struct msg_seen), 0, 0, "seen"},
	{MSG_DELIVER, ROLE_BIT(ROLE_ALERTER), ROLE_BIT(ROLE_COURIER) | ROLE_BIT(ROLE_SUPER),
	 sizeof(struct msg_deliver), 1, 1, "deliver"},
	{MSG_DELIVERED, ROLE_BIT(ROLE_COURIER) | ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_ALERTER),
	 sizeof(struct deliver_result), 0, 0, "delivered"},
	{MSG_COURIER, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_ALERTER), 0, 0, 0, "courier"},
	{MSG_ALERT_TEST, ROLE_BIT(ROLE_SUPER), ROLE_BIT(ROLE_ALERTER),
	 sizeof(struct msg_alert_test), 0, 0, "alert-test"},
	{MSG_DONE, CHILDREN, ROLE_BIT(ROLE_SUPER), 0, 0, 0, "done"},
};

const struct ipc_table role_messages = {rows, ARRAY_LEN(rows)};

const char *role_text(enum role r)
{
	static const char *const names[] = {"super",  "wall", "recorder",  "keeper",  "hub",
					    "ledger", "sink", "collector", "alerter", "courier"};
	_Static_assert(ARRAY_LEN(names) == ROLES, "a name for each role");
	return r < ROLES ? names[r] : "?";
}
