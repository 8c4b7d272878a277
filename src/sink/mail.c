/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mail, line by line: the begin of its headers and of its body is kept, of attachments only the
 * size. MIME is followed as far as that needs: boundaries, and what a part says of itself.
 */
#include "sink/sink_priv.h"

#include <string.h>

void mail_begin(struct mail *m)
{
	memset(m, 0, sizeof(*m));
}

static void keep(char *buf, uint32_t size, uint32_t *len, const struct line *l)
{
	uint32_t room = size - *len, n = l->len < room ? l->len : room;
	memcpy(buf + *len, l->text, n);
	*len += n;
	if (*len < size)
		buf[(*len)++] = '\n';
}

/* boundary="..." of a Content-Type, on its line or a continuation. */
static void find_boundary(struct mail *m, const char *text)
{
	const char *at = strcasestr(text, "boundary=");
	if (at == NULL || m->n_boundaries == MAIL_BOUNDARIES)
		return;
	at += strlen("boundary=");
	size_t len = *at == '"' ? strcspn(++at, "\"") : strcspn(at, "; \t");
	if (len == 0 || len >= MAIL_BOUNDARY)
		return;
	memcpy(m->boundary[m->n_boundaries], at, len);
	m->boundary[m->n_boundaries++][len] = '\0';
}

static bool is_boundary(const struct mail *m, const struct line *l)
{
	if (l->len < 3 || l->text[0] != '-' || l->text[1] != '-')
		return false;
	for (uint32_t i = 0; i < m->n_boundaries; i++)
		if (strncmp(l->text + 2, m->boundary[i], strlen(m->boundary[i])) == 0)
			return true;
	return false;
}

static void part_header(struct mail *m, const struct line *l)
{
	if (l->len == 0) {
		m->in_part_head = false;
		m->attachments += m->attached;
		return;
	}
	if (strcasestr(l->text, "attachment") != NULL || strcasestr(l->text, "name=") != NULL)
		m->attached = true;
	find_boundary(m, l->text);
}

void mail_line(struct mail *m, const struct line *l)
{
	if (!m->in_body) {
		if (l->len == 0) {
			m->in_body = true;
			return;
		}
		find_boundary(m, l->text);
		keep(m->headers, sizeof(m->headers), &m->n_headers, l);
		return;
	}
	if (is_boundary(m, l)) {
		m->in_part_head = true;
		m->attached = false;
	} else if (m->in_part_head) {
		part_header(m, l);
	} else if (m->attached) {
		m->attachment_bytes += l->len;
		return;
	}
	keep(m->body, sizeof(m->body), &m->n_body, l);
}
