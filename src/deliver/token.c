/* SPDX-License-Identifier: BSD-2-Clause */
/* OAuth 2.0: a fresh access token for the refresh token that the operator keeps (RFC 6749, 6). */
#include "deliver/deliver_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EARLY_S 60   /* a token that ends soon may end on the way */
#define UNSAID_S 300 /* how long one is good whose server does not say */

static int add_field(CURL *easy, struct writer *w, const char *name, const char *value)
{
	char *text = curl_easy_escape(easy, value, 0);
	if (text == NULL)
		return -ENOMEM;
	write_fmt(w, "%s%s=%s", w->len > 0 ? "&" : "", name, text);
	curl_free(text);
	return w->full ? SKEP_ETRUNC : 0;
}

static int fields(struct job *j)
{
	const size_t size = 4 * DELIVER_SECRET;
	const char *secret = j->d->secrets->to[j->index].oauth_secret;
	char *text = malloc(size);
	if (text == NULL)
		return -ENOMEM;
	struct writer w = writer_of(text, size);
	int err = add_field(j->easy, &w, "grant_type", "refresh_token");
	if (err == 0)
		err = add_field(j->easy, &w, "refresh_token", j->d->secrets->to[j->index].secret);
	if (err == 0)
		err = add_field(j->easy, &w, "client_id", j->to->oauth_client);
	if (err == 0 && secret[0] != '\0')
		err = add_field(j->easy, &w, "client_secret", secret);
	if (err == 0 && curl_easy_setopt(j->easy, CURLOPT_COPYPOSTFIELDS, text) != CURLE_OK)
		err = -ENOMEM;
	explicit_bzero(text, size);
	free(text);
	return err;
}

int deliver_token_begin(struct job *j)
{
	int err = target_check_https(j->to->oauth_url);
	if (err == 0)
		err = job_easy(j, j->to->oauth_url, "https");
	return err == 0 ? fields(j) : err;
}

int deliver_token_over(struct job *j, CURLcode code)
{
	char why[64], text[DELIVER_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	struct token t = {.until_ns = 0};
	uint32_t good_s = 0;
	long http = 0;
	(void)curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &http);
	int err = answer_token(j->answer, j->answer_len, &t, &good_s, why, sizeof(why));
	if (code == CURLE_OK && http == 200 && err == 0) {
		if (good_s == 0)
			good_s = UNSAID_S;
		/* One that is good for less than we would keep it is used this once. */
		good_s = good_s > EARLY_S ? good_s - EARLY_S : 0;
		t.until_ns = clock_boot_ns() + good_s * NS_PER_SEC;
		j->d->tokens[j->index] = t;
		explicit_bzero(&t, sizeof(t));
		explicit_bzero(j->answer, sizeof(j->answer));
		return 0;
	}
	write_str(&w, "token: ");
	if (http == 0) {
		write_str(&w, job_error(j, code));
		job_unreached(j, code);
		text_copy(j->result.text, sizeof(j->result.text), text);
		return SKEP_EFORMAT;
	}
	write_fmt(&w, "%s: %s", j->status, why);
	bool busy = http / 100 == 5 || http == 429 || http == 408 || code != CURLE_OK;
	uint32_t after_s = j->retry_after != 0 ? j->retry_after : busy ? 0 : AFTER_REFUSED_S;
	job_result(j, DELIVER_LATER, http, after_s, text);
	return SKEP_EFORMAT;
}
