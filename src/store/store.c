/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int store_store_placeholder;
int store_store_placeholder;
