/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orders of the operator: fences, ignored networks, lockdown, a verdict for one guest. super keeps
 * them, so that a new wall acts by them from its first frame; the wall ends what has a time.
 */
#include "role/super/super_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_NS (365 * 24 * 3600 * NS_PER_SEC)
/* The wall counts on by itself when something expires: never more often than it has orders. */
#define GENERATION_STEP 256

/* One request, taken apart. */
struct order {
	const char *op, *guest, *verdict, *prefix;
	int outbound;
	json_int_t for_ns;
	int64_t until_ns; /* boot clock */
	struct prefix net;
};

/* ---- what is in force --------------------------------------------------------------------------- */

static int64_t wall_time(int64_t boot_ns)
{
	return boot_ns == 0 ? 0 : clock_wall_ns() + (boot_ns - clock_boot_ns());
}

static json_t *nets_json(const struct policy_net *nets, uint32_t n, const uint64_t *counts)
{
	char text[PREFIX_TEXT];
	json_t *all = json_array();
	for (uint32_t i = 0; i < n; i++) {
		json_t *o = json_pack("{s:s, s:I}", "prefix", prefix_text(&nets[i].net, text),
				      "until", (json_int_t)wall_time(nets[i].until_ns));
		if (counts != NULL)
			json_object_set_new(o, "count", json_integer((json_int_t)counts[i]));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *fixed_json(const struct prefix *nets, uint32_t n, const uint64_t *counts,
			  json_t *all)
{
	char text[PREFIX_TEXT];
	for (uint32_t i = 0; i < n; i++) {
		json_t *o = json_pack("{s:s, s:b}", "prefix", prefix_text(&nets[i], text),
				      "configured", 1);
		if (counts != NULL)
			json_object_set_new(o, "count", json_integer((json_int_t)counts[i]));
		json_array_append_new(all, o);
	}
	return all;
}

static void forget_expired(struct policy_now *now)
{
	struct policy_net net;
	struct policy_override o;
	while (policy_now_expire(now, clock_boot_ns(), &net, &o) != POLICY_OVER_NONE)
		; /* the wall has told */
}

json_t *orders_json(struct super *s)
{
	static const char *const lockdowns[] = {"off", "outbound", "all"};
	const struct conf_wall *c = &s->c->wall;
	const uint64_t *counts = s->stats != NULL ? s->stats->ignored : NULL;
	uint64_t taken =
		s->stats != NULL ? __atomic_load_n(&s->stats->orders, __ATOMIC_ACQUIRE) : 0;
	json_t *overrides = json_array();
	forget_expired(&s->orders);
	const struct policy_now *now = &s->orders;
	for (uint32_t i = 0; i < now->n_overrides; i++)
		json_array_append_new(overrides,
				      json_pack("{s:s, s:s, s:I}", "guest", now->overrides[i].guest,
						"verdict", policy_act_text(now->overrides[i].act),
						"until",
						(json_int_t)wall_time(now->overrides[i].until_ns)));
	json_t *o = json_pack("{s:s, s:b}", "lockdown", lockdowns[now->lockdown], "in_force",
			      taken == now->generation);
	json_object_set_new(o, "overrides", overrides);
	json_object_set_new(o, "fences",
			    fixed_json(c->fence, c->n_fence, NULL,
				       nets_json(now->fences, now->n_fences, NULL)));
	json_object_set_new(o, "ignored",
			    fixed_json(c->ignore, c->n_ignore, counts,
				       nets_json(now->ignored, now->n_ignored,
						 counts != NULL ? counts + CONF_PREFIXES : NULL)));
	return o;
}

/* ---- changes ------------------------------------------------------------------------------------ */

static void tell(struct super *s, const char *what, bool on, const struct order *o,
		 const char *order, const char *text)
{
	struct event e = event_new(EVENT_CONTAINMENT);
	struct event_containment *c = &e.u.containment;
	e.priority = 1;
	text_copy(c->what, sizeof(c->what), what);
	text_copy(c->state, sizeof(c->state), on ? "on" : "off");
	text_copy(c->guest, sizeof(c->guest), o->guest != NULL ? o->guest : "");
	text_copy(c->order, sizeof(c->order), order);
	c->net = o->net;
	c->until_ns = wall_time(o->until_ns);
	event_say(&e, "%s", text);
	role_emit(s->own_events[1], &e, &s->own_lost);
}

static int change_net(struct super *s, struct policy_now *now, bool fence, const struct order *o)
{
	struct policy_net *nets = fence ? now->fences : now->ignored;
	uint32_t *n = fence ? &now->n_fences : &now->n_ignored;
	char text[EVENT_TEXT], net[PREFIX_TEXT];
	bool on = strcmp(o->op, "add") == 0;
	(void)s;
	if (o->prefix == NULL || (!on && strcmp(o->op, "del") != 0))
		return -EINVAL;
	int err = on ? policy_net_add(nets, n, &o->net, o->until_ns)
		     : policy_net_remove(nets, n, &o->net);
	if (err != 0)
		return err;
	snprintf(text, sizeof(text), "%s: %s is %s", fence ? "fence" : "ignore list",
		 prefix_text(&o->net, net), on ? "on it now" : "taken off it");
	tell(s, fence ? "fence" : "ignore", on, o, "", text);
	return 0;
}

static int change_lockdown(struct super *s, struct policy_now *now, const struct order *o)
{
	bool on = strcmp(o->op, "on") == 0;
	if (!on && strcmp(o->op, "off") != 0)
		return -EINVAL;
	now->lockdown = !on ? LOCKDOWN_OFF : o->outbound ? LOCKDOWN_OUTBOUND : LOCKDOWN_ALL;
	tell(s, "lockdown", on, o,
	     !on           ? ""
	     : o->outbound ? "outbound"
			   : "all",
	     !on           ? "the lockdown is over"
	     : o->outbound ? "lockdown: nothing that guests began goes out any more"
			   : "lockdown: nothing crosses the wall any more");
	return 0;
}

static int change_override(struct super *s, struct policy_now *now, const struct order *o)
{
	char text[EVENT_TEXT];
	uint8_t act = ACT_DROP;
	bool on = strcmp(o->op, "set") == 0;
	if ((!on && strcmp(o->op, "reset") != 0) || o->guest == NULL ||
	    conf_guest(s->c, o->guest) == NULL)
		return -EINVAL;
	if (on &&
	    (o->verdict == NULL || policy_act_parse(o->verdict, &act) != 0 || act == ACT_REFLECT))
		return -EINVAL;
	int err = on ? policy_override_set(now, o->guest, act, o->until_ns)
		     : policy_override_reset(now, o->guest);
	if (err != 0)
		return err;
	if (on)
		snprintf(text, sizeof(text), "%s: whatever it begins gets the verdict %s", o->guest,
			 policy_act_text(act));
	else
		snprintf(text, sizeof(text), "%s: the policy decides again", o->guest);
	tell(s, "override", on, o, on ? policy_act_text(act) : "", text);
	return 0;
}

static int parse(json_t *request, struct order *o)
{
	memset(o, 0, sizeof(*o));
	o->op = "";
	if (json_unpack(request, "{s?s, s?s, s?s, s?s, s?b, s?I}", "op", &o->op, "guest", &o->guest,
			"verdict", &o->verdict, "prefix", &o->prefix, "outbound", &o->outbound,
			"for_ns", &o->for_ns) != 0)
		return -EINVAL;
	if (o->for_ns < 0 || o->for_ns > LONGEST_NS)
		return -EINVAL;
	if (o->for_ns > 0)
		o->until_ns = clock_boot_ns() + o->for_ns;
	return o->prefix != NULL ? prefix_parse(o->prefix, &o->net) : 0;
}

/* To the wall that runs; one that is still to come gets them with its start. */
static int send_orders(struct super *s)
{
	struct child *wall = child_of(s, ROLE_WALL);
	if (wall == NULL || wall->control < 0 ||
	    (wall->state != CHILD_READY && wall->state != CHILD_STARTING))
		return 0;
	return ipc_send(wall->control, MSG_ORDERS, &s->orders, sizeof(s->orders), NULL, 0);
}

static json_t *refusal(int err)
{
	const char *why = err == SKEP_EFULL       ? "the list is full"
			  : err == SKEP_ENOTFOUND ? "it is not there"
			  : err == SKEP_EFORMAT   ? "not a network (host bits must be zero)"
			  : err == -EINVAL        ? "not an order"
						  : err_text(err);
	return json_pack("{s:s}", "error", why);
}

json_t *orders_answer(struct super *s, const char *what, json_t *request)
{
	struct order o;
	struct policy_now now;
	int err = parse(request, &o);
	if (strcmp(what, "orders") == 0)
		return orders_json(s);
	bool fence = strcmp(what, "fence") == 0, lockdown = strcmp(what, "lockdown") == 0;
	bool ignore = strcmp(what, "ignore") == 0, override = strcmp(what, "override") == 0;
	if (!fence && !ignore && !lockdown && !override)
		return NULL;
	forget_expired(&s->orders);
	now = s->orders;
	if (err == 0)
		err = lockdown   ? change_lockdown(s, &now, &o)
		      : override ? change_override(s, &now, &o)
				 : change_net(s, &now, fence, &o);
	if (err != 0)
		return refusal(err);
	now.generation += GENERATION_STEP;
	s->orders = now;
	err = send_orders(s);
	return err != 0 ? refusal(err) : orders_json(s);
}
