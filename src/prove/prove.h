/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prove: a proof that containment holds. From a guest port of its own it sends, frame by frame, what must not
 * pass, and what must (else silence proves nothing), and listens outside and at the other guests' ports for
 * frames that bear its mark. Behind a guard on the uplink that counts and drops all of them. Used by
 * `skep prove`, which gets the port from super. Blocks; needs root.
 *
 * Files: frame.c builds frames by hand; wire.c sockets, marks, captures; guard.c the guard; run.c a case's way to
 * its verdict; cases.c the table; case_*.c what is sent.
 */
#ifndef SKEP_PROVE_H
#define SKEP_PROVE_H

#include "conf/conf.h"

#define PROVE_PORTS 24
#define PROVE_NOTE 160
#define PROVE_NETS 96
#define PROVE_KEPT 16

struct prove_port { /* of the wall, as super describes it; the first is outside, the last the proof's own */
	char name[CONF_NAME], link[16];
	bool loghost, sink, up; /* sink: the house's own, where it leads what it does not let out */
	struct mac mac;
	struct addr inside, inside6, public, public6;
};

/* The far end of the wall's link to the outside: the lab's, or the host's own with the real uplink behind it. */
struct prove_far {
	char netns[CONF_NAME + 8]; /* empty: the caller's own, which is the host's */
	char link[CONF_LINK];
	char uplink[CONF_LINK]; /* empty: there is none, link is the lab's end */
	uint32_t mark;          /* of frames that go to the wall, or come from it (SO_MARK) */
	struct mac peer;        /* who speaks from there: the lab, or the router */
	struct addr gateway, gateway6; /* the host's; ver 0: none, or not known */
	uint32_t n_kept; /* ports that stay the host's on addresses that a guest shares */
	struct {
		uint8_t proto;
		uint16_t port;
	} kept[PROVE_KEPT];
};

enum prove_verdict { PROVE_HELD, PROVE_LEAK, PROVE_SKIPPED, PROVE_BROKEN };

struct prove_row {
	const char *name, *promise;
	enum prove_verdict verdict;
	uint32_t sent, arrived; /* marked frames; arrived: different ones */
	uint32_t least, most;   /* that had to and that could arrive */
	uint32_t sunk;          /* that ended in the sink instead */
	uint32_t sink_least, sink_most;
	char note[PROVE_NOTE]; /* why skipped; what leaked where */
};

struct prove_conf {
	const struct conf *c;
	uint32_t n_ports;
	struct prove_port ports[PROVE_PORTS];
	struct prove_far far;
	struct addr sink, sink6; /* the operator's own targets; ver 0: the lab's web server */
	bool rules; /* the marker rule is loaded: without it passing is a leak, not a skip */
	/* What the port was made, and what is in force beside the configuration. */
	char class[CONF_NAME];
	bool roach_motel, lockdown, lockdown_all;
	uint32_t n_fences, n_ignored;
	struct prefix fences[PROVE_NETS], ignored[PROVE_NETS];
	int dir;                 /* folder of the captures; -1: none */
	const char *const *only; /* names of cases; NULL: all */
	size_t n_only;
	/* Called before each case and after it (done). */
	void (*tell)(void *ctx, const struct prove_row *row, bool done);
	void *ctx;
};

struct prove_result {
	size_t n;
	struct prove_row *rows; /* the caller frees it; the first is that of the fences */
	uint64_t outside;       /* marked frames that got outside, allowed or not */
	uint64_t guarded;       /* ... and that the guard stopped there */
	uint64_t escaped;       /* ... and that got past it onto the real wire */
	bool guard;             /* there was one */
	char why[256];          /* an error's reason */
};

/* The whole proof. 0: every case was tried (its verdict is in its row); an error: it could not be run. */
MUST_USE int prove_run(const struct prove_conf *c, struct prove_result *ret);
/* Name and promise of case i, in the order they are run; NULL: no more. */
const char *prove_case(size_t i, const char **ret_promise);
/* HELD: all hold; LEAK: at least one does not; BROKEN: something that had to pass did not. */
enum prove_verdict prove_judge(const struct prove_result *r);
/* "held" */
const char *prove_verdict_text(enum prove_verdict v);

#endif
