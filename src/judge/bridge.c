/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two ends of a wire (`skep scrub`): what comes in at one leaves by the other, addresses, hop limit and link
 * header untouched. No policy and no table of conversations; what a receiver might read in another way than we do
 * does not pass.
 */
#include "judge/judge_priv.h"

#include <string.h>

/* Options, :: and 0.0.0.0 are what neighbour discovery and DHCP are made of. */
#define BROKEN                                                                                   \
	(ODD_TRUNC_ETH | ODD_TRUNC_IP | ODD_BAD_IP | ODD_TRUNC_L4 | ODD_BAD_L4 | ODD_TCP_FLAGS | \
	 ODD_EXT_DEPTH)

int bridge_setup(struct judge *j, int64_t now_ns)
{
	struct flow_key key = {.port = FLOW_NO_PORT};
	if (!j->conf.bridge)
		return 0;
	if (j->conf.n_ports != 2)
		return SKEP_ERANGE;
	int err = flow_add(j->table, &key, NULL, FLOW_TCP, now_ns, &j->wire);
	if (err == 0)
		j->wire->id = j->next_id++;
	return err;
}

static enum reason sound(struct way *w)
{
	uint32_t odd = w->l.odd;
	bool ip = w->l.ethertype == ETHERTYPE_V4 || w->l.ethertype == ETHERTYPE_V6;
	if ((odd & ODD_FRAGMENT_SMALL) != 0) {
		report_anomaly(w, ANOMALY_FRAGMENT);
		return REASON_FRAGMENT;
	}
	if ((odd & BROKEN) != 0 || w->f->len < ETH_HLEN) {
		report_anomaly(w, (odd & BROKEN) != 0 ? (unsigned)__builtin_ctz(odd & BROKEN) : 0);
		return REASON_MALFORMED;
	}
	if (ip && w->l.ip_ver == 0)
		return REASON_MALFORMED;
	if ((odd & ODD_BAD_IP_CSUM) != 0 || !packet_checksums_ok(w->f, &w->l)) {
		report_anomaly(w, ANOMALY_CSUM);
		return REASON_BAD_CSUM;
	}
	return REASON_NONE;
}

static struct fragment_key fragment_key_of(const struct way *w)
{
	const struct layers *l = &w->l;
	return (struct fragment_key){.src = l->src,
				     .dst = l->dst,
				     .id = l->frag_id,
				     .port = w->f->port,
				     .proto = l->proto};
}

/* Pieces pass in order, each where the one before ended. */
static enum reason in_order(struct way *w)
{
	const struct layers *l = &w->l;
	const struct fragment_key key = fragment_key_of(w);
	bool fine;
	if (!l->fragment || (l->first_fragment && !l->more_fragments))
		return REASON_NONE;
	if (l->first_fragment) {
		fine = l->l4 != 0 && l->payload >= l->l4 &&
		       fragment_begin(w->j->table, &key, w->j->wire, 0, l->payload - l->l4,
				      l->l3_end - l->l4, w->now_ns) == 0 &&
		       fragment_reaches(w->j->table, &key, l->ttl, w->now_ns);
	} else {
		uint32_t at = l->payload != 0 ? l->payload : l->l4;
		uint32_t len = at != 0 && at < l->l3_end ? l->l3_end - at : 0;
		unsigned side;
		if (!fragment_reaches(w->j->table, &key, l->ttl, w->now_ns))
			fragment_drop(w->j->table, &key, w->now_ns);
		fine = fragment_next(w->j->table, &key, l->frag_offset, len, !l->more_fragments,
				     w->now_ns, &side) != NULL;
	}
	if (fine)
		return REASON_NONE;
	report_anomaly(w, ANOMALY_FRAGMENT);
	return REASON_FRAGMENT;
}

static enum reason stopped(struct way *w, const struct scrub_seen *seen)
{
	bool reject = seen->act == SCRUB_REJECT;
	const struct fragment_key key = fragment_key_of(w);
	if (w->l.fragment) /* its receiver has the beginning, and must not get another end */
		fragment_drop(w->j->table, &key, w->now_ns);
	w->ret->verdict = reject ? VERDICT_REJECT : VERDICT_DROP;
	if (seen->reason == REASON_RULE)
		alert_dropped(w, NULL, 0, seen->flow_id);
	if (reject && (seen->tell & SCRUB_TELL_SENDER) != 0)
		answer_reject(w);
	if (reject && (seen->tell & SCRUB_TELL_RECEIVER) != 0 && w->l.proto == PROTO_TCP) {
		struct mac dst, src;
		memcpy(dst.b, w->f->data, sizeof(dst.b));
		memcpy(src.b, w->f->data + 6, sizeof(src.b));
		answer_reset_receiver(w, &w->l, w->f->port ^ 1, &dst, &src, seen->next);
	}
	return (enum reason)seen->reason;
}

enum reason bridge_way(struct way *w)
{
	struct judge *j = w->j;
	struct scrub_seen seen = {0};
	if (w->f->port > 1 || !w->in->p.up || !j->ports[w->f->port ^ 1].p.up)
		return REASON_PORT_DOWN;
	enum reason r = sound(w);
	if (r == REASON_NONE)
		r = in_order(w);
	if (r != REASON_NONE)
		return r;
	w->ret->out_port = w->f->port ^ 1;
	if (j->conf.scrub == NULL)
		return REASON_NONE;
	j->way = w;
	scrub_look(j->conf.scrub, w->f, &w->l, w->now_ns, &seen);
	j->way = NULL;
	w->ret->flow_id = seen.flow_id;
	if (seen.act != SCRUB_PASS)
		return stopped(w, &seen);
	inline_emit(w, &seen);
	return REASON_NONE;
}
