/* SPDX-License-Identifier: BSD-2-Clause */
/* Transport headers: TCP with its options, UDP, SCTP, ESP; and checksums. */
#include "dissect/dissect_priv.h"

#define TCP_HLEN 20u
#define UDP_HLEN 8u
#define SCTP_HLEN 12u
#define ESP_HLEN 8u

#define OPT_MSS 2u
#define OPT_WSCALE 3u
#define OPT_SACK_OK 4u
#define OPT_SACK 5u
#define OPT_STAMPS 8u
#define OPT_MD5 19u
#define OPT_AO 29u
#define OPT_TFO 34u
#define OPT_EXP1 253u
#define OPT_EXP2 254u
#define TFO_MAGIC 0xf989u /* fast open, in the experimental options */

static bool tfo_len_ok(uint32_t cookie)
{
	return cookie == 0 || (cookie >= 4 && cookie <= 16 && cookie % 2 == 0);
}

/* Options that are wrong in length or come twice are told, and have no effect. */
static void tcp_option(struct pkt *p, const uint8_t *o, uint32_t len, uint32_t *seen)
{
	struct pkt_tcp *t = &p->tcp;
	bool ok, is_tfo = false;
	switch (o[0]) {
	case OPT_MSS:
		ok = len == 4;
		break;
	case OPT_WSCALE:
		ok = len == 3;
		break;
	case OPT_SACK_OK:
		ok = len == 2;
		break;
	case OPT_STAMPS:
		ok = len == 10;
		break;
	case OPT_SACK:
		ok = len == 2 || (len >= 10 && len <= 34 && (len - 2) % 8 == 0);
		break;
	case OPT_MD5:
		ok = len == 18;
		break;
	case OPT_AO:
		ok = len >= 4;
		break;
	case OPT_TFO:
		ok = is_tfo = tfo_len_ok(len - 2);
		break;
	case OPT_EXP1:
	case OPT_EXP2:
		ok = is_tfo = len >= 4 && be16(o + 2) == TFO_MAGIC && tfo_len_ok(len - 4);
		if (!ok)
			return; /* somebody else's experiment */
		break;
	default:
		return;
	}
	if (!ok) {
		set_event(p, EV_TCP_OPT_INVALID_LEN);
		return;
	}
	uint32_t bit = is_tfo ? 1u << 31 : 1u << o[0]; /* all the others are below 31 */
	if (*seen & bit) {
		set_event(p, EV_TCP_OPT_DUPLICATE);
		return;
	}
	*seen |= bit;
	t->has_mss |= o[0] == OPT_MSS;
	t->has_wscale |= o[0] == OPT_WSCALE;
	t->has_sack_ok |= o[0] == OPT_SACK_OK;
	t->has_ts |= o[0] == OPT_STAMPS;
	t->has_md5 |= o[0] == OPT_MD5;
	if (o[0] == OPT_MSS) {
		t->mss = be16(o + 2);
	} else if (o[0] == OPT_WSCALE) {
		t->wscale = o[2] <= 14 ? o[2] : 0; /* RFC 7323 allows no more */
	} else if (o[0] == OPT_STAMPS) {
		t->ts_val = be32(o + 2);
		t->ts_ecr = be32(o + 6);
	} else if (o[0] == OPT_SACK) {
		t->has_sack = true;
		t->sack = len > 2 ? o + 2 : NULL;
		t->sack_len = (uint8_t)(len - 2);
	} else if (is_tfo) {
		t->has_tfo = true;
		t->tfo_len = (uint8_t)(len - (o[0] == OPT_TFO ? 2 : 4));
	}
}

static void tcp_options(struct pkt *p, const uint8_t *o, uint32_t len)
{
	uint32_t seen = 0;
	/* What nearly every segment carries: two fillers and the time stamps. */
	if (len == 12 && be32(o) == 0x0101080a) {
		p->tcp.has_ts = true;
		p->tcp.ts_val = be32(o + 4);
		p->tcp.ts_ecr = be32(o + 8);
		return;
	}
	while (len > 0 && o[0] != 0) {
		uint32_t step = 1;
		if (o[0] != 1) {
			if (len < 2)
				return;
			step = o[1];
			if (step < 2 || step > len) {
				(void)refuse(p, EV_TCP_OPT_INVALID_LEN);
				return;
			}
			tcp_option(p, o, step, &seen);
		}
		o += step;
		len -= step;
	}
}

static void l4_found(struct pkt *p, const uint8_t *b, uint32_t hlen, uint32_t len)
{
	p->l4 = b;
	p->l4_hlen = hlen;
	p->l4_len = len;
	p->payload = b + hlen;
	p->payload_len = len - hlen;
}

void tcp_decode(struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < TCP_HLEN) {
		(void)refuse(p, EV_TCP_PKT_TOO_SMALL);
		return;
	}
	uint32_t hlen = (b[12] >> 4) * 4u;
	if (len < hlen) {
		(void)refuse(p, EV_TCP_HLEN_TOO_SMALL);
		return;
	}
	if (hlen < TCP_HLEN) {
		(void)refuse(p, EV_TCP_INVALID_OPTLEN);
		return;
	}
	l4_found(p, b, hlen, len);
	p->sport = be16(b);
	p->dport = be16(b + 2);
	struct pkt_tcp *t = &p->tcp;
	t->seq = be32(b + 4);
	t->ack = be32(b + 8);
	t->flags = b[13];
	t->win = be16(b + 14);
	t->urg = be16(b + 18);
	if (hlen > TCP_HLEN)
		tcp_options(p, b + TCP_HLEN, hlen - TCP_HLEN);
}

static void udp_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < UDP_HLEN) {
		(void)refuse(p, EV_UDP_HLEN_TOO_SMALL);
		return;
	}
	uint32_t own = be16(b + 4);
	if (own > len) {
		(void)refuse(p, EV_UDP_PKT_TOO_SMALL);
		return;
	}
	if (own < UDP_HLEN) {
		(void)refuse(p, EV_UDP_LEN_INVALID);
		return;
	}
	l4_found(p, b, UDP_HLEN, own); /* what is behind own is padding */
	p->sport = be16(b);
	p->dport = be16(b + 2);
	if (w->d->conf.checksums)
		sum_check_l4(p, own);
	udp_tunnels(w, p);
}

static void sctp_decode(struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < SCTP_HLEN) {
		(void)refuse(p, EV_SCTP_PKT_TOO_SMALL);
		return;
	}
	l4_found(p, b, SCTP_HLEN, len);
	p->sport = be16(b);
	p->dport = be16(b + 2);
}

static void esp_decode(struct pkt *p, const uint8_t *b, uint32_t len)
{
	if (len < ESP_HLEN)
		(void)refuse(p, EV_ESP_PKT_TOO_SMALL);
	else
		l4_found(p, b, ESP_HLEN, len);
}

void l4_decode(struct walk *w, struct pkt *p, const uint8_t *b, uint32_t len)
{
	switch (p->proto) {
	case PROTO_TCP:
		tcp_decode(p, b, len);
		break;
	case PROTO_UDP:
		udp_decode(w, p, b, len);
		return;
	case PROTO_ICMP:
		icmp4_decode(p, b, len);
		break;
	case PROTO_ICMP6:
		icmp6_decode(p, b, len);
		break;
	case PROTO_SCTP:
		sctp_decode(p, b, len);
		break;
	case PROTO_ESP:
		esp_decode(p, b, len);
		return;
	case PROTO_GRE:
		gre_decode(w, p, b, len);
		return;
	default:
		p->payload = b;
		p->payload_len = len;
		return;
	}
	if (w->d->conf.checksums && p->l4 != NULL)
		sum_check_l4(p, len);
}

/* ---- checksums ---------------------------------------------------------------------------------- */

/* Native words are added, and the sum swapped once at the end (RFC 1071 2B). */
uint16_t sum_of(const uint8_t *b, uint32_t len, uint32_t start)
{
	uint64_t sum = 0;
	for (; len >= 4; len -= 4, b += 4) {
		uint32_t word;
		memcpy(&word, b, 4);
		sum += word;
	}
	uint32_t last = 0;
	for (uint32_t i = 0; i < len; i++)
		last |= (uint32_t)b[i] << 8 * i;
	sum += last;
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	uint32_t total = __builtin_bswap16((uint16_t)sum) + (start & 0xffff) + (start >> 16);
	total = (total & 0xffff) + (total >> 16);
	return (uint16_t)((total & 0xffff) + (total >> 16));
}

/* Half-byte steps of the reflected polynomial 0x82f63b78 (CRC32c). */
static uint32_t crc32c(const uint8_t *b, uint32_t len)
{
	static const uint32_t step[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	uint32_t crc = 0xffffffff;
	for (uint32_t i = 0; i < len; i++) {
		crc ^= i >= 8 && i < 12 ? 0 : b[i]; /* its own field counts as zero */
		crc = crc >> 4 ^ step[crc & 15];
		crc = crc >> 4 ^ step[crc & 15];
	}
	return __builtin_bswap32(~crc);
}

void sum_check_l4(struct pkt *p, uint32_t len)
{
	const uint8_t *b = p->l4;
	uint32_t start = 0;
	if (p->proto == PROTO_SCTP) {
		p->bad_l4_csum = be32(b + 8) != crc32c(b, len);
		return;
	}
	if (p->proto == PROTO_UDP && be16(b + 6) == 0) {
		p->bad_l4_csum = p->ip_ver == 6; /* none was made: only IPv4 allows that */
		return;
	}
	if (p->proto != PROTO_ICMP) {
		uint32_t n = p->ip_ver == 4 ? 4 : 16;
		start = (uint32_t)sum_of(p->src.b, n, len + p->proto) + sum_of(p->dst.b, n, 0);
	}
	p->bad_l4_csum = sum_of(b, len, start) != 0xffff;
}
