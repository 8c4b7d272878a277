/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * login: who tries to come in with what, from the talk of sshd's two halves: the one that faces the network
 * asks the privileged one over a pair of sockets. Messages are u32 length, u8 type, body; numbers of types
 * as in OpenSSH's monitor.h, the same since 2002. Bounded, believes no length.
 */
#ifndef MONITOR_LOGIN_H
#define MONITOR_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGIN_TEXT 256
#define LOGIN_MESSAGE 1024

struct login_half {          /* one direction */
	uint32_t head, got;  /* length of the message; bytes of that length that have come */
	uint32_t left, have; /* bytes of the message that are to come; that lie in bytes */
	bool whole;          /* nothing of it was cut */
	uint8_t bytes[LOGIN_MESSAGE];
};
struct login_talk { /* zeroed to begin with */
	struct login_half asked, answered;
	bool pending; /* asked, not yet answered */
	char method[24];
	uint32_t user_len, secret_len;
	uint8_t user[LOGIN_TEXT], secret[LOGIN_TEXT];
};

/* A call of the privileged half: it read (or wrote) size bytes, of which the first have are here. True if that
 * was the answer to somebody's try: user, secret and method are in t. */
bool login_feed(struct login_talk *t, bool writes, const uint8_t *data, size_t have, size_t size,
		bool *ret_ok);
void digest_sha256(const void *data, size_t len, uint8_t ret[32]);

#endif
