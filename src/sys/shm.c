/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that our processes share: sealed in size, so that a mapping can never fault; or altogether, to be read. */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int shm_create(const char *name, size_t size, int *ret_fd)
{
	CLEANUP(fd_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

int shm_map(int fd, size_t size, bool writable, void **ret_mem)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (size == 0 || st.st_size < 0 || (size_t)st.st_size < size)
		return SKEP_ERANGE;
	void *mem =
		mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	*ret_mem = mem;
	return 0;
}

/* ---- what is handed over once ------------------------------------------------------------------ */

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

int sealed_create(const char *name, const void *data, size_t size, int *ret_fd)
{
	CLEANUP(fd_close) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

int sealed_size(int fd, size_t *ret_size)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 || st.st_size < 0)
		return SKEP_EPEER;
	*ret_size = (size_t)st.st_size;
	return 0;
}

int sealed_read(int fd, void *data, size_t size)
{
	size_t there;
	int err = sealed_size(fd, &there);
	if (err != 0 || there != size)
		return err != 0 ? err : SKEP_EPEER;
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, (char *)data + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : SKEP_EPEER;
		done += (size_t)n;
	}
	return 0;
}
