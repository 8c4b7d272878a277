/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sink: where contained traffic ends. The sockets came from super, bound in a namespace whose only
 * link leads to the wall; this process can make none, and reach nobody but who spoke to it and, if
 * the operator wants that, one resolver. What is said there is the sink module's affair; here bytes
 * are moved. Nothing waits, everything is bounded, all memory is fixed before the first byte.
 */
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64
#define PEEK_BYTES 4096u
#define DATAGRAMS_AT_ONCE 32
#define TICK_MS 200
#define ACCEPTS_AT_ONCE 16
#define DATAGRAM_BYTES 65536u

enum { TAG_SUPER = 1u << 16, TAG_UPSTREAM, TAG_SOCKET }; /* below: a session's index */

struct conn {
	struct sink_session *t;
	int fd;             /* -1: free */
	bool eof, stalled;  /* stalled: the sink takes no more until it is ready again */
	uint32_t waits_for; /* epoll events */
};

struct role_sink {
	int epoll, events, upstream;
	int sockets[SINK_SOCKETS];
	struct sink *sink;
	struct conn *conns;
	uint32_t n_conns;
	uint64_t lost;
	uint8_t *buf; /* DATAGRAM_BYTES */
	bool stop;
};

static const struct syscall_row syscalls[] = {
	{"accept4", -1, 0},
	{"accept", -1, 0},
	{"recvfrom", -1, 0},
	{"sendto", -1, 0},
	{"getsockname", -1, 0},
	{"getpeername", -1, 0},
	{"setsockopt", 1, SOL_SOCKET},
	{NULL, -1, 0},
};

/* ---- addresses: sockets are IPv6 ones, an IPv4 address comes as ::ffff:a.b.c.d ----------------- */

static struct addr addr_of(const struct in6_addr *a)
{
	return IN6_IS_ADDR_V4MAPPED(a) ? addr_from_v4(a->s6_addr + 12) : addr_from_v6(a->s6_addr);
}

static struct in6_addr in6_of(const struct addr *a)
{
	struct in6_addr r = {0};
	if (a->ver == 6) {
		memcpy(r.s6_addr, a->b, 16);
	} else {
		r.s6_addr[10] = r.s6_addr[11] = 0xff;
		memcpy(r.s6_addr + 12, a->b, 4);
	}
	return r;
}

/* ---- what the sink wants done ------------------------------------------------------------------- */

static void emit(void *ctx, const struct event *e)
{
	struct role_sink *r = ctx;
	role_emit(r->events, e, &r->lost);
}

static void ask(void *ctx, const uint8_t *data, size_t len)
{
	struct role_sink *r = ctx;
	ssize_t n = -1;
	/* The first may only bring the error of an earlier one. One that is lost, the time-out answers. */
	for (int i = 0; i < 2 && n < 0 && r->upstream >= 0; i++)
		n = send(r->upstream, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		log_line(LOG_DEBUG, "the resolver is not asked: %s", err_text(-errno));
}

static void reply(void *ctx, enum sink_service v, const struct sink_ends *e, const uint8_t *data,
		  size_t len)
{
	struct role_sink *r = ctx;
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	struct in6_pktinfo info = {.ipi6_addr = in6_of(&e->server)};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons(e->cport),
				  .sin6_addr = in6_of(&e->client)};
	struct iovec iov = {(void *)(uintptr_t)data, len};
	memset(&control, 0, sizeof(control));
	struct msghdr m = {.msg_name = &to,
			   .msg_namelen = sizeof(to),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	if (sendmsg(r->sockets[v], &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_line(LOG_DEBUG, "an answer is not sent: %s", err_text(-errno));
}

/* ---- connections --------------------------------------------------------------------------------- */

static void end_conn(struct role_sink *r, struct conn *c)
{
	sink_close(r->sink, c->t, clock_boot_ns());
	c->t = NULL;
	fd_close(&c->fd); /* leaves epoll with it */
}

/* Sends what there is; false: the connection is over. */
static bool push(struct role_sink *r, struct conn *c)
{
	const uint8_t *out;
	size_t len;
	while ((len = sink_out(c->t, &out)) > 0) {
		ssize_t n = send(c->fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n < 0)
			break;
		sink_sent(c->t, (size_t)n);
	}
	if (len == 0 && (sink_over(c->t) || c->eof))
		return false;
	/* Who does not take our answers is not heard: only one of both is waited for. */
	struct epoll_event e = {.events = len > 0      ? EPOLLOUT
					  : c->stalled ? 0
						       : EPOLLIN,
				.data.u32 = (uint32_t)(c - r->conns)};
	if (e.events == c->waits_for)
		return true;
	c->waits_for = e.events;
	return epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e) == 0;
}

/* What the sink does not take stays in the kernel. */
static bool pull(struct role_sink *r, struct conn *c)
{
	uint8_t buf[PEEK_BYTES];
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_PEEK);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0) {
		c->eof = true;
		return true;
	}
	size_t taken = sink_feed(r->sink, c->t, buf, (size_t)n, clock_boot_ns());
	const uint8_t *out;
	c->stalled = taken == 0 && sink_out(c->t, &out) == 0 && !sink_over(c->t);
	while (taken > 0) {
		ssize_t k = recv(c->fd, buf, taken, MSG_DONTWAIT);
		if (k <= 0)
			return false;
		taken -= (size_t)k;
	}
	return true;
}

static void ready(void *ctx, struct sink_session *t)
{
	struct role_sink *r = ctx;
	struct conn *c = &r->conns[sink_index(r->sink, t)];
	c->stalled = false;
	if (c->fd >= 0 && !push(r, c))
		end_conn(r, c);
}

static void serve_conn(struct role_sink *r, uint32_t index)
{
	struct conn *c = &r->conns[index];
	if (index >= r->n_conns || c->fd < 0)
		return;
	if ((c->waits_for != EPOLLOUT && !pull(r, c)) || !push(r, c))
		end_conn(r, c);
}

static int ends_of(int fd, struct sink_ends *ret)
{
	struct sockaddr_in6 us = {0}, them = {0};
	socklen_t len = sizeof(us);
	if (getsockname(fd, (struct sockaddr *)&us, &len) < 0)
		return -errno;
	len = sizeof(them);
	if (getpeername(fd, (struct sockaddr *)&them, &len) < 0)
		return -errno;
	if (us.sin6_family != AF_INET6 || them.sin6_family != AF_INET6)
		return SKEP_EUNSUPPORTED;
	*ret = (struct sink_ends){addr_of(&them.sin6_addr), addr_of(&us.sin6_addr),
				  ntohs(them.sin6_port)};
	return 0;
}

static void accept_one(struct role_sink *r, enum sink_service v, int from)
{
	CLEANUP(fd_close) int fd = from;
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct sink_ends ends;
	struct sink_session *t;
	if (ends_of(fd, &ends) != 0)
		return;
	if (sink_open(r->sink, v, &ends, clock_boot_ns(), &t) != 0) {
		/* No room: a reset says so, and costs us nothing to remember. */
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return;
	}
	struct conn *c = &r->conns[sink_index(r->sink, t)];
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - r->conns)};
	*c = (struct conn){.t = t, .fd = fd_take(&fd), .waits_for = EPOLLIN};
	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0 || !push(r, c))
		end_conn(r, c);
}

static void accept_some(struct role_sink *r, enum sink_service v)
{
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(r->sockets[v], NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		accept_one(r, v, fd);
	}
}

/* ---- datagrams -------------------------------------------------------------------------------------- */

/* One datagram; false: none. */
static bool datagram(struct role_sink *r, enum sink_service v)
{
	uint8_t answer[SINK_ANSWER];
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 64];
	struct sockaddr_in6 from = {0};
	struct iovec iov = {r->buf, DATAGRAM_BYTES};
	struct msghdr m = {.msg_name = &from,
			   .msg_namelen = sizeof(from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	struct sink_ends e = {0};
	ssize_t n = recvmsg(r->sockets[v], &m, MSG_DONTWAIT);
	if (n < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		struct in6_pktinfo info;
		if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		e.server = addr_of(&info.ipi6_addr);
	}
	e.client = addr_of(&from.sin6_addr);
	e.cport = ntohs(from.sin6_port);
	if (e.server.ver == 0 || e.cport == 0)
		return true;
	size_t len = sink_datagram(r->sink, v, &e, r->buf, (size_t)n, clock_boot_ns(), answer);
	if (len > 0)
		reply(r, v, &e, answer, len);
	return true;
}

static void serve_socket(struct role_sink *r, enum sink_service v)
{
	if (v < SINK_TCP)
		accept_some(r, v);
	for (int i = 0; v >= SINK_TCP && i < DATAGRAMS_AT_ONCE && datagram(r, v); i++)
		;
}

static void hear_upstream(struct role_sink *r)
{
	for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		ssize_t n = recv(r->upstream, r->buf, DATAGRAM_BYTES, MSG_DONTWAIT);
		if (n < 0) /* "nobody listens" included: the time-out answers */
			return;
		sink_answered(r->sink, r->buf, (size_t)n, clock_boot_ns());
	}
}

/* ---- life ------------------------------------------------------------------------------------------- */

static void listen_to_super(struct role_sink *r)
{
	char buf[64];
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_SINK), buf, sizeof(buf), &m)) == 0) {
		r->stop |= m.type == MSG_STOP;
		ipc_msg_done(&m);
	}
	r->stop |= err != -EAGAIN && err != SKEP_EPEER;
}

static int run(struct role_sink *r)
{
	struct epoll_event e[EVENTS_AT_ONCE];
	while (!r->stop) {
		int n = epoll_wait(r->epoll, e, EVENTS_AT_ONCE, TICK_MS);
		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			uint32_t tag = e[i].data.u32;
			if (tag >= TAG_SOCKET)
				serve_socket(r, (enum sink_service)(tag - TAG_SOCKET));
			else if (tag == TAG_UPSTREAM)
				hear_upstream(r);
			else if (tag == TAG_SUPER)
				listen_to_super(r);
			else
				serve_conn(r, tag);
		}
		sink_tick(r->sink, clock_boot_ns());
	}
	for (uint32_t i = 0; i < r->n_conns; i++)
		if (r->conns[i].fd >= 0)
			end_conn(r, &r->conns[i]);
	return 0;
}

static int watch(struct role_sink *r, int fd, uint32_t tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};
	return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

static int prepare(struct role_sink *r, struct arena *arena, const struct start_sink *start,
		   const int *fds, size_t n_fds)
{
	const struct sink_io io = {emit, ask, reply, ready, r};
	uint32_t n = start->conf.connections;
	if (n > CONF_SINK_CONNECTIONS ||
	    n_fds != 1u + SINK_SOCKETS + (start->conf.dns_upstream ? 1 : 0))
		return SKEP_EPEER;
	int err = arena_create(sink_arena_bytes(&start->conf) + n * sizeof(*r->conns) +
				       DATAGRAM_BYTES + 4 * 64,
			       arena);
	if (err != 0)
		return err;
	r->conns = arena_alloc(arena, n, sizeof(*r->conns));
	r->buf = arena_alloc(arena, DATAGRAM_BYTES, 1);
	if (r->conns == NULL || r->buf == NULL)
		return -ENOMEM;
	r->n_conns = n;
	for (uint32_t i = 0; i < n; i++)
		r->conns[i].fd = -1;
	r->events = fds[0];
	r->upstream = start->conf.dns_upstream ? fds[1 + SINK_SOCKETS] : -1;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	err = r->epoll < 0 ? -errno : watch(r, ROLE_SUPER_FD, TAG_SUPER);
	for (uint32_t i = 0; i < SINK_SOCKETS && err == 0; i++) {
		r->sockets[i] = fds[1 + i];
		err = watch(r, r->sockets[i], TAG_SOCKET + i);
	}
	if (err == 0 && r->upstream >= 0)
		err = watch(r, r->upstream, TAG_UPSTREAM);
	if (err == 0)
		err = sink_create(arena, &start->conf, &io, clock_boot_ns(), &r->sink);
	return err;
}

static int confine(void)
{
	const struct syscall_row *const tables[] = {syscalls_common, syscalls};
	const struct msg_ready done = {(uint32_t)getpid()};
	heap_seal();
	int err = confine_final(tables, ARRAY_LEN(tables));
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &done, sizeof(done), NULL, 0);
	return err;
}

int role_sink(void)
{
	struct start_sink start;
	struct role_sink r = {.upstream = -1};
	struct arena arena = {0};
	int fds[2 + SINK_SOCKETS];
	size_t n_fds = 0;
	log_setup("sink", LOG_INFO);
	int err = confine_early(0, false);
	if (err == 0)
		err = role_wait_start(ROLE_SINK, MSG_START_SINK, &start, sizeof(start), fds,
				      ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(&r, &arena, &start, fds, n_fds);
	if (err == 0)
		err = confine();
	if (err != 0) {
		log_line(LOG_ERROR, "sink can't start: %s", err_text(err));
		return 1;
	}
	err = run(&r);
	(void)!ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	arena_destroy(&arena);
	return err == 0 ? 0 : 1;
}
