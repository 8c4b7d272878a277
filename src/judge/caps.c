/* SPDX-License-Identifier: BSD-2-Clause */
/* What leaves a guest: packet and byte rates, and what rules of the policy count. A conversation inside the limit can't flood. */
#include "judge/judge_priv.h"

uint32_t caps_packets(const struct way *w)
{
	const struct vnet *v = &w->f->vnet;
	if (v->gso_type == 0 || v->gso_size == 0 || w->l.payload == 0 ||
	    w->l.l3_end <= w->l.payload)
		return 1;
	return (w->l.l3_end - w->l.payload + v->gso_size - 1) / v->gso_size;
}

bool caps_guest_has(struct way *w)
{
	const struct conf_caps *c = &w->j->conf.wall.caps;
	struct port_state *in = w->in;
	if (weak(w->j, WEAK_CAPS))
		return true;
	bool pps = policy_bucket_has(in->cap_pps_ns, c->guest_pps, caps_packets(w), w->now_ns);
	bool bytes = policy_bucket_has(in->cap_bytes_ns, c->guest_bytes, w->f->len, w->now_ns);
	if (pps && bytes)
		return true;
	in->cap_by_bytes = pps;
	in->cap_dropped++;
	report_guest_cap(w->j, in, w->now_ns);
	return false;
}

enum reason caps_take(struct way *w, struct flow *f)
{
	const struct conf_caps *c = &w->j->conf.wall.caps;
	uint32_t packets = caps_packets(w), len = w->f->len;
	if (is_sink(w) || weak(w->j, WEAK_CAPS))
		return REASON_NONE;
	bool pps = policy_bucket_has(f->cap_pps_ns, c->flow_pps, packets, w->now_ns);
	bool bytes = policy_bucket_has(f->cap_bytes_ns, c->flow_bytes, len, w->now_ns);
	if (!pps || !bytes) {
		f->cap_by_bytes = pps;
		f->cap_dropped++;
		report_flow_cap(w->j, f, w->now_ns);
		return REASON_CAP_FLOW;
	}
	if (!caps_guest_has(w))
		return REASON_CAP_GUEST;
	if (!contain_has(w, f))
		return REASON_LIMIT;
	contain_take(w, f);
	bool all = policy_bucket_take(&f->cap_pps_ns, c->flow_pps, packets, w->now_ns);
	all &= policy_bucket_take(&f->cap_bytes_ns, c->flow_bytes, len, w->now_ns);
	all &= policy_bucket_take(&w->in->cap_pps_ns, c->guest_pps, packets, w->now_ns);
	all &= policy_bucket_take(&w->in->cap_bytes_ns, c->guest_bytes, len, w->now_ns);
	return all ? REASON_NONE : REASON_CAP_FLOW;
}
