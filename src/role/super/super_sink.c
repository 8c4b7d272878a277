/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sink's home: a namespace with one link, whose other end is a port of the wall. Whatever arrives
 * there is for it, by any address: what comes in by the link is looked up in a table that says so. What
 * it answers goes back by the link, to the gateway, whose link address is written down beforehand; so
 * the namespace asks nobody anything. The sockets are made here, with the right to speak in the name
 * of any address; the role gets them and can make none.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE "100"
#define BACKLOG 128
#define IP_TIMEOUT_MS 20000
#define DNS_PORT 53
#define BUFFER 65536 /* of each connection in the kernel, which grows it otherwise */

static int settings(void)
{
	static const char *const rows[][2] = {
		{"net/ipv6/conf/all/disable_ipv6", "0"},
		{"net/ipv6/conf/default/disable_ipv6", "0"},
		{"net/ipv6/conf/eth0/disable_ipv6", "0"},
		{"net/ipv6/conf/eth0/accept_ra", "0"},
		{"net/ipv6/conf/eth0/accept_dad", "0"},
		{"net/ipv6/conf/eth0/addr_gen_mode", "1"},
		{"net/ipv4/ip_forward", "0"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/eth0/rp_filter", "0"},
		{"net/ipv4/conf/all/arp_ignore", "8"},
		/* sources stay as they come: a redirect is nobody's to send here */
		{"net/ipv4/conf/all/accept_redirects", "0"},
		{"net/ipv4/icmp_echo_ignore_all", "1"},
		{"net/ipv6/icmp/echo_ignore_all", "1"},
	};
	return net_settings(rows, ARRAY_LEN(rows));
}

static int any_address(int netns, char *why, size_t why_size)
{
	static const char *const six[] = {"ip",  "-6",   "rule",   "add", "pref", "10",
					  "iif", "eth0", "lookup", TABLE, NULL};
	static const char *const four[] = {"ip",  "-4",   "rule",   "add", "pref", "10",
					   "iif", "eth0", "lookup", TABLE, NULL};
	char out[256];
	struct writer w = writer_of(why, why_size);
	int code = run_program_in(netns, four, NULL, out, sizeof(out), IP_TIMEOUT_MS);
	if (code == 0)
		code = run_program_in(netns, six, NULL, out, sizeof(out), IP_TIMEOUT_MS);
	if (code == 0)
		return 0;
	out[strcspn(out, "\n")] = '\0';
	write_fmt(&w, "the sink's routing: %s", code < 0 ? err_text(code) : out);
	return code < 0 ? code : -EINVAL;
}

static int make_link(struct super *s, const char *name, char *why, size_t why_size)
{
	char buf[1024], own[MAC_TEXT], gate[MAC_TEXT];
	struct writer w = writer_of(buf, sizeof(buf));
	write_fmt(&w,
		  "link add sink mtu 1500 type veth peer name eth0 address %s mtu 1500 netns %s\n",
		  mac_text(&s->sink_mac, own), name);
	write_str(&w, "link set sink arp off\nlink set sink up\n");
	int err = link_batch(s->net, buf, why, why_size);
	if (err == 0)
		err = netns_enter(s->sink);
	if (err == 0)
		err = settings();
	int back = netns_enter(s->home);
	if (err != 0 || back != 0)
		return err != 0 ? err : back;
	w = writer_of(buf, sizeof(buf));
	write_str(&w, "link set lo up\nlink set eth0 up\n");
	write_fmt(&w, "neigh add 169.254.0.1 lladdr %s nud permanent dev eth0\n",
		  mac_text(&s->c->network.gateway_mac, gate));
	write_fmt(&w, "neigh add fe80::1 lladdr %s nud permanent dev eth0\n", gate);
	write_str(&w, "route add default via 169.254.0.1 dev eth0 onlink\n"
		      "route add default via fe80::1 dev eth0\n"
		      "route add local 0.0.0.0/0 dev lo table " TABLE "\n"
		      "route add local ::/0 dev lo table " TABLE "\n");
	err = link_batch(s->sink, buf, why, why_size);
	return err != 0 ? err : any_address(s->sink, why, why_size);
}

/* In the sink's namespace: one socket for both versions, bound to every address. */
static int open_socket(enum sink_service v, int *ret)
{
	bool tcp = v < SINK_TCP;
	const int yes = 1, no = 0, room = BUFFER;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6,
				   .sin6_port = htons(sink_port(v)),
				   .sin6_addr = in6addr_any};
	CLEANUP(fd_close)
	int fd = socket(AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &yes, sizeof(yes)) < 0 ||
	    (tcp && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) < 0) ||
	    (tcp && setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0) ||
	    (!tcp && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes)) < 0) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || (tcp && listen(fd, BACKLOG) < 0))
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

static bool has_upstream(const struct super *s, struct addr *ret)
{
	const struct conf *c = s->c;
	bool lab = c->mode == MODE_LAB && c->sink.dns_upstream.ver == 0 && c->lab.services;
	*ret = lab ? c->lab.dns : c->sink.dns_upstream;
	return ret->ver != 0;
}

static int open_upstream(const struct addr *a, int *ret)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
	memcpy(&four.sin_addr, a->b, 4);
	memcpy(&six.sin6_addr, a->b, 16);
	CLEANUP(fd_close)
	int fd = socket(a->ver == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			0);
	if (fd < 0 || (a->ver == 4 ? connect(fd, (struct sockaddr *)&four, sizeof(four))
				   : connect(fd, (struct sockaddr *)&six, sizeof(six))) < 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

static int open_sockets(struct super *s)
{
	struct addr upstream;
	int err = netns_enter(s->sink), back;
	for (int v = 0; v < SINK_SOCKETS && err == 0; v++)
		err = open_socket((enum sink_service)v, &s->sink_fds[v]);
	if (has_upstream(s, &upstream)) {
		/* the lab's name server is asked in the lab, the operator's by the host */
		bool lab = s->c->sink.dns_upstream.ver == 0;
		back = netns_enter(lab ? s->lab : s->home);
		if (err == 0)
			err = back != 0 ? back
					: open_upstream(&upstream, &s->sink_fds[SINK_SOCKETS]);
	}
	back = netns_enter(s->home);
	return err != 0 ? err : back;
}

int sink_build(struct super *s, char *why, size_t why_size)
{
	char name[CONF_NAME + 8];
	struct writer w = writer_of(why, why_size);
	snprintf(name, sizeof(name), "%s-sink", s->c->name);
	s->sink_mac = net_mac();
	int err = net_namespace(s, name, &s->sink, why, why_size);
	if (err != 0)
		return err;
	why[0] = '\0';
	err = make_link(s, name, why, why_size);
	if (err == 0)
		err = open_sockets(s);
	if (err != 0 && why[0] == '\0')
		write_fmt(&w, "the sink's sockets: %s", err_text(err));
	return err;
}

void sink_start_message(const struct super *s, struct start_sink *ret)
{
	static const uint64_t key[2] = {UINT64_C(0x736b65702073696e), UINT64_C(0x6b206e616d657320)};
	const struct conf *c = s->c;
	memset(ret, 0, sizeof(*ret));
	ret->conf.n_guests = c->n_guests;
	for (uint32_t i = 0; i < c->n_guests; i++) {
		struct sink_guest *g = &ret->conf.guests[i];
		text_copy(g->name, sizeof(g->name), c->guests[i].name);
		g->inside = c->guests[i].inside;
		g->inside6 = c->guests[i].inside6;
	}
	ret->conf.connections = c->sink.connections;
	ret->conf.bytes = c->sink.bytes;
	ret->conf.idle_ns = c->sink.idle_ns;
	ret->conf.dns_budget = c->sink.dns_budget;
	ret->conf.dns_upstream = s->sink_fds[SINK_SOCKETS] >= 0;
	/* made-up answers are the same as long as the installation is */
	ret->conf.seed[0] = hash_keyed(key, c->sensor, strlen(c->sensor));
	ret->conf.seed[1] = hash_keyed(key, c->name, strlen(c->name));
}
