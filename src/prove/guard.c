/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard: what the proof sends does not get beyond the uplink, leak or not. In the lab an nftables chain on the
 * ingress of the uplink's far end drops what bears the proof's source addresses or mark; on a real wire
 * guard_tc.c does. Listeners of packet sockets stand in front of both, so a leak is seen and stopped. super
 * removes them with the port, however the proof ends.
 */
#include "prove/prove_priv.h"
#include "sys/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 10000

static void write_addr(struct writer *w, const struct addr *a)
{
	char text[ADDR_TEXT];
	if (a->ver != 0)
		write_fmt(w, "%s saddr %s counter drop\n", a->ver == 4 ? "ip" : "ip6",
			  addr_text(a, text));
}

/* Segments without data bear the mark in their sequence number: two bytes of it, so only where no guest's own
 * conversations can be meant. */
static void write_numbers(struct writer *w, const struct prove *p, uint8_t ver)
{
	char text[ADDR_TEXT];
	bool any = false;
	write_fmt(w, "%s saddr != { ", ver == 4 ? "ip" : "ip6");
	for (uint32_t i = 1; i + 1 < p->conf->n_ports; i++) {
		const struct prove_port *g = &p->conf->ports[i];
		const struct addr *a = ver == 4 ? &g->public : &g->public6;
		if (a->ver != 0)
			write_fmt(w, "%s%s", any ? ", " : "", addr_text(a, text));
		any = any || a->ver != 0;
	}
	if (!any)
		write_str(w, ver == 4 ? "127.0.0.2" : "::2"); /* a set can't be empty */
	write_fmt(w, " } meta l4proto tcp @th,32,16 0x%04x counter drop\n", load_be16(p->token));
}

static int set_table(const struct prove *p, char *why, size_t why_size)
{
	/* Where a mark can begin. Behind the transport's header: UDP and ICMP, SCTP, TCP, a DNS name, IP in IP,
	 * GRE and router advertisements, errors that quote IPv4, neighbour advertisements, IPv6 in IPv4,
	 * errors that quote IPv6, DHCP. Behind Ethernet's: at once, LLC, IPv4, ARP, IPv6, IPv6 with a fragment
	 * header, both versions behind a second and a third tag. */
	static const char *const at[] = {
		"@th,64",  "@th,96",  "@th,160", "@th,168",  "@th,224", "@th,256", "@th,288",
		"@th,320", "@th,384", "@th,448", "@th,1984", "@nh,0",   "@nh,24",  "@nh,160",
		"@nh,224", "@nh,320", "@nh,384", "@nh,256",  "@nh,288", "@nh,416", "@nh,448"};
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	char text[6144], out[512] = "";
	struct writer w = writer_of(text, sizeof(text)), reason = writer_of(why, why_size);
	write_str(&w,
		  "table netdev skep-prove {\nchain guard {\n"
		  "type filter hook ingress device \"uplink0\" priority -300; policy accept;\n");
	write_addr(&w, &p->own->public);
	write_addr(&w, &p->own->public6);
	write_addr(&w, &p->own->inside);
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		write_fmt(&w, "%s,64 0x%08x%08x counter drop\n", at[i], load_be32(p->token),
			  load_be32(p->token + 4));
	write_numbers(&w, p, 4);
	write_numbers(&w, p, 6);
	write_str(&w, "}\n}\n");
	if (w.full) {
		write_str(&reason, "too many addresses");
		return SKEP_EFULL;
	}
	int code = run_program_in(p->far_ns, argv, text, out, sizeof(out), TIMEOUT_MS);
	if (code == 0)
		return 0;
	out[strcspn(out, "\n")] = '\0';
	write_fmt(&reason, "nft: %s", code < 0 ? err_text(code) : out);
	return code < 0 ? code : SKEP_EUNSUPPORTED;
}

static int read_table(const struct prove *p, uint64_t *ret)
{
	static const char *const argv[] = {"nft", "list", "table", "netdev", "skep-prove", NULL};
	static const char word[] = "counter packets ";
	char out[8192] = "";
	int code = run_program_in(p->far_ns, argv, NULL, out, sizeof(out), TIMEOUT_MS);
	if (code != 0)
		return code < 0 ? code : SKEP_ENOTFOUND;
	uint64_t n = 0;
	for (const char *at = out; (at = strstr(at, word)) != NULL;) {
		at += sizeof(word) - 1;
		n += strtoull(at, NULL, 10);
	}
	*ret = n;
	return 0;
}

int guard_set(struct prove *p, char *why, size_t why_size)
{
	return p->real ? guard_attach(p, why, why_size) : set_table(p, why, why_size);
}

int guard_read(const struct prove *p, uint64_t *ret)
{
	return p->real ? guard_count(p, ret) : read_table(p, ret);
}

void guard_end(struct prove *p)
{
	if (p->real)
		guard_detach(p);
}
