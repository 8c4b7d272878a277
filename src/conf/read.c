/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int conf_read_placeholder;
int conf_read_placeholder;
