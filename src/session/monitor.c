/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a guest's monitor -> sessions. A visit has a number of its own there; its session is found by that, or
 * by the two ends of its conversation when the wire heard of it first. What belongs to no visit (visit 0: daemons,
 * cron) makes events and no session.
 */
#include "session/session_priv.h"

#include <string.h>

#define LATE_NS \
	(5 * NS_PER_SEC) /* a record is not older than this when it arrives, whatever it says */
#define LINE_MOST 8192u

static struct bytes text(const struct sensor_record *r, uint32_t i)
{
	if (i >= r->n_texts || r->texts[i].data == NULL)
		return (struct bytes){"", 0};
	return (struct bytes){(const char *)r->texts[i].data, r->texts[i].len};
}

/* When it happened, by the host's clock. The least delay seen is taken for none; it is forgotten slowly, as
 * the guest's clock may run at another speed. */
static int64_t when(struct session_book *b, uint32_t guest, uint64_t boot_ns, int64_t now)
{
	struct guest_book *g = &b->guests[guest];
	int64_t offset = boot_ns < INT64_MAX / 2 ? now - (int64_t)boot_ns : now;
	int64_t kept = g->offset_ns + (now - g->offset_at_ns) / 1000;
	if (!g->has_offset || offset < kept || offset - kept > LATE_NS) {
		g->has_offset = true;
		kept = offset;
	}
	g->offset_ns = kept;
	g->offset_at_ns = now;
	int64_t at = kept + (now - offset);
	return at < now - LATE_NS ? now - LATE_NS : at > now ? now : at;
}

/* ---- whose it is ---------------------------------------------------------------------------------- */

static const struct {
	uint16_t port;
	const char *name;
} services[] = {{22, "ssh"},     {23, "telnet"},     {21, "ftp"},    {25, "smtp"},
		{80, "http"},    {110, "pop3"},      {143, "imap"},  {443, "https"},
		{3306, "mysql"}, {5432, "postgres"}, {6379, "redis"}};

static void name_service(struct session *s, const char *comm)
{
	const char *name = strncmp(comm, "sshd", 4) == 0 ? "ssh" : NULL;
	for (size_t i = 0; name == NULL && i < ARRAY_LEN(services); i++)
		if (services[i].port == s->server_port)
			name = services[i].name;
	if (s->service[0] == '\0')
		text_of(s->service, sizeof(s->service),
			bytes_of(name != NULL      ? name
				 : comm[0] != '\0' ? comm
						   : "unknown"));
}

/* The session of a visit; a visit whose beginning was not told has one without ends. */
static struct session *session_of(struct session_book *b, uint32_t guest,
				  const struct sensor_proc *p, int64_t ns)
{
	if (p->visit == 0)
		return NULL;
	struct session *s = book_visit(b, guest, p->visit);
	if (s == NULL) {
		s = book_new(b, guest, ns);
		book_set_visit(b, s, p->visit);
		name_service(s, p->comm);
		cowrie_connect(b, s);
	}
	s->monitor_open = true;
	book_touch(b, s, LAYER_MONITOR, ns);
	return s;
}

static struct note note_of(struct session_book *b, uint32_t guest, const struct sensor_proc *p,
			   int64_t ns)
{
	struct session *s = session_of(b, guest, p, ns);
	struct pid_row *row = book_pid_add(b, guest, p->pid);
	book_pid_of(row, s);
	text_of(row->comm, sizeof(row->comm), bytes_of(p->comm));
	return (struct note){.s = s,
			     .guest = guest,
			     .pid = p->pid,
			     .ppid = p->ppid,
			     .uid = p->euid,
			     .tty = p->tty >= 0 ? p->tty : -1,
			     .layer = LAYER_MONITOR,
			     .ns = ns,
			     .quiet = s == NULL};
}

static void on_visit(struct session_book *b, uint32_t guest, const struct sensor_visit *v,
		     int64_t ns)
{
	struct addr peer = {0}, local = {0};
	if (v->visit == 0)
		return;
	if (v->ver == 4 || v->ver == 6) {
		peer = v->ver == 4 ? addr_from_v4(v->peer) : addr_from_v6(v->peer);
		local = v->ver == 4 ? addr_from_v4(v->local) : addr_from_v6(v->local);
	}
	struct session *s = book_visit(b, guest, v->visit);
	if (s == NULL && peer.ver != 0)
		s = book_tuple(b, guest, &peer, v->peer_port, v->local_port);
	bool fresh = s == NULL;
	if (fresh)
		s = book_new(b, guest, ns);
	book_set_visit(b, s, v->visit);
	if (s->peer.ver == 0) {
		s->peer = peer;
		s->server = local;
		s->peer_port = v->peer_port;
		s->server_port = v->local_port;
		s->proto = v->proto;
		if (peer.ver != 0)
			book_set_tuple(b, s);
	}
	name_service(s, v->comm);
	struct session *from = v->parent != 0 ? book_visit(b, guest, v->parent) : NULL;
	s->parent = from != NULL && from != s ? from->id : 0;
	s->monitor_open = true;
	s->shut_ns = 0;
	book_touch(b, s, LAYER_MONITOR, ns);
	book_pid_of(book_pid_add(b, guest, v->pid), s);
	if (fresh)
		cowrie_connect(b, s);
}

static void on_visit_end(struct session_book *b, uint32_t guest, uint64_t visit, int64_t ns)
{
	struct session *s = visit != 0 ? book_visit(b, guest, visit) : NULL;
	if (s == NULL)
		return;
	s->monitor_open = false;
	if (ns > s->last_ns)
		s->last_ns = ns;
	/* A line of its shell may still be on its way, and what was heard on the wire as well. */
	s->shut_ns = b->now_ns;
}

/* ---- commands -------------------------------------------------------------------------------------- */

static bool plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || strchr("'\"\\$`;&|<>()*?[]{}~#!", s[i]) != NULL)
			return false;
	return n > 0;
}

/* Arguments as one would type them. */
static void write_argv(struct writer *w, struct bytes argv)
{
	size_t at = 0;
	if (argv.len > 0 && argv.data[argv.len - 1] == '\0')
		argv.len--;
	while (at <= argv.len && argv.len > 0 && !w->full) {
		const char *arg = argv.data + at;
		const char *zero = memchr(arg, '\0', argv.len - at);
		size_t n = zero != NULL ? (size_t)(zero - arg) : argv.len - at;
		bool quote = !plain(arg, n);
		write_str(w, at > 0 ? " " : "");
		write_str(w, quote ? "'" : "");
		for (size_t i = 0; i < n; i++) {
			if (arg[i] == '\'')
				write_str(w, "'\\''");
			else
				write_str(w, (char[]){arg[i], '\0'});
		}
		write_str(w, quote ? "'" : "");
		at += n + 1;
	}
}

/* What a service does by itself before anybody is in (sshd runs itself anew for each connection, and root's
 * scripts that make the message of the day) is none of the visitor's: else every scan would be a record. */
enum does { DOES_NOT, DOES_ITSELF, DOES_WITH_CHILDREN };
static enum does service_does(const struct session *s, const struct sensor_proc *p,
			      struct bytes exe, struct bytes line, const struct pid_row *parent)
{
	/* As pam_motd has it, to the letter. */
	static const char motd[] = "sh -c '/usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:"
				   "/usr/sbin:/usr/bin:/sbin:/bin run-parts --lsbsysinit "
				   "/etc/update-motd.d > /run/motd.dynamic.new'";
	static const char *const names[] = {"/sshd", "/sshd-session", "/sshd-auth", "/dropbear"};
	if (parent != NULL && parent->session == s->id && parent->service)
		return DOES_WITH_CHILDREN;
	if (p->tty >= 0 || s->input + s->output > 0)
		return DOES_NOT;
	for (size_t i = 0; s->logins_ok == 0 && i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		if (exe.len > n && memcmp(exe.data + exe.len - n, names[i], n) == 0)
			return DOES_ITSELF;
	}
	return p->euid == 0 && line.len == sizeof(motd) - 1 &&
			       memcmp(line.data, motd, line.len) == 0
		       ? DOES_WITH_CHILDREN
		       : DOES_NOT;
}

static void on_exec(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		    int64_t ns)
{
	const struct sensor_exec *x = &r->u.exec;
	char line[LINE_MOST];
	struct writer w = writer_of(line, sizeof(line));
	struct note n = note_of(b, guest, &x->p, ns);
	struct pid_row *parent = book_pid(b, guest, x->p.ppid);
	struct pid_row *row = book_pid_add(b, guest, x->p.pid);
	write_argv(&w, text(r, 2));
	struct note_command c = {.line = {line, w.len},
				 .cwd = text(r, 1),
				 .exe = text(r, 0),
				 .cut = w.full || (x->flags & SENSOR_EXEC_CUT) != 0};
	if (n.s != NULL) {
		/* Which typed line it belongs to: its own (a shell that becomes another program), or its parent's, or
		 * the one that its parent belongs to. */
		const struct entry *own = entry_at(b, n.s, row->line);
		uint32_t ref = own != NULL && own->pid == x->p.pid ? row->line : 0;
		if (ref == 0 && parent != NULL && parent->session == n.s->id)
			ref = parent->line;
		const struct entry *typed = entry_at(b, n.s, ref);
		c.of = typed != NULL ? typed->n : 0;
		row->line = ref;
		/* Where a shell tells what is typed, its lines are the markers. And a service's own helpers, which
		 * have no terminal, are none in a visit that has one. */
		bool has_tty = n.s->n_casts > 0 && n.s->casts[0].tty >= 0;
		enum does does = service_does(n.s, &x->p, c.exe, c.line, parent);
		n.service = does != DOES_NOT;
		row->service = does == DOES_WITH_CHILDREN;
		n.quiet = n.service || typed != NULL || (has_tty && n.tty < 0);
	}
	row->run = note_command(b, &n, &c);
	row->line_seq = 0;
}

static void on_exit(struct session_book *b, uint32_t guest, const struct sensor_exit *x)
{
	struct pid_row *row = book_pid(b, guest, x->p.pid);
	struct session *s = row != NULL ? book_find(b, row->session) : NULL;
	struct entry *e = s != NULL && row->run != 0 ? entry_at(b, s, row->run) : NULL;
	if (row != NULL)
		row->run = 0;
	if (e == NULL || e->pid != x->p.pid || s->visit != x->p.visit)
		return;
	e->status = x->status;
	e->flags |= ENTRY_ENDED;
	s->dirty = true;
}

/* ---- data ----------------------------------------------------------------------------------------------- */

static void on_data(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		    int64_t ns)
{
	const struct sensor_data *d = &r->u.data;
	struct note n = note_of(b, guest, &d->p, ns);
	struct bytes t = text(r, 0);
	if (n.s == NULL)
		return;
	book_keep(b, n.s, ns);
	note_data(b, &n, d->stream == SENSOR_IN, d->echo == 0, t.data, t.len, d->skipped);
}

static void on_size(struct session_book *b, uint32_t guest, const struct sensor_size *z, int64_t ns)
{
	struct session *s = session_of(b, guest, &z->p, ns);
	struct cast *c = s != NULL && z->p.tty >= 0 ? cast_of(s, z->p.tty) : NULL;
	if (c == NULL)
		return;
	bool first = c->cols == 0;
	cast_size(b, s, c, z->cols, z->rows, ns);
	if (first && c->cols != 0)
		cowrie_size(b, s, c->cols, c->rows, ns);
}

/* ---- what else processes do --------------------------------------------------------------------------- */

static void on_connect(struct session_book *b, uint32_t guest, const struct sensor_connect *c,
		       int64_t ns)
{
	struct note n = note_of(b, guest, &c->p, ns);
	struct addr to = {0};
	if (c->ver == 4 || c->ver == 6)
		to = c->ver == 4 ? addr_from_v4(c->addr) : addr_from_v6(c->addr);
	/* Names are asked and lines are told all the time; and a resolver tries addresses by connecting to them. */
	static const uint8_t none[16];
	bool nowhere = memcmp(to.b, none, sizeof(none)) == 0;
	if (c->proto == 17 && (nowhere || c->port == 53 || c->port == 514))
		return;
	if (n.s != NULL)
		alert_connected(b, n.s, &to, c->port, ns);
	n.service = n.s != NULL && n.s->logins_ok == 0 && n.s->input + n.s->output == 0 &&
		    strncmp(c->p.comm, "sshd", 4) == 0;
	n.quiet = n.quiet || n.service;
	note_activity(b, &n, "connect", bytes_of(""), bytes_of(c->p.comm), &to, c->port, c->proto);
}

static void on_file(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		    int64_t ns)
{
	const struct sensor_file *f = &r->u.file;
	static const char *const what[] = {[SENSOR_WRITTEN] = "written",
					   [SENSOR_DELETED] = "deleted",
					   [SENSOR_RENAMED] = "renamed",
					   [SENSOR_MODE] = "mode"};
	if (f->op < SENSOR_WRITTEN || f->op > SENSOR_MODE)
		return;
	struct note n = note_of(b, guest, &f->p, ns);
	struct note_file nf = {
		.what = what[f->op], .path = text(r, 0), .to = text(r, 1), .size = f->size};
	note_file(b, &n, &nf);
}

static void on_cred(struct session_book *b, uint32_t guest, const struct sensor_cred *c, int64_t ns)
{
	char detail[96];
	struct writer w = writer_of(detail, sizeof(detail));
	struct note n = note_of(b, guest, &c->p, ns);
	/* A service that lays down its rights is no news; somebody who gets some is. */
	n.quiet = n.quiet || c->euid != 0 || c->p.euid == 0;
	write_fmt(&w, "uid %u -> %u, euid %u -> %u", c->p.uid, c->uid, c->p.euid, c->euid);
	if (n.s == NULL || !n.quiet)
		note_activity(b, &n, "privilege", (struct bytes){detail, w.len},
			      bytes_of(c->p.comm), NULL, 0, 0);
}

static void on_kernel(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		      int64_t ns)
{
	const struct sensor_kernel *k = &r->u.kernel;
	struct note n = note_of(b, guest, &k->p, ns);
	note_activity(b, &n, k->what == SENSOR_MODULE ? "module" : "bpf", text(r, 0),
		      bytes_of(k->p.comm), NULL, 0, 0);
}

static void on_signal(struct session_book *b, uint32_t guest, const struct sensor_signal *g,
		      int64_t ns)
{
	char detail[64];
	struct writer w = writer_of(detail, sizeof(detail));
	struct note n = note_of(b, guest, &g->p, ns);
	write_fmt(&w, "%u to %s (pid %u)", g->sig, g->to_comm, g->to);
	note_activity(b, &n, "signal", (struct bytes){detail, w.len}, bytes_of(g->p.comm), NULL, 0,
		      0);
}

static void on_login(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		     int64_t ns)
{
	struct note n = note_of(b, guest, &r->u.login.p, ns);
	note_login(b, &n, text(r, 0), text(r, 1), text(r, 2), r->u.login.ok == 1 ? 1 : 0);
}

/* ---- files' content ----------------------------------------------------------------------------------- */

static void on_content(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		       int64_t ns)
{
	const struct sensor_content *c = &r->u.content;
	struct bytes path = text(r, 0), data = text(r, 1);
	struct open_file *o = files_number(b->files, guest, c->file);
	if (o == NULL && c->offset != 0)
		return; /* its beginning was lost or refused: no hash of the rest means anything */
	if (o == NULL) {
		struct session *s = c->visit != 0 ? book_visit(b, guest, c->visit) : NULL;
		char name[FILE_TEXT];
		text_of(name, sizeof(name), path);
		struct session_file_open open = {.session = s != NULL ? s->id : 0,
						 .guest = guest,
						 .how = "",
						 .name = name,
						 .source = "",
						 .size = c->size};
		o = files_find(b->files, session_file_begin(b, &open, ns));
		if (o == NULL)
			return;
		o->number = c->file;
		o->pid = c->pid;
	}
	if (c->offset != o->len) {
		if (c->offset < o->len)
			return; /* told twice */
		o->cut = true;  /* a piece is missing: what is kept is not the file, and says so */
	}
	o->last_ns = ns;
	session_file_data(b, o->id, data.data, data.len);
	if ((c->flags & (SENSOR_CONTENT_LAST | SENSOR_CONTENT_CUT)) != 0)
		session_file_end(b, o->id, (c->flags & SENSOR_CONTENT_CUT) == 0, ns);
}

/* ---- all ------------------------------------------------------------------------------------------------ */

static void dispatch(struct session_book *b, uint32_t guest, const struct sensor_record *r,
		     int64_t ns)
{
	switch ((enum sensor_type)r->type) {
	case SENSOR_HELLO:
		if (r->u.hello.first)
			session_monitor_anew(b, guest, b->now_ns);
		break;
	case SENSOR_VISIT:
		on_visit(b, guest, &r->u.visit, ns);
		break;
	case SENSOR_VISIT_END:
		on_visit_end(b, guest, r->u.visit_end.visit, ns);
		break;
	case SENSOR_EXEC:
		on_exec(b, guest, r, ns);
		break;
	case SENSOR_EXIT:
		on_exit(b, guest, &r->u.exit);
		break;
	case SENSOR_DATA:
		on_data(b, guest, r, ns);
		break;
	case SENSOR_SIZE:
		on_size(b, guest, &r->u.size, ns);
		break;
	case SENSOR_LOGIN:
		on_login(b, guest, r, ns);
		break;
	case SENSOR_CONNECT:
		on_connect(b, guest, &r->u.connect, ns);
		break;
	case SENSOR_FILE:
		on_file(b, guest, r, ns);
		break;
	case SENSOR_CONTENT:
		on_content(b, guest, r, ns);
		break;
	case SENSOR_CRED:
		on_cred(b, guest, &r->u.cred, ns);
		break;
	case SENSOR_KERNEL:
		on_kernel(b, guest, r, ns);
		break;
	case SENSOR_SIGNAL:
		on_signal(b, guest, &r->u.signal, ns);
		break;
	case SENSOR_BEAT: /* module crosscheck's */
	case SENSOR_STATE:
	case SENSOR_LOST:
	case SENSOR_TYPES:
		break;
	}
}

/* The visit that a record speaks of; 0: none. */
static uint64_t visit_of(const struct sensor_record *r)
{
	switch ((enum sensor_type)r->type) {
	case SENSOR_VISIT:
		return r->u.visit.visit;
	case SENSOR_VISIT_END:
		return r->u.visit_end.visit;
	case SENSOR_CONTENT:
		return r->u.content.visit;
	case SENSOR_EXEC:
	case SENSOR_EXIT:
	case SENSOR_DATA:
	case SENSOR_SIZE:
	case SENSOR_LOGIN:
	case SENSOR_CONNECT:
	case SENSOR_FILE:
	case SENSOR_CRED:
	case SENSOR_KERNEL:
	case SENSOR_SIGNAL:
		return r->u.exec.p.visit; /* struct sensor_proc stands first in all of these */
	case SENSOR_HELLO:
	case SENSOR_BEAT:
	case SENSOR_STATE:
	case SENSOR_LOST:
	case SENSOR_TYPES:
		break;
	}
	return 0;
}

uint64_t session_record(struct session_book *b, uint32_t guest, const struct sensor_record *r,
			int64_t now_wall_ns)
{
	if (guest >= b->conf.n_guests || !b->conf.conf.on)
		return 0;
	b->now_ns = now_wall_ns;
	b->guests[guest].monitor_ns = now_wall_ns;
	dispatch(b, guest, r, when(b, guest, r->boot_ns, now_wall_ns));
	uint64_t visit = visit_of(r);
	const struct session *s = visit != 0 ? book_visit(b, guest, visit) : NULL;
	return s != NULL ? s->id : 0;
}
