/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes an installation unique is drawn here, once. Names are ordinary, passwords are those that
 * guessing programs try first: the honeypot is meant to be broken into.
 */
#include "guest/guest_priv.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#define ACCOUNTS 3

/* Accounts that careless servers have, each with what is tried first. */
static const struct guest_account service[] = {
	{"admin", "admin"},    {"admin", "admin123"},      {"admin", "password"},
	{"test", "test"},      {"test", "test123"},        {"user", "user"},
	{"user", "password"},  {"ftpuser", "ftpuser"},     {"deploy", "deploy"},
	{"backup1", "backup"}, {"oracle", "oracle"},       {"postgres", "postgres"},
	{"git", "git"},        {"jenkins", "jenkins"},     {"nagios", "nagios"},
	{"ubuntu", "ubuntu"},  {"support", "support"},     {"guest", "guest"},
	{"tomcat", "tomcat"},  {"minecraft", "minecraft"},
};
static const char *const people[] = {
	"anna",  "peter",  "maria",  "thomas",  "laura", "daniel", "sandra", "martin",
	"julia", "david",  "sarah",  "michael", "nina",  "robert", "emma",   "paul",
	"lisa",  "mark",   "eva",    "simon",   "karen", "steve",  "helen",  "jan",
	"clara", "oliver", "monica", "frank",   "diana", "alex",
};
static const char *const weak[] = {
	"123456",   "password", "12345678", "qwerty",   "123456789", "1234567",  "letmein",
	"dragon",   "monkey",   "abc123",   "football", "iloveyou",  "1q2w3e4r", "welcome",
	"sunshine", "princess", "passw0rd", "master",   "shadow",    "superman", "qwerty123",
	"changeme", "summer",   "hello123", "zaq12wsx", "trustno1",  "starwars", "secret",
};
static const char *const hosts[] = {
	"web", "www", "srv", "app", "shop", "files", "portal", "mail", "intra", "dev",
};
static const char *const log_hosts[] = {"log", "syslog", "logs", "mon"};

static uint32_t draw(uint32_t below)
{
	uint32_t v;
	random_fill(&v, sizeof(v));
	return v % below;
}

static void draw_uuid(char *ret, size_t size)
{
	uint8_t b[16];
	struct writer w = writer_of(ret, size);
	random_fill(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(b); i++)
		write_fmt(&w, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
}

static int hash_password(const char *password, char *ret, size_t size)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE], random[32];
	struct crypt_data data = {0};
	random_fill(random, sizeof(random));
	/* SHA-512: what both Debian's and busybox's login understand. */
	if (crypt_gensalt_rn("$6$", 0, random, sizeof(random), salt, sizeof(salt)) == NULL)
		return SKEP_EUNSUPPORTED;
	const char *hash = crypt_r(password, salt, &data);
	return hash != NULL && hash[0] == '$' && text_copy(ret, size, hash) ? 0 : SKEP_EUNSUPPORTED;
}

static bool has_user(const struct guest_identity *id, const char *user)
{
	for (uint32_t i = 0; i < id->n_accounts; i++)
		if (strcmp(id->accounts[i].user, user) == 0)
			return true;
	return false;
}

static int draw_accounts(struct identity *ret)
{
	struct guest_identity *id = &ret->pub;
	int err = 0;
	id->accounts[id->n_accounts++] = service[draw(ARRAY_LEN(service))];
	while (id->n_accounts < ACCOUNTS) {
		const char *name = people[draw(ARRAY_LEN(people))];
		if (has_user(id, name))
			continue;
		struct guest_account *a = &id->accounts[id->n_accounts++];
		text_copy(a->user, sizeof(a->user), name);
		text_copy(a->password, sizeof(a->password), weak[draw(ARRAY_LEN(weak))]);
	}
	for (uint32_t i = 0; i < id->n_accounts && err == 0; i++)
		err = hash_password(id->accounts[i].password, ret->hashes[i],
				    sizeof(ret->hashes[i]));
	return err;
}

int identity_draw(const struct conf_guest *g, struct identity *ret)
{
	static const struct mac none;
	/* The prefix that OpenStack gives its machines: the hardware tells the same story. */
	struct mac mac = {{0xfa, 0x16, 0x3e}};
	uint8_t id[16];
	int err = 0;
	*ret = (struct identity){0};
	random_fill(mac.b + 3, 3);
	ret->pub.mac = memcmp(&g->mac, &none, sizeof(none)) == 0 ? mac : g->mac;
	if (g->hostname[0] != '\0')
		text_copy(ret->pub.hostname, sizeof(ret->pub.hostname), g->hostname);
	else if (g->kind == GUEST_LOGHOST)
		snprintf(ret->pub.hostname, sizeof(ret->pub.hostname), "%s%02u",
			 log_hosts[draw(ARRAY_LEN(log_hosts))], draw(9) + 1);
	else
		snprintf(ret->pub.hostname, sizeof(ret->pub.hostname), "%s%02u",
			 hosts[draw(ARRAY_LEN(hosts))], draw(30) + 1);
	random_fill(id, sizeof(id));
	struct writer w = writer_of(ret->machine_id, sizeof(ret->machine_id));
	for (size_t i = 0; i < sizeof(id); i++)
		write_fmt(&w, "%02x", id[i]);
	draw_uuid(ret->pub.machine, sizeof(ret->pub.machine));
	draw_uuid(ret->pub.volume, sizeof(ret->pub.volume));
	if (g->kind == GUEST_LOGHOST) { /* enters with a key only */
		text_copy(ret->pub.accounts[0].user, sizeof(ret->pub.accounts[0].user), "ops");
		ret->pub.n_accounts = 1;
	} else {
		err = draw_accounts(ret);
	}
	return err;
}
