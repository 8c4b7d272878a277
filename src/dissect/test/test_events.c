/* SPDX-License-Identifier: BSD-2-Clause */
/* Every decode event: a frame that sets it and nothing else, and one a step away that does not. */
#include "frames.h"

#include <setjmp.h> /* cmocka wants these four first */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum kind { LINK, ETH, IP4, IP6, RAW4 }; /* RAW4: Ethernet, the IPv4 header is in the text */

struct row {
	enum kind kind;
	unsigned n; /* link type, ethertype, protocol, next header */
	const char *hex;
	const char *events; /* separated by blanks; "" for none */
};

#define TCP20 "0050 1234 00000001 00000002 5018 1000 0000 0000"
#define UDP8 "1111 2222 0008 0000"
#define V4 "4500 0014 0000 0000 4000 0000 0a000001 0a000002"
#define V4UDP "4500 001c 0000 0000 4011 0000 0a000001 0a000002 " UDP8
#define V6 "60000000 0000 3b40 00*14 01 00*14 02"
#define MACS "020000000001 020000000002 "

static const struct row link_rows[] = {
	{LINK, 1, MACS "08", "ethernet.pkt_too_small"},
	{LINK, 1, MACS "0800 " V4, ""},
	{ETH, 0x8035, "00*40", "ethernet.unknown_ethertype"},
	{ETH, 0x0026, "424203*40", "ethernet.unknown_ethertype"},
	{ETH, 0x8100, "0001 08", "vlan.header_too_small"},
	{ETH, 0x8100, "0001 8035", "vlan.unknown_type ethernet.unknown_ethertype"},
	{ETH, 0x8100, "0001 8100 0002 88a8 0003 0800 " V4, ""},
	{ETH, 0x8100, "0001 8100 0002 9100 0003 8100 0004 0800 " V4, "vlan.too_many_layers"},
	{ETH, 0x88e7, "00*16", "ieee8021ah.header_too_small"},
	{ETH, 0x88e7, "00*15 0800 " V4, ""},
	{ETH, 0x8926, "00*4", "vntag.header_too_small"},
	{ETH, 0x8926, "00*3 8035", "vntag.unknown_type ethernet.unknown_ethertype"},
	{ETH, 0x8926, "00*3 0800 " V4, ""},
	{ETH, 0x8903, "00*14", "dce.pkt_too_small"},
	{ETH, 0x8903, "0000 " MACS "0800 " V4, ""},
	{ETH, 0x0806, "0001 0800 0604 00", "arp.pkt_too_small"},
	{ETH, 0x0806, "0001 0800 0604 0001 00*18", "arp.invalid_pkt"},
	{ETH, 0x0806, "0001 0800 0604 0001 00*19", ""},
	{ETH, 0x0806, "0002 0800 0604 0001 00*19", "arp.unsupported_hardware"},
	{ETH, 0x0806, "0001 86dd 0604 0001 00*19", "arp.unsupported_protocol"},
	{ETH, 0x0806, "0001 0800 0504 0001 00*19", "arp.invalid_hardware_size"},
	{ETH, 0x0806, "0001 0800 0605 0001 00*19", "arp.invalid_protocol_size"},
	{ETH, 0x0806, "0001 0800 0604 0005 00*19", "arp.unsupported_opcode"},
	{LINK, 9, "ff0300", "ppp.pkt_too_small"},
	{LINK, 9, "ff030021 " V4, ""},
	{LINK, 9, "21 " V4, ""},
	{LINK, 9, "ff030021 4500*17", "ppp.ip4_pkt_too_small"},
	{LINK, 9, "ff030057 6000*37", "ppp.ip6_pkt_too_small"},
	{LINK, 9, "ff030057 " V6, ""},
	{LINK, 9, "ff03002f 4500*17", "ppp.vju_pkt_too_small"},
	{LINK, 9, "ff03c021 0101", "ppp.unsup_proto"},
	{LINK, 9, "ff034444 0101", "ppp.wrong_type"},
	{ETH, 0x8864, "1100 0001 0002 00", "pppoe.pkt_too_small"},
	{ETH, 0x8864, "1100 0001 0016 0021 " V4, ""},
	{ETH, 0x8863, "1109 0000 00", "pppoe.pkt_too_small"},
	{ETH, 0x8863, "1108 0000 0000", "pppoe.wrong_code"},
	{ETH, 0x8863, "1109 0000 0008 0101 0000 0103 0000", ""},
	{ETH, 0x8863, "1109 0000 0008 0101 0005 0103 0000", "pppoe.malformed_tags"},
	{ETH, 0x8863, "1109 0000 0009 0101 0000 0103 0000", "pppoe.malformed_tags"},
	{LINK, 104, "0f00 08", "chdlc.pkt_too_small"},
	{LINK, 104, "0f00 0800 " V4, ""},
	{LINK, 0, "0200", "ltnull.pkt_too_small"},
	{LINK, 0, "02000000 " V4, ""},
	{LINK, 108, "00000002 " V4, ""},
	{LINK, 0, "1e000000 " V6, ""},
	{LINK, 0, "07000000 " V4, "ltnull.unsupported_type"},
	{LINK, 101, "7500*30", "ipraw.invalid_ip_version"},
	{LINK, 101, V4, ""},
	{LINK, 229, V6, ""},
	{LINK, 113, "00*14", "sll.pkt_too_small"},
	{LINK, 113, "00*13 0800 " V4, ""},
	{LINK, 276, "0800 00*16", "sll2.pkt_too_small"},
	{LINK, 276, "0800 00*17 " V4, ""},
	{ETH, 0x8847, "0001 00", "mpls.header_too_small"},
	{ETH, 0x8847, "00010000", "mpls.header_too_small"},
	{ETH, 0x8847, "00010000 00012140 " V4, ""},
	{ETH, 0x8847, "00000140 " V4, ""},
	{ETH, 0x8847, "00002140 " V6, ""},
	{ETH, 0x8847, "00010140 4500", "mpls.pkt_too_small"},
	{ETH, 0x8847, "00001140 " V4, "mpls.bad_label_router_alert"},
	{ETH, 0x8847, "00003140 " V4, "mpls.bad_label_implicit_null"},
	{ETH, 0x8847, "00005140 " V4, "mpls.bad_label_reserved"},
	{ETH, 0x8847, "00010140 00000000 " MACS "0800 " V4, ""},
	{ETH, 0x8847, "00010140 7000*20", "mpls.unknown_payload_type"},
	{ETH, 0x894f, "0006 0101", "nsh.header_too_small"},
	{ETH, 0x894f, "0fc6 0101 00*19 " V4, ""},
	{ETH, 0x894f, "4fc6 0101 00*19 " V4, "nsh.unsupported_version"},
	{ETH, 0x894f, "0fc5 0101 00*19 " V4, "nsh.bad_header_length"},
	{ETH, 0x894f, "0fff 0201 00*19 " V4, "nsh.bad_header_length"},
	{ETH, 0x894f, "0fc6 0001 00*19 " V4, "nsh.reserved_type"},
	{ETH, 0x894f, "0fc6 0301 00*19 " V4, "nsh.unsupported_type"},
	{ETH, 0x894f, "0fc6 0109 00*19 " V4, "nsh.unknown_payload"},
	{ETH, 0x894f, "0fc2 0203 00*3 " MACS "0800 " V4, ""},
};

static const struct row ip4_rows[] = {
	{RAW4, 0, "4500 0014 0000 0000 4000 0000 0a000001 0a0000", "ipv4.pkt_too_small"},
	{RAW4, 0, "5500 0014 0000 0000 4000 0000 0a000001 0a000002", "ipv4.wrong_ip_version"},
	{RAW4, 0, "4400 0014 0000 0000 4000 0000 0a000001 0a000002", "ipv4.hlen_too_small"},
	{RAW4, 0, "4500 0013 0000 0000 4000 0000 0a000001 0a000002",
	 "ipv4.iplen_smaller_than_hlen"},
	{RAW4, 0, "4500 0015 0000 0000 4000 0000 0a000001 0a000002", "ipv4.trunc_pkt"},
	{RAW4, 0, V4 "00*20", ""},
	{IP4, 58, "8000*10", "ipv4.icmpv6"},
#define OPT8 "4700 001c 0000 0000 40fe 0000 0a000001 0a000002 "
	{RAW4, 0, OPT8 "94040000 01010100", ""},
	{RAW4, 0, "4600 0018 0000 0000 40fe 0000 0a000001 0a000002 94040000",
	 "ipv4.opt_pad_required"},
	{RAW4, 0, OPT8 "01*6 94", "ipv4.opt_eol_required"},
	{RAW4, 0, OPT8 "01*3 94050000", "ipv4.opt_invalid_len"},
	{RAW4, 0, OPT8 "94010000 00*3", "ipv4.opt_invalid_len"},
	{RAW4, 0, OPT8 "94060000 0000 0000", "ipv4.opt_invalid_len"},
	{RAW4, 0, OPT8 "94040000 94040000", "ipv4.opt_duplicate"},
	{RAW4, 0, OPT8 "99040000 01010100", "ipv4.opt_invalid"},
	{RAW4, 0, OPT8 "07070400 000000 00", ""},
	{RAW4, 0, OPT8 "07070300 000000 00", "ipv4.opt_malformed"},
	{RAW4, 0, OPT8 "07070c00 000000 00", "ipv4.opt_malformed"},
	{RAW4, 0, OPT8 "83020101 01010101", "ipv4.opt_invalid_len"},
	{RAW4, 0, OPT8 "44080500 00000000", ""},
	{RAW4, 0, OPT8 "44080600 00000000", "ipv4.opt_malformed"},
	{RAW4, 0, OPT8 "8606 00000001 0000", "ipv4.opt_invalid_len"},
	{RAW4, 0, "4800 0020 0000 0000 40fe 0000 0a000001 0a000002 860a 00000001 01040001 0000",
	 "ipv4.opt_pad_required"},
	{RAW4, 0, "4800 0020 0000 0000 40fe 0000 0a000001 0a000002 860a 00000001 01050001 0000",
	 "ipv4.opt_pad_required ipv4.opt_malformed"},
	{IP4, 1, "0800 0000 000000", "icmpv4.pkt_too_small"},
	{IP4, 1, "0800 0000 00000000", ""},
	{IP4, 1, "0801 0000 00000000", "icmpv4.unknown_code"},
	{IP4, 1, "0310 0000 00000000", "icmpv4.unknown_code"},
	{IP4, 1, "0100 0000 00000000", "icmpv4.unknown_type"},
	{IP4, 1, "0303 0000 00000000 4500", "icmpv4.ipv4_trunc_pkt"},
	{IP4, 1, "0303 0000 00000000 " V4, ""},
	{IP4, 1, "0303 0000 00000000 6500*24", "icmpv4.ipv4_unknown_ver"},
};

static const struct row ip6_rows[] = {
	{ETH, 0x86dd, "6000*37", "ipv6.pkt_too_small"},
	{ETH, 0x86dd, "50000000 0000 3b40 00*31", "ipv6.wrong_ip_version"},
	{ETH, 0x86dd, "60000000 0001 3b40 00*31", "ipv6.trunc_pkt"},
	{IP6, 59, "", ""},
	{IP6, 59, "00", "ipv6.data_after_none_header"},
	{IP6, 1, "0800*9", "ipv6.icmpv4"},
	{IP6, 200, "00*9", "ipv6.unknown_next_header"},
	{IP6, 0, "3b", "ipv6.trunc_exthdr"},
	{IP6, 0, "3b01 05020000 0100", "ipv6.trunc_exthdr"},
	{IP6, 0, "3b00 05020000 0100", "ipv6.zero_len_padn"},
	{IP6, 0, "3b00 05020000 0000", ""},
	{IP6, 0, "3b00 1e020000 0000", "ipv6.hopopts_unknown_opt"},
	{IP6, 60, "3b00 1e020000 0000", "ipv6.dstopts_unknown_opt"},
	{IP6, 0, "3b00 01040000 0000", "ipv6.hopopts_only_padding"},
	{IP6, 60, "3b00 00*5", "ipv6.dstopts_only_padding"},
	{IP6, 60, "3b00 1e050000 0000", "ipv6.exthdr_invalid_optlen"},
	{IP6, 60, "3b00 1e030000 001e", "ipv6.exthdr_invalid_optlen ipv6.dstopts_unknown_opt"},
	{IP6, 0, "0000 05020000 0000 3b00 05020000 0000", "ipv6.exthdr_dupl_hh"},
	{IP6, 60, "3c00 c9020000 0000 3b00 c9020000 0000", "ipv6.exthdr_invalid_optlen"},
	{IP6, 60, "3c00 05020000 0000 3c00 05020000 0000 3b00 05020000 0000",
	 "ipv6.exthdr_dupl_dh"},
	{IP6, 43, "3b00 0200 00000000", ""},
	{IP6, 43, "3b00 0000 00000000", "ipv6.rh_type_0"},
	{IP6, 43, "2b00 0200 00000000 3b00 0200 00000000", "ipv6.exthdr_dupl_rh"},
	{IP6, 43, "3b01 0200 00000000", "ipv6.trunc_exthdr"},
	{IP6, 51, "3b01 0000 00000000 00000000", ""},
	{IP6, 51, "3b01 0001 00000000 00000000", "ipv6.exthdr_ah_res_not_null"},
	{IP6, 51, "3301 0000 00*7 3b01 0000 00*7", "ipv6.exthdr_dupl_ah"},
	{IP6, 51, "3b02 0000 00*7", "ipv6.trunc_exthdr"},
	{IP6, 44, "3b00 0000 00000001", "ipv6.exthdr_useless_fh"},
	{IP6, 44, "3b01 0000 00000001", "ipv6.exthdr_useless_fh ipv6.fh_non_zero_reserved_field"},
	{IP6, 44, "2c00 0000 00000001 3b00 0000 00000001",
	 "ipv6.exthdr_useless_fh ipv6.exthdr_dupl_fh"},
	{IP6, 44, "0600 0000 00000001", "ipv6.exthdr_useless_fh ipv6.trunc_exthdr"},
	{IP6, 44, "3b00 0000 0000", "ipv6.trunc_exthdr"},
	{IP6, 44, "1100 0001 00000001 00*6", "ipv6.frag_invalid_length"},
	{IP6, 44, "1100 0001 00000001 00*7", ""},
	{IP6, 44, "1100 fff8 00000001 00*6", ""},
	{IP6, 44, "1100 fff8 00000001 00*7", "ipv6.frag_pkt_too_large"},
	{IP6, 4, "4500*10", "ipv6.ipv4_in_ipv6_too_small"},
	{IP6, 4, "6500*30", "ipv6.ipv4_in_ipv6_wrong_version"},
	{IP6, 4, V4, ""},
	{IP6, 41, "6000*10", "ipv6.ipv6_in_ipv6_too_small"},
	{IP6, 41, "4000*50", "ipv6.ipv6_in_ipv6_wrong_version"},
	{IP6, 41, V6, ""},
	{IP6, 135, "3b00 00*5", ""},
	{IP6, 58, "8000 0000 000000", "icmpv6.pkt_too_small"},
	{IP6, 58, "8000 0000 00000000", ""},
	{IP6, 58, "8001 0000 00000000", "icmpv6.unknown_code"},
	{IP6, 58, "0500 0000 00000000", "icmpv6.unassigned_type"},
	{IP6, 58, "6400 0000 00000000", "icmpv6.experimentation_type"},
	{IP6, 58, "7f00 0000 00000000", "icmpv6.unknown_type"},
	{IP6, 58, "8200 0000 00*19", "icmpv6.mld_message_with_invalid_hl"},
	{IP6, 58, "0200 0000 00000500 6000", "icmpv6.ipv6_trunc_pkt"},
	{IP6, 58, "0200 0000 00000500 4000*39", "icmpv6.ipv6_unknown_version"},
	{IP6, 58, "0200 0000 00000500 " V6, ""},
};

static const struct row l4_rows[] = {
	{IP4, 6, "0050 1234 00*14", "tcp.pkt_too_small"},
	{IP4, 6, TCP20, ""},
	{IP4, 6, "0050 1234 00*7 6018 00*5", "tcp.hlen_too_small"},
	{IP4, 6, "0050 1234 00*7 4018 00*5", "tcp.invalid_optlen"},
#define TCP24 "0050 1234 00*7 6018 00*5 "
#define TCP28 "0050 1234 00*7 7018 00*5 "
	{IP4, 6, TCP24 "020405b4", ""},
	{IP4, 6, TCP24 "020505b4", "tcp.opt_invalid_len"},
	{IP4, 6, TCP24 "02010000", "tcp.opt_invalid_len"},
	{IP4, 6, TCP24 "03040000", "tcp.opt_invalid_len"},
	{IP4, 6, TCP24 "05020000", ""},
	{IP4, 6, TCP24 "22020101", ""},
	{IP4, 6, TCP24 "22040000", "tcp.opt_invalid_len"},
	{IP4, 6, TCP28 "020405b4 020405b4", "tcp.opt_duplicate"},
	{IP4, 6, TCP28 "fe06f989 0000 0101", ""},
	{IP4, 17, "1111 2222 0008 00", "udp.hlen_too_small"},
	{IP4, 17, UDP8, ""},
	{IP4, 17, UDP8 "00*5", ""},
	{IP4, 17, "1111 2222 0009 0000", "udp.pkt_too_small"},
	{IP4, 17, "1111 2222 0007 0000", "udp.len_invalid"},
	{IP4, 132, "1111 2222 00*6", "sctp.pkt_too_small"},
	{IP4, 132, "1111 2222 00*7", ""},
	{IP4, 50, "00*6", "esp.pkt_too_small"},
	{IP4, 50, "00*7", ""},
	{IP6, 50, "00*6", "esp.pkt_too_small"},
};

static const struct row tunnel_rows[] = {
	{IP4, 47, "0000 08", "gre.pkt_too_small"},
	{IP4, 47, "0000 0800 " V4, ""},
	{IP4, 47, "0007 0800 " V4, "gre.wrong_version"},
	{IP4, 47, "0100 0800 " V4, "gre.version0_recur"},
	{IP4, 47, "0008 0800 " V4, "gre.version0_flags"},
	{IP4, 47, "3000 0800 000000", "gre.version0_hdr_too_big"},
	{IP4, 47, "4000 0800 00000000 00000000 " V4, ""},
	{IP4, 47, "4000 0800 00000000 08000004 00000000 00000000 " V4, ""},
	{IP4, 47, "4000 0800 00000000 080000ff 00000000", "gre.version0_malformed_sre_hdr"},
	{IP4, 47, "2001 880b 0000 0001 ff03 0021 " V4, ""},
	{IP4, 47, "3081 880b 0000 0001 00000001 00000001 21 " V4, ""},
	{IP4, 47, "a001 880b 0000 0001", "gre.version1_chksum"},
	{IP4, 47, "6001 880b 0000 0001", "gre.version1_route"},
	{IP4, 47, "2801 880b 0000 0001", "gre.version1_ssr"},
	{IP4, 47, "2101 880b 0000 0001", "gre.version1_recur"},
	{IP4, 47, "2009 880b 0000 0001", "gre.version1_flags"},
	{IP4, 47, "2001 0800 0000 0001", "gre.version1_wrong_protocol"},
	{IP4, 47, "0001 880b 0000 0001", "gre.version1_no_key"},
	{IP4, 47, "3001 880b 0000 0001", "gre.version1_hdr_too_big"},
	{IP4, 47, "1000 88be 00000001 1000 0000 0000", "erspan.header_too_small"},
	{IP4, 47, "1000 88be 00000001 2000 0000 00000000 " MACS "0800 " V4,
	 "erspan.unsupported_version"},
	{IP4, 47, "1000 88be 00000001 1001 0000 00000000 " MACS "0800 " V4, ""},
	{IP4, 47, "0000 88be " MACS "0800 " V4, ""},
	{IP4, 4, "4500*10", "ipv4.pkt_too_small"},
	{IP4, 4, V4, ""},
	{IP4, 41, V6, ""},
	{IP4, 17, "1111 12b5 0032 0000 08000000 00000100 " MACS "0800 " V4, ""},
	{IP4, 17, "1111 12b5 0032 0000 08000000 00000100 " MACS "8035 " V4,
	 "vxlan.unknown_payload_type"},
	{IP4, 17, "1111 17c1 0024 0000 0000 0800 00000100 " V4, ""},
	{IP4, 17, "1111 17c1 0024 0000 0000 8035 00000100 " V4, "geneve.unknown_payload_type"},
	{IP4, 17, "1111 17c1 0028 0000 0100 0800 00000100 00000000 " V4, ""},
	{IP4, 17, "1111 0dd8 0030 0000 " V6, ""},
	{IP4, 17, "1111 0dd8 0038 0000 0000 00*5 " V6, ""},
};

static void run(struct dissect *d, const struct row *r)
{
	static struct frame_buf f;
	uint16_t link = r->kind == LINK ? (uint16_t)r->n : LINK_ETHERNET;
	f.len = 0;
	if (r->kind == LINK)
		frame_hex(&f, r->hex);
	else if (r->kind == ETH)
		frame_eth(&f, (uint16_t)r->n, r->hex);
	else if (r->kind == RAW4)
		frame_eth(&f, 0x0800, r->hex);
	else if (r->kind == IP4)
		frame_ip4(&f, (uint8_t)r->n, r->hex);
	else
		frame_ip6(&f, (uint8_t)r->n, r->hex);
	struct pkt p[DISSECT_PKTS];
	uint32_t n = dissect_frame(d, link, f.b, f.len, f.len, 0, 1, p);
	char got[512];
	struct writer w = writer_of(got, sizeof(got));
	write_str(&w, " ");
	for (unsigned e = 0; dissect_event_name(e) != NULL; e++)
		for (uint32_t i = 0; i < n; i++)
			if (dissect_event_in(&p[i], e))
				write_fmt(&w, "%s ", dissect_event_name(e));
	size_t want_len = 1;
	for (const char *at = r->events; *at != 0;) {
		char name[64] = " ";
		size_t len = strcspn(at, " ");
		memcpy(name + 1, at, len);
		name[len + 1] = ' ';
		if (strstr(got, name) == NULL)
			fail_msg("%s: wanted%s, got%s", r->hex, name, got);
		want_len += len + 1;
		at += len + (at[len] == ' ');
	}
	if (strlen(got) != want_len)
		fail_msg("%s: wanted '%s', got%s", r->hex, r->events, got);
}

static void run_all(const struct row *rows, size_t n)
{
	struct dissect *d;
	struct dissect_conf conf = {.checksums = false};
	assert_int_equal(dissect_create(&conf, &d), 0);
	for (size_t i = 0; i < n; i++)
		run(d, &rows[i]);
	dissect_free(&d);
}

static void test_link(void **state)
{
	(void)state;
	run_all(link_rows, ARRAY_LEN(link_rows));
}

static void test_ip4(void **state)
{
	(void)state;
	run_all(ip4_rows, ARRAY_LEN(ip4_rows));
}

static void test_ip6(void **state)
{
	(void)state;
	run_all(ip6_rows, ARRAY_LEN(ip6_rows));
}

static void test_l4(void **state)
{
	(void)state;
	run_all(l4_rows, ARRAY_LEN(l4_rows));
}

static void test_tunnels(void **state)
{
	(void)state;
	run_all(tunnel_rows, ARRAY_LEN(tunnel_rows));
}

static void test_names(void **state)
{
	(void)state;
	unsigned n = 0;
	for (; dissect_event_name(n) != NULL; n++)
		assert_int_equal(dissect_event_by_name(dissect_event_name(n)), n);
	assert_int_equal(n, 136);
	assert_int_equal(dissect_event_by_name("ipv4.no_such_event"), -1);
	assert_int_equal(dissect_event_by_name(""), -1);
	struct pkt p = {.events = {1}};
	assert_true(dissect_event_in(&p, 0));
	assert_false(dissect_event_in(&p, 1));
	assert_false(dissect_event_in(&p, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),    cmocka_unit_test(test_ip4),
		cmocka_unit_test(test_ip6),     cmocka_unit_test(test_l4),
		cmocka_unit_test(test_tunnels), cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
