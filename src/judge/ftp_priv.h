/* SPDX-License-Identifier: BSD-2-Clause */
/* FTP behind translated addresses, inside judge only (ftp.c). A part of judge_priv.h, which includes it. */
#ifndef SKEP_JUDGE_FTP_PRIV_H
#define SKEP_JUDGE_FTP_PRIV_H

#include "judge/judge_priv.h"

/* Where a line of a control conversation says that data will be waited for. */
struct ftp_said {
	struct addr addr;
	uint16_t port;
	uint32_t at, len; /* of the address's text */
	bool commas;      /* 10,99,0,10 */
};

/* Looks for it in what one segment carries: an answer of a server (227), or a client's command (PORT, EPRT).
 * Only whole lines count. */
bool ftp_read(const uint8_t *bytes, uint32_t len, bool answer, struct ftp_said *ret);

/* Is f a control conversation with the outside? */
bool ftp_is_control(const struct flow *f);
/* A frame of one from outside, before rules see it: what it acknowledges becomes what the guest said. */
void ftp_arrived(struct way *w, const struct flow *f);
/* It passes: a client that announces where it waits for data is remembered. */
void ftp_heard(struct way *w, const struct flow *f);
/* What leaves by the outside port for w's flow: the guest's address becomes the public one. */
void ftp_leaves(struct way *w);
/* The same for a frame that waited. */
void ftp_released(struct judge *j, struct frame *f);
/* Has the one whom the guest wants to reach announced just that? Taken: not any more. */
bool ftp_expected(struct judge *j, uint16_t guest, const struct flow_key *k, int64_t now_ns,
		  bool take);
/* Another guest is there, or the same one anew: it has announced nothing. */
void ftp_forget(struct judge *j, uint16_t guest);

#endif
