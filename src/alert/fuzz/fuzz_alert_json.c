/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text as a line of the store. */
#include "alert/alert.h"

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
	struct alert_input in;
	char *text = malloc(size + 1);
	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	int err = alert_input_json(7, text, &in);
	free(text);
	if (err != 0) {
		must(err == SKEP_EFORMAT || err == SKEP_ENOTFOUND);
		return 0;
	}
	must(in.id == 7 && in.class <= ALERT_CLASSES && in.kind < EVENT_KINDS &&
	     in.direction <= DIR_LATERAL);
	must(memchr(in.text, '\0', sizeof(in.text)) != NULL &&
	     memchr(in.what, '\0', sizeof(in.what)) != NULL);
	must(memchr(in.guest, '\0', sizeof(in.guest)) != NULL &&
	     memchr(in.state, '\0', sizeof(in.state)) != NULL);
	must(in.time_ns >= 0 && in.time_ns % 1000 == 0 && in.syn.n_options <= EVENT_SYN_OPTIONS);
	return 0;
}
