/* SPDX-License-Identifier: BSD-2-Clause */
/* What `skep scrub` says. */
#include "cmd/cmd.h"
#include "cmd/wall/scrub.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- alerts ----------------------------------------------------------------------------------------- */

static void write_end(struct writer *w, const struct addr *a, uint16_t port, bool ports)
{
	char text[ADDR_TEXT];
	if (a->ver == 0)
		write_str(w, "-");
	else if (!ports)
		write_str(w, addr_text(a, text));
	else
		write_fmt(w, a->ver == 6 ? "[%s]:%u" : "%s:%u", addr_text(a, text), port);
}

void scrub_print_alert(FILE *out, const struct event *e)
{
	const struct event_alert *a = &e->u.alert;
	char line[EVENT_TEXT * 4 + 512], time[EVENT_TIME], proto[EVENT_PROTO];
	struct writer w = writer_of(line, sizeof(line));
	bool ports = a->tuple.proto == 6 || a->tuple.proto == 17 || a->tuple.proto == 132;
	const char *what = !a->blocked                     ? "alert"
			   : e->verdict == VERDICT_REWRITE ? "rewritten"
							   : "blocked";
	write_fmt(&w, "%s %s %u:%u:%u \"", event_time_text(e->time_ns, time), what, a->gid, a->sid,
		  a->rev);
	write_escaped(&w, e->text, strnlen(e->text, sizeof(e->text)));
	write_fmt(&w, "\" %s ", event_proto_text(a->tuple.proto, proto));
	write_end(&w, &a->tuple.src, a->tuple.sport, ports);
	write_str(&w, " -> ");
	write_end(&w, &a->tuple.dst, a->tuple.dport, ports);
	fprintf(out, "%s\n", line);
}

/* ---- counters --------------------------------------------------------------------------------------- */

static unsigned long long number(uint64_t n)
{
	return (unsigned long long)n;
}

static void print_reasons(FILE *out, const struct wall_stats *s)
{
	const char *before = "";
	for (unsigned i = 0; i < REASONS && i < ARRAY_LEN(s->reasons); i++) {
		if (s->reasons[i] == 0 || i == REASON_NONE)
			continue;
		fprintf(out, "%s%s %llu", before, reason_text((enum reason)i),
			number(s->reasons[i]));
		before = ", ";
	}
	if (before[0] != '\0')
		fputc('\n', out);
}

void scrub_print_counters(FILE *out, const struct wall_stats *s, int64_t seconds, bool ids)
{
	const struct wall_rules *r = &s->rules;
	char size[32], memory[32], limit[32];
	struct writer a = writer_of(size, sizeof(size)), b = writer_of(memory, sizeof(memory)),
		      c = writer_of(limit, sizeof(limit));
	text_bytes(&a, s->bytes);
	text_bytes(&b, r->memory);
	text_bytes(&c, r->memory_limit);
	fprintf(out, "%llu frames (%s) in %lld s, %llu passed, %llu stopped\n", number(s->frames),
		size, (long long)seconds, number(s->forwarded),
		number(s->frames - s->forwarded < s->frames ? s->frames - s->forwarded : 0));
	fprintf(out,
		"%llu rules%s, %llu reloads, %llu alerts; frames: %llu dropped, %llu rejected, "
		"%llu rewritten\n",
		number(r->in_force), ids ? " (only watching)" : "", number(r->swaps),
		number(r->alerts), number(r->dropped), number(r->rejected), number(r->rewritten));
	fprintf(out,
		"%llu replacements, %llu too late; %llu times bytes waited, %llu in vain; %llu "
		"frames set right\n",
		number(r->edits), number(r->late), number(r->held), number(r->held_timeout),
		number(r->normalised));
	fprintf(out, "%llu conversations, memory %s of %s, %llu requests refused\n",
		number(r->flows), memory, limit, number(r->memory_refused));
	for (unsigned i = 0; i < 2; i++)
		fprintf(out,
			"%s: %llu in, %llu out, %llu lost by the kernel, %llu could not be sent\n",
			s->ports[i].name, number(s->ports[i].rx_frames),
			number(s->ports[i].tx_frames), number(s->ports[i].kernel_drops),
			number(s->ports[i].send_failed));
	print_reasons(out, s);
	fflush(out);
}

/* ---- interfaces ------------------------------------------------------------------------------------- */

/* Link-local ones of IPv6 come by themselves and disturb nobody. */
static bool has_address(const char *ifname)
{
	struct ifaddrs *all = NULL;
	bool found = false;
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next)
		found = i->ifa_addr != NULL && i->ifa_addr->sa_family == AF_INET &&
			strcmp(i->ifa_name, ifname) == 0;
	freeifaddrs(all);
	return found;
}

static bool has_master(const char *ifname)
{
	char path[IFNAMSIZ + 32];
	struct writer w = writer_of(path, sizeof(path));
	write_fmt(&w, "/sys/class/net/%s/master", ifname);
	return access(path, F_OK) == 0;
}

int scrub_check_link(const char *ifname)
{
	struct ifreq r = {.ifr_flags = 0};
	CLEANUP(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!text_copy(r.ifr_name, sizeof(r.ifr_name), ifname) || ifname[0] == '\0')
		return cmd_fail(2, "scrub: '%s' is no name of an interface", ifname);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return cmd_fail(1, "scrub: %s: %s (`ip link` lists the interfaces)", ifname,
				strerror(errno));
	if ((r.ifr_flags & IFF_UP) == 0)
		return cmd_fail(1, "scrub: %s is down: ip link set %s up", ifname, ifname);
	if (has_master(ifname))
		return cmd_fail(
			1,
			"scrub: %s is part of a bridge or bond, which forwards by itself, past "
			"the rules: ip link set %s nomaster",
			ifname, ifname);
	if (has_address(ifname))
		cmd_fail(0,
			 "scrub: note: %s has an address: this host itself answers there as well, "
			 "and "
			 "may forward past the rules: ip addr flush dev %s",
			 ifname, ifname);
	return 0;
}
