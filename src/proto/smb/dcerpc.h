/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of DCE/RPC (C706, MS-RPCE), over TCP and through SMB's pipes. Only for src/proto. */
#ifndef SKEP_PROTO_DCERPC_H
#define SKEP_PROTO_DCERPC_H

#include "proto/apps_priv.h"

#define DCE_IFACES 32u
#define DCE_HEAD 16u

enum dce_type {
	DCE_REQUEST = 0,
	DCE_RESPONSE = 2,
	DCE_FAULT = 3,
	DCE_BIND = 11,
	DCE_BIND_ACK = 12,
	DCE_BIND_NAK = 13,
	DCE_ALTER = 14,
	DCE_ALTER_ACK = 15,
	DCE_AUTH3 = 16,
	DCE_NONE = 255
};
#define DCE_FIRST 1u
#define DCE_LAST 2u

struct dce_head {
	uint8_t type, flags;
	bool little;
	uint16_t frag_len, auth_len;
	uint32_t call_id;
};

struct dce_iface {
	uint8_t uuid[16]; /* in the order in which it is written */
	uint16_t ctx, major, minor, result;
	bool answered;
};

struct dce_state {         /* of a connection or an open pipe */
	uint32_t n, asked; /* asked: first of the last bind */
	struct dce_iface iface[DCE_IFACES];
	uint32_t more[2]; /* bytes of a fragment that are still to come (pipes) */
	bool more_last[2];
};

#define DCE_IFACE_BYTES 18u /* of BUF_DCE_IFACE: UUID as written, major version big-endian */

struct dce_call {
	uint32_t call_id;
	uint8_t type[2]; /* enum dce_type of the request and of the answer */
	bool has_opnum, done[2];
	uint16_t opnum, ctx;
	uint32_t frags[2];
	struct bytes stub[2];
	bool has_iface;
	uint8_t iface[DCE_IFACE_BYTES];
	uint32_t n_bound;
	struct dce_iface *bound; /* what a bind asked for; the call's */
};

/* Reads a header; false: these len >= DCE_HEAD bytes are none. */
bool dce_head_read(const uint8_t *d, uint32_t len, struct dce_head *ret);
/* Is this type said by the client? */
bool dce_is_request(uint8_t type);
/* Takes one fragment of call c, or what there is of it (len <= h->frag_len). */
void dce_fragment(struct app *a, struct dce_state *s, struct dce_call *c, unsigned dir,
		  const struct dce_head *h, const uint8_t *d, uint32_t len);
void dce_call_free(struct app *a, struct dce_call *c);
/* The buffers of a call. */
int dce_buffer(const struct dce_call *c, enum app_buffer b, unsigned dir, uint32_t index,
	       struct span *ret);
/* Members that "dcerpc" and "smb.dcerpc" share; in SMB opnum stands outside of req. */
void dce_eve(const struct dce_call *c, bool smb, json_t *o);

#endif
