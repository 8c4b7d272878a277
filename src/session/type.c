/* SPDX-License-Identifier: BSD-2-Clause */
/* What kind of content it is, by its first bytes. A table of what intruders bring, not of the world. */
#include "session/files_priv.h"

#include <stdio.h>
#include <string.h>

static const struct {
	uint8_t at, len;
	const char *magic, *name;
} kinds[] = {
	{0, 2, "\x1f\x8b", "gzip data"},
	{0, 3, "BZh", "bzip2 data"},
	{0, 6,
	 "\xfd"
	 "7zXZ",
	 "xz data"},
	{0, 4, "\x28\xb5\x2f\xfd", "zstd data"},
	{0, 4, "PK\x03\x04", "zip archive"},
	{0, 6, "7z\xbc\xaf\x27\x1c", "7-zip archive"},
	{0, 4, "Rar!", "RAR archive"},
	{0, 8, "!<arch>\n", "ar archive"},
	{0, 4, "\xed\xab\xee\xdb", "RPM package"},
	{0, 2, "MZ", "PE program"},
	{0, 4, "\xca\xfe\xba\xbe", "Java class or Mach-O"},
	{0, 4, "\xcf\xfa\xed\xfe", "Mach-O 64-bit program"},
	{0, 4, "\xce\xfa\xed\xfe", "Mach-O 32-bit program"},
	{0, 4, "%PDF", "PDF document"},
	{0, 8, "\x89PNG\r\n\x1a\n", "PNG picture"},
	{0, 3, "\xff\xd8\xff", "JPEG picture"},
	{0, 4, "GIF8", "GIF picture"},
	{0, 6, "SQLite", "SQLite database"},
	{0, 5, "<?xml", "XML text"},
	{0, 5, "<?php", "PHP script"},
	{0, 27, "-----BEGIN OPENSSH PRIVATE ", "private key"},
	{0, 4,
	 "\x7f"
	 "ELF",
	 "ELF"},
	{4, 4, "ftyp", "MPEG-4 media"},
};

static const char *elf(const uint8_t *head, size_t len, char *buf, size_t size)
{
	static const struct {
		uint16_t machine;
		const char *name;
	} machines[] = {{3, "x86"},      {62, "x86-64"},  {40, "ARM"},       {183, "ARM64"},
			{8, "MIPS"},     {20, "PowerPC"}, {21, "PowerPC64"}, {2, "SPARC"},
			{243, "RISC-V"}, {42, "SuperH"},  {4, "m68k"},       {22, "S390"}};
	static const char *const types[] = {"file", "object", "program", "program or library",
					    "core"};
	if (len < 20)
		return "ELF";
	bool big = head[5] == 2;
	unsigned type = big ? head[16] << 8 | head[17] : head[17] << 8 | head[16];
	unsigned machine = big ? head[18] << 8 | head[19] : head[19] << 8 | head[18];
	const char *name = "unknown machine";
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].machine == machine)
			name = machines[i].name;
	snprintf(buf, size, "ELF %s %s %s", head[4] == 2 ? "64-bit" : "32-bit", name,
		 types[type < ARRAY_LEN(types) ? type : 0]);
	return buf;
}

static const char *script(const uint8_t *head, size_t len, char *buf, size_t size)
{
	char name[24];
	size_t n = 0, at = 2;
	while (at < len && head[at] == ' ')
		at++;
	for (; at < len && head[at] > ' ' && head[at] < 0x7f; at++) {
		if (head[at] == '/')
			n = 0;
		else if (n + 1 < sizeof(name))
			name[n++] = (char)head[at];
	}
	name[n] = '\0';
	if (strcmp(name, "env") == 0) { /* #!/usr/bin/env python3 */
		for (n = 0, at++; at < len && head[at] > ' ' && head[at] < 0x7f; at++)
			if (n + 1 < sizeof(name))
				name[n++] = (char)head[at];
		name[n] = '\0';
	}
	snprintf(buf, size, "script of %s", n > 0 ? name : "?");
	return buf;
}

static bool is_text(const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len;) {
		bool more = false;
		size_t n = text_utf8(p + at, len - at, &more);
		if (n == 0)
			return more;
		if (n == 1 && p[at] < 0x20 && strchr("\t\n\r\f\x1b", p[at]) == NULL)
			return false;
		if (p[at] == 0)
			return false;
		at += n;
	}
	return true;
}

const char *file_type(const uint8_t *head, size_t len, char *buf, size_t size)
{
	if (len == 0)
		return "empty";
	if (len > 2 && head[0] == '#' && head[1] == '!')
		return script(head, len, buf, size);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if ((size_t)kinds[i].at + kinds[i].len > len ||
		    memcmp(head + kinds[i].at, kinds[i].magic, kinds[i].len) != 0)
			continue;
		return strcmp(kinds[i].name, "ELF") == 0 ? elf(head, len, buf, size)
							 : kinds[i].name;
	}
	if (len > 262 && memcmp(head + 257, "ustar", 5) == 0)
		return "tar archive";
	return is_text(head, len) ? "text" : "data";
}
