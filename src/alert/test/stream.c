/* SPDX-License-Identifier: BSD-2-Clause */
/* stream NAME: plays one of the scripted streams and prints each message, for test_table.py; --classes: what they
 * come with. */
#include "play.h"

#include <stdio.h>
#include <string.h>

#define THREADS 4096

/* Numbers as people read them: the first message is 1. */
struct order {
	uint64_t first[THREADS];
	unsigned n;
};

static unsigned place_of(struct order *o, uint64_t number, bool add)
{
	for (unsigned i = 0; i < o->n; i++)
		if (o->first[i] == number)
			return i + 1;
	if (!add || o->n == THREADS)
		return 0;
	o->first[o->n++] = number;
	return o->n;
}

static void print_counts(const struct alert_message *m)
{
	for (uint32_t i = 0; i < m->n_counts; i++) {
		const struct alert_count *c = &m->counts[i];
		const char *rule = alert_quiet_text(c->quiet);
		printf("%s %u %s %s", i == 0 ? "; held back:" : ",", c->n,
		       conf_alert_class_text((enum conf_alert_class)c->class),
		       alert_why_text((enum alert_why)c->why));
		if (rule[0] != '\0')
			printf(" (%s)", rule);
		else if (c->quiet != 0)
			printf(" (rule %u)", c->quiet);
	}
}

static void on_send(struct play *p, const struct alert_message *m)
{
	int64_t s = m->at_ns / NS_PER_SEC + AHEAD_S, day = s / 86400 - event_days(2026, 11, 2) + 1;
	struct order *o = p->ctx;
	char source[ADDR_TEXT] = "-";
	if (m->what.source.ver != 0)
		addr_text(&m->what.source, source);
	unsigned self = place_of(o, m->number, true);
	printf("%lld %02d:%02d:%02d  %-5s  %2u  %-8s  %-11s  %-5s  %-14s", (long long)day,
	       (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60),
	       p->conf.to[m->destination].name, self, alert_kind_text((enum alert_kind)m->kind),
	       m->class < ALERT_CLASSES ? conf_alert_class_text((enum conf_alert_class)m->class)
					: "-",
	       m->what.guest[0] != '\0' ? m->what.guest : "-", source);
	printf(m->thread != 0 ? " re %u" : "", place_of(o, m->thread, false));
	if (m->kind == ALERT_INCIDENT_END || m->kind == ALERT_DAY_END)
		printf(" sent %u", m->sent);
	print_counts(m);
	if (m->n_commands > 0 && m->kind == ALERT_FIRST)
		printf("; last command: %s", m->commands[m->n_commands - 1]);
	if (m->budget != 0)
		printf("; last of the %s", alert_why_text((enum alert_why)m->budget));
	if (m->quiet_until_ns != 0)
		printf(" until %02d:%02d",
		       (int)((m->quiet_until_ns / NS_PER_SEC + AHEAD_S) / 3600 % 24),
		       (int)(m->quiet_until_ns / NS_PER_SEC / 60 % 60));
	putchar('\n');
}

static void print_classes(void)
{
	static const struct conf_alerts none;
	for (int k = 0; k < ALERT_CLASSES; k++) {
		struct alert_class c = alert_class_of(&none, (enum conf_alert_class)k);
		printf("%s %u %lld %u %u\n", conf_alert_class_text((enum conf_alert_class)k),
		       c.weight, (long long)(c.throttle.window_ns / MINUTE), c.throttle.hour,
		       c.throttle.day);
	}
}

int main(int argc, char **argv)
{
	static struct play p;
	static struct order o;
	const struct stream *s = argc == 2 ? play_stream(argv[1]) : NULL;
	if (argc == 2 && strcmp(argv[1], "--classes") == 0) {
		print_classes();
		return 0;
	}
	if (s == NULL) {
		for (s = play_streams; s->name != NULL; s++)
			puts(s->name);
		return argc == 1 ? 0 : 2;
	}
	play_conf(&p.conf);
	if (s->conf != NULL)
		s->conf(&p.conf);
	p.send = on_send;
	p.ctx = &o;
	play_open(&p);
	s->run(&p);
	play_close(&p);
	return 0;
}
