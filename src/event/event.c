/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int event_event_placeholder;
int event_event_placeholder;
