/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buffers of transactions that rules can name, as one list. The rows (names in both dialects,
 * protocol, directions, from which progress on, growing or not, several per transaction or one) are in
 * buffers.c; each protocol's file gives the bytes.
 */
#ifndef SKEP_PROTO_BUFFERS_H
#define SKEP_PROTO_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum app_buffer {
	BUF_PAYLOAD, /* packet payload or stream: no transaction */
	BUF_HTTP_URI,
	BUF_HTTP_URI_RAW,
	BUF_HTTP_METHOD,
	BUF_HTTP_PROTOCOL,
	BUF_HTTP_REQUEST_LINE,
	BUF_HTTP_RESPONSE_LINE,
	BUF_HTTP_HEADER,
	BUF_HTTP_HEADER_RAW,
	BUF_HTTP_HEADER_NAMES,
	BUF_HTTP_REQUEST_HEADER,
	BUF_HTTP_RESPONSE_HEADER,
	BUF_HTTP_COOKIE,
	BUF_HTTP_USER_AGENT,
	BUF_HTTP_HOST,
	BUF_HTTP_HOST_RAW,
	BUF_HTTP_ACCEPT,
	BUF_HTTP_ACCEPT_LANG,
	BUF_HTTP_ACCEPT_ENC,
	BUF_HTTP_REFERER,
	BUF_HTTP_CONNECTION,
	BUF_HTTP_CONTENT_TYPE,
	BUF_HTTP_CONTENT_LEN,
	BUF_HTTP_SERVER,
	BUF_HTTP_LOCATION,
	BUF_HTTP_START,
	BUF_HTTP_STAT_CODE,
	BUF_HTTP_STAT_MSG,
	BUF_HTTP_REQUEST_BODY,
	BUF_HTTP_RESPONSE_BODY,
	BUF_FILE_DATA,
	BUF_FILE_NAME,
	BUF_FILE_EXT,
	BUF_DNS_QUERY,
	BUF_DNS_ANSWER_NAME,
	BUF_DNS_QUERY_NAME,
	BUF_DNS_RESPONSE_RRNAME,
	BUF_DNS_QUERIES_RRNAME,
	BUF_DNS_ANSWERS_RRNAME,
	BUF_DNS_AUTHORITIES_RRNAME,
	BUF_DNS_ADDITIONALS_RRNAME,
	BUF_TLS_SNI,
	BUF_TLS_SUBJECT,
	BUF_TLS_ISSUER,
	BUF_TLS_SERIAL,
	BUF_TLS_FINGERPRINT,
	BUF_TLS_CERTS,
	BUF_TLS_SUBJECTALT,
	BUF_TLS_RANDOM,
	BUF_TLS_RANDOM_TIME,
	BUF_TLS_RANDOM_BYTES,
	BUF_TLS_ALPN,
	BUF_JA3_HASH,
	BUF_JA3_STRING,
	BUF_JA3S_HASH,
	BUF_JA3S_STRING,
	BUF_JA4_HASH,
	BUF_SSH_PROTO,
	BUF_SSH_SOFTWARE,
	BUF_SSH_HASSH,
	BUF_SSH_HASSH_STRING,
	BUF_SSH_HASSH_SERVER,
	BUF_SSH_HASSH_SERVER_STRING,
	BUF_SMTP_HELO,
	BUF_SMTP_MAIL_FROM,
	BUF_SMTP_RCPT_TO,
	BUF_EMAIL_FROM,
	BUF_EMAIL_TO,
	BUF_EMAIL_CC,
	BUF_EMAIL_SUBJECT,
	BUF_EMAIL_DATE,
	BUF_EMAIL_MESSAGE_ID,
	BUF_EMAIL_X_MAILER,
	BUF_EMAIL_URL,
	BUF_EMAIL_RECEIVED,
	BUF_EMAIL_BODY_MD5,
	BUF_FTP_COMMAND,
	BUF_FTP_COMMAND_DATA,
	BUF_FTP_REPLY,
	BUF_FTP_COMPLETION_CODE,
	BUF_FTP_REPLY_RECEIVED,
	BUF_FTP_MODE,
	BUF_FTPDATA_COMMAND,
	BUF_SMB_SHARE,
	BUF_SMB_NAMED_PIPE,
	BUF_SMB_NTLMSSP_USER,
	BUF_SMB_NTLMSSP_DOMAIN,
	BUF_DCE_STUB_DATA,
	BUF_DCE_IFACE, /* 18 bytes: UUID in the order it is written, major version big-endian */
	BUF_SIP_METHOD,
	BUF_SIP_URI,
	BUF_SIP_PROTOCOL,
	BUF_SIP_REQUEST_LINE,
	BUF_SIP_RESPONSE_LINE,
	BUF_SIP_STAT_CODE,
	BUF_SIP_STAT_MSG,
	BUF_SIP_FROM,
	BUF_SIP_TO,
	BUF_SIP_VIA,
	BUF_SIP_USER_AGENT,
	BUF_SIP_CONTENT_TYPE,
	BUF_SIP_CONTENT_LENGTH,
	BUF_SIP_BODY,
	BUF_HTTP_HEADER_ONE, /* one of BUF_HTTP_REQUEST_HEADER / RESPONSE_HEADER: "name: value" */
	/* Parts of the packet that rules name like buffers; rule gives the bytes. */
	BUF_IPV4_HDR,
	BUF_IPV6_HDR,
	BUF_TCP_HDR,
	BUF_UDP_HDR,
	BUF_ICMPV4_HDR,
	BUF_ICMPV6_HDR,
	BUF_BASE64, /* what base64_decode made */
	APP_BUFFERS
};

#define BUFFER_TS 1u      /* exists in data to the server */
#define BUFFER_TC 2u      /* ... to the client */
#define BUFFER_GROWS 4u   /* inspected while it grows (app_body) */
#define BUFFER_MANY 8u    /* several instances per transaction */
#define BUFFER_PACKET 16u /* part of the packet, not of a transaction */

struct app_buffer_row {
	enum app_buffer id;
	const char *name; /* sticky name: "http.uri" */
	uint8_t flags;
	uint8_t progress[2];   /* there from this progress of the direction on (0: BUFFER_PACKET) */
	const uint8_t *protos; /* enum app_proto values, zero-terminated; NULL: any */
};
/* The row of a buffer; its name. Never NULL for id < APP_BUFFERS. */
const struct app_buffer_row *app_buffer_row(enum app_buffer id);
/* By sticky name or an older name of the same buffer ("http_uri", "file_data", "tls_sni"); NULL: none. */
const struct app_buffer_row *app_buffer_by_name(const char *name, size_t len);

#endif
