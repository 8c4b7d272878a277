/* SPDX-License-Identifier: BSD-2-Clause */
/* What contained traffic said: the body of EVENT_SINK. A part of event.h, which includes it. */
#ifndef SKEP_EVENT_SINK_H
#define SKEP_EVENT_SINK_H

#include "base/base.h"

#define EVENT_SINK_NAME 32 /* EVENT_NAME */
#define EVENT_EXCERPT 512  /* foreign bytes as they came, a zero byte included */

struct event_sink {
	char guest[EVENT_SINK_NAME];
	char service[EVENT_SINK_NAME]; /* "smtp", "http", "dns", "ntp", "tcp", "udp" */
	char what
		[EVENT_SINK_NAME]; /* "mail", "login", "request", "query", "suspicion", "bytes" ... */
	struct addr client, server; /* server: whom the guest meant */
	uint16_t cport, sport;      /* sport 0: not known; hub finds it by the conversation */
	uint8_t proto, pad;
	uint16_t excerpt_len;
	uint64_t bytes, count; /* count: how often, or which part of an excerpt in several events */
	char excerpt[EVENT_EXCERPT];
};

#endif
