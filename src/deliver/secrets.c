/* SPDX-License-Identifier: BSD-2-Clause */
/* Passwords and certificates out of the files that the configuration names. */
#include "deliver/deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Text of a file into ret; what is too long or holds a zero is refused rather than cut: half a password
 * would only be a riddle. */
static int read_text(const char *path, char *ret, size_t size)
{
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t len = 0;
	ssize_t n = 1;
	if (fd < 0)
		return -errno;
	while (n > 0 && len < size) {
		n = read(fd, ret + len, size - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	if (len >= size)
		return -EFBIG;
	if (memchr(ret, '\0', len) != NULL)
		return SKEP_EFORMAT;
	ret[len] = '\0';
	return 0;
}

static int read_line(const char *path, char *ret, size_t size)
{
	int err = read_text(path, ret, size);
	if (err != 0)
		return err;
	size_t len = strlen(ret);
	len -= len > 0 && ret[len - 1] == '\n';
	len -= len > 0 && ret[len - 1] == '\r';
	ret[len] = '\0';
	/* It becomes a part of headers. */
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)ret[i] < 0x20 || ret[i] == 0x7f)
			return SKEP_EFORMAT;
	return len > 0 ? 0 : -ENODATA;
}

int deliver_secrets_read(const struct conf_alerts *c, struct deliver_secrets *ret, char *why,
			 size_t why_size)
{
	int first = 0;
	memset(ret, 0, sizeof(*ret));
	for (uint32_t i = 0; i < c->n_to && i < CONF_DESTINATIONS; i++) {
		const struct conf_destination *to = &c->to[i];
		const struct {
			const char *path;
			char *text;
			size_t size;
			int (*read)(const char *path, char *text, size_t size);
		} files[] = {
			{to->secret, ret->to[i].secret, sizeof(ret->to[i].secret), read_line},
			{to->oauth_secret, ret->to[i].oauth_secret, sizeof(ret->to[i].oauth_secret),
			 read_line},
			{to->ca, ret->to[i].ca, sizeof(ret->to[i].ca), read_text},
		};
		for (size_t k = 0; k < ARRAY_LEN(files); k++) {
			if (files[k].path[0] == '\0')
				continue;
			int err = files[k].read(files[k].path, files[k].text, files[k].size);
			if (err == 0)
				continue;
			memset(files[k].text, 0, files[k].size);
			if (first == 0) {
				struct writer w = writer_of(why, why_size);
				write_fmt(&w, "%s: %s: %s", to->name, files[k].path, err_text(err));
				first = err;
			}
		}
	}
	return first;
}
