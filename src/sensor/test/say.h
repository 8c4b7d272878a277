/* SPDX-License-Identifier: BSD-2-Clause */
/* The other end of the serial port, for tests: makes the bytes of records. */
#ifndef SKEP_SENSOR_SAY_H
#define SKEP_SENSOR_SAY_H

#include "sensor/sensor.h"

struct say { /* zeroed to begin with */
	uint8_t buf[SENSOR_BUFFER];
	uint32_t len;
	uint64_t seq, boot_ns; /* of the next record */
};
/* Appends a record; texts: n strings or NULL for an empty one. */
void say_record(struct say *s, enum sensor_type type, const void *fixed, uint32_t fixed_len,
		uint32_t n, const struct sensor_text *texts);
/* The smallest valid record of a type; texts are "one", "two", "three". */
void say_plain(struct say *s, enum sensor_type type);
void say_bytes(struct say *s, const void *data, uint32_t len);
/* How long the fixed part of a type is, and how many texts it has. */
uint32_t say_fixed(enum sensor_type type, uint32_t *ret_texts);

#endif
