/* SPDX-License-Identifier: BSD-2-Clause */
/* Any template: one that passes its check gives JSON with every message. Input: the template. */
#include "notify/notify_priv.h"
#include "notify/test/world.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char body[NOTIFY_BODY];
	static struct conf_alerts c;
	static struct sample s;
	struct notify_from from = world_from();
	char why[256];

	world_conf(false, DEST_WEBHOOK, &c);
	size = size < CONF_TEMPLATE ? size : CONF_TEMPLATE - 1;
	memcpy(c.to[0].template, data, size);
	int r = notify_template_check(c.to[0].template, why, sizeof(why));
	for (const char *p = why; r != 0 && *p != '\0'; p++)
		must(*p >= ' ' && *p < 0x7f);
	if (r != 0)
		return 0;
	for (size_t i = size % 2; i < world_samples(); i += 2) {
		struct writer w = writer_of(body, sizeof(body));
		world_sample(i, &s);
		r = notify_body(&from, &c, &s.m, &s.facts, &w);
		must(r == 0 || r == SKEP_ETRUNC);
		if (r != 0)
			continue;
		json_t *o = json_loads(body, JSON_DECODE_ANY, NULL);
		must(o != NULL);
		json_decref(o);
	}
	return 0;
}
