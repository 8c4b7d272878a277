/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything is read at the start; what is asked later is in memory. */
#include "facts/facts_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct facts {
	struct place *place;
	struct names *names;
	struct signs *signs;
};

/* The whole of a plain file, from its beginning. -EFBIG: it is longer than most. */
static int read_all(int fd, size_t most, char **ret, size_t *ret_len, int64_t *ret_made_ns)
{
	struct stat st;
	size_t len = 0;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > (off_t)most)
		return -EFBIG;
	char *text = malloc((size_t)st.st_size + 1);

	if (text == NULL)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = pread(fd, text + len, (size_t)st.st_size - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	*ret = text;
	*ret_len = len;
	*ret_made_ns = made_at(st.st_mtim.tv_sec);
	return 0;
}

static int open_names(struct facts *f, int fd, struct writer *why)
{
	char *text = NULL;
	size_t len = 0;
	int64_t made_ns;

	if (fd < 0)
		return 0;
	int err = read_all(fd, NAMES_BYTES, &text, &len, &made_ns);

	if (err == 0)
		err = names_read(text, len, why, &f->names);
	else if (err != -ENOMEM)
		why_say(why, "names", err == -EFBIG ? "over 2 MB" : err_text(err));
	free(text);
	return err == -ENOMEM ? err : 0;
}

static int open_signs(struct facts *f, int fd, struct writer *why)
{
	char *text = NULL;
	size_t len = 0;
	int64_t made_ns = 0;
	int err = fd < 0 ? 0 : read_all(fd, SIGNS_BYTES, &text, &len, &made_ns);

	if (err != 0 && err != -ENOMEM) {
		why_say(why, "signatures", err == -EFBIG ? "over 1 MB" : err_text(err));
		err = 0;
	}
	if (err == 0)
		err = signs_read(text, len, made_ns, why, &f->signs);
	free(text);
	return err;
}

int facts_open(int location, int names, int signatures, char *why, size_t why_size,
	       struct facts **ret)
{
	struct writer w = writer_of(why, why_size);
	struct facts *f = calloc(1, sizeof(*f));

	if (why_size > 0)
		why[0] = '\0';
	if (f == NULL)
		return -ENOMEM;
	int err = location < 0 ? 0 : place_open(location, &w, &f->place);

	if (err == 0)
		err = open_names(f, names, &w);
	if (err == 0)
		err = open_signs(f, signatures, &w);
	if (err != 0) {
		facts_close(&f);
		return err;
	}
	*ret = f;
	return 0;
}

void facts_of(struct facts *f, const struct addr *a, const struct event_syn *syn,
	      struct facts_of *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->hops = FACTS_HOPS_UNKNOWN;
	if (f == NULL || a->ver == 0)
		return;
	if (f->place != NULL)
		place_of(f->place, a, ret);
	if (f->names != NULL)
		text_copy(ret->name, sizeof(ret->name), names_of(f->names, a));
	if (syn != NULL)
		signs_match(f->signs, a->ver, syn, ret);
}

void facts_close(struct facts **f)
{
	if (*f == NULL)
		return;
	place_close(&(*f)->place);
	names_close(&(*f)->names);
	free((*f)->signs);
	free(*f);
	*f = NULL;
}

/* ---- where they lie ------------------------------------------------------------------------------ */

static int open_file(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static int open_given(const char *path)
{
	return path[0] != '\0' ? open_file(path) : -1;
}

static int open_first(const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int fd = open_file(paths[i]);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

void facts_find(const char *location, const char *names, int ret_fds[3])
{
	static const char *const places[] = {
		"/var/lib/location/database.db",          /* libloc's own, kept up to date */
		"/usr/share/libloc-location/location.db", /* libloc-database */
		"/var/lib/GeoIP/GeoLite2-Country.mmdb",   /* geoipupdate */
		"/usr/share/GeoIP/GeoLite2-Country.mmdb",
	};
	static const char *const signs[] = {"/etc/p0f/p0f.fp", "/usr/share/p0f/p0f.fp"};

	ret_fds[0] = strcmp(location, "auto") == 0 ? open_first(places, ARRAY_LEN(places))
						   : open_given(location);
	ret_fds[1] = open_given(names);
	ret_fds[2] = open_first(signs, ARRAY_LEN(signs));
}
