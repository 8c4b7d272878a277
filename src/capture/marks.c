/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int capture_marks_placeholder;
int capture_marks_placeholder;
