/* SPDX-License-Identifier: BSD-2-Clause */
/* All programs as one object, since they share maps and small functions. */
#include "monitor/file.bpf.c"
#include "monitor/io.bpf.c"
#include "monitor/life.bpf.c"

const char monitor_license[] SEC("license") = "Dual BSD/GPL";
