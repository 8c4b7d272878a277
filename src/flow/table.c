/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int flow_table_placeholder;
int flow_table_placeholder;
