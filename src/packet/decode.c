/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int packet_decode_placeholder;
int packet_decode_placeholder;
