/* SPDX-License-Identifier: BSD-2-Clause */
/* event, inside: what the two JSON writers share. Included only in this folder. */
#ifndef SKEP_EVENT_PRIV_H
#define SKEP_EVENT_PRIV_H

#include "event/event.h"

#include <jansson.h>

/* Largest integer that every JSON reader keeps exact (2^53 - 1). */
#define EVENT_INT_MAX ((UINT64_C(1) << 53) - 1)

/* Days since the epoch to year, month 1..12, day 1..31. */
void event_civil(int64_t days, int *ret_year, int *ret_month, int *ret_day);

/* Any bytes up to size or the first NUL -> valid UTF-8, terminated, cut at a character if ret is too
 * small: valid sequences stay, other bytes become \xNN, a backslash is doubled. Room for all of it:
 * 4 * size + 1. Returns the length. */
size_t event_utf8(const char *bytes, size_t size, char *ret, size_t ret_size);
/* The same for exactly size bytes: a zero byte becomes \x00 instead of ending it. */
size_t event_utf8_bytes(const char *bytes, size_t size, char *ret, size_t ret_size);

/* Setters that make a missing object or value fail the whole line: each returns 0 or -1. Texts may
 * be any bytes of at most size. */
int put_text(json_t *o, const char *key, const char *bytes, size_t size);
/* Exactly size bytes, at most EVENT_EXCERPT, zero bytes included. */
int put_bytes(json_t *o, const char *key, const char *bytes, size_t size);
/* Leaves the key out if the text is empty. */
int put_some_text(json_t *o, const char *key, const char *bytes, size_t size);
/* Values over EVENT_INT_MAX are written as EVENT_INT_MAX. */
int put_int(json_t *o, const char *key, uint64_t v);
int put_null(json_t *o, const char *key);
/* A word of ours: a constant. */
int put_word(json_t *o, const char *key, const char *word);
/* 0 means none: null. */
int put_ref(json_t *o, const char *key, uint64_t v);
/* Below 0 means "does not apply": null. */
int put_code(json_t *o, const char *key, int32_t v);
int put_time(json_t *o, const char *key, int64_t ns);
/* Leaves the key out for "none". */
int put_addr(json_t *o, const char *key, const struct addr *a);

/* Each makes one whole object, or NULL when out of memory. Owned by the caller. */
json_t *json_eve(const struct event *e, const char *sensor);
json_t *json_skep(const struct event *e, const char *sensor);
/* Fills in the body of a kind of event/inside.h. */
int json_inside(json_t *o, const struct event *e);

#endif
