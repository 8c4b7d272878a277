/* SPDX-License-Identifier: BSD-2-Clause */
#include "role/role.h"

int role_recorder(void)
{
	return 2;
}
