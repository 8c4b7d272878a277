/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/cmd.h"

int cmd_demo(int argc, char **argv)
{
	(void)argc;
	return cmd_fail(2, "%s is not built yet", argv[0]);
}
