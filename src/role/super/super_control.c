/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: only root can connect (mode 0600 in a folder of root's). One request, one
 * answer, each a JSON object; a client that dawdles is dropped after half a second.
 */
#include "role/super/super_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 4096
#define PATIENCE_US 500000

int control_open(struct super *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", s->c->run_dir) >=
	    (int)sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	CLEANUP(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(sa.sun_path);
	mode_t mask = umask(0177);
	int err =
		bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 8) < 0 ? -errno : 0;
	umask(mask);
	if (err == 0)
		s->listener = fd_take(&fd);
	return err;
}

/* ---- status ------------------------------------------------------------------------------------ */

static json_t *addr_json(const struct addr *a)
{
	char text[ADDR_TEXT];
	return a->ver == 0 ? json_string("") : json_string(addr_text(a, text));
}

static const char *state_text(enum child_state st)
{
	static const char *const names[] = {"down", "starting", "running", "stopping", "ended"};
	return names[st];
}

static void add_role(json_t *roles, const char *name, pid_t pid, const char *state,
		     uint32_t restarts)
{
	json_array_append_new(roles,
			      json_pack("{s:s, s:i, s:s, s:i}", "name", name, "pid", (int)pid,
					"state", state, "restarts", (int)restarts));
}

static json_t *roles_json(const struct super *s)
{
	char name[EVENT_NAME * 2];
	json_t *roles = json_array();
	add_role(roles, "super", getpid(), s->stopping ? "stopping" : "running", 0);
	for (size_t i = 0; i < s->n_children; i++) {
		const struct child *ch = &s->children[i];
		if (ch->role == ROLE_COURIER && ch->state == CHILD_ENDED)
			continue; /* nothing needs it */
		if (ch->role == ROLE_KEEPER)
			snprintf(name, sizeof(name), "keeper %s", ch->name);
		else
			snprintf(name, sizeof(name), "%s", ch->name);
		add_role(roles, name, ch->pidfd >= 0 ? ch->pid : 0, state_text(ch->state),
			 ch->restarts);
	}
	if (s->guardian_fd >= 0)
		add_role(roles, "guardian", s->guardian, "running", 0);
	for (size_t i = 0; i < s->n_helpers; i++) {
		const struct helper *h = &s->helpers[i];
		snprintf(name, sizeof(name), "lab %s", h->name);
		add_role(roles, name, h->pidfd >= 0 ? h->pid : 0,
			 h->pidfd >= 0 ? "running" : "down", h->restarts);
	}
	return roles;
}

/* Seconds since a layer of the guest told something; -1: never. NULL: there is none. */
static json_t *heard(bool there, int64_t last_ns)
{
	if (!there)
		return json_null();
	return json_real(last_ns == 0 ? -1 : (double)(clock_boot_ns() - last_ns) / 1e9);
}

static json_t *heard_json(const struct super *s, uint32_t guest)
{
	const struct guest_run *g = &s->guests[guest];
	int64_t syslog_ns = s->heard.guests[guest].syslog_ns;
	bool loghost = super_has_loghost(s), clear = loghost && !s->c->loghost.tls;
	bool on = s->c->sessions.on && g->state != RUN_NONE;
	if (!on || g->conf->kind != GUEST_HONEYPOT)
		return json_null();
	return json_pack(
		"{s:o, s:o, s:o}", "shell",
		heard(g->image.shell && loghost, s->heard.guests[guest].shell_ns), "monitor",
		heard(g->conf->monitor && g->image.monitor, s->heard.guests[guest].monitor_ns),
		"syslog", heard((g->image.shell || syslog_ns != 0) && clear, syslog_ns));
}

static json_t *guests_json(const struct super *s)
{
	json_t *guests = json_array();
	for (uint32_t i = 0; i < s->c->n_guests; i++) {
		const struct guest_run *g = &s->guests[i];
		char mac[MAC_TEXT];
		const char *state = g->state == RUN_NONE   ? "port"
				    : g->state == RUN_DOWN ? "down"
				    : g->said[0] != '\0'   ? g->said
							   : "starting";
		char clean[EVENT_NAME];
		struct writer w = writer_of(clean, sizeof(clean));
		write_escaped(&w, state, strlen(state));
		json_t *o = json_pack(
			"{s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:I}", "name", g->conf->name,
			"kind", g->conf->kind == GUEST_LOGHOST ? "loghost" : "honeypot", "state",
			clean, "accel",
			g->state != RUN_UP ? ""
			: g->kvm           ? "kvm"
					   : "tcg",
			"pid", g->pidfd >= 0 ? (int)g->pid : 0, "restarts", (int)g->restarts,
			"image", g->conf->image, "mac", mac_text(&g->mac, mac), "memory",
			(json_int_t)g->conf->memory_bytes);
		struct judge_port p; /* as the wall has it: a shared address may change */
		port_describe(s, i + 1, &p);
		json_object_set_new(o, "inside", addr_json(&p.inside));
		json_object_set_new(o, "public", addr_json(&p.public));
		json_object_set_new(o, "inside6", addr_json(&p.inside6));
		json_object_set_new(o, "public6", addr_json(&p.public6));
		json_object_set_new(o, "hostname", json_string(g->identity.hostname));
		json_object_set_new(o, "heard", heard_json(s, i));
		json_array_append_new(guests, o);
	}
	return guests;
}

static json_t *wall_ports_json(const struct super *s, const struct wall_stats *st)
{
	static const char *const names[] = {"tcp", "udp", "icmp", "other"};
	json_t *ports = json_array();
	for (uint32_t i = 0; i < port_recorded(s) && i < JUDGE_PORTS; i++) {
		json_t *limits = json_object();
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			json_object_set_new(limits, names[k],
					    json_pack("{s:I, s:I}", "used",
						      (json_int_t)st->ports[i].used[k], "max",
						      (json_int_t)st->ports[i].max[k]));
		json_array_append_new(
			ports, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
					 i == 0               ? "outside"
					 : i > s->c->n_guests ? "sink"
							      : s->c->guests[i - 1].name,
					 "rx_frames", (json_int_t)st->ports[i].rx_frames,
					 "rx_bytes", (json_int_t)st->ports[i].rx_bytes, "tx_frames",
					 (json_int_t)st->ports[i].tx_frames, "tx_bytes",
					 (json_int_t)st->ports[i].tx_bytes, "kernel_drops",
					 (json_int_t)st->ports[i].kernel_drops, "send_failed",
					 (json_int_t)st->ports[i].send_failed, "limits", limits));
	}
	return ports;
}

static json_t *rules_json(const struct wall_rules *r)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"in_force", r->in_force},
		{"reloads", r->swaps},
		{"alerts", r->alerts},
		{"dropped", r->dropped},
		{"rejected", r->rejected},
		{"rewritten", r->rewritten},
		{"edits", r->edits},
		{"late", r->late},
		{"held", r->held},
		{"held_timeout", r->held_timeout},
		{"normalised", r->normalised},
		{"flows", r->flows},
		{"given_up", r->given_up},
		{"memory", r->memory},
		{"memory_limit", r->memory_limit},
		{"memory_refused", r->memory_refused},
	};
	json_t *o = json_object();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_object_set_new(o, rows[i].name, json_integer((json_int_t)rows[i].value));
	return o;
}

static json_t *wall_json(const struct super *s)
{
	struct wall_stats *st = malloc(sizeof(*st));
	json_t *w = json_object(), *reasons = json_object();
	if (st == NULL || w == NULL || reasons == NULL)
		return w;
	memcpy(st, (const void *)s->stats, sizeof(*st));
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"frames", st->frames},
		{"bytes", st->bytes},
		{"forwarded", st->forwarded},
		{"replies", st->replies},
		{"ipv4", st->ipv4},
		{"ipv6", st->ipv6},
		{"tcp", st->tcp},
		{"udp", st->udp},
		{"icmp", st->icmp},
		{"icmp6", st->icmp6},
		{"arp", st->arp},
		{"other", st->other},
		{"flows_total", st->flows_total},
		{"flows_active", st->flows_active},
		{"flows_capacity", st->flows_capacity},
		{"flows_evicted", st->flows_evicted},
		{"flows_refused", st->flows_refused},
		{"inbound", st->inbound},
		{"outbound", st->outbound},
		{"lateral", st->lateral},
		{"limited", st->limited},
		{"events", st->events},
		{"events_lost", st->events_lost},
		{"events_suppressed", st->events_suppressed},
		{"kernel_drops", st->kernel_drops},
		{"send_failed", st->send_failed},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_object_set_new(w, rows[i].name, json_integer((json_int_t)rows[i].value));
	for (size_t i = 0; i < REASONS && i < ARRAY_LEN(st->reasons); i++)
		if (st->reasons[i] > 0)
			json_object_set_new(reasons, reason_text((enum reason)i),
					    json_integer((json_int_t)st->reasons[i]));
	json_object_set_new(w, "rules", rules_json(&st->rules));
	json_object_set_new(w, "reasons", reasons);
	json_object_set_new(w, "beat_age_ms",
			    json_integer((clock_boot_ns() - st->beat_boot_ns) / NS_PER_MS));
	json_object_set_new(w, "ports", wall_ports_json(s, st));
	free(st);
	return w;
}

static json_t *forwards_json(const struct super *s)
{
	json_t *all = json_array();
	for (uint32_t i = 0; i < s->c->n_forwards; i++) {
		const struct conf_forward *f = &s->c->forwards[i];
		json_t *o = json_pack("{s:i, s:s, s:s, s:i}", "port", f->public_port, "proto",
				      f->proto == 17 ? "udp" : "tcp", "guest", f->guest,
				      "guest_port", f->guest_port);
		json_object_set_new(o, "public", addr_json(&f->public));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *status_json(struct super *s)
{
	static const char *const modes[] = {"lab", "nat", "bridge"};
	json_t *o = json_pack("{s:s, s:s, s:I, s:b, s:s}", "name", s->c->name, "mode",
			      s->c->mode < ARRAY_LEN(modes) ? modes[s->c->mode] : "?", "since",
			      (json_int_t)s->since_ns, "kvm", s->kvm, "accel_why", s->accel_why);
	json_object_set_new(o, "roles", roles_json(s));
	json_object_set_new(o, "guests", guests_json(s));
	json_object_set_new(o, "wall", wall_json(s));
	json_object_set_new(o, "forwards", forwards_json(s));
	json_object_set_new(o, "sessions",
			    json_pack("{s:b, s:b, s:b}", "on", s->c->sessions.on, "wire",
				      s->c->sessions.wire, "tls", s->c->loghost.tls));
	json_object_set_new(o, "orders", orders_json(s));
	json_object_set_new(o, "uplink", uplink_json(s));
	json_object_set_new(o, "confirm", confirm_json(s));
	json_object_set_new(o, "alerts", alerts_json(s));
	return o;
}

/* ---- requests ---------------------------------------------------------------------------------- */

struct client { /* descriptors are -1 or owned */
	int fd, texts, snapshot;
};

/* NULL: the answer comes later. */
static json_t *answer(struct super *s, struct client *c, const char *request, size_t len)
{
	const char *what = NULL;
	int now = 0;
	json_error_t err;
	json_t *r = json_loadb(request, len, JSON_REJECT_DUPLICATES, &err), *a;
	if (r == NULL || json_unpack(r, "{s:s, s?b}", "do", &what, "now", &now) != 0) {
		a = json_pack("{s:s}", "error", "not a request");
	} else if (strcmp(what, "status") == 0) {
		a = status_json(s);
	} else if (strcmp(what, "down") == 0) {
		s->leave = true;
		s->stop_now = s->stop_now || now != 0;
		a = json_pack("{s:b, s:i}", "ok", 1, "pid", (int)getpid());
	} else if (strcmp(what, "confirm") == 0) {
		a = confirm_answer(s, r);
	} else if (strcmp(what, "rules") == 0) {
		const char *why = super_rules_reload(s, &c->fd, &c->texts, &c->snapshot);
		a = why != NULL ? json_pack("{s:s}", "error", why) : NULL;
	} else if (strcmp(what, "alert-test") == 0) {
		a = alerts_test_answer(s, r);
	} else if (strcmp(what, "alerts") == 0) {
		a = alerts_reload_answer(s, c->texts);
	} else if ((a = orders_answer(s, what, r)) == NULL) {
		a = json_pack("{s:s}", "error", "no such request");
	}
	json_decref(r);
	return a;
}

/* The one request whose connection stays open: it holds the port. NULL: it is another one. */
static json_t *prove_request(const char *request, size_t len)
{
	json_t *r = json_loadb(request, len, 0, NULL);
	const char *what = json_string_value(json_object_get(r, "do"));
	if (what != NULL && strcmp(what, "prove-begin") == 0)
		return r;
	json_decref(r);
	return NULL;
}

static void send_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left > 0;) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		text += n;
		left -= (size_t)n;
	}
}

/* At most two descriptors come with a request; what else there is is closed. */
static ssize_t receive(struct client *c, char *buf, size_t size)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = {buf, size};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	ssize_t n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
	for (struct cmsghdr *h = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; h != NULL;
	     h = CMSG_NXTHDR(&m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
			int *to = c->texts < 0 ? &c->texts : c->snapshot < 0 ? &c->snapshot : NULL;
			if (to != NULL)
				*to = fd_take(&fd);
			fd_close(&fd);
		}
	}
	return n;
}

static void close_client(struct client *c)
{
	fd_close(&c->fd);
	fd_close(&c->texts);
	fd_close(&c->snapshot);
}

void control_serve(struct super *s)
{
	struct timeval patience = {0, PATIENCE_US};
	char buf[REQUEST_MAX];
	size_t len = 0;
	CLEANUP(close_client)
	struct client c = {accept4(s->listener, NULL, NULL, SOCK_CLOEXEC), -1, -1};
	if (c.fd < 0)
		return;
	setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(c.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	for (ssize_t n;
	     len < sizeof(buf) && (n = receive(&c, buf + len, sizeof(buf) - len)) != 0;) {
		if (n < 0)
			return;
		len += (size_t)n;
	}
	char *text = NULL;
	json_t *proof = prove_request(buf, len);
	if (proof != NULL) {
		int held = c.fd; /* super's own from here on */
		prove_begin(s, proof, &c.fd, &text);
		json_decref(proof);
		if (text != NULL)
			send_all(held, text);
	} else {
		json_t *a = answer(s, &c, buf, len);
		text = a != NULL ? json_dumps(a, JSON_COMPACT) : NULL;
		json_decref(a);
		if (text != NULL)
			send_all(c.fd, text);
	}
	free(text);
}
