/* SPDX-License-Identifier: BSD-2-Clause */
#include "talk/talk_priv.h"

bool ftp_claims(struct talk_conv *c)
{
	(void)c;
	return false;
}
const struct talk_proto talk_ftp_data = {.service = "ftp-data"};
