/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int base_err_placeholder;
int base_err_placeholder;
