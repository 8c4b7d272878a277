/* SPDX-License-Identifier: BSD-2-Clause */
/* What servers answer, as far as we understand more of it than a code. All of it is foreign. */
#include "deliver/deliver_priv.h"

#include <jansson.h>
#include <string.h>

static uint32_t bounded(double s)
{
	if (!(s > 0)) /* NaN as well */
		return 0;
	if (s >= AFTER_MOST_S)
		return AFTER_MOST_S;
	uint32_t whole = (uint32_t)s;
	return whole + (s > whole ? 1 : 0);
}

uint32_t answer_retry_after(const char *value, size_t len, int64_t wall_ns)
{
	char text[64];
	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL)
		len--;
	if (len == 0 || len >= sizeof(text) || memchr(value, '\0', len) != NULL)
		return 0;
	memcpy(text, value, len);
	text[len] = '\0';
	if (strspn(text, "0123456789") == len) {
		double s = 0;
		for (size_t i = 0; i < len; i++)
			s = s * 10 + (text[i] - '0');
		return bounded(s);
	}
	time_t when = curl_getdate(text, NULL);
	if (when < 0)
		return 0;
	int64_t now = wall_ns / NS_PER_SEC;
	return bounded((double)(when - now));
}

static void json_free(json_t **j)
{
	json_decref(*j);
}

static json_t *object_of(const char *data, size_t len)
{
	json_t *root =
		len <= JOB_ANSWER ? json_loadb(data, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (root != NULL && !json_is_object(root)) {
		json_decref(root);
		root = NULL;
	}
	return root;
}

uint32_t answer_retry_json(const char *data, size_t len)
{
	CLEANUP(json_free) json_t *root = object_of(data, len);
	json_t *s = root == NULL ? NULL : json_object_get(root, "retry_after");
	return json_is_number(s) ? bounded(json_number_value(s)) : 0;
}

/* A token becomes a part of one line that holds passwords. */
static bool token_text(const char *s, char *ret, size_t size)
{
	if (s == NULL || *s == '\0')
		return false;
	for (const char *p = s; *p != '\0'; p++)
		if ((uint8_t)*p <= 0x20 || (uint8_t)*p >= 0x7f)
			return false;
	return text_copy(ret, size, s);
}

int answer_token(const char *data, size_t len, struct token *ret, uint32_t *ret_s, char *why,
		 size_t why_size)
{
	CLEANUP(json_free) json_t *root = object_of(data, len);
	const char *error = root == NULL ? NULL : json_string_value(json_object_get(root, "error"));
	const char *text =
		root == NULL ? NULL : json_string_value(json_object_get(root, "access_token"));
	json_t *s = root == NULL ? NULL : json_object_get(root, "expires_in");
	struct token t = {.until_ns = 0};
	text_copy(why, why_size, error != NULL ? error : "no token in the answer");
	if (error != NULL || !token_text(text, t.text, sizeof(t.text)))
		return SKEP_EFORMAT;
	*ret_s = json_is_number(s) ? bounded(json_number_value(s)) : 0;
	*ret = t;
	return 0;
}
