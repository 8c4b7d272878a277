/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int sys_netns_placeholder;
int sys_netns_placeholder;
