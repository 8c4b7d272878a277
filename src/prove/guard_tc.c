/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard of a real wire: a classifier at the uplink's egress, before those of src/steer, that counts and drops
 * what comes from the wall (by the mark that the fence puts on it) and is the proof's: with one of its
 * addresses or its token. What has not that mark, the host's own, it does not look at. nftables can't do it: what
 * traffic control redirects passes its hooks by.
 *
 * The program is put together here, with the token and the addresses in it; it needs no compiler and no
 * other map than the counter. super takes it off, however the proof ends.
 */
#include "prove/prove_priv.h"
#include "steer/steer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define CODE_MOST 4096u
#define JUMPS_MOST 512u
#define SCAN_FROM 14
#define SCAN_TO 420 /* no frame of the proof bears its token further behind */
#define BUF (-16)   /* on the stack, of 16 bytes */
#define KEY (-24)
#define SEQ4 (14 + 20 + 4) /* of TCP behind plain headers */
#define SEQ6 (14 + 40 + 4)

enum { R0, R1, R2, R3, R4, SKB = 6, AT, TOKEN, FP = 10 };

struct code {
	struct bpf_insn i[CODE_MOST];
	uint32_t n;
	uint32_t drops[JUMPS_MOST], n_drops; /* jumps to the end that drops */
	bool full;
};

static void put(struct code *c, struct bpf_insn i)
{
	if (c->n == CODE_MOST)
		c->full = true;
	else
		c->i[c->n++] = i;
}

static void op(struct code *c, unsigned what, unsigned dst, unsigned src, int off, int32_t imm)
{
	put(c, (struct bpf_insn){.code = (uint8_t)what,
				 .dst_reg = (uint8_t)dst & 15,
				 .src_reg = (uint8_t)src & 15,
				 .off = (int16_t)off,
				 .imm = imm});
}

static void load64(struct code *c, unsigned dst, unsigned kind, uint64_t value)
{
	op(c, BPF_LD | BPF_DW | BPF_IMM, dst, kind, 0, (int32_t)(uint32_t)value);
	op(c, 0, 0, 0, 0, (int32_t)(uint32_t)(value >> 32));
}

static void jump_to_drop(struct code *c)
{
	if (c->n_drops == JUMPS_MOST)
		c->full = true;
	else
		c->drops[c->n_drops++] = c->n;
	op(c, BPF_JMP | BPF_JA, 0, 0, 0, 0);
}

/* n bytes of the frame to BUF; at: an offset, or -1: the one in register AT. Jumps there (from the returned
 * instruction on) if the frame has not so many. */
static uint32_t fetch(struct code *c, int at, int n)
{
	op(c, BPF_ALU64 | BPF_MOV | BPF_X, R1, SKB, 0, 0);
	if (at >= 0)
		op(c, BPF_ALU64 | BPF_MOV | BPF_K, R2, 0, 0, at);
	else
		op(c, BPF_ALU64 | BPF_MOV | BPF_X, R2, AT, 0, 0);
	op(c, BPF_ALU64 | BPF_MOV | BPF_X, R3, FP, 0, 0);
	op(c, BPF_ALU64 | BPF_ADD | BPF_K, R3, 0, 0, BUF);
	op(c, BPF_ALU64 | BPF_MOV | BPF_K, R4, 0, 0, n);
	op(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
	op(c, BPF_JMP | BPF_JNE | BPF_K, R0, 0, 0, 0);
	return c->n - 1;
}

/* ---- conditions: each leaves jumps that are taken if it does not hold --------------------------------- */

struct unless {
	uint32_t at[64], n;
};

static void add(struct code *c, struct unless *u, uint32_t jump)
{
	if (u->n == ARRAY_LEN(u->at))
		c->full = true;
	else
		u->at[u->n++] = jump;
}

/* The frame has these n bytes at that offset. */
static void has(struct code *c, struct unless *u, int at, const uint8_t *bytes, int n)
{
	add(c, u, fetch(c, at, n));
	for (int i = 0; i < n; i++) {
		op(c, BPF_LDX | BPF_B | BPF_MEM, R1, FP, BUF + i, 0);
		op(c, BPF_JMP | BPF_JNE | BPF_K, R1, 0, 0, bytes[i]);
		add(c, u, c->n - 1);
	}
}

/* What follows is where those jumps go. */
static void otherwise(struct code *c, const struct unless *u)
{
	for (uint32_t i = 0; i < u->n && !c->full; i++)
		c->i[u->at[i]].off = (int16_t)(c->n - u->at[i] - 1);
}

static void has_source(struct code *c, struct unless *u, const struct addr *a)
{
	static const uint8_t v4[] = {0x08, 0x00}, v6[] = {0x86, 0xdd};
	has(c, u, 12, a->ver == 4 ? v4 : v6, 2);
	has(c, u, a->ver == 4 ? 26 : 22, a->b, a->ver == 4 ? 4 : 16);
}

/* ---- the program ------------------------------------------------------------------------------------- */

static void drop_source(struct code *c, const struct addr *a)
{
	struct unless u = {.n = 0};
	if (a->ver == 0)
		return;
	has_source(c, &u, a);
	jump_to_drop(c);
	otherwise(c, &u);
}

static void drop_token(struct code *c, const struct prove *p)
{
	uint64_t token;
	memcpy(&token, p->token, sizeof(token));
	load64(c, TOKEN, 0, token);
	op(c, BPF_ALU64 | BPF_MOV | BPF_K, AT, 0, 0, SCAN_FROM);
	uint32_t top = c->n, end = fetch(c, -1, sizeof(token));
	op(c, BPF_LDX | BPF_DW | BPF_MEM, R1, FP, BUF, 0);
	op(c, BPF_JMP | BPF_JNE | BPF_X, R1, TOKEN, 1, 0);
	jump_to_drop(c);
	op(c, BPF_ALU64 | BPF_ADD | BPF_K, AT, 0, 0, 1);
	op(c, BPF_JMP | BPF_JLT | BPF_K, AT, 0, (int)top - (int)c->n - 1, SCAN_TO);
	otherwise(c, &(struct unless){.at = {end}, .n = 1});
}

/* Segments without data bear two bytes of the token in their sequence number: too few where a guest's
 * own conversations can be meant. */
static void drop_number(struct code *c, const struct prove *p, int ver)
{
	static const uint8_t tcp[] = {PROVE_TCP}, v4[] = {0x08, 0x00}, v6[] = {0x86, 0xdd};
	struct unless u = {.n = 0};
	uint32_t guests[PROVE_PORTS], n = 0;
	has(c, &u, 12, ver == 4 ? v4 : v6, 2);
	has(c, &u, ver == 4 ? 23 : 20, tcp, 1);
	has(c, &u, ver == 4 ? SEQ4 : SEQ6, p->token, 2);
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		const struct addr *a = ver == 4 ? &g->public : &g->public6;
		struct unless other = {.n = 0};
		if (a->ver == 0)
			continue;
		has_source(c, &other, a);
		guests[n++] = c->n;
		op(c, BPF_JMP | BPF_JA, 0, 0, 0, 0);
		otherwise(c, &other);
	}
	jump_to_drop(c);
	otherwise(c, &u);
	for (uint32_t i = 0; i < n; i++)
		otherwise(c, &(struct unless){.at = {guests[i]}, .n = 1});
}

static void leave(struct code *c, int32_t with)
{
	op(c, BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, with);
	op(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void count_and_drop(struct code *c, int counter)
{
	for (uint32_t i = 0; i < c->n_drops; i++)
		c->i[c->drops[i]].off = (int16_t)(c->n - c->drops[i] - 1);
	op(c, BPF_ST | BPF_W | BPF_MEM, FP, 0, KEY, 0);
	op(c, BPF_ALU64 | BPF_MOV | BPF_X, R2, FP, 0, 0);
	op(c, BPF_ALU64 | BPF_ADD | BPF_K, R2, 0, 0, KEY);
	load64(c, R1, BPF_PSEUDO_MAP_FD, (uint32_t)counter);
	op(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	op(c, BPF_JMP | BPF_JEQ | BPF_K, R0, 0, 2, 0);
	op(c, BPF_ALU64 | BPF_MOV | BPF_K, R1, 0, 0, 1);
	op(c, BPF_STX | BPF_DW | BPF_ATOMIC, R0, R1, 0, BPF_ADD);
	leave(c, TC_ACT_SHOT);
}

static void build(struct code *c, const struct prove *p, int counter)
{
	op(c, BPF_ALU64 | BPF_MOV | BPF_X, SKB, R1, 0, 0);
	op(c, BPF_LDX | BPF_W | BPF_MEM, R1, SKB, offsetof(struct __sk_buff, mark), 0);
	op(c, BPF_JMP32 | BPF_JEQ | BPF_K, R1, 0, 2, (int32_t)p->conf->far.mark);
	leave(c, TC_ACT_UNSPEC);
	drop_source(c, &p->own->public);
	drop_source(c, &p->own->public6);
	drop_source(c, &p->own->inside);
	drop_source(c, &p->own->inside6);
	drop_token(c, p);
	drop_number(c, p, 4);
	drop_number(c, p, 6);
	leave(c, TC_ACT_UNSPEC);
	count_and_drop(c, counter);
}

int guard_load(struct prove *p, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	static const char license[] = "Dual BSD/GPL";
	struct code *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	p->guard_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "skep_guard", sizeof(uint32_t),
				      sizeof(uint64_t), 1, NULL);
	int err = p->guard_map < 0 ? p->guard_map : 0;
	if (err == 0) {
		build(c, p, p->guard_map);
		p->guard_prog = c->full ? SKEP_EFULL
					: bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "skep_guard",
							license, c->i, c->n, NULL);
		err = p->guard_prog < 0 ? p->guard_prog : 0;
	}
	if (err != 0)
		write_fmt(&w, "the kernel does not take its program: %s", err_text(err));
	free(c);
	return err;
}

static int at_uplink(const struct prove *p, bool attach)
{
	struct bpf_tc_hook hook;
	struct bpf_tc_opts opts;
	memset(&hook, 0, sizeof(hook)); /* the library wants gaps to be zero as well */
	memset(&opts, 0, sizeof(opts));
	hook.sz = sizeof(hook);
	opts.sz = sizeof(opts);
	hook.attach_point = BPF_TC_EGRESS;
	hook.ifindex = (int)if_nametoindex(p->conf->far.uplink);
	opts.handle = STEER_GUARD_HANDLE;
	opts.priority = STEER_GUARD_PRIORITY;
	if (hook.ifindex == 0)
		return -ENODEV;
	if (!attach)
		return bpf_tc_detach(&hook, &opts);
	opts.prog_fd = p->guard_prog;
	return bpf_tc_attach(&hook, &opts);
}

static int silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

int guard_attach(struct prove *p, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	libbpf_set_print(silent);
	int err = guard_load(p, why, why_size);
	if (err != 0)
		return err;
	err = at_uplink(p, true);
	if (err != 0)
		write_fmt(&w, "it can't be attached to %s: %s", p->conf->far.uplink, err_text(err));
	return err;
}

void guard_detach(struct prove *p)
{
	if (p->guard_prog >= 0 && at_uplink(p, false) != 0)
		log_line(LOG_DEBUG, "the guard was not there any more");
	fd_close(&p->guard_prog);
	fd_close(&p->guard_map);
}

int guard_count(const struct prove *p, uint64_t *ret)
{
	uint32_t zero = 0;
	return bpf_map_lookup_elem(p->guard_map, &zero, ret);
}
