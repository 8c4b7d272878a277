/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes to any server, in any pieces: every event is valid, output is bounded, and a TCP service
 * answers and tells the same however the bytes are cut.
 *
 * Input: a byte for the service, one for the length of pieces, one of flags, then what is said.
 */
#include "sink/test/fake.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

struct heard {
	char out[65536];
	uint32_t n_events;
};

static void tcp(enum sink_service v, bool upstream, const uint8_t *data, size_t len, size_t piece,
		struct heard *ret)
{
	struct fake *f = fake_new(upstream);
	struct sink_session *t = fake_open(f, v, 0);
	must(t != NULL);
	fake_say(f, t, data, len, piece, ret->out, sizeof(ret->out));
	f->now += 5 * NS_PER_SEC;
	sink_tick(f->sink, f->now);
	sink_close(f->sink, t, f->now);
	ret->n_events = f->n_events;
	fake_free(f);
}

static void udp(enum sink_service v, bool upstream, const uint8_t *data, size_t len)
{
	uint8_t out[SINK_ANSWER];
	struct fake *f = fake_new(upstream);
	struct sink_ends e = fake_ends(0, 1234);
	size_t n = sink_datagram(f->sink, v, &e, data, len, f->now, out);
	must(n <= sizeof(out) && (v != SINK_NTP || n <= len) && (v != SINK_ANY || n == 0));
	if (f->n_asked > 0) { /* what comes back may be anything as well */
		memcpy(out, data, len < sizeof(out) ? len : sizeof(out));
		sink_answered(f->sink, out, len < sizeof(out) ? len : sizeof(out), f->now);
		f->asked[2] |= 0x80;
		sink_answered(f->sink, f->asked, f->n_asked, f->now);
		must(f->n_replied > 0);
	}
	fake_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct heard whole, cut; /* too large for a stack with sanitizers */
	if (size < 3)
		return 0;
	enum sink_service v = (enum sink_service)(data[0] % SINK_SOCKETS);
	bool upstream = (data[2] & 1) != 0;
	if (v >= SINK_TCP) {
		udp(v, upstream, data + 3, size - 3);
		return 0;
	}
	tcp(v, upstream, data + 3, size - 3, 0, &whole);
	tcp(v, upstream, data + 3, size - 3, data[1] + 1u, &cut);
	/* What looks like TLS is refused with as much as had come, and HTTP has dates. */
	if (v != SINK_HTTP)
		must(strcmp(whole.out, cut.out) == 0 && whole.n_events == cut.n_events);
	return 0;
}
