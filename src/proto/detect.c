/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the first bytes of a direction look like. A switch on the first byte leads to a handful of
 * words, so that the cost does not grow with the number of protocols. Where content is weak the port is
 * asked as well.
 */
#include "proto/proto_priv.h"

#include <string.h>

#define METHOD 1u /* HTTP: a tab may stand for the blank; "OPTIONS sip:" is not it */

struct word {
	const char *text;
	uint8_t proto, dirs, flags; /* dirs: BUFFER_TS, BUFFER_TC */
};
#define TS BUFFER_TS
#define TC BUFFER_TC
#define HTTP(m)                             \
	{                                   \
		m " ", APP_HTTP, TS, METHOD \
	}
#define SIP(m)                                \
	{                                     \
		m " sip", APP_SIP, TS | TC, 0 \
	}
#define END                   \
	{                     \
		NULL, 0, 0, 0 \
	}

static const struct word on_a[] = {SIP("ACK"), {"AUTH ", APP_FTP, TS, 0}, END};
static const struct word on_b[] = {HTTP("BASELINE-CONTROL"), SIP("BYE"), END};
static const struct word on_c[] = {HTTP("CONNECT"), HTTP("COPY"),  HTTP("CHECKOUT"),
				   HTTP("CHECKIN"), SIP("CANCEL"), END};
static const struct word on_d[] = {HTTP("DELETE"), END};
static const struct word on_e[] = {{"EHLO", APP_SMTP, TS, 0}, END};
static const struct word on_f[] = {{"FEAT", APP_FTP, TS, 0}, END};
static const struct word on_g[] = {HTTP("GET"), END};
static const struct word on_h[] = {HTTP("HEAD"),
				   {"HELO", APP_SMTP, TS, 0},
				   {"HTTP/0.9", APP_HTTP, TC, 0},
				   {"HTTP/1.", APP_HTTP, TC, 0},
				   END};
static const struct word on_i[] = {HTTP("INVALID"), SIP("INVITE"), SIP("INFO"), END};
static const struct word on_l[] = {HTTP("LOCK"), HTTP("LABEL"), END};
static const struct word on_m[] = {
	HTTP("MKCOL"),  HTTP("MOVE"), HTTP("MKWORKSPACE"), HTTP("MERGE"), HTTP("MKACTIVITY"),
	SIP("MESSAGE"), END};
static const struct word on_n[] = {SIP("NOTIFY"), END};
static const struct word on_o[] = {HTTP("OPTIONS"), SIP("OPTIONS"), END};
static const struct word on_p[] = {HTTP("POST"),
				   HTTP("PUT"),
				   {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", APP_HTTP2, TS, 0},
				   {"PASS ", APP_FTP, TS, 0},
				   {"PORT ", APP_FTP, TS, 0},
				   HTTP("PROPFIND"),
				   HTTP("PROPPATCH"),
				   HTTP("PATCH"),
				   SIP("PRACK"),
				   SIP("PUBLISH"),
				   END};
static const struct word on_q[] = {{"QUIT", APP_SMTP, TS, 0}, END};
static const struct word on_r[] = {
	HTTP("REPORT"), {"RFB 00", APP_RFB, TS | TC, 0}, SIP("REGISTER"), SIP("REFER"), END};
static const struct word on_s[] = {
	{"SSH-", APP_SSH, TS | TC, 0}, {"SIP/2.0", APP_SIP, TS | TC, 0}, SIP("SUBSCRIBE"), END};
static const struct word on_t[] = {HTTP("TRACE"), END};
static const struct word on_u[] = {{"USER ", APP_FTP, TS, 0}, HTTP("UNLOCK"), HTTP("UPDATE"),
				   HTTP("UNCHECKOUT"),        SIP("UPDATE"),  END};
static const struct word on_v[] = {HTTP("VERSION-CONTROL"), END};
static const struct word none[] = {END};
static const struct word *const letters[26] = {on_a, on_b, on_c, on_d, on_e, on_f, on_g, on_h, on_i,
					       none, none, on_l, on_m, on_n, on_o, on_p, on_q, on_r,
					       on_s, on_t, on_u, on_v, none, none, none, none};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static enum probe word_fits(const struct word *w, const uint8_t *d, uint32_t n)
{
	uint32_t i = 0;
	for (; w->text[i] != '\0' && i < n; i++) {
		uint8_t c = d[i] == '\t' && (w->flags & METHOD) != 0 ? ' ' : d[i];
		if (lower(c) != lower((uint8_t)w->text[i]))
			return PROBE_NO;
	}
	if (w->text[i] != '\0')
		return PROBE_MORE;
	if ((w->flags & METHOD) == 0)
		return PROBE_YES;
	for (uint32_t k = 0; k < 4; k++) { /* not a SIP request of the same name */
		if (i + k == n)
			return k == 0 ? PROBE_MORE : n > i + k ? PROBE_YES : PROBE_MORE;
		if (lower(d[i + k]) != (uint8_t) "sip:"[k])
			return PROBE_YES;
	}
	return PROBE_NO;
}

static enum probe by_word(unsigned dir, const uint8_t *d, uint32_t n, enum app_proto *ret)
{
	uint8_t first = lower(d[0]);
	if (first < 'a' || first > 'z')
		return PROBE_NO;
	enum probe best = PROBE_NO;
	for (const struct word *w = letters[first - 'a']; w->text != NULL; w++) {
		if ((w->dirs & (dir == TO_SERVER ? TS : TC)) == 0)
			continue;
		enum probe r = word_fits(w, d, n);
		if (r == PROBE_YES) {
			*ret = w->proto;
			return r;
		}
		if (r == PROBE_MORE)
			best = r;
	}
	return best;
}

/* The text at the start; MORE while it may still come. */
static enum probe begins(const uint8_t *d, uint32_t n, const char *text, uint32_t len)
{
	uint32_t m = n < len ? n : len;
	if (memcmp(d, text, m) != 0)
		return PROBE_NO;
	return m == len ? PROBE_YES : PROBE_MORE;
}

static bool port_is(const struct stream_flow *f, uint16_t port)
{
	return f->port[0] == port || f->port[1] == port;
}

static enum probe tls_record(unsigned dir, const uint8_t *d, uint32_t n)
{
	if (dir == TO_SERVER && d[0] != 0x16)
		return PROBE_NO;
	if (n > 1 && d[1] != 3)
		return PROBE_NO;
	if (n > 2 && d[2] > 4)
		return PROBE_NO;
	return n > 2 ? PROBE_YES : PROBE_MORE;
}

/* SSLv2 record with a client hello for SSL 2, 3 or TLS in it. */
static enum probe sslv2_hello(const uint8_t *d, uint32_t n)
{
	if (n < 5)
		return n > 2 && d[2] != 1 ? PROBE_NO : PROBE_MORE;
	bool fits = d[2] == 1 && ((d[3] == 0 && d[4] == 2) || (d[3] == 3 && d[4] <= 3));
	return fits ? PROBE_YES : PROBE_NO;
}

/* NetBIOS session records up to the first message; SMB 1, 2 or 3 in it. */
static enum probe smb_record(const uint8_t *d, uint32_t n)
{
	uint32_t at = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (n - at < 4)
			return PROBE_MORE;
		uint32_t len = load_be32(d + at) & 0x1ffffu;
		if (d[at] == 0)
			break;
		if (d[at] < 0x81 || d[at] > 0x85 || len > 255)
			return PROBE_NO;
		at += 4 + len;
		if (at > n)
			return PROBE_MORE;
	}
	if (n - at < 8)
		return n - at > 4 && (d[at + 4] & 0xfc) != 0xfc ? PROBE_NO : PROBE_MORE;
	uint8_t mark = d[at + 4];
	bool fits = mark >= 0xfc && memcmp(d + at + 5, "SMB", 3) == 0;
	return d[at] == 0 && fits ? PROBE_YES : PROBE_NO;
}

static enum probe dcerpc_head(const uint8_t *d, uint32_t n)
{
	if (n > 1 && d[1] != 0)
		return PROBE_NO;
	if (n > 2 && d[2] > 19)
		return PROBE_NO;
	if (n > 4 && (d[4] & 0xee) != 0)
		return PROBE_NO;
	if (n < 10)
		return PROBE_MORE;
	uint32_t len = d[4] & 0x10 ? d[8] | (uint32_t)d[9] << 8 : load_be16(d + 8);
	return d[5] <= 3 && len >= 16 ? PROBE_YES : PROBE_NO;
}

/* HTTP/2: the server's first frame is SETTINGS. */
static enum probe http2_settings(const uint8_t *d, uint32_t n)
{
	if (n < 9)
		return n > 3 && d[3] != 4 ? PROBE_NO : PROBE_MORE;
	bool fits = d[0] == 0 && d[3] == 4 && d[4] <= 1 && load_be32(d + 5) == 0 &&
		    load_be16(d + 1) % 6 == 0;
	return fits ? PROBE_YES : PROBE_NO;
}

static enum probe answer(enum probe r, enum app_proto p, enum app_proto *ret)
{
	if (r == PROBE_YES)
		*ret = p;
	return r;
}

/* Of two guesses: a sure one, else an open one. */
static enum probe either(enum probe a, enum app_proto pa, enum probe b, enum app_proto pb,
			 enum app_proto *ret)
{
	if (a == PROBE_YES)
		return answer(a, pa, ret);
	if (b == PROBE_YES)
		return answer(b, pb, ret);
	return a == PROBE_MORE || b == PROBE_MORE ? PROBE_MORE : PROBE_NO;
}

static enum probe zero_first(unsigned dir, const uint8_t *d, uint32_t n, enum app_proto *ret)
{
	enum probe h2 = dir == TO_CLIENT ? http2_settings(d, n) : PROBE_NO;
	return either(smb_record(d, n), APP_SMB, h2, APP_HTTP2, ret);
}

static enum probe by_byte(unsigned dir, const uint8_t *d, uint32_t n, enum app_proto *ret)
{
	switch (d[0]) {
	case 0x00:
		return zero_first(dir, d, n, ret);
	case 0x03: /* TPKT with a connect request or confirm */
		if (n < 6)
			return n > 1 && d[1] != 0 ? PROBE_NO : PROBE_MORE;
		return answer(d[1] == 0 && d[5] == (dir == TO_SERVER ? 0xe0 : 0xd0) ? PROBE_YES
										    : PROBE_NO,
			      APP_RDP, ret);
	case 0x05:
		return answer(dcerpc_head(d, n), APP_DCERPC, ret);
	case 0x10: /* MQTT connect */
		if (n < 8 || dir != TO_SERVER)
			return dir != TO_SERVER ? PROBE_NO : PROBE_MORE;
		return answer(memcmp(d + 2, "\0\4MQTT", 6) == 0 ? PROBE_YES : PROBE_NO, APP_MQTT,
			      ret);
	case 0x15:
	case 0x16:
	case 0x17:
		return answer(tls_record(dir, d, n), APP_TLS, ret);
	case '*':
		return answer(dir == TO_CLIENT ? begins(d, n, "* OK ", 5) : PROBE_NO, APP_IMAP,
			      ret);
	case '+':
		return answer(dir == TO_CLIENT ? begins(d, n, "+OK ", 4) : PROBE_NO, APP_POP3, ret);
	case '2':
		return answer(dir == TO_CLIENT ? begins(d, n, "220 (", 5) : PROBE_NO, APP_FTP, ret);
	default:
		break;
	}
	if (d[0] >= 0x80) {
		enum probe smb = d[0] >= 0x81 && d[0] <= 0x85 ? smb_record(d, n) : PROBE_NO;
		enum probe ssl = dir == TO_SERVER ? sslv2_hello(d, n) : PROBE_NO;
		return either(ssl, APP_TLS, smb, APP_SMB, ret);
	}
	return by_word(dir, d, n, ret);
}

static enum probe dns_stream(const uint8_t *d, uint32_t n, enum app_proto *ret)
{
	if (n < 14)
		return PROBE_MORE;
	bool response;
	uint32_t size = load_be16(d);
	return answer(dns_looks(d + 2, size < n - 2 ? size : n - 2, size, false, &response),
		      APP_DNS, ret);
}

/* The banner of a mail server. */
static enum probe mail_banner(unsigned dir, const uint8_t *d, uint32_t n)
{
	enum probe r = dir == TO_CLIENT ? begins(d, n, "220", 3) : PROBE_NO;
	if (r != PROBE_YES)
		return r;
	return n < 4 ? PROBE_MORE : d[3] == ' ' || d[3] == '-' ? PROBE_YES : PROBE_NO;
}

/* So many bytes are enough to ask by_port. */
static uint32_t port_needs(uint16_t port)
{
	switch (port) {
	case 88:
		return 5;
	case 502:
	case 5432:
		return 8;
	case 2049:
		return 12;
	case 20000:
		return 2;
	case 44818:
		return 24;
	default:
		return 1;
	}
}

/* Protocols whose content says too little: asked only on their usual port. */
static enum probe by_port(uint16_t port, const uint8_t *d, uint32_t n, enum app_proto *ret)
{
	if (n < port_needs(port))
		return PROBE_MORE;
	bool fits = false;
	enum app_proto p = APP_FAILED;
	switch (port) {
	case 23:
		fits = d[0] == 0xff;
		p = APP_TELNET;
		break;
	case 88:
		fits = d[0] == 0 && (d[4] & 0xe0) == 0x60;
		p = APP_KRB5;
		break;
	case 389:
		fits = d[0] == 0x30;
		p = APP_LDAP;
		break;
	case 502:
		fits = load_be16(d + 2) == 0;
		p = APP_MODBUS;
		break;
	case 2049:
		fits = d[0] >= 0x80 && load_be32(d + 8) <= 1;
		p = APP_NFS;
		break;
	case 5432:
		fits = load_be16(d) == 0 && load_be16(d + 4) <= 0x4d2;
		p = APP_PGSQL;
		break;
	case 20000:
		fits = load_be16(d) == 0x0564;
		p = APP_DNP3;
		break;
	case 44818:
		fits = true;
		p = APP_ENIP;
		break;
	default:
		break;
	}
	return answer(fits ? PROBE_YES : PROBE_NO, p, ret);
}

/* Ports on which the port's own protocol is asked for before all others. */
static enum probe port_first(const struct stream_flow *f, unsigned dir, const uint8_t *d,
			     uint32_t n, enum app_proto *ret)
{
	if (port_is(f, 53))
		return dns_stream(d, n, ret);
	switch (f->port[1]) {
	case 25:
	case 465:
	case 587:
		return answer(mail_banner(dir, d, n), APP_SMTP, ret);
	case 110:
		return answer(dir == TO_SERVER ? begins(d, n, "USER ", 5) : PROBE_NO, APP_POP3,
			      ret);
	default:
		return PROBE_NO;
	}
}

enum probe detect_stream(const struct stream_flow *f, unsigned dir, const uint8_t *data,
			 uint32_t len, enum app_proto *ret)
{
	if (len == 0)
		return PROBE_MORE;
	enum probe r = port_first(f, dir, data, len, ret);
	if (r == PROBE_NO)
		r = by_byte(dir, data, len, ret);
	return r == PROBE_NO ? by_port(f->port[1], data, len, ret) : r;
}

/* ---- datagrams ---------------------------------------------------------------------------------- */

static bool bencoded_dht(const uint8_t *d, uint32_t n)
{
	return n > 12 && d[0] == 'd' &&
	       (memcmp(d + 1, "1:ad2:id20:", 11) == 0 || memcmp(d + 1, "1:rd2:id20:", 11) == 0 ||
		memcmp(d + 1, "2:ip6:", 6) == 0 || memcmp(d + 1, "1:eli20", 7) == 0);
}

static enum app_proto datagram_by_port(const struct stream_flow *f, const uint8_t *d, uint32_t n)
{
	if (port_is(f, 67) || port_is(f, 68))
		return n >= 240 && load_be32(d + 236) == 0x63825363 ? APP_DHCP : APP_FAILED;
	if (port_is(f, 123))
		return n >= 48 && (d[0] >> 3 & 7) >= 1 && (d[0] >> 3 & 7) <= 4 ? APP_NTP
									       : APP_FAILED;
	if (port_is(f, 161) || port_is(f, 162))
		return n > 8 && d[0] == 0x30 ? APP_SNMP : APP_FAILED;
	if (port_is(f, 69))
		return n > 4 && d[0] == 0 && d[1] >= 1 && d[1] <= 5 ? APP_TFTP : APP_FAILED;
	if (port_is(f, 500) || port_is(f, 4500))
		return n >= 28 && (d[17] == 0x10 || d[17] == 0x20) ? APP_IKE : APP_FAILED;
	if (port_is(f, 88))
		return n > 10 && (d[0] & 0xe0) == 0x60 ? APP_KRB5 : APP_FAILED;
	if (port_is(f, 443) || port_is(f, 80))
		return n > 20 && (d[0] & 0xc0) == 0xc0 ? APP_QUIC : APP_FAILED;
	if (port_is(f, 44818))
		return n >= 24 ? APP_ENIP : APP_FAILED;
	if (port_is(f, 2049))
		return n >= 24 && load_be32(d + 4) <= 1 ? APP_NFS : APP_FAILED;
	if (port_is(f, 389))
		return n > 8 && d[0] == 0x30 ? APP_LDAP : APP_FAILED;
	return APP_FAILED;
}

enum probe detect_datagram(const struct stream_flow *f, unsigned dir, const uint8_t *data,
			   uint32_t len, enum app_proto *ret, unsigned *ret_dir)
{
	*ret_dir = dir;
	if (len < 4)
		return PROBE_NO;
	bool response;
	/* Names on the local network have protocols of their own in the shape of DNS. */
	bool local = port_is(f, 5353) || port_is(f, 5355) || port_is(f, 137);
	if (!local && dns_looks(data, len, len, !port_is(f, 53), &response) == PROBE_YES) {
		*ret = APP_DNS;
		*ret_dir = response ? TO_CLIENT : TO_SERVER;
		return PROBE_YES;
	}
	enum app_proto p = APP_FAILED;
	if (by_word(dir, data, len, &p) == PROBE_YES && p == APP_SIP)
		*ret = p;
	else if (bencoded_dht(data, len))
		*ret = APP_BITTORRENT;
	else
		*ret = datagram_by_port(f, data, len);
	return *ret == APP_FAILED ? PROBE_NO : PROBE_YES;
}
