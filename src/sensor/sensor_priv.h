/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to sensor: what one record must be like. */
#ifndef SKEP_SENSOR_PRIV_H
#define SKEP_SENSOR_PRIV_H

#include "sensor/sensor.h"

/* Is the type known, and can its length be? */
bool sensor_head_fits(const struct sensor_head *head);
/* The record whose payload of head->len bytes that is; texts of *ret point into it. False: malformed. */
bool sensor_parse(const struct sensor_head *head, const uint8_t *payload,
		  struct sensor_record *ret);

#endif
