/* SPDX-License-Identifier: BSD-2-Clause */
/* The guard's program: the kernel takes it, and it drops what it must and nothing else. */
#include "prove/prove_priv.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MARK 0xdeadbeefu

static struct addr addr(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

struct world {
	struct prove_conf conf;
	struct prove p;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char why[256] = "";
	assert_non_null(w);
	w->conf.n_ports = 4;
	w->conf.far.mark = MARK;
	w->conf.ports[1].public = addr("192.0.2.10");
	w->conf.ports[1].public6 = addr("2001:db8:9::10");
	w->conf.ports[2].public = addr("192.0.2.11");
	w->conf.ports[3].public = addr("198.51.100.254");
	w->conf.ports[3].public6 = addr("2001:db8:ffff::fe");
	w->conf.ports[3].inside = addr("10.99.0.254");
	w->p.conf = &w->conf;
	w->p.own = &w->conf.ports[3];
	w->p.guard_prog = w->p.guard_map = -1;
	memcpy(w->p.token, "\x91\x02\x03\x04\x05\x06\x07\xf8 and more", PROVE_TOKEN);
	int err = guard_load(&w->p, why, sizeof(why));
	if (err == -EPERM) {
		free(w);
		*state = NULL;
		return 0;
	}
	if (err != 0)
		print_error("%s\n", why);
	assert_int_equal(err, 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	if (w != NULL) {
		fd_close(&w->p.guard_prog);
		fd_close(&w->p.guard_map);
	}
	free(w);
	return 0;
}

static int verdict(const struct world *w, const struct pkt *k, uint32_t mark)
{
	struct __sk_buff ctx = {.mark = mark};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = k->b, .data_size_in = k->len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));
	assert_int_equal(bpf_prog_test_run_opts(w->p.guard_prog, &o), 0);
	return (int)o.retval;
}

static void check(const struct world *w, const struct pkt *k, bool drops)
{
	uint64_t before = 0, after = 0;
	assert_int_equal(guard_count(&w->p, &before), 0);
	assert_int_equal(verdict(w, k, MARK), drops ? TC_ACT_SHOT : TC_ACT_UNSPEC);
	assert_int_equal(guard_count(&w->p, &after), 0);
	assert_int_equal(after - before, drops);
	assert_int_equal(verdict(w, k, 0), TC_ACT_UNSPEC); /* the host's */
}

static struct head head(const char *from, const char *to)
{
	return (struct head){.to_mac = {{2, 1, 1, 1, 1, 1}},
			     .from_mac = {{2, 2, 2, 2, 2, 2}},
			     .from = addr(from),
			     .to = addr(to),
			     .ttl = 64};
}

static void its_addresses_are_dropped(void **state)
{
	static struct pkt k;
	struct world *w = *state;
	static const struct {
		const char *from, *to;
		bool drops;
	} rows[] = {{"198.51.100.254", "192.0.2.80", true},
		    {"10.99.0.254", "192.0.2.80", true},
		    {"2001:db8:ffff::fe", "2001:db8:80::80", true},
		    {"198.51.100.253", "192.0.2.80", false},
		    {"192.0.2.80", "198.51.100.254", false},
		    {"192.0.2.10", "192.0.2.80", false},
		    {"2001:db8:ffff::ff", "2001:db8:80::80", false}};
	if (w == NULL)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct head h = head(rows[i].from, rows[i].to);
		frame_udp(&k, &h, 4000, 9, "plain", 5);
		check(w, &k, rows[i].drops);
	}
}

static void its_token_is_dropped_wherever_it_is(void **state)
{
	static struct pkt k;
	struct world *w = *state;
	uint8_t data[400] = {0};
	if (w == NULL)
		skip();
	for (size_t at = 0; at + PROVE_TOKEN < 360; at += at < 40 ? 1 : 31) {
		struct head h = head("192.0.2.10", "192.0.2.80");
		memset(data, 0, sizeof(data));
		memcpy(data + at, w->p.token, PROVE_TOKEN);
		frame_udp(&k, &h, 4000, 9, data, sizeof(data));
		check(w, &k, true);
		frame_raw(&k, &h, 0x88cc, data, sizeof(data));
		check(w, &k, true);
		data[at + 7]++;
		frame_udp(&k, &h, 4000, 9, data, sizeof(data));
		check(w, &k, false);
	}
	/* nothing behind it: at the very end of a frame */
	struct head h = head("192.0.2.10", "192.0.2.80");
	frame_udp(&k, &h, 4000, 9, w->p.token, PROVE_TOKEN);
	k.len = 14 + 20 + 8 + 8;
	check(w, &k, true);
	k.len--;
	check(w, &k, false);
}

static void its_numbers_are_dropped_but_for_guests(void **state)
{
	static struct pkt k;
	struct world *w = *state;
	static const struct {
		const char *from, *to;
		bool drops;
	} rows[] = {
		{"203.0.113.77", "192.0.2.80", true},     {"192.0.2.10", "192.0.2.80", false},
		{"192.0.2.11", "192.0.2.80", false},      {"192.0.2.12", "192.0.2.80", true},
		{"2001:db8:9::10", "2001:db8::1", false}, {"2001:db8:9::11", "2001:db8::1", true}};
	if (w == NULL)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct head h = head(rows[i].from, rows[i].to);
		struct tcp_head t = {.sport = 5, .dport = 80, .seq = 0x91020007, .flags = TCP_SYN};
		frame_tcp(&k, &h, &t, NULL, 0);
		check(w, &k, rows[i].drops);
		t.seq = 0x91030007;
		frame_tcp(&k, &h, &t, NULL, 0);
		check(w, &k, false);
		frame_udp(&k, &h, 0x0001, 0x0002, "\x91\x02\x91\x02", 4);
		check(w, &k, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_addresses_are_dropped),
		cmocka_unit_test(its_token_is_dropped_wherever_it_is),
		cmocka_unit_test(its_numbers_are_dropped_but_for_guests),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
