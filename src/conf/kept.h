/* SPDX-License-Identifier: BSD-2-Clause */
/* conf: what is kept, where and for how long. A part of conf.h, which includes it. */
#ifndef SKEP_CONF_KEPT_H
#define SKEP_CONF_KEPT_H

#include "base/base.h"

struct conf_recorder {
	uint8_t on;
	uint64_t disk_bytes; /* budget of all captures together */
	uint64_t file_bytes;
	int64_t file_age_ns;
	uint64_t ring_bytes; /* kernel ring of each port */
};

struct conf_store {
	uint32_t keep_days;
	uint64_t disk_bytes;       /* budget of event files and databases */
	int64_t incident_quiet_ns; /* an incident ends after this silence */
};

struct conf_sessions {    /* what happens inside guests, as it is kept */
	uint8_t on, wire; /* wire: also what is said in clear text between guests and others */
	uint32_t keep_days;
	uint64_t disk_bytes;    /* budget of recordings and syslog lines together */
	uint64_t session_bytes; /* one recording is cut at this size */
	uint64_t files_bytes;   /* budget of files that were fetched or uploaded */
	uint64_t file_bytes;    /* a longer one is cut */
};

struct conf_loghost {
	uint8_t tls; /* what honeypots log goes over TLS: the host then has no copy of that */
};

#endif
