/* SPDX-License-Identifier: BSD-2-Clause */
/* Links and addresses. Changing them is left to `ip -batch`; reading them is done here. */
#include "sys/sys.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define IP_TIMEOUT_MS 20000

int link_batch(int netns, const char *commands, char *why, size_t why_size)
{
	static const char *const argv[] = {"ip", "-batch", "-", NULL};
	char out[1024] = "";
	int code = run_program_in(netns, argv, commands, out, sizeof(out), IP_TIMEOUT_MS);
	if (code == 0)
		return 0;
	struct writer w = writer_of(why, why_size);
	out[strcspn(out, "\n")] = '\0';
	write_fmt(&w, "ip: %s", code < 0 ? err_text(code) : out);
	return code < 0 ? code : -EINVAL;
}

static struct addr sockaddr_addr(const struct sockaddr *sa)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	if (sa != NULL && sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		return addr_from_v4(&v4.sin_addr);
	}
	if (sa != NULL && sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		return addr_from_v6(&v6.sin6_addr);
	}
	return (struct addr){0};
}

static uint8_t mask_len(const struct addr *mask)
{
	uint8_t n = 0;
	size_t bits = mask->ver == 4 ? 32 : 128;
	while (n < bits && (mask->b[n / 8] & (0x80u >> (n % 8))) != 0)
		n++;
	return n;
}

static void cut_host_bits(struct prefix *p)
{
	size_t bits = p->addr.ver == 4 ? 32 : 128;
	for (size_t i = p->len; i < bits; i++)
		p->addr.b[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
}

static int add_prefix(struct prefix p, struct prefix *ret, size_t max, size_t *n)
{
	cut_host_bits(&p);
	for (size_t i = 0; i < *n; i++)
		if (ret[i].len == p.len && addr_eq(&ret[i].addr, &p.addr))
			return 0;
	if (*n == max)
		return SKEP_EFULL;
	ret[(*n)++] = p;
	return 0;
}

static void free_list(struct ifaddrs **list)
{
	if (*list != NULL)
		freeifaddrs(*list);
}

int link_prefixes(struct prefix *ret, size_t max, size_t *ret_n)
{
	CLEANUP(free_list) struct ifaddrs *list = NULL;
	size_t n = 0;
	int err = 0;
	if (getifaddrs(&list) < 0)
		return -errno;
	for (const struct ifaddrs *i = list; i != NULL && err == 0; i = i->ifa_next) {
		struct addr a = sockaddr_addr(i->ifa_addr), mask = sockaddr_addr(i->ifa_netmask);
		if (a.ver == 0)
			continue;
		mask.ver = a.ver;
		err = add_prefix((struct prefix){a, a.ver == 4 ? 32 : 128}, ret, max, &n);
		if (err == 0)
			err = add_prefix((struct prefix){a, mask_len(&mask)}, ret, max, &n);
	}
	if (err == 0)
		*ret_n = n;
	return err;
}

/* The number of a feature in the kernel's list, or -1. */
static int feature_index(int sock, struct ifreq *ifr, const char *feature, uint32_t *ret_n)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t count;
	} info = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
	int index = -1;
	ifr->ifr_data = (void *)&info;
	if (ioctl(sock, SIOCETHTOOL, ifr) < 0 || info.head.sset_mask == 0 || info.count > 1024)
		return -1;
	struct ethtool_gstrings *names =
		calloc(1, sizeof(*names) + (size_t)info.count * ETH_GSTRING_LEN);
	if (names == NULL)
		return -1;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = info.count;
	ifr->ifr_data = (void *)names;
	if (ioctl(sock, SIOCETHTOOL, ifr) == 0)
		for (uint32_t i = 0; i < info.count && index < 0; i++)
			if (strncmp((char *)names->data + (size_t)i * ETH_GSTRING_LEN, feature,
				    ETH_GSTRING_LEN) == 0)
				index = (int)i;
	free(names);
	*ret_n = info.count;
	return index;
}

int link_feature_off(const char *ifname, const char *feature)
{
	struct ifreq ifr = {0};
	uint32_t n = 0;
	if (!text_copy(ifr.ifr_name, sizeof(ifr.ifr_name), ifname))
		return SKEP_ERANGE;
	CLEANUP(fd_close) int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return -errno;
	int index = feature_index(sock, &ifr, feature, &n);
	if (index < 0)
		return SKEP_EUNSUPPORTED;
	size_t blocks = (n + 31) / 32;
	struct ethtool_sfeatures *set =
		calloc(1, sizeof(*set) + blocks * sizeof(struct ethtool_set_features_block));
	if (set == NULL)
		return -ENOMEM;
	set->cmd = ETHTOOL_SFEATURES;
	set->size = (uint32_t)blocks;
	set->features[index / 32].valid = 1u << (index % 32);
	ifr.ifr_data = (void *)set;
	int err = ioctl(sock, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
	free(set);
	return err;
}
