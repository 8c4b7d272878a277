/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of open incidents. Entries are found by a keyed hash of (guest, peer, sort); the flows
 * they hold by a direct-mapped table of flow ids, which grow by one, so that the newest 64 Ki flows
 * are always in it; what is older is found by its addresses.
 */
#include "role/incident.h"
#include "role/ties.h"

#include <stdio.h>
#include <string.h>

#define BUCKETS 8192u
#define FLOWS 65536u
#define REDIRECTS 4096u
#define SPECIAL 64u /* entries kept for guests' own and overflow incidents */
#define NONE UINT32_MAX
#define UPDATE_NS (10 * NS_PER_SEC)
/* A conversation that is open keeps its incident open, unless its end was lost. */
#define ACTIVE_NS (6 * 3600 * NS_PER_SEC)

/* VISIT: begun from outside. OWN: a guest that nobody visits acts. OVERFLOW: see the header. */
enum sort { VISIT, OWN, OVERFLOW };

struct key {
	char guest[EVENT_NAME];
	struct addr peer;
	uint8_t sort, pad[3];
};

struct incident {
	struct key key;
	uint64_t id;               /* 0: free */
	int64_t start_ns, last_ns; /* wall clock, out of the events */
	int64_t seen_ns, told_ns;  /* our clock */
	uint64_t flows_total;
	uint32_t active; /* conversations let through and not ended */
	uint32_t next, n_flows, news;
	bool session, ambiguous;
	uint64_t flow_ids[INCIDENT_FLOWS];
};

struct flow_slot {
	uint64_t flow_id;
	uint64_t incident; /* id, to notice a reused entry */
	uint32_t index;
	uint32_t open; /* counts in incident.active */
};

/* A conversation that went to the sink, as the sink sees it. */
struct redirect {
	struct addr client, server;
	uint16_t cport, sport; /* sport: as the guest asked */
	uint8_t proto;
	uint64_t flow_id; /* 0: free */
};

struct incidents {
	struct incident_conf conf;
	uint64_t hash_key[2], overflowed;
	uint32_t max, n_open, n_visits;
	uint32_t tokens;
	int64_t tokens_ns;
	uint32_t *buckets;
	struct incident *all;
	struct flow_slot *flows;
	struct redirect *redirects;
	struct ties *ties;
};

size_t incident_bytes(const struct incident_conf *conf)
{
	size_t n = (size_t)conf->max_open + SPECIAL;
	return sizeof(struct incidents) + BUCKETS * sizeof(uint32_t) + n * sizeof(struct incident) +
	       FLOWS * sizeof(struct flow_slot) + REDIRECTS * sizeof(struct redirect) + 5 * 64 +
	       ties_bytes();
}

int incident_create(struct arena *arena, const struct incident_conf *conf, struct incidents **ret)
{
	struct incidents *t = arena_alloc(arena, 1, sizeof(*t));
	if (t == NULL)
		return SKEP_EFULL;
	t->conf = *conf;
	t->max = conf->max_open + SPECIAL;
	t->buckets = arena_alloc(arena, BUCKETS, sizeof(*t->buckets));
	t->all = arena_alloc(arena, t->max, sizeof(*t->all));
	t->flows = arena_alloc(arena, FLOWS, sizeof(*t->flows));
	t->redirects = arena_alloc(arena, REDIRECTS, sizeof(*t->redirects));
	if (t->buckets == NULL || t->all == NULL || t->flows == NULL || t->redirects == NULL)
		return SKEP_EFULL;
	int err = ties_create(arena, &t->ties);
	if (err != 0)
		return err;
	random_fill(t->hash_key, sizeof(t->hash_key));
	memset(t->buckets, 0xff, BUCKETS * sizeof(*t->buckets));
	*ret = t;
	return 0;
}

uint32_t incident_open_count(const struct incidents *t)
{
	return t->n_open;
}

uint64_t incident_overflowed(const struct incidents *t)
{
	return t->overflowed;
}

/* ---- the table -------------------------------------------------------------------------------- */

static struct key key_of(const char *guest, const struct addr *peer, enum sort sort)
{
	struct key k;
	memset(&k, 0, sizeof(k));
	text_copy(k.guest, sizeof(k.guest), guest);
	if (peer != NULL)
		k.peer = *peer;
	k.sort = (uint8_t)sort;
	return k;
}

static uint32_t *bucket_of(struct incidents *t, const struct key *k)
{
	return &t->buckets[hash_keyed(t->hash_key, k, sizeof(*k)) % BUCKETS];
}

static struct incident *find(struct incidents *t, const struct key *k)
{
	for (uint32_t i = *bucket_of(t, k); i != NONE; i = t->all[i].next)
		if (memcmp(&t->all[i].key, k, sizeof(*k)) == 0)
			return &t->all[i];
	return NULL;
}

static struct incident *find_free(struct incidents *t)
{
	for (uint32_t i = 0; i < t->max && t->n_open < t->max; i++)
		if (t->all[i].id == 0)
			return &t->all[i];
	return NULL;
}

static void forget(struct incidents *t, struct incident *in)
{
	uint32_t self = (uint32_t)(in - t->all), *at = bucket_of(t, &in->key);
	while (*at != self)
		at = &t->all[*at].next;
	*at = in->next;
	t->n_open--;
	if (in->key.sort == VISIT)
		t->n_visits--;
	memset(in, 0, sizeof(*in));
}

static void say(struct event *e, const struct incident *in)
{
	char peer[ADDR_TEXT], who[EVENT_TEXT];
	const char *guest = in->key.guest, *state = e->u.incident.state;
	unsigned long long n = in->flows_total;
	if (in->key.sort == OVERFLOW)
		snprintf(who, sizeof(who), "more visitors to %s than are told apart", guest);
	else if (in->key.sort == OWN)
		snprintf(who, sizeof(who), "%s acts, visited by nobody", guest);
	else
		snprintf(who, sizeof(who), "%s visits %s", addr_text(&in->key.peer, peer), guest);
	if (strcmp(state, "open") == 0)
		event_say(e, "%s", who);
	else
		event_say(e, "%s: %llu conversations%s%s", who, n,
			  strcmp(state, "quiet") == 0 ? ", now quiet" : "",
			  in->ambiguous ? "; some may be another visitor's" : "");
}

static void tell(struct incidents *t, struct incident *in, const char *state, int64_t now_ns)
{
	struct event e = event_new(EVENT_INCIDENT);
	bool opens = strcmp(state, "open") == 0;
	e.id = opens ? in->id : 0;
	e.incident = in->id;
	e.direction = in->key.sort == OWN ? DIR_OUTBOUND : DIR_INBOUND;
	e.priority = 1;
	text_copy(e.u.incident.guest, EVENT_NAME, in->key.guest);
	text_copy(e.u.incident.state, EVENT_NAME, state);
	e.u.incident.peer = in->key.peer;
	e.u.incident.start_ns = in->start_ns;
	e.u.incident.last_ns = in->last_ns;
	e.u.incident.flows_total = in->flows_total;
	e.u.incident.ambiguous = in->ambiguous;
	e.u.incident.n_flows = in->n_flows;
	memcpy(e.u.incident.flow_ids, in->flow_ids, sizeof(in->flow_ids));
	if (opens)
		e.time_ns = in->start_ns;
	say(&e, in);
	in->n_flows = 0;
	in->news = 0;
	in->told_ns = now_ns;
	t->conf.emit(t->conf.ctx, &e);
}

static bool may_open_visit(struct incidents *t, int64_t now_ns)
{
	if (t->n_visits >= t->conf.max_open)
		return false;
	if (now_ns - t->tokens_ns >= NS_PER_SEC) {
		t->tokens_ns = now_ns;
		t->tokens = t->conf.open_per_s;
	}
	if (t->tokens == 0)
		return false;
	t->tokens--;
	return true;
}

static struct incident *open_new(struct incidents *t, const struct key *k, int64_t now_ns,
				 const struct event *e)
{
	/* Guests' names come from the wall: they may not use up the visitors' places. */
	if (k->sort != VISIT && t->n_open - t->n_visits >= SPECIAL)
		return NULL;
	struct incident *in = find_free(t);
	if (in == NULL)
		return NULL;
	uint32_t *bucket = bucket_of(t, k);
	in->key = *k;
	in->id = t->conf.next_id(t->conf.ctx);
	in->start_ns = in->last_ns = e->time_ns;
	in->seen_ns = now_ns;
	in->next = *bucket;
	*bucket = (uint32_t)(in - t->all);
	t->n_open++;
	if (k->sort == VISIT)
		t->n_visits++;
	tell(t, in, "open", now_ns);
	return in;
}

static struct incident *find_or_open(struct incidents *t, const struct key *k, int64_t now_ns,
				     const struct event *e)
{
	struct incident *in = find(t, k);
	return in != NULL ? in : open_new(t, k, now_ns, e);
}

/* ---- which incident an event belongs to ------------------------------------------------------- */

static struct incident *visit(struct incidents *t, int64_t now_ns, const struct event *e,
			      const char *guest, const struct addr *peer)
{
	struct key k = key_of(guest, peer, VISIT);
	struct incident *in = find(t, &k);
	bool opens = e->kind == EVENT_CONNECTION && e->verdict == VERDICT_FORWARD;
	if (in != NULL || !opens)
		return in;
	if (may_open_visit(t, now_ns))
		return open_new(t, &k, now_ns, e);
	t->overflowed++;
	k = key_of(guest, NULL, OVERFLOW);
	return find_or_open(t, &k, now_ns, e);
}

static bool better(const struct incident *a, const struct incident *b)
{
	bool as = a->session || a->active > 0, bs = b->session || b->active > 0;
	return as != bs ? as : a->seen_ns > b->seen_ns;
}

/* The likeliest of the guest's visitors; *ret_n: how many there may be. */
static struct incident *likeliest(struct incidents *t, const char *guest, uint32_t *ret_n)
{
	struct incident *best = NULL;
	uint32_t n = 0;
	for (uint32_t i = 0, left = t->n_open; i < t->max && left > 0; i++) {
		struct incident *in = &t->all[i];
		if (in->id == 0)
			continue;
		left--;
		if (in->key.sort == OWN || strncmp(in->key.guest, guest, EVENT_NAME) != 0)
			continue;
		/* Behind an overflow incident stand many. */
		n += in->key.sort == OVERFLOW ? 2 : 1;
		if (best == NULL || better(in, best))
			best = in;
	}
	*ret_n = n;
	return best;
}

/* The guest's visitors first; what it does unvisited has an incident of its own. */
static struct incident *join(struct incidents *t, int64_t now_ns, const struct event *e,
			     const char *guest)
{
	uint32_t n;
	struct incident *best = likeliest(t, guest, &n);
	if (best != NULL) {
		best->ambiguous |= n > 1;
		return best;
	}
	struct key k = key_of(guest, NULL, OWN);
	return e->kind == EVENT_CONNECTION ? find_or_open(t, &k, now_ns, e) : find(t, &k);
}

static struct flow_slot *slot_of(struct incidents *t, uint64_t flow_id)
{
	return &t->flows[flow_id % FLOWS];
}

static struct incident *find_flow(struct incidents *t, uint64_t flow_id)
{
	struct flow_slot *s = slot_of(t, flow_id);
	if (flow_id == 0 || s->flow_id != flow_id)
		return NULL;
	struct incident *in = &t->all[s->index];
	return in->id == s->incident ? in : NULL;
}

/* A conversation ended; or its place is needed. */
static void flow_ended(struct incidents *t, struct flow_slot *s)
{
	struct incident *in = s->flow_id != 0 ? &t->all[s->index] : NULL;
	if (in != NULL && in->id == s->incident && s->open != 0 && in->active > 0)
		in->active--;
	s->open = 0;
}

static void add_flow(struct incidents *t, struct incident *in, int64_t now_ns,
		     const struct event *e)
{
	struct flow_slot *s = slot_of(t, e->flow_id);
	flow_ended(t, s);
	*s = (struct flow_slot){e->flow_id, in->id, (uint32_t)(in - t->all),
				e->verdict == VERDICT_FORWARD || e->verdict == VERDICT_REDIRECT};
	in->active += s->open;
	in->flows_total++;
	if (in->n_flows < INCIDENT_FLOWS)
		in->flow_ids[in->n_flows++] = e->flow_id;
	/* The shared one is told every 10 s only: a flood must not make more events than it is. */
	if (in->n_flows == INCIDENT_FLOWS && in->key.sort != OVERFLOW)
		tell(t, in, "update", now_ns);
}

static void flow_closed(struct incidents *t, struct incident *in, const struct event *e)
{
	struct flow_slot *s = slot_of(t, e->flow_id);
	if (s->flow_id == e->flow_id)
		flow_ended(t, s);
	if (e->u.flow.tuple.proto == 6 && strcmp(e->u.flow.state, "new") != 0)
		in->session = true;
}

/* When the wall starts anew, no conversation of the old one goes on. */
static void all_flows_ended(struct incidents *t)
{
	for (uint32_t i = 0; i < FLOWS; i++)
		t->flows[i].open = 0;
	for (uint32_t i = 0; i < t->max; i++)
		t->all[i].active = 0;
}

static struct tie tie_of(const struct incidents *t, const struct incident *in)
{
	return (struct tie){in->id, (uint32_t)(in - t->all)};
}

static struct incident *tied(struct incidents *t, const struct tie *to)
{
	struct incident *in = &t->all[to->index % t->max];
	return to->incident != 0 && in->id == to->incident ? in : NULL;
}

/* Of a visit, as collector tells of it. Without one: whoever may be in the guest. */
static struct incident *visited(struct incidents *t, int64_t now_ns, struct event *e,
				const struct event_visit *v)
{
	uint64_t flow;
	struct tie to;
	struct incident *in = NULL;
	if (ties_of_session(t->ties, v->session, &flow, &to)) {
		if (e->flow_id == 0)
			e->flow_id = flow;
		in = tied(t, &to);
	}
	if (in != NULL)
		return in;
	in = find_flow(t, e->flow_id);
	if (in == NULL && v->peer.ver != 0) {
		struct key k = key_of(v->guest, &v->peer, VISIT);
		in = find(t, &k);
		k = key_of(v->guest, NULL, OVERFLOW);
		if (in == NULL)
			in = find(t, &k);
	} else if (in == NULL) {
		in = join(t, now_ns, e, v->guest);
	}
	if (in != NULL) {
		to = tie_of(t, in);
		ties_session(t->ties, v->session, e->flow_id, &to);
	}
	return in;
}

/* A guest's syslog is nobody's, or that of its only visitor. */
static struct incident *logged(struct incidents *t, const struct event *e)
{
	uint32_t n;
	struct incident *in = likeliest(t, e->u.syslog.guest, &n);
	return n == 1 ? in : NULL;
}

/* What a guest began: by the process, if its monitor has told. */
static struct incident *begun(struct incidents *t, int64_t now_ns, const struct event *e,
			      const char *guest)
{
	struct tie by;
	struct incident *in = NULL;
	if (e->kind == EVENT_CONNECTION && ties_beginner(t->ties, e, &by, now_ns))
		in = tied(t, &by);
	return in != NULL ? in : join(t, now_ns, e, guest);
}

static struct incident *belongs_to(struct incidents *t, int64_t now_ns, struct event *e)
{
	const struct event_visit *v = event_visit_of(e);
	if (v != NULL)
		return visited(t, now_ns, e, v);
	if (e->kind == EVENT_SYSLOG)
		return logged(t, e);
	const char *guest = event_guest_of(e);
	const struct event_tuple *tuple = event_tuple_of(e);
	uint64_t flow_id = e->flow_id;
	if (e->kind == EVENT_LIMIT && flow_id == 0)
		flow_id = e->u.limit.flow_id;
	struct incident *in = find_flow(t, flow_id);
	if (in != NULL)
		return in;
	if (guest[0] == '\0' || e->kind == EVENT_GUEST)
		return NULL;
	if (e->direction == DIR_INBOUND)
		return tuple != NULL ? visit(t, now_ns, e, guest, &tuple->src) : NULL;
	if (e->direction == DIR_OUTBOUND || e->direction == DIR_LATERAL || e->kind == EVENT_LIMIT ||
	    e->kind == EVENT_SINK || e->kind == EVENT_ESCAPE)
		return begun(t, now_ns, e, guest);
	return NULL;
}

/* Direct-mapped: what is pushed out is joined by its guest alone. */
static struct redirect *redirect_of(struct incidents *t, const struct redirect *r)
{
	struct {
		struct addr client, server;
		uint16_t port, proto;
	} key;
	memset(&key, 0, sizeof(key));
	key.client = r->client;
	key.server = r->server;
	key.port = r->cport;
	key.proto = r->proto;
	return &t->redirects[hash_keyed(t->hash_key, &key, sizeof(key)) % REDIRECTS];
}

static void note_redirect(struct incidents *t, const struct event *e)
{
	const struct event_tuple *o = &e->u.connection.tuple;
	const struct redirect r = {o->in_src,   o->in_dst, o->in_sport,
				   o->in_dport, o->proto,  e->flow_id};
	*redirect_of(t, &r) = r;
}

/* Which conversation the sink speaks of, and which port was asked where it can't know. */
static void find_redirect(struct incidents *t, struct event *e)
{
	struct event_sink *o = &e->u.sink;
	const struct redirect like = {
		.client = o->client, .server = o->server, .cport = o->cport, .proto = o->proto};
	const struct redirect *r = redirect_of(t, &like);
	if (o->cport == 0 || r->flow_id == 0 || r->cport != o->cport || r->proto != o->proto ||
	    !addr_eq(&r->client, &o->client) || !addr_eq(&r->server, &o->server))
		return;
	e->flow_id = r->flow_id;
	if (o->sport == 0)
		o->sport = r->sport;
}

void incident_arrived(struct incidents *t, struct event *e)
{
	const struct event_visit *v = event_visit_of(e);
	if (e->kind == EVENT_CONNECTION && e->verdict == VERDICT_REDIRECT)
		note_redirect(t, e);
	if (e->kind == EVENT_CONNECTION && e->verdict == VERDICT_FORWARD &&
	    e->direction != DIR_OUTBOUND)
		ties_conversation(t->ties, e);
	if (e->kind == EVENT_SINK)
		find_redirect(t, e);
	if (v != NULL && e->flow_id == 0)
		e->flow_id = ties_flow(t->ties, v);
}

bool incident_waits(struct incidents *t, int64_t now_ns, const struct event *e)
{
	uint32_t n;
	if (e->kind != EVENT_CONNECTION || e->flow_id == 0 ||
	    (e->direction != DIR_OUTBOUND && e->direction != DIR_LATERAL) ||
	    find_flow(t, e->flow_id) != NULL ||
	    !ties_tells(t->ties, e->u.connection.tuple.guest, now_ns) ||
	    ties_has_begun(t->ties, e, now_ns))
		return false;
	(void)likeliest(t, e->u.connection.tuple.guest, &n);
	return n > 1;
}

/* Does it show that a visitor is still there? What a guest does by itself keeps no incident open. */
static bool is_news(const struct event *e)
{
	const struct event_visit *v = event_visit_of(e);
	return e->kind != EVENT_SYSLOG && (v == NULL || v->session != 0 || v->peer.ver != 0);
}

void incident_event(struct incidents *t, int64_t now_ns, struct event *e)
{
	if (e->kind == EVENT_NOTICE) /* of an incident that alerter knows: nothing happens in it */
		return;
	e->incident = 0;
	if (e->kind == EVENT_HEALTH && strcmp(e->u.health.role, "wall") == 0 &&
	    (strcmp(e->u.health.what, "died") == 0 || strcmp(e->u.health.what, "restarted") == 0))
		all_flows_ended(t);
	if (e->kind == EVENT_HEALTH || e->kind == EVENT_STATS || e->kind == EVENT_INCIDENT ||
	    e->kind == EVENT_SEAL)
		return;
	incident_arrived(t, e);
	struct incident *in = belongs_to(t, now_ns, e);
	if (e->kind == EVENT_ACTIVITY && strcmp(e->u.activity.what, "connect") == 0) {
		struct tie to = in != NULL ? tie_of(t, in) : (struct tie){0};
		/* Of a daemon it says no more than that it was not one of the visitors' own. */
		ties_begun(t->ties, e, e->u.activity.visit.session != 0 ? &to : NULL, now_ns);
	}
	if (in == NULL)
		return;
	e->incident = in->id;
	if (!is_news(e))
		return;
	in->seen_ns = now_ns;
	if (e->time_ns > in->last_ns)
		in->last_ns = e->time_ns;
	in->news++;
	if (e->kind == EVENT_CONNECTION && e->flow_id != 0 && find_flow(t, e->flow_id) == NULL)
		add_flow(t, in, now_ns, e);
	if (e->kind == EVENT_FLOW)
		flow_closed(t, in, e);
}

void incident_tick(struct incidents *t, int64_t now_ns)
{
	for (uint32_t i = 0, left = t->n_open; i < t->max && left > 0; i++) {
		struct incident *in = &t->all[i];
		if (in->id == 0)
			continue;
		left--;
		int64_t quiet = t->conf.quiet_ns;
		if (in->active > 0 && quiet < ACTIVE_NS)
			quiet = ACTIVE_NS;
		if (now_ns - in->seen_ns >= quiet) {
			tell(t, in, "quiet", now_ns);
			forget(t, in);
		} else if (in->news > 0 && now_ns - in->told_ns >= UPDATE_NS) {
			tell(t, in, "update", now_ns);
		}
	}
}

void incident_finish(struct incidents *t, int64_t now_ns)
{
	for (uint32_t i = 0; i < t->max; i++)
		if (t->all[i].id != 0 && t->all[i].news > 0)
			tell(t, &t->all[i], "update", now_ns);
}
