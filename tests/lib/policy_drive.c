/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_drive CONF SCRIPT OUT [sink] [drop=N | leak=N | flip=N]: the wall's judgement over frames in a
 * file. For the policy oracle (tests/scenario): what it writes must be what the model says.
 *
 * SCRIPT: records of u64 time (ns), u16 kind, u16 length (little endian) and so many bytes. Kind below
 * 0x100: a frame that arrives at that port; 0xfff0: a tick; 0xfff1: an order in words; 0xfff2: the wall
 * dies and starts again with the same limit state.
 * OUT, for each frame: u16 port where it left, or 0xffff; u16 length; its bytes, checksums set to zero
 * after they were checked here (0xfffe: one was wrong).
 *
 * drop, leak and flip spoil the Nth decision: a test must notice.
 */
#include "judge/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	KIND_TICK = 0xfff0,
	KIND_ORDER = 0xfff1,
	KIND_CRASH = 0xfff2,
	PORT_NONE = 0xffff,
	PORT_BAD = 0xfffe
};

struct drive {
	struct conf c;
	struct judge_conf jc;
	struct wall_stats stats;
	struct arena arena;
	struct judge *j;
	void *limits;
	struct policy_now now;
	FILE *out;
	const char *spoil;
	uint64_t spoil_at, forwarded, dropped, events;
	uint8_t frame[FRAME_MAX];
};

static void emit(void *ctx, const struct event *e)
{
	struct drive *d = ctx;
	d->events++;
	if (!event_valid(e)) {
		fprintf(stderr, "an event makes no sense: %s\n", e->text);
		exit(1);
	}
}

static void die(const char *what)
{
	fprintf(stderr, "policy_drive: %s\n", what);
	exit(1);
}

static void name_port(struct judge_port *p, const char *name, uint8_t kind, uint8_t last)
{
	memset(p, 0, sizeof(*p));
	text_copy(p->name, sizeof(p->name), name);
	p->kind = kind;
	p->up = 1;
	p->mac = (struct mac){{2, 0, 0, 0, 0, last}};
}

static void make_ports(struct drive *d, bool sink)
{
	name_port(&d->jc.ports[0], "outside", JUDGE_OUTSIDE, 1);
	d->jc.ports[0].peer_mac = (struct mac){{2, 0, 0, 0, 0, 2}};
	for (uint32_t i = 0; i < d->c.n_guests; i++) {
		const struct conf_guest *g = &d->c.guests[i];
		struct judge_port *p = &d->jc.ports[i + 1];
		name_port(p, g->name, g->kind == GUEST_LOGHOST ? JUDGE_LOGHOST : JUDGE_HONEYPOT, 0);
		p->mac = g->mac;
		p->inside = g->inside;
		p->public = g->public;
		p->inside6 = g->inside6;
		p->public6 = g->public6;
		memcpy(p->class, g->class, sizeof(p->class));
		p->roach_motel = g->roach_motel;
	}
	d->jc.n_ports = d->c.n_guests + 1;
	if (sink)
		name_port(&d->jc.ports[d->jc.n_ports++], "sink", JUDGE_SINK, 9);
	d->jc.n_forwards = d->c.n_forwards;
	memcpy(d->jc.forwards, d->c.forwards, sizeof(d->jc.forwards));
	d->jc.network = d->c.network;
	d->jc.wall = d->c.wall;
}

static void start(struct drive *d, int64_t now)
{
	arena_destroy(&d->arena);
	d->jc.boot_id += 1000000;
	d->jc.now = d->now;
	if (arena_create(judge_arena_bytes(&d->jc), &d->arena) != 0 ||
	    judge_create(&d->arena, &d->jc, d->limits, &d->stats, emit, d, now, &d->j) != 0)
		die("the judge can't be made");
}

/* "lockdown N", "fence|ignore add|del PREFIX UNTIL", "override GUEST VERDICT UNTIL", "reset GUEST". */
static void order(struct drive *d, char *text, int64_t now)
{
	char *word[4] = {(char *)"", (char *)"", (char *)"", (char *)"0"};
	struct prefix net;
	uint8_t act;
	int err = SKEP_EFORMAT;
	for (int i = 0; i < 4 && *text != '\0'; i++) {
		word[i] = text;
		text += strcspn(text, " ");
		if (*text != '\0')
			*text++ = '\0';
	}
	bool fence = strcmp(word[0], "fence") == 0;
	int64_t until = strtoll(word[3], NULL, 10);
	struct policy_net *nets = fence ? d->now.fences : d->now.ignored;
	uint32_t *n = fence ? &d->now.n_fences : &d->now.n_ignored;
	struct policy_net over;
	struct policy_override over2;
	while (policy_now_expire(&d->now, now, &over, &over2) != POLICY_OVER_NONE)
		;
	if (strcmp(word[0], "lockdown") == 0) {
		d->now.lockdown = (uint8_t)(word[1][0] - '0');
		err = 0;
	} else if ((fence || strcmp(word[0], "ignore") == 0) && prefix_parse(word[2], &net) == 0) {
		err = strcmp(word[1], "add") == 0 ? policy_net_add(nets, n, &net, until)
						  : policy_net_remove(nets, n, &net);
	} else if (strcmp(word[0], "override") == 0 && policy_act_parse(word[2], &act) == 0) {
		err = policy_override_set(&d->now, word[1], act, until);
	} else if (strcmp(word[0], "reset") == 0) {
		err = policy_override_reset(&d->now, word[1]);
	}
	d->now.generation += 256;
	if ((err != 0 && err != SKEP_ENOTFOUND) || judge_orders(d->j, &d->now, now) != 0)
		die("an order is wrong");
}

/* ---- what left ---------------------------------------------------------------------------------- */

static uint32_t sum(const uint8_t *p, size_t n, uint32_t s)
{
	for (size_t i = 0; i < n; i++)
		s += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return s;
}

static bool is_right(uint32_t s)
{
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return s == 0xffff;
}

/* The same inside a packet that an ICMP error quotes; they may be wrong, but are nobody's to check. */
static void clear_quoted(uint8_t *ip, size_t left, bool v6)
{
	size_t head = v6 ? 40 : 20;
	if (left < head)
		return;
	uint8_t proto = v6 ? ip[6] : ip[9];
	if (!v6)
		ip[10] = ip[11] = 0;
	while (v6 && (proto == 60 || proto == 44) && left >= head + 8) {
		const uint8_t *h = ip + head;
		head += proto == 60 ? (h[1] + 1u) * 8 : 8;
		proto = h[0];
	}
	size_t at = proto == 6 ? 16 : proto == 17 ? 6 : proto == 1 || proto == 58 ? 2 : 0;
	if (at != 0 && left >= head + at + 2)
		ip[head + at] = ip[head + at + 1] = 0;
}

/* Sets the checksums of a frame to zero; false: one was wrong. Whatever is not IP is left alone. */
static bool clear_checksums(uint8_t *f, size_t len)
{
	bool v6 = f[12] == 0x86, later = false, part = false;
	uint8_t *ip = f + 14, proto, *l4;
	size_t n;
	if (len < 34 || (!v6 && f[12] != 0x08))
		return true;
	proto = v6 ? ip[6] : ip[9];
	l4 = v6 ? ip + 40 : ip + 20;
	n = v6 ? (size_t)(ip[4] << 8 | ip[5]) : (size_t)(ip[2] << 8 | ip[3]) - 20;
	while (v6 && (proto == 60 || proto == 44) && !later && n >= 8) {
		size_t skip = proto == 60 ? (l4[1] + 1u) * 8 : 8;
		later = proto == 44 && (l4[2] << 8 | (l4[3] & 0xf8)) != 0;
		part = part || later || (proto == 44 && (l4[3] & 1) != 0);
		proto = l4[0];
		l4 += skip;
		n -= skip;
	}
	if (!v6) {
		later = ((ip[6] & 0x1f) << 8 | ip[7]) != 0;
		part = later || (ip[6] & 0x20) != 0;
		if (!is_right(sum(ip, 20, 0)))
			return false;
		ip[10] = ip[11] = 0;
	}
	size_t at = proto == 6 ? 16 : proto == 17 ? 6 : proto == 1 || proto == 58 ? 2 : 0;
	if (at == 0 || later)
		return true;
	uint32_t pseudo =
		v6 ? sum(ip + 8, 32, (uint32_t)n + proto) : sum(ip + 12, 8, (uint32_t)n + proto);
	bool none = !v6 && proto == 17 && l4[6] == 0 && l4[7] == 0;
	bool fine = part || none || is_right(sum(l4, n, proto == 1 ? 0 : pseudo));
	l4[at] = l4[at + 1] = 0;
	bool error = v6 ? proto == 58 && l4[0] >= 1 && l4[0] <= 4
			: proto == 1 && (l4[0] == 3 || l4[0] == 11 || l4[0] == 12);
	if (error && !part)
		clear_quoted(l4 + 8, n - 8, v6);
	return fine;
}

static void put(struct drive *d, uint16_t port, const uint8_t *data, uint32_t len)
{
	const uint8_t head[4] = {(uint8_t)port, (uint8_t)(port >> 8), (uint8_t)len,
				 (uint8_t)(len >> 8)};
	if (fwrite(head, 1, 4, d->out) != 4 || fwrite(data, 1, len, d->out) != len)
		die("can't write");
}

static bool spoils(const struct drive *d, const char *how, uint64_t at)
{
	return d->spoil != NULL && strcmp(d->spoil, how) == 0 && d->spoil_at == at;
}

static void one_frame(struct drive *d, uint16_t port, uint32_t len, int64_t now)
{
	struct frame f = {.data = d->frame, .len = len, .cap = FRAME_MAX, .port = port};
	struct judge_result r;
	judge_frame(d->j, now, &f, &r);
	if (r.verdict != VERDICT_FORWARD) {
		d->dropped++;
		put(d, spoils(d, "leak", d->dropped) ? 0 : PORT_NONE, f.data,
		    spoils(d, "leak", d->dropped) ? f.len : 0);
		return;
	}
	d->forwarded++;
	uint16_t out = clear_checksums(f.data, f.len) ? r.out_port : PORT_BAD;
	if (spoils(d, "flip", d->forwarded))
		f.data[f.len - 1] ^= 1;
	if (spoils(d, "drop", d->forwarded))
		put(d, PORT_NONE, f.data, 0);
	else
		put(d, out, f.data, f.len);
}

static void play(struct drive *d, FILE *in)
{
	uint8_t head[12];
	while (fread(head, 1, sizeof(head), in) == sizeof(head)) {
		int64_t now;
		memcpy(&now, head, sizeof(now));
		uint16_t kind = (uint16_t)(head[8] | head[9] << 8);
		uint32_t len = (uint32_t)(head[10] | head[11] << 8);
		if (fread(d->frame, 1, len, in) != len)
			die("the script is cut");
		if (d->j == NULL)
			start(d, now);
		d->frame[len] = '\0';
		if (kind == KIND_TICK)
			judge_tick(d->j, now);
		else if (kind == KIND_ORDER)
			order(d, (char *)d->frame, now);
		else if (kind == KIND_CRASH)
			start(d, now);
		else
			one_frame(d, kind, len, now);
	}
}

int main(int argc, char **argv)
{
	struct drive *d = calloc(1, sizeof(*d));
	struct conf_error err;
	bool sink = false;
	if (d == NULL || argc < 4)
		die("usage: policy_drive CONF SCRIPT OUT [sink] [drop=N | leak=N | flip=N]");
	for (int i = 4; i < argc; i++) {
		char *eq = strchr(argv[i], '=');
		sink = sink || strcmp(argv[i], "sink") == 0;
		if (eq == NULL)
			continue;
		*eq = '\0';
		d->spoil = argv[i];
		d->spoil_at = strtoull(eq + 1, NULL, 10);
	}
	if (conf_read_file(argv[1], &d->c, &err, NULL, NULL) != 0)
		die(err.what);
	FILE *in = fopen(argv[2], "rb");
	d->out = fopen(argv[3], "wb");
	d->limits = calloc(1, judge_limits_bytes());
	if (in == NULL || d->out == NULL || d->limits == NULL)
		die("can't open a file");
	make_ports(d, sink);
	play(d, in);
	printf("%llu %llu %llu\n", (unsigned long long)d->forwarded, (unsigned long long)d->dropped,
	       (unsigned long long)d->events);
	arena_destroy(&d->arena);
	free(d->limits);
	fclose(in);
	int bad = fclose(d->out);
	free(d);
	return bad != 0;
}
