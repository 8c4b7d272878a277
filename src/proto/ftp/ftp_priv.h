/* SPDX-License-Identifier: BSD-2-Clause */
/* What the control and the data connection of FTP share. Only for src/proto. */
#ifndef SKEP_PROTO_FTP_PRIV_H
#define SKEP_PROTO_FTP_PRIV_H

#include "proto/apps_priv.h"

#define FTP_NAME_MAX 255u

/* What the control connection knows of a data connection that is to come. */
struct ftp_expected {
	bool store; /* STOR, else RETR */
	uint32_t name_len;
	uint8_t name[FTP_NAME_MAX];
};

/* Waits for a data connection to port: of the client if active, else of the server. */
void ftp_expect(struct app *a, bool active, uint16_t port, bool store, struct span name,
		int64_t now_ns);
/* Is this flow a data connection that was announced? Then it becomes one (proto, parent_name). Called
 * by proto.c before it looks at the first bytes. */
bool ftp_data_claim(struct app *a);

#endif
