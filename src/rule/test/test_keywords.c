/* SPDX-License-Identifier: BSD-2-Clause */
/* Every keyword: what loads, what is refused and with which words, and what stands at the limits. And
 * whatever loads is printed, read and printed again to the same text. */
#include "reading.h"
#include "rule/reader_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	const char *header; /* NULL: tcp */
	const char *options;
	const char *problem; /* part of the message; NULL: loads */
};

#define HTTP "alert http any any -> any any"
#define UDP "alert udp any any -> any any"
#define TLS "alert tls any any -> any any"
#define DNS "alert dns any any -> any any"
#define ICMP "alert icmp any any -> any any"
#define BOTH "alert http any any => any any"
#define A "content:\"abc\";"

static const struct row meta[] = {
	{NULL, "msg:\"a\\\"b\\;c\";", NULL},
	{NULL, "msg:abc;", "quotes"},
	{NULL, "msg:\"a\"; msg:\"b\";", "twice"},
	{NULL, "rev:4294967295; gid:3;", NULL},
	{NULL, "rev:4294967296;", "not a number"},
	{NULL, "gid:x;", "not a number"},
	{NULL, "priority:1;", NULL},
	{NULL, "priority:255;", NULL},
	{NULL, "priority:0;", "not a number"},
	{NULL, "priority:256;", "not a number"},
	{NULL, "classtype:misc-activity;", NULL},
	{NULL, "classtype:a; classtype:b;", "twice"},
	{NULL, "reference:url,example.org/x;", NULL},
	{NULL, "reference:url;", "KIND,TEXT"},
	{NULL, "metadata:a b, c d e, f;", NULL},
	{NULL, "metadata:;", "needs a value"},
	{NULL, "target:src_ip;", NULL},
	{NULL, "target:dest_ip;", NULL},
	{NULL, "target:both;", "src_ip or dest_ip"},
	{NULL, "tag:session,5,packets;", NULL},
	{NULL, "tag:session,packets 5;", NULL},
	{NULL, "tag:host,10,seconds,src;", NULL},
	{NULL, "tag:session;", NULL},
	{NULL, "tag:flow,5,packets;", "session or host"},
	{NULL, "tag:session,5,apples;", "packets, seconds or bytes"},
	{NULL, "threshold:type limit,track by_src,count 1,seconds 60;", NULL},
	{NULL, "threshold:type both, track by_both, count 1, seconds 60;", NULL},
	{NULL, "threshold:type backoff,track by_flow,count 1,multiplier 10;", NULL},
	{NULL, "threshold:type limit,track by_src,count 1;", "seconds is missing"},
	{NULL, "threshold:type never,track by_src,count 1,seconds 1;", "type is"},
	{NULL, "threshold:type limit,track by_me,count 1,seconds 1;", "track is"},
	{NULL, "detection_filter:track by_src,count 5,seconds 1;", NULL},
	{NULL, "detection_filter:track by_src,count 0,seconds 1;", "not a number"},
	{NULL, "detection_filter:type limit,track by_src,count 5,seconds 1;", "unknown part"},
	{NULL,
	 "detection_filter:track by_src,count 5,seconds 1; threshold:type limit,track "
	 "by_src,count 1,seconds 1;",
	 "stands alone"},
	{NULL, "noalert;", NULL},
	{NULL, "noalert:1;", "takes no value"},
	{NULL, "alert;", NULL},
	{NULL, A " prefilter;", NULL},
	{NULL, "service:http,ssl;", NULL},
	{NULL, "rem:\"text\";", NULL},
	{NULL, "requires:version >= 7.0.3;", NULL},
	{NULL, "requires:version >= 7.0 < 8 | >= 8.0.1;", NULL},
	{NULL, "requires:keyword content;", NULL},
	{NULL, "requires:version seven;", "comparison of versions"},
};

static const struct row contents[] = {
	{NULL, A, NULL},
	{NULL, "content:!\"abc\";", NULL},
	{NULL, "content: ! \"abc\" ;", NULL},
	{NULL, "content:\"a|41 42|b\";", NULL},
	{NULL, "content:\"a;b\\\\c\\:d\\\"e\";", NULL},
	{NULL, "content:\"\";", "empty"},
	{NULL, "content:abc;", "quotes"},
	{NULL, "content:\"|4|\";", "odd number"},
	{NULL, "content:\"|4x|\";", "no hexadecimal"},
	{NULL, "content:\"|41\";", "closing bar"},
	{NULL, "content:\"a\\nb\";", "no escape"},
	{NULL, "content:\"a\"b\";", "quote inside"},
	{NULL, A " nocase;", NULL},
	{NULL, "nocase;", "no content"},
	{NULL, A " offset:1; depth:3;", NULL},
	{NULL, A " depth:2;", "less than"},
	{NULL, A " offset:65536;", "not a number"},
	{NULL, A " offset:-1;", "not a number"},
	{NULL, A " offset:1; offset:2;", "twice"},
	{NULL, A A " distance:-3; within:3;", NULL},
	{NULL, A A " within:2;", "less than"},
	{NULL, A A " offset:1; distance:1;", "can't be used with"},
	{NULL, A " fast_pattern;", NULL},
	{NULL, A " fast_pattern:only;", NULL},
	{NULL, A " fast_pattern:1,2;", NULL},
	{NULL, A " fast_pattern:2,2;", "more than the content has"},
	{NULL, A " fast_pattern;" A " fast_pattern;", "two contents"},
	{NULL, A A " distance:1; fast_pattern:only;", "position"},
	{NULL, "content:!\"abc\"; offset:1; fast_pattern;", "negated"},
	{NULL, A " startswith; endswith;", NULL},
	{NULL, A " depth:5; startswith;", "startswith"},
	{NULL, A " endswith; endswith;", "twice"},
	{NULL, A " rawbytes;", NULL},
	{HTTP, "http.uri; " A " rawbytes;", "protocol"},
	{NULL, A " replace:\"xyz\";", NULL},
	{NULL, A " replace:\"xy\";", NULL},
	{NULL, A " replace:\"\";", NULL},
	{NULL, A " replace:\"xyz\"; replace:\"xyz\";", "twice"},
	{NULL, A " replace:xyz;", "quotes"},
	{NULL, "content:!\"abc\"; replace:\"xyz\";", NULL},
	{HTTP, "http.uri; " A " replace:\"longer\";", NULL},
	{NULL, "content:\"x\",nocase,offset 3,depth 5;", NULL},
	{NULL, "content:\"abcd\",fast_pattern,fast_pattern_offset 1,fast_pattern_length 2;", NULL},
	{NULL, "content:\"x\",sideways;", "unknown modifier"},
	{NULL, "content:\"x\",nocase 3;", "takes no value"},
	{NULL, "pcre:\"/a[b;c]+\\/d/iR\";", NULL},
	{NULL, "pcre:!\"/abc/smxAEGB\";", NULL},
	{NULL, "pcre:\"m#a/b#i\";", NULL},
	{NULL, "pcre:\"/(abc/\";", "pcre: "},
	{NULL, "pcre:\"/abc/q\";", "unknown flag"},
	{NULL, "pcre:\"abc\";", "/expression/"},
	{NULL, "pcre:\"/abc\";", "closing"},
	{HTTP, "pcre:\"/abc/UH\";", "second buffer"},
	{HTTP, "http.uri; bsize:10;", NULL},
	{HTTP, "http.uri; bsize:5<>10; " A, NULL},
	{HTTP, "http.uri; bsize:2; " A, "need 3 bytes"},
	{HTTP, "http.uri; bsize:4; " A " startswith; endswith;", "whole buffer"},
	{NULL, "bsize:10;", "needs a buffer"},
	{HTTP, "http_uri; content:\"a\",nocase; bufferlen:2<=>9;", NULL},
	{NULL, A " bufferlen:>=519,relative;", NULL},
	{HTTP, "http.referer; absent;", NULL},
	{HTTP, "http.referer; absent:or_else; " A, NULL},
	{HTTP, "http.referer; " A " absent;", "first after"},
	{NULL, "absent;", "needs a buffer"},
	{NULL, "entropy:value >= 4.5;", NULL},
	{NULL, "entropy:value > 9;", "from 0 to 8"},
	{HTTP, "uricontent:\"abc\";", NULL},
};

static const struct row bytes[] = {
	{NULL, "byte_test:4,>,1000,0;", NULL},
	{NULL, "byte_test:1,!&,128,6,relative;", NULL},
	{NULL, "byte_test:2,^,3,-2,relative,little,bitmask 0xff00;", NULL},
	{NULL, "byte_test:5,=,12345,0,string,dec;", NULL},
	{NULL, "byte_test:4,>,1000;", "missing"},
	{NULL, "byte_test:9,=,1,0;", "can be read"},
	{NULL, "byte_test:0,=,1,0;", "can be read"},
	{NULL, "byte_test:1,~,1,0;", "unknown operator"},
	{NULL, "byte_test:1,=,1,0,hex;", "only with string"},
	{NULL, "byte_test:1,=,1,0,sideways;", "unknown part"},
	{NULL, "byte_test:1,=,len,0;", "neither a number"},
	{NULL, "byte_jump:4,0,relative,align,from_beginning,multiplier 2,post_offset -1;", NULL},
	{NULL, "byte_jump:4,0,from_beginning,from_end;", "exclude"},
	{NULL, "byte_jump:4,0,multiplier 0;", "multiplier"},
	{NULL, "byte_extract:2,0,len,relative,little; " A " distance:len;", NULL},
	{NULL, "byte_extract:2,0,1len;", "begins with a letter"},
	{NULL, "byte_extract:2,0,len,align 3;", "align"},
	{NULL, "byte_math:bytes 4,offset 0,oper *,rvalue 2,result x; byte_test:1,=,x,0;", NULL},
	{NULL, "byte_math:bytes 4,offset 0,oper <<,rvalue 2,result x,endian little;", NULL},
	{NULL, "byte_math:bytes 4,offset 0,oper *,rvalue 2;", "result is missing"},
	{NULL, "byte_math:bytes 4,offset 0,oper /,rvalue 0,result x;", "divides by 0"},
	{NULL, "byte_math:bytes 4,offset 0,oper %,rvalue 2,result x;", "oper is"},
	{NULL, "isdataat:10;", NULL},
	{NULL, A " isdataat:!1,relative;", NULL},
	{NULL, "isdataat:65535,rawbytes;", NULL},
	{NULL, "isdataat:-1;", "not a number"},
	{NULL, "isdataat:65536;", "not a number"},
	{NULL, "isdataat:1,absolute;", "neither relative"},
	{NULL, "base64_decode:bytes 12,offset 1,relative; base64_data; " A, NULL},
	{NULL, "base64_decode; base64_data; " A, NULL},
	{NULL, "base64_decode:bytes 0;", "none of"},
	{NULL, "base64_data; " A, "without a base64_decode"},
	{NULL, "ber_data:0x30; ber_skip:0x02,optional;", NULL},
	{NULL, "ber_data:0x100;", "no type"},
	{NULL, "asn1:bitstring_overflow,double_overflow,oversize_length 500,relative_offset 3;",
	 NULL},
	{NULL, "asn1:relative_offset 3;", "nothing is tested"},
	{NULL, "asn1:sideways;", "unknown part"},
};

static const struct row buffers[] = {
	{HTTP, "http.uri; " A, NULL},
	{HTTP, "http.uri; " A "http.header; " A " http.uri; " A " distance:0;", NULL},
	{HTTP, A " http_uri; " A " http_header; nocase;", NULL},
	{NULL, "http_uri; content:\"x\",nocase; http_header:field host; content:\"y\",nocase;",
	 NULL},
	{NULL, "content:\"x\",nocase; http_header:city host; content:\"y\";", "not supported"},
	{HTTP, "http.uri:x; " A, "takes no value"},
	{HTTP, "http.uri;", "nothing is looked for"},
	{HTTP, "flow:to_server; http.stat_code; content:\"200\";", "to_server"},
	{HTTP, "flow:to_client; http.method; content:\"GET\";", "to_client"},
	{HTTP, "http.method; content:\"GET\"; http.stat_code; content:\"200\";",
	 "different directions"},
	{BOTH, "http.method; content:\"GET\"; http.stat_code; content:\"200\";", NULL},
	{BOTH, "http.method; content:\"GET\"; file.data:to_client; " A, NULL},
	{BOTH, "flow:to_server; http.method; content:\"GET\";", "both directions"},
	{UDP, "http.uri; " A, "not there"},
	{DNS, "http.uri; " A, "not there"},
	{NULL, "http.uri; " A " tls.sni; " A, "different protocols"},
	{HTTP, "http.host; content:\"Example\";", "lower case"},
	{HTTP, "http.host; content:\"Example\"; nocase;", NULL},
	{NULL, "file_data; " A "pkt_data; " A, NULL},
	{DNS, "dns.query; " A " dns.query; " A, NULL},
	{TLS, "tls.certs; " A " tls.subject:\"CN=x\"; tls.fingerprint:\"aa\";", NULL},
	{NULL, "ssh.proto; content:\"2.0\"; ssh.softwareversion:\"x\";", NULL},
	{NULL, "raw_data; content:\"x\",nocase;", NULL},
	{NULL, "tcp.hdr; " A " ipv4.hdr; " A, NULL},
	{NULL, "sip_method:invite,bye;", NULL},
	{NULL, "sip_stat_code:4,200;", NULL},
	{NULL, "sip_stat_code:40;", "status code"},
	{"alert ftp any any -> any any", "ftp.mode:active;", NULL},
	{"alert ftp any any -> any any", "ftp.mode:sleepy;", "unknown word"},
	{"alert ftp-data any any -> any any", "ftpdata_command:stor;", NULL},
	{"alert ftp any any -> any any", "ftp.reply_received:off;", NULL},
	{"alert pkthdr any any -> any any", A, "pkthdr"},
	{HTTP, "http.uri; to_lowercase; url_decode; " A, NULL},
	{HTTP, "http.uri; " A " from_base64:offset 6,mode rfc2045; " A, NULL},
	{HTTP, "http.uri; from_base64:bytes 0; " A, "none of"},
	{HTTP, "http.uri; xor:\"0aff\"; " A, NULL},
	{HTTP, "http.uri; xor:\"0af\"; " A, "even number"},
	{HTTP, "http.uri; pcrexform:\"a(.*)b\"; " A, NULL},
	{HTTP, "http.uri; pcrexform:\"a(\"; " A, "pcrexform"},
	{HTTP, "http.uri; subslice:-5,2; " A, NULL},
	{HTTP, "http.uri; gunzip:max-size 100; " A, NULL},
	{HTTP, "to_lowercase; " A, "needs a buffer"},
	{HTTP, "http.host; dotprefix; content:\".a\"; http.user_agent; to_md5; " A, NULL},
};

static const struct row headers[] = {
	{NULL, "ttl:5; tos:8; id:7;", NULL},
	{NULL, "ttl:<5;", NULL},
	{NULL, "ttl:5-9;", NULL},
	{NULL, "ttl:256;", "not a number"},
	{NULL, "ttl:<0;", "no number"},
	{NULL, "ttl:9-5;", "nothing lies"},
	{NULL, "tos:!8;", NULL},
	{NULL, "id:65536;", "not a number"},
	{ICMP, "itype:8; icode:0; icmp_id:1; icmp_seq:2;", NULL},
	{ICMP, "itype:5<>9;", NULL},
	{ICMP, "itype:256;", "not a number"},
	{"alert icmpv6 any any -> any any", "icmpv6.mtu:>1000;", NULL},
	{NULL, "seq:1; ack:0; window:100; tcp.mss:<500; tcp.wscale:>10;", NULL},
	{NULL, "window:!0;", NULL},
	{NULL, "dsize:100<>200;", NULL},
	{NULL, "dsize:2; " A, "dsize"},
	{NULL, "dsize:3; " A, NULL},
	{NULL, "flags:S,12;", NULL},
	{NULL, "flags:A+;", NULL},
	{NULL, "flags:!0;", NULL},
	{NULL, "tcp.flags:0;", NULL},
	{NULL, "flags:X;", "unknown letter"},
	{NULL, "flags:W;", "unknown letter"},
	{NULL, "fragbits:M+; fragoffset:>0;", NULL},
	{NULL, "fragbits:Q;", "unknown letter"},
	{NULL, "ip_proto:tcp;", NULL},
	{NULL, "ip_proto:!17;", NULL},
	{NULL, "ip_proto:wolf;", "not a number"},
	{NULL, "ipopts:lsrr;", NULL},
	{NULL, "ipopts:zzz;", "unknown option"},
	{NULL, "sameip;", NULL},
	{NULL, "vlan.id:100; vlan.layers:1;", NULL},
	{NULL, "vlan.id:<100,all;", NULL},
	{NULL, "vlan.id:4096;", "not a number"},
	{NULL, "vlan.id:1,7;", "0 to 2"},
	{UDP, "rpc:100000,*,3;", NULL},
	{UDP, "rpc:*,1,1;", "PROGRAM"},
	{NULL, "decode-event:ipv4.trunc_pkt;", NULL},
	{NULL, "decode-event:ipv4.no_such;", "unknown event"},
	{NULL, "stream-event:reassembly_seq_gap;", NULL},
};

static const struct row flows[] = {
	{NULL, "flow:to_server,established;", NULL},
	{NULL, "flow:from_client, not_established, no_stream, no_frag;", NULL},
	{NULL, "flow:to_server,to_client;", "exclude"},
	{NULL, "flow:to_server,from_client;", "twice"},
	{NULL, "flow:sideways;", "unknown word"},
	{NULL, "flow:to_server; flow:established;", "twice"},
	{NULL, "flowbits:set,a.b;", NULL},
	{NULL, "flowbits:isset,a|b; flowbits:set,c&d; flowbits:noalert;", NULL},
	{NULL, "flowbits:isnotset,a,group;", NULL},
	{NULL, "flowbits:set,a|b;", "only with isset"},
	{NULL, "flowbits:isset,a|b&c;", "mixed"},
	{NULL, "flowbits:set;", "name is missing"},
	{NULL, "flowbits:paint,a;", "unknown action"},
	{NULL, "flowbits:set,a b;", "space in"},
	{NULL, "flowint:n,+,1; flowint:n,>,m; flowint:m,isset; flowint:m,=,4294967295;", NULL},
	{NULL, "flowint:n,+,4294967296;", "32-bit"},
	{NULL, "flowint:n,?,1;", "unknown operation"},
	{NULL, "flowint:n,isset,1;", "takes no value"},
	{NULL, "flowint:n,+;", "needs a value"},
	{NULL, "xbits:set,x,track ip_src,expire 10;", NULL},
	{NULL, "xbits:isset,x,track ip_pair;", NULL},
	{NULL, "xbits:set,x;", "track is missing"},
	{NULL, "xbits:set,x,track tx;", "not supported"},
	{NULL, "xbits:set,x,track ip_src,expire 0;", "none of"},
	{NULL, "hostbits:set,h,dst;", NULL},
	{NULL, "hostbits:isset,h,up;", "src, dst or both"},
	{NULL, "stream_size:server,<,5;", NULL},
	{NULL, "stream_size:<5,to_server;", NULL},
	{NULL, "stream_size:server,~,5;", "no comparison"},
	{NULL, "flow.age:>20; flow.pkts:toserver,>2; flow.bytes:either,>=9; flow.pkts_toclient:3;",
	 NULL},
	{NULL, "flow.pkts:up,>2;", "toserver"},
	{NULL, "bypass;", NULL},
};

static const struct row apps[] = {
	{NULL, "app-layer-protocol:http;", NULL},
	{NULL, "app-layer-protocol:!tls,final;", NULL},
	{NULL, "app-layer-protocol:wolf;", "unknown protocol"},
	{HTTP, "app-layer-protocol:tls;", "header is about http"},
	{NULL, "app-layer-event:applayer_wrong_direction_first_data;", NULL},
	{NULL, "app-layer-event:http.no_such;", "unknown event"},
	{HTTP, "urilen:5<>10,raw;", NULL},
	{HTTP, "urilen:7<>8;", NULL},
	{HTTP, "urilen:>9,cooked;", "neither norm nor raw"},
	{UDP, "urilen:5;", "about http"},
	{DNS, "dns.opcode:!4; dns.rcode:nxdomain; dns.rrtype:txt;", NULL},
	{DNS, "dns.opcode:16;", "not a number"},
	{TLS, "tls.version:1.2; ssl_version:tls1.0,!sslv2; ssl_state:client_hello|server_hello;",
	 NULL},
	{TLS, "tls.version:9;", "none of"},
	{TLS, "ssl_state:asleep;", "unknown word"},
	{TLS, "ssl_version:sslv2,!sslv2;", "wanted and not"},
	{TLS, "tls_cert_notbefore:<2015-10-22; tls_cert_notafter:2015<>2020-01-01T10:00;", NULL},
	{TLS, "tls_cert_notbefore:<2015-13-22;", "no day"},
	{TLS, "tls.cert_chain_len:>2;", NULL},
	{NULL, "dce_opnum:0,3-7,9; dce_iface:uuid 4b324fc8-1670-01d3-1278-5a47bf6ee188;", NULL},
	{NULL, "dcerpc.iface:4b324fc8-1670-01d3-1278-5a47bf6ee188,<3,any_frag;", NULL},
	{NULL, "dce_opnum:7-3;", "no range"},
	{NULL, "dce_iface:4b324fc8;", "no UUID"},
	{NULL, "smb.version:2;", NULL},
	{NULL, "smb.version:3;", "1 or 2"},
	{HTTP, "filename:\"a.exe\"; fileext:!\"pdf\"; filesize:>100;", NULL},
	{HTTP, "filesize:x;", "not a number"},
	{NULL, "ftp.dynamic_port:>1024;", NULL},
};

static const struct row refused[] = {
	{NULL, "lua:x.lua;", "not supported: scripts"},
	{NULL, "mqtt.type:CONNECT;", "not supported: MQTT"},
	{NULL, "http_param:\"id\";", "not supported"},
	{NULL, "ftpbounce;", "not supported"},
	{NULL, "contnet:\"a\";", "did you mean 'content'"},
	{NULL, "http.ury; content:\"a\";", "did you mean 'http.uri'"},
};

static void try_row(const struct row *r)
{
	char text[1024];
	struct got g, again;
	snprintf(text, sizeof(text), "%s (%s sid:1;)",
		 r->header != NULL ? r->header : "alert tcp any any -> any any", r->options);
	struct rule_set *s = read_text(text, &g);
	if (r->problem != NULL) {
		if (rule_set_count(s) != 0 || strstr(g.error, r->problem) == NULL)
			fail_msg("%s\n  should say: %s\n  says: %s", text, r->problem, g.error);
		assert_int_equal(g.errors, 1);
		rule_set_free(&s);
		return;
	}
	if (rule_set_count(s) != 1)
		fail_msg("%s\n  should load; says: %s", text, g.error);
	char *first = strdup(printed(s, 0));
	struct rule_set *t = read_text(first, &again);
	if (rule_set_count(t) != 1)
		fail_msg("%s\n  printed: %s\n  says: %s", text, first, again.error);
	assert_string_equal(printed(t, 0), first);
	free(first);
	rule_set_free(&t);
	rule_set_free(&s);
}

#define EACH(table)                                   \
	for (size_t i = 0; i < ARRAY_LEN(table); i++) \
	try_row(&table[i])

static void test_meta(void **state)
{
	EACH(meta);
}

static void test_contents(void **state)
{
	EACH(contents);
	EACH(bytes);
}

static void test_buffers(void **state)
{
	EACH(buffers);
}

static void test_tests(void **state)
{
	EACH(headers);
	EACH(flows);
	EACH(apps);
	EACH(refused);
}

/* Sorted, found by name, refused only with a reason, and every buffer can be named. */
static void test_table(void **state)
{
	uint32_t n = 0;
	const struct keyword *k = keyword_table(&n);
	bool named[APP_BUFFERS] = {[BUF_PAYLOAD] = true,
				   [BUF_BASE64] = true,
				   [BUF_HTTP_HEADER_ONE] = true,
				   [BUF_DCE_IFACE] = true};
	assert_true(n > 200);
	for (uint32_t i = 0; i < n; i++) {
		assert_true(i == 0 || strcmp(k[i - 1].name, k[i].name) < 0);
		assert_ptr_equal(keyword_find(k[i].name, strlen(k[i].name)), &k[i]);
		assert_true((k[i].read == NULL) == (k[i].why != NULL));
		assert_true((k[i].read == NULL) == (k[i].family == FAMILY_REFUSED));
		if (k[i].read == kw_buffer || k[i].read == kw_word || k[i].read == kw_file_text)
			named[k[i].arg] = true;
	}
	for (unsigned b = 0; b < APP_BUFFERS; b++)
		if (!named[b])
			fail_msg("no keyword for %s", app_buffer_row(b)->name);
	assert_null(keyword_find("conten", 6));
	assert_null(keyword_find("contents", 8));
	assert_null(keyword_find("content", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta),    cmocka_unit_test(test_contents),
		cmocka_unit_test(test_buffers), cmocka_unit_test(test_tests),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
