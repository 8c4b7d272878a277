/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng from anywhere. Properties: what the reader returns lies inside sane bounds; written by our
 * encoder and read again it is the same; the filter takes any packet.
 */
#include "capture/capture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM (1u << 20)

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

static void must(bool right)
{
	if (!right)
		abort();
}

/* One packet through encoder and reader. */
static void round_trip(const struct capture_packet *p, const char *name)
{
	struct capture_interface about = {.description = "round trip"};
	struct capture_packet in = *p, out;
	struct capture_reader *r = NULL;
	const char *out_name;
	uint8_t *buf = malloc(ROOM);
	text_copy(about.name, sizeof(about.name), name);
	in.interface = 0;
	size_t len = capture_encode_section(buf, ROOM);
	len += capture_encode_interface(buf + len, ROOM - len, &about);
	size_t n = capture_encode_packet(buf + len, ROOM - len, &in);
	must(n > 0);
	int fd = file_of(buf, len + n);
	must(capture_open(fd, &r) == 0);
	must(capture_next(r, &out, &out_name) == 0);
	must(out.stamp_ns == in.stamp_ns && out.len == in.len && out.orig_len == in.orig_len);
	must(out.outbound == in.outbound && out.drops == in.drops);
	must(in.len == 0 || memcmp(out.data, in.data, in.len) == 0);
	must(strcmp(out_name, about.name) == 0);
	if (in.comment != NULL && in.comment[0] != '\0')
		must(out.comment != NULL && strcmp(out.comment, in.comment) == 0);
	else
		must(out.comment == NULL);
	must(capture_next(r, &out, &out_name) == SKEP_ENOTFOUND);
	capture_reader_free(&r);
	close(fd);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct capture_filter filter = {
		.net_port = 80, .proto = 6, .community_id = "1:LQU9qZlK+B5F3KDmev6m5PMibrg="};
	struct capture_filter by_addr = {.addr = {.b = {10, 0, 0, 1}, .ver = 4}};
	struct capture_reader *r = NULL;
	struct capture_packet p;
	const char *name;
	int fd = file_of(data, size), trips = 0;
	if (capture_open(fd, &r) == 0) {
		while (capture_next(r, &p, &name) == 0) {
			must(p.len <= 16u << 20 && strlen(name) < 32 && p.stamp_ns >= 0);
			must(p.comment == NULL || strlen(p.comment) < 512);
			must(strlen(capture_interface_description(r)) < 64);
			/* Exactly as long as it claims, for the sanitizer. */
			uint8_t *exact = malloc(p.len > 0 ? p.len : 1);
			memcpy(exact, p.data, p.len);
			p.data = exact;
			capture_select(&filter, &p, name);
			capture_select(&by_addr, &p, name);
			if (p.len <= CAPTURE_SNAP && trips++ < 4)
				round_trip(&p, name);
			free(exact);
		}
		capture_reader_free(&r);
	}
	close(fd);
	return 0;
}
