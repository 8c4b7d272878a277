/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that visits write, delete, rename and make executable. A file counts as written when somebody who had
 * it open for writing closes it for the last time: one record, however many writes there were. Deleting and
 * the like is heard where security modules are asked, so with the whole path, and when they had no objection;
 * that the file system then still refuses is rare. Processes outside of visits are not told.
 */
#include "monitor/path.bpf.h"
#include "monitor/shared.bpf.h"

#define FMODE_WRITE 2u
#define ANY_EXEC 0111u

/* So many of a visit in FILE_PER_NS are told; the rest is counted. */
#define FILE_MOST 2000u
#define FILE_PER_NS 1000000000ull

struct file_count {
	uint64_t since_ns, n;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, uint64_t);
	__type(value, struct file_count);
} file_counts SEC(".maps");

struct file_record {
	struct sensor_head h;
	struct sensor_file f;
	uint8_t texts[2 * PATH_TEXT];
};

static __always_inline bool too_many(struct monitor_shared *s, uint64_t visit)
{
	struct file_count *c = bpf_map_lookup_elem(&file_counts, &visit);
	uint64_t now = bpf_ktime_get_ns();

	if (!c) {
		struct file_count fresh = {now, 1};

		bpf_map_update_elem(&file_counts, &visit, &fresh, BPF_ANY);
		return false;
	}
	if (now - c->since_ns > FILE_PER_NS) {
		c->since_ns = now;
		c->n = 0;
	}
	if (c->n++ < FILE_MOST)
		return false;
	__sync_fetch_and_add(&s->lost[SENSOR_FILE], 1);
	return true;
}

/* A record with its first path; NULL: nothing is told. at: payload so far. */
static __always_inline struct file_record *file_begin(struct monitor_shared *s, uint8_t op,
						      struct dentry *d, struct vfsmount *v,
						      uint64_t *at)
{
	uint64_t visit = visit_of(bpf_get_current_pid_tgid() >> 32);

	if (!visit || too_many(s, visit))
		return NULL;
	struct file_record *r = ring_take(s, SENSOR_FILE, sizeof(*r));

	if (!r)
		return NULL;
	struct inode *inode = BPF_CORE_READ(d, d_inode);

	fill_proc(&r->f.p);
	SET(r->f.op, op);
	SET(r->f.mode, BPF_CORE_READ(inode, i_mode));
	SET(r->f.size, BPF_CORE_READ(inode, i_size));
	SET(r->f.inode, BPF_CORE_READ(inode, i_ino));
	*at = path_text(r->texts, d, v);
	BOUND(*at, PATH_TEXT - 1);
	return r;
}

static __always_inline void file_end(struct monitor_shared *s, struct file_record *r, uint64_t at)
{
	store_u16(r->texts + at, 0);
	ring_give(s, r, sizeof(r->f) + at + 2);
}

/* Of all that is asked on the way of a last close, this has a name of its own in every kernel. */
SEC("fentry/locks_remove_file")
int BPF_PROG(file_close, struct file *file)
{
	struct monitor_shared *s = hook_begin(HOOK_FILE);
	uint64_t at = 0;

	if (!s || !(BPF_CORE_READ(file, f_mode) & FMODE_WRITE) ||
	    (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	struct file_record *r = file_begin(s, SENSOR_WRITTEN, BPF_CORE_READ(file, f_path.dentry),
					   BPF_CORE_READ(file, f_path.mnt), &at);

	if (r)
		file_end(s, r, at);
	return 0;
}

SEC("fexit/security_path_unlink")
int BPF_PROG(file_unlink, struct path *folder, struct dentry *d, int err)
{
	struct monitor_shared *s = hook_begin(HOOK_UNLINK);
	uint64_t at = 0;
	struct file_record *r =
		s && !err ? file_begin(s, SENSOR_DELETED, d, BPF_CORE_READ(folder, mnt), &at)
			  : NULL;

	if (r)
		file_end(s, r, at);
	return 0;
}

/* Four arguments until Linux 5.17, and flags since; the result is the last word of the context. */
static __always_inline int note_rename(uint64_t *ctx, int err)
{
	struct monitor_shared *s = hook_begin(HOOK_RENAME);
	struct path *from = (void *)ctx[0], *to = (void *)ctx[2];
	uint64_t at = 0;
	struct file_record *r = s && !err ? file_begin(s, SENSOR_RENAMED, (struct dentry *)ctx[1],
						       BPF_CORE_READ(from, mnt), &at)
					  : NULL;

	if (!r)
		return 0;
	at += path_text(r->texts + at, (struct dentry *)ctx[3], BPF_CORE_READ(to, mnt));
	ring_give(s, r, sizeof(r->f) + at);
	return 0;
}

SEC("fexit/security_path_rename")
int file_rename5(uint64_t *ctx)
{
	return note_rename(ctx, (int)ctx[5]);
}

SEC("fexit/security_path_rename")
int file_rename4(uint64_t *ctx)
{
	return note_rename(ctx, (int)ctx[4]);
}

SEC("fexit/security_path_chmod")
int BPF_PROG(file_chmod, struct path *path, uint16_t mode, int err)
{
	struct monitor_shared *s = hook_begin(HOOK_FILE);
	uint64_t at = 0;

	if (!s || err || !(mode & ANY_EXEC))
		return 0;
	struct dentry *d = BPF_CORE_READ(path, dentry);

	if ((BPF_CORE_READ(d, d_inode, i_mode) & S_IFMT) != S_IFREG)
		return 0;
	struct file_record *r = file_begin(s, SENSOR_MODE, d, BPF_CORE_READ(path, mnt), &at);

	if (!r)
		return 0;
	SET(r->f.mode, S_IFREG | mode);
	file_end(s, r, at);
	return 0;
}
