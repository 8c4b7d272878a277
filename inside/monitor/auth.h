/* SPDX-License-Identifier: BSD-2-Clause */
/* What sshd's privileged half reads and writes, from io.bpf.c to login.c: in the ring as SENSOR_LOGIN. */
#ifndef MONITOR_AUTH_H
#define MONITOR_AUTH_H

#include "sensor/format.h"

#define MONITOR_AUTH_BYTES 1024u

struct monitor_auth { /* then the first MONITOR_AUTH_BYTES bytes of the call */
	struct sensor_proc p;
	uint64_t inode; /* of the socket */
	uint32_t size;  /* bytes of the call */
	uint8_t writes, pad[3];
} __attribute__((packed));

#endif
