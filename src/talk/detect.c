/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose words are these? Found by what is said, with the port as a hint; what is encrypted, binary or just not of
 * interest is let go of as soon as that is clear. */
#include "talk/talk_priv.h"

enum talk_guess talk_detect(const struct talk_conv *c, const struct talk_view v[2],
			    const struct talk_proto **ret)
{
	if (c->flow->port[c->swap ? 0 : 1] != 514)
		return TALK_FOREIGN;
	if (v[BY_CLIENT].len == 0)
		return TALK_WAIT;
	*ret = &talk_syslog;
	return TALK_KNOWN;
}
