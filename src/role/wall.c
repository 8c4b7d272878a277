/* SPDX-License-Identifier: BSD-2-Clause */
#include "role/role.h"

int role_wall(void)
{
	return 2;
}
