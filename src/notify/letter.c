/* SPDX-License-Identifier: BSD-2-Clause */
/* The letter: all that a message tells, once, before it takes any of the forms. */
#include "notify/notify_priv.h"

#include <string.h>

/* The next row's value; it counts only if row_end finds something in it. */
static struct writer row_begin(struct letter *l, const char *label)
{
	uint32_t at = l->n_rows < LETTER_ROWS ? l->n_rows : LETTER_ROWS - 1;
	l->rows[at].label = label;
	return writer_of(l->rows[at].value, sizeof(l->rows[at].value));
}

static void row_end(struct letter *l, const struct writer *w)
{
	if (w->len > 0 && l->n_rows < LETTER_ROWS)
		l->n_rows++;
}

static void row_foreign(struct letter *l, const char *label, const char *s, size_t size)
{
	struct writer w = row_begin(l, label);
	put_foreign(&w, s, size);
	row_end(l, &w);
}

static void row_stamp(struct letter *l, const char *label, int64_t ns)
{
	struct writer w = row_begin(l, label);
	if (ns > 0)
		put_stamp(&w, l->from, ns);
	row_end(l, &w);
}

static void more(struct letter *l, const char *what, const char *fmt, const char *id)
{
	if (l->n_more >= LETTER_MORE)
		return;
	struct letter_row *r = &l->more[l->n_more++];
	struct writer w = writer_of(r->value, sizeof(r->value));
	r->label = what;
	write_fmt(&w, fmt, id);
}

static void rows_source(struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	const struct facts_of *f = l->facts;
	if (in->source.ver == 0)
		return;
	struct writer w = row_begin(l, l->m->class == ALERT_OUTBOUND ? "With" : "Source");
	say_addr(&w, &in->source);
	if (f->name[0] != '\0') {
		write_str(&w, " (");
		put_foreign(&w, f->name, sizeof(f->name));
		write_str(&w, " by your own table)");
	}
	row_end(l, &w);
}

static void rows_place(struct letter *l)
{
	const struct facts_of *f = l->facts;
	struct writer w = row_begin(l, "Network");
	if (l->m->what.source.ver == 0 || f->place_ns == 0)
		return;
	if (f->country[0] == '\0' && f->as == 0)
		write_str(&w, "not known");
	put_foreign(&w, f->country, sizeof(f->country));
	if (f->as != 0) { /* two foreign texts never touch: together they might be a link */
		write_fmt(&w, "%sAS%u ", f->country[0] != '\0' ? ", " : "", f->as);
		put_foreign(&w, f->as_name, sizeof(f->as_name));
	}
	if (f->anonymous != 0)
		write_str(&w, ", marked as proxy or exit of Tor");
	if (f->hosting != 0)
		write_str(&w, ", marked as hosting");
	write_str(&w, "; data of ");
	put_age(&w, l->from, f->place_ns, l->m->at_ns);
	row_end(l, &w);
}

static void rows_system(struct letter *l)
{
	const struct facts_of *f = l->facts;
	struct writer w = row_begin(l, "System");
	if (f->os[0] == '\0')
		return;
	put_plain(&w, f->os, sizeof(f->os)); /* no outsider's: a version is no link */
	write_str(&w, ", a guess by how it greets");
	if (f->hops != 255)
		write_fmt(&w, ", about %u hop%s away", f->hops, f->hops == 1 ? "" : "s");
	if (f->os_ns > 0) {
		write_str(&w, "; signatures of ");
		put_age(&w, l->from, f->os_ns, l->m->at_ns);
	}
	row_end(l, &w);
}

static void rows_seen(struct letter *l)
{
	const struct alert_message *m = l->m;
	struct writer w = row_begin(l, "Seen before");
	if (m->what.source.ver == 0)
		return;
	if (m->seen_ns > 0) {
		write_fmt(&w, "%u time%s, first ", m->seen_times, m->seen_times == 1 ? "" : "s");
		put_stamp(&w, l->from, m->seen_ns);
	} else {
		write_str(&w, "no");
	}
	row_end(l, &w);
}

static const char *way(uint8_t direction)
{
	return direction == DIR_INBOUND    ? "inbound"
	       : direction == DIR_OUTBOUND ? "outbound"
	       : direction == DIR_LATERAL  ? "from guest to guest"
					   : "";
}

/* In one row, since it is for a phone: "web1, port 22/TCP, inbound, verdict forward". */
static void rows_where(struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	const char *direction = way(in->direction);
	struct writer w = row_begin(l, "Where");
	put_foreign(&w, in->guest, sizeof(in->guest));
	if (in->port != 0 || in->proto != 0) {
		write_str(&w, w.len > 0 ? ", " : "");
		say_port(&w, in);
	}
	if (direction[0] != '\0')
		write_fmt(&w, "%s%s, verdict %s", w.len > 0 ? ", " : "", direction,
			  verdict_text((enum verdict)in->verdict));
	row_end(l, &w);
	w = row_begin(l, "Rule");
	if (in->sid != 0)
		write_fmt(&w, "%u:%u, severity %u", in->gid, in->sid, in->severity);
	row_end(l, &w);
}

static void rows_fact(struct letter *l)
{
	const struct alert_message *m = l->m;
	const struct alert_input *in = &m->what;
	bool digest = m->kind == ALERT_INCIDENT_END || m->kind == ALERT_DAY_END;
	row_foreign(l, digest ? "Heaviest" : "Event", in->text, sizeof(in->text));
	row_stamp(l, "Time", in->time_ns);
	rows_source(l);
	rows_place(l);
	rows_system(l);
	rows_seen(l);
	rows_where(l);
	if (m->incident == 0)
		return;
	struct writer w = row_begin(l, "Incident");
	write_fmt(&w, "%llu", (unsigned long long)m->incident);
	if (m->since_ns > 0) {
		write_str(&w, ", since ");
		put_stamp(&w, l->from, m->since_ns);
	}
	row_end(l, &w);
}

static void look_further(struct letter *l)
{
	const struct alert_input *in = &l->m->what;
	char id[24], session[EVENT_SESSION_TEXT];
	struct writer w = writer_of(id, sizeof(id));
	if (l->m->incident != 0) {
		write_fmt(&w, "%llu", (unsigned long long)l->m->incident);
		more(l, "All of the incident", "skep events --incident %s", id);
	} else if (in->flow_id != 0) {
		write_fmt(&w, "%llu", (unsigned long long)in->flow_id);
		more(l, "All of the conversation", "skep events --flow %s", id);
	}
	if (in->session != 0) {
		more(l, "The visit", "skep sessions show %s",
		     event_session_text(in->session, session));
		more(l, "Watch it", "skep replay %s", session);
	}
	if (l->m->class == ALERT_HEALTH || l->m->class == ALERT_SILENCE ||
	    l->m->class == ALERT_ESCAPE)
		more(l, "State of the honeynet", "skep status%s", "");
	if (l->n_held > 0)
		more(l, "What was sent and held back", "skep alerts log%s", "");
}

static void subject(struct letter *l)
{
	struct writer w = writer_of(l->subject, sizeof(l->subject));
	uint64_t n = held_sum(l->m);
	write_str(&w, "[");
	put_plain(&w, l->from->sensor, strlen(l->from->sensor));
	write_fmt(&w, "] %s: ", say_title(l->m));
	say_core(&w, l, 96);
	if (n > 0 && l->m->kind != ALERT_DAY_END)
		write_fmt(&w, " (%llu held back)", (unsigned long long)n);
}

static void footer(struct letter *l)
{
	const struct alert_message *m = l->m;
	struct writer w = writer_of(l->footer, sizeof(l->footer));
	write_str(&w, "honeynet ");
	put_plain(&w, l->from->name, strlen(l->from->name));
	write_str(&w, " on ");
	put_plain(&w, l->from->sensor, strlen(l->from->sensor));
	write_fmt(&w, ", message %llu", (unsigned long long)m->number);
	if (m->class < ALERT_CLASSES)
		write_fmt(&w, ", class %s", conf_alert_class_text(m->class));
	write_fmt(&w, ", weight %u", m->weight);
}

void letter_build(const struct notify_from *from, const struct conf_alerts *c,
		  const struct alert_message *m, const struct facts_of *facts, struct letter *ret)
{
	static const struct facts_of nothing = {.hops = 255};
	memset(ret, 0, sizeof(*ret));
	ret->from = from;
	ret->conf = c;
	ret->to = m->destination < c->n_to && m->destination < CONF_DESTINATIONS
			  ? &c->to[m->destination]
			  : NULL;
	ret->m = m;
	ret->facts = facts != NULL ? facts : &nothing;
	ret->brief = ret->to != NULL && ret->to->short_form;
	if (ret->brief)
		short_line(ret, ret->subject);
	else
		subject(ret);
	struct writer w = writer_of(ret->lead, sizeof(ret->lead));
	say_lead(&w, ret);
	if (m->kind != ALERT_TEST)
		rows_fact(ret);
	for (uint32_t i = 0; i < m->n_commands && i < ALERT_COMMANDS; i++) {
		w = writer_of(ret->commands[ret->n_commands], sizeof(ret->commands[0]));
		put_foreign(&w, m->commands[i], sizeof(m->commands[i]));
		ret->n_commands += w.len > 0;
	}
	letter_held(ret);
	look_further(ret);
	footer(ret);
}
