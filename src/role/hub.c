/* SPDX-License-Identifier: BSD-2-Clause */
#include "role/role.h"

int role_hub(void)
{
	return 2;
}
