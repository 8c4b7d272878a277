/* SPDX-License-Identifier: BSD-2-Clause */
/* The protocols that are parsed: one line for each. */
#include "proto/proto_priv.h"

static const struct app_ops *const parsers[APP_PROTOS] = {
	[APP_UNKNOWN] = NULL,
};

const struct app_ops *app_ops_of(unsigned proto)
{
	return proto < APP_PROTOS ? parsers[proto] : NULL;
}
