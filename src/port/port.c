/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int port_port_placeholder;
int port_port_placeholder;
