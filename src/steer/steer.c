/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the programs, hangs them up, keeps their maps as the plan says. */
#include "steer/kernel.h"
#include "steer/steer_priv.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define LOG_BYTES (64u << 10)

enum { PLACE_INNER_IN, PLACE_INNER_OUT, PLACE_UP_OUT, PLACE_UP_IN, PLACES };

struct steer {
	struct bpf_object *object;
	struct steer_set set;
	struct tc_link uplink, inner;
	struct tc_place
		places[PLACES]; /* in the order of attaching; taken off the other way round */
	int settings, beat, own, kept, flows, counters; /* maps */
	struct groups groups;
	struct steer_plan plan; /* in force */
	int n_cpus;
};

_Static_assert(sizeof(struct steer_addr) == sizeof(struct addr), "an address is an address");
_Static_assert(sizeof(struct steer_set) == 40 && sizeof(struct steer_key) == 48, "no gaps");

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

/* ---- loading ----------------------------------------------------------------------------------------- */

static int size_map(struct bpf_object *o, const char *name, uint32_t max)
{
	struct bpf_map *m = bpf_object__find_map_by_name(o, name);
	return m == NULL ? -ENOENT : bpf_map__set_max_entries(m, max);
}

/* The last words of the verifier, on one line. */
static void say_log(struct writer *w, const char *log)
{
	size_t n = strlen(log), from = n > 300 ? n - 300 : 0;
	if (n == 0)
		return;
	write_str(w, ": ");
	write_escaped(w, log + from, n - from);
}

static int load(struct bpf_object **ret, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	size_t size;
	const void *bytes = steer_programs(&size);
	char *log = calloc(1, LOG_BYTES);
	if (log == NULL)
		return -ENOMEM;
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "skep", .kernel_log_buf = log,
		    .kernel_log_size = LOG_BYTES);
	libbpf_set_print(quiet);
	struct bpf_object *o = bpf_object__open_mem(bytes, size, &opts);
	int err = o == NULL ? -errno : 0;
	/* Changes of plan add before they remove. */
	if (err == 0)
		err = size_map(o, "own", 4 * STEER_ADDRESSES);
	if (err == 0)
		err = size_map(o, "kept", 2 * STEER_PORTS);
	if (err == 0)
		err = size_map(o, "flows", STEER_HOST_FLOWS);
	if (err == 0)
		err = bpf_object__load(o);
	if (err != 0) {
		write_fmt(&w, "the kernel does not take the programs (%s)", err_text(err));
		say_log(&w, log);
		bpf_object__close(o);
	} else {
		*ret = o;
	}
	free(log);
	return err;
}

int steer_probe(char *why, size_t why_size)
{
	struct bpf_object *o = NULL;
	int err = load(&o, why, why_size);
	bpf_object__close(o);
	return err;
}

/* ---- the plan ----------------------------------------------------------------------------------------- */

static bool has_addr(const struct addr *list, uint32_t n, const struct addr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (addr_eq(&list[i], a))
			return true;
	return false;
}

static bool has_port(const struct steer_plan *p, const struct steer_port *k)
{
	for (uint32_t i = 0; i < p->n_kept; i++)
		if (p->kept[i].proto == k->proto && p->kept[i].port == k->port)
			return true;
	return false;
}

static int check_plan(const struct steer_plan *p)
{
	if (p->n_alias > STEER_ADDRESSES || p->n_shared > STEER_ADDRESSES ||
	    p->n_kept > STEER_PORTS)
		return SKEP_ERANGE;
	for (uint32_t i = 0; i < p->n_alias; i++)
		if ((p->alias[i].ver != 4 && p->alias[i].ver != 6) ||
		    has_addr(p->shared, p->n_shared, &p->alias[i]))
			return SKEP_ERANGE;
	for (uint32_t i = 0; i < p->n_shared; i++)
		if (p->shared[i].ver != 4 && p->shared[i].ver != 6)
			return SKEP_ERANGE;
	return 0;
}

static int put_addr(int map, const struct addr *a, uint32_t kind)
{
	struct steer_addr key = {.ver = a->ver};
	memcpy(key.b, a->b, a->ver == 4 ? 4 : 16);
	return bpf_map_update_elem(map, &key, &kind, BPF_ANY);
}

static int drop_addr(int map, const struct addr *a)
{
	struct steer_addr key = {.ver = a->ver};
	memcpy(key.b, a->b, a->ver == 4 ? 4 : 16);
	int err = bpf_map_delete_elem(map, &key);
	return err == -ENOENT ? 0 : err;
}

static int change_addresses(struct steer *s, const struct steer_plan *now)
{
	const struct steer_plan *was = &s->plan;
	int err = 0;
	for (uint32_t i = 0; i < now->n_alias && err == 0; i++)
		err = put_addr(s->own, &now->alias[i], STEER_ALIAS);
	for (uint32_t i = 0; i < now->n_shared && err == 0; i++)
		err = put_addr(s->own, &now->shared[i], STEER_SHARED);
	for (uint32_t i = 0; i < was->n_alias + was->n_shared && err == 0; i++) {
		const struct addr *a =
			i < was->n_alias ? &was->alias[i] : &was->shared[i - was->n_alias];
		if (!has_addr(now->alias, now->n_alias, a) &&
		    !has_addr(now->shared, now->n_shared, a))
			err = drop_addr(s->own, a);
	}
	return err;
}

static int change_ports(struct steer *s, const struct steer_plan *now)
{
	uint32_t one = 1;
	int err = 0;
	for (uint32_t i = 0; i < now->n_kept && err == 0; i++) {
		uint32_t key = steer_kept_key(now->kept[i].proto, now->kept[i].port);
		err = bpf_map_update_elem(s->kept, &key, &one, BPF_ANY);
	}
	for (uint32_t i = 0; i < s->plan.n_kept && err == 0; i++) {
		const struct steer_port *k = &s->plan.kept[i];
		uint32_t key = steer_kept_key(k->proto, k->port);
		if (has_port(now, k))
			continue;
		err = bpf_map_delete_elem(s->kept, &key);
		err = err == -ENOENT ? 0 : err;
	}
	return err;
}

/* The link's own address now; only Ethernet has one that we can use. */
static int link_mac(int link, uint8_t ret[6])
{
	struct ifreq r = {0};
	CLEANUP(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (if_indextoname((unsigned)link, r.ifr_name) == NULL || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		return -errno;
	if (r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return SKEP_EUNSUPPORTED;
	memcpy(ret, r.ifr_hwaddr.sa_data, 6);
	return 0;
}

static int put_settings(struct steer *s)
{
	uint32_t zero = 0;
	int err = link_mac(s->uplink.index, s->set.mac);
	return err != 0 ? err : bpf_map_update_elem(s->settings, &zero, &s->set, BPF_ANY);
}

int steer_change(struct steer *s, const struct steer_plan *plan)
{
	int err = check_plan(plan);
	if (err == 0)
		err = put_settings(s);
	if (err == 0) /* ports first: a new address of the host comes with its ports */
		err = change_ports(s, plan);
	if (err == 0)
		err = change_addresses(s, plan);
	if (err == 0 && !s->set.bridge)
		err = groups_change(&s->groups, &s->plan, plan);
	if (err == 0)
		s->plan = *plan;
	return err;
}

static int put_flows(struct steer *s, const struct steer_flow *flows, size_t n)
{
	uint64_t now = (uint64_t)clock_boot_ns();
	int err = 0;
	for (size_t i = 0; i < n && err == 0; i++) {
		const struct steer_flow *f = &flows[i];
		struct steer_key key = {.proto = f->proto,
					.local_port = f->local_port,
					.remote_port = f->remote_port,
					.local.ver = f->local.ver,
					.remote.ver = f->remote.ver};
		memcpy(key.local.b, f->local.b, f->local.ver == 4 ? 4 : 16);
		memcpy(key.remote.b, f->remote.b, f->remote.ver == 4 ? 4 : 16);
		err = bpf_map_update_elem(s->flows, &key, &now, BPF_ANY);
	}
	return err;
}

/* ---- opening and closing ------------------------------------------------------------------------------ */

static int find_maps(struct steer *s)
{
	struct {
		const char *name;
		int *fd;
	} maps[] = {{"settings", &s->settings}, {"beat", &s->beat},   {"own", &s->own},
		    {"kept", &s->kept},         {"flows", &s->flows}, {"counters", &s->counters}};
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		*maps[i].fd = bpf_object__find_map_fd_by_name(s->object, maps[i].name);
		if (*maps[i].fd < 0)
			return *maps[i].fd;
	}
	s->n_cpus = libbpf_num_possible_cpus();
	return s->n_cpus < 0 ? s->n_cpus : 0;
}

static int find_places(struct steer *s)
{
	static const char *const names[PLACES] = {
		[PLACE_INNER_IN] = "skep_wall",
		[PLACE_INNER_OUT] = "skep_inner",
		[PLACE_UP_OUT] = "skep_out",
		[PLACE_UP_IN] = "skep_in",
	};
	for (unsigned i = 0; i < PLACES; i++) {
		struct tc_place *p = &s->places[i];
		struct bpf_program *prog = bpf_object__find_program_by_name(s->object, names[i]);
		if (prog == NULL)
			return -ENOENT;
		p->prog = bpf_program__fd(prog);
		p->link = i == PLACE_INNER_IN || i == PLACE_INNER_OUT ? &s->inner : &s->uplink;
		p->point = i == PLACE_INNER_IN || i == PLACE_UP_IN ? BPF_TC_INGRESS : BPF_TC_EGRESS;
	}
	return 0;
}

static int put_places(struct steer *s, struct writer *w)
{
	int err = tc_prepare(&s->inner);
	if (err == 0)
		err = tc_prepare(&s->uplink);
	if (err == -EBUSY)
		write_str(w, "there is an ingress queueing discipline of the older kind: `tc qdisc "
			     "show`");
	else if (err != 0)
		write_fmt(w, "no clsact queueing discipline to be had: %s", err_text(err));
	for (unsigned i = 0; i < PLACES && err == 0; i++) {
		err = tc_put(&s->places[i]);
		if (err == -EEXIST)
			write_str(
				w,
				"a skep is at work there, or left its programs when it was killed");
		else if (err != 0)
			write_fmt(w,
				  "somebody's classifier has the place (priority 1) that ours "
				  "need: %s",
				  err_text(err));
	}
	return err;
}

static int set_up(struct steer *s, const struct steer_plan *plan, const struct steer_flow *flows,
		  size_t n_flows, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	int err = load(&s->object, why, why_size);
	if (err != 0)
		return err;
	err = find_maps(s);
	if (err == 0)
		err = find_places(s);
	if (err == 0)
		err = groups_open(s->uplink.index, s->set.bridge, &s->groups);
	if (err == 0)
		err = steer_change(s, plan);
	if (err == 0)
		err = put_flows(s, flows, n_flows);
	if (err != 0) {
		write_fmt(&w, "%s",
			  err == SKEP_EUNSUPPORTED ? "the uplink is no Ethernet link"
						   : err_text(err));
		return err;
	}
	return put_places(s, &w);
}

int steer_open(enum steer_form form, const char *uplink, const char *inner,
	       const struct steer_plan *plan, const struct steer_flow *flows, size_t n_flows,
	       struct steer **ret, char *why, size_t why_size)
{
	struct writer w = writer_of(why, why_size);
	unsigned up = if_nametoindex(uplink), in = if_nametoindex(inner);
	if (up == 0 || in == 0) {
		write_fmt(&w, "no link %s", up == 0 ? uplink : inner);
		return -ENODEV;
	}
	struct steer *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->uplink.index = (int)up;
	s->inner.index = (int)in;
	s->groups.packet = s->groups.reports = -1;
	s->set = (struct steer_set){.silence_ns = STEER_SILENCE_S * (uint64_t)NS_PER_SEC,
				    .host_idle_ns = STEER_HOST_IDLE_S * (uint64_t)NS_PER_SEC,
				    .bridge = form == STEER_BRIDGE,
				    .inner = in,
				    .uplink = up};
	/* Nobody else on this host uses that mark, and nobody can guess it. */
	random_fill(&s->set.mark, sizeof(s->set.mark));
	s->set.mark |= 1;
	int err = set_up(s, plan, flows, n_flows, why, why_size);
	if (err != 0)
		steer_close(s);
	else
		*ret = s;
	return err;
}

void steer_close(struct steer *s)
{
	if (s == NULL)
		return;
	for (unsigned i = PLACES; i-- > 0;)
		tc_drop(&s->places[i]);
	tc_leave(&s->uplink);
	tc_leave(&s->inner);
	groups_close(&s->groups);
	bpf_object__close(s->object);
	free(s);
}

int steer_clean(const char *uplink)
{
	unsigned link = if_nametoindex(uplink);
	libbpf_set_print(quiet);
	return link == 0 ? 0 : tc_clean((int)link);
}

void steer_unguard(const char *uplink)
{
	unsigned link = if_nametoindex(uplink);
	libbpf_set_print(quiet);
	if (link != 0)
		tc_unguard((int)link);
}

/* ---- while it runs -------------------------------------------------------------------------------------- */

void steer_beat(struct steer *s, int64_t now_boot_ns)
{
	uint32_t zero = 0;
	uint64_t now = (uint64_t)now_boot_ns;
	(void)bpf_map_update_elem(s->beat, &zero, &now, BPF_ANY);
}

uint32_t steer_mark(const struct steer *s)
{
	return s->set.mark;
}

int steer_check(const struct steer *s)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (tc_check(&s->places[i]) != 0)
			return -ENOENT;
	return 0;
}

/* One counter over all processors. */
static uint64_t total(const struct steer *s, uint32_t which)
{
	uint64_t sum = 0, *each = calloc((size_t)s->n_cpus, sizeof(*each));
	if (each != NULL && bpf_map_lookup_elem(s->counters, &which, each) == 0)
		for (int i = 0; i < s->n_cpus; i++)
			sum += each[i];
	free(each);
	return sum;
}

void steer_read(const struct steer *s, struct steer_stats *ret)
{
	*ret = (struct steer_stats){.in_wall = total(s, STEER_IN_WALL),
				    .in_host = total(s, STEER_IN_HOST),
				    .in_dead = total(s, STEER_IN_DEAD),
				    .out_wall = total(s, STEER_OUT_WALL),
				    .out_fenced = total(s, STEER_OUT_FENCED),
				    .out_host = total(s, STEER_OUT_HOST),
				    .out_stopped = total(s, STEER_OUT_STOPPED)};
}
