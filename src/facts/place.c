/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Country and AS: libloc's database (Debian has one), or a file in MaxMind's format, of which the makers
 * don't agree how a thing is called. Both are mapped whole, so that a look-up is memory only.
 */
#include "facts/facts_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libloc/database.h>
#include <libloc/format.h>
#include <libloc/libloc.h>
#include <libloc/network.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOC_MAGIC "LOCDBXX"

struct place {
	struct loc_ctx *ctx; /* libloc's, or */
	struct loc_database *loc;
	MMDB_s mmdb;
	bool is_mmdb;
	int64_t made_ns;
};

static void silent(struct loc_ctx *ctx, int priority, const char *file, int line, const char *fn,
		   const char *format, va_list args)
{
}

/* ---- libloc ---------------------------------------------------------------------------------------- */

/* libloc takes a file that ends early, and reads behind it later. */
static bool loc_is_whole(int fd)
{
	enum { PAIRS = 5, PAIRS_AT = 28, HEADER = 4208 };
	uint8_t head[PAIRS_AT + PAIRS * 8];
	struct stat st;

	if (fstat(fd, &st) != 0 || st.st_size < HEADER ||
	    pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return false;
	for (unsigned i = 0; i < PAIRS; i++) {
		const uint8_t *at = head + PAIRS_AT + i * 8u;

		if ((int64_t)load_be32(at) + load_be32(at + 4) > st.st_size)
			return false;
	}
	return true;
}

static int loc_open(struct place *p, int fd)
{
	if (!loc_is_whole(fd))
		return SKEP_EFORMAT;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), err = -ENOMEM;
	FILE *f = own < 0 ? NULL : fdopen(own, "re");

	if (f == NULL) {
		fd_close(&own);
		return -ENOMEM;
	}
	rewind(f);
	if (loc_new(&p->ctx) == 0) {
		loc_set_log_fn(p->ctx, silent);
		err = loc_database_new(p->ctx, &p->loc, f) == 0 ? 0 : SKEP_EFORMAT;
	}
	fclose(f);
	if (err == 0)
		p->made_ns = made_at((int64_t)loc_database_created_at(p->loc));
	return err;
}

static void set_country(struct facts_of *ret, const char *code, size_t len)
{
	if (code == NULL || len != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' ||
	    code[1] > 'Z')
		return;
	ret->country[0] = code[0];
	ret->country[1] = code[1];
}

/* IPv4 lies within IPv6's space there. */
static struct in6_addr mapped(const struct addr *a)
{
	struct in6_addr in = {0};

	if (a->ver == 6) {
		memcpy(in.s6_addr, a->b, 16);
		return in;
	}
	in.s6_addr[10] = in.s6_addr[11] = 0xff;
	memcpy(in.s6_addr + 12, a->b, 4);
	return in;
}

static void loc_of(struct place *p, const struct addr *a, struct facts_of *ret)
{
	const struct in6_addr in = mapped(a);
	struct loc_network *net = NULL;
	struct loc_as *as = NULL;

	if (loc_database_lookup(p->loc, &in, &net) != 0 || net == NULL)
		return;
	const char *code = loc_network_get_country_code(net);

	set_country(ret, code, code != NULL ? strnlen(code, 3) : 0);
	ret->anonymous = loc_network_has_flag(net, LOC_NETWORK_FLAG_ANONYMOUS_PROXY) != 0;
	ret->as = loc_network_get_asn(net);
	if (ret->as != 0 && loc_database_get_as(p->loc, &as, ret->as) == 0 && as != NULL) {
		const char *name = loc_as_get_name(as);

		text_copy(ret->as_name, sizeof(ret->as_name), name != NULL ? name : "");
		loc_as_unref(as);
	}
	loc_network_unref(net);
}

/* ---- MaxMind's format -------------------------------------------------------------------------------- */

/* Copy in memory: what we have open, our user might not be allowed to open by a name. */
static int copy_of(int fd)
{
	char buf[65536];
	off_t at = 0;
	int copy = memfd_create("skep-place", MFD_CLOEXEC);

	while (copy >= 0) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return copy;
		if (n < 0 || fd_write(copy, buf, (size_t)n) != 0)
			fd_close(&copy);
		at += n;
	}
	return -1;
}

static int open_by_fd(int fd, MMDB_s *ret)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return MMDB_open(path, MMDB_MODE_MMAP, ret);
}

static int mmdb_open(struct place *p, int fd, struct writer *why)
{
	int status = open_by_fd(fd, &p->mmdb);

	if (status == MMDB_FILE_OPEN_ERROR) {
		int copy = copy_of(fd);

		if (copy >= 0)
			status = open_by_fd(copy, &p->mmdb);
		fd_close(&copy);
	}
	if (status == MMDB_OUT_OF_MEMORY_ERROR)
		return -ENOMEM;
	if (status != MMDB_SUCCESS) {
		why_say(why, "location", MMDB_strerror(status));
		return SKEP_EFORMAT;
	}
	p->is_mmdb = true;
	p->made_ns = made_at((int64_t)p->mmdb.metadata.build_epoch);
	return 0;
}

/* The first of these paths (each ends with NULL, so does the list) that there is. */
static bool get(MMDB_entry_s *e, const char *const paths[][3], MMDB_entry_data_s *ret)
{
	for (; paths[0][0] != NULL; paths++)
		if (MMDB_aget_value(e, ret, paths[0]) == MMDB_SUCCESS && ret->has_data)
			return true;
	return false;
}

static bool get_flag(MMDB_entry_s *e, const char *const paths[][3])
{
	MMDB_entry_data_s d;

	return get(e, paths, &d) && d.type == MMDB_DATA_TYPE_BOOLEAN && d.boolean;
}

static void set_as(struct facts_of *ret, const MMDB_entry_data_s *d)
{
	if (d->type == MMDB_DATA_TYPE_UINT32)
		ret->as = d->uint32;
	else if (d->type == MMDB_DATA_TYPE_UTF8_STRING && d->data_size > 2 &&
		 memcmp(d->utf8_string, "AS", 2) == 0)
		(void)span_number((struct span){d->utf8_string + 2, d->data_size - 2}, UINT32_MAX,
				  &ret->as);
}

static MMDB_lookup_result_s mmdb_find(struct place *p, const struct addr *a, int *ret_err)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	memcpy(&in.sin_addr, a->b, sizeof(in.sin_addr));
	memcpy(&in6.sin6_addr, a->b, sizeof(in6.sin6_addr));
	return MMDB_lookup_sockaddr(&p->mmdb,
				    a->ver == 4 ? (const struct sockaddr *)&in
						: (const struct sockaddr *)&in6,
				    ret_err);
}

static void mmdb_of(struct place *p, const struct addr *a, struct facts_of *ret)
{
	static const char *const country[][3] = {{"country", "iso_code"},
						 {"country_code"},
						 {"country"},
						 {"registered_country", "iso_code"},
						 {NULL}};
	static const char *const as[][3] = {{"autonomous_system_number"},
					    {"asn"},
					    {"as_number"},
					    {"traits", "autonomous_system_number"},
					    {NULL}};
	static const char *const name[][3] = {{"autonomous_system_organization"},
					      {"as_name"},
					      {"asn_name"},
					      {"traits", "autonomous_system_organization"},
					      {NULL}};
	static const char *const anonymous[][3] = {
		{"is_anonymous"}, {"traits", "is_anonymous_proxy"}, {"is_tor_exit_node"}, {NULL}};
	static const char *const hosting[][3] = {
		{"is_hosting_provider"}, {"traits", "is_hosting_provider"}, {NULL}};
	int err = 0;
	MMDB_lookup_result_s r = mmdb_find(p, a, &err);
	MMDB_entry_data_s d;

	if (err != MMDB_SUCCESS || !r.found_entry)
		return;
	if (get(&r.entry, country, &d) && d.type == MMDB_DATA_TYPE_UTF8_STRING)
		set_country(ret, d.utf8_string, d.data_size);
	if (get(&r.entry, as, &d))
		set_as(ret, &d);
	if (get(&r.entry, name, &d) && d.type == MMDB_DATA_TYPE_UTF8_STRING)
		snprintf(ret->as_name, sizeof(ret->as_name), "%.*s", (int)d.data_size,
			 d.utf8_string);
	ret->anonymous = get_flag(&r.entry, anonymous);
	ret->hosting = get_flag(&r.entry, hosting);
}

/* ---- either ------------------------------------------------------------------------------------------ */

int place_open(int fd, struct writer *why, struct place **ret)
{
	char magic[sizeof(LOC_MAGIC) - 1] = "";
	struct place *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return -ENOMEM;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, LOC_MAGIC, sizeof(magic)) == 0) {
		err = loc_open(p, fd);
		if (err == SKEP_EFORMAT)
			why_say(why, "location", "a damaged libloc database");
	} else {
		err = mmdb_open(p, fd, why);
	}
	if (err != 0) {
		place_close(&p);
		return err == -ENOMEM ? err : 0;
	}
	*ret = p;
	return 0;
}

void place_of(struct place *p, const struct addr *a, struct facts_of *ret)
{
	ret->place_ns = p->made_ns;
	if (p->is_mmdb)
		mmdb_of(p, a, ret);
	else
		loc_of(p, a, ret);
}

void place_close(struct place **p)
{
	if (*p == NULL)
		return;
	if ((*p)->is_mmdb)
		MMDB_close(&(*p)->mmdb);
	if ((*p)->loc != NULL)
		loc_database_unref((*p)->loc);
	if ((*p)->ctx != NULL)
		loc_unref((*p)->ctx);
	free(*p);
	*p = NULL;
}
