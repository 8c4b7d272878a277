/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes every sample in every form into a folder, for other programs to judge: NAME.FORM, and NAME.short-FORM for
 * destinations of the short form.
 *
 * Usage: notify_samples FOLDER | notify_samples --template TEXT
 */
#include "notify/test/world.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int write_file(const char *folder, const char *name, const char *brief, const char *form,
		      const char *data, size_t len)
{
	char path[512];
	struct writer p = writer_of(path, sizeof(path));
	write_fmt(&p, "%s/%s.%s%s", folder, name, brief, form);
	FILE *f = fopen(path, "wb");
	if (f == NULL)
		return -1;
	size_t n = fwrite(data, 1, len, f);
	return fclose(f) == 0 && n == len ? 0 : -1;
}

static int one(const char *folder, const struct sample *s, size_t kind, bool brief,
	       const char *template)
{
	static char body[NOTIFY_BODY];
	static struct conf_alerts c;
	struct notify_from from = world_from();
	struct writer w = writer_of(body, sizeof(body));
	const char *form = conf_destination_kind_text((enum conf_destination_kind)kind);
	world_conf(brief, kind, &c);
	if (template != NULL) {
		text_copy(c.to[0].template, sizeof(c.to[0].template), template);
		form = "template";
	}
	int r = notify_body(&from, &c, &s->m, &s->facts, &w);
	if (r != 0) {
		fprintf(stderr, "%s %s: %s\n", s->name, form, err_text(r));
		return r;
	}
	return write_file(folder, s->name, brief ? "short-" : "", form, body, w.len);
}

static int beats(const char *folder)
{
	static const uint8_t kinds[] = {DEST_SYSLOG, DEST_WEBHOOK};
	char body[4096];
	struct notify_from from = world_from();
	struct notify_beat b;
	world_beat(&b);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct conf_destination d = {.kind = kinds[i]};
		struct writer w = writer_of(body, sizeof(body));
		if (notify_beat(&from, &d, &b, &w) != 0 ||
		    write_file(folder, "beat", "", conf_destination_kind_text(kinds[i]), body,
			       w.len) != 0)
			return -1;
	}
	return 0;
}

static int check_template(const char *text)
{
	char why[1024];
	int r = notify_template_check(text, why, sizeof(why));
	printf("%s\n", r == 0 ? "fine" : why);
	return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const char template[] =
		"{\"text\":\"{{title}}: {{lead}}\",\"all\":\"{{text}}\",\"who\":\"{{source}}\","
		"\"n\":{{number}},\"w\":{{weight}},\"c\":\"{{commands}}\",\"g\":\"{{guest}}\"}";
	static struct sample s;
	int bad = 0;
	if (argc == 3 && strcmp(argv[1], "--template") == 0)
		return check_template(argv[2]);
	if (argc != 2)
		return 2;
	for (size_t i = 0; i < world_samples(); i++) {
		world_sample(i, &s);
		for (size_t kind = 0; kind < DEST_KINDS; kind++)
			for (int brief = 0; brief < 2; brief++)
				bad |= one(argv[1], &s, kind, brief, NULL) != 0;
		bad |= one(argv[1], &s, DEST_WEBHOOK, false, template) != 0;
	}
	return bad || beats(argv[1]) != 0;
}
