/* SPDX-License-Identifier: BSD-2-Clause */
/* skep init: the words of an answer. */
#include "cmd/init/init.h"

#include <stdio.h>
#include <string.h>

#define SEPARATORS " \t,"

const char *const init_places[PLACES] = {"lab", "alias", "shared", "bridge"};

int init_place_of(const char *word, enum init_place *ret)
{
	for (unsigned i = 0; i < PLACES; i++) {
		bool number = word[0] == (char)('1' + i) && word[1] == '\0';
		if (number || strcmp(word, init_places[i]) == 0) {
			*ret = (enum init_place)i;
			return 0;
		}
	}
	return SKEP_EFORMAT;
}

void init_keep(struct init_plan *p, uint8_t proto, uint16_t port)
{
	char text[CONF_KEEP_TEXT];
	snprintf(text, sizeof(text), "%s/%u", proto == 6 ? "tcp" : "udp", port);
	for (uint32_t i = 0; i < p->n_keep; i++)
		if (strcmp(p->keep[i], text) == 0)
			return;
	if (p->n_keep < CONF_KEEP)
		memcpy(p->keep[p->n_keep++], text, sizeof(text));
}

int init_told(const char *word, struct init_plan *p)
{
	bool http = strncmp(word, "https://", 8) == 0 || strncmp(word, "http://", 7) == 0;
	if (conf_is_mail(word) && text_copy(p->mail, sizeof(p->mail), word))
		return 0;
	if (http && conf_is_url(word) && text_copy(p->webhook, sizeof(p->webhook), word))
		return 0;
	return SKEP_EFORMAT;
}

/* "192.0.2.10/24", also with host bits; no length: the whole address. */
static int parse_address(const char *word, struct prefix *ret)
{
	char text[ADDR_TEXT];
	struct prefix p = {0};
	const char *slash = strchr(word, '/');
	size_t n = slash != NULL ? (size_t)(slash - word) : strlen(word);
	if (n >= sizeof(text))
		return SKEP_EFORMAT;
	memcpy(text, word, n);
	text[n] = '\0';
	if (addr_parse(text, &p.addr) != 0)
		return SKEP_EFORMAT;
	unsigned len = 0, most = p.addr.ver == 4 ? 32 : 128;
	p.len = (uint8_t)most;
	if (slash == NULL) {
		*ret = p;
		return 0;
	}
	if (slash[1] == '\0' || strlen(slash) > 4)
		return SKEP_EFORMAT;
	for (const char *at = slash + 1; *at != '\0'; at++) {
		if (*at < '0' || *at > '9')
			return SKEP_EFORMAT;
		len = len * 10 + (unsigned)(*at - '0');
	}
	if (len > most)
		return SKEP_EFORMAT;
	p.len = (uint8_t)len;
	*ret = p;
	return 0;
}

static int add_address(struct init_plan *p, const struct prefix *a, char why[INIT_WHY])
{
	uint32_t *n = a->addr.ver == 4 ? &p->n4 : &p->n6;
	struct prefix *list = a->addr.ver == 4 ? p->four : p->six;
	if (*n == INIT_ADDRESSES) {
		snprintf(why, INIT_WHY, "at most %d addresses of each kind, please",
			 INIT_ADDRESSES);
		return SKEP_EFULL;
	}
	list[(*n)++] = *a;
	return 0;
}

static int set_router(struct init_plan *p, const char *word, char why[INIT_WHY])
{
	struct addr a;
	if (word == NULL || addr_parse(word, &a) != 0) {
		snprintf(why, INIT_WHY, "`via` wants the address of the router behind it");
		return SKEP_EFORMAT;
	}
	*(a.ver == 4 ? &p->gateway : &p->gateway6) = a;
	return 0;
}

static int take_word(const struct init_site *i, struct init_plan *p, const char *word,
		     char why[INIT_WHY])
{
	struct prefix a;
	uint8_t proto;
	uint16_t port;
	char shown[128];
	struct writer w = writer_of(shown, sizeof(shown));
	if (p->place == PLACE_SHARED && conf_keep_parse(word, &proto, &port) == 0) {
		init_keep(p, proto, port);
		return 0;
	}
	if (parse_address(word, &a) == 0) {
		if (p->place != PLACE_SHARED)
			return add_address(p, &a, why);
		snprintf(why, INIT_WHY, "`shared` takes the host's own address, no other");
		return SKEP_EFORMAT;
	}
	if (site_link(&i->s, word) != NULL) {
		text_copy(p->link, sizeof(p->link), word);
		return 0;
	}
	write_escaped(&w, word, strnlen(word, 60));
	snprintf(why, INIT_WHY, "'%s' is neither %s nor a link of this host", shown,
		 p->place == PLACE_SHARED ? "a port like tcp/2222" : "an address");
	return SKEP_EFORMAT;
}

int init_answer(const struct init_site *i, const char *text, struct init_plan *p,
		char why[INIT_WHY])
{
	char words[1024], *rest = NULL;
	if (!text_copy(words, sizeof(words), text)) {
		snprintf(why, INIT_WHY, "that is too long");
		return SKEP_ETRUNC;
	}
	for (char *word = strtok_r(words, SEPARATORS, &rest); word != NULL;
	     word = strtok_r(NULL, SEPARATORS, &rest)) {
		if (p->place == PLACE_SHARED && strcmp(word, "none") == 0)
			continue;
		int err = strcmp(word, "via") == 0
				  ? set_router(p, strtok_r(NULL, SEPARATORS, &rest), why)
				  : take_word(i, p, word, why);
		if (err != 0)
			return err;
	}
	return 0;
}
