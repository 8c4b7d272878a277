/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any message in every form: it fits, is valid UTF-8 without unseen bytes, JSON is JSON within the bounds of its
 * service, a mail's headers are ours and no more, a short line is one, and no link of an outsider's is left.
 *
 * Input: 32 bytes of numbers, then bytes that all texts are made of.
 */
#include "notify/notify_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct bed {
	struct alert_message m;
	struct facts_of facts;
	struct conf_alerts c;
	char comment[CONF_MAIL];
	const uint8_t *text;
	size_t left, size;
	const uint8_t *all;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

/* The next bytes; from the beginning again when there are no more. Not always terminated. */
static void take(struct bed *b, char *ret, size_t size)
{
	for (size_t i = 0; i < size && b->size > 0; i++) {
		if (b->left == 0) {
			b->text = b->all;
			b->left = b->size;
		}
		ret[i] = (char)*b->text++;
		b->left--;
	}
}

static void numbers(struct bed *b, struct reader *r)
{
	struct alert_message *m = &b->m;
	struct alert_input *in = &m->what;
	m->class = read_u8(r);
	m->kind = read_u8(r);
	m->weight = read_u8(r);
	m->budget = read_u8(r);
	in->kind = (uint8_t)(read_u8(r) % EVENT_KINDS);
	in->direction = read_u8(r) % 4;
	in->verdict = read_u8(r);
	in->proto = read_u8(r);
	in->port = read_be16(r);
	m->n_counts = read_u8(r) % 16;
	m->n_commands = read_u8(r) % 8;
	m->number = read_be32(r);
	m->thread = read_u8(r);
	m->incident = read_u8(r);
	in->session = read_u8(r);
	in->sid = read_u8(r);
	m->at_ns = (int64_t)read_be64(r);
	b->facts.as = read_u8(r);
	b->facts.hops = read_u8(r);
	in->source.ver = in->port % 3 == 0 ? 0 : in->port % 3 == 1 ? 4 : 6;
	m->since_ns = m->at_ns / 2;
	m->seen_ns = m->thread;
	b->facts.place_ns = m->incident;
	for (size_t i = 0; i < ALERT_COUNTS; i++)
		m->counts[i] = (struct alert_count){.class = (uint8_t)(m->class + i),
						    .why = (uint8_t)(m->budget + i),
						    .quiet = (uint8_t)(m->weight + i * 20),
						    .n = in->sid,
						    .first_ns = 1,
						    .last_ns = m->at_ns};
}

static void texts(struct bed *b)
{
	struct alert_input *in = &b->m.what;
	take(b, in->what, sizeof(in->what));
	take(b, in->text, sizeof(in->text));
	take(b, in->guest, sizeof(in->guest));
	for (size_t i = 0; i < ALERT_COMMANDS; i++)
		take(b, b->m.commands[i], ALERT_COMMAND);
	take(b, b->facts.as_name, sizeof(b->facts.as_name));
	take(b, b->facts.name, sizeof(b->facts.name));
	take(b, b->facts.country, sizeof(b->facts.country));
	take(b, b->comment, sizeof(b->comment) - 1);
	take(b, b->c.to[0].to[0], CONF_MAIL);
	take(b, b->c.to[0].from, CONF_MAIL);
	take(b, b->c.to[0].url, CONF_URL - 1);
}

static void check_letters(const char *s, size_t len, bool crlf)
{
	for (size_t i = 0; i < len;) {
		size_t n = text_utf8(s + i, len - i, NULL);
		must(n > 0);
		if (s[i] == '\r')
			must(crlf && s[i + 1] == '\n');
		else if (s[i] == '\n')
			must(!crlf || (i > 0 && s[i - 1] == '\r'));
		else
			must((uint8_t)s[i] >= ' ' && s[i] != 0x7f);
		i += n;
	}
}

static void check_links(const char *s)
{
	/* Sender and receivers are the operator's. */
	const char *subject = strstr(s, "\nSubject: ");
	s = strncmp(s, "From: ", 6) == 0 && subject != NULL ? subject : s;
	for (const char *at = s; (at = strstr(at, "://")) != NULL; at++)
		must(strncmp(at, "://adaptivecards.io/", 20) == 0);
	must(strstr(s, "@everyone") == NULL && strstr(s, "<!channel") == NULL &&
	     strstr(s, "<@") == NULL);
}

static void check_header(const char *line, size_t len)
{
	static const char *const names[] = {"From",
					    "To",
					    "Subject",
					    "Date",
					    "Message-ID",
					    "In-Reply-To",
					    "References",
					    "Auto-Submitted",
					    "List-Id",
					    "Importance",
					    "X-Priority",
					    "X-Skep-Class",
					    "X-Skep-Kind",
					    "X-Skep-Sensor",
					    "X-Skep-Guest",
					    "X-Skep-Incident",
					    "MIME-Version",
					    "Content-Type",
					    "Content-Transfer-Encoding"};
	bool known = line[0] == ' ' && len > 1 && strspn(line, " ") < len;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		known |= len > n && strncmp(line, names[i], n) == 0 && line[n] == ':';
	}
	must(known && len <= 998);
}

static void check_mail(const char *s)
{
	const char *end = strstr(s, "\r\n\r\n");
	must(end != NULL);
	for (const char *nl; s < end + 2; s = nl + 2) {
		nl = strstr(s, "\r\n");
		check_header(s, (size_t)(nl - s));
	}
	for (const char *nl; *s != '\0'; s = nl + 2) {
		nl = strstr(s, "\r\n");
		must(nl != NULL && nl - s <= 78 && !(nl - s == 1 && *s == '.') &&
		     strncmp(s, "From ", 5) != 0);
	}
}

static size_t longest(json_t *o)
{
	size_t most = json_is_string(o) ? json_string_length(o) : 0, i, n;
	const char *key;
	json_t *v;
	if (json_is_object(o)) {
		json_object_foreach(o, key, v) most = (n = longest(v)) > most ? n : most;
	} else {
		json_array_foreach(o, i, v) most = (n = longest(v)) > most ? n : most;
	}
	return most;
}

static void check_json(uint8_t kind, const char *s, size_t len)
{
	json_t *o = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
	must(o != NULL);
	if (kind == DEST_SLACK)
		must(longest(o) <= 3000);
	if (kind == DEST_NTFY || kind == DEST_DISCORD)
		must(longest(o) <= 4096);
	if (kind == DEST_TEAMS)
		must(len < 28 << 10);
	json_decref(o);
}

static void check_kind(struct bed *b, const struct notify_from *from, uint8_t kind, bool brief)
{
	static char body[NOTIFY_BODY];
	struct writer w = writer_of(body, sizeof(body));
	b->c.to[0].kind = kind;
	b->c.to[0].short_form = brief;
	must(notify_body(from, &b->c, &b->m, &b->facts, &w) == 0);
	must(w.len > 0 && strlen(body) == w.len);
	check_letters(body, w.len, kind == DEST_SMTP);
	if (kind != DEST_NTFY) /* has a topic by the operator's URL */
		check_links(body);
	if (kind == DEST_SMTP)
		check_mail(body);
	if (kind >= DEST_SLACK && kind <= DEST_WEBHOOK)
		check_json(kind, body, w.len);
	if (kind == DEST_COMMAND && brief)
		must(w.len <= NOTIFY_SHORT && strchr(body, '\n') == body + w.len - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notify_from from = {.sensor = "hive", .name = "skep", .domain = "sensor.example"};
	struct reader r = reader_of(data, size < 32 ? size : 32);
	static struct bed bed; /* too large to be cleared as a whole each time */
	struct bed *b = &bed;
	char line[NOTIFY_SHORT];
	memset(&b->m, 0, sizeof(b->m));
	memset(&b->facts, 0, sizeof(b->facts));
	memset(b->comment, 0, sizeof(b->comment));
	memset(&b->c.quiet[0], 0, sizeof(b->c.quiet[0]));
	memset(&b->c.to[0], 0, sizeof(b->c.to[0]));
	b->all = b->text = NULL;
	b->size = b->left = 0;
	numbers(b, &r);
	if (size > 32) {
		b->all = b->text = data + 32;
		b->size = b->left = size - 32;
	}
	b->c.n_to = b->c.n_quiet = 1;
	b->c.to[0].n_to = 1;
	texts(b);
	/* What the operator writes keeps its links: only every other time. */
	if (b->m.weight % 2 && strstr(b->comment, "://") == NULL &&
	    strchr(b->comment, '@') == NULL && strchr(b->comment, '<') == NULL)
		memcpy(b->c.quiet[0].comment, b->comment, sizeof(b->comment));
	for (uint8_t kind = 0; kind < DEST_KINDS; kind++) {
		check_kind(b, &from, kind, false);
		check_kind(b, &from, kind, true);
	}
	notify_short(&from, &b->c, &b->m, &b->facts, line);
	must(strlen(line) <= 160);
	for (const char *s = line; *s != '\0'; s++)
		must(*s >= ' ' && *s < 0x7f);
	return 0;
}
