/* SPDX-License-Identifier: BSD-2-Clause */
/* What is taken of a real wire and what stays the host's, from surveys made by hand; and what outlives a run. */
#include "role/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ETH 2
#define SPARE 3

struct world {
	struct conf c;
	struct site site;
	struct uplink_plan plan;
	char why[512];
};

static struct addr address(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void add_address(struct world *w, uint32_t link, const char *text, uint8_t temporary,
			uint8_t link_local)
{
	struct site_address *a = &w->site.addresses[w->site.n_addresses++];
	*a = (struct site_address){.prefix = {.addr = address(text)},
				   .link = link,
				   .temporary = temporary,
				   .link_local = link_local};
}

static void add_socket(struct world *w, uint8_t proto, const char *text, uint16_t port)
{
	w->site.sockets[w->site.n_sockets++] =
		(struct site_socket){.proto = proto, .addr = address(text), .port = port};
}

static void read_conf(struct world *w, const char *text)
{
	struct conf_error err;
	int res = conf_read("x.yaml", text, strlen(text), &w->c, &err, NULL, NULL);
	if (res != 0)
		fail_msg("%s; %s", err.what, err.cure);
}

static struct world *make(const char *conf)
{
	struct world *w = calloc(1, sizeof(*w));
	assert_non_null(w);
	read_conf(w, conf);
	w->site.n_links = 3;
	w->site.links[0] = (struct site_link){.name = "lo", .index = 1, .loopback = 1, .up = 1};
	w->site.links[1] = (struct site_link){
		.name = "eth0", .index = ETH, .ethernet = 1, .up = 1, .mtu = 1400};
	w->site.links[2] = (struct site_link){.name = "eth1", .index = SPARE, .ethernet = 1};
	w->site.uplink = w->site.uplink6 = ETH;
	w->site.gateway = address("198.51.100.1");
	w->site.gateway6 = address("fe80::1");
	add_address(w, 1, "127.0.0.1", 0, 0);
	add_address(w, ETH, "fe80::7", 0, 1);
	add_address(w, ETH, "198.51.100.5", 0, 0);
	add_address(w, ETH, "2001:db8:b::aaaa", 1, 0);
	add_address(w, ETH, "2001:db8:b::5", 0, 0);
	add_socket(w, 6, "0.0.0.0", 22);
	add_socket(w, 6, "::", 22);
	add_socket(w, 6, "127.0.0.1", 25);
	add_socket(w, 6, "::1", 26);
	add_socket(w, 17, "198.51.100.5", 123);
	w->site.sessions[w->site.n_sessions++] = (struct site_session){
		.local = address("198.51.100.5"),
		.remote = address("192.0.2.9"),
		.local_port = 2022,
		.remote_port = 40000,
	};
	return w;
}

static int plan(struct world *w, const struct uplink_plan *before)
{
	w->why[0] = '\0';
	return uplink_plan(&w->c, &w->site, before, &w->plan, w->why, sizeof(w->why));
}

#define SHARED_CONF                                        \
	"mode: nat\nuplink: {keep: [tcp/8443]}\nguests:\n" \
	"  - {name: all, shared: true, inside: 10.99.0.10, inside6: '2001:db8:113::10'}\n"
#define ALIAS_CONF                                                                  \
	"mode: nat\nnetwork: {inside6: '2001:db8:b::/64'}\nguests:\n"               \
	"  - {name: a, inside: 10.99.0.10, public: 198.51.100.10}\n"                \
	"  - {name: b, inside6: '2001:db8:b::11', public6: '2001:db8:b::11'}\n"     \
	"  - {name: l, kind: loghost, inside: 10.99.0.20}\n"                        \
	"forwards:\n  - {guest: l, public: 198.51.100.10}\n  - {guest: l, public: " \
	"198.51.100.11}\n"
#define BRIDGE_CONF                                                                      \
	"mode: bridge\nuplink: {interface: eth1}\n"                                      \
	"network: {inside: 192.0.2.0/24, gateway: 192.0.2.1, resolver: none}\nguests:\n" \
	"  - {name: a, inside: 192.0.2.10}\n"

static bool has(const struct addr *all, uint32_t n, const char *text)
{
	struct addr a = address(text);
	for (uint32_t i = 0; i < n; i++)
		if (addr_eq(&all[i], &a))
			return true;
	return false;
}

static void test_aliases(void **state)
{
	struct world *w = make(ALIAS_CONF);
	(void)state;
	assert_int_equal(plan(w, NULL), 0);
	assert_string_equal(w->plan.link, "eth0");
	assert_int_equal(w->plan.mtu, 1400);
	assert_true(has(&w->plan.gateway, 1, "198.51.100.1"));
	assert_true(has(&w->plan.gateway6, 1, "fe80::1"));
	assert_int_equal(w->plan.steer.n_alias, 3);
	assert_true(has(w->plan.steer.alias, 3, "198.51.100.10"));
	assert_true(has(w->plan.steer.alias, 3, "198.51.100.11"));
	assert_true(has(w->plan.steer.alias, 3, "2001:db8:b::11"));
	assert_int_equal(w->plan.steer.n_shared, 0);
	assert_int_equal(w->plan.steer.n_kept, 0);
	/* An address that the host has is not for the taking, on whichever link. */
	add_address(w, SPARE, "198.51.100.11", 0, 0);
	assert_int_equal(plan(w, NULL), -EADDRINUSE);
	assert_non_null(strstr(w->why, "198.51.100.11"));
	struct uplink_plan before = {.index = ETH}; /* while it runs, the host has its own */
	assert_int_equal(plan(w, &before), 0);
	assert_int_equal(w->plan.n_yielded, 1);
	assert_false(has(w->plan.steer.alias, w->plan.steer.n_alias, "198.51.100.11"));
	free(w);
}

/* Answering for the router would cut off the whole network behind it. */
static void test_router_is_no_honeypot(void **state)
{
	static const char *const routers[] = {"198.51.100.10", "2001:db8:b::11"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(routers); i++) {
		struct world *w = make(ALIAS_CONF);
		struct addr a = address(routers[i]);
		assert_int_equal(plan(w, NULL), 0);
		struct uplink_plan before = w->plan;
		*(i == 0 ? &w->site.gateway : &w->site.gateway6) = a;
		assert_int_equal(plan(w, NULL), -EADDRINUSE);
		assert_non_null(strstr(w->why, routers[i]));
		assert_int_equal(plan(w, &before), 0); /* what runs follows */
		free(w);
	}
}

static void test_shared(void **state)
{
	char text[64];
	struct writer t = writer_of(text, sizeof(text));
	struct world *w = make(SHARED_CONF);
	(void)state;
	assert_int_equal(plan(w, NULL), 0);
	assert_int_equal(w->plan.steer.n_alias, 0);
	assert_int_equal(w->plan.steer.n_shared, 2);
	assert_true(has(w->plan.steer.shared, 2, "198.51.100.5"));
	assert_true(has(w->plan.steer.shared, 2, "2001:db8:b::5")); /* not the temporary one */
	uplink_write_kept(&t, &w->plan.steer);
	assert_string_equal(text, "tcp 22 2022 8443, udp 123"); /* nothing of loopback */
	free(w);
}

/* While the address is there it stays the one; when it went, the next is; when none is left, it stays. */
static void test_shared_address_changes(void **state)
{
	struct world *w = make(SHARED_CONF);
	struct uplink_plan before;
	(void)state;
	assert_int_equal(plan(w, NULL), 0);
	before = w->plan;
	w->site.addresses[2].prefix.addr = address("198.51.100.77");
	add_address(w, ETH, "198.51.100.5", 0, 0);
	assert_int_equal(plan(w, &before), 0);
	assert_true(has(&w->plan.own, 1, "198.51.100.5"));
	w->site.n_addresses--;
	assert_int_equal(plan(w, &before), 0);
	assert_true(has(&w->plan.own, 1, "198.51.100.77"));
	w->site.n_addresses = 2;
	assert_int_equal(plan(w, &before), 0);
	assert_true(has(&w->plan.own, 1, "198.51.100.5"));
	assert_true(has(&w->plan.own6, 1, "2001:db8:b::5"));
	assert_int_equal(plan(w, NULL), -EADDRNOTAVAIL);
	assert_non_null(strstr(w->why, "eth0"));
	free(w);
}

static void test_only_what_it_has_inside(void **state)
{
	struct world *w =
		make("mode: nat\nguests:\n  - {name: all, shared: true, inside: 10.99.0.10}\n");
	(void)state;
	assert_int_equal(plan(w, NULL), 0);
	assert_int_equal(w->plan.steer.n_shared, 1);
	assert_int_equal(w->plan.own6.ver, 0);
	free(w);
}

static void test_links(void **state)
{
	struct world *w = make(SHARED_CONF);
	(void)state;
	text_copy(w->c.uplink.interface, CONF_LINK, "eth9");
	assert_int_equal(plan(w, NULL), -ENODEV);
	assert_non_null(strstr(w->why, "eth9"));
	text_copy(w->c.uplink.interface, CONF_LINK, "lo");
	assert_int_equal(plan(w, NULL), SKEP_EUNSUPPORTED);
	text_copy(w->c.uplink.interface, CONF_LINK, "auto");
	w->site.uplink = 0;
	assert_int_equal(plan(w, NULL), 0); /* IPv6 has one */
	assert_int_equal(w->plan.gateway.ver, 0);
	w->site.uplink6 = 0;
	assert_int_equal(plan(w, NULL), -ENODEV);
	w->c.mode = MODE_LAB;
	assert_int_equal(plan(w, NULL), -EINVAL);
	free(w);
}

static void test_ports_are_bounded(void **state)
{
	struct world *w = make(SHARED_CONF);
	struct steer_plan *p = &w->plan.steer;
	(void)state;
	for (uint32_t i = 1; i <= STEER_PORTS; i++)
		assert_int_equal(uplink_keep(p, 6, (uint16_t)i), 0);
	assert_int_equal(uplink_keep(p, 6, 1), 0);
	assert_int_equal(uplink_keep(p, 17, 1), SKEP_EFULL);
	assert_int_equal(p->n_kept, STEER_PORTS);
	w->site.truncated = 1;
	assert_int_equal(plan(w, NULL), SKEP_EFULL);
	assert_non_null(strstr(w->why, "sockets"));
	free(w);
}

static void test_bridge(void **state)
{
	char use[128];
	struct world *w = make(BRIDGE_CONF);
	(void)state;
	assert_int_equal(plan(w, NULL), 0);
	assert_int_equal(w->plan.index, SPARE);
	assert_false(w->plan.up);
	assert_int_equal(w->plan.steer.n_alias, 1);
	assert_true(has(w->plan.steer.alias, 1, "192.0.2.10"));
	w->site.links[2].master = ETH;
	assert_int_equal(plan(w, NULL), -EBUSY);
	assert_non_null(strstr(w->why, "part of 'eth0'"));
	w->site.links[2].master = 0;
	uplink_in_use(&w->site, SPARE, use, sizeof(use));
	assert_string_equal(use, "");
	add_address(w, SPARE, "fe80::9", 0, 1);
	uplink_in_use(&w->site, SPARE, use, sizeof(use));
	assert_string_equal(use, "");
	add_address(w, SPARE, "192.0.2.3", 0, 0);
	uplink_in_use(&w->site, SPARE, use, sizeof(use));
	assert_non_null(strstr(use, "192.0.2.3"));
	uplink_in_use(&w->site, ETH, use, sizeof(use));
	assert_non_null(strstr(use, "192.0.2.9")); /* the operator's session comes first */
	w->site.n_sessions = 0;
	uplink_in_use(&w->site, ETH, use, sizeof(use));
	assert_non_null(strstr(use, "default route"));
	free(w);
}

static void add_listener(struct world *w, uint8_t proto, const char *a, uint16_t port, uint32_t pid,
			 const char *name)
{
	struct site_socket *k = &w->site.sockets[w->site.n_sockets++];
	*k = (struct site_socket){.proto = proto, .port = port, .pid = pid};
	assert_int_equal(addr_parse(a, &k->addr), 0);
	text_copy(k->name, sizeof(k->name), name);
}

static void test_logins_that_move(void **state)
{
	static uint8_t ports[SITE_PORT_BYTES];
	struct world *w = make(SHARED_CONF);
	struct steer_plan p = {.n_kept = 0};
	(void)state;
	w->site.n_sockets = 0;
	add_listener(w, 6, "0.0.0.0", 2222, 500, "sshd");
	add_listener(w, 6, "::", 2222, 500, "sshd");
	add_listener(w, 6, "::", 2223, 1, "systemd");
	add_listener(w, 6, "0.0.0.0", 2224, 501, "nginx");
	add_listener(w, 17, "0.0.0.0", 2225, 502, "sshd");
	add_listener(w, 6, "127.0.0.1", 2226, 500, "sshd");
	add_listener(w, 6, "0.0.0.0", 2227, 500, "dropbear");
	assert_int_equal(uplink_keep_logins(&p, &w->site, ports), 0);
	memset(ports, 0xff, sizeof(ports));
	ports[2227 / 8] = 0xff & ~(1 << 2227 % 8);
	assert_int_equal(uplink_keep_logins(&p, &w->site, ports), 2);
	assert_int_equal(p.kept[0].port, 2222);
	assert_int_equal(p.kept[1].port, 2223);
	assert_int_equal(uplink_keep_logins(&p, &w->site, ports), 0);
	free(w);
}

/* The operator comes by a VLAN or a bridge that stands on the link. */
static void test_what_stands_on_the_link(void **state)
{
	char use[128];
	struct world *w = make(SHARED_CONF);
	struct site *s = &w->site;
	uint32_t n = s->n_links;
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		s->n_links = n;
		s->links[s->n_links++] = (struct site_link){.name = "low", .index = 50};
		s->links[s->n_links++] = (struct site_link){.name = "br", .index = 51};
		s->links[s->n_links++] =
			(struct site_link){.name = "br.7", .index = 52, .lower = 51};
		if (i == 0)
			s->links[n].master = 51;
		else
			s->links[n + 1].lower = 50;
		uplink_in_use(s, 50, use, sizeof(use));
		assert_string_equal(use, "");
		add_address(w, 52, "192.0.2.77", 0, 0);
		uplink_in_use(s, 50, use, sizeof(use));
		assert_non_null(strstr(use, "192.0.2.77"));
		s->n_addresses--;
		s->uplink = 51;
		uplink_in_use(s, 50, use, sizeof(use));
		assert_non_null(strstr(use, "default route"));
		s->uplink = ETH;
		uplink_in_use(s, 50, use, sizeof(use));
		assert_string_equal(use, "");
	}
	s->links[n].master = s->links[n].lower = 50; /* nonsense ends as well */
	uplink_in_use(s, 50, use, sizeof(use));
	free(w);
}

/* ---- what outlives a run ------------------------------------------------------------------------- */

static void set_folder(struct world *w, char *dir)
{
	assert_non_null(mkdtemp(dir));
	text_copy(w->c.state_dir, sizeof(w->c.state_dir), dir);
}

static void remove_folder(const char *dir)
{
	static const char *const names[] = {"confirmed", "rollback.log"};
	char path[64];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void test_confirmation_is_for_one_configuration(void **state)
{
	char dir[] = "/tmp/skep-uplink-XXXXXX";
	struct world *w = make(SHARED_CONF);
	struct steer_plan kept = {.n_kept = 0};
	(void)state;
	set_folder(w, dir);
	assert_false(uplink_was_confirmed(&w->c, &kept));
	assert_int_equal(plan(w, NULL), 0);
	assert_int_equal(uplink_confirm(&w->c, &w->plan.steer), 0);
	assert_true(uplink_was_confirmed(&w->c, &kept));
	assert_int_equal(kept.n_kept, w->plan.steer.n_kept);
	assert_memory_equal(kept.kept, w->plan.steer.kept, kept.n_kept * sizeof(kept.kept[0]));
	w->c.wall.flows++; /* nothing of the wire's */
	assert_true(uplink_was_confirmed(&w->c, &kept));
	assert_int_equal(kept.n_kept, w->plan.steer.n_kept);
	w->c.guests[0].shared = 0;
	assert_false(uplink_was_confirmed(&w->c, &kept));
	w->c.guests[0].shared = 1;
	w->c.n_forwards = 1;
	assert_false(uplink_was_confirmed(&w->c, &kept));
	w->c.n_forwards = 0;
	w->c.mode = MODE_BRIDGE;
	assert_false(uplink_was_confirmed(&w->c, &kept));
	remove_folder(dir);
	free(w);
}

static void test_damaged_confirmation_is_none(void **state)
{
	static const char *const bad[] = {"", "skep-confirmed 1\n", "skep-confirmed 2\ndigest 0\n",
					  "skep-confirmed 1\ndigest 1\nkeep 6 22\n"};
	char dir[] = "/tmp/skep-uplink-XXXXXX", path[64];
	struct world *w = make(SHARED_CONF);
	struct steer_plan kept = {.n_kept = 0};
	(void)state;
	set_folder(w, dir);
	snprintf(path, sizeof(path), "%s/confirmed", dir);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		fputs(bad[i], f);
		fclose(f);
		assert_false(uplink_was_confirmed(&w->c, &kept));
		assert_int_equal(kept.n_kept, 0);
	}
	remove_folder(dir);
	free(w);
}

static void test_rollback_is_told_until_confirmed(void **state)
{
	char dir[] = "/tmp/skep-uplink-XXXXXX", path[64], line[UPLINK_LINE];
	struct world *w = make(SHARED_CONF);
	const struct timespec later[2] = {{.tv_sec = time(NULL) + 500},
					  {.tv_sec = time(NULL) + 500}};
	(void)state;
	set_folder(w, dir);
	assert_false(uplink_rolled_back(&w->c, line));
	uplink_note_rollback(&w->c, "first");
	uplink_note_rollback(&w->c, "second");
	assert_true(uplink_rolled_back(&w->c, line));
	assert_non_null(strstr(line, "second"));
	assert_int_equal(uplink_confirm(&w->c, &w->plan.steer), 0);
	assert_false(uplink_rolled_back(&w->c, line));
	/* the clock is set back after each */
	snprintf(path, sizeof(path), "%s/confirmed", dir);
	assert_int_equal(utimensat(AT_FDCWD, path, later, 0), 0);
	uplink_note_rollback(&w->c, "third");
	assert_true(uplink_rolled_back(&w->c, line));
	assert_non_null(strstr(line, "third"));
	assert_int_equal(uplink_confirm(&w->c, &w->plan.steer), 0);
	assert_false(uplink_rolled_back(&w->c, line));
	remove_folder(dir);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_router_is_no_honeypot),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_shared_address_changes),
		cmocka_unit_test(test_only_what_it_has_inside),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_ports_are_bounded),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_logins_that_move),
		cmocka_unit_test(test_what_stands_on_the_link),
		cmocka_unit_test(test_confirmation_is_for_one_configuration),
		cmocka_unit_test(test_damaged_confirmation_is_none),
		cmocka_unit_test(test_rollback_is_told_until_confirmed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
