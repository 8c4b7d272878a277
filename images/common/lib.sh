# SPDX-License-Identifier: BSD-2-Clause
# What the recipes share. A recipe is a shell script `build`, run as root with
#   OUT      empty folder for the result (vmlinuz, initrd, disk.raw, manifest.json)
#   WORK     empty folder for the work, removed afterwards
#   KERNEL   folder with the kernel all images share
#   RECIPES  the folder above this one
#   INSIDE   folder with what was built for guests (monitor/monitor); its scripts are in RECIPES/../inside
#   PACKAGES folder where packages made for guests are kept
#   NAME, VERSION  for the manifest
# Packages come from the host's own APT sources; no mount, no loop device, no kernel module needed.
# shellcheck shell=sh
set -eu
umask 022
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

START=$(date +%s)
step()
{
	printf '%5d s  %s: %s\n' $(($(date +%s) - START)) "$NAME" "$*"
}

need()
{
	for tool; do
		command -v "$tool" >/dev/null 2>&1 && continue
		echo "$NAME: the program $tool is missing" >&2
		exit 1
	done
}

apt_get()
{
	apt-get -q -q -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 "$@"
}

# All packages that $@ depend on, themselves included, without the ones of a running system.
closure()
{
	apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$@" | grep -v -E '^[ <|]|:|-base$|^debconf|^cdebconf' |
		sort -u
}

# unpack TREE PACKAGE...: downloads and unpacks without installing; notes the versions.
unpack()
{
	tree=$1
	shift
	mkdir -p "$tree" "$WORK/debs"
	(cd "$WORK/debs" && apt_get download "$@" >&2)
	for deb in "$WORK"/debs/*.deb; do
		dpkg-deb -f "$deb" Package Version | sed 's/^[A-Za-z]*: //' | paste -s -d ' ' \
			>>"$WORK/packages"
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree" -f -
	done
	rm -r "$WORK/debs"
}

# The shared libraries of a program inside TREE (paths as seen in it).
libraries()
{
	chroot "$1" /lib64/ld-linux-x86-64.so.2 --list "$2" | grep -o '/[^ ]*' | sort -u
}

# busybox_tree TREE: the static busybox and a name for each of its applets.
busybox_tree()
{
	mkdir -p "$1/bin" "$1/sbin" "$1/usr/bin" "$1/usr/sbin"
	cp "$KERNEL/busybox" "$1/bin/busybox"
	"$KERNEL/busybox" --list-full | grep -v -x -E 'bin/busybox|linuxrc|init' |
		while read -r path; do
			[ -e "$1/$path" ] || ln -s /bin/busybox "$1/$path"
		done
}

# pack TREE FILE: a compressed initramfs archive.
pack()
{
	(cd "$1" && find . -print0 | LC_ALL=C sort -z |
		cpio --null -o -H newc --quiet -R 0:0 --reproducible) | gzip -6n >"$2"
}

# The host's Debian sources, one line each, in WORK/sources.list.
debian_sources()
{
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
		grep ' bookworm' | sort -u >"$WORK/sources.list" || true
	[ -s "$WORK/sources.list" ] || {
		echo "$NAME: APT knows no Debian 12 (bookworm) source; run apt-get update" >&2
		exit 1
	}
}

# make_disk TREE SIZE: an ext4 file system with the tree in it, as a sparse file.
make_disk()
{
	truncate -s "$2" "$OUT/disk.raw"
	mke2fs -q -F -t ext4 -E lazy_itable_init=1,lazy_journal_init=1 -J size=16 -m 1 -d "$1" \
		"$OUT/disk.raw"
}

# install_deb TREE FILE
install_deb()
{
	cp "$2" "$1/tmp/install.deb"
	chroot "$1" dpkg -i /tmp/install.deb >"$WORK/dpkg.log" 2>&1 || {
		cat "$WORK/dpkg.log" >&2
		exit 1
	}
	rm "$1/tmp/install.deb"
}

# The bash that tells of each command line (inside/shell), as a package; made if need be. Prints its path.
# Fails where it can't be made; an image then has an ordinary one.
shell_package()
{
	"$RECIPES/../inside/shell/build" "$PACKAGES" && return 0
	step "this image gets an ordinary shell, which tells nothing (why: above)" >&2
	return 1
}

# install_shell TREE FILE: that bash takes the place of Debian's, and the other shell leads to it, as an
# administrator does it who wants bash for sh: dash's own scripts leave that alone.
install_shell()
{
	install_deb "$1" "$2"
	chroot "$1" dpkg-divert --quiet --package dash --no-rename --remove /bin/sh
	chroot "$1" dpkg-divert --quiet --local --no-rename --divert /bin/sh.distrib --add /bin/sh
	chroot "$1" dpkg-divert --quiet --local --no-rename --divert /bin/dash.distrib --add /bin/dash
	mv "$1/bin/dash" "$1/bin/dash.distrib"
	chmod 644 "$1/bin/dash.distrib"
	ln -sf bash "$1/bin/dash"
	ln -sf dash "$1/bin/sh.distrib"
	ln -sf bash "$1/bin/sh"
}

# have_monitor: was the monitor (inside/monitor) built on this machine?
have_monitor()
{
	[ -x "$INSIDE/monitor/monitor" ] && return 0
	step "there is no $INSIDE/monitor/monitor: this image gets no monitor"
	return 1
}

# manifest APPEND MEMORY_MIN_MB SSHD SYSLOGD MONITOR SHELL: versions are read from WORK/packages.
manifest()
{
	{
		printf '{\n"name": "%s",\n"version": "%s",\n"built": "%s",\n' \
			"$NAME" "$VERSION" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
		printf '"append": "%s",\n"memory_min": %d,\n"sshd": %s,\n"syslogd": %s,\n' \
			"$1" $(($2 * 1048576)) "$3" "$4"
		printf '"monitor": %s,\n"shell": %s,\n' "$5" "$6"
		printf '"packages": {'
		sort -u "$WORK/packages" | awk '{printf "%s\n  \"%s\": \"%s\"", s, $1, $2; s=","}'
		printf '\n}\n}\n'
	} >"$OUT/manifest.json"
}
