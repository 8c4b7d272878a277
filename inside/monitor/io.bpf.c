/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a visitor types and sees. Terminals are heard at the master's end, where sshd, screen or script read
 * and write: one record for each of their reads, in the order in which it is shown, not one for each
 * character that the line discipline passes on. A shell without a terminal is heard at its server's end of
 * the pipes or sockets that it was given at birth. Programs run when a call is done, so that nothing is
 * told twice when a write was only half done.
 */
#include "monitor/auth.h"
#include "monitor/iter.h"
#include "monitor/net.h"
#include "monitor/path.bpf.h"
#include "monitor/shared.bpf.h"

#define ICANON 0000002u
#define ECHO 0000010u
#define AF_UNIX 1
#define EIO 5
#define SOCK_STREAM 1
#define PIECE 4096u
#define SHORT 256u /* keystrokes, prompts: most of all pieces */
#define PIECES 8u  /* of one call; no server moves more at once */

/* A visit is heard at RATE bytes a second in each direction, and a burst of BURST in full. */
#define BURST (256u * 1024)
#define RATE (128u * 1024)

struct tty_file_private {
	struct tty_struct *tty;
} CORE;
struct ctrl {
	unsigned char pktstatus;
	bool packet;
} CORE;
struct tty_struct___since_5_16 {
	struct ctrl ctrl;
} CORE;

struct socket {
	int16_t type;
	struct file *file;
	struct sock *sk;
} CORE;
struct sock___socket {
	struct socket *sk_socket;
} CORE;
struct unix_sock {
	void *addr; /* its name, if it has one */
	struct sock *peer;
} CORE;
struct msghdr {
	struct iov_iter msg_iter;
} CORE;
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} CORE;
struct files_struct {
	struct fdtable *fdt;
} CORE;
struct task_struct___files {
	struct files_struct *files;
} CORE;

/* A server's end of what a shell was given, by inode number, which sockets and pipes share. */
struct end {
	uint64_t visit;
	uint32_t pid; /* the shell */
	uint8_t reads, writes,
		pad[2]; /* enum sensor_stream of what the server reads, writes; 0: nothing */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, uint64_t);
	__type(value, struct end);
} ends SEC(".maps");

/* Pipes are read and written all the time, seldom those: a bit for each inode, and each server with an unborn
 * shell, answers most of the questions. Bits are set and stay. */
#define MARKS 4096u
static uint64_t marks[MARKS / 64];

static __always_inline void mark(uint64_t number)
{
	marks[number % MARKS / 64] |= 1ull << (number & 63);
}

static __always_inline bool marked(uint64_t number)
{
	return marks[number % MARKS / 64] >> (number & 63) & 1;
}

/* By server: the shell that it has forked, and that has not begun its program yet. What is already written
 * to that one's pipe can't be known by the pipe. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 512);
	__type(key, uint32_t);
	__type(value, uint32_t);
} unborn SEC(".maps");

struct bucket {
	uint64_t at_ns, left;
};
struct { /* what of a visit may still be heard: by visit and kind of stream */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, uint64_t);
	__type(value, struct bucket);
} buckets SEC(".maps");

struct { /* bytes of a stream that were not told, since the last that were */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, uint64_t);
	__type(value, uint64_t);
} skipped SEC(".maps");

/* One stream, while a call on it is looked at. */
struct hearing {
	struct monitor_shared *s;
	uint64_t visit, key;
	uint32_t pid; /* 0: who reads or writes */
	int32_t tty;
	uint8_t stream, echo;
};

struct short_record {
	struct sensor_head h;
	struct sensor_data d;
	uint8_t len[2], bytes[SHORT];
};
struct data_record {
	struct sensor_head h;
	struct sensor_data d;
	uint8_t len[2], bytes[PIECE];
};

/* ---- how much is heard ---------------------------------------------------------------------------- */

static __always_inline bool room_for(const struct hearing *h, uint64_t n)
{
	uint64_t key = h->visit << 2 | (uint64_t)(h->tty < 0) << 1 | (h->stream == SENSOR_IN);
	uint64_t now = bpf_ktime_get_ns();
	struct bucket *b = bpf_map_lookup_elem(&buckets, &key);

	if (!b) {
		struct bucket fresh = {now, BURST - n};

		bpf_map_update_elem(&buckets, &key, &fresh, BPF_ANY);
		return true;
	}
	uint64_t steps = (now - b->at_ns) >> 20; /* 1.05 ms each */

	if (steps > 0 && steps < 1u << 30) {
		uint64_t left = b->left + steps * (RATE / 954);

		b->left = left > BURST ? BURST : left;
		b->at_ns += steps << 20;
	}
	if (b->left < n)
		return false;
	b->left -= n;
	return true;
}

static __always_inline void count_skipped(const struct hearing *h, uint64_t n)
{
	uint64_t *had = bpf_map_lookup_elem(&skipped, &h->key);

	if (had)
		*had += n;
	else
		bpf_map_update_elem(&skipped, &h->key, &n, BPF_ANY);
}

static __always_inline uint32_t take_skipped(const struct hearing *h)
{
	uint64_t *had = bpf_map_lookup_elem(&skipped, &h->key), n = 0;

	if (had) {
		n = *had;
		*had = 0;
	}
	return n > 0xffffffffu ? 0xffffffffu : n;
}

static __always_inline void fill_data(const struct hearing *h, struct sensor_data *d)
{
	fill_proc(&d->p);
	SET(d->p.visit, h->visit);
	SET(d->p.tty, h->tty);
	if (h->pid)
		SET(d->p.pid, h->pid);
	SET(d->stream, h->stream);
	SET(d->echo, h->echo);
	SET(d->pad, 0);
	SET(d->skipped, take_skipped(h));
}

static __always_inline bool tell_short(const struct hearing *h, const void *user, uint64_t n)
{
	struct short_record *r = ring_take(h->s, SENSOR_DATA, sizeof(*r));

	if (!r)
		return false;
	BOUND(n, SHORT - 1);
	if (bpf_probe_read_user(r->bytes, n, user)) {
		ring_drop(r);
		return false;
	}
	fill_data(h, &r->d);
	store_u16(r->len, n);
	ring_give(h->s, r, sizeof(r->d) + 2 + n);
	return true;
}

static __always_inline bool tell_long(const struct hearing *h, const void *user, uint64_t n)
{
	struct data_record *r = ring_take(h->s, SENSOR_DATA, sizeof(*r));

	if (!r)
		return false;
	if (n > PIECE)
		n = PIECE;
	BOUND(n, 2 * PIECE - 1);
	if (n > PIECE || bpf_probe_read_user(r->bytes, n, user)) {
		ring_drop(r);
		return false;
	}
	fill_data(h, &r->d);
	store_u16(r->len, n);
	ring_give(h->s, r, sizeof(r->d) + 2 + n);
	return true;
}

/* What hear_piece must know of a stream, in a word: tty and one more, echo, stream, pid. */
static __always_inline uint64_t hearing_word(const struct hearing *h)
{
	return (uint64_t)(h->tty + 1) << 40 | (uint64_t)h->echo << 36 | (uint64_t)h->stream << 32 |
	       h->pid;
}

/* At most PIECE bytes of user space's memory. Not static, and with numbers only, so that the verifier looks at
 * it once (path_walk in path.bpf.h). */
__attribute__((noinline)) int hear_piece(uint64_t visit, uint64_t key, uint64_t word, uint64_t user,
					 uint64_t n)
{
	uint32_t zero = 0;
	struct hearing h = {.visit = visit,
			    .key = key,
			    .pid = word,
			    .tty = (int32_t)(word >> 40) - 1,
			    .stream = word >> 32 & 15,
			    .echo = word >> 36 & 15};

	h.s = bpf_map_lookup_elem(&shared, &zero);
	if (!h.s)
		return 0;
	if (!room_for(&h, n) ||
	    !(n < SHORT ? tell_short(&h, (void *)user, n) : tell_long(&h, (void *)user, n)))
		count_skipped(&h, n);
	return 0;
}

static __always_inline void hear_run(const struct hearing *h, const char *user, uint64_t len)
{
	for (uint32_t i = 0; i < PIECES && len > 0; i++) {
		uint64_t n = len < PIECE ? len : PIECE;

		hear_piece(h->visit, h->key, hearing_word(h), (uint64_t)user, n);
		len -= n;
		/* Kernels before 6.2 want no loop that begins again right behind a call. */
		asm volatile("%0 += %1" : "+r"(user) : "r"(n));
	}
	if (len > 0)
		count_skipped(h, len);
}

/* n bytes that a call has just moved. */
static __noinline int hear(struct hearing *h, struct iov_iter *it, uint32_t n)
{
	struct piece p[2] = {};

	if (!h || !iter_gone_over(it, n, p)) {
		if (h)
			count_skipped(h, n);
		return 0;
	}
	hear_run(h, p[0].user, p[0].len);
	hear_run(h, p[1].user, p[1].len);
	return 0;
}

/* A stream has ended: what of it was not told, and nothing came after, is told with no bytes. */
static __noinline int hear_end_of(const struct hearing *h)
{
	uint64_t *had = bpf_map_lookup_elem(&skipped, &h->key);

	if (!had || !*had)
		return 0;
	struct short_record *r = ring_take(h->s, SENSOR_DATA, sizeof(*r));

	if (!r)
		return 0;
	fill_data(h, &r->d);
	store_u16(r->len, 0);
	ring_give(h->s, r, sizeof(r->d) + 2);
	return 0;
}

/* ---- terminals ------------------------------------------------------------------------------------- */

static __always_inline struct tty_struct *master_of(struct kiocb *iocb)
{
	struct tty_file_private *private = BPF_CORE_READ(iocb, ki_filp, private_data);
	struct tty_struct *tty = BPF_CORE_READ(private, tty);
	struct tty_driver *driver = BPF_CORE_READ(tty, driver);

	return BPF_CORE_READ(driver, type) == TTY_DRIVER_TYPE_PTY &&
			       BPF_CORE_READ(driver, subtype) == PTY_TYPE_MASTER
		       ? tty
		       : NULL;
}

/* Is a line typed that is not shown? Shells that edit lines switch both off, and show it themselves. */
static __always_inline bool hides_input(struct tty_struct *slave)
{
	uint32_t flags = BPF_CORE_READ(slave, termios.c_lflag);

	return (flags & (ICANON | ECHO)) == ICANON;
}

static __always_inline bool in_packets(struct tty_struct *tty)
{
	struct tty_struct___since_5_16 *t = (void *)tty;

	return bpf_core_field_exists(t->ctrl.packet) && BPF_CORE_READ(t, ctrl.packet);
}

static __always_inline int hear_tty(struct kiocb *iocb, struct iov_iter *it, uint8_t stream,
				    int64_t n)
{
	struct monitor_shared *s = hook_begin(HOOK_TTY);
	bool end = stream == SENSOR_OUT && n == -EIO; /* nobody has the other side open */

	if (!s || (n <= 0 && !end))
		return 0;
	struct tty_struct *tty = master_of(iocb);

	if (!tty)
		return 0;
	struct hearing h = {.s = s, .stream = stream, .echo = 1};

	h.visit = visit_of(bpf_get_current_pid_tgid() >> 32);
	h.tty = BPF_CORE_READ(tty, index);
	h.key = (uint64_t)(uint32_t)h.tty << 2 | stream;
	if (end)
		return hear_end_of(&h);
	/* telnetd reads each piece with a byte of news before it. */
	if (stream == SENSOR_OUT && in_packets(tty) && --n == 0)
		return 0;
	if (stream == SENSOR_IN && hides_input(BPF_CORE_READ(tty, link)))
		h.echo = 0;
	return hear(&h, it, n);
}

SEC("fexit/tty_read")
int BPF_PROG(io_tty_read, struct kiocb *iocb, struct iov_iter *to, int64_t n)
{
	return hear_tty(iocb, to, SENSOR_OUT, n);
}

SEC("fexit/tty_write")
int BPF_PROG(io_tty_write, struct kiocb *iocb, struct iov_iter *from, int64_t n)
{
	return hear_tty(iocb, from, SENSOR_IN, n);
}

struct size_record {
	struct sensor_head h;
	struct sensor_size z;
};
SEC("fentry/tty_do_resize")
int BPF_PROG(io_resize, struct tty_struct *tty, struct winsize *size)
{
	struct monitor_shared *s = hook_begin(HOOK_TTY);

	if (!s || BPF_CORE_READ(tty, driver, type) != TTY_DRIVER_TYPE_PTY)
		return 0;
	/* bash sets it before each prompt, to what it is. */
	if (BPF_CORE_READ(tty, winsize.ws_col) == BPF_CORE_READ(size, ws_col) &&
	    BPF_CORE_READ(tty, winsize.ws_row) == BPF_CORE_READ(size, ws_row))
		return 0;
	struct size_record *r = ring_take(s, SENSOR_SIZE, sizeof(*r));

	if (!r)
		return 0;
	fill_proc(&r->z.p);
	SET(r->z.p.tty, BPF_CORE_READ(tty, index));
	SET(r->z.cols, BPF_CORE_READ(size, ws_col));
	SET(r->z.rows, BPF_CORE_READ(size, ws_row));
	ring_give(s, r, sizeof(r->z));
	return 0;
}

/* ---- shells without a terminal: whose pipes and sockets are heard -------------------------------- */

static __always_inline bool comm_begins(const char *comm, const char *with, int len)
{
	for (int i = 0; i < len; i++)
		if (comm[i] != with[i])
			return false;
	return true;
}
#define COMM_BEGINS(comm, with) comm_begins(comm, with, sizeof(with) - 1)

static __always_inline bool is_server(const char *comm)
{
	return COMM_BEGINS(comm, "sshd") || COMM_BEGINS(comm, "dropbear");
}

/* What only moves files, which are told as such, would drown what people do. */
static __always_inline bool moves_files(const char *comm)
{
	return COMM_BEGINS(comm, "sftp-server") || COMM_BEGINS(comm, "scp\0");
}

/* The inode that the server has at its end of one of its child's files; 0: neither pipe nor socket. */
static __always_inline uint64_t far_inode(struct file *file)
{
	uint32_t kind = BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT;

	if (kind == S_IFIFO)
		return BPF_CORE_READ(file, f_inode, i_ino);
	if (kind != S_IFSOCK)
		return 0;
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct unix_sock *sk = (void *)BPF_CORE_READ(socket, sk);

	if (BPF_CORE_READ(socket, sk, __sk_common.skc_family) != AF_UNIX ||
	    BPF_CORE_READ(socket, type) != SOCK_STREAM)
		return 0;
	struct sock___socket *peer = (void *)BPF_CORE_READ(sk, peer);

	return BPF_CORE_READ(peer, sk_socket, file, f_inode, i_ino);
}

static __always_inline void listen_to(struct file *file, uint8_t stream, const struct end *of,
				      bool forget)
{
	uint64_t inode = far_inode(file);

	if (!inode)
		return;
	if (forget) {
		bpf_map_delete_elem(&ends, &inode);
		return;
	}
	struct end e = *of, *had = bpf_map_lookup_elem(&ends, &inode);

	if (had && had->pid == e.pid) /* the same socket for more than one */
		e = *had;
	if (stream == SENSOR_IN)
		e.writes = stream;
	else if (!e.reads)
		e.reads = stream;
	bpf_map_update_elem(&ends, &inode, &e, BPF_ANY);
	mark(inode);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(io_fork, struct task_struct *parent, struct task_struct *child)
{
	struct monitor_shared *s = hook_begin(HOOK_PIPE);
	uint32_t server = parent->tgid, pid = child->tgid;

	if (!s || child->pid != child->tgid || !visit_of(server) || !is_server(parent->comm))
		return 0;
	bpf_map_update_elem(&unborn, &server, &pid, BPF_ANY);
	mark(server);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(io_exec, struct task_struct *t)
{
	struct monitor_shared *s = hook_begin(HOOK_PIPE);
	struct end e = {.pid = bpf_get_current_pid_tgid() >> 32};
	char comm[SENSOR_COMM] = {};

	e.visit = s ? visit_of(e.pid) : 0;
	if (!e.visit)
		return 0;
	BPF_CORE_READ_STR_INTO(&comm, t, real_parent, comm);
	if (!is_server(comm))
		return 0;
	BPF_CORE_READ_STR_INTO(&comm, t, comm);
	if (is_server(comm)) /* it begins itself anew */
		return 0;
	uint32_t server = BPF_CORE_READ(t, real_parent, tgid),
		 *child = bpf_map_lookup_elem(&unborn, &server);

	if (child && *child == e.pid)
		bpf_map_delete_elem(&unborn, &server);
	struct task_struct___files *f = (void *)t;
	struct file **fds = BPF_CORE_READ(f, files, fdt, fd), *file = NULL;
	bool forget = moves_files(comm);

	for (int i = 0; i < 3; i++) {
		const uint8_t streams[3] = {SENSOR_IN, SENSOR_OUT, SENSOR_ERR};

		if (!bpf_probe_read_kernel(&file, sizeof(file), fds + i) && file)
			listen_to(file, streams[i], &e, forget);
	}
	return 0;
}

static __always_inline int hear_end(struct monitor_shared *s, uint64_t inode, struct iov_iter *it,
				    bool writes, int64_t n)
{
	struct hearing h = {.s = s, .tty = -1, .echo = 1};
	struct end *e = bpf_map_lookup_elem(&ends, &inode);

	if (e) {
		h.visit = e->visit;
		h.pid = e->pid;
		h.stream = writes ? e->writes : e->reads;
	} else if (writes) {
		uint32_t server = bpf_get_current_pid_tgid() >> 32;
		uint32_t *child = bpf_map_lookup_elem(&unborn, &server);

		h.visit = child ? visit_of(*child) : 0;
		h.pid = child ? *child : 0;
		h.stream = h.visit ? SENSOR_IN : 0;
	}
	if (!h.stream)
		return 0;
	h.key = 1ull << 63 | inode << 2 | h.stream;
	return n == 0 ? hear_end_of(&h) : hear(&h, it, n);
}

static __always_inline int hear_pipe(struct kiocb *iocb, struct iov_iter *it, bool writes,
				     int64_t n)
{
	struct monitor_shared *s = hook_begin(HOOK_PIPE);

	if (!s || n < 0 || (writes && n == 0))
		return 0;
	uint64_t inode = iocb->ki_filp->f_inode->i_ino;

	if (!marked(inode) && !(writes && marked(bpf_get_current_pid_tgid() >> 32)))
		return 0;
	return hear_end(s, inode, it, writes, n);
}

/* Before and since Linux 6.15: the loader takes those that the kernel has. */
SEC("fexit/pipe_read")
int BPF_PROG(io_pipe_read, struct kiocb *iocb, struct iov_iter *to, int64_t n)
{
	return hear_pipe(iocb, to, false, n);
}

SEC("fexit/anon_pipe_read")
int BPF_PROG(io_pipe_read2, struct kiocb *iocb, struct iov_iter *to, int64_t n)
{
	return hear_pipe(iocb, to, false, n);
}

SEC("fexit/pipe_write")
int BPF_PROG(io_pipe_write, struct kiocb *iocb, struct iov_iter *from, int64_t n)
{
	return hear_pipe(iocb, from, true, n);
}

SEC("fexit/anon_pipe_write")
int BPF_PROG(io_pipe_write2, struct kiocb *iocb, struct iov_iter *from, int64_t n)
{
	return hear_pipe(iocb, from, true, n);
}

/* ---- sockets: those, and what sshd's privileged half is asked by the other ------------------------ */

struct auth_record {
	struct sensor_head h;
	struct monitor_auth a;
	uint8_t bytes[MONITOR_AUTH_BYTES];
};

/* sshd as root, on a pair of sockets without a name. */
static __always_inline bool is_privileged_half(struct socket *socket)
{
	char comm[SENSOR_COMM] = {};

	bpf_get_current_comm(comm, sizeof(comm));
	if (!COMM_BEGINS(comm, "sshd"))
		return false;
	struct task_struct *t = (void *)bpf_get_current_task();
	struct unix_sock *sk = (void *)BPF_CORE_READ(socket, sk);
	struct unix_sock *peer = (void *)BPF_CORE_READ(sk, peer);

	return BPF_CORE_READ(t, cred, euid.val) == 0 && !BPF_CORE_READ(sk, addr) &&
	       !BPF_CORE_READ(peer, addr);
}

static __always_inline int tell_auth(struct monitor_shared *s, uint64_t inode, struct iov_iter *it,
				     bool writes, uint64_t n)
{
	struct piece p[2] = {};

	if (!iter_gone_over(it, n, p) || p[0].len)
		return 0;
	struct auth_record *r = ring_take(s, SENSOR_LOGIN, sizeof(*r));

	if (!r)
		return 0;
	fill_proc(&r->a.p);
	SET(r->a.inode, inode);
	SET(r->a.size, n);
	SET(r->a.writes, writes);
	if (n > MONITOR_AUTH_BYTES)
		n = MONITOR_AUTH_BYTES;
	BOUND(n, 2 * MONITOR_AUTH_BYTES - 1);
	if (n > MONITOR_AUTH_BYTES || bpf_probe_read_user(r->bytes, n, p[1].user)) {
		ring_drop(r);
		return 0;
	}
	ring_give(s, r, sizeof(r->a) + n);
	return 0;
}

static __always_inline int hear_unix(struct socket *socket, struct msghdr *m, bool writes, int n)
{
	struct monitor_shared *s = hook_begin(HOOK_UNIX);

	if (!s || n < 0 || (writes && n == 0))
		return 0;
	uint64_t visit = visit_of(bpf_get_current_pid_tgid() >> 32);

	if (!visit)
		return 0;
	uint64_t inode = BPF_CORE_READ(socket, file, f_inode, i_ino);
	struct iov_iter *it = __builtin_preserve_access_index(&m->msg_iter);

	if (marked(inode) && bpf_map_lookup_elem(&ends, &inode))
		return hear_end(s, inode, it, writes, n);
	return n > 0 && is_privileged_half(socket) ? tell_auth(s, inode, it, writes, n) : 0;
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(io_unix_read, struct socket *socket, struct msghdr *m, size_t size, int flags, int n)
{
	return hear_unix(socket, m, false, n);
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(io_unix_write, struct socket *socket, struct msghdr *m, size_t size, int n)
{
	return hear_unix(socket, m, true, n);
}
