/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the bytes of a read or write lie, once it is done: the kernel's iov_iter, whose shape changed
 * often. Only for BPF programs.
 */
#ifndef MONITOR_ITER_H
#define MONITOR_ITER_H

#include "monitor/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct iovec {
	void *iov_base;
	size_t iov_len;
} CORE;

struct iov_iter {
	uint8_t iter_type;
	size_t iov_offset;
	const struct iovec *iov; /* until 6.3 */
	void *ubuf;              /* since 6.0 */
} CORE;
struct iov_iter___since_6_4 {
	const struct iovec *__iov;
} CORE;
struct iov_iter___until_5_13 {
	unsigned int type; /* kind, and a bit for the direction */
} CORE;
enum iter_type { ITER_IOVEC, ITER_UBUF };

struct kiocb {
	struct file *ki_filp;
} CORE;

struct piece {
	const void *user;
	uint32_t len;
};

static __always_inline const struct iovec *iter_vectors(struct iov_iter *it)
{
	struct iov_iter___since_6_4 *newer = (void *)it;
	if (bpf_core_field_exists(newer->__iov))
		return BPF_CORE_READ(newer, __iov);
	return BPF_CORE_READ(it, iov);
}

static __always_inline bool iter_is(struct iov_iter *it, uint32_t kind, bool exact)
{
	struct iov_iter___until_5_13 *older = (void *)it;
	if (bpf_core_field_exists(older->type))
		return exact ? false : (BPF_CORE_READ(older, type) & kind) != 0;
	return BPF_CORE_READ(it, iter_type) == kind;
}

/*
 * The n bytes that an iterator has just gone over: in one or two pieces, as user space has them; false
 * if they are elsewhere (the kernel's own buffers, more than two vectors).
 */
static __always_inline bool iter_gone_over(struct iov_iter *it, uint32_t n, struct piece ret[2])
{
	uint64_t at = BPF_CORE_READ(it, iov_offset);
	ret[0].len = 0;
	ret[1].len = n;
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    iter_is(it, bpf_core_enum_value(enum iter_type, ITER_UBUF), true)) {
		ret[1].user = (const char *)BPF_CORE_READ(it, ubuf) + at - n;
		return at >= n;
	}
	if (!iter_is(it, bpf_core_enum_value(enum iter_type, ITER_IOVEC), false))
		return false;
	const struct iovec *v = iter_vectors(it);
	if (at == 0) { /* right behind the last one */
		v--;
		at = BPF_CORE_READ(v, iov_len);
	}
	const char *base = BPF_CORE_READ(v, iov_base);
	if (at >= n) {
		ret[1].user = base + at - n;
		return true;
	}
	ret[1] = (struct piece){base, at};
	v--;
	uint64_t before = BPF_CORE_READ(v, iov_len), rest = n - at;
	if (before < rest)
		return false;
	ret[0] = (struct piece){(const char *)BPF_CORE_READ(v, iov_base) + before - rest, rest};
	return true;
}

#endif
