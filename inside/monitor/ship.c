/* SPDX-License-Identifier: BSD-2-Clause */
/* Records to the host: numbered, bounded by kind, never waiting. */
#include "monitor/monitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How many of a kind: what an intruder can make without end has an end here. DATA and CONTENT: bytes. */
struct ship_limit {
	uint32_t per_s, burst;
};
static const struct ship_limit limits[SENSOR_TYPES] = {
	[SENSOR_VISIT] = {200, 2000},
	[SENSOR_VISIT_END] = {200, 2000},
	[SENSOR_EXEC] = {400, 4000},
	[SENSOR_EXIT] = {400, 4000},
	[SENSOR_DATA] = {256 << 10, 4 << 20},
	[SENSOR_SIZE] = {20, 200},
	[SENSOR_LOGIN] = {50, 500},
	[SENSOR_CONNECT] = {200, 2000},
	[SENSOR_FILE] = {200, 2000},
	[SENSOR_CONTENT] = {1 << 20, 8 << 20},
	[SENSOR_CRED] = {50, 500},
	[SENSOR_KERNEL] = {20, 200},
	[SENSOR_SIGNAL] = {20, 200},
	[SENSOR_STATE] = {20, 200},
};

uint64_t boot_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

int64_t wall_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static bool bulk(uint16_t type)
{
	return type == SENSOR_DATA || type == SENSOR_CONTENT;
}

/* Takes from the bucket of its kind. */
static bool allowed(struct ship *s, uint16_t type, size_t len)
{
	struct ship_bucket *b = &s->buckets[type];
	const struct ship_limit *l = &limits[type];
	uint64_t full = l->burst * 1000ull, cost = bulk(type) ? len * 1000 : 1000, now = boot_now();

	if (l->per_s == 0)
		return true;
	uint64_t ms = b->then_ns ? (now - b->then_ns) / NS_PER_MS : UINT32_MAX;

	if (ms > 0) {
		b->level = ms > UINT32_MAX / 2 ? full : b->level + ms * l->per_s;
		b->level = b->level < full ? b->level : full;
		b->then_ns = now;
	}
	if (b->level < cost)
		return false;
	b->level -= cost;
	return true;
}

/* May it use the last of the room? */
static bool kept(uint16_t type)
{
	return type != SENSOR_DATA && type != SENSOR_CONTENT && type != SENSOR_EXEC &&
	       type != SENSOR_EXIT && type != SENSOR_FILE && type != SENSOR_CONNECT;
}

static bool room(struct ship *s, uint16_t type, size_t len)
{
	size_t most = SHIP_SIZE - (kept(type) ? 0 : SHIP_KEPT);

	if (s->len - s->at + len > most)
		return false;
	if (s->len + len > SHIP_SIZE) {
		memmove(s->buf, s->buf + s->at, s->len - s->at);
		s->len -= s->at;
		s->at = 0;
	}
	return true;
}

void ship_lost(struct ship *s, uint16_t type, uint64_t n, uint64_t bytes)
{
	s->lost[type] += n;
	s->lost_bytes += bytes;
	s->lost_all += n;
}

bool ship_put(struct ship *s, uint16_t type, uint64_t boot_ns, const void *payload, size_t len)
{
	struct sensor_head h = {.magic = SENSOR_MAGIC, .type = type, .len = (uint16_t)len};

	if (len > SENSOR_PAYLOAD || !allowed(s, type, len) ||
	    (!s->print && !room(s, type, sizeof(h) + len))) {
		ship_lost(s, type, 1, bulk(type) ? len : 0);
		return false;
	}
	h.seq = s->seq++;
	h.boot_ns = boot_ns ? boot_ns : boot_now();
	s->told++;
	if (s->print) {
		print_record(s->print, &h, payload);
		return true;
	}
	memcpy(s->buf + s->len, &h, sizeof(h));
	memcpy(s->buf + s->len + sizeof(h), payload, len);
	s->len += (uint32_t)(sizeof(h) + len);
	return true;
}

void ship_tell_lost(struct ship *s)
{
	struct sensor_lost l = {.bytes = s->lost_bytes};
	uint64_t any = s->lost_bytes;

	for (unsigned i = 0; i < SENSOR_TYPES; i++) {
		l.by_type[i] = s->lost[i];
		any |= s->lost[i];
	}
	if (!any || !ship_put(s, SENSOR_LOST, 0, &l, sizeof(l)))
		return;
	memset(s->lost, 0, sizeof(s->lost));
	s->lost_bytes = 0;
}

/* The port of our name, where nobody (udev) made a link to it. */
static int open_by_sys(void)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	struct dirent *e;
	int fd = -1;

	while (d && fd < 0 && (e = readdir(d))) {
		char path[320], name[64];
		int f;
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
		f = open(path, O_RDONLY | O_CLOEXEC);
		if (f < 0)
			continue;
		n = read(f, name, sizeof(name) - 1);
		close(f);
		if (n != sizeof(SENSOR_PORT) ||
		    memcmp(name, SENSOR_PORT "\n", sizeof(SENSOR_PORT)) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	if (d)
		closedir(d);
	return fd;
}

void ship_flush(struct ship *s)
{
	if (s->print) {
		fflush(s->print);
		return;
	}
	if (s->fd < 0 && s->at < s->len)
		s->fd = open("/dev/virtio-ports/" SENSOR_PORT, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 && s->at < s->len)
		s->fd = open_by_sys();
	while (s->fd >= 0 && s->at < s->len) {
		ssize_t n = write(s->fd, s->buf + s->at, s->len - s->at);

		if (n <= 0) {
			if (n == 0 || errno == EAGAIN || errno == EINTR)
				return;
			close(s->fd);
			s->fd = -1;
			return;
		}
		s->at += (uint32_t)n;
	}
	if (s->at == s->len)
		s->at = s->len = 0;
}

uint32_t ship_waiting(const struct ship *s)
{
	return s->len - s->at;
}

uint8_t *ship_text(uint8_t *at, const uint8_t *end, const void *text, size_t len)
{
	uint16_t n;

	if (end - at < 2)
		return at;
	if (len > (size_t)(end - at) - 2)
		len = (size_t)(end - at) - 2;
	n = (uint16_t)len;
	memcpy(at, &n, sizeof(n));
	memcpy(at + 2, text, len);
	return at + 2 + len;
}
