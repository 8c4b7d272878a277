/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Never locked out: a start on the real wire lasts only if somebody comes in anew and says so. Whoever is in
 * already proves nothing: his connection was there before, and stays his. Else all of it is taken back.
 */
#include "role/super/super_priv.h"
#include "sys/sys.h"

#include <string.h>
#include <unistd.h>

void confirm_begin(struct super *s)
{
	if (s->c->mode == MODE_LAB) {
		s->confirm.wanted = false;
		return;
	}
	s->confirm.since_ns = clock_boot_ns();
	s->confirm.until_ns = s->confirm.since_ns + s->c->uplink.confirm_ns;
	if (!s->confirm.wanted)
		log_line(LOG_INFO, "this configuration was confirmed before");
}

void confirm_tick(struct super *s, int64_t now)
{
	static const char text[] = "nobody confirmed the start from a new connection: the honeynet "
				   "is taken off the real wire, and all is as before";
	if (!s->confirm.wanted || s->leave || now < s->confirm.until_ns)
		return;
	uplink_close(s); /* at once: what follows takes its time */
	log_line(LOG_WARN, "%s", text);
	super_health(s, "super", "rollback", 1, -1, -1, 2, text);
	uplink_note_rollback(s->c, text);
	s->leave = true;
}

static bool read_end(const json_t *o, const char *key, const char *port_key, struct addr *ret,
		     uint16_t *ret_port)
{
	const char *text = json_string_value(json_object_get(o, key));
	json_int_t port = json_integer_value(json_object_get(o, port_key));
	if (text == NULL || addr_parse(text, ret) != 0 || port < 1 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* Was the session's first process there before the start? It may be of a connection that has long ended (a screen, a tmux,
 * a mosh), which is in no list of what was open. */
static bool is_old(const struct super *s, const json_t *session)
{
	json_int_t pid = json_integer_value(json_object_get(session, "pid"));
	long hz = sysconf(_SC_CLK_TCK);
	uint64_t ticks;
	if (pid <= 1 || pid > INT32_MAX || hz <= 0 || proc_start_time((pid_t)pid, &ticks) != 0)
		return true;
	return (int64_t)(ticks + 1) * (NS_PER_SEC / hz) < s->confirm.since_ns;
}

/* Why a confirmation from this session proves nothing, or NULL. No session: somebody at the machine itself. */
static const char *refusal(const struct super *s, const json_t *session)
{
	static const char old[] =
		"this connection was open before the start, and proves nothing; open a "
		"new one (with ssh -S none, if yours are shared; not in a tmux or "
		"screen of the old one)";
	const struct confirm_run *k = &s->confirm;
	struct site_session from = {.pid = 0};
	if (session == NULL)
		return NULL;
	if (!read_end(session, "local", "local_port", &from.local, &from.local_port) ||
	    !read_end(session, "remote", "remote_port", &from.remote, &from.remote_port))
		return "not a request";
	if (site_has(s->uplink.site, &from.remote))
		return "this connection comes from the host itself, and proves nothing; open one "
		       "from "
		       "where you are";
	for (uint32_t i = 0; i < k->n_known; i++)
		if (site_same_session(&from, &k->known[i]))
			return old;
	return is_old(s, session) ? old : NULL;
}

json_t *confirm_answer(struct super *s, const json_t *request)
{
	if (s->c->mode == MODE_LAB)
		return json_pack("{s:b, s:s}", "ok", 1, "text",
				 "mode lab needs no word: it touches nothing of this host's");
	if (!s->confirm.wanted)
		return json_pack("{s:b, s:s}", "ok", 1, "text", "it is confirmed already");
	if (s->leave)
		return json_pack("{s:s}", "error", "too late: it is being rolled back");
	if (s->uplink.steer == NULL)
		return json_pack("{s:s}", "error",
				 "nothing is steered at the uplink now (see `skep status`), so it "
				 "would prove nothing");
	const char *why = refusal(s, json_object_get(request, "session"));
	if (why != NULL)
		return json_pack("{s:s}", "error", why);
	int err = uplink_confirm(s->c, &s->uplink.plan.steer);
	s->confirm.wanted = false;
	log_line(LOG_INFO, "the start is confirmed");
	super_health(s, "super", "confirmed", 1, -1, -1, 1,
		     "the start on the real wire is confirmed");
	return json_pack("{s:b, s:s}", "ok", 1, "text",
			 err == 0 ? "confirmed: it stays, and a service may start it at boot"
				  : "confirmed for this run; it could not be written down, so the "
				    "next start asks again");
}

json_t *confirm_json(const struct super *s)
{
	int64_t left = s->confirm.until_ns - clock_boot_ns();
	if (s->c->mode == MODE_LAB)
		return json_null();
	return json_pack("{s:b, s:I}", "confirmed", !s->confirm.wanted, "seconds_left",
			 (json_int_t)(s->confirm.wanted && left > 0 ? left / NS_PER_SEC : 0));
}
