/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for the project's error codes. */
#include "base/base.h"

#include <string.h>

static const struct {
	int code;
	const char *text;
} own_errors[] = {
	{SKEP_ETRUNC, "ended early"},
	{SKEP_EFORMAT, "does not follow its format"},
	{SKEP_ERANGE, "value outside its range"},
	{SKEP_EFULL, "table is full"},
	{SKEP_ENOTFOUND, "not found"},
	{SKEP_EPEER, "the other process broke the protocol"},
	{SKEP_ETIMEOUT, "no answer in time"},
	{SKEP_EUNSUPPORTED, "not supported here"},
};

const char *err_text(int err)
{
	for (size_t i = 0; i < ARRAY_LEN(own_errors); i++)
		if (own_errors[i].code == err)
			return own_errors[i].text;
	if (err > 0 || err < -4095)
		return "unknown error";
	const char *text = strerrordesc_np(-err);
	return text != NULL ? text : "unknown error";
}
