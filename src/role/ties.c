/* SPDX-License-Identifier: BSD-2-Clause */
#include "role/ties.h"

#include <string.h>

#define CONVERSATIONS 16384u
#define SESSIONS 4096u
#define BEGUN 256u
#define GUESTS 32u
#define BEGUN_NS (5 * NS_PER_SEC) /* between a process's word and the wall's */
#define TELLS_NS (600 * NS_PER_SEC)

struct conversation { /* as the guest sees it; zeroed: compared as bytes */
	struct addr client, server;
	uint16_t cport, sport;
	uint8_t proto, pad[3];
};
struct conversation_slot {
	struct conversation c;
	uint64_t flow_id; /* 0: free */
	bool lateral;
	char guest[EVENT_NAME], peer_guest[EVENT_NAME]; /* whose it is, both if one asked another */
};
struct session_slot {
	uint64_t session, flow_id;
	struct tie to;
};
struct begun {
	char guest[EVENT_NAME];
	struct addr addr;
	uint16_t port;
	uint8_t proto;
	bool free, nobody;
	struct tie to;
	int64_t ns;
};
struct teller {
	char guest[EVENT_NAME];
	int64_t ns;
};

struct ties {
	uint64_t hash_key[2];
	struct conversation_slot *conversations;
	struct session_slot *sessions;
	struct begun begun[BEGUN];
	uint32_t begun_at;
	struct teller tellers[GUESTS];
};

size_t ties_bytes(void)
{
	return sizeof(struct ties) + CONVERSATIONS * sizeof(struct conversation_slot) +
	       SESSIONS * sizeof(struct session_slot) + 3 * 64;
}

int ties_create(struct arena *arena, struct ties **ret)
{
	struct ties *t = arena_alloc(arena, 1, sizeof(*t));
	if (t == NULL)
		return SKEP_EFULL;
	t->conversations = arena_alloc(arena, CONVERSATIONS, sizeof(*t->conversations));
	t->sessions = arena_alloc(arena, SESSIONS, sizeof(*t->sessions));
	if (t->conversations == NULL || t->sessions == NULL)
		return SKEP_EFULL;
	for (uint32_t i = 0; i < BEGUN; i++)
		t->begun[i].free = true;
	random_fill(t->hash_key, sizeof(t->hash_key));
	*ret = t;
	return 0;
}

/* ---- visits ---------------------------------------------------------------------------------- */

static struct conversation_slot *slot_of(const struct ties *t, const struct conversation *c)
{
	return &t->conversations[hash_keyed(t->hash_key, c, sizeof(*c)) % CONVERSATIONS];
}

static struct conversation conversation_of(const struct addr *client, uint16_t cport,
					   const struct addr *server, uint16_t sport, uint8_t proto)
{
	struct conversation c;
	memset(&c, 0, sizeof(c));
	c.client = *client;
	c.server = *server;
	c.cport = cport;
	c.sport = sport;
	c.proto = proto;
	return c;
}

void ties_conversation(struct ties *t, const struct event *e)
{
	const struct event_tuple *o = &e->u.connection.tuple;
	const struct conversation c =
		conversation_of(&o->in_src, o->in_sport, &o->in_dst, o->in_dport, o->proto);
	if (e->flow_id == 0)
		return;
	struct conversation_slot *s = slot_of(t, &c);
	*s = (struct conversation_slot){.c = c, .flow_id = e->flow_id};
	s->lateral = e->direction == DIR_LATERAL;
	text_copy(s->guest, sizeof(s->guest), o->guest);
	text_copy(s->peer_guest, sizeof(s->peer_guest), o->peer_guest);
}

/* Whose address a visit came to is the guest's word: another's conversation is none of it. */
static bool may_claim(const struct conversation_slot *s, const char *guest)
{
	return strncmp(s->guest, guest, EVENT_NAME) == 0 ||
	       (s->lateral &&
		(s->peer_guest[0] == '\0' || strncmp(s->peer_guest, guest, EVENT_NAME) == 0));
}

uint64_t ties_flow(const struct ties *t, const struct event_visit *v)
{
	if (v->peer.ver == 0 || v->peer_port == 0)
		return 0;
	const struct conversation c =
		conversation_of(&v->peer, v->peer_port, &v->server, v->server_port, v->proto);
	const struct conversation_slot *s = slot_of(t, &c);
	if (s->flow_id == 0 || memcmp(&s->c, &c, sizeof(c)) != 0)
		return 0;
	return may_claim(s, v->guest) ? s->flow_id : 0;
}

/* Their numbers are times: most differ in their upper bits alone. */
static struct session_slot *session_slot(const struct ties *t, uint64_t session)
{
	return &t->sessions[hash_keyed(t->hash_key, &session, sizeof(session)) % SESSIONS];
}

void ties_session(struct ties *t, uint64_t session, uint64_t flow_id, const struct tie *to)
{
	if (session != 0)
		*session_slot(t, session) = (struct session_slot){session, flow_id, *to};
}

bool ties_of_session(const struct ties *t, uint64_t session, uint64_t *ret_flow, struct tie *ret)
{
	const struct session_slot *s = session_slot(t, session);
	if (session == 0 || s->session != session)
		return false;
	*ret_flow = s->flow_id;
	*ret = s->to;
	return true;
}

/* ---- what guests begin ------------------------------------------------------------------------ */

static void tells(struct ties *t, const char *guest, int64_t now_ns)
{
	struct teller *oldest = &t->tellers[0];
	for (uint32_t i = 0; i < GUESTS; i++) {
		struct teller *r = &t->tellers[i];
		if (strncmp(r->guest, guest, EVENT_NAME) == 0) {
			r->ns = now_ns;
			return;
		}
		if (r->ns < oldest->ns)
			oldest = r;
	}
	text_copy(oldest->guest, sizeof(oldest->guest), guest);
	oldest->ns = now_ns;
}

bool ties_tells(const struct ties *t, const char *guest, int64_t now_ns)
{
	for (uint32_t i = 0; i < GUESTS && guest[0] != '\0'; i++)
		if (strncmp(t->tellers[i].guest, guest, EVENT_NAME) == 0)
			return now_ns - t->tellers[i].ns < TELLS_NS;
	return false;
}

void ties_begun(struct ties *t, const struct event *e, const struct tie *to, int64_t now_ns)
{
	const struct event_activity *a = &e->u.activity;
	struct begun *b = &t->begun[t->begun_at++ % BEGUN];
	tells(t, a->visit.guest, now_ns);
	*b = (struct begun){.addr = a->addr,
			    .port = a->port,
			    .proto = a->proto,
			    .nobody = to == NULL,
			    .ns = now_ns};
	text_copy(b->guest, sizeof(b->guest), a->visit.guest);
	if (to != NULL)
		b->to = *to;
}

/* The oldest that fits, or NULL. */
static const struct begun *find_begun(const struct ties *t, const struct event *e, int64_t now_ns)
{
	const struct event_tuple *o = &e->u.connection.tuple;
	const struct begun *best = NULL;
	for (uint32_t i = 0; i < BEGUN; i++) {
		const struct begun *b = &t->begun[i];
		if (!b->free && now_ns - b->ns < BEGUN_NS && b->port == o->in_dport &&
		    b->proto == o->proto && addr_eq(&b->addr, &o->in_dst) &&
		    strncmp(b->guest, o->guest, EVENT_NAME) == 0 &&
		    (best == NULL || b->ns < best->ns))
			best = b;
	}
	return best;
}

bool ties_has_begun(const struct ties *t, const struct event *e, int64_t now_ns)
{
	return find_begun(t, e, now_ns) != NULL;
}

bool ties_beginner(struct ties *t, const struct event *e, struct tie *ret, int64_t now_ns)
{
	const struct begun *b = find_begun(t, e, now_ns);
	if (b == NULL)
		return false;
	t->begun[b - t->begun].free = true;
	*ret = b->to;
	return !b->nobody;
}
