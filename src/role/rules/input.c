/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts of rules as they go from one process to another: read by the compiler, and by the wall. */
#include "role/compiler_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int compiler_map(int fd, struct reader *ret, struct compiler_input *ret_head)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(*ret_head))
		return SKEP_EFORMAT;
	void *in = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (in == MAP_FAILED)
		return -errno;
	struct reader r = reader_of(in, (size_t)st.st_size);
	memcpy(ret_head, read_bytes(&r, sizeof(*ret_head)), sizeof(*ret_head));
	if (memcmp(ret_head->magic, COMPILER_IN_MAGIC, sizeof(ret_head->magic)) != 0 ||
	    ret_head->version != COMPILER_VERSION) {
		(void)munmap(in, (size_t)st.st_size);
		return SKEP_EFORMAT;
	}
	*ret = r;
	return 0;
}

int compiler_next(struct reader *r, struct compiler_text *ret)
{
	struct compiler_part p;
	const uint8_t *head = read_bytes(r, sizeof(p));
	if (head == NULL)
		return SKEP_ETRUNC;
	memcpy(&p, head, sizeof(p));
	if (p.name_len >= reader_left(r) || p.len >= reader_left(r))
		return SKEP_EFORMAT;
	const uint8_t *name = read_bytes(r, (size_t)p.name_len + 1);
	const uint8_t *text = read_bytes(r, (size_t)p.len + 1);
	if (name == NULL || text == NULL || name[p.name_len] != 0 || text[p.len] != 0)
		return SKEP_EFORMAT;
	*ret = (struct compiler_text){p.kind, (const char *)name, (const char *)text,
				      (size_t)p.len};
	return 0;
}

int compiler_vars(struct reader r, uint32_t n, struct rule_vars *vars)
{
	struct compiler_text p;
	int err = 0;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		err = compiler_next(&r, &p);
		if (err == 0 && (p.kind == PART_ADDRESSES || p.kind == PART_PORTS))
			err = rule_vars_set(vars, p.kind == PART_PORTS, p.name, p.text);
	}
	return err;
}

static int read_all(struct reader r, uint32_t n, struct rule_set *set)
{
	int err = 0;
	for (uint32_t i = 0; i < n && err == 0; i++) {
		struct compiler_text p;
		err = compiler_next(&r, &p);
		if (err == 0 && p.kind == PART_CONFIG)
			err = rule_set_read_config(set, p.name, p.text, p.len);
		else if (err == 0 && p.kind == PART_FILE)
			err = rule_set_read(set, p.name, p.text, p.len);
	}
	return err == 0 ? rule_set_finish(set) : err;
}

int compiler_load(int fd, const struct rule_set_conf *conf, struct rule_set **ret)
{
	struct rule_set_conf mine = *conf;
	struct compiler_input head;
	struct reader in = {.at = NULL};
	struct rule_vars *vars = NULL;
	struct rule_set *set = NULL;
	int err = compiler_map(fd, &in, &head);
	if (err != 0)
		return err;
	uint8_t *begin = (uint8_t *)(uintptr_t)in.at - sizeof(head);
	size_t len = sizeof(head) + reader_left(&in);
	err = head.n <= COMPILER_FILES * 2 ? rule_vars_create(&vars) : SKEP_ERANGE;
	if (err == 0)
		err = compiler_vars(in, head.n, vars);
	mine.vars = vars;
	if (err == 0)
		err = rule_set_create(&mine, &set);
	if (err == 0)
		err = read_all(in, head.n, set);
	if (err == 0)
		*ret = set;
	else
		rule_set_free(&set);
	rule_vars_free(&vars); /* the set has copies */
	(void)munmap(begin, len);
	return err;
}
