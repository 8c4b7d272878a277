/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * eve.json: strictly Suricata EVE, whose schema admits no key of ours. So the tuple is the outside
 * view, and what only we know (direction, verdict, guest, incident) is in skep.json, joined by
 * flow_id.
 */
#include "event/event_priv.h"

#include <stdio.h>
#include <string.h>

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ICMP6 58
#define PROTO_SCTP 132

static int put_tuple(json_t *o, const struct event_tuple *t)
{
	char proto[EVENT_PROTO];
	int bad = put_some_text(o, "in_iface", t->in_port, sizeof(t->in_port));
	bad |= put_addr(o, "src_ip", &t->src);
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP || t->proto == PROTO_SCTP)
		bad |= put_int(o, "src_port", t->sport);
	bad |= put_addr(o, "dest_ip", &t->dst);
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP || t->proto == PROTO_SCTP)
		bad |= put_int(o, "dest_port", t->dport);
	if (t->src.ver == 0 && t->dst.ver == 0)
		return bad; /* not an IP packet: no protocol to name */
	bad |= put_text(o, "proto", event_proto_text(t->proto, proto), EVENT_PROTO);
	bad |= put_int(o, "ip_v", t->src.ver != 0 ? t->src.ver : t->dst.ver);
	if (t->proto == PROTO_ICMP || t->proto == PROTO_ICMP6) {
		bad |= put_int(o, "icmp_type", t->sport);
		bad |= put_int(o, "icmp_code", t->dport);
	}
	return bad | put_some_text(o, "community_id", t->community_id, sizeof(t->community_id));
}

static int put_hex(json_t *o, const char *key, uint8_t flags)
{
	char buf[4];
	snprintf(buf, sizeof(buf), "%02x", flags);
	return json_object_set_new(o, key, json_string(buf));
}

static int put_tcp(json_t *o, const struct event_flow *f)
{
	static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};
	uint8_t all = f->tcp_flags_ts | f->tcp_flags_tc;
	json_t *tcp = json_object();
	int bad = put_hex(tcp, "tcp_flags", all);
	bad |= put_hex(tcp, "tcp_flags_ts", f->tcp_flags_ts);
	bad |= put_hex(tcp, "tcp_flags_tc", f->tcp_flags_tc);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((all >> i & 1) != 0)
			bad |= json_object_set_new(tcp, names[i], json_true());
	return bad | json_object_set_new(o, "tcp", tcp);
}

static int put_flow(json_t *o, const struct event *e)
{
	const struct event_flow *f = &e->u.flow;
	json_t *flow = json_object();
	int64_t age = f->end_ns > f->start_ns ? (f->end_ns - f->start_ns) / NS_PER_SEC : 0;
	int bad = put_tuple(o, &f->tuple);
	bad |= put_int(flow, "pkts_toserver", f->pkts_toserver);
	bad |= put_int(flow, "pkts_toclient", f->pkts_toclient);
	bad |= put_int(flow, "bytes_toserver", f->bytes_toserver);
	bad |= put_int(flow, "bytes_toclient", f->bytes_toclient);
	bad |= put_time(flow, "start", f->start_ns);
	bad |= put_time(flow, "end", f->end_ns);
	bad |= put_int(flow, "age", (uint64_t)age);
	bad |= put_text(flow, "state", f->state, sizeof(f->state));
	bad |= put_text(flow, "reason", f->end_reason, sizeof(f->end_reason));
	bad |= json_object_set_new(flow, "alerted", json_false());
	bad |= json_object_set_new(flow, "action",
				   json_string(e->reason == REASON_NONE ? "accept" : "drop"));
	bad |= json_object_set_new(o, "flow", flow);
	if (f->tuple.proto == PROTO_TCP)
		bad |= put_tcp(o, f);
	return bad;
}

static int put_anomaly(json_t *o, const struct event *e)
{
	const struct event_anomaly *a = &e->u.anomaly;
	json_t *anomaly = json_object(), *meta = json_object(), *ints = json_object();
	int bad = put_tuple(o, &a->tuple);
	const char *type = strncmp(a->name, "stream.", 7) == 0 ? "stream" : "decode";
	bad |= json_object_set_new(anomaly, "type", json_string(type));
	bad |= put_text(anomaly, "event", a->name, sizeof(a->name));
	bad |= json_object_set_new(o, "anomaly", anomaly);
	/* The one place where EVE admits a number of our own. */
	bad |= put_int(ints, "skep.count", a->count);
	bad |= json_object_set_new(meta, "flowints", ints);
	return bad | json_object_set_new(o, "metadata", meta);
}

static int put_counters(json_t *o, const char *group, const char *const *names, const uint64_t *v,
			size_t n)
{
	json_t *g = json_object();
	int bad = 0;
	for (size_t i = 0; i < n; i++)
		bad |= put_int(g, names[i], v[i]);
	return bad | json_object_set_new(o, group, g);
}

static int put_stats(json_t *o, const struct event *e)
{
	static const char *const decoder[] = {"pkts", "bytes",  "ipv4",   "ipv6", "tcp",
					      "udp",  "icmpv4", "icmpv6", "arp",  "invalid"};
	static const char *const ips[] = {"accepted", "blocked"};
	static const char *const flow[] = {"total", "active", "memuse"};
	static const char *const capture[] = {"kernel_packets", "kernel_drops"};
	const struct event_stats *s = &e->u.stats;
	const uint64_t decoder_v[] = {s->pkts, s->bytes,  s->ipv4,   s->ipv6, s->tcp,
				      s->udp,  s->icmpv4, s->icmpv6, s->arp,  s->invalid};
	const uint64_t ips_v[] = {s->accepted, s->blocked};
	const uint64_t flow_v[] = {s->flows_total, s->flows_active, s->memuse};
	const uint64_t capture_v[] = {s->pkts + s->kernel_drops, s->kernel_drops};
	json_t *stats = json_object();
	int bad = put_int(stats, "uptime", (uint64_t)s->uptime_s);
	bad |= put_counters(stats, "capture", capture, capture_v, ARRAY_LEN(capture));
	bad |= put_counters(stats, "decoder", decoder, decoder_v, ARRAY_LEN(decoder));
	bad |= put_counters(stats, "ips", ips, ips_v, ARRAY_LEN(ips));
	bad |= put_counters(stats, "flow", flow, flow_v, ARRAY_LEN(flow));
	return bad | json_object_set_new(o, "stats", stats);
}

static int put_direction(json_t *o, uint8_t toclient)
{
	return json_object_set_new(o, "direction",
				   json_string(toclient != 0 ? "to_client" : "to_server"));
}

static int add_var(json_t *vars, const char *key, const char *text, size_t size)
{
	json_t *v = json_object();
	int bad = json_object_set_new(v, "key", json_string(key));
	bad |= put_text(v, "value", text, size);
	return bad | json_array_append_new(vars, v);
}

/* What EVE has no key for goes where it admits a program's own variables: whose incident, which guest, which
 * way. Alerts are judged again from these lines (`skep alerts preview`). */
static int put_ours(json_t *o, const struct event *e, const struct event_tuple *t)
{
	const char *way = direction_text((enum event_direction)e->direction);
	const char *verdict = verdict_text((enum verdict)e->verdict);
	json_t *meta = json_object(), *ints = json_object(), *vars = json_array();
	int bad = put_int(ints, "skep.incident", e->incident);
	bad |= json_object_set_new(meta, "flowints", ints);
	bad |= add_var(vars, "skep.guest", t->guest, sizeof(t->guest));
	bad |= add_var(vars, "skep.direction", way, strlen(way));
	bad |= add_var(vars, "skep.verdict", verdict, strlen(verdict));
	bad |= json_object_set_new(meta, "flowvars", vars);
	return bad | json_object_set_new(o, "metadata", meta);
}

static int put_alert(json_t *o, const struct event *e)
{
	const struct event_alert *a = &e->u.alert;
	json_t *alert = json_object();
	int bad = put_tuple(o, &a->tuple) | put_direction(o, a->toclient);
	bad |= put_some_text(o, "app_proto", a->app_proto, sizeof(a->app_proto));
	bad |= json_object_set_new(alert, "action",
				   json_string(a->blocked != 0 ? "blocked" : "allowed"));
	bad |= put_int(alert, "gid", a->gid);
	bad |= put_int(alert, "signature_id", a->sid);
	bad |= put_int(alert, "rev", a->rev);
	bad |= put_text(alert, "signature", e->text, sizeof(e->text));
	bad |= put_text(alert, "category", a->class, sizeof(a->class));
	bad |= put_int(alert, "severity", a->severity);
	bad |= put_ours(o, e, &a->tuple);
	return bad | json_object_set_new(o, "alert", alert);
}

static int put_drop(json_t *o, const struct event *e)
{
	json_t *drop = json_object();
	int bad = put_tuple(o, &e->u.drop.tuple) | put_direction(o, e->u.drop.toclient);
	bad |= put_int(drop, "len", e->u.drop.len);
	bad |= json_object_set_new(drop, "reason", json_string("rules"));
	return bad | json_object_set_new(o, "drop", drop);
}

json_t *json_eve(const struct event *e, const char *sensor)
{
	json_t *o = json_object();
	int bad = put_time(o, "timestamp", e->time_ns);
	if (e->flow_id != 0)
		bad |= put_int(o, "flow_id", e->flow_id);
	bad |= json_object_set_new(o, "event_type",
				   json_string(event_kind_text((enum event_kind)e->kind)));
	bad |= put_some_text(o, "host", sensor, EVENT_TEXT);
	if (e->kind == EVENT_FLOW)
		bad |= put_flow(o, e);
	else if (e->kind == EVENT_ANOMALY)
		bad |= put_anomaly(o, e);
	else if (e->kind == EVENT_ALERT)
		bad |= put_alert(o, e);
	else if (e->kind == EVENT_DROP)
		bad |= put_drop(o, e);
	else
		bad |= put_stats(o, e);
	if (bad == 0)
		return o;
	json_decref(o);
	return NULL;
}
