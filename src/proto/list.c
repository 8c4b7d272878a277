/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocols that are parsed: one line for each. */
#include "proto/proto_priv.h"

static const struct app_ops *const parsers[APP_PROTOS] = {
	[APP_UNKNOWN] = NULL,
	[APP_SMTP] = &app_smtp,
	[APP_FTP] = &app_ftp,
	[APP_FTP_DATA] = &app_ftp_data,
	[APP_SMB] = &app_smb,
	[APP_DCERPC] = &app_dcerpc,
	[APP_SIP] = &app_sip,
};

const struct app_ops *app_ops_of(unsigned proto)
{
	return proto < APP_PROTOS ? parsers[proto] : NULL;
}
