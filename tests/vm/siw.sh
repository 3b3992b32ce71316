# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# siw for the stock kernel, which Debian leaves out: built out of tree from linux-source-6.12, to be measured
# beside berth. Sourced, after kernel_get and before kmod_build, which puts the module into its layer.

siw_make() {
	local dst=$1 deb tar
	[[ ! -e $dst/siw.ko || $(cat "$dst/.kernel" 2>/dev/null) != "$KVER" ]] || return 0
	deb=$(download linux-source-6.12) || exit 1
	rm -rf "$dst"
	mkdir -p "$dst"
	unpack "$deb" "$dst/deb"
	tar=$(find "$dst/deb/usr/src" -name 'linux-source-*.tar.xz')
	say "building siw for $KVER"
	tar -xf "$tar" -C "$dst" --strip-components=5 --wildcards '*/drivers/infiniband/sw/siw' ||
		die "cannot unpack siw from $tar: disk full?"
	rm -rf "$dst/deb"
	# shellcheck disable=SC2016
	sed -i 's/\$(CONFIG_RDMA_SIW)/m/' "$dst/Makefile"
	logged "$dst/make.log" "building siw" make -C "$KBUILD" M="$dst" CC="${KCC:-gcc-12}" -j"$JOBS" modules
	echo "$KVER" >"$dst/.kernel"
}

siw_get() {
	need make gcc gcc-12 binutils xz-utils
	with_lock siw siw_make "$BUILD/kmod/siw"
}
