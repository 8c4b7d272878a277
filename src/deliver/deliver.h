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
#define DELIVER_CA (16u << 10)
#define DELIVER_TEXT 256
#define DELIVER_UNKEPT \
	(UINT64_C(1) << 63) /* numbers with this bit: courier does not remember them */
struct deliver_secrets {    /* by index in conf_alerts.to; "" : none */
	struct {
		char secret[DELIVER_SECRET], oauth_secret[512];
		char ca[DELIVER_CA]; /* PEM; what conf_destination.ca names, whose folder courier can't read */
	} to[CONF_DESTINATIONS];
};
/* Reads the files that c names (as super or doctor, who may); one newline at their end does not count. A
 * destination whose file can't be read stays without, and the error is returned once the others are read; why
 * then names the first. */
MUST_USE int deliver_secrets_read(const struct conf_alerts *c, struct deliver_secrets *ret,
				  char *why, size_t why_size);

enum deliver_outcome {
	DELIVER_OK,
	DELIVER_LATER, /* not reachable, busy, greylisted, too many requests */
	DELIVER_NEVER, /* refused for good: this message, or what the configuration says */
};
struct deliver_result {
	uint64_t number;
	uint8_t destination, outcome, pad[2]; /* enum deliver_outcome */
	int32_t code;                         /* SMTP's or HTTP's; 0: it did not come that far */
	uint32_t after_s;                     /* the server asks to wait so long; 0: it does not */
	char text[DELIVER_TEXT];              /* what it said, or what went wrong; foreign bytes */
};

/* Tells destinations apart, whatever their place in the configuration. */
uint64_t deliver_mark(const struct conf_destination *to);

struct deliver;
/* c and secrets must live as long. Opens what it needs of certificates later, when it connects. One per
 * process, before it has threads; SIGPIPE is ignored from then on. */
MUST_USE int deliver_create(const struct conf_alerts *c, const struct deliver_secrets *secrets,
			    struct deliver **ret);
void deliver_destroy(struct deliver **d);
/* body is copied. -EINVAL: there is no such destination, or its URL makes no sense. -EBUSY: that destination has one under way, or its result was not taken yet.
 * SKEP_EUNSUPPORTED: not of a kind that goes over the network. */
MUST_USE int deliver_start(struct deliver *d, uint8_t destination, uint64_t number,
			   const void *body, size_t len);
/* Connects, greets, logs in, sends nothing; the rest as deliver_start. */
MUST_USE int deliver_probe(struct deliver *d, uint8_t destination, uint64_t number);
/* Works for at most timeout_ms, less if fd (-1: none) becomes readable or a result is there. */
MUST_USE int deliver_work(struct deliver *d, int fd, int timeout_ms);
/* The next result, whose destination is free from then on; false: there is none now. */
bool deliver_next(struct deliver *d, struct deliver_result *ret);

#endif
