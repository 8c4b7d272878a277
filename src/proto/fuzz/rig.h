/* SPDX-License-Identifier: BSD-2-Clause */
/* Turns fuzz input into a conversation. */
#ifndef SKEP_PROTO_RIG_H
#define SKEP_PROTO_RIG_H

#include "proto/proto_priv.h"

/* Input: pieces of a byte (bit 0 direction, bit 1 a gap, the rest: size of cuts), a 16-bit length, and
 * as many bytes. Plays it twice, whole and cut, and aborts unless both tell the same (and no memory is
 * left over). proto APP_UNKNOWN: found by content. */
void rig_play(enum app_proto proto, bool tcp, uint16_t port, const uint8_t *data, size_t size);

#endif
