/* SPDX-License-Identifier: BSD-2-Clause */
/* Images by hand, identities in a folder of their own, the two ways out of a tree, the command line. */
#include "guest/guest_priv.h"

#include <crypt.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int make_folder(void **state)
{
	char *dir = strdup("/tmp/skep-guest-XXXXXX");
	if (dir == NULL || mkdtemp(dir) == NULL)
		return -1;
	*state = dir;
	return 0;
}

static int remove_folder(void **state)
{
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", (const char *)*state);
	int code = system(cmd); // NOLINT: our own fixed path
	free(*state);
	return code;
}

static struct conf conf_in(const char *dir)
{
	struct conf c;
	conf_defaults(&c);
	text_copy(c.state_dir, sizeof(c.state_dir), dir);
	text_copy(c.cache_dir, sizeof(c.cache_dir), dir);
	return c;
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(file_write(path, text, strlen(text), 0600, geteuid(), getegid()), 0);
}

/* ---- images ------------------------------------------------------------------------------------ */

static void test_image_of_another_recipe_is_not_found(void **state)
{
	struct conf c = conf_in(*state);
	struct guest_image img = {.version = "untouched"};
	char version[64], dir[256], text[512];
	assert_int_equal(guest_recipe_version("tiny", version, sizeof(version)), 0);
	assert_int_equal(strlen(version), 32);
	assert_int_equal(guest_image_find(&c, "tiny", &img), SKEP_ENOTFOUND);
	snprintf(dir, sizeof(dir), "%s/images/tiny", (const char *)*state);
	assert_int_equal(folder_make(dir, 0755), 0);
	snprintf(text, sizeof(text),
		 "{\"append\": \"quiet\", \"version\": \"%s\", \"memory_min\": 1048576, "
		 "\"sshd\": true, \"syslogd\": false}",
		 version);
	put_file(dir, "manifest.json", text);
	assert_int_equal(guest_image_find(&c, "tiny", &img), SKEP_ENOTFOUND); /* no kernel */
	put_file(dir, "vmlinuz", "k");
	put_file(dir, "initrd", "i");
	assert_string_equal(img.version, "untouched");
	assert_int_equal(guest_image_find(&c, "tiny", &img), 0);
	assert_string_equal(img.version, version);
	assert_string_equal(img.disk, "");
	assert_true(img.sshd && !img.syslogd);
	put_file(dir, "manifest.json",
		 "{\"append\": \"quiet\", \"version\": \"of yesterday\", \"memory_min\": 1048576}");
	assert_int_equal(guest_image_find(&c, "tiny", &img), SKEP_ENOTFOUND);
	put_file(dir, "manifest.json", "{\"append\": 3}");
	assert_int_equal(guest_image_find(&c, "tiny", &img), SKEP_EFORMAT);
}

static void test_recipe_names_stay_inside_the_folder(void **state)
{
	static const char *const bad[] = {"",    ".",       "..",          "../guest",
					  "a/b", ".kernel", "nosuchrecipe"};
	char version[64];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(guest_recipe_version(bad[i], version, sizeof(version)),
				 SKEP_ENOTFOUND);
}

static void test_a_name_without_recipe_says_so(void **state)
{
	struct conf c = conf_in(*state);
	char why[256] = "";
	assert_int_equal(guest_image_build(&c, "nosuchrecipe", false, 2, why, sizeof(why)),
			 SKEP_ENOTFOUND);
	assert_non_null(strstr(why, "recipe"));
	assert_int_equal(guest_image_build(&c, "common", false, 2, why, sizeof(why)),
			 SKEP_ENOTFOUND);
}

/* ---- identity ------------------------------------------------------------------------------------ */

static void check_drawn(const struct identity *id)
{
	static const uint8_t cloud[] = {0xfa, 0x16, 0x3e};
	assert_int_equal(id->pub.n_accounts, 3);
	assert_memory_equal(id->pub.mac.b, cloud, 3);
	assert_int_equal(strlen(id->machine_id), 32);
	assert_int_equal(strlen(id->pub.machine), 36);
	for (uint32_t i = 0; i < id->pub.n_accounts; i++) {
		struct crypt_data data = {0};
		const char *hash = crypt_r(id->pub.accounts[i].password, id->hashes[i], &data);
		assert_non_null(hash);
		assert_string_equal(hash, id->hashes[i]);
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(id->pub.accounts[i].user, id->pub.accounts[k].user);
	}
}

static void test_what_is_drawn_is_kept(void **state)
{
	struct conf c = conf_in(*state);
	struct identity id, other, again;
	struct guest_identity pub;
	const struct conf_guest *g = conf_guest(&c, "web1");
	char dir[CONF_PATH + 64], path[512];
	struct stat st;
	identity_dir(&c, g->name, dir);
	assert_int_equal(identity_load(dir, &again), SKEP_ENOTFOUND);
	assert_int_equal(folder_make(dir, 0700), 0);
	assert_int_equal(identity_draw(g, &id), 0);
	assert_int_equal(identity_draw(g, &other), 0);
	check_drawn(&id);
	check_drawn(&other);
	assert_string_not_equal(id.machine_id, other.machine_id);
	assert_memory_not_equal(id.pub.mac.b, other.pub.mac.b, 6);
	text_copy(id.pub.dir, sizeof(id.pub.dir), dir);
	if (geteuid() != 0)
		skip(); /* what is kept belongs to root */
	assert_int_equal(identity_save(&id), 0);
	snprintf(path, sizeof(path), "%s/identity.json", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(identity_load(dir, &again), 0);
	assert_memory_equal(&again, &id, sizeof(id));
	assert_int_equal(guest_identity_read(&c, g->name, &pub), 0);
	assert_memory_equal(&pub, &id.pub, sizeof(pub));
	put_file(dir, "identity.json", "{\"hostname\": \"x\"}");
	assert_int_equal(identity_load(dir, &again), SKEP_EFORMAT);
}

static void test_a_loghost_has_a_key_and_no_password(void **state)
{
	struct conf c = conf_in(*state);
	struct identity id;
	assert_int_equal(identity_draw(conf_guest(&c, "loghost"), &id), 0);
	assert_int_equal(id.pub.n_accounts, 1);
	assert_string_equal(id.pub.accounts[0].user, "ops");
	assert_string_equal(id.pub.accounts[0].password, "");
	assert_string_equal(id.hashes[0], "");
}

static const struct tree_file *find(const struct tree *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->files[i].path, path) == 0)
			return &t->files[i];
	fail_msg("%s is missing", path);
	return NULL;
}

static bool holds(const struct tree *t, const char *path, const char *text)
{
	const struct tree_file *f = find(t, path);
	return memmem(t->data + f->offset, f->len, text, strlen(text)) != NULL;
}

static void test_files_of_a_guest(void **state)
{
	struct conf c = conf_in(*state);
	struct identity id;
	const struct conf_guest *g = conf_guest(&c, "web1");
	CLEANUP(tree_free) struct tree *t = NULL;
	char text[256];
	put_file(*state, "passwd", "root:x:0:0:root:/root:/bin/sh\n");
	put_file(*state, "shadow", "root:*:1::::::\n");
	put_file(*state, "group", "root:x:0:\n");
	assert_int_equal(identity_draw(g, &id), 0);
	assert_int_equal(tree_create(1 << 20, &t), 0);
	assert_int_equal(identity_tree(&c, g, &id, *state, t), 0);
	assert_true(holds(t, "etc/network/interfaces",
			  "\taddress 10.99.0.10\n\tnetmask 255.255.255.0\n"
			  "\tgateway 10.99.0.1\n"));
	assert_true(
		holds(t, "etc/network/interfaces", "\taddress 2001:db8:113::10\n\tnetmask 64\n"));
	assert_true(holds(t, "etc/network/interfaces", "default via fe80::1 dev eth0"));
	assert_true(holds(t, "etc/resolv.conf", "nameserver 192.0.2.53\n"));
	assert_true(holds(t, "etc/rsyslog.d/90-remote.conf",
			  "*.info;mail.none;authpriv.none;cron.none\t@10.99.0.20\n"
			  "authpriv.*\t@10.99.0.20\n"));
	snprintf(text, sizeof(text), "\n%s:%s:", id.pub.accounts[1].user, id.hashes[1]);
	assert_true(holds(t, "etc/shadow", "root:*:"));
	assert_true(holds(t, "etc/shadow", text));
	assert_int_equal(find(t, "etc/shadow")->mode & 07777, 0640);
	assert_int_equal(find(t, "etc/shadow")->gid, 42);
	snprintf(text, sizeof(text), "home/%s", id.pub.accounts[2].user);
	assert_true(S_ISDIR(find(t, text)->mode));
	assert_int_equal(find(t, text)->uid, 1002);
	/* nothing of it tells what this is */
	assert_null(memmem(t->data, t->used, "skep", 4));
	assert_null(memmem(t->data, t->used, "honey", 5));
}

/* Written anew at each start: every guest by its name, by both of its addresses. */
static void test_what_a_loghost_is_told(void **state)
{
	struct conf c = conf_in(*state);
	struct identity id = {0};
	const struct conf_guest *g = conf_guest(&c, "loghost");
	CLEANUP(tree_free) struct tree *t = NULL;
	assert_int_equal(tree_create(1 << 20, &t), 0);
	assert_int_equal(loghost_tree(&c, g, &id, t), 0);
	assert_true(holds(t, "late/etc/hosts", "\n10.99.0.10\tweb1\n2001:db8:113::10\tweb1\n"));
	assert_true(holds(t, "late/etc/keep", "LIMIT_KB="));
	for (size_t i = 0; i < t->n; i++)
		assert_null(strstr(t->files[i].path, ".key"));
	assert_false(holds(t, "late/etc/rsyslog.d/tls.conf", "6514"));
	assert_null(memmem(t->data, t->used, "skep", 4));
	assert_null(memmem(t->data, t->used, "honey", 5));
}

/* The CA that a honeypot gets is the one that signed the loghost's certificate, whoever was prepared first. */
static void test_keys_for_tls_are_made_once(void **state)
{
	struct conf c = conf_in(*state);
	struct identity id = {0};
	char network[256];
	CLEANUP(tree_free) struct tree *t = NULL;
	c.loghost.tls = 1;
	assert_int_equal(tree_create(1 << 20, &t), 0);
	syslog_client(&c, conf_guest(&c, "web1"), t);
	assert_int_equal(t->err, 0);
	assert_true(holds(t, "etc/rsyslog.d/90-remote.conf", "port=\"6514\""));
	assert_int_equal(loghost_tree(&c, conf_guest(&c, "loghost"), &id, t), 0);
	assert_true(holds(t, "late/etc/rsyslog.d/tls.conf", "port=\"6514\""));
	assert_int_equal(find(t, "late/etc/tls/loghost.key")->mode & 07777, 0600);
	const struct tree_file *a = find(t, "etc/ssl/loghost-ca.pem"),
			       *b = find(t, "late/etc/tls/ca.pem");
	assert_int_equal(a->len, b->len);
	assert_memory_equal(t->data + a->offset, t->data + b->offset, a->len);
	for (size_t i = 0; i < t->n; i++)
		assert_null(strstr(t->files[i].path, "ca.key"));
	assert_null(memmem(t->data, t->used, "honey", 5));
	identity_network(&c, conf_guest(&c, "web1"), network, sizeof(network));
	assert_non_null(strstr(network, "by TLS"));
}

static void test_network_of_a_disk_is_noticed(void **state)
{
	struct conf c = conf_in(*state);
	char before[256], after[256];
	identity_network(&c, &c.guests[0], before, sizeof(before));
	assert_non_null(strstr(before, "10.99.0.10/24"));
	assert_int_equal(addr_parse("10.99.0.21", &c.guests[1].inside), 0);
	identity_network(&c, &c.guests[0], after, sizeof(after));
	assert_string_not_equal(before, after); /* another log host */
}

/* ---- trees ----------------------------------------------------------------------------------------- */

static void test_tree_says_when_it_is_full(void **state)
{
	CLEANUP(tree_free) struct tree *t = NULL;
	char name[16];
	(void)state;
	assert_int_equal(tree_create(8, &t), 0);
	tree_add(t, "a", S_IFREG | 0644, 0, "12345678", 8);
	assert_int_equal(t->err, 0);
	tree_add(t, "b", S_IFREG | 0644, 0, "9", 1);
	assert_int_equal(t->err, SKEP_EFULL);
	assert_int_equal(cpio_append(t, -1), SKEP_EFULL);
	t->err = 0;
	for (int i = 0; i < TREE_FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tree_folder(t, name, 0755, 0);
	}
	assert_int_equal(t->err, SKEP_EFULL);
}

static void test_cpio_can_be_read_by_cpio(void **state)
{
	CLEANUP(tree_free) struct tree *t = NULL;
	char path[256], cmd[600], line[128] = "";
	assert_int_equal(tree_create(4096, &t), 0);
	tree_folder(t, "etc", 0755, 0);
	tree_text(t, "etc/hostname", 0644, 7, "a%s\n", "bc");
	snprintf(path, sizeof(path), "%s/archive", (const char *)*state);
	CLEANUP(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(cpio_append(t, fd), 0);
	if (access("/usr/bin/cpio", X_OK) < 0 && access("/bin/cpio", X_OK) < 0)
		skip();
	snprintf(cmd, sizeof(cmd), "cpio -i --quiet --to-stdout etc/hostname < %s", path);
	FILE *f = popen(cmd, "r"); // NOLINT: our own fixed command
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_int_equal(pclose(f), 0);
	assert_string_equal(line, "abc\n");
}

static void test_ext4_gets_modes_and_owners(void **state)
{
	CLEANUP(tree_free) struct tree *t = NULL;
	char disk[64], cmd[700], why[256] = "", line[256];
	const char *dir = *state;
	if (geteuid() != 0 || access("/sbin/mke2fs", X_OK) < 0)
		skip();
	snprintf(disk, sizeof(disk), "%.40s/disk", dir);
	snprintf(cmd, sizeof(cmd),
		 "mkdir -p %.40s/tree/etc && echo old > %.40s/tree/etc/hostname && truncate -s 8M "
		 "%s && "
		 "mke2fs -q -F -t ext4 -d %.40s/tree %s",
		 dir, dir, disk, dir, disk);
	assert_int_equal(system(cmd), 0); // NOLINT: our own fixed command
	assert_int_equal(tree_create(4096, &t), 0);
	tree_text(t, "etc/hostname", 0640, 0, "new\n");
	tree_folder(t, "home", 0755, 0);
	tree_folder(t, "home/eva", 0700, 1000);
	tree_text(t, "home/eva/x", 0600, 1000, "mine\n");
	if (ext4_write(t, disk, dir, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	snprintf(cmd, sizeof(cmd),
		 "{ debugfs -R 'cat /etc/hostname' %s; debugfs -R 'stat /home/eva/x' %s | "
		 "grep -E -o 'User: +1000|Mode: +0600'; e2fsck -fn %s >/dev/null && echo clean; } "
		 "2>/dev/null | tr -s ' ' | paste -s -d ,",
		 disk, disk, disk);
	FILE *f = popen(cmd, "r"); // NOLINT: our own fixed command
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	(void)pclose(f);
	assert_string_equal(line, "new,Mode: 0600,User: 1000,clean\n");
	/* a file that could not be written is not passed over in silence */
	tree_text(t, "nosuchfolder/x", 0600, 0, "lost\n");
	assert_int_not_equal(ext4_write(t, disk, dir, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "4 of 5"));
}

/* ---- command line --------------------------------------------------------------------------------- */

static bool has(const struct guest_command *cmd, const char *option, const char *value)
{
	for (size_t i = 0; cmd->argv[i] != NULL; i++)
		if (strcmp(cmd->argv[i], option) == 0 && cmd->argv[i + 1] != NULL &&
		    strcmp(cmd->argv[i + 1], value) == 0)
			return true;
	return false;
}

static bool jailed(const struct guest_command *cmd, const char *path)
{
	for (size_t i = 0; cmd->jail[i] != NULL; i++)
		if (strcmp(cmd->jail[i], path) == 0)
			return true;
	return false;
}

static void test_command_line(void **state)
{
	struct conf c = conf_in(*state);
	struct guest_image img = {.append = "quiet"};
	struct guest_identity id = {.machine = "m-1", .volume = "0123456789012345678901234567"};
	struct guest_fds fds = {.tap = 3,
				.qmp = 4,
				.console = 5,
				.kernel = -1,
				.initrd = -1,
				.disk = 6,
				.overlay = 7,
				.monitor = 8};
	struct guest_command cmd;
	text_copy(id.dir, sizeof(id.dir), *state);
	assert_int_equal(mac_parse("fa:16:3e:01:02:03", &id.mac), 0);
	assert_int_equal(guest_command_line(&c.guests[0], &img, &id, &fds, false, &cmd), 0);
	assert_true(has(&cmd, "-sandbox",
			"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"));
	assert_true(has(&cmd, "-accel", "tcg,tb-size=64"));
	assert_true(has(&cmd, "-add-fd", "fd=6,set=1") && has(&cmd, "-add-fd", "fd=7,set=2"));
	assert_true(has(&cmd, "-netdev", "tap,id=net0,fd=3"));
	assert_true(has(&cmd, "-chardev", "socket,id=monitor,fd=8"));
	assert_true(has(&cmd, "-device", "virtserialport,chardev=monitor,name=monitor.0"));
	assert_true(
		has(&cmd, "-device", "virtio-net-pci,netdev=net0,mac=fa:16:3e:01:02:03,romfile="));
	fds.mtu = 1400;
	assert_int_equal(guest_command_line(&c.guests[0], &img, &id, &fds, false, &cmd), 0);
	assert_true(has(&cmd, "-device",
			"virtio-net-pci,netdev=net0,mac=fa:16:3e:01:02:03,romfile=,host_mtu=1400"));
	assert_true(has(&cmd, "-device",
			"virtio-blk-pci,drive=overlay,serial=01234567890123456789,werror=stop"));
	assert_true(has(&cmd, "-chardev", "socket,id=qmp,fd=4"));
	assert_false(jailed(&cmd, "/dev/kvm"));
	assert_false(jailed(&cmd, "/") || jailed(&cmd, *state) || jailed(&cmd, "/proc"));
	char kernel[256];
	snprintf(kernel, sizeof(kernel), "%s/vmlinuz\n/vmlinuz", (const char *)*state);
	assert_true(has(&cmd, "-kernel", "/vmlinuz") && jailed(&cmd, kernel));
	/* no option opens a path of the host for writing, listens, or reads the user's settings */
	for (size_t i = 0; cmd.argv[i] != NULL; i++) {
		assert_null(strstr(cmd.argv[i], "server=on"));
		assert_null(strstr(cmd.argv[i], "script="));
		assert_null(strstr(cmd.argv[i], "virtfs"));
	}
}

static void test_command_line_without_disk(void **state)
{
	struct conf c = conf_in(*state);
	struct guest_image img = {.append = "quiet"};
	struct guest_identity id = {.dir = "/nonexistent"};
	struct guest_fds fds = {.tap = -1,
				.qmp = -1,
				.console = -1,
				.kernel = -1,
				.initrd = -1,
				.disk = -1,
				.overlay = -1,
				.monitor = -1};
	struct guest_command cmd;
	(void)state;
	assert_int_equal(guest_command_line(&c.guests[0], &img, &id, &fds, true, &cmd), 0);
	assert_true(has(&cmd, "-accel", "kvm"));
	for (size_t i = 0; cmd.argv[i] != NULL; i++)
		assert_null(strstr(cmd.argv[i], "blk"));
	/* what does not fit is refused, not cut */
	memset(img.append, 'x', sizeof(img.append) - 1);
	memset(id.dir, 'y', sizeof(id.dir) - 1);
	assert_int_equal(guest_command_line(&c.guests[0], &img, &id, &fds, true, &cmd), 0);
	assert_true(has(&cmd, "-append", img.append));
}

static void test_holes_stay_holes(void **state)
{
	char from[256], to[256];
	struct stat st;
	snprintf(from, sizeof(from), "%s/from", (const char *)*state);
	snprintf(to, sizeof(to), "%s/to", (const char *)*state);
	CLEANUP(fd_close) int fd = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
	assert_int_equal(pwrite(fd, "data", 4, 32 << 20), 4);
	if (geteuid() != 0)
		skip();
	assert_int_equal(file_copy(from, to, 0600, 0), 0);
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	char got[5] = "";
	CLEANUP(fd_close) int out = open(to, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(out, got, 4, 32 << 20), 4);
	assert_string_equal(got, "data");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_image_of_another_recipe_is_not_found),
		TEST(test_recipe_names_stay_inside_the_folder),
		TEST(test_a_name_without_recipe_says_so),
		TEST(test_what_is_drawn_is_kept),
		TEST(test_what_a_loghost_is_told),
		TEST(test_keys_for_tls_are_made_once),
		TEST(test_a_loghost_has_a_key_and_no_password),
		TEST(test_files_of_a_guest),
		TEST(test_network_of_a_disk_is_noticed),
		TEST(test_tree_says_when_it_is_full),
		TEST(test_cpio_can_be_read_by_cpio),
		TEST(test_ext4_gets_modes_and_owners),
		TEST(test_command_line),
		TEST(test_command_line_without_disk),
		TEST(test_holes_stay_holes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
