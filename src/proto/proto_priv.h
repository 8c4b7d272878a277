/* SPDX-License-Identifier: BSD-2-Clause */
/* What protocols share with proto.c. Only for src/proto. */
#ifndef SKEP_PROTO_PRIV_H
#define SKEP_PROTO_PRIV_H

#include "proto/proto.h"

struct app_ctx {
	struct app_conf conf;
	struct slab *slab;
	uint8_t *scratch;      /* SCRATCH bytes for one call */
	struct stream *stream; /* FTP announces data connections there; NULL: nowhere */
	app_full_fn *full;     /* told before bytes go that nobody may have seen; NULL: nobody */
	void *full_ctx;
	app_frame_fn *frame; /* told of framing; NULL: nobody */
	void *frame_ctx;
	void *ftp_expected;     /* ftp_data.c's own */
	void *inflate, *brotli; /* http_body's own: decompression output and pools */
};
#define APP_SCRATCH 65536u

/* One protocol. Functions may be NULL where said. */
struct app_ops {
	enum app_proto proto;
	const char *eve_key;       /* NULL: no event of its own */
	const char *const *events; /* names after "http."; NULL-terminated; NULL: none */
	bool tcp, udp;
	/* Could these first bytes of a direction be this protocol? */
	int (*probe)(unsigned dir, const uint8_t *data, uint32_t len); /* enum probe */
	int (*open)(struct app *a);                                    /* sets a->state */
	void (*close)(struct app *a); /* frees a->state; not transactions */
	uint32_t (*feed)(struct app *a, unsigned dir, const uint8_t *data, uint32_t len,
			 unsigned flags, int64_t now_ns);
	void (*tx_free)(struct app *a, struct app_tx *tx); /* its own parts, not tx itself */
	/* It is swept, but may stay for app_last, without what events don't tell; false: it goes. Unlike
	 * tx_free. NULL: no transaction of this protocol stands for the connection. */
	bool (*keep)(struct app *a, struct app_tx *tx);
	int (*buffer)(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
		      uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete);
	bool (*number)(const struct app *a, const struct app_tx *tx, enum app_number n,
		       unsigned dir, uint32_t index, uint64_t *ret); /* NULL: has none */
	bool (*eve)(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o);
	/* app_wire, app_head_begins; NULL: nothing maps back, no head. */
	uint32_t (*wire)(const struct app *a, const struct app_tx *tx, enum app_buffer b,
			 unsigned dir, uint32_t index, uint64_t off, uint32_t len,
			 struct app_piece *pieces, uint32_t max);
	bool (*is_framed)(const struct app_tx *tx, unsigned dir);
	uint64_t (*head_begins)(const struct app *a, unsigned dir);
};
enum probe { PROBE_NO, PROBE_MORE, PROBE_YES };

/* detect.c: what the first bytes of a direction look like. MORE: undecided until more come. The answer
 * for more bytes never contradicts a YES or NO for fewer. */
enum probe detect_stream(const struct stream_flow *f, unsigned dir, const uint8_t *data,
			 uint32_t len, enum app_proto *ret);
/* One datagram; *ret_dir: the direction this protocol's content belongs to. */
enum probe detect_datagram(const struct stream_flow *f, unsigned dir, const uint8_t *data,
			   uint32_t len, enum app_proto *ret, unsigned *ret_dir);

/* The protocol's table, or NULL if nobody parses it (list.c). */
const struct app_ops *app_ops_of(unsigned proto);

/* What app_tx.progress means, by protocol (buffers.c counts on it). APP_DONE ends all of them. */
enum http_progress { HTTP_GOT_LINE = 1, HTTP_GOT_HEADERS, HTTP_GOT_BODY };
enum tls_progress { /* server: certificate and hello done are the two sides of one step */
		    TLS_GOT_HELLO = 1,
		    TLS_GOT_CERT,
		    TLS_GOT_HANDSHAKE
};
enum ssh_progress { SSH_GOT_BANNER = 1, SSH_GOT_KEX };
enum smtp_progress { SMTP_GOT_ENVELOPE = 1, SMTP_GOT_HEADERS, SMTP_GOT_BODY };
enum other_progress { APP_GOT_MESSAGE = 1 }; /* DNS, FTP, SMB, DCERPC, SIP, FTP data */

/* Is this a DNS message of size bytes, of which len are there? MORE: too few to say. strict: beyond
 * doubt, asked of whole messages. */
enum probe dns_looks(const uint8_t *d, uint32_t len, uint32_t size, bool strict,
		     bool *ret_response);

extern const struct app_ops app_http, app_dns, app_tls, app_ssh, app_smtp, app_ftp, app_ftp_data,
	app_smb, app_dcerpc, app_sip, app_pop3, app_imap;

/* Appends a zeroed transaction of size bytes (a struct that begins with struct app_tx) to a; NULL: no
 * memory, or too many are open. Where conf.max_tx wait, the oldest that nothing came for is over. */
struct app_tx *app_tx_new(struct app *a, size_t size, int64_t now_ns);
void app_tx_event(struct app_tx *tx, unsigned event);
/* Flow-level events: index into the list in proto.c (enum app_flow_event). */
enum app_flow_event {
	FLOW_EVENT_MISMATCH_BOTH,
	FLOW_EVENT_WRONG_DIRECTION,
	FLOW_EVENT_ONE_DIRECTION,
	FLOW_EVENT_SKIPPED,
	FLOW_EVENT_NO_TLS_AFTER_STARTTLS,
	FLOW_EVENT_UNEXPECTED
};
void app_flow_event(struct app *a, enum app_flow_event e);
/* Hands the flow to another protocol from the next byte on: STARTTLS, CONNECT. expect APP_UNKNOWN:
 * detect anew. */
void app_switch(struct app *a, enum app_proto expect);

/* Appends to a growing buffer, keeping at most max bytes (the oldest go). */
void app_body_add(struct app *a, struct app_body *b, const uint8_t *data, uint32_t len,
		  uint32_t max);
void app_body_free(struct app *a, struct app_body *b);
/* A new file of tx (appended to tx->files), content added, closed. */
struct app_file *app_file_open(struct app *a, struct app_tx *tx, unsigned dir, const uint8_t *name,
			       uint32_t name_len);
void app_file_add(struct app *a, struct app_file *f, const uint8_t *data, uint32_t len,
		  uint32_t max);
void app_file_close(struct app *a, struct app_file *f, bool whole);
/* Copies bytes into the slab; NULL if len is 0 or memory is out. */
uint8_t *app_copy(struct app *a, const uint8_t *data, uint32_t len);
/* json_stringn for foreign bytes: invalid UTF-8 becomes \xNN text; never fails but for memory. */
json_t *app_json_bytes(const uint8_t *data, uint32_t len);

#endif
