/* SPDX-License-Identifier: BSD-2-Clause */
/* A drawn identity on the host's disk (identity.json, root only) and what of it a guest gets. */
#include "guest/guest_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IDENTITY_MAX 65536
#define BASE_MAX (256u << 10)
#define FIRST_UID 1000

void identity_dir(const struct conf *c, const char *name, char ret[CONF_PATH + 64])
{
	snprintf(ret, CONF_PATH + 64, "%s/guests/%s", c->state_dir, name);
}

/* ---- identity.json ---------------------------------------------------------------------------- */

int identity_save(const struct identity *id)
{
	char mac[MAC_TEXT], path[GUEST_PATH];
	json_t *accounts = json_array();
	for (uint32_t i = 0; i < id->pub.n_accounts; i++)
		json_array_append_new(accounts,
				      json_pack("{s:s, s:s, s:s}", "user", id->pub.accounts[i].user,
						"password", id->pub.accounts[i].password, "hash",
						id->hashes[i]));
	json_t *j =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "hostname", id->pub.hostname,
			  "mac", mac_text(&id->pub.mac, mac), "machine", id->pub.machine, "volume",
			  id->pub.volume, "machine_id", id->machine_id, "network", id->network,
			  "ssh_key", id->pub.ssh_key, "accounts", accounts);
	char *text = j != NULL ? json_dumps(j, JSON_INDENT(2)) : NULL;
	json_decref(j);
	int err = text == NULL ? -ENOMEM
			       : path_join(path, sizeof(path), id->pub.dir, "identity.json");
	if (err == 0)
		err = file_write(path, text, strlen(text), 0600, 0, 0);
	free(text);
	return err;
}

static bool get(const json_t *j, const char *key, char *ret, size_t size)
{
	const char *s = json_string_value(json_object_get(j, key));
	return s != NULL && text_copy(ret, size, s);
}

static int parse(const json_t *j, struct identity *id)
{
	char mac[MAC_TEXT];
	const json_t *accounts = json_object_get(j, "accounts");
	bool ok = get(j, "hostname", id->pub.hostname, sizeof(id->pub.hostname)) &&
		  get(j, "mac", mac, sizeof(mac)) && mac_parse(mac, &id->pub.mac) == 0 &&
		  get(j, "machine", id->pub.machine, sizeof(id->pub.machine)) &&
		  get(j, "volume", id->pub.volume, sizeof(id->pub.volume)) &&
		  get(j, "machine_id", id->machine_id, sizeof(id->machine_id)) &&
		  get(j, "network", id->network, sizeof(id->network)) &&
		  get(j, "ssh_key", id->pub.ssh_key, sizeof(id->pub.ssh_key)) &&
		  json_array_size(accounts) <= ARRAY_LEN(id->pub.accounts);
	for (size_t i = 0; ok && i < json_array_size(accounts); i++) {
		const json_t *a = json_array_get(accounts, i);
		struct guest_account *to = &id->pub.accounts[id->pub.n_accounts++];
		ok = get(a, "user", to->user, sizeof(to->user)) &&
		     get(a, "password", to->password, sizeof(to->password)) &&
		     get(a, "hash", id->hashes[i], sizeof(id->hashes[i]));
	}
	return ok ? 0 : SKEP_EFORMAT;
}

int identity_load(const char *dir, struct identity *ret)
{
	struct identity id = {0};
	char path[GUEST_PATH], *text = NULL;
	size_t len = 0;
	int err = path_join(path, sizeof(path), dir, "identity.json");
	if (err == 0)
		err = file_read(path, IDENTITY_MAX, &text, &len);
	if (err != 0)
		return err == -ENOENT ? SKEP_ENOTFOUND : err;
	json_t *j = json_loadb(text, len, 0, NULL);
	free(text);
	err = j == NULL ? SKEP_EFORMAT : parse(j, &id);
	json_decref(j);
	if (err == 0 && !text_copy(id.pub.dir, sizeof(id.pub.dir), dir))
		err = SKEP_ERANGE;
	if (err == 0)
		*ret = id;
	return err;
}

int guest_identity_read(const struct conf *c, const char *name, struct guest_identity *ret)
{
	struct identity id;
	char dir[CONF_PATH + 64];
	identity_dir(c, name, dir);
	int err = identity_load(dir, &id);
	if (err == 0)
		*ret = id.pub;
	return err;
}

/* ---- what the guest gets ------------------------------------------------------------------------ */

void identity_network(const struct conf *c, const struct conf_guest *g, char *ret, size_t size)
{
	char a[ADDR_TEXT], b[ADDR_TEXT];
	const struct conf_network *n = &c->network;
	const struct conf_guest *log = guest_loghost(c);
	struct writer w = writer_of(ret, size);
	write_fmt(&w, "%s/%u gw %s", addr_text(&g->inside, a), n->inside.len,
		  addr_text(&n->gateway, b));
	if (g->inside6.ver != 0)
		write_fmt(&w, ", %s/%u gw %s", addr_text(&g->inside6, a), n->inside6.len,
			  addr_text(&n->gateway6, b));
	if (n->resolver.ver != 0)
		write_fmt(&w, ", dns %s", addr_text(&n->resolver, a));
	if (n->resolver6.ver != 0)
		write_fmt(&w, ", dns %s", addr_text(&n->resolver6, a));
	if (log != NULL && log != g)
		write_fmt(&w, ", syslog %s%s", addr_text(&log->inside, a),
			  c->loghost.tls ? " by TLS" : "");
}

static void netmask_text(uint8_t len, char ret[ADDR_TEXT])
{
	uint8_t b[4];
	store_be32(b, len == 0 ? 0 : ~UINT32_C(0) << (32 - len));
	struct addr mask = addr_from_v4(b);
	addr_text(&mask, ret);
}

/* Its lines in a honeypot's /etc/hosts: the shell there looks for this name. */
static void loghost_lines(const struct conf_guest *log, char *ret, size_t size)
{
	char a[ADDR_TEXT];
	struct writer w = writer_of(ret, size);
	ret[0] = '\0';
	if (log == NULL)
		return;
	write_fmt(&w, "%s\tloghost\n", addr_text(&log->inside, a));
	if (log->inside6.ver != 0)
		write_fmt(&w, "%s\tloghost\n", addr_text(&log->inside6, a));
}

static void add_network(const struct conf *c, const struct conf_guest *g, const struct identity *id,
			struct tree *t)
{
	const struct conf_network *n = &c->network;
	char a[ADDR_TEXT], b[ADDR_TEXT], m[ADDR_TEXT], text[2048];
	struct writer w = writer_of(text, sizeof(text));
	const struct conf_guest *log = guest_loghost(c);
	const char *name = id->pub.hostname;
	char loghost[2 * (ADDR_TEXT + 16)];
	loghost_lines(log == g ? NULL : log, loghost, sizeof(loghost));
	write_str(&w, "auto lo\niface lo inet loopback\n\nauto eth0\n");
	netmask_text(n->inside.len, m);
	if (g->inside.ver != 0)
		write_fmt(&w, "iface eth0 inet static\n\taddress %s\n\tnetmask %s\n\tgateway %s\n",
			  addr_text(&g->inside, a), m, addr_text(&n->gateway, b));
	if (g->inside6.ver != 0)
		write_fmt(&w,
			  "\niface eth0 inet6 static\n\taddress %s\n\tnetmask %u\n"
			  "\tdad-attempts 0\n\taccept_ra 0\n"
			  "\tup ip -6 route replace default via %s dev eth0 || true\n",
			  addr_text(&g->inside6, a), n->inside6.len, addr_text(&n->gateway6, b));
	tree_add(t, "etc/network/interfaces", S_IFREG | 0644, 0, text, w.len);
	tree_text(t, "etc/hostname", 0644, 0, "%s\n", name);
	tree_text(t, "etc/hosts", 0644, 0,
		  "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n%s\n::1\tlocalhost ip6-localhost "
		  "ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
		  name, loghost);
	w = writer_of(text, sizeof(text));
	if (n->resolver.ver != 0)
		write_fmt(&w, "nameserver %s\n", addr_text(&n->resolver, a));
	if (n->resolver6.ver != 0)
		write_fmt(&w, "nameserver %s\n", addr_text(&n->resolver6, a));
	tree_add(t, "etc/resolv.conf", S_IFREG | 0644, 0, text, w.len);
	tree_text(t, "etc/machine-id", 0444, 0, "%s\n", id->machine_id);
	syslog_client(c, g, t);
}

/* The image's own passwd, shadow or group, with lines added. */
static void add_database(struct tree *t, const char *base, const char *name, mode_t mode, gid_t gid,
			 const char *more)
{
	char path[GUEST_PATH], to[64], *text = NULL;
	size_t len = 0;
	int err = path_join(path, sizeof(path), base, name);
	if (err == 0)
		err = file_read(path, BASE_MAX, &text, &len);
	char *all = err == 0 ? realloc(text, len + strlen(more) + 1) : NULL;
	if (all == NULL) {
		t->err = t->err != 0 ? t->err : err != 0 ? err : -ENOMEM;
		free(text);
		return;
	}
	memcpy(all + len, more, strlen(more) + 1);
	snprintf(to, sizeof(to), "etc/%s", name);
	tree_add(t, to, S_IFREG | mode, 0, all, strlen(all));
	if (t->err == 0)
		t->files[t->n - 1].gid = gid;
	free(all);
}

/* What lies about in a home: small, ordinary, different for each. */
static void add_home(struct tree *t, const struct identity *id, uint32_t i, const char *base)
{
	static const char *const skel[] = {".bashrc", ".profile", ".bash_logout"};
	static const char *const notes[] = {
		"call hosting about the invoice\nrenew certificate before march\n",
		"backup runs at 3:20, check the log on mondays\n\ntodo: clean /var/www/old\n",
		"meeting tue 10:00\nask for more disk space\nprinter: same password as the old\n",
	};
	const char *user = id->pub.accounts[i].user;
	uid_t uid = FIRST_UID + i;
	char path[96], host[GUEST_PATH + 32];
	snprintf(path, sizeof(path), "home/%s", user);
	tree_folder(t, path, 0755, uid);
	for (size_t k = 0; k < ARRAY_LEN(skel); k++) {
		snprintf(path, sizeof(path), "home/%s/%s", user, skel[k]);
		snprintf(host, sizeof(host), "%s/skel%s", base, skel[k]);
		if (access(host, F_OK) == 0)
			tree_from(t, path, 0644, uid, host);
	}
	snprintf(path, sizeof(path), "home/%s/notes.txt", user);
	tree_text(t, path, 0644, uid, "%s", notes[i % ARRAY_LEN(notes)]);
}

static void add_users(const struct identity *id, const struct conf_guest *g, const char *base,
		      struct tree *t)
{
	char passwd[2048], shadow[4096], group[2048], path[GUEST_PATH + 32];
	struct writer p = writer_of(passwd, sizeof(passwd)), s = writer_of(shadow, sizeof(shadow));
	struct writer r = writer_of(group, sizeof(group));
	snprintf(path, sizeof(path), "%s/skel.bashrc", base);
	const char *shell = access(path, F_OK) == 0 ? "/bin/bash" : "/bin/sh";
	for (uint32_t i = 0; i < id->pub.n_accounts; i++) {
		const char *user = id->pub.accounts[i].user;
		const char *hash = id->hashes[i][0] != '\0' ? id->hashes[i] : "*";
		write_fmt(&p, "%s:x:%u:%u:%s,,,:/home/%s:%s\n", user, FIRST_UID + i, FIRST_UID + i,
			  user, user, shell);
		write_fmt(&s, "%s:%s:19620:0:99999:7:::\n", user, hash);
		write_fmt(&r, "%s:x:%u:\n", user, FIRST_UID + i);
		add_home(t, id, i, base);
	}
	/* The last one, a person, may do everything on a server that has sudo. */
	if (g->kind == GUEST_HONEYPOT && id->pub.n_accounts > 1)
		tree_text(t, "etc/sudoers.d/local", 0440, 0, "%s ALL=(ALL:ALL) ALL\n",
			  id->pub.accounts[id->pub.n_accounts - 1].user);
	add_database(t, base, "passwd", 0644, 0, passwd);
	add_database(t, base, "shadow", 0640, 42, shadow);
	add_database(t, base, "group", 0644, 0, group);
}

int identity_tree(const struct conf *c, const struct conf_guest *g, const struct identity *id,
		  const char *base, struct tree *t)
{
	static const char *const keys[] = {
		"ssh_host_rsa_key",          "ssh_host_ecdsa_key",     "ssh_host_ed25519_key",
		"ssh_host_rsa_key.pub",      "ssh_host_ecdsa_key.pub", "ssh_host_ed25519_key.pub",
		"dropbear_ed25519_host_key", "dropbear_rsa_host_key",
	};
	char host[GUEST_PATH], path[96];
	add_network(c, g, id, t);
	add_users(id, g, base, t);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(host, sizeof(host), "%s/keys/%s", id->pub.dir, keys[i]);
		if (access(host, F_OK) < 0)
			continue;
		snprintf(path, sizeof(path), "etc/%s/%s", keys[i][0] == 's' ? "ssh" : "dropbear",
			 keys[i]);
		tree_from(t, path, strstr(keys[i], ".pub") != NULL ? 0644 : 0600, 0, host);
	}
	if (id->pub.ssh_key[0] != '\0') {
		snprintf(host, sizeof(host), "%s.pub", id->pub.ssh_key);
		tree_folder(t, "home/ops/.ssh", 0700, FIRST_UID);
		tree_from(t, "home/ops/.ssh/authorized_keys", 0600, FIRST_UID, host);
	}
	return t->err;
}
