/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub: takes events from every role, checks them, gives id and incident, and hands them to ledger, and
 * those of interest to alerter. It has no disk and never waits: a full queue drops the least important, and
 * says so; neither consumer's trouble is the other's.
 *
 * What a role may say is a table: a wall that was taken over can still not claim that a guest
 * stopped, or speak in super's name.
 */
#include "alert/alert.h"
#include "packet/packet.h"
#include "role/incident.h"
#include "role/outlet.h"
#include "role/role.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEDGER_ROUTINE 6144u
#define LEDGER_NOTABLE 2048u
#define ALERTER_ROUTINE 4096u /* with what it has not acknowledged */
#define ALERTER_NOTABLE 2048u
#define BURST 64 /* events taken from one source before the next has its turn */
#define OPEN_INCIDENTS 4096
#define OPEN_PER_S 50
#define HELD 128u            /* events that wait for a word of a guest's monitor ... */
#define HELD_NS (NS_PER_SEC) /* ... so long */
#define HELD_MS 50
#define COMPLAIN_NS (10 * NS_PER_SEC)
#define DRAIN_NS (2 * NS_PER_SEC)
#define PAST_NS (86400 * NS_PER_SEC)
#define FUTURE_NS (5 * NS_PER_SEC)

struct held {
	struct event e;
	int64_t until_ns;
};

struct source {
	int fd;
	uint8_t role;
	struct outlet *back; /* the way back of a consumer; NULL: no such */
	char name[EVENT_NAME];
	uint64_t refused; /* since the last complaint */
	int64_t complained_ns;
};

struct hub {
	struct outlet ledger, alerter;
	bool with_alerter;
	uint32_t n_sources; /* the last ones are the consumers' ways back */
	struct source sources[HUB_SOURCES + 2];
	struct held *held; /* in the order of their coming */
	uint32_t n_held;
	struct incidents *incidents;
	uint64_t last_id;
	int64_t id_ns; /* when that was given; boot clock */
	int64_t told_lost_ns, ticked_ns;
};

static const uint32_t may_say[ROLES] = {
	[ROLE_SUPER] = 1u << EVENT_GUEST | 1u << EVENT_HEALTH | 1u << EVENT_CONTAINMENT |
		       1u << EVENT_ESCAPE,
	[ROLE_WALL] = 1u << EVENT_CONNECTION | 1u << EVENT_LIMIT | 1u << EVENT_FLOW |
		      1u << EVENT_ANOMALY | 1u << EVENT_STATS | 1u << EVENT_HEALTH |
		      1u << EVENT_CONTAINMENT | 1u << EVENT_ALERT | 1u << EVENT_DROP,
	[ROLE_RECORDER] = 1u << EVENT_HEALTH,
	[ROLE_KEEPER] = 1u << EVENT_GUEST | 1u << EVENT_HEALTH,
	[ROLE_HUB] = 0,
	[ROLE_LEDGER] = 1u << EVENT_HEALTH | 1u << EVENT_SEAL,
	[ROLE_SINK] = 1u << EVENT_SINK | 1u << EVENT_HEALTH,
	[ROLE_COLLECTOR] = 1u << EVENT_SESSION | 1u << EVENT_COMMAND | 1u << EVENT_LOGIN |
			   1u << EVENT_SYSLOG | 1u << EVENT_FILE | 1u << EVENT_ACTIVITY |
			   1u << EVENT_SILENCE | 1u << EVENT_MISMATCH | 1u << EVENT_HEALTH,
	[ROLE_ALERTER] = 1u << EVENT_NOTICE | 1u << EVENT_HEALTH,
	[ROLE_COURIER] = 0,
};

/* ---- who gets it ------------------------------------------------------------------------------ */

/* In the order of ids: ledger gets all, alerter what may deserve somebody's attention. */
static void push(struct hub *h, const struct event *e)
{
	outlet_push(&h->ledger, e);
	/* What is said of messages never becomes one. */
	if (h->with_alerter && e->kind != EVENT_NOTICE && alert_wants(e))
		outlet_push(&h->alerter, e);
}

static void send_queued(struct hub *h)
{
	outlet_send(&h->ledger);
	if (h->with_alerter)
		outlet_send(&h->alerter);
}

/* ---- stamps ------------------------------------------------------------------------------------- */

static uint64_t next_id(void *ctx)
{
	struct hub *h = ctx;
	int64_t boot = clock_boot_ns();
	h->last_id = outlet_id(h->last_id, (uint64_t)clock_wall_ns() / 1000,
			       (uint64_t)(boot - h->id_ns) / 1000);
	h->id_ns = boot;
	return h->last_id;
}

static void take_incident(void *ctx, const struct event *e)
{
	struct hub *h = ctx;
	struct event copy = *e;
	if (copy.id == 0)
		copy.id = next_id(h);
	push(h, &copy);
}

void role_community_ids(struct event *e)
{
	struct event_tuple *t = event_tuple_of(e);
	_Static_assert(sizeof(t->community_id) >= COMMUNITY_ID_TEXT, "room for the text");
	if (t == NULL)
		return;
	memset(t->community_id, 0, sizeof(t->community_id));
	memset(t->inside_community_id, 0, sizeof(t->inside_community_id));
	bool icmp = t->proto == 1 || t->proto == 58;
	if (t->src.ver != 0 && t->src.ver == t->dst.ver)
		packet_community_id(&t->src, &t->dst, t->proto, t->sport, t->dport,
				    t->community_id);
	if (t->in_src.ver != 0 && t->in_src.ver == t->in_dst.ver)
		packet_community_id(&t->in_src, &t->in_dst, t->proto, icmp ? t->sport : t->in_sport,
				    icmp ? t->dport : t->in_dport, t->inside_community_id);
}

/* Incident and id; then it is on its way. */
static void pass_event(struct hub *h, struct event *e)
{
	incident_event(h->incidents, clock_boot_ns(), e);
	e->id = next_id(h);
	push(h, e);
}

static bool is_held(const struct hub *h, uint64_t flow_id, uint32_t before)
{
	for (uint32_t i = 0; i < before && flow_id != 0; i++)
		if (h->held[i].e.flow_id == flow_id)
			return true;
	return false;
}

/* Those that have their word, or waited long enough, go on, and what stands behind them. */
static void release_held(struct hub *h, bool all)
{
	int64_t now = clock_boot_ns();
	uint32_t kept = 0;
	for (uint32_t i = 0; i < h->n_held; i++) {
		struct held *at = &h->held[i];
		bool waits = is_held(h, at->e.flow_id, kept) ||
			     (now < at->until_ns && incident_waits(h->incidents, now, &at->e));
		if (all || !waits)
			pass_event(h, &at->e);
		else if (kept++ != i)
			h->held[kept - 1] = *at;
	}
	h->n_held = kept;
}

/* Stamps; the process that began a conversation may be known in a moment. */
static void accept_event(struct hub *h, struct event *e)
{
	int64_t now = clock_wall_ns(), boot = clock_boot_ns();
	if (e->time_ns < now - PAST_NS || e->time_ns > now + FUTURE_NS)
		e->time_ns = now;
	role_community_ids(e);
	incident_arrived(h->incidents, e);
	if (is_held(h, e->flow_id, h->n_held) || incident_waits(h->incidents, boot, e)) {
		if (h->n_held == HELD)
			release_held(h, true);
		h->held[h->n_held++] = (struct held){*e, boot + HELD_NS};
		return;
	}
	pass_event(h, e);
	if (e->kind == EVENT_ACTIVITY && h->n_held > 0)
		release_held(h, false);
}

static void health(struct hub *h, const char *what, uint64_t count, const char *text)
{
	struct event e = event_new(EVENT_HEALTH);
	e.priority = 1;
	text_copy(e.u.health.role, EVENT_NAME, "hub");
	text_copy(e.u.health.what, EVENT_NAME, what);
	e.u.health.count = count;
	e.u.health.exit_code = e.u.health.signal = -1;
	event_say(&e, "%s", text);
	accept_event(h, &e);
}

/* ---- sources ------------------------------------------------------------------------------------ */

static bool admissible(const struct source *s, const struct event *e)
{
	if (!event_valid(e) || (may_say[s->role] >> e->kind & 1) == 0)
		return false;
	return s->role != ROLE_KEEPER || e->kind != EVENT_GUEST ||
	       strcmp(e->u.guest.guest, s->name) == 0;
}

static void complain(struct hub *h, struct source *s, int64_t now_ns)
{
	char text[EVENT_TEXT];
	if (s->refused == 0 || (s->complained_ns != 0 && now_ns - s->complained_ns < COMPLAIN_NS))
		return;
	snprintf(text, sizeof(text), "%llu messages of %s '%s' were no events it may send",
		 (unsigned long long)s->refused, role_text((enum role)s->role), s->name);
	health(h, "refused", s->refused, text);
	s->refused = 0;
	s->complained_ns = now_ns;
}

static void take_event(struct hub *h, struct source *s, const struct event *received)
{
	struct event e = *received;
	if (!admissible(s, &e)) {
		s->refused++;
		return;
	}
	if (e.kind == EVENT_HEALTH && s->role != ROLE_SUPER)
		text_copy(e.u.health.role, EVENT_NAME, s->name);
	accept_event(h, &e);
}

static void lose_source(struct source *s)
{
	fd_close(&s->fd);
	if (s->back != NULL) /* its number may be another's soon */
		s->back->fd = -1;
}

/* At most a burst; false when there was less. */
static bool read_source(struct hub *h, struct source *s)
{
	_Alignas(8) char buf[sizeof(struct event) + 64];
	struct ipc_msg m;
	for (int i = 0; i < BURST; i++) {
		int err = ipc_recv(s->fd, &role_messages, ROLE_BIT(s->role), ROLE_BIT(ROLE_HUB),
				   buf, sizeof(buf), &m);
		if (err == SKEP_EPEER) {
			s->refused++;
			continue;
		}
		if (err != 0) {
			if (err != -EAGAIN)
				lose_source(s);
			return false;
		}
		if (m.type == MSG_EVENT) {
			struct event e;
			memcpy(&e, m.payload, sizeof(e)); /* the frame may not be aligned */
			take_event(h, s, &e);
		}
		if (m.type == MSG_SEEN && s->back == &h->alerter) {
			struct msg_seen seen;
			memcpy(&seen, m.payload, sizeof(seen));
			outlet_seen(s->back, seen.id, seen.again != 0);
		}
		ipc_msg_done(&m);
	}
	return true;
}

/* ---- life --------------------------------------------------------------------------------------- */

static void tell_lost(struct hub *h, struct outlet *o, const char *who)
{
	char text[EVENT_TEXT];
	uint64_t lost = o->lost;
	if (lost == 0)
		return;
	o->lost = 0;
	snprintf(text, sizeof(text), "%llu events were lost: %s is behind",
		 (unsigned long long)lost, who);
	health(h, "lost", lost, text);
}

static void tick(struct hub *h)
{
	int64_t now = clock_boot_ns();
	if (now - h->ticked_ns < NS_PER_SEC)
		return;
	h->ticked_ns = now;
	incident_tick(h->incidents, now);
	for (uint32_t i = 0; i < h->n_sources; i++)
		complain(h, &h->sources[i], now);
	if (outlet_load(&h->ledger) < 50)
		tell_lost(h, &h->ledger, "ledger");
	/* Of a dead alerter ledger is told from time to time. */
	if (h->alerter.lost > 0 && now - h->told_lost_ns > COMPLAIN_NS) {
		tell_lost(h, &h->alerter, "alerter");
		h->told_lost_ns = now;
	}
}

static bool has_queued(const struct hub *h)
{
	return outlet_waiting(&h->ledger) || (h->with_alerter && outlet_waiting(&h->alerter));
}

/* True when super says stop, or is gone. */
static bool stop_asked(void)
{
	char buf[64];
	struct ipc_msg m;
	int err;
	while ((err = ipc_recv(ROLE_SUPER_FD, &role_messages, ROLE_BIT(ROLE_SUPER),
			       ROLE_BIT(ROLE_HUB), buf, sizeof(buf), &m)) == 0) {
		bool stop = m.type == MSG_STOP;
		ipc_msg_done(&m);
		if (stop)
			return true;
	}
	return err != -EAGAIN && err != SKEP_EPEER;
}

static void run(struct hub *h)
{
	struct pollfd fds[HUB_SOURCES + 3];
	for (bool stop = false; !stop;) {
		for (uint32_t i = 0; i < h->n_sources; i++) {
			const struct outlet *o = h->sources[i].back;
			fds[i] = (struct pollfd){.fd = h->sources[i].fd, .events = POLLIN};
			if (o != NULL && outlet_waiting(o))
				fds[i].events |= POLLOUT;
		}
		fds[h->n_sources] = (struct pollfd){.fd = ROLE_SUPER_FD, .events = POLLIN};
		if (poll(fds, h->n_sources + 1, h->n_held > 0 ? HELD_MS : 1000) < 0 &&
		    errno != EINTR)
			return;
		if (h->n_held > 0)
			release_held(h, false);
		for (uint32_t i = 0; i < h->n_sources; i++)
			if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
				read_source(h, &h->sources[i]);
		tick(h);
		send_queued(h);
		stop = fds[h->n_sources].revents != 0 && stop_asked();
	}
}

/* What roles have sent already still counts; ledger gets a bounded time to take it. */
static void drain(struct hub *h)
{
	int64_t end = clock_boot_ns() + DRAIN_NS;
	bool more = true;
	while (more && clock_boot_ns() < end) {
		more = false;
		for (uint32_t i = 0; i < h->n_sources; i++)
			if (h->sources[i].fd >= 0 && read_source(h, &h->sources[i]))
				more = true;
		send_queued(h);
	}
	release_held(h, true);
	incident_finish(h->incidents, clock_boot_ns());
	tell_lost(h, &h->ledger, "ledger");
	tell_lost(h, &h->alerter, "alerter");
	while (has_queued(h) && clock_boot_ns() < end) {
		struct pollfd pfds[2] = {
			{.fd = outlet_waiting(&h->ledger) ? h->ledger.fd : -1, .events = POLLOUT},
			{.fd = h->alerter.fd, .events = POLLOUT}};
		if (!h->with_alerter || !outlet_waiting(&h->alerter))
			pfds[1].fd = -1;
		poll(pfds, 2, 100);
		send_queued(h);
	}
}

static void add_back(struct hub *h, enum role role, struct outlet *o)
{
	struct source *s = &h->sources[h->n_sources++];
	*s = (struct source){.fd = o->fd, .role = (uint8_t)role, .back = o};
	text_copy(s->name, sizeof(s->name), role_text(role));
}

static int make_outlets(struct hub *h, struct arena *arena, const int *fds)
{
	int err = outlet_create(arena, fds[0], false, LEDGER_ROUTINE, LEDGER_NOTABLE, &h->ledger);
	if (err == 0)
		add_back(h, ROLE_LEDGER, &h->ledger);
	if (err != 0 || !h->with_alerter)
		return err;
	err = outlet_create(arena, fds[1], true, ALERTER_ROUTINE, ALERTER_NOTABLE, &h->alerter);
	if (err == 0)
		add_back(h, ROLE_ALERTER, &h->alerter);
	return err;
}

static int prepare(struct hub *h, struct arena *arena, const struct start_hub *start,
		   const int *fds, size_t n_fds)
{
	const struct incident_conf conf = {
		OPEN_INCIDENTS, OPEN_PER_S,    start->conf.incident_quiet_ns,
		next_id,        take_incident, h};
	h->with_alerter = start->with_alerter != 0;
	size_t outlets = h->with_alerter ? 2 : 1;
	if (start->n_sources > HUB_SOURCES || n_fds != start->n_sources + outlets)
		return SKEP_EPEER;
	for (uint32_t i = 0; i < start->n_sources; i++) {
		struct source *s = &h->sources[i];
		if (start->sources[i].role >= ROLES)
			return SKEP_EPEER;
		s->fd = fds[outlets + i];
		s->role = start->sources[i].role;
		memcpy(s->name, start->sources[i].name, sizeof(s->name));
		s->name[EVENT_NAME - 1] = '\0';
	}
	h->n_sources = start->n_sources;
	int err = arena_create(outlet_bytes(LEDGER_ROUTINE, LEDGER_NOTABLE) +
				       outlet_bytes(ALERTER_ROUTINE, ALERTER_NOTABLE) +
				       HELD * sizeof(struct held) + incident_bytes(&conf) + 4096,
			       arena);
	if (err == 0)
		err = make_outlets(h, arena, fds);
	if (err == 0 && (h->held = arena_alloc(arena, HELD, sizeof(*h->held))) == NULL)
		err = SKEP_EFULL;
	if (err == 0)
		err = incident_create(arena, &conf, &h->incidents);
	return err;
}

/* libcrypto reads its configuration with the first digest: before the files are gone. */
static void warm_up(void)
{
	struct event e = event_new(EVENT_FLOW);
	const uint8_t any[4] = {192, 0, 2, 1};
	e.u.flow.tuple.src = e.u.flow.tuple.dst = addr_from_v4(any);
	role_community_ids(&e);
}

int role_hub(void)
{
	struct start_hub start;
	struct hub h = {0};
	struct arena arena = {0};
	int fds[2 + HUB_SOURCES];
	size_t n_fds = 0;
	log_setup("hub", LOG_INFO);
	int err = confine_early(0, false);
	if (err == 0)
		err = role_wait_start(ROLE_HUB, MSG_START_HUB, &start, sizeof(start), fds,
				      ARRAY_LEN(fds), &n_fds);
	if (err == 0)
		err = prepare(&h, &arena, &start, fds, n_fds);
	if (err == 0) {
		/* The heap stays open only for libcrypto, whose digests (community ids) allocate. */
		const struct syscall_row *const tables[] = {syscalls_common, syscalls_heap};
		warm_up();
		err = confine_final(tables, ARRAY_LEN(tables));
	}
	const struct msg_ready ready = {(uint32_t)getpid()};
	if (err == 0)
		err = ipc_send(ROLE_SUPER_FD, MSG_READY, &ready, sizeof(ready), NULL, 0);
	if (err != 0) {
		log_line(LOG_ERROR, "hub can't start: %s", err_text(err));
		return 1;
	}
	run(&h);
	drain(&h);
	/* Nothing is left to do about a super that is gone. */
	err = ipc_send(ROLE_SUPER_FD, MSG_DONE, NULL, 0, NULL, 0);
	arena_destroy(&arena);
	return err == 0 || err == -EPIPE ? 0 : 1;
}
