/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quiet rules: the operator's, in the order of the file, then ours. A rule of which something can't be read
 * quiets nothing: too many alerts are better than none.
 */
#include "alert/alert_priv.h"

#include <string.h>

#define OWN 129 /* number of the first built-in one */
#define ICMP 1
#define TCP 6
#define UDP 17
#define ICMP6 58
#define DNS_PORT 53
#define IDENT_PORT 113
#define NTP_PORT 123
#define STOP_NS (5 * MINUTE_NS) /* a stop takes no longer */
#define PROBES "prove"          /* the port that `skep prove` plays a guest at */

static const char *const own_names[] = {"own-dns", "ident", "own-ntp", "own-probes", "own-stop"};

const char *alert_quiet_text(uint8_t quiet)
{
	return quiet >= OWN && quiet < OWN + (int)ARRAY_LEN(own_names) ? own_names[quiet - OWN]
								       : "";
}

/* ---- made ready -------------------------------------------------------------------------------------- */

static bool number_parse(const char *s, uint32_t *ret)
{
	uint64_t v = 0;
	if (s[0] == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || v > UINT32_MAX / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	*ret = (uint32_t)v;
	return v <= UINT32_MAX;
}

static bool classes_parse(const struct conf_quiet *c, uint32_t *ret)
{
	*ret = 0;
	for (uint32_t i = 0; i < c->n_classes && i < ALERT_CLASSES; i++) {
		enum conf_alert_class class = conf_alert_class_of(c->classes[i]);
		if (class == ALERT_CLASSES)
			return false;
		*ret |= UINT32_C(1) << class;
	}
	return true;
}

/* The destinations that a rule is for, as bits. */
static bool to_parse(const struct conf_alerts *all, const struct conf_quiet *c, uint8_t *ret)
{
	_Static_assert(CONF_DESTINATIONS <= 8, "a bit for each");
	for (uint32_t i = 0; i < c->n_to && i < CONF_DESTINATIONS; i++) {
		uint32_t t = 0;
		while (t < all->n_to && strncmp(all->to[t].name, c->to[i], CONF_NAME) != 0)
			t++;
		if (t >= all->n_to || t >= CONF_DESTINATIONS)
			return false;
		*ret |= (uint8_t)(1u << t);
	}
	return true;
}

static struct quiet prepare(const struct conf_alerts *all, const struct conf_quiet *c)
{
	struct quiet q = {.c = c, .until_ns = INT64_MAX};
	bool fine = hours_parse(c->hours, &q.hours) && classes_parse(c, &q.classes) &&
		    (c->until[0] == '\0' || conf_until_parse(c->until, &q.until_ns) == 0);
	for (uint32_t i = 0; i < c->n_as && i < ARRAY_LEN(q.as); i++, q.n_as++) {
		const char *s = c->as[i];
		fine &= number_parse(strncmp(s, "AS", 2) == 0 ? s + 2 : s, &q.as[i]);
	}
	for (uint32_t i = 0; i < c->n_sids && i < ARRAY_LEN(q.sids); i++, q.n_sids++)
		fine &= number_parse(c->sids[i], &q.sids[i]);
	q.on = to_parse(all, c, &q.to) && fine;
	return q;
}

void quiet_prepare(struct alert *a)
{
	for (uint32_t i = 0; i < a->c->n_quiet && i < CONF_QUIET; i++) {
		a->quiet[i] = prepare(a->c, &a->c->quiet[i]);
		a->quiet_places |= a->c->quiet[i].n_as > 0 || a->c->quiet[i].n_countries > 0;
	}
}

/* ---- matching ---------------------------------------------------------------------------------------- */

struct place {
	uint32_t as;
	char country[4];
};

static bool has_port(const struct conf_quiet *c, uint16_t port)
{
	for (uint32_t i = 0; i < c->n_ports && i < CONF_POLICY_PORTS; i++)
		if (port >= c->ports[i].lo && port <= c->ports[i].hi)
			return true;
	return c->n_ports == 0;
}

static bool has_guest(const struct conf_quiet *c, const char *guest)
{
	for (uint32_t i = 0; i < c->n_guests && i < CONF_POLICY_GUESTS; i++)
		if (strncmp(c->guests[i], guest, CONF_NAME) == 0)
			return true;
	return c->n_guests == 0;
}

static bool has_source(const struct conf_quiet *c, const struct addr *a)
{
	for (uint32_t i = 0; i < c->n_sources && i < CONF_POLICY_NETS; i++)
		if (a->ver != 0 && prefix_has(&c->sources[i], a))
			return true;
	return c->n_sources == 0;
}

static bool has_place(const struct quiet *q, const struct place *p)
{
	bool as = q->n_as == 0, country = q->c->n_countries == 0;
	for (uint32_t i = 0; i < q->n_as; i++)
		as |= p->as != 0 && q->as[i] == p->as;
	for (uint32_t i = 0; i < q->c->n_countries && i < ARRAY_LEN(q->c->countries); i++)
		country |= p->country[0] != '\0' &&
			   strncasecmp(q->c->countries[i], p->country, sizeof(p->country)) == 0;
	return as && country;
}

static bool has_sid(const struct quiet *q, const struct alert_input *in)
{
	for (uint32_t i = 0; i < q->n_sids && in->kind == EVENT_ALERT; i++)
		if (q->sids[i] == in->sid)
			return true;
	return q->n_sids == 0;
}

static bool has_proto(const struct conf_quiet *c, uint8_t proto)
{
	proto = proto == ICMP6 ? ICMP : proto;
	if (c->proto == CONF_OTHER)
		return proto != 0 && proto != ICMP && proto != TCP && proto != UDP;
	return c->proto == 0 || c->proto == proto;
}

static bool matches(const struct quiet *q, const struct alert_input *in, const struct now *now,
		    const struct place *p)
{
	const struct conf_quiet *c = q->c;
	return q->on && now->local_s < q->until_ns / NS_PER_SEC &&
	       hours_has(&q->hours, now->minute) &&
	       (c->direction == DIR_NONE || c->direction == in->direction) &&
	       has_proto(c, in->proto) && (q->classes == 0 || (q->classes >> in->class & 1) != 0) &&
	       has_port(c, in->port) && has_guest(c, in->guest) && has_source(c, &in->source) &&
	       has_sid(q, in) && has_place(q, p);
}

static bool knocks(const struct conf_alerts *c, const struct addr *a)
{
	return a->ver != 0 && (addr_eq(&c->knocks[0], a) || addr_eq(&c->knocks[1], a));
}

/* Names are asked of their own server, or of one that the wall let nobody reach. A conversation with port 53 of
 * somebody else may be anything. */
static bool own_dns(const struct conf_alerts *c, const struct alert_input *in)
{
	return (in->proto == UDP || in->proto == TCP) && in->port == DNS_PORT &&
	       (in->verdict != VERDICT_FORWARD || addr_eq(&c->resolvers[0], &in->source) ||
		addr_eq(&c->resolvers[1], &in->source));
}

/* What every guest does, and what scans provoke. Only conversations: a rule that matched in one is told. */
static uint8_t own(const struct alert *a, const struct alert_input *in, int64_t ns)
{
	bool out = in->class == ALERT_OUTBOUND, in_or_out = out || in->class == ALERT_INBOUND;
	if (out && own_dns(a->c, in))
		return OWN;
	if (in_or_out && in->proto == TCP && in->port == IDENT_PORT)
		return OWN + 1;
	if (out && in->proto == UDP && in->port == NTP_PORT)
		return OWN + 2;
	if (in->class == ALERT_INBOUND && knocks(a->c, &in->source))
		return OWN + 3;
	if (in->class == ALERT_SILENCE && a->clock.stop_ns != 0 && ns - a->clock.stop_ns < STOP_NS)
		return OWN + 4;
	return in->class != ALERT_HEALTH && strcmp(in->guest, PROBES) == 0 ? OWN + 3 : 0;
}

/* The first rule that matches counts, for each destination. */
void quiet_match(struct alert *a, const struct alert_input *in, struct now *now)
{
	struct place p = {0, ""};
	if (in->class == ALERT_ESCAPE)
		return;
	if (a->quiet_places && a->out.place != NULL && in->source.ver != 0)
		a->out.place(a->out.ctx, &in->source, &p.as, p.country);
	for (uint32_t i = 0; i < a->c->n_quiet && i < CONF_QUIET && now->quiet == 0; i++) {
		const struct quiet *q = &a->quiet[i];
		if (!matches(q, in, now, &p))
			continue;
		if (q->c->n_to == 0)
			now->quiet = (uint8_t)(i + 1);
		for (uint32_t t = 0; t < CONF_DESTINATIONS; t++)
			if ((q->to >> t & 1) != 0 && now->quiet_to[t] == 0)
				now->quiet_to[t] = (uint8_t)(i + 1);
	}
	if (now->quiet == 0 && a->c->quiet_own != 0)
		now->quiet = own(a, in, now->ns);
}
