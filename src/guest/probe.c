/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/kvm may open and yet no guest ever get anywhere (nested virtualisation that is only half there).
 * So one tiny guest is started in it: the kernel all images share, its initramfs, and an /init that
 * says a word and powers off. The answer holds as long as kernel, QEMU and boot are the same.
 */
#include "guest/guest_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORD "skep-user-space"
#define PROBE_NS (6 * NS_PER_SEC)
#define PROBE_UID 127 /* uid_base + this: nobody else's */
#define VERSION_MS 5000

static const char init_text[] = "#!/bin/busybox sh\n"
				"/bin/busybox mount -t devtmpfs dev /dev\n"
				"echo " WORD " >/dev/console\n"
				"/bin/busybox poweroff -f\n";

/* What the answer depends on, as one line. */
static void host_key(char *ret, size_t size)
{
	struct utsname u = {0};
	char version[256] = "?";
	const char *argv[] = {"qemu-system-x86_64", "--version", NULL};
	(void)uname(&u);
	if (run_program(argv, NULL, version, sizeof(version), VERSION_MS) == 0)
		version[strcspn(version, "\n")] = '\0';
	CLEANUP(fd_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char id[64] = "";
	ssize_t n = fd >= 0 ? read(fd, id, sizeof(id) - 1) : 0;
	id[n > 0 ? (size_t)n : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	struct writer w = writer_of(ret, size);
	write_fmt(&w, "%s | %s | %s", id, u.release, version);
}

static bool remembered(const char *path, const char *key, bool *ret_ok, char *why, size_t why_size)
{
	char *text = NULL;
	size_t len = 0;
	if (file_read(path, 4096, &text, &len) != 0)
		return false;
	json_t *j = json_loadb(text, len, 0, NULL);
	free(text);
	const char *was = json_string_value(json_object_get(j, "host"));
	const char *because = json_string_value(json_object_get(j, "why"));
	bool same = was != NULL && because != NULL && strcmp(was, key) == 0 &&
		    json_is_boolean(json_object_get(j, "kvm"));
	if (same) {
		*ret_ok = json_is_true(json_object_get(j, "kvm"));
		text_copy(why, why_size, because);
	}
	json_decref(j);
	return same;
}

static void remember(const char *path, const char *key, bool ok, const char *why)
{
	json_t *j = json_pack("{s:b, s:s, s:s}", "kvm", ok, "why", why, "host", key);
	char *text = j != NULL ? json_dumps(j, JSON_INDENT(2)) : NULL;
	/* Not kept: the next start asks again. */
	if (text != NULL)
		(void)!file_write(path, text, strlen(text), 0644, 0, 0);
	free(text);
	json_decref(j);
}

/* The kernel's initramfs with our /init over its own. */
static int make_initrd(const char *from, const char *to, gid_t gid)
{
	CLEANUP(tree_free) struct tree *t = NULL;
	int err = file_copy(from, to, 0440, gid);
	if (err == 0)
		err = tree_create(4096, &t);
	if (err != 0)
		return err;
	tree_add(t, "init", S_IFREG | 0755, 0, init_text, sizeof(init_text) - 1);
	CLEANUP(fd_close) int fd = open(to, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : cpio_append(t, fd);
}

/* Reads the console until the word comes, QEMU is gone, or the time is over. */
static bool wait_word(int console, char *seen, size_t size)
{
	int64_t end = clock_boot_ns() + PROBE_NS;
	size_t len = 0;
	seen[0] = '\0';
	for (;;) {
		int64_t left = (end - clock_boot_ns()) / NS_PER_MS;
		struct pollfd p = {.fd = console, .events = POLLIN};
		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return false;
		if (len + 1 >= size) { /* only the end matters */
			memmove(seen, seen + size / 2, len - size / 2);
			len -= size / 2;
		}
		ssize_t n = read(console, seen + len, size - len - 1);
		if (n <= 0)
			return false;
		for (ssize_t i = 0; i < n; i++)
			if (seen[len + (size_t)i] == '\0')
				seen[len + (size_t)i] = ' ';
		len += (size_t)n;
		seen[len] = '\0';
		if (strstr(seen, WORD) != NULL)
			return true;
	}
}

static int run_probe(const struct conf *c, const char *dir, bool *ret_ok, char *why,
		     size_t why_size)
{
	struct guest_identity id = {.machine = "5f0c3b5e-3f1c-4b39-9a51-2b6a3f3f1b11"};
	struct conf_guest g = {.name = "probe", .memory_bytes = UINT64_C(128) << 20};
	struct guest_image img = {.append = "console=ttyS0 quiet panic=-1"};
	struct guest_fds fds = {-1, -1, 3, -1, -1, -1, -1, -1, 0};
	struct guest_command cmd;
	struct writer w = writer_of(why, why_size);
	char seen[2048];
	int p[2], pidfd, status = 0;
	pid_t pid;
	text_copy(id.dir, sizeof(id.dir), dir);
	int err = guest_command_line(&g, &img, &id, &fds, true, &cmd);
	if (err != 0)
		return err;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		return -errno;
	CLEANUP(fd_close) int ours = p[0];
	CLEANUP(fd_close) int theirs = p[1];
	struct spawn s = {.path = cmd.argv[0],
			  .argv = (char *const *)(uintptr_t)cmd.argv,
			  .uid = c->uid_base + PROBE_UID,
			  .netns = SPAWN_NETNS_EMPTY,
			  .cgroup = -1,
			  .jail = cmd.jail,
			  .private_ipc = true,
			  .die_with_parent = true,
			  .no_dump = true,
			  .fds = {-1, -1, theirs, theirs},
			  .n_fds = 4};
	err = spawn_child(&s, &pid, &pidfd);
	if (err != 0)
		return err;
	fd_close(&theirs);
	*ret_ok = wait_word(ours, seen, sizeof(seen));
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	fd_close(&pidfd);
	if (*ret_ok)
		write_str(&w, "a probe guest reached user space");
	else if (strstr(seen, "qemu-system") != NULL)
		write_escaped(&w, strstr(seen, "qemu-system"),
			      strcspn(strstr(seen, "qemu-system"), "\r\n"));
	else
		write_str(&w, "/dev/kvm opened, but no guest reached user space in 6 s");
	return 0;
}

static int probe(const struct conf *c, bool *ret_ok, char *why, size_t why_size)
{
	char dir[CONF_PATH + 64], kernel[GUEST_PATH], from[GUEST_PATH], to[GUEST_PATH];
	snprintf(kernel, sizeof(kernel), "%s/images/.kernel", c->cache_dir);
	snprintf(dir, sizeof(dir), "%s/guests/.probe", c->state_dir);
	int err = folder_make(dir, 0700);
	if (err == 0)
		err = path_join(from, sizeof(from), kernel, "vmlinuz");
	if (err == 0)
		err = path_join(to, sizeof(to), dir, "vmlinuz");
	if (err == 0)
		err = file_copy(from, to, 0444, 0);
	if (err == 0)
		err = path_join(from, sizeof(from), kernel, "initrd");
	if (err == 0)
		err = path_join(to, sizeof(to), dir, "initrd");
	if (err == 0)
		err = make_initrd(from, to, c->uid_base + PROBE_UID);
	if (err == 0)
		err = run_probe(c, dir, ret_ok, why, why_size);
	snprintf(to, sizeof(to), "%s/vmlinuz", dir);
	(void)unlink(to);
	snprintf(to, sizeof(to), "%s/initrd", dir);
	(void)unlink(to);
	(void)rmdir(dir);
	return err;
}

int guest_probe_kvm(const struct conf *c, bool *ret_ok, char *why, size_t why_size)
{
	char key[512], path[GUEST_PATH];
	*ret_ok = false;
	CLEANUP(fd_close) int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) { /* cheap to find out anew */
		struct writer w = writer_of(why, why_size);
		write_fmt(&w, "/dev/kvm: %s", err_text(-errno));
		return 0;
	}
	fd_close(&kvm);
	int err = path_join(path, sizeof(path), c->state_dir, "kvm-probe.json");
	if (err != 0)
		return err;
	host_key(key, sizeof(key));
	if (remembered(path, key, ret_ok, why, why_size))
		return 0;
	err = probe(c, ret_ok, why, why_size);
	if (err == 0)
		remember(path, key, *ret_ok, why);
	return err;
}
