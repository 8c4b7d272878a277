/* SPDX-License-Identifier: BSD-2-Clause */
/* The survey as a whole, and finding things in it. */
#include "site/site_priv.h"

#include <errno.h>
#include <string.h>

#define TRIES 5 /* a table that changed while it was read is read again */

static int read_network(struct site *s)
{
	*s = (struct site){0};
	int err = survey_links(s);
	if (err == 0)
		err = survey_addresses(s);
	return err == 0 ? survey_routes(s) : err;
}

int site_survey_network(struct site *ret)
{
	int err = -EAGAIN;
	for (int i = 0; i < TRIES && err == -EAGAIN; i++)
		err = read_network(ret);
	return err;
}

int site_survey(struct site *ret)
{
	int err = site_survey_network(ret);
	return err == 0 ? survey_sockets(ret) : err;
}

const struct site_link *site_link(const struct site *s, const char *name)
{
	for (uint32_t i = 0; i < s->n_links; i++)
		if (strcmp(s->links[i].name, name) == 0)
			return &s->links[i];
	return NULL;
}

const struct site_link *site_link_at(const struct site *s, uint32_t index)
{
	for (uint32_t i = 0; index != 0 && i < s->n_links; i++)
		if (s->links[i].index == index)
			return &s->links[i];
	return NULL;
}

bool site_has(const struct site *s, const struct addr *a)
{
	for (uint32_t i = 0; i < s->n_addresses; i++)
		if (addr_eq(&s->addresses[i].prefix.addr, a))
			return true;
	return false;
}
