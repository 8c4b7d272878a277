/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sensor: the host's end of a guest's monitor: bytes of its serial port -> records, every one of them
 * hostile. Bounded, no heap, nothing trusted: lengths, texts and enums are checked before anybody sees a
 * record; what is no record is skipped and counted. Used by collector.
 */
#ifndef SKEP_SENSOR_H
#define SKEP_SENSOR_H

#include "base/base.h"
#include "sensor/format.h"

#define SENSOR_TEXTS 3
struct sensor_text {
	const uint8_t *data; /* borrowed from the parser until the next sensor_next */
	uint32_t len;
};

struct sensor_record {
	uint16_t type; /* enum sensor_type, in range */
	uint64_t seq, boot_ns;
	/* The fixed part, in this machine's byte order, and the texts its type names (len 0: empty). comm
	 * and the like are terminated. */
	union {
		struct sensor_hello hello;
		struct sensor_beat beat;
		struct sensor_visit visit;
		struct sensor_visit_end visit_end;
		struct sensor_exec exec;
		struct sensor_exit exit;
		struct sensor_data data;
		struct sensor_size size;
		struct sensor_login login;
		struct sensor_connect connect;
		struct sensor_file file;
		struct sensor_content content;
		struct sensor_cred cred;
		struct sensor_kernel kernel;
		struct sensor_signal signal;
		struct sensor_state state;
		struct sensor_lost lost;
	} u;
	uint32_t n_texts;
	struct sensor_text texts[SENSOR_TEXTS];
};

#define SENSOR_BUFFER 65536u
struct sensor_parser { /* caller's; zeroed to begin with, and again when the guest starts anew */
	uint8_t buf[SENSOR_BUFFER];
	uint32_t len, at;
	uint64_t next_seq;
	bool began;
	/* since the beginning */
	uint64_t records, junk_bytes, malformed, gaps; /* gaps: sequence numbers that never came */
};
/* Room for more bytes: at least one while sensor_next has been called until it said false. */
void *sensor_room(struct sensor_parser *p, size_t *ret_size);
/* n bytes were put there. */
void sensor_filled(struct sensor_parser *p, size_t n);
/* The next record that is complete; false: more bytes are needed. */
bool sensor_next(struct sensor_parser *p, struct sensor_record *ret);
/* "exec", "data" ...; "?" if unknown. */
const char *sensor_type_text(unsigned type);

#endif
