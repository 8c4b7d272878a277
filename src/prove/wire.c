/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wire: one socket that sends as the guest, one that sends from outside, and ears: at the far end of the
 * uplink, at the wall's link of each other guest, at the proof's own port, and behind the guard at a real uplink,
 * where nothing of ours may ever be heard. A frame is ours if it holds the
 * token, or, for a TCP segment without data, if its sequence number begins with two bytes of it.
 */
#include "prove/prove_priv.h"
#include "sys/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RCVBUF_BYTES (64 << 20)
#define SNAP 70000u
#define SUPER_L4 34u
#define SUPER_HEAD (SUPER_L4 + 20u)
#define CAPTURE_FILE_BYTES (64u << 20)

/* ---- sockets ----------------------------------------------------------------------------------- */

/* Of a real uplink, which may be busy, only what leaves; and it is not made to listen to all. */
static int outgoing_only(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SNAP),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = {.len = ARRAY_LEN(code), .filter = code};
	int err = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
	return err != 0 ? -errno : 0;
}

static int open_socket(const char *link, enum ear_kind kind, int *ret)
{
	bool hears = kind != EAR_NONE;
	int size = RCVBUF_BYTES, on = 1;
	unsigned index = if_nametoindex(link);
	if (index == 0)
		return -errno;
	CLEANUP(fd_close) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (hears && (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0 ||
		      setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) != 0 ||
		      setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) != 0))
		return -errno;
	struct packet_mreq promisc = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
	if (kind == EAR_WIRE && outgoing_only(fd) != 0)
		return -errno;
	if (hears && kind != EAR_WIRE &&
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) != 0)
		return -errno;
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = hears ? htons(ETH_P_ALL) : 0,
				  .sll_ifindex = (int)index};
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)) != 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

static int open_in(int netns, int home, const char *link, enum ear_kind kind, int *ret)
{
	int err = netns_enter(netns);
	if (err == 0)
		err = open_socket(link, kind, ret);
	int back = netns_enter(home);
	return err != 0 ? err : back;
}

static int add_ear(struct prove *p, int netns, int home, const char *link, enum ear_kind kind,
		   uint32_t port)
{
	struct ear *e = &p->ears[p->n_ears];
	*e = (struct ear){.kind = kind, .fd = -1, .port = port};
	int err = open_in(netns, home, link, kind, &e->fd);
	if (err == 0)
		p->n_ears++;
	return err;
}

static int set_vnet(int fd)
{
	int on = 1;
	return setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0 ? 0 : -errno;
}

/* Without it nothing gets by the host's end to the wall. */
static int set_mark(int fd, uint32_t mark)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0 ? 0 : -errno;
}

static int open_namespaces(struct prove *p, int home)
{
	char name[CONF_NAME + 8];
	int err = netns_open(p->c->name, &p->wall_ns);
	if (err == 0 && p->conf->far.netns[0] != '\0')
		err = netns_open(p->conf->far.netns, &p->far_ns);
	else if (err == 0 && (p->far_ns = fcntl(home, F_DUPFD_CLOEXEC, 0)) < 0)
		err = -errno;
	snprintf(name, sizeof(name), "%s-prove", p->c->name);
	if (err == 0)
		err = netns_open(name, &p->own_ns);
	return err;
}

static int open_capture(struct prove *p)
{
	struct capture_interface ports[PROVE_PORTS] = {0};
	if (p->conf->dir < 0)
		return 0;
	for (uint32_t i = 0; i < p->conf->n_ports; i++) {
		text_copy(ports[i].name, sizeof(ports[i].name), p->conf->ports[i].name);
		text_copy(ports[i].description, sizeof(ports[i].description),
			  i == 0                      ? "outside: what got there"
			  : i + 1 == p->conf->n_ports ? "the proof's port: what was sent"
			  : p->conf->ports[i].sink    ? "what ended in the sink"
						      : "what got to this guest");
	}
	int err = arena_create(capture_writer_bytes(), &p->arena);
	if (err != 0)
		return err;
	return capture_writer_create(&p->arena, p->conf->dir, "prove", ports, p->conf->n_ports,
				     CAPTURE_FILE_BYTES, 3600 * NS_PER_SEC, 4 * CAPTURE_FILE_BYTES,
				     &p->capture);
}

int wire_open(struct prove *p, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	CLEANUP(fd_close) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int err = home < 0 ? -errno : open_namespaces(p, home);
	if (err == 0)
		err = open_in(p->own_ns, home, "eth0", EAR_NONE, &p->tx);
	if (err == 0)
		err = open_in(p->own_ns, home, "eth0", EAR_NONE, &p->super_tx);
	if (err == 0)
		err = set_vnet(p->super_tx);
	if (err == 0)
		err = open_in(p->far_ns, home, p->conf->far.link, EAR_NONE, &p->outside_tx);
	if (err == 0 && p->real)
		err = set_mark(p->outside_tx, p->conf->far.mark);
	if (err == 0)
		err = add_ear(p, p->far_ns, home, p->conf->far.link, EAR_OUTSIDE, 0);
	if (err == 0)
		err = add_ear(p, p->own_ns, home, "eth0", EAR_OWN, p->conf->n_ports - 1);
	if (err == 0 && p->real)
		err = add_ear(p, p->far_ns, home, p->conf->far.uplink, EAR_WIRE, 0);
	if (err == 0 && p->real)
		err = open_in(p->wall_ns, home, p->conf->ports[0].link, EAR_NONE, &p->wall_tx);
	for (uint32_t i = 1; i + 1 < p->conf->n_ports && err == 0; i++)
		err = add_ear(p, p->wall_ns, home, p->conf->ports[i].link,
			      p->conf->ports[i].sink ? EAR_SINK : EAR_GUEST, i);
	if (err != 0) {
		write_fmt(&w, "opening the ports: %s", err_text(err));
		return err;
	}
	err = open_capture(p);
	if (err != 0)
		write_fmt(&w, "captures: %s", err_text(err));
	return err;
}

void wire_close(struct prove *p)
{
	for (size_t i = 0; i < p->n_ears; i++)
		fd_close(&p->ears[i].fd);
	fd_close(&p->tx);
	fd_close(&p->super_tx);
	fd_close(&p->outside_tx);
	fd_close(&p->wall_tx);
	fd_close(&p->wall_ns);
	fd_close(&p->far_ns);
	fd_close(&p->own_ns);
	if (p->capture != NULL && capture_close(p->capture) != 0)
		log_line(LOG_WARN, "the captures could not be written to their end");
	arena_destroy(&p->arena);
}

/* ---- sending ----------------------------------------------------------------------------------- */

static void record(struct prove *p, uint32_t port, const uint8_t *data, uint32_t len, bool outbound)
{
	const struct capture_packet c = {.interface = port,
					 .stamp_ns = clock_wall_ns(),
					 .data = data,
					 .len = len,
					 .orig_len = len,
					 .own_stamp = true,
					 .outbound = outbound,
					 .comment = outbound ? NULL : run_row(p)->name};
	if (p->capture != NULL && capture_write(p->capture, &c) != 0)
		log_line(LOG_DEBUG, "a packet did not get into the capture");
}

void wire_mark(struct prove *p, uint8_t *out)
{
	memset(out, 0, PROVE_MARK);
	memcpy(out, p->token, PROVE_TOKEN);
	store_be16(out + PROVE_TOKEN, (uint16_t)p->serial);
	memcpy(out + PROVE_TOKEN + 2, "prove", 5);
	p->from_out[p->serial & 0xffff] = p->inbound;
	p->owner[p->serial++ & 0xffff] = (uint8_t)p->row;
}

void wire_raw(struct prove *p, const struct head *h, uint16_t kind, const void *lead, uint32_t len)
{
	uint8_t b[128] = {0};
	if (len > 0)
		memcpy(b, lead, len);
	wire_mark(p, b + len);
	frame_raw(&p->pkt, h, kind, b, len + PROVE_MARK);
}

uint32_t wire_seq(struct prove *p)
{
	uint32_t serial = p->serial++ & 0xffff;
	p->owner[serial] = (uint8_t)p->row;
	p->from_out[serial] = p->inbound;
	return (uint32_t)p->token[0] << 24 | (uint32_t)p->token[1] << 16 | serial;
}

void wire_send_quietly(struct prove *p)
{
	record(p, p->conf->n_ports - 1, p->pkt.b, p->pkt.len, false);
	for (int tries = 0; send(p->tx, p->pkt.b, p->pkt.len, 0) < 0; tries++) {
		if ((errno != ENOBUFS && errno != EAGAIN) || tries == 1000)
			return;
		nanosleep(&(struct timespec){0, NS_PER_MS}, NULL);
	}
}

void wire_send(struct prove *p)
{
	struct prove_row *r = run_row(p);
	if (r->sent++ == 0)
		p->sent_ns = clock_wall_ns();
	wire_send_quietly(p);
	p->unsettled++;
}

void wire_send_super(struct prove *p, uint16_t segment)
{
	uint8_t pseudo[12];
	struct virtio_net_hdr v = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
				   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				   .hdr_len = SUPER_HEAD,
				   .gso_size = segment,
				   .csum_start = SUPER_L4,
				   .csum_offset = 16};
	struct iovec iov[2] = {{&v, sizeof(v)}, {p->pkt.b, p->pkt.len}};
	/* The sum is partial: what the card would be told to complete. */
	memcpy(pseudo, p->pkt.b + 26, 8);
	store_be16(pseudo + 8, PROVE_TCP);
	store_be16(pseudo + 10, (uint16_t)(p->pkt.len - SUPER_L4));
	store_be16(p->pkt.b + SUPER_L4 + 16, packet_sum(pseudo, sizeof(pseudo), 0));
	record(p, p->conf->n_ports - 1, p->pkt.b, p->pkt.len, false);
	if (writev(p->super_tx, iov, 2) < 0)
		return;
	if (run_row(p)->sent++ == 0)
		p->sent_ns = clock_wall_ns();
}

void wire_send_outside(struct prove *p)
{
	p->called = true;
	record(p, 0, p->pkt.b, p->pkt.len, false);
	if (send(p->outside_tx, p->pkt.b, p->pkt.len, 0) < 0)
		log_line(LOG_DEBUG, "sending from outside: %s", err_text(-errno));
}

void wire_send_as_wall(struct prove *p)
{
	if (run_row(p)->sent++ == 0)
		p->sent_ns = clock_wall_ns();
	record(p, 0, p->pkt.b, p->pkt.len, false);
	if (send(p->wall_tx, p->pkt.b, p->pkt.len, 0) < 0)
		log_line(LOG_DEBUG, "sending as the wall: %s", err_text(-errno));
}

/* ---- hearing ----------------------------------------------------------------------------------- */

static bool take_bit(uint8_t *bits, uint32_t serial)
{
	uint8_t bit = (uint8_t)(1u << (serial & 7)), *at = &bits[(serial & 0xffff) / 8];
	bool fresh = (*at & bit) == 0;
	*at |= bit;
	return fresh;
}

bool wire_seen(const struct prove *p, uint32_t serial)
{
	uint32_t at = (serial & 0xffff) / 8;
	return ((p->seen[at] | p->sunk[at]) >> (serial & 7) & 1) != 0;
}

/* The transport header of a plain IPv4 or IPv6 packet (the first fragment's too): offset, or 0. */
static uint32_t find_l4(const uint8_t *b, uint32_t len, uint8_t *ret_proto)
{
	uint32_t at = 14;
	while (at + 4 <= len &&
	       (load_be16(b + at - 2) == 0x8100 || load_be16(b + at - 2) == 0x88a8))
		at += 4;
	uint16_t kind = load_be16(b + at - 2);
	if (kind == 0x0800 && at + 20 <= len) {
		*ret_proto = b[at + 9];
		return (load_be16(b + at + 6) & 0x1fff) != 0 ? 0 : at + (b[at] & 15u) * 4;
	}
	if (kind != 0x86dd || at + 40 > len)
		return 0;
	*ret_proto = b[at + 6];
	return at + 40;
}

static bool find_token(const struct prove *p, const uint8_t *b, uint32_t len, uint32_t *ret)
{
	const uint8_t *mark = memmem(b, len, p->token, PROVE_TOKEN);
	if (mark == NULL || mark + PROVE_TOKEN + 2 > b + len)
		return false;
	*ret = load_be16(mark + PROVE_TOKEN);
	return true;
}

static bool find_serial(const struct prove *p, const uint8_t *b, uint32_t len, uint32_t *ret)
{
	uint8_t proto = 0;
	if (find_token(p, b, len, ret))
		return true;
	uint32_t l4 = find_l4(b, len, &proto);
	if (l4 == 0 || proto != PROVE_TCP || l4 + 8 > len || memcmp(b + l4 + 4, p->token, 2) != 0)
		return false;
	*ret = load_be16(b + l4 + 6);
	return true;
}

static void note_leak(struct prove *p, struct prove_row *r, const struct ear *e, uint8_t *b,
		      uint32_t len)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];
	struct layers l;
	struct frame f = {.data = b, .len = len, .cap = len};
	if (r->note[0] != '\0')
		return;
	struct writer w = writer_of(r->note, sizeof(r->note));
	packet_decode(&f, &l);
	write_fmt(&w, "%s: ", p->conf->ports[e->port].name);
	if (l.src.ver != 0)
		write_fmt(&w, "%s > %s proto %u port %u", addr_text(&l.src, from),
			  addr_text(&l.dst, to), l.proto, l.dport);
	else
		write_fmt(&w, "ethertype %04x", l.ethertype);
	write_fmt(&w, ", %u bytes", len);
}

/* Is that where the row's frames have to come out? */
static bool as_wanted(const struct prove *p, const struct ear *e, uint8_t *b, uint32_t len)
{
	struct layers l;
	struct frame f = {.data = b, .len = len, .cap = len};
	packet_decode(&f, &l);
	return e->port == p->want.port && addr_eq(&l.dst, &p->want.to) &&
	       (p->want.dport == 0 || l.dport == p->want.dport);
}

static void arrived(struct prove *p, const struct ear *e, uint32_t serial, int64_t stamp_ns,
		    uint8_t *b, uint32_t len)
{
	struct prove_row *r = &p->rows[p->owner[serial]];
	bool sunk = e->kind == EAR_SINK && !p->from_out[serial];
	if (!take_bit(sunk ? p->sunk : p->seen, serial))
		return;
	if (sunk) {
		if (++r->sunk > r->sink_most)
			note_leak(p, r, e, b, len);
		return;
	}
	r->arrived++;
	if (r == run_row(p))
		p->arrived_ns = stamp_ns;
	/* p->row is the fences' while they are heard, the newest row is the one that is being tried */
	if (r == &p->rows[p->n_rows - 1] && p->want.to.ver != 0 && !as_wanted(p, e, b, len)) {
		p->strayed++;
		note_leak(p, r, e, b, len);
	}
	if (r->arrived > r->most)
		note_leak(p, r, e, b, len);
}

/* The datagram with which the host begins what case_wire.c then speaks in. */
static bool is_hosts(const struct prove *p, const uint8_t *b, uint32_t len)
{
	uint8_t proto = 0;
	uint32_t l4 = p->host_port == 0 ? 0 : find_l4(b, len, &proto);
	return l4 != 0 && proto == PROVE_UDP && l4 + 4 <= len && load_be16(b + l4) == p->host_port;
}

/* A name that the host asks the operator's name server for in the guest's place, with an id of the sink's own. */
static bool is_upstream(const struct prove *p, const uint8_t *b, uint32_t len)
{
	uint8_t proto = 0;
	uint32_t l4 = find_l4(b, len, &proto);
	return p->c->sink.on && p->c->sink.dns_upstream.ver != 0 && l4 != 0 && proto == PROVE_UDP &&
	       l4 + 10 <= len && load_be16(b + l4 + 2) == 53 &&
	       load_be16(b + l4 + 8) != PROVE_DNS_ID;
}

/* Both fence and guard let it out. */
static void escaped(struct prove *p, const struct ear *e, uint32_t serial, uint8_t *b, uint32_t len)
{
	struct prove_row *r = &p->rows[p->owner[serial]];
	p->escaped++;
	p->strayed += r == &p->rows[p->n_rows - 1];
	note_leak(p, r, e, b, len);
}

/* That is configured (sink.dns.upstream), and holds as long as the budget does. */
static void asked(struct prove *p, const struct ear *e, uint32_t serial, uint8_t *b, uint32_t len)
{
	if (take_bit(p->asked, serial) && ++p->n_asked > p->c->sink.dns_budget)
		escaped(p, e, serial, b, len);
}

static void keep(struct heard_stream *s, const uint8_t *b, uint32_t len, uint32_t l4)
{
	bool v6 = load_be16(b + 12) == 0x86dd;
	uint32_t data = l4 + (b[l4 + 12] >> 4) * 4u;
	uint32_t total = v6 ? 14 + 40 + load_be16(b + 18) : 14 + load_be16(b + 16);
	s->frames += s->frames > 0 || (b[l4 + 13] & TCP_SYN) != 0;
	if ((!v6 && load_be16(b + 12) != 0x0800) || total > len || (b[l4 + 13] & TCP_SYN) != 0)
		return;
	uint32_t at = load_be32(b + l4 + 4) - s->first;
	for (uint32_t i = data; i < total && at < PROVE_STREAM; i++, at++) {
		s->differs = s->differs || (s->have[at] != 0 && s->newest[at] != b[i]);
		s->newest[at] = b[i];
		if (s->have[at] == 0)
			s->oldest[at] = b[i];
		s->have[at] = 1;
	}
}

/* Follows the one conversation that a case may have open. */
static bool follow(struct prove *p, const struct ear *e, const uint8_t *b, uint32_t len)
{
	uint8_t proto = 0;
	uint32_t l4 = find_l4(b, len, &proto);
	if (p->talk_port == 0 || l4 == 0 || proto != PROVE_TCP || l4 + 20 > len)
		return false;
	if (e->kind == EAR_OWN && load_be16(b + l4 + 2) == p->talk_port)
		keep(&p->back, b, len, l4);
	else if (e->kind == EAR_OUTSIDE && load_be16(b + l4) == p->talk_port)
		keep(&p->stream, b, len, l4);
	else
		return false;
	p->urgent_left = p->urgent_left || (e->kind == EAR_OUTSIDE && (b[l4 + 13] & TCP_URG) != 0);
	return true;
}

/* Puts the tag back that the kernel keeps beside the frame, and finds the stamp. */
static void read_control(struct msghdr *h, uint8_t *b, uint32_t *len, int64_t *stamp_ns)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			*stamp_ns = (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
		}
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		struct tpacket_auxdata aux;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0 || *len < 12 || *len + 4 > SNAP)
			continue;
		memmove(b + 16, b + 12, *len - 12);
		store_be16(b + 12, (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0
					   ? aux.tp_vlan_tpid
					   : 0x8100);
		store_be16(b + 14, aux.tp_vlan_tci);
		*len += 4;
	}
}

static void hear_pattern(struct prove *p, const struct ear *e, const uint8_t *b, uint32_t len)
{
	static const char pattern[] = PROVE_PATTERN;
	uint32_t n = sizeof(pattern) - 1;
	if (e->kind != EAR_OUTSIDE || memmem(b, len, pattern + PROVE_CUT, n - PROVE_CUT) == NULL)
		return;
	p->heard_rest = true;
	p->heard_pattern = p->heard_pattern || memmem(b, len, pattern, n) != NULL;
}

static bool hear_one(struct prove *p, const struct ear *e)
{
	uint8_t b[SNAP], control[256] __attribute__((aligned(8)));
	struct sockaddr_ll from = {0};
	struct iovec iov = {b, SNAP - 4};
	struct msghdr h = {.msg_name = &from,
			   .msg_namelen = sizeof(from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	int64_t stamp_ns = clock_wall_ns();
	uint32_t serial;
	ssize_t n = recvmsg(e->fd, &h, 0);
	if (n < 14)
		return n >= 0;
	if (p->bridged)
		router_overhear(p, e, from.sll_pkttype == PACKET_OUTGOING, b, (uint32_t)n);
	/* A guest's link is heard from the wall's side, the others from the far one. */
	bool own_side = e->kind == EAR_GUEST || e->kind == EAR_SINK || e->kind == EAR_WIRE;
	if ((from.sll_pkttype == PACKET_OUTGOING) != own_side)
		return true;
	uint32_t len = (uint32_t)n;
	read_control(&h, b, &len, &stamp_ns);
	if (e->kind == EAR_WIRE) {
		p->host_spoke = p->host_spoke || is_hosts(p, b, len);
		if (!find_token(p, b, len, &serial))
			return true;
		if (is_upstream(p, b, len))
			asked(p, e, serial, b, len);
		else
			escaped(p, e, serial, b, len);
		return true;
	}
	hear_pattern(p, e, b, len);
	bool followed = follow(p, e, b, len), marked = find_serial(p, b, len, &serial);
	if (!marked && !followed)
		return true;
	record(p, e->port, b, len, true);
	p->outside += e->kind == EAR_OUTSIDE && marked;
	if (marked && (p->from_out[serial] ? e->kind != EAR_OUTSIDE : e->kind != EAR_OWN))
		arrived(p, e, serial, stamp_ns, b, len);
	return true;
}

void wire_hear(struct prove *p, int wait_ms)
{
	struct pollfd fds[PROVE_EARS];
	for (size_t i = 0; i < p->n_ears; i++)
		fds[i] = (struct pollfd){.fd = p->ears[i].fd, .events = POLLIN};
	if (poll(fds, (nfds_t)p->n_ears, wait_ms) <= 0)
		return;
	for (size_t i = 0; i < p->n_ears; i++)
		for (int k = 0; k < 4096 && fds[i].revents != 0 && hear_one(p, &p->ears[i]); k++)
			;
}
