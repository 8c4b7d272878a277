/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include "proto/test/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the conversation tells, and what the flow itself was found to be. */
static char *play(enum app_proto proto, bool tcp, uint16_t port, const uint8_t *data, size_t size,
		  bool cut)
{
	struct talk t;
	talk_open(&t, proto, tcp);
	t.flow.port[0] = 40000;
	t.flow.port[1] = port;
	for (size_t at = 0; size - at >= 3;) {
		uint32_t n = load_be16(data + at + 1), step = data[at] >> 2;
		unsigned dir = data[at] & 1;
		bool gap = (data[at] & 2) != 0;
		at += 3;
		if (n > size - at)
			n = (uint32_t)(size - at);
		if (gap && tcp)
			talk_gap(&t, dir, n);
		else
			talk_say(&t, dir, data + at, n, cut ? step + 1 : 0);
		at += n;
	}
	talk_end(&t);
	char *text = talk_tell(&t), *all = NULL;
	if (asprintf(&all, "%s proto %u failed %u events %llx", text, t.app->proto, t.app->failed,
		     (unsigned long long)t.app->events[0]) < 0)
		abort();
	free(text);
	talk_close(&t);
	return all;
}

void rig_play(enum app_proto proto, bool tcp, uint16_t port, const uint8_t *data, size_t size)
{
	char *whole = play(proto, tcp, port, data, size, false);
	if (tcp) {
		char *cut = play(proto, tcp, port, data, size, true);
		if (strcmp(whole, cut) != 0) {
			fprintf(stderr, "whole:\n%s\ncut:\n%s\n", whole, cut);
			abort();
		}
		free(cut);
	}
	free(whole);
}
