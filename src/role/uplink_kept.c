/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What outlives a run on the real wire. STATE/confirmed: a digest of what was confirmed, then the ports that
 * were the host's: at boot the honeynet may start before all that listens does. STATE/rollback.log: a line for
 * each start that nobody confirmed, or that died.
 */
#include "role/uplink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONFIRMED "confirmed"
#define ROLLBACKS "rollback.log"
#define DIGEST_TEXT 8192
#define LOG_KEEP 65536
#define VERSION "skep-confirmed 1"

struct path {
	char text[CONF_PATH + 32];
};

static struct path state_path(const struct conf *c, const char *name)
{
	struct path p;
	snprintf(p.text, sizeof(p.text), "%s/%s", c->state_dir, name);
	return p;
}

static void write_addr(struct writer *w, const struct addr *a)
{
	char text[ADDR_TEXT];
	write_fmt(w, " %s", a->ver != 0 ? addr_text(a, text) : "-");
}

/* Whatever decides about what is taken of the wire. It tells starts apart, and keeps nobody out. */
static uint64_t digest(const struct conf *c)
{
	static const uint64_t key[2] = {UINT64_C(0x736b65702075706c), UINT64_C(0x696e6b2064696765)};
	char text[DIGEST_TEXT];
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "%u %s\n", c->mode, c->uplink.interface);
	for (uint32_t i = 0; i < c->uplink.n_keep; i++)
		write_fmt(&w, "keep %s\n", c->uplink.keep[i]);
	for (uint32_t i = 0; i < c->n_guests; i++) {
		write_fmt(&w, "guest %s %u", c->guests[i].name, c->guests[i].shared);
		write_addr(&w, &c->guests[i].inside);
		write_addr(&w, &c->guests[i].inside6);
		write_addr(&w, &c->guests[i].public);
		write_addr(&w, &c->guests[i].public6);
		write_str(&w, "\n");
	}
	for (uint32_t i = 0; i < c->n_forwards; i++) {
		write_fmt(&w, "forward %u %u", c->forwards[i].proto, c->forwards[i].public_port);
		write_addr(&w, &c->forwards[i].public);
		write_str(&w, "\n");
	}
	return hash_keyed(key, text, w.len);
}

bool uplink_was_confirmed(const struct conf *c, struct steer_plan *kept)
{
	char line[64];
	unsigned long long was = 0;
	unsigned proto, port;
	FILE *f = fopen(state_path(c, CONFIRMED).text, "re");
	bool good = f != NULL && fgets(line, sizeof(line), f) != NULL &&
		    strcmp(line, VERSION "\n") == 0 && fgets(line, sizeof(line), f) != NULL &&
		    sscanf(line, "digest %llx", &was) == 1 && was == digest(c);
	while (good && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "keep %u %u", &proto, &port) == 2 && (proto == 6 || proto == 17) &&
		    port > 0 && port <= UINT16_MAX &&
		    uplink_keep(kept, (uint8_t)proto, (uint16_t)port) != 0)
			good = false;
	if (f != NULL)
		fclose(f);
	return good;
}

static bool is_newer(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

/* Which of the two came last is all that their times tell, so it must not hang on a clock that was set back meanwhile. */
static void make_newer(const struct conf *c, const char *name, const char *other)
{
	struct path p = state_path(c, name);
	struct stat a, b;
	if (stat(p.text, &a) < 0 || stat(state_path(c, other).text, &b) < 0 || is_newer(&a, &b))
		return;
	const struct timespec times[2] = {b.st_mtim, {b.st_mtim.tv_sec + 1, b.st_mtim.tv_nsec}};
	if (utimensat(AT_FDCWD, p.text, times, AT_SYMLINK_NOFOLLOW) < 0)
		log_line(LOG_WARN, "time of %s: %s", name, err_text(-errno));
}

int uplink_confirm(const struct conf *c, const struct steer_plan *kept)
{
	struct path to = state_path(c, CONFIRMED), tmp = state_path(c, "confirmed.new");
	FILE *f = fopen(tmp.text, "we");
	if (f == NULL)
		return -errno;
	fprintf(f, VERSION "\ndigest %llx\n", (unsigned long long)digest(c));
	for (uint32_t i = 0; i < kept->n_kept; i++)
		fprintf(f, "keep %u %u\n", kept->kept[i].proto, kept->kept[i].port);
	bool bad = ferror(f) != 0 || fflush(f) != 0 || fsync(fileno(f)) < 0;
	int err = bad ? -EIO : 0;
	if (fclose(f) != 0 && err == 0)
		err = -EIO;
	if (err == 0 && rename(tmp.text, to.text) < 0)
		err = -errno;
	if (err != 0)
		unlink(tmp.text);
	else
		make_newer(c, CONFIRMED, ROLLBACKS);
	return err;
}

void uplink_note_rollback(const struct conf *c, const char *text)
{
	struct stat st;
	struct tm tm;
	char when[40] = "";
	time_t now = time(NULL);
	CLEANUP(fd_close)
	int fd = open(state_path(c, ROLLBACKS).text,
		      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > LOG_KEEP && ftruncate(fd, 0) < 0)
		log_line(LOG_WARN, "cannot shorten rollback.log");
	if (gmtime_r(&now, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (fd < 0 || dprintf(fd, "%s %s\n", when, text) < 0)
		log_line(LOG_WARN, "rollback.log: %s", err_text(-errno));
	else
		make_newer(c, ROLLBACKS, CONFIRMED);
}

bool uplink_rolled_back(const struct conf *c, char ret[UPLINK_LINE])
{
	char line[UPLINK_LINE];
	struct stat log, confirmed;
	struct writer w = writer_of(ret, UPLINK_LINE);
	ret[0] = '\0';
	FILE *f = fopen(state_path(c, ROLLBACKS).text, "re");
	if (f == NULL)
		return false;
	bool good =
		fstat(fileno(f), &log) == 0 &&
		(stat(state_path(c, CONFIRMED).text, &confirmed) < 0 || is_newer(&log, &confirmed));
	while (good && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		w = writer_of(ret, UPLINK_LINE);
		write_escaped(&w, line, strlen(line));
	}
	fclose(f);
	return ret[0] != '\0';
}
