/* SPDX-License-Identifier: BSD-2-Clause */
/* Tap back end: the wall itself holds the char device (no QEMU): one read or write a frame. */
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
	CLEANUP(fd_close) int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	if (fd < 0)
		return -errno;
	if (!text_copy(ifr.ifr_name, sizeof(ifr.ifr_name), ifname))
		return SKEP_ERANGE;
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

int tap_port_recv(struct port *p)
{
	struct port_pool *pool = p->pool;
	int kept = 0;
	while (kept < PORT_BATCH) {
		uint8_t *data = pool_buffer(pool, (uint32_t)kept);
		struct iovec iov[2] = {{&pool->headers[kept], sizeof(struct vnet)},
				       {data, FRAME_MAX}};
		ssize_t n = readv(p->fd, iov, 2);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || kept > 0 ? kept : -errno;
		if (n < (ssize_t)sizeof(struct vnet)) {
			p->stats.rx_bad++;
			return kept;
		}
		pool->frames[kept] = (struct frame){.data = data,
						    .len = (uint32_t)n - sizeof(struct vnet),
						    .cap = FRAME_MAX,
						    .vnet = pool->headers[kept],
						    .stamp_ns = clock_wall_ns(),
						    .port = p->index};
		kept++;
	}
	return kept;
}

void tap_port_flush(struct port *p)
{
	for (uint32_t i = 0; i < p->n_tx; i++) {
		ssize_t n = writev(p->fd, p->tx_iov[i], 2);
		if (n < 0) {
			p->stats.tx_failed++;
			continue;
		}
		p->stats.tx_frames++;
		p->stats.tx_bytes += p->tx_iov[i][1].iov_len;
	}
}
