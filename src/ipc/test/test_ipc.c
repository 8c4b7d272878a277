/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipc/ipc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PARENT 1
#define CHILD 2

static const struct ipc_row rows[] = {
	{1, PARENT, CHILD, 8, 0, 0, "eight"},
	{2, PARENT, CHILD, 0, 1, 2, "descriptors"},
	{3, CHILD, PARENT, 4, 0, 0, "answer"},
};
static const struct ipc_table table = {rows, ARRAY_LEN(rows)};

static int make_pair(void **state)
{
	static int fds[2];
	*state = fds;
	return ipc_pair(1 << 16, fds);
}

static int close_pair(void **state)
{
	int *fds = *state;
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	return 0;
}

static unsigned open_fds(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

static void test_message_arrives(void **state)
{
	int *fds = *state;
	uint64_t in = 42, buf;
	struct ipc_msg m;
	assert_int_equal(ipc_send(fds[0], 1, &in, sizeof(in), NULL, 0), 0);
	assert_int_equal(ipc_recv(fds[1], &table, PARENT, CHILD, &buf, sizeof(buf), &m), 0);
	assert_int_equal(m.type, 1);
	assert_int_equal(*(const uint64_t *)m.payload, 42);
	assert_int_equal(ipc_recv(fds[1], &table, PARENT, CHILD, &buf, sizeof(buf), &m), -EAGAIN);
}

static void test_descriptors_arrive(void **state)
{
	int *fds = *state, p[2];
	struct ipc_msg m;
	char buf[8];
	assert_int_equal(pipe(p), 0);
	assert_int_equal(ipc_send(fds[0], 2, NULL, 0, p, 2), 0);
	assert_int_equal(ipc_recv(fds[1], &table, PARENT, CHILD, buf, sizeof(buf), &m), 0);
	assert_int_equal(m.n_fds, 2);
	assert_int_equal(write(m.fds[1], "x", 1), 1);
	assert_int_equal(read(p[0], buf, 1), 1);
	assert_int_equal(fcntl(m.fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ipc_msg_done(&m);
	close(p[0]);
	close(p[1]);
}

/* Whatever breaks the table is refused, and its descriptors don't stay open. */
static void test_table_is_enforced(void **state)
{
	int *fds = *state, extra = 0;
	uint64_t buf[2] = {0};
	struct ipc_msg m;
	unsigned before = open_fds();
	assert_int_equal(ipc_send(fds[0], 9, buf, 8, NULL, 0), 0);   /* unknown type */
	assert_int_equal(ipc_send(fds[0], 1, buf, 7, NULL, 0), 0);   /* short */
	assert_int_equal(ipc_send(fds[0], 1, buf, 16, NULL, 0), 0);  /* long */
	assert_int_equal(ipc_send(fds[0], 3, buf, 4, NULL, 0), 0);   /* wrong direction */
	assert_int_equal(ipc_send(fds[0], 1, buf, 8, &extra, 1), 0); /* stray descriptor */
	assert_int_equal(ipc_send(fds[0], 2, NULL, 0, NULL, 0), 0);  /* too few of them */
	assert_int_equal(send(fds[0], "abc", 3, 0), 3);              /* not even a head */
	for (int i = 0; i < 7; i++)
		assert_int_equal(ipc_recv(fds[1], &table, PARENT, CHILD, buf, sizeof(buf), &m),
				 SKEP_EPEER);
	assert_int_equal(open_fds(), before);
}

static void test_full_queue_never_blocks(void **state)
{
	int *fds = *state, err = 0;
	uint64_t in = 1;
	for (int i = 0; i < 1000000 && err == 0; i++)
		err = ipc_send(fds[0], 1, &in, sizeof(in), NULL, 0);
	assert_int_equal(err, -EAGAIN);
}

static void test_closed_peer(void **state)
{
	int *fds = *state;
	uint64_t buf = 0;
	struct ipc_msg m;
	fd_close(&fds[0]);
	assert_int_equal(ipc_recv(fds[1], &table, PARENT, CHILD, &buf, sizeof(buf), &m), -EPIPE);
	assert_int_equal(ipc_send(fds[1], 3, &buf, 4, NULL, 0), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_message_arrives, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_descriptors_arrive, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_table_is_enforced, make_pair, close_pair),
		cmocka_unit_test_setup_teardown(test_full_queue_never_blocks, make_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(test_closed_peer, make_pair, close_pair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
