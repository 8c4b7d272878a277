/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: what the reading side and the files say. Used with cmocka. */
#ifndef SKEP_SESSION_TEST_LOOK_H
#define SKEP_SESSION_TEST_LOOK_H

#include "session/test/rig.h"

#include <jansson.h>

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Fixtures of cmocka: *state is a struct rig with two guests; whatever was told must have been valid. */
int look_set_up(void **state);
int look_tear_down(void **state);

struct rows {
	struct session_row all[64];
	uint32_t n;
};
/* For session_list: adds a row to struct rows. */
bool take_row(void *ctx, const struct session_row *row);
struct rows rows_of(struct rig *r);
/* ID.json of the day; the caller drops it. */
json_t *record_of(struct rig *r, uint64_t id);
uint64_t count_of(const json_t *record, const char *key);
/* How many lines of the day's file have the word. */
uint32_t lines_with(struct rig *r, const char *name, const char *word);
/* Its recording's name; overwritten by the next call. */
const char *cast_of_row(const struct session_row *row);
/* A visit by ssh with logins, a shell and a command, that goes on. */
void one_visit(struct rig *r);
/* A conversation by telnet, as the wire hears it begin. */
struct session_open telnet(struct rig *r);

#endif
