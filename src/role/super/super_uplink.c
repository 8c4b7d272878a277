/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real wire. The wall's link leads from its namespace to the host's, where it has neither address nor
 * answer; programs at the uplink (module steer) pass on what is the honeynet's, and nothing else of the host is
 * touched. Here they are put in place and kept alive; here it is noticed that the host's address, its link or its
 * router is another one. Like all of super it reads no frame.
 */
#include "port/port.h"
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS (2 * NS_PER_SEC)
#define MEND_NS (60 * NS_PER_SEC)
#define INNER "skep%u"
#define INNER_MOST 100
#define HOST_FLOWS 16384

static void tell(struct super *s, const char *what, uint8_t priority, const char *text)
{
	log_line(priority > 1 ? LOG_WARN : LOG_INFO, "%s", text);
	super_health(s, "uplink", what, 1, -1, -1, priority, text);
}

/* ---- before the start ----------------------------------------------------------------------- */

/* The sessions that are open before anything is steered prove nothing later. */
static void remember_sessions(struct super *s)
{
	struct confirm_run *k = &s->confirm;
	memcpy(k->known, s->uplink.site->sessions, sizeof(s->uplink.site->sessions));
	k->n_known = s->uplink.site->n_sessions;
	if (s->how->by_ssh)
		k->known[k->n_known++] = s->how->session;
}

static int may_take(const struct super *s, bool confirmed, char *why, size_t why_size)
{
	char use[128] = "";
	const struct uplink_plan *p = &s->uplink.plan;
	struct writer w = writer_of(why, why_size);
	uplink_in_use(s->uplink.site, p->index, use, sizeof(use));
	if (s->c->mode != MODE_BRIDGE || use[0] == '\0' || s->how->take_link || confirmed)
		return 0;
	write_fmt(&w,
		  "mode bridge takes link '%s' away from the host, and %s; name another one "
		  "(uplink.interface), or, at the machine's own console: skep up --take-my-link",
		  p->link, use);
	return -EBUSY;
}

int uplink_find(struct super *s, char *why, size_t why_size)
{
	struct uplink_run *u = &s->uplink;
	struct writer w = writer_of(why, why_size);
	if (s->c->mode == MODE_LAB)
		return 0;
	u->site = calloc(1, sizeof(*u->site));
	int err = u->site == NULL ? -ENOMEM : site_survey(u->site);
	if (err != 0) {
		write_fmt(&w, "looking at this host's network: %s", err_text(err));
		return err;
	}
	err = uplink_plan(s->c, u->site, NULL, &u->plan, why, why_size);
	if (err != 0)
		return err;
	bool confirmed = uplink_was_confirmed(s->c, &u->plan.steer);
	if (!uplink_shared(s->c))
		u->plan.steer.n_kept = 0;
	s->confirm.wanted = !(confirmed && s->how->service);
	err = may_take(s, confirmed && s->how->service, why, why_size);
	return err != 0 ? err : steer_probe(why, why_size);
}

/* ---- the wall's link ------------------------------------------------------------------------ */

static int name_inner(struct super *s)
{
	for (unsigned i = 0; i < INNER_MOST; i++) {
		snprintf(s->uplink.inner, sizeof(s->uplink.inner), INNER, i);
		if (if_nametoindex(s->uplink.inner) == 0)
			return 0;
	}
	return -EEXIST;
}

static int note(struct super *s)
{
	int err = state_note(s, "home %llu", (unsigned long long)netns_number(s->home));
	return err != 0 ? err : state_note(s, "link %s", s->uplink.inner);
}

/* Before it is up, so that no address of its own comes to it. Whenever the programs are not there (somebody took them
 * off, they are being put back), what the wall sends meets the host's stack. It hears no IPv6 there; of IPv4
 * little, since no source is reached by this link (unless `all/rp_filter` is 2, which goes before), and
 * nothing with the router's link address, which is what frames to the outside bear. */
static int silence(const struct uplink_run *u)
{
	char path[64];
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/rp_filter", u->inner);
	int err = sysctl_set(path, "1");
	if (err != 0)
		return err;
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6", u->inner);
	err = sysctl_set(path, "1");
	return err == -ENOENT ? 0 : err; /* no IPv6 here at all */
}

int uplink_build(struct super *s, char *why, size_t why_size)
{
	char buf[512], mac[MAC_TEXT], inner[MAC_TEXT];
	struct mac m = net_mac();
	struct uplink_run *u = &s->uplink;
	struct writer reason = writer_of(why, why_size), w = writer_of(buf, sizeof(buf));
	int err = name_inner(s);
	if (err == 0)
		err = note(s);
	if (err != 0) {
		write_fmt(&reason, "the wall's link to the host: %s", err_text(err));
		return err;
	}
	write_fmt(&w,
		  "link add %s address %s mtu %u type veth peer name outside address %s mtu %u "
		  "netns %s\n",
		  u->inner, mac_text(&m, inner), u->plan.mtu, mac_text(&s->outside_mac, mac),
		  u->plan.mtu, s->c->name);
	err = link_batch(-1, buf, why, why_size);
	if (err == 0 && (err = silence(u)) != 0)
		write_fmt(&reason, "settings of %s: %s", u->inner, err_text(err));
	if (err != 0)
		return err;
	err = link_batch(s->net, "link set lo up\nlink set outside arp off\nlink set outside up\n",
			 why, why_size);
	w = writer_of(buf, sizeof(buf));
	write_fmt(&w, "link set %s arp off\nlink set %s up\n", u->inner, u->inner);
	if (err == 0)
		err = link_batch(-1, buf, why, why_size);
	w = writer_of(buf, sizeof(buf));
	write_fmt(&w, "link set %s gso_max_size 65536 gro_max_size 65536\n", u->inner);
	if (err == 0 && link_batch(-1, buf, why, why_size) != 0) {
		log_line(LOG_DEBUG, "gso_max_size: %s", why); /* an old ip; it is the default */
		why[0] = '\0';
	}
	return err;
}

/* ---- steering ------------------------------------------------------------------------------- */

/* What the host has open as we come stays its own: all of it, or an answer on its way would end at a guest. */
static size_t host_flows(struct steer_flow *ret, size_t max)
{
	static const uint8_t protos[] = {6, 17};
	struct site_session *open = calloc(max, sizeof(*open));
	size_t n = 0, found = 0;
	for (size_t p = 0; p < ARRAY_LEN(protos) && open != NULL; p++) {
		if (site_connections(protos[p], open, max - n, &found) != 0)
			continue;
		for (size_t i = 0; i < found; i++)
			ret[n++] = (struct steer_flow){.proto = protos[p],
						       .local = open[i].local,
						       .remote = open[i].remote,
						       .local_port = open[i].local_port,
						       .remote_port = open[i].remote_port};
	}
	free(open);
	return n;
}

/* Each link that has our programs is known to whoever cleans up, whatever it is called by then. */
static int note_steer(struct super *s)
{
	struct uplink_run *u = &s->uplink;
	if (u->noted == u->plan.index)
		return 0;
	int err = state_note(s, "steer %s", u->plan.link);
	if (err == 0)
		err = state_note(s, "steer-index %u", u->plan.index);
	if (err == 0)
		u->noted = u->plan.index;
	return err;
}

static int steer(struct super *s, char *why, size_t why_size)
{
	struct uplink_run *u = &s->uplink;
	enum steer_form form = s->c->mode == MODE_BRIDGE ? STEER_BRIDGE : STEER_NAT;
	int err = note_steer(s);
	if (err != 0)
		return err;
	struct steer_flow *flows = calloc(HOST_FLOWS, sizeof(*flows));
	if (flows == NULL)
		return -ENOMEM;
	size_t n = host_flows(flows, HOST_FLOWS);
	err = steer_open(form, u->plan.link, u->inner, &u->plan.steer, flows, n, &u->steer, why,
			 why_size);
	free(flows);
	if (err == 0)
		steer_beat(u->steer, clock_boot_ns());
	return err;
}

static int raise_link(struct super *s, char *why, size_t why_size)
{
	char buf[64];
	const struct site_link *l = site_link_at(s->uplink.site, s->uplink.plan.index);
	if (s->uplink.plan.up || (l != NULL && l->no_carrier)) /* then it is set up already */
		return 0;
	int err = state_note(s, "raised %s", s->uplink.plan.link);
	snprintf(buf, sizeof(buf), "link set %s up\n", s->uplink.plan.link);
	if (err == 0)
		err = link_batch(-1, buf, why, why_size);
	s->uplink.plan.up = err == 0;
	return err;
}

static bool learn(struct super *s, const struct addr *gateway, struct mac *peer)
{
	static const struct mac unknown = {{0}};
	char text[EVENT_TEXT], a[ADDR_TEXT], m[MAC_TEXT];
	struct mac now;
	if (gateway->ver == 0 || site_neighbour(s->uplink.plan.index, gateway, &now) != 0 ||
	    memcmp(&now, peer, sizeof(now)) == 0)
		return false;
	snprintf(text, sizeof(text), "the router %s has link address %s now", addr_text(gateway, a),
		 mac_text(&now, m));
	if (memcmp(peer, &unknown, sizeof(unknown)) != 0)
		tell(s, "changed", 1, text);
	*peer = now;
	return true;
}

/* The routers' link addresses; true: another one than before. In mode bridge the wall hears them itself. */
static bool learn_peers(struct super *s)
{
	struct uplink_run *u = &s->uplink;
	if (s->c->mode != MODE_NAT)
		return false;
	bool four = learn(s, &u->plan.gateway, &u->peer);
	return learn(s, &u->plan.gateway6, &u->peer6) || four;
}

/* Nothing there is ours (any more): what may be there is another honeynet's. */
static void note_unsteered(struct super *s)
{
	if (state_note(s, "unsteered %s", s->uplink.plan.link) != 0)
		log_line(LOG_WARN, "RUN/made can't be written");
}

int uplink_open(struct super *s, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	super_say(s, "the real wire: %s, by %s", s->uplink.plan.link, s->uplink.inner);
	int err = site_survey(s->uplink.site); /* the start took its time */
	if (err == 0)
		remember_sessions(s);
	if (err == 0 && (err = steer(s, why, why_size)) != 0)
		note_unsteered(s);
	if (err == 0 && s->c->mode == MODE_BRIDGE)
		err = raise_link(s, why, why_size);
	if (err != 0 && why[0] == '\0')
		write_fmt(&w, "steering at %s: %s", s->uplink.plan.link, err_text(err));
	if (err != 0)
		return err;
	if (learn_peers(s))
		port_tell(s, 0);
	tell(s, "steered", 1, "what belongs to the honeynet comes from the real wire from now on");
	return 0;
}

void uplink_close(struct super *s)
{
	struct uplink_run *u = &s->uplink;
	if (u->steer != NULL)
		tell(s, "unsteered", 1, "the real wire is the host's again");
	if (u->steer != NULL || u->lost) {
		steer_unguard(u->plan.link);
		steer_close(u->steer);
		note_unsteered(s);
	}
	u->steer = NULL;
	u->lost = false;
	free(u->site);
	u->site = NULL;
}

/* ---- what changes out there ----------------------------------------------------------------- */

/* The wall's socket on a link that is new. */
static int renew_port(struct super *s)
{
	int fresh = -1, err = netns_enter(s->net);
	if (err == 0)
		err = port_open_packet("outside", &fresh);
	int back = netns_enter(s->home);
	if (err == 0)
		err = back;
	if (err != 0) {
		fd_close(&fresh);
		return err;
	}
	fd_close(&s->port_fds[0]);
	s->port_fds[0] = fresh;
	return 0;
}

/* By the end that is in our own namespace: nobody else's link can be meant. Maybe there is none. */
static void drop_link(const struct super *s)
{
	char why[128] = "";
	if (link_batch(s->net, "link del outside\n", why, sizeof(why)) != 0)
		log_line(LOG_DEBUG, "outside: %s", why);
}

/* Somebody took the wall's link away. Wall and recorder begin anew with another one; if it is not whole, it goes
 * again: what is there counts as whole the next time. */
static int rebuild(struct super *s, char *why, size_t why_size)
{
	static const enum role roles[] = {ROLE_WALL, ROLE_RECORDER};
	if (if_nametoindex(s->uplink.inner) != 0)
		return 0;
	drop_link(s); /* its other end may only be somewhere else */
	int err = uplink_build(s, why, why_size);
	if (err == 0)
		err = renew_port(s);
	if (err != 0) {
		drop_link(s);
		return err;
	}
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		const struct child *ch = child_of(s, roles[i]);
		if (ch != NULL && ch->pidfd >= 0)
			kill(ch->pid, SIGKILL);
	}
	return 0;
}

/* Somebody took our programs off, or the link went. They are put back, but never in a race. */
static void mend(struct super *s, int64_t now, bool another_link)
{
	char text[EVENT_TEXT], why[200] = "";
	struct uplink_run *u = &s->uplink;
	if (!u->lost)
		tell(s, "lost", 2,
		     "the honeynet's programs are gone from the uplink: somebody took them off, or "
		     "the link is gone");
	u->lost = true;
	bool wait = !another_link && u->mended_ns != 0 && now - u->mended_ns < MEND_NS;
	if (wait && s->c->mode == MODE_BRIDGE) /* there the host has nothing to lose */
		return;
	prove_end(s);          /* its guard would stand behind the new programs */
	steer_close(u->steer); /* half of them would keep from the host what it began */
	u->steer = NULL;
	if (wait)
		return;
	u->mended_ns = now;
	int err = rebuild(s, why, sizeof(why));
	if (err == 0)
		err = steer(s, why, sizeof(why));
	if (err != 0) {
		snprintf(text, sizeof(text), "they can't be put back yet: %s",
			 why[0] != '\0' ? why : err_text(err));
		log_line(LOG_WARN, "%s", text);
		return;
	}
	u->lost = false;
	tell(s, "steered", 2, "the honeynet's programs are back at the uplink");
}

/* The first time that something is wrong, and when it is well again. */
static void trouble(struct super *s, int err, const char *why)
{
	char text[EVENT_TEXT];
	struct uplink_run *u = &s->uplink;
	if (err == u->trouble)
		return;
	u->trouble = err;
	snprintf(text, sizeof(text), "the uplink: %s", err != 0 ? why : "well again");
	tell(s, err != 0 ? "trouble" : "well", err != 0 ? 2 : 1, text);
}

static void follow_link(struct super *s, const struct uplink_plan *p)
{
	char buf[256], why[200] = "", mac[MAC_TEXT], text[EVENT_TEXT];
	struct uplink_run *u = &s->uplink;
	struct writer w = writer_of(buf, sizeof(buf));
	if (p->mtu == u->plan.mtu && memcmp(&p->mac, &u->plan.mac, sizeof(p->mac)) == 0)
		return;
	s->outside_mac = p->mac;
	write_fmt(&w, "link set outside address %s mtu %u\n", mac_text(&p->mac, mac), p->mtu);
	int err = link_batch(s->net, buf, why, sizeof(why));
	w = writer_of(buf, sizeof(buf));
	write_fmt(&w, "link set %s mtu %u\n", u->inner, p->mtu);
	if (err == 0)
		err = link_batch(-1, buf, why, sizeof(why));
	snprintf(text, sizeof(text), "the uplink has link address %s and mtu %u now%s%s", mac,
		 p->mtu, err != 0 ? ", but: " : "", err != 0 ? why : "");
	tell(s, "changed", err != 0 ? 2 : 1, text);
}

/* An address of the host's that a guest shares is another one: DHCP, or an operator. */
static bool follow_addresses(struct super *s, const struct uplink_plan *p)
{
	char text[EVENT_TEXT], a[ADDR_TEXT], b[ADDR_TEXT];
	const struct uplink_plan *was = &s->uplink.plan;
	if (addr_eq(&p->own, &was->own) && addr_eq(&p->own6, &was->own6))
		return false;
	snprintf(text, sizeof(text), "the address that is shared is %s%s%s now",
		 p->own.ver != 0 ? addr_text(&p->own, a) : "",
		 p->own.ver != 0 && p->own6.ver != 0 ? " and " : "",
		 p->own6.ver != 0 ? addr_text(&p->own6, b) : "");
	tell(s, "changed", 1, text);
	return true;
}

static void tell_shared(struct super *s)
{
	for (uint32_t i = 0; i < s->c->n_guests; i++)
		if (s->c->guests[i].shared)
			port_tell(s, i + 1);
}

static void follow_plan(struct super *s, int64_t now, struct uplink_plan *p)
{
	struct uplink_run *u = &s->uplink;
	bool link = p->index != u->plan.index, shared = follow_addresses(s, p), port = shared;
	p->steer.n_kept = u->plan.steer.n_kept; /* as it was at the start */
	memcpy(p->steer.kept, u->plan.steer.kept, sizeof(p->steer.kept));
	follow_link(s, p);
	port = port || memcmp(&p->mac, &u->plan.mac, sizeof(p->mac)) != 0;
	if (p->up != u->plan.up)
		tell(s, p->up ? "well" : "trouble", 1,
		     p->up ? "the uplink is up again" : "the uplink is down");
	if (p->n_yielded > u->plan.n_yielded)
		tell(s, "changed", 2,
		     "an address of the honeynet's has become one of this host's: it is its own "
		     "now");
	bool steered = memcmp(&p->steer, &u->plan.steer, sizeof(p->steer)) != 0;
	if (link)
		prove_end(s); /* its guard hangs at the link of before */
	u->plan = *p;
	if (link)
		mend(s, now, true);
	else if (steered && u->steer != NULL && steer_change(u->steer, &u->plan.steer) != 0)
		mend(s, now, true);
	if (learn_peers(s) || port)
		port_tell(s, 0);
	if (shared)
		tell_shared(s);
}

/* An sshd that listens at another port than it did: the operator's next login must not end at a guest. */
static void follow_logins(struct super *s, int64_t now_ns)
{
	struct uplink_run *u = &s->uplink;
	uint8_t now[SITE_PORT_BYTES], fresh[SITE_PORT_BYTES], any = 0;
	if (!uplink_shared(s->c) || site_listening(now) != 0)
		return;
	for (size_t i = 0; i < sizeof(now); i++)
		any |= fresh[i] = now[i] & (uint8_t)~u->listened[i];
	if (any != 0 && site_survey(u->site) != 0)
		return;
	memcpy(u->listened, now, sizeof(now));
	if (any == 0 || uplink_keep_logins(&u->plan.steer, u->site, fresh) == 0)
		return;
	if (u->steer != NULL && steer_change(u->steer, &u->plan.steer) != 0)
		mend(s, now_ns, true);
	int err = s->confirm.wanted ? 0 : uplink_confirm(s->c, &u->plan.steer);
	tell(s, "changed", 2,
	     err == 0 ? "somebody logs in by another port of this host now: it is the host's"
		      : "somebody logs in by another port of this host now: it is the host's, but "
			"the next start will not know that");
}

static void follow_host(struct super *s)
{
	struct msg_host m = {.n = 0};
	const struct child *wall = child_of(s, ROLE_WALL);
	bool changed = false;
	int err = net_host_prefixes(s, &changed);
	if (err != s->uplink.blind && err != 0)
		tell(s, "trouble", 2,
		     "this host's networks can't be read (too many?); those of before stay off "
		     "limits");
	s->uplink.blind = err;
	if (!changed && !s->uplink.untold)
		return;
	err = 0;
	m.n = s->n_host;
	memcpy(m.host, s->host, sizeof(m.host));
	if (wall != NULL && wall->control >= 0)
		err = ipc_send(wall->control, MSG_HOST, &m, sizeof(m), NULL, 0);
	s->uplink.untold = err != 0; /* then again at the next look */
	if (!changed)
		return;
	tell(s, "changed", err != 0 ? 2 : 0,
	     err != 0 ? "the host's networks changed, and the wall can't be told"
		      : "the host's networks changed; they are off limits as they are now");
}

static void look(struct super *s, int64_t now)
{
	char why[256] = "";
	struct uplink_run *u = &s->uplink;
	struct uplink_plan *p = calloc(1, sizeof(*p));
	int err = p == NULL ? -ENOMEM : site_survey_network(u->site);
	if (err == 0)
		err = uplink_plan(s->c, u->site, &u->plan, p, why, sizeof(why));
	trouble(s, err, why[0] != '\0' ? why : err_text(err));
	if (err == 0) {
		follow_plan(s, now, p);
		follow_logins(s, now);
	}
	free(p);
	follow_host(s);
}

void uplink_tick(struct super *s, int64_t now)
{
	struct uplink_run *u = &s->uplink;
	if (s->c->mode == MODE_LAB || u->site == NULL)
		return;
	if (u->steer != NULL)
		steer_beat(u->steer, now);
	if (now - u->looked_ns >= LOOK_NS) {
		u->looked_ns = now;
		look(s, now);
		if (u->steer == NULL || steer_check(u->steer) != 0)
			mend(s, now, false);
	}
}

/* ---- for people ----------------------------------------------------------------------------- */

static json_t *addresses_json(const struct addr *a, uint32_t n)
{
	char text[ADDR_TEXT];
	json_t *all = json_array();
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(all, json_string(addr_text(&a[i], text)));
	return all;
}

static json_t *stats_json(const struct steer *steer)
{
	struct steer_stats st = {0};
	if (steer != NULL)
		steer_read(steer, &st);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "in_wall", (json_int_t)st.in_wall,
			 "in_host", (json_int_t)st.in_host, "in_dead", (json_int_t)st.in_dead,
			 "out_wall", (json_int_t)st.out_wall, "out_fenced",
			 (json_int_t)st.out_fenced, "out_host", (json_int_t)st.out_host,
			 "out_stopped", (json_int_t)st.out_stopped);
}

json_t *uplink_json(const struct super *s)
{
	char kept[8192] = "", mac[MAC_TEXT], peer[MAC_TEXT], peer6[MAC_TEXT];
	const struct uplink_run *u = &s->uplink;
	struct writer w = writer_of(kept, sizeof(kept));
	if (s->c->mode == MODE_LAB)
		return json_null();
	uplink_write_kept(&w, &u->plan.steer);
	json_t *o =
		json_pack("{s:s, s:s, s:s, s:b, s:b, s:s, s:s, s:s}", "link", u->plan.link, "inner",
			  u->inner, "mac", mac_text(&u->plan.mac, mac), "up", u->plan.up != 0,
			  "steered", u->steer != NULL && !u->lost, "kept", kept, "gateway_mac",
			  mac_text(&u->peer, peer), "gateway6_mac", mac_text(&u->peer6, peer6));
	json_object_set_new(o, "alias", addresses_json(u->plan.steer.alias, u->plan.steer.n_alias));
	json_object_set_new(o, "shared",
			    addresses_json(u->plan.steer.shared, u->plan.steer.n_shared));
	json_object_set_new(o, "frames", stats_json(u->steer));
	return o;
}
