/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_PACKET back end: recvmmsg and sendmmsg with a virtio-net header before each frame.
 *
 * The kernel strips a VLAN tag into auxiliary data and counts csum_start and hdr_len without it;
 * both are put back here, as the tag is otherwise lost when the frame leaves. No
 * PACKET_QDISC_BYPASS: it would hide what the wall sends from the recorder.
 */
#include "port/port_priv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#define RCVBUF_BYTES (8 << 20) /* a burst of super-frames; the kernel doubles it */
#define SNDBUF_BYTES (4 << 20)
#define BURST_BYTES (256u << 10)
#define BURST_LEAST 4u

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* Past the system's limit where we may, up to it where not. */
static void set_buffer(int fd, int force, int plain, int bytes)
{
	if (set_option(fd, SOL_SOCKET, force, bytes) != 0)
		(void)set_option(fd, SOL_SOCKET, plain, bytes);
}

static int set_options(int fd, int ifindex)
{
	struct packet_mreq promisc = {.mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC};
	int err = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	if (err == 0)
		err = set_option(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (err == 0)
		err = set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (err == 0)
		err = set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	if (err == 0 &&
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) != 0)
		err = -errno;
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, RCVBUF_BYTES);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, SNDBUF_BYTES);
	return err;
}

int port_open_packet(const char *ifname, int *ret_fd)
{
	unsigned ifindex = if_nametoindex(ifname);
	if (ifindex == 0)
		return -errno;
	/* Protocol 0 hears nothing until bind: no frame slips in before the options are set. */
	CLEANUP(fd_close) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int err = set_options(fd, (int)ifindex);
	if (err != 0)
		return err;
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)ifindex};
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)) != 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

struct aux {
	int64_t stamp_ns;
	bool tagged;
	uint16_t tci, tpid;
};

static struct aux read_control(struct msghdr *h)
{
	struct aux a = {.tpid = ETHERTYPE_VLAN};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
			struct timespec ts;
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			a.stamp_ns = (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
		} else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA &&
			   c->cmsg_len >= CMSG_LEN(sizeof(struct tpacket_auxdata))) {
			struct tpacket_auxdata t;
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			a.tagged = (t.tp_status & TP_STATUS_VLAN_VALID) != 0;
			a.tci = t.tp_vlan_tci;
			if (t.tp_status & TP_STATUS_VLAN_TPID_VALID)
				a.tpid = t.tp_vlan_tpid;
		}
	}
	return a;
}

/* Puts a stripped tag back between the MACs and the type; data moves into the slot's headroom. */
static uint8_t *insert_tag(uint8_t *data, const struct aux *a, struct vnet *v)
{
	memmove(data - 4, data, 12);
	data -= 4;
	store_be16(data + 12, a->tpid);
	store_be16(data + 14, a->tci);
	if (v->flags & VNET_NEEDS_CSUM)
		v->csum_start = (uint16_t)(v->csum_start + 4);
	if (v->hdr_len != 0)
		v->hdr_len = (uint16_t)(v->hdr_len + 4);
	return data;
}

/* So many frames as lately made up what the processor's own cache holds: a burst of super-frames would
 * be read from memory again when it is judged, and once more when it is sent. */
static unsigned next_batch(int n, uint64_t bytes)
{
	uint64_t fit = bytes == 0 ? PORT_BATCH : BURST_BYTES * (uint64_t)n / bytes;
	return fit < BURST_LEAST ? BURST_LEAST : fit > PORT_BATCH ? PORT_BATCH : (unsigned)fit;
}

/* Frames of one recvmmsg, the broken ones left out. */
static int take_all(struct port *p, int received)
{
	struct port_pool *pool = p->pool;
	size_t n = 0;
	uint64_t bytes = 0;
	for (int i = 0; i < received; i++) {
		bytes += pool->msgs[i].msg_len;
		struct mmsghdr *m = &pool->msgs[i];
		struct vnet *v = &pool->vnets[i];
		if (m->msg_len < sizeof(*v) + ETH_HLEN || (m->msg_hdr.msg_flags & MSG_TRUNC)) {
			p->stats.rx_bad++;
			continue;
		}
		struct aux a = read_control(&m->msg_hdr);
		uint32_t len = m->msg_len - (uint32_t)sizeof(*v);
		uint8_t *data = slot_data(pool, (size_t)i);
		if (a.tagged) {
			data = insert_tag(data, &a, v);
			len += 4;
		}
		take_frame(p, n++, data, len, v, a.stamp_ns);
	}
	p->batch = next_batch(received, bytes);
	return (int)n;
}

static int packet_recv(struct port *p)
{
	struct port_pool *pool = p->pool;
	for (unsigned tries = 0; tries < RECV_TRIES; tries++) {
		for (size_t i = 0; i < p->batch; i++) {
			pool->msgs[i].msg_hdr.msg_controllen = CONTROL_SIZE;
			pool->msgs[i].msg_hdr.msg_flags = 0;
		}
		int n = recvmmsg(p->fd, pool->msgs, p->batch, MSG_DONTWAIT, NULL);
		if (n >= 0)
			return take_all(p, n);
		if (errno == EAGAIN)
			return 0;
		/* EINVAL: this frame's offload has no virtio-net form; the kernel dropped it. */
		if (errno == EINVAL)
			p->stats.rx_bad++;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static void packet_flush(struct port *p)
{
	size_t at = 0;
	bool retried = false;
	while (at < p->n_tx) {
		int n = sendmmsg(p->fd, p->tx_msgs + at, (unsigned)(p->n_tx - at), MSG_DONTWAIT);
		if (n > 0) {
			for (size_t end = at + (size_t)n; at < end; at++) {
				p->stats.tx_frames++;
				p->stats.tx_bytes += p->tx_iovs[at][1].iov_len;
			}
			continue;
		}
		if (errno == EINTR)
			continue;
		bool full = errno == EAGAIN || errno == ENOBUFS;
		if (full && !retried) {
			retried = true;
			continue;
		}
		/* A frame that is refused for itself is skipped; a full queue or a dead link
		 * refuses all the rest. Waiting is never an answer. */
		bool this_one = errno == EINVAL || errno == EMSGSIZE;
		size_t lost = this_one ? 1 : p->n_tx - at;
		p->stats.tx_failed += lost;
		at += lost;
	}
}

static uint64_t packet_drops(struct port *p)
{
	struct tpacket_stats st; /* the kernel starts anew at each reading */
	socklen_t len = sizeof(st);
	if (getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) != 0)
		return 0;
	return st.tp_drops;
}

const struct port_ops packet_ops = {packet_recv, packet_flush, packet_drops};
