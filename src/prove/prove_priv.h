/* SPDX-License-Identifier: BSD-2-Clause */
/* prove: what its files share. */
#ifndef SKEP_PROVE_PRIV_H
#define SKEP_PROVE_PRIV_H

#include "capture/capture.h"
#include "packet/packet.h"
#include "prove/frame_priv.h"
#include "prove/prove.h"

#define PROVE_MARK 24u  /* bytes: token, serial, padding; a whole number of fragments' units */
#define PROVE_DNS_ID 1u /* of every question that a case asks a name server */
#define PROVE_TOKEN 16u
#define PROVE_PATTERN "skep-prove-marker-must-not-pass" /* rules/skep-prove.rules */
#define PROVE_CUT 12u /* bytes of it in the first of two fragments */
#define PROVE_ROWS 96u
#define PROVE_EARS (PROVE_PORTS + 2)

/* ---- wire.c --------------------------------------------------------------------------------- */

enum ear_kind { EAR_NONE, EAR_OUTSIDE, EAR_GUEST, EAR_OWN, EAR_SINK, EAR_WIRE };
struct ear {
	enum ear_kind kind;
	int fd;
	uint32_t port; /* of the wall */
};

/* The bytes of one direction of one TCP conversation that came out, by sequence number. */
#define PROVE_STREAM 2048u
struct heard_stream {
	uint32_t frames; /* heard: the SYN is the first */
	bool differs;    /* two copies of a byte were not the same */
	uint32_t first;  /* sequence number of byte 0 */
	uint8_t newest[PROVE_STREAM], oldest[PROVE_STREAM],
		have[PROVE_STREAM]; /* either may count */
};

struct prove {
	const struct prove_conf *conf;
	const struct conf *c;
	struct prove_port me;
	const struct prove_port *own; /* me */
	int wall_ns, far_ns, own_ns;
	int tx, super_tx, outside_tx; /* super: with a virtio-net header in front */
	int guard_prog, guard_map;    /* on a real wire; -1: none */
	int wall_tx;                  /* as the wall, to the far end; -1 in the lab */
	struct mac peer;              /* who speaks from outside */
	struct mac gate[2];           /* as guests know the gateway, by version */
	bool gate_known[2], gate_told[2], gate_asked;
	bool real, bridged; /* on a real wire; guests are on it themselves */
	struct ear ears[PROVE_EARS];
	size_t n_ears;
	uint8_t token[PROVE_TOKEN];
	uint32_t serial;          /* the next frame's */
	uint8_t seen[65536 / 8];  /* serials that arrived */
	uint8_t sunk[65536 / 8];  /* ... in the sink */
	uint8_t asked[65536 / 8]; /* ... whose names the sink asked its upstream for */
	uint32_t n_asked;         /* of the row that is being tried */
	uint8_t owner[65536];     /* serial: its row; row 0: the fences */
	bool from_out[65536];     /* serial: it comes from outside */
	struct prove_row rows[PROVE_ROWS];
	size_t n_rows, row; /* row: the one that is being tried */
	uint32_t unsettled; /* frames since the last fence */
	uint16_t next_port, fence_port;
	bool fence_ping;   /* fences are pings: no UDP is allowed */
	bool fence_answer; /* they are answers to somebody outside: nothing else is allowed */
	bool flooded;      /* rules that count floods may still be counting */
	bool fenced, dead; /* fences pass; they did once and don't any more */
	bool called;       /* frames were sent from outside since the last fence there */
	bool inbound; /* what is sent now comes from outside: what reaches a guest counts, the proof's too */
	uint32_t used[4];               /* conversations that passed: TCP, UDP, ICMP, other */
	bool urgent_left;               /* a segment came out outside with its urgent pointer */
	bool heard_pattern, heard_rest; /* whole, or all behind PROVE_CUT, in one frame outside */
	uint16_t host_port; /* the host's own in the conversation that it is to begin; 0: none */
	bool host_spoke;    /* ... which has left by the uplink */
	uint64_t escaped;   /* marked frames that left by the real uplink */
	uint64_t outside;   /* marked frames heard there, copies too */
	int64_t sent_ns, arrived_ns; /* first sent, last arrived, of this row */
	struct {
		uint32_t port; /* of the wall */
		struct addr to;
		uint16_t dport; /* 0: any */
	} want; /* to.ver not 0: where alone this row's frames may come out, and as what */
	uint32_t strayed; /* of this row: came out elsewhere */
	struct addr target, target6, caller, caller6;
	uint16_t talk_port; /* the proof's in the TCP conversation that is followed; 0: none */
	struct heard_stream stream; /* what came out of it outside */
	struct heard_stream back;   /* and at the own port */
	struct arena arena;
	struct capture_writer *capture;
	struct pkt pkt; /* being built */
};

MUST_USE int wire_open(struct prove *p, char *why, size_t why_size);
void wire_close(struct prove *p);
/* Writes the next serial's mark: PROVE_MARK bytes. */
void wire_mark(struct prove *p, uint8_t *out);
/* A frame of another kind than IP: lead (at most 64 bytes), then a mark. */
void wire_raw(struct prove *p, const struct head *h, uint16_t kind, const void *lead, uint32_t len);
/* Starts a new serial; its mark as a sequence number, for frames that carry no data. */
uint32_t wire_seq(struct prove *p);
/* Sends p->pkt; the row's own, and counted as sent. */
void wire_send(struct prove *p);
/* The same uncounted (what has to go before), and from outside. */
void wire_send_quietly(struct prove *p);
/* p->pkt as a TCP super-frame over IPv4 of segments of that size, counted as sent. */
void wire_send_super(struct prove *p, uint16_t segment);
void wire_send_outside(struct prove *p);
/* p->pkt as if the wall had let it out, counted as sent. */
void wire_send_as_wall(struct prove *p);
/* Hears everything there is, waiting at most so long for the first frame. */
void wire_hear(struct prove *p, int wait_ms);
bool wire_seen(const struct prove *p, uint32_t serial);

/* ---- router.c: mode bridge ---------------------------------------------------------------------- */

/* Finds it out and tells the wall; versions without a router are left out of the proof. */
void router_find(struct prove *p);
void router_overhear(struct prove *p, const struct ear *e, bool outgoing, const uint8_t *b,
		     uint32_t len);

/* ---- guard.c: in the lab; guard_tc.c: on a real wire ------------------------------------------ */

MUST_USE int guard_set(struct prove *p, char *why, size_t why_size);
/* What it stopped so far. */
MUST_USE int guard_read(const struct prove *p, uint64_t *ret);
void guard_end(struct prove *p);

MUST_USE int guard_load(struct prove *p, char *why, size_t why_size);
MUST_USE int guard_attach(struct prove *p, char *why, size_t why_size);
MUST_USE int guard_count(const struct prove *p, uint64_t *ret);
void guard_detach(struct prove *p);

/* ---- run.c -------------------------------------------------------------------------------------- */

/* All that was sent has been judged, and what passed was heard. */
void run_settle(struct prove *p);
/* After each of many frames: so slowly that no rate cap, but the limit, decides. */
void run_pace(struct prove *p);
/* The row can't be tried, and why. */
void run_skip(struct prove *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
void run_expect(struct prove *p, uint32_t least, uint32_t most);
/* What may and what has to end in the sink (any number may, if it is not said). */
void run_expect_sink(struct prove *p, uint32_t least, uint32_t most);
/* Hears until it is so, or too late: is it? */
bool run_await(struct prove *p, const bool *what, int64_t ms);
/* Rules that count floods have forgotten what was sent. */
void run_forget(struct prove *p);
struct prove_row *run_row(struct prove *p);

/* ---- expect.c ----------------------------------------------------------------------------------- */

struct expect {
	enum conf_act act;
	bool sink;                      /* ACT_REDIRECT into the sink */
	const struct conf_policy *rule; /* NULL: the built-in policy, or none decides */
};
/* What becomes of a conversation that the proof's guest begins; fences and off-limits places aside. */
struct expect expect_of(const struct prove *p, uint8_t proto, uint16_t port, const struct addr *to);
/* The guest that a rule reflects to, if it is there. */
const struct prove_port *expect_reflector(const struct prove *p, const struct conf_policy *r);
/* What limits them: the rule that decides, or the settings (class). NULL: nothing does, and the row is skipped. */
const struct conf_limit *expect_limit(struct prove *p, const struct expect *e,
				      const struct conf_limit *class);
bool expect_passes(const struct expect *e);
/* It goes on, but not to whom it was meant for. */
bool expect_elsewhere(const struct expect *e);

/* ---- talk.c ------------------------------------------------------------------------------------- */

#define TALK_FIRST 5001u /* sequence number of the first byte */
#define TALK_BACK 9001u  /* ... of the other end's */
struct talk {
	struct head h;
	struct tcp_head t;
	struct head far_h; /* the other end's, outside */
	struct tcp_head far_t;
};
/* To port 80 of the target; false: nobody lets it begin. */
MUST_USE bool talk_open(struct prove *p, struct talk *ret);
/* From somebody outside to the proof, which answers; false: it has no address of that version, or it did not work. */
MUST_USE bool talk_be_called(struct prove *p, bool v6, struct talk *ret);
/* A segment of the other end, uncounted. */
void talk_hear(struct prove *p, struct talk *k, uint8_t flags, const void *data, uint32_t len);
/* The next segment, uncounted. */
void talk_say(struct prove *p, struct talk *k, uint8_t flags, const void *data, uint32_t len);

#include "prove/case_priv.h"

#endif
