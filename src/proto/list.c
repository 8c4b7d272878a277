/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocols that are parsed, one line for each; names of all, and of their events. */
#include "proto/proto_priv.h"

#include <string.h>

static const struct app_ops *const parsers[APP_PROTOS] = {
	[APP_HTTP] = &app_http,         [APP_DNS] = &app_dns,   [APP_TLS] = &app_tls,
	[APP_SSH] = &app_ssh,           [APP_SMTP] = &app_smtp, [APP_FTP] = &app_ftp,
	[APP_FTP_DATA] = &app_ftp_data, [APP_SMB] = &app_smb,   [APP_DCERPC] = &app_dcerpc,
	[APP_SIP] = &app_sip,           [APP_POP3] = &app_pop3, [APP_IMAP] = &app_imap,
};

const struct app_ops *app_ops_of(unsigned proto)
{
	return proto < APP_PROTOS ? parsers[proto] : NULL;
}

static const char *const names[APP_PROTOS] = {
	[APP_UNKNOWN] = "unknown",   [APP_FAILED] = "failed",
	[APP_HTTP] = "http",         [APP_DNS] = "dns",
	[APP_TLS] = "tls",           [APP_SSH] = "ssh",
	[APP_SMTP] = "smtp",         [APP_FTP] = "ftp",
	[APP_FTP_DATA] = "ftp-data", [APP_SMB] = "smb",
	[APP_DCERPC] = "dcerpc",     [APP_SIP] = "sip",
	[APP_HTTP2] = "http2",       [APP_IMAP] = "imap",
	[APP_POP3] = "pop3",         [APP_NTP] = "ntp",
	[APP_DHCP] = "dhcp",         [APP_TFTP] = "tftp",
	[APP_SNMP] = "snmp",         [APP_RDP] = "rdp",
	[APP_MQTT] = "mqtt",         [APP_PGSQL] = "pgsql",
	[APP_RFB] = "rfb",           [APP_TELNET] = "telnet",
	[APP_IKE] = "ike",           [APP_KRB5] = "krb5",
	[APP_NFS] = "nfs",           [APP_QUIC] = "quic",
	[APP_MODBUS] = "modbus",     [APP_DNP3] = "dnp3",
	[APP_ENIP] = "enip",         [APP_BITTORRENT] = "bittorrent-dht",
	[APP_LDAP] = "ldap",
};

static const struct {
	const char *name;
	enum app_proto proto;
} others[] = {
	{"http1", APP_HTTP},        {"ssl", APP_TLS},         {"ftpdata", APP_FTP_DATA},
	{"ftp_data", APP_FTP_DATA}, {"smb1", APP_SMB},        {"smb2", APP_SMB},
	{"smb3", APP_SMB},          {"netbios-ssn", APP_SMB}, {"dce", APP_DCERPC},
	{"ikev1", APP_IKE},         {"ikev2", APP_IKE},       {"pop", APP_POP3},
	{"vnc", APP_RFB},           {"nfs2", APP_NFS},        {"nfs3", APP_NFS},
	{"nfs4", APP_NFS},
};

static const char *const flow_events[] = {
	[FLOW_EVENT_MISMATCH_BOTH] = "applayer_mismatch_protocol_both_directions",
	[FLOW_EVENT_WRONG_DIRECTION] = "applayer_wrong_direction_first_data",
	[FLOW_EVENT_ONE_DIRECTION] = "applayer_detect_protocol_only_one_direction",
	[FLOW_EVENT_SKIPPED] = "applayer_proto_detection_skipped",
	[FLOW_EVENT_NO_TLS_AFTER_STARTTLS] = "applayer_no_tls_after_starttls",
	[FLOW_EVENT_UNEXPECTED] = "applayer_unexpected_protocol",
	NULL,
};

static bool same(const char *text, const char *name, size_t len)
{
	return text != NULL && strlen(text) == len && strncasecmp(text, name, len) == 0;
}

const char *app_proto_text(enum app_proto p)
{
	return p < APP_PROTOS ? names[p] : "unknown";
}

enum app_proto app_proto_by_name(const char *name, size_t len)
{
	for (unsigned p = 0; p < APP_PROTOS; p++)
		if (same(names[p], name, len))
			return p;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (same(others[i].name, name, len))
			return others[i].proto;
	return APP_PROTOS;
}

const char *app_eve_key(enum app_proto p)
{
	const struct app_ops *ops = app_ops_of(p);
	return ops != NULL ? ops->eve_key : NULL;
}

static int index_in(const char *const *list, const char *name, size_t len)
{
	for (int i = 0; list != NULL && list[i] != NULL; i++)
		if (same(list[i], name, len))
			return i;
	return -1;
}

int app_event_by_name(const char *name, size_t len, enum app_proto *ret_proto)
{
	const char *dot = memchr(name, '.', len);
	enum app_proto p = APP_UNKNOWN;
	int e;
	if (dot == NULL) {
		e = index_in(flow_events, name, len);
	} else {
		size_t n = (size_t)(dot - name);
		p = app_proto_by_name(name, n);
		const struct app_ops *ops = app_ops_of(p);
		e = ops == NULL ? -1 : index_in(ops->events, dot + 1, len - n - 1);
	}
	if (e >= 0)
		*ret_proto = p;
	return e;
}

const char *app_event_name(enum app_proto p, unsigned event)
{
	const struct app_ops *ops = app_ops_of(p);
	const char *const *list = p == APP_UNKNOWN ? flow_events : ops != NULL ? ops->events : NULL;
	for (unsigned i = 0; list != NULL && list[i] != NULL; i++)
		if (i == event)
			return list[i];
	return NULL;
}
