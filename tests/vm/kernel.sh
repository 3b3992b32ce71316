# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# The kernels that the VM boots. Sourced. A "flavour" is a kernel we can build modules for:
#   stock   Debian's linux-image of tests/vm/kernel-version, unpacked under build/kernel/, never installed
#   debug   built here from Debian's linux-source with tests/vm/debug.config, under build/debug-kernel/
# kernel_get FLAVOUR makes it present and sets KVER (uname -r), KROOT (a tree with usr/lib/modules/KVER),
# KIMAGE (what QEMU boots) and KBUILD (what modules are built against).

# The newest 6.12 that the registry offers, when the pinned one is gone.
newest_kernel() {
	apt-cache search --names-only '^linux-image-6\.12\.[0-9+a-z]*-amd64$' | awk '{ print $1 }' |
		grep -vE -- '-(rt|cloud|dbg|unsigned)' | sed 's/^linux-image-//; s/-amd64$//' | sort -V | tail -n1
}

# Sets KREL: the Debian ABI name without the architecture, such as 6.12.117+deb12.
choose_kernel() {
	KREL=$(pinned_kernel)
	[[ ! -e $BUILD/kernel/$KREL-amd64/.complete ]] || return 0
	ls "$DEPS/linux-image-$KREL-amd64_"*.deb >/dev/null 2>&1 && return 0
	apt-cache show "linux-image-$KREL-amd64" >/dev/null 2>&1 && return 0
	[[ -z $(cat "$BUILD/kernel/instead" 2>/dev/null) ]] || { KREL=$(<"$BUILD/kernel/instead"); return 0; }
	package_lists
	apt-cache show "linux-image-$KREL-amd64" >/dev/null 2>&1 && return 0
	local pinned=$KREL
	KREL=$(newest_kernel)
	[[ -n $KREL ]] || die "no linux-image-6.12.*-amd64 in the registry: enable bookworm-updates or bookworm-security in apt's sources"
	say "kernel $pinned is no longer in the registry: using $KREL instead"
	mkdir -p "$BUILD/kernel"
	echo "$KREL" >"$BUILD/kernel/instead"
}

# Links and includes in the headers are absolute; make them point into the unpacked tree.
relocate_headers() {
	local root=$1 link target
	while IFS= read -r link; do
		target=$(readlink "$link")
		[[ -e $root$target ]] && ln -sfn "$root$target" "$link"
	done < <(find "$root/usr" -type l -lname '/usr/*')
	sed -i "s#include /usr/src/#include $root/usr/src/#" "$root/usr/src/linux-headers-$KVER/Makefile"
	# Without vmlinux the build needs no pahole: modules get no BTF, which nothing here reads.
	rm -f "$root/usr/src/linux-headers-$KVER/vmlinux"
}

unpack_stock() {
	local root=$1 new=$1.new p deb
	[[ ! -e $root/.complete ]] || return 0
	make_build_dir 1500
	rm -rf "$new" "$root"
	for p in "linux-image-$KVER" "linux-headers-$KVER" "linux-headers-$KREL-common" "linux-kbuild-$KREL"; do
		deb=$(download "$p") || exit 1
		unpack "$deb" "$new"
	done
	# Debian 12 has /lib as a link to usr/lib; the layers of the guest's root must agree with it.
	cp -al "$new/lib/." "$new/usr/lib/"
	rm -rf "${new:?}/lib"
	ln -s usr/lib "$new/lib"
	# Unpacking xz takes seconds under emulation: do it here for the modules that a run loads.
	(cd "$new/usr/lib/modules/$KVER/kernel" &&
		find drivers/infiniband/core drivers/infiniband/sw drivers/net/veth.ko.xz net/ipv4 net/ipv6 net/9p \
			net/sched net/8021q net/bridge fs/9p fs/netfs fs/overlayfs lib crypto arch \
			-name '*.ko.xz' -exec xz -d {} +)
	mv "$new" "$root"
	relocate_headers "$root"
	depmod -b "$root" "$KVER" || die "depmod failed on $root"
	: >"$root/.complete"
}

kernel_get() {
	case $1 in
	stock)
		need kmod
		choose_kernel
		KVER=$KREL-amd64
		KROOT=$BUILD/kernel/$KVER
		with_lock kernel unpack_stock "$KROOT"
		KIMAGE=$KROOT/boot/vmlinuz-$KVER
		KBUILD=$KROOT/usr/src/linux-headers-$KVER
		;;
	debug)
		# shellcheck source=tests/vm/debug-kernel.sh
		. "$VMDIR/debug-kernel.sh"
		debug_kernel_get
		;;
	*)	die "unknown kernel flavour '$1'" ;;
	esac
	export KVER
}
