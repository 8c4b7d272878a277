/* SPDX-License-Identifier: BSD-2-Clause */
/* A zip with one file in it, encrypted with the password that the trade hands malware round with. No secret: it only
 * keeps mail filters, previews and double clicks away. */
#ifndef SKEP_CMD_VISIT_ZIP_H
#define SKEP_CMD_VISIT_ZIP_H

#include "base/base.h"

#define ZIP_PASSWORD "infected"

/* Writes it to fd. name: letters, digits and the like. */
MUST_USE int zip_write(int fd, const char *name, const void *data, uint32_t len, int64_t time_ns);

#endif
