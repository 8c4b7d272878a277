/* SPDX-License-Identifier: BSD-2-Clause */
/* Tap back end: the char device, one readv or writev per frame. The tun driver itself puts VLAN
 * tags back and counts csum_start and hdr_len with them. */
#include "port/port_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int port_open_tap(const char *ifname, int *ret_fd)
{
	struct ifreq ifr;
	memset(&ifr, 0, sizeof(ifr));
	if (!text_copy(ifr.ifr_name, sizeof(ifr.ifr_name), ifname))
		return SKEP_ERANGE;
	CLEANUP(fd_close) int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		return -errno;
	unsigned offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int size = sizeof(struct vnet);
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) != 0 || ioctl(fd, TUNSETOFFLOAD, offloads) != 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

static int tap_recv(struct port *p)
{
	struct port_pool *pool = p->pool;
	size_t n = 0;
	int64_t now = 0;
	/* A frame that is taken moves the slot on; a bad one's slot is used again. Both count as
	 * work, so that a flood of bad ones can't hold us here. */
	for (size_t reads = 0; reads < PORT_BATCH; reads++) {
		ssize_t got = readv(p->fd, pool->iovs[n], 2);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || n > 0))
			break;
		if (got < 0)
			return -errno;
		if ((size_t)got < sizeof(struct vnet) + ETH_HLEN ||
		    (size_t)got >= sizeof(struct vnet) + FRAME_MAX) {
			p->stats.rx_bad++;
			continue;
		}
		if (now == 0)
			now = clock_wall_ns(); /* the char device gives no stamps */
		take_frame(p, n, slot_data(pool, n), (uint32_t)((size_t)got - sizeof(struct vnet)),
			   &pool->vnets[n], now);
		n++;
	}
	return (int)n;
}

static void tap_flush(struct port *p)
{
	for (size_t i = 0; i < p->n_tx; i++) {
		ssize_t sent = -1;
		for (unsigned tries = 0; tries < 2 && sent < 0; tries++) {
			sent = writev(p->fd, p->tx_iovs[i], 2);
			if (sent < 0 && errno != EINTR && errno != EAGAIN)
				break;
		}
		if (sent < 0) {
			p->stats.tx_failed++;
			continue;
		}
		p->stats.tx_frames++;
		p->stats.tx_bytes += p->tx_iovs[i][1].iov_len;
	}
}

const struct port_ops tap_ops = {tap_recv, tap_flush, NULL};
