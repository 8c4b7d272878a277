/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int ipc_ipc_placeholder;
int ipc_ipc_placeholder;
