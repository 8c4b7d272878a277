/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guard: what the proof sends does not get beyond the uplink, leak or not. An nftables chain on the ingress
 * of the uplink's far end drops what bears the proof's source addresses or mark. Listeners of packet
 * sockets stand in front of that hook, so a leak is seen and stopped. super removes the table with the port,
 * however the proof ends.
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

int guard_set(const struct prove *p, char *why, size_t why_size)
{
	/* where a mark can begin: behind TCP, UDP and ICMP, SCTP, Ethernet, IPv4, IPv6, IPv4 and GRE */
	static const char *const at[] = {"@th,64",  "@th,160", "@th,96", "@nh,0",
					 "@nh,160", "@nh,320", "@nh,192"};
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	char text[2048], out[512] = "";
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
	write_str(&w, "}\n}\n");
	int code = run_program_in(p->lab_ns, argv, text, out, sizeof(out), TIMEOUT_MS);
	if (code == 0)
		return 0;
	out[strcspn(out, "\n")] = '\0';
	write_fmt(&reason, "nft: %s", code < 0 ? err_text(code) : out);
	return code < 0 ? code : SKEP_EUNSUPPORTED;
}

int guard_read(const struct prove *p, uint64_t *ret)
{
	static const char *const argv[] = {"nft", "list", "table", "netdev", "skep-prove", NULL};
	static const char word[] = "counter packets ";
	char out[8192] = "";
	int code = run_program_in(p->lab_ns, argv, NULL, out, sizeof(out), TIMEOUT_MS);
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
