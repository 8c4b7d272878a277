/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts and paths in records. */
#ifndef MONITOR_PATH_BPF_H
#define MONITOR_PATH_BPF_H

#include "monitor/shared.bpf.h"

static __always_inline void store_u16(uint8_t *at, uint32_t v)
{
	at[0] = v;
	at[1] = v >> 8;
}

#define PATH_TEXT 1024u    /* most bytes of a path's text with its length */
#define PATH_SCRATCH 1536u /* room that path_text needs besides */
#define PATH_DEPTH 24

/*
 * Writes dentry's path in its mount as a text (u16 length, bytes) to out, which has room for PATH_TEXT
 * bytes, by way of scratch. Returns its size. Mounts are crossed up to the root of all, so a chroot does
 * not shorten it. What is too deep or too long lacks its front, and so its first slash.
 */
static __noinline uint32_t path_text(uint8_t *out, uint8_t *scratch, struct dentry *d,
				     struct vfsmount *v)
{
	struct mount *m = (void *)v - bpf_core_field_offset(struct mount, mnt);
	uint64_t at = PATH_TEXT - 2;

	for (int i = 0; i < PATH_DEPTH; i++) {
		struct dentry *up = BPF_CORE_READ(d, d_parent);

		if (d == BPF_CORE_READ(m, mnt.mnt_root)) {
			struct mount *below = BPF_CORE_READ(m, mnt_parent);

			if (below == m)
				break;
			d = BPF_CORE_READ(m, mnt_mountpoint);
			m = below;
			continue;
		}
		uint64_t len = BPF_CORE_READ(d, d_name.len);
		/* A root of no mount (0) has no name worth it, unless it is all that there is (memfd). */
		uint64_t root = i ? (uint64_t)d ^ (uint64_t)up : 1;

		/* Too long, no room, such a root: one condition, since the verifier follows each way
		 * out of each round. */
		if ((int64_t)((255 - len) | (at - 1 - len) | (root - 1)) < 0)
			break;
		BOUND(len, 255);
		at -= len;
		BOUND(at, 1023);
		bpf_probe_read_kernel(scratch + at, len, BPF_CORE_READ(d, d_name.name));
		at--;
		BOUND(at, 1023);
		scratch[at] = '/';
		d = up;
	}
	if (at == PATH_TEXT - 2)
		scratch[--at] = '/';
	BOUND(at, 1023);
	uint64_t size = PATH_TEXT - 2 - at;

	BOUND(size, 1023);
	bpf_probe_read_kernel(out + 2, size, scratch + at);
	store_u16(out, size);
	return size + 2;
}

#endif
