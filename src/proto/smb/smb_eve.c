/* SPDX-License-Identifier: BSD-2-Clause */
/* What SMB's transactions tell in events. */
#include "proto/smb/smb.h"

static const char *const smb2_commands[] = {"SMB2_COMMAND_NEGOTIATE_PROTOCOL",
					    "SMB2_COMMAND_SESSION_SETUP",
					    "SMB2_COMMAND_SESSION_LOGOFF",
					    "SMB2_COMMAND_TREE_CONNECT",
					    "SMB2_COMMAND_TREE_DISCONNECT",
					    "SMB2_COMMAND_CREATE",
					    "SMB2_COMMAND_CLOSE",
					    "SMB2_COMMAND_FLUSH",
					    "SMB2_COMMAND_READ",
					    "SMB2_COMMAND_WRITE",
					    "SMB2_COMMAND_LOCK",
					    "SMB2_COMMAND_IOCTL",
					    "SMB2_COMMAND_CANCEL",
					    "SMB2_COMMAND_KEEPALIVE",
					    "SMB2_COMMAND_FIND",
					    "SMB2_COMMAND_CHANGE_NOTIFY",
					    "SMB2_COMMAND_GET_INFO",
					    "SMB2_COMMAND_SET_INFO",
					    "SMB2_COMMAND_OPLOCK_BREAK"};

static const struct {
	uint16_t command;
	const char *name;
} smb1_commands[] = {{0x00, "SMB1_COMMAND_CREATE_DIRECTORY"},
		     {0x01, "SMB1_COMMAND_DELETE_DIRECTORY"},
		     {0x02, "SMB1_COMMAND_OPEN"},
		     {0x03, "SMB1_COMMAND_CREATE"},
		     {0x04, "SMB1_COMMAND_CLOSE"},
		     {0x05, "SMB1_COMMAND_FLUSH"},
		     {0x06, "SMB1_COMMAND_DELETE"},
		     {0x07, "SMB1_COMMAND_RENAME"},
		     {0x08, "SMB1_COMMAND_QUERY_INFORMATION"},
		     {0x0a, "SMB1_COMMAND_READ"},
		     {0x0b, "SMB1_COMMAND_WRITE"},
		     {0x24, "SMB1_COMMAND_LOCKING_ANDX"},
		     {0x25, "SMB1_COMMAND_TRANS"},
		     {0x2b, "SMB1_COMMAND_ECHO"},
		     {0x2d, "SMB1_COMMAND_OPEN_ANDX"},
		     {0x2e, "SMB1_COMMAND_READ_ANDX"},
		     {0x2f, "SMB1_COMMAND_WRITE_ANDX"},
		     {0x32, "SMB1_COMMAND_TRANS2"},
		     {0x33, "SMB1_COMMAND_TRANS2_SECONDARY"},
		     {0x34, "SMB1_COMMAND_FIND_CLOSE2"},
		     {0x71, "SMB1_COMMAND_TREE_DISCONNECT"},
		     {0x72, "SMB1_COMMAND_NEGOTIATE_PROTOCOL"},
		     {0x73, "SMB1_COMMAND_SESSION_SETUP_ANDX"},
		     {0x74, "SMB1_COMMAND_LOGOFF_ANDX"},
		     {0x75, "SMB1_COMMAND_TREE_CONNECT_ANDX"},
		     {0x80, "SMB1_COMMAND_QUERY_INFO_DISK"},
		     {0xa0, "SMB1_COMMAND_NT_TRANS"},
		     {0xa1, "SMB1_COMMAND_NT_TRANS_SECONDARY"},
		     {0xa2, "SMB1_COMMAND_NT_CREATE_ANDX"},
		     {0xa4, "SMB1_COMMAND_NT_CANCEL"}};

static const struct {
	uint32_t status;
	const char *name;
} statuses[] = {{0x00000000, "STATUS_SUCCESS"},
		{0x00000103, "STATUS_PENDING"},
		{0x0000010c, "STATUS_NOTIFY_ENUM_DIR"},
		{0x80000005, "STATUS_BUFFER_OVERFLOW"},
		{0x80000006, "STATUS_NO_MORE_FILES"},
		{0xc0000002, "STATUS_NOT_IMPLEMENTED"},
		{0xc0000003, "STATUS_INVALID_INFO_CLASS"},
		{0xc0000008, "STATUS_INVALID_HANDLE"},
		{0xc000000d, "STATUS_INVALID_PARAMETER"},
		{0xc000000f, "STATUS_NO_SUCH_FILE"},
		{0xc0000010, "STATUS_INVALID_DEVICE_REQUEST"},
		{0xc0000011, "STATUS_END_OF_FILE"},
		{0xc0000016, "STATUS_MORE_PROCESSING_REQUIRED"},
		{0xc0000022, "STATUS_ACCESS_DENIED"},
		{0xc0000033, "STATUS_OBJECT_NAME_INVALID"},
		{0xc0000034, "STATUS_OBJECT_NAME_NOT_FOUND"},
		{0xc0000035, "STATUS_OBJECT_NAME_COLLISION"},
		{0xc000003a, "STATUS_OBJECT_PATH_NOT_FOUND"},
		{0xc0000043, "STATUS_SHARING_VIOLATION"},
		{0xc000006d, "STATUS_LOGON_FAILURE"},
		{0xc00000ba, "STATUS_FILE_IS_A_DIRECTORY"},
		{0xc00000bb, "STATUS_NOT_SUPPORTED"},
		{0xc00000cc, "STATUS_BAD_NETWORK_NAME"},
		{0xc0000128, "STATUS_FILE_CLOSED"},
		{0xc0000203, "STATUS_USER_SESSION_DELETED"},
		{0xc0000225, "STATUS_NOT_FOUND"}};

static const char *command_text(const struct smb_tx *t, char *buf, size_t size)
{
	if (t->ver == 2 && t->command < ARRAY_LEN(smb2_commands))
		return smb2_commands[t->command];
	for (size_t i = 0; t->ver == 1 && i < ARRAY_LEN(smb1_commands); i++)
		if (smb1_commands[i].command == t->command)
			return smb1_commands[i].name;
	struct writer w = writer_of(buf, size);
	write_fmt(&w, "UNKNOWN-%u", t->command);
	return buf;
}

static void eve_status(const struct smb_tx *t, json_t *o)
{
	char text[16];
	struct writer w = writer_of(text, sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == t->status)
			json_object_set_new(o, "status", json_string(statuses[i].name));
	write_fmt(&w, "0x%x", t->status);
	json_object_set_new(o, "status_code", json_string(text));
}

/* The agreed dialect: SMB2's is a number, SMB1's the index of a text. */
static void eve_dialect(const struct smb *s, const struct smb_tx *t, json_t *o)
{
	char text[16];
	if (t->ver == 2) {
		uint16_t v = t->dialect != 0 ? t->dialect : s->dialect;
		if (v == 0) {
			json_object_set_new(o, "dialect", json_string("unknown"));
			return;
		}
		struct writer w = writer_of(text, sizeof(text));
		if (v == 0x02ff)
			write_str(&w, "2.??");
		else
			write_fmt(&w, "%x.%02x", v >> 8, v & 0xff);
		json_object_set_new(o, "dialect", json_string(text));
		return;
	}
	uint32_t at = 0, i = 0;
	for (; i < s->dialect && at < s->dialects.n; i++)
		at += (uint32_t)strnlen((const char *)s->dialects.p + at, s->dialects.n - at) + 1;
	if (at < s->dialects.n)
		json_bytes(o, "dialect", s->dialects.p + at,
			   (uint32_t)strnlen((const char *)s->dialects.p + at, s->dialects.n - at));
	else
		json_object_set_new(o, "dialect", json_string("unknown"));
}

static void eve_dialects(const struct smb_tx *t, json_t *o)
{
	json_t *list = json_array();
	for (uint32_t at = 0; at < t->dialects.n;) {
		const uint8_t *p = t->dialects.p + at;
		uint32_t n = (uint32_t)strnlen((const char *)p, t->dialects.n - at);
		json_array_append_new(list, app_json_bytes(p, n));
		at += n + 1;
	}
	json_object_set_new(o, "client_dialects", list);
}

static void eve_session(const struct smb_tx *t, json_t *o)
{
	if (t->ntlmssp || t->user.n > 0) {
		json_t *n = json_object();
		json_object_set_new(n, "domain", app_json_bytes(t->domain.p, t->domain.n));
		json_object_set_new(n, "user", app_json_bytes(t->user.p, t->user.n));
		if (t->ntlmssp)
			json_object_set_new(n, "host", app_json_bytes(t->host.p, t->host.n));
		if (t->has_ntlm_version) {
			char text[40];
			struct writer w = writer_of(text, sizeof(text));
			write_fmt(&w, "%u.%u build %u rev 15", t->ntlm_version[0],
				  t->ntlm_version[1], le16(t->ntlm_version + 2));
			json_object_set_new(n, "version", json_string(text));
		}
		json_object_set_new(o, "ntlmssp", n);
	}
	if (t->os.n > 0 || t->lm.n > 0) {
		json_t *r = json_object();
		json_bytes(r, "native_os", t->os.p, t->os.n);
		json_bytes(r, "native_lm", t->lm.p, t->lm.n);
		json_object_set_new(o, "request", r);
	}
}

static const char *disposition_text(const struct smb_tx *t)
{
	static const char *const names[] = {"FILE_SUPERSEDE", "FILE_OPEN",
					    "FILE_CREATE",    "FILE_OPEN_IF",
					    "FILE_OVERWRITE", "FILE_OVERWRITE_IF"};
	return t->disposition < ARRAY_LEN(names) ? names[t->disposition] : "UNKNOWN";
}

static void eve_fid(const struct smb_tx *t, json_t *o)
{
	char text[40];
	struct writer w = writer_of(text, sizeof(text));
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	if (t->ver == 1) {
		write_fmt(&w, "%02x%02x", t->fid[0], t->fid[1]);
	} else {
		for (unsigned i = 0; i < 16; i++)
			write_fmt(&w, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
				  t->fid[order[i]]);
	}
	json_object_set_new(o, "fuid", json_string(text));
}

static void eve_file(const struct smb_tx *t, json_t *o)
{
	if (t->kind == SMB_CREATE) {
		json_object_set_new(o, "filename",
				    t->name.n > 0 ? app_json_bytes(t->name.p, t->name.n)
						  : json_string("<share_root>"));
		json_object_set_new(o, "disposition", json_string(disposition_text(t)));
		json_object_set_new(
			o, "access",
			json_string((t->access & 0x10000) != 0 ? "delete on close" : "normal"));
		if (t->opened)
			json_object_set_new(o, "size", json_integer((json_int_t)t->size));
		if (t->opened)
			eve_fid(t, o);
		return;
	}
	json_bytes(o, "filename", t->name.p, t->name.n);
	if (t->kind == SMB_FILE)
		eve_fid(t, o);
}

static void eve_share(const struct smb *s, const struct smb_tx *t, json_t *o)
{
	uint32_t i = smb_tree_find(s, t->tree);
	if (t->kind == SMB_TREE) {
		json_bytes(o, t->pipe ? "named_pipe" : "share", t->name.p, t->name.n);
		if (t->ver == 2 && t->share_type != 0)
			json_object_set_new(o, "share_type",
					    json_string(t->share_type == 1   ? "FILE"
							: t->share_type == 2 ? "PIPE"
							: t->share_type == 3 ? "PRINT"
									     : "UNKNOWN"));
	} else if ((t->kind == SMB_FILE || t->kind == SMB_CREATE) && i != SMB_NONE) {
		json_bytes(o, "share", s->trees[i].share.p, s->trees[i].share.n);
	}
}

bool smb_eve(const struct app *a, const struct app_tx *tx, unsigned dir, json_t *o)
{
	const struct smb_tx *t = (const struct smb_tx *)tx;
	const struct smb *s = a->proto == APP_SMB ? a->state : NULL;
	char text[24];
	if (s == NULL)
		return false;
	json_object_set_new(o, "id", json_integer((json_int_t)tx->id + 1));
	eve_dialect(s, t, o);
	json_object_set_new(o, "command", json_string(command_text(t, text, sizeof(text))));
	if (t->answered)
		eve_status(t, o);
	json_object_set_new(o, "session_id", json_integer((json_int_t)t->session));
	json_object_set_new(o, "tree_id", json_integer(t->tree));
	if (t->kind == SMB_NEGOTIATE)
		eve_dialects(t, o);
	else if (t->kind == SMB_SESSION)
		eve_session(t, o);
	else if (t->kind != SMB_TREE)
		eve_file(t, o);
	eve_share(s, t, o);
	if (t->call != NULL) {
		json_t *d = json_object();
		dce_eve(t->call, true, d);
		json_object_set_new(o, "dcerpc", d);
	}
	return true;
}
