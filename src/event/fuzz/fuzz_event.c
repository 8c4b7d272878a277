/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as the record that hub receives. What event_valid lets through must become JSON that
 * parses, in one line, with the keys every reader counts on.
 */
#include "event/event.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Random bytes are hardly ever valid as they are: the first byte chooses what is mended. */
static void mend(struct event *e, uint8_t how)
{
	if ((how & 1) != 0) {
		e->kind = (uint16_t)(EVENT_CONNECTION + e->kind % (EVENT_KINDS - 1));
		e->direction %= DIR_LATERAL + 1;
		e->verdict %= VERDICTS;
		e->reason %= REASONS;
		e->priority %= 3;
		e->id >>= 11;
		e->flow_id >>= 11;
		e->incident >>= 11;
		e->time_ns &= INT64_MAX;
		e->text[EVENT_TEXT - 1] = '\0';
	}
	if ((how & 8) != 0 && e->kind == EVENT_SINK) {
		struct event_sink *s = &e->u.sink;
		s->client = (how & 4) != 0 ? addr_from_v6(s->client.b) : addr_from_v4(s->client.b);
		s->server = (struct addr){0};
		s->guest[EVENT_NAME - 1] = s->service[EVENT_NAME - 1] = '\0';
		s->what[EVENT_NAME - 1] = '\0';
		s->excerpt_len %= EVENT_EXCERPT + 1;
	}
	struct event_tuple *t = event_tuple_of(e);
	if ((how & 2) != 0 && t != NULL) {
		struct addr *const all[] = {&t->src, &t->dst, &t->in_src, &t->in_dst};
		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			*all[i] =
				(how & 4) != 0 ? addr_from_v6(all[i]->b) : addr_from_v4(all[i]->b);
		t->guest[EVENT_NAME - 1] = t->peer_guest[EVENT_NAME - 1] = '\0';
		t->in_port[EVENT_NAME - 1] = '\0';
		t->community_id[0] = t->inside_community_id[0] = '\0';
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct event e;
	memset(&e, 0, sizeof(e));
	if (size < 1)
		return 0;
	memcpy(&e, data + 1, size - 1 < sizeof(e) ? size - 1 : sizeof(e));
	mend(&e, data[0]);
	if (!event_valid(&e))
		return 0;
	char *json = event_json(&e, "sensor");
	json_t *o = json == NULL ? NULL : json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	if (o == NULL || strchr(json, '\n') != NULL || json_object_get(o, "timestamp") == NULL ||
	    json_object_get(o, "event_type") == NULL)
		abort();
	json_decref(o);
	free(json);
	return 0;
}
