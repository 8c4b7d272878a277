/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Passive TPACKET_V3 rings. The kernel fills blocks one after the other and hands a block over when
 * it is full or CAPTURE_RETIRE_MS after it was begun; the reader hands it back when all its frames
 * are taken. So the number of blocks times that time is how late the reader may be while frames
 * trickle, and the size of the ring how late while they pour: hence many small blocks.
 *
 * No virtio-net header is asked for: what it says is not needed to record a frame as it was
 * delivered, and with it the kernel drops the few kinds of super-frame that it cannot describe.
 *
 * Memory of the ring is written by the kernel alone, and believed.
 */
#include "capture/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES (256u << 10) /* three super-frames of 64 KiB */
#define BLOCKS_MIN 8u
#define BLOCKS_MAX 4096u
#define FRAME_SLOT 2048u /* only a unit of the kernel's sanity checks in version 3 */
#define TAG_BYTES 4u

static uint32_t count_blocks(uint64_t ring_bytes)
{
	uint64_t n = ring_bytes / BLOCK_BYTES;
	return n < BLOCKS_MIN ? BLOCKS_MIN : n > BLOCKS_MAX ? BLOCKS_MAX : (uint32_t)n;
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int capture_ring_open(const char *ifname, uint64_t ring_bytes, int *ret_fd)
{
	uint32_t blocks = count_blocks(ring_bytes);
	struct tpacket_req3 req = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = blocks,
		.tp_frame_size = FRAME_SLOT,
		.tp_frame_nr = blocks * (BLOCK_BYTES / FRAME_SLOT),
		.tp_retire_blk_tov = CAPTURE_RETIRE_MS,
	};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq promiscuous = {.mr_type = PACKET_MR_PROMISC};
	unsigned index = if_nametoindex(ifname);
	if (index == 0)
		return -errno;
	to.sll_ifindex = promiscuous.mr_ifindex = (int)index;
	/* Protocol 0: nothing is received before the ring is there and the interface bound. */
	CLEANUP(fd_close) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int err = set_int(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
	/* The stamp is then taken once, on arrival, and is the same for every listener. */
	if (err == 0)
		err = set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	if (err != 0)
		return err;
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) <
		    0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

int capture_ring_attach(struct capture_ring *r, int fd, uint64_t ring_bytes)
{
	uint32_t blocks = count_blocks(ring_bytes);
	void *mem =
		mmap(NULL, (size_t)blocks * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	*r = (struct capture_ring){.fd = fd, .mem = mem, .blocks = blocks};
	return 0;
}

void capture_ring_detach(struct capture_ring *r)
{
	if (r->mem != NULL)
		munmap(r->mem, (size_t)r->blocks * BLOCK_BYTES);
	*r = (struct capture_ring){.fd = -1};
}

static struct tpacket_block_desc *block_at(const struct capture_ring *r, uint32_t i)
{
	return (void *)(r->mem + (size_t)(i % r->blocks) * BLOCK_BYTES);
}

static bool block_ready(const struct capture_ring *r, uint32_t i)
{
	return (__atomic_load_n(&block_at(r, i)->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
		TP_STATUS_USER) != 0;
}

/* A recorder that took over a ring in use does not know where the kernel is: the oldest block that
 * was handed over tells. */
static bool find_oldest(struct capture_ring *r)
{
	bool found = false;
	uint64_t best = 0;
	for (uint32_t i = 0; i < r->blocks; i++) {
		if (!block_ready(r, i))
			continue;
		uint64_t seq = block_at(r, i)->hdr.bh1.seq_num;
		if (!found || seq < best) {
			found = true;
			best = seq;
			r->at = i;
		}
	}
	r->synced = found;
	return found;
}

static void release_block(struct capture_ring *r)
{
	__atomic_store_n(&block_at(r, r->at)->hdr.bh1.block_status, TP_STATUS_KERNEL,
			 __ATOMIC_RELEASE);
	r->at = (r->at + 1) % r->blocks;
}

/* Opens the next block that has frames. */
static bool open_block(struct capture_ring *r)
{
	if (!r->synced && !find_oldest(r))
		return false;
	for (uint32_t tries = 0; tries < r->blocks && block_ready(r, r->at); tries++) {
		const struct tpacket_hdr_v1 *h = &block_at(r, r->at)->hdr.bh1;
		if (h->num_pkts > 0) {
			r->frames_left = h->num_pkts;
			r->frame_offset = h->offset_to_first_pkt;
			return true;
		}
		release_block(r);
	}
	return false;
}

static const struct tpacket3_hdr *open_frame(const struct capture_ring *r)
{
	return (const void *)((const uint8_t *)block_at(r, r->at) + r->frame_offset);
}

/* Puts the tag that the kernel took out back behind the addresses. */
static void restore_tag(const struct tpacket3_hdr *h, uint8_t *scratch, struct capture_packet *p)
{
	uint16_t tpid =
		(h->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
	size_t len = p->len < CAPTURE_SNAP - TAG_BYTES ? p->len : CAPTURE_SNAP - TAG_BYTES;
	if (len < 12)
		return;
	memcpy(scratch, p->data, 12);
	store_be16(scratch + 12, tpid);
	store_be16(scratch + 14, (uint16_t)h->hv1.tp_vlan_tci);
	memcpy(scratch + 16, p->data + 12, len - 12);
	p->data = scratch;
	p->len = (uint32_t)len + TAG_BYTES;
	p->orig_len += TAG_BYTES;
}

bool capture_ring_peek(struct capture_ring *r, uint8_t *scratch, struct capture_packet *ret)
{
	if (r->mem == NULL || (r->frames_left == 0 && !open_block(r)))
		return false;
	const struct tpacket3_hdr *h = open_frame(r);
	const struct sockaddr_ll *from =
		(const void *)((const uint8_t *)h + TPACKET_ALIGN(sizeof(*h)));
	uint32_t len = h->tp_snaplen < CAPTURE_SNAP ? h->tp_snaplen : CAPTURE_SNAP;
	*ret = (struct capture_packet){
		.stamp_ns = (int64_t)h->tp_sec * NS_PER_SEC + h->tp_nsec,
		.data = (const uint8_t *)h + h->tp_mac,
		.len = len,
		.orig_len = h->tp_len,
		.own_stamp = (h->tp_status & TP_STATUS_TS_SOFTWARE) == 0,
		.outbound = from->sll_pkttype == PACKET_OUTGOING,
	};
	if ((h->tp_status & TP_STATUS_VLAN_VALID) != 0)
		restore_tag(h, scratch, ret);
	return true;
}

void capture_ring_pop(struct capture_ring *r)
{
	if (r->frames_left == 0)
		return;
	r->frame_offset += open_frame(r)->tp_next_offset;
	if (--r->frames_left == 0)
		release_block(r);
}

bool capture_ring_pressed(const struct capture_ring *r, unsigned quarters)
{
	return r->mem != NULL && r->synced && block_ready(r, r->at) &&
	       block_ready(r, r->at + r->blocks * quarters / 4);
}

uint64_t capture_ring_drops(const struct capture_ring *r)
{
	struct tpacket_stats_v3 st = {0};
	socklen_t len = sizeof(st);
	if (r->fd < 0 || getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) < 0)
		return 0;
	return st.tp_drops;
}
