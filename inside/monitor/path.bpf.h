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

#define PATH_TEXT 1024u /* most bytes of a path's text with its length */
#define PATH_DEPTH 32

struct path_room {
	uint64_t
		owner; /* pid and thread: another one may come between in kernels that can be preempted */
	struct dentry *dentry;
	struct vfsmount *mnt;
	uint8_t text[PATH_TEXT + 512];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct path_room);
} path_rooms SEC(".maps");

/*
 * Writes the path of the room's dentry to the end of its text, from the back, and says where it begins.
 * Mounts are crossed up to the root of all, so a chroot does not shorten it. What is too deep or too long
 * lacks its front. Not static, and without arguments but one (0) that clang wants: so the verifier looks at it once
 * and not again for each way that leads here, which would take seconds at each start of a guest.
 */
__attribute__((noinline)) int path_walk(uint32_t zero)
{
	struct path_room *room = bpf_map_lookup_elem(&path_rooms, &zero);

	if (!room)
		return 0;
	struct dentry *d = room->dentry;
	struct mount *m = (void *)room->mnt - bpf_core_field_offset(struct mount, mnt);
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

		/* A root of no mount has no name worth it, unless it is all that there is (memfd). */
		if (len > 255 || len + 1 > at || (i && d == up))
			break;
		BOUND(len, 255);
		at -= len;
		BOUND(at, 1023);
		bpf_probe_read_kernel(room->text + at, len, BPF_CORE_READ(d, d_name.name));
		at--;
		BOUND(at, 1023);
		room->text[at] = '/';
		d = up;
	}
	if (at == PATH_TEXT - 2)
		room->text[--at] = '/';
	return at;
}

/* dentry's path as a text (u16 length, bytes) to out, which has room for PATH_TEXT bytes. Its size. */
static __always_inline uint32_t path_text(uint8_t *out, struct dentry *d, struct vfsmount *v)
{
	uint64_t self = bpf_get_current_pid_tgid(), size = 0;
	uint32_t zero = 0;
	struct path_room *room = bpf_map_lookup_elem(&path_rooms, &zero);

	if (room) {
		room->owner = self;
		room->dentry = d;
		room->mnt = v;
		uint64_t at = path_walk(0);

		BOUND(at, 1023);
		size = PATH_TEXT - 2 - at;
		BOUND(size, 1023);
		bpf_probe_read_kernel(out + 2, size, room->text + at);
		if (room->owner != self)
			size = 0;
	}
	store_u16(out, size);
	return size + 2;
}

#endif
