/* SPDX-License-Identifier: BSD-2-Clause */
/* A destination's URL, taken apart and put together anew, so that only what was meant is in it. */
#include "deliver/deliver_priv.h"

#include <string.h>
#include <unistd.h>

static const struct {
	const char *text, *curl, *port;
	uint16_t kinds; /* 1 << enum conf_destination_kind */
} schemes[] = {
	[TO_SMTP] = {"smtp", "smtp", "587", 1u << DEST_SMTP},
	[TO_SMTPS] = {"smtps", "smtps", "465", 1u << DEST_SMTP},
	[TO_HTTP] = {"http", "http", "80",
		     1u << DEST_SLACK | 1u << DEST_DISCORD | 1u << DEST_TEAMS | 1u << DEST_NTFY |
			     1u << DEST_WEBHOOK},
	[TO_HTTPS] = {"https", "https", "443",
		      1u << DEST_SLACK | 1u << DEST_DISCORD | 1u << DEST_TEAMS | 1u << DEST_NTFY |
			      1u << DEST_WEBHOOK},
	[TO_TLS] = {"tls", "https", "6514", 1u << DEST_SYSLOG},
	[TO_TCP] = {"tcp", "http", "514", 1u << DEST_SYSLOG},
	[TO_UDP] = {"udp", "http", "514", 1u << DEST_SYSLOG},
};

static void url_free(CURLU **u)
{
	curl_url_cleanup(*u);
}

static void text_free(char **s)
{
	curl_free(*s);
}

static bool plain(const char *s)
{
	for (; *s != '\0'; s++)
		if ((uint8_t)*s <= 0x20 || (uint8_t)*s >= 0x7f)
			return false;
	return true;
}

static int scheme_of(CURLU *u)
{
	CLEANUP(text_free) char *s = NULL;
	if (curl_url_get(u, CURLUPART_SCHEME, &s, 0) != CURLUE_OK)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strcmp(s, schemes[i].text) == 0)
			return (int)i;
	return -1;
}

static bool has(CURLU *u, CURLUPart part)
{
	CLEANUP(text_free) char *s = NULL;
	return curl_url_get(u, part, &s, 0) == CURLUE_OK;
}

static bool on_loopback(CURLU *u)
{
	CLEANUP(text_free) char *host = NULL;
	char bare[ADDR_TEXT];
	struct addr a;
	const struct addr one = {.ver = 6, .b = {[15] = 1}};
	if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return false;
	if (strcmp(host, "localhost") == 0)
		return true;
	if (!text_copy(bare, sizeof(bare), host[0] == '[' ? host + 1 : host))
		return false;
	bare[strcspn(bare, "]")] = '\0';
	return addr_parse(bare, &a) == 0 && (addr_eq(&a, &one) || (a.ver == 4 && a.b[0] == 127));
}

/* Whom we say hello as: this host's name, below the domain of the sender if it has none of its own. */
static void hello(const struct conf_destination *to, char *ret, size_t size)
{
	char host[65] = "";
	const char *at = strrchr(to->from, '@');
	struct writer w = writer_of(ret, size);
	if (gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0' || !plain(host))
		text_copy(host, sizeof(host), "localhost");
	write_fmt(&w, "/%s", host);
	if (strchr(host, '.') == NULL && at != NULL && at[1] != '\0')
		write_fmt(&w, ".%s", at + 1);
	for (size_t i = 1; i < w.len; i++) {
		char c = ret[i];
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '.' || c == '-';
		if (!fine)
			ret[i] = '-';
	}
}

/* ntfy takes JSON at the server's root only; the topic, the last part of the path, is in the body. */
static bool without_topic(CURLU *u)
{
	CLEANUP(text_free) char *path = NULL;
	if (curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK)
		return false;
	char *at = strrchr(path, '/');
	if (at != NULL)
		at[1] = '\0';
	return curl_url_set(u, CURLUPART_PATH, path, 0) == CURLUE_OK &&
	       curl_url_set(u, CURLUPART_QUERY, NULL, 0) == CURLUE_OK;
}

static int put_together(CURLU *u, const struct conf_destination *to, int scheme, struct target *ret)
{
	CLEANUP(text_free) char *url = NULL;
	char path[400] = "/";
	bool web = scheme == TO_HTTP || scheme == TO_HTTPS;
	bool bad = false;
	if (scheme <= TO_SMTPS)
		hello(to, path, sizeof(path));
	if (!web) {
		bad |= curl_url_set(u, CURLUPART_PATH, path, 0) != CURLUE_OK;
		bad |= curl_url_set(u, CURLUPART_QUERY, NULL, 0) != CURLUE_OK;
		if (!has(u, CURLUPART_PORT))
			bad |= curl_url_set(u, CURLUPART_PORT, schemes[scheme].port, 0) !=
			       CURLUE_OK;
	}
	if (web && to->kind == DEST_NTFY)
		bad |= !without_topic(u);
	bad |= curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK;
	bad |= curl_url_set(u, CURLUPART_SCHEME, schemes[scheme].curl, 0) != CURLUE_OK;
	bad |= curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK;
	/* A host may have come percent-encoded. */
	return !bad && plain(url) && text_copy(ret->url, sizeof(ret->url), url) ? 0 : SKEP_EFORMAT;
}

int target_of(const struct conf_destination *to, struct target *ret)
{
	CLEANUP(url_free) CURLU *u = curl_url();
	if (u == NULL || !plain(to->url) ||
	    curl_url_set(u, CURLUPART_URL, to->url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		return SKEP_EFORMAT;
	int scheme = scheme_of(u);
	if (scheme < 0 || (schemes[scheme].kinds >> to->kind & 1) == 0)
		return SKEP_EFORMAT;
	/* Passwords have a file of their own; here they would be seen. */
	if (has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD) || has(u, CURLUPART_OPTIONS))
		return SKEP_EFORMAT;
	*ret = (struct target){.scheme = (uint8_t)scheme, .loopback = on_loopback(u)};
	return put_together(u, to, scheme, ret);
}

int target_check_https(const char *url)
{
	CLEANUP(url_free) CURLU *u = curl_url();
	if (u == NULL || !plain(url) || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    scheme_of(u) != TO_HTTPS || has(u, CURLUPART_USER) || has(u, CURLUPART_PASSWORD))
		return SKEP_EFORMAT;
	return 0;
}
