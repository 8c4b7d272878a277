/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for session: notes everything. */
#include "talk/test/wire.h"

#include <stdlib.h>
#include <string.h>

#define TEXT 65536
#define SIDE 16384
#define MOST 64u

struct kept {
	char out[SIDE], in[SIDE], service[16];
	struct writer shown, typed;
	bool open;
};
struct file {
	char data[SIDE];
	struct writer text;
	bool open;
};
struct session_book {
	char text[TEXT];
	struct writer w;
	struct kept kept[MOST];
	struct file file[MOST];
	uint64_t n, n_files;
};

struct session_book *book_new(void)
{
	struct session_book *b = calloc(1, sizeof(*b));
	if (b == NULL)
		abort();
	b->w = writer_of(b->text, TEXT);
	return b;
}

const char *book_text(struct session_book *b)
{
	return b->text;
}

void book_free(struct session_book *b)
{
	free(b);
}

static struct kept *at(struct session_book *b, uint64_t id)
{
	if (id == 0 || id > b->n || id > MOST)
		abort(); /* never ours */
	return &b->kept[id - 1];
}

uint64_t session_begin(struct session_book *b, const struct session_open *o)
{
	char from[ADDR_TEXT], to[ADDR_TEXT];
	if (b->n == MOST)
		return 0;
	struct kept *k = &b->kept[b->n];
	k->shown = writer_of(k->out, SIDE);
	k->typed = writer_of(k->in, SIDE);
	k->open = true;
	text_copy(k->service, sizeof(k->service), o->service);
	write_fmt(&b->w, "begin %s %s>%s:%u guest %u flow %u\n", o->service,
		  addr_text(&o->client, from), addr_text(&o->server, to), o->server_port, o->guest,
		  (unsigned)o->flow_id);
	return ++b->n;
}

void session_output(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns)
{
	(void)ns;
	write_escaped(&at(b, id)->shown, data, len);
}

void session_input(struct session_book *b, uint64_t id, const void *data, size_t len, int64_t ns)
{
	(void)ns;
	write_escaped(&at(b, id)->typed, data, len);
}

void session_size(struct session_book *b, uint64_t id, uint16_t cols, uint16_t rows, int64_t ns)
{
	(void)ns;
	(void)at(b, id);
	write_fmt(&b->w, "size %ux%u\n", cols, rows);
}

static void note(struct session_book *b, const char *what, const char *text, size_t len)
{
	write_str(&b->w, what);
	write_escaped(&b->w, text, len);
	write_str(&b->w, "\n");
}

void session_command(struct session_book *b, uint64_t id, const char *line, size_t len, int64_t ns)
{
	(void)ns;
	(void)at(b, id);
	note(b, "command ", line, len);
}

void session_login(struct session_book *b, uint64_t id, const char *user, size_t user_len,
		   const char *secret, size_t secret_len, int ok, int64_t ns)
{
	(void)ns;
	(void)at(b, id);
	write_str(&b->w, "login ");
	write_escaped(&b->w, user, user_len);
	note(b, " / ", secret, secret_len);
	write_fmt(&b->w, "  %d\n", ok);
}

void session_client(struct session_book *b, uint64_t id, const char *version, size_t len,
		    int64_t ns)
{
	(void)ns;
	(void)at(b, id);
	note(b, "client ", version, len);
}

void session_mark(struct session_book *b, uint64_t id, const char *label, int64_t ns)
{
	(void)ns;
	(void)at(b, id);
	note(b, "mark ", label, strlen(label));
}

void session_end(struct session_book *b, uint64_t id, const char *why, int64_t ns)
{
	struct kept *k = at(b, id);
	(void)ns;
	if (!k->open)
		abort();
	k->open = false;
	write_fmt(&b->w, "end %s %s\n", k->service, why);
	write_fmt(&b->w, "  shown %s\n  typed %s\n", k->out, k->in);
}

uint64_t session_file_begin(struct session_book *b, const struct session_file_open *o, int64_t ns)
{
	(void)ns;
	if (b->n_files == MOST)
		return 0;
	struct file *f = &b->file[b->n_files];
	f->text = writer_of(f->data, SIDE);
	f->open = true;
	write_fmt(&b->w, "file %s %llu ", o->how, (unsigned long long)o->size);
	write_escaped(&b->w, o->name, strlen(o->name));
	note(b, " ", o->source, strlen(o->source));
	return ++b->n_files;
}

void session_file_data(struct session_book *b, uint64_t file, const void *data, size_t len)
{
	if (file == 0 || file > b->n_files || !b->file[file - 1].open)
		abort();
	write_escaped(&b->file[file - 1].text, data, len);
}

void session_file_end(struct session_book *b, uint64_t file, bool complete, int64_t ns)
{
	(void)ns;
	if (file == 0 || file > b->n_files || !b->file[file - 1].open)
		abort();
	struct file *f = &b->file[file - 1];
	f->open = false;
	write_fmt(&b->w, "  %s %s\n", complete ? "whole" : "cut", f->data);
}
