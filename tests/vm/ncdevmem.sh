# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# ncdevmem, the kernel's own program for devmem TCP, from linux-source-6.12 as it is: what it includes is generated there
# (ynl, of the netdev family) or newer than the headers that are installed. Sourced, after kernel_get. Left in build/ncdevmem,
# under a key of what it is made of.

ncdevmem_sources() {
	local tar
	unpack "$1" deb
	tar=$(find deb/usr/src -name 'linux-source-*.tar.xz')
	# The generator looks for MAINTAINERS to know where the tree begins.
	tar -xf "$tar" --strip-components=1 --wildcards '*/MAINTAINERS' '*/Documentation/netlink' '*/tools/net/ynl' \
		'*/tools/testing/selftests/net/ncdevmem.c' '*/include/uapi/linux/uio.h' '*/include/uapi/linux/netdev.h' \
		'*/include/uapi/asm-generic/socket.h' || die "cannot unpack ncdevmem from $tar: disk full?"
	rm -rf deb
}

# Its directory is the present one.
ncdevmem_compile() {
	local ynl=tools/net/ynl what
	for what in header source; do
		/usr/bin/python3 $ynl/ynl-gen-c.py --mode user --$what --spec Documentation/netlink/specs/netdev.yaml -o "netdev-user.${what:0:1}"
	done
	mv netdev-user.s netdev-user.c
	mv netdev-user.h include/uapi/
	# What the kernel's headers are without when they are installed.
	: >include/uapi/linux/compiler.h
	"${CC:-gcc}" -O2 -w -D__user= -Iinclude/uapi -I$ynl/lib -o ncdevmem tools/testing/selftests/net/ncdevmem.c netdev-user.c \
		$ynl/lib/ynl.c -lmnl
	"${CC:-gcc}" -O2 -Wall -Wextra -Werror -shared -fPIC -I"$TOP/include/uapi" -o udmabuf-bar.so "$TOP/tests/netns/nic/udmabuf_bar.c"
}

ncdevmem_make() {
	local dst=$1 deb key
	deb=$(download linux-source-6.12) || exit 1
	key=$(cat <(echo "${deb##*/}") "$VMDIR/ncdevmem.sh" "$TOP/tests/netns/nic/udmabuf_bar.c" | sha256sum)
	[[ "$key" != "$(cat "$dst/.built" 2>/dev/null)" ]] || return 0
	rm -rf "$dst"
	mkdir -p "$dst"
	say "building ncdevmem"
	(cd "$dst" && ncdevmem_sources "$deb") || exit 1
	logged "$BUILD/ncdevmem.log" "building ncdevmem" bash -euc "cd '$dst'; TOP='$TOP'; $(declare -f ncdevmem_compile); ncdevmem_compile"
	echo "$key" >"$dst/.built"
}

ncdevmem_get() {
	need gcc libc6-dev libmnl-dev python3 python3-yaml python3-jsonschema xz-utils
	with_lock ncdevmem ncdevmem_make "$BUILD/ncdevmem"
}
