/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's command line. Everything it works on is a descriptor, but for the kernel and initramfs, which
 * QEMU 7.2 opens by path only. What the guest sees of its hardware is a machine of an ordinary cloud.
 */
#include "guest/guest_priv.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_MTU 1500
#define QEMU "/usr/bin/qemu-system-x86_64"
#define MB (UINT64_C(1) << 20)

/* Read-only in the jail: the program's libraries and its firmware. */
static const char *const jail_paths[] = {
	"/lib",
	"/lib64",
	"/usr/lib64",
	"/usr/lib/x86_64-linux-gnu",
	"/usr/share/qemu",
	"/usr/share/seabios",
	"/etc/ld.so.cache",
	"/dev/null",
	QEMU,
};

struct line {
	struct guest_command *cmd;
	size_t n, n_jail;
	bool full;
};

static const char *keep(struct line *l, const char *fmt, va_list ap)
{
	struct guest_command *cmd = l->cmd;
	size_t left = sizeof(cmd->text) - cmd->used;
	int n = vsnprintf(cmd->text + cmd->used, left, fmt, ap);
	if (n < 0 || (size_t)n >= left) {
		l->full = true;
		return NULL;
	}
	const char *at = cmd->text + cmd->used;
	cmd->used += (size_t)n + 1;
	return at;
}

static void arg(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void arg(struct line *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *s = keep(l, fmt, ap);
	va_end(ap);
	if (l->n + 1 >= GUEST_ARGV)
		l->full = true;
	else if (s != NULL)
		l->cmd->argv[l->n++] = s;
}

static void jail(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void jail(struct line *l, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	const char *s = keep(l, fmt, ap);
	va_end(ap);
	if (l->n_jail + 1 >= GUEST_JAIL)
		l->full = true;
	else if (s != NULL)
		l->cmd->jail[l->n_jail++] = s;
}

static void add_machine(struct line *l, const struct conf_guest *g, const struct guest_identity *id,
			bool kvm)
{
	arg(l, "-name");
	arg(l, "%s", g->name);
	arg(l, "-nodefaults");
	arg(l, "-no-user-config");
	arg(l, "-display");
	arg(l, "none");
	arg(l, "-sandbox");
	arg(l, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	arg(l, "-machine");
	arg(l, "q35,usb=off,dump-guest-core=off");
	arg(l, "-accel");
	if (kvm)
		arg(l, "kvm");
	else
		arg(l, "tcg,tb-size=%u", g->tb_size_mb);
	/* Under TCG: svm makes guests load kvm_amd, la57 breaks static programs, and without xlevel
	 * the model's name is lost. */
	arg(l, "-cpu");
	arg(l, "%s",
	    kvm ? "host,-vmx,-svm,-arch-capabilities"
		: "max,-svm,-la57,family=23,model=1,stepping=2,xlevel=0x8000001e,"
		  "model-id=AMD EPYC Processor");
	arg(l, "-smp");
	arg(l, "1");
	arg(l, "-m");
	arg(l, "%lluM", (unsigned long long)(g->memory_bytes / MB));
	arg(l, "-rtc");
	arg(l, "base=utc,clock=host");
	arg(l, "-smbios");
	arg(l,
	    "type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,version=25.1.0,"
	    "serial=%s,uuid=%s,family=Virtual Machine",
	    id->machine, id->machine);
	arg(l, "-smbios");
	arg(l, "type=3,manufacturer=RDO,version=25.1.0");
}

static void add_disk(struct line *l, const struct guest_identity *id, const struct guest_fds *fds)
{
	arg(l, "-add-fd");
	arg(l, "fd=%d,set=1", fds->disk);
	arg(l, "-add-fd");
	arg(l, "fd=%d,set=2", fds->overlay);
	arg(l, "-blockdev");
	arg(l, "driver=file,node-name=base-file,filename=/dev/fdset/1,read-only=on");
	arg(l, "-blockdev");
	arg(l, "driver=raw,node-name=base,file=base-file,read-only=on");
	arg(l, "-blockdev");
	arg(l, "driver=file,node-name=overlay-file,filename=/dev/fdset/2,discard=unmap");
	arg(l, "-blockdev");
	arg(l, "driver=qcow2,node-name=overlay,file=overlay-file,backing=base,discard=unmap");
	arg(l, "-device");
	arg(l, "virtio-blk-pci,drive=overlay,serial=%.20s,werror=stop", id->volume);
}

int guest_command_line(const struct conf_guest *g, const struct guest_image *img,
		       const struct guest_identity *id, const struct guest_fds *fds, bool kvm,
		       struct guest_command *ret)
{
	struct line l = {.cmd = ret};
	char mac[MAC_TEXT];
	ret->used = 0;
	arg(&l, "%s", QEMU);
	add_machine(&l, g, id, kvm);
	arg(&l, "-device");
	arg(&l, "virtio-rng-pci");
	arg(&l, "-device");
	arg(&l, "virtio-balloon-pci,free-page-reporting=on");
	if (fds->disk >= 0 && fds->overlay >= 0)
		add_disk(&l, id, fds);
	if (fds->tap >= 0) {
		arg(&l, "-netdev");
		arg(&l, "tap,id=net0,fd=%d", fds->tap);
		arg(&l, "-device");
		if (fds->mtu != 0 && fds->mtu < USUAL_MTU)
			arg(&l, "virtio-net-pci,netdev=net0,mac=%s,romfile=,host_mtu=%u",
			    mac_text(&id->mac, mac), fds->mtu);
		else
			arg(&l,
			    "virtio-net-pci,netdev=net0,mac=%s,romfile=", mac_text(&id->mac, mac));
	}
	if (fds->qmp >= 0) {
		arg(&l, "-chardev");
		arg(&l, "socket,id=qmp,fd=%d", fds->qmp);
		arg(&l, "-mon");
		arg(&l, "chardev=qmp,mode=control");
	}
	if (fds->console >= 0) {
		arg(&l, "-chardev");
		arg(&l, "socket,id=console,fd=%d", fds->console);
		arg(&l, "-serial");
		arg(&l, "chardev:console");
	}
	if (fds->monitor >= 0) {
		arg(&l, "-chardev");
		arg(&l, "socket,id=monitor,fd=%d", fds->monitor);
		arg(&l, "-device");
		arg(&l, "virtio-serial-pci");
		arg(&l, "-device");
		arg(&l, "virtserialport,chardev=monitor,name=monitor.0");
	}
	arg(&l, "-kernel");
	arg(&l, "/vmlinuz");
	arg(&l, "-initrd");
	arg(&l, "/initrd");
	arg(&l, "-append");
	arg(&l, "%s", img->append);
	for (size_t i = 0; i < ARRAY_LEN(jail_paths); i++)
		jail(&l, "%s", jail_paths[i]);
	/* under names that say nothing of this host */
	jail(&l, "%s/vmlinuz\n/vmlinuz", id->dir);
	jail(&l, "%s/initrd\n/initrd", id->dir);
	if (kvm)
		jail(&l, "/dev/kvm");
	ret->argv[l.n] = NULL;
	ret->jail[l.n_jail] = NULL;
	return l.full ? SKEP_EFULL : 0;
}
