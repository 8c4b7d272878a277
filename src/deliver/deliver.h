/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deliver: finished messages to servers: SMTP (STARTTLS, TLS, AUTH, XOAUTH2), HTTP, syslog over TLS, TCP
 * or UDP; by libcurl, several at a time, none waits for another. Used by courier, and by `skep doctor`
 * to see whether a server would take one. Knows the passwords, and nothing of what messages mean.
 */
#ifndef SKEP_DELIVER_H
#define SKEP_DELIVER_H

#include "conf/conf.h"

#define DELIVER_SECRET 4096 /* a token; with terminator */
#define DELIVER_TEXT 256
struct deliver_secrets { /* by index in conf_alerts.to; "" : none */
	struct {
		char secret[DELIVER_SECRET], oauth_secret[512];
	} to[CONF_DESTINATIONS];
};

enum deliver_outcome {
	DELIVER_OK,
	DELIVER_LATER, /* not reachable, busy, greylisted, too many requests */
	DELIVER_NEVER, /* refused for good: this message, or what the configuration says */
};
struct deliver_result {
	uint64_t number;
	uint8_t destination, outcome, pad[2]; /* enum deliver_outcome */
	int32_t code;      /* SMTP's or HTTP's; 0: it did not come that far */
	uint32_t after_s;  /* the server asks to wait so long; 0: it does not */
	char text[DELIVER_TEXT]; /* what it said, or what went wrong; foreign bytes */
};

struct deliver;
/* c and secrets must live as long. */
MUST_USE int deliver_create(const struct conf_alerts *c, const struct deliver_secrets *secrets, struct deliver **ret);
void deliver_destroy(struct deliver **d);
/* body is copied. -EBUSY: that destination has one under way. */
MUST_USE int deliver_start(struct deliver *d, uint8_t destination, uint64_t number, const void *body, size_t len);
/* Connects, greets, logs in, sends nothing. */
MUST_USE int deliver_probe(struct deliver *d, uint8_t destination, uint64_t number);
/* Works for at most timeout_ms, less if fd (-1: none) becomes readable or a result is there. */
MUST_USE int deliver_work(struct deliver *d, int fd, int timeout_ms);
bool deliver_next(struct deliver *d, struct deliver_result *ret);

#endif
