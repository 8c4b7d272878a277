/* SPDX-License-Identifier: BSD-2-Clause */
/* What happened, in a sentence and in a few words. */
#include "notify/notify_priv.h"

#include <string.h>

const char *say_title(const struct alert_message *m)
{
	static const char *const titles[] = {
		[ALERT_ESCAPE] = "Escape",
		[ALERT_SILENCE] = "Silence",
		[ALERT_OUTBOUND] = "First outbound connection",
		[ALERT_LOGIN] = "Login",
		[ALERT_LIMIT] = "Limit reached",
		[ALERT_RULE_HIGH] = "Rule hit (high)",
		[ALERT_RULE_MEDIUM] = "Rule hit (medium)",
		[ALERT_RULE_LOW] = "Rule hit (low)",
		[ALERT_INBOUND] = "New source",
		[ALERT_HEALTH] = "Health",
	};
	_Static_assert(ARRAY_LEN(titles) == ALERT_CLASSES, "a title for each class");
	switch ((enum alert_kind)m->kind) {
	case ALERT_INCIDENT_END:
		return "Incident is over";
	case ALERT_DAY_END:
		return "Digest of the day";
	case ALERT_TEST:
		return "Test";
	case ALERT_BUDGET:
		return "Budget used up";
	case ALERT_FIRST:
	case ALERT_MORE:
	case ALERT_KINDS:
	default:
		break;
	}
	if (m->class == ALERT_SILENCE && m->what.kind == EVENT_MISMATCH)
		return "Mismatch";
	return m->class < ALERT_CLASSES ? titles[m->class] : "Alert";
}

void say_addr(struct writer *w, const struct addr *a)
{
	char buf[ADDR_TEXT];
	if (a->ver != 0)
		write_str(w, addr_text(a, buf));
	else
		write_str(w, "somebody");
}

void say_guest(struct writer *w, const struct alert_input *in)
{
	if (in->guest[0] != '\0')
		put_foreign(w, in->guest, sizeof(in->guest));
	else
		write_str(w, "the honeynet");
}

void say_port(struct writer *w, const struct alert_input *in)
{
	char proto[EVENT_PROTO];
	if (in->port != 0)
		write_fmt(w, "port %u/%s", in->port, event_proto_text(in->proto, proto));
	else if (in->proto != 0)
		write_str(w, event_proto_text(in->proto, proto));
}

static void with_port(struct writer *w, const char *before, const struct alert_input *in)
{
	if (in->port == 0 && in->proto == 0)
		return;
	write_str(w, before);
	say_port(w, in);
}

static void lead_silence(struct writer *w, const struct alert_input *in)
{
	write_str(w, in->kind == EVENT_MISMATCH ? "One layer that watches "
						: "A layer that should tell of ");
	say_guest(w, in);
	write_str(w, in->kind == EVENT_MISMATCH ? " saw what another did not." : " says nothing.");
}

static const char *became(uint8_t verdict)
{
	static const char *const texts[] = {
		[VERDICT_FORWARD] = "It was let through",
		[VERDICT_LIMIT] = "It was stopped by a limit",
		[VERDICT_DROP] = "It was dropped",
		[VERDICT_REJECT] = "It was refused",
		[VERDICT_REDIRECT] = "It was led to the sink",
		[VERDICT_REFLECT] = "It was reflected",
		[VERDICT_REWRITE] = "It was let through, changed",
	};
	_Static_assert(ARRAY_LEN(texts) == VERDICTS, "what became of it, for each verdict");
	return verdict < VERDICTS ? texts[verdict] : "What became of it is not known";
}

static void lead_outbound(struct writer *w, const struct alert_input *in)
{
	say_guest(w, in);
	write_str(w, " began a conversation with ");
	say_addr(w, &in->source);
	with_port(w, ", ", in);
	if (in->incident != 0)
		write_fmt(w, ": the first outbound one of incident %llu",
			  (unsigned long long)in->incident);
	write_fmt(w, ". %s.", became(in->verdict));
}

static void lead_login(struct writer *w, const struct alert_input *in)
{
	say_addr(w, &in->source);
	write_str(w, " logged in to ");
	say_guest(w, in);
	if (in->what[0] != '\0') {
		write_str(w, " as \"");
		put_foreign(w, in->what, sizeof(in->what));
		write_str(w, "\"");
	}
	with_port(w, ", ", in);
	write_str(w, ".");
}

static void lead_rule(struct writer *w, const struct alert_input *in)
{
	write_fmt(w, "Rule %u matched: ", in->sid);
	put_foreign(w, in->what, sizeof(in->what));
	write_str(w, in->direction == DIR_OUTBOUND ? "; from " : "; between ");
	say_guest(w, in);
	write_str(w, in->direction == DIR_OUTBOUND ? " to " : " and ");
	say_addr(w, &in->source);
	with_port(w, ", ", in);
	write_str(w, ".");
}

static void lead_inbound(struct writer *w, const struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	say_addr(w, &in->source);
	write_str(w, l->m->seen_ns != 0 ? ", not seen for long, connects to "
					: ", not seen before, connects to ");
	say_guest(w, in);
	with_port(w, ", ", in);
	write_str(w, ".");
}

static void lead_fact(struct writer *w, const struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	switch ((enum conf_alert_class)l->m->class) {
	case ALERT_ESCAPE:
		write_str(w, "Somebody broke, or tried to break, out of the machine of ");
		say_guest(w, in);
		write_str(w, ".");
		break;
	case ALERT_SILENCE:
		lead_silence(w, in);
		break;
	case ALERT_OUTBOUND:
		lead_outbound(w, in);
		break;
	case ALERT_LOGIN:
		lead_login(w, in);
		break;
	case ALERT_LIMIT:
		say_guest(w, in);
		write_str(w, " reached the limit of ");
		put_foreign(w, in->what, sizeof(in->what));
		write_str(w, ".");
		break;
	case ALERT_RULE_HIGH:
	case ALERT_RULE_MEDIUM:
	case ALERT_RULE_LOW:
		lead_rule(w, in);
		break;
	case ALERT_INBOUND:
		lead_inbound(w, l);
		break;
	case ALERT_HEALTH:
	case ALERT_CLASSES:
	default:
		write_str(w, "The honeynet needs a look: ");
		put_foreign(w, in->text[0] != '\0' ? in->text : in->what,
			    in->text[0] != '\0' ? sizeof(in->text) : sizeof(in->what));
		break;
	}
}

static void sent_and_held(struct writer *w, const struct alert_message *m)
{
	uint64_t n = held_sum(m);
	write_fmt(w, "%u message%s sent, %llu event%s held back", m->sent,
		  m->sent == 1 ? " was" : "s were", (unsigned long long)n,
		  n == 1 ? " was" : "s were");
}

static void lead_digest(struct writer *w, const struct letter *l)
{
	const struct alert_message *m = l->m;
	if (m->kind == ALERT_INCIDENT_END) {
		write_fmt(w, "Incident %llu is over: ", (unsigned long long)m->incident);
		say_addr(w, &m->what.source);
		write_str(w, " and ");
		say_guest(w, &m->what);
		if (m->since_ns > 0 && m->at_ns > m->since_ns) {
			write_str(w, ", within ");
			text_duration(w, m->at_ns - m->since_ns);
		}
		write_str(w, ". ");
	} else {
		write_str(w, "The day's digest");
		if (m->since_ns > 0) {
			write_str(w, ", since ");
			put_stamp(w, l->from, m->since_ns);
		}
		write_str(w, ": ");
	}
	sent_and_held(w, m);
	write_str(w, ".");
}

void say_lead(struct writer *w, const struct letter *l)
{
	switch ((enum alert_kind)l->m->kind) {
	case ALERT_INCIDENT_END:
	case ALERT_DAY_END:
		lead_digest(w, l);
		break;
	case ALERT_TEST:
		write_str(w, "This is a test: nothing has happened. Who reads it, is reached by "
			     "this destination.");
		break;
	case ALERT_BUDGET:
		write_str(w, "This destination got all the messages that its budget allows; what "
			     "follows is "
			     "counted, but not sent. The last of it: ");
		lead_fact(w, l);
		break;
	case ALERT_FIRST:
	case ALERT_MORE:
	case ALERT_KINDS:
	default:
		lead_fact(w, l);
		break;
	}
}

static void core_between(struct writer *w, const struct alert_input *in, const char *between)
{
	say_guest(w, in);
	if (in->source.ver == 0)
		return;
	write_str(w, between);
	say_addr(w, &in->source);
}

static void core_fact(struct writer *w, const struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	switch ((enum conf_alert_class)l->m->class) {
	case ALERT_OUTBOUND:
		core_between(w, in, " -> ");
		with_port(w, " ", in);
		write_fmt(w, ", %s", verdict_text((enum verdict)in->verdict));
		break;
	case ALERT_LOGIN:
		core_between(w, in, " from ");
		write_str(w, in->what[0] != '\0' ? " as " : "");
		put_foreign(w, in->what, sizeof(in->what));
		break;
	case ALERT_INBOUND:
		core_between(w, in, " from ");
		with_port(w, ", ", in);
		break;
	case ALERT_LIMIT:
	case ALERT_RULE_HIGH:
	case ALERT_RULE_MEDIUM:
	case ALERT_RULE_LOW:
		core_between(w, in, " and ");
		write_str(w, ": ");
		put_foreign(w, in->what, sizeof(in->what));
		break;
	case ALERT_ESCAPE:
	case ALERT_SILENCE:
	case ALERT_HEALTH:
	case ALERT_CLASSES:
	default:
		say_guest(w, in);
		write_str(w, ": ");
		put_foreign(w, in->text[0] != '\0' ? in->text : in->what,
			    in->text[0] != '\0' ? sizeof(in->text) : sizeof(in->what));
		break;
	}
}

void say_core(struct writer *w, const struct letter *l, size_t max)
{
	char core[1600], cut[256];
	struct writer c = writer_of(core, sizeof(core));
	const struct alert_message *m = l->m;
	if (m->kind == ALERT_INCIDENT_END) {
		write_fmt(&c, "%llu, ", (unsigned long long)m->incident);
		core_between(&c, &m->what, " and ");
	} else if (m->kind == ALERT_DAY_END) {
		sent_and_held(&c, m);
	} else if (m->kind == ALERT_TEST) {
		write_str(&c, "nothing has happened");
	} else {
		core_fact(&c, l);
	}
	struct writer s = writer_of(cut, max + 1 < sizeof(cut) ? max + 1 : sizeof(cut));
	put_cut(&s, core, NULL);
	write_str(w, cut);
}
