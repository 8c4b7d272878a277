/* SPDX-License-Identifier: BSD-2-Clause */
/* One function per kind of event. Which keys there are, and how they are called, is Suricata's. */
#include "inspect/eve_priv.h"
#include "packet/packet.h"

#include <stdio.h>
#include <string.h>

#define PAYLOAD_MAX 4096u
#define FILES_MAX 64u
#define METADATA_MAX 128u

static const char *proto_text(uint8_t proto, char buf[8])
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = {{PROTO_TCP, "TCP"},   {PROTO_UDP, "UDP"},
		     {PROTO_ICMP, "ICMP"}, {PROTO_ICMP6, "IPv6-ICMP"},
		     {PROTO_SCTP, "SCTP"}, {2, "IGMP"},
		     {41, "IPv6"},         {47, "GRE"},
		     {50, "ESP"},          {51, "AH"}};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].number == proto)
			return names[i].name;
	snprintf(buf, 8, "%03u", proto);
	return buf;
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

struct ends { /* of an event, from whom to whom */
	struct addr src, dst;
	uint16_t sport, dport; /* ICMP: type, code */
	uint8_t proto, ip_ver, n_vlan;
	const uint16_t *vlan;
};

static struct ends ends_of_packet(const struct pkt *p)
{
	bool icmp = p->proto == PROTO_ICMP || p->proto == PROTO_ICMP6;
	return (struct ends){p->src,
			     p->dst,
			     icmp ? p->icmp_type : p->sport,
			     icmp ? p->icmp_code : p->dport,
			     p->proto,
			     p->ip_ver,
			     p->n_vlan,
			     p->vlan};
}

static struct ends ends_of_flow(const struct stream_flow *f, unsigned dir)
{
	bool icmp = f->proto == PROTO_ICMP || f->proto == PROTO_ICMP6;
	return (struct ends){f->addr[dir],
			     f->addr[dir ^ 1u],
			     f->port[icmp ? 0 : dir],
			     f->port[icmp ? 1 : dir ^ 1u],
			     f->proto,
			     f->ip_ver,
			     f->n_vlan,
			     f->vlan};
}

static void put_ends(struct eve *e, const struct ends *x)
{
	char name[8], community[COMMUNITY_ID_TEXT];
	if (x->n_vlan > 0) {
		eve_open(e, "vlan", '[');
		for (unsigned i = 0; i < x->n_vlan && i < DISSECT_VLANS; i++)
			eve_int(e, NULL, x->vlan[i]);
		eve_shut(e, ']');
	}
	if (x->ip_ver == 0)
		return;
	eve_addr(e, "src_ip", &x->src);
	if (has_ports(x->proto))
		eve_int(e, "src_port", x->sport);
	eve_addr(e, "dest_ip", &x->dst);
	if (has_ports(x->proto))
		eve_int(e, "dest_port", x->dport);
	eve_text(e, "proto", proto_text(x->proto, name));
	eve_int(e, "ip_v", x->ip_ver);
	if (x->proto == PROTO_ICMP || x->proto == PROTO_ICMP6) {
		eve_int(e, "icmp_type", x->sport);
		eve_int(e, "icmp_code", x->dport);
	}
	packet_community_id(&x->src, &x->dst, x->proto, x->sport, x->dport, community);
	eve_text(e, "community_id", community);
}

static void head(struct eve *e, const char *type, int64_t now_ns, const struct stream_flow *f,
		 uint64_t number, const struct ends *x)
{
	eve_begin(e);
	eve_stamp(e, "timestamp", now_ns);
	if (f != NULL)
		eve_int(e, "flow_id", f->id);
	if (number != 0)
		eve_int(e, "pcap_cnt", number);
	eve_text(e, "event_type", type);
	if (x != NULL)
		put_ends(e, x);
}

static void put_app_proto(struct eve *e, const struct stream_flow *f)
{
	const struct app *a = f != NULL ? f->app : NULL;
	if (a == NULL || a->proto == APP_UNKNOWN)
		return;
	eve_text(e, "app_proto", app_proto_text((enum app_proto)a->proto));
	static const char *const keys[] = {"app_proto_ts", "app_proto_tc"};
	for (unsigned d = 0; d < 2; d++)
		if (a->proto_dir[d] != APP_UNKNOWN && a->proto_dir[d] != a->proto)
			eve_text(e, keys[d], app_proto_text((enum app_proto)a->proto_dir[d]));
	if (a->before != APP_UNKNOWN && a->before != a->proto)
		eve_text(e, "app_proto_orig", app_proto_text((enum app_proto)a->before));
}

/* The protocol's object, under its key. Mail stands beside SMTP, not in it. */
static bool put_tx(struct eve *e, const struct app *a, const struct app_tx *tx, unsigned dir)
{
	const char *key = app_eve_key((enum app_proto)tx->proto);
	json_t *o = key != NULL ? json_object() : NULL;
	bool told = o != NULL && app_eve(a, tx, dir, o);
	if (told) {
		json_t *email = tx->proto == APP_SMTP ? json_object() : NULL;
		eve_json(e, key, o);
		if (email != NULL && app_eve_email(tx, email))
			eve_json(e, "email", email);
		json_decref(email);
	}
	json_decref(o);
	return told;
}

static void put_file(struct eve *e, const char *key, const struct app_tx *tx,
		     const struct app_file *f)
{
	eve_open(e, key, '{');
	eve_bytes(e, "filename", f->name, f->name_len);
	eve_bool(e, "gaps", f->gaps);
	eve_text(e, "state", f->closed && !f->truncated ? "CLOSED" : "TRUNCATED");
	if (f->hashed && f->closed)
		eve_hex(e, "sha256", f->sha256, sizeof(f->sha256));
	eve_bool(e, "stored", false);
	eve_int(e, "size", f->size);
	eve_int(e, "tx_id", tx->id);
	eve_shut(e, '}');
}

/* ---- alert -------------------------------------------------------------------------------------- */

static void put_metadata(struct eve *e, const struct rule_info *r)
{
	uint32_t n = r->n_metadata < METADATA_MAX ? r->n_metadata : METADATA_MAX;
	bool done[METADATA_MAX] = {false};
	if (n == 0)
		return;
	eve_open(e, "metadata", '{');
	for (uint32_t i = 0; i < n; i++) {
		const char *key = r->metadata[2 * i];
		if (done[i])
			continue;
		/* A key of the rule's writer: escaped like any text, and then the colon. */
		eve_text(e, NULL, key);
		eve_shut(e, ':');
		e->comma = false;
		eve_open(e, NULL, '[');
		for (uint32_t k = i; k < n; k++) {
			if (strcmp(r->metadata[2 * k], key) != 0)
				continue;
			done[k] = true;
			eve_text(e, NULL, r->metadata[2 * k + 1]);
		}
		eve_shut(e, ']');
	}
	eve_shut(e, '}');
}

static void put_end(struct eve *e, const char *key, const struct addr *a, uint16_t port, bool ports)
{
	eve_open(e, key, '{');
	eve_addr(e, "ip", a);
	if (ports)
		eve_int(e, "port", port);
	eve_shut(e, '}');
}

static void put_rule(struct eve *e, const struct inspect_alert *a, const struct rule_info *r,
		     const struct ends *x)
{
	bool reject = a->hit.action == ACTION_REJECT || a->hit.action == ACTION_REJECT_DST ||
		      a->hit.action == ACTION_REJECT_BOTH;
	bool blocked = reject || a->hit.action == ACTION_DROP;
	eve_open(e, "alert", '{');
	eve_text(e, "action", blocked && (reject || e->conf.inline_mode) ? "blocked" : "allowed");
	eve_int(e, "gid", r->gid);
	eve_int(e, "signature_id", r->sid);
	eve_int(e, "rev", r->rev);
	eve_text(e, "signature", r->msg != NULL ? r->msg : "");
	eve_text(e, "category", r->category != NULL ? r->category : "");
	eve_int(e, "severity", r->severity);
	if (r->target != 0 && x->ip_ver != 0) {
		bool ports = has_ports(x->proto), to_src = r->target == 1;
		put_end(e, to_src ? "target" : "source", &x->src, x->sport, ports);
		put_end(e, to_src ? "source" : "target", &x->dst, x->dport, ports);
	}
	put_metadata(e, r);
	eve_shut(e, '}');
}

static void put_flow_short(struct eve *e, const struct stream_flow *f)
{
	eve_open(e, "flow", '{');
	eve_int(e, "pkts_toserver", f->pkts[TO_SERVER]);
	eve_int(e, "pkts_toclient", f->pkts[TO_CLIENT]);
	eve_int(e, "bytes_toserver", f->bytes[TO_SERVER]);
	eve_int(e, "bytes_toclient", f->bytes[TO_CLIENT]);
	eve_stamp(e, "start", f->start_ns);
	eve_addr(e, "src_ip", &f->addr[0]);
	eve_addr(e, "dest_ip", &f->addr[1]);
	if (has_ports(f->proto)) {
		eve_int(e, "src_port", f->port[0]);
		eve_int(e, "dest_port", f->port[1]);
	}
	eve_shut(e, '}');
}

/* A packet's direction as the protocol sees it. */
static unsigned talk_dir(const struct stream_flow *f, unsigned dir)
{
	const struct app *a = f->app;
	return a != NULL && a->reversed ? dir ^ 1u : dir;
}

static void on_alert(void *ctx, const struct inspect_alert *a)
{
	struct eve *e = ctx;
	struct rule_info r;
	/* What one side said may be judged when the other acknowledges it: who said it is the source. */
	bool turned = a->flow != NULL && a->hit.dir != a->dir;
	struct ends x = turned ? ends_of_flow(a->flow, a->hit.dir) : ends_of_packet(a->pkt);
	rule_set_info(e->conf.rules, a->hit.rule, &r);
	head(e, "alert", a->pkt->stamp_ns, a->flow, a->pkt->number, &x);
	if (a->tx != NULL)
		eve_int(e, "tx_id", a->tx->id);
	put_rule(e, a, &r, &x);
	put_app_proto(e, a->flow);
	if (a->flow != NULL) {
		if (a->tx != NULL && a->flow->app != NULL)
			put_tx(e, a->flow->app, a->tx, talk_dir(a->flow, a->hit.dir));
		const struct app_file *file = a->tx != NULL ? a->tx->files : NULL;
		if (file != NULL) {
			eve_open(e, "files", '[');
			for (unsigned n = 0; file != NULL && n < FILES_MAX; n++, file = file->next)
				put_file(e, NULL, a->tx, file);
			eve_shut(e, ']');
		}
		eve_text(e, "direction", a->hit.dir == TO_SERVER ? "to_server" : "to_client");
		put_flow_short(e, a->flow);
	}
	if (e->conf.payload && a->pkt->payload_len > 0) {
		uint32_t n = a->pkt->payload_len < PAYLOAD_MAX ? a->pkt->payload_len : PAYLOAD_MAX;
		eve_base64(e, "payload", a->pkt->payload, n);
		eve_printable(e, "payload_printable", a->pkt->payload, n);
		eve_int(e, "stream", a->hit.where == WHERE_STREAM);
	}
	eve_end(e);
	e->counts.alerts++;
	if (e->conf.hits != NULL)
		e->conf.hits[a->hit.rule]++;
}

/* ---- transactions and files --------------------------------------------------------------------- */

static void on_tx(void *ctx, const struct stream_flow *f, const struct app_tx *tx, unsigned dir,
		  int64_t now_ns)
{
	struct eve *e = ctx;
	const struct app *a = f->app;
	const char *type = a != NULL ? app_eve_key((enum app_proto)tx->proto) : NULL;
	struct ends x = ends_of_flow(f, talk_dir(f, TO_SERVER));
	if (type == NULL)
		return;
	head(e, type, now_ns, f, 0, &x);
	eve_int(e, "tx_id", tx->id);
	if (!put_tx(e, a, tx, dir)) {
		e->len = e->start; /* nothing to tell */
		return;
	}
	eve_end(e);
	e->counts.transactions++;
}

static void on_file(void *ctx, const struct stream_flow *f, const struct app_tx *tx,
		    const struct app_file *file, int64_t now_ns)
{
	struct eve *e = ctx;
	struct ends x = ends_of_flow(f, talk_dir(f, file->dir));
	head(e, "fileinfo", now_ns, f, 0, &x);
	if (f->app != NULL)
		put_tx(e, f->app, tx, file->dir);
	put_app_proto(e, f);
	put_file(e, "fileinfo", tx, file);
	eve_end(e);
	e->counts.files++;
}

/* ---- flow --------------------------------------------------------------------------------------- */

static const char *const tcp_states[] = {
	[STREAM_NEW] = "none",
	[STREAM_SYN_SENT] = "syn_sent",
	[STREAM_SYN_RECV] = "syn_recv",
	[STREAM_ESTABLISHED] = "established",
	[STREAM_FIN_WAIT1] = "fin_wait1",
	[STREAM_FIN_WAIT2] = "fin_wait2",
	[STREAM_CLOSING] = "closing",
	[STREAM_CLOSE_WAIT] = "close_wait",
	[STREAM_LAST_ACK] = "last_ack",
	[STREAM_TIME_WAIT] = "time_wait",
	[STREAM_CLOSED] = "closed",
};

static void put_tcp(struct eve *e, const struct stream_flow *f)
{
	static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};
	uint8_t all = f->side[0].flags_seen | f->side[1].flags_seen;
	eve_open(e, "tcp", '{');
	eve_hex(e, "tcp_flags", &all, 1);
	eve_hex(e, "tcp_flags_ts", &f->side[0].flags_seen, 1);
	eve_hex(e, "tcp_flags_tc", &f->side[1].flags_seen, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if ((all >> i & 1) != 0)
			eve_bool(e, names[i], true);
	if (f->state < ARRAY_LEN(tcp_states))
		eve_text(e, "state", tcp_states[f->state]);
	eve_bool(e, "ts_gap", f->side[0].gap_end != 0);
	eve_bool(e, "tc_gap", f->side[1].gap_end != 0);
	eve_shut(e, '}');
}

static const char *flow_state(const struct stream_flow *f)
{
	if (f->state == STREAM_CLOSED || f->state == STREAM_TIME_WAIT ||
	    f->state == STREAM_LAST_ACK)
		return "closed";
	return f->established ? "established" : "new";
}

static void on_flow_end(void *ctx, const struct stream_flow *f, const char *reason)
{
	struct eve *e = ctx;
	struct ends x = ends_of_flow(f, TO_SERVER);
	const struct app *a = f->app;
	int64_t age = f->last_ns > f->start_ns ? (f->last_ns - f->start_ns) / NS_PER_SEC : 0;
	head(e, "flow", f->last_ns, f, 0, &x);
	put_app_proto(e, f);
	eve_open(e, "flow", '{');
	eve_int(e, "pkts_toserver", f->pkts[TO_SERVER]);
	eve_int(e, "pkts_toclient", f->pkts[TO_CLIENT]);
	eve_int(e, "bytes_toserver", f->bytes[TO_SERVER]);
	eve_int(e, "bytes_toclient", f->bytes[TO_CLIENT]);
	eve_stamp(e, "start", f->start_ns);
	eve_stamp(e, "end", f->last_ns);
	eve_int(e, "age", (uint64_t)age);
	eve_text(e, "state", flow_state(f));
	eve_text(e, "reason", reason != NULL ? reason : "forced");
	eve_bool(e, "alerted", (f->pseudo & INSPECT_ALERTED) != 0);
	if (f->dead)
		eve_text(e, "action", "drop");
	if (a != NULL && a->tx_next_id > 0)
		eve_int(e, "tx_cnt", a->tx_next_id);
	eve_shut(e, '}');
	if (f->tcp)
		put_tcp(e, f);
	eve_end(e);
	e->counts.flows++;
}

/* ---- anomaly, stats ----------------------------------------------------------------------------- */

static void on_anomaly(void *ctx, const struct pkt *p, const struct stream_flow *f,
		       const char *layer, const char *event)
{
	struct eve *e = ctx;
	bool app = strcmp(layer, "applayer") == 0;
	char name[128];
	if (!app && !e->conf.anomalies)
		return;
	struct ends x = p != NULL ? ends_of_packet(p) : ends_of_flow(f, TO_SERVER);
	head(e, "anomaly", p != NULL ? p->stamp_ns : f->last_ns, f, p != NULL ? p->number : 0, &x);
	if (app)
		put_app_proto(e, f);
	eve_open(e, "anomaly", '{');
	eve_text(e, "type", layer);
	snprintf(name, sizeof(name), "%s%s",
		 app                            ? ""
		 : strcmp(layer, "stream") == 0 ? "stream."
						: "decoder.",
		 event);
	eve_text(e, "event", name);
	if (app)
		eve_text(e, "layer", "proto_parser");
	eve_shut(e, '}');
	eve_end(e);
	e->counts.anomalies++;
}

void eve_write_stats(struct eve *e, const struct inspect_stats *s, int64_t now_ns, uint64_t seconds)
{
	head(e, "stats", now_ns, NULL, 0, NULL);
	eve_open(e, "stats", '{');
	eve_int(e, "uptime", seconds);
	eve_open(e, "decoder", '{');
	eve_int(e, "pkts", s->packets);
	eve_int(e, "bytes", s->bytes);
	eve_int(e, "invalid", s->decode_errors);
	eve_shut(e, '}');
	eve_open(e, "flow", '{');
	eve_int(e, "total", s->stream.flows);
	eve_int(e, "active", s->stream.active);
	eve_shut(e, '}');
	eve_open(e, "tcp", '{');
	eve_int(e, "sessions", s->stream.tcp_sessions);
	eve_int(e, "midstream_pickups", s->stream.midstream_pickups);
	eve_int(e, "reassembly_gap", s->stream.gaps);
	eve_int(e, "overlap", s->stream.overlaps);
	eve_int(e, "segment_memcap_drop", s->stream.memory_refused);
	eve_shut(e, '}');
	eve_open(e, "detect", '{');
	eve_int(e, "alert", s->alerts);
	eve_int(e, "alert_queue_overflow", s->engine.alerts_lost);
	eve_shut(e, '}');
	eve_shut(e, '}');
	eve_end(e);
}

struct inspect_sink eve_sink(struct eve *e)
{
	struct inspect_sink s = {.alert = e->conf.rules != NULL ? on_alert : NULL, .ctx = e};
	if (e->conf.alerts_only)
		return s;
	s.tx = on_tx;
	s.file = on_file;
	s.flow_end = on_flow_end;
	s.anomaly = on_anomaly;
	return s;
}
