/* SPDX-License-Identifier: BSD-2-Clause */
/* NTP (RFC 5905), a server of stratum 3 with the host's clock; never more bytes than it was asked with. */
#include "sink/sink_priv.h"

#include <string.h>

#define NTP_BYTES 48u
#define UNIX_EPOCH UINT64_C(2208988800) /* 1970 in NTP's count of seconds */
#define MODE_CLIENT 3
#define MODE_SERVER 4

static void put_time(uint8_t *p, int64_t ns)
{
	uint64_t frac = ((uint64_t)(ns % NS_PER_SEC) << 32) / (uint64_t)NS_PER_SEC;
	store_be32(p, (uint32_t)((uint64_t)(ns / NS_PER_SEC) + UNIX_EPOCH));
	store_be32(p + 4, (uint32_t)frac);
}

size_t ntp_datagram(struct sink *s, const struct sink_ends *e, const uint8_t *data, size_t len,
		    uint8_t *out)
{
	unsigned mode = len > 0 ? data[0] & 7u : 0, version = len > 0 ? data[0] >> 3 & 7u : 0;
	int64_t now = clock_wall_ns();
	if (len < NTP_BYTES || mode != MODE_CLIENT || version < 1 || version > 4) {
		char dump[EVENT_EXCERPT];
		struct telling odd = {.what = "bytes", .bytes = len, .count = 1, .excerpt = dump};
		odd.len = tell_dump(data, len, dump);
		sink_tell(s, SINK_NTP, e, &odd, "%zu bytes that ask for no time%s", len,
			  mode == 6 || mode == 7 ? " (remote control)" : "");
		return 0;
	}
	struct telling told = {.what = "time", .bytes = len, .count = 1};
	sink_tell(s, SINK_NTP, e, &told, "asked for the time (version %u)", version);
	memset(out, 0, NTP_BYTES);
	out[0] = (uint8_t)(version << 3 | MODE_SERVER);
	out[1] = 3;                 /* stratum */
	out[2] = data[2];           /* its own poll interval */
	out[3] = 0xec;              /* 2^-20 s */
	store_be32(out + 4, 0x2d0); /* root delay and dispersion: some ten milliseconds */
	store_be32(out + 8, 0x4a3);
	memcpy(out + 12, "\xc0\x00\x02\x7b", 4);
	put_time(out + 16, now - 137 * NS_PER_SEC);
	memcpy(out + 24, data + 40, 8);
	put_time(out + 32, now);
	put_time(out + 40, now);
	return NTP_BYTES;
}
