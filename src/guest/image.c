/* SPDX-License-Identifier: BSD-2-Clause */
/* Until images, identities and command lines are here: the answers of a build that has none. */
#include "guest/guest.h"

#include <errno.h>

int guest_image_find(const struct conf *c, const char *name, struct guest_image *ret)
{
	(void)c, (void)name, (void)ret;
	return SKEP_ENOTFOUND;
}

int guest_image_build(const struct conf *c, const char *name, bool again, int out, char *why,
		      size_t why_size)
{
	(void)c, (void)name, (void)again, (void)out;
	text_copy(why, why_size, "this build has no image builder yet");
	return SKEP_EUNSUPPORTED;
}

int guest_prepare(const struct conf *c, const struct conf_guest *g, const struct guest_image *img,
		  struct guest_identity *ret, char *why, size_t why_size)
{
	(void)c, (void)g, (void)img, (void)ret, (void)why, (void)why_size;
	return SKEP_EUNSUPPORTED;
}

int guest_identity_read(const struct conf *c, const char *name, struct guest_identity *ret)
{
	(void)c, (void)name, (void)ret;
	return SKEP_ENOTFOUND;
}

int guest_open_files(const struct conf *c, const struct conf_guest *g,
		     const struct guest_image *img, struct guest_fds *ret)
{
	(void)c, (void)g, (void)img, (void)ret;
	return SKEP_EUNSUPPORTED;
}

int guest_command_line(const struct conf_guest *g, const struct guest_image *img,
		       const struct guest_identity *id, const struct guest_fds *fds, bool kvm,
		       struct guest_command *ret)
{
	(void)g, (void)img, (void)id, (void)fds, (void)kvm, (void)ret;
	return SKEP_EUNSUPPORTED;
}

const char *const *guest_jail_paths(void)
{
	static const char *const none[] = {NULL};
	return none;
}

int guest_probe_kvm(const struct conf *c, bool *ret_ok, char *why, size_t why_size)
{
	(void)c, (void)ret_ok, (void)why, (void)why_size;
	return SKEP_EUNSUPPORTED;
}
