/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules of the containment policy that can't be meant as they are written. */
#include "conf/conf_priv.h"

#include <string.h>

static void complain(const struct check *k, uint32_t i, const char *key, const char *cure,
		     const char *what)
{
	const struct node *n = tree_child(k->policy[i], key);
	if (n == NULL)
		n = k->policy[i];
	problem_add(k->p, n != NULL ? n->line : 0, n != NULL ? n->column : 0, cure, "%s", what);
}

bool check_is_guest(const struct conf *c, const char *name)
{
	if (conf_guest(c, name) != NULL)
		return true;
	for (uint32_t i = 0; i < c->n_guests; i++)
		if (strcmp(c->guests[i].class, name) == 0)
			return true;
	return false;
}

static bool has_windows(const struct conf_policy *p)
{
	return p->connections.n + p->packets.n + p->bytes.n > 0;
}

static bool has_window_of_zero(const struct conf_policy *p)
{
	const struct conf_limit *const all[] = {&p->packets, &p->bytes};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (uint32_t n = 0; n < all[i]->n && n < CONF_WINDOWS; n++)
			if (all[i]->w[n].max == 0)
				return true;
	return false;
}

static void check_redirect(const struct check *k, uint32_t i)
{
	const struct conf_policy *p = &k->c->wall.policy[i];
	const struct conf_network *n = &k->c->network;
	if (p->act != ACT_REDIRECT && (p->redirect_to.ver != 0 || p->redirect_port != 0))
		complain(k, i, p->redirect_to.ver != 0 ? "redirect_to" : "redirect_port",
			 "write `verdict: redirect`, or remove it",
			 "only redirect leads elsewhere");
	if (p->redirect_to.ver == 0 && p->redirect_port != 0)
		complain(k, i, "redirect_port", "add `redirect_to: ADDRESS`, or remove it",
			 "the sink has ports of its own");
	if (prefix_has(&n->inside, &p->redirect_to))
		complain(k, i, "redirect_to", "use `verdict: reflect` for another honeypot",
			 "redirect leads out of the honeynet, and this is an address of it");
}

static void check_reflect(const struct check *k, uint32_t i)
{
	const struct conf_policy *p = &k->c->wall.policy[i];
	const struct conf_guest *g = conf_guest(k->c, p->reflect_to);
	if (p->act != ACT_REFLECT && p->reflect_to[0] != '\0')
		complain(k, i, "reflect_to", "write `verdict: reflect`, or remove it",
			 "only reflect leads to another honeypot");
	if (p->act == ACT_REFLECT && (g == NULL || g->kind != GUEST_HONEYPOT))
		complain(k, i, "reflect_to", "name a honeypot of this file",
			 "reflect needs a honeypot that poses as the target");
}

void check_policy(const struct check *k)
{
	for (uint32_t i = 0; i < k->c->wall.n_policy; i++) {
		const struct conf_policy *p = &k->c->wall.policy[i];
		bool open = p->act != ACT_FORWARD && p->act != ACT_DROP && p->act != ACT_REJECT;
		for (uint32_t n = 0; n < p->n_guests; n++)
			if (!check_is_guest(k->c, p->guests[n]))
				complain(k, i, "guests", "name a guest, or the class of one",
					 "a rule of the policy is for a guest that is not there");
		if (p->n_ports > 0 && p->proto != 6 && p->proto != 17)
			complain(k, i, "ports", "add `proto: tcp` or `proto: udp`",
				 "only TCP and UDP have ports");
		if (!open && has_windows(p))
			complain(k, i, "verdict", "write `verdict: limit`, or remove the windows",
				 "this verdict counts nothing");
		if (has_window_of_zero(p))
			complain(k, i, p->bytes.n > 0 ? "bytes" : "packets",
				 "write `verdict: drop`",
				 "a window of nothing lets no packet pass");
		if (p->act != ACT_REWRITE && p->rules[0] != '\0')
			complain(k, i, "rules", "write `verdict: rewrite`, or remove it",
				 "only rewrite takes rules");
		if (p->act == ACT_REWRITE && k->c->rules.mode != RULES_INLINE)
			complain(k, i, "verdict",
				 "set `rules.mode: inline`, or write `verdict: drop`",
				 "nothing is rewritten without rules in the way");
		check_redirect(k, i);
		check_reflect(k, i);
	}
}
