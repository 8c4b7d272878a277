/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers of transactions that rules can compare. */
#ifndef SKEP_PROTO_NUMBERS_H
#define SKEP_PROTO_NUMBERS_H

/* HTTP status, DNS opcode, TLS version ... */
enum app_number {
	NUM_DNS_OPCODE,
	NUM_DNS_RCODE,
	NUM_DNS_RRTYPE,
	NUM_TLS_VERSION,
	NUM_HTTP_STATUS,
	NUM_HTTP_CONTENT_LEN,
	NUM_SMB_VERSION,
	NUM_DCERPC_OPNUM,
	NUM_FTP_REPLY,
	NUM_TLS_CHAIN_LEN,
	NUM_TLS_NOT_BEFORE,
	NUM_TLS_NOT_AFTER,
	NUM_FILE_SIZE,
	NUM_FTP_MODE,
	NUM_FTP_DYN_PORT,
	NUM_TLS_STATE, /* bits of enum app_tls_state: what the handshake has seen so far */
	NUM_NUMBERS
};
enum app_tls_state {
	TLS_SAW_CLIENT_HELLO = 1,
	TLS_SAW_SERVER_HELLO = 2,
	TLS_SAW_CLIENT_KEYX = 4,
	TLS_SAW_SERVER_KEYX = 8
};

#endif
