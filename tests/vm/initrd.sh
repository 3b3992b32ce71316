# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# Builds the small initramfs that mounts the 9p root: busybox, tests/vm/init and the modules it loads,
# unpacked so that the guest need not. Sourced, after kernel_get. One image a flavour, made again when
# the kernel or init changes.

busybox_get() {
	BUSYBOX=$DEPS/busybox-static/bin/busybox
	[[ -x $BUSYBOX ]] || unpack "$(download busybox-static)" "$DEPS/busybox-static"
}

# The files to load, in order; what is built in prints nothing.
initrd_modules() {
	local m
	for m in 9p 9pnet_virtio overlay virtio_console; do
		modprobe -d "$KROOT" -S "$KVER" --show-depends "$m" 2>/dev/null
	done | awk '/^insmod/ && !seen[$2]++ { print $2 }'
}

initrd_make() {
	local image=$1 dir=$1.d ko name
	if [[ -s $image && $image -nt $VMDIR/init && $image -nt $VMDIR/initrd.sh && $image -nt $KIMAGE ]]; then
		return 0
	fi
	rm -rf "$dir"
	mkdir -p "$dir"/{bin,mod}
	busybox_get
	cp "$BUSYBOX" "$dir/bin/busybox"
	: >"$dir/modlist"
	while IFS= read -r ko; do
		name=${ko##*/}
		case $name in
		*.xz)	xz -dc "$ko" >"$dir/mod/${name%.xz}" ;;
		*)	cp "$ko" "$dir/mod/$name" ;;
		esac
		echo "${name%.xz}" >>"$dir/modlist"
	done < <(initrd_modules)
	install -m 755 "$VMDIR/init" "$dir/init"
	(cd "$dir" && find . | cpio -o -H newc --quiet | gzip -1) >"$image.new" || die "cannot write $image: disk full?"
	mv "$image.new" "$image"
	rm -rf "$dir"
}

# initrd_get FLAVOUR: sets INITRD.
initrd_get() {
	need cpio xz-utils gzip
	INITRD=$BUILD/vm/initrd-$1.gz
	mkdir -p "$BUILD/vm"
	with_lock initrd initrd_make "$INITRD"
}
