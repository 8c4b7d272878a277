/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int guest_image_placeholder;
int guest_image_placeholder;
