/* SPDX-License-Identifier: BSD-2-Clause */
/* skep alerts: the lines that log and preview share, for people and for programs. */
#include "cmd/alerts/alerts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_TEXT 2048

const char *alerts_time(int64_t ns, char buf[EVENT_TIME])
{
	time_t s = (time_t)(ns / NS_PER_SEC);
	struct tm tm;
	if (ns <= 0 || localtime_r(&s, &tm) == NULL ||
	    strftime(buf, EVENT_TIME, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		text_copy(buf, EVENT_TIME, "-");
	return buf;
}

int32_t alerts_local(void *ctx, int64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / NS_PER_SEC);
	struct tm tm;
	(void)ctx;
	return localtime_r(&s, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

void alerts_print(const char *text, int columns)
{
	char buf[LINE_TEXT];
	struct writer w = writer_of(buf, sizeof(buf));
	write_escaped(&w, text, strlen(text));
	printf("%-*s", columns, buf);
}

void alerts_print_text(const char *text, size_t len)
{
	char buf[LINE_TEXT];
	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line = end != NULL ? (size_t)(end - text) - at : len - at;
		size_t step = line < LINE_TEXT / 4 - 1 ? line : LINE_TEXT / 4 - 1;
		size_t shown =
			step > 0 && step == line && text[at + step - 1] == '\r' ? step - 1 : step;
		struct writer w = writer_of(buf, sizeof(buf));
		write_escaped(&w, text + at, shown);
		fputs(buf, stdout);
		at += step;
		if (step == line && end != NULL)
			at++;
		if (step == line)
			putchar('\n');
	}
}

json_t *alerts_foreign(const char *text)
{
	char buf[LINE_TEXT];
	struct writer w = writer_of(buf, sizeof(buf));
	write_escaped(&w, text, strlen(text));
	return json_string(buf);
}

static void print_source(const struct addr *a)
{
	char text[ADDR_TEXT];
	printf(" %-15s", a->ver != 0 ? addr_text(a, text) : "-");
}

void alerts_print_line(const struct alerts_line *l)
{
	char when[EVENT_TIME], number[24];
	snprintf(number, sizeof(number), "#%llu", (unsigned long long)l->number);
	printf("%s %-6s %-8s ", alerts_time(l->at_ns, when), number, l->state);
	alerts_print(l->destination, 10);
	putchar(' ');
	alerts_print(l->class, 11);
	putchar(' ');
	alerts_print(l->summary, 0);
	if (l->answer != NULL && l->answer[0] != '\0') {
		fputs("\n                    -> ", stdout);
		alerts_print(l->answer, 0);
	}
	putchar('\n');
}

void alerts_print_held(const struct alerts_held *h)
{
	char when[EVENT_TIME];
	printf("%s %-6s %-8s ", alerts_time(h->at_ns, when), "", "held");
	alerts_print(h->destination, 10);
	putchar(' ');
	alerts_print(h->class, 11);
	printf(" %llu x ", (unsigned long long)h->n);
	alerts_print(h->guest[0] != '\0' ? h->guest : "-", 0);
	print_source(&h->source);
	fputs(" by ", stdout);
	alerts_print(h->why, 0);
	if (h->rule[0] != '\0') {
		fputs(": ", stdout);
		alerts_print(h->rule, 0);
	}
	putchar('\n');
}

static void put(json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);
	puts(text != NULL ? text : "{}");
	free(text);
	json_decref(o);
}

/* What both kinds of lines have. */
static json_t *begin(const char *state, int64_t at_ns, const char *destination, const char *class,
		     const char *guest, const struct addr *source, uint64_t incident)
{
	char text[EVENT_TIME], from[ADDR_TEXT];
	json_t *o = json_object();
	json_object_set_new(o, "state", json_string(state));
	json_object_set_new(o, "at", json_string(event_time_text(at_ns, text)));
	json_object_set_new(o, "destination", alerts_foreign(destination));
	json_object_set_new(o, "class", alerts_foreign(class));
	json_object_set_new(o, "guest", alerts_foreign(guest));
	if (source->ver != 0)
		json_object_set_new(o, "source", json_string(addr_text(source, from)));
	json_object_set_new(o, "incident", json_integer((json_int_t)incident));
	return o;
}

void alerts_json_line(const struct alerts_line *l)
{
	json_t *o = begin(l->state, l->at_ns, l->destination, l->class, l->guest, &l->source,
			  l->incident);
	json_object_set_new(o, "kind", alerts_foreign(l->kind));
	json_object_set_new(o, "weight", json_integer(l->weight));
	json_object_set_new(o, "bypass", json_boolean(l->bypass));
	json_object_set_new(o, "number", json_integer((json_int_t)l->number));
	json_object_set_new(o, "summary", alerts_foreign(l->summary));
	if (l->answer != NULL)
		json_object_set_new(o, "answer", alerts_foreign(l->answer));
	put(o);
}

void alerts_json_held(const struct alerts_held *h)
{
	json_t *o = begin("held", h->at_ns, h->destination, h->class, h->guest, &h->source,
			  h->incident);
	json_object_set_new(o, "why", alerts_foreign(h->why));
	json_object_set_new(o, "rule", alerts_foreign(h->rule));
	json_object_set_new(o, "n", json_integer((json_int_t)h->n));
	put(o);
}
