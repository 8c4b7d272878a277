/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/test/rig.h"

#include "session/lines_priv.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void take_event(void *ctx, const struct event *e)
{
	struct rig *r = ctx;
	r->n_events++;
	r->invalid += !event_valid(e);
	r->by_kind[e->kind]++;
	r->last[e->kind] = *e;
}

void rig_open(struct rig *r, uint32_t guests)
{
	static const char *const names[] = {"web", "db", "mail"};
	memset(r, 0, sizeof(*r));
	/* In memory, if the machine has that: fuzzing and floods write many small files. */
	text_copy(r->dir, sizeof(r->dir),
		  access("/dev/shm", W_OK) == 0 ? "/dev/shm/skep-session-XXXXXX"
						: "/tmp/skep-session-XXXXXX");
	if (mkdtemp(r->dir) == NULL)
		abort();
	r->fd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->conf.conf = (struct conf_sessions){.on = 1,
					      .wire = 1,
					      .keep_days = 90,
					      .disk_bytes = 1u << 30,
					      .session_bytes = 16u << 20,
					      .files_bytes = 1u << 30,
					      .file_bytes = 32u << 20};
	text_copy(r->conf.sensor, sizeof(r->conf.sensor), "test");
	r->conf.n_guests = guests;
	for (uint32_t i = 0; i < guests; i++)
		text_copy(r->conf.guests[i].name, sizeof(r->conf.guests[i].name), names[i % 3]);
	r->conf.dir = r->fd;
	r->conf.emit = take_event;
	r->conf.ctx = r;
	r->now = RIG_START;
	r->boot_ns = 10 * NS_PER_SEC;
	rig_again(r);
}

void rig_again(struct rig *r)
{
	if (session_book_open(&r->conf, &r->book) != 0)
		abort();
}

void rig_close(struct rig *r)
{
	session_book_close(&r->book);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

void rig_remove(struct rig *r)
{
	session_book_close(&r->book);
	fd_close(&r->fd);
	(void)nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int rig_wait(struct rig *r, int64_t ns)
{
	int err = 0;
	uint32_t days;
	for (int64_t end = r->now + ns; r->now < end;) {
		r->now += 250 * NS_PER_MS;
		r->boot_ns += 250 * (uint64_t)NS_PER_MS;
		err = session_book_tick(r->book, r->now, &days);
	}
	return err;
}

static uint64_t say(struct rig *r, struct sensor_record *rec)
{
	rec->boot_ns = r->boot_ns;
	return session_record(r->book, 0, rec, r->now);
}

static struct sensor_proc proc(uint64_t visit, uint32_t pid, uint32_t ppid, int tty)
{
	struct sensor_proc p = {.visit = visit, .pid = pid, .ppid = ppid, .sid = pid, .tty = tty};
	memcpy(p.comm, "bash", 5);
	return p;
}

static void put_text(struct sensor_record *rec, const void *data, size_t len)
{
	rec->texts[rec->n_texts++] = (struct sensor_text){data, (uint32_t)len};
}

uint64_t rig_visit(struct rig *r, uint64_t visit, const char *peer, uint16_t port,
		   uint16_t local_port)
{
	struct sensor_record rec = {.type = SENSOR_VISIT};
	struct sensor_visit *v = &rec.u.visit;
	struct addr a = {0}, local = {0};
	bool six = strchr(peer, ':') != NULL;
	if (addr_parse(peer, &a) != 0 ||
	    addr_parse(six ? "2001:db8:1::2" : "10.0.0.2", &local) != 0)
		abort();
	v->visit = visit;
	v->pid = (uint32_t)(1000 + visit);
	v->ver = a.ver;
	v->proto = 6;
	v->peer_port = port;
	v->local_port = local_port;
	memcpy(v->peer, a.b, 16);
	memcpy(v->local, local.b, 16);
	memcpy(v->comm, local_port == 22 ? "sshd" : "inetd", 5);
	return say(r, &rec);
}

void rig_visit_end(struct rig *r, uint64_t visit)
{
	struct sensor_record rec = {.type = SENSOR_VISIT_END, .u.visit_end = {.visit = visit}};
	say(r, &rec);
}

void rig_exec(struct rig *r, uint64_t visit, uint32_t pid, uint32_t ppid, int tty,
	      const char *const *argv)
{
	rig_run(r, visit, pid, ppid, tty, "/bin/x", argv);
}

void rig_run(struct rig *r, uint64_t visit, uint32_t pid, uint32_t ppid, int tty, const char *exe,
	     const char *const *argv)
{
	struct sensor_record rec = {.type = SENSOR_EXEC};
	char args[4096];
	size_t n = 0;
	rec.u.exec.p = proc(visit, pid, ppid, tty);
	snprintf(rec.u.exec.p.comm, sizeof(rec.u.exec.p.comm), "%s", argv[0]);
	for (; *argv != NULL; argv++) {
		size_t len = strlen(*argv) + 1;
		memcpy(args + n, *argv, len);
		n += len;
		rec.u.exec.argc++;
	}
	put_text(&rec, exe, strlen(exe));
	put_text(&rec, "/root", 5);
	put_text(&rec, args, n);
	say(r, &rec);
}

void rig_connect(struct rig *r, uint64_t visit, uint32_t pid, const char *to, uint16_t port)
{
	struct sensor_record rec = {.type = SENSOR_CONNECT};
	struct addr a;
	if (addr_parse(to, &a) != 0)
		abort();
	rec.u.connect.p = proc(visit, pid, 1, -1);
	rec.u.connect.ver = a.ver;
	rec.u.connect.proto = 6;
	rec.u.connect.port = port;
	memcpy(rec.u.connect.addr, a.b, sizeof(a.b));
	say(r, &rec);
}

void rig_exit(struct rig *r, uint64_t visit, uint32_t pid, int status)
{
	struct sensor_record rec = {.type = SENSOR_EXIT};
	rec.u.exit.p = proc(visit, pid, 1, -1);
	rec.u.exit.status = status;
	say(r, &rec);
}

void rig_data(struct rig *r, uint64_t visit, int tty, enum sensor_stream stream, bool echo,
	      const void *data, size_t len)
{
	struct sensor_record rec = {.type = SENSOR_DATA};
	rec.u.data.p = proc(visit, 77, 1, tty);
	rec.u.data.stream = (uint8_t)stream;
	rec.u.data.echo = echo;
	put_text(&rec, data, len);
	say(r, &rec);
}

void rig_size(struct rig *r, uint64_t visit, int tty, uint16_t cols, uint16_t rows)
{
	struct sensor_record rec = {.type = SENSOR_SIZE};
	rec.u.size.p = proc(visit, 77, 1, tty);
	rec.u.size.cols = cols;
	rec.u.size.rows = rows;
	say(r, &rec);
}

void rig_login(struct rig *r, uint64_t visit, const char *user, const char *secret, bool ok)
{
	struct sensor_record rec = {.type = SENSOR_LOGIN};
	rec.u.login.p = proc(visit, (uint32_t)(1000 + visit), 1, -1);
	rec.u.login.ok = ok;
	put_text(&rec, user, strlen(user));
	put_text(&rec, secret, strlen(secret));
	put_text(&rec, "password", 8);
	say(r, &rec);
}

void rig_content(struct rig *r, uint64_t visit, uint32_t pid, uint64_t file, const char *path,
		 const void *data, size_t len)
{
	size_t at = 0;
	do {
		size_t n = len - at < 4000 ? len - at : 4000;
		struct sensor_record rec = {.type = SENSOR_CONTENT};
		struct sensor_content *c = &rec.u.content;
		c->visit = visit;
		c->file = file;
		c->offset = at;
		c->size = len;
		c->pid = pid;
		c->flags = at + n == len ? SENSOR_CONTENT_LAST : 0;
		put_text(&rec, path, at == 0 ? strlen(path) : 0);
		put_text(&rec, (const char *)data + at, n);
		say(r, &rec);
		at += n;
	} while (at < len);
}

uint64_t rig_shell(struct rig *r, const char *text)
{
	struct syslog_line l = {
		.facility = 22, .severity = 6, .text = text, .len = (uint32_t)strlen(text)};
	struct session_shell *sh = malloc(sizeof(*sh));
	uint64_t id = 0;
	memcpy(l.app, "sh", 3);
	if (sh != NULL && session_shell_parse(&l, sh))
		id = session_syslog(r->book, 0, &l, sh, r->now);
	free(sh);
	return id;
}

/* ---- what is on disk ------------------------------------------------------------------------------- */

static char *slurp(const char *path, size_t *ret_len)
{
	struct stat st;
	char *text = calloc(1, 1);
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	*ret_len = 0;
	if (fd < 0 || fstat(fd, &st) != 0)
		return text;
	free(text);
	text = calloc(1, (size_t)st.st_size + 1);
	ssize_t n = text != NULL ? read(fd, text, (size_t)st.st_size) : 0;
	*ret_len = n > 0 ? (size_t)n : 0;
	return text;
}

char *rig_read(struct rig *r, const char *path)
{
	char full[256];
	size_t len;
	snprintf(full, sizeof(full), "%s/%s", r->dir, path);
	return slurp(full, &len);
}

const char *rig_day(struct rig *r, const char *name)
{
	static char path[128];
	char day[DAY_TEXT];
	snprintf(path, sizeof(path), "sessions/%s/%s", day_text(day_of(r->now), day), name);
	return path;
}

/* nftw has no context; each test program has one thread and one walk at a time. */
static uint64_t walked_bytes;
static uint32_t walked_dirty;

static bool harmless(const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = text_utf8(p + at, len - at, NULL);
		if (n == 0 || (n == 1 && p[at] != '\n' && (p[at] < 0x20 || p[at] == 0x7f)) ||
		    (n == 2 && p[at] == 0xc2 && p[at + 1] < 0xa0))
			return false;
		at += n;
	}
	return true;
}

static int look_at(const char *path, const struct stat *st, int type, struct FTW *f)
{
	size_t len;
	if (type != FTW_F)
		return 0;
	walked_bytes += (uint64_t)st->st_blocks * 512;
	if (strstr(path, "/files/") != NULL && strstr(path, ".jsonl") == NULL)
		return 0;
	char *text = slurp(path, &len);
	if (text == NULL || !harmless((const uint8_t *)text, len))
		walked_dirty++;
	free(text);
	return 0;
}

static void walk(struct rig *r)
{
	walked_bytes = 0;
	walked_dirty = 0;
	(void)nftw(r->dir, look_at, 16, FTW_PHYS);
}

uint64_t rig_bytes(struct rig *r)
{
	walk(r);
	return walked_bytes;
}

uint32_t rig_dirty(struct rig *r)
{
	walk(r);
	return walked_dirty;
}
