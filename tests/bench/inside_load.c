// SPDX-License-Identifier: BSD-2-Clause
// Work for a guest's processor, done the way a visitor causes it: the process that works descends from
// an accepted connection. Run inside a guest by tests/bench/inside.py; linked static.
//
//     inside_load KIND AMOUNT [PID]
//
// KIND: one of `kinds` below. Prints "load NAME AMOUNT nanoseconds LATE": the time by the guest's clock, and
// the time that process PID (a monitor) still used after the work was done. With QEMU's -icount both are
// instructions.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 16384
#define SETTLE_S 3

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* A process's time on the processor so far; 0 without one. */
static int64_t cpu_ns(int pid)
{
	char path[64];
	long long ns = 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	FILE *f = pid > 0 ? fopen(path, "r") : NULL;
	if (f) {
		if (fscanf(f, "%lld", &ns) != 1)
			ns = 0;
		fclose(f);
	}
	return ns;
}

static int listener(struct sockaddr_in *ret)
{
	socklen_t len = sizeof(*ret);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	*ret = (struct sockaddr_in){.sin_family = AF_INET};
	ret->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)ret, sizeof(*ret)) < 0 || listen(fd, 4) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret, &len) < 0)
		die("listen");
	return fd;
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
		die("connect");
	return fd;
}

static void reap(pid_t pid)
{
	int status;
	if (waitpid(pid, &status, 0) != pid)
		die("wait");
}

/* Until `amount` bytes have come or nobody writes any more. */
static void drain(int fd, int64_t amount)
{
	static char buf[CHUNK];
	while (amount > 0) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return;
		amount -= n;
	}
}

static void fill(int fd, int64_t amount)
{
	static char buf[CHUNK];
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = i % 2 ? '\n' : 'y';
	while (amount > 0) {
		ssize_t n = write(fd, buf, amount < CHUNK ? (size_t)amount : sizeof(buf));
		if (n <= 0)
			return;
		amount -= n;
	}
}

static void work_exec(int64_t amount)
{
	for (int64_t i = 0; i < amount; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		reap(pid);
	}
}

static void work_pty(int64_t amount)
{
	int unlocked = 0;
	char name[64] = "";
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0 ||
	    ptsname_r(master, name, sizeof(name)))
		die("pty");
	int slave = open(name, O_RDWR | O_NOCTTY);
	if (slave < 0)
		die(name);
	pid_t pid = fork();
	if (pid == 0) {
		close(master);
		fill(slave, amount);
		_exit(0);
	}
	drain(master, amount * 3 / 2); /* each \n becomes two */
	reap(pid);
	close(slave);
	close(master);
}

static void work_pair(int in, int out, int64_t amount)
{
	pid_t pid = fork();
	if (pid == 0) {
		close(in);
		fill(out, amount);
		_exit(0);
	}
	close(out);
	drain(in, amount);
	reap(pid);
	close(in);
}

static void work_tcp(int64_t amount)
{
	struct sockaddr_in at;
	int fd = listener(&at), out = dial(&at), in = accept(fd, NULL, NULL);
	if (in < 0)
		die("accept");
	work_pair(in, out, amount);
	close(fd);
}

static void work_pipe(int64_t amount)
{
	int p[2];
	if (pipe(p) < 0)
		die("pipe");
	work_pair(p[0], p[1], amount);
}

/* Many small files, as an archive that is unpacked: AMOUNT of them. */
static void work_file(int64_t amount)
{
	char path[64];
	for (int64_t i = 0; i < amount; i++) {
		snprintf(path, sizeof(path), "/tmp/load%lld", (long long)i);
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd < 0)
			die(path);
		fill(fd, 1000);
		close(fd);
		unlink(path);
	}
}

/* A shell that is told on its standard input to run AMOUNT programs: one on each line, or all by a loop. */
static void work_shell(const char *shell, bool loop, int64_t amount)
{
	int p[2];
	if (pipe(p) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		dup2(p[0], 0);
		close(p[0]);
		close(p[1]);
		execl(shell, "bash", (char *)NULL);
		_exit(127);
	}
	close(p[0]);
	if (loop)
		dprintf(p[1], "for ((i = 0; i < %lld; i++)); do /shell/true; done\n",
			(long long)amount);
	for (int64_t i = 0; !loop && i < amount; i++)
		if (write(p[1], "/shell/true\n", 12) != 12)
			die(shell);
	close(p[1]);
	reap(pid);
}

static void work_plain_loop(int64_t amount)
{
	work_shell("/shell/plain", true, amount);
}

static void work_tells_loop(int64_t amount)
{
	work_shell("/shell/tells", true, amount);
}

static void work_plain_lines(int64_t amount)
{
	work_shell("/shell/plain", false, amount);
}

static void work_tells_lines(int64_t amount)
{
	work_shell("/shell/tells", false, amount);
}

static const struct {
	const char *name;
	void (*run)(int64_t amount);
} kinds[] = {
	{"exec", work_exec},
	{"pty", work_pty},
	{"tcp", work_tcp},
	{"pipe", work_pipe},
	{"file", work_file},
	{"plain-loop", work_plain_loop},
	{"tells-loop", work_tells_loop},
	{"plain-lines", work_plain_lines},
	{"tells-lines", work_tells_lines},
};

int main(int argc, char **argv)
{
	size_t kind = 0;
	while (argc > 2 && kind < sizeof(kinds) / sizeof(kinds[0]) &&
	       strcmp(kinds[kind].name, argv[1]) != 0)
		kind++;
	if (argc < 3 || kind == sizeof(kinds) / sizeof(kinds[0]))
		return 2;
	int64_t amount = strtoll(argv[2], NULL, 10);
	int monitor = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
	struct sockaddr_in at;
	int fd = listener(&at), out = dial(&at), in = accept(fd, NULL, NULL);
	if (in < 0)
		die("accept");
	signal(SIGPIPE, SIG_IGN);
	pid_t pid = fork();
	if (pid == 0) {
		int64_t begin = now_ns();
		kinds[kind].run(amount);
		int64_t took = now_ns() - begin, late = cpu_ns(monitor);
		sleep(SETTLE_S);
		printf("load %s %lld %lld %lld\n", argv[1], (long long)amount, (long long)took,
		       (long long)(cpu_ns(monitor) - late));
		fflush(stdout);
		_exit(0);
	}
	reap(pid);
	close(out);
	return 0;
}
