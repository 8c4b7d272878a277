/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every setting, once. Reading, checking, defaults, the example, the JSON Schema and the reference
 * page all come from these tables; so do the tests of defaults and limits.
 */
#include "conf/rows_priv.h"

#define AT(member) FIELD(struct conf, member)
#define GUEST(member) FIELD(struct conf_guest, member)
#define FORWARD(member) FIELD(struct conf_forward, member)
#define POLICY(member) FIELD(struct conf_policy, member)
#define RUN_DIR_MAX (sizeof("/control.sock") + 1) /* socket addresses hold 108 bytes */
#define LIMIT_MAX 4096

static const struct row_choice mode_choices[] = {
	{"lab", MODE_LAB}, {"nat", MODE_NAT}, {"bridge", MODE_BRIDGE}, {NULL, 0}};
static const struct row_choice accel_choices[] = {
	{"auto", ACCEL_AUTO}, {"kvm", ACCEL_KVM}, {"tcg", ACCEL_TCG}, {NULL, 0}};
static const struct row_choice rules_choices[] = {
	{"inline", RULES_INLINE}, {"ids", RULES_IDS}, {"off", RULES_OFF}, {NULL, 0}};
static const struct row_choice kind_choices[] = {
	{"honeypot", GUEST_HONEYPOT}, {"loghost", GUEST_LOGHOST}, {NULL, 0}};
static const struct row_choice proto_choices[] = {{"tcp", 6}, {"udp", 17}, {NULL, 0}};

static const struct row_choice policy_protos[] = {
	{"any", 0}, {"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"other", CONF_OTHER}, {NULL, 0}};
static const struct row_choice to_choices[] = {{"any", TO_ANY},
					       {"outside", TO_OUTSIDE},
					       {"lateral", TO_LATERAL},
					       {"resolver", TO_RESOLVER},
					       {NULL, 0}};
static const struct row_choice act_choices[] = {
	{"forward", ACT_FORWARD},   {"limit", ACT_LIMIT},
	{"drop", ACT_DROP},         {"reject", ACT_REJECT},
	{"redirect", ACT_REDIRECT}, {"reflect", ACT_REFLECT},
	{"rewrite", ACT_REWRITE},   {NULL, 0}};
static const struct row_choice per_choices[] = {
	{"guest", PER_GUEST}, {"proto", PER_PROTO}, {"destination", PER_DESTINATION}, {NULL, 0}};

const struct row_group conf_groups[] = {
	{"network", "What guests see as their network."},
	{"uplink", "The real wire, in modes nat and bridge."},
	{"wall", "The wall: every frame between any two ports passes here, or nowhere."},
	{"wall.limits", "New conversations a guest may begin, in any period of the given length."},
	{"wall.caps", "How fast a guest may send, whatever it was allowed to begin."},
	{"rules", "Rules of Suricata or Snort that every frame at the wall is held against."},
	{"recorder", "Packet captures: pcapng files in a ring."},
	{"store", "Event files and databases."},
	{"sessions", "What happens inside guests: recordings, commands, files, syslog lines."},
	{"loghost", "The hidden log host."},
	{"sink", "Where contained traffic ends: servers that listen and do nothing."},
	{"sink.dns", "The name server that guests see."},
	{"lab", "The fake Internet of mode lab."},
	{"alerts", "Who is told of what happens: see [ALERTS.md](ALERTS.md)."},
};
const size_t conf_groups_n = ARRAY_LEN(conf_groups);

/* clang-format off */
const struct row conf_rows[] = {
	{"mode", ROW_ENUM, AT(mode), .text = "lab", .choices = mode_choices,
	 .help = "where the outside is: a namespace of this machine with a small fake Internet (lab), routed addresses (nat) or a network card (bridge)"},
	{"accel", ROW_ENUM, AT(accel), .text = "auto", .choices = accel_choices,
	 .help = "how guests run; auto takes KVM only where a probe guest really reaches user space in it"},
	{"name", ROW_NAME, AT(name), .min = 1, .max = CONF_NAME - sizeof("-lab"), .text = "skep",
	 .help = "name of this installation and of its network namespaces"},
	{"sensor", ROW_NAME, AT(sensor), .min = 1, .max = CONF_NAME - 1, .text = "skep",
	 .help = "name that events carry as their host"},
	{"state_dir", ROW_PATH, AT(state_dir), .min = 2, .max = 90, .text = "/var/lib/skep",
	 .help = "folder of what must be kept: events, captures, guests"},
	{"run_dir", ROW_PATH, AT(run_dir), .min = 2, .max = 108 - RUN_DIR_MAX, .text = "/run/skep",
	 .help = "folder of what lives as long as the honeynet runs: control socket, limit state"},
	{"cache_dir", ROW_PATH, AT(cache_dir), .min = 2, .max = 90, .text = "/var/cache/skep",
	 .help = "folder of what can be built again: images"},
	{"uid_base", ROW_UINT, AT(uid_base), .min = 10000, .max = 2000000000, .text = "52700",
	 .help = "first of the numeric users that roles and guests run as; none is created"},

	{"network.inside", ROW_PREFIX, AT(network.inside), .min = 4, .max = 30, .text = "10.99.0.0/24",
	 .help = "IPv4 network of the guests"},
	{"network.inside6", ROW_PREFIX, AT(network.inside6), .min = 6, .max = 126, .text = "2001:db8:113::/64",
	 .help = "IPv6 network of the guests"},
	{"network.gateway", ROW_ADDR, AT(network.gateway), .min = 4, .text = "10.99.0.1",
	 .help = "router that guests see; the wall answers for it"},
	{"network.gateway6", ROW_ADDR, AT(network.gateway6), .min = 6, .text = "fe80::1",
	 .help = "the same for IPv6"},
	{"network.resolver", ROW_ADDR, AT(network.resolver), .min = 4, .text = "192.0.2.53", .empty = "none",
	 .help = "name server that guests are told; only this one has the dns budget"},
	{"network.resolver6", ROW_ADDR, AT(network.resolver6), .min = 6, .text = "none", .empty = "none",
	 .help = "the same over IPv6"},
	{"network.gateway_mac", ROW_MAC, AT(network.gateway_mac), .text = "02:4c:1f:9a:00:01",
	 .help = "link address of the router that guests see"},

	{"uplink.interface", ROW_LINK, AT(uplink.interface), .min = 1, .max = CONF_LINK - 1, .text = "auto",
	 .help = "link to the real network; auto: that of the default route (nat); bridge: must be named, and becomes the honeynet's alone"},
	{"uplink.keep", ROW_TEXTS, AT(uplink.keep), COUNT(struct conf, uplink.n_keep), .item = CONF_KEEP_TEXT,
	 .min = 5, .max = CONF_KEEP_TEXT - 1, .text = "",
	 .help = "ports such as tcp/2222 that stay the host's where a guest shares its address, on top of those that listen when the honeynet starts; ports that only rules publish (Docker without its proxy) must be named"},
	{"uplink.confirm", ROW_DURATION, AT(uplink.confirm_ns), .min = 10 * SECOND, .max = HOUR, .text = "2m",
	 .help = "a start on the real wire that nobody confirms from a new connection (`skep up --confirm`) is rolled back after this"},

	{"wall.flows", ROW_UINT, AT(wall.flows), .min = 1024, .max = 4194304, .text = "65536",
	 .unit = "conversations", .help = "capacity of the flow table"},
	{"wall.event_rate", ROW_UINT, AT(wall.event_rate), .min = 1, .max = 100000, .text = "500",
	 .unit = "events a second", .help = "connection and flow events beyond this rate are summed up",
	 .live = true},
	{"wall.off_limits", ROW_PREFIXES, AT(wall.off_limits), COUNT(struct conf, wall.n_off_limits),
	 .text = "", .help = "networks no guest may reach, on top of the built-in list", .live = true},
	{"wall.allowed", ROW_PREFIXES, AT(wall.allowed), COUNT(struct conf, wall.n_allowed),
	 .text = "", .help = "exceptions to the off-limits networks", .live = true},
	{"wall.fence", ROW_PREFIXES, AT(wall.fence), COUNT(struct conf, wall.n_fence),
	 .text = "", .help = "networks nothing is exchanged with, whatever the policy says", .live = true},
	{"wall.ignore", ROW_PREFIXES, AT(wall.ignore), COUNT(struct conf, wall.n_ignore),
	 .text = "", .help = "networks whose inbound conversations are dropped silently, and counted", .live = true},
	{"wall.tcp_idle", ROW_DURATION, AT(wall.tcp_idle_ns), .min = 10 * SECOND, .max = 7 * DAY,
	 .text = "1h", .help = "a silent TCP conversation is forgotten after this", .live = true},
	{"wall.udp_idle", ROW_DURATION, AT(wall.udp_idle_ns), .min = SECOND, .max = HOUR,
	 .text = "1m", .help = "the same for UDP and other protocols", .live = true},
	{"wall.icmp_idle", ROW_DURATION, AT(wall.icmp_idle_ns), .min = SECOND, .max = HOUR,
	 .text = "30s", .help = "the same for ICMP", .live = true},
	{"wall.half_open", ROW_DURATION, AT(wall.half_open_ns), .min = SECOND, .max = 10 * MINUTE,
	 .text = "20s", .help = "a TCP conversation that nobody answered is forgotten after this", .live = true},

	{"wall.limits.tcp", ROW_LIMIT, AT(wall.limits.tcp), .max = LIMIT_MAX, .text = "20/1h", .empty = "none",
	 .help = "outbound TCP connections", .live = true},
	{"wall.limits.udp", ROW_LIMIT, AT(wall.limits.udp), .max = LIMIT_MAX, .text = "20/1h", .empty = "none",
	 .help = "outbound UDP conversations", .live = true},
	{"wall.limits.icmp", ROW_LIMIT, AT(wall.limits.icmp), .max = LIMIT_MAX, .text = "50/1h", .empty = "none",
	 .help = "outbound ICMP conversations (peer and id)", .live = true},
	{"wall.limits.other", ROW_LIMIT, AT(wall.limits.other), .max = LIMIT_MAX, .text = "10/1h", .empty = "none",
	 .help = "outbound conversations of any other protocol", .live = true},
	{"wall.limits.dns", ROW_LIMIT, AT(wall.limits.dns), .max = LIMIT_MAX, .text = "600/1h", .empty = "none",
	 .help = "queries to network.resolver", .live = true},
	{"wall.limits.lateral", ROW_LIMIT, AT(wall.limits.lateral), .max = LIMIT_MAX, .text = "60/1h", .empty = "none",
	 .help = "conversations between honeypots", .live = true},
	{"wall.limits.neigh", ROW_LIMIT, AT(wall.limits.neigh), .max = LIMIT_MAX, .text = "300/1m", .empty = "none",
	 .help = "ARP and neighbour discovery messages", .live = true},

	{"wall.caps.guest_pps", ROW_UINT, AT(wall.caps.guest_pps), .max = 10000000, .text = "2000", .empty = "none",
	 .unit = "packets a second", .help = "packets a guest may send outwards", .live = true},
	{"wall.caps.guest_bytes", ROW_BYTES, AT(wall.caps.guest_bytes), .max = 10 * GB, .text = "4MB", .empty = "none",
	 .unit = "a second", .help = "bytes a guest may send outwards", .live = true},
	{"wall.caps.flow_pps", ROW_UINT, AT(wall.caps.flow_pps), .max = 10000000, .text = "1000", .empty = "none",
	 .unit = "packets a second", .help = "packets a guest may send in one conversation", .live = true},
	{"wall.caps.flow_bytes", ROW_BYTES, AT(wall.caps.flow_bytes), .max = 10 * GB, .text = "2MB", .empty = "none",
	 .unit = "a second", .help = "bytes a guest may send in one conversation", .live = true},

	{"rules.mode", ROW_ENUM, AT(rules.mode), .text = "inline", .choices = rules_choices,
	 .help = "inline: rules drop, reject and change what passes; ids: they only tell; off: nothing is held against rules"},
	{"rules.files", ROW_TEXTS, AT(rules.files), COUNT(struct conf, rules.n_files), .item = CONF_PATH,
	 .min = 1, .max = CONF_PATH - 1, .text = "builtin",
	 .help = "files, folders (all *.rules and *.config in them) or patterns such as /etc/skep/*.rules; builtin: the rules that come with skep; `skep rules reload` takes what has changed",
	 .live = true},
	{"rules.vars", ROW_TEXTS, AT(rules.vars), COUNT(struct conf, rules.n_vars), .item = CONF_RULE_VAR,
	 .min = 3, .max = CONF_RULE_VAR - 1, .text = "",
	 .help = "variables, each as NAME=value; HOME_NET is the guests' networks unless it is given here, EXTERNAL_NET is any, ports are the usual ones",
	 .live = true},
	{"rules.memory", ROW_BYTES, AT(rules.memory_bytes), .min = 16 * MB, .max = 1024 * GB, .text = "512MB",
	 .help = "memory for what is remembered of all conversations together; what it can't take in does not pass"},
	{"rules.hold", ROW_DURATION, AT(rules.hold_ns), .min = 1000000, .max = 5 * SECOND, .text = "200ms",
	 .help = "how long the possible beginning of something that a rule replaces waits for the rest"},

	{"recorder.enabled", ROW_BOOL, AT(recorder.on), .text = "true",
	 .help = "record packets at all"},
	{"recorder.disk", ROW_BYTES, AT(recorder.disk_bytes), .min = 16 * MB, .max = 65536 * GB, .text = "2GB",
	 .help = "disk budget of all captures together; the oldest go first"},
	{"recorder.file", ROW_BYTES, AT(recorder.file_bytes), .min = MB, .max = 16 * GB, .text = "64MB",
	 .help = "a new file is begun at this size"},
	{"recorder.age", ROW_DURATION, AT(recorder.file_age_ns), .min = 10 * SECOND, .max = 7 * DAY, .text = "1h",
	 .help = "a new file is begun at this age"},
	{"recorder.ring", ROW_BYTES, AT(recorder.ring_bytes), .min = 256 * KB, .max = GB, .text = "4MB",
	 .help = "kernel memory that buffers the packets of each port"},

	{"store.keep_days", ROW_UINT, AT(store.keep_days), .min = 1, .max = 3650, .text = "30",
	 .unit = "days", .help = "events older than this are deleted"},
	{"store.disk", ROW_BYTES, AT(store.disk_bytes), .min = 16 * MB, .max = 65536 * GB, .text = "2GB",
	 .help = "disk budget of events; the oldest days go first"},
	{"store.incident_quiet", ROW_DURATION, AT(store.incident_quiet_ns), .min = 10 * SECOND, .max = 7 * DAY,
	 .text = "30m", .help = "an incident ends after this silence of its intruder"},

	{"sessions.enabled", ROW_BOOL, AT(sessions.on), .text = "true",
	 .help = "keep what guests tell of themselves: visits to replay, commands, files, syslog lines"},
	{"sessions.wire", ROW_BOOL, AT(sessions.wire), .text = "true",
	 .help = "also what is said in clear text on the wire: telnet, FTP, SMTP, shells on any port"},
	{"sessions.keep_days", ROW_UINT, AT(sessions.keep_days), .min = 1, .max = 3650, .text = "90",
	 .unit = "days", .help = "older recordings and syslog lines are deleted"},
	{"sessions.disk", ROW_BYTES, AT(sessions.disk_bytes), .min = 16 * MB, .max = 65536 * GB, .text = "1GB",
	 .help = "disk budget of recordings and syslog lines; the oldest days go first"},
	{"sessions.recording", ROW_BYTES, AT(sessions.session_bytes), .min = 64 * KB, .max = GB, .text = "16MB",
	 .help = "one recording is cut at this size"},
	{"sessions.files", ROW_BYTES, AT(sessions.files_bytes), .min = MB, .max = 65536 * GB, .text = "1GB",
	 .help = "disk budget of files that were fetched or uploaded; the oldest go first"},
	{"sessions.file", ROW_BYTES, AT(sessions.file_bytes), .min = 64 * KB, .max = GB, .text = "32MB",
	 .help = "of a longer file only this much is kept"},

	{"loghost.tls", ROW_BOOL, AT(loghost.tls), .text = "false",
	 .help = "what honeypots log goes over TLS; the host then has no copy of that, which skep status says"},

	{"sink.enabled", ROW_BOOL, AT(sink.on), .text = "true",
	 .help = "run the sink: the guests' name server, and servers that contained traffic is sent to"},
	{"sink.connections", ROW_UINT, AT(sink.connections), .min = 16, .max = CONF_SINK_CONNECTIONS, .text = "512",
	 .unit = "connections", .help = "TCP connections to the sink at a time; a guest has at most a quarter"},
	{"sink.bytes", ROW_BYTES, AT(sink.bytes), .min = 4 * KB, .max = 64 * MB, .text = "256KB",
	 .help = "bytes read from one connection to the sink, then it ends"},
	{"sink.idle", ROW_DURATION, AT(sink.idle_ns), .min = SECOND, .max = HOUR, .text = "1m",
	 .help = "a silent connection to the sink ends after this; any one after ten times as long"},
	{"sink.dns.upstream", ROW_ADDR, AT(sink.dns_upstream), .text = "none", .empty = "none",
	 .help = "the operator's resolver, asked by the host for what guests ask; none: answers are made up, in mode lab the lab's name server gives them"},
	{"sink.dns.budget", ROW_UINT, AT(sink.dns_budget), .max = 1000, .text = "120",
	 .unit = "queries a minute", .help = "DNS queries of a guest that are answered in any minute"},

	{"lab.intruder", ROW_ADDR, AT(lab.intruder), .min = 4, .text = "198.51.100.66", .help = "the intruder's address"},
	{"lab.intruder6", ROW_ADDR, AT(lab.intruder6), .min = 6, .text = "2001:db8:66::66", .help = "the same over IPv6"},
	{"lab.web", ROW_ADDR, AT(lab.web), .min = 4, .text = "192.0.2.80", .help = "web server of the fake Internet"},
	{"lab.web6", ROW_ADDR, AT(lab.web6), .min = 6, .text = "2001:db8:80::80", .help = "the same over IPv6"},
	{"lab.dns", ROW_ADDR, AT(lab.dns), .min = 4, .text = "192.0.2.53", .help = "name server of the fake Internet"},
	{"lab.router", ROW_ADDR, AT(lab.router), .min = 4, .text = "203.0.113.1", .help = "next hop outside, on a network of 24 bits"},
	{"lab.router6", ROW_ADDR, AT(lab.router6), .min = 6, .text = "2001:db8:113::1", .help = "the same over IPv6, on a network of 64 bits"},
	{"lab.services", ROW_BOOL, AT(lab.services), .text = "true", .help = "run the web and name server of the fake Internet"},

	{"alerts.enabled", ROW_BOOL, AT(alerts.on), .text = "true",
	 .help = "decide what is worth somebody's attention, and tell the destinations"},
	{"alerts.incidents", ROW_BOOL, AT(alerts.incidents), .text = "true", .live = true,
	 .help = "a digest when an incident is over, if anything of it was held back"},
	{"alerts.digest", ROW_TEXT, AT(alerts.digest), .form = &form_clock, .min = 5, .max = 5, .text = "07:00",
	 .empty = "none", .live = true, .help = "local time of the day's digest"},
	{"alerts.heartbeat", ROW_DURATION, AT(alerts.heartbeat_ns), .min = 5 * SECOND, .max = DAY, .text = "1m", .live = true,
	 .help = "how often destinations with `watch` hear that this machine is alive"},
	{"alerts.give_up", ROW_DURATION, AT(alerts.give_up_ns), .min = MINUTE, .max = 90 * DAY, .text = "7d", .live = true,
	 .help = "a message that can't be delivered for so long is given up, and that is told"},
	{"alerts.new_source", ROW_DURATION, AT(alerts.new_source_ns), .min = MINUTE, .max = 365 * DAY, .text = "7d", .live = true,
	 .help = "a source is new when it was not seen for so long"},
	{"alerts.location", ROW_TEXT, AT(alerts.location), .form = &form_location, .min = 2, .max = CONF_PATH - 1,
	 .text = "auto", .empty = "none", .live = true,
	 .help = "where countries and AS are looked up: a database of libloc or a .mmdb on this machine; auto: libloc's, if it is installed"},
	{"alerts.names", ROW_PATH, AT(alerts.names), .min = 2, .max = CONF_PATH - 1, .text = "none", .empty = "none", .live = true,
	 .help = "names of addresses, in the form of hosts(5); nobody is ever asked for a name"},
	{"alerts.quiet_own", ROW_BOOL, AT(alerts.quiet_own), .text = "true", .live = true,
	 .help = "the built-in quiet rules: the guests' own DNS, ident, NTP, our own probes"},
};
const size_t conf_rows_n = ARRAY_LEN(conf_rows);

const struct row conf_guest_rows[] = {
	{"name", ROW_NAME, GUEST(name), .min = 1, .max = CONF_NAME - 1, .text = "",
	 .help = "unique name of the guest; must be given"},
	{"kind", ROW_ENUM, GUEST(kind), .text = "honeypot", .text_other = "loghost", .choices = kind_choices,
	 .help = "honeypot: meant to be broken into; loghost: takes their logs and may begin nothing"},
	{"class", ROW_NAME, GUEST(class), .min = 1, .max = CONF_NAME - 1, .text = "honeypot", .text_other = "loghost",
	 .help = "name by which rules of the policy may mean it together with others"},
	{"monitor", ROW_BOOL, GUEST(monitor), .text = "true",
	 .help = "give it the serial port by which the monitor in its image reports what happens inside"},
	{"roach_motel", ROW_BOOL, GUEST(roach_motel), .text = "false",
	 .help = "in, but never out: it may begin nothing but its syslog"},
	{"shared", ROW_BOOL, GUEST(shared), .text = "false",
	 .help = "mode nat: it has the host's own address (the uplink's first of each kind), but for the ports that stay the host's"},
	{"image", ROW_NAME, GUEST(image), .min = 1, .max = CONF_NAME - 1, .text = "debian", .text_other = "loghost",
	 .help = "image it starts from (`skep image list`); none: no machine, a bare port for tests"},
	{"memory", ROW_BYTES, GUEST(memory_bytes), .min = 64 * MB, .max = 256 * GB, .text = "384MB",
	 .text_other = "96MB", .help = "its memory"},
	{"overlay_max", ROW_BYTES, GUEST(overlay_max_bytes), .min = 64 * MB, .max = 65536 * GB, .text = "4GB",
	 .help = "what it may write to its disk before it is paused"},
	{"tb_size", ROW_UINT, GUEST(tb_size_mb), .min = 8, .max = 2048, .text = "64", .text_other = "32",
	 .unit = "MB", .help = "QEMU's translation cache, without KVM"},
	{"mac", ROW_MAC, GUEST(mac), .text = "auto", .empty = "auto",
	 .help = "link address; auto: drawn at first start and kept"},
	{"inside", ROW_ADDR, GUEST(inside), .min = 4, .text = "none", .empty = "none",
	 .help = "its own IPv4 address, in network.inside"},
	{"public", ROW_ADDR, GUEST(public), .min = 4, .text = "none", .empty = "none",
	 .help = "address the outside knows it by, translated one to one"},
	{"inside6", ROW_ADDR, GUEST(inside6), .min = 6, .text = "none", .empty = "none",
	 .help = "its own IPv6 address, in network.inside6"},
	{"public6", ROW_ADDR, GUEST(public6), .min = 6, .text = "none", .empty = "none",
	 .help = "IPv6 address the outside knows it by; may equal inside6"},
	{"hostname", ROW_NAME, GUEST(hostname), .min = 1, .max = CONF_NAME - 1, .text = "auto", .empty = "auto",
	 .help = "what it calls itself; auto: drawn at first start and kept"},
};
const size_t conf_guest_rows_n = ARRAY_LEN(conf_guest_rows);

const struct row conf_forward_rows[] = {
	{"public", ROW_ADDR, FORWARD(public), .text = "none", .empty = "none",
	 .help = "address outside; none: the host's own (mode nat, with a guest that is shared)"},
	{"port", ROW_UINT, FORWARD(public_port), .min = 1, .max = 65535, .text = "24",
	 .help = "port outside"},
	{"proto", ROW_ENUM, FORWARD(proto), .text = "tcp", .choices = proto_choices, .help = "protocol"},
	{"guest", ROW_NAME, FORWARD(guest), .min = 1, .max = CONF_NAME - 1, .text = "",
	 .help = "guest it leads to; must be given"},
	{"guest_port", ROW_UINT, FORWARD(guest_port), .min = 1, .max = 65535, .text = "22",
	 .help = "port of the guest"},
	{"sources", ROW_PREFIXES, FORWARD(sources), COUNT(struct conf_forward, n_sources), .text = "",
	 .help = "who may use it; empty: anybody"},
};
const size_t conf_forward_rows_n = ARRAY_LEN(conf_forward_rows);

const struct row conf_policy_rows[] = {
	{"guests", ROW_NAMES, POLICY(guests), COUNT(struct conf_policy, n_guests), .max = CONF_NAME - 1, .text = "",
	 .help = "names or classes of the guests it is for; empty: all"},
	{"proto", ROW_ENUM, POLICY(proto), .text = "any", .choices = policy_protos, .help = "protocol"},
	{"to", ROW_PREFIXES, POLICY(to), COUNT(struct conf_policy, n_to), .text = "", .choices = to_choices,
	 .help = "where to: networks, outside, lateral (other guests), resolver (network.resolver, port 53); empty: anywhere"},
	{"ports", ROW_PORTS, POLICY(ports), COUNT(struct conf_policy, n_ports), .text = "",
	 .help = "destination ports of TCP and UDP; empty: all"},
	{"verdict", ROW_ENUM, POLICY(act), .text = "drop", .choices = act_choices,
	 .help = "what becomes of a new conversation; must be given"},
	{"redirect_to", ROW_ADDR, POLICY(redirect_to), .text = "sink", .empty = "sink",
	 .help = "redirect: where it ends instead, the sink or an address of yours"},
	{"redirect_port", ROW_UINT, POLICY(redirect_port), .min = 0, .max = 65535, .text = "0",
	 .help = "redirect: port there; 0: as asked"},
	{"reflect_to", ROW_NAME, POLICY(reflect_to), .min = 1, .max = CONF_NAME - 1, .text = "none", .empty = "none",
	 .help = "reflect: the honeypot that poses as the target"},
	{"rules", ROW_NAME, POLICY(rules), .min = 1, .max = CONF_NAME - 1, .text = "all", .empty = "all",
	 .help = "rewrite: the set of rules that makes it harmless"},
	{"per", ROW_ENUM, POLICY(per), .text = "guest", .choices = per_choices,
	 .help = "what the windows of this rule count together: all of a guest, each protocol or each destination of it"},
	{"connections", ROW_LIMIT, POLICY(connections), .max = 1000000, .text = "none", .empty = "none",
	 .help = "new conversations"},
	{"packets", ROW_LIMIT, POLICY(packets), .max = 1000000000, .text = "none", .empty = "none",
	 .help = "packets that the guest sends in them"},
	{"bytes", ROW_BYTE_LIMIT, POLICY(bytes), .max = UINT32_MAX, .text = "none", .empty = "none",
	 .help = "bytes that the guest sends in them"},
};
const size_t conf_policy_rows_n = ARRAY_LEN(conf_policy_rows);
/* clang-format on */

/* The built-in lab, in the words of the configuration. */
static const struct row_preset lab_guests[][PRESET_KEYS] = {
	{{"kind", "honeypot"},
	 {"name", "web1"},
	 {"inside", "10.99.0.10"},
	 {"public", "203.0.113.10"},
	 {"inside6", "2001:db8:113::10"},
	 {"public6", "2001:db8:113::10"}},
	{{"kind", "loghost"},
	 {"name", "loghost"},
	 {"inside", "10.99.0.20"},
	 {"inside6", "2001:db8:113::20"}},
};
static const struct row_preset lab_forwards[][PRESET_KEYS] = {
	{{"public", "203.0.113.10"}, {"guest", "loghost"}, {"sources", "198.51.100.0/24"}},
	{{"public", "2001:db8:113::10"}, {"guest", "loghost"}, {"sources", "2001:db8:66::/64"}},
};

void rows_default(const struct row *rows, size_t n, void *base, bool other)
{
	for (size_t i = 0; i < n; i++) {
		const char *text = rows[i].text;
		if (other && rows[i].text_other != NULL)
			text = rows[i].text_other;
		/* A default of "" has no meaning as a value: the row must be given, or is a list. */
		if (text[0] != '\0' && row_set(&rows[i], base, text) < 0)
			__builtin_trap(); /* our own table is wrong; a unit test visits every row */
	}
}

static void apply_presets(const struct row *rows, size_t n, void *base,
			  const struct row_preset *presets)
{
	for (const struct row_preset *p = presets; p < presets + PRESET_KEYS && p->key; p++)
		for (size_t i = 0; i < n; i++)
			if (__builtin_strcmp(rows[i].path, p->key) == 0 &&
			    row_set(&rows[i], base, p->text) < 0)
				__builtin_trap();
}

void conf_derive(struct conf *c)
{
	bool lab = c->mode == MODE_LAB;
	c->alerts.knocks[0] = lab ? c->lab.router : (struct addr){0};
	c->alerts.knocks[1] = lab ? c->lab.router6 : (struct addr){0};
	c->alerts.resolvers[0] = c->network.resolver;
	c->alerts.resolvers[1] = c->network.resolver6;
}

void conf_defaults(struct conf *ret)
{
	*ret = (struct conf){0};
	rows_default(conf_rows, conf_rows_n, ret, false);
	for (size_t i = 0; i < ARRAY_LEN(lab_guests); i++) {
		struct conf_guest *g = &ret->guests[ret->n_guests++];
		bool loghost = lab_guests[i][0].text[0] == 'l'; /* kind comes first */
		rows_default(conf_guest_rows, conf_guest_rows_n, g, loghost);
		apply_presets(conf_guest_rows, conf_guest_rows_n, g, lab_guests[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(lab_forwards); i++) {
		struct conf_forward *f = &ret->forwards[ret->n_forwards++];
		rows_default(conf_forward_rows, conf_forward_rows_n, f, false);
		apply_presets(conf_forward_rows, conf_forward_rows_n, f, lab_forwards[i]);
	}
	rows_alerts_default(&ret->alerts);
	conf_derive(ret);
}
