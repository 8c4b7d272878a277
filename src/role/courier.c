/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * courier: finished messages to their servers. It has the passwords and the host's network, and reads
 * nothing that an intruder said but as bytes that it passes on. What became of the last numbers it
 * remembers, so that an alerter that was started anew may ask again without a second mail.
 */
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REMEMBERED 256
#define WAITING 4 /* of one destination, behind the one under way */
#define BODY_MOST (64u << 10)
#define WORK_MS 30000
#define RETRY_MS 100 /* a full queue towards alerter */

enum { KNOWN_FREE, KNOWN_WAITS, KNOWN_OVER };
struct known {
	uint64_t number;
	uint8_t state, destination;
	bool untold; /* alerter has not got the result yet */
	struct deliver_result result;
};
struct waiting {
	uint64_t number;
	uint8_t *body; /* owned; NULL: none */
	uint32_t size;
};
struct role_courier {
	int alerter, epoll;
	struct start_courier start;
	struct deliver_secrets secrets;
	struct deliver *d;
	struct known known[REMEMBERED];
	uint32_t next;
	struct waiting waiting[CONF_DESTINATIONS][WAITING];
	bool stop;
};

/* ---- what curl, its resolver's threads and OpenSSL call ------------------------------------------- */

static const struct syscall_row syscalls[] = {
	{"socket", 0, AF_INET},
	{"socket", 0, AF_INET6},
	{"socket", 0, AF_NETLINK},            /* getaddrinfo looks which addresses this host has */
	{"socket", 0, AF_UNIX, EAFNOSUPPORT}, /* and would ask nscd, which may have its own mind */
	{"socketpair", 0, AF_UNIX}, /* by which a resolver's thread says that it is ready */
	{"connect", -1, 0},
	{"bind", -1, 0},
	{"getsockname", -1, 0},
	{"getpeername", -1, 0},
	{"getsockopt", -1, 0},
	{"setsockopt", -1, 0},
	{"sendto", -1, 0},
	{"sendmmsg", -1, 0},
	{"recvfrom", -1, 0},
	{"shutdown", -1, 0},
	{"ioctl", -1, 0},
	{"fcntl", -1, 0},
	{"openat", -1, 0},
	{"open", -1, 0},
	{"fstat", -1, 0},
	{"newfstatat", -1, 0},
	{"stat", -1, 0},
	{"statx", -1, 0},
	{"access", -1, 0},
	{"lseek", -1, 0},
	{"pread64", -1, 0},
	{"uname", -1, 0},
	{"pipe2", -1, 0},
	{"eventfd2", -1, 0},
	{"clone", 0, 0x3d0f00},    /* a thread, never a process or namespace: as glibc makes it */
	{"clone3", -1, 0, ENOSYS}, /* its flags can't be seen */
	{"set_robust_list", -1, 0},
	{"rseq", -1, 0},
	{"sched_yield", -1, 0},
	{"sched_getaffinity", -1, 0},
	{"rt_sigaction", -1, 0},
	{NULL, -1, 0},
};

static const char *const readable[] = {"/etc",
				       "/usr",
				       "/lib",
				       "/lib64",
				       "/run/systemd/resolve",
				       "/run/resolvconf",
				       "/run/NetworkManager",
				       "/run/connman",
				       NULL};

/* ---- alerter ------------------------------------------------------------------------------------------ */

static bool kept(uint64_t number)
{
	return (number & DELIVER_UNKEPT) == 0;
}

static struct known *find(struct role_courier *c, uint64_t number)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		if (c->known[i].state != KNOWN_FREE && c->known[i].number == number)
			return &c->known[i];
	return NULL;
}

static void tell(struct role_courier *c, struct known *k)
{
	int err = ipc_send(c->alerter, MSG_DELIVERED, &k->result, sizeof(k->result), NULL, 0);
	k->untold = err == -EAGAIN;
	/* What did not go is tried anew the next time, also after a word for good: somebody may have mended it. */
	if (!k->untold && (k->result.outcome != DELIVER_OK || !kept(k->number)))
		k->state = KNOWN_FREE;
}

/* The oldest place that nobody waits for. */
static struct known *remember(struct role_courier *c, uint64_t number, uint8_t destination)
{
	for (uint32_t i = 0; i < REMEMBERED; i++) {
		struct known *k = &c->known[c->next];
		c->next = (c->next + 1) % REMEMBERED;
		if (k->state == KNOWN_WAITS || k->untold)
			continue;
		*k = (struct known){
			.number = number, .state = KNOWN_WAITS, .destination = destination};
		return k;
	}
	return NULL;
}

static void finish(struct role_courier *c, struct known *k, const struct deliver_result *r)
{
	k->result = *r;
	k->state = KNOWN_OVER;
	tell(c, k);
}

static void refuse(struct role_courier *c, struct known *k, enum deliver_outcome outcome,
		   const char *why)
{
	struct deliver_result r = {
		.number = k->number, .destination = k->destination, .outcome = (uint8_t)outcome};
	text_copy(r.text, sizeof(r.text), why);
	finish(c, k, &r);
}

/* Out of a memfd that whoever made it may still write to: it is copied, and only its size matters. */
static int read_body(int fd, uint32_t size, uint8_t **ret)
{
	struct stat st;
	if (size > BODY_MOST || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < size)
		return SKEP_EPEER;
	uint8_t *body = malloc(size + 1u);
	if (body == NULL)
		return -ENOMEM;
	if (pread(fd, body, size, 0) != (ssize_t)size) {
		free(body);
		return SKEP_EPEER;
	}
	*ret = body;
	return 0;
}

static int put_behind(struct role_courier *c, uint8_t destination, uint64_t number, uint8_t **body,
		      uint32_t size)
{
	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &c->waiting[destination][i];
		if (w->body != NULL)
			continue;
		*w = (struct waiting){number, *body, size};
		*body = NULL;
		return 0;
	}
	return SKEP_EFULL;
}

static void start_one(struct role_courier *c, struct known *k, uint8_t **body, uint32_t size)
{
	int err = deliver_start(c->d, k->destination, k->number, *body, size);
	if (err == -EBUSY)
		err = put_behind(c, k->destination, k->number, body, size);
	if (err == 0)
		return;
	bool never = err == SKEP_EFORMAT || err == SKEP_EUNSUPPORTED || err == -EINVAL;
	refuse(c, k, never ? DELIVER_NEVER : DELIVER_LATER,
	       err == SKEP_EFORMAT ? "the destination's addresses make no sense" : err_text(err));
}

static void deliver(struct role_courier *c, const struct msg_deliver *m, int fd)
{
	uint8_t *body = NULL;
	struct known *k = find(c, m->number);
	if (k != NULL && kept(m->number)) {
		if (k->state == KNOWN_OVER)
			tell(c, k);
		return;
	}
	k = remember(c, m->number, m->destination);
	if (k == NULL) /* nobody takes what we tell: it asks again once it lives */
		return;
	if (m->destination >= c->start.conf.n_to ||
	    deliver_mark(&c->start.conf.to[m->destination]) != m->mark) {
		refuse(c, k, DELIVER_LATER, "of another configuration");
		return;
	}
	int err = read_body(fd, m->size, &body);
	if (err != 0) {
		refuse(c, k, err == -ENOMEM ? DELIVER_LATER : DELIVER_NEVER, err_text(err));
		return;
	}
	start_one(c, k, &body, m->size);
	free(body);
}

static void next_waiting(struct role_courier *c, uint8_t destination)
{
	struct waiting *w = c->waiting[destination];
	if (w[0].body == NULL)
		return;
	struct waiting first = w[0];
	memmove(w, w + 1, (WAITING - 1) * sizeof(*w));
	w[WAITING - 1].body = NULL;
	struct known *k = find(c, first.number);
	if (k != NULL)
		start_one(c, k, &first.body, first.size);
	free(first.body);
}

static void listen_to_alerter(struct role_courier *c)
{
	char buf[64];
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(c->alerter, &role_messages, ROLE_BIT(ROLE_ALERTER),
			       ROLE_BIT(ROLE_COURIER), buf, sizeof(buf), &m)) != -EAGAIN) {
		if (err == SKEP_EPEER)
			continue;
		if (err != 0) {
			c->stop = true;
			return;
		}
		if (m.type == MSG_DELIVER && m.n_fds == 1)
			deliver(c, m.payload, m.fds[0]);
		ipc_msg_done(&m);
	}
}

static void listen_to_super(struct role_courier *c)
{
	char buf[64];
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_COURIER), buf, sizeof(buf), &m)) == 0) {
		c->stop |= m.type == MSG_STOP;
		ipc_msg_done(&m);
	}
	c->stop |= err != -EAGAIN && err != SKEP_EPEER;
}

/* ---- life ------------------------------------------------------------------------------------------------ */

static bool tell_untold(struct role_courier *c)
{
	bool left = false;
	for (size_t i = 0; i < REMEMBERED; i++) {
		if (c->known[i].untold)
			tell(c, &c->known[i]);
		left |= c->known[i].untold;
	}
	return left;
}

static int run(struct role_courier *c)
{
	struct deliver_result r;
	while (!c->stop) {
		bool untold = tell_untold(c);
		int err = deliver_work(c->d, c->epoll, untold ? RETRY_MS : WORK_MS);
		if (err != 0)
			return err;
		while (deliver_next(c->d, &r)) {
			struct known *k = find(c, r.number);
			if (k != NULL)
				finish(c, k, &r);
			next_waiting(c, r.destination);
		}
		listen_to_super(c);
		listen_to_alerter(c);
	}
	return 0;
}

static int take_secrets(struct role_courier *c, int from)
{
	CLEANUP(fd_close) int fd = from;
	void *mem;
	int err = shm_map(fd, sizeof(c->secrets), false, &mem);
	if (err != 0)
		return err;
	memcpy(&c->secrets, mem, sizeof(c->secrets));
	munmap(mem, sizeof(c->secrets));
	for (size_t i = 0; i < CONF_DESTINATIONS; i++) {
		c->secrets.to[i].secret[DELIVER_SECRET - 1] = '\0';
		c->secrets.to[i].oauth_secret[sizeof(c->secrets.to[i].oauth_secret) - 1] = '\0';
		c->secrets.to[i].ca[DELIVER_CA - 1] = '\0';
	}
	return 0;
}

static int watch(struct role_courier *c, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : -errno;
}

static int prepare(struct role_courier *c, const int *fds)
{
	const struct rlimit none = {0, 0};
	c->alerter = fds[0];
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	int err = c->epoll < 0 ? -errno : watch(c, ROLE_SUPER_FD);
	if (err == 0)
		err = watch(c, c->alerter);
	if (err == 0)
		err = take_secrets(c, fds[1]);
	if (err == 0 && setrlimit(RLIMIT_CORE, &none) < 0)
		err = -errno;
	/* Other sources of names would be loaded as libraries, which nobody may do once confined. */
	if (err == 0 && __nss_configure_lookup("hosts", "files dns") != 0)
		err = -errno;
	return err == 0 ? deliver_create(&c->start.conf, &c->secrets, &c->d) : err;
}

static int confine(void)
{
	const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap, syscalls};
	const struct msg_ready done = {(uint32_t)getpid()};
	int err = confine_read(readable);
	if (err == SKEP_EUNSUPPORTED)
		err = 0;
	if (err == 0)
		err = confine_final(tables, ARRAY_LEN(tables));
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &done, sizeof(done), NULL, 0);
	return err;
}

static void forget(struct role_courier *c)
{
	for (size_t i = 0; i < CONF_DESTINATIONS; i++)
		for (size_t k = 0; k < WAITING; k++)
			free(c->waiting[i][k].body);
	explicit_bzero(&c->secrets, sizeof(c->secrets));
	free(c);
}

int role_courier(void)
{
	struct role_courier *c = calloc(1, sizeof(*c));
	int fds[2];
	size_t n_fds = 0;
	log_setup("courier", LOG_INFO);
	int err = c == NULL ? -ENOMEM : confine_early(0, false);
	if (err == 0)
		err = role_wait_start(ROLE_COURIER, MSG_START_COURIER, &c->start, sizeof(c->start),
				      fds, ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(c, fds);
	if (err == 0)
		err = confine();
	if (err != 0) {
		log_line(LOG_ERROR, "courier can't start: %s", err_text(err));
		return 1;
	}
	err = run(c);
	(void)!ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	deliver_destroy(&c->d);
	forget(c);
	return err == 0 ? 0 : 1;
}
