/* SPDX-License-Identifier: BSD-2-Clause */
/* What SMB1 and SMB2/3 share: trees, open files, requests that wait for an answer. Only for
 * src/proto. */
#ifndef SKEP_PROTO_SMB_H
#define SKEP_PROTO_SMB_H

#include "proto/smb/dcerpc.h"

#define SMB_TREES 32u
#define SMB_FILES 64u
#define SMB_PENDING 64u
#define SMB_NAME 1024u /* bytes of a name kept */
#define SMB_NONE UINT32_MAX

enum smb_event {
	SMB_INTERNAL,
	SMB_MALFORMED,
	SMB_OVERFLOW,
	SMB_BAD_NTLM_REQUEST,
	SMB_BAD_NTLM_RESPONSE,
	SMB_DUPLICATE_NEGOTIATE,
	SMB_BAD_DIALECTS,
	SMB_FILE_OVERLAP,
	SMB_REQUEST_TO_CLIENT,
	SMB_RESPONSE_TO_SERVER,
	SMB_READ_REQUEST_BIG,
	SMB_READ_RESPONSE_BIG,
	SMB_WRITE_REQUEST_BIG
};

enum smb_kind { SMB_OTHER, SMB_NEGOTIATE, SMB_SESSION, SMB_TREE, SMB_CREATE, SMB_FILE, SMB_RPC };

struct smb_tx {
	struct app_tx tx;
	uint8_t ver, kind; /* ver 1 or 2; enum smb_kind */
	uint16_t command;
	uint64_t session, id;
	uint32_t tree, status;
	bool answered, pipe;
	struct bytes name; /* of the file, pipe, share */
	struct bytes user, domain, host, lm, os, dialects;
	bool ntlmssp;
	uint8_t ntlm_version[4]; /* major, minor, build (little-endian) */
	bool has_ntlm_version;
	uint16_t dialect;
	uint8_t fid[16], share_type;
	uint32_t access, disposition;
	uint64_t size;
	bool opened;
	struct dce_call *call;
};

struct smb_pipe { /* RPC in a named pipe */
	struct dce_state is;
	struct smb_tx *call;
};

struct smb_open {
	bool used, pipe;
	uint32_t tree, age;
	uint8_t fid[16];
	struct bytes name;
	struct smb_tx *tx[2]; /* its contents written (to server) and read */
	uint64_t at[2];       /* next byte that follows what was seen */
	struct smb_pipe *rpc;
};

struct smb_wait {
	bool used;
	uint64_t key;
	uint16_t command;
	uint32_t age;
	struct smb_tx *tx; /* NULL: reading, writing */
	uint8_t fid[16];
	uint64_t at;
};

struct smb {
	bool dead[2], negotiated, bulk_on[2];
	bool lost[2];     /* a gap: where the next record begins is to be found */
	uint32_t skip[2]; /* bytes of a record that is not looked at */
	uint32_t bulk[2]; /* of which so many are a file's */
	uint8_t bulk_fid[2][16];
	uint16_t dialect;
	uint32_t clock;
	struct bytes dialects; /* the client's, each terminated by a zero byte */
	struct {
		bool used, pipe;
		uint32_t id, age;
		struct bytes share;
	} trees[SMB_TREES];
	struct smb_open files[SMB_FILES];
	struct smb_wait waits[SMB_PENDING];
};

/* One message, of which len bytes are there; more: so many follow in the record but were not waited
 * for, they are a file's contents or nothing. */
void smb1_message(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, uint32_t more,
		  int64_t now_ns);
/* The same; returns the offset of the next message in the record, 0: none. */
uint32_t smb2_message(struct app *a, unsigned dir, const uint8_t *d, uint32_t len, uint32_t more,
		      int64_t now_ns);

struct smb_tx *smb_tx_new(struct app *a, uint8_t ver, uint16_t command, int64_t now_ns);
/* Text of the wire as UTF-8 into b. */
void smb_text(struct app *a, struct bytes *b, const uint8_t *d, uint32_t len, bool utf16);
/* Finds NTLMSSP in a security blob and reads who logs on. */
void smb_ntlmssp(struct app *a, struct smb_tx *t, const uint8_t *d, uint32_t len);

/* Keeps a request for its answer; the oldest give way. */
struct smb_wait *smb_wait_add(struct app *a, uint64_t key, uint16_t command, struct smb_tx *tx);
/* Takes the request that an answer belongs to. */
bool smb_wait_take(struct app *a, uint64_t key, uint16_t command, struct smb_wait *ret);
/* Both directions of t are over. */
void smb_done(struct smb_tx *t);

void smb_tree_add(struct app *a, uint32_t id, bool pipe, const struct bytes *share);
/* Index of a tree, or SMB_NONE. */
uint32_t smb_tree_find(const struct smb *s, uint32_t id);

struct smb_open *smb_open_add(struct app *a, const uint8_t fid[16], uint32_t tree, bool pipe,
			      const struct bytes *name);
struct smb_open *smb_open_find(struct smb *s, const uint8_t fid[16]);
void smb_open_close(struct app *a, struct smb_open *f);
/* This file is a pipe, whatever was seen of its opening. */
void smb_open_pipe(struct app *a, const uint8_t fid[16], uint32_t tree);
/* Bytes of a file or of RPC in a pipe, which begin at offset at of the file; more follow outside of
 * d. like: whose session and tree to tell. */
void smb_data(struct app *a, const struct smb_tx *like, const uint8_t fid[16], unsigned dir,
	      uint64_t at, const uint8_t *d, uint32_t len, uint32_t more, int64_t now_ns);

bool smb_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o);
static inline uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t le32(const uint8_t *p)
{
	return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}
static inline uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

#endif
