/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf: the operator's YAML -> an immutable snapshot. One table of rows (rows.c: path, type, unit,
 * range, default, one-line help, reload class) drives reading, checking, the example file, the
 * JSON Schema and the reference page. Used by super and cmd; roles get only their part.
 *
 * A snapshot is plain data of fixed size without pointers.
 */
#ifndef SKEP_CONF_H
#define SKEP_CONF_H

#include "conf/alerts.h"
#include "conf/kept.h"

#define CONF_GUESTS 16
#define CONF_FORWARDS 16
#define CONF_PREFIXES 64
#define CONF_SOURCES 8
#define CONF_SINK_CONNECTIONS 1024
#define CONF_RULE_FILES 16
#define CONF_RULE_VARS 32
#define CONF_RULE_VAR 192
#define CONF_KEEP 64
#define CONF_KEEP_TEXT 16
#define CONF_LINK 16 /* a link's name, as the kernel's IFNAMSIZ */

enum conf_mode { MODE_LAB, MODE_NAT, MODE_BRIDGE };
enum conf_guest_kind { GUEST_HONEYPOT, GUEST_LOGHOST };
enum conf_accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };

struct conf_limits {                             /* per guest */
	struct conf_limit tcp, udp, icmp, other; /* new outbound conversations */
	struct conf_limit dns;     /* queries (UDP flows and TCP connections) to the resolver */
	struct conf_limit lateral; /* honeypot to honeypot */
	struct conf_limit neigh;   /* ARP and ND messages of a guest */
};

struct conf_caps { /* leaving a guest; 0: no cap */
	uint32_t guest_pps, flow_pps;
	uint64_t guest_bytes, flow_bytes; /* per second */
};

struct conf_guest {
	char name[CONF_NAME];  /* [a-z0-9-], unique */
	uint8_t kind;          /* enum conf_guest_kind */
	char class[CONF_NAME]; /* for the policy */
	uint8_t roach_motel;   /* in, but never out */
	/* Mode nat: it has the uplink's own addresses, but for the ports that stay the host's. public and
	 * public6 are then not set here: super looks them up, and again when they change. */
	uint8_t shared;
	/* "debian", "loghost", "tiny" ...; "none": no QEMU and no keeper. super then makes a veth pair
	 * instead of a tap: the wall's end is tap<i>, the far end is eth0 in the network namespace
	 * <conf.name>-g<i>, with the guest's MAC and no address. For tests and bare containers. */
	char image[CONF_NAME];
	uint64_t memory_bytes;
	uint64_t overlay_max_bytes; /* the guest pauses when its disk overlay reaches it */
	uint32_t tb_size_mb;        /* TCG translation cache */
	uint8_t monitor;            /* give it the serial port that its monitor reports by */
	struct mac mac;             /* all zero: drawn at first start, with the identity */
	struct addr inside, public, inside6, public6; /* ver 0: none */
	char hostname[CONF_NAME];                     /* empty: drawn at first start */
};

struct conf_forward {       /* a port of a public address that leads to a guest */
	struct addr public; /* ver 0: the uplink's own ones (a guest is `shared`) */
	uint16_t public_port, guest_port;
	uint8_t proto; /* 6 or 17 */
	char guest[CONF_NAME];
	uint32_t n_sources; /* 0: from anywhere */
	struct prefix sources[CONF_SOURCES];
};

struct conf_network {
	struct prefix inside, inside6;   /* what guests see as their networks */
	struct addr gateway, gateway6;   /* answered for by the wall */
	struct addr resolver, resolver6; /* name servers guests are told; ver 0: none */
	struct mac gateway_mac;
};

struct conf_uplink {               /* modes nat and bridge */
	char interface[CONF_LINK]; /* "auto": that of the default route (mode nat) */
	uint32_t n_keep;
	char keep[CONF_KEEP][CONF_KEEP_TEXT]; /* "tcp/2222": stays the host's on a shared address */
	int64_t confirm_ns; /* a start that nobody confirms is rolled back after this */
};

struct conf_wall {
	uint32_t flows;      /* capacity of the flow table */
	uint32_t event_rate; /* connection and flow events a second, the rest is summed up */
	struct conf_limits limits;
	struct conf_caps caps;
	uint32_t n_off_limits; /* the operator's own, on top of the built-in list */
	struct prefix off_limits[CONF_PREFIXES];
	uint32_t n_allowed; /* exceptions to off limits */
	struct prefix allowed[CONF_PREFIXES];
	uint32_t n_fence, n_ignore;
	struct prefix fence[CONF_PREFIXES], ignore[CONF_PREFIXES];
	uint32_t n_policy; /* 0: the built-in policy */
	struct conf_policy policy[CONF_POLICY];
	int64_t tcp_idle_ns, udp_idle_ns, icmp_idle_ns, half_open_ns;
};

enum conf_rules_mode { RULES_INLINE, RULES_IDS, RULES_OFF };
struct conf_rules {
	uint8_t mode; /* enum conf_rules_mode */
	uint32_t n_files, n_vars;
	/* Files, folders, patterns; "builtin": the rules that come with skep. */
	char files[CONF_RULE_FILES][CONF_PATH];
	char vars[CONF_RULE_VARS][CONF_RULE_VAR]; /* NAME=value */
	uint64_t memory_bytes;                    /* for all conversations together */
	int64_t hold_ns;
};

struct conf_lab {
	struct addr intruder, intruder6, web, web6, dns, router, router6;
	uint8_t services; /* run the web and name server of the fake Internet */
};

struct conf_sink { /* where contained traffic ends */
	uint8_t on;
	uint32_t connections; /* TCP, of all guests together */
	uint64_t bytes;       /* read of one connection, then it ends */
	int64_t idle_ns;
	struct addr dns_upstream; /* the operator's resolver; ver 0: answers are made up */
	uint32_t dns_budget;      /* queries of a guest in any minute */
};

struct conf {
	uint8_t mode, accel;  /* enum conf_mode, enum conf_accel */
	char name[CONF_NAME]; /* of this installation: namespaces are NAME and NAME-lab */
	char sensor[CONF_NAME];
	char state_dir[CONF_PATH], run_dir[CONF_PATH], cache_dir[CONF_PATH];
	uint32_t uid_base; /* numeric users for roles and guests; none is created */
	uint32_t n_guests, n_forwards;
	struct conf_network network;
	struct conf_uplink uplink;
	struct conf_guest guests[CONF_GUESTS];
	struct conf_forward forwards[CONF_FORWARDS];
	struct conf_wall wall;
	struct conf_rules rules;
	struct conf_recorder recorder;
	struct conf_store store;
	struct conf_lab lab;
	struct conf_sink sink;
	struct conf_sessions sessions;
	struct conf_loghost loghost;
	struct conf_alerts alerts;
};

/* Where and what is wrong, and how to mend it. Caller's. line and column count from 1; 0: whole file. */
struct conf_error {
	char file[CONF_PATH];
	uint32_t line, column;
	char what[256], cure[256];
};

/* The built-in lab: one Debian honeypot, one loghost. */
void conf_defaults(struct conf *ret);
/* Reads and checks text (name is for messages). On error *ret is untouched and err is filled. Lists
 * (guests, forwards) given in the file replace the default ones. Stops at the first error unless
 * more is not NULL: then it is called for each (at most 50). */
MUST_USE int conf_read(const char *name, const char *text, size_t len, struct conf *ret,
		       struct conf_error *err, void (*more)(void *ctx, const struct conf_error *e),
		       void *ctx);
MUST_USE int conf_read_file(const char *path, struct conf *ret, struct conf_error *err,
			    void (*more)(void *ctx, const struct conf_error *e), void *ctx);
/* "file:line:column: what\n  cure: ..." for people. */
void conf_error_text(struct writer *w, const struct conf_error *e);
/* The values of c as a file that conf_read reads back to the same snapshot. */
void conf_write_values(struct writer *w, const struct conf *c);
/* Its containment policy, as in a file. */
void conf_write_policy(struct writer *w, const struct conf *c);
/* The commented example with every row at its default; a JSON Schema (draft 2020-12); a Markdown
 * reference page. */
void conf_write_example(struct writer *w);
void conf_write_schema(struct writer *w);
void conf_write_reference(struct writer *w);
/* "tcp/2222", "udp/51820". */
MUST_USE int conf_keep_parse(const char *text, uint8_t *ret_proto, uint16_t *ret_port);
/* Guest by name, or NULL. */
const struct conf_guest *conf_guest(const struct conf *c, const char *name);

#endif
