/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

extern int judge_judge_placeholder;
int judge_judge_placeholder;
