/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything together: frames of any content, one after the other, through all layers with rules of every
 * kind, and events written. The input is a capture; whether its size is odd says whether packets are
 * judged as they pass or afterwards. Properties: nothing breaks; when all is over the slab is empty again
 * but for what is taken once; a second run of the same gives the same number of events.
 */
#include "capture/capture.h"
#include "inspect/eve.h"
#include "inspect/inspect.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
	"alert ip any any -> any any (msg:\"t\"; ttl:<3; sid:1;)\n"
	"alert tcp any any -> any any (msg:\"c\"; content:\"GET\"; content:\"HTTP\"; distance:1; "
	"within:200; sid:2;)\n"
	"alert tcp any any -> any any (msg:\"p\"; flow:established,to_server; content:\"a\"; "
	"pcre:\"/a[^b]{1,5}c/Ri\"; sid:3;)\n"
	"alert http any any -> any any (msg:\"u\"; http.uri; content:\"/\"; sid:4;)\n"
	"alert http any any -> any any (msg:\"b\"; file.data; content:\"e\"; sid:5;)\n"
	"alert dns any any -> any any (msg:\"q\"; dns.query; content:\"e\"; nocase; sid:6;)\n"
	"alert tls any any -> any any (msg:\"s\"; tls.sni; content:\".\"; sid:7;)\n"
	"alert udp any any -> any any (msg:\"j\"; byte_jump:1,0; byte_test:1,>,3,0,relative; "
	"sid:8;)\n"
	"alert tcp any any -> any any (msg:\"f\"; content:\"|00|\"; flowbits:set,x; noalert; "
	"sid:9;)\n"
	"alert tcp any any -> any any (msg:\"g\"; flowbits:isset,x; content:\"|01|\"; "
	"threshold:type "
	"limit, track by_src, count 1, seconds 9; sid:10;)\n"
	"alert smtp any any -> any any (msg:\"m\"; content:\"@\"; sid:11;)\n"
	"drop icmp any any -> any any (msg:\"i\"; itype:8; sid:12;)\n"
	"alert pkthdr any any -> any any (msg:\"d\"; decode-event:ipv4.trunc_pkt; sid:13;)\n"
	"alert smb any any -> any any (msg:\"n\"; smb.share; content:\"$\"; sid:14;)\n";

static const struct rule_set *rule_set_once(void)
{
	static struct rule_set *set;
	struct rule_vars *vars = NULL;
	struct rule_set_conf conf = {.vars = NULL};
	if (set != NULL)
		return set;
	if (rule_vars_create(&vars) != 0)
		abort();
	conf.vars = vars;
	if (rule_set_create(&conf, &set) != 0 ||
	    rule_set_read(set, "fuzz", rules, sizeof(rules) - 1) != 0 || rule_set_finish(set) != 0)
		abort();
	rule_vars_free(&vars);
	return set;
}

static struct eve *eve_once(const struct rule_set *set)
{
	static struct eve *e;
	if (e != NULL)
		return e;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct eve_conf ec = {.fd = null, .rules = set, .payload = true, .anomalies = true};
	if (null < 0 || eve_create(&ec, &e) != 0)
		abort();
	return e;
}

static uint64_t run(const uint8_t *data, size_t size, bool inline_mode)
{
	struct inspect *i = NULL;
	struct capture_reader *r = NULL;
	struct capture_frame f;
	struct eve_counts counts[2];
	struct inspect_stats before, after;
	const struct rule_set *set = rule_set_once();
	struct eve *e = eve_once(set);
	eve_read_counts(e, &counts[0]);
	struct inspect_conf conf = {
		.dissect = {.inline_mode = inline_mode},
		.stream = {.flows = 64, .inline_mode = inline_mode, .midstream = !inline_mode},
		.app = {.hash_files = true},
		.engine = {.inline_mode = inline_mode, .midstream = !inline_mode},
		.rules = set,
		.memory_bytes = 4u << 20,
		.sink = eve_sink(e),
	};
	if (inspect_create(&conf, &i) != 0)
		abort();
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	inspect_read_stats(i, &before);
	if (capture_open_any(fd, &r) == 0)
		while (capture_next_any(r, &f) == 0)
			inspect_frame(i, f.link, f.data, f.len, f.wire_len, f.stamp_ns);
	capture_reader_free(&r);
	close(fd);
	inspect_finish(i);
	inspect_read_stats(i, &after);
	if (after.memory.used != before.memory.used)
		abort(); /* flows are gone: what they held must be too */
	inspect_free(&i);
	eve_read_counts(e, &counts[1]);
	if (eve_error(e) != 0)
		abort();
	return counts[1].events - counts[0].events;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	bool inline_mode = (size & 1) != 0;
	if (run(data, size, inline_mode) != run(data, size, inline_mode))
		abort();
	return 0;
}
