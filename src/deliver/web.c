/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Webhooks: one POST. Whoever has the secret can see that a message is ours and fresh:
 * X-Skep-Signature: t=SECONDS,v1=HEX, where HEX is HMAC-SHA256(secret, SECONDS "." body).
 */
#include "deliver/deliver_priv.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

static int add_header(struct job *j, const char *text)
{
	struct curl_slist *more = curl_slist_append(j->list, text);
	if (more == NULL)
		return -ENOMEM;
	j->list = more;
	return 0;
}

static int sign(struct job *j, const char *secret)
{
	char head[64], line[64 + 2 * EVP_MAX_MD_SIZE];
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	long long now = clock_wall_ns() / NS_PER_SEC;
	struct writer h = writer_of(head, sizeof(head)), w = writer_of(line, sizeof(line));
	write_fmt(&h, "%lld.", now);
	uint8_t *all = malloc(h.len + j->len);
	if (all == NULL)
		return -ENOMEM;
	memcpy(all, head, h.len);
	memcpy(all + h.len, j->body, j->len);
	const unsigned char *done =
		HMAC(EVP_sha256(), secret, (int)strlen(secret), all, h.len + j->len, mac, &len);
	free(all);
	if (done == NULL)
		return -EIO;
	write_fmt(&w, "X-Skep-Signature: t=%lld,v1=", now);
	for (unsigned int i = 0; i < len; i++)
		write_fmt(&w, "%02x", mac[i]);
	return add_header(j, line);
}

static int bear(struct job *j, const char *secret)
{
	char line[DELIVER_SECRET + 32];
	struct writer w = writer_of(line, sizeof(line));
	write_fmt(&w, "Authorization: Bearer %s", secret);
	int err = add_header(j, line);
	explicit_bzero(line, sizeof(line));
	return err;
}

static int headers(struct job *j)
{
	char line[64];
	struct writer w = writer_of(line, sizeof(line));
	const char *secret = j->d->secrets->to[j->index].secret;
	write_fmt(&w, "X-Skep-Delivery: %llu", (unsigned long long)j->result.number);
	int err = add_header(j, "Content-Type: application/json");
	if (err == 0)
		err = add_header(j, "Expect:"); /* nobody should wait for a "100 Continue" */
	if (err == 0 && j->to->kind == DEST_WEBHOOK)
		err = add_header(j, line);
	if (err == 0 && j->to->kind == DEST_WEBHOOK && secret[0] != '\0')
		err = sign(j, secret);
	if (err == 0 && j->to->kind == DEST_NTFY && secret[0] != '\0')
		err = bear(j, secret);
	return err;
}

int deliver_web_begin(struct job *j)
{
	struct target t;
	int err = target_of(j->to, &t);
	if (err != 0)
		return err;
	bool bears = j->to->kind == DEST_NTFY && j->d->secrets->to[j->index].secret[0] != '\0';
	if (t.scheme == TO_HTTP && !t.loopback && (!j->to->insecure || bears))
		return SKEP_EFORMAT;
	err = job_easy(j, t.url, t.scheme == TO_HTTP ? "http" : "https");
	if (err == 0 && !j->probe)
		err = headers(j);
	if (err != 0 || j->probe)
		return err;
	bool bad = curl_easy_setopt(j->easy, CURLOPT_POST, 1L) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)j->len) !=
	       CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_POSTFIELDS, j->body) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_HTTPHEADER, j->list) != CURLE_OK;
	bad |= curl_easy_setopt(j->easy, CURLOPT_USERAGENT, "skep") != CURLE_OK;
	return bad ? -ENOMEM : 0;
}

/* Its first line and what it says, as far as there is room. */
static void said(const struct job *j, char *ret, size_t size)
{
	struct writer w = writer_of(ret, size);
	size_t n = j->answer_len < DELIVER_TEXT ? j->answer_len : DELIVER_TEXT;
	write_fmt(&w, "%s", j->status);
	if (n > 0)
		write_str(&w, ": ");
	for (size_t i = 0; i < n && w.len + 1 < size; i++) {
		ret[w.len++] = j->answer[i] == '\0' ? ' ' : j->answer[i];
		ret[w.len] = '\0';
	}
}

void deliver_web_over(struct job *j, CURLcode code)
{
	char text[DELIVER_TEXT];
	long http = 0;
	uint32_t after_s = j->retry_after;
	if (code == CURLE_OK && j->probe) {
		job_result(j, DELIVER_OK, 0, 0, "connected");
		return;
	}
	(void)curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &http);
	/* With a code, whatever went wrong in what came after it does not matter. */
	if (http / 100 < 2) {
		job_unreached(j, code);
		return;
	}
	said(j, text, sizeof(text));
	if (http == 429) {
		uint32_t s = answer_retry_json(j->answer, j->answer_len);
		after_s = s > after_s ? s : after_s;
	}
	if (http / 100 == 2)
		job_result(j, DELIVER_OK, http, 0, text);
	else if (http == 408 || http == 425 || http == 429 || http / 100 == 5)
		job_result(j, DELIVER_LATER, http, after_s, text);
	else if (http == 401 || http == 403 || http == 407 || http / 100 == 3)
		/* A token, or where it is: somebody can mend that. */
		job_result(j, DELIVER_LATER, http, AFTER_REFUSED_S, text);
	else
		job_result(j, DELIVER_NEVER, http, 0, text);
}
