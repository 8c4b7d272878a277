/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skep.json: what only we know. Every line has the same eleven keys and then one object named like
 * its event_type ("activity" for an incident, whose own name is the key of the id that every line
 * carries); null means "does not apply". docs/skep-schema.json is the contract.
 */
#include "event/event_priv.h"

#include <string.h>

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMP6 58
#define PROTO_SCTP 132

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

static int put_inside(json_t *o, const struct event_tuple *t)
{
	json_t *in = json_object();
	int bad = put_addr(in, "src_ip", &t->in_src);
	if (has_ports(t->proto))
		bad |= put_int(in, "src_port", t->in_sport);
	bad |= put_addr(in, "dest_ip", &t->in_dst);
	if (has_ports(t->proto))
		bad |= put_int(in, "dest_port", t->in_dport);
	bad |= put_some_text(in, "community_id", t->inside_community_id,
			     sizeof(t->inside_community_id));
	return bad | json_object_set_new(o, "inside", in);
}

static int put_tuple(json_t *o, const struct event_tuple *t)
{
	char proto[EVENT_PROTO];
	int bad = put_text(o, "guest", t->guest, sizeof(t->guest));
	bad |= put_some_text(o, "peer_guest", t->peer_guest, sizeof(t->peer_guest));
	bad |= put_some_text(o, "in_iface", t->in_port, sizeof(t->in_port));
	bad |= put_word(o, "proto", event_proto_text(t->proto, proto));
	bad |= put_addr(o, "src_ip", &t->src);
	if (has_ports(t->proto))
		bad |= put_int(o, "src_port", t->sport);
	bad |= put_addr(o, "dest_ip", &t->dst);
	if (has_ports(t->proto))
		bad |= put_int(o, "dest_port", t->dport);
	if (t->proto == PROTO_ICMP || t->proto == PROTO_ICMP6) {
		bad |= put_int(o, "icmp_type", t->sport);
		bad |= put_int(o, "icmp_code", t->dport);
		bad |= put_int(o, "icmp_id", t->icmp_id);
	}
	bad |= put_some_text(o, "community_id", t->community_id, sizeof(t->community_id));
	return bad | put_inside(o, t);
}

/* All of it as numbers: what reads this again must get the same struct. */
static int put_syn(json_t *o, const struct event_syn *syn)
{
	if (syn->ttl == 0)
		return 0;
	json_t *s = json_object(), *options = json_array();
	int bad = put_int(s, "ttl", syn->ttl);
	bad |= put_int(s, "df", syn->df);
	bad |= put_int(s, "window", syn->window);
	bad |= put_int(s, "mss", syn->mss);
	bad |= put_int(s, "wscale", syn->wscale);
	bad |= put_int(s, "quirks", syn->quirks);
	for (unsigned i = 0; i < syn->n_options && i < EVENT_SYN_OPTIONS; i++)
		bad |= json_array_append_new(options, json_integer(syn->options[i]));
	bad |= json_object_set_new(s, "options", options);
	return bad | json_object_set_new(o, "syn", s);
}

static int put_connection(json_t *o, const struct event *e)
{
	const struct event_connection *c = &e->u.connection;
	int bad = put_tuple(o, &c->tuple) | put_syn(o, &c->syn);
	if (c->limit_max == 0)
		return bad | put_null(o, "limit");
	json_t *limit = json_object();
	bad |= put_int(limit, "used", c->limit_used);
	bad |= put_int(limit, "max", c->limit_max);
	bad |= put_int(limit, "window_s", c->limit_window_s);
	return bad | json_object_set_new(o, "limit", limit);
}

static int put_limit(json_t *o, const struct event *e)
{
	const struct event_limit *l = &e->u.limit;
	int bad = put_text(o, "guest", l->guest, sizeof(l->guest));
	bad |= put_text(o, "what", l->what, sizeof(l->what));
	bad |= put_ref(o, "flow_id", l->flow_id);
	bad |= put_int(o, "dropped", l->dropped);
	bad |= put_int(o, "used", l->used);
	bad |= put_int(o, "max", l->max);
	return bad | put_int(o, "window_s", l->window_s);
}

static int put_guest(json_t *o, const struct event *e)
{
	const struct event_guest *g = &e->u.guest;
	int bad = put_text(o, "guest", g->guest, sizeof(g->guest));
	bad |= put_text(o, "state", g->state, sizeof(g->state));
	bad |= put_some_text(o, "accel", g->accel, sizeof(g->accel));
	bad |= put_int(o, "restarts", g->restarts);
	return bad | put_int(o, "backoff_s", g->backoff_s);
}

static int put_health(json_t *o, const struct event *e)
{
	const struct event_health *h = &e->u.health;
	int bad = put_text(o, "role", h->role, sizeof(h->role));
	bad |= put_text(o, "what", h->what, sizeof(h->what));
	bad |= put_int(o, "count", h->count);
	bad |= put_code(o, "exit_code", h->exit_code);
	return bad | put_code(o, "signal", h->signal);
}

static int put_incident(json_t *o, const struct event *e)
{
	const struct event_incident *i = &e->u.incident;
	json_t *flows = json_array();
	int bad = put_text(o, "guest", i->guest, sizeof(i->guest));
	bad |= put_text(o, "state", i->state, sizeof(i->state));
	bad |= i->peer.ver == 0 ? put_null(o, "peer") : put_addr(o, "peer", &i->peer);
	bad |= put_time(o, "start", i->start_ns);
	bad |= put_time(o, "last", i->last_ns);
	bad |= put_int(o, "flows_total", i->flows_total);
	bad |= json_object_set_new(o, "ambiguous", json_boolean(i->ambiguous != 0));
	for (uint32_t n = 0; n < i->n_flows && n < INCIDENT_FLOWS; n++)
		bad |= json_array_append_new(flows, json_integer((json_int_t)i->flow_ids[n]));
	return bad | json_object_set_new(o, "flow_ids", flows);
}

static int put_containment(json_t *o, const struct event *e)
{
	const struct event_containment *c = &e->u.containment;
	char net[PREFIX_TEXT];
	int bad = put_text(o, "what", c->what, sizeof(c->what));
	bad |= put_text(o, "state", c->state, sizeof(c->state));
	bad |= put_some_text(o, "guest", c->guest, sizeof(c->guest));
	bad |= put_some_text(o, "order", c->order, sizeof(c->order));
	if (c->net.addr.ver != 0)
		bad |= put_word(o, "prefix", prefix_text(&c->net, net));
	return bad | (c->until_ns == 0 ? put_null(o, "until") : put_time(o, "until", c->until_ns));
}

static int put_sink(json_t *o, const struct event *e)
{
	const struct event_sink *s = &e->u.sink;
	char proto[EVENT_PROTO];
	int bad = put_text(o, "guest", s->guest, sizeof(s->guest));
	bad |= put_text(o, "service", s->service, sizeof(s->service));
	bad |= put_text(o, "what", s->what, sizeof(s->what));
	bad |= put_word(o, "proto", event_proto_text(s->proto, proto));
	bad |= put_addr(o, "client_ip", &s->client);
	bad |= put_int(o, "client_port", s->cport);
	bad |= put_addr(o, "server_ip", &s->server);
	bad |= put_ref(o, "server_port", s->sport);
	bad |= put_int(o, "bytes", s->bytes);
	bad |= put_int(o, "count", s->count);
	if (s->excerpt_len > 0 && s->excerpt_len <= EVENT_EXCERPT)
		bad |= put_bytes(o, "excerpt", s->excerpt, s->excerpt_len);
	return bad;
}

static int put_escape(json_t *o, const struct event *e)
{
	const struct event_escape *x = &e->u.escape;
	int bad = put_text(o, "guest", x->guest, sizeof(x->guest));
	bad |= put_text(o, "what", x->what, sizeof(x->what));
	bad |= put_some_text(o, "detail", x->detail, sizeof(x->detail));
	bad |= put_code(o, "signal", x->signal);
	return bad | put_int(o, "pid", x->pid);
}

static int put_notice(json_t *o, const struct event *e)
{
	const struct event_notice *n = &e->u.notice;
	int bad = put_text(o, "what", n->what, sizeof(n->what));
	bad |= put_text(o, "destination", n->destination, sizeof(n->destination));
	bad |= put_text(o, "class", n->class, sizeof(n->class));
	bad |= put_some_text(o, "guest", n->guest, sizeof(n->guest));
	bad |= put_some_text(o, "why", n->why, sizeof(n->why));
	bad |= put_ref(o, "number", n->number);
	bad |= put_int(o, "count", n->count);
	return bad | put_some_text(o, "answer", n->answer, sizeof(n->answer));
}

static int put_seal(json_t *o, const struct event *e)
{
	const struct event_seal *s = &e->u.seal;
	int bad = put_text(o, "file", s->file, sizeof(s->file));
	bad |= put_int(o, "n", s->n);
	bad |= put_int(o, "bytes", s->bytes);
	bad |= put_text(o, "sha256", s->sha256, sizeof(s->sha256));
	return bad | put_some_text(o, "previous", s->previous, sizeof(s->previous));
}

static int put_body(json_t *o, const struct event *e)
{
	static int (*const put[EVENT_KINDS])(json_t *, const struct event *) = {
		[EVENT_CONNECTION] = put_connection,
		[EVENT_LIMIT] = put_limit,
		[EVENT_GUEST] = put_guest,
		[EVENT_HEALTH] = put_health,
		[EVENT_INCIDENT] = put_incident,
		[EVENT_CONTAINMENT] = put_containment,
		[EVENT_SINK] = put_sink,
		[EVENT_ESCAPE] = put_escape,
		[EVENT_NOTICE] = put_notice,
		[EVENT_SEAL] = put_seal,
	};
	if (e->kind < EVENT_KINDS && put[e->kind] != NULL)
		return put[e->kind](o, e);
	return json_inside(o, e);
}

json_t *json_skep(const struct event *e, const char *sensor)
{
	const char *kind = event_kind_text((enum event_kind)e->kind);
	bool judged = e->kind == EVENT_CONNECTION || e->kind == EVENT_LIMIT;
	json_t *o = json_object(), *body = json_object();
	int bad = put_time(o, "timestamp", e->time_ns);
	bad |= put_word(o, "event_type", kind);
	bad |= put_ref(o, "id", e->id);
	bad |= put_text(o, "sensor", sensor, EVENT_TEXT);
	bad |= put_ref(o, "incident", e->incident);
	bad |= put_ref(o, "flow_id", e->flow_id);
	if (e->direction == DIR_NONE)
		bad |= put_null(o, "direction");
	else
		bad |= put_word(o, "direction", direction_text((enum event_direction)e->direction));
	bad |= judged ? put_word(o, "verdict", verdict_text((enum verdict)e->verdict))
		      : put_null(o, "verdict");
	bad |= judged ? put_word(o, "reason", reason_text((enum reason)e->reason))
		      : put_null(o, "reason");
	bad |= put_int(o, "priority", e->priority);
	bad |= put_text(o, "text", e->text, sizeof(e->text));
	bad |= put_body(body, e);
	const char *key = e->kind == EVENT_INCIDENT ? "activity" : kind;
	bad |= json_object_set_new(o, key, body);
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}
