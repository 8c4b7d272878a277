/* SPDX-License-Identifier: BSD-2-Clause */
/* Keyword by keyword: what fits, what does not, and what is one off. test_rows.py holds the table of keywords
 * against the rows here and in test_match.c. */
#include "bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- conversations --------------------------------------------------------------------------------------- */

#define SAY(b, dir, text) bed_say((b), (dir), (text), (uint32_t)sizeof(text) - 1)

static void http(struct bed *b)
{
	bed_app(b);
	SAY(b, TO_SERVER,
	    "POST /a%20b.php?x=1 HTTP/1.1\r\nHost: WWW.Example.org\r\nUser-Agent: curl/8\r\n"
	    "Accept: text/*\r\nAccept-Language: de\r\nAccept-Encoding: br\r\nReferer: "
	    "http://r.example/\r\nCookie: k=v\r\nConnection: close\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 4\r\n\r\nbody");
	SAY(b, TO_CLIENT,
	    "HTTP/1.1 302 Found\r\nServer: nginx\r\nLocation: /there\r\nSet-Cookie: s=1\r\n"
	    "Content-Length: 5\r\n\r\nhello");
	bed_end(b);
}

static void dns(struct bed *b)
{
	static const char query[] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\3org\0\0\1\0\1";
	bed_flow(b, false, 40000, 53);
	bed_app(b);
	bed_udp(b, query, sizeof(query) - 1);
	bed_end(b);
}

static void sip(struct bed *b)
{
	static const char invite[] =
		"INVITE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP a.example\r\nFrom: "
		"<sip:al@a.example>\r\nTo: <sip:bob@example.org>\r\nUser-Agent: phone\r\n"
		"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
	bed_flow(b, false, 40000, 5060);
	bed_app(b);
	bed_udp(b, invite, sizeof(invite) - 1);
	bed_end(b);
}

static void ftp(struct bed *b)
{
	bed_flow(b, true, 40000, 21);
	bed_app(b);
	SAY(b, TO_CLIENT, "220 ready\r\n");
	SAY(b, TO_SERVER, "USER anonymous\r\n");
	SAY(b, TO_CLIENT, "331 password\r\n");
	bed_end(b);
}

static void smtp(struct bed *b)
{
	bed_flow(b, true, 40000, 25);
	bed_app(b);
	SAY(b, TO_CLIENT, "220 mail ESMTP\r\n");
	SAY(b, TO_SERVER, "EHLO me.example\r\n");
	SAY(b, TO_CLIENT, "250 ok\r\n");
	SAY(b, TO_SERVER, "MAIL FROM:<a@b.example>\r\n");
	SAY(b, TO_CLIENT, "250 ok\r\n");
	SAY(b, TO_SERVER, "RCPT TO:<d@e.example>\r\n");
	SAY(b, TO_CLIENT, "250 ok\r\n");
	bed_end(b);
}

static void ssh(struct bed *b)
{
	bed_flow(b, true, 40000, 22);
	bed_app(b);
	SAY(b, TO_SERVER, "SSH-2.0-client_1\r\n");
	SAY(b, TO_CLIENT, "SSH-2.0-server_2\r\n");
	bed_end(b);
}

static void tcp(struct bed *b)
{
	SAY(b, TO_SERVER, "hello world");
	SAY(b, TO_CLIENT, "answer");
	SAY(b, TO_SERVER, "secret message");
	bed_end(b);
}

static void tcp_header(struct bed *b)
{
	static const uint8_t ip[20] = {0x45, 0, 0, 0, 0, 42, 0x40, 0};
	static const uint8_t l4[20] = {0x12, 0x34, 0x56, 0x78};
	struct pkt p = {.ip_ver = 4,
			.proto = 6,
			.ttl = 64,
			.tos = 8,
			.ip_id_lo = 42,
			.ip = ip,
			.ip_hlen = 20,
			.l4 = l4,
			.l4_hlen = 20,
			.l4_len = 24,
			.n_vlan = 1,
			.payload = (const uint8_t *)"data",
			.payload_len = 4};
	p.vlan[0] = 5;
	p.tcp.flags = 0x12;
	p.tcp.seq = 1000;
	p.tcp.ack = 2000;
	p.tcp.win = 3000;
	p.tcp.has_mss = p.tcp.has_wscale = true;
	p.tcp.mss = 1460;
	p.tcp.wscale = 7;
	p.src = p.dst = addr_from_v4("\x0a\x00\x00\x01");
	bed_packet(b, &p);
}

static void icmp_header(struct bed *b)
{
	static const uint8_t l4[8] = {8, 0, 0x56, 0x78};
	struct pkt p = {.ip_ver = 4,
			.proto = 1,
			.ttl = 1,
			.l4 = l4,
			.l4_hlen = 8,
			.l4_len = 8,
			.icmp_type = 8,
			.icmp_code = 2,
			.has_icmp_id = true,
			.icmp_id = 7,
			.icmp_seq = 9};
	bed_packet(b, &p);
}

static void udp_header(struct bed *b)
{
	static const uint8_t l4[8] = {0x12, 0x34, 0x56, 0x78};
	static const char call[] = "\0\0\0\1\0\0\0\0\0\0\0\2\0\1\x86\xa0\0\0\0\2\0\0\0\3";
	struct pkt p = {.ip_ver = 4,
			.proto = 17,
			.l4 = l4,
			.l4_hlen = 8,
			.l4_len = 32,
			.payload = (const uint8_t *)call,
			.payload_len = sizeof(call) - 1};
	bed_packet(b, &p);
}

/* ---- whole buffers ---------------------------------------------------------------------------------------- */

enum form { STICKY, MODIFIER };
struct buffer_case {
	void (*talk)(struct bed *b);
	const char *proto, *kw;
	enum form form;
	const char *value; /* the buffer, whole */
};

#define UA "curl/8"
static const struct buffer_case buffer_cases[] = {
	{http, "http", "http.method", STICKY, "POST"},
	{http, "http", "http_method", MODIFIER, "POST"},
	{http, "http", "http.uri", STICKY, "/a b.php?x=1"},
	{http, "http", "http_uri", MODIFIER, "/a b.php?x=1"},
	{http, "http", "uricontent", STICKY, "/a b.php?x=1"},
	{http, "http", "http.uri.raw", STICKY, "/a%20b.php?x=1"},
	{http, "http", "http_raw_uri", MODIFIER, "/a%20b.php?x=1"},
	{http, "http", "http.protocol", STICKY, "HTTP/1.1"},
	{http, "http", "http_protocol", STICKY, "HTTP/1.1"},
	{http, "http", "http.request_line", STICKY, "POST /a%20b.php?x=1 HTTP/1.1"},
	{http, "http", "http_request_line", STICKY, "POST /a%20b.php?x=1 HTTP/1.1"},
	{http, "http", "http.host", STICKY, "www.example.org"},
	{http, "http", "http_host", MODIFIER, "www.example.org"},
	{http, "http", "http.host.raw", STICKY, "WWW.Example.org"},
	{http, "http", "http_raw_host", MODIFIER, "WWW.Example.org"},
	{http, "http", "http.user_agent", STICKY, UA},
	{http, "http", "http_user_agent", MODIFIER, UA},
	{http, "http", "http.accept", STICKY, "text/*"},
	{http, "http", "http_accept", STICKY, "text/*"},
	{http, "http", "http.accept_lang", STICKY, "de"},
	{http, "http", "http_accept_lang", STICKY, "de"},
	{http, "http", "http.accept_enc", STICKY, "br"},
	{http, "http", "http_accept_enc", STICKY, "br"},
	{http, "http", "http.referer", STICKY, "http://r.example/"},
	{http, "http", "http_referer", STICKY, "http://r.example/"},
	{http, "http", "http.cookie", STICKY, "k=v"},
	{http, "http", "http_cookie", MODIFIER, "k=v"},
	{http, "http", "http.connection", STICKY, "close"},
	{http, "http", "http_connection", STICKY, "close"},
	{http, "http", "http.content_type", STICKY, "text/plain"},
	{http, "http", "http_content_type", STICKY, "text/plain"},
	{http, "http", "http.content_len", STICKY, "4"},
	{http, "http", "http_content_len", STICKY, "4"},
	{http, "http", "http.request_body", STICKY, "body"},
	{http, "http", "http_client_body", MODIFIER, "body"},
	{http, "http", "http.stat_code", STICKY, "302"},
	{http, "http", "http_stat_code", MODIFIER, "302"},
	{http, "http", "http.stat_msg", STICKY, "Found"},
	{http, "http", "http_stat_msg", MODIFIER, "Found"},
	{http, "http", "http.response_line", STICKY, "HTTP/1.1 302 Found"},
	{http, "http", "http_response_line", STICKY, "HTTP/1.1 302 Found"},
	{http, "http", "http.server", STICKY, "nginx"},
	{http, "http", "http_server", STICKY, "nginx"},
	{http, "http", "http.location", STICKY, "/there"},
	{http, "http", "http_location", STICKY, "/there"},
	{http, "http", "http.response_body", STICKY, "hello"},
	{http, "http", "http_server_body", MODIFIER, "hello"},
	{http, "http", "file.data", STICKY, "hello"},
	{http, "http", "file_data", STICKY, "hello"},
	{dns, "dns", "dns.query", STICKY, "www.example.org"},
	{dns, "dns", "dns_query", STICKY, "www.example.org"},
	{dns, "dns", "dns.queries.rrname", STICKY, "www.example.org"},
	{dns, "dns", "dns.query.name", STICKY, "www.example.org"},
	{sip, "sip", "sip.method", STICKY, "INVITE"},
	{sip, "sip", "sip.uri", STICKY, "sip:bob@example.org"},
	{sip, "sip", "sip.protocol", STICKY, "SIP/2.0"},
	{sip, "sip", "sip.request_line", STICKY, "INVITE sip:bob@example.org SIP/2.0"},
	{sip, "sip", "sip.from", STICKY, "<sip:al@a.example>"},
	{sip, "sip", "sip.to", STICKY, "<sip:bob@example.org>"},
	{sip, "sip", "sip.via", STICKY, "SIP/2.0/UDP a.example"},
	{sip, "sip", "sip.user_agent", STICKY, "phone"},
	{sip, "sip", "sip.content_type", STICKY, "text/plain"},
	{sip, "sip", "sip.content_length", STICKY, "2"},
	{ftp, "ftp", "ftp.command", STICKY, "USER"},
	{ftp, "ftp", "ftp.command_data", STICKY, "anonymous"},
	{ftp, "ftp", "ftp.completion_code", STICKY, "331"},
	{smtp, "smtp", "smtp.helo", STICKY, "me.example"},
	{smtp, "smtp", "smtp.mail_from", STICKY, "<a@b.example>"},
	{smtp, "smtp", "smtp.rcpt_to", STICKY, "<d@e.example>"},
	{ssh, "ssh", "ssh.proto", STICKY, "2.0"},
	{ssh, "ssh", "ssh_proto", STICKY, "2.0"},
	{ssh, "ssh", "ssh.software", STICKY, "client_1"},
	{ssh, "ssh", "ssh_software", STICKY, "client_1"},
};

static void add_rule(struct writer *w, const struct buffer_case *c, const char *value,
		     const char *more, unsigned sid)
{
	write_fmt(w, "alert %s any any -> any any (msg:\"t\"; ", c->proto);
	if (strcmp(c->kw, "uricontent") == 0)
		write_fmt(w, "uricontent:\"%s\"; %s", value, more);
	else if (c->form == STICKY)
		write_fmt(w, "%s; content:\"%s\"; %s", c->kw, value, more);
	else
		write_fmt(w, "content:\"%s\"; %s; %s", value, c->kw, more);
	write_fmt(w, " sid:%u;)\n", sid);
}

/* Whole; one byte more than is there; one place further on. */
static void buffers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(buffer_cases); i++) {
		const struct buffer_case *c = &buffer_cases[i];
		char rules[2000], escaped[200], longer[200], place[64];
		struct writer w = writer_of(rules, sizeof(rules)),
			      e = writer_of(escaped, sizeof(escaped)),
			      l = writer_of(longer, sizeof(longer)),
			      p = writer_of(place, sizeof(place));
		for (const char *v = c->value; *v != '\0'; v++)
			write_fmt(&e, *v == ':' || *v == '"' || *v == ';' ? "|%02x|" : "%c",
				  (unsigned char)*v);
		write_fmt(&l, "%s~", escaped);
		write_fmt(&p, "depth:%zu;", strlen(c->value));
		add_rule(&w, c, escaped, place, 1);
		add_rule(&w, c, longer, "", 2);
		add_rule(&w, c, escaped, "offset:1;", 3);
		assert_false(w.full);
		struct bed b;
		bed_open(&b, rules, NULL, 0);
		c->talk(&b);
		if (bed_fired(&b, 1) == 0 || bed_fired(&b, 2) != 0 || bed_fired(&b, 3) != 0)
			fail_msg("%s: whole %u, longer %u, later %u", c->kw, bed_fired(&b, 1),
				 bed_fired(&b, 2), bed_fired(&b, 3));
		bed_close(&b);
	}
}

/* ---- one by one --------------------------------------------------------------------------------------------- */

struct single_case {
	void (*talk)(struct bed *b);
	const char *proto, *options;
	bool fires;
};
static const struct single_case single_cases[] = {
	{tcp_header, "tcp", "ttl:64;", true},
	{tcp_header, "tcp", "ttl:>64;", false},
	{tcp_header, "tcp", "tos:8;", true},
	{tcp_header, "tcp", "tos:7;", false},
	{tcp_header, "tcp", "id:42;", true},
	{tcp_header, "tcp", "id:43;", false},
	{tcp_header, "tcp", "flags:SA;", true},
	{tcp_header, "tcp", "flags:S;", false},
	{tcp_header, "tcp", "flags:S+;", true},
	{tcp_header, "tcp", "tcp.flags:SA;", true},
	{tcp_header, "tcp", "tcp.flags:F*;", false},
	{tcp_header, "tcp", "seq:1000;", true},
	{tcp_header, "tcp", "seq:1001;", false},
	{tcp_header, "tcp", "tcp.seq:1000;", true},
	{tcp_header, "tcp", "tcp.seq:999;", false},
	{tcp_header, "tcp", "ack:2000;", true},
	{tcp_header, "tcp", "ack:2001;", false},
	{tcp_header, "tcp", "tcp.ack:2000;", true},
	{tcp_header, "tcp", "tcp.ack:1;", false},
	{tcp_header, "tcp", "window:3000;", true},
	{tcp_header, "tcp", "window:!3000;", false},
	{tcp_header, "tcp", "tcp.window:3000;", true},
	{tcp_header, "tcp", "tcp.window:2999;", false},
	{tcp_header, "tcp", "tcp.mss:1460;", true},
	{tcp_header, "tcp", "tcp.mss:>1460;", false},
	{tcp_header, "tcp", "tcp.wscale:7;", true},
	{tcp_header, "tcp", "tcp.wscale:<7;", false},
	{tcp_header, "tcp", "vlan.id:5;", true},
	{tcp_header, "tcp", "vlan.id:6;", false},
	{tcp_header, "tcp", "vlan.layers:1;", true},
	{tcp_header, "tcp", "vlan.layers:>1;", false},
	{tcp_header, "tcp", "sameip;", true},
	{icmp_header, "icmp", "sameip; ttl:2;", false},
	{tcp_header, "ip", "ip_proto:6;", true},
	{tcp_header, "ip", "ip_proto:17;", false},
	{tcp_header, "tcp", "fragbits:D;", true},
	{tcp_header, "tcp", "fragbits:M;", false},
	{tcp_header, "tcp", "fragoffset:0;", true},
	{tcp_header, "tcp", "fragoffset:>0;", false},
	{tcp_header, "tcp", "ipopts:any;", false},
	{tcp_header, "tcp", "dsize:4;", true},
	{tcp_header, "tcp", "dsize:>4;", false},
	{tcp_header, "tcp", "tcp.hdr; content:\"|12 34|\"; depth:2;", true},
	{tcp_header, "tcp", "tcp.hdr; content:\"|12 35|\";", false},
	{tcp_header, "ip", "ipv4.hdr; content:\"|45|\"; depth:1;", true},
	{tcp_header, "ip", "ipv4.hdr; content:\"|46|\"; depth:1;", false},
	{tcp_header, "ip", "ipv6.hdr; content:\"|45|\";", false},
	{icmp_header, "icmp", "itype:8;", true},
	{icmp_header, "icmp", "itype:9;", false},
	{icmp_header, "icmp", "icode:2;", true},
	{icmp_header, "icmp", "icode:>2;", false},
	{icmp_header, "icmp", "icmp_id:7;", true},
	{icmp_header, "icmp", "icmp_id:8;", false},
	{icmp_header, "icmp", "icmp_seq:9;", true},
	{icmp_header, "icmp", "icmp_seq:8;", false},
	{icmp_header, "icmp", "icmpv4.hdr; content:\"|08|\"; depth:1;", true},
	{icmp_header, "icmp", "icmpv4.hdr; content:\"|09|\"; depth:1;", false},
	{icmp_header, "icmp", "icmpv6.hdr; content:\"|08|\"; depth:1;", false},
	{icmp_header, "icmp", "icmpv6.mtu:>0;", false},
	{udp_header, "udp", "udp.hdr; content:\"|56 78|\"; offset:2; depth:2;", true},
	{udp_header, "udp", "udp.hdr; content:\"|56 79|\";", false},
	{udp_header, "udp", "rpc:100000,2,3;", true},
	{udp_header, "udp", "rpc:100000,*,*;", true},
	{udp_header, "udp", "rpc:100000,2,4;", false},
	{tcp, "tcp", "flow:to_server; content:\"secret\";", true},
	{tcp, "tcp", "flow:to_client; content:\"secret\";", false},
	{tcp, "tcp", "flow:not_established; content:\"secret\";", false},
	/* Offsets count from where a message begins. */
	{tcp, "tcp", "content:\"secret\"; depth:6;", true},
	{tcp, "tcp", "content:\"message\"; depth:7;", false},
	{tcp, "tcp", "content:\"message\"; offset:7; depth:7;", true},
	{tcp, "tcp", "content:\"message\"; offset:8;", false},
	{tcp, "tcp", "content:\"hello\"; startswith;", true},
	{tcp, "tcp", "content:\"world\"; startswith;", false},
	{tcp, "tcp", "pkt_data; content:\"secret\";", true},
	{tcp, "tcp", "pkt_data; content:\"secrets\";", false},
	{tcp, "tcp", "content:\"secret\"; rawbytes;", true},
	{tcp, "tcp", "content:\"hello\"; flowbits:set,a; flowbits:isset,a;", false},
	{tcp, "tcp", "content:\"hello\"; flowint:n,notset;", true},
	{tcp, "tcp", "content:\"hello\"; flowint:n,>,1;", false},
	{tcp, "tcp", "content:\"hello\"; xbits:isset,x,track ip_src;", false},
	{tcp, "tcp", "content:\"hello\"; xbits:isnotset,x,track ip_src;", true},
	{http, "http", "urilen:12;", true},
	{http, "http", "urilen:14;", false},
	{http, "http", "urilen:14,raw;", true},
	{http, "http", "urilen:>12;", false},
	{http, "http", "app-layer-protocol:http; http.uri; content:\"a\";", true},
	{http, "tcp", "app-layer-protocol:dns;", false},
	{http, "http", "http.header; content:\"User-Agent|3a 20|curl\";", true},
	{http, "http", "http.header; content:\"curl/9\";", false},
	{http, "http", "content:\"curl/8\"; http_header;", true},
	{http, "http", "content:\"curl/9\"; http_header;", false},
	{http, "http", "http.header.raw; content:\"Host|3a 20|WWW\";", true},
	{http, "http", "http.header.raw; content:\"Host|3a 20|XXX\";", false},
	{http, "http", "http.header_names; content:\"|0d 0a|Host|0d 0a|\";", true},
	{http, "http", "http.header_names; content:\"|0d 0a|Hosts|0d 0a|\";", false},
	{http, "http", "http_header_names; content:\"Referer\";", true},
	{http, "http", "http_header_names; content:\"Server2\";", false},
	{http, "http", "http.request_header; content:\"Accept|3a 20|text/*\"; bsize:14;", true},
	{http, "http", "http.request_header; content:\"Accept|3a 20|text/*\"; bsize:15;", false},
	{http, "http", "http.response_header; content:\"Server|3a 20|nginx\";", true},
	{http, "http", "http.response_header; content:\"Server|3a 20|apache\";", false},
	{http, "http", "http.referer; absent;", false},
	{http, "http", "http.referer; bsize:17; content:\"r\";", true},
	{http, "http", "http.referer; bufferlen:18; content:\"r\";", false},
	{http, "http", "http.uri; content:\"A B\"; nocase;", true},
	{http, "http", "http.uri; to_uppercase; content:\"/A B.PHP\";", true},
	{http, "http", "http.uri; to_lowercase; content:\"PHP\";", false},
	{http, "http", "http.uri; strip_whitespace; content:\"/ab.php\";", true},
	{http, "http", "http.uri; strip_whitespace; content:\"a b\";", false},
	{http, "http", "http.uri; compress_whitespace; content:\"a b\";", true},
	{http, "http", "http.uri; compress_whitespace; content:\"a  b\";", false},
	{http, "http", "http.uri.raw; url_decode; content:\"a b\";", true},
	{http, "http", "http.uri.raw; url_decode; content:\"%20\";", false},
	{http, "http", "http.host; dotprefix; content:\".www.example\";", true},
	{http, "http", "http.host; dotprefix; content:\"..www\";", false},
	{http, "http", "http.host; domain; content:\"example.org\"; bsize:11;", true},
	{http, "http", "http.host; domain; content:\"www\";", false},
	{http, "http", "http.host; tld; content:\"org\"; bsize:3;", true},
	{http, "http", "http.host; tld; content:\"example\";", false},
	{http, "http", "http.host; subslice:4,7; content:\"example\"; bsize:7;", true},
	{http, "http", "http.host; subslice:5,7; content:\"example\";", false},
	{http, "http", "http.host.raw; xor:\"20\"; content:\"www\";", true},
	{http, "http", "http.host.raw; xor:\"21\"; content:\"www\";", false},
	{http, "http", "http.user_agent; to_md5; bsize:16; content:!\"curl\";", true},
	{http, "http", "http.user_agent; to_sha1; bsize:20; content:!\"curl\";", true},
	{http, "http", "http.user_agent; to_sha256; bsize:32; content:!\"curl\";", true},
	{http, "http", "http.user_agent; to_sha256; bsize:31;", false},
	{http, "http", "http.host; pcrexform:\"(ex[a-z]+)\"; content:\"example\"; bsize:7;", true},
	{http, "http", "http.host; pcrexform:\"(no[a-z]+)\"; content:\"example\";", false},
	{http, "http", "content:\"Host|3a| WWW\"; http_raw_header;", true},
	{http, "http", "content:\"Host|3a| XXX\"; http_raw_header;", false},
	{http, "http", "http.raw_header; content:\"Host|3a| WWW\";", true},
	{http, "http", "http.raw_header; content:\"Host|3a| XXX\";", false},
	{http, "http", "http_request_header; content:\"Accept|3a 20|text/*\";", true},
	{http, "http", "http_request_header; content:\"Accept|3a 20|text/!\";", false},
	{http, "http", "http_response_header; content:\"Server|3a 20|nginx\";", true},
	{http, "http", "http_response_header; content:\"Server|3a 20|nginy\";", false},
	{http, "http", "http.start; content:\"POST /a%20b\"; startswith;", true},
	{http, "http", "http.start; content:\"body\";", false},
	{http, "http", "http_start; content:\"HTTP/1.1 302\"; startswith;", true},
	{http, "http", "http_start; content:\"hello\";", false},
	{http, "http", "content:\"k=v\"; http_raw_cookie;", true},
	{http, "http", "content:\"k=w\"; http_raw_cookie;", false},
	{http, "http", "http.header; header_lowercase; content:\"user-agent|3a|\";", true},
	{http, "http", "http.header; header_lowercase; content:\"User-Agent|3a|\";", false},
	{http, "http", "http.host; strip_pseudo_headers; content:\"www\";", true},
	{http, "http", "http.host; strip_pseudo_headers; content:\"wwww\";", false},
	{sip, "sip", "sip.body; content:\"hi\"; bsize:2;", true},
	{sip, "sip", "sip.body; content:\"ho\";", false},
	{ftp, "ftp", "ftp.reply; content:\"password\";", true},
	{ftp, "ftp", "ftp.reply; content:\"passwords\";", false},
	{ftp, "ftp", "ftp.reply_received:yes;", true},
	{ftp, "ftp", "ftp.reply_received:no; ftp.reply; content:\"none\";", false},
	{ssh, "ssh", "ssh.protoversion:2.0;", true},
	{ssh, "ssh", "ssh.protoversion:1.0;", false},
	{ssh, "ssh", "ssh.softwareversion:\"client_1\";", true},
	{ssh, "ssh", "ssh.softwareversion:\"client_2\";", false},
	{tcp, "tcp", "content:\"hello\"; hostbits:isset,h,src;", false},
	{tcp, "tcp", "content:\"hello\"; hostbits:isnotset,h,src;", true},
	{tcp, "tcp", "content:\"hello\"; stream_size:client,>,99;", false},
	{tcp, "tcp", "content:\"hello\"; stream_size:server,<,99;", true},
	{tcp, "tcp", "content:\"hello\"; flow.age:0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.age:>0;", false},
	{tcp, "tcp", "content:\"hello\"; flow.pkts_toserver:0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.pkts_toserver:>0;", false},
	{tcp, "tcp", "content:\"hello\"; flow.pkts_toclient:0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.pkts_toclient:>0;", false},
	{tcp, "tcp", "content:\"hello\"; flow.bytes_toserver:0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.bytes_toserver:>0;", false},
	{tcp, "tcp", "content:\"hello\"; flow.bytes_toclient:0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.bytes_toclient:>0;", false},
	{tcp, "tcp", "content:\"hello\"; flow.pkts:either,0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.pkts:either,>0;", false},
	{tcp, "tcp", "content:\"hello\"; flow.bytes:toserver,0;", true},
	{tcp, "tcp", "content:\"hello\"; flow.bytes:toserver,>0;", false},
	{tcp, "tcp", "content:\"hello\"; bypass;", true},
	{tcp, "tcp", "content:\"hullo\"; bypass;", false},
	{tcp, "tcp", "raw_data; content:\"secret\";", true},
	{tcp, "tcp", "raw_data; content:\"secrets\";", false},
	{udp_header, "udp", "decode-event:udp.pkt_too_small;", false},
	{udp_header, "udp", "engine-event:udp.pkt_too_small;", false},
	{tcp, "tcp", "stream-event:3whs_ack_in_wrong_dir;", false},
	{sip, "sip", "sip_method:invite;", true},
	{sip, "sip", "sip_method:bye;", false},
	{dns, "dns", "dns.opcode:0;", true},
	{dns, "dns", "dns.opcode:1;", false},
	{dns, "dns", "dns.rrtype:1;", true},
	{dns, "dns", "dns.rrtype:28;", false},
};

static void singles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(single_cases); i++) {
		const struct single_case *c = &single_cases[i];
		char rule[600];
		struct writer w = writer_of(rule, sizeof(rule));
		write_fmt(&w, "alert %s any any -> any any (msg:\"t\"; %s sid:1;)\n", c->proto,
			  c->options);
		assert_false(w.full);
		struct bed b;
		bed_open(&b, rule, NULL, 0);
		c->talk(&b);
		if ((bed_fired(&b, 1) != 0) != c->fires)
			fail_msg("%s: should%s fire", c->options, c->fires ? "" : " not");
		bed_close(&b);
	}
}

/* ---- bytes ------------------------------------------------------------------------------------------------- */

struct bytes_case {
	const char *options, *data;
	uint32_t len;
	bool fires;
};
static const struct bytes_case bytes_cases[] = {
	/* A bit string that counts 8 unused bits with none there; with one byte there it fits. */
	{"asn1:bitstring_overflow,absolute_offset 0;", "\x03\x01\x08", 3, true},
	{"asn1:bitstring_overflow,absolute_offset 0;", "\x03\x02\x08\xff", 4, false},
	{"asn1:bitstring_overflow,absolute_offset 1;", "x\x30\x03\x03\x01\x01", 6, true},
	{"content:\"x\"; asn1:bitstring_overflow,relative_offset 0;", "ax\x03\x01\x08", 5, true},
	{"content:\"x\"; asn1:bitstring_overflow,relative_offset 1;", "ax\x03\x01\x08", 5, false},
	{"asn1:oversize_length 500,absolute_offset 0;", "\x04\x82\x01\xf5", 4, true},
	{"asn1:oversize_length 500,absolute_offset 0;", "\x04\x82\x01\xf4", 4, false},
	{"asn1:double_overflow,absolute_offset 0;", "\x09\x82\x01\x01\x03", 5, true},
	{"asn1:double_overflow,absolute_offset 0;", "\x09\x82\x01\x00\x03", 5, false},
	{"asn1:double_overflow,absolute_offset 0;", "\x09\x82\x01\x01\x83", 5, false},
	{"ber_data:0x04;", "\x04\x01z", 3, true},
	{"ber_data:0x04;", "\x05\x01z", 3, false},
	{"ber_skip:0x30; content:\"z\"; within:1;", "\x30\x01yz", 4, true},
	{"ber_skip:0x30; content:\"z\"; within:1;", "\x30\x02yz", 4, false},
	{"entropy: value < 0.1; content:\"a\";", "aaaaaaaa", 8, true},
};
static const struct bytes_case packed_cases[] = {
	{"from_base64; content:\"hello\";", "aGVsbG8=", 8, true},
	{"from_base64; content:\"hullo\";", "aGVsbG8=", 8, false},
	{"zlib_deflate; content:\"aa\";", "\x78\x01\x01\x02\x00\xfd\xff\x61\x61", 9, true},
	{"zlib_deflate; content:\"ab\";", "\x78\x01\x01\x02\x00\xfd\xff\x61\x61", 9, false},
	{"zlib_deflate:max-size 1; content:\"aa\";", "\x78\x01\x01\x02\x00\xfd\xff\x61\x61", 9,
	 false},
	{"gunzip; content:\"aa\";", "\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x02\x00\xfd\xff\x61\x61", 17,
	 true},
	{"gunzip; content:\"aa\";", "\x1f\x8c\x08\0\0\0\0\0\0\x03\x01\x02\x00\xfd\xff\x61\x61", 17,
	 false},
};

/* As the body of a request. */
static void post(struct bed *b, const char *data, uint32_t len)
{
	char text[400];
	struct writer w = writer_of(text, sizeof(text));
	write_fmt(&w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %u\r\n\r\n", len);
	bed_app(b);
	bed_say(b, TO_SERVER, text, (uint32_t)w.len);
	bed_say(b, TO_SERVER, data, len);
	bed_end(b);
}

static bool fires(const char *head, const struct bytes_case *c, bool body)
{
	char rule[600];
	struct writer w = writer_of(rule, sizeof(rule));
	write_fmt(&w, "%s%s sid:1;)\n", head, c->options);
	struct bed b;
	bed_open(&b, rule, NULL, 0);
	if (body)
		post(&b, c->data, c->len);
	else
		bed_udp(&b, c->data, c->len);
	bool yes = bed_fired(&b, 1) != 0;
	bed_close(&b);
	return yes;
}

static void bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bytes_cases); i++)
		if (fires("alert udp any any -> any any (msg:\"t\"; ", &bytes_cases[i], false) !=
		    bytes_cases[i].fires)
			fail_msg("%s, row %zu", bytes_cases[i].options, i);
	for (size_t i = 0; i < ARRAY_LEN(packed_cases); i++)
		if (fires("alert http any any -> any any (msg:\"t\"; http.request_body; ",
			  &packed_cases[i], true) != packed_cases[i].fires)
			fail_msg("%s, row %zu", packed_cases[i].options, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers),
		cmocka_unit_test(singles),
		cmocka_unit_test(bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
