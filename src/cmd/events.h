/* SPDX-License-Identifier: BSD-2-Clause */
/* What `skep events` is made of. */
#ifndef SKEP_CMD_EVENTS_H
#define SKEP_CMD_EVENTS_H

#include "base/base.h"

#include <jansson.h>

/* "198.51.100.66:40000", "[2001:db8::1]:22", from the body's keys. */
void events_end(struct writer *w, const json_t *o, const char *ip, const char *port);
/* The line of an event about the inside of a guest; false: it is about something else. text: its sentence. */
bool events_inside(struct writer *w, const json_t *body, const char *kind, const char *text);

#endif
