/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AF_PACKET back end: recvmmsg and sendmmsg with the virtio-net header (PACKET_VNET_HDR), so that
 * super-frames and partial checksums cross whole. No PACKET_QDISC_BYPASS: it would hide what we send
 * from recorder's sockets. The kernel takes a VLAN tag out on the way in; it goes back into the
 * bytes here, and the offsets of the header move with it.
 */
#include "port/port_priv.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_BUFFER (8 << 20)

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

int port_open_packet(const char *ifname, int *ret_fd)
{
	CLEANUP(fd_close) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;
	if (fd < 0)
		return -errno;
	unsigned index = if_nametoindex(ifname);
	if (index == 0)
		return -errno;
	if ((err = set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1)) != 0 ||
	    (err = set_option(fd, SOL_PACKET, PACKET_AUXDATA, 1)) != 0 ||
	    (err = set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) != 0 ||
	    (err = set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)) != 0)
		return err;
	if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) != 0)
		(void)set_option(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	struct packet_mreq promisc = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0)
		return -errno;
	/* The protocol is given only here: before, frames of every interface would come in. */
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = __builtin_bswap16(ETH_P_ALL),
				  .sll_ifindex = (int)index};
	if (bind(fd, (struct sockaddr *)&sll, sizeof(sll)) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* Puts a tag back between the addresses and the type. */
static void insert_tag(struct frame *f, uint16_t tpid, uint16_t tci)
{
	f->data -= HEADROOM;
	memmove(f->data, f->data + HEADROOM, 12);
	store_be16(f->data + 12, tpid);
	store_be16(f->data + 14, tci);
	f->len += 4;
	f->cap += 4;
	if (f->vnet.flags & VNET_NEEDS_CSUM)
		f->vnet.csum_start = (uint16_t)(f->vnet.csum_start + 4);
	if (f->vnet.gso_type != 0)
		f->vnet.hdr_len = (uint16_t)(f->vnet.hdr_len + 4);
}

/* Time stamp and VLAN tag from the control messages. */
static void read_control(struct msghdr *msg, struct frame *f)
{
	struct tpacket_auxdata aux;
	struct timespec ts;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			f->stamp_ns = (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
		} else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
			if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0 || f->len < 12)
				continue;
			bool known = (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
			insert_tag(f, known ? aux.tp_vlan_tpid : ETH_P_8021Q, aux.tp_vlan_tci);
		}
	}
}

static void prepare(struct port_pool *pool)
{
	for (uint32_t i = 0; i < PORT_BATCH; i++) {
		pool->iov[i][0] = (struct iovec){&pool->headers[i], sizeof(struct vnet)};
		pool->iov[i][1] = (struct iovec){pool_buffer(pool, i), FRAME_MAX};
		pool->msgs[i].msg_hdr = (struct msghdr){.msg_iov = pool->iov[i],
							.msg_iovlen = 2,
							.msg_control = pool->control[i],
							.msg_controllen = CONTROL_BYTES};
	}
}

int packet_port_recv(struct port *p)
{
	struct port_pool *pool = p->pool;
	int kept = 0, n;
	prepare(pool);
	do
		n = recvmmsg(p->fd, pool->msgs, PORT_BATCH, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct mmsghdr *m = &pool->msgs[i];
		if (m->msg_len < sizeof(struct vnet) || m->msg_hdr.msg_flags & MSG_TRUNC) {
			p->stats.rx_bad++;
			continue;
		}
		struct frame *f = &pool->frames[kept++];
		*f = (struct frame){.data = pool_buffer(pool, (uint32_t)i),
				    .len = m->msg_len - (uint32_t)sizeof(struct vnet),
				    .cap = FRAME_MAX,
				    .vnet = pool->headers[i],
				    .port = p->index};
		read_control(&m->msg_hdr, f);
	}
	return kept;
}

void packet_port_flush(struct port *p)
{
	uint32_t at = 0, tries = 0;
	for (uint32_t i = 0; i < p->n_tx; i++)
		p->tx_msgs[i].msg_hdr = (struct msghdr){.msg_iov = p->tx_iov[i], .msg_iovlen = 2};
	while (at < p->n_tx) {
		int n = sendmmsg(p->fd, p->tx_msgs + at, p->n_tx - at, MSG_DONTWAIT);
		if (n > 0) {
			for (uint32_t end = at + (uint32_t)n; at < end; at++) {
				p->stats.tx_frames++;
				p->stats.tx_bytes += p->tx_iov[at][1].iov_len;
			}
			tries = 0;
			continue;
		}
		/* A full queue gets one more try; a frame that can't go at all is passed over. */
		if ((errno == EAGAIN || errno == ENOBUFS || errno == EINTR) && tries++ == 0)
			continue;
		p->stats.tx_failed++;
		tries = 0;
		at++;
	}
}

static void read_kernel_drops(struct port *p)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);
	if (getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		p->stats.rx_kernel_drops += st.tp_drops; /* the kernel starts anew at each read */
}

void port_read_stats(struct port *p, struct port_stats *ret)
{
	if (p->kind == PORT_PACKET && p->fd >= 0)
		read_kernel_drops(p);
	*ret = p->stats;
}
