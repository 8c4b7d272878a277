/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any frame with any virtio-net header: offsets stay inside, edits keep right checksums right and
 * change what decode then finds, and what the wall says itself is sound.
 *
 * Input: vnet flags, gso type, csum_start (2), csum_offset, quirk byte, a port (2), then the frame.
 */
#include "packet/packet.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 8u
#define ANSWER_CAP 2048u
#define BROKEN                                                                                     \
	(ODD_TRUNC_ETH | ODD_TRUNC_IP | ODD_BAD_IP | ODD_BAD_IP_CSUM | ODD_TRUNC_L4 | ODD_BAD_L4 | \
	 ODD_FRAGMENT_SMALL | ODD_EXT_DEPTH)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void check_layers(const struct frame *f, const struct layers *l)
{
	must(l->l3 <= f->len && l->l4 <= f->len && l->payload <= f->len && l->l3_end <= f->len);
	must(l->l4 == 0 || (l->l3 >= ETH_HLEN && l->l3 < l->l4 && l->l4 <= l->l3_end));
	must(l->payload == 0 || (l->payload > l->l3 && l->payload <= l->l3_end));
	must(l->ip_ver == 0 || (l->l3 != 0 && l->l3 < l->l3_end));
	must(l->src.ver == l->ip_ver && l->dst.ver == l->ip_ver);
}

static struct addr other_addr(int ver, uint8_t quirk)
{
	uint8_t b[16];
	memset(b, quirk | 1, sizeof(b));
	return ver == 6 ? addr_from_v6(b) : addr_from_v4(b);
}

static void edit(struct frame *f, struct layers *l, uint8_t quirk, uint16_t port)
{
	bool ok = packet_checksums_ok(f, l) && (l->odd & BROKEN) == 0;
	struct addr to = other_addr(l->ip_ver, quirk);
	struct layers again;
	packet_set_addr(f, l, quirk & 1, &to);
	packet_set_port(f, l, quirk & 2, port);
	(void)packet_lower_ttl(f, l);
	packet_set_macs(f, &(struct mac){{2}}, &(struct mac){{4}});
	must(!ok || packet_checksums_ok(f, l));
	packet_decode(f, &again);
	check_layers(f, &again);
	must(again.l3 == l->l3 && again.l4 == l->l4 && again.l3_end == l->l3_end);
	must(again.ttl == l->ttl && again.sport == l->sport && again.dport == l->dport);
	must(addr_eq(&again.src, &l->src) && addr_eq(&again.dst, &l->dst));
}

/* Bytes, numbers and lengths. */
static void edit_inside(struct frame *f, struct layers *l, uint8_t quirk, uint16_t port)
{
	bool ok = packet_checksums_ok(f, l) && (l->odd & BROKEN) == 0;
	uint8_t bytes[5] = {quirk, 0, (uint8_t)port, 0xff, quirk};
	struct layers again;
	(void)packet_set_bytes(f, l, l->payload + port % 64, bytes, quirk % 6);
	must(!ok || packet_checksums_ok(f, l));
	packet_clear_urgent(f, l);
	packet_set_seq_ack(f, l, quirk, port);
	must(!ok || packet_checksums_ok(f, l));
	if ((l->odd & BROKEN) != 0 || l->fragment || l->proto != 6 || l->l4 == 0)
		return;
	packet_finish_tcp(f, l, (l->l3_end - l->payload) / 2, quirk & 1, quirk & 2 ? port : 0);
	must(packet_checksums_ok(f, l));
	packet_decode(f, &again);
	check_layers(f, &again);
	must(again.l4 == l->l4 && again.l3_end == l->l3_end && f->len == l->l3_end);
	must((again.odd & BROKEN) == 0);
}

static void edit_quoted(struct frame *f, const struct layers *outer, uint8_t quirk, uint16_t port)
{
	struct layers q, again;
	if (packet_decode_quoted(f, outer, &q) != 0)
		return;
	check_layers(f, &q);
	must(q.l3 > outer->l4 && q.l4 + 8 <= outer->l3_end);
	bool ok = packet_checksums_ok(f, outer);
	struct addr to = other_addr(q.ip_ver, quirk);
	packet_set_quoted(f, outer, &q, quirk & 4, &to, port);
	must(!ok || packet_checksums_ok(f, outer));
	must(packet_decode_quoted(f, outer, &again) == 0);
	must(addr_eq(&again.src, &q.src) && again.sport == q.sport && again.dport == q.dport);
}

static void check_answer(const struct frame *out)
{
	struct layers l;
	packet_decode(out, &l);
	check_layers(out, &l);
	must((l.odd & BROKEN) == 0 && l.l4 != 0 && packet_checksums_ok(out, &l));
}

static void answer(const struct frame *f, const struct layers *l, uint8_t quirk)
{
	uint8_t *room = malloc(ANSWER_CAP);
	struct frame out = {.data = room, .cap = quirk & 8 ? ANSWER_CAP : quirk};
	struct addr from = other_addr(l->ip_ver == 6 ? 6 : 4, quirk);
	must(room != NULL);
	if (packet_build_rst(&out, f, l) == 0)
		check_answer(&out);
	if (packet_build_icmp_error(&out, f, l, &from, l->ip_ver == 6 ? 3 : 11, 0) == 0)
		check_answer(&out);
	struct neigh n;
	packet_neigh(f, l, &n);
	if (n.kind == NEIGH_NS && n.target.ver == 6 &&
	    packet_build_na(&out, &(struct mac){{2}}, &n.target, &n.sender_mac, &l->src, true) == 0)
		check_answer(&out);
	if (n.kind == NEIGH_ARP_REQUEST &&
	    packet_build_arp_reply(&out, &(struct mac){{2}}, &n.target, &n.sender_mac, &n.sender) ==
		    0)
		must(out.len <= out.cap);
	free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD || size - HEAD > FRAME_MAX)
		return 0;
	struct frame f = {.len = (uint32_t)(size - HEAD), .cap = (uint32_t)(size - HEAD)};
	uint8_t quirk = data[5];
	uint16_t port = load_be16(data + 6);
	f.vnet = (struct vnet){.flags = data[0],
			       .gso_type = data[1],
			       .csum_start = load_be16(data + 2),
			       .csum_offset = data[4]};
	f.data = malloc(f.len > 0 ? f.len : 1); /* exact: a sanitizer sees one byte too many */
	must(f.data != NULL);
	memcpy(f.data, data + HEAD, f.len);
	struct layers l;
	packet_decode(&f, &l);
	check_layers(&f, &l);
	answer(&f, &l, quirk);
	if (l.icmp_error && (l.odd & BROKEN) == 0)
		edit_quoted(&f, &l, quirk, port);
	edit(&f, &l, quirk, port);
	edit_inside(&f, &l, quirk, port);
	char id[COMMUNITY_ID_TEXT];
	packet_community_id(&l.src, &l.dst, l.proto, l.sport, l.dport, id);
	must(strlen(id) == 30);
	free(f.data);
	return 0;
}
