/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int policy_limits_placeholder;
int policy_limits_placeholder;
