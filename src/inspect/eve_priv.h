/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer under the events: bounded text into a buffer that goes out when it is nearly full. Only
 * for src/inspect. */
#ifndef SKEP_INSPECT_EVE_PRIV_H
#define SKEP_INSPECT_EVE_PRIV_H

#include "inspect/eve.h"
#include "inspect/inspect_priv.h"

#define EVE_BUFFER (2u << 20)
#define EVE_LINE (512u << 10) /* longest event */

struct eve {
	struct eve_conf conf;
	struct eve_counts counts;
	int err;
	size_t len, start; /* start: of the event being written */
	bool cut;          /* the event did not fit */
	bool comma;        /* the next key needs one in front */
	int64_t second;    /* which `stamp` holds */
	char stamp[32];
	char buf[EVE_BUFFER];
};

/* An event line is put together by calls of these, between eve_begin and eve_end. Keys are our own
 * constants; texts are foreign and escaped. */
void eve_begin(struct eve *e);
void eve_end(struct eve *e);
void eve_open(struct eve *e, const char *key, char bracket); /* '{' or '['; key NULL: none */
void eve_shut(struct eve *e, char bracket);
void eve_int(struct eve *e, const char *key, uint64_t v);
void eve_bool(struct eve *e, const char *key, bool v);
void eve_text(struct eve *e, const char *key, const char *v);
void eve_bytes(struct eve *e, const char *key, const void *data, size_t len);
void eve_stamp(struct eve *e, const char *key, int64_t ns);
void eve_addr(struct eve *e, const char *key, const struct addr *a);
void eve_hex(struct eve *e, const char *key, const uint8_t *data, size_t len);
void eve_base64(struct eve *e, const char *key, const uint8_t *data, size_t len);
/* Printable ASCII as it is, line ends as they are, the rest as dots. */
void eve_printable(struct eve *e, const char *key, const uint8_t *data, size_t len);
void eve_json(struct eve *e, const char *key, const json_t *v);

#endif
