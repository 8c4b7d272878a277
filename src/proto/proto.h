/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proto: what is said inside a conversation. Finds the application protocol by content, not port,
 * parses it from both directions' ordered bytes into transactions, and names their parts: buffers that
 * rules match, facts that events tell. One file per protocol behind one small table of functions.
 * All state comes from the slab and is bounded; hostile input never fails, it sets events. Used by
 * inspect and rule.
 */
#ifndef SKEP_PROTO_H
#define SKEP_PROTO_H

#include "stream/stream.h"

#include <jansson.h>

enum app_proto {
	APP_UNKNOWN, /* not known yet */
	APP_FAILED,  /* looked at, and none of ours */
	APP_HTTP,
	APP_DNS,
	APP_TLS,
	APP_SSH,
	APP_SMTP,
	APP_FTP,
	APP_FTP_DATA,
	APP_SMB,
	APP_DCERPC,
	APP_SIP,
	/* Found by content, not parsed: for app-layer-protocol and the alert proto field. */
	APP_HTTP2,
	APP_IMAP,
	APP_POP3,
	APP_NTP,
	APP_DHCP,
	APP_TFTP,
	APP_SNMP,
	APP_RDP,
	APP_MQTT,
	APP_PGSQL,
	APP_RFB,
	APP_TELNET,
	APP_IKE,
	APP_KRB5,
	APP_NFS,
	APP_QUIC,
	APP_MODBUS,
	APP_DNP3,
	APP_ENIP,
	APP_BITTORRENT,
	APP_LDAP,
	APP_PROTOS
};
/* "http", "dns" ... as rules write it; and back (also "http1", "smb1" ...; APP_PROTOS: unknown). */
const char *app_proto_text(enum app_proto p);
enum app_proto app_proto_by_name(const char *name, size_t len);

/* ---- buffers: the one table of what rules can name (buffers.c) --------------------------------- */

#include "proto/buffers.h"
#include "proto/numbers.h"

struct span {
	const uint8_t *data; /* borrowed until the next feed of this flow */
	uint32_t len;
};

/* ---- transactions ------------------------------------------------------------------------------- */

#define APP_EVENT_WORDS 3
#define APP_DONE 255u /* progress of a direction that is over */

struct app_file { /* something carried as a file: HTTP body, mail attachment, FTP data */
	struct app_file *next;
	char name[256]; /* raw bytes, terminated, cut */
	uint16_t name_len;
	uint64_t size; /* bytes so far */
	uint32_t file_id;
	uint8_t dir; /* the direction that carried it */
	bool closed, truncated, gaps, told;
	uint8_t sha256[32]; /* valid if hashed and closed */
	bool hashed;
	struct app_body *body; /* what is kept of the content, owned */
};

/* A growing buffer that is inspected while it grows: bodies, file data, mail text. */
struct app_body {
	uint8_t *data; /* the last bytes, data[0] is byte base; owned by the slab */
	uint32_t len, cap;
	uint64_t base, total;
	bool complete;
	uint32_t unseen; /* bytes since somebody was last asked to look (app_ctx_set_full) */
};

/* Head of every transaction; protocols embed it first in their own struct. */
struct app_tx {
	struct app_tx *next;
	uint64_t id;         /* 0, 1, 2 ... in the flow */
	uint8_t progress[2]; /* grows; buffers say from which progress they are there; APP_DONE */
	uint8_t told;        /* inspect's: bits of what has been logged */
	bool inspected[2];   /* rule's: finished with this direction */
	bool asked, open_end,
		unframed; /* rule's: request and answer are changed so that the body can be */
	uint64_t events[APP_EVENT_WORDS];
	uint64_t events_told[APP_EVENT_WORDS]; /* rule's */
	void *rules[2]; /* rule's state per direction; freed by app_free_fn */
	struct app_file *files;
	bool toserver_only, toclient_only; /* the other direction will never say anything */
	uint8_t proto;                     /* enum app_proto it is of: a flow may change its own */
	int64_t stamp_ns;
};

struct app_ctx; /* what all flows share: limits, scratch, decompressors; made once */
struct app_conf {
	uint32_t request_body, response_body; /* bytes of a body kept and inspected; 0: 100 KiB */
	bool hash_files;
	uint32_t max_tx; /* transactions of a flow that wait for something; 0: 512 */
};
/* Makes the shared part; takes its scratch from the heap, all else from slab (kept by reference). */
MUST_USE int app_ctx_create(const struct app_conf *conf, struct slab *slab, struct app_ctx **ret);
void app_ctx_free(struct app_ctx **c);
/* Where FTP announces its data connections (kept by reference); without it they are not known. */
void app_ctx_set_stream(struct app_ctx *c, struct stream *s);

struct app { /* one flow; in stream_flow.app */
	struct app_ctx *ctx;
	struct stream_flow *flow;
	uint8_t proto;        /* enum app_proto */
	uint8_t proto_dir[2]; /* what each direction alone looked like */
	uint8_t before;       /* protocol before an upgrade (STARTTLS, CONNECT), or APP_UNKNOWN */
	bool detected[2], failed, wants_none;
	/* Who began this flow is the one who answers. Directions in here (progress, inspected, the dir
	 * of app_buffer, app_number, app_eve) then are those of the talk: rules and events swap the
	 * packet's. app_feed and app_datagram take the packet's. */
	bool reversed;
	void *state; /* the protocol's own */
	struct app_tx *tx_first, *tx_last;
	struct app_tx *kept;    /* what a connection began with, when it is over: app_last */
	struct app_tx *tx_gave; /* up to here the oldest have made room for others */
	uint64_t tx_next_id;
	uint32_t tx_open;
	bool full; /* there was more than is kept: not all of what came, or will come, is read */
	uint64_t events[2]; /* flow-level app-layer events (APP_EVENT_ names), by bit */
	uint64_t events_told[2];
	uint32_t expect_tag; /* FTP data: tag of the expectation this flow fulfils */
	void *parent_name;   /* FTP data: name of the file, from the control flow; slab, owned */
	uint32_t files_made;
	uint8_t expect;    /* protocol that an upgrade should lead to, or APP_UNKNOWN */
	uint8_t first_dir; /* direction that spoke first since detection began; 2: none yet */
	uint8_t tries[2];  /* datagrams looked at in vain */
	bool switching;    /* app_switch was called in this feed */
	uint64_t feed_off; /* where in the stream what is being fed begins */
};

#define APP_EOF 1u /* the direction is over */
#define APP_GAP 2u /* len bytes are missing; data is NULL */

/* Makes the state of a flow and hangs it on f->app. NULL: no memory. */
struct app *app_open(struct app_ctx *c, struct stream_flow *f);
/* Hands over the next bytes of a direction (detecting the protocol first if need be). Returns how many
 * were taken: the rest is offered again with more behind it. At APP_EOF everything is taken. Protocols
 * that have failed, or that nobody parses, take all. */
uint32_t app_feed(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, unsigned flags,
		  int64_t now_ns);
/* One datagram (UDP). */
void app_datagram(struct app *a, unsigned dir, const uint8_t *data, uint32_t len, int64_t now_ns);
/* Removes transactions that both directions and rule and inspect are finished with. free_rules: gives
 * back tx->rules[]. */
typedef void app_free_fn(void *ctx, void *rules);
void app_sweep(struct app *a, app_free_fn *free_rules, void *ctx, bool all);
/* Frees everything of the flow (f->app becomes NULL). */
void app_close(struct stream_flow *f, app_free_fn *free_rules, void *ctx);

/* The index-th (0, 1 ...) instance of a buffer in a direction of a transaction: 0 if there is one,
 * 1 if that buffer has no such instance (yet). Growing buffers give what is held now; *ret_base (may be
 * NULL) is the offset of data[0] in the whole, *ret_complete whether nothing more will come. */
int app_buffer(const struct app *a, const struct app_tx *tx, enum app_buffer b, unsigned dir,
	       uint32_t index, struct span *ret, uint64_t *ret_base, bool *ret_complete);
/* A number of a transaction that keywords compare (index: of several); false: there is none. */
bool app_number(const struct app *a, const struct app_tx *tx, enum app_number n, unsigned dir,
		uint32_t index, uint64_t *ret);

/* Fills the EVE object of a transaction (the value of "http", "dns" ...); false: nothing to tell.
 * For alerts and for events of their own. answer: the response part (DNS is told twice). */
bool app_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *ret_object);
/* Fills the object "email" that stands beside "smtp"; false: there is none. */
bool app_eve_email(const struct app_tx *tx, json_t *ret_object);
/* The transaction that stands for all of a connection's talk, as the handshake of TLS or SSH does for
 * what is encrypted with it, even when it has been swept; NULL: none. For alerts that have none. */
const struct app_tx *app_last(const struct app *a);
/* Name of the protocol's event type and key in EVE: "http", "ftp", ...; NULL: none. */
const char *app_eve_key(enum app_proto p);

/* App-layer events by name, as after app-layer-event: "http.request_chunk_extension", or
 * "applayer_mismatch_protocol_both_directions" for those of the flow (proto APP_UNKNOWN). -1: none. */
int app_event_by_name(const char *name, size_t len, enum app_proto *ret_proto);
const char *app_event_name(enum app_proto p, unsigned event);

#include "proto/wire.h"

#endif
