/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wall: between any two ports of the honeynet. Frames come in bursts, one port after the other;
 * judge decides about each, what may pass is sent at the end of the burst. The wall never waits for
 * anybody: not for the recorder (marks are overwritten), not for the hub (events are counted as
 * lost), not for a full queue of a port (the frame is gone, as on a wire). It has no file, no
 * address and no right; when super ends, it does.
 *
 * Rules are there before the first port is looked at. Other ones are read by a second thread
 * (rules/loader.h), and taken over between two bursts.
 */
#include "port/port.h"
#include "role/role.h"
#include "role/rules/loader.h"
#include "sys/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_NS (100 * NS_PER_MS)
#define STATS_EVENT_NS (60 * NS_PER_SEC)
#define PORTS_ARENA ((size_t)24 << 20) /* burst buffers of all ports; touched only on use */
#define HASHED 64u
#define SPIN_NS (20 * 1000)   /* the longest wait for what may follow a frame */
#define SPINS_NS (200 * 1000) /* ... and all of it, before others are asked */
#define RELEASE_NS (10 * NS_PER_MS)
#define START_FDS (8 + JUDGE_PORTS)

/* The copies are there with a collector, texts and snapshot with rules: then the ports. */
enum start_fd { FD_EVENTS, FD_LIMITS, FD_STATS, FD_MARKS, FD_MORE };

struct wall {
	struct judge *judge;
	struct wall_stats *stats;
	struct mark_ring *marks;
	struct copy_ring *copies[2]; /* by enum judge_copy_to; NULL: nobody listens */
	uint8_t *copy_room;          /* FRAME_MAX bytes */
	int events;
	uint64_t lost;
	uint32_t n_ports;
	struct port *ports[JUDGE_PORTS];
	int fds[JUDGE_PORTS];           /* owned */
	int64_t ailing_ns[JUDGE_PORTS]; /* not polled before this moment: its device is gone */
	uint32_t to_flush;              /* ports with queued frames, as bits */
	uint32_t busy, sent;            /* ports that had or got frames lately, as bits */
	int64_t tick_ns, beat_ns, stats_event_ns;
	/* ---- rules; all NULL without ---- */
	struct scrub *scrub;
	struct rule_set *set;
	struct loader *loader;
	uint32_t swaps;
	int64_t release_ns;
};

/* What the ports need, beside the event loop's own. */
static const struct syscall_row syscalls_wall[] = {
	{"recvmmsg", -1, 0}, {"sendmmsg", -1, 0},           {"recvfrom", -1, 0},
	{"sendto", -1, 0},   {"getsockopt", 1, SOL_PACKET}, /* the kernel's count of drops */
	{NULL, -1, 0},
};

/* ---- events and counters ------------------------------------------------------------------------ */

static void emit(void *ctx, const struct event *e)
{
	struct wall *w = ctx;
	/* Whoever collects sessions marks in them what a rule found. */
	if (e->kind == EVENT_ALERT && w->copies[JUDGE_COPY_TALK] != NULL) {
		const struct copy_head h = {
			.stamp_ns = e->time_ns, .kind = COPY_ALERT, .len = sizeof(*e)};
		copy_put(w->copies[JUDGE_COPY_TALK], &h, e);
	}
	uint64_t before = w->lost;
	role_emit(w->events, e, &w->lost);
	if (w->lost != 0 && w->lost != before)
		w->stats->events_lost++;
}

static void stats_event(struct wall *w, int64_t now)
{
	const struct wall_stats *s = w->stats;
	struct event e = event_new(EVENT_STATS);
	struct event_stats *o = &e.u.stats;
	o->uptime_s = (now - s->started_boot_ns) / NS_PER_SEC;
	o->pkts = s->frames;
	o->bytes = s->bytes;
	o->ipv4 = s->ipv4;
	o->ipv6 = s->ipv6;
	o->tcp = s->tcp;
	o->udp = s->udp;
	o->icmpv4 = s->icmp;
	o->icmpv6 = s->icmp6;
	o->arp = s->arp;
	o->invalid = s->reasons[REASON_MALFORMED] + s->reasons[REASON_BAD_CSUM] +
		     s->reasons[REASON_FRAGMENT];
	o->accepted = s->forwarded;
	o->blocked = s->frames - s->forwarded - s->reasons[REASON_REPLIED];
	o->flows_total = s->flows_total;
	o->flows_active = s->flows_active;
	o->kernel_drops = s->kernel_drops;
	emit(w, &e);
}

static void rules_event(struct wall *w, const struct msg_rules_done *d)
{
	struct event e = event_new(EVENT_HEALTH);
	struct event_health *h = &e.u.health;
	text_copy(h->role, sizeof(h->role), "wall");
	text_copy(h->what, sizeof(h->what), "rules");
	h->count = d->rules;
	h->exit_code = h->signal = -1;
	e.priority = d->result != 0 ? 2 : d->failed > 0 ? 1 : 0;
	if (d->result != 0)
		event_say(&e, "new rules can't be used, the old ones stay: %s",
			  err_text(d->result));
	else
		event_say(&e, "%llu rules are in force%s; %llu did not load",
			  (unsigned long long)d->rules,
			  d->swaps > 0 ? ", taken over between two frames" : "",
			  (unsigned long long)d->failed);
	emit(w, &e);
}

static void beat_rules(struct wall *w)
{
	struct wall_rules *to = &w->stats->rules;
	struct scrub_stats s;
	scrub_read_stats(w->scrub, &s);
	to->in_force = rule_set_count(w->set);
	to->swaps = w->swaps;
	to->alerts = s.inspect.alerts;
	to->dropped = s.dropped;
	to->rejected = s.rejected;
	to->rewritten = s.rewritten;
	to->edits = s.edits;
	to->late = s.late;
	to->held = s.held;
	to->held_timeout = s.held_timeout;
	to->normalised = s.normalised;
	to->flows = s.inspect.stream.active;
	to->given_up = s.inspect.engine.budget_exceeded + s.inspect.engine.pcre_limit;
	to->memory = s.inspect.memory.used;
	to->memory_limit = s.inspect.memory.reserved;
	to->memory_refused = s.inspect.memory.refused;
}

/* Once a second: counters of the ports, and the sign of life. */
static void beat(struct wall *w, int64_t now)
{
	uint64_t drops = 0, failed = 0;
	for (uint32_t i = 0; i < w->n_ports; i++) {
		struct port_stats p;
		port_read_stats(w->ports[i], &p);
		w->stats->ports[i].rx_frames = p.rx_frames;
		w->stats->ports[i].rx_bytes = p.rx_bytes;
		w->stats->ports[i].tx_frames = p.tx_frames;
		w->stats->ports[i].tx_bytes = p.tx_bytes;
		w->stats->ports[i].kernel_drops = p.rx_kernel_drops;
		w->stats->ports[i].send_failed = p.tx_failed;
		drops += p.rx_kernel_drops;
		failed += p.tx_failed;
	}
	if (w->scrub != NULL)
		beat_rules(w);
	w->stats->kernel_drops = drops;
	w->stats->send_failed = failed;
	w->stats->beat_boot_ns = now;
}

static void tick(struct wall *w, int64_t now)
{
	if (now - w->tick_ns < TICK_NS)
		return;
	w->tick_ns = now;
	judge_tick(w->judge, now);
	if (now - w->beat_ns >= NS_PER_SEC) {
		w->beat_ns = now;
		beat(w, now);
	}
	if (now - w->stats_event_ns >= STATS_EVENT_NS) {
		w->stats_event_ns = now;
		stats_event(w, now);
	}
}

/* ---- frames ----------------------------------------------------------------------------------------- */

static void flush(struct wall *w)
{
	for (uint32_t i = 0; w->to_flush != 0; i++) {
		if ((w->to_flush >> i & 1) == 0)
			continue;
		port_flush(w->ports[i]);
		w->to_flush &= ~(1u << i);
	}
}

static void send_frame(struct wall *w, uint16_t port, struct frame *f)
{
	port_send(w->ports[port], f);
	w->to_flush |= 1u << port;
	w->sent |= 1u << port;
}

/* What was made instead of a frame lives only until the next one is judged. */
static void send_now(void *ctx, uint16_t port, struct frame *f)
{
	struct wall *w = ctx;
	send_frame(w, port, f);
	port_flush(w->ports[port]);
	w->to_flush &= ~(1u << port);
}

static void send_changed(struct wall *w, const struct judge_result *r)
{
	for (uint32_t i = 0; i < r->n_frames; i++)
		send_now(w, r->out_port, r->frames[i]);
}

/* Is there something that may have to leave without a frame to drive it? */
static bool waits(const struct wall *w)
{
	return w->scrub != NULL && scrub_waits(w->scrub);
}

static void release(struct wall *w, int64_t now)
{
	if (!waits(w) || now - w->release_ns < RELEASE_NS)
		return;
	w->release_ns = now;
	judge_release(w->judge, now, send_now, w);
}

/* The judge's own frames live only until the next one is judged. */
static void send_replies(struct wall *w, const struct judge_result *r)
{
	for (uint32_t i = 0; i < r->n_replies; i++) {
		send_frame(w, r->reply_port[i], r->replies[i]);
		port_flush(w->ports[r->reply_port[i]]);
		w->to_flush &= ~(1u << r->reply_port[i]);
	}
}

static void put_mark(struct wall *w, const struct judge_result *r, const struct frame *f,
		     const uint8_t *head, uint32_t len)
{
	const struct mark m = {.stamp_ns = f->stamp_ns,
			       .flow_id = r->flow_id,
			       .len = len,
			       .hash = capture_hash(head, len < HASHED ? len : HASHED),
			       .port = f->port,
			       .verdict = r->rewritten ? (uint8_t)VERDICT_REWRITE : r->verdict,
			       .reason = r->reason,
			       .direction = r->direction,
			       .first = r->first};
	mark_put(w->marks, &m);
}

/* ---- copies ------------------------------------------------------------------------------------------- */

/* Where addresses were translated they are put back, in a copy of the copy. */
static void copy_one(struct wall *w, const struct judge_copy *c, const struct frame *f,
		     int64_t stamp_ns)
{
	struct frame own = *f;
	const struct copy_head h = {.stamp_ns = stamp_ns,
				    .flow_id = c->flow_id,
				    .guest = c->guest,
				    .peer_guest = c->peer_guest,
				    .kind = COPY_FRAME_WHOLE,
				    .direction = c->direction,
				    .from_guest = c->from_guest,
				    .begun_by_guest = c->begun_by_guest,
				    .len = f->len};
	if (c->translated) {
		own.data = w->copy_room;
		own.cap = FRAME_MAX;
		own.len = f->len < FRAME_MAX ? f->len : FRAME_MAX;
		memcpy(own.data, f->data, own.len);
		judge_copy_view(c, &own);
	}
	copy_put(w->copies[c->to], &h, own.data);
}

static void copy_what_left(struct wall *w, const struct judge_result *r, const struct frame *f)
{
	if (w->copies[r->copy->to] == NULL)
		return;
	if (!r->changed)
		copy_one(w, r->copy, f, f->stamp_ns);
	for (uint32_t i = 0; r->changed && i < r->n_frames; i++)
		copy_one(w, r->copy, r->frames[i], f->stamp_ns);
}

static void copy_released(void *ctx, const struct judge_copy *c, const struct frame *f)
{
	struct wall *w = ctx;
	if (w->copies[c->to] != NULL)
		copy_one(w, c, f, clock_wall_ns());
}

static void copy_tally(void *ctx, const struct judge_tally *t)
{
	struct wall *w = ctx;
	const struct copy_head h = {.stamp_ns = clock_wall_ns(),
				    .flow_id = t->flow_id,
				    .guest = t->guest,
				    .peer_guest = t->peer_guest,
				    .kind = COPY_TALLY,
				    .direction = t->direction,
				    .bytes_to = t->to_guest,
				    .bytes_from = t->from_guest,
				    .peer = t->peer,
				    .inside = t->inside,
				    .peer_port = t->peer_port,
				    .port = t->port,
				    .proto = IPPROTO_TCP,
				    .ended = t->ended};
	if (w->copies[JUDGE_COPY_TALK] != NULL)
		copy_put(w->copies[JUDGE_COPY_TALK], &h, NULL);
}

static void one_frame(struct wall *w, struct frame *f, int64_t now)
{
	struct judge_result r;
	uint8_t head[HASHED]; /* as it came in: judge edits in place */
	uint32_t len = f->len;
	memcpy(head, f->data, len < HASHED ? len : HASHED);
	judge_frame(w->judge, now, f, &r);
	if (r.copy != NULL) /* before they are sent: ports may take their buffers */
		copy_what_left(w, &r, f);
	if (r.verdict == VERDICT_FORWARD && r.changed)
		send_changed(w, &r);
	else if (r.verdict == VERDICT_FORWARD)
		send_frame(w, r.out_port, f);
	if (r.verdict != VERDICT_FORWARD || r.first || r.rewritten)
		put_mark(w, &r, f, head, len);
	if (r.n_replies > 0)
		send_replies(w, &r);
}

static void burst(struct wall *w, uint32_t port)
{
	struct frame *frames;
	int64_t now = clock_boot_ns();
	int n = port_recv(w->ports[port], &frames);
	if (n < 0) {
		w->ailing_ns[port] = now + TICK_NS;
		return;
	}
	for (int i = 0; i < n; i++)
		one_frame(w, &frames[i], now);
	flush(w); /* the next burst takes the same buffers */
	if (n > 0)
		w->busy |= 1u << port;
}

/* What follows a frame, or answers it, often comes at once: falling asleep and being woken takes longer. So
 * ports that had frames, and those that got them, are asked for a moment before. */
static void linger(struct wall *w)
{
	int64_t begin = clock_boot_ns(), last = begin, now = begin;
	uint32_t ports = w->busy | w->sent;
	w->busy = w->sent = 0;
	while (ports != 0 && now - last < SPIN_NS && now - begin < SPINS_NS) {
		for (uint32_t i = 0; i < w->n_ports; i++)
			if ((ports >> i & 1) != 0)
				burst(w, i);
		now = clock_boot_ns();
		if (w->busy != 0)
			last = now;
		ports |= w->busy | w->sent;
		w->busy = w->sent = 0;
	}
}

/* ---- super's word ---------------------------------------------------------------------------------------- */

static void port_message(struct wall *w, struct ipc_msg *m)
{
	struct msg_port p;
	memcpy(&p, m->payload, sizeof(p));
	if (p.index >= w->n_ports)
		return;
	if (p.has_fd && m->n_fds == 1) {
		int fd = fd_take(&m->fds[0]);
		port_reattach(w->ports[p.index], fd);
		fd_close(&w->fds[p.index]);
		w->fds[p.index] = fd;
		w->ailing_ns[p.index] = 0;
	}
	/* On an error the old bindings stay. */
	int err = judge_port_set(w->judge, p.index, &p.port, clock_boot_ns());
	if (err != 0)
		log_line(LOG_ERROR, "port %u can't be set: %s", p.index, err_text(err));
}

static void host_message(struct wall *w, const struct ipc_msg *m)
{
	struct msg_host h;
	memcpy(&h, m->payload, sizeof(h));
	judge_host(w->judge, h.host, h.n, clock_boot_ns());
}

static void orders_message(struct wall *w, const struct ipc_msg *m)
{
	struct policy_now now;
	memcpy(&now, m->payload, sizeof(now));
	int err = judge_orders(w->judge, &now, clock_boot_ns());
	if (err != 0)
		log_line(LOG_ERROR, "orders can't be followed: %s", err_text(err));
}

/* ---- rules ----------------------------------------------------------------------------------------------- */

static void tell_rules(struct wall *w, const struct msg_rules_done *d)
{
	rules_event(w, d);
	int err = ipc_send(ROLE_SUPER_FD, MSG_RULES_DONE, d, sizeof(*d), NULL, 0);
	if (err != 0)
		log_line(LOG_WARN, "super does not hear of the rules: %s", err_text(err));
}

static void rules_message(struct wall *w, struct ipc_msg *m)
{
	struct msg_rules_done d = {.result = SKEP_EUNSUPPORTED, .swaps = w->swaps};
	if (w->loader != NULL) {
		int texts = fd_take(&m->fds[0]), snapshot = fd_take(&m->fds[1]);
		d.result = loader_order(w->loader, texts, snapshot, w->set);
	}
	if (d.result != 0)
		tell_rules(w, &d);
}

/* Between two bursts: no frame is in hand, so none is lost and none passes without rules. */
static void swap_rules(struct wall *w)
{
	struct loader_answer a;
	if (!loader_take(w->loader, &a))
		return;
	struct msg_rules_done d = {.result = a.result,
				   .rules = a.counts.rules,
				   .failed = a.counts.failed,
				   .warnings = a.counts.warnings,
				   .load_ns = a.counts.load_ns};
	if (a.result == 0) {
		int64_t begin = clock_boot_ns();
		struct rule_engine *old = scrub_swap(w->scrub, a.engine);
		d.swap_ns = clock_boot_ns() - begin;
		loader_discard(w->loader, w->set, old);
		w->set = a.set;
		w->swaps++;
	}
	d.swaps = w->swaps;
	tell_rules(w, &d);
}

enum word { WORD_NONE, WORD_STOP, WORD_GONE };

static enum word listen_to_super(struct wall *w)
{
	_Alignas(8) uint8_t buf[sizeof(struct policy_now) + sizeof(struct msg_port)];
	_Static_assert(sizeof(buf) >= sizeof(struct msg_host), "every message fits");
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_WALL), buf, sizeof(buf), &m)) == 0) {
		bool stop = m.type == MSG_STOP;
		if (m.type == MSG_PORT)
			port_message(w, &m);
		if (m.type == MSG_ORDERS)
			orders_message(w, &m);
		if (m.type == MSG_HOST)
			host_message(w, &m);
		if (m.type == MSG_RULES)
			rules_message(w, &m);
		ipc_msg_done(&m);
		if (stop)
			return WORD_STOP;
	}
	return err == -EAGAIN || err == SKEP_EPEER ? WORD_NONE : WORD_GONE;
}

/* One burst of each ready port in turn: a flood at one starves no other. */
static enum word run(struct wall *w)
{
	struct pollfd fds[JUDGE_PORTS + 2];
	for (;;) {
		int64_t now = clock_boot_ns();
		for (uint32_t i = 0; i < w->n_ports; i++)
			fds[i] = (struct pollfd){.fd = now < w->ailing_ns[i] ? -1
									     : port_fd(w->ports[i]),
						 .events = POLLIN};
		fds[w->n_ports] = (struct pollfd){.fd = ROLE_SUPER_FD, .events = POLLIN};
		fds[w->n_ports + 1] = (struct pollfd){
			.fd = w->loader != NULL ? loader_fd(w->loader) : -1, .events = POLLIN};
		int64_t wait = w->tick_ns + TICK_NS - now;
		if (waits(w) && wait > w->release_ns + RELEASE_NS - now)
			wait = w->release_ns + RELEASE_NS - now;
		int n = poll(fds, w->n_ports + 2, wait > 0 ? (int)(wait / NS_PER_MS) + 1 : 0);
		if (n < 0 && errno != EINTR)
			return WORD_GONE;
		if (n > 0 && fds[w->n_ports].revents != 0) {
			enum word word = listen_to_super(w);
			if (word != WORD_NONE)
				return word;
		}
		if (n > 0 && fds[w->n_ports + 1].revents != 0)
			swap_rules(w);
		for (uint32_t i = 0; n > 0 && i < w->n_ports; i++)
			if (fds[i].revents != 0)
				burst(w, i);
		linger(w);
		release(w, clock_boot_ns());
		tick(w, clock_boot_ns());
	}
}

/* ---- start ------------------------------------------------------------------------------------------------- */

static int attach(struct wall *w, struct arena *arena, const struct judge_conf *conf,
		  const int *fds)
{
	struct port_pool *pool;
	int err = port_pool_create(arena, &pool);
	for (uint16_t i = 0; err == 0 && i < conf->n_ports; i++) {
		struct stat st;
		if (fstat(fds[i], &st) != 0)
			return -errno;
		w->fds[i] = fds[i];
		err = port_attach(arena, pool, S_ISSOCK(st.st_mode) ? PORT_PACKET : PORT_TAP,
				  fds[i], i, conf->ports[i].name, &w->ports[i]);
	}
	w->n_ports = conf->n_ports;
	return err;
}

static int map_shared(struct wall *w, const int *fds, bool copies, void **ret_limits)
{
	void *stats, *marks;
	int err = shm_map(fds[FD_LIMITS], judge_limits_bytes(), true, ret_limits);
	if (err == 0)
		err = shm_map(fds[FD_STATS], sizeof(struct wall_stats), true, &stats);
	if (err == 0)
		err = shm_map(fds[FD_MARKS], mark_ring_bytes(), true, &marks);
	for (unsigned i = 0; copies && i < ARRAY_LEN(w->copies) && err == 0; i++) {
		void *ring;
		err = shm_map(fds[FD_MORE + i], copy_ring_bytes(), true, &ring);
		w->copies[i] = err == 0 ? copy_ring_at(ring) : NULL;
	}
	if (err != 0)
		return err;
	w->stats = stats;
	w->marks = mark_ring_at(marks);
	w->events = fds[FD_EVENTS];
	return 0;
}

static int prepare_rules(struct wall *w, const struct start_wall *start, int texts, int snapshot)
{
	struct loader_counts counts;
	bool ids = start->rules_mode == RULES_IDS;
	int err = loader_read(texts, snapshot, &w->set, &counts);
	if (err != 0)
		return err;
	const struct rule_engine_conf engine = {.inline_mode = !ids, .midstream = ids};
	/* It remembers each conversation for longer than the judge, who says when one is over. */
	const struct conf_wall *c = &start->judge.wall;
	bool judged = !start->judge.bridge;
	const struct stream_conf stream = {
		.flows = c->flows,
		.tcp_est_ns = judged ? c->tcp_idle_ns + NS_PER_SEC : 0,
		.udp_ns = judged ? c->udp_idle_ns + NS_PER_SEC : 0,
		.icmp_ns = judged ? c->icmp_idle_ns + NS_PER_SEC : 0,
		.other_ns = judged ? c->udp_idle_ns + NS_PER_SEC : 0,
	};
	const struct scrub_conf conf = {
		.inspect = {.engine = engine,
			    .stream = stream,
			    .rules = w->set,
			    .memory_bytes = (size_t)start->rules_memory},
		.ids = ids,
		.hold_ns = start->rules_hold_ns,
	};
	err = scrub_create(&conf, &w->scrub);
	const struct loader_conf lc = {.engine = engine,
				       .slab = err == 0 ? scrub_slab(w->scrub) : NULL};
	if (err == 0)
		err = loader_create(&lc, &w->loader);
	const struct msg_rules_done d = {.result = err,
					 .rules = counts.rules,
					 .failed = counts.failed,
					 .warnings = counts.warnings,
					 .load_ns = counts.load_ns};
	if (err == 0)
		tell_rules(w, &d);
	return err;
}

static int prepare(struct wall *w, struct arena *arena, struct start_wall *start, int *fds,
		   size_t n_fds)
{
	void *limits;
	struct judge_conf *conf = &start->judge;
	bool rules = start->rules_mode != RULES_OFF;
	size_t book = start->copies ? FD_MORE + 2 : FD_MORE, first = rules ? book + 2 : book;
	if (conf->n_ports == 0 || conf->n_ports > JUDGE_PORTS || n_fds != first + conf->n_ports ||
	    start->rules_mode > RULES_OFF)
		return SKEP_EPEER;
	int err = map_shared(w, fds, start->copies, &limits);
	if (err == 0)
		err = arena_create(judge_arena_bytes(conf) + PORTS_ARENA + FRAME_MAX + 64, arena);
	if (err == 0 && (w->copy_room = arena_alloc(arena, 1, FRAME_MAX)) == NULL)
		err = -ENOMEM;
	if (err == 0)
		err = attach(w, arena, conf, fds + first);
	if (err == 0 && rules) {
		err = prepare_rules(w, start, fds[book], fds[book + 1]);
		fd_close(&fds[book]);
		fd_close(&fds[book + 1]);
	}
	if (err != 0)
		return err;
	conf->scrub = w->scrub;
	conf->boot_id = (uint64_t)(clock_wall_ns() / NS_PER_MS);
	if (!start->copies)
		conf->copies = (struct judge_copies){0};
	err = judge_create(arena, conf, limits, w->stats, emit, w, clock_boot_ns(), &w->judge);
	if (err == 0 && start->copies)
		judge_listen(w->judge, &(struct judge_listener){copy_tally, copy_released, w});
	return err;
}

static int confine(void)
{
	const struct syscall_row *const tables[] = {syscalls_common, syscalls_wall};
	const struct msg_ready ready = {(uint32_t)getpid()};
	heap_seal();
	int err = confine_final(tables, ARRAY_LEN(tables));
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	return err;
}

/* Memory goes with the process; taking it apart before would need calls that its filter has not. */
static void give_back(struct wall *w)
{
	loader_end(&w->loader);
#ifdef SKEP_SANITIZE /* the leak check */
	scrub_free(&w->scrub);
	rule_set_free(&w->set);
#endif
}

int role_wall(void)
{
	struct start_wall start;
	struct wall w = {0};
	struct arena arena = {0};
	int fds[START_FDS];
	size_t n_fds = 0;
	log_setup("wall", LOG_INFO);
	int err = confine_early(0, true);
	if (err == 0)
		err = role_wait_start(ROLE_WALL, MSG_START_WALL, &start, sizeof(start), fds,
				      ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(&w, &arena, &start, fds, n_fds);
	if (err == 0)
		err = confine();
	if (err != 0) {
		log_line(LOG_ERROR, "wall can't start: %s", err_text(err));
		return 1;
	}
	if (run(&w) == WORD_STOP) {
		judge_finish(w.judge, clock_boot_ns());
		if (w.scrub != NULL)
			scrub_finish(w.scrub);
		beat(&w, clock_boot_ns());
		/* Nothing is left to do about a super that is gone. */
		err = ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	}
	give_back(&w);
	arena_destroy(&arena);
	return err == 0 || err == -EPIPE ? 0 : 1;
}
