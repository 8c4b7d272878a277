/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared memory between our processes: sealed in size, so that a mapping can never fault. */
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
