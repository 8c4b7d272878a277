/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "stream/stream_priv.h"

#define EXPECT_NS (300 * NS_PER_SEC)

static struct expect *set_of(struct stream *s, const struct addr *client, const struct addr *server,
			     uint16_t server_port)
{
	struct {
		struct addr client, server;
		uint64_t port;
	} key = {*client, *server, server_port};

	return &s->expect[hash_keyed(s->secret, &key, sizeof(key)) % EXPECT_SETS * EXPECT_WAYS];
}

int stream_expect(struct stream *s, const struct addr *client, const struct addr *server,
		  uint16_t client_port, uint16_t server_port, uint64_t parent_id, uint32_t tag,
		  int64_t now_ns)
{
	struct expect *e, *best;

	if (!client->ver || client->ver != server->ver || !server_port)
		return SKEP_ERANGE;
	e = best = set_of(s, client, server, server_port);
	for (unsigned i = 0; i < EXPECT_WAYS; i++) {
		if (!e[i].in_use || e[i].until_ns <= now_ns) {
			best = &e[i];
			break;
		}
		if (e[i].until_ns < best->until_ns)
			best = &e[i];
	}
	if (!best->in_use)
		s->n_expect++;
	*best = (struct expect){.client = *client,
				.server = *server,
				.client_port = client_port,
				.server_port = server_port,
				.tag = tag,
				.parent_id = parent_id,
				.until_ns = now_ns + EXPECT_NS,
				.in_use = true};
	return 0;
}

bool stream_expected(struct stream *s, const struct stream_flow *f, uint64_t *ret_parent_id,
		     uint32_t *ret_tag)
{
	struct expect *e;

	if (!s->n_expect || f->proto != 6)
		return false;
	e = set_of(s, &f->addr[0], &f->addr[1], f->port[1]);
	for (unsigned i = 0; i < EXPECT_WAYS; i++) {
		if (!e[i].in_use || e[i].server_port != f->port[1] ||
		    (e[i].client_port && e[i].client_port != f->port[0]) ||
		    !addr_eq(&e[i].client, &f->addr[0]) || !addr_eq(&e[i].server, &f->addr[1]))
			continue;
		e[i].in_use = false;
		s->n_expect--;
		if (e[i].until_ns <= s->now_ns)
			continue;
		*ret_parent_id = e[i].parent_id;
		*ret_tag = e[i].tag;
		return true;
	}
	return false;
}
